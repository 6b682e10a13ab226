/* SPDX-License-Identifier: MIT */

/*
 * Enhanced command queues (3.5.6, 6.2.5): control pages full of PROD, CONS and BASE, in registers.
 * cmdq.c consumes them as it does the bank's own queue.
 *
 * EN is what software asked for, ENACK what is in effect; the rest follows as for CR0.CMDQEN
 * (3.5.6.2). Registers are written under `lock`; but SMMU_ECMDQ_PROD of a queue that is enabled and
 * stays so is exchanged without, so that producers never wait for a command.
 */

#include "smmuv3/internal.h"

#include <stdlib.h>

#define EN WEIR_SMMU_ECMDQ_PROD_EN /* ENACK, ERRACK and ERR are in the same places of their words */
#define PROD_BITS (WEIR_SMMU_ECMDQ_PROD_EN | WEIR_SMMU_ECMDQ_PROD_ERRACK | WEIR_SMMU_Q_INDEX)
#define CONS_BITS (WEIR_SMMU_ECMDQ_CONS_ERR | WEIR_SMMU_ECMDQ_CONS_ERR_REASON | WEIR_SMMU_Q_INDEX)
#define BASE_BITS (WEIR_SMMU_Q_BASE_ADDR | WEIR_SMMU_Q_BASE_LOG2SIZE | WEIR_SMMU_Q_BASE_RWA)

/* ---- Where they are ---------------------------------------------------------------------- */

/* 6.3.49: one behind the other; which is also behind the VATOS page. */
uint64_t weir_model_smmu_control_pages(const struct smmu_features *features)
{
	if (features->vatos_page)
		return features->vatos_page + WEIR_SMMU_PAGE_SIZE;
	return WEIR_MODEL_SMMUV3_MMIO_SIZE;
}

/* 6.2.5: evenly spaced. The queue, and the offset from its registers; NULL: none is there. */
static struct smmu_cmdq *find(const struct smmu_bank *bank, uint64_t offset, uint64_t *reg)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t pages = weir_model_smmu_control_pages(features);
	uint64_t spacing = WEIR_SMMU_PAGE_SIZE >> features->ecmdqs;
	uint64_t number = (offset - pages) / spacing;

	*reg = (offset - pages) % spacing;
	if (!features->ecmdq || offset < pages || *reg >= WEIR_SMMU_ECMDQ_SIZE ||
	    number >= bank->ecmdqs.count - 1)
		return NULL;
	return &bank->ecmdqs.queues[number];
}

/* 6.3.49 to 6.3.51: the pages are registers, and always enabled. */
static bool read_control(const struct smmu_bank *bank, uint64_t offset, uint32_t *value)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t page = (offset - WEIR_SMMU_CMDQ_CONTROL_PAGES) / WEIR_SMMU_CMDQ_CONTROL_STRIDE;
	uint64_t base;

	if (!features->ecmdq || offset < WEIR_SMMU_CMDQ_CONTROL_PAGES ||
	    page >> features->ecmdq_pages)
		return false;
	base = (weir_model_smmu_control_pages(features) + page * WEIR_SMMU_PAGE_SIZE) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMDQ_CONTROL_BASE_CMDQGS,
			       WEIR_SMMU_CMDQ_CONTROL_BASE_CMDQGS_64K) |
	       WEIR_SMMU_CMDQ_CONTROL_BASE_PRESET;
	switch (offset % WEIR_SMMU_CMDQ_CONTROL_STRIDE) {
	case WEIR_SMMU_CMDQ_CONTROL_BASE:
		*value = (uint32_t)base;
		return true;
	case WEIR_SMMU_CMDQ_CONTROL_BASE + 4:
		*value = (uint32_t)(base >> 32);
		return true;
	case WEIR_SMMU_CMDQ_CONTROL_CFG:
	case WEIR_SMMU_CMDQ_CONTROL_STATUS:
		*value = (uint32_t)WEIR_SMMU_CMDQ_CONTROL_EN;
		return true;
	default:
		return false;
	}
}

/* ---- Reads ------------------------------------------------------------------------------- */

bool weir_model_smmu_ecmdq_read(const struct smmu_bank *bank, uint64_t offset, uint32_t *value)
{
	const struct smmu_cmdq *queue;
	uint64_t reg;

	if (read_control(bank, offset, value))
		return true;
	queue = find(bank, offset, &reg);
	if (!queue)
		return false;
	if (reg == WEIR_SMMU_ECMDQ_PROD)
		*value = smmu_reg(&queue->prod);
	else if (reg == WEIR_SMMU_ECMDQ_CONS)
		*value = smmu_own_index(smmu_reg(&queue->cons), smmu_reg64(&queue->base),
					bank->smmu->features.cmdqs);
	else
		*value = (uint32_t)(smmu_reg64(&queue->base) >> (reg * 8));
	return true;
}

/* ---- Writes ------------------------------------------------------------------------------ */

/* After what there is to be done: step() clears the bit before it looks. */
static void ring(const struct smmu_cmdq *queue)
{
	struct smmu_bank *bank = queue->bank;
	uint32_t number = 1 + (uint32_t)(queue - bank->ecmdqs.queues);

	__atomic_or_fetch(&bank->ecmdqs.ready[number / 64], WEIR_BIT(number % 64),
			  __ATOMIC_SEQ_CST);
	weir_model_kick(&bank->smmu->stepper);
}

static bool is_changing(const struct smmu_cmdq *queue)
{
	return (smmu_reg(&queue->prod) ^ smmu_reg(&queue->cons)) & EN;
}

static bool is_disabled(const struct smmu_cmdq *queue)
{
	return !((smmu_reg(&queue->prod) | smmu_reg(&queue->cons)) & EN);
}

/* 3.5.6.2, 6.3.9.3: `lock` is held, so that no command is half consumed; a CMD_SYNC stays. */
static void acknowledge(struct smmu_cmdq *queue)
{
	struct smmu_ecmdqs *all = &queue->bank->ecmdqs;
	uint32_t on = smmu_reg(&queue->prod) & (uint32_t)EN;

	smmu_reg_set(&queue->cons, (smmu_reg(&queue->cons) & (uint32_t)~EN) | on);
	all->late--;
	if (!on) {
		all->enabled--;
		queue->sync_dropped = true;
	}
	ring(queue);
}

void weir_model_smmu_ecmdqs_acknowledge(struct smmu_bank *bank)
{
	struct smmu_ecmdqs *all = &bank->ecmdqs;

	for (uint32_t i = 0; all->late && i < all->count - 1; i++)
		if (is_changing(&all->queues[i]))
			acknowledge(&all->queues[i]);
}

/* 6.3.108: read-only while EN is not acknowledged. */
static void write_prod(struct smmu_cmdq *queue, uint32_t value)
{
	struct smmu_ecmdqs *all = &queue->bank->ecmdqs;
	uint32_t changed;

	if (is_changing(queue))
		return;
	value &= (uint32_t)PROD_BITS;
	/* Whoever produces without the lock found the queue as it was, or finds it as it is now. */
	changed = value ^ __atomic_exchange_n(&queue->prod, value, __ATOMIC_SEQ_CST);
	if (!(changed & EN)) {
		ring(queue);
		return;
	}
	all->late++;
	if (value & EN)
		all->enabled++;
	if (queue->bank->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		weir_model_kick(&queue->bank->smmu->stepper);
	else
		acknowledge(queue);
}

static void write_base(struct smmu_cmdq *queue, unsigned int shift, uint32_t value)
{
	uint64_t stored = smmu_low_bits(queue->bank->smmu->features.oas) | WEIR_SMMU_Q_BASE_RWA;
	uint64_t half = (uint64_t)UINT32_MAX << shift;

	smmu_reg64_set(&queue->base, (smmu_reg64(&queue->base) & ~half) |
					     ((uint64_t)value << shift & BASE_BITS & stored));
}

/* 6.3.107, 6.3.109: BASE and CONS are software's while the queue is disabled. */
bool weir_model_smmu_ecmdq_write(struct smmu_bank *bank, uint64_t offset, uint32_t value)
{
	uint64_t reg;
	struct smmu_cmdq *queue = find(bank, offset, &reg);

	if (!queue)
		return false;
	if (reg == WEIR_SMMU_ECMDQ_PROD)
		write_prod(queue, value);
	else if (is_disabled(queue) && reg == WEIR_SMMU_ECMDQ_CONS)
		smmu_reg_set(&queue->cons, value & (uint32_t)CONS_BITS);
	else if (is_disabled(queue))
		write_base(queue, (unsigned int)reg * 8, value);
	return true;
}

bool weir_model_smmu_ecmdq_produce(struct smmu_bank *bank, uint64_t offset, uint32_t value)
{
	uint64_t reg;
	struct smmu_cmdq *queue = find(bank, offset, &reg);
	uint32_t old;

	if (!queue || reg != WEIR_SMMU_ECMDQ_PROD)
		return false;
	old = smmu_reg(&queue->prod);
	if (!(old & value & smmu_reg(&queue->cons) & EN))
		return false;
	if (!__atomic_compare_exchange_n(&queue->prod, &old, value & (uint32_t)PROD_BITS, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	ring(queue);
	return true;
}

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_smmu_ecmdqs_init(struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;
	struct smmu_ecmdqs *all = &bank->ecmdqs;
	uint32_t enhanced = 0;

	if (features->ecmdq && !smmu_is_secure(bank))
		enhanced = (uint32_t)1 << (features->ecmdq_pages + features->ecmdqs);
	all->count = 1 + enhanced;
	all->ready = calloc((all->count + 63) / 64, sizeof(*all->ready));
	all->waits = calloc((all->count + 63) / 64, sizeof(*all->waits));
	all->queues = calloc(all->count, sizeof(*all->queues));
	if (!all->ready || !all->waits || !all->queues)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i < enhanced; i++)
		all->queues[i].bank = bank;
	return 0;
}

void weir_model_smmu_ecmdqs_fini(struct smmu_bank *bank)
{
	free(bank->ecmdqs.ready);
	free(bank->ecmdqs.waits);
	free(bank->ecmdqs.queues);
}
