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
/* What a domain is to be good for, with Linux's values. */
#define WEIR_DOMAIN_NEST_PARENT 0x1u	/**< guests' translations go through it: stage 2 */
#define WEIR_DOMAIN_DIRTY_TRACKING 0x2u /**< hardware marks the pages that devices wrote */
#define WEIR_DOMAIN_PASID 0x8u		/**< it may be attached to a PASID */
/**
 * The same with flags. -WEIR_EOPNOTSUPP: dev's IOMMU has no such domains, or not with all these
 * flags at once.
 */
int weir_domain_alloc_flags(struct weir_device *dev, unsigned int flags,
			    struct weir_domain **domain);
/** No device is attached, nor a PASID. Mappings go with it. TASK. */
void weir_domain_free(struct weir_domain *domain);

/**
 * Move dev's group into the domain. -WEIR_EINVAL: the domain is another IOMMU's, or the group has
 * more than one device, or a region that firmware wants kept (WEIR_REGION_DIRECT) is not mapped in
 * the domain: map it first, and leave it there. -WEIR_EBUSY: the group is in a domain that is not
 * the DMA API's, or that one has live mappings, or (from or to an identity domain) the device has
 * message-signalled interrupts, whose address would become wrong. -WEIR_ENOMEM, -WEIR_ETIMEDOUT;
 * the group is then where it was. TASK.
 */
int weir_domain_attach(struct weir_domain *domain, struct weir_device *dev);
/** Back to the DMA API's domain; if that fails (-WEIR_ENOMEM, ...) the group is blocked. TASK. */
int weir_domain_detach(struct weir_domain *domain, struct weir_device *dev);

/**
 * Let accesses that bear this PASID go to the domain, wherever others of the device go. The device
 * is alone in its group, and in a domain of stage 1 or the identity domain, which it does not leave
 * for another kind while it has PASIDs. Doorbells of interrupts are not mapped: messages bear no
 * PASID. -WEIR_EOPNOTSUPP: the device or its IOMMU has no PASIDs. -WEIR_EINVAL: the PASID is 0 or
 * beyond them; the domain is another IOMMU's, the DMA API's, or not of stage 1; the group has more
 * devices. -WEIR_EBUSY: the PASID has a domain; or the device is in another kind of domain.
 * -WEIR_ENOMEM, -WEIR_ETIMEDOUT, -WEIR_EIO; the PASID is then blocked. TASK.
 */
int weir_domain_attach_pasid(struct weir_domain *domain, struct weir_device *dev, uint32_t pasid);
/**
 * The PASID is blocked when it returns. -WEIR_EINVAL: it has no domain. -WEIR_ETIMEDOUT, -WEIR_EIO:
 * the IOMMU did not confirm. TASK.
 */
int weir_domain_detach_pasid(struct weir_device *dev, uint32_t pasid);

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
/**
 * Watch, or no longer, what devices write. When it begins all is clean. -WEIR_EOPNOTSUPP: not a
 * domain of WEIR_DOMAIN_DIRTY_TRACKING. -WEIR_EIO: the IOMMU did not confirm. TASK.
 */
int weir_domain_set_dirty_tracking(struct weir_domain *domain, bool on);
/** Do not clear what is told. */
#define WEIR_DIRTY_NO_CLEAR 0x1u
/** Called for each dirty range, which may reach beyond what was asked for. */
typedef void weir_domain_dirty_fn(void *arg, weir_dma_t iova, uint64_t size);
/**
 * Tell what devices wrote in the range since it was last told, as far as mappings of it are there:
 * what is unmapped is not told any more. What a device writes after the return is told the next
 * time. -WEIR_EINVAL: tracking is off; the range. -WEIR_EIO: the IOMMU did not confirm: what is
 * written from now on may not be told. Any context; calls on ranges that share a page of any size
 * exclude each other.
 */
int weir_domain_read_and_clear_dirty(struct weir_domain *domain, weir_dma_t iova, uint64_t size,
				     unsigned int flags, weir_domain_dirty_fn *fn, void *arg);
/*
 * A guest's IOMMU over a domain that maps the guest's physical addresses. What the guest writes
 * into its own tables is fetched by the hardware through that domain, and trusted by nobody; what
 * it says in registers and commands is handed over here, as untrusted as it is.
 */

/**
 * `parent` is of WEIR_DOMAIN_NEST_PARENT, of dev's IOMMU; it stays until the viommu is freed.
 * -WEIR_EINVAL, -WEIR_EOPNOTSUPP, -WEIR_ENOMEM. TASK, as all of these.
 */
int weir_viommu_alloc(struct weir_device *dev, struct weir_domain *parent,
		      struct weir_viommu **viommu);
/** -WEIR_EBUSY: it has devices, or nested domains. */
int weir_viommu_free(struct weir_viommu *viommu);
/**
 * The guest calls the device by this ID (a StreamID). -WEIR_EEXIST: it calls another one so, or the
 * device is in a viommu. -WEIR_EINVAL, -WEIR_ENOMEM.
 */
int weir_viommu_add_device(struct weir_viommu *viommu, struct weir_device *dev,
			   uint32_t virtual_id);
/** -WEIR_EBUSY: it is in a nested domain. -WEIR_EINVAL: not in this viommu. */
int weir_viommu_remove_device(struct weir_viommu *viommu, struct weir_device *dev);
/**
 * A domain that translates as the guest's table entry says. Arm SMMUv3: `data` are the first two
 * 64-bit words of a stream table entry, aligned; without V it aborts. It is attached and freed as
 * others are; devices of the viommu alone can be in it, and move between it, others of the viommu
 * and the parent directly. -WEIR_EIO: the entry says what is not a guest's to say, or nothing that
 * the IOMMU could obey. -WEIR_EINVAL, -WEIR_ENOMEM.
 */
int weir_viommu_domain_alloc(struct weir_viommu *viommu, const void *data, size_t size,
			     struct weir_domain **domain);
/**
 * Pass on a guest's invalidations: *count commands as the hardware defines them (Arm SMMUv3: 16
 * bytes each, aligned to 8), read once, complete when it returns. *count becomes how many were
 * done. -WEIR_EIO: the next one is not a guest's to send, or illegal. -WEIR_ETIMEDOUT: none is
 * known to be done.
 */
int weir_viommu_invalidate(struct weir_viommu *viommu, const void *cmds, unsigned int *count);

/** Page sizes as a bit mask; first and last address. */
uint64_t weir_domain_page_sizes(const struct weir_domain *domain);
void weir_domain_aperture(const struct weir_domain *domain, weir_dma_t *first, weir_dma_t *last);

/**
 * The regions that are not to be given out to the device and those of its group, direct ones among
 * them: at most `max` into `regions` (NULL: none). Returns how many there are. TASK.
 */
unsigned int weir_device_regions(struct weir_device *dev, struct weir_direct_region *regions,
				 unsigned int max);

/** The domain that the device is in now; the one of the DMA API. NULL: none. */
struct weir_domain *weir_device_domain(struct weir_device *dev);
struct weir_domain *weir_device_dma_domain(struct weir_device *dev);

/** Hears of faults in the domain before weir_set_fault_handler()'s. IRQ context. true: taken. */
void weir_domain_set_fault_handler(struct weir_domain *domain, weir_fault_fn *fn, void *arg);

WEIR_END_DECLS

#endif
