/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BOUNDS_H
#define BENCH_BOUNDS_H

/*
 * What the same costs at least: the same answers, found by code that knows one format, trusts its
 * tables and serves nobody else. Called, not inlined, as what is measured is.
 */

#include <stdbool.h>
#include <stdint.h>

#define BOUND_READ 1u
#define BOUND_WRITE 2u

/* ---- Of a translation -------------------------------------------------------------------- */

/* A direct-mapped cache of translations. */
struct lookup_entry {
	uint64_t page;
	uint32_t stream, substream;
	uint64_t frame; /* address of the page; BOUND_READ, BOUND_WRITE in the low bits */
	uint64_t unused;
};

struct lookup {
	struct lookup_entry *entries;
	uint64_t mask; /* entries, a power of two, less 1 */
};

/* Tables of four levels, 4 KiB each, as VMSAv8-64 has them. */
struct walk {
	uintptr_t memory; /* of the process, where address 0 of the machine would be */
	uint64_t stage1; /* the first table; with stage 2 an intermediate address, like all in it */
	uint64_t stage2;
};

void bound_lookup_fill(const struct lookup *lookup, uint64_t addr, uint32_t stream,
		       uint32_t substream, uint64_t frame);

/* Of all of these, false: there is no such page, or it may not be used so. */
bool bound_lookup(const struct lookup *lookup, uint64_t addr, uint32_t stream, uint32_t substream,
		  uint64_t rights, uint64_t *out);
/* Four loads, each of which says where the next one is. */
bool bound_walk(const struct walk *walk, uint64_t addr, uint64_t *out);
/* Twenty-four: where each of the four is takes a walk of stage 2, and so does the result. */
bool bound_walk_nested(const struct walk *walk, uint64_t addr, uint64_t *out);

/* ---- Of the stack ------------------------------------------------------------------------ */

/* Addresses in an array, the newest taken first; a lock, and nothing else. */
struct stack {
	uint32_t lock;
	uint64_t count;
	uint64_t *frames;
};

uint64_t bound_pop(struct stack *stack);
void bound_push(struct stack *stack, uint64_t frame);

/* n entries, each `step` above the one before: what tables hold. */
void bound_fill(uint64_t *entries, uint64_t n, uint64_t first, uint64_t step);
void bound_zero(void *memory, uint64_t size);

/* What CPUs share, at the least: one takes numbers from it, and rings. */
struct pair {
	uint64_t taken __attribute__((aligned(64)));
	uint64_t rung __attribute__((aligned(64)));
};

uint64_t bound_pair(struct pair *pair, uint64_t n);

#endif
