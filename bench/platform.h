/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PLATFORM_H
#define BENCH_PLATFORM_H

/*
 * A platform that costs next to nothing, so that what is measured is weir: pages come from lists of
 * free ones, CPUs are threads that say which one they are, nothing ever interrupts. One machine for
 * a process; `plat` is NULL everywhere.
 */

#include <weir/platform.h>

#include "base/machine.h"

#define BENCH_CPUS 8u

/* What a register window does; an address is an offset into it. */
struct bench_mmio {
	uint32_t (*read)(uint32_t offset);
	void (*write)(uint32_t offset, unsigned int size, uint64_t value);
};

/* A machine with so much RAM, of which none is touched yet. NULL: a line on stderr. */
struct weir *bench_machine(size_t ram);
/* False: weir has not given all of its memory back; a line on stderr. */
bool bench_machine_end(struct weir *weir);
void bench_set_mmio(const struct bench_mmio *mmio);
/* The calling thread is this CPU from now on. */
void bench_set_cpu(unsigned int cpu);
/* Processors that this process may use. */
unsigned int bench_processors(void);
/* The calling thread stays on one of them from now on, if the system lets it. */
void bench_pin(unsigned int processor);

#endif
