/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUATOS_H
#define TESTS_SMMUATOS_H

/*
 * For tests of translation operations: an implementation with all of them, streams of each kind,
 * requests and what they are answered.
 */

#include "smmuhost.h"

#define VATOS_PAGE 0x40000u /* BA_VATOS 2 */
#define VATOS (VATOS_PAGE + WEIR_SMMU_VATOS_CTRL)
#define GATOS WEIR_SMMU_GATOS_CTRL
#define S_GATOS WEIR_SMMU_S_GATOS_CTRL
#define RUN WEIR_SMMU_ATOS_CTRL_RUN
#define SID 8u
#define ADDR 0x10u
#define PAR 0x18u

/* ATOS_ADDR. */
#define TYPE(n) WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_ADDR_TYPE, n)
#define S1 TYPE(WEIR_SMMU_ATOS_TYPE_S1)
#define S2 TYPE(WEIR_SMMU_ATOS_TYPE_S2)
#define BOTH TYPE(WEIR_SMMU_ATOS_TYPE_BOTH)
#define R WEIR_SMMU_ATOS_ADDR_RNW
#define W 0ull
#define X (WEIR_SMMU_ATOS_ADDR_RNW | WEIR_SMMU_ATOS_ADDR_IND)
#define PRIV WEIR_SMMU_ATOS_ADDR_PNU
#define HTTUI WEIR_SMMU_ATOS_ADDR_HTTUI

#define SUBSTREAM(n)                                                                               \
	(WEIR_SMMU_ATOS_SID_SSID_VALID | WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_SID_SUBSTREAMID, n))

#define VMID 0x107u
#define VA 0x1234000ull
#define IPA 0x7000000ull
/* MAIR: write-back, write-through without allocation on writes, not cached, Device-nGnRE. */
#define MAIR 0x0444aaffull
#define ATTR(index) ((uint64_t)(index) << 2)
#define ISH WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_ISH)
#define OSH WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_OSH)
/* Stage 2: S2AP, MemAttr. */
#define PAGE2_RO (WEIR_VMSA_AF | WEIR_VMSA_S2AP_READ | 0xfull << 2 | WEIR_VMSA_TYPE_PAGE)
#define PAGE2 (PAGE2_RO | WEIR_VMSA_S2AP_WRITE)
#define BLOCK2 ((PAGE2 & ~WEIR_VMSA_TYPE) | WEIR_VMSA_TYPE_BLOCK)

/* Everything that tests of ATOS need, and the caches; enabled, with VMID in VATOS_SEL. */
void have(struct fixture *f, enum weir_model_smmuv3_caches caches);
int set_up_atos(void **state);
/* A group's registers, of S_GATOS by Secure accesses. */
uint64_t rd_group(struct fixture *f, uint64_t group, uint64_t reg, unsigned int size);
void wr_group(struct fixture *f, uint64_t group, uint64_t reg, unsigned int size, uint64_t value);
/* Asks; RUN stays 1 until a step. */
void post(struct fixture *f, uint64_t group, uint64_t sid, uint64_t addr);
/* A whole request; it never leaves an event. */
uint64_t ask(struct fixture *f, uint64_t group, uint64_t sid, uint64_t addr);
/* PAR of a success and of a fault. */
uint64_t par(uint64_t addr, unsigned int size, uint64_t attr, uint64_t sh);
uint64_t bad(uint64_t code, uint64_t reason, uint64_t faddr);
/* Of STREAM, by GATOS; of another. */
void expect(struct fixture *f, uint64_t addr, uint64_t answer);
void expect_of(struct fixture *f, uint64_t sid, uint64_t addr, uint64_t answer);
/* Stage 1 alone; its transactions would stall (CD.S). Returns the table. */
uint64_t have_stage1(struct fixture *f, uint32_t sid);
/* Stage 2: 40 bits from level 1, with all RAM mapped as it is. Returns the table. */
uint64_t have_stage2(struct fixture *f, uint32_t sid, unsigned int config, uint64_t flags);
/* Both; returns stage 1's table. */
uint64_t have_nested(struct fixture *f, uint32_t sid, uint64_t flags, uint64_t *table2);
/* A page of stage 2. Returns where its descriptor is. */
uint64_t map2(struct fixture *f, uint64_t table2, uint64_t ipa, uint64_t descriptor);
void forget(struct fixture *f);

#define ATOS(name) cmocka_unit_test_setup_teardown(name, set_up_atos, tear_down)

#endif
