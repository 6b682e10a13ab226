/* SPDX-License-Identifier: MIT */
/*
 * src/pgtable alone, VMSAv8-64 stage 1 with 4 KiB pages, against a walk of its own.
 *
 * - Each protection gives the descriptor bits that DDI 0487 D8.3 asks for, in pages and in blocks.
 * - A list is mapped with the largest leaves that alignment, size and existing tables allow.
 * - A map that meets a mapping anywhere fails with -EEXIST; what was there stays, nothing is added.
 * - Whichever allocation fails, the map fails with -ENOMEM, nothing of it is left, and once there
 *   is memory the same map succeeds. Nothing leaks; the count of table pages is exact.
 * - What is not aligned, beyond the addresses, or allows nothing is refused.
 * - Unmap takes out what is there, skips holes, says how much went and at which levels, and takes
 *   out just the tables whose whole span it covered; they are not reused before they are freed, and
 *   no word of theirs is a valid descriptor until then.
 * - Unmapping a part of a block leaves the rest mapped as it was; with break before make where the
 *   hardware asks for it; without memory the block stays.
 * - A walker that does not snoop: every entry and page was cleaned (counted here;
 *   test-pgtable-property walks the cleaned memory).
 * - The stock of pages is bounded and its pages are zero.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fakeplat.h"
#include "pgtable/pgtable.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)

struct fixture {
	struct fakeplat *fake;
	struct weir_pgtable_cache cache;
	struct weir_pgtable pt;
	int64_t in_use;
	unsigned int invalidations;
	uint64_t invalidated, seen_during_break;
};

static struct fixture *fix;

struct found {
	uint64_t descriptor;
	unsigned int level;
};

/* The walk as the architecture describes it, without any of the code under test. */
static struct found walk(uint64_t iova)
{
	uint64_t table = weir_pgtable_root(&fix->pt);
	struct found found = { 0, 0 };

	for (; found.level < 4; found.level++) {
		const uint64_t *entries = plat_phys_to_virt(fix->fake, table);

		found.descriptor = entries[iova >> (39 - 9 * found.level) & 511];
		if (!(found.descriptor & 1) || found.level == 3 || !(found.descriptor & 2))
			return found;
		table = found.descriptor & 0xfffffffff000;
	}
	return found;
}

static void assert_maps(uint64_t iova, uint64_t phys, unsigned int level)
{
	struct found found = walk(iova);
	uint64_t offset = ((uint64_t)1 << (39 - 9 * level)) - 1;
	unsigned int depth;
	weir_phys_t looked;

	assert_true(found.descriptor & 1);
	assert_int_equal(found.level, level);
	assert_int_equal((found.descriptor & 0xfffffffff000 & ~offset) | (iova & offset), phys);
	assert_int_equal(weir_pgtable_lookup(&fix->pt, iova, &looked, &depth), 0);
	assert_int_equal(looked, phys);
	assert_int_equal(depth, 3 - level);
}

static void assert_unmapped(uint64_t iova)
{
	weir_phys_t phys;

	assert_false(walk(iova).descriptor & 1);
	assert_int_equal(weir_pgtable_lookup(&fix->pt, iova, &phys, NULL), -WEIR_ENOENT);
}

static int map(uint64_t iova, uint64_t phys, uint64_t size, unsigned int prot)
{
	struct weir_extent extent = { phys, size };
	struct weir_pgtable_gather gather = { 0 };
	int ret = weir_pgtable_map(&fix->pt, iova, &extent, 1, prot, &gather);

	if (!ret)
		assert_int_equal(gather.bytes, 0);
	weir_pgtable_free_tables(&fix->pt, &gather);
	return ret;
}

static uint64_t unmap(uint64_t iova, uint64_t size)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes = weir_pgtable_unmap(&fix->pt, iova, size, &gather);

	assert_int_equal(gather.bytes, bytes);
	weir_pgtable_free_tables(&fix->pt, &gather);
	return bytes;
}

static void invalidate(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	assert_ptr_equal(pt, &fix->pt);
	fix->invalidations++;
	fix->invalidated = size;
	fix->seen_during_break = walk(iova).descriptor;
}

static int set_up(void **state)
{
	static struct fixture fixture;

	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	fix = &fixture;
	fix->fake = fakeplat_new(MIB(16));
	assert_int_equal(weir_pgtable_cache_init(&fix->cache, fix->fake, 1, WEIR_ZONE_NORMAL, 12,
						 &fix->in_use),
			 0);
	fix->pt.format = &weir_pgtable_vmsav8_s1_4k;
	fix->pt.cache = &fix->cache;
	fix->pt.plat = fix->fake;
	fix->pt.coherent = true;
	fix->pt.invalidate = invalidate;
	assert_int_equal(weir_pgtable_init(&fix->pt, 48, 44), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	weir_pgtable_fini(&fix->pt);
	assert_int_equal(fix->in_use, 0);
	weir_pgtable_cache_fini(&fix->cache);
	fakeplat_delete(fix->fake);
	return 0;
}

/*
 * DDI 0487 D8.3: [1:0] type, [4:2] AttrIndx, [7:6] AP, [9:8] SH, [10] AF, [11] nG, [53] PXN, [54]
 * UXN.
 */
static void each_protection(void **state)
{
	static const struct {
		unsigned int prot;
		uint64_t bits;
	} cases[] = {
		{ WEIR_IOMMU_READ, 1 << 2 | 3 << 6 | 2 << 8 | 3 << 10 },
		{ WEIR_IOMMU_WRITE, 1 << 2 | 1 << 6 | 2 << 8 | 3 << 10 },
		{ RW, 1 << 2 | 1 << 6 | 2 << 8 | 3 << 10 },
		{ RW | WEIR_IOMMU_CACHE, 1 << 6 | 3 << 8 | 3 << 10 },
		{ RW | WEIR_IOMMU_PRIV, 1 << 2 | 2 << 8 | 3 << 10 },
		{ RW | WEIR_IOMMU_MMIO, 2 << 2 | 1 << 6 | 2 << 8 | 3 << 10 },
		{ RW | WEIR_IOMMU_MMIO | WEIR_IOMMU_CACHE, 2 << 2 | 1 << 6 | 2 << 8 | 3 << 10 },
		{ WEIR_IOMMU_READ | WEIR_IOMMU_CACHE | WEIR_IOMMU_PRIV | WEIR_IOMMU_NOEXEC,
		  2 << 6 | 3 << 8 | 3 << 10 | 3ull << 53 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(map(KIB(4), 0x123456789000, KIB(4), cases[i].prot), -WEIR_EINVAL);
		assert_int_equal(map(KIB(4), 0x23456789000, KIB(4), cases[i].prot), 0);
		assert_int_equal(walk(KIB(4)).descriptor, 0x23456789000 | cases[i].bits | 3);
		assert_int_equal(map(MIB(4), MIB(6), MIB(2), cases[i].prot), 0);
		assert_int_equal(walk(MIB(4)).descriptor, MIB(6) | cases[i].bits | 1);
		assert_int_equal(map(GIB(1), GIB(3), GIB(1), cases[i].prot), 0);
		assert_int_equal(walk(GIB(1)).descriptor, GIB(3) | cases[i].bits | 1);
		assert_int_equal(unmap(0, GIB(2)), KIB(4) + MIB(2) + GIB(1));
	}
}

static void mair_matches_the_indices(void **state)
{
	(void)state;
	assert_int_equal(WEIR_PGTABLE_VMSAV8_MAIR, 0x0444ff);
}

static void largest_leaves(void **state)
{
	struct weir_pgtable_gather gather = { 0 };
	/* 8 KiB, then 2 MiB that are not aligned with the IOVA, then what reaches the next GiB. */
	uint64_t at = GIB(5) - MIB(4) - KIB(8);
	struct weir_extent extents[] = {
		{ MIB(100), KIB(8) },
		{ GIB(2) + KIB(4), MIB(2) },
		{ GIB(3), MIB(2) },
		{ GIB(8), GIB(2) + MIB(2) + KIB(4) },
	};

	(void)state;
	assert_int_equal(weir_pgtable_map(&fix->pt, at, extents, 4, RW, &gather), 0);
	assert_maps(at, MIB(100), 3);
	assert_maps(at + KIB(4), MIB(100) + KIB(4), 3);
	at = GIB(5) - MIB(4);
	for (uint64_t i = 0; i < MIB(2); i += KIB(4))
		assert_maps(at + i, GIB(2) + KIB(4) + i, 3);
	assert_maps(GIB(5) - MIB(2), GIB(3), 2);
	assert_maps(GIB(5) - 1, GIB(3) + MIB(2) - 1, 2);
	assert_maps(GIB(5), GIB(8), 1);
	assert_maps(GIB(7) - 1, GIB(10) - 1, 1);
	assert_maps(GIB(7), GIB(10), 2);
	assert_maps(GIB(7) + MIB(2) + 123, GIB(10) + MIB(2) + 123, 3);
	assert_unmapped(GIB(7) + MIB(2) + KIB(4));
	assert_unmapped(at - KIB(12));
	assert_int_equal(weir_pgtable_page_sizes(&fix->pt), KIB(4) | MIB(2) | GIB(1));
}

static void a_table_in_the_way_is_used(void **state)
{
	(void)state;
	assert_int_equal(map(MIB(2), MIB(64), KIB(4), RW), 0);
	assert_int_equal(unmap(MIB(2), KIB(4)), KIB(4));
	/* The empty level 3 table stands there; the block beside it is a block. */
	assert_int_equal(map(MIB(2), MIB(8), MIB(4), RW), 0);
	assert_maps(MIB(2), MIB(8), 3);
	assert_maps(MIB(4) - KIB(4), MIB(10) - KIB(4), 3);
	assert_maps(MIB(4), MIB(10), 2);
	/* Unmapped as a whole it goes, and the next one is a block. */
	assert_int_equal(unmap(MIB(2), MIB(4)), MIB(4));
	assert_int_equal(map(MIB(2), MIB(8), MIB(2), RW), 0);
	assert_maps(MIB(2), MIB(8), 2);
}

static void map_over_a_mapping(void **state)
{
	static const struct {
		uint64_t iova, size;
	} taken[] = {
		{ MIB(2), KIB(4) },
		{ MIB(6) - KIB(4), KIB(4) },
		{ MIB(4), MIB(2) },
		{ MIB(4) + KIB(64), KIB(8) },
	};
	int64_t pages = fix->in_use;

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct weir_extent extents[] = { { MIB(30), MIB(2) }, { MIB(40), MIB(2) } };
		struct weir_pgtable_gather gather = { 0 };

		assert_int_equal(map(taken[i].iova, GIB(1), taken[i].size, WEIR_IOMMU_READ), 0);
		assert_int_equal(weir_pgtable_map(&fix->pt, MIB(2), extents, 2, RW, &gather),
				 -WEIR_EEXIST);
		weir_pgtable_free_tables(&fix->pt, &gather);
		for (uint64_t at = MIB(2); at < MIB(6); at += KIB(4)) {
			uint64_t offset = at - taken[i].iova;
			weir_phys_t phys;

			if (at >= taken[i].iova && offset < taken[i].size) {
				assert_int_equal(weir_pgtable_lookup(&fix->pt, at, &phys, NULL), 0);
				assert_int_equal(phys, GIB(1) + offset);
				assert_true(walk(at).descriptor & 1 << 7);
			} else {
				assert_unmapped(at);
			}
		}
		assert_int_equal(map(taken[i].iova, MIB(32), taken[i].size, RW), -WEIR_EEXIST);
		assert_int_equal(unmap(0, GIB(512)), taken[i].size);
		assert_int_equal(fix->in_use, pages);
	}
}

static void each_failed_allocation(void **state)
{
	/* Six tables: levels 1, 2, 3 on either side of 512 GiB; and a block before. */
	struct weir_extent extents[] = { { MIB(2), MIB(2) }, { GIB(1) + KIB(4), MIB(4) } };
	uint64_t at = GIB(512) - MIB(4);
	unsigned int failures = 0;
	int ret;

	(void)state;
	do {
		struct weir_pgtable_gather gather = { 0 };
		struct weir_pgtable fresh = fix->pt;

		/* An empty stock, so that each page comes from the platform. */
		weir_pgtable_fini(&fix->pt);
		weir_pgtable_cache_fini(&fix->cache);
		assert_int_equal(weir_pgtable_cache_init(&fix->cache, fix->fake, 1,
							 WEIR_ZONE_NORMAL, 12, &fix->in_use),
				 0);
		fix->pt = fresh;
		assert_int_equal(weir_pgtable_init(&fix->pt, 48, 44), 0);
		fix->fake->fail_alloc = ++failures;
		ret = weir_pgtable_map(&fix->pt, at, extents, 2, RW, &gather);
		fix->fake->fail_alloc = 0;
		weir_pgtable_free_tables(&fix->pt, &gather);
		for (uint64_t i = 0; i < MIB(6) && ret; i += KIB(4))
			assert_unmapped(at + i);
		if (ret) {
			assert_int_equal(ret, -WEIR_ENOMEM);
			assert_int_equal(weir_pgtable_map(&fix->pt, at, extents, 2, RW, &gather),
					 0);
		}
		assert_int_equal(unmap(at, MIB(6)), MIB(6));
	} while (ret);
	assert_int_equal(failures - 1, 6);
}

static void no_memory_for_a_root(void **state)
{
	struct weir_pgtable another = fix->pt;
	uint64_t *stock[WEIR_PGTABLE_CACHED], n = 0;

	(void)state;
	fix->fake->fail_alloc = 1;
	fix->fake->fail_onwards = true;
	while ((stock[n] = weir_pgtable_page_alloc(&fix->cache)))
		n++;
	assert_int_equal(weir_pgtable_init(&another, 48, 44), -WEIR_ENOMEM);
	assert_int_equal(fix->in_use, 1 + n);
	while (n--)
		weir_pgtable_page_free(&fix->cache, stock[n]);
	fix->fake->fail_alloc = 0;
	fix->fake->fail_onwards = false;
}

static void bad_arguments(void **state)
{
	weir_phys_t phys;

	(void)state;
	assert_int_equal(map(KIB(2), 0, KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(0, KIB(2), KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(0, 0, KIB(2), RW), -WEIR_EINVAL);
	assert_int_equal(map(0, 0, KIB(4), WEIR_IOMMU_CACHE), -WEIR_EINVAL);
	assert_int_equal(map(GIB(1) << 18, 0, KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map((GIB(1) << 18) - KIB(4), 0, KIB(8), RW), -WEIR_EINVAL);
	assert_int_equal(map(0, (GIB(1) << 14) - KIB(4), KIB(8), RW), -WEIR_EINVAL);
	assert_int_equal(map(0, GIB(1) << 14, KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(KIB(4), 0, (uint64_t)0 - KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map((GIB(1) << 18) - KIB(4), (GIB(1) << 14) - KIB(4), KIB(4), RW), 0);
	assert_maps((GIB(1) << 18) - KIB(4), (GIB(1) << 14) - KIB(4), 3);
	assert_int_equal(unmap(KIB(2), KIB(4)), 0);
	assert_int_equal(unmap(0, KIB(2)), 0);
	assert_int_equal(unmap(GIB(1) << 18, KIB(4)), 0);
	assert_int_equal(unmap((GIB(1) << 18) - KIB(4), KIB(8)), 0);
	assert_int_equal(weir_pgtable_lookup(&fix->pt, ~(uint64_t)0, &phys, NULL), -WEIR_ENOENT);
	/* The same where the table is there already. */
	assert_int_equal(map(KIB(8), MIB(1), KIB(4), RW), 0);
	assert_int_equal(map(KIB(12), GIB(1) << 14, KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(KIB(12), (GIB(1) << 14) + KIB(4), KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(KIB(12), KIB(2), KIB(4), RW), -WEIR_EINVAL);
	assert_int_equal(map(KIB(14), MIB(1), KIB(4), RW), -WEIR_EINVAL);
	assert_unmapped(KIB(12));
	assert_unmapped(KIB(16));
	/* A bad extent behind a good one: the good one goes too. */
	struct weir_extent extents[] = { { MIB(2), MIB(2) }, { KIB(1), KIB(4) } };
	struct weir_pgtable_gather gather = { 0 };

	assert_int_equal(weir_pgtable_map(&fix->pt, MIB(2), extents, 2, RW, &gather), -WEIR_EINVAL);
	assert_int_equal(gather.bytes, MIB(2));
	weir_pgtable_free_tables(&fix->pt, &gather);
	assert_unmapped(MIB(2));
}

static void unmap_gathers(void **state)
{
	struct weir_pgtable_gather gather = { 0 };
	int64_t pages;

	(void)state;
	assert_int_equal(map(MIB(2), MIB(2), MIB(2), RW), 0);	       /* a block */
	assert_int_equal(map(MIB(4) + KIB(4), GIB(1), KIB(8), RW), 0); /* in a table */
	assert_int_equal(map(MIB(6) - KIB(4), GIB(1), KIB(4), RW), 0); /* in the same */
	assert_int_equal(map(MIB(6), GIB(1) + KIB(4), MIB(2), RW), 0); /* a full table */
	pages = fix->in_use;

	/* A part of a table: it stays. */
	assert_int_equal(weir_pgtable_unmap(&fix->pt, MIB(4) + KIB(4), MIB(2) - KIB(4), &gather),
			 KIB(12));
	assert_int_equal(gather.leaf_depths, 1);
	assert_null(gather.tables);
	/* Across: a block, an empty table as a whole, a full one as a whole. */
	assert_int_equal(weir_pgtable_unmap(&fix->pt, 0, MIB(8), &gather), MIB(4));
	assert_int_equal(gather.bytes, MIB(4) + KIB(12));
	assert_int_equal(gather.leaf_depths, 3);
	assert_int_equal(fix->in_use, pages);
	for (uint64_t *page = gather.tables; page; page = (uint64_t *)(uintptr_t)*page) {
		pages--;
		for (int i = 0; i < 512; i++)
			assert_int_equal(page[i] & 3, 0);
	}
	assert_int_equal(pages, fix->in_use - 2);
	/* Not reused before they are freed. */
	assert_int_equal(map(MIB(4), GIB(1), KIB(4), RW), 0);
	assert_int_equal(fix->in_use, pages + 3);
	weir_pgtable_free_tables(&fix->pt, &gather);
	assert_int_equal(fix->in_use, pages + 1);
	assert_maps(MIB(4), GIB(1), 3);
	/* Nothing there: nothing to do. */
	memset(&gather, 0, sizeof(gather));
	assert_int_equal(weir_pgtable_unmap(&fix->pt, GIB(100), GIB(600), &gather), 0);
	assert_int_equal(gather.leaf_depths, 0);
	assert_null(gather.tables);
}

static void check_split(uint64_t size, bool replaces)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t at = size == GIB(1) ? GIB(4) : GIB(6), hole = at + size / 2 + KIB(4);

	fix->pt.replaces_blocks = replaces;
	fix->invalidations = 0;
	assert_int_equal(map(at, GIB(8), size, WEIR_IOMMU_READ), 0);
	assert_int_equal(weir_pgtable_unmap(&fix->pt, hole, KIB(8), &gather), KIB(8));
	assert_int_equal(fix->invalidations, replaces ? 0 : size == GIB(1) ? 2 : 1);
	assert_int_equal(gather.leaf_depths & 1, 1);
	/* The owner must not leave out the level of the block. */
	if (replaces)
		assert_int_equal(gather.leaf_depths, size == GIB(1) ? 7 : 3);
	else
		assert_false(fix->seen_during_break & 1);
	for (uint64_t i = 0; i < size; i += KIB(4)) {
		if (at + i == hole || at + i == hole + KIB(4)) {
			assert_unmapped(at + i);
			continue;
		}
		assert_int_equal(walk(at + i).descriptor >> 6 & 3, 3);
		assert_maps(at + i, GIB(8) + i, i / MIB(2) == (hole - at) / MIB(2) ? 3 : 2);
	}
	assert_int_equal(unmap(at, size), size - KIB(8));
	weir_pgtable_free_tables(&fix->pt, &gather);
}

static void a_part_of_a_block(void **state)
{
	(void)state;
	check_split(MIB(2), false);
	check_split(MIB(2), true);
	check_split(GIB(1), false);
	check_split(GIB(1), true);
}

static void no_memory_to_split(void **state)
{
	struct weir_pgtable_gather gather = { 0 };

	(void)state;
	assert_int_equal(map(MIB(2), MIB(2), MIB(4), RW), 0);
	/* The stock is empty: everything that was allocated is in use. */
	fix->fake->fail_alloc = 1;
	fix->fake->fail_onwards = true;
	assert_int_equal(weir_pgtable_unmap(&fix->pt, MIB(4) - KIB(4), MIB(2) + KIB(4), &gather),
			 MIB(2));
	fix->fake->fail_alloc = 0;
	fix->fake->fail_onwards = false;
	assert_maps(MIB(4) - KIB(4), MIB(4) - KIB(4), 2);
	assert_unmapped(MIB(4));
	assert_int_equal(fix->invalidations, 0);
	assert_int_equal(unmap(MIB(4) - KIB(4), KIB(4)), KIB(4));
	assert_maps(MIB(4) - KIB(8), MIB(4) - KIB(8), 3);
}

static uint64_t *entry_of(uint64_t iova, unsigned int level)
{
	uint64_t *table = plat_phys_to_virt(fix->fake, weir_pgtable_root(&fix->pt));

	for (unsigned int i = 0; i < level; i++)
		table = plat_phys_to_virt(fix->fake,
					  table[iova >> (39 - 9 * i) & 511] & 0xfffffffff000);
	return &table[iova >> (39 - 9 * level) & 511];
}

static void not_coherent(void **state)
{
	uint64_t cleans;

	(void)state;
	weir_pgtable_fini(&fix->pt);
	fix->pt.coherent = false;
	assert_int_equal(weir_pgtable_init(&fix->pt, 48, 44), 0);
	cleans = fix->fake->cache_cleans;
	assert_int_equal(map(MIB(2), KIB(4), KIB(4), RW), 0);
	/* Three tables, an entry for each, the leaf. */
	assert_int_equal(fix->fake->cache_cleans - cleans, 7);
	cleans = fix->fake->cache_cleans;
	assert_int_equal(map(MIB(2) + KIB(4), KIB(8), KIB(4), RW), 0);
	assert_int_equal(fix->fake->cache_cleans - cleans, 1);
	/* Another CPU has just linked the level 2 entry, and not cleaned it yet: this one must. */
	*entry_of(MIB(2), 2) &= ~((uint64_t)1 << 55);
	cleans = fix->fake->cache_cleans;
	assert_int_equal(map(MIB(2) + KIB(8), KIB(12), KIB(4), RW), 0);
	assert_int_equal(fix->fake->cache_cleans - cleans, 2);
	cleans = fix->fake->cache_cleans;
	assert_int_equal(unmap(MIB(2), MIB(2)), KIB(12));
	assert_int_equal(fix->fake->cache_cleans - cleans, 2);
}

static void the_stock_is_bounded(void **state)
{
	uint64_t *pages[WEIR_PGTABLE_CACHED * 2], before = fix->fake->pages_in_use;

	(void)state;
	for (size_t i = 0; i < WEIR_PGTABLE_CACHED * 2; i++) {
		pages[i] = weir_pgtable_page_alloc(&fix->cache);
		assert_non_null(pages[i]);
		for (int j = 0; j < 512; j++)
			assert_int_equal(pages[i][j], 0);
	}
	assert_int_equal(fix->in_use, 1 + WEIR_PGTABLE_CACHED * 2);
	for (size_t i = 0; i < WEIR_PGTABLE_CACHED * 2; i++)
		weir_pgtable_page_free(&fix->cache, pages[i]);
	assert_int_equal(fix->in_use, 1);
	assert_int_equal(fix->fake->pages_in_use, before + WEIR_PGTABLE_CACHED);
	/* From the stock, without asking the platform. */
	before = fix->fake->alloc_calls;
	for (size_t i = 0; i < WEIR_PGTABLE_CACHED; i++)
		pages[i] = weir_pgtable_page_alloc(&fix->cache);
	assert_int_equal(fix->fake->alloc_calls, before);
	for (size_t i = 0; i < WEIR_PGTABLE_CACHED; i++)
		weir_pgtable_page_free(&fix->cache, pages[i]);
}

static void other_depths(void **state)
{
	static const struct {
		unsigned int bits, depth;
	} cases[] = {
		{ 48, 3 }, { 40, 3 }, { 39, 2 }, { 32, 2 }, { 30, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t last = ((uint64_t)1 << cases[i].bits) - KIB(4);
		struct weir_extent extent = { MIB(4), KIB(4) };
		struct weir_pgtable_gather gather = { 0 };
		struct weir_pgtable pt = fix->pt;
		weir_phys_t phys;

		assert_int_equal(weir_pgtable_init(&pt, cases[i].bits, 44), 0);
		assert_int_equal(pt.depth, cases[i].depth);
		assert_int_equal(weir_pgtable_map(&pt, last, &extent, 1, RW, &gather), 0);
		assert_int_equal(weir_pgtable_map(&pt, 0, &extent, 1, RW, &gather), 0);
		assert_int_equal(weir_pgtable_lookup(&pt, last + 5, &phys, NULL), 0);
		assert_int_equal(phys, MIB(4) + 5);
		assert_int_equal(weir_pgtable_map(&pt, last + KIB(4), &extent, 1, RW, &gather),
				 -WEIR_EINVAL);
		weir_pgtable_fini(&pt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_protection, set_up, tear_down),
		cmocka_unit_test(mair_matches_the_indices),
		cmocka_unit_test_setup_teardown(largest_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_table_in_the_way_is_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(map_over_a_mapping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_failed_allocation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_for_a_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_arguments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(unmap_gathers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_part_of_a_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_to_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_coherent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_stock_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_depths, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
