/* SPDX-License-Identifier: MIT */
/* Host bridges: made from a description, whoever wrote it; freed with all below them. TASK. */

#include "pci/pci.h"

#define ECAM_BUS_SIZE ((uint64_t)1 << WEIR_PCI_ECAM_BUS_SHIFT)

/* What is wrong with it, or NULL. */
static const char *wrong(const struct weir_pci_host_desc *desc)
{
	uint64_t last = ~(uint64_t)0;

	if (desc->first_bus > desc->last_bus)
		return "its last bus comes before its first";
	if (!WEIR_IS_ALIGNED(desc->ecam, ECAM_BUS_SIZE))
		return "its ECAM is not at a multiple of 1 MiB";
	if (desc->nr_windows > WEIR_PCI_MAX_WINDOWS)
		return "it has more than 8 memory windows";
	for (unsigned int i = 0; i < desc->nr_windows; i++) {
		const struct weir_pci_window *window = &desc->windows[i];

		if (!window->size || window->size - 1 > last - window->cpu ||
		    window->size - 1 > last - window->pci)
			return "a window is empty or beyond the last address";
	}
	return NULL;
}

static int map_ecam(struct weir_pci_host *host, weir_phys_t ecam)
{
	host->ecam_size = (host->last_bus - host->first_bus + 1) * ECAM_BUS_SIZE;
	host->ecam = plat_mmio_map(host->weir->plat, ecam, host->ecam_size);
	return host->ecam ? 0 : -WEIR_ENOMEM;
}

int weir_pci_host_make(struct weir *weir, const struct weir_pci_host_desc *desc,
		       struct weir_pci_host **host)
{
	const char *what = wrong(desc);
	struct weir_pci_host *new;
	int ret;

	if (what) {
		weir_log(weir, WEIR_LOG_ERR, "PCI host bridge of segment %u: %s", desc->segment,
			 what);
		return -WEIR_EINVAL;
	}
	new = weir_alloc(weir, sizeof(*new), 0);
	if (!new)
		return -WEIR_ENOMEM;
	new->weir = weir;
	new->ops = &weir_pci_ecam_ops;
	new->buses_end = &new->buses;
	new->segment = desc->segment;
	new->first_bus = new->next_bus = desc->first_bus;
	new->last_bus = desc->last_bus;
	new->coherent = desc->coherent;
	new->nr_windows = desc->nr_windows;
	memcpy(new->windows, desc->windows, sizeof(new->windows));
	ret = map_ecam(new, desc->ecam);
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
