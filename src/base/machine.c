/* SPDX-License-Identifier: MIT */
/* Readers of struct weir. Any context. */

#include "base/machine.h"

void *weir_plat(struct weir *weir)
{
	return weir->plat;
}

unsigned int weir_cpus(const struct weir *weir)
{
	return weir->cpus;
}

uint64_t weir_stat_sum(const struct weir *weir, enum weir_stat stat)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < weir->cpus; i++)
		sum += __atomic_load_n(&weir->cpu[i].stat[stat], __ATOMIC_RELAXED);
	return sum;
}
