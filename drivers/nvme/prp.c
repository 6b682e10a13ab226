/* SPDX-License-Identifier: MIT */

/* Data of a command: mapped for the device, and described to it by PRP entries (section 4.3). */

#include "internal.h"

static enum dma_data_direction direction(const struct nvme_request *req)
{
	return req->op == NVME_WRITE ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
}

/* How many pages the segments touch; 0: a hole that PRPs cannot describe. */
static unsigned int count_pages(struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i, pages = 0;

	for_each_sg(sgl, sg, nents, i) {
		u64 start = sg_dma_address(sg), end = start + sg_dma_len(sg);

		if (i > 0 && start % NVME_PAGE)
			return 0;
		if (i + 1 < nents && end % NVME_PAGE)
			return 0;
		pages += (unsigned int)((end - 1) / NVME_PAGE - start / NVME_PAGE + 1);
	}
	return pages;
}

static int alloc_list(struct nvme_ctrl *ctrl, struct nvme_cmd *cmd, unsigned int entries)
{
	cmd->small_list = entries <= NVME_SMALL_LIST;
	cmd->list = dma_pool_alloc(cmd->small_list ? ctrl->small_pool : ctrl->list_pool, GFP_ATOMIC,
				   &cmd->list_dma);
	return cmd->list ? 0 : -ENOMEM;
}

/* PRP1 is the first page with its offset; the others go to PRP2, or to a list that it points to. */
static void fill(struct nvme_cmd *cmd, struct weir_nvme_sqe *sqe, struct scatterlist *sgl,
		 unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i, n = 0;

	sqe->prp1 = sg_dma_address(sgl);
	for_each_sg(sgl, sg, nents, i) {
		u64 end = sg_dma_address(sg) + sg_dma_len(sg);
		u64 page = sg_dma_address(sg) & ~(u64)(NVME_PAGE - 1);

		for (page += i ? 0 : NVME_PAGE; page < end; page += NVME_PAGE) {
			if (cmd->list)
				cmd->list[n++] = page;
			else
				sqe->prp2 = page;
		}
	}
	if (cmd->list)
		sqe->prp2 = cmd->list_dma;
}

int nvme_map(struct nvme_ctrl *ctrl, struct nvme_cmd *cmd, struct weir_nvme_sqe *sqe)
{
	struct nvme_request *req = cmd->req;
	unsigned int segments, pages;
	int ret;

	cmd->list = NULL;
	if (!req->nents)
		return 0;
	segments = dma_map_sg(ctrl->dev, req->sgl, req->nents, direction(req));
	if (!segments)
		return -ENOMEM;
	pages = count_pages(req->sgl, segments);
	ret = pages && pages <= NVME_MAX_TRANSFER / NVME_PAGE + 1 ? 0 : -EINVAL;
	if (!ret && pages > 2)
		ret = alloc_list(ctrl, cmd, pages - 1);
	if (ret) {
		dma_unmap_sg(ctrl->dev, req->sgl, req->nents, direction(req));
		return ret;
	}
	fill(cmd, sqe, req->sgl, segments);
	return 0;
}

void nvme_unmap(struct nvme_ctrl *ctrl, struct nvme_cmd *cmd)
{
	struct nvme_request *req = cmd->req;

	if (cmd->list)
		dma_pool_free(cmd->small_list ? ctrl->small_pool : ctrl->list_pool, cmd->list,
			      cmd->list_dma);
	cmd->list = NULL;
	if (req->nents)
		dma_unmap_sg(ctrl->dev, req->sgl, req->nents, direction(req));
}
