/* SPDX-License-Identifier: MIT */

/*
 * PASIDs of a device and the domains that they are in: a list in the device, under weir.lock. Each
 * stream of the device has them all.
 */

#include "iommu/iommu.h"

struct weir_device_pasid {
	struct weir_device_pasid *next;
	uint32_t pasid;
	struct weir_domain *domain;
};

static struct weir_device_pasid **pasid_find(struct weir_device *dev, uint32_t pasid)
{
	struct weir_device_pasid **link = &dev->pasids;

	while (*link && (*link)->pasid != pasid)
		link = &(*link)->next;
	return link;
}

/* The first `count` streams; the first error. */
static int detach_streams(struct weir_device *dev, uint32_t pasid, unsigned int count)
{
	struct weir_iommu *iommu = dev->group->iommu;
	unsigned int i;
	int ret = 0, one;

	for (i = 0; i < count; i++) {
		one = iommu->ops->attach_pasid(iommu, dev->ids[i].id, NULL, pasid);
		if (one)
			weir_dev_log(dev, WEIR_LOG_ERR, "PASID %u was not detached for sure (%d)",
				     pasid, one);
		ret = ret ? ret : one;
	}
	return ret;
}

static int attach_streams(struct weir_device *dev, struct weir_domain *domain, uint32_t pasid)
{
	struct weir_iommu *iommu = dev->group->iommu;
	unsigned int i;
	int ret;

	for (i = 0; i < dev->nr_ids; i++) {
		ret = iommu->ops->attach_pasid(iommu, dev->ids[i].id, domain, pasid);
		if (ret) {
			(void)detach_streams(dev, pasid, i);
			return ret;
		}
	}
	return 0;
}

static int attach_locked(struct weir_domain *domain, struct weir_device *dev, uint32_t pasid)
{
	struct weir_device_pasid *new;
	int ret;

	if (!dev->group->iommu->ops->attach_pasid || !dev->pasid_bits)
		return -WEIR_EOPNOTSUPP;
	if (!pasid || pasid >> dev->pasid_bits || domain->iommu != dev->group->iommu ||
	    domain->type != WEIR_DOMAIN_PAGING || domain->is_dma || dev->group->nr_devices > 1)
		return -WEIR_EINVAL;
	if (*pasid_find(dev, pasid))
		return -WEIR_EBUSY;
	new = weir_alloc(dev->weir, sizeof(*new), 0);
	if (!new)
		return -WEIR_ENOMEM;
	ret = attach_streams(dev, domain, pasid);
	if (ret) {
		weir_free(dev->weir, new);
		return ret;
	}
	new->pasid = pasid;
	new->domain = domain;
	new->next = dev->pasids;
	dev->pasids = new;
	domain->attached++;
	return 0;
}

static int detach_locked(struct weir_device *dev, uint32_t pasid)
{
	struct weir_device_pasid **link = pasid_find(dev, pasid), *old = *link;
	int ret;

	if (!old)
		return -WEIR_EINVAL;
	ret = detach_streams(dev, pasid, dev->nr_ids);
	*link = old->next;
	old->domain->attached--;
	weir_free(dev->weir, old);
	return ret;
}

int weir_domain_attach_pasid(struct weir_domain *domain, struct weir_device *dev, uint32_t pasid)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group || weir->mode == WEIR_MODE_OFF)
		return -WEIR_EINVAL;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = attach_locked(domain, dev, pasid);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_domain_detach_pasid(struct weir_device *dev, uint32_t pasid)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group)
		return -WEIR_EINVAL;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = detach_locked(dev, pasid);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

void weir_pasids_forget(struct weir_device *dev)
{
	while (dev->pasids) {
		weir_dev_log(dev, WEIR_LOG_ERR, "removed with PASID %u attached",
			     dev->pasids->pasid);
		(void)detach_locked(dev, dev->pasids->pasid);
	}
}
