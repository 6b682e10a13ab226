/* SPDX-License-Identifier: MIT */

/*
 * What a translation of the SMMUv3 model costs, beside what it costs at least: docs/bench.md.
 *
 * Rows: one stage or two, which pages, with or without a translation cache. Columns: -> measure.h.
 */

#include <stdio.h>

#include "measure.h"
#include "options.h"

#define HIT_TARGET 2.0
#define NESTED_TARGET 3.0
#define SCALING_TARGET 0.9

/* Many short rounds: on a machine that does other things too, some are not disturbed. */
#define TRANSLATIONS (1u << 15)

static const struct usage usage = {
	.program = "smmuv3-translate",
	.what = "What a translation of the SMMUv3 model costs, beside what it costs at least",
	.names = "                 one-hot-cached, nested-1m-walk; stages one or nested, pages\n"
		 "                 hot, 1024 or 1m, then cached or walk",
	.failure = "a translation is wrong",
	.rounds = 200,
	.quick_rounds = 2,
};

struct program {
	struct options options;
	struct bench bench;
	unsigned int printed; /* rows */
};

/* Pages of a size, and what is to be reached there. */
struct kind {
	const char *name, *title, *quick_title;
	uint64_t pages, quick_pages;
	bool random;
	bool hits;	    /* with a translation cache: the bound is the lookup */
	double walk_target; /* 0: none */
};

static const struct kind kinds[] = {
	{ "hot", "1 page", "1 page", 1, 1, false, true, 0 },
	{ "1024", "1024 in turn", "1024 in turn", 1024, 1024, false, true, 4 },
	{ "1m", "1M at random", "8K at random", 1u << 20, 1u << 13, true, false, 3 },
};

/* A line of the table: the model, with or without a translation cache, beside its bound. */
struct row {
	char name[32];
	const struct kind *kind;
	const struct result *result;
	bool nested;
	enum contender model, bound;
	double target; /* of the ratio; 0: none */
};

/* ---- Rows ------------------------------------------------------------------------------- */

static struct row make_row(const struct kind *kind, bool nested, enum contender model,
			   const struct result *result)
{
	bool hits = model == CACHED && kind->hits;
	struct row row = {
		.kind = kind,
		.result = result,
		.nested = nested,
		.model = model,
		.bound = hits ? LOOKUP : WALK,
		.target = hits		     ? HIT_TARGET :
			  !kind->walk_target ? 0 :
			  nested	     ? NESTED_TARGET :
					       kind->walk_target,
	};

	snprintf(row.name, sizeof(row.name), "%s-%s-%s", nested ? "nested" : "one", kind->name,
		 model == CACHED ? "cached" : "walk");
	return row;
}

static double ns_of(const struct row *row, enum contender contender)
{
	return row->result->figures[contender][ALONE].best;
}

static double ratio(const struct row *row)
{
	return ns_of(row, row->model) / ns_of(row, row->bound);
}

static const char *verdict(const struct row *row)
{
	if (!row->target)
		return "-";
	return ratio(row) <= row->target ? "yes" : "no";
}

/* How well two threads do, beside how well those of the lookup do. */
static double quotient(const struct row *row, enum crowd crowd)
{
	return scaling(row->result, row->model, crowd) / scaling(row->result, LOOKUP, crowd);
}

/* The lesser one counts. */
static double worst_quotient(const struct row *row)
{
	double apart = quotient(row, APART), together = quotient(row, TOGETHER);

	return apart < together ? apart : together;
}

static bool scales(const struct row *row)
{
	return worst_quotient(row) >= SCALING_TARGET;
}

/* ---- What is printed -------------------------------------------------------------------- */

static void print_head(void)
{
	printf("%30sone thread, ns%23stwo threads beside one:\n"
	       "%67smodel/lookup/walk, pages\n"
	       "stages  pages         cache     bound  model   ratio  target            apart"
	       "        the same\n\n",
	       "", "", "");
}

static void print_row(const struct row *row, const char *title)
{
	char target[24] = "";

	if (row->target)
		snprintf(target, sizeof(target), "%.0f  %s", row->target, verdict(row));
	printf("%-6s  %-12s  %-3s  %-6s %5.1f  %5.1f  %6.2f  %-9s", row->nested ? "nested" : "one",
	       title, row->model == CACHED ? "on" : "off", row->bound == LOOKUP ? "lookup" : "walk",
	       ns_of(row, row->bound), ns_of(row, row->model), ratio(row), target);
	for (enum crowd crowd = APART; crowd < CROWDS; crowd++)
		printf("  %4.2f/%4.2f/%4.2f", scaling(row->result, row->model, crowd),
		       scaling(row->result, LOOKUP, crowd), scaling(row->result, WALK, crowd));
	printf("  %4.2f  %s\n", worst_quotient(row), scales(row) ? "yes" : "no");
	fflush(stdout);
}

static void print_figures(const char *key, const struct figure *figures)
{
	static const char *const crowds[] = {
		[ALONE] = "alone", [APART] = "apart", [TOGETHER] = "together"
	};

	printf("\"%s\": {", key);
	for (unsigned int crowd = 0; crowd < CROWDS; crowd++)
		printf("%s\"%s\": {\"best\": %.3f, \"median\": %.3f}", crowd ? ", " : "",
		       crowds[crowd], figures[crowd].best, figures[crowd].median);
	printf("}, ");
}

static void print_json(const struct row *row, bool first)
{
	printf("%s\n  {\"name\": \"%s\", \"stages\": %d, \"pages\": \"%s\", \"cache\": %s, ",
	       first ? "" : ",", row->name, row->nested ? 2 : 1, row->kind->name,
	       row->model == CACHED ? "true" : "false");
	print_figures("model", row->result->figures[row->model]);
	print_figures("lookup", row->result->figures[LOOKUP]);
	print_figures("walk", row->result->figures[WALK]);
	printf("\"bound\": \"%s\", ", row->bound == LOOKUP ? "lookup" : "walk");
	printf("\"ratio\": %.3f, \"target\": %.1f, \"reached\": \"%s\", ", ratio(row), row->target,
	       verdict(row));
	printf("\"scaling_apart\": %.3f, \"scaling_together\": %.3f, \"scales\": \"%s\"}",
	       quotient(row, APART), quotient(row, TOGETHER), scales(row) ? "yes" : "no");
}

/* ---- What is measured ------------------------------------------------------------------- */

static bool wanted(const struct program *program, const struct row *row)
{
	return options_want(&program->options, row->name);
}

static void print(struct program *program, const struct row *row)
{
	bool quick = program->options.quick;

	if (!wanted(program, row))
		return;
	if (program->options.json)
		print_json(row, !program->printed++);
	else
		print_row(row, quick ? row->kind->quick_title : row->kind->title);
}

static bool do_rows(struct program *program, const struct kind *kind, bool nested)
{
	bool quick = program->options.quick;
	struct result result;
	struct row cached = make_row(kind, nested, CACHED, &result);
	struct row walking = make_row(kind, nested, WALKING, &result);
	struct set set = {
		.pages = quick ? kind->quick_pages : kind->pages,
		.translations = quick ? 1024 : TRANSLATIONS,
		.rounds = program->options.rounds,
		.random = kind->random,
	};

	if (!wanted(program, &cached) && !wanted(program, &walking))
		return true;
	if (!measure(&program->bench, &set, nested, &result))
		return false;
	print(program, &cached);
	print(program, &walking);
	return true;
}

static bool any_wanted(const struct program *program)
{
	for (unsigned int i = 0; i < 4 * WEIR_ARRAY_SIZE(kinds); i++) {
		struct row row = make_row(&kinds[i / 4], i & 1, i & 2 ? WALKING : CACHED, NULL);

		if (wanted(program, &row))
			return true;
	}
	return false;
}

static bool do_all(struct program *program)
{
	bool ok = true;

	if (program->options.json)
		printf("[");
	else
		print_head();
	for (unsigned int i = 0; ok && i < 2 * WEIR_ARRAY_SIZE(kinds); i++)
		ok = do_rows(program, &kinds[i % WEIR_ARRAY_SIZE(kinds)],
			     i >= WEIR_ARRAY_SIZE(kinds));
	if (program->options.json)
		printf("\n]\n");
	return ok;
}

/* ---- The program ------------------------------------------------------------------------ */

static bool set_up(struct bench *bench, const struct options *options)
{
	const struct kind *largest = &kinds[WEIR_ARRAY_SIZE(kinds) - 1];

	if (!guest_create(&bench->guest, options->quick ? largest->quick_pages : largest->pages)) {
		fprintf(stderr, "smmuv3-translate: no memory\n");
		return false;
	}
	bench->models[CACHED] = guest_smmu(&bench->guest, 0);
	bench->models[WALKING] = guest_smmu(&bench->guest, WEIR_MODEL_SMMUV3_NO_TLB);
	return bench->models[CACHED] && bench->models[WALKING] && crew_start(&bench->crew, CREW);
}

/* The models' threads are gone first. */
static void tear_down(struct bench *bench)
{
	crew_stop(&bench->crew);
	weir_model_smmuv3_destroy(bench->models[CACHED]);
	weir_model_smmuv3_destroy(bench->models[WALKING]);
	guest_destroy(&bench->guest);
}

int main(int argc, char **argv)
{
	struct program program = { 0 };
	int status = options_parse(&program.options, &usage, argc, argv);
	bool ok;

	if (status >= 0)
		return status;
	if (!any_wanted(&program))
		return options_none(&program.options, &usage);
	if (!set_up(&program.bench, &program.options))
		return 1;
	ok = do_all(&program);
	tear_down(&program.bench);
	return ok ? 0 : 1;
}
