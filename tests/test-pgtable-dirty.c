/* SPDX-License-Identifier: MIT */
/*
 * src/pgtable while hardware walks it and marks what it writes to: threads that are a device behind
 * an IOMMU with a TLB, which keeps what nobody invalidates, caches contiguous runs and blocks
 * whole, and is in the middle of a walk at any time.
 *
 * In each format, with and without BBM level 2, over random maps and unmaps of two CPUs that share
 * blocks and runs, and splits and merges:
 *
 * - What was written to since it was last told is told as dirty; where nothing was written in all
 *   that shares its table, nothing is; what was cleared and not written to since is not told again.
 * - A page that was mapped as read-only is never written to.
 * - After an unmap and the invalidation of its range the device reaches nothing there; what stays
 *   mapped leads where it did.
 * - With BBM level 2 nothing that stays mapped ever faults. Without it the TLB never gets two
 *   entries that overlap but differ.
 *
 * What a run covered is printed. Arguments: rounds, seed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "pgtable/pgtable.h"
#include "threadplat.h"
#include "vmsawalk.h"

#define WALKERS 2
#define WORKERS 2
#define TLB 64
#define BLOCKS 4
#define MAX_PAGES (BLOCKS * 8192)
#define RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)

struct kind {
	const struct weir_pgtable_format *format;
	unsigned int granule, bits, level;
	bool stage2, replaces;
};

enum live { GONE, MOVING, MAPPED };

/* All that follows is atomic, but for what a round sets up. */
static struct page {
	uint8_t live, writable, written, told;
} pages[MAX_PAGES];
static uint8_t touched[BLOCKS]; /* something in the block was written to */
static uint64_t nr_pages, base, page_size, offset;
static const struct kind *kind;
static struct weir_pgtable_cache cache;
static struct weir_pgtable pt;
static int64_t in_use;
static uint64_t rounds = 100, seed = 1;
static uint64_t stop;
static uint64_t shifts; /* that the workers have had */

static struct counts {
	uint64_t reads, writes, hits, faults, marks, told, splits, merges, unmaps, invalidated;
} counts;

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s%s: %s\n", kind->format->name, kind->replaces ? ", BBM 2" : "", what);
	abort();
}

#define GET(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SET(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELEASE)

static uint64_t below(uint64_t *state, uint64_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 11) % n;
}

/* ---- The device ------------------------------------------------------------------------------ */

struct entry {
	uint64_t first, span, phys; /* span 0: none */
	bool writable;
};

/* The lock is held for as long as an access takes: who has it knows that none is under way. */
static struct walker {
	pthread_mutex_t lock;
	struct entry tlb[TLB];
	uint64_t random, around;
} walkers[WALKERS];

static bool overlaps(const struct entry *e, uint64_t iova, uint64_t size)
{
	return e->span && e->first < iova + size && iova < e->first + e->span;
}

/* A walk takes time: tables change under it. */
static void *slow_memory(void *opaque, uint64_t phys)
{
	struct walker *w = opaque;

	if (w && !below(&w->random, 16))
		sched_yield();
	return threadplat_device_view(phys);
}

static struct vmsa_tables tables_for(struct walker *w)
{
	return (struct vmsa_tables){ .granule = kind->granule,
				     .stage2 = kind->stage2,
				     .bits = kind->bits,
				     .level = kind->level,
				     .root = weir_pgtable_root(&pt),
				     .memory = slow_memory,
				     .opaque = w };
}

static void insert(struct walker *w, const struct entry *new)
{
	struct entry *to = &w->tlb[below(&w->random, TLB)];

	for (int i = 0; i < TLB; i++) {
		struct entry *e = &w->tlb[i];

		if (!overlaps(e, new->first, new->span))
			continue;
		if (e->first == new->first && e->span == new->span)
			to = e;
		else
			check(kind->replaces, "two sizes of leaves in the TLB at once");
	}
	*to = *new;
}

static void touch(uint64_t page, uint64_t phys, bool write)
{
	uint64_t iova = base + page * page_size;

	check(phys == iova + offset, "an address leads elsewhere");
	check(GET(pages[page].live) != GONE, "what was unmapped is reached");
	count(write ? &counts.writes : &counts.reads);
	if (!write)
		return;
	check(GET(pages[page].writable), "what is read-only is written to");
	SET(pages[page].written, 1);
	SET(touched[page * BLOCKS / nr_pages], 1);
}

static void walk(struct walker *w, uint64_t page, bool write)
{
	uint64_t iova = base + page * page_size;
	struct vmsa_tables t = tables_for(w);
	bool mapped = GET(pages[page].live) == MAPPED;
	struct vmsa_leaf leaf = vmsa_walk(&t, iova);
	struct entry new;

	if (!leaf.descriptor) {
		check(!kind->replaces || !mapped || GET(pages[page].live) != MAPPED,
		      "what is mapped faults");
		count(&counts.faults);
		return;
	}
	if (write && !vmsa_writable(&t, leaf.descriptor)) {
		if (!(leaf.descriptor & VMSA_DBM)) {
			check(!GET(pages[page].writable), "what is writable is refused");
			return;
		}
		if (!below(&w->random, 4))
			sched_yield();
		if (!__atomic_compare_exchange_n(leaf.slot, &leaf.descriptor,
						 vmsa_dirtied(&t, leaf.descriptor), false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return;
		leaf.descriptor = vmsa_dirtied(&t, leaf.descriptor);
		count(&counts.marks);
	}
	new = (struct entry){ .first = leaf.first,
			      .span = leaf.span,
			      .phys = leaf.phys - (iova - leaf.first),
			      .writable = vmsa_writable(&t, leaf.descriptor) };
	insert(w, &new);
	touch(page, leaf.phys, write);
}

static void access_page(struct walker *w, uint64_t page, bool write)
{
	uint64_t iova = base + page * page_size;

	for (int i = 0; i < TLB; i++) {
		struct entry *e = &w->tlb[i];

		if (!overlaps(e, iova, page_size) || (write && !e->writable))
			continue;
		count(&counts.hits);
		touch(page, e->phys + (iova - e->first), write);
		return;
	}
	walk(w, page, write);
}

static void *device_main(void *arg)
{
	struct walker *w = arg;

	while (!GET(stop)) {
		pthread_mutex_lock(&w->lock);
		/*
		 * Mostly around one place; writes are so few that some blocks are clean for a
		 * while.
		 */
		if (!below(&w->random, 8))
			w->around = below(&w->random, nr_pages);
		for (int i = 0; i < 8; i++)
			access_page(w, (w->around + below(&w->random, 64)) % nr_pages,
				    !below(&w->random, 128));
		pthread_mutex_unlock(&w->lock);
		sched_yield();
	}
	return NULL;
}

static void drop(struct walker *w, uint64_t iova, uint64_t size)
{
	for (int i = 0; i < TLB; i++)
		if (overlaps(&w->tlb[i], iova, size))
			w->tlb[i].span = 0;
}

/* When it returns, all accesses that were under way are over as well. */
static void invalidate(struct weir_pgtable *table, uint64_t iova, uint64_t size)
{
	(void)table;
	count(&counts.invalidated);
	for (int i = 0; i < WALKERS; i++) {
		pthread_mutex_lock(&walkers[i].lock);
		drop(&walkers[i], iova, size);
		pthread_mutex_unlock(&walkers[i].lock);
	}
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static __thread uint64_t busy_with; /* a page */

/*
 * A new table was filled, or leaves were written: this is when the device writes there. Not in a
 * walk of its own, but with all that follows from it.
 */
static void write_there(void)
{
	struct walker *w = &walkers[0];

	pthread_mutex_lock(&w->lock);
	if (!below(&w->random, 4))
		access_page(w, (busy_with + below(&w->random, 64)) % nr_pages, true);
	pthread_mutex_unlock(&w->lock);
}

static void set_live(uint64_t page, uint64_t n, enum live live)
{
	for (uint64_t i = page; i < page + n; i++)
		SET(pages[i].live, (uint8_t)live);
}

static void finish(uint64_t page, uint64_t n, struct weir_pgtable_gather *gather)
{
	if (gather->leaf_depths || gather->tables)
		invalidate(&pt, base + page * page_size, n * page_size);
	weir_pgtable_free_tables(&pt, gather);
}

static void map(uint64_t page, uint64_t n, bool writable)
{
	struct weir_extent extent = { base + page * page_size + offset, n * page_size };
	struct weir_pgtable_gather gather = { 0 };

	for (uint64_t i = page; i < page + n; i++)
		SET(pages[i].writable, writable);
	set_live(page, n, MOVING);
	busy_with = page;
	check(!weir_pgtable_map(&pt, base + page * page_size, &extent, 1,
				writable ? RW : WEIR_IOMMU_READ, &gather),
	      "a map fails");
	set_live(page, n, MAPPED);
}

static void unmap(uint64_t page, uint64_t n)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t want = 0;

	for (uint64_t i = page; i < page + n; i++)
		want += GET(pages[i].live) == MAPPED ? page_size : 0;
	set_live(page, n, MOVING);
	busy_with = page;
	check(weir_pgtable_unmap(&pt, base + page * page_size, n * page_size, &gather) == want,
	      "an unmap misses something");
	finish(page, n, &gather);
	set_live(page, n, GONE);
	for (uint64_t i = page; i < page + n; i++)
		SET(pages[i].written, 0);
	count(&counts.unmaps);
}

/*
 * Each worker owns every other piece of a length that divides neither run nor block, and unmaps or
 * maps parts of it.
 */
static void *worker_main(void *arg)
{
	uintptr_t worker = (uintptr_t)arg;
	uint64_t random = (shifts + worker) * 0x9e3779b97f4a7c15ull, piece = 11;

	threadplat_set_cpu((unsigned int)worker);
	for (int i = 0; i < 24; i++) {
		uint64_t page = (below(&random, nr_pages / piece / 2) * 2 + worker) * piece, n;

		page += below(&random, 4);
		n = 1 + below(&random, 6);
		/* All of it goes, so that all of it can be mapped. */
		unmap(page, n);
		if (below(&random, 2))
			map(page, n, below(&random, 4));
		sched_yield();
	}
	return NULL;
}

static void told(void *arg, uint64_t iova, uint64_t size)
{
	uint64_t page = (iova - base) / page_size;

	(void)arg;
	check(iova >= base && iova + size <= base + nr_pages * page_size, "dirty beyond the range");
	for (uint64_t i = page; i < page + size / page_size; i++)
		SET(pages[i].told, 1);
	check(GET(touched[page * BLOCKS / nr_pages]), "what nobody wrote to is dirty");
	counts.told++;
}

/* While the device is at work. What was told is written off once nothing of it is cached. */
static void clear_dirty(uint64_t page, uint64_t n)
{
	struct weir_pgtable_gather gather = { 0 };

	for (uint64_t i = 0; i < nr_pages; i++)
		pages[i].told = 0;
	weir_pgtable_dirty(&pt, base + page * page_size, n * page_size, true, told, NULL, &gather);
	for (int i = 0; i < WALKERS; i++)
		pthread_mutex_lock(&walkers[i].lock);
	/* The leaves that were told may reach beyond the range. */
	for (int i = 0; i < WALKERS && gather.leaf_depths; i++)
		drop(&walkers[i], base, nr_pages * page_size);
	for (uint64_t i = 0; i < nr_pages; i++)
		if (pages[i].told)
			SET(pages[i].written, 0);
	for (int i = 0; i < WALKERS; i++)
		pthread_mutex_unlock(&walkers[i].lock);
}

/* Until the device has done something in what there is now. */
static void let_it_work(uint64_t accesses)
{
	uint64_t enough = GET(counts.reads) + accesses;

	while (GET(counts.reads) < enough)
		sched_yield();
}

static void split(uint64_t page, uint64_t n, unsigned int depth)
{
	struct weir_pgtable_gather gather = { 0 };

	busy_with = page;
	check(!weir_pgtable_split(&pt, base + page * page_size, n * page_size, depth, &gather),
	      "a split fails");
	/* Blocks were split whole. */
	if (gather.leaf_depths)
		invalidate(&pt, base, nr_pages * page_size);
	count(&counts.splits);
}

static void merge(uint64_t page, uint64_t n)
{
	struct weir_pgtable_gather gather = { 0 };

	counts.merges += weir_pgtable_merge(&pt, base + page * page_size, n * page_size, &gather);
	finish(page, n, &gather);
}

static void reshape(uint64_t *random)
{
	for (int i = 0; i < 12; i++) {
		uint64_t page = below(random, nr_pages), n = 1 + below(random, nr_pages - page);

		switch (below(random, 4)) {
		case 0:
			split(page, n, (unsigned int)below(random, 2));
			break;
		case 1:
			merge(page, n);
			break;
		case 2:
			clear_dirty(page, n);
			break;
		default:
			/* Of what is whole still: there and back. */
			n = nr_pages / BLOCKS;
			page -= page % n;
			split(page, n, 0);
			let_it_work(20);
			merge(page, n);
		}
	}
}

/* The device stands still: all that it wrote is told, and then nothing. */
static void settle(void)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes, i;

	for (i = 0; i < WALKERS; i++)
		pthread_mutex_lock(&walkers[i].lock);
	for (i = 0; i < nr_pages; i++)
		pages[i].told = 0;
	bytes = weir_pgtable_dirty(&pt, base, nr_pages * page_size, true, told, NULL, &gather);
	for (i = 0; i < nr_pages; i++) {
		check(!pages[i].written || pages[i].live != MAPPED || pages[i].told,
		      "what was written to is not dirty");
		bytes -= pages[i].told ? page_size : 0;
		pages[i].written = 0;
	}
	check(!bytes, "the bytes are not those of the leaves that were told");
	check(!weir_pgtable_dirty(&pt, base, nr_pages * page_size, false, NULL, NULL, &gather),
	      "what was cleared is dirty");
	memset(touched, 0, sizeof(touched));
	for (i = 0; i < WALKERS; i++)
		drop(&walkers[i], base, nr_pages * page_size);
	for (i = 0; i < WALKERS; i++)
		pthread_mutex_unlock(&walkers[i].lock);
}

static void one_round(uint64_t *random)
{
	pthread_t workers[WORKERS];

	map(0, nr_pages / 2, true);
	map(nr_pages / 2, nr_pages / 4, false);
	map(nr_pages * 3 / 4, nr_pages / 4, true);
	for (int i = 0; i < 3; i++) {
		let_it_work(200);
		shifts += WORKERS;
		for (uintptr_t j = 0; j < WORKERS; j++)
			check(!pthread_create(&workers[j], NULL, worker_main, (void *)j), "thread");
		for (int j = 0; j < WORKERS; j++)
			pthread_join(workers[j], NULL);
		reshape(random);
		settle();
		/* Whole again, here and there. */
		for (uint64_t at = 0; at < nr_pages; at += nr_pages / BLOCKS) {
			if (below(random, 2))
				continue;
			unmap(at, nr_pages / BLOCKS);
			map(at, nr_pages / BLOCKS, below(random, 3));
		}
		let_it_work(200);
		reshape(random);
		settle();
	}
	unmap(0, nr_pages);
}

static void set_up(const struct kind *k)
{
	kind = k;
	page_size = (uint64_t)1 << k->granule;
	nr_pages = BLOCKS * page_size / 8;
	base = ((uint64_t)1 << (k->bits - 1)) - nr_pages / 2 * page_size;
	offset = (uint64_t)1 << (k->granule == 16 ? 50 : 46);
	memset(&counts, 0, sizeof(counts));
	memset(pages, 0, sizeof(pages));
	threadplat_new((size_t)64 << 20, false);
	threadplat_set_cpu(0);
	in_use = 0;
	assert_int_equal(weir_pgtable_cache_init(&cache, NULL, WORKERS, WEIR_ZONE_NORMAL,
						 k->granule, &in_use),
			 0);
	pt = (struct weir_pgtable){ .format = k->format,
				    .cache = &cache,
				    .coherent = true,
				    .replaces_blocks = k->replaces,
				    .contiguous = true,
				    .tracks_dirty = true,
				    .invalidate = invalidate };
	assert_int_equal(weir_pgtable_init(&pt, k->bits, 52), 0);
	for (uint64_t i = 0; i < WALKERS; i++) {
		memset(&walkers[i], 0, sizeof(walkers[i]));
		walkers[i].random = (seed * WALKERS + i + 1) * 0x9e3779b97f4a7c15ull;
		pthread_mutex_init(&walkers[i].lock, NULL);
	}
	shifts = seed << 32;
	SET(stop, 0);
}

static void tear_down(void)
{
	weir_pgtable_fini(&pt);
	assert_int_equal(in_use, 0);
	weir_pgtable_cache_fini(&cache);
	threadplat_delete();
}

static void a_device_at_work(void **state)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ull, n;
	pthread_t devices[WALKERS];

	set_up(*state);
	n = rounds * 4096 / page_size + 2;
	threadplat_set_barrier(write_there);
	for (int i = 0; i < WALKERS; i++)
		assert_int_equal(pthread_create(&devices[i], NULL, device_main, &walkers[i]), 0);
	for (uint64_t i = 0; i < n; i++)
		one_round(&random);
	SET(stop, 1);
	threadplat_set_barrier(NULL);
	for (int i = 0; i < WALKERS; i++)
		pthread_join(devices[i], NULL);
	printf("%s%s: %llu rounds, seed %llu: %llu reads, %llu writes, %llu from the TLB, "
	       "%llu faults, %llu marks; %llu leaves told, %llu splits, %llu tables merged, "
	       "%llu unmaps, %llu invalidations\n",
	       kind->format->name, kind->replaces ? ", BBM 2" : "", (unsigned long long)n,
	       (unsigned long long)seed, (unsigned long long)counts.reads,
	       (unsigned long long)counts.writes, (unsigned long long)counts.hits,
	       (unsigned long long)counts.faults, (unsigned long long)counts.marks,
	       (unsigned long long)counts.told, (unsigned long long)counts.splits,
	       (unsigned long long)counts.merges, (unsigned long long)counts.unmaps,
	       (unsigned long long)counts.invalidated);
	assert_true(counts.marks && counts.told && counts.merges && counts.splits);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct kind kinds[] = {
		{ &weir_pgtable_vmsav8_s1_4k, 12, 48, 0, false, false },
		{ &weir_pgtable_vmsav8_s1_4k, 12, 48, 0, false, true },
		{ &weir_pgtable_vmsav8_s1_16k, 14, 47, 1, false, false },
		{ &weir_pgtable_vmsav8_s1_16k, 14, 47, 1, false, true },
		{ &weir_pgtable_vmsav8_s1_64k, 16, 52, 1, false, true },
		{ &weir_pgtable_vmsav8_s2_4k, 12, 42, 1, true, false },
		{ &weir_pgtable_vmsav8_s2_4k, 12, 42, 1, true, true },
		{ &weir_pgtable_vmsav8_s2_16k, 14, 40, 2, true, true },
		{ &weir_pgtable_vmsav8_s2_64k, 16, 46, 2, true, false },
		{ &weir_pgtable_vmsav8_s2_64k, 16, 46, 2, true, true },
	};
	struct CMUnitTest tests[sizeof(kinds) / sizeof(kinds[0])];

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(a_device_at_work,
									(void *)&kinds[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
