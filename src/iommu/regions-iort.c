/* SPDX-License-Identifier: MIT */

/*
 * What ACPI's IORT wants kept mapped: its RMR nodes (Arm DEN 0049, "Reserved Memory Range node"),
 * which name the streams themselves. Each has ranges, and ID mappings whose outputs are StreamIDs
 * of the SMMU that they refer to.
 */

#include "firmware/iort.h"
#include "iommu/iommu.h"

/* What is wrong of a whole node is told once: by the first IOMMU. */
static void tell(struct weir_iommu *iommu, const struct weir_iort *iort)
{
	if (iommu == iommu->weir->iommus)
		(void)weir_iort_log(iommu->weir, iort);
}

/* What a mapping of it is to be like. */
static void read_flags(const struct weir_iort_rmr *rmr, struct weir_direct_region *region)
{
	region->kind = rmr->may_remap ? WEIR_REGION_DIRECT_RELAXABLE : WEIR_REGION_DIRECT;
	region->prot = WEIR_IOMMU_READ | WEIR_IOMMU_WRITE;
	if (rmr->privileged)
		region->prot |= WEIR_IOMMU_PRIV;
	/* The four kinds of device memory; what is not cached, or not said, is Normal memory. */
	if (rmr->attributes <= WEIR_IORT_RMR_GRE)
		region->prot |= WEIR_IOMMU_MMIO;
	else if (rmr->attributes == WEIR_IORT_RMR_WRITE_BACK)
		region->prot |= WEIR_IOMMU_CACHE;
}

static int claim_ranges(struct weir_iommu *iommu, struct weir_iort *iort,
			const struct weir_iort_node *node, const struct weir_iort_mapping *mapping,
			const struct weir_iort_rmr *rmr)
{
	struct weir_direct_region region;
	uint64_t base;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < rmr->ranges; i++) {
		read_flags(rmr, &region);
		if (weir_iort_rmr_range(iort, node, i, &base, &region.size)) {
			(void)weir_iort_log(iommu->weir, iort);
			continue;
		}
		region.start = region.phys = base;
		ret = weir_direct_claim(iommu, mapping->output, mapping->output + mapping->last,
					&region, "IORT, reserved memory");
	}
	return ret;
}

static int claim_node(struct weir_iommu *iommu, struct weir_iort *iort,
		      const struct weir_iort_node *node)
{
	struct weir_iort_mapping mapping;
	struct weir_iort_rmr rmr;
	int ret = 0;

	if (weir_iort_rmr(iort, node, &rmr)) {
		tell(iommu, iort);
		return 0;
	}
	if (!node->mappings && iommu == iommu->weir->iommus)
		weir_log(iommu->weir, WEIR_LOG_WARN,
			 "IORT, reserved memory at byte %u: it is for no stream", node->offset);
	for (uint32_t i = 0; !ret && i < node->mappings; i++) {
		if (weir_iort_mapping(iort, node, i, &mapping)) {
			tell(iommu, iort);
			/* One of them; or all, and then their number says nothing. */
			if (!weir_iort_holds_mappings(node))
				return 0;
			continue;
		}
		if (mapping.reference == iommu->iort_node)
			ret = claim_ranges(iommu, iort, node, &mapping, &rmr);
	}
	return ret;
}

int weir_regions_iort(struct weir_iommu *iommu, struct weir_iort *iort)
{
	struct weir_iort_node node = { .index = 0 };
	int ret = 0;

	while (!ret && weir_iort_next_type(iort, &node, WEIR_IORT_RMR))
		ret = claim_node(iommu, iort, &node);
	return ret;
}
