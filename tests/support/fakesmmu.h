/* SPDX-License-Identifier: MIT */
#ifndef FAKESMMU_H
#define FAKESMMU_H

/*
 * An SMMUv3 of a few hundred lines for the tests of its driver: registers with knobs, a command
 * queue that is consumed when CMDQ_CONS is read, an event queue. It caches all that it may (IHI
 * 0070 3.21, 4.3, 4.4) for as long as it may: stream table entries and first-level descriptors,
 * leaves, and the tables on the way; an invalidation drops no more than the specification demands.
 * It counts what a driver must not do.
 */

#include <weir/base.h>

#define FAKESMMU_BASE 0x9050000ull
#define FAKESMMU_IRQ_EVENTQ 5
#define FAKESMMU_IRQ_GERROR 6
#define FAKESMMU_LOG 4096u
#define FAKESMMU_CACHED 1024u

enum fakesmmu_result { FAKESMMU_ABORTED, FAKESMMU_PASSED };

struct fakesmmu_cached {
	bool valid, is_leaf;
	uint16_t asid;
	unsigned int level;
	uint64_t base;
	uint64_t entry;
};

struct fakesmmu_config {
	bool valid;
	uint32_t id;
	uint64_t word;
};

struct fakesmmu {
	uint32_t regs[0x20000 / 4];

	/* Knobs. */
	uint32_t frozen_cr0, frozen_irq_ctrl; /* bits that are never acknowledged */
	bool frozen_gbpa;
	bool stopped;		   /* consumes no commands */
	unsigned int budget;	   /* commands for each look; 0: all */
	unsigned int refuse;	   /* the Nth command from now on is refused; 0: none */
	unsigned int refuse_again; /* and so often what stands in its place */
	uint32_t refuse_error;

	/* To look at. */
	unsigned int violations;
	char violation[128]; /* the first */
	uint64_t commands[FAKESMMU_LOG][2];
	unsigned int nr_commands; /* in all; the log keeps the last ones */
	uint64_t out;		  /* of the last access that passed */
	unsigned int events, lost;

	struct fakesmmu_cached cache[FAKESMMU_CACHED];
	unsigned int next_cached;
	struct fakesmmu_config stes[64], l1stds[64];
	unsigned int next_config;
	void *plat;
	void (*raise)(unsigned int irq);
};

/* As QEMU's: two-level, 16-bit stream IDs, coherent, range invalidation. Registers are garbage. */
void fakesmmu_init(struct fakesmmu *smmu, void *plat, void (*raise)(unsigned int irq));
uint32_t *fakesmmu_reg(struct fakesmmu *smmu, uint32_t offset);
uint64_t fakesmmu_read(void *opaque, uint64_t phys, unsigned int size);
void fakesmmu_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value);
/* A device's access. */
enum fakesmmu_result fakesmmu_access(struct fakesmmu *smmu, uint32_t id, uint64_t iova, bool write);
/* Write a record, or lose it. */
void fakesmmu_event(struct fakesmmu *smmu, const uint64_t *record);
/* Activate global errors. */
void fakesmmu_error(struct fakesmmu *smmu, uint32_t bits);

#endif
