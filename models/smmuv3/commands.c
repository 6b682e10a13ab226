/* SPDX-License-Identifier: MIT */

/*
 * What commands do, but for CMD_SYNC (chapter 4). Opcodes that are not in the table below are
 * reserved, or of what this model lacks: Secure EL2, MPAM, DPT (4.1.3).
 *
 * That an invalidation is consumed says nothing (4.1.4): it is complete when a later CMD_SYNC is.
 * With adversarial caches it waits for one, or for another command that has to see its effect:
 * CMD_ATC_INV is none (4.5.1).
 */

#include "smmuv3/internal.h"

/* A CMD_PREFETCH_ADDR may ask for 2^31 translations; an implementation limits it (4.2.2). */
#define PREFETCH_MAX 64u

static uint64_t field(uint64_t mask, uint64_t word)
{
	return WEIR_SMMU_FIELD_GET(mask, word);
}

static uint32_t sid_of(const uint64_t *cmd)
{
	return (uint32_t)field(WEIR_SMMU_CMD_0_SID, cmd[0]);
}

static uint32_t ssid_of(const uint64_t *cmd)
{
	return (uint32_t)field(WEIR_SMMU_CMD_0_SSID, cmd[0]);
}

/* ---- Prefetches (4.2) -------------------------------------------------------------------- */

/* Without substreams SSV does not count. Nothing of a prefetch is an error. */
static bool prefetches(const struct smmu_bank *bank, const uint64_t *cmd, bool *has_ssid)
{
	*has_ssid = (cmd[0] & WEIR_SMMU_CMD_0_SSV) && bank->smmu->features.ssid_bits;
	return smmu_reg(&bank->cr0) & WEIR_SMMU_CR0_SMMUEN;
}

static enum smmu_outcome prefetch_config(struct smmu_bank *queues, const uint64_t *cmd)
{
	struct smmu_bank *bank = smmu_named_bank(queues, cmd);
	bool has_ssid;

	if (prefetches(bank, cmd, &has_ssid))
		weir_model_smmu_prefetch(bank, sid_of(cmd), has_ssid, ssid_of(cmd), false, 0);
	return SMMU_CONSUMED;
}

static enum smmu_outcome prefetch_addr(struct smmu_bank *queues, const uint64_t *cmd)
{
	struct smmu_bank *bank = smmu_named_bank(queues, cmd);
	uint64_t addr = cmd[1] & WEIR_SMMU_CMD_PREFETCH_1_ADDR, count, stride = 0;
	bool has_ssid;

	if (!prefetches(bank, cmd, &has_ssid))
		return SMMU_CONSUMED;
	/* In v3.0 the field is reserved. */
	if (bank->smmu->features.minor)
		stride = field(WEIR_SMMU_CMD_PREFETCH_1_STRIDE, cmd[1]);
	count = WEIR_BIT(field(WEIR_SMMU_CMD_PREFETCH_1_SIZE, cmd[1]));
	for (uint64_t i = 0; i < count && i < PREFETCH_MAX; i++)
		weir_model_smmu_prefetch(bank, sid_of(cmd), has_ssid, ssid_of(cmd), true,
					 addr + (i << (12 + stride)));
	return SMMU_CONSUMED;
}

/* ---- Configuration (4.3) ----------------------------------------------------------------- */

/* A census takes nothing out, and changes nothing that a transaction would get. */
static void change_begin(const struct smmu_bank *bank, bool config)
{
	if (!bank->smmu->tlb.census)
		weir_model_smmu_change_begin(bank->smmu, config);
}

static void change_end(const struct smmu_bank *bank, bool config)
{
	if (!bank->smmu->tlb.census)
		weir_model_smmu_change_end(bank->smmu, config);
}

static void invalidate_stes(struct smmu_bank *bank, uint32_t first, uint32_t last, bool leaf)
{
	change_begin(bank, true);
	weir_model_smmu_invalidate_stes(bank, first, last, leaf);
	change_end(bank, true);
}

static enum smmu_outcome cfgi_ste(struct smmu_bank *bank, const uint64_t *cmd)
{
	invalidate_stes(smmu_named_bank(bank, cmd), sid_of(cmd), sid_of(cmd),
			cmd[1] & WEIR_SMMU_CMD_1_LEAF);
	return SMMU_CONSUMED;
}

/* 4.3.2: an aligned range of 2^(Range + 1) streams; 31 is all of them, CMD_CFGI_ALL. */
static enum smmu_outcome cfgi_ste_range(struct smmu_bank *bank, const uint64_t *cmd)
{
	unsigned int range = (unsigned int)field(WEIR_SMMU_CMD_CFGI_1_RANGE, cmd[1]);
	uint32_t low = (uint32_t)smmu_low_bits(range + 1);

	invalidate_stes(smmu_named_bank(bank, cmd), sid_of(cmd) & ~low, sid_of(cmd) | low, false);
	return SMMU_CONSUMED;
}

static void invalidate_cds(struct smmu_bank *bank, uint32_t sid, uint32_t ssid, bool leaf)
{
	change_begin(bank, true);
	weir_model_smmu_invalidate_cds(bank, sid, ssid, leaf);
	change_end(bank, true);
}

/* 4.1.7: a SubstreamID out of range is that of no CD, and the command does nothing. */
static enum smmu_outcome cfgi_cd(struct smmu_bank *bank, const uint64_t *cmd)
{
	invalidate_cds(smmu_named_bank(bank, cmd), sid_of(cmd), ssid_of(cmd),
		       cmd[1] & WEIR_SMMU_CMD_1_LEAF);
	return SMMU_CONSUMED;
}

static enum smmu_outcome cfgi_cd_all(struct smmu_bank *bank, const uint64_t *cmd)
{
	invalidate_cds(smmu_named_bank(bank, cmd), sid_of(cmd), SMMU_ALL_SSIDS, false);
	return SMMU_CONSUMED;
}

/* ---- Translations (4.4) ------------------------------------------------------------------ */

/* The last address of (NUM + 1) << shift bytes; a range does not wrap (4.4.1.1). */
static uint64_t range_last(uint64_t first, uint64_t num, unsigned int shift)
{
	uint64_t last;

	if (shift >= 64 || (num + 1) >> (64 - shift))
		return ~(uint64_t)0;
	last = first + ((num + 1) << shift) - 1;
	return last < first ? ~(uint64_t)0 : last;
}

/*
 * 4.4.1.1: the range and the hints of an invalidation by address. False: they are reserved. Without
 * RIL, or a granule, there are none. first is set.
 */
static bool read_range(const struct smmu_features *features, const uint64_t *cmd,
		       struct smmu_tlb_scope *scope)
{
	uint64_t num = field(WEIR_SMMU_CMD_TLBI_0_NUM, cmd[0]);
	unsigned int scale = (unsigned int)field(WEIR_SMMU_CMD_TLBI_0_SCALE, cmd[0]);
	unsigned int ttl = (unsigned int)field(WEIR_SMMU_CMD_TLBI_1_TTL, cmd[1]);
	unsigned int tg = (unsigned int)field(WEIR_SMMU_CMD_TLBI_1_TG, cmd[1]);

	scope->last = scope->first;
	if (!features->ril || tg == WEIR_SMMU_CMD_TLBI_TG_NONE)
		return true;
	if (tg == WEIR_SMMU_CMD_TLBI_TG_16K && ttl == 1 && !features->ds)
		ttl = 0;
	if (!num && !scale && !ttl)
		return false;
	scope->granule = (uint8_t)(10 + 2 * tg);
	scope->level = (uint8_t)ttl;
	scope->last = range_last(scope->first, num, scale + scope->granule);
	return true;
}

/* To what TG and TTL say; else the range is UNPREDICTABLE (4.4.1.1). */
static bool is_aligned(const struct smmu_tlb_scope *scope)
{
	unsigned int levels = scope->level ? 3u - scope->level : 0;

	return !scope->granule ||
	       !(scope->first & smmu_low_bits(scope->granule + levels * (scope->granule - 3u)));
}

/* 3.17.6, 6.3.9: how much of a VMID counts; reserved values are as none. */
static uint16_t vmid_mask(const struct smmu_bank *bank)
{
	uint64_t wild = field(WEIR_SMMU_CR0_VMW, smmu_reg(&bank->cr0));

	return wild > 4 ? (uint16_t)~0u : (uint16_t)~smmu_low_bits((unsigned int)wild);
}

/*
 * 4.4.2: without stage 2 the VMID of a command is not looked at, and all entries have VMID 0. It is
 * a Non-secure one, whichever queue says it.
 */
static void take_vmid(const struct smmu_bank *bank, const uint64_t *cmd,
		      struct smmu_tlb_scope *scope)
{
	scope->by_vmid = true;
	scope->vmid_mask = vmid_mask(&bank->smmu->ns);
	if (bank->smmu->features.stage2)
		scope->vmid = (uint16_t)field(WEIR_SMMU_CMD_TLBI_0_VMID, cmd[0]);
}

/* 4.4.2: the EL1 of the queue's own Security state. There are no Secure VMIDs: entries have 0. */
static void take_el1(const struct smmu_bank *bank, const uint64_t *cmd,
		     struct smmu_tlb_scope *scope)
{
	if (!smmu_is_secure(bank)) {
		take_vmid(bank, cmd, scope);
		return;
	}
	scope->worlds = WEIR_BIT(SMMU_WORLD_S_EL1);
	scope->by_vmid = true;
	scope->vmid_mask = (uint16_t)~0u;
}

/* What a command reaches, but for its address: 4.4.2 to 4.4.4. */
static void read_scope(const struct smmu_bank *bank, const uint64_t *cmd,
		       struct smmu_tlb_scope *scope)
{
	bool e2h = smmu_reg(&bank->smmu->ns.cr2) & WEIR_SMMU_CR2_E2H;

	*scope = (struct smmu_tlb_scope){
		.worlds = WEIR_BIT(SMMU_WORLD_NS_EL1),
		.stage1 = true,
		.asid = (uint16_t)field(WEIR_SMMU_CMD_TLBI_0_ASID, cmd[0]),
	};
	switch (field(WEIR_SMMU_CMD_0_OPCODE, cmd[0])) {
	case WEIR_SMMU_CMD_TLBI_NH_ASID:
	case WEIR_SMMU_CMD_TLBI_NH_VA:
		scope->by_asid = true;
		take_el1(bank, cmd, scope);
		return;
	case WEIR_SMMU_CMD_TLBI_EL3_ALL:
	case WEIR_SMMU_CMD_TLBI_EL3_VA:
		scope->worlds = WEIR_BIT(SMMU_WORLD_EL3);
		return;
	case WEIR_SMMU_CMD_TLBI_S12_VMALL:
		scope->stage2 = true;
		take_vmid(bank, cmd, scope);
		return;
	case WEIR_SMMU_CMD_TLBI_S2_IPA:
		scope->stage1 = false;
		scope->stage2 = true;
		take_vmid(bank, cmd, scope);
		return;
	case WEIR_SMMU_CMD_TLBI_NSNH_ALL:
		scope->stage2 = true;
		return;
	case WEIR_SMMU_CMD_TLBI_EL2_ALL:
		scope->worlds = WEIR_BIT(SMMU_WORLD_EL2) | WEIR_BIT(SMMU_WORLD_EL2_E2H);
		return;
	case WEIR_SMMU_CMD_TLBI_EL2_ASID:
		scope->worlds = WEIR_BIT(SMMU_WORLD_EL2_E2H);
		scope->by_asid = true;
		return;
	case WEIR_SMMU_CMD_TLBI_EL2_VA:
	case WEIR_SMMU_CMD_TLBI_EL2_VAA:
		scope->worlds = WEIR_BIT(e2h ? SMMU_WORLD_EL2_E2H : SMMU_WORLD_EL2);
		scope->by_asid =
			e2h && field(WEIR_SMMU_CMD_0_OPCODE, cmd[0]) == WEIR_SMMU_CMD_TLBI_EL2_VA;
		return;
	default: /* NH_ALL, NH_VAA */
		take_el1(bank, cmd, scope);
	}
}

static enum smmu_outcome invalidate(struct smmu_bank *bank, const struct smmu_tlb_scope *scope)
{
	change_begin(bank, false);
	weir_model_smmu_tlb_invalidate(bank->smmu, scope);
	change_end(bank, false);
	return SMMU_CONSUMED;
}

static enum smmu_outcome tlbi(struct smmu_bank *bank, const uint64_t *cmd)
{
	struct smmu_tlb_scope scope;

	read_scope(bank, cmd, &scope);
	return invalidate(bank, &scope);
}

/* Bit 55 decides the half; entries are kept with the bits above equal to it. */
static uint64_t sign_extended(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 8) >> 8);
}

static uint64_t ipa_field(const struct smmu_features *features)
{
	return WEIR_SMMU_CMD_TLBI_1_IPA & smmu_low_bits(smmu_command_bits(features));
}

static enum smmu_outcome tlbi_address(struct smmu_bank *bank, const uint64_t *cmd)
{
	struct smmu_tlb_scope scope;

	read_scope(bank, cmd, &scope);
	scope.by_address = true;
	scope.leaf_only = cmd[1] & WEIR_SMMU_CMD_1_LEAF;
	scope.first = scope.stage1 ? sign_extended(cmd[1] & WEIR_SMMU_CMD_TLBI_1_VA) :
				     cmd[1] & ipa_field(&bank->smmu->features);
	read_range(&bank->smmu->features, cmd, &scope);
	/* Whatever is not sure to happen does not, where that shows what software did wrong. */
	if (bank->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL && !is_aligned(&scope))
		return SMMU_CONSUMED;
	return invalidate(bank, &scope);
}

/* ---- Legality (4.1.3 to 4.1.6) ----------------------------------------------------------- */

#define NEEDS_STAGE1 1u
#define NEEDS_STAGE2 2u
#define NEEDS_HYP 4u
#define INVALIDATES 8u
#define SECURE_QUEUE 16u /* is of no other */
#define NO_SECURE_VMID 32u
#define ATS_MAINTENANCE 64u
#define RETRIES 128u

/* Fields of both words; everything else is RES0. */
#define SSEC WEIR_SMMU_CMD_0_SSEC
#define SID WEIR_SMMU_CMD_0_SID
#define SSID (WEIR_SMMU_CMD_0_SSID | WEIR_SMMU_CMD_0_SSV)
#define VMID WEIR_SMMU_CMD_TLBI_0_VMID
#define ASID WEIR_SMMU_CMD_TLBI_0_ASID
#define RANGE0 (WEIR_SMMU_CMD_TLBI_0_NUM | WEIR_SMMU_CMD_TLBI_0_SCALE)
#define RANGE1 (WEIR_SMMU_CMD_TLBI_1_TG | WEIR_SMMU_CMD_TLBI_1_TTL)
#define VA (WEIR_SMMU_CMD_TLBI_1_VA | WEIR_SMMU_CMD_1_LEAF | RANGE1)
#define IPA (WEIR_SMMU_CMD_TLBI_1_IPA | WEIR_SMMU_CMD_1_LEAF | RANGE1)

struct command {
	enum smmu_outcome (*execute)(struct smmu_bank *bank, const uint64_t *cmd);
	uint64_t fields[WEIR_SMMU_CMD_WORDS];
	uint8_t flags;
};

static const struct command commands[] = {
	[WEIR_SMMU_CMD_PREFETCH_CONFIG] = { prefetch_config, { SSEC | SID | SSID, 0 }, 0 },
	[WEIR_SMMU_CMD_PREFETCH_ADDR] = { prefetch_addr,
					  { SSEC | SID | SSID,
					    WEIR_SMMU_CMD_PREFETCH_1_SIZE |
						    WEIR_SMMU_CMD_PREFETCH_1_STRIDE |
						    WEIR_SMMU_CMD_PREFETCH_1_ADDR },
					  0 },
	[WEIR_SMMU_CMD_CFGI_STE] = { cfgi_ste, { SSEC | SID, WEIR_SMMU_CMD_1_LEAF }, INVALIDATES },
	[WEIR_SMMU_CMD_CFGI_STE_RANGE] = { cfgi_ste_range,
					   { SSEC | SID, WEIR_SMMU_CMD_CFGI_1_RANGE },
					   INVALIDATES },
	[WEIR_SMMU_CMD_CFGI_CD] = { cfgi_cd,
				    { SSEC | SID | WEIR_SMMU_CMD_0_SSID, WEIR_SMMU_CMD_1_LEAF },
				    NEEDS_STAGE1 | INVALIDATES },
	[WEIR_SMMU_CMD_CFGI_CD_ALL] = { cfgi_cd_all,
					{ SSEC | SID, 0 },
					NEEDS_STAGE1 | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_NH_ALL] = { tlbi,
					{ VMID, 0 },
					NEEDS_STAGE1 | INVALIDATES | NO_SECURE_VMID },
	[WEIR_SMMU_CMD_TLBI_NH_ASID] = { tlbi,
					 { VMID | ASID, 0 },
					 NEEDS_STAGE1 | INVALIDATES | NO_SECURE_VMID },
	[WEIR_SMMU_CMD_TLBI_NH_VA] = { tlbi_address,
				       { VMID | ASID | RANGE0, VA },
				       NEEDS_STAGE1 | INVALIDATES | NO_SECURE_VMID },
	[WEIR_SMMU_CMD_TLBI_NH_VAA] = { tlbi_address,
					{ VMID | RANGE0, VA },
					NEEDS_STAGE1 | INVALIDATES | NO_SECURE_VMID },
	[WEIR_SMMU_CMD_TLBI_EL3_ALL] = { tlbi,
					 { 0, 0 },
					 NEEDS_STAGE1 | INVALIDATES | SECURE_QUEUE },
	[WEIR_SMMU_CMD_TLBI_EL3_VA] = { tlbi_address,
					{ RANGE0, VA },
					NEEDS_STAGE1 | INVALIDATES | SECURE_QUEUE },
	[WEIR_SMMU_CMD_TLBI_EL2_ALL] = { tlbi, { 0, 0 }, NEEDS_STAGE1 | NEEDS_HYP | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_EL2_ASID] = { tlbi,
					  { ASID, 0 },
					  NEEDS_STAGE1 | NEEDS_HYP | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_EL2_VA] = { tlbi_address,
					{ ASID | RANGE0, VA },
					NEEDS_STAGE1 | NEEDS_HYP | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_EL2_VAA] = { tlbi_address,
					 { RANGE0, VA },
					 NEEDS_STAGE1 | NEEDS_HYP | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_S12_VMALL] = { tlbi, { VMID, 0 }, NEEDS_STAGE2 | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_S2_IPA] = { tlbi_address,
					{ VMID | RANGE0, IPA },
					NEEDS_STAGE2 | INVALIDATES },
	[WEIR_SMMU_CMD_TLBI_NSNH_ALL] = { tlbi, { 0, 0 }, INVALIDATES },
	[WEIR_SMMU_CMD_ATC_INV] = { weir_model_smmu_atc_inv,
				    { SID | SSID | WEIR_SMMU_CMD_ATC_INV_0_GLOBAL,
				      WEIR_SMMU_CMD_ATC_INV_1_SIZE | WEIR_SMMU_CMD_ATC_INV_1_ADDR },
				    ATS_MAINTENANCE },
	[WEIR_SMMU_CMD_PRI_RESP] = { weir_model_smmu_pri_resp,
				     { SID | SSID, WEIR_SMMU_CMD_PRI_RESP_1_PRGI |
							   WEIR_SMMU_CMD_PRI_RESP_1_RESP },
				     ATS_MAINTENANCE },
	[WEIR_SMMU_CMD_RESUME] = { weir_model_smmu_resume,
				   { SSEC | SID | WEIR_SMMU_CMD_RESUME_0_RETRY |
					     WEIR_SMMU_CMD_RESUME_0_ABORT,
				     WEIR_SMMU_CMD_RESUME_1_STAG },
				   RETRIES },
	[WEIR_SMMU_CMD_STALL_TERM] = { weir_model_smmu_stall_term, { SSEC | SID, 0 }, 0 },
};

/* Fields that this implementation has: 4.1.6, 4.2.2, 4.4, 4.4.1.1, 4.4.2. */
static bool has_reserved_bits(const struct smmu_bank *bank, const struct command *command,
			      const uint64_t *cmd)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t fields[] = { command->fields[0] | WEIR_SMMU_CMD_0_OPCODE, command->fields[1] };

	if (command->execute == tlbi || command->execute == tlbi_address) {
		if (!features->stage2 ||
		    (smmu_is_secure(bank) && (command->flags & NO_SECURE_VMID)))
			fields[0] &= ~VMID;
		if (!features->vmid16)
			fields[0] &= ~WEIR_SMMU_FIELD(VMID, 0xff00);
		if (!features->asid16)
			fields[0] &= ~WEIR_SMMU_FIELD(ASID, 0xff00);
		if (!features->ril || !(cmd[1] & WEIR_SMMU_CMD_TLBI_1_TG)) {
			fields[0] &= ~RANGE0;
			fields[1] &= ~RANGE1;
		}
	}
	if (field(WEIR_SMMU_CMD_0_OPCODE, cmd[0]) == WEIR_SMMU_CMD_TLBI_S2_IPA)
		fields[1] &= ~WEIR_SMMU_CMD_TLBI_1_IPA | ipa_field(features);
	if (command->execute == prefetch_addr && !features->minor)
		fields[1] &= ~WEIR_SMMU_CMD_PREFETCH_1_STRIDE;
	return (cmd[0] & ~fields[0]) || (cmd[1] & ~fields[1]);
}

/* 4.1.6: the streams of the Non-secure queue are Non-secure. 6.3.55: SAMS. */
static bool is_of_queue(const struct smmu_bank *bank, const struct command *command,
			const uint64_t *cmd)
{
	if (!smmu_is_secure(bank))
		return !(command->flags & SECURE_QUEUE) && !(command->fields[0] & cmd[0] & SSEC);
	return !(command->flags & ATS_MAINTENANCE) || !bank->smmu->features.sams;
}

static bool is_legal(const struct smmu_bank *bank, const struct command *command,
		     const uint64_t *cmd)
{
	const struct smmu_features *features = &bank->smmu->features;

	if (((command->flags & NEEDS_STAGE1) && !features->stage1) ||
	    ((command->flags & NEEDS_STAGE2) && !features->stage2) ||
	    ((command->flags & NEEDS_HYP) && !features->hyp))
		return false;
	if (!is_of_queue(bank, command, cmd))
		return false;
	if (command->execute == tlbi_address &&
	    !read_range(features, cmd, &(struct smmu_tlb_scope){ 0 }))
		return false;
	return !features->reject_reserved || !has_reserved_bits(bank, command, cmd);
}

static const struct command *find_command(const uint64_t *cmd)
{
	uint64_t opcode = field(WEIR_SMMU_CMD_0_OPCODE, cmd[0]);

	if (opcode >= WEIR_ARRAY_SIZE(commands) || !commands[opcode].execute)
		return NULL;
	return &commands[opcode];
}

/* What a queue put off (NULL: all queues), in its order; that of the others keeps its own. */
static void catch_up(struct smmu_bank *bank, const struct smmu_cmdq *queue)
{
	struct smmu_put_off *late = &bank->put_off;
	unsigned int left = 0;

	for (unsigned int i = 0; i < late->count; i++) {
		const struct smmu_deferred *deferred = &late->commands[i];

		if (queue && deferred->queue != queue)
			late->commands[left++] = *deferred;
		else
			find_command(deferred->command)->execute(bank, deferred->command);
	}
	late->count = left;
}

void weir_model_smmu_catch_up(struct smmu_cmdq *queue)
{
	catch_up(queue->bank, queue);
}

static enum smmu_outcome put_off(const struct smmu_cmdq *queue, const uint64_t *cmd)
{
	struct smmu_put_off *late = &queue->bank->put_off;
	struct smmu_deferred *deferred;

	if (late->count == WEIR_ARRAY_SIZE(late->commands))
		catch_up(queue->bank, NULL);
	deferred = &late->commands[late->count++];
	deferred->queue = queue;
	memcpy(deferred->command, cmd, sizeof(deferred->command));
	return SMMU_CONSUMED;
}

enum smmu_outcome weir_model_smmu_execute(struct smmu_cmdq *queue, const uint64_t *cmd)
{
	const struct command *command = find_command(cmd);
	struct smmu_bank *bank = queue->bank;

	if (!command || !is_legal(bank, command, cmd))
		return SMMU_ILLEGAL;
	if ((command->flags & INVALIDATES) &&
	    bank->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		return put_off(queue, cmd);
	/* 3.21.3: a CMD_RESUME retries with what was invalidated before it, without a CMD_SYNC. */
	if (command->flags & RETRIES)
		weir_model_smmu_catch_up(queue);
	return command->execute(bank, cmd);
}

void weir_model_smmu_rehearse(struct smmu_bank *bank, const uint64_t *cmd)
{
	const struct command *command = find_command(cmd);

	if (command && (command->flags & INVALIDATES) && is_legal(bank, command, cmd))
		command->execute(bank, cmd);
}
