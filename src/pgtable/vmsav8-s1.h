/* SPDX-License-Identifier: MIT */
/* VMSAv8-64 stage 1 for one granule: shape, attributes, core. */

#ifndef WEIR_PGTABLE_VMSAV8_S1_H
#define WEIR_PGTABLE_VMSAV8_S1_H

#include "pgtable/vmsav8.h"

static const struct weir_pgtable_shape shape = {
	VMSAV8_SHAPE,
	.dirty_mask = WEIR_VMSA_AP_RDONLY,
	.dirty = 0,
};

/* AttrIndx values, the bytes of WEIR_PGTABLE_VMSAV8_MAIR. */
enum { INDEX_WB, INDEX_NC, INDEX_DEVICE };

_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR & 0xff) == WEIR_VMSA_MAIR_NORMAL_WB, "index 0");
_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR >> 8 & 0xff) == WEIR_VMSA_MAIR_NORMAL_NC, "index 1");
_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR >> 16 & 0xff) == WEIR_VMSA_MAIR_DEVICE_NGNRE, "index 2");

static uint64_t memory_type(unsigned int prot)
{
	/* Shareability of Device and Non-cacheable memory is Outer whatever is written (D8.6). */
	if (prot & WEIR_IOMMU_MMIO)
		return WEIR_SMMU_FIELD(WEIR_VMSA_ATTRINDX, INDEX_DEVICE) |
		       WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_OSH);
	if (prot & WEIR_IOMMU_CACHE)
		return WEIR_SMMU_FIELD(WEIR_VMSA_ATTRINDX, INDEX_WB) |
		       WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_ISH);
	return WEIR_SMMU_FIELD(WEIR_VMSA_ATTRINDX, INDEX_NC) |
	       WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_OSH);
}

static inline int attributes(const struct weir_pgtable *pt, unsigned int prot, uint64_t *leaf)
{
	/* Writable and clean: D8.5.6. */
	uint64_t writable = pt->tracks_dirty ? WEIR_VMSA_AP_RDONLY | WEIR_VMSA_DBM : 0;
	/*
	 * AF set: nothing here updates it. nG: an invalidation by ASID must find the entry. AP has
	 * no write-only: WRITE alone allows reads too. PCIe without PASID is unprivileged (IHI 0070
	 * 13.1.3): without AP[1] it could do nothing.
	 */
	uint64_t attr = (WEIR_VMSA_AF | WEIR_VMSA_NG) + memory_type(prot) +
			(prot & WEIR_IOMMU_WRITE ? writable : WEIR_VMSA_AP_RDONLY) +
			(prot & WEIR_IOMMU_PRIV ? 0 : WEIR_VMSA_AP_UNPRIV) +
			(prot & WEIR_IOMMU_NOEXEC ? WEIR_VMSA_PXN | WEIR_VMSA_UXN : 0);

	if (!(prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)))
		return -WEIR_EINVAL;
	*leaf = attr;
	return 0;
}

#define SHAPE shape
#include "pgtable/core.h"

#endif
