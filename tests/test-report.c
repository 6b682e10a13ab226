/* SPDX-License-Identifier: MIT */

/*
 * The report of tools/job.
 *
 *   - a report with everything in it is, letter for letter, the expected one; and so is one of a
 *     world that knows little: no row for what it does not know, a row for the machine
 *   - times, sizes, rates and shares look as printf() would write them as floating-point numbers
 *     (but for exact halves, which those cannot hold), up to 64 TiB and 13 days
 *   - each thing that can be wrong with a run is found, alone and together, and nothing else; a
 *     checksum that was compared with nothing is not wrong
 *   - verified is what came whole, without an error, and is equal to what was expected, and nothing
 *     else; the progress line is printf()'s
 *   - without colours there is no escape; with them, each line ends as it began
 *   - a text that is too long is cut, and ends in a newline all the same
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job.h"

struct page {
	char text[8192];
	size_t len;
};

static void collect(void *opaque, const char *text)
{
	struct page *page = opaque;
	size_t len = strlen(text);

	assert_true(page->len + len < sizeof(page->text));
	assert_true(len > 0 && text[len - 1] == '\n'); /* a whole line */
	memcpy(page->text + page->len, text, len + 1);
	page->len += len;
}

static const char *whole(struct page *page, const struct run_report *r, bool colour)
{
	struct report_out out = { collect, page, colour };
	struct run_problems problems;

	page->len = 0;
	report_judge(r, &problems);
	report_text(&out, r);
	report_rogue(&out, r);
	report_verdict(&out, &problems);
	return page->text;
}

static struct rogue_report good_rogue(void)
{
	return (struct rogue_report){ .attempts = 145000,
				      .reads = 70000,
				      .writes = 75000,
				      .blocked = 145000,
				      .events = 145000,
				      .pages_checked = 69632,
				      .tries = { 16384, 122472, 2048, 4096 },
				      .faults = { "one", "two" },
				      .nr_faults = 2 };
}

static struct run_report good_run(void)
{
	return (struct run_report){
		.title = "weir run: disk.img",
		.disk = "weir NVMe model",
		.options = { .cpus = 2, .queue_depth = 32, .block_size = 65536 },
		.job = { .bytes = 64 << 20, .ns = 118147000 },
		.mode = WEIR_MODE_STRICT,
		.smmu = true,
		.has_expected = true,
		.verified = true,
		.stats = { .maps = 1035, .unmaps = 1035, .commands = 2081, .syncs = 1040 },
		.busy_ns = 35000000,
		.has_models = true,
		.model_ns = 49499999,
		.walks = 16412,
		.tlb_lookups = 20153,
		.tlb_hits = 3741,
	};
}

#define ZEROS "0000000000000000"
#define SHA "  SHA-256      " ZEROS ZEROS ZEROS ZEROS "\n"

static void a_full_report(void **state)
{
	static const char expected[] =
		"weir run: disk.img\n"
		"\n"
		"  verified       yes, the checksums agree\n" SHA
		"  read           64.0 MiB in 0.118 s of virtual time: 541.7 MiB/s\n"
		"  how            64 KiB, 32 in flight on each of 2 CPUs\n"
		"  processor time 0.035 s driver side, 0.049 s models\n"
		"  disk           weir NVMe model\n"
		"  protection     SMMUv3, strict\n"
		"  maps           1,035, unmaps 1,035\n"
		"  live mappings  0\n"
		"  table walks    16,412\n"
		"  IOTLB hits     18.56 % of 20,153\n"
		"  commands       2,081, syncs 1,040\n"
		"  faults         0\n"
		"  seed           7, trace 00000000000000ff\n"
		"\n"
		"The rogue\n"
		"  attempts       145,000: 70,000 reads, 75,000 writes\n"
		"    16,384 unmapped, 122,472 never mapped, 2,048 read-only, 4,096 neighbours\n"
		"  blocked        145,000, all of them\n"
		"  hits           0\n"
		"  events         145,000 received, none lost\n"
		"  memory         69,632 pages checked, none changed\n"
		"\n"
		"One fault of each kind\n"
		"  one\n"
		"  two\n"
		"\n"
		"all well\n";
	struct rogue_report rogue = good_rogue();
	struct run_report r = good_run();
	struct page page;

	(void)state;
	r.seeded = r.virtual_time = true;
	r.seed = 7;
	r.digest = 255;
	r.rogue = &rogue;
	assert_string_equal(whole(&page, &r, false), expected);
}

static void a_world_that_knows_little(void **state)
{
	static const char expected[] =
		"weir on a machine\n"
		"\n"
		"  machine        aarch64 at EL1, 4 CPUs, 2048 MiB\n"
		"  verified       not compared: nobody said what the disk holds\n" SHA
		"  read           0.0 MiB in 0.000 s: 0.0 MiB/s\n"
		"  how            1536 bytes, 1 in flight on each of 1 CPU\n"
		"  processor time 0.035 s driver side\n"
		"  disk           a disk\n"
		"  protection     none: no IOMMU\n"
		"  maps           0, unmaps 0\n"
		"  live mappings  0\n"
		"  commands       0, syncs 0\n"
		"  faults         0\n"
		"\n"
		"all well\n";
	struct run_report r = { .title = "weir on a machine",
				.platform = "aarch64 at EL1, 4 CPUs, 2048 MiB",
				.disk = "a disk",
				.options = { 1, 1, 1536 },
				.mode = WEIR_MODE_PASSTHROUGH,
				.busy_ns = 35000000 };
	struct page page;

	(void)state;
	assert_string_equal(whole(&page, &r, false), expected);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Of any length up to `bits`, odd: not half of anything. */
static uint64_t some(uint64_t *state, unsigned int bits)
{
	return next_random(state) >> (64 - 1 - next_random(state) % bits) | 1;
}

static void numbers_look_like_floats(void **state)
{
	uint64_t random = 1;
	char expected[256];
	struct page page;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		struct run_report r = good_run();
		double mib = 1 << 20, ns;

		r.job.bytes = some(&random, 46);
		r.job.ns = some(&random, 50) | r.job.bytes >> 10; /* at most 1 KiB in each */
		r.tlb_lookups = some(&random, 40);
		r.tlb_hits = next_random(&random) % (r.tlb_lookups + 1);
		ns = (double)r.job.ns;
		whole(&page, &r, false);
		snprintf(expected, sizeof(expected),
			 "  read           %.1f MiB in %.3f s: %.1f MiB/s\n",
			 (double)r.job.bytes / mib, ns / 1e9,
			 (double)r.job.bytes / (ns / 1e9) / mib);
		if (!strstr(page.text, expected))
			fail_msg("no %sin %s", expected, page.text);
		snprintf(expected, sizeof(expected), "  IOTLB hits     %.2f %% of ",
			 100 * ((double)r.tlb_hits / (double)r.tlb_lookups));
		if (!strstr(page.text, expected))
			fail_msg("no %s in %s", expected, page.text);
	}
}

static void numbers_at_their_ends(void **state)
{
	struct run_report r = good_run();
	struct page page;
	char text[REPORT_NUMBER];

	(void)state;
	assert_string_equal(report_grouped(0, text), "0");
	assert_string_equal(report_grouped(999, text), "999");
	assert_string_equal(report_grouped(1000, text), "1,000");
	assert_string_equal(report_grouped(UINT64_MAX, text), "18,446,744,073,709,551,615");
	r.job.bytes = (5 << 18) + (1 << 20); /* 2.25 MiB: of 2.2 and 2.3 the even one */
	r.job.ns = 0;
	assert_non_null(strstr(whole(&page, &r, false), " 2.2 MiB in 0.000 s: 0.0 MiB/s\n"));
	r.job.bytes = r.job.ns = 1ull << 60; /* 10^9 / 2^20 */
	assert_non_null(strstr(whole(&page, &r, false), ": 953.7 MiB/s\n"));
	r.tlb_lookups = 0;
	assert_non_null(strstr(whole(&page, &r, false), "  IOTLB hits     0.00 % of 0\n"));
}

/* One thing wrong: one problem, which says so. */
static void found(const struct run_report *r, const char *what)
{
	struct run_problems problems;

	report_judge(r, &problems);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.text[0], what);
}

static void what_is_wrong_with_the_job(void **state)
{
	struct run_report good = good_run(), r = good;
	struct run_problems problems;

	(void)state;
	report_judge(&good, &problems);
	assert_int_equal(problems.count, 0);
	r.failed = true;
	found(&r, "a step of the run failed");
	r = good;
	r.job.read_errors = 3;
	found(&r, "3 reads failed");
	r = good;
	r.verified = false;
	found(&r, "what arrived is not what the image holds");
	r.has_expected = false;
	report_judge(&r, &problems);
	assert_int_equal(problems.count, 0);
	r = good;
	r.live_mappings = 4;
	found(&r, "4 mappings were left");
	r = good;
	r.leaked_pages = 5;
	found(&r, "5 pages of memory were not given back");
}

static void what_is_wrong_with_the_rogue(void **state)
{
	struct rogue_report good = good_rogue(), rogue = good;
	struct run_report r = good_run();
	struct run_problems problems;

	(void)state;
	r.rogue = &rogue;
	report_judge(&r, &problems);
	assert_int_equal(problems.count, 0);
	rogue = (struct rogue_report){ 0 };
	found(&r, "the rogue tried nothing");
	rogue = good;
	rogue.hits = 1;
	found(&r, "the rogue reached memory 1 times");
	rogue = good;
	rogue.aborted = 2;
	found(&r, "2 accesses of the rogue were let through to nowhere");
	rogue = good;
	rogue.pages_changed = 3;
	found(&r, "the rogue changed 3 pages");
	rogue = good;
	rogue.events -= 10;
	rogue.events_lost = 6;
	found(&r, "4 blocked accesses left no event");
	r.mode = WEIR_MODE_PASSTHROUGH; /* where none is promised */
	report_judge(&r, &problems);
	assert_int_equal(problems.count, 0);
}

static void all_is_wrong(void **state)
{
	struct rogue_report rogue = good_rogue();
	struct run_report r = good_run();
	struct page page;

	(void)state;
	rogue.hits = rogue.aborted = rogue.pages_changed = 1234;
	rogue.blocked -= 3702;
	rogue.events = 0;
	rogue.overflows = 2;
	r.rogue = &rogue;
	r.failed = true;
	r.verified = false;
	r.got[0] = 0xab;
	r.job.read_errors = r.live_mappings = r.leaked_pages = 1001;
	whole(&page, &r, true);
	assert_non_null(
		strstr(page.text, "  verified       \033[1;31mNO\033[0m\n  of the image 00"));
	assert_non_null(strstr(page.text, "\n  what arrived ab00"));
	assert_non_null(strstr(page.text, "  live mappings  \033[1;31m1,001\033[0m\n"));
	assert_non_null(strstr(page.text, "  memory left    1001 pages\n"));
	assert_non_null(strstr(page.text, "  failed reads   1,001\n"));
	assert_non_null(strstr(page.text, "  blocked        \033[1;31m141,298\033[0m\n"));
	assert_non_null(strstr(page.text, "  hits           \033[1;31m1,234\033[0m\n"));
	assert_non_null(strstr(page.text, "0 received, 0 lost: the queue overflowed 2 times\n"));
	assert_non_null(strstr(page.text, "checked, 1,234 changed\033[0m\n"));
	assert_non_null(strstr(page.text, "\033[1;31mnot well: a step of the run failed\033[0m\n"));
	assert_null(strstr(page.text, "all well"));
}

static void colours_are_closed(void **state)
{
	struct run_report r = good_run();
	unsigned int on = 0, off = 0;
	struct page page;
	const char *p;

	(void)state;
	assert_null(strchr(whole(&page, &r, false), '\033'));
	whole(&page, &r, true);
	for (p = page.text; (p = strstr(p, "\033[1;32m")); p++)
		on++;
	for (p = page.text; (p = strstr(p, "\033[0m\n")); p++)
		off++;
	assert_int_equal(on, 3); /* verified, live mappings, all well */
	assert_int_equal(off, on);
}

static void what_is_too_long_is_cut(void **state)
{
	struct page page = { .len = 0 };
	struct report_out out = { collect, &page, true };
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	report_row(&out, text, "%s", text);
	report_row(&out, "label", "%s", text);
	report_line(&out, true, "%s", text);
	assert_true(page.len < 1300);
	assert_non_null(strstr(page.text, "xxx\033[0m\n"));
}

static void how_far_it_is(void **state)
{
	char text[REPORT_BAR], want[REPORT_BAR];

	(void)state;
	for (uint64_t size = 1; size < 1ull << 50; size = size * 37 + 5) {
		for (unsigned int part = 0; part <= 7; part++) {
			uint64_t bytes = part == 7 ? size : size / 7 * part;
			int full = (int)(bytes * 40 / size);

			snprintf(want, sizeof(want), "[%.*s%*s] %3d %%  %llu of %llu MiB", full,
				 "========================================", 40 - full, "",
				 (int)(bytes * 100 / size), (unsigned long long)(bytes >> 20),
				 (unsigned long long)(size >> 20));
			assert_string_equal(report_bar(bytes, size, text), want);
		}
	}
}

static void only_what_is_whole_and_equal_is_verified(void **state)
{
	const struct run_report good = { .has_expected = true, .job.bytes = 100 };
	struct run_report r = good;

	(void)state;
	report_verify(&r, 100);
	assert_true(r.verified);
	report_verify(&r, 101);
	assert_false(r.verified);
	for (unsigned int i = 0; i < 4; i++) {
		r = good;
		r.verified = true;
		r.has_expected = i != 0;
		r.failed = i == 1;
		r.job.read_errors = i == 2;
		r.got[SHA256_SIZE - 1] = i == 3;
		report_verify(&r, 100);
		assert_false(r.verified);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_far_it_is),
		cmocka_unit_test(only_what_is_whole_and_equal_is_verified),
		cmocka_unit_test(a_full_report),
		cmocka_unit_test(a_world_that_knows_little),
		cmocka_unit_test(numbers_look_like_floats),
		cmocka_unit_test(numbers_at_their_ends),
		cmocka_unit_test(what_is_wrong_with_the_job),
		cmocka_unit_test(what_is_wrong_with_the_rogue),
		cmocka_unit_test(all_is_wrong),
		cmocka_unit_test(colours_are_closed),
		cmocka_unit_test(what_is_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
