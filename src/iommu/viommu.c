/* SPDX-License-Identifier: MIT */

/*
 * Viommus: the part of an IOMMU that a guest sees. They hold their parent domain; nested domains
 * hold them. A viommu knows its devices by the guest's IDs.
 *
 * weir.lock: who is in what. weir_viommu.lock (a mutex, taken inside of it): the list of devices,
 * and commands that go by it.
 */

#include "iommu/iommu.h"

struct weir_vdevice {
	struct weir_vdevice *next;
	struct weir_device *dev;
	uint32_t id;
};

static void lock(struct weir *weir, struct weir_viommu *viommu)
{
	plat_mutex_lock(weir->plat, &weir->lock);
	plat_mutex_lock(weir->plat, &viommu->lock);
}

static void unlock(struct weir *weir, struct weir_viommu *viommu)
{
	plat_mutex_unlock(weir->plat, &viommu->lock);
	plat_mutex_unlock(weir->plat, &weir->lock);
}

int weir_viommu_alloc(struct weir_device *dev, struct weir_domain *parent,
		      struct weir_viommu **viommu)
{
	struct weir *weir = dev->weir;
	int ret;

	if (!dev->group || dev->group->iommu != parent->iommu ||
	    parent->type != WEIR_DOMAIN_PAGING || parent->is_dma)
		return -WEIR_EINVAL;
	if (!parent->ops->viommu_alloc)
		return -WEIR_EOPNOTSUPP;
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = parent->ops->viommu_alloc(parent, viommu);
	if (!ret) {
		(*viommu)->parent = parent;
		parent->attached++;
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_viommu_free(struct weir_viommu *viommu)
{
	struct weir_domain *parent = viommu->parent;
	struct weir *weir = parent->iommu->weir;
	bool busy;

	plat_mutex_lock(weir->plat, &weir->lock);
	busy = viommu->domains || viommu->devices;
	if (!busy) {
		parent->ops->viommu_free(viommu);
		parent->attached--;
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	return busy ? -WEIR_EBUSY : 0;
}

/* ---- Devices ------------------------------------------------------------------------------ */

struct weir_device *weir_viommu_find(struct weir_viommu *viommu, uint32_t id)
{
	const struct weir_vdevice *vdev = viommu->devices;

	while (vdev && vdev->id != id)
		vdev = vdev->next;
	return vdev ? vdev->dev : NULL;
}

static int add_locked(struct weir_viommu *viommu, struct weir_device *dev, uint32_t id)
{
	struct weir_vdevice *vdev;

	if (!dev->group || dev->group->iommu != viommu->parent->iommu)
		return -WEIR_EINVAL;
	if (dev->viommu || weir_viommu_find(viommu, id))
		return -WEIR_EEXIST;
	vdev = weir_alloc(dev->weir, sizeof(*vdev), 0);
	if (!vdev)
		return -WEIR_ENOMEM;
	vdev->dev = dev;
	vdev->id = id;
	vdev->next = viommu->devices;
	viommu->devices = vdev;
	dev->viommu = viommu;
	return 0;
}

int weir_viommu_add_device(struct weir_viommu *viommu, struct weir_device *dev, uint32_t virtual_id)
{
	int ret;

	lock(dev->weir, viommu);
	ret = add_locked(viommu, dev, virtual_id);
	unlock(dev->weir, viommu);
	return ret;
}

static void unlink_device(struct weir_viommu *viommu, struct weir_device *dev)
{
	struct weir_vdevice **link = &viommu->devices, *vdev;

	while ((*link)->dev != dev)
		link = &(*link)->next;
	vdev = *link;
	*link = vdev->next;
	weir_free(dev->weir, vdev);
	dev->viommu = NULL;
}

int weir_viommu_remove_device(struct weir_viommu *viommu, struct weir_device *dev)
{
	int ret = 0;

	lock(dev->weir, viommu);
	if (dev->viommu != viommu)
		ret = -WEIR_EINVAL;
	else if (dev->group->domain->viommu)
		ret = -WEIR_EBUSY;
	else
		unlink_device(viommu, dev);
	unlock(dev->weir, viommu);
	return ret;
}

void weir_viommu_forget(struct weir_device *dev)
{
	struct weir_viommu *viommu = dev->viommu;

	if (!viommu)
		return;
	plat_mutex_lock(dev->weir->plat, &viommu->lock);
	unlink_device(viommu, dev);
	plat_mutex_unlock(dev->weir->plat, &viommu->lock);
}

/* ---- Domains and commands ----------------------------------------------------------------- */

int weir_viommu_domain_alloc(struct weir_viommu *viommu, const void *data, size_t size,
			     struct weir_domain **domain)
{
	const struct weir_iommu_ops *ops = viommu->parent->ops;
	struct weir *weir = viommu->parent->iommu->weir;
	int ret;

	plat_mutex_lock(weir->plat, &weir->lock);
	/* All of the core's part of it is zero, which is right. */
	ret = ops->nested_alloc(viommu, data, size, domain);
	if (!ret)
		viommu->domains++;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

int weir_viommu_invalidate(struct weir_viommu *viommu, const void *cmds, unsigned int *count)
{
	struct weir *weir = viommu->parent->iommu->weir;
	int ret;

	plat_mutex_lock(weir->plat, &viommu->lock);
	ret = viommu->parent->ops->viommu_invalidate(viommu, cmds, count);
	plat_mutex_unlock(weir->plat, &viommu->lock);
	return ret;
}
