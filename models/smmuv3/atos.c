/* SPDX-License-Identifier: MIT */

/*
 * Translation operations (chapter 9): software asks by registers what an address becomes. There are
 * two groups of these, in page 0 (GATOS) and in a page of its own for a virtual machine (VATOS);
 * and one of the Secure interface (S_GATOS), which may ask of the streams of both states. There is
 * no Secure stage 2, and so no S_VATOS.
 *
 * RUN reads as 1 until step() has done it, all under `lock`: so commands come before or after the
 * whole of one, and so does a change of SMMUEN. The way is that of a transaction, but for the
 * stream's overrides; nothing is recorded, and nothing stalls. Software's registers are its own
 * while RUN is 0, and read-only while it is 1 (6.3.37), as SMMUv3.2 has it.
 */

#include "smmuv3/internal.h"

#define GROUP_SIZE 0x20u
#define ADDR_FIELDS WEIR_GENMASK(63, 6)

/* A request, as its registers have it. */
struct request {
	unsigned int type; /* WEIR_SMMU_ATOS_TYPE_*, bits: the stages */
	bool secure;	   /* S_GATOS's: the answer tells NS */
	bool virtual;	   /* VATOS's */
	uint16_t vmid;	   /* ... of whose streams it may ask */
};

/* ---- ATOS_PAR ---------------------------------------------------------------------------- */

static uint64_t error(unsigned int code, unsigned int reason, uint64_t faddr)
{
	return WEIR_SMMU_ATOS_PAR_FAULT | WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_PAR_FAULTCODE, code) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_PAR_REASON, reason) |
	       (faddr & WEIR_SMMU_ATOS_PAR_FADDR);
}

static bool is_translation_related(unsigned int code)
{
	return code >= WEIR_SMMU_EVT_F_TRANSLATION && code <= WEIR_SMMU_EVT_F_PERMISSION;
}

/* What 9.1.4 has for a request of one stage or of both. */
static uint64_t refusal(unsigned int type, const struct smmu_fault *fault)
{
	unsigned int code = fault->type;

	switch (type) {
	case WEIR_SMMU_ATOS_TYPE_S1:
		/* Of stage 2 there is nothing to be told: its faults are aborts of the fetches. */
		if (fault->stage2)
			code = fault->class == WEIR_SMMU_EVT_CLASS_CD ? WEIR_SMMU_EVT_F_CD_FETCH :
									WEIR_SMMU_EVT_F_WALK_EABT;
		return error(code, WEIR_SMMU_ATOS_REASON_S1, 0);
	case WEIR_SMMU_ATOS_TYPE_S2:
		if (code == WEIR_SMMU_EVT_F_ADDR_SIZE && !fault->stage2)
			return error(code, WEIR_SMMU_ATOS_REASON_S1, 0);
		return error(code, WEIR_SMMU_ATOS_REASON_IN, 0);
	default:
		if (!fault->stage2)
			return error(code, WEIR_SMMU_ATOS_REASON_S1, 0);
		return error(code, WEIR_SMMU_ATOS_REASON_CD + fault->class,
			     is_translation_related(code) ? fault->ipa : 0);
	}
}

/* 6.3.40: a size above 4 KiB is a single bit below the address. */
static uint64_t success(bool secure, const struct smmu_translation *translation,
			uint32_t attributes)
{
	unsigned int size = translation->size;
	uint64_t par = translation->base & ~smmu_low_bits(size) & WEIR_SMMU_ATOS_PAR_ADDR;

	if (size > 12)
		par |= WEIR_SMMU_ATOS_PAR_SIZE | WEIR_BIT(size - 1);
	if (secure && (attributes & WEIR_MODEL_ATTR_NS))
		par |= WEIR_SMMU_S_ATOS_PAR_NS;
	return par |
	       WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_PAR_ATTR,
			       WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_MEMORY, attributes)) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_PAR_SH,
			       WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, attributes));
}

/* ---- Requests ---------------------------------------------------------------------------- */

/* 9.1.3: what no stream could make right. */
static bool is_malformed(const struct smmu_features *features, const struct request *request,
			 bool has_ssid)
{
	if (request->virtual && request->type != WEIR_SMMU_ATOS_TYPE_S1)
		return true;
	if ((request->type & WEIR_SMMU_ATOS_TYPE_S1) && !features->stage1)
		return true;
	if ((request->type & WEIR_SMMU_ATOS_TYPE_S2) && !features->stage2)
		return true;
	return !request->type || (request->type == WEIR_SMMU_ATOS_TYPE_S2 && has_ssid);
}

/* 9.1.6: of streams with no VMID, no virtual machine is told anything. */
static bool is_anothers(const struct smmu_ste *ste, uint16_t vmid)
{
	return !(ste->config & WEIR_SMMU_STE_CONFIG_BYPASS) ||
	       ste->config == WEIR_SMMU_STE_CONFIG_BYPASS || ste->world != SMMU_WORLD_NS_EL1 ||
	       ste->vmid != vmid;
}

/* Config's bits are the stages as well, below BYPASS. */
static bool lacks_stage(const struct smmu_ste *ste, unsigned int type)
{
	return (ste->config & (WEIR_SMMU_STE_CONFIG_BYPASS | type)) !=
	       (WEIR_SMMU_STE_CONFIG_BYPASS | type);
}

/*
 * Table 13.5, 6.3.40: of the tables alone, which combine with what says nothing (13.1.3). What the
 * stream overrides does not count, but for S2FWB (13.1.6).
 */
static uint32_t attributes_of(const struct smmu_access *access, const struct smmu_ste *ste,
			      const struct smmu_translation *translation)
{
	const struct smmu_ste plain = { .world = ste->world, .s2fwb = ste->s2fwb };

	return weir_model_smmu_attributes(access, &plain, translation);
}

/* 9.1.3: S1DSS lets stage 1 be passed by. The size is the smallest that there is. */
static bool pass_by(const struct smmu_access *access, struct smmu_translation *out,
		    struct smmu_fault *fault)
{
	const struct smmu_features *features = &access->smmu->features;

	*out = (struct smmu_translation){
		.base = access->va,
		.size = (uint8_t)(12 + 2 * __builtin_ctz(features->granules)),
	};
	return !(access->va & ~smmu_low_bits(features->ias)) ||
	       smmu_fault(fault, WEIR_SMMU_EVT_F_ADDR_SIZE);
}

static bool through(const struct smmu_access *access, unsigned int type,
		    const struct smmu_context *context, struct smmu_translation *out,
		    struct smmu_fault *fault)
{
	if (type != WEIR_SMMU_ATOS_TYPE_S1)
		return weir_model_smmu_translate_address(access, context, out, fault);
	if (!context->stage1)
		return pass_by(access, out, fault);
	if (context->stage2)
		return weir_model_smmu_translate_to_ipa(access, context, out, fault);
	return weir_model_smmu_translate_address(access, context, out, fault);
}

/* 6.3.57 SIF, which is a fault of stage 1 that no table makes. */
static bool is_forbidden(const struct smmu_access *access, uint32_t attributes)
{
	return smmu_is_secure(access->bank) && (access->flags & WEIR_MODEL_TXN_INSTRUCTION) &&
	       (attributes & WEIR_MODEL_ATTR_NS) && (access->bank->cr0 & WEIR_SMMU_S_CR0_SIF);
}

/* The configuration is found, and has the stages. */
static uint64_t translate(const struct smmu_access *access, const struct request *request,
			  const struct smmu_context *context)
{
	struct smmu_translation translation;
	struct smmu_fault fault = { 0 };
	uint32_t attributes;

	if (!through(access, request->type, context, &translation, &fault))
		return refusal(request->type, &fault);
	attributes = attributes_of(access, &context->ste, &translation);
	if (is_forbidden(access, attributes))
		return error(WEIR_SMMU_EVT_F_PERMISSION, WEIR_SMMU_ATOS_REASON_S1, 0);
	return success(request->secure, &translation, attributes);
}

/*
 * 9.1.5: the order of errors. A request of stage 2 alone has nothing to do with substreams and CDs.
 */
static uint64_t look_up(const struct smmu_access *access, const struct request *request)
{
	struct smmu_context context = { 0 };
	struct smmu_fault fault = { 0 };

	if (!weir_model_smmu_find_ste(access, &context.ste, &fault)) {
		/* Whether software wants events of these (CR2.RECINVSID) is nothing to this. */
		if (!fault.type)
			fault.type = WEIR_SMMU_EVT_C_BAD_STREAMID;
		return refusal(request->type, &fault);
	}
	if (request->virtual && is_anothers(&context.ste, request->vmid))
		return error(WEIR_SMMU_EVT_C_BAD_STE, WEIR_SMMU_ATOS_REASON_S1, 0);
	if (lacks_stage(&context.ste, request->type))
		return error(WEIR_SMMU_ATOS_INV_STAGE, 0, 0);
	if (request->type == WEIR_SMMU_ATOS_TYPE_S2)
		context.stage2 = true;
	else if (!weir_model_smmu_finish_context(access, &context, &fault))
		return refusal(request->type, &fault);
	return translate(access, request, &context);
}

/* InD is nothing to a write. */
static struct smmu_access access_of(uint64_t sid, uint64_t addr)
{
	struct smmu_access access = {
		.va = addr & WEIR_SMMU_ATOS_ADDR_ADDR,
		.sid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_ATOS_SID_STREAMID, sid),
		.attributes = WEIR_VMSA_MAIR_NORMAL_WB,
		.passive = addr & WEIR_SMMU_ATOS_ADDR_HTTUI,
	};

	if (sid & WEIR_SMMU_ATOS_SID_SSID_VALID) {
		access.flags |= WEIR_MODEL_TXN_SUBSTREAM;
		access.ssid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_ATOS_SID_SUBSTREAMID, sid);
	}
	if (addr & WEIR_SMMU_ATOS_ADDR_PNU)
		access.flags |= WEIR_MODEL_TXN_PRIVILEGED;
	if (!(addr & WEIR_SMMU_ATOS_ADDR_RNW))
		access.flags |= WEIR_MODEL_TXN_WRITE;
	else if (addr & WEIR_SMMU_ATOS_ADDR_IND)
		access.flags |= WEIR_MODEL_TXN_INSTRUCTION;
	return access;
}

/* 9.1.2: SSEC says whose the stream is. */
static struct smmu_bank *bank_of(struct smmu_bank *bank, uint64_t sid)
{
	return sid & WEIR_SMMU_S_ATOS_SID_SSEC ? bank : &bank->smmu->ns;
}

static uint64_t interrupted(const struct request *request)
{
	const struct smmu_fault fault = { .type = WEIR_SMMU_ATOS_INTERNAL_ERR };

	return refusal(request->type, &fault);
}

static struct request request_of(const struct smmu_bank *bank, const struct smmu_atos *atos)
{
	return (struct request){
		.type = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_ATOS_ADDR_TYPE, atos->addr),
		.secure = smmu_is_secure(bank),
		.virtual = atos == &bank->vatos,
		.vmid = (uint16_t)bank->vatos_sel,
	};
}

static uint64_t perform(struct smmu_bank *bank, const struct smmu_atos *atos)
{
	const struct request request = request_of(bank, atos);
	struct smmu_access access = access_of(atos->sid, atos->addr);
	struct smmu_bank *streams = bank_of(bank, atos->sid);
	uint64_t par;

	if (is_malformed(&bank->smmu->features, &request,
			 atos->sid & WEIR_SMMU_ATOS_SID_SSID_VALID))
		return error(WEIR_SMMU_ATOS_INV_REQ, 0, 0);
	/* Of the own bank it is set: else there is no request. */
	if (!(streams->cr0 & WEIR_SMMU_CR0_SMMUEN))
		return interrupted(&request);
	weir_model_smmu_fly(streams, &access);
	/* No TLB entry may say what no descriptor says: of this epoch nothing is kept. */
	if (access.passive)
		access.epoch |= SMMU_EPOCH_CHANGING;
	par = look_up(&access, &request);
	weir_model_smmu_land(&access);
	return par;
}

/* Release, both: who reads RUN as 0 reads the result. */
static void finish(struct smmu_atos *atos, uint64_t par)
{
	smmu_reg64_set(&atos->par, par);
	smmu_reg_set(&atos->run, 0);
}

void weir_model_smmu_run_atos(struct smmu_bank *bank)
{
	if (bank->gatos.run)
		finish(&bank->gatos, perform(bank, &bank->gatos));
	if (bank->vatos.run)
		finish(&bank->vatos, perform(bank, &bank->vatos));
}

static void end(const struct smmu_bank *bank, struct smmu_atos *atos)
{
	const struct request request = request_of(bank, atos);

	if (atos->run)
		finish(atos, interrupted(&request));
}

void weir_model_smmu_end_atos(struct smmu_bank *bank)
{
	end(bank, &bank->gatos);
	end(bank, &bank->vatos);
}

/* ---- Registers --------------------------------------------------------------------------- */

static bool has_vatos(const struct smmu_bank *bank)
{
	return bank->smmu->features.vatos_page && !smmu_is_secure(bank);
}

/* The group, and where in it; NULL: none. */
static struct smmu_atos *group_at(struct smmu_bank *bank, uint64_t offset, uint64_t *reg)
{
	const struct smmu_features *features = &bank->smmu->features;

	*reg = offset - WEIR_SMMU_GATOS_CTRL;
	if (features->atos && *reg < GROUP_SIZE)
		return &bank->gatos;
	*reg = offset - features->vatos_page - WEIR_SMMU_VATOS_CTRL;
	return has_vatos(bank) && *reg < GROUP_SIZE ? &bank->vatos : NULL;
}

static bool is_sel(const struct smmu_bank *bank, uint64_t offset)
{
	return has_vatos(bank) && offset == WEIR_SMMU_VATOS_SEL;
}

static unsigned int half_shift(uint64_t offset)
{
	return offset & 4 ? 32 : 0;
}

static uint32_t read_group(const struct smmu_atos *atos, uint64_t reg)
{
	switch (reg & ~(uint64_t)4) {
	case WEIR_SMMU_GATOS_SID - WEIR_SMMU_GATOS_CTRL:
		return (uint32_t)(smmu_reg64(&atos->sid) >> half_shift(reg));
	case WEIR_SMMU_GATOS_ADDR - WEIR_SMMU_GATOS_CTRL:
		return (uint32_t)(smmu_reg64(&atos->addr) >> half_shift(reg));
	case WEIR_SMMU_GATOS_PAR - WEIR_SMMU_GATOS_CTRL:
		return (uint32_t)(smmu_reg64(&atos->par) >> half_shift(reg));
	default:
		return reg ? 0 : smmu_reg(&atos->run);
	}
}

bool weir_model_smmu_atos_read(struct smmu_bank *bank, uint64_t offset, uint32_t *value)
{
	uint64_t reg;
	const struct smmu_atos *atos = group_at(bank, offset, &reg);

	if (atos)
		*value = read_group(atos, reg);
	else if (is_sel(bank, offset))
		*value = smmu_reg(&bank->vatos_sel);
	else
		return false;
	return true;
}

/* 6.3.38, 6.3.84: there are bits for the IDs that there are. */
static uint64_t sid_fields(const struct smmu_bank *bank)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t ssid = smmu_low_bits(features->ssid_bits);
	uint64_t fields = smmu_low_bits(features->sid_bits) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_ATOS_SID_SUBSTREAMID, ssid) |
			  (ssid ? WEIR_SMMU_ATOS_SID_SSID_VALID : 0);

	if (smmu_is_secure(bank))
		fields |= smmu_low_bits(features->s_sid_bits) | WEIR_SMMU_S_ATOS_SID_SSEC;
	return fields;
}

static void store_half(uint64_t *place, uint64_t reg, uint32_t value, uint64_t fields)
{
	uint64_t half = (uint64_t)UINT32_MAX << half_shift(reg);
	uint64_t word = (uint64_t)value << half_shift(reg);

	smmu_reg64_set(place, (smmu_reg64(place) & ~half) | (word & fields));
}

/* 6.3.37: neither while SMMUEN is 0, nor once it was written to 0. */
static void start(struct smmu_bank *bank, struct smmu_atos *atos)
{
	if (!(bank->cr0 & bank->cr0_asked & WEIR_SMMU_CR0_SMMUEN))
		return;
	smmu_reg_set(&atos->run, 1);
	weir_model_kick(&bank->smmu->stepper);
}

static void write_group(struct smmu_bank *bank, struct smmu_atos *atos, uint64_t reg,
			uint32_t value)
{
	if (atos->run)
		return;
	switch (reg & ~(uint64_t)4) {
	case WEIR_SMMU_GATOS_SID - WEIR_SMMU_GATOS_CTRL:
		store_half(&atos->sid, reg, value, sid_fields(bank));
		break;
	case WEIR_SMMU_GATOS_ADDR - WEIR_SMMU_GATOS_CTRL:
		store_half(&atos->addr, reg, value, ADDR_FIELDS);
		break;
	default:
		if (!reg && (value & WEIR_SMMU_ATOS_CTRL_RUN))
			start(bank, atos);
	}
}

bool weir_model_smmu_atos_write(struct smmu_bank *bank, uint64_t offset, uint32_t value)
{
	uint32_t vmid = bank->smmu->features.vmid16 ? 0xffff : 0xff;
	uint64_t reg;
	struct smmu_atos *atos = group_at(bank, offset, &reg);

	if (atos)
		write_group(bank, atos, reg, value);
	else if (is_sel(bank, offset) && !bank->vatos.run)
		smmu_reg_set(&bank->vatos_sel, value & vmid);
	return atos || is_sel(bank, offset);
}
