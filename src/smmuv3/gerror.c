/* SPDX-License-Identifier: MIT */
/*
 * Global errors (6.3.19, 6.3.20, 7.5): reported within limits, and what can be done about each.
 *
 *   CMDQ_ERR       the refused command is replaced (cmdq.c); if it cannot be, all starts anew
 *   *Q_ABT_ERR     records may be lost: said, and the queue is looked at
 *   MSI_*_ABT_ERR  nobody may have been told of what is in a queue: it is looked at
 *   SFM_ERR        the SMMU has stopped (12.3): calls fail at once, and all starts anew
 *
 * Everything here is under gerror_lock, with which no handler may be called: queues are looked at
 * from their work items.
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

static const struct {
	uint64_t bit;
	const char *text;
} errors[] = {
	{ WEIR_SMMU_GERROR_CMDQ_ERR, NULL }, /* weir_smmuv3_cmdq_report() says it */
	{ WEIR_SMMU_GERROR_EVENTQ_ABT_ERR,
	  "it could not write its event queue; events may be lost" },
	{ WEIR_SMMU_GERROR_PRIQ_ABT_ERR,
	  "it could not write its page request queue; requests may be lost" },
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
	if (__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		weir_smmuv3_fail(smmu);
}

/* Those that are active and known, each with its line. Not inlined: repair() is the deeper one. */
static __attribute__((noinline)) uint32_t report(struct weir_smmuv3 *smmu, uint32_t active)
{
	uint32_t known = 0;
	unsigned int i;

	for (i = 0; i < WEIR_ARRAY_SIZE(errors); i++) {
		uint32_t bit = (uint32_t)errors[i].bit;

		known |= bit;
		if (active & bit && errors[i].text && weir_limit_pass(&smmu->limit))
			weir_log(smmu->iommu.weir, WEIR_LOG_ERR, "%s: %s", smmu->iommu.name,
				 errors[i].text);
	}
	return active & known;
}

static void handle_errors_locked(struct weir_smmuv3 *smmu)
{
	uint32_t active = report(smmu, weir_smmuv3_read(smmu, WEIR_SMMU_GERROR) ^ smmu->gerrorn);

	/*
	 * 7.5: records were lost. QEMU's SMMU says so in place of 7.4's flag when its queue is
	 * full.
	 */
	if (active & (uint32_t)WEIR_SMMU_GERROR_EVENTQ_ABT_ERR)
		weir_stat_add(smmu->iommu.weir, WEIR_STAT_EVENT_OVERFLOWS, 1);
	if (active &
	    (uint32_t)(WEIR_SMMU_GERROR_EVENTQ_ABT_ERR | WEIR_SMMU_GERROR_PRIQ_ABT_ERR |
		       WEIR_SMMU_GERROR_MSI_EVENTQ_ABT_ERR | WEIR_SMMU_GERROR_MSI_PRIQ_ABT_ERR))
		weir_smmuv3_eventq_aborted(smmu);
	if (active & (uint32_t)WEIR_SMMU_GERROR_SFM_ERR)
		weir_smmuv3_fail(smmu);
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
