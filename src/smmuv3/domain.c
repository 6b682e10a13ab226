/* SPDX-License-Identifier: MIT */
/*
 * Domains: a context descriptor, an ASID and page tables each; the blocked and the identity domain
 * are two values of a stream table entry.
 *
 * A domain is of one SMMU, with one ASID and without ATS: its plan for invalidations is therefore
 * made when it is, whoever attaches later. Unmap fills in addresses and sends.
 *
 * What an invalidation must reach (4.4.1, 4.4.2): the leaves that went, by address; where table
 * pages were taken out also what points to them, that is Leaf = 0, with no hint of a level that
 * could leave some of it out.
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

struct plan {
	uint64_t by_va, by_asid; /* word 0 of the commands */
	bool ranges;
	bool hints; /* of a level */
};

struct weir_smmuv3_domain {
	struct weir_domain domain;
	struct weir_pgtable pt;
	struct plan plan;
	uint32_t asid;
	struct weir_smmuv3_memory cd;
	struct weir_smmuv3_domain *next_lost;
};

static inline struct weir_smmuv3 *smmu_of(const struct weir_iommu *iommu)
{
	return WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
}

static inline struct weir_smmuv3_domain *domain_of(struct weir_domain *domain)
{
	return WEIR_CONTAINER_OF(domain, struct weir_smmuv3_domain, domain);
}

/* ---- Invalidation ---------------------------------------------------------------------------- */

static void make_plan(struct weir_smmuv3_domain *d, const struct weir_smmuv3 *smmu)
{
	uint64_t tag = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, d->asid);

	d->plan.by_va = WEIR_SMMU_CMD_TLBI_NH_VA | tag;
	d->plan.by_asid = WEIR_SMMU_CMD_TLBI_NH_ASID | tag;
	d->plan.ranges = smmu->features.range_invalidation;
	/*
	 * Where blocks are split in place another CPU's split may be seen before its invalidation:
	 * a page that goes may still be cached as part of the block, at the block's level.
	 */
	d->plan.hints = !d->pt.replaces_blocks;
}

/* What went, as a range of addresses. */
struct stale {
	uint64_t iova, size;
	unsigned int leaf_depths;
	bool tables;
};

static inline unsigned int depth_shift(unsigned int depth)
{
	return 12 + 9 * depth;
}

/*
 * The TTL field: the level that all the leaves were of, or 0. With table pages gone only level 3
 * covers all that may have pointed to them. Blocks must be named by aligned addresses.
 */
static unsigned int level_hint(const struct stale *s)
{
	unsigned int depth;

	if (!s->leaf_depths || s->leaf_depths & (s->leaf_depths - 1))
		return 0;
	depth = (unsigned int)__builtin_ctz(s->leaf_depths);
	if (depth &&
	    (s->tables || !WEIR_IS_ALIGNED(s->iova | s->size, WEIR_BIT(depth_shift(depth)))))
		return 0;
	return 3 - depth;
}

/* At most 8: each takes 5 bits of the number of pages. */
static unsigned int range_commands(const struct plan *plan, const struct stale *s,
				   struct weir_smmuv3_cmd *cmds)
{
	uint64_t leaf = s->tables ? 0 : WEIR_SMMU_CMD_1_LEAF, pages = s->size >> 12, iova = s->iova;
	unsigned int ttl = plan->hints ? level_hint(s) : 0, n = 0;
	uint64_t tg = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TG, WEIR_SMMU_CMD_TLBI_TG_4K) |
		      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TTL, ttl);

	while (pages) {
		unsigned int scale = (unsigned int)__builtin_ctzll(pages);
		uint64_t num = pages >> scale & 31;

		cmds[n].word[0] = plan->by_va;
		cmds[n].word[1] = (iova & WEIR_SMMU_CMD_TLBI_1_VA) | leaf;
		/* One page without a hint is no range: with TG it would be CERROR_ILL (4.4.1.1). */
		if (num > 1 || scale || ttl) {
			cmds[n].word[0] |= WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_NUM, num - 1) |
					   WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_SCALE, scale);
			cmds[n].word[1] |= tg;
		}
		n++;
		iova += num << (scale + 12);
		pages -= num << scale;
	}
	return n;
}

/* A command for each leaf; 0: too many, or it would not reach all. */
static unsigned int page_commands(const struct plan *plan, const struct stale *s,
				  struct weir_smmuv3_cmd *cmds)
{
	uint64_t leaf = s->tables ? 0 : WEIR_SMMU_CMD_1_LEAF, step, iova;
	unsigned int depth, n;

	if (!s->leaf_depths)
		return 0;
	/* In steps of a block not every table below would be named. */
	depth = (unsigned int)__builtin_ctz(s->leaf_depths);
	if (s->tables && depth)
		return 0;
	step = WEIR_BIT(depth_shift(depth));
	iova = WEIR_ALIGN_DOWN(s->iova, step);
	if (s->iova + s->size - iova > WEIR_SMMUV3_BATCH * step)
		return 0;
	for (n = 0; iova < s->iova + s->size; iova += step, n++) {
		cmds[n].word[0] = plan->by_va;
		cmds[n].word[1] = (iova & WEIR_SMMU_CMD_TLBI_1_VA) | leaf;
	}
	return n;
}

static int invalidate(struct weir_smmuv3_domain *d, const struct stale *s)
{
	struct weir_smmuv3_cmd cmds[WEIR_SMMUV3_BATCH + 1];
	unsigned int n = d->plan.ranges ? range_commands(&d->plan, s, cmds) :
					  page_commands(&d->plan, s, cmds);

	if (!n) {
		cmds[0].word[0] = d->plan.by_asid;
		cmds[0].word[1] = 0;
		n = 1;
	}
	return weir_smmuv3_issue(smmu_of(d->domain.iommu), cmds, n);
}

/* For the page tables, which change leaves: what led there, tables too. */
static void invalidate_block(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	struct weir_smmuv3_domain *d = WEIR_CONTAINER_OF(pt, struct weir_smmuv3_domain, pt);
	struct stale s = { .iova = iova, .size = size, .tables = true };

	(void)invalidate(d, &s);
}

/* ---- What may still be in use ---------------------------------------------------------------- */

/* The SMMU did not confirm: pages that it may still walk are kept until it is disabled. */
static void lose_tables(struct weir_smmuv3 *smmu, uint64_t *tables)
{
	uint64_t *last = tables;
	uintptr_t flags;

	while (*last)
		last = (uint64_t *)(uintptr_t)*last;
	flags = weir_lock_irq(&smmu->lost_lock);
	*last = (uint64_t)(uintptr_t)smmu->lost_tables.tables;
	smmu->lost_tables.tables = tables;
	weir_unlock_irq(&smmu->lost_lock, flags);
}

/*
 * After an unmap: nothing of [iova, iova + size) is cached any more, and the tables are free.
 * false: the SMMU did not confirm it.
 */
static bool finish(struct weir_smmuv3_domain *d, uint64_t iova, uint64_t size,
		   struct weir_pgtable_gather *gather)
{
	struct stale s = { iova, size, gather->leaf_depths, gather->tables != NULL };

	if (!gather->leaf_depths && !gather->tables)
		return true;
	if (WEIR_LIKELY(!invalidate(d, &s))) {
		weir_pgtable_free_tables(&d->pt, gather);
		return true;
	}
	if (gather->tables)
		lose_tables(smmu_of(d->domain.iommu), gather->tables);
	return false;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static int smmuv3_map(struct weir_domain *domain, weir_dma_t iova,
		      const struct weir_extent *extents, unsigned int count, unsigned int prot)
{
	struct weir_smmuv3_domain *d = domain_of(domain);
	struct weir_pgtable_gather gather = { 0 };
	int ret = weir_pgtable_map(&d->pt, (uint64_t)iova, extents, count, prot, &gather);

	/* For a moment the device may have seen what was mapped before the error. */
	if (WEIR_UNLIKELY(ret))
		ret = finish(d, (uint64_t)iova, gather.bytes, &gather) ? ret : -WEIR_EIO;
	return ret;
}

static size_t smmuv3_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	struct weir_smmuv3_domain *d = domain_of(domain);
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes = weir_pgtable_unmap(&d->pt, (uint64_t)iova, size, &gather);

	return WEIR_LIKELY(finish(d, (uint64_t)iova, size, &gather)) ? bytes : 0;
}

static int smmuv3_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys)
{
	return weir_pgtable_lookup(&domain_of(domain)->pt, (uint64_t)iova, phys, NULL);
}

static int init_tables(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	d->pt.format = &weir_pgtable_vmsav8_s1_4k;
	d->pt.cache = &smmu->cache;
	d->pt.plat = smmu->iommu.weir->plat;
	d->pt.coherent = smmu->features.coherent;
	d->pt.replaces_blocks = smmu->features.replaces_blocks;
	d->pt.invalidate = invalidate_block;
	return weir_pgtable_init(&d->pt, WEIR_SMMUV3_VA_BITS, smmu->features.pa_bits);
}

static int smmuv3_domain_alloc(struct weir_iommu *iommu, struct weir_domain **domain)
{
	struct weir_smmuv3 *smmu = smmu_of(iommu);
	struct weir_smmuv3_domain *d;
	int ret;

	if (iommu->weir->mode == WEIR_MODE_OFF)
		return -WEIR_ENODEV;
	d = weir_alloc(iommu->weir, sizeof(*d), 0);
	if (!d)
		return -WEIR_ENOMEM;
	ret = weir_ids_alloc(&smmu->asids, &d->asid);
	if (ret)
		goto free_domain;
	ret = weir_smmuv3_memory_alloc(smmu, &d->cd, WEIR_SMMU_CD_SIZE);
	if (ret)
		goto free_asid;
	ret = init_tables(smmu, d);
	if (ret)
		goto free_cd;
	weir_smmuv3_cd_write(smmu, d->cd.virt, weir_pgtable_root(&d->pt), d->asid);
	d->domain.type = WEIR_DOMAIN_PAGING;
	d->domain.iommu = iommu;
	d->domain.ops = iommu->ops;
	d->domain.page_sizes = iommu->page_sizes;
	d->domain.last = iommu->last;
	make_plan(d, smmu);
	*domain = &d->domain;
	return 0;

free_cd:
	weir_smmuv3_memory_free(smmu, &d->cd);
free_asid:
	weir_ids_free(&smmu->asids, d->asid);
free_domain:
	weir_free(iommu->weir, d);
	/* Out of ASIDs is out of something that others may give back, like memory. */
	return ret == -WEIR_ENOSPC ? -WEIR_ENOMEM : ret;
}

static void release(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	weir_pgtable_fini(&d->pt);
	weir_smmuv3_memory_free(smmu, &d->cd);
	weir_ids_free(&smmu->asids, d->asid);
	weir_free(smmu->iommu.weir, d);
}

static void smmuv3_domain_free(struct weir_domain *domain)
{
	struct weir_smmuv3_domain *d = domain_of(domain);
	struct weir_smmuv3 *smmu = smmu_of(domain->iommu);
	struct weir_smmuv3_cmd cmds[2];

	/*
	 * Nobody is attached, but what was cached is: it must be gone before ASID and pages are
	 * reused.
	 */
	cmds[0].word[0] = d->plan.by_asid;
	cmds[0].word[1] = 0;
	if (!weir_smmuv3_issue(smmu, cmds, 1)) {
		release(smmu, d);
		return;
	}
	d->next_lost = smmu->lost_domains;
	smmu->lost_domains = d;
}

static int smmuv3_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain)
{
	struct weir_smmuv3 *smmu = smmu_of(iommu);
	uint64_t word0 = 0;
	int ret = weir_smmuv3_check_id(iommu, id);

	if (ret)
		return ret;
	if (iommu->weir->mode == WEIR_MODE_OFF)
		return -WEIR_ENODEV;
	if (domain->type == WEIR_DOMAIN_IDENTITY)
		word0 = WEIR_SMMU_STE_0_V |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_BYPASS);
	else if (domain->type == WEIR_DOMAIN_PAGING)
		word0 = WEIR_SMMU_STE_0_V |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
			((uint64_t)domain_of(domain)->cd.phys & WEIR_SMMU_STE_0_S1CONTEXTPTR);
	return weir_smmuv3_strtab_set(smmu, id, word0);
}

const struct weir_iommu_ops weir_smmuv3_ops = {
	.check_id = weir_smmuv3_check_id,
	.domain_alloc = smmuv3_domain_alloc,
	.domain_free = smmuv3_domain_free,
	.attach = smmuv3_attach,
	.map = smmuv3_map,
	.unmap = smmuv3_unmap,
	.iova_to_phys = smmuv3_iova_to_phys,
};

void weir_smmuv3_domains_init(struct weir_smmuv3 *smmu)
{
	smmu->blocked.type = WEIR_DOMAIN_BLOCKED;
	smmu->identity.type = WEIR_DOMAIN_IDENTITY;
	smmu->blocked.iommu = smmu->identity.iommu = &smmu->iommu;
	smmu->blocked.ops = smmu->identity.ops = &weir_smmuv3_ops;
	smmu->identity.last = smmu->iommu.last;
	smmu->iommu.blocked = &smmu->blocked;
	smmu->iommu.identity = &smmu->identity;
}

void weir_smmuv3_domains_fini(struct weir_smmuv3 *smmu)
{
	struct weir_pgtable only_pages = { .cache = &smmu->cache };

	while (smmu->lost_domains) {
		struct weir_smmuv3_domain *d = smmu->lost_domains;

		smmu->lost_domains = d->next_lost;
		release(smmu, d);
	}
	weir_pgtable_free_tables(&only_pages, &smmu->lost_tables);
}
