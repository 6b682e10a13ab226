/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_TLB_H
#define WEIR_MODELS_SMMUV3_TLB_H

/* Keys of the IOTLB, and which translations it does without. -> tlb.c */

#include "smmuv3/internal.h"

#define SMMU_TLB_VALID WEIR_BIT(0)
#define SMMU_TLB_SIZE WEIR_GENMASK(6, 1)

/* Key word 0, of the range of 2^size bytes that an address is in. */
static inline uint64_t smmu_tlb_key(uint64_t addr, unsigned int size)
{
	return (addr & ~smmu_low_bits(size)) | WEIR_SMMU_FIELD(SMMU_TLB_SIZE, size) |
	       SMMU_TLB_VALID;
}

/*
 * Where others have all ways of a set, one translation in 64 gets in, by the lookups of its lane.
 * So of more pages than there is room for some stay and hit; the rest do not pay for a locked
 * instruction, behind which the processor begins no walk before all reads of the last are there.
 */
static inline bool smmu_tlb_turn(uint64_t lookups)
{
	return lookups % 64 == 0;
}

/*
 * True: of a page of 4 KiB it has no answer, and would not keep one; false:
 * -> weir_model_smmu_tlb_find(). `tag` is that of a stage 1. Only pages were inserted so far, and
 * no global ones.
 */
static inline bool smmu_tlb_passes_by(const struct weir_model_smmuv3 *smmu,
				      const struct smmu_lane *lane, uint64_t tag, uint64_t addr)
{
	const uint64_t key[2] = { smmu_tlb_key(addr, 12), tag };

	return __atomic_load_n(&smmu->tlb_sizes[0], __ATOMIC_RELAXED) == WEIR_BIT(12) &&
	       !__atomic_load_n(&smmu->tlb_globals, __ATOMIC_RELAXED) &&
	       !smmu_tlb_turn(lane->counters.tlb_lookups + 1) &&
	       !smmu_cache_has_room(&smmu->tlb, key);
}

#endif
