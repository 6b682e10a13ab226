/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_INTERNAL_H
#define WEIR_MODELS_SMMUV3_INTERNAL_H

/*
 * The SMMUv3 model, inside. Chapters and sections are IHI 0070 G.b's.
 *
 *   smmuv3.c      creation and destruction, statistics
 *   identity.c    ID registers: what they may say, and what they mean
 *   memory.c      accesses of the model's own
 *   regs.c        the register file
 *   secure.c      what of it is the Secure interface's alone; which accesses it allows (3.10)
 *   atos.c        translations that software asks for by register (chapter 9)
 *   irq.c         interrupts: lines, MSIs; global errors (3.18, 7.5)
 *   cmdq.c        the command queues: step(), CMD_SYNC
 *   ecmdq.c       the enhanced ones: their control pages
 *   commands.c    what commands name: CMD_CFGI_*, CMD_TLBI_*, CMD_PREFETCH_*
 *   eventq.c      events: records, their queue, merging
 *   lane.c        flights, epochs, the front of the translation cache
 *   translate.c   a transaction's way through
 *   config.c      where stream table entries and context descriptors are; their caches
 *   ste.c cd.c    what they say, and whether it is legal; geometry.h: the sizes of tables in both
 *   tables.c      what walks look at, derived from both
 *   walk.c        an address through its stages: the IOTLB, a quick walk, an exact one
 *   stage2.c      stage 2, of that and of the addresses at which the SMMU itself reads
 *   exact.c       VMSAv8-64 tables of all kinds, and their updates (3.13)
 *   attributes.c  memory attributes of both stages and of the stream, combined
 *   tlb.c         the IOTLB and the walk caches: tags, scope of invalidations
 *   cache.c       where these, STEs and CDs are kept
 *   adversary.c   what the adversarial caches do at will
 *   census.c      what a command would take out of the caches
 *   stall.c       transactions held back (3.12.2)
 *   ats.c         translation requests, translated transactions, invalidations of ATCs (3.9)
 *   priq.c        page requests (chapter 8)
 *   pmcg.c        the performance monitor (chapter 10)
 *
 * Threads: transactions come from many, register accesses from many, step() from one at a time.
 *
 * Registers are single words, read and written as atomics. Writes that depend on others (the guards
 * of 6.2) are made under `lock`; the queue indexes of software (CMDQ_PROD, EVENTQ_CONS, PRIQ_CONS)
 * are not, so that no CPU waits for a command; nor is SMMU_ECMDQ_PROD while its queue stays
 * enabled. step() holds `lock` while it executes one command: a
 * write of CR0 that disables the queue returns when the command is consumed (6.3.9.3). Each output
 * queue has a lock for its writers.
 *
 * Lock order: lock, the stalls' or ATS's, an output queue's (events before page requests), a set of
 * a cache, the crowd's; the performance monitor's comes last. None is held when the host or a
 * client is called, but for its memory (load64, store64, cas64, window) and the runner (kick).
 * Interrupts are pending bits (irq.c), sent when all locks are dropped: an MSI may reach these very
 * registers. No flight waits for `lock`, and nothing is waited for under one.
 *
 * Flights and epochs: lane.h. Events of terminated transactions are written before their flight
 * lands, so that CMD_SYNC makes them visible (4.7.3).
 */

#include <weir/model/smmuv3.h>

#include "smmuv3/cache.h"
#include "smmuv3/lane.h"
#include "smmuv3/memory.h"
#include "smmuv3/tables.h"

/* What the ID registers say, decoded. Constant after creation. */
struct smmu_features {
	uint8_t minor;	  /* SMMUv3.minor */
	uint8_t oas, ias; /* bits (3.4) */
	uint8_t vax;	  /* largest input of stage 1, bits: 48 or 52 */
	uint8_t sid_bits, ssid_bits;
	uint8_t cmdqs, eventqs, priqs; /* log2 of the largest sizes */
	uint8_t ecmdq_pages, ecmdqs;   /* log2 of control pages, of queues in each */
	uint8_t granules;	       /* bit n: 4 KiB << 2n */
	uint8_t httu;		       /* WEIR_SMMU_IDR0_HTTU_* */
	uint8_t stall_model;	       /* WEIR_SMMU_IDR0_STALL_MODEL_* */
	uint8_t endian;		       /* WEIR_SMMU_IDR0_TTENDIAN_* */
	uint16_t stall_max;
	bool stage1, stage2, hyp, two_level, cd2l, asid16, vmid16, coherent, btm;
	bool ats, ns1ats, atsrecerr, pri, msi, sev, vmw, term_model;
	bool had, xnx, pps, fwb, stt, ril, e0pd, ptwnnc, ds;
	bool attr_types_ovr, attr_perms_ovr, ecmdq;
	bool secure, s_msi, sams; /* there is a Secure interface; SMMU_S_IDR0.MSI, SMMU_S_IDR3 */
	uint8_t s_sid_bits;
	bool atos;
	uint64_t vatos_page;  /* the offset of its registers; 0: none */
	bool reject_reserved; /* of the configuration: RES0 bits make structures ILLEGAL */
};

/* An output queue: events, or page requests. `lock` orders its writers. */
struct smmu_outq {
	pthread_mutex_t lock;
	uint64_t base;	     /* SMMU_*_BASE */
	uint32_t prod, cons; /* with OVFLG, OVACKFLG */
	uint64_t written, lost;
	/* The last record, for merging (7.3.1). Under `lock`. */
	uint64_t last[WEIR_SMMU_EVT_WORDS];
	bool last_valid;
	bool overflowed; /* the last one that was not written met a full queue (7.4, 8.1) */
};

/* Where an interrupt goes (3.18.1): SMMU_*_IRQ_CFG0 to 2. */
struct smmu_msi {
	uint64_t cfg0; /* ADDR; 0: no MSI */
	uint32_t cfg1, cfg2;
};

/* A command queue: the bank's own, or an enhanced one. `cons` is written under `lock`. */
struct smmu_cmdq {
	struct smmu_bank *bank;
	uint64_t base;	       /* SMMU_CMDQ_BASE, SMMU_ECMDQ_BASE */
	uint32_t prod, cons;   /* with EN, ERRACK, ENACK, ERR and the reason of an error */
	struct smmu_sync sync; /* of the CMD_SYNC that waits, if one does. Under `lock` */
	bool sync_dropped;     /* the queue was disabled meanwhile: another one waits, if any */
	bool atc_failed; /* a CMD_ATC_INV since the last CMD_SYNC timed out. Under ATS's lock */
};

/* Invalidations that wait for what has to see their effect: commands.c. Under `lock`. */
struct smmu_put_off {
	struct smmu_deferred {
		const struct smmu_cmdq *queue;
		uint64_t command[WEIR_SMMU_CMD_WORDS];
	} commands[16];
	unsigned int count;
};

/* ecmdq.c. Queues are numbered: 0 is the bank's own. */
struct smmu_ecmdqs {
	uint32_t turn;		  /* the queue that comes next. step() alone */
	uint32_t enabled;	  /* of the enhanced: EN or ENACK. Under `lock` */
	uint32_t late;		  /* of these: one is not the other yet. Under `lock` */
	uint32_t count;		  /* with the bank's own; constant */
	uint64_t *ready;	  /* a bit each: there may be something to do. Atomics */
	uint64_t *waits;	  /* a bit each: to be looked at by the next step(). step() alone */
	struct smmu_cmdq *queues; /* the enhanced */
};

/*
 * A group of ATOS registers (9.1). Written under `lock`; `run` is cleared after `par` is written.
 */
struct smmu_atos {
	uint32_t run;
	uint64_t sid, addr, par;
};

/*
 * The programming interface of one Security state. cr0, irq_ctrl and gbpa are what is in effect,
 * and acknowledged (6.3.9): SMMU_CR0ACK, SMMU_IRQ_CTRLACK. What software asked for, and reads back
 * from SMMU_CR0, counts for guards alone: neither says that they are down.
 */
struct smmu_bank {
	struct weir_model_smmuv3 *smmu;
	uint32_t cr0, cr1, cr2, irq_ctrl, gbpa, gerror, gerrorn;
	uint32_t cr0_asked, irq_ctrl_asked, gbpa_asked; /* the last with Update, or 0: none */
	uint32_t stall_model; /* WEIR_SMMU_IDR0_STALL_MODEL_*, as it is for this state (3.12) */
	uint32_t strtab_base_cfg;
	uint64_t strtab_base;
	struct smmu_msi gerror_msi, eventq_msi, priq_msi;
	struct smmu_cmdq cmdq;
	struct smmu_ecmdqs ecmdqs;
	struct smmu_cmdq *served; /* whose command is executed. Under `lock` */
	struct smmu_outq eventq, priq;
	uint64_t commands, syncs;
	struct smmu_put_off put_off;
	struct smmu_atos gatos, vatos;
	uint32_t vatos_sel;
	uint32_t irqs; /* enabled, pending and being sent: -> irq.c */
};

struct smmu_stalls; /* stall.c */
struct smmu_ats;    /* ats.c */
struct smmu_pmcg;   /* pmcg.c */

struct weir_model_smmuv3 {
	struct smmu_memory memory;
	struct smmu_flights flights;
	struct smmu_features features;
	struct smmu_bank ns;	 /* the Non-secure interface */
	struct smmu_bank s;	 /* the Secure one; idle if features.secure is not set */
	uint32_t invalidate_all; /* SMMU_S_INIT: INV_ALL is still to be done */
	bool secure_first;	 /* whose commands come first. step() alone */

	uint32_t idr[7], iidr, aidr, s_idr[5];
	enum weir_model_smmuv3_caches caching;
	bool never_merges; /* events */
	uint64_t seed;	   /* of the adversary; atomic */

	struct smmu_cache stes, cds, tlb, walks;
	/* Of the IOTLB, [1] of stage 2 alone; never cleared. Atomics. -> tlb.c */
	uint64_t tlb_sizes[2];	    /* bit n: entries of 2^n bytes were inserted */
	uint64_t tlb_leaves[2][64]; /* for a size: bit n: ... out of leaves of 2^n bytes */
	bool tlb_globals;	    /* global entries were inserted */

	struct weir_model_stepper stepper;
	pthread_mutex_t lock;
	const struct weir_model_smmuv3_client_ops *client;
	void *client_opaque;
	struct smmu_stalls *stalls;
	struct smmu_ats *ats;
	struct smmu_pmcg *pmcg; /* NULL: none */
};

/* One transaction on its way; also what a prefetch makes up. */
struct smmu_access {
	struct weir_model_smmuv3 *smmu;
	struct smmu_bank *bank;
	struct smmu_lane *lane; /* what it counts in: -> smmu_count() */
	uintptr_t flight;	/* -> weir_model_smmu_end() */
	uint64_t epoch;		/* what it learns is kept in this epoch (lane.h) */
	uint64_t config_epoch;
	uint64_t va; /* InputAddr, as it came */
	uint32_t sid, ssid;
	uint16_t flags;	     /* WEIR_MODEL_TXN_*; after the STE's overrides once those are known */
	uint16_t attributes; /* WEIR_MODEL_ATTR_*, as it came */
	bool silent; /* speculation: records nothing, stalls nothing, updates nothing (4.2) */
	/*
	 * Updates nothing, but gets what it would get if it did (9, HTTUI). What it learns is not
	 * kept.
	 */
	bool passive;
	/* Of a transaction that is counted: a bit for each WEIR_SMMU_PMCG_*_MISS; else NULL. */
	uint8_t *misses;
};

/* Why an access ends. */
struct smmu_fault {
	uint8_t type;  /* WEIR_SMMU_EVT_*; 0: nothing is recorded */
	uint8_t class; /* WEIR_SMMU_EVT_CLASS_*, of those that have one */
	bool stage2;   /* S2: the fault is stage 2's; `ipa` says of what */
	uint64_t ipa;
	uint64_t fetch;	 /* FetchAddr */
	uint64_t reason; /* further fields, in place in word 1 (TTRnW, Span, ...) */
};

static inline bool smmu_is_secure(const struct smmu_bank *bank)
{
	return bank == &bank->smmu->s;
}

/* Are there MSIs, of this Security state's sources (3.18)? */
static inline bool smmu_has_msi(const struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;

	return smmu_is_secure(bank) ? features->s_msi : features->msi;
}

/* ATS and PRI are the Non-secure interface's alone (3.9). */
static inline bool smmu_has_pri(const struct smmu_bank *bank)
{
	return bank->smmu->features.pri && !smmu_is_secure(bank);
}

static inline unsigned int smmu_sid_bits(const struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;

	return smmu_is_secure(bank) ? features->s_sid_bits : features->sid_bits;
}

/* 4.1.6: whose streams a command means. SSec is legal on the Secure queue alone. */
static inline struct smmu_bank *smmu_named_bank(struct smmu_bank *bank, const uint64_t *cmd)
{
	return cmd[0] & WEIR_SMMU_CMD_0_SSEC ? &bank->smmu->s : &bank->smmu->ns;
}

static inline uint32_t smmu_reg(const uint32_t *reg)
{
	/*
	 * At least acquire, for smmu_reg_set(); queue indexes are ordered with each other as well.
	 */
	return __atomic_load_n(reg, __ATOMIC_SEQ_CST);
}

static inline void smmu_reg_set(uint32_t *reg, uint32_t value)
{
	__atomic_store_n(reg, value, __ATOMIC_RELEASE);
}

static inline uint64_t smmu_reg64(const uint64_t *reg)
{
	return __atomic_load_n(reg, __ATOMIC_ACQUIRE);
}

static inline void smmu_reg64_set(uint64_t *reg, uint64_t value)
{
	__atomic_store_n(reg, value, __ATOMIC_RELEASE);
}

static inline uint64_t smmu_low_bits(unsigned int bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

/* A lane's thread counts without a locked instruction. */
static inline void smmu_count(const struct smmu_access *access, uint64_t *counter)
{
	if (access->lane->shared)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
	else
		__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* A counter that is changed under a lock and read without. */
static inline void smmu_count_locked(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* 4.1.6: bits of the IPAs and physical addresses in commands; what is above is RES0. */
static inline unsigned int smmu_command_bits(const struct smmu_features *features)
{
	return features->minor ? 52 : 48;
}

/* 4.7.3: MSIAddress. */
static inline uint64_t smmu_sync_address(const struct smmu_bank *bank, const uint64_t *cmd)
{
	return cmd[1] & WEIR_SMMU_CMD_SYNC_1_MSIADDR &
	       smmu_low_bits(smmu_command_bits(&bank->smmu->features));
}

/* 3.5.1: entries in a queue of 2^log2size; more than its size if the indexes are inconsistent. */
static inline uint32_t smmu_queue_fill(uint32_t prod, uint32_t cons, unsigned int log2size)
{
	return (prod - cons) & (uint32_t)smmu_low_bits(log2size + 1);
}

/* LOG2SIZE is capped (6.3.26, 6.3.29). */
static inline unsigned int smmu_queue_log2size(uint64_t base, unsigned int max)
{
	unsigned int log2size = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);

	return log2size < max ? log2size : max;
}

/* The bits of an index above the wrap bit read as zero where the SMMU owns it (6.3.28, 6.3.95). */
static inline uint32_t smmu_own_index(uint32_t index, uint64_t base, unsigned int max)
{
	unsigned int log2size = smmu_queue_log2size(base, max);

	return index & (uint32_t)(~WEIR_SMMU_Q_INDEX | smmu_low_bits(log2size + 1));
}

/* The base is aligned to the larger of the queue's size and 32 bytes (6.3.26, 6.3.29). */
static inline uint64_t smmu_queue_base(uint64_t base, uint64_t bytes)
{
	return base & WEIR_SMMU_Q_BASE_ADDR & ~(bytes - 1);
}

static inline bool smmu_fault(struct smmu_fault *fault, uint8_t type)
{
	fault->type = type;
	return false;
}

/* ---- identity.c ------------------------------------------------------------------------- */

/* False: a line on stderr says what is wrong. Reads idr, iidr, aidr; fills in features. */
bool weir_model_smmu_identify(struct weir_model_smmuv3 *smmu,
			      const struct weir_model_smmuv3_config *config);

/* ---- regs.c ----------------------------------------------------------------------------- */

/* The values after reset (6.3); gbpa is the configuration's. */
void weir_model_smmu_reset_bank(struct smmu_bank *bank, uint32_t gbpa);
/*
 * A word of a bank's registers, at the offset that those of the Non-secure interface have. Of
 * writes, `lock` is held; those of an index need none: write_index() does these alone, and is false
 * if it was of another.
 */
uint32_t weir_model_smmu_read_word(struct smmu_bank *bank, uint64_t offset);
void weir_model_smmu_write_word(struct smmu_bank *bank, uint64_t offset, uint32_t value);
bool weir_model_smmu_write_index(struct smmu_bank *bank, uint64_t offset, uint32_t value);
/*
 * Updates that were asked for and are not acknowledged yet (CR0, IRQ_CTRL, GBPA) take effect: with
 * adversarial caches only now, else there are none, but for an IRQ_CTRL that waits for the end of
 * an MSI. step() calls it. `lock` is held.
 */
void weir_model_smmu_acknowledge(struct smmu_bank *bank);

/* ---- secure.c --------------------------------------------------------------------------- */

/* Of SMMU_S_*: the same three, with the offset that is the access's. They are the Secure bank's. */
uint32_t weir_model_smmu_secure_read(struct weir_model_smmuv3 *smmu, uint64_t offset);
void weir_model_smmu_secure_write(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value);
bool weir_model_smmu_secure_index(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value);
/* Does SMMU_S_INIT.INV_ALL, if it is to be done. `lock` is held. */
void weir_model_smmu_invalidate_all(struct weir_model_smmuv3 *smmu);

static inline bool smmu_is_secure_register(uint64_t offset)
{
	return offset >= WEIR_SMMU_SECURE && offset < WEIR_SMMU_SECURE_END;
}

/* ---- atos.c ----------------------------------------------------------------------------- */

/* A word of one of its registers; false: `offset` is of none. Of writes, `lock` is held. */
bool weir_model_smmu_atos_read(struct smmu_bank *bank, uint64_t offset, uint32_t *value);
bool weir_model_smmu_atos_write(struct smmu_bank *bank, uint64_t offset, uint32_t value);
/* Translates what was asked for. step() calls it; `lock` is held. */
void weir_model_smmu_run_atos(struct smmu_bank *bank);
/* SMMUEN was cleared: what is asked for ends with INTERNAL_ERR (6.3.9.6). `lock` is held. */
void weir_model_smmu_end_atos(struct smmu_bank *bank);

/* ---- irq.c ------------------------------------------------------------------------------ */

/* 7.5: activates a global error unless it is active already. Any lock may be held. */
void weir_model_smmu_global_error(struct smmu_bank *bank, uint32_t error);
bool weir_model_smmu_error_active(const struct smmu_bank *bank, uint32_t error);
/* Makes an interrupt pending, if it is enabled (3.18). Any lock may be held. */
void weir_model_smmu_raise(struct smmu_bank *bank, enum weir_model_smmuv3_line line);
/*
 * Sends what is pending: the wire, and the MSI if there is one (3.18.2). No lock is held. Everyone
 * who may have made something pending calls it before they return to the embedder; an MSI that
 * aborts is a global error (7.5).
 */
void weir_model_smmu_send_irqs(struct smmu_bank *bank);
/* The signal of a CMD_SYNC that was consumed (4.7.3). step() alone; no lock is held. */
void weir_model_smmu_signal_sync(struct smmu_bank *bank, const uint64_t *cmd);
/*
 * Of the sources `which` (WEIR_SMMU_IRQ_CTRL_*, SMMU_IRQ_PMCG) enables exactly those of irq_ctrl;
 * what is pending of the others is dropped. Returns those of the others that are being sent this
 * moment. `lock` is held.
 */
uint32_t weir_model_smmu_enable_irqs(struct smmu_bank *bank, uint32_t which, uint32_t irq_ctrl);
/* The performance monitor's source, which IRQ_CTRL knows nothing of. */
#define SMMU_IRQ_PMCG ((uint32_t)1 << 31)

/* ---- cmdq.c, commands.c, ecmdq.c -------------------------------------------------------- */

unsigned int weir_model_smmu_step(struct weir_model_stepper *stepper, unsigned int budget);

enum smmu_outcome {
	SMMU_CONSUMED,
	SMMU_ILLEGAL,	/* CERROR_ILL */
	SMMU_WAITING,	/* stays in the queue: CMD_SYNC, for flights and ATC invalidations */
	SMMU_ATC_ERROR, /* CERROR_ATC_INV_SYNC: a CMD_SYNC whose CMD_ATC_INV timed out */
};

/* Everything but CMD_SYNC. `lock` is held. */
enum smmu_outcome weir_model_smmu_execute(struct smmu_cmdq *queue, const uint64_t *cmd);
/* What it would invalidate, into the census of the caches. `lock` is held. */
void weir_model_smmu_rehearse(struct smmu_bank *bank, const uint64_t *cmd);
/*
 * CMD_SYNC's first act: what was put off of its queue's invalidations (adversarial caches). `lock`
 * is held.
 */
void weir_model_smmu_catch_up(struct smmu_cmdq *queue);

/* The enhanced queues, and the bookkeeping of all. -WEIR_ENOMEM. fini: also of what never was. */
int weir_model_smmu_ecmdqs_init(struct smmu_bank *bank);
void weir_model_smmu_ecmdqs_fini(struct smmu_bank *bank);
/* Where the control pages are, from page 0: behind all else. */
uint64_t weir_model_smmu_control_pages(const struct smmu_features *features);
/* A word of them, or of the registers that tell where they are. False: it is not. */
bool weir_model_smmu_ecmdq_read(const struct smmu_bank *bank, uint64_t offset, uint32_t *value);
bool weir_model_smmu_ecmdq_write(struct smmu_bank *bank, uint64_t offset, uint32_t value);
/* SMMU_ECMDQ_PROD where no lock is needed: of a queue that is enabled, and is to stay so. */
bool weir_model_smmu_ecmdq_produce(struct smmu_bank *bank, uint64_t offset, uint32_t value);
/* As weir_model_smmu_acknowledge(): EN becomes ENACK. `lock` is held. */
void weir_model_smmu_ecmdqs_acknowledge(struct smmu_bank *bank);

static inline bool smmu_is_enhanced(const struct smmu_cmdq *queue)
{
	return queue != &queue->bank->cmdq;
}

/* ---- eventq.c --------------------------------------------------------------------------- */

/*
 * Records a fault, unless access->silent. The stall fields are of a transaction that is held back.
 * Without `stall`, a record that cannot be written is lost, and counted. With it: false says that
 * the queue is not writable (7.2.1), or that the write aborted; the transaction is retried from
 * weir_model_smmu_retry_stall_events(). Of F_BAD_ATS_TREQ, R, W, X and P are made from
 * access->flags, which therefore are as they came. No output queue's lock is held.
 */
bool weir_model_smmu_event(const struct smmu_access *access, const struct smmu_fault *fault,
			   bool stall, uint16_t stag, bool merge);
/* 7.2.1: might an event be recorded now? */
bool weir_model_smmu_events_writable(const struct smmu_bank *bank);
/*
 * Puts a page request into its queue. False: it is lost, and priq.overflowed says whether because
 * the queue was full. Handles full, inconsistent and disabled queues (SMMUEN == 0 disables it),
 * OVFLG and the aborts of 8.1 and 8.2; raises the interrupt; counts. priq.lock is held.
 */
bool weir_model_smmu_put_request(struct smmu_bank *bank, const uint64_t *entry);

/* ---- lane.c ----------------------------------------------------------------------------- */

/* -WEIR_ENOMEM. fini: also of what was set up in part. */
int weir_model_smmu_flights_init(struct weir_model_smmuv3 *smmu);
void weir_model_smmu_flights_fini(struct weir_model_smmuv3 *smmu);
/* Around anything that changes what a transaction would get; `config`: STEs, CDs or registers. */
void weir_model_smmu_change_begin(struct weir_model_smmuv3 *smmu, bool config);
void weir_model_smmu_change_end(struct weir_model_smmuv3 *smmu, bool config);
/* May what an access of this epoch learnt be kept? Under the lock that orders it with removals. */
bool weir_model_smmu_epoch_current(const struct weir_model_smmuv3 *smmu, uint64_t epoch);
/* While `on`, each transaction is counted by the performance monitor (lane.h). `lock` is held. */
void weir_model_smmu_set_counting(struct weir_model_smmuv3 *smmu, bool on);
/*
 * CMD_SYNC: opens an epoch; later, whether all flights of older ones have landed. Any number may
 * be between begin and end at once. step() alone.
 */
void weir_model_smmu_sync_begin(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync);
bool weir_model_smmu_sync_landed(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync);
void weir_model_smmu_sync_end(struct weir_model_smmuv3 *smmu, struct smmu_sync *sync);
/* Begins a flight, of the crowd if `detached`; the epoch counts for what it keeps. */
uintptr_t weir_model_smmu_begin(struct weir_model_smmuv3 *smmu, bool detached, uint64_t *epoch);
void weir_model_smmu_end(struct weir_model_smmuv3 *smmu, uintptr_t flight);
/* A flight landed while CMD_SYNC waited. */
void weir_model_smmu_kick_landed(struct weir_model_smmuv3 *smmu);
/*
 * Flights of what the model does by itself (prefetches). fly() fills in smmu, bank, lane,
 * flight and the epochs of an access; land() may kick.
 */
void weir_model_smmu_fly(struct smmu_bank *bank, struct smmu_access *access);
void weir_model_smmu_land(const struct smmu_access *access);
void weir_model_smmu_add_counters(struct weir_model_smmuv3 *smmu, struct smmu_counters *sum);

/* ---- config.c, ste.c, cd.c -------------------------------------------------------------- */

/* The configuration caches; `caching` is set. -WEIR_ENOMEM. fini: also of what was never set up. */
int weir_model_smmu_config_init(struct weir_model_smmuv3 *smmu);
void weir_model_smmu_config_fini(struct weir_model_smmuv3 *smmu);
/* False: the access is terminated; `fault` says how. */
bool weir_model_smmu_find_ste(const struct smmu_access *access, struct smmu_ste *ste,
			      struct smmu_fault *fault);
/*
 * `ssid` is the CD's index, 0 for none. Under stage 2 the CD's address is an IPA (3.4.3, 7.3.12).
 */
bool weir_model_smmu_find_cd(const struct smmu_access *access, const struct smmu_ste *ste,
			     uint32_t ssid, struct smmu_cd *cd, struct smmu_fault *fault);
/* 5.2.2, 5.4.2. False: C_BAD_STE, C_BAD_CD. */
bool weir_model_smmu_decode_ste(const struct smmu_bank *bank, const uint64_t *words,
				struct smmu_ste *ste);
bool weir_model_smmu_decode_cd(const struct smmu_bank *bank, const struct smmu_ste *ste,
			       const uint64_t *words, struct smmu_cd *cd);
/*
 * CMD_CFGI_*, between change_begin() and change_end(): streams first to last, inclusive. STEs take
 * the CDs found through them along. `leaf`: L1STDs or L1CDs may stay.
 */
void weir_model_smmu_invalidate_stes(struct smmu_bank *bank, uint64_t first, uint64_t last,
				     bool leaf);
/* All CDs of a stream with ssid SMMU_ALL_SSIDS. */
#define SMMU_ALL_SSIDS 0xffffffffu
void weir_model_smmu_invalidate_cds(struct smmu_bank *bank, uint32_t sid, uint32_t ssid, bool leaf);

/* ---- tables.c, walk.c, stage2.c, attributes.c -------------------------------------------- */

/*
 * Derive what walks look at, after all else of the STE or CD was decoded; the structure's own
 * fields (wxn, pan, s2fwb, ...) are read. Halves that are `disabled` need no other field.
 */
void weir_model_smmu_finish_ste(const struct smmu_features *features, struct smmu_ste *ste);
void weir_model_smmu_finish_cd(const struct smmu_ste *ste, struct smmu_cd *cd);
/*
 * Translates an address of a stream through the stages of `context`, by the IOTLB or by a walk;
 * false: a fault of 7.3.12 to 7.3.16. Permissions are checked, and access and dirty state updated
 * (3.13) unless the access is silent. `out` is what holds for the range; for an ATS_REQUEST faults
 * of permission are not faults, and `out` says what is allowed.
 */
bool weir_model_smmu_translate_address(const struct smmu_access *access,
				       const struct smmu_context *context,
				       struct smmu_translation *out, struct smmu_fault *fault);
/*
 * The same through stage 1 alone, of a nested context: `out` is of intermediate addresses, and no
 * entry of the IOTLB's. Faults of stage 2 are those of the tables' addresses.
 */
bool weir_model_smmu_translate_to_ipa(const struct smmu_access *access,
				      const struct smmu_context *context,
				      struct smmu_translation *out, struct smmu_fault *fault);
/*
 * Address and attributes at once, of an ordinary transaction that only a walk can translate, and a
 * usual one; false: nothing was done.
 */
bool weir_model_smmu_walk_through(const struct smmu_access *access,
				  const struct smmu_context *context,
				  struct weir_model_translation *out);
/*
 * Stage 2 alone, of where a CD (or an L1CD) is read: IPA to physical address.
 */
bool weir_model_smmu_translate_cd(const struct smmu_access *access, const struct smmu_ste *ste,
				  uint64_t ipa, uint64_t *pa, struct smmu_fault *fault);
/* 13.1.5, DDI 0487: of the stages, the stream's overrides and what came in: WEIR_MODEL_ATTR_*. */
uint32_t weir_model_smmu_attributes(const struct smmu_access *access, const struct smmu_ste *ste,
				    const struct smmu_translation *translation);
/* SMMUEN == 0: GBPA's. */
uint32_t weir_model_smmu_bypass_attributes(uint32_t gbpa, const struct smmu_access *access);

/* ---- tlb.c ------------------------------------------------------------------------------ */

/* IOTLB and walk caches; `caching` is set. -WEIR_ENOMEM. fini: also of what was never set up. */
int weir_model_smmu_tlb_init(struct weir_model_smmuv3 *smmu, unsigned int entries);
void weir_model_smmu_tlb_fini(struct weir_model_smmuv3 *smmu);

/* What tags an entry, whatever its address. */
struct smmu_tag {
	uint8_t world;
	bool stage2; /* IPA to PA alone: no ASID */
	uint16_t vmid, asid;
	bool aset;
};

/* That of what comes out of all stages of a context. */
static inline struct smmu_tag smmu_context_tag(const struct smmu_context *context)
{
	return (struct smmu_tag){
		.world = context->ste.world,
		.stage2 = !context->stage1,
		.vmid = context->ste.vmid,
		.asid = context->stage1 ? context->cd.asid : 0,
		.aset = context->stage1 && context->cd.aset,
	};
}

/* An invalidation (4.4). */
struct smmu_tlb_scope {
	uint64_t worlds;		/* bit per enum smmu_world */
	uint64_t first, last;		/* addresses, inclusive; used if `by_address` */
	uint8_t granule;		/* TG: log2 of bytes; 0: of any tables */
	uint8_t level;			/* TTL: of the leaf; 0: of any */
	uint16_t vmid, vmid_mask, asid; /* vmid_mask: CR0.VMW's wildcard */
	bool by_vmid, by_asid, by_address;
	bool stage1;	/* entries of stage 1, and of both */
	bool stage2;	/* entries of stage 2 alone */
	bool leaf_only; /* Leaf == 1: walk caches may stay */
};

/*
 * `addr` is whole: a VA with its sign in all bits above, of a top byte that is ignored too; or an
 * IPA. `granule`: the smallest of all stages', log2 of bytes.
 */
bool weir_model_smmu_tlb_find(struct weir_model_smmuv3 *smmu, const struct smmu_tag *tag,
			      unsigned int granule, uint64_t addr, struct smmu_translation *out);
void weir_model_smmu_tlb_insert(const struct smmu_access *access, const struct smmu_tag *tag,
				uint64_t addr, const struct smmu_translation *translation);
/* Between change_begin() and change_end(). */
void weir_model_smmu_tlb_invalidate(struct weir_model_smmuv3 *smmu,
				    const struct smmu_tlb_scope *scope);

/* A table on the way down, for the walk caches (adversarial). */
struct smmu_walk_step {
	uint64_t table;	     /* its address; under stage 2, of stage 1's, an intermediate one */
	uint64_t attributes; /* gathered from the table descriptors above, in their places */
	int8_t level;	     /* of the table */
};
/* The deepest below the first table that is known for an address (whole, as above). */
bool weir_model_smmu_walk_find(struct weir_model_smmuv3 *smmu, const struct smmu_tag *tag,
			       const struct smmu_tables *tables, uint64_t addr,
			       struct smmu_walk_step *out);
/* Of the table that an entry of the walk caches leads to; `key` as it is kept. */
unsigned int weir_model_smmu_walk_level(const uint64_t *key);
void weir_model_smmu_walk_insert(const struct smmu_access *access, const struct smmu_tag *tag,
				 const struct smmu_tables *tables, uint64_t addr,
				 const struct smmu_walk_step *step);

/* ---- translate.c ------------------------------------------------------------------------ */

/*
 * Everything that applies to an access's stream and substream, from the lane's contexts or from
 * memory; NULL: it is terminated, `fault` says how. The answer is in `room` or in the lane, and
 * good until the access ends. Applies INSTCFG and PRIVCFG to the access.
 */
const struct smmu_context *weir_model_smmu_find_context(struct smmu_access *access,
							struct smmu_context *room,
							struct smmu_fault *fault);
/* All of it but the STE, which is there; no overrides. False: it is terminated. */
bool weir_model_smmu_finish_context(const struct smmu_access *access, struct smmu_context *context,
				    struct smmu_fault *fault);
/* INSTCFG and PRIVCFG (5.2). */
void weir_model_smmu_override_flags(struct smmu_access *access, const struct smmu_ste *ste);
/*
 * Through the stages of a context, and their faults by their model (stall.c): an ordinary
 * transaction's, and one of split-stage ATS. Fills in `out` but for the flight.
 */
enum weir_model_result weir_model_smmu_go_through(const struct smmu_access *access,
						  const struct smmu_context *context,
						  struct weir_model_translation *out);
/* As a prefetch does (4.2): configuration, and with `address` the translation as well. */
void weir_model_smmu_prefetch(struct smmu_bank *bank, uint32_t sid, bool has_ssid, uint32_t ssid,
			      bool address, uint64_t va);

/* ---- adversary.c ------------------------------------------------------------------------ */

/* After a transaction, with its flight still up: prefetches around it. Adversarial caches alone. */
void weir_model_smmu_adversary(const struct smmu_access *access,
			       const struct smmu_context *context);

/* ---- stall.c ---------------------------------------------------------------------------- */

int weir_model_smmu_stalls_init(struct weir_model_smmuv3 *smmu);
void weir_model_smmu_stalls_fini(struct weir_model_smmuv3 *smmu);
/*
 * A fault of an ordinary transaction, or of one that split-stage ATS sends through stage 2, once
 * its STE is known (3.12, 5.5): recorded, and terminated or stalled as CD.ARS, S2R, S2S, S1STALLD,
 * STALL_MODEL and the client have it. Sets out->stag where it answers STALLED. Of a fault at stage
 * 2 `context` needs the STE alone.
 */
enum weir_model_result weir_model_smmu_fault_model(const struct smmu_access *access,
						   const struct smmu_context *context,
						   const struct smmu_fault *fault,
						   struct weir_model_translation *out);
/*
 * CMD_RESUME, CMD_STALL_TERM of a bank's queue. `lock` is held; clients are told from
 * send_resumes(), without.
 */
enum smmu_outcome weir_model_smmu_resume(struct smmu_bank *bank, const uint64_t *cmd);
enum smmu_outcome weir_model_smmu_stall_term(struct smmu_bank *bank, const uint64_t *cmd);
/* Tells the clients what was decided. No lock is held; who may have decided something calls it. */
void weir_model_smmu_send_resumes(struct weir_model_smmuv3 *smmu);
/*
 * SMMUEN was cleared: what is stalled is terminated, and nothing stalls any more (6.3.9.6). cr0
 * says so already; `lock` is held.
 */
void weir_model_smmu_stalls_disabled(struct smmu_bank *bank);
/*
 * The event queue may have become writable (CONS moved, EVENTQEN, an acknowledged EVENTQ_ABT_ERR):
 * transactions that stalled and could not be recorded are retried (3.12.2, 7.2.1). Tells the
 * clients; no lock is held.
 */
void weir_model_smmu_retry_stall_events(struct smmu_bank *bank);

/* ---- ats.c, priq.c ---------------------------------------------------------------------- */

int weir_model_smmu_ats_init(struct weir_model_smmuv3 *smmu);
void weir_model_smmu_ats_fini(struct weir_model_smmuv3 *smmu);
/* An ATS_REQUEST or TRANSLATED transaction, in flight; the answer as translate() gives it. */
enum weir_model_result weir_model_smmu_ats(struct smmu_access *access,
					   struct weir_model_translation *out);
/*
 * CMD_ATC_INV, CMD_PRI_RESP. `lock` is held; clients are told from send_ats(), without. WAITING:
 * too much is outstanding; the stepper is kicked when there is room.
 */
enum smmu_outcome weir_model_smmu_atc_inv(struct smmu_bank *bank, const uint64_t *cmd);
enum smmu_outcome weir_model_smmu_pri_resp(struct smmu_bank *bank, const uint64_t *cmd);
void weir_model_smmu_send_ats(struct weir_model_smmuv3 *smmu);
/*
 * For CMD_SYNC: CONSUMED when all invalidations of its queue are answered, else WAITING or
 * ATC_ERROR, which is said once.
 */
enum smmu_outcome weir_model_smmu_ats_sync(struct smmu_cmdq *queue);
/*
 * An error of configuration that ends a translation request, a translated transaction or a check of
 * PPAR: recorded if CR2.REC_CFG_ATS asks for it (3.9.1.2, 3.9.1.3, 8.1).
 */
void weir_model_smmu_ats_error(const struct smmu_access *access, const struct smmu_fault *fault);

/* ---- pmcg.c ----------------------------------------------------------------------------- */

#define SMMU_PMCG_COUNTERS 64u

/* -WEIR_ENOMEM. fini: also of what never was. */
int weir_model_smmu_pmcg_init(struct weir_model_smmuv3 *smmu, unsigned int counters);
void weir_model_smmu_pmcg_fini(struct weir_model_smmuv3 *smmu);
/* An event (10.3), of an access or of none: NULL. It may make the interrupt pending. Any lock. */
void weir_model_smmu_pmcg_count(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
				unsigned int event);
/* A transaction that is counted, which came with these flags, and what it met. */
void weir_model_smmu_pmcg_transaction(const struct smmu_access *access, uint16_t flags);
/* As weir_model_smmu_acknowledge(). `lock` is held. */
void weir_model_smmu_pmcg_acknowledge(struct weir_model_smmuv3 *smmu);
/* For irq.c: where its interrupt goes; and that the MSI aborted. */
const struct smmu_msi *weir_model_smmu_pmcg_msi(const struct weir_model_smmuv3 *smmu);
void weir_model_smmu_pmcg_msi_aborted(struct weir_model_smmuv3 *smmu);

/* An access of the model's own: an event, and what a transaction missed for it. */
static inline void smmu_monitor(const struct smmu_access *access, unsigned int event,
				unsigned int miss)
{
	if (WEIR_LIKELY(!(access->config_epoch & SMMU_CONFIG_COUNTING)))
		return;
	weir_model_smmu_pmcg_count(access->smmu, access, event);
	if (access->misses && !access->silent)
		*access->misses |= (uint8_t)(1u << miss);
}

#endif
