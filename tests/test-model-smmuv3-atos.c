/* SPDX-License-Identifier: MIT */

/*
 * Translation operations by register (IHI 0070 chapter 9): how they are asked for. Proves:
 *  - the groups are there if the ID registers say so, VATOS's where IDR2 says; they keep their
 *    fields alone, are read-only while RUN is 1, and do not disturb each other;
 *  - RUN reads as 1 until a step; it cannot be set unless SMMUEN is 1 and is to stay so; a request
 *    that SMMUEN leaves behind ends with INTERNAL_ERR;
 *  - requests that no stream could answer, those that this one cannot, and which error comes first;
 *  - faults of configuration; what S1DSS bypasses;
 *  - VATOS sees streams of its VMID alone, S_GATOS those of both states, and tells NS;
 *  - answers are as stale as those of transactions, until software invalidates;
 *  - each group has a CPU of its own, while another steps.
 */

#include <pthread.h>
#include <sched.h>

#include "smmuatos.h"

/* ---- Registers -------------------------------------------------------------------------- */

static void expect_reserved(struct fixture *f, uint64_t first, uint64_t end)
{
	for (uint64_t offset = first; offset < end; offset += 4) {
		wr(f, offset, 4, ~0u);
		assert_int_equal(rd(f, offset, 4), 0);
	}
}

static void absent(void **state)
{
	struct fixture *f = *state;

	full_config(&f->config);
	recreate(f);
	expect_reserved(f, 0x100, 0x184);
	assert_int_equal(weir_model_smmuv3_mmio_size(f->smmu), WEIR_MODEL_SMMUV3_MMIO_SIZE);
	expect_reserved(f, VATOS, VATOS + 0x20);
	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_ATOS;
	recreate(f);
	wr(f, GATOS + ADDR, 8, ~0ull);
	assert_int_equal(rd(f, GATOS + ADDR, 8), 0xffffffffffffffc0);
	expect_reserved(f, 0x180, 0x184);
	expect_reserved(f, VATOS, VATOS + 0x20);
}

static void expect_group(struct fixture *f, uint64_t group)
{
	wr(f, group + SID, 8, ~0ull);
	assert_int_equal(rd(f, group + SID, 8), 0x1003ff0000ffff);
	wr(f, group + SID, 4, 0);
	assert_int_equal(rd(f, group + SID, 8), 0x1003ff00000000);
	assert_int_equal(rd(f, group + SID + 4, 4), 0x1003ff);
	wr(f, group + ADDR + 4, 4, 0x12345678);
	wr(f, group + ADDR, 4, ~0u);
	assert_int_equal(rd(f, group + ADDR, 8), 0x12345678ffffffc0);
	expect_reserved(f, group + PAR, group + PAR + 8);
	expect_reserved(f, group + 4, group + 8);
}

static void fields(void **state)
{
	struct fixture *f = *state;

	expect_group(f, GATOS);
	expect_group(f, VATOS);
	assert_int_equal(weir_model_smmuv3_mmio_size(f->smmu), VATOS_PAGE + 0x10000);
	expect_reserved(f, VATOS_PAGE, VATOS);
	expect_reserved(f, VATOS + 0x20, VATOS_PAGE + 0x10000);
	expect_reserved(f, VATOS_PAGE - 0x20000, VATOS_PAGE);
	wr(f, WEIR_SMMU_VATOS_SEL, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_VATOS_SEL, 4), 0xffff);
	/* No SubstreamIDs; 8-bit VMIDs; the first of the pages. */
	f->config.idr[0] &= ~(uint32_t)WEIR_SMMU_IDR0_VMID16;
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_SSIDSIZE;
	f->config.idr[2] = 0;
	recreate(f);
	wr(f, 0x20000 + WEIR_SMMU_VATOS_SID, 8, ~0ull);
	assert_int_equal(rd(f, 0x20000 + WEIR_SMMU_VATOS_SID, 8), 0xffff);
	wr(f, WEIR_SMMU_VATOS_SEL, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_VATOS_SEL, 4), 0xff);
	assert_int_equal(weir_model_smmuv3_mmio_size(f->smmu), 0x30000);
}

static void guarded_by_run(void **state)
{
	struct fixture *f = *state;

	map(f, have_stage1(f, STREAM), VA, PAGES | PAGE);
	post(f, VATOS, STREAM, VA | S1 | R);
	wr(f, VATOS + SID, 8, 0);
	wr(f, VATOS + ADDR, 8, 0);
	wr(f, VATOS, 4, 0);
	wr(f, WEIR_SMMU_VATOS_SEL, 4, 0);
	/* The other group is another's. */
	wr(f, GATOS + ADDR, 8, S1);
	assert_int_equal(rd(f, GATOS + ADDR, 8), S1);
	assert_int_equal(rd(f, GATOS, 4), 0);
	assert_int_equal(rd(f, VATOS, 4), RUN);
	step(f, 0);
	assert_int_equal(rd(f, VATOS + PAR, 8), par(PAGES, 12, 0xff, 0));
	assert_int_equal(rd(f, VATOS + SID, 8), STREAM);
	assert_int_equal(rd(f, VATOS + ADDR, 8), VA | S1 | R);
	assert_int_equal(rd(f, WEIR_SMMU_VATOS_SEL, 4), VMID);
	assert_int_equal(rd(f, GATOS + PAR, 8), 0);
	/* Both at once; 0 written to RUN is nothing. */
	post(f, GATOS, STREAM, (VA + 0x1000) | S1 | R);
	post(f, VATOS, STREAM, VA | S2);
	step(f, 0);
	assert_int_equal(rd(f, GATOS + PAR, 8), bad(WEIR_SMMU_EVT_F_TRANSLATION, 0, 0));
	assert_int_equal(rd(f, VATOS + PAR, 8), bad(WEIR_SMMU_ATOS_INV_REQ, 0, 0));
	wr(f, GATOS, 4, 0);
	assert_int_equal(rd(f, GATOS, 4), 0);
}

static void run_needs_smmuen(void **state)
{
	struct fixture *f = *state;
	uint64_t cr0 = rd(f, WEIR_SMMU_CR0, 4);

	have_stage1(f, STREAM);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	post(f, GATOS, STREAM, VA | S1 | R);
	assert_int_equal(rd(f, GATOS, 4), 0);
	/* It is not remembered. */
	wr(f, WEIR_SMMU_CR0, 4, cr0);
	step(f, 1);
	assert_int_equal(rd(f, GATOS, 4), 0);
	assert_int_equal(rd(f, GATOS + PAR, 8), 0);
	/* Left behind. */
	post(f, GATOS, STREAM, VA | S1 | R);
	post(f, VATOS, STREAM, VA | S1 | R);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_int_equal(rd(f, WEIR_SMMU_CR0ACK, 4), 0);
	assert_int_equal(rd(f, GATOS, 4) | rd(f, VATOS, 4), 0);
	assert_int_equal(rd(f, GATOS + PAR, 8), bad(WEIR_SMMU_ATOS_INTERNAL_ERR, 0, 0));
	assert_int_equal(rd(f, VATOS + PAR, 8), bad(WEIR_SMMU_ATOS_INTERNAL_ERR, 0, 0));
}

/* 6.3.37: neither before an update is acknowledged, nor once it was asked for. */
static void run_and_late_updates(void **state)
{
	struct fixture *f = *state;
	uint64_t cr0 = rd(f, WEIR_SMMU_CR0, 4);

	have(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	have_stage1(f, STREAM);
	post(f, GATOS, STREAM, VA | S1 | R);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_int_equal(rd(f, GATOS, 4), RUN);
	post(f, VATOS, STREAM, VA | S1 | R);
	assert_int_equal(rd(f, VATOS, 4), 0);
	step(f, 0);
	assert_int_equal(rd(f, GATOS, 4), 0);
	assert_int_equal(rd(f, GATOS + PAR, 8), bad(WEIR_SMMU_ATOS_INTERNAL_ERR, 0, 0));
	wr(f, WEIR_SMMU_CR0, 4, cr0);
	post(f, GATOS, STREAM, VA | S1 | R);
	assert_int_equal(rd(f, GATOS, 4), 0);
	step(f, 0);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 0, 0));
}

/* ---- Errors in requests ----------------------------------------------------------------- */

static void malformed(void **state)
{
	struct fixture *f = *state;
	const uint64_t invalid = bad(WEIR_SMMU_ATOS_INV_REQ, 0, 0);
	uint64_t stage2;

	map2(f, (have_nested(f, STREAM, 0, &stage2), stage2), IPA, PAGES | PAGE2);
	expect(f, IPA | TYPE(0) | R, invalid);
	expect_of(f, STREAM | SUBSTREAM(0), IPA | S2 | R, invalid);
	for (unsigned int type = 0; type < 4; type++)
		if (TYPE(type) != S1)
			assert_int_equal(ask(f, VATOS, STREAM, IPA | TYPE(type) | R), invalid);
	/* Before the stream is looked at. */
	expect_of(f, 300, IPA | TYPE(0) | R, invalid);
	f->config.idr[0] &=
		~(uint32_t)(WEIR_SMMU_IDR0_VATOS | WEIR_SMMU_IDR0_HYP | WEIR_SMMU_IDR0_S2P);
	f->config.idr[2] = 0;
	recreate(f);
	expect(f, IPA | S2 | R, invalid);
	expect(f, IPA | BOTH | R, invalid);
	f->config.idr[0] ^= (uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P);
	f->config.idr[3] &= ~(uint32_t)WEIR_SMMU_IDR3_HAD;
	recreate(f);
	expect(f, IPA | S1 | R, invalid);
	expect(f, IPA | BOTH | R, invalid);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S2);
	expect(f, IPA | S2 | R, par(PAGES, 12, 0xff, 0));
}

/* By Config alone, and before all that comes after the STE. */
static void lacking_a_stage(void **state)
{
	struct fixture *f = *state;
	static const uint8_t configs[] = { 0, 4, 5, 6, 7 };

	have_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, 0);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(configs); i++) {
		for (unsigned int type = 1; type <= 3; type++) {
			bool has = configs[i] & 4 && (configs[i] & type) == type;
			uint64_t answer;

			put_ste(f, STREAM, configs[i]);
			forget(f);
			/* No CD is valid; at stage 2 nothing is there. */
			answer =
				bad(type & 1 ? WEIR_SMMU_EVT_C_BAD_CD : WEIR_SMMU_EVT_F_TRANSLATION,
				    type == 2 ? 3 : 0, 0);
			expect(f, IPA | TYPE(type) | R,
			       has ? answer : bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
			if (type != 2 && !has)
				expect_of(f, STREAM | SUBSTREAM(900), IPA | TYPE(type) | R,
					  bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
		}
	}
}

/* ---- Configuration faults --------------------------------------------------------------- */

static void expect_each_type(struct fixture *f, uint64_t sid, uint64_t code)
{
	expect_of(f, sid, VA | S1 | R, bad(code, 0, 0));
	expect_of(f, sid, VA | S2 | R, bad(code, 3, 0));
	expect_of(f, sid, VA | BOTH | R, bad(code, 0, 0));
	assert_int_equal(ask(f, VATOS, sid, VA | S1 | R), bad(code, 0, 0));
}

static void bad_streams(void **state)
{
	struct fixture *f = *state;

	expect_each_type(f, 256, WEIR_SMMU_EVT_C_BAD_STREAMID);
	expect_each_type(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE);
	/* RECINVSID asks for events, of which there is none. */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR2, 4, 0);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, NOWHERE);
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	expect_each_type(f, 256, WEIR_SMMU_EVT_C_BAD_STREAMID);
	expect_each_type(f, 6, WEIR_SMMU_EVT_F_STE_FETCH);
}

/* With S1CDMax 1. `s1dss`: of substream requests and others. */
static void put_substreams(struct fixture *f, uint64_t config, uint64_t cds, unsigned int s1dss)
{
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) | cds |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 1));
	put(f, ste_of(STREAM) + 8, s1dss);
	forget(f);
}

static void bad_substreams(void **state)
{
	struct fixture *f = *state;
	const uint64_t disabled = bad(WEIR_SMMU_EVT_F_STREAM_DISABLED, 0, 0);
	const uint64_t cds = CDS + 0x4000;

	put_substreams(f, 5, cds, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_of(f, STREAM | SUBSTREAM(2), VA | S1 | R,
		  bad(WEIR_SMMU_EVT_C_BAD_SUBSTREAMID, 0, 0));
	expect(f, VA | S1 | R, disabled);
	expect_of(f, STREAM | SUBSTREAM(1), VA | S1 | R, bad(WEIR_SMMU_EVT_C_BAD_CD, 0, 0));
	put_substreams(f, 5, cds, WEIR_SMMU_STE_S1DSS_SSID0);
	expect_of(f, STREAM | SUBSTREAM(0), VA | S1 | R, disabled);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_C_BAD_CD, 0, 0));
	put_substreams(f, 5, NOWHERE, WEIR_SMMU_STE_S1DSS_SSID0);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_CD_FETCH, 0, 0));
	/* A substream of its own. */
	map(f, have_stage1(f, STREAM), VA, PAGES | PAGE);
	for (unsigned int i = 0; i < 8; i++)
		put(f, cds + 64 + i * 8, *at(f, cd_of(STREAM) + i * 8));
	put_substreams(f, 5, cds, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_of(f, STREAM | SUBSTREAM(1), VA | S1 | R, par(PAGES, 12, 0xff, 0));
}

/* A stage 2 lookup has no substream, and asks for no CD. */
static void stage2_needs_no_cd(void **state)
{
	struct fixture *f = *state;

	map2(f, have_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, 0), IPA, PAGES | PAGE2);
	put_substreams(f, 7, NOWHERE, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect(f, IPA | S2 | R, par(PAGES, 12, 0xff, 0));
}

/* 9.1.3: stage 1 is passed by. */
static void s1dss_bypass(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2 = have_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, 0);

	map2(f, stage2, IPA, PAGES | PAGE2 | ISH);
	put_substreams(f, 7, CDS, WEIR_SMMU_STE_S1DSS_BYPASS);
	expect(f, NOWHERE | S1 | R, par(NOWHERE, 12, 0xff, 0));
	expect(f, IPA | BOTH | R, par(PAGES, 12, 0xff, 3));
	expect(f, NOWHERE | BOTH | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 3, NOWHERE));
	expect(f, 1ull << 52 | S1 | R, bad(WEIR_SMMU_EVT_F_ADDR_SIZE, 0, 0));
	expect(f, 1ull << 52 | BOTH | R, bad(WEIR_SMMU_EVT_F_ADDR_SIZE, 0, 0));
	/* The size is that of the smallest granule. */
	f->config.idr[5] &=
		~(uint32_t)(WEIR_SMMU_IDR5_GRAN4K | WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_DS);
	f->config.idr[0] &= ~(uint32_t)(WEIR_SMMU_IDR0_VATOS);
	f->config.idr[2] = 0;
	recreate(f);
	put_substreams(f, 5, CDS, WEIR_SMMU_STE_S1DSS_BYPASS);
	expect(f, (NOWHERE + 0x1000) | S1 | R, par(NOWHERE, 16, 0xff, 0));
}

/* ---- VATOS ------------------------------------------------------------------------------ */

static void vmids(void **state)
{
	struct fixture *f = *state;
	const uint64_t denied = bad(WEIR_SMMU_EVT_C_BAD_STE, 0, 0);
	uint64_t stage2;

	map(f, have_nested(f, STREAM, 0, &stage2), VA, IPA | PAGE);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), par(IPA, 12, 0xff, 0));
	wr(f, WEIR_SMMU_VATOS_SEL, 4, VMID + 1);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), denied);
	wr(f, WEIR_SMMU_VATOS_SEL, 4, VMID);
	/* Of stage 2 alone the VMID matches: then it lacks the stage. */
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S2);
	forget(f);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
	wr(f, WEIR_SMMU_VATOS_SEL, 4, VMID + 1);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), denied);
}

/* Streams that have no VMID, not 0 either. */
static void no_vmid(void **state)
{
	struct fixture *f = *state;
	const uint64_t denied = bad(WEIR_SMMU_EVT_C_BAD_STE, 0, 0);

	wr(f, WEIR_SMMU_VATOS_SEL, 4, 0);
	map(f, have_stage1(f, STREAM), VA, PAGES | PAGE);
	put(f, ste_of(STREAM) + 16, 0);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), par(PAGES, 12, 0xff, 0));
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2));
	forget(f);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), denied);
	expect(f, VA | S1 | R, par(PAGES, 12, 0xff, 0));
	put(f, ste_of(STREAM) + 8, 0);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	forget(f);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), denied);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_ABORT);
	forget(f);
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), denied);
}

/* ---- S_GATOS ---------------------------------------------------------------------------- */

#define SSEC WEIR_SMMU_S_ATOS_SID_SSEC
#define NS WEIR_SMMU_S_ATOS_PAR_NS

static void wr_s(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_write_secure(f->smmu, offset, size, value);
	step(f, 0);
}

/* A Secure stream of the same number as STREAM; the latter's page, and a Secure and other page. */
static void have_secure(struct fixture *f)
{
	uint64_t streams, table;

	f->config.s_idr[1] = (uint32_t)(WEIR_SMMU_S_IDR1_SECURE_IMPL |
					WEIR_SMMU_FIELD(WEIR_SMMU_S_IDR1_S_SIDSIZE, 8));
	recreate(f);
	map(f, have_stage1(f, STREAM), VA, PAGES | PAGE);
	streams = new_table(f);
	table = have_stage1(f, STREAM + 1);
	map(f, table, VA, PAGES | PAGE);
	map(f, table, VA + 0x1000, PAGES | PAGE | WEIR_VMSA_NS);
	put(f, streams + STREAM * WEIR_SMMU_STE_SIZE, *at(f, ste_of(STREAM + 1)));
	wr_s(f, WEIR_SMMU_S_STRTAB_BASE, 8, streams);
	wr_s(f, WEIR_SMMU_S_STRTAB_BASE_CFG, 4, 8);
	wr_s(f, WEIR_SMMU_S_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
}

static void both_states(void **state)
{
	struct fixture *f = *state;
	const uint64_t ok = par(PAGES, 12, 0xff, 0), secure = STREAM | SSEC;

	have_secure(f);
	wr_group(f, S_GATOS, SID, 8, ~0ull);
	assert_int_equal(rd_group(f, S_GATOS, SID, 8), 0x3003ff0000ffff);
	wr(f, S_GATOS + SID, 8, 0);
	assert_int_equal(rd(f, S_GATOS + SID, 8), 0);
	assert_int_equal(rd_group(f, S_GATOS, SID, 8), 0x3003ff0000ffff);
	assert_int_equal(ask(f, S_GATOS, secure, VA | S1 | R), ok);
	assert_int_equal(ask(f, S_GATOS, secure, (VA + 0x1000) | S1 | R), ok | NS);
	assert_int_equal(ask(f, S_GATOS, STREAM, VA | S1 | R), ok | NS);
	assert_int_equal(ask(f, S_GATOS, STREAM, (VA + 0x1000) | S1 | R),
			 bad(WEIR_SMMU_EVT_F_TRANSLATION, 0, 0));
	/* There is no Secure stage 2. */
	assert_int_equal(ask(f, S_GATOS, secure, VA | S2 | R), bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
	assert_int_equal(ask(f, S_GATOS, secure, VA | BOTH | R),
			 bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
	/* Of the other group nothing was changed, and it sees its own alone. */
	assert_int_equal(rd(f, GATOS + PAR, 8), 0);
	expect_of(f, secure, VA | S1 | R, ok);
	expect_of(f, secure, (VA + 0x1000) | S1 | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 0, 0));
}

/* 6.3.57 SIF. */
static void no_fetches_from_elsewhere(void **state)
{
	struct fixture *f = *state;
	const uint64_t ok = par(PAGES, 12, 0xff, 0), secure = STREAM | SSEC;

	have_secure(f);
	assert_int_equal(ask(f, S_GATOS, secure, (VA + 0x1000) | S1 | X), ok | NS);
	wr_s(f, WEIR_SMMU_S_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_S_CR0_SIF);
	assert_int_equal(ask(f, S_GATOS, secure, (VA + 0x1000) | S1 | X),
			 bad(WEIR_SMMU_EVT_F_PERMISSION, 0, 0));
	assert_int_equal(ask(f, S_GATOS, secure, (VA + 0x1000) | S1 | R), ok | NS);
	assert_int_equal(ask(f, S_GATOS, secure, VA | S1 | X), ok);
	assert_int_equal(ask(f, S_GATOS, STREAM, VA | S1 | X), ok | NS);
}

static void smmuen_of_both_states(void **state)
{
	struct fixture *f = *state;
	const uint64_t ok = par(PAGES, 12, 0xff, 0), secure = STREAM | SSEC;
	const uint64_t cut = bad(WEIR_SMMU_ATOS_INTERNAL_ERR, 0, 0);

	have_secure(f);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	assert_int_equal(ask(f, S_GATOS, secure, VA | S1 | R), ok);
	assert_int_equal(ask(f, S_GATOS, STREAM, VA | S1 | R), cut);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_SMMUEN);
	post(f, GATOS, STREAM, VA | S1 | R);
	post(f, S_GATOS, secure, VA | S1 | R);
	wr_s(f, WEIR_SMMU_S_CR0, 4, 0);
	assert_int_equal(rd_group(f, S_GATOS, PAR, 8), cut);
	assert_int_equal(rd(f, GATOS + PAR, 8), ok);
	post(f, S_GATOS, STREAM, VA | S1 | R);
	assert_int_equal(rd_group(f, S_GATOS, 0, 4), 0);
}

/* ---- Caches ----------------------------------------------------------------------------- */

static void stale_until_invalidated(void **state)
{
	struct fixture *f = *state;

	for (unsigned int caches = WEIR_MODEL_SMMUV3_CACHES_NORMAL;
	     caches <= WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL; caches++) {
		bool off = caches == WEIR_MODEL_SMMUV3_CACHES_OFF;
		uint64_t table, other = PAGES + 0x10000;

		have(f, caches);
		table = have_stage1(f, STREAM);
		map(f, table, VA, PAGES | PAGE);
		forget(f);
		expect(f, VA | S1 | R, par(PAGES, 12, 0xff, 0));
		map(f, table, VA, other | PAGE);
		expect(f, VA | S1 | R, par(off ? other : PAGES, 12, 0xff, 0));
		expect_read(f, VA, off ? other : PAGES);
		command(f,
			for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1) |
				WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, VMID),
			VA);
		command(f, WEIR_SMMU_CMD_SYNC, 0);
		expect(f, VA | S1 | R, par(other, 12, 0xff, 0));
		put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
		forget(f);
		expect(f, VA | S1 | R, bad(WEIR_SMMU_ATOS_INV_STAGE, 0, 0));
	}
}

/* ---- Threads ---------------------------------------------------------------------------- */

#define ROUNDS 2000u

struct cpu {
	struct fixture *f;
	uint64_t group, va, pa;
	unsigned int wrong;
	bool done;
};

static void *ask_again_and_again(void *opaque)
{
	struct cpu *cpu = opaque;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		post(cpu->f, cpu->group, STREAM, cpu->va | S1 | R);
		while (rd(cpu->f, cpu->group, 4) & RUN)
			sched_yield();
		cpu->wrong += rd(cpu->f, cpu->group + PAR, 8) != par(cpu->pa, 12, 0xff, 0);
	}
	__atomic_store_n(&cpu->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void groups_are_independent(void **state)
{
	struct fixture *f = *state;
	struct cpu cpus[] = {
		{ .f = f, .group = GATOS, .va = VA, .pa = PAGES },
		{ .f = f, .group = VATOS, .va = VA + 0x1000, .pa = PAGES + 0x10000 },
	};
	uint64_t table = have_stage1(f, STREAM);
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++) {
		map(f, table, cpus[i].va, cpus[i].pa | PAGE);
		assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, &cpus[i]),
				 0);
	}
	while (!__atomic_load_n(&cpus[0].done, __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&cpus[1].done, __ATOMIC_ACQUIRE))
		step(f, 1);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(cpus[i].wrong, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DISABLED(absent),
		ATOS(fields),
		ATOS(guarded_by_run),
		ATOS(run_needs_smmuen),
		ATOS(run_and_late_updates),
		ATOS(malformed),
		ATOS(lacking_a_stage),
		ATOS(bad_streams),
		ATOS(bad_substreams),
		ATOS(stage2_needs_no_cd),
		ATOS(s1dss_bypass),
		ATOS(vmids),
		ATOS(no_vmid),
		ATOS(both_states),
		ATOS(no_fetches_from_elsewhere),
		ATOS(smmuen_of_both_states),
		ATOS(stale_until_invalidated),
		ATOS(groups_are_independent),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: translation operations", tests, NULL,
					   NULL);
}
