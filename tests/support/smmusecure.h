/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUSECURE_H
#define TESTS_SMMUSECURE_H

/*
 * For tests of the SMMUv3 model's Secure interface: what smmuhost.h has, once more for the Secure
 * bank. Both have tables and queues of their own, and streams of the same numbers.
 */

#include "smmuhost.h"

#define S_STRTAB (RAM_BASE + 0x20000) /* 256 STEs */
#define S_CMDQ (RAM_BASE + 0x30000)
#define S_EVENTQ (RAM_BASE + 0x31000)
#define S_CDS (RAM_BASE + 0x32000)

/*
 * S_IDR0 and S_IDR1 of an implementation with a Secure interface; ID registers as f->config has
 * them.
 */
void have_secure(struct fixture *f);
/* Everything that goes with a Secure interface; both are enabled. */
int set_up_secure(void **state);
/* As recreate(), and the Secure interface is enabled too. */
void recreate_secure(struct fixture *f);
uint64_t s_rd(struct fixture *f, uint64_t offset, unsigned int size);
void s_wr(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value);
bool s_pop_event(struct fixture *f, uint64_t *record);
void s_expect_no_event(struct fixture *f);
void s_expect_event(struct fixture *f, uint64_t word0, uint64_t word1, uint64_t word2,
		    uint64_t word3);
void s_queue_command(struct fixture *f, uint64_t word0, uint64_t word1);
/* Queued, and consumed by a step. */
void s_command(struct fixture *f, uint64_t word0, uint64_t word1);
uint64_t s_cd_of(uint32_t sid);
uint64_t s_ste_of(uint32_t sid);
void s_put_ste(struct fixture *f, uint32_t sid, unsigned int config, unsigned int strw);
/* Stage 1, with two empty tables and the ASID sid + 1; returns the lower half's. */
uint64_t s_add_stream(struct fixture *f, uint32_t sid);
/* A transaction of a Secure stream: a Secure one of PCIe's memory type, with these flags. */
enum weir_model_result s_dma(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags,
			     struct weir_model_translation *out);

/* Reads of STREAM's. */
void s_expect(struct fixture *f, uint64_t va, uint64_t pa, bool ns);
void s_expect_blocked(struct fixture *f, uint64_t va, uint16_t flags);

#define TEST_SECURE(name) cmocka_unit_test_setup_teardown(name, set_up_secure, tear_down)

#endif
