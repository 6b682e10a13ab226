/* SPDX-License-Identifier: MIT */
/*
 * DMA, and the pages that PRP entries name (NVMe 1.4 section 4.3).
 */

#include "nvme/nvme.h"

#define OFFSET(addr) ((addr) & (NVME_PAGE - 1))

bool weir_model_nvme_dma_read(struct weir_model_nvme *nvme, uint64_t addr, void *buf, size_t len)
{
	if (weir_model_pci_read(&nvme->fn, addr, buf, len) == WEIR_MODEL_OK)
		return true;
	nvme_count(&nvme->stats.dma_errors, 1);
	return false;
}

bool weir_model_nvme_dma_write(struct weir_model_nvme *nvme, uint64_t addr, const void *buf,
			       size_t len)
{
	if (weir_model_pci_write(&nvme->fn, addr, buf, len) == WEIR_MODEL_OK)
		return true;
	nvme_count(&nvme->stats.dma_errors, 1);
	return false;
}

static uint32_t first_length(uint64_t prp1, uint32_t length)
{
	uint32_t room = NVME_PAGE - (uint32_t)OFFSET(prp1);

	return length < room ? length : room;
}

uint16_t weir_model_nvme_prp_start(struct nvme_prp *prp, const struct weir_nvme_sqe *sqe,
				   uint32_t length)
{
	uint32_t rest = length - first_length(sqe->prp1, length);

	prp->where = PRP_FIRST;
	prp->prp1 = sqe->prp1;
	prp->prp2 = sqe->prp2;
	prp->list = sqe->prp2;
	prp->left = length;
	/* PRP1 is a dword's address; PRP2 a page's, or that of a list: then a qword's. */
	if (prp->prp1 & 3)
		return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
	if (rest && rest <= NVME_PAGE && OFFSET(prp->prp2))
		return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
	if (rest > NVME_PAGE && (prp->prp2 & 7))
		return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
	return WEIR_NVME_SC_SUCCESS;
}

static void one_piece(struct nvme_prp *prp, struct nvme_piece *piece, uint64_t addr)
{
	piece->addr = addr;
	piece->len = first_length(addr, prp->left);
	prp->left -= piece->len;
}

/* Entries left in the list's page; at its last one, if that leads to another list, go there. */
static uint16_t list_room(struct weir_model_nvme *nvme, struct nvme_prp *prp, uint32_t needed,
			  uint32_t *room)
{
	uint64_t next;

	*room = (NVME_PAGE - (uint32_t)OFFSET(prp->list)) / sizeof(uint64_t);
	if (needed > 1 && *room == 1) {
		if (!weir_model_nvme_dma_read(nvme, prp->list, &next, sizeof(next)))
			return WEIR_NVME_SC_DATA_TRANSFER_ERROR;
		if (OFFSET(next))
			return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
		prp->list = next;
		*room = NVME_PAGE / sizeof(uint64_t);
	}
	if (needed > *room)
		(*room)--; /* the last one leads to the next list */
	return WEIR_NVME_SC_SUCCESS;
}

static uint16_t list_pieces(struct weir_model_nvme *nvme, struct nvme_prp *prp,
			    struct nvme_piece *pieces, unsigned int max, unsigned int *count)
{
	uint32_t needed = (prp->left + NVME_PAGE - 1) / NVME_PAGE;
	uint64_t entries[NVME_PIECES];
	uint32_t i, n;
	uint16_t status = list_room(nvme, prp, needed, &n);

	if (status)
		return status;
	if (n > needed)
		n = needed;
	if (n > max)
		n = max;
	if (!weir_model_nvme_dma_read(nvme, prp->list, entries, n * sizeof(entries[0])))
		return WEIR_NVME_SC_DATA_TRANSFER_ERROR;
	prp->list += n * sizeof(entries[0]);
	for (i = 0; i < n; i++) {
		if (OFFSET(entries[i]))
			return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
		one_piece(prp, &pieces[i], entries[i]);
	}
	*count = n;
	return WEIR_NVME_SC_SUCCESS;
}

uint16_t weir_model_nvme_prp_next(struct weir_model_nvme *nvme, struct nvme_prp *prp,
				  struct nvme_piece *pieces, unsigned int max, unsigned int *count)
{
	*count = 1;
	switch (prp->where) {
	case PRP_FIRST:
		one_piece(prp, &pieces[0], prp->prp1);
		prp->where = prp->left > NVME_PAGE ? PRP_LIST : PRP_SECOND;
		return WEIR_NVME_SC_SUCCESS;
	case PRP_SECOND:
		one_piece(prp, &pieces[0], prp->prp2);
		return WEIR_NVME_SC_SUCCESS;
	case PRP_LIST:
	default:
		return list_pieces(nvme, prp, pieces, max < NVME_PIECES ? max : NVME_PIECES, count);
	}
}

uint16_t weir_model_nvme_send(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
			      const void *data, uint32_t length)
{
	const uint8_t *from = data;
	struct nvme_piece piece;
	struct nvme_prp prp;
	unsigned int count;
	uint16_t status = weir_model_nvme_prp_start(&prp, sqe, length);

	while (!status && prp.left) {
		status = weir_model_nvme_prp_next(nvme, &prp, &piece, 1, &count);
		if (status)
			break;
		if (!weir_model_nvme_dma_write(nvme, piece.addr, from, piece.len))
			return WEIR_NVME_SC_DATA_TRANSFER_ERROR;
		from += piece.len;
	}
	return status;
}
