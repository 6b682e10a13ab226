/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

/*
 * A second reading of IHI 0070 G.b and of VMSAv8-64 (DDI 0487), to judge the SMMUv3 model by: what
 * becomes of one transaction, given the registers and memory alone. It keeps nothing, shares
 * nothing with the model but the numbers of its interface, and takes fields by the bit numbers that
 * the specification prints, so that an error in include/weir/hw shows too.
 *
 * Memory is not written: the updates that hardware makes (3.13) are told.
 */

#include <stdbool.h>
#include <stdint.h>

#include <weir/model/iommu.h>

/** What a transaction depends on of the Non-secure programming interface. */
struct oracle_regs {
	uint32_t idr[6], aidr;
	uint32_t cr0, cr2, gbpa, strtab_base_cfg;
	uint64_t strtab_base;
};

struct oracle_memory {
	/** A word of memory, little-endian; false: an external abort. */
	bool (*load)(void *opaque, uint64_t addr, uint64_t *value);
	void *opaque;
};

/* Where the specification leaves a choice: what is chosen if the bit is set, else the other. */
#define ORACLE_CD_POINTER_FAULTS 1u /* 3.4.3 (2): stage 2 F_TRANSLATION, not C_BAD_STE */
#define ORACLE_L2PTR_FAULTS 2u	    /* 3.4.3 (4): the same, not C_BAD_SUBSTREAMID */
#define ORACLE_STE_FETCH_FAULTS 4u  /* 3.4.3 (5): F_STE_FETCH, not a truncated address */
#define ORACLE_TRUNCATES 8u	    /* 3.9.1.1: Translated addresses beyond the OAS */
#define ORACLE_ACCESS_FIRST 16u	    /* AF is set before permission is refused (3.13.2) */
#define ORACLE_CHOICES 32u

/** A descriptor that hardware updates: the bits that flip. */
struct oracle_update {
	uint64_t addr;
	uint64_t must, may;
};
#define ORACLE_UPDATES 32

struct oracle_result {
	enum weir_model_result result;
	/** Rests on what is UNPREDICTABLE or IMPLEMENTATION DEFINED: not to be compared. */
	bool unsure;
	uint32_t choices; /**< ORACLE_*: those that it depends on */

	/** WEIR_MODEL_OK: where it goes, and how. */
	uint64_t addr;
	bool attributes_known;
	uint32_t attributes;

	/** The event record, and what of it is defined. */
	bool event;
	uint64_t record[4], mask[4];

	/** ATS: WEIR_MODEL_ATS_*; what may be granted besides; log2 of the largest range. */
	uint8_t ats, ats_may, ats_size;

	unsigned int nr_updates;
	struct oracle_update updates[ORACLE_UPDATES];
};

/** `choices`: ORACLE_*. */
void oracle_translate(const struct oracle_regs *regs, const struct oracle_memory *memory,
		      const struct weir_model_txn *txn, uint32_t choices,
		      struct oracle_result *result);

#endif
