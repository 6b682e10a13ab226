/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ENTRYRIG_H
#define TESTS_ENTRYRIG_H

/*
 * An SMMU that reads an entry while src/smmuv3/entry.c changes it, in the worst way.
 *
 * Between two syncs it holds of each word any value that the word had since the first of them.
 * After each single write all mixtures are formed that hold the value just written; those without
 * it were looked at before. None is left out. Each has to mean what the entry meant, or what it is
 * to mean, or to be invalid: by the bits that are used, and to the model of the SMMU, if there is
 * one.
 */

#include "smmuentries.h"
#include "smmuv3/entry.h"

#define WORDS WEIR_SMMUV3_ENTRY_WORDS
#define MAX_VALUES 4u

enum kind { STE, CD, CD_NESTED, REDUCED };

enum { OLD, NEW, INVALID };

struct rig {
	struct weir_smmuv3_entry_writer writer;
	struct ground *g; /* NULL: there is no model */
	enum kind kind;
	uint64_t entry[WORDS];
	/* What the SMMU may hold. */
	uint64_t held[WORDS][MAX_VALUES];
	unsigned int nr_held[WORDS];
	unsigned int syncs, fail_at; /* of the change; 0: none fails */
	/* Of the change that is under way. */
	uint64_t from[WORDS], to[WORDS];
	uint64_t ever[WORDS]; /* bits that the entry had, or was to have, since it was made */
	bool blocks;	      /* a mixture means invalid, which neither `from` nor `to` does */
	struct meaning meanings[3];
	/* Earlier syncs failed: it may mean these as well. */
	uint64_t others[4][WORDS];
	unsigned int nr_others;
	unsigned long mixtures;
};

extern const uint64_t zeroes[WORDS];

/* `g`: NULL, and the caller says what is used, if it is a reduced entry. */
void rig_up(struct rig *rig, struct ground *g, enum kind kind);
/* They agree in all that either uses. */
bool same(const struct rig *rig, const uint64_t *a, const uint64_t *b);
/* To the model. */
void meaning_of(struct rig *rig, const uint64_t *entry, struct meaning *m);
/* As it was made: the SMMU did not look yet. */
void start_from(struct rig *rig, const uint64_t *entry);
int change(struct rig *rig, const uint64_t *wanted, bool *hitless);
/* The last one is done, and in effect; `hitless` is as it was told. */
void check_done(struct rig *rig, bool hitless);
/* From the one, as it was made, to the other. */
void expect_change(struct rig *rig, const uint64_t *from, const uint64_t *to, unsigned int syncs,
		   bool hitless);

#endif
