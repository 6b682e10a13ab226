/* SPDX-License-Identifier: MIT */

/*
 * The report of a run: a screen for people. What is wrong with a run is judged in one place,
 * report_judge(); whatever else is said of it agrees with that. Integers alone: rates and times are
 * kept in the last digit that is shown.
 */

#include <weir/sys.h>

#include "job.h"

#define LABEL_WIDTH 15
#define BAR_WIDTH 40
#define LINE_SIZE 400 /* the longest line there is: a fault's */

typedef unsigned long long ull; /* what %llu takes */

enum tone { PLAIN, GOOD, BAD };

static const char *const target_names[JOB_TARGETS] = {
	[JOB_TARGET_UNMAPPED] = "unmapped",
	[JOB_TARGET_NEVER] = "never mapped",
	[JOB_TARGET_READ_ONLY] = "read-only",
	[JOB_TARGET_NEIGHBOUR] = "neighbours",
};

const char *report_mode_name(enum weir_mode mode)
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

/* ---- Numbers ---------------------------------------------------------------------------- */

/* n / d to the nearest; of two as near the even one, like printf(). */
static uint64_t nearest(uint64_t n, uint64_t d)
{
	uint64_t q = n / d, rest = n % d;

	return q + (rest > d - rest || (rest == d - rest && (q & 1)));
}

/*
 * Tenths of MiB per second: bytes * 10 * 10^9 / (2^20 * ns), whose constants are 5^10 / 2^10. What
 * a reader waits for; in a seeded run, virtual time.
 */
static uint64_t throughput(uint64_t bytes, uint64_t ns)
{
	uint64_t whole, rest;

	/* With 40 bits of a time the products below have 64, and no digit shown is wrong. */
	for (; ns >> 40; ns >>= 1)
		bytes >>= 1;
	if (!ns)
		return 0;
	whole = bytes / ns * 9765625 + bytes % ns * 9765625 / ns;
	rest = bytes % ns * 9765625 % ns;
	return nearest(whole << 1 | (rest != 0), 2048); /* a half and a bit is no half */
}

/* Hundredths of a percent. */
static uint64_t hit_rate(const struct run_report *r)
{
	return r->tlb_lookups ? nearest(r->tlb_hits * 10000, r->tlb_lookups) : 0;
}

static uint64_t milliseconds(uint64_t ns)
{
	return nearest(ns, 1000000);
}

const char *report_grouped(uint64_t value, char text[REPORT_NUMBER])
{
	char digits[REPORT_NUMBER];
	int len = weir_snprintf(digits, sizeof(digits), "%llu", (ull)value);
	char *out = text;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

unsigned int report_percent(uint64_t bytes, uint64_t size)
{
	return (unsigned int)(bytes * 100 / size);
}

const char *report_bar(uint64_t bytes, uint64_t size, char text[REPORT_BAR])
{
	char bar[BAR_WIDTH + 1];

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', (size_t)(bytes * BAR_WIDTH / size));
	bar[BAR_WIDTH] = '\0';
	weir_snprintf(text, REPORT_BAR, "[%s] %3u %%  %llu of %llu MiB", bar,
		      report_percent(bytes, size), (ull)(bytes >> 20), (ull)(size >> 20));
	return text;
}

/* ---- What is wrong ---------------------------------------------------------------------- */

static void WEIR_PRINTF(2, 3) problem(struct run_problems *problems, const char *format, ...)
{
	va_list args;

	if (problems->count == WEIR_ARRAY_SIZE(problems->text))
		return;
	va_start(args, format);
	weir_vsnprintf(problems->text[problems->count++], sizeof(problems->text[0]), format, args);
	va_end(args);
}

static void job_problems(const struct run_report *r, struct run_problems *found)
{
	if (r->failed)
		problem(found, "a step of the run failed");
	if (r->job.read_errors)
		problem(found, "%llu reads failed", (ull)r->job.read_errors);
	if (r->has_expected && !r->verified)
		problem(found, "what arrived is not what the image holds");
	if (r->live_mappings)
		problem(found, "%llu mappings were left", (ull)r->live_mappings);
	if (r->leaked_pages)
		problem(found, "%llu pages of memory were not given back", (ull)r->leaked_pages);
}

static void rogue_problems(const struct run_report *r, struct run_problems *found)
{
	const struct rogue_report *rogue = r->rogue;
	bool strict = r->smmu && r->mode == WEIR_MODE_STRICT;

	if (!rogue->attempts)
		problem(found, "the rogue tried nothing");
	if (rogue->hits)
		problem(found, "the rogue reached memory %llu times", (ull)rogue->hits);
	if (rogue->aborted)
		problem(found, "%llu accesses of the rogue were let through to nowhere",
			(ull)rogue->aborted);
	if (rogue->pages_changed)
		problem(found, "the rogue changed %llu pages", (ull)rogue->pages_changed);
	if (strict && rogue->events + rogue->events_lost < rogue->blocked)
		problem(found, "%llu blocked accesses left no event",
			(ull)(rogue->blocked - rogue->events - rogue->events_lost));
}

void report_verify(struct run_report *report, uint64_t size)
{
	report->verified = report->has_expected && !report->failed && report->job.bytes == size &&
			   !report->job.read_errors &&
			   !memcmp(report->expected, report->got, SHA256_SIZE);
}

void report_judge(const struct run_report *report, struct run_problems *problems)
{
	problems->count = 0;
	job_problems(report, problems);
	if (report->rogue)
		rogue_problems(report, problems);
}

/* ---- Lines ------------------------------------------------------------------------------ */

/* A label (or NULL) and what follows it: one whole line, in one piece. */
static void put(const struct report_out *out, const char *label, enum tone tone, const char *format,
		va_list args)
{
	static const char *const colours[] = { "", "\033[1;32m", "\033[1;31m" };
	static const char plain[] = "\033[0m";
	char line[LINE_SIZE];
	int room = LINE_SIZE - (int)sizeof(plain) - 1, n = 0;
	bool coloured = out->colour && tone != PLAIN;

	line[0] = '\0';
	if (label)
		n += weir_snprintf(line, (size_t)room, "  %-*s", LABEL_WIDTH, label);
	if (coloured)
		n += weir_snprintf(line + n, (size_t)(room - n), "%s", colours[tone]);
	n += weir_vsnprintf(line + n, (size_t)(room - n), format, args);
	weir_snprintf(line + n, (size_t)(LINE_SIZE - n), "%s\n", coloured ? plain : "");
	out->write(out->opaque, line);
}

static void WEIR_PRINTF(2, 3) text_line(const struct report_out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(out, NULL, PLAIN, format, args);
	va_end(args);
}

/* A row whose text says that something is well, or is not. */
static void WEIR_PRINTF(4, 5) verdict_row(const struct report_out *out, const char *label,
					  bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(out, label, good ? GOOD : BAD, format, args);
	va_end(args);
}

void report_row(const struct report_out *out, const char *label, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(out, label, PLAIN, format, args);
	va_end(args);
}

void report_line(const struct report_out *out, bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(out, NULL, good ? GOOD : BAD, format, args);
	va_end(args);
}

static void count_row(const struct report_out *out, const char *label, uint64_t value)
{
	char text[REPORT_NUMBER];

	report_row(out, label, "%s", report_grouped(value, text));
}

/* ---- The head --------------------------------------------------------------------------- */

/* 64 digits leave less room for a label than the rows have. */
static void digest_line(const struct report_out *out, const char *label,
			const unsigned char digest[SHA256_SIZE])
{
	char text[2 * SHA256_SIZE + 1];

	for (unsigned int i = 0; i < SHA256_SIZE; i++)
		weir_snprintf(text + 2 * i, 3, "%02x", digest[i]);
	text_line(out, "  %-12s %s", label, text);
}

static void checksum_rows(const struct report_out *out, const struct run_report *r)
{
	if (!r->has_expected) {
		report_row(out, "verified", "not compared: nobody said what the disk holds");
		digest_line(out, "SHA-256", r->got);
		return;
	}
	verdict_row(out, "verified", r->verified, r->verified ? "yes, the checksums agree" : "NO");
	if (r->verified) {
		digest_line(out, "SHA-256", r->expected);
		return;
	}
	digest_line(out, "of the image", r->expected);
	digest_line(out, "what arrived", r->got);
}

static void read_rows(const struct report_out *out, const struct run_report *r)
{
	uint64_t mib = nearest(r->job.bytes * 10, 1 << 20), ms = milliseconds(r->job.ns);
	uint64_t rate = throughput(r->job.bytes, r->job.ns);
	const struct job_options *o = &r->options;
	bool kib = o->block_size % 1024 == 0;

	report_row(out, "read", "%llu.%llu MiB in %llu.%03llu s%s: %llu.%llu MiB/s",
		   (ull)(mib / 10), (ull)(mib % 10), (ull)(ms / 1000), (ull)(ms % 1000),
		   r->virtual_time ? " of virtual time" : "", (ull)(rate / 10), (ull)(rate % 10));
	report_row(out, "how", "%u %s, %u in flight on each of %u CPU%s",
		   kib ? o->block_size / 1024 : o->block_size, kib ? "KiB" : "bytes",
		   o->queue_depth, o->cpus, o->cpus == 1 ? "" : "s");
}

static void time_row(const struct report_out *out, const struct run_report *r)
{
	uint64_t driver = milliseconds(r->busy_ns), models = milliseconds(r->model_ns);

	if (r->has_models)
		report_row(out, "processor time", "%llu.%03llu s driver side, %llu.%03llu s models",
			   (ull)(driver / 1000), (ull)(driver % 1000), (ull)(models / 1000),
			   (ull)(models % 1000));
	else
		report_row(out, "processor time", "%llu.%03llu s driver side", (ull)(driver / 1000),
			   (ull)(driver % 1000));
}

static void cache_rows(const struct report_out *out, const struct run_report *r)
{
	uint64_t rate = hit_rate(r);
	char text[REPORT_NUMBER];

	count_row(out, "table walks", r->walks);
	report_row(out, "IOTLB hits", "%llu.%02llu %% of %s", (ull)(rate / 100), (ull)(rate % 100),
		   report_grouped(r->tlb_lookups, text));
}

static void stack_rows(const struct report_out *out, const struct run_report *r)
{
	char a[REPORT_NUMBER], b[REPORT_NUMBER];

	report_row(out, "maps", "%s, unmaps %s", report_grouped(r->stats.maps, a),
		   report_grouped(r->stats.unmaps, b));
	verdict_row(out, "live mappings", !r->live_mappings, "%s",
		    report_grouped(r->live_mappings, a));
	if (r->leaked_pages)
		report_row(out, "memory left", "%llu pages", (ull)r->leaked_pages);
	if (r->has_models)
		cache_rows(out, r);
	report_row(out, "commands", "%s, syncs %s", report_grouped(r->stats.commands, a),
		   report_grouped(r->stats.syncs, b));
	count_row(out, "faults", r->stats.faults);
	if (r->job.read_errors)
		count_row(out, "failed reads", r->job.read_errors);
	if (r->seeded)
		report_row(out, "seed", "%llu, trace %016llx", (ull)r->seed, (ull)r->digest);
}

void report_text(const struct report_out *out, const struct run_report *report)
{
	text_line(out, "%s\n", report->title);
	if (report->platform)
		report_row(out, "machine", "%s", report->platform);
	checksum_rows(out, report);
	read_rows(out, report);
	time_row(out, report);
	report_row(out, "disk", "%s", report->disk);
	/* Where nothing can protect, a mode would say more than is so. */
	if (report->smmu)
		report_row(out, "protection", "SMMUv3, %s", report_mode_name(report->mode));
	else
		report_row(out, "protection", "none: no IOMMU");
	stack_rows(out, report);
}

/* ---- The rogue, and the end ------------------------------------------------------------- */

static void attempt_rows(const struct report_out *out, const struct rogue_report *rogue)
{
	char all[REPORT_NUMBER], reads[REPORT_NUMBER], writes[REPORT_NUMBER];
	char tries[JOB_TARGETS * (REPORT_NUMBER + 16)];
	int n = 0;

	report_row(out, "attempts", "%s: %s reads, %s writes", report_grouped(rogue->attempts, all),
		   report_grouped(rogue->reads, reads), report_grouped(rogue->writes, writes));
	for (unsigned int i = 0; i < JOB_TARGETS; i++)
		n += weir_snprintf(tries + n, sizeof(tries) - (size_t)n, "%s%s %s", i ? ", " : "",
				   report_grouped(rogue->tries[i], all), target_names[i]);
	text_line(out, "    %s", tries);
}

static void event_row(const struct report_out *out, const struct rogue_report *rogue)
{
	char events[REPORT_NUMBER], lost[REPORT_NUMBER], times[REPORT_NUMBER];

	if (rogue->events_lost || rogue->overflows)
		report_row(out, "events", "%s received, %s lost: the queue overflowed %s times",
			   report_grouped(rogue->events, events),
			   report_grouped(rogue->events_lost, lost),
			   report_grouped(rogue->overflows, times));
	else
		report_row(out, "events", "%s received, none lost",
			   report_grouped(rogue->events, events));
}

void report_rogue(const struct report_out *out, const struct run_report *report)
{
	const struct rogue_report *rogue = report->rogue;
	char a[REPORT_NUMBER], b[REPORT_NUMBER];
	bool all;

	if (!rogue)
		return;
	all = rogue->blocked == rogue->attempts;
	text_line(out, "\nThe rogue");
	attempt_rows(out, rogue);
	verdict_row(out, "blocked", all, "%s%s", report_grouped(rogue->blocked, a),
		    all ? ", all of them" : "");
	verdict_row(out, "hits", !rogue->hits, "%s", report_grouped(rogue->hits, a));
	event_row(out, rogue);
	verdict_row(out, "memory", !rogue->pages_changed, "%s pages checked, %s changed",
		    report_grouped(rogue->pages_checked, a),
		    rogue->pages_changed ? report_grouped(rogue->pages_changed, b) : "none");
	if (rogue->nr_faults)
		text_line(out, "\nOne fault of each kind");
	for (unsigned int i = 0; i < rogue->nr_faults; i++)
		text_line(out, "  %s", rogue->faults[i]);
}

void report_verdict(const struct report_out *out, const struct run_problems *problems)
{
	text_line(out, "%s", "");
	if (!problems->count)
		report_line(out, true, "all well");
	for (unsigned int i = 0; i < problems->count; i++)
		report_line(out, false, "not well: %s", problems->text[i]);
}
