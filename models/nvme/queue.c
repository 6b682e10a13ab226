/* SPDX-License-Identifier: MIT */
/*
 * Submission and completion queues: rings in host memory, their heads and tails (NVMe 1.4 sections
 * 4.1, 4.6, 7.2).
 */

#include <string.h>

#include "nvme/nvme.h"

static uint32_t distance(uint32_t from, uint32_t to, uint32_t size)
{
	return to >= from ? to - from : to + size - from;
}

void weir_model_nvme_sq_init(struct weir_model_nvme *nvme, uint16_t sqid, uint64_t base,
			     uint32_t size, uint16_t cqid)
{
	struct nvme_sq *sq = &nvme->sq[sqid];

	sq->base = base;
	sq->head = 0;
	sq->cqid = cqid;
	nvme->cq[cqid].users++;
	__atomic_store_n(&sq->tail, 0, __ATOMIC_RELAXED);
	/* Pairs with the acquire in ring(): a doorbell counts from here on. */
	__atomic_store_n(&sq->size, size, __ATOMIC_RELEASE);
}

void weir_model_nvme_cq_init(struct nvme_cq *cq, uint64_t base, uint32_t size, uint16_t vector,
			     bool interrupts)
{
	cq->base = base;
	cq->head = 0;
	cq->tail = 0;
	cq->reserved = 0;
	cq->vector = vector;
	cq->users = 0;
	cq->phase = true;
	cq->interrupts = interrupts;
	cq->raise = false;
	__atomic_store_n(&cq->doorbell, 0, __ATOMIC_RELAXED);
	/* Pairs with the acquire in ring(). */
	__atomic_store_n(&cq->size, size, __ATOMIC_RELEASE);
}

/*
 * A doorbell whose value step() cannot use: note the event and put the last good value back, unless
 * the host has rung again since.
 */
static void refuse(struct weir_model_nvme *nvme, uint32_t *doorbell, uint32_t bad, uint32_t good)
{
	__atomic_compare_exchange_n(doorbell, &bad, good, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	nvme->events |= 1u << WEIR_NVME_AER_INFO_INVALID_VALUE;
}

uint32_t weir_model_nvme_cq_room(struct weir_model_nvme *nvme, struct nvme_cq *cq)
{
	uint32_t size = __atomic_load_n(&cq->size, __ATOMIC_RELAXED);
	/* Pairs with the release in ring(): the host has read what it gives back. */
	uint32_t head = __atomic_load_n(&cq->doorbell, __ATOMIC_ACQUIRE);

	if (!size)
		return 0;
	/* A head beyond the tail consumes what was never posted. */
	if (head >= size || distance(cq->head, head, size) > distance(cq->head, cq->tail, size))
		refuse(nvme, &cq->doorbell, head, cq->head);
	else
		cq->head = head;
	return size - 1 - distance(cq->head, cq->tail, size) - cq->reserved;
}

uint32_t weir_model_nvme_sq_pending(struct weir_model_nvme *nvme, struct nvme_sq *sq)
{
	uint32_t size = __atomic_load_n(&sq->size, __ATOMIC_RELAXED);
	/* Pairs with the release in ring(): the entries were written before. */
	uint32_t tail = __atomic_load_n(&sq->tail, __ATOMIC_ACQUIRE);

	if (!size)
		return 0;
	if (tail >= size) {
		/* Rung for a larger queue of this number that was deleted meanwhile. */
		refuse(nvme, &sq->tail, tail, sq->head);
		return 0;
	}
	return tail >= sq->head ? tail - sq->head : size - sq->head;
}

bool weir_model_nvme_fetch(struct weir_model_nvme *nvme, struct nvme_sq *sq, uint32_t count)
{
	uint64_t addr = sq->base + (uint64_t)sq->head * WEIR_NVME_SQE_SIZE;

	if (!weir_model_nvme_dma_read(nvme, addr, nvme->fetched, count * WEIR_NVME_SQE_SIZE)) {
		weir_model_nvme_fatal(nvme);
		return false;
	}
	sq->head = (sq->head + count) % __atomic_load_n(&sq->size, __ATOMIC_RELAXED);
	return true;
}

/* The knob bad_cid: an identifier that no command under way has. */
static uint16_t strange_cid(const struct weir_model_nvme *nvme, uint16_t cid)
{
	uint16_t strange = UINT16_MAX;
	unsigned int i = 0;

	while (i < nvme->in_order || strange == cid) {
		if (strange == cid || nvme->pool[nvme->order[i]].sqe.cid == strange) {
			strange--;
			i = 0;
		} else {
			i++;
		}
	}
	return strange;
}

void weir_model_nvme_post(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t cid,
			  uint16_t status, uint32_t dw0)
{
	const struct nvme_sq *sq = &nvme->sq[sqid];
	struct nvme_cq *cq = &nvme->cq[sq->cqid];
	struct weir_nvme_cqe cqe = {
		.dw0 = dw0,
		.sqhd = (uint16_t)sq->head,
		.sqid = sqid,
		.cid = nvme->active.bad_cid ? strange_cid(nvme, cid) : cid,
		.status = (uint16_t)(status << WEIR_NVME_CQE_STATUS_SHIFT | cq->phase),
	};
	uint64_t addr = cq->base + (uint64_t)cq->tail * WEIR_NVME_CQE_SIZE;

	if (!nvme->running)
		return;
	if (!weir_model_nvme_dma_write(nvme, addr, &cqe, sizeof(cqe))) {
		weir_model_nvme_fatal(nvme);
		return;
	}
	cq->raise = true;
	if (++cq->tail == __atomic_load_n(&cq->size, __ATOMIC_RELAXED)) {
		cq->tail = 0;
		cq->phase = !cq->phase;
	}
}

static void log_error(struct weir_model_nvme *nvme, const struct nvme_command *command,
		      uint16_t status)
{
	const struct weir_nvme_sqe *sqe = &command->sqe;

	nvme->error.count++;
	nvme->error.sqid = command->sqid;
	nvme->error.cid = sqe->cid;
	nvme->error.status = (uint16_t)(status << WEIR_NVME_CQE_STATUS_SHIFT);
	nvme->error.nsid = sqe->nsid;
	nvme->error.lba = command->sqid ? sqe->cdw10 | (uint64_t)sqe->cdw11 << 32 : 0;
}

void weir_model_nvme_complete(struct weir_model_nvme *nvme, const struct nvme_command *command,
			      uint16_t status, uint32_t dw0)
{
	nvme->cq[nvme->sq[command->sqid].cqid].reserved--;
	nvme_count(command->sqid ? &nvme->stats.io_commands : &nvme->stats.admin_commands, 1);
	if (status)
		log_error(nvme, command, status);
	weir_model_nvme_post(nvme, command->sqid, command->sqe.cid, status, dw0);
}

void weir_model_nvme_interrupt(struct weir_model_nvme *nvme)
{
	unsigned int i;

	for (i = 0; i <= nvme->max_queues; i++) {
		struct nvme_cq *cq = &nvme->cq[i];

		if (!cq->raise)
			continue;
		cq->raise = false;
		if (!cq->interrupts)
			continue;
		nvme_count(&nvme->stats.interrupts, 1);
		weir_model_pci_msix(&nvme->fn, cq->vector);
	}
}

void weir_model_nvme_forget(struct weir_model_nvme *nvme)
{
	unsigned int i;

	for (i = 0; i <= nvme->max_queues; i++) {
		__atomic_store_n(&nvme->sq[i].size, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&nvme->cq[i].size, 0, __ATOMIC_RELEASE);
		nvme->cq[i].raise = false;
	}
	for (i = 0; i < NVME_INFLIGHT; i++)
		nvme->unused[i] = (uint16_t)i;
	nvme->in_order = 0;
	nvme->next_sq = 1;
	nvme->transfer.active = false;
	nvme->aers = 0;
	nvme->events = 0;
	nvme->events_masked = false;
}
