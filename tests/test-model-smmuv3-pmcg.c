/* SPDX-License-Identifier: MIT */

/*
 * The performance monitor of the SMMUv3 model (IHI 0070 chapter 10). Proves:
 *  - the registers say what there is, in two pages; without counters, and beyond those there are,
 *    all is reserved; each keeps its fields, and 64-bit ones go by halves;
 *  - every transaction counts once, also those that the front of a lane would answer, terminated
 *    ones too; misses of the TLB and of the configuration cache once for each that has them; reads
 *    of tables and structures one by one, of one stage and of both, with a TLB and without;
 *    prefetches as accesses alone; updates of descriptors; ATS requests and translated
 *    transactions;
 *  - the clock ticks with transactions and commands, whatever the filter says;
 *  - StreamIDs are filtered: one, a span, all; by each counter on its own;
 *  - nothing counts unless CR.E, CNTEN and the event all say so; what was found meanwhile is right,
 *    and afterwards the fronts answer again;
 *  - a counter wraps at 48 bits, sets OVS, captures and interrupts as it was told to: wire and MSI;
 *    an MSI's abort is in IRQ_STATUS alone, if there is one; IRQEN guards, and is acknowledged late
 *    with adversarial caches; software's own OVS has no effects;
 *  - many threads' transactions are counted without a loss.
 */

#include "smmuats.h"
#include "smmuworlds.h"

#include <pthread.h>

#define COUNTERS 10u
#define VA 0x1000ull
#define PAGE1 WEIR_MODEL_SMMUV3_PMCG_PAGE1
#define SPAN WEIR_SMMU_PMCG_EVTYPER_SID_SPAN
#define ALL 0xffffffffu
#define MASK48 WEIR_GENMASK(47, 0)
#define STAGE2 3u /* reads of a walk of add_stage2() */

/* ---- Registers, by their names ----------------------------------------------------------- */

static uint64_t get(struct fixture *f, uint64_t offset, unsigned int size)
{
	return weir_model_smmuv3_pmcg_read(f->smmu, offset, size);
}

static void set(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_pmcg_write(f->smmu, offset, size, value);
}

static uint64_t counter(unsigned int n)
{
	return PAGE1 + WEIR_SMMU_PMCG_EVCNTR + 8ull * n;
}

static uint64_t shadow(unsigned int n)
{
	return PAGE1 + WEIR_SMMU_PMCG_SVR + 8ull * n;
}

static void count_event(struct fixture *f, unsigned int n, uint64_t type, uint32_t filter)
{
	set(f, WEIR_SMMU_PMCG_EVTYPER + 4ull * n, 4, type);
	set(f, WEIR_SMMU_PMCG_SMR + 4ull * n, 4, filter);
	set(f, counter(n), 8, 0);
	set(f, WEIR_SMMU_PMCG_CNTENSET0, 8, WEIR_BIT(n));
}

/* Counter n counts event n of all streams. */
static void count_all(struct fixture *f)
{
	for (unsigned int n = 0; n <= WEIR_SMMU_PMCG_ATS_TRANSLATED; n++)
		count_event(f, n, SPAN | n, ALL);
	set(f, WEIR_SMMU_PMCG_CR, 4, WEIR_SMMU_PMCG_CR_E);
}

/* What was counted since the last time, events 1 to 7. */
static void expect_counts(struct fixture *f, const uint64_t *expected)
{
	for (unsigned int n = 1; n <= WEIR_SMMU_PMCG_ATS_TRANSLATED; n++) {
		assert_int_equal(get(f, counter(n), 8), expected[n - 1]);
		set(f, counter(n), 8, 0);
	}
}

#define EXPECT_COUNTS(f, ...) expect_counts(f, (const uint64_t[7]){ __VA_ARGS__ })

static int set_up_group(void **state)
{
	struct fixture *f;

	if (set_up_enabled(state))
		return -1;
	f = *state;
	f->config.pmcg_counters = COUNTERS;
	recreate(f);
	return 0;
}

#define TEST_GROUP(name) cmocka_unit_test_setup_teardown(name, set_up_group, tear_down)

/* ---- What there is ----------------------------------------------------------------------- */

static void nothing_without_counters(void **state)
{
	struct fixture *f = *state;

	for (uint64_t offset = 0; offset < WEIR_MODEL_SMMUV3_PMCG_MMIO_SIZE; offset += 8) {
		set(f, offset, 8, ~0ull);
		assert_int_equal(get(f, offset, 8), 0);
	}
	f->config.pmcg_counters = 65;
	assert_int_equal(create(f), -WEIR_EINVAL);
	f->config.pmcg_counters = 64;
	recreate(f);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_CFGR, 4) & WEIR_SMMU_PMCG_CFGR_NCTR, 63);
	set(f, WEIR_SMMU_PMCG_CNTENSET0, 8, ~0ull);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_CNTENSET0, 8), ~0ull);
	set(f, counter(63), 8, 1);
	assert_int_equal(get(f, counter(63), 8), 1);
}

static void registers_say_what_there_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, WEIR_SMMU_PMCG_CFGR, 4),
			 (COUNTERS - 1) | 47 << 8 | 1 << 20 | 1 << 21 | 1 << 22);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_CEID0, 8), 0x3f);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_CEID1, 8), 0);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_AIDR, 4), f->config.aidr);
	have_ats(f);
	recreate(f);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_CEID0, 8), 0xff);
}

static void expect_kept(struct fixture *f, uint64_t offset, uint64_t fields)
{
	set(f, offset, 8, ~0ull);
	assert_int_equal(get(f, offset, 8), fields);
	assert_int_equal(get(f, offset, 4), fields & 0xffffffff);
	assert_int_equal(get(f, offset + 4, 4), fields >> 32);
	set(f, offset + 4, 4, 0);
	assert_int_equal(get(f, offset, 8), fields & 0xffffffff);
	set(f, offset, 4, 0);
	assert_int_equal(get(f, offset, 8), 0);
	set(f, offset + 4, 4, ~0u);
	assert_int_equal(get(f, offset, 8), fields >> 32 << 32);
	/* Sizes that there are not. */
	set(f, offset, 2, 0);
	set(f, offset + 4, 1, 0);
	assert_int_equal(get(f, offset, 8), fields >> 32 << 32);
	assert_int_equal(get(f, offset, 2), 0);
	set(f, offset, 8, 0);
}

static void registers_keep_their_fields(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < COUNTERS; n++) {
		bool there = n < COUNTERS;

		expect_kept(f, counter(n), there ? MASK48 : 0);
		set(f, shadow(n), 8, ~0ull);
		assert_int_equal(get(f, shadow(n), 8), 0);
	}
	/* Pairs; StreamIDs have 16 bits. */
	expect_kept(f, WEIR_SMMU_PMCG_EVTYPER, 0xa000ffffa000ffff);
	expect_kept(f, WEIR_SMMU_PMCG_SMR + 8, 0x0000ffff0000ffff);
	expect_kept(f, WEIR_SMMU_PMCG_IRQ_CFG0, WEIR_GENMASK(43, 2));
	expect_kept(f, WEIR_SMMU_PMCG_IRQ_CFG1, 0x0000003fffffffff);
}

static void set_and_clear(struct fixture *f, uint64_t set_reg, uint64_t clear_reg)
{
	const uint64_t all = WEIR_GENMASK(COUNTERS - 1, 0);

	set(f, set_reg, 8, 0x5);
	set(f, set_reg, 8, ~0ull << 8);
	assert_int_equal(get(f, set_reg, 8), 0x5 | (all & ~0xffull));
	assert_int_equal(get(f, clear_reg, 8), 0x5 | (all & ~0xffull));
	set(f, clear_reg, 4, 0x101);
	assert_int_equal(get(f, set_reg, 8), 0x4 | (all & ~0x1ffull));
	set(f, clear_reg, 8, ~0ull);
	assert_int_equal(get(f, clear_reg, 8), 0);
}

static void bits_are_set_and_cleared(void **state)
{
	struct fixture *f = *state;

	set_and_clear(f, WEIR_SMMU_PMCG_CNTENSET0, WEIR_SMMU_PMCG_CNTENCLR0);
	set_and_clear(f, WEIR_SMMU_PMCG_INTENSET0, WEIR_SMMU_PMCG_INTENCLR0);
	set_and_clear(f, PAGE1 + WEIR_SMMU_PMCG_OVSSET0, PAGE1 + WEIR_SMMU_PMCG_OVSCLR0);
}

/* What is relocated is not in page 0, nor the rest in page 1. */
static void the_rest_is_reserved(void **state)
{
	static const uint64_t registers[] = {
		WEIR_SMMU_PMCG_CNTENSET0, WEIR_SMMU_PMCG_CNTENCLR0, WEIR_SMMU_PMCG_INTENSET0,
		WEIR_SMMU_PMCG_INTENCLR0, WEIR_SMMU_PMCG_CFGR,	    WEIR_SMMU_PMCG_CEID0,
		WEIR_SMMU_PMCG_IRQ_CTRL,  WEIR_SMMU_PMCG_IRQ_CFG0,  WEIR_SMMU_PMCG_IRQ_CFG1,
		WEIR_SMMU_PMCG_AIDR,	  WEIR_SMMU_PMCG_EVTYPER,   WEIR_SMMU_PMCG_SMR,
	};
	struct fixture *f = *state;

	for (uint64_t offset = 0; offset < WEIR_MODEL_SMMUV3_PMCG_MMIO_SIZE; offset += 8) {
		bool there = offset >= counter(0) && offset < counter(COUNTERS);

		there |= (offset & ~7ull) == PAGE1 + WEIR_SMMU_PMCG_OVSSET0;
		there |= (offset & ~7ull) == PAGE1 + WEIR_SMMU_PMCG_OVSCLR0;
		there |= offset - WEIR_SMMU_PMCG_EVTYPER < COUNTERS * 4;
		there |= offset - WEIR_SMMU_PMCG_SMR < COUNTERS * 4;
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(registers); i++)
			there |= offset == registers[i];
		if (there)
			continue;
		set(f, offset, 8, ~0ull);
		/* But CAPR's effect. */
		assert_int_equal(get(f, offset, 8), 0);
	}
}

/* ---- Events ------------------------------------------------------------------------------ */

static void transactions_and_misses(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM);

	map(f, table, VA, PAGE | PAGES);
	map(f, table, VA + 0x1000, PAGE | PAGES);
	count_all(f);
	/* The STE and the CD; four tables. */
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 1, 1, 1, 4, 2, 0, 0);
	for (unsigned int i = 0; i < 5; i++)
		expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 5, 0, 0, 0, 0, 0, 0);
	expect_read(f, VA + 0x1000, PAGES);
	EXPECT_COUNTS(f, 1, 1, 0, 4, 0, 0, 0);
	/* Terminated: an entry of the last table that is invalid; a stream that is. */
	expect_blocked(f, VA + 0x2000);
	EXPECT_COUNTS(f, 1, 1, 0, 4, 0, 0, 0);
	expect_blocked(f, 1ull << 50);
	EXPECT_COUNTS(f, 1, 0, 0, 0, 0, 0, 0);
	invalidate_all(f);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 0);
	put(f, ste_of(STREAM), 0);
	expect_blocked(f, VA);
	EXPECT_COUNTS(f, 1, 0, 1, 0, 1, 0, 0);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	expect_read(f, VA, VA);
	EXPECT_COUNTS(f, 1, 0, 0, 0, 0, 0, 0);
}

static void without_a_tlb(void **state)
{
	struct fixture *f = *state;

	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	recreate(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	/* Quick walks were there before. */
	for (unsigned int i = 0; i < 3; i++)
		expect_read(f, VA, PAGES);
	count_all(f);
	for (unsigned int i = 0; i < 3; i++)
		expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 3, 3, 0, 12, 0, 0, 0);
	set(f, WEIR_SMMU_PMCG_CR, 4, 0);
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 0, 0, 0, 0, 0, 0, 0);
}

/* Stage 2 translates each of stage 1's four reads, the CD, and what comes out. */
static void both_stages(void **state)
{
	struct fixture *f = *state;
	uint64_t stage1;

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	recreate(f);
	stage1 = add_el1(f, STREAM);
	map(f, stage1, VA, PAGE | PAGES);
	nest(f, STREAM, add_stage2(f, STREAM + 1, WORLDS_VMID), WORLDS_VMID);
	count_all(f);
	dma(f, STREAM + 1, PAGES, false, &(uint64_t){ 0 });
	EXPECT_COUNTS(f, 1, 1, 1, STAGE2, 1, 0, 0);
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 1, 1, 1, STAGE2 + 4 * (STAGE2 + 1) + STAGE2, 2, 0, 0);
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 1, 1, 0, 4 * (STAGE2 + 1) + STAGE2, 0, 0, 0);
}

/* 4.2, 10.3: not a transaction, but its accesses are there. */
static void prefetches(void **state)
{
	struct fixture *f = *state;

	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	count_all(f);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM), VA);
	EXPECT_COUNTS(f, 0, 0, 0, 4, 2, 0, 0);
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 1, 0, 0, 0, 0, 0, 0);
}

/* The access flag is one more access; so is the dirty state, in a walk of its own. */
static void updates(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF_DIRTY);
	recreate(f);
	map(f, add_stream(f, STREAM), VA,
	    (PAGE & ~WEIR_VMSA_AF) | WEIR_VMSA_DBM | WEIR_VMSA_AP_RDONLY | PAGES);
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD);
	count_all(f);
	expect_read(f, VA, PAGES);
	EXPECT_COUNTS(f, 1, 1, 1, 5, 2, 0, 0);
	assert_int_equal(dma(f, STREAM, VA, true, &pa), WEIR_MODEL_OK);
	EXPECT_COUNTS(f, 1, 1, 0, 5, 0, 0, 0);
	assert_int_equal(dma(f, STREAM, VA, true, &pa), WEIR_MODEL_OK);
	EXPECT_COUNTS(f, 1, 0, 0, 0, 0, 0, 0);
}

static void ats(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;
	struct weir_model_txn txn = { .stream = STREAM,
				      .addr = VA,
				      .flags = WEIR_MODEL_TXN_ATS_REQUEST };

	have_ats(f);
	recreate(f);
	map(f, add_ats(f, STREAM), VA, PAGE | PAGES);
	count_all(f);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	EXPECT_COUNTS(f, 1, 1, 1, 4, 2, 1, 0);
	txn.addr = out.addr;
	txn.flags = WEIR_MODEL_TXN_TRANSLATED;
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	EXPECT_COUNTS(f, 1, 0, 0, 0, 0, 0, 1);
}

static void clock_ticks(void **state)
{
	struct fixture *f = *state;

	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	/* A filter that nothing passes is no concern of it. */
	count_event(f, 0, WEIR_SMMU_PMCG_CYCLE, 0xfff);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	expect_read(f, VA, PAGES);
	expect_read(f, VA, PAGES);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(get(f, counter(0), 8), 3);
}

/* ---- Filters ----------------------------------------------------------------------------- */

static void streams_are_filtered(void **state)
{
	static const struct {
		uint64_t type;
		uint32_t filter;
		unsigned int expected; /* of streams 0 to 255 */
	} filters[] = {
		{ 0, 5, 1 },	     { 0, 0x100, 0 },	    { SPAN, 0x10, 2 },
		{ SPAN, 0x11, 4 },   { SPAN, 0x13, 8 },	    { SPAN, 0x37, 16 },
		{ SPAN, 0x7f, 256 }, { SPAN, 0x7fff, 256 }, { SPAN, 0xffff, 256 },
		{ SPAN, 0x7ffe, 0 },
	};
	struct fixture *f = *state;

	for (unsigned int n = 0; n < WEIR_ARRAY_SIZE(filters); n++)
		count_event(f, n, filters[n].type | WEIR_SMMU_PMCG_TRANSACTION, filters[n].filter);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	for (uint32_t sid = 0; sid < 256; sid++)
		dma(f, sid, VA, false, &(uint64_t){ 0 });
	for (unsigned int n = 0; n < WEIR_ARRAY_SIZE(filters); n++)
		assert_int_equal(get(f, counter(n), 8), filters[n].expected);
}

/* Nothing has to match of a StreamID that has no bits. */
static void the_only_stream(void **state)
{
	struct fixture *f = *state;

	set_field(&f->config.idr[1], WEIR_SMMU_IDR1_SIDSIZE, 0);
	recreate(f);
	for (unsigned int n = 0; n < 2; n++)
		count_event(f, n, (n ? SPAN : 0) | WEIR_SMMU_PMCG_TRANSACTION, ALL);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	dma(f, 0, VA, false, &(uint64_t){ 0 });
	for (unsigned int n = 0; n < 2; n++)
		assert_int_equal(get(f, counter(n), 8), 1);
}

/* ---- Enables ----------------------------------------------------------------------------- */

static void counts_while_enabled(void **state)
{
	struct fixture *f = *state;
	const uint64_t transactions = SPAN | WEIR_SMMU_PMCG_TRANSACTION;

	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	count_event(f, 0, transactions, ALL);
	expect_read(f, VA, PAGES);
	assert_int_equal(get(f, counter(0), 8), 0);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	count_event(f, 1, transactions, ALL);
	expect_read(f, VA, PAGES);
	set(f, WEIR_SMMU_PMCG_CNTENCLR0, 8, 1);
	expect_read(f, VA, PAGES);
	assert_int_equal(get(f, counter(0), 8), 1);
	assert_int_equal(get(f, counter(1), 8), 2);
	/* An event that there is not. */
	set(f, WEIR_SMMU_PMCG_EVTYPER + 4, 4, SPAN | 0x80);
	expect_read(f, VA, PAGES);
	set(f, WEIR_SMMU_PMCG_CR, 4, 0);
	set(f, WEIR_SMMU_PMCG_EVTYPER + 4, 4, transactions);
	expect_read(f, VA, PAGES);
	assert_int_equal(get(f, counter(1), 8), 2);
	/* Software's value is what is counted on. */
	set(f, counter(1), 8, 100);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	expect_read(f, VA, PAGES);
	assert_int_equal(get(f, counter(1), 8), 101);
}

/* An answer of before is not given while counting, and answers of meanwhile not afterwards. */
static void answers_stay_right(void **state)
{
	struct fixture *f = *state;
	uint64_t leaf = map(f, add_stream(f, STREAM), VA, PAGE | PAGES);

	for (unsigned int i = 0; i < 20; i++) {
		uint64_t pa = PAGES + i * 0x1000ull;

		put(f, leaf, PAGE | pa);
		invalidate_all(f);
		expect_read(f, VA, pa);
		expect_read(f, VA, pa);
		if (i % 3 == 0)
			count_all(f);
		expect_read(f, VA, pa);
		if (i % 3 == 1)
			set(f, WEIR_SMMU_PMCG_CR, 4, 0);
		expect_read(f, VA, pa);
	}
}

/* ---- Overflow ---------------------------------------------------------------------------- */

static void one_before_overflow(struct fixture *f, unsigned int n, uint64_t type)
{
	count_event(f, n, type | SPAN | WEIR_SMMU_PMCG_TRANSACTION, ALL);
	set(f, counter(n), 8, MASK48);
}

static void overflow_wraps_and_captures(void **state)
{
	struct fixture *f = *state;

	one_before_overflow(f, 2, 0);
	count_event(f, 3, SPAN | WEIR_SMMU_PMCG_TRANSACTION, ALL);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	expect_blocked(f, VA);
	assert_int_equal(get(f, counter(2), 8), 0);
	assert_int_equal(get(f, PAGE1 + WEIR_SMMU_PMCG_OVSSET0, 8), 1 << 2);
	assert_int_equal(get(f, shadow(3), 8), 0);
	/* Once more, with the flag still set. */
	one_before_overflow(f, 2, WEIR_SMMU_PMCG_EVTYPER_OVFCAP);
	expect_blocked(f, VA);
	assert_int_equal(get(f, shadow(2), 8), 0);
	assert_int_equal(get(f, shadow(3), 8), 1); /* it comes after counter 2 */
	set(f, PAGE1 + WEIR_SMMU_PMCG_CAPR, 4, 2);
	assert_int_equal(get(f, shadow(3), 8), 1);
	set(f, PAGE1 + WEIR_SMMU_PMCG_CAPR, 4, 1);
	assert_int_equal(get(f, shadow(3), 8), 2);
	assert_int_equal(get(f, PAGE1 + WEIR_SMMU_PMCG_CAPR, 4), 0);
	/* 10.5.2.10: software's own. */
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, ~0ull);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	set(f, PAGE1 + WEIR_SMMU_PMCG_OVSSET0, 8, 1 << 2);
	expect_blocked(f, VA);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 0);
	assert_int_equal(get(f, shadow(3), 8), 2);
}

static void overflow(struct fixture *f)
{
	one_before_overflow(f, 0, 0);
	expect_blocked(f, VA);
}

static void overflow_interrupts(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_PMCG];

	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, ~0u);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4), 1);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CTRLACK, 4), 1);
	overflow(f);
	assert_int_equal(*line, 0); /* no INTEN */
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1);
	overflow(f);
	assert_int_equal(taken(line), 1);
	assert_int_equal(f->msis, 0);
	/* Guarded. */
	set(f, WEIR_SMMU_PMCG_IRQ_CFG0, 8, DOORBELL);
	set(f, WEIR_SMMU_PMCG_IRQ_CFG1, 4, 0x77);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CFG0, 8), 0);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CFG1, 4), 0);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 0);
	overflow(f);
	assert_int_equal(*line, 0);
	set(f, WEIR_SMMU_PMCG_IRQ_CFG0, 8, DOORBELL);
	set(f, WEIR_SMMU_PMCG_IRQ_CFG1, 4, 0x77);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	assert_int_equal(*line, 0); /* that of before is past */
	/* An interrupt register of the SMMU's own makes no difference. */
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 7);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	overflow(f);
	assert_int_equal(taken(line), 1);
	assert_int_equal(taken(&f->msis), 1);
	assert_int_equal(f->msi_addr, DOORBELL);
	assert_int_equal(f->msi_data, 0x77);
}

/* The host is not called while a transaction is in flight: step() sends its interrupt. */
static void flight_leaves_it_to_step(void **state)
{
	struct fixture *f = *state;

	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1);
	one_before_overflow(f, 0, 0);
	taken(&f->kicks);
	expect_read(f, VA, PAGES);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 0);
	assert_int_not_equal(taken(&f->kicks), 0);
	step(f, 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 1);
}

/* A command's ticks interrupt too. */
static void step_interrupts(void **state)
{
	struct fixture *f = *state;

	count_event(f, 4, WEIR_SMMU_PMCG_CYCLE, 0);
	set(f, counter(4), 8, MASK48);
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1 << 4);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 1);
}

static void message_aborts(void **state)
{
	struct fixture *f = *state;

	set(f, WEIR_SMMU_PMCG_IRQ_CFG0, 8, NOWHERE);
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	overflow(f);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_STATUS, 4), 1);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	set(f, WEIR_SMMU_PMCG_IRQ_STATUS, 4, 0);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 0);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_STATUS, 4), 1);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_STATUS, 4), 0);
}

/* 10.5.2.24: in SMMUv3.0 nobody is told. */
static void no_status_of_aborts(void **state)
{
	struct fixture *f = *state;

	f->config.aidr = 0;
	recreate(f);
	set(f, WEIR_SMMU_PMCG_IRQ_CFG0, 8, NOWHERE);
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	overflow(f);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 1);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_STATUS, 4), 0);
}

static void irq_enable_is_acknowledged_late(void **state)
{
	struct fixture *f = *state;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	recreate(f);
	step(f, 1);
	set(f, WEIR_SMMU_PMCG_INTENSET0, 8, 1);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	taken(&f->kicks);
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 1);
	assert_int_not_equal(taken(&f->kicks), 0);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CTRLACK, 4), 0);
	/* Neither taken back nor in effect; and it guards already. */
	set(f, WEIR_SMMU_PMCG_IRQ_CTRL, 4, 0);
	set(f, WEIR_SMMU_PMCG_IRQ_CFG1, 4, 1);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CFG1, 4), 0);
	overflow(f);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 0);
	step(f, 1);
	assert_int_equal(get(f, WEIR_SMMU_PMCG_IRQ_CTRLACK, 4), 1);
	overflow(f);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PMCG], 1);
}

/* ---- Threads ----------------------------------------------------------------------------- */

#define THREADS 4u
#define TRANSACTIONS 3000u

static void *transact(void *opaque)
{
	struct fixture *f = opaque;
	uint64_t pa;

	for (unsigned int i = 0; i < TRANSACTIONS; i++)
		dma(f, STREAM, VA, false, &pa);
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];

	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	transact(f);
	count_all(f);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, transact, f), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(get(f, counter(WEIR_SMMU_PMCG_TRANSACTION), 8), THREADS * TRANSACTIONS);
	/* On and off while they fly. */
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, transact, f), 0);
	for (unsigned int i = 0; i < 200; i++)
		set(f, WEIR_SMMU_PMCG_CR, 4, i % 2);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	set(f, WEIR_SMMU_PMCG_CR, 4, 1);
	set(f, counter(WEIR_SMMU_PMCG_TRANSACTION), 8, 0);
	transact(f);
	assert_int_equal(get(f, counter(WEIR_SMMU_PMCG_TRANSACTION), 8), TRANSACTIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_without_counters),
		TEST_GROUP(registers_say_what_there_is),
		TEST_GROUP(registers_keep_their_fields),
		TEST_GROUP(bits_are_set_and_cleared),
		TEST_GROUP(the_rest_is_reserved),
		TEST_GROUP(transactions_and_misses),
		TEST_GROUP(without_a_tlb),
		TEST_GROUP(both_stages),
		TEST_GROUP(prefetches),
		TEST_GROUP(updates),
		TEST_GROUP(ats),
		TEST_GROUP(clock_ticks),
		TEST_GROUP(streams_are_filtered),
		TEST_GROUP(the_only_stream),
		TEST_GROUP(counts_while_enabled),
		TEST_GROUP(answers_stay_right),
		TEST_GROUP(overflow_wraps_and_captures),
		TEST_GROUP(overflow_interrupts),
		TEST_GROUP(flight_leaves_it_to_step),
		TEST_GROUP(step_interrupts),
		TEST_GROUP(message_aborts),
		TEST_GROUP(no_status_of_aborts),
		TEST_GROUP(irq_enable_is_acknowledged_late),
		TEST_GROUP(threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
