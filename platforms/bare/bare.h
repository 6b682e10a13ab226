/* SPDX-License-Identifier: MIT */
#ifndef BARE_H
#define BARE_H

/*
 * What a program on a bare-metal platform sees besides platform.h. The platform comes up, makes
 * bare_main() a thread on CPU 0, and ends the machine with what it returns.
 *
 * Threads are pinned to a CPU and switch only where they sleep (plat_wait(), plat_mutex_lock(),
 * bare_yield()); interrupts come between any two instructions. Contexts are platform.h's.
 */

#include <weir/platform.h>

/** The program. Thread on CPU 0. Its value is the exit status of the machine (0: well). */
int bare_main(void);

/** What plat_*() get as `plat`, for weir_options.plat. */
void *bare_plat(void);
/** CPUs that came up. plat_cpu() is below it. */
unsigned int bare_cpus(void);
/** The device tree that the firmware handed over, as it was. */
const void *bare_device_tree(size_t *size);
/** The command line (/chosen/bootargs); "" if there is none. */
const char *bare_arguments(void);
/** One line on what this machine is: "aarch64 at EL1, 4 CPUs, 2048 MiB". */
void bare_describe(char *buf, size_t size);
/** What plat_weir() returns from now on. */
void bare_set_weir(struct weir *weir);
/** Pages that plat_pages_alloc() gave and did not get back. */
uint64_t bare_pages_in_use(void);
/** Nanoseconds, summed over the CPUs, in which they were not idle. */
uint64_t bare_busy_ns(void);

/** Text on the console, in one piece. Any context. */
void bare_print(const char *text);

struct bare_thread;
/**
 * fn(arg) as a thread on `cpu`. -WEIR_EINVAL: no such CPU. -WEIR_ENOMEM. Context: TASK.
 */
int bare_thread_start(unsigned int cpu, int (*fn)(void *arg), void *arg,
		      struct bare_thread **thread);
/** Wait for its end, free it; what fn returned. Once for each thread. Context: TASK. */
int bare_thread_join(struct bare_thread *thread);
/** Let other threads of this CPU run. Context: TASK. */
void bare_yield(void);

/** End the machine. Any context. */
_Noreturn void bare_exit(int status);
/** Print why, where (a return address), and end the machine with status 70. Any context. */
_Noreturn void bare_panic(const char *format, ...) WEIR_PRINTF(1, 2);

#endif
