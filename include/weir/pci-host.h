/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PCI_HOST_H
#define WEIR_PCI_HOST_H

/*
 * PCI for hosts that have no PCI layer of their own (src/pci; optional), under weir's own names.
 * Drivers use weir/pci.h and weir/interrupt.h.
 *
 * weir_pci_scan() finds the host bridges in the device tree, numbers buses, sizes and places BARs
 * that firmware left unset, and adds each function (not bridges) as a device: requester ID and
 * aliases through `iommu-map`, group by ACS and aliases. A driver that is registered is offered
 * every function that it names, those found later too.
 *
 * weir_pci_scan_hosts() does the same with host bridges that the host describes: where ACPI
 * describes the machine they are in its MCFG and its namespace, which weir does not read. Stream
 * IDs and message IDs are then those of the IORT, by segment and requester ID.
 */

#include <weir/sys.h>

WEIR_BEGIN_DECLS

struct weir_pci_bus;
struct weir_pci_vector;
struct weir_pci_driver;

#define WEIR_PCI_BARS 6

struct weir_pci_bar {
	weir_phys_t start; /**< CPU physical address */
	uint64_t size;	   /**< 0: none */
};

/** A function. Owned by src/pci, from weir_pci_scan() to weir_pci_remove_all(). */
struct weir_pci_dev {
	struct weir_device dev; /* first: struct pci_dev of the driver headers relies on it */
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t class_code; /* class, subclass, interface: 24 bits */
	uint8_t revision, devfn;
	bool enabled;
	struct weir_pci_bar bars[WEIR_PCI_BARS];
	struct weir_pci_bus *bus;
	struct weir_pci_dev *next;
	const struct weir_pci_driver *driver; /* bound, or NULL */
	struct weir_pci_vector *vectors;      /* MSI-X vectors in use */
	unsigned int nr_vectors;
	unsigned int msix_offset; /* of the capability; 0: none */
	volatile void WEIR_IOMEM *msix_table;
	uint32_t msi_controller, msi_id; /* phandle, and the device's ID there */
};

/** What a driver takes: fields of WEIR_PCI_ANY match all. vendor 0 ends a list. */
#define WEIR_PCI_ANY (~0u)
struct weir_pci_id {
	uint32_t vendor, device, subvendor, subdevice;
	uint32_t class_code, class_mask; /* class & mask compared; mask 0: any */
	uintptr_t driver_data;
};

struct weir_pci_driver {
	const char *name;
	const struct weir_pci_id *(*ids)(void); /**< what it takes; vendor 0 ends the list */
	int (*probe)(struct weir_pci_dev *pdev, const struct weir_pci_id *id);
	void (*remove)(struct weir_pci_dev *pdev);
};

/** A host bridge with an ECAM, as the host knows it (MCFG, and its _CRS and _CCA). */
#define WEIR_PCI_MAX_WINDOWS 8
struct weir_pci_host_desc {
	weir_phys_t ecam; /**< of first_bus; at a multiple of 1 MiB */
	uint16_t segment;
	uint8_t first_bus, last_bus;
	bool coherent; /**< accesses of its functions snoop the CPUs' caches */
	/** Memory that it forwards downwards: none but these addresses are given to BARs. */
	struct weir_pci_window {
		weir_phys_t cpu; /**< as CPUs see it */
		uint64_t pci, size;
	} windows[WEIR_PCI_MAX_WINDOWS];
	unsigned int nr_windows;
};

/**
 * -WEIR_EINVAL: the tables are wrong (the log says where). -WEIR_EEXIST: there was a scan already.
 * -WEIR_ENOMEM, or an IOMMU's -WEIR_ETIMEDOUT. Nothing is left. A function that cannot be added for
 * a reason of its own is left out, with a log line; so is one whose `iommu-map` names an IOMMU that
 * no driver of weir_options.iommu_drivers drives, but in WEIR_MODE_OFF. Without a device tree there
 * is nothing. TASK.
 */
int weir_pci_scan(struct weir *weir) WEIR_MUST_CHECK;
/**
 * The same with host bridges that are described here, instead of those of a device tree; `hosts` is
 * read during the call alone. Without an IORT their functions are not behind an IOMMU. A function
 * is also left out, with a log line, if what the IORT says of it is wrong, or leads to an IOMMU
 * that nobody drives. Errors as of weir_pci_scan(). TASK.
 */
int weir_pci_scan_hosts(struct weir *weir, const struct weir_pci_host_desc *hosts,
			unsigned int count) WEIR_MUST_CHECK;
/**
 * Unbind all drivers, forget all functions, and the registrations of drivers too. Every function
 * and bridge is left with decoding and mastering off. Returns the mappings that drivers left
 * behind. TASK.
 */
unsigned int weir_pci_remove_all(struct weir *weir);

/**
 * Register: probes matching functions at once. 0, also if a probe failed (the log says so, the
 * function stays without driver). -WEIR_EEXIST, -WEIR_ENOMEM. TASK.
 */
int weir_pci_register_driver(struct weir *weir, const struct weir_pci_driver *driver);
/** Calls remove for each function that it is bound to; mappings that are left are logged. TASK. */
void weir_pci_unregister_driver(struct weir *weir, const struct weir_pci_driver *driver);

/** The next function after `from` (NULL: the first) that matches; WEIR_PCI_ANY matches all. */
struct weir_pci_dev *weir_pci_find(struct weir *weir, uint32_t vendor, uint32_t device,
				   struct weir_pci_dev *from);

uint16_t weir_pci_requester(const struct weir_pci_dev *pdev); /**< bus[15:8], devfn[7:0] */
/** Configuration space; size 1, 2, 4; offset aligned, below 4096. -WEIR_EINVAL. Any context. */
int weir_pci_config_read(struct weir_pci_dev *pdev, unsigned int offset, unsigned int size,
			 uint32_t *value);
int weir_pci_config_write(struct weir_pci_dev *pdev, unsigned int offset, unsigned int size,
			  uint32_t value);

/** Memory decoding on. -WEIR_ENODEV: it has no memory BAR, or one that found no place. */
int weir_pci_enable(struct weir_pci_dev *pdev);
void weir_pci_disable(struct weir_pci_dev *pdev); /**< decoding and mastering off */
void weir_pci_set_master(struct weir_pci_dev *pdev, bool on);
/** Registers of a BAR; `max` bytes of it, 0: all. NULL: none. TASK. */
volatile void WEIR_IOMEM *weir_pci_map_bar(struct weir_pci_dev *pdev, unsigned int bar, size_t max);
void weir_pci_unmap_bar(struct weir_pci_dev *pdev, volatile void WEIR_IOMEM *addr, size_t size);

/**
 * Between `min` and `max` MSI-X vectors, the i-th taken by CPU i modulo the number of CPUs. Returns
 * how many. -WEIR_ENOSPC: fewer than min. -WEIR_EINVAL: it has some already, or is not enabled.
 * -WEIR_EOPNOTSUPP: no MSI-X that can be used. -WEIR_ENOMEM. TASK.
 */
int weir_pci_alloc_vectors(struct weir_pci_dev *pdev, unsigned int min, unsigned int max);
/** Their handlers were freed before. TASK. */
void weir_pci_free_vectors(struct weir_pci_dev *pdev);
/** For weir_irq_request(). -WEIR_EINVAL. */
int weir_pci_vector_irq(const struct weir_pci_dev *pdev, unsigned int index);

/* Interrupts with Linux's shape of handler; the return value says whether it was the device's. */
typedef int weir_irq_handler(int irq, void *arg);
int weir_irq_request(struct weir *weir, unsigned int irq, weir_irq_handler *handler, void *arg);
void weir_irq_free(struct weir *weir, unsigned int irq);

WEIR_END_DECLS

#endif
