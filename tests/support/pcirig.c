/* SPDX-License-Identifier: MIT */
/* See pcirig.h. */

#include "pcirig.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/driver.h"

#define IOMMU_PHANDLE 3
#define MIB ((uint64_t)1 << 20)

static void check(int ret)
{
	if (ret) {
		fprintf(stderr, "pcirig: error %d\n", ret);
		abort();
	}
}

/* ---- An IOMMU that does nothing ----------------------------------------------------------- */

struct rig_iommu {
	struct weir_iommu iommu;
	struct weir_domain blocked;
};

static int rig_check_id(struct weir_iommu *iommu, uint32_t id)
{
	(void)iommu;
	return id < 0x20000 ? 0 : -WEIR_ERANGE;
}

static const struct weir_iommu_ops rig_ops;

static int rig_domain_alloc(struct weir_iommu *iommu, unsigned int flags,
			    struct weir_domain **domain)
{
	struct weir_domain *new = weir_alloc(iommu->weir, sizeof(*new), 0);

	(void)flags;
	if (!new)
		return -WEIR_ENOMEM;
	new->type = WEIR_DOMAIN_PAGING;
	new->iommu = iommu;
	new->ops = &rig_ops;
	new->page_sizes = 4096;
	new->last = iommu->last;
	*domain = new;
	return 0;
}

static void rig_domain_free(struct weir_domain *domain)
{
	weir_free(domain->iommu->weir, domain);
}

static int rig_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain)
{
	(void)iommu;
	(void)id;
	(void)domain;
	return 0;
}

static int rig_map(struct weir_domain *domain, weir_dma_t iova, const struct weir_extent *extents,
		   unsigned int count, unsigned int prot)
{
	(void)domain;
	(void)iova;
	(void)extents;
	(void)count;
	(void)prot;
	return 0;
}

static size_t rig_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	(void)domain;
	(void)iova;
	return size;
}

static int rig_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys)
{
	(void)domain;
	(void)iova;
	(void)phys;
	return -WEIR_ENOENT;
}

static const struct weir_iommu_ops rig_ops = {
	.check_id = rig_check_id,
	.domain_alloc = rig_domain_alloc,
	.domain_free = rig_domain_free,
	.attach = rig_attach,
	.map = rig_map,
	.unmap = rig_unmap,
	.iova_to_phys = rig_iova_to_phys,
};

static int rig_probe(struct weir *weir, const struct weir_iommu_desc *desc,
		     struct weir_iommu **iommu)
{
	struct rig_iommu *rig = weir_alloc(weir, sizeof(*rig), 0);

	(void)desc;
	if (!rig)
		return -WEIR_ENOMEM;
	rig->iommu.weir = weir;
	rig->iommu.ops = &rig_ops;
	rig->iommu.page_sizes = 4096;
	rig->iommu.last = 0xffffffffffff;
	rig->blocked.type = WEIR_DOMAIN_BLOCKED;
	rig->blocked.iommu = &rig->iommu;
	rig->blocked.ops = &rig_ops;
	rig->iommu.blocked = &rig->blocked;
	*iommu = &rig->iommu;
	return 0;
}

static void rig_remove(struct weir_iommu *iommu)
{
	weir_free(iommu->weir, iommu);
}

static const char *const rig_compatible[] = { "weir,rig-iommu", NULL };
static const struct weir_iommu_driver rig_driver = {
	.name = "rig",
	.compatible = rig_compatible,
	.probe = rig_probe,
	.remove = rig_remove,
};

/* ---- The device tree ----------------------------------------------------------------------- */

static void cells(struct pcirig *rig, const char *name, unsigned int count, const uint64_t *values)
{
	fdt32_t be[64];

	for (unsigned int i = 0; i < count; i++)
		be[i] = cpu_to_fdt32((uint32_t)values[i]);
	check(fdt_property(rig->fdt, name, be, (int)(count * 4)));
}
#define CELLS(name, ...)                                                                           \
	cells(rig, name, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t),                   \
	      (uint64_t[]){ __VA_ARGS__ })

static void add_ranges(struct pcirig *rig)
{
	const struct pcirig_options *o = &rig->options;
	uint64_t values[14];
	unsigned int count = 0;

	if (o->low_size != 1) {
		uint64_t low[] = { 0x02000000, 0, PCIRIG_LOW, 0, PCIRIG_LOW, 0, o->low_size };

		memcpy(values, low, sizeof(low));
		count = 7;
	}
	if (o->high_size != 1) {
		uint64_t high[] = { 0x43000000, PCIRIG_HIGH >> 32,  0,		 PCIRIG_HIGH >> 32,
				    0,		o->high_size >> 32, o->high_size };

		memcpy(values + count, high, sizeof(high));
		count += 7;
	}
	cells(rig, "ranges", count, values);
}

static void add_host(struct pcirig *rig)
{
	const struct pcirig_options *o = &rig->options;

	check(fdt_begin_node(rig->fdt, "pcie@4010000000"));
	check(fdt_property_string(rig->fdt, "compatible", "pci-host-ecam-generic"));
	CELLS("#address-cells", 3);
	CELLS("#size-cells", 2);
	CELLS("reg", PCIRIG_ECAM >> 32, PCIRIG_ECAM + o->ecam_shift, 0, o->buses * MIB);
	CELLS("bus-range", 0, o->buses - 1);
	add_ranges(rig);
	check(fdt_property(rig->fdt, "dma-coherent", "", 0));
	CELLS("msi-map", 0, 99, 0x10000, 0x10000);
	if (!o->no_iommu_map)
		CELLS("iommu-map", 0, IOMMU_PHANDLE, 0x8000, 0x10000);
	if (o->extra_property)
		CELLS(o->extra_property, o->extra_value);
	check(fdt_end_node(rig->fdt));
}

static void build_tree(struct pcirig *rig)
{
	check(fdt_create(rig->fdt, sizeof(rig->fdt)));
	check(fdt_finish_reservemap(rig->fdt));
	check(fdt_begin_node(rig->fdt, ""));
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	check(fdt_begin_node(rig->fdt, "iommu@1000"));
	check(fdt_property_string(rig->fdt, "compatible", "weir,rig-iommu"));
	CELLS("reg", 0, 0x1000, 0, 0x1000);
	CELLS("phandle", IOMMU_PHANDLE);
	check(fdt_end_node(rig->fdt));
	add_host(rig);
	check(fdt_end_node(rig->fdt));
	check(fdt_finish(rig->fdt));
}

/* ---- The models ---------------------------------------------------------------------------- */

static uint64_t rig_read(void *opaque, uint64_t phys, unsigned int size)
{
	struct pcirig *rig = opaque;
	uint64_t value = 0;

	if (weir_model_bus_read(rig->bus, phys, &value, size, WEIR_MODEL_CPU) != WEIR_MODEL_OK)
		return UINT64_MAX;
	return value;
}

static void rig_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	struct pcirig *rig = opaque;

	(void)weir_model_bus_write(rig->bus, phys, &value, size, WEIR_MODEL_CPU);
}

static enum weir_model_result doorbell_read(void *opaque, uint64_t offset, unsigned int size,
					    uint32_t requester, uint64_t *value)
{
	(void)opaque;
	(void)offset;
	(void)size;
	(void)requester;
	(void)value;
	return WEIR_MODEL_ABORT;
}

static enum weir_model_result doorbell_write(void *opaque, uint64_t offset, unsigned int size,
					     uint32_t requester, uint64_t value)
{
	struct pcirig *rig = opaque;

	(void)size;
	(void)requester;
	if (offset != (FAKEPLAT_MSI_DOORBELL & 0xfff))
		return WEIR_MODEL_ABORT;
	fakeplat_raise(rig->fake, (unsigned int)value);
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops doorbell_ops = { doorbell_read, doorbell_write };

static enum weir_model_result bar_read(void *opaque, uint64_t offset, unsigned int size,
				       uint32_t requester, uint64_t *value)
{
	struct pcirig_register *bar = opaque;

	(void)size;
	(void)requester;
	*value = (uint64_t)bar->bar << 32 | (uint32_t)offset;
	return WEIR_MODEL_OK;
}

static enum weir_model_result bar_write(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t value)
{
	struct pcirig_register *bar = opaque;

	(void)size;
	(void)requester;
	bar->device->last_bar = bar->bar;
	bar->device->last_offset = offset;
	bar->device->last_value = value;
	bar->device->writes++;
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops bar_ops = { bar_read, bar_write };

void pcirig_init(struct pcirig *rig, const struct pcirig_options *options)
{
	struct weir_model_pcie_config config = { .ecam_base = PCIRIG_ECAM };

	memset(rig, 0, sizeof(*rig));
	rig->options = *options;
	if (!rig->options.buses)
		rig->options.buses = 32;
	if (!rig->options.low_size)
		rig->options.low_size = 256 * MIB;
	if (!rig->options.high_size)
		rig->options.high_size = 512 * 1024 * MIB;
	config.bus_count = rig->options.buses;
	config.mmio32_base = PCIRIG_LOW;
	config.mmio32_size = rig->options.low_size == 1 ? 0 : rig->options.low_size;
	config.mmio64_base = PCIRIG_HIGH;
	config.mmio64_size = rig->options.high_size == 1 ? 0 : rig->options.high_size;
	check(weir_model_bus_create(&rig->bus));
	check(weir_model_pcie_create(rig->bus, &config, &rig->rc));
	check(weir_model_bus_add_mmio(rig->bus, FAKEPLAT_MSI_DOORBELL & ~0xfffull, 0x1000,
				      &doorbell_ops, rig, &rig->doorbell));
}

void pcirig_start(struct pcirig *rig)
{
	static const struct weir_iommu_driver *const drivers[] = { &rig_driver, NULL };
	struct weir_options options = { .cpus = 1, .log_level = WEIR_LOG_DEBUG, .fdt = rig->fdt };

	options.mode = rig->options.mode;

	rig->fake = fakeplat_new(8 << 20);
	rig->fake->mmio = (struct fakeplat_mmio){ rig_read, rig_write, rig };
	build_tree(rig);
	options.plat = rig->fake;
	options.fdt_size = fdt_totalsize(rig->fdt);
	options.iommu_drivers = rig->options.no_iommu_driver ? NULL : drivers;
	check(weir_init(&options, &rig->weir));
	rig->fake->weir = rig->weir;
}

void pcirig_stop(struct pcirig *rig)
{
	check(weir_fini(rig->weir));
	fakeplat_delete(rig->fake);
	rig->weir = NULL;
}

void pcirig_fini(struct pcirig *rig)
{
	for (unsigned int i = 0; i < rig->nr_devices; i++)
		weir_model_pci_remove(&rig->devices[i].fn);
	weir_model_pcie_destroy(rig->rc);
	weir_model_region_remove(rig->doorbell);
	weir_model_bus_destroy(rig->bus);
}

struct weir_model_pci_bridge *pcirig_bridge(struct pcirig *rig,
					    struct weir_model_pci_bridge *parent, uint8_t devfn,
					    int kind, uint16_t acs)
{
	struct weir_model_pci_bridge_desc desc = { .name = "bridge", .acs_capabilities = acs };
	struct weir_model_pci_bridge *bridge;

	desc.kind = kind;
	check(weir_model_pci_add_bridge(rig->rc, parent, devfn, &desc, &bridge));
	return bridge;
}

uint16_t pcirig_id(const struct pcirig *rig, const struct pcirig_device *device)
{
	return (uint16_t)(0x100 + (device - rig->devices));
}

struct pcirig_device *pcirig_add(struct pcirig *rig, struct weir_model_pci_bridge *parent,
				 uint8_t devfn, const struct weir_model_pci_desc *desc)
{
	struct pcirig_device *device = &rig->devices[rig->nr_devices++];
	struct weir_model_pci_desc d = {
		.class_code = 0x010802, .express = true, .msix_vectors = 4, .msix_bar = 2
	};

	d.bars[0].size = d.bars[2].size = 4096;
	d.bars[2].size = 8192;
	if (desc)
		d = *desc;
	d.name = "device";
	d.vendor = PCIRIG_VENDOR;
	d.device = pcirig_id(rig, device);
	device->rig = rig;
	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++) {
		device->bars[i] = (struct pcirig_register){ device, i };
		d.bars[i].ops = &bar_ops;
		d.bars[i].opaque = &device->bars[i];
	}
	check(weir_model_pci_add(rig->rc, parent, devfn, &d, &device->fn));
	return device;
}

struct weir_pci_dev *pcirig_find(struct pcirig *rig, const struct pcirig_device *device)
{
	return weir_pci_find(rig->weir, PCIRIG_VENDOR, pcirig_id(rig, device), NULL);
}
