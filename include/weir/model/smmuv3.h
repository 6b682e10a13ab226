/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_SMMUV3_H
#define WEIR_MODEL_SMMUV3_H

/*
 * A model of the Arm SMMUv3 (IHI 0070 G.b), Non-secure side.
 *
 * The guest programs it through two pages of 64 KiB (weir_model_smmuv3_ops on the bus); masters
 * come in through weir_model_smmuv3_iommu_ops. Commands are consumed by step(), never inside the
 * write to CMDQ_PROD. The IOTLB keeps what nobody invalidated.
 */

#include <weir/model/bus.h>

WEIR_BEGIN_DECLS

struct weir_model_smmuv3;

/** Size of the register file: page 0 and page 1. */
#define WEIR_MODEL_SMMUV3_MMIO_SIZE 0x20000u

/** An implementation. A zero field takes the default given. */
struct weir_model_smmuv3_config {
	uint32_t idr0, idr1, idr3,
		idr5;  /**< 0: stage 1, 4K granule, 44 bits, 2-level, coherent, 16-bit SIDs */
	uint32_t aidr; /**< 0: SMMUv3.1 */
	uint32_t gbpa; /**< reset value of SMMU_GBPA; WEIR_MODEL_SMMUV3_GBPA_ABORT for abort */
	unsigned int tlb_entries;		       /**< IOTLB capacity; 0: 65536. */
	unsigned int irq_eventq, irq_gerror, irq_sync; /**< wired interrupts at the sink */
};
#define WEIR_MODEL_SMMUV3_GBPA_ABORT (1u << 20)

/** Counters since creation; each read is of one moment, the set is not. */
struct weir_model_smmuv3_stats {
	uint64_t transactions, blocked;
	uint64_t tlb_lookups, tlb_hits, walks, ste_fetches, cd_fetches;
	uint64_t commands, syncs, events_written, events_lost;
};

/**
 * -WEIR_EINVAL: an ID register names what the model lacks (a line on stderr says which).
 * -WEIR_ENOMEM.
 */
int weir_model_smmuv3_create(struct weir_model_bus *bus,
			     const struct weir_model_smmuv3_config *config,
			     const struct weir_model_irq_sink *sink,
			     struct weir_model_smmuv3 **smmu);
void weir_model_smmuv3_destroy(struct weir_model_smmuv3 *smmu);

/** For weir_model_bus_add_mmio() with the model as opaque. */
extern const struct weir_model_mmio_ops weir_model_smmuv3_mmio_ops;
/** For struct weir_model_port with the model as iommu. */
extern const struct weir_model_iommu_ops weir_model_smmuv3_iommu_ops;

struct weir_model_stepper *weir_model_smmuv3_stepper(struct weir_model_smmuv3 *smmu);
void weir_model_smmuv3_get_stats(struct weir_model_smmuv3 *smmu,
				 struct weir_model_smmuv3_stats *stats);

WEIR_END_DECLS

#endif
