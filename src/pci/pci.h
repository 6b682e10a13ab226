/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PCI_PCI_H
#define WEIR_PCI_PCI_H

/*
 * Inside src/pci.
 *
 *   struct weir_pci              one for each machine; made by the first scan or registration
 *     weir_pci_host              a host bridge: access to configuration space, windows
 *       weir_pci_bus             in the order of their numbers: a parent comes before its children
 *         weir_pci_function      in the order of devfn; bridges too. A bridge has a secondary bus.
 *     weir_pci_registration      a driver
 *
 * All of this is built by weir_pci_scan() and constant until weir_pci_remove_all(); readers need no
 * lock in between. weir_pci.lock (a mutex) serialises scanning, removal and the binding of drivers;
 * drivers are called with it held. It is taken before weir.lock.
 *
 * Configuration space is not trusted: what it says is read once into these structures, every walk
 * in it is bounded, and numbers that do not fit leave the function or the BAR out with a log line.
 */

#include <weir/fdt.h>
#include <weir/hw/pci.h>
#include <weir/iort.h>
#include <weir/pci-host.h>

#include "base/machine.h"

/* Functions below one host bridge, bridges included; beyond, something is wrong with it. */
#define WEIR_PCI_MAX_FUNCTIONS 4096
#define WEIR_PCI_BRIDGE_BARS 2

struct weir_pci_host;
struct weir_pci_function;

/* How a host bridge's configuration space is reached. size 1, 2, 4; offset aligned, below 4096. */
struct weir_pci_config_ops {
	uint32_t (*read)(struct weir_pci_host *host, unsigned int bus, unsigned int devfn,
			 unsigned int offset, unsigned int size);
	void (*write)(struct weir_pci_host *host, unsigned int bus, unsigned int devfn,
		      unsigned int offset, unsigned int size, uint32_t value);
};

/* Where a BAR may be: below 4 GiB, or anywhere. Each bridge has one window of either kind. */
enum weir_pci_kind { WEIR_PCI_LOW, WEIR_PCI_HIGH, WEIR_PCI_KINDS };

struct weir_pci_host {
	struct weir_pci_host *next;
	struct weir *weir;
	const struct weir_pci_config_ops *ops;
	volatile void WEIR_IOMEM *ecam;
	size_t ecam_size;
	unsigned int segment, first_bus, last_bus;
	unsigned int next_bus; /* while scanning: the first number that no bus has */
	unsigned int nr_functions;
	bool coherent;
	struct weir_pci_window windows[WEIR_PCI_MAX_WINDOWS];
	unsigned int nr_windows;
	/* Which of them BARs of each kind are placed in; NULL: none. */
	const struct weir_pci_window *place_in[WEIR_PCI_KINDS];
	struct weir_pci_bus *buses, **buses_end;
};

/* Something that takes addresses on a bus: a BAR, or the window of a bridge. */
struct weir_pci_item {
	struct weir_pci_item *next; /* on its bus, the largest alignment first */
	uint64_t size, align;
	uint64_t address; /* on the bus; while the layout is made, relative to the bus's start */
	bool is_placed;
};

struct weir_pci_bus {
	struct weir_pci_host *host;
	struct weir_pci_bus *next;
	struct weir_pci_function *bridge; /* NULL: the root bus */
	unsigned int number;
	struct weir_pci_function *functions, **functions_end;
	struct weir_pci_function *to_number; /* while scanning: the next that may be a bridge */
	bool has_high;			     /* so has every bridge above */
	struct weir_pci_item *items[WEIR_PCI_KINDS];
};

/* Addresses on a bus; empty if first > last. */
struct weir_pci_span {
	uint64_t first, last;
};

struct weir_pci_bar_info {
	struct weir_pci_item item; /* size 0: no memory BAR */
	bool is64, prefetchable;
	uint64_t firmware; /* where it was found */
};

struct weir_pci_function {
	struct weir_pci_dev pdev; /* first; `dev` in it is added unless this is a bridge */
	struct weir_pci_function *next;
	struct weir_pci_bus *secondary; /* a bridge with a number */
	bool is_bridge, is_multifunction, is_added;
	int express;		  /* port type (WEIR_PCI_EXP_TYPE_*); -1: conventional */
	unsigned int acs_missing; /* of the services that isolation asks for (groups.c) */
	struct weir_pci_function *first_of_group; /* used of the function that stands for a group */
	struct weir_pci_bar_info bar_info[WEIR_PCI_BARS];
	struct weir_pci_item window[WEIR_PCI_KINDS];
	struct weir_pci_span firmware_window[WEIR_PCI_KINDS]; /* as found */
	bool has_high_window;				      /* its prefetchable one has 64 bits */
	size_t msix_table_size;				      /* of pdev.msix_table */
};

struct weir_pci_registration {
	struct weir_pci_registration *next;
	const struct weir_pci_driver *driver;
};

struct weir_pci {
	struct weir_mutex lock;
	struct weir_pci_host *hosts;
	struct weir_pci_dev *devices, **devices_end;
	struct weir_pci_registration *drivers;
};

static inline struct weir_pci_function *weir_pci_function(struct weir_pci_dev *pdev)
{
	return WEIR_CONTAINER_OF(pdev, struct weir_pci_function, pdev);
}

/* ---- config.c: any context --------------------------------------------------------------- */

extern const struct weir_pci_config_ops weir_pci_ecam_ops;

uint32_t weir_pci_read(struct weir_pci_function *fn, unsigned int offset, unsigned int size);
void weir_pci_write(struct weir_pci_function *fn, unsigned int offset, unsigned int size,
		    uint32_t value);
/* Clear, then set, bits of a register of 16 bits. */
void weir_pci_change(struct weir_pci_function *fn, unsigned int offset, uint32_t clear,
		     uint32_t set);
/* Where a capability stands; 0: none. */
unsigned int weir_pci_find_cap(struct weir_pci_function *fn, unsigned int id);
unsigned int weir_pci_find_ext_cap(struct weir_pci_function *fn, unsigned int id);

/* ---- fdt-host.c, host.c: TASK ------------------------------------------------------------ */

/* A host bridge from its node; `segment` is what it has if the node is silent. -WEIR_EINVAL. */
int weir_pci_host_read(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint16_t segment,
		       struct weir_pci_host_desc *desc);
/* -WEIR_EINVAL (logged), -WEIR_ENOMEM. */
int weir_pci_host_make(struct weir *weir, const struct weir_pci_host_desc *desc,
		       struct weir_pci_host **host);
void weir_pci_host_free(struct weir_pci_host *host);

/* ---- ids.c: TASK ------------------------------------------------------------------------- */

/* Firmware's tables, where the IDs of functions are; which of them is used, or none. */
struct weir_pci_tables {
	bool has_fdt, has_iort;
	struct weir_fdt fdt;
	struct weir_fdt_node node; /* of the host bridge that is being scanned */
	struct weir_iort iort;
	struct weir_iort_node at; /* of the last answer */
};

/*
 * The stream of one requester ID, if the tables put an IOMMU before it. 1, 0, or an error: of a
 * device tree that is wrong -WEIR_EINVAL (noted in fdt). -WEIR_ENODEV, logged: it is behind an
 * IOMMU that nobody drives, so that nothing would stop the function's accesses, or the IORT is
 * wrong about it.
 */
int weir_pci_stream(struct weir_pci_tables *tables, struct weir_pci_function *fn,
		    uint16_t requester, struct weir_device_id *id);
/*
 * Its messages: pdev.msi_id, which is the requester ID that they arrive with, becomes the ID that
 * the tables say, and msi_controller who has it; where they say nothing both stay. Errors as above.
 */
int weir_pci_message_id(struct weir_pci_tables *tables, struct weir_pci_function *fn);

/* ---- scan.c, bars.c, groups.c ------------------------------------------------------------ */

/* Give every memory BAR below the host a place, and the bridges their windows. */
void weir_pci_place_bars(struct weir_pci_host *host);
/* Learn a function's BARs and windows. Its decoding is off. */
void weir_pci_size_bars(struct weir_pci_function *fn);

/* Turn on what a port has of access control, and remember what it lacks. */
void weir_pci_enable_acs(struct weir_pci_function *fn);
/* The function that stands for fn's group: the same one for all in it. */
struct weir_pci_function *weir_pci_group_key(struct weir_pci_function *fn);
/* Requester IDs under which fn's requests may arrive, its own first. -WEIR_E2BIG: more than max. */
int weir_pci_requesters(struct weir_pci_function *fn, uint16_t *ids, unsigned int max);

/* ---- driver.c ---------------------------------------------------------------------------- */

/* The machine's struct weir_pci, made if there is none. NULL: no memory. */
struct weir_pci *weir_pci_get(struct weir *weir);
/* Free it if there are neither hosts nor drivers in it. */
void weir_pci_put(struct weir *weir);
/* Offer functions without driver to every driver. Under weir_pci.lock. */
void weir_pci_bind_all(struct weir_pci *pci);
/* Take the driver off, and decoding, mastering and messages with it. Under weir_pci.lock. */
void weir_pci_unbind(struct weir_pci_dev *pdev);
/* No access, no DMA, no interrupt. */
void weir_pci_quiesce(struct weir_pci_function *fn);

#endif
