/* SPDX-License-Identifier: MIT */

/*
 * Memory that firmware wants kept mapped, while and after weir takes over: a display that shows the
 * firmware's picture, a controller that a management processor works with.
 *
 * - A claim is firmware's word on a range of streams of an IOMMU: one region. Claims are collected
 *   while the IOMMU is brought up and are the machine's, in weir.claims.
 * - A stream with a claim is parked before its IOMMU is turned on: in a domain that has its regions
 *   and nothing else, and that streams with the very same regions share. It is there whenever no
 *   device has it: from weir_init() to weir_device_add(), which takes the stream from the one
 *   domain to the other in one step, and again after weir_device_remove(). weir.parked.
 * - A group has the regions of all its devices, without overlaps, in weir_group.direct. They are
 *   kept out of the allocator of the DMA API's domain, and mapped there before a stream enters it.
 *   Nothing takes them out again: an unmap has addresses that the allocator gave.
 *
 * Locking: weir.lock, but for bring-up and take-down, when nobody else knows the machine. Claims
 * and parked streams do not change in between.
 *
 * Firmware is not trusted to make sense: what a region or a claim has wrong is logged, and costs
 * that region, not the machine. How much there can be is limited.
 */

#include "iommu/iommu.h"

#define MAX_CLAIMS 1024u /* of a machine */
#define MAX_PARKED 256u

#define LAST(region) ((region)->start + ((region)->size - 1))

struct weir_claim {
	struct weir_claim *next;
	struct weir_iommu *iommu;
	uint32_t first, last;
	struct weir_direct_region region;
};

struct weir_parked {
	struct weir_parked *next;
	struct weir_iommu *iommu;
	struct weir_domain *domain; /* `attached` counts its streams */
	uint32_t id;
};

struct weir_group_direct {
	struct weir_group_direct *next;
	struct weir_direct_region region;
};

static bool is_direct(const struct weir_direct_region *region)
{
	return region->kind == WEIR_REGION_DIRECT || region->kind == WEIR_REGION_DIRECT_RELAXABLE;
}

/* ---- Regions as firmware has them --------------------------------------------------------- */

static void tell(struct weir *weir, const char *who, const struct weir_direct_region *region,
		 const char *what)
{
	weir_log(weir, WEIR_LOG_ERR, "%s: region 0x%llx+0x%llx %s", who,
		 (unsigned long long)region->start, (unsigned long long)region->size, what);
}

static bool overlaps(const struct weir_direct_region *region, uint64_t start, uint64_t size)
{
	return region->start <= start + (size - 1) && LAST(region) >= start;
}

/* Why it cannot be kept, or NULL. */
static const char *hopeless(const struct weir_iommu *iommu, const struct weir_direct_region *region)
{
	uint64_t last = ~(uint64_t)0;

	if (region->kind > WEIR_REGION_RESERVED)
		return "is of no kind that can be asked for: not kept";
	if (!region->size)
		return "is empty: not kept";
	if (region->size - 1 > last - region->start)
		return "goes beyond the last address: not kept";
	if (!is_direct(region))
		return NULL;
	if (region->size - 1 > last - region->phys)
		return "is of memory beyond the last address: not kept";
	if ((region->start ^ region->phys) & (WEIR_PAGE_SIZE - 1))
		return "and its memory lie differently in their pages: not kept";
	if (!(region->prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)))
		return "allows neither to read nor to write: not kept";
	if (region->start > iommu->last || LAST(region) > iommu->last)
		return "is beyond the addresses of its IOMMU: not kept";
	if (overlaps(region, WEIR_MSI_WINDOW, WEIR_MSI_WINDOW_SIZE))
		return "is where doorbells are mapped (0x8000000 to 0x80fffff): not kept";
	return NULL;
}

/* To whole pages, as the hardware must have it. What was checked cannot overflow. */
static bool widen(struct weir_direct_region *region)
{
	uint64_t last = LAST(region) | (WEIR_PAGE_SIZE - 1);
	bool changed = (region->start | region->size) & (WEIR_PAGE_SIZE - 1);

	region->start &= WEIR_PAGE_MASK;
	region->phys &= WEIR_PAGE_MASK;
	/* All 64 bits of addresses cannot be counted; such a size is only ever a reservation's. */
	region->size = last - region->start == ~(uint64_t)0 ? last : last - region->start + 1;
	return changed;
}

/* The region as it will be kept; false: not at all. Either is told. */
static bool accept(struct weir_iommu *iommu, struct weir_direct_region *region, const char *who)
{
	const char *what = hopeless(iommu, region);

	if (what) {
		tell(iommu->weir, who, region, what);
		return false;
	}
	/* The end moves by less than a page, but the IOMMU's may not be a page's. */
	if (widen(region) && is_direct(region))
		tell(iommu->weir, who, region,
		     "was not in whole pages: what else is in them can be reached, too");
	return true;
}

/* 0: mapped, or told that it cannot be. -WEIR_ENOMEM, -WEIR_EIO. */
static int map_region(struct weir_domain *domain, const struct weir_direct_region *region)
{
	struct weir_extent extent = { .phys = region->phys, .size = region->size };
	int ret;

	if (!is_direct(region))
		return 0;
	ret = domain->ops->map(domain, region->start, &extent, 1, region->prot);
	if (ret != -WEIR_EINVAL && ret != -WEIR_EEXIST)
		return ret;
	tell(domain->iommu->weir, domain->iommu->name, region,
	     ret == -WEIR_EEXIST ? "contradicts another: not kept" :
				   "cannot be mapped by this IOMMU: not kept");
	return 0;
}

/* ---- A list of them without overlaps ------------------------------------------------------ */

/* The one with this address, or NULL. */
static struct weir_group_direct *find(struct weir_group_direct *list, uint64_t address)
{
	while (list && (address < list->region.start || address > LAST(&list->region)))
		list = list->next;
	return list;
}

/* The last address from `at`, which is in none of them, to `last` that is in none either. */
static uint64_t gap_end(const struct weir_group_direct *list, uint64_t at, uint64_t last)
{
	for (; list; list = list->next) {
		if (list->region.start > at && list->region.start <= last)
			last = list->region.start - 1;
	}
	return last;
}

static bool agree(const struct weir_direct_region *a, const struct weir_direct_region *b)
{
	if (!is_direct(a) || !is_direct(b))
		return a->kind == b->kind;
	return a->phys - a->start == b->phys - b->start && a->prot == b->prot;
}

/* Part of `region` was there before: what is there stays, but the stricter kind counts. */
static void meet(struct weir_group *group, struct weir_direct_region *old,
		 const struct weir_direct_region *region)
{
	if (!agree(old, region))
		tell(group->weir, group->iommu->name, region,
		     "contradicts another that overlaps it: not kept there");
	else if (region->kind == WEIR_REGION_DIRECT)
		old->kind = region->kind;
}

/* One piece that overlaps nothing. */
static int add_piece(struct weir_group *group, const struct weir_direct_region *piece)
{
	struct weir_domain *paging = group->paging;
	struct weir_group_direct *node = weir_alloc(group->weir, sizeof(*node), 0);
	int ret = 0;

	if (!node)
		return -WEIR_ENOMEM;
	if (paging)
		ret = weir_iova_reserve(paging->iova, piece->start, piece->size);
	if (ret == -WEIR_EBUSY)
		tell(group->weir, group->iommu->name, piece, "is in use by others of its group");
	if (!ret && paging)
		ret = map_region(paging, piece);
	if (ret) {
		weir_free(group->weir, node);
		return ret;
	}
	node->region = *piece;
	node->next = group->direct;
	group->direct = node;
	return 0;
}

static int add_region(struct weir_group *group, const struct weir_direct_region *region)
{
	struct weir_direct_region piece = *region;
	uint64_t at = region->start, last = LAST(region), end;
	int ret = 0;

	while (!ret) {
		struct weir_group_direct *old = find(group->direct, at);

		if (old) {
			meet(group, &old->region, region);
			end = LAST(&old->region);
		} else {
			end = gap_end(group->direct, at, last);
			piece.start = at;
			piece.phys = region->phys + (at - region->start);
			piece.size = end - at + 1;
			ret = add_piece(group, &piece);
		}
		if (end >= last)
			break;
		at = end + 1;
	}
	return ret;
}

/* ---- Claims and parked streams ------------------------------------------------------------ */

static unsigned int count_claims(const struct weir *weir)
{
	unsigned int count = 0;

	for (const struct weir_claim *claim = weir->claims; claim; claim = claim->next)
		count++;
	return count;
}

int weir_direct_claim(struct weir_iommu *iommu, uint32_t first, uint32_t last,
		      const struct weir_direct_region *region, const char *who)
{
	struct weir_claim *claim, **link = &iommu->weir->claims;
	struct weir_direct_region kept = *region;

	if (iommu->weir->mode == WEIR_MODE_OFF || !accept(iommu, &kept, who))
		return 0;
	if (count_claims(iommu->weir) >= MAX_CLAIMS) {
		tell(iommu->weir, who, &kept, "is one too many (of 1024): not kept");
		return 0;
	}
	claim = weir_alloc(iommu->weir, sizeof(*claim), 0);
	if (!claim)
		return -WEIR_ENOMEM;
	claim->iommu = iommu;
	claim->first = first;
	claim->last = last;
	claim->region = kept;
	/* In the tables' order: where two contradict each other, the first one counts. */
	while (*link)
		link = &(*link)->next;
	*link = claim;
	return 0;
}

/* The first claim from `claim` on that is about this stream. */
static const struct weir_claim *about(const struct weir_claim *claim,
				      const struct weir_iommu *iommu, uint32_t id)
{
	while (claim && (claim->iommu != iommu || id < claim->first || id > claim->last))
		claim = claim->next;
	return claim;
}

static bool same_region(const struct weir_direct_region *a, const struct weir_direct_region *b)
{
	return a->kind == b->kind && a->start == b->start && a->size == b->size &&
	       (!is_direct(a) || (a->phys == b->phys && a->prot == b->prot));
}

/* Have the two streams the same regions? */
static bool same_claims(const struct weir_iommu *iommu, uint32_t one, uint32_t other)
{
	const struct weir_claim *a = about(iommu->weir->claims, iommu, one);
	const struct weir_claim *b = about(iommu->weir->claims, iommu, other);

	while (a && b && same_region(&a->region, &b->region)) {
		a = about(a->next, iommu, one);
		b = about(b->next, iommu, other);
	}
	return !a && !b;
}

static struct weir_parked *find_parked(const struct weir_iommu *iommu, uint32_t id)
{
	struct weir_parked *parked = iommu->weir->parked;

	while (parked && (parked->iommu != iommu || parked->id != id))
		parked = parked->next;
	return parked;
}

struct weir_domain *weir_direct_rest(struct weir_iommu *iommu, uint32_t id)
{
	const struct weir_parked *parked = find_parked(iommu, id);

	return parked ? parked->domain : iommu->blocked;
}

/*
 * Regions in a domain of parked streams alone. Overlaps are sorted out as in a group, which this is
 * for that long: one without devices, whose domain is not the DMA API's.
 */
static int map_claims(struct weir_domain *domain, uint32_t id)
{
	struct weir_iommu *iommu = domain->iommu;
	struct weir_group group = { .weir = iommu->weir, .iommu = iommu };
	const struct weir_group_direct *node;
	const struct weir_claim *claim;
	int ret = 0;

	claim = about(iommu->weir->claims, iommu, id);
	for (; !ret && claim; claim = about(claim->next, iommu, id))
		ret = add_region(&group, &claim->region);
	for (node = group.direct; !ret && node; node = node->next)
		ret = map_region(domain, &node->region);
	weir_direct_forget(&group);
	return ret;
}

/* A domain with the regions of this stream. */
static int make_domain(struct weir_iommu *iommu, uint32_t id, struct weir_domain **domain)
{
	const struct weir_parked *parked;
	int ret;

	for (parked = iommu->weir->parked; parked; parked = parked->next) {
		if (parked->iommu == iommu && same_claims(iommu, parked->id, id)) {
			*domain = parked->domain;
			return 0;
		}
	}
	ret = weir_domain_new(iommu, 0, domain);
	if (ret)
		return ret;
	ret = map_claims(*domain, id);
	if (ret)
		weir_domain_delete(*domain);
	return ret;
}

static int park(struct weir_iommu *iommu, uint32_t id)
{
	struct weir *weir = iommu->weir;
	struct weir_parked *parked = weir_alloc(weir, sizeof(*parked), 0);
	int ret;

	if (!parked)
		return -WEIR_ENOMEM;
	parked->iommu = iommu;
	parked->id = id;
	ret = make_domain(iommu, id, &parked->domain);
	if (ret)
		goto free_parked;
	ret = iommu->ops->attach(iommu, id, parked->domain);
	if (ret)
		goto free_domain;
	parked->domain->attached++;
	parked->next = weir->parked;
	weir->parked = parked;
	weir_log(weir, WEIR_LOG_INFO, "%s: stream 0x%x keeps what firmware reserved for it",
		 iommu->name, id);
	return 0;

free_domain:
	if (!parked->domain->attached)
		weir_domain_delete(parked->domain);
free_parked:
	weir_free(weir, parked);
	return ret;
}

static unsigned int count_parked(const struct weir *weir)
{
	unsigned int count = 0;

	for (const struct weir_parked *parked = weir->parked; parked; parked = parked->next)
		count++;
	return count;
}

/* All streams of a claim, as far as there are such streams, and not too many. */
static int park_claim(const struct weir_claim *claim)
{
	struct weir_iommu *iommu = claim->iommu;
	uint32_t id = claim->first;
	const char *what = NULL;
	int ret = 0;

	for (;; id++) {
		if (find_parked(iommu, id))
			goto next;
		if (iommu->ops->check_id(iommu, id))
			what = "the IOMMU cannot tell this stream apart";
		else if (count_parked(iommu->weir) >= MAX_PARKED)
			what = "256 streams are kept already";
		if (what)
			break;
		ret = park(iommu, id);
		if (ret)
			return ret;
next:
		if (id == claim->last)
			return 0;
	}
	weir_log(iommu->weir, WEIR_LOG_ERR,
		 "%s: what firmware reserved for stream 0x%x (up to 0x%x) is not kept: %s",
		 iommu->name, id, claim->last, what);
	return 0;
}

int weir_direct_park(struct weir_iommu *iommu)
{
	const struct weir_claim *claim;
	int ret = 0;

	for (claim = iommu->weir->claims; !ret && claim; claim = claim->next) {
		if (claim->iommu == iommu && is_direct(&claim->region))
			ret = park_claim(claim);
	}
	return ret;
}

static void unpark(struct weir_parked *parked)
{
	struct weir_iommu *iommu = parked->iommu;
	int ret = iommu->ops->attach(iommu, parked->id, iommu->blocked);

	/* The driver turns it off next; it says so if that fails, too. */
	if (ret)
		weir_log(iommu->weir, WEIR_LOG_ERR, "%s: stream 0x%x could not be blocked (%d)",
			 iommu->name, parked->id, ret);
	if (!--parked->domain->attached)
		weir_domain_delete(parked->domain);
	weir_free(iommu->weir, parked);
}

void weir_direct_unpark(struct weir_iommu *iommu)
{
	struct weir_parked *parked, **at = &iommu->weir->parked;
	struct weir_claim *claim, **link = &iommu->weir->claims;

	while ((parked = *at)) {
		if (parked->iommu != iommu) {
			at = &parked->next;
			continue;
		}
		*at = parked->next;
		unpark(parked);
	}
	while ((claim = *link)) {
		if (claim->iommu != iommu) {
			link = &claim->next;
			continue;
		}
		*link = claim->next;
		weir_free(iommu->weir, claim);
	}
}

/* ---- Groups ------------------------------------------------------------------------------- */

static int join_stream(struct weir_group *group, uint32_t id)
{
	const struct weir_claim *claim = about(group->weir->claims, group->iommu, id);
	int ret = 0;

	for (; !ret && claim; claim = about(claim->next, group->iommu, id))
		ret = add_region(group, &claim->region);
	return ret;
}

int weir_direct_join(struct weir_device *dev, const struct weir_device_desc *desc)
{
	struct weir_direct_region region;
	unsigned int i;
	int ret = 0;

	if (dev->weir->mode == WEIR_MODE_OFF)
		return 0;
	for (i = 0; !ret && i < dev->nr_ids; i++)
		ret = join_stream(dev->group, dev->ids[i].id);
	for (i = 0; !ret && i < desc->nr_direct; i++) {
		region = desc->direct[i];
		if (accept(dev->group->iommu, &region, dev->name))
			ret = add_region(dev->group, &region);
	}
	return ret;
}

int weir_direct_map(struct weir_group *group, struct weir_domain *domain)
{
	const struct weir_group_direct *node;
	int ret = 0;

	for (node = group->direct; !ret && node; node = node->next) {
		ret = weir_iova_reserve(domain->iova, node->region.start, node->region.size);
		if (!ret)
			ret = map_region(domain, &node->region);
	}
	return ret;
}

static bool has(struct weir_domain *domain, const struct weir_direct_region *region)
{
	weir_phys_t phys;
	uint64_t at;

	for (at = 0; at < region->size; at += WEIR_PAGE_SIZE) {
		if (weir_domain_iova_to_phys(domain, region->start + at, &phys) ||
		    phys != region->phys + at)
			return false;
	}
	return true;
}

bool weir_direct_is_mapped(const struct weir_group *group, struct weir_domain *domain)
{
	const struct weir_group_direct *node = group->direct;

	while (node && (node->region.kind != WEIR_REGION_DIRECT || has(domain, &node->region)))
		node = node->next;
	if (node)
		tell(group->weir, group->iommu->name, &node->region,
		     "must stay mapped, and is not in the domain that its device was to enter");
	return !node;
}

bool weir_direct_is_identity(const struct weir_group *group)
{
	const struct weir_group_direct *node = group->direct;

	while (node && (!is_direct(&node->region) || node->region.phys == node->region.start))
		node = node->next;
	return !node;
}

void weir_direct_forget(struct weir_group *group)
{
	struct weir_group_direct *node;

	while ((node = group->direct)) {
		group->direct = node->next;
		weir_free(group->weir, node);
	}
}

/* ---- For drivers -------------------------------------------------------------------------- */

/* Where answers go; counts what has no room. */
struct answer {
	struct weir_direct_region *regions;
	unsigned int count, max;
};

static void answer(struct answer *a, const struct weir_direct_region *region)
{
	if (a->regions && a->count < a->max)
		a->regions[a->count] = *region;
	a->count++;
}

static void list_regions(const struct weir_group *group, struct answer *a)
{
	struct weir_direct_region region = { .start = WEIR_MSI_WINDOW,
					     .phys = WEIR_MSI_WINDOW,
					     .size = WEIR_MSI_WINDOW_SIZE,
					     .prot = WEIR_IOMMU_WRITE | WEIR_IOMMU_NOEXEC |
						     WEIR_IOMMU_MMIO,
					     .kind = WEIR_REGION_SW_MSI };

	for (const struct weir_group_direct *node = group->direct; node; node = node->next)
		answer(a, &node->region);
	answer(a, &region);
	for (const struct weir_group_range *range = group->reserved; range; range = range->next) {
		region = (struct weir_direct_region){ .start = range->range.start,
						      .size = range->range.size,
						      .kind = WEIR_REGION_RESERVED };
		answer(a, &region);
	}
}

unsigned int weir_device_regions(struct weir_device *dev, struct weir_direct_region *regions,
				 unsigned int max)
{
	struct answer a = { .regions = regions, .max = max };
	struct weir *weir = dev->weir;

	plat_mutex_lock(weir->plat, &weir->lock);
	if (dev->group)
		list_regions(dev->group, &a);
	plat_mutex_unlock(weir->plat, &weir->lock);
	return a.count;
}
