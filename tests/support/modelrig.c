/* SPDX-License-Identifier: MIT */
/* See modelrig.h. */

#include "modelrig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libfdt.h>

#include <weir/hw/smmuv3.h>

#include "threadplat.h"

#define BASE 0x9050000u

struct modelrig modelrig;

static size_t ram_size;
static uint32_t stepping; /* atomic: a thread is in step() */

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "modelrig: %s\n", what);
	abort();
}

/* ---- Memory of the model --------------------------------------------------------------------- */

static uint64_t *word_at(uint64_t addr)
{
	void *at;

	if (addr < THREADPLAT_RAM_BASE || addr - THREADPLAT_RAM_BASE >= ram_size)
		return NULL;
	at = modelrig.see_ram ? plat_phys_to_virt(NULL, addr) : threadplat_device_view(addr);
	return at;
}

uint64_t modelrig_device_word(uint64_t phys)
{
	const uint64_t *word = word_at(phys);

	require(word, "not a word of RAM");
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static enum weir_model_result load64(void *opaque, uint64_t addr, uint64_t *value)
{
	uint64_t *word = word_at(addr);

	(void)opaque;
	if (!word)
		return WEIR_MODEL_ABORT;
	if (!modelrig.hooks.load || !modelrig.hooks.load(addr, value))
		*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result store64(void *opaque, uint64_t addr, uint64_t value)
{
	uint64_t *word = word_at(addr);

	(void)opaque;
	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result cas64(void *opaque, uint64_t addr, uint64_t *expected,
				    uint64_t desired)
{
	uint64_t *word = word_at(addr);

	(void)opaque;
	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static const struct weir_model_host_ops host_ops = {
	.load64 = load64,
	.store64 = store64,
	.cas64 = cas64,
};

/* Of a table in two levels, 3.3.1: 256 descriptors of 256 entries. */
#define SPLIT 8u

static uint64_t stream_table(void)
{
	return weir_model_smmuv3_read(modelrig.model, WEIR_SMMU_STRTAB_BASE, 8) &
	       WEIR_SMMU_STRTAB_BASE_ADDR;
}

bool modelrig_has_entry(uint32_t stream)
{
	const uint64_t *first = plat_phys_to_virt(NULL, stream_table());

	return first[stream >> SPLIT] & WEIR_SMMU_L1STD_L2PTR;
}

bool modelrig_is_stream_table(uint64_t phys)
{
	const uint64_t *first = plat_phys_to_virt(NULL, stream_table());

	if (phys >= stream_table() && phys < stream_table() + (8u << SPLIT))
		return true;
	for (unsigned int i = 0; i < 1u << SPLIT; i++) {
		uint64_t second = first[i] & WEIR_SMMU_L1STD_L2PTR;

		if (second && phys >= second && phys < second + (WEIR_SMMU_STE_SIZE << SPLIT))
			return true;
	}
	return false;
}

unsigned int modelrig_asid(uint32_t stream)
{
	uint64_t second, ste, cd;

	second = modelrig_device_word(stream_table() + (stream >> SPLIT) * WEIR_SMMU_L1STD_SIZE) &
		 WEIR_SMMU_L1STD_L2PTR;
	if (!second)
		return 0;
	ste = modelrig_device_word(second + (stream & ((1u << SPLIT) - 1)) * WEIR_SMMU_STE_SIZE);
	cd = ste & WEIR_SMMU_STE_0_S1CONTEXTPTR;
	if (!cd)
		return 0;
	return (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_ASID, modelrig_device_word(cd));
}

/* ---- Registers ------------------------------------------------------------------------------- */

/* Acquire and release: what one stepper left is there for the next. */
static void step(void)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(modelrig.model);
	unsigned int budget = modelrig.hooks.consumed ? 1 : 64;

	if (__atomic_exchange_n(&stepping, 1, __ATOMIC_ACQUIRE))
		return;
	while (stepper->step(stepper, budget) == budget && modelrig.hooks.consumed)
		modelrig.hooks.consumed();
	__atomic_store_n(&stepping, 0, __ATOMIC_RELEASE);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned int size)
{
	(void)opaque;
	step();
	return weir_model_smmuv3_read(modelrig.model, offset, size);
}

static void mmio_write(void *opaque, uint64_t offset, unsigned int size, uint64_t value)
{
	(void)opaque;
	if (offset == WEIR_SMMU_CMDQ_BASE) {
		modelrig.cmdq_base = value & WEIR_SMMU_Q_BASE_ADDR;
		modelrig.cmdq_mask =
			(uint32_t)WEIR_BIT(WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, value)) -
			1;
	}
	if (offset == WEIR_SMMU_CMDQ_PROD && modelrig.hooks.prod)
		modelrig.hooks.prod((uint32_t)weir_model_smmuv3_read(modelrig.model, offset, size),
				    (uint32_t)value);
	if (offset == WEIR_SMMU_GERRORN && modelrig.hooks.error)
		modelrig.hooks.error();
	weir_model_smmuv3_write(modelrig.model, offset, size, value);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static const void *make_fdt(bool coherent, size_t *size)
{
	static char blob[1024];
	const fdt32_t reg[] = { cpu_to_fdt32(BASE), cpu_to_fdt32(0x20000) };

	require(!fdt_create(blob, sizeof(blob)) && !fdt_finish_reservemap(blob), "libfdt");
	fdt_begin_node(blob, "");
	fdt_property_u32(blob, "#address-cells", 1);
	fdt_property_u32(blob, "#size-cells", 1);
	fdt_begin_node(blob, "smmuv3@9050000");
	fdt_property_string(blob, "compatible", "arm,smmu-v3");
	fdt_property(blob, "reg", reg, sizeof(reg));
	fdt_property_u32(blob, "#iommu-cells", 1);
	fdt_property_u32(blob, "phandle", 1);
	if (coherent)
		fdt_property(blob, "dma-coherent", NULL, 0);
	fdt_end_node(blob);
	fdt_end_node(blob);
	require(!fdt_finish(blob), "libfdt");
	*size = fdt_totalsize(blob);
	return blob;
}

/* ASIDs of 8 bits, that they are used again soon; addresses of 48 bits. */
static void make_model(const struct modelrig_options *options)
{
	const struct weir_model_host host = { &host_ops, NULL };
	struct weir_model_smmuv3_config config = {
		.aidr = 1,
		.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
		.seed = options->seed,
	};

	memcpy(config.idr, weir_model_smmuv3_default_idr, sizeof(config.idr));
	config.idr[0] &= (uint32_t)~WEIR_SMMU_IDR0_ASID16;
	config.idr[3] &= (uint32_t) ~(WEIR_SMMU_IDR3_RIL | WEIR_SMMU_IDR3_BBML);
	if (!options->no_ranges)
		config.idr[3] |= (uint32_t)WEIR_SMMU_IDR3_RIL;
	config.idr[3] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML, options->bbml);
	config.idr[5] &= (uint32_t)~WEIR_SMMU_IDR5_OAS;
	config.idr[5] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_OAS, WEIR_SMMU_PS_48);
	require(!weir_model_smmuv3_create(&host, &config, &modelrig.model), "no model");
}

void modelrig_start(const struct modelrig_options *options)
{
	static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };
	const struct threadplat_mmio mmio = { mmio_read, mmio_write, NULL };
	struct weir_options machine = { .cpus = options->cpus,
					.iommu_drivers = drivers,
					.log_level = WEIR_LOG_ERR,
					.event_queue_entries = 64,
					.command_queue_entries = options->cmdq };

	modelrig = (struct modelrig){ .see_ram = !options->incoherent };
	stepping = 0;
	ram_size = options->ram ? options->ram : 32u << 20;
	threadplat_new(ram_size, options->incoherent || options->shadow);
	threadplat_set_cpu(0);
	make_model(options);
	threadplat_set_mmio(&mmio);
	machine.fdt = make_fdt(!options->incoherent, &machine.fdt_size);
	require(!weir_init(&machine, &modelrig.weir), "weir_init");
	modelrig.iommu = weir_iommu_by_phandle(modelrig.weir, 1);
	require(modelrig.iommu, "no IOMMU");
}

void modelrig_stop(void)
{
	require(!weir_fini(modelrig.weir), "weir_fini");
	threadplat_delete();
	weir_model_smmuv3_destroy(modelrig.model);
}

void modelrig_abandon(void)
{
	threadplat_set_barrier(NULL);
	threadplat_set_cleaning(NULL);
	threadplat_delete_dirty();
	weir_model_smmuv3_destroy(modelrig.model);
}

enum weir_model_result modelrig_access(uint32_t stream, uint64_t addr, bool write,
				       struct weir_model_translation *out)
{
	const struct weir_model_txn txn = {
		.addr = addr,
		.stream = stream,
		.len = 8,
		.flags = write ? WEIR_MODEL_TXN_WRITE : 0,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};

	return weir_model_smmuv3_translate(modelrig.model, &txn, out);
}

void modelrig_complete(const struct weir_model_translation *translation)
{
	weir_model_smmuv3_complete(modelrig.model, translation);
}
