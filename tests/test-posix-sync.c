/* SPDX-License-Identifier: MIT */
/*
 * The posix platform: locks, waiting, timers, work; under the threaded and under the seeded runner.
 *
 * Properties:
 * - Spin locks and mutexes exclude; a handler does not run while its CPU has interrupts off, and
 *   runs once they are on.
 * - No wake is lost; a wait times out, not before its time.
 * - Timers fire once, in order, not before their time, where they were moved to; a cancelled one
 *   does not fire, and cancel waits for one that runs.
 * - Work runs once for each time it was queued, never twice at a time, also when it queues itself;
 *   cancel waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

#define CPUS POSIX_TEST_CPUS
#define IRQ 70u

/* ---- Locks and waiting ---- */

static int count_under_locks(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		plat_spin_lock(&s->spin);
		s->by_spin++;
		plat_spin_unlock(&s->spin);
		plat_mutex_lock(s->machine, &s->mutex);
		s->by_mutex++;
		if (i % 64 == 0)
			plat_relax(s->machine);
		plat_mutex_unlock(s->machine, &s->mutex);
	}
	return 0;
}

static void test_locks(void **state)
{
	struct shared s = { .machine = *state };

	on_all_cpus(*state, count_under_locks, &s);
	assert_int_equal(s.by_spin, 2000 * CPUS);
	assert_int_equal(s.by_mutex, 2000 * CPUS);
}

/* Each CPU waits for its turn and gives it to the next. */
static int pass_round(void *arg)
{
	struct shared *s = arg;
	uint32_t me = plat_cpu();
	uint32_t now;

	while ((now = load(&s->word)) < 600 * CPUS)
		if (now % CPUS == me) {
			add(&s->word, 1);
			plat_wake(s->machine, &s->word);
		} else {
			check((plat_wait(s->machine, &s->word, now, 10000 * MS)) == 0);
		}
	return 0;
}

static void test_no_wake_is_lost(void **state)
{
	struct shared s = { .machine = *state };

	on_all_cpus(*state, pass_round, &s);
	assert_int_equal(s.word, 600 * CPUS);
}

static int time_out(void *arg)
{
	struct shared *s = arg;
	uint64_t start = plat_time_ns(s->machine);

	check((plat_wait(s->machine, &s->word, 1, UINT64_MAX)) == 0);
	check((plat_wait(s->machine, &s->word, 0, 0)) == -WEIR_ETIMEDOUT);
	while (plat_wait(s->machine, &s->word, 0, 20 * MS) != -WEIR_ETIMEDOUT)
		;
	check(plat_time_ns(s->machine) - start >= 20 * MS);
	return 0;
}

static void test_wait_times_out(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 0, time_out, &s), 0);
}

static void handle_alone(void *arg)
{
	struct shared *s = arg;

	if (load(&s->inside))
		add(&s->bad, 1);
	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

static int keep_interrupts_off(void *arg)
{
	struct shared *s = arg;
	uintptr_t outer, inner;
	unsigned int i, round;

	check((plat_irq_connect(s->machine, IRQ, plat_cpu(), handle_alone, s)) == 0);
	for (round = 0; round < 200; round++) {
		outer = plat_irq_save();
		inner = plat_irq_save();
		__atomic_store_n(&s->inside, 1, __ATOMIC_SEQ_CST);
		posix_irq_raise(s->machine, IRQ);
		for (i = 0; i < 20; i++)
			plat_relax(s->machine);
		plat_irq_restore(inner);
		plat_relax(s->machine);
		__atomic_store_n(&s->inside, 0, __ATOMIC_SEQ_CST);
		plat_irq_restore(outer);
		check(wait_for(s->machine, &s->handled, round + 1));
	}
	plat_irq_disconnect(s->machine, IRQ);
	return 0;
}

static void test_interrupts_off(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 1, keep_interrupts_off, &s), 0);
	assert_int_equal(s.bad, 0);
	assert_int_equal(s.handled, 200);
}

/* ---- Timers and work ---- */

static void on_timer(struct weir_timer *timer, unsigned int which, struct shared *s)
{
	(void)timer;
	s->fired_at[which] = plat_time_ns(s->machine);
	s->order[load(&s->handled)] = which;
	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

static void on_timer_0(struct weir_timer *timer)
{
	on_timer(timer, 0, WEIR_CONTAINER_OF(timer, struct shared, timers[0]));
}

static void on_timer_1(struct weir_timer *timer)
{
	on_timer(timer, 1, WEIR_CONTAINER_OF(timer, struct shared, timers[1]));
}

static void on_timer_2(struct weir_timer *timer)
{
	on_timer(timer, 2, WEIR_CONTAINER_OF(timer, struct shared, timers[2]));
}

static int use_timers(void *arg)
{
	struct shared *s = arg;
	uint64_t now = plat_time_ns(s->machine);

	s->timers[0].fn = on_timer_0;
	s->timers[1].fn = on_timer_1;
	s->timers[2].fn = on_timer_2;
	plat_timer_arm(s->machine, &s->timers[0], now + 500 * MS);
	plat_timer_arm(s->machine, &s->timers[1], now + 60 * MS);
	plat_timer_arm(s->machine, &s->timers[2], now + 10 * MS);
	check(plat_timer_cancel(s->machine, &s->timers[2]));
	check(!plat_timer_cancel(s->machine, &s->timers[2]));
	plat_timer_arm(s->machine, &s->timers[0], now + 30 * MS); /* moves it */
	check(wait_for(s->machine, &s->handled, 2));
	sleep_ns(s->machine, 20 * MS);
	check((load(&s->handled)) == 2);
	check((s->order[0]) == 0);
	check((s->order[1]) == 1);
	check(s->fired_at[0] >= now + 30 * MS);
	check(s->fired_at[1] >= now + 60 * MS);
	check(!plat_timer_cancel(s->machine, &s->timers[0]));
	plat_timer_arm(s->machine, &s->timers[2], 0); /* long ago: now */
	check(wait_for(s->machine, &s->handled, 3));
	return 0;
}

static void test_timers(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 2, use_timers, &s), 0);
}

static void slow_timer(struct weir_timer *timer)
{
	struct shared *s = WEIR_CONTAINER_OF(timer, struct shared, timers[0]);
	unsigned int i;

	__atomic_store_n(&s->inside, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 300; i++)
		plat_relax(s->machine);
	plat_timer_arm(s->machine, timer, plat_time_ns(s->machine));
	__atomic_store_n(&s->inside, 0, __ATOMIC_RELEASE);
	add(&s->handled, 1);
}

/* A timer that arms itself again and again is over when it was cancelled. */
static int cancel_timers(void *arg)
{
	struct shared *s = arg;
	unsigned int round;
	uint32_t handled;

	s->timers[0].fn = slow_timer;
	for (round = 0; round < 50; round++) {
		handled = load(&s->handled);
		plat_timer_arm(s->machine, &s->timers[0], plat_time_ns(s->machine));
		while (load(&s->handled) < handled + round % 3)
			plat_relax(s->machine);
		plat_timer_cancel(s->machine, &s->timers[0]);
		check((load(&s->inside)) == 0);
		handled = load(&s->handled);
		sleep_ns(s->machine, MS / 10);
		check((load(&s->handled)) == handled);
	}
	return 0;
}

static void test_timer_cancel(void **state)
{
	struct shared s = { .machine = *state };

	assert_int_equal(posix_call(*state, 0, cancel_timers, &s), 0);
}

static void work_once(struct weir_work *work)
{
	struct shared *s = WEIR_CONTAINER_OF(work, struct shared, work);

	if (__atomic_fetch_add(&s->inside, 1, __ATOMIC_ACQ_REL))
		add(&s->bad, 1);
	s->by_mutex++;		    /* no atomic: alone */
	sleep_ns(s->machine, 1000); /* may sleep */
	__atomic_fetch_sub(&s->inside, 1, __ATOMIC_ACQ_REL);
	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

static int queue_work(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	for (i = 0; i < 300; i++) {
		if (plat_work_queue(s->machine, &s->work))
			add(&s->word, 1);
		if (i % 4 == 0)
			sleep_ns(s->machine, 500);
	}
	return 0;
}

static int settle_work(void *arg)
{
	struct shared *s = arg;

	check(wait_for(s->machine, &s->handled, load(&s->word)));
	check(!plat_work_cancel(s->machine, &s->work));
	check((load(&s->handled)) == (load(&s->word)));
	return 0;
}

static void test_work(void **state)
{
	struct shared s = { .machine = *state, .work = { .fn = work_once } };

	on_all_cpus(*state, queue_work, &s);
	assert_int_equal(posix_call(*state, 0, settle_work, &s), 0);
	assert_int_equal(s.bad, 0);
	assert_true(s.word > 2);
	assert_int_equal(s.by_mutex, s.word);
}

static void work_again(struct weir_work *work)
{
	struct shared *s = WEIR_CONTAINER_OF(work, struct shared, work);

	__atomic_store_n(&s->inside, 1, __ATOMIC_RELEASE);
	check(plat_work_queue(s->machine, work));
	sleep_ns(s->machine, 1000);
	__atomic_store_n(&s->inside, 0, __ATOMIC_RELEASE);
	add(&s->handled, 1);
	plat_wake(s->machine, &s->handled);
}

static int cancel_work(void *arg)
{
	struct shared *s = arg;
	uint32_t handled;
	unsigned int round;

	for (round = 0; round < 50; round++) {
		handled = load(&s->handled);
		check(plat_work_queue(s->machine, &s->work));
		check(wait_for(s->machine, &s->handled, handled + round % 3));
		check(plat_work_cancel(s->machine, &s->work));
		check((load(&s->inside)) == 0);
		handled = load(&s->handled);
		sleep_ns(s->machine, MS / 10);
		check((load(&s->handled)) == handled);
	}
	return 0;
}

static void test_work_cancel(void **state)
{
	struct shared s = { .machine = *state, .work = { .fn = work_again } };

	assert_int_equal(posix_call(*state, 2, cancel_work, &s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_locks),	   BOTH(test_no_wake_is_lost), BOTH(test_wait_times_out),
		BOTH(test_interrupts_off), BOTH(test_timers),	       BOTH(test_timer_cancel),
		BOTH(test_work),	   BOTH(test_work_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
