/* SPDX-License-Identifier: MIT */

/*
 * Enhanced command queues of the SMMUv3 model (IHI 0070 3.5.6, 6.2.5, 6.3.49 to 6.3.51, 6.3.107 to
 * 6.3.109). Proves:
 *  - control pages are where their registers say, one behind the other and behind the VATOS page,
 *    with queues at even distances; and are not there without IDR1.ECMDQ;
 *  - BASE and CONS are software's while a queue is disabled, PROD while EN is acknowledged; CR1's
 *    queue attributes are nobody's while one is enabled; with adversarial caches ENACK comes late;
 *  - queues of all sizes are consumed, in order, whether or not CMDQEN, and fairly in turn;
 *  - an error stops its queue alone, toggles ERR, tells the reason and the place, activates
 *    CMDQP_ERR and its interrupt; ERRACK goes on, GERRORN and CMDQ_ERR are of no concern;
 *  - a queue that is disabled consumes nothing, acknowledges in spite of an error, and forgets the
 *    CMD_SYNC that waited;
 *  - any number of CMD_SYNCs wait at once, each for the flights before it, of lanes and of the
 *    crowd, and of lanes for none after; the last of them is told of as the first is;
 *  - CMD_SYNC's three signals; the wake-up when a queue becomes non-full; the abort of an MSI;
 *  - CMD_SYNC waits for, and fails with, the CMD_ATC_INV of its own queue alone;
 *  - with adversarial caches it completes the invalidations of its own queue alone;
 *  - producers on queues of their own, beside the consumer, lose nothing.
 */

#include "smmuhost.h"

#include <pthread.h>
#include <string.h>

#define LOG2PAGES 1u
#define LOG2QUEUES 2u /* in each */
#define QUEUES (1u << (LOG2PAGES + LOG2QUEUES))
#define PAGES_AT 0x20000ull
#define SPACING (0x10000ull >> LOG2QUEUES)
#define LOG2SIZE 3u
#define ENTRIES (1u << LOG2SIZE)
#define QUEUE_RAM (RAM_BASE + 0x700000)
#define VA 0x1000ull

#define EN WEIR_SMMU_ECMDQ_PROD_EN
#define ENACK WEIR_SMMU_ECMDQ_CONS_ENACK
#define ERR WEIR_SMMU_ECMDQ_CONS_ERR /* and ERRACK */
#define REASON(n) WEIR_SMMU_FIELD(WEIR_SMMU_ECMDQ_CONS_ERR_REASON, n)

/* ---- Queues, by their registers ---------------------------------------------------------- */

static uint64_t reg_of(unsigned int queue, uint64_t reg)
{
	return PAGES_AT + queue * SPACING + reg;
}

static uint32_t get(struct fixture *f, unsigned int queue, uint64_t reg)
{
	return (uint32_t)rd(f, reg_of(queue, reg), 4);
}

static void set(struct fixture *f, unsigned int queue, uint64_t reg, uint64_t value)
{
	wr(f, reg_of(queue, reg), 4, value);
}

static uint64_t ram_of(unsigned int queue)
{
	return QUEUE_RAM + queue * 0x1000ull;
}

static void start(struct fixture *f, unsigned int queue)
{
	wr(f, reg_of(queue, WEIR_SMMU_ECMDQ_BASE), 8, ram_of(queue) | LOG2SIZE);
	set(f, queue, WEIR_SMMU_ECMDQ_CONS, 0);
	set(f, queue, WEIR_SMMU_ECMDQ_PROD, EN);
	if (f->config.caches == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		step(f, 1);
	assert_int_equal(get(f, queue, WEIR_SMMU_ECMDQ_CONS), ENACK);
}

static void queue_at(struct fixture *f, unsigned int queue, uint64_t word0, uint64_t word1)
{
	uint32_t prod = get(f, queue, WEIR_SMMU_ECMDQ_PROD);
	uint64_t addr = ram_of(queue) + prod % ENTRIES * WEIR_SMMU_CMD_SIZE;

	put(f, addr, word0);
	put(f, addr + 8, word1);
	set(f, queue, WEIR_SMMU_ECMDQ_PROD,
	    (prod & ~(uint32_t)WEIR_SMMU_Q_INDEX) | (prod + 1) % (2 * ENTRIES));
}

/* Where a queue is, without the flags. */
static uint32_t consumed(struct fixture *f, unsigned int queue)
{
	return get(f, queue, WEIR_SMMU_ECMDQ_CONS) & (uint32_t)WEIR_SMMU_Q_INDEX;
}

static uint64_t sync_with(uint64_t cs, uint32_t data)
{
	return WEIR_SMMU_CMD_SYNC | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, cs) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_MSIDATA, data);
}

static void have_queues(struct fixture *f)
{
	f->config.idr[0] |= (uint32_t)(WEIR_SMMU_IDR0_COHACC | WEIR_SMMU_IDR0_MSI);
	f->config.idr[1] |= (uint32_t)WEIR_SMMU_IDR1_ECMDQ;
	f->config.idr[6] = (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMP, LOG2PAGES) |
				      WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMQ, LOG2QUEUES));
}

/* All of them enabled. */
static void with_queues(struct fixture *f)
{
	have_queues(f);
	recreate(f);
	for (unsigned int i = 0; i < QUEUES; i++)
		start(f, i);
}

/* ---- Where they are ---------------------------------------------------------------------- */

static void expect_pages(struct fixture *f, uint64_t at, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		uint64_t reg = WEIR_SMMU_CMDQ_CONTROL_PAGES + i * 32ull;

		assert_int_equal(rd(f, reg, 8), (at + i * 0x10000ull) | 3);
		assert_int_equal(rd(f, reg + WEIR_SMMU_CMDQ_CONTROL_CFG, 4), 1);
		assert_int_equal(rd(f, reg + WEIR_SMMU_CMDQ_CONTROL_STATUS, 4), 1);
		assert_int_equal(rd(f, reg + 0x10, 8), 0);
		wr(f, reg, 8, 0);
		assert_int_equal(rd(f, reg, 8), (at + i * 0x10000ull) | 3);
	}
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONTROL_PAGES + pages * 32ull, 8), 0);
	assert_int_equal(weir_model_smmuv3_mmio_size(f->smmu), at + pages * 0x10000ull);
}

static void pages_are_where_registers_say(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_config config;

	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONTROL_PAGES, 8), 0);
	assert_int_equal(weir_model_smmuv3_mmio_size(f->smmu), 0x20000);
	wr(f, reg_of(0, WEIR_SMMU_ECMDQ_BASE), 4, 8);
	assert_int_equal(rd(f, reg_of(0, WEIR_SMMU_ECMDQ_BASE), 4), 0);
	have_queues(f);
	recreate(f);
	expect_pages(f, PAGES_AT, 2);
	whole_implementation(&config); /* VATOS at 3 */
	become(f, &config);
	expect_pages(f, 0x60000, 2);
}

/* Each register of each queue keeps what it is given; all between is reserved. */
static void queues_are_evenly_spaced(void **state)
{
	struct fixture *f = *state;
	uint64_t end;

	have_queues(f);
	recreate(f);
	end = weir_model_smmuv3_mmio_size(f->smmu);
	for (uint64_t offset = PAGES_AT; offset < end; offset += 4)
		wr(f, offset, 4, 0x1000 + (offset & 0xff0000) / 0x100 + offset % SPACING);
	for (unsigned int i = 0; i < QUEUES; i++) {
		uint64_t page = reg_of(i, 0) & 0xff0000;
		uint32_t mark = (uint32_t)(0x1000 + page / 0x100);

		assert_int_equal(get(f, i, WEIR_SMMU_ECMDQ_BASE), mark);
		assert_int_equal(get(f, i, WEIR_SMMU_ECMDQ_BASE + 4), (mark + 4) & 0xfff);
		assert_int_equal(get(f, i, WEIR_SMMU_ECMDQ_PROD), mark + 8);
		/* Of a queue of one entry: the wrap bit alone. */
		assert_int_equal(get(f, i, WEIR_SMMU_ECMDQ_CONS), 0);
		for (uint64_t reg = WEIR_SMMU_ECMDQ_SIZE; reg < SPACING; reg += 4)
			assert_int_equal(get(f, i, reg), 0);
	}
	assert_int_equal(rd(f, end, 4), 0);
}

static void the_most_there_can_be(void **state)
{
	struct fixture *f = *state;
	uint64_t last = PAGES_AT + 0x10000ull * 256 - 0x100;

	have_queues(f);
	f->config.idr[6] = (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMP, 8) |
				      WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMQ, 8));
	recreate(f);
	expect_pages(f, PAGES_AT, 256);
	put(f, QUEUE_RAM, WEIR_SMMU_CMD_SYNC);
	wr(f, last + WEIR_SMMU_ECMDQ_BASE, 8, QUEUE_RAM | LOG2SIZE);
	wr(f, last + WEIR_SMMU_ECMDQ_PROD, 4, EN | 1);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(rd(f, last + WEIR_SMMU_ECMDQ_CONS, 4), ENACK | 1);
}

/* ---- Enabling ---------------------------------------------------------------------------- */

static void registers_are_guarded(void **state)
{
	struct fixture *f = *state;

	have_queues(f);
	recreate(f);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR1, 4, 0);
	wr(f, reg_of(1, WEIR_SMMU_ECMDQ_BASE), 8, ~0ull);
	assert_int_equal(rd(f, reg_of(1, WEIR_SMMU_ECMDQ_BASE), 8),
			 WEIR_GENMASK(43, 5) | 1ull << 62 | 0x1f);
	wr(f, reg_of(1, WEIR_SMMU_ECMDQ_CONS), 4, ~0u);
	assert_int_equal(get(f, 1, WEIR_SMMU_ECMDQ_CONS), 0x078fffff);
	start(f, 1);
	wr(f, reg_of(1, WEIR_SMMU_ECMDQ_BASE), 8, 0);
	assert_int_equal(rd(f, reg_of(1, WEIR_SMMU_ECMDQ_BASE), 8), ram_of(1) | LOG2SIZE);
	set(f, 1, WEIR_SMMU_ECMDQ_CONS, 5);
	assert_int_equal(get(f, 1, WEIR_SMMU_ECMDQ_CONS), ENACK);
	/* 6.3.11: tables' attributes are SMMUEN's alone. */
	wr(f, WEIR_SMMU_CR1, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0xfc0);
	set(f, 1, WEIR_SMMU_ECMDQ_PROD, 0);
	wr(f, WEIR_SMMU_CR1, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0xfff);
	set(f, 1, WEIR_SMMU_ECMDQ_CONS, 5);
	assert_int_equal(get(f, 1, WEIR_SMMU_ECMDQ_CONS), 5);
}

static void enable_is_acknowledged_late(void **state)
{
	struct fixture *f = *state;

	have_queues(f);
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	recreate(f);
	wr(f, reg_of(2, WEIR_SMMU_ECMDQ_BASE), 8, ram_of(2) | LOG2SIZE);
	taken(&f->kicks);
	set(f, 2, WEIR_SMMU_ECMDQ_PROD, EN);
	assert_int_not_equal(taken(&f->kicks), 0);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_CONS), 0);
	/* Neither more commands nor a change of mind, and the rest is read-only by now. */
	set(f, 2, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	set(f, 2, WEIR_SMMU_ECMDQ_PROD, 0);
	set(f, 2, WEIR_SMMU_ECMDQ_CONS, 7);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_PROD), EN);
	step(f, 1);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_CONS), ENACK);
	set(f, 2, WEIR_SMMU_ECMDQ_PROD, 0);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_CONS), ENACK);
	set(f, 2, WEIR_SMMU_ECMDQ_PROD, EN);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_PROD), 0);
	step(f, 1);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_CONS), 0);
}

static void disabled_consumes_nothing(void **state)
{
	struct fixture *f = *state;

	with_queues(f);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, 1);
	assert_int_equal(get(f, 0, WEIR_SMMU_ECMDQ_CONS), 0);
	assert_int_equal(step(f, 10), 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, 2);
	assert_int_equal(step(f, 10), 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	assert_int_equal(step(f, 10), 1);
}

/* ---- Commands ---------------------------------------------------------------------------- */

static void queues_of_all_sizes(void **state)
{
	struct fixture *f = *state;

	have_queues(f);
	recreate(f);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN); /* CMDQEN is of no concern */
	for (unsigned int log2size = 0; log2size < 6; log2size++) {
		uint32_t entries = 1u << log2size;

		for (unsigned int i = 0; i < entries; i++)
			put(f, ram_of(0) + i * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_TLBI_NSNH_ALL);
		wr(f, reg_of(0, WEIR_SMMU_ECMDQ_BASE), 8, ram_of(0) | log2size);
		set(f, 0, WEIR_SMMU_ECMDQ_CONS, 0);
		set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN);
		for (uint32_t prod = 1; prod < 5 * entries; prod++) {
			taken(&f->kicks);
			set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | (prod % (2 * entries)));
			assert_int_equal(f->kicks, 1);
			assert_int_equal(step(f, 10), 1);
			assert_int_equal(get(f, 0, WEIR_SMMU_ECMDQ_CONS),
					 ENACK | (prod % (2 * entries)));
		}
		set(f, 0, WEIR_SMMU_ECMDQ_PROD, 0);
	}
}

static void full_but_not_more(void **state)
{
	struct fixture *f = *state;

	with_queues(f);
	set(f, 3, WEIR_SMMU_ECMDQ_PROD, EN | (ENTRIES + 1));
	assert_int_equal(step(f, 100), 0);
	assert_int_equal(consumed(f, 3), 0);
	for (unsigned int i = 0; i < ENTRIES; i++)
		put(f, ram_of(3) + i * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_TLBI_NSNH_ALL);
	set(f, 3, WEIR_SMMU_ECMDQ_PROD, EN | ENTRIES);
	assert_int_equal(step(f, 100), ENTRIES);
}

/* The main queue is one of them. */
static void queues_take_turns(void **state)
{
	struct fixture *f = *state;

	with_queues(f);
	for (unsigned int n = 0; n < ENTRIES; n++) {
		for (unsigned int i = 0; i < QUEUES; i++)
			queue_at(f, i, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
		queue_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	}
	for (unsigned int n = 1; n < ENTRIES; n++) {
		/* However small the budgets are. */
		for (unsigned int i = 0; i < QUEUES + 1; i++)
			assert_int_equal(step(f, 1), 1);
		for (unsigned int i = 0; i < QUEUES; i++)
			assert_int_equal(consumed(f, i), n);
		assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), n);
	}
	assert_int_equal(step(f, 1000), QUEUES + 1);
	assert_int_equal(step(f, 1000), 0);
	assert_int_equal(stats_of(f).commands, ENTRIES * (QUEUES + 1));
}

static void commands_do_what_they_say(void **state)
{
	struct fixture *f = *state;
	uint64_t leaf;

	with_queues(f);
	leaf = map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	expect_read(f, VA, PAGES);
	put(f, leaf, PAGE | (PAGES + 0x1000));
	expect_read(f, VA, PAGES);
	queue_at(f, 5, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	queue_at(f, 5, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 2);
	expect_read(f, VA, PAGES + 0x1000);
}

/* ---- Errors ------------------------------------------------------------------------------ */

/* The queue stopped at its first command. */
static void expect_error(struct fixture *f, unsigned int queue, uint32_t reason, bool err)
{
	assert_int_equal(get(f, queue, WEIR_SMMU_ECMDQ_CONS),
			 ENACK | REASON(reason) | (err ? ERR : 0));
	assert_int_equal(step(f, 10), 0);
}

static void error_stops_its_queue(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_GERROR];

	with_queues(f);
	taken(line);
	queue_at(f, 1, 0xff, 0);
	queue_at(f, 1, WEIR_SMMU_CMD_SYNC, 0);
	queue_at(f, 2, WEIR_SMMU_CMD_SYNC, 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 2);
	expect_error(f, 1, WEIR_SMMU_CERROR_ILL, true);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_CMDQP_ERR);
	assert_int_equal(taken(line), 1);
	/* Another one while the first is active is told by its own queue alone. */
	queue_at(f, 2, 0xff, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(get(f, 2, WEIR_SMMU_ECMDQ_CONS),
			 ENACK | ERR | REASON(WEIR_SMMU_CERROR_ILL) | 1);
	assert_int_equal(taken(line), 0);
	/* GERRORN is not what they wait for. */
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_CMDQP_ERR);
	assert_int_equal(step(f, 10), 0);
	put(f, ram_of(1), WEIR_SMMU_CMD_SYNC);
	taken(&f->kicks);
	set(f, 1, WEIR_SMMU_ECMDQ_PROD, EN | ERR | 2);
	assert_int_equal(f->kicks, 1);
	assert_int_equal(step(f, 10), 2);
	/* The next error toggles ERR back. */
	queue_at(f, 1, WEIR_SMMU_CMD_SYNC | 3ull << 12, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(get(f, 1, WEIR_SMMU_ECMDQ_CONS), ENACK | REASON(WEIR_SMMU_CERROR_ILL) | 2);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	assert_int_equal(taken(line), 1);
}

static void fetch_aborts(void **state)
{
	struct fixture *f = *state;

	have_queues(f);
	recreate(f);
	wr(f, reg_of(0, WEIR_SMMU_ECMDQ_BASE), 8, NOWHERE | LOG2SIZE);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	assert_int_equal(step(f, 10), 0);
	expect_error(f, 0, WEIR_SMMU_CERROR_ABT, true);
	/* 3.5.6.2: acknowledged in spite of it; made consistent, it works again. */
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, 1);
	assert_int_equal(get(f, 0, WEIR_SMMU_ECMDQ_CONS), ERR | REASON(WEIR_SMMU_CERROR_ABT));
	wr(f, reg_of(0, WEIR_SMMU_ECMDQ_BASE), 8, ram_of(0) | LOG2SIZE);
	put(f, ram_of(0), WEIR_SMMU_CMD_SYNC);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	assert_int_equal(step(f, 10), 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, 1);
	set(f, 0, WEIR_SMMU_ECMDQ_CONS, 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	assert_int_equal(step(f, 10), 1);
}

/* 3.5.6.3: neither the main queue's error nor its enable. */
static void main_queue_is_another(void **state)
{
	struct fixture *f = *state;

	with_queues(f);
	queue_command(f, 0xff, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_CMDQ_ERR);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 1);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 1);
}

/* ---- CMD_SYNC ---------------------------------------------------------------------------- */

static struct weir_model_translation begin(struct fixture *f, uint16_t flags)
{
	const struct weir_model_txn txn = { .addr = VA,
					    .stream = STREAM,
					    .len = 4,
					    .flags = flags,
					    .attributes = WEIR_MODEL_ATTR_PCIE };
	struct weir_model_translation out;

	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, &out), WEIR_MODEL_OK);
	return out;
}

/* A flight for each of the queues, then the queue's CMD_SYNC; they land in the same order. */
static void each_sync_waits_for_its_own(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation flights[QUEUES];

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	for (unsigned int i = 0; i < QUEUES; i++) {
		flights[i] = begin(f, WEIR_MODEL_TXN_DETACHED);
		queue_at(f, i, WEIR_SMMU_CMD_SYNC, 0);
		assert_int_equal(step(f, 100), 0);
	}
	for (unsigned int i = 0; i < QUEUES; i++) {
		taken(&f->kicks);
		weir_model_smmuv3_complete(f->smmu, &flights[i]);
		assert_int_not_equal(taken(&f->kicks), 0);
		step(f, 100);
		if (!i)
			assert_int_equal(consumed(f, 0), 1);
		assert_int_equal(consumed(f, QUEUES - 1), i == QUEUES - 1);
	}
	for (unsigned int i = 0; i < QUEUES; i++)
		assert_int_equal(consumed(f, i), 1);
}

/* One after the other, and each before the one before has completed: none waits for all. */
static void later_syncs_hold_nobody_up(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation now, next;

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	now = begin(f, WEIR_MODEL_TXN_DETACHED);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 100), 0);
	for (unsigned int i = 1; i < 100; i++) {
		next = begin(f, WEIR_MODEL_TXN_DETACHED);
		queue_at(f, i % 2, WEIR_SMMU_CMD_SYNC, 0);
		assert_int_equal(step(f, 100), 0);
		weir_model_smmuv3_complete(f->smmu, &now);
		assert_int_equal(step(f, 100), 1);
		now = next;
	}
	weir_model_smmuv3_complete(f->smmu, &now);
	assert_int_equal(step(f, 100), 1);
}

/* Two that wait for the same turn of the crowd: one is as good for both. */
static void syncs_share_a_turn(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation flights[3];

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	for (unsigned int i = 0; i < 2; i++) {
		flights[i] = begin(f, WEIR_MODEL_TXN_DETACHED);
		queue_at(f, i, WEIR_SMMU_CMD_SYNC, 0);
		assert_int_equal(step(f, 100), 0);
	}
	queue_at(f, 2, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 100), 0);
	weir_model_smmuv3_complete(f->smmu, &flights[0]);
	assert_int_equal(step(f, 100), 1);
	flights[2] = begin(f, WEIR_MODEL_TXN_DETACHED);
	weir_model_smmuv3_complete(f->smmu, &flights[1]);
	assert_int_equal(step(f, 100), 2);
	weir_model_smmuv3_complete(f->smmu, &flights[2]);
}

/* Another thread's flight, in its lane: `there` when it is up, until `go`. */
struct flyer {
	struct fixture *f;
	pthread_t thread;
	pthread_barrier_t there, go;
};

static void *fly(void *opaque)
{
	struct flyer *flyer = opaque;
	struct weir_model_translation flight = begin(flyer->f, 0);

	pthread_barrier_wait(&flyer->there);
	pthread_barrier_wait(&flyer->go);
	weir_model_smmuv3_complete(flyer->f->smmu, &flight);
	return NULL;
}

static void take_off(struct fixture *f, struct flyer *flyer)
{
	flyer->f = f;
	pthread_barrier_init(&flyer->there, NULL, 2);
	pthread_barrier_init(&flyer->go, NULL, 2);
	assert_int_equal(pthread_create(&flyer->thread, NULL, fly, flyer), 0);
	pthread_barrier_wait(&flyer->there);
}

static void land(struct flyer *flyer)
{
	pthread_barrier_wait(&flyer->go);
	pthread_join(flyer->thread, NULL);
	pthread_barrier_destroy(&flyer->there);
	pthread_barrier_destroy(&flyer->go);
}

/* Each flyer's CMD_SYNC in a queue, and the last one in queue[4]. */
static void sync_behind_flyers(struct fixture *f, const unsigned int *queues)
{
	struct flyer flyers[4];

	for (unsigned int i = 0; i < 4; i++) {
		take_off(f, &flyers[i]);
		queue_at(f, queues[i], WEIR_SMMU_CMD_SYNC, 0);
		assert_int_equal(step(f, 100), 0);
	}
	queue_at(f, queues[4], WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 100), 0);
	/* That of a queue is consumed when the flights before it have landed, not those behind. */
	for (unsigned int i = 0; i < 4; i++) {
		taken(&f->kicks);
		land(&flyers[i]);
		/* Also those for which others waited longer. */
		assert_int_not_equal(taken(&f->kicks), 0);
		assert_int_equal(step(f, 100), i == 3 ? 2 : 1);
		assert_int_equal(consumed(f, queues[i]), consumed(f, queues[0]));
	}
}

/* Whichever of those that wait is looked at last. */
static void each_sync_waits_for_its_own_lanes(void **state)
{
	static const unsigned int up[] = { 0, 1, 2, 3, 4 }, down[] = { 4, 3, 2, 1, 0 };
	struct fixture *f = *state;

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	sync_behind_flyers(f, up);
	sync_behind_flyers(f, down);
}

static void dropped_sync_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation before, later;

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	before = begin(f, WEIR_MODEL_TXN_DETACHED);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, 1);
	later = begin(f, WEIR_MODEL_TXN_DETACHED);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | 1);
	/* The same entry is another CMD_SYNC now. */
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_complete(f->smmu, &before);
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_complete(f->smmu, &later);
	assert_int_equal(step(f, 10), 1);
}

static void sync_signals(void **state)
{
	struct fixture *f = *state;

	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_SEV;
	with_queues(f);
	queue_at(f, 6, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 0x77), DOORBELL);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_CMD_SYNC], 1);
	assert_int_equal(f->msis, 1);
	assert_int_equal(f->msi_data, 0x77);
	queue_at(f, 6, sync_with(WEIR_SMMU_CMD_SYNC_CS_SEV, 0), 0);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(taken(&f->wakes), 1);
	/* An abort is told where the main queue's is. */
	queue_at(f, 6, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 0), NOWHERE);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR);
}

static void wakes_when_no_more_full(void **state)
{
	struct fixture *f = *state;

	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_SEV;
	with_queues(f);
	for (unsigned int i = 0; i < ENTRIES - 1; i++)
		queue_at(f, 0, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	step(f, 100);
	assert_int_equal(f->wakes, 0);
	for (unsigned int i = 0; i < ENTRIES; i++)
		queue_at(f, 0, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	assert_int_equal(step(f, 1), 1);
	assert_int_equal(taken(&f->wakes), 1);
	step(f, 100);
	assert_int_equal(f->wakes, 0);
	/* 4.1.2: so does the main queue. */
	for (unsigned int i = 0; i < 1u << CMDQ_LOG2; i++)
		queue_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	step(f, 1000);
	assert_int_equal(taken(&f->wakes), 1);
}

static unsigned int invalidations[2];

/* StreamID 0's and 1's. */
static void note_invalidation(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			      bool global, uint64_t addr, unsigned int size, unsigned int itag)
{
	(void)opaque;
	(void)has_substream;
	(void)substream;
	(void)global;
	(void)addr;
	(void)size;
	invalidations[stream] = itag;
}

static void sync_waits_for_its_own_atcs(void **state)
{
	static const struct weir_model_smmuv3_client_ops client = { .invalidate =
									    note_invalidation };
	struct fixture *f = *state;

	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_ATS;
	with_queues(f);
	weir_model_smmuv3_set_client(f->smmu, &client, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		queue_at(f, i, for_stream(WEIR_SMMU_CMD_ATC_INV, i), 0);
		queue_at(f, i, WEIR_SMMU_CMD_SYNC, 0);
	}
	queue_at(f, 2, WEIR_SMMU_CMD_SYNC, 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 100), 4);
	weir_model_smmuv3_invalidated(f->smmu, invalidations[1], WEIR_MODEL_OK);
	assert_int_equal(step(f, 100), 1);
	assert_int_equal(consumed(f, 1), 2);
	/* The timeout is that of its queue. */
	weir_model_smmuv3_invalidated(f->smmu, invalidations[0], WEIR_MODEL_ABORT);
	queue_at(f, 1, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 100), 1);
	assert_int_equal(get(f, 0, WEIR_SMMU_ECMDQ_CONS),
			 ENACK | ERR | REASON(WEIR_SMMU_CERROR_ATC_INV_SYNC) | 1);
	set(f, 0, WEIR_SMMU_ECMDQ_PROD, EN | ERR | 2);
	assert_int_equal(step(f, 100), 1);
}

/* Software that waits for its invalidation in another queue has not waited for it. */
static void sync_completes_its_own_invalidations(void **state)
{
	struct fixture *f = *state;
	uint64_t leaf;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	with_queues(f);
	leaf = map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	expect_read(f, VA, PAGES);
	put(f, leaf, PAGE | (PAGES + 0x1000));
	queue_at(f, 0, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	queue_at(f, 1, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 2);
	expect_read(f, VA, PAGES);
	queue_at(f, 0, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 1);
	expect_read(f, VA, PAGES + 0x1000);
}

/* ---- Threads ----------------------------------------------------------------------------- */

#define COMMANDS 2000u

struct producer {
	struct fixture *f;
	unsigned int queue;
	pthread_t thread;
};

/* CMD_SYNCs behind invalidations, as fast as there is room. */
static void *produce(void *opaque)
{
	struct producer *p = opaque;

	for (unsigned int i = 0; i < COMMANDS; i++) {
		while (((get(p->f, p->queue, WEIR_SMMU_ECMDQ_PROD) -
			 get(p->f, p->queue, WEIR_SMMU_ECMDQ_CONS)) &
			(2 * ENTRIES - 1)) == ENTRIES)
			sched_yield();
		queue_at(p->f, p->queue, i % 4 ? WEIR_SMMU_CMD_TLBI_NH_ALL : WEIR_SMMU_CMD_SYNC, 0);
	}
	return NULL;
}

static void *transact(void *opaque)
{
	struct producer *p = opaque;
	struct weir_model_translation flight;

	for (unsigned int i = 0; i < COMMANDS; i++) {
		flight = begin(p->f, i % 2 ? WEIR_MODEL_TXN_DETACHED : 0);
		weir_model_smmuv3_complete(p->f->smmu, &flight);
	}
	return NULL;
}

static void producers_lose_nothing(void **state)
{
	struct fixture *f = *state;
	struct producer all[4];
	unsigned int done = 0;

	with_queues(f);
	map(f, add_stream(f, STREAM), VA, PAGE | PAGES);
	for (unsigned int i = 0; i < 4; i++) {
		all[i] = (struct producer){ .f = f, .queue = 2 * i };
		assert_int_equal(pthread_create(&all[i].thread, NULL, i < 3 ? produce : transact,
						&all[i]),
				 0);
	}
	while (done < 3 * COMMANDS)
		done += step(f, 7);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(all[i].thread, NULL);
	assert_int_equal(step(f, 100), 0);
	assert_int_equal(stats_of(f).syncs, 3 * COMMANDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_where_registers_say),
		TEST(queues_are_evenly_spaced),
		TEST(the_most_there_can_be),
		TEST(registers_are_guarded),
		TEST(enable_is_acknowledged_late),
		TEST(disabled_consumes_nothing),
		TEST(queues_of_all_sizes),
		TEST(full_but_not_more),
		TEST(queues_take_turns),
		TEST(commands_do_what_they_say),
		TEST(error_stops_its_queue),
		TEST(fetch_aborts),
		TEST(main_queue_is_another),
		TEST(each_sync_waits_for_its_own),
		TEST(later_syncs_hold_nobody_up),
		TEST(syncs_share_a_turn),
		TEST(each_sync_waits_for_its_own_lanes),
		TEST(dropped_sync_does_not_count),
		TEST(sync_signals),
		TEST(wakes_when_no_more_full),
		TEST(sync_waits_for_its_own_atcs),
		TEST(sync_completes_its_own_invalidations),
		TEST(producers_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
