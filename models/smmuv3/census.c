/* SPDX-License-Identifier: MIT */

/*
 * What a command would take out of the caches, and what waits for CMD_SYNC: for tests that leave a
 * command out where it matters.
 *
 * The command is executed as always, with a census in each cache: then removals note what they
 * meet, and remove nothing. `lock` keeps commands, and so all other removals, out meanwhile; set by
 * set a cache's own lock keeps insertions out.
 */

#include "smmuv3/internal.h"

#include <stdlib.h>

static void set_census(struct weir_model_smmuv3 *smmu, struct smmu_census *census)
{
	smmu->tlb.census = smmu->walks.census = smmu->stes.census = smmu->cds.census = census;
}

/* More than there was room for: again, with as much as it takes. `lock` is held. */
static int find(struct weir_model_smmuv3 *smmu, const uint64_t *command, struct smmu_census *census)
{
	const uint64_t **more;

	for (;;) {
		census->count = 0;
		set_census(smmu, census);
		weir_model_smmu_rehearse(&smmu->ns, command);
		set_census(smmu, NULL);
		if (census->count <= census->room)
			return 0;
		more = realloc(census->entries, census->count * sizeof(*more));
		if (!more)
			return -WEIR_ENOMEM;
		census->entries = more;
		census->room = census->count;
	}
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *const *left = a, *const *right = b;

	return (*left > *right) - (*left < *right);
}

static void sort(struct smmu_census *census)
{
	if (census->count)
		qsort(census->entries, census->count, sizeof(*census->entries), by_address);
}

/* Both are sorted. */
static void take_away(struct smmu_census *from, const struct smmu_census *what)
{
	size_t left = 0, k = 0;

	for (size_t i = 0; i < from->count; i++) {
		while (k < what->count && what->entries[k] < from->entries[i])
			k++;
		if (k == what->count || what->entries[k] != from->entries[i])
			from->entries[left++] = from->entries[i];
	}
	from->count = left;
}

static bool is_of(const struct smmu_cache *cache, const uint64_t *entry)
{
	return cache->words && entry >= cache->words &&
	       entry < cache->words + (size_t)cache->sets * cache->stride;
}

static void sum_up(const struct weir_model_smmuv3 *smmu, const struct smmu_census *census,
		   struct weir_model_smmuv3_held *held)
{
	*held = (struct weir_model_smmuv3_held){ 0 };
	for (size_t i = 0; i < census->count; i++) {
		const uint64_t *entry = census->entries[i];

		held->translations += is_of(&smmu->tlb, entry);
		if (is_of(&smmu->walks, entry))
			held->tables[weir_model_smmu_walk_level(entry)]++;
		held->stes += is_of(&smmu->stes, entry);
		held->cds += is_of(&smmu->cds, entry);
	}
}

static int count(struct weir_model_smmuv3 *smmu, const uint64_t *command,
		 const uint64_t (*others)[2], unsigned int nr_others, struct smmu_census *own,
		 struct smmu_census *other)
{
	int ret = find(smmu, command, own);

	sort(own);
	for (unsigned int i = 0; !ret && own->count && i < nr_others; i++) {
		ret = find(smmu, others[i], other);
		sort(other);
		if (!ret)
			take_away(own, other);
	}
	return ret;
}

int weir_model_smmuv3_would_remove(struct weir_model_smmuv3 *smmu, const uint64_t command[2],
				   const uint64_t (*others)[2], unsigned int nr_others,
				   struct weir_model_smmuv3_held *held)
{
	struct smmu_census own = { 0 }, other = { 0 };
	int ret;

	pthread_mutex_lock(&smmu->lock);
	ret = count(smmu, command, others, nr_others, &own, &other);
	if (!ret)
		sum_up(smmu, &own, held);
	pthread_mutex_unlock(&smmu->lock);
	free(own.entries);
	free(other.entries);
	return ret;
}

unsigned int weir_model_smmuv3_put_off(struct weir_model_smmuv3 *smmu, uint64_t (*commands)[2],
				       unsigned int max)
{
	const struct smmu_put_off *late = &smmu->ns.put_off;
	unsigned int n;

	pthread_mutex_lock(&smmu->lock);
	n = late->count;
	for (unsigned int i = 0; i < n && i < max; i++)
		memcpy(commands[i], late->commands[i].command, sizeof(commands[i]));
	pthread_mutex_unlock(&smmu->lock);
	return n;
}
