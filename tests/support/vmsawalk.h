/* SPDX-License-Identifier: MIT */
#ifndef VMSAWALK_H
#define VMSAWALK_H

/*
 * A walk of VMSAv8-64 tables as DDI 0487 D8.2 and D8.3 describe it: numbers of their own, none of
 * the code under test. Memory is read through what the test gives.
 */

#include <stdbool.h>
#include <stdint.h>

#define VMSA_CONT ((uint64_t)1 << 52)
#define VMSA_DBM ((uint64_t)1 << 51)

struct vmsa_tables {
	unsigned int granule; /* 12, 14, 16 */
	bool stage2;
	unsigned int bits, level; /* of addresses; where a walk starts */
	uint64_t root;
	void *(*memory)(void *opaque, uint64_t phys);
	void *opaque;
};

struct vmsa_leaf {
	uint64_t *slot;
	uint64_t descriptor; /* 0: not valid */
	unsigned int level;
	uint64_t phys;	     /* of the address that was asked for */
	uint64_t first;	     /* address of the leaf, or of the run with the hint */
	uint64_t span;	     /* of the leaf, or of the run with the hint */
	unsigned int leaves; /* 1, or of that run */
};

static inline uint64_t vmsa_low(unsigned int bits)
{
	return ((uint64_t)1 << bits) - 1;
}

static inline unsigned int vmsa_shift(const struct vmsa_tables *t, unsigned int level)
{
	return t->granule + (3 - level) * (t->granule - 3);
}

/* D8.7.1. */
static inline unsigned int vmsa_run(const struct vmsa_tables *t, unsigned int level)
{
	if (t->granule == 12)
		return 16;
	if (t->granule == 14)
		return level == 3 ? 128 : 32;
	return 32;
}

static inline uint64_t vmsa_address(const struct vmsa_tables *t, uint64_t descriptor)
{
	uint64_t phys = descriptor & vmsa_low(48) & ~vmsa_low(t->granule);

	return t->granule == 16 ? phys | (descriptor >> 12 & 15) << 48 : phys;
}

static inline struct vmsa_leaf vmsa_walk(const struct vmsa_tables *t, uint64_t iova)
{
	struct vmsa_leaf leaf = { 0 };
	uint64_t table = t->root, index = iova >> vmsa_shift(t, t->level);

	for (leaf.level = t->level;; leaf.level++) {
		leaf.slot = (uint64_t *)t->memory(t->opaque, table) + index;
		leaf.descriptor = __atomic_load_n(leaf.slot, __ATOMIC_ACQUIRE);
		if (!(leaf.descriptor & 1)) {
			leaf.descriptor = 0;
			return leaf;
		}
		if (leaf.level == 3 || !(leaf.descriptor & 2))
			break;
		table = vmsa_address(t, leaf.descriptor);
		index = iova >> vmsa_shift(t, leaf.level + 1) & vmsa_low(t->granule - 3);
	}
	leaf.leaves = leaf.descriptor & VMSA_CONT ? vmsa_run(t, leaf.level) : 1;
	leaf.span = (uint64_t)1 << vmsa_shift(t, leaf.level);
	leaf.phys = vmsa_address(t, leaf.descriptor) + (iova & (leaf.span - 1));
	leaf.span *= leaf.leaves;
	leaf.first = iova & ~(leaf.span - 1);
	return leaf;
}

static inline bool vmsa_writable(const struct vmsa_tables *t, uint64_t descriptor)
{
	return !!(descriptor & 1 << 7) == t->stage2;
}

/* What hardware makes of a clean descriptor with DBM that is written through (D8.5.6). */
static inline uint64_t vmsa_dirtied(const struct vmsa_tables *t, uint64_t descriptor)
{
	uint64_t bit = 1 << 7;

	return t->stage2 ? descriptor | bit : descriptor & ~bit;
}

#endif
