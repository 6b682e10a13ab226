/* SPDX-License-Identifier: MIT */
/* A byte for each page of RAM. Any context with WEIR_ALLOC_ATOMIC. */

#include "base/pagemap.h"

#define FANOUT (1u << WEIR_PAGEMAP_NODE_BITS)

void weir_pagemap_init(struct weir_pagemap *map, void *plat)
{
	unsigned int bits = WEIR_PAGEMAP_LEAF_SHIFT;

	memset(map, 0, sizeof(*map));
	map->plat = plat;
	map->end = plat_memory_end(plat);
	while (map->levels < WEIR_PAGEMAP_MAX_LEVELS && (map->end - 1) >> bits) {
		map->levels++;
		bits += WEIR_PAGEMAP_NODE_BITS;
	}
}

/* Index of `phys` in a node at `level`; leaves are below level 0. */
static unsigned int node_index(weir_phys_t phys, unsigned int level)
{
	return phys >> (WEIR_PAGEMAP_LEAF_SHIFT + level * WEIR_PAGEMAP_NODE_BITS) & (FANOUT - 1);
}

static unsigned int leaf_index(weir_phys_t phys)
{
	return phys >> WEIR_PAGE_SHIFT & (WEIR_PAGE_SIZE - 1);
}

/* What *slot points to; a zeroed page where it points nowhere yet. NULL: no memory. */
static void *get_or_make(struct weir_pagemap *map, void **slot, unsigned int flags)
{
	/* Acquire pairs with the exchange below: the page is seen zeroed. */
	void *page = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	void *found = NULL;
	weir_phys_t phys;

	if (page)
		return page;
	if (plat_pages_alloc(map->plat, 0, WEIR_ZONE_NORMAL, flags, &phys))
		return NULL;
	page = plat_phys_to_virt(map->plat, phys);
	memset(page, 0, WEIR_PAGE_SIZE);
	if (__atomic_compare_exchange_n(slot, &found, page, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return page;
	plat_pages_free(map->plat, phys, 0); /* another CPU was first */
	return found;
}

int weir_pagemap_set(struct weir_pagemap *map, weir_phys_t phys, uint8_t value, unsigned int flags)
{
	void **slot = &map->root;
	unsigned int level = map->levels;
	uint8_t *leaf;

	if (phys >= map->end)
		return -WEIR_EINVAL;
	while (level--) {
		void **node = get_or_make(map, slot, flags);

		if (!node)
			return -WEIR_ENOMEM;
		slot = &node[node_index(phys, level)];
	}
	leaf = get_or_make(map, slot, flags);
	if (!leaf)
		return -WEIR_ENOMEM;
	__atomic_store_n(&leaf[leaf_index(phys)], value, __ATOMIC_RELAXED);
	return 0;
}

uint8_t weir_pagemap_take(struct weir_pagemap *map, weir_phys_t phys)
{
	void *page = __atomic_load_n(&map->root, __ATOMIC_ACQUIRE);
	unsigned int level = map->levels;
	uint8_t *leaf;

	if (phys >= map->end)
		return 0;
	while (level-- && page)
		page = __atomic_load_n(&((void **)page)[node_index(phys, level)], __ATOMIC_ACQUIRE);
	if (!page)
		return 0;
	leaf = page;
	/* Relaxed: who frees has the pointer from who allocated, and that ordered the two. */
	return __atomic_exchange_n(&leaf[leaf_index(phys)], 0, __ATOMIC_RELAXED);
}

static void give_back(struct weir_pagemap *map, void *page)
{
	plat_pages_free(map->plat, plat_virt_to_phys(map->plat, page), 0);
}

/* Depth first, with a stack of its own: one place in a node for each level. */
void weir_pagemap_fini(struct weir_pagemap *map)
{
	void **node[WEIR_PAGEMAP_MAX_LEVELS];
	unsigned int index[WEIR_PAGEMAP_MAX_LEVELS];
	unsigned int depth = 0;

	if (!map->root)
		return;
	if (map->levels) {
		node[0] = map->root;
		index[0] = 0;
		depth = 1;
	}
	while (depth) {
		void *child;

		if (index[depth - 1] == FANOUT) {
			if (--depth)
				give_back(map, node[depth]);
			continue;
		}
		child = node[depth - 1][index[depth - 1]++];
		if (!child)
			continue;
		if (depth == map->levels) {
			give_back(map, child);
		} else {
			node[depth] = child;
			index[depth++] = 0;
		}
	}
	give_back(map, map->root);
	map->root = NULL;
}
