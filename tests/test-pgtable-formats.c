/* SPDX-License-Identifier: MIT */
/*
 * src/pgtable alone, in each of its formats, against a walk of its own; test-pgtable has what is
 * the same in all.
 *
 * - A root starts at the level, and has as many tables, as DDI 0487 D8.2 has it; what a format
 *   cannot reach is refused. Table pages have the size of the granule, and are counted in pages of
 *   4 KiB.
 * - Leaves are of the sizes that the granule and the physical addresses allow; physical addresses
 *   of 52 bits stand in entries of the 64 KiB granule as D8.3.1 has it, across the gap as well.
 * - Each protection gives the descriptor bits that D8.3 asks for at stage 2, with S2FWB and
 *   without, and at both with dirty bits tracked.
 * - Exactly the runs that a map fills have the contiguous hint. Who unmaps a part of one takes it
 *   from the rest, with break before make where the hardware asks for it; who unmaps all does not.
 * - A split makes leaves as small as asked for and changes nothing else; without memory neither.
 * - A merge makes a block, or a run, of just those leaves that say what it would say; it is dirty
 *   if one of them was.
 * - Leaves and runs that are dirty are told whole, are clean afterwards if asked for, and never
 *   become writable that were not.
 * - Whichever allocation fails, a map fails with -ENOMEM, and nothing of it is left.
 */

#include "pgtablerig.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

static void roots(void **state)
{
	static const struct {
		unsigned int kind, bits, level;
		uint64_t bytes;
	} cases[] = {
		{ 0, 48, 0, 4096 },	  { 0, 39, 1, 4096 },	    { 0, 25, 2, 4096 },
		{ 1, 48, 0, 16384 },	  { 1, 47, 1, 16384 },	    { 1, 36, 2, 16384 },
		{ 2, 52, 1, 65536 },	  { 2, 42, 2, 65536 },	    { 2, 29, 3, 65536 },
		{ 3, 48, 0, 4096 },	  { 3, 44, 0, 4096 },	    { 3, 43, 1, 65536 },
		{ 3, 40, 1, 8192 },	  { 3, 39, 1, 4096 },	    { 3, 34, 2, 65536 },
		{ 3, 32, 2, 16384 },	  { 3, 25, 2, 4096 },	    { 4, 48, 1, 32768 },
		{ 4, 40, 2, 16 * 16384 }, { 4, 36, 2, 16384 },	    { 4, 29, 3, 16 * 16384 },
		{ 5, 52, 1, 65536 },	  { 5, 46, 2, 16 * 65536 }, { 5, 32, 3, 8 * 65536 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t last;

		begin(&kinds[cases[i].kind]);
		last = ((uint64_t)1 << cases[i].bits) - page;
		fix.pt.coherent = false;
		assert_int_equal(weir_pgtable_init(&fix.pt, cases[i].bits, 48), 0);
		assert_int_equal(weir_pgtable_start_level(&fix.pt), cases[i].level);
		assert_int_equal(fix.in_use, cases[i].bytes / 4096);
		assert_int_equal(weir_pgtable_root(&fix.pt) & (cases[i].bytes - 1), 0);
		assert_int_equal(
			fix.fake->cache_clean_bytes,
			(last + page) >>
				(kind->granule + (3 - cases[i].level) * (kind->granule - 3)) << 3);
		assert_int_equal(map(last, page, page, RW), 0);
		assert_int_equal(map(0, 3 * page, page, RW), 0);
		assert_int_equal(map(last + page, 0, page, RW), -WEIR_EINVAL);
		for (unsigned int j = 0; j < 2; j++) {
			struct kind with = *kind;

			with.bits = cases[i].bits;
			with.level = cases[i].level;
			kind = &with;
			assert_true(is_mapped(last, page, 3, 1));
			assert_true(is_mapped(0, 3 * page, 3, 1));
			kind = &kinds[cases[i].kind];
		}
		end();
	}
}

static void what_a_format_cannot_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		unsigned int most = kinds[i].granule == 16 ? 52 : 48;

		begin(&kinds[i]);
		assert_int_equal(weir_pgtable_init(&fix.pt, most + 1, 48), -WEIR_EINVAL);
		assert_int_equal(weir_pgtable_init(&fix.pt, 24, 48), -WEIR_EINVAL);
		fix.pt.coherent = false;
		fix.pt.tracks_dirty = true;
		assert_int_equal(weir_pgtable_init(&fix.pt, 40, 48), -WEIR_EINVAL);
		/* Physical addresses are those that both can have. */
		fix.pt.tracks_dirty = false;
		fix.pt.replaces_blocks = true;
		root(52);
		assert_false(fix.pt.replaces_blocks);
		assert_int_equal(map(0, (uint64_t)1 << 48, page, RW),
				 kinds[i].granule == 16 ? 0 : -WEIR_EINVAL);
		end();
	}
}

/* A list of pages that is one too long for the table. */
static void a_list_ends_with_the_table(void **state)
{
	static struct weir_extent list[MIB(64) / 4096 + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct weir_pgtable_gather gather = { 0 };
		unsigned int n = (unsigned int)(MIB(64) >> kinds[i].granule);

		begin(&kinds[i]);
		assert_int_equal(weir_pgtable_init(&fix.pt, 26, 48), 0);
		for (unsigned int j = 0; j <= n; j++)
			list[j] = (struct weir_extent){ (weir_phys_t)(j * page), page };
		assert_int_equal(weir_pgtable_map(&fix.pt, 0, list, n + 1, RW, &gather),
				 -WEIR_EINVAL);
		assert_int_equal(gather.bytes, MIB(64));
		weir_pgtable_free_tables(&fix.pt, &gather);
		assert_int_equal(weir_pgtable_map(&fix.pt, 0, list, n, RW, &gather), 0);
		end();
	}
}

static void no_memory_for_a_root(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		begin(&kinds[i]);
		fix.fake->fail_alloc = 1;
		assert_int_equal(weir_pgtable_init(&fix.pt, kind->bits, 48), -WEIR_ENOMEM);
		assert_null(fix.pt.root);
		end();
	}
}

static void sizes_of_leaves(void **state)
{
	static const uint64_t sizes[] = { 0x40201000, 0x2004000, 0x20010000 };

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		begin(&kinds[i]);
		root(48);
		assert_int_equal(weir_pgtable_page_sizes(&fix.pt), sizes[i % 3]);
		end();
	}
	begin(&kinds[2]);
	root(52);
	assert_int_equal(weir_pgtable_page_sizes(&fix.pt), 0x40020010000);
	assert_int_equal(map(MIB(1) << 22, MIB(1) << 30, MIB(1) << 22, RW), 0);
	assert_true(is_mapped(MIB(1) << 22, MIB(1) << 30, 1, 1));
	/* Split to where a page went. */
	assert_int_equal(unmap((MIB(1) << 22) + page, page), page);
	assert_true(is_mapped(MIB(1) << 22, MIB(1) << 30, 3, 1));
	assert_true(is_mapped((MIB(1) << 23) - 1, (MIB(1) << 30) + (MIB(1) << 22) - 1, 2, 1));
	end();
	begin(&kinds[2]);
	root(51);
	assert_int_equal(map(MIB(1) << 22, MIB(1) << 24, MIB(1) << 22, RW), 0);
	assert_true(is_mapped(MIB(1) << 22, MIB(1) << 24, 2, 1));
	end();
}

static void addresses_of_52_bits(void **state)
{
	uint64_t gap = (uint64_t)1 << 48;

	(void)state;
	for (size_t i = 2; i < COUNT(kinds); i += 3) {
		struct weir_extent list[] = { { 5 * gap + 0x70000, 0x10000 },
					      { 15 * gap, 0x10000 } };
		struct weir_pgtable_gather gather = { 0 };

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		root(52);
		/* Pages, then blocks, on both sides of where bit 48 changes. */
		assert_int_equal(map(page, gap - 2 * page, 4 * page, RW), 0);
		for (uint64_t j = 0; j < 4; j++)
			assert_true(is_mapped(page * (1 + j), gap - 2 * page + j * page, 3, 1));
		assert_int_equal(walk(3 * page).descriptor >> 12 & 0xf, 1);
		assert_int_equal(walk(3 * page).descriptor >> 16 & 0xffffffff, 0);
		assert_int_equal(map(block, 3 * gap - block, 2 * block, RW), 0);
		assert_true(is_mapped(2 * block - 1, 3 * gap - 1, 2, 1));
		assert_true(is_mapped(2 * block, 3 * gap, 2, 1));
		assert_int_equal(weir_pgtable_map(&fix.pt, 4 * block, list, 2, RW, &gather), 0);
		assert_true(is_mapped(4 * block, 5 * gap + 0x70000, 3, 1));
		assert_true(is_mapped(4 * block + page, 15 * gap, 3, 1));
		assert_int_equal(map(8 * block, 16 * gap - page, 2 * page, RW), -WEIR_EINVAL);
		assert_int_equal(unmap(2 * block + 7 * page, page), page);
		assert_true(is_mapped(3 * block - 1, 3 * gap + block - 1, 3, 1));
		end();
	}
}

/* ---- Attributes ------------------------------------------------------------------------------ */

/* [5:2] MemAttr, [7:6] S2AP, [9:8] SH, [10] AF, [54:53] XN. */
static void stage_2_protections(void **state)
{
	static const struct {
		unsigned int prot;
		uint64_t bits, forced; /* the latter: MemAttr with S2FWB */
	} cases[] = {
		{ WEIR_IOMMU_READ, 5 << 2 | 1 << 6 | 2 << 8, 5 << 2 },
		{ WEIR_IOMMU_WRITE, 5 << 2 | 2 << 6 | 2 << 8, 5 << 2 },
		{ RW | WEIR_IOMMU_PRIV, 5 << 2 | 3 << 6 | 2 << 8, 5 << 2 },
		{ RW | WEIR_IOMMU_CACHE, 15 << 2 | 3 << 6 | 3 << 8, 6 << 2 },
		{ RW | WEIR_IOMMU_MMIO, 1 << 2 | 3 << 6 | 2 << 8, 1 << 2 },
		{ RW | WEIR_IOMMU_MMIO | WEIR_IOMMU_CACHE, 1 << 2 | 3 << 6 | 2 << 8, 1 << 2 },
		{ WEIR_IOMMU_READ | WEIR_IOMMU_CACHE | WEIR_IOMMU_NOEXEC,
		  15 << 2 | 1 << 6 | 3 << 8 | (uint64_t)1 << 54, 6 << 2 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		bool forced = i >= COUNT(cases);
		uint64_t bits = cases[i % COUNT(cases)].bits | 1 << 10;
		unsigned int prot = cases[i % COUNT(cases)].prot;

		begin(&kinds[3 + i % 3]);
		fix.pt.forces_attributes = forced;
		root(48);
		if (forced)
			bits = (bits & ~(uint64_t)0x3c) | cases[i % COUNT(cases)].forced;
		assert_int_equal(map(page, 5 * page, page, prot), 0);
		assert_int_equal(walk(page).descriptor, 5 * page | bits | 3);
		assert_int_equal(map(block, 3 * block, block, prot), 0);
		assert_int_equal(walk(block).descriptor, 3 * block | bits | 1);
		assert_int_equal(map(0, 0, page, WEIR_IOMMU_CACHE), -WEIR_EINVAL);
		end();
	}
}

/* Writable is DBM and no permission to write; what is read-only stays so. */
static void dirty_protections(void **state)
{
	uint64_t ro[] = { 1 << 2 | 3 << 6 | 2 << 8 | 3 << 10, 5 << 2 | 1 << 6 | 2 << 8 | 1 << 10 };

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		begin(&kinds[i]);
		fix.pt.tracks_dirty = true;
		root(48);
		assert_int_equal(map(page, 5 * page, page, RW), 0);
		assert_int_equal(walk(page).descriptor, 5 * page | ro[i / 3] | 3 | VMSA_DBM);
		assert_int_equal(map(2 * page, 5 * page, page, WEIR_IOMMU_READ), 0);
		assert_int_equal(walk(2 * page).descriptor, 5 * page | ro[i / 3] | 3);
		end();
	}
}

/* ---- Contiguous runs ------------------------------------------------------------------------- */

static void the_hint_is_where_runs_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t run0 = run0_of(&kinds[i]), run1 = run1_of(&kinds[i]), at;

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		root(48);
		/* A page, two runs, two pages. */
		assert_int_equal(map(block + run0 - page, run0 - page, 2 * run0 + 3 * page, RW), 0);
		for (at = run0 - page; at < 3 * run0 + 2 * page; at += page)
			assert_true(is_mapped(block + at, at, 3,
					      at >= run0 && at < 3 * run0 ? kind->run0 : 1));
		/* Not aligned alike. */
		assert_int_equal(map(2 * block, page, run0, RW), 0);
		assert_true(is_mapped(2 * block, page, 3, 1));
		/* Blocks: one, a run, one. */
		assert_int_equal(map(2 * run1 - block, 3 * run1 - block, run1 + 2 * block, RW), 0);
		assert_true(is_mapped(2 * run1 - block, 3 * run1 - block, 2, 1));
		assert_true(is_mapped(2 * run1, 3 * run1, 2, kind->run1));
		assert_true(is_mapped(3 * run1 - 1, 4 * run1 - 1, 2, kind->run1));
		assert_true(is_mapped(3 * run1, 4 * run1, 2, 1));
		assert_int_equal(fix.invalidations, 0);
		/* A whole run goes without ceremony. */
		assert_int_equal(unmap(2 * run1, run1), run1);
		assert_int_equal(unmap(block + run0, 2 * run0), 2 * run0);
		assert_int_equal(fix.invalidations, 0);
		end();
	}
}

static void no_hint_where_something_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t run0 = run0_of(&kinds[i]), run1 = run1_of(&kinds[i]);

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		root(48);
		/* An empty table in the middle of what would be a run of blocks. */
		assert_int_equal(map(2 * run1 + 3 * block, 0, page, RW), 0);
		assert_int_equal(unmap(2 * run1 + 3 * block, page), page);
		assert_int_equal(map(2 * run1, run1, run1, RW), 0);
		for (uint64_t at = 0; at < run1; at += block)
			assert_true(is_mapped(2 * run1 + at, run1 + at, at == 3 * block ? 3 : 2,
					      at == 3 * block ? kind->run0 : 1));
		/* A page that is taken: nothing is left, that one stays. */
		assert_int_equal(map(5 * page, page, page, RW), 0);
		assert_int_equal(map(0, 0, run0, RW), -WEIR_EEXIST);
		assert_true(is_unmapped(4 * page));
		assert_true(is_mapped(5 * page, page, 3, 1));
		/* Without being asked for there is none. */
		fix.pt.contiguous = false;
		assert_int_equal(map(run0, run0, run0, RW), 0);
		assert_true(is_mapped(run0, run0, 3, 1));
		end();
	}
}

/* Pages [first, first + n) of the second of three runs go; the runs beside it are as before. */
static void check_part_of_a_run(uint64_t leaf, unsigned int run, unsigned int first, unsigned int n)
{
	unsigned int level = leaf == page ? 3 : 2;
	struct weir_pgtable_gather gather = { 0 };
	uint64_t at = 2 * run * leaf;

	fix.invalidations = 0;
	assert_int_equal(map(at, at, 3 * run * leaf, RW), 0);
	assert_int_equal(weir_pgtable_unmap(&fix.pt, at + (run + first) * leaf, n * leaf, &gather),
			 n * leaf);
	assert_int_equal(gather.leaf_depths, 1u << (3 - level));
	assert_int_equal(fix.invalidations, fix.pt.replaces_blocks ? 0 : 1);
	if (fix.invalidations) {
		assert_int_equal(fix.invalidated_at, at + run * leaf);
		assert_int_equal(fix.invalidated, run * leaf);
		assert_int_equal(fix.seen, 0);
	}
	for (unsigned int i = 0; i < 3 * run; i++) {
		bool second = i >= run && i < 2 * run;
		uint64_t iova = at + i * leaf;

		if (second && i - run - first < n)
			assert_true(is_unmapped(iova));
		else
			assert_true(is_mapped(iova, iova, level, second ? 1 : run));
	}
	weir_pgtable_free_tables(&fix.pt, &gather);
	assert_int_equal(unmap(at, 3 * run * leaf), (3 * run - n) * leaf);
}

static void a_part_of_a_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		const struct kind *k = &kinds[i % COUNT(kinds)];

		begin(k);
		fix.pt.contiguous = true;
		fix.pt.coherent = i & 1;
		fix.pt.replaces_blocks = i >= COUNT(kinds);
		root(48);
		for (unsigned int j = 0; j < 4; j++) {
			unsigned int first = j & 1 ? 0 : k->run0 - 3;

			check_part_of_a_run(page, k->run0, j > 1 ? 5 : first, 3);
			first = j & 1 ? 0 : k->run1 - 1;
			check_part_of_a_run(block, k->run1, j > 1 ? 5 : first, 1);
		}
		end();
	}
}

/* Two runs, of which a middle goes: two hints. And a page of a block of a run of blocks. */
static void parts_of_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t run0 = run0_of(&kinds[i]), run1 = run1_of(&kinds[i]);

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		root(48);
		assert_int_equal(map(run0, run0, 3 * run0, RW), 0);
		assert_int_equal(unmap(2 * run0 - page, run0 + 2 * page), run0 + 2 * page);
		assert_int_equal(fix.invalidations, 2);
		assert_true(is_mapped(run0, run0, 3, 1));
		assert_true(is_mapped(4 * run0 - 1, 4 * run0 - 1, 3, 1));
		fix.invalidations = 0;
		assert_int_equal(map(run1, run1, run1, RW), 0);
		assert_int_equal(unmap(run1 + block + page, page), page);
		assert_int_equal(fix.invalidations, 2);
		assert_true(is_mapped(run1, run1, 2, 1));
		assert_true(is_mapped(run1 + block, run1 + block, 3, 1));
		assert_true(is_unmapped(run1 + block + page));
		end();
	}
}

/*
 * The range ends with its table; the next one is another's, who may be freeing it: a way to it that
 * leads nowhere (fakeplat would end the test) is not taken.
 */
static void does_not_look_at_the_neighbour(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		unsigned int granule = kinds[i].granule, level = kinds[i].level;
		uint64_t border = (uint64_t)1 << (granule + (3 - level) * (granule - 3));

		begin(&kinds[i]);
		root(48);
		assert_int_equal(map(border - block, border - block, block, RW), 0);
		fix.pt.root[1] = 3;
		assert_int_equal(unmap(border - block + page, block - page), block - page);
		fix.pt.root[1] = 0;
		assert_true(is_mapped(border - block, border - block, 3, 1));
		end();
	}
}

/* ---- Splitting and merging ------------------------------------------------------------------- */

static int split(uint64_t iova, uint64_t size, unsigned int depth)
{
	struct weir_pgtable_gather gather = { 0 };
	unsigned int before = fix.invalidations;
	int ret = weir_pgtable_split(&fix.pt, iova, size, depth, &gather);

	assert_null(gather.tables);
	assert_int_equal(gather.bytes, 0);
	if (fix.pt.replaces_blocks)
		assert_int_equal(fix.invalidations, before);
	return ret;
}

static void splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		const struct kind *k = &kinds[i % COUNT(kinds)];
		uint64_t run1 = run1_of(k), run0 = run0_of(k);

		begin(k);
		fix.pt.contiguous = true;
		fix.pt.replaces_blocks = i & 1;
		root(48);
		assert_int_equal(map(run1, run1, run1, WEIR_IOMMU_READ), 0);
		assert_int_equal(map(0, 0, run0, RW), 0);
		/* Not the runs below, but the one at that depth. */
		assert_int_equal(split(0, 2 * run1, 1), 0);
		assert_true(is_mapped(0, 0, 3, k->run0));
		for (uint64_t at = run1; at < 2 * run1; at += block)
			assert_true(is_mapped(at, at, 2, 1));
		/* Without memory: all is mapped as before. */
		fix.fake->fail_alloc = 2;
		fix.fake->fail_onwards = true;
		assert_int_equal(split(run1, 3 * block, 0), -WEIR_ENOMEM);
		fix.fake->fail_alloc = 0;
		fix.fake->fail_onwards = false;
		assert_true(is_mapped(run1 + block + page, run1 + block + page, 2, 1));
		assert_int_equal(split(run1, 3 * block, 0), 0);
		for (uint64_t at = run1; at < 2 * run1; at += page)
			assert_true(is_mapped(at, at, at < run1 + 3 * block ? 3 : 2, 1));
		assert_int_equal(walk(run1).descriptor >> 7 & 1, !kind->stage2);
		assert_int_equal(split(run1, page / 2, 0), -WEIR_EINVAL);
		assert_int_equal(split((uint64_t)1 << k->bits, page, 0), -WEIR_EINVAL);
		assert_int_equal(unmap(run1, run1), run1);
		end();
	}
}

/* Who finds a table marked as cleaned relies on it: memory has the entry before it says so. */
static void see_mark(const void *virt)
{
	uint64_t entry = *(const uint64_t *)virt;

	if (virt == fix.pt.root && (entry & 3) == 3)
		fix.seen = entry;
}

static void a_split_is_cleaned_before_it_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		begin(&kinds[i]);
		fix.pt.coherent = false;
		/* The block stands in the root. */
		assert_int_equal(weir_pgtable_init(&fix.pt, 2 * kinds[i].granule + 4, 48), 0);
		assert_int_equal(map(0, 0, block, RW), 0);
		fix.fake->cleaning = see_mark;
		/* Not invalidate(), whose walk starts elsewhere. */
		fix.pt.invalidate = nothing_cached;
		assert_int_equal(unmap(0, page), page);
		assert_int_equal(fix.seen & 3, 3);
		assert_int_equal(fix.seen >> 55 & 1, 0);
		assert_int_equal(fix.pt.root[0] >> 55 & 1, 1);
		fix.fake->cleaning = NULL;
		end();
	}
}

/* A depth that the table does not reach asks for nothing. */
static void splits_nothing_above_the_root(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		unsigned int level;

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		assert_int_equal(weir_pgtable_init(&fix.pt, 26, 48), 0);
		level = weir_pgtable_start_level(&fix.pt);
		assert_int_equal(map(0, 0, MIB(2), RW), 0);
		assert_int_equal(split(0, MIB(2), 4 - level), 0);
		assert_int_equal(unmap(0, MIB(2)), MIB(2));
		assert_int_equal(fix.invalidations, 0);
		end();
	}
}

static void merges(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		const struct kind *k = &kinds[i % COUNT(kinds)];
		uint64_t run1 = run1_of(k), run0 = run0_of(k), n;
		int64_t before;

		begin(k);
		fix.pt.contiguous = true;
		fix.pt.coherent = !(i & 2);
		fix.pt.replaces_blocks = i & 1;
		root(48);
		/* A run of blocks, split to pages, and back. */
		assert_int_equal(map(run1, run1, run1, RW), 0);
		before = fix.in_use;
		assert_int_equal(split(run1, run1, 0), 0);
		/* Nothing is whole in these. */
		assert_int_equal(merge(run1 + page, block - page), 0);
		assert_int_equal(merge(run1, block - page), 0);
		assert_true(is_mapped(run1, run1, 3, k->run0));
		assert_int_equal(merge(run1, run1), k->run1);
		assert_int_equal(fix.in_use, before);
		assert_true(is_mapped(run1, run1, 2, k->run1));
		assert_true(is_mapped(2 * run1 - 1, 2 * run1 - 1, 2, k->run1));
		/* What does not say the same: a hole, rights, addresses, their alignment. */
		assert_int_equal(map(3 * run1, run1, block - page, RW), 0);
		assert_int_equal(map(3 * run1 + block, run1, block - page, RW), 0);
		assert_int_equal(map(3 * run1 + 2 * block - page, run1 + block - page, page, 1), 0);
		assert_int_equal(map(3 * run1 + 2 * block, run1, block - page, RW), 0);
		assert_int_equal(map(3 * run1 + 3 * block - page, run1, page, RW), 0);
		assert_int_equal(map(3 * run1 + 3 * block, run1 + page, block, RW), 0);
		assert_int_equal(merge(3 * run1, run1), 0);
		assert_true(is_mapped(3 * run1, run1, 3, k->run0));
		assert_true(is_mapped(3 * run1 + block - run0, run1 + block - run0, 3, 1));
		assert_true(is_mapped(3 * run1 + 3 * block, run1 + page, 3, 1));
		/* Filled, it is a block. */
		assert_int_equal(map(3 * run1 + block - page, run1 + block - page, page, RW), 0);
		assert_int_equal(merge(3 * run1, 2 * block), 1);
		assert_true(is_mapped(3 * run1, run1, 2, 1));
		assert_int_equal(merge(0, page / 2), 0);
		n = run1 + 3 * block;
		assert_int_equal(unmap(0, (uint64_t)1 << k->bits) - n, block);
		end();
	}
}

/* From pages to the largest leaf, by way of those between. */
static void merges_all_the_way(void **state)
{
	uint64_t size = (uint64_t)1 << 30;

	(void)state;
	begin(&kinds[0]);
	root(48);
	for (uint64_t at = 0; at < size; at += page)
		assert_int_equal(map(size + at, at, page, RW), 0);
	assert_int_equal(merge(size, size), 513);
	assert_true(is_mapped(size + 123, 123, 1, 1));
	end();
}

/* ---- Dirty bits ------------------------------------------------------------------------------ */

static struct told {
	unsigned int count;
	uint64_t iova[8], size[8]; /* the first */
} told;

static void tell(void *arg, uint64_t iova, uint64_t size)
{
	struct told *to = arg;

	if (to->count < 8) {
		to->iova[to->count] = iova;
		to->size[to->count] = size;
	}
	to->count++;
}

static uint64_t dirty(uint64_t iova, uint64_t size, bool clear, unsigned int *depths)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes;

	told.count = 0;
	bytes = weir_pgtable_dirty(&fix.pt, iova, size, clear, tell, &told, &gather);
	assert_int_equal(weir_pgtable_dirty(&fix.pt, iova, size, false, NULL, NULL, &gather),
			 clear ? 0 : bytes);
	assert_int_equal(gather.bytes, 0);
	*depths = gather.leaf_depths;
	return bytes;
}

/* What hardware does on a write. */
static void write_to(uint64_t iova)
{
	struct vmsa_tables t = { .stage2 = kind->stage2 };
	struct vmsa_leaf leaf = walk(iova);

	assert_true(leaf.descriptor & VMSA_DBM);
	*leaf.slot = vmsa_dirtied(&t, leaf.descriptor);
}

static bool is_writable(uint64_t iova)
{
	struct vmsa_tables t = { .stage2 = kind->stage2 };

	return vmsa_writable(&t, walk(iova).descriptor);
}

static void tells_what_is_dirty(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t run0 = run0_of(&kinds[i]), run1 = run1_of(&kinds[i]);
		unsigned int depths;

		begin(&kinds[i]);
		fix.pt.contiguous = true;
		fix.pt.tracks_dirty = true;
		root(48);
		/* Pages, a run, a block, a run of blocks; and a page that is read-only. */
		assert_int_equal(map(page, page, 3 * run0 - page, RW), 0);
		assert_int_equal(map(block, block, block, RW), 0);
		assert_int_equal(map(run1, run1, run1, RW), 0);
		assert_int_equal(map(0, 0, page, WEIR_IOMMU_READ), 0);
		assert_int_equal(dirty(0, 2 * run1, true, &depths), 0);
		assert_int_equal(depths, 0);
		write_to(2 * page);
		write_to(run0 + 3 * page);
		write_to(run0 + 4 * page);
		write_to(block + page);
		write_to(2 * run1 - page);
		assert_int_equal(dirty(0, 2 * run1, false, &depths), page + run0 + block + run1);
		assert_int_equal(depths, 0);
		assert_int_equal(told.count, 4);
		assert_int_equal(told.iova[0], 2 * page);
		assert_int_equal(told.size[0], page);
		assert_int_equal(told.iova[1], run0);
		assert_int_equal(told.size[1], run0);
		assert_int_equal(told.iova[2], block);
		assert_int_equal(told.size[2], block);
		assert_int_equal(told.iova[3], run1);
		assert_int_equal(told.size[3], run1);
		/* Parts of ranges; whole leaves all the same. */
		assert_int_equal(dirty(page, page, true, &depths), 0);
		assert_int_equal(dirty(2 * run0 - page, block - 2 * run0 + 2 * page, true, &depths),
				 run0 + block);
		assert_int_equal(depths, 3);
		assert_int_equal(dirty(2 * run1 - page, page, true, &depths), run1);
		assert_int_equal(depths, 2);
		assert_int_equal(told.iova[0], run1);
		assert_int_equal(dirty(0, 2 * run1, true, &depths), page);
		assert_int_equal(depths, 1);
		assert_int_equal(dirty(0, page / 2, true, &depths), 0);
		for (uint64_t at = 0; at < 3 * run0; at += page)
			assert_false(is_writable(at));
		assert_false(is_writable(2 * run1 - page));
		end();
	}
}

/* Where nothing is tracked nothing is dirty, and nothing loses its permission. */
static void tells_nothing_untracked(void **state)
{
	unsigned int depths;

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		begin(&kinds[i]);
		root(48);
		assert_int_equal(map(page, page, page, RW), 0);
		assert_int_equal(dirty(page, page, true, &depths), 0);
		assert_int_equal(depths, 0);
		assert_true(is_writable(page));
		end();
	}
}

/* Dirty before: dirty in all that it becomes. Nothing else, and nothing that is read-only. */
static void dirty_through_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
		const struct kind *k = &kinds[i % COUNT(kinds)];
		uint64_t run0 = run0_of(k), run1 = run1_of(k);
		unsigned int depths;

		begin(k);
		fix.pt.contiguous = true;
		fix.pt.tracks_dirty = true;
		fix.pt.replaces_blocks = i & 1;
		root(48);
		assert_int_equal(map(0, 0, 2 * run0, RW), 0);
		assert_int_equal(map(run1, run1, run1, RW), 0);
		assert_int_equal(map(2 * run1, run1, run0, WEIR_IOMMU_READ), 0);
		write_to(run0 - page);
		write_to(run1 + 2 * block);
		/* A part of the run goes, and of the one that is clean, and of the read-only. */
		assert_int_equal(unmap(page, page), page);
		assert_int_equal(unmap(run0 + page, page), page);
		assert_int_equal(unmap(2 * run1 + page, page), page);
		assert_int_equal(map(page, page, page, RW), 0);
		for (uint64_t at = 0; at < 2 * run0; at += page)
			if (at != run0 + page)
				assert_int_equal(is_writable(at), at < run0 && at != page);
		assert_false(is_writable(2 * run1));
		/* A run of blocks, of which one goes to pages. */
		assert_int_equal(split(run1 + block, block, 0), 0);
		assert_int_equal(dirty(run1, run1, false, &depths), run1);
		assert_int_equal(merge(run1, run1), 1);
		assert_int_equal(dirty(run1, run1, true, &depths), run1);
		assert_int_equal(told.count, 1);
		/* One dirty page of a block. */
		assert_int_equal(split(run1 + block, block, 0), 0);
		write_to(run1 + 2 * block - page);
		assert_int_equal(merge(run1 + block, block), 1);
		assert_int_equal(dirty(run1, run1, true, &depths), block);
		end();
	}
}

/* ---- Memory that runs out -------------------------------------------------------------------- */

static void each_failed_allocation(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t at = (uint64_t)1 << (kinds[i].bits - 1);
		unsigned int failures = 0;
		int ret;

		do {
			begin(&kinds[i]);
			fix.pt.contiguous = true;
			root(48);
			fix.fake->fail_alloc = ++failures;
			/* Across the border of two entries of the root. */
			ret = map(at - block - page, block - page, 2 * block + 2 * page, RW);
			fix.fake->fail_alloc = 0;
			assert_true(!ret || ret == -WEIR_ENOMEM);
			for (uint64_t j = 0; j < 2 * block + 2 * page && ret; j += page)
				assert_true(is_unmapped(at - block - page + j));
			if (ret)
				assert_int_equal(map(at - block - page, block - page,
						     2 * block + 2 * page, RW),
						 0);
			assert_int_equal(unmap(at - block - page, 2 * block + 2 * page),
					 2 * block + 2 * page);
			end();
		} while (ret);
		/* On either side: one for each level below the root. */
		assert_int_equal(failures - 1, 2 * (3 - kinds[i].level));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots),
		cmocka_unit_test(what_a_format_cannot_be),
		cmocka_unit_test(a_list_ends_with_the_table),
		cmocka_unit_test(no_memory_for_a_root),
		cmocka_unit_test(sizes_of_leaves),
		cmocka_unit_test(addresses_of_52_bits),
		cmocka_unit_test(stage_2_protections),
		cmocka_unit_test(dirty_protections),
		cmocka_unit_test(the_hint_is_where_runs_are),
		cmocka_unit_test(no_hint_where_something_stands),
		cmocka_unit_test(a_part_of_a_run),
		cmocka_unit_test(parts_of_runs),
		cmocka_unit_test(does_not_look_at_the_neighbour),
		cmocka_unit_test(splits),
		cmocka_unit_test(a_split_is_cleaned_before_it_says_so),
		cmocka_unit_test(splits_nothing_above_the_root),
		cmocka_unit_test(merges),
		cmocka_unit_test(merges_all_the_way),
		cmocka_unit_test(tells_what_is_dirty),
		cmocka_unit_test(tells_nothing_untracked),
		cmocka_unit_test(dirty_through_changes),
		cmocka_unit_test(each_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
