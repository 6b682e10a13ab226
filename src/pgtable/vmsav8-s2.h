/* SPDX-License-Identifier: MIT */
/* VMSAv8-64 stage 2 for one granule: shape, attributes, core. */

#ifndef WEIR_PGTABLE_VMSAV8_S2_H
#define WEIR_PGTABLE_VMSAV8_S2_H

#include "pgtable/vmsav8.h"

/*
 * Up to 16 tables are one root (D8.2). With 4K it is level 2 or above: a walk that starts at level
 * 3 takes small tables (IHI 0070 5.2, S2SL0).
 */
static const struct weir_pgtable_shape shape = {
	VMSAV8_SHAPE,
	.concat_bits = 4,
	.root_depth = PAGE_SHIFT == 12,
	.dirty_mask = WEIR_VMSA_S2AP_WRITE,
	.dirty = WEIR_VMSA_S2AP_WRITE,
};

/* MemAttr (D8.6). */
static unsigned int memory_type(const struct weir_pgtable *pt, unsigned int prot)
{
	const unsigned int wb = WEIR_VMSA_MEMATTR_WB, nc = WEIR_VMSA_MEMATTR_NC;

	/* Device-nGnRE is 1 in both encodings. */
	if (prot & WEIR_IOMMU_MMIO)
		return 1;
	/* S2FWB: what is said here holds, whatever stage 1 says of Normal memory. */
	if (pt->forces_attributes)
		return prot & WEIR_IOMMU_CACHE ? WEIR_VMSA_MEMATTR_FWB_WB :
						 WEIR_VMSA_MEMATTR_FWB_NC;
	return prot & WEIR_IOMMU_CACHE ? wb << 2 | wb : nc << 2 | nc;
}

static inline int attributes(const struct weir_pgtable *pt, unsigned int prot, uint64_t *leaf)
{
	bool shared = prot & WEIR_IOMMU_CACHE && !(prot & WEIR_IOMMU_MMIO);
	/* With DBM writable and clean: D8.5.6. */
	uint64_t writable = pt->tracks_dirty ? WEIR_VMSA_DBM : WEIR_VMSA_S2AP_WRITE;
	/*
	 * AF set: nothing here updates it. Privilege is stage 1's affair. Shareability of Device
	 * and Non-cacheable memory is Outer whatever is written (D8.6). XN[1:0] = 0b10 is no
	 * execution at all, with and without XNX (D8.4).
	 */
	uint64_t attr =
		WEIR_VMSA_AF + WEIR_SMMU_FIELD(WEIR_VMSA_S2_MEMATTR, memory_type(pt, prot)) +
		WEIR_SMMU_FIELD(WEIR_VMSA_SH, shared ? WEIR_VMSA_SH_ISH : WEIR_VMSA_SH_OSH) +
		(prot & WEIR_IOMMU_READ ? WEIR_VMSA_S2AP_READ : 0) +
		(prot & WEIR_IOMMU_WRITE ? writable : 0) +
		(prot & WEIR_IOMMU_NOEXEC ? WEIR_SMMU_FIELD(WEIR_VMSA_S2_XN, 2) : 0);

	if (!(prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)))
		return -WEIR_EINVAL;
	*leaf = attr;
	return 0;
}

#define SHAPE shape
#include "pgtable/core.h"

#endif
