/* SPDX-License-Identifier: MIT */
#ifndef PCIE_PCIE_H
#define PCIE_PCIE_H

/*
 * Inside the PCI Express model.
 *
 * Each function, bridges included, has a struct weir_model_pci_state in the root complex's list.
 * Two things are worked out from configuration space whenever it changes, for all functions at
 * once, and read without a lock by the hot paths: where the BARs are (regions of the bus) and what
 * the function's DMA looks like behind all its bridges (`dma`).
 *
 * Locks: the root complex's `lock` is of the list, of all configuration spaces and of `resetting`.
 * It is never held across a call into a device's ops or across DMA. A function's msix.lock may be
 * taken inside it.
 */

#include <pthread.h>

#include <weir/model/pcie.h>
#include <weir/hw/pci.h>

struct weir_model_pci_bar_state {
	struct weir_model_pci_state *owner;
	const struct weir_model_pci_bar *desc;
	struct weir_model_region *region; /* NULL: no BAR in this slot */
	unsigned int index;
};

struct weir_model_pci_msix_state {
	pthread_mutex_t lock; /* of what follows */
	uint16_t control;     /* as the capability's register */
	uint32_t *table;      /* four words for each vector */
	uint64_t *pending;
	/* fixed: */
	unsigned int vectors; /* 0: no MSI-X */
	unsigned int bar;
	uint64_t table_offset, table_size, pba_offset, pba_size;
};

struct weir_model_pci_state {
	struct weir_model_pcie *rc;
	struct weir_model_pci_state *next;
	struct weir_model_pci_bridge *parent; /* NULL: on the root bus */
	struct weir_model_pci_function *fn;   /* NULL: it is a bridge */
	struct weir_model_pci_bridge *bridge; /* NULL: it is a function */
	uint8_t devfn;
	uint8_t bus; /* captured from the last configuration write (PCIe Base, 2.2.6.2) */
	bool resetting;

	/* Configuration space: what it holds, what software may write, what a reset restores. */
	uint16_t exp, msix_cap, acs; /* where the capabilities are; 0: none */
	uint8_t config[WEIR_PCI_CFG_SPACE_EXP_SIZE];
	uint8_t writable[WEIR_PCI_CFG_SPACE_EXP_SIZE];
	uint8_t initial[WEIR_PCI_CFG_SPACE_EXP_SIZE];

	uint32_t dma;  /* atomic: requester ID, WEIR_MODEL_PCI_DMA_ALLOWED */
	uint32_t gate; /* atomic: accesses to the BARs under way, and whether more may come */
	struct weir_model_pci_bar_state bars[WEIR_MODEL_PCI_BARS];
	struct weir_model_pci_msix_state msix;
};

#define WEIR_MODEL_PCI_DMA_REQUESTER 0xffffu
#define WEIR_MODEL_PCI_DMA_ALLOWED 0x10000u

struct weir_model_pci_bridge {
	struct weir_model_pci_state state;
	struct weir_model_pci_bridge_desc desc;
};

struct weir_model_pcie {
	struct weir_model_bus *bus;
	struct weir_model_pcie_config config;
	struct weir_model_region *ecam;
	pthread_mutex_t lock;
	struct weir_model_pci_state *functions;
};

/* config.c; the lock is held where the function is one of the list */

/** What a configuration write asks for once the lock is given back. */
#define WEIR_MODEL_PCI_DO_RESET 0x1u
#define WEIR_MODEL_PCI_DO_MSIX 0x2u

void weir_model_pci_config_function(struct weir_model_pci_state *state,
				    const struct weir_model_pci_desc *desc);
void weir_model_pci_config_bridge(struct weir_model_pci_state *state,
				  const struct weir_model_pci_bridge_desc *desc);
/** One of several functions of a device. */
void weir_model_pci_config_multifunction(struct weir_model_pci_state *state);
uint32_t weir_model_pci_config_get(const struct weir_model_pci_state *state, unsigned int reg,
				   unsigned int size);
uint32_t weir_model_pci_config_read(const struct weir_model_pci_state *state, unsigned int reg,
				    unsigned int size);
unsigned int weir_model_pci_config_write(struct weir_model_pci_state *state, unsigned int reg,
					 unsigned int size, uint32_t value);

/* decode.c; the lock is held */

struct weir_model_pci_state *weir_model_pci_find(const struct weir_model_pcie *rc,
						 const struct weir_model_pci_bridge *parent,
						 uint8_t devfn);
struct weir_model_pci_state *weir_model_pci_route(const struct weir_model_pcie *rc,
						  unsigned int bus, uint8_t devfn);
/** Configuration space changed: place BARs and work out `dma` anew, for all functions. */
void weir_model_pci_decode(struct weir_model_pcie *rc);

/* function.c; the lock is not held */

extern const struct weir_model_mmio_ops weir_model_pci_bar_ops;
/** The second half of a reset, after configuration space was: the device's own. */
void weir_model_pci_reset(struct weir_model_pci_state *state);

/* msix.c; the root complex's lock is not needed */

int weir_model_pci_msix_init(struct weir_model_pci_state *state,
			     const struct weir_model_pci_desc *desc);
void weir_model_pci_msix_free(struct weir_model_pci_state *state);
void weir_model_pci_msix_reset(struct weir_model_pci_state *state);
void weir_model_pci_msix_control(struct weir_model_pci_state *state, uint16_t control);
/** Send what is pending and may now be sent. Makes DMA. */
void weir_model_pci_msix_flush(struct weir_model_pci_state *state);
bool weir_model_pci_msix_covers(const struct weir_model_pci_state *state, unsigned int bar,
				uint64_t offset);
enum weir_model_result weir_model_pci_msix_load(struct weir_model_pci_state *state, uint64_t offset,
						unsigned int size, uint64_t *value);
/** Makes DMA where an unmasked vector was pending. */
enum weir_model_result weir_model_pci_msix_store(struct weir_model_pci_state *state,
						 uint64_t offset, unsigned int size,
						 uint64_t value);

#endif
