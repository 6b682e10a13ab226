/* SPDX-License-Identifier: MIT */

/*
 * Out of memory at every allocation of the main job in turn, under the seeded runner.
 *
 * For each N, until a run makes fewer than N allocations: the Nth allocation fails (alone, and with
 * all that follow). The heap gives each allocation pages of its own here, so that the platform,
 * which counts and fails, sees every one. Then
 *   - nothing crashes or hangs (the sanitizers look on),
 *   - the run ends with an error, or it got by and every byte that it read is right,
 *   - no mapping is left and no page is leaked, whether bring-up or the job failed,
 *   - no fault was reported: a failure path leaves nothing that the device still uses.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jobworld.h"
#include "stack.h"

struct outcome {
	int error;
	bool right;
	uint64_t calls, faults;
};

static bool count_fault(void *arg, const struct weir_fault *fault)
{
	struct outcome *o = arg;

	(void)fault;
	__atomic_fetch_add(&o->faults, 1, __ATOMIC_RELAXED);
	return true;
}

static int run_job(void *stack)
{
	const struct job_options options = { .queue_depth = 4, .block_size = 16384, .cpus = 2 };
	struct stack *s = stack;
	struct outcome *o = s->options.fault_arg;
	struct job_result result;
	struct jobworld w;

	jobworld_init(&w, s);
	o->error = job_read(s->weir, s->ctrl, s->disk_size, &options, &w.world, &result);
	o->right = !result.read_errors && w.bytes == s->disk_size && !w.wrong;
	return 0;
}

static struct outcome one_run(uint64_t fail, bool onwards, enum weir_mode mode)
{
	struct outcome o = { 0 };
	struct stack_options options = {
		.posix = { .runner = POSIX_SEEDED,
			   .seed = 7,
			   .cpus = 2,
			   .fail_alloc = fail,
			   .fail_alloc_onwards = onwards },
		.mode = mode,
		.heap_whole_pages = true,
		.on_fault = count_fault,
		.fault_arg = &o,
	};
	struct stack s;

	assert_int_equal(stack_make(&s, &options), 0);
	o.error = stack_call(&s, stack_up);
	if (!o.error)
		stack_call(&s, run_job);
	o.calls = posix_alloc_calls(s.machine);
	assert_int_equal(stack_call(&s, stack_down), 0);
	if (s.live_mappings || s.leaked_pages)
		fail_msg("allocation %llu%s: %llu mappings live, %llu pages leaked",
			 (unsigned long long)fail, onwards ? " and on" : "",
			 (unsigned long long)s.live_mappings, (unsigned long long)s.leaked_pages);
	stack_destroy(&s);
	return o;
}

static void sweep(bool onwards, enum weir_mode mode)
{
	uint64_t fail = 0, errors = 0, got_by = 0;
	struct outcome o;

	do {
		o = one_run(++fail, onwards, mode);
		if (!o.error && !o.right)
			fail_msg("allocation %llu: no error, but wrong data",
				 (unsigned long long)fail);
		assert_int_equal(o.faults, 0);
		errors += o.error != 0;
		got_by += !o.error && o.calls >= fail;
	} while (o.calls >= fail);
	print_message(
		"%llu allocations failed in turn%s: %llu runs ended with an error, %llu got by\n",
		(unsigned long long)fail - 1, onwards ? ", with all after" : "",
		(unsigned long long)errors, (unsigned long long)got_by);
	assert_true(fail > 60);	 /* the job allocates: the sweep went over something */
	assert_true(errors > 0); /* and it matters */
	assert_int_equal(o.error, 0);
}

static void one_allocation_fails(void **state)
{
	(void)state;
	sweep(false, WEIR_MODE_STRICT);
}

static void all_from_one_on_fail(void **state)
{
	(void)state;
	sweep(true, WEIR_MODE_STRICT);
}

static void one_fails_in_passthrough(void **state)
{
	(void)state;
	sweep(false, WEIR_MODE_PASSTHROUGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_allocation_fails),
		cmocka_unit_test(all_from_one_on_fail),
		cmocka_unit_test(one_fails_in_passthrough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
