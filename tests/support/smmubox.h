/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUBOX_H
#define TESTS_SMMUBOX_H

/*
 * An SMMUv3 in a box, for fuzzers: a model, a little RAM that is also to be found in the upper half
 * of the physical addresses, queues, commands, and a log of all that the model stores. What does
 * not hold ends the process: REQUIRE() of input.h.
 */

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

#include "input.h"
#include "oracle.h"

#define BOX_RAM 0x40000000ull
#define BOX_SIZE 0x100000u
#define BOX_PAGES (BOX_SIZE / 4096)
#define BOX_STORES 64

/* Where the box puts its own. */
#define BOX_STRTAB BOX_RAM /* 64 STEs */
#define BOX_STRTAB_L1 (BOX_RAM + 0x1000)
#define BOX_CMDQ (BOX_RAM + 0x2000)   /* 2^5 */
#define BOX_EVENTQ (BOX_RAM + 0x3000) /* 2^4 */
#define BOX_CMDQ_LOG2 5u
#define BOX_EVENTQ_LOG2 4u
#define BOX_FREE (BOX_RAM + 0x4000) /* from here on: the user's */
/* Where MSIs arrive: a page of doorbells, the model's own registers, RAM. */
#define BOX_DOORBELL 0x8080000ull
#define BOX_MMIO 0x9050000ull

enum box_store_kind { BOX_STORE, BOX_UPDATE, BOX_MSI };

struct box_store {
	enum box_store_kind kind; /* store64, cas64, msi */
	uint64_t addr, before, after;
};

struct box {
	uint8_t *ram;
	uint8_t used[BOX_PAGES]; /* pages that may not be zero */
	struct weir_model_smmuv3_config config;
	bool windows; /* the model gets its RAM without calls: no log of stores */
	/* Who is behind the model; NULL: the box, which counts what is resumed. */
	const struct weir_model_smmuv3_client_ops *client;
	void *client_opaque;
	struct weir_model_smmuv3 *smmu;
	unsigned int oas;
	struct oracle_regs regs;
	uint32_t eventq_cons;
	/* What the model stored since box_forget(): the log holds the first BOX_STORES. */
	unsigned int nr_stores;
	struct box_store stores[BOX_STORES];
	/* What a stalled transaction heard. */
	unsigned int resumed;
	enum weir_model_result resumed_how;
};

/* The RAM, all zero; the same in each run of a process. */
void box_init(struct box *box);
/* A legal implementation; most have what most bits of the input say. */
void box_choose(struct box *box, struct input *in);
/* Of IDR5.OAS, IPS and S2PS. */
unsigned int box_size_bits(unsigned int ps);
/* Makes a model of box->config. */
void box_create(struct box *box);
void box_destroy(struct box *box);

/* A word of RAM, by a physical address in either half; NULL: nothing there. */
uint64_t *box_at(const struct box *box, uint64_t addr);
void box_put(struct box *box, uint64_t addr, uint64_t value);
uint64_t box_get(const struct box *box, uint64_t addr);
/* The address under which the upper half has it. */
uint64_t box_high(const struct box *box, uint64_t addr);
void box_forget(struct box *box);
extern bool box_load(void *box, uint64_t addr, uint64_t *value); /* struct oracle_memory */

void box_write(struct box *box, uint64_t offset, unsigned int size, uint64_t value);
uint64_t box_read(struct box *box, uint64_t offset, unsigned int size);
/* As a driver would; `cr0` besides the queues. */
void box_enable(struct box *box, uint32_t cr0);
/* Puts a command into the queue. */
void box_queue(struct box *box, uint64_t word0, uint64_t word1);
/* CMD_SYNC, and steps until it is consumed. */
void box_sync(struct box *box);
/* Everything that may be kept, and a CMD_SYNC. */
void box_invalidate_all(struct box *box);
/* The next event record; false: none. */
bool box_event(struct box *box, uint64_t *record);

#endif
