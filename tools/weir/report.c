/* SPDX-License-Identifier: MIT */

/*
 * The report of a run: a screen for people, or one JSON object for machines. What is wrong with a
 * run is judged in one place, judge(); the exit status, the last line and the JSON agree with it.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "tool.h"

#define WIDTH 80
#define NUMBER 32 /* room for a 64-bit number with separators */

static const char *const target_names[] = {
	[TARGET_UNMAPPED] = "unmapped",
	[TARGET_NEVER] = "never mapped",
	[TARGET_READ_ONLY] = "read-only",
	[TARGET_NEIGHBOUR] = "neighbours",
};

static const char *const target_keys[] = {
	[TARGET_UNMAPPED] = "unmapped",
	[TARGET_NEVER] = "never_mapped",
	[TARGET_READ_ONLY] = "read_only",
	[TARGET_NEIGHBOUR] = "neighbour",
};

static const char *mode_name(enum weir_mode mode)
{
	switch (mode) {
	case WEIR_MODE_STRICT:
		return "strict";
	case WEIR_MODE_PASSTHROUGH:
		return "passthrough";
	default:
		return "off";
	}
}

static double hit_rate(const struct run_report *report)
{
	if (!report->smmu.tlb_lookups)
		return 0;
	return (double)report->smmu.tlb_hits / (double)report->smmu.tlb_lookups;
}

/* What a reader waits for, or in a seeded run: virtual time. */
static double throughput(const struct run_report *report)
{
	return report->seconds > 0 ? (double)report->bytes / report->seconds : 0;
}

static void hex(const unsigned char *digest, char *text)
{
	int i;

	for (i = 0; i < SHA256_SIZE; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
}

/* 1234567 as 1,234,567. */
static const char *grouped(uint64_t value, char text[NUMBER])
{
	char digits[NUMBER];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, value), i;
	char *out = text;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

/* ---- What is wrong ---------------------------------------------------------------------- */

struct problems {
	char text[8][128];
	unsigned int count;
};

static void WEIR_PRINTF(2, 3) problem(struct problems *problems, const char *format, ...)
{
	va_list args;

	if (problems->count == WEIR_ARRAY_SIZE(problems->text))
		return;
	va_start(args, format);
	vsnprintf(problems->text[problems->count++], sizeof(problems->text[0]), format, args);
	va_end(args);
}

static void job_problems(const struct run_report *r, struct problems *found)
{
	if (r->failed)
		problem(found, "a step of the run failed");
	if (r->read_errors)
		problem(found, "%" PRIu64 " reads failed", r->read_errors);
	if (!r->verified)
		problem(found, "what arrived is not what the image holds");
	if (r->live_mappings)
		problem(found, "%" PRIu64 " mappings were left", r->live_mappings);
	if (r->leaked_pages)
		problem(found, "%" PRIu64 " pages of memory were not given back", r->leaked_pages);
}

static void attack_problems(const struct run_report *r, struct problems *found)
{
	const struct weir_model_rogue_stats *rogue = &r->rogue;
	bool strict = r->options->smmu && r->options->mode == WEIR_MODE_STRICT;

	if (!rogue->attempts)
		problem(found, "the rogue tried nothing");
	if (rogue->hits)
		problem(found, "the rogue reached memory %" PRIu64 " times", rogue->hits);
	if (rogue->aborted)
		problem(found, "%" PRIu64 " accesses of the rogue were let through to nowhere",
			rogue->aborted);
	if (r->pages_changed)
		problem(found, "the rogue changed %" PRIu64 " pages", r->pages_changed);
	if (strict && r->events + r->events_lost < rogue->blocked)
		problem(found, "%" PRIu64 " blocked accesses left no event",
			rogue->blocked - r->events - r->events_lost);
}

static void judge(const struct run_report *report, struct problems *found)
{
	found->count = 0;
	job_problems(report, found);
	if (report->attacked)
		attack_problems(report, found);
}

int report_status(const struct run_report *report)
{
	struct problems found;

	judge(report, &found);
	return found.count ? EXIT_NOT_WELL : EXIT_WELL;
}

/* ---- For people ------------------------------------------------------------------------- */

static bool colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

/* In green or red, on a terminal. */
static void WEIR_PRINTF(2, 3) coloured(bool good, const char *format, ...)
{
	va_list args;

	if (colours())
		fputs(good ? "\033[1;32m" : "\033[1;31m", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (colours())
		fputs("\033[0m", stdout);
	putchar('\n');
}

static void label(const char *name)
{
	printf("  %-15s", name);
}

static void WEIR_PRINTF(2, 3) row(const char *name, const char *format, ...)
{
	va_list args;

	label(name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void count_row(const char *name, uint64_t value)
{
	char text[NUMBER];

	row(name, "%s", grouped(value, text));
}

/* A line with the path, cut in its middle where it would not fit. */
static void title(const struct run_report *r)
{
	const char *path = r->image;
	size_t room = WIDTH - strlen("weir run: ") - 1, len = strlen(path);

	if (len <= room)
		printf("weir run: %s\n\n", path);
	else
		printf("weir run: %.*s...%s\n\n", (int)(room / 3), path,
		       path + len - (room - room / 3 - 3));
}

static void checksum_rows(const struct run_report *r)
{
	char text[2 * SHA256_SIZE + 1];

	hex(r->expected, text);
	label("verified");
	coloured(r->verified, r->verified ? "yes, the checksums agree" : "NO");
	if (r->verified) {
		printf("  SHA-256      %s\n", text);
		return;
	}
	printf("  of the image %s\n", text);
	hex(r->got, text);
	printf("  what arrived %s\n", text);
}

static void job_rows(const struct run_report *r)
{
	const struct run_options *o = r->options;
	double mib = 1 << 20;
	char kib[NUMBER];

	if (o->block_size % 1024)
		snprintf(kib, sizeof(kib), "%u bytes", o->block_size);
	else
		snprintf(kib, sizeof(kib), "%u KiB", o->block_size / 1024);
	row("read", "%.1f MiB in %.3f s%s: %.1f MiB/s", (double)r->bytes / mib, r->seconds,
	    o->seeded ? " of virtual time" : "", throughput(r) / mib);
	row("how", "%s, %u in flight on each of %u CPU%s", kib, o->queue_depth, o->cpus,
	    o->cpus == 1 ? "" : "s");
	row("processor time", "%.3f s driver side, %.3f s models", r->cpu_seconds,
	    r->model_seconds);
	row("disk", "%s", r->disk);
	row("protection", "%s%s", o->smmu ? "SMMUv3, " : "no IOMMU, ", mode_name(o->mode));
}

static void stack_rows(const struct run_report *r)
{
	char maps[NUMBER], unmaps[NUMBER], commands[NUMBER], syncs[NUMBER], text[NUMBER];

	row("maps", "%s, unmaps %s", grouped(r->stats.maps, maps),
	    grouped(r->stats.unmaps, unmaps));
	label("live mappings");
	coloured(!r->live_mappings, "%s", grouped(r->live_mappings, text));
	if (r->leaked_pages)
		row("memory left", "%" PRIu64 " pages", r->leaked_pages);
	count_row("table walks", r->smmu.walks);
	row("IOTLB hits", "%.2f %% of %s", 100 * hit_rate(r), grouped(r->smmu.tlb_lookups, text));
	row("commands", "%s, syncs %s", grouped(r->stats.commands, commands),
	    grouped(r->stats.syncs, syncs));
	count_row("faults", r->stats.faults);
	if (r->read_errors)
		count_row("failed reads", r->read_errors);
	if (r->options->seeded)
		row("seed", "%" PRIu64 ", trace %016" PRIx64, r->options->seed, r->digest);
}

static void event_row(const struct run_report *r)
{
	char events[NUMBER], lost[NUMBER], times[NUMBER];

	if (r->events_lost || r->overflows)
		row("events", "%s received, %s lost: the queue overflowed %s times",
		    grouped(r->events, events), grouped(r->events_lost, lost),
		    grouped(r->overflows, times));
	else
		row("events", "%s received, none lost", grouped(r->events, events));
}

static void attack_rows(const struct run_report *r)
{
	const struct weir_model_rogue_stats *rogue = &r->rogue;
	char a[NUMBER], b[NUMBER];
	unsigned int i;

	printf("\nThe rogue\n");
	row("attempts", "%s: %s reads, %s writes", grouped(rogue->attempts, a),
	    grouped(rogue->reads, b), grouped(rogue->writes, (char[NUMBER]){ 0 }));
	for (i = 0; i < WEIR_ARRAY_SIZE(target_names); i++)
		printf("%s%s %s", i ? ", " : "    ", grouped(r->tries[i], a), target_names[i]);
	putchar('\n');
	label("blocked");
	coloured(rogue->blocked == rogue->attempts, "%s%s", grouped(rogue->blocked, a),
		 rogue->blocked == rogue->attempts ? ", all of them" : "");
	label("hits");
	coloured(!rogue->hits, "%s", grouped(rogue->hits, a));
	event_row(r);
	label("memory");
	coloured(!r->pages_changed, "%s pages checked, %s changed", grouped(r->pages_checked, a),
		 r->pages_changed ? grouped(r->pages_changed, b) : "none");
	for (i = 0; i < r->nr_faults; i++)
		printf("%s  %s\n", i ? "" : "\nOne fault of each kind\n", r->faults[i]);
}

static void last_row(const struct run_report *r)
{
	struct problems found;
	unsigned int i;

	judge(r, &found);
	putchar('\n');
	if (!found.count)
		coloured(true, "all well");
	for (i = 0; i < found.count; i++)
		coloured(false, "not well: %s", found.text[i]);
}

void report_text(const struct run_report *report)
{
	title(report);
	checksum_rows(report);
	job_rows(report);
	stack_rows(report);
	if (report->attacked)
		attack_rows(report);
	last_row(report);
}

/* ---- For machines ----------------------------------------------------------------------- */

static void put_count(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

/* A path may be anything but JSON is UTF-8: what is not plain becomes a question mark. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	char *copy, *p;

	if (string)
		return string;
	copy = strdup(text);
	for (p = copy; p && *p; p++)
		if (*p & 0x80)
			*p = '?';
	string = json_string(copy ? copy : "");
	free(copy);
	return string;
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text_of(text));
}

static void put_digest(json_t *object, const char *key, const unsigned char *digest)
{
	char text[2 * SHA256_SIZE + 1];

	hex(digest, text);
	put_text(object, key, text);
}

static void put_options(json_t *object, const struct run_report *r)
{
	const struct run_options *o = r->options;
	char seed[NUMBER];

	put_text(object, "image", r->image);
	put_text(object, "iommu", o->smmu ? "smmuv3" : "none");
	put_text(object, "mode", mode_name(o->mode));
	put_count(object, "cpus", o->cpus);
	put_count(object, "queue_depth", o->queue_depth);
	put_count(object, "block_size", o->block_size);
	put_count(object, "event_queue", o->event_queue);
	json_object_set_new(object, "rogue", json_boolean(o->rogue));
	/* As text where JSON's integers, which have a sign, end. */
	snprintf(seed, sizeof(seed), "%" PRIu64, o->seed);
	if (o->seeded)
		json_object_set_new(object, "seed", o->seed > INT64_MAX ?
				    text_of(seed) : json_integer((json_int_t)o->seed));
	else
		json_object_set_new(object, "seed", json_null());
}

static void put_job(json_t *object, const struct run_report *r)
{
	char digest[20];

	json_object_set_new(object, "verified", json_boolean(r->verified));
	put_count(object, "bytes", r->bytes);
	json_object_set_new(object, "seconds", json_real(r->seconds));
	json_object_set_new(object, "bytes_per_second", json_real(throughput(r)));
	json_object_set_new(object, "driver_seconds", json_real(r->cpu_seconds));
	json_object_set_new(object, "model_seconds", json_real(r->model_seconds));
	put_count(object, "read_errors", r->read_errors);
	put_digest(object, "sha256_image", r->expected);
	put_digest(object, "sha256_arrived", r->got);
	snprintf(digest, sizeof(digest), "%016" PRIx64, r->digest);
	put_text(object, "digest", digest);
	put_text(object, "disk", r->disk);
}

static void put_stack(json_t *object, const struct run_report *r)
{
	put_count(object, "maps", r->stats.maps);
	put_count(object, "unmaps", r->stats.unmaps);
	put_count(object, "live_mappings", r->live_mappings);
	put_count(object, "leaked_pages", r->leaked_pages);
	put_count(object, "walks", r->smmu.walks);
	put_count(object, "iotlb_lookups", r->smmu.tlb_lookups);
	put_count(object, "iotlb_hits", r->smmu.tlb_hits);
	json_object_set_new(object, "iotlb_hit_rate", json_real(hit_rate(r)));
	put_count(object, "commands", r->stats.commands);
	put_count(object, "syncs", r->stats.syncs);
	put_count(object, "faults", r->stats.faults);
}

static void put_attack(json_t *object, const struct run_report *r)
{
	json_t *targets = json_object(), *kinds = json_array();
	unsigned int i;

	put_count(object, "attempts", r->rogue.attempts);
	put_count(object, "blocked", r->rogue.blocked);
	put_count(object, "aborted", r->rogue.aborted);
	put_count(object, "hits", r->rogue.hits);
	put_count(object, "events", r->events);
	put_count(object, "events_lost", r->events_lost);
	put_count(object, "overflows", r->overflows);
	put_count(object, "memory_checked", r->pages_checked);
	put_count(object, "memory_changed", r->pages_changed);
	put_count(object, "writes_spared", r->writes_spared);
	for (i = 0; i < WEIR_ARRAY_SIZE(target_keys); i++)
		put_count(targets, target_keys[i], r->tries[i]);
	json_object_set_new(object, "attempts_by_target", targets);
	for (i = 0; i < r->nr_faults; i++)
		json_array_append_new(kinds, text_of(r->faults[i]));
	json_object_set_new(object, "fault_kinds", kinds);
}

static void put_verdict(json_t *object, const struct run_report *r)
{
	json_t *list = json_array();
	struct problems found;
	unsigned int i;

	judge(r, &found);
	for (i = 0; i < found.count; i++)
		json_array_append_new(list, text_of(found.text[i]));
	json_object_set_new(object, "problems", list);
}

void report_json(const struct run_report *report)
{
	json_t *object = json_object();

	put_job(object, report);
	put_options(object, report);
	put_stack(object, report);
	put_attack(object, report);
	put_verdict(object, report);
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
}
