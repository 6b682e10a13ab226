/* SPDX-License-Identifier: MIT */
/*
 * The walker core: map, unmap, lookup; core-leaf.h has what changes valid leaves. Included by the
 * file of each format, which has defined
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

#include "pgtable/core-leaf.h"

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

/* ---- Unmapping ------------------------------------------------------------------------------- */

static inline unsigned int clear_pages(uint64_t *slot, unsigned int n)
{
	uint64_t *end = slot + n;
	unsigned int cleared = 0;

	for (; slot != end; slot++) {
		if (!__atomic_load_n(slot, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
		cleared++;
	}
	return cleared;
}

/* Of n pages that go: is there a run of which only a part does? */
static inline bool ends_are_tied(const struct weir_pgtable *pt, uint64_t *slot, unsigned int n)
{
	uint64_t *end = slot + n, *first = run_of(slot, 0), *last = run_of(end - 1, 0);

	if (first == last)
		return n < run_length(0) && is_tied(pt, end - 1, 0);
	return (slot != first && is_tied(pt, first + run_length(0) - 1, 0)) ||
	       (end != last + run_length(0) && is_tied(pt, end - 1, 0));
}

static bool unmap_pages(struct weir_pgtable *pt, uint64_t *table, uint64_t iova, uint64_t end,
			bool opened, struct weir_pgtable_gather *gather)
{
	uint64_t *slot = &table[index_of(pt, iova, 0)];
	unsigned int n = (unsigned int)((end - iova) >> SHAPE.page_shift), cleared;

	if (pt->contiguous && !opened && ends_are_tied(pt, slot, n))
		return false;
	cleared = clear_pages(slot, n);
	if (!cleared)
		return true;
	clean(pt, slot, n);
	gather->bytes += (uint64_t)cleared << SHAPE.page_shift;
	gather->leaf_depths |= 1;
	return true;
}

/* Is the entry for iova in a run of which something stays when [start, end) goes? */
static inline bool cuts_run(const struct weir_pgtable *pt, unsigned int depth, uint64_t iova,
			    uint64_t start, uint64_t end)
{
	uint64_t first = iova & ~(run_span(depth) - 1);

	return pt->contiguous && SHAPE.cont_bits[depth] &&
	       (first < start || end - first < run_span(depth));
}

static void unmap_leaf(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth,
		       struct weir_pgtable_gather *gather)
{
	clear_entry(pt, slot);
	gather->bytes += span_of(depth);
	gather->leaf_depths |= 1u << depth;
}

/*
 * [iova, end) lies in one table at depth `top`. Depth first; a table that goes whole, goes last.
 * false: something at an end of the range stays, because it must be opened first. Where that was
 * done (`opened`) what cannot go as a whole stays.
 *
 * Without replaces_blocks an entry at an end that is not valid may be a block, or of a run, that
 * another CPU is changing at this moment: broken, not yet made. open_end() waits for it.
 */
static bool unmap_range(struct weir_pgtable *pt, uint64_t *table, unsigned int top, uint64_t iova,
			uint64_t end, bool opened, struct weir_pgtable_gather *gather)
{
	uint64_t *tables[WEIR_PGTABLE_LEVELS], *slot, start = iova, next, span, entry;
	unsigned int depth = top;
	bool done = true;

	tables[top] = table;
	while (iova < end) {
		/* A table of pages is done in one go, others slot by slot. */
		span = span_of(depth ? depth : 1);
		next = (iova | (span - 1)) + 1;
		next = next < end ? next : end;
		slot = &tables[depth][index_of(pt, iova, depth)];
		entry = depth ? load(slot) : 0;
		if (!depth) {
			done &= unmap_pages(pt, tables[0], iova, next, opened, gather);
		} else if (is_table(entry, depth)) {
			tables[--depth] = table_of(pt, entry);
			continue;
		} else if (next - iova != span) {
			done &= opened || (!entry && pt->replaces_blocks);
		} else if (!opened && cuts_run(pt, depth, iova, start, end) &&
			   is_tied(pt, slot, depth)) {
			done = false;
		} else if (entry) {
			unmap_leaf(pt, slot, depth, gather);
		}
		iova = next;
		/* Up from each table that ends here; at the end of the range, from all. */
		while (depth < top) {
			span = span_of(depth + 1);
			if (iova != end && iova & (span - 1))
				break;
			next = (iova - 1) & ~(span - 1); /* where that table begins */
			depth++;
			if (next < start || end - next < span)
				continue;
			clear_entry(pt, &tables[depth][index_of(pt, next, depth)]);
			collect(gather, tables[depth - 1]);
		}
	}
	return done;
}

/*
 * So that nothing reaches across `at`, an end of a range: take the hint from a run, split a block.
 * One step; true: there is no more to do, or no memory. `own` is the address beside it that is in
 * the range: tables on the way to another's may be freed at any time.
 */
static bool open_step(struct weir_pgtable *pt, uint64_t own, uint64_t at,
		      struct weir_pgtable_gather *gather)
{
	uint64_t *slot, entry;
	unsigned int depth = descend(pt, own, 0, &slot);

	entry = load(slot);
	if (entry & SHAPE.contiguous && at & (run_span(depth) - 1)) {
		untie(pt, slot, depth, own, gather);
		return false;
	}
	return !entry || !(at & (span_of(depth) - 1)) || !split_leaf(pt, slot, depth, own, gather);
}

static __attribute__((noinline)) void open_end(struct weir_pgtable *pt, uint64_t own, uint64_t at,
					       struct weir_pgtable_gather *gather)
{
	uintptr_t flags;
	bool done = false;

	while (!done) {
		flags = weir_lock_irq(&pt->split_lock);
		done = open_step(pt, own, at, gather);
		weir_unlock_irq(&pt->split_lock, flags);
	}
}

/*
 * Down to the table in which the range begins to fan out, or is a whole entry; then unmap_range().
 */
static bool unmap_inside(struct weir_pgtable *pt, uint64_t iova, uint64_t size, bool opened,
			 struct weir_pgtable_gather *gather)
{
	uint64_t *table = pt->root, end = iova + size, entry;
	unsigned int depth = pt->depth;

	while (depth && !((iova ^ (end - 1)) >> shift_of(depth)) && size >> shift_of(depth) == 0) {
		entry = load(&table[index_of(pt, iova, depth)]);
		if (!is_table(entry, depth))
			break;
		table = table_of(pt, entry);
		depth--;
	}
	return unmap_range(pt, table, depth, iova, end, opened, gather);
}

/* Once the ends are open nothing is broken there any more, and what is not valid is a hole. */
static uint64_t core_unmap(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			   struct weir_pgtable_gather *gather)
{
	uint64_t before = gather->bytes;

	if (!is_inside(pt, iova, size))
		return 0;
	if (WEIR_UNLIKELY(!unmap_inside(pt, iova, size, false, gather))) {
		open_end(pt, iova, iova, gather);
		open_end(pt, iova + size - 1, iova + size, gather);
		unmap_inside(pt, iova, size, true, gather);
	}
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
	entry = table_entry(pt, page);
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

static inline unsigned int leaf_depths(const struct weir_pgtable *pt)
{
	return SHAPE.high ? pt->block_depths : SHAPE.block_depths;
}

/* The largest leaf that address, memory and size allow. */
static unsigned int best_depth(const struct weir_pgtable *pt, uint64_t addresses, uint64_t size)
{
	unsigned int depth, best = 0;

	for (depth = 1; depth <= pt->depth; depth++) {
		uint64_t span = span_of(depth);

		if (size < span || addresses & (span - 1))
			break;
		if (leaf_depths(pt) >> depth & 1)
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

static inline unsigned int left_from(const struct weir_pgtable *pt, unsigned int index,
				     unsigned int depth)
{
	/* The root ends where the addresses do. */
	uint64_t all = depth == pt->depth ? pt->limit >> shift_of(depth) : entries();

	return (unsigned int)all - index;
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
		slot = &table[iova >> shift & index_mask(pt, depth)];
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
	c->left = left_from(pt, (unsigned int)(slot - table), depth);
	return 0;
}

/* Relaxed: a leaf leads to no memory of the tables, and is whole in itself. */
static inline uint64_t read_leaf(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static inline void write_leaf(uint64_t *slot, uint64_t entry)
{
	__atomic_store_n(slot, entry, __ATOMIC_RELAXED);
}

/*
 * Write up to n leaves; stops at an entry that is taken. The owner of the range is alone here. Four
 * in one go: a test and a jump for each would be half of what a leaf costs.
 */
static inline unsigned int fill(uint64_t *slot, unsigned int n, uint64_t entry, uint64_t step)
{
	const uint64_t *start = slot, *end = slot + n;

	for (; end - slot >= 4; slot += 4, entry += 4 * step) {
		if (read_leaf(slot) | read_leaf(slot + 1) | read_leaf(slot + 2) |
		    read_leaf(slot + 3))
			break;
		write_leaf(slot, entry);
		write_leaf(slot + 1, entry + step);
		write_leaf(slot + 2, entry + 2 * step);
		write_leaf(slot + 3, entry + 3 * step);
	}
	for (; slot != end && !read_leaf(slot); slot++, entry += step)
		write_leaf(slot, entry);
	return (unsigned int)(slot - start);
}

static bool all_free(const uint64_t *slot, unsigned int n)
{
	while (n--)
		if (read_leaf(&slot[n]))
			return false;
	return true;
}

/*
 * Whole runs, with the hint: only where nothing stands in the way, since a run of which a part
 * leads elsewhere would translate that part wrongly (DDI 0487 D8.7.1). Until the last entry is
 * written a walker may take the run for whole: these addresses are nobody's yet but their owner's.
 */
static unsigned int fill_runs(uint64_t *slot, unsigned int n, uint64_t entry, unsigned int depth)
{
	unsigned int run = run_length(depth), done = 0, i;

	for (entry |= SHAPE.contiguous; n - done >= run && all_free(slot, run); done += run)
		for (i = 0; i < run; i++, entry += span_of(depth))
			write_leaf(slot++, entry);
	return done;
}

/*
 * fill() for a table that uses the hint; `apart` is iova ^ phys. Not inlined: a map without it
 * keeps its registers.
 */
static __attribute__((noinline)) unsigned int
fill_hinted(uint64_t *slot, unsigned int n, uint64_t entry, unsigned int depth, uint64_t apart)
{
	unsigned int run = run_length(depth), at = (unsigned int)(slot - run_of(slot, depth)), done;

	if (run > 1 && !(apart & (run_span(depth) - 1))) {
		done = at ? 0 : fill_runs(slot, n, entry, depth);
		if (done)
			return done;
		n = n < run - at ? n : run - at;
	}
	return fill(slot, n, entry, span_of(depth));
}

/* Where addresses have a gap at bit 48, the entries of one go may not carry across it. */
static inline unsigned int before_gap(uint64_t phys, unsigned int n, unsigned int shift)
{
	uint64_t left = (WEIR_BIT(48) - (phys & (WEIR_BIT(48) - 1))) >> shift;

	return SHAPE.high && n > left ? (unsigned int)left : n;
}

static int map_extent(struct cursor *c, uint64_t phys, uint64_t size, uint64_t leaf)
{
	struct weir_pgtable *pt = c->pt;

	while (size) {
		unsigned int shift, n, done;
		uint64_t entry;
		int ret;

		/* Among pages the rest of the table can only hold pages. */
		if (!c->left || c->depth) {
			ret = seek(c, best_depth(pt, c->iova | phys, size));
			if (ret)
				return ret;
		}
		shift = shift_of(c->depth);
		n = size >> shift < c->left ? (unsigned int)(size >> shift) : c->left;
		n = before_gap(phys, n, shift);
		entry = encode(phys) | leaf | leaf_type(c->depth);
		if (pt->contiguous)
			done = fill_hinted(c->slot, n, entry, c->depth, c->iova ^ phys);
		else
			done = fill(c->slot, n, entry, WEIR_BIT(shift));
		if (!done)
			return -WEIR_EEXIST;
		c->slot += done;
		c->left -= done;
		c->iova += (uint64_t)done << shift;
		phys += (uint64_t)done << shift;
		size -= (uint64_t)done << shift;
	}
	return 0;
}

static inline bool extent_fits(const struct weir_pgtable *pt, uint64_t iova, uint64_t phys,
			       uint64_t size)
{
	return !((iova | phys | size) & PAGE_MASK) && iova <= pt->limit &&
	       size <= pt->limit - iova && size <= pt->phys_limit && phys <= pt->phys_limit - size;
}

/*
 * The common case in a list: extents of a page each, in the table where the cursor is. What
 * extent_fits() says of iova holds in all of the table. Returns how many were mapped; the next is
 * for map_extent().
 */
static inline unsigned int map_pages(struct cursor *c, const struct weir_extent *extents,
				     unsigned int count, uint64_t leaf)
{
	uint64_t *slot = c->slot, not_phys = PAGE_MASK | ~(c->pt->phys_limit - 1);
	unsigned int n = count < c->left ? count : c->left, i;

	for (i = 0; i < n && !c->depth; i++) {
		uint64_t phys = (uint64_t)extents[i].phys;

		if (extents[i].size != PAGE_MASK + 1 || phys & not_phys ||
		    !fill(&slot[i], 1, encode(phys) | leaf, 0))
			break;
	}
	c->slot += i;
	c->left -= i;
	c->iova += (uint64_t)i << SHAPE.page_shift;
	return i;
}

/* At the root, with nothing left in it. */
static inline void start(struct cursor *c, struct weir_pgtable *pt, uint64_t iova)
{
	c->pt = pt;
	c->at = c->iova = iova;
	c->slot = c->written = NULL;
	c->left = 0;
	c->depth = pt->depth;
	c->tables[pt->depth] = pt->root;
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
	int ret = attributes(pt, prot, &leaf);

	start(&c, pt, iova);
	while (count && !ret) {
		unsigned int n = map_pages(&c, extents, count, leaf | leaf_type(0));

		extents += n;
		count -= n;
		if (!count)
			break;
		if (WEIR_LIKELY(extent_fits(pt, c.iova, (uint64_t)extents->phys, extents->size)))
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

/* Any list. Not inlined, like map_rest(): core_map() then has a frame of its own for neither. */
static __attribute__((noinline)) int map_list(struct weir_pgtable *pt, uint64_t iova,
					      const struct weir_extent *extents, unsigned int count,
					      unsigned int prot, struct weir_pgtable_gather *gather)
{
	uint64_t end;
	int ret = map_extents(pt, iova, extents, count, prot, &end);

	/* All of [iova, end) is what was just written: its ends are open. */
	if (WEIR_UNLIKELY(ret && end != iova))
		unmap_inside(pt, iova, end - iova, true, gather);
	return ret;
}

/* The entry for iova in its table whose entries span 2^want bytes; NULL: that is not there. */
static inline uint64_t *slot_in(const struct weir_pgtable *pt, uint64_t iova, unsigned int want)
{
	uint64_t *table = pt->root, mask = index_mask(pt, pt->depth), entry;
	unsigned int shift = shift_of(pt->depth);

	for (; shift != want; shift -= SHAPE.index_bits) {
		entry = load(&table[iova >> shift & mask]);
		if (WEIR_UNLIKELY((entry & SHAPE.type) != SHAPE.type_table))
			return NULL;
		table = table_of(pt, entry);
		mask = entries() - 1;
	}
	return &table[iova >> shift & mask];
}

/*
 * The common case: leaves of one depth in one table, which is there, with nothing to do but to
 * write them. Returns the bytes that it mapped; what is left is for map_list(), errors too.
 */
static inline uint64_t map_at_once(struct weir_pgtable *pt, uint64_t iova, uint64_t phys,
				   uint64_t size, unsigned int prot)
{
	uint64_t last = iova + size - 1, leaf = 0, *slot;
	unsigned int depth, shift;

	if (!pt->coherent || !size || !extent_fits(pt, iova, phys, size))
		return 0;
	depth = best_depth(pt, iova | phys, size);
	shift = shift_of(depth);
	if ((iova ^ last) >> shift >> SHAPE.index_bits ||
	    (SHAPE.high && (phys ^ (phys + size - 1)) >> 48) ||
	    (pt->contiguous && size >> shift >= run_length(depth)))
		return 0;
	slot = slot_in(pt, iova, shift);
	if (WEIR_UNLIKELY(!slot || attributes(pt, prot, &leaf)))
		return 0;
	leaf |= encode(phys) | leaf_type(depth);
	return (uint64_t)fill(slot, (unsigned int)(size >> shift), leaf, WEIR_BIT(shift)) << shift;
}

/* What map_at_once() left of an extent. */
static __attribute__((noinline)) int map_rest(struct weir_pgtable *pt, uint64_t iova,
					      const struct weir_extent *extent, uint64_t done,
					      unsigned int prot, struct weir_pgtable_gather *gather)
{
	struct weir_extent rest = { extent->phys + done, extent->size - done };
	int ret = map_list(pt, iova + done, &rest, 1, prot, gather);

	if (ret)
		unmap_inside(pt, iova, done, true, gather);
	return ret;
}

static int core_map(struct weir_pgtable *pt, uint64_t iova, const struct weir_extent *extents,
		    unsigned int count, unsigned int prot, struct weir_pgtable_gather *gather)
{
	uint64_t done, size;

	if (count != 1)
		return map_list(pt, iova, extents, count, prot, gather);
	size = extents->size;
	done = map_at_once(pt, iova, (uint64_t)extents->phys, size, prot);
	if (WEIR_UNLIKELY(!done))
		return map_list(pt, iova, extents, count, prot, gather);
	if (WEIR_UNLIKELY(done != size))
		return map_rest(pt, iova, extents, done, prot, gather);
	plat_dma_wmb();
	return 0;
}

/* ---- The rest -------------------------------------------------------------------------------- */

static int core_lookup(struct weir_pgtable *pt, uint64_t iova, weir_phys_t *phys,
		       unsigned int *leaf_depth)
{
	unsigned int depth;
	uint64_t *slot, entry, offset;

	if (iova >= pt->limit)
		return -WEIR_ENOENT;
	depth = descend(pt, iova, 0, &slot);
	entry = load(slot);
	if (!entry)
		return -WEIR_ENOENT;
	offset = span_of(depth) - 1;
	*phys = (weir_phys_t)((decode(entry) & ~offset) | (iova & offset));
	if (leaf_depth)
		*leaf_depth = depth;
	return 0;
}

/* A root that is one table comes from the cache, one of several in one piece from the platform. */
static uint64_t *alloc_root(struct weir_pgtable *pt, uint64_t size)
{
	unsigned int order = pt->cache->page_order;
	weir_phys_t phys;
	uint64_t *root;

	if (size <= PAGE_MASK + 1)
		return weir_pgtable_page_alloc(pt->cache);
	while (WEIR_PAGE_SIZE << order < size)
		order++;
	if (plat_pages_alloc(pt->plat, order, pt->cache->zone, WEIR_ALLOC_ATOMIC, &phys))
		return NULL;
	root = plat_phys_to_virt(pt->plat, phys);
	memset(root, 0, WEIR_PAGE_SIZE << order);
	pt->root_order = (uint8_t)order;
	__atomic_fetch_add(pt->cache->in_use, (int64_t)1 << order, __ATOMIC_RELAXED);
	return root;
}

static void free_root(struct weir_pgtable *pt)
{
	if (!pt->root_order) {
		weir_pgtable_page_free(pt->cache, pt->root);
		return;
	}
	__atomic_fetch_sub(pt->cache->in_use, (int64_t)1 << pt->root_order, __ATOMIC_RELAXED);
	plat_pages_free(pt->plat, weir_pgtable_root(pt), pt->root_order);
}

/* The level at which a walk starts (DDI 0487 D8.2): the lowest whose root reaches va_bits. */
static unsigned int root_depth(unsigned int va_bits)
{
	unsigned int depth = SHAPE.root_depth;

	while (va_bits > shift_of(depth + 1) + SHAPE.concat_bits)
		depth++;
	return depth;
}

static int core_init(struct weir_pgtable *pt, unsigned int va_bits, unsigned int pa_bits)
{
	unsigned int bits = SHAPE.high ? 52 : 48;
	uint64_t size;

	/* The largest T0SZ is 39 without small tables (DDI 0487 D8.2). */
	if (va_bits < 25 || va_bits > bits || (pt->tracks_dirty && !pt->coherent))
		return -WEIR_EINVAL;
	pa_bits = pa_bits < bits ? pa_bits : bits;
	pt->depth = (uint8_t)root_depth(va_bits);
	pt->root_order = 0;
	/* core-leaf.h says why. */
	pt->replaces_blocks = pt->replaces_blocks && pt->coherent;
	pt->limit = WEIR_BIT(va_bits);
	pt->phys_limit = WEIR_BIT(pa_bits);
	/* Blocks of 4 TiB are only there where addresses have 52 bits (DDI 0487 D8.3.1). */
	pt->block_depths = SHAPE.block_depths & (uint8_t)(SHAPE.high && pa_bits < 52 ? 3 : 7);
	pt->ready_mask = SHAPE.type | (pt->coherent ? 0 : SHAPE.cleaned);
	pt->ready_table = SHAPE.type_table | (pt->coherent ? 0 : SHAPE.cleaned);
	size = (pt->limit >> shift_of(pt->depth)) * sizeof(*pt->root);
	pt->root = alloc_root(pt, size);
	if (!pt->root)
		return -WEIR_ENOMEM;
	if (pt->coherent)
		plat_dma_wmb();
	else
		plat_cache_clean(pt->plat, pt->root, size);
	return 0;
}

static void core_fini(struct weir_pgtable *pt)
{
	struct weir_pgtable_gather gather = { 0 };

	unmap_inside(pt, 0, pt->limit, true, &gather);
	weir_pgtable_free_tables(pt, &gather);
	free_root(pt);
	pt->root = NULL;
}

#endif
