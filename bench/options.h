/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

/* The options that all benchmarks have. */

#include <stdbool.h>

struct options {
	unsigned int rounds;
	bool json, quick;
	const char *only; /* part of the names of the rows that are wanted; NULL: all are */
};

/* What a benchmark says of itself; sentences end without a newline. */
struct usage {
	const char *program;
	const char *what;    /* it measures */
	const char *names;   /* of its rows: lines, indented like those of an option */
	const char *failure; /* what else but a lack of memory makes its exit status 1 */
	unsigned int rounds, quick_rounds;
};

/* Returns an exit status, or -1 to go on. */
int options_parse(struct options *options, const struct usage *usage, int argc, char **argv);
/* Is the row of that name wanted? */
bool options_want(const struct options *options, const char *name);
/* No row's name has what --only asks for: says so, and returns the exit status. */
int options_none(const struct options *options, const struct usage *usage);

#endif
