/* SPDX-License-Identifier: MIT */
/*
 * platforms/bare: threads, waiting, timers, work, the console; on the fake machine, which also
 * insists that every lock in there is taken with interrupts off.
 *
 * Properties:
 * - A thread runs on its CPU, gets its argument, its value comes out of join, its stack goes back;
 *   what cannot be is refused. bare_main()'s value is the machine's status.
 * - No wake is lost, from threads of any CPU and from interrupt handlers. A wait times out, not
 *   before its time; one that races its time-out is either woken or timed out.
 * - Mutexes exclude, also across sleeping and yielding; taking one twice is told.
 * - Timers fire once, in order, not before their time, where they were moved to, also by another
 *   CPU; a function never runs twice at a time; a cancelled one does not run, and cancel waits;
 *   timers that are always due leave time for threads.
 * - Work runs once for each time it was queued, never twice at a time, also when it queues itself,
 *   and leaves time for threads; cancel waits; a work item or a timer that cancels itself is told.
 * - A CPU that has nothing to do is not busy.
 * - Lines come out whole; a panic comes out whatever the console and the other CPUs do, once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fakemachine.h"

#define CPUS 4u

/* What the threads, handlers and work items of a test have in common. */
static struct shared {
	struct weir_mutex mutex;
	uint64_t guarded; /* no atomic */
	uint32_t word, inside, handled, stop;
	struct weir_timer timers[4];
	struct weir_work work;
	uint64_t fired_at[4];
	uint32_t order[4];
} s;

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static uint32_t add(uint32_t *word, uint32_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

static uint64_t now(void)
{
	return plat_time_ns(bare_plat());
}

static void wake(const uint32_t *word)
{
	plat_wake(bare_plat(), word);
}

static void wait_until(const uint32_t *word, uint32_t value)
{
	uint32_t seen;

	while ((seen = load(word)) < value)
		plat_wait(bare_plat(), word, seen, UINT64_MAX);
}

static void sleep_ns(uint64_t ns)
{
	static uint32_t nobody;
	uint64_t end = now() + ns, at;

	while ((at = now()) < end)
		plat_wait(bare_plat(), &nobody, 0, end - at);
}

/* `each` threads on every CPU; all of them return 0. */
static void on_all_cpus(unsigned int each, int (*fn)(void *arg))
{
	struct bare_thread *threads[CPUS * 8];
	unsigned int i;

	for (i = 0; i < CPUS * each; i++)
		check(!bare_thread_start(i % CPUS, fn, &s, &threads[i]));
	for (i = 0; i < CPUS * each; i++)
		check(bare_thread_join(threads[i]) == 0);
}

static void runs(int (*program)(void))
{
	int status = fakemachine_run(CPUS, program);

	if (status)
		fail_msg("status %d, console: %s", status, fakemachine_console());
}

static void panics(int (*program)(void), const char *saying)
{
	assert_int_equal(fakemachine_run(CPUS, program), 70);
	if (!strstr(fakemachine_console(), saying))
		fail_msg("not said: %s; but: %s", saying, fakemachine_console());
}

/* ---- Threads ---- */

static int where_am_i(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg % 100;
	unsigned int i;

	check(!fakemachine_irqs_off());
	for (i = 0; i < 20; i++) {
		check(plat_cpu() == cpu);
		if (i % 3)
			bare_yield();
		else
			sleep_ns(1000 * i);
		check(!fakemachine_irqs_off());
	}
	return (int)(uintptr_t)arg * 3;
}

static int threads(void)
{
	struct bare_thread *started[CPUS * 6];
	unsigned int i, round, workers = fakemachine_stacks();
	uintptr_t arg;

	check(bare_cpus() == CPUS && plat_cpu() == 0 && bare_plat());
	check(workers == CPUS + 1);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < CPUS * 6; i++) {
			arg = i % CPUS + 100 * i;
			check(!bare_thread_start(i % CPUS, where_am_i, (void *)arg, &started[i]));
		}
		for (i = CPUS * 6; i--;)
			check(bare_thread_join(started[i]) == (int)(i % CPUS + 100 * i) * 3);
		check(fakemachine_stacks() == workers);
	}
	check(bare_thread_start(CPUS, where_am_i, NULL, &started[0]) == -WEIR_EINVAL);
	fakemachine_no_stacks = true;
	check(bare_thread_start(1, where_am_i, NULL, &started[0]) == -WEIR_ENOMEM);
	bare_set_weir((struct weir *)(void *)&s);
	check(plat_weir() == (struct weir *)(void *)&s);
	return 0;
}

static int seventeen(void)
{
	return 17;
}

static int nothing(void)
{
	return 0;
}

static void test_threads(void **state)
{
	(void)state;
	runs(threads);
	assert_int_equal(fakemachine_run(1, seventeen), 17);
	assert_int_equal(fakemachine_run(CPUS, seventeen), 17);
}

static void test_bring_up_fails(void **state)
{
	(void)state;
	fakemachine_dead_cpu = 2;
	panics(nothing, "CPU 2 of 4 did not come up");
	fakemachine_dead_cpu = 0;
	fakemachine_no_stacks = true;
	panics(nothing, "no memory for the first thread");
	fakemachine_no_stacks = false;
	assert_int_equal(fakemachine_run(BARE_MAX_CPUS + 1, nothing), 70);
	assert_non_null(strstr(fakemachine_console(), "65 CPUs"));
}

/* ---- Waiting ---- */

static uint32_t position;

/* Each thread waits for its turn and gives it to the next, which is on another CPU. */
static int pass_round(void *arg)
{
	uint32_t me = add(&position, 1);
	uint32_t turn;

	(void)arg;
	while ((turn = load(&s.word)) < 300 * CPUS * 3)
		if (turn % (CPUS * 3) == me) {
			add(&s.word, 1);
			wake(&s.word);
		} else {
			check(plat_wait(bare_plat(), &s.word, turn, UINT64_MAX) == 0);
		}
	return 0;
}

static int no_wake_is_lost(void)
{
	on_all_cpus(3, pass_round);
	check(s.word == 300 * CPUS * 3);
	return 0;
}

static int ponger(void *arg)
{
	uint32_t *words = arg;
	uint32_t i;

	for (i = 1; i <= 10000; i++) {
		wait_until(&words[0], i);
		store(&words[1], i);
		wake(&words[1]);
	}
	return 0;
}

/* Two CPUs that are idle most of the time: the race of falling asleep and being kicked. */
static int ping_pong(void)
{
	struct bare_thread *other;
	uint32_t words[2] = { 0, 0 };
	uint32_t i;

	check(!bare_thread_start(1, ponger, words, &other));
	for (i = 1; i <= 10000; i++) {
		store(&words[0], i);
		wake(&words[0]);
		wait_until(&words[1], i);
	}
	return bare_thread_join(other);
}

static void tick_and_wake(struct weir_timer *timer)
{
	check(fakemachine_irqs_off());
	add(&s.handled, 1);
	wake(&s.handled);
	if (!load(&s.stop))
		plat_timer_arm(bare_plat(), timer, now() + 10000);
}

static int follow_ticks(void *arg)
{
	(void)arg;
	wait_until(&s.handled, 500);
	return 0;
}

static int wakes_from_interrupts(void)
{
	s.timers[0].fn = tick_and_wake;
	plat_timer_arm(bare_plat(), &s.timers[0], 0);
	on_all_cpus(2, follow_ticks);
	store(&s.stop, 1);
	plat_timer_cancel(bare_plat(), &s.timers[0]);
	return 0;
}

static void test_wakes(void **state)
{
	(void)state;
	runs(no_wake_is_lost);
	runs(ping_pong);
	runs(wakes_from_interrupts);
}

static int time_outs(void)
{
	uint64_t start = now();

	check(plat_wait(bare_plat(), &s.word, 1, UINT64_MAX) == 0);
	check(plat_wait(bare_plat(), &s.word, 1, 0) == 0);
	check(plat_wait(bare_plat(), &s.word, 0, 0) == -WEIR_ETIMEDOUT);
	check(plat_wait(bare_plat(), &s.word, 0, 20 * MS) == -WEIR_ETIMEDOUT);
	check(now() - start >= 20 * MS);
	check(now() - start < 2000 * MS);
	return 0;
}

static int wake_often(void *arg)
{
	(void)arg;
	while (!load(&s.stop)) {
		add(&s.word, 1);
		wake(&s.word);
		sleep_ns(30000);
	}
	return 0;
}

/* Waits that end by either, and at about the same time. */
static int wait_shortly(void *arg)
{
	bool woken = false, timed_out = false;
	uint64_t start, span;
	unsigned int i;
	int err;

	(void)arg;
	for (i = 0; i < 300 || !woken || !timed_out; i++) {
		span = 10000 + i * 7 % 40 * 10000;
		start = now();
		err = plat_wait(bare_plat(), &s.word, load(&s.word), span);
		check(err == 0 || err == -WEIR_ETIMEDOUT);
		check(!err || now() - start >= span);
		woken |= !err;
		timed_out |= err;
		/* The time of a wait that is over ends no other. */
		check(plat_wait(bare_plat(), &s.word, load(&s.word), UINT64_MAX) == 0);
	}
	return 0;
}

static int time_out_races(void)
{
	struct bare_thread *waker;

	check(!bare_thread_start(CPUS - 1, wake_often, NULL, &waker));
	on_all_cpus(2, wait_shortly);
	store(&s.stop, 1);
	return bare_thread_join(waker);
}

static int waits_in_interrupt(void)
{
	struct bare_thread *thread;

	s.timers[0].fn = (void (*)(struct weir_timer *))(void (*)(void))time_outs;
	plat_timer_arm(bare_plat(), &s.timers[0], now() + MS);
	check(!bare_thread_start(1, follow_ticks, NULL, &thread));
	return bare_thread_join(thread); /* asleep: the timer interrupts the idle thread */
}

static void test_time_outs(void **state)
{
	(void)state;
	runs(time_outs);
	runs(time_out_races);
	panics(waits_in_interrupt, "where nothing may sleep");
}

/* ---- Mutexes ---- */

static int count_under_mutex(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 1000; i++) {
		plat_mutex_lock(bare_plat(), &s.mutex);
		check(add(&s.inside, 1) == 0);
		s.guarded++;
		if (i % 16 == 0)
			bare_yield();
		if (i % 128 == 0)
			sleep_ns(2000);
		check(add(&s.inside, -1u) == 1);
		plat_mutex_unlock(bare_plat(), &s.mutex);
		if (i % 32 == 0)
			bare_yield();
	}
	return 0;
}

static int mutex_excludes(void)
{
	on_all_cpus(3, count_under_mutex);
	check(s.guarded == 1000 * CPUS * 3);
	return 0;
}

static int mutex_twice(void)
{
	plat_mutex_lock(bare_plat(), &s.mutex);
	plat_mutex_lock(bare_plat(), &s.mutex);
	return 0;
}

static void test_mutexes(void **state)
{
	(void)state;
	runs(mutex_excludes);
	panics(mutex_twice, "its holder locks it again");
}

/* ---- Timers ---- */

static void on_timer(struct weir_timer *timer)
{
	uint32_t which = (uint32_t)(timer - s.timers);

	check(fakemachine_irqs_off());
	s.fired_at[which] = now();
	s.order[load(&s.handled)] = which;
	add(&s.handled, 1);
	wake(&s.handled);
}

static int timer_order(void)
{
	uint64_t start = now();
	unsigned int i;

	for (i = 0; i < 4; i++)
		s.timers[i].fn = on_timer;
	plat_timer_arm(bare_plat(), &s.timers[0], start + 500 * MS);
	plat_timer_arm(bare_plat(), &s.timers[1], start + 60 * MS);
	plat_timer_arm(bare_plat(), &s.timers[2], start + 10 * MS);
	plat_timer_arm(bare_plat(), &s.timers[3], start + 90 * MS);
	check(plat_timer_cancel(bare_plat(), &s.timers[2]));
	check(!plat_timer_cancel(bare_plat(), &s.timers[2]));
	plat_timer_arm(bare_plat(), &s.timers[0], start + 30 * MS); /* moves it */
	wait_until(&s.handled, 3);
	check(s.order[0] == 0 && s.order[1] == 1 && s.order[2] == 3);
	check(s.fired_at[0] >= start + 30 * MS && s.fired_at[1] >= start + 60 * MS);
	check(s.fired_at[3] >= start + 90 * MS);
	check(!plat_timer_cancel(bare_plat(), &s.timers[0]));
	sleep_ns(20 * MS);
	check(load(&s.handled) == 3);
	store(&s.handled, 0);
	plat_timer_arm(bare_plat(), &s.timers[2], 0); /* long ago: now */
	wait_until(&s.handled, 1);
	return 0;
}

static void alone(struct weir_timer *timer)
{
	unsigned int i;

	check(timer == &s.timers[0]);
	check(add(&s.inside, 1) == 0);
	/* Few: each may cost a whole slice of time where others want the processor too. */
	for (i = 0; i < 5; i++)
		plat_relax(bare_plat());
	add(&s.handled, 1);
	check(add(&s.inside, -1u) == 1);
}

static int arm_it(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 1500; i++) {
		plat_timer_arm(bare_plat(), &s.timers[0], i % 3 ? now() + i % 7 * 1000 : 0);
		if (i % 16 == 0)
			sleep_ns(5000);
	}
	return 0;
}

/* Armed by all CPUs, again and again, also while it runs elsewhere. */
static int timer_of_all_cpus(void)
{
	uint32_t handled;

	s.timers[0].fn = alone;
	on_all_cpus(1, arm_it);
	plat_timer_cancel(bare_plat(), &s.timers[0]);
	handled = load(&s.handled);
	check(handled > 10 && load(&s.inside) == 0);
	plat_timer_arm(bare_plat(), &s.timers[0], now() + MS);
	while (load(&s.handled) == handled)
		sleep_ns(MS);
	check(load(&s.handled) == handled + 1);
	return 0;
}

static void slow_and_again(struct weir_timer *timer)
{
	unsigned int i;

	store(&s.inside, 1);
	plat_timer_arm(bare_plat(), timer, now());
	for (i = 0; i < 20; i++)
		plat_relax(bare_plat());
	plat_timer_arm(bare_plat(), timer, now()); /* also after it was disarmed meanwhile */
	store(&s.inside, 0);
	add(&s.handled, 1);
}

static int arm_slow(void *arg)
{
	(void)arg;
	plat_timer_arm(bare_plat(), &s.timers[0], 0);
	return 0;
}

/* From another CPU than the one on which it runs. */
static int cancel_excludes(void)
{
	struct bare_thread *other;
	unsigned int round;
	uint32_t handled;

	s.timers[0].fn = slow_and_again;
	for (round = 0; round < 100; round++) {
		handled = load(&s.handled);
		check(!bare_thread_start(1 + round % (CPUS - 1), arm_slow, NULL, &other));
		while (load(&s.handled) < handled + round % 3)
			plat_relax(bare_plat());
		bare_thread_join(other);
		plat_timer_cancel(bare_plat(), &s.timers[0]);
		check(load(&s.inside) == 0);
		handled = load(&s.handled);
		sleep_ns(MS / 5);
		check(load(&s.handled) == handled && load(&s.inside) == 0);
	}
	return 0;
}

static void always_due(struct weir_timer *timer)
{
	add(&s.handled, 1);
	if (load(&s.stop))
		return;
	plat_timer_arm(bare_plat(), timer, 0);
	plat_timer_arm(bare_plat(), &s.timers[timer == &s.timers[0]], 0);
}

static int timers_leave_time(void)
{
	s.timers[0].fn = always_due;
	s.timers[1].fn = always_due;
	plat_timer_arm(bare_plat(), &s.timers[0], 0);
	while (load(&s.handled) < 100)
		plat_relax(bare_plat());
	store(&s.stop, 1);
	plat_timer_cancel(bare_plat(), &s.timers[0]);
	plat_timer_cancel(bare_plat(), &s.timers[1]);
	return 0;
}

static void timer_waits_for_itself(struct weir_timer *timer)
{
	plat_timer_cancel(bare_plat(), timer);
}

static int timer_cancels_itself(void)
{
	s.timers[0].fn = timer_waits_for_itself;
	plat_timer_arm(bare_plat(), &s.timers[0], 0);
	sleep_ns(5000 * MS);
	return 0;
}

static void test_timers(void **state)
{
	(void)state;
	runs(timer_order);
	runs(timer_of_all_cpus);
	runs(cancel_excludes);
	runs(timers_leave_time);
	panics(timer_cancels_itself, "would wait for itself");
}

/* ---- Work ---- */

static void work_once(struct weir_work *work)
{
	check(work == &s.work && !fakemachine_irqs_off());
	check(add(&s.inside, 1) == 0);
	s.guarded++;	/* no atomic: alone */
	sleep_ns(1000); /* may sleep */
	check(add(&s.inside, -1u) == 1);
	add(&s.handled, 1);
	wake(&s.handled);
}

static int queue_work(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 300; i++) {
		if (plat_work_queue(bare_plat(), &s.work))
			add(&s.word, 1);
		if (i % 4 == 0)
			sleep_ns(500);
	}
	return 0;
}

static int work_is_alone(void)
{
	s.work.fn = work_once;
	on_all_cpus(1, queue_work);
	wait_until(&s.handled, load(&s.word));
	check(!plat_work_cancel(bare_plat(), &s.work));
	check(load(&s.handled) == load(&s.word) && s.guarded == s.word && s.word > 2);
	return 0;
}

static void work_again(struct weir_work *work)
{
	store(&s.inside, 1);
	check(plat_work_queue(bare_plat(), work));
	sleep_ns(1000);
	store(&s.inside, 0);
	add(&s.handled, 1);
	wake(&s.handled);
}

static int start_work(void *arg)
{
	(void)arg;
	check(plat_work_queue(bare_plat(), &s.work));
	return 0;
}

static int work_cancel(void)
{
	struct bare_thread *other;
	unsigned int round;
	uint32_t handled;

	s.work.fn = work_again;
	for (round = 0; round < 100; round++) {
		handled = load(&s.handled);
		check(!bare_thread_start(round % CPUS, start_work, NULL, &other));
		bare_thread_join(other);
		wait_until(&s.handled, handled + round % 3);
		check(plat_work_cancel(bare_plat(), &s.work));
		check(load(&s.inside) == 0);
		handled = load(&s.handled);
		sleep_ns(MS / 10);
		check(load(&s.handled) == handled);
	}
	check(!plat_work_cancel(bare_plat(), &s.work));
	return 0;
}

static void queue_from_timer(struct weir_timer *timer)
{
	(void)timer;
	plat_work_queue(bare_plat(), &s.work);
}

static void work_until(struct weir_work *work)
{
	add(&s.handled, 1);
	if (!load(&s.stop))
		plat_work_queue(bare_plat(), work);
}

/* On this very CPU, where it polls for what this thread does. */
static int work_leaves_time(void)
{
	s.work.fn = work_until;
	check(plat_work_queue(bare_plat(), &s.work));
	check(!plat_work_queue(bare_plat(), &s.work)); /* the worker has not had the CPU yet */
	s.timers[0].fn = queue_from_timer;
	plat_timer_arm(bare_plat(), &s.timers[0], 0);
	while (load(&s.handled) < 10)
		bare_yield();
	store(&s.stop, 1);
	plat_work_cancel(bare_plat(), &s.work);
	return 0;
}

static void cancel_itself(struct weir_work *work)
{
	plat_work_cancel(bare_plat(), work);
}

static int work_cancels_itself(void)
{
	s.work.fn = cancel_itself;
	plat_work_queue(bare_plat(), &s.work);
	sleep_ns(5000 * MS);
	return 0;
}

static void test_work(void **state)
{
	(void)state;
	runs(work_is_alone);
	runs(work_cancel);
	runs(work_leaves_time);
	panics(work_cancels_itself, "would wait for itself");
}

/* ---- Busy ---- */

static int busy(void)
{
	uint64_t before = bare_busy_ns(), start;

	sleep_ns(200 * MS);
	check(bare_busy_ns() - before < 100 * MS); /* of 800 */
	before = bare_busy_ns();
	start = now();
	while (now() - start < 50 * MS)
		plat_relax(bare_plat());
	check(bare_busy_ns() - before >= 50 * MS);
	return 0;
}

static void test_busy(void **state)
{
	(void)state;
	runs(busy);
}

/* ---- Console ---- */

static int print_lines(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 100; i++)
		bare_print("one line, in one piece\n");
	return 0;
}

static int lines(void)
{
	on_all_cpus(1, print_lines);
	return 0;
}

static int logs(void)
{
	char longest[256];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[255] = '\0';
	plat_log(bare_plat(), WEIR_LOG_ERR, "one");
	plat_log(bare_plat(), WEIR_LOG_WARN, "two");
	plat_log(bare_plat(), WEIR_LOG_INFO, "three");
	plat_log(bare_plat(), WEIR_LOG_DEBUG, longest);
	bare_exit(3);
}

static void test_lines(void **state)
{
	static const char line[] = "one line, in one piece\n";
	const char *text;
	unsigned int i;

	(void)state;
	runs(lines);
	text = fakemachine_console();
	for (i = 0; i < 100 * CPUS; i++, text += strlen(line))
		assert_memory_equal(text, line, strlen(line));
	assert_int_equal(fakemachine_run(1, logs), 3);
	text = fakemachine_console();
	assert_ptr_equal(strstr(text, "weir: error: one\nweir: warning: two\nweir: three\n"
				      "weir: debug: xxx"),
			 text);
	assert_string_equal(text + strlen(text) - 4, "xxx\n");
}

static int panic_now(void *arg)
{
	(void)arg;
	while (load(&s.word) < 2)
		plat_relax(bare_plat());
	bare_panic("number %d", 42);
}

/* Two CPUs at once. */
static int two_panics(void)
{
	struct bare_thread *other[2];

	check(!bare_thread_start(1, panic_now, NULL, &other[0]));
	check(!bare_thread_start(2, panic_now, NULL, &other[1]));
	store(&s.word, 2);
	return bare_thread_join(other[0]);
}

static int panics_beside_stuck_console(void)
{
	struct bare_thread *other;

	fakemachine_stuck_cpu = 1;
	check(!bare_thread_start(1, print_lines, NULL, &other));
	sleep_ns(20 * MS);
	store(&s.word, 2);
	return panic_now(NULL);
}

static int panics_in_panic(void)
{
	fakemachine_backtrace_panics = true;
	store(&s.word, 2);
	return panic_now(NULL);
}

static void test_panic(void **state)
{
	const char *text;

	(void)state;
	panics(two_panics, ": number 42\n  at 0x");
	text = strstr(fakemachine_console(), "number 42");
	assert_null(strstr(text + 1, "number 42"));
	assert_non_null(strstr(text, "(back trace)\n"));
	panics(panics_beside_stuck_console, "panic on CPU 0: number 42\n");
	panics(panics_in_panic, "panic on CPU 0: number 42\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads), cmocka_unit_test(test_bring_up_fails),
		cmocka_unit_test(test_wakes),	cmocka_unit_test(test_time_outs),
		cmocka_unit_test(test_mutexes), cmocka_unit_test(test_timers),
		cmocka_unit_test(test_work),	cmocka_unit_test(test_busy),
		cmocka_unit_test(test_lines),	cmocka_unit_test(test_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
