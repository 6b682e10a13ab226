/* SPDX-License-Identifier: MIT */
#ifndef PCIRIG_H
#define PCIRIG_H

/*
 * A machine for tests of src/pci: the fake platform, a root complex of models/pcie on a bus with a
 * message doorbell, a device tree that describes it, and an IOMMU driver that remembers which
 * stream is in which domain and does nothing else.
 */

#include <weir/model/pcie.h>
#include <weir/pci-host.h>

#include "fakeplat.h"

#define PCIRIG_ECAM 0x4010000000ull
#define PCIRIG_LOW 0x10000000ull
#define PCIRIG_HIGH 0x8000000000ull
#define PCIRIG_DEVICES 64

struct pcirig_options {
	unsigned int buses;	      /* 0: 32 */
	uint32_t ecam_shift;	      /* added to where the tree says that ECAM is */
	uint64_t low_size, high_size; /* 0: 256 MiB; 512 GiB. 1: no such window */
	bool no_iommu_map;
	bool no_iommu_driver;
	enum weir_mode mode;
	const char *extra_property; /* of the host bridge, one cell */
	uint32_t extra_value;
};

/* A device that notes what arrives at its BARs. */
struct pcirig_device {
	struct weir_model_pci_function fn;
	struct pcirig *rig;
	struct pcirig_register {
		struct pcirig_device *device;
		unsigned int bar;
	} bars[WEIR_MODEL_PCI_BARS];
	uint64_t last_offset, last_value;
	unsigned int last_bar, writes;
};

struct pcirig {
	struct pcirig_options options;
	struct fakeplat *fake;
	struct weir_model_bus *bus;
	struct weir_model_pcie *rc;
	struct weir_model_region *doorbell;
	struct weir *weir;
	struct pcirig_device devices[PCIRIG_DEVICES];
	unsigned int nr_devices;
	_Alignas(8) uint8_t fdt[4096];
};

/* Models only; weir is brought up by pcirig_start(). */
void pcirig_init(struct pcirig *rig, const struct pcirig_options *options);
/* The blob, for tests that damage it: pcirig_start() makes it. */
void pcirig_start(struct pcirig *rig);
/* weir_fini(), and nothing may be left; the models stay. */
void pcirig_stop(struct pcirig *rig);
void pcirig_fini(struct pcirig *rig);

struct weir_model_pci_bridge *pcirig_bridge(struct pcirig *rig,
					    struct weir_model_pci_bridge *parent, uint8_t devfn,
					    int kind, uint16_t acs);
/*
 * An express function with one BAR of 4 KiB and MSI-X (vectors 4, in BAR 2), or what `desc` says.
 */
struct pcirig_device *pcirig_add(struct pcirig *rig, struct weir_model_pci_bridge *parent,
				 uint8_t devfn, const struct weir_model_pci_desc *desc);
/* The function as weir found it; NULL: not found. */
struct weir_pci_dev *pcirig_find(struct pcirig *rig, const struct pcirig_device *device);
/* A number that only `device`'s configuration space has. */
#define PCIRIG_VENDOR 0x1b36
uint16_t pcirig_id(const struct pcirig *rig, const struct pcirig_device *device);

#endif
