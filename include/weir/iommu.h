/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_H
#define WEIR_IOMMU_H

/* IOMMU domains with Linux's names. weir/domain.h has the contracts. */

#include <weir/device.h>
#include <weir/domain.h>

#define IOMMU_READ ((int)WEIR_IOMMU_READ)
#define IOMMU_WRITE ((int)WEIR_IOMMU_WRITE)
#define IOMMU_CACHE ((int)WEIR_IOMMU_CACHE)
#define IOMMU_NOEXEC ((int)WEIR_IOMMU_NOEXEC)
#define IOMMU_MMIO ((int)WEIR_IOMMU_MMIO)
#define IOMMU_PRIV ((int)WEIR_IOMMU_PRIV)

struct iommu_domain; /* a struct weir_domain */

/** ERR_PTR() of weir_domain_alloc()'s errors. */
static inline struct iommu_domain *iommu_paging_domain_alloc(struct device *dev)
{
	struct weir_domain *domain;
	int ret = weir_domain_alloc(&dev->weir, &domain);

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

#endif
