/* SPDX-License-Identifier: MIT */
/*
 * The seeded runner.
 *
 * Properties:
 * - The same seed gives the same digest, the same virtual time and the same results, however the
 *   host schedules and delays its threads; other seeds give other runs.
 * - A bug that only some interleavings show is found by some seed, and shown by it again.
 * - Time is virtual: an hour's sleep takes none, sleepers wake in order, polling with a time limit
 *   comes to its end.
 * - While a thread holds a spin lock no other thread runs on its CPU; it can be interrupted.
 * - A machine that can never go on says who waits for what, and aborts; a handler that wants the
 *   lock that it interrupted is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

#define CPUS 3u
#define IRQ 90u
#define SECOND (1000 * MS)

static struct posix_machine *create(uint64_t seed)
{
	struct posix_options options = {
		.runner = POSIX_SEEDED, .seed = seed, .cpus = CPUS, .ram_size = 4 << 20
	};
	struct posix_machine *machine;

	check(posix_create(&options, &machine) == 0);
	return machine;
}

static uint64_t real_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* ---- A program with a bit of everything ---- */

struct program {
	struct posix_machine *machine;
	struct echo echo;
	struct weir_spinlock lock;
	struct weir_mutex mutex;
	struct weir_work work;
	struct weir_timer timer;
	uint64_t shared, worked;
	uint32_t handled, ticks;
};

struct result {
	uint64_t digest, time, shared;
	uint32_t handled;
};

static void on_answer(void *arg)
{
	struct program *p = arg;

	plat_spin_lock(&p->lock);
	p->shared = p->shared * 7 + plat_cpu();
	plat_spin_unlock(&p->lock);
	__atomic_fetch_add(&p->handled, 1, __ATOMIC_ACQ_REL);
	plat_wake(p->machine, &p->handled);
}

static void on_work(struct weir_work *work)
{
	struct program *p = WEIR_CONTAINER_OF(work, struct program, work);

	plat_mutex_lock(p->machine, &p->mutex);
	p->worked++;
	plat_mutex_unlock(p->machine, &p->mutex);
}

static void on_tick(struct weir_timer *timer)
{
	struct program *p = WEIR_CONTAINER_OF(timer, struct program, timer);

	p->ticks++;
	plat_work_queue(p->machine, &p->work);
	if (p->ticks < 20)
		plat_timer_arm(p->machine, timer, plat_time_ns(p->machine) + 3000);
}

static int run_program(void *arg)
{
	struct program *p = arg;
	volatile uint8_t *regs = plat_mmio_map(p->machine, ECHO_BASE, ECHO_SIZE);
	uintptr_t flags;
	uint32_t seen;
	unsigned int i;

	for (i = 0; i < 60; i++) {
		flags = plat_irq_save();
		plat_spin_lock(&p->lock);
		p->shared = p->shared * 5 + plat_cpu();
		plat_spin_unlock(&p->lock);
		plat_irq_restore(flags);
		seen = __atomic_load_n(&p->handled, __ATOMIC_ACQUIRE);
		plat_mmio_write64(regs + ECHO_DOORBELL, 1);
		if (i % 3 == 0)
			plat_wait(p->machine, &p->handled, seen, 50000);
		plat_mutex_lock(p->machine, &p->mutex);
		if (i % 5 == 0)
			plat_work_queue(p->machine, &p->work);
		plat_mutex_unlock(p->machine, &p->mutex);
	}
	while (plat_mmio_read64(regs + ECHO_DONE) < 60)
		plat_relax(p->machine);
	return 0;
}

static int begin_program(void *arg)
{
	struct program *p = arg;

	plat_timer_arm(p->machine, &p->timer, plat_time_ns(p->machine) + 3000);
	return plat_irq_connect(p->machine, IRQ, WEIR_CPU_ANY, on_answer, p);
}

static int end_program(void *arg)
{
	struct program *p = arg;

	plat_irq_disconnect(p->machine, IRQ);
	while (p->ticks < 20)
		plat_relax(p->machine);
	plat_timer_cancel(p->machine, &p->timer);
	plat_work_cancel(p->machine, &p->work);
	return 0;
}

/* Tasks that start when the host gets round to it. */
static void run_tasks(struct program *p, bool delayed)
{
	const struct timespec pause = { 0, 2000000 };
	struct posix_task *tasks[CPUS + 1];
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(tasks); i++) {
		check(posix_spawn(p->machine, i % CPUS, run_program, p, &tasks[i]) == 0);
		if (delayed)
			nanosleep(&pause, NULL);
	}
	for (i = WEIR_ARRAY_SIZE(tasks); i--;)
		check(posix_join(tasks[i]) == 0);
}

static struct result run(uint64_t seed, bool delayed)
{
	struct program p = { .machine = create(seed),
			     .work = { .fn = on_work },
			     .timer = { .fn = on_tick } };
	struct result result;
	weir_phys_t ring;

	check(plat_pages_alloc(p.machine, 1, WEIR_ZONE_NORMAL, 0, &ring) == 0);
	echo_add(&p.echo, p.machine, IRQ, ring);
	check(posix_call(p.machine, 0, begin_program, &p) == 0);
	run_tasks(&p, delayed);
	check(posix_call(p.machine, 1, end_program, &p) == 0);
	result = (struct result){ posix_trace_digest(p.machine), plat_time_ns(p.machine), p.shared,
				  p.handled };
	check(p.echo.overlaps == 0);
	plat_pages_free(p.machine, ring, 1);
	posix_destroy(p.machine);
	return result;
}

static void test_a_seed_is_a_run(void **state)
{
	struct result first, again;
	uint64_t seed;

	(void)state;
	for (seed = 0; seed < 12; seed++) {
		first = run(seed, false);
		again = run(seed, seed % 2);
		assert_int_equal(first.digest, again.digest);
		assert_int_equal(first.time, again.time);
		assert_int_equal(first.shared, again.shared);
		assert_int_equal(first.handled, again.handled);
	}
}

static void test_seeds_differ(void **state)
{
	struct result results[16];
	unsigned int i, j, same = 0;

	(void)state;
	for (i = 0; i < WEIR_ARRAY_SIZE(results); i++) {
		results[i] = run(1000 + i, false);
		for (j = 0; j < i; j++)
			same += results[i].digest == results[j].digest ||
				results[i].shared == results[j].shared;
	}
	assert_int_equal(same, 0);
}

/* ---- Finding a bug ---- */

struct racy {
	struct posix_machine *machine;
	uint64_t count;
};

/* Looks, then acts: another CPU may come between. */
static int count_badly(void *arg)
{
	struct racy *r = arg;
	unsigned int i;
	uint64_t seen;

	for (i = 0; i < 3; i++) {
		seen = r->count;
		plat_relax(r->machine);
		r->count = seen + 1;
	}
	return 0;
}

static uint64_t count_with(uint64_t seed)
{
	struct racy r = { create(seed), 0 };
	struct posix_task *tasks[2];
	unsigned int i;

	for (i = 0; i < 2; i++)
		check(posix_spawn(r.machine, i, count_badly, &r, &tasks[i]) == 0);
	for (i = 0; i < 2; i++)
		check(posix_join(tasks[i]) == 0);
	posix_destroy(r.machine);
	return r.count;
}

static void test_a_race_is_found_and_repeats(void **state)
{
	unsigned int outcomes[7] = { 0 }, kinds = 0;
	uint64_t seed, count;

	(void)state;
	for (seed = 0; seed < 40; seed++) {
		count = count_with(seed);
		assert_true(count <= 6);
		outcomes[count]++;
		assert_int_equal(count_with(seed), count);
	}
	for (count = 0; count < WEIR_ARRAY_SIZE(outcomes); count++)
		kinds += outcomes[count] != 0;
	assert_true(kinds > 1);
	assert_int_equal(outcomes[0], 0);
}

/* ---- Time ---- */

struct sleeper {
	struct posix_machine *machine;
	uint32_t never, order;
};

static int sleep_long(void *arg)
{
	struct sleeper *s = arg;
	uint64_t start = plat_time_ns(s->machine);
	uint64_t length = (CPUS - plat_cpu()) * 3600 * SECOND;

	check(plat_wait(s->machine, &s->never, 0, length) == -WEIR_ETIMEDOUT);
	check(plat_time_ns(s->machine) - start >= length);
	check(plat_time_ns(s->machine) - start < length + SECOND);
	check(__atomic_fetch_add(&s->order, 1, __ATOMIC_RELAXED) == CPUS - 1 - plat_cpu());
	return 0;
}

static int poll_register(void *arg)
{
	struct sleeper *s = arg;
	volatile uint8_t *hole = plat_mmio_map(s->machine, 0x0b000000, 0x1000);
	uint64_t end = plat_time_ns(s->machine) + 30 * SECOND;

	while (plat_mmio_read32(hole) == UINT32_MAX && plat_time_ns(s->machine) < end)
		plat_relax(s->machine);
	return 0;
}

static void on_each_cpu(struct sleeper *s, int (*fn)(void *arg))
{
	struct posix_task *tasks[CPUS];
	unsigned int i;

	for (i = 0; i < CPUS; i++)
		check(posix_spawn(s->machine, i, fn, s, &tasks[i]) == 0);
	for (i = 0; i < CPUS; i++)
		check(posix_join(tasks[i]) == 0);
}

static void test_time_is_virtual(void **state)
{
	struct sleeper s = { create(3), 0, 0 };
	uint64_t start = real_ns();

	(void)state;
	on_each_cpu(&s, sleep_long);
	assert_int_equal(s.order, CPUS);
	on_each_cpu(&s, poll_register);
	assert_true(plat_time_ns(s.machine) > CPUS * 3600 * SECOND + 30 * SECOND);
	assert_true(real_ns() - start < 20 * SECOND);
	posix_destroy(s.machine);
}

/* ---- A CPU's context ---- */

struct holder {
	struct posix_machine *machine;
	struct weir_spinlock lock;
	bool held;
	uint32_t interrupted, ran, ran_while_held;
};

static void interrupt_holder(void *arg)
{
	struct holder *h = arg;

	h->interrupted += h->held;
}

static int hold(void *arg)
{
	struct holder *h = arg;
	unsigned int i;

	check(plat_irq_connect(h->machine, IRQ, plat_cpu(), interrupt_holder, h) == 0);
	plat_spin_lock(&h->lock);
	h->held = true;
	posix_irq_raise(h->machine, IRQ);
	for (i = 0; i < 200; i++)
		plat_relax(h->machine);
	h->held = false;
	plat_spin_unlock(&h->lock);
	plat_irq_disconnect(h->machine, IRQ);
	return 0;
}

static int run_beside(void *arg)
{
	struct holder *h = arg;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		h->ran++;
		h->ran_while_held += h->held;
		plat_relax(h->machine);
	}
	return 0;
}

static struct holder hold_with(uint64_t seed, unsigned int other_cpu)
{
	struct holder h = { .machine = create(seed) };
	struct posix_task *tasks[2];

	check(posix_spawn(h.machine, 1, hold, &h, &tasks[0]) == 0);
	check(posix_spawn(h.machine, other_cpu, run_beside, &h, &tasks[1]) == 0);
	check(posix_join(tasks[0]) == 0);
	check(posix_join(tasks[1]) == 0);
	posix_destroy(h.machine);
	return h;
}

static void test_a_spin_lock_keeps_the_cpu(void **state)
{
	uint32_t beside = 0;
	struct holder h;
	uint64_t seed;

	(void)state;
	for (seed = 0; seed < 10; seed++) {
		h = hold_with(seed, 1);
		assert_int_equal(h.ran, 200);
		assert_int_equal(h.ran_while_held, 0);
		assert_int_equal(h.interrupted, 1);
		beside += hold_with(seed, 2).ran_while_held;
	}
	assert_true(beside > 0);
}

/* ---- Stuck ---- */

static int wait_for_nothing(void *arg)
{
	static const uint32_t never;

	return plat_wait(arg, &never, 0, UINT64_MAX);
}

static void wait_for_ever(void)
{
	struct posix_machine *machine = create(1);

	posix_call(machine, 1, wait_for_nothing, machine);
}

struct crossed {
	struct posix_machine *machine;
	struct weir_mutex a, b;
	uint32_t met;
};

static int take_crosswise(void *arg)
{
	struct crossed *c = arg;
	bool first = plat_cpu() == 0;

	plat_mutex_lock(c->machine, first ? &c->a : &c->b);
	__atomic_fetch_add(&c->met, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&c->met, __ATOMIC_RELAXED) < 2)
		plat_relax(c->machine);
	plat_mutex_lock(c->machine, first ? &c->b : &c->a);
	return 0;
}

static void cross_mutexes(void)
{
	struct crossed c = { .machine = create(1) };
	struct posix_task *tasks[2];

	posix_spawn(c.machine, 0, take_crosswise, &c, &tasks[0]);
	posix_spawn(c.machine, 1, take_crosswise, &c, &tasks[1]);
	posix_join(tasks[0]);
}

static void take_lock_in_handler(void *arg)
{
	struct holder *h = arg;

	plat_spin_lock(&h->lock);
	plat_spin_unlock(&h->lock);
}

static int be_interrupted_with_lock(void *arg)
{
	struct holder *h = arg;

	plat_irq_connect(h->machine, IRQ, plat_cpu(), take_lock_in_handler, h);
	plat_spin_lock(&h->lock);
	posix_irq_raise(h->machine, IRQ);
	while (h->machine)
		plat_relax(h->machine);
	return 0;
}

static void interrupt_lock_holder(void)
{
	struct holder h = { .machine = create(1) };

	posix_call(h.machine, 0, be_interrupted_with_lock, &h);
}

static void test_stuck_machines_are_reported(void **state)
{
	(void)state;
	assert_true(dies_saying(wait_for_ever, "CPU 1 waits in plat_wait"));
	assert_true(dies_saying(cross_mutexes, "waits in a mutex"));
	assert_true(dies_saying(interrupt_lock_holder, "or by a handler above it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stuck_machines_are_reported), /* first: it forks */
		cmocka_unit_test(test_a_seed_is_a_run),
		cmocka_unit_test(test_seeds_differ),
		cmocka_unit_test(test_a_race_is_found_and_repeats),
		cmocka_unit_test(test_time_is_virtual),
		cmocka_unit_test(test_a_spin_lock_keeps_the_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
