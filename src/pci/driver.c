/* SPDX-License-Identifier: MIT */
/*
 * Drivers and functions: who takes what, and what a function may do. TASK.
 *
 * Drivers are called with weir_pci.lock held: they may call everything but registration, scanning
 * and removal.
 */

#include "pci/pci.h"

#define COMMAND_ACTIVE (WEIR_PCI_COMMAND_IO | WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER)

struct weir_pci *weir_pci_get(struct weir *weir)
{
	struct weir_pci *new = weir_alloc(weir, sizeof(*new), 0);

	plat_mutex_lock(weir->plat, &weir->lock);
	if (!weir->pci && new) {
		new->devices_end = &new->devices;
		weir->pci = new;
		new = NULL;
	}
	plat_mutex_unlock(weir->plat, &weir->lock);
	weir_free(weir, new);
	return weir->pci;
}

void weir_pci_put(struct weir *weir)
{
	struct weir_pci *pci;

	plat_mutex_lock(weir->plat, &weir->lock);
	pci = weir->pci;
	if (pci && (pci->hosts || pci->drivers))
		pci = NULL;
	if (pci)
		weir->pci = NULL;
	plat_mutex_unlock(weir->plat, &weir->lock);
	weir_free(weir, pci);
}

/* ---- Functions ---------------------------------------------------------------------------- */

void weir_pci_quiesce(struct weir_pci_function *fn)
{
	weir_pci_change(fn, WEIR_PCI_COMMAND, COMMAND_ACTIVE, WEIR_PCI_COMMAND_INTX_DISABLE);
	/* A read pushes what the function wrote before it heard of this (PCIe Base, 2.4.1). */
	(void)weir_pci_read(fn, WEIR_PCI_COMMAND, 2);
}

uint16_t weir_pci_requester(const struct weir_pci_dev *pdev)
{
	return (uint16_t)(pdev->bus->number << 8 | pdev->devfn);
}

int weir_pci_enable(struct weir_pci_dev *pdev)
{
	struct weir_pci_function *fn = weir_pci_function(pdev);
	bool any = false;

	/* Decoding is on for all BARs or none: one without a place would decode anywhere. */
	for (unsigned int i = 0; i < WEIR_PCI_BARS; i++) {
		const struct weir_pci_bar_info *info = &fn->bar_info[i];

		if (info->item.size && !info->item.is_placed)
			return -WEIR_ENODEV;
		any |= info->item.is_placed;
	}
	if (!any)
		return -WEIR_ENODEV;
	weir_pci_change(fn, WEIR_PCI_COMMAND, 0, WEIR_PCI_COMMAND_MEMORY);
	pdev->enabled = true;
	return 0;
}

void weir_pci_disable(struct weir_pci_dev *pdev)
{
	weir_pci_quiesce(weir_pci_function(pdev));
	pdev->enabled = false;
}

void weir_pci_set_master(struct weir_pci_dev *pdev, bool on)
{
	struct weir_pci_function *fn = weir_pci_function(pdev);

	weir_pci_change(fn, WEIR_PCI_COMMAND, WEIR_PCI_COMMAND_MASTER,
			on ? WEIR_PCI_COMMAND_MASTER : 0);
	/* As in weir_pci_quiesce(): the function has heard of it, and what it wrote has arrived. */
	if (!on)
		(void)weir_pci_read(fn, WEIR_PCI_COMMAND, 2);
}

volatile void WEIR_IOMEM *weir_pci_map_bar(struct weir_pci_dev *pdev, unsigned int bar, size_t max)
{
	size_t size;

	if (bar >= WEIR_PCI_BARS || !pdev->bars[bar].size)
		return NULL;
	size = pdev->bars[bar].size;
	if (max && max < size)
		size = max;
	return plat_mmio_map(pdev->dev.weir->plat, pdev->bars[bar].start, size);
}

void weir_pci_unmap_bar(struct weir_pci_dev *pdev, volatile void WEIR_IOMEM *addr, size_t size)
{
	plat_mmio_unmap(pdev->dev.weir->plat, addr, size);
}

static bool is_or_any(uint32_t wanted, uint32_t is)
{
	return wanted == WEIR_PCI_ANY || wanted == is;
}

struct weir_pci_dev *weir_pci_find(struct weir *weir, uint32_t vendor, uint32_t device,
				   struct weir_pci_dev *from)
{
	struct weir_pci_dev *pdev = from ? from->next : weir->pci ? weir->pci->devices : NULL;

	while (pdev && !(is_or_any(vendor, pdev->vendor) && is_or_any(device, pdev->device)))
		pdev = pdev->next;
	return pdev;
}

/* ---- Binding ------------------------------------------------------------------------------ */

static bool matches(const struct weir_pci_id *id, const struct weir_pci_dev *pdev)
{
	return is_or_any(id->vendor, pdev->vendor) && is_or_any(id->device, pdev->device) &&
	       is_or_any(id->subvendor, pdev->subsystem_vendor) &&
	       is_or_any(id->subdevice, pdev->subsystem_device) &&
	       (pdev->class_code & id->class_mask) == (id->class_code & id->class_mask);
}

/*
 * Whatever the driver did or forgot: no access, no DMA, no interrupt, and a line on what it left.
 */
static void clean_up(struct weir_pci_dev *pdev, const struct weir_pci_driver *driver)
{
	uint64_t live;

	weir_pci_disable(pdev);
	weir_pci_free_vectors(pdev);
	live = __atomic_load_n(&pdev->dev.live_maps, __ATOMIC_RELAXED);
	if (live)
		weir_dev_log(&pdev->dev, WEIR_LOG_WARN, "driver %s left %llu mappings",
			     driver->name, (unsigned long long)live);
}

static void offer(struct weir_pci_dev *pdev, const struct weir_pci_driver *driver)
{
	const struct weir_pci_id *id = driver->ids();
	int ret;

	while (id->vendor && !matches(id, pdev))
		id++;
	if (!id->vendor)
		return;
	ret = driver->probe(pdev, id);
	if (!ret) {
		pdev->driver = driver;
		return;
	}
	weir_dev_log(&pdev->dev, WEIR_LOG_ERR, "driver %s cannot drive it (error %d)", driver->name,
		     ret);
	clean_up(pdev, driver);
}

void weir_pci_unbind(struct weir_pci_dev *pdev)
{
	const struct weir_pci_driver *driver = pdev->driver;

	if (!driver)
		return;
	if (driver->remove)
		driver->remove(pdev);
	pdev->driver = NULL;
	clean_up(pdev, driver);
}

void weir_pci_bind_all(struct weir_pci *pci)
{
	for (struct weir_pci_registration *r = pci->drivers; r; r = r->next) {
		for (struct weir_pci_dev *pdev = pci->devices; pdev; pdev = pdev->next) {
			if (!pdev->driver)
				offer(pdev, r->driver);
		}
	}
}

static struct weir_pci_registration **find_registration(struct weir_pci *pci,
							const struct weir_pci_driver *driver)
{
	struct weir_pci_registration **link = &pci->drivers;

	while (*link && (*link)->driver != driver)
		link = &(*link)->next;
	return link;
}

int weir_pci_register_driver(struct weir *weir, const struct weir_pci_driver *driver)
{
	struct weir_pci_registration **link, *new = weir_alloc(weir, sizeof(*new), 0);
	struct weir_pci *pci = weir_pci_get(weir);
	int ret = 0;

	if (!new || !pci) {
		weir_free(weir, new);
		weir_pci_put(weir);
		return -WEIR_ENOMEM;
	}
	new->driver = driver;
	plat_mutex_lock(weir->plat, &pci->lock);
	link = find_registration(pci, driver);
	if (*link) {
		ret = -WEIR_EEXIST;
	} else {
		*link = new;
		new = NULL;
		for (struct weir_pci_dev *pdev = pci->devices; pdev; pdev = pdev->next) {
			if (!pdev->driver)
				offer(pdev, driver);
		}
	}
	plat_mutex_unlock(weir->plat, &pci->lock);
	weir_free(weir, new);
	return ret;
}

void weir_pci_unregister_driver(struct weir *weir, const struct weir_pci_driver *driver)
{
	struct weir_pci_registration **link, *registration;
	struct weir_pci *pci = weir->pci;

	if (!pci)
		return;
	plat_mutex_lock(weir->plat, &pci->lock);
	link = find_registration(pci, driver);
	registration = *link;
	if (registration)
		*link = registration->next;
	for (struct weir_pci_dev *pdev = pci->devices; pdev; pdev = pdev->next) {
		if (pdev->driver == driver)
			weir_pci_unbind(pdev);
	}
	plat_mutex_unlock(weir->plat, &pci->lock);
	weir_free(weir, registration);
	weir_pci_put(weir);
}
