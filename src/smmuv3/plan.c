/* SPDX-License-Identifier: MIT */
/*
 * Plans of invalidations: made when somebody attaches, executed at unmap (invalidate.c). domain.h
 * says why that is right, and has the order of slots and entries.
 */

#include "smmuv3/domain.h"

#define FIRST_SLOTS 6u

void weir_smmuv3_plan_init(const struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	struct weir_smmuv3_plan *plan = &d->plan;

	if (d->stage2) {
		/* Both stages by VMID: also what was cached of both together (4.4.3). */
		plan->by_address = WEIR_SMMU_CMD_TLBI_S2_IPA |
				   WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, d->tag);
		plan->by_id = WEIR_SMMU_CMD_TLBI_S12_VMALL |
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, d->tag);
	} else {
		plan->by_address = WEIR_SMMU_CMD_TLBI_NH_VA |
				   WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, d->tag);
		plan->by_id = WEIR_SMMU_CMD_TLBI_NH_ASID |
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, d->tag);
	}
	plan->granule_shift = smmu->features.granule_shift;
	plan->ranges = smmu->features.range_invalidation;
	/*
	 * Where blocks are split in place another CPU's split may be seen before its invalidation:
	 * a page that goes may still be cached as part of the block, at the block's level.
	 */
	plan->hints = !d->pt.replaces_blocks;
}

static bool fill(struct weir_smmuv3_slots *slots, uint64_t from, uint64_t word)
{
	unsigned int i;

	for (i = 0; slots && i < slots->count; i++) {
		/* Relaxed: only the holder of weir.lock writes. */
		if (__atomic_load_n(&slots->slot[i], __ATOMIC_RELAXED) == from) {
			/* Before the entry is live; pairs with the loads of invalidate.c. */
			__atomic_store_n(&slots->slot[i], word, __ATOMIC_SEQ_CST);
			return true;
		}
	}
	return false;
}

int weir_smmuv3_plan_add(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d, uint64_t word)
{
	struct weir_smmuv3_slots *old = d->plan.slots, *slots;
	unsigned int count = old ? 2 * old->count : FIRST_SLOTS, i;

	if (fill(old, 0, word))
		return 0;
	slots = weir_alloc(smmu->iommu.weir, sizeof(*slots) + count * sizeof(slots->slot[0]), 0);
	if (!slots)
		return -WEIR_ENOMEM;
	slots->count = count;
	for (i = 0; old && i < old->count; i++)
		slots->slot[i] = __atomic_load_n(&old->slot[i], __ATOMIC_RELAXED);
	(void)fill(slots, 0, word);
	__atomic_store_n(&d->plan.slots, slots, __ATOMIC_SEQ_CST);
	weir_epoch_wait(&smmu->epoch);
	weir_free(smmu->iommu.weir, old);
	return 0;
}

void weir_smmuv3_plan_remove(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d, uint64_t word)
{
	if (fill(d->plan.slots, word, 0))
		weir_epoch_wait(&smmu->epoch);
}

void weir_smmuv3_plan_fini(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	weir_free(smmu->iommu.weir, d->plan.slots);
	d->plan.slots = NULL;
}
