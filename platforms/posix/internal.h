/* SPDX-License-Identifier: MIT */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

/*
 * Inside of the posix platform.
 *
 * A struct posix_machine owns its memory, CPUs, interrupts, timers, work queues, the models and one
 * runner. Everything that differs between the two runners is in struct posix_runner_ops; the rest
 * (memory.c irq.c timer.c work.c sync.c task.c) is written once, over its wait() and wake().
 *
 * A thread that is a CPU of a machine has a struct posix_thread, which posix_self points to. Its
 * fields belong to the thread itself; under the seeded runner also to whoever holds the baton.
 *
 * Locks, in the order in which they nest: irq_mutex (connect and disconnect; sleeps) > timers.lock,
 * works.lock, threads_lock, page caches > zones. A posix_lock is held for a few instructions, no
 * switch point of the seeded runner lies under one, and nothing is called back under one.
 */

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "posix.h"

#define POSIX_CPUS_MAX 256u
#define POSIX_IRQS 1024u
#define POSIX_STEPPERS_MAX 32u
#define POSIX_CACHE_LINE 64

struct posix_thread;
struct posix_cpu;
struct posix_irq;
struct posix_stepper;
struct posix_memory;
struct posix_sleep;

/** A lock of the platform's own: held for a few instructions, in any context. */
struct posix_lock {
	uint32_t held;
};

/** What the seeded runner's scheduler knows of a thread; written by the holder of the baton. */
struct posix_actor {
	struct posix_thread *next; /**< all actors, in order of creation */
	uint32_t baton;		   /**< futex word: 1 when the baton was passed to this thread */
	unsigned int turn;	   /**< what it is to do with it: TURN_RUN, or an interrupt */
	unsigned int id;	   /**< by order of creation; names the actor in the digest */
	struct posix_sleep *sleep; /**< what it waits for; NULL: it can run */
	bool relaxing;		   /**< it said so in plat_relax() and did nothing since */
};

struct posix_thread {
	struct posix_machine *machine;
	struct posix_cpu
		*cpu; /**< NULL: a thread of the host inside posix_join() (seeded runner) */
	/** A place where a real machine could switch; NULL under the threaded runner. */
	void (*point)(struct posix_thread *self);
	bool irqs_off, in_irq;
	unsigned int spins; /**< spin locks held or waited for */
	/* Processor time; the list is threads_lock's. */
	struct posix_thread *next, *prev;
	clockid_t clock;
	uint64_t clock_start;
	uint64_t model_ns;  /**< in steps of models, on this thread, estimated; atomic */
	unsigned int steps; /**< made on this thread */
	struct posix_actor actor;
};

struct posix_task {
	struct posix_thread thread;
	pthread_t pthread;
	int (*fn)(void *arg);
	void *arg;
	int result;
	uint32_t done; /**< atomic, waited for by posix_join() under the seeded runner */
};

struct posix_cpu {
	struct posix_machine *machine;
	unsigned int index;
	struct posix_thread *current; /**< seeded runner: whose context this CPU holds, or NULL */
	struct posix_task *worker;
	struct weir_work *works_first, *works_last; /**< works.lock */
	struct weir_work *work_running;		    /**< works.lock */
	uint32_t works_seq;			    /**< atomic; changes when work arrives */
	struct weir_timer *timer_running;	    /**< timers.lock */
	uint64_t interrupts; /**< atomic; taken, timers included (seeded runner) */
} __attribute__((aligned(POSIX_CACHE_LINE)));

struct posix_timers {
	struct posix_lock lock;
	struct weir_timer *first, *last; /**< by deadline */
	uint32_t seq;			 /**< atomic; changes when a timer's fn has returned */
};

struct posix_works {
	struct posix_lock lock;
	uint32_t seq; /**< atomic; changes when a work's fn has returned */
	bool stop;    /**< lock */
};

#define POSIX_IRQ_RAISED 1u  /**< an edge or message came and was not taken yet */
#define POSIX_IRQ_ACTIVE 2u  /**< the handler runs on some CPU */
#define POSIX_IRQ_ENABLED 4u /**< has a handler */

struct posix_irq {
	struct posix_machine *machine;
	unsigned int number;
	uint32_t state; /**< atomic: the three bits above */
	int fd; /**< atomic; eventfd, from the first connect to the end; -1: none (threaded) */
	/* Written under irq_mutex while neither ENABLED nor ACTIVE, read while ACTIVE. */
	weir_irq_fn *fn;
	void *arg;
	unsigned int cpu; /**< or WEIR_CPU_ANY */
	bool allocated;	  /**< a message, between plat_msi_alloc() and plat_msi_free(); irq_mutex */
};

/** A model's stepper. Kicked: step() would find work. Busy: some thread is in step(). Atomic. */
struct posix_stepper {
	struct weir_model_stepper *model;
	struct posix_machine *machine;
	uint32_t kicked, busy;
};

/** The part that differs between the runners. wait() and wake() are those of platform.h. */
struct posix_runner_ops {
	/** `machine` has everything but models and threads. */
	int (*create)(struct posix_machine *machine);
	/** The models are there: start what steps them and takes interrupts. */
	int (*start)(struct posix_machine *machine);
	/** No thread of the runner runs any more. Also after a start that failed. */
	void (*stop)(struct posix_machine *machine);
	void (*destroy)(struct posix_machine *machine);

	uint64_t (*now)(struct posix_machine *machine);
	void (*relax)(struct posix_machine *machine);
	int (*wait)(struct posix_machine *machine, const uint32_t *word, uint32_t value,
		    uint64_t timeout_ns, const char *what);
	/** Wake up to `count` of those who wait for `key`, a word or a spin lock. */
	void (*wake)(struct posix_machine *machine, const void *key, unsigned int count);
	/** A spin lock is taken: let time pass. */
	void (*spin)(struct posix_thread *self, const struct weir_spinlock *lock);
	/**
	 * Interrupts of the caller's CPU go off (before irqs_off is set) and on (after it is
	 * cleared); around a handler both before the flags change.
	 */
	void (*irqs_off)(struct posix_thread *self);
	void (*irqs_on)(struct posix_thread *self);

	/** Under irq_mutex: prepare for irq_notify(), undo it. */
	int (*irq_open)(struct posix_irq *irq);
	void (*irq_close)(struct posix_irq *irq);
	/** RAISED was set, or ENABLED with RAISED set: have posix_irq_take() called. Any thread. */
	void (*irq_notify)(struct posix_irq *irq);
	/** The first deadline is now this one; timers.lock is held. */
	void (*timer_program)(struct posix_machine *machine, uint64_t deadline);
	/** `kicked` of a stepper was set. Any thread. */
	void (*kicked)(struct posix_stepper *stepper);

	/** By the creator of a thread: before it exists, and if it then does not. */
	int (*thread_announce)(struct posix_thread *thread);
	void (*thread_withdraw)(struct posix_thread *thread);
	/** By the thread itself, first and last. */
	void (*thread_begin)(struct posix_thread *thread);
	void (*thread_end)(struct posix_thread *thread);
	/** A thread of the host becomes a CPU (cpu NULL: waits for one), and is one no more. */
	void (*host_enter)(struct posix_thread *thread);
	void (*host_leave)(struct posix_thread *thread);
	uint64_t (*digest)(struct posix_machine *machine);
	/** How often the CPU's interrupt context began to run. */
	uint64_t (*wakeups)(struct posix_cpu *cpu);
	/** Processor time of threads of the runner's own that only step models. */
	uint64_t (*model_ns)(struct posix_machine *machine);
};

extern const struct posix_runner_ops posix_threaded_ops, posix_seeded_ops;

struct posix_machine {
	const struct posix_runner_ops *ops;
	void *runner; /**< the runner's own data */
	struct posix_options options;
	unsigned int nr_cpus;
	unsigned int nr_steppers; /**< atomic: grows */
	struct posix_cpu *cpus;
	struct posix_memory *memory;
	struct weir_model_machine *models;
	struct weir_model_bus *bus;
	struct weir *weir; /**< atomic */
	struct posix_stepper steppers[POSIX_STEPPERS_MAX];
	struct posix_timers timers;
	struct posix_works works;
	struct weir_mutex irq_mutex;
	struct posix_irq *irqs;
	bool irq_shared_wakes_all; /**< a test's knob: shared interrupts without EPOLLEXCLUSIVE */
	/* Processor time of threads that live, and of those that ended. */
	struct posix_lock threads_lock;
	struct posix_thread *threads;
	uint64_t ended_cpu_ns, ended_model_ns;
	uint64_t clock_cost; /**< ns; of reading a thread's clock */
};

extern _Thread_local struct posix_thread *posix_self __attribute__((tls_model("initial-exec")));

/* posix.c */
void posix_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/** Aborts if the caller's context is ATOMIC or IRQ: `what` may sleep. */
void posix_may_sleep(const char *what);

/* sync.c */
void posix_lock(struct posix_lock *lock);
void posix_unlock(struct posix_lock *lock);
void posix_pause(unsigned int round);

/* task.c */
uint64_t posix_clock_ns(clockid_t clock);
/** The first and the last that a thread of a machine does. */
void posix_thread_begin(struct posix_thread *self);
void posix_thread_end(struct posix_thread *self);
/** The index of the caller's CPU; 0 for a thread that is none. */
unsigned int posix_cpu_index(void);

/* memory.c */
int posix_memory_create(struct posix_machine *machine);
void posix_memory_destroy(struct posix_machine *machine);
void *posix_memory_models_view(struct posix_machine *machine);

/* irq.c */
int posix_irqs_create(struct posix_machine *machine);
void posix_irqs_destroy(struct posix_machine *machine);
void posix_irq_sink(void *machine, unsigned int irq);
/** Run the handler if the interrupt is raised, enabled, and not being handled elsewhere. */
void posix_irq_take(struct posix_thread *self, struct posix_irq *irq);
void posix_irq_enter(struct posix_thread *self);
void posix_irq_exit(struct posix_thread *self);

/* timer.c */
/** In IRQ context of self's CPU: call the first timer if it is due. false: none is. */
bool posix_timers_run_one(struct posix_thread *self);
/** The first deadline; UINT64_MAX: no timer is armed. */
uint64_t posix_timers_next(struct posix_machine *machine);

/* work.c */
int posix_works_start(struct posix_machine *machine);
void posix_works_stop(struct posix_machine *machine);

/* step.c */
/** How many there are. */
unsigned int posix_steppers(const struct posix_machine *machine);
int posix_steppers_connect(struct posix_machine *machine);
void posix_steppers_disconnect(struct posix_machine *machine);
/** Step unless it is not kicked, or busy. The units done; `kicked` stays set if there is more. */
unsigned int posix_step(struct posix_stepper *stepper, unsigned int budget);

static inline void posix_point(void)
{
	struct posix_thread *self = posix_self;

	if (self && self->point)
		self->point(self);
}

#endif
