/* SPDX-License-Identifier: MIT */
#ifndef FAKEMACHINE_H
#define FAKEMACHINE_H

/*
 * A machine for platforms/bare, in a process: a CPU is a thread of the host, a bare thread a
 * context of its own on it, time is real. Interrupts come where a CPU lets them in, where it
 * relaxes, and where it idles. RAM is at physical 0; only what is touched takes memory of the
 * host's.
 *
 * It insists on what machine.h says: spin locks are taken, and its hooks called, with interrupts
 * off.
 */

#include "check.h"
#include "machine.h"

#define MS 1000000ull

#if defined(__SANITIZE_THREAD__)
#define FAKEMACHINE_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define FAKEMACHINE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FAKEMACHINE_TSAN 1
#elif __has_feature(address_sanitizer)
#define FAKEMACHINE_ASAN 1
#endif
#endif

/*
 * Run program() as the bare_main() of a machine with that many CPUs, in a process of its own. Its
 * exit status, or -1: it crashed, or took more than a minute and a half.
 */
int fakemachine_run(unsigned int cpus, int (*program)(void));
/* What the last machine wrote to its console. */
const char *fakemachine_console(void);

/* RAM up to here can be touched. Before anything else of it; in the program. */
void fakemachine_ram(uint64_t end);

/* Knobs; set them before fakemachine_run(), or in the program. */
extern unsigned int fakemachine_dead_cpu;  /* does not start; 0: all do */
extern unsigned int fakemachine_stuck_cpu; /* never returns from the console; 0: none */
extern bool fakemachine_no_stacks;	   /* no memory for them */
extern bool fakemachine_backtrace_panics;  /* the telling of a panic goes wrong */

/* Stacks that were not given back. */
unsigned int fakemachine_stacks(void);
bool fakemachine_irqs_off(void);

#endif
