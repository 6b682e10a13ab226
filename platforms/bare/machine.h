/* SPDX-License-Identifier: MIT */
#ifndef BARE_MACHINE_H
#define BARE_MACHINE_H

/*
 * Between what all bare-metal platforms share (platforms/bare: pages, threads, waiting, timers,
 * work, log) and a machine (platforms/aarch64-virt: everything that touches a register). Of
 * platform.h the shared part supplies
 *
 *   plat_pages_*  plat_memory_end  plat_weir  plat_mutex_*  plat_wait  plat_wake  plat_timer_*
 *   plat_work_*  plat_log, and the four memory functions
 *
 * and the machine the rest. RAM is identity-mapped: plat_phys_to_virt() is a cast.
 */

#include "bare.h"

#define BARE_MAX_CPUS 64u
#define BARE_STACK_SIZE ((size_t)16 << 10)

/* ---- What the machine calls ------------------------------------------------------------- */

/*
 * Memory, on the boot CPU before anything else of platforms/bare; all of it mapped. First every
 * bank of RAM, then what is not to be given out (image, device tree, firmware's), then
 * bare_memory_ready(), from which on plat_pages_alloc() works. Whole pages are kept: banks shrink,
 * reservations grow. Ranges may overlap and be in any order. 0, or -WEIR_ENOMEM: too many of them,
 * or no room for the allocator's own data.
 */
int bare_memory_add(weir_phys_t base, uint64_t size);
int bare_memory_reserve(weir_phys_t base, uint64_t size);
int bare_memory_ready(void);
uint64_t bare_memory_size(void); /* bytes of RAM in the banks */

/*
 * Threads. The boot CPU calls bare_start() with everything up but the other CPUs: it does not
 * return; a thread of it starts the others (bare_machine_start_cpu()) and then runs bare_main().
 * Each other CPU, once it can take interrupts, ends in bare_cpu_enter(), on whatever stack it
 * has: that one becomes its idle thread's. Interrupts are off at both calls.
 */
_Noreturn void bare_start(unsigned int cpus);
_Noreturn void bare_cpu_enter(void);

/* This CPU's timer has fired. IRQ context. */
void bare_timer_interrupt(void);

/* ---- What the machine supplies ------------------------------------------------------------ */

/* Saved registers of a thread that does not run: callee-saved ones, stack pointer, where to go. */
struct bare_context {
	uint64_t words[16];
};
/* A context that begins in entry() on this stack, with interrupts off. */
void bare_machine_context_init(struct bare_context *context, void *stack_top, void (*entry)(void));
/* Save into `from`, go on in `to`. Interrupts are off. Returns when somebody switches back. */
void bare_machine_switch(struct bare_context *from, const struct bare_context *to);
/*
 * BARE_STACK_SIZE bytes with an unmapped page below them: the address above the highest byte.
 * NULL: no memory. Context: TASK.
 */
void *bare_machine_stack_alloc(void);
void bare_machine_stack_free(void *top);

/* Let interrupts through to this CPU: what a thread does first of all. */
void bare_machine_irq_enable(void);
/* Bring CPU 1, 2, ... up, until it has called bare_cpu_enter(). Not 0: it did not come (logged). */
int bare_machine_start_cpu(unsigned int cpu);
/* Interrupts are off: wait until one is pending, take it; they are off again on return. */
void bare_machine_idle(void);
/* Make another CPU return from bare_machine_idle(), now or at its next call. Any context. */
void bare_machine_kick(unsigned int cpu);
/*
 * Have bare_timer_interrupt() called on this CPU once plat_time_ns() >= deadline; replaces what was
 * set before. UINT64_MAX: never. Interrupts are off.
 */
void bare_machine_set_timer(uint64_t deadline_ns);
/*
 * To the console as it is: "\n" stays "\n", since it is mostly a pipe, and QEMU leaves a terminal's
 * output processing on. Callers are serialised, but for a panic.
 */
void bare_machine_write(const char *text, size_t size);
_Noreturn void bare_machine_exit(int status);
/* The lines of a panic on where it was (registers of this CPU's caller, back trace). */
void bare_machine_backtrace(void);

#endif
