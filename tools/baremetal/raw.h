/* SPDX-License-Identifier: MIT */
#ifndef RAW_H
#define RAW_H

/*
 * As little of an NVMe driver as it takes to give a controller commands that no driver would (NVMe
 * 1.4): the admin queue and one I/O queue pair, no interrupts, the caller looks for completions.
 * What it submits is his: addresses go to the controller as they are. One thread; TASK.
 */

#include <weir/dma-mapping.h>
#include <weir/hw/nvme.h>
#include <weir/pci.h>

#define RAW_PAGE 4096u
#define RAW_ENTRIES 64u /* of each queue; one fewer may be in flight */
#define RAW_DEPTH (RAW_ENTRIES - 1)

struct raw_queue {
	unsigned int qid;
	struct weir_nvme_sqe *sq;
	struct weir_nvme_cqe *cq;
	dma_addr_t sq_dma, cq_dma;
	unsigned int tail, head;
	u16 phase;
};

struct raw {
	struct weir *weir;
	struct pci_dev *pdev;
	struct device *dev;
	volatile void __iomem *regs;
	size_t regs_size;
	unsigned int dstrd;
	u64 timeout_ns;
	struct raw_queue admin, io;
	u32 block_size; /* of namespace 1 */
	u64 blocks;
	u32 max_transfer; /* bytes of one command; 0: no limit */
};

/* Take a function that has no driver. After an error nothing is left to close. */
int raw_open(struct raw *raw, struct weir *weir, struct weir_pci_dev *pdev);
/* Disable it, and give everything back. */
void raw_close(struct raw *raw);

/* Put commands for the I/O queue into it, at most RAW_DEPTH at a time, then tell the controller. */
void raw_put(struct raw *raw, const struct weir_nvme_sqe *sqe);
void raw_ring(struct raw *raw);
/* Wait for the next completion of the I/O queue. -ETIMEDOUT. */
int raw_next(struct raw *raw, u64 timeout_ns, struct weir_nvme_cqe *cqe);

/* The status field of a completion, without phase tag. */
static inline u16 raw_status(const struct weir_nvme_cqe *cqe)
{
	return (u16)(cqe->status >> WEIR_NVME_CQE_STATUS_SHIFT);
}

#endif
