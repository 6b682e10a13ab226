/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DMA_INTERNAL_H
#define WEIR_DMA_INTERNAL_H

/*
 * What the files of this folder share: the parts of a map and an unmap.
 *
 * A mapping's life, in this order: counted in dev->live_maps, then a look whether the device may
 * map at all (weir_dma_begin()), an IOVA, the page table, the history; back: the page table and the
 * invalidation, the history, the IOVA, the count. No lock of this folder is taken on the way; those
 * of the CPU's magazines and of the pools are the only ones. iommu/iommu.h says why the count
 * comes before the look.
 *
 * Two backings: dev->dma is a domain with IOVAs, or NULL, and then the device's addresses are the
 * physical ones.
 */

#include <weir/dma.h>

#include "base/machine.h"
#include "iommu/driver.h"

#define WEIR_DMA_ATTRS (WEIR_DMA_ATTR_SKIP_CPU_SYNC | WEIR_DMA_ATTR_NO_WARN)

/* ---- What a device reaches ---------------------------------------------------------------- */

/* Highest address that the device reaches, for streaming mappings. */
static inline uint64_t weir_dma_limit(const struct weir_device *dev)
{
	/* Relaxed: weir_dma_set_mask() may run meanwhile. */
	uint64_t mask = __atomic_load_n(&dev->dma_mask, __ATOMIC_RELAXED);

	return mask < dev->bus_limit ? mask : dev->bus_limit;
}

/* Does the device reach [phys, phys + size), size not 0? */
static inline bool weir_dma_reaches(uint64_t limit, weir_phys_t phys, size_t size)
{
	return phys <= limit && size - 1 <= limit - phys;
}

/* ---- Lists -------------------------------------------------------------------------------- */

/* The entry after this one, of which `left` are to come, this one included. Looks no further. */
static inline struct weir_sg *weir_dma_sg_step(struct weir_sg *sg, unsigned int left)
{
	return left > 1 ? weir_sg_next(sg) : NULL;
}

/* ---- mapping.c ---------------------------------------------------------------------------- */

/* One line about a call that failed, within limits; with WEIR_DMA_ATTR_NO_WARN none. */
void weir_dma_complain(struct weir_device *dev, const struct weir_site *site, unsigned long attrs,
		       const char *format, ...) WEIR_PRINTF(4, 5);

/* A mapping begins: false: the device must not map (blocked, removed). Ended by weir_dma_end(). */
bool weir_dma_begin(struct weir_device *dev);
static inline void weir_dma_end(struct weir_device *dev)
{
	/* Release: the unmap before it is done; pairs with the load in the group's quiesce(). */
	__atomic_fetch_sub(&dev->live_maps, 1, __ATOMIC_RELEASE);
}

/* What the device may do with it. */
unsigned int weir_dma_prot(const struct weir_device *dev, enum weir_dma_dir dir);

/*
 * Pages of one piece of memory: an IOVA at or below `limit`, mapped and in the history.
 * WEIR_DMA_ERROR: no room, or the driver of the IOMMU refused.
 */
weir_dma_t weir_dma_map_pages(struct weir_device *dev, struct weir_domain *domain, weir_phys_t phys,
			      size_t size, uint64_t limit, unsigned int prot,
			      const struct weir_site *site);
/*
 * Back; whole pages. `mapped`: the bytes of it that were mapped (a list may leave gaps). false:
 * that was no mapping (the log says so); its addresses are not used again.
 */
bool weir_dma_unmap_pages(struct weir_device *dev, struct weir_domain *domain, weir_dma_t addr,
			  size_t size, size_t mapped, const struct weir_site *site);

/* The same where there is no IOMMU: false: nothing is mapped at all. */
bool weir_dma_unmap_direct(struct weir_device *dev, const struct weir_site *site);

/* ---- sync.c: caches of the CPUs, for devices that do not snoop ---------------------------- */

/* Before the device's turn, and after it. */
void weir_dma_cache_to_device(struct weir_device *dev, weir_phys_t phys, size_t size);
void weir_dma_cache_to_cpu(struct weir_device *dev, weir_phys_t phys, size_t size,
			   enum weir_dma_dir dir);

#endif
