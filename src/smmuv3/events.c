/* SPDX-License-Identifier: MIT */
/*
 * The event queue (7.2 to 7.4).
 *
 * The event interrupt tells of a queue that was empty (3.18): whoever drains must go on until he
 * has seen it empty, or nobody will be told again. One drains at a time; who finds another at it
 * leaves, and that other looks again after letting go (exchanges with acquire and release on both
 * sides, as in cmdq.c). To bound the time in a handler, it takes as many records as the queue has
 * entries and leaves the rest to a work item.
 *
 * Records and indexes come from hardware: each record is copied once, then judged.
 *
 * Where a write aborted asynchronously PROD has passed a slot that was not written (7.2.2). Slots
 * that were read are zeroed, so that such a one is known and not taken for the record of an earlier
 * lap. Not where the SMMU does not snoop: a line that is written back could cover what it wrote
 * beside; there all that waits is dropped after such an error.
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

/* CONS is written, and PROD read again, after so many records. */
#define ROUND 32u
/* So often in a row the queue may turn out not to be empty after all: PROD may be nonsense. */
#define LOOKS 8u

/* Copy a record, once, and mark its slot as read. */
static void take(struct weir_smmuv3 *smmu, uint32_t index, uint64_t *record)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint64_t *slot = &q->slots[(index & (q->entries - 1)) * WEIR_SMMU_EVT_WORDS];
	unsigned int i;

	if (!smmu->features.coherent)
		plat_cache_invalidate(smmu->iommu.weir->plat, slot, WEIR_SMMU_EVT_SIZE);
	for (i = 0; i < WEIR_SMMU_EVT_WORDS; i++)
		record[i] = __atomic_load_n(&slot[i], __ATOMIC_RELAXED);
	if (!smmu->features.coherent)
		return;
	/* Before CONS lets the SMMU write here again: drain_round() has the barrier. */
	for (i = 0; i < WEIR_SMMU_EVT_WORDS; i++)
		__atomic_store_n(&slot[i], 0, __ATOMIC_RELAXED);
}

static void report(struct weir_smmuv3 *smmu, uint32_t index)
{
	uint64_t record[WEIR_SMMU_EVT_WORDS];
	struct weir_fault fault = { 0 };

	take(smmu, index, record);
	/* Nothing was written there: no event has the number 0 (7.3). */
	if (!(record[0] | record[1] | record[2] | record[3]))
		return;
	weir_smmuv3_decode(smmu, record, &fault);
	weir_stat_add(smmu->iommu.weir, WEIR_STAT_EVENTS, 1);
	weir_iommu_report_fault(&fault);
}

/* How many records wait; where PROD makes no sense, none, and CONS is set to it. */
static uint32_t waiting(struct weir_smmuv3 *smmu, uint32_t prod)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint32_t mask = 2 * q->entries - 1, count = (prod - q->cons) & mask;
	/* Relaxed: whoever drains next sees it; the flag orders nothing. */
	bool discard = __atomic_exchange_n(&q->discard, 0, __ATOMIC_RELAXED);

	if (count <= q->entries && !discard)
		return count;
	if (!discard && weir_limit_pass(&smmu->limit))
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: EVENTQ_PROD 0x%x is beyond the queue: its records are dropped",
			 smmu->iommu.name, prod);
	q->cons = (q->cons & (uint32_t)WEIR_SMMU_EVENTQ_CONS_OVACKFLG) | (prod & mask);
	return 0;
}

/* Up to ROUND records; returns how many were there. */
static uint32_t drain_round(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint32_t prod = weir_smmuv3_read(smmu, WEIR_SMMU_EVENTQ_PROD);
	uint32_t flag = (uint32_t)WEIR_SMMU_EVENTQ_CONS_OVACKFLG, before = q->cons, count, i;

	/* Records are read after the index that covers them (3.5.2). */
	plat_dma_rmb();
	count = waiting(smmu, prod);
	count = count < ROUND ? count : ROUND;
	for (i = 0; i < count; i++)
		report(smmu, q->cons + i);
	q->cons = (q->cons & flag) | ((q->cons + count) & (2 * q->entries - 1));
	if ((prod ^ q->cons) & flag) {
		/* 7.4: acknowledged by making the flags equal. */
		weir_iommu_report_overflow(&smmu->iommu);
		q->cons ^= flag;
	}
	if (q->cons != before) {
		/* Slots were read before the SMMU may write them again. */
		plat_dma_mb();
		weir_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_CONS, q->cons);
	}
	return count;
}

static bool is_empty(struct weir_smmuv3 *smmu, uint32_t cons)
{
	uint32_t prod = weir_smmuv3_read(smmu, WEIR_SMMU_EVENTQ_PROD);
	uint32_t mask = (2 * smmu->eventq.entries - 1) | (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG;

	return !((prod ^ cons) & mask);
}

/* Until the queue is empty, or `limit` records. false: there are more. */
static bool drain(struct weir_smmuv3 *smmu, uint32_t limit)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint32_t done = 0, looks = 0, cons;

	do {
		/* Acquire: q->cons as the last one left it. See the top. */
		if (__atomic_exchange_n(&q->draining, 1, __ATOMIC_ACQ_REL))
			return true;
		while (done <= limit) {
			uint32_t count = drain_round(smmu);

			if (!count)
				break;
			done += count;
		}
		cons = q->cons;
		__atomic_exchange_n(&q->draining, 0, __ATOMIC_ACQ_REL);
		if (done > limit || looks++ == LOOKS)
			return false;
	} while (!is_empty(smmu, cons));
	return true;
}

void weir_smmuv3_eventq_drain(struct weir_smmuv3 *smmu)
{
	if (!drain(smmu, smmu->eventq.entries))
		plat_work_queue(smmu->iommu.weir->plat, &smmu->eventq.work);
}

static void drain_from_work(struct weir_work *work)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(work, struct weir_smmuv3, eventq.work);

	weir_smmuv3_eventq_drain(smmu);
	/* After an error of either queue both are looked at. */
	if (smmu->own.priq)
		smmu->own.priq->drain(smmu);
}

void weir_smmuv3_eventq_aborted(struct weir_smmuv3 *smmu)
{
	if (!smmu->features.coherent)
		__atomic_store_n(&smmu->eventq.discard, 1, __ATOMIC_RELAXED);
	plat_work_queue(smmu->iommu.weir->plat, &smmu->eventq.work);
}

int weir_smmuv3_eventq_init(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	unsigned int asked = smmu->iommu.weir->options.event_queue_entries;
	int ret;

	q->entries = weir_smmuv3_queue_entries(asked, 8192, smmu->features.eventq_shift);
	q->work.fn = drain_from_work;
	ret = weir_smmuv3_memory_alloc(smmu, &q->memory, (size_t)q->entries * WEIR_SMMU_EVT_SIZE);
	q->slots = q->memory.virt;
	return ret;
}

void weir_smmuv3_eventq_fini(struct weir_smmuv3 *smmu)
{
	weir_smmuv3_memory_free(smmu, &smmu->eventq.memory);
}

void weir_smmuv3_eventq_program(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;

	/* A late handler or work item may be at it. Acquire: as in drain(). */
	while (__atomic_exchange_n(&q->draining, 1, __ATOMIC_ACQ_REL))
		plat_relax(smmu->iommu.weir->plat);
	weir_smmuv3_write64(smmu, WEIR_SMMU_EVENTQ_BASE,
			    weir_smmuv3_queue_base(&q->memory, q->entries));
	weir_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_PROD, 0);
	weir_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_CONS, 0);
	q->cons = 0;
	__atomic_exchange_n(&q->draining, 0, __ATOMIC_ACQ_REL);
}
