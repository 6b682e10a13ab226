/* SPDX-License-Identifier: MIT */

/* The options that all benchmarks have: -> options.h. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define ROUNDS_MAX 10000u

static void help(const struct usage *usage)
{
	printf("Usage: %s [OPTION]...   or   make bench BENCH=%s ARGS='[OPTION]...'\n"
	       "\n"
	       "%s.\n"
	       "\n"
	       "  --rounds N     rounds, of which the best counts: 1 to %u (%u)\n"
	       "  --only TEXT    only rows in whose name TEXT is. Names:\n"
	       "%s\n"
	       "  --quick        few and small rounds: whether it works, not how fast\n"
	       "  --json         an array of objects instead of a table\n"
	       "  -h, --help     this text\n"
	       "\n"
	       "Exit status: 0 measured, whatever the figures; 1 %s, or\n"
	       "there is no memory; 2 wrong usage. See docs/bench.md.\n",
	       usage->program, usage->program, usage->what, ROUNDS_MAX, usage->rounds, usage->names,
	       usage->failure);
}

static bool parse_rounds(const struct usage *usage, const char *text, unsigned int *rounds)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || value < 1 || value > ROUNDS_MAX) {
		fprintf(stderr, "%s: --rounds '%s': must be from 1 to %u\n", usage->program, text,
			ROUNDS_MAX);
		return false;
	}
	*rounds = (unsigned int)value;
	return true;
}

int options_parse(struct options *options, const struct usage *usage, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "only", required_argument, NULL, 'o' },
		{ "quick", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*options = (struct options){ 0 };
	while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (c == 'h') {
			help(usage);
			return 0;
		}
		if (c == '?' || c == ':') {
			fprintf(stderr, "%s: %s: %s: --help lists the options\n", usage->program,
				argv[optind - 1], c == ':' ? "needs a value" : "wrong option");
			return 2;
		}
		if (c == 'r' && !parse_rounds(usage, optarg, &options->rounds))
			return 2;
		options->only = c == 'o' ? optarg : options->only;
		options->quick |= c == 'q';
		options->json |= c == 'j';
	}
	if (!options->rounds)
		options->rounds = options->quick ? usage->quick_rounds : usage->rounds;
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected '%s': --help lists the options\n", usage->program,
			argv[optind]);
		return 2;
	}
	return -1;
}

bool options_want(const struct options *options, const char *name)
{
	return !options->only || strstr(name, options->only);
}

int options_none(const struct options *options, const struct usage *usage)
{
	fprintf(stderr, "%s: --only '%s': in no row's name: see --help\n", usage->program,
		options->only);
	return 2;
}
