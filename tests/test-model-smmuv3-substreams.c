/* SPDX-License-Identifier: MIT */

/*
 * SubstreamIDs in the SMMUv3 model, end to end. Proves:
 *  - a SubstreamID chooses its CD, in a linear table and in both two-level ones, of every size;
 *    one that is out of range, or that has nowhere to go, is C_BAD_SUBSTREAMID;
 *  - S1DSS: what becomes of transactions without one, and of substream 0;
 *  - tables are aligned as S1Fmt says; addresses that are too large, or lead nowhere;
 *  - a number that is no SubstreamID never gets what is kept for one;
 *  - translations of substreams are apart; CMD_CFGI_CD takes out one CD and no other, and its Leaf
 *    form leaves an L1CD.
 */

#include "smmuhost.h"

#include <string.h>

#define VA 0x5000ull
#define NO_SSID 0xffffffffu

#define BAD_SUBSTREAM WEIR_SMMU_EVT_C_BAD_SUBSTREAMID
#define DISABLED WEIR_SMMU_EVT_F_STREAM_DISABLED

/* ---- A stream with a table of CDs -------------------------------------------------------- */

static void set_up_full(struct fixture *f, enum weir_model_smmuv3_caches caches)
{
	full_config(&f->config);
	f->config.caches = caches;
	recreate(f);
	step(f, 10);
}

static void put_stream(struct fixture *f, uint64_t cds, unsigned int fmt, unsigned int cdmax,
		       unsigned int dss)
{
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, dss));
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, fmt) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cdmax) | cds);
}

/* The page that a substream finds at VA: not everywhere the same, so that a mistake shows. */
static uint64_t page_of(uint32_t ssid)
{
	return PAGES + (ssid % 61 << 12);
}

/* A CD whose tables lead VA to the substream's page; ASIDs are apart. */
static void put_substream(struct fixture *f, uint64_t cd, uint32_t ssid)
{
	uint64_t ttb0 = f->next_table, level1 = ttb0 + 0x1000, level2 = ttb0 + 0x2000,
		 level3 = ttb0 + 0x3000;

	new_table(f);
	put(f, ttb0, level1 | WEIR_VMSA_TYPE_TABLE);
	put(f, level1, level2 | WEIR_VMSA_TYPE_TABLE);
	put(f, level2, level3 | WEIR_VMSA_TYPE_TABLE);
	put(f, level3 + (VA >> 12) * 8, PAGE | page_of(ssid));
	put(f, cd, cd_word0(1000 + ssid));
	put(f, cd + 8, ttb0);
	put(f, cd + 16, ttb0);
}

static enum weir_model_result dma_of(struct fixture *f, uint32_t ssid, uint64_t va, uint64_t *pa)
{
	struct weir_model_txn txn = {
		.stream = STREAM,
		.substream = ssid == NO_SSID ? 0 : ssid,
		.addr = va,
		.flags = ssid == NO_SSID ? 0 : WEIR_MODEL_TXN_SUBSTREAM,
	};
	struct weir_model_translation out = { 0 };
	enum weir_model_result result = dma_as(f, txn, &out);

	*pa = out.addr;
	return result;
}

static void expect_substream(struct fixture *f, uint32_t ssid, uint32_t page)
{
	uint64_t pa = 0;

	assert_int_equal(dma_of(f, ssid, VA + 0x10, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, page_of(page) + 0x10);
	expect_no_event(f);
}

static void expect_lost(struct fixture *f, uint32_t ssid, uint8_t type, uint64_t fetch)
{
	uint64_t pa, word0 = EVENT0(type, STREAM), record[4];

	if (ssid != NO_SSID)
		word0 |= WEIR_SMMU_EVT_0_SSV | WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_SSID, ssid);
	assert_int_equal(dma_of(f, ssid, VA, &pa), WEIR_MODEL_BLOCKED);
	assert_true(pop_event(f, record));
	/* 7.3.9: of this one SubstreamID is always valid, whatever SSV is. */
	if (type == BAD_SUBSTREAM) {
		word0 &= ~WEIR_SMMU_EVT_0_SSV;
		record[0] &= ~WEIR_SMMU_EVT_0_SSV;
	}
	assert_int_equal(record[0], word0);
	assert_int_equal(record[1], 0);
	assert_int_equal(record[2], 0);
	assert_int_equal(record[3], fetch);
	expect_no_event(f);
}

/* ---- Tables of CDs (5.2 S1Fmt, S1CDMax) -------------------------------------------------- */

static void linear_tables(void **state)
{
	struct fixture *f = *state;
	uint64_t cds;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	cds = new_table(f);
	for (unsigned int cdmax = 1; cdmax <= 10; cdmax++) {
		uint32_t last = (1u << cdmax) - 1;

		f->next_table = cds + 0x10000;
		memset(at(f, cds), 0, PAGES - cds);
		put_substream(f, cds, 0);
		put_substream(f, cds + 64, 1);
		put_substream(f, cds + last * 64, last);
		/* Bits below the table's size are taken as zero. */
		put_stream(f, cds + last * 64, 0, cdmax, WEIR_SMMU_STE_S1DSS_TERMINATE);
		expect_substream(f, 0, 0);
		expect_substream(f, 1, 1);
		expect_substream(f, last, last);
		expect_lost(f, last + 1, BAD_SUBSTREAM, 0);
		expect_lost(f, 0xfffff, BAD_SUBSTREAM, 0);
		if (last > 2)
			expect_lost(f, 2, WEIR_SMMU_EVT_C_BAD_CD, 0);
	}
	/* S1Fmt: 3 behaves as 0. */
	put_stream(f, cds, 3, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_substream(f, 1023, 1023);
	put_stream(f, NOWHERE, 0, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_lost(f, 7, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE + 7 * 64);
}

/* One of the formats: `split` bits in the second level. */
static void two_level(struct fixture *f, unsigned int fmt, unsigned int split)
{
	uint64_t level1 = new_table(f), level2 = new_table(f);
	uint32_t ssid = 0x12a & (uint32_t) ~((1u << split) - 1), inside = 0x12a - ssid;

	put_substream(f, level2 + inside * 64, 0x12a);
	put_substream(f, level2, ssid);
	/* Bits below the second table's size are taken as zero. */
	put(f, level1 + (ssid >> split) * 8,
	    level2 | WEIR_SMMU_L1CD_V | (split == 10 ? 0xf000 : 0));
	put_stream(f, level1, fmt, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_substream(f, 0x12a, 0x12a);
	expect_substream(f, ssid, ssid);
	expect_lost(f, ssid + inside + 1, WEIR_SMMU_EVT_C_BAD_CD, 0);
	expect_lost(f, 0x400, BAD_SUBSTREAM, 0);
	/* Not valid; beyond the OAS (3.4.3); nowhere. */
	put(f, level1 + (ssid >> split) * 8, level2);
	expect_lost(f, ssid, BAD_SUBSTREAM, 0);
	put(f, level1 + (ssid >> split) * 8, level2 | WEIR_SMMU_L1CD_V | WEIR_BIT(52));
	expect_lost(f, ssid, BAD_SUBSTREAM, 0);
	put(f, level1 + (ssid >> split) * 8, NOWHERE | WEIR_SMMU_L1CD_V);
	expect_lost(f, 0x12a, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE + inside * 64);
	put_stream(f, NOWHERE, fmt, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_lost(f, 0x12a, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE + (ssid >> split) * 8);
}

static void two_level_tables(void **state)
{
	struct fixture *f = *state;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	two_level(f, WEIR_SMMU_STE_S1FMT_4K_L2, 6);
	two_level(f, WEIR_SMMU_STE_S1FMT_64K_L2, 10);
}

/* 16384 L1CDs at most; the table is aligned to its size, or 64 bytes. */
static void sizes_of_first_levels(void **state)
{
	struct fixture *f = *state;
	uint64_t level1, level2;

	full_config(&f->config);
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_SSIDSIZE;
	f->config.idr[1] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SSIDSIZE, 20);
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	f->next_table = WEIR_ALIGN_UP(f->next_table, 0x20000);
	level1 = new_table(f);
	new_table(f);
	level2 = new_table(f);
	put_substream(f, level2 + 63 * 64, 0xfffff);
	put(f, level1 + 0x3fff * 8, level2 | WEIR_SMMU_L1CD_V);
	put_stream(f, level1 + 0x1ffc0, WEIR_SMMU_STE_S1FMT_4K_L2, 20,
		   WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_substream(f, 0xfffff, 0xfffff);
	put_substream(f, level2 + 5 * 64, 5);
	put(f, level1 + 0xc0, level2 | WEIR_SMMU_L1CD_V);
	for (unsigned int cdmax = 3; cdmax <= 9; cdmax++) {
		put_stream(f, level1 + 0xc0, WEIR_SMMU_STE_S1FMT_4K_L2, cdmax,
			   WEIR_SMMU_STE_S1DSS_TERMINATE);
		expect_substream(f, 5, 5);
	}
	expect_lost(f, 64, BAD_SUBSTREAM, 0);
	/* 16 of them: 128 bytes. */
	put(f, level1 + 0x80 + 15 * 8, level2 | WEIR_SMMU_L1CD_V);
	put_stream(f, level1 + 0xc0, WEIR_SMMU_STE_S1FMT_4K_L2, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_substream(f, 15 * 64 + 5, 5);
	expect_lost(f, 5, BAD_SUBSTREAM, 0);
}

/* Chapter 5: RES0 bits of an L1CD are rejected, or ignored. */
static void reserved_in_l1cd(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t level1 = new_table(f), level2 = new_table(f);

		f->config.reserved = i ? WEIR_MODEL_SMMUV3_RESERVED_REJECTED :
					 WEIR_MODEL_SMMUV3_RESERVED_IGNORED;
		set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
		put_substream(f, level2, 0);
		put_stream(f, level1, WEIR_SMMU_STE_S1FMT_4K_L2, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
		for (unsigned int bit = 1; bit < 64; bit = bit == 11 ? 56 : bit + 1) {
			put(f, level1, level2 | WEIR_SMMU_L1CD_V | WEIR_BIT(bit));
			if (i)
				expect_lost(f, 0, BAD_SUBSTREAM, 0);
			else
				expect_substream(f, 0, 0);
		}
	}
}

/* ---- Which CD (5.2 S1DSS, 7.3.7, 7.3.9) -------------------------------------------------- */

static void without_substream(void **state)
{
	struct fixture *f = *state;
	uint64_t cds, pa;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	cds = new_table(f);
	put_substream(f, cds, 0);
	put_substream(f, cds + 64, 1);
	for (unsigned int dss = 0; dss < 4; dss++) {
		put_stream(f, cds, 0, 1, dss);
		expect_substream(f, 1, 1);
		if (dss == WEIR_SMMU_STE_S1DSS_SSID0)
			expect_lost(f, 0, DISABLED, 0);
		else
			expect_substream(f, 0, 0);
		if (dss == WEIR_SMMU_STE_S1DSS_SSID0)
			expect_substream(f, NO_SSID, 0);
		else if (dss != WEIR_SMMU_STE_S1DSS_BYPASS)
			expect_lost(f, NO_SSID, DISABLED, 0);
	}
	/* Stage 1 is bypassed: no CD is fetched, and what is beyond the IAS faults (3.4). */
	put_stream(f, NOWHERE, 0, 1, WEIR_SMMU_STE_S1DSS_BYPASS);
	assert_int_equal(dma_of(f, NO_SSID, 0x1234567, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, 0x1234567);
	assert_int_equal(dma_of(f, NO_SSID, WEIR_BIT(52), &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_ADDR_SIZE, STREAM), READ | CLASS_IN, WEIR_BIT(52),
		     0);
}

/* With S1DSS 2 and no SubstreamID, an L1CD that is wrong is substream 0's. */
static void bad_substream_without_one(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4], pa;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	put_stream(f, new_table(f), WEIR_SMMU_STE_S1FMT_4K_L2, 7, WEIR_SMMU_STE_S1DSS_SSID0);
	assert_int_equal(dma_of(f, NO_SSID, VA, &pa), WEIR_MODEL_BLOCKED);
	assert_true(pop_event(f, record));
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]), BAD_SUBSTREAM);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_SSID, record[0]), 0);
}

static void substreams_with_nowhere_to_go(void **state)
{
	struct fixture *f = *state;
	uint64_t cds, pa;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	cds = new_table(f);
	put_substream(f, cds, 0);
	/* One CD: S1Fmt and S1DSS are IGNORED. */
	for (unsigned int i = 0; i < 16; i++) {
		put_stream(f, cds, i / 4, 0, i % 4);
		expect_substream(f, NO_SSID, 0);
		expect_lost(f, 0, BAD_SUBSTREAM, 0);
		expect_lost(f, 1, BAD_SUBSTREAM, 0);
	}
	/* No stage 1. */
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_lost(f, 0, BAD_SUBSTREAM, 0);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S2);
	put(f, ste_of(STREAM) + 16,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 24) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | WEIR_SMMU_STE_2_S2AA64);
	expect_lost(f, 1, BAD_SUBSTREAM, 0);
	/* An STE that aborts says nothing. */
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_ABORT);
	assert_int_equal(dma_of(f, 1, VA, &pa), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
}

static void no_substreams_at_all(void **state)
{
	struct fixture *f = *state;
	uint64_t cds;

	full_config(&f->config);
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_SSIDSIZE;
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	cds = new_table(f);
	put_substream(f, cds, 0);
	for (unsigned int dss = 0; dss < 4; dss++) {
		put_stream(f, cds, dss, 31, dss);
		expect_substream(f, NO_SSID, 0);
		expect_lost(f, 0, BAD_SUBSTREAM, 0);
	}
}

/* ---- Caches ------------------------------------------------------------------------------ */

/* Complete: adversarial caches put it off to the CMD_SYNC. */
static void invalidate(struct fixture *f, uint64_t word0, uint64_t word1)
{
	command(f, word0, word1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

static void cfgi_cd(struct fixture *f, uint32_t ssid, bool leaf)
{
	invalidate(f,
		   for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM) |
			   WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, ssid),
		   leaf ? WEIR_SMMU_CMD_1_LEAF : 0);
}

/* 6.3.2: of more bits than there are, beside one whose answer is at hand. */
static void larger_than_can_be(void **state)
{
	struct fixture *f = *state;
	uint64_t cds, pa, record[4];

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	cds = new_table(f);
	put_substream(f, cds + 5 * 64, 5);
	put_stream(f, cds, 0, 3, WEIR_SMMU_STE_S1DSS_TERMINATE);
	for (unsigned int i = 3 * 2; i < 32 * 2; i++) {
		uint32_t more = (i % 2 ? ~(uint32_t)0 : 1u) << i / 2;

		expect_substream(f, 5, 5);
		assert_int_equal(dma_of(f, 5 | more, VA + 0x10, &pa), WEIR_MODEL_BLOCKED);
		assert_true(pop_event(f, record));
		assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]),
				 BAD_SUBSTREAM);
	}
}

/* Four substreams, each with its own translations of one address. */
static uint64_t four_substreams(struct fixture *f, unsigned int dss)
{
	uint64_t cds = new_table(f);

	for (uint32_t ssid = 0; ssid < 4; ssid++)
		put_substream(f, cds + ssid * 64, ssid);
	put_stream(f, cds, 0, 2, dss);
	return cds;
}

static void one_cd_at_a_time(void **state)
{
	struct fixture *f = *state;
	uint64_t cds;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	cds = four_substreams(f, WEIR_SMMU_STE_S1DSS_TERMINATE);
	for (unsigned int round = 0; round < 2; round++)
		for (uint32_t ssid = 0; ssid < 4; ssid++)
			expect_substream(f, ssid, ssid);
	assert_int_equal(stats_of(f).ste_fetches, 1);
	assert_int_equal(stats_of(f).cd_fetches, 4);
	/* Taken back, each: that shows when it is invalidated. */
	for (uint32_t ssid = 0; ssid < 4; ssid++)
		put(f, cds + ssid * 64, 0);
	cfgi_cd(f, 2, true);
	for (uint32_t ssid = 0; ssid < 4; ssid++) {
		if (ssid == 2)
			expect_lost(f, ssid, WEIR_SMMU_EVT_C_BAD_CD, 0);
		else
			expect_substream(f, ssid, ssid);
	}
	cfgi_cd(f, 4, false);
	cfgi_cd(f, 0xfffff, false);
	expect_substream(f, 0, 0);
	cfgi_cd(f, 0, false);
	expect_lost(f, 0, WEIR_SMMU_EVT_C_BAD_CD, 0);
	expect_substream(f, 3, 3);
	/* All of another stream's; then all of this one's. */
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM + 1), 0);
	expect_substream(f, 3, 3);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM), 0);
	expect_lost(f, 3, WEIR_SMMU_EVT_C_BAD_CD, 0);
	expect_lost(f, 1, WEIR_SMMU_EVT_C_BAD_CD, 0);
}

static void cds_go_with_their_ste(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t cds;

		set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
		cds = four_substreams(f, WEIR_SMMU_STE_S1DSS_TERMINATE);
		for (uint32_t ssid = 0; ssid < 4; ssid++) {
			expect_substream(f, ssid, ssid);
			put(f, cds + ssid * 64, 0);
		}
		if (i == 0)
			invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM),
				   WEIR_SMMU_CMD_1_LEAF);
		else
			invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, STREAM),
				   i == 1 ? 1 : WEIR_SMMU_CMD_CFGI_RANGE_ALL);
		for (uint32_t ssid = 0; ssid < 4; ssid++)
			expect_lost(f, ssid, WEIR_SMMU_EVT_C_BAD_CD, 0);
	}
}

/* 4.3.3: the CD at index 0, whoever uses it. */
static void cd_of_no_substream(void **state)
{
	struct fixture *f = *state;
	uint64_t cds;

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	cds = four_substreams(f, WEIR_SMMU_STE_S1DSS_SSID0);
	expect_substream(f, NO_SSID, 0);
	expect_substream(f, 1, 1);
	put(f, cds, 0);
	cfgi_cd(f, 1, true);
	expect_substream(f, NO_SSID, 0);
	cfgi_cd(f, 0, true);
	expect_lost(f, NO_SSID, WEIR_SMMU_EVT_C_BAD_CD, 0);
	expect_lost(f, 0, DISABLED, 0);
}

/* L1CDs too, invalid ones above all; CDs with V == 0. */
static void adversarial_caches(void **state)
{
	struct fixture *f = *state;
	uint64_t level1 = new_table(f), level2 = new_table(f);

	set_up_full(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	put_stream(f, level1, WEIR_SMMU_STE_S1FMT_4K_L2, 10, WEIR_SMMU_STE_S1DSS_TERMINATE);
	expect_lost(f, 0x85, BAD_SUBSTREAM, 0);
	put(f, level1 + 2 * 8, level2 | WEIR_SMMU_L1CD_V);
	expect_lost(f, 0x85, BAD_SUBSTREAM, 0);
	cfgi_cd(f, 0x85, true);
	expect_lost(f, 0x85, BAD_SUBSTREAM, 0);
	cfgi_cd(f, 0x45, false);
	expect_lost(f, 0x85, BAD_SUBSTREAM, 0);
	/* Any substream of the descriptor takes it out. */
	cfgi_cd(f, 0xbf, false);
	expect_lost(f, 0x85, WEIR_SMMU_EVT_C_BAD_CD, 0);
	put_substream(f, level2 + 5 * 64, 0x85);
	expect_lost(f, 0x85, WEIR_SMMU_EVT_C_BAD_CD, 0);
	cfgi_cd(f, 0xbf, false);
	expect_lost(f, 0x85, WEIR_SMMU_EVT_C_BAD_CD, 0);
	cfgi_cd(f, 0x85, true);
	expect_substream(f, 0x85, 0x85);
	/* The CD outlives its descriptor, not the invalidation of all. */
	put(f, level1 + 2 * 8, 0);
	cfgi_cd(f, 0xbf, false);
	expect_substream(f, 0x85, 0x85);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM), 0);
	expect_lost(f, 0x85, BAD_SUBSTREAM, 0);
	/* Nor does an L1CD outlive its STE's invalidation. */
	put(f, level1 + 2 * 8, level2 | WEIR_SMMU_L1CD_V);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), WEIR_SMMU_CMD_1_LEAF);
	expect_substream(f, 0x85, 0x85);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(linear_tables),
		TEST(two_level_tables),
		TEST(sizes_of_first_levels),
		TEST(reserved_in_l1cd),
		TEST(without_substream),
		TEST(bad_substream_without_one),
		TEST(substreams_with_nowhere_to_go),
		TEST(no_substreams_at_all),
		TEST(larger_than_can_be),
		TEST(one_cd_at_a_time),
		TEST(cds_go_with_their_ste),
		TEST(cd_of_no_substream),
		TEST(adversarial_caches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
