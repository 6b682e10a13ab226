/* SPDX-License-Identifier: MIT */

/* Streaming mappings of one piece of memory. dma.h has the order of the steps and the locking. */

#include "dma/dma.h"

#include "iommu/history.h"
#include "iommu/iova.h"

#define LINE_SIZE 160
/* Ranges end at or below it, so that they can be rounded up. */
#define LAST_PAGE (~(uint64_t)0 & WEIR_PAGE_MASK)

static const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++) {
		if (*path == '/')
			name = path + 1;
	}
	return name;
}

void weir_dma_complain(struct weir_device *dev, const struct weir_site *site, unsigned long attrs,
		       const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	if (attrs & WEIR_DMA_ATTR_NO_WARN || !weir_limit_pass(&dev->weir->dma_limit))
		return;
	va_start(args, format);
	weir_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	weir_dev_log(dev, WEIR_LOG_ERR, "%s:%u %s: %s", base_name(site->file), site->line,
		     site->func, line);
}

bool weir_dma_begin(struct weir_device *dev)
{
	/*
	 * The count before the look, in one order with those who change the domain: they set
	 * blocked and then look at the count (iommu/iommu.h).
	 */
	__atomic_fetch_add(&dev->live_maps, 1, __ATOMIC_SEQ_CST);
	if (WEIR_LIKELY(!__atomic_load_n(&dev->blocked, __ATOMIC_SEQ_CST)))
		return true;
	weir_dma_end(dev);
	return false;
}

unsigned int weir_dma_prot(const struct weir_device *dev, enum weir_dma_dir dir)
{
	static const uint8_t prot[] = {
		[WEIR_DMA_BIDIRECTIONAL] = WEIR_IOMMU_READ | WEIR_IOMMU_WRITE,
		[WEIR_DMA_TO_DEVICE] = WEIR_IOMMU_READ,
		[WEIR_DMA_FROM_DEVICE] = WEIR_IOMMU_WRITE,
	};

	return prot[dir] | (dev->coherent ? WEIR_IOMMU_CACHE : 0);
}

/* ---- Behind an IOMMU ---------------------------------------------------------------------- */

weir_dma_t weir_dma_map_pages(struct weir_device *dev, struct weir_domain *domain, weir_phys_t phys,
			      size_t size, uint64_t limit, unsigned int prot,
			      const struct weir_site *site)
{
	struct weir_extent extent = { .phys = phys, .size = size };
	weir_dma_t addr = weir_iova_alloc(domain->iova, size, limit);
	int ret;

	if (WEIR_UNLIKELY(addr == WEIR_DMA_ERROR))
		return WEIR_DMA_ERROR;
	ret = domain->ops->map(domain, addr, &extent, 1, prot);
	if (WEIR_UNLIKELY(ret)) {
		/* -WEIR_EIO: undoing was not confirmed, so the address is not used again. */
		if (ret != -WEIR_EIO)
			(void)weir_iova_free(domain->iova, addr, size);
		return WEIR_DMA_ERROR;
	}
	weir_history_map(dev, domain, addr, size, prot, site);
	return addr;
}

bool weir_dma_unmap_pages(struct weir_device *dev, struct weir_domain *domain, weir_dma_t addr,
			  size_t size, size_t mapped, const struct weir_site *site)
{
	size_t done = 0;

	if (WEIR_LIKELY(addr <= domain->last && size && size - 1 <= domain->last - addr))
		done = domain->ops->unmap(domain, addr, size);
	if (WEIR_LIKELY(done && done == mapped)) {
		weir_history_unmap(dev, domain, addr, site);
		if (WEIR_LIKELY(weir_iova_free(domain->iova, addr, size)))
			return true;
	}
	/* Two owners of one address would be worse than an address that is lost. */
	weir_dma_complain(dev, site, 0, "unmaps 0x%zx bytes at 0x%llx, where 0x%zx were mapped",
			  mapped, (unsigned long long)addr, done);
	return false;
}

bool weir_dma_unmap_direct(struct weir_device *dev, const struct weir_site *site)
{
	if (WEIR_LIKELY(__atomic_load_n(&dev->live_maps, __ATOMIC_RELAXED)))
		return true;
	weir_dma_complain(dev, site, 0, "unmaps, but nothing is mapped");
	return false;
}

static weir_dma_t map_iova(struct weir_device *dev, struct weir_domain *domain, weir_phys_t phys,
			   size_t size, enum weir_dma_dir dir, const struct weir_site *site)
{
	uint64_t offset = phys & ~WEIR_PAGE_MASK;
	weir_dma_t addr = weir_dma_map_pages(dev, domain, phys - offset,
					     WEIR_ALIGN_UP(offset + size, WEIR_PAGE_SIZE),
					     weir_dma_limit(dev), weir_dma_prot(dev, dir), site);

	return WEIR_LIKELY(addr != WEIR_DMA_ERROR) ? addr + offset : WEIR_DMA_ERROR;
}

/* ---- Map ---------------------------------------------------------------------------------- */

/* Nothing that a correct driver asks for; says what is wrong, or NULL. */
static const char *wrong_argument(weir_phys_t phys, size_t size, enum weir_dma_dir dir,
				  unsigned long attrs)
{
	if (!size)
		return "maps 0 bytes";
	if ((unsigned int)dir >= WEIR_DMA_NONE)
		return "maps without a direction";
	if (attrs & ~WEIR_DMA_ATTRS)
		return "maps with an attribute that is not supported";
	if (phys > LAST_PAGE || size > LAST_PAGE - phys)
		return "maps beyond the end of memory";
	return NULL;
}

/* The slow path of every failure: counted, and said. */
static weir_dma_t map_failed(struct weir_device *dev, weir_phys_t phys, size_t size,
			     unsigned long attrs, const struct weir_site *site, const char *why)
{
	weir_stat_add(dev->weir, WEIR_STAT_MAP_ERRORS, 1);
	weir_dma_complain(dev, site, attrs, "%s (0x%zx bytes of memory at 0x%llx, mask 0x%llx)",
			  why, size, (unsigned long long)phys,
			  (unsigned long long)weir_dma_limit(dev));
	return WEIR_DMA_ERROR;
}

weir_dma_t weir_dma_map_phys(struct weir_device *dev, weir_phys_t phys, size_t size,
			     enum weir_dma_dir dir, unsigned long attrs,
			     const struct weir_site *site)
{
	const char *wrong = wrong_argument(phys, size, dir, attrs);
	struct weir_domain *domain;
	weir_dma_t addr = phys;

	if (WEIR_UNLIKELY(wrong))
		return map_failed(dev, phys, size, attrs, site, wrong);
	if (WEIR_UNLIKELY(!weir_dma_begin(dev)))
		return map_failed(dev, phys, size, attrs, site,
				  "maps for a device that is blocked");
	domain = dev->dma;
	if (domain) {
		addr = map_iova(dev, domain, phys, size, dir, site);
		wrong = "no address or table page is left";
	} else if (WEIR_UNLIKELY(!weir_dma_reaches(weir_dma_limit(dev), phys, size))) {
		addr = WEIR_DMA_ERROR;
		wrong = "maps what the device cannot reach without translation";
	}
	if (WEIR_UNLIKELY(addr == WEIR_DMA_ERROR)) {
		weir_dma_end(dev);
		return map_failed(dev, phys, size, attrs, site, wrong);
	}
	if (WEIR_UNLIKELY(!dev->coherent) && !(attrs & WEIR_DMA_ATTR_SKIP_CPU_SYNC))
		weir_dma_cache_to_device(dev, phys, size);
	weir_stat_add(dev->weir, WEIR_STAT_MAPS, 1);
	return addr;
}

weir_dma_t weir_dma_map_single(struct weir_device *dev, const void *virt, size_t size,
			       enum weir_dma_dir dir, unsigned long attrs,
			       const struct weir_site *site)
{
	return weir_dma_map_phys(dev, plat_virt_to_phys(dev->weir->plat, virt), size, dir, attrs,
				 site);
}

void weir_dma_unmap(struct weir_device *dev, weir_dma_t addr, size_t size, enum weir_dma_dir dir,
		    unsigned long attrs, const struct weir_site *site)
{
	struct weir_domain *domain = dev->dma;
	uint64_t offset = addr & ~WEIR_PAGE_MASK;
	size_t whole = WEIR_ALIGN_UP(offset + size, WEIR_PAGE_SIZE);

	if (WEIR_UNLIKELY(!size || addr > LAST_PAGE || size > LAST_PAGE - addr)) {
		weir_dma_complain(dev, site, attrs,
				  "unmaps 0x%zx bytes at 0x%llx, which nothing maps", size,
				  (unsigned long long)addr);
		return;
	}
	if (WEIR_UNLIKELY(!dev->coherent) && !(attrs & WEIR_DMA_ATTR_SKIP_CPU_SYNC))
		weir_dma_sync_for_cpu(dev, addr, size, dir);
	if (domain ? !weir_dma_unmap_pages(dev, domain, addr - offset, whole, whole, site) :
		     !weir_dma_unmap_direct(dev, site))
		return;
	weir_stat_add(dev->weir, WEIR_STAT_UNMAPS, 1);
	weir_dma_end(dev);
}
