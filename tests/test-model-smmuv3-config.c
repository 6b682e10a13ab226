/* SPDX-License-Identifier: MIT */

/*
 * Where the SMMUv3 model finds its configuration, and for how long it keeps it. Proves:
 *  - stream tables: linear, and two-level with each split; their limits, alignment, and records;
 *  - fetches that fail, or whose address is too large (3.4.3); RES0 bits of L1STDs;
 *  - a CD under stage 2 is fetched from where its IPA leads;
 *  - what is cached, and what each command takes out, with each kind of caches;
 *  - registers count when a structure is used.
 */

#include "smmuhost.h"

#include <string.h>

#define WORDS WEIR_SMMU_STE_WORDS
#define BYPASS WEIR_SMMU_STE_CONFIG_BYPASS

/* ---- Stream tables (3.3.1, 5.1, 6.3.24, 6.3.25) ----------------------------------------- */

static void set_table(struct fixture *f, uint64_t base, uint64_t cfg)
{
	uint64_t enables = rd(f, WEIR_SMMU_CR0, 4);

	wr(f, WEIR_SMMU_CR0, 4, enables & ~WEIR_SMMU_CR0_SMMUEN);
	step(f, 10); /* adversarial caches acknowledge late */
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, base);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, cfg);
	wr(f, WEIR_SMMU_CR0, 4, enables);
	step(f, 10);
}

static uint64_t table_cfg(unsigned int fmt, unsigned int split, unsigned int log2size)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_FMT, fmt) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, split) | log2size;
}

static void bypass_at(struct fixture *f, uint64_t addr)
{
	put(f, addr, WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, BYPASS));
}

/* A stream whose STE was put there by bypass_at() alone. */
static void expect_found(struct fixture *f, uint32_t sid)
{
	uint64_t pa;

	assert_int_equal(dma(f, sid, PAGES, false, &pa), WEIR_MODEL_OK);
	expect_no_event(f);
}

static void expect_lost(struct fixture *f, uint32_t sid, uint8_t type, uint64_t fetch)
{
	uint64_t pa;

	assert_int_equal(dma(f, sid, PAGES, false, &pa), WEIR_MODEL_BLOCKED);
	if (type)
		expect_event(f, EVENT0(type, sid), 0, 0, fetch);
	else
		expect_no_event(f);
}

static void linear_table(void **state)
{
	struct fixture *f = *state;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	bypass_at(f, STRTAB + 15 * 64);
	bypass_at(f, STRTAB + 16 * 64);
	/* Aligned to its size: 1 KiB. */
	set_table(f, STRTAB | 0x3c0, table_cfg(0, 0, 4));
	expect_found(f, 15);
	expect_lost(f, 16, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	expect_lost(f, 0x80000000u, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	expect_lost(f, 14, WEIR_SMMU_EVT_C_BAD_STE, 0);
	/* FMT's reserved values are linear; SPLIT has no say then. */
	set_table(f, STRTAB, table_cfg(2, 6, 5));
	expect_found(f, 16);
	set_table(f, STRTAB, table_cfg(3, 6, 5));
	expect_found(f, 16);
	expect_lost(f, 32, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	set_table(f, STRTAB, table_cfg(0, 0, 0));
	expect_lost(f, 0, WEIR_SMMU_EVT_C_BAD_STE, 0);
	expect_lost(f, 1, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	/* 6.3.12 */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR2, 4, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_lost(f, 1, 0, 0);
}

/* The range is SIDSIZE's at most; the alignment is as LOG2SIZE has it. */
static void table_larger_than_needed(void **state)
{
	struct fixture *f = *state;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_SIDSIZE;
	f->config.idr[1] |= 7;
	recreate(f);
	bypass_at(f, STRTAB + 127 * 64);
	set_table(f, STRTAB + 0x2000, table_cfg(0, 0, 8));
	expect_found(f, 127);
	expect_lost(f, 128, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	set_table(f, STRTAB + 0x2000, table_cfg(0, 0, 7));
	expect_lost(f, 127, WEIR_SMMU_EVT_C_BAD_STE, 0);
	/* So large that its base is 0. */
	set_table(f, STRTAB, table_cfg(0, 0, 63));
	expect_lost(f, 3, WEIR_SMMU_EVT_F_STE_FETCH, 3 * 64);
	set_table(f, STRTAB, table_cfg(1, 6, 63));
	expect_lost(f, 65, WEIR_SMMU_EVT_F_STE_FETCH, 8);
}

static void two_level_table(void **state)
{
	struct fixture *f = *state;
	static const unsigned int splits[] = { 6, 8, 10, 7 };
	const uint64_t level2 = TABLES;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(splits); i++) {
		/* Reserved values are 6. */
		unsigned int split = splits[i] == 7 ? 6 : splits[i];
		uint32_t first = 3u << split, last = first + (1u << split) - 1;

		memset(at(f, STRTAB), 0, 0x10000);
		memset(at(f, level2), 0, 0x20000);
		set_table(f, STRTAB, table_cfg(1, splits[i], 16));
		bypass_at(f, level2);
		bypass_at(f, level2 + ((1u << split) - 1) * 64);
		put(f, STRTAB + 3 * 8, level2 | (split + 1));
		expect_found(f, first);
		expect_found(f, last);
		expect_lost(f, first + 1, WEIR_SMMU_EVT_C_BAD_STE, 0);
		/* Span: half of it; aligned to its size. */
		put(f, STRTAB + 3 * 8, (level2 + 0x40) | split);
		expect_found(f, first);
		expect_lost(f, first + (1u << (split - 1)), WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
		/* One, none, more than there can be, reserved. */
		put(f, STRTAB + 3 * 8, level2 | 1);
		expect_found(f, first);
		expect_lost(f, first + 1, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
		put(f, STRTAB + 3 * 8, level2);
		expect_lost(f, first, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
		put(f, STRTAB + 3 * 8, level2 | (split + 2));
		expect_lost(f, first, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
		for (unsigned int span = 12; span < 32; span++) {
			put(f, STRTAB + 3 * 8, level2 | span);
			expect_lost(f, first, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
		}
		expect_lost(f, 2u << split, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	}
}

static void odd_two_level_tables(void **state)
{
	struct fixture *f = *state;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	bypass_at(f, TABLES + 15 * 64);
	bypass_at(f, TABLES + 16 * 64);
	/* SPLIT above LOG2SIZE: one descriptor, 64 bytes of alignment. */
	set_table(f, STRTAB + 0x40, table_cfg(1, 8, 4));
	put(f, STRTAB + 0x40, TABLES | 9);
	expect_found(f, 15);
	expect_lost(f, 16, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	/* The L1 table is aligned to its size: 128 bytes for 16 of them. */
	set_table(f, STRTAB + 0xc0, table_cfg(1, 6, 10));
	put(f, STRTAB + 0x80, TABLES | 7);
	expect_found(f, 16);
	/* Nothing there to be read. */
	put(f, STRTAB + 0x80, NOWHERE | 7);
	expect_lost(f, 16, WEIR_SMMU_EVT_F_STE_FETCH, NOWHERE + 16 * 64);
	set_table(f, NOWHERE, table_cfg(1, 6, 10));
	expect_lost(f, 64, WEIR_SMMU_EVT_F_STE_FETCH, NOWHERE + 8);
	set_table(f, NOWHERE, table_cfg(0, 0, 10));
	expect_lost(f, 2, WEIR_SMMU_EVT_F_STE_FETCH, NOWHERE + 2 * 64);
	/* 3.4.3 (5): truncated to the OAS. */
	set_table(f, STRTAB, table_cfg(1, 6, 10));
	put(f, STRTAB, WEIR_BIT(44) | WEIR_BIT(55) | TABLES | 7);
	expect_found(f, 15);
}

static void reserved_in_l1std(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
		f->config.reserved = i ? WEIR_MODEL_SMMUV3_RESERVED_REJECTED :
					 WEIR_MODEL_SMMUV3_RESERVED_IGNORED;
		recreate(f);
		bypass_at(f, TABLES);
		set_table(f, STRTAB, table_cfg(1, 6, 10));
		put(f, STRTAB, TABLES | 7);
		expect_found(f, 0);
		for (unsigned int bit = 5; bit < 64; bit = bit == 5 ? 56 : bit + 1) {
			put(f, STRTAB, TABLES | 7 | WEIR_BIT(bit));
			if (i)
				expect_lost(f, 0, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
			else
				expect_found(f, 0);
		}
	}
}

/* Without ST_LEVEL, FMT and SPLIT are RES0. */
static void linear_alone(void **state)
{
	struct fixture *f = *state;

	f->config.idr[0] &= ~(uint32_t)WEIR_SMMU_IDR0_ST_LEVEL;
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_SIDSIZE;
	f->config.idr[1] |= 6;
	recreate(f);
	bypass_at(f, STRTAB + 3 * 64);
	set_table(f, STRTAB, table_cfg(1, 6, 6));
	expect_found(f, 3);
}

/* ---- Context descriptors: where they are ------------------------------------------------- */

static void cd_nowhere(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);

	map(f, ttb0, 0x1000, PAGE | PAGES);
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    NOWHERE);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE);
	/* The failure is not known afterwards (3.21.3); the STE is. */
	expect_lost(f, STREAM, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE);
	assert_int_equal(stats_of(f).ste_fetches, 1);
	assert_int_equal(stats_of(f).cd_fetches, 2);
}

/* Stage 2's tables: 48 bits from level 0, all at their own addresses. */
static void put_nested(struct fixture *f, uint64_t s1contextptr, uint64_t vttb)
{
	const uint64_t words[WORDS] = {
		WEIR_SMMU_STE_0_V | s1contextptr |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_NESTED),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 16) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_48) |
			WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_STE_2_S2R,
		vttb,
	};

	put_words(f, ste_of(STREAM), words);
}

/* Readable, writable, Normal, access flag. */
#define STAGE2 (WEIR_VMSA_AF | 0x3fcu)

/* What the record says, and that the read went where the IPA leads. */
static void nested_cd(void **state)
{
	struct fixture *f = *state;
	const uint64_t ipa = 0x12340000, va = PAGES;
	uint64_t vttb = new_table(f), ttb0 = new_table(f);

	full_config(&f->config);
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
	put_nested(f, ipa + 0x40, vttb);
	expect_blocked(f, va);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | WEIR_SMMU_EVT_1_S2, va,
		     ipa);
	map(f, vttb, ipa, NOWHERE | STAGE2 | WEIR_VMSA_TYPE_PAGE);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE + 0x40);
	map(f, vttb, ipa, PAGES | STAGE2 | WEIR_VMSA_TYPE_PAGE);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	put(f, PAGES + 0x40, cd_word0(STREAM));
	put(f, PAGES + 0x48, ttb0);
	put(f, PAGES + 0x50, ttb0);
	/* Stage 1's tables, at their own addresses. */
	map_at(f, vttb, 0, 12, RAM_BASE, 1, RAM_BASE | STAGE2 | WEIR_VMSA_TYPE_BLOCK);
	map(f, ttb0, va, PAGE | (PAGES + 0x3000));
	expect_read(f, va + 0x123, PAGES + 0x3123);
}

/* ---- Caches (3.21.3, 4.3) ---------------------------------------------------------------- */

static void use_caches(struct fixture *f, enum weir_model_smmuv3_caches caches)
{
	f->config.caches = caches;
	recreate(f);
	step(f, 10);
}

/* Complete: adversarial caches put it off to the CMD_SYNC. */
static void invalidate(struct fixture *f, uint64_t word0, uint64_t word1)
{
	command(f, word0, word1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

static void cfgi_ste(struct fixture *f, uint32_t sid, bool leaf)
{
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, sid), leaf ? WEIR_SMMU_CMD_1_LEAF : 0);
}

/* Valid structures stay; others are read each time. */
static void normal_caches(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_stats stats;

	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE, 0);
	bypass_at(f, ste_of(STREAM));
	expect_found(f, STREAM);
	put(f, ste_of(STREAM), 0);
	expect_found(f, STREAM);
	cfgi_ste(f, STREAM + 1, false);
	expect_found(f, STREAM);
	assert_int_equal(stats_of(f).ste_fetches, 2);
	cfgi_ste(f, STREAM, true);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE, 0);
	/* A CD goes with its STE, or by itself. */
	add_stream(f, STREAM);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	put(f, cd_of(STREAM), 0);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM), WEIR_SMMU_CMD_1_LEAF);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	put(f, cd_of(STREAM), cd_word0(STREAM));
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	put(f, cd_of(STREAM), 0);
	cfgi_ste(f, STREAM, true);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	stats = stats_of(f);
	assert_int_equal(stats.ste_fetches, 5);
	assert_int_equal(stats.cd_fetches, 4);
}

static void ranges_of_streams(void **state)
{
	struct fixture *f = *state;

	for (uint32_t sid = 0; sid < 32; sid++) {
		bypass_at(f, ste_of(sid));
		expect_found(f, sid);
		put(f, ste_of(sid), 0);
	}
	/* 2^(2 + 1) of them, aligned: 8 to 15. */
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, 13), 2);
	for (uint32_t sid = 0; sid < 32; sid++) {
		if (sid / 8 == 1)
			expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STE, 0);
		else
			expect_found(f, sid);
	}
	invalidate(f, WEIR_SMMU_CMD_CFGI_STE_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	expect_lost(f, 31, WEIR_SMMU_EVT_C_BAD_STE, 0);
}

static void no_caches(void **state)
{
	struct fixture *f = *state;

	use_caches(f, WEIR_MODEL_SMMUV3_CACHES_OFF);
	bypass_at(f, ste_of(STREAM));
	expect_found(f, STREAM);
	put(f, ste_of(STREAM), 0);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE, 0);
}

/* What was found invalid stays so until it is invalidated; what could not be read does not. */
static void adversarial_caches(void **state)
{
	struct fixture *f = *state;

	use_caches(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE, 0);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_STE, 0);
	cfgi_ste(f, STREAM, true);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	add_stream(f, STREAM);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM), 0);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	/* A fetch that fails. */
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    NOWHERE);
	cfgi_ste(f, STREAM, true);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_F_CD_FETCH, NOWHERE);
}

/* L1STDs stay through the leaf form. */
static void adversarial_first_level(void **state)
{
	struct fixture *f = *state;
	const uint32_t sid = 0x85;

	use_caches(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	set_table(f, STRTAB, table_cfg(1, 6, 8));
	expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	put(f, STRTAB + 2 * 8, TABLES | 7);
	bypass_at(f, TABLES + 5 * 64);
	expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	cfgi_ste(f, sid, true);
	expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	/* The neighbour's is another. */
	cfgi_ste(f, 0x45, false);
	expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	/* Any stream of the descriptor takes it out. */
	cfgi_ste(f, 0xbf, false);
	expect_found(f, sid);
	/* The STE outlives its descriptor. */
	put(f, STRTAB + 2 * 8, 0);
	cfgi_ste(f, 0xbf, false);
	expect_found(f, sid);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, sid), 0);
	expect_lost(f, sid, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	/* A range takes out a descriptor that reaches into it. */
	put(f, STRTAB + 2 * 8, TABLES | 7);
	invalidate(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, 0x90), 1);
	expect_found(f, sid);
}

/* CR2.E2H (5.2 STRW): EL2 has one half of addresses, and does not look at T1SZ. */
static void decoded_at_use(void **state)
{
	struct fixture *f = *state;

	full_config(&f->config);
	recreate(f);
	add_stream(f, STREAM);
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2));
	put(f, cd_of(STREAM), cd_word0(STREAM) & ~WEIR_SMMU_CD_0_T1SZ);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_E2H);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_lost(f, STREAM, WEIR_SMMU_EVT_C_BAD_CD, 0);
	assert_int_equal(stats_of(f).ste_fetches, 1);
	assert_int_equal(stats_of(f).cd_fetches, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(linear_table),
		TEST(table_larger_than_needed),
		TEST(two_level_table),
		TEST(odd_two_level_tables),
		TEST(reserved_in_l1std),
		TEST(linear_alone),
		TEST(cd_nowhere),
		TEST(nested_cd),
		TEST(normal_caches),
		TEST(ranges_of_streams),
		TEST(no_caches),
		TEST(adversarial_caches),
		TEST(adversarial_first_level),
		TEST(decoded_at_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
