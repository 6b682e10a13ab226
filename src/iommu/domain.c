/* SPDX-License-Identifier: MIT */

/* Domains: the checks and rules of weir/domain.h over the operations of the IOMMU's driver. */

#include "iommu/iommu.h"

#include "base/lock.h"
#include "iommu/history.h"

#define PROT_ALL                                                                                   \
	(WEIR_IOMMU_READ | WEIR_IOMMU_WRITE | WEIR_IOMMU_CACHE | WEIR_IOMMU_NOEXEC |               \
	 WEIR_IOMMU_MMIO | WEIR_IOMMU_PRIV)

/* ---- Life --------------------------------------------------------------------------------- */

int weir_domain_new(struct weir_iommu *iommu, unsigned int flags, struct weir_domain **domain)
{
	int ret = iommu->ops->domain_alloc(iommu, flags, domain);

	if (ret)
		return ret;
	(*domain)->is_dma = false;
	(*domain)->iova = NULL;
	(*domain)->msi_pages = NULL;
	(*domain)->attached = 0;
	(*domain)->tracks_dirty = flags & WEIR_DOMAIN_DIRTY_TRACKING;
	(*domain)->is_tracking = false;
	(*domain)->fault_lock = (struct weir_spinlock){ 0 };
	(*domain)->fault_fn = NULL;
	(*domain)->fault_arg = NULL;
	return 0;
}

static int reserve(struct weir_group *group, struct weir_iova *iova)
{
	const struct weir_group_range *range;
	int ret = weir_iova_reserve(iova, WEIR_MSI_WINDOW, WEIR_MSI_WINDOW_SIZE);

	for (range = group->reserved; !ret && range; range = range->next)
		ret = weir_iova_reserve(iova, range->range.start, range->range.size);
	return ret;
}

int weir_domain_new_dma(struct weir_group *group, struct weir_domain **domain)
{
	struct weir *weir = group->weir;
	int ret;

	if (!(group->iommu->page_sizes & WEIR_PAGE_SIZE)) {
		weir_log(weir, WEIR_LOG_ERR, "%s: has no pages of 4 KiB (0x%llx)",
			 group->iommu->name, (unsigned long long)group->iommu->page_sizes);
		return -WEIR_EOPNOTSUPP;
	}
	ret = weir_domain_new(group->iommu, 0, domain);
	if (ret)
		return ret;
	(*domain)->is_dma = true;
	(*domain)->iova = weir_iova_create(weir, (*domain)->first, (*domain)->last);
	ret = (*domain)->iova ? reserve(group, (*domain)->iova) : -WEIR_ENOMEM;
	if (!ret)
		ret = weir_direct_map(group, *domain);
	if (ret) {
		weir_domain_delete(*domain);
		*domain = NULL;
	}
	return ret;
}

void weir_domain_delete(struct weir_domain *domain)
{
	struct weir *weir = domain->iommu->weir;

	weir_history_forget_domain(weir, domain);
	if (domain->iova)
		(void)weir_iova_destroy(domain->iova);
	if (domain->viommu)
		domain->viommu->domains--;
	domain->ops->domain_free(domain);
}

int weir_domain_alloc_flags(struct weir_device *dev, unsigned int flags,
			    struct weir_domain **domain)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group || weir->mode == WEIR_MODE_OFF)
		return -WEIR_ENODEV;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = weir_domain_new(dev->group->iommu, flags, domain);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_domain_alloc(struct weir_device *dev, struct weir_domain **domain)
{
	return weir_domain_alloc_flags(dev, 0, domain);
}

void weir_domain_free(struct weir_domain *domain)
{
	struct weir *weir = domain->iommu->weir;
	bool busy;

	plat_mutex_lock(weir->plat, &weir->lock);
	busy = domain->attached || domain->is_dma;
	if (!busy) {
		weir_streams_wait(weir);
		weir_domain_delete(domain);
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	if (busy)
		weir_log(weir, WEIR_LOG_ERR, "a domain was freed that devices are in: it stays");
}

/* ---- Who is in it ------------------------------------------------------------------------- */

/* A guest's device goes from one of the guest's domains, or their parent, to the next. */
static bool is_guests_move(struct weir_domain *from, struct weir_domain *to)
{
	return from != to && weir_domain_mapped(to) &&
	       weir_domain_mapped(from) == weir_domain_mapped(to);
}

static int attach_locked(struct weir_domain *domain, struct weir_group *group)
{
	bool is_assigned =
		group->domain != group->standard && group->domain != group->iommu->blocked;

	if (domain->iommu != group->iommu || domain->is_dma || group->nr_devices > 1)
		return -WEIR_EINVAL;
	if (domain->viommu && group->devices->viommu != domain->viommu)
		return -WEIR_EINVAL;
	if (is_assigned && !is_guests_move(group->domain, domain))
		return -WEIR_EBUSY;
	if (!weir_direct_is_mapped(group, domain))
		return -WEIR_EINVAL;
	return weir_group_move(group, domain);
}

int weir_domain_attach(struct weir_domain *domain, struct weir_device *dev)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group || weir->mode == WEIR_MODE_OFF)
		return -WEIR_EINVAL;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = attach_locked(domain, dev->group);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

static int detach_locked(struct weir_domain *domain, struct weir_device *dev)
{
	struct weir_group *group = dev->group;
	int ret;

	if (group->domain != domain || domain->is_dma)
		return -WEIR_EINVAL;
	ret = weir_group_move(group, group->standard);
	if (!ret)
		return 0;
	weir_dev_log(dev, WEIR_LOG_ERR, "cannot go back to the DMA API (%d): blocked", ret);
	/* Nothing can go wrong on the way there that the driver would not have logged. */
	(void)weir_group_move(group, group->iommu->blocked);
	return ret;
}

int weir_domain_detach(struct weir_domain *domain, struct weir_device *dev)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group || weir->mode == WEIR_MODE_OFF)
		return -WEIR_EINVAL;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = detach_locked(domain, dev);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

struct weir_domain *weir_device_domain(struct weir_device *dev)
{
	struct weir *weir = dev->weir;
	struct weir_domain *domain;

	plat_mutex_lock(weir->plat, &weir->lock);
	domain = dev->group ? dev->group->domain : NULL;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return domain;
}

struct weir_domain *weir_device_dma_domain(struct weir_device *dev)
{
	struct weir *weir = dev->weir;
	struct weir_domain *domain;

	plat_mutex_lock(weir->plat, &weir->lock);
	domain = dev->group ? dev->group->standard : NULL;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return domain;
}

/* ---- What is mapped in it ----------------------------------------------------------------- */

/* A range of whole pages within the domain's addresses. */
static bool range_ok(const struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	uint64_t page = domain->page_sizes & -domain->page_sizes;

	if (domain->type != WEIR_DOMAIN_PAGING || !size || (iova | size) & (page - 1))
		return false;
	return iova >= domain->first && iova <= domain->last && size - 1 <= domain->last - iova;
}

static bool in_msi_window(weir_dma_t iova, size_t size)
{
	return iova < WEIR_MSI_WINDOW + WEIR_MSI_WINDOW_SIZE &&
	       iova + (size - 1) >= WEIR_MSI_WINDOW;
}

int weir_domain_map(struct weir_domain *domain, weir_dma_t iova, weir_phys_t phys, size_t size,
		    unsigned int prot)
{
	struct weir_extent extent = { .phys = phys, .size = size };
	uint64_t page = domain->page_sizes & -domain->page_sizes;

	if (!range_ok(domain, iova, size) || phys & (page - 1) || phys + (size - 1) < phys ||
	    !(prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)) || prot & ~PROT_ALL ||
	    in_msi_window(iova, size))
		return -WEIR_EINVAL;
	return domain->ops->map(domain, iova, &extent, 1, prot);
}

size_t weir_domain_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	const weir_dma_t window_end = WEIR_MSI_WINDOW + WEIR_MSI_WINDOW_SIZE;
	size_t done = 0;

	if (!range_ok(domain, iova, size))
		return 0;
	if (!in_msi_window(iova, size))
		return domain->ops->unmap(domain, iova, size);
	/* The doorbells stay: they are not the caller's. */
	if (iova < WEIR_MSI_WINDOW)
		done = domain->ops->unmap(domain, iova, WEIR_MSI_WINDOW - iova);
	if (iova + (size - 1) >= window_end)
		done += domain->ops->unmap(domain, window_end, iova + size - window_end);
	return done;
}

int weir_domain_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys)
{
	if (domain->type == WEIR_DOMAIN_IDENTITY) {
		*phys = iova;
		return 0;
	}
	if (domain->type != WEIR_DOMAIN_PAGING || iova < domain->first || iova > domain->last)
		return -WEIR_ENOENT;
	return domain->ops->iova_to_phys(domain, iova, phys);
}

/* ---- What devices wrote -------------------------------------------------------------------- */

int weir_domain_set_dirty_tracking(struct weir_domain *domain, bool on)
{
	struct weir *weir = domain->iommu->weir;
	int ret = 0;

	if (domain->type != WEIR_DOMAIN_PAGING || !domain->tracks_dirty)
		return -WEIR_EOPNOTSUPP;
	plat_mutex_lock(weir->plat, &weir->lock);
	/* Hardware marks what it writes all the time. */
	if (on && !domain->is_tracking)
		ret = domain->ops->read_dirty(domain, domain->first,
					      (uint64_t)(domain->last - domain->first) + 1, true,
					      NULL, NULL);
	if (!ret)
		__atomic_store_n(&domain->is_tracking, on, __ATOMIC_RELAXED);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_domain_read_and_clear_dirty(struct weir_domain *domain, weir_dma_t iova, uint64_t size,
				     unsigned int flags, weir_domain_dirty_fn *fn, void *arg)
{
	/* Relaxed: who turns it off while others read gets either answer. */
	if (!range_ok(domain, iova, size) || flags & ~WEIR_DIRTY_NO_CLEAR ||
	    !__atomic_load_n(&domain->is_tracking, __ATOMIC_RELAXED))
		return -WEIR_EINVAL;
	return domain->ops->read_dirty(domain, iova, size, !(flags & WEIR_DIRTY_NO_CLEAR), fn, arg);
}

uint64_t weir_domain_page_sizes(const struct weir_domain *domain)
{
	return domain->page_sizes;
}

void weir_domain_aperture(const struct weir_domain *domain, weir_dma_t *first, weir_dma_t *last)
{
	*first = domain->first;
	*last = domain->last;
}

void weir_domain_set_fault_handler(struct weir_domain *domain, weir_fault_fn *fn, void *arg)
{
	struct weir *weir = domain->iommu->weir;
	uintptr_t flags;

	plat_mutex_lock(weir->plat, &weir->lock);
	flags = weir_lock_irq(&domain->fault_lock);
	domain->fault_fn = fn;
	domain->fault_arg = arg;
	weir_unlock_irq(&domain->fault_lock, flags);
	/* The old handler is not running any more when this returns. */
	weir_streams_wait(weir);
	plat_mutex_unlock(weir->plat, &weir->lock);
}
