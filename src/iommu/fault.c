/* SPDX-License-Identifier: MIT */

/*
 * Faults that IOMMUs report: counted, offered to the handlers, logged within limits.
 *
 * From the look-up of the device to the last line about it the report is a reader of streams.c, so
 * that device, domain and handlers stay while it uses them.
 */

#include "iommu/iommu.h"

#include "base/lock.h"

#define LINE_SIZE 256

void weir_faults_init(struct weir *weir)
{
	weir_limit_init(&weir->overflow_limit, weir, "reports of lost events were");
	weir_limit_init(&weir->dma_limit, weir, "refused calls of the DMA API were");
}

void weir_faults_fini(struct weir *weir)
{
	weir_limit_fini(&weir->overflow_limit);
	weir_limit_fini(&weir->dma_limit);
}

/* The handler is called without the lock: it may ask the stack things. */
static bool ask(struct weir_spinlock *lock, weir_fault_fn **fn, void **arg,
		const struct weir_fault *fault)
{
	uintptr_t flags = weir_lock_irq(lock);
	weir_fault_fn *handler = *fn;
	void *handler_arg = *arg;

	weir_unlock_irq(lock, flags);
	return handler && handler(handler_arg, fault);
}

static void log_fault(struct weir *weir, const struct weir_fault *fault)
{
	char line[LINE_SIZE];

	if (!weir_storms_pass(weir->storms, fault))
		return;
	weir_fault_describe(fault, line, sizeof(line));
	weir_log(weir, WEIR_LOG_ERR, "%s", line);
	weir_stat_add(weir, WEIR_STAT_FAULTS_LOGGED, 1);
}

void weir_iommu_report_fault(struct weir_fault *fault)
{
	struct weir *weir = fault->iommu->weir;
	/*
	 * A work item reports as an interrupt does: handlers are promised that, and who waits for
	 * readers must not wait for one that was preempted.
	 */
	uintptr_t flags = plat_irq_save();
	unsigned int token = weir_streams_enter(weir);
	struct weir_domain *domain;
	bool taken = false;

	weir_stat_add(weir, WEIR_STAT_FAULTS, 1);
	fault->dev = weir_streams_find(fault->iommu, fault->id, &domain);
	if (domain)
		taken = ask(&domain->fault_lock, &domain->fault_fn, &domain->fault_arg, fault);
	if (!taken)
		taken = ask(&weir->fault_lock, &weir->fault_fn, &weir->fault_arg, fault);
	if (!taken)
		log_fault(weir, fault);
	weir_streams_exit(weir, token);
	plat_irq_restore(flags);
}

void weir_iommu_report_overflow(struct weir_iommu *iommu)
{
	weir_stat_add(iommu->weir, WEIR_STAT_EVENT_OVERFLOWS, 1);
	if (weir_limit_pass(&iommu->weir->overflow_limit))
		weir_log(iommu->weir, WEIR_LOG_WARN,
			 "%s: events were lost: its queue was full (nothing is blocked less)",
			 iommu->name);
}

void weir_set_fault_handler(struct weir *weir, weir_fault_fn *fn, void *arg)
{
	uintptr_t flags;

	plat_mutex_lock(weir->plat, &weir->lock);
	flags = weir_lock_irq(&weir->fault_lock);
	weir->fault_fn = fn;
	weir->fault_arg = arg;
	weir_unlock_irq(&weir->fault_lock, flags);
	/* The old handler is not running any more when this returns. */
	weir_streams_wait(weir);
	plat_mutex_unlock(weir->plat, &weir->lock);
}
