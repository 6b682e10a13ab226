/* SPDX-License-Identifier: MIT */

/*
 * What a context descriptor says (5.4), and whether it is legal (5.4.2) where its STE leads to it.
 * Functions that return bool return false for ILLEGAL.
 *
 * A half of addresses whose walks are disabled (EPDx) is not checked, nor anything of it decoded
 * (5.4.1.1). A world of one range has one half, and no EPDx (5.4 EPD0).
 */

#include "smmuv3/geometry.h"

/* The fields of a half. */
struct half {
	uint64_t tsz, tg, sh, epd, tbi; /* masks, of word 0 */
	unsigned int word;		/* that holds the rest, in the same places for both */
	uint8_t granules[4];		/* by encoding of `tg`; 0: reserved */
};

static const struct half halves[2] = {
	{
		.tsz = WEIR_SMMU_CD_0_T0SZ,
		.tg = WEIR_SMMU_CD_0_TG0,
		.sh = WEIR_SMMU_CD_0_SH0,
		.epd = WEIR_SMMU_CD_0_EPD0,
		.tbi = WEIR_SMMU_CD_0_TBI0,
		.word = 1,
		.granules = { [WEIR_SMMU_CD_TG0_4K] = 12,
			      [WEIR_SMMU_CD_TG0_16K] = 14,
			      [WEIR_SMMU_CD_TG0_64K] = 16 },
	},
	{
		.tsz = WEIR_SMMU_CD_0_T1SZ,
		.tg = WEIR_SMMU_CD_0_TG1,
		.sh = WEIR_SMMU_CD_0_SH1,
		.epd = WEIR_SMMU_CD_0_EPD1,
		.tbi = WEIR_SMMU_CD_0_TBI1,
		.word = 2,
		.granules = { [WEIR_SMMU_CD_TG1_4K] = 12,
			      [WEIR_SMMU_CD_TG1_16K] = 14,
			      [WEIR_SMMU_CD_TG1_64K] = 16 },
	},
};

/* ---- RES0 (chapter 5) -------------------------------------------------------------------- */

/* Bits that mean nothing to this implementation; those of a base that is used. */
static bool reserved_bits_clear(const struct smmu_features *features, const struct smmu_cd *cd,
				const uint64_t *word)
{
	uint64_t base = WEIR_SMMU_CD_1_TTB0_RES0;
	uint64_t res0[WEIR_SMMU_CD_WORDS] = {
		[1] = WEIR_SMMU_CD_1_RES0 | WEIR_SMMU_CD_1_HAFT | WEIR_SMMU_CD_1_PNCH |
		      WEIR_SMMU_CD_1_EPAN,
		[2] = WEIR_SMMU_CD_2_RES0 | WEIR_SMMU_CD_2_AIE | WEIR_SMMU_CD_2_PIE,
		[5] = ~WEIR_SMMU_CD_5_IMPDEF,
		[6] = ~(uint64_t)0,
		[7] = ~(uint64_t)0,
	};

	if (!features->minor)
		base |= WEIR_SMMU_CD_1_TTB0 & ~smmu_low_bits(48);
	res0[1] |= cd->half[0].disabled ? 0 : base;
	res0[2] |= cd->half[1].disabled ? 0 : base;
	if (!features->ds)
		res0[2] |= WEIR_SMMU_CD_2_DS;
	if (!features->e0pd) {
		res0[1] |= WEIR_SMMU_CD_1_E0PD0;
		res0[2] |= WEIR_SMMU_CD_2_E0PD1;
	}
	for (unsigned int i = 0; i < WEIR_SMMU_CD_WORDS; i++)
		if (word[i] & res0[i])
			return false;
	return true;
}

/* ---- A half ------------------------------------------------------------------------------ */

/* Granule and output size, then TxSZ. Beyond its limits v3.0 leaves a choice. */
static bool decode_sizes(const struct smmu_features *features, const uint64_t *word,
			 const struct half *fields, struct smmu_tables *tables)
{
	unsigned int tsz = (unsigned int)WEIR_SMMU_FIELD_GET(fields->tsz, word[0]), largest;

	tables->granule = fields->granules[WEIR_SMMU_FIELD_GET(fields->tg, word[0])];
	if (!smmu_granule_supported(features, tables->granule))
		return false;
	tables->ds = features->ds && tables->granule != 16 && (word[2] & WEIR_SMMU_CD_2_DS);
	tables->wide = smmu_wide(features, tables);
	tables->output_bits =
		smmu_output_bits(features, WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_IPS, word[0]));
	largest = smmu_large(tables) ? features->vax : 48;
	tables->input_bits = (uint8_t)(64 - tsz);
	return tables->input_bits <= largest && tsz <= smmu_tsz_max(features, tables->granule);
}

/* The first level is the last that leaves it no more than a table (DDI 0487). */
static bool decode_base(const struct smmu_features *features, const uint64_t *word,
			const struct half *fields, struct smmu_tables *tables)
{
	uint64_t base = smmu_base_field(features, word[fields->word] & WEIR_SMMU_CD_1_TTB0);
	int level = 3;

	if (!smmu_base_in_range(tables, base))
		return false;
	while (tables->input_bits > smmu_resolved_later(tables, level - 1))
		level--;
	smmu_set_first_table(tables, level, base);
	return true;
}

static bool decode_half(const struct smmu_features *features, const struct smmu_ste *ste,
			const uint64_t *word, const struct half *fields, struct smmu_tables *tables)
{
	bool second = fields->word == 2, ha = word[0] & WEIR_SMMU_CD_0_HA;

	tables->disabled = smmu_has_one_range(ste->world) ? second : (word[0] & fields->epd) != 0;
	if (tables->disabled)
		return true;
	tables->sh = (uint8_t)WEIR_SMMU_FIELD_GET(fields->sh, word[0]);
	tables->big_endian = word[0] & WEIR_SMMU_CD_0_ENDI;
	tables->tbi = word[0] & fields->tbi;
	tables->had = features->had && (word[fields->word] & WEIR_SMMU_CD_1_HAD0);
	tables->e0pd = features->e0pd && !smmu_has_one_range(ste->world) &&
		       (word[fields->word] & WEIR_SMMU_CD_1_E0PD0);
	/* HD without HA is reserved, and does nothing. */
	tables->ha = ha;
	tables->hd = ha && (word[0] & WEIR_SMMU_CD_0_HD);
	tables->affd = !ha && (word[0] & WEIR_SMMU_CD_0_AFFD);
	tables->ns =
		smmu_is_secure_world(ste->world) && (word[fields->word] & WEIR_SMMU_CD_1_NSCFG0);
	return smmu_endian_supported(features, tables->big_endian) &&
	       decode_sizes(features, word, fields, tables) &&
	       decode_base(features, word, fields, tables);
}

/* ---- The context ------------------------------------------------------------------------- */

static bool updates_legal(const struct smmu_features *features, uint64_t word0)
{
	if (!features->httu)
		return !(word0 & (WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD));
	return !(word0 & WEIR_SMMU_CD_0_HD) || features->httu >= WEIR_SMMU_IDR0_HTTU_AF_DIRTY;
}

/* 5.5 */
static bool decode_fault_model(const struct smmu_bank *bank, const struct smmu_ste *ste,
			       uint64_t word0, struct smmu_cd *cd)
{
	uint32_t model = smmu_reg(&bank->stall_model);

	cd->a = word0 & WEIR_SMMU_CD_0_A;
	cd->r = word0 & WEIR_SMMU_CD_0_R;
	cd->s = word0 & WEIR_SMMU_CD_0_S;
	if (bank->smmu->features.term_model && !cd->a)
		return false;
	if (cd->s)
		return !ste->s1stalld && model != WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL;
	return model != WEIR_SMMU_IDR0_STALL_MODEL_FORCED;
}

/* Worlds of one range have no ASID, and PAN says nothing there. UWXN is VMSAv8-32's. */
static bool decode_space(const struct smmu_features *features, const struct smmu_ste *ste,
			 const uint64_t *word, struct smmu_cd *cd)
{
	cd->mair = word[3];
	cd->wxn = word[0] & WEIR_SMMU_CD_0_WXN;
	if (smmu_has_one_range(ste->world))
		return true;
	cd->asid = (uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_ASID, word[0]);
	cd->aset = word[0] & WEIR_SMMU_CD_0_ASET;
	cd->pan = word[0] & WEIR_SMMU_CD_0_PAN;
	return features->asid16 || !(cd->asid >> 8);
}

/*
 * ENDI is checked with the halves: without walks it is IGNORED. Tables of VMSAv8-32 or VMSAv9-128
 * (AA64 == 0) there are none of, nor could stage 2's be of the former.
 */
bool weir_model_smmu_decode_cd(const struct smmu_bank *bank, const struct smmu_ste *ste,
			       const uint64_t *words, struct smmu_cd *cd)
{
	const struct smmu_features *features = &bank->smmu->features;

	*cd = (struct smmu_cd){ 0 };
	if (!(words[0] & WEIR_SMMU_CD_0_V) || !(words[0] & WEIR_SMMU_CD_0_AA64))
		return false;
	if (!decode_fault_model(bank, ste, words[0], cd) ||
	    !decode_space(features, ste, words, cd) || !updates_legal(features, words[0]))
		return false;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(halves); i++)
		if (!decode_half(features, ste, words, &halves[i], &cd->half[i]))
			return false;
	if (features->reject_reserved && !reserved_bits_clear(features, cd, words))
		return false;
	weir_model_smmu_finish_cd(ste, cd);
	return true;
}
