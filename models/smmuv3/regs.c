/* SPDX-License-Identifier: MIT */

/*
 * The register file (chapter 6): pages 0 and 1; atos.c and ecmdq.c have registers of their own.
 * Page 1 does not alias page 0, reserved locations and bits read as zero and ignore writes, and so
 * does an access of a size that is not 4 or 8 (6.2). Writes that a guard forbids are ignored, as
 * are changes of a field whose last change is not acknowledged: the choices that SMMUv3.2 makes the
 * only ones.
 *
 * Updates (CR0, IRQ_CTRL, GBPA) are asked for by software and then take effect. With adversarial
 * caches that is in step(), at once otherwise; a guard is down only while what was asked for and
 * what is in effect both say so (6.3.9).
 */

#include <stddef.h>

#include <weir/model/bus.h>

#include "smmuv3/internal.h"

#define CR1_QUEUE (WEIR_SMMU_CR1_QUEUE_IC | WEIR_SMMU_CR1_QUEUE_OC | WEIR_SMMU_CR1_QUEUE_SH)
#define CR1_TABLE (WEIR_SMMU_CR1_TABLE_IC | WEIR_SMMU_CR1_TABLE_OC | WEIR_SMMU_CR1_TABLE_SH)
#define GBPA_BITS                                                                                  \
	(WEIR_SMMU_GBPA_MEMATTR | WEIR_SMMU_GBPA_MTCFG | WEIR_SMMU_GBPA_ALLOCCFG |                 \
	 WEIR_SMMU_GBPA_SHCFG | WEIR_SMMU_GBPA_PRIVCFG | WEIR_SMMU_GBPA_INSTCFG |                  \
	 WEIR_SMMU_GBPA_ABORT)
#define QUEUE_BASE (WEIR_SMMU_Q_BASE_ADDR | WEIR_SMMU_Q_BASE_LOG2SIZE | WEIR_SMMU_Q_BASE_RWA)
#define CMDQ_CONS_BITS (WEIR_SMMU_CMDQ_CONS_ERR | WEIR_SMMU_Q_INDEX)
#define OUTQ_INDEX (WEIR_SMMU_EVENTQ_PROD_OVFLG | WEIR_SMMU_Q_INDEX)
#define MSI_ATTRIBUTES (WEIR_SMMU_IRQ_CFG2_MEMATTR | WEIR_SMMU_IRQ_CFG2_SH)

/* ---- Registers that keep what is written to them ---------------------------------------- */

/* What an implementation may lack: fields of it are RES0. */
#define NEEDS_MSI 0x01u
#define NEEDS_PRI 0x02u
#define NEEDS_HYP 0x04u
#define NEEDS_BTM 0x08u
#define NEEDS_ATSRECERR 0x10u
#define NEEDS_2LVL 0x20u

#define WIDE 0x01u    /* 64 bits */
#define ADDRESS 0x02u /* bits beyond the OAS are RES0 */
#define CONFIG 0x04u  /* says what transactions get */
#define BY_IRQ 0x08u  /* guarded by a bit of IRQ_CTRL, not of CR0 */
#define QUEUES 0x10u  /* guarded by enhanced command queues too */

/* Fields of one register with one guard; a register may have several of these. */
struct fields {
	uint32_t offset;
	uint16_t place; /* in struct smmu_bank */
	uint8_t flags, needs;
	uint64_t guard; /* any of these set: read-only */
	uint64_t mask;
};

#define PLACE(field) offsetof(struct smmu_bank, field)
#define SMMUEN WEIR_SMMU_CR0_SMMUEN
#define CMDQEN WEIR_SMMU_CR0_CMDQEN
#define EVENTQEN WEIR_SMMU_CR0_EVENTQEN
#define PRIQEN WEIR_SMMU_CR0_PRIQEN
#define GERROR_IRQEN WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN
#define EVENTQ_IRQEN WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN
#define PRIQ_IRQEN WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN
#define PRI_MSI (NEEDS_PRI | NEEDS_MSI)

static const struct fields all_fields[] = {
	/* 6.3.11: its two groups. */
	{ WEIR_SMMU_CR1, PLACE(cr1), CONFIG, 0, SMMUEN, CR1_TABLE },
	{ WEIR_SMMU_CR1, PLACE(cr1), QUEUES, 0, CMDQEN | EVENTQEN | PRIQEN, CR1_QUEUE },
	{ WEIR_SMMU_CR2, PLACE(cr2), CONFIG, 0, SMMUEN, WEIR_SMMU_CR2_RECINVSID },
	{ WEIR_SMMU_CR2, PLACE(cr2), CONFIG, NEEDS_HYP, SMMUEN, WEIR_SMMU_CR2_E2H },
	{ WEIR_SMMU_CR2, PLACE(cr2), CONFIG, NEEDS_BTM, SMMUEN, WEIR_SMMU_CR2_PTM },
	{ WEIR_SMMU_CR2, PLACE(cr2), CONFIG, NEEDS_ATSRECERR, SMMUEN, WEIR_SMMU_CR2_REC_CFG_ATS },
	{ WEIR_SMMU_STRTAB_BASE, PLACE(strtab_base), WIDE | ADDRESS | CONFIG, 0, SMMUEN,
	  WEIR_SMMU_STRTAB_BASE_ADDR | WEIR_SMMU_STRTAB_BASE_RA },
	{ WEIR_SMMU_STRTAB_BASE_CFG, PLACE(strtab_base_cfg), CONFIG, 0, SMMUEN,
	  WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE },
	{ WEIR_SMMU_STRTAB_BASE_CFG, PLACE(strtab_base_cfg), CONFIG, NEEDS_2LVL, SMMUEN,
	  WEIR_SMMU_STRTAB_BASE_CFG_SPLIT | WEIR_SMMU_STRTAB_BASE_CFG_FMT },
	{ WEIR_SMMU_CMDQ_BASE, PLACE(cmdq.base), WIDE | ADDRESS, 0, CMDQEN, QUEUE_BASE },
	{ WEIR_SMMU_CMDQ_CONS, PLACE(cmdq.cons), 0, 0, CMDQEN, CMDQ_CONS_BITS },
	{ WEIR_SMMU_EVENTQ_BASE, PLACE(eventq.base), WIDE | ADDRESS, 0, EVENTQEN, QUEUE_BASE },
	{ WEIR_SMMU_EVENTQ_PROD, PLACE(eventq.prod), 0, 0, EVENTQEN, OUTQ_INDEX },
	{ WEIR_SMMU_PRIQ_BASE, PLACE(priq.base), WIDE | ADDRESS, NEEDS_PRI, PRIQEN, QUEUE_BASE },
	{ WEIR_SMMU_PRIQ_PROD, PLACE(priq.prod), 0, NEEDS_PRI, PRIQEN, OUTQ_INDEX },
	/* 6.3.21 to 6.3.23, 6.3.30 to 6.3.36. */
	{ WEIR_SMMU_GERROR_IRQ_CFG0, PLACE(gerror_msi.cfg0), WIDE | ADDRESS | BY_IRQ, NEEDS_MSI,
	  GERROR_IRQEN, WEIR_SMMU_IRQ_CFG0_ADDR },
	{ WEIR_SMMU_GERROR_IRQ_CFG1, PLACE(gerror_msi.cfg1), BY_IRQ, NEEDS_MSI, GERROR_IRQEN,
	  WEIR_SMMU_IRQ_CFG1_DATA },
	{ WEIR_SMMU_GERROR_IRQ_CFG2, PLACE(gerror_msi.cfg2), BY_IRQ, NEEDS_MSI, GERROR_IRQEN,
	  MSI_ATTRIBUTES },
	{ WEIR_SMMU_EVENTQ_IRQ_CFG0, PLACE(eventq_msi.cfg0), WIDE | ADDRESS | BY_IRQ, NEEDS_MSI,
	  EVENTQ_IRQEN, WEIR_SMMU_IRQ_CFG0_ADDR },
	{ WEIR_SMMU_EVENTQ_IRQ_CFG1, PLACE(eventq_msi.cfg1), BY_IRQ, NEEDS_MSI, EVENTQ_IRQEN,
	  WEIR_SMMU_IRQ_CFG1_DATA },
	{ WEIR_SMMU_EVENTQ_IRQ_CFG2, PLACE(eventq_msi.cfg2), BY_IRQ, NEEDS_MSI, EVENTQ_IRQEN,
	  MSI_ATTRIBUTES },
	{ WEIR_SMMU_PRIQ_IRQ_CFG0, PLACE(priq_msi.cfg0), WIDE | ADDRESS | BY_IRQ, PRI_MSI,
	  PRIQ_IRQEN, WEIR_SMMU_IRQ_CFG0_ADDR },
	{ WEIR_SMMU_PRIQ_IRQ_CFG1, PLACE(priq_msi.cfg1), BY_IRQ, PRI_MSI, PRIQ_IRQEN,
	  WEIR_SMMU_IRQ_CFG1_DATA },
	{ WEIR_SMMU_PRIQ_IRQ_CFG2, PLACE(priq_msi.cfg2), BY_IRQ, PRI_MSI, PRIQ_IRQEN,
	  MSI_ATTRIBUTES },
	/* 6.3.1: LO is there whether or not there are MSIs. */
	{ WEIR_SMMU_PRIQ_IRQ_CFG2, PLACE(priq_msi.cfg2), BY_IRQ, NEEDS_PRI, PRIQ_IRQEN,
	  WEIR_SMMU_PRIQ_IRQ_CFG2_LO },
};

/* 6.3.60: a Secure EL2 would be SMMU_S_IDR1.SEL2's. */
static uint8_t lacking(const struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;
	bool secure = smmu_is_secure(bank);

	return (smmu_has_msi(bank) ? 0 : NEEDS_MSI) | (smmu_has_pri(bank) ? 0 : NEEDS_PRI) |
	       (features->hyp && !secure ? 0 : NEEDS_HYP) | (features->btm ? 0 : NEEDS_BTM) |
	       (features->atsrecerr && !secure ? 0 : NEEDS_ATSRECERR) |
	       (features->two_level ? 0 : NEEDS_2LVL);
}

static bool covers(const struct fields *fields, uint64_t offset)
{
	return fields->offset == (fields->flags & WIDE ? offset & ~(uint64_t)4 : offset);
}

/* 64-bit registers are read and written by halves (6.2). */
static unsigned int half_shift(const struct fields *fields, uint64_t offset)
{
	return (fields->flags & WIDE) && (offset & 4) ? 32 : 0;
}

static uint32_t load(const struct smmu_bank *bank, const struct fields *fields, uint64_t offset)
{
	const void *place = (const char *)bank + fields->place;

	if (!(fields->flags & WIDE))
		return smmu_reg(place);
	return (uint32_t)(smmu_reg64(place) >> half_shift(fields, offset));
}

static bool guarded(const struct smmu_bank *bank, const struct fields *fields)
{
	uint32_t closed = fields->flags & BY_IRQ ? bank->irq_ctrl | bank->irq_ctrl_asked :
						   bank->cr0 | bank->cr0_asked;

	return (closed & fields->guard) || ((fields->flags & QUEUES) && bank->ecmdqs.enabled);
}

static void store(struct smmu_bank *bank, const struct fields *fields, uint64_t offset,
		  uint32_t value)
{
	void *place = (char *)bank + fields->place;
	unsigned int shift = half_shift(fields, offset);
	uint64_t mask = fields->mask & ((uint64_t)UINT32_MAX << shift);
	uint64_t word = (uint64_t)value << shift;

	/* 6.3.24, 6.3.26, 6.3.29: RA and WA are above any address. */
	if (fields->flags & ADDRESS)
		word &= smmu_low_bits(bank->smmu->features.oas) | WEIR_SMMU_Q_BASE_RWA;
	if (fields->flags & WIDE)
		smmu_reg64_set(place, (smmu_reg64(place) & ~mask) | (word & mask));
	else
		smmu_reg_set(place, (uint32_t)((smmu_reg(place) & ~mask) | (word & mask)));
}

static void write_fields(struct smmu_bank *bank, const struct fields *fields, uint64_t offset,
			 uint32_t value)
{
	bool config = fields->flags & CONFIG;

	if ((fields->needs & lacking(bank)) || guarded(bank, fields))
		return;
	if (config)
		weir_model_smmu_change_begin(bank->smmu, true);
	store(bank, fields, offset, value);
	if (config)
		weir_model_smmu_change_end(bank->smmu, true);
}

/* ---- Updates ---------------------------------------------------------------------------- */

static bool updates_late(const struct smmu_bank *bank)
{
	return bank->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
}

/*
 * 6.3.9: a field that was changed, and is not acknowledged yet, is not changed again. Each but VMW
 * is a bit.
 */
static uint32_t ask(uint32_t asked, uint32_t effective, uint32_t value)
{
	uint32_t changing = asked ^ effective;

	if (changing & WEIR_SMMU_CR0_VMW)
		changing |= (uint32_t)WEIR_SMMU_CR0_VMW;
	return (asked & changing) | (value & ~changing);
}

/*
 * The queues' locks: records that are being written are in their queues before an enable reads as
 * 0 (6.3.9.4, 6.3.9.5). Nothing of the event queue is merged with what was there before.
 */
static void set_cr0(struct smmu_bank *bank, uint32_t value)
{
	pthread_mutex_lock(&bank->eventq.lock);
	pthread_mutex_lock(&bank->priq.lock);
	smmu_reg_set(&bank->cr0, value);
	bank->eventq.last_valid = false;
	pthread_mutex_unlock(&bank->priq.lock);
	pthread_mutex_unlock(&bank->eventq.lock);
}

/* What of it says what transactions get: all of these but SMMUEN are of one bank alone. */
#define CR0_CONFIG                                                                                 \
	(WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_ATSCHK | WEIR_SMMU_S_CR0_SIF |                       \
	 WEIR_SMMU_S_CR0_NSSTALLD)

/* 3.12: the Secure interface decides whether the other one stalls. */
static void set_config_cr0(struct smmu_bank *bank, uint32_t value)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;

	weir_model_smmu_change_begin(smmu, true);
	set_cr0(bank, value);
	if (smmu_is_secure(bank))
		smmu_reg_set(&smmu->ns.stall_model, value & WEIR_SMMU_S_CR0_NSSTALLD ?
							    WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL :
							    bank->stall_model);
	weir_model_smmu_change_end(smmu, true);
}

/* 6.3.9.1 to 6.3.9.6. `lock` is held, so that no command is half consumed. */
static void update_cr0(struct smmu_bank *bank)
{
	uint32_t old = bank->cr0, new = bank->cr0_asked, changed = old ^ new;

	if (!changed)
		return;
	if (changed & CR0_CONFIG)
		set_config_cr0(bank, new);
	else
		set_cr0(bank, new);
	if (old & ~new &WEIR_SMMU_CR0_SMMUEN) {
		weir_model_smmu_stalls_disabled(bank);
		weir_model_smmu_end_atos(bank);
	}
	if (old & ~new &WEIR_SMMU_CR0_CMDQEN)
		bank->cmdq.sync_dropped = true;
	if (new & ~old & WEIR_SMMU_CR0_CMDQEN)
		weir_model_kick(&bank->smmu->stepper);
}

static uint32_t gbpa_bits(const struct smmu_bank *bank)
{
	return (uint32_t)(GBPA_BITS | (smmu_is_secure(bank) ? WEIR_SMMU_S_GBPA_NSCFG : 0));
}

static void update_gbpa(struct smmu_bank *bank)
{
	if (!bank->gbpa_asked)
		return;
	weir_model_smmu_change_begin(bank->smmu, true);
	smmu_reg_set(&bank->gbpa, bank->gbpa_asked & gbpa_bits(bank));
	weir_model_smmu_change_end(bank->smmu, true);
	smmu_reg_set(&bank->gbpa_asked, 0);
}

/* 6.3.16: a source whose MSI is on its way is disabled when that has arrived: irq.c. */
static void update_irq_ctrl(struct smmu_bank *bank)
{
	uint32_t asked = bank->irq_ctrl_asked;

	smmu_reg_set(&bank->irq_ctrl,
		     asked | weir_model_smmu_enable_irqs(bank, ~SMMU_IRQ_PMCG, asked));
}

void weir_model_smmu_acknowledge(struct smmu_bank *bank)
{
	update_cr0(bank);
	update_gbpa(bank);
	weir_model_smmu_ecmdqs_acknowledge(bank);
	weir_model_smmu_pmcg_acknowledge(bank->smmu);
	if (bank->irq_ctrl != bank->irq_ctrl_asked)
		update_irq_ctrl(bank);
}

static void update(struct smmu_bank *bank)
{
	if (updates_late(bank))
		weir_model_kick(&bank->smmu->stepper);
	else
		weir_model_smmu_acknowledge(bank);
}

/* 6.3.9, 6.3.57. */
static uint64_t cr0_bits(const struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t bits = WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN;

	bits |= features->vmw ? WEIR_SMMU_CR0_VMW : 0;
	if (smmu_is_secure(bank))
		return bits | WEIR_SMMU_S_CR0_SIF |
		       (bank->stall_model == WEIR_SMMU_IDR0_STALL_MODEL_BOTH ?
				WEIR_SMMU_S_CR0_NSSTALLD :
				0);
	bits |= features->pri ? WEIR_SMMU_CR0_PRIQEN : 0;
	return bits | (features->ats ? WEIR_SMMU_CR0_ATSCHK : 0);
}

static void write_cr0(struct smmu_bank *bank, uint32_t value)
{
	uint64_t bits = cr0_bits(bank);

	smmu_reg_set(&bank->cr0_asked, ask(bank->cr0_asked, bank->cr0, value & (uint32_t)bits));
	update(bank);
}

/* 6.3.14.1: ignored without Update, and while the last one is under way. */
static void write_gbpa(struct smmu_bank *bank, uint32_t value)
{
	if (!(value & WEIR_SMMU_GBPA_UPDATE) || bank->gbpa_asked)
		return;
	smmu_reg_set(&bank->gbpa_asked,
		     value & (gbpa_bits(bank) | (uint32_t)WEIR_SMMU_GBPA_UPDATE));
	update(bank);
}

static void write_irq_ctrl(struct smmu_bank *bank, uint32_t value)
{
	uint64_t bits = WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN | WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN;
	uint32_t changing = bank->irq_ctrl_asked ^ bank->irq_ctrl;

	bits |= smmu_has_pri(bank) ? WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN : 0;
	smmu_reg_set(&bank->irq_ctrl_asked,
		     (bank->irq_ctrl_asked & changing) | (value & (uint32_t)bits & ~changing));
	update(bank);
}

/* 6.3.20. Errors acknowledged: commands are processed again (7.1). */
static void write_gerrorn(struct smmu_bank *bank, uint32_t value)
{
	bool enhanced = bank->smmu->features.ecmdq && !smmu_is_secure(bank);
	uint64_t bits = WEIR_SMMU_GERROR_CMDQ_ERR | WEIR_SMMU_GERROR_EVENTQ_ABT_ERR |
			WEIR_SMMU_GERROR_SFM_ERR;

	bits |= smmu_has_pri(bank) ? WEIR_SMMU_GERROR_PRIQ_ABT_ERR : 0;
	bits |= enhanced ? WEIR_SMMU_GERROR_CMDQP_ERR : 0;
	if (smmu_has_msi(bank))
		bits |= WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR | WEIR_SMMU_GERROR_MSI_EVENTQ_ABT_ERR |
			WEIR_SMMU_GERROR_MSI_GERROR_ABT_ERR;
	if (smmu_has_msi(bank) && smmu_has_pri(bank))
		bits |= WEIR_SMMU_GERROR_MSI_PRIQ_ABT_ERR;
	/*
	 * Sequentially consistent, as set_cons(): a stall's event finds the error acknowledged, or
	 * is found unrecorded. -> record() in stall.c
	 */
	__atomic_store_n(&bank->gerrorn, value & (uint32_t)bits, __ATOMIC_SEQ_CST);
	if (!weir_model_smmu_error_active(bank, WEIR_SMMU_GERROR_CMDQ_ERR))
		weir_model_kick(&bank->smmu->stepper);
}

/* ---- Reads ------------------------------------------------------------------------------ */

/* The other processors see SMMUEN == 0 when all that belongs to it is done (6.3.9.6). */
static uint32_t read_cr0ack(struct smmu_bank *bank)
{
	uint32_t value;

	pthread_mutex_lock(&bank->smmu->lock);
	value = bank->cr0;
	pthread_mutex_unlock(&bank->smmu->lock);
	return value;
}

static uint32_t read_gbpa(const struct smmu_bank *bank)
{
	uint32_t asked = smmu_reg(&bank->gbpa_asked);

	return asked ? asked : smmu_reg(&bank->gbpa);
}

static uint32_t read_fields(struct smmu_bank *bank, uint64_t offset)
{
	uint32_t value;

	if (weir_model_smmu_atos_read(bank, offset, &value) ||
	    weir_model_smmu_ecmdq_read(bank, offset, &value))
		return value;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(all_fields); i++)
		if (covers(&all_fields[i], offset))
			return load(bank, &all_fields[i], offset);
	return 0;
}

/* 6.3.1, 3.12: STALL_MODEL is what the Secure interface leaves of it. */
static uint32_t read_idr0(const struct smmu_bank *bank)
{
	uint32_t model = smmu_reg(&bank->stall_model);

	return (bank->smmu->idr[0] & (uint32_t)~WEIR_SMMU_IDR0_STALL_MODEL) |
	       (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL, model);
}

/*
 * An aligned 32-bit word. What no line names is RES0: STATUSR, since the model never says that it
 * is dormant; AGBPA, which it does not have; ID_REGS and all of what it lacks.
 */
uint32_t weir_model_smmu_read_word(struct smmu_bank *bank, uint64_t offset)
{
	const struct weir_model_smmuv3 *smmu = bank->smmu;
	const struct smmu_features *features = &smmu->features;

	switch (offset) {
	case WEIR_SMMU_IDR0:
		return read_idr0(bank);
	case WEIR_SMMU_IDR1:
	case WEIR_SMMU_IDR2:
	case WEIR_SMMU_IDR3:
	case WEIR_SMMU_IDR4:
	case WEIR_SMMU_IDR5:
		return smmu->idr[offset / 4];
	case WEIR_SMMU_IDR6:
		return smmu->idr[6];
	case WEIR_SMMU_IIDR:
		return smmu->iidr;
	case WEIR_SMMU_AIDR:
		return smmu->aidr;
	case WEIR_SMMU_CR0:
		return smmu_reg(&bank->cr0_asked);
	case WEIR_SMMU_CR0ACK:
		return read_cr0ack(bank);
	case WEIR_SMMU_GBPA:
		return read_gbpa(bank);
	case WEIR_SMMU_IRQ_CTRL:
		return smmu_reg(&bank->irq_ctrl_asked);
	case WEIR_SMMU_IRQ_CTRLACK:
		return smmu_reg(&bank->irq_ctrl);
	case WEIR_SMMU_GERROR:
		return smmu_reg(&bank->gerror);
	case WEIR_SMMU_GERRORN:
		return smmu_reg(&bank->gerrorn);
	case WEIR_SMMU_CMDQ_PROD:
		return smmu_reg(&bank->cmdq.prod);
	case WEIR_SMMU_CMDQ_CONS:
		return smmu_own_index(smmu_reg(&bank->cmdq.cons), smmu_reg64(&bank->cmdq.base),
				      features->cmdqs);
	case WEIR_SMMU_EVENTQ_PROD:
		return smmu_own_index(smmu_reg(&bank->eventq.prod), smmu_reg64(&bank->eventq.base),
				      features->eventqs);
	case WEIR_SMMU_EVENTQ_CONS:
		return smmu_reg(&bank->eventq.cons);
	case WEIR_SMMU_PRIQ_PROD:
		return smmu_own_index(smmu_reg(&bank->priq.prod), smmu_reg64(&bank->priq.base),
				      features->priqs);
	case WEIR_SMMU_PRIQ_CONS:
		return smmu_reg(&bank->priq.cons);
	default:
		return read_fields(bank, offset);
	}
}

uint64_t weir_model_smmuv3_mmio_size(const struct weir_model_smmuv3 *smmu)
{
	uint64_t size = weir_model_smmu_control_pages(&smmu->features);

	if (smmu->features.ecmdq)
		size += (uint64_t)WEIR_SMMU_PAGE_SIZE << smmu->features.ecmdq_pages;
	return size;
}

/* 6.2; 3.10.2: SMMU_S_* are there for Secure accesses alone, which reach all the others too. */
static bool may_access(const struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size,
		       bool secure)
{
	return (size == 4 || size == 8) && !(offset % size) &&
	       offset < weir_model_smmuv3_mmio_size(smmu) &&
	       (!smmu_is_secure_register(offset) || (secure && smmu->features.secure));
}

static uint32_t read_at(struct weir_model_smmuv3 *smmu, uint64_t offset)
{
	return smmu_is_secure_register(offset) ? weir_model_smmu_secure_read(smmu, offset) :
						 weir_model_smmu_read_word(&smmu->ns, offset);
}

static uint64_t read_as(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size,
			bool secure)
{
	uint64_t value;

	if (!may_access(smmu, offset, size, secure))
		return 0;
	value = read_at(smmu, offset);
	if (size == 8)
		value |= (uint64_t)read_at(smmu, offset + 4) << 32;
	return value;
}

uint64_t weir_model_smmuv3_read(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size)
{
	return read_as(smmu, offset, size, false);
}

uint64_t weir_model_smmuv3_read_secure(struct weir_model_smmuv3 *smmu, uint64_t offset,
				       unsigned int size)
{
	return read_as(smmu, offset, size, true);
}

/* ---- Writes ----------------------------------------------------------------------------- */

/* Software's index of an output queue: -> publish() in eventq.c. */
static void set_cons(struct smmu_outq *queue, uint32_t value)
{
	__atomic_store_n(&queue->cons, value & (uint32_t)OUTQ_INDEX, __ATOMIC_SEQ_CST);
}

/* Software's index of a queue; no lock. False: that was none. */
bool weir_model_smmu_write_index(struct smmu_bank *bank, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case WEIR_SMMU_CMDQ_PROD:
		__atomic_store_n(&bank->cmdq.prod, value & (uint32_t)WEIR_SMMU_Q_INDEX,
				 __ATOMIC_SEQ_CST);
		weir_model_kick(&bank->smmu->stepper);
		return true;
	case WEIR_SMMU_EVENTQ_CONS:
		set_cons(&bank->eventq, value);
		return true;
	case WEIR_SMMU_PRIQ_CONS:
		if (bank->smmu->features.pri)
			set_cons(&bank->priq, value);
		return true;
	default:
		return weir_model_smmu_ecmdq_produce(bank, offset, value);
	}
}

void weir_model_smmu_write_word(struct smmu_bank *bank, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case WEIR_SMMU_CR0:
		write_cr0(bank, value);
		return;
	case WEIR_SMMU_GBPA:
		write_gbpa(bank, value);
		return;
	case WEIR_SMMU_IRQ_CTRL:
		write_irq_ctrl(bank, value);
		return;
	case WEIR_SMMU_GERRORN:
		write_gerrorn(bank, value);
		return;
	default:
		break;
	}
	if (weir_model_smmu_write_index(bank, offset, value) ||
	    weir_model_smmu_atos_write(bank, offset, value) ||
	    weir_model_smmu_ecmdq_write(bank, offset, value))
		return;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(all_fields); i++)
		if (covers(&all_fields[i], offset))
			write_fields(bank, &all_fields[i], offset, value);
}

/* What a write may have made possible, with all locks dropped. */
static void follow_up(struct smmu_bank *bank)
{
	weir_model_smmu_retry_stall_events(bank);
	weir_model_smmu_send_resumes(bank->smmu);
	weir_model_smmu_send_irqs(bank);
}

static bool write_index_at(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	return smmu_is_secure_register(offset) ?
		       weir_model_smmu_secure_index(smmu, offset, value) :
		       weir_model_smmu_write_index(&smmu->ns, offset, value);
}

/* `lock` is held. */
static void write_at(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	if (smmu_is_secure_register(offset))
		weir_model_smmu_secure_write(smmu, offset, value);
	else
		weir_model_smmu_write_word(&smmu->ns, offset, value);
}

/* The consumer's index of an output queue: its producer may wait for that. */
static bool makes_room(uint64_t offset)
{
	return (offset >= WEIR_SMMU_PAGE1 && offset < WEIR_MODEL_SMMUV3_MMIO_SIZE) ||
	       offset == WEIR_SMMU_S_EVENTQ_CONS;
}

static void write_as(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size,
		     uint64_t value, bool secure)
{
	struct smmu_bank *bank = smmu_is_secure_register(offset) ? &smmu->s : &smmu->ns;

	if (!may_access(smmu, offset, size, secure))
		return;
	if (size == 4 && write_index_at(smmu, offset, (uint32_t)value)) {
		if (makes_room(offset))
			follow_up(bank);
		return;
	}
	pthread_mutex_lock(&smmu->lock);
	write_at(smmu, offset, (uint32_t)value);
	if (size == 8)
		write_at(smmu, offset + 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&smmu->lock);
	follow_up(bank);
}

void weir_model_smmuv3_write(struct weir_model_smmuv3 *smmu, uint64_t offset, unsigned int size,
			     uint64_t value)
{
	write_as(smmu, offset, size, value, false);
}

void weir_model_smmuv3_write_secure(struct weir_model_smmuv3 *smmu, uint64_t offset,
				    unsigned int size, uint64_t value)
{
	write_as(smmu, offset, size, value, true);
}

void weir_model_smmu_reset_bank(struct smmu_bank *bank, uint32_t gbpa)
{
	/* Fields that reset to an UNKNOWN value are zero, as the whole bank is to begin with. */
	bank->gbpa = gbpa & gbpa_bits(bank);
}

static enum weir_model_result mmio_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	(void)requester;
	*value = weir_model_smmuv3_read(opaque, offset, size);
	return WEIR_MODEL_OK;
}

static enum weir_model_result mmio_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	(void)requester;
	weir_model_smmuv3_write(opaque, offset, size, value);
	return WEIR_MODEL_OK;
}

const struct weir_model_mmio_ops weir_model_smmuv3_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};
