/* SPDX-License-Identifier: MIT */

/*
 * What a device reaches, and what follows from it. Masks are set under weir.lock, as in passthrough
 * mode they decide which domain the device's group is in.
 */

#include "dma/dma.h"

#include "iommu/iommu.h"

/* Can the platform give a page that lies at or below the limit? Tried, as zones are its secret. */
static bool any_page_within(struct weir *weir, uint64_t limit)
{
	static const enum weir_zone zones[] = { WEIR_ZONE_NORMAL, WEIR_ZONE_DMA32, WEIR_ZONE_DMA };
	weir_phys_t phys;
	bool found = false;
	unsigned int i;

	if (plat_memory_end(weir->plat) - 1 <= limit)
		return true;
	for (i = 0; !found && i < WEIR_ARRAY_SIZE(zones); i++) {
		if (plat_pages_alloc(weir->plat, 0, zones[i], 0, &phys))
			continue;
		found = weir_dma_reaches(limit, phys, WEIR_PAGE_SIZE);
		plat_pages_free(weir->plat, phys, 0);
	}
	return found;
}

static bool any_address_within(struct weir_domain *domain, uint64_t limit)
{
	weir_dma_t addr = weir_iova_alloc(domain->iova, WEIR_PAGE_SIZE, limit);

	if (addr == WEIR_DMA_ERROR)
		return false;
	(void)weir_iova_free(domain->iova, addr, WEIR_PAGE_SIZE);
	return true;
}

/* Anything at all that the device could be given within the mask? Under weir.lock. */
static int check_served(struct weir_device *dev, uint64_t mask)
{
	uint64_t limit = mask < dev->bus_limit ? mask : dev->bus_limit;
	struct weir_domain *domain = dev->dma;

	if (domain ? any_address_within(domain, limit) : any_page_within(dev->weir, limit))
		return 0;
	weir_dev_log(dev, WEIR_LOG_ERR,
		     "nothing lies within its mask 0x%llx (bus 0x%llx): needs 0x%llx",
		     (unsigned long long)mask, (unsigned long long)dev->bus_limit,
		     (unsigned long long)weir_dma_required_mask(dev));
	return -WEIR_EIO;
}

/* In passthrough the mask decides between identity and translation. Under weir.lock. */
static int set_streaming(struct weir_device *dev, uint64_t mask)
{
	int ret = dev->group ? weir_group_update(dev->group, dev, mask) : 0;

	if (ret == -WEIR_EBUSY)
		weir_dev_log(dev, WEIR_LOG_WARN,
			     "mask 0x%llx would move it to another domain while mappings live",
			     (unsigned long long)mask);
	if (ret)
		return ret;
	ret = check_served(dev, mask);
	if (ret) {
		/* Back; where that fails it is translated, which is as safe. */
		if (dev->group)
			(void)weir_group_update(dev->group, dev, dev->dma_mask);
		return ret;
	}
	/* Relaxed: a mapping on its way may use the old one. */
	__atomic_store_n(&dev->dma_mask, mask, __ATOMIC_RELAXED);
	return 0;
}

int weir_dma_set_mask(struct weir_device *dev, uint64_t mask)
{
	struct weir *weir = dev->weir;
	int ret;

	plat_mutex_lock(weir->plat, &weir->lock);
	ret = set_streaming(dev, mask);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_dma_set_coherent_mask(struct weir_device *dev, uint64_t mask)
{
	struct weir *weir = dev->weir;
	int ret;

	plat_mutex_lock(weir->plat, &weir->lock);
	ret = check_served(dev, mask);
	if (!ret)
		__atomic_store_n(&dev->coherent_mask, mask, __ATOMIC_RELAXED);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

uint64_t weir_dma_required_mask(struct weir_device *dev)
{
	weir_phys_t last = plat_memory_end(dev->weir->plat) - 1;

	/*
	 * All of memory is reached through addresses of 32 bits; in passthrough a long mask is
	 * better.
	 */
	if (dev->dma && dev->weir->mode == WEIR_MODE_STRICT && last > UINT32_MAX)
		return UINT32_MAX;
	return ~(uint64_t)0 >> __builtin_clzll(last);
}

bool weir_dma_addressing_limited(struct weir_device *dev)
{
	return !dev->dma && !weir_device_reaches_memory(dev, dev->dma_mask);
}

size_t weir_dma_max_mapping_size(struct weir_device *dev)
{
	const struct weir_domain *domain = dev->dma;
	uint64_t limit = weir_dma_limit(dev);

	if (!domain)
		return SIZE_MAX;
	limit = limit < domain->last ? limit : domain->last;
	/* A power of two, aligned; the lowest one is never whole, as page 0 is not given out. */
	limit = (limit >> 1) + (limit & 1);
	return limit >= WEIR_PAGE_SIZE ? WEIR_BIT(63 - __builtin_clzll(limit)) : 0;
}

size_t weir_dma_opt_mapping_size(struct weir_device *dev)
{
	/* What the magazines of IOVAs hold. */
	return dev->dma ? WEIR_PAGE_SIZE << (WEIR_IOVA_CACHED_ORDERS - 1) : SIZE_MAX;
}

unsigned long weir_dma_merge_boundary(struct weir_device *dev)
{
	return dev->dma ? WEIR_PAGE_SIZE - 1 : 0;
}

int weir_dma_set_max_segment_size(struct weir_device *dev, unsigned int size)
{
	if (!size)
		return -WEIR_EINVAL;
	dev->max_segment_size = size;
	return 0;
}

int weir_dma_set_segment_boundary(struct weir_device *dev, uint64_t mask)
{
	if (mask & (mask + 1) || mask < WEIR_PAGE_SIZE - 1)
		return -WEIR_EINVAL;
	dev->segment_boundary = mask;
	return 0;
}

bool weir_dma_is_coherent(const struct weir_device *dev)
{
	return dev->coherent;
}
