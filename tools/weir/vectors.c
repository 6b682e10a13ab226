/* SPDX-License-Identifier: MIT */

/* `weir vectors`: replays recorded vectors through the SMMUv3 model, and says what differs. */

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"
#include "vectors.h"

#define TICK_CASES 64u

enum { OPT_CACHES = 256, OPT_EXCEPTIONS, OPT_VERBOSE };

static const struct option long_options[] = {
	{ "caches", required_argument, NULL, OPT_CACHES },
	{ "exceptions", required_argument, NULL, OPT_EXCEPTIONS },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct exception {
	struct exception *next;
	struct vector_exception is;
	const char *path;
	bool used, met; /* it excused a difference; its case was replayed */
};

struct session {
	enum weir_model_smmuv3_caches caches;
	bool verbose, progress;
	struct exception *exceptions;
	struct ram *ram;
	struct arena arena, kept; /* of a case; of all */
	unsigned int passed, failed, lenient, excepted;
};

/* ---- Files ------------------------------------------------------------------------------ */

static bool is_stdin(const char *path)
{
	return !strcmp(path, "-");
}

static bool lines_open(const char *path, struct lines *lines)
{
	*lines = (struct lines){ .path = path };
	if (is_stdin(path)) {
		lines->path = "standard input";
		lines->file = fdopen(dup(STDIN_FILENO), "r");
	} else {
		lines->file = fopen(path, "re");
	}
	if (!lines->file)
		complain("%s: %s", lines->path, strerror(errno));
	return lines->file;
}

static bool load_exceptions(struct session *s, const char *path)
{
	struct exception *exception;
	enum lines_result got;
	struct lines lines;

	if (!lines_open(path, &lines))
		return false;
	while ((got = lines_next(&lines)) == LINES_GOT) {
		exception = arena_alloc(&s->kept, sizeof(*exception));
		if (!vector_exception_read(&lines, &s->kept, &exception->is)) {
			got = LINES_BAD;
			break;
		}
		exception->path = lines.path;
		exception->next = s->exceptions;
		s->exceptions = exception;
	}
	lines_close(&lines);
	return got == LINES_END;
}

/* An exception that excuses nothing hides what comes next. */
static void check_exceptions(const struct session *s)
{
	for (const struct exception *e = s->exceptions; e; e = e->next)
		if (e->met && !e->used)
			complain("%s: %s is as expected at %s: the exception is not needed",
				 e->path, e->is.id, e->is.field);
}

/* ---- Options ---------------------------------------------------------------------------- */

void vectors_help(void)
{
	puts("Usage: weir vectors [OPTION]... FILE...\n"
	     "\n"
	     "Replay recorded vectors (one case a line, as in tests/vectors) through the model\n"
	     "of the SMMUv3. For each case that fails, print what differed. FILE - is standard\n"
	     "input.\n"
	     "\n"
	     "  --caches KIND      normal (default), off, or adversarial: the model keeps what\n"
	     "                     it may for as long as it may\n"
	     "  --exceptions FILE  cases whose recorded result contradicts the specification,\n"
	     "                     one a line, with section and field; may be repeated\n"
	     "  --verbose          also print cases that differ where a model may\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0 no case failed, 1 some did, 2 wrong usage or input. See weir(1).");
}

static int parse_caches(const char *text, enum weir_model_smmuv3_caches *caches)
{
	if (!strcmp(text, "normal"))
		*caches = WEIR_MODEL_SMMUV3_CACHES_NORMAL;
	else if (!strcmp(text, "off"))
		*caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	else if (!strcmp(text, "adversarial"))
		*caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	else {
		complain("--caches '%s': must be normal, off or adversarial", text);
		return EXIT_USAGE;
	}
	return 0;
}

/* What getopt_long() did not take; `given` is the argument that it stumbled over. */
static int refuse(int why, const char *given)
{
	if (why == ':')
		complain("%s needs a value: 'weir vectors --help' lists the options", given);
	else if (optopt >= OPT_CACHES || optopt == 'h')
		complain("%s: this option takes no value", given);
	else if (optopt)
		complain("unknown option -%c: 'weir vectors --help' lists the options", optopt);
	else
		complain("unknown option %s: 'weir vectors --help' lists the options", given);
	return EXIT_USAGE;
}

/* 0; -1: help was printed; else the exit status. */
static int parse_options(int argc, char **argv, struct session *s)
{
	int option, ret;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_CACHES:
			ret = parse_caches(optarg, &s->caches);
			if (ret)
				return ret;
			break;
		case OPT_EXCEPTIONS:
			if (!load_exceptions(s, optarg))
				return EXIT_USAGE;
			break;
		case OPT_VERBOSE:
			s->verbose = true;
			break;
		case 'h':
			vectors_help();
			return -1;
		default:
			return refuse(option, argv[optind - 1]);
		}
	}
	if (optind < argc)
		return 0;
	complain("no file of vectors is named: 'weir vectors --help' says more");
	return EXIT_USAGE;
}

/* ---- Progress --------------------------------------------------------------------------- */

static void draw_progress(const struct session *s, const struct lines *lines)
{
	char bar[REPORT_BAR];
	struct stat stat;
	uint64_t size;

	if (!s->progress || lines->number % TICK_CASES)
		return;
	if (fstat(fileno(lines->file), &stat) || stat.st_size <= 0)
		return;
	/* It may be cut while it is read. */
	size = (uint64_t)stat.st_size > lines->bytes ? (uint64_t)stat.st_size : lines->bytes;
	fprintf(stderr, "\r%s", report_bar(lines->bytes, size, bar));
	fflush(stderr);
}

static void clear_progress(const struct session *s)
{
	if (s->progress)
		fprintf(stderr, "\r\033[K");
}

/* ---- Cases ------------------------------------------------------------------------------ */

static void print_access(const struct vector_difference *d, const struct vector *vector)
{
	const struct vector_access *access;

	if (d->access < 0) {
		printf("  phase %zu\n", d->phase);
		return;
	}
	access = &vector->phases[d->phase].accesses[d->access];
	printf("  phase %zu, access %ld: %s of %u bytes at 0x%llx by stream %u\n", d->phase,
	       d->access, access->write ? "write" : "read", access->len,
	       (unsigned long long)access->va, access->sid);
}

static void print_case(const struct session *s, const struct lines *lines,
		       const struct vector *vector, const struct vector_differences *differences,
		       const char *verdict)
{
	const struct vector_difference *last = NULL;

	clear_progress(s);
	printf("%s %s (%s), %s:%u\n", verdict, vector->id, vector->tags ? vector->tags : "no tags",
	       lines->path, lines->number);
	if (vector->spec)
		printf("  IHI 0070, section %s\n", vector->spec);
	if (vector->rests)
		printf("  rests on: %s\n", vector->rests);
	if (vector->lenient)
		printf("  a model may differ: %s\n", vector->lenient);
	if (vector->choice)
		printf("  %zu results are allowed; this one comes closest\n",
		       vector->expected_count);
	for (size_t i = 0; i < differences->count && i < VECTOR_DIFFERENCES; i++) {
		const struct vector_difference *d = &differences->item[i];

		if (!last || last->phase != d->phase || last->access != d->access)
			print_access(d, vector);
		printf("    %s\n      at %s\n", d->text, d->field);
		last = d;
	}
	if (differences->count > VECTOR_DIFFERENCES)
		printf("  and %zu more\n", differences->count - VECTOR_DIFFERENCES);
}

/* The exception of a case, if it names a field that differs. */
static struct exception *find_exception(const struct session *s, const char *id,
					const struct vector_differences *differences)
{
	for (struct exception *e = s->exceptions; e; e = e->next) {
		if (strcmp(e->is.id, id) != 0)
			continue;
		e->met = true;
		for (size_t i = 0; i < differences->count && i < VECTOR_DIFFERENCES; i++)
			if (!strcmp(differences->item[i].field, e->is.field))
				return e;
	}
	return NULL;
}

static void judge(struct session *s, const struct lines *lines, const struct vector *vector,
		  const struct vector_differences *differences)
{
	struct exception *exception = find_exception(s, vector->id, differences);

	if (!differences->count) {
		s->passed++;
	} else if (exception) {
		exception->used = true;
		s->excepted++;
		if (s->verbose)
			print_case(s, lines, vector, differences, "EXCEPTED");
	} else if (vector->lenient) {
		s->passed++;
		s->lenient++;
		if (s->verbose)
			print_case(s, lines, vector, differences, "DIFFERS");
	} else {
		s->failed++;
		print_case(s, lines, vector, differences, "FAILED");
	}
}

static bool replay_case(struct session *s, const struct lines *lines)
{
	struct vector_differences *differences = arena_alloc(&s->arena, sizeof(*differences));
	struct vector_outcome *outcomes;
	struct vector vector;
	bool good = vector_read(lines, &s->arena, &vector);

	if (good) {
		outcomes = vector_play(&vector, s->ram, s->caches, &s->arena);
		good = outcomes;
	}
	if (good) {
		vector_compare(&vector, outcomes, &s->arena, differences);
		judge(s, lines, &vector, differences);
	}
	arena_empty(&s->arena);
	return good;
}

static bool replay_file(struct session *s, const char *path)
{
	enum lines_result got;
	struct lines lines;

	if (!lines_open(path, &lines))
		return false;
	while ((got = lines_next(&lines)) == LINES_GOT) {
		draw_progress(s, &lines);
		if (!replay_case(s, &lines)) {
			got = LINES_BAD;
			break;
		}
	}
	clear_progress(s);
	lines_close(&lines);
	return got == LINES_END;
}

static int replay(struct session *s, char **paths, int count)
{
	bool good = true;

	/* A name that was mistyped is told at once, and not after minutes. */
	for (int i = 0; good && i < count; i++) {
		good = is_stdin(paths[i]) || !access(paths[i], R_OK);
		if (!good)
			complain("%s: %s", paths[i], strerror(errno));
	}
	for (int i = 0; good && i < count; i++)
		good = replay_file(s, paths[i]);
	if (!good)
		return EXIT_USAGE;
	check_exceptions(s);
	if (s->lenient)
		printf("%u differ where a model may, and count as passed\n", s->lenient);
	if (s->excepted)
		printf("%u excepted\n", s->excepted);
	printf("%u passed, %u failed\n", s->passed, s->failed);
	return s->failed ? EXIT_NOT_WELL : EXIT_WELL;
}

int vectors_command(int argc, char **argv)
{
	struct session s = { .progress = isatty(STDERR_FILENO) };
	int ret = parse_options(argc, argv, &s);

	if (!ret) {
		s.ram = ram_create();
		ret = replay(&s, argv + optind, argc - optind);
		ram_destroy(s.ram);
	}
	arena_empty(&s.kept);
	return ret < 0 ? EXIT_WELL : ret;
}
