/* SPDX-License-Identifier: MIT */

/*
 * What is the Secure programming interface's alone (3.10): its ID registers and SMMU_S_INIT. Its
 * other registers are those of the Non-secure interface again, in a bank of their own: regs.c, at
 * the offsets that these have.
 */

#include "smmuv3/internal.h"

/* ---- SMMU_S_INIT (6.3.62) ---------------------------------------------------------------- */

void weir_model_smmu_invalidate_all(struct weir_model_smmuv3 *smmu)
{
	const struct smmu_tlb_scope scope = {
		.worlds = smmu_low_bits(SMMU_WORLD_EL3 + 1),
		.stage1 = true,
		.stage2 = true,
	};

	if (!smmu->invalidate_all)
		return;
	weir_model_smmu_change_begin(smmu, true);
	weir_model_smmu_invalidate_stes(&smmu->ns, 0, UINT32_MAX, false);
	weir_model_smmu_invalidate_stes(&smmu->s, 0, UINT32_MAX, false);
	weir_model_smmu_tlb_invalidate(smmu, &scope);
	weir_model_smmu_change_end(smmu, true);
	smmu_reg_set(&smmu->invalidate_all, 0);
}

static bool translates(const struct smmu_bank *bank)
{
	return (bank->cr0 | bank->cr0_asked) & WEIR_SMMU_CR0_SMMUEN;
}

/*
 * While an interface is enabled it need not do anything: with adversarial caches it does not, as
 * whatever else software may not rely on. A write of 0 stops nothing.
 */
static void write_init(struct weir_model_smmuv3 *smmu, uint32_t value)
{
	bool adversarial = smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;

	if (!(value & WEIR_SMMU_S_INIT_INV_ALL) ||
	    (adversarial && (translates(&smmu->ns) || translates(&smmu->s))))
		return;
	smmu_reg_set(&smmu->invalidate_all, 1);
	if (adversarial)
		weir_model_kick(&smmu->stepper);
	else
		weir_model_smmu_invalidate_all(smmu);
}

/* ---- Registers --------------------------------------------------------------------------- */

/*
 * Where the Non-secure interface has a register that both have; false: there is no such one. What
 * is among these and not the Secure interface's (STATUSR) reads as zero there too.
 */
static bool twin_of(uint64_t offset, uint64_t *twin)
{
	*twin = offset - WEIR_SMMU_SECURE;
	if (offset == WEIR_SMMU_S_EVENTQ_PROD || offset == WEIR_SMMU_S_EVENTQ_CONS)
		*twin += WEIR_SMMU_PAGE1;
	return (offset >= WEIR_SMMU_S_CR0 && offset <= WEIR_SMMU_S_EVENTQ_IRQ_CFG2) ||
	       (offset >= WEIR_SMMU_S_GATOS_CTRL && offset < WEIR_SMMU_S_GATOS_PAR + 8);
}

uint32_t weir_model_smmu_secure_read(struct weir_model_smmuv3 *smmu, uint64_t offset)
{
	uint64_t twin;

	if (offset <= WEIR_SMMU_S_IDR4)
		return smmu->s_idr[(offset - WEIR_SMMU_S_IDR0) / 4];
	if (offset == WEIR_SMMU_S_INIT)
		return smmu_reg(&smmu->invalidate_all);
	return twin_of(offset, &twin) ? weir_model_smmu_read_word(&smmu->s, twin) : 0;
}

void weir_model_smmu_secure_write(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	uint64_t twin;

	if (offset == WEIR_SMMU_S_INIT)
		write_init(smmu, value);
	else if (twin_of(offset, &twin))
		weir_model_smmu_write_word(&smmu->s, twin, value);
}

bool weir_model_smmu_secure_index(struct weir_model_smmuv3 *smmu, uint64_t offset, uint32_t value)
{
	uint64_t twin;

	return twin_of(offset, &twin) && weir_model_smmu_write_index(&smmu->s, twin, value);
}
