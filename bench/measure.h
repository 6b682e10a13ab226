/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/*
 * Rounds over a set of pages. In each round every contender (the two bounds, and the model with and
 * without a translation cache) translates pages of the set, in the same order, alone and in two
 * threads; contenders take turns in going first. Each answer is checked: those of a timed run by
 * their sum, and before, one by one.
 */

#include "crew.h"
#include "tables.h"

#define CREW 2u /* threads */

enum contender { LOOKUP, WALK, CACHED, WALKING, CONTENDERS };
/* One thread; two, with half of the pages each (one, of one); two with the same. */
enum crowd { ALONE, APART, TOGETHER, CROWDS };

/* Pages, and how to take them. */
struct set {
	uint64_t pages;	       /* a power of two */
	uint64_t translations; /* in a round */
	unsigned int rounds;
	bool random; /* ... each page once, before one comes again; else in turn */
};

struct bench {
	struct guest guest;
	struct weir_model_smmuv3 *models[CONTENDERS]; /* those of CACHED and WALKING */
	struct crew crew;
};

/* ns for one translation, as one thread sees it. */
struct figure {
	double best, median;
};

struct result {
	struct figure figures[CONTENDERS][CROWDS];
};

/* False: a translation was wrong, or there is no memory; a line on stderr says so. */
bool measure(struct bench *bench, const struct set *set, bool nested, struct result *result);

/* How much more two threads get done than one. */
double scaling(const struct result *result, enum contender contender, enum crowd crowd);

#endif
