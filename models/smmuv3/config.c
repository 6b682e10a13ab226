/* SPDX-License-Identifier: MIT */

/*
 * Stream table entries and context descriptors: where they are (3.3.1, 5.1), whether they are legal
 * (5.2.2, 5.4.2), and the caches that keep them, legal or not, until a CMD_CFGI_* takes them out
 * (3.21.3). What could not be fetched is not cached. L1STDs are read each time.
 *
 * Keys: word 0 is the StreamID, shifted, with bit 0 set; word 1 is the index of the CD.
 */

#include "smmuv3/internal.h"

#define SPAN_MAX 11u /* 5.1: larger ones are reserved */

static uint64_t key_of(uint32_t sid)
{
	return (uint64_t)sid << 1 | 1;
}

static bool fetch(struct weir_model_smmuv3 *smmu, uint64_t addr, uint64_t *words,
		  unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (weir_model_bus_load64(smmu->bus, addr + i * sizeof(*words), &words[i]) !=
		    WEIR_MODEL_OK)
			return false;
	return true;
}

/* 6.3.12: C_BAD_STREAMID is recorded only if software asked for it. */
static bool bad_stream(struct weir_model_smmuv3 *smmu, const struct smmu_access *access)
{
	if (smmu_reg(&smmu->cr2) & WEIR_SMMU_CR2_RECINVSID)
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_C_BAD_STREAMID, 0);
	return false;
}

/* 6.3.25: the values that are reserved behave as 6. */
static unsigned int split_of(uint32_t cfg)
{
	unsigned int split =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, cfg);

	return split == WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_16K ||
			       split == WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_64K ?
		       split :
		       WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_4K;
}

/* 6.3.24: aligned to the first table's size as LOG2SIZE has it literally, at least 64 bytes. */
static uint64_t table_base(const struct weir_model_smmuv3 *smmu, unsigned int entries_log2,
			   unsigned int entry_log2)
{
	unsigned int bits = entries_log2 + entry_log2;

	return smmu_reg64(&smmu->strtab_base) & WEIR_SMMU_STRTAB_BASE_ADDR &
	       ~smmu_low_bits(bits > 6 ? bits : 6);
}

/* 3.4.3 (5): an address beyond the OAS is truncated to it. */
static uint64_t truncate_to_oas(const struct weir_model_smmuv3 *smmu, uint64_t addr)
{
	return addr & smmu_low_bits(smmu->features.oas);
}

/* Through the first level of a two-level table: 5.1, 7.3.3. */
static bool locate_in_level2(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			     uint32_t cfg, uint64_t *addr)
{
	unsigned int log2size =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE, cfg);
	unsigned int split = split_of(cfg), span;
	uint64_t index = access->sid & smmu_low_bits(split), l1std;

	*addr = table_base(smmu, log2size > split ? log2size - split : 0, 3);
	*addr = truncate_to_oas(smmu,
				*addr + (uint64_t)(access->sid >> split) * WEIR_SMMU_L1STD_SIZE);
	if (!fetch(smmu, *addr, &l1std, 1)) {
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_F_STE_FETCH, *addr);
		return false;
	}
	span = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_L1STD_SPAN, l1std);
	if (!span || span > SPAN_MAX || span > split + 1 || index >> (span - 1))
		return bad_stream(smmu, access);
	*addr = l1std & WEIR_SMMU_L1STD_L2PTR & ~smmu_low_bits(6 + span - 1);
	*addr = truncate_to_oas(smmu, *addr + index * WEIR_SMMU_STE_SIZE);
	return true;
}

static bool locate_ste(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
		       uint64_t *addr)
{
	uint32_t cfg = smmu_reg(&smmu->strtab_base_cfg);
	unsigned int log2size =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE, cfg);
	unsigned int sid_bits = smmu->features.sid_bits;

	/* 6.3.25: the range is capped to SIDSIZE. */
	if ((uint64_t)access->sid >> (log2size < sid_bits ? log2size : sid_bits))
		return bad_stream(smmu, access);
	/* Other values of FMT behave as linear. */
	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_FMT, cfg) ==
	    WEIR_SMMU_STRTAB_BASE_CFG_FMT_2LVL)
		return locate_in_level2(smmu, access, cfg, addr);
	*addr = truncate_to_oas(smmu, table_base(smmu, log2size, 6) +
					      (uint64_t)access->sid * WEIR_SMMU_STE_SIZE);
	return true;
}

/* 5.2.2, of what this implementation has. */
static bool ste_illegal(const struct weir_model_smmuv3 *smmu, const uint64_t *word)
{
	unsigned int config = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, word[0]);

	if (!(word[0] & WEIR_SMMU_STE_0_V))
		return true;
	if (config < WEIR_SMMU_STE_CONFIG_BYPASS || config == WEIR_SMMU_STE_CONFIG_BYPASS)
		return false;
	if (config != WEIR_SMMU_STE_CONFIG_S1)
		return true; /* no stage 2 (IDR0.S2P) */
	if (word[1] & WEIR_SMMU_STE_1_S1STALLD)
		return true; /* the Stall model is not there to be disabled */
	/* 3.4.3 (1) */
	return (word[0] & WEIR_SMMU_STE_0_S1CONTEXTPTR) & ~smmu_low_bits(smmu->features.oas);
}

static void decode_ste(const struct weir_model_smmuv3 *smmu, const uint64_t *word,
		       union smmu_ste *ste)
{
	*ste = (union smmu_ste){
		.context = word[0] & WEIR_SMMU_STE_0_S1CONTEXTPTR,
		.vmid = 0, /* 5.2.2: S2VMID is IGNORED without stage 2 */
		.config = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, word[0]),
		.bad = ste_illegal(smmu, word),
	};
}

static bool fetch_ste(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
		      union smmu_ste *ste)
{
	uint64_t key[2] = { key_of(access->sid), 0 }, word[2], addr = 0;

	if (!locate_ste(smmu, access, &addr))
		return false;
	smmu_count(access->flight, &access->flight->ste_fetches);
	if (!fetch(smmu, addr, word, WEIR_ARRAY_SIZE(word))) {
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_F_STE_FETCH, addr);
		return false;
	}
	decode_ste(smmu, word, ste);
	weir_model_smmu_cache_insert(&smmu->stes, key, ste->words, access->ste_generation);
	return true;
}

bool weir_model_smmu_find_ste(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			      union smmu_ste *ste)
{
	uint64_t key[2] = { key_of(access->sid), 0 };

	if (!smmu_cache_lookup(&smmu->stes, key, ste->words) && !fetch_ste(smmu, access, ste))
		return false;
	if (ste->bad)
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_C_BAD_STE, 0);
	return !ste->bad;
}

/* IPS, capped to the OAS (5.4); 6 and 7 are larger than any OAS here. */
static uint8_t effective_ips(const struct weir_model_smmuv3 *smmu, uint64_t word0)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };
	uint8_t ips = bits[WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_IPS, word0)];

	return ips < smmu->features.oas ? ips : smmu->features.oas;
}

/* log2 of the granule, or 0 for an encoding that is reserved. */
static uint8_t granule_of(uint64_t word0, unsigned int half)
{
	static const uint8_t tg0[] = { 12, 16, 14, 0 }, tg1[] = { 0, 14, 12, 16 };

	return half ? tg1[WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_TG1, word0)] :
		      tg0[WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_TG0, word0)];
}

static void decode_cd(const struct weir_model_smmuv3 *smmu, const uint64_t *word, union smmu_cd *cd)
{
	*cd = (union smmu_cd){
		.ttb = { word[1] & WEIR_SMMU_CD_1_TTB0, word[2] & WEIR_SMMU_CD_2_TTB1 },
		.asid = (uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_ASID, word[0]),
		.tsz = { (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_T0SZ, word[0]),
			 (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_T1SZ, word[0]) },
		.granule = { granule_of(word[0], 0), granule_of(word[0], 1) },
		.ips = effective_ips(smmu, word[0]),
		.epd = (word[0] & WEIR_SMMU_CD_0_EPD0 ? 1 : 0) |
		       (word[0] & WEIR_SMMU_CD_0_EPD1 ? 2 : 0),
		.tbi = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CD_0_TBI0 | WEIR_SMMU_CD_0_TBI1,
						    word[0]),
		.affd = word[0] & WEIR_SMMU_CD_0_AFFD,
		.wxn = word[0] & WEIR_SMMU_CD_0_WXN,
		.pan = word[0] & WEIR_SMMU_CD_0_PAN,
		.aset = word[0] & WEIR_SMMU_CD_0_ASET,
		.record = word[0] & WEIR_SMMU_CD_0_R,
	};
	if (smmu->features.had)
		cd->had = (word[1] & WEIR_SMMU_CD_1_HAD0 ? 1 : 0) |
			  (word[2] & WEIR_SMMU_CD_2_HAD1 ? 2 : 0);
}

/* 5.4 TxSZ, TGx, TTBx of a half that is not disabled; TxSZ without small tables and 52 bits. */
static bool half_illegal(const struct weir_model_smmuv3 *smmu, const union smmu_cd *cd,
			 unsigned int half)
{
	unsigned int granule = cd->granule[half];

	if (cd->epd >> half & 1)
		return false;
	return cd->tsz[half] < 16 || cd->tsz[half] > 39 || !granule ||
	       !(smmu->features.granules >> (granule - 12) / 2 & 1) ||
	       (cd->ttb[half] & ~smmu_low_bits(cd->ips));
}

/* 5.4.2, of what this implementation has: it has no Stall model, and termination is by abort. */
static bool cd_illegal(const struct weir_model_smmuv3 *smmu, uint64_t word0,
		       const union smmu_cd *cd)
{
	if (!(word0 & WEIR_SMMU_CD_0_V) || (word0 & WEIR_SMMU_CD_0_S) ||
	    !(word0 & WEIR_SMMU_CD_0_A))
		return true;
	if (!(word0 & WEIR_SMMU_CD_0_AA64) || (word0 & (WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD)))
		return true;
	/* ENDI is IGNORED when neither table is walked. */
	if (cd->epd != 3 && (word0 & WEIR_SMMU_CD_0_ENDI))
		return true;
	if (!smmu->features.asid16 && cd->asid >> 8)
		return true;
	return half_illegal(smmu, cd, 0) || half_illegal(smmu, cd, 1);
}

/* No substreams: S1ContextPtr points to the one CD (5.2 S1Fmt), index 0. */
static bool fetch_cd(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
		     const union smmu_ste *ste, union smmu_cd *cd)
{
	uint64_t key[2] = { key_of(access->sid), 0 }, word[3];

	smmu_count(access->flight, &access->flight->cd_fetches);
	if (!fetch(smmu, ste->context, word, WEIR_ARRAY_SIZE(word))) {
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_F_CD_FETCH, ste->context);
		return false;
	}
	decode_cd(smmu, word, cd);
	cd->bad = cd_illegal(smmu, word[0], cd);
	weir_model_smmu_cache_insert(&smmu->cds, key, cd->words, access->cd_generation);
	return true;
}

bool weir_model_smmu_find_cd(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			     const union smmu_ste *ste, union smmu_cd *cd)
{
	uint64_t key[2] = { key_of(access->sid), 0 };

	if (!smmu_cache_lookup(&smmu->cds, key, cd->words) && !fetch_cd(smmu, access, ste, cd))
		return false;
	if (cd->bad)
		weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_C_BAD_CD, 0);
	return !cd->bad;
}

struct sid_range {
	uint64_t first, last;
};

static bool in_range(const uint64_t *entry, const void *opaque)
{
	const struct sid_range *range = opaque;

	return entry[0] >> 1 >= range->first && entry[0] >> 1 <= range->last;
}

static void invalidate(struct smmu_cache *cache, const struct sid_range *range)
{
	uint64_t key[2] = { key_of((uint32_t)range->first), 0 };

	weir_model_smmu_cache_advance(cache);
	if (range->first == range->last)
		weir_model_smmu_cache_remove(cache, key);
	else
		weir_model_smmu_cache_remove_if(cache, in_range, range);
}

/*
 * CDs second: one that was found through an old STE is there to be removed, or is not inserted any
 * more, because its access began in an older generation.
 */
void weir_model_smmu_invalidate_stes(struct weir_model_smmuv3 *smmu, uint64_t first, uint64_t last)
{
	struct sid_range range = { first, last };

	invalidate(&smmu->stes, &range);
	invalidate(&smmu->cds, &range);
}

void weir_model_smmu_invalidate_cds(struct weir_model_smmuv3 *smmu, uint32_t sid)
{
	struct sid_range range = { sid, sid };

	invalidate(&smmu->cds, &range);
}
