/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SMMUV3_DOMAIN_H
#define WEIR_SMMUV3_DOMAIN_H

/*
 * Streams and domains of the SMMUv3 driver.
 *
 * A stream (struct weir_smmuv3_stream) is there from stream_add, or its first attach, to
 * stream_remove. It knows which domain it is in, and owns what its entry leads to:
 *
 *	STE --- S1 ----> the domain's CD, while nobody ever attached a PASID
 *	    \-- S1 ----> the stream's CD table: CD 0 is that of the stream's own domain
 *	    |                                   CD n is that of the domain of PASID n
 *	    \-- S2 ----> the domain's tables
 *	    \-- nested > the domain's tables; the guest's CD table through them
 *
 * The domain's own CD is complete before any entry leads to it and never changes while one does: to
 * move a stream between two domains is then one store of word 0, and no CMD_CFGI_CD is due (CMD_
 * CFGI_STE drops what was found through the entry, 4.3.1). A stream gets its table with its first
 * PASID and keeps it until it is removed.
 *
 * A domain (struct weir_smmuv3_domain) is stage 1 with an ASID, or stage 2 with a VMID. Streams of
 * stage 1 alone all have VMID 0, which tags their translations too (3.17), so that word 2 of their
 * entries never changes. Each viommu has a VMID of its own over its parent's tables (nested.c).
 *
 * The plan of a domain says what its invalidations must reach. Part of it is constant: commands by
 * address and by ASID or VMID, whether ranges and hints of a level may be used. The rest are slots,
 * a word each: VMIDs that nested translations of this domain are tagged with (the word is word 0 of
 * CMD_TLBI_S2_IPA), and device TLBs (of CMD_ATC_INV). Slots are filled and emptied one by one,
 * under weir.lock; where they do not suffice a longer array takes their place and the old one is
 * freed when no invalidation is left that may use it.
 *
 * Who invalidates, in any context, without a lock:
 *
 *	PTEs cleared                     attach: slot = ...           (sequentially consistent)
 *	weir_epoch_enter() (RMW)                 STE or CD made live; CMD_CFGI, CMD_SYNC
 *	plan and slots loaded            detach: STE or CD without it, CMD_CFGI, CMD_SYNC
 *	commands, CMD_SYNC                       slot = 0; weir_epoch_wait()
 *	weir_epoch_exit()
 *
 * Either the invalidation sees the slot, or the loads came before the store of the slot in the one
 * order of all these; then the read-modify-write did too, and with it the clearing of the PTEs:
 * what the device walks through the entry that is made live afterwards is cleared. On Arm: the RMW
 * has release semantics, so the PTEs are cleared before it is seen; a load-acquire behind a
 * store-release is not done before it (RCsc); what the load does not see is stored after it; and
 * plat_dma_wmb() orders the slot before the entry. So in the order that all observers of the
 * Outer Shareable domain agree on, the PTEs come before the entry. A walker that does not snoop
 * sees what was cleaned, and the clean is complete before the RMW (plat_cache_clean()).
 *
 * A detach takes the slot away last: until the SMMU confirmed that it translates for the device no
 * more, its TLBs are kept right. Nobody sends to a device that is gone: weir_epoch_wait().
 */

#include "smmuv3/entry.h"
#include "smmuv3/smmuv3.h"

/* ---- What there is --------------------------------------------------------------------------- */

/* Grows; never shrinks. */
struct weir_smmuv3_slots {
	unsigned int count;
	uint64_t slot[]; /* atomic; 0: empty */
};

struct weir_smmuv3_plan {
	uint64_t by_address, by_id; /* word 0 of the commands */
	uint8_t granule_shift;
	bool ranges;
	bool hints;			 /* of a level */
	struct weir_smmuv3_slots *slots; /* atomic; NULL: none */
};

struct weir_smmuv3_domain {
	struct weir_domain domain;
	struct weir_pgtable pt;
	struct weir_smmuv3_plan plan;
	bool stage2;
	uint32_t tag;		      /* its ASID, or its VMID */
	struct weir_smmuv3_memory cd; /* of stage 1 */
	struct weir_smmuv3_domain *next_lost;
};

struct weir_smmuv3_viommu {
	struct weir_viommu viommu;
	uint32_t vmid;
	struct weir_smmuv3_viommu *next_lost;
};

struct weir_smmuv3_nested {
	struct weir_domain domain;
	uint64_t ste[2]; /* the guest's, checked */
};

/* A table of context descriptors (5.3): linear, or with second-level tables of 1024. */
struct weir_smmuv3_cds {
	struct weir_smmuv3_memory memory;  /* virt NULL: there is no table */
	struct weir_smmuv3_memory *second; /* one for each first-level entry; NULL: linear */
	unsigned int bits;		   /* log2 of the CDs */
};

struct weir_smmuv3_pasid {
	struct weir_smmuv3_pasid *next;
	uint32_t pasid;
	struct weir_smmuv3_domain *domain; /* NULL: its CD is not valid */
	bool unsure;			   /* entry.h, of its CD */
	uint64_t slot;			   /* in the domain's plan; 0: none */
};

struct weir_smmuv3_stream {
	struct weir_smmuv3_stream *next; /* of its bucket */
	uint32_t id;
	struct weir_stream_caps caps;
	struct weir_domain *domain;
	bool unsure, cd0_unsure; /* entry.h: of its STE, of CD 0 */
	bool ats_is_on;		 /* in the device */
	struct weir_smmuv3_cds cds;
	struct weir_smmuv3_pasid *pasids; /* also those that were detached */
};

static inline struct weir_smmuv3 *weir_smmuv3_of(const struct weir_iommu *iommu)
{
	return WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
}

/* Of a paging domain. */
static inline struct weir_smmuv3_domain *weir_smmuv3_domain_of(struct weir_domain *domain)
{
	return WEIR_CONTAINER_OF(domain, struct weir_smmuv3_domain, domain);
}

/* ---- domain.c -------------------------------------------------------------------------------- */

/* What the entry of a stream says of the domain's stage 2: words 2 and 3, and S2FWB of word 1. */
void weir_smmuv3_domain_stage2(struct weir_smmuv3_domain *d, uint32_t vmid, uint64_t *ste);
/*
 * A full invalidation, so that what was kept for the sake of unconfirmed ones is free, with its
 * IDs. -WEIR_ETIMEDOUT, -WEIR_EIO: nothing is. TASK, under weir.lock.
 */
int weir_smmuv3_reclaim(struct weir_smmuv3 *smmu);
/* An ASID or VMID, after reclaiming where none is left. -WEIR_ENOSPC. */
int weir_smmuv3_id_alloc(struct weir_smmuv3 *smmu, struct weir_ids *ids, uint32_t *id);

/* ---- stream.c, pasid.c: iommu/driver.h has the contracts ------------------------------------- */

int weir_smmuv3_stream_add(struct weir_iommu *iommu, uint32_t id,
			   const struct weir_stream_caps *caps);
void weir_smmuv3_stream_remove(struct weir_iommu *iommu, uint32_t id);
int weir_smmuv3_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain);
int weir_smmuv3_attach_pasid(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain,
			     uint32_t pasid);
void weir_smmuv3_streams_fini(struct weir_smmuv3 *smmu);
struct weir_smmuv3_stream *weir_smmuv3_stream_find(struct weir_smmuv3 *smmu, uint32_t id);
/* Make the stream's entry say what its domain and its table ask for; errors as attach(). */
int weir_smmuv3_stream_update(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
			      struct weir_domain *domain);
/* The domain of CD 0 becomes `d` (NULL: none). In effect on return. */
int weir_smmuv3_stream_set_cd0(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
			       struct weir_smmuv3_domain *d);
void weir_smmuv3_pasids_free(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream);
/* Does a PASID of the stream lead anywhere? */
bool weir_smmuv3_has_pasids(const struct weir_smmuv3_stream *stream);

/* ---- cd.c ------------------------------------------------------------------------------------ */

/* What the context descriptor of a stage 1 domain says. */
void weir_smmuv3_cd_make(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_domain *d,
			 uint64_t *cd);
/* A table of 2^bits CDs, none valid, with a place for CD 0. -WEIR_ENOMEM; then there is none. */
int weir_smmuv3_cds_init(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds, unsigned int bits);
void weir_smmuv3_cds_fini(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds);
/* S1ContextPtr, S1CDMax, S1Fmt. */
uint64_t weir_smmuv3_cds_word0(const struct weir_smmuv3_cds *cds);
/* NULL: its second-level table is not there. */
uint64_t *weir_smmuv3_cds_find(const struct weir_smmuv3_cds *cds, uint32_t ssid);
/* CMD_CFGI_CD with Leaf = 0 is due. -WEIR_ENOMEM. */
int weir_smmuv3_cds_grow(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds, uint32_t ssid);
/*
 * Make the CD of `ssid`, which has a place in the stream's table, that of `d`; NULL: not valid. In
 * effect on return. An error: it is not valid, as far as the SMMU can be told. `unsure`: entry.h.
 */
int weir_smmuv3_cd_set(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint32_t ssid,
		       const struct weir_smmuv3_domain *d, bool *unsure);

/* ---- ats.c ----------------------------------------------------------------------------------- */

/* Does the device have a TLB that can be used? */
bool weir_smmuv3_has_atc(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream);
/* ... and in this domain? */
bool weir_smmuv3_wants_ats(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
			   const struct weir_domain *domain);
/* In a plan: the device TLB of the stream, of a PASID or (0) without one. */
uint64_t weir_smmuv3_atc_slot(const struct weir_smmuv3_stream *stream, uint32_t pasid);
/* Drop all that it holds of the PASID; 0: all. -WEIR_EIO: the device did not answer. */
int weir_smmuv3_atc_drop(struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
			 uint32_t pasid);
/* Around CMD_ATC_INV and its CMD_SYNC. -WEIR_EIO: a device, perhaps this one, did not answer. */
uint32_t weir_smmuv3_atc_begin(const struct weir_smmuv3 *smmu);
int weir_smmuv3_atc_end(const struct weir_smmuv3 *smmu, uint32_t begun);
/* The entry still says EATS. Harmless where it is off. */
void weir_smmuv3_ats_stop(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream);
/*
 * The entry says EATS now, for a domain that may be another one than before. false: it does not
 * work, and is off for good; the entry should not say so any more.
 */
bool weir_smmuv3_ats_go(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream);

/* ---- nested.c: iommu/driver.h has the contracts ---------------------------------------------- */

int weir_smmuv3_viommu_alloc(struct weir_domain *parent, struct weir_viommu **viommu);
void weir_smmuv3_viommu_free(struct weir_viommu *viommu);
/* Nothing is cached under its VMID. */
void weir_smmuv3_viommu_release(struct weir_smmuv3 *smmu, struct weir_smmuv3_viommu *v);
int weir_smmuv3_nested_alloc(struct weir_viommu *viommu, const void *data, size_t size,
			     struct weir_domain **domain);
void weir_smmuv3_nested_free(struct weir_domain *domain);
/* The entry of a stream in it; word 1 is what all entries have. */
void weir_smmuv3_nested_make(struct weir_domain *domain, uint64_t *ste);
int weir_smmuv3_viommu_invalidate(struct weir_viommu *viommu, const void *cmds,
				  unsigned int *count);

/* ---- plan.c ---------------------------------------------------------------------------------- */

void weir_smmuv3_plan_init(const struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d);
/* Under weir.lock, in both cases; TASK. -WEIR_ENOMEM. */
int weir_smmuv3_plan_add(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d, uint64_t word);
/* When it returns no invalidation that knew of it is under way. */
void weir_smmuv3_plan_remove(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d, uint64_t word);
/* Nobody uses it. */
void weir_smmuv3_plan_fini(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d);

/* ---- invalidate.c ---------------------------------------------------------------------------- */

/* Commands, sent in batches with a CMD_SYNC behind each. Starts zeroed but for `smmu`. */
struct weir_smmuv3_batch {
	struct weir_smmuv3 *smmu;
	struct weir_smmuv3_cmd cmds[WEIR_SMMUV3_BATCH + 1];
	unsigned int n;
	int ret; /* the first error */
};
/* Any context, both. */
void weir_smmuv3_batch_add(struct weir_smmuv3_batch *batch, uint64_t word0, uint64_t word1);
/* What is left; returns the first error of all. */
int weir_smmuv3_batch_end(struct weir_smmuv3_batch *batch);

/* What went, as a range of addresses. */
struct weir_smmuv3_stale {
	uint64_t iova, size;
	unsigned int leaf_depths;
	bool tables; /* pages of them went too */
};
/* All that the plan says. 0: nothing of it is cached any more. Any context. */
int weir_smmuv3_invalidate(struct weir_smmuv3_domain *d, const struct weir_smmuv3_stale *stale);

#endif
