/* SPDX-License-Identifier: MIT */
/*
 * A host for tests of device models: pcihost.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/hw/pci.h>

#include "pcihost.h"

#define ECAM 0x4010000000ull
#define MESSAGES 0x08000000ull

static enum weir_model_result message_read(void *opaque, uint64_t offset, unsigned int size,
					   uint32_t requester, uint64_t *value)
{
	(void)opaque;
	(void)offset;
	(void)size;
	(void)requester;
	*value = 0;
	return WEIR_MODEL_OK;
}

static enum weir_model_result message_write(void *opaque, uint64_t offset, unsigned int size,
					    uint32_t requester, uint64_t value)
{
	struct pcihost *host = opaque;

	(void)requester;
	/* A hostile device may write anything here, but not through cmocka on its thread. */
	if (offset == 0x40 && size == 4 && value < PCIHOST_VECTORS)
		__atomic_fetch_add(&host->irqs[value], 1, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops message_ops = { message_read, message_write };

void pcihost_init(struct pcihost *host)
{
	const struct weir_model_pcie_config config = {
		.ecam_base = ECAM,
		.bus_count = 1,
		.mmio32_base = 0x10000000,
		.mmio32_size = 0x10000000,
		.mmio64_base = PCIHOST_BAR,
		.mmio64_size = 0x100000000ull,
	};
	struct weir_model_region *region;

	memset(host, 0, sizeof(*host));
	host->ram = aligned_alloc(4096, PCIHOST_RAM_SIZE);
	assert_non_null(host->ram);
	memset(host->ram, 0, PCIHOST_RAM_SIZE);
	assert_int_equal(weir_model_bus_create(&host->bus), 0);
	assert_int_equal(
		weir_model_bus_add_ram(host->bus, PCIHOST_RAM, PCIHOST_RAM_SIZE, host->ram), 0);
	assert_int_equal(weir_model_bus_add_mmio(host->bus, MESSAGES, 0x1000, &message_ops, host,
						 &region),
			 0);
	assert_int_equal(weir_model_pcie_create(host->bus, &config, &host->rc), 0);
}

uint32_t pcihost_config_read(struct pcihost *host, unsigned int reg, unsigned int size)
{
	uint64_t addr = ECAM + ((uint64_t)PCIHOST_DEVFN << WEIR_PCI_ECAM_DEVFN_SHIFT) + reg;
	uint32_t value = 0;

	assert_int_equal(weir_model_bus_read(host->bus, addr, &value, size, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	return value;
}

void pcihost_config_write(struct pcihost *host, unsigned int reg, unsigned int size, uint32_t value)
{
	uint64_t addr = ECAM + ((uint64_t)PCIHOST_DEVFN << WEIR_PCI_ECAM_DEVFN_SHIFT) + reg;

	assert_int_equal(weir_model_bus_write(host->bus, addr, &value, size, WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
}

unsigned int pcihost_capability(struct pcihost *host, uint8_t id)
{
	unsigned int at = pcihost_config_read(host, WEIR_PCI_CAPABILITY_LIST, 1);
	unsigned int steps;

	for (steps = 0; at && steps < 48; steps++) {
		if (pcihost_config_read(host, at, 1) == id)
			return at;
		at = pcihost_config_read(host, at + WEIR_PCI_CAP_LIST_NEXT, 1);
	}
	return 0;
}

void pcihost_bus_master(struct pcihost *host, bool on)
{
	pcihost_config_write(host, WEIR_PCI_COMMAND, 2,
			     WEIR_PCI_COMMAND_MEMORY | (on ? WEIR_PCI_COMMAND_MASTER : 0));
}

void pcihost_start(struct pcihost *host, unsigned int vectors, uint32_t msix_table)
{
	bool is64 = pcihost_config_read(host, WEIR_PCI_BASE_ADDRESS_0, 4) &
		    WEIR_PCI_BASE_ADDRESS_MEM_TYPE_64;
	unsigned int msix = pcihost_capability(host, WEIR_PCI_CAP_ID_MSIX);
	uint64_t base = is64 ? PCIHOST_BAR : 0x10000000;
	unsigned int i;

	assert_int_not_equal(msix, 0);
	pcihost_config_write(host, WEIR_PCI_BASE_ADDRESS_0, 4, (uint32_t)base);
	if (is64)
		pcihost_config_write(host, WEIR_PCI_BASE_ADDRESS_0 + 4, 4, (uint32_t)(base >> 32));
	pcihost_bus_master(host, true);
	pcihost_config_write(host, msix + WEIR_PCI_MSIX_FLAGS, 2, WEIR_PCI_MSIX_FLAGS_ENABLE);
	for (i = 0; i < vectors; i++) {
		uint32_t entry = msix_table + i * WEIR_PCI_MSIX_ENTRY_SIZE;

		pcihost_write(host, entry, 8, MESSAGES + 0x40);
		pcihost_write(host, entry + WEIR_PCI_MSIX_ENTRY_DATA, 4, i);
		pcihost_write(host, entry + WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
	}
}

void pcihost_fini(struct pcihost *host)
{
	weir_model_pcie_destroy(host->rc);
	weir_model_bus_destroy(host->bus);
	free(host->ram);
}

static uint64_t bar_base(struct pcihost *host)
{
	uint64_t low = pcihost_config_read(host, WEIR_PCI_BASE_ADDRESS_0, 4);

	if (low & WEIR_PCI_BASE_ADDRESS_MEM_TYPE_64)
		low |= (uint64_t)pcihost_config_read(host, WEIR_PCI_BASE_ADDRESS_0 + 4, 4) << 32;
	return low & ~(uint64_t)0xf;
}

uint64_t pcihost_read(struct pcihost *host, uint32_t offset, unsigned int size)
{
	uint64_t value = 0;

	assert_int_equal(weir_model_bus_read(host->bus, bar_base(host) + offset, &value, size,
					     WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
	return value;
}

void pcihost_write(struct pcihost *host, uint32_t offset, unsigned int size, uint64_t value)
{
	assert_int_equal(weir_model_bus_write(host->bus, bar_base(host) + offset, &value, size,
					      WEIR_MODEL_CPU),
			 WEIR_MODEL_OK);
}

unsigned int pcihost_irqs(struct pcihost *host, unsigned int vector)
{
	/* Pairs with message_write(). */
	return __atomic_load_n(&host->irqs[vector], __ATOMIC_ACQUIRE);
}

void *pcihost_at(struct pcihost *host, uint64_t addr)
{
	assert_in_range(addr, PCIHOST_RAM, PCIHOST_RAM + PCIHOST_RAM_SIZE - 1);
	return host->ram + (addr - PCIHOST_RAM);
}
