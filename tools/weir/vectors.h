/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_VECTORS_H
#define WEIR_TOOL_VECTORS_H

/*
 * Recorded vectors: what an IOMMU was told and what it did, one case a line (tests/vectors).
 *
 *   vectors.c          `weir vectors`: options, files, exceptions, the count
 *   vectors-read.c     a line -> struct vector; nothing in it is trusted
 *   vectors-play.c     a case through the SMMUv3 model -> what came out of it
 *   vectors-ram.c      the machine's memory
 *   vectors-compare.c  what came out and what is expected -> differences; knows no model
 *   vectors-names.c    registers and events, by name
 *   vectors-arena.c    memory for a case
 *
 * Everything about a case is in an arena, which is emptied before the next.
 */

#include <stdarg.h>
#include <stdio.h>

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

/* ---- A case ----------------------------------------------------------------------------- */

struct vector_reg {
	uint64_t offset, value;
	unsigned int size;
	bool read;
};

struct vector_mem {
	uint64_t addr;
	const uint8_t *bytes;
	size_t len;
};

/* Commands that are queued together. */
struct vector_batch {
	const uint8_t (*cmds)[WEIR_SMMU_CMD_SIZE];
	size_t count;
};

struct vector_access {
	uint64_t va;
	uint32_t sid, len;
	bool write;
};

/* Done in this order: memory, registers, commands, accesses. */
struct vector_phase {
	struct vector_mem *mem;
	struct vector_reg *regs;
	struct vector_batch *batches;
	struct vector_access *accesses;
	size_t mems, reg_count, batch_count, access_count, reads;
};

struct vector_event {
	uint64_t word[WEIR_SMMU_EVT_WORDS];
};

/* What an access did. */
struct vector_result {
	bool ok;	     /* it completed, at an address that is RAM */
	bool has_hit;	     /* `hit` and `hits` count */
	unsigned int hits;   /* 0 or 1 */
	uint64_t hit;	     /* where a write landed */
	const uint8_t *data; /* what a read got, as long as the access; NULL: not told */
	const struct vector_event *events;
	size_t event_count;
	const struct vector_result *fresh; /* may be this as well; NULL */
};

enum {
	VECTOR_GERROR,
	VECTOR_CMDQ_PROD,
	VECTOR_CMDQ_CONS,
	VECTOR_EVENTQ_PROD,
	VECTOR_EVENTQ_CONS,
	VECTOR_Q
};

/* What a phase did: as many reads and results as the phase has. */
struct vector_outcome {
	uint64_t *rd;
	struct vector_result *results;
	bool has_q;
	uint64_t q[VECTOR_Q];
	/* Of what came out alone: */
	bool cmdq_error; /* GERROR.CMDQ_ERR is active */
	bool restless;	 /* the command queue did not come to an end */
	bool stray;	 /* the model wrote here, which is not the event queue */
	uint64_t stray_addr;
};

struct vector {
	const char *id, *tags;	  /* tags are separated by spaces */
	const char *spec, *rests; /* sections; or NULL */
	const char *lenient;	  /* why a model may differ; or NULL */
	struct vector_phase *phases;
	size_t phase_count;
	struct vector_outcome **expected; /* alternatives, each of all phases */
	size_t expected_count;
	bool choice; /* they come from `allowed` */
};

/* ---- vectors-arena.c: out of memory, the program ends ------------------------------------ */

struct arena {
	struct arena_block *blocks;
};

/* Zeroed. */
void *arena_alloc(struct arena *arena, size_t size);
/* Cut after 4095 characters. */
char *arena_print(struct arena *arena, const char *format, ...) WEIR_PRINTF(2, 3);
void arena_empty(struct arena *arena);
/* Ends the program. */
void out_of_memory(void) __attribute__((noreturn));

/* ---- vectors-ram.c ---------------------------------------------------------------------- */

#define VECTOR_RAM_BASE 0x40000000ull
#define VECTOR_RAM_SIZE (80ull << 30)

/* RAM that is there where something was written, and reads as zero elsewhere. */
struct ram;

struct ram *ram_create(void);
void ram_destroy(struct ram *ram);
/* All zero again. */
void ram_clear(struct ram *ram);
bool ram_has(uint64_t addr, uint64_t len);
/* Outside of RAM: zeros; nothing happens. */
void ram_read(struct ram *ram, uint64_t addr, void *bytes, size_t len);
void ram_write(struct ram *ram, uint64_t addr, const void *bytes, size_t len);

/* ---- vectors-read.c --------------------------------------------------------------------- */

/* A file that is read. */
struct lines {
	const char *path;
	FILE *file;
	unsigned int number; /* of the line in `text`, from 1 */
	char *text;
	size_t len, room, bytes; /* `bytes`: read so far */
};

enum lines_result { LINES_GOT, LINES_END, LINES_BAD };

/* BAD: a line on stderr said why. Blank lines are left out. */
enum lines_result lines_next(struct lines *lines);
void lines_close(struct lines *lines);

/* False: a line on stderr names the file, the line and what is wrong with it. */
bool vector_read(const struct lines *lines, struct arena *arena, struct vector *vector);

/* A case that may differ, where it does: `field` as in a difference. */
struct vector_exception {
	const char *id, *section, *field;
};
bool vector_exception_read(const struct lines *lines, struct arena *arena,
			   struct vector_exception *exception);

/* ---- vectors-play.c --------------------------------------------------------------------- */

/* One outcome for each phase, in the arena. NULL: the model could not be made; stderr says so. */
struct vector_outcome *vector_play(const struct vector *vector, struct ram *ram,
				   enum weir_model_smmuv3_caches caches, struct arena *arena);

/* ---- vectors-compare.c ------------------------------------------------------------------ */

struct vector_difference {
	size_t phase;
	long access;	   /* -1: not of an access */
	const char *field; /* of the case: expect[0].acc[1].ev[0] */
	const char *text;  /* expected ..., got ... */
};

#define VECTOR_DIFFERENCES 32

struct vector_differences {
	struct vector_difference item[VECTOR_DIFFERENCES];
	size_t count; /* may be larger */
};

/* Against the alternative that it differs from least; count 0: it is as expected. */
void vector_compare(const struct vector *vector, const struct vector_outcome *got,
		    struct arena *arena, struct vector_differences *differences);

/* ---- vectors-names.c -------------------------------------------------------------------- */

/* SMMU_*, or NULL. */
const char *register_name(uint64_t offset);
/* F_*, C_*, or a word for what has no name. */
const char *event_name(uint64_t type);

/* A field of an event record. */
struct event_field {
	const char *name;
	unsigned int word;
	uint64_t mask;
	bool address; /* keeps its place */
};
#define EVENT_FIELDS 13
extern const struct event_field event_fields[EVENT_FIELDS];
/* Its value, in text. */
char *event_field_text(struct arena *arena, const struct event_field *field,
		       const struct vector_event *event);

#endif
