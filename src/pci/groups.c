/* SPDX-License-Identifier: MIT */
/*
 * Which functions an IOMMU can tell apart, and which can reach each other without it.
 *
 * Two functions share a group if
 * - their requests may arrive with one requester ID: both are behind a bridge to conventional PCI;
 *   or
 * - requests between them may be turned around below the root complex: a port on the way up does
 *   not redirect peer-to-peer requests upwards, or they are functions of one device that does not.
 *
 * What makes a path isolated is access control (PCIe Base, 6.12) in every port and multi-function
 * device on it: source validation, request and completion redirect, upstream forwarding.
 *
 * TASK, while scanning.
 */

#include "pci/pci.h"

#define ACS_WANTED (WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR | WEIR_PCI_ACS_CR | WEIR_PCI_ACS_UF)

void weir_pci_enable_acs(struct weir_pci_function *fn)
{
	unsigned int at = weir_pci_find_ext_cap(fn, WEIR_PCI_EXT_CAP_ID_ACS);
	uint32_t can, does;

	fn->acs_missing = ACS_WANTED;
	if (!at)
		return;
	can = weir_pci_read(fn, at + WEIR_PCI_ACS_CAP, 2) & ACS_WANTED;
	weir_pci_change(fn, at + WEIR_PCI_ACS_CTRL, 0, can);
	does = weir_pci_read(fn, at + WEIR_PCI_ACS_CTRL, 2);
	/* 6.12.1: a service that the capability lacks is one that the function has no need of. */
	fn->acs_missing = can & ~does;
}

/*
 * A switch turns requests around where they come in: one port without access control reaches
 * whatever is behind the others, however those are set.
 */
static bool is_switch_isolated(const struct weir_pci_function *upstream)
{
	const struct weir_pci_function *port =
		upstream->secondary ? upstream->secondary->functions : NULL;

	while (port && !(port->is_bridge && port->acs_missing))
		port = port->next;
	return !port;
}

/* Does this function keep its own requests and those it forwards from turning around? */
static bool is_isolated(const struct weir_pci_function *fn)
{
	bool is_own = !fn->is_multifunction || !fn->acs_missing; /* 6.12.1.2 */

	switch (fn->express) {
	case WEIR_PCI_EXP_TYPE_ROOT_PORT:
	case WEIR_PCI_EXP_TYPE_DOWNSTREAM:
		return !fn->acs_missing; /* 6.12.1.1 */
	case WEIR_PCI_EXP_TYPE_ENDPOINT:
	case WEIR_PCI_EXP_TYPE_LEG_END:
	case WEIR_PCI_EXP_TYPE_RC_END:
		return is_own;
	case WEIR_PCI_EXP_TYPE_UPSTREAM:
		return is_own && is_switch_isolated(fn);
	default:
		/*
		 * Conventional, a bridge to or from it, an event collector: none has access
		 * control.
		 */
		return false;
	}
}

/* From a bridge up to the root complex. */
static bool is_path_isolated(const struct weir_pci_function *bridge)
{
	for (; bridge; bridge = bridge->pdev.bus->bridge) {
		if (!is_isolated(bridge))
			return false;
	}
	return true;
}

/*
 * Does the bridge put an ID of its own in the place of those below it? (PCI Express to PCI Bridge
 * 1.0, 2.3; a conventional PCI-to-PCI bridge sends what it forwards as itself.)
 */
static bool replaces_requester(const struct weir_pci_function *bridge, uint16_t *id)
{
	switch (bridge->express) {
	case WEIR_PCI_EXP_TYPE_ROOT_PORT:
	case WEIR_PCI_EXP_TYPE_UPSTREAM:
	case WEIR_PCI_EXP_TYPE_DOWNSTREAM:
		return false;
	case WEIR_PCI_EXP_TYPE_PCI_BRIDGE:
		*id = (uint16_t)(bridge->secondary->number << 8);
		return true;
	default:
		*id = weir_pci_requester(&bridge->pdev);
		return true;
	}
}

int weir_pci_requesters(struct weir_pci_function *fn, uint16_t *ids, unsigned int max)
{
	struct weir_pci_function *bridge;
	unsigned int count = 1;

	ids[0] = weir_pci_requester(&fn->pdev);
	for (bridge = fn->pdev.bus->bridge; bridge; bridge = bridge->pdev.bus->bridge) {
		uint16_t id;

		if (!replaces_requester(bridge, &id) || id == ids[count - 1])
			continue;
		if (count == max)
			return -WEIR_E2BIG;
		ids[count++] = id;
	}
	return (int)count;
}

/* The first function of fn's device that, like fn, does not keep its siblings apart. */
static struct weir_pci_function *first_sibling(struct weir_pci_function *fn)
{
	struct weir_pci_function *s;

	if (!fn->is_multifunction || is_isolated(fn))
		return fn;
	for (s = fn->pdev.bus->functions; s && s != fn; s = s->next) {
		if (WEIR_PCI_SLOT(s->pdev.devfn) == WEIR_PCI_SLOT(fn->pdev.devfn) &&
		    !is_isolated(s))
			return s;
	}
	return fn;
}

struct weir_pci_function *weir_pci_group_key(struct weir_pci_function *fn)
{
	struct weir_pci_function *key = fn, *bridge;
	uint16_t id;

	/* The uppermost bridge that hides who is below it, or lets them reach each other. */
	for (bridge = fn->pdev.bus->bridge; bridge; bridge = bridge->pdev.bus->bridge) {
		if (replaces_requester(bridge, &id) || !is_path_isolated(bridge))
			key = bridge;
	}
	return first_sibling(key);
}
