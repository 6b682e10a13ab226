/* SPDX-License-Identifier: MIT */
/*
 * Configuration space of functions and bridges: how it looks after reset, what writes change.
 *
 * Capabilities: PCI Express at 0x40, MSI-X at 0x80, ACS at 0x100.
 */
#include <string.h>

#include "pcie/pcie.h"

#define CAP_EXP 0x40
#define CAP_MSIX 0x80

/* ---- Building --------------------------------------------------------------------------- */

static void define(struct weir_model_pci_state *state, unsigned int reg, unsigned int size,
		   uint32_t value, uint32_t writable)
{
	memcpy(&state->config[reg], &value, size);
	memcpy(&state->writable[reg], &writable, size);
}

/** What both header types have. `caps`: where the first capability is, 0: none. */
static void define_header(struct weir_model_pci_state *state, uint32_t id, uint32_t class_revision,
			  uint8_t type, uint8_t caps)
{
	define(state, WEIR_PCI_VENDOR_ID, 4, id, 0);
	define(state, WEIR_PCI_COMMAND, 2, 0,
	       WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER | WEIR_PCI_COMMAND_PARITY |
		       WEIR_PCI_COMMAND_SERR | WEIR_PCI_COMMAND_INTX_DISABLE);
	define(state, WEIR_PCI_STATUS, 2, caps ? WEIR_PCI_STATUS_CAP_LIST : 0, 0);
	define(state, WEIR_PCI_CLASS_REVISION, 4, class_revision, 0);
	define(state, WEIR_PCI_CACHE_LINE_SIZE, 1, 0, 0xff);
	define(state, WEIR_PCI_HEADER_TYPE, 1, type, 0);
	define(state, WEIR_PCI_CAPABILITY_LIST, 1, caps, 0);
	define(state, WEIR_PCI_INTERRUPT_LINE, 1, 0, 0xff);
}

static void define_bars(struct weir_model_pci_state *state, const struct weir_model_pci_bar *bars)
{
	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++) {
		uint64_t mask = ~(bars[i].size - 1);
		uint32_t type = 0;

		if (!bars[i].size)
			continue;
		if (bars[i].is64)
			type |= WEIR_PCI_BASE_ADDRESS_MEM_TYPE_64;
		if (bars[i].prefetchable)
			type |= WEIR_PCI_BASE_ADDRESS_MEM_PREFETCH;
		define(state, WEIR_PCI_BASE_ADDRESS_0 + 4 * i, 4, type, (uint32_t)mask);
		if (bars[i].is64)
			define(state, WEIR_PCI_BASE_ADDRESS_0 + 4 * i + 4, 4, 0,
			       (uint32_t)(mask >> 32));
	}
}

static void define_link(struct weir_model_pci_state *state, unsigned int at, bool downstream)
{
	uint32_t cap = WEIR_PCI_EXP_LNKCAP_SLS_2_5GB | WEIR_PCI_EXP_LNKCAP_MLW_X1;
	uint16_t status = WEIR_PCI_EXP_LNKSTA_CLS_2_5GB | WEIR_PCI_EXP_LNKSTA_NLW_X1;

	if (downstream) {
		cap |= WEIR_PCI_EXP_LNKCAP_DLLLARC | (uint32_t)state->devfn << 24;
		status |= WEIR_PCI_EXP_LNKSTA_DLLLA;
	}
	define(state, at + WEIR_PCI_EXP_LNKCAP, 4, cap, 0);
	define(state, at + WEIR_PCI_EXP_LNKCTL, 2, 0,
	       WEIR_PCI_EXP_LNKCTL_ASPMC | WEIR_PCI_EXP_LNKCTL_RCB | WEIR_PCI_EXP_LNKCTL_CCC |
		       WEIR_PCI_EXP_LNKCTL_ES);
	define(state, at + WEIR_PCI_EXP_LNKSTA, 2, status, 0);
	define(state, at + WEIR_PCI_EXP_LNKCAP2, 4, WEIR_PCI_EXP_LNKCAP2_SLS_2_5GB, 0);
	define(state, at + WEIR_PCI_EXP_LNKCTL2, 2, WEIR_PCI_EXP_LNKSTA_CLS_2_5GB, 0);
}

/** PCIe Base, 7.5.3. */
static void define_express(struct weir_model_pci_state *state, unsigned int type, bool flr)
{
	unsigned int at = CAP_EXP;

	state->exp = CAP_EXP;
	define(state, at + WEIR_PCI_CAP_LIST_ID, 1, WEIR_PCI_CAP_ID_EXP, 0);
	define(state, at + WEIR_PCI_EXP_FLAGS, 2, 2 | type << WEIR_PCI_EXP_FLAGS_TYPE_SHIFT, 0);
	define(state, at + WEIR_PCI_EXP_DEVCAP, 4,
	       WEIR_PCI_EXP_DEVCAP_RBER | (flr ? WEIR_PCI_EXP_DEVCAP_FLR : 0), 0);
	define(state, at + WEIR_PCI_EXP_DEVCTL, 2,
	       WEIR_PCI_EXP_DEVCTL_RELAX_EN | WEIR_PCI_EXP_DEVCTL_NOSNOOP_EN |
		       WEIR_PCI_EXP_DEVCTL_READRQ_512B,
	       WEIR_PCI_EXP_DEVCTL_ERRORS | WEIR_PCI_EXP_DEVCTL_RELAX_EN |
		       WEIR_PCI_EXP_DEVCTL_PAYLOAD | WEIR_PCI_EXP_DEVCTL_NOSNOOP_EN |
		       WEIR_PCI_EXP_DEVCTL_READRQ);
	if (type != WEIR_PCI_EXP_TYPE_RC_END)
		define_link(state, at,
			    type == WEIR_PCI_EXP_TYPE_ROOT_PORT ||
				    type == WEIR_PCI_EXP_TYPE_DOWNSTREAM);
}

/** PCIe Base, ACS Extended Capability. A size of 0: egress control has a vector of 256 bits. */
static void define_acs(struct weir_model_pci_state *state, uint16_t capabilities)
{
	unsigned int at = WEIR_PCI_EXT_CAP_START;

	state->acs = WEIR_PCI_EXT_CAP_START;
	define(state, at, 4, WEIR_PCI_EXT_CAP_ID_ACS | 1u << WEIR_PCI_EXT_CAP_VER_SHIFT, 0);
	define(state, at + WEIR_PCI_ACS_CAP, 2, capabilities, 0);
	define(state, at + WEIR_PCI_ACS_CTRL, 2, 0, capabilities);
	if (capabilities & WEIR_PCI_ACS_EC)
		memset(&state->writable[at + WEIR_PCI_ACS_EGRESS_CTL_V], 0xff, 32);
}

/** PCI 3.0, 6.8.2. */
static void define_msix(struct weir_model_pci_state *state, unsigned int at)
{
	const struct weir_model_pci_msix_state *msix = &state->msix;

	state->msix_cap = (uint16_t)at;
	define(state, at + WEIR_PCI_CAP_LIST_ID, 1, WEIR_PCI_CAP_ID_MSIX, 0);
	define(state, at + WEIR_PCI_MSIX_FLAGS, 2, msix->vectors - 1,
	       WEIR_PCI_MSIX_FLAGS_MASKALL | WEIR_PCI_MSIX_FLAGS_ENABLE);
	define(state, at + WEIR_PCI_MSIX_TABLE, 4, (uint32_t)msix->table_offset | msix->bar, 0);
	define(state, at + WEIR_PCI_MSIX_PBA, 4, (uint32_t)msix->pba_offset | msix->bar, 0);
}

void weir_model_pci_config_function(struct weir_model_pci_state *state,
				    const struct weir_model_pci_desc *desc)
{
	bool msix = desc->msix_vectors != 0;
	uint8_t after_exp = msix ? CAP_MSIX : 0;
	uint8_t caps = desc->express ? CAP_EXP : after_exp;

	define_header(state, desc->vendor | (uint32_t)desc->device << 16,
		      desc->class_code << 8 | desc->revision,
		      WEIR_PCI_HEADER_TYPE_NORMAL |
			      (desc->multifunction ? WEIR_PCI_HEADER_TYPE_MFD : 0),
		      caps);
	define(state, WEIR_PCI_SUBSYSTEM_VENDOR_ID, 4,
	       desc->subsystem_vendor | (uint32_t)desc->subsystem << 16, 0);
	define_bars(state, desc->bars);
	if (desc->express) {
		define_express(state,
			       state->parent ? WEIR_PCI_EXP_TYPE_ENDPOINT :
					       WEIR_PCI_EXP_TYPE_RC_END,
			       true);
		define(state, CAP_EXP + WEIR_PCI_CAP_LIST_NEXT, 1, after_exp, 0);
	}
	if (msix)
		define_msix(state, CAP_MSIX);
	/* What a function that is no downstream port can do (PCIe Base, 6.12.1.2). */
	if (desc->acs)
		define_acs(state, WEIR_PCI_ACS_RR | WEIR_PCI_ACS_CR);
	memcpy(state->initial, state->config, sizeof(state->initial));
}

void weir_model_pci_config_bridge(struct weir_model_pci_state *state,
				  const struct weir_model_pci_bridge_desc *desc)
{
	static const uint8_t types[] = {
		[WEIR_MODEL_ROOT_PORT] = WEIR_PCI_EXP_TYPE_ROOT_PORT,
		[WEIR_MODEL_SWITCH_UP] = WEIR_PCI_EXP_TYPE_UPSTREAM,
		[WEIR_MODEL_SWITCH_DOWN] = WEIR_PCI_EXP_TYPE_DOWNSTREAM,
		[WEIR_MODEL_PCIE_TO_PCI] = WEIR_PCI_EXP_TYPE_PCI_BRIDGE,
	};

	/* 1b36 is the vendor of devices that exist in software only. */
	define_header(state, 0x1b36u | (0x0c00u + desc->kind) << 16,
		      WEIR_PCI_CLASS_BRIDGE_PCI << 16, WEIR_PCI_HEADER_TYPE_BRIDGE, CAP_EXP);
	define(state, WEIR_PCI_PRIMARY_BUS, 4, 0, 0x00ffffff);
	define(state, WEIR_PCI_MEMORY_BASE, 4, 0, 0xfff0fff0);
	define(state, WEIR_PCI_PREF_MEMORY_BASE, 4,
	       WEIR_PCI_PREF_RANGE_TYPE_64 | WEIR_PCI_PREF_RANGE_TYPE_64 << 16, 0xfff0fff0);
	define(state, WEIR_PCI_PREF_BASE_UPPER32, 4, 0, 0xffffffff);
	define(state, WEIR_PCI_PREF_LIMIT_UPPER32, 4, 0, 0xffffffff);
	define(state, WEIR_PCI_BRIDGE_CONTROL, 2, 0,
	       WEIR_PCI_BRIDGE_CTL_PARITY | WEIR_PCI_BRIDGE_CTL_SERR);
	define_express(state, types[desc->kind], false);
	if (desc->acs_capabilities)
		define_acs(state, desc->acs_capabilities);
	memcpy(state->initial, state->config, sizeof(state->initial));
}

void weir_model_pci_config_multifunction(struct weir_model_pci_state *state)
{
	state->config[WEIR_PCI_HEADER_TYPE] |= WEIR_PCI_HEADER_TYPE_MFD;
	state->initial[WEIR_PCI_HEADER_TYPE] |= WEIR_PCI_HEADER_TYPE_MFD;
}

/* ---- Accesses --------------------------------------------------------------------------- */

uint32_t weir_model_pci_config_get(const struct weir_model_pci_state *state, unsigned int reg,
				   unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, &state->config[reg], size);
	return value;
}

/** A conventional function has 256 bytes; requests beyond them are nobody's. */
static bool is_beyond(const struct weir_model_pci_state *state, unsigned int reg)
{
	return !state->exp && reg >= WEIR_PCI_CFG_SPACE_SIZE;
}

uint32_t weir_model_pci_config_read(const struct weir_model_pci_state *state, unsigned int reg,
				    unsigned int size)
{
	return is_beyond(state, reg) ? ~0u : weir_model_pci_config_get(state, reg, size);
}

/*
 * Function level reset (PCIe Base, 6.6.2): registers take their initial values, but for those that
 * belong to the link and not to the function.
 */
static void reset_config(struct weir_model_pci_state *state)
{
	unsigned int devctl = state->exp + WEIR_PCI_EXP_DEVCTL;
	unsigned int lnkctl = state->exp + WEIR_PCI_EXP_LNKCTL;
	uint32_t payload =
		weir_model_pci_config_get(state, devctl, 2) & WEIR_PCI_EXP_DEVCTL_PAYLOAD;
	uint32_t link = weir_model_pci_config_get(state, lnkctl, 2);
	uint32_t control;

	memcpy(state->config, state->initial, sizeof(state->config));
	control = weir_model_pci_config_get(state, devctl, 2) & ~WEIR_PCI_EXP_DEVCTL_PAYLOAD;
	control |= payload;
	memcpy(&state->config[devctl], &control, 2);
	memcpy(&state->config[lnkctl], &link, 2);
	weir_model_pci_msix_reset(state);
}

/** Does this write set bit 15 of Device Control in a function that can be reset so? */
static bool asks_for_flr(const struct weir_model_pci_state *state, unsigned int reg,
			 unsigned int size, uint32_t value)
{
	unsigned int byte = state->exp + WEIR_PCI_EXP_DEVCTL + 1u;
	uint32_t cap;

	if (!state->exp || byte < reg || byte >= reg + size)
		return false;
	cap = weir_model_pci_config_get(state, state->exp + WEIR_PCI_EXP_DEVCAP, 4);
	return (cap & WEIR_PCI_EXP_DEVCAP_FLR) &&
	       (value >> 8 * (byte - reg) & WEIR_PCI_EXP_DEVCTL_BCR_FLR >> 8);
}

unsigned int weir_model_pci_config_write(struct weir_model_pci_state *state, unsigned int reg,
					 unsigned int size, uint32_t value)
{
	unsigned int control = state->msix_cap + WEIR_PCI_MSIX_FLAGS;

	if (is_beyond(state, reg))
		return 0;
	if (asks_for_flr(state, reg, size, value)) {
		if (state->resetting)
			return 0;
		state->resetting = true;
		reset_config(state);
		return WEIR_MODEL_PCI_DO_RESET;
	}
	for (unsigned int i = 0; i < size; i++) {
		uint8_t mask = state->writable[reg + i];
		uint8_t byte = (uint8_t)(value >> 8 * i);

		state->config[reg + i] = (state->config[reg + i] & (uint8_t)~mask) | (byte & mask);
	}
	if (!state->msix_cap || control + 2 <= reg || reg + size <= control)
		return 0;
	weir_model_pci_msix_control(state, (uint16_t)weir_model_pci_config_get(state, control, 2));
	return WEIR_MODEL_PCI_DO_MSIX;
}
