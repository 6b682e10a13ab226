/* SPDX-License-Identifier: MIT */

/*
 * Where stream table entries and context descriptors are (3.3.1, 5.1, 5.3), and the caches that
 * keep them until a CMD_CFGI_* takes them out (3.21.3).
 *
 * The caches keep words as they were read; each use decodes them again, with the registers of its
 * moment. Normally they keep what is legal, and the last level alone; with adversarial caches they
 * keep L1STDs and L1CDs too, and everything whatever it says. What could not be fetched is not
 * kept. A walk's reads are made in its flight, and what it found is kept in its epoch alone
 * (lane.h): no pointer of before an invalidation is followed after it.
 *
 * Keys: word 0 is the first StreamID that an entry is for, shifted, with bit 0 set, and the
 * Security state above. Word 1 is the index of a CD, 0 of an STE; LEVEL1() marks a descriptor that
 * is for 2^split of them.
 */

#include "smmuv3/internal.h"

#define LEVEL1(split) ((uint64_t)(split) << 32)
#define KEY_SECURE WEIR_BIT(33)

#define ENTRIES 4096u /* STEs, and as many CDs */
#define ENTRIES_ADVERSARIAL 16384u
#define WAYS 4u

/* S1Fmt's, and those of stream tables: log2 of the entries that an L1CD, an L1STD is for. */
static const unsigned int cd_splits[] = { 6, 10 };
static const unsigned int ste_splits[] = { WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_4K,
					   WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_16K,
					   WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_64K };

int weir_model_smmu_config_init(struct weir_model_smmuv3 *smmu)
{
	static const unsigned int entries[] = {
		[WEIR_MODEL_SMMUV3_CACHES_NORMAL] = ENTRIES,
		[WEIR_MODEL_SMMUV3_CACHES_OFF] = 0,
		[WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL] = ENTRIES_ADVERSARIAL,
	};
	int err = weir_model_smmu_cache_init(&smmu->stes, entries[smmu->caching], WAYS,
					     WEIR_SMMU_STE_WORDS);

	if (err)
		return err;
	return weir_model_smmu_cache_init(&smmu->cds, entries[smmu->caching], WAYS,
					  WEIR_SMMU_CD_WORDS);
}

void weir_model_smmu_config_fini(struct weir_model_smmuv3 *smmu)
{
	weir_model_smmu_cache_fini(&smmu->stes);
	weir_model_smmu_cache_fini(&smmu->cds);
}

static uint64_t key_of(const struct smmu_bank *bank, uint32_t sid)
{
	return (uint64_t)sid << 1 | 1 | (smmu_is_secure(bank) ? KEY_SECURE : 0);
}

static uint32_t sid_of(const uint64_t key[2])
{
	return (uint32_t)(key[0] >> 1);
}

/* Words one by one, in ascending order: no more than each is atomic (3.21.3). */
static bool load(const struct smmu_access *access, uint64_t addr, uint64_t *words,
		 unsigned int count)
{
	smmu_monitor(access, WEIR_SMMU_PMCG_CONFIG_ACCESS, WEIR_SMMU_PMCG_CONFIG_MISS);
	for (unsigned int i = 0; i < count; i++)
		if (smmu_load64(&access->smmu->memory, addr + i * sizeof(*words), &words[i]) !=
		    WEIR_MODEL_OK)
			return false;
	return true;
}

static void keep(const struct smmu_access *access, struct smmu_cache *cache, const uint64_t *key,
		 const uint64_t *words, bool legal)
{
	if (access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL ||
	    (access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_NORMAL && legal))
		weir_model_smmu_cache_insert(access->smmu, cache, key, words, access->epoch);
}

/* First levels are kept by adversarial caches alone. */
static bool find_level1(const struct smmu_access *access, const struct smmu_cache *cache,
			const uint64_t *key, uint64_t *descriptor)
{
	uint64_t words[WEIR_SMMU_STE_WORDS];

	if (access->smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL ||
	    !smmu_cache_lookup(cache, key, words))
		return false;
	*descriptor = words[0];
	return true;
}

static void keep_level1(const struct smmu_access *access, struct smmu_cache *cache,
			const uint64_t *key, uint64_t descriptor)
{
	uint64_t words[WEIR_SMMU_STE_WORDS] = { descriptor };

	keep(access, cache, key, words, false);
}

/* A performance monitor counts each read of a walk; quick ones do not tell. */
static void walk_exactly(const struct smmu_access *access, struct smmu_tables *tables)
{
	if (!(access->config_epoch & SMMU_CONFIG_COUNTING))
		return;
	tables->quick = false;
	tables->through = 0;
}

/* ---- Stream table ------------------------------------------------------------------------ */

/* 6.3.12: recorded only if software asked for it; of translated transactions always (3.9.1.3). */
static bool bad_stream(const struct smmu_access *access, struct smmu_fault *fault)
{
	bool told = (smmu_reg(&access->bank->cr2) & WEIR_SMMU_CR2_RECINVSID) ||
		    (access->flags & WEIR_MODEL_TXN_TRANSLATED);

	return smmu_fault(fault, told ? WEIR_SMMU_EVT_C_BAD_STREAMID : 0);
}

static bool ste_fetch_failed(uint64_t addr, struct smmu_fault *fault)
{
	fault->fetch = addr;
	return smmu_fault(fault, WEIR_SMMU_EVT_F_STE_FETCH);
}

/* 6.3.25: the values that are reserved behave as 6. */
static unsigned int split_of(uint32_t cfg)
{
	unsigned int split =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, cfg);

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(ste_splits); i++)
		if (ste_splits[i] == split)
			return split;
	return WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_4K;
}

static unsigned int log2size_of(uint32_t cfg)
{
	return (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE, cfg);
}

/*
 * 6.3.24: aligned to the first table's size, 2^bits, as LOG2SIZE has it literally; and to 64 bytes,
 * which is all that the field has.
 */
static uint64_t table_base(const struct smmu_bank *bank, unsigned int bits)
{
	return smmu_reg64(&bank->strtab_base) & WEIR_SMMU_STRTAB_BASE_ADDR & ~smmu_low_bits(bits);
}

/* 3.4.3 (5): an address beyond the OAS is truncated to it. */
static uint64_t truncate_to_oas(const struct smmu_access *access, uint64_t addr)
{
	return addr & smmu_low_bits(access->smmu->features.oas);
}

static bool find_l1std(const struct smmu_access *access, uint32_t cfg, uint64_t *l1std,
		       struct smmu_fault *fault)
{
	unsigned int log2size = log2size_of(cfg), split = split_of(cfg);
	uint64_t first = access->sid & ~smmu_low_bits(split);
	uint64_t key[2] = { key_of(access->bank, (uint32_t)first), LEVEL1(split) }, addr;

	if (find_level1(access, &access->smmu->stes, key, l1std))
		return true;
	addr = table_base(access->bank, (log2size > split ? log2size - split : 0) + 3);
	addr = truncate_to_oas(access, addr + (first >> split) * WEIR_SMMU_L1STD_SIZE);
	if (!load(access, addr, l1std, 1))
		return ste_fetch_failed(addr, fault);
	keep_level1(access, &access->smmu->stes, key, *l1std);
	return true;
}

/* 5.1, 7.3.3 (2): through the first level. Reserved values of Span are too large for any split. */
static bool locate_in_level2(const struct smmu_access *access, uint32_t cfg, uint64_t *addr,
			     struct smmu_fault *fault)
{
	unsigned int split = split_of(cfg), span;
	uint64_t index = access->sid & smmu_low_bits(split), l1std;

	if (!find_l1std(access, cfg, &l1std, fault))
		return false;
	span = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_L1STD_SPAN, l1std);
	if (!span || span > split + 1 || index >> (span - 1))
		return bad_stream(access, fault);
	if (access->smmu->features.reject_reserved && (l1std & WEIR_SMMU_L1STD_RES0))
		return bad_stream(access, fault);
	*addr = l1std & WEIR_SMMU_L1STD_L2PTR & ~smmu_low_bits(6 + span - 1);
	*addr = truncate_to_oas(access, *addr + index * WEIR_SMMU_STE_SIZE);
	return true;
}

/* FMT's reserved values behave as linear; without IDR0.ST_LEVEL it is 0. */
static bool locate_ste(const struct smmu_access *access, uint32_t cfg, uint64_t *addr,
		       struct smmu_fault *fault)
{
	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_FMT, cfg) ==
	    WEIR_SMMU_STRTAB_BASE_CFG_FMT_2LVL)
		return locate_in_level2(access, cfg, addr, fault);
	*addr = table_base(access->bank, log2size_of(cfg) + 6);
	*addr = truncate_to_oas(access, *addr + (uint64_t)access->sid * WEIR_SMMU_STE_SIZE);
	return true;
}

static bool fetch_ste(const struct smmu_access *access, uint32_t cfg, uint64_t *words,
		      struct smmu_fault *fault)
{
	uint64_t addr;

	if (!locate_ste(access, cfg, &addr, fault))
		return false;
	smmu_count(access, &access->lane->counters.ste_fetches);
	return load(access, addr, words, WEIR_SMMU_STE_WORDS) || ste_fetch_failed(addr, fault);
}

bool weir_model_smmu_find_ste(const struct smmu_access *access, struct smmu_ste *ste,
			      struct smmu_fault *fault)
{
	struct smmu_cache *stes = &access->smmu->stes;
	uint64_t key[2] = { key_of(access->bank, access->sid), 0 }, words[WEIR_SMMU_STE_WORDS];
	uint32_t cfg = smmu_reg(&access->bank->strtab_base_cfg);
	unsigned int sid_bits = smmu_sid_bits(access->bank);
	bool cached, legal;

	/* 6.3.25: the range is capped to SIDSIZE. */
	if (log2size_of(cfg) < sid_bits)
		sid_bits = log2size_of(cfg);
	if ((uint64_t)access->sid >> sid_bits)
		return bad_stream(access, fault);
	cached = smmu_cache_lookup(stes, key, words);
	if (!cached && !fetch_ste(access, cfg, words, fault))
		return false;
	legal = weir_model_smmu_decode_ste(access->bank, words, ste);
	walk_exactly(access, &ste->s2);
	if (!cached)
		keep(access, stes, key, words, legal);
	return legal || smmu_fault(fault, WEIR_SMMU_EVT_C_BAD_STE);
}

/* ---- Context descriptors ----------------------------------------------------------------- */

static bool under_stage2(const struct smmu_ste *ste)
{
	return ste->config == WEIR_SMMU_STE_CONFIG_NESTED;
}

/*
 * Words of a structure, which lies in one page; under stage 2 the address is an IPA. FetchAddr is
 * the physical address (7.3.10).
 */
static bool load_cd(const struct smmu_access *access, const struct smmu_ste *ste, uint64_t addr,
		    uint64_t *words, unsigned int count, struct smmu_fault *fault)
{
	if (under_stage2(ste) && !weir_model_smmu_translate_cd(access, ste, addr, &addr, fault))
		return false;
	if (load(access, addr, words, count))
		return true;
	fault->fetch = addr;
	return smmu_fault(fault, WEIR_SMMU_EVT_F_CD_FETCH);
}

static unsigned int cd_split_of(const struct smmu_ste *ste)
{
	return cd_splits[ste->s1fmt == WEIR_SMMU_STE_S1FMT_64K_L2];
}

/*
 * Tables are aligned to their size, and 64 bytes: what S1ContextPtr has below that is taken as zero
 * (5.2 S1Fmt).
 */
static bool find_l1cd(const struct smmu_access *access, const struct smmu_ste *ste, uint32_t ssid,
		      uint64_t *l1cd, struct smmu_fault *fault)
{
	unsigned int split = cd_split_of(ste), bits = 6;
	uint64_t first = ssid & ~smmu_low_bits(split), addr;
	uint64_t key[2] = { key_of(access->bank, access->sid), LEVEL1(split) | first };

	if (find_level1(access, &access->smmu->cds, key, l1cd))
		return true;
	if (ste->s1cdmax > split + 3)
		bits = ste->s1cdmax - split + 3;
	addr = (ste->s1contextptr & ~smmu_low_bits(bits)) + (first >> split) * WEIR_SMMU_L1CD_SIZE;
	if (!load_cd(access, ste, addr, l1cd, 1, fault))
		return false;
	keep_level1(access, &access->smmu->cds, key, *l1cd);
	return true;
}

/*
 * 3.4.3 (3), (4): of what it allows for an L2Ptr beyond the OAS, or under stage 2 the IAS,
 * C_BAD_SUBSTREAMID is the one thing that is right in all cases and versions.
 */
static bool l1cd_legal(const struct smmu_features *features, const struct smmu_ste *ste,
		       uint64_t l1cd)
{
	uint8_t limit = under_stage2(ste) ? features->ias : features->oas;

	return (l1cd & WEIR_SMMU_L1CD_V) &&
	       !(l1cd & WEIR_SMMU_L1CD_L2PTR & ~smmu_low_bits(limit)) &&
	       !(features->reject_reserved && (l1cd & WEIR_SMMU_L1CD_RES0));
}

static bool locate_cd(const struct smmu_access *access, const struct smmu_ste *ste, uint32_t ssid,
		      uint64_t *addr, struct smmu_fault *fault)
{
	unsigned int split = cd_split_of(ste);
	uint64_t l1cd;

	if (ste->s1fmt == WEIR_SMMU_STE_S1FMT_LINEAR) {
		*addr = (ste->s1contextptr & ~smmu_low_bits(6u + ste->s1cdmax)) +
			(uint64_t)ssid * WEIR_SMMU_CD_SIZE;
		return true;
	}
	if (!find_l1cd(access, ste, ssid, &l1cd, fault))
		return false;
	if (!l1cd_legal(&access->smmu->features, ste, l1cd))
		return smmu_fault(fault, WEIR_SMMU_EVT_C_BAD_SUBSTREAMID);
	*addr = (l1cd & WEIR_SMMU_L1CD_L2PTR & ~smmu_low_bits(6 + split)) +
		(ssid & smmu_low_bits(split)) * WEIR_SMMU_CD_SIZE;
	return true;
}

static bool fetch_cd(const struct smmu_access *access, const struct smmu_ste *ste, uint32_t ssid,
		     uint64_t *words, struct smmu_fault *fault)
{
	uint64_t addr;

	if (!locate_cd(access, ste, ssid, &addr, fault))
		return false;
	smmu_count(access, &access->lane->counters.cd_fetches);
	return load_cd(access, ste, addr, words, WEIR_SMMU_CD_WORDS, fault);
}

/* `ssid` is below 2^S1CDMax: choose_cd() in translate.c sees to that. */
bool weir_model_smmu_find_cd(const struct smmu_access *access, const struct smmu_ste *ste,
			     uint32_t ssid, struct smmu_cd *cd, struct smmu_fault *fault)
{
	struct smmu_cache *cds = &access->smmu->cds;
	uint64_t key[2] = { key_of(access->bank, access->sid), ssid }, words[WEIR_SMMU_CD_WORDS];
	bool cached = smmu_cache_lookup(cds, key, words), legal;

	if (!cached && !fetch_cd(access, ste, ssid, words, fault))
		return false;
	legal = weir_model_smmu_decode_cd(access->bank, ste, words, cd);
	walk_exactly(access, &cd->half[0]);
	walk_exactly(access, &cd->half[1]);
	if (!cached)
		keep(access, cds, key, words, legal);
	return legal || smmu_fault(fault, WEIR_SMMU_EVT_C_BAD_CD);
}

/* ---- Invalidation (4.3) ------------------------------------------------------------------ */

struct sid_range {
	uint64_t first, last;
	bool leaf;	/* L1STDs may stay */
	uint64_t state; /* KEY_SECURE, or 0 */
};

static struct sid_range range_of(const struct smmu_bank *bank, uint64_t first, uint64_t last,
				 bool leaf)
{
	return (struct sid_range){ first, last, leaf, smmu_is_secure(bank) ? KEY_SECURE : 0 };
}

static bool ste_in_range(const uint64_t key[2], const uint64_t *data, const void *opaque)
{
	const struct sid_range *range = opaque;
	uint64_t first = sid_of(key), last = first;

	(void)data;
	if ((key[0] & KEY_SECURE) != range->state)
		return false;
	if (key[1]) {
		if (range->leaf)
			return false;
		last += smmu_low_bits((unsigned int)(key[1] >> 32));
	}
	return last >= range->first && first <= range->last;
}

static bool cd_in_range(const uint64_t key[2], const uint64_t *data, const void *opaque)
{
	const struct sid_range *range = opaque;

	(void)data;
	return (key[0] & KEY_SECURE) == range->state && sid_of(key) >= range->first &&
	       sid_of(key) <= range->last;
}

static void invalidate_ste(struct smmu_bank *bank, uint32_t sid, bool leaf)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;
	uint64_t key[2] = { key_of(bank, sid), 0 };

	weir_model_smmu_cache_remove(&smmu->stes, key);
	if (leaf || smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		return;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(ste_splits); i++) {
		key[0] = key_of(bank, sid & ~(uint32_t)smmu_low_bits(ste_splits[i]));
		key[1] = LEVEL1(ste_splits[i]);
		weir_model_smmu_cache_remove(&smmu->stes, key);
	}
}

/* L1CDs too. */
static void invalidate_cds_of(struct smmu_bank *bank, const struct sid_range *range)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;
	uint64_t key[2] = { key_of(bank, (uint32_t)range->first), 0 };

	if (range->first == range->last && !smmu->features.ssid_bits)
		weir_model_smmu_cache_remove(&smmu->cds, key);
	else
		weir_model_smmu_cache_remove_if(&smmu->cds, cd_in_range, range);
}

void weir_model_smmu_invalidate_stes(struct smmu_bank *bank, uint64_t first, uint64_t last,
				     bool leaf)
{
	struct sid_range range = range_of(bank, first, last, leaf);

	if (first == last)
		invalidate_ste(bank, (uint32_t)first, leaf);
	else
		weir_model_smmu_cache_remove_if(&bank->smmu->stes, ste_in_range, &range);
	invalidate_cds_of(bank, &range);
}

void weir_model_smmu_invalidate_cds(struct smmu_bank *bank, uint32_t sid, uint32_t ssid, bool leaf)
{
	struct sid_range range = range_of(bank, sid, sid, leaf);
	uint64_t key[2] = { key_of(bank, sid), ssid };

	if (ssid == SMMU_ALL_SSIDS) {
		invalidate_cds_of(bank, &range);
		return;
	}
	weir_model_smmu_cache_remove(&bank->smmu->cds, key);
	if (leaf || bank->smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL)
		return;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cd_splits); i++) {
		key[1] = LEVEL1(cd_splits[i]) | (ssid & ~smmu_low_bits(cd_splits[i]));
		weir_model_smmu_cache_remove(&bank->smmu->cds, key);
	}
}
