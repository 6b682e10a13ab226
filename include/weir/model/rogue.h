/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_ROGUE_H
#define WEIR_MODEL_ROGUE_H

/*
 * The rogue: a PCI function with a DMA engine and no manners. It obeys a program of accesses that
 * its BAR points to: no mapping, no permission, no size means anything to it, only the IOMMU stops
 * it. Software hands it a list, rings the doorbell, and gets one MSI-X message when all is tried.
 *
 * The list is not fetched by DMA (an access of the rogue's own would muddle the count): it is
 * written through a window of registers. Register layout: weir/hw/rogue.h.
 *
 * A write puts a pattern that is all the rogue's own (WEIR_ROGUE_PATTERN), so that memory that it
 * reached can be told. Step budget: one access is one unit.
 */

#include <weir/model/pcie.h>

WEIR_BEGIN_DECLS

struct weir_model_rogue;

struct weir_model_rogue_stats {
	uint64_t attempts, reads, writes;
	uint64_t blocked; /**< ended by the IOMMU */
	uint64_t aborted; /**< let through by the IOMMU, but nothing answered there */
	uint64_t hits;	  /**< reached memory */
};

int weir_model_rogue_create(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			    uint8_t devfn, struct weir_model_rogue **rogue);
void weir_model_rogue_destroy(struct weir_model_rogue *rogue);

struct weir_model_stepper *weir_model_rogue_stepper(struct weir_model_rogue *rogue);
void weir_model_rogue_get_stats(struct weir_model_rogue *rogue,
				struct weir_model_rogue_stats *stats);

WEIR_END_DECLS

#endif
