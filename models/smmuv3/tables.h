/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_TABLES_H
#define WEIR_MODELS_SMMUV3_TABLES_H

/*
 * What the structures in memory say, decoded: stream table entries, context descriptors, and the
 * translations that come out of tables. Values alone; no pointer leads out of one.
 */

#include <weir/hw/smmuv3.h>
#include <weir/model/iommu.h>

/* Which translation regime a stage 1 belongs to (STE.STRW, CR2.E2H; 3.17): tags every TLB entry. */
enum smmu_world {
	SMMU_WORLD_NS_EL1,  /* tagged by VMID and ASID */
	SMMU_WORLD_EL2,	    /* no ASID, no VMID; one range of addresses, privileged throughout */
	SMMU_WORLD_EL2_E2H, /* ASID, no VMID; two ranges */
	SMMU_WORLD_S_EL1,
	SMMU_WORLD_EL3, /* as EL2 */
};

static inline bool smmu_is_secure_world(unsigned int world)
{
	return world >= SMMU_WORLD_S_EL1;
}

/* any-EL2 without E2H, and EL3: one range of addresses, no ASID, no unprivileged accesses. */
static inline bool smmu_has_one_range(unsigned int world)
{
	return world == SMMU_WORLD_EL2 || world == SMMU_WORLD_EL3;
}

/*
 * One set of tables: a half of stage 1 (index 0: TTB0, 1: TTB1), or stage 2. ste.c and cd.c fill in
 * what comes first; weir_model_smmu_finish_*() derive the rest, which is what a walk looks at.
 * A world of one range has no second half: it is `disabled`.
 */
struct smmu_tables {
	uint64_t base;	     /* of the first table, aligned to its size as the fields ask */
	uint8_t input_bits;  /* 64 - TxSZ; what is above has to be the half's sign (stage 2: 0) */
	uint8_t output_bits; /* the effective IPS or S2PS: an address beyond is F_ADDR_SIZE */
	uint8_t granule;     /* log2 of bytes: 12, 14, 16 */
	uint8_t first_bits;  /* log2 of the entries of the first table, concatenated ones counted */
	int8_t level;	     /* of the first table: -1 to 3 */
	uint8_t sh;	     /* CD.SHx, STE.S2SH0: the Shareability of what is mapped with `ds` */
	bool wide;	     /* descriptors hold 52-bit addresses: DS, or 64K if OAS is 52 */
	bool ds;	     /* ... in the layout of DS: 4K and 16K */
	bool big_endian;
	bool disabled; /* EPDx */
	bool tbi;
	bool had; /* hierarchical attributes are ignored */
	bool e0pd;
	bool affd, ha, hd;
	bool ns; /* of a Secure stream: the first table is in Non-secure memory (5.4 NSCFGx) */

	/* Derived. */
	bool quick;	    /* 4K, little-endian, 48 bits: a quick walk can be tried */
	uint8_t through;    /* a half: SMMU_THROUGH_*, 0: none (weir_model_smmu_walk_through()) */
	uint8_t shift;	    /* of the index into the first table */
	uint8_t stride;	    /* bits that a full table resolves */
	uint8_t rights[16]; /* SMMU_* of a leaf, by SMMU_RIGHTS_INDEX() */
	uint64_t inputs;    /* address bits that are translated */
	uint64_t outside;   /* those above (3.4.1), ... */
	uint64_t sign;	    /* ... and what they have to be */
	uint64_t beyond;    /* those that no output has */
	uint64_t blocks;    /* bit n: there are blocks of 2^n bytes */
	uint64_t address;   /* where a descriptor holds an address; `wide`: and elsewhere */
	uint64_t limits;    /* what counts of the attributes of table descriptors */
	uint64_t modifier;  /* DBM, if it counts */
	uint64_t clean;	    /* the bit of the dirty state, of a clean page (3.13.3) */
	/*
	 * What a quick walk looks at: bits that no table may have; and by the flags of an access
	 * (WRITE, ATOMIC, INSTRUCTION, PRIVILEGED) bits of a page that have to be as given. These
	 * stand for the rights in all that is common, and are never too generous. And what goes
	 * out of the flags, WEIR_MODEL_ATTR_*.
	 */
	uint64_t odd_table;
	struct {
		uint64_t bits, usual, output;
	} page[16];
};

#define SMMU_THROUGH_STAGE1 1u
#define SMMU_THROUGH_BOTH 2u

/* AP[2:1], PXN and UXN; S2AP and XN[1:0] are in the same places. */
#define SMMU_RIGHTS_INDEX(leaf) (((leaf) >> 6 & 3) | ((leaf) >> 51 & 12))

/* AttrIndx, and SH, where they are in a descriptor. */
#define SMMU_OUTPUT_INDEX(leaf) ((leaf) >> 2 & 0xc7)
#define SMMU_OUTPUTS 0xc8u

struct smmu_ste {
	uint8_t config; /* WEIR_SMMU_STE_CONFIG_* */
	uint8_t world;	/* enum smmu_world, of stage 1 */
	/* Stage 1. */
	uint8_t s1fmt, s1cdmax, s1dss;
	uint64_t s1contextptr;
	bool s1stalld;
	/* Overrides and limits (5.2, 13). Fields as encoded. */
	uint8_t eats, memattr, alloccfg, shcfg, nscfg, privcfg, instcfg;
	bool mtcfg, mev, ppar;
	/* Stage 2. vmid is 0 where the world has none or stage 2 does not exist. */
	uint16_t vmid;
	bool s2ptw, s2s, s2r, s2fwb;
	struct smmu_tables s2;
	/*
	 * Derived: the stream replaces memory types, hints or Shareability of what comes in
	 * (13.1.4).
	 */
	bool replaces;
};

struct smmu_cd {
	struct smmu_tables half[2];
	uint64_t mair; /* as in the CD; finish_cd() gives Reserved encodings their meaning (5.4) */
	uint16_t asid; /* 0 where the world has none */
	bool aset, a, r, s;
	bool wxn, pan;
	/*
	 * Derived: what goes out of stage 1 alone, by SMMU_OUTPUT_INDEX(), if WEIR_MODEL_ATTR_PCIE
	 * came in.
	 */
	uint16_t outputs[SMMU_OUTPUTS];
};

/* What applies to a stream and substream. */
struct smmu_context {
	uint64_t key;	       /* -> context_key() in translate.c; 0: none */
	uint64_t config_epoch; /* when it was read; -> lane.h */
	/* The key again, if there is stage 1 alone, no SubstreamID, and flags stay as they are. */
	uint64_t simple_key;
	bool stage1, stage2; /* what its transactions go through; S1DSS counted in */
	struct smmu_ste ste;
	struct smmu_cd cd; /* with stage1 */
};

/* Rights of stage 1. */
#define SMMU_UNPRIV_R 0x01u
#define SMMU_UNPRIV_W 0x02u
#define SMMU_UNPRIV_X 0x04u
#define SMMU_PRIV_R 0x08u
#define SMMU_PRIV_W 0x10u
#define SMMU_PRIV_X 0x20u
#define SMMU_RIGHTS_ALL 0x3fu
/* Of stage 2 in the same places: R and W for both privileges, X for each (XNX). */

/*
 * What one walk, of one stage or of both, found out; what the IOTLB keeps. Whether a transaction
 * may use it is decided each time it is used.
 */
struct smmu_translation {
	uint64_t base;	     /* output address of the range */
	uint64_t ipa;	     /* intermediate address of the range; stage 2 alone: its input */
	uint8_t size;	     /* log2 of the bytes for which all of this holds */
	uint8_t leaf;	     /* log2 of stage 1's page or block (stage 2 alone: its own): 4.4 */
	uint16_t attributes; /* MAIR byte and SH of stage 1's leaf, as WEIR_MODEL_ATTR_* */
	uint8_t rights;	     /* SMMU_*; all without stage 1 */
	bool global;	     /* nG == 0 */
	/* What follows is constant for a page of stage 1 alone, and written at once. */
	bool stage1, stage2;
	uint8_t rights2;       /* all without stage 2 */
	uint8_t memattr2, sh2; /* MemAttr[3:0] of stage 2's leaf (its meaning: STE.S2FWB), and SH */
	/*
	 * Write permission is wanting only because the page is clean (DBM with HD): a write walks
	 * again, and makes it dirty.
	 */
	bool clean, clean2;
};

#endif
