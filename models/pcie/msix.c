/* SPDX-License-Identifier: MIT */
/*
 * MSI-X (PCI 3.0, 6.8): the vector table and the pending bits, which lie in a BAR of the function.
 *
 * A message is made up under msix.lock and sent without it: where the table sends it is the guest's
 * choice, and may be this very table.
 */
#include <stdlib.h>
#include <string.h>

#include "pcie/pcie.h"

struct message {
	uint64_t addr;
	uint32_t data;
};

static uint32_t *entry(const struct weir_model_pci_msix_state *msix, unsigned int vector)
{
	return &msix->table[vector * (WEIR_PCI_MSIX_ENTRY_SIZE / 4)];
}

static bool is_masked(const struct weir_model_pci_msix_state *msix, unsigned int vector)
{
	return (msix->control & WEIR_PCI_MSIX_FLAGS_MASKALL) ||
	       (entry(msix, vector)[WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL / 4] &
		WEIR_PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static struct message message_of(const struct weir_model_pci_msix_state *msix, unsigned int vector)
{
	const uint32_t *words = entry(msix, vector);

	return (struct message){
		.addr = (uint64_t)words[WEIR_PCI_MSIX_ENTRY_UPPER_ADDR / 4] << 32 | words[0],
		.data = words[WEIR_PCI_MSIX_ENTRY_DATA / 4],
	};
}

static void send(struct weir_model_pci_state *state, const struct message *message)
{
	/* A message that the IOMMU or the bus refuses is lost, as on hardware. */
	weir_model_pci_write(state->fn, message->addr, &message->data, sizeof(message->data));
}

/** Send vector if it is pending and may be sent. */
static void send_pending(struct weir_model_pci_state *state, unsigned int vector)
{
	struct weir_model_pci_msix_state *msix = &state->msix;
	uint64_t bit = WEIR_BIT(vector % 64);
	struct message message;
	bool ready;

	pthread_mutex_lock(&msix->lock);
	ready = (msix->pending[vector / 64] & bit) &&
		(msix->control & WEIR_PCI_MSIX_FLAGS_ENABLE) && !is_masked(msix, vector);
	if (ready) {
		msix->pending[vector / 64] &= ~bit;
		message = message_of(msix, vector);
	}
	pthread_mutex_unlock(&msix->lock);
	if (ready)
		send(state, &message);
}

void weir_model_pci_msix(struct weir_model_pci_function *fn, unsigned int index)
{
	struct weir_model_pci_msix_state *msix = &fn->state->msix;
	struct message message;
	bool ready = false;

	if (index >= msix->vectors)
		return;
	pthread_mutex_lock(&msix->lock);
	if (msix->control & WEIR_PCI_MSIX_FLAGS_ENABLE) {
		ready = !is_masked(msix, index);
		if (ready)
			message = message_of(msix, index);
		else
			msix->pending[index / 64] |= WEIR_BIT(index % 64);
	}
	pthread_mutex_unlock(&msix->lock);
	if (ready)
		send(fn->state, &message);
}

void weir_model_pci_msix_control(struct weir_model_pci_state *state, uint16_t control)
{
	pthread_mutex_lock(&state->msix.lock);
	state->msix.control = control;
	pthread_mutex_unlock(&state->msix.lock);
}

void weir_model_pci_msix_flush(struct weir_model_pci_state *state)
{
	for (unsigned int i = 0; i < state->msix.vectors; i++)
		send_pending(state, i);
}

/* ---- Accesses --------------------------------------------------------------------------- */

static bool in_table(const struct weir_model_pci_msix_state *msix, uint64_t offset)
{
	return offset - msix->table_offset < msix->table_size;
}

bool weir_model_pci_msix_covers(const struct weir_model_pci_state *state, unsigned int bar,
				uint64_t offset)
{
	const struct weir_model_pci_msix_state *msix = &state->msix;

	return msix->vectors && bar == msix->bar &&
	       (in_table(msix, offset) || offset - msix->pba_offset < msix->pba_size);
}

enum weir_model_result weir_model_pci_msix_load(struct weir_model_pci_state *state, uint64_t offset,
						unsigned int size, uint64_t *value)
{
	struct weir_model_pci_msix_state *msix = &state->msix;
	const uint8_t *from;

	if (in_table(msix, offset))
		from = (const uint8_t *)msix->table + (offset - msix->table_offset);
	else
		from = (const uint8_t *)msix->pending + (offset - msix->pba_offset);
	pthread_mutex_lock(&msix->lock);
	memcpy(value, from, size);
	pthread_mutex_unlock(&msix->lock);
	return WEIR_MODEL_OK;
}

/** Reserved bits and the two lowest of the address stay zero. */
static void store_word(struct weir_model_pci_msix_state *msix, uint64_t word, uint32_t value)
{
	switch (word % 4 * 4) {
	case WEIR_PCI_MSIX_ENTRY_LOWER_ADDR:
		value &= ~3u;
		break;
	case WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL:
		value &= WEIR_PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	default:
		break;
	}
	msix->table[word] = value;
}

enum weir_model_result weir_model_pci_msix_store(struct weir_model_pci_state *state,
						 uint64_t offset, unsigned int size, uint64_t value)
{
	struct weir_model_pci_msix_state *msix = &state->msix;
	uint64_t word;

	/* The pending bits are read-only; of the table only whole words may be written (6.8.2). */
	if (!in_table(msix, offset))
		return WEIR_MODEL_OK;
	if (size < 4)
		return WEIR_MODEL_ABORT;
	word = (offset - msix->table_offset) / 4;
	pthread_mutex_lock(&msix->lock);
	store_word(msix, word, (uint32_t)value);
	if (size == 8)
		store_word(msix, word + 1, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&msix->lock);
	send_pending(state, (unsigned int)(word / 4));
	return WEIR_MODEL_OK;
}

/* ---- Life ------------------------------------------------------------------------------- */

void weir_model_pci_msix_reset(struct weir_model_pci_state *state)
{
	struct weir_model_pci_msix_state *msix = &state->msix;

	if (!msix->vectors)
		return;
	pthread_mutex_lock(&msix->lock);
	msix->control = 0;
	memset(msix->table, 0, msix->table_size);
	memset(msix->pending, 0, msix->pba_size);
	for (unsigned int i = 0; i < msix->vectors; i++)
		entry(msix, i)[WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL / 4] =
			WEIR_PCI_MSIX_ENTRY_CTRL_MASKBIT;
	pthread_mutex_unlock(&msix->lock);
}

int weir_model_pci_msix_init(struct weir_model_pci_state *state,
			     const struct weir_model_pci_desc *desc)
{
	struct weir_model_pci_msix_state *msix = &state->msix;
	uint64_t bar_size;

	if (!desc->msix_vectors)
		return 0;
	if (desc->msix_vectors > WEIR_PCI_MSIX_MAX_VECTORS ||
	    desc->msix_bar >= WEIR_MODEL_PCI_BARS || !WEIR_IS_ALIGNED(desc->msix_offset, 8))
		return -WEIR_EINVAL;
	bar_size = desc->bars[desc->msix_bar].size;
	msix->bar = desc->msix_bar;
	msix->table_offset = desc->msix_offset;
	msix->table_size = (uint64_t)desc->msix_vectors * WEIR_PCI_MSIX_ENTRY_SIZE;
	msix->pba_offset = WEIR_ALIGN_UP(msix->table_offset + msix->table_size, 4096);
	msix->pba_size = WEIR_ALIGN_UP(desc->msix_vectors, 64) / 8;
	if (msix->pba_offset + msix->pba_size > bar_size)
		return -WEIR_EINVAL;
	msix->table = calloc(1, msix->table_size);
	msix->pending = calloc(1, msix->pba_size);
	if (!msix->table || !msix->pending) {
		free(msix->table);
		free(msix->pending);
		return -WEIR_ENOMEM;
	}
	pthread_mutex_init(&msix->lock, NULL);
	msix->vectors = desc->msix_vectors;
	weir_model_pci_msix_reset(state);
	return 0;
}

void weir_model_pci_msix_free(struct weir_model_pci_state *state)
{
	struct weir_model_pci_msix_state *msix = &state->msix;

	if (!msix->vectors)
		return;
	msix->vectors = 0;
	pthread_mutex_destroy(&msix->lock);
	free(msix->table);
	free(msix->pending);
}
