/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model, on hand-made tables: streams and their events. Proves:
 *  - bypass and abort by STE; addresses beyond the OAS;
 *  - both formats of the stream table; each kind of event that a stage-1 implementation has, whole
 *    records; RECINVSID, CD.R;
 *  - what failed to be fetched is not cached; prefetches are silent;
 *  - a window of RAM that does not hold the word, or no aligned words, or is none, is not used.
 */

#include "smmuhost.h"

/* ---- Streams and events --------------------------------------------------------------- */

static void stream_bypass_and_abort(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_read(f, PAGES + 5, PAGES + 5);
	expect_fault(f, 1ull << 44, WEIR_SMMU_EVT_F_ADDR_SIZE);
	put_ste(f, 6, WEIR_SMMU_STE_CONFIG_ABORT);
	put_ste(f, 7, 3);
	assert_int_equal(dma(f, 6, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	assert_int_equal(dma(f, 7, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
}

static void bad_streams(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	assert_int_equal(dma(f, 256, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 256), 0, 0, 0);
	assert_int_equal(dma(f, 0xffffffff, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 0xffffffff), 0, 0, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	wr(f, WEIR_SMMU_CR2, 4, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_SMMUEN);
	assert_int_equal(dma(f, 256, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
}

static void illegal_stes(void **state)
{
	struct fixture *f = *state;
	static const uint64_t bad[][2] = {
		{ 0, 0 },						 /* V */
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S2 << 1, 0 }, /* no stage 2 */
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_NESTED << 1, 0 },
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | CDS,
		  WEIR_SMMU_STE_1_S1STALLD },
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | 1ull << 44, 0 },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		put(f, ste_of(STREAM), bad[i][0]);
		put(f, ste_of(STREAM) + 8, bad[i][1]);
		invalidate_all(f);
		expect_blocked(f, 0x1000);
		expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	}
}

static void illegal_cds(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), good = cd_word0(STREAM);
	const struct {
		uint64_t clear, set, ttb0;
	} bad[] = {
		{ WEIR_SMMU_CD_0_V, 0, ttb0 },
		{ WEIR_SMMU_CD_0_A, 0, ttb0 },
		{ 0, WEIR_SMMU_CD_0_S, ttb0 },
		{ 0, WEIR_SMMU_CD_0_HA, ttb0 },
		{ WEIR_SMMU_CD_0_AA64, 0, ttb0 },
		{ 0, WEIR_SMMU_CD_0_ENDI, ttb0 },
		{ WEIR_SMMU_CD_0_T0SZ, 15, ttb0 },
		{ WEIR_SMMU_CD_0_T0SZ, 40, ttb0 },
		{ WEIR_SMMU_CD_0_TG0, WEIR_SMMU_CD_0_TG0, ttb0 },
		{ WEIR_SMMU_CD_0_TG1, 0, ttb0 },
		{ WEIR_SMMU_CD_0_IPS, 0, 1ull << 32 },
	};
	const uint64_t disabled = WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		put_cd(f, STREAM, (good & ~bad[i].clear) | bad[i].set, bad[i].ttb0, 0);
		invalidate_all(f);
		expect_blocked(f, 0x1000);
		expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
	}
	/* With both tables disabled their fields, and ENDI, do not count. */
	put_cd(f, STREAM, good | disabled | WEIR_SMMU_CD_0_ENDI | WEIR_SMMU_CD_0_TG0, ~0ull, ~0ull);
	invalidate_all(f);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
}

static void failed_fetches(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0;

	put(f, ste_of(STREAM), WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | NOWHERE);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_CD_FETCH, STREAM), 0, 0, NOWHERE);
	ttb0 = add_stream(f, STREAM);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	put(f, ttb0, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect_blocked(f, 0x201000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM), READ | CLASS_TT, 0x201000,
		     NOWHERE);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, NOWHERE);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	invalidate_all(f);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_STE_FETCH, STREAM), 0, 0, NOWHERE + STREAM * 64);
	/* A failure is not cached: nothing has to be invalidated. */
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	map_at(f, ttb0, 0, 12, 0, 0, new_table(f) | WEIR_VMSA_TYPE_TABLE);
	map(f, ttb0, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
}

static void translation_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa;
	struct weir_model_txn fetch = {
		.stream = STREAM,
		.addr = 0x3004,
		.flags = WEIR_MODEL_TXN_INSTRUCTION | WEIR_MODEL_TXN_PRIVILEGED,
	};
	struct weir_model_translation out;

	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	expect_fault(f, 1ull << 48, WEIR_SMMU_EVT_F_TRANSLATION);
	map(f, ttb0, 0x1000, (PAGE | PAGES) & ~WEIR_VMSA_AF);
	expect_fault(f, 0x1234, WEIR_SMMU_EVT_F_ACCESS);
	map(f, ttb0, 0x2000, PAGE | 1ull << 45);
	expect_fault(f, 0x2000, WEIR_SMMU_EVT_F_ADDR_SIZE);
	map(f, ttb0, 0x3000, PAGE | PAGES | WEIR_VMSA_AP_RDONLY | WEIR_VMSA_PXN);
	assert_int_equal(dma(f, STREAM, 0x3008, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM), CLASS_IN, 0x3008, 0);
	assert_int_equal(dma_as(f, fetch, &out), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM),
		     CLASS_IN | READ | WEIR_SMMU_EVT_1_IND | WEIR_SMMU_EVT_1_PNU, 0x3004, 0);
	/* A reserved descriptor at the last level, and a block where none may be. */
	map(f, ttb0, 0x4000, BLOCK | PAGES);
	expect_fault(f, 0x4000, WEIR_SMMU_EVT_F_TRANSLATION);
	map_at(f, ttb0, 0, 12, 1ull << 40, 0, BLOCK);
	expect_fault(f, 1ull << 40, WEIR_SMMU_EVT_F_TRANSLATION);
	/* The range of a table's address is looked at before what is in it. */
	map_at(f, ttb0, 0, 12, 1ull << 41, 0, 1ull << 45 | WEIR_VMSA_TYPE_TABLE);
	expect_fault(f, 1ull << 41, WEIR_SMMU_EVT_F_ADDR_SIZE);
	/* A write is data, whatever it says. */
	fetch.flags |= WEIR_MODEL_TXN_WRITE;
	fetch.addr = 0x5000;
	assert_int_equal(dma_as(f, fetch, &out), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), CLASS_IN | WEIR_SMMU_EVT_1_PNU,
		     0x5000, 0);
}

static void suppressed_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);

	put_cd(f, STREAM, cd_word0(STREAM) & ~WEIR_SMMU_CD_0_R, ttb0, 0);
	expect_blocked(f, 0x1000);
	expect_no_event(f);
	put(f, ttb0, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM), READ | CLASS_TT, 0x1000,
		     NOWHERE);
}

/* Two levels, 6 bits of split; the second level's entries are at STRTAB + 0x1000. */
static void two_level_stream_table(void **state)
{
	struct fixture *f = *state;
	const uint64_t level2 = STRTAB + 0x1000;
	uint64_t pa;

	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 1u << 16 | 6u << 6 | 16);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	put(f, STRTAB + 8, level2 | 3);	  /* streams 64 to 67 */
	put(f, STRTAB + 16, level2 | 8);  /* more than the split allows */
	put(f, STRTAB + 24, level2 | 12); /* reserved */
	put(f, STRTAB + 32, NOWHERE | 7); /* nothing there */
	put(f, level2 + 3 * 64, WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_BYPASS << 1);
	assert_int_equal(dma(f, 67, PAGES, true, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES);
	for (uint32_t sid = 0; sid < 256; sid = sid ? sid + 64 : 68) {
		assert_int_equal(dma(f, sid, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
		if (sid < 256)
			expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, sid), 0, 0, 0);
	}
	assert_int_equal(dma(f, 257, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_STE_FETCH, 257), 0, 0, NOWHERE + 64);
	put(f, STRTAB + 8, 0);
	assert_int_equal(dma(f, 66, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 66), 0, 0, 0);
}

static void prefetch_is_silent(void **state)
{
	struct fixture *f = *state;

	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, 0xffff), 0);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM), 0);
	assert_int_equal(stats_of(f).events_written + stats_of(f).events_lost, 0);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM), 0x1000);
	assert_int_equal(stats_of(f).cd_fetches, 1);
	expect_read(f, 0x1000, PAGES);
	assert_int_equal(stats_of(f).cd_fetches, 1);
}

static void odd_windows_are_not_used(void **state)
{
	struct fixture *f = *state;
	const struct weir_model_window windows[] = {
		{ RAM_BASE, RAM_SIZE, f->ram }, /* this one is */
		{ RAM_BASE + RAM_SIZE, RAM_SIZE, f->ram + RAM_SIZE },
		{ RAM_BASE, RAM_SIZE, NULL },
		{ RAM_BASE, 0, f->ram },
		{ RAM_BASE, RAM_SIZE - 4, f->ram },
		{ RAM_BASE + 4, RAM_SIZE - 8, f->ram },
		{ RAM_BASE, RAM_SIZE - 8, f->ram + 4 },
	};
	unsigned int words;

	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	f->windows = false;
	recreate(f);
	expect_read(f, 0x1000, PAGES);
	words = taken(&f->loads);
	assert_true(words > 0);
	f->windows = true;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(windows); i++) {
		f->window = &windows[i];
		recreate(f);
		expect_read(f, 0x1000, PAGES);
		assert_int_equal(taken(&f->loads), i ? words : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stream_bypass_and_abort),
		TEST(bad_streams),
		TEST(illegal_stes),
		TEST(illegal_cds),
		TEST(failed_fetches),
		TEST(translation_faults),
		TEST(suppressed_faults),
		TEST_DISABLED(two_level_stream_table),
		TEST(prefetch_is_silent),
		TEST(odd_windows_are_not_used),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: streams", tests, NULL, NULL);
}
