/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DMA_H
#define WEIR_DMA_H

/*
 * The DMA mapping API under weir's own names, for hosts. Drivers use weir/dma-mapping.h,
 * weir/scatterlist.h and weir/dmapool.h, which spell these as Linux does; the contracts are here.
 *
 * A mapping belongs to the device from map to unmap: the CPU does not touch the buffer, but between
 * weir_dma_sync_*_for_cpu() and _for_device(). Sizes are in bytes. `site` names the caller in
 * reports (WEIR_HERE). Map, unmap and sync may be called in any context.
 */

#include <weir/weir.h>

WEIR_BEGIN_DECLS

/** Directions, with Linux's values. */
enum weir_dma_dir {
	WEIR_DMA_BIDIRECTIONAL = 0,
	WEIR_DMA_TO_DEVICE = 1,	  /**< the device reads */
	WEIR_DMA_FROM_DEVICE = 2, /**< the device writes */
	WEIR_DMA_NONE = 3,
};

/* Attributes, with Linux's values. Others are refused (-WEIR_EINVAL, or an error address). */
#define WEIR_DMA_ATTR_SKIP_CPU_SYNC (1ul << 5)
#define WEIR_DMA_ATTR_NO_WARN (1ul << 8)

/** One piece of a list: memory in, address out. Same layout as Linux's struct scatterlist. */
struct weir_sg {
	unsigned long page_link; /* page handle | WEIR_SG_CHAIN | WEIR_SG_END */
	unsigned int offset;
	unsigned int length;
	weir_dma_t dma_address;
	unsigned int dma_length;
};
#define WEIR_SG_CHAIN 0x1ul
#define WEIR_SG_END 0x2ul

/*
 * The handle of a page frame: what a `struct page *` of the driver headers is. Handles are 64 apart
 * so that pointer arithmetic on them works, never dereferenced, never NULL.
 */
static inline uintptr_t weir_page_handle(weir_phys_t phys)
{
	return (uintptr_t)((phys >> WEIR_PAGE_SHIFT) + 1) << 6;
}
static inline weir_phys_t weir_page_phys(uintptr_t handle)
{
	return (weir_phys_t)((handle >> 6) - 1) << WEIR_PAGE_SHIFT;
}
/** The entry after `sg`, following a chain; NULL after the last. */
struct weir_sg *weir_sg_next(struct weir_sg *sg);
static inline weir_phys_t weir_sg_phys(const struct weir_sg *sg)
{
	return weir_page_phys(sg->page_link & ~(uintptr_t)(WEIR_SG_CHAIN | WEIR_SG_END)) +
	       sg->offset;
}

/* ---- Masks and limits ------------------------------------------------------------------- */

/**
 * The addresses that the device can drive. -WEIR_EIO: nothing can be served under it (the log says
 * what would be needed). -WEIR_EBUSY: in passthrough it would move the device to translation while
 * mappings live. Context: TASK.
 */
int weir_dma_set_mask(struct weir_device *dev, uint64_t mask);
int weir_dma_set_coherent_mask(struct weir_device *dev, uint64_t mask);
/**
 * The mask that reaches all memory of the machine; 32 bits are enough where IOVAs are given out.
 */
uint64_t weir_dma_required_mask(struct weir_device *dev);
/** Some memory is out of the device's reach without translation. */
bool weir_dma_addressing_limited(struct weir_device *dev);
/** Largest single mapping; the one that is cheapest to make. */
size_t weir_dma_max_mapping_size(struct weir_device *dev);
size_t weir_dma_opt_mapping_size(struct weir_device *dev);
/** Pieces that begin and end on this boundary (mask) are merged by map_sg; 0: none are. */
unsigned long weir_dma_merge_boundary(struct weir_device *dev);
/**
 * Limits of one segment that map_sg may make. -WEIR_EINVAL: size 0; mask not 2^n - 1, or below a
 * page.
 */
int weir_dma_set_max_segment_size(struct weir_device *dev, unsigned int size);
int weir_dma_set_segment_boundary(struct weir_device *dev, uint64_t mask);
/** sync_* does nothing for this device and need not be called. */
bool weir_dma_is_coherent(const struct weir_device *dev);

/* ---- Streaming -------------------------------------------------------------------------- */

/** WEIR_DMA_ERROR if there is no room, no memory, or an argument is wrong. */
weir_dma_t weir_dma_map_phys(struct weir_device *dev, weir_phys_t phys, size_t size,
			     enum weir_dma_dir dir, unsigned long attrs,
			     const struct weir_site *site);
/** `virt` is in the direct map. */
weir_dma_t weir_dma_map_single(struct weir_device *dev, const void *virt, size_t size,
			       enum weir_dma_dir dir, unsigned long attrs,
			       const struct weir_site *site);
/**
 * Same address, size, direction as mapped. In strict mode the device is locked out when it returns.
 */
void weir_dma_unmap(struct weir_device *dev, weir_dma_t addr, size_t size, enum weir_dma_dir dir,
		    unsigned long attrs, const struct weir_site *site);
static inline bool weir_dma_is_error(weir_dma_t addr)
{
	return addr == WEIR_DMA_ERROR;
}

/**
 * Map a list of `nents` entries; entries may be merged into fewer segments. Returns the segments in
 * use, from the first entry on (dma_address, dma_length). -WEIR_EINVAL: the list; -WEIR_ENOMEM: may
 * work later; -WEIR_EIO: never will. After an error nothing is mapped.
 */
int weir_dma_map_sg(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
		    enum weir_dma_dir dir, unsigned long attrs, const struct weir_site *site);
/** `nents` as given to map. */
void weir_dma_unmap_sg(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
		       enum weir_dma_dir dir, unsigned long attrs, const struct weir_site *site);

void weir_dma_sync_for_cpu(struct weir_device *dev, weir_dma_t addr, size_t size,
			   enum weir_dma_dir dir);
void weir_dma_sync_for_device(struct weir_device *dev, weir_dma_t addr, size_t size,
			      enum weir_dma_dir dir);
void weir_dma_sync_sg_for_cpu(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
			      enum weir_dma_dir dir);
void weir_dma_sync_sg_for_device(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
				 enum weir_dma_dir dir);

/* ---- Coherent memory and pools ---------------------------------------------------------- */

/**
 * Zeroed memory that CPU and device may both touch at any time; page-aligned for both, size rounded
 * up to pages (at most 4 MiB, contiguous); the device's address within the coherent mask. NULL:
 * none, or the device does not snoop. flags: WEIR_ALLOC_ATOMIC.
 */
void *weir_dma_alloc_coherent(struct weir_device *dev, size_t size, weir_dma_t *addr,
			      unsigned int flags, const struct weir_site *site);
/** Context: TASK or ATOMIC with interrupts on. */
void weir_dma_free_coherent(struct weir_device *dev, size_t size, void *virt, weir_dma_t addr,
			    const struct weir_site *site);

/**
 * A pool of small coherent blocks of one size. `align`: power of two or 0; `boundary`: power of two
 * that no block crosses, or 0. NULL: arguments or memory. Context: TASK.
 */
struct weir_dma_pool;
struct weir_dma_pool *weir_dma_pool_create(const char *name, struct weir_device *dev, size_t size,
					   size_t align, size_t boundary);
/** All blocks were freed; those that were not are reported in the log. Context: TASK. */
void weir_dma_pool_destroy(struct weir_dma_pool *pool);
/** Contents undefined unless `zero`. NULL: no memory. */
void *weir_dma_pool_alloc(struct weir_dma_pool *pool, unsigned int flags, bool zero,
			  weir_dma_t *addr);
void weir_dma_pool_free(struct weir_dma_pool *pool, void *virt, weir_dma_t addr);

WEIR_END_DECLS

#endif
