/* SPDX-License-Identifier: MIT */
/*
 * VMSAv8-64 stage 1 with the 4 KiB granule (DDI 0487 D8.3): four levels of 512 entries, blocks of
 * 2 MiB at level 2 and of 1 GiB at level 1. depth d of the core is level 3 - d.
 */

#include <weir/hw/smmuv3.h>

#include "pgtable/pgtable.h"

static const struct weir_pgtable_shape shape = {
	.page_shift = 12,
	.index_bits = 9,
	.block_depths = 0x7,
	.address = WEIR_VMSA_ADDR,
	.type = WEIR_VMSA_TYPE,
	.type_table = WEIR_VMSA_TYPE_TABLE,
	.type_block = WEIR_VMSA_TYPE_BLOCK,
	.type_page = WEIR_VMSA_TYPE_PAGE,
	.cleaned = WEIR_BIT(55), /* of [58:51], ignored in table descriptors */
};

/* AttrIndx values, the bytes of WEIR_PGTABLE_VMSAV8_MAIR. */
enum { INDEX_WB, INDEX_NC, INDEX_DEVICE };

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

static inline int attributes(unsigned int prot, uint64_t *leaf)
{
	/*
	 * AF set: nothing here updates it. nG: an invalidation by ASID must find the entry. AP has
	 * no write-only: WRITE alone allows reads too.
	 */
	uint64_t attr = WEIR_VMSA_AF | WEIR_VMSA_NG | memory_type(prot);

	if (!(prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)))
		return -WEIR_EINVAL;
	if (!(prot & WEIR_IOMMU_WRITE))
		attr |= WEIR_VMSA_AP_RDONLY;
	/*
	 * PCIe without PASID is unprivileged (IHI 0070 13.1.3): without AP[1] it could do nothing.
	 */
	if (!(prot & WEIR_IOMMU_PRIV))
		attr |= WEIR_VMSA_AP_UNPRIV;
	if (prot & WEIR_IOMMU_NOEXEC)
		attr |= WEIR_VMSA_PXN | WEIR_VMSA_UXN;
	*leaf = attr;
	return 0;
}

#define SHAPE shape
#include "pgtable/core.h"

const struct weir_pgtable_format weir_pgtable_vmsav8_s1 = {
	.name = "VMSAv8-64 stage 1, 4 KiB",
	.shape = &shape,
	.init = core_init,
	.fini = core_fini,
	.map = core_map,
	.unmap = core_unmap,
	.lookup = core_lookup,
};

_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR & 0xff) == WEIR_VMSA_MAIR_NORMAL_WB, "index 0");
_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR >> 8 & 0xff) == WEIR_VMSA_MAIR_NORMAL_NC, "index 1");
_Static_assert((WEIR_PGTABLE_VMSAV8_MAIR >> 16 & 0xff) == WEIR_VMSA_MAIR_DEVICE_NGNRE, "index 2");
