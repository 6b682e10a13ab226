/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUCASE_H
#define TESTS_SMMUCASE_H

/*
 * Cases for the SMMUv3 model, made of bytes: an implementation, streams with tables that are right
 * for the most part, things gone wrong in memory, transactions; and each transaction judged by the
 * oracle. The bytes of a fuzzer, or of a generator of random numbers.
 *
 * With caches, only such changes are made as leave nothing UNPREDICTABLE (3.17, 3.21, 5.2.1,
 * 5.4.1): address spaces keep their tags, and all is invalidated after each change.
 */

#include "smmubox.h"

/** The tables of one stage, as software builds them. */
struct case_space {
	bool stage2, ds, big_endian, upper;
	unsigned int granule, input_bits, output_bits;
	int start;
	uint64_t base;
};

#define CASE_STREAMS 3u
#define CASE_CDS 2u
#define CASE_PAGES 8u
#define CASE_PUTS 192u

struct case_stream {
	uint32_t sid;
	unsigned int config, cds;
	bool has_stage2;
	struct case_space stage2, stage1[CASE_CDS][2];
	/* What was mapped: input addresses, to meet again. */
	unsigned int nr_pages[CASE_CDS];
	uint64_t pages[CASE_CDS][CASE_PAGES];
};

enum case_kind { PUT_CONFIG, PUT_TABLE, PUT_LEAF };

struct smmucase {
	struct box box;
	struct input *in;
	bool cached;
	unsigned int nr_streams;
	struct case_stream streams[CASE_STREAMS];
	uint64_t next_table;
	/* Where things were put, for what goes wrong there. */
	unsigned int nr_puts;
	uint64_t puts[CASE_PUTS];
	uint8_t put_kinds[CASE_PUTS];
	bool overlaps; /* hardware updated what may be kept under another name */
	uint64_t last_record[4];
	unsigned int transactions, compared, oks, events, types[256];
};

#define CASE_CANDIDATES 32u

/** What the oracle allows; the first is what the specification prefers. */
struct case_verdict {
	unsigned int n;
	struct oracle_result candidates[CASE_CANDIDATES];
	uint64_t before[CASE_CANDIDATES][ORACLE_UPDATES];
};

/** smmucase.c: what the bytes say, from creation to the end. */
void case_run(struct smmucase *c, struct input *in);
/** What a transaction would get of memory as it is. */
void case_judge(const struct smmucase *c, const struct weir_model_txn *txn,
		struct case_verdict *verdict);
/** It gets that, or what `also` says (if not NULL). */
void case_transaction(struct smmucase *c, const struct weir_model_txn *txn,
		      const struct case_verdict *also);

/* smmubuild.c */
void case_build(struct smmucase *c);
/* One more page, or block, of a stream's. */
void case_map(struct smmucase *c, struct case_stream *s, unsigned int cd);
/* Something goes wrong somewhere. */
void case_mutate(struct smmucase *c);
/*
 * Puts a leaf at a level for an address, and tables above it; `via`: the stage 2 that the tables
 * are behind, or NULL. Returns where the leaf is.
 */
uint64_t case_map_at(struct smmucase *c, const struct case_space *space,
		     const struct case_space *via, uint64_t va, int level, uint64_t descriptor);
/* A descriptor's output address. */
uint64_t case_output(const struct smmucase *c, const struct case_space *space, uint64_t addr);

#endif
