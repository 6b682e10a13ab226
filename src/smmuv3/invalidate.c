/* SPDX-License-Identifier: MIT */
/*
 * Executing the plan of a domain (plan.c): the commands for what an unmap took out.
 *
 * What an invalidation must reach (4.4.1 to 4.4.3): the leaves that went, by address; where table
 * pages were taken out also what points to them, that is Leaf = 0, with no hint of a level that
 * could leave some of it out. Where guests translate to the domain's addresses: by address and VMID
 * what is cached of stage 2, then all of the VMID that may have been combined with it, as nobody
 * knows by which of the guest's addresses it is found. Device TLBs come last, when the SMMU has
 * confirmed that it holds nothing any more that it could answer them with (4.5.1).
 */

#include "smmuv3/domain.h"

/* Commands that are sent at a time, with one CMD_SYNC: an unmap is deep on the stack already. */
#define ROOM 2u
/* Leaves that are named one by one, where there are no ranges. */
#define LEAVES 8u

void weir_smmuv3_batch_add(struct weir_smmuv3_batch *batch, uint64_t word0, uint64_t word1)
{
	if (batch->n == WEIR_SMMUV3_BATCH)
		(void)weir_smmuv3_batch_end(batch);
	batch->cmds[batch->n].word[0] = word0;
	batch->cmds[batch->n].word[1] = word1;
	batch->n++;
}

int weir_smmuv3_batch_end(struct weir_smmuv3_batch *batch)
{
	int ret = batch->n ? weir_smmuv3_issue(batch->smmu, batch->cmds, batch->n) : 0;

	batch->n = 0;
	if (!batch->ret)
		batch->ret = ret;
	return batch->ret;
}

/* ---- The SMMU's TLBs ------------------------------------------------------------------------- */

static inline unsigned int depth_shift(const struct weir_smmuv3_plan *plan, unsigned int depth)
{
	return plan->granule_shift + (plan->granule_shift - 3u) * depth;
}

/*
 * The TTL field: the level that all the leaves were of, or 0. With table pages gone only level 3
 * covers all that may have pointed to them. Blocks must be named by aligned addresses.
 */
static unsigned int level_hint(const struct weir_smmuv3_plan *plan,
			       const struct weir_smmuv3_stale *s)
{
	unsigned int depth;

	if (!plan->hints || !s->leaf_depths || s->leaf_depths & (s->leaf_depths - 1))
		return 0;
	depth = (unsigned int)__builtin_ctz(s->leaf_depths);
	if (depth &&
	    (s->tables || !WEIR_IS_ALIGNED(s->iova | s->size, WEIR_BIT(depth_shift(plan, depth)))))
		return 0;
	return 3 - depth;
}

/*
 * Fill in commands for the next of what went, at *done bytes from its beginning, by ranges: each
 * takes 5 bits of the number of pages that are left. Returns how many, at most ROOM.
 */
static unsigned int fill_ranges(const struct weir_smmuv3_plan *plan, uint64_t word0,
				const struct weir_smmuv3_stale *s, uint64_t *done,
				struct weir_smmuv3_cmd *cmds)
{
	unsigned int ttl = level_hint(plan, s), n = 0;
	uint64_t tg = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TG, (plan->granule_shift - 12) / 2 + 1) |
		      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TTL, ttl);

	while (n < ROOM && *done < s->size) {
		uint64_t pages = (s->size - *done) >> plan->granule_shift;
		unsigned int scale = (unsigned int)__builtin_ctzll(pages);
		uint64_t num = pages >> scale & 31;

		cmds[n].word[0] = word0;
		cmds[n].word[1] = ((s->iova + *done) & WEIR_SMMU_CMD_TLBI_1_VA) |
				  (s->tables ? 0 : WEIR_SMMU_CMD_1_LEAF);
		/* One page without a hint is no range: with TG it would be CERROR_ILL (4.4.1.1). */
		if (num > 1 || scale || ttl) {
			cmds[n].word[0] |= WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_NUM, num - 1) |
					   WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_SCALE, scale);
			cmds[n].word[1] |= tg;
		}
		n++;
		*done += num << (scale + plan->granule_shift);
	}
	return n;
}

/* The size of the leaves that are to be named one by one; 0: too many, or not all are reached. */
static uint64_t leaf_size(const struct weir_smmuv3_plan *plan, const struct weir_smmuv3_stale *s)
{
	unsigned int depth;
	uint64_t step;

	if (!s->leaf_depths)
		return 0;
	/* In steps of a block not every table below would be named. */
	depth = (unsigned int)__builtin_ctz(s->leaf_depths);
	if (s->tables && depth)
		return 0;
	step = WEIR_BIT(depth_shift(plan, depth));
	return s->iova + s->size - WEIR_ALIGN_DOWN(s->iova, step) > LEAVES * step ? 0 : step;
}

/* The same by leaves, or all of the ID at once. */
static unsigned int fill_leaves(const struct weir_smmuv3_plan *plan, uint64_t word0, uint64_t by_id,
				const struct weir_smmuv3_stale *s, uint64_t *done,
				struct weir_smmuv3_cmd *cmds)
{
	uint64_t step = leaf_size(plan, s), next;
	unsigned int n = 0;

	if (!step && *done < s->size) {
		cmds[0].word[0] = by_id;
		cmds[0].word[1] = 0;
		*done = s->size;
		return 1;
	}
	while (n < ROOM && *done < s->size) {
		next = WEIR_ALIGN_DOWN(s->iova + *done, step);
		cmds[n].word[0] = word0;
		cmds[n++].word[1] =
			(next & WEIR_SMMU_CMD_TLBI_1_VA) | (s->tables ? 0 : WEIR_SMMU_CMD_1_LEAF);
		*done = next + step - s->iova;
	}
	return n;
}

static __attribute__((noinline)) unsigned int fill(const struct weir_smmuv3_plan *plan,
						   uint64_t word0, uint64_t by_id,
						   const struct weir_smmuv3_stale *s,
						   uint64_t *done, struct weir_smmuv3_cmd *cmds)
{
	if (plan->ranges)
		return fill_ranges(plan, word0, s, done, cmds);
	return fill_leaves(plan, word0, by_id, s, done, cmds);
}

/* All of it, with one CMD_SYNC. */
static __attribute__((noinline)) int invalidate_by(struct weir_smmuv3_domain *d, uint64_t word0,
						   uint64_t by_id,
						   const struct weir_smmuv3_stale *s)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(d->domain.iommu);
	struct weir_smmuv3_cmd cmds[ROOM + 1];
	uint64_t done = 0;
	unsigned int n;
	int ret;

	do {
		n = fill(&d->plan, word0, by_id, s, &done, cmds);
		if (done >= s->size)
			return weir_smmuv3_issue(smmu, cmds, n);
		/* A start that forgets them makes up for them: it finds the PTEs cleared. */
		ret = weir_smmuv3_send(smmu, cmds, n);
	} while (!ret);
	return ret;
}

/* Stage 1 of a guest's VMID, alone and combined (4.4.2.1). */
static __attribute__((noinline)) int invalidate_combined(struct weir_smmuv3 *smmu, uint64_t vmid)
{
	struct weir_smmuv3_cmd cmds[2];

	cmds[0].word[0] = WEIR_SMMU_CMD_TLBI_NH_ALL | vmid;
	cmds[0].word[1] = 0;
	return weir_smmuv3_issue(smmu, cmds, 1);
}

/* ---- Device TLBs ----------------------------------------------------------------------------- */

/* The smallest aligned power of two of pages that covers the range (4.5.1). */
static uint64_t atc_range(const struct weir_smmuv3_stale *s)
{
	uint64_t last = s->iova + (s->size - 1), size = 0;

	while ((s->iova ^ last) >> 12 >> size)
		size++;
	return (s->iova & ~(WEIR_BIT(12 + size) - 1)) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_ATC_INV_1_SIZE, size);
}

/* ---- The plan -------------------------------------------------------------------------------- */

/* The next slot of one kind, from *i on; 0: there is none. */
static uint64_t next_slot(const struct weir_smmuv3_slots *slots, unsigned int *i, uint64_t opcode)
{
	while (*i < slots->count) {
		/* Behind the RMW of weir_epoch_enter(): domain.h. */
		uint64_t word = __atomic_load_n(&slots->slot[(*i)++], __ATOMIC_SEQ_CST);

		if (word && WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, word) == opcode)
			return word;
	}
	return 0;
}

/*
 * By address what is of stage 2; when that is gone for sure, and nothing can be combined with it
 * any more, what was (4.4.3.1, 4.7.3).
 */
static inline __attribute__((always_inline)) int
invalidate_guests(struct weir_smmuv3_domain *d, const struct weir_smmuv3_slots *slots,
		  const struct weir_smmuv3_stale *s)
{
	uint64_t slot, vmid;
	unsigned int i = 0;
	int ret = 0;

	while (!ret && (slot = next_slot(slots, &i, WEIR_SMMU_CMD_TLBI_S2_IPA))) {
		vmid = slot & WEIR_SMMU_CMD_TLBI_0_VMID;
		ret = invalidate_by(d, slot, WEIR_SMMU_CMD_TLBI_S12_VMALL | vmid, s);
		if (!ret)
			ret = invalidate_combined(weir_smmuv3_of(d->domain.iommu), vmid);
	}
	return ret;
}

static __attribute__((noinline)) int invalidate_atcs(struct weir_smmuv3 *smmu,
						     const struct weir_smmuv3_slots *slots,
						     const struct weir_smmuv3_stale *s)
{
	struct weir_smmuv3_cmd cmds[ROOM + 1];
	uint32_t begun = weir_smmuv3_atc_begin(smmu);
	unsigned int i = 0, n = 0;
	uint64_t slot;
	int ret = 0;

	while (!ret && (slot = next_slot(slots, &i, WEIR_SMMU_CMD_ATC_INV))) {
		if (n == ROOM) {
			ret = weir_smmuv3_send(smmu, cmds, n);
			n = 0;
		}
		cmds[n].word[0] = slot;
		cmds[n++].word[1] = atc_range(s);
	}
	if (!ret && n)
		ret = weir_smmuv3_issue(smmu, cmds, n);
	return ret ? ret : weir_smmuv3_atc_end(smmu, begun);
}

/*
 * In parts, each with the stack to itself. Device TLBs last: the SMMU has confirmed what it answers
 * them by.
 */
int weir_smmuv3_invalidate(struct weir_smmuv3_domain *d, const struct weir_smmuv3_stale *s)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(d->domain.iommu);
	unsigned int token = weir_epoch_enter(&smmu->epoch);
	const struct weir_smmuv3_slots *slots;
	int ret;

	slots = __atomic_load_n(&d->plan.slots, __ATOMIC_SEQ_CST);
	ret = invalidate_by(d, d->plan.by_address, d->plan.by_id, s);
	if (WEIR_UNLIKELY(slots) && !ret)
		ret = invalidate_guests(d, slots, s);
	if (WEIR_UNLIKELY(slots) && !ret)
		ret = invalidate_atcs(smmu, slots, s);
	weir_epoch_exit(&smmu->epoch, token);
	return ret;
}
