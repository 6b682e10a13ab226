/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SMMUV3_SMMUV3_H
#define WEIR_SMMUV3_SMMUV3_H

/*
 * The SMMUv3 driver (IHI 0070), inside: one struct weir_smmuv3 for each SMMU.
 *
 *   probe.c       what it is; taking it over and letting go of it
 *   strtab.c      the stream table: where the entry of a stream is
 *   entry.c       changes of entries, hitless where they can be
 *   stream.c      what a stream is to do, and how its entry comes to say so
 *   cd.c          context descriptors: what they say, and tables of them
 *   pasid.c       streams with PASIDs
 *   ats.c         devices with TLBs of their own
 *   domain.c      domains: an ASID or VMID and page tables; who is in them
 *   nested.c      a guest's stage 1 over a domain
 *   plan.c        what an invalidation of a domain must reach
 *   invalidate.c  sending it
 *   cmdq.c        the command queue
 *   events.c      the event queue
 *   decode.c      what an event record says
 *   gerror.c      global errors
 *   irqs.c        interrupts, by message or by wire
 *   features.c    what of the ID registers is used
 *   takeover.c    firmware's streams, kept
 *   recover.c     starting anew after a failure; suspend and resume
 *   memory.c      memory that the SMMU reads or writes
 *
 * domain.h has streams, domains, and what an unmap relies on.
 *
 * Locking: struct weir.lock, which src/iommu holds around all but map, unmap and what else domain.h
 * says, protects the stream table, streams, plans and the list of lost domains. The command queue
 * needs no lock. gerror_lock and lost_lock are IRQ-safe and taken last. Page tables: pgtable.h.
 *
 * Hardware is not trusted: what registers and queue entries say is checked where it is read. What
 * the SMMU may still be using when it stops answering is kept until it was disabled (`lost`).
 */

#include <weir/hw/smmuv3.h>

#include "base/epoch.h"
#include "base/ids.h"
#include "base/limit.h"
#include "base/machine.h"
#include "iommu/driver.h"
#include "pgtable/pgtable.h"

#define WEIR_SMMUV3_TIMEOUT_NS 1000000000ull

/* What the ID registers say, as far as it matters here. */
struct weir_smmuv3_features {
	bool coherent;	/* walks and queues snoop, by the firmware's word and IDR0.COHACC */
	bool two_level; /* IDR0.ST_LEVEL */
	bool range_invalidation; /* IDR3.RIL */
	bool replaces_blocks;	 /* IDR3.BBML is 2 */
	bool hyp, msi, pri;	 /* IDR0 */
	bool stalls;		 /* IDR0.STALL_MODEL: they can be, so they must be switched off */
	bool attributes;	 /* IDR1.ATTR_TYPES_OVR: SHCFG is not RES0 */
	bool stage1, stage2;	 /* IDR0.S1P, S2P */
	bool two_level_cds;	 /* IDR0.CD2L */
	bool ats;		 /* IDR0 */
	bool forces_attributes;	 /* IDR3.FWB */
	bool tracks_dirty;	 /* IDR0.HTTU is 2 at least, and walks snoop */
	uint8_t granule_shift;	 /* of the smallest pages */
	uint8_t va_bits;	 /* input of stage 1 */
	uint8_t asid_bits, vmid_bits, sid_bits, ssid_bits, pa_bits, ips;
	uint8_t cmdq_shift, eventq_shift; /* the largest, log2 of entries */
};

/* Whole pages that the SMMU uses. */
struct weir_smmuv3_memory {
	void *virt; /* NULL: none */
	weir_phys_t phys;
	unsigned int order;
};

struct weir_smmuv3_cmd {
	uint64_t word[WEIR_SMMU_CMD_WORDS];
};

/* The last command that the SMMU refused. */
struct weir_smmuv3_refused {
	unsigned int slot;
	uint32_t error;
	struct weir_smmuv3_cmd cmd;
};

/* Numbers count commands since the start and never wrap; see cmdq.c. */
struct weir_smmuv3_cmdq {
	struct weir_smmuv3_memory memory;
	uint64_t *slots;    /* two words each */
	uint64_t *ready;    /* for each slot: number behind the batch that starts there */
	uint64_t entries;   /* a power of two */
	uint32_t is_stuck;  /* atomic: a wait timed out, and nothing has moved since */
	uint32_t is_broken; /* atomic: an error cannot be repaired: all fail until it starts anew */
	uint32_t is_off;    /* atomic: the SMMU is suspended: commands are not needed */
	uint32_t starts;    /* atomic: so often it started; what was sent before is lost */
	uint64_t error_at;  /* under gerror_lock: the last refused command's number, + 1 */
	uint32_t atc_failures;		    /* atomic: CERROR_ATC_INV_SYNC so far */
	struct weir_smmuv3_refused refused; /* under gerror_lock */
	uint64_t taken __attribute__((aligned(64)));
	uint64_t published __attribute__((aligned(64)));
	uint32_t publishing;
	uint64_t consumed __attribute__((aligned(64)));
};

struct weir_smmuv3_eventq {
	struct weir_smmuv3_memory memory;
	uint64_t *slots;       /* four words each */
	uint32_t entries;      /* a power of two */
	uint32_t cons;	       /* the register's value, with OVACKFLG; by whoever drains */
	uint32_t draining;     /* atomic: somebody does */
	uint32_t discard;      /* atomic: what waits is not to be believed */
	struct weir_work work; /* goes on where the interrupt handler stopped */
};

struct weir_smmuv3_strtab {
	struct weir_smmuv3_memory memory;  /* of entries, or of the first level */
	struct weir_smmuv3_memory *second; /* one for each first-level entry; NULL: linear */
	unsigned int log2size;
	unsigned int nr_second;
	uint64_t word1; /* of every entry, forever */
};

#define WEIR_SMMUV3_BUCKETS 64u

struct weir_smmuv3_domain;
struct weir_smmuv3_stream;
struct weir_smmuv3_viommu;

/* ---- Interrupts, errors, power: irqs.c, gerror.c, recover.c ---------------------------------- */

/* What an interrupt can be about. */
enum weir_smmuv3_source {
	WEIR_SMMUV3_EVENTQ,
	WEIR_SMMUV3_GERROR,
	WEIR_SMMUV3_PRIQ,
	WEIR_SMMUV3_SOURCES,
};

/* A connected handler. */
struct weir_smmuv3_irq {
	struct weir_smmuv3 *smmu;
	int number;	      /* -1: not connected */
	unsigned int sources; /* a bit for each */
};

/* The queue of page requests, as far as interrupts, errors and power go; NULL: there is none. */
struct weir_smmuv3_priq_ops {
	void (*program)(struct weir_smmuv3 *smmu); /* BASE, PROD, CONS; PRIQEN is 0 */
	void (*drain)(struct weir_smmuv3 *smmu);   /* any context but task on another CPU's queue */
};

struct weir_smmuv3_own {
	uint32_t idr[6];
	const struct weir_smmuv3_priq_ops *priq;
	int wired[WEIR_SMMUV3_SOURCES]; /* platform's numbers; -1: none */
	struct weir_msi msi[WEIR_SMMUV3_SOURCES];
	unsigned int nr_msis; /* 0: wired interrupts */
	struct weir_smmuv3_irq irqs[WEIR_SMMUV3_SOURCES];
	struct weir_work recovery;
	uint32_t is_live;	 /* atomic: between a successful probe() and remove() */
	unsigned int recoveries; /* under weir.lock */
	bool is_suspended;	 /* under weir.lock */
};

struct weir_smmuv3 {
	struct weir_iommu iommu;
	volatile void WEIR_IOMEM *regs;
	uint64_t regs_size;
	enum weir_zone zone; /* for memory that it can address */
	uint32_t cr0;
	struct weir_smmuv3_features features;
	struct weir_pgtable_cache cache;
	struct weir_ids asids, vmids;
	struct weir_smmuv3_stream *streams[WEIR_SMMUV3_BUCKETS]; /* by ID; under weir.lock */
	struct weir_epoch epoch; /* invalidations are in it; weir.lock to wait */
	struct weir_smmuv3_strtab strtab;
	struct weir_smmuv3_eventq eventq;
	struct weir_domain blocked, identity;
	struct weir_smmuv3_own own;
	struct weir_spinlock gerror_lock; /* gerrorn, and repairs of the command queue */
	uint32_t gerrorn;
	struct weir_limit limit;	/* on lines about global errors */
	struct weir_spinlock lost_lock; /* lost_tables */
	struct weir_pgtable_gather lost_tables;
	struct weir_smmuv3_domain *lost_domains;
	struct weir_smmuv3_viommu *lost_viommus;
	struct weir_smmuv3_cmdq cmdq;
};

/* ---- memory.c -------------------------------------------------------------------------------- */

/* Zeroed, aligned to its size rounded up to a power of two, visible to the SMMU. TASK. */
int weir_smmuv3_memory_alloc(struct weir_smmuv3 *smmu, struct weir_smmuv3_memory *memory,
			     size_t size);
/* Harmless on zeroed. */
void weir_smmuv3_memory_free(struct weir_smmuv3 *smmu, struct weir_smmuv3_memory *memory);
/* What was written there is to reach an SMMU that does not snoop. */
void weir_smmuv3_clean(struct weir_smmuv3 *smmu, const void *virt, size_t size);
/* A word that the SMMU may read at any moment: whole, and in memory before a command about it. */
void weir_smmuv3_store(struct weir_smmuv3 *smmu, uint64_t *word, uint64_t value);

/* Entries of a queue: what was asked for (0: the default), rounded up, no more than 2^max_shift. */
uint32_t weir_smmuv3_queue_entries(unsigned int asked, unsigned int otherwise, uint8_t max_shift);
/* What a queue's BASE register gets (6.3.26, 6.3.29). */
uint64_t weir_smmuv3_queue_base(const struct weir_smmuv3_memory *memory, uint64_t entries);

/* ---- probe.c --------------------------------------------------------------------------------- */

/*
 * Write, and wait until `ack` shows the same under `mask`. -WEIR_ETIMEDOUT, with a line in the log.
 */
int weir_smmuv3_update(struct weir_smmuv3 *smmu, uint32_t offset, uint32_t ack, uint32_t mask,
		       uint32_t value, const char *name);
/* Nothing passes, nothing is fetched, no interrupt comes. -WEIR_ETIMEDOUT. TASK. */
int weir_smmuv3_disable(struct weir_smmuv3 *smmu);
/* The same for one that works: what it had begun has ended. Also -WEIR_EIO. TASK. */
int weir_smmuv3_stop(struct weir_smmuv3 *smmu);
/* WEIR_MODE_OFF. TASK. */
int weir_smmuv3_let_all_pass(struct weir_smmuv3 *smmu);
/*
 * Program all registers anew, with empty caches; everything but translation works. `first`: connect
 * interrupts, too. It is disabled. -WEIR_ETIMEDOUT, -WEIR_EIO. TASK.
 */
int weir_smmuv3_enable(struct weir_smmuv3 *smmu, bool first);
/* Then: let accesses pass as the stream table says. Errors as above. */
int weir_smmuv3_open(struct weir_smmuv3 *smmu);

/* The first time; from now on it is also started anew after failures. Errors as above. */
int weir_smmuv3_start(struct weir_iommu *iommu);

/* ---- strtab.c -------------------------------------------------------------------------------- */

int weir_smmuv3_strtab_init(struct weir_smmuv3 *smmu);
void weir_smmuv3_strtab_fini(struct weir_smmuv3 *smmu);
/* STRTAB_BASE and _CFG; SMMUEN is 0. */
void weir_smmuv3_strtab_program(struct weir_smmuv3 *smmu);
int weir_smmuv3_check_id(struct weir_iommu *iommu, uint32_t id);
/*
 * Make sure that the stream has an entry, blocked at first. -WEIR_ENOMEM. CMD_CFGI_STE with Leaf =
 * 0 is due. TASK, serialised.
 */
int weir_smmuv3_strtab_grow(struct weir_smmuv3 *smmu, uint32_t id);
/* NULL: it has none. Any context. */
uint64_t *weir_smmuv3_strtab_find(struct weir_smmuv3 *smmu, uint32_t id);
/* Was the stream blocked on purpose? Any context. */
bool weir_smmuv3_strtab_is_blocked(struct weir_smmuv3 *smmu, uint32_t id);

/* ---- domain.c, stream.c: domain.h has the rest ----------------------------------------------- */

extern const struct weir_iommu_ops weir_smmuv3_ops;
int weir_smmuv3_domains_init(struct weir_smmuv3 *smmu);
/* The SMMU is disabled: what was kept for its sake is free, with all streams. */
void weir_smmuv3_domains_fini(struct weir_smmuv3 *smmu);
/* Sizes of pages and the last address of a domain of the DMA API. */
void weir_smmuv3_domains_describe(struct weir_smmuv3 *smmu);

/* ---- cmdq.c ---------------------------------------------------------------------------------- */

int weir_smmuv3_cmdq_init(struct weir_smmuv3 *smmu);
void weir_smmuv3_cmdq_fini(struct weir_smmuv3 *smmu);

/* At most this many go into one call. */
#define WEIR_SMMUV3_BATCH 8u

/*
 * Send the commands with a CMD_SYNC behind them, and wait until it completed. The array has room
 * for one more. -WEIR_ETIMEDOUT: it did not, and may at any time later. -WEIR_EIO: the queue is
 * broken. Any context.
 */
int weir_smmuv3_issue(struct weir_smmuv3 *smmu, struct weir_smmuv3_cmd *cmds, unsigned int n);
/*
 * Send the commands, and leave it to the CMD_SYNC of the caller's next weir_smmuv3_issue() to
 * complete them: an error there is one of these too. Not so if the SMMU was started anew in
 * between, which forgets them, but invalidates all but the TLBs of devices. Errors and context as
 * there.
 */
int weir_smmuv3_send(struct weir_smmuv3 *smmu, const struct weir_smmuv3_cmd *cmds, unsigned int n);
/* Batches that are ready, and that nobody could publish, are. Interrupts are off, or TASK. */
void weir_smmuv3_cmdq_publish(struct weir_smmuv3 *smmu);
/* GERROR.CMDQ_ERR is active: replace the command that was refused. Under gerror_lock. */
void weir_smmuv3_cmdq_repair(struct weir_smmuv3 *smmu);
/* Say what was repaired, or that it could not be: once after each repair. Under gerror_lock. */
void weir_smmuv3_cmdq_report(struct weir_smmuv3 *smmu);

/* ---- features.c ------------------------------------------------------------------------------ */

enum weir_smmuv3_field_kind {
	WEIR_SMMUV3_NUMBER,	  /* a limit, kept to */
	WEIR_SMMUV3_NEED,	  /* without it there is no driving it: checked */
	WEIR_SMMUV3_MOOT,	  /* how it behaves where this driver never leads it */
	WEIR_SMMUV3_FEATURE,	  /* may be there, may be used */
	WEIR_SMMUV3_FEATURE_IF_0, /* the same; there if the field is 0 */
};

struct weir_smmuv3_field {
	uint8_t reg; /* n of IDRn */
	uint8_t kind;
	bool part; /* of the last one before that is none: goes unnamed where that is not used */
	uint32_t mask;
	const char *name;
	bool (*used)(const struct weir_smmuv3 *smmu); /* NULL: no */
};

extern const struct weir_smmuv3_field weir_smmuv3_fields[];
extern const unsigned int weir_smmuv3_nr_fields;
/* SMMU_IDR0 to SMMU_IDR5. */
void weir_smmuv3_read_ids(struct weir_smmuv3 *smmu);
/* One line: what it has and is used, what it has and is not. */
void weir_smmuv3_log_features(struct weir_smmuv3 *smmu);

/* ---- events.c -------------------------------------------------------------------------------- */

int weir_smmuv3_eventq_init(struct weir_smmuv3 *smmu);
void weir_smmuv3_eventq_fini(struct weir_smmuv3 *smmu);
/* BASE, PROD, CONS; EVENTQEN is 0. */
void weir_smmuv3_eventq_program(struct weir_smmuv3 *smmu);
/* Report what is there; more than a queue full goes to a work item. Any context. */
void weir_smmuv3_eventq_drain(struct weir_smmuv3 *smmu);
/* A write aborted, or a message about one (7.2.2): look, though nobody told. Any context. */
void weir_smmuv3_eventq_aborted(struct weir_smmuv3 *smmu);

/* ---- decode.c -------------------------------------------------------------------------------- */

/* `fault` is all zero. */
void weir_smmuv3_decode(struct weir_smmuv3 *smmu, const uint64_t *record, struct weir_fault *fault);

/* ---- gerror.c -------------------------------------------------------------------------------- */

/* Look for global errors, report and acknowledge them. Any context. */
void weir_smmuv3_check_errors(struct weir_smmuv3 *smmu);

/* ---- irqs.c ---------------------------------------------------------------------------------- */

/* Choose: messages if they can be had, else wires; without any a word is said. TASK. */
void weir_smmuv3_irqs_init(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc);
/* The *_IRQ_CFG registers; IRQ_CTRL is 0 (6.3.21). */
void weir_smmuv3_irqs_program(struct weir_smmuv3 *smmu);
/* What IRQ_CTRL gets. */
uint32_t weir_smmuv3_irqs_enables(const struct weir_smmuv3 *smmu);
int weir_smmuv3_irqs_connect(struct weir_smmuv3 *smmu);
/* No handler runs on return, and no work of theirs. Harmless where there are none. TASK. */
void weir_smmuv3_irqs_disconnect(struct weir_smmuv3 *smmu);

/* ---- takeover.c ------------------------------------------------------------------------------ */

/* Streams as firmware left them, for weir_options.take_over. */
struct weir_smmuv3_firmware {
	uint64_t base;	 /* of its table; */
	uint32_t config; /* as the registers say */
	bool is_live;	 /* SMMUEN is 1, and streams are to be kept */
};

/* Before it is disabled. */
void weir_smmuv3_firmware_read(struct weir_smmuv3 *smmu, struct weir_smmuv3_firmware *firmware);
/* Copy the entries that can be kept; nobody is attached yet. -WEIR_ENOMEM. TASK. */
int weir_smmuv3_firmware_keep(struct weir_smmuv3 *smmu,
			      const struct weir_smmuv3_firmware *firmware);

/* ---- recover.c ------------------------------------------------------------------------------- */

/*
 * BASE, PROD, CONS; CMDQEN is 0. What was in it is forgotten; who waits for it hears -WEIR_EIO. It
 * is neither broken nor off any more. TASK.
 */
void weir_smmuv3_cmdq_program(struct weir_smmuv3 *smmu);
/* The work item exists from here on; stop() makes sure that it does not run, and never will. */
void weir_smmuv3_recovery_init(struct weir_smmuv3 *smmu);
void weir_smmuv3_recovery_stop(struct weir_smmuv3 *smmu);
/* It does nothing of use any more: calls fail at once, and a work item starts it anew. */
void weir_smmuv3_fail(struct weir_smmuv3 *smmu);
int weir_smmuv3_suspend(struct weir_iommu *iommu);
int weir_smmuv3_resume(struct weir_iommu *iommu);

#endif
