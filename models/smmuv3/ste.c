/* SPDX-License-Identifier: MIT */

/*
 * What a stream table entry says (5.2), and whether it is legal (5.2.2). Functions that return bool
 * return false for ILLEGAL. Fields that are IGNORED, for a stage that bypasses or for want of a
 * feature, are decoded as what they behave as.
 */

#include "smmuv3/geometry.h"

static bool stage1_translates(const struct smmu_ste *ste)
{
	return ste->config == WEIR_SMMU_STE_CONFIG_S1 || ste->config == WEIR_SMMU_STE_CONFIG_NESTED;
}

static bool stage2_translates(const struct smmu_ste *ste)
{
	return ste->config == WEIR_SMMU_STE_CONFIG_S2 || ste->config == WEIR_SMMU_STE_CONFIG_NESTED;
}

/* ---- RES0 (chapter 5) -------------------------------------------------------------------- */

/*
 * Bits that mean nothing to this implementation. A field that has a meaning in some configuration
 * is IGNORED in the others, and is not looked at for them.
 */
static bool reserved_bits_clear(const struct smmu_bank *bank, const struct smmu_ste *ste,
				const uint64_t *word)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint64_t res0[WEIR_SMMU_STE_WORDS] = {
		[0] = WEIR_SMMU_STE_0_RES0,
		[1] = WEIR_SMMU_STE_1_RES0,
		[2] = WEIR_SMMU_STE_2_DPT_VMATCH,
		[3] = WEIR_SMMU_STE_3_RES0 | WEIR_SMMU_STE_3_S2NSW | WEIR_SMMU_STE_3_S2NSA,
		[4] = ~WEIR_SMMU_STE_4_IMPDEF,
		[5] = ~(uint64_t)0,
		[6] = ~(uint64_t)0,
		[7] = ~(uint64_t)0,
	};

	if (!features->pri || !features->ssid_bits)
		res0[1] |= WEIR_SMMU_STE_1_PPAR;
	if (smmu_is_secure(bank))
		res0[1] |= WEIR_SMMU_STE_1_EATS;
	if (!features->minor)
		res0[1] |= WEIR_SMMU_STE_1_DRE | WEIR_SMMU_STE_1_DCP | WEIR_SMMU_STE_1_S2HWU;
	if (stage1_translates(ste))
		res0[1] |= WEIR_SMMU_STE_1_S1PIE | WEIR_SMMU_STE_1_S1MPAM;
	if (stage2_translates(ste)) {
		res0[1] |= features->fwb ? 0 : WEIR_SMMU_STE_1_S2FWB;
		res0[2] |= WEIR_SMMU_STE_2_S2HAFT | WEIR_SMMU_STE_2_S2PIE | WEIR_SMMU_STE_2_S2POE;
		res0[3] |= WEIR_SMMU_STE_3_S2TTB_RES0 | WEIR_SMMU_STE_3_S2SKL;
		if (!features->minor)
			res0[3] |= WEIR_SMMU_STE_3_S2TTB & ~smmu_low_bits(48);
		if (!features->ds)
			res0[3] |= WEIR_SMMU_STE_3_S2DS | WEIR_SMMU_STE_3_S2SL0_2;
	}
	for (unsigned int i = 0; i < WEIR_SMMU_STE_WORDS; i++)
		if (word[i] & res0[i])
			return false;
	return true;
}

/* ---- The stream -------------------------------------------------------------------------- */

static uint8_t no_reserved(uint64_t encoding)
{
	return encoding == 1 ? 0 : (uint8_t)encoding; /* NSCFG, PRIVCFG, INSTCFG */
}

/* Without the overrides (IDR1) what comes in is used. NSCFG counts on Secure streams alone. */
static void decode_overrides(const struct smmu_bank *bank, const uint64_t *word,
			     struct smmu_ste *ste)
{
	const struct smmu_features *features = &bank->smmu->features;

	ste->shcfg = WEIR_SMMU_STE_SHCFG_INCOMING;
	if (features->attr_types_ovr) {
		ste->mtcfg = word[1] & WEIR_SMMU_STE_1_MTCFG;
		ste->memattr = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_MEMATTR, word[1]);
		ste->alloccfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_ALLOCCFG, word[1]);
		ste->shcfg = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_SHCFG, word[1]);
	}
	if (features->attr_perms_ovr) {
		ste->privcfg = no_reserved(WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_PRIVCFG, word[1]));
		ste->instcfg = no_reserved(WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_INSTCFG, word[1]));
	}
	if (features->attr_perms_ovr && smmu_is_secure(bank))
		ste->nscfg = no_reserved(WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_NSCFG, word[1]));
}

/* CONT is a hint; DRE and DCP are about transactions of kinds that do not come in here. */
static void decode_flags(const struct smmu_features *features, const uint64_t *word,
			 struct smmu_ste *ste)
{
	ste->mev = word[1] & WEIR_SMMU_STE_1_MEV;
	if (features->pri && features->ssid_bits)
		ste->ppar = features->pps || (word[1] & WEIR_SMMU_STE_1_PPAR);
}

/*
 * CR0.ATSCHK == 0 makes split-stage ATS behave as none. In v3.0 too S2S is looked at with stage 2
 * alone, as is recommended.
 */
static bool decode_eats(const struct smmu_bank *bank, const uint64_t *word, struct smmu_ste *ste)
{
	const struct smmu_features *features = &bank->smmu->features;
	unsigned int eats = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_EATS, word[1]);
	bool stall = word[2] & WEIR_SMMU_STE_2_S2S;

	ste->eats = WEIR_SMMU_STE_EATS_NONE;
	if (!features->ats || ste->config == WEIR_SMMU_STE_CONFIG_BYPASS || smmu_is_secure(bank))
		return true;
	if (eats == WEIR_SMMU_STE_EATS_FULL) {
		ste->eats = WEIR_SMMU_STE_EATS_FULL;
		return !stage2_translates(ste) || !stall;
	}
	if (eats == WEIR_SMMU_STE_EATS_SPLIT) {
		if (smmu_reg(&bank->cr0) & WEIR_SMMU_CR0_ATSCHK)
			ste->eats = WEIR_SMMU_STE_EATS_SPLIT;
		return ste->config == WEIR_SMMU_STE_CONFIG_NESTED && !stall && !features->ns1ats;
	}
	return true; /* 3: DPT checks, which are not implemented */
}

/* There is no Secure EL2. */
static bool decode_secure_world(unsigned int strw, struct smmu_ste *ste)
{
	ste->world = SMMU_WORLD_S_EL1;
	if (ste->config != WEIR_SMMU_STE_CONFIG_S1 || strw == WEIR_SMMU_STE_STRW_EL1)
		return true;
	ste->world = SMMU_WORLD_EL3;
	return strw == WEIR_SMMU_STE_STRW_EL3;
}

/* STRW is used by streams of stage 1 alone, where there is an EL2; by Secure ones always. */
static bool decode_world(const struct smmu_bank *bank, const uint64_t *word, struct smmu_ste *ste)
{
	unsigned int strw = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_STRW, word[1]);

	if (smmu_is_secure(bank))
		return decode_secure_world(strw, ste);
	ste->world = SMMU_WORLD_NS_EL1;
	if (!bank->smmu->features.hyp || ste->config != WEIR_SMMU_STE_CONFIG_S1 ||
	    strw == WEIR_SMMU_STE_STRW_EL1)
		return true;
	ste->world = smmu_reg(&bank->cr2) & WEIR_SMMU_CR2_E2H ? SMMU_WORLD_EL2_E2H : SMMU_WORLD_EL2;
	return strw == WEIR_SMMU_STE_STRW_EL2;
}

/* S2VMID tags stage 1 as well, of Non-secure streams. */
static bool decode_vmid(const struct smmu_features *features, const uint64_t *word,
			struct smmu_ste *ste)
{
	if (!features->stage2 || ste->config == WEIR_SMMU_STE_CONFIG_BYPASS ||
	    ste->world != SMMU_WORLD_NS_EL1)
		return true;
	ste->vmid = (uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2VMID, word[2]);
	return features->vmid16 || !(ste->vmid >> 8);
}

/* ---- Stage 1 ----------------------------------------------------------------------------- */

/* How CDs are found. Without substreams there is one, and S1Fmt and S1DSS are IGNORED. */
static bool decode_cd_table(const struct smmu_features *features, const uint64_t *word,
			    struct smmu_ste *ste)
{
	if (!features->ssid_bits)
		return true;
	ste->s1cdmax = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1CDMAX, word[0]);
	if (!ste->s1cdmax)
		return true;
	ste->s1fmt = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1FMT, word[0]);
	if (ste->s1fmt > WEIR_SMMU_STE_S1FMT_64K_L2)
		ste->s1fmt = WEIR_SMMU_STE_S1FMT_LINEAR;
	ste->s1dss = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_S1DSS, word[1]);
	if (ste->s1dss > WEIR_SMMU_STE_S1DSS_SSID0)
		ste->s1dss = WEIR_SMMU_STE_S1DSS_TERMINATE;
	return ste->s1cdmax <= features->ssid_bits &&
	       (features->cd2l || ste->s1fmt == WEIR_SMMU_STE_S1FMT_LINEAR);
}

/*
 * 3.4.3 (1), (2): of what it allows for an S1ContextPtr beyond the OAS, or under stage 2 the IAS,
 * C_BAD_STE is the one thing that is right in all cases and versions.
 */
static bool decode_stage1(const struct smmu_bank *bank, const uint64_t *word, struct smmu_ste *ste)
{
	const struct smmu_features *features = &bank->smmu->features;
	uint8_t limit = stage2_translates(ste) ? features->ias : features->oas;

	if (!stage1_translates(ste))
		return true;
	ste->s1stalld = word[1] & WEIR_SMMU_STE_1_S1STALLD;
	ste->s1contextptr = word[0] & WEIR_SMMU_STE_0_S1CONTEXTPTR;
	return features->stage1 && decode_cd_table(features, word, ste) &&
	       (!ste->s1stalld ||
		smmu_reg(&bank->stall_model) == WEIR_SMMU_IDR0_STALL_MODEL_BOTH) &&
	       !(ste->s1contextptr & ~smmu_low_bits(limit));
}

/* ---- Stage 2 ----------------------------------------------------------------------------- */

/* Granule and output size, then S2T0SZ. Beyond its limits v3.0 leaves a choice. */
static bool decode_s2_sizes(const struct smmu_features *features, const uint64_t *word,
			    struct smmu_tables *s2)
{
	unsigned int tsz = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2T0SZ, word[2]);
	unsigned int largest;

	s2->granule = smmu_tg0_granule(WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2TG, word[2]));
	if (!smmu_granule_supported(features, s2->granule))
		return false;
	s2->ds = features->ds && s2->granule != 16 && (word[3] & WEIR_SMMU_STE_3_S2DS);
	s2->wide = smmu_wide(features, s2);
	s2->output_bits =
		smmu_output_bits(features, WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2PS, word[2]));
	largest = smmu_large(s2) ? 52 : 48;
	largest = largest < features->ias ? largest : features->ias;
	s2->input_bits = (uint8_t)(64 - tsz);
	return s2->input_bits <= largest && tsz <= smmu_tsz_max(features, s2->granule);
}

/*
 * S2SL0, encoded as VTCR_EL2.{SL2, SL0} (DDI 0487). Where physical addresses are small, levels that
 * they do not need are reserved.
 */
static bool first_level_4k(const struct smmu_features *features, const uint64_t *word,
			   const struct smmu_tables *s2, unsigned int sl, int *level)
{
	if (s2->ds && (word[3] & WEIR_SMMU_STE_3_S2SL0_2)) {
		*level = -1;
		return sl == 0;
	}
	*level = sl == 3 ? 3 : 2 - (int)sl;
	/* Level 3 came with small tables. */
	return sl == 3 ? features->stt : sl != 2 || features->oas >= 44;
}

static bool first_level_s2(const struct smmu_features *features, const uint64_t *word,
			   const struct smmu_tables *s2, int *level)
{
	unsigned int sl = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2SL0, word[2]);

	if (s2->granule == 12)
		return first_level_4k(features, word, s2, sl, level);
	*level = 3 - (int)sl;
	if (s2->granule == 16)
		return sl < 2 || (sl == 2 && features->oas >= 44);
	if (s2->ds)
		return sl < 3 || features->oas >= 52;
	return sl < 2 || (sl == 2 && features->oas >= 42);
}

/* The first table decodes one bit at least; up to 16 tables are concatenated (DDI 0487). */
static bool decode_s2_base(const struct smmu_features *features, const uint64_t *word,
			   struct smmu_tables *s2)
{
	uint64_t base = smmu_base_field(features, word[3] & WEIR_SMMU_STE_3_S2TTB);
	unsigned int later;
	int level;

	if (!smmu_base_in_range(s2, base) || !first_level_s2(features, word, s2, &level))
		return false;
	later = smmu_resolved_later(s2, level);
	if (s2->input_bits <= later || s2->input_bits > later + s2->granule - 3u + 4)
		return false;
	smmu_set_first_table(s2, level, base);
	return true;
}

/* S2HD without S2HA is reserved, and does nothing. */
static bool decode_s2_updates(const struct smmu_features *features, const uint64_t *word,
			      struct smmu_tables *s2)
{
	bool ha = word[2] & WEIR_SMMU_STE_2_S2HA, hd = word[2] & WEIR_SMMU_STE_2_S2HD;

	s2->ha = ha;
	s2->hd = ha && hd;
	s2->affd = !ha && (word[2] & WEIR_SMMU_STE_2_S2AFFD);
	if (!features->httu)
		return !ha && !hd;
	return !hd || features->httu >= WEIR_SMMU_IDR0_HTTU_AF_DIRTY;
}

static bool stall_legal(const struct smmu_bank *bank, bool stall)
{
	uint32_t model = smmu_reg(&bank->stall_model);

	if (model == WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL)
		return !stall;
	return stall || model != WEIR_SMMU_IDR0_STALL_MODEL_FORCED;
}

/* 3.10.2.2: there is no Secure stage 2. */
static bool decode_stage2(const struct smmu_bank *bank, const uint64_t *word, struct smmu_ste *ste)
{
	const struct smmu_features *features = &bank->smmu->features;

	if (!stage2_translates(ste))
		return true;
	ste->s2fwb = features->fwb && (word[1] & WEIR_SMMU_STE_1_S2FWB);
	ste->s2ptw = stage1_translates(ste) && (word[2] & WEIR_SMMU_STE_2_S2PTW);
	ste->s2s = word[2] & WEIR_SMMU_STE_2_S2S;
	ste->s2r = word[2] & WEIR_SMMU_STE_2_S2R;
	ste->s2.sh = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2SH0, word[2]);
	ste->s2.big_endian = word[2] & WEIR_SMMU_STE_2_S2ENDI;
	/* There are no tables in VMSAv8-32's format, nor VMSAv9-128's. */
	return features->stage2 && !smmu_is_secure(bank) && (word[2] & WEIR_SMMU_STE_2_S2AA64) &&
	       stall_legal(bank, ste->s2s) && smmu_endian_supported(features, ste->s2.big_endian) &&
	       decode_s2_updates(features, word, &ste->s2) &&
	       decode_s2_sizes(features, word, &ste->s2) &&
	       decode_s2_base(features, word, &ste->s2);
}

/* ---- All of it --------------------------------------------------------------------------- */

bool weir_model_smmu_decode_ste(const struct smmu_bank *bank, const uint64_t *words,
				struct smmu_ste *ste)
{
	const struct smmu_features *features = &bank->smmu->features;

	*ste = (struct smmu_ste){
		.config = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, words[0]),
	};
	if (!(words[0] & WEIR_SMMU_STE_0_V))
		return false;
	/* 0b0xx: nothing else is looked at (5.2.1). */
	if (!(ste->config & WEIR_SMMU_STE_CONFIG_BYPASS)) {
		ste->config = WEIR_SMMU_STE_CONFIG_ABORT;
		return true;
	}
	decode_overrides(bank, words, ste);
	decode_flags(features, words, ste);
	if (features->reject_reserved && !reserved_bits_clear(bank, ste, words))
		return false;
	if (!decode_eats(bank, words, ste) || !decode_world(bank, words, ste) ||
	    !decode_vmid(features, words, ste) || !decode_stage1(bank, words, ste) ||
	    !decode_stage2(bank, words, ste))
		return false;
	weir_model_smmu_finish_ste(features, ste);
	return true;
}
