/* SPDX-License-Identifier: MIT */

/*
 * Whose turn it is: caches of the CPUs for devices that do not snoop, over exactly the bytes asked
 * for.
 *
 * Before the device's turn every line is cleaned, whatever the direction: a dirty line that was
 * written back later would overwrite what the device wrote. After it, lines that speculation
 * brought in meanwhile are invalidated, unless the device only read.
 */

#include "dma/dma.h"

void weir_dma_cache_to_device(struct weir_device *dev, weir_phys_t phys, size_t size)
{
	void *plat = dev->weir->plat;

	plat_cache_clean(plat, plat_phys_to_virt(plat, phys), size);
}

void weir_dma_cache_to_cpu(struct weir_device *dev, weir_phys_t phys, size_t size,
			   enum weir_dma_dir dir)
{
	void *plat = dev->weir->plat;

	if (dir != WEIR_DMA_TO_DEVICE)
		plat_cache_invalidate(plat, plat_phys_to_virt(plat, phys), size);
}

static void sync(struct weir_device *dev, weir_phys_t phys, size_t size, enum weir_dma_dir dir,
		 bool to_device)
{
	if (to_device)
		weir_dma_cache_to_device(dev, phys, size);
	else
		weir_dma_cache_to_cpu(dev, phys, size, dir);
}

/*
 * A range of the device's addresses; behind an IOMMU its memory is found page by page, and
 * neighbours are done at once.
 */
static void sync_range(struct weir_device *dev, weir_dma_t addr, size_t size, enum weir_dma_dir dir,
		       bool to_device)
{
	struct weir_domain *domain = dev->dma;
	weir_phys_t phys, start = addr;
	size_t run = 0, piece;

	if (!domain) {
		sync(dev, addr, size, dir, to_device);
		return;
	}
	for (; size; addr += piece, size -= piece) {
		piece = WEIR_PAGE_SIZE - (addr & ~WEIR_PAGE_MASK);
		piece = piece < size ? piece : size;
		if (addr > domain->last || domain->ops->iova_to_phys(domain, addr, &phys))
			continue; /* not mapped: nobody's bytes */
		if (run && start + run == phys) {
			run += piece;
			continue;
		}
		if (run)
			sync(dev, start, run, dir, to_device);
		start = phys;
		run = piece;
	}
	if (run)
		sync(dev, start, run, dir, to_device);
}

void weir_dma_sync_for_cpu(struct weir_device *dev, weir_dma_t addr, size_t size,
			   enum weir_dma_dir dir)
{
	if (WEIR_UNLIKELY(!dev->coherent) && size && dir != WEIR_DMA_TO_DEVICE)
		sync_range(dev, addr, size, dir, false);
}

void weir_dma_sync_for_device(struct weir_device *dev, weir_dma_t addr, size_t size,
			      enum weir_dma_dir dir)
{
	if (WEIR_UNLIKELY(!dev->coherent) && size)
		sync_range(dev, addr, size, dir, true);
}

/* A list knows where its memory is. */
static void sync_sg(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
		    enum weir_dma_dir dir, bool to_device)
{
	for (; sg && nents; sg = weir_dma_sg_step(sg, nents), nents--)
		sync(dev, weir_sg_phys(sg), sg->length, dir, to_device);
}

void weir_dma_sync_sg_for_cpu(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
			      enum weir_dma_dir dir)
{
	if (!dev->coherent)
		sync_sg(dev, sg, nents, dir, false);
}

void weir_dma_sync_sg_for_device(struct weir_device *dev, struct weir_sg *sg, unsigned int nents,
				 enum weir_dma_dir dir)
{
	if (!dev->coherent)
		sync_sg(dev, sg, nents, dir, true);
}
