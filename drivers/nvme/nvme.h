/* SPDX-License-Identifier: MIT */
#ifndef NVME_H
#define NVME_H

/*
 * An NVMe driver against weir's headers alone: what its clients see.
 *
 * A client finds the function, takes its controller, and submits requests; each ends with a call of
 * its done(), exactly once, whatever happens to the device.
 *
 *   struct nvme_ctrl *ctrl = nvme_ctrl_of(pdev);
 *   req->op = NVME_READ; req->block = 0; req->sgl = sgl; req->nents = 1; req->done = my_done;
 *   err = nvme_submit(ctrl, req);
 */

#include <weir/completion.h>
#include <weir/pci.h>
#include <weir/scatterlist.h>

struct nvme_ctrl;

enum nvme_op { NVME_READ, NVME_WRITE, NVME_FLUSH };

struct nvme_info {
	char model[41], serial[21], firmware[9];
	u64 blocks; /* of block_size bytes, of namespace 1 */
	u32 block_size;
	u32 max_transfer;    /* bytes in one request */
	unsigned int queues; /* I/O queue pairs */
	unsigned int depth;  /* commands in flight on each */
};

/* A request. The client's but for the last part from nvme_submit() to done(). */
struct nvme_request {
	enum nvme_op op;
	u64 block;
	/*
	 * The memory: a multiple of the block size, at most max_transfer. Pieces begin and end on
	 * pages, but for the first one's beginning and the last one's end. NVME_FLUSH: none.
	 */
	struct scatterlist *sgl;
	unsigned int nents;
	/*
	 * IRQ context (or TASK, when the controller is reset). The memory is the client's again.
	 * May submit. status: 0, -EIO: the device says that it failed, or it was reset meanwhile,
	 * -ETIMEDOUT: it did not answer, -ENODEV: it is gone.
	 */
	void (*done)(struct nvme_request *req);
	int status;
	u16 nvme_status; /* the completion's status field, without phase, where status is -EIO */
	u32 result;	 /* DW0 of the completion */

	/* The driver's while in flight. */
	struct nvme_request *next;
};

/* The controller of a function that the driver is bound to, else NULL. */
struct nvme_ctrl *nvme_ctrl_of(struct pci_dev *pdev);
void nvme_get_info(const struct nvme_ctrl *ctrl, struct nvme_info *info);
/* How long a command may take before the controller is reset. Default 5000. */
void nvme_set_timeout(struct nvme_ctrl *ctrl, unsigned int ms);

/*
 * Start a request on the queue of the CPU that calls. -EAGAIN: that queue is full, or the
 * controller is being reset: later. -EINVAL: memory or range. -ENOMEM. -ENODEV: the controller is
 * dead. After an error done() is not called. Context: any in which no done() of this controller is
 * interrupted by itself.
 */
int nvme_submit(struct nvme_ctrl *ctrl, struct nvme_request *req);
/* Submit, wait, return the status. Context: TASK. done is overwritten. */
int nvme_execute(struct nvme_ctrl *ctrl, struct nvme_request *req);

extern const struct weir_pci_driver weir_nvme_driver;

#endif
