/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DOMAIN_H
#define WEIR_DOMAIN_H

/*
 * IOMMU domains under weir's own names, for hosts; weir/iommu.h spells them as Linux does.
 *
 * A domain is an address space for devices. The DMA API owns one for each group; whoever makes
 * another (to assign a device, to drive it from user space) chooses its addresses himself, attaches
 * the device, and gives it back by detaching: the group then returns to the domain of the DMA API.
 */

#include <weir/weir.h>

WEIR_BEGIN_DECLS

/* What a mapping allows, with Linux's values. */
#define WEIR_IOMMU_READ 0x1u
#define WEIR_IOMMU_WRITE 0x2u
#define WEIR_IOMMU_CACHE 0x4u /**< coherent with the CPUs' caches */
#define WEIR_IOMMU_NOEXEC 0x8u
#define WEIR_IOMMU_MMIO 0x10u /**< device memory */
#define WEIR_IOMMU_PRIV 0x20u /**< privileged accesses only */

/**
 * NULL-free: a paging domain that fits `dev`'s IOMMU. -WEIR_ENODEV: dev has none. -WEIR_ENOMEM.
 * TASK.
 */
int weir_domain_alloc(struct weir_device *dev, struct weir_domain **domain);
/** No device is attached. Mappings go with it. TASK. */
void weir_domain_free(struct weir_domain *domain);

/**
 * Move dev's group into the domain. -WEIR_EINVAL: the domain is another IOMMU's, or the group has
 * more than one device. -WEIR_EBUSY: the group is in a domain that is not the DMA API's, or that
 * one has live mappings, or (from or to an identity domain) the device has message-signalled
 * interrupts, whose address would become wrong. -WEIR_ENOMEM, -WEIR_ETIMEDOUT; the group is then
 * where it was. TASK.
 */
int weir_domain_attach(struct weir_domain *domain, struct weir_device *dev);
/** Back to the DMA API's domain; if that fails (-WEIR_ENOMEM, ...) the group is blocked. TASK. */
int weir_domain_detach(struct weir_domain *domain, struct weir_device *dev);

/**
 * Map; iova, phys, size in multiples of the smallest page of the domain. -WEIR_EINVAL: alignment,
 * beyond the domain's addresses, or in 0x8000000 - 0x80fffff, where weir maps the doorbells of
 * interrupts (and keeps them when the range is unmapped). -WEIR_EEXIST: part of it is mapped.
 * -WEIR_ENOMEM. After an error nothing of it is mapped. Any context; calls on disjoint ranges may
 * run at once.
 */
int weir_domain_map(struct weir_domain *domain, weir_dma_t iova, weir_phys_t phys, size_t size,
		    unsigned int prot);
/**
 * Unmap and invalidate; returns the bytes unmapped (holes do not count). 0, where something was
 * mapped: the IOMMU did not confirm (the log says so), so do not reuse the memory. Any context.
 */
size_t weir_domain_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size);
/** What iova maps to; 0 and *phys, or -WEIR_ENOENT. Any context. */
int weir_domain_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys);
/** Page sizes as a bit mask; first and last address. */
uint64_t weir_domain_page_sizes(const struct weir_domain *domain);
void weir_domain_aperture(const struct weir_domain *domain, weir_dma_t *first, weir_dma_t *last);

/** The domain that the device is in now; the one of the DMA API. NULL: none. */
struct weir_domain *weir_device_domain(struct weir_device *dev);
struct weir_domain *weir_device_dma_domain(struct weir_device *dev);

/** Hears of faults in the domain before weir_set_fault_handler()'s. IRQ context. true: taken. */
void weir_domain_set_fault_handler(struct weir_domain *domain, weir_fault_fn *fn, void *arg);

WEIR_END_DECLS

#endif
