/* SPDX-License-Identifier: MIT */

/*
 * The command queue (chapter 4, 7.1), consumed by step() alone. One command is executed under
 * `lock`; an error stops the queue with CONS at the command, until software acknowledges it.
 */

#include "smmuv3/internal.h"

enum outcome {
	CONSUMED,
	ILLEGAL, /* CERROR_ILL */
	WAITING, /* a CMD_SYNC, for transactions in flight: stays in the queue */
};

static uint64_t field(uint64_t mask, uint64_t word)
{
	return WEIR_SMMU_FIELD_GET(mask, word);
}

static uint32_t sid_of(const uint64_t *cmd)
{
	return (uint32_t)field(WEIR_SMMU_CMD_0_SID, cmd[0]);
}

/* log2 of the granule that TG names; 0 for none (4.4.1.1). */
static unsigned int tg_granule(unsigned int tg)
{
	return tg == WEIR_SMMU_CMD_TLBI_TG_NONE ? 0 : 10 + 2 * tg;
}

/* Entries of which sizes: all of the granule, or with TTL those of one level. */
static uint64_t hinted_sizes(unsigned int granule, unsigned int ttl)
{
	unsigned int stride = granule - 3;

	if (ttl)
		return WEIR_BIT(granule + (3 - ttl) * stride);
	return WEIR_BIT(granule) | WEIR_BIT(granule + stride) | WEIR_BIT(granule + 2 * stride);
}

/* The last address of the range (NUM + 1) * 2^SCALE * granule; it does not wrap (4.4.1.1). */
static uint64_t range_last(uint64_t first, uint64_t num, unsigned int shift)
{
	uint64_t bytes;

	if (shift > 58 || (num + 1) >> (64 - shift))
		return ~(uint64_t)0;
	bytes = (num + 1) << shift;
	return first + bytes - 1 < first ? ~(uint64_t)0 : first + bytes - 1;
}

/* 4.4.1.1: the range and the hints of an invalidation by address. False: they are reserved. */
static bool read_range(const struct weir_model_smmuv3 *smmu, const uint64_t *cmd,
		       struct smmu_tlb_scope *scope)
{
	uint64_t num = field(WEIR_SMMU_CMD_TLBI_0_NUM, cmd[0]);
	unsigned int scale = (unsigned int)field(WEIR_SMMU_CMD_TLBI_0_SCALE, cmd[0]);
	unsigned int ttl = (unsigned int)field(WEIR_SMMU_CMD_TLBI_1_TTL, cmd[1]);
	unsigned int tg = (unsigned int)field(WEIR_SMMU_CMD_TLBI_1_TG, cmd[1]);
	unsigned int granule = smmu->features.ril ? tg_granule(tg) : 0;

	/* Bit 55 decides the half; entries are kept with the bits above equal to it. */
	scope->first = (uint64_t)((int64_t)((cmd[1] & WEIR_SMMU_CMD_TLBI_1_VA) << 8) >> 8);
	scope->last = scope->first;
	if (!granule)
		return true;
	/* Level 1 of a 16 KiB table has no leaves below 52 bits: as if no level were given. */
	if (tg == WEIR_SMMU_CMD_TLBI_TG_16K && ttl == 1)
		ttl = 0;
	if (!num && !scale && !ttl)
		return false;
	scope->last = range_last(scope->first, num, scale + granule);
	scope->sizes = hinted_sizes(granule, ttl);
	return true;
}

/* 4.4.2: without stage 2 the VMID of a command is not looked at, and all entries have VMID 0. */
static enum outcome tlbi(struct weir_model_smmuv3 *smmu, const uint64_t *cmd, bool by_asid,
			 bool by_address)
{
	struct smmu_tlb_scope scope = {
		.asid = (uint16_t)field(WEIR_SMMU_CMD_TLBI_0_ASID, cmd[0]),
		.sizes = ~(uint64_t)0,
		.by_asid = by_asid,
		.by_address = by_address,
	};

	if (by_address && !read_range(smmu, cmd, &scope))
		return ILLEGAL;
	weir_model_smmu_tlb_invalidate(smmu, &scope);
	return CONSUMED;
}

/* 4.3.2: an aligned range of 2^(Range + 1) streams; 31 is all of them. */
static enum outcome cfgi_range(struct weir_model_smmuv3 *smmu, const uint64_t *cmd)
{
	unsigned int range = (unsigned int)field(WEIR_SMMU_CMD_CFGI_1_RANGE, cmd[1]);
	uint64_t low = smmu_low_bits(range + 1);

	weir_model_smmu_invalidate_stes(smmu, sid_of(cmd) & ~low, sid_of(cmd) | low);
	return CONSUMED;
}

/* 4.2: nothing of it may fail; translations are not prefetched, which 4.2.2 leaves open. */
static enum outcome prefetch(struct weir_model_smmuv3 *smmu, const uint64_t *cmd)
{
	if (smmu_reg(&smmu->cr0) & WEIR_SMMU_CR0_SMMUEN)
		weir_model_smmu_prefetch(smmu, sid_of(cmd));
	return CONSUMED;
}

/*
 * 4.7.3: everything that began before is over, its accesses and its events visible. The flag is set
 * before the flights are looked at: the flight that lands after the look sees it, and kicks.
 */
static enum outcome sync(struct weir_model_smmuv3 *smmu, const uint64_t *cmd)
{
	/* CS == 3 is reserved; SEV without IDR0.SEV is the same as none. */
	if (field(WEIR_SMMU_CMD_SYNC_0_CS, cmd[0]) > WEIR_SMMU_CMD_SYNC_CS_SEV)
		return ILLEGAL;
	if (!smmu->sync_epoch)
		smmu->sync_epoch = __atomic_add_fetch(&smmu->epoch, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&smmu->sync_waiting, true, __ATOMIC_SEQ_CST);
	if (!weir_model_smmu_flights_landed(smmu, smmu->sync_epoch))
		return WAITING;
	__atomic_store_n(&smmu->sync_waiting, false, __ATOMIC_SEQ_CST);
	smmu_count_locked(&smmu->syncs);
	return CONSUMED;
}

/* 4.1.6: commands that name a stream; none is Secure on this queue. */
static bool names_secure_stream(const uint64_t *cmd)
{
	switch (field(WEIR_SMMU_CMD_0_OPCODE, cmd[0])) {
	case WEIR_SMMU_CMD_PREFETCH_CONFIG:
	case WEIR_SMMU_CMD_PREFETCH_ADDR:
	case WEIR_SMMU_CMD_CFGI_STE:
	case WEIR_SMMU_CMD_CFGI_STE_RANGE:
	case WEIR_SMMU_CMD_CFGI_CD:
	case WEIR_SMMU_CMD_CFGI_CD_ALL:
		return cmd[0] & WEIR_SMMU_CMD_0_SSEC;
	default:
		return false;
	}
}

/* What is missing is of a feature that is: stage 2, EL2, ATS, PRI, stalls, MPAM (4.1.3). */
static enum outcome execute(struct weir_model_smmuv3 *smmu, const uint64_t *cmd)
{
	if (names_secure_stream(cmd))
		return ILLEGAL;
	switch (field(WEIR_SMMU_CMD_0_OPCODE, cmd[0])) {
	case WEIR_SMMU_CMD_PREFETCH_CONFIG:
	case WEIR_SMMU_CMD_PREFETCH_ADDR:
		return prefetch(smmu, cmd);
	case WEIR_SMMU_CMD_CFGI_STE:
		weir_model_smmu_invalidate_stes(smmu, sid_of(cmd), sid_of(cmd));
		return CONSUMED;
	case WEIR_SMMU_CMD_CFGI_STE_RANGE:
		return cfgi_range(smmu, cmd);
	case WEIR_SMMU_CMD_CFGI_CD:
		/* 4.1.7: a SubstreamID out of range may name the one CD there is. */
	case WEIR_SMMU_CMD_CFGI_CD_ALL:
		weir_model_smmu_invalidate_cds(smmu, sid_of(cmd));
		return CONSUMED;
	case WEIR_SMMU_CMD_TLBI_NH_ALL:
	case WEIR_SMMU_CMD_TLBI_NSNH_ALL:
		return tlbi(smmu, cmd, false, false);
	case WEIR_SMMU_CMD_TLBI_NH_ASID:
		return tlbi(smmu, cmd, true, false);
	case WEIR_SMMU_CMD_TLBI_NH_VA:
		return tlbi(smmu, cmd, true, true);
	case WEIR_SMMU_CMD_TLBI_NH_VAA:
		return tlbi(smmu, cmd, false, true);
	case WEIR_SMMU_CMD_SYNC:
		return sync(smmu, cmd);
	default:
		return ILLEGAL;
	}
}

/* 7.1: the reason before the error, CONS on the command. */
static void stop(struct weir_model_smmuv3 *smmu, uint32_t reason)
{
	uint32_t cons = smmu_reg(&smmu->cmdq_cons) & (uint32_t)WEIR_SMMU_Q_INDEX;

	smmu_reg_set(&smmu->cmdq_cons,
		     cons | (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_CMDQ_CONS_ERR, reason));
	weir_model_smmu_global_error(smmu, WEIR_SMMU_GERROR_CMDQ_ERR);
}

static void advance(struct weir_model_smmuv3 *smmu, unsigned int log2size, const uint64_t *cmd)
{
	uint32_t cons = smmu_reg(&smmu->cmdq_cons);
	uint32_t mask = (uint32_t)smmu_low_bits(log2size + 1);

	smmu_reg_set(&smmu->cmdq_cons,
		     (cons & (uint32_t)WEIR_SMMU_CMDQ_CONS_ERR) | ((cons + 1) & mask));
	smmu_count_locked(&smmu->commands);
	/* 3.18: after its consumption can be seen. */
	if (field(WEIR_SMMU_CMD_0_OPCODE, cmd[0]) == WEIR_SMMU_CMD_SYNC &&
	    field(WEIR_SMMU_CMD_SYNC_0_CS, cmd[0]) == WEIR_SMMU_CMD_SYNC_CS_IRQ)
		smmu->sink.raise(smmu->sink.opaque, smmu->irq_sync);
}

static bool fetch(struct weir_model_smmuv3 *smmu, unsigned int log2size, uint64_t *cmd)
{
	uint64_t bytes = (uint64_t)WEIR_SMMU_CMD_SIZE << log2size;
	uint64_t addr = smmu_queue_base(smmu_reg64(&smmu->cmdq_base), bytes > 32 ? bytes : 32);

	addr += (smmu_reg(&smmu->cmdq_cons) & smmu_low_bits(log2size)) * WEIR_SMMU_CMD_SIZE;
	return weir_model_bus_load64(smmu->bus, addr, &cmd[0]) == WEIR_MODEL_OK &&
	       weir_model_bus_load64(smmu->bus, addr + 8, &cmd[1]) == WEIR_MODEL_OK;
}

/* 4.1.2. Nothing is consumed while the indexes are inconsistent (3.5.1). */
static bool processable(const struct weir_model_smmuv3 *smmu, unsigned int log2size)
{
	uint32_t fill =
		smmu_queue_fill(smmu_reg(&smmu->cmdq_prod), smmu_reg(&smmu->cmdq_cons), log2size);

	return fill && fill <= (uint32_t)1 << log2size &&
	       (smmu_reg(&smmu->cr0) & WEIR_SMMU_CR0_CMDQEN) &&
	       !weir_model_smmu_error_active(smmu, WEIR_SMMU_GERROR_CMDQ_ERR);
}

/* `lock` is held. False: nothing more can be done now. */
static bool consume(struct weir_model_smmuv3 *smmu)
{
	unsigned int log2size =
		smmu_queue_log2size(smmu_reg64(&smmu->cmdq_base), smmu->features.cmdqs);
	uint64_t cmd[WEIR_SMMU_CMD_WORDS];
	enum outcome outcome;

	if (!processable(smmu, log2size))
		return false;
	if (!fetch(smmu, log2size, cmd)) {
		stop(smmu, WEIR_SMMU_CERROR_ABT);
		return false;
	}
	outcome = execute(smmu, cmd);
	if (outcome == WAITING)
		return false;
	/* A CMD_SYNC waits for what came before it; one that was withdrawn does not count. */
	smmu->sync_epoch = 0;
	if (outcome == CONSUMED)
		advance(smmu, log2size, cmd);
	else
		stop(smmu, WEIR_SMMU_CERROR_ILL);
	return outcome == CONSUMED;
}

unsigned int weir_model_smmu_step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct weir_model_smmuv3 *smmu =
		WEIR_CONTAINER_OF(stepper, struct weir_model_smmuv3, stepper);
	unsigned int done = 0;
	bool more = true;

	while (more && done < budget) {
		pthread_mutex_lock(&smmu->lock);
		more = consume(smmu);
		pthread_mutex_unlock(&smmu->lock);
		done += more;
	}
	return done;
}
