/* SPDX-License-Identifier: MIT */
/*
 * NVM commands (NVMe 1.4 section 6): Flush, Write, Read.
 *
 * Commands wait in `order` between fetch and start. A read takes its blocks from the disk when it
 * starts, then sends them page by page as the budget allows; a write collects its pages first, so
 * that the disk sees it whole or not at all.
 */

#include <string.h>

#include "nvme/nvme.h"

/* ---- Fetch ---- */

static void enqueue(struct weir_model_nvme *nvme, uint16_t sqid, const struct weir_nvme_sqe *sqe)
{
	uint16_t slot = nvme->unused[NVME_INFLIGHT - 1 - nvme->in_order];

	nvme->pool[slot].sqid = sqid;
	nvme->pool[slot].sqe = *sqe;
	nvme->order[nvme->in_order++] = slot;
}

static struct nvme_command dequeue(struct weir_model_nvme *nvme, unsigned int position)
{
	uint16_t slot = nvme->order[position];

	nvme->in_order--;
	memmove(&nvme->order[position], &nvme->order[position + 1],
		(nvme->in_order - position) * sizeof(nvme->order[0]));
	nvme->unused[NVME_INFLIGHT - 1 - nvme->in_order] = slot;
	return nvme->pool[slot];
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* One batch from one queue; false: the queue memory failed. */
static bool fetch_batch(struct weir_model_nvme *nvme, uint16_t sqid)
{
	struct nvme_sq *sq = &nvme->sq[sqid];
	struct nvme_cq *cq = &nvme->cq[sq->cqid];
	uint32_t i, count = weir_model_nvme_sq_pending(nvme, sq);

	if (!count)
		return true;
	count = least(count, least(NVME_FETCH_BATCH, NVME_INFLIGHT - nvme->in_order));
	count = least(count, weir_model_nvme_cq_room(nvme, cq));
	if (!count)
		return true;
	if (!weir_model_nvme_fetch(nvme, sq, count))
		return false;
	for (i = 0; i < count; i++)
		enqueue(nvme, sqid, &nvme->fetched[i]);
	cq->reserved += count;
	return true;
}

bool weir_model_nvme_io_fetch(struct weir_model_nvme *nvme)
{
	unsigned int i;

	for (i = 0; i < nvme->max_queues; i++) {
		uint16_t sqid = (uint16_t)nvme->next_sq;

		nvme->next_sq = sqid == nvme->max_queues ? 1 : sqid + 1u;
		if (!fetch_batch(nvme, sqid))
			return false;
	}
	return nvme->in_order != 0;
}

void weir_model_nvme_io_cancel(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t status)
{
	unsigned int i = 0;

	while (i < nvme->in_order) {
		struct nvme_command command;

		if (nvme->pool[nvme->order[i]].sqid != sqid) {
			i++;
			continue;
		}
		command = dequeue(nvme, i);
		weir_model_nvme_complete(nvme, &command, status, 0);
	}
}

bool weir_model_nvme_io_abort(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t cid)
{
	unsigned int i;

	for (i = 0; i < nvme->in_order; i++) {
		const struct nvme_command *waiting = &nvme->pool[nvme->order[i]];

		if (waiting->sqid == sqid && waiting->sqe.cid == cid) {
			struct nvme_command command = dequeue(nvme, i);

			weir_model_nvme_complete(nvme, &command, WEIR_NVME_SC_ABORT_REQUESTED, 0);
			return true;
		}
	}
	return false;
}

/* ---- The disk ---- */

/* Bytes of [offset, offset + length) that the disk has: its last block may be a part of one. */
static uint32_t on_disk(const struct weir_model_nvme *nvme, uint64_t offset, uint32_t length)
{
	uint64_t rest = nvme->disk.size - offset;

	return rest < length ? (uint32_t)rest : length;
}

static uint16_t media_error(struct weir_model_nvme *nvme, uint8_t opcode)
{
	nvme->media_errors++;
	return opcode == WEIR_NVME_CMD_READ ? WEIR_NVME_SC_UNRECOVERED_READ :
					      WEIR_NVME_SC_WRITE_FAULT;
}

static uint16_t disk_read(struct weir_model_nvme *nvme, const struct nvme_transfer *transfer)
{
	struct weir_model_disk *disk = &nvme->disk;
	uint32_t length = on_disk(nvme, transfer->disk_offset, transfer->length);

	memset(nvme->bounce + length, 0, transfer->length - length);
	if (disk->read(disk->opaque, transfer->disk_offset, nvme->bounce, length))
		return media_error(nvme, WEIR_NVME_CMD_READ);
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t disk_flush(struct weir_model_nvme *nvme)
{
	if (nvme->disk.flush && nvme->disk.flush(nvme->disk.opaque))
		return media_error(nvme, WEIR_NVME_CMD_FLUSH);
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t disk_write(struct weir_model_nvme *nvme, const struct nvme_transfer *transfer)
{
	struct weir_model_disk *disk = &nvme->disk;
	uint32_t length = on_disk(nvme, transfer->disk_offset, transfer->length);

	if (disk->write(disk->opaque, transfer->disk_offset, nvme->bounce, length))
		return media_error(nvme, WEIR_NVME_CMD_WRITE);
	if ((transfer->command.sqe.cdw12 & WEIR_NVME_RW_FUA) ||
	    !nvme->features.value[WEIR_NVME_FID_WRITE_CACHE])
		return disk_flush(nvme);
	return WEIR_NVME_SC_SUCCESS;
}

/* ---- Start ---- */

/* Section 6.9, 6.15: order of the checks as in the tables of status codes, most general first. */
static uint16_t check_rw(const struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint64_t lba = sqe->cdw10 | (uint64_t)sqe->cdw11 << 32;
	uint64_t count = (uint64_t)(sqe->cdw12 & WEIR_NVME_RW_NLB_MASK) + 1;

	if (sqe->nsid != 1)
		return NVME_DNR(WEIR_NVME_SC_INVALID_NS);
	if (count << nvme->block_shift > (uint64_t)NVME_PAGE << nvme->mdts)
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	if (lba >= nvme->blocks || count > nvme->blocks - lba)
		return NVME_DNR(WEIR_NVME_SC_LBA_RANGE);
	if (sqe->opcode == WEIR_NVME_CMD_WRITE && !nvme->disk.write)
		return NVME_DNR(WEIR_NVME_SC_NS_WRITE_PROTECTED);
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t start_rw(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	struct nvme_transfer *transfer = &nvme->transfer;
	uint32_t blocks = (sqe->cdw12 & WEIR_NVME_RW_NLB_MASK) + 1;
	uint16_t status = check_rw(nvme, sqe);

	if (status)
		return status;
	transfer->length = blocks << nvme->block_shift;
	transfer->disk_offset = (sqe->cdw10 | (uint64_t)sqe->cdw11 << 32) << nvme->block_shift;
	transfer->done = 0;
	status = weir_model_nvme_prp_start(&transfer->prp, sqe, transfer->length);
	if (status)
		return status;
	if (sqe->opcode == WEIR_NVME_CMD_READ) {
		status = disk_read(nvme, transfer);
		if (status)
			return status;
	}
	transfer->active = true;
	return NVME_HELD;
}

static uint16_t start_flush(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	if (sqe->nsid != 1 && sqe->nsid != WEIR_NVME_NSID_ALL)
		return NVME_DNR(WEIR_NVME_SC_INVALID_NS);
	return disk_flush(nvme);
}

static uint16_t start(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint64_t every = nvme->active.error_every;
	uint16_t status = nvme_flags_status(sqe);

	if (status)
		return status;
	if (every && nvme->io_started % every == 0)
		return media_error(nvme, sqe->opcode);
	switch (sqe->opcode) {
	case WEIR_NVME_CMD_FLUSH:
		return start_flush(nvme, sqe);
	case WEIR_NVME_CMD_READ:
	case WEIR_NVME_CMD_WRITE:
		return start_rw(nvme, sqe);
	default:
		return NVME_DNR(WEIR_NVME_SC_INVALID_OPCODE);
	}
}

/* xorshift64: with the same seed, a run repeats. */
static uint64_t next_random(struct weir_model_nvme *nvme)
{
	uint64_t x = nvme->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	nvme->random = x;
	return x;
}

void weir_model_nvme_io_start(struct weir_model_nvme *nvme)
{
	unsigned int position =
		nvme->active.reorder ? (unsigned int)(next_random(nvme) % nvme->in_order) : 0;
	struct nvme_command *command = &nvme->transfer.command;
	uint16_t status;

	*command = dequeue(nvme, position);
	nvme->started++;
	nvme->io_started++;
	status = start(nvme, &command->sqe);
	if (status != NVME_HELD)
		weir_model_nvme_complete(nvme, command, status, 0);
}

/* ---- Data ---- */

static bool move_piece(struct weir_model_nvme *nvme, const struct nvme_piece *piece)
{
	struct nvme_transfer *transfer = &nvme->transfer;
	uint8_t *data = nvme->bounce + transfer->done;
	uint64_t stray = nvme->active.bad_data ? NVME_PAGE : 0;

	transfer->done += piece->len;
	if (transfer->command.sqe.opcode == WEIR_NVME_CMD_READ)
		return weir_model_nvme_dma_write(nvme, piece->addr + stray, data, piece->len);
	return weir_model_nvme_dma_read(nvme, piece->addr, data, piece->len);
}

static void finish(struct weir_model_nvme *nvme, uint16_t status)
{
	struct nvme_transfer *transfer = &nvme->transfer;

	if (!status && transfer->command.sqe.opcode == WEIR_NVME_CMD_READ) {
		nvme->reads++;
		nvme_count(&nvme->stats.bytes_read, transfer->length);
	} else if (!status) {
		status = disk_write(nvme, transfer);
		nvme->writes++;
		nvme_count(&nvme->stats.bytes_written, status ? 0 : transfer->length);
	}
	transfer->active = false;
	weir_model_nvme_complete(nvme, &transfer->command, status, 0);
}

unsigned int weir_model_nvme_io_move(struct weir_model_nvme *nvme, unsigned int budget)
{
	struct nvme_piece pieces[NVME_PIECES];
	unsigned int count = 0, i;
	uint16_t status =
		weir_model_nvme_prp_next(nvme, &nvme->transfer.prp, pieces, budget, &count);

	for (i = 0; !status && i < count; i++) {
		if (!move_piece(nvme, &pieces[i]))
			status = WEIR_NVME_SC_DATA_TRANSFER_ERROR;
	}
	if (status || nvme->transfer.done == nvme->transfer.length)
		finish(nvme, status);
	return i ? i : 1;
}
