/* SPDX-License-Identifier: MIT */

/*
 * Groups: members, the choice of the standard domain, moving between domains. iommu.h has the
 * locking; everything here is called under weir.lock.
 */

#include "iommu/iommu.h"

bool weir_device_reaches_memory(const struct weir_device *dev, uint64_t mask)
{
	weir_phys_t last = plat_memory_end(dev->weir->plat) - 1;

	return last <= mask && last <= dev->bus_limit;
}

/* ---- Streams of the members --------------------------------------------------------------- */

/* The first in the group to have this ID programs it; aliases follow. */
static bool speaks_for(const struct weir_group *group, const struct weir_device *dev, uint32_t id)
{
	const struct weir_device *other;
	unsigned int i;

	for (other = group->devices; other != dev; other = other->group_next) {
		for (i = 0; i < other->nr_ids; i++) {
			if (other->ids[i].id == id)
				return false;
		}
	}
	return true;
}

/* There is nothing better left to do than to say so: what fails here is the IOMMU itself. */
static void force_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain)
{
	int ret = iommu->ops->attach(iommu, id, domain);

	if (!ret)
		return;
	weir_log(iommu->weir, WEIR_LOG_ERR, "%s: stream 0x%x could not be moved back (%d)",
		 iommu->name, id, ret);
	if (domain != iommu->blocked && iommu->ops->attach(iommu, id, iommu->blocked))
		weir_log(iommu->weir, WEIR_LOG_ERR, "%s: nor could it be blocked", iommu->name);
}

/*
 * Streams that `dev` alone has: all that must change when it comes or goes. They rest blocked, or
 * with what firmware wants kept.
 */
static void block_own_streams(struct weir_device *dev, unsigned int count)
{
	struct weir_iommu *iommu = dev->group->iommu;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!weir_streams_shared(dev, &dev->ids[i]))
			force_attach(iommu, dev->ids[i].id,
				     weir_direct_rest(iommu, dev->ids[i].id));
	}
}

static void remove_own_streams(struct weir_device *dev, unsigned int count)
{
	struct weir_iommu *iommu = dev->group->iommu;
	unsigned int i;

	for (i = 0; iommu->ops->stream_remove && i < count; i++) {
		if (!weir_streams_shared(dev, &dev->ids[i]))
			iommu->ops->stream_remove(iommu, dev->ids[i].id);
	}
}

/*
 * A stream that several devices have can do what the first of them said. Not inlined: it is not to
 * lie below all that bring_in() does.
 */
static __attribute__((noinline)) int add_own_streams(struct weir_device *dev)
{
	struct weir_iommu *iommu = dev->group->iommu;
	struct weir_stream_caps caps = { .dev = dev,
					 .pasid_bits = dev->pasid_bits,
					 .can_stall = dev->can_stall };
	unsigned int i;
	int ret;

	for (i = 0; iommu->ops->stream_add && i < dev->nr_ids; i++) {
		if (dev->weir->mode == WEIR_MODE_OFF || weir_streams_shared(dev, &dev->ids[i]))
			continue;
		/* Others are aliases that a bridge makes: no translation is asked for with them. */
		caps.ats = i ? NULL : dev->ats;
		ret = iommu->ops->stream_add(iommu, dev->ids[i].id, &caps);
		if (ret) {
			remove_own_streams(dev, i);
			return ret;
		}
	}
	return 0;
}

static int attach_own_streams(struct weir_device *dev)
{
	struct weir_group *group = dev->group;
	unsigned int i;
	int ret;

	for (i = 0; group->domain && i < dev->nr_ids; i++) {
		if (weir_streams_shared(dev, &dev->ids[i]))
			continue;
		ret = group->iommu->ops->attach(group->iommu, dev->ids[i].id, group->domain);
		if (ret) {
			block_own_streams(dev, i);
			return ret;
		}
	}
	return 0;
}

/* Put the streams back that attach_streams() had moved: those before the i-th of `stop`. */
static void reattach_streams(struct weir_group *group, const struct weir_device *stop,
			     unsigned int stop_at)
{
	struct weir_iommu *iommu = group->iommu;
	const struct weir_device *dev;
	struct weir_domain *old;
	unsigned int i;

	for (dev = group->devices; dev; dev = dev->group_next) {
		for (i = 0; i < dev->nr_ids; i++) {
			if (dev == stop && i == stop_at)
				return;
			old = group->domain ? group->domain :
					      weir_direct_rest(iommu, dev->ids[i].id);
			if (speaks_for(group, dev, dev->ids[i].id))
				force_attach(iommu, dev->ids[i].id, old);
		}
	}
}

/* Not inlined: it is not to lie below the other things that a move does. */
static __attribute__((noinline)) int attach_streams(struct weir_group *group,
						    struct weir_domain *domain)
{
	struct weir_iommu *iommu = group->iommu;
	const struct weir_device *dev;
	unsigned int i;
	int ret;

	for (dev = group->devices; dev; dev = dev->group_next) {
		for (i = 0; i < dev->nr_ids; i++) {
			if (!speaks_for(group, dev, dev->ids[i].id))
				continue;
			ret = iommu->ops->attach(iommu, dev->ids[i].id, domain);
			if (ret) {
				reattach_streams(group, dev, i);
				return ret;
			}
		}
	}
	return 0;
}

/* ---- Between domains ---------------------------------------------------------------------- */

/*
 * Let the DMA API see where the group is. A device whose answer does not change is left alone: it
 * may be mapping right now.
 */
static void publish(struct weir_group *group)
{
	bool usable = group->domain == group->standard;
	struct weir_domain *dma = NULL;
	struct weir_device *dev;

	if (usable && group->domain && group->domain->type == WEIR_DOMAIN_PAGING)
		dma = group->domain;
	for (dev = group->devices; dev; dev = dev->group_next) {
		if (dev->dma != dma)
			dev->dma = dma;
		/* Orders the store above before it; pairs with the mapper's load of blocked. */
		if (dev->blocked == usable)
			__atomic_store_n(&dev->blocked, !usable, __ATOMIC_SEQ_CST);
	}
}

/* Keep the DMA API out; false: something is mapped, and nothing changed. */
static bool quiesce(struct weir_group *group)
{
	struct weir_device *dev;
	uint64_t live = group->orphans;

	for (dev = group->devices; dev; dev = dev->group_next)
		__atomic_store_n(&dev->blocked, true, __ATOMIC_SEQ_CST);
	/* After the stores above, in one order with the mapper's count and look (iommu.h). */
	for (dev = group->devices; dev; dev = dev->group_next)
		live += __atomic_load_n(&dev->live_maps, __ATOMIC_SEQ_CST);
	if (live)
		publish(group);
	return !live;
}

static int move(struct weir_group *group, struct weir_domain *domain)
{
	struct weir_domain *old = group->domain;
	int ret = weir_msi_enter(group, domain);

	if (ret)
		return ret;
	ret = attach_streams(group, domain);
	if (ret) {
		weir_msi_leave(group, domain);
		return ret;
	}
	weir_group_set_domain(group, domain);
	domain->attached++;
	if (old) {
		old->attached--;
		weir_msi_leave(group, old);
	}
	return 0;
}

int weir_group_move(struct weir_group *group, struct weir_domain *domain)
{
	int ret;

	if (group->domain == domain)
		return 0;
	if (!quiesce(group))
		return -WEIR_EBUSY;
	ret = move(group, domain);
	publish(group);
	return ret;
}

/* ---- The standard domain ------------------------------------------------------------------ */

/* `mask` is what `changed` is about to have. */
static bool wants_identity(const struct weir_group *group, const struct weir_device *changed,
			   uint64_t mask)
{
	const struct weir_device *dev = group->devices;

	if (group->weir->mode != WEIR_MODE_PASSTHROUGH || !group->iommu->identity ||
	    !weir_direct_is_identity(group))
		return false;
	while (dev && weir_device_reaches_memory(dev, dev == changed ? mask : dev->dma_mask))
		dev = dev->group_next;
	return !dev;
}

static int choose(struct weir_group *group, bool identity, struct weir_domain **domain)
{
	struct weir_domain *paging;
	int ret;

	*domain = NULL;
	if (group->weir->mode == WEIR_MODE_OFF)
		return 0;
	*domain = group->iommu->identity;
	if (identity)
		return 0;
	if (!group->paging) {
		ret = weir_domain_new_dma(group, &paging);
		if (ret)
			return ret;
		/* Release: a fault report may look; pairs with weir_group_paging(). */
		__atomic_store_n(&group->paging, paging, __ATOMIC_RELEASE);
	}
	*domain = group->paging;
	return 0;
}

int weir_group_update(struct weir_group *group, const struct weir_device *changed, uint64_t mask)
{
	struct weir_domain *old = group->standard, *target;
	int ret = choose(group, wants_identity(group, changed, mask), &target);

	if (ret || !target || target == old)
		return ret;
	/* An address that a device was told for its interrupts must stay right. */
	if (group->doors)
		return -WEIR_EBUSY;
	if (group->domain != old) {
		group->standard = target; /* for when it comes back from its user's domain */
		return 0;
	}
	if (!quiesce(group))
		return -WEIR_EBUSY;
	ret = move(group, target);
	if (!ret)
		group->standard = target;
	publish(group);
	return ret;
}

/* ---- Members ------------------------------------------------------------------------------ */

static int check_desc(struct weir_device *dev, const struct weir_device_desc *desc)
{
	const struct weir_group *group = desc->group_with ? desc->group_with->group : NULL;
	unsigned int i;

	for (i = 0; i < desc->nr_ids; i++) {
		if (!desc->ids[i].iommu || desc->ids[i].iommu->weir != dev->weir ||
		    desc->ids[i].iommu != desc->ids[0].iommu) {
			weir_dev_log(dev, WEIR_LOG_ERR, "its stream IDs are not of one IOMMU");
			return -WEIR_EINVAL;
		}
	}
	if (desc->group_with && (!group || group->iommu != desc->ids[0].iommu)) {
		weir_dev_log(dev, WEIR_LOG_ERR, "cannot share a group with %s: not the same IOMMU",
			     desc->group_with->name);
		return -WEIR_EINVAL;
	}
	return 0;
}

static void copy_ids(struct weir_device *dev, const struct weir_device_desc *desc)
{
	unsigned int i, k;

	for (i = 0; i < desc->nr_ids; i++) {
		for (k = 0; k < dev->nr_ids && dev->ids[k].id != desc->ids[i].id; k++)
			;
		if (k == dev->nr_ids)
			dev->ids[dev->nr_ids++] = desc->ids[i];
	}
}

static int check_ids(struct weir_device *dev)
{
	struct weir_iommu *iommu = dev->group->iommu;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && dev->weir->mode != WEIR_MODE_OFF && i < dev->nr_ids; i++) {
		ret = iommu->ops->check_id(iommu, dev->ids[i].id);
		if (ret)
			weir_dev_log(dev, WEIR_LOG_ERR, "%s cannot tell stream 0x%x apart (%d)",
				     iommu->name, dev->ids[i].id, ret);
	}
	return ret;
}

/* Addresses that no device of the group may be given. */
static int add_reserved(struct weir_device *dev, const struct weir_device_desc *desc)
{
	struct weir_group *group = dev->group;
	struct weir_group_range *range;
	unsigned int i;
	int ret;

	for (i = 0; i < desc->nr_reserved; i++) {
		range = weir_alloc(group->weir, sizeof(*range), 0);
		if (!range)
			return -WEIR_ENOMEM;
		range->range = desc->reserved[i];
		range->next = group->reserved;
		group->reserved = range;
		if (!group->paging)
			continue;
		ret = weir_iova_reserve(group->paging->iova, range->range.start, range->range.size);
		if (ret) {
			weir_dev_log(dev, WEIR_LOG_ERR, "addresses 0x%llx+0x%llx are in use (%d)",
				     (unsigned long long)range->range.start,
				     (unsigned long long)range->range.size, ret);
			return ret;
		}
	}
	return 0;
}

static struct weir_group *group_new(struct weir_iommu *iommu)
{
	struct weir_group *group = weir_alloc(iommu->weir, sizeof(*group), 0);

	if (!group)
		return NULL;
	group->weir = iommu->weir;
	group->iommu = iommu;
	group->id = iommu->weir->next_group_id++;
	return group;
}

static void group_delete(struct weir_group *group)
{
	struct weir_group_range *range;

	if (group->domain) {
		group->domain->attached--;
		weir_msi_leave(group, group->domain);
	}
	weir_msi_forget(group);
	weir_streams_wait(group->weir);
	if (group->paging)
		weir_domain_delete(group->paging);
	while ((range = group->reserved)) {
		group->reserved = range->next;
		weir_free(group->weir, range);
	}
	weir_direct_forget(group);
	weir_free(group->weir, group);
}

static void unlink_member(struct weir_device *dev)
{
	struct weir_group *group = dev->group;
	struct weir_device **link = &group->devices;

	while (*link != dev)
		link = &(*link)->group_next;
	*link = dev->group_next;
	if (--group->nr_devices == 0)
		group_delete(group);
	dev->group = NULL;
}

static bool has_pasids(const struct weir_group *group)
{
	const struct weir_device *dev = group->devices;

	while (dev && !dev->pasids)
		dev = dev->group_next;
	return dev;
}

/* The streams of a device that is linked: known, checked, attached where its group is. */
static int bring_in(struct weir_device *dev, const struct weir_device_desc *desc)
{
	struct weir_group *group = dev->group;
	int ret;

	if (group->domain != group->standard || has_pasids(group)) {
		weir_dev_log(dev, WEIR_LOG_ERR, "its group is assigned to somebody");
		return -WEIR_EBUSY;
	}
	ret = check_ids(dev);
	if (!ret)
		ret = add_reserved(dev, desc);
	if (!ret)
		ret = weir_direct_join(dev, desc);
	if (!ret)
		ret = weir_streams_add(dev);
	if (ret)
		return ret;
	ret = add_own_streams(dev);
	if (ret)
		goto err_streams;
	ret = attach_own_streams(dev);
	if (ret)
		goto err_remove;
	ret = weir_group_update(group, dev, dev->dma_mask);
	if (ret)
		goto err_block;
	publish(group);
	return 0;

err_block:
	if (group->domain)
		block_own_streams(dev, dev->nr_ids);
err_remove:
	remove_own_streams(dev, dev->nr_ids);
err_streams:
	weir_streams_remove(dev);
	return ret;
}

int weir_group_join(struct weir_device *dev, const struct weir_device_desc *desc)
{
	struct weir_group *group;
	int ret;

	if (!desc->nr_ids) {
		dev->blocked = false;
		return 0;
	}
	ret = check_desc(dev, desc);
	if (ret)
		return ret;
	group = desc->group_with ? desc->group_with->group : group_new(desc->ids[0].iommu);
	if (!group)
		return -WEIR_ENOMEM;
	copy_ids(dev, desc);
	dev->group = group;
	dev->group_next = group->devices;
	group->devices = dev;
	group->nr_devices++;
	ret = bring_in(dev, desc);
	if (ret)
		unlink_member(dev);
	return ret;
}

void weir_group_leave(struct weir_device *dev)
{
	struct weir_group *group = dev->group;

	weir_pasids_forget(dev);
	weir_viommu_forget(dev);
	if (group->weir->mode != WEIR_MODE_OFF) {
		block_own_streams(dev, dev->nr_ids);
		remove_own_streams(dev, dev->nr_ids);
	}
	weir_streams_remove(dev);
	weir_streams_wait(dev->weir);
	group->orphans += __atomic_load_n(&dev->live_maps, __ATOMIC_ACQUIRE);
	unlink_member(dev);
}
