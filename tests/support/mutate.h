/* SPDX-License-Identifier: MIT */
#ifndef MUTATE_H
#define MUTATE_H

/*
 * Leaves one thing out that the driver does for the SMMU's sake, where it matters, and so that the
 * driver cannot see it; on modelrig.h, with one thread.
 *
 * Commands: when CMDQ_PROD is written the new batch is looked at, and the model asked what each
 * command of it would take out of its caches that no other command of the batch does: entries that
 * are held now, valid or not. One of the wanted kind, with such an entry, is read by the model as a
 * CMD_PREFETCH_CONFIG of a stream beyond all tables: it does nothing, and CMDQ_CONS moves past it.
 * A CMD_SYNC matters if anything of its batch does: the adversarial caches put invalidations off
 * until one.
 *
 * Cleans, of an SMMU that does not snoop: the memory that it reads is threadplat's shadow, which
 * plat_cache_clean() alone fills. One that is left out, of lines that differ, stays so until the
 * line is cleaned again: as a CPU's cache keeps a dirty line for as long as it likes.
 *
 * Barriers, of an SMMU that snoops: while a barrier may be left out the SMMU reads a shadow as
 * well, into which each plat_dma_wmb() puts what the CPU has stored. Where one is left out the
 * stores before it, or some of them, are held back, and those behind it overtake them: a weakly
 * ordered CPU may make them visible in any order, as late as it likes, but not beyond its next
 * barrier. So at the next one the SMMU sees the others first, and is asked; then all of them.
 *
 * A barrier matters if what is late can be seen: a table that was led to, of which the SMMU reads
 * what memory held before; what was mapped; a command, and the entries that it is about. On one CPU
 * the two barriers around a batch of commands stand in for each other, and are left out together:
 * tests/test-smmuv3-cmdq-weak.c has each of them alone.
 */

#include "modelrig.h"

enum mutate_kind {
	MUTATE_NOTHING, /* all is as it should be, and must not be caught */
	MUTATE_CFGI_STE,
	MUTATE_TLBI_VA, /* of pages, without a range */
	MUTATE_TLBI_RANGE,
	MUTATE_TLBI_TABLES, /* of either: the entries are tables alone, that were taken out */
	MUTATE_TLBI_ASID,
	MUTATE_SYNC,
	MUTATE_CLEAN_MAP, /* of page tables */
	MUTATE_CLEAN_UNMAP,
	MUTATE_CLEAN_STE,     /* of stream table entries, and of what leads to them */
	MUTATE_CLEAN_COMMAND, /* of slots of the command queue */
	MUTATE_WMB_MAP,	      /* behind what is mapped */
	MUTATE_WMB_PUBLISH,   /* between a table or descriptor and what leads to it */
	MUTATE_WMB_PROD,      /* all between what is unmapped, and the command, and CMDQ_PROD */
	MUTATE_KINDS,
};
extern const char *const mutate_kind_names[MUTATE_KINDS];

/* What the test is doing; told by the test. */
enum mutate_phase {
	MUTATE_IDLE,
	MUTATE_MAPPING,
	MUTATE_UNMAPPING, /* [first, last] */
	MUTATE_MOVING,	  /* streams change what they do */
	MUTATE_FREEING,	  /* a domain that nobody is in: its ASID's entries cannot be seen */
};

struct mutate {
	enum mutate_kind kind;
	enum mutate_phase phase;
	uint64_t first, last;
	bool takes_tables; /* the unmap does */
	bool armed, dropped;
	bool no_blocks;	     /* the test maps none that it could have to split */
	bool error;	     /* the SMMU reported an error since then */
	uint64_t skip;	     /* opportunities to let pass */
	uint64_t command[2]; /* what was left out, if it is a command */
	struct weir_model_smmuv3_held held;
	/* Asked at moments when the driver goes on without what was left out. */
	void (*peek)(void);
};
extern struct mutate mutate;

/* What a machine must be like for this kind to come up. */
void mutate_options(enum mutate_kind kind, struct modelrig_options *options);
void mutate_arm(enum mutate_kind kind, uint64_t skip);
void mutate_disarm(void);
/* The operation of the test is over. */
void mutate_end_of_step(void);
/* A line on it. */
const char *mutate_what(void);

#endif
