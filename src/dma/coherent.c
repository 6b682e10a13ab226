/* SPDX-License-Identifier: MIT */

/*
 * Coherent memory: whole pages from the platform, contiguous, zeroed, mapped for reading and
 * writing.
 *
 * The CPU's view is the direct map, so the memory must be contiguous (up to 4 MiB), and its caches
 * are on: a device that does not snoop cannot have any, as platform.h has no uncached mapping.
 */

#include "dma/dma.h"

static uint64_t coherent_limit(const struct weir_device *dev)
{
	/* Relaxed: weir_dma_set_coherent_mask() may run meanwhile. */
	uint64_t mask = __atomic_load_n(&dev->coherent_mask, __ATOMIC_RELAXED);

	return mask < dev->bus_limit ? mask : dev->bus_limit;
}

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (WEIR_PAGE_SIZE << order < size)
		order++;
	return order;
}

/* Pages that the device reaches: any behind an IOMMU, else from zone after zone downwards. */
static int pages_alloc(struct weir_device *dev, const struct weir_domain *domain,
		       unsigned int order, unsigned int flags, weir_phys_t *phys)
{
	static const enum weir_zone zones[] = { WEIR_ZONE_NORMAL, WEIR_ZONE_DMA32, WEIR_ZONE_DMA };
	void *plat = dev->weir->plat;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(zones); i++) {
		if (plat_pages_alloc(plat, order, zones[i], flags, phys))
			continue;
		if (domain || weir_dma_reaches(coherent_limit(dev), *phys, WEIR_PAGE_SIZE << order))
			return 0;
		plat_pages_free(plat, *phys, order);
	}
	return -WEIR_ENOMEM;
}

/* What must be so before memory is worth looking for; says what is wrong, or NULL. */
static const char *wrong_request(const struct weir_device *dev, size_t size)
{
	if (!size)
		return "allocates 0 coherent bytes";
	if (size > WEIR_PAGE_SIZE << WEIR_PLAT_MAX_ORDER)
		return "allocates more than 4 MiB of coherent memory at once";
	if (!dev->coherent)
		return "allocates coherent memory, which needs a device that snoops";
	return NULL;
}

static void *alloc_failed(struct weir_device *dev, size_t size, const struct weir_site *site,
			  const char *why)
{
	weir_stat_add(dev->weir, WEIR_STAT_MAP_ERRORS, 1);
	weir_dma_complain(dev, site, 0, "%s (0x%zx bytes, mask 0x%llx)", why, size,
			  (unsigned long long)coherent_limit(dev));
	return NULL;
}

/* Between begin and end of a mapping. */
static void *alloc_begun(struct weir_device *dev, size_t size, weir_dma_t *addr, unsigned int flags,
			 const struct weir_site *site)
{
	struct weir_domain *domain = dev->dma;
	unsigned int order = order_of(size);
	size_t whole = WEIR_ALIGN_UP(size, WEIR_PAGE_SIZE);
	void *plat = dev->weir->plat, *virt;
	weir_phys_t phys;

	if (pages_alloc(dev, domain, order, flags, &phys))
		return NULL;
	virt = plat_phys_to_virt(plat, phys);
	memset(virt, 0, whole);
	*addr = phys;
	if (domain)
		*addr = weir_dma_map_pages(dev, domain, phys, whole, coherent_limit(dev),
					   weir_dma_prot(dev, WEIR_DMA_BIDIRECTIONAL), site);
	if (*addr != WEIR_DMA_ERROR)
		return virt;
	plat_pages_free(plat, phys, order);
	return NULL;
}

void *weir_dma_alloc_coherent(struct weir_device *dev, size_t size, weir_dma_t *addr,
			      unsigned int flags, const struct weir_site *site)
{
	const char *wrong = wrong_request(dev, size);
	void *virt;

	if (wrong)
		return alloc_failed(dev, size, site, wrong);
	if (!weir_dma_begin(dev))
		return alloc_failed(dev, size, site, "allocates for a device that is blocked");
	virt = alloc_begun(dev, size, addr, flags, site);
	if (!virt) {
		weir_dma_end(dev);
		return alloc_failed(dev, size, site,
				    "no memory or addresses within its reach are left");
	}
	weir_stat_add(dev->weir, WEIR_STAT_MAPS, 1);
	return virt;
}

void weir_dma_free_coherent(struct weir_device *dev, size_t size, void *virt, weir_dma_t addr,
			    const struct weir_site *site)
{
	struct weir_domain *domain = dev->dma;
	size_t whole = WEIR_ALIGN_UP(size, WEIR_PAGE_SIZE);
	void *plat = dev->weir->plat;

	if (!virt)
		return;
	/* Memory that the device may still reach is not given back. */
	if (domain ? !weir_dma_unmap_pages(dev, domain, addr, whole, whole, site) :
		     !weir_dma_unmap_direct(dev, site))
		return;
	plat_pages_free(plat, plat_virt_to_phys(plat, virt), order_of(size));
	weir_stat_add(dev->weir, WEIR_STAT_UNMAPS, 1);
	weir_dma_end(dev);
}
