/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SMMUV3_REGS_H
#define WEIR_SMMUV3_REGS_H

/*
 * The seam to the registers: every access of the driver is one of these. They order nothing against
 * memory; plat_dma_wmb() before a write that makes the SMMU look, plat_dma_rmb() behind a read that
 * says what it did, stand where they are needed.
 */

#include "smmuv3/smmuv3.h"

static inline volatile void WEIR_IOMEM *weir_smmuv3_reg(const struct weir_smmuv3 *smmu,
							uint32_t offset)
{
	return (volatile uint8_t WEIR_IOMEM *)smmu->regs + offset;
}

static inline uint32_t weir_smmuv3_read(const struct weir_smmuv3 *smmu, uint32_t offset)
{
	return plat_mmio_read32(weir_smmuv3_reg(smmu, offset));
}

static inline void weir_smmuv3_write(const struct weir_smmuv3 *smmu, uint32_t offset,
				     uint32_t value)
{
	plat_mmio_write32(weir_smmuv3_reg(smmu, offset), value);
}

static inline void weir_smmuv3_write64(const struct weir_smmuv3 *smmu, uint32_t offset,
				       uint64_t value)
{
	plat_mmio_write64(weir_smmuv3_reg(smmu, offset), value);
}

#endif
