/* SPDX-License-Identifier: MIT */
/*
 * Threads that are CPUs: tasks, attached threads of the host, and the processor time that they
 * took. A task is a thread of its own, so that a CPU whose task sleeps can run another.
 */
#include <stdlib.h>

#include "internal.h"

_Thread_local struct posix_thread *posix_self __attribute__((tls_model("initial-exec")));

uint64_t posix_clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		return 0; /* the thread of this clock has ended */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

unsigned int posix_cpu_index(void)
{
	return posix_self && posix_self->cpu ? posix_self->cpu->index : 0;
}

static void account_begin(struct posix_thread *thread)
{
	struct posix_machine *machine = thread->machine;

	pthread_getcpuclockid(pthread_self(), &thread->clock);
	thread->clock_start = posix_clock_ns(thread->clock);
	posix_lock(&machine->threads_lock);
	thread->prev = NULL;
	thread->next = machine->threads;
	if (thread->next)
		thread->next->prev = thread;
	machine->threads = thread;
	posix_unlock(&machine->threads_lock);
}

static void account_end(struct posix_thread *thread)
{
	struct posix_machine *machine = thread->machine;

	posix_lock(&machine->threads_lock);
	if (thread->prev)
		thread->prev->next = thread->next;
	else
		machine->threads = thread->next;
	if (thread->next)
		thread->next->prev = thread->prev;
	machine->ended_cpu_ns += posix_clock_ns(thread->clock) - thread->clock_start;
	machine->ended_model_ns += thread->model_ns;
	posix_unlock(&machine->threads_lock);
}

void posix_times(struct posix_machine *machine, uint64_t *cpu_ns, uint64_t *model_ns)
{
	struct posix_thread *thread;
	uint64_t all, model;

	posix_lock(&machine->threads_lock);
	all = machine->ended_cpu_ns;
	model = machine->ended_model_ns;
	for (thread = machine->threads; thread; thread = thread->next) {
		all += posix_clock_ns(thread->clock) - thread->clock_start;
		model += __atomic_load_n(&thread->model_ns, __ATOMIC_RELAXED);
	}
	posix_unlock(&machine->threads_lock);
	*cpu_ns = all > model ? all - model : 0;
	*model_ns = model + machine->ops->model_ns(machine);
}

void posix_thread_begin(struct posix_thread *self)
{
	posix_self = self;
	account_begin(self);
	self->machine->ops->thread_begin(self);
}

void posix_thread_end(struct posix_thread *self)
{
	account_end(self);
	self->machine->ops->thread_end(self);
	posix_self = NULL;
}

static void *task_main(void *arg)
{
	struct posix_task *task = arg;

	posix_thread_begin(&task->thread);
	task->result = task->fn(task->arg);
	/* Release: pairs with the acquire in posix_join(). */
	__atomic_store_n(&task->done, 1, __ATOMIC_RELEASE);
	task->thread.machine->ops->wake(task->thread.machine, &task->done, UINT32_MAX);
	posix_thread_end(&task->thread);
	return NULL;
}

int posix_spawn(struct posix_machine *machine, unsigned int cpu, int (*fn)(void *arg), void *arg,
		struct posix_task **task)
{
	struct posix_task *t;
	int err;

	if (cpu >= machine->nr_cpus)
		return -WEIR_EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -WEIR_ENOMEM;
	t->thread.machine = machine;
	t->thread.cpu = &machine->cpus[cpu];
	t->fn = fn;
	t->arg = arg;
	err = machine->ops->thread_announce(&t->thread);
	if (err)
		goto free_task;
	err = -pthread_create(&t->pthread, NULL, task_main, t);
	if (err)
		goto withdraw;
	*task = t;
	return 0;

withdraw:
	machine->ops->thread_withdraw(&t->thread);
free_task:
	free(t);
	return err;
}

int posix_join(struct posix_task *task)
{
	struct posix_machine *machine = task->thread.machine;
	struct posix_thread host = { .machine = machine };
	bool is_host = !posix_self;
	int result;

	posix_may_sleep("posix_join");
	if (is_host) {
		posix_self = &host;
		machine->ops->host_enter(&host);
	}
	/* Acquire: pairs with the release in task_main(). */
	while (!__atomic_load_n(&task->done, __ATOMIC_ACQUIRE))
		machine->ops->wait(machine, &task->done, 0, UINT64_MAX, "posix_join");
	if (is_host) {
		machine->ops->host_leave(&host);
		posix_self = NULL;
	}
	pthread_join(task->pthread, NULL);
	result = task->result;
	free(task);
	return result;
}

void posix_attach(struct posix_machine *machine, unsigned int cpu)
{
	struct posix_thread *self = calloc(1, sizeof(*self));

	if (!self || cpu >= machine->nr_cpus || posix_self)
		posix_fatal("posix_attach: %s", !self	   ? "out of memory" :
						posix_self ? "this thread is a CPU already" :
							     "no such CPU");
	self->machine = machine;
	self->cpu = &machine->cpus[cpu];
	posix_self = self;
	account_begin(self);
	machine->ops->host_enter(self);
}

void posix_detach(void)
{
	struct posix_thread *self = posix_self;

	posix_may_sleep("posix_detach");
	account_end(self);
	self->machine->ops->host_leave(self);
	posix_self = NULL;
	free(self);
}

int posix_call(struct posix_machine *machine, unsigned int cpu, int (*fn)(void *arg), void *arg)
{
	int result;

	posix_attach(machine, cpu);
	result = fn(arg);
	posix_detach();
	return result;
}
