/* SPDX-License-Identifier: MIT */

/*
 * Pools of small coherent blocks.
 *
 * A chunk is a page of coherent memory (or more, for large blocks), cut up. What is free is kept
 * outside of it, where the device cannot write: each block of a chunk brings a slot; a slot with a
 * free block in it is in the pool's free list, an empty one in the spare list. Allocating takes a
 * slot's block and leaves the slot to whoever frees next. Both take a handful of instructions.
 *
 * Locking: weir_dma_pool.lock, with interrupts off, for the lists and counts. Not held while a
 * chunk is allocated.
 */

#include "dma/dma.h"

#include "base/lock.h"

#define MIN_SIZE 4 /* as in Linux; fewer would be all slots */

struct slot {
	struct slot *next;
	void *virt; /* of a free block */
	weir_dma_t addr;
};

struct chunk {
	struct chunk *next;
	void *virt;
	weir_dma_t addr;
	unsigned int free; /* counted only when the pool is destroyed */
	struct slot slot[];
};

struct weir_dma_pool {
	struct weir_device *dev;
	struct weir_spinlock lock;
	struct slot *free, *spare;
	struct chunk *chunks;
	size_t size;	   /* of a block, with its alignment */
	size_t chunk_size; /* of pages */
	size_t boundary;
	unsigned int blocks; /* of a chunk */
	uint64_t in_use;
	char name[32];
};

static const struct weir_site pool_site = { __FILE__, "dma_pool", __LINE__ };

static bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

/*
 * Where block `i` begins, or the end of the chunk: blocks follow each other, but over no boundary.
 */
static size_t next_offset(const struct weir_dma_pool *pool, size_t offset)
{
	size_t end = offset + pool->size - 1;

	if (offset / pool->boundary != end / pool->boundary)
		return WEIR_ALIGN_UP(offset, pool->boundary);
	return offset;
}

static unsigned int count_blocks(const struct weir_dma_pool *pool)
{
	unsigned int count = 0;
	size_t offset = next_offset(pool, 0);

	for (; offset + pool->size <= pool->chunk_size; count++)
		offset = next_offset(pool, offset + pool->size);
	return count;
}

struct weir_dma_pool *weir_dma_pool_create(const char *name, struct weir_device *dev, size_t size,
					   size_t align, size_t boundary)
{
	const size_t max = WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER;
	struct weir_dma_pool *pool;

	align = align ? align : 1;
	if (!size || size > max || !is_power_of_two(align) || align > max)
		return NULL;
	size = WEIR_ALIGN_UP(size < MIN_SIZE ? MIN_SIZE : size, align);
	if (boundary && (!is_power_of_two(boundary) || boundary < size))
		return NULL;
	pool = weir_alloc(dev->weir, sizeof(*pool), 0);
	if (!pool)
		return NULL;
	pool->dev = dev;
	pool->size = size;
	pool->chunk_size = WEIR_PAGE_SIZE;
	while (pool->chunk_size < pool->size)
		pool->chunk_size *= 2;
	pool->boundary = boundary ? boundary : pool->chunk_size;
	pool->blocks = count_blocks(pool);
	weir_snprintf(pool->name, sizeof(pool->name), "%s", name ? name : "pool");
	return pool;
}

/* ---- Chunks ------------------------------------------------------------------------------- */

static struct chunk *chunk_new(struct weir_dma_pool *pool, unsigned int flags)
{
	struct weir *weir = pool->dev->weir;
	struct chunk *chunk;

	chunk = weir_alloc(weir, sizeof(*chunk) + pool->blocks * sizeof(chunk->slot[0]), flags);
	if (!chunk)
		return NULL;
	chunk->virt = weir_dma_alloc_coherent(pool->dev, pool->chunk_size, &chunk->addr, flags,
					      &pool_site);
	if (chunk->virt)
		return chunk;
	weir_free(weir, chunk);
	return NULL;
}

/* All its blocks become free. Under the lock. */
static void chunk_add_locked(struct weir_dma_pool *pool, struct chunk *chunk)
{
	size_t offset = next_offset(pool, 0);
	unsigned int i;

	for (i = 0; i < pool->blocks; i++) {
		chunk->slot[i] = (struct slot){ .next = pool->free,
						.virt = (char *)chunk->virt + offset,
						.addr = chunk->addr + offset };
		pool->free = &chunk->slot[i];
		offset = next_offset(pool, offset + pool->size);
	}
	chunk->next = pool->chunks;
	pool->chunks = chunk;
}

/* ---- Blocks ------------------------------------------------------------------------------- */

static void *take_locked(struct weir_dma_pool *pool, weir_dma_t *addr)
{
	struct slot *slot = pool->free;

	if (WEIR_UNLIKELY(!slot))
		return NULL;
	pool->free = slot->next;
	slot->next = pool->spare;
	pool->spare = slot;
	pool->in_use++;
	*addr = slot->addr;
	return slot->virt;
}

void *weir_dma_pool_alloc(struct weir_dma_pool *pool, unsigned int flags, bool zero,
			  weir_dma_t *addr)
{
	uintptr_t irq = weir_lock_irq(&pool->lock);
	void *virt = take_locked(pool, addr);
	struct chunk *chunk;

	weir_unlock_irq(&pool->lock, irq);
	if (WEIR_UNLIKELY(!virt)) {
		chunk = chunk_new(pool, flags);
		if (!chunk)
			return NULL;
		irq = weir_lock_irq(&pool->lock);
		chunk_add_locked(pool, chunk);
		virt = take_locked(pool, addr);
		weir_unlock_irq(&pool->lock, irq);
	}
	if (zero)
		memset(virt, 0, pool->size);
	return virt;
}

void weir_dma_pool_free(struct weir_dma_pool *pool, void *virt, weir_dma_t addr)
{
	uintptr_t irq = weir_lock_irq(&pool->lock);
	struct slot *slot = pool->spare;

	if (WEIR_LIKELY(slot)) {
		pool->spare = slot->next;
		*slot = (struct slot){ .next = pool->free, .virt = virt, .addr = addr };
		pool->free = slot;
		pool->in_use--;
	}
	weir_unlock_irq(&pool->lock, irq);
	if (WEIR_UNLIKELY(!slot))
		weir_dma_complain(pool->dev, &pool_site, 0,
				  "pool %s: more blocks freed than allocated", pool->name);
}

/* ---- The end ------------------------------------------------------------------------------ */

/* How many blocks of each chunk are free: a walk over all, for the end only. */
static void count_free(struct weir_dma_pool *pool)
{
	struct chunk *chunk;
	struct slot *slot;

	for (slot = pool->free; slot; slot = slot->next) {
		for (chunk = pool->chunks; chunk; chunk = chunk->next) {
			if (slot->addr - chunk->addr < pool->chunk_size)
				chunk->free++;
		}
	}
}

void weir_dma_pool_destroy(struct weir_dma_pool *pool)
{
	struct weir_device *dev = pool->dev;
	struct chunk *chunk;
	unsigned int kept = 0;

	if (pool->in_use)
		count_free(pool);
	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		/* What the device may still be using is not given to anybody else. */
		if (pool->in_use && chunk->free < pool->blocks)
			kept++;
		else
			weir_dma_free_coherent(dev, pool->chunk_size, chunk->virt, chunk->addr,
					       &pool_site);
		weir_free(dev->weir, chunk);
	}
	if (pool->in_use)
		weir_dev_log(dev, WEIR_LOG_ERR,
			     "pool %s: %llu blocks were never freed: %u x 0x%zx bytes stay mapped",
			     pool->name, (unsigned long long)pool->in_use, kept, pool->chunk_size);
	weir_free(dev->weir, pool);
}
