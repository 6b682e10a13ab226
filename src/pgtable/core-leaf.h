/* SPDX-License-Identifier: MIT */
/*
 * The walker core's changes of valid leaves: contiguous runs, blocks that are split and merged,
 * dirty bits. Included by core.h; data structures and locking: pgtable.h.
 *
 * What may change without break before make (IHI 0070 3.21.1.1, DDI 0487 D8.16):
 * - not valid to valid, and valid to not valid;
 * - permissions, and with them clean to dirty and back: no item of that list;
 * - with BBM level 2 (replaces_blocks) the size of a leaf, and with level 1 or 2 the contiguous
 *   hint alone (3.21.1.2, 3.21.1.3). Level 1 would need nT for blocks; it is treated as level 0.
 *   Not with a walker that does not snoop: another CPU could act on a new entry, and invalidate,
 *   before the old one has left memory. What was broken has.
 *
 * Anything else is broken first: all entries that a cached translation may stem from become
 * invalid, the range is invalidated, the new entries are written.
 *
 * Dirty bits that hardware may be setting (DDI 0487 D8.5.6, IHI 0070 3.13.3): it does so by
 * compare-exchange on the entry that it used, so a leaf that was taken or exchanged cannot be
 * marked any more, and the value that came out says all that was marked before. Of a run it marks
 * any one entry, and may then cache the run as dirty: a run is dirty if an entry of it is.
 */

#ifndef WEIR_PGTABLE_CORE_LEAF_H
#define WEIR_PGTABLE_CORE_LEAF_H

#include "pgtable/core-base.h"

/* ---- One leaf -------------------------------------------------------------------------------- */

enum mark { KEEP, CLEAN, DIRTY };

static inline bool is_dirty(uint64_t entry)
{
	return (entry & SHAPE.modifiable) && (entry & SHAPE.dirty_mask) == SHAPE.dirty;
}

/* Only what may be written to at all is marked: without DBM the same bit would give access. */
static inline uint64_t marked(uint64_t entry, enum mark mark)
{
	if (mark == KEEP || !(entry & SHAPE.modifiable))
		return entry;
	return (entry & ~SHAPE.dirty_mask) |
	       (mark == DIRTY ? SHAPE.dirty : SHAPE.dirty ^ SHAPE.dirty_mask);
}

/* What two leaves of a block or run must have in common, but for their addresses. */
static inline uint64_t common_bits(uint64_t entry)
{
	return ~(SHAPE.contiguous | (entry & SHAPE.modifiable ? SHAPE.dirty_mask : 0));
}

/*
 * Change a leaf that hardware may be marking meanwhile; one that is not valid stays so. Returns
 * what it was. Release: pairs with load() in is_tied().
 */
static uint64_t change(uint64_t *slot, uint64_t off, uint64_t on, enum mark mark)
{
	uint64_t entry = load(slot), wanted;

	do {
		wanted = (marked(entry, mark) & ~off) | on;
		if (!entry || wanted == entry)
			break;
	} while (!__atomic_compare_exchange_n(slot, &entry, wanted, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return entry;
}

static bool any_dirty(const uint64_t *slot, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (is_dirty(__atomic_load_n(&slot[i], __ATOMIC_RELAXED)))
			return true;
	return false;
}

/* n leaves, the first aligned as all of them together, that say one thing. */
static bool are_alike(const uint64_t *slot, unsigned int n, unsigned int depth)
{
	uint64_t first = load(slot), mask = common_bits(first);
	unsigned int i;

	if ((first & SHAPE.type) != leaf_type(depth) || decode(first) & (n * span_of(depth) - 1))
		return false;
	for (i = 1; i < n; i++)
		if ((load(&slot[i]) ^ (first + i * span_of(depth))) & mask)
			return false;
	return true;
}

/*
 * ---- Contiguous runs (DDI 0487 D8.7.1): the hint is in all of a run's entries, or in none ------
 */

static inline unsigned int run_length(unsigned int depth)
{
	return 1u << SHAPE.cont_bits[depth];
}

static inline uint64_t run_span(unsigned int depth)
{
	return span_of(depth) << SHAPE.cont_bits[depth];
}

/* Tables are aligned to more than a run. */
static inline uint64_t *run_of(const uint64_t *slot, unsigned int depth)
{
	uintptr_t mask = run_length(depth) * sizeof(*slot) - 1;

	return (uint64_t *)((uintptr_t)slot & ~mask);
}

/* The hint goes from the last entry at the end, by when all of the run is as dirty as it was. */
static void untie_live(uint64_t *run, unsigned int depth)
{
	unsigned int last = run_length(depth) - 1, i;
	bool dirty = false;
	uint64_t entry;

	for (i = 0; i < last; i++)
		dirty |= is_dirty(change(&run[i], SHAPE.contiguous, 0, KEEP));
	entry = load(&run[last]);
	do {
		dirty |= is_dirty(entry);
		for (i = 0; i < last && dirty; i++)
			change(&run[i], 0, 0, DIRTY);
		/* Release: pairs with load() in is_tied(). It fails if hardware has just marked. */
	} while (!__atomic_compare_exchange_n(
		&run[last], &entry, marked(entry, dirty ? DIRTY : KEEP) & ~SHAPE.contiguous, false,
		__ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
}

/* Break before make. In order of addresses: is_tied() relies on it. */
static void remake_run(struct weir_pgtable *pt, uint64_t *run, unsigned int depth, uint64_t iova,
		       uint64_t hint)
{
	unsigned int n = run_length(depth), i;
	uint64_t span = run_span(depth), first = 0, entry;
	bool dirty = false;

	for (i = 0; i < n; i++) {
		entry = __atomic_exchange_n(&run[i], 0, __ATOMIC_RELAXED);
		dirty |= is_dirty(entry);
		first = i ? first : entry;
	}
	clean(pt, run, n);
	pt->invalidate(pt, iova & ~(span - 1), span);
	first = (marked(first, dirty ? DIRTY : KEEP) & ~SHAPE.contiguous) | hint;
	for (i = 0; i < n; i++)
		__atomic_store_n(&run[i], first + i * span_of(depth), __ATOMIC_RELEASE);
	clean(pt, run, n);
}

/* Take the hint from a run. Under split_lock. */
static void untie(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
		  struct weir_pgtable_gather *gather)
{
	uint64_t *run = run_of(slot, depth);

	gather->leaf_depths |= 1u << depth;
	if (pt->replaces_blocks)
		untie_live(run, depth);
	else
		remake_run(pt, run, depth, iova, 0);
}

/*
 * May the run of which `slot` is the last entry that the caller has a right to have the hint, or be
 * without it only because another CPU is at work on it? Once not, it never is until all of it was
 * unmapped. Where the run is changed in place its last entry loses the hint last; where it is
 * broken, an entry that is there without the hint was remade after all below it.
 */
static inline bool is_tied(const struct weir_pgtable *pt, const uint64_t *slot, unsigned int depth)
{
	uint64_t entry;

	if (pt->replaces_blocks)
		return load(&run_of(slot, depth)[run_length(depth) - 1]) & SHAPE.contiguous;
	entry = load(slot);
	return !entry || entry & SHAPE.contiguous;
}

/* ---- Splitting ------------------------------------------------------------------------------- */

/* The same as the block `entry`, in leaves of the next depth. The page is not linked yet. */
static void fill_split(struct weir_pgtable *pt, uint64_t *page, uint64_t entry, unsigned int depth)
{
	unsigned int i;

	entry = (entry & ~SHAPE.type) | leaf_type(depth);
	for (i = 0; i < entries(); i++)
		__atomic_store_n(&page[i], entry + i * span_of(depth), __ATOMIC_RELAXED);
	publish_page(pt, page);
}

/*
 * Put the page in the place of a block. It is filled anew if hardware has marked the block
 * meanwhile.
 */
static void link_split(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
		       uint64_t *page, struct weir_pgtable_gather *gather)
{
	uint64_t table = table_entry(pt, page);
	uint64_t entry = load(slot), was, span = span_of(depth);

	fill_split(pt, page, entry, depth - 1);
	if (pt->replaces_blocks) {
		/*
		 * IHI 0070 3.21.1.3. The block may be cached until the caller has invalidated.
		 * Release: pairs with load(); the page was filled before.
		 */
		while (!__atomic_compare_exchange_n(slot, &entry, table, false, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED))
			fill_split(pt, page, entry, depth - 1);
		gather->leaf_depths |= 1u << depth;
	} else {
		/* Break before make: IHI 0070 3.21.1.1, DDI 0487 D8.16. */
		was = __atomic_exchange_n(slot, 0, __ATOMIC_RELAXED);
		clean(pt, slot, 1);
		pt->invalidate(pt, iova & ~(span - 1), span);
		if (was != entry)
			fill_split(pt, page, was, depth - 1);
		/* Release: as above. */
		__atomic_store_n(slot, table, __ATOMIC_RELEASE);
	}
	if (!pt->coherent) {
		clean(pt, slot, 1);
		/* As in link_table(): only now is it the truth. */
		__atomic_store_n(slot, table | SHAPE.cleaned, __ATOMIC_RELEASE);
	}
}

/* false: no memory. Under split_lock; the block is in no run with the hint. */
static bool split_leaf(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
		       struct weir_pgtable_gather *gather)
{
	uint64_t *page = weir_pgtable_page_alloc(pt->cache);

	if (page)
		link_split(pt, slot, depth, iova, page, gather);
	return page;
}

/* As far as one step goes. -WEIR_EAGAIN: there is more to do at iova. */
static int split_step(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth, uint64_t iova,
		      unsigned int want, struct weir_pgtable_gather *gather)
{
	uint64_t entry = load(slot);

	/* Above `want` there is nothing where the root is. */
	if (!entry || is_table(entry, depth) || depth < want)
		return 0;
	if (entry & SHAPE.contiguous)
		untie(pt, slot, depth, iova, gather);
	if (depth == want)
		return 0;
	return split_leaf(pt, slot, depth, iova, gather) ? -WEIR_EAGAIN : -WEIR_ENOMEM;
}

static int core_split(struct weir_pgtable *pt, uint64_t iova, uint64_t size, unsigned int want,
		      struct weir_pgtable_gather *gather)
{
	uint64_t *slot, end = iova + size;
	unsigned int depth;
	uintptr_t flags;
	int ret;

	if (!is_inside(pt, iova, size))
		return -WEIR_EINVAL;
	while (iova < end) {
		depth = descend(pt, iova, want, &slot);
		flags = weir_lock_irq(&pt->split_lock);
		ret = split_step(pt, slot, depth, iova, want, gather);
		weir_unlock_irq(&pt->split_lock, flags);
		if (ret == -WEIR_ENOMEM)
			return ret;
		if (!ret)
			iova = (iova | (span_of(depth) - 1)) + 1;
	}
	return 0;
}

/* ---- Merging --------------------------------------------------------------------------------- */

/*
 * The table at `slot` says what a block can: the block takes its place. The table is cleared only
 * when no walker can have its address any more, and only then has hardware marked the last of its
 * entries. Not under split_lock: nobody else is in the range.
 */
static unsigned int merge_table(struct weir_pgtable *pt, uint64_t *slot, unsigned int depth,
				uint64_t iova, struct weir_pgtable_gather *gather)
{
	uint64_t *table = table_of(pt, load(slot)), block;
	unsigned int i;

	if (!are_alike(table, entries(), depth - 1))
		return 0;
	block = (load(table) & ~(SHAPE.type | SHAPE.contiguous)) | SHAPE.type_block;
	block = marked(block, any_dirty(table, entries()) ? DIRTY : KEEP);
	/* With BBM level 2 in one step (IHI 0070 3.21.1.3), else broken first (3.21.1.1). */
	__atomic_store_n(slot, pt->replaces_blocks ? block : 0, __ATOMIC_RELAXED);
	clean(pt, slot, 1);
	pt->invalidate(pt, iova, span_of(depth));
	if (any_dirty(table, entries()))
		block = marked(block, DIRTY);
	if (!pt->replaces_blocks)
		__atomic_store_n(slot, block, __ATOMIC_RELAXED);
	else if (is_dirty(block))
		change(slot, 0, 0, DIRTY);
	clean(pt, slot, 1);
	for (i = 0; i < entries(); i++)
		__atomic_store_n(&table[i], 0, __ATOMIC_RELAXED);
	collect(gather, table);
	gather->leaf_depths |= 1u << depth | 1u << (depth - 1);
	return 1;
}

static unsigned int merge_tables(struct weir_pgtable *pt, unsigned int depth, uint64_t iova,
				 uint64_t end, struct weir_pgtable_gather *gather)
{
	unsigned int at, merged = 0;
	uint64_t *slot;

	iova = WEIR_ALIGN_UP(iova, span_of(depth));
	while (iova < end && end - iova >= span_of(depth)) {
		at = descend(pt, iova, depth, &slot);
		if (at == depth && is_table(load(slot), depth))
			merged += merge_table(pt, slot, depth, iova, gather);
		iova = (iova | (span_of(at) - 1)) + 1;
	}
	return merged;
}

/* Give runs the hint; their entries need not be equally clean. */
static void tie(struct weir_pgtable *pt, uint64_t *run, unsigned int depth, uint64_t iova)
{
	unsigned int i;

	if (!pt->replaces_blocks) {
		remake_run(pt, run, depth, iova, SHAPE.contiguous);
		return;
	}
	for (i = 0; i < run_length(depth); i++)
		change(&run[i], 0, SHAPE.contiguous, KEEP);
}

static void tie_runs(struct weir_pgtable *pt, unsigned int depth, uint64_t iova, uint64_t end,
		     struct weir_pgtable_gather *gather)
{
	uint64_t *slot, step;
	unsigned int at;

	iova = WEIR_ALIGN_UP(iova, run_span(depth));
	for (; iova < end && end - iova >= run_span(depth); iova = (iova | (step - 1)) + 1) {
		at = descend(pt, iova, depth, &slot);
		step = at == depth ? run_span(depth) : span_of(at);
		if (at != depth || load(slot) & SHAPE.contiguous ||
		    !are_alike(slot, run_length(depth), depth))
			continue;
		tie(pt, slot, depth, iova);
		gather->leaf_depths |= 1u << depth;
	}
}

static unsigned int core_merge(struct weir_pgtable *pt, uint64_t iova, uint64_t size,
			       struct weir_pgtable_gather *gather)
{
	unsigned int depth, merged = 0;

	if (!is_inside(pt, iova, size))
		return 0;
	for (depth = 1; depth <= pt->depth; depth++)
		if (pt->block_depths >> depth & 1)
			merged += merge_tables(pt, depth, iova, iova + size, gather);
	for (depth = 0; pt->contiguous && depth <= pt->depth; depth++)
		if (SHAPE.cont_bits[depth])
			tie_runs(pt, depth, iova, iova + size, gather);
	return merged;
}

/* ---- Dirty bits ------------------------------------------------------------------------------ */

static bool take_dirty(uint64_t *slot, unsigned int n, bool clear)
{
	bool dirty = false;
	unsigned int i;

	for (i = 0; i < n; i++)
		dirty |= is_dirty(clear ? change(&slot[i], 0, 0, CLEAN) : load(&slot[i]));
	return dirty;
}

/* What dirty() is about. */
struct sweep {
	uint64_t at, end;
	bool clear;
	weir_pgtable_dirty_fn *fn;
	void *arg;
	struct weir_pgtable_gather *gather;
};

/* The leaves from `slot` on, for s->at, as far as this table and the range go. */
static uint64_t sweep_table(struct sweep *s, uint64_t *slot, unsigned int depth)
{
	uint64_t entry, span, bytes = 0;
	unsigned int n;

	do {
		entry = load(slot);
		if (is_table(entry, depth))
			break;
		n = entry & SHAPE.contiguous ? run_length(depth) : 1;
		span = n * span_of(depth);
		slot = n > 1 ? run_of(slot, depth) : slot;
		if (entry && take_dirty(slot, n, s->clear)) {
			bytes += span;
			s->gather->leaf_depths |= s->clear ? 1u << depth : 0;
			if (s->fn)
				s->fn(s->arg, s->at & ~(span - 1), span);
		}
		slot += n;
		s->at = (s->at | (span - 1)) + 1;
	} while (s->at < s->end && s->at & (span_of(depth + 1) - 1));
	return bytes;
}

/*
 * No break before make: a leaf that becomes clean only loses a permission. What is cached of it may
 * be written through until the owner has invalidated.
 */
static uint64_t core_dirty(struct weir_pgtable *pt, uint64_t iova, uint64_t size, bool clear,
			   weir_pgtable_dirty_fn *fn, void *arg, struct weir_pgtable_gather *gather)
{
	struct sweep s = { iova, iova + size, clear, fn, arg, gather };
	uint64_t *slot, bytes = 0;
	unsigned int depth;

	if (!is_inside(pt, iova, size))
		return 0;
	while (s.at < s.end) {
		depth = descend(pt, s.at, 0, &slot);
		bytes += sweep_table(&s, slot, depth);
	}
	return bytes;
}

#endif
