/* SPDX-License-Identifier: MIT */
/*
 * The machine and its device tree.
 *
 * Properties:
 * - The tree is well-formed, and what it says is there answers where it says.
 * - What the configuration leaves out is neither in the tree nor on the bus.
 * - The message controller raises what is written to it, and refuses everything else.
 * - The NVMe controller and the rogue are behind root ports of their own, with ACS.
 * - A device's work goes all the way: registers, DMA, message, sink.
 * - Wrong values are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>

#include <weir/hw/pci.h>
#include <weir/hw/rogue.h>
#include <weir/model/machine.h>

#define RAM WEIR_MODEL_MACHINE_RAM_BASE
#define RAM_SIZE 0x100000u
#define FIRST WEIR_MODEL_MACHINE_MSI_FIRST

struct fixture {
	struct weir_model_machine_config config;
	struct weir_model_machine *m;
	const void *fdt;
	unsigned int raised, last;
};

static void raise_note(void *opaque, unsigned int irq)
{
	struct fixture *f = opaque;

	f->raised++;
	f->last = irq;
}

static int disk_read(void *opaque, uint64_t offset, void *buf, size_t len)
{
	(void)opaque;
	(void)offset;
	memset(buf, 0x5a, len);
	return 0;
}

static struct fixture *make(bool smmu, bool disk, bool rogue)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t size = 0;

	f->config = (struct weir_model_machine_config){
		.ram = aligned_alloc(4096, RAM_SIZE),
		.ram_size = RAM_SIZE,
		.cpus = 3,
		.smmu = smmu,
		.has_disk = disk,
		.nvme.disk = { .read = disk_read, .size = 1 << 20 },
		.has_rogue = rogue,
		.sink = { raise_note, f },
	};
	memset(f->config.ram, 0, RAM_SIZE);
	assert_int_equal(weir_model_machine_create(&f->config, &f->m), 0);
	f->fdt = weir_model_machine_fdt(f->m, &size);
	assert_int_equal(fdt_check_full(f->fdt, size), 0);
	return f;
}

static void unmake(struct fixture *f)
{
	weir_model_machine_destroy(f->m);
	free(f->config.ram);
	free(f);
}

static int setup(void **state)
{
	*state = make(true, true, true);
	return 0;
}

static int teardown(void **state)
{
	unmake(*state);
	return 0;
}

/* ---- The tree --------------------------------------------------------------------------- */

static int node(struct fixture *f, const char *compatible)
{
	return fdt_node_offset_by_compatible(f->fdt, -1, compatible);
}

/** Cell `i` of a property. */
static uint32_t cell(struct fixture *f, int offset, const char *name, unsigned int i)
{
	int len = 0;
	const fdt32_t *cells = fdt_getprop(f->fdt, offset, name, &len);

	assert_non_null(cells);
	assert_in_range(i, 0, len / 4 - 1);
	return fdt32_to_cpu(cells[i]);
}

static uint64_t cell64(struct fixture *f, int offset, const char *name, unsigned int i)
{
	return (uint64_t)cell(f, offset, name, i) << 32 | cell(f, offset, name, i + 1);
}

static bool answers(struct fixture *f, uint64_t addr)
{
	uint32_t value;

	return weir_model_bus_read(weir_model_machine_bus(f->m), addr, &value, 4, WEIR_MODEL_CPU) ==
	       WEIR_MODEL_OK;
}

static void assert_path(struct fixture *f, int offset, const char *want)
{
	char path[64];

	assert_true(offset >= 0);
	assert_int_equal(fdt_get_path(f->fdt, offset, path, sizeof(path)), 0);
	assert_string_equal(path, want);
}

static void test_memory_and_cpus(void **state)
{
	struct fixture *f = *state;
	int memory = fdt_path_offset(f->fdt, "/memory@40000000");
	int child, cpus = 0;

	assert_true(memory >= 0);
	assert_int_equal(cell64(f, memory, "reg", 0), RAM);
	assert_int_equal(cell64(f, memory, "reg", 2), RAM_SIZE);
	assert_true(answers(f, RAM));
	assert_true(answers(f, RAM + RAM_SIZE - 4));
	assert_false(answers(f, RAM + RAM_SIZE));
	fdt_for_each_subnode(child, f->fdt, fdt_path_offset(f->fdt, "/cpus"))
		assert_int_equal(cell(f, child, "reg", 0), cpus++);
	assert_int_equal(cpus, 3);
	assert_true(fdt_path_offset(f->fdt, "/chosen") >= 0);
}

static void test_smmu_node(void **state)
{
	struct fixture *f = *state;
	int smmu = node(f, "arm,smmu-v3");
	int intc = fdt_node_offset_by_phandle(f->fdt, cell(f, 0, "interrupt-parent", 0));
	static const char *const names[] = { "eventq", "priq", "cmdq-sync", "gerror" };
	static const unsigned int irqs[] = { WEIR_MODEL_MACHINE_IRQ_EVENTQ, 107,
					     WEIR_MODEL_MACHINE_IRQ_CMDQ_SYNC,
					     WEIR_MODEL_MACHINE_IRQ_GERROR };

	assert_path(f, smmu, "/smmuv3@9050000");
	assert_int_equal(cell64(f, smmu, "reg", 0), 0x09050000);
	assert_int_equal(cell64(f, smmu, "reg", 2), 0x20000);
	assert_true(answers(f, 0x09050000));
	assert_non_null(fdt_getprop(f->fdt, smmu, "dma-coherent", NULL));
	assert_int_equal(cell(f, smmu, "#iommu-cells", 0), 1);
	assert_path(f, intc, "/intc");
	assert_non_null(fdt_getprop(f->fdt, intc, "interrupt-controller", NULL));
	assert_int_equal(cell(f, intc, "#interrupt-cells", 0), 3);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(fdt_stringlist_get(f->fdt, smmu, "interrupt-names", i, NULL),
				    names[i]);
		assert_int_equal(cell(f, smmu, "interrupts", 3 * i), 0);
		assert_int_equal(cell(f, smmu, "interrupts", 3 * i + 1), irqs[i] - 32);
		assert_int_equal(cell(f, smmu, "interrupts", 3 * i + 2), 1);
	}
}

static void test_pcie_node(void **state)
{
	struct fixture *f = *state;
	int pcie = node(f, "pci-host-ecam-generic"), msi;

	assert_path(f, pcie, "/pcie@4010000000");
	assert_string_equal(fdt_getprop(f->fdt, pcie, "device_type", NULL), "pci");
	assert_int_equal(cell64(f, pcie, "reg", 0), 0x4010000000);
	assert_int_equal(cell64(f, pcie, "reg", 2), 256ull << 20);
	assert_int_equal(cell(f, pcie, "bus-range", 1), 255);
	assert_true(answers(f, 0x4010000000));
	assert_true(answers(f, 0x4010000000 + (256ull << 20) - 4));
	assert_int_equal(cell(f, pcie, "ranges", 0), 0x02000000);
	assert_int_equal(cell64(f, pcie, "ranges", 1), cell64(f, pcie, "ranges", 3));
	assert_int_equal(cell64(f, pcie, "ranges", 3), 0x10000000);
	assert_int_equal(cell(f, pcie, "ranges", 7), 0x03000000);
	assert_int_equal(cell64(f, pcie, "ranges", 10), 0x8000000000);
	assert_int_equal(cell(f, pcie, "iommu-map", 1),
			 fdt_get_phandle(f->fdt, node(f, "arm,smmu-v3")));
	assert_int_equal(cell(f, pcie, "iommu-map", 3), 0x10000);

	msi = fdt_node_offset_by_phandle(f->fdt, cell(f, pcie, "msi-map", 1));
	assert_path(f, msi, "/intc/v2m@8000000");
	assert_int_equal(cell64(f, msi, "reg", 0), 0x08000000);
	assert_int_equal(cell64(f, msi, "reg", 2), 0x1000);
	assert_int_equal(cell(f, msi, "arm,msi-base-spi", 0), FIRST);
	assert_int_equal(cell(f, msi, "arm,msi-num-spis", 0), WEIR_MODEL_MACHINE_MSI_COUNT);
}

static unsigned int steppers(struct fixture *f)
{
	unsigned int nr = 0;

	while (weir_model_machine_stepper(f->m, nr))
		nr++;
	return nr;
}

static uint32_t config_id(struct fixture *f, unsigned int bus, unsigned int slot)
{
	uint64_t addr = 0x4010000000ull + ((uint64_t)bus << 20) + (slot << 15);
	uint32_t id = 0;

	assert_int_equal(weir_model_bus_read(weir_model_machine_bus(f->m), addr, &id, 4,
					     WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	return id;
}

static void test_left_out(void **state)
{
	struct fixture *f = make(false, false, false);
	int pcie = node(f, "pci-host-ecam-generic");

	(void)state;
	assert_true(node(f, "arm,smmu-v3") < 0);
	assert_null(fdt_getprop(f->fdt, pcie, "iommu-map", NULL));
	assert_false(answers(f, 0x09050000));
	assert_null(weir_model_machine_smmu(f->m));
	assert_null(weir_model_machine_nvme(f->m));
	assert_null(weir_model_machine_rogue(f->m));
	assert_int_equal(config_id(f, 0, 1), 0xffffffff);
	assert_int_equal(config_id(f, 0, 2), 0xffffffff);
	assert_int_equal(steppers(f), 0);
	unmake(f);
	f = make(false, true, false);
	assert_int_equal(steppers(f), 1);
	assert_ptr_equal(weir_model_machine_stepper(f->m, 0),
			 weir_model_nvme_stepper(weir_model_machine_nvme(f->m)));
	assert_int_equal(config_id(f, 0, 2), 0xffffffff);
	unmake(f);
}

/* ---- The message controller ------------------------------------------------------------- */

static enum weir_model_result message(struct fixture *f, uint64_t addr, uint64_t value, size_t size)
{
	return weir_model_bus_write(weir_model_machine_bus(f->m), addr, &value, size, 0x100);
}

static void test_doorbell(void **state)
{
	struct fixture *f = *state;
	uint64_t doorbell = WEIR_MODEL_MACHINE_MSI_DOORBELL;
	uint32_t typer = 0;

	assert_int_equal(message(f, doorbell, FIRST + 7, 4), WEIR_MODEL_OK);
	assert_int_equal(f->raised, 1);
	assert_int_equal(f->last, FIRST + 7);
	assert_int_equal(message(f, doorbell, FIRST + 511, 4), WEIR_MODEL_OK);
	assert_int_equal(f->raised, 2);
	assert_int_equal(message(f, doorbell, FIRST - 1, 4), WEIR_MODEL_OK);
	assert_int_equal(message(f, doorbell, FIRST + 512, 4), WEIR_MODEL_OK);
	assert_int_equal(message(f, doorbell, 0xffffffff, 4), WEIR_MODEL_OK);
	assert_int_equal(message(f, doorbell, FIRST, 2), WEIR_MODEL_ABORT);
	assert_int_equal(message(f, doorbell, FIRST, 8), WEIR_MODEL_ABORT);
	assert_int_equal(message(f, doorbell + 4, FIRST, 4), WEIR_MODEL_ABORT);
	assert_int_equal(f->raised, 2);
	assert_int_equal(weir_model_bus_read(weir_model_machine_bus(f->m), 0x08000008, &typer, 4,
					     WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	assert_int_equal(typer, FIRST << 16 | WEIR_MODEL_MACHINE_MSI_COUNT);
}

/* ---- Devices ---------------------------------------------------------------------------- */

static void poke(struct fixture *f, uint64_t addr, size_t size, uint64_t value)
{
	assert_int_equal(weir_model_bus_write(weir_model_machine_bus(f->m), addr, &value, size,
					      WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
}

static uint64_t config_at(unsigned int bus, unsigned int slot, unsigned int reg)
{
	return 0x4010000000ull + ((uint64_t)bus << 20) + (slot << 15) + reg;
}

static void open_ports(struct fixture *f)
{
	for (unsigned int slot = 1; slot <= 2; slot++) {
		uint64_t window = 0x1000 + slot * 0x10;

		poke(f, config_at(0, slot, WEIR_PCI_PRIMARY_BUS), 4, slot << 16 | slot << 8);
		poke(f, config_at(0, slot, WEIR_PCI_MEMORY_BASE), 4, window << 16 | window);
		poke(f, config_at(0, slot, WEIR_PCI_COMMAND), 2, 6);
	}
}

static void test_topology(void **state)
{
	struct fixture *f = *state;
	uint32_t class_revision = 0, acs = 0;

	open_ports(f);
	assert_int_equal(config_id(f, 2, 0), WEIR_ROGUE_DEVICE << 16 | WEIR_ROGUE_VENDOR);
	weir_model_bus_read(weir_model_machine_bus(f->m), config_at(1, 0, WEIR_PCI_CLASS_REVISION),
			    &class_revision, 4, WEIR_MODEL_CPU);
	assert_int_equal(class_revision >> 8, WEIR_PCI_CLASS_STORAGE_EXPRESS);
	for (unsigned int slot = 1; slot <= 2; slot++) {
		weir_model_bus_read(weir_model_machine_bus(f->m), config_at(0, slot, 0x100), &acs,
				    2, WEIR_MODEL_CPU);
		assert_int_equal(acs, WEIR_PCI_EXT_CAP_ID_ACS);
		weir_model_bus_read(weir_model_machine_bus(f->m), config_at(0, slot, 0x104), &acs,
				    2, WEIR_MODEL_CPU);
		assert_int_equal(acs, 0x1d); /* SV RR CR UF */
	}
	assert_int_equal(steppers(f), 3);
}

static void test_rogue_reaches_memory(void **state)
{
	struct fixture *f = make(false, true, true);
	uint64_t bar = 0x10200000, pattern = 0;
	struct weir_model_stepper *stepper =
		weir_model_rogue_stepper(weir_model_machine_rogue(f->m));

	(void)state;
	open_ports(f);
	poke(f, config_at(2, 0, WEIR_PCI_BASE_ADDRESS_0), 4, bar);
	poke(f, config_at(2, 0, WEIR_PCI_COMMAND), 2, 6);
	poke(f, bar + WEIR_ROGUE_MSIX, 8, WEIR_MODEL_MACHINE_MSI_DOORBELL);
	poke(f, bar + WEIR_ROGUE_MSIX + 8, 8, FIRST + 3);
	poke(f, config_at(2, 0, 0x82), 2, WEIR_PCI_MSIX_FLAGS_ENABLE);
	poke(f, bar + WEIR_ROGUE_LIST, 8, (RAM + 0x8000) | WEIR_ROGUE_WRITE);
	poke(f, bar + WEIR_ROGUE_COUNT, 4, 1);
	poke(f, bar + WEIR_ROGUE_DOORBELL, 4, 1);
	while (stepper->step(stepper, 16) == 16)
		;
	memcpy(&pattern, (uint8_t *)f->config.ram + 0x8000, 8);
	assert_int_equal(pattern & ~0xfffull, WEIR_ROGUE_PATTERN & ~0xfffull);
	assert_int_equal(f->raised, 1);
	assert_int_equal(f->last, FIRST + 3);
	unmake(f);
}

/* ---- Wrong values ----------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct weir_model_machine_config c = f->config;
	struct weir_model_machine *m;

	c.ram_size = 0x1800;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c.ram_size = 0x4000000000;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c = f->config;
	c.ram = NULL;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c = f->config;
	c.cpus = 0;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c = f->config;
	c.sink.raise = NULL;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c = f->config;
	c.nvme.block_size = 1000;
	assert_int_equal(weir_model_machine_create(&c, &m), -WEIR_EINVAL);
	c = f->config;
	c.cpus = 512;
	assert_int_equal(weir_model_machine_create(&c, &m), 0);
	weir_model_machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory_and_cpus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smmu_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pcie_node, setup, teardown),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test_setup_teardown(test_doorbell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_topology, setup, teardown),
		cmocka_unit_test(test_rogue_reaches_memory),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
