/* SPDX-License-Identifier: MIT */
/* What is the same for tables of every format. */

#include "pgtable/pgtable.h"

void weir_pgtable_free_tables(struct weir_pgtable *pt, struct weir_pgtable_gather *gather)
{
	while (gather->tables) {
		uint64_t *page = gather->tables;

		gather->tables = (uint64_t *)(uintptr_t)*page;
		*page = 0;
		weir_pgtable_page_free(pt->cache, page);
	}
}

weir_phys_t weir_pgtable_root(const struct weir_pgtable *pt)
{
	return plat_virt_to_phys(pt->plat, pt->root);
}

unsigned int weir_pgtable_start_level(const struct weir_pgtable *pt)
{
	return 3u - pt->depth;
}

uint64_t weir_pgtable_page_sizes(const struct weir_pgtable *pt)
{
	const struct weir_pgtable_shape *shape = pt->format->shape;
	uint64_t sizes = 0;
	unsigned int depth;

	for (depth = 0; depth <= pt->depth; depth++)
		if (pt->block_depths >> depth & 1)
			sizes |= WEIR_BIT(shape->page_shift + depth * shape->index_bits);
	return sizes;
}
