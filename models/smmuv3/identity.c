/* SPDX-License-Identifier: MIT */

/*
 * ID registers (6.3.1 to 6.3.8): what they may say, and what they mean. The fields are constant
 * after creation.
 */

#include "smmuv3/geometry.h"

#include <stdio.h>

#define IDRS 7u
#define AIDR_INDEX IDRS
#define S_IDRS 5u
#define S_IDR_INDEX (AIDR_INDEX + 1)
#define ID_REGISTERS (S_IDR_INDEX + S_IDRS)

const uint32_t weir_model_smmuv3_default_idr[7] = {
	(uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_COHACC | WEIR_SMMU_IDR0_ASID16 |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_LITTLE) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL,
				   WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL) |
		   WEIR_SMMU_IDR0_TERM_MODEL |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, WEIR_SMMU_IDR0_ST_LEVEL_2LVL)),
	(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, 16) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, WEIR_SMMU_Q_LOG2SIZE_MAX) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, WEIR_SMMU_Q_LOG2SIZE_MAX)),
	0,
	(uint32_t)(WEIR_SMMU_IDR3_HAD | WEIR_SMMU_IDR3_RIL |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML, 2)),
	0,
	(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_OAS, WEIR_SMMU_PS_44) | WEIR_SMMU_IDR5_GRAN4K),
	0,
};

/* ---- What the model can stand for ------------------------------------------------------- */

/* A field of an ID register and the values from `min` to `max` that the model can stand for. */
struct id_rule {
	const char *name;
	uint8_t idr; /* AIDR_INDEX: AIDR; from S_IDR_INDEX on: SMMU_S_IDR0 to 4 */
	uint64_t mask;
	uint32_t min, max;
};

#define RULE(n, field, low, high)                                                                  \
	{                                                                                          \
#field, n, WEIR_SMMU_IDR##n##_##field, low, high                                   \
	}

#define S_RULE(n, field, low, high)                                                                \
	{                                                                                          \
#field, S_IDR_INDEX + n, WEIR_SMMU_S_IDR##n##_##field, low, high                   \
	}

/* Every bit of every register is in one of these, or has to be 0. */
static const struct id_rule id_rules[] = {
	RULE(0, S2P, 0, 1),
	RULE(0, S1P, 0, 1),
	RULE(0, TTF, WEIR_SMMU_IDR0_TTF_AARCH64, WEIR_SMMU_IDR0_TTF_AARCH64),
	RULE(0, COHACC, 0, 1),
	/* No broadcast arrives here: what it would be answered with is nobody's business. */
	RULE(0, BTM, 0, 1),
	RULE(0, HTTU, 0, WEIR_SMMU_IDR0_HTTU_AF_DIRTY),
	RULE(0, DORMHINT, 0, 1),
	RULE(0, HYP, 0, 1),
	RULE(0, ATS, 0, 1),
	RULE(0, NS1ATS, 0, 1),
	RULE(0, ASID16, 0, 1),
	RULE(0, MSI, 0, 1),
	RULE(0, SEV, 0, 1),
	RULE(0, ATOS, 0, 1),
	RULE(0, PRI, 0, 1),
	RULE(0, VMW, 0, 1),
	RULE(0, VMID16, 0, 1),
	RULE(0, CD2L, 0, 1),
	RULE(0, VATOS, 0, 1),
	RULE(0, TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_MIXED, WEIR_SMMU_IDR0_TTENDIAN_BIG),
	RULE(0, ATSRECERR, 0, 1),
	RULE(0, STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, WEIR_SMMU_IDR0_STALL_MODEL_FORCED),
	RULE(0, TERM_MODEL, 0, 1),
	RULE(0, ST_LEVEL, WEIR_SMMU_IDR0_ST_LEVEL_LINEAR, WEIR_SMMU_IDR0_ST_LEVEL_2LVL),
	RULE(0, RME_IMPL, 0, 0),
	RULE(1, SIDSIZE, 0, 32),
	RULE(1, SSIDSIZE, 0, 20),
	RULE(1, PRIQS, 0, WEIR_SMMU_Q_LOG2SIZE_MAX),
	RULE(1, EVENTQS, 0, WEIR_SMMU_Q_LOG2SIZE_MAX),
	RULE(1, CMDQS, 0, WEIR_SMMU_Q_LOG2SIZE_MAX),
	RULE(1, ATTR_PERMS_OVR, 0, 1),
	RULE(1, ATTR_TYPES_OVR, 0, 1),
	RULE(1, REL, 0, 0),
	RULE(1, QUEUES_PRESET, 0, 0),
	RULE(1, TABLES_PRESET, 0, 0),
	RULE(1, ECMDQ, 0, 1),
	RULE(2, BA_VATOS, 0, 1023),
	RULE(3, HAD, 0, 1),
	RULE(3, PBHA, 0, 1),
	RULE(3, XNX, 0, 1),
	RULE(3, PPS, 0, 1),
	RULE(3, MPAM, 0, 0),
	RULE(3, FWB, 0, 1),
	RULE(3, STT, 0, 1),
	RULE(3, RIL, 0, 1),
	RULE(3, BBML, 0, 2),
	RULE(3, E0PD, 0, 1),
	RULE(3, PTWNNC, 0, 1),
	RULE(3, DPT, 0, 0),
	RULE(3, PASIDTT, 0, 0),
	RULE(3, EPAN, 0, 0),
	RULE(3, S1PI, 0, 0),
	RULE(3, S2PI, 0, 0),
	RULE(3, S2PO, 0, 0),
	RULE(3, THE, 0, 0),
	RULE(3, MTEPERM, 0, 0),
	RULE(3, AIE, 0, 0),
	{ "value", 4, UINT32_MAX, 0, UINT32_MAX }, /* implementation-defined */
	RULE(5, OAS, WEIR_SMMU_PS_32, WEIR_SMMU_PS_52),
	RULE(5, GRAN4K, 0, 1),
	RULE(5, GRAN16K, 0, 1),
	RULE(5, GRAN64K, 0, 1),
	RULE(5, DS, 0, 1),
	RULE(5, D128, 0, 0),
	RULE(5, VAX, WEIR_SMMU_IDR5_VAX_48, WEIR_SMMU_IDR5_VAX_52),
	RULE(5, STALL_MAX, 0, UINT16_MAX),
	RULE(6, LOG2NUMQ, 0, 8),
	RULE(6, LOG2NUMP, 0, 8),
	/* SMMUv3.4 has EPAN. */
	{ "ArchMinorRev", AIDR_INDEX, WEIR_SMMU_AIDR_MINOR, 0, 3 },
	{ "ArchMajorRev", AIDR_INDEX, WEIR_SMMU_AIDR_MAJOR, 0, 0 },
	S_RULE(0, ECMDQ, 0, 0),
	S_RULE(0, STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, WEIR_SMMU_IDR0_STALL_MODEL_FORCED),
	S_RULE(0, MSI, 0, 1),
	S_RULE(1, SECURE_IMPL, 0, 1),
	S_RULE(1, SEL2, 0, 0),
	S_RULE(1, S_SIDSIZE, 0, 32),
	S_RULE(2, BA_S_VATOS, 0, 0),
	S_RULE(3, SAMS, 0, 1),
	{ "value", S_IDR_INDEX + 4, UINT32_MAX, 0, UINT32_MAX },
};

static const char *const id_names[ID_REGISTERS] = { "IDR0",   "IDR1",	"IDR2",	 "IDR3",   "IDR4",
						    "IDR5",   "IDR6",	"AIDR",	 "S_IDR0", "S_IDR1",
						    "S_IDR2", "S_IDR3", "S_IDR4" };

static uint32_t id_register(const struct weir_model_smmuv3 *smmu, unsigned int idr)
{
	if (idr >= S_IDR_INDEX)
		return smmu->s_idr[idr - S_IDR_INDEX];
	return idr == AIDR_INDEX ? smmu->aidr : smmu->idr[idr];
}

static bool id_field_ok(const struct weir_model_smmuv3 *smmu, const struct id_rule *rule)
{
	uint32_t value = (uint32_t)WEIR_SMMU_FIELD_GET(rule->mask, id_register(smmu, rule->idr));

	if (value >= rule->min && value <= rule->max)
		return true;
	fprintf(stderr, "smmuv3: %s.%s = %u is not modelled (%u to %u are)\n", id_names[rule->idr],
		rule->name, value, rule->min, rule->max);
	return false;
}

static bool id_bits_known(const struct weir_model_smmuv3 *smmu, unsigned int idr)
{
	uint64_t known = 0;
	uint32_t unknown;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(id_rules); i++)
		if (id_rules[i].idr == idr)
			known |= id_rules[i].mask;
	unknown = id_register(smmu, idr) & ~(uint32_t)known;
	if (unknown)
		fprintf(stderr, "smmuv3: %s: bits 0x%x are not modelled\n", id_names[idr], unknown);
	return !unknown;
}

/* ---- What goes together ----------------------------------------------------------------- */

struct id_conflict {
	bool wrong;
	const char *text;
};

static bool none_wrong(const struct id_conflict *conflicts, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		if (!conflicts[i].wrong)
			continue;
		fprintf(stderr, "smmuv3: %s\n", conflicts[i].text);
		ok = false;
	}
	return ok;
}

/* 6.3.1, 6.3.2. What a minor revision makes mandatory may still be missing. */
static bool features_agree(const struct smmu_features *f)
{
	bool stalls = f->stall_model != WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL;
	const struct id_conflict conflicts[] = {
		{ !f->stage1 && !f->stage2, "IDR0 has neither S1P nor S2P" },
		{ f->endian == 1, "IDR0.TTENDIAN = 1 is reserved" },
		{ f->hyp && !(f->stage1 && f->stage2), "IDR0.HYP needs S1P and S2P" },
		{ f->vmw && !f->stage2, "IDR0.VMW needs S2P" },
		{ f->pri && !f->ats, "IDR0.PRI needs ATS" },
		{ f->ns1ats && !(f->ats && f->stage1 && f->stage2),
		  "IDR0.NS1ATS needs ATS, S1P and S2P" },
		{ f->atsrecerr && !f->ats, "IDR0.ATSRECERR needs ATS" },
		{ f->ats && f->stall_model == WEIR_SMMU_IDR0_STALL_MODEL_FORCED,
		  "IDR0.ATS with STALL_MODEL = 2: no PCIe function can be stalled" },
		{ f->sid_bits >= 7 && !f->two_level, "IDR1.SIDSIZE of 7 or more needs ST_LEVEL" },
		{ f->had && !f->stage1, "IDR3.HAD needs S1P" },
		{ f->pps && !(f->pri && f->ssid_bits), "IDR3.PPS needs PRI and SSIDSIZE" },
		{ f->ptwnnc && !f->stage2, "IDR3.PTWNNC needs S2P" },
		{ f->stall_max && !stalls, "IDR5.STALL_MAX without stalls" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* 6.3.4, 6.3.6: granules and sizes. */
static bool sizes_agree(const struct smmu_features *f, bool pbha)
{
	bool small = f->granules & 3, large = f->granules & 4;
	const struct id_conflict conflicts[] = {
		{ !f->granules, "IDR5 names no granule" },
		{ f->ds && !small, "IDR5.DS needs GRAN4K or GRAN16K" },
		{ f->ds && f->vax < 52, "IDR5.DS needs VAX = 1" },
		{ f->vax == 52 && !large && !f->ds, "IDR5.VAX = 1 needs GRAN64K or DS" },
		{ f->oas == 52 && !large && !f->ds, "IDR5.OAS = 6 needs GRAN64K or DS" },
		{ f->minor == 0 && (f->oas == 52 || f->vax == 52 || f->xnx || pbha),
		  "AIDR: SMMUv3.0 has no 52 bits, XNX or PBHA" },
		{ pbha && !f->had, "IDR3.PBHA needs HAD" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* 6.3.1, 6.3.3. */
static bool atos_agrees(const struct smmu_features *f, const uint32_t *idr)
{
	const struct id_conflict conflicts[] = {
		{ f->vatos_page && !(f->atos && f->stage1 && f->stage2),
		  "IDR0.VATOS needs ATOS, S1P and S2P" },
		{ !f->vatos_page && (idr[2] & WEIR_SMMU_IDR2_BA_VATOS),
		  "IDR2.BA_VATOS needs VATOS" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* 6.3.2, 6.3.45. */
static bool queues_agree(const struct smmu_features *f, uint32_t idr6)
{
	const struct id_conflict conflicts[] = {
		{ f->ecmdq && !(f->coherent && f->msi), "IDR1.ECMDQ needs COHACC and MSI" },
		{ idr6 && !f->ecmdq, "IDR6 needs IDR1.ECMDQ" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* 6.3.52 to 6.3.55. */
static bool secure_agrees(const struct smmu_features *f, const uint32_t *s_idr)
{
	const struct id_conflict conflicts[] = {
		{ !f->secure && (s_idr[0] | s_idr[1] | s_idr[2] | s_idr[3] | s_idr[4]),
		  "S_IDR0 to S_IDR4 need S_IDR1.SECURE_IMPL" },
		{ f->secure && !f->stage1, "S_IDR1.SECURE_IMPL needs S1P" },
		{ f->secure && WEIR_SMMU_FIELD_GET(WEIR_SMMU_S_IDR0_STALL_MODEL, s_idr[0]) !=
				       f->stall_model,
		  "S_IDR0.STALL_MODEL is not IDR0's" },
		{ f->sams && !f->ats, "S_IDR3.SAMS needs ATS" },
		{ f->s_sid_bits >= 7 && !f->two_level,
		  "S_IDR1.S_SIDSIZE of 7 or more needs ST_LEVEL" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* What is no ID register's. */
static bool options_agree(const struct weir_model_smmuv3_config *config)
{
	const struct id_conflict conflicts[] = {
		{ config->pmcg_counters > SMMU_PMCG_COUNTERS,
		  "a performance monitor has 64 counters at most" },
		{ (unsigned int)config->caches > WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
		  "`caches` is no WEIR_MODEL_SMMUV3_CACHES_*" },
		{ (unsigned int)config->reserved > WEIR_MODEL_SMMUV3_RESERVED_REJECTED,
		  "`reserved` is no WEIR_MODEL_SMMUV3_RESERVED_*" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* What the host has to be able to do. */
static bool host_agrees(const struct smmu_features *f, const struct weir_model_host_ops *ops)
{
	const struct id_conflict conflicts[] = {
		{ !ops->load64 || !ops->store64, "the host needs load64 and store64" },
		{ f->msi && !ops->msi, "IDR0.MSI needs a host that takes MSIs" },
		{ f->s_msi && !ops->msi, "S_IDR0.MSI needs a host that takes MSIs" },
		{ f->httu && !ops->cas64, "IDR0.HTTU needs a host with cas64" },
	};

	return none_wrong(conflicts, WEIR_ARRAY_SIZE(conflicts));
}

/* ---- What they mean --------------------------------------------------------------------- */

static uint8_t value_of(uint64_t mask, uint32_t idr)
{
	return (uint8_t)WEIR_SMMU_FIELD_GET(mask, idr);
}

static void decode_sizes(struct smmu_features *f, const uint32_t *idr)
{
	f->oas = smmu_size_bits(value_of(WEIR_SMMU_IDR5_OAS, idr[5]));
	/* 3.4: without AArch32 tables. */
	f->ias = f->oas;
	f->vax = value_of(WEIR_SMMU_IDR5_VAX, idr[5]) == WEIR_SMMU_IDR5_VAX_48 ? 48 : 52;
	f->sid_bits = value_of(WEIR_SMMU_IDR1_SIDSIZE, idr[1]);
	f->ssid_bits = value_of(WEIR_SMMU_IDR1_SSIDSIZE, idr[1]);
	f->cmdqs = value_of(WEIR_SMMU_IDR1_CMDQS, idr[1]);
	f->eventqs = value_of(WEIR_SMMU_IDR1_EVENTQS, idr[1]);
	f->priqs = value_of(WEIR_SMMU_IDR1_PRIQS, idr[1]);
	f->ecmdqs = value_of(WEIR_SMMU_IDR6_LOG2NUMQ, idr[6]);
	f->ecmdq_pages = value_of(WEIR_SMMU_IDR6_LOG2NUMP, idr[6]);
	f->granules = (idr[5] & WEIR_SMMU_IDR5_GRAN4K ? 1 : 0) |
		      (idr[5] & WEIR_SMMU_IDR5_GRAN16K ? 2 : 0) |
		      (idr[5] & WEIR_SMMU_IDR5_GRAN64K ? 4 : 0);
	f->httu = value_of(WEIR_SMMU_IDR0_HTTU, idr[0]);
	f->stall_model = value_of(WEIR_SMMU_IDR0_STALL_MODEL, idr[0]);
	f->endian = value_of(WEIR_SMMU_IDR0_TTENDIAN, idr[0]);
	f->stall_max = (uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR5_STALL_MAX, idr[5]);
	f->two_level = value_of(WEIR_SMMU_IDR0_ST_LEVEL, idr[0]) == WEIR_SMMU_IDR0_ST_LEVEL_2LVL;
}

/* 6.3.3: with BA_VATOS == 0 it is the page behind page 1. */
static void decode_atos(struct smmu_features *f, const uint32_t *idr)
{
	f->atos = idr[0] & WEIR_SMMU_IDR0_ATOS;
	if (idr[0] & WEIR_SMMU_IDR0_VATOS)
		f->vatos_page =
			WEIR_SMMU_VATOS_PAGES +
			WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR2_BA_VATOS, idr[2]) * WEIR_SMMU_PAGE_SIZE;
}

static void decode_flags(struct smmu_features *f, const uint32_t *idr)
{
	f->stage1 = idr[0] & WEIR_SMMU_IDR0_S1P;
	f->stage2 = idr[0] & WEIR_SMMU_IDR0_S2P;
	f->hyp = idr[0] & WEIR_SMMU_IDR0_HYP;
	f->cd2l = idr[0] & WEIR_SMMU_IDR0_CD2L;
	f->asid16 = idr[0] & WEIR_SMMU_IDR0_ASID16;
	f->vmid16 = idr[0] & WEIR_SMMU_IDR0_VMID16;
	f->coherent = idr[0] & WEIR_SMMU_IDR0_COHACC;
	f->btm = idr[0] & WEIR_SMMU_IDR0_BTM;
	f->ats = idr[0] & WEIR_SMMU_IDR0_ATS;
	f->ns1ats = idr[0] & WEIR_SMMU_IDR0_NS1ATS;
	f->atsrecerr = idr[0] & WEIR_SMMU_IDR0_ATSRECERR;
	f->pri = idr[0] & WEIR_SMMU_IDR0_PRI;
	f->msi = idr[0] & WEIR_SMMU_IDR0_MSI;
	f->sev = idr[0] & WEIR_SMMU_IDR0_SEV;
	f->vmw = idr[0] & WEIR_SMMU_IDR0_VMW;
	f->term_model = idr[0] & WEIR_SMMU_IDR0_TERM_MODEL;
	f->ecmdq = idr[1] & WEIR_SMMU_IDR1_ECMDQ;
	f->attr_types_ovr = idr[1] & WEIR_SMMU_IDR1_ATTR_TYPES_OVR;
	f->attr_perms_ovr = idr[1] & WEIR_SMMU_IDR1_ATTR_PERMS_OVR;
	f->had = idr[3] & WEIR_SMMU_IDR3_HAD;
	f->xnx = idr[3] & WEIR_SMMU_IDR3_XNX;
	f->pps = idr[3] & WEIR_SMMU_IDR3_PPS;
	f->fwb = idr[3] & WEIR_SMMU_IDR3_FWB;
	f->stt = idr[3] & WEIR_SMMU_IDR3_STT;
	f->ril = idr[3] & WEIR_SMMU_IDR3_RIL;
	f->e0pd = idr[3] & WEIR_SMMU_IDR3_E0PD;
	f->ptwnnc = idr[3] & WEIR_SMMU_IDR3_PTWNNC;
	f->ds = idr[5] & WEIR_SMMU_IDR5_DS;
}

static void decode_secure(struct smmu_features *f, const uint32_t *s_idr)
{
	f->secure = s_idr[1] & WEIR_SMMU_S_IDR1_SECURE_IMPL;
	f->s_msi = s_idr[0] & WEIR_SMMU_S_IDR0_MSI;
	f->sams = s_idr[3] & WEIR_SMMU_S_IDR3_SAMS;
	f->s_sid_bits = value_of(WEIR_SMMU_S_IDR1_S_SIDSIZE, s_idr[1]);
}

static bool all_zero(const uint32_t *idr)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < IDRS; i++)
		bits |= idr[i];
	return !bits;
}

bool weir_model_smmu_identify(struct weir_model_smmuv3 *smmu,
			      const struct weir_model_smmuv3_config *config)
{
	bool standard = all_zero(config->idr), ok = true;

	memcpy(smmu->idr, standard ? weir_model_smmuv3_default_idr : config->idr,
	       sizeof(smmu->idr));
	memcpy(smmu->s_idr, config->s_idr, sizeof(smmu->s_idr));
	smmu->iidr = config->iidr;
	smmu->aidr = standard && !config->aidr ? 1 : config->aidr;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(id_rules); i++)
		ok &= id_field_ok(smmu, &id_rules[i]);
	for (unsigned int i = 0; i < ID_REGISTERS; i++)
		ok &= id_bits_known(smmu, i);
	if (!ok)
		return false;
	decode_sizes(&smmu->features, smmu->idr);
	decode_flags(&smmu->features, smmu->idr);
	decode_atos(&smmu->features, smmu->idr);
	decode_secure(&smmu->features, smmu->s_idr);
	smmu->features.minor = value_of(WEIR_SMMU_AIDR_MINOR, smmu->aidr);
	smmu->features.reject_reserved = config->reserved == WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	ok &= features_agree(&smmu->features);
	ok &= sizes_agree(&smmu->features, smmu->idr[3] & WEIR_SMMU_IDR3_PBHA);
	ok &= queues_agree(&smmu->features, smmu->idr[6]);
	ok &= atos_agrees(&smmu->features, smmu->idr);
	ok &= secure_agrees(&smmu->features, smmu->s_idr);
	ok &= options_agree(config);
	return ok & host_agrees(&smmu->features, smmu->memory.host.ops);
}
