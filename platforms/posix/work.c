/* SPDX-License-Identifier: MIT */
/*
 * Work items: each CPU has a queue and a task that works it off, one item after another. An item is
 * queued on the CPU that asks, or where it runs already, so that it never runs twice at a time. The
 * queues of a machine share one lock. A worker does not touch an item once it called its function.
 */
#include "internal.h"

/* struct weir_work.opaque */
enum { NEXT, QUEUED, CPU };

static struct weir_work *next_of(const struct weir_work *work)
{
	return (struct weir_work *)work->opaque[NEXT];
}

static struct posix_cpu *running_on_locked(struct posix_machine *machine,
					   const struct weir_work *work)
{
	unsigned int i;

	for (i = 0; i < machine->nr_cpus; i++)
		if (machine->cpus[i].work_running == work)
			return &machine->cpus[i];
	return NULL;
}

static void append_locked(struct posix_cpu *cpu, struct weir_work *work)
{
	work->opaque[NEXT] = 0;
	work->opaque[QUEUED] = true;
	work->opaque[CPU] = cpu->index;
	if (cpu->works_last)
		cpu->works_last->opaque[NEXT] = (uintptr_t)work;
	else
		cpu->works_first = work;
	cpu->works_last = work;
	__atomic_fetch_add(&cpu->works_seq, 1, __ATOMIC_RELEASE);
}

bool plat_work_queue(void *plat, struct weir_work *work)
{
	struct posix_machine *machine = plat;
	struct posix_cpu *cpu = NULL;

	posix_lock(&machine->works.lock);
	if (!work->opaque[QUEUED]) {
		cpu = running_on_locked(machine, work);
		if (!cpu)
			cpu = &machine->cpus[posix_cpu_index()];
		append_locked(cpu, work);
	}
	posix_unlock(&machine->works.lock);
	if (cpu)
		machine->ops->wake(machine, &cpu->works_seq, UINT32_MAX);
	posix_point();
	return cpu;
}

static bool remove_locked(struct posix_machine *machine, struct weir_work *work)
{
	struct posix_cpu *cpu = &machine->cpus[work->opaque[CPU]];
	struct weir_work *prev = NULL, *at;

	if (!work->opaque[QUEUED])
		return false;
	for (at = cpu->works_first; at != work; at = next_of(at))
		prev = at;
	if (prev)
		prev->opaque[NEXT] = work->opaque[NEXT];
	else
		cpu->works_first = next_of(work);
	if (cpu->works_last == work)
		cpu->works_last = prev;
	work->opaque[QUEUED] = false;
	return true;
}

bool plat_work_cancel(void *plat, struct weir_work *work)
{
	struct posix_machine *machine = plat;
	struct posix_cpu *running;
	bool queued = false;
	uint32_t seq;

	posix_may_sleep("plat_work_cancel");
	posix_point();
	for (;;) {
		posix_lock(&machine->works.lock);
		/* Again in each round: fn may have queued it while it ran. */
		queued |= remove_locked(machine, work);
		running = running_on_locked(machine, work);
		seq = __atomic_load_n(&machine->works.seq, __ATOMIC_RELAXED);
		posix_unlock(&machine->works.lock);
		if (!running)
			return queued;
		if (posix_self == &running->worker->thread)
			posix_fatal("a work item cancels itself, and would wait for ever");
		machine->ops->wait(machine, &machine->works.seq, seq, UINT64_MAX,
				   "plat_work_cancel");
	}
}

/* The first item, now running; or NULL, and the value of works_seq to sleep on. */
static struct weir_work *take(struct posix_cpu *cpu, uint32_t *seq, bool *stop)
{
	struct posix_works *works = &cpu->machine->works;
	struct weir_work *work;

	posix_lock(&works->lock);
	*seq = __atomic_load_n(&cpu->works_seq, __ATOMIC_RELAXED);
	*stop = works->stop;
	work = cpu->works_first;
	if (work)
		remove_locked(cpu->machine, work);
	cpu->work_running = work;
	posix_unlock(&works->lock);
	return work;
}

static void finish(struct posix_cpu *cpu)
{
	struct posix_works *works = &cpu->machine->works;

	posix_lock(&works->lock);
	cpu->work_running = NULL;
	__atomic_fetch_add(&works->seq, 1, __ATOMIC_RELEASE);
	posix_unlock(&works->lock);
	cpu->machine->ops->wake(cpu->machine, &works->seq, UINT32_MAX);
}

static int worker(void *arg)
{
	struct posix_cpu *cpu = arg;
	struct posix_machine *machine = cpu->machine;
	struct weir_work *work;
	uint32_t seq;
	bool stop;

	for (;;) {
		work = take(cpu, &seq, &stop);
		if (work) {
			work->fn(work);
			finish(cpu);
		} else if (stop) {
			return 0;
		} else {
			machine->ops->wait(machine, &cpu->works_seq, seq, UINT64_MAX, "work");
		}
	}
}

int posix_works_start(struct posix_machine *machine)
{
	unsigned int i;
	int err;

	for (i = 0; i < machine->nr_cpus; i++) {
		err = posix_spawn(machine, i, worker, &machine->cpus[i], &machine->cpus[i].worker);
		if (err)
			return err;
	}
	return 0;
}

void posix_works_stop(struct posix_machine *machine)
{
	struct posix_cpu *cpu;
	unsigned int i;

	if (!machine->cpus)
		return;
	posix_lock(&machine->works.lock);
	machine->works.stop = true;
	posix_unlock(&machine->works.lock);
	for (i = 0; i < machine->nr_cpus; i++) {
		cpu = &machine->cpus[i];
		if (!cpu->worker)
			continue;
		__atomic_fetch_add(&cpu->works_seq, 1, __ATOMIC_RELEASE);
		machine->ops->wake(machine, &cpu->works_seq, UINT32_MAX);
		posix_join(cpu->worker);
		cpu->worker = NULL;
	}
}
