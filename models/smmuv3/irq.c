/* SPDX-License-Identifier: MIT */

/*
 * Interrupts (3.18) and global errors (7.5).
 *
 * A source is enabled, pending, or being sent: three bits for each line in one atomic word of the
 * bank, so that an interrupt is never sent for what happened while its source was disabled
 * (6.3.16). Whoever finds a source pending and not being sent sends it; who makes it pending
 * meanwhile leaves it to the sender. Nothing waits: a source that is disabled while it is sent is
 * acknowledged by the sender, once the MSI has arrived or its abort is recorded (3.18.1). So an MSI
 * may reach these very registers.
 *
 * CMD_SYNC's signals are sent by step() itself, each before the next command is looked at.
 */

#include "smmuv3/internal.h"

#define LINE(line) ((uint32_t)1 << (line))
#define ENABLED(line) LINE(line)
#define PENDING(line) (LINE(line) << 8)
#define SENDING(line) (LINE(line) << 16)

/* Times that one caller sends a source which becomes pending again and again. */
#define ROUNDS 8u

/* 7.5.1: an MSI that aborted would abort again, so its error is not told by one. */
#define QUIET_ERRORS WEIR_SMMU_GERROR_MSI_GERROR_ABT_ERR

static const struct source {
	enum weir_model_smmuv3_line line;
	uint32_t enable, abort_error;
} sources[] = {
	{ WEIR_MODEL_SMMUV3_EVENTQ, (uint32_t)WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN,
	  (uint32_t)WEIR_SMMU_GERROR_MSI_EVENTQ_ABT_ERR },
	{ WEIR_MODEL_SMMUV3_PRIQ, (uint32_t)WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN,
	  (uint32_t)WEIR_SMMU_GERROR_MSI_PRIQ_ABT_ERR },
	/* It has a register of its own for the abort. */
	{ WEIR_MODEL_SMMUV3_PMCG, SMMU_IRQ_PMCG, 0 },
	/* Last: the others may make it pending. */
	{ WEIR_MODEL_SMMUV3_GERROR, (uint32_t)WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN,
	  (uint32_t)WEIR_SMMU_GERROR_MSI_GERROR_ABT_ERR },
};

/* ---- Global errors ---------------------------------------------------------------------- */

bool weir_model_smmu_error_active(const struct smmu_bank *bank, uint32_t error)
{
	return (smmu_reg(&bank->gerror) ^ smmu_reg(&bank->gerrorn)) & error;
}

void weir_model_smmu_global_error(struct smmu_bank *bank, uint32_t error)
{
	uint32_t old = smmu_reg(&bank->gerror);

	/* Acquire-release: what the error is about is seen by whoever sees the error. */
	do {
		if ((old ^ smmu_reg(&bank->gerrorn)) & error)
			return;
	} while (!__atomic_compare_exchange_n(&bank->gerror, &old, old ^ error, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (!(error & QUIET_ERRORS))
		weir_model_smmu_raise(bank, WEIR_MODEL_SMMUV3_GERROR);
}

/* ---- Sources ---------------------------------------------------------------------------- */

/* Release: with what the interrupt is about; pairs with claim(). */
void weir_model_smmu_raise(struct smmu_bank *bank, enum weir_model_smmuv3_line line)
{
	uint32_t old = __atomic_load_n(&bank->irqs, __ATOMIC_SEQ_CST);

	do {
		if (!(old & ENABLED(line)))
			return;
	} while (!__atomic_compare_exchange_n(&bank->irqs, &old, old | PENDING(line), false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

uint32_t weir_model_smmu_enable_irqs(struct smmu_bank *bank, uint32_t which, uint32_t irq_ctrl)
{
	uint32_t enabled = 0, disabled = 0, sending, busy = 0;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(sources); i++) {
		enum weir_model_smmuv3_line line = sources[i].line;

		if (irq_ctrl & which & sources[i].enable)
			enabled |= ENABLED(line);
		else if (which & sources[i].enable)
			disabled |= ENABLED(line) | PENDING(line);
	}
	/* Sequentially consistent, as the sender's end of sending: one sees the other. */
	sending = __atomic_and_fetch(&bank->irqs, ~disabled, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&bank->irqs, enabled, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(sources); i++)
		if (!(irq_ctrl & sources[i].enable) && (sending & SENDING(sources[i].line)))
			busy |= sources[i].enable & which;
	return busy;
}

static bool claim(struct smmu_bank *bank, enum weir_model_smmuv3_line line)
{
	uint32_t old = __atomic_load_n(&bank->irqs, __ATOMIC_SEQ_CST);

	do {
		if (!(old & PENDING(line)) || (old & SENDING(line)))
			return false;
	} while (!__atomic_compare_exchange_n(&bank->irqs, &old,
					      (old & ~PENDING(line)) | SENDING(line), false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return true;
}

static const struct smmu_msi *msi_of(const struct smmu_bank *bank, enum weir_model_smmuv3_line line)
{
	switch (line) {
	case WEIR_MODEL_SMMUV3_EVENTQ:
		return &bank->eventq_msi;
	case WEIR_MODEL_SMMUV3_PRIQ:
		return &bank->priq_msi;
	case WEIR_MODEL_SMMUV3_PMCG:
		return weir_model_smmu_pmcg_msi(bank->smmu);
	default:
		return &bank->gerror_msi;
	}
}

/* Sources are named as the Non-secure interface's, wires are not. */
static enum weir_model_smmuv3_line wire_of(const struct smmu_bank *bank,
					   enum weir_model_smmuv3_line line)
{
	if (!smmu_is_secure(bank))
		return line;
	switch (line) {
	case WEIR_MODEL_SMMUV3_EVENTQ:
		return WEIR_MODEL_SMMUV3_S_EVENTQ;
	case WEIR_MODEL_SMMUV3_CMD_SYNC:
		return WEIR_MODEL_SMMUV3_S_CMD_SYNC;
	default: /* there are no others */
		return WEIR_MODEL_SMMUV3_S_GERROR;
	}
}

/* 3.18.2: the wire is there whether or not there is an MSI (address 0), and both are signalled. */
static void send(struct smmu_bank *bank, enum weir_model_smmuv3_line line, uint64_t addr,
		 uint32_t data, uint32_t abort_error)
{
	const struct weir_model_host *host = &bank->smmu->memory.host;

	if (host->ops->line)
		host->ops->line(host->opaque, wire_of(bank, line));
	if (!addr)
		return;
	/* 3.4.3: truncated. */
	addr &= smmu_low_bits(bank->smmu->features.oas);
	if (host->ops->msi(host->opaque, addr, data) == WEIR_MODEL_OK)
		return;
	if (line == WEIR_MODEL_SMMUV3_PMCG)
		weir_model_smmu_pmcg_msi_aborted(bank->smmu);
	else
		weir_model_smmu_global_error(bank, abort_error);
}

/* 6.3.16: an update that waited for this MSI is acknowledged. */
static void end_of_sending(struct smmu_bank *bank, enum weir_model_smmuv3_line line)
{
	__atomic_and_fetch(&bank->irqs, ~SENDING(line), __ATOMIC_SEQ_CST);
	if (smmu_reg(&bank->irq_ctrl_asked) == smmu_reg(&bank->irq_ctrl) &&
	    line != WEIR_MODEL_SMMUV3_PMCG)
		return;
	if (bank->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL) {
		weir_model_kick(&bank->smmu->stepper);
		return;
	}
	pthread_mutex_lock(&bank->smmu->lock);
	weir_model_smmu_acknowledge(bank);
	pthread_mutex_unlock(&bank->smmu->lock);
}

static void send_source(struct smmu_bank *bank, const struct source *source)
{
	const struct smmu_msi *msi = msi_of(bank, source->line);

	for (unsigned int round = 0; claim(bank, source->line); round++) {
		/* Guarded by the enable, which is not acknowledged as clear before the end. */
		send(bank, source->line, smmu_reg64(&msi->cfg0), smmu_reg(&msi->cfg1),
		     source->abort_error);
		end_of_sending(bank, source->line);
		if (round < ROUNDS)
			continue;
		/* Somebody makes interrupts of interrupts: the rest is for step(). */
		weir_model_kick(&bank->smmu->stepper);
		return;
	}
}

void weir_model_smmu_send_irqs(struct smmu_bank *bank)
{
	const uint32_t pending = PENDING(WEIR_MODEL_SMMUV3_EVENTQ) |
				 PENDING(WEIR_MODEL_SMMUV3_PRIQ) | PENDING(WEIR_MODEL_SMMUV3_PMCG) |
				 PENDING(WEIR_MODEL_SMMUV3_GERROR);

	if (!(__atomic_load_n(&bank->irqs, __ATOMIC_SEQ_CST) & pending))
		return;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(sources); i++)
		send_source(bank, &sources[i]);
}

/* ---- CMD_SYNC --------------------------------------------------------------------------- */

/* 4.7.3. Without IDR0.SEV, CS == SEV is as good as none. */
void weir_model_smmu_signal_sync(struct smmu_bank *bank, const uint64_t *cmd)
{
	const struct weir_model_host *host = &bank->smmu->memory.host;
	uint64_t addr = smmu_has_msi(bank) ? smmu_sync_address(bank, cmd) : 0;

	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_SYNC_0_CS, cmd[0])) {
	case WEIR_SMMU_CMD_SYNC_CS_IRQ:
		send(bank, WEIR_MODEL_SMMUV3_CMD_SYNC, addr,
		     (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_SYNC_0_MSIDATA, cmd[0]),
		     (uint32_t)WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR);
		break;
	case WEIR_SMMU_CMD_SYNC_CS_SEV:
		if (bank->smmu->features.sev && host->ops->wake)
			host->ops->wake(host->opaque);
		break;
	default:
		break;
	}
}
