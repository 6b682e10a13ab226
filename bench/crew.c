/* SPDX-License-Identifier: MIT */

/* The threads of the benchmark: -> crew.h. The barriers order all but `ready`. */

#include <sched.h>

#include "clock.h"
#include "crew.h"

#define SPINS 10000u

/* Whoever was woken first waits awake, so that all begin within some ns. */
static void meet(struct crew *crew)
{
	__atomic_add_fetch(&crew->ready, 1, __ATOMIC_RELAXED);
	for (unsigned int spins = 1; __atomic_load_n(&crew->ready, __ATOMIC_RELAXED) < crew->count;
	     spins++) {
		if (spins % SPINS == 0)
			sched_yield();
	}
}

static void do_task(struct crew *crew, struct crew_task *task)
{
	meet(crew);
	task->begin = now();
	task->run(task->arg);
	task->end = now();
}

static void *work(void *arg)
{
	const struct crew_member *member = arg;
	struct crew *crew = member->crew;

	for (;;) {
		pthread_barrier_wait(&crew->begin);
		if (!crew->tasks)
			return NULL;
		if (member->index < crew->count)
			do_task(crew, &crew->tasks[member->index]);
		pthread_barrier_wait(&crew->end);
	}
}

uint64_t crew_run(struct crew *crew, struct crew_task *tasks, unsigned int count)
{
	uint64_t begin = UINT64_MAX, end = 0;

	crew->tasks = tasks;
	crew->count = count;
	crew->ready = 0;
	pthread_barrier_wait(&crew->begin);
	pthread_barrier_wait(&crew->end);
	for (unsigned int i = 0; i < count; i++) {
		begin = tasks[i].begin < begin ? tasks[i].begin : begin;
		end = tasks[i].end > end ? tasks[i].end : end;
	}
	return end - begin;
}

bool crew_start(struct crew *crew, unsigned int size)
{
	crew->size = size;
	pthread_barrier_init(&crew->begin, NULL, size + 1);
	pthread_barrier_init(&crew->end, NULL, size + 1);
	for (unsigned int i = 0; i < size; i++) {
		struct crew_member *member = &crew->members[i];

		*member = (struct crew_member){ .crew = crew, .index = i };
		/* Threads that did start wait for ever: the program ends. */
		if (pthread_create(&member->thread, NULL, work, member))
			return false;
	}
	return true;
}

void crew_stop(struct crew *crew)
{
	crew->tasks = NULL;
	pthread_barrier_wait(&crew->begin);
	for (unsigned int i = 0; i < crew->size; i++)
		pthread_join(crew->members[i].thread, NULL);
	pthread_barrier_destroy(&crew->begin);
	pthread_barrier_destroy(&crew->end);
}
