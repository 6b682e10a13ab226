/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_HEAP_H
#define WEIR_BASE_HEAP_H

/*
 * The heap behind weir_alloc(), on top of plat_pages_alloc().
 *
 * Up to 1 KiB: blocks of 16, 32, ... 1024 bytes, in slabs of one page. The slab's header stands at
 * the start of its page, in place of the first blocks; so a block is aligned to its size, its
 * header is found from its address, and no block is ever page-aligned.
 * Above: whole pages of the platform, page-aligned; the order is kept in a page map.
 *
 * Locking: a lock for each size, with interrupts off; never held across a call to the platform.
 * Freeing and allocating of pages takes no lock of the heap.
 */

#include <weir/sys.h>

#include "base/list.h"
#include "base/pagemap.h"

#define WEIR_HEAP_MIN_SHIFT 4
#define WEIR_HEAP_MAX_SHIFT 10
#define WEIR_HEAP_CLASSES (WEIR_HEAP_MAX_SHIFT - WEIR_HEAP_MIN_SHIFT + 1)

struct weir_heap_class {
	struct weir_spinlock lock;
	struct weir_list partial; /* slabs with a free block; full ones are in no list */
	unsigned int empty;	  /* those of them with no block in use: at most one is kept */
};

struct weir_heap {
	void *plat;
	bool whole_pages; /* no slabs: weir_options.heap_whole_pages */
	uint64_t in_use; /* bytes, rounded up to blocks and pages; atomic */
	struct weir_heap_class classes[WEIR_HEAP_CLASSES];
	struct weir_pagemap orders; /* order + 1 at the first page of each allocation of pages */
};

/* Takes no memory; the heap must not move afterwards. */
void weir_heap_init(struct weir_heap *heap, void *plat, bool whole_pages);
/*
 * Gives the platform back what the heap keeps. Returns weir_heap_in_use() of it: bytes that were
 * leaked, whose pages stay allocated (the log says so).
 */
uint64_t weir_heap_fini(struct weir_heap *heap);

/* weir_alloc() and weir_free() of a heap without a machine around it. */
void *weir_heap_alloc(struct weir_heap *heap, size_t size, unsigned int flags);
void weir_heap_free(struct weir_heap *heap, void *ptr);

#endif
