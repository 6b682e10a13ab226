/* SPDX-License-Identifier: MIT */
/*
 * From the machine to the program: the CPUs, the workers, bare_main(). `nr_cpus` grows as CPUs come
 * up, from 1, and is constant once bare_main() runs. Both variables are atomic and no lock's.
 */
#include "internal.h"

static struct {
	unsigned int wanted; /* CPUs that the machine has; written before any other CPU runs */
	unsigned int nr_cpus;
	struct weir *weir;
} bare = { .nr_cpus = 1 };

/* Nobody looks behind it: the machine is the only one. */
void *bare_plat(void)
{
	return &bare;
}

unsigned int bare_cpus(void)
{
	return __atomic_load_n(&bare.nr_cpus, __ATOMIC_ACQUIRE);
}

/* Release: whoever gets the pointer sees what it points to. */
void bare_set_weir(struct weir *weir)
{
	__atomic_store_n(&bare.weir, weir, __ATOMIC_RELEASE);
}

struct weir *plat_weir(void)
{
	return __atomic_load_n(&bare.weir, __ATOMIC_ACQUIRE);
}

static void start_cpus(void)
{
	unsigned int cpu;

	for (cpu = 1; cpu < bare.wanted; cpu++) {
		if (bare_machine_start_cpu(cpu))
			bare_panic("CPU %u of %u did not come up; give the machine %u, or see what "
				   "the firmware says of it",
				   cpu, bare.wanted, cpu);
		__atomic_store_n(&bare.nr_cpus, cpu + 1, __ATOMIC_RELEASE);
	}
}

static int boot(void *arg)
{
	(void)arg;
	start_cpus();
	if (bare_works_start())
		bare_panic("no memory for the workers of %u CPUs; give the machine more",
			   bare_cpus());
	bare_exit(bare_main());
}

_Noreturn void bare_start(unsigned int cpus)
{
	struct bare_thread *thread;

	if (cpus < 1 || cpus > BARE_MAX_CPUS)
		bare_panic("%u CPUs; this program takes 1 to %u", cpus, BARE_MAX_CPUS);
	bare.wanted = cpus;
	bare_thread_cpu_init();
	thread = bare_thread_create(0, boot, NULL);
	if (!thread)
		bare_panic("no memory for the first thread; give the machine more");
	bare_thread_ready(thread);
	bare_thread_idle();
}

_Noreturn void bare_cpu_enter(void)
{
	bare_thread_cpu_init();
	bare_thread_idle();
}
