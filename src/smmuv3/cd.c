/* SPDX-License-Identifier: MIT */
/*
 * Context descriptors (5.4). There is one for each domain, complete with V = 1 before any stream
 * table entry leads to it, and never changed while one does: an SMMU cannot have fetched it before
 * (3.21.3.1, second note), so that no CMD_CFGI_CD is ever due. CMD_CFGI_STE drops cached copies
 * when the last entry that led here changes (4.3.1).
 */

#include "smmuv3/smmuv3.h"

void weir_smmuv3_cd_write(struct weir_smmuv3 *smmu, uint64_t *cd, weir_phys_t root, uint32_t asid)
{
	uint64_t cache = smmu->features.coherent ? WEIR_SMMU_CACHE_WB : WEIR_SMMU_CACHE_NC;

	/*
	 * TTB1 is off; its fields are then ignored (5.4.1.1). A and R: a fault aborts the access
	 * and is recorded; S = 0: it never stalls. ASET: the ASIDs are no CPU's, so that broadcast
	 * invalidation by one of the same number may leave these entries alone.
	 */
	cd[0] = WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 64 - WEIR_SMMUV3_VA_BITS) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, WEIR_SMMU_CD_TG0_4K) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IR0, cache) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_OR0, cache) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, WEIR_SMMU_SH_ISH) | WEIR_SMMU_CD_0_EPD1 |
		WEIR_SMMU_CD_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, smmu->features.ips) |
		WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_ASET |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, asid);
	cd[1] = (uint64_t)root & WEIR_SMMU_CD_1_TTB0;
	cd[3] = WEIR_PGTABLE_VMSAV8_MAIR;
	weir_smmuv3_clean(smmu, cd, WEIR_SMMU_CD_SIZE);
}
