/* SPDX-License-Identifier: MIT */

/* The caches' writers: insertion, replacement, removal. Structure and locking: cache.h. */

#include "smmuv3/cache.h"

#include <stdlib.h>

static uint32_t floor_pow2(uint32_t n)
{
	return (uint32_t)1 << (31 - __builtin_clz(n));
}

static uint32_t ceil_pow2(uint32_t n)
{
	return n <= 1 ? 1 : floor_pow2(n - 1) << 1;
}

static unsigned int log2_of(uint32_t power)
{
	return (unsigned int)__builtin_ctz(power);
}

int weir_model_smmu_cache_init(struct smmu_cache *cache, unsigned int entries, unsigned int ways,
			       unsigned int data)
{
	size_t bytes;

	cache->ways = entries < ways ? entries : ways;
	cache->sets = floor_pow2(entries / cache->ways);
	cache->data = data;
	cache->stride = ceil_pow2(1 + cache->ways * (2 + data));
	cache->stripe_shift = cache->sets > SMMU_CACHE_STRIPES ?
				      log2_of(cache->sets) - log2_of(SMMU_CACHE_STRIPES) :
				      0;
	bytes = (size_t)cache->sets * cache->stride * sizeof(uint64_t);
	cache->words = aligned_alloc(64, WEIR_ALIGN_UP(bytes, 64));
	if (!cache->words)
		return -WEIR_ENOMEM;
	memset(cache->words, 0, bytes);
	for (unsigned int i = 0; i < SMMU_CACHE_STRIPES; i++) {
		pthread_mutex_init(&cache->stripes[i].lock, NULL);
		cache->stripes[i].used = 0;
	}
	cache->generation = 0;
	return 0;
}

void weir_model_smmu_cache_fini(struct smmu_cache *cache)
{
	if (!cache->words)
		return;
	for (unsigned int i = 0; i < SMMU_CACHE_STRIPES; i++)
		pthread_mutex_destroy(&cache->stripes[i].lock);
	free(cache->words);
	cache->words = NULL;
}

static struct smmu_cache_stripe *stripe_of(struct smmu_cache *cache, uint32_t index)
{
	return &cache->stripes[index >> cache->stripe_shift];
}

/* The stripe's lock is held. Readers that see any of the new words see this number, or a later. */
static void set_open(uint64_t *set)
{
	__atomic_store_n(&set[0], set[0] + 1, __ATOMIC_RELAXED);
}

/* Release: readers that see the even number see all that was written. */
static void set_close(uint64_t *set)
{
	__atomic_store_n(&set[0], set[0] + 1, __ATOMIC_RELEASE);
}

/* Release: not before the odd number. Pairs with smmu_cache_load(). */
static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The way that has the key, else an empty one, else the victim: whose turn it is by the number. */
static uint64_t *choose_way(struct smmu_cache *cache, uint64_t *set, const uint64_t key[2])
{
	uint64_t *choice = NULL;

	for (unsigned int way = 0; way < cache->ways; way++) {
		uint64_t *entry = smmu_cache_way(cache, set, way);

		if (entry[0] == key[0] && entry[1] == key[1])
			return entry;
		if (!entry[0] && !choice)
			choice = entry;
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a cache has at least one way */
	return choice ? choice : smmu_cache_way(cache, set, (set[0] >> 1) % cache->ways);
}

void weir_model_smmu_cache_insert(struct smmu_cache *cache, const uint64_t key[2],
				  const uint64_t *data, uint64_t generation)
{
	uint32_t index = smmu_cache_index(cache, key);
	struct smmu_cache_stripe *stripe = stripe_of(cache, index);
	uint64_t *set = smmu_cache_set(cache, index), *entry;

	pthread_mutex_lock(&stripe->lock);
	if (smmu_cache_generation(cache) == generation) {
		entry = choose_way(cache, set, key);
		stripe->used += !entry[0];
		set_open(set);
		store(&entry[0], key[0]);
		store(&entry[1], key[1]);
		for (unsigned int i = 0; i < cache->data; i++)
			store(&entry[2 + i], data[i]);
		set_close(set);
	}
	pthread_mutex_unlock(&stripe->lock);
}

void weir_model_smmu_cache_advance(struct smmu_cache *cache)
{
	__atomic_add_fetch(&cache->generation, 1, __ATOMIC_SEQ_CST);
}

static void clear(struct smmu_cache_stripe *stripe, uint64_t *set, uint64_t *entry)
{
	set_open(set);
	store(&entry[0], 0);
	set_close(set);
	stripe->used--;
}

void weir_model_smmu_cache_remove(struct smmu_cache *cache, const uint64_t key[2])
{
	uint32_t index = smmu_cache_index(cache, key);
	struct smmu_cache_stripe *stripe = stripe_of(cache, index);
	uint64_t *set = smmu_cache_set(cache, index);

	pthread_mutex_lock(&stripe->lock);
	for (unsigned int way = 0; way < cache->ways; way++) {
		uint64_t *entry = smmu_cache_way(cache, set, way);

		if (entry[0] == key[0] && entry[1] == key[1])
			clear(stripe, set, entry);
	}
	pthread_mutex_unlock(&stripe->lock);
}

static void remove_in_set(struct smmu_cache *cache, struct smmu_cache_stripe *stripe, uint64_t *set,
			  bool (*match)(const uint64_t *entry, const void *opaque),
			  const void *opaque)
{
	for (unsigned int way = 0; way < cache->ways; way++) {
		uint64_t *entry = smmu_cache_way(cache, set, way);

		if (entry[0] && match(entry, opaque))
			clear(stripe, set, entry);
	}
}

/* A few 100 us for 65,536 entries; stripes that hold nothing cost only their lock. */
void weir_model_smmu_cache_remove_if(struct smmu_cache *cache,
				     bool (*match)(const uint64_t *entry, const void *opaque),
				     const void *opaque)
{
	uint32_t per_stripe = (uint32_t)1 << cache->stripe_shift;

	for (uint32_t first = 0; first < cache->sets; first += per_stripe) {
		struct smmu_cache_stripe *stripe = stripe_of(cache, first);

		pthread_mutex_lock(&stripe->lock);
		for (uint32_t i = first; stripe->used && i < first + per_stripe; i++)
			remove_in_set(cache, stripe, smmu_cache_set(cache, i), match, opaque);
		pthread_mutex_unlock(&stripe->lock);
	}
}
