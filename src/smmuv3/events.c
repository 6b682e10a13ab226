/* SPDX-License-Identifier: MIT */
/*
 * What the SMMU says by itself: the event queue (7.2 to 7.4) and global errors (7.5), and the
 * interrupts for both.
 *
 * The event interrupt tells of a queue that was empty (3.18): whoever drains must go on until he
 * has seen it empty, or nobody will be told again. One drains at a time; who finds another at it
 * leaves, and that other looks again after letting go (exchanges with acquire and release on both
 * sides, as in cmdq.c). To bound the time in a handler, it takes as many records as the queue has
 * entries and leaves the rest to a work item.
 *
 * Records and indexes come from hardware: each record is copied once, then judged.
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

/* CONS is written, and PROD read again, after so many records. */
#define ROUND 32u
/* So often in a row the queue may turn out not to be empty after all: PROD may be nonsense. */
#define LOOKS 8u

struct kind {
	const char *name;
	enum weir_fault_reason reason;
	bool has_access; /* InputAddr, RnW, InD, PnU are there */
};

/* 7.3; C_BAD_STE of a stream that is blocked on purpose is turned into BAD_STREAM below. */
static const struct kind kinds[] = {
	[WEIR_SMMU_EVT_F_UUT] = { "F_UUT", WEIR_FAULT_OTHER, true },
	[WEIR_SMMU_EVT_C_BAD_STREAMID] = { "C_BAD_STREAMID", WEIR_FAULT_BAD_STREAM, false },
	[WEIR_SMMU_EVT_F_STE_FETCH] = { "F_STE_FETCH", WEIR_FAULT_EXTERNAL, false },
	[WEIR_SMMU_EVT_C_BAD_STE] = { "C_BAD_STE", WEIR_FAULT_BAD_CONFIG, false },
	[WEIR_SMMU_EVT_F_BAD_ATS_TREQ] = { "F_BAD_ATS_TREQ", WEIR_FAULT_OTHER, false },
	[WEIR_SMMU_EVT_F_STREAM_DISABLED] = { "F_STREAM_DISABLED", WEIR_FAULT_BAD_STREAM, false },
	[WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN] = { "F_TRANSL_FORBIDDEN", WEIR_FAULT_OTHER, true },
	[WEIR_SMMU_EVT_C_BAD_SUBSTREAMID] = { "C_BAD_SUBSTREAMID", WEIR_FAULT_BAD_STREAM, false },
	[WEIR_SMMU_EVT_F_CD_FETCH] = { "F_CD_FETCH", WEIR_FAULT_EXTERNAL, false },
	[WEIR_SMMU_EVT_C_BAD_CD] = { "C_BAD_CD", WEIR_FAULT_BAD_CONFIG, false },
	[WEIR_SMMU_EVT_F_WALK_EABT] = { "F_WALK_EABT", WEIR_FAULT_EXTERNAL, true },
	[WEIR_SMMU_EVT_F_TRANSLATION] = { "F_TRANSLATION", WEIR_FAULT_TRANSLATION, true },
	[WEIR_SMMU_EVT_F_ADDR_SIZE] = { "F_ADDR_SIZE", WEIR_FAULT_ADDRESS_SIZE, true },
	[WEIR_SMMU_EVT_F_ACCESS] = { "F_ACCESS", WEIR_FAULT_ACCESS_FLAG, true },
	[WEIR_SMMU_EVT_F_PERMISSION] = { "F_PERMISSION", WEIR_FAULT_PERMISSION, true },
	[WEIR_SMMU_EVT_F_TLB_CONFLICT] = { "F_TLB_CONFLICT", WEIR_FAULT_OTHER, true },
	[WEIR_SMMU_EVT_F_CFG_CONFLICT] = { "F_CFG_CONFLICT", WEIR_FAULT_OTHER, false },
	[WEIR_SMMU_EVT_E_PAGE_REQUEST] = { "E_PAGE_REQUEST", WEIR_FAULT_OTHER, false },
	[WEIR_SMMU_EVT_F_VMS_FETCH] = { "F_VMS_FETCH", WEIR_FAULT_EXTERNAL, false },
};

/* ---- The event queue ------------------------------------------------------------------------- */

static void decode(struct weir_smmuv3 *smmu, const uint64_t *record, struct weir_fault *fault)
{
	static const struct kind unknown = { "unknown event", WEIR_FAULT_OTHER, false };
	uint64_t type = WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]);
	const struct kind *kind = &unknown;

	if (type < WEIR_ARRAY_SIZE(kinds) && kinds[type].name)
		kind = &kinds[type];
	fault->iommu = &smmu->iommu;
	fault->id = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_SID, record[0]);
	fault->name = kind->name;
	fault->reason = kind->reason;
	if (type == WEIR_SMMU_EVT_C_BAD_STE && weir_smmuv3_strtab_is_blocked(smmu, fault->id))
		fault->reason = WEIR_FAULT_BAD_STREAM;
	if (!kind->has_access)
		return;
	fault->has_address = true;
	fault->address = (weir_dma_t)record[2];
	fault->write = !(record[1] & WEIR_SMMU_EVT_1_RNW);
	fault->instruction = record[1] & WEIR_SMMU_EVT_1_IND;
	fault->privileged = record[1] & WEIR_SMMU_EVT_1_PNU;
}

static void report(struct weir_smmuv3 *smmu, uint32_t index)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint64_t *slot = &q->slots[(index & (q->entries - 1)) * WEIR_SMMU_EVT_WORDS];
	uint64_t record[WEIR_SMMU_EVT_WORDS];
	struct weir_fault fault = { 0 };
	unsigned int i;

	if (!smmu->features.coherent)
		plat_cache_invalidate(smmu->iommu.weir->plat, slot, WEIR_SMMU_EVT_SIZE);
	for (i = 0; i < WEIR_SMMU_EVT_WORDS; i++)
		record[i] = __atomic_load_n(&slot[i], __ATOMIC_RELAXED);
	decode(smmu, record, &fault);
	weir_stat_add(smmu->iommu.weir, WEIR_STAT_EVENTS, 1);
	weir_iommu_report_fault(&fault);
}

/* How many records wait; where PROD makes no sense, none, and CONS is set to it. */
static uint32_t waiting(struct weir_smmuv3 *smmu, uint32_t prod)
{
	struct weir_smmuv3_eventq *q = &smmu->eventq;
	uint32_t mask = 2 * q->entries - 1, count = (prod - q->cons) & mask;

	if (count <= q->entries)
		return count;
	if (weir_limit_pass(&smmu->limit))
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

static void drain_from_irq(struct weir_smmuv3 *smmu)
{
	if (!drain(smmu, smmu->eventq.entries))
		plat_work_queue(smmu->iommu.weir->plat, &smmu->eventq.work);
}

static void drain_from_work(struct weir_work *work)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(work, struct weir_smmuv3, eventq.work);

	drain_from_irq(smmu);
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

	weir_smmuv3_write64(smmu, WEIR_SMMU_EVENTQ_BASE,
			    weir_smmuv3_queue_base(&q->memory, q->entries));
	weir_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_PROD, 0);
	weir_smmuv3_write(smmu, WEIR_SMMU_EVENTQ_CONS, 0);
}

/* ---- Global errors --------------------------------------------------------------------------- */

static const struct {
	uint64_t bit;
	const char *text;
} errors[] = {
	{ WEIR_SMMU_GERROR_CMDQ_ERR, NULL }, /* weir_smmuv3_cmdq_report() says it */
	{ WEIR_SMMU_GERROR_EVENTQ_ABT_ERR,
	  "it could not write its event queue; events may be lost" },
	{ WEIR_SMMU_GERROR_PRIQ_ABT_ERR, "it could not write its page request queue" },
	{ WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR, "an interrupt for CMD_SYNC could not be delivered" },
	{ WEIR_SMMU_GERROR_MSI_EVENTQ_ABT_ERR, "an interrupt for events could not be delivered" },
	{ WEIR_SMMU_GERROR_MSI_PRIQ_ABT_ERR,
	  "an interrupt for page requests could not be delivered" },
	{ WEIR_SMMU_GERROR_MSI_GERROR_ABT_ERR, "an interrupt for errors could not be delivered" },
	{ WEIR_SMMU_GERROR_SFM_ERR, "it entered service failure mode: all traffic has stopped" },
};

/* One after the other: each needs the stack for itself. */
static __attribute__((noinline)) void repair(struct weir_smmuv3 *smmu)
{
	weir_smmuv3_cmdq_repair(smmu);
	weir_smmuv3_cmdq_report(smmu);
}

static void handle_errors_locked(struct weir_smmuv3 *smmu)
{
	uint32_t active = weir_smmuv3_read(smmu, WEIR_SMMU_GERROR) ^ smmu->gerrorn, known = 0;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(errors); i++) {
		uint32_t bit = (uint32_t)errors[i].bit;

		known |= bit;
		if (active & bit && errors[i].text && weir_limit_pass(&smmu->limit))
			weir_log(smmu->iommu.weir, WEIR_LOG_ERR, "%s: %s", smmu->iommu.name,
				 errors[i].text);
	}
	active &= known;
	/*
	 * 7.5: records were lost. QEMU's SMMU says so in place of 7.4's flag when its queue is
	 * full.
	 */
	if (active & (uint32_t)WEIR_SMMU_GERROR_EVENTQ_ABT_ERR)
		weir_stat_add(smmu->iommu.weir, WEIR_STAT_EVENT_OVERFLOWS, 1);
	if (active & (uint32_t)WEIR_SMMU_GERROR_CMDQ_ERR) {
		if (__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
			active &= (uint32_t)~WEIR_SMMU_GERROR_CMDQ_ERR;
		else
			repair(smmu);
	}
	if (!active)
		return;
	/* Only errors that were seen: toggling others is not allowed (6.3.20). */
	smmu->gerrorn ^= active;
	weir_smmuv3_write(smmu, WEIR_SMMU_GERRORN, smmu->gerrorn);
}

void weir_smmuv3_check_errors(struct weir_smmuv3 *smmu)
{
	uintptr_t flags = weir_lock_irq(&smmu->gerror_lock);

	handle_errors_locked(smmu);
	weir_unlock_irq(&smmu->gerror_lock, flags);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static void event_irq(void *arg)
{
	drain_from_irq(arg);
}

static void error_irq(void *arg)
{
	weir_smmuv3_check_errors(arg);
}

static void combined_irq(void *arg)
{
	drain_from_irq(arg);
	weir_smmuv3_check_errors(arg);
}

static int connect(struct weir_smmuv3 *smmu, unsigned int i, int irq, weir_irq_fn *fn)
{
	struct weir *weir = smmu->iommu.weir;
	int ret;

	if (irq < 0)
		return 0;
	ret = plat_irq_connect(weir->plat, (unsigned int)irq, WEIR_CPU_ANY, fn, smmu);
	if (ret) {
		weir_log(weir, WEIR_LOG_ERR, "%s: interrupt %d cannot be connected (%d)",
			 smmu->iommu.name, irq, ret);
		return ret;
	}
	smmu->irqs[i] = irq;
	return 0;
}

int weir_smmuv3_irqs_connect(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc)
{
	int ret;

	if (desc->irq_combined >= 0)
		return connect(smmu, 0, desc->irq_combined, combined_irq);
	if (desc->irq_eventq < 0)
		weir_log(smmu->iommu.weir, WEIR_LOG_WARN,
			 "%s: no interrupt for events: blocked accesses will not be reported",
			 smmu->iommu.name);
	else if (desc->irq_eventq == desc->irq_gerror)
		return connect(smmu, 0, desc->irq_eventq, combined_irq);
	ret = connect(smmu, 0, desc->irq_eventq, event_irq);
	return ret ? ret : connect(smmu, 1, desc->irq_gerror, error_irq);
}

void weir_smmuv3_irqs_disconnect(struct weir_smmuv3 *smmu)
{
	void *plat = smmu->iommu.weir->plat;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(smmu->irqs); i++) {
		if (smmu->irqs[i] < 0)
			continue;
		plat_irq_disconnect(plat, (unsigned int)smmu->irqs[i]);
		smmu->irqs[i] = -1;
	}
	if (smmu->eventq.work.fn)
		plat_work_cancel(plat, &smmu->eventq.work);
}
