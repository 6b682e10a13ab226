/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's ATS (IHI 0070 3.9, 13.6, 13.7). Properties:
 *  - a translation request is answered with what the tables permit, for the privilege and the
 *    execute permission that its PASID asks for, and with the range that it holds for;
 *  - a stream without ATS answers UR, a configuration that is wrong CA, a translation that faults
 *    or permits nothing success without permissions; F_BAD_ATS_TREQ is recorded, the rest only
 *    with CR2.REC_CFG_ATS, and whatever A, R and S say;
 *  - access and dirty state are set by the request (3.13.7);
 *  - translated transactions pass without a look while ATSCHK == 0; with it EATS decides;
 *    split-stage ATS hands out IPAs and sends them through stage 2 (13.6.3).
 */

#include <string.h>

#include "smmuats.h"

#define S2 (1ull << 39)
#define VA 0x5000ull
#define ENABLES (uint32_t)(WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)

#define ATS_R WEIR_MODEL_ATS_READ
#define ATS_W WEIR_MODEL_ATS_WRITE
#define ATS_X WEIR_MODEL_ATS_EXECUTE
#define ATS_P WEIR_MODEL_ATS_PRIVILEGED

#define ASK_W WEIR_MODEL_TXN_WRITE
#define ASK_X WEIR_MODEL_TXN_INSTRUCTION
#define ASK_P WEIR_MODEL_TXN_PRIVILEGED

static int set_up_ats(void **state)
{
	if (set_up_enabled(state))
		return -1;
	have_ats(*state);
	recreate(*state);
	return 0;
}

#define ATS(name) cmocka_unit_test_setup_teardown(name, set_up_ats, tear_down)

/* CR2 is written while the SMMU is disabled. */
static void record_errors(struct fixture *f, bool invsid)
{
	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_REC_CFG_ATS | (invsid ? WEIR_SMMU_CR2_RECINVSID : 0));
	wr(f, WEIR_SMMU_CR0, 4, ENABLES);
}

static void check_translated(struct fixture *f)
{
	wr(f, WEIR_SMMU_CR0, 4, ENABLES | WEIR_SMMU_CR0_ATSCHK);
}

/* ---- Translation requests -------------------------------------------------------------- */

static enum weir_model_result ask(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags,
				  uint32_t pasid, struct weir_model_translation *out)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.substream = pasid,
		.addr = va,
		.flags = flags | WEIR_MODEL_TXN_ATS_REQUEST,
	};

	memset(out, 0, sizeof(*out));
	return dma_as(f, txn, out);
}

static void expect_grant(struct fixture *f, uint64_t va, uint16_t flags, uint64_t addr,
			 unsigned int size, unsigned int ats)
{
	struct weir_model_translation out;

	assert_int_equal(ask(f, STREAM, va, flags, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.ats, ats);
	assert_int_equal(out.size, size);
	assert_int_equal(out.addr, addr);
	expect_no_event(f);
}

/* Success without permissions is of the size of the STU. */
static void expect_nothing(struct fixture *f, uint64_t va, uint16_t flags)
{
	struct weir_model_translation out;

	assert_int_equal(ask(f, STREAM, va, flags, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.ats, 0);
	assert_int_equal(out.size, 12);
	expect_no_event(f);
}

static void expect_ur(struct fixture *f, uint32_t sid, uint64_t va)
{
	struct weir_model_translation out;

	assert_int_equal(ask(f, sid, va, 0, 0, &out), WEIR_MODEL_BLOCKED);
	assert_int_equal(out.ats, 0);
}

static void expect_ca(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags)
{
	struct weir_model_translation out;

	assert_int_equal(ask(f, sid, va, flags, 1, &out), WEIR_MODEL_BLOCKED);
	assert_int_equal(out.ats, WEIR_MODEL_ATS_CA);
}

static void grants_a_range(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM);

	map(f, table, VA, PAGES | PAGE);
	expect_grant(f, VA + 0x678, ASK_W, PAGES, 12, ATS_R | ATS_W);
	/* A block, as large as it is. */
	map_at(f, table, 0, 12, 0x40200000, 2, (PAGES & ~0x1fffffull) | BLOCK);
	expect_grant(f, 0x40212345, ASK_W, PAGES & ~0x1fffffull, 21, ATS_R | ATS_W);
	/* Not in flight: CMD_SYNC has nothing to wait for. */
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

/* The table of 13.7, for PASID 0; XN counts in CDs of EL1. */
static void grants_permissions(void **state)
{
	struct fixture *f = *state;
	uint64_t cds = add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_TERMINATE);
	uint64_t table = fill_cd(f, cds, 0);
	const uint64_t user_ro = PAGE | WEIR_VMSA_AP_RDONLY, user_rw = PAGE;
	const uint64_t priv_rw = PAGE & ~WEIR_VMSA_AP_UNPRIV, xn = WEIR_VMSA_UXN | WEIR_VMSA_PXN;
	const struct {
		uint64_t leaf;
		uint16_t asked;
		unsigned int granted;
	} cases[] = {
		{ user_ro, 0, ATS_R },
		{ user_ro, ASK_W, ATS_R },
		{ user_rw, ASK_W, ATS_R | ATS_W },
		{ user_rw, 0, ATS_R | ATS_W },
		{ user_rw | xn, ASK_X, ATS_R | ATS_W },
		{ user_rw, ASK_W | ASK_X, ATS_R | ATS_W | ATS_X },
		{ user_ro, ASK_X, ATS_R | ATS_X },
		{ priv_rw | xn, ASK_W, 0 },
		{ priv_rw, ASK_W | ASK_P, ATS_R | ATS_W | ATS_P },
		{ priv_rw, ASK_W | ASK_X | ASK_P, ATS_R | ATS_W | ATS_X | ATS_P },
		/* Executable by user code alone: nothing. */
		{ priv_rw, ASK_X, 0 },
		/* 13.4.1: writable by user code is not executable by the kernel. */
		{ user_rw, ASK_X | ASK_P, ATS_R | ATS_W | ATS_P },
		{ 0, ASK_W | ASK_P, ATS_P },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		uint64_t va = VA + i * 0x1000;

		map(f, table, va, cases[i].leaf ? PAGES | cases[i].leaf : 0);
		expect_grant(f, va, PASID | cases[i].asked,
			     cases[i].granted & ~(unsigned int)ATS_P ? PAGES : 0, 12,
			     cases[i].granted);
	}
}

/* 13.7.1: without a PASID, Priv and Exe are neither looked at nor answered. */
static void no_pasid_no_priv(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM);

	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV));
	expect_nothing(f, VA, ASK_P);
	map(f, table, VA + 0x1000, PAGES | PAGE);
	expect_grant(f, VA + 0x1000, ASK_P | ASK_X, PAGES, 12, ATS_R | ATS_W);
}

static void overrides(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), word = ste1(WEIR_SMMU_STE_EATS_FULL);
	const uint64_t priv_only = PAGE & ~WEIR_VMSA_AP_UNPRIV;

	map(f, table, VA, PAGES | priv_only);
	put(f, ste_of(STREAM) + 8,
	    word | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_PRIV));
	/* The permissions are the privileged ones; Priv is as asked. */
	expect_grant(f, VA, ASK_W, PAGES, 12, ATS_R | ATS_W);
	/* All reads are fetches: of user code, what it may execute is what it may read. */
	map(f, table, VA + 0x1000, PAGES | priv_only);
	put(f, ste_of(STREAM) + 8,
	    word | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_INST));
	invalidate_all(f);
	expect_grant(f, VA + 0x1000, 0, PAGES, 12, ATS_R);
}

/* 3.9.1.2: success without permissions, whatever A, R and S say; nothing is recorded. */
static void faults_grant_nothing(void **state)
{
	struct fixture *f = *state;
	const uint64_t ars = WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_S;
	static const uint64_t flags[] = { 0, WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_A,
					  WEIR_SMMU_CD_0_S };

	record_errors(f, true);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(flags); i++) {
		uint64_t table = add_ats(f, STREAM);

		put(f, cd_of(STREAM), (cd_word0(STREAM) & ~ars) | flags[i]);
		invalidate_all(f);
		expect_nothing(f, VA, 0);	  /* F_TRANSLATION */
		expect_nothing(f, 1ull << 50, 0); /* out of range */
		map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AF));
		expect_nothing(f, VA, ASK_W); /* F_ACCESS */
		map(f, table, VA + 0x1000, 1ull << 47 | PAGE);
		expect_nothing(f, VA + 0x1000, ASK_W); /* F_ADDR_SIZE */
	}
}

static void expect_bad_treq(struct fixture *f, uint32_t sid)
{
	struct weir_model_translation out;

	assert_int_equal(ask(f, sid, VA + 0x123, PASID | ASK_W | ASK_X | ASK_P, 3, &out),
			 WEIR_MODEL_BLOCKED);
	assert_int_equal(out.ats, 0);
	expect_event(f,
		     EVENT0(WEIR_SMMU_EVT_F_BAD_ATS_TREQ, sid) | WEIR_SMMU_EVT_0_SSV | 3ull << 12,
		     0xf0000001, VA, 0);
}

static void no_ats_is_unsupported(void **state)
{
	struct fixture *f = *state;

	/* EATS == 0; 0b11 without DPT; bypass: recorded. */
	add_ats(f, STREAM);
	put(f, ste_of(STREAM) + 8, ste1(WEIR_SMMU_STE_EATS_NONE));
	expect_bad_treq(f, STREAM);
	add_ats(f, STREAM + 1);
	put(f, ste_of(STREAM + 1) + 8, ste1(3));
	expect_bad_treq(f, STREAM + 1);
	put_ste(f, STREAM + 2, WEIR_SMMU_STE_CONFIG_BYPASS);
	put(f, ste_of(STREAM + 2) + 8, ste1(WEIR_SMMU_STE_EATS_FULL));
	expect_bad_treq(f, STREAM + 2);
	/* A stream that aborts is silent. */
	put_ste(f, STREAM + 3, WEIR_SMMU_STE_CONFIG_ABORT);
	expect_ur(f, STREAM + 3, VA);
	expect_no_event(f);
	/* So is the whole SMMU, but for the event. */
	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	expect_bad_treq(f, STREAM);
	/* Without IDR0.ATS nothing of this exists. */
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_ATS, 0);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_ATSRECERR, 0);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_PRI, 0);
	recreate(f);
	expect_ur(f, STREAM, VA);
	expect_no_event(f);
}

/* What aborts requests, in order: its event, and whether its address is in it. */
static void break_configuration(struct fixture *f)
{
	uint64_t table = add_ats(f, STREAM), cds;

	put(f, ste_of(STREAM), 0); /* C_BAD_STE */
	table = add_ats(f, STREAM + 1);
	put(f, cd_of(STREAM + 1), 0); /* C_BAD_CD */
	table = add_ats(f, STREAM + 2);
	put(f, table, NOWHERE | WEIR_VMSA_TYPE_TABLE); /* F_WALK_EABT */
	add_ats(f, STREAM + 3); /* one CD alone: C_BAD_SUBSTREAMID with a PASID */
	cds = add_pasids(f, STREAM + 4, 2, WEIR_SMMU_STE_S1DSS_TERMINATE);
	fill_cd(f, cds, 0); /* F_STREAM_DISABLED without */
	add_ats(f, STREAM + 5);
	put(f, ste_of(STREAM + 5), (*at(f, ste_of(STREAM + 5)) & 0xf) | NOWHERE); /* F_CD_FETCH */
}

static void errors_abort(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t sid;
		uint16_t flags;
		uint8_t type;
	} cases[] = {
		{ 300, 0, WEIR_SMMU_EVT_C_BAD_STREAMID },
		{ STREAM, 0, WEIR_SMMU_EVT_C_BAD_STE },
		{ STREAM + 1, 0, WEIR_SMMU_EVT_C_BAD_CD },
		{ STREAM + 2, 0, WEIR_SMMU_EVT_F_WALK_EABT },
		{ STREAM + 3, PASID, WEIR_SMMU_EVT_C_BAD_SUBSTREAMID },
		{ STREAM + 4, 0, WEIR_SMMU_EVT_F_STREAM_DISABLED },
		{ STREAM + 5, 0, WEIR_SMMU_EVT_F_CD_FETCH },
	};
	uint64_t record[4];

	break_configuration(f);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++)
		expect_ca(f, cases[i].sid, VA, cases[i].flags);
	expect_no_event(f);
	record_errors(f, true);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		expect_ca(f, cases[i].sid, VA, cases[i].flags);
		assert_true(pop_event(f, record));
		assert_int_equal(record[0] & 0xff, cases[i].type);
		assert_int_equal(record[0] >> 32, cases[i].sid);
		expect_no_event(f);
	}
	record_errors(f, false);
	expect_ca(f, 300, VA, 0);
	expect_no_event(f);
}

/* 13.6.4: without a PASID all addresses are granted as they are, if S1DSS skips the only stage. */
static void skipped_stage_is_identity(void **state)
{
	struct fixture *f = *state;
	uint64_t cds = add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_BYPASS), table;

	table = fill_cd(f, cds, 0);
	map(f, table, VA, PAGES | PAGE);
	expect_grant(f, VA, 0, 0, 44, ATS_R | ATS_W);
	expect_grant(f, VA, PASID | ASK_W, PAGES, 12, ATS_R | ATS_W);
	expect_nothing(f, 1ull << 44, 0);
}

static void substreams_have_their_own(void **state)
{
	struct fixture *f = *state;
	uint64_t cds = add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_SSID0);
	struct weir_model_translation out;

	for (uint32_t pasid = 0; pasid < 4; pasid++)
		map(f, fill_cd(f, cds, pasid), VA, (PAGES + pasid * 0x1000) | PAGE);
	for (uint32_t pasid = 1; pasid < 4; pasid++) {
		assert_int_equal(ask(f, STREAM, VA, PASID, pasid, &out), WEIR_MODEL_OK);
		assert_int_equal(out.addr, PAGES + pasid * 0x1000);
		assert_false(out.ats & WEIR_MODEL_ATS_GLOBAL);
	}
	/* CD 0 is of those without. */
	assert_int_equal(ask(f, STREAM, VA, 0, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, PAGES);
	assert_int_equal(ask(f, STREAM, VA, PASID, 0, &out), WEIR_MODEL_BLOCKED);
}

/* 3.13.7.1 */
static void requests_update_flags(void **state)
{
	struct fixture *f = *state;
	const uint64_t clean = (PAGE & ~WEIR_VMSA_AF) | WEIR_VMSA_AP_RDONLY | WEIR_VMSA_DBM;
	uint64_t table = add_ats(f, STREAM), leaf;

	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD);
	leaf = map(f, table, VA, PAGES | clean);
	/* NW: accessed, and still clean: no write is granted. */
	expect_grant(f, VA, 0, PAGES, 12, ATS_R);
	assert_int_equal(*at(f, leaf), PAGES | clean | WEIR_VMSA_AF);
	expect_grant(f, VA, ASK_W, PAGES, 12, ATS_R | ATS_W);
	assert_int_equal(*at(f, leaf),
			 (PAGES | clean | WEIR_VMSA_AF) & ~(uint64_t)WEIR_VMSA_AP_RDONLY);
	/* A page that is read-only for good stays so. */
	leaf = map(f, table, VA + 0x1000, PAGES | (PAGE | WEIR_VMSA_AP_RDONLY));
	expect_grant(f, VA + 0x1000, ASK_W, PAGES, 12, ATS_R);
	assert_int_equal(*at(f, leaf), PAGES | PAGE | WEIR_VMSA_AP_RDONLY);
}

/* ---- Translated transactions ----------------------------------------------------------- */

static enum weir_model_result access_translated(struct fixture *f, uint32_t sid, uint64_t addr,
						uint16_t flags, uint64_t *pa)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.addr = addr,
		.flags = flags | WEIR_MODEL_TXN_TRANSLATED,
	};
	struct weir_model_translation out = { 0 };
	enum weir_model_result result = dma_as(f, txn, &out);

	*pa = out.addr;
	return result;
}

static void expect_passes(struct fixture *f, uint32_t sid, uint64_t addr)
{
	uint64_t pa;

	assert_int_equal(access_translated(f, sid, addr, WEIR_MODEL_TXN_WRITE, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, addr);
	expect_no_event(f);
}

static void expect_ends(struct fixture *f, uint32_t sid, uint64_t addr)
{
	uint64_t pa;

	assert_int_equal(access_translated(f, sid, addr, 0, &pa), WEIR_MODEL_BLOCKED);
}

static void expect_forbidden(struct fixture *f, uint32_t sid)
{
	expect_ends(f, sid, PAGES + 0x10);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN, sid), READ, PAGES + 0x10, 0);
}

static void passes_unchecked(void **state)
{
	struct fixture *f = *state;

	/* No STE is looked at. */
	expect_passes(f, 12, PAGES);
	expect_passes(f, 70000, PAGES);
	/* 3.9.1.1: beyond the OAS it aborts, in silence. */
	expect_ends(f, 12, 1ull << 44);
	expect_no_event(f);
	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	expect_forbidden(f, 12);
}

static void eats_decides(void **state)
{
	struct fixture *f = *state;

	check_translated(f);
	add_ats(f, STREAM);
	expect_passes(f, STREAM, PAGES);
	expect_ends(f, STREAM, 1ull << 44);
	expect_no_event(f);
	add_stream(f, STREAM + 1);
	expect_forbidden(f, STREAM + 1);
	put_ste(f, STREAM + 2, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_forbidden(f, STREAM + 2);
	put_ste(f, STREAM + 3, WEIR_SMMU_STE_CONFIG_ABORT);
	expect_ends(f, STREAM + 3, PAGES);
	/* PASIDs alone are no obstacle: these accesses have none to show. */
	add_pasids(f, STREAM + 4, 2, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_passes(f, STREAM + 4, PAGES);
	/* Errors are silent unless asked for; of streams too, whatever RECINVSID says. */
	expect_ends(f, STREAM + 5, PAGES);
	expect_ends(f, 300, PAGES);
	expect_no_event(f);
	record_errors(f, false);
	check_translated(f);
	expect_ends(f, STREAM + 5, PAGES);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM + 5), 0, 0, 0);
	expect_ends(f, 300, PAGES);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 300), 0, 0, 0);
}

/* ---- Split-stage ATS (13.6.3) ---------------------------------------------------------- */

#define S2_RO (WEIR_VMSA_AF | 1ull << 6 | 0xfull << 2 | WEIR_VMSA_TYPE_PAGE)
#define S2_RW (S2_RO | 2ull << 6)
#define IPA 0x7000000ull

/* Nested, all tables identity-mapped at stage 2. Returns the tables of stage 1 and 2. */
static uint64_t add_nested(struct fixture *f, unsigned int eats, uint64_t s2_flags, uint64_t *s2)
{
	uint64_t s1 = add_stream(f, STREAM);

	*s2 = new_table(f);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED);
	put(f, ste_of(STREAM) + 8, ste1(eats));
	put(f, ste_of(STREAM) + 16,
	    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 24) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | s2_flags);
	put(f, ste_of(STREAM) + 24, *s2);
	for (uint64_t ipa = RAM_BASE; ipa < RAM_BASE + RAM_SIZE; ipa += 0x200000)
		map_at(f, *s2, 1, 12, ipa, 2,
		       ipa | (S2_RW & ~(uint64_t)WEIR_VMSA_TYPE) | WEIR_VMSA_TYPE_BLOCK);
	return s1;
}

static void full_ats_goes_through_both(void **state)
{
	struct fixture *f = *state;
	uint64_t s2, s1 = add_nested(f, WEIR_SMMU_STE_EATS_FULL, WEIR_SMMU_STE_2_S2R, &s2);

	map(f, s1, VA, IPA | PAGE);
	expect_nothing(f, VA, ASK_W); /* stage 2 faults, and is silent */
	map_at(f, s2, 1, 12, IPA, 3, PAGES | S2_RO);
	expect_grant(f, VA, ASK_W, PAGES, 12, ATS_R);
	/* The smaller of both sizes. */
	map_at(f, s1, 0, 12, 0x40200000, 2, (PAGES & ~0x1fffffull) | BLOCK);
	expect_grant(f, 0x40212345, ASK_W, PAGES & ~0x1fffffull, 21, ATS_R | ATS_W);
	/* Without the check, IPAs and PAs are one. */
	expect_passes(f, STREAM, PAGES);
}

static void split_stage(void **state)
{
	struct fixture *f = *state;
	uint64_t s2, s1 = add_nested(f, WEIR_SMMU_STE_EATS_SPLIT, WEIR_SMMU_STE_2_S2R, &s2), pa;

	map(f, s1, VA, IPA | PAGE);
	map_at(f, s2, 1, 12, IPA, 3, PAGES | S2_RO);
	/* It needs ATSCHK. */
	expect_ur(f, STREAM, VA);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_BAD_ATS_TREQ, STREAM), 0x80000001, VA, 0);
	check_translated(f);
	invalidate_all(f);
	/* Permissions of both, the address of stage 1. */
	expect_grant(f, VA, ASK_W, IPA, 12, ATS_R);
	assert_int_equal(access_translated(f, STREAM, IPA + 0x18, 0, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES + 0x18);
	expect_no_event(f);
	/* What stage 2 does not permit faults as ever. */
	assert_int_equal(access_translated(f, STREAM, IPA, WEIR_MODEL_TXN_WRITE, &pa),
			 WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM), CLASS_IN | S2, IPA, IPA);
	expect_ends(f, STREAM, IPA + 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN | S2,
		     IPA + 0x1000, IPA + 0x1000);
	/* 3.9.1.3: beyond the IAS it is stage 1's fault, and recorded. */
	expect_ends(f, STREAM, 1ull << 45);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_ADDR_SIZE, STREAM), READ | CLASS_IN, 1ull << 45, 0);
}

/* 13.7: they apply before stage 2 checks. */
static void split_stage_overrides(void **state)
{
	struct fixture *f = *state;
	uint64_t s2, pa;

	add_nested(f, WEIR_SMMU_STE_EATS_SPLIT, WEIR_SMMU_STE_2_S2R, &s2);
	put(f, ste_of(STREAM) + 8,
	    ste1(WEIR_SMMU_STE_EATS_SPLIT) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_INST));
	check_translated(f);
	map_at(f, s2, 1, 12, IPA, 3, PAGES | S2_RW | WEIR_VMSA_UXN);
	assert_int_equal(access_translated(f, STREAM, IPA, WEIR_MODEL_TXN_WRITE, &pa),
			 WEIR_MODEL_OK);
	expect_ends(f, STREAM, IPA);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM),
		     READ | CLASS_IN | S2 | WEIR_SMMU_EVT_1_IND, IPA, IPA);
	/* What the device says of itself does not count without PASIDTT. */
	assert_int_equal(access_translated(f, STREAM, IPA, WEIR_MODEL_TXN_WRITE | ASK_P | PASID,
					   &pa),
			 WEIR_MODEL_OK);
	put(f, ste_of(STREAM) + 8, ste1(WEIR_SMMU_STE_EATS_SPLIT));
	invalidate_all(f);
	assert_int_equal(access_translated(f, STREAM, IPA, ASK_X, &pa), WEIR_MODEL_OK);
}

/* 13.1.4, table 13.5: what replaces the attributes of other transactions does not apply. */
static void split_stage_attributes(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = IPA,
		.flags = WEIR_MODEL_TXN_TRANSLATED,
	};
	struct weir_model_translation out = { 0 };
	uint64_t s2;

	set_field(&f->config.idr[1], WEIR_SMMU_IDR1_ATTR_TYPES_OVR, 1);
	recreate(f);
	add_nested(f, WEIR_SMMU_STE_EATS_SPLIT, WEIR_SMMU_STE_2_S2R, &s2);
	map_at(f, s2, 1, 12, IPA, 3, PAGES | S2_RW);
	/* Device-nGnRE, non-shareable. */
	put(f, ste_of(STREAM) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, WEIR_SMMU_STE_EATS_SPLIT) |
		    WEIR_SMMU_STE_1_MTCFG | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_MEMATTR, 1));
	check_translated(f);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes, WEIR_MODEL_ATTR_PCIE);
	/* Stage 2's is combined with what came in: non-cacheable. */
	map_at(f, s2, 1, 12, IPA, 3, PAGES | (S2_RW & ~(0xfull << 2)) | 5ull << 2);
	invalidate_all(f);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes & WEIR_MODEL_ATTR_MEMORY, 0x44);
}

/* 3.9.1.2: without a permission of stage 1, stage 2 is not asked; nothing of it is dirtied. */
static void stage1_refuses_first(void **state)
{
	struct fixture *f = *state;
	uint64_t s2, leaf;
	uint64_t s1 = add_nested(f, WEIR_SMMU_STE_EATS_FULL,
				 WEIR_SMMU_STE_2_S2HA | WEIR_SMMU_STE_2_S2HD, &s2);
	const uint64_t clean = (S2_RO & ~(uint64_t)WEIR_VMSA_AF) | WEIR_VMSA_DBM;

	leaf = map_at(f, s2, 1, 12, IPA, 3, PAGES | clean);
	map(f, s1, VA, IPA | (PAGE & ~WEIR_VMSA_AP_UNPRIV));
	expect_nothing(f, VA, ASK_W);
	assert_int_equal(*at(f, leaf), PAGES | clean);
	/* 3.13.7.1: read-only at stage 1 does not dirty stage 2. */
	map(f, s1, VA + 0x1000, IPA | PAGE | WEIR_VMSA_AP_RDONLY);
	expect_grant(f, VA + 0x1000, ASK_W, PAGES, 12, ATS_R);
	assert_int_equal(*at(f, leaf), PAGES | clean | WEIR_VMSA_AF);
	map(f, s1, VA + 0x2000, IPA | PAGE);
	expect_grant(f, VA + 0x2000, ASK_W, PAGES, 12, ATS_R | ATS_W);
	assert_int_equal(*at(f, leaf), PAGES | clean | WEIR_VMSA_AF | 2ull << 6);
	/* 13.7.1: where all reads are fetches, to read alone is nothing. */
	put(f, ste_of(STREAM) + 8,
	    ste1(WEIR_SMMU_STE_EATS_FULL) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_INST));
	put(f, leaf, PAGES | clean);
	map(f, s1, VA + 0x3000, IPA | PAGE | WEIR_VMSA_AP_RDONLY | WEIR_VMSA_UXN);
	invalidate_all(f);
	expect_nothing(f, VA + 0x3000, 0);
	assert_int_equal(*at(f, leaf), PAGES | clean);
	map(f, s1, VA + 0x4000, IPA | PAGE | WEIR_VMSA_AP_RDONLY);
	expect_grant(f, VA + 0x4000, 0, PAGES, 12, ATS_R);
	assert_int_equal(*at(f, leaf), PAGES | clean | WEIR_VMSA_AF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATS(grants_a_range),
		ATS(grants_permissions),
		ATS(no_pasid_no_priv),
		ATS(overrides),
		ATS(faults_grant_nothing),
		ATS(no_ats_is_unsupported),
		ATS(errors_abort),
		ATS(skipped_stage_is_identity),
		ATS(substreams_have_their_own),
		ATS(requests_update_flags),
		ATS(passes_unchecked),
		ATS(eats_decides),
		ATS(full_ats_goes_through_both),
		ATS(split_stage),
		ATS(split_stage_overrides),
		ATS(split_stage_attributes),
		ATS(stage1_refuses_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
