/* SPDX-License-Identifier: MIT */
/* Host bridges as the device tree describes them (binding pci-host-ecam-generic). TASK. */

#include "pci/pci.h"

#define ECAM_BUS_SIZE ((uint64_t)1 << WEIR_PCI_ECAM_BUS_SHIFT)

/* Numbers of the buses, as many as there is configuration space for. */
static int read_buses(struct weir_pci_host_desc *desc, struct weir_fdt *fdt,
		      const struct weir_fdt_node *node, uint64_t ecam_size)
{
	struct weir_fdt_prop range;
	uint64_t buses = ecam_size / ECAM_BUS_SIZE;
	uint32_t first = 0, last = 255;

	if (weir_fdt_prop(fdt, node, "bus-range", &range)) {
		first = weir_fdt_cell(&range, 0);
		last = weir_fdt_cell(&range, 1);
		if (range.size != 8 || last > 255 || first > last)
			return weir_fdt_fail(fdt, node, "bus-range", "is no range within 0 to 255");
	}
	if (!buses)
		return weir_fdt_fail(fdt, node, "reg", "has no room for one bus (1 MiB)");
	if (last - first >= buses)
		last = first + (uint32_t)buses - 1;
	desc->first_bus = (uint8_t)first;
	desc->last_bus = (uint8_t)last;
	return 0;
}

static int read_windows(struct weir_pci_host_desc *desc, struct weir_fdt *fdt,
			const struct weir_fdt_node *node)
{
	struct weir_fdt_pci_range range;
	int ret;

	for (uint32_t i = 0; !(ret = weir_fdt_pci_range(fdt, node, i, &range)); i++) {
		if (WEIR_FDT_PCI_SPACE(range.flags) != WEIR_FDT_PCI_MEM32 &&
		    WEIR_FDT_PCI_SPACE(range.flags) != WEIR_FDT_PCI_MEM64)
			continue;
		if (desc->nr_windows == WEIR_PCI_MAX_WINDOWS)
			return weir_fdt_fail(fdt, node, "ranges", "has more than 8 memory windows");
		desc->windows[desc->nr_windows++] = (struct weir_pci_window){ .cpu = range.cpu,
									      .pci = range.pci,
									      .size = range.size };
	}
	return ret == -WEIR_ENOENT ? 0 : ret;
}

int weir_pci_host_read(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint16_t segment,
		       struct weir_pci_host_desc *desc)
{
	uint64_t base, size;
	uint32_t domain = segment;
	int ret = weir_fdt_reg(fdt, node, 0, &base, &size);

	memset(desc, 0, sizeof(*desc));
	if (ret == -WEIR_ENOENT)
		return weir_fdt_fail(fdt, node, "reg", "is missing");
	if (!ret)
		ret = read_buses(desc, fdt, node, size);
	if (!ret)
		ret = read_windows(desc, fdt, node);
	if (!ret && weir_fdt_u32(fdt, node, "linux,pci-domain", &domain) == -WEIR_EINVAL)
		ret = -WEIR_EINVAL;
	if (!ret && !WEIR_IS_ALIGNED(base, ECAM_BUS_SIZE))
		ret = weir_fdt_fail(fdt, node, "reg", "is not at a multiple of 1 MiB");
	desc->segment = (uint16_t)domain;
	desc->coherent = weir_fdt_is_coherent(fdt, node);
	desc->ecam = base;
	return ret;
}
