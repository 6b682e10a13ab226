/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PGTABLE_PGTABLE_H
#define WEIR_PGTABLE_PGTABLE_H

/*
 * I/O page tables: one walker core (core.h), compiled for each format (vmsav8.c), and a cache of
 * table pages that many tables share (cache.c). Usable alone: it calls platform functions only.
 *
 * What a table does not do: it sends no invalidation. unmap leaves in a struct weir_pgtable_gather
 * what the owner must invalidate, and the table pages that became unused. The order is
 *
 *	weir_pgtable_unmap(pt, iova, size, &gather);
 *	... if gather.bytes or gather.tables: invalidate the range, wait until it is complete ...
 *	weir_pgtable_free_tables(pt, &gather);
 *
 * because until then a walker may still hold the address of a page that was taken out.
 *
 * Concurrency: map, unmap and lookup of one table may run at once on any CPU, in any context,
 * without a lock, as long as the ranges are disjoint. This holds when they share tables:
 *
 * - An entry that is not valid becomes a table by compare-exchange. Who loses takes the winner's.
 *   Release there and acquire at each step down: who sees the entry sees the page zeroed.
 * - A leaf entry belongs to the one who owns its range. It is written once, whole, by a 64-bit
 *   store.
 * - A table is only taken out by an unmap that covers all that the table spans: then nobody else
 *   has a range in it. One that merely became empty stays, for the next map in its span.
 * - Unmapping a part of a block splits it, under split_lock: the only case in which ranges that are
 *   disjoint share a leaf. It may allocate, and waits for an invalidation where the hardware cannot
 *   take the change in one step; a lookup meanwhile may miss the block.
 *
 * A lookup of an address that is being unmapped is the caller's mistake.
 */

#include <weir/domain.h>

#include "base/extent.h"

#define WEIR_PGTABLE_LEVELS 4
#define WEIR_PGTABLE_CACHED 15 /* pages kept for each CPU */

/* ---- Table pages ----------------------------------------------------------------------------- */

/* A CPU's pages. The lock is IRQ-safe and only contended by a caller that migrated. */
struct weir_pgtable_magazine {
	struct weir_spinlock lock;
	unsigned int count;
	uint64_t *pages[WEIR_PGTABLE_CACHED]; /* all zero */
} __attribute__((aligned(64)));

struct weir_pgtable_cache {
	void *plat;
	unsigned int cpus;
	enum weir_zone zone;
	unsigned int order; /* of the allocation that holds magazines */
	struct weir_pgtable_magazine *magazines;
	int64_t *in_use; /* pages in tables now, atomic; shared by whoever counts */
};

/* Tables will come from `zone`. -WEIR_ENOMEM. TASK. */
int weir_pgtable_cache_init(struct weir_pgtable_cache *cache, void *plat, unsigned int cpus,
			    enum weir_zone zone, int64_t *in_use);
/* No table uses it any more. Harmless on zeroed memory. */
void weir_pgtable_cache_fini(struct weir_pgtable_cache *cache);

/* A page, zeroed, not cleaned. NULL: no memory. Any context. */
uint64_t *weir_pgtable_page_alloc(struct weir_pgtable_cache *cache);
/* The page is all zero again. Any context. */
void weir_pgtable_page_free(struct weir_pgtable_cache *cache, uint64_t *page);

/* ---- Formats --------------------------------------------------------------------------------- */

/*
 * A format of 64-bit entries. A depth counts from the pages up: 0 is the table whose entries are
 * pages. An entry of 0 is not valid.
 */
struct weir_pgtable_shape {
	uint8_t page_shift;
	uint8_t index_bits;   /* of each table but the root, which may use fewer */
	uint8_t block_depths; /* bit d: a table at depth d may hold leaves; bit 0 is set */
	uint64_t address;     /* the bits of an entry that are an address */
	uint64_t type;	      /* the bits that tell these apart: */
	uint64_t type_table, type_block, type_page;
	uint64_t cleaned; /* a bit of a table entry that hardware ignores; see core.h */
};

struct weir_pgtable;
struct weir_pgtable_gather;

/* core.h, compiled for one shape. */
struct weir_pgtable_format {
	const char *name;
	const struct weir_pgtable_shape *shape;
	int (*init)(struct weir_pgtable *pt, unsigned int va_bits, unsigned int pa_bits);
	void (*fini)(struct weir_pgtable *pt);
	int (*map)(struct weir_pgtable *pt, uint64_t iova, const struct weir_extent *extents,
		   unsigned int count, unsigned int prot, struct weir_pgtable_gather *gather);
	uint64_t (*unmap)(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			  struct weir_pgtable_gather *gather);
	int (*lookup)(struct weir_pgtable *pt, uint64_t iova, weir_phys_t *phys,
		      unsigned int *depth);
};

/* VMSAv8-64 stage 1, 4 KiB granule, levels 0 to 3 (DDI 0487 D8.3); non-global entries. */
extern const struct weir_pgtable_format weir_pgtable_vmsav8_s1;
/* Its AttrIndx and what MAIR must hold there. */
#define WEIR_PGTABLE_VMSAV8_MAIR ((uint64_t)0xff | (uint64_t)0x44 << 8 | (uint64_t)0x04 << 16)

/* ---- Tables ---------------------------------------------------------------------------------- */

/* What the owner of a table must do after an unmap, or after a map that failed. Starts zeroed. */
struct weir_pgtable_gather {
	uint64_t bytes;		  /* that were mapped and no longer are */
	unsigned int leaf_depths; /* bit d: a leaf of depth d went */
	uint64_t *tables;	  /* pages that were taken out, linked through their first word */
};

struct weir_pgtable {
	const struct weir_pgtable_format *format;
	struct weir_pgtable_cache *cache;
	void *plat;
	uint64_t *root;
	uint64_t limit; /* one past the last address */
	uint64_t phys_limit;
	uint64_t ready_mask, ready_table; /* tells a table that the walker can see, above depth 0 */
	uint8_t depth;			  /* of the root */
	bool coherent;			  /* the walker snoops the CPUs' caches */
	bool replaces_blocks;		 /* a block may become a table in one store (BBM level 2) */
	struct weir_spinlock split_lock; /* IRQ-safe */
	/* For a split where !replaces_blocks: nothing of the range is cached when it returns. */
	void (*invalidate)(struct weir_pgtable *pt, uint64_t iova, uint64_t size);
};

/*
 * The caller has set format, cache, plat, coherent, replaces_blocks and invalidate, and zeroed the
 * rest. -WEIR_ENOMEM. Any context.
 */
static inline int weir_pgtable_init(struct weir_pgtable *pt, unsigned int va_bits,
				    unsigned int pa_bits)
{
	return pt->format->init(pt, va_bits, pa_bits);
}

/* Nothing walks it any more. Mappings go with it. */
static inline void weir_pgtable_fini(struct weir_pgtable *pt)
{
	pt->format->fini(pt);
}

/* What the hardware's base register gets. */
weir_phys_t weir_pgtable_root(const struct weir_pgtable *pt);
/* Sizes of leaves, as a bit mask. */
uint64_t weir_pgtable_page_sizes(const struct weir_pgtable *pt);

/*
 * Map the extents one after the other from iova on, with the largest leaves that alignment and
 * the tables already there allow, in one walk. The entries are visible to the walker on return.
 *
 * -WEIR_EINVAL: alignment, prot, or beyond the table's or the physical addresses. -WEIR_EEXIST:
 * part of it is mapped. -WEIR_ENOMEM. After an error what was mapped before is mapped, nothing else
 * is, and *gather holds what the device may have seen for a moment: the owner invalidates as after
 * an unmap. Tables that were added may stay, empty, until their span is unmapped or fini.
 *
 * Any context. Hot: about 200 instructions for a page whose table is there, 19 for each further
 * page of a list, 12 for each within an extent (gcc 12 -O2, x86-64, a coherent walker).
 */
static inline int weir_pgtable_map(struct weir_pgtable *pt, uint64_t iova,
				   const struct weir_extent *extents, unsigned int count,
				   unsigned int prot, struct weir_pgtable_gather *gather)
{
	return pt->format->map(pt, iova, extents, count, prot, gather);
}

/*
 * Take out what is mapped in [iova, iova + size); holes are fine. Adds to *gather. Returns the
 * bytes; 0 for a range that is not aligned or not inside.
 *
 * A block of which only a part lies in the range is split, which takes a page for a table: without
 * memory the block stays whole, the unmap goes on behind it, and the return value is that much
 * less.
 */
static inline uint64_t weir_pgtable_unmap(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
					  struct weir_pgtable_gather *gather)
{
	return pt->format->unmap(pt, iova, size, gather);
}

/* After the invalidation. */
void weir_pgtable_free_tables(struct weir_pgtable *pt, struct weir_pgtable_gather *gather);

/* Where iova leads: 0, or -WEIR_ENOENT. *depth (or NULL): of the leaf. */
static inline int weir_pgtable_lookup(struct weir_pgtable *pt, uint64_t iova, weir_phys_t *phys,
				      unsigned int *depth)
{
	return pt->format->lookup(pt, iova, phys, depth);
}

#endif
