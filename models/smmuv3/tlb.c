/* SPDX-License-Identifier: MIT */

/*
 * The IOTLB and the walk caches: what tags an entry (3.17), and what an invalidation reaches (4.4).
 *
 * Key word 0 of a translation: address of the range, log2 of its size in bits [6:1], bit 0 set. Of
 * a table on the way down: address of the range below it; level, granule, input size; bit 0. Key
 * word 1, of both: the tag. A global entry (nG == 0) has no ASID there, but its ASET.
 *
 * 3.17.1 lets a global entry serve all ASIDs, and does not ask for it. The adversarial caches do
 * it. The others keep it for the ASID that inserted it, and let it go with that (4.4 permits to
 * invalidate more): what forgets nG is then as right as it can be.
 *
 * What is not asked for is not done: an invalidation takes no entry of another stage, world,
 * granule or level along, an ASID with bits above the 8 that there are matches nothing.
 */

#include "smmuv3/internal.h"

#include <stddef.h>

#define DEFAULT_ENTRIES 6144u /* 256 KiB: what the processor's second-level cache holds */
#define WALK_ENTRIES 4096u
#define WAYS 3u	      /* number and keys of a set are a cache line */
#define DATA_WORDS 3u /* and its data another */

#define KEY_VALID WEIR_BIT(0)
#define KEY_SIZE WEIR_GENMASK(6, 1)
#define KEY_LEVEL WEIR_GENMASK(3, 1)
#define KEY_GRANULE WEIR_GENMASK(5, 4) /* (log2 - 12) / 2 */
#define KEY_INPUT_BITS WEIR_GENMASK(11, 6)
#define KEY_ADDR WEIR_GENMASK(63, 12)

#define TAG_ASID WEIR_GENMASK(15, 0)
#define TAG_VMID WEIR_GENMASK(31, 16)
#define TAG_WORLD WEIR_GENMASK(34, 32)
#define TAG_STAGE2 WEIR_BIT(35)
#define TAG_GLOBAL WEIR_BIT(36)
#define TAG_ASET WEIR_BIT(37)

#define DATA_ADDR WEIR_GENMASK(51, 12) /* words 0 and 1: base, ipa */
#define DATA0_RIGHTS2 WEIR_GENMASK(5, 0)
#define DATA0_MEMATTR2 WEIR_GENMASK(9, 6)
#define DATA0_SH2 WEIR_GENMASK(11, 10)
#define DATA1_CLEAN WEIR_BIT(0)
#define DATA1_CLEAN2 WEIR_BIT(1)
#define DATA1_ASID_LOW WEIR_GENMASK(5, 2)
#define DATA1_ASID_HIGH WEIR_GENMASK(63, 52)
#define DATA2_LEAF WEIR_GENMASK(15, 8)

/* Word 2: `size` to `stage2`, as they lie in struct smmu_translation. */
#define WORD2 offsetof(struct smmu_translation, size)
_Static_assert(WORD2 + 1 == offsetof(struct smmu_translation, leaf) &&
		       WORD2 + 7 == offsetof(struct smmu_translation, stage2),
	       "eight bytes of a translation are a word of an entry");

/* An invalidation by address that has to look for more keys scans the whole cache instead. */
#define KEYS_MAX 1024u

/* 3.17: the table of tags. */
#define WORLDS_WITH_ASID                                                                           \
	(WEIR_BIT(SMMU_WORLD_NS_EL1) | WEIR_BIT(SMMU_WORLD_EL2_E2H) | WEIR_BIT(SMMU_WORLD_S_EL1))
#define WORLDS_WITH_VMID (WEIR_BIT(SMMU_WORLD_NS_EL1) | WEIR_BIT(SMMU_WORLD_S_EL1))

int weir_model_smmu_tlb_init(struct weir_model_smmuv3 *smmu, unsigned int entries)
{
	bool none = smmu->caching == WEIR_MODEL_SMMUV3_CACHES_OFF ||
		    entries == WEIR_MODEL_SMMUV3_NO_TLB;
	bool walks = !none && smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	int err;

	if (!entries)
		entries = DEFAULT_ENTRIES;
	err = weir_model_smmu_cache_init(&smmu->tlb, none ? 0 : entries, WAYS, DATA_WORDS);
	if (!err)
		err = weir_model_smmu_cache_init(&smmu->walks, walks ? WALK_ENTRIES : 0, WAYS,
						 DATA_WORDS);
	return err;
}

void weir_model_smmu_tlb_fini(struct weir_model_smmuv3 *smmu)
{
	weir_model_smmu_cache_fini(&smmu->tlb);
	weir_model_smmu_cache_fini(&smmu->walks);
}

/* ---- Keys -------------------------------------------------------------------------------- */

/* Word 0, of the range of 2^size bytes that an address is in. */
static inline uint64_t translation_key(uint64_t addr, unsigned int size)
{
	return (addr & ~smmu_low_bits(size)) | WEIR_SMMU_FIELD(KEY_SIZE, size) | KEY_VALID;
}

static bool has_asid(unsigned int world)
{
	return WORLDS_WITH_ASID >> world & 1;
}

static uint64_t tag_of(const struct smmu_tag *tag)
{
	return WEIR_SMMU_FIELD(TAG_ASID, tag->asid) | WEIR_SMMU_FIELD(TAG_VMID, tag->vmid) |
	       WEIR_SMMU_FIELD(TAG_WORLD, tag->world) | (tag->stage2 ? TAG_STAGE2 : 0);
}

/* 3.17.1: the ASET always tells global entries apart. */
static uint64_t global_tag_of(const struct smmu_tag *tag)
{
	return (tag_of(tag) & ~TAG_ASID) | TAG_GLOBAL | (tag->aset ? TAG_ASET : 0);
}

static void pack(const struct smmu_tag *tag, const struct smmu_translation *t, uint64_t *data)
{
	data[0] = (t->base & DATA_ADDR) | WEIR_SMMU_FIELD(DATA0_RIGHTS2, t->rights2) |
		  WEIR_SMMU_FIELD(DATA0_MEMATTR2, t->memattr2) | WEIR_SMMU_FIELD(DATA0_SH2, t->sh2);
	data[1] = (t->ipa & DATA_ADDR) | (t->clean ? DATA1_CLEAN : 0) |
		  (t->clean2 ? DATA1_CLEAN2 : 0) | WEIR_SMMU_FIELD(DATA1_ASID_LOW, tag->asid) |
		  WEIR_SMMU_FIELD(DATA1_ASID_HIGH, tag->asid >> 4);
	memcpy(&data[2], (const char *)t + WORD2, sizeof(data[2]));
}

static void unpack(const uint64_t *data, struct smmu_translation *t)
{
	t->base = data[0] & DATA_ADDR;
	t->ipa = data[1] & DATA_ADDR;
	memcpy((char *)t + WORD2, &data[2], sizeof(data[2]));
	t->rights2 = (uint8_t)WEIR_SMMU_FIELD_GET(DATA0_RIGHTS2, data[0]);
	t->memattr2 = (uint8_t)WEIR_SMMU_FIELD_GET(DATA0_MEMATTR2, data[0]);
	t->sh2 = (uint8_t)WEIR_SMMU_FIELD_GET(DATA0_SH2, data[0]);
	t->clean = data[1] & DATA1_CLEAN;
	t->clean2 = data[1] & DATA1_CLEAN2;
}

static uint16_t asid_of(const uint64_t *data)
{
	return (uint16_t)(WEIR_SMMU_FIELD_GET(DATA1_ASID_LOW, data[1]) |
			  WEIR_SMMU_FIELD_GET(DATA1_ASID_HIGH, data[1]) << 4);
}

static inline bool look_up(const struct smmu_cache *cache, const uint64_t key[2], uint64_t *data)
{
	return smmu_cache_lookup_fixed(cache, key, data, WAYS, DATA_WORDS);
}

/* ---- Translations ------------------------------------------------------------------------ */

static bool find_global(const struct weir_model_smmuv3 *smmu, const struct smmu_tag *tag,
			uint64_t key0, uint64_t *data)
{
	uint64_t key[2] = { key0, global_tag_of(tag) };

	if (tag->stage2 || !has_asid(tag->world) || !look_up(&smmu->tlb, key, data))
		return false;
	return smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL || asid_of(data) == tag->asid;
}

/* Small ranges first; of sizes that nobody uses only a bit is read. A hit: one probe per size. */
bool weir_model_smmu_tlb_find(struct weir_model_smmuv3 *smmu, const struct smmu_tag *tag,
			      unsigned int granule, uint64_t addr, struct smmu_translation *out)
{
	uint64_t sizes = __atomic_load_n(&smmu->tlb_sizes[tag->stage2], __ATOMIC_RELAXED);
	uint64_t data[DATA_WORDS], key[2] = { 0, tag_of(tag) };
	bool globals = __atomic_load_n(&smmu->tlb_globals, __ATOMIC_RELAXED);

	for (sizes &= ~smmu_low_bits(granule); sizes; sizes &= sizes - 1) {
		unsigned int size = (unsigned int)__builtin_ctzll(sizes);

		key[0] = translation_key(addr, size);
		if (look_up(&smmu->tlb, key, data) ||
		    (globals && find_global(smmu, tag, key[0], data))) {
			unpack(data, out);
			return true;
		}
	}
	return false;
}

static void set_bit(uint64_t *word, unsigned int bit)
{
	if (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) >> bit & 1))
		__atomic_or_fetch(word, WEIR_BIT(bit), __ATOMIC_SEQ_CST);
}

/*
 * Where others have all ways of a set, one translation in 64 gets in, by the lookups of its lane.
 * So of more pages than there is room for some stay and hit; the rest do not pay for a locked
 * instruction, behind which the processor begins no walk before all reads of the last are there.
 */
static bool is_turn(const struct smmu_lane *lane)
{
	return __atomic_load_n(&lane->counters.tlb_lookups, __ATOMIC_RELAXED) % 64 == 0;
}

static bool is_kept(const struct smmu_access *access, const uint64_t key[2])
{
	return smmu_cache_has_room(&access->smmu->tlb, key) ||
	       access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL ||
	       is_turn(access->lane);
}

/*
 * Sizes, leaves and globals are noted before the insertion looks at the epoch, all sequentially
 * consistent: an invalidation that does not see them announced itself before, and nothing is kept.
 */
void weir_model_smmu_tlb_insert(const struct smmu_access *access, const struct smmu_tag *tag,
				uint64_t addr, const struct smmu_translation *translation)
{
	struct weir_model_smmuv3 *smmu = access->smmu;
	uint64_t data[DATA_WORDS], key[2];

	if (!smmu->tlb.words)
		return;
	key[0] = translation_key(addr, translation->size);
	key[1] = tag_of(tag);
	if (translation->global && !tag->stage2 && has_asid(tag->world)) {
		key[1] = global_tag_of(tag);
		if (!__atomic_load_n(&smmu->tlb_globals, __ATOMIC_SEQ_CST))
			__atomic_store_n(&smmu->tlb_globals, true, __ATOMIC_SEQ_CST);
	}
	if (!is_kept(access, key))
		return;
	set_bit(&smmu->tlb_sizes[tag->stage2], translation->size);
	set_bit(&smmu->tlb_leaves[tag->stage2][translation->size], translation->leaf);
	pack(tag, translation, data);
	weir_model_smmu_cache_insert(smmu, &smmu->tlb, key, data, access->epoch);
}

/* ---- Tables on the way down -------------------------------------------------------------- */

/* log2 of the bytes that lie below a table of this level. */
static unsigned int span_of(unsigned int granule, unsigned int level)
{
	unsigned int span = granule + (4 - level) * (granule - 3);

	return span < 63 ? span : 63;
}

static uint64_t walk_key(const struct smmu_tables *tables, uint64_t addr, unsigned int level)
{
	return (addr & ~smmu_low_bits(span_of(tables->granule, level))) |
	       WEIR_SMMU_FIELD(KEY_LEVEL, level) |
	       WEIR_SMMU_FIELD(KEY_GRANULE, (tables->granule - 12) / 2) |
	       WEIR_SMMU_FIELD(KEY_INPUT_BITS, tables->input_bits) | KEY_VALID;
}

bool weir_model_smmu_walk_find(struct weir_model_smmuv3 *smmu, const struct smmu_tag *tag,
			       const struct smmu_tables *tables, uint64_t addr,
			       struct smmu_walk_step *out)
{
	uint64_t data[DATA_WORDS], key[2] = { 0, tag_of(tag) };

	if (!smmu->walks.words)
		return false;
	for (int level = 3; level > tables->level; level--) {
		key[0] = walk_key(tables, addr, (unsigned int)level);
		if (!look_up(&smmu->walks, key, data))
			continue;
		*out = (struct smmu_walk_step){ .table = data[0],
						.attributes = data[1],
						.level = (int8_t)level };
		return true;
	}
	return false;
}

void weir_model_smmu_walk_insert(const struct smmu_access *access, const struct smmu_tag *tag,
				 const struct smmu_tables *tables, uint64_t addr,
				 const struct smmu_walk_step *step)
{
	uint64_t data[DATA_WORDS] = { step->table, step->attributes };
	uint64_t key[2] = { walk_key(tables, addr, (unsigned int)step->level), tag_of(tag) };

	weir_model_smmu_cache_insert(access->smmu, &access->smmu->walks, key, data, access->epoch);
}

unsigned int weir_model_smmu_walk_level(const uint64_t *key)
{
	return (unsigned int)WEIR_SMMU_FIELD_GET(KEY_LEVEL, key[0]) & 3;
}

/* ---- Invalidation ------------------------------------------------------------------------ */

struct search {
	const struct smmu_tlb_scope *scope;
	uint64_t leaves; /* bit n: entries out of leaves of 2^n bytes are meant */
	bool exact;	 /* global entries do not go with an ASID */
};

/* 4.4.1.1: levels 3 to 0 (0 with DS alone, and named by no TTL). */
static uint64_t leaves_of(const struct smmu_tlb_scope *scope)
{
	unsigned int stride = scope->granule - 3u;
	uint64_t leaves = 0;

	if (!scope->granule)
		return ~(uint64_t)0;
	for (unsigned int level = 0; level <= 3; level++) {
		unsigned int leaf = scope->granule + (3 - level) * stride;

		if (leaf < 64 && (!scope->level || scope->level == level))
			leaves |= WEIR_BIT(leaf);
	}
	return leaves;
}

static bool tag_matches(const struct smmu_tlb_scope *scope, uint64_t tag)
{
	if (!(tag & TAG_STAGE2 ? scope->stage2 : scope->stage1) ||
	    !(scope->worlds >> WEIR_SMMU_FIELD_GET(TAG_WORLD, tag) & 1))
		return false;
	return !scope->by_vmid ||
	       !((WEIR_SMMU_FIELD_GET(TAG_VMID, tag) ^ scope->vmid) & scope->vmid_mask);
}

/* 4.4.2.2: an ASID alone is that of non-global entries; 4.4.2.4: with an address, of both. */
static bool asid_matches(const struct search *search, uint64_t tag, const uint64_t *data)
{
	const struct smmu_tlb_scope *scope = search->scope;

	if (!scope->by_asid)
		return true;
	if (!(tag & TAG_GLOBAL))
		return WEIR_SMMU_FIELD_GET(TAG_ASID, tag) == scope->asid;
	return scope->by_address || (!search->exact && asid_of(data) == scope->asid);
}

static bool meets(const struct smmu_tlb_scope *scope, uint64_t addr, unsigned int span)
{
	uint64_t first = addr & ~smmu_low_bits(span);

	return !scope->by_address ||
	       (first <= scope->last && (first | smmu_low_bits(span)) >= scope->first);
}

/*
 * Any address in a block is an address of each fragment of it (a stage 2 of smaller pages made
 * them), as any in an entry is one of all of it (4.4).
 */
static bool translation_matches(const uint64_t key[2], const uint64_t *data, const void *opaque)
{
	const struct search *search = opaque;
	unsigned int size = (unsigned int)WEIR_SMMU_FIELD_GET(KEY_SIZE, key[0]);
	unsigned int leaf = (unsigned int)WEIR_SMMU_FIELD_GET(DATA2_LEAF, data[2]);

	return tag_matches(search->scope, key[1]) && asid_matches(search, key[1], data) &&
	       (search->leaves >> leaf & 1) &&
	       meets(search->scope, key[0] & KEY_ADDR, size > leaf ? size : leaf);
}

/*
 * 4.4.1.1: with a level, the tables that the walk passes down to it. What a table descriptor says
 * is never global.
 */
static bool step_matches(const uint64_t key[2], const uint64_t *data, const void *opaque)
{
	const struct search *search = opaque;
	const struct smmu_tlb_scope *scope = search->scope;
	unsigned int granule = 12 + 2 * (unsigned int)WEIR_SMMU_FIELD_GET(KEY_GRANULE, key[0]);
	unsigned int level = (unsigned int)WEIR_SMMU_FIELD_GET(KEY_LEVEL, key[0]);

	if ((scope->granule && scope->granule != granule) || (scope->level && level > scope->level))
		return false;
	return tag_matches(scope, key[1]) && asid_matches(search, key[1], data) &&
	       meets(scope, key[0] & KEY_ADDR, span_of(granule, level));
}

/*
 * The tags that an invalidation by address can meet, if these are few and known: 1 to 3. 0: only a
 * scan finds them.
 */
static unsigned int list_tags(const struct weir_model_smmuv3 *smmu,
			      const struct smmu_tlb_scope *scope, uint64_t *tags)
{
	struct smmu_tag tag = { .stage2 = scope->stage2, .vmid = scope->vmid, .asid = scope->asid };
	bool asid = scope->stage1 && (scope->worlds & WORLDS_WITH_ASID);

	if (!scope->by_address || scope->stage1 == scope->stage2 ||
	    (scope->worlds & (scope->worlds - 1)) || (asid && !scope->by_asid))
		return 0;
	if ((scope->worlds & WORLDS_WITH_VMID) &&
	    (!scope->by_vmid || scope->vmid_mask != (uint16_t)~0u))
		return 0;
	tag.world = (uint8_t)__builtin_ctzll(scope->worlds);
	if (!asid)
		tag.asid = 0;
	tags[0] = tag_of(&tag);
	if (!asid || !__atomic_load_n(&smmu->tlb_globals, __ATOMIC_SEQ_CST))
		return 1;
	tags[1] = global_tag_of(&tag);
	tag.aset = true;
	tags[2] = global_tag_of(&tag);
	return 3;
}

/* Ranges of a size, out of a kind of leaf, that an invalidation by address meets. */
static uint64_t key_range(const struct smmu_tlb_scope *scope, unsigned int size, unsigned int leaf,
			  uint64_t *first)
{
	uint64_t span = smmu_low_bits(size > leaf ? size : leaf);

	*first = scope->first & ~span;
	return ((scope->last | span) >> size) - (*first >> size) + 1;
}

/* Exactly what is meant: a key may be that of an entry out of a smaller leaf. */
static void remove_keys(struct weir_model_smmuv3 *smmu, const struct search *search,
			const uint64_t *tags, unsigned int count, unsigned int size, uint64_t first,
			uint64_t keys)
{
	for (uint64_t i = 0; i < keys; i++) {
		uint64_t key[2] = { translation_key(first + (i << size), size), 0 };

		for (unsigned int tag = 0; tag < count; tag++) {
			key[1] = tags[tag];
			weir_model_smmu_cache_remove_key_if(&smmu->tlb, key, translation_matches,
							    search);
		}
	}
}

/* False: too many keys, or unknown ones; something may be left. */
static bool remove_by_keys(struct weir_model_smmuv3 *smmu, const struct search *search)
{
	const struct smmu_tlb_scope *scope = search->scope;
	uint64_t sizes = __atomic_load_n(&smmu->tlb_sizes[scope->stage2], __ATOMIC_SEQ_CST);
	uint64_t tags[3], first, keys, total = 0;
	unsigned int count = list_tags(smmu, scope, tags);

	for (; count && sizes; sizes &= sizes - 1) {
		unsigned int size = (unsigned int)__builtin_ctzll(sizes);
		uint64_t *noted = &smmu->tlb_leaves[scope->stage2][size];
		uint64_t leaves = __atomic_load_n(noted, __ATOMIC_SEQ_CST) & search->leaves;

		for (; leaves; leaves &= leaves - 1) {
			keys = key_range(scope, size, (unsigned int)__builtin_ctzll(leaves),
					 &first);
			total += keys;
			if (total > KEYS_MAX)
				return false;
			remove_keys(smmu, search, tags, count, size, first, keys);
		}
	}
	return count;
}

void weir_model_smmu_tlb_invalidate(struct weir_model_smmuv3 *smmu,
				    const struct smmu_tlb_scope *scope)
{
	struct search search = {
		.scope = scope,
		.leaves = leaves_of(scope),
		.exact = smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
	};

	if (!smmu->tlb.words)
		return;
	if (!remove_by_keys(smmu, &search))
		weir_model_smmu_cache_remove_if(&smmu->tlb, translation_matches, &search);
	if (!scope->leaf_only)
		weir_model_smmu_cache_remove_if(&smmu->walks, step_matches, &search);
}
