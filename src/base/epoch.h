/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_EPOCH_H
#define WEIR_BASE_EPOCH_H

/*
 * Epochs: what readers without a lock may still hold is freed when they have left.
 *
 *	reader, any context                     who takes something away, TASK
 *	token = weir_epoch_enter(epoch);        __atomic_store_n(&shared, new, __ATOMIC_SEQ_CST);
 *	p = __atomic_load_n(&shared,            weir_epoch_wait(epoch);
 *			    __ATOMIC_SEQ_CST);  free(old);
 *	... p ...
 *	weir_epoch_exit(epoch, token);
 *
 * Readers are counted, on each CPU in one of two counters. Who waits turns new readers to the other
 * counter and waits for the first to empty; twice, as a reader may have read the old index just
 * before it was turned. A reader is counted out where it was counted in, wherever it runs by then.
 *
 * Why it is right: enter's read-modify-write, the reader's load, the store of who takes away and
 * the loads of weir_epoch_wait() are in one order. A reader that a load did not count came after
 * it, hence after the store, and so does its load, which finds what is new. One that was counted is
 * waited for: its exit's release pairs with the acquire of the load that finds it gone.
 *
 * What is more, whatever the reader wrote before it entered is seen by whoever finds in `shared`
 * that the reader came first (plan.c needs that).
 */

#include <weir/sys.h>

struct weir_epoch_cpu {
	uint32_t readers[2]; /* atomic */
} __attribute__((aligned(64)));

struct weir_epoch {
	void *plat;
	uint32_t index; /* atomic; written by who waits */
	unsigned int cpus;
	struct weir_epoch_cpu *cpu;
};

/* -WEIR_ENOMEM. TASK. */
int weir_epoch_init(struct weir *weir, struct weir_epoch *epoch);
/* Nobody is in it. Harmless on zeroed memory. */
void weir_epoch_fini(struct weir *weir, struct weir_epoch *epoch);

/* Wait until all who had entered have left. The caller keeps others from waiting. TASK. */
void weir_epoch_wait(struct weir_epoch *epoch);

/* Nests. What it returns is for weir_epoch_exit(). Any context. */
static inline unsigned int weir_epoch_enter(struct weir_epoch *epoch)
{
	unsigned int cpu = plat_cpu();
	uint32_t index = __atomic_load_n(&epoch->index, __ATOMIC_RELAXED);

	__atomic_fetch_add(&epoch->cpu[cpu].readers[index], 1, __ATOMIC_SEQ_CST);
	return cpu << 1 | index;
}

static inline void weir_epoch_exit(struct weir_epoch *epoch, unsigned int token)
{
	/* Release: pairs with the loads of weir_epoch_wait(). */
	__atomic_fetch_sub(&epoch->cpu[token >> 1].readers[token & 1], 1, __ATOMIC_RELEASE);
}

#endif
