/* SPDX-License-Identifier: MIT */
#ifndef NVME_INTERNAL_H
#define NVME_INTERNAL_H

/*
 * The NVMe driver's inside (NVMe 1.4).
 *
 * A controller has an admin queue pair and one I/O queue pair for each CPU. A queue pair has a slot
 * for each command in flight; the slot's index is the command identifier.
 *
 *   free --take--> taken --issue--> issued --completed, or cancelled--> taken --give--> free
 *
 * queue.lock (taken with interrupts off: the handler takes it too) guards the rings' indexes, the
 * stack of free slots, `online`, and the step from taken to issued and back. What else a slot
 * holds belongs to whoever moved it to taken. Data is mapped before the lock and unmapped after it.
 *
 * reset_lock (a mutex) lets one at a time start, reset or remove the controller. A reset takes
 * every queue offline, stops the device, and only then cancels what was issued: memory is unmapped
 * and given back when the device can no longer touch it (disabled, or without bus mastering).
 *
 * The device is not trusted: identifiers and sizes that it sends are checked before use.
 */

#include <weir/completion.h>
#include <weir/delay.h>
#include <weir/dma-mapping.h>
#include <weir/dmapool.h>
#include <weir/hw/nvme.h>
#include <weir/mutex.h>
#include <weir/pci.h>
#include <weir/slab.h>
#include <weir/smp.h>
#include <weir/spinlock.h>
#include <weir/workqueue.h>

#include "nvme.h"

#define NVME_PAGE 4096u
#define NVME_ADMIN_ENTRIES 32u
#define NVME_IO_ENTRIES 1024u
#define NVME_MAX_TRANSFER (512u * NVME_PAGE) /* one page of PRP entries, one segment page in PRP1  \
					      */
#define NVME_SMALL_LIST 32u		     /* entries of a list from the small pool */
#define NVME_ADMIN_TIMEOUT_MS 5000u
#define NVME_IO_TIMEOUT_MS 5000u

enum nvme_state { NVME_LIVE, NVME_RESETTING, NVME_DEAD };

struct nvme_cmd {
	struct nvme_request *req;
	bool issued;
	bool small_list;
	u64 *list; /* PRP list, or NULL */
	dma_addr_t list_dma;
	u64 deadline_ns;
};

struct nvme_queue {
	struct nvme_ctrl *ctrl;
	spinlock_t lock;
	unsigned int qid, entries;
	bool online;
	struct weir_nvme_sqe *sq;
	struct weir_nvme_cqe *cq;
	dma_addr_t sq_dma, cq_dma;
	volatile void __iomem *sq_doorbell, *cq_doorbell;
	unsigned int sq_tail, cq_head;
	u16 phase;
	struct nvme_cmd *cmds; /* entries - 1 of them: the ring never fills */
	u16 *free;	       /* stack of free slots */
	unsigned int nr_free;
	unsigned int bogus; /* completions of commands that were never sent */
};

struct nvme_ctrl {
	struct pci_dev *pdev;
	struct device *dev;
	volatile void __iomem *regs;
	size_t regs_size;
	u64 cap;
	unsigned int dstrd;
	u64 ready_timeout_ns;  /* CAP.TO */
	enum nvme_state state; /* atomic */
	struct mutex reset_lock;
	struct delayed_work watchdog;
	struct work_struct reset;
	unsigned int io_timeout_ms; /* atomic */
	struct dma_pool *list_pool, *small_pool;
	struct nvme_queue admin;
	struct nvme_queue *io;
	unsigned int max_io;	/* queue pairs allocated */
	unsigned int usable_io; /* of them have a vector */
	unsigned int nr_io;	/* in use: as many as the device grants */
	unsigned int nr_irqs;	/* handlers connected */
	struct nvme_info info;
};

/* queue.c */
int nvme_queue_alloc(struct nvme_ctrl *ctrl, struct nvme_queue *q, unsigned int qid,
		     unsigned int entries);
void nvme_queue_free(struct nvme_queue *q);
void nvme_queue_start(struct nvme_queue *q);
/* No submission gets through from now on. */
void nvme_queue_stop(struct nvme_queue *q);
/* Take what the device has completed. true: there was something. */
bool nvme_queue_poll(struct nvme_queue *q);
/* Whether a command is overdue at `now`. */
bool nvme_queue_overdue(struct nvme_queue *q, u64 now);
/* End all that is issued: -ETIMEDOUT if overdue at `now`, else `status`. The device is stopped. */
void nvme_queue_cancel(struct nvme_queue *q, u64 now, int status);
irqreturn_t nvme_queue_irq(int irq, void *dev_id);
/* Put a command with the request on the queue. Errors as nvme_submit(). */
int nvme_queue_submit(struct nvme_queue *q, struct nvme_request *req,
		      const struct weir_nvme_sqe *sqe);

/* admin.c */
int nvme_admin(struct nvme_ctrl *ctrl, const struct weir_nvme_sqe *sqe, u32 *result);
int nvme_identify(struct nvme_ctrl *ctrl);
int nvme_set_queue_count(struct nvme_ctrl *ctrl, unsigned int wanted);
int nvme_create_queue(struct nvme_ctrl *ctrl, struct nvme_queue *q, unsigned int vector);
void nvme_delete_queue(struct nvme_ctrl *ctrl, struct nvme_queue *q);

/* nvme.c: the device no longer touches memory when this returns, whether it obeys or not. */
void nvme_stop_device(struct nvme_ctrl *ctrl);

/* prp.c */
int nvme_map(struct nvme_ctrl *ctrl, struct nvme_cmd *cmd, struct weir_nvme_sqe *sqe);
void nvme_unmap(struct nvme_ctrl *ctrl, struct nvme_cmd *cmd);

static inline enum nvme_state nvme_state(const struct nvme_ctrl *ctrl)
{
	/*
	 * Acquire: pairs with the release in nvme_set_state(); LIVE means that the queues are set
	 * up.
	 */
	return __atomic_load_n(&ctrl->state, __ATOMIC_ACQUIRE);
}

static inline void nvme_set_state(struct nvme_ctrl *ctrl, enum nvme_state state)
{
	__atomic_store_n(&ctrl->state, state, __ATOMIC_RELEASE);
}

static inline u64 nvme_now(void)
{
	return plat_time_ns(weir_plat(plat_weir()));
}

#endif
