/* SPDX-License-Identifier: MIT */
/*
 * What all parts of the walker core stand on: entries, where they stand, the order in which a
 * walker sees them. Included by core.h; data structures and locking: pgtable.h.
 */

#ifndef WEIR_PGTABLE_CORE_BASE_H
#define WEIR_PGTABLE_CORE_BASE_H

#include "base/lock.h"
#include "pgtable/pgtable.h"

#define PAGE_MASK (WEIR_BIT(SHAPE.page_shift) - 1)

static inline unsigned int shift_of(unsigned int depth)
{
	return SHAPE.page_shift + depth * SHAPE.index_bits;
}

static inline uint64_t span_of(unsigned int depth)
{
	return WEIR_BIT(shift_of(depth));
}

static inline unsigned int entries(void)
{
	return 1u << SHAPE.index_bits;
}

/* A root that is several tables in one has indices beyond a table's. */
static inline uint64_t index_mask(const struct weir_pgtable *pt, unsigned int depth)
{
	uint64_t mask = entries() - 1;

	return SHAPE.concat_bits && depth == pt->depth ? ~(uint64_t)0 : mask;
}

static inline unsigned int index_of(const struct weir_pgtable *pt, uint64_t iova,
				    unsigned int depth)
{
	return (unsigned int)(iova >> shift_of(depth) & index_mask(pt, depth));
}

static inline bool is_table(uint64_t entry, unsigned int depth)
{
	return depth && (entry & SHAPE.type) == SHAPE.type_table;
}

static inline uint64_t leaf_type(unsigned int depth)
{
	return depth ? SHAPE.type_block : SHAPE.type_page;
}

/* An address as it stands in an entry, and back. */
static inline uint64_t encode(uint64_t phys)
{
	if (!SHAPE.high)
		return phys;
	return (phys & (WEIR_BIT(48) - 1)) | (phys >> 48) * (SHAPE.high & -SHAPE.high);
}

static inline uint64_t decode(uint64_t entry)
{
	if (!SHAPE.high)
		return entry & SHAPE.address;
	return (entry & SHAPE.address & ~SHAPE.high) |
	       (entry & SHAPE.high) / (SHAPE.high & -SHAPE.high) << 48;
}

static inline uint64_t *table_of(const struct weir_pgtable *pt, uint64_t entry)
{
	return plat_phys_to_virt(pt->plat, (weir_phys_t)decode(entry));
}

static inline uint64_t table_entry(const struct weir_pgtable *pt, const uint64_t *page)
{
	return encode((uint64_t)plat_virt_to_phys(pt->plat, page)) | SHAPE.type_table;
}

/* Acquire: pairs with the releases in link_table(), link_split(), untie() and remake_run(). */
static inline uint64_t load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static inline void clean(const struct weir_pgtable *pt, const uint64_t *slot, unsigned int n)
{
	if (!pt->coherent && n)
		plat_cache_clean(pt->plat, slot, n * sizeof(*slot));
}

/* The new table's entries are to be visible to the walker before the entry that leads to it. */
static inline void publish_page(const struct weir_pgtable *pt, const uint64_t *page)
{
	if (pt->coherent)
		plat_dma_wmb();
	else
		plat_cache_clean(pt->plat, page, PAGE_MASK + 1);
}

static inline void clear_entry(struct weir_pgtable *pt, uint64_t *slot)
{
	__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	clean(pt, slot, 1);
}

static inline bool is_inside(const struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	return !((iova | size) & PAGE_MASK) && size && iova < pt->limit && size <= pt->limit - iova;
}

/*
 * The entry for iova at depth `want`, or above it where no table leads further down. Returns its
 * depth.
 */
static inline unsigned int descend(const struct weir_pgtable *pt, uint64_t iova, unsigned int want,
				   uint64_t **slot)
{
	uint64_t *table = pt->root, entry;
	unsigned int depth = pt->depth;

	for (;; depth--) {
		*slot = &table[index_of(pt, iova, depth)];
		entry = load(*slot);
		if (depth <= want || !is_table(entry, depth))
			return depth;
		table = table_of(pt, entry);
	}
}

/*
 * Keep a page that was taken out. The link stands in its first word, where a walker that still has
 * the page's address may read it: a page's address has none of the type bits, so it is not valid.
 */
static inline void collect(struct weir_pgtable_gather *gather, uint64_t *page)
{
	__atomic_store_n(page, (uint64_t)(uintptr_t)gather->tables, __ATOMIC_RELAXED);
	gather->tables = page;
}

#endif
