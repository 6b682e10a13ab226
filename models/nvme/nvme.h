/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_NVME_H
#define WEIR_MODELS_NVME_H

/*
 * The NVMe controller's inside.
 *
 *   doorbell --> sq.tail --fetch--> pool, order --start--> current, bounce --post--> CQ --> MSI-X
 *
 * Threads. Register accesses come from any thread, step() from one at a time.
 *   - `lock` guards the registers (regs), the knobs (faults) and reset_wanted. It is held for a few
 *     loads and stores, never across DMA, the disk or an interrupt.
 *   - Doorbells take no lock: a write checks the queue's `size` (acquire; 0: no such queue) and
 *     stores `tail` or `head` (release), or notes an event. step() loads them (acquire).
 *   - `control` says that a register or a knob changed: stored (release) after the change under the
 *     lock, taken (acquire) by step(), which then looks at them under the lock.
 *   - Everything else belongs to step(). Counters are read by others with relaxed loads.
 * Enabling, resetting and shutting down are done by step(), not inside the write to CC, so queues
 * change under nobody's hands, and a host has to wait for CSTS as it must on hardware.
 *
 * A command is fetched only when its completion queue has an entry left for it (`reserved`);
 * posting never finds a full queue, and a host that leaves completions unread stops its own queue
 * alone.
 *
 * What a guest controls never sizes an allocation; every loop is bounded by the step's budget or by
 * a constant. A command and a PRP entry are read from memory once.
 */

#include <pthread.h>

#include <weir/hw/nvme.h>
#include <weir/model/nvme.h>

#define NVME_PAGE 4096u	     /* CAP.MPSMIN = CAP.MPSMAX = 0 */
#define NVME_QUEUES_MAX 255u /* I/O queue pairs: with the admin queue's, an MSI-X table of 4 KiB */
#define NVME_BAR_SIZE 0x4000u
#define NVME_MSIX_OFFSET 0x2000u
#define NVME_INFLIGHT 256u   /* I/O commands fetched and not yet completed */
#define NVME_FETCH_BATCH 32u /* commands read by one DMA access */
#define NVME_PIECES 32u	     /* pages moved between two looks at the budget */
#define NVME_MDTS_MAX 10u
#define NVME_AER_MAX 4u
#define NVME_TEMPERATURE 303u /* Kelvin, always */

/* Status with "do not retry": what is wrong now will be wrong next time. */
#define NVME_DNR(sc) ((uint16_t)((sc) | WEIR_NVME_STATUS_DNR))
/* Not a status: the command is held and completes later. */
#define NVME_HELD 0xffffu

struct nvme_sq {
	uint32_t size; /* atomic; 0: does not exist */
	uint32_t tail; /* atomic: the doorbell */
	uint64_t base;
	uint32_t head;
	uint16_t cqid;
};

struct nvme_cq {
	uint32_t size;	   /* atomic; 0: does not exist */
	uint32_t doorbell; /* atomic: the head that the host wrote */
	uint64_t base;
	uint32_t head; /* the last valid doorbell */
	uint32_t tail;
	uint32_t reserved; /* entries promised to commands under way */
	uint16_t vector;
	uint16_t users; /* submission queues that complete here */
	bool phase, interrupts;
	bool raise; /* new entries in this step */
};

struct nvme_command {
	struct weir_nvme_sqe sqe;
	uint16_t sqid;
};

/* A walk over the pages that a command's PRP1 and PRP2 name (section 4.3). */
struct nvme_prp {
	enum { PRP_FIRST, PRP_SECOND, PRP_LIST } where;
	uint64_t prp1, prp2;
	uint64_t list; /* address of the next list entry */
	uint32_t left; /* bytes that no piece names yet */
};

struct nvme_piece {
	uint64_t addr;
	uint32_t len;
};

/* The one I/O command whose data is being moved; all of it fits the bounce buffer. */
struct nvme_transfer {
	bool active;
	struct nvme_command command;
	struct nvme_prp prp;
	uint64_t disk_offset;
	uint32_t length, done;
};

/* Registers as the host wrote them. */
struct nvme_regs {
	uint32_t cc, csts, aqa, intm;
	uint64_t asq, acq;
};

struct nvme_features {
	uint32_t value[WEIR_NVME_FID_ASYNC_EVENT + 1]; /* CDW11 of the simple ones, by identifier */
	uint32_t over, under;			       /* temperature thresholds */
	uint32_t queues;		       /* granted, submission and completion alike */
	bool uncoalesced[NVME_QUEUES_MAX + 1]; /* by interrupt vector */
};

struct nvme_error {
	uint64_t count, lba;
	uint32_t nsid;
	uint16_t sqid, cid, status;
};

struct weir_model_nvme {
	struct weir_model_pci_function fn;
	struct weir_model_stepper stepper;
	struct weir_model_disk disk;
	unsigned int block_shift, max_queues, max_entries, mdts;
	uint64_t blocks;

	pthread_mutex_t lock;
	struct nvme_regs regs;
	struct weir_model_nvme_faults faults;
	bool reset_wanted;
	bool faults_changed;

	bool control;		    /* atomic */
	bool dead;		    /* atomic: faults.dead, for register accesses */
	unsigned int bad_doorbells; /* atomic: events of type error, a bit for each AER_INFO */

	/* What step() alone touches. */
	bool running;
	struct weir_model_nvme_faults active; /* copy of faults */
	uint64_t started, io_started;	      /* commands since the knobs were set */
	uint64_t random;
	struct nvme_sq *sq; /* max_queues + 1 */
	struct nvme_cq *cq;
	unsigned int next_sq; /* where the round robin goes on */
	struct nvme_command pool[NVME_INFLIGHT];
	uint16_t order[NVME_INFLIGHT];	/* of fetched commands: in_order slots, the oldest first */
	uint16_t unused[NVME_INFLIGHT]; /* the pool's other slots */
	unsigned int in_order;
	struct weir_nvme_sqe fetched[NVME_FETCH_BATCH];
	struct nvme_transfer transfer;
	struct nvme_features features;
	uint16_t aer[NVME_AER_MAX]; /* identifiers of held Asynchronous Event Requests */
	unsigned int aers;
	unsigned int events;		      /* not yet reported, bits as in bad_doorbells */
	bool events_masked;		      /* one was reported and the log not read since */
	struct nvme_error error;	      /* the last one */
	uint64_t reads, writes, media_errors; /* for the SMART log */
	uint8_t page[NVME_PAGE];	      /* data of admin commands */
	uint8_t *bounce;

	/* Written by step() alone, relaxed; read by anybody. */
	struct weir_model_nvme_stats stats;
};

/* FUSE and PSDT: neither fused commands nor SGLs are offered (Identify: FUSES, SGLS). */
static inline uint16_t nvme_flags_status(const struct weir_nvme_sqe *sqe)
{
	if (sqe->flags & (WEIR_NVME_SQE_FUSE_MASK | WEIR_NVME_SQE_PSDT_MASK))
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	return WEIR_NVME_SC_SUCCESS;
}

static inline void nvme_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* regs.c */
extern const struct weir_model_mmio_ops weir_model_nvme_mmio_ops;
/** Note under the lock that step() has registers or knobs to look at. */
void weir_model_nvme_changed(struct weir_model_nvme *nvme);

/* control.c: called by step() */
/** Act on registers and knobs that changed; afterwards `running` says whether to serve queues. */
void weir_model_nvme_control(struct weir_model_nvme *nvme);
/** CSTS.CFS: nothing more happens until a reset. */
void weir_model_nvme_fatal(struct weir_model_nvme *nvme);

/* queue.c: called by step() */
void weir_model_nvme_sq_init(struct weir_model_nvme *nvme, uint16_t sqid, uint64_t base,
			     uint32_t size, uint16_t cqid);
void weir_model_nvme_cq_init(struct nvme_cq *cq, uint64_t base, uint32_t size, uint16_t vector,
			     bool interrupts);
/** Entries that can still be promised or posted. */
uint32_t weir_model_nvme_cq_room(struct weir_model_nvme *nvme, struct nvme_cq *cq);
/** Entries that the host submitted and nobody fetched, up to the end of the ring. */
uint32_t weir_model_nvme_sq_pending(struct weir_model_nvme *nvme, struct nvme_sq *sq);
/** Read `count` pending entries into `fetched`; false: fatal. The head moves. */
bool weir_model_nvme_fetch(struct weir_model_nvme *nvme, struct nvme_sq *sq, uint32_t count);
/** Post a completion. The caller made sure of room. */
void weir_model_nvme_post(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t cid,
			  uint16_t status, uint32_t dw0);
/** Post the completion of a command whose entry was reserved, and log it if it failed. */
void weir_model_nvme_complete(struct weir_model_nvme *nvme, const struct nvme_command *command,
			      uint16_t status, uint32_t dw0);
/** One message for each completion queue that got entries. */
void weir_model_nvme_interrupt(struct weir_model_nvme *nvme);
/** Forget all queues and commands. */
void weir_model_nvme_forget(struct weir_model_nvme *nvme);

/* prp.c: called by step() */
bool weir_model_nvme_dma_read(struct weir_model_nvme *nvme, uint64_t addr, void *buf, size_t len);
bool weir_model_nvme_dma_write(struct weir_model_nvme *nvme, uint64_t addr, const void *buf,
			       size_t len);
/** Begin a walk over `length` bytes. A status. */
uint16_t weir_model_nvme_prp_start(struct nvme_prp *prp, const struct weir_nvme_sqe *sqe,
				   uint32_t length);
/** The next pieces, at most `max` (up to NVME_PIECES) and at least one. A status. */
uint16_t weir_model_nvme_prp_next(struct weir_model_nvme *nvme, struct nvme_prp *prp,
				  struct nvme_piece *pieces, unsigned int max, unsigned int *count);
/** Send an admin command's data, at most a page of it. A status. */
uint16_t weir_model_nvme_send(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
			      const void *data, uint32_t length);

/* admin.c, features.c, identify.c, log.c: called by step(). Each returns a status. */
/** Take and carry out one admin command, if there is one. */
bool weir_model_nvme_admin(struct weir_model_nvme *nvme);
/** Complete a held Asynchronous Event Request, if there is something to report. */
void weir_model_nvme_report_events(struct weir_model_nvme *nvme);
void weir_model_nvme_features_reset(struct weir_model_nvme *nvme);
uint16_t weir_model_nvme_set_features(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
				      uint32_t *result);
uint16_t weir_model_nvme_get_features(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
				      uint32_t *result);
uint16_t weir_model_nvme_identify(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe);
uint16_t weir_model_nvme_get_log(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe);

/* io.c: called by step() */
/** Fetch commands of all submission queues, as many as there is room for; false: none. */
bool weir_model_nvme_io_fetch(struct weir_model_nvme *nvme);
/** Start the next fetched command. */
void weir_model_nvme_io_start(struct weir_model_nvme *nvme);
/** Move up to `budget` pages of the current command; returns how many. */
unsigned int weir_model_nvme_io_move(struct weir_model_nvme *nvme, unsigned int budget);
/** Complete the fetched commands of one submission queue, unexecuted. */
void weir_model_nvme_io_cancel(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t status);
/** Complete one fetched command, unexecuted; false: it is not there. */
bool weir_model_nvme_io_abort(struct weir_model_nvme *nvme, uint16_t sqid, uint16_t cid);

#endif
