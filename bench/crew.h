/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

/*
 * Threads that live as long as the benchmark, so that what a model keeps for a thread stays. One
 * thread tells them what to do; of what they did it reads when crew_run() returned.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CREW_MAX 4u

struct crew_task {
	void (*run)(void *arg);
	void *arg;
	uint64_t begin, end; /* ns: when it ran */
};

struct crew;

struct crew_member {
	struct crew *crew;
	unsigned int index;
	pthread_t thread;
};

struct crew {
	struct crew_member members[CREW_MAX];
	unsigned int size;	      /* of them there are */
	pthread_barrier_t begin, end; /* of everyone, sleeping; between them `tasks` stand */
	struct crew_task *tasks;      /* NULL: go home */
	unsigned int count;
	unsigned int ready; /* who waits, awake, for the others of a run; atomic */
};

/* `size` threads, CREW_MAX at most. */
bool crew_start(struct crew *crew, unsigned int size);
void crew_stop(struct crew *crew);
/* The first `count` threads do one task each, at once. Returns the ns from first to last. */
uint64_t crew_run(struct crew *crew, struct crew_task *tasks, unsigned int count);

#endif
