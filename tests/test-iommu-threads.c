/* SPDX-License-Identifier: MIT */
/*
 * src/iommu and src/dma under threads; worth most under the thread sanitizer.
 *
 * - IOVAs: no page is in two hands, wherever it is freed, also when the space is full and magazines
 *   are flushed under way; nothing is lost in the end.
 * - Map and unmap from all CPUs at once: each sees its own memory through its address.
 * - A mask that moves the device between identity and translation never meets a live mapping.
 * - Faults are reported while devices and handlers come and go: what a handler is given is alive.
 * - Blocks of a pool and records of the history stay whole.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/dma.h>

#include "fakeiommu.h"
#include "iommu/iommu.h"
#include "threadplat.h"

#define THREADS 4u
#define RAM (64u << 20)
#define PAGE WEIR_PAGE_SIZE
#define STEPS 20000u
#define BIDI WEIR_DMA_BIDIRECTIONAL

static const struct weir_iommu_driver *const drivers[] = { &fakeiommu_driver, NULL };
static struct weir *weir;
static struct weir_device dev;
static uint32_t stop_others; /* atomic */

/* A condition that a thread other than cmocka's looks at. */
static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "test-iommu-threads: %s\n", what);
	abort();
}

static void add_device(struct weir_device *device, uint32_t id, struct weir_device *with)
{
	struct weir_device_id ids[] = { { &fakeiommu[0]->iommu, id } };
	struct weir_device_desc desc = {
		.name = "dev", .ids = ids, .nr_ids = 1, .coherent = true, .group_with = with
	};

	require(!weir_device_add(weir, device, &desc), "weir_device_add");
}

static void start(enum weir_mode mode)
{
	struct weir_options options = { .cpus = THREADS,
					.mode = mode,
					.iommu_drivers = drivers,
					.log_level = WEIR_LOG_ERR,
					.history = 100 };

	fakeiommu_reset();
	threadplat_new(RAM, false);
	threadplat_set_cpu(0);
	fakeiommu_knobs.no_interrupts = true;
	options.fdt = fakeiommu_fdt(1, true, &options.fdt_size);
	assert_int_equal(weir_init(&options, &weir), 0);
	add_device(&dev, 1, NULL);
	__atomic_store_n(&stop_others, 0, __ATOMIC_RELAXED);
}

static void stop(void)
{
	assert_int_equal(dev.live_maps, 0);
	assert_int_equal(weir_device_remove(&dev), 0);
	assert_int_equal(weir_fini(weir), 0);
	threadplat_delete();
	fakeiommu_reset();
}

struct worker {
	pthread_t thread;
	unsigned int cpu;
	uint64_t seed;
	void *(*fn)(struct worker *worker);
	uint64_t done;
};

static unsigned int rnd(struct worker *worker, unsigned int below)
{
	worker->seed = worker->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(worker->seed >> 33) % below;
}

static void *enter(void *arg)
{
	struct worker *worker = arg;

	threadplat_set_cpu(worker->cpu);
	return worker->fn(worker);
}

static void spawn(struct worker *worker, unsigned int i, void *(*fn)(struct worker *))
{
	*worker = (struct worker){ .cpu = i % THREADS, .seed = i + 1, .fn = fn };
	assert_int_equal(pthread_create(&worker->thread, NULL, enter, worker), 0);
}

static void run_all(void *(*fn)(struct worker *), void *(*other)(struct worker *))
{
	struct worker workers[THREADS], extra;

	if (other)
		spawn(&extra, THREADS, other);
	/* Against what it does are the others tested, however busy the machine is. */
	while (other && !__atomic_load_n(&extra.done, __ATOMIC_RELAXED))
		sched_yield();
	for (unsigned int i = 0; i < THREADS; i++)
		spawn(&workers[i], i, fn);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	__atomic_store_n(&stop_others, 1, __ATOMIC_RELAXED);
	if (other)
		assert_int_equal(pthread_join(extra.thread, NULL), 0);
}

/* ---- IOVAs -------------------------------------------------------------------------------- */

#define FRAMES 3000u
#define MAIL 256u

static struct weir_iova *iova;
static uint8_t owned[FRAMES]; /* atomic */
static uint64_t mail[MAIL];   /* atomic: frame << 8 | order; what another thread shall free */

static void own(uint64_t frame, unsigned int order, uint8_t from, uint8_t to)
{
	for (uint64_t i = 0; i < 1u << order; i++) {
		uint8_t expected = from;

		require(__atomic_compare_exchange_n(&owned[frame + i], &expected, to, false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED),
			"a page in two hands");
	}
}

static void give_back(uint64_t block)
{
	unsigned int order = block & 0xff;
	uint64_t frame = block >> 8;

	if (!block)
		return;
	own(frame, order, 1, 0);
	require(weir_iova_free(iova, frame * PAGE, PAGE << order), "a free that was refused");
}

static void *iova_worker(struct worker *worker)
{
	for (unsigned int step = 0; step < STEPS; step++) {
		unsigned int order = rnd(worker, 8) ? rnd(worker, 3) : rnd(worker, 8);
		uint64_t limit = rnd(worker, 3) ? ~0ull : rnd(worker, FRAMES) * PAGE + PAGE - 1;
		weir_dma_t addr = weir_iova_alloc(iova, PAGE << order, limit);
		uint64_t block = 0;

		if (addr != WEIR_DMA_ERROR) {
			require(addr + (PAGE << order) - 1 <= limit, "beyond the limit");
			own(addr / PAGE, order, 0, 1);
			block = addr / PAGE << 8 | order;
			worker->done++;
		}
		/* Leave it to whoever comes by, and free what lay there. */
		give_back(__atomic_exchange_n(&mail[rnd(worker, MAIL)], block, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

static void iovas(void **state)
{
	(void)state;
	start(WEIR_MODE_STRICT);
	iova = weir_iova_create(weir, 0, (uint64_t)FRAMES * PAGE - 1);
	assert_non_null(iova);
	run_all(iova_worker, NULL);
	for (unsigned int i = 0; i < MAIL; i++)
		give_back(__atomic_exchange_n(&mail[i], 0, __ATOMIC_ACQ_REL));
	assert_int_equal(weir_iova_destroy(iova), 0);
	stop();
}

/* ---- Mappings ----------------------------------------------------------------------------- */

static bool reaches(weir_dma_t addr, weir_phys_t expected)
{
	struct weir_domain *domain = dev.dma;
	weir_phys_t phys = addr;
	unsigned int prot;

	return (!domain || fakeiommu_lookup(domain, addr, &phys, &prot)) && phys == expected;
}

static void map_one(struct worker *worker, weir_phys_t phys, size_t size)
{
	weir_dma_t addr =
		weir_dma_map_phys(&dev, phys, size, BIDI, WEIR_DMA_ATTR_NO_WARN, WEIR_HERE);

	if (addr == WEIR_DMA_ERROR)
		return;
	require(reaches(addr, phys), "the first byte is somewhere else");
	require(reaches(addr + size - 1, phys + size - 1), "the last byte is somewhere else");
	if (!rnd(worker, 64))
		sched_yield();
	require(reaches(addr, phys), "it moved");
	weir_dma_unmap(&dev, addr, size, BIDI, 0, WEIR_HERE);
	worker->done++;
}

static void *map_worker(struct worker *worker)
{
	for (unsigned int step = 0; step < STEPS / 4; step++)
		map_one(worker, THREADPLAT_RAM_BASE + rnd(worker, 1000) * 100,
			1 + rnd(worker, 20000));
	require(worker->done == STEPS / 4, "a mapping failed");
	return NULL;
}

static bool hear(void *arg, const struct weir_fault *fault)
{
	char line[240];
	struct weir_history found;

	weir_fault_describe(fault, line, sizeof(line));
	if (fault->dev) {
		require(!strcmp(fault->dev->name, "dev"), "a device that is gone");
		(void)weir_history_find(fault->dev, fault->address, &found);
	}
	__atomic_fetch_add((uint64_t *)arg, 1, __ATOMIC_RELAXED);
	return true;
}

static uint64_t heard;

static void *fault_worker(struct worker *worker)
{
	while (!__atomic_load_n(&stop_others, __ATOMIC_RELAXED)) {
		fakeiommu_fault(fakeiommu[0], 1 + rnd(worker, 3),
				0xffff0000 + rnd(worker, 16) * PAGE, true, WEIR_FAULT_TRANSLATION);
		__atomic_fetch_add(&worker->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void mappings(void **state)
{
	struct weir_stats stats;

	(void)state;
	start(WEIR_MODE_STRICT);
	heard = 0;
	weir_set_fault_handler(weir, hear, &heard);
	run_all(map_worker, fault_worker);
	weir_get_stats(weir, &stats);
	assert_int_equal(stats.maps, THREADS * (STEPS / 4));
	assert_int_equal(stats.unmaps, stats.maps);
	assert_int_equal(stats.live_mappings, 0);
	assert_true(heard > 0 && stats.faults == heard);
	stop();
}

/* ---- A device that moves ------------------------------------------------------------------ */

static void *try_worker(struct worker *worker)
{
	for (unsigned int step = 0; step < STEPS / 4; step++) {
		map_one(worker, THREADPLAT_RAM_BASE + rnd(worker, 100) * PAGE, PAGE);
		if (!rnd(worker, 4))
			sched_yield();
	}
	return NULL;
}

static unsigned int moves, refusals;

static void *mask_worker(struct worker *worker)
{
	while (!__atomic_load_n(&stop_others, __ATOMIC_RELAXED)) {
		int ret = weir_dma_set_mask(&dev, worker->done % 2 ? ~0ull : 0x7fffffff);

		require(!ret || ret == -WEIR_EBUSY, "a move that failed");
		moves += !ret;
		refusals += ret == -WEIR_EBUSY;
		__atomic_fetch_add(&worker->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void moving(void **state)
{
	(void)state;
	start(WEIR_MODE_PASSTHROUGH);
	moves = refusals = 0;
	run_all(try_worker, mask_worker);
	printf("%u masks set, %u refused\n", moves, refusals);
	stop();
}

/* ---- Devices that come and go ------------------------------------------------------------- */

static void *come_and_go(struct worker *worker)
{
	for (unsigned int step = 0; step < STEPS / 100; step++) {
		struct weir_device *device = malloc(sizeof(*device));
		weir_dma_t addr;

		require(device, "no memory");
		add_device(device, 2 + worker->cpu, rnd(worker, 2) ? &dev : NULL);
		addr = weir_dma_map_phys(device, THREADPLAT_RAM_BASE, PAGE, BIDI, 0, WEIR_HERE);
		require(addr != WEIR_DMA_ERROR, "a mapping failed");
		if (rnd(worker, 2))
			weir_dma_unmap(device, addr, PAGE, BIDI, 0, WEIR_HERE);
		if (!rnd(worker, 4)) {
			weir_set_fault_handler(weir, hear, &heard);
			weir_domain_set_fault_handler(device->dma, hear, &heard);
		}
		weir_device_remove(device);
		memset(device, 0x5a, sizeof(*device));
		free(device);
	}
	return NULL;
}

static void coming_and_going(void **state)
{
	(void)state;
	start(WEIR_MODE_STRICT);
	weir_set_fault_handler(weir, hear, &heard);
	run_all(come_and_go, fault_worker);
	stop();
}

/* ---- Pools -------------------------------------------------------------------------------- */

static struct weir_dma_pool *pool;

/* More blocks at each step, so that chunks are added all the time. */
static void *pool_worker(struct worker *worker)
{
	enum { N = 200 };
	uint64_t *virt[N];
	weir_dma_t addr[N];

	for (unsigned int count = 1; count <= N; count++) {
		for (unsigned int i = 0; i < count; i++) {
			virt[i] = weir_dma_pool_alloc(pool, 0, true, &addr[i]);
			require(virt[i] && !*virt[i], "no block, or not zeroed");
			*virt[i] = worker->seed + i;
		}
		for (unsigned int i = 0; i < count; i++) {
			require(*virt[i] == worker->seed + i, "a block in two hands");
			weir_dma_pool_free(pool, virt[i], addr[i]);
		}
		(void)rnd(worker, 2);
	}
	return NULL;
}

static void pools(void **state)
{
	(void)state;
	start(WEIR_MODE_STRICT);
	pool = weir_dma_pool_create("pool", &dev, 1024, 0, 0);
	assert_non_null(pool);
	run_all(pool_worker, NULL);
	weir_dma_pool_destroy(pool);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iovas),  cmocka_unit_test(mappings),
		cmocka_unit_test(moving), cmocka_unit_test(coming_and_going),
		cmocka_unit_test(pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
