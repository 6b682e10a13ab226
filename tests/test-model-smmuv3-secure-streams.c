/* SPDX-License-Identifier: MIT */

/*
 * Secure streams in the SMMUv3 model (IHI 0070 3.10). Properties:
 *  - where tables are (NSCFG, NSTable, NS) decides the space that comes out, at any depth, with
 *    walk
 *    caches too, and makes entries non-global; of what bypasses stage 1 NSCFG and what came in do;
 *    a Non-secure stream's is always Non-secure;
 *  - StreamWorld EL3 has one range and no ASID; other worlds, and a stage 2, are C_BAD_STE;
 *  - SIF refuses Non-secure instruction fetches: silently while disabled, recorded while stage 1 is
 *    bypassed, by CD.ARS else;
 *  - NSSTALLD takes stalls from the Non-secure interface; a stall is resumed by its own state;
 *  - ATS is refused to Secure streams, on their queue;
 *  - no SubstreamID, however large, leads a Non-secure transaction to a Secure stream's context.
 */

#include <string.h>

#include "smmusecure.h"

#define VA 0x5000ull
#define HIGH 0xffff000000005000ull
#define PAGE_NS (PAGE | WEIR_VMSA_NS)
#define INSTRUCTION WEIR_MODEL_TXN_INSTRUCTION
#define IND (1ull << 34)
#define SSEC WEIR_SMMU_CMD_0_SSEC
#define EN_ALL (WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)

/* ---- Spaces ----------------------------------------------------------------------------- */

/* Three pages, of which one says that it is Non-secure; or NSCFG does, or NSTable at a level. */
static void expect_spaces(struct fixture *f, bool nscfg, int level)
{
	uint64_t ttb0 = s_add_stream(f, STREAM), table = ttb0;

	map(f, ttb0, VA, PAGES | PAGE);
	map(f, ttb0, VA + 0x1000, (PAGES + 0x1000) | PAGE_NS);
	map(f, ttb0, VA + 0x2000, (PAGES + 0x2000) | PAGE);
	for (int l = 0; l <= level; l++) {
		if (l == level)
			*at(f, table) |= WEIR_VMSA_NSTABLE;
		table = *at(f, table) & WEIR_GENMASK(47, 12);
	}
	if (nscfg)
		*at(f, s_cd_of(STREAM) + 8) |= WEIR_SMMU_CD_1_NSCFG0;
	for (unsigned int i = 0; i < 3; i++) {
		s_expect(f, VA, PAGES, nscfg || level >= 0);
		s_expect(f, VA + 0x1000, PAGES + 0x1000, true);
	}
	/* What a walk cache knows of the tables by now. */
	s_expect(f, VA + 0x2000, PAGES + 0x2000, nscfg || level >= 0);
}

static void spaces(void **state)
{
	static const enum weir_model_smmuv3_caches caches[] = {
		WEIR_MODEL_SMMUV3_CACHES_NORMAL,
		WEIR_MODEL_SMMUV3_CACHES_OFF,
		WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(caches); i++) {
		for (int level = -1; level < 4; level++) {
			f->next_table = TABLES;
			memset(at(f, TABLES), 0, PAGES - TABLES);
			f->config.caches = caches[i];
			recreate_secure(f);
			/* After NSTable at none, and at each level: NSCFG. */
			expect_spaces(f, level == 3, level == 3 ? -1 : level);
		}
	}
}

/* NSCFG1, of the upper half; of a Non-secure stream all that says nothing. */
static void halves(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = VA,
		.attributes = WEIR_MODEL_ATTR_PCIE & ~WEIR_MODEL_ATTR_NS,
	};
	struct weir_model_translation out = { 0 };

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	map(f, *at(f, s_cd_of(STREAM) + 16), HIGH, (PAGES + 0x1000) | PAGE);
	*at(f, s_cd_of(STREAM) + 16) |= WEIR_SMMU_CD_2_NSCFG1;
	s_expect(f, VA, PAGES, false);
	s_expect(f, HIGH, PAGES + 0x1000, true);
	map(f, add_stream(f, STREAM), VA, PAGES | PAGE);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_true(out.attributes & WEIR_MODEL_ATTR_NS);
	put_ste(f, STREAM + 1, WEIR_SMMU_STE_CONFIG_BYPASS);
	put(f, ste_of(STREAM + 1) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_NSCFG, WEIR_SMMU_STE_NSCFG_SECURE));
	txn.stream = STREAM + 1;
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_true(out.attributes & WEIR_MODEL_ATTR_NS);
}

/* 3.17.1: nG == 0 counts where the descriptor was in Secure memory. */
static void globals(void **state)
{
	struct fixture *f = *state;
	uint64_t page = PAGE & ~WEIR_VMSA_NG, entry;
	uint64_t ttb0 = s_add_stream(f, STREAM);
	struct weir_model_translation out;

	entry = map(f, ttb0, VA, PAGES | page);
	/* The other one has the same number of ASID set, and tables without the page. */
	s_add_stream(f, STREAM + 1);
	s_expect(f, VA, PAGES, false);
	put(f, entry, 0);
	s_command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, STREAM + 2), 0);
	s_expect(f, VA, PAGES, false);
	s_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	s_expect_blocked(f, VA, 0);
	/* The first table is Non-secure: an entry of its ASID alone. */
	put(f, entry, PAGES | page);
	*at(f, s_cd_of(STREAM) + 8) |= WEIR_SMMU_CD_1_NSCFG0;
	s_command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD | SSEC, STREAM), 0);
	s_expect(f, VA, PAGES, true);
	put(f, entry, 0);
	s_expect(f, VA, PAGES, true);
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	recreate_secure(f);
	put(f, entry, PAGES | page);
	s_expect(f, VA, PAGES, true);
	assert_int_equal(s_dma(f, STREAM + 1, VA, 0, &out), WEIR_MODEL_BLOCKED);
	*at(f, s_cd_of(STREAM) + 8) &= ~WEIR_SMMU_CD_1_NSCFG0;
	recreate_secure(f);
	s_expect(f, VA, PAGES, false);
	assert_int_equal(s_dma(f, STREAM + 1, VA, 0, &out), WEIR_MODEL_OK);
}

/* 5.2 NSCFG: of streams that no stage 1 translates, by Config or by S1DSS. */
static void expect_bypass(struct fixture *f, unsigned int nscfg, bool in, bool out_ns)
{
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = VA,
		.flags = WEIR_MODEL_TXN_SECURE,
		.attributes = 0x3ff | (in ? WEIR_MODEL_ATTR_NS : 0),
	};
	struct weir_model_translation out = { 0 };

	*at(f, s_ste_of(STREAM) + 8) &= ~WEIR_SMMU_STE_1_NSCFG;
	*at(f, s_ste_of(STREAM) + 8) |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_NSCFG, nscfg);
	s_command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE | SSEC, STREAM), WEIR_SMMU_CMD_1_LEAF);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, VA);
	assert_int_equal(!!(out.attributes & WEIR_MODEL_ATTR_NS), out_ns);
}

static void bypass(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		s_put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS, 0);
		if (i) {
			s_put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1, 0);
			*at(f, s_ste_of(STREAM)) |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 1);
			*at(f, s_ste_of(STREAM) + 8) |=
				WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, WEIR_SMMU_STE_S1DSS_BYPASS);
		}
		expect_bypass(f, 0, false, false);
		expect_bypass(f, 0, true, true);
		expect_bypass(f, 1, true, true);
		expect_bypass(f, WEIR_SMMU_STE_NSCFG_SECURE, true, false);
		expect_bypass(f, WEIR_SMMU_STE_NSCFG_NONSECURE, false, true);
	}
	f->config.idr[1] &= (uint32_t)~WEIR_SMMU_IDR1_ATTR_PERMS_OVR;
	recreate_secure(f);
	expect_bypass(f, WEIR_SMMU_STE_NSCFG_NONSECURE, false, false);
	expect_bypass(f, WEIR_SMMU_STE_NSCFG_SECURE, true, true);
	s_wr(f, WEIR_SMMU_S_CR0, 4, 0);
	s_wr(f, WEIR_SMMU_S_GBPA, 4, WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_S_GBPA_NSCFG);
	s_expect(f, VA, VA, false);
}

/* ---- Worlds ----------------------------------------------------------------------------- */

static void el3(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = s_add_stream(f, STREAM);
	struct weir_model_translation out;

	/* AP[1] is nothing to it, nor are EPD0 and PAN. */
	map(f, ttb0, VA, PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV));
	s_put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1, WEIR_SMMU_STE_STRW_EL3);
	*at(f, s_cd_of(STREAM)) |= WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_PAN;
	s_expect(f, VA, PAGES, false);
	s_expect_blocked(f, HIGH, 0);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN, HIGH, 0);
	/* No ASID: another one's entries are its own. */
	s_add_stream(f, STREAM + 1);
	s_put_ste(f, STREAM + 1, WEIR_SMMU_STE_CONFIG_S1, WEIR_SMMU_STE_STRW_EL3);
	assert_int_equal(s_dma(f, STREAM + 1, VA, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, PAGES);
	s_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	assert_int_equal(s_dma(f, STREAM + 1, VA, 0, &out), WEIR_MODEL_OK);
	s_command(f, WEIR_SMMU_CMD_TLBI_EL3_VA, VA);
	assert_int_equal(s_dma(f, STREAM + 1, VA, 0, &out), WEIR_MODEL_BLOCKED);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM + 1), READ | CLASS_IN, VA, 0);
}

static void bad_stes(void **state)
{
	static const uint8_t bad[][2] = {
		{ WEIR_SMMU_STE_CONFIG_S1, WEIR_SMMU_STE_STRW_EL2 },
		{ WEIR_SMMU_STE_CONFIG_S1, 3 },
		{ WEIR_SMMU_STE_CONFIG_S2, 0 },
		{ WEIR_SMMU_STE_CONFIG_NESTED, 0 },
	};
	struct fixture *f = *state;

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	put(f, s_ste_of(STREAM) + 16,
	    WEIR_SMMU_STE_2_S2AA64 | 25ull << 32 | 1ull << 38 | 5ull << 48);
	put(f, s_ste_of(STREAM) + 24, TABLES);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		s_put_ste(f, STREAM, bad[i][0], bad[i][1]);
		s_command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE | SSEC, STREAM), 0);
		s_expect_blocked(f, VA, 0);
		s_expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	}
	/* The same is a Non-secure stage 2. EATS and S2VMID are nothing to a Secure stream. */
	put(f, ste_of(STREAM) + 16, *at(f, s_ste_of(STREAM) + 16));
	put(f, ste_of(STREAM) + 24, TABLES);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S2);
	expect_blocked(f, VA);
	s_put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1, 0);
	*at(f, s_ste_of(STREAM) + 8) |=
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, WEIR_SMMU_STE_EATS_SPLIT);
	*at(f, s_ste_of(STREAM) + 16) |= 0xffff;
	s_command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE | SSEC, STREAM), 0);
	s_expect(f, VA, PAGES, false);
	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	recreate_secure(f);
	s_expect_blocked(f, VA, 0);
}

/* ---- SIF -------------------------------------------------------------------------------- */

static void expect_no_fetch(struct fixture *f, uint64_t va)
{
	s_expect_blocked(f, va, INSTRUCTION);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM), READ | IND | CLASS_IN, va, 0);
}

static void fetches(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = s_add_stream(f, STREAM);
	struct weir_model_translation out;

	map(f, ttb0, VA, PAGES | PAGE | WEIR_VMSA_PXN);
	map(f, ttb0, VA + 0x1000, (PAGES + 0x1000) | PAGE_NS | WEIR_VMSA_PXN);
	/* What a front has of it does not outlive the change. */
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(s_dma(f, STREAM, VA + 0x1000, INSTRUCTION, &out), WEIR_MODEL_OK);
	assert_int_equal(stats_of(f).transactions - stats_of(f).walks, 2);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL | WEIR_SMMU_S_CR0_SIF);
	expect_no_fetch(f, VA + 0x1000);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(s_dma(f, STREAM, VA, INSTRUCTION, &out), WEIR_MODEL_OK);
		s_expect(f, VA + 0x1000, PAGES + 0x1000, true);
		assert_int_equal(s_dma(f, STREAM, VA + 0x1000, INSTRUCTION | WEIR_MODEL_TXN_WRITE,
				       &out),
				 WEIR_MODEL_OK);
		expect_no_fetch(f, VA + 0x1000);
	}
	/* By CD.ARS; INSTCFG comes first. */
	*at(f, s_cd_of(STREAM)) &= ~(WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R);
	*at(f, s_ste_of(STREAM) + 8) |=
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_INST);
	s_command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE | SSEC, STREAM), 0);
	assert_int_equal(s_dma(f, STREAM, VA + 0x1000, 0, &out), WEIR_MODEL_IGNORED);
	s_expect_no_event(f);
	/* A Non-secure stream's fetch is nothing to it. */
	map(f, add_stream(f, STREAM), VA, PAGES | PAGE | WEIR_VMSA_PXN);
	assert_int_equal(dma_as(f,
				(struct weir_model_txn){
					.stream = STREAM, .addr = VA, .flags = INSTRUCTION },
				&out),
			 WEIR_MODEL_OK);
}

static void fetches_by_the_way(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	s_put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS, 0);
	*at(f, s_ste_of(STREAM) + 8) |=
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_NSCFG, WEIR_SMMU_STE_NSCFG_NONSECURE);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL | WEIR_SMMU_S_CR0_SIF);
	s_expect(f, VA, VA, true);
	expect_no_fetch(f, VA);
	s_wr(f, WEIR_SMMU_S_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_S_CR0_SIF);
	assert_int_equal(s_dma(f, STREAM, VA, INSTRUCTION, &out), WEIR_MODEL_OK);
	s_wr(f, WEIR_SMMU_S_GBPA, 4, WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_S_GBPA_NSCFG);
	s_expect(f, VA, VA, true);
	s_expect_blocked(f, VA, INSTRUCTION);
	s_wr(f, WEIR_SMMU_S_GBPA, 4,
	     WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_S_GBPA_NSCFG | WEIR_SMMU_GBPA_INSTCFG);
	s_expect_blocked(f, VA, 0);
	s_expect_no_event(f);
	s_wr(f, WEIR_SMMU_S_CR0, 4, 0);
	s_expect(f, VA, VA, true);
}

/* ---- Stalls ----------------------------------------------------------------------------- */

static unsigned int resumed;
static enum weir_model_result how;

static void on_resume(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result result)
{
	(void)opaque;
	(void)stag;
	assert_int_equal(stream, STREAM);
	resumed++;
	how = result;
}

static const struct weir_model_smmuv3_client_ops client = { .resume = on_resume };

static void stalls(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;
	uint64_t record[4], s_record[4], pa, resume;

	weir_model_smmuv3_set_client(f->smmu, &client, f);
	resumed = 0;
	add_stream(f, STREAM);
	s_add_stream(f, STREAM);
	*at(f, cd_of(STREAM)) |= WEIR_SMMU_CD_0_S;
	*at(f, s_cd_of(STREAM)) |= WEIR_SMMU_CD_0_S;
	assert_int_equal(dma(f, STREAM, VA, false, &pa), WEIR_MODEL_STALLED);
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_STALLED);
	assert_true(pop_event(f, record));
	assert_true(s_pop_event(f, s_record));
	assert_true(record[1] & s_record[1] & WEIR_SMMU_EVT_1_STALL);
	resume = for_stream(WEIR_SMMU_CMD_RESUME | WEIR_SMMU_CMD_RESUME_0_RETRY, STREAM);
	/* By STAG, stream and state. */
	command(f, resume, s_record[1] & WEIR_SMMU_EVT_1_STAG);
	s_command(f, resume | SSEC, record[1] & WEIR_SMMU_EVT_1_STAG);
	s_command(f, resume, s_record[1] & WEIR_SMMU_EVT_1_STAG);
	assert_int_equal(resumed, 0);
	s_command(f, resume, record[1] & WEIR_SMMU_EVT_1_STAG);
	assert_int_equal(resumed, 1);
	assert_int_equal(dma(f, STREAM, VA, false, &pa), WEIR_MODEL_STALLED);
	resumed = 0;
	s_command(f, resume | SSEC, s_record[1] & WEIR_SMMU_EVT_1_STAG);
	assert_int_equal(resumed, 1);
	assert_int_equal(how, WEIR_MODEL_OK);
	s_command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM | SSEC, STREAM), 0);
	assert_int_equal(resumed, 1);
	s_command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM), 0);
	assert_int_equal(resumed, 2);
	assert_int_equal(how, WEIR_MODEL_BLOCKED);
	/* Clearing the one's SMMUEN ends its own. */
	assert_int_equal(dma(f, STREAM, VA, false, &pa), WEIR_MODEL_STALLED);
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_STALLED);
	s_wr(f, WEIR_SMMU_S_CR0, 4, 0);
	assert_int_equal(resumed, 3);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_int_equal(resumed, 4);
}

static void no_stalls_for_the_other(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	weir_model_smmuv3_set_client(f->smmu, &client, f);
	add_stream(f, STREAM);
	s_add_stream(f, STREAM);
	*at(f, cd_of(STREAM)) |= WEIR_SMMU_CD_0_S;
	*at(f, s_cd_of(STREAM)) |= WEIR_SMMU_CD_0_S;
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL | WEIR_SMMU_S_CR0_NSSTALLD);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR0_STALL_MODEL, rd(f, WEIR_SMMU_IDR0, 4)),
			 WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL);
	assert_int_equal(s_rd(f, WEIR_SMMU_S_IDR0, 4), f->config.s_idr[0]);
	expect_blocked(f, VA);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
	assert_int_equal(s_dma(f, STREAM, VA, 0, &out), WEIR_MODEL_STALLED);
	put(f, ste_of(STREAM + 1), *at(f, ste_of(STREAM)));
	put(f, ste_of(STREAM + 1) + 8, WEIR_SMMU_STE_1_S1STALLD);
	assert_int_equal(dma(f, STREAM + 1, VA, false, &out.addr), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM + 1), 0, 0, 0);
	queue_command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM), 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_CMDQ_ERR);
	s_command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM | SSEC, STREAM), 0);
	s_wr(f, WEIR_SMMU_S_CR0, 4, EN_ALL);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR0_STALL_MODEL, rd(f, WEIR_SMMU_IDR0, 4)),
			 WEIR_SMMU_IDR0_STALL_MODEL_BOTH);
	assert_int_equal(dma(f, STREAM, VA, false, &out.addr), WEIR_MODEL_STALLED);
}

/* ---- ATS -------------------------------------------------------------------------------- */

static void no_ats(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	*at(f, s_ste_of(STREAM) + 8) |=
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, WEIR_SMMU_STE_EATS_FULL);
	s_expect_blocked(f, VA, WEIR_MODEL_TXN_ATS_REQUEST);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_BAD_ATS_TREQ, STREAM),
		       WEIR_SMMU_EVT_BAD_ATS_TREQ_1_R |
			       WEIR_SMMU_FIELD(WEIR_SMMU_EVT_BAD_ATS_TREQ_1_SPAN, 1),
		       VA, 0);
	assert_int_equal(s_dma(f, STREAM, PAGES, WEIR_MODEL_TXN_TRANSLATED, &out),
			 WEIR_MODEL_BLOCKED);
	s_expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN, STREAM), READ, PAGES, 0);
	expect_no_event(f);
}

/* ---- Substreams ------------------------------------------------------------------------- */

static void substreams_of_their_own(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txn = { .stream = STREAM, .addr = VA };
	struct weir_model_translation out = { 0 };
	uint64_t cds = new_table(f), record[4];

	map(f, s_add_stream(f, STREAM), VA, PAGES | PAGE);
	put_words(f, cds + 5 * WEIR_SMMU_CD_SIZE, at(f, s_cd_of(STREAM)));
	put(f, s_ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 3) | cds);
	for (unsigned int bit = 3; bit < 32; bit++) {
		txn.flags = WEIR_MODEL_TXN_SUBSTREAM | WEIR_MODEL_TXN_SECURE;
		txn.substream = 5;
		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
		txn.flags = WEIR_MODEL_TXN_SUBSTREAM;
		txn.substream |= 1u << bit;
		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_BLOCKED);
		assert_true(pop_event(f, record));
		assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]),
				 WEIR_SMMU_EVT_C_BAD_STE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SECURE(spaces),  TEST_SECURE(halves),
		TEST_SECURE(globals), TEST_SECURE(bypass),
		TEST_SECURE(el3),     TEST_SECURE(bad_stes),
		TEST_SECURE(fetches), TEST_SECURE(fetches_by_the_way),
		TEST_SECURE(stalls),  TEST_SECURE(no_stalls_for_the_other),
		TEST_SECURE(no_ats),  TEST_SECURE(substreams_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
