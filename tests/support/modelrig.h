/* SPDX-License-Identifier: MIT */
#ifndef MODELRIG_H
#define MODELRIG_H

/*
 * The SMMUv3 driver, under src/iommu, on the model of the SMMUv3, on threadplat: nothing between
 * them but registers and memory. Adversarial caches. No interrupts: nobody looks at events.
 *
 * The model steps whenever a CPU reads a register, which is what a driver does that waits: on the
 * CPU's own thread, one at a time. So with one thread a run repeats.
 *
 * One rig at a time.
 */

#include <weir/domain.h>
#include <weir/model/smmuv3.h>

struct modelrig_options {
	uint64_t seed;	   /* of the adversary */
	size_t ram;	   /* 0: 32 MiB */
	bool incoherent;   /* the SMMU does not snoop: threadplat has a shadow */
	bool shadow;	   /* it does, and has one all the same: modelrig_see_shadow() */
	bool no_ranges;	   /* IDR3.RIL */
	unsigned int bbml; /* IDR3.BBML */
	unsigned int cmdq; /* entries of the command queue; 0: the driver's choice */
	unsigned int cpus;
};

struct modelrig_hooks {
	/* CMDQ_PROD is about to be written; the model knows nothing of it. */
	void (*prod)(uint32_t from, uint32_t to);
	/* The model consumed a command. */
	void (*consumed)(void);
	/* The model reads a word of memory: true puts another into *value. */
	bool (*load)(uint64_t addr, uint64_t *value);
	/* GERRORN is written: there was an error. */
	void (*error)(void);
};

struct modelrig {
	struct weir *weir;
	struct weir_iommu *iommu;
	struct weir_model_smmuv3 *model;
	struct modelrig_hooks hooks; /* none while threads run */
	uint64_t cmdq_base;
	uint32_t cmdq_mask; /* of an index, without the wrap bit */
	bool see_ram;	    /* the model reads memory, whatever there is of a shadow */
};

extern struct modelrig modelrig;

void modelrig_start(const struct modelrig_options *options);
/* No device is left. */
void modelrig_stop(void);
/* Without going through the driver's end: what is there may be broken. Pages are left. */
void modelrig_abandon(void);
/* OK: the access has to be completed. */
enum weir_model_result modelrig_access(uint32_t stream, uint64_t addr, bool write,
				       struct weir_model_translation *out);
void modelrig_complete(const struct weir_model_translation *translation);
/* The ASID of the domain that a stream is in, by its entry and descriptor; 0: none. */
unsigned int modelrig_asid(uint32_t stream);
/* Does a first-level descriptor lead to the stream's entry? As the CPU sees it. */
bool modelrig_has_entry(uint32_t stream);
/* Part of the stream table, of either level? As the CPU sees it. */
bool modelrig_is_stream_table(uint64_t phys);
/* A word as the model reads it. */
uint64_t modelrig_device_word(uint64_t phys);

#endif
