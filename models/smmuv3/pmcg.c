/* SPDX-License-Identifier: MIT */

/*
 * The performance monitor: one counter group (chapter 10) for the Non-secure streams, with
 * registers in two pages.
 *
 * While a counter is enabled every transaction takes the long way (lane.h), and what it does is
 * told here, event by event, when it happens: a counter is incremented under the group's lock, as
 * registers are read and written. Nothing is told otherwise.
 *
 * Of the choices (10.3): transactions that are terminated count, those that are retried count
 * again, and of prefetches and ATOS only the accesses do. Event 0 ticks with what the SMMU does. A
 * transaction misses the TLB, or the configuration cache, when it reads a table, or a structure.
 *
 * Locks: registers are written under `lock` of the SMMU, for the epochs and the interrupt's enable,
 * and the group's; the rest needs the group's alone.
 */

#include <weir/model/bus.h>

#include "smmuv3/internal.h"

#include <stdlib.h>

#define COUNTER_BITS 48u
#define PAGE_REGISTERS 0x1000u
#define IRQEN ((uint32_t)WEIR_SMMU_PMCG_IRQ_CTRL_IRQEN)
#define MSI_ATTRIBUTES (WEIR_SMMU_IRQ_CFG2_MEMATTR | WEIR_SMMU_IRQ_CFG2_SH)
#define EVTYPER_BITS                                                                               \
	(WEIR_SMMU_PMCG_EVTYPER_EVENT | WEIR_SMMU_PMCG_EVTYPER_SID_SPAN |                          \
	 WEIR_SMMU_PMCG_EVTYPER_OVFCAP)

struct counter {
	uint64_t value, shadow; /* EVCNTR, SVR */
	uint32_t type, filter;	/* EVTYPER, SMR */
};

struct smmu_pmcg {
	struct weir_model_smmuv3 *smmu;
	pthread_mutex_t lock;
	unsigned int count;
	struct counter counters[SMMU_PMCG_COUNTERS];
	uint64_t enabled, interrupts, overflows; /* CNTEN, INTEN, OVS */
	uint32_t cr;
	bool counting; /* transactions come here */
	/* Written under `lock` of the SMMU. */
	uint32_t irq_ctrl_asked, irq_ctrl, irq_status;
	struct smmu_msi msi;
};

/* ---- Counting ---------------------------------------------------------------------------- */

/* 10.4: above its lowest 0 a mask of a span says what has to match. A StreamID has sid_bits. */
static bool passes(const struct smmu_pmcg *pmcg, const struct counter *counter,
		   const struct smmu_access *access)
{
	uint64_t implemented = smmu_low_bits(pmcg->smmu->features.sid_bits);
	unsigned int ignored = 0;

	if (access->bank != &pmcg->smmu->ns)
		return false;
	if (counter->type & WEIR_SMMU_PMCG_EVTYPER_SID_SPAN)
		ignored = (unsigned int)__builtin_ctzll(~(uint64_t)counter->filter) + 1;
	return !(((counter->filter ^ access->sid) & implemented) >> ignored);
}

static void capture(struct smmu_pmcg *pmcg)
{
	for (unsigned int i = 0; i < pmcg->count; i++)
		pmcg->counters[i].shadow = pmcg->counters[i].value;
}

/* 10.2.1. True: it interrupts. */
static bool increment(struct smmu_pmcg *pmcg, unsigned int n)
{
	struct counter *counter = &pmcg->counters[n];

	counter->value = (counter->value + 1) & smmu_low_bits(COUNTER_BITS);
	if (counter->value)
		return false;
	pmcg->overflows |= WEIR_BIT(n);
	if (counter->type & WEIR_SMMU_PMCG_EVTYPER_OVFCAP)
		capture(pmcg);
	return pmcg->interrupts & WEIR_BIT(n);
}

static bool count(struct smmu_pmcg *pmcg, const struct smmu_access *access, unsigned int event)
{
	uint64_t left = pmcg->counting ? pmcg->enabled : 0;
	bool interrupts = false;

	for (; left; left &= left - 1) {
		unsigned int n = (unsigned int)__builtin_ctzll(left);
		const struct counter *counter = &pmcg->counters[n];

		if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_PMCG_EVTYPER_EVENT, counter->type) == event &&
		    (!access || passes(pmcg, counter, access)))
			interrupts |= increment(pmcg, n);
	}
	return interrupts;
}

void weir_model_smmu_pmcg_count(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
				unsigned int event)
{
	struct smmu_pmcg *pmcg = smmu->pmcg;
	bool interrupts;

	if (!pmcg)
		return;
	pthread_mutex_lock(&pmcg->lock);
	interrupts = count(pmcg, access, event);
	pthread_mutex_unlock(&pmcg->lock);
	if (!interrupts)
		return;
	/* step() sends it: here the host would be called with a transaction in flight. */
	weir_model_smmu_raise(&smmu->ns, WEIR_MODEL_SMMUV3_PMCG);
	weir_model_kick(&smmu->stepper);
}

void weir_model_smmu_pmcg_transaction(const struct smmu_access *access, uint16_t flags)
{
	struct weir_model_smmuv3 *smmu = access->smmu;

	weir_model_smmu_pmcg_count(smmu, NULL, WEIR_SMMU_PMCG_CYCLE);
	weir_model_smmu_pmcg_count(smmu, access, WEIR_SMMU_PMCG_TRANSACTION);
	if (*access->misses & 1u << WEIR_SMMU_PMCG_TLB_MISS)
		weir_model_smmu_pmcg_count(smmu, access, WEIR_SMMU_PMCG_TLB_MISS);
	if (*access->misses & 1u << WEIR_SMMU_PMCG_CONFIG_MISS)
		weir_model_smmu_pmcg_count(smmu, access, WEIR_SMMU_PMCG_CONFIG_MISS);
	if (flags & WEIR_MODEL_TXN_ATS_REQUEST)
		weir_model_smmu_pmcg_count(smmu, access, WEIR_SMMU_PMCG_ATS_REQUEST);
	else if (flags & WEIR_MODEL_TXN_TRANSLATED)
		weir_model_smmu_pmcg_count(smmu, access, WEIR_SMMU_PMCG_ATS_TRANSLATED);
}

/* ---- Interrupt --------------------------------------------------------------------------- */

const struct smmu_msi *weir_model_smmu_pmcg_msi(const struct weir_model_smmuv3 *smmu)
{
	return smmu->pmcg ? &smmu->pmcg->msi : NULL;
}

void weir_model_smmu_pmcg_msi_aborted(struct weir_model_smmuv3 *smmu)
{
	smmu_reg_set(&smmu->pmcg->irq_status, (uint32_t)WEIR_SMMU_PMCG_IRQ_STATUS_ABT);
}

/* 10.5.2.19: an MSI that is on its way arrives first. 10.5.2.24: IRQ_ABT is of this time alone. */
void weir_model_smmu_pmcg_acknowledge(struct weir_model_smmuv3 *smmu)
{
	struct smmu_pmcg *pmcg = smmu->pmcg;
	bool on;

	if (!pmcg || pmcg->irq_ctrl == pmcg->irq_ctrl_asked)
		return;
	on = pmcg->irq_ctrl_asked;
	if (on)
		smmu_reg_set(&pmcg->irq_status, 0);
	if (weir_model_smmu_enable_irqs(&smmu->ns, SMMU_IRQ_PMCG, on ? SMMU_IRQ_PMCG : 0))
		return;
	smmu_reg_set(&pmcg->irq_ctrl, pmcg->irq_ctrl_asked);
}

/* 6.3.9: what was asked for and is not acknowledged is not changed. */
static void write_irq_ctrl(struct smmu_pmcg *pmcg, uint32_t value)
{
	if (pmcg->irq_ctrl != pmcg->irq_ctrl_asked)
		return;
	smmu_reg_set(&pmcg->irq_ctrl_asked, value & IRQEN);
	if (pmcg->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		weir_model_kick(&pmcg->smmu->stepper);
	else
		weir_model_smmu_pmcg_acknowledge(pmcg->smmu);
}

static bool has_msi(const struct smmu_pmcg *pmcg)
{
	return pmcg->smmu->memory.host.ops->msi;
}

/* ---- Registers --------------------------------------------------------------------------- */

/* What RELOC_CTRS moves to page 1. */
static bool is_relocated(uint64_t reg)
{
	return reg < WEIR_SMMU_PMCG_EVTYPER ||
	       (reg >= WEIR_SMMU_PMCG_SVR && reg < WEIR_SMMU_PMCG_SMR) ||
	       (reg & ~(uint64_t)7) == WEIR_SMMU_PMCG_OVSCLR0 ||
	       (reg & ~(uint64_t)7) == WEIR_SMMU_PMCG_OVSSET0 || reg == WEIR_SMMU_PMCG_CAPR;
}

/* The register at an offset of the two pages; false: none can be there. */
static bool find(uint64_t offset, uint64_t *reg)
{
	bool second = offset >= WEIR_MODEL_SMMUV3_PMCG_PAGE1;

	*reg = offset % WEIR_MODEL_SMMUV3_PMCG_PAGE1;
	return *reg < PAGE_REGISTERS && is_relocated(*reg) == second;
}

/* The counter that one of an array of registers is of; NULL: of none. */
static struct counter *counter_at(struct smmu_pmcg *pmcg, uint64_t reg, uint64_t array,
				  unsigned int stride)
{
	uint64_t n = (reg - array) / stride;

	return reg >= array && n < pmcg->count ? &pmcg->counters[n] : NULL;
}

static uint32_t cfgr(const struct smmu_pmcg *pmcg)
{
	return (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_PMCG_CFGR_NCTR, pmcg->count - 1) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_PMCG_CFGR_SIZE, COUNTER_BITS - 1) |
			  WEIR_SMMU_PMCG_CFGR_RELOC_CTRS | WEIR_SMMU_PMCG_CFGR_CAPTURE |
			  (has_msi(pmcg) ? WEIR_SMMU_PMCG_CFGR_MSI : 0));
}

/* 10.3: all that the architecture has. */
static uint64_t ceid0(const struct smmu_pmcg *pmcg)
{
	return smmu_low_bits(pmcg->smmu->features.ats ? WEIR_SMMU_PMCG_ATS_TRANSLATED + 1 :
							WEIR_SMMU_PMCG_CONFIG_ACCESS + 1);
}

/* A register of 64 bits, at its lower half; the rest are pairs of 32. */
static bool read_wide(struct smmu_pmcg *pmcg, uint64_t reg, uint64_t *value)
{
	const struct counter *counter;

	switch (reg) {
	case WEIR_SMMU_PMCG_CNTENSET0:
	case WEIR_SMMU_PMCG_CNTENCLR0:
		*value = pmcg->enabled;
		return true;
	case WEIR_SMMU_PMCG_INTENSET0:
	case WEIR_SMMU_PMCG_INTENCLR0:
		*value = pmcg->interrupts;
		return true;
	case WEIR_SMMU_PMCG_OVSSET0:
	case WEIR_SMMU_PMCG_OVSCLR0:
		*value = pmcg->overflows;
		return true;
	case WEIR_SMMU_PMCG_CEID0:
		*value = ceid0(pmcg);
		return true;
	case WEIR_SMMU_PMCG_IRQ_CFG0:
		*value = smmu_reg64(&pmcg->msi.cfg0);
		return true;
	default:
		break;
	}
	if (reg < WEIR_SMMU_PMCG_EVTYPER) {
		counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_EVCNTR, 8);
		*value = counter ? counter->value : 0;
		return true;
	}
	if (reg < WEIR_SMMU_PMCG_SVR || reg >= WEIR_SMMU_PMCG_SMR)
		return false;
	counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_SVR, 8);
	*value = counter ? counter->shadow : 0;
	return true;
}

/* 10.5.2.24: SMMUv3.0 has no such register. */
static uint32_t read_irq_status(const struct smmu_pmcg *pmcg)
{
	return pmcg->smmu->features.minor ? smmu_reg(&pmcg->irq_status) : 0;
}

static uint32_t read_narrow(struct smmu_pmcg *pmcg, uint64_t reg)
{
	const struct counter *counter;

	switch (reg) {
	case WEIR_SMMU_PMCG_CFGR:
		return cfgr(pmcg);
	case WEIR_SMMU_PMCG_CR:
		return pmcg->cr;
	case WEIR_SMMU_PMCG_IRQ_CTRL:
		return smmu_reg(&pmcg->irq_ctrl_asked);
	case WEIR_SMMU_PMCG_IRQ_CTRLACK:
		return smmu_reg(&pmcg->irq_ctrl);
	case WEIR_SMMU_PMCG_IRQ_CFG1:
		return smmu_reg(&pmcg->msi.cfg1);
	case WEIR_SMMU_PMCG_IRQ_CFG2:
		return smmu_reg(&pmcg->msi.cfg2);
	case WEIR_SMMU_PMCG_IRQ_STATUS:
		return read_irq_status(pmcg);
	case WEIR_SMMU_PMCG_AIDR:
		return pmcg->smmu->aidr;
	default:
		break;
	}
	counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_SMR, 4);
	if (counter)
		return counter->filter;
	counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_EVTYPER, 4);
	return counter ? counter->type : 0;
}

static uint32_t read_word(struct smmu_pmcg *pmcg, uint64_t offset)
{
	uint64_t reg, value;

	if (!find(offset, &reg))
		return 0;
	if (read_wide(pmcg, reg & ~(uint64_t)7, &value))
		return (uint32_t)(value >> (reg & 4) * 8);
	return read_narrow(pmcg, reg);
}

uint64_t weir_model_smmuv3_pmcg_read(struct weir_model_smmuv3 *smmu, uint64_t offset,
				     unsigned int size)
{
	struct smmu_pmcg *pmcg = smmu->pmcg;
	uint64_t value;

	if (!pmcg || (size != 4 && size != 8) || offset % size ||
	    offset >= WEIR_MODEL_SMMUV3_PMCG_MMIO_SIZE)
		return 0;
	pthread_mutex_lock(&pmcg->lock);
	value = read_word(pmcg, offset);
	if (size == 8)
		value |= (uint64_t)read_word(pmcg, offset + 4) << 32;
	pthread_mutex_unlock(&pmcg->lock);
	return value;
}

/* `bits` of a half of a register are set or cleared (W1S, W1C). Those of no counter are RES0. */
static bool write_bits(struct smmu_pmcg *pmcg, uint64_t reg, uint64_t bits)
{
	bits &= smmu_low_bits(pmcg->count);
	switch (reg) {
	case WEIR_SMMU_PMCG_CNTENSET0:
		pmcg->enabled |= bits;
		return true;
	case WEIR_SMMU_PMCG_CNTENCLR0:
		pmcg->enabled &= ~bits;
		return true;
	case WEIR_SMMU_PMCG_INTENSET0:
		pmcg->interrupts |= bits;
		return true;
	case WEIR_SMMU_PMCG_INTENCLR0:
		pmcg->interrupts &= ~bits;
		return true;
	case WEIR_SMMU_PMCG_OVSSET0: /* without the effects of an overflow (10.5.2.10) */
		pmcg->overflows |= bits;
		return true;
	case WEIR_SMMU_PMCG_OVSCLR0:
		pmcg->overflows &= ~bits;
		return true;
	default:
		return false;
	}
}

/* 10.5.2.21 to 10.5.2.23: guarded by IRQEN. Without MSIs they are RES0. */
static void write_msi(struct smmu_pmcg *pmcg, uint64_t reg, uint32_t value)
{
	uint64_t addr = WEIR_SMMU_IRQ_CFG0_ADDR & smmu_low_bits(pmcg->smmu->features.oas);
	unsigned int shift = (reg & 4) * 8;
	struct smmu_msi *msi = &pmcg->msi;

	if (!has_msi(pmcg) || ((pmcg->irq_ctrl | pmcg->irq_ctrl_asked) & IRQEN))
		return;
	if (reg == WEIR_SMMU_PMCG_IRQ_CFG1)
		smmu_reg_set(&msi->cfg1, value);
	else if (reg == WEIR_SMMU_PMCG_IRQ_CFG2)
		smmu_reg_set(&msi->cfg2, value & (uint32_t)MSI_ATTRIBUTES);
	else
		smmu_reg64_set(&msi->cfg0,
			       (smmu_reg64(&msi->cfg0) & ~((uint64_t)UINT32_MAX << shift)) |
				       ((uint64_t)value << shift & addr));
}

static void write_counter(struct smmu_pmcg *pmcg, uint64_t reg, uint32_t value)
{
	struct counter *counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_EVCNTR, 8);
	unsigned int shift = (reg & 4) * 8;

	if (reg < WEIR_SMMU_PMCG_EVTYPER) {
		if (counter)
			counter->value = ((counter->value & ~((uint64_t)UINT32_MAX << shift)) |
					  (uint64_t)value << shift) &
					 smmu_low_bits(COUNTER_BITS);
		return;
	}
	counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_SMR, 4);
	if (counter) {
		counter->filter = value & (uint32_t)smmu_low_bits(pmcg->smmu->features.sid_bits);
		return;
	}
	counter = counter_at(pmcg, reg, WEIR_SMMU_PMCG_EVTYPER, 4);
	if (counter)
		counter->type = value & (uint32_t)EVTYPER_BITS;
}

/* Both locks are held. */
static void write_word(struct smmu_pmcg *pmcg, uint64_t offset, uint32_t value)
{
	uint64_t reg;

	if (!find(offset, &reg))
		return;
	if (write_bits(pmcg, reg & ~(uint64_t)7, (uint64_t)value << (reg & 4) * 8))
		return;
	switch (reg) {
	case WEIR_SMMU_PMCG_CAPR:
		if (value & WEIR_SMMU_PMCG_CAPR_CAPTURE)
			capture(pmcg);
		return;
	case WEIR_SMMU_PMCG_CR:
		pmcg->cr = value & (uint32_t)WEIR_SMMU_PMCG_CR_E;
		return;
	case WEIR_SMMU_PMCG_IRQ_CTRL:
		write_irq_ctrl(pmcg, value);
		return;
	case WEIR_SMMU_PMCG_IRQ_CFG0:
	case WEIR_SMMU_PMCG_IRQ_CFG0 + 4:
	case WEIR_SMMU_PMCG_IRQ_CFG1:
	case WEIR_SMMU_PMCG_IRQ_CFG2:
		write_msi(pmcg, reg, value);
		return;
	default:
		write_counter(pmcg, reg, value);
		return;
	}
}

void weir_model_smmuv3_pmcg_write(struct weir_model_smmuv3 *smmu, uint64_t offset,
				  unsigned int size, uint64_t value)
{
	struct smmu_pmcg *pmcg = smmu->pmcg;
	bool counting;

	if (!pmcg || (size != 4 && size != 8) || offset % size ||
	    offset >= WEIR_MODEL_SMMUV3_PMCG_MMIO_SIZE)
		return;
	pthread_mutex_lock(&smmu->lock);
	pthread_mutex_lock(&pmcg->lock);
	write_word(pmcg, offset, (uint32_t)value);
	if (size == 8)
		write_word(pmcg, offset + 4, (uint32_t)(value >> 32));
	counting = pmcg->cr && pmcg->enabled;
	if (counting != pmcg->counting)
		weir_model_smmu_set_counting(smmu, counting);
	pmcg->counting = counting;
	pthread_mutex_unlock(&pmcg->lock);
	pthread_mutex_unlock(&smmu->lock);
}

static enum weir_model_result mmio_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	(void)requester;
	*value = weir_model_smmuv3_pmcg_read(opaque, offset, size);
	return WEIR_MODEL_OK;
}

static enum weir_model_result mmio_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	(void)requester;
	weir_model_smmuv3_pmcg_write(opaque, offset, size, value);
	return WEIR_MODEL_OK;
}

const struct weir_model_mmio_ops weir_model_smmuv3_pmcg_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_smmu_pmcg_init(struct weir_model_smmuv3 *smmu, unsigned int counters)
{
	struct smmu_pmcg *pmcg;

	if (!counters)
		return 0;
	pmcg = calloc(1, sizeof(*pmcg));
	if (!pmcg || pthread_mutex_init(&pmcg->lock, NULL)) {
		free(pmcg);
		return -WEIR_ENOMEM;
	}
	pmcg->smmu = smmu;
	pmcg->count = counters;
	smmu->pmcg = pmcg;
	return 0;
}

void weir_model_smmu_pmcg_fini(struct weir_model_smmuv3 *smmu)
{
	if (!smmu->pmcg)
		return;
	pthread_mutex_destroy(&smmu->pmcg->lock);
	free(smmu->pmcg);
}
