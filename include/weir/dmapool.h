/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DMAPOOL_H
#define WEIR_DMAPOOL_H

/* Pools of small coherent blocks, with Linux's names. weir/dma.h has the contracts. */

#include <weir/dma-mapping.h>

struct dma_pool; /* a struct weir_dma_pool */

static inline struct dma_pool *dma_pool_create(const char *name, struct device *dev, size_t size,
					       size_t align, size_t boundary)
{
	return (struct dma_pool *)weir_dma_pool_create(name, &dev->weir, size, align, boundary);
}
static inline void dma_pool_destroy(struct dma_pool *pool)
{
	if (pool)
		weir_dma_pool_destroy((struct weir_dma_pool *)pool);
}
static inline void *dma_pool_alloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *addr)
{
	return weir_dma_pool_alloc((struct weir_dma_pool *)pool, gfp & GFP_ATOMIC, gfp & __GFP_ZERO,
				   addr);
}
static inline void *dma_pool_zalloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *addr)
{
	return dma_pool_alloc(pool, gfp | __GFP_ZERO, addr);
}
static inline void dma_pool_free(struct dma_pool *pool, void *virt, dma_addr_t addr)
{
	weir_dma_pool_free((struct weir_dma_pool *)pool, virt, addr);
}

#endif
