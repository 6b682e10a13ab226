/* SPDX-License-Identifier: MIT */
/*
 * What firmware wants kept mapped, on the model of the SMMUv3: a device of the firmware's writes
 * into its region while weir comes, gets a device for that stream, uses it, loses it and goes. It
 * tries at every register access that the driver makes, and so in the middle of every operation.
 *
 * - By an IORT and by a device tree, in strict and in passthrough mode: from the moment at which
 *   weir turns the SMMU on until weir_fini() no write is lost, and each lands where it should.
 *   Before, between firmware's configuration and weir's, they abort for a bounded number of steps.
 * - With each try it also tries an address beside its region, and another stream tries the region:
 *   from weir_init()'s first step on neither ever gets through, but where the DMA API says so.
 * - More streams than are kept are told, and the machine comes up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include <weir/dma.h>
#include <weir/domain.h>
#include <weir/model/bus.h>
#include <weir/model/smmuv3.h>

#include "fakeplat.h"
#include "iortbuild.h"

#define RAM (32u << 20)
#define PAGE WEIR_PAGE_SIZE
#define SMMU_BASE 0x09050000ull
#define IRQ_EVENTQ 106u
#define IRQ_GERROR 109u
#define STREAM 7u
#define SIZE 0x100000u
#define ORDER 8

static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };
static struct fakeplat *fake;
static struct weir *weir;
static struct weir_model_bus *bus;
static struct weir_model_smmuv3 *smmu;
static struct iortbuild b;
static weir_phys_t memory; /* of the region, SIZE bytes */

/* ---- The firmware's device ------------------------------------------------------------------ */

static struct {
	bool watched;	      /* weir_init() has begun */
	bool may_pass_beside; /* the group is in the identity domain, or may be entering it */
	bool is_on;	      /* once it got through, it must from then on ... */
	bool is_ending;	      /* ... until weir_fini() */
	bool refused;	      /* the last access did not get through */
	uint64_t region;      /* as the device sees it */
	uint64_t tries, aborted, passed, strays;
	uint32_t counter;
} fw;

static bool access_one(uint32_t stream, uint64_t address, uint32_t value)
{
	struct weir_model_txn txn = {
		.stream = stream,
		.addr = address,
		.len = 4,
		.flags = WEIR_MODEL_TXN_WRITE,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation to = { 0 };
	uint32_t got;

	fw.refused = weir_model_smmuv3_translate(smmu, &txn, &to) != WEIR_MODEL_OK;
	if (fw.refused)
		return false;
	weir_model_bus_write(bus, to.addr, &value, 4, stream);
	weir_model_smmuv3_complete(smmu, &to);
	weir_model_bus_read(bus, memory + (address - fw.region), &got, 4, WEIR_MODEL_CPU);
	return address < fw.region || address >= fw.region + SIZE || got == value;
}

static void try_it(void)
{
	uint64_t at = fw.region + (fw.counter * 4096u + 64) % SIZE;

	if (!fw.watched)
		return;
	fw.tries++;
	if (access_one(STREAM, at, ++fw.counter)) {
		fw.is_on |= fw.aborted > 0;
		fw.passed++;
	} else {
		assert_false(fw.is_on && !fw.is_ending);
		/* Before GBPA.ABORT it goes through as it is, which may lead elsewhere. */
		fw.aborted += fw.refused;
	}
	/*
	 * Before GBPA.ABORT all pass, which the first abort ends. Not each time, as the handler of
	 * the faults looks at registers, too.
	 */
	if (!fw.aborted || fw.tries % 8)
		return;
	if (!fw.may_pass_beside && access_one(STREAM, fw.region - PAGE, 0))
		fw.strays++;
	if (access_one(STREAM + 1, at, 0))
		fw.strays++;
}

/* ---- The machine ---------------------------------------------------------------------------- */

static void step_smmu(void)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(smmu);

	while (stepper->step(stepper, 1000) == 1000)
		;
}

static uint64_t mmio_read(void *opaque, uint64_t phys, unsigned int size)
{
	uint64_t value = 0;

	(void)opaque;
	step_smmu();
	try_it();
	weir_model_bus_read(bus, phys, &value, size, WEIR_MODEL_CPU);
	return value;
}

static void mmio_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	(void)opaque;
	try_it();
	weir_model_bus_write(bus, phys, &value, size, WEIR_MODEL_CPU);
	try_it();
}

static void raise(void *opaque, unsigned int irq)
{
	fakeplat_raise(opaque, irq);
}

static void make_machine(void)
{
	static const unsigned int irqs[] = {
		[WEIR_MODEL_SMMUV3_EVENTQ] = IRQ_EVENTQ,
		[WEIR_MODEL_SMMUV3_GERROR] = IRQ_GERROR,
	};
	static struct weir_model_bus_host bus_host;
	struct weir_model_host host = { &weir_model_bus_host_ops, &bus_host };
	struct weir_model_smmuv3_config config = { 0 };
	struct weir_model_region *region;

	memset(&fw, 0, sizeof(fw));
	fake = fakeplat_new(RAM);
	assert_int_equal(plat_pages_alloc(fake, ORDER, WEIR_ZONE_NORMAL, 0, &memory), 0);
	fw.region = memory;
	fake->mmio = (struct fakeplat_mmio){ .read = mmio_read, .write = mmio_write };
	assert_int_equal(weir_model_bus_create(&bus), 0);
	assert_int_equal(weir_model_bus_add_ram(bus, FAKEPLAT_RAM_BASE, RAM,
						plat_phys_to_virt(fake, FAKEPLAT_RAM_BASE)),
			 0);
	bus_host = (struct weir_model_bus_host){
		.bus = bus,
		.sink = { .raise = raise, .opaque = fake },
		.irqs = irqs,
		.lines = WEIR_ARRAY_SIZE(irqs),
	};
	assert_int_equal(weir_model_smmuv3_create(&host, &config, &smmu), 0);
	assert_int_equal(weir_model_bus_add_mmio(bus, SMMU_BASE, WEIR_MODEL_SMMUV3_MMIO_SIZE,
						 &weir_model_smmuv3_mmio_ops, smmu, &region),
			 0);
}

static void destroy_machine(void)
{
	weir_model_smmuv3_destroy(smmu);
	weir_model_bus_destroy(bus);
	plat_pages_free(fake, memory, ORDER);
	fakeplat_delete(fake);
}

/* ---- What firmware says --------------------------------------------------------------------- */

static void iort_says(struct weir_options *options, uint32_t streams)
{
	const struct iort_smmuv3 what = { .base = SMMU_BASE,
					  .flags = 1,
					  .gsivs = { IRQ_EVENTQ, 0, IRQ_GERROR, 0 } };
	const struct iort_range range = { memory, SIZE };
	uint32_t node;

	iort_begin(&b, 6);
	node = iort_smmuv3(&b, 4, &what);
	iort_rmr(&b, 3, 5u << 2, 1, &range);
	iort_mapping(&b, 0, streams - 1, STREAM, node);
	iort_end(&b);
	options->iort = b.bytes;
	options->iort_size = b.size;
}

static void property(char *blob, const char *name, unsigned int count, const uint32_t *values)
{
	fdt32_t be[8];

	for (unsigned int i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(values[i]);
	fdt_property(blob, name, be, (int)(count * 4));
}

#define CELLS(name, ...)                                                                           \
	property(blob, name, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4,                              \
		 (const uint32_t[]){ __VA_ARGS__ })

static void fdt_says(struct weir_options *options, uint64_t iova)
{
	static char blob[4096];

	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("interrupt-parent", 99);
	fdt_begin_node(blob, "interrupt-controller");
	fdt_property(blob, "interrupt-controller", NULL, 0);
	CELLS("#interrupt-cells", 1);
	CELLS("phandle", 99);
	fdt_end_node(blob);
	fdt_begin_node(blob, "smmuv3@9050000");
	fdt_property_string(blob, "compatible", "arm,smmu-v3");
	CELLS("reg", (uint32_t)SMMU_BASE, WEIR_MODEL_SMMUV3_MMIO_SIZE);
	CELLS("phandle", 1);
	CELLS("#iommu-cells", 1);
	CELLS("interrupts", IRQ_EVENTQ, IRQ_GERROR);
	fdt_property(blob, "interrupt-names", "eventq\0gerror", 14);
	fdt_property(blob, "dma-coherent", NULL, 0);
	fdt_end_node(blob);
	fdt_begin_node(blob, "display");
	CELLS("iommus", 1, STREAM);
	CELLS("phandle", 2);
	fdt_end_node(blob);
	fdt_begin_node(blob, "reserved-memory");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	fdt_property(blob, "ranges", NULL, 0);
	fdt_begin_node(blob, "framebuffer");
	CELLS("reg", (uint32_t)memory, SIZE);
	CELLS("iommu-addresses", 2, (uint32_t)iova, SIZE);
	fdt_end_node(blob);
	fdt_end_node(blob);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	options->fdt = blob;
	options->fdt_size = fdt_totalsize(blob);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

/* The DMA API beside it: its own mappings come and go. */
static void use(struct weir_device *dev)
{
	for (unsigned int i = 0; i < 200; i++) {
		weir_dma_t addr = weir_dma_map_phys(dev, FAKEPLAT_RAM_BASE, PAGE * (1 + i % 5),
						    WEIR_DMA_BIDIRECTIONAL, 0, WEIR_HERE);

		assert_int_not_equal(addr, WEIR_DMA_ERROR);
		try_it();
		weir_dma_unmap(dev, addr, PAGE * (1 + i % 5), WEIR_DMA_BIDIRECTIONAL, 0, WEIR_HERE);
		try_it();
	}
}

static void hand_over(struct weir_options *options)
{
	struct weir_device dev;
	struct weir_device_id id = { .id = STREAM };
	struct weir_device_desc desc = {
		.name = "display", .ids = &id, .nr_ids = 1, .coherent = true
	};
	bool is_identity = options->mode == WEIR_MODE_PASSTHROUGH && fw.region == memory;

	options->plat = fake;
	options->cpus = 1;
	options->iommu_drivers = drivers;
	options->log_level = WEIR_LOG_WARN;
	fw.watched = true;
	assert_int_equal(weir_init(options, &weir), 0);
	fake->weir = weir;
	assert_true(fw.is_on);
	assert_true(fw.aborted > 0 && fw.aborted < 100);
	id.iommu = options->fdt ? weir_iommu_by_phandle(weir, 1) :
				  weir_iommu_by_iort_node(weir, IORT_HEADER);
	for (unsigned int i = 0; i < 3; i++) {
		fw.may_pass_beside = is_identity;
		assert_int_equal(weir_device_add(weir, &dev, &desc), 0);
		/* A mask that reaches all memory, or translation it is after all. */
		assert_int_equal(weir_dma_set_mask(&dev, ~(uint64_t)0), 0);
		use(&dev);
		assert_int_equal(weir_device_remove(&dev), 0);
		fw.may_pass_beside = false;
		try_it();
	}
	assert_true(fw.passed > 1000);
	assert_int_equal(fw.strays, 0);
	fw.is_ending = true;
	assert_int_equal(weir_fini(weir), 0);
	assert_false(access_one(STREAM, fw.region, 0));
	fw.watched = false;
	assert_int_equal(fw.strays, 0);
}

static void nothing_is_lost(void **state)
{
	static const enum weir_mode modes[] = { WEIR_MODE_STRICT, WEIR_MODE_PASSTHROUGH };

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		struct weir_options options = { .mode = modes[i & 1] };

		make_machine();
		if (i / 2 == 2)
			fw.region = 0x70000000; /* at another address than its memory */
		if (i / 2)
			fdt_says(&options, fw.region);
		else
			iort_says(&options, 1);
		hand_over(&options);
		destroy_machine();
	}
}

static void too_many_streams(void **state)
{
	struct weir_options options = { .iommu_drivers = drivers, .cpus = 1 };

	(void)state;
	make_machine();
	options.plat = fake;
	iort_says(&options, 300);
	assert_int_equal(weir_init(&options, &weir), 0);
	assert_true(fakeplat_logged(fake, "stream 0x107 (up to 0x132) is not kept: 256 streams"));
	assert_true(access_one(STREAM + 255, memory, 1));
	assert_false(access_one(STREAM + 256, memory, 2));
	assert_int_equal(weir_fini(weir), 0);
	destroy_machine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(too_many_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
