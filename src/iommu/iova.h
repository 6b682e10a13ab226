/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_IOVA_H
#define WEIR_IOMMU_IOVA_H

/*
 * Who gets which I/O virtual addresses.
 *
 * Below: a buddy radix (iova-tree.c). The page frames are a tree of fixed depth whose nodes have 64
 * children, at the bottom words with a bit for each free page. A node knows for each order in which
 * of its children a free block of that order is: a bit map for each order. Sizes are rounded up to
 * powers of two and naturally aligned. An allocation looks at one word a level on its way down and
 * takes the highest block that fits, whatever the number of live ranges is. Only allocating takes
 * memory for nodes; a node that becomes wholly free is given back.
 *
 * In front of it (iova.c): for each CPU and each small order two magazines of blocks that were
 * freed, and a depot of full ones that CPUs exchange (Bonwick and Adams, 2001). In the steady
 * state an allocation and a free touch nothing that another CPU does.
 *
 * Locking: weir_iova_cpu.lock for the CPU's magazines, with interrupts off, so that a caller that
 * migrates is only slower; inside it weir_iova.lock for the tree, the depot and the reserved
 * ranges.
 */

#include <weir/platform.h>

#include "base/machine.h"

/* Orders that magazines hold: up to 2 MiB. */
#define WEIR_IOVA_CACHED_ORDERS 10u
#define WEIR_IOVA_MAGAZINE 63u /* blocks; the struct is then 512 bytes */
/* Above 128 KiB magazines are filled less: addresses below 4 GiB are scarce. */
#define WEIR_IOVA_LARGE_ORDER 6u
#define WEIR_IOVA_LARGE_MAGAZINE 8u
/* Full magazines of an order in the depot; what is beyond goes to the tree. */
#define WEIR_IOVA_DEPOT_MAX 32u
#define WEIR_IOVA_LARGE_DEPOT_MAX 2u

/* ---- The tree; no locks ------------------------------------------------------------------ */

#define WEIR_IOVA_MAX_LEVELS 8u /* words, and nodes above them: 48 bits of page frames */

struct weir_iova_node;

struct weir_iova_tree {
	struct weir *weir;
	struct weir_iova_node *root;
	unsigned int top; /* level of the root; level 1 is above the words */
	uint64_t nodes;	  /* the root among them */
	uint64_t used;	  /* frames that are not free */
};

/* All frames up to `last` are free. -WEIR_ENOMEM; -WEIR_EINVAL: more than the levels span. */
int weir_iova_tree_init(struct weir_iova_tree *tree, struct weir *weir, uint64_t last);
void weir_iova_tree_fini(struct weir_iova_tree *tree);
/* Half of what the root spans: nobody gets all of it. */
unsigned int weir_iova_tree_max_order(const struct weir_iova_tree *tree);
/*
 * The highest free block of 2^order frames that ends at `limit` or below. -WEIR_ENOSPC,
 * -WEIR_ENOMEM.
 */
int weir_iova_tree_alloc(struct weir_iova_tree *tree, unsigned int order, uint64_t limit,
			 uint64_t *frame);
/* This block. -WEIR_EBUSY: not wholly free. -WEIR_EINVAL: too large. -WEIR_ENOMEM. */
int weir_iova_tree_take(struct weir_iova_tree *tree, uint64_t frame, unsigned int order);
/*
 * false: part of the block was free already, or it is the inside of a larger one; nothing changed.
 * Of orders of the same six (0 to 5, 6 to 11, ...) the inside of a larger block is not noticed.
 */
bool weir_iova_tree_free(struct weir_iova_tree *tree, uint64_t frame, unsigned int order);
/* These blocks will be freed soon: have what that touches fetched, of all of them at once. */
void weir_iova_tree_prefetch(const struct weir_iova_tree *tree, const uint64_t *frames,
			     uint64_t count, unsigned int order);

/* ---- The allocator ----------------------------------------------------------------------- */

struct weir_iova_magazine {
	struct weir_iova_magazine *next; /* in the depot */
	uint64_t frame[WEIR_IOVA_MAGAZINE];
};

/*
 * A magazine in use. All zero, so both empty and full, until this CPU first allocates that order.
 * Beside the pointer, the counts are read while the magazine is still on its way.
 */
struct weir_iova_stack {
	struct weir_iova_magazine *mag;
	uint32_t count, size; /* of mag->frame: held, and how many may be */
};

struct weir_iova_cpu {
	struct weir_spinlock lock;
	struct weir_iova_stack loaded[WEIR_IOVA_CACHED_ORDERS];
	struct weir_iova_stack previous[WEIR_IOVA_CACHED_ORDERS];
} __attribute__((aligned(128)));

struct weir_iova_depot {
	struct weir_iova_magazine *full, *empty;
	unsigned int nr_full;
};

struct weir_iova_reserved {
	struct weir_iova_reserved *next;
	uint64_t first, last; /* frames */
};

struct weir_iova {
	struct weir *weir;
	struct weir_iova_cpu *cpu;
	uint64_t last; /* highest frame */
	struct weir_spinlock lock;
	struct weir_iova_tree tree;
	struct weir_iova_depot depot[WEIR_IOVA_CACHED_ORDERS];
	struct weir_iova_reserved *reserved;
	uint64_t reserved_frames;
};

/* For the addresses [first, last]; page 0 is never given out. NULL: no memory. TASK. */
struct weir_iova *weir_iova_create(struct weir *weir, weir_dma_t first, weir_dma_t last);
/* Returns the pages that were not freed (reserved ones do not count). TASK. */
uint64_t weir_iova_destroy(struct weir_iova *iova);
/*
 * Keep the pages that the range touches from being given out; what is reserved already, or beyond
 * the last address, is fine. -WEIR_EBUSY: part of it is in use. -WEIR_ENOMEM. On an error nothing
 * is reserved. TASK.
 */
int weir_iova_reserve(struct weir_iova *iova, weir_dma_t start, uint64_t size);
/*
 * Pages for `size` bytes, wholly at or below `limit`. WEIR_DMA_ERROR: none, or no memory. Any
 * context.
 */
weir_dma_t weir_iova_alloc(struct weir_iova *iova, size_t size, weir_dma_t limit);
/*
 * Same address and size as allocated. false: that cannot have been (nothing changed; not every
 * mistake is seen). Any context.
 */
bool weir_iova_free(struct weir_iova *iova, weir_dma_t addr, size_t size);

#endif
