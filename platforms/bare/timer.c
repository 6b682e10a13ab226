/* SPDX-License-Identifier: MIT */
/*
 * Timers. Each CPU has those that were armed on it, in order of their deadlines; its hardware timer
 * is set for the first of them, or for an earlier time, whose interrupt then finds nothing to do.
 * Most deadlines lie behind all others when they are armed, so the place is looked for from the
 * end.
 *
 * A timer's home is the CPU whose lock protects it: where it was armed last, CPU 0 for one that
 * never was. Who arms it moves it home to the CPU that it runs on; but a timer whose function is
 * running stays where that is, and so never runs twice at a time, and one look tells
 * plat_timer_cancel() all. That CPU is in its timer interrupt then, and looks at its timers once
 * more before it leaves.
 *
 * A CPU does not touch a timer whose function it has called.
 *
 * Locking: one lock for each CPU's timers, never two at a time, taken with interrupts off. HOME
 * changes under the lock of the home that is left, and is atomic, for it is read to know which lock
 * to take: release and acquire, so that who takes the new one sees what was done under the old.
 */
#include "internal.h"

/* struct weir_timer.opaque, behind the links. */
enum { DEADLINE = BARE_NODE_WORDS, ARMED, HOME };

static struct timers {
	struct weir_spinlock lock;
	struct bare_queue queue;
	struct weir_timer *running; /* written under lock; atomic */
	uint64_t begun;		    /* while one runs: when this interrupt began */
} __attribute__((aligned(64))) timers[BARE_MAX_CPUS];

static uint64_t deadline_of(const uintptr_t *node)
{
	return node ? node[DEADLINE] : UINT64_MAX;
}

/* Interrupts are off, from here to the unlock. */
static struct timers *lock_home(const struct weir_timer *timer)
{
	struct timers *home;

	for (;;) {
		home = &timers[__atomic_load_n(&timer->opaque[HOME], __ATOMIC_ACQUIRE)];
		plat_spin_lock(&home->lock);
		if (home == &timers[__atomic_load_n(&timer->opaque[HOME], __ATOMIC_ACQUIRE)])
			return home;
		plat_spin_unlock(&home->lock);
	}
}

static bool disarm_locked(struct timers *home, struct weir_timer *timer)
{
	if (!timer->opaque[ARMED])
		return false;
	bare_queue_remove(&home->queue, timer->opaque);
	timer->opaque[ARMED] = false;
	return true;
}

/* Disarmed, and where it is to be armed. */
static struct timers *lock_for_arming(struct weir_timer *timer)
{
	unsigned int cpu = plat_cpu();
	struct timers *home;

	for (;;) {
		home = lock_home(timer);
		disarm_locked(home, timer);
		if (home == &timers[cpu] || home->running == timer)
			return home;
		__atomic_store_n(&timer->opaque[HOME], cpu, __ATOMIC_RELEASE);
		plat_spin_unlock(&home->lock);
	}
}

static void insert_locked(struct timers *home, struct weir_timer *timer)
{
	uintptr_t *before = home->queue.last;

	while (before && before[DEADLINE] > timer->opaque[DEADLINE])
		before = bare_queue_prev(before);
	bare_queue_insert(&home->queue, before, timer->opaque);
	timer->opaque[ARMED] = true;
}

void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	uintptr_t flags = plat_irq_save();
	struct timers *home = lock_for_arming(timer);

	(void)plat;
	/* For the next interrupt, however long ago: or functions that arm timers keep the CPU. */
	if (home->running && deadline_ns <= home->begun)
		deadline_ns = home->begun + 1;
	timer->opaque[DEADLINE] = deadline_ns;
	insert_locked(home, timer);
	if (home == &timers[plat_cpu()] && home->queue.first == timer->opaque)
		bare_machine_set_timer(deadline_ns);
	plat_spin_unlock(&home->lock);
	plat_irq_restore(flags);
}

/* Whether it had been armed; *running_at: whose CPU is in its function, or NULL. */
static bool disarm(struct weir_timer *timer, struct timers **running_at)
{
	uintptr_t flags = plat_irq_save();
	struct timers *home = lock_home(timer);
	bool armed = disarm_locked(home, timer);

	*running_at = home->running == timer ? home : NULL;
	plat_spin_unlock(&home->lock);
	plat_irq_restore(flags);
	return armed;
}

bool plat_timer_cancel(void *plat, struct weir_timer *timer)
{
	struct timers *home;
	bool armed = false;

	for (;;) {
		/* Again in each round: the function may have armed it. */
		armed |= disarm(timer, &home);
		if (!home)
			return armed;
		if (home == &timers[plat_cpu()])
			bare_panic("plat_timer_cancel(%p): a timer would wait for itself",
				   (void *)timer);
		/* Another CPU's interrupt, soon over. Acquire: pairs with set_running(). */
		while (__atomic_load_n(&home->running, __ATOMIC_ACQUIRE) == timer)
			plat_relax(plat);
	}
}

static void set_running(struct timers *mine, struct weir_timer *timer)
{
	__atomic_store_n(&mine->running, timer, __ATOMIC_RELEASE);
}

static void run_first_locked(struct timers *mine)
{
	struct weir_timer *timer = WEIR_CONTAINER_OF(mine->queue.first, struct weir_timer, opaque);

	disarm_locked(mine, timer);
	set_running(mine, timer);
	plat_spin_unlock(&mine->lock);
	timer->fn(timer);
	plat_spin_lock(&mine->lock);
	set_running(mine, NULL);
}

void bare_timer_interrupt(void)
{
	struct timers *mine = &timers[plat_cpu()];

	plat_spin_lock(&mine->lock);
	mine->begun = plat_time_ns(bare_plat());
	while (mine->queue.first && deadline_of(mine->queue.first) <= mine->begun)
		run_first_locked(mine);
	bare_machine_set_timer(deadline_of(mine->queue.first));
	plat_spin_unlock(&mine->lock);
}
