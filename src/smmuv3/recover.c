/* SPDX-License-Identifier: MIT */
/*
 * Starting anew: after a failure that cannot be repaired (its command queue, service failure mode),
 * and around a suspension. Stream table, context descriptors and page tables are memory: all that
 * the SMMU has lost are registers and caches, and both are filled again from there. So whatever was
 * attached is attached afterwards, as it is in memory by then.
 *
 * While it does not work every access is aborted, by GBPA.ABORT without SMMUEN. After a failure
 * calls end with -WEIR_EIO until it works again; what had been sent is answered so, too, as nobody
 * knows how much of it was done. While it is suspended commands have nothing to invalidate and are
 * dropped: everything is, before SMMUEN is set again.
 *
 * Locking: what is here runs under weir.lock, from the work item, weir_suspend() and weir_resume().
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

#define TRIES 3u	  /* in a row */
#define RECOVERIES_MAX 8u /* in all: one that fails again and again is not worth more */

/*
 * Numbers go on where they were, since a producer may be anywhere between two steps: what it does
 * later is as right as ever. Publishers are kept out meanwhile; what they leave is published at
 * the end.
 */
void weir_smmuv3_cmdq_program(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	uint32_t index;
	uint64_t at;

	/* As at [enter] and [leave] of cmdq.c. */
	while (__atomic_exchange_n(&q->publishing, 1, __ATOMIC_ACQ_REL))
		plat_relax(smmu->iommu.weir->plat);
	at = __atomic_load_n(&q->published, __ATOMIC_RELAXED);
	index = (uint32_t)(at & (2 * q->entries - 1));
	/* Relaxed, but before CONS says that all was consumed: see weir_smmuv3_issue(). */
	__atomic_fetch_add(&q->starts, 1, __ATOMIC_RELAXED);
	plat_dma_wmb();
	/* In this order: BASE decides which bits of the indexes exist (6.3.26). */
	weir_smmuv3_write64(smmu, WEIR_SMMU_CMDQ_BASE,
			    weir_smmuv3_queue_base(&q->memory, q->entries));
	weir_smmuv3_write(smmu, WEIR_SMMU_CMDQ_PROD, index);
	weir_smmuv3_write(smmu, WEIR_SMMU_CMDQ_CONS, index);
	/* Release: behind the count; pairs with the acquire at [seen] there. */
	__atomic_store_n(&q->consumed, at, __ATOMIC_RELEASE);
	__atomic_store_n(&q->is_stuck, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&q->is_broken, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&q->is_off, 0, __ATOMIC_RELAXED);
	q->error_at = 0;
	__atomic_exchange_n(&q->publishing, 0, __ATOMIC_ACQ_REL);
	/* Not with the next batch: they may be all that the queue holds, and be waited for. */
	weir_smmuv3_cmdq_publish(smmu);
}

static struct weir_smmuv3 *smmu_of(struct weir_iommu *iommu)
{
	return WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
}

static int start_anew(struct weir_smmuv3 *smmu)
{
	int ret = weir_smmuv3_disable(smmu);

	if (!ret)
		ret = weir_smmuv3_enable(smmu, false);
	if (!ret)
		ret = weir_smmuv3_open(smmu);
	/* Half a start is none: nothing passes, and who asks hears so at once. */
	if (ret) {
		__atomic_store_n(&smmu->cmdq.is_broken, 1, __ATOMIC_RELAXED);
		(void)weir_smmuv3_disable(smmu);
	}
	return ret;
}

/* From now on a failure queues the work item; the one that came before this does now. */
static void set_live(struct weir_smmuv3 *smmu)
{
	uintptr_t flags = weir_lock_irq(&smmu->gerror_lock);

	__atomic_store_n(&smmu->own.is_live, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		weir_smmuv3_fail(smmu);
	weir_unlock_irq(&smmu->gerror_lock, flags);
}

static void recover(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;
	unsigned int tries = 0;
	int ret = -WEIR_EIO;

	/* What fails from here on is this start's business: it queues no other one. */
	__atomic_store_n(&smmu->own.is_live, 0, __ATOMIC_RELAXED);
	if (smmu->own.recoveries++ >= RECOVERIES_MAX)
		(void)weir_smmuv3_disable(smmu);
	else
		while (ret && tries++ < TRIES)
			ret = start_anew(smmu);
	if (!ret)
		set_live(smmu);
	if (ret)
		weir_log(weir, WEIR_LOG_ERR,
			 "%s: it could not be started anew (%d): every device behind it stays "
			 "blocked",
			 smmu->iommu.name, ret);
	else
		weir_log(weir, WEIR_LOG_WARN, "%s: it was started anew and works again",
			 smmu->iommu.name);
}

static void recovery_work(struct weir_work *work)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(work, struct weir_smmuv3, own.recovery);
	struct weir *weir = smmu->iommu.weir;

	plat_mutex_lock(weir->plat, &weir->lock);
	/* Suspended: it starts anew in any case. */
	if (!smmu->own.is_suspended && __atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		recover(smmu);
	plat_mutex_unlock(weir->plat, &weir->lock);
}

void weir_smmuv3_recovery_init(struct weir_smmuv3 *smmu)
{
	smmu->own.recovery.fn = recovery_work;
	set_live(smmu);
}

void weir_smmuv3_recovery_stop(struct weir_smmuv3 *smmu)
{
	uintptr_t flags = weir_lock_irq(&smmu->gerror_lock);

	/* Under the lock of who queues the work: nobody does after this. */
	__atomic_store_n(&smmu->own.is_live, 0, __ATOMIC_RELAXED);
	weir_unlock_irq(&smmu->gerror_lock, flags);
	if (smmu->own.recovery.fn)
		plat_work_cancel(smmu->iommu.weir->plat, &smmu->own.recovery);
}

void weir_smmuv3_fail(struct weir_smmuv3 *smmu)
{
	__atomic_store_n(&smmu->cmdq.is_broken, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&smmu->own.is_live, __ATOMIC_RELAXED))
		plat_work_queue(smmu->iommu.weir->plat, &smmu->own.recovery);
}

int weir_smmuv3_suspend(struct weir_iommu *iommu)
{
	struct weir_smmuv3 *smmu = smmu_of(iommu);
	int ret;

	if (iommu->weir->mode == WEIR_MODE_OFF || smmu->own.is_suspended)
		return 0;
	smmu->own.is_suspended = true;
	ret = weir_smmuv3_stop(smmu);
	/* What it said last; EVENTQ_PROD is final by then (7.2.1). */
	weir_smmuv3_eventq_drain(smmu);
	if (smmu->own.priq)
		smmu->own.priq->drain(smmu);
	/* One that failed stays so: then nothing was confirmed, and is not now. */
	if (!ret && !__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		__atomic_store_n(&smmu->cmdq.is_off, 1, __ATOMIC_RELAXED);
	return ret;
}

int weir_smmuv3_resume(struct weir_iommu *iommu)
{
	struct weir_smmuv3 *smmu = smmu_of(iommu);
	int ret;

	if (iommu->weir->mode == WEIR_MODE_OFF)
		return weir_smmuv3_let_all_pass(smmu);
	if (!smmu->own.is_suspended)
		return 0;
	ret = start_anew(smmu);
	if (!ret)
		smmu->own.is_suspended = false;
	return ret;
}
