/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUTABLES_H
#define TESTS_SMMUTABLES_H

/*
 * Translation tables of all shapes, for both stages, by hand; and ways to run one test over all
 * kinds of caches: what is translated must not depend on them.
 */

#include "smmuhost.h"

/* A set of tables. */
struct shape {
	unsigned int granule; /* log2: 12, 14, 16 */
	int first;	      /* level of the first table */
	unsigned int bits;    /* of input */
	bool ds;	      /* the layout of 52 bits, of 4K and 16K */
	bool big_endian;
};

unsigned int shift_of(const struct shape *shape, int level);
/* Where the entry for an address is, at a level; tables above are made as needed. */
uint64_t entry_of(struct fixture *f, const struct shape *shape, uint64_t table, uint64_t addr,
		  int level);
uint64_t get_entry(struct fixture *f, const struct shape *shape, uint64_t entry);
void put_entry(struct fixture *f, const struct shape *shape, uint64_t entry, uint64_t descriptor);
/* A descriptor at a level, which holds `output`; returns where it is. */
uint64_t map_shaped(struct fixture *f, const struct shape *shape, uint64_t table, uint64_t addr,
		    int level, uint64_t output, uint64_t attributes);
/* An address as a descriptor of the shape holds it. */
uint64_t output_field(const struct shape *shape, uint64_t output);

/* Attributes of usual leaves, without type: stage 1 is LEAF. Normal write-back, all rights. */
#define LEAF2 (WEIR_VMSA_AF | WEIR_VMSA_SH | WEIR_VMSA_S2AP | WEIR_VMSA_S2_MEMATTR)

/*
 * As put_ste() and add_stream(), for stage 1, with all that comes in kept: nothing is in the way.
 */
void put_ste1(struct fixture *f, uint32_t sid);
uint64_t add_stream1(struct fixture *f, uint32_t sid);

/*
 * The STE of a stream with stage 2: 4K, 4 levels, 48 bits in, 44 out, faults recorded. `extra2` is
 * or'ed into word 2. Incoming attributes are kept.
 */
extern const struct shape usual2;
void put_ste2(struct fixture *f, uint32_t sid, unsigned int config, uint64_t ttb, uint64_t extra2);
#define S2_VMID 7u

/*
 * STREAM with both stages: stage 2 maps each page of RAM where the machine has it, as data of all
 * rights, but the pages from IPAS on, which lie at PAGES. *ttb: stage 1's table; returns stage 2's.
 */
#define IPAS 0x5000000000ull
uint64_t nest(struct fixture *f, uint64_t *ttb);

/* All that is cached, and waits for it: with adversarial caches nothing less is sure. */
void forget(struct fixture *f);
/* A test for each kind of cache, from a fresh fixture each time. */
void in_all_modes(struct fixture *f, const struct weir_model_smmuv3_config *config,
		  void (*test)(struct fixture *f));
/* One transaction; the events are checked by the caller. */
enum weir_model_result access_as(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags,
				 struct weir_model_translation *out);

#define RNW (1ull << 35)
#define S2_BIT (1ull << 39)
#define CLASS_CD (0ull << 40)
#define TTRNW (1ull << 44)

#endif
