/* SPDX-License-Identifier: MIT */
/*
 * Interrupts (3.18): for events, global errors and page requests, each by a message of its own
 * where the SMMU can send them (IDR0.MSI) and firmware says to which controller, else by wire: one
 * for each, or one for several.
 *
 * A message of the SMMU's own is not translated: its address is the doorbell's, physical.
 *
 * Which ones are used is decided once. Handlers are connected when the queues are there, and stay
 * when the SMMU is suspended or starts anew.
 */

#include "smmuv3/regs.h"

#define DEVICE_NGNRE 1u /* STE.MemAttr (5.2); 3.18 recommends it for registers of others */

static const struct {
	const char *name;
	uint32_t cfg0, cfg1, cfg2;
	uint64_t enable;
} sources[WEIR_SMMUV3_SOURCES] = {
	[WEIR_SMMUV3_EVENTQ] = { "events", WEIR_SMMU_EVENTQ_IRQ_CFG0, WEIR_SMMU_EVENTQ_IRQ_CFG1,
				 WEIR_SMMU_EVENTQ_IRQ_CFG2, WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN },
	[WEIR_SMMUV3_GERROR] = { "errors", WEIR_SMMU_GERROR_IRQ_CFG0, WEIR_SMMU_GERROR_IRQ_CFG1,
				 WEIR_SMMU_GERROR_IRQ_CFG2, WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN },
	[WEIR_SMMUV3_PRIQ] = { "page requests", WEIR_SMMU_PRIQ_IRQ_CFG0, WEIR_SMMU_PRIQ_IRQ_CFG1,
			       WEIR_SMMU_PRIQ_IRQ_CFG2, WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN },
};

/* The page request queue comes last. */
static unsigned int nr_sources(const struct weir_smmuv3 *smmu)
{
	return smmu->own.priq ? WEIR_SMMUV3_SOURCES : WEIR_SMMUV3_PRIQ;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void free_messages(struct weir_smmuv3 *smmu)
{
	while (smmu->own.nr_msis)
		plat_msi_free(smmu->iommu.weir->plat, &smmu->own.msi[--smmu->own.nr_msis]);
}

/* All that are needed, or none. */
static int alloc_messages(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc)
{
	struct weir_smmuv3_own *own = &smmu->own;
	int ret = 0;

	while (own->nr_msis < nr_sources(smmu)) {
		struct weir_msi *msi = &own->msi[own->nr_msis];

		ret = plat_msi_alloc(smmu->iommu.weir->plat, desc->msi_controller,
				     desc->msi_device_id, own->nr_msis, 0, msi);
		if (ret)
			break;
		own->nr_msis++;
		/* Of an address that CFG0 cannot hold, or of 0, no message is sent (6.3.21). */
		if (!(uint64_t)msi->doorbell ||
		    (uint64_t)msi->doorbell & ~WEIR_SMMU_IRQ_CFG0_ADDR ||
		    (uint64_t)msi->doorbell >> smmu->features.pa_bits) {
			ret = -WEIR_ERANGE;
			break;
		}
	}
	if (ret)
		free_messages(smmu);
	return ret;
}

void weir_smmuv3_irqs_init(struct weir_smmuv3 *smmu, const struct weir_iommu_desc *desc)
{
	struct weir_smmuv3_own *own = &smmu->own;
	bool combined = desc->irq_combined >= 0;
	unsigned int i;
	int ret;

	for (i = 0; i < WEIR_SMMUV3_SOURCES; i++) {
		own->irqs[i].smmu = smmu;
		own->irqs[i].number = -1;
	}
	own->wired[WEIR_SMMUV3_EVENTQ] = combined ? desc->irq_combined : desc->irq_eventq;
	own->wired[WEIR_SMMUV3_GERROR] = combined ? desc->irq_combined : desc->irq_gerror;
	own->wired[WEIR_SMMUV3_PRIQ] = combined ? desc->irq_combined : desc->irq_priq;
	if (!smmu->features.msi || !desc->has_msi)
		return;
	ret = alloc_messages(smmu, desc);
	if (ret)
		weir_log(smmu->iommu.weir, WEIR_LOG_WARN,
			 "%s: no messages for its interrupts (%d): its wires are used",
			 smmu->iommu.name, ret);
}

void weir_smmuv3_irqs_program(struct weir_smmuv3 *smmu)
{
	const struct weir_smmuv3_own *own = &smmu->own;
	unsigned int i;

	/* RES0, or not there at all, without (6.3.21). */
	for (i = 0; smmu->features.msi && i < nr_sources(smmu); i++) {
		if (i < own->nr_msis) {
			weir_smmuv3_write(smmu, sources[i].cfg1, own->msi[i].data);
			weir_smmuv3_write(smmu, sources[i].cfg2, DEVICE_NGNRE);
		}
		/* ADDR 0: no message, the wire is used. */
		weir_smmuv3_write64(smmu, sources[i].cfg0,
				    i < own->nr_msis ? (uint64_t)own->msi[i].doorbell : 0);
	}
}

uint32_t weir_smmuv3_irqs_enables(const struct weir_smmuv3 *smmu)
{
	uint32_t enables = 0;
	unsigned int i;

	for (i = 0; i < nr_sources(smmu); i++)
		enables |= (uint32_t)sources[i].enable;
	return enables;
}

/* ---- Handlers -------------------------------------------------------------------------------- */

static void handle(void *arg)
{
	const struct weir_smmuv3_irq *irq = arg;
	struct weir_smmuv3 *smmu = irq->smmu;

	if (irq->sources & 1u << WEIR_SMMUV3_EVENTQ)
		weir_smmuv3_eventq_drain(smmu);
	if (irq->sources & 1u << WEIR_SMMUV3_PRIQ)
		smmu->own.priq->drain(smmu);
	if (irq->sources & 1u << WEIR_SMMUV3_GERROR)
		weir_smmuv3_check_errors(smmu);
}

static int number_of(const struct weir_smmuv3_own *own, unsigned int source)
{
	return own->nr_msis ? (int)own->msi[source].irq : own->wired[source];
}

/* What each distinct interrupt is about. */
static unsigned int sort(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_own *own = &smmu->own;
	unsigned int i, k, n = 0;

	for (i = 0; i < nr_sources(smmu); i++) {
		int number = number_of(own, i);

		if (number < 0) {
			weir_log(smmu->iommu.weir, WEIR_LOG_WARN,
				 i == WEIR_SMMUV3_EVENTQ ?
					 "%s: no interrupt for %s: blocked accesses will not be "
					 "reported" :
					 "%s: no interrupt for %s",
				 smmu->iommu.name, sources[i].name);
			continue;
		}
		for (k = 0; k < n && own->irqs[k].number != number; k++)
			;
		if (k == n)
			own->irqs[n++].sources = 0;
		own->irqs[k].number = number;
		own->irqs[k].sources |= 1u << i;
	}
	return n;
}

int weir_smmuv3_irqs_connect(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;
	unsigned int i, n = sort(smmu);
	int ret;

	for (i = 0; i < n; i++) {
		struct weir_smmuv3_irq *irq = &smmu->own.irqs[i];

		ret = plat_irq_connect(weir->plat, (unsigned int)irq->number,
				       smmu->own.nr_msis ? 0 : WEIR_CPU_ANY, handle, irq);
		if (!ret)
			continue;
		weir_log(weir, WEIR_LOG_ERR, "%s: interrupt %d cannot be connected (%d)",
			 smmu->iommu.name, irq->number, ret);
		for (; i < n; i++)
			smmu->own.irqs[i].number = -1;
		return ret;
	}
	return 0;
}

void weir_smmuv3_irqs_disconnect(struct weir_smmuv3 *smmu)
{
	void *plat = smmu->iommu.weir->plat;
	unsigned int i;

	for (i = 0; i < WEIR_SMMUV3_SOURCES; i++) {
		struct weir_smmuv3_irq *irq = &smmu->own.irqs[i];

		if (irq->smmu && irq->number >= 0)
			plat_irq_disconnect(plat, (unsigned int)irq->number);
		irq->number = -1;
	}
	free_messages(smmu);
	if (smmu->eventq.work.fn)
		plat_work_cancel(plat, &smmu->eventq.work);
}
