/* SPDX-License-Identifier: MIT */
/*
 * Shared interrupts of the threaded runner.
 *
 * Property: when N CPUs wait for one shared interrupt, an event wakes about one of them (below 1.1
 * on average, thanks to EPOLLEXCLUSIVE); without the flag it is near N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

#define CPUS 4u
#define EVENTS 2000u
#define IRQ 80u

static void handle(void *arg)
{
	struct shared *s = arg;

	__atomic_fetch_add(&s->handled, 1, __ATOMIC_ACQ_REL);
	plat_wake(s->machine, &s->handled);
}

/* One event at a time, each handled and the CPUs back at their sets before the next. */
static int raise_one_by_one(void *arg)
{
	struct shared *s = arg;
	const struct timespec pause = { 0, 100000 };
	uint32_t i, seen;

	check(plat_irq_connect(s->machine, IRQ, WEIR_CPU_ANY, handle, s) == 0);
	for (i = 0; i < EVENTS; i++) {
		posix_irq_raise(s->machine, IRQ);
		while ((seen = __atomic_load_n(&s->handled, __ATOMIC_ACQUIRE)) == i)
			check(plat_wait(s->machine, &s->handled, seen, 10000 * MS) == 0);
		nanosleep(&pause, NULL);
	}
	plat_irq_disconnect(s->machine, IRQ);
	return 0;
}

static double wakeups_per_event(bool wake_all)
{
	struct posix_options options = { .runner = POSIX_THREADED, .cpus = CPUS };
	struct shared s = { .machine = NULL };
	uint64_t before, after;

	assert_int_equal(posix_create(&options, &s.machine), 0);
	posix_irq_shared_wakes_all(s.machine, wake_all);
	before = posix_irq_wakeups(s.machine);
	assert_int_equal(posix_call(s.machine, 0, raise_one_by_one, &s), 0);
	after = posix_irq_wakeups(s.machine);
	posix_destroy(s.machine);
	assert_int_equal(s.handled, EVENTS);
	print_message("%.3f wakeups for each event%s\n", (double)(after - before) / EVENTS,
		      wake_all ? " without EPOLLEXCLUSIVE" : "");
	return (double)(after - before) / EVENTS;
}

static void test_one_event_wakes_one_cpu(void **state)
{
	(void)state;
	assert_true(wakeups_per_event(false) < 1.1);
}

static void test_without_the_flag_it_wakes_many(void **state)
{
	(void)state;
	assert_true(wakeups_per_event(true) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_event_wakes_one_cpu),
		cmocka_unit_test(test_without_the_flag_it_wakes_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
