/* SPDX-License-Identifier: MIT */
/*
 * Timers of a machine: one list in order of deadlines. Most deadlines lie behind all others when
 * they are armed, so insertion looks from the end. A timer is in the list from plat_timer_arm()
 * until it is cancelled or called; a CPU that calls it says so in timer_running, and does not touch
 * it after its function has returned.
 */
#include "internal.h"

/* struct weir_timer.opaque */
enum { NEXT, PREV, DEADLINE, ARMED };

static struct weir_timer *link_of(const struct weir_timer *timer, unsigned int which)
{
	return (struct weir_timer *)timer->opaque[which];
}

static void link_set(struct weir_timer *timer, unsigned int which, struct weir_timer *to)
{
	timer->opaque[which] = (uintptr_t)to;
}

static void insert_locked(struct posix_timers *timers, struct weir_timer *timer)
{
	struct weir_timer *before = timers->last;
	struct weir_timer *after;

	while (before && before->opaque[DEADLINE] > timer->opaque[DEADLINE])
		before = link_of(before, PREV);
	after = before ? link_of(before, NEXT) : timers->first;
	link_set(timer, PREV, before);
	link_set(timer, NEXT, after);
	if (before)
		link_set(before, NEXT, timer);
	else
		timers->first = timer;
	if (after)
		link_set(after, PREV, timer);
	else
		timers->last = timer;
	timer->opaque[ARMED] = true;
}

static bool remove_locked(struct posix_timers *timers, struct weir_timer *timer)
{
	struct weir_timer *next = link_of(timer, NEXT);
	struct weir_timer *prev = link_of(timer, PREV);

	if (!timer->opaque[ARMED])
		return false;
	if (prev)
		link_set(prev, NEXT, next);
	else
		timers->first = next;
	if (next)
		link_set(next, PREV, prev);
	else
		timers->last = prev;
	timer->opaque[ARMED] = false;
	return true;
}

void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns)
{
	struct posix_machine *machine = plat;
	struct posix_timers *timers = &machine->timers;

	posix_lock(&timers->lock);
	remove_locked(timers, timer);
	timer->opaque[DEADLINE] = deadline_ns;
	insert_locked(timers, timer);
	if (timers->first == timer)
		machine->ops->timer_program(machine, deadline_ns);
	posix_unlock(&timers->lock);
}

static bool running_locked(struct posix_machine *machine, const struct weir_timer *timer)
{
	unsigned int i;

	for (i = 0; i < machine->nr_cpus; i++)
		if (machine->cpus[i].timer_running == timer)
			return true;
	return false;
}

bool plat_timer_cancel(void *plat, struct weir_timer *timer)
{
	struct posix_machine *machine = plat;
	struct posix_timers *timers = &machine->timers;
	bool armed = false;
	bool running;
	uint32_t seq;

	posix_may_sleep("plat_timer_cancel");
	posix_point();
	for (;;) {
		posix_lock(&timers->lock);
		/* Again in each round: fn may have armed it while it ran. */
		armed |= remove_locked(timers, timer);
		running = running_locked(machine, timer);
		seq = __atomic_load_n(&timers->seq, __ATOMIC_RELAXED);
		posix_unlock(&timers->lock);
		if (!running)
			return armed;
		machine->ops->wait(machine, &timers->seq, seq, UINT64_MAX, "plat_timer_cancel");
	}
}

/* timers.seq changes under the lock, so who saw the timer run sleeps on an older value. */
static void finish(struct posix_thread *self)
{
	struct posix_timers *timers = &self->machine->timers;

	posix_lock(&timers->lock);
	self->cpu->timer_running = NULL;
	__atomic_fetch_add(&timers->seq, 1, __ATOMIC_RELEASE);
	posix_unlock(&timers->lock);
	self->machine->ops->wake(self->machine, &timers->seq, UINT32_MAX);
}

bool posix_timers_run_one(struct posix_thread *self)
{
	struct posix_machine *machine = self->machine;
	struct posix_timers *timers = &machine->timers;
	uint64_t now = machine->ops->now(machine);
	struct weir_timer *timer;

	posix_lock(&timers->lock);
	timer = timers->first;
	if (!timer || timer->opaque[DEADLINE] > now) {
		if (timer)
			machine->ops->timer_program(machine, timer->opaque[DEADLINE]);
		posix_unlock(&timers->lock);
		return false;
	}
	remove_locked(timers, timer);
	self->cpu->timer_running = timer;
	posix_unlock(&timers->lock);
	posix_irq_enter(self);
	timer->fn(timer);
	posix_irq_exit(self);
	finish(self);
	return true;
}

uint64_t posix_timers_next(struct posix_machine *machine)
{
	struct posix_timers *timers = &machine->timers;
	uint64_t deadline;

	posix_lock(&timers->lock);
	deadline = timers->first ? timers->first->opaque[DEADLINE] : UINT64_MAX;
	posix_unlock(&timers->lock);
	return deadline;
}
