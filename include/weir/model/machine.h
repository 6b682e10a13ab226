/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_MACHINE_H
#define WEIR_MODEL_MACHINE_H

/*
 * A whole machine: RAM, PCIe root complex, SMMUv3, NVMe controller, rogue device, a controller for
 * interrupts and messages, and the flattened device tree that describes it. For those who want a
 * machine and not its parts; each part can also be put together by hand.
 *
 *   0x0800_0000  message controller (its device tree node: arm,gic-v2m-frame): a write of vector N
 *                at offset 0x40 raises interrupt N at the sink
 *   0x0905_0000  SMMUv3, two pages of 64 KiB
 *   0x1000_0000  BAR window, 32-bit
 *   0x4000_0000  RAM
 *   0x40_1000_0000 ECAM;  0x80_0000_0000 BAR window, 64-bit
 */

#include <weir/model/bus.h>
#include <weir/model/nvme.h>
#include <weir/model/rogue.h>
#include <weir/model/smmuv3.h>

WEIR_BEGIN_DECLS

struct weir_model_machine;

struct weir_model_machine_config {
	void *ram;	   /**< the models' mapping of it */
	uint64_t ram_size; /**< page-aligned */
	unsigned int cpus; /**< how many cpu nodes the device tree has */
	bool smmu;	   /**< false: masters reach the bus directly */
	struct weir_model_smmuv3_config smmu_config;
	bool has_disk;
	struct weir_model_nvme_config nvme;
	bool has_rogue;
	struct weir_model_irq_sink sink;
};

#define WEIR_MODEL_MACHINE_RAM_BASE 0x40000000ull
/** Wired interrupts of the machine at the sink, and where messages begin. */
#define WEIR_MODEL_MACHINE_IRQ_EVENTQ 106u
#define WEIR_MODEL_MACHINE_IRQ_CMDQ_SYNC 108u
#define WEIR_MODEL_MACHINE_IRQ_GERROR 109u
#define WEIR_MODEL_MACHINE_MSI_FIRST 256u
#define WEIR_MODEL_MACHINE_MSI_COUNT 512u
#define WEIR_MODEL_MACHINE_MSI_DOORBELL 0x08000040ull

/** -WEIR_EINVAL: a config value (a line on stderr says which). -WEIR_ENOMEM. */
int weir_model_machine_create(const struct weir_model_machine_config *config,
			      struct weir_model_machine **machine);
void weir_model_machine_destroy(struct weir_model_machine *machine);

struct weir_model_bus *weir_model_machine_bus(struct weir_model_machine *machine);
struct weir_model_smmuv3 *
weir_model_machine_smmu(struct weir_model_machine *machine);			     /**< or NULL */
struct weir_model_nvme *weir_model_machine_nvme(struct weir_model_machine *machine); /**< or NULL */
struct weir_model_rogue *
weir_model_machine_rogue(struct weir_model_machine *machine); /**< or NULL */
/** The device tree blob, the machine's to free. */
const void *weir_model_machine_fdt(struct weir_model_machine *machine, size_t *size);

/** All steppers of the machine, for a runner; `index` from 0, NULL beyond the last. */
struct weir_model_stepper *weir_model_machine_stepper(struct weir_model_machine *machine,
						      unsigned int index);

WEIR_END_DECLS

#endif
