/* SPDX-License-Identifier: MIT */
/*
 * What configuration space means: which function a configuration request reaches, where BARs
 * decode, and whether and as whom a function may master. Everything here runs with the root
 * complex's lock held, on accesses to configuration space only.
 */
#include "pcie/pcie.h"

static uint32_t bridge_reg(const struct weir_model_pci_bridge *bridge, unsigned int reg,
			   unsigned int size)
{
	return weir_model_pci_config_get(&bridge->state, reg, size);
}

static bool has_bus(const struct weir_model_pci_bridge *bridge, unsigned int bus)
{
	return bus >= bridge_reg(bridge, WEIR_PCI_SECONDARY_BUS, 1) &&
	       bus <= bridge_reg(bridge, WEIR_PCI_SUBORDINATE_BUS, 1);
}

/* ---- Configuration requests ------------------------------------------------------------- */

struct weir_model_pci_state *weir_model_pci_find(const struct weir_model_pcie *rc,
						 const struct weir_model_pci_bridge *parent,
						 uint8_t devfn)
{
	for (struct weir_model_pci_state *s = rc->functions; s; s = s->next)
		if (s->parent == parent && s->devfn == devfn)
			return s;
	return NULL;
}

/** The bridge on the secondary bus of `parent` that takes type 1 requests for `bus`. */
static struct weir_model_pci_bridge *towards(const struct weir_model_pcie *rc,
					     const struct weir_model_pci_bridge *parent,
					     unsigned int bus)
{
	for (struct weir_model_pci_state *s = rc->functions; s; s = s->next)
		if (s->bridge && s->parent == parent && has_bus(s->bridge, bus))
			return s->bridge;
	return NULL;
}

struct weir_model_pci_state *weir_model_pci_route(const struct weir_model_pcie *rc,
						  unsigned int bus, uint8_t devfn)
{
	struct weir_model_pci_bridge *bridge = NULL;

	/* Each step is one level down a tree that the embedder built: it ends. */
	if (bus) {
		do
			bridge = towards(rc, bridge, bus);
		while (bridge && bridge_reg(bridge, WEIR_PCI_SECONDARY_BUS, 1) != bus);
		if (!bridge)
			return NULL;
	}
	return weir_model_pci_find(rc, bridge, devfn);
}

/* ---- BARs ------------------------------------------------------------------------------- */

static bool is_within(uint64_t first, uint64_t last, uint64_t base, uint64_t limit)
{
	return base <= first && last <= limit;
}

/** PCI-to-PCI Bridge 1.2, 3.2.5.8 and 3.2.5.9: windows of 1 MiB units, none if base > limit. */
static bool forwards(const struct weir_model_pci_bridge *bridge, uint64_t first, uint64_t last)
{
	uint64_t base, limit;

	if (!(bridge_reg(bridge, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MEMORY))
		return false;
	base = (uint64_t)(bridge_reg(bridge, WEIR_PCI_MEMORY_BASE, 2) & 0xfff0) << 16;
	limit = (uint64_t)(bridge_reg(bridge, WEIR_PCI_MEMORY_LIMIT, 2) & 0xfff0) << 16 | 0xfffff;
	if (is_within(first, last, base, limit))
		return true;
	base = (uint64_t)bridge_reg(bridge, WEIR_PCI_PREF_BASE_UPPER32, 4) << 32 |
	       (uint64_t)(bridge_reg(bridge, WEIR_PCI_PREF_MEMORY_BASE, 2) & 0xfff0) << 16;
	limit = (uint64_t)bridge_reg(bridge, WEIR_PCI_PREF_LIMIT_UPPER32, 4) << 32 |
		(uint64_t)(bridge_reg(bridge, WEIR_PCI_PREF_MEMORY_LIMIT, 2) & 0xfff0) << 16 |
		0xfffff;
	return is_within(first, last, base, limit);
}

static bool in_window(uint64_t first, uint64_t last, uint64_t base, uint64_t size)
{
	return size && is_within(first, last, base, base + (size - 1));
}

static uint64_t bar_address(const struct weir_model_pci_state *state, unsigned int index)
{
	unsigned int reg = WEIR_PCI_BASE_ADDRESS_0 + 4 * index;
	uint64_t base = weir_model_pci_config_get(state, reg, 4) & WEIR_PCI_BASE_ADDRESS_MEM_MASK;

	if (state->bars[index].desc->is64)
		base |= (uint64_t)weir_model_pci_config_get(state, reg + 4, 4) << 32;
	return base;
}

/** Where the CPU reaches this BAR; WEIR_MODEL_UNPLACED: nowhere. */
static uint64_t bar_place(const struct weir_model_pci_state *state, unsigned int index)
{
	const struct weir_model_pcie_config *config = &state->rc->config;
	uint64_t first = bar_address(state, index);
	uint64_t last = first + (state->bars[index].desc->size - 1);

	if (!(weir_model_pci_config_get(state, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MEMORY))
		return WEIR_MODEL_UNPLACED;
	if (!in_window(first, last, config->mmio32_base, config->mmio32_size) &&
	    !in_window(first, last, config->mmio64_base, config->mmio64_size))
		return WEIR_MODEL_UNPLACED;
	for (const struct weir_model_pci_bridge *b = state->parent; b; b = b->state.parent)
		if (!forwards(b, first, last))
			return WEIR_MODEL_UNPLACED;
	return first;
}

/* ---- DMA -------------------------------------------------------------------------------- */

/** PCIe Base, 6.12.1.1: a downstream port refuses requesters that cannot be below it. */
static bool validates(const struct weir_model_pci_bridge *bridge, unsigned int requester)
{
	if (!bridge->state.acs ||
	    !(bridge_reg(bridge, bridge->state.acs + WEIR_PCI_ACS_CTRL, 2) & WEIR_PCI_ACS_SV))
		return true;
	return has_bus(bridge, requester >> 8);
}

/*
 * A bridge forwards upstream only while its own Bus Master Enable is set (PCIe Base, 7.5.1.1.3).
 * One to conventional PCI sends requests on as its secondary bus, device 0, function 0 (PCI Express
 * to PCI Bridge 1.0, 2.3).
 */
static uint32_t dma_view(const struct weir_model_pci_state *state)
{
	uint32_t requester = (uint32_t)state->bus << 8 | state->devfn;
	bool allowed =
		weir_model_pci_config_get(state, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MASTER;

	for (const struct weir_model_pci_bridge *b = state->parent; b; b = b->state.parent) {
		if (b->desc.kind == WEIR_MODEL_PCIE_TO_PCI)
			requester = bridge_reg(b, WEIR_PCI_SECONDARY_BUS, 1) << 8;
		if (!(bridge_reg(b, WEIR_PCI_COMMAND, 2) & WEIR_PCI_COMMAND_MASTER) ||
		    !validates(b, requester))
			allowed = false;
	}
	return requester | (allowed ? WEIR_MODEL_PCI_DMA_ALLOWED : 0);
}

void weir_model_pci_decode(struct weir_model_pcie *rc)
{
	for (struct weir_model_pci_state *s = rc->functions; s; s = s->next) {
		/* Pairs with the loads of function.c. */
		__atomic_store_n(&s->dma, dma_view(s), __ATOMIC_RELEASE);
		for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++)
			if (s->bars[i].region)
				weir_model_region_place(s->bars[i].region, bar_place(s, i));
	}
}
