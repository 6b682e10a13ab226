/* SPDX-License-Identifier: MIT */

/* Devices: adding, removing, asking. The list of the machine's devices is under weir.lock. */

#include "iommu/iommu.h"

#include "iommu/history.h"

/* What Linux assumes of a device whose driver says nothing. */
#define DEFAULT_MASK 0xffffffffull
#define DEFAULT_SEGMENT_SIZE 65536u
#define DEFAULT_SEGMENT_BOUNDARY 0xffffffffull

/* Mappings of a removed device that the log names one by one. */
#define LEFTOVERS_SHOWN 8u

static void device_init(struct weir *weir, struct weir_device *dev,
			const struct weir_device_desc *desc)
{
	memset(dev, 0, sizeof(*dev));
	dev->weir = weir;
	dev->dma_mask = DEFAULT_MASK;
	dev->coherent_mask = DEFAULT_MASK;
	dev->bus_limit = desc->bus_limit ? desc->bus_limit : ~(uint64_t)0;
	dev->max_segment_size = DEFAULT_SEGMENT_SIZE;
	dev->segment_boundary = DEFAULT_SEGMENT_BOUNDARY;
	dev->coherent = desc->coherent;
	dev->can_stall = desc->can_stall;
	dev->pasid_bits = desc->pasid_bits;
	dev->ats = desc->ats;
	dev->blocked = true;
	weir_snprintf(dev->name, sizeof(dev->name), "%s", desc->name ? desc->name : "device");
}

int weir_device_add(struct weir *weir, struct weir_device *dev, const struct weir_device_desc *desc)
{
	int ret;

	if (desc->nr_ids > WEIR_DEVICE_MAX_IDS) {
		weir_log(weir, WEIR_LOG_ERR, "%s: %u stream IDs, more than %u",
			 desc->name ? desc->name : "device", desc->nr_ids, WEIR_DEVICE_MAX_IDS);
		return -WEIR_EINVAL;
	}
	if (desc->pasid_bits > 20) {
		weir_log(weir, WEIR_LOG_ERR, "%s: PASIDs of %u bits, more than 20",
			 desc->name ? desc->name : "device", desc->pasid_bits);
		return -WEIR_EINVAL;
	}
	device_init(weir, dev, desc);
	plat_mutex_lock(weir->plat, &weir->lock);
	ret = weir_group_join(dev, desc);
	if (!ret) {
		dev->next = weir->devices;
		weir->devices = dev;
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	return ret;
}

static void log_leftovers(struct weir_device *dev, uint64_t live)
{
	struct weir_history found[LEFTOVERS_SHOWN];
	unsigned int i, count = weir_history_open(dev, found, LEFTOVERS_SHOWN);

	weir_dev_log(dev, WEIR_LOG_WARN, "removed with %llu mappings live",
		     (unsigned long long)live);
	for (i = 0; i < count; i++)
		weir_dev_log(dev, WEIR_LOG_WARN, "  0x%llx+0x%zx, mapped at %s:%u %s",
			     (unsigned long long)found[i].start, found[i].size,
			     found[i].mapped_at->file, found[i].mapped_at->line,
			     found[i].mapped_at->func);
}

unsigned int weir_device_remove(struct weir_device *dev)
{
	struct weir *weir = dev->weir;
	struct weir_device **link = &weir->devices;
	uint64_t live;

	plat_mutex_lock(weir->plat, &weir->lock);
	/* Mappers that come now are refused; pairs with their count and look (iommu.h). */
	__atomic_store_n(&dev->blocked, true, __ATOMIC_SEQ_CST);
	live = __atomic_load_n(&dev->live_maps, __ATOMIC_SEQ_CST);
	if (live)
		log_leftovers(dev, live);
	while (*link != dev)
		link = &(*link)->next;
	*link = dev->next;
	weir_history_forget_device(dev);
	if (dev->group)
		weir_group_leave(dev);
	dev->dma = NULL;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return live < ~0u ? (unsigned int)live : ~0u;
}

struct weir_iommu *weir_iommu_by_phandle(struct weir *weir, uint32_t phandle)
{
	struct weir_iommu *iommu = weir->iommus;

	while (iommu && iommu->phandle != phandle)
		iommu = iommu->next;
	return phandle ? iommu : NULL;
}

struct weir_iommu *weir_iommu_by_iort_node(struct weir *weir, uint32_t offset)
{
	struct weir_iommu *iommu = weir->iommus;

	while (iommu && iommu->iort_node != offset)
		iommu = iommu->next;
	return offset ? iommu : NULL;
}

const char *weir_device_name(const struct weir_device *dev)
{
	return dev->name;
}

int weir_device_group_id(const struct weir_device *dev)
{
	return dev->group ? dev->group->id : -1;
}
