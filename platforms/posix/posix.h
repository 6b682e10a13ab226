/* SPDX-License-Identifier: MIT */
#ifndef POSIX_H
#define POSIX_H

/*
 * weir in an ordinary process: physical memory in a memfd, CPUs as threads, the models of models/
 * as the hardware. One struct posix_machine is one machine; a process may have many.
 *
 * Memory is mapped twice: the CPUs' view (the direct map of platform.h) and the models' view, so
 * that nothing but an address on the bus connects the two.
 *
 * A CPU is a thread that runs tasks and work items (TASK context), and an interrupt context:
 *
 *   threaded runner: a second thread for each CPU waits on an epoll set of its own, in which each
 *     interrupt is an eventfd. It runs handlers with the CPU's interrupt lock held; plat_irq_save()
 *     takes that lock, so a handler never runs while its CPU has interrupts off. An interrupt for
 *     any CPU is in all the sets, with EPOLLEXCLUSIVE. Models step on a thread of the runner, and
 *     are helped along by a CPU that waits for hardware (plat_relax()).
 *   seeded runner: one thread of the process runs at a time, time is virtual, and at each point
 *     where a real machine could switch (register access, lock, wait, interrupts on again, relax)
 *     a generator seeded by the user chooses who is next: a task, a handler, a model's step.
 *     The same seed gives the same run, event for event. The machine moves only while a thread of
 *     the host is in posix_call(), in posix_join() or attached, and lets one of them in at a time.
 */

#include <weir/platform.h>
#include <weir/model/machine.h>

enum posix_runner { POSIX_THREADED, POSIX_SEEDED };

struct posix_options {
	enum posix_runner runner;
	uint64_t seed;
	unsigned int cpus; /**< 0: 1 */
	uint64_t ram_size; /**< bytes of RAM from WEIR_MODEL_MACHINE_RAM_BASE; 0: 256 MiB */
	/** The Nth call to plat_pages_alloc() fails, counted from 1; 0: none does. */
	uint64_t fail_alloc;
	bool fail_alloc_onwards; /**< ... and every one after it */
	/** Where log lines go; NULL: stderr. Called from any context. */
	void (*log)(void *opaque, enum weir_level level, const char *line);
	void *log_opaque;
	/** The models: ram, ram_size, cpus and sink are filled in by posix_create(). */
	struct weir_model_machine_config machine;
};

struct posix_machine;

/**
 * Make memory, models, CPUs. -WEIR_EINVAL, -WEIR_ENOMEM, or another negative errno of the host.
 * The machine is then `plat` for struct weir_options.
 */
int posix_create(const struct posix_options *options, struct posix_machine **machine);
/** Stops the threads and frees all. No task runs any more; weir was shut down before. */
void posix_destroy(struct posix_machine *machine);

struct weir_model_machine *posix_models(struct posix_machine *machine);

/** After weir_init(): what plat_weir() answers on this machine's CPUs. */
void posix_set_weir(struct posix_machine *machine, struct weir *weir);

/**
 * Run fn(arg) as a task on CPU `cpu` and wait until it has returned; gives its result. Called by a
 * thread of the host that is no CPU.
 */
int posix_call(struct posix_machine *machine, unsigned int cpu, int (*fn)(void *arg), void *arg);
/** Start fn(arg) as a task on CPU `cpu`; posix_join() waits for it and gives its result, once. */
struct posix_task;
int posix_spawn(struct posix_machine *machine, unsigned int cpu, int (*fn)(void *arg), void *arg,
		struct posix_task **task);
int posix_join(struct posix_task *task);
/** Make the calling thread of the host act as CPU `cpu` of this machine, until posix_detach(). */
void posix_attach(struct posix_machine *machine, unsigned int cpu);
void posix_detach(void);

/** A digest of every scheduling decision so far (seeded runner): equal for equal runs. */
uint64_t posix_trace_digest(struct posix_machine *machine);

/** Pages handed out and not yet given back; allocations made so far (for fail_alloc). */
uint64_t posix_pages_in_use(struct posix_machine *machine);
uint64_t posix_alloc_calls(struct posix_machine *machine);
/** A page of RAM that nobody has allocated: 1; allocated: 0. */
bool posix_page_is_free(struct posix_machine *machine, weir_phys_t phys);

/** Nanoseconds of processor time: of the CPUs' threads, and in the models. */
void posix_times(struct posix_machine *machine, uint64_t *cpu_ns, uint64_t *model_ns);

/** How often a CPU's interrupt context woke up, over all CPUs, since creation. */
uint64_t posix_irq_wakeups(struct posix_machine *machine);

#endif
