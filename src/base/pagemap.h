/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_PAGEMAP_H
#define WEIR_BASE_PAGEMAP_H

/*
 * A byte for each page of RAM, in a tree: leaves of one page (16 MiB of RAM each) below nodes of
 * 512 pointers, as many levels as the end of RAM asks for. Nodes appear when a byte below them is
 * set, and stay until weir_pagemap_fini(). No locks: pointers are set once, bytes are exchanged.
 */

#include <weir/platform.h>

#define WEIR_PAGEMAP_LEAF_SHIFT (WEIR_PAGE_SHIFT + 12)
#define WEIR_PAGEMAP_NODE_BITS 9
#define WEIR_PAGEMAP_MAX_LEVELS                                                                    \
	5 /* levels of nodes: 24 + 5 * 9 bits are more than an address has */

struct weir_pagemap {
	void *plat;
	weir_phys_t end;
	unsigned int levels; /* of nodes above the leaves */
	void *root;	     /* a node, or the one leaf; NULL until the first byte is set */
};

void weir_pagemap_init(struct weir_pagemap *map, void *plat);
void weir_pagemap_fini(struct weir_pagemap *map);

/* -WEIR_ENOMEM; -WEIR_EINVAL: beyond the end of RAM. flags: WEIR_ALLOC_ATOMIC. */
int weir_pagemap_set(struct weir_pagemap *map, weir_phys_t phys, uint8_t value, unsigned int flags);
/* Gives the page's byte and leaves 0; 0 where none was set. */
uint8_t weir_pagemap_take(struct weir_pagemap *map, weir_phys_t phys);

#endif
