/* SPDX-License-Identifier: MIT */
/* Epochs: waiting for readers (epoch.h). */

#include "base/epoch.h"

#include "base/machine.h"

int weir_epoch_init(struct weir *weir, struct weir_epoch *epoch)
{
	/* Rounded up: the heap aligns powers of two alone. */
	size_t size = sizeof(*epoch->cpu);

	while (size < sizeof(*epoch->cpu) * weir->cpus)
		size *= 2;
	epoch->cpu = weir_alloc(weir, size, 0);
	if (!epoch->cpu)
		return -WEIR_ENOMEM;
	epoch->plat = weir->plat;
	epoch->cpus = weir->cpus;
	epoch->index = 0;
	return 0;
}

void weir_epoch_fini(struct weir *weir, struct weir_epoch *epoch)
{
	weir_free(weir, epoch->cpu);
	epoch->cpu = NULL;
}

static void wait_for(struct weir_epoch *epoch, uint32_t index)
{
	unsigned int cpu;

	for (cpu = 0; cpu < epoch->cpus; cpu++) {
		while (__atomic_load_n(&epoch->cpu[cpu].readers[index], __ATOMIC_SEQ_CST))
			plat_relax(epoch->plat);
	}
}

void weir_epoch_wait(struct weir_epoch *epoch)
{
	uint32_t index;
	int round;

	for (round = 0; round < 2; round++) {
		/* Relaxed: only who waits writes it. */
		index = __atomic_load_n(&epoch->index, __ATOMIC_RELAXED);
		__atomic_store_n(&epoch->index, !index, __ATOMIC_SEQ_CST);
		wait_for(epoch, index);
	}
}
