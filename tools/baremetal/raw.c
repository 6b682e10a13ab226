/* SPDX-License-Identifier: MIT */

/* An NVMe controller without its driver. */

#include <weir/delay.h>

#include "raw.h"

#define ADMIN_TIMEOUT_NS 5000000000ull
#define POLL_US 50u
#define IO_QID 1u

static volatile void __iomem *reg(const struct raw *raw, unsigned int offset)
{
	return (volatile char __iomem *)raw->regs + offset;
}

static u64 now_ns(const struct raw *raw)
{
	return plat_time_ns(weir_plat(raw->weir));
}

/* ---- Queues ------------------------------------------------------------------------------- */

static int queue_alloc(struct raw *raw, struct raw_queue *q, unsigned int qid)
{
	*q = (struct raw_queue){ .qid = qid, .phase = WEIR_NVME_CQE_PHASE };
	q->sq = dma_alloc_coherent(raw->dev, RAW_ENTRIES * sizeof(*q->sq), &q->sq_dma, GFP_KERNEL);
	q->cq = dma_alloc_coherent(raw->dev, RAW_ENTRIES * sizeof(*q->cq), &q->cq_dma, GFP_KERNEL);
	return q->sq && q->cq ? 0 : -ENOMEM;
}

static void queue_free(struct raw *raw, struct raw_queue *q)
{
	if (q->cq)
		dma_free_coherent(raw->dev, RAW_ENTRIES * sizeof(*q->cq), q->cq, q->cq_dma);
	if (q->sq)
		dma_free_coherent(raw->dev, RAW_ENTRIES * sizeof(*q->sq), q->sq, q->sq_dma);
}

static void put(struct raw_queue *q, const struct weir_nvme_sqe *sqe)
{
	q->sq[q->tail] = *sqe;
	q->tail = (q->tail + 1) % RAW_ENTRIES;
}

static void ring(struct raw *raw, const struct raw_queue *q)
{
	writel(q->tail, reg(raw, WEIR_NVME_SQ_TAIL(q->qid, raw->dstrd)));
}

static int next(struct raw *raw, struct raw_queue *q, u64 timeout_ns, struct weir_nvme_cqe *cqe)
{
	struct weir_nvme_cqe *entry = &q->cq[q->head];
	u64 end = now_ns(raw) + timeout_ns;

	while ((READ_ONCE(entry->status) & WEIR_NVME_CQE_PHASE) != q->phase) {
		if (now_ns(raw) >= end)
			return -ETIMEDOUT;
		usleep_range(POLL_US, 2 * POLL_US);
	}
	dma_rmb(); /* the rest of the entry was written before its phase tag (section 4.6) */
	*cqe = *entry;
	q->head = (q->head + 1) % RAW_ENTRIES;
	if (!q->head)
		q->phase ^= WEIR_NVME_CQE_PHASE;
	writel(q->head, reg(raw, WEIR_NVME_CQ_HEAD(q->qid, raw->dstrd)));
	return 0;
}

void raw_put(struct raw *raw, const struct weir_nvme_sqe *sqe)
{
	put(&raw->io, sqe);
}

void raw_ring(struct raw *raw)
{
	ring(raw, &raw->io);
}

int raw_next(struct raw *raw, u64 timeout_ns, struct weir_nvme_cqe *cqe)
{
	return next(raw, &raw->io, timeout_ns, cqe);
}

/* ---- Admin commands ----------------------------------------------------------------------- */

static int admin(struct raw *raw, const struct weir_nvme_sqe *sqe)
{
	struct weir_nvme_cqe cqe;
	int ret;

	put(&raw->admin, sqe);
	ring(raw, &raw->admin);
	ret = next(raw, &raw->admin, ADMIN_TIMEOUT_NS, &cqe);
	if (ret)
		return ret;
	return raw_status(&cqe) ? -EIO : 0;
}

static int identify(struct raw *raw, u32 cns, u32 nsid, dma_addr_t addr)
{
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = addr, .cdw10 = cns
	};

	return admin(raw, &sqe);
}

static u32 get32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

/* Section 5.15.2: how large blocks are and how many, and how much one command may move. */
static int learn(struct raw *raw)
{
	unsigned int shift, mdts, format;
	dma_addr_t addr;
	u8 *id = dma_alloc_coherent(raw->dev, WEIR_NVME_IDENTIFY_SIZE, &addr, GFP_KERNEL);
	int ret;

	if (!id)
		return -ENOMEM;
	ret = identify(raw, WEIR_NVME_CNS_CONTROLLER, 0, addr);
	mdts = id[WEIR_NVME_IDC_MDTS];
	if (!ret)
		ret = identify(raw, WEIR_NVME_CNS_NAMESPACE, 1, addr);
	format = id[WEIR_NVME_IDN_FLBAS] & WEIR_NVME_FLBAS_INDEX_MASK;
	format = get32(id + WEIR_NVME_IDN_LBAF0 + 4 * format);
	shift = (format & WEIR_NVME_LBAF_LBADS_MASK) >> WEIR_NVME_LBAF_LBADS_SHIFT;
	raw->blocks = get32(id + WEIR_NVME_IDN_NSZE) | (u64)get32(id + WEIR_NVME_IDN_NSZE + 4)
							       << 32;
	dma_free_coherent(raw->dev, WEIR_NVME_IDENTIFY_SIZE, id, addr);
	if (!ret && (shift < 9 || shift > 12))
		ret = -EOPNOTSUPP;
	raw->block_size = 1u << (shift & 31);
	raw->max_transfer = mdts && mdts < 16 ? RAW_PAGE << mdts : 0;
	return ret;
}

static int create_io_queues(struct raw *raw)
{
	u32 id = IO_QID | (RAW_ENTRIES - 1) << WEIR_NVME_QUEUE_QSIZE_SHIFT;
	struct weir_nvme_sqe cq = { .opcode = WEIR_NVME_ADMIN_CREATE_CQ,
				    .prp1 = raw->io.cq_dma,
				    .cdw10 = id,
				    .cdw11 = WEIR_NVME_QUEUE_PC };
	struct weir_nvme_sqe sq = { .opcode = WEIR_NVME_ADMIN_CREATE_SQ,
				    .prp1 = raw->io.sq_dma,
				    .cdw10 = id,
				    .cdw11 = WEIR_NVME_QUEUE_PC |
					     IO_QID << WEIR_NVME_SQ_CQID_SHIFT };
	int ret = admin(raw, &cq);

	return ret ? ret : admin(raw, &sq);
}

/* ---- The controller (section 7.6) --------------------------------------------------------- */

static int wait_ready(struct raw *raw, u32 ready)
{
	u64 end = now_ns(raw) + raw->timeout_ns;

	while ((readl(reg(raw, WEIR_NVME_REG_CSTS)) & WEIR_NVME_CSTS_RDY) != ready) {
		if (now_ns(raw) >= end)
			return -ETIMEDOUT;
		usleep_range(POLL_US, 2 * POLL_US);
	}
	return 0;
}

static int disable(struct raw *raw)
{
	writel(0, reg(raw, WEIR_NVME_REG_CC));
	return wait_ready(raw, 0);
}

static int enable(struct raw *raw)
{
	int ret = disable(raw);

	if (ret)
		return ret;
	pci_set_master(raw->pdev);
	writel((RAW_ENTRIES - 1) | (RAW_ENTRIES - 1) << WEIR_NVME_AQA_ACQS_SHIFT,
	       reg(raw, WEIR_NVME_REG_AQA));
	writeq(raw->admin.sq_dma, reg(raw, WEIR_NVME_REG_ASQ));
	writeq(raw->admin.cq_dma, reg(raw, WEIR_NVME_REG_ACQ));
	writel(WEIR_NVME_CC_EN | WEIR_NVME_SQE_SHIFT << WEIR_NVME_CC_IOSQES_SHIFT |
		       WEIR_NVME_CQE_SHIFT << WEIR_NVME_CC_IOCQES_SHIFT,
	       reg(raw, WEIR_NVME_REG_CC));
	return wait_ready(raw, WEIR_NVME_CSTS_RDY);
}

static int start(struct raw *raw)
{
	int ret = queue_alloc(raw, &raw->admin, 0);

	if (!ret)
		ret = queue_alloc(raw, &raw->io, IO_QID);
	if (!ret)
		ret = enable(raw);
	if (!ret)
		ret = learn(raw);
	return ret ? ret : create_io_queues(raw);
}

static int map_registers(struct raw *raw)
{
	u64 cap;

	raw->regs_size = (size_t)pci_resource_len(raw->pdev, 0);
	if (raw->regs_size < WEIR_NVME_REG_DOORBELLS + RAW_PAGE)
		return -ENODEV;
	raw->regs = pci_iomap(raw->pdev, 0, 0);
	if (!raw->regs)
		return -ENOMEM;
	cap = readq(reg(raw, WEIR_NVME_REG_CAP));
	raw->dstrd = (unsigned int)((cap & WEIR_NVME_CAP_DSTRD_MASK) >> WEIR_NVME_CAP_DSTRD_SHIFT);
	raw->timeout_ns =
		(((cap & WEIR_NVME_CAP_TO_MASK) >> WEIR_NVME_CAP_TO_SHIFT) + 1) * 500000000ull;
	if ((cap & WEIR_NVME_CAP_MQES_MASK) < RAW_ENTRIES - 1 ||
	    WEIR_NVME_CQ_HEAD(IO_QID, raw->dstrd) + 4 > raw->regs_size)
		return -EOPNOTSUPP;
	return 0;
}

void raw_close(struct raw *raw)
{
	/* Whether it obeys or not: without bus mastering it reaches nothing. */
	if (raw->regs)
		(void)disable(raw);
	pci_clear_master(raw->pdev);
	queue_free(raw, &raw->io);
	queue_free(raw, &raw->admin);
	if (raw->regs)
		weir_pci_iounmap(raw->pdev, raw->regs, raw->regs_size);
	pci_disable_device(raw->pdev);
}

int raw_open(struct raw *raw, struct weir *weir, struct weir_pci_dev *pdev)
{
	int ret;

	*raw = (struct raw){ .weir = weir, .pdev = weir_to_pci_dev(pdev) };
	raw->dev = &raw->pdev->dev;
	ret = pci_enable_device(raw->pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(raw->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = map_registers(raw);
	if (!ret)
		ret = start(raw);
	if (ret)
		raw_close(raw);
	return ret;
}
