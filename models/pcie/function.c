/* SPDX-License-Identifier: MIT */
/*
 * What a function does while the machine runs: answer in its BARs, master, be reset.
 */
#include <sched.h>

#include "pcie/pcie.h"

/* ---- The gate: no access is under way in a device that is being reset ------------------- */

#define GATE_CLOSED 0x80000000u

/** Pairs with close_gate(): either it sees this access, or this access sees the gate closed. */
static bool enter(struct weir_model_pci_state *state)
{
	if (__atomic_fetch_add(&state->gate, 1, __ATOMIC_ACQ_REL) & GATE_CLOSED) {
		__atomic_fetch_sub(&state->gate, 1, __ATOMIC_RELEASE);
		return false;
	}
	return true;
}

static void leave(struct weir_model_pci_state *state)
{
	__atomic_fetch_sub(&state->gate, 1, __ATOMIC_RELEASE);
}

static void close_gate(struct weir_model_pci_state *state)
{
	__atomic_fetch_or(&state->gate, GATE_CLOSED, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&state->gate, __ATOMIC_ACQUIRE) != GATE_CLOSED)
		sched_yield();
}

static void open_gate(struct weir_model_pci_state *state)
{
	__atomic_fetch_and(&state->gate, ~GATE_CLOSED, __ATOMIC_RELEASE);
}

void weir_model_pci_reset(struct weir_model_pci_state *state)
{
	close_gate(state);
	if (state->fn->desc.reset)
		state->fn->desc.reset(state->fn);
	open_gate(state);
}

/* ---- BARs ------------------------------------------------------------------------------- */

static enum weir_model_result bar_read(void *opaque, uint64_t offset, unsigned int size,
				       uint32_t requester, uint64_t *value)
{
	const struct weir_model_pci_bar_state *bar = opaque;
	enum weir_model_result result;

	if (!enter(bar->owner))
		return WEIR_MODEL_ABORT;
	if (weir_model_pci_msix_covers(bar->owner, bar->index, offset))
		result = weir_model_pci_msix_load(bar->owner, offset, size, value);
	else
		result = bar->desc->ops->read(bar->desc->opaque, offset, size, requester, value);
	leave(bar->owner);
	return result;
}

static enum weir_model_result bar_write(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t value)
{
	const struct weir_model_pci_bar_state *bar = opaque;
	enum weir_model_result result;

	if (!enter(bar->owner))
		return WEIR_MODEL_ABORT;
	if (weir_model_pci_msix_covers(bar->owner, bar->index, offset))
		result = weir_model_pci_msix_store(bar->owner, offset, size, value);
	else
		result = bar->desc->ops->write(bar->desc->opaque, offset, size, requester, value);
	leave(bar->owner);
	return result;
}

const struct weir_model_mmio_ops weir_model_pci_bar_ops = { bar_read, bar_write };

/* ---- DMA -------------------------------------------------------------------------------- */

uint16_t weir_model_pci_requester(const struct weir_model_pci_function *fn)
{
	/* Pairs with weir_model_pci_decode(). */
	return (uint16_t)(__atomic_load_n(&fn->state->dma, __ATOMIC_ACQUIRE) &
			  WEIR_MODEL_PCI_DMA_REQUESTER);
}

/** false: the function may not master now. */
static bool make_port(const struct weir_model_pci_function *fn, struct weir_model_port *port)
{
	const struct weir_model_pcie *rc = fn->rc;
	/* Pairs with weir_model_pci_decode(). */
	uint32_t dma = __atomic_load_n(&fn->state->dma, __ATOMIC_ACQUIRE);

	port->bus = rc->bus;
	port->iommu_ops = rc->config.iommu_ops;
	port->iommu = rc->config.iommu;
	port->requester = dma & WEIR_MODEL_PCI_DMA_REQUESTER;
	port->stream = port->requester;
	return dma & WEIR_MODEL_PCI_DMA_ALLOWED;
}

enum weir_model_result weir_model_pci_read(struct weir_model_pci_function *fn, uint64_t addr,
					   void *buf, size_t len)
{
	struct weir_model_port port;

	if (!make_port(fn, &port)) {
		memset(buf, 0, len);
		return WEIR_MODEL_ABORT;
	}
	return weir_model_port_read(&port, addr, buf, len);
}

enum weir_model_result weir_model_pci_write(struct weir_model_pci_function *fn, uint64_t addr,
					    const void *buf, size_t len)
{
	struct weir_model_port port;

	if (!make_port(fn, &port))
		return WEIR_MODEL_ABORT;
	return weir_model_port_write(&port, addr, buf, len);
}
