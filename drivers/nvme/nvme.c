/* SPDX-License-Identifier: MIT */

/* The controller: found, started, watched, reset, removed (sections 3.1.5, 7.6). */

#include "internal.h"

static volatile void __iomem *reg(struct nvme_ctrl *ctrl, unsigned int offset)
{
	return (volatile char __iomem *)ctrl->regs + offset;
}

/* Wait until (CSTS & mask) == value. -ENODEV: all ones, the device is gone. -ETIMEDOUT. */
static int wait_status(struct nvme_ctrl *ctrl, u32 mask, u32 value)
{
	u64 end = nvme_now() + ctrl->ready_timeout_ns;

	for (;;) {
		u32 csts = readl(reg(ctrl, WEIR_NVME_REG_CSTS));

		if (csts == ~0u)
			return -ENODEV;
		if ((csts & mask) == value)
			return 0;
		if (nvme_now() >= end)
			return -ETIMEDOUT;
		usleep_range(100, 200);
	}
}

static int disable(struct nvme_ctrl *ctrl)
{
	writel(readl(reg(ctrl, WEIR_NVME_REG_CC)) & ~(WEIR_NVME_CC_EN | WEIR_NVME_CC_SHN_MASK),
	       reg(ctrl, WEIR_NVME_REG_CC));
	return wait_status(ctrl, WEIR_NVME_CSTS_RDY, 0);
}

void nvme_stop_device(struct nvme_ctrl *ctrl)
{
	int ret;

	nvme_queue_stop(&ctrl->admin);
	ret = disable(ctrl);
	if (ret)
		dev_err(ctrl->dev, "does not stop (%s): taking its bus mastering away",
			ret == -ENODEV ? "it is gone" : "no answer");
	pci_clear_master(ctrl->pdev);
}

static int enable(struct nvme_ctrl *ctrl)
{
	u32 cc = WEIR_NVME_CC_EN | WEIR_NVME_SQE_SHIFT << WEIR_NVME_CC_IOSQES_SHIFT |
		 WEIR_NVME_CQE_SHIFT << WEIR_NVME_CC_IOCQES_SHIFT;
	int ret = disable(ctrl);

	if (ret)
		return ret;
	pci_set_master(ctrl->pdev);
	nvme_queue_start(&ctrl->admin);
	writel((NVME_ADMIN_ENTRIES - 1) | (NVME_ADMIN_ENTRIES - 1) << WEIR_NVME_AQA_ACQS_SHIFT,
	       reg(ctrl, WEIR_NVME_REG_AQA));
	writeq(ctrl->admin.sq_dma, reg(ctrl, WEIR_NVME_REG_ASQ));
	writeq(ctrl->admin.cq_dma, reg(ctrl, WEIR_NVME_REG_ACQ));
	writel(cc, reg(ctrl, WEIR_NVME_REG_CC));
	ret = wait_status(ctrl, WEIR_NVME_CSTS_RDY | WEIR_NVME_CSTS_CFS, WEIR_NVME_CSTS_RDY);
	if (ret)
		nvme_queue_stop(&ctrl->admin);
	return ret;
}

/* Enable, find out what it is, bring the I/O queues up. reset_lock held. */
static int start(struct nvme_ctrl *ctrl)
{
	unsigned int i;
	int ret = enable(ctrl);

	if (ret)
		return ret;
	ret = nvme_identify(ctrl);
	if (ret)
		return ret;
	ret = nvme_set_queue_count(ctrl, ctrl->usable_io);
	if (ret < 0)
		return ret;
	ctrl->nr_io = (unsigned int)ret;
	for (i = 0; i < ctrl->nr_io; i++) {
		ret = nvme_create_queue(ctrl, &ctrl->io[i], i);
		if (ret)
			return ret;
	}
	ctrl->info.queues = ctrl->nr_io;
	nvme_set_state(ctrl, NVME_LIVE);
	return 0;
}

/* Stop the device and end what was in flight. reset_lock held. */
static void stop(struct nvme_ctrl *ctrl, int status)
{
	u64 now = nvme_now();
	unsigned int i;

	for (i = 0; i < ctrl->max_io; i++)
		nvme_queue_stop(&ctrl->io[i]);
	nvme_stop_device(ctrl);
	for (i = 0; i < ctrl->max_io; i++)
		nvme_queue_cancel(&ctrl->io[i], now, status);
	nvme_queue_cancel(&ctrl->admin, now, status);
}

/* ---- Watching --------------------------------------------------------------------------- */

static void reset_work(struct work_struct *work)
{
	struct nvme_ctrl *ctrl = container_of(work, struct nvme_ctrl, reset);
	int ret;

	mutex_lock(&ctrl->reset_lock);
	if (nvme_state(ctrl) != NVME_RESETTING)
		goto out;
	stop(ctrl, -EIO);
	ret = start(ctrl);
	if (ret) {
		dev_err(ctrl->dev, "reset failed (error %d): the controller is given up", -ret);
		nvme_set_state(ctrl, NVME_DEAD);
		stop(ctrl, -ENODEV);
	} else {
		dev_info(ctrl->dev, "reset done");
	}
out:
	mutex_unlock(&ctrl->reset_lock);
}

static unsigned long watch_interval(const struct nvme_ctrl *ctrl)
{
	unsigned int ms = __atomic_load_n(&ctrl->io_timeout_ms, __ATOMIC_RELAXED);

	return msecs_to_jiffies(max_t(unsigned int, ms / 2, 1));
}

/* Reports an overdue queue after a last look: an interrupt that was lost is no reason to reset. */
static bool stuck(struct nvme_queue *q, u64 now)
{
	if (!nvme_queue_overdue(q, now))
		return false;
	if (nvme_queue_poll(q) && !nvme_queue_overdue(q, now)) {
		dev_warn(q->ctrl->dev, "queue %u: completions without an interrupt", q->qid);
		return false;
	}
	dev_err(q->ctrl->dev, "queue %u: a command was not answered in %u ms: reset", q->qid,
		__atomic_load_n(&q->ctrl->io_timeout_ms, __ATOMIC_RELAXED));
	return true;
}

static bool to_resetting(struct nvme_ctrl *ctrl)
{
	enum nvme_state live = NVME_LIVE;

	/* Acquire and release: as nvme_state() and nvme_set_state(). One who watches wins. */
	return __atomic_compare_exchange_n(&ctrl->state, &live, NVME_RESETTING, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void watchdog_work(struct work_struct *work)
{
	struct nvme_ctrl *ctrl = container_of(work, struct nvme_ctrl, watchdog.work);
	u32 csts = readl(reg(ctrl, WEIR_NVME_REG_CSTS));
	u64 now = nvme_now();
	bool bad = csts == ~0u || (csts & WEIR_NVME_CSTS_CFS);
	unsigned int i;

	if (nvme_state(ctrl) == NVME_LIVE) {
		if (bad)
			dev_err(ctrl->dev, "%s: reset",
				csts == ~0u ? "registers read all ones" :
					      "fatal status (CSTS.CFS)");
		for (i = 0; !bad && i < ctrl->nr_io; i++)
			bad = stuck(&ctrl->io[i], now);
		if (bad && to_resetting(ctrl))
			schedule_work(&ctrl->reset);
	}
	mod_delayed_work(system_wq, &ctrl->watchdog, watch_interval(ctrl));
}

/* ---- Clients ---------------------------------------------------------------------------- */

struct nvme_ctrl *nvme_ctrl_of(struct pci_dev *pdev)
{
	return pdev->weir.driver == &weir_nvme_driver ? pci_get_drvdata(pdev) : NULL;
}

void nvme_get_info(const struct nvme_ctrl *ctrl, struct nvme_info *info)
{
	*info = ctrl->info;
}

void nvme_set_timeout(struct nvme_ctrl *ctrl, unsigned int ms)
{
	__atomic_store_n(&ctrl->io_timeout_ms, ms, __ATOMIC_RELAXED);
	mod_delayed_work(system_wq, &ctrl->watchdog, watch_interval(ctrl));
}

/* The bytes of the request's memory; 0: none, or more than the controller takes. */
static u64 request_bytes(const struct nvme_ctrl *ctrl, const struct nvme_request *req)
{
	struct scatterlist *sg;
	unsigned int i;
	u64 bytes = 0;

	for_each_sg(req->sgl, sg, req->nents, i)
		bytes += sg->length;
	return bytes <= ctrl->info.max_transfer ? bytes : 0;
}

static int build(const struct nvme_ctrl *ctrl, const struct nvme_request *req,
		 struct weir_nvme_sqe *sqe)
{
	u64 bytes, blocks;

	*sqe = (struct weir_nvme_sqe){ .nsid = 1 };
	if (req->op == NVME_FLUSH) {
		sqe->opcode = WEIR_NVME_CMD_FLUSH;
		return req->nents ? -EINVAL : 0;
	}
	bytes = request_bytes(ctrl, req);
	if (!bytes || bytes % ctrl->info.block_size)
		return -EINVAL;
	blocks = bytes / ctrl->info.block_size;
	if (blocks > 0x10000 || req->block > ctrl->info.blocks ||
	    blocks > ctrl->info.blocks - req->block)
		return -EINVAL;
	sqe->opcode = req->op == NVME_WRITE ? WEIR_NVME_CMD_WRITE : WEIR_NVME_CMD_READ;
	sqe->cdw10 = lower_32_bits(req->block);
	sqe->cdw11 = upper_32_bits(req->block);
	sqe->cdw12 = (u32)(blocks - 1);
	return 0;
}

int nvme_submit(struct nvme_ctrl *ctrl, struct nvme_request *req)
{
	struct weir_nvme_sqe sqe;
	int ret;

	switch (nvme_state(ctrl)) {
	case NVME_LIVE:
		break;
	case NVME_RESETTING:
		return -EAGAIN;
	case NVME_DEAD:
		return -ENODEV;
	}
	ret = build(ctrl, req, &sqe);
	if (ret)
		return ret;
	return nvme_queue_submit(&ctrl->io[raw_smp_processor_id() % ctrl->nr_io], req, &sqe);
}

struct waiter {
	struct nvme_request req;
	struct completion done;
};

static void execute_done(struct nvme_request *req)
{
	complete(&container_of(req, struct waiter, req)->done);
}

int nvme_execute(struct nvme_ctrl *ctrl, struct nvme_request *req)
{
	struct waiter w = { .req = *req };
	int ret;

	w.req.done = execute_done;
	init_completion(&w.done);
	while ((ret = nvme_submit(ctrl, &w.req)) == -EAGAIN)
		usleep_range(100, 200);
	if (ret)
		return ret;
	wait_for_completion(&w.done);
	req->status = w.req.status;
	req->nvme_status = w.req.nvme_status;
	req->result = w.req.result;
	return req->status;
}

/* ---- Probe and remove ------------------------------------------------------------------- */

static int check_capabilities(struct nvme_ctrl *ctrl)
{
	u64 cap = ctrl->cap = readq(reg(ctrl, WEIR_NVME_REG_CAP));

	if (cap == ~0ull) {
		dev_err(ctrl->dev, "registers read all ones: the device does not answer");
		return -ENODEV;
	}
	if (!(cap & WEIR_NVME_CAP_CSS_NVM)) {
		dev_err(ctrl->dev, "no NVM command set (CAP 0x%llx)", (unsigned long long)cap);
		return -EOPNOTSUPP;
	}
	if (cap & WEIR_NVME_CAP_MPSMIN_MASK) {
		dev_err(ctrl->dev, "pages of 4 KiB are not supported (CAP 0x%llx)",
			(unsigned long long)cap);
		return -EOPNOTSUPP;
	}
	ctrl->dstrd = (unsigned int)((cap & WEIR_NVME_CAP_DSTRD_MASK) >> WEIR_NVME_CAP_DSTRD_SHIFT);
	ctrl->ready_timeout_ns =
		(((cap & WEIR_NVME_CAP_TO_MASK) >> WEIR_NVME_CAP_TO_SHIFT) + 1) * 500000000ull;
	return 0;
}

static unsigned int io_entries(const struct nvme_ctrl *ctrl)
{
	return min_t(unsigned int, (ctrl->cap & WEIR_NVME_CAP_MQES_MASK) + 1, NVME_IO_ENTRIES);
}

static int no_doorbells(struct nvme_ctrl *ctrl)
{
	dev_err(ctrl->dev, "BAR 0 has 0x%zx bytes: too few for doorbells (stride 2^%u)",
		ctrl->regs_size, ctrl->dstrd + 2);
	return -ENODEV;
}

static int map_registers(struct nvme_ctrl *ctrl)
{
	unsigned int queues = num_online_cpus();
	int ret;

	ctrl->regs_size = (size_t)pci_resource_len(ctrl->pdev, 0);
	if (ctrl->regs_size < WEIR_NVME_REG_DOORBELLS + NVME_PAGE)
		return no_doorbells(ctrl);
	ctrl->regs = pci_iomap(ctrl->pdev, 0, 0);
	if (!ctrl->regs)
		return -ENOMEM;
	ret = check_capabilities(ctrl);
	/* no more queues than there are doorbells for in BAR 0 */
	while (queues && WEIR_NVME_CQ_HEAD(queues, ctrl->dstrd) + 4 > ctrl->regs_size)
		queues--;
	if (!ret && !queues)
		ret = no_doorbells(ctrl);
	if (ret)
		weir_pci_iounmap(ctrl->pdev, ctrl->regs, ctrl->regs_size);
	ctrl->max_io = queues;
	return ret;
}

static void free_queues(struct nvme_ctrl *ctrl)
{
	unsigned int i;

	for (i = 0; ctrl->io && i < ctrl->max_io; i++)
		if (ctrl->io[i].ctrl)
			nvme_queue_free(&ctrl->io[i]);
	kfree(ctrl->io);
	if (ctrl->admin.ctrl)
		nvme_queue_free(&ctrl->admin);
	dma_pool_destroy(ctrl->small_pool);
	dma_pool_destroy(ctrl->list_pool);
}

static int alloc_queues(struct nvme_ctrl *ctrl)
{
	unsigned int i, entries = io_entries(ctrl);
	int ret = -ENOMEM;

	if (entries < 2)
		return -EINVAL;
	ctrl->info.depth = entries - 1;
	ctrl->list_pool = dma_pool_create("nvme-list", ctrl->dev, NVME_PAGE, NVME_PAGE, 0);
	ctrl->small_pool =
		dma_pool_create("nvme-small-list", ctrl->dev, NVME_SMALL_LIST * sizeof(u64),
				NVME_SMALL_LIST * sizeof(u64), 0);
	ctrl->io = kcalloc(ctrl->max_io, sizeof(*ctrl->io), GFP_KERNEL);
	if (!ctrl->list_pool || !ctrl->small_pool || !ctrl->io)
		goto err;
	ret = nvme_queue_alloc(ctrl, &ctrl->admin, 0, NVME_ADMIN_ENTRIES);
	for (i = 0; !ret && i < ctrl->max_io; i++)
		ret = nvme_queue_alloc(ctrl, &ctrl->io[i], i + 1, entries);
	if (ret)
		goto err;
	return 0;
err:
	free_queues(ctrl);
	return ret;
}

/*
 * I/O queue i has vector i, which goes to CPU i. The admin queue's vector is 0 on every controller
 * (section 5.3 gives it no other), so it shares that of the first I/O queue.
 */
static irqreturn_t first_irq(int irq, void *dev_id)
{
	struct nvme_ctrl *ctrl = dev_id;
	irqreturn_t admin = nvme_queue_irq(irq, &ctrl->admin);
	irqreturn_t io = nvme_queue_irq(irq, &ctrl->io[0]);

	return admin == IRQ_HANDLED ? admin : io;
}

static void free_irqs(struct nvme_ctrl *ctrl)
{
	while (ctrl->nr_irqs > 0) {
		unsigned int i = --ctrl->nr_irqs;

		free_irq((unsigned int)pci_irq_vector(ctrl->pdev, i),
			 i ? (void *)&ctrl->io[i] : (void *)ctrl);
	}
	pci_free_irq_vectors(ctrl->pdev);
}

static int alloc_irqs(struct nvme_ctrl *ctrl)
{
	int vectors =
		pci_alloc_irq_vectors(ctrl->pdev, 1, ctrl->max_io, PCI_IRQ_MSIX | PCI_IRQ_AFFINITY);
	int ret = 0;

	if (vectors < 0)
		return vectors;
	ctrl->usable_io = (unsigned int)vectors;
	while (ctrl->nr_irqs < ctrl->usable_io) {
		unsigned int i = ctrl->nr_irqs;
		int irq = pci_irq_vector(ctrl->pdev, i);

		ret = irq < 0 ? irq :
		      i ? request_irq((unsigned int)irq, nvme_queue_irq, 0, "nvme", &ctrl->io[i]) :
			  request_irq((unsigned int)irq, first_irq, 0, "nvme", ctrl);
		if (ret)
			break;
		ctrl->nr_irqs++;
	}
	if (ret)
		free_irqs(ctrl);
	return ret;
}

static int first_start(struct nvme_ctrl *ctrl)
{
	int ret;

	mutex_lock(&ctrl->reset_lock);
	ret = start(ctrl);
	if (ret) {
		nvme_set_state(ctrl, NVME_DEAD);
		stop(ctrl, -ENODEV);
	}
	mutex_unlock(&ctrl->reset_lock);
	return ret;
}

static int nvme_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct nvme_ctrl *ctrl = kzalloc(sizeof(*ctrl), GFP_KERNEL);
	int ret;

	(void)id;
	if (!ctrl)
		return -ENOMEM;
	ctrl->pdev = pdev;
	ctrl->dev = &pdev->dev;
	ctrl->io_timeout_ms = NVME_IO_TIMEOUT_MS;
	ctrl->state = NVME_RESETTING;
	mutex_init(&ctrl->reset_lock);
	INIT_DELAYED_WORK(&ctrl->watchdog, watchdog_work);
	INIT_WORK(&ctrl->reset, reset_work);
	pci_set_drvdata(pdev, ctrl);

	ret = pci_enable_device_mem(pdev);
	if (ret)
		goto err_free;
	ret = dma_set_mask_and_coherent(ctrl->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_disable;
	dma_set_max_seg_size(ctrl->dev, NVME_MAX_TRANSFER);
	ret = map_registers(ctrl);
	if (ret)
		goto err_disable;
	ret = alloc_queues(ctrl);
	if (ret)
		goto err_unmap;
	ret = alloc_irqs(ctrl);
	if (ret)
		goto err_queues;
	ret = first_start(ctrl);
	if (ret)
		goto err_irqs;
	mod_delayed_work(system_wq, &ctrl->watchdog, watch_interval(ctrl));
	dev_info(ctrl->dev, "%s, %llu blocks of %u bytes, %u queues", ctrl->info.model,
		 (unsigned long long)ctrl->info.blocks, ctrl->info.block_size, ctrl->info.queues);
	return 0;

err_irqs:
	free_irqs(ctrl);
err_queues:
	free_queues(ctrl);
err_unmap:
	weir_pci_iounmap(pdev, ctrl->regs, ctrl->regs_size);
err_disable:
	pci_disable_device(pdev);
err_free:
	pci_set_drvdata(pdev, NULL);
	kfree(ctrl);
	return ret;
}

/* Tell it that power may go (section 7.6.2), as far as it listens. */
static void shut_down(struct nvme_ctrl *ctrl)
{
	unsigned int i;

	for (i = 0; i < ctrl->nr_io; i++)
		nvme_delete_queue(ctrl, &ctrl->io[i]);
	writel((readl(reg(ctrl, WEIR_NVME_REG_CC)) & ~WEIR_NVME_CC_SHN_MASK) |
		       WEIR_NVME_CC_SHN_NORMAL,
	       reg(ctrl, WEIR_NVME_REG_CC));
	if (wait_status(ctrl, WEIR_NVME_CSTS_SHST_MASK, WEIR_NVME_CSTS_SHST_COMPLETE))
		dev_warn(ctrl->dev, "did not report that it shut down");
}

static void nvme_remove(struct pci_dev *pdev)
{
	struct nvme_ctrl *ctrl = pci_get_drvdata(pdev);
	bool live;

	cancel_delayed_work_sync(&ctrl->watchdog);
	cancel_work_sync(&ctrl->reset);
	mutex_lock(&ctrl->reset_lock);
	live = nvme_state(ctrl) == NVME_LIVE;
	nvme_set_state(ctrl, NVME_DEAD);
	if (live)
		shut_down(ctrl);
	stop(ctrl, -ENODEV);
	mutex_unlock(&ctrl->reset_lock);
	free_irqs(ctrl);
	free_queues(ctrl);
	weir_pci_iounmap(pdev, ctrl->regs, ctrl->regs_size);
	pci_disable_device(pdev);
	pci_set_drvdata(pdev, NULL);
	kfree(ctrl);
}

static const struct pci_device_id nvme_ids[] = {
	{ PCI_DEVICE_CLASS(WEIR_NVME_PCI_CLASS, 0xffffffu) },
	{ .weir = { .vendor = 0 } },
};

static const struct pci_driver nvme_driver = {
	.name = "nvme",
	.id_table = nvme_ids,
	.probe = nvme_probe,
	.remove = nvme_remove,
};
module_pci_driver(nvme_driver);
