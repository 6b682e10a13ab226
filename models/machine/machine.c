/* SPDX-License-Identifier: MIT */
/*
 * A machine from its parts. Topology: a root port at 00:01.0 holds the NVMe controller, one at
 * 00:02.0 the rogue; both keep requests from going around the IOMMU (ACS).
 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/hw/pci.h>

#include "machine/machine.h"

#define MAX_CPUS 512u
#define MAX_RAM (MACHINE_ECAM_BASE - WEIR_MODEL_MACHINE_RAM_BASE)

static const char *wrong_value(const struct weir_model_machine_config *config)
{
	if (!config->ram || !WEIR_IS_ALIGNED((uintptr_t)config->ram, WEIR_PAGE_SIZE))
		return "ram is not a page-aligned mapping";
	if (!config->ram_size || config->ram_size > MAX_RAM ||
	    !WEIR_IS_ALIGNED(config->ram_size, WEIR_PAGE_SIZE))
		return "ram_size is 0, not a multiple of 4096, or reaches into ECAM (255 GiB)";
	if (!config->cpus || config->cpus > MAX_CPUS)
		return "cpus is not within 1 to 512";
	if (!config->sink.raise)
		return "no interrupt sink";
	return NULL;
}

static int add_doorbell(struct weir_model_machine *m)
{
	return weir_model_bus_add_mmio(m->bus, MACHINE_DOORBELL_BASE, MACHINE_DOORBELL_SIZE,
				       &weir_model_machine_doorbell_ops, &m->doorbell, NULL);
}

static int add_smmu(struct weir_model_machine *m, const struct weir_model_machine_config *config)
{
	static const unsigned int irqs[] = {
		[WEIR_MODEL_SMMUV3_EVENTQ] = WEIR_MODEL_MACHINE_IRQ_EVENTQ,
		[WEIR_MODEL_SMMUV3_PRIQ] = MACHINE_IRQ_PRIQ,
		[WEIR_MODEL_SMMUV3_CMD_SYNC] = WEIR_MODEL_MACHINE_IRQ_CMDQ_SYNC,
		[WEIR_MODEL_SMMUV3_GERROR] = WEIR_MODEL_MACHINE_IRQ_GERROR,
	};
	struct weir_model_host host = { .ops = &weir_model_bus_host_ops, .opaque = &m->smmu_host };
	int err;

	m->smmu_host = (struct weir_model_bus_host){
		.bus = m->bus,
		.sink = config->sink,
		.irqs = irqs,
		.lines = WEIR_ARRAY_SIZE(irqs),
		.requester = MACHINE_SMMU_REQUESTER,
	};
	err = weir_model_smmuv3_create(&host, &config->smmu_config, &m->smmu);
	if (err)
		return err;
	return weir_model_bus_add_mmio(m->bus, MACHINE_SMMU_BASE,
				       weir_model_smmuv3_mmio_size(m->smmu),
				       &weir_model_smmuv3_mmio_ops, m->smmu, NULL);
}

static int add_pcie(struct weir_model_machine *m)
{
	const struct weir_model_pcie_config config = {
		.ecam_base = MACHINE_ECAM_BASE,
		.bus_count = MACHINE_BUSES,
		.mmio32_base = MACHINE_MMIO32_BASE,
		.mmio32_size = MACHINE_MMIO32_SIZE,
		.mmio64_base = MACHINE_MMIO64_BASE,
		.mmio64_size = MACHINE_MMIO64_SIZE,
		.iommu_ops = m->smmu ? &weir_model_smmuv3_iommu_ops : NULL,
		.iommu = m->smmu,
	};

	return weir_model_pcie_create(m->bus, &config, &m->pcie);
}

static int add_port(struct weir_model_machine *m, unsigned int slot,
		    struct weir_model_pci_bridge **port)
{
	static const struct weir_model_pci_bridge_desc desc = {
		.name = "root port",
		.kind = WEIR_MODEL_ROOT_PORT,
		.acs_capabilities =
			WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR | WEIR_PCI_ACS_CR | WEIR_PCI_ACS_UF,
	};

	return weir_model_pci_add_bridge(m->pcie, NULL, WEIR_PCI_DEVFN(slot, 0), &desc, port);
}

static int add_devices(struct weir_model_machine *m, const struct weir_model_machine_config *config)
{
	struct weir_model_pci_bridge *port;
	int err;

	if (config->has_disk) {
		err = add_port(m, 1, &port);
		if (!err)
			err = weir_model_nvme_create(m->pcie, port, 0, &config->nvme, &m->nvme);
		if (err)
			return err;
	}
	if (config->has_rogue) {
		err = add_port(m, 2, &port);
		if (!err)
			err = weir_model_rogue_create(m->pcie, port, 0, &m->rogue);
		if (err)
			return err;
	}
	return 0;
}

static int build(struct weir_model_machine *m, const struct weir_model_machine_config *config)
{
	int err = weir_model_bus_create(&m->bus);

	if (!err)
		err = weir_model_bus_add_ram(m->bus, WEIR_MODEL_MACHINE_RAM_BASE, config->ram_size,
					     config->ram);
	if (!err)
		err = add_doorbell(m);
	if (!err && config->smmu)
		err = add_smmu(m, config);
	if (!err)
		err = add_pcie(m);
	if (!err)
		err = add_devices(m, config);
	if (!err)
		err = weir_model_machine_build_fdt(config, &m->fdt, &m->fdt_size);
	return err;
}

int weir_model_machine_create(const struct weir_model_machine_config *config,
			      struct weir_model_machine **machine)
{
	const char *wrong = wrong_value(config);
	struct weir_model_machine *m;
	int err;

	if (wrong) {
		fprintf(stderr, "machine: %s\n", wrong);
		return -WEIR_EINVAL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return -WEIR_ENOMEM;
	m->doorbell.sink = config->sink;
	err = build(m, config);
	if (err) {
		weir_model_machine_destroy(m);
		return err;
	}
	*machine = m;
	return 0;
}

void weir_model_machine_destroy(struct weir_model_machine *machine)
{
	if (!machine)
		return;
	free(machine->fdt);
	if (machine->rogue)
		weir_model_rogue_destroy(machine->rogue);
	if (machine->nvme)
		weir_model_nvme_destroy(machine->nvme);
	weir_model_pcie_destroy(machine->pcie);
	if (machine->smmu)
		weir_model_smmuv3_destroy(machine->smmu);
	weir_model_bus_destroy(machine->bus);
	free(machine);
}

/* ---- Its parts -------------------------------------------------------------------------- */

struct weir_model_bus *weir_model_machine_bus(struct weir_model_machine *machine)
{
	return machine->bus;
}

struct weir_model_smmuv3 *weir_model_machine_smmu(struct weir_model_machine *machine)
{
	return machine->smmu;
}

struct weir_model_nvme *weir_model_machine_nvme(struct weir_model_machine *machine)
{
	return machine->nvme;
}

struct weir_model_rogue *weir_model_machine_rogue(struct weir_model_machine *machine)
{
	return machine->rogue;
}

const void *weir_model_machine_fdt(struct weir_model_machine *machine, size_t *size)
{
	*size = machine->fdt_size;
	return machine->fdt;
}

struct weir_model_stepper *weir_model_machine_stepper(struct weir_model_machine *machine,
						      unsigned int index)
{
	struct weir_model_stepper *steppers[3];
	unsigned int nr = 0;

	if (machine->smmu)
		steppers[nr++] = weir_model_smmuv3_stepper(machine->smmu);
	if (machine->nvme)
		steppers[nr++] = weir_model_nvme_stepper(machine->nvme);
	if (machine->rogue)
		steppers[nr++] = weir_model_rogue_stepper(machine->rogue);
	return index < nr ? steppers[index] : NULL;
}
