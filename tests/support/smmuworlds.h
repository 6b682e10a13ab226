/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUWORLDS_H
#define TESTS_SMMUWORLDS_H

/*
 * For tests of the SMMUv3 model's caches: an implementation with all that tags a translation (stage
 * 2, EL2 with and without E2H, wildcards, ranges), and streams of each kind. All tables are of 4K
 * and reach 44 bits of IPA.
 */

#include "smmuhost.h"

#define WORLDS_VMID 0x107u

/* Normal caches, then adversarial ones. */
#define EACH_CACHING(caches)                                                                       \
	for (enum weir_model_smmuv3_caches caches = WEIR_MODEL_SMMUV3_CACHES_NORMAL;               \
	     caches <= WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;                                       \
	     caches = caches == WEIR_MODEL_SMMUV3_CACHES_NORMAL ?                                  \
			      WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL :                               \
			      WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL + 1)

/* S2AP: read and write; Normal write-back; inner shareable. */
#define LEAF2 (WEIR_VMSA_AF | 3ull << 6 | 15ull << 2 | 3ull << 8)
#define PAGE2 (LEAF2 | WEIR_VMSA_TYPE_PAGE)
#define BLOCK2 (LEAF2 | WEIR_VMSA_TYPE_BLOCK)

/* recreate(), and all is acknowledged: adversarial caches let registers wait for a step. */
void start(struct fixture *f);
/* The implementation; start(). */
void have_worlds(struct fixture *f, enum weir_model_smmuv3_caches caches);
/* CR2.E2H, with the SMMU disabled for that moment. */
void set_e2h(struct fixture *f, bool e2h);
/* Commands and the CMD_SYNC that completes them. */
void command_sync(struct fixture *f, uint64_t word0, uint64_t word1);
/* Everything that is cached, of all worlds. */
void forget_all(struct fixture *f);
uint64_t for_vmid(uint64_t word0, uint16_t vmid);

/* Stage 1 alone with WORLDS_VMID; in EL2's world; returns the lower half's table. */
uint64_t add_el1(struct fixture *f, uint32_t sid);
uint64_t add_el2(struct fixture *f, uint32_t sid);
/* Stage 2 alone, with an identity mapping of all RAM in blocks; returns its first table. */
uint64_t add_stage2(struct fixture *f, uint32_t sid, uint16_t vmid);
/* Both; `stage1` of add_el1() was there before, `stage2` of add_stage2(). */
void nest(struct fixture *f, uint32_t sid, uint64_t stage2, uint16_t vmid);
/* A page of stage 2. Returns where its descriptor is. */
uint64_t map2(struct fixture *f, uint64_t stage2, uint64_t ipa, uint64_t pa);

#endif
