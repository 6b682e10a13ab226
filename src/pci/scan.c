/* SPDX-License-Identifier: MIT */
/*
 * Finding what is there: buses are numbered depth first, functions learnt and made devices.
 *
 * Bus numbers are always given anew, so that a stale one of the firmware's can route nothing. The
 * bridges of a bus are closed when it is discovered, then opened one at a time: from its
 * secondary bus to the last possible, narrowed down when all below it is known.
 *
 * TASK, with weir_pci.lock held.
 */

#include "pci/pci.h"

/* What adding devices needs; only while scanning. From the heap, as it would crowd the stack. */
struct scan {
	char name[32]; /* of the device that is being added */
	struct weir *weir;
	struct weir_pci_tables tables;
	struct weir_pci_host_desc host; /* that is being scanned */
	struct weir_device_desc desc;	/* of that device; points to these: */
	struct weir_device_id ids[WEIR_DEVICE_MAX_IDS];
	struct weir_range reserved[WEIR_PCI_MAX_WINDOWS];
};

/* ---- Functions ---------------------------------------------------------------------------- */

static void set_name(struct weir_pci_function *fn)
{
	struct weir_pci_dev *pdev = &fn->pdev;

	pdev->dev.weir = pdev->bus->host->weir;
	weir_snprintf(pdev->dev.name, sizeof(pdev->dev.name), "%04x:%02x:%02x.%x",
		      pdev->bus->host->segment, pdev->bus->number, WEIR_PCI_SLOT(pdev->devfn),
		      WEIR_PCI_FUNC(pdev->devfn));
}

static void learn_express(struct weir_pci_function *fn)
{
	unsigned int at = weir_pci_find_cap(fn, WEIR_PCI_CAP_ID_EXP);

	fn->express = -1;
	if (at)
		fn->express = (int)((weir_pci_read(fn, at + WEIR_PCI_EXP_FLAGS, 2) &
				     WEIR_PCI_EXP_FLAGS_TYPE) >>
				    WEIR_PCI_EXP_FLAGS_TYPE_SHIFT);
}

static void learn_ids(struct weir_pci_function *fn)
{
	struct weir_pci_dev *pdev = &fn->pdev;
	uint32_t class_revision = weir_pci_read(fn, WEIR_PCI_CLASS_REVISION, 4);

	pdev->class_code = class_revision >> 8;
	pdev->revision = (uint8_t)class_revision;
	if (fn->is_bridge)
		return;
	pdev->subsystem_vendor = (uint16_t)weir_pci_read(fn, WEIR_PCI_SUBSYSTEM_VENDOR_ID, 2);
	pdev->subsystem_device = (uint16_t)weir_pci_read(fn, WEIR_PCI_SUBSYSTEM_ID, 2);
	pdev->msix_offset = weir_pci_find_cap(fn, WEIR_PCI_CAP_ID_MSIX);
}

/* It must neither decode nor master before somebody asks for it. */
static void learn(struct weir_pci_function *fn)
{
	weir_pci_quiesce(fn);
	learn_express(fn);
	learn_ids(fn);
	weir_pci_size_bars(fn);
	weir_pci_enable_acs(fn);
	if (fn->is_bridge)
		weir_pci_write(fn, WEIR_PCI_PRIMARY_BUS, 4, 0); /* closed: it routes nothing */
}

/*
 * The function at devfn, if there is one, at the end of the bus's list. 1: there is; 0;
 * -WEIR_ENOMEM.
 */
static int discover_function(struct weir_pci_bus *bus, unsigned int devfn, bool *multifunction)
{
	struct weir_pci_host *host = bus->host;
	uint32_t id = host->ops->read(host, bus->number, devfn, WEIR_PCI_VENDOR_ID, 4);
	uint32_t header = host->ops->read(host, bus->number, devfn, WEIR_PCI_HEADER_TYPE, 1);
	struct weir_pci_function *fn;

	if ((id & 0xffff) == 0xffff || !(id & 0xffff))
		return 0;
	if ((header & WEIR_PCI_HEADER_TYPE_MASK) > WEIR_PCI_HEADER_TYPE_BRIDGE) {
		weir_log(host->weir, WEIR_LOG_WARN,
			 "%04x:%02x:%02x.%x has an unknown header (0x%x)", host->segment,
			 bus->number, WEIR_PCI_SLOT(devfn), WEIR_PCI_FUNC(devfn), header);
		return 0;
	}
	if (host->nr_functions++ == WEIR_PCI_MAX_FUNCTIONS)
		weir_log(host->weir, WEIR_LOG_WARN,
			 "more than %u PCI functions; the rest is left out",
			 WEIR_PCI_MAX_FUNCTIONS);
	if (host->nr_functions > WEIR_PCI_MAX_FUNCTIONS)
		return 0;
	fn = weir_alloc(host->weir, sizeof(*fn), 0);
	if (!fn)
		return -WEIR_ENOMEM;
	*multifunction |= !WEIR_PCI_FUNC(devfn) && header & WEIR_PCI_HEADER_TYPE_MFD;
	fn->pdev.bus = bus;
	fn->pdev.devfn = (uint8_t)devfn;
	fn->pdev.vendor = (uint16_t)id;
	fn->pdev.device = (uint16_t)(id >> 16);
	fn->is_bridge = (header & WEIR_PCI_HEADER_TYPE_MASK) == WEIR_PCI_HEADER_TYPE_BRIDGE;
	fn->is_multifunction = *multifunction;
	*bus->functions_end = fn;
	bus->functions_end = &fn->next;
	set_name(fn);
	learn(fn);
	return 1;
}

/* PCIe Base, 7.3.1: behind a link there is device 0 alone. */
static unsigned int slots_of(const struct weir_pci_bus *bus)
{
	if (bus->bridge && (bus->bridge->express == WEIR_PCI_EXP_TYPE_ROOT_PORT ||
			    bus->bridge->express == WEIR_PCI_EXP_TYPE_DOWNSTREAM))
		return 1;
	return 32;
}

static int discover(struct weir_pci_bus *bus)
{
	for (unsigned int slot = 0; slot < slots_of(bus); slot++) {
		bool multifunction = false;
		int ret = discover_function(bus, WEIR_PCI_DEVFN(slot, 0), &multifunction);

		for (unsigned int f = 1; ret >= 0 && multifunction && f < 8; f++)
			ret = discover_function(bus, WEIR_PCI_DEVFN(slot, f), &multifunction);
		if (ret < 0)
			return ret;
	}
	bus->to_number = bus->functions;
	return 0;
}

/* ---- Buses -------------------------------------------------------------------------------- */

static struct weir_pci_bus *make_bus(struct weir_pci_host *host, struct weir_pci_function *bridge)
{
	struct weir_pci_bus *bus = weir_alloc(host->weir, sizeof(*bus), 0);

	if (!bus)
		return NULL;
	bus->host = host;
	bus->bridge = bridge;
	bus->number = host->next_bus++;
	bus->functions_end = &bus->functions;
	*host->buses_end = bus;
	host->buses_end = &bus->next;
	return bus;
}

static void set_numbers(struct weir_pci_function *bridge, unsigned int secondary, unsigned int last)
{
	/* The fourth byte is a timer that PCI Express has hard-wired to 0. */
	weir_pci_write(bridge, WEIR_PCI_PRIMARY_BUS, 4,
		       bridge->pdev.bus->number | secondary << 8 | last << 16);
}

/* The bus behind a bridge, found out. NULL with *ret 0: there is no number left. */
static struct weir_pci_bus *open_bridge(struct weir_pci_function *bridge, int *ret)
{
	struct weir_pci_host *host = bridge->pdev.bus->host;
	struct weir_pci_bus *bus;

	*ret = 0;
	if (host->next_bus > host->last_bus) {
		weir_dev_log(&bridge->pdev.dev, WEIR_LOG_WARN,
			     "no bus number is left (up to %u): nothing behind it is found",
			     host->last_bus);
		return NULL;
	}
	bus = make_bus(host, bridge);
	if (!bus) {
		*ret = -WEIR_ENOMEM;
		return NULL;
	}
	bridge->secondary = bus;
	set_numbers(bridge, bus->number, host->last_bus);
	*ret = discover(bus);
	return bus;
}

static struct weir_pci_function *next_bridge(struct weir_pci_bus *bus)
{
	struct weir_pci_function *fn = bus->to_number;

	while (fn && !fn->is_bridge)
		fn = fn->next;
	bus->to_number = fn ? fn->next : NULL;
	return fn;
}

/* Depth first. Each step opens a bridge or leaves a bus; numbers, and with them buses, are few. */
static int number_buses(struct weir_pci_host *host)
{
	struct weir_pci_bus *bus = make_bus(host, NULL);
	int ret = bus ? discover(bus) : -WEIR_ENOMEM;

	while (!ret && bus) {
		struct weir_pci_function *bridge = next_bridge(bus);

		if (bridge) {
			struct weir_pci_bus *child = open_bridge(bridge, &ret);

			bus = child ? child : bus;
			continue;
		}
		if (bus->bridge)
			set_numbers(bus->bridge, bus->number, host->next_bus - 1);
		bus = bus->bridge ? bus->bridge->pdev.bus : NULL;
	}
	return ret;
}

/* Bridges forward both ways from now on; what is below them stays off until its driver comes. */
static void open_windows(struct weir_pci_host *host)
{
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		if (bus->bridge)
			weir_pci_change(bus->bridge, WEIR_PCI_COMMAND, 0,
					WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER);
	}
}

/* ---- Devices ------------------------------------------------------------------------------ */

/* Not inlined: weir_device_add() needs the stack more. */
static __attribute__((noinline)) int collect_ids(struct scan *scan, struct weir_pci_function *fn)
{
	uint16_t requesters[WEIR_DEVICE_MAX_IDS];
	int found = weir_pci_requesters(fn, requesters, WEIR_DEVICE_MAX_IDS), count = 0;

	if (found < 0)
		weir_dev_log(&fn->pdev.dev, WEIR_LOG_ERR,
			     "more than %u requester IDs; it is left out", WEIR_DEVICE_MAX_IDS);
	for (int i = 0; i < found; i++) {
		int ret = weir_pci_stream(&scan->tables, fn, requesters[i], &scan->ids[count]);

		if (ret < 0)
			return ret;
		count += ret;
		/* The last one is nearest to the root: a message, too, arrives with it. */
		fn->pdev.msi_id = requesters[i];
	}
	return found < 0 ? found : count;
}

/* Addresses that a bridge takes for itself, and the IOMMU never sees. */
static unsigned int collect_reserved(const struct weir_pci_host *host, struct weir_range *ranges)
{
	for (unsigned int i = 0; i < host->nr_windows; i++)
		ranges[i] = (struct weir_range){ host->windows[i].pci, host->windows[i].size };
	return host->nr_windows;
}

/* Errors other than these are one device's, and it is left out. */
static bool is_fatal(int ret)
{
	return ret == -WEIR_ENOMEM || ret == -WEIR_EINVAL || ret == -WEIR_ETIMEDOUT;
}

static int add_device(struct scan *scan, struct weir_pci_function *fn)
{
	struct weir_pci_host *host = fn->pdev.bus->host;
	struct weir_pci_function *key = weir_pci_group_key(fn);
	struct weir_device_desc *desc = &scan->desc;
	struct weir_pci *pci = scan->weir->pci;
	int ret = collect_ids(scan, fn);

	if (ret < 0)
		return ret;
	memset(desc, 0, sizeof(*desc));
	desc->coherent = host->coherent;
	desc->ids = scan->ids;
	desc->nr_ids = (unsigned int)ret;
	ret = weir_pci_message_id(&scan->tables, fn);
	if (ret)
		return ret;
	/* A copy, since weir_device_add() starts from zero. */
	memcpy(scan->name, fn->pdev.dev.name, sizeof(scan->name));
	desc->name = scan->name;
	desc->reserved = scan->reserved;
	desc->nr_reserved = collect_reserved(host, scan->reserved);
	desc->group_with = key->first_of_group ? &key->first_of_group->pdev.dev : NULL;
	ret = weir_device_add(scan->weir, &fn->pdev.dev, desc);
	if (ret)
		return ret;
	fn->is_added = true;
	if (!key->first_of_group)
		key->first_of_group = fn;
	*pci->devices_end = &fn->pdev;
	pci->devices_end = &fn->pdev.next;
	return 0;
}

static int add_devices(struct scan *scan, struct weir_pci_host *host)
{
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next) {
			int ret = fn->is_bridge ? 0 : add_device(scan, fn);

			if (is_fatal(ret))
				return ret;
			if (ret)
				weir_dev_log(&fn->pdev.dev, WEIR_LOG_ERR, "is left out (error %d)",
					     ret);
		}
	}
	return 0;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static int scan_host(struct scan *scan, const struct weir_pci_host_desc *desc)
{
	struct weir_pci *pci = scan->weir->pci;
	struct weir_pci_host *host, **link = &pci->hosts;
	int ret = weir_pci_host_make(scan->weir, desc, &host);

	if (ret)
		return ret;
	while (*link)
		link = &(*link)->next;
	*link = host;
	ret = number_buses(host);
	if (ret)
		return ret;
	weir_pci_place_bars(host);
	open_windows(host);
	return add_devices(scan, host);
}

static int scan_fdt(struct scan *scan)
{
	struct weir_pci_tables *tables = &scan->tables;
	const struct weir_options *options = &scan->weir->options;
	uint16_t segment = 0;
	int ret = 0;

	if (weir_fdt_open(options->fdt, options->fdt_size, &tables->fdt))
		return weir_fdt_log(scan->weir, &tables->fdt);
	tables->has_fdt = true;
	weir_fdt_root(&tables->fdt, &tables->node);
	while (!ret &&
	       weir_fdt_next_compatible(&tables->fdt, &tables->node, "pci-host-ecam-generic")) {
		if (!weir_fdt_is_enabled(&tables->fdt, &tables->node))
			continue;
		ret = weir_pci_host_read(&tables->fdt, &tables->node, segment++, &scan->host);
		if (!ret)
			ret = scan_host(scan, &scan->host);
	}
	if (ret == -WEIR_EINVAL && tables->fdt.error)
		weir_fdt_log(scan->weir, &tables->fdt);
	return ret;
}

static int scan_described(struct scan *scan, const struct weir_pci_host_desc *hosts,
			  unsigned int count)
{
	struct weir_pci_tables *tables = &scan->tables;
	const struct weir_options *options = &scan->weir->options;
	int ret = 0;

	if (options->iort && weir_iort_open(options->iort, options->iort_size, &tables->iort))
		return weir_iort_log(scan->weir, &tables->iort);
	tables->has_iort = options->iort;
	for (unsigned int i = 0; !ret && i < count; i++) {
		scan->host = hosts[i];
		ret = scan_host(scan, &scan->host);
	}
	return ret;
}

static void close_bridges(struct weir_pci_host *host)
{
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		if (bus->bridge)
			weir_pci_quiesce(bus->bridge);
	}
}

/* Returns the mappings that drivers left behind. */
static unsigned int remove_functions(struct weir_pci *pci)
{
	unsigned int left = 0;

	for (struct weir_pci_dev *pdev = pci->devices; pdev; pdev = pdev->next) {
		weir_pci_unbind(pdev);
		weir_pci_disable(pdev); /* who used it without a driver forgot */
		weir_pci_free_vectors(pdev);
		left += weir_device_remove(&pdev->dev);
	}
	pci->devices = NULL;
	pci->devices_end = &pci->devices;
	while (pci->hosts) {
		struct weir_pci_host *host = pci->hosts;

		pci->hosts = host->next;
		close_bridges(host);
		weir_pci_host_free(host);
	}
	return left;
}

/* Under weir_pci.lock. `hosts` NULL: those of the device tree. */
static int scan_once(struct weir *weir, struct scan *scan, const struct weir_pci_host_desc *hosts,
		     unsigned int count)
{
	struct weir_pci *pci = weir->pci;
	int ret;

	if (pci->hosts)
		return -WEIR_EEXIST;
	scan->weir = weir;
	ret = hosts ? scan_described(scan, hosts, count) : scan_fdt(scan);
	if (ret)
		remove_functions(pci);
	else
		weir_pci_bind_all(pci);
	return ret;
}

static int scan_with(struct weir *weir, const struct weir_pci_host_desc *hosts, unsigned int count)
{
	struct scan *scan = weir_alloc(weir, sizeof(*scan), 0);
	struct weir_pci *pci = weir_pci_get(weir);
	int ret = -WEIR_ENOMEM;

	if (scan && pci) {
		plat_mutex_lock(weir->plat, &pci->lock);
		ret = scan_once(weir, scan, hosts, count);
		plat_mutex_unlock(weir->plat, &pci->lock);
	}
	weir_pci_put(weir);
	weir_free(weir, scan);
	return ret;
}

int weir_pci_scan(struct weir *weir)
{
	return weir->options.fdt ? scan_with(weir, NULL, 0) : 0;
}

int weir_pci_scan_hosts(struct weir *weir, const struct weir_pci_host_desc *hosts,
			unsigned int count)
{
	return count ? scan_with(weir, hosts, count) : 0;
}

unsigned int weir_pci_remove_all(struct weir *weir)
{
	struct weir_pci *pci = weir->pci;
	unsigned int left;

	if (!pci)
		return 0;
	plat_mutex_lock(weir->plat, &pci->lock);
	left = remove_functions(pci);
	while (pci->drivers) {
		struct weir_pci_registration *registration = pci->drivers;

		pci->drivers = registration->next;
		weir_free(weir, registration);
	}
	plat_mutex_unlock(weir->plat, &pci->lock);
	weir_pci_put(weir);
	return left;
}
