/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUHOST_H
#define TESTS_SMMUHOST_H

/*
 * Software that drives the SMMUv3 model by hand: a stream table, context descriptors, translation
 * tables and queues in RAM, commands and steps when it says so. Streams have CDs of their own, and
 * the ASID stream + 1.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <weir/hw/smmuv3.h>
#include <weir/model/bus.h>
#include <weir/model/smmuv3.h>

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (16ull << 20)
#define NOWHERE 0x3000000000ull /* no RAM, within 44 bits */

/* Where the fixture puts things. */
#define STRTAB (RAM_BASE + 0x00000) /* 256 STEs */
#define CMDQ (RAM_BASE + 0x10000)   /* 2^6 */
#define EVENTQ (RAM_BASE + 0x11000) /* 2^4 */
#define CDS (RAM_BASE + 0x12000)    /* one for each stream */
#define TABLES (RAM_BASE + 0x100000)
#define PAGES (RAM_BASE + 0x800000)
#define CMDQ_LOG2 6u
#define EVENTQ_LOG2 4u
#define STREAM 5u

/* MSIs anywhere in this page arrive; in RAM they are writes, elsewhere they abort. */
#define DOORBELL 0x8080000ull

#define LEAF (WEIR_VMSA_AF | WEIR_VMSA_NG | WEIR_VMSA_AP_UNPRIV)
#define PAGE (LEAF | WEIR_VMSA_TYPE_PAGE)
#define BLOCK (LEAF | WEIR_VMSA_TYPE_BLOCK)

struct fixture {
	uint8_t *ram;
	struct weir_model_smmuv3_config config; /* what create() makes; set_up() fills it in */
	bool windows;				/* whether the host gives its RAM away; it does */
	const struct weir_model_window *window; /* ... this in its place; NULL: its RAM */
	unsigned int loads;			/* calls of its load64() */
	struct weir_model_smmuv3 *smmu;
	unsigned int lines[WEIR_MODEL_SMMUV3_LINES], kicks, wakes;
	unsigned int msis; /* and the last one */
	uint64_t msi_addr;
	uint32_t msi_data;
	uint64_t next_table; /* allocated tables */
	uint32_t eventq_cons;
	/* Before each cas64() of the host's (without windows); NULL: nothing. */
	void (*before_cas)(struct fixture *f, uint64_t addr);
};

/* Parts of event records. */
#define EVENT0(type, sid) ((uint64_t)(sid) << 32 | (type))
#define READ (1ull << 35)
#define CLASS_IN (2ull << 40)
#define CLASS_TT (1ull << 40)

/* The count, which starts again at 0. */
unsigned int taken(unsigned int *counter);
/* Registers, as a CPU accesses them. */
uint64_t rd(struct fixture *f, uint64_t offset, unsigned int size);
void wr(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value);
/* Words of RAM. */
uint64_t *at(struct fixture *f, uint64_t addr);
void put(struct fixture *f, uint64_t addr, uint64_t value);
/* As many words as an STE or a CD has. */
void put_words(struct fixture *f, uint64_t addr, const uint64_t *words);
/* A whole transaction; len 0 is 4, attributes 0 are PCIe's. */
enum weir_model_result dma_as(struct fixture *f, struct weir_model_txn txn,
			      struct weir_model_translation *out);
/* Of data, unprivileged: WEIR_MODEL_OK and the address, or not. */
enum weir_model_result dma(struct fixture *f, uint32_t sid, uint64_t va, bool write, uint64_t *pa);
/* Reads of STREAM's. */
void expect_read(struct fixture *f, uint64_t va, uint64_t pa);
void expect_blocked(struct fixture *f, uint64_t va);
bool pop_event(struct fixture *f, uint64_t *record);
void expect_no_event(struct fixture *f);
/* One event, with these words. */
void expect_event(struct fixture *f, uint64_t word0, uint64_t word1, uint64_t word2,
		  uint64_t word3);
/* A read of the stream's that is blocked and leaves one event of a translation-related fault. */
void expect_fault(struct fixture *f, uint64_t va, uint8_t type);
unsigned int step(struct fixture *f, unsigned int budget);
void queue_command(struct fixture *f, uint64_t word0, uint64_t word1);
/* Queued, and consumed by a step. */
void command(struct fixture *f, uint64_t word0, uint64_t word1);
uint64_t for_stream(uint64_t opcode, uint32_t sid);
uint64_t for_asid(uint64_t opcode, uint16_t asid);
uint64_t ranged(uint64_t word0, uint64_t num, uint64_t scale);
uint64_t hinted(uint64_t va, uint64_t tg, uint64_t ttl);
void invalidate_all(struct fixture *f);
uint64_t cd_of(uint32_t sid);
uint64_t ste_of(uint32_t sid);
uint64_t new_table(struct fixture *f);
/* 48 bits in both halves, 4 KiB, 44 bits out, ASID 1 + stream; aborts, faults recorded. */
uint64_t cd_word0(uint32_t sid);
void put_cd(struct fixture *f, uint32_t sid, uint64_t word0, uint64_t ttb0, uint64_t ttb1);
void put_ste(struct fixture *f, uint32_t sid, unsigned int config);
/* Stage 1, with two empty tables; returns the lower half's. */
uint64_t add_stream(struct fixture *f, uint32_t sid);
/*
 * Put a descriptor at a level for an address; tables above it are made as needed. Returns where it
 * is. `first`: the level at which the table is.
 */
uint64_t map_at(struct fixture *f, uint64_t table, unsigned int first, unsigned int granule,
		uint64_t va, unsigned int level, uint64_t descriptor);
/* A page of 4 KiB from level 0. */
uint64_t map(struct fixture *f, uint64_t table, uint64_t va, uint64_t descriptor);
/* SMMUv3.3 with all that structures and tables may ask for; stalls, RAZ/WI, both endiannesses. */
void full_config(struct weir_model_smmuv3_config *config);
/* The fixture: created; with tables and queues set up and all enabled. */
void enable(struct fixture *f);
int create(struct fixture *f);
/* Destroyed, created from f->config as it is now, and enabled; RAM stays. */
void recreate(struct fixture *f);
/* Everything that the model can stand for. */
void whole_implementation(struct weir_model_smmuv3_config *config);
/* In place of the fixture's model; not enabled. */
void become(struct fixture *f, const struct weir_model_smmuv3_config *config);
int set_up(void **state);
int set_up_enabled(void **state);
int tear_down(void **state);
struct weir_model_smmuv3_stats stats_of(struct fixture *f);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_enabled, tear_down)
#define TEST_DISABLED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
