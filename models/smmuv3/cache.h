/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_CACHE_H
#define WEIR_MODELS_SMMUV3_CACHE_H

/*
 * A set-associative cache that many threads look up and few change: the IOTLB and the caches of
 * STEs and CDs.
 *
 * An entry is two words of key (the first is 0 in an empty way) and some words of data. A set
 * begins with its sequence number, odd while the set is written.
 *
 * Locking: a lookup takes no lock. It reads the sequence number, then the set, then the number
 * again; every word is an atomic, so that a torn read is seen and not undefined. Writers of a set
 * hold the lock of its stripe. Innermost: nothing else is taken under a stripe's lock.
 *
 * What a walk found before an invalidation must not be cached after it (IHI 0070 3.21.1, 3.21.3):
 * whoever walks takes the generation first and inserts under it; an invalidation moves the
 * generation on before it looks at the first set.
 */

#include <pthread.h>

#include <weir/base.h>

#define SMMU_CACHE_STRIPES 64u

struct smmu_cache_stripe {
	pthread_mutex_t lock;
	uint32_t used; /* entries in the sets of the stripe */
} __attribute__((aligned(64)));

struct smmu_cache {
	uint64_t *words;
	uint32_t sets, ways, data,
		stride; /* powers of two but for `ways` and `data`; stride in words */
	uint32_t stripe_shift;
	uint64_t generation;
	struct smmu_cache_stripe stripes[SMMU_CACHE_STRIPES];
};

/* At most `entries` of them. -WEIR_ENOMEM. */
int weir_model_smmu_cache_init(struct smmu_cache *cache, unsigned int entries, unsigned int ways,
			       unsigned int data);
void weir_model_smmu_cache_fini(struct smmu_cache *cache);

/* Dropped if the generation has moved on since it was taken. Replaces what has the same key. */
void weir_model_smmu_cache_insert(struct smmu_cache *cache, const uint64_t key[2],
				  const uint64_t *data, uint64_t generation);
/* From now on nothing is inserted that was walked before. */
void weir_model_smmu_cache_advance(struct smmu_cache *cache);
void weir_model_smmu_cache_remove(struct smmu_cache *cache, const uint64_t key[2]);
/* `match` sees the words of an entry: two of key, then the data. */
void weir_model_smmu_cache_remove_if(struct smmu_cache *cache,
				     bool (*match)(const uint64_t *entry, const void *opaque),
				     const void *opaque);

static inline uint64_t smmu_cache_generation(const struct smmu_cache *cache)
{
	return __atomic_load_n(&cache->generation, __ATOMIC_SEQ_CST);
}

static inline uint32_t smmu_cache_index(const struct smmu_cache *cache, const uint64_t key[2])
{
	uint64_t h = key[0] * 0x9e3779b97f4a7c15u ^ (key[1] + 1) * 0xc2b2ae3d27d4eb4fu;

	h ^= h >> 29;
	return (uint32_t)((h * 0xbf58476d1ce4e5b9u) >> 32) & (cache->sets - 1);
}

static inline uint64_t *smmu_cache_set(const struct smmu_cache *cache, uint32_t index)
{
	return cache->words + (size_t)index * cache->stride;
}

static inline uint64_t *smmu_cache_way(const struct smmu_cache *cache, uint64_t *set,
				       unsigned int way)
{
	return set + 1 + (size_t)way * (2 + cache->data);
}

/*
 * Acquire: the sequence number is read again after each of these. Pairs with the release stores of
 * the writer, which follow the store of the odd number.
 */
static inline uint64_t smmu_cache_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline bool smmu_cache_probe(const struct smmu_cache *cache, uint64_t *set,
				    const uint64_t key[2], uint64_t *data)
{
	for (unsigned int way = 0; way < cache->ways; way++) {
		const uint64_t *entry = smmu_cache_way(cache, set, way);

		if (smmu_cache_load(&entry[0]) != key[0] || smmu_cache_load(&entry[1]) != key[1])
			continue;
		for (unsigned int i = 0; i < cache->data; i++)
			data[i] = smmu_cache_load(&entry[2 + i]);
		return true;
	}
	return false;
}

/* About 5 ns when the set is in the CPU's cache. A set that is written all the time is a miss. */
static inline bool smmu_cache_lookup(const struct smmu_cache *cache, const uint64_t key[2],
				     uint64_t *data)
{
	uint64_t *set = smmu_cache_set(cache, smmu_cache_index(cache, key));

	for (unsigned int tries = 0; tries < 4; tries++) {
		uint64_t seq = __atomic_load_n(&set[0], __ATOMIC_ACQUIRE);
		bool hit = smmu_cache_probe(cache, set, key, data);

		if (!(seq & 1) && __atomic_load_n(&set[0], __ATOMIC_RELAXED) == seq)
			return hit;
	}
	return false;
}

#endif
