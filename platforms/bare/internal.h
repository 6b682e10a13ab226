/* SPDX-License-Identifier: MIT */
#ifndef BARE_INTERNAL_H
#define BARE_INTERNAL_H

/*
 * What the files of this folder are to each other. Locks, from the outermost:
 *
 *   work.c   a worker's lock    \ each on its own, never two at a time
 *   timer.c  a CPU's timer lock /
 *   wait.c   a bucket's lock, in which thread.c's
 *   thread.c lock of a CPU's run queue is taken, the innermost
 *   pages.c, log.c              on their own
 *
 * All are taken with interrupts off, for interrupt handlers take them too.
 */

#include "machine.h"

/* ---- queue.c: a list of nodes that others contain; nobody's lock but the caller's ----------- */

/*
 * A node is the first two words of an array: opaque[] of weir's timers and works, link[] of a
 * thread, the first words of a free page. All zero is an empty queue.
 */
enum { BARE_NEXT, BARE_PREV, BARE_NODE_WORDS };

struct bare_queue {
	uintptr_t *first, *last;
};

static inline uintptr_t *bare_queue_next(const uintptr_t *node)
{
	return (uintptr_t *)node[BARE_NEXT];
}

static inline uintptr_t *bare_queue_prev(const uintptr_t *node)
{
	return (uintptr_t *)node[BARE_PREV];
}

/* Behind `after`; NULL: as the first. */
void bare_queue_insert(struct bare_queue *queue, uintptr_t *after, uintptr_t *node);
void bare_queue_remove(struct bare_queue *queue, uintptr_t *node);

/* ---- thread.c -------------------------------------------------------------------------------- */

/* Lies at the upper end of its own stack; that of an idle thread is static. */
struct bare_thread {
	struct bare_context context; /* valid while it does not run */
	unsigned int cpu;	     /* constant */
	void *stack;		     /* what bare_machine_stack_alloc() gave; constant */
	int (*fn)(void *arg);
	void *arg;
	int value;	/* what fn returned; valid once `ended` is set */
	uint32_t ended; /* atomic; off its stack for good; bare_thread_join() waits on it */

	/* On the run queue (its CPU's lock) or in a bucket (the bucket's lock), or in neither. */
	uintptr_t link[BARE_NODE_WORDS];

	/* wait.c */
	struct bare_bucket *bucket; /* where it sleeps or slept last; the thread's own */
	struct weir_timer timer;    /* the thread's own */
	const uint32_t *word;	    /* under the bucket's lock; NULL: not in it */
	bool timed_out;		    /* likewise */
};

/* NULL before this CPU has called bare_thread_cpu_init(). */
struct bare_thread *bare_thread_self(void);
/* The caller of this CPU becomes its idle thread. Interrupts are off. */
void bare_thread_cpu_init(void);
_Noreturn void bare_thread_idle(void);
/* NULL: no memory. Context: TASK; or, at bring-up, the boot CPU's idle thread. */
struct bare_thread *bare_thread_create(unsigned int cpu, int (*fn)(void *arg), void *arg);
/* Let a thread run that sleeps, or is new. Interrupts are off. */
void bare_thread_ready(struct bare_thread *thread);
/* Run others until somebody makes this thread ready. Interrupts are off, also on return. */
void bare_thread_sleep(void);

/* ---- wait.c, work.c -------------------------------------------------------------------------- */

/* plat_wake(), for `limit` sleepers at most: those who wait for longest. */
void bare_wake(const uint32_t *word, unsigned int limit);
/* A worker on each CPU. -WEIR_ENOMEM. Context: TASK. */
int bare_works_start(void);

#endif
