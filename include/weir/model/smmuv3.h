/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_SMMUV3_H
#define WEIR_MODEL_SMMUV3_H

/*
 * A model of the Arm SMMUv3 (IHI 0070 G.b), usable alone: examples/viommu.c.
 *
 *   guest's registers --- weir_model_smmuv3_read/write() --> model --- host->ops --> guest's memory
 *   devices' accesses --- weir_model_smmuv3_translate() ---> model --- host->ops->msi, line
 *   embedder's thread --- step() of the stepper -----------> commands, and what takes its time
 *
 * Threads: everything but create, destroy and step() may be called from any number of threads at
 * once. Commands are consumed by step(), never inside the write to CMDQ_PROD; the model kicks when
 * there is something to do. Nothing that a guest does can make the model do more than its
 * specification says: it reads what it is told to once, bounds each loop, and reports.
 *
 * The implementation is what the ID registers say. A transaction that hits in the translation cache
 * takes a few ns and no lock (bench/).
 */

#include <weir/model/iommu.h>

WEIR_BEGIN_DECLS

struct weir_model_smmuv3;
struct weir_model_mmio_ops;

/** Size of a register file of pages 0 and 1 alone. */
#define WEIR_MODEL_SMMUV3_MMIO_SIZE 0x20000u

/** Lines of struct weir_model_host_ops (3.18). */
enum weir_model_smmuv3_line {
	WEIR_MODEL_SMMUV3_EVENTQ,
	WEIR_MODEL_SMMUV3_PRIQ,
	WEIR_MODEL_SMMUV3_CMD_SYNC,
	WEIR_MODEL_SMMUV3_GERROR,
	WEIR_MODEL_SMMUV3_PMCG,	    /**< of the performance monitor (10.2.1) */
	WEIR_MODEL_SMMUV3_S_EVENTQ, /**< of the Secure interface, as the other two */
	WEIR_MODEL_SMMUV3_S_CMD_SYNC,
	WEIR_MODEL_SMMUV3_S_GERROR,
	WEIR_MODEL_SMMUV3_LINES,
};

/** What is kept of what was read from memory, and for how long. */
enum weir_model_smmuv3_caches {
	/** Configurations and translations that were used, until they are invalidated. */
	WEIR_MODEL_SMMUV3_CACHES_NORMAL = 0,
	/** Nothing: each transaction reads all of its configuration and tables. */
	WEIR_MODEL_SMMUV3_CACHES_OFF,
	/**
	 * Everything that may be kept, as long as it may, structures with V == 0 too; neighbours
	 * are prefetched at will; registers acknowledge late. What software forgot to invalidate or
	 * to wait for shows.
	 */
	WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
};

/** What happens where the specification leaves a choice (chapter 5). */
enum weir_model_smmuv3_reserved {
	WEIR_MODEL_SMMUV3_RESERVED_IGNORED = 0, /**< RES0 bits of structures and commands */
	WEIR_MODEL_SMMUV3_RESERVED_REJECTED,	/**< they make them ILLEGAL */
};

/** An implementation. */
struct weir_model_smmuv3_config {
	/**
	 * SMMU_IDR0 to SMMU_IDR6. All zero: weir_model_smmuv3_default_idr. STALL_MAX and other
	 * fields are believed as given.
	 */
	uint32_t idr[7];
	/**
	 * SMMU_S_IDR0 to SMMU_S_IDR4. All zero: there is no Secure interface, and each stream is a
	 * Non-secure one, whatever its transactions say.
	 */
	uint32_t s_idr[5];
	uint32_t iidr;
	uint32_t aidr;	 /**< minor revision of SMMUv3; 0 with idr all zero: SMMUv3.1 */
	uint32_t gbpa;	 /**< reset value of SMMU_GBPA; WEIR_MODEL_SMMUV3_GBPA_ABORT for abort */
	uint32_t s_gbpa; /**< of SMMU_S_GBPA */
	enum weir_model_smmuv3_caches caches;
	enum weir_model_smmuv3_reserved reserved;
	/** Each event is recorded: STE.MEV, which permits to merge them, does nothing (5.2). */
	bool never_merges;
	/**
	 * Entries that the IOTLB has at most: it takes three times a power of two of them (or 1, or
	 * 2); 0: 6144. Beside it each thread has up to 2048 answers of its own at hand, but with
	 * adversarial caches; what these lack of a stage 1 alone may be walked to without a look at
	 * the IOTLB, where that costs less. WEIR_MODEL_SMMUV3_NO_TLB: neither is there.
	 */
	unsigned int tlb_entries;
	/** Counters of the performance monitor counter group, up to 64; 0: there is none. */
	unsigned int pmcg_counters;
	uint64_t seed; /**< of what the adversarial caches do at will */
};
#define WEIR_MODEL_SMMUV3_GBPA_ABORT (1u << 20)
/** Configurations are kept, translations are not. */
#define WEIR_MODEL_SMMUV3_NO_TLB 0xffffffffu

/** Stage 1, 4K granule, 44 bits, two-level stream table, coherent, 16-bit StreamIDs. */
extern const uint32_t weir_model_smmuv3_default_idr[7];

/**
 * Counters since creation; each read is of one moment, the set is not. An answer that a thread has
 * of its own is a hit, of streams that bypass as well. Prefetches are no transactions, but count in
 * what they look up, walk and fetch. Page requests are no events.
 */
struct weir_model_smmuv3_stats {
	uint64_t transactions, blocked;
	uint64_t tlb_lookups, tlb_hits, walks, ste_fetches, cd_fetches;
	uint64_t commands, syncs, events_written, events_lost;
};

/**
 * `host` is copied; it is called from within the functions below.
 * -WEIR_EINVAL: ID registers name what the model or the host lacks, or contradict each other; an
 * option is none, or there are too many counters; the host has no load64 or store64 (lines on
 * stderr say which). -WEIR_ENOMEM. On failure *smmu is left as it was.
 */
int weir_model_smmuv3_create(const struct weir_model_host *host,
			     const struct weir_model_smmuv3_config *config,
			     struct weir_model_smmuv3 **smmu);
/**
 * No call is under way, no transaction in flight. What is stalled is forgotten: its clients hear
 * nothing of it any more, nor of invalidations and page requests that are not answered yet.
 */
void weir_model_smmuv3_destroy(struct weir_model_smmuv3 *smmu);

/**
 * Size of the register file: WEIR_MODEL_SMMUV3_MMIO_SIZE, or with the pages that the ID registers
 * place behind it: the VATOS page; then the control pages of enhanced command queues.
 */
uint64_t weir_model_smmuv3_mmio_size(const struct weir_model_smmuv3 *smmu);
/**
 * A register access (chapter 6). `size` is 1, 2, 4 or 8, `offset` aligned to it and below
 * weir_model_smmuv3_mmio_size(). What is not 4 or 8 bytes reads as zero and is ignored.
 */
uint64_t weir_model_smmuv3_read(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size);
void weir_model_smmuv3_write(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size,
			     uint64_t value);
/** A Secure access: reaches SMMU_S_* as well, which are RAZ/WI to the two above (3.10.2). */
uint64_t weir_model_smmuv3_read_secure(struct weir_model_smmuv3 *smmu, uint64_t offset,
				       unsigned int size);
void weir_model_smmuv3_write_secure(struct weir_model_smmuv3 *smmu, uint64_t offset,
				    unsigned int size, uint64_t value);

/** -> struct weir_model_iommu_ops; `txn` is not kept. */
enum weir_model_result weir_model_smmuv3_translate(struct weir_model_smmuv3 *smmu,
						   const struct weir_model_txn *txn,
						   struct weir_model_translation *out);
void weir_model_smmuv3_complete(struct weir_model_smmuv3 *smmu,
				const struct weir_model_translation *translation);

/* ---- Stalls (3.12.2) -------------------------------------------------------------------- */

/**
 * Masters and PCIe functions behind the model; called by it without locks held, from the threads
 * that step, translate, access registers and request pages.
 */
struct weir_model_smmuv3_client_ops {
	/**
	 * A stalled transaction goes on: OK: call translate() with it again, here or later;
	 * BLOCKED: it ends in an abort; IGNORED: reads as zero, writes ignored. It may come before
	 * the translate() that stalled has returned to its caller. NULL: the client has no way to
	 * wait, and its transactions are terminated where they would stall; if the implementation
	 * forces stalls they are recorded as stalled, and withdrawn. STAGs tell transactions apart
	 * by themselves, those of Secure streams among them.
	 */
	void (*resume)(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result how);
	/**
	 * CMD_ATC_INV (4.5.1): drop 2^size bytes from `addr` (size 64: all) of the substream, or of
	 * the whole function without one; with `global`, of all substreams. Answered, now or later,
	 * by weir_model_smmuv3_invalidated() with `itag`, once no access that uses what was dropped
	 * is on its way from the device any more. NULL: the system has no ATS, and the command is
	 * ignored.
	 */
	void (*invalidate)(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			   bool global, uint64_t addr, unsigned int size, unsigned int itag);
	/**
	 * CMD_PRI_RESP, or the model's own answer: one of WEIR_SMMU_CMD_PRI_RESP_*. The model's own
	 * comes from within weir_model_smmuv3_page_request(): who asks again does so when that has
	 * returned. Asked from here, a queue that a guest keeps full would nest without end.
	 */
	void (*page_response)(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			      uint16_t group, unsigned int code);
};

/** Before any transaction, with no other call under way. `ops` outlives the model. */
void weir_model_smmuv3_set_client(struct weir_model_smmuv3 *smmu,
				  const struct weir_model_smmuv3_client_ops *ops, void *opaque);

/* ---- ATS and PRI (3.9) ------------------------------------------------------------------ */

/** Ends an invalidation: OK, ABORT (it will never be answered: a timeout), BLOCKED (UR, CA). */
void weir_model_smmuv3_invalidated(struct weir_model_smmuv3 *smmu, unsigned int itag,
				   enum weir_model_result result);

/** A PRI Page Request Message (PCIe 10.4.1). */
struct weir_model_smmuv3_page_request {
	uint64_t addr; /**< page-aligned */
	uint32_t stream, substream;
	uint16_t group; /**< PRG index, 9 bits */
	bool has_substream, read, write, execute, privileged, last;
};
/** Queued for software, or answered by the model (8.2). */
void weir_model_smmuv3_page_request(struct weir_model_smmuv3 *smmu,
				    const struct weir_model_smmuv3_page_request *request);

/* ---- Performance monitor (chapter 10) --------------------------------------------------- */

/*
 * One counter group, of 48-bit counters with capture, a StreamID filter each, and MSIs if the host
 * has them. Its clock (event 0) ticks once for each transaction and for each command. While a
 * counter is enabled transactions cost a lock, and more; else the group costs nothing.
 */

/** Page 0 is at offset 0 of 4 KiB, page 1 here; nothing is between and behind. */
#define WEIR_MODEL_SMMUV3_PMCG_PAGE1 0x10000u
#define WEIR_MODEL_SMMUV3_PMCG_MMIO_SIZE 0x20000u

/** As weir_model_smmuv3_read() and write(), of the group's registers (10.5). */
uint64_t weir_model_smmuv3_pmcg_read(struct weir_model_smmuv3 *smmu, uint64_t offset,
				     unsigned int size);
void weir_model_smmuv3_pmcg_write(struct weir_model_smmuv3 *smmu, uint64_t offset,
				  unsigned int size, uint64_t value);

/* ---- To drive and to place it ----------------------------------------------------------- */

/** For weir_model_bus_add_mmio() with the model as opaque. */
extern const struct weir_model_mmio_ops weir_model_smmuv3_mmio_ops;
extern const struct weir_model_mmio_ops weir_model_smmuv3_pmcg_mmio_ops;
/** For struct weir_model_port with the model as iommu. */
extern const struct weir_model_iommu_ops weir_model_smmuv3_iommu_ops;

struct weir_model_stepper *weir_model_smmuv3_stepper(struct weir_model_smmuv3 *smmu);
void weir_model_smmuv3_get_stats(struct weir_model_smmuv3 *smmu,
				 struct weir_model_smmuv3_stats *stats);

/* ---- To look into its caches ------------------------------------------------------------ */

/** Entries that caches hold; of what they hold it does not matter whether it is valid. */
struct weir_model_smmuv3_held {
	uint64_t translations; /**< in the IOTLB */
	uint64_t tables[4];    /**< on the way to them, in the walk caches; by the table's level */
	uint64_t stes, cds;    /**< with their first levels */
};

/**
 * For tests that leave an invalidation out: what `command` (both words, as in a command queue)
 * would take out of the caches, were it executed now by the Non-secure command queue, that none of
 * the `others` would. Nothing is taken out. All zero: a command that the queue would refuse, one
 * that is no invalidation of these caches (CMD_SYNC, CMD_ATC_INV), or one that nobody would miss.
 * -WEIR_ENOMEM. Holds the commands up; may look at each entry there is.
 */
int weir_model_smmuv3_would_remove(struct weir_model_smmuv3 *smmu, const uint64_t command[2],
				   const uint64_t (*others)[2], unsigned int nr_others,
				   struct weir_model_smmuv3_held *held);
/**
 * Invalidations of the Non-secure command queues that were consumed and are not executed, which
 * adversarial caches leave to CMD_SYNC: how many, and in *commands the first `max`.
 */
unsigned int weir_model_smmuv3_put_off(struct weir_model_smmuv3 *smmu, uint64_t (*commands)[2],
				       unsigned int max);

WEIR_END_DECLS

#endif
