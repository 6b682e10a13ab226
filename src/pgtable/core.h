/* SPDX-License-Identifier: MIT */
/*
 * The walker core: map, unmap, lookup. Included by the file of each format, which has defined
 *
 * - SHAPE: a static const struct weir_pgtable_shape, so that the compiler has constants to work
 *   with (half of the instructions of a map are saved);
 * - attributes(): leaf bits without type and address, or -WEIR_EINVAL;
 *
 * and which takes core_map() and its like into its struct weir_pgtable_format. Data structures and
 * locking: pgtable.h.
 *
 * Order towards the walker of a device:
 * - A new table is zeroed, then its entry is written: plat_dma_wmb() between them, or for a walker
 *   that does not snoop a clean of the page.
 * - Leaves are complete before map returns: one plat_dma_wmb() at its end (the caller rings a
 *   doorbell afterwards), or cleans.
 * - Entries that were cleared: whoever sends the invalidation has a plat_dma_wmb() before it.
 *
 * A walker that does not snoop only sees an entry once its line was cleaned. A CPU that finds a
 * table which another one has just linked cannot know whether that one got so far; so the bit
 * `cleaned` is set afterwards, and who does not see it cleans the entry too.
 */

#ifndef WEIR_PGTABLE_CORE_H
#define WEIR_PGTABLE_CORE_H

#include "base/lock.h"
#include "pgtable/pgtable.h"

#define PAGE_MASK (WEIR_BIT(SHAPE.page_shift) - 1)

/* Where a map is. tables[d] for d >= depth are those that span `at`. */
struct cursor {
	struct weir_pgtable *pt;
	uint64_t *tables[WEIR_PGTABLE_LEVELS];
	uint64_t at;
	uint64_t iova; /* the next to be mapped */
	uint64_t *slot;
	uint64_t *written; /* entries from here to slot are new, and not cleaned */
	unsigned int left; /* entries from slot to the end of its table; 0: seek */
	unsigned int depth;
};

static inline unsigned int shift_of(unsigned int depth)
{
	return SHAPE.page_shift + depth * SHAPE.index_bits;
}

static inline unsigned int entries(void)
{
	return 1u << SHAPE.index_bits;
}

static inline unsigned int index_of(uint64_t iova, unsigned int depth)
{
	return (unsigned int)(iova >> shift_of(depth)) & (entries() - 1);
}

static inline bool is_table(uint64_t entry, unsigned int depth)
{
	return depth && (entry & SHAPE.type) == SHAPE.type_table;
}

static inline uint64_t leaf_type(unsigned int depth)
{
	return depth ? SHAPE.type_block : SHAPE.type_page;
}

static inline uint64_t *table_of(const struct weir_pgtable *pt, uint64_t entry)
{
	return plat_phys_to_virt(pt->plat, (weir_phys_t)(entry & SHAPE.address));
}

/* Acquire: pairs with the release in link_table() and split_locked(). */
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
		plat_cache_clean(pt->plat, page, WEIR_PAGE_SIZE);
}

/* ---- Unmapping ------------------------------------------------------------------------------- */

static unsigned int clear_pages(uint64_t *slot, unsigned int n)
{
	unsigned int i, cleared = 0;

	for (i = 0; i < n; i++) {
		if (!__atomic_load_n(&slot[i], __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&slot[i], 0, __ATOMIC_RELAXED);
		cleared++;
	}
	return cleared;
}

static void unmap_pages(struct weir_pgtable *pt, uint64_t *table, uint64_t iova, uint64_t end,
			struct weir_pgtable_gather *gather)
{
	uint64_t *slot = &table[index_of(iova, 0)];
	unsigned int n = (unsigned int)((end - iova) >> SHAPE.page_shift);
	unsigned int cleared = clear_pages(slot, n);

	if (!cleared)
		return;
	clean(pt, slot, n);
	gather->bytes += (uint64_t)cleared << SHAPE.page_shift;
	gather->leaf_depths |= 1;
}

/*
 * Keep a page that was taken out. The link stands in its first word, where a walker that still has
 * the page's address may read it: a page's address has none of the type bits, so it is not valid.
 */
static void collect(struct weir_pgtable_gather *gather, uint64_t *page)
{
	__atomic_store_n(page, (uint64_t)(uintptr_t)gather->tables, __ATOMIC_RELAXED);
	gather->tables = page;
}

static void clear_entry(struct weir_pgtable *pt, uint64_t *slot)
{
	__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	clean(pt, slot, 1);
}

/* A page that holds the same as the block `entry`, in leaves of the next depth. NULL: no memory. */
static uint64_t *split_page(struct weir_pgtable *pt, uint64_t entry, unsigned int depth)
{
	uint64_t *page = weir_pgtable_page_alloc(pt->cache);
	uint64_t step = (uint64_t)1 << shift_of(depth);
	unsigned int i;

	if (!page)
		return NULL;
	entry = (entry & ~SHAPE.type) | leaf_type(depth);
	for (i = 0; i < entries(); i++)
		__atomic_store_n(&page[i], entry + i * step, __ATOMIC_RELAXED);
	publish_page(pt, page);
	return page;
}

static bool split_locked(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
			 struct weir_pgtable_gather *gather)
{
	uint64_t span = (uint64_t)1 << shift_of(depth);
	uint64_t entry = load(slot);
	uint64_t *page;

	/* Another CPU, which unmaps another part, may have been first. */
	if (!entry || is_table(entry, depth))
		return true;
	page = split_page(pt, entry, depth - 1);
	if (!page)
		return false;
	if (pt->replaces_blocks) {
		/* IHI 0070 3.21.1.3. The block may be cached until the caller has invalidated. */
		gather->leaf_depths |= 1u << depth;
	} else {
		/* Break before make: IHI 0070 3.21.1.1, DDI 0487 D8.16. */
		clear_entry(pt, slot);
		pt->invalidate(pt, iova & ~(span - 1), span);
	}
	entry = (uint64_t)plat_virt_to_phys(pt->plat, page) | SHAPE.type_table;
	/* Release: pairs with load(); the page was filled before. */
	__atomic_store_n(slot, entry | (pt->coherent ? 0 : SHAPE.cleaned), __ATOMIC_RELEASE);
	clean(pt, slot, 1);
	return true;
}

static bool split(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
		  struct weir_pgtable_gather *gather)
{
	uintptr_t flags = weir_lock_irq(&pt->split_lock);
	bool done = split_locked(pt, slot, depth, iova, gather);

	weir_unlock_irq(&pt->split_lock, flags);
	return done;
}

/*
 * A slot of a table at depth > 0, of which `whole` or a part goes. Returns the table below, if any.
 */
static uint64_t *unmap_slot(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth,
			    uint64_t iova, bool whole, struct weir_pgtable_gather *gather)
{
	uint64_t entry = load(slot);

	/*
	 * Without replaces_blocks nothing here may be a block that another CPU is splitting at this
	 * moment: broken, not yet made. split() waits for it under the lock.
	 */
	if (!whole && (entry ? !is_table(entry, depth) : !pt->replaces_blocks) &&
	    split(pt, slot, depth, iova, gather))
		entry = load(slot);
	if (!entry)
		return NULL;
	if (is_table(entry, depth))
		return table_of(pt, entry);
	if (whole) {
		clear_entry(pt, slot);
		gather->bytes += (uint64_t)1 << shift_of(depth);
		gather->leaf_depths |= 1u << depth;
	}
	return NULL;
}

/* [iova, end) lies in one table at depth `top`. Depth first; a table that goes whole, goes last. */
static void unmap_range(struct weir_pgtable *pt, uint64_t *table, unsigned int top, uint64_t iova,
			uint64_t end, struct weir_pgtable_gather *gather)
{
	uint64_t *tables[WEIR_PGTABLE_LEVELS], *below, start = iova, next, span;
	unsigned int depth = top;

	tables[top] = table;
	while (iova < end) {
		/* A table of pages is done in one go, others slot by slot. */
		span = (uint64_t)1 << shift_of(depth ? depth : 1);
		next = (iova | (span - 1)) + 1;
		next = next < end ? next : end;
		if (!depth) {
			unmap_pages(pt, tables[0], iova, next, gather);
		} else {
			below = unmap_slot(pt, &tables[depth][index_of(iova, depth)], depth, iova,
					   next - iova == span, gather);
			if (below) {
				tables[--depth] = below;
				continue;
			}
		}
		iova = next;
		/* Up from each table that ends here; at the end of the range, from all. */
		while (depth < top) {
			span = (uint64_t)1 << shift_of(depth + 1);
			if (iova != end && iova & (span - 1))
				break;
			next = (iova - 1) & ~(span - 1); /* where that table begins */
			depth++;
			if (next < start || end - next < span)
				continue;
			clear_entry(pt, &tables[depth][index_of(next, depth)]);
			collect(gather, tables[depth - 1]);
		}
	}
}

static uint64_t core_unmap(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			   struct weir_pgtable_gather *gather)
{
	uint64_t before = gather->bytes, *table = pt->root, end = iova + size, entry;
	unsigned int depth = pt->depth;

	if (!WEIR_IS_ALIGNED(iova | size, (uint64_t)1 << SHAPE.page_shift) || !size ||
	    iova >= pt->limit || size > pt->limit - iova)
		return 0;
	/* Down to the table in which the range begins to fan out, or is a whole entry. */
	while (depth && !((iova ^ (end - 1)) >> shift_of(depth)) && size >> shift_of(depth) == 0) {
		entry = load(&table[index_of(iova, depth)]);
		if (!is_table(entry, depth))
			break;
		table = table_of(pt, entry);
		depth--;
	}
	unmap_range(pt, table, depth, iova, end, gather);
	return gather->bytes - before;
}

/* ---- Mapping --------------------------------------------------------------------------------- */

/* Link a new table at an entry that was not valid. Returns what stands there now; 0: no memory. */
static uint64_t link_table(struct weir_pgtable *pt, uint64_t *slot)
{
	uint64_t *page = weir_pgtable_page_alloc(pt->cache);
	uint64_t entry, found = 0;

	if (!page)
		return 0;
	entry = (uint64_t)plat_virt_to_phys(pt->plat, page) | SHAPE.type_table;
	publish_page(pt, page);
	/* Release: pairs with load(). Acquire on failure: the winner's table is used next. */
	if (!__atomic_compare_exchange_n(slot, &found, entry, false, __ATOMIC_RELEASE,
					 __ATOMIC_ACQUIRE)) {
		weir_pgtable_page_free(pt->cache, page);
		return found;
	}
	if (!pt->coherent) {
		clean(pt, slot, 1);
		entry |= SHAPE.cleaned;
		/* Release as above: the entry is being replaced by itself with one bit more. */
		__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
	}
	return entry;
}

/*
 * An entry at `depth` that is not simply a table: add one if there is none; clean it if the one who
 * linked it may not have come to that. *entry is then the table's.
 */
static int make_table(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t *entry)
{
	if (!*entry)
		*entry = link_table(pt, slot);
	if (!*entry)
		return -WEIR_ENOMEM;
	if (!is_table(*entry, depth))
		return -WEIR_EEXIST;
	if (!pt->coherent && !(*entry & SHAPE.cleaned))
		clean(pt, slot, 1);
	return 0;
}

/* The largest leaf that address, memory and size allow. */
static unsigned int best_depth(const struct weir_pgtable *pt, uint64_t addresses, uint64_t size)
{
	unsigned int depth, best = 0;

	for (depth = 1; depth <= pt->depth; depth++) {
		uint64_t span = (uint64_t)1 << shift_of(depth);

		if (size < span || addresses & (span - 1))
			break;
		if (SHAPE.block_depths >> depth & 1)
			best = depth;
	}
	return best;
}

static unsigned int smaller_leaf(unsigned int depth)
{
	do
		depth--;
	while (!(SHAPE.block_depths >> depth & 1));
	return depth;
}

static inline void clean_written(struct cursor *c)
{
	clean(c->pt, c->written, (unsigned int)(c->slot - c->written));
	c->written = c->slot;
}

/*
 * Move to the entry for c->iova at depth `want`, or below it where a table stands in the way: a
 * table is not replaced by a block, which would take a break-before-make. Starts from the lowest
 * table that spans both the old and the new address.
 */
static int seek(struct cursor *c, unsigned int want)
{
	struct weir_pgtable *pt = c->pt;
	unsigned int depth = c->depth, bits = SHAPE.index_bits, shift;
	uint64_t *table, *slot, entry, iova = c->iova;
	int ret;

	clean_written(c);
	while (depth < want || (depth < pt->depth && (iova ^ c->at) >> shift_of(depth + 1)))
		depth++;
	c->at = iova;
	table = c->tables[depth];
	for (shift = shift_of(depth);; shift -= bits) {
		slot = &table[iova >> shift & (entries() - 1)];
		entry = load(slot);
		if (depth == want) {
			if (WEIR_LIKELY(!is_table(entry, depth)))
				break;
			want = smaller_leaf(want);
		}
		if (WEIR_UNLIKELY((entry & pt->ready_mask) != pt->ready_table)) {
			ret = make_table(pt, slot, depth, &entry);
			if (ret)
				return ret;
		}
		table = table_of(pt, entry);
		c->tables[--depth] = table;
	}
	c->slot = slot;
	c->written = slot;
	c->depth = depth;
	c->left = entries() - (unsigned int)(slot - table);
	return 0;
}

/* Write up to n leaves; stops at an entry that is taken. The owner of the range is alone here. */
static inline unsigned int fill(uint64_t *slot, unsigned int n, uint64_t entry, uint64_t step)
{
	unsigned int i;

	for (i = 0; i < n; i++, entry += step) {
		/* Relaxed: a leaf leads to no memory of the tables, and is whole in itself. */
		if (__atomic_load_n(&slot[i], __ATOMIC_RELAXED))
			break;
		__atomic_store_n(&slot[i], entry, __ATOMIC_RELAXED);
	}
	return i;
}

static int map_extent(struct cursor *c, uint64_t phys, uint64_t size, uint64_t leaf)
{
	struct weir_pgtable *pt = c->pt;

	while (size) {
		unsigned int shift, n, done;
		int ret;

		/* Among pages the rest of the table can only hold pages. */
		if (!c->left || c->depth) {
			ret = seek(c, best_depth(pt, c->iova | phys, size));
			if (ret)
				return ret;
		}
		shift = shift_of(c->depth);
		n = size >> shift < c->left ? (unsigned int)(size >> shift) : c->left;
		done = fill(c->slot, n, phys | leaf | leaf_type(c->depth), (uint64_t)1 << shift);
		c->slot += done;
		c->left -= done;
		c->iova += (uint64_t)done << shift;
		phys += (uint64_t)done << shift;
		size -= (uint64_t)done << shift;
		if (done < n && !is_table(load(c->slot), c->depth))
			return -WEIR_EEXIST;
	}
	return 0;
}

static inline bool extent_fits(const struct cursor *c, uint64_t phys, uint64_t size)
{
	const struct weir_pgtable *pt = c->pt;

	return !((c->iova | phys | size) & PAGE_MASK) && c->iova <= pt->limit &&
	       size <= pt->limit - c->iova && size <= pt->phys_limit &&
	       phys <= pt->phys_limit - size;
}

/*
 * The common case: extents of a page each, in a table that is there. What extent_fits() says of
 * iova holds in all of the table. Returns how many were mapped; the next is for map_extent().
 */
static inline unsigned int map_pages(struct cursor *c, const struct weir_extent *extents,
				     unsigned int count, uint64_t leaf)
{
	uint64_t *slot = c->slot, not_phys = PAGE_MASK | ~(c->pt->phys_limit - 1);
	unsigned int n = count < c->left ? count : c->left, i;

	for (i = 0; i < n && !c->depth; i++) {
		uint64_t phys = (uint64_t)extents[i].phys;

		if (extents[i].size != PAGE_MASK + 1 || phys & not_phys ||
		    !fill(&slot[i], 1, phys | leaf, 0))
			break;
	}
	c->slot += i;
	c->left -= i;
	c->iova += (uint64_t)i << SHAPE.page_shift;
	return i;
}

/* Start at the table of pages for iova if it is there, else at the root with nothing left. */
static inline void start(struct cursor *c, struct weir_pgtable *pt, uint64_t iova)
{
	uint64_t *table = pt->root, entry;
	unsigned int depth = pt->depth, shift;

	c->pt = pt;
	c->at = c->iova = iova;
	c->slot = c->written = NULL;
	c->left = 0;
	c->depth = depth;
	c->tables[depth] = table;
	if (WEIR_UNLIKELY(iova >= pt->limit || iova & PAGE_MASK))
		return;
	for (shift = shift_of(depth); depth; shift -= SHAPE.index_bits) {
		entry = load(&table[iova >> shift & (entries() - 1)]);
		if (WEIR_UNLIKELY((entry & pt->ready_mask) != pt->ready_table))
			return;
		table = table_of(pt, entry);
		c->tables[--depth] = table;
	}
	c->slot = c->written = &table[index_of(iova, 0)];
	c->left = entries() - index_of(iova, 0);
	c->depth = 0;
}

/*
 * Map until all is or an error; *end is how far it came. Not inlined: its frame is gone when an
 * error is undone.
 */
static __attribute__((noinline)) int map_extents(struct weir_pgtable *pt, uint64_t iova,
						 const struct weir_extent *extents,
						 unsigned int count, unsigned int prot,
						 uint64_t *end)
{
	struct cursor c;
	uint64_t leaf = 0;
	int ret = attributes(prot, &leaf);

	start(&c, pt, iova);
	while (count && !ret) {
		unsigned int n = map_pages(&c, extents, count, leaf | leaf_type(0));

		extents += n;
		count -= n;
		if (!count)
			break;
		if (WEIR_LIKELY(extent_fits(&c, (uint64_t)extents->phys, extents->size)))
			ret = map_extent(&c, (uint64_t)extents->phys, extents->size, leaf);
		else
			ret = -WEIR_EINVAL;
		extents++;
		count--;
	}
	clean_written(&c);
	plat_dma_wmb();
	*end = c.iova;
	return ret;
}

static int core_map(struct weir_pgtable *pt, uint64_t iova, const struct weir_extent *extents,
		    unsigned int count, unsigned int prot, struct weir_pgtable_gather *gather)
{
	uint64_t end;
	int ret = map_extents(pt, iova, extents, count, prot, &end);

	/* All of [iova, end) is what was just written: nothing is split, nothing can fail. */
	if (WEIR_UNLIKELY(ret && end != iova))
		core_unmap(pt, iova, end - iova, gather);
	return ret;
}

/* ---- The rest -------------------------------------------------------------------------------- */

static int core_lookup(struct weir_pgtable *pt, uint64_t iova, weir_phys_t *phys,
		       unsigned int *leaf_depth)
{
	const uint64_t *table = pt->root;
	unsigned int depth;
	uint64_t entry, offset;

	if (iova >= pt->limit)
		return -WEIR_ENOENT;
	for (depth = pt->depth;; depth--) {
		entry = load(&table[index_of(iova, depth)]);
		if (!is_table(entry, depth))
			break;
		table = table_of(pt, entry);
	}
	if (!entry)
		return -WEIR_ENOENT;
	offset = ((uint64_t)1 << shift_of(depth)) - 1;
	*phys = (weir_phys_t)((entry & SHAPE.address & ~offset) | (iova & offset));
	if (leaf_depth)
		*leaf_depth = depth;
	return 0;
}

static int core_init(struct weir_pgtable *pt, unsigned int va_bits, unsigned int pa_bits)
{
	unsigned int index_bits = SHAPE.index_bits;

	pt->depth = (uint8_t)((va_bits - SHAPE.page_shift + index_bits - 1) / index_bits - 1);
	pt->limit = WEIR_BIT(va_bits);
	pt->phys_limit = WEIR_BIT(pa_bits);
	pt->ready_mask = SHAPE.type | (pt->coherent ? 0 : SHAPE.cleaned);
	pt->ready_table = SHAPE.type_table | (pt->coherent ? 0 : SHAPE.cleaned);
	pt->root = weir_pgtable_page_alloc(pt->cache);
	if (!pt->root)
		return -WEIR_ENOMEM;
	publish_page(pt, pt->root);
	return 0;
}

static void core_fini(struct weir_pgtable *pt)
{
	struct weir_pgtable_gather gather = { 0 };

	core_unmap(pt, 0, pt->limit, &gather);
	weir_pgtable_free_tables(pt, &gather);
	weir_pgtable_page_free(pt->cache, pt->root);
	pt->root = NULL;
}

#endif
