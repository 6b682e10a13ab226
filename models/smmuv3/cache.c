/* SPDX-License-Identifier: MIT */

/* The caches' writers: insertion, replacement, removal. Structure and locking: cache.h. */

#include "smmuv3/internal.h"

#include <sched.h>
#include <stdlib.h>

#define SPINS 64u /* before a removal lets whoever has the set run */
#define LINE 8u	  /* words of a cache line */

static uint32_t floor_pow2(uint32_t n)
{
	return (uint32_t)1 << (31 - __builtin_clz(n));
}

static unsigned int log2_of(uint32_t power)
{
	return (unsigned int)__builtin_ctz(power);
}

int weir_model_smmu_cache_init(struct smmu_cache *cache, unsigned int entries, unsigned int ways,
			       unsigned int data)
{
	size_t bytes;

	*cache = (struct smmu_cache){ .ways = ways, .data = data };
	if (!entries)
		return 0;
	cache->usable = entries < ways ? entries : ways;
	cache->sets = floor_pow2(entries / cache->usable);
	cache->stride = (uint32_t)WEIR_ALIGN_UP(1 + cache->ways * (2 + data), LINE);
	if (cache->sets > SMMU_CACHE_STRIPES)
		cache->stripe_shift = log2_of(cache->sets) - log2_of(SMMU_CACHE_STRIPES);
	bytes = (size_t)cache->sets * cache->stride * sizeof(uint64_t);
	cache->words = aligned_alloc(LINE * sizeof(uint64_t), bytes);
	if (!cache->words)
		return -WEIR_ENOMEM;
	memset(cache->words, 0, bytes);
	return 0;
}

void weir_model_smmu_cache_fini(struct smmu_cache *cache)
{
	free(cache->words);
	cache->words = NULL;
}

/* An odd number is someone's lock. Sequentially consistent: before the epoch is looked at. */
static bool set_try_lock(uint64_t *set)
{
	uint64_t seq = __atomic_load_n(&set[0], __ATOMIC_SEQ_CST);

	return !(seq & 1) && __atomic_compare_exchange_n(&set[0], &seq, seq + 1, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Whoever has it holds it for a few stores, unless it was preempted among them. */
static void set_lock(uint64_t *set)
{
	for (unsigned int spins = 0; !set_try_lock(set); spins++)
		if (spins >= SPINS)
			sched_yield();
}

/* Release: readers that see the even number see all that was written. */
static void set_unlock(uint64_t *set)
{
	__atomic_store_n(&set[0], __atomic_load_n(&set[0], __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

/* Release: not before the odd number. Pairs with smmu_cache_load(). */
static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The way that has the key, else an empty one, else the victim: whose turn it is by the number. */
static unsigned int choose_way(const struct smmu_cache *cache, uint64_t *set, const uint64_t key[2])
{
	unsigned int choice = cache->usable;

	for (unsigned int way = 0; way < cache->usable; way++) {
		const uint64_t *entry = smmu_cache_key(set, way);

		if (entry[0] == key[0] && entry[1] == key[1])
			return way;
		if (!entry[0] && choice == cache->usable)
			choice = way;
	}
	if (choice < cache->usable)
		return choice;
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a cache with entries has a usable way */
	return (unsigned int)((__atomic_load_n(&set[0], __ATOMIC_RELAXED) >> 1) % cache->usable);
}

/*
 * Before the epoch is looked at, and sequentially consistent like that: a removal that finds the
 * bit clear had announced itself before, and the insertion sees it.
 */
static void mark_used(struct smmu_cache *cache, uint32_t index)
{
	uint64_t bit = WEIR_BIT(index >> cache->stripe_shift);

	if (!(__atomic_load_n(&cache->used, __ATOMIC_SEQ_CST) & bit))
		__atomic_or_fetch(&cache->used, bit, __ATOMIC_SEQ_CST);
}

void weir_model_smmu_cache_insert(const struct weir_model_smmuv3 *smmu, struct smmu_cache *cache,
				  const uint64_t key[2], const uint64_t *data, uint64_t epoch)
{
	uint64_t *set, *entry, *to;
	unsigned int way;
	uint32_t index;

	if (!cache->words)
		return;
	index = smmu_cache_index(cache, key);
	set = smmu_cache_set(cache, index);
	mark_used(cache, index);
	if (!set_try_lock(set))
		return;
	if (weir_model_smmu_epoch_current(smmu, epoch)) {
		way = choose_way(cache, set, key);
		entry = smmu_cache_key(set, way);
		to = smmu_cache_data(set, cache->ways, cache->data, way);
		store(&entry[0], key[0]);
		store(&entry[1], key[1]);
		for (unsigned int i = 0; i < cache->data; i++)
			store(&to[i], data[i]);
	}
	set_unlock(set);
}

/*
 * With nobody writing it, it stays so: the change was announced before this look, and insertions
 * see that. Sequentially consistent, like their locking.
 */
static bool set_empty(const struct smmu_cache *cache, uint64_t *set)
{
	if (__atomic_load_n(&set[0], __ATOMIC_SEQ_CST) & 1)
		return false;
	for (unsigned int way = 0; way < cache->ways; way++)
		if (smmu_cache_load(smmu_cache_key(set, way)))
			return false;
	return true;
}

static void note(struct smmu_census *census, const uint64_t *entry)
{
	if (census->count < census->room)
		census->entries[census->count] = entry;
	census->count++;
}

/* Without a key of all keys, without `match` of all data. Whether anything is left. */
static bool remove_in_set(struct smmu_cache *cache, uint64_t *set, const uint64_t *key,
			  smmu_cache_match *match, const void *opaque)
{
	bool left = false;

	if (set_empty(cache, set))
		return false;
	set_lock(set);
	for (unsigned int way = 0; way < cache->ways; way++) {
		uint64_t *entry = smmu_cache_key(set, way);
		bool meant;

		if (!entry[0])
			continue;
		meant = (!key || (entry[0] == key[0] && entry[1] == key[1])) &&
			(!match ||
			 match(entry, smmu_cache_data(set, cache->ways, cache->data, way), opaque));
		if (meant && !cache->census)
			store(&entry[0], 0);
		else
			left = true;
		if (meant && cache->census)
			note(cache->census, entry);
	}
	set_unlock(set);
	return left;
}

void weir_model_smmu_cache_remove_key_if(struct smmu_cache *cache, const uint64_t key[2],
					 smmu_cache_match *match, const void *opaque)
{
	if (cache->words)
		remove_in_set(cache, smmu_cache_set(cache, smmu_cache_index(cache, key)), key,
			      match, opaque);
}

void weir_model_smmu_cache_remove(struct smmu_cache *cache, const uint64_t key[2])
{
	weir_model_smmu_cache_remove_key_if(cache, key, NULL, NULL);
}

/*
 * About 100 us for 65,536 entries; stripes that hold nothing cost a bit. No insertion gets through
 * until the change ends, so that a stripe that is found empty is.
 */
void weir_model_smmu_cache_remove_if(struct smmu_cache *cache, smmu_cache_match *match,
				     const void *opaque)
{
	uint64_t used = __atomic_load_n(&cache->used, __ATOMIC_SEQ_CST);

	for (; used; used &= used - 1) {
		uint32_t stripe = (uint32_t)__builtin_ctzll(used);
		uint32_t first = stripe << cache->stripe_shift;
		uint32_t end = first + ((uint32_t)1 << cache->stripe_shift);
		bool left = false;

		for (uint32_t i = first; i < end; i++)
			left |= remove_in_set(cache, smmu_cache_set(cache, i), NULL, match, opaque);
		if (!left)
			__atomic_and_fetch(&cache->used, ~WEIR_BIT(stripe), __ATOMIC_SEQ_CST);
	}
}
