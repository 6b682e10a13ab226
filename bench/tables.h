/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TABLES_H
#define BENCH_TABLES_H

/*
 * A guest that has mapped many pages for two streams: one behind stage 1, one behind both stages.
 * Pages follow each other from GUEST_VA on; where they lie is nowhere in memory, and in an order
 * that tells every page from every other. All tables have four levels of 4 KiB.
 *
 *   GUEST_VA + page --stage 1--> GUEST_IPA + page --stage 2--> guest_output(page)
 *                  `-----------------one stage--------------------^
 *
 * Tables lie in the machine's RAM, an anonymous mapping that the model reads in place; the guest
 * sees those of the nested stage 1 GUEST_BIAS above.
 */

#include <stdbool.h>

#include <weir/model/smmuv3.h>

#include "bounds.h"

#define GUEST_VA 0x7f1200000000ull
#define GUEST_IPA 0x010000000000ull
#define GUEST_BIAS 0x020000000000ull
#define GUEST_PAGES_MAX (1u << 22)

struct guest {
	uint8_t *ram;
	uint64_t size, used;
	uint64_t stage1, nested_stage1, stage2; /* the first tables, machine addresses */
};

/* Maps `pages` of them for both streams. False: no memory. */
bool guest_create(struct guest *guest, uint64_t pages);
void guest_destroy(struct guest *guest);

/* A model of the guest's machine, enabled; NULL: a line on stderr. Several may share a guest. */
struct weir_model_smmuv3 *guest_smmu(struct guest *guest, unsigned int tlb_entries);
uint32_t guest_stream(bool nested);
uint64_t guest_output(uint64_t page);
struct walk guest_walk(const struct guest *guest, bool nested);

#endif
