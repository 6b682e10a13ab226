/* SPDX-License-Identifier: MIT */

/*
 * What a device tree wants kept for devices: children of /reserved-memory with `iommu-addresses`,
 * entries of a device's phandle, an address and a size that are the device's (binding
 * reserved-memory). With `reg` of the same size the addresses lead to that memory; without, nothing
 * is to be mapped there.
 *
 * The streams are those of the device's `iommus`, or, of a function on the root bus of a host
 * bridge, what `iommu-map` makes of its devfn. What a device's status says does not count: firmware
 * goes on with a device that it does not leave to the system.
 */

#include <weir/fdt.h>

#include "iommu/iommu.h"

/* In the heap, as in probe-fdt.c. */
struct regions {
	struct weir_iommu *iommu;
	struct weir_fdt *fdt;
	struct weir_fdt_node reserved, node, device, other;
	struct weir_direct_region region;
	uint64_t memory, memory_size; /* `reg`; size 0: none */
};

/* One that is wrong is told, for the first IOMMU that looks at it, and left out. */
static void tell(struct regions *r, const struct weir_fdt_node *node, const char *property,
		 const char *what)
{
	if (r->iommu != r->iommu->weir->iommus)
		return;
	if (what)
		(void)weir_fdt_fail(r->fdt, node, property, what);
	(void)weir_fdt_log(r->iommu->weir, r->fdt);
}

/* ---- Streams ----------------------------------------------------------------------------- */

static int claim(struct regions *r, uint32_t id)
{
	return weir_direct_claim(r->iommu, id, id, &r->region, weir_fdt_name(r->fdt, &r->node));
}

/* The device's `iommus`: a phandle and the cells of that IOMMU, again and again. */
static int claim_iommus(struct regions *r, const struct weir_fdt_prop *iommus)
{
	uint32_t count = iommus->size / 4, cells;
	int ret = 0;

	for (uint32_t at = 0; !ret && at < count; at += 1 + cells) {
		uint32_t phandle = weir_fdt_cell(iommus, at);

		if (!weir_fdt_by_phandle(r->fdt, phandle, &r->other)) {
			tell(r, &r->device, "iommus", "names no node");
			return 0;
		}
		if (weir_fdt_u32(r->fdt, &r->other, "#iommu-cells", &cells) || !cells) {
			tell(r, &r->other, "#iommu-cells", "is missing, or says no number of IDs");
			return 0;
		}
		if (cells > count - at - 1) {
			tell(r, &r->device, "iommus", "an entry is cut off");
			return 0;
		}
		if (phandle == r->iommu->phandle)
			ret = claim(r, weir_fdt_cell(iommus, at + 1));
	}
	return ret;
}

/* A function: its devfn is in the address that `reg` begins with (IEEE 1275 PCI binding). */
static int claim_function(struct regions *r)
{
	struct weir_fdt_prop reg;
	uint32_t phandle, id;
	int ret;

	if (!weir_fdt_parent(&r->device, &r->other) ||
	    !weir_fdt_has(r->fdt, &r->other, "iommu-map") ||
	    !weir_fdt_prop(r->fdt, &r->device, "reg", &reg))
		return 0;
	ret = weir_fdt_map_id(r->fdt, &r->other, "iommu-map", weir_fdt_cell(&reg, 0) >> 8 & 0xffff,
			      &phandle, &id);
	if (ret == -WEIR_EINVAL)
		tell(r, NULL, NULL, NULL);
	return ret || phandle != r->iommu->phandle ? 0 : claim(r, id);
}

static int claim_device(struct regions *r)
{
	struct weir_fdt_prop iommus;

	if (weir_fdt_prop(r->fdt, &r->device, "iommus", &iommus))
		return claim_iommus(r, &iommus);
	return claim_function(r);
}

/* ---- Regions ----------------------------------------------------------------------------- */

/* The device's own, or those of the nearest node above that has them. */
static bool read_cells(struct regions *r, const char *name, uint32_t *cells)
{
	int ret = -WEIR_ENOENT;

	r->other = r->device;
	do
		ret = weir_fdt_u32(r->fdt, &r->other, name, cells);
	while (ret == -WEIR_ENOENT && weir_fdt_parent(&r->other, &r->other));
	if (!ret && (*cells == 1 || *cells == 2))
		return true;
	tell(r, &r->device, name, "is not 1 or 2: addresses of it cannot be read");
	return false;
}

/* The kind of the region, whose addresses have been read; false: none, and told. */
static bool complete(struct regions *r)
{
	struct weir_direct_region *region = &r->region;

	region->kind = WEIR_REGION_RESERVED;
	if (!region->size) {
		tell(r, &r->node, "iommu-addresses", "an entry is empty");
		return false;
	}
	if (!r->memory_size)
		return true;
	if (r->memory_size != region->size) {
		tell(r, &r->node, "iommu-addresses",
		     "an entry is not as large as the memory: nothing is mapped there");
		return true;
	}
	region->kind = WEIR_REGION_DIRECT;
	region->phys = r->memory;
	region->prot = WEIR_IOMMU_READ | WEIR_IOMMU_WRITE;
	if (weir_fdt_is_coherent(r->fdt, &r->device))
		region->prot |= WEIR_IOMMU_CACHE;
	return true;
}

static int claim_entries(struct regions *r, const struct weir_fdt_prop *entries)
{
	uint32_t count = entries->size / 4, address, size;
	int ret = 0;

	for (uint32_t at = 0; !ret && at < count; at += 1 + address + size) {
		if (!weir_fdt_by_phandle(r->fdt, weir_fdt_cell(entries, at), &r->device)) {
			tell(r, &r->node, "iommu-addresses", "names no device");
			return 0;
		}
		if (!read_cells(r, "#address-cells", &address) ||
		    !read_cells(r, "#size-cells", &size))
			return 0;
		if (address + size > count - at - 1) {
			tell(r, &r->node, "iommu-addresses", "an entry is cut off");
			return 0;
		}
		memset(&r->region, 0, sizeof(r->region));
		r->region.start = weir_fdt_cells(entries, at + 1, address);
		r->region.size = weir_fdt_cells(entries, at + 1 + address, size);
		if (complete(r))
			ret = claim_device(r);
	}
	return ret;
}

static int claim_node(struct regions *r)
{
	struct weir_fdt_prop entries;
	int ret;

	if (!weir_fdt_prop(r->fdt, &r->node, "iommu-addresses", &entries) ||
	    !weir_fdt_is_enabled(r->fdt, &r->node))
		return 0;
	if (entries.size % 4) {
		tell(r, &r->node, "iommu-addresses", "is no whole number of cells");
		return 0;
	}
	ret = weir_fdt_reg(r->fdt, &r->node, 0, &r->memory, &r->memory_size);
	if (ret == -WEIR_EINVAL) {
		tell(r, NULL, NULL, NULL);
		return 0;
	}
	if (ret)
		r->memory_size = 0;
	return claim_entries(r, &entries);
}

static int claim_all(struct regions *r)
{
	int ret = 0;

	if (!weir_fdt_by_path(r->fdt, "/reserved-memory", &r->reserved))
		return 0;
	r->node = r->reserved;
	while (!ret && weir_fdt_next(r->fdt, &r->node) && r->node.depth > r->reserved.depth)
		ret = claim_node(r);
	return ret;
}

int weir_regions_fdt(struct weir_iommu *iommu, struct weir_fdt *fdt)
{
	struct regions *r;
	int ret;

	if (!iommu->phandle)
		return 0; /* no device can name it */
	r = weir_alloc(iommu->weir, sizeof(*r), 0);
	if (!r)
		return -WEIR_ENOMEM;
	r->iommu = iommu;
	r->fdt = fdt;
	ret = claim_all(r);
	weir_free(iommu->weir, r);
	return ret;
}
