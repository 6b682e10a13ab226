/* SPDX-License-Identifier: MIT */
/*
 * src/pgtable, in all its formats, against a plain oracle: an array that says, for each page of a
 * few windows of addresses, what it maps to.
 *
 * - Over random sequences of map (lists, all sizes of leaves, over mappings, out of memory), unmap
 *   (what was mapped, parts of it, ranges with holes), split, merge and lookup: what was mapped is
 *   what a walk finds, with its protection, and nothing else is; a run with the contiguous hint is
 *   whole and alike; the values returned are what the oracle says; every page of memory comes back.
 *   The walk is the test's own; at stage 1 through what a device that does not snoop would read,
 *   the memory that was cleaned; at stage 2 with BBM level 2 now and then.
 * - The same from several threads at once, on ranges that are disjoint but share tables.
 * - Two threads that unmap two parts of one block, or of one contiguous run, both unmap theirs.
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
#include "vmsawalk.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define WINDOW_PAGES ((uint64_t)524288)
#define WINDOWS 3
#define MAX_EXTENTS 8
#define THREADS 4

/* What there is, and what a walk must know of it: where it starts is D8.2's, not the code's. */
static const struct kind {
	const struct weir_pgtable_format *format;
	unsigned int granule, bits, level;
	bool stage2;
} kinds[] = {
	{ &weir_pgtable_vmsav8_s1_4k, 12, 48, 0, false },
	{ &weir_pgtable_vmsav8_s1_16k, 14, 47, 1, false },
	{ &weir_pgtable_vmsav8_s1_64k, 16, 52, 1, false },
	/* Roots of 8, 16 and 16 tables. */
	{ &weir_pgtable_vmsav8_s2_4k, 12, 42, 1, true },
	{ &weir_pgtable_vmsav8_s2_16k, 14, 40, 2, true },
	{ &weir_pgtable_vmsav8_s2_64k, 16, 46, 2, true },
};

static const struct kind *kind;
static uint64_t PAGE, block, giant; /* bytes; pages in the lowest block; in the largest leaves */

/* One at the bottom, one across the border of two entries of the root, one at the top. */
static uint64_t windows[WINDOWS];

/* phys | AP[2] of the page, or 0; bit 0: was mapped before. Index: window, page. */
static uint64_t *oracle[WINDOWS];

static struct weir_pgtable_cache cache;
static struct weir_pgtable pt;
static int64_t in_use;
static uint64_t steps = 1500000, seed = 1;

static struct counts {
	uint64_t maps, refused, starved, unmaps, bytes, lookups, reused, splits, merged, runs;
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

static void *device_memory(void *opaque, uint64_t phys)
{
	(void)opaque;
	return threadplat_device_view(phys);
}

/* What a device sees. */
static struct vmsa_leaf device_walk(uint64_t iova)
{
	struct vmsa_tables tables = {
		.granule = kind->granule,
		.stage2 = kind->stage2,
		.bits = kind->bits,
		.level = kind->level,
		.root = weir_pgtable_root(&pt),
		.memory = device_memory,
	};

	return vmsa_walk(&tables, iova);
}

static void invalidate(struct weir_pgtable *table, uint64_t iova, uint64_t size)
{
	(void)table;
	/* Broken; a merge of BBM level 2 has the block there already. */
	if (!pt.replaces_blocks &&
	    (device_walk(iova).descriptor || device_walk(iova + size - 1).descriptor))
		abort();
	sched_yield(); /* others get ahead while the block is broken */
	__atomic_fetch_add(&counts.splits, 1, __ATOMIC_RELAXED);
}

static void set_up(const struct kind *k, bool shadow, bool contiguous)
{
	uint64_t limit = (uint64_t)1 << k->bits;

	kind = k;
	PAGE = (uint64_t)1 << k->granule;
	block = PAGE / 8;
	giant = k->granule == 12 ? block * block : 4 * block;
	windows[0] = 0;
	windows[1] = limit / 2 - WINDOW_PAGES / 2 * PAGE;
	windows[2] = limit - WINDOW_PAGES * PAGE;
	in_use = 0;
	threadplat_new(MIB(128), shadow);
	threadplat_set_cpu(0);
	assert_int_equal(weir_pgtable_cache_init(&cache, NULL, THREADS, WEIR_ZONE_NORMAL,
						 k->granule, &in_use),
			 0);
	memset(&pt, 0, sizeof(pt));
	pt.format = k->format;
	pt.cache = &cache;
	pt.coherent = !shadow;
	pt.contiguous = contiguous;
	pt.invalidate = invalidate;
	assert_int_equal(weir_pgtable_init(&pt, k->bits, 52), 0);
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

/* All of the run is mapped as its hint says. */
static void check_run(unsigned int window, const struct vmsa_leaf *leaf, uint64_t want)
{
	uint64_t first = (leaf->first - windows[window]) / PAGE, page;
	uint64_t at = (windows[window] + first * PAGE) - leaf->first;

	assert_int_equal(at, 0);
	for (page = 0; page < leaf->span / PAGE; page++)
		assert_int_equal(oracle[window][first + page] & ~1ull,
				 want - leaf->phys % leaf->span + page * PAGE);
	__atomic_fetch_add(&counts.runs, 1, __ATOMIC_RELAXED);
}

static void check_page(unsigned int window, uint64_t page)
{
	uint64_t iova = windows[window] + page * PAGE, want = oracle[window][page] & ~1ull;
	struct vmsa_leaf leaf = device_walk(iova);
	unsigned int depth;
	weir_phys_t phys;
	int ret = weir_pgtable_lookup(&pt, iova + 123, &phys, &depth);

	if (!want) {
		assert_int_equal(ret, -WEIR_ENOENT);
		assert_int_equal(leaf.descriptor, 0);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(depth, 3 - leaf.level);
	assert_int_equal(phys, (want & ~0xfffull) + 123);
	assert_int_equal(leaf.phys, want & ~0xfffull);
	assert_int_equal(!!(leaf.descriptor & 1 << 7), !(want & 1 << 7) == kind->stage2);
	if (leaf.leaves > 1)
		check_run(window, &leaf, want);
	counts.leaves[3 - leaf.level]++;
}

struct range {
	unsigned int window;
	uint64_t page, pages;
};

/*
 * Mostly a few pages, sometimes up to three blocks, rarely the largest leaves; often well aligned.
 */
static struct range random_range(uint64_t *random)
{
	uint64_t small = below(random, 2) ? 1 : below(random, 2) ? 16 : 128;
	uint64_t what = below(random, 4096), grain;
	struct range r = { (unsigned int)below(random, WINDOWS), 0, 0 };

	grain = what < 3 ? giant : what % 3 ? small : block;
	r.pages = grain * (grain == giant ? 1 : 1 + below(random, grain == block ? 3 : 24));
	if (!below(random, 8))
		r.pages += below(random, 3);
	/* A part of the window, so that ranges meet; the border of its middle too. */
	r.page = WINDOW_PAGES / 2 - 32 * block + below(random, 64 * block);
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
		bool all = count == MAX_EXTENTS - 1 || r->pages == giant || below(random, 2);
		uint64_t n = all ? left : 1 + below(random, left);
		uint64_t phys = PAGE * (1 + below(random, 1 << 24));

		/* Often aligned as its IOVA, so that blocks are possible. */
		if (below(random, 2))
			phys = (phys & ~(giant * PAGE - 1)) +
			       ((r->page + r->pages - left) * PAGE & (giant * PAGE - 1)) +
			       giant * PAGE;
		if (kind->granule == 16)
			phys += below(random, 16) << 48;
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
	bool taken = any_mapped(r), starve = may_starve && !below(random, 32);
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

/* All is mapped as before; in leaves that are small enough, or in what they were merged to. */
static void do_split(uint64_t *random, const struct range *r)
{
	uint64_t iova = windows[r->window] + r->page * PAGE;
	unsigned int depth = (unsigned int)below(random, 2);
	struct weir_pgtable_gather gather = { 0 };
	bool starve = !below(random, 8);
	struct vmsa_leaf leaf;
	int ret;

	threadplat_exhaust(starve);
	ret = weir_pgtable_split(&pt, iova, r->pages * PAGE, depth, &gather);
	threadplat_exhaust(false);
	assert_null(gather.tables);
	assert_int_equal(gather.bytes, 0);
	assert_true(!ret || (starve && ret == -WEIR_ENOMEM));
	for (uint64_t i = 0; i < r->pages && !ret; i += 1 + below(random, 64)) {
		leaf = device_walk(iova + i * PAGE);
		assert_true(!leaf.descriptor || leaf.level > 3 - depth ||
			    (leaf.level == 3 - depth && leaf.leaves == 1));
	}
}

static void do_merge(const struct range *r)
{
	struct weir_pgtable_gather gather = { 0 };
	int64_t before = in_use;
	unsigned int merged = weir_pgtable_merge(&pt, windows[r->window] + r->page * PAGE,
						 r->pages * PAGE, &gather);

	counts.merged += merged;
	assert_int_equal(gather.bytes, 0);
	weir_pgtable_free_tables(&pt, &gather);
	assert_int_equal(before - in_use, merged * PAGE / 4096);
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
	printf("%s, %s%s: %llu steps, seed %llu: %llu maps, %llu refused, %llu starved, "
	       "%llu unmaps of %llu MiB, %llu lookups (by depth %llu, %llu, %llu; %llu in runs), "
	       "%llu invalidated, %llu merged; %llu distinct pages, %llu mapped again\n",
	       kind->format->name, what, pt.contiguous ? ", contiguous" : "",
	       (unsigned long long)done, (unsigned long long)seed, (unsigned long long)counts.maps,
	       (unsigned long long)counts.refused, (unsigned long long)counts.starved,
	       (unsigned long long)counts.unmaps, (unsigned long long)counts.bytes >> 20,
	       (unsigned long long)counts.lookups, (unsigned long long)counts.leaves[0],
	       (unsigned long long)counts.leaves[1], (unsigned long long)counts.leaves[2],
	       (unsigned long long)counts.runs, (unsigned long long)counts.splits,
	       (unsigned long long)counts.merged, (unsigned long long)counts.pages,
	       (unsigned long long)counts.reused);
}

static void one_step(uint64_t *random, struct range *last)
{
	struct range r = random_range(random);
	uint64_t what = below(random, 20);

	/* The largest leaves need room, and no table of before in their way. */
	if (r.pages == giant)
		do_unmap(&r);
	if (what < 8) {
		do_map(random, &r, true);
		*last = r;
	} else if (what < 12) {
		do_unmap(last);
		r = *last;
	} else if (what < 16) {
		do_unmap(&r);
	} else if (what == 16) {
		do_split(random, &r);
	} else if (what == 17) {
		/* What was split merges again, where nothing was unmapped since. */
		do_split(random, last);
		do_merge(last);
		r = *last;
	} else if (what == 18) {
		do_merge(&r);
	}
	check_around(random, &r);
}

/*
 * The run is worth something: each size was met, parts of blocks were unmapped, memory ran out,
 * tables were merged.
 */
static void check_coverage(void)
{
	for (int i = 0; i < (kind->granule == 12 ? 3 : 2); i++)
		assert_true(counts.leaves[i] > 300);
	assert_true(counts.splits > 100 && counts.starved > 10 && counts.refused > 500);
	assert_true(counts.reused > counts.pages && counts.merged > 50);
	assert_true(!pt.contiguous || counts.runs > 1000);
}

static void random_sequences(void **state)
{
	const struct kind *k = *state;
	uint64_t random = seed * 0x9e3779b97f4a7c15ull, n = steps * 2048 >> k->granule;
	struct range last = { 0, 0, 1 };

	memset(&counts, 0, sizeof(counts));
	set_up(k, !k->stage2, k->granule != 12 || k->stage2);
	for (uint64_t step = 0; step < n; step++) {
		one_step(&random, &last);
		pt.replaces_blocks = pt.coherent && step & 0x400;
	}
	for (unsigned int window = 0; window < WINDOWS; window++)
		for (uint64_t page = 0; page < WINDOW_PAGES; page++)
			check_page(window, page);
	report("random sequences", n);
	if (steps >= 1000000)
		check_coverage();
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

		assert_int_equal(ret, want ? 0 : -WEIR_ENOENT);
		assert_int_equal(phys, want);
		/* Whatever other threads were about to clean: this one's range is complete. */
		assert_int_equal(!!device_walk(iova).descriptor, !!want);
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
	set_up(&kinds[shadow ? 3 : 0], shadow, true);
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

/*
 * ---- Two threads, one block, or one run -------------------------------------------------------
 */

static const struct shared {
	const char *what;
	bool is_run, replaces;
	uint64_t times; /* of default steps */
} shared[] = {
	{ "one block, broken and made", false, false, 3000 },
	{ "one run, broken and made", true, false, 3000 },
	{ "one run, changed in place", true, true, 20000 },
};

static pthread_barrier_t at_once;
static uint64_t shared_size, times;
static uint64_t halves[2]; /* bytes that each thread unmapped */

static void *unmap_half(void *arg)
{
	uintptr_t half = (uintptr_t)arg;
	uint64_t random = seed + half;

	threadplat_set_cpu((unsigned int)half);
	for (uint64_t i = 0; i < times; i++) {
		uint64_t n = shared_size / 2, at = block * PAGE + half * n, part;
		struct weir_pgtable_gather gather = { 0 };

		pthread_barrier_wait(&at_once); /* it is mapped */
		part = PAGE * below(&random, n / PAGE);
		/* Threads do not wake up together: meet at any point of each other's way. */
		for (uint64_t wait = below(&random, 4000); wait; wait--)
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		halves[half] = part ? weir_pgtable_unmap(&pt, at, part, &gather) : 0;
		/* Nothing may be cached as the whole run again, now that a part has gone. */
		for (uint64_t j = 0; j < shared_size && part; j += PAGE)
			assert_false(device_walk(block * PAGE + j).descriptor & VMSA_CONT);
		halves[half] += weir_pgtable_unmap(&pt, at + part, n - part, &gather);
		assert_false(device_walk(at).descriptor);
		pthread_barrier_wait(&at_once);
	}
	return NULL;
}

static void threads_that_share_a_leaf(void **state)
{
	const struct shared *s = *state;
	struct weir_pgtable_gather gather = { 0 };
	struct weir_extent extent;
	pthread_t threads[2];

	set_up(&kinds[1], false, true);
	times = steps * s->times / 1500000;
	shared_size = (s->is_run ? 128 : block) * PAGE;
	extent = (struct weir_extent){ block * PAGE, shared_size };
	pt.replaces_blocks = s->replaces;
	pthread_barrier_init(&at_once, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, unmap_half, (void *)i), 0);
	for (uint64_t i = 0; i < times; i++) {
		assert_int_equal(weir_pgtable_map(&pt, block * PAGE, &extent, 1, WEIR_IOMMU_READ,
						  &gather),
				 0);
		assert_int_equal(device_walk(block * PAGE).span, shared_size);
		pthread_barrier_wait(&at_once);
		pthread_barrier_wait(&at_once);
		assert_int_equal(halves[0], shared_size / 2);
		assert_int_equal(halves[1], shared_size / 2);
		/* The table goes, so that the next map is a block again. */
		assert_int_equal(weir_pgtable_unmap(&pt, block * PAGE, block * PAGE, &gather), 0);
		weir_pgtable_free_tables(&pt, &gather);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&at_once);
	printf("%s: %llu times\n", s->what, (unsigned long long)times);
	tear_down();
}

int main(int argc, char **argv)
{
	static bool snoops = false, shadow = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[0]),
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[1]),
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[2]),
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[3]),
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[4]),
		cmocka_unit_test_prestate(random_sequences, (void *)&kinds[5]),
		cmocka_unit_test_prestate(threads_on_disjoint_ranges, &snoops),
		cmocka_unit_test_prestate(threads_on_disjoint_ranges, &shadow),
		cmocka_unit_test_prestate(threads_that_share_a_leaf, (void *)&shared[0]),
		cmocka_unit_test_prestate(threads_that_share_a_leaf, (void *)&shared[1]),
		cmocka_unit_test_prestate(threads_that_share_a_leaf, (void *)&shared[2]),
	};

	if (argc > 1)
		steps = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
