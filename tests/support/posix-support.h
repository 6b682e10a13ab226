/* SPDX-License-Identifier: MIT */
#ifndef POSIX_SUPPORT_H
#define POSIX_SUPPORT_H

/* What the tests of platforms/posix share. */

#include "check.h"
#include "posix.h"

/**
 * A device: the CPU writes how many requests more there are to ECHO_DOORBELL; for each it reads the
 * next 8 bytes of its ring in memory, writes what echo_answer() says into the page behind, and
 * raises its interrupt.
 */
struct echo {
	struct posix_machine *machine;
	struct weir_model_stepper stepper;
	unsigned int irq;
	uint64_t ring;	       /* physical; two pages */
	uint64_t asked, done;  /* atomic */
	uint64_t steps;	       /* atomic; calls of step() */
	unsigned int stepping; /* atomic; calls of step() under way, at most 1 */
	uint64_t overlaps;     /* atomic; how often it was more */
};

#define ECHO_BASE 0x0a000000ull
#define ECHO_SIZE 0x1000u
#define ECHO_DOORBELL 0x0 /* write, 8 bytes: this many more requests */
#define ECHO_DONE 0x8	  /* read, 8 bytes: requests answered */
#define ECHO_SLOTS 512u

void echo_add(struct echo *echo, struct posix_machine *machine, unsigned int irq, uint64_t ring);
uint64_t echo_answer(uint64_t question);

/** Whether fn(), in a process of its own, aborts and says `message` on stderr. */
bool dies_saying(void (*fn)(void), const char *message);

#define POSIX_TEST_RAM ((8ull << 20) + 3 * WEIR_PAGE_SIZE)
#define POSIX_TEST_CPUS 3u
#define MS 1000000ull

/** A machine with the two above; the allocation `fail` fails, with `onwards` all from there. */
struct posix_machine *posix_test_machine(enum posix_runner runner, uint64_t fail, bool onwards);
/** The state of a test is such a machine. tear_down() finds pages that were not given back. */
int set_up_threaded(void **state);
int set_up_seeded(void **state);
int tear_down(void **state);

/** A test under both runners, in a list of tests. */
/* clang-format off */
#define BOTH(test)                                                                                 \
	{ #test " (threaded)", test, set_up_threaded, tear_down, NULL },                           \
	{ #test " (seeded)", test, set_up_seeded, tear_down, NULL }
/* clang-format on */

/** Run fn(arg) on every CPU at once. */
void on_all_cpus(struct posix_machine *machine, int (*fn)(void *arg), void *arg);
void sleep_ns(struct posix_machine *machine, uint64_t ns);
/** Wait until *word is at least `value`; false: not within 10 s. */
bool wait_for(struct posix_machine *machine, const uint32_t *word, uint32_t value);

static inline uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void add(uint32_t *word, uint32_t value)
{
	__atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

/** What a test's threads, handlers, timers and work have in common. */
struct shared {
	struct posix_machine *machine;
	struct weir_spinlock spin;
	struct weir_mutex mutex;
	uint64_t by_spin, by_mutex; /* under the locks, and no atomics */
	uint32_t word, inside, bad, handled;
	struct weir_timer timers[8];
	struct weir_work work;
	uint64_t fired_at[8];
	uint32_t order[8];
	void *device;
};

/** Numbers for tests: a sequence that `state` names. */
uint64_t next_random(uint64_t *state);

#endif
