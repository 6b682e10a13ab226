/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: ECAM (PCIe Base, 7.2.2), capabilities. Any context. Accesses are single, so
 * nothing is locked; who changes a register by reading and writing it is alone with the function.
 */

#include "pci/pci.h"

/* Capabilities of 4 bytes at least in 192; extended ones of 8 at least in 3840. */
#define MAX_CAPS 48
#define MAX_EXT_CAPS 480
/* The last place that has room for one; what was beyond would be another function's. */
#define LAST_EXT_CAP (WEIR_PCI_CFG_SPACE_EXP_SIZE - 8)

static volatile void WEIR_IOMEM *ecam_address(const struct weir_pci_host *host, unsigned int bus,
					      unsigned int devfn, unsigned int offset)
{
	size_t at = (size_t)(bus - host->first_bus) << WEIR_PCI_ECAM_BUS_SHIFT |
		    (size_t)devfn << WEIR_PCI_ECAM_DEVFN_SHIFT | offset;

	return (volatile char WEIR_IOMEM *)host->ecam + at;
}

static uint32_t ecam_read(struct weir_pci_host *host, unsigned int bus, unsigned int devfn,
			  unsigned int offset, unsigned int size)
{
	volatile void WEIR_IOMEM *addr = ecam_address(host, bus, devfn, offset);

	if (size == 1)
		return plat_mmio_read8(addr);
	return size == 2 ? plat_mmio_read16(addr) : plat_mmio_read32(addr);
}

static void ecam_write(struct weir_pci_host *host, unsigned int bus, unsigned int devfn,
		       unsigned int offset, unsigned int size, uint32_t value)
{
	volatile void WEIR_IOMEM *addr = ecam_address(host, bus, devfn, offset);

	if (size == 1)
		plat_mmio_write8(addr, (uint8_t)value);
	else if (size == 2)
		plat_mmio_write16(addr, (uint16_t)value);
	else
		plat_mmio_write32(addr, value);
	/*
	 * A configuration write is not posted (PCIe Base, 2.4.1), but the CPU's write is (nGnRE).
	 * What follows must find it done: a read that does nothing waits for it.
	 */
	(void)plat_mmio_read16(ecam_address(host, bus, devfn, WEIR_PCI_VENDOR_ID));
}

const struct weir_pci_config_ops weir_pci_ecam_ops = { ecam_read, ecam_write };

uint32_t weir_pci_read(struct weir_pci_function *fn, unsigned int offset, unsigned int size)
{
	struct weir_pci_bus *bus = fn->pdev.bus;

	return bus->host->ops->read(bus->host, bus->number, fn->pdev.devfn, offset, size);
}

void weir_pci_write(struct weir_pci_function *fn, unsigned int offset, unsigned int size,
		    uint32_t value)
{
	struct weir_pci_bus *bus = fn->pdev.bus;

	bus->host->ops->write(bus->host, bus->number, fn->pdev.devfn, offset, size, value);
}

void weir_pci_change(struct weir_pci_function *fn, unsigned int offset, uint32_t clear,
		     uint32_t set)
{
	uint32_t value = weir_pci_read(fn, offset, 2);

	weir_pci_write(fn, offset, 2, (value & ~clear) | set);
}

unsigned int weir_pci_find_cap(struct weir_pci_function *fn, unsigned int id)
{
	unsigned int at;

	if (!(weir_pci_read(fn, WEIR_PCI_STATUS, 2) & WEIR_PCI_STATUS_CAP_LIST))
		return 0;
	at = weir_pci_read(fn, WEIR_PCI_CAPABILITY_LIST, 1) & ~3u;
	for (unsigned int i = 0; i < MAX_CAPS && at >= 0x40; i++) {
		uint32_t header = weir_pci_read(fn, at, 2);

		if ((header & 0xff) == id)
			return at;
		at = header >> 8 & ~3u;
	}
	return 0;
}

unsigned int weir_pci_find_ext_cap(struct weir_pci_function *fn, unsigned int id)
{
	unsigned int at = WEIR_PCI_EXT_CAP_START;

	if (fn->express < 0)
		return 0;
	for (unsigned int i = 0; i < MAX_EXT_CAPS && at >= WEIR_PCI_EXT_CAP_START; i++) {
		uint32_t header = weir_pci_read(fn, at, 4);

		if (!header || header == UINT32_MAX || at > LAST_EXT_CAP)
			return 0;
		if ((header & WEIR_PCI_EXT_CAP_ID_MASK) == id)
			return at;
		at = header >> WEIR_PCI_EXT_CAP_NEXT_SHIFT & WEIR_PCI_EXT_CAP_NEXT_MASK;
	}
	return 0;
}

static bool is_valid_access(unsigned int offset, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && WEIR_IS_ALIGNED(offset, size) &&
	       offset < WEIR_PCI_CFG_SPACE_EXP_SIZE;
}

int weir_pci_config_read(struct weir_pci_dev *pdev, unsigned int offset, unsigned int size,
			 uint32_t *value)
{
	if (!is_valid_access(offset, size))
		return -WEIR_EINVAL;
	*value = weir_pci_read(weir_pci_function(pdev), offset, size);
	return 0;
}

int weir_pci_config_write(struct weir_pci_dev *pdev, unsigned int offset, unsigned int size,
			  uint32_t value)
{
	if (!is_valid_access(offset, size))
		return -WEIR_EINVAL;
	weir_pci_write(weir_pci_function(pdev), offset, size, value);
	return 0;
}
