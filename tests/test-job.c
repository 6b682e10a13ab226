/* SPDX-License-Identifier: MIT */

/*
 * The job of tools/job: reading a disk on all CPUs.
 *
 *   - every byte of the disk arrives once and in order, for all numbers of CPUs, depths, sizes of
 *     block and of disk, with more slots than blocks too; what is told of the progress is so
 *   - the first error ends it, whoever has it: a thread that cannot be started or joined, a request
 *     that the driver refuses while others are in flight, options that make no sense
 *   - a read that fails is counted, and ends nothing
 *   - whatever came of it, nothing is left allocated or mapped
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jobworld.h"

#define DISK_SIZE (512u << 10)

struct trial {
	struct stack stack; /* the first: tasks get it */
	struct jobworld world;
	struct job_options options;
	uint64_t size;
	int error;
	struct job_result result;
	unsigned int fail_start, fail_join;
	bool short_disk; /* the disk behind the controller became shorter than it says */
};

static int read_disk(void *arg)
{
	struct trial *t = arg;
	struct stack *s = &t->stack;
	size_t whole = s->disk_size;

	jobworld_init(&t->world, s);
	t->world.fail_start = t->fail_start;
	t->world.fail_join = t->fail_join;
	if (t->short_disk)
		s->disk_size /= 2;
	t->error = job_read(s->weir, s->ctrl, t->size, &t->options, &t->world.world, &t->result);
	s->disk_size = whole;
	return 0;
}

static void try_it(struct trial *t, const struct posix_options *px)
{
	struct stack_options options = { .posix = *px, .disk_size = DISK_SIZE };

	assert_int_equal(stack_make(&t->stack, &options), 0);
	assert_int_equal(stack_call(&t->stack, stack_up), 0);
	posix_call(t->stack.machine, 0, read_disk, t);
	assert_int_equal(stack_call(&t->stack, stack_down), 0);
	assert_int_equal(t->stack.live_mappings, 0);
	assert_int_equal(t->stack.leaked_pages, 0);
	stack_destroy(&t->stack);
}

static void check_whole(const struct trial *t)
{
	assert_int_equal(t->error, 0);
	assert_int_equal(t->world.bytes, t->size);
	assert_int_equal(t->world.wrong, 0);
	assert_int_equal(t->world.disorder, 0);
	assert_int_equal(t->world.progress, t->size);
	assert_int_equal(t->result.bytes, t->size);
	assert_int_equal(t->result.read_errors, 0);
	assert_true(t->result.ns > 0);
	assert_int_equal(t->world.joins, t->options.cpus);
}

static void sweep(enum posix_runner runner)
{
	static const uint64_t sizes[] = { 1, 512, 4097, 100000, DISK_SIZE - 1, DISK_SIZE };
	static const struct job_options all[] = {
		{ 1, 1, 512 },	 { 1, 1023, 4096 }, { 2, 32, 65536 },	{ 3, 7, 1536 },
		{ 4, 2, 12288 }, { 4, 100, 1024 },  { 2, 2, 2u << 20 },
	};
	struct posix_options px = { .runner = runner };

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(all); i++)
		for (unsigned int j = 0; j < WEIR_ARRAY_SIZE(sizes); j++) {
			struct trial t = { .options = all[i], .size = sizes[j] };

			px.cpus = all[i].cpus;
			px.seed = i + 100 * j;
			px.machine.nvme.mdts = 9;
			try_it(&t, &px);
			check_whole(&t);
		}
}

static void every_byte_in_order(void **state)
{
	(void)state;
	sweep(POSIX_THREADED);
}

static void every_byte_in_order_seeded(void **state)
{
	(void)state;
	sweep(POSIX_SEEDED);
}

static void a_thread_that_does_not_start(void **state)
{
	(void)state;
	for (unsigned int runner = POSIX_THREADED; runner <= POSIX_SEEDED; runner++)
		for (unsigned int n = 1; n <= 4; n++) {
			struct posix_options px = { .runner = runner, .cpus = 4, .seed = n };
			struct trial t = { .options = { 4, 8, 4096 },
					   .size = DISK_SIZE,
					   .fail_start = n };

			try_it(&t, &px);
			assert_int_equal(t.error, -EIO);
			assert_int_equal(t.world.joins, n - 1);
			assert_int_equal(t.world.wrong, 0);
			assert_int_equal(t.result.bytes, t.world.bytes);
		}
}

static void a_join_that_fails(void **state)
{
	struct posix_options px = { .cpus = 3 };
	struct trial t = { .options = { 3, 8, 4096 }, .size = DISK_SIZE, .fail_join = 1 };

	(void)state;
	try_it(&t, &px);
	assert_int_equal(t.error, -EIO);
	assert_int_equal(t.world.joins, 3);
	assert_int_equal(t.world.wrong, 0);
}

/* The last blocks are beyond the disk's end, which the driver knows. */
static void a_request_that_is_refused(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 20; seed++) {
		struct posix_options px = { .runner = POSIX_SEEDED, .cpus = 2, .seed = seed };
		struct trial t = { .options = { 2, 16, 8192 }, .size = DISK_SIZE + 8192 };

		try_it(&t, &px);
		assert_int_equal(t.error, -EINVAL);
		assert_int_equal(t.world.wrong, 0);
		assert_int_equal(t.world.disorder, 0);
		assert_true(t.result.bytes <= DISK_SIZE);
	}
}

/* Blocks beyond the end that only the disk knows: half of the reads fail. */
static void reads_that_fail(void **state)
{
	struct posix_options px = { .cpus = 2 };
	struct trial t = { .options = { 2, 16, 8192 }, .size = DISK_SIZE, .short_disk = true };

	(void)state;
	try_it(&t, &px);
	assert_int_equal(t.error, 0);
	assert_int_equal(t.result.read_errors, DISK_SIZE / 2 / 8192);
	assert_int_equal(t.result.bytes, DISK_SIZE);
	assert_true(t.world.wrong > 0);
}

static void options_without_sense(void **state)
{
	static const struct job_options bad[] = {
		{ 0, 1, 512 }, { 1, 0, 512 }, { 1, 1, 0 }, { 1, 1, 511 }, { 2, 4, 4096 + 256 },
	};

	(void)state;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct posix_options px = { .cpus = 2 };
		struct trial t = { .options = bad[i], .size = DISK_SIZE };

		try_it(&t, &px);
		assert_int_equal(t.error, -EINVAL);
		assert_int_equal(t.world.starts, 0);
		assert_int_equal(t.result.bytes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_in_order),
		cmocka_unit_test(every_byte_in_order_seeded),
		cmocka_unit_test(a_thread_that_does_not_start),
		cmocka_unit_test(a_join_that_fails),
		cmocka_unit_test(a_request_that_is_refused),
		cmocka_unit_test(reads_that_fail),
		cmocka_unit_test(options_without_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
