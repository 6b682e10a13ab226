/* SPDX-License-Identifier: MIT */

/* A queue pair: its rings, its slots, and how a command goes in and comes out. */

#include "internal.h"

static unsigned int slots(const struct nvme_queue *q)
{
	return q->entries - 1;
}

static size_t sq_bytes(const struct nvme_queue *q)
{
	return (size_t)q->entries * WEIR_NVME_SQE_SIZE;
}

static size_t cq_bytes(const struct nvme_queue *q)
{
	return (size_t)q->entries * WEIR_NVME_CQE_SIZE;
}

void nvme_queue_free(struct nvme_queue *q)
{
	if (q->cq)
		dma_free_coherent(q->ctrl->dev, cq_bytes(q), q->cq, q->cq_dma);
	if (q->sq)
		dma_free_coherent(q->ctrl->dev, sq_bytes(q), q->sq, q->sq_dma);
	kfree(q->free);
	kfree(q->cmds);
	q->cq = NULL;
	q->sq = NULL;
	q->free = NULL;
	q->cmds = NULL;
}

int nvme_queue_alloc(struct nvme_ctrl *ctrl, struct nvme_queue *q, unsigned int qid,
		     unsigned int entries)
{
	unsigned int i;

	q->ctrl = ctrl;
	q->qid = qid;
	q->entries = entries;
	spin_lock_init(&q->lock);
	q->sq_doorbell = (volatile char __iomem *)ctrl->regs + WEIR_NVME_SQ_TAIL(qid, ctrl->dstrd);
	q->cq_doorbell = (volatile char __iomem *)ctrl->regs + WEIR_NVME_CQ_HEAD(qid, ctrl->dstrd);
	q->cmds = kcalloc(slots(q), sizeof(*q->cmds), GFP_KERNEL);
	q->free = kcalloc(slots(q), sizeof(*q->free), GFP_KERNEL);
	q->sq = dma_alloc_coherent(ctrl->dev, sq_bytes(q), &q->sq_dma, GFP_KERNEL);
	q->cq = dma_alloc_coherent(ctrl->dev, cq_bytes(q), &q->cq_dma, GFP_KERNEL);
	if (!q->cmds || !q->free || !q->sq || !q->cq) {
		nvme_queue_free(q);
		return -ENOMEM;
	}
	for (i = 0; i < slots(q); i++)
		q->free[i] = (u16)(slots(q) - 1 - i);
	q->nr_free = slots(q);
	q->phase = WEIR_NVME_CQE_PHASE;
	return 0;
}

void nvme_queue_start(struct nvme_queue *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	memset(q->cq, 0, cq_bytes(q));
	q->sq_tail = 0;
	q->cq_head = 0;
	q->phase = WEIR_NVME_CQE_PHASE; /* the first pass of the device writes 1 (section 4.6) */
	q->online = true;
	spin_unlock_irqrestore(&q->lock, flags);
}

void nvme_queue_stop(struct nvme_queue *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->online = false;
	spin_unlock_irqrestore(&q->lock, flags);
}

/* ---- In --------------------------------------------------------------------------------- */

static struct nvme_cmd *take(struct nvme_queue *q)
{
	struct nvme_cmd *cmd = NULL;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (q->online && q->nr_free)
		cmd = &q->cmds[q->free[--q->nr_free]];
	spin_unlock_irqrestore(&q->lock, flags);
	return cmd;
}

static void give(struct nvme_queue *q, struct nvme_cmd *cmd)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->free[q->nr_free++] = (u16)(cmd - q->cmds);
	spin_unlock_irqrestore(&q->lock, flags);
}

static int issue(struct nvme_queue *q, struct nvme_cmd *cmd, struct weir_nvme_sqe *sqe)
{
	unsigned int timeout_ms = __atomic_load_n(&q->ctrl->io_timeout_ms, __ATOMIC_RELAXED);
	unsigned long flags;
	int ret = -EAGAIN;

	sqe->cid = (u16)(cmd - q->cmds);
	cmd->deadline_ns = nvme_now() + (u64)timeout_ms * 1000000;
	spin_lock_irqsave(&q->lock, flags);
	if (q->online) {
		cmd->issued = true;
		q->sq[q->sq_tail] = *sqe;
		q->sq_tail = q->sq_tail + 1 == q->entries ? 0 : q->sq_tail + 1;
		writel(q->sq_tail, q->sq_doorbell);
		ret = 0;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return ret;
}

int nvme_queue_submit(struct nvme_queue *q, struct nvme_request *req,
		      const struct weir_nvme_sqe *sqe)
{
	struct weir_nvme_sqe entry = *sqe;
	struct nvme_cmd *cmd = take(q);
	int ret;

	if (!cmd)
		return -EAGAIN;
	cmd->req = req;
	ret = nvme_map(q->ctrl, cmd, &entry);
	if (ret)
		goto err_give;
	ret = issue(q, cmd, &entry);
	if (ret)
		goto err_unmap;
	return 0;

err_unmap:
	nvme_unmap(q->ctrl, cmd);
err_give:
	give(q, cmd);
	return ret;
}

/* ---- Out -------------------------------------------------------------------------------- */

/* The slot that a completion names, back to taken; NULL: the device made it up. Lock held. */
static struct nvme_cmd *claim_locked(struct nvme_queue *q, u16 cid)
{
	if (cid >= slots(q) || !q->cmds[cid].issued) {
		if (q->bogus++ < 4)
			dev_warn(q->ctrl->dev,
				 "queue %u: completion of command %u, which was not sent", q->qid,
				 cid);
		return NULL;
	}
	q->cmds[cid].issued = false;
	return &q->cmds[cid];
}

/* Unmap, give the slots back, then tell the clients: done() may submit again. */
static void finish(struct nvme_queue *q, struct nvme_cmd **cmds, unsigned int count)
{
	struct nvme_request *list = NULL, **end = &list;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < count; i++) {
		nvme_unmap(q->ctrl, cmds[i]);
		*end = cmds[i]->req;
		end = &cmds[i]->req->next;
	}
	*end = NULL;
	spin_lock_irqsave(&q->lock, flags);
	for (i = 0; i < count; i++)
		q->free[q->nr_free++] = (u16)(cmds[i] - q->cmds);
	spin_unlock_irqrestore(&q->lock, flags);
	while (list) {
		struct nvme_request *req = list;

		list = req->next;
		req->done(req);
	}
}

#define NVME_BATCH 16u

/*
 * Look at up to NVME_BATCH completions and move the ring's head past them. Returns how many there
 * were; *count of them were commands of ours, claimed into cmds.
 */
static unsigned int reap(struct nvme_queue *q, struct nvme_cmd **cmds, unsigned int *count)
{
	unsigned int seen = 0;
	unsigned long flags;

	*count = 0;
	spin_lock_irqsave(&q->lock, flags);
	while (seen < NVME_BATCH) {
		struct weir_nvme_cqe *cqe = &q->cq[q->cq_head];
		u16 status = READ_ONCE(cqe->status);
		struct nvme_cmd *cmd;

		if ((status & WEIR_NVME_CQE_PHASE) != q->phase)
			break;
		dma_rmb(); /* the rest of the entry was written before its phase tag */
		seen++;
		cmd = claim_locked(q, READ_ONCE(cqe->cid));
		if (cmd) {
			cmd->req->nvme_status = (u16)(status >> WEIR_NVME_CQE_STATUS_SHIFT);
			cmd->req->status = cmd->req->nvme_status ? -EIO : 0;
			cmd->req->result = READ_ONCE(cqe->dw0);
			cmds[(*count)++] = cmd;
		}
		if (++q->cq_head == q->entries) {
			q->cq_head = 0;
			q->phase ^= WEIR_NVME_CQE_PHASE;
		}
	}
	if (seen && q->online)
		writel(q->cq_head, q->cq_doorbell);
	spin_unlock_irqrestore(&q->lock, flags);
	return seen;
}

bool nvme_queue_poll(struct nvme_queue *q)
{
	struct nvme_cmd *cmds[NVME_BATCH];
	unsigned int seen, count, total = 0;

	/*
	 * A device that never stops completing does not keep the CPU: what is new interrupts again.
	 */
	do {
		seen = reap(q, cmds, &count);
		finish(q, cmds, count);
		total += seen;
	} while (seen && total < q->entries);
	return total > 0;
}

irqreturn_t nvme_queue_irq(int irq, void *dev_id)
{
	struct nvme_queue *q = dev_id;

	(void)irq;
	return nvme_queue_poll(q) ? IRQ_HANDLED : IRQ_NONE;
}

/* ---- When the device does not answer ---------------------------------------------------- */

bool nvme_queue_overdue(struct nvme_queue *q, u64 now)
{
	unsigned long flags;
	unsigned int i;
	bool overdue = false;

	spin_lock_irqsave(&q->lock, flags);
	for (i = 0; i < slots(q) && !overdue; i++)
		overdue = q->cmds[i].issued && q->cmds[i].deadline_ns <= now;
	spin_unlock_irqrestore(&q->lock, flags);
	return overdue;
}

void nvme_queue_cancel(struct nvme_queue *q, u64 now, int status)
{
	unsigned int i;

	for (i = 0; i < slots(q); i++) {
		struct nvme_cmd *cmd = &q->cmds[i];
		unsigned long flags;
		bool mine;

		spin_lock_irqsave(&q->lock, flags);
		mine = cmd->issued;
		cmd->issued = false;
		spin_unlock_irqrestore(&q->lock, flags);
		if (!mine)
			continue;
		cmd->req->status = cmd->deadline_ns <= now ? -ETIMEDOUT : status;
		cmd->req->nvme_status = 0;
		finish(q, &cmd, 1);
	}
}
