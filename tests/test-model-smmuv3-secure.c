/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's Secure programming interface (IHI 0070 3.10, 6.3.52 to 6.3.82). Properties:
 *  - SMMU_S_* are there for Secure accesses alone, and none of them without SECURE_IMPL, when a
 *    Secure
 *    transaction is as a Non-secure one; what the Secure interface lacks is refused by name;
 *  - the registers of both keep what is written to them, each its own, under guards of their own;
 *    fields
 *    of ATS, PRI and EL2 are RES0 in the Secure ones, as is NSSTALLD where there is nothing to
 *    choose;
 *  - streams of the same number have STEs, CDs, tables and TLB entries of their own, events go to
 *    the
 *    queue of the stream, errors to the GERROR of the queue, each with its line and its MSI;
 *  - each command reaches what chapter 4 says from either queue, SSec tells whose streams; commands
 *    of EL3 are of the Secure queue alone, those of Secure EL2 of none; SAMS;
 *  - a CMD_SYNC waits on each queue at once; neither queue keeps the other's commands waiting;
 *  - INV_ALL empties all caches of both states; late, and not while translation is enabled, with
 *    adversarial caches.
 */

#include <string.h>

#include "smmusecure.h"

#define VA 0x5000ull
#define SSEC WEIR_SMMU_CMD_0_SSEC
#define EN_ALL (WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)

/* ---- Registers -------------------------------------------------------------------------- */

static void secure_accesses_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t id = s_rd(f, WEIR_SMMU_S_IDR1, 4);

	assert_int_equal(id, f->config.s_idr[1]);
	for (uint64_t offset = WEIR_SMMU_SECURE; offset < WEIR_SMMU_SECURE_END; offset += 4) {
		uint64_t before = s_rd(f, offset, 4);

		assert_int_equal(rd(f, offset, 4), 0);
		wr(f, offset, 4, 0xffffffff);
		assert_int_equal(s_rd(f, offset, 4), before);
	}
	wr(f, WEIR_SMMU_S_CR0, 8, 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CR0, 4), EN_ALL);
	assert_int_equal(rd(f, WEIR_SMMU_S_IDR0, 8), 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_IDR0, 8), id << 32 | f->config.s_idr[0]);
	/* Secure software sees the Non-secure registers as well. */
	assert_int_equal(s_rd(f, WEIR_SMMU_IDR0, 4), rd(f, WEIR_SMMU_IDR0, 4));
	s_wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_int_equal(rd(f, WEIR_SMMU_CR0ACK, 4), 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CR0ACK, 4), EN_ALL);
}

static void no_secure_interface(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	memset(f->config.s_idr, 0, sizeof(f->config.s_idr));
	recreate(f);
	for (uint64_t offset = WEIR_SMMU_SECURE; offset < WEIR_SMMU_SECURE_END; offset += 4) {
		s_wr(f, offset, 4, 0xffffffff);
		assert_int_equal(s_rd(f, offset, 4), 0);
	}
	map(f, add_stream(f, STREAM), VA, PAGES | PAGE);
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, PAGES);
	assert_true(out.attributes & WEIR_MODEL_ATTR_NS);
	assert_int_equal(s_dma(f, STREAM, VA + 0x1000, 0, &out), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN, VA + 0x1000,
		     0);
}

static void refuse(struct fixture *f, unsigned int idr, uint64_t mask, uint64_t value)
{
	struct weir_model_smmuv3_config good = f->config;

	f->config.s_idr[idr] = (uint32_t)((good.s_idr[idr] & ~mask) | WEIR_SMMU_FIELD(mask, value));
	weir_model_smmuv3_destroy(f->smmu);
	f->smmu = NULL;
	assert_int_equal(create(f), -WEIR_EINVAL);
	f->config = good;
	assert_int_equal(create(f), 0);
}

static void identity(void **state)
{
	struct fixture *f = *state;

	refuse(f, 1, WEIR_SMMU_S_IDR1_SEL2, 1);
	refuse(f, 0, WEIR_SMMU_S_IDR0_ECMDQ, 1);
	refuse(f, 0, WEIR_SMMU_S_IDR0_STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL);
	refuse(f, 1, WEIR_SMMU_S_IDR1_S_SIDSIZE, 33);
	refuse(f, 1, WEIR_SMMU_S_IDR1_SECURE_IMPL, 0);
	refuse(f, 2, WEIR_SMMU_S_IDR2_BA_S_VATOS, 1);
	refuse(f, 3, WEIR_BIT(7), 1);
	f->config.s_idr[3] = (uint32_t)WEIR_SMMU_S_IDR3_SAMS;
	f->config.s_idr[4] = 0x87654321;
	recreate_secure(f);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_IDR3, 4), WEIR_SMMU_S_IDR3_SAMS);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_IDR4, 4), 0x87654321);
	/* What would be AIDR, IIDR and IDR5. */
	assert_int_equal(s_rd(f, WEIR_SMMU_S_IDR4 + 4, 4), 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_SECURE + WEIR_SMMU_IIDR, 8), 0);
}

/* A register keeps these bits, and its twin nothing of them. */
static void keeps(struct fixture *f, uint64_t offset, unsigned int size, uint64_t bits)
{
	uint64_t twin = rd(f, offset - WEIR_SMMU_SECURE, size);

	s_wr(f, offset, size, size == 8 ? ~0ull : 0xffffffff);
	assert_int_equal(s_rd(f, offset, size), bits);
	assert_int_equal(rd(f, offset - WEIR_SMMU_SECURE, size), twin);
	s_wr(f, offset, size, 0);
	assert_int_equal(s_rd(f, offset, size), 0);
}

static void fields(void **state)
{
	struct fixture *f = *state;
	uint64_t base = WEIR_SMMU_Q_BASE_ADDR | WEIR_SMMU_Q_BASE_LOG2SIZE | WEIR_SMMU_Q_BASE_RWA;

	/* Guarded, all of them. */
	s_wr(f, WEIR_SMMU_S_CR2, 4, 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CR2, 4), WEIR_SMMU_CR2_RECINVSID);
	s_wr(f, WEIR_SMMU_S_CMDQ_BASE, 8, 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CMDQ_BASE, 8), S_CMDQ | CMDQ_LOG2);
	s_wr(f, WEIR_SMMU_S_EVENTQ_PROD, 4, 3);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_EVENTQ_PROD, 4), 0);
	s_wr(f, WEIR_SMMU_S_CR0, 4, 0);
	s_wr(f, WEIR_SMMU_S_IRQ_CTRL, 4, 0);
	keeps(f, WEIR_SMMU_S_CR1, 4, 0xfff);
	keeps(f, WEIR_SMMU_S_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	keeps(f, WEIR_SMMU_S_STRTAB_BASE, 8, WEIR_SMMU_STRTAB_BASE_ADDR | WEIR_SMMU_STRTAB_BASE_RA);
	keeps(f, WEIR_SMMU_S_STRTAB_BASE_CFG, 4, 0x307ff);
	keeps(f, WEIR_SMMU_S_CMDQ_BASE, 8, base);
	keeps(f, WEIR_SMMU_S_EVENTQ_BASE, 8, base);
	keeps(f, WEIR_SMMU_S_GERROR_IRQ_CFG0, 8, WEIR_SMMU_IRQ_CFG0_ADDR);
	keeps(f, WEIR_SMMU_S_GERROR_IRQ_CFG1, 4, 0xffffffff);
	keeps(f, WEIR_SMMU_S_GERROR_IRQ_CFG2, 4, 0x3f);
	keeps(f, WEIR_SMMU_S_EVENTQ_IRQ_CFG0, 8, WEIR_SMMU_IRQ_CFG0_ADDR);
	keeps(f, WEIR_SMMU_S_EVENTQ_IRQ_CFG1, 4, 0xffffffff);
	keeps(f, WEIR_SMMU_S_EVENTQ_IRQ_CFG2, 4, 0x3f);
	keeps(f, WEIR_SMMU_S_IRQ_CTRL, 4,
	      WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN | WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN);
	keeps(f, WEIR_SMMU_S_CR0, 4, EN_ALL | WEIR_SMMU_S_CR0_SIF | WEIR_SMMU_S_CR0_NSSTALLD);
	/* The indexes of a queue are in page 0. */
	s_wr(f, WEIR_SMMU_S_EVENTQ_PROD, 8, 2ull << 32 | 1);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_EVENTQ_PROD, 8), 2ull << 32 | 1);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 8), 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_SECURE + 0x100a8, 8), 0);
	for (uint64_t offset = 0x80c0; offset < 0x8100; offset += 4) {
		s_wr(f, offset, 4, 0xffffffff);
		assert_int_equal(s_rd(f, offset, 4), 0);
	}
}

static void no_choice_of_stalls(void **state)
{
	struct fixture *f = *state;

	f->config.idr[0] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL, 1);
	f->config.idr[5] &= (uint32_t)~WEIR_SMMU_IDR5_STALL_MAX;
	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_VMW;
	have_secure(f);
	recreate(f);
	keeps(f, WEIR_SMMU_S_CR0, 4, EN_ALL | WEIR_SMMU_S_CR0_SIF | WEIR_SMMU_CR0_VMW);
}

/* ---- Side by side ----------------------------------------------------------------------- */

static void same_stream(void **state)
{
	struct fixture *f = *state;
	uint64_t ns = add_stream(f, STREAM), s = s_add_stream(f, STREAM);
	uint64_t a = map(f, ns, VA, PAGES | PAGE), b = map(f, s, VA, (PAGES + 0x1000) | PAGE);

	for (unsigned int i = 0; i < 2; i++) {
		expect_read(f, VA, PAGES);
		s_expect(f, VA, PAGES + 0x1000, false);
	}
	/* Each has an entry in the IOTLB; their ASIDs are the same. */
	put(f, a, 0);
	put(f, b, 0);
	expect_read(f, VA, PAGES);
	s_expect(f, VA, PAGES + 0x1000, false);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, STREAM + 1), 0);
	s_expect(f, VA, PAGES + 0x1000, false);
	expect_fault(f, VA, WEIR_SMMU_EVT_F_TRANSLATION);
	s_expect_no_event(f);
	s_command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, STREAM + 1), 0);
	s_expect_blocked(f, VA, 0);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN, VA, 0);
	expect_no_event(f);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_EVENTQ], 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_S_EVENTQ], 1);
}

/* Disabled: SMMU_S_GBPA, and not SMMU_GBPA; and the other way round. */
static void enables(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;
	uint64_t pa;

	map(f, add_stream(f, STREAM), VA, PAGES | PAGE);
	map(f, s_add_stream(f, STREAM), VA, (PAGES + 0x1000) | PAGE);
	s_wr(f, WEIR_SMMU_S_CR0, 4, WEIR_SMMU_CR0_CMDQEN);
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, VA);
	assert_false(out.attributes & WEIR_MODEL_ATTR_NS);
	expect_read(f, VA, PAGES);
	s_wr(f, WEIR_SMMU_S_GBPA, 4,
	     WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_GBPA_SHCFG_INCOMING << 12 |
		     WEIR_SMMU_FIELD(WEIR_SMMU_S_GBPA_NSCFG, WEIR_SMMU_STE_NSCFG_NONSECURE));
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_OK);
	assert_true(out.attributes & WEIR_MODEL_ATTR_NS);
	s_wr(f, WEIR_SMMU_S_GBPA, 4, WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_GBPA_ABORT);
	s_expect_blocked(f, VA, 0);
	assert_int_equal(rd(f, WEIR_SMMU_GBPA, 4), 0);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	s_expect(f, VA, PAGES + 0x1000, false);
	assert_int_equal(dma(f, STREAM, VA, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, VA);
}

/* 6.3.53: StreamIDs of a size of their own. */
static void stream_ids(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	f->config.s_idr[1] = (uint32_t)(WEIR_SMMU_S_IDR1_SECURE_IMPL | 3);
	recreate_secure(f);
	map(f, add_stream(f, 9), VA, PAGES | PAGE);
	map(f, s_add_stream(f, 7), VA, PAGES | PAGE);
	assert_int_equal(s_dma(f, 7, VA, 0, &out), WEIR_MODEL_OK);
	s_add_stream(f, 9);
	assert_int_equal(s_dma(f, 9, VA, 0, &out), WEIR_MODEL_BLOCKED);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 9), 0, 0, 0);
	assert_int_equal(dma(f, 9, VA, false, &out.addr), WEIR_MODEL_OK);
	expect_no_event(f);
}

static void errors(void **state)
{
	struct fixture *f = *state;

	s_queue_command(f, 0xff, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_GERROR, 4), WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR,
					     s_rd(f, WEIR_SMMU_S_CMDQ_CONS, 4)),
			 WEIR_SMMU_CERROR_ILL);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_S_GERROR], 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_GERROR], 0);
	/* The other queue goes on. */
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	put(f, S_CMDQ, WEIR_SMMU_CMD_SYNC);
	s_wr(f, WEIR_SMMU_S_GERRORN, 4, 0xffffffff);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_GERRORN, 4), 0x1b5);
	s_wr(f, WEIR_SMMU_S_GERRORN, 4, WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(step(f, 10), 1);
}

static void overflow(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4];

	s_add_stream(f, STREAM);
	for (unsigned int i = 0; i < 17; i++)
		s_expect_blocked(f, VA, 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_EVENTQ_PROD, 4), 1u << 31 | 16);
	expect_blocked(f, VA); /* of the Non-secure stream table, which is empty */
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM));
	expect_no_event(f);
}

static void messages(void **state)
{
	struct fixture *f = *state;
	uint64_t sync = WEIR_SMMU_CMD_SYNC |
			WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, WEIR_SMMU_CMD_SYNC_CS_IRQ) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_MSIDATA, 77);

	s_wr(f, WEIR_SMMU_S_IRQ_CTRL, 4, 0);
	s_wr(f, WEIR_SMMU_S_EVENTQ_IRQ_CFG0, 8, DOORBELL + 8);
	s_wr(f, WEIR_SMMU_S_EVENTQ_IRQ_CFG1, 4, 55);
	s_wr(f, WEIR_SMMU_S_GERROR_IRQ_CFG0, 8, DOORBELL + 12);
	s_wr(f, WEIR_SMMU_S_GERROR_IRQ_CFG1, 4, 66);
	s_wr(f, WEIR_SMMU_S_IRQ_CTRL, 4, 5);
	s_expect_blocked(f, VA, 0);
	assert_int_equal(taken(&f->msis), 1);
	assert_int_equal(f->msi_addr, DOORBELL + 8);
	assert_int_equal(f->msi_data, 55);
	s_command(f, sync, DOORBELL + 16);
	assert_int_equal(taken(&f->msis), 1);
	assert_int_equal(f->msi_addr, DOORBELL + 16);
	assert_int_equal(f->msi_data, 77);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_S_CMD_SYNC]), 1);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_CMD_SYNC]), 0);
	/* One that aborts is an error of the Secure interface. */
	s_command(f, sync, NOWHERE);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_GERROR, 4), WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	assert_int_equal(taken(&f->msis), 1);
	assert_int_equal(f->msi_data, 66);
	/* 6.3.52 */
	f->config.s_idr[0] &= (uint32_t)~WEIR_SMMU_S_IDR0_MSI;
	recreate_secure(f);
	s_wr(f, WEIR_SMMU_S_IRQ_CTRL, 4, 0);
	keeps(f, WEIR_SMMU_S_GERROR_IRQ_CFG0, 8, 0);
	s_command(f, sync, DOORBELL + 16);
	assert_int_equal(taken(&f->msis), 0);
	command(f, sync, DOORBELL + 16);
	assert_int_equal(taken(&f->msis), 1);
	/* The other way round. */
	f->config.s_idr[0] |= (uint32_t)WEIR_SMMU_S_IDR0_MSI;
	f->config.idr[0] &= (uint32_t)~WEIR_SMMU_IDR0_MSI;
	f->config.idr[1] &= (uint32_t)~WEIR_SMMU_IDR1_ECMDQ;
	f->config.idr[6] = 0;
	recreate_secure(f);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	wr(f, WEIR_SMMU_GERROR_IRQ_CFG0, 8, DOORBELL);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR_IRQ_CFG0, 8), 0);
	s_command(f, sync, DOORBELL + 16);
	assert_int_equal(taken(&f->msis), 1);
	command(f, sync, DOORBELL + 16);
	assert_int_equal(taken(&f->msis), 0);
}

/* ---- Commands --------------------------------------------------------------------------- */

/* Streams of each world, which have page VA in the IOTLB, and in no table any more. */
enum { NS_EL1, NS_EL2, S_EL1, S_EL3, NS_S2, WORLDS };

static uint64_t leaves[WORLDS];

static enum weir_model_result world_dma(struct fixture *f, unsigned int world)
{
	struct weir_model_translation out;
	uint64_t pa;

	if (world == S_EL1 || world == S_EL3)
		return s_dma(f, STREAM + world, VA, 0, &out);
	return dma(f, STREAM + world, VA, false, &pa);
}

static void make_worlds(struct fixture *f)
{
	uint64_t table = new_table(f);

	leaves[NS_EL1] = map(f, add_stream(f, STREAM + NS_EL1), VA, PAGES | PAGE);
	leaves[NS_EL2] = map(f, add_stream(f, STREAM + NS_EL2), VA, PAGES | PAGE);
	put(f, ste_of(STREAM + NS_EL2) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2));
	leaves[S_EL1] = map(f, s_add_stream(f, STREAM + S_EL1), VA, PAGES | PAGE);
	leaves[S_EL3] = map(f, s_add_stream(f, STREAM + S_EL3), VA, PAGES | PAGE);
	s_put_ste(f, STREAM + S_EL3, WEIR_SMMU_STE_CONFIG_S1, WEIR_SMMU_STE_STRW_EL3);
	leaves[NS_S2] = map_at(f, table, 1, 12, VA, 3,
			       PAGES | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF | WEIR_VMSA_S2AP | 0x3c);
	put_ste(f, STREAM + NS_S2, WEIR_SMMU_STE_CONFIG_S2);
	put(f, ste_of(STREAM + NS_S2) + 16,
	    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_STE_2_S2R |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 25) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44));
	put(f, ste_of(STREAM + NS_S2) + 24, table);
	/* The CDs all have the same ASID. */
	for (unsigned int world = 0; world < S_EL1; world++)
		put(f, cd_of(STREAM + world), cd_word0(STREAM));
	put(f, s_cd_of(STREAM + S_EL1), cd_word0(STREAM));
	put(f, s_cd_of(STREAM + S_EL3), cd_word0(STREAM));
}

#define IN(world) (1u << (world))
#define ILLEGAL 0x80000000u

static const struct reach {
	uint64_t opcode, word1;
	uint32_t ns, s; /* what goes, by the queue; ILLEGAL */
} reaches[] = {
	{ WEIR_SMMU_CMD_TLBI_NH_ALL, 0, IN(NS_EL1), IN(S_EL1) },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, 0, IN(NS_EL1), IN(S_EL1) },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, VA, IN(NS_EL1), IN(S_EL1) },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, VA, IN(NS_EL1), IN(S_EL1) },
	{ WEIR_SMMU_CMD_TLBI_EL3_ALL, 0, ILLEGAL, IN(S_EL3) },
	{ WEIR_SMMU_CMD_TLBI_EL3_VA, VA, ILLEGAL, IN(S_EL3) },
	{ WEIR_SMMU_CMD_TLBI_EL3_VA, VA + 0x1000, ILLEGAL, 0 },
	{ WEIR_SMMU_CMD_TLBI_EL2_ALL, 0, IN(NS_EL2), IN(NS_EL2) },
	{ WEIR_SMMU_CMD_TLBI_EL2_VA, VA, IN(NS_EL2), IN(NS_EL2) },
	{ WEIR_SMMU_CMD_TLBI_EL2_VAA, VA, IN(NS_EL2), IN(NS_EL2) },
	{ WEIR_SMMU_CMD_TLBI_S12_VMALL, 0, IN(NS_EL1) | IN(NS_S2), IN(NS_EL1) | IN(NS_S2) },
	{ WEIR_SMMU_CMD_TLBI_S2_IPA, VA, IN(NS_S2), IN(NS_S2) },
	{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, IN(NS_EL1) | IN(NS_S2), IN(NS_EL1) | IN(NS_S2) },
	/* S_EL2_ALL, _ASID, _VA, _VAA; S_S12_VMALL, S_S2_IPA; SNH_ALL: there is no Secure EL2. */
	{ 0x50, 0, ILLEGAL, ILLEGAL },
	{ 0x51, 0, ILLEGAL, ILLEGAL },
	{ 0x52, VA, ILLEGAL, ILLEGAL },
	{ 0x53, VA, ILLEGAL, ILLEGAL },
	{ 0x58, 0, ILLEGAL, ILLEGAL },
	{ 0x5a, VA, ILLEGAL, ILLEGAL },
	{ 0x60, 0, ILLEGAL, ILLEGAL },
};

/* Of what a queue did not like there is nothing left. */
static bool taken_error(struct fixture *f, bool secure)
{
	uint64_t base = secure ? WEIR_SMMU_SECURE : 0;
	bool error = s_rd(f, base + WEIR_SMMU_GERROR, 4) != s_rd(f, base + WEIR_SMMU_GERRORN, 4);

	if (error)
		recreate_secure(f);
	return error;
}

static void expect_reach(struct fixture *f, const struct reach *reach, bool secure)
{
	uint64_t word0 = for_asid(reach->opcode, STREAM + 1);
	uint32_t expected = secure ? reach->s : reach->ns, gone = 0;

	for (unsigned int world = 0; world < WORLDS; world++) {
		uint64_t leaf = *at(f, leaves[world]);

		assert_int_equal(world_dma(f, world), WEIR_MODEL_OK);
		put(f, leaves[world], 0);
		assert_int_equal(world_dma(f, world), WEIR_MODEL_OK);
		put(f, leaves[world] + 0x1000, leaf); /* aside: tables are 64 KiB apart */
	}
	if (secure)
		s_queue_command(f, word0, reach->word1);
	else
		queue_command(f, word0, reach->word1);
	step(f, 10);
	if (taken_error(f, secure)) {
		assert_int_equal(expected, ILLEGAL);
		expected = (1u << WORLDS) - 1; /* made anew */
	}
	for (unsigned int world = 0; world < WORLDS; world++) {
		gone |= world_dma(f, world) == WEIR_MODEL_OK ? 0 : IN(world);
		put(f, leaves[world], *at(f, leaves[world] + 0x1000));
	}
	assert_int_equal(gone, expected);
}

static void reach(void **state)
{
	struct fixture *f = *state;

	make_worlds(f);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(reaches); i++) {
		expect_reach(f, &reaches[i], false);
		recreate_secure(f);
		expect_reach(f, &reaches[i], true);
		recreate_secure(f);
	}
}

/* 3.17.6: VMIDs are Non-secure, whichever queue names them. */
static void wildcards(void **state)
{
	struct fixture *f = *state;

	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_VMW;
	recreate_secure(f);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL | 4ull << 6);
	make_worlds(f);
	assert_int_equal(world_dma(f, NS_S2), WEIR_MODEL_OK);
	assert_int_equal(world_dma(f, S_EL1), WEIR_MODEL_OK);
	put(f, leaves[NS_S2], 0);
	put(f, leaves[S_EL1], 0);
	s_command(f, WEIR_SMMU_CMD_TLBI_S12_VMALL | 1ull << 32, 0);
	assert_int_equal(world_dma(f, NS_S2), WEIR_MODEL_OK);
	wr(f, WEIR_SMMU_CR0, 4, EN_ALL | 1ull << 6);
	s_command(f, WEIR_SMMU_CMD_TLBI_S12_VMALL | 1ull << 32, 0);
	assert_int_equal(world_dma(f, NS_S2), WEIR_MODEL_BLOCKED);
	/* Of a Secure entry there is no VMID at all. */
	s_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL | 0x7full << 32, 0);
	assert_int_equal(world_dma(f, S_EL1), WEIR_MODEL_BLOCKED);
}

/* 4.4.2.8: SMMU_CR2.E2H counts, for the Secure queue as well. */
static void el2_of_the_other(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_E2H);
	wr(f, WEIR_SMMU_CR0, 4, EN_ALL);
	make_worlds(f);
	assert_int_equal(world_dma(f, NS_EL2), WEIR_MODEL_OK);
	put(f, leaves[NS_EL2], 0);
	s_command(f, for_asid(WEIR_SMMU_CMD_TLBI_EL2_VA, STREAM), VA);
	assert_int_equal(world_dma(f, NS_EL2), WEIR_MODEL_OK);
	s_command(f, for_asid(WEIR_SMMU_CMD_TLBI_EL2_VA, STREAM + 1), VA);
	assert_int_equal(world_dma(f, NS_EL2), WEIR_MODEL_BLOCKED);
}

static void configuration(void **state)
{
	static const uint64_t opcodes[] = {
		WEIR_SMMU_CMD_CFGI_STE,
		WEIR_SMMU_CMD_CFGI_CD,
		WEIR_SMMU_CMD_CFGI_CD_ALL,
		WEIR_SMMU_CMD_CFGI_STE_RANGE,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++) {
		uint64_t word0 = for_stream(opcodes[i], STREAM);
		uint64_t word1 = i == 3 ? WEIR_SMMU_CMD_CFGI_RANGE_ALL : 0;

		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		recreate_secure(f);
		map(f, add_stream(f, STREAM), VA, PAGES | PAGE);
		map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
		expect_read(f, VA, PAGES);
		s_expect(f, VA, PAGES, false);
		put(f, cd_of(STREAM), 0);
		put(f, s_cd_of(STREAM), 0);
		s_command(f, word0, word1);
		s_expect(f, VA, PAGES, false);
		expect_blocked(f, VA);
		s_command(f, word0 | SSEC, word1);
		s_expect_blocked(f, VA, 0);
		s_expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
		queue_command(f, word0 | SSEC, word1);
		assert_int_equal(step(f, 10), 0);
		assert_true(taken_error(f, false));
	}
}

/* 4.2: prefetches as of the stream that is named; nothing is recorded. */
static void prefetches(void **state)
{
	struct fixture *f = *state;

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	s_command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR | SSEC, STREAM), VA);
	put(f, s_ste_of(STREAM), 0);
	s_expect(f, VA, PAGES, false);
	s_command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM), 0);
	expect_no_event(f);
	s_expect_no_event(f);
}

/* 4.5, 6.3.55. */
static void ats_maintenance(void **state)
{
	struct fixture *f = *state;

	s_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), 0);
	s_command(f, for_stream(WEIR_SMMU_CMD_PRI_RESP, STREAM), 0);
	f->config.s_idr[3] = (uint32_t)WEIR_SMMU_S_IDR3_SAMS;
	recreate_secure(f);
	s_queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), 0);
	assert_int_equal(step(f, 10), 0);
	assert_true(taken_error(f, true));
	s_queue_command(f, for_stream(WEIR_SMMU_CMD_PRI_RESP, STREAM), 0);
	assert_int_equal(step(f, 10), 0);
	assert_true(taken_error(f, true));
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), 0);
}

static void syncs(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = VA,
		.len = 4,
		.flags = WEIR_MODEL_TXN_SECURE,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation out;

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, &out), WEIR_MODEL_OK);
	s_queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	taken(&f->kicks);
	weir_model_smmuv3_complete(f->smmu, &out);
	assert_int_equal(taken(&f->kicks), 1);
	assert_int_equal(step(f, 10), 2);
	assert_int_equal(stats_of(f).syncs, 2);
}

static void fairness(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 8; i++) {
		queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
		s_queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(step(f, 1), 1);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 2);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CMDQ_CONS, 4), 2);
	assert_int_equal(step(f, 4), 4);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 4);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_CMDQ_CONS, 4), 4);
	/* What the one does not need is the other's. */
	s_wr(f, WEIR_SMMU_S_CMDQ_PROD, 4, 4);
	assert_int_equal(step(f, 3), 3);
	assert_int_equal(step(f, 3), 1);
}

/* ---- INV_ALL ---------------------------------------------------------------------------- */

static void fill_caches(struct fixture *f)
{
	make_worlds(f);
	for (unsigned int world = 0; world < WORLDS; world++)
		assert_int_equal(world_dma(f, world), WEIR_MODEL_OK);
	for (unsigned int world = 0; world < WORLDS; world++) {
		put(f, leaves[world], 0);
		assert_int_equal(world_dma(f, world), WEIR_MODEL_OK);
	}
	put(f, ste_of(STREAM + NS_EL1), 0);
	put(f, s_ste_of(STREAM + S_EL1), 0);
}

static void expect_all(struct fixture *f, enum weir_model_result result)
{
	for (unsigned int world = 0; world < WORLDS; world++)
		assert_int_equal(world_dma(f, world), result);
}

static void invalidates_all(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4];

	fill_caches(f);
	s_wr(f, WEIR_SMMU_S_INIT, 4, ~WEIR_SMMU_S_INIT_INV_ALL & 0xffffffff);
	wr(f, WEIR_SMMU_S_INIT, 4, WEIR_SMMU_S_INIT_INV_ALL);
	expect_all(f, WEIR_MODEL_OK);
	s_wr(f, WEIR_SMMU_S_INIT, 4, WEIR_SMMU_S_INIT_INV_ALL);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_INIT, 4), 0);
	expect_all(f, WEIR_MODEL_BLOCKED);
	/* Of configuration too. */
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM + NS_EL1));
	assert_true(s_pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM + S_EL1));
}

static void invalidates_late(void **state)
{
	struct fixture *f = *state;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	recreate_secure(f);
	fill_caches(f);
	s_wr(f, WEIR_SMMU_S_INIT, 4, WEIR_SMMU_S_INIT_INV_ALL);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_INIT, 4), 0);
	step(f, 0);
	expect_all(f, WEIR_MODEL_OK);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	s_wr(f, WEIR_SMMU_S_CR0, 4, 0);
	step(f, 0);
	taken(&f->kicks);
	s_wr(f, WEIR_SMMU_S_INIT, 4, WEIR_SMMU_S_INIT_INV_ALL);
	assert_int_equal(taken(&f->kicks), 1);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_INIT, 4), WEIR_SMMU_S_INIT_INV_ALL);
	step(f, 0);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_INIT, 4), 0);
	wr(f, WEIR_SMMU_CR0, 4, EN_ALL);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL);
	step(f, 0);
	expect_all(f, WEIR_MODEL_BLOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SECURE(secure_accesses_alone),
		TEST_SECURE(no_secure_interface),
		TEST_SECURE(identity),
		TEST_SECURE(fields),
		TEST_SECURE(no_choice_of_stalls),
		TEST_SECURE(same_stream),
		TEST_SECURE(enables),
		TEST_SECURE(stream_ids),
		TEST_SECURE(errors),
		TEST_SECURE(overflow),
		TEST_SECURE(messages),
		TEST_SECURE(reach),
		TEST_SECURE(wildcards),
		TEST_SECURE(el2_of_the_other),
		TEST_SECURE(configuration),
		TEST_SECURE(prefetches),
		TEST_SECURE(ats_maintenance),
		TEST_SECURE(syncs),
		TEST_SECURE(fairness),
		TEST_SECURE(invalidates_all),
		TEST_SECURE(invalidates_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
