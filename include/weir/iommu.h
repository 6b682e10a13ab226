/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_H
#define WEIR_IOMMU_H

/* IOMMU domains with Linux's names. weir/domain.h has the contracts. */

#include <weir/device.h>
#include <weir/domain.h>
#include <weir/list.h>
#include <weir/sys.h>

#define IOMMU_READ ((int)WEIR_IOMMU_READ)
#define IOMMU_WRITE ((int)WEIR_IOMMU_WRITE)
#define IOMMU_CACHE ((int)WEIR_IOMMU_CACHE)
#define IOMMU_NOEXEC ((int)WEIR_IOMMU_NOEXEC)
#define IOMMU_MMIO ((int)WEIR_IOMMU_MMIO)
#define IOMMU_PRIV ((int)WEIR_IOMMU_PRIV)

#define IOMMU_HWPT_ALLOC_NEST_PARENT WEIR_DOMAIN_NEST_PARENT
#define IOMMU_HWPT_ALLOC_DIRTY_TRACKING WEIR_DOMAIN_DIRTY_TRACKING
#define IOMMU_HWPT_ALLOC_PASID WEIR_DOMAIN_PASID

typedef unsigned int ioasid_t;

struct iommu_domain; /* a struct weir_domain */

/** ERR_PTR() of weir_domain_alloc()'s errors. */
static inline struct iommu_domain *iommu_paging_domain_alloc(struct device *dev)
{
	struct weir_domain *domain;
	int ret = weir_domain_alloc(&dev->weir, &domain);

	return ret ? (struct iommu_domain *)ERR_PTR(ret) : (struct iommu_domain *)domain;
}
static inline struct iommu_domain *iommu_paging_domain_alloc_flags(struct device *dev,
								   unsigned int flags)
{
	struct weir_domain *domain;
	int ret = weir_domain_alloc_flags(&dev->weir, flags, &domain);

	return ret ? (struct iommu_domain *)ERR_PTR(ret) : (struct iommu_domain *)domain;
}
static inline void iommu_domain_free(struct iommu_domain *domain)
{
	weir_domain_free((struct weir_domain *)domain);
}
static inline int iommu_attach_device(struct iommu_domain *domain, struct device *dev)
{
	return weir_domain_attach((struct weir_domain *)domain, &dev->weir);
}
static inline void iommu_detach_device(struct iommu_domain *domain, struct device *dev)
{
	/*
	 * On failure the group is blocked, which is what the caller asked for or safer; it is
	 * logged.
	 */
	(void)weir_domain_detach((struct weir_domain *)domain, &dev->weir);
}
static inline int iommu_attach_device_pasid(struct iommu_domain *domain, struct device *dev,
					    ioasid_t pasid)
{
	return weir_domain_attach_pasid((struct weir_domain *)domain, &dev->weir, pasid);
}
static inline void iommu_detach_device_pasid(struct device *dev, ioasid_t pasid)
{
	/* Where that is not confirmed it is logged. */
	(void)weir_domain_detach_pasid(&dev->weir, pasid);
}
static inline int iommu_map(struct iommu_domain *domain, unsigned long iova, phys_addr_t phys,
			    size_t size, int prot, gfp_t gfp)
{
	(void)gfp; /* page tables are allocated without sleeping */
	return weir_domain_map((struct weir_domain *)domain, iova, phys, size, (unsigned int)prot);
}
static inline size_t iommu_unmap(struct iommu_domain *domain, unsigned long iova, size_t size)
{
	return weir_domain_unmap((struct weir_domain *)domain, iova, size);
}
/** 0: not mapped. */
static inline phys_addr_t iommu_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	weir_phys_t phys;

	return weir_domain_iova_to_phys((struct weir_domain *)domain, iova, &phys) ? 0 : phys;
}
static inline struct iommu_domain *iommu_get_domain_for_dev(struct device *dev)
{
	return (struct iommu_domain *)weir_device_domain(&dev->weir);
}
static inline struct iommu_domain *iommu_get_dma_domain(struct device *dev)
{
	return (struct iommu_domain *)weir_device_dma_domain(&dev->weir);
}

enum iommu_resv_type {
	IOMMU_RESV_DIRECT = WEIR_REGION_DIRECT,
	IOMMU_RESV_DIRECT_RELAXABLE = WEIR_REGION_DIRECT_RELAXABLE,
	IOMMU_RESV_RESERVED = WEIR_REGION_RESERVED,
	IOMMU_RESV_MSI = WEIR_REGION_MSI,
	IOMMU_RESV_SW_MSI = WEIR_REGION_SW_MSI,
};

struct iommu_resv_region {
	struct list_head list;
	phys_addr_t start;
	size_t length;
	int prot;
	enum iommu_resv_type type;
};

/** Appends to `list`, which iommu_put_resv_regions() empties; nothing, where there is no memory. */
static inline void iommu_get_resv_regions(struct device *dev, struct list_head *list)
{
	unsigned int i, room = weir_device_regions(&dev->weir, NULL, 0), count;
	struct weir_direct_region *found =
		(struct weir_direct_region *)weir_alloc(dev->weir.weir, room * sizeof(*found), 0);

	count = found ? weir_device_regions(&dev->weir, found, room) : 0;
	for (i = 0; i < count && i < room; i++) {
		struct iommu_resv_region *region =
			(struct iommu_resv_region *)weir_alloc(dev->weir.weir, sizeof(*region), 0);

		if (!region)
			break;
		region->start = found[i].start;
		region->length = found[i].size;
		region->prot = (int)found[i].prot;
		region->type = (enum iommu_resv_type)found[i].kind;
		list_add_tail(&region->list, list);
	}
	weir_free(dev->weir.weir, found);
}

static inline void iommu_put_resv_regions(struct device *dev, struct list_head *list)
{
	while (!list_empty(list)) {
		struct iommu_resv_region *region =
			list_first_entry(list, struct iommu_resv_region, list);

		list_del(&region->list);
		weir_free(dev->weir.weir, region);
	}
}

#endif
