/* SPDX-License-Identifier: MIT */
/*
 * The device tree of the machine.
 *
 * A struct tree remembers the first error, so that nodes are written one line after another and the
 * error is looked at once, at the end.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

/** Room for all but the cpu nodes, and for each of those; both generous. */
#define TREE_BYTES 8192
#define TREE_CPU_BYTES 256

#define PHANDLE_INTC 1u
#define PHANDLE_MSI 2u
#define PHANDLE_SMMU 3u

/* Interrupt specifiers of a GIC: kind, number, flags. */
#define GIC_SPI 0u
#define IRQ_EDGE_RISING 1u

/* First cell of a PCI address (IEEE 1275 PCI binding, 2.2.1): 32-bit and 64-bit memory space. */
#define PCI_MEMORY32 0x02000000u
#define PCI_MEMORY64 0x03000000u

#define HIGH(x) ((uint32_t)((uint64_t)(x) >> 32))
#define LOW(x) ((uint32_t)(x))

struct tree {
	void *blob;
	int err;
};

static void note(struct tree *tree, int err)
{
	if (!tree->err)
		tree->err = err;
}

static void begin(struct tree *tree, const char *name)
{
	note(tree, fdt_begin_node(tree->blob, name));
}

static void end(struct tree *tree)
{
	note(tree, fdt_end_node(tree->blob));
}

static void empty(struct tree *tree, const char *name)
{
	note(tree, fdt_property(tree->blob, name, NULL, 0));
}

static void cell(struct tree *tree, const char *name, uint32_t value)
{
	note(tree, fdt_property_u32(tree->blob, name, value));
}

static void string(struct tree *tree, const char *name, const char *value)
{
	note(tree, fdt_property_string(tree->blob, name, value));
}

static void cells(struct tree *tree, const char *name, const uint32_t *values, unsigned int nr)
{
	fdt32_t *place;
	int err = fdt_property_placeholder(tree->blob, name, (int)(nr * sizeof(*place)),
					   (void **)&place);

	note(tree, err);
	if (err)
		return;
	for (unsigned int i = 0; i < nr; i++)
		place[i] = cpu_to_fdt32(values[i]);
}

#define CELLS(tree, name, ...)                                                                     \
	cells(tree, name, (const uint32_t[]){ __VA_ARGS__ },                                       \
	      WEIR_ARRAY_SIZE(((const uint32_t[]){ __VA_ARGS__ })))

static void reg(struct tree *tree, uint64_t base, uint64_t size)
{
	CELLS(tree, "reg", HIGH(base), LOW(base), HIGH(size), LOW(size));
}

static void two_cells_each(struct tree *tree)
{
	cell(tree, "#address-cells", 2);
	cell(tree, "#size-cells", 2);
}

/* ---- Nodes ------------------------------------------------------------------------------ */

static void cpu_nodes(struct tree *tree, unsigned int cpus)
{
	char name[24];

	begin(tree, "cpus");
	cell(tree, "#address-cells", 1);
	cell(tree, "#size-cells", 0);
	for (unsigned int i = 0; i < cpus; i++) {
		snprintf(name, sizeof(name), "cpu@%x", i);
		begin(tree, name);
		string(tree, "device_type", "cpu");
		string(tree, "compatible", "arm,armv8");
		cell(tree, "reg", i);
		end(tree);
	}
	end(tree);
}

static void memory_node(struct tree *tree, uint64_t size)
{
	begin(tree, "memory@40000000");
	string(tree, "device_type", "memory");
	reg(tree, WEIR_MODEL_MACHINE_RAM_BASE, size);
	end(tree);
}

/*
 * The interrupt controller is the embedder's sink: it has lines and numbers as a GIC has, and no
 * registers. The frame that messages are written to is below it, as on machines with a GIC.
 */
static void interrupt_nodes(struct tree *tree)
{
	begin(tree, "intc");
	string(tree, "compatible", "arm,gic-v3");
	empty(tree, "interrupt-controller");
	cell(tree, "#interrupt-cells", 3);
	two_cells_each(tree);
	empty(tree, "ranges");
	cell(tree, "phandle", PHANDLE_INTC);

	begin(tree, "v2m@8000000");
	string(tree, "compatible", "arm,gic-v2m-frame");
	empty(tree, "msi-controller");
	reg(tree, MACHINE_DOORBELL_BASE, MACHINE_DOORBELL_SIZE);
	cell(tree, "arm,msi-base-spi", WEIR_MODEL_MACHINE_MSI_FIRST);
	cell(tree, "arm,msi-num-spis", WEIR_MODEL_MACHINE_MSI_COUNT);
	cell(tree, "phandle", PHANDLE_MSI);
	end(tree);
	end(tree);
}

#define SPI(irq) GIC_SPI, (irq)-MACHINE_SPI_FIRST, IRQ_EDGE_RISING

static void smmu_node(struct tree *tree)
{
	static const char names[] = "eventq\0priq\0cmdq-sync\0gerror";

	begin(tree, "smmuv3@9050000");
	string(tree, "compatible", "arm,smmu-v3");
	reg(tree, MACHINE_SMMU_BASE, WEIR_MODEL_SMMUV3_MMIO_SIZE);
	CELLS(tree, "interrupts", SPI(WEIR_MODEL_MACHINE_IRQ_EVENTQ), SPI(MACHINE_IRQ_PRIQ),
	      SPI(WEIR_MODEL_MACHINE_IRQ_CMDQ_SYNC), SPI(WEIR_MODEL_MACHINE_IRQ_GERROR));
	note(tree, fdt_property(tree->blob, "interrupt-names", names, sizeof(names)));
	cell(tree, "#iommu-cells", 1);
	empty(tree, "dma-coherent");
	cell(tree, "phandle", PHANDLE_SMMU);
	end(tree);
}

static void pcie_node(struct tree *tree, bool smmu)
{
	begin(tree, "pcie@4010000000");
	string(tree, "compatible", "pci-host-ecam-generic");
	string(tree, "device_type", "pci");
	reg(tree, MACHINE_ECAM_BASE, MACHINE_ECAM_SIZE);
	CELLS(tree, "bus-range", 0, MACHINE_BUSES - 1);
	cell(tree, "linux,pci-domain", 0);
	cell(tree, "#address-cells", 3);
	cell(tree, "#size-cells", 2);
	CELLS(tree, "ranges", PCI_MEMORY32, HIGH(MACHINE_MMIO32_BASE), LOW(MACHINE_MMIO32_BASE),
	      HIGH(MACHINE_MMIO32_BASE), LOW(MACHINE_MMIO32_BASE), HIGH(MACHINE_MMIO32_SIZE),
	      LOW(MACHINE_MMIO32_SIZE), PCI_MEMORY64, HIGH(MACHINE_MMIO64_BASE),
	      LOW(MACHINE_MMIO64_BASE), HIGH(MACHINE_MMIO64_BASE), LOW(MACHINE_MMIO64_BASE),
	      HIGH(MACHINE_MMIO64_SIZE), LOW(MACHINE_MMIO64_SIZE));
	empty(tree, "dma-coherent");
	CELLS(tree, "msi-map", 0, PHANDLE_MSI, 0, 0x10000);
	if (smmu)
		CELLS(tree, "iommu-map", 0, PHANDLE_SMMU, 0, 0x10000);
	end(tree);
}

static void root_node(struct tree *tree, const struct weir_model_machine_config *config)
{
	begin(tree, "");
	string(tree, "model", "weir model machine");
	string(tree, "compatible", "weir,model-machine");
	two_cells_each(tree);
	cell(tree, "interrupt-parent", PHANDLE_INTC);
	begin(tree, "chosen");
	end(tree);
	cpu_nodes(tree, config->cpus);
	memory_node(tree, config->ram_size);
	interrupt_nodes(tree);
	if (config->smmu)
		smmu_node(tree);
	pcie_node(tree, config->smmu);
	end(tree);
}

int weir_model_machine_build_fdt(const struct weir_model_machine_config *config, void **fdt,
				 size_t *size)
{
	int room = TREE_BYTES + TREE_CPU_BYTES * (int)config->cpus;
	struct tree tree = { .blob = calloc(1, (size_t)room) };

	if (!tree.blob)
		return -WEIR_ENOMEM;
	note(&tree, fdt_create(tree.blob, room));
	note(&tree, fdt_finish_reservemap(tree.blob));
	root_node(&tree, config);
	note(&tree, fdt_finish(tree.blob));
	if (tree.err) {
		fprintf(stderr, "machine: device tree: %s\n", fdt_strerror(tree.err));
		free(tree.blob);
		return -WEIR_ENOMEM;
	}
	*fdt = tree.blob;
	*size = fdt_totalsize(tree.blob);
	return 0;
}
