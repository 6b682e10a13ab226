/* SPDX-License-Identifier: MIT */

/*
 * What the adversarial caches do at will. An SMMU may fetch and keep whatever is reachable, at any
 * time (3.21.3), and translate ahead. This one looks around each transaction: at the STE of a
 * neighbour, at a CD beside that of the substream, at a page nearby. So what software made
 * reachable and changed without an invalidation is in a cache before a transaction needs it.
 *
 * Bounds are those of the accesses themselves: find_ste() and find_cd() leave no table, and a
 * speculative access records nothing, updates nothing and stalls nothing. There are three of them
 * for a transaction, and none for themselves.
 */

#include "smmuv3/internal.h"

/* How far it looks: 2^n, n below this. STEs and CDs share lines; pages share tables, then not. */
#define NEAR_STREAMS 3u
#define NEAR_SUBSTREAMS 3u
#define NEAR_PAGES 10u

/* One of a sequence that `seed` fixes; threads share it. A Weyl sequence, mixed. */
static uint64_t next_random(struct weir_model_smmuv3 *smmu)
{
	uint64_t n = __atomic_add_fetch(&smmu->seed, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);

	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
	n = (n ^ n >> 27) * 0x94d049bb133111ebu;
	return n ^ n >> 31;
}

/* A number that differs in one of its lowest bits. */
static uint64_t neighbour(uint64_t n, unsigned int bits, uint64_t random)
{
	return n ^ WEIR_BIT(random % bits);
}

/* As whatever reads: instructions are fetched from elsewhere, and nobody writes ahead. */
static struct smmu_access speculation(const struct smmu_access *access)
{
	struct smmu_access ahead = *access;

	ahead.flags &= WEIR_MODEL_TXN_PRIVILEGED | WEIR_MODEL_TXN_SUBSTREAM;
	ahead.silent = true;
	return ahead;
}

static void look_at_stream(const struct smmu_access *access, uint64_t random)
{
	struct smmu_access ahead = speculation(access);
	struct smmu_fault fault;
	struct smmu_ste ste;

	ahead.sid = (uint32_t)neighbour(access->sid, NEAR_STREAMS, random);
	weir_model_smmu_find_ste(&ahead, &ste, &fault);
}

static void look_at_substream(const struct smmu_access *access, const struct smmu_context *context,
			      uint64_t random)
{
	struct smmu_access ahead = speculation(access);
	bool has_ssid = access->flags & WEIR_MODEL_TXN_SUBSTREAM;
	uint32_t ssid = (uint32_t)neighbour(has_ssid ? access->ssid : 0, NEAR_SUBSTREAMS, random);
	struct smmu_fault fault;
	struct smmu_cd cd;

	/* 3.21.3: within the table of a valid STE. */
	if (!context->stage1 || ssid >> context->ste.s1cdmax)
		return;
	ahead.ssid = ssid;
	ahead.flags |= WEIR_MODEL_TXN_SUBSTREAM;
	weir_model_smmu_find_cd(&ahead, &context->ste, ssid, &cd, &fault);
}

static void look_at_page(const struct smmu_access *access, const struct smmu_context *context,
			 uint64_t random)
{
	struct smmu_access ahead = speculation(access);
	struct smmu_translation translation;
	struct smmu_fault fault;

	if (!context->stage1 && !context->stage2)
		return;
	ahead.va = neighbour(access->va >> 12, NEAR_PAGES, random) << 12;
	weir_model_smmu_translate_address(&ahead, context, &translation, &fault);
}

void weir_model_smmu_adversary(const struct smmu_access *access, const struct smmu_context *context)
{
	uint64_t random = next_random(access->smmu);

	look_at_stream(access, random & 0xffff);
	look_at_substream(access, context, random >> 16 & 0xffff);
	look_at_page(access, context, random >> 32 & 0xffff);
}
