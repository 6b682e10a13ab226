/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PGTABLE_PGTABLE_H
#define WEIR_PGTABLE_PGTABLE_H

/*
 * I/O page tables: one walker core (core.h), compiled for each format (vmsav8-s1-4k.c, ...), and a
 * cache of table pages that many tables share (cache.c). Usable alone: it calls platform functions
 * only.
 *
 * What a table does not do: it sends no invalidation. What changes entries that a walker may have
 * cached leaves in a struct weir_pgtable_gather what the owner must invalidate, and the table pages
 * that became unused. The order is
 *
 *	weir_pgtable_unmap(pt, iova, size, &gather);
 *	... if gather.leaf_depths or gather.tables: invalidate the range, wait until it is done ...
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
 * - Unmapping a part of a block splits it, under split_lock, and a part of a contiguous run takes
 *   the hint from the rest: the only cases in which ranges that are disjoint share a leaf. It may
 *   allocate, and waits for an invalidation where the hardware cannot take the change in one step;
 *   a lookup meanwhile may miss the block.
 * - With hardware that marks leaves as dirty, entries change under software's hands: what software
 *   changes of a valid leaf it changes by compare-exchange, what it takes out for a moment it takes
 *   by exchange. What is unmapped is cleared: nobody asks whether it was dirty.
 *
 * A lookup of an address that is being unmapped is the caller's mistake.
 */

#include <weir/domain.h>

#include "base/extent.h"

#define WEIR_PGTABLE_LEVELS 4
#define WEIR_PGTABLE_CACHED 15 /* table pages kept for each CPU */

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
	unsigned int page_order; /* of a table page: the granule */
	unsigned int order;	 /* of the allocation that holds magazines */
	struct weir_pgtable_magazine *magazines;
	int64_t *in_use; /* pages in tables now, atomic; shared by whoever counts */
};

/*
 * For tables of formats with pages of 2^page_shift bytes; they will come from `zone`. `in_use`
 * counts pages of 4 KiB. -WEIR_ENOMEM. TASK.
 */
int weir_pgtable_cache_init(struct weir_pgtable_cache *cache, void *plat, unsigned int cpus,
			    enum weir_zone zone, unsigned int page_shift, int64_t *in_use);
/* No table uses it any more. Harmless on zeroed memory. */
void weir_pgtable_cache_fini(struct weir_pgtable_cache *cache);

/* A page, zeroed, not cleaned. NULL: no memory. Any context. */
uint64_t *weir_pgtable_page_alloc(struct weir_pgtable_cache *cache);
/* The page is all zero again. Any context. */
void weir_pgtable_page_free(struct weir_pgtable_cache *cache, uint64_t *page);

/* ---- Formats --------------------------------------------------------------------------------- */

/*
 * A format of 64-bit entries. A depth counts from the pages up: 0 is the table whose entries are
 * pages. An entry of 0 is not valid. The root may use fewer entries than a table has, or be up to
 * 2^concat_bits tables that lie in one (stage 2, DDI 0487 D8.2).
 */
struct weir_pgtable_shape {
	uint8_t page_shift;
	uint8_t index_bits;   /* of each table but the root */
	uint8_t concat_bits;  /* 0: a root is one table */
	uint8_t root_depth;   /* the lowest that a root may have */
	uint8_t block_depths; /* bit d: a table at depth d may hold leaves; bit 0 is set */
	uint8_t cont_bits[WEIR_PGTABLE_LEVELS]; /* log2 of a contiguous run's leaves; 0: none */
	uint64_t address; /* the bits of an entry that are an address, where they stand in it */
	uint64_t high;	  /* of these the ones that are address bits from 48 up; 0: none are */
	uint64_t type;	  /* the bits that tell these apart: */
	uint64_t type_table, type_block, type_page;
	uint64_t contiguous;	    /* the hint */
	uint64_t modifiable;	    /* DBM: hardware may turn the leaf from clean to dirty */
	uint64_t dirty_mask, dirty; /* of a leaf with DBM: (entry & dirty_mask) == dirty */
	uint64_t cleaned;	    /* a bit of a table entry that hardware ignores; see core.h */
};

struct weir_pgtable;
struct weir_pgtable_gather;

typedef void weir_pgtable_dirty_fn(void *arg, uint64_t iova, uint64_t size);

/* core.h, compiled for one shape. */
struct weir_pgtable_format {
	const char *name;
	const struct weir_pgtable_shape *shape;
	bool stage2;
	int (*init)(struct weir_pgtable *pt, unsigned int va_bits, unsigned int pa_bits);
	void (*fini)(struct weir_pgtable *pt);
	int (*map)(struct weir_pgtable *pt, uint64_t iova, const struct weir_extent *extents,
		   unsigned int count, unsigned int prot, struct weir_pgtable_gather *gather);
	uint64_t (*unmap)(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			  struct weir_pgtable_gather *gather);
	int (*lookup)(struct weir_pgtable *pt, uint64_t iova, weir_phys_t *phys,
		      unsigned int *depth);
	int (*split)(struct weir_pgtable *pt, uint64_t iova, uint64_t size, unsigned int depth,
		     struct weir_pgtable_gather *gather);
	unsigned int (*merge)(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			      struct weir_pgtable_gather *gather);
	uint64_t (*dirty)(struct weir_pgtable *pt, uint64_t iova, uint64_t size, bool clear,
			  weir_pgtable_dirty_fn *fn, void *arg, struct weir_pgtable_gather *gather);
};

/*
 * VMSAv8-64 (DDI 0487 D8.3), non-global entries. Sizes of leaves: 4K: 4 KiB, 2 MiB, 1 GiB; 16K:
 * 16 KiB, 32 MiB; 64K: 64 KiB, 512 MiB, and 4 TiB where addresses have 52 bits.
 */
extern const struct weir_pgtable_format weir_pgtable_vmsav8_s1_4k, weir_pgtable_vmsav8_s1_16k,
	weir_pgtable_vmsav8_s1_64k, weir_pgtable_vmsav8_s2_4k, weir_pgtable_vmsav8_s2_16k,
	weir_pgtable_vmsav8_s2_64k;
/* AttrIndx of stage 1, and what MAIR must hold there. */
#define WEIR_PGTABLE_VMSAV8_MAIR ((uint64_t)0xff | (uint64_t)0x44 << 8 | (uint64_t)0x04 << 16)

/* ---- Tables ---------------------------------------------------------------------------------- */

/* What the owner of a table must do after an unmap, or after a map that failed. Starts zeroed. */
struct weir_pgtable_gather {
	uint64_t bytes; /* that were mapped and no longer are */
	/*
	 * Bit d: a leaf of depth d went, or changed. With replaces_blocks what went may still be
	 * cached as a part of a larger one, which another CPU has split and not yet invalidated.
	 */
	unsigned int leaf_depths;
	uint64_t *tables; /* pages that were taken out, linked through their first word */
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
	uint8_t block_depths;		  /* of the shape's those that the addresses allow */
	uint8_t root_order;		  /* of the root's allocation; 0: from the cache */
	bool coherent;			  /* the walker snoops the CPUs' caches */
	/* Leaves may change their size in one store: BBM level 2. Cleared if !coherent. */
	bool replaces_blocks;
	bool contiguous;   /* use the hint */
	bool tracks_dirty; /* writable leaves are mapped clean; hardware marks what it writes */
	bool forces_attributes; /* stage 2: S2FWB, and the encoding of types that goes with it */
	struct weir_spinlock split_lock; /* IRQ-safe */
	/*
	 * For a change where !replaces_blocks, and for merge: when it returns nothing of the range
	 * is cached, nor what led there, and no walk is under way that used it. Any context.
	 */
	void (*invalidate)(struct weir_pgtable *pt, uint64_t iova, uint64_t size);
};

/*
 * The caller has set format, cache (of that granule), plat, invalidate and the flags, and zeroed
 * the rest. The root has the level that va_bits asks for; for stage 2 the lowest that 16
 * concatenated tables reach. pa_bits beyond what entries hold (48; granule 64K: 52) count as that.
 *
 * -WEIR_EINVAL: va_bits below 25, or beyond what the format reaches (48; granule 64K: 52); or
 * tracks_dirty with a walker that does not snoop, whose marks would not reach the CPUs.
 * -WEIR_ENOMEM. Any context.
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
/* The level of the root, as the architecture counts: 3 is the one of pages. */
unsigned int weir_pgtable_start_level(const struct weir_pgtable *pt);
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
 * With `contiguous` the runs that an extent fills have the hint.
 *
 * Any context. Hot: about 180 instructions for a page or block whose table is there, 18 for each
 * further page of a list, 6 for each within an extent, 17 with the hint (gcc 12 -O3, x86-64, a
 * coherent walker, 4K granule).
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
 * less. What stays of a block or run is dirty if a part of it was.
 */
static inline uint64_t weir_pgtable_unmap(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
					  struct weir_pgtable_gather *gather)
{
	return pt->format->unmap(pt, iova, size, gather);
}

/*
 * Make leaves of `depth` or below of all that is mapped in the range, at `depth` without the hint:
 * for dirty bits that tell more. Only the owner of the whole of each block and run may; they are
 * split whole. Adds to *gather where the old leaves may still be cached; the owner then invalidates
 * the range, widened to these. Any context. -WEIR_ENOMEM: some of it is done; all is mapped as
 * before. -WEIR_EINVAL: not aligned, or not inside.
 */
static inline int weir_pgtable_split(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
				     unsigned int depth, struct weir_pgtable_gather *gather)
{
	return pt->format->split(pt, iova, size, depth, gather);
}

/*
 * The other way round: where a table that the range covers holds what a block, or a run what the
 * hint, can say as well, let it say it. A block is dirty if a part of it was. Nobody else maps,
 * unmaps or looks up anything of the range meanwhile; devices may use it, but fault at times where
 * !replaces_blocks. Calls `invalidate` for each table, and adds to *gather. Returns the tables that
 * it took out. Any context.
 */
static inline unsigned int weir_pgtable_merge(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
					      struct weir_pgtable_gather *gather)
{
	return pt->format->merge(pt, iova, size, gather);
}

/*
 * Tell `fn` (NULL: nobody) of each leaf, or contiguous run of leaves, in the range that is dirty:
 * whole, even where it reaches beyond the range. With `clear` it is clean from then on, once the
 * owner has invalidated the range, widened to what was told, if gather->leaf_depths says so; a
 * write that comes before that may be told or not. Returns the bytes of dirty leaves; without
 * `tracks_dirty` none are. Any context. Calls on ranges that share a leaf exclude each other; one
 * that another CPU is splitting at that moment may be left to the next call.
 *
 * About 40 instructions for a page that is clean, 65 for one that is cleared.
 */
static inline uint64_t weir_pgtable_dirty(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
					  bool clear, weir_pgtable_dirty_fn *fn, void *arg,
					  struct weir_pgtable_gather *gather)
{
	return pt->format->dirty(pt, iova, size, clear, fn, arg, gather);
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
