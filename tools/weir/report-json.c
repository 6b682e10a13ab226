/* SPDX-License-Identifier: MIT */

/* The report of a run as one JSON object, for machines. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tool.h"

static const char *const target_keys[JOB_TARGETS] = {
	[JOB_TARGET_UNMAPPED] = "unmapped",
	[JOB_TARGET_NEVER] = "never_mapped",
	[JOB_TARGET_READ_ONLY] = "read_only",
	[JOB_TARGET_NEIGHBOUR] = "neighbour",
};

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static double hit_rate(const struct run_report *r)
{
	return r->tlb_lookups ? (double)r->tlb_hits / (double)r->tlb_lookups : 0;
}

static double throughput(const struct job_result *job)
{
	return job->ns ? (double)job->bytes / seconds(job->ns) : 0;
}

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
	int i;

	for (i = 0; i < SHA256_SIZE; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	put_text(object, key, text);
}

static void put_options(json_t *object, const struct run_options *o, const char *image)
{
	char seed[REPORT_NUMBER];

	put_text(object, "image", image);
	put_text(object, "iommu", o->smmu ? "smmuv3" : "none");
	put_text(object, "mode", report_mode_name(o->mode));
	put_count(object, "cpus", o->job.cpus);
	put_count(object, "queue_depth", o->job.queue_depth);
	put_count(object, "block_size", o->job.block_size);
	put_count(object, "event_queue", o->event_queue);
	json_object_set_new(object, "rogue", json_boolean(o->rogue));
	/* As text where JSON's integers, which have a sign, end. */
	snprintf(seed, sizeof(seed), "%" PRIu64, o->seed);
	if (o->seeded)
		json_object_set_new(object, "seed",
				    o->seed > INT64_MAX ? text_of(seed) :
							  json_integer((json_int_t)o->seed));
	else
		json_object_set_new(object, "seed", json_null());
}

static void put_job(json_t *object, const struct run_report *r)
{
	char digest[20];

	json_object_set_new(object, "verified", json_boolean(r->verified));
	put_count(object, "bytes", r->job.bytes);
	json_object_set_new(object, "seconds", json_real(seconds(r->job.ns)));
	json_object_set_new(object, "bytes_per_second", json_real(throughput(&r->job)));
	json_object_set_new(object, "driver_seconds", json_real(seconds(r->busy_ns)));
	json_object_set_new(object, "model_seconds", json_real(seconds(r->model_ns)));
	put_count(object, "read_errors", r->job.read_errors);
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
	put_count(object, "walks", r->walks);
	put_count(object, "iotlb_lookups", r->tlb_lookups);
	put_count(object, "iotlb_hits", r->tlb_hits);
	json_object_set_new(object, "iotlb_hit_rate", json_real(hit_rate(r)));
	put_count(object, "commands", r->stats.commands);
	put_count(object, "syncs", r->stats.syncs);
	put_count(object, "faults", r->stats.faults);
}

static void put_rogue(json_t *object, const struct rogue_report *rogue)
{
	json_t *targets = json_object(), *kinds = json_array();
	unsigned int i;

	put_count(object, "attempts", rogue->attempts);
	put_count(object, "blocked", rogue->blocked);
	put_count(object, "aborted", rogue->aborted);
	put_count(object, "hits", rogue->hits);
	put_count(object, "events", rogue->events);
	put_count(object, "events_lost", rogue->events_lost);
	put_count(object, "overflows", rogue->overflows);
	put_count(object, "memory_checked", rogue->pages_checked);
	put_count(object, "memory_changed", rogue->pages_changed);
	put_count(object, "writes_spared", rogue->writes_spared);
	for (i = 0; i < JOB_TARGETS; i++)
		put_count(targets, target_keys[i], rogue->tries[i]);
	json_object_set_new(object, "attempts_by_target", targets);
	for (i = 0; i < rogue->nr_faults; i++)
		json_array_append_new(kinds, text_of(rogue->faults[i]));
	json_object_set_new(object, "fault_kinds", kinds);
}

static void put_verdict(json_t *object, const struct run_problems *problems)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < problems->count; i++)
		json_array_append_new(list, text_of(problems->text[i]));
	json_object_set_new(object, "problems", list);
}

void report_json(const struct run_options *options, const char *image,
		 const struct run_report *report, const struct run_problems *problems)
{
	static const struct rogue_report none;
	json_t *object = json_object();

	put_job(object, report);
	put_options(object, options, image);
	put_stack(object, report);
	put_rogue(object, report->rogue ? report->rogue : &none);
	put_verdict(object, problems);
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
}
