/* SPDX-License-Identifier: MIT */

/*
 * Doorbells of message-signalled interrupts. A message is a write like any other, so its target
 * must be mapped in whatever domain the device is in. Each doorbell page has one place in the
 * window, the same in every domain of the machine: an address that a device was told stays right
 * when its group moves.
 *
 * A group counts its messages for each doorbell, a domain the groups in it that use it. All under
 * weir.lock.
 */

#include "iommu/iommu.h"

/* A doorbell page and its place; lives as long as the machine. */
struct weir_msi_door {
	struct weir_msi_door *next;
	weir_phys_t phys;
	weir_dma_t iova;
};

struct weir_msi_page {
	struct weir_msi_page *next;
	struct weir_msi_door *door;
	unsigned int refs; /* in a group: messages; in a domain: groups */
};

static struct weir_msi_page **page_find(struct weir_msi_page **list,
					const struct weir_msi_door *door)
{
	while (*list && (*list)->door != door)
		list = &(*list)->next;
	return list;
}

static int door_get(struct weir *weir, weir_phys_t phys, struct weir_msi_door **found)
{
	struct weir_msi_door *door;
	weir_dma_t iova = WEIR_MSI_WINDOW;

	for (door = weir->msi_doors; door; door = door->next) {
		if (door->phys == phys) {
			*found = door;
			return 0;
		}
		iova += WEIR_PAGE_SIZE;
	}
	if (iova >= WEIR_MSI_WINDOW + WEIR_MSI_WINDOW_SIZE)
		return -WEIR_ENOSPC;
	door = weir_alloc(weir, sizeof(*door), 0);
	if (!door)
		return -WEIR_ENOMEM;
	door->phys = phys;
	door->iova = iova;
	door->next = weir->msi_doors;
	weir->msi_doors = door;
	*found = door;
	return 0;
}

/* ---- In a domain -------------------------------------------------------------------------- */

static int domain_get(struct weir_domain *domain, struct weir_msi_door *door)
{
	struct weir_extent extent = { .phys = door->phys, .size = WEIR_PAGE_SIZE };
	struct weir_msi_page *page = *page_find(&domain->msi_pages, door);
	int ret;

	if (page) {
		page->refs++;
		return 0;
	}
	page = weir_alloc(domain->iommu->weir, sizeof(*page), 0);
	if (!page)
		return -WEIR_ENOMEM;
	ret = domain->ops->map(domain, door->iova, &extent, 1,
			       WEIR_IOMMU_WRITE | WEIR_IOMMU_MMIO | WEIR_IOMMU_NOEXEC);
	if (ret) {
		weir_free(domain->iommu->weir, page);
		return ret;
	}
	page->door = door;
	page->refs = 1;
	page->next = domain->msi_pages;
	domain->msi_pages = page;
	return 0;
}

static void domain_put(struct weir_domain *domain, struct weir_msi_door *door)
{
	struct weir_msi_page **link = page_find(&domain->msi_pages, door), *page = *link;

	if (!page || --page->refs)
		return;
	*link = page->next;
	(void)domain->ops->unmap(domain, door->iova, WEIR_PAGE_SIZE);
	weir_free(domain->iommu->weir, page);
}

static void put_up_to(struct weir_group *group, struct weir_domain *domain,
		      const struct weir_msi_page *end)
{
	struct weir_msi_page *page;

	for (page = group->doors; page != end; page = page->next)
		domain_put(domain, page->door);
}

int weir_msi_enter(struct weir_group *group, struct weir_domain *domain)
{
	struct weir_domain *old = group->domain, *mapped = weir_domain_mapped(domain);
	struct weir_msi_page *page;
	int ret;

	if (!group->doors || domain->type == WEIR_DOMAIN_BLOCKED)
		return 0;
	/* A guest maps where the parent has it: what the device is told is the guest's affair. */
	if (old && old->type != WEIR_DOMAIN_BLOCKED && old->type != domain->type &&
	    (!mapped || weir_domain_mapped(old) != mapped))
		return -WEIR_EBUSY;
	for (page = group->doors; mapped && page; page = page->next) {
		ret = domain_get(mapped, page->door);
		if (ret) {
			put_up_to(group, mapped, page);
			return ret;
		}
	}
	return 0;
}

void weir_msi_leave(struct weir_group *group, struct weir_domain *domain)
{
	struct weir_domain *mapped = weir_domain_mapped(domain);

	if (mapped)
		put_up_to(group, mapped, NULL);
}

/* ---- In a group --------------------------------------------------------------------------- */

static int group_get(struct weir_group *group, struct weir_msi_door *door)
{
	struct weir_domain *mapped = weir_domain_mapped(group->domain);
	struct weir_msi_page *page = *page_find(&group->doors, door);
	int ret = 0;

	if (page) {
		page->refs++;
		return 0;
	}
	page = weir_alloc(group->weir, sizeof(*page), 0);
	if (!page)
		return -WEIR_ENOMEM;
	if (mapped)
		ret = domain_get(mapped, door);
	if (ret) {
		weir_free(group->weir, page);
		return ret;
	}
	page->door = door;
	page->refs = 1;
	page->next = group->doors;
	group->doors = page;
	return 0;
}

static void group_put(struct weir_group *group, struct weir_msi_door *door)
{
	struct weir_msi_page **link = page_find(&group->doors, door), *page = *link;
	struct weir_domain *mapped = weir_domain_mapped(group->domain);

	if (!page || --page->refs)
		return;
	*link = page->next;
	if (mapped)
		domain_put(mapped, door);
	weir_free(group->weir, page);
}

void weir_msi_forget(struct weir_group *group)
{
	struct weir_msi_page *page;

	while ((page = group->doors)) {
		group->doors = page->next;
		weir_free(group->weir, page);
	}
}

void weir_msi_fini(struct weir *weir)
{
	struct weir_msi_door *door;

	while ((door = weir->msi_doors)) {
		weir->msi_doors = door->next;
		weir_free(weir, door);
	}
}

/* ---- For drivers -------------------------------------------------------------------------- */

/* Make the doorbell reachable; the address of it that the device must use. Under weir.lock. */
static int open_door(struct weir_group *group, weir_phys_t doorbell, weir_dma_t *address)
{
	struct weir_msi_door *door;
	int ret = door_get(group->weir, doorbell & WEIR_PAGE_MASK, &door);

	if (!ret)
		ret = group_get(group, door);
	if (!ret && group->domain->type != WEIR_DOMAIN_IDENTITY)
		*address = door->iova + (doorbell & ~WEIR_PAGE_MASK);
	return ret;
}

int weir_device_msi_alloc(struct weir_device *dev, uint32_t controller, uint32_t device_id,
			  unsigned int index, unsigned int cpu, struct weir_msi *msi,
			  weir_dma_t *address)
{
	struct weir *weir = dev->weir;
	int ret = plat_msi_alloc(weir->plat, controller, device_id, index, cpu, msi);

	if (ret)
		return ret;
	*address = msi->doorbell;
	plat_mutex_lock(weir->plat, &weir->lock);
	if (dev->group && dev->group->domain)
		ret = open_door(dev->group, msi->doorbell, address);
	plat_mutex_unlock(weir->plat, &weir->lock);
	if (ret)
		plat_msi_free(weir->plat, msi);
	return ret;
}

void weir_device_msi_free(struct weir_device *dev, const struct weir_msi *msi)
{
	struct weir *weir = dev->weir;
	struct weir_msi_door *door;

	plat_mutex_lock(weir->plat, &weir->lock);
	for (door = weir->msi_doors; door; door = door->next) {
		if (dev->group && door->phys == (msi->doorbell & WEIR_PAGE_MASK))
			group_put(dev->group, door);
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	plat_msi_free(weir->plat, msi);
}
