/* SPDX-License-Identifier: MIT */
/*
 * The root complex: ECAM, and the tree of bridges and functions as it is built.
 */
#include <stdlib.h>

#include "pcie/pcie.h"

/* ---- ECAM ------------------------------------------------------------------------------- */

static struct weir_model_pci_state *target_locked(const struct weir_model_pcie *rc, uint64_t offset)
{
	return weir_model_pci_route(rc, (unsigned int)(offset >> WEIR_PCI_ECAM_BUS_SHIFT),
				    (uint8_t)(offset >> WEIR_PCI_ECAM_DEVFN_SHIFT));
}

static unsigned int reg_of(uint64_t offset)
{
	return (unsigned int)offset & (WEIR_PCI_CFG_SPACE_EXP_SIZE - 1);
}

/** Configuration space is the CPUs' alone: no request of a device is routed to it. */
static bool is_refused(unsigned int size, uint32_t requester)
{
	return size > 4 || requester != WEIR_MODEL_CPU;
}

static enum weir_model_result ecam_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	struct weir_model_pcie *rc = opaque;
	const struct weir_model_pci_state *state;
	uint32_t found = ~0u;

	if (is_refused(size, requester))
		return WEIR_MODEL_ABORT;
	pthread_mutex_lock(&rc->lock);
	state = target_locked(rc, offset);
	if (state)
		found = weir_model_pci_config_read(state, reg_of(offset), size);
	pthread_mutex_unlock(&rc->lock);
	*value = found;
	return WEIR_MODEL_OK;
}

static void reset_function(struct weir_model_pcie *rc, struct weir_model_pci_state *state)
{
	weir_model_pci_reset(state);
	pthread_mutex_lock(&rc->lock);
	state->resetting = false;
	pthread_mutex_unlock(&rc->lock);
}

static enum weir_model_result ecam_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct weir_model_pcie *rc = opaque;
	struct weir_model_pci_state *state;
	unsigned int todo = 0;

	if (is_refused(size, requester))
		return WEIR_MODEL_ABORT;
	pthread_mutex_lock(&rc->lock);
	state = target_locked(rc, offset);
	if (state) {
		state->bus = (uint8_t)(offset >> WEIR_PCI_ECAM_BUS_SHIFT);
		todo = weir_model_pci_config_write(state, reg_of(offset), size, (uint32_t)value);
		weir_model_pci_decode(rc);
	}
	pthread_mutex_unlock(&rc->lock);
	if (todo & WEIR_MODEL_PCI_DO_RESET)
		reset_function(rc, state);
	if (todo & WEIR_MODEL_PCI_DO_MSIX)
		weir_model_pci_msix_flush(state);
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops ecam_ops = { ecam_read, ecam_write };

/* ---- The root complex ------------------------------------------------------------------- */

static bool wraps(uint64_t base, uint64_t size)
{
	return size && base + (size - 1) < base;
}

int weir_model_pcie_create(struct weir_model_bus *bus, const struct weir_model_pcie_config *config,
			   struct weir_model_pcie **rc)
{
	struct weir_model_pcie *new;
	int err;

	if (config->bus_count < 1 || config->bus_count > 256 ||
	    wraps(config->mmio32_base, config->mmio32_size) ||
	    wraps(config->mmio64_base, config->mmio64_size))
		return -WEIR_EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -WEIR_ENOMEM;
	new->bus = bus;
	new->config = *config;
	err = weir_model_bus_add_mmio(bus, config->ecam_base,
				      (uint64_t)config->bus_count << WEIR_PCI_ECAM_BUS_SHIFT,
				      &ecam_ops, new, &new->ecam);
	if (err) {
		free(new);
		return err;
	}
	pthread_mutex_init(&new->lock, NULL);
	*rc = new;
	return 0;
}

/** Take a function out of the machine and free what the root complex has of it. */
static void drop(struct weir_model_pci_state *state)
{
	struct weir_model_pcie *rc = state->rc;
	struct weir_model_pci_state **link = &rc->functions;

	pthread_mutex_lock(&rc->lock);
	while (*link && *link != state)
		link = &(*link)->next;
	if (*link)
		*link = state->next;
	pthread_mutex_unlock(&rc->lock);

	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++)
		if (state->bars[i].region)
			weir_model_region_remove(state->bars[i].region);
	weir_model_pci_msix_free(state);
	if (state->fn)
		state->fn->state = NULL;
	/* A bridge begins with its state. */
	free(state->bridge ? (void *)state->bridge : state);
}

void weir_model_pcie_destroy(struct weir_model_pcie *rc)
{
	if (!rc)
		return;
	while (rc->functions)
		drop(rc->functions);
	weir_model_region_remove(rc->ecam);
	pthread_mutex_destroy(&rc->lock);
	free(rc);
}

/* ---- The tree --------------------------------------------------------------------------- */

static void init_state(struct weir_model_pci_state *state, struct weir_model_pcie *rc,
		       struct weir_model_pci_bridge *parent, uint8_t devfn)
{
	state->rc = rc;
	state->parent = parent;
	state->devfn = devfn;
}

/** Functions of one device know that they are several (PCI 3.0, 6.2.1). */
static void mark_multifunction_locked(struct weir_model_pcie *rc, struct weir_model_pci_state *new)
{
	for (struct weir_model_pci_state *s = rc->functions; s; s = s->next) {
		if (s == new || s->parent != new->parent ||
		    WEIR_PCI_SLOT(s->devfn) != WEIR_PCI_SLOT(new->devfn))
			continue;
		weir_model_pci_config_multifunction(s);
		weir_model_pci_config_multifunction(new);
	}
}

/** Appended: where software made bridges overlap, the one added first answers. */
static void publish(struct weir_model_pci_state *state)
{
	struct weir_model_pcie *rc = state->rc;
	struct weir_model_pci_state **link = &rc->functions;

	pthread_mutex_lock(&rc->lock);
	while (*link)
		link = &(*link)->next;
	*link = state;
	mark_multifunction_locked(rc, state);
	weir_model_pci_decode(rc);
	pthread_mutex_unlock(&rc->lock);
}

static bool is_taken(struct weir_model_pcie *rc, const struct weir_model_pci_bridge *parent,
		     uint8_t devfn)
{
	bool taken;

	pthread_mutex_lock(&rc->lock);
	taken = weir_model_pci_find(rc, parent, devfn) != NULL;
	pthread_mutex_unlock(&rc->lock);
	return taken;
}

static bool is_port(const struct weir_model_pci_bridge *bridge)
{
	return bridge && (bridge->desc.kind == WEIR_MODEL_ROOT_PORT ||
			  bridge->desc.kind == WEIR_MODEL_SWITCH_DOWN);
}

/** Can a bridge of this kind be there? Below a port there is one device, number 0. */
static bool bridge_fits(const struct weir_model_pci_bridge *parent, uint8_t devfn,
			const struct weir_model_pci_bridge_desc *desc)
{
	if (is_port(parent) && WEIR_PCI_SLOT(devfn))
		return false;
	switch (desc->kind) {
	case WEIR_MODEL_ROOT_PORT:
		return !parent;
	case WEIR_MODEL_SWITCH_UP:
		return is_port(parent);
	case WEIR_MODEL_SWITCH_DOWN:
		return parent && parent->desc.kind == WEIR_MODEL_SWITCH_UP;
	case WEIR_MODEL_PCIE_TO_PCI:
		return !parent || is_port(parent);
	}
	return false;
}

int weir_model_pci_add_bridge(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			      uint8_t devfn, const struct weir_model_pci_bridge_desc *desc,
			      struct weir_model_pci_bridge **bridge)
{
	struct weir_model_pci_bridge *new;

	if (!bridge_fits(parent, devfn, desc))
		return -WEIR_EINVAL;
	if (is_taken(rc, parent, devfn))
		return -WEIR_EEXIST;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -WEIR_ENOMEM;
	new->desc = *desc;
	new->state.bridge = new;
	init_state(&new->state, rc, parent, devfn);
	weir_model_pci_config_bridge(&new->state, desc);
	publish(&new->state);
	*bridge = new;
	return 0;
}

static bool bar_fits(const struct weir_model_pci_bar *bars, unsigned int i)
{
	uint64_t size = bars[i].size;

	if (!size)
		return true;
	if (!bars[i].ops || size < 4096 || size & (size - 1))
		return false;
	if (!bars[i].is64)
		return size <= WEIR_BIT(31);
	return i + 1 < WEIR_MODEL_PCI_BARS && !bars[i + 1].size;
}

/** Express functions: on the root bus or below a port; others: on the root bus or on plain PCI. */
static bool function_fits(const struct weir_model_pci_bridge *parent, uint8_t devfn,
			  const struct weir_model_pci_desc *desc)
{
	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++)
		if (!bar_fits(desc->bars, i))
			return false;
	if (desc->acs && !desc->express)
		return false;
	if (is_port(parent))
		return desc->express && !WEIR_PCI_SLOT(devfn);
	return !parent || (!desc->express && parent->desc.kind == WEIR_MODEL_PCIE_TO_PCI);
}

static int add_bars(struct weir_model_pci_state *state)
{
	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++) {
		struct weir_model_pci_bar_state *bar = &state->bars[i];
		int err;

		*bar = (struct weir_model_pci_bar_state){
			.owner = state,
			.desc = &state->fn->desc.bars[i],
			.index = i,
		};
		if (!bar->desc->size)
			continue;
		err = weir_model_bus_add_mmio(state->rc->bus, WEIR_MODEL_UNPLACED, bar->desc->size,
					      &weir_model_pci_bar_ops, bar, &bar->region);
		if (err)
			return err;
	}
	return 0;
}

int weir_model_pci_add(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
		       uint8_t devfn, const struct weir_model_pci_desc *desc,
		       struct weir_model_pci_function *fn)
{
	struct weir_model_pci_state *state;
	int err;

	if (!function_fits(parent, devfn, desc))
		return -WEIR_EINVAL;
	if (is_taken(rc, parent, devfn))
		return -WEIR_EEXIST;
	state = calloc(1, sizeof(*state));
	if (!state)
		return -WEIR_ENOMEM;
	*fn = (struct weir_model_pci_function){
		.desc = *desc,
		.rc = rc,
		.parent = parent,
		.devfn = devfn,
		.state = state,
	};
	state->fn = fn;
	init_state(state, rc, parent, devfn);
	err = weir_model_pci_msix_init(state, desc);
	if (!err)
		err = add_bars(state);
	if (err) {
		drop(state);
		return err;
	}
	weir_model_pci_config_function(state, desc);
	publish(state);
	return 0;
}

void weir_model_pci_remove(struct weir_model_pci_function *fn)
{
	/* The root complex may have gone first. */
	if (fn->state)
		drop(fn->state);
}
