/* SPDX-License-Identifier: MIT */

/*
 * The models' own allocations. Out of memory, the Nth of them fails, alone and with all that
 * follow, for each N. Proves:
 *  - the creation of an SMMUv3 fails with -WEIR_ENOMEM, leaves the caller's pointer as it was, and
 *    frees what it had;
 *  - a thread whose first transaction finds no memory for a lane gets the same answer without one,
 *    and a CMD_SYNC waits for that transaction; the next one has its lane;
 *  - a thread that ends leaves its number, and so its lane, to the next: no number of threads that
 *    come and go takes more memory than one does;
 *  - a bus that cannot grow refuses the bank or the region, and goes on as before.
 */

#include "smmuhost.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Linked with --wrap: what the model calls, and what is behind it. */
void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *block);

static unsigned int until; /* the allocation that fails, from 1; 0: none */
static bool onwards;	   /* and all that follow */
static long live;	   /* blocks */

static bool fails(void)
{
	if (!until)
		return false;
	if (until > 1) {
		until--;
		return false;
	}
	if (!onwards)
		until = 0;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	live -= old != NULL;
	return counted(__real_realloc(old, size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : counted(__real_aligned_alloc(align, size));
}

void __wrap_free(void *block)
{
	live -= block != NULL;
	__real_free(block);
}

/* ---- Creation --------------------------------------------------------------------------- */

/* How many allocations failed in turn, until a creation needed no more of them. */
static unsigned int create_without(const struct weir_model_host *host,
				   const struct weir_model_smmuv3_config *config)
{
	struct weir_model_smmuv3 *const before = (struct weir_model_smmuv3 *)(uintptr_t)&live;
	struct weir_model_smmuv3 *smmu;
	long had = live;
	unsigned int n;
	int err;

	for (n = 1;; n++) {
		smmu = before;
		until = n;
		err = weir_model_smmuv3_create(host, config, &smmu);
		if (!err)
			break;
		assert_int_equal(err, -WEIR_ENOMEM);
		assert_ptr_equal(smmu, before);
		assert_int_equal(live, had);
	}
	until = 0;
	weir_model_smmuv3_destroy(smmu);
	assert_int_equal(live, had);
	return n - 1;
}

static void creation_fails_whole(void **state)
{
	static const struct weir_model_host_ops *ops = &weir_model_bus_host_ops;
	const struct weir_model_host host = { .ops = ops };
	struct weir_model_smmuv3_config config;

	(void)state;
	for (unsigned int caches = 0; caches < 3; caches++) {
		whole_implementation(&config);
		config.pmcg_counters = 64;
		config.caches = (enum weir_model_smmuv3_caches)caches;
		onwards = false;
		/* The model, two lanes; stalls, ATS, queues of two interfaces, the monitor. */
		assert_true(create_without(&host, &config) >= 12);
		onwards = true;
		assert_true(create_without(&host, &config) >= 12);
	}
}

/* ---- Lanes ------------------------------------------------------------------------------ */

static void *first_transaction(void *opaque)
{
	struct weir_model_txn txn = {
		.addr = 0x1000,
		.stream = STREAM,
		.len = 4,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation first, second;
	struct fixture *f = opaque;
	uint64_t syncs = stats_of(f).syncs;

	onwards = false;
	until = 1;
	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, &first), WEIR_MODEL_OK);
	assert_int_equal(until, 0);
	assert_int_equal(first.addr, PAGES);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	step(f, 64);
	assert_int_equal(stats_of(f).syncs, syncs);
	taken(&f->kicks);
	weir_model_smmuv3_complete(f->smmu, &first);
	assert_true(taken(&f->kicks));
	step(f, 64);
	assert_int_equal(stats_of(f).syncs, syncs + 1);
	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, &second), WEIR_MODEL_OK);
	assert_int_equal(second.addr, PAGES);
	weir_model_smmuv3_complete(f->smmu, &second);
	return NULL;
}

static void a_thread_without_a_lane(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	map(f, add_stream(f, STREAM), 0x1000, PAGES | PAGE);
	assert_int_equal(pthread_create(&thread, NULL, first_transaction, f), 0);
	pthread_join(thread, NULL);
}

static void *one_transaction(void *opaque)
{
	uint64_t pa;

	assert_int_equal(dma(opaque, STREAM, 0x1000, false, &pa), WEIR_MODEL_OK);
	return NULL;
}

static void threads_leave_their_lanes(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	long had = 0;

	map(f, add_stream(f, STREAM), 0x1000, PAGES | PAGE);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&thread, NULL, one_transaction, f), 0);
		pthread_join(thread, NULL);
		if (!i)
			had = live;
		assert_int_equal(live, had);
	}
}

/* ---- The bus ---------------------------------------------------------------------------- */

static enum weir_model_result answer(void *opaque, uint64_t offset, unsigned int size,
				     uint32_t requester, uint64_t *value)
{
	(void)opaque;
	(void)size;
	(void)requester;
	*value = offset;
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops answers = { .read = answer };

/* What was there before still is; returns whether all that was asked for came about. */
static bool extend(struct weir_model_bus *bus, uint8_t *ram)
{
	struct weir_model_region *region = NULL;
	uint64_t word = 0;
	int err, err2;

	err = weir_model_bus_add_ram(bus, 2 * RAM_BASE, 4096, ram);
	err2 = weir_model_bus_add_mmio(bus, 0x2000, 0x1000, &answers, NULL, &region);
	until = 0;
	assert_true(!err || err == -WEIR_ENOMEM);
	assert_true(!err2 || err2 == -WEIR_ENOMEM);
	assert_true(!err2 == (region != NULL));
	assert_int_equal(weir_model_bus_read(bus, RAM_BASE, &word, 8, WEIR_MODEL_CPU), 0);
	assert_int_equal(word, 0x5a);
	assert_int_equal(weir_model_bus_read(bus, 0x1008, &word, 8, WEIR_MODEL_CPU), 0);
	assert_int_equal(word, 8);
	assert_int_equal(weir_model_bus_read(bus, 0x2010, &word, 8, WEIR_MODEL_CPU),
			 err2 ? WEIR_MODEL_ABORT : WEIR_MODEL_OK);
	return !err && !err2;
}

static void the_bus_goes_on(void **state)
{
	struct weir_model_bus *bus;
	long had = live;
	uint8_t *ram;
	bool done = false;

	(void)state;
	until = 1;
	assert_int_equal(weir_model_bus_create(&bus), -WEIR_ENOMEM);
	ram = aligned_alloc(4096, 2 * 4096);
	memset(ram, 0, 2 * 4096);
	ram[0] = 0x5a;
	for (unsigned int n = 1; !done; n++) {
		assert_int_equal(weir_model_bus_create(&bus), 0);
		assert_int_equal(weir_model_bus_add_ram(bus, RAM_BASE, 4096, ram), 0);
		assert_int_equal(weir_model_bus_add_mmio(bus, 0x1000, 0x1000, &answers, NULL, NULL),
				 0);
		until = n;
		done = extend(bus, ram + 4096);
		weir_model_bus_destroy(bus);
	}
	free(ram);
	assert_int_equal(live, had);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation_fails_whole),
		TEST(a_thread_without_a_lane),
		TEST(threads_leave_their_lanes),
		cmocka_unit_test(the_bus_goes_on),
	};

	return cmocka_run_group_tests_name("Models: out of memory", tests, NULL, NULL);
}
