/* SPDX-License-Identifier: MIT */

/* Rows: -> rows.h. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rows.h"

/* Of all rounds of one contender. */
struct result {
	double best, median, slowest;
	double apart; /* the best of those whose threads did not run at once */
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void conclude(double *ns, unsigned int rounds, struct result *result)
{
	unsigned int count = 0;

	qsort(ns, rounds, sizeof(*ns), by_value);
	while (count < rounds && isfinite(ns[count]))
		count++;
	result->best = count ? ns[0] : result->apart;
	result->median = count ? ns[count / 2] : result->apart;
}

static void keep_least(double *least, double value)
{
	if (!*least || value < *least)
		*least = value;
}

/* Of the parts, too, the round in which the slowest one was fastest: it was not disturbed. */
static bool run_once(run_fn *fn, void *arg, double *ns, struct result *result)
{
	struct run run = { 0 };

	if (!fn(arg, &run))
		return false;
	*ns = run.apart ? INFINITY : run.ns;
	if (run.apart)
		keep_least(&result->apart, run.ns);
	keep_least(&result->slowest, run.slowest);
	return true;
}

static bool run_rounds(const struct row *row, unsigned int rounds, double *ns,
		       struct result *result, struct result *bound)
{
	for (unsigned int round = 0; round < rounds; round++) {
		bool first = round & 1;

		if (first && !run_once(row->run, row->arg, &ns[round], result))
			return false;
		if (!run_once(row->bound, row->arg, &ns[rounds + round], bound))
			return false;
		if (!first && !run_once(row->run, row->arg, &ns[round], result))
			return false;
	}
	conclude(ns, rounds, result);
	conclude(ns + rounds, rounds, bound);
	return true;
}

/* ---- What is printed -------------------------------------------------------------------- */

static const char *verdict(const struct row *row, const struct result *result)
{
	if (!row->target)
		return "-";
	return result->best <= row->target && result->slowest <= row->target ? "yes" : "no";
}

static double mega_per_second(const struct row *row, const struct result *result)
{
	return row->commands * 1e3 / result->best;
}

static void print_row(const struct row *row, const struct result *result,
		      const struct result *bound)
{
	char target[32] = "-";

	if (row->target)
		snprintf(target, sizeof(target), "%.2f  %s", row->target, verdict(row, result));
	printf("%-22s  %-11s %8.2f  %8.2f  %7.2f  %-12s", row->name, row->bound_name, bound->best,
	       result->best, result->best / bound->best, target);
	if (row->commands)
		printf("  %8.2f", mega_per_second(row, result));
	else if (result->slowest)
		printf("  %8.2f", result->slowest);
	printf("\n");
	fflush(stdout);
}

static void print_json(const struct row *row, const struct result *result,
		       const struct result *bound, bool first)
{
	printf("%s\n  {\"name\": \"%s\", \"ns\": {\"best\": %.3f, \"median\": %.3f}, "
	       "\"bound\": \"%s\", \"bound_ns\": {\"best\": %.3f, \"median\": %.3f}, "
	       "\"ratio\": %.3f, \"target\": %.3f, \"reached\": \"%s\"",
	       first ? "" : ",", row->name, result->best, result->median, row->bound_name,
	       bound->best, bound->median, result->best / bound->best, row->target,
	       verdict(row, result));
	if (row->commands)
		printf(", \"mega_per_second\": %.3f", mega_per_second(row, result));
	if (result->slowest)
		printf(", \"slowest\": %.3f", result->slowest);
	printf("}");
}

void table_begin(struct table *table, const struct options *options, const char *last)
{
	*table = (struct table){ .options = options, .last = last };
	if (options->json)
		printf("[");
	else
		printf("%-22s  %-11s %8s  %8s  %7s  %-12s  %8s\n\n", "row", "bound", "its ns", "ns",
		       "ratio", "target", last);
}

void table_end(struct table *table)
{
	if (table->options->json)
		printf("\n]\n");
}

bool table_row(struct table *table, const struct row *row)
{
	unsigned int rounds = table->options->rounds;
	double *ns = calloc((size_t)2 * rounds, sizeof(*ns));
	struct result result = { 0 }, bound = { 0 };
	bool ok;

	if (!ns) {
		fprintf(stderr, "%s: no memory\n", row->name);
		return false;
	}
	ok = run_rounds(row, rounds, ns, &result, &bound);
	free(ns);
	if (ok && table->options->json)
		print_json(row, &result, &bound, !table->printed++);
	else if (ok)
		print_row(row, &result, &bound);
	return ok;
}
