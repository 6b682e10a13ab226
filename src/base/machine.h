/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_MACHINE_H
#define WEIR_BASE_MACHINE_H

/*
 * struct weir: one machine. Each room has a part of it that only that room reads and writes; what
 * is here in plain view is set by weir_init() and constant from then on.
 *
 * Locking: `lock` (a mutex) serialises bring-up, adding and removing devices and drivers, and
 * attaching domains. It is taken before any other lock but that of src/pci. The lists below it may
 * be walked without it only where their comment says so.
 */

#include <weir/sys.h>

#include "base/heap.h"
#include "base/limit.h"

struct weir_claim;
struct weir_fdt;
struct weir_history_rings;
struct weir_msi_door;
struct weir_parked;
struct weir_pci;
struct weir_storms;
struct weir_streams;

/* Counters, one set for each CPU: added to with relaxed atomics, summed by weir_get_stats(). */
enum weir_stat {
	WEIR_STAT_MAPS,
	WEIR_STAT_UNMAPS,
	WEIR_STAT_MAP_ERRORS,
	WEIR_STAT_COMMANDS,
	WEIR_STAT_SYNCS,
	WEIR_STAT_FAULTS,
	WEIR_STAT_EVENTS,
	WEIR_STAT_EVENT_OVERFLOWS,
	WEIR_STAT_FAULTS_LOGGED,
	WEIR_STAT_COUNT,
};

struct weir_cpu {
	uint64_t stat[WEIR_STAT_COUNT];
} __attribute__((aligned(64)));

struct weir {
	void *plat;
	unsigned int cpus;
	enum weir_mode mode;
	enum weir_level log_level;
	struct weir_options options; /* as given, for rooms that have options of their own */
	struct weir_cpu *cpu;	     /* array of `cpus` */
	struct weir_heap heap;

	struct weir_spinlock log_lock; /* log_line; IRQ-safe, taken last of all */
	char log_line[256];

	struct weir_mutex lock;
	/* src/iommu: IOMMUs (fixed after weir_init()), devices (added at the head under lock). */
	struct weir_iommu *iommus;
	struct weir_device *devices;
	int next_group_id;
	struct weir_msi_door *msi_doors; /* under lock */
	struct weir_claim *claims;	 /* fixed after weir_init() */
	struct weir_parked *parked;	 /* the same */
	struct weir_streams *streams;
	struct weir_history_rings *history; /* NULL: none is kept */
	struct weir_spinlock fault_lock;    /* the handler; IRQ-safe */
	weir_fault_fn *fault_fn;
	void *fault_arg;
	struct weir_storms *storms;
	/* Lines on events that were lost, on misuse of the DMA API. */
	struct weir_limit overflow_limit, dma_limit;
	int64_t table_pages; /* atomic */
	/* src/pci */
	struct weir_pci *pci;
	/* src/base/irq.c: handlers of weir_irq_request(), under lock */
	struct weir_irq_action *irqs;
};

static inline void weir_stat_add(struct weir *weir, enum weir_stat stat, uint64_t n)
{
	/* Relaxed: a counter orders nothing. Atomic: a handler or a migrated caller may add too. */
	__atomic_fetch_add(&weir->cpu[plat_cpu()].stat[stat], n, __ATOMIC_RELAXED);
}

/* The sum over all CPUs (src/base/machine.c). Any context. */
uint64_t weir_stat_sum(const struct weir *weir, enum weir_stat stat);

#endif
