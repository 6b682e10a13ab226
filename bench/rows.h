/* SPDX-License-Identifier: MIT */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

/*
 * A table whose rows are an operation of the stack, beside what it costs at least (its bound). In
 * each round both run, one after the other, and take turns in going first; the best round of each
 * counts. What checks the answers is the run's own business, outside of the time that it reports.
 */

#include "options.h"

#define ROW_NAME 32

/* What one run took. */
struct run {
	double ns;	/* for one operation */
	double slowest; /* the same, of the slowest part of the run; 0: nobody looked */
	bool apart;	/* its threads hardly ran at once: it counts if none did better */
};

/* False: an answer was wrong, or there is no memory; a line on stderr says so. */
typedef bool run_fn(void *arg, struct run *run);

struct row {
	char name[ROW_NAME];
	const char *bound_name;
	run_fn *run, *bound;
	void *arg;	       /* of both */
	double target;	       /* ns, which neither `ns` nor `slowest` exceeds; 0: none */
	unsigned int commands; /* of an operation, where the row is also about a rate; else 0 */
};

struct table {
	const struct options *options;
	const char *last; /* heading of the last column: what `slowest` or `commands` tell */
	unsigned int printed;
};

void table_begin(struct table *table, const struct options *options, const char *last);
/* Measures and prints it. False: as a run says it. */
bool table_row(struct table *table, const struct row *row);
void table_end(struct table *table);

#endif
