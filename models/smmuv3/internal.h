/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_INTERNAL_H
#define WEIR_MODELS_SMMUV3_INTERNAL_H

/*
 * The SMMUv3 model, inside. Chapters and sections are IHI 0070 G.b's.
 *
 *   smmuv3.c     an implementation: creation, ID registers, statistics
 *   regs.c       the register file
 *   cmdq.c       the command queue: step()
 *   eventq.c     events, global errors
 *   translate.c  a transaction's way through: the flights, bypass, translation
 *   config.c     stream table entries and context descriptors
 *   walk.c       VMSAv8-64 stage 1 tables
 *   tlb.c        the IOTLB's keys and the scope of invalidations; cache.c keeps the entries
 *
 * Threads: transactions come from many, register accesses from many, step() from one at a time.
 *
 * Registers are single words, read and written as atomics. Writes that depend on others (the
 * guards of 6.2) are made under `lock`; the queue indexes of software (CMDQ_PROD, EVENTQ_CONS)
 * are not, so that no CPU waits for a command. step() holds `lock` while it executes one command:
 * a write of CR0 that disables the queue returns when the command is consumed (6.3.9.3).
 * `evtq_lock` orders the writers of the event queue. Lock order: lock, evtq_lock, a cache's
 * stripe. No transaction ever waits for `lock`, and nothing is waited for under one: a device may
 * reach these registers with a DMA of its own. The model's own accesses go to RAM alone (anything
 * else is an external abort to it), so that no guest can make it call itself.
 *
 * In flight: between translate() and complete() a transaction occupies a flight, named by the
 * address of its txn. A flight knows the epoch in which it began. CMD_SYNC opens a new epoch and
 * completes when all flights of older ones have landed: they are the only ones that can use
 * what was invalidated before it (3.21.1, 4.7.3). Meanwhile step() returns; the next flight that
 * lands kicks it. Events of terminated transactions are written before their flight lands.
 */

#include <pthread.h>

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

#include "smmuv3/cache.h"

#define SMMU_FLIGHTS 64u

/* Counters of its flights are in the slot, which one transaction has to itself. */
struct smmu_flight {
	const struct weir_model_txn *txn; /* NULL: free */
	uint64_t epoch;
	uint64_t transactions, blocked, tlb_lookups, tlb_hits, walks, ste_fetches, cd_fetches;
	bool shared; /* the slot for those that found no other */
} __attribute__((aligned(128)));

/* What the ID registers say, decoded. Constant after creation. */
struct smmu_features {
	uint8_t oas;			  /* bits */
	uint8_t sid_bits, cmdqs, eventqs; /* log2 of the largest sizes */
	bool two_level, asid16, had, ril;
	uint8_t granules; /* bit n: 4 KiB << 2n */
};

struct weir_model_smmuv3 {
	struct weir_model_bus *bus;
	struct weir_model_irq_sink sink;
	struct weir_model_stepper stepper;
	unsigned int irq_eventq, irq_gerror, irq_sync;
	uint32_t idr[6], aidr;
	struct smmu_features features;

	pthread_mutex_t lock;
	uint32_t cr0, cr1, cr2, gbpa, irq_ctrl, gerror, gerrorn, strtab_base_cfg;
	uint32_t cmdq_prod, cmdq_cons, eventq_prod, eventq_cons;
	uint64_t strtab_base, cmdq_base, eventq_base;
	uint64_t commands, syncs;
	uint64_t sync_epoch; /* of the CMD_SYNC that waits; 0: none does. step()'s own */

	pthread_mutex_t evtq_lock;
	uint64_t events_written, events_lost;

	struct smmu_cache tlb, stes, cds;
	uint64_t tlb_sizes; /* bit n: entries of 2^n bytes were inserted; never cleared */
	bool tlb_globals;   /* global entries were inserted */

	uint64_t epoch;
	bool sync_waiting; /* the next flight that lands kicks */
	uint64_t crowd;	   /* flights in the shared slot */
	struct smmu_flight shared;
	struct smmu_flight flights[SMMU_FLIGHTS];
};

/* One transaction on its way; also what a prefetch makes up. */
struct smmu_access {
	struct smmu_flight *flight;
	uint32_t sid;
	uint64_t va; /* InputAddr */
	bool write, instruction, privileged;
	bool silent; /* a prefetch: records nothing (4.2) */
	/* Of the caches, when it began: what it finds by means of something older is not kept. */
	uint64_t ste_generation, cd_generation, tlb_generation;
};

#define SMMU_STE_DATA 2u
#define SMMU_CD_DATA 4u

/*
 * What the configuration caches keep, a few words each. Filled in through `words`: a copy with
 * wider loads than the stores before it costs 20 ns.
 */

/* A stream table entry, as far as it is used. */
union smmu_ste {
	struct {
		uint64_t context; /* S1ContextPtr */
		uint16_t vmid;
		uint8_t config; /* WEIR_SMMU_STE_CONFIG_* */
		bool bad;	/* C_BAD_STE */
	};
	uint64_t words[SMMU_STE_DATA];
};

/* A context descriptor. Index and bit 0 are TTB0's half of the address space, 1 TTB1's. */
union smmu_cd {
	struct {
		uint64_t ttb[2];
		uint16_t asid;
		uint8_t tsz[2];
		uint8_t granule[2]; /* log2 of bytes */
		uint8_t ips;	    /* effective, bits */
		uint8_t epd, tbi, had;
		bool bad; /* C_BAD_CD */
		bool affd : 1, wxn : 1, pan : 1, aset : 1, record : 1;
	};
	uint64_t words[SMMU_CD_DATA];
};

_Static_assert(sizeof(union smmu_ste) == SMMU_STE_DATA * sizeof(uint64_t), "words of a cache");
_Static_assert(sizeof(union smmu_cd) == SMMU_CD_DATA * sizeof(uint64_t), "words of a cache");

/* Rights of a translation. */
#define SMMU_UNPRIV_R 0x01u
#define SMMU_UNPRIV_W 0x02u
#define SMMU_UNPRIV_X 0x04u
#define SMMU_PRIV_R 0x08u
#define SMMU_PRIV_W 0x10u
#define SMMU_PRIV_X 0x20u

struct smmu_translation {
	uint64_t base; /* of the page or block */
	uint8_t size;  /* log2 of bytes */
	uint8_t rights;
	bool global;
};

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

/* The one transaction that has the slot counts without a locked instruction. */
static inline void smmu_count(struct smmu_flight *flight, uint64_t *counter)
{
	if (flight->shared)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
	else
		__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* A counter that is changed under a lock and read without. */
static inline void smmu_count_locked(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
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

/* The base is aligned to the larger of the queue's size and 32 bytes (6.3.26, 6.3.29). */
static inline uint64_t smmu_queue_base(uint64_t base, uint64_t bytes)
{
	return base & WEIR_SMMU_Q_BASE_ADDR & ~(bytes - 1);
}

/* translate.c */
struct smmu_flight *weir_model_smmu_flight_begin(struct weir_model_smmuv3 *smmu,
						 const struct weir_model_txn *txn);
void weir_model_smmu_flight_end(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn);
/* Whether all flights that began before this epoch have landed. */
bool weir_model_smmu_flights_landed(struct weir_model_smmuv3 *smmu, uint64_t epoch);
/* Fetch the configuration of a stream, as a prefetch does (4.2). */
void weir_model_smmu_prefetch(struct weir_model_smmuv3 *smmu, uint32_t sid);

/* config.c: false means that the access is terminated, and the event recorded. */
bool weir_model_smmu_find_ste(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			      union smmu_ste *ste);
bool weir_model_smmu_find_cd(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			     const union smmu_ste *ste, union smmu_cd *cd);
/* CMD_CFGI_*: streams first to last, inclusive. STEs take the CDs found through them along. */
void weir_model_smmu_invalidate_stes(struct weir_model_smmuv3 *smmu, uint64_t first, uint64_t last);
void weir_model_smmu_invalidate_cds(struct weir_model_smmuv3 *smmu, uint32_t sid);

/* walk.c: 0, or the type of the event; `fetch` is where F_WALK_EABT happened. */
uint8_t weir_model_smmu_walk(struct weir_model_smmuv3 *smmu, const union smmu_cd *cd, uint64_t va,
			     struct smmu_translation *out, uint64_t *fetch);

/* tlb.c */
struct smmu_tlb_scope {
	uint64_t first, last; /* addresses, inclusive; used if `by_address` */
	uint64_t sizes;	      /* bit n: entries of 2^n bytes */
	uint16_t vmid, asid;
	bool by_asid, by_address;
};

bool weir_model_smmu_tlb_find(struct weir_model_smmuv3 *smmu, const union smmu_ste *ste,
			      const union smmu_cd *cd, uint64_t va, struct smmu_translation *out);
void weir_model_smmu_tlb_insert(struct weir_model_smmuv3 *smmu, const union smmu_ste *ste,
				const union smmu_cd *cd, uint64_t va,
				const struct smmu_translation *translation, uint64_t generation);
void weir_model_smmu_tlb_invalidate(struct weir_model_smmuv3 *smmu,
				    const struct smmu_tlb_scope *scope);

/* eventq.c */
void weir_model_smmu_event(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			   uint8_t type, uint64_t fetch);
/* 7.5: activates a global error unless it is active already. */
void weir_model_smmu_global_error(struct weir_model_smmuv3 *smmu, uint32_t error);
bool weir_model_smmu_error_active(const struct weir_model_smmuv3 *smmu, uint32_t error);

/* cmdq.c */
unsigned int weir_model_smmu_step(struct weir_model_stepper *stepper, unsigned int budget);

#endif
