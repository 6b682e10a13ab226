/* SPDX-License-Identifier: MIT */
/*
 * Work. Each CPU has a worker: a queue, and a thread that works it off, one item after another.
 *
 * An item's home is the worker whose lock protects it: where it was queued last, CPU 0's for one
 * that never was. It moves home to the CPU that queues it, but not while it is queued or runs: so
 * it never runs twice at a time. A worker does not touch an item whose function it has called.
 *
 * `events` counts, under the lock, what a worker (an item came) and who cancels (an item is done)
 * sleep on.
 *
 * Locking: one lock for each worker, never two at a time, taken with interrupts off. HOME changes
 * under the lock of the home that is left, and is atomic, for it is read to know which lock to
 * take: release and acquire, so that who takes the new one sees what was done under the old.
 */
#include "internal.h"

/* struct weir_work.opaque, behind the links. */
enum { QUEUED = BARE_NODE_WORDS, HOME };

static struct worker {
	struct weir_spinlock lock;
	struct bare_queue queue;
	struct weir_work *running;
	uint32_t events;	    /* written under lock; atomic */
	struct bare_thread *thread; /* constant once it runs */
} __attribute__((aligned(64))) workers[BARE_MAX_CPUS];

/* Interrupts are off, from here to the unlock. */
static struct worker *lock_home(const struct weir_work *work)
{
	struct worker *home;

	for (;;) {
		home = &workers[__atomic_load_n(&work->opaque[HOME], __ATOMIC_ACQUIRE)];
		plat_spin_lock(&home->lock);
		if (home == &workers[__atomic_load_n(&work->opaque[HOME], __ATOMIC_ACQUIRE)])
			return home;
		plat_spin_unlock(&home->lock);
	}
}

/* Where it is queued, or is to be. */
static struct worker *lock_for_queueing(struct weir_work *work)
{
	unsigned int cpu = plat_cpu();
	struct worker *home;

	for (;;) {
		home = lock_home(work);
		if (home == &workers[cpu] || work->opaque[QUEUED] || home->running == work)
			return home;
		__atomic_store_n(&work->opaque[HOME], cpu, __ATOMIC_RELEASE);
		plat_spin_unlock(&home->lock);
	}
}

/* Release: pairs with the acquire in plat_wait(). */
static void count_event_locked(struct worker *worker)
{
	__atomic_fetch_add(&worker->events, 1, __ATOMIC_RELEASE);
}

bool plat_work_queue(void *plat, struct weir_work *work)
{
	uintptr_t flags = plat_irq_save();
	struct worker *home = lock_for_queueing(work);
	bool queued = work->opaque[QUEUED];

	if (!queued) {
		bare_queue_insert(&home->queue, home->queue.last, work->opaque);
		work->opaque[QUEUED] = true;
		count_event_locked(home);
	}
	plat_spin_unlock(&home->lock);
	plat_irq_restore(flags);
	if (!queued)
		plat_wake(plat, &home->events);
	return !queued;
}

static bool unqueue_locked(struct worker *home, struct weir_work *work)
{
	if (!work->opaque[QUEUED])
		return false;
	bare_queue_remove(&home->queue, work->opaque);
	work->opaque[QUEUED] = false;
	return true;
}

/* Whether it had been queued; *running_at: who is in its function, or NULL; *events: as of then. */
static bool unqueue(struct weir_work *work, struct worker **running_at, uint32_t *events)
{
	uintptr_t flags = plat_irq_save();
	struct worker *home = lock_home(work);
	bool queued = unqueue_locked(home, work);

	*running_at = home->running == work ? home : NULL;
	*events = __atomic_load_n(&home->events, __ATOMIC_RELAXED);
	plat_spin_unlock(&home->lock);
	plat_irq_restore(flags);
	return queued;
}

bool plat_work_cancel(void *plat, struct weir_work *work)
{
	struct worker *home;
	bool queued = false;
	uint32_t events;

	for (;;) {
		/* Again in each round: the function may have queued it. */
		queued |= unqueue(work, &home, &events);
		if (!home)
			return queued;
		if (home->thread == bare_thread_self())
			bare_panic("plat_work_cancel(%p): a work item would wait for itself",
				   (void *)work);
		plat_wait(plat, &home->events, events, UINT64_MAX);
	}
}

/* The first item, which counts as running from now on; or NULL, and what to sleep on. */
static struct weir_work *take(struct worker *me, uint32_t *events)
{
	uintptr_t flags = plat_irq_save();
	struct weir_work *work = NULL;

	plat_spin_lock(&me->lock);
	*events = __atomic_load_n(&me->events, __ATOMIC_RELAXED);
	if (me->queue.first) {
		work = WEIR_CONTAINER_OF(me->queue.first, struct weir_work, opaque);
		unqueue_locked(me, work);
		me->running = work;
	}
	plat_spin_unlock(&me->lock);
	plat_irq_restore(flags);
	return work;
}

static void finish(struct worker *me)
{
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&me->lock);
	me->running = NULL;
	count_event_locked(me);
	plat_spin_unlock(&me->lock);
	plat_irq_restore(flags);
	plat_wake(bare_plat(), &me->events);
}

static _Noreturn int work_off(void *arg)
{
	struct worker *me = arg;
	struct weir_work *work;
	uint32_t events;

	for (;;) {
		work = take(me, &events);
		if (work) {
			work->fn(work);
			finish(me);
			/* Items that queue themselves leave time for what they wait for. */
			bare_yield();
		} else {
			plat_wait(bare_plat(), &me->events, events, UINT64_MAX);
		}
	}
}

int bare_works_start(void)
{
	unsigned int cpu;
	int err;

	for (cpu = 0; cpu < bare_cpus(); cpu++) {
		err = bare_thread_start(cpu, work_off, &workers[cpu], &workers[cpu].thread);
		if (err)
			return err;
	}
	return 0;
}
