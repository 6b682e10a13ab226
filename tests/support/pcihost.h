/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PCIHOST_H
#define TESTS_PCIHOST_H

/*
 * A host with RAM, a root complex and one PCI function on the root bus, no IOMMU: for tests of
 * device models that drive them by hand. BAR 0 is placed, MSI-X enabled, vector N raises irqs[N].
 */

#include <weir/model/pcie.h>

#define PCIHOST_RAM 0x40000000ull
#define PCIHOST_RAM_SIZE 0x2000000u
#define PCIHOST_BAR 0x8000000000ull
#define PCIHOST_DEVFN 0x08
#define PCIHOST_VECTORS 32u

struct pcihost {
	struct weir_model_bus *bus;
	struct weir_model_pcie *rc;
	uint8_t *ram;
	unsigned int irqs[PCIHOST_VECTORS]; /* atomic */
};

void pcihost_init(struct pcihost *host);
/** The function at PCIHOST_DEVFN exists now: place, enable, set up its MSI-X vectors. */
void pcihost_start(struct pcihost *host, unsigned int vectors, uint32_t msix_table);
void pcihost_fini(struct pcihost *host);

uint32_t pcihost_config_read(struct pcihost *host, unsigned int reg, unsigned int size);
void pcihost_config_write(struct pcihost *host, unsigned int reg, unsigned int size,
			  uint32_t value);
/** Where the capability stands; 0: there is none. */
unsigned int pcihost_capability(struct pcihost *host, uint8_t id);
void pcihost_bus_master(struct pcihost *host, bool on);

uint64_t pcihost_read(struct pcihost *host, uint32_t offset, unsigned int size);
void pcihost_write(struct pcihost *host, uint32_t offset, unsigned int size, uint64_t value);
unsigned int pcihost_irqs(struct pcihost *host, unsigned int vector);
/** The host's view of RAM. */
void *pcihost_at(struct pcihost *host, uint64_t addr);

#endif
