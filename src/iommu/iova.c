/* SPDX-License-Identifier: MIT */

/* Magazines, limits and reserved ranges in front of the buddy radix: iova.h explains them. */

#include "iommu/iova.h"

#include "base/lock.h"

/*
 * Tried first: it keeps page tables few and dense, and devices that mishandle long addresses well.
 */
#define LOW_LIMIT (((uint64_t)1 << (32 - WEIR_PAGE_SHIFT)) - 1)

/* Smallest power of two pages that holds `size` bytes. */
static unsigned int order_of(size_t size)
{
	uint64_t beyond = (size - 1) >> WEIR_PAGE_SHIFT; /* pages, the first one left out */

	return 63 - (unsigned int)__builtin_clzll(beyond << 1 | 1);
}

/* ---- Magazines --------------------------------------------------------------------------- */

static unsigned int magazine_size(unsigned int order)
{
	return order < WEIR_IOVA_LARGE_ORDER ? WEIR_IOVA_MAGAZINE : WEIR_IOVA_LARGE_MAGAZINE;
}

static unsigned int depot_max(unsigned int order)
{
	return order < WEIR_IOVA_LARGE_ORDER ? WEIR_IOVA_DEPOT_MAX : WEIR_IOVA_LARGE_DEPOT_MAX;
}

/*
 * A block that ends at `limit` or below; the newest one most often. Looks through the whole
 * magazine for a device that reaches less than those which filled it.
 */
static bool stack_pop(struct weir_iova_stack *stack, unsigned int order, uint64_t limit,
		      uint64_t *frame)
{
	uint64_t highest = limit - (WEIR_BIT(order) - 1), *frames;
	uint32_t i;

	if (limit < WEIR_BIT(order) - 1)
		return false;
	for (i = stack->count; i > 0; i--) {
		frames = stack->mag->frame;
		if (frames[i - 1] > highest)
			continue;
		*frame = frames[i - 1];
		frames[i - 1] = frames[--stack->count];
		return true;
	}
	return false;
}

/* Everything in it back to the tree; iova->lock is held. */
static void stack_empty_locked(struct weir_iova *iova, struct weir_iova_stack *stack,
			       unsigned int order)
{
	uint64_t *frames;

	if (!stack->count)
		return;
	frames = stack->mag->frame;
	weir_iova_tree_prefetch(&iova->tree, frames, stack->count, order);
	while (stack->count)
		(void)weir_iova_tree_free(&iova->tree, frames[--stack->count], order);
}

static void depot_put_empty(struct weir_iova_depot *depot, struct weir_iova_magazine *mag)
{
	mag->next = depot->empty;
	depot->empty = mag;
}

/* A full magazine for an empty one; false: there is none. iova->lock is held. */
static bool depot_swap_full(struct weir_iova_depot *depot, struct weir_iova_stack *empty)
{
	struct weir_iova_magazine *full = depot->full;

	if (!full)
		return false;
	depot->full = full->next;
	depot->nr_full--;
	depot_put_empty(depot, empty->mag);
	empty->mag = full;
	empty->count = empty->size;
	return true;
}

/*
 * An empty magazine for a full one; at worst the same, emptied into the tree. iova->lock is held.
 */
static void depot_swap_empty(struct weir_iova *iova, unsigned int order,
			     struct weir_iova_stack *full)
{
	struct weir_iova_depot *depot = &iova->depot[order];
	struct weir_iova_magazine *empty = depot->empty;

	if (!empty || depot->nr_full >= depot_max(order)) {
		stack_empty_locked(iova, full, order);
		return;
	}
	depot->empty = empty->next;
	full->mag->next = depot->full;
	depot->full = full->mag;
	depot->nr_full++;
	full->mag = empty;
	full->count = 0;
}

static void swap_stacks(struct weir_iova_cpu *cpu, unsigned int order)
{
	struct weir_iova_stack loaded = cpu->loaded[order];

	cpu->loaded[order] = cpu->previous[order];
	cpu->previous[order] = loaded;
}

/* Nothing fits in the loaded one: the previous, then the depot. cpu->lock is held. */
static bool cpu_get_slow(struct weir_iova *iova, struct weir_iova_cpu *cpu, unsigned int order,
			 uint64_t limit, uint64_t *frame)
{
	bool found;

	if (stack_pop(&cpu->previous[order], order, limit, frame)) {
		swap_stacks(cpu, order);
		return true;
	}
	if (cpu->previous[order].count)
		return false; /* what there is lies above the limit */
	plat_spin_lock(&iova->lock);
	found = depot_swap_full(&iova->depot[order], &cpu->previous[order]);
	plat_spin_unlock(&iova->lock);
	if (!found)
		return false;
	swap_stacks(cpu, order);
	return stack_pop(&cpu->loaded[order], order, limit, frame);
}

/*
 * Hot: 46 instructions for an allocation and 38 for a free where the loaded magazine serves
 * it, the lock among them (gcc 12 -O3, x86-64); what else there is to do stands in functions of its
 * own, so that nothing is saved on the stack for it. Whether the block fits is a jump: whoever
 * locks next waits for all that was stored, and the count then does not wait for the frame.
 */
static inline bool cache_get_fast(struct weir_iova *iova, unsigned int order, uint64_t limit,
				  uint64_t *frame)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&cpu->lock);
	struct weir_iova_stack *loaded = &cpu->loaded[order];
	uint32_t count = loaded->count;

	if (WEIR_LIKELY(count)) {
		*frame = loaded->mag->frame[count - 1];
		if (WEIR_LIKELY(*frame + (WEIR_BIT(order) - 1) <= limit)) {
			loaded->count = count - 1;
			weir_unlock_irq(&cpu->lock, flags);
			return true;
		}
	}
	weir_unlock_irq(&cpu->lock, flags);
	return false;
}

static bool cache_get(struct weir_iova *iova, unsigned int order, uint64_t limit, uint64_t *frame)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&cpu->lock);
	bool found = false;

	if (WEIR_LIKELY(cpu->loaded[order].mag))
		found = stack_pop(&cpu->loaded[order], order, limit, frame) ||
			cpu_get_slow(iova, cpu, order, limit, frame);
	weir_unlock_irq(&cpu->lock, flags);
	return found;
}

static inline bool cache_put_fast(struct weir_iova *iova, unsigned int order, uint64_t frame)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&cpu->lock);
	struct weir_iova_stack *loaded = &cpu->loaded[order];
	bool fits = loaded->count < loaded->size;

	if (WEIR_LIKELY(fits))
		loaded->mag->frame[loaded->count++] = frame;
	weir_unlock_irq(&cpu->lock, flags);
	return fits;
}

/* false: this CPU has no magazines of that order. */
static bool cache_put(struct weir_iova *iova, unsigned int order, uint64_t frame)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&cpu->lock);
	struct weir_iova_stack *loaded = &cpu->loaded[order], *previous = &cpu->previous[order];

	if (WEIR_UNLIKELY(!loaded->mag)) {
		weir_unlock_irq(&cpu->lock, flags);
		return false;
	}
	if (loaded->count == loaded->size) {
		if (previous->count == previous->size) {
			plat_spin_lock(&iova->lock);
			depot_swap_empty(iova, order, previous);
			plat_spin_unlock(&iova->lock);
		}
		swap_stacks(cpu, order);
	}
	loaded->mag->frame[loaded->count++] = frame;
	weir_unlock_irq(&cpu->lock, flags);
	return true;
}

/*
 * Magazines for this CPU and a spare one for the depot: made by whoever allocates from the tree, as
 * freeing must not need memory. Without them all still works.
 */
static void cache_grow(struct weir_iova *iova, unsigned int order)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	struct weir_iova_depot *depot = &iova->depot[order];
	struct weir_iova_magazine *mag[3];
	uint32_t size = magazine_size(order);
	uintptr_t flags;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(mag); i++)
		mag[i] = weir_alloc(iova->weir, sizeof(*mag[i]), WEIR_ALLOC_ATOMIC);
	flags = weir_lock_irq(&cpu->lock);
	plat_spin_lock(&iova->lock);
	if (mag[0] && mag[1] && !cpu->loaded[order].mag) {
		cpu->loaded[order] = (struct weir_iova_stack){ mag[0], 0, size };
		cpu->previous[order] = (struct weir_iova_stack){ mag[1], 0, size };
		mag[0] = mag[1] = NULL;
	}
	if (mag[2] && !depot->empty) {
		depot_put_empty(depot, mag[2]);
		mag[2] = NULL;
	}
	plat_spin_unlock(&iova->lock);
	weir_unlock_irq(&cpu->lock, flags);
	for (i = 0; i < WEIR_ARRAY_SIZE(mag); i++)
		weir_free(iova->weir, mag[i]);
}

static bool cache_wants(struct weir_iova *iova, unsigned int order)
{
	struct weir_iova_cpu *cpu = &iova->cpu[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&cpu->lock);
	bool wants = !cpu->loaded[order].mag;

	plat_spin_lock(&iova->lock);
	wants = wants || !iova->depot[order].empty;
	plat_spin_unlock(&iova->lock);
	weir_unlock_irq(&cpu->lock, flags);
	return wants;
}

/* All that waits in magazines back to the tree. */
static void cache_flush(struct weir_iova *iova)
{
	struct weir_iova_stack stack;
	unsigned int i, order;
	uintptr_t flags;

	for (i = 0; i < iova->weir->cpus; i++) {
		struct weir_iova_cpu *cpu = &iova->cpu[i];

		flags = weir_lock_irq(&cpu->lock);
		plat_spin_lock(&iova->lock);
		for (order = 0; order < WEIR_IOVA_CACHED_ORDERS; order++) {
			stack_empty_locked(iova, &cpu->loaded[order], order);
			stack_empty_locked(iova, &cpu->previous[order], order);
		}
		plat_spin_unlock(&iova->lock);
		weir_unlock_irq(&cpu->lock, flags);
	}
	flags = weir_lock_irq(&iova->lock);
	for (order = 0; order < WEIR_IOVA_CACHED_ORDERS; order++) {
		struct weir_iova_depot *depot = &iova->depot[order];

		while ((stack.mag = depot->full)) {
			depot->full = stack.mag->next;
			depot->nr_full--;
			stack.count = stack.size = magazine_size(order);
			stack_empty_locked(iova, &stack, order);
			depot_put_empty(depot, stack.mag);
		}
	}
	weir_unlock_irq(&iova->lock, flags);
}

static void cache_free(struct weir_iova *iova)
{
	struct weir_iova_magazine *mag;
	unsigned int i, order;

	for (order = 0; order < WEIR_IOVA_CACHED_ORDERS; order++) {
		for (i = 0; i < iova->weir->cpus; i++) {
			weir_free(iova->weir, iova->cpu[i].loaded[order].mag);
			weir_free(iova->weir, iova->cpu[i].previous[order].mag);
		}
		while ((mag = iova->depot[order].empty)) {
			iova->depot[order].empty = mag->next;
			weir_free(iova->weir, mag);
		}
	}
}

/* ---- Reserved ranges --------------------------------------------------------------------- */

/* Is the frame in a range of the list? If so *last becomes that range's end, else the gap's. */
static bool is_reserved(const struct weir_iova_reserved *list, uint64_t frame, uint64_t *last)
{
	for (; list; list = list->next) {
		if (frame >= list->first && frame <= list->last) {
			*last = list->last;
			return true;
		}
		if (list->first > frame && list->first <= *last)
			*last = list->first - 1;
	}
	return false;
}

/* The next part of [*first, last] that is in no range, from *first to *end. */
static bool next_gap(const struct weir_iova *iova, uint64_t *first, uint64_t last, uint64_t *end)
{
	while (*first <= last) {
		*end = last;
		if (!is_reserved(iova->reserved, *first, end))
			return true;
		*first = *end + 1;
	}
	return false;
}

/* The largest block of the tree that begins at `first` and ends at `last` or below. */
static unsigned int largest_block(const struct weir_iova *iova, uint64_t first, uint64_t last)
{
	unsigned int order = weir_iova_tree_max_order(&iova->tree);

	while (!WEIR_IS_ALIGNED(first, WEIR_BIT(order)) || WEIR_BIT(order) - 1 > last - first)
		order--;
	return order;
}

/* Undo take_locked() up to `end`: the same blocks, as it stops between two. */
static void untake_locked(struct weir_iova *iova, uint64_t first, uint64_t end)
{
	uint64_t gap_end;
	unsigned int order;

	while (first < end && next_gap(iova, &first, end - 1, &gap_end)) {
		for (; first <= gap_end; first += WEIR_BIT(order)) {
			order = largest_block(iova, first, gap_end);
			(void)weir_iova_tree_free(&iova->tree, first, order);
		}
	}
}

/* Take all frames of a range that no earlier range has. */
static int take_locked(struct weir_iova *iova, uint64_t first, uint64_t last)
{
	uint64_t at = first, end;
	unsigned int order;
	int ret;

	while (next_gap(iova, &at, last, &end)) {
		for (; at <= end; at += WEIR_BIT(order)) {
			order = largest_block(iova, at, end);
			ret = weir_iova_tree_take(&iova->tree, at, order);
			if (ret) {
				untake_locked(iova, first, at);
				return ret;
			}
		}
	}
	return 0;
}

int weir_iova_reserve(struct weir_iova *iova, weir_dma_t start, uint64_t size)
{
	uint64_t first = start >> WEIR_PAGE_SHIFT, last;
	struct weir_iova_reserved *range;
	uint64_t used;
	uintptr_t flags;
	int ret;

	if (!size || first > iova->last)
		return 0;
	last = size - 1 > ~(uint64_t)0 - start ? iova->last : (start + size - 1) >> WEIR_PAGE_SHIFT;
	range = weir_alloc(iova->weir, sizeof(*range), 0);
	if (!range)
		return -WEIR_ENOMEM;
	range->first = first;
	range->last = last < iova->last ? last : iova->last;

	cache_flush(iova);
	flags = weir_lock_irq(&iova->lock);
	used = iova->tree.used;
	ret = take_locked(iova, range->first, range->last);
	if (!ret) {
		iova->reserved_frames += iova->tree.used - used;
		range->next = iova->reserved;
		iova->reserved = range;
	}
	weir_unlock_irq(&iova->lock, flags);
	if (ret)
		weir_free(iova->weir, range);
	return ret;
}

/* ---- Allocate and free ------------------------------------------------------------------- */

static int tree_alloc(struct weir_iova *iova, unsigned int order, uint64_t limit, uint64_t *frame)
{
	uintptr_t flags = weir_lock_irq(&iova->lock);
	int ret = -WEIR_ENOSPC;

	if (limit > LOW_LIMIT)
		ret = weir_iova_tree_alloc(&iova->tree, order, LOW_LIMIT, frame);
	if (ret == -WEIR_ENOSPC)
		ret = weir_iova_tree_alloc(&iova->tree, order, limit, frame);
	weir_unlock_irq(&iova->lock, flags);
	return ret;
}

static __attribute__((noinline)) weir_dma_t alloc_slow(struct weir_iova *iova, unsigned int order,
						       uint64_t limit)
{
	uint64_t frame;
	int ret;

	if (order < WEIR_IOVA_CACHED_ORDERS) {
		if (cache_get(iova, order, limit, &frame))
			return frame << WEIR_PAGE_SHIFT;
		if (cache_wants(iova, order))
			cache_grow(iova, order);
	}
	ret = tree_alloc(iova, order, limit, &frame);
	if (ret == -WEIR_ENOSPC) {
		/* What is missing may wait in some CPU's magazines, or be cut up by what does. */
		cache_flush(iova);
		ret = tree_alloc(iova, order, limit, &frame);
	}
	return ret ? WEIR_DMA_ERROR : frame << WEIR_PAGE_SHIFT;
}

weir_dma_t weir_iova_alloc(struct weir_iova *iova, size_t size, weir_dma_t limit)
{
	unsigned int order = order_of(size);
	/* A page that the limit cuts is no good. No limit at all wraps round, to every frame. */
	uint64_t last = ((limit + 1) >> WEIR_PAGE_SHIFT) - 1, frame;

	if (WEIR_UNLIKELY(limit < WEIR_PAGE_SIZE - 1))
		return WEIR_DMA_ERROR;
	last = last < iova->last ? last : iova->last;
	if (order < WEIR_IOVA_CACHED_ORDERS &&
	    WEIR_LIKELY(cache_get_fast(iova, order, last, &frame)))
		return frame << WEIR_PAGE_SHIFT;
	return alloc_slow(iova, order, last);
}

static __attribute__((noinline)) bool free_slow(struct weir_iova *iova, unsigned int order,
						uint64_t frame)
{
	uintptr_t flags;
	bool ok;

	if (order < WEIR_IOVA_CACHED_ORDERS && cache_put(iova, order, frame))
		return true;
	flags = weir_lock_irq(&iova->lock);
	ok = weir_iova_tree_free(&iova->tree, frame, order);
	weir_unlock_irq(&iova->lock, flags);
	return ok;
}

bool weir_iova_free(struct weir_iova *iova, weir_dma_t addr, size_t size)
{
	unsigned int order = order_of(size);
	uint64_t frame = addr >> WEIR_PAGE_SHIFT;

	if (WEIR_UNLIKELY(frame > iova->last || !WEIR_IS_ALIGNED(frame, WEIR_BIT(order))))
		return false;
	if (order < WEIR_IOVA_CACHED_ORDERS && WEIR_LIKELY(cache_put_fast(iova, order, frame)))
		return true;
	return free_slow(iova, order, frame);
}

/* ---- Life -------------------------------------------------------------------------------- */

struct weir_iova *weir_iova_create(struct weir *weir, weir_dma_t first, weir_dma_t last)
{
	struct weir_iova *iova = weir_alloc(weir, sizeof(*iova), 0);

	if (!iova)
		return NULL;
	iova->weir = weir;
	iova->last = ((last + 1) >> WEIR_PAGE_SHIFT) - 1;
	if (last == ~(weir_dma_t)0)
		iova->last = last >> WEIR_PAGE_SHIFT;
	iova->cpu = weir_alloc(weir, sizeof(*iova->cpu) * weir->cpus, 0);
	if (!iova->cpu || weir_iova_tree_init(&iova->tree, weir, iova->last))
		goto err_free;
	if (weir_iova_reserve(iova, 0, first > WEIR_PAGE_SIZE ? first : WEIR_PAGE_SIZE))
		goto err_tree;
	return iova;

err_tree:
	weir_iova_tree_fini(&iova->tree);
err_free:
	weir_free(weir, iova->cpu);
	weir_free(weir, iova);
	return NULL;
}

uint64_t weir_iova_destroy(struct weir_iova *iova)
{
	struct weir_iova_reserved *range;
	uint64_t in_use;

	cache_flush(iova);
	cache_free(iova);
	while ((range = iova->reserved)) {
		iova->reserved = range->next;
		weir_free(iova->weir, range);
	}
	in_use = iova->tree.used - iova->reserved_frames;
	weir_iova_tree_fini(&iova->tree);
	weir_free(iova->weir, iova->cpu);
	weir_free(iova->weir, iova);
	return in_use;
}
