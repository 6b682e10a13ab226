/* SPDX-License-Identifier: MIT */
/* Memory that the SMMU reads or writes: queues, stream tables, context descriptors. */

#include "smmuv3/smmuv3.h"

int weir_smmuv3_memory_alloc(struct weir_smmuv3 *smmu, struct weir_smmuv3_memory *memory,
			     size_t size)
{
	void *plat = smmu->iommu.weir->plat;
	unsigned int order = 0;
	int ret;

	while (WEIR_PAGE_SIZE << order < size)
		order++;
	ret = plat_pages_alloc(plat, order, smmu->zone, 0, &memory->phys);
	if (ret)
		return ret;
	memory->order = order;
	memory->virt = plat_phys_to_virt(plat, memory->phys);
	memset(memory->virt, 0, WEIR_PAGE_SIZE << order);
	/*
	 * Flushed: no line of it may stay here, or be written back over what the SMMU writes there.
	 */
	if (!smmu->features.coherent)
		plat_cache_flush(plat, memory->virt, WEIR_PAGE_SIZE << order);
	return 0;
}

void weir_smmuv3_memory_free(struct weir_smmuv3 *smmu, struct weir_smmuv3_memory *memory)
{
	if (memory->virt)
		plat_pages_free(smmu->iommu.weir->plat, memory->phys, memory->order);
	memory->virt = NULL;
}

void weir_smmuv3_clean(struct weir_smmuv3 *smmu, const void *virt, size_t size)
{
	if (!smmu->features.coherent)
		plat_cache_clean(smmu->iommu.weir->plat, virt, size);
}

void weir_smmuv3_store(struct weir_smmuv3 *smmu, uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	weir_smmuv3_clean(smmu, word, sizeof(*word));
}

uint32_t weir_smmuv3_queue_entries(unsigned int asked, unsigned int otherwise, uint8_t max_shift)
{
	uint64_t want = asked ? asked : otherwise;
	unsigned int shift = 0;

	while (shift < max_shift && WEIR_BIT(shift) < want)
		shift++;
	return (uint32_t)WEIR_BIT(shift);
}

uint64_t weir_smmuv3_queue_base(const struct weir_smmuv3_memory *memory, uint64_t entries)
{
	return WEIR_SMMU_Q_BASE_RWA | ((uint64_t)memory->phys & WEIR_SMMU_Q_BASE_ADDR) |
	       (uint64_t)__builtin_ctzll(entries);
}
