/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUENTRIES_H
#define TESTS_SMMUENTRIES_H

/*
 * Stream table entries and context descriptors of all kinds, and what the SMMUv3 model makes of
 * them: one stream, before context descriptor tables, stage-1 and stage-2 tables of several shapes
 * that all translate differently; and transactions that tell them apart. Nothing is cached.
 */

#include "smmutables.h"

#define ENTRY_WORDS 8u
#define PROBES 26u

#define CD_TABLES 7u
#define STAGE1_TABLES 4u
#define STAGE2_TABLES 5u

struct ground {
	struct fixture *f;
	uint64_t stage1[STAGE1_TABLES], stage2[STAGE2_TABLES];
	/* Descriptors that the SMMU may update, and what they were. */
	struct {
		uint64_t addr, value;
	} updated[3 * (STAGE1_TABLES + STAGE2_TABLES)];
	unsigned int nr_updated;
	uint64_t seed;
};

/* All that can be observed; compared by memcmp(). */
struct meaning {
	uint64_t legal, config, world, vmid, asid, flags;
	struct {
		uint64_t result, addr, attributes, answer, event[4];
	} seen[PROBES];
};

/* Of `f`, which is set up; the model is made anew. */
void lay_ground(struct ground *g, struct fixture *f, enum weir_model_smmuv3_reserved reserved);
uint64_t rnd(struct ground *g);
uint64_t below(struct ground *g, uint64_t n);

/* A stream table entry by its parts. */
struct ste_spec {
	unsigned int config, cds, s1dss, eats, strw, stage2;
	uint64_t vmid;
	uint64_t more1, more2; /* or'ed into words 1 and 2 */
};
void make_ste(const struct ground *g, const struct ste_spec *spec, uint64_t *ste);
/* Those that a driver has; false: there is no such index. */
bool ste_example(const struct ground *g, unsigned int i, uint64_t *ste);
/* Legal, or without V. */
void random_ste(struct ground *g, uint64_t *ste);
void random_cd(struct ground *g, uint64_t *cd);
bool cd_example(const struct ground *g, unsigned int i, uint64_t *cd);

/* `cd`: NULL, or the descriptor at CDS, for an entry that leads there. */
void find_meaning(struct ground *g, const uint64_t *ste, const uint64_t *cd, struct meaning *m);
/* The entry for tests of context descriptors; one stage, or with stage 2 behind it. */
void ste_of_cd(const struct ground *g, bool nested, uint64_t *ste);

/*
 * `ste` with the context descriptors that `from` leads to, all found already; both translate at
 * stage 1.
 */
void with_found(struct ground *g, const uint64_t *ste, const uint64_t *from, uint64_t *mixed);
/* Is there a descriptor for this probe, of a substream that `ste` has too? */
bool probe_finds(struct ground *g, unsigned int probe, const uint64_t *ste, const uint64_t *from);

#endif
