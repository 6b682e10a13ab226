/* SPDX-License-Identifier: MIT */

/*
 * The register file (chapter 6): pages 0 and 1. Page 1 does not alias page 0, reserved locations
 * and bits read zero and ignore writes, and so does an access of a size that is not 4 or 8 (6.2).
 * Writes that a guard forbids are ignored (the choice that SMMUv3.2 makes the only one). Updates
 * of CR0 and IRQ_CTRL complete at once: their acknowledge registers show the same word.
 */

#include "smmuv3/internal.h"

#define CR0_BITS (WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)
#define CR1_QUEUE (WEIR_SMMU_CR1_QUEUE_IC | WEIR_SMMU_CR1_QUEUE_OC | WEIR_SMMU_CR1_QUEUE_SH)
#define CR1_TABLE (WEIR_SMMU_CR1_TABLE_IC | WEIR_SMMU_CR1_TABLE_OC | WEIR_SMMU_CR1_TABLE_SH)
#define CR2_BITS WEIR_SMMU_CR2_RECINVSID
#define IRQ_CTRL_BITS (WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN | WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN)
#define GERROR_BITS                                                                                \
	(WEIR_SMMU_GERROR_CMDQ_ERR | WEIR_SMMU_GERROR_EVENTQ_ABT_ERR | WEIR_SMMU_GERROR_SFM_ERR)
#define GBPA_BITS                                                                                  \
	(WEIR_SMMU_GBPA_MEMATTR | WEIR_SMMU_GBPA_MTCFG | WEIR_SMMU_GBPA_ALLOCCFG |                 \
	 WEIR_SMMU_GBPA_SHCFG | WEIR_SMMU_GBPA_PRIVCFG | WEIR_SMMU_GBPA_INSTCFG |                  \
	 WEIR_SMMU_GBPA_ABORT)
#define CMDQ_CONS_BITS (WEIR_SMMU_CMDQ_CONS_ERR | WEIR_SMMU_Q_INDEX)
#define EVENTQ_PROD_BITS (WEIR_SMMU_EVENTQ_PROD_OVFLG | WEIR_SMMU_Q_INDEX)
#define EVENTQ_CONS_BITS (WEIR_SMMU_EVENTQ_CONS_OVACKFLG | WEIR_SMMU_Q_INDEX)

/* The bits of an index above the wrap bit read as zero where the SMMU owns it (6.3.28, 6.3.95). */
static uint32_t index_read(const uint32_t *reg, const uint64_t *base, unsigned int max)
{
	unsigned int log2size = smmu_queue_log2size(smmu_reg64(base), max);

	return smmu_reg(reg) & (uint32_t)(~WEIR_SMMU_Q_INDEX | smmu_low_bits(log2size + 1));
}

/* An aligned 32-bit word; halves of 64-bit registers one by one (6.2). */
static uint32_t read_word(const struct weir_model_smmuv3 *smmu, uint64_t offset)
{
	const struct smmu_features *features = &smmu->features;

	switch (offset) {
	case WEIR_SMMU_IDR0:
	case WEIR_SMMU_IDR1:
	case WEIR_SMMU_IDR2:
	case WEIR_SMMU_IDR3:
	case WEIR_SMMU_IDR4:
	case WEIR_SMMU_IDR5:
		return smmu->idr[offset / 4];
	case WEIR_SMMU_AIDR:
		return smmu->aidr;
	case WEIR_SMMU_CR0:
	case WEIR_SMMU_CR0ACK:
		return smmu_reg(&smmu->cr0);
	case WEIR_SMMU_CR1:
		return smmu_reg(&smmu->cr1);
	case WEIR_SMMU_CR2:
		return smmu_reg(&smmu->cr2);
	case WEIR_SMMU_GBPA:
		return smmu_reg(&smmu->gbpa);
	case WEIR_SMMU_IRQ_CTRL:
	case WEIR_SMMU_IRQ_CTRLACK:
		return smmu_reg(&smmu->irq_ctrl);
	case WEIR_SMMU_GERROR:
		return smmu_reg(&smmu->gerror);
	case WEIR_SMMU_GERRORN:
		return smmu_reg(&smmu->gerrorn);
	case WEIR_SMMU_STRTAB_BASE:
		return (uint32_t)smmu_reg64(&smmu->strtab_base);
	case WEIR_SMMU_STRTAB_BASE + 4:
		return (uint32_t)(smmu_reg64(&smmu->strtab_base) >> 32);
	case WEIR_SMMU_STRTAB_BASE_CFG:
		return smmu_reg(&smmu->strtab_base_cfg);
	case WEIR_SMMU_CMDQ_BASE:
		return (uint32_t)smmu_reg64(&smmu->cmdq_base);
	case WEIR_SMMU_CMDQ_BASE + 4:
		return (uint32_t)(smmu_reg64(&smmu->cmdq_base) >> 32);
	case WEIR_SMMU_CMDQ_PROD:
		return smmu_reg(&smmu->cmdq_prod);
	case WEIR_SMMU_CMDQ_CONS:
		return index_read(&smmu->cmdq_cons, &smmu->cmdq_base, features->cmdqs);
	case WEIR_SMMU_EVENTQ_BASE:
		return (uint32_t)smmu_reg64(&smmu->eventq_base);
	case WEIR_SMMU_EVENTQ_BASE + 4:
		return (uint32_t)(smmu_reg64(&smmu->eventq_base) >> 32);
	case WEIR_SMMU_EVENTQ_PROD:
		return index_read(&smmu->eventq_prod, &smmu->eventq_base, features->eventqs);
	case WEIR_SMMU_EVENTQ_CONS:
		return smmu_reg(&smmu->eventq_cons);
	default:
		return 0;
	}
}

/*
 * 6.3.9. `lock` is held, so that no command is half consumed; evtq_lock makes the events that are
 * being written visible before EVENTQEN reads as 0 (6.3.9.4).
 */
static void write_cr0(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	uint32_t changed = (value ^ smmu_reg(&smmu->cr0)) & (uint32_t)CR0_BITS;

	pthread_mutex_lock(&smmu->evtq_lock);
	smmu_reg_set(&smmu->cr0, value & (uint32_t)CR0_BITS);
	pthread_mutex_unlock(&smmu->evtq_lock);
	/* 6.3.9.6: what is on its way inserts nothing into the caches once SMMUEN reads as 0. */
	if (changed & WEIR_SMMU_CR0_SMMUEN) {
		weir_model_smmu_cache_advance(&smmu->stes);
		weir_model_smmu_cache_advance(&smmu->cds);
		weir_model_smmu_cache_advance(&smmu->tlb);
	}
	if (changed & WEIR_SMMU_CR0_CMDQEN)
		weir_model_kick(&smmu->stepper);
}

/* 6.3.11: the guards of its two groups of fields. */
static void write_cr1(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	uint32_t cr0 = smmu_reg(&smmu->cr0);
	uint32_t writable = 0;

	if (!(cr0 & WEIR_SMMU_CR0_SMMUEN))
		writable |= (uint32_t)CR1_TABLE;
	if (!(cr0 & (WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)))
		writable |= (uint32_t)CR1_QUEUE;
	smmu_reg_set(&smmu->cr1, (smmu_reg(&smmu->cr1) & ~writable) | (value & writable));
}

/* Errors acknowledged: commands are processed again (7.1). */
static void write_gerrorn(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	smmu_reg_set(&smmu->gerrorn, value & (uint32_t)GERROR_BITS);
	if (!weir_model_smmu_error_active(smmu, WEIR_SMMU_GERROR_CMDQ_ERR))
		weir_model_kick(&smmu->stepper);
}

static bool guarded(const struct weir_model_smmuv3 *smmu, uint64_t guard)
{
	return smmu_reg(&smmu->cr0) & guard;
}

static void write_guarded(struct weir_model_smmuv3 *smmu, uint64_t guard, uint32_t *reg,
			  uint64_t bits, uint32_t value)
{
	if (!guarded(smmu, guard))
		smmu_reg_set(reg, value & (uint32_t)bits);
}

/* Address bits above the OAS are RES0 (6.3.24, 6.3.26, 6.3.29). */
static void write_base(struct weir_model_smmuv3 *smmu, uint64_t guard, uint64_t *reg, uint64_t bits,
		       uint64_t offset, uint32_t value)
{
	unsigned int shift = offset & 4 ? 32 : 0;
	uint64_t old = smmu_reg64(reg), word = (uint64_t)value << shift;

	bits &= smmu_low_bits(smmu->features.oas) | WEIR_SMMU_Q_BASE_RWA;
	if (!guarded(smmu, guard))
		smmu_reg64_set(reg, (old & ~((uint64_t)UINT32_MAX << shift)) | (word & bits));
}

static void write_strtab_base_cfg(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	uint64_t bits = WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE;

	if (smmu->features.two_level)
		bits |= WEIR_SMMU_STRTAB_BASE_CFG_SPLIT | WEIR_SMMU_STRTAB_BASE_CFG_FMT;
	write_guarded(smmu, WEIR_SMMU_CR0_SMMUEN, &smmu->strtab_base_cfg, bits, value);
}

/* 6.3.14.1: ignored without Update. It completes at once, Update reads as zero. */
static void write_gbpa(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	if (value & WEIR_SMMU_GBPA_UPDATE)
		smmu_reg_set(&smmu->gbpa, value & (uint32_t)GBPA_BITS);
}

/* Software's index of a queue; no lock. True: that was one. */
static bool write_index(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case WEIR_SMMU_CMDQ_PROD:
		smmu_reg_set(&smmu->cmdq_prod, value & (uint32_t)WEIR_SMMU_Q_INDEX);
		weir_model_kick(&smmu->stepper);
		return true;
	case WEIR_SMMU_EVENTQ_CONS:
		/* -> publish() in eventq.c */
		__atomic_store_n(&smmu->eventq_cons, value & (uint32_t)EVENTQ_CONS_BITS,
				 __ATOMIC_SEQ_CST);
		return true;
	default:
		return false;
	}
}

/* `lock` is held. */
static void write_word(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case WEIR_SMMU_CR0:
		write_cr0(smmu, value);
		break;
	case WEIR_SMMU_CR1:
		write_cr1(smmu, value);
		break;
	case WEIR_SMMU_CR2:
		write_guarded(smmu, WEIR_SMMU_CR0_SMMUEN, &smmu->cr2, CR2_BITS, value);
		break;
	case WEIR_SMMU_GBPA:
		write_gbpa(smmu, value);
		break;
	case WEIR_SMMU_IRQ_CTRL:
		smmu_reg_set(&smmu->irq_ctrl, value & (uint32_t)IRQ_CTRL_BITS);
		break;
	case WEIR_SMMU_GERRORN:
		write_gerrorn(smmu, value);
		break;
	case WEIR_SMMU_STRTAB_BASE:
	case WEIR_SMMU_STRTAB_BASE + 4:
		write_base(smmu, WEIR_SMMU_CR0_SMMUEN, &smmu->strtab_base,
			   WEIR_SMMU_STRTAB_BASE_ADDR | WEIR_SMMU_STRTAB_BASE_RA, offset, value);
		break;
	case WEIR_SMMU_STRTAB_BASE_CFG:
		write_strtab_base_cfg(smmu, value);
		break;
	case WEIR_SMMU_CMDQ_BASE:
	case WEIR_SMMU_CMDQ_BASE + 4:
		write_base(smmu, WEIR_SMMU_CR0_CMDQEN, &smmu->cmdq_base,
			   WEIR_SMMU_Q_BASE_ADDR | WEIR_SMMU_Q_BASE_LOG2SIZE | WEIR_SMMU_Q_BASE_RWA,
			   offset, value);
		break;
	case WEIR_SMMU_CMDQ_CONS:
		write_guarded(smmu, WEIR_SMMU_CR0_CMDQEN, &smmu->cmdq_cons, CMDQ_CONS_BITS, value);
		break;
	case WEIR_SMMU_EVENTQ_BASE:
	case WEIR_SMMU_EVENTQ_BASE + 4:
		write_base(smmu, WEIR_SMMU_CR0_EVENTQEN, &smmu->eventq_base,
			   WEIR_SMMU_Q_BASE_ADDR | WEIR_SMMU_Q_BASE_LOG2SIZE | WEIR_SMMU_Q_BASE_RWA,
			   offset, value);
		break;
	case WEIR_SMMU_EVENTQ_PROD:
		write_guarded(smmu, WEIR_SMMU_CR0_EVENTQEN, &smmu->eventq_prod, EVENTQ_PROD_BITS,
			      value);
		break;
	default:
		write_index(smmu, offset, value);
	}
}

static enum weir_model_result mmio_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	const struct weir_model_smmuv3 *smmu = opaque;

	(void)requester;
	*value = 0;
	if (size >= 4)
		*value = read_word(smmu, offset);
	if (size == 8)
		*value |= (uint64_t)read_word(smmu, offset + 4) << 32;
	return WEIR_MODEL_OK;
}

static enum weir_model_result mmio_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct weir_model_smmuv3 *smmu = opaque;

	(void)requester;
	if (size < 4 || (size == 4 && write_index(smmu, offset, (uint32_t)value)))
		return WEIR_MODEL_OK;
	pthread_mutex_lock(&smmu->lock);
	write_word(smmu, offset, (uint32_t)value);
	if (size == 8)
		write_word(smmu, offset + 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&smmu->lock);
	return WEIR_MODEL_OK;
}

const struct weir_model_mmio_ops weir_model_smmuv3_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};
