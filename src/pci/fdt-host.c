/* SPDX-License-Identifier: MIT */
/* Host bridges as the device tree describes them (binding pci-host-ecam-generic). TASK. */

#include <weir/fdt.h>

#include "pci/pci.h"

#define ECAM_BUS_SIZE ((uint64_t)1 << WEIR_PCI_ECAM_BUS_SHIFT)

/* Numbers of the buses, and how much configuration space belongs to them. */
static int read_buses(struct weir_pci_host *host, struct weir_fdt *fdt,
		      const struct weir_fdt_node *node, uint64_t ecam_size)
{
	struct weir_fdt_prop range;
	uint64_t buses = ecam_size / ECAM_BUS_SIZE;

	host->first_bus = 0;
	host->last_bus = 255;
	if (weir_fdt_prop(fdt, node, "bus-range", &range)) {
		host->first_bus = weir_fdt_cell(&range, 0);
		host->last_bus = weir_fdt_cell(&range, 1);
		if (range.size != 8 || host->last_bus > 255 || host->first_bus > host->last_bus)
			return weir_fdt_fail(fdt, node, "bus-range", "is no range within 0 to 255");
	}
	if (!buses)
		return weir_fdt_fail(fdt, node, "reg", "has no room for one bus (1 MiB)");
	if (host->last_bus - host->first_bus >= buses)
		host->last_bus = host->first_bus + (unsigned int)buses - 1;
	host->next_bus = host->first_bus;
	return 0;
}

static int read_windows(struct weir_pci_host *host, struct weir_fdt *fdt,
			const struct weir_fdt_node *node)
{
	struct weir_fdt_pci_range range;
	int ret;

	for (uint32_t i = 0; !(ret = weir_fdt_pci_range(fdt, node, i, &range)); i++) {
		if (WEIR_FDT_PCI_SPACE(range.flags) != WEIR_FDT_PCI_MEM32 &&
		    WEIR_FDT_PCI_SPACE(range.flags) != WEIR_FDT_PCI_MEM64)
			continue;
		if (host->nr_windows == WEIR_PCI_MAX_WINDOWS)
			return weir_fdt_fail(fdt, node, "ranges", "has more than 8 memory windows");
		host->windows[host->nr_windows++] = (struct weir_pci_window){ .cpu = range.cpu,
									      .pci = range.pci,
									      .size = range.size };
	}
	return ret == -WEIR_ENOENT ? 0 : ret;
}

static int read_host(struct weir_pci_host *host, struct weir_fdt *fdt,
		     const struct weir_fdt_node *node)
{
	uint64_t base, size;
	uint32_t domain = host->segment;
	int ret = weir_fdt_reg(fdt, node, 0, &base, &size);

	if (ret == -WEIR_ENOENT)
		return weir_fdt_fail(fdt, node, "reg", "is missing");
	if (!ret)
		ret = read_buses(host, fdt, node, size);
	if (!ret)
		ret = read_windows(host, fdt, node);
	if (!ret && weir_fdt_u32(fdt, node, "linux,pci-domain", &domain) == -WEIR_EINVAL)
		ret = -WEIR_EINVAL;
	if (!ret && !WEIR_IS_ALIGNED(base, ECAM_BUS_SIZE))
		ret = weir_fdt_fail(fdt, node, "reg", "is not at a multiple of 1 MiB");
	if (ret)
		return ret;
	host->segment = domain & 0xffff;
	host->coherent = weir_fdt_is_coherent(fdt, node);
	host->ecam_size = (host->last_bus - host->first_bus + 1) * ECAM_BUS_SIZE;
	host->ecam = plat_mmio_map(host->weir->plat, base, host->ecam_size);
	return host->ecam ? 0 : -WEIR_ENOMEM;
}

int weir_pci_host_make(struct weir *weir, struct weir_fdt *fdt, const struct weir_fdt_node *node,
		       struct weir_pci_host **host)
{
	struct weir_pci_host *new = weir_alloc(weir, sizeof(*new), 0);
	int ret;

	if (!new)
		return -WEIR_ENOMEM;
	new->weir = weir;
	new->ops = &weir_pci_ecam_ops;
	new->buses_end = &new->buses;
	for (struct weir_pci_host *h = weir->pci->hosts; h; h = h->next)
		new->segment++;
	ret = read_host(new, fdt, node);
	if (ret) {
		weir_pci_host_free(new);
		return ret;
	}
	*host = new;
	return 0;
}

static void free_bus(struct weir *weir, struct weir_pci_bus *bus)
{
	struct weir_pci_function *fn, *next;

	for (fn = bus->functions; fn; fn = next) {
		next = fn->next;
		weir_free(weir, fn);
	}
	weir_free(weir, bus);
}

void weir_pci_host_free(struct weir_pci_host *host)
{
	struct weir_pci_bus *bus, *next;

	for (bus = host->buses; bus; bus = next) {
		next = bus->next;
		free_bus(host->weir, bus);
	}
	if (host->ecam)
		plat_mmio_unmap(host->weir->plat, host->ecam, host->ecam_size);
	weir_free(host->weir, host);
}
