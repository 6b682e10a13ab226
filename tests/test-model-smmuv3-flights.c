/* SPDX-License-Identifier: MIT */

/*
 * Transactions in flight through the SMMUv3 model, and CMD_SYNC. Proves:
 *  - CMD_SYNC completes when, and only when, all transactions that began before it are over: of the
 *    same thread, of another, nested, and such that another thread completes;
 *  - it does not wait for those that begin later, of the crowd neither;
 *  - the flight that lands kicks, so that CMD_SYNC goes on;
 *  - all of that after a long time without a command, when flights take no barrier;
 *  - what transactions get then, by ways that are short, is what they got before;
 *  - after CMD_SYNC no thread gets, or is on its way with, what was invalidated before it;
 *  - more threads than there are lanes are as good;
 *  - several threads may be the first (for the thread sanitizer: they find memory at once).
 */

#include "smmuhost.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define VA 0x1000ull

static uint64_t sync_command(void)
{
	return WEIR_SMMU_CMD_SYNC;
}

/* A transaction that stays in flight. */
static struct weir_model_translation begin(struct fixture *f, uint16_t flags)
{
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = VA,
		.len = 4,
		.flags = flags,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation out;

	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, &out), WEIR_MODEL_OK);
	return out;
}

static void end(struct fixture *f, struct weir_model_translation *translation)
{
	weir_model_smmuv3_complete(f->smmu, translation);
}

static uint64_t map_one(struct fixture *f)
{
	uint64_t table = add_stream(f, STREAM);

	return map(f, table, VA, PAGE | PAGES);
}

/* So many that lanes stop taking barriers. */
static void fly_often(struct fixture *f)
{
	for (unsigned int i = 0; i < 5000; i++)
		expect_read(f, VA, PAGES);
}

static void expect_waits_for(struct fixture *f, uint16_t flags)
{
	struct weir_model_translation flight = begin(f, flags);

	queue_command(f, sync_command(), 0);
	assert_int_equal(step(f, 10), 0);
	taken(&f->kicks);
	end(f, &flight);
	assert_int_not_equal(taken(&f->kicks), 0);
	assert_int_equal(step(f, 10), 1);
}

static void sync_waits(void **state)
{
	struct fixture *f = *state;

	map_one(f);
	for (unsigned int i = 0; i < 3; i++) {
		expect_waits_for(f, 0);
		expect_waits_for(f, WEIR_MODEL_TXN_DETACHED);
		fly_often(f);
	}
}

static void sync_waits_for_the_outermost(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation outer, inner;

	map_one(f);
	outer = begin(f, 0);
	inner = begin(f, 0);
	queue_command(f, sync_command(), 0);
	end(f, &inner);
	assert_int_equal(step(f, 10), 0);
	end(f, &outer);
	assert_int_equal(step(f, 10), 1);
}

static void sync_ignores_the_young(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation old, young;

	map_one(f);
	for (unsigned int i = 0; i < 3; i++) {
		old = begin(f, WEIR_MODEL_TXN_DETACHED);
		queue_command(f, sync_command(), 0);
		assert_int_equal(step(f, 10), 0);
		young = begin(f, WEIR_MODEL_TXN_DETACHED);
		assert_int_equal(step(f, 10), 0);
		end(f, &old);
		assert_int_equal(step(f, 10), 1);
		/* But the next one waits for them. */
		queue_command(f, sync_command(), 0);
		assert_int_equal(step(f, 10), 0);
		end(f, &young);
		assert_int_equal(step(f, 10), 1);
	}
}

/* One that another thread completes is not its own thread's, whose next one stands for itself. */
static void sync_tells_flights_apart(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation detached, own;

	map_one(f);
	for (unsigned int i = 0; i < 2; i++) {
		detached = begin(f, WEIR_MODEL_TXN_DETACHED);
		own = begin(f, 0);
		end(f, &detached);
		queue_command(f, sync_command(), 0);
		assert_int_equal(step(f, 10), 0);
		end(f, &own);
		assert_int_equal(step(f, 10), 1);
		fly_often(f);
	}
}

/* A CMD_SYNC that was given up while it waited leaves nothing behind. */
static void sync_is_withdrawn(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation old, young;
	uint32_t cr0 = (uint32_t)rd(f, WEIR_SMMU_CR0, 4);

	map_one(f);
	old = begin(f, WEIR_MODEL_TXN_DETACHED);
	queue_command(f, sync_command(), 0);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_CR0, 4, cr0 & ~(uint32_t)WEIR_SMMU_CR0_CMDQEN);
	step(f, 10);
	young = begin(f, WEIR_MODEL_TXN_DETACHED);
	wr(f, WEIR_SMMU_CR0, 4, cr0);
	assert_int_equal(step(f, 10), 0);
	end(f, &old);
	/* Enabled anew, it is another CMD_SYNC, and `young` began before it. */
	assert_int_equal(step(f, 10), 0);
	end(f, &young);
	assert_int_equal(step(f, 10), 1);
}

/* ---- Threads ----------------------------------------------------------------------------- */

struct traveller {
	struct fixture *f;
	uint32_t stop, stale, flights;
	const uint32_t *gone; /* set when the page is unmapped, and CMD_SYNC complete */
	uint16_t flags;
};

/* Reads a page until it is gone; what is in flight or begins after CMD_SYNC must not have it. */
static void *travel(void *opaque)
{
	struct traveller *t = opaque;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		struct weir_model_txn txn = {
			.stream = STREAM,
			.addr = VA,
			.len = 4,
			.flags = t->flags,
			.attributes = WEIR_MODEL_ATTR_PCIE,
		};
		struct weir_model_translation out;
		bool ok = weir_model_smmuv3_translate(t->f->smmu, &txn, &out) == WEIR_MODEL_OK;

		if (!ok)
			continue;
		if (__atomic_load_n(t->gone, __ATOMIC_SEQ_CST))
			__atomic_add_fetch(&t->stale, 1, __ATOMIC_RELAXED);
		weir_model_smmuv3_complete(t->f->smmu, &out);
		__atomic_add_fetch(&t->flights, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void finish_commands(struct fixture *f)
{
	while (rd(f, WEIR_SMMU_CMDQ_CONS, 4) != rd(f, WEIR_SMMU_CMDQ_PROD, 4))
		if (!step(f, 10))
			sched_yield();
}

static void wait_for_flights(struct traveller *t, uint32_t more)
{
	uint32_t first = __atomic_load_n(&t->flights, __ATOMIC_RELAXED);

	while (__atomic_load_n(&t->flights, __ATOMIC_RELAXED) - first < more)
		sched_yield();
}

static void nothing_stale(struct fixture *f, uint16_t flags, uint32_t flights)
{
	uint64_t entry = map_one(f);
	uint32_t gone = 0;
	struct traveller t = { .f = f, .gone = &gone, .flags = flags };
	pthread_t thread;

	/* Faults fill the queue, which is of no interest. */
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	assert_int_equal(pthread_create(&thread, NULL, travel, &t), 0);
	for (unsigned int i = 0; i < 300; i++) {
		wait_for_flights(&t, flights);
		put(f, entry, 0);
		queue_command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
		queue_command(f, sync_command(), 0);
		finish_commands(f);
		__atomic_store_n(&gone, 1, __ATOMIC_SEQ_CST);
		sched_yield();
		__atomic_store_n(&gone, 0, __ATOMIC_SEQ_CST);
		put(f, entry, PAGE | PAGES);
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(t.stale, 0);
}

static void nothing_stale_with_barriers(void **state)
{
	nothing_stale(*state, 0, 20);
}

static void nothing_stale_without_barriers(void **state)
{
	nothing_stale(*state, 0, 3000);
}

static void nothing_stale_in_the_crowd(void **state)
{
	nothing_stale(*state, WEIR_MODEL_TXN_DETACHED, 20);
}

/* ---- Many threads ------------------------------------------------------------------------ */

#define THREADS 300u /* more than there are lanes */

struct crowd {
	struct fixture *f;
	pthread_barrier_t up, down;
};

static void *wait_in_flight(void *opaque)
{
	struct crowd *c = opaque;
	struct weir_model_translation flight = begin(c->f, 0);

	pthread_barrier_wait(&c->up);
	pthread_barrier_wait(&c->down);
	end(c->f, &flight);
	return NULL;
}

static void more_threads_than_lanes(void **state)
{
	struct crowd c = { .f = *state };
	pthread_t threads[THREADS];

	map_one(c.f);
	for (unsigned int round = 0; round < 2; round++) {
		pthread_barrier_init(&c.up, NULL, THREADS + 1);
		pthread_barrier_init(&c.down, NULL, THREADS + 1);
		for (unsigned int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, wait_in_flight, &c), 0);
		pthread_barrier_wait(&c.up);
		queue_command(c.f, sync_command(), 0);
		assert_int_equal(step(c.f, 10), 0);
		pthread_barrier_wait(&c.down);
		for (unsigned int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(step(c.f, 10), 1);
		pthread_barrier_destroy(&c.up);
		pthread_barrier_destroy(&c.down);
	}
	assert_int_equal(stats_of(c.f).transactions, 2 * THREADS);
}

/* Another thread completes what this one began. */
static void *complete_for(void *opaque)
{
	void **args = opaque;

	end(args[0], args[1]);
	return NULL;
}

static void another_thread_completes(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation flight;
	void *args[] = { f, &flight };
	pthread_t thread;

	map_one(f);
	flight = begin(f, WEIR_MODEL_TXN_DETACHED);
	queue_command(f, sync_command(), 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(pthread_create(&thread, NULL, complete_for, args), 0);
	pthread_join(thread, NULL);
	assert_int_equal(step(f, 10), 1);
}

/* ---- The first ones ---------------------------------------------------------------------- */

struct start {
	struct fixture *f;
	uint32_t missing;
};

/* Busy: who sleeps until the other is there comes too late. */
static void *fly_at_once(void *opaque)
{
	struct start *s = opaque;
	struct weir_model_translation flight;

	__atomic_sub_fetch(&s->missing, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&s->missing, __ATOMIC_RELAXED))
		continue;
	flight = begin(s->f, 0);
	end(s->f, &flight);
	return NULL;
}

static void several_are_the_first(void **state)
{
	struct start s = { .f = *state };
	pthread_t threads[2];

	map_one(s.f);
	for (unsigned int round = 0; round < 50; round++) {
		recreate(s.f);
		s.missing = WEIR_ARRAY_SIZE(threads);
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, fly_at_once, &s), 0);
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(stats_of(s.f).transactions, WEIR_ARRAY_SIZE(threads));
	}
}

/* ---- Short ways -------------------------------------------------------------------------- */

/* The nth: direction, kind, privilege; attributes, of which stage 1 keeps hints; page; stream. */
#define KINDS (16 * 3 * 7 * 6)
#define UNDER (VA | 1ull << 40) /* a table that refuses writes */

static struct weir_model_txn nth(unsigned int n)
{
	static const uint16_t attributes[] = { WEIR_MODEL_ATTR_PCIE, 0x0d5, 0x004 };
	static const uint64_t pages[] = {
		VA, 2 * VA, 3 * VA, 4 * VA, 5 * VA, VA | 1ull << 50, UNDER
	};

	return (struct weir_model_txn){
		.flags = n % 16,
		.attributes = attributes[n / 16 % 3],
		.addr = pages[n / 48 % 7] + 8 * (n % 16),
		.stream = STREAM + n / 336,
		.len = 4,
	};
}

/* Pages for all, for privilege, to read, not to fetch from; streams with overrides. */
static void put_streams(struct fixture *f)
{
	static const uint64_t pages[] = { PAGE, PAGE & ~WEIR_VMSA_AP_UNPRIV,
					  PAGE | WEIR_VMSA_AP_RDONLY, PAGE | WEIR_VMSA_UXN };
	const uint64_t incoming =
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING);
	static const uint64_t overrides[] = {
		0,
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_UNPRIV),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_PRIV),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_DATA),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, WEIR_SMMU_STE_INSTCFG_INST),
		WEIR_SMMU_STE_1_MTCFG | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_MEMATTR, 0xa),
	};

	for (uint32_t i = 0; i < WEIR_ARRAY_SIZE(overrides); i++) {
		uint64_t table = add_stream(f, STREAM + i);

		put(f, cd_of(STREAM + i) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
		put(f, ste_of(STREAM + i) + 8, overrides[i] | incoming);
		map(f, table, UNDER, PAGE | PAGES);
		*at(f, table + 8 * (UNDER >> 39)) |= WEIR_VMSA_APTABLE_RDONLY;
		for (unsigned int page = 0; page < WEIR_ARRAY_SIZE(pages); page++)
			map(f, table, VA * (1 + page), pages[page] | (PAGES + VA * page));
	}
}

struct answer {
	uint64_t result, addr, attributes, record[WEIR_SMMU_EVT_WORDS];
};

static struct answer ask(struct fixture *f, unsigned int n)
{
	struct weir_model_translation out = { 0 };
	struct answer answer = { 0 };

	answer.result = dma_as(f, nth(n), &out);
	if (answer.result == WEIR_MODEL_OK) {
		answer.addr = out.addr;
		answer.attributes = out.attributes;
	}
	pop_event(f, answer.record);
	expect_no_event(f);
	return answer;
}

static void short_ways_lead_to_the_same(void **state)
{
	/* A translation cache for all of it, one that is full, none. */
	static const unsigned int entries[] = { 256, 3, WEIR_MODEL_SMMUV3_NO_TLB };
	static struct answer before[KINDS];
	struct fixture *f = *state;
	struct answer after;

	full_config(&f->config);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(entries); i++) {
		f->config.tlb_entries = entries[i];
		memset(f->ram, 0, RAM_SIZE);
		f->next_table = TABLES;
		recreate(f);
		put_streams(f);
		for (unsigned int n = 0; n < KINDS; n++)
			before[n] = ask(f, n);
		/* A page of the first stream, and none. */
		assert_int_equal(before[0].result, WEIR_MODEL_OK);
		assert_int_equal(before[4 * 48].result, WEIR_MODEL_BLOCKED);
		fly_often(f);
		for (unsigned int n = 0; n < KINDS; n++) {
			after = ask(f, n);
			assert_memory_equal(&after, &before[n], sizeof(after));
		}
	}
}

/* A stream's configuration changed while it was silent, and others made barriers superfluous. */
static void short_ways_know_of_changes(void **state)
{
	struct fixture *f = *state;
	uint64_t other, pa;

	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	recreate(f);
	put_streams(f);
	fly_often(f);
	assert_int_equal(dma(f, STREAM + 1, VA, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES);
	other = new_table(f);
	map(f, other, VA, PAGE | (PAGES + VA));
	put(f, cd_of(STREAM + 1) + 8, other);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM + 1), WEIR_SMMU_CMD_1_LEAF);
	command(f, sync_command(), 0);
	fly_often(f);
	assert_int_equal(dma(f, STREAM + 1, VA, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES + VA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sync_waits),
		TEST(sync_waits_for_the_outermost),
		TEST(sync_ignores_the_young),
		TEST(sync_tells_flights_apart),
		TEST(sync_is_withdrawn),
		TEST(nothing_stale_with_barriers),
		TEST(nothing_stale_without_barriers),
		TEST(nothing_stale_in_the_crowd),
		TEST(more_threads_than_lanes),
		TEST(another_thread_completes),
		TEST(several_are_the_first),
		TEST(short_ways_lead_to_the_same),
		TEST(short_ways_know_of_changes),
	};

	return cmocka_run_group_tests_name("SMMUv3 flights", tests, NULL, NULL);
}
