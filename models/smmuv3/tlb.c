/* SPDX-License-Identifier: MIT */

/*
 * The IOTLB: what tags a translation (3.17), and what an invalidation reaches (4.4).
 *
 * Key word 0: address of the page or block, log2 of its size in bits [6:1], bit 0 set. The size
 * says granule and level: no two of them have one in common. Key word 1: VMID, ASID; for a global
 * entry (nG == 0) no ASID, but the ASET. Data: output address, rights, and the ASID.
 *
 * 3.17.1 lets a global entry serve all ASIDs, and does not ask for it. Here it serves the one that
 * inserted it, and goes with it (4.4 permits to invalidate more); it is found without an ASID where
 * an invalidation by address has to reach it.
 */

#include "smmuv3/internal.h"

#define KEY_VALID WEIR_BIT(0)
#define KEY_SIZE WEIR_GENMASK(6, 1)
#define TAG_ASID WEIR_GENMASK(15, 0)
#define TAG_VMID WEIR_GENMASK(31, 16)
#define TAG_GLOBAL WEIR_BIT(32)
#define TAG_ASET WEIR_BIT(33)
#define DATA_RIGHTS WEIR_GENMASK(5, 0)
#define DATA_BASE WEIR_GENMASK(47, 12)
#define DATA_ASID WEIR_GENMASK(63, 48)

/* An invalidation by address that looks for more keys than this walks the whole cache instead. */
#define KEYS_MAX 512u

static uint64_t key_of(uint64_t va, unsigned int size)
{
	return (va & ~smmu_low_bits(size)) | WEIR_SMMU_FIELD(KEY_SIZE, size) | KEY_VALID;
}

static uint64_t tag_of(uint16_t vmid, uint16_t asid)
{
	return WEIR_SMMU_FIELD(TAG_VMID, vmid) | WEIR_SMMU_FIELD(TAG_ASID, asid);
}

static uint64_t global_tag_of(uint16_t vmid, bool aset)
{
	return WEIR_SMMU_FIELD(TAG_VMID, vmid) | TAG_GLOBAL | (aset ? TAG_ASET : 0);
}

static bool find_size(const struct weir_model_smmuv3 *smmu, const union smmu_ste *ste,
		      const union smmu_cd *cd, uint64_t va, unsigned int size, uint64_t *data)
{
	uint64_t key[2] = { key_of(va, size), tag_of(ste->vmid, cd->asid) };

	if (smmu_cache_lookup(&smmu->tlb, key, data))
		return true;
	if (!__atomic_load_n(&smmu->tlb_globals, __ATOMIC_ACQUIRE))
		return false;
	key[1] = global_tag_of(ste->vmid, cd->aset);
	return smmu_cache_lookup(&smmu->tlb, key, data) &&
	       WEIR_SMMU_FIELD_GET(DATA_ASID, *data) == cd->asid;
}

/* Pages first, then blocks; of sizes that nobody uses only a bit is read. */
bool weir_model_smmu_tlb_find(struct weir_model_smmuv3 *smmu, const union smmu_ste *ste,
			      const union smmu_cd *cd, uint64_t va, struct smmu_translation *out)
{
	unsigned int granule = cd->granule[va >> 55 & 1], stride = granule - 3;
	uint64_t sizes = __atomic_load_n(&smmu->tlb_sizes, __ATOMIC_ACQUIRE), data = 0;

	for (unsigned int size = granule; size <= granule + 2 * stride; size += stride) {
		if (!(sizes >> size & 1) || !find_size(smmu, ste, cd, va, size, &data))
			continue;
		out->base = data & DATA_BASE;
		out->size = (uint8_t)size;
		out->rights = (uint8_t)(data & DATA_RIGHTS);
		return true;
	}
	return false;
}

void weir_model_smmu_tlb_insert(struct weir_model_smmuv3 *smmu, const union smmu_ste *ste,
				const union smmu_cd *cd, uint64_t va,
				const struct smmu_translation *translation, uint64_t generation)
{
	uint64_t key[2] = { key_of(va, translation->size), tag_of(ste->vmid, cd->asid) };
	uint64_t data =
		translation->base | translation->rights | WEIR_SMMU_FIELD(DATA_ASID, cd->asid);

	/* Before the entry: an invalidation that does not see them has moved the generation on. */
	if (translation->global) {
		key[1] = global_tag_of(ste->vmid, cd->aset);
		__atomic_store_n(&smmu->tlb_globals, true, __ATOMIC_SEQ_CST);
	}
	if (!(__atomic_load_n(&smmu->tlb_sizes, __ATOMIC_RELAXED) >> translation->size & 1))
		__atomic_or_fetch(&smmu->tlb_sizes, WEIR_BIT(translation->size), __ATOMIC_SEQ_CST);
	weir_model_smmu_cache_insert(&smmu->tlb, key, &data, generation);
}

static bool tag_matches(const uint64_t *entry, const struct smmu_tlb_scope *scope)
{
	if (WEIR_SMMU_FIELD_GET(TAG_VMID, entry[1]) != scope->vmid)
		return false;
	/* 4.4.2.4: by address, global entries whatever the ASID. */
	return !scope->by_asid || (scope->by_address && (entry[1] & TAG_GLOBAL)) ||
	       WEIR_SMMU_FIELD_GET(DATA_ASID, entry[2]) == scope->asid;
}

static bool entry_matches(const uint64_t *entry, const void *opaque)
{
	const struct smmu_tlb_scope *scope = opaque;
	unsigned int size = (unsigned int)WEIR_SMMU_FIELD_GET(KEY_SIZE, entry[0]);
	uint64_t base = entry[0] & ~(KEY_SIZE | KEY_VALID);

	if (!tag_matches(entry, scope))
		return false;
	return !scope->by_address || ((scope->sizes >> size & 1) && base <= scope->last &&
				      (base | smmu_low_bits(size)) >= scope->first);
}

/* How many keys would have to be looked for; more than KEYS_MAX is as good as any. */
static uint64_t count_keys(const struct smmu_tlb_scope *scope, uint64_t sizes)
{
	uint64_t keys = 0;

	for (; sizes && keys <= KEYS_MAX; sizes &= sizes - 1) {
		unsigned int size = (unsigned int)__builtin_ctzll(sizes);

		keys += (scope->last >> size) - (scope->first >> size) + 1;
	}
	return keys;
}

static void remove_keys(struct weir_model_smmuv3 *smmu, const struct smmu_tlb_scope *scope,
			unsigned int size)
{
	uint64_t tags[] = { tag_of(scope->vmid, scope->asid), global_tag_of(scope->vmid, false),
			    global_tag_of(scope->vmid, true) };
	unsigned int count = __atomic_load_n(&smmu->tlb_globals, __ATOMIC_SEQ_CST) ? 3 : 1;
	uint64_t pages = (scope->last >> size) - (scope->first >> size) + 1;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t key[2] = { key_of(scope->first + (page << size), size), 0 };

		for (unsigned int i = 0; i < count; i++) {
			key[1] = tags[i];
			weir_model_smmu_cache_remove(&smmu->tlb, key);
		}
	}
}

void weir_model_smmu_tlb_invalidate(struct weir_model_smmuv3 *smmu,
				    const struct smmu_tlb_scope *scope)
{
	uint64_t sizes;

	weir_model_smmu_cache_advance(&smmu->tlb);
	sizes = __atomic_load_n(&smmu->tlb_sizes, __ATOMIC_SEQ_CST) & scope->sizes;
	if (scope->by_address && scope->by_asid && count_keys(scope, sizes) <= KEYS_MAX) {
		for (; sizes; sizes &= sizes - 1)
			remove_keys(smmu, scope, (unsigned int)__builtin_ctzll(sizes));
		return;
	}
	weir_model_smmu_cache_remove_if(&smmu->tlb, entry_matches, scope);
}
