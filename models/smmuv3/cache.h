/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_SMMUV3_CACHE_H
#define WEIR_MODELS_SMMUV3_CACHE_H

/*
 * A set-associative cache that many threads look up and few change: the IOTLB, the walk caches, and
 * the caches of STEs and CDs.
 *
 * An entry is two words of key (the first is 0 in an empty way) and some words of data. A set is
 * its sequence number, the keys of all ways, then the data of all ways: of three ways number and
 * keys share a cache line, and a miss touches no other. A cache may have no entries at all.
 *
 * Locking: a lookup takes no lock. It reads the sequence number, then the set, then the number
 * again; every word is an atomic, so that a torn read is seen and not undefined. The number is odd
 * while a writer has the set: to make it odd is to lock the set. Innermost: nothing is taken, and
 * nothing waited for, with a set locked. An insertion that finds its set locked gives up.
 *
 * What was read from memory before an invalidation must not be cached after it (IHI 0070 3.21.1,
 * 3.21.3): an insertion looks at the epoch with the set locked (lane.h), and a removal looks at the
 * set after it announced itself in the epoch. One of them sees the other: all four accesses are
 * sequentially consistent.
 */

#include <weir/base.h>

#define SMMU_CACHE_STRIPES 64u

struct weir_model_smmuv3;

/* Entries that removals would have taken: census.c. `room` of them are noted, all are counted. */
struct smmu_census {
	const uint64_t **entries;
	size_t count, room;
};

struct smmu_cache {
	uint64_t *words;       /* NULL: no entries, every lookup misses */
	uint32_t sets;	       /* a power of two, or 0 */
	uint32_t ways, usable; /* a cache of few entries does not use all its ways */
	uint32_t data, stride; /* in words */
	uint32_t stripe_shift;
	/* Not NULL: removals are counted here, and remove nothing. Under the model's `lock`. */
	struct smmu_census *census;
	/* Bit per stripe of sets: something was inserted since a removal found it empty. */
	uint64_t used __attribute__((aligned(64)));
};

/* At most `entries` of them; of 0 it costs nothing. -WEIR_ENOMEM. */
int weir_model_smmu_cache_init(struct smmu_cache *cache, unsigned int entries, unsigned int ways,
			       unsigned int data);
void weir_model_smmu_cache_fini(struct smmu_cache *cache);

/*
 * Kept if the epoch is still that one and nothing is changing. Replaces what has the same key. May
 * be dropped when others write the set.
 */
void weir_model_smmu_cache_insert(const struct weir_model_smmuv3 *smmu, struct smmu_cache *cache,
				  const uint64_t key[2], const uint64_t *data, uint64_t epoch);
/* Whether an entry is meant. */
typedef bool smmu_cache_match(const uint64_t key[2], const uint64_t *data, const void *opaque);

/* These between weir_model_smmu_change_begin() and change_end(). */
void weir_model_smmu_cache_remove(struct smmu_cache *cache, const uint64_t key[2]);
void weir_model_smmu_cache_remove_key_if(struct smmu_cache *cache, const uint64_t key[2],
					 smmu_cache_match *match, const void *opaque);
void weir_model_smmu_cache_remove_if(struct smmu_cache *cache, smmu_cache_match *match,
				     const void *opaque);

static inline uint32_t smmu_cache_index(const struct smmu_cache *cache, const uint64_t key[2])
{
	uint64_t h = (key[0] ^ key[1] * 0xc2b2ae3d27d4eb4fu) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(h >> 32) & (cache->sets - 1);
}

static inline uint64_t *smmu_cache_set(const struct smmu_cache *cache, uint32_t index)
{
	return cache->words + (size_t)index * cache->stride;
}

static inline uint64_t *smmu_cache_key(uint64_t *set, unsigned int way)
{
	return set + 1 + 2 * (size_t)way;
}

static inline uint64_t *smmu_cache_data(uint64_t *set, unsigned int ways, unsigned int words,
					unsigned int way)
{
	return set + 1 + 2 * (size_t)ways + (size_t)way * words;
}

/* Whether an insertion would replace nothing of another key; a guess while others write the set. */
static inline bool smmu_cache_has_room(const struct smmu_cache *cache, const uint64_t key[2])
{
	uint64_t *set = smmu_cache_set(cache, smmu_cache_index(cache, key));

	for (unsigned int way = 0; way < cache->usable; way++) {
		const uint64_t *entry = smmu_cache_key(set, way);
		uint64_t word = __atomic_load_n(&entry[0], __ATOMIC_RELAXED);

		if (!word ||
		    (word == key[0] && __atomic_load_n(&entry[1], __ATOMIC_RELAXED) == key[1]))
			return true;
	}
	return false;
}

/*
 * Acquire: the sequence number is read again after each of these. Pairs with the release stores of
 * the writer, which follow the store of the odd number.
 */
static inline uint64_t smmu_cache_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline __attribute__((always_inline)) bool
smmu_cache_probe(uint64_t *set, const uint64_t key[2], uint64_t *data, unsigned int ways,
		 unsigned int words)
{
	for (unsigned int way = 0; way < ways; way++) {
		const uint64_t *entry = smmu_cache_key(set, way), *from;

		if (smmu_cache_load(&entry[0]) != key[0] || smmu_cache_load(&entry[1]) != key[1])
			continue;
		from = smmu_cache_data(set, ways, words, way);
		for (unsigned int i = 0; i < words; i++)
			data[i] = smmu_cache_load(&from[i]);
		return true;
	}
	return false;
}

/* A lookup whose loops are unrolled where the cache's own numbers are given as constants. */
static inline __attribute__((always_inline)) bool
smmu_cache_lookup_fixed(const struct smmu_cache *cache, const uint64_t key[2], uint64_t *data,
			unsigned int ways, unsigned int words)
{
	uint64_t *set, seq;

	if (!cache->words)
		return false;
	set = smmu_cache_set(cache, smmu_cache_index(cache, key));
	seq = __atomic_load_n(&set[0], __ATOMIC_ACQUIRE);
	return smmu_cache_probe(set, key, data, ways, words) && !(seq & 1) &&
	       __atomic_load_n(&set[0], __ATOMIC_RELAXED) == seq;
}

/* A few ns when the set is in the CPU's cache. A set that is just being written is a miss. */
static inline bool smmu_cache_lookup(const struct smmu_cache *cache, const uint64_t key[2],
				     uint64_t *data)
{
	return smmu_cache_lookup_fixed(cache, key, data, cache->ways, cache->data);
}

#endif
