/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

/*
 * Inside the machine: its map, and its parts.
 */

#include <weir/model/machine.h>

#define MACHINE_DOORBELL_BASE 0x08000000ull
#define MACHINE_DOORBELL_SIZE 0x1000u
#define MACHINE_SMMU_BASE 0x09050000ull
#define MACHINE_MMIO32_BASE 0x10000000ull
#define MACHINE_MMIO32_SIZE 0x30000000ull
#define MACHINE_ECAM_BASE 0x4010000000ull
#define MACHINE_BUSES 256u
#define MACHINE_ECAM_SIZE ((uint64_t)MACHINE_BUSES << 20)
#define MACHINE_MMIO64_BASE 0x8000000000ull
#define MACHINE_MMIO64_SIZE 0x8000000000ull

/** Wired interrupts: shared peripheral interrupt n of the device tree is interrupt n + 32. */
#define MACHINE_SPI_FIRST 32u
#define MACHINE_IRQ_PRIQ 107u
/** With which the SMMU's own messages arrive: beyond all of PCIe's. */
#define MACHINE_SMMU_REQUESTER 0x10000u

/** The message controller: an Arm GICv2m frame. One 32-bit register to write, three to read. */
struct machine_doorbell {
	struct weir_model_irq_sink sink;
};

extern const struct weir_model_mmio_ops weir_model_machine_doorbell_ops;

struct weir_model_machine {
	struct weir_model_bus *bus;
	struct machine_doorbell doorbell;
	struct weir_model_bus_host smmu_host;
	struct weir_model_smmuv3 *smmu;
	struct weir_model_pcie *pcie;
	struct weir_model_nvme *nvme;
	struct weir_model_rogue *rogue;
	void *fdt;
	size_t fdt_size;
};

/** The device tree of such a machine, for free(). -WEIR_ENOMEM. */
int weir_model_machine_build_fdt(const struct weir_model_machine_config *config, void **fdt,
				 size_t *size);

#endif
