/* SPDX-License-Identifier: MIT */
/*
 * Device trees: addresses through buses, interrupts, maps of IDs. Devicetree Specification 0.4,
 * 2.3.5 to 2.3.8 and 2.4; the maps are those of the bindings pci-iommu and pci-msi.
 */

#include <weir/fdt.h>
#include <weir/sys.h>

#define PCI_ADDRESS_CELLS 3
#define PCI_SIZE_CELLS 2
#define MAP_CELLS 4

/* Cells of an address and of a size below a bus. 2.3.5: 2 and 1 where it does not say. */
struct widths {
	uint32_t address, size;
};

static int read_width(struct weir_fdt *fdt, const struct weir_fdt_node *bus, const char *name,
		      uint32_t *value)
{
	int ret = weir_fdt_u32(fdt, bus, name, value);

	return ret == -WEIR_ENOENT ? 0 : ret;
}

static int read_widths(struct weir_fdt *fdt, const struct weir_fdt_node *bus, struct widths *widths)
{
	int ret;

	widths->address = 2;
	widths->size = 1;
	ret = read_width(fdt, bus, "#address-cells", &widths->address);
	if (!ret)
		ret = read_width(fdt, bus, "#size-cells", &widths->size);
	return ret;
}

/* For addresses that are plain numbers: 1 or 2 cells; a size may also be none. */
static int read_plain_widths(struct weir_fdt *fdt, const struct weir_fdt_node *bus,
			     struct widths *widths)
{
	int ret = read_widths(fdt, bus, widths);

	if (ret)
		return ret;
	if (widths->address < 1 || widths->address > 2 || widths->size > 2)
		return weir_fdt_fail(fdt, bus, "#address-cells",
				     "is not 1 or 2, or #size-cells not 0 to 2");
	return 0;
}

static uint64_t read_size(const struct weir_fdt_prop *prop, uint32_t index, uint32_t cells)
{
	return cells ? weir_fdt_cells(prop, index, cells) : 0;
}

/* One step up: an address on `bus` as an address on the bus around it. */
static int translate_once(struct weir_fdt *fdt, const struct weir_fdt_node *bus,
			  const struct weir_fdt_node *outer, uint64_t size, uint64_t *address)
{
	struct widths in, out;
	struct weir_fdt_prop ranges;
	uint32_t stride;

	if (!weir_fdt_prop(fdt, bus, "ranges", &ranges))
		return weir_fdt_fail(fdt, bus, "ranges",
				     "is missing: nothing below it has an address");
	if (!ranges.size)
		return 0; /* 2.3.8: the two address spaces are one */
	if (read_plain_widths(fdt, bus, &in) || read_plain_widths(fdt, outer, &out))
		return -WEIR_EINVAL;
	stride = in.address + out.address + in.size;
	if (!in.size || ranges.size % (stride * 4))
		return weir_fdt_fail(fdt, bus, "ranges", "is no whole number of entries");
	for (uint32_t i = 0; i < ranges.size / 4; i += stride) {
		uint64_t child = weir_fdt_cells(&ranges, i, in.address);
		uint64_t parent = weir_fdt_cells(&ranges, i + in.address, out.address);
		uint64_t length = weir_fdt_cells(&ranges, i + in.address + out.address, in.size);

		if (*address < child || *address - child >= length ||
		    size > length - (*address - child))
			continue;
		if (*address - child + size > UINT64_MAX - parent)
			return weir_fdt_fail(fdt, bus, "ranges",
					     "an entry goes beyond the last address");
		*address = *address - child + parent;
		return 0;
	}
	return weir_fdt_fail(fdt, bus, "ranges", "an address below it is in no entry");
}

/* From the bus that `bus` is up to the root, whose addresses are the CPUs'. */
static int translate(struct weir_fdt *fdt, const struct weir_fdt_node *bus, uint64_t size,
		     uint64_t *address)
{
	struct weir_fdt_node inner = *bus, outer;

	while (weir_fdt_parent(&inner, &outer)) {
		int ret = translate_once(fdt, &inner, &outer, size, address);

		if (ret)
			return ret;
		inner = outer;
	}
	return 0;
}

int weir_fdt_reg(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		 uint64_t *base, uint64_t *size)
{
	struct weir_fdt_node bus;
	struct weir_fdt_prop reg;
	struct widths widths;
	uint32_t stride;

	if (!weir_fdt_prop(fdt, node, "reg", &reg) || !weir_fdt_parent(node, &bus))
		return -WEIR_ENOENT;
	if (read_plain_widths(fdt, &bus, &widths))
		return -WEIR_EINVAL;
	stride = widths.address + widths.size;
	if (reg.size % (stride * 4))
		return weir_fdt_fail(fdt, node, "reg", "is no whole number of entries");
	if (index >= reg.size / (stride * 4))
		return -WEIR_ENOENT;
	*base = weir_fdt_cells(&reg, index * stride, widths.address);
	*size = read_size(&reg, index * stride + widths.address, widths.size);
	if (*size > UINT64_MAX - *base)
		return weir_fdt_fail(fdt, node, "reg", "goes beyond the last address");
	return translate(fdt, &bus, *size, base);
}

int weir_fdt_pci_range(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		       struct weir_fdt_pci_range *range)
{
	struct weir_fdt_node bus;
	struct weir_fdt_prop ranges;
	struct widths in, out;
	uint32_t stride, at;

	if (!weir_fdt_prop(fdt, node, "ranges", &ranges) || !weir_fdt_parent(node, &bus))
		return -WEIR_ENOENT;
	if (read_widths(fdt, node, &in) || read_plain_widths(fdt, &bus, &out))
		return -WEIR_EINVAL;
	if (in.address != PCI_ADDRESS_CELLS || in.size != PCI_SIZE_CELLS)
		return weir_fdt_fail(fdt, node, "#address-cells", "is not 3, or #size-cells not 2");
	stride = PCI_ADDRESS_CELLS + out.address + PCI_SIZE_CELLS;
	if (ranges.size % (stride * 4))
		return weir_fdt_fail(fdt, node, "ranges", "is no whole number of entries");
	if (index >= ranges.size / (stride * 4))
		return -WEIR_ENOENT;
	at = index * stride;
	range->flags = weir_fdt_cell(&ranges, at);
	range->pci = weir_fdt_cells(&ranges, at + 1, 2);
	range->cpu = weir_fdt_cells(&ranges, at + PCI_ADDRESS_CELLS, out.address);
	range->size = weir_fdt_cells(&ranges, at + PCI_ADDRESS_CELLS + out.address, PCI_SIZE_CELLS);
	if (!range->size || range->size - 1 > UINT64_MAX - range->pci ||
	    range->size - 1 > UINT64_MAX - range->cpu)
		return weir_fdt_fail(fdt, node, "ranges",
				     "an entry is empty or beyond the last address");
	return translate(fdt, &bus, range->size, &range->cpu);
}

/* ---- Interrupts -------------------------------------------------------------------------- */

/* 2.4.1: its own interrupt-parent, or that of the nearest node above that has one. */
static int find_interrupt_parent(struct weir_fdt *fdt, const struct weir_fdt_node *node,
				 struct weir_fdt_node *controller)
{
	struct weir_fdt_node n = *node;
	uint32_t phandle = 0;

	do {
		int ret = weir_fdt_u32(fdt, &n, "interrupt-parent", &phandle);

		if (ret == -WEIR_ENOENT)
			continue;
		if (ret)
			return ret;
		if (!weir_fdt_by_phandle(fdt, phandle, controller))
			return weir_fdt_fail(fdt, &n, "interrupt-parent", "names no node");
		return 0;
	} while (weir_fdt_parent(&n, &n));
	return weir_fdt_fail(fdt, node, "interrupts", "there is no interrupt-parent");
}

static int read_interrupt_cells(struct weir_fdt *fdt, const struct weir_fdt_node *controller,
				uint32_t *cells)
{
	int ret = weir_fdt_u32(fdt, controller, "#interrupt-cells", cells);

	if (ret == -WEIR_EINVAL)
		return ret;
	if (ret || !*cells || *cells > WEIR_FDT_MAX_IRQ_CELLS)
		return weir_fdt_fail(fdt, controller, "#interrupt-cells",
				     "is missing, or not 1 to 8");
	return 0;
}

static void read_specifier(const struct weir_fdt_prop *prop, uint32_t at, uint32_t cells,
			   struct weir_fdt_irq *irq)
{
	irq->count = cells;
	for (uint32_t i = 0; i < cells; i++)
		irq->cells[i] = weir_fdt_cell(prop, at + i);
}

/* <phandle specifier...> again and again, each as long as its controller says. */
static int read_extended(struct weir_fdt *fdt, const struct weir_fdt_node *node,
			 const struct weir_fdt_prop *prop, uint32_t index, struct weir_fdt_irq *irq)
{
	static const char name[] = "interrupts-extended";
	uint32_t count = prop->size / 4, cells;

	if (prop->size % 4)
		return weir_fdt_fail(fdt, node, name, "is no whole number of cells");
	for (uint32_t at = 0; at < count; at += 1 + cells) {
		if (!weir_fdt_by_phandle(fdt, weir_fdt_cell(prop, at), &irq->controller))
			return weir_fdt_fail(fdt, node, name, "names no node");
		if (read_interrupt_cells(fdt, &irq->controller, &cells))
			return -WEIR_EINVAL;
		if (cells > count - at - 1)
			return weir_fdt_fail(fdt, node, name, "an entry is cut off");
		if (!index--) {
			read_specifier(prop, at + 1, cells, irq);
			return 0;
		}
	}
	return -WEIR_ENOENT;
}

int weir_fdt_irq(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		 struct weir_fdt_irq *irq)
{
	struct weir_fdt_prop prop;
	uint32_t cells;

	if (weir_fdt_prop(fdt, node, "interrupts-extended", &prop))
		return read_extended(fdt, node, &prop, index, irq);
	if (!weir_fdt_prop(fdt, node, "interrupts", &prop))
		return -WEIR_ENOENT;
	if (find_interrupt_parent(fdt, node, &irq->controller) ||
	    read_interrupt_cells(fdt, &irq->controller, &cells))
		return -WEIR_EINVAL;
	if (prop.size % (cells * 4))
		return weir_fdt_fail(fdt, node, "interrupts", "is no whole number of entries");
	if (index >= prop.size / (cells * 4))
		return -WEIR_ENOENT;
	read_specifier(&prop, index * cells, cells, irq);
	return 0;
}

int weir_fdt_irq_by_name(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
			 struct weir_fdt_irq *irq)
{
	struct weir_fdt_prop names;
	int index;

	if (!weir_fdt_prop(fdt, node, "interrupt-names", &names))
		return -WEIR_ENOENT;
	index = weir_fdt_string_index(&names, name);
	return index < 0 ? index : weir_fdt_irq(fdt, node, (uint32_t)index, irq);
}

/* ---- Maps -------------------------------------------------------------------------------- */

/* "iommu-map" -> "iommu-map-mask" */
static void mask_name(const char *map, char *buf, size_t size)
{
	weir_snprintf(buf, size, "%s-mask", map);
}

int weir_fdt_map_id(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *map,
		    uint32_t id, uint32_t *phandle, uint32_t *out)
{
	struct weir_fdt_prop prop;
	uint32_t mask = UINT32_MAX;
	char name[32];

	if (!weir_fdt_prop(fdt, node, map, &prop))
		return -WEIR_ENOENT;
	if (prop.size % (MAP_CELLS * 4))
		return weir_fdt_fail(fdt, node, map, "is no whole number of entries of 4 cells");
	mask_name(map, name, sizeof(name));
	if (weir_fdt_u32(fdt, node, name, &mask) == -WEIR_EINVAL)
		return weir_fdt_fail(fdt, node, map, "its mask is not one cell");
	id &= mask;
	for (uint32_t i = 0; i < prop.size / 4; i += MAP_CELLS) {
		uint32_t base = weir_fdt_cell(&prop, i), length = weir_fdt_cell(&prop, i + 3);
		uint32_t out_base = weir_fdt_cell(&prop, i + 2);

		if (id < base || id - base >= length)
			continue;
		if (id - base > UINT32_MAX - out_base)
			return weir_fdt_fail(fdt, node, map, "an entry goes beyond the last ID");
		*phandle = weir_fdt_cell(&prop, i + 1);
		*out = id - base + out_base;
		return 0;
	}
	return -WEIR_ENOENT;
}

bool weir_fdt_is_coherent(const struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	struct weir_fdt_node n = *node;

	do {
		if (weir_fdt_has(fdt, &n, "dma-coherent"))
			return true;
		if (weir_fdt_has(fdt, &n, "dma-noncoherent"))
			return false;
	} while (weir_fdt_parent(&n, &n));
	return false;
}
