/* SPDX-License-Identifier: MIT */
#ifndef PGTABLERIG_H
#define PGTABLERIG_H

/* A table of one of the six formats, and what its walker sees: for tests of src/pgtable. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fakeplat.h"
#include "pgtable/pgtable.h"
#include "vmsawalk.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct kind {
	const struct weir_pgtable_format *format;
	unsigned int granule;
	bool stage2;
	unsigned int bits, level; /* of the tables that most tests use */
	unsigned int run0, run1;  /* leaves of a run, by depth */
};

static const struct kind kinds[] = {
	{ &weir_pgtable_vmsav8_s1_4k, 12, false, 48, 0, 16, 16 },
	{ &weir_pgtable_vmsav8_s1_16k, 14, false, 47, 1, 128, 32 },
	{ &weir_pgtable_vmsav8_s1_64k, 16, false, 52, 1, 32, 32 },
	{ &weir_pgtable_vmsav8_s2_4k, 12, true, 42, 1, 16, 16 },
	{ &weir_pgtable_vmsav8_s2_16k, 14, true, 40, 2, 128, 32 },
	{ &weir_pgtable_vmsav8_s2_64k, 16, true, 46, 2, 32, 32 },
};

static struct fixture {
	struct fakeplat *fake;
	struct weir_pgtable_cache cache;
	struct weir_pgtable pt;
	int64_t in_use;
	unsigned int invalidations;
	uint64_t invalidated_at, invalidated, seen;
} fix;

static const struct kind *kind;
static uint64_t page, block; /* bytes */

/* Bytes of a run of pages, and of blocks. */
static inline uint64_t run0_of(const struct kind *k)
{
	return (uint64_t)k->run0 << k->granule;
}

static inline uint64_t run1_of(const struct kind *k)
{
	return (uint64_t)k->run1 << (2 * k->granule - 3);
}

static inline void *memory(void *opaque, uint64_t phys)
{
	(void)opaque;
	return plat_phys_to_virt(fix.fake, (weir_phys_t)phys);
}

static inline struct vmsa_leaf walk(uint64_t iova)
{
	struct vmsa_tables t = { .granule = kind->granule,
				 .stage2 = kind->stage2,
				 .bits = kind->bits,
				 .level = kind->level,
				 .root = (uint64_t)weir_pgtable_root(&fix.pt),
				 .memory = memory };

	return vmsa_walk(&t, iova);
}

static inline bool is_mapped(uint64_t iova, uint64_t phys, unsigned int level, unsigned int leaves)
{
	struct vmsa_leaf leaf = walk(iova);
	unsigned int depth = 9;
	weir_phys_t looked = 0;

	return leaf.descriptor && leaf.phys == phys && leaf.level == level &&
	       leaf.leaves == leaves && !weir_pgtable_lookup(&fix.pt, iova, &looked, &depth) &&
	       looked == phys && depth == 3 - level;
}

static inline bool is_unmapped(uint64_t iova)
{
	weir_phys_t phys;

	return !walk(iova).descriptor &&
	       weir_pgtable_lookup(&fix.pt, iova, &phys, NULL) == -WEIR_ENOENT;
}

static inline int map(uint64_t iova, uint64_t phys, uint64_t size, unsigned int prot)
{
	struct weir_extent extent = { (weir_phys_t)phys, size };
	struct weir_pgtable_gather gather = { 0 };
	int ret = weir_pgtable_map(&fix.pt, iova, &extent, 1, prot, &gather);

	weir_pgtable_free_tables(&fix.pt, &gather);
	return ret;
}

static inline uint64_t unmap(uint64_t iova, uint64_t size)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes = weir_pgtable_unmap(&fix.pt, iova, size, &gather);

	weir_pgtable_free_tables(&fix.pt, &gather);
	return bytes;
}

static inline unsigned int merge(uint64_t iova, uint64_t size)
{
	struct weir_pgtable_gather gather = { 0 };
	unsigned int merged = weir_pgtable_merge(&fix.pt, iova, size, &gather);

	weir_pgtable_free_tables(&fix.pt, &gather);
	return merged;
}

static inline void invalidate(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	assert_ptr_equal(pt, &fix.pt);
	fix.invalidations++;
	fix.invalidated_at = iova;
	fix.invalidated = size;
	fix.seen = walk(iova).descriptor | walk(iova + size - 1).descriptor;
}

static inline void nothing_cached(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	(void)pt;
	(void)iova;
	(void)size;
}

static inline void begin(const struct kind *k)
{
	memset(&fix, 0, sizeof(fix));
	kind = k;
	page = (uint64_t)1 << k->granule;
	block = page * page / 8;
	fix.fake = fakeplat_new((size_t)MIB(32));
	assert_int_equal(weir_pgtable_cache_init(&fix.cache, fix.fake, 1, WEIR_ZONE_NORMAL,
						 k->granule, &fix.in_use),
			 0);
	fix.pt.format = k->format;
	fix.pt.cache = &fix.cache;
	fix.pt.plat = fix.fake;
	fix.pt.coherent = true;
	fix.pt.invalidate = invalidate;
}

static inline void root(unsigned int pa_bits)
{
	assert_int_equal(weir_pgtable_init(&fix.pt, kind->bits, pa_bits), 0);
}

static inline void end(void)
{
	if (fix.pt.root)
		weir_pgtable_fini(&fix.pt);
	assert_int_equal(fix.in_use, 0);
	weir_pgtable_cache_fini(&fix.cache);
	fakeplat_delete(fix.fake);
}

#endif
