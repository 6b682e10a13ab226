/* SPDX-License-Identifier: MIT */

/* The bounds: -> bounds.h. A file of their own, so that no compiler sees both them and a caller. */

#include <string.h>

#include <weir/hw/smmuv3.h>

#include "bounds.h"

#define PAGE_SHIFT 12u
#define OFFSET WEIR_GENMASK(11, 0)
#define NOINLINE __attribute__((noinline))

void bound_lookup_fill(const struct lookup *lookup, uint64_t addr, uint32_t stream,
		       uint32_t substream, uint64_t frame)
{
	lookup->entries[addr >> PAGE_SHIFT & lookup->mask] = (struct lookup_entry){
		.page = addr >> PAGE_SHIFT,
		.stream = stream,
		.substream = substream,
		.frame = frame | BOUND_READ | BOUND_WRITE,
	};
}

NOINLINE bool bound_lookup(const struct lookup *lookup, uint64_t addr, uint32_t stream,
			   uint32_t substream, uint64_t rights, uint64_t *out)
{
	uint64_t page = addr >> PAGE_SHIFT;
	const struct lookup_entry *entry = &lookup->entries[page & lookup->mask];

	if (WEIR_UNLIKELY(entry->page != page || entry->stream != stream ||
			  entry->substream != substream || (rights & ~entry->frame)))
		return false;
	*out = (entry->frame & ~OFFSET) | (addr & OFFSET);
	return true;
}

static inline uint64_t load(const struct walk *walk, uint64_t addr)
{
	return *(const uint64_t *)(walk->memory + addr);
}

static inline uint64_t slot(uint64_t table, uint64_t addr, unsigned int shift)
{
	return table | (addr >> shift & 511) << 3;
}

/* A walk of which every address is the machine's. */
static inline bool descend(const struct walk *walk, uint64_t table, uint64_t addr, uint64_t *out)
{
#pragma GCC unroll 4
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t descriptor = load(walk, slot(table, addr, 39 - 9 * level));

		if (WEIR_UNLIKELY(!(descriptor & WEIR_VMSA_VALID)))
			return false;
		table = descriptor & WEIR_VMSA_ADDR;
	}
	*out = table | (addr & OFFSET);
	return true;
}

NOINLINE bool bound_walk(const struct walk *walk, uint64_t addr, uint64_t *out)
{
	return descend(walk, walk->stage1, addr, out);
}

NOINLINE bool bound_walk_nested(const struct walk *walk, uint64_t addr, uint64_t *out)
{
	uint64_t table = walk->stage1;

#pragma GCC unroll 4
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t descriptor, at;

		if (WEIR_UNLIKELY(
			    !descend(walk, walk->stage2, slot(table, addr, 39 - 9 * level), &at)))
			return false;
		descriptor = load(walk, at);
		if (WEIR_UNLIKELY(!(descriptor & WEIR_VMSA_VALID)))
			return false;
		table = descriptor & WEIR_VMSA_ADDR;
	}
	return descend(walk, walk->stage2, table | (addr & OFFSET), out);
}

/* ---- Of the stack ------------------------------------------------------------------------ */

static inline void lock(struct stack *stack)
{
	/* Acquire and release, between whoever uses the stack. */
	while (__atomic_exchange_n(&stack->lock, 1, __ATOMIC_ACQUIRE))
		;
}

static inline void unlock(struct stack *stack)
{
	__atomic_store_n(&stack->lock, 0, __ATOMIC_RELEASE);
}

NOINLINE uint64_t bound_pop(struct stack *stack)
{
	uint64_t frame;

	lock(stack);
	frame = stack->frames[--stack->count];
	unlock(stack);
	return frame;
}

NOINLINE void bound_push(struct stack *stack, uint64_t frame)
{
	lock(stack);
	stack->frames[stack->count++] = frame;
	unlock(stack);
}

NOINLINE void bound_fill(uint64_t *entries, uint64_t n, uint64_t first, uint64_t step)
{
	for (uint64_t i = 0; i < n; i++)
		entries[i] = first + i * step;
}

NOINLINE void bound_zero(void *memory, uint64_t size)
{
	memset(memory, 0, size);
}

NOINLINE uint64_t bound_pair(struct pair *pair, uint64_t n)
{
	uint64_t first = __atomic_fetch_add(&pair->taken, n, __ATOMIC_ACQ_REL);

	return first + __atomic_exchange_n(&pair->rung, 0, __ATOMIC_ACQ_REL);
}
