/* SPDX-License-Identifier: MIT */
/*
 * src/pgtable against a plain oracle: an array that says, for each page of a few windows of
 * addresses, what it maps to.
 *
 * - Over random sequences of map (lists, all sizes of leaves, over mappings, out of memory), unmap
 *   (what was mapped, parts of it, ranges with holes) and lookup: what was mapped is what a walk
 *   finds, with its protection, and nothing else is; the values returned are what the oracle says;
 *   every page of memory comes back. The walk is the test's own, through what a device that does
 *   not snoop would read: the memory that was cleaned.
 * - The same from several threads at once, on ranges that are disjoint but share tables.
 * - Two threads that unmap two parts of one block, split by break and make, both unmap theirs.
 *
 * What a run covered is printed. Arguments: steps, seed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "pgtable/pgtable.h"
#include "threadplat.h"

#define PAGE 4096ull
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define WINDOW_PAGES (GIB(2) / PAGE)
#define WINDOWS 3
#define MAX_EXTENTS 8
#define THREADS 4

/* One at the bottom, one across the border of two level 0 entries, one at the top. */
static const uint64_t windows[WINDOWS] = { 0, GIB(512) - GIB(1), GIB(1) * 262144 - GIB(2) };

/* phys | AP[2] of the page, or 0; bit 0: was mapped before. Index: window, page. */
static uint64_t *oracle[WINDOWS];

static struct weir_pgtable_cache cache;
static struct weir_pgtable pt;
static int64_t in_use;
static uint64_t steps = 1500000, seed = 1;

static struct counts {
	uint64_t maps, refused, starved, unmaps, bytes, lookups, walked, reused, splits;
	uint64_t leaves[3], pages;
} counts;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return (next_random(state) >> 11) % n;
}

/* What a device sees at iova: the descriptor, or 0. */
static uint64_t device_walk(uint64_t iova, unsigned int *level)
{
	uint64_t table = weir_pgtable_root(&pt), entry;

	for (*level = 0;; ++*level) {
		const uint64_t *at = threadplat_device_view(table);

		entry = __atomic_load_n(&at[iova >> (39 - 9 * *level) & 511], __ATOMIC_RELAXED);
		if (!(entry & 1))
			return 0;
		if (*level == 3 || !(entry & 2))
			return entry;
		table = entry & 0xfffffffff000;
	}
}

static void invalidate(struct weir_pgtable *table, uint64_t iova, uint64_t size)
{
	unsigned int level;

	(void)table;
	(void)size;
	if (device_walk(iova, &level))
		abort();
	sched_yield(); /* others get ahead while the block is broken */
	__atomic_fetch_add(&counts.splits, 1, __ATOMIC_RELAXED);
}

static void set_up(bool shadow)
{
	threadplat_new(MIB(64), shadow);
	threadplat_set_cpu(0);
	assert_int_equal(weir_pgtable_cache_init(&cache, NULL, THREADS, WEIR_ZONE_NORMAL, &in_use),
			 0);
	memset(&pt, 0, sizeof(pt));
	pt.format = &weir_pgtable_vmsav8_s1;
	pt.cache = &cache;
	pt.coherent = !shadow;
	pt.invalidate = invalidate;
	assert_int_equal(weir_pgtable_init(&pt, 48, 48), 0);
	for (int i = 0; i < WINDOWS; i++)
		oracle[i] = calloc(WINDOW_PAGES, sizeof(uint64_t));
}

static void tear_down(void)
{
	weir_pgtable_fini(&pt);
	assert_int_equal(in_use, 0);
	weir_pgtable_cache_fini(&cache);
	threadplat_delete();
	for (int i = 0; i < WINDOWS; i++)
		free(oracle[i]);
}

static void check_page(unsigned int window, uint64_t page)
{
	uint64_t iova = windows[window] + page * PAGE, want = oracle[window][page] & ~1ull, entry,
		 offset;
	unsigned int level, depth;
	weir_phys_t phys;
	int ret = weir_pgtable_lookup(&pt, iova + 123, &phys, &depth);

	entry = device_walk(iova, &level);
	if (!want) {
		assert_int_equal(ret, -WEIR_ENOENT);
		assert_int_equal(entry, 0);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(depth, 3 - level);
	assert_int_equal(phys, (want & ~0xfffull) + 123);
	offset = ((uint64_t)1 << (39 - 9 * level)) - 1;
	assert_int_equal((entry & 0xfffffffff000 & ~offset) | (iova & offset), want & ~0xfffull);
	assert_int_equal(entry & 1 << 7, want & 1 << 7);
	counts.leaves[3 - level]++;
}

struct range {
	unsigned int window;
	uint64_t page, pages;
};

/* Mostly a few pages, sometimes up to two blocks, rarely beyond a GiB; often well aligned. */
static struct range random_range(uint64_t *random)
{
	static const uint64_t grains[] = { 1, 1, 1, 1, 1, 8, 512, 512, 512 };
	uint64_t kind = below(random, 4096), grain;
	struct range r = { (unsigned int)below(random, WINDOWS), 0, 0 };

	if (kind < 3)
		grain = GIB(1) / PAGE;
	else
		grain = grains[kind % 9];
	r.pages = grain == 512 ? 512 * (1 + below(random, 3)) :
				 grain * (1 + below(random, grain > 512 ? 1 : 24));
	if (!below(random, 8))
		r.pages += below(random, 3);
	/* A part of the window, so that ranges meet; the border of its middle too. */
	r.page = WINDOW_PAGES / 2 - 16384 + below(random, 32768);
	r.page -= r.page % grain;
	if (r.page + r.pages > WINDOW_PAGES)
		r.pages = WINDOW_PAGES - r.page;
	return r;
}

static bool any_mapped(const struct range *r)
{
	for (uint64_t i = 0; i < r->pages; i++)
		if (oracle[r->window][r->page + i] & ~1ull)
			return true;
	return false;
}

/* Cut the range into extents of random memory. */
static unsigned int random_extents(uint64_t *random, const struct range *r,
				   struct weir_extent *extents)
{
	unsigned int count = 0;
	uint64_t left = r->pages;

	while (left) {
		bool all =
			count == MAX_EXTENTS - 1 || r->pages == GIB(1) / PAGE || below(random, 2);
		uint64_t n = all ? left : 1 + below(random, left);
		uint64_t phys = PAGE * (1 + below(random, 1 << 24));

		/* Often aligned as its IOVA, so that blocks are possible. */
		if (below(random, 2))
			phys = (phys & ~(GIB(1) - 1)) +
			       ((r->page + r->pages - left) * PAGE & (GIB(1) - 1)) + GIB(1);
		extents[count++] = (struct weir_extent){ phys, n * PAGE };
		left -= n;
	}
	return count;
}

static void remember(const struct range *r, const struct weir_extent *extents, unsigned int count,
		     unsigned int prot)
{
	uint64_t *page = &oracle[r->window][r->page];

	for (unsigned int i = 0; i < count; i++) {
		for (uint64_t at = 0; at < extents[i].size; at += PAGE, page++) {
			__atomic_fetch_add(*page & 1 ? &counts.reused : &counts.pages, 1,
					   __ATOMIC_RELAXED);
			*page = (extents[i].phys + at) | 1 | (prot & WEIR_IOMMU_WRITE ? 0 : 1 << 7);
		}
	}
}

static void do_map(uint64_t *random, const struct range *r, bool may_starve)
{
	unsigned int prot = below(random, 3) ? 3 : WEIR_IOMMU_READ, count;
	struct weir_pgtable_gather gather = { 0 };
	struct weir_extent extents[MAX_EXTENTS];
	bool taken = any_mapped(r), starve = may_starve && !below(random, 64);
	int ret;

	count = random_extents(random, r, extents);
	threadplat_exhaust(starve);
	ret = weir_pgtable_map(&pt, windows[r->window] + r->page * PAGE, extents, count, prot,
			       &gather);
	threadplat_exhaust(false);
	weir_pgtable_free_tables(&pt, &gather);
	if (ret == -WEIR_ENOMEM) {
		assert_true(starve);
		__atomic_fetch_add(&counts.starved, 1, __ATOMIC_RELAXED);
	} else if (taken) {
		assert_int_equal(ret, -WEIR_EEXIST);
		__atomic_fetch_add(&counts.refused, 1, __ATOMIC_RELAXED);
	} else {
		assert_int_equal(ret, 0);
		remember(r, extents, count, prot);
		__atomic_fetch_add(&counts.maps, 1, __ATOMIC_RELAXED);
	}
}

static void do_unmap(const struct range *r)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes = weir_pgtable_unmap(&pt, windows[r->window] + r->page * PAGE,
					    r->pages * PAGE, &gather);

	for (uint64_t i = 0; i < r->pages; i++) {
		uint64_t *page = &oracle[r->window][r->page + i];

		bytes -= *page & ~1ull ? PAGE : 0;
		*page &= 1;
	}
	assert_int_equal(bytes, 0);
	__atomic_fetch_add(&counts.unmaps, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counts.bytes, gather.bytes, __ATOMIC_RELAXED);
	weir_pgtable_free_tables(&pt, &gather);
}

static void check_around(uint64_t *random, const struct range *r)
{
	check_page(r->window, r->page);
	check_page(r->window, r->page + r->pages - 1);
	check_page(r->window, r->page + below(random, r->pages));
	if (r->page)
		check_page(r->window, r->page - 1);
	if (r->page + r->pages < WINDOW_PAGES)
		check_page(r->window, r->page + r->pages);
	counts.lookups += 5;
}

static void report(const char *what, uint64_t done)
{
	printf("%s: %llu steps, seed %llu: %llu maps, %llu refused, %llu starved, "
	       "%llu unmaps of %llu MiB, %llu lookups (4K %llu, 2M %llu, 1G %llu), %llu splits; "
	       "%llu distinct pages, %llu mapped again\n",
	       what, (unsigned long long)done, (unsigned long long)seed,
	       (unsigned long long)counts.maps, (unsigned long long)counts.refused,
	       (unsigned long long)counts.starved, (unsigned long long)counts.unmaps,
	       (unsigned long long)counts.bytes >> 20, (unsigned long long)counts.lookups,
	       (unsigned long long)counts.leaves[0], (unsigned long long)counts.leaves[1],
	       (unsigned long long)counts.leaves[2], (unsigned long long)counts.splits,
	       (unsigned long long)counts.pages, (unsigned long long)counts.reused);
}

static void random_sequences(void **state)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ull;
	struct range last = { 0, 0, 1 };

	(void)state;
	set_up(true);
	for (uint64_t step = 0; step < steps; step++) {
		struct range r = random_range(&random);
		uint64_t what = below(&random, 16);

		/* A GiB in one leaf needs room, and no table of before in its way. */
		if (r.pages == GIB(1) / PAGE)
			do_unmap(&r);
		if (what < 7) {
			do_map(&random, &r, true);
			last = r;
		} else if (what < 11) {
			do_unmap(&last);
			r = last;
		} else if (what < 15) {
			do_unmap(&r);
		}
		check_around(&random, &r);
		pt.replaces_blocks = step & 0x1000;
	}
	for (unsigned int window = 0; window < WINDOWS; window++)
		for (uint64_t page = 0; page < WINDOW_PAGES; page++)
			check_page(window, page);
	report("random sequences", steps);
	/*
	 * The run is worth something: each size was met, parts of blocks were unmapped, memory ran
	 * out.
	 */
	if (steps >= 100000) {
		for (int i = 0; i < 3; i++)
			assert_true(counts.leaves[i] > 1000);
		assert_true(counts.splits > 100 && counts.starved > 100 && counts.refused > 1000);
		assert_true(counts.reused > counts.pages);
	}
	tear_down();
}

/*
 * Thread t owns the pages whose number divided by 3 is t modulo THREADS in the first MiBs, so that
 * four threads share each table of level 3; and every THREADS-th span of 2 MiB behind them, whose
 * tables come and go as a whole.
 */
static struct range own_range(uint64_t *random, unsigned int thread)
{
	struct range r = { (unsigned int)below(random, WINDOWS), 0, 0 };

	if (below(random, 4)) {
		r.page = (below(random, 512) * THREADS + thread) * 3;
		r.pages = 1 + below(random, 3);
	} else {
		r.page = 8192 + (below(random, 8) * THREADS + thread) * 512;
		r.pages = 512;
		if (!below(random, 4))
			r.pages = 1 + below(random, 512);
	}
	return r;
}

static void check_own(const struct range *r)
{
	for (uint64_t i = 0; i<r->pages; i += r->pages> 8 ? 73 : 1) {
		uint64_t want = oracle[r->window][r->page + i] & ~0xfffull;
		weir_phys_t phys = 0;
		uint64_t iova = windows[r->window] + (r->page + i) * PAGE;
		int ret = weir_pgtable_lookup(&pt, iova, &phys, NULL);
		unsigned int level;

		assert_int_equal(ret, want ? 0 : -WEIR_ENOENT);
		assert_int_equal(phys, want);
		/* Whatever other threads were about to clean: this one's range is complete. */
		assert_int_equal(!!device_walk(iova, &level), !!want);
	}
}

static void *thread_main(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;
	uint64_t random = (seed + thread) * 0x9e3779b97f4a7c15ull, left = steps / 10 / THREADS;

	threadplat_set_cpu(thread);
	while (left--) {
		struct range r = own_range(&random, thread);

		if (below(&random, 2))
			do_map(&random, &r, false);
		else
			do_unmap(&r);
		check_own(&r);
	}
	return NULL;
}

static void threads_on_disjoint_ranges(void **state)
{
	bool shadow = *(bool *)*state;
	pthread_t threads[THREADS];

	memset(&counts, 0, sizeof(counts));
	set_up(shadow);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_main, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int window = 0; window < WINDOWS; window++)
		for (uint64_t page = 0; page < 32768; page++)
			check_page(window, page);
	report(shadow ? "threads, walks that do not snoop" : "threads", steps / 10);
	tear_down();
}

/* ---- Two threads, one block ------------------------------------------------------------------ */

#define BLOCK (512 * PAGE)

static pthread_barrier_t at_once;
static uint64_t halves[2]; /* bytes that each thread unmapped */

static void *unmap_half(void *arg)
{
	uintptr_t half = (uintptr_t)arg;

	threadplat_set_cpu((unsigned int)half);
	for (uint64_t i = 0; i < steps / 500; i++) {
		struct weir_pgtable_gather gather = { 0 };

		pthread_barrier_wait(&at_once); /* it is mapped */
		halves[half] =
			weir_pgtable_unmap(&pt, BLOCK + half * BLOCK / 2, BLOCK / 2, &gather);
		pthread_barrier_wait(&at_once);
	}
	return NULL;
}

static void threads_that_split_one_block(void **state)
{
	const struct weir_extent extent = { BLOCK, BLOCK };
	struct weir_pgtable_gather gather = { 0 };
	pthread_t threads[2];

	(void)state;
	set_up(false);
	pt.replaces_blocks = false; /* broken first, then made */
	pthread_barrier_init(&at_once, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, unmap_half, (void *)i), 0);
	for (uint64_t i = 0; i < steps / 500; i++) {
		assert_int_equal(weir_pgtable_map(&pt, BLOCK, &extent, 1, WEIR_IOMMU_READ, &gather),
				 0);
		pthread_barrier_wait(&at_once);
		pthread_barrier_wait(&at_once);
		assert_int_equal(halves[0], BLOCK / 2);
		assert_int_equal(halves[1], BLOCK / 2);
		/* The table that was made of the block goes, so that the next map is a block again.
		 */
		assert_int_equal(weir_pgtable_unmap(&pt, BLOCK, BLOCK, &gather), 0);
		weir_pgtable_free_tables(&pt, &gather);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&at_once);
	tear_down();
}

int main(int argc, char **argv)
{
	static bool snoops = false, shadow = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sequences),
		cmocka_unit_test_prestate(threads_on_disjoint_ranges, &snoops),
		cmocka_unit_test_prestate(threads_on_disjoint_ranges, &shadow),
		cmocka_unit_test(threads_that_split_one_block),
	};

	if (argc > 1)
		steps = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
