/* SPDX-License-Identifier: MIT */

/* Admin commands (section 5): one at a time, waited for, under ctrl->reset_lock. */

#include "internal.h"

struct admin_request {
	struct nvme_request req;
	struct completion done;
};

static void admin_done(struct nvme_request *req)
{
	complete(&container_of(req, struct admin_request, req)->done);
}

/*
 * Its interrupt may have been lost. What else arrived does not count: the request is still there.
 */
static bool answered_late(struct nvme_ctrl *ctrl, struct completion *done)
{
	(void)nvme_queue_poll(&ctrl->admin);
	return wait_for_completion_timeout(done, 0);
}

int nvme_admin(struct nvme_ctrl *ctrl, const struct weir_nvme_sqe *sqe, u32 *result)
{
	struct admin_request ar = { .req = { .done = admin_done } };
	int ret;

	init_completion(&ar.done);
	ret = nvme_queue_submit(&ctrl->admin, &ar.req, sqe);
	if (ret)
		return ret;
	if (!wait_for_completion_timeout(&ar.done, msecs_to_jiffies(NVME_ADMIN_TIMEOUT_MS)) &&
	    !answered_late(ctrl, &ar.done)) {
		dev_err(ctrl->dev, "no answer to admin command 0x%02x in %u ms", sqe->opcode,
			NVME_ADMIN_TIMEOUT_MS);
		nvme_stop_device(ctrl);
		nvme_queue_cancel(&ctrl->admin, nvme_now(), -ETIMEDOUT);
		wait_for_completion(&ar.done);
		return -ETIMEDOUT;
	}
	if (ar.req.status == -EIO)
		dev_err(ctrl->dev, "admin command 0x%02x failed: status 0x%03x", sqe->opcode,
			ar.req.nvme_status);
	if (result)
		*result = ar.req.result;
	return ar.req.status;
}

static u32 get32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

/* A padded field as a string: printable characters only, no spaces at the end. */
static void copy_text(char *dst, const u8 *src, size_t len)
{
	size_t i, end = 0;

	for (i = 0; i < len; i++) {
		dst[i] = src[i] >= 0x20 && src[i] < 0x7f ? (char)src[i] : ' ';
		if (dst[i] != ' ')
			end = i + 1;
	}
	dst[end] = '\0';
}

static void use_controller(struct nvme_ctrl *ctrl, const u8 *id)
{
	unsigned int mdts = id[WEIR_NVME_IDC_MDTS];

	copy_text(ctrl->info.model, id + WEIR_NVME_IDC_MN, WEIR_NVME_IDC_MN_SIZE);
	copy_text(ctrl->info.serial, id + WEIR_NVME_IDC_SN, WEIR_NVME_IDC_SN_SIZE);
	copy_text(ctrl->info.firmware, id + WEIR_NVME_IDC_FR, WEIR_NVME_IDC_FR_SIZE);
	ctrl->info.max_transfer = NVME_MAX_TRANSFER;
	/* MDTS counts in powers of two of the smallest page; 0: no limit */
	if (mdts && mdts < 9)
		ctrl->info.max_transfer = NVME_PAGE << mdts;
}

static int use_namespace(struct nvme_ctrl *ctrl, const u8 *id)
{
	unsigned int index = id[WEIR_NVME_IDN_FLBAS] & WEIR_NVME_FLBAS_INDEX_MASK;
	u32 format = get32(id + WEIR_NVME_IDN_LBAF0 + 4 * index);
	unsigned int shift = (format & WEIR_NVME_LBAF_LBADS_MASK) >> WEIR_NVME_LBAF_LBADS_SHIFT;
	u64 blocks = get64(id + WEIR_NVME_IDN_NSZE);

	if (shift < 9 || shift > 12 || blocks > (u64)1 << (63 - shift)) {
		dev_err(ctrl->dev, "namespace 1: blocks of 2^%u bytes, 0x%llx of them: not usable",
			shift, (unsigned long long)blocks);
		return -EINVAL;
	}
	if (format & WEIR_NVME_LBAF_MS_MASK) {
		dev_err(ctrl->dev, "namespace 1: formatted with metadata, which is not supported");
		return -EOPNOTSUPP;
	}
	ctrl->info.blocks = blocks;
	ctrl->info.block_size = 1u << shift;
	return 0;
}

static int identify_one(struct nvme_ctrl *ctrl, u32 cns, u32 nsid, dma_addr_t addr)
{
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = addr, .cdw10 = cns
	};

	return nvme_admin(ctrl, &sqe, NULL);
}

int nvme_identify(struct nvme_ctrl *ctrl)
{
	dma_addr_t addr;
	u8 *id = dma_alloc_coherent(ctrl->dev, WEIR_NVME_IDENTIFY_SIZE, &addr, GFP_KERNEL);
	int ret;

	if (!id)
		return -ENOMEM;
	ret = identify_one(ctrl, WEIR_NVME_CNS_CONTROLLER, 0, addr);
	if (ret)
		goto out;
	use_controller(ctrl, id);
	ret = identify_one(ctrl, WEIR_NVME_CNS_NAMESPACE, 1, addr);
	if (!ret)
		ret = use_namespace(ctrl, id);
out:
	dma_free_coherent(ctrl->dev, WEIR_NVME_IDENTIFY_SIZE, id, addr);
	return ret;
}

int nvme_set_queue_count(struct nvme_ctrl *ctrl, unsigned int wanted)
{
	struct weir_nvme_sqe sqe = { .opcode = WEIR_NVME_ADMIN_SET_FEATURES,
				     .cdw10 = WEIR_NVME_FID_QUEUES,
				     .cdw11 = (wanted - 1) |
					      (wanted - 1) << WEIR_NVME_QUEUES_NCQ_SHIFT };
	unsigned int sqs, cqs, granted;
	u32 result;
	int ret = nvme_admin(ctrl, &sqe, &result);

	if (ret)
		return ret;
	sqs = (result & WEIR_NVME_QUEUES_NSQ_MASK) + 1;
	cqs = ((result & WEIR_NVME_QUEUES_NCQ_MASK) >> WEIR_NVME_QUEUES_NCQ_SHIFT) + 1;
	granted = min_t(unsigned int, sqs, cqs);
	return (int)min_t(unsigned int, granted, wanted);
}

int nvme_create_queue(struct nvme_ctrl *ctrl, struct nvme_queue *q, unsigned int vector)
{
	u32 size = (q->entries - 1) << WEIR_NVME_QUEUE_QSIZE_SHIFT;
	struct weir_nvme_sqe cq = { .opcode = WEIR_NVME_ADMIN_CREATE_CQ,
				    .prp1 = q->cq_dma,
				    .cdw10 = q->qid | size,
				    .cdw11 = WEIR_NVME_QUEUE_PC | WEIR_NVME_CQ_IEN |
					     vector << WEIR_NVME_CQ_IV_SHIFT };
	struct weir_nvme_sqe sq = { .opcode = WEIR_NVME_ADMIN_CREATE_SQ,
				    .prp1 = q->sq_dma,
				    .cdw10 = q->qid | size,
				    .cdw11 = WEIR_NVME_QUEUE_PC |
					     q->qid << WEIR_NVME_SQ_CQID_SHIFT };
	int ret;

	nvme_queue_start(q);
	ret = nvme_admin(ctrl, &cq, NULL);
	if (!ret)
		ret = nvme_admin(ctrl, &sq, NULL);
	if (ret)
		nvme_queue_stop(q);
	return ret;
}

void nvme_delete_queue(struct nvme_ctrl *ctrl, struct nvme_queue *q)
{
	struct weir_nvme_sqe sq = { .opcode = WEIR_NVME_ADMIN_DELETE_SQ, .cdw10 = q->qid };
	struct weir_nvme_sqe cq = { .opcode = WEIR_NVME_ADMIN_DELETE_CQ, .cdw10 = q->qid };

	/* If it refuses, the disabling that follows takes the queues away all the same. */
	if (!nvme_admin(ctrl, &sq, NULL))
		(void)nvme_admin(ctrl, &cq, NULL);
}
