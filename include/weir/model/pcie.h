/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_PCIE_H
#define WEIR_MODEL_PCIE_H

/*
 * PCI Express in software: a root complex with ECAM, bridges, and functions with configuration
 * space, BARs and capabilities. A device model embeds a struct weir_model_pci_function, fills in
 * what it is, and adds it below the root complex or below a bridge (a root port).
 *
 * Configuration space lives in the function; the root complex routes ECAM accesses by the bus
 * numbers that software wrote into the bridges. BARs become regions of the bus as software
 * programs and enables them (memory space enable, and the windows of each bridge above).
 * A function without Bus Master Enable, its own and that of every bridge above it, cannot master:
 * its port aborts, MSI-X included.
 */

#include <weir/model/bus.h>

WEIR_BEGIN_DECLS

struct weir_model_pcie;	      /* root complex: one ECAM segment */
struct weir_model_pci_bridge; /* a type 1 function with a secondary bus */
struct weir_model_pci_function;

struct weir_model_pcie_config {
	uint64_t ecam_base;		   /**< 1 MiB for each bus */
	unsigned int bus_count;		   /**< 1 to 256 */
	uint64_t mmio32_base, mmio32_size; /**< window for BARs, CPU addresses = PCI addresses */
	uint64_t mmio64_base, mmio64_size;
	const struct weir_model_iommu_ops *iommu_ops; /**< in front of all functions; NULL: none */
	void *iommu;
};

int weir_model_pcie_create(struct weir_model_bus *bus, const struct weir_model_pcie_config *config,
			   struct weir_model_pcie **rc);
/** Destroys bridges too; functions are their models'. */
void weir_model_pcie_destroy(struct weir_model_pcie *rc);

#define WEIR_MODEL_PCI_BARS 6

struct weir_model_pci_bar {
	uint64_t size;			       /**< a power of two >= 4096; 0: no BAR */
	bool is64, prefetchable;	       /**< a 64-bit BAR takes two slots */
	const struct weir_model_mmio_ops *ops; /**< offset is within the BAR */
	void *opaque;
};

/** What a function is. Bridges: -> weir_model_pci_add_bridge(). */
struct weir_model_pci_desc {
	const char *name;
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /**< 24 bits: class, subclass, interface */
	uint8_t revision;
	struct weir_model_pci_bar bars[WEIR_MODEL_PCI_BARS];
	unsigned int msix_vectors; /**< 0: no MSI-X */
	unsigned int msix_bar; /**< the BAR that holds table and PBA; its ops see the rest of it */
	uint32_t msix_offset;  /**< of the table; the PBA follows on the next 4 KiB */
	bool express; /**< has a PCI Express capability (false: a conventional PCI function) */
	bool multifunction;
	bool acs; /**< multi-function ACS capability, as functions may have */
	/** Reset (FLR, or at the machine's): called with no access under way in it. May be NULL. */
	void (*reset)(struct weir_model_pci_function *fn);
};

/** Embedded in the device's model; read-only for it but through the functions below. */
struct weir_model_pci_function {
	struct weir_model_pci_desc desc;
	struct weir_model_pcie *rc;
	struct weir_model_pci_bridge *parent; /* NULL: on the root bus */
	uint8_t devfn;
	struct weir_model_pci_state *state; /* the root complex's */
};

/** ACS bits as the PCIe capability has them: SV, TB, RR, CR, UF, EC, DT. */
struct weir_model_pci_bridge_desc {
	const char *name;
	enum {
		WEIR_MODEL_ROOT_PORT,
		WEIR_MODEL_SWITCH_UP,
		WEIR_MODEL_SWITCH_DOWN,
		WEIR_MODEL_PCIE_TO_PCI
	} kind;
	uint16_t acs_capabilities; /**< 0: no ACS capability */
};

/** `parent` NULL: the root bus. -WEIR_EEXIST: devfn is taken. -WEIR_EINVAL, -WEIR_ENOMEM. */
int weir_model_pci_add_bridge(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			      uint8_t devfn, const struct weir_model_pci_bridge_desc *desc,
			      struct weir_model_pci_bridge **bridge);
int weir_model_pci_add(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
		       uint8_t devfn, const struct weir_model_pci_desc *desc,
		       struct weir_model_pci_function *fn);
void weir_model_pci_remove(struct weir_model_pci_function *fn);

/**
 * Requester ID, with the bus number that the last configuration write to the function came by
 * (behind a PCIe-to-PCI bridge: the bridge's alias).
 */
uint16_t weir_model_pci_requester(const struct weir_model_pci_function *fn);

/** DMA as this function: through the IOMMU; WEIR_MODEL_ABORT while Bus Master Enable is clear. */
enum weir_model_result weir_model_pci_read(struct weir_model_pci_function *fn, uint64_t addr,
					   void *buf, size_t len);
enum weir_model_result weir_model_pci_write(struct weir_model_pci_function *fn, uint64_t addr,
					    const void *buf, size_t len);
/** Send MSI-X vector `index`: a DMA write if enabled and unmasked, pending in the PBA if masked. */
void weir_model_pci_msix(struct weir_model_pci_function *fn, unsigned int index);

WEIR_END_DECLS

#endif
