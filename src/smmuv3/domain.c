/* SPDX-License-Identifier: MIT */
/*
 * Domains: an ASID with a context descriptor, or a VMID, and page tables each. The blocked and the
 * identity domain are two values of a stream table entry. domain.h has the rest.
 *
 * Stage 1 where there is one; stage 2 for a domain that guests' translations go through, or if the
 * SMMU has nothing else. Pages are the smallest that it has.
 */

#include "smmuv3/domain.h"

#include "base/lock.h"

#define FLAGS_ALL (WEIR_DOMAIN_NEST_PARENT | WEIR_DOMAIN_DIRTY_TRACKING | WEIR_DOMAIN_PASID)

/* For the page tables, which change leaves: what led there, tables too. */
static void invalidate_block(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	struct weir_smmuv3_domain *d = WEIR_CONTAINER_OF(pt, struct weir_smmuv3_domain, pt);
	struct weir_smmuv3_stale s = { .iova = iova, .size = size, .tables = true };

	(void)weir_smmuv3_invalidate(d, &s);
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
	struct weir_smmuv3_stale s = { iova, size, gather->leaf_depths, gather->tables != NULL };

	if (!gather->leaf_depths && !gather->tables)
		return true;
	if (WEIR_LIKELY(!weir_smmuv3_invalidate(d, &s))) {
		weir_pgtable_free_tables(&d->pt, gather);
		return true;
	}
	if (gather->tables)
		lose_tables(weir_smmuv3_of(d->domain.iommu), gather->tables);
	return false;
}

static void release(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	weir_pgtable_fini(&d->pt);
	weir_smmuv3_plan_fini(smmu, d);
	weir_smmuv3_memory_free(smmu, &d->cd);
	weir_ids_free(d->stage2 ? &smmu->vmids : &smmu->asids, d->tag);
	weir_free(smmu->iommu.weir, d);
}

static void release_lost(struct weir_smmuv3 *smmu, struct weir_pgtable_gather *tables)
{
	struct weir_pgtable only_pages = { .cache = &smmu->cache };
	struct weir_smmuv3_viommu *v;
	struct weir_smmuv3_domain *d;

	while ((d = smmu->lost_domains)) {
		smmu->lost_domains = d->next_lost;
		release(smmu, d);
	}
	while ((v = smmu->lost_viommus)) {
		smmu->lost_viommus = v->next_lost;
		weir_smmuv3_viommu_release(smmu, v);
	}
	weir_pgtable_free_tables(&only_pages, tables);
}

int weir_smmuv3_reclaim(struct weir_smmuv3 *smmu)
{
	struct weir_pgtable_gather tables = { 0 };
	struct weir_smmuv3_cmd cmds[3];
	uintptr_t flags;
	int ret;

	/* What is lost from now on is for the next time. */
	flags = weir_lock_irq(&smmu->lost_lock);
	tables.tables = smmu->lost_tables.tables;
	smmu->lost_tables.tables = NULL;
	weir_unlock_irq(&smmu->lost_lock, flags);
	cmds[0].word[0] = WEIR_SMMU_CMD_CFGI_STE_RANGE;
	cmds[0].word[1] = WEIR_SMMU_FIELD(WEIR_SMMU_CMD_CFGI_1_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	cmds[1].word[0] = WEIR_SMMU_CMD_TLBI_NSNH_ALL;
	cmds[1].word[1] = 0;
	ret = weir_smmuv3_issue(smmu, cmds, 2);
	if (!ret)
		release_lost(smmu, &tables);
	else if (tables.tables)
		lose_tables(smmu, tables.tables);
	return ret;
}

int weir_smmuv3_id_alloc(struct weir_smmuv3 *smmu, struct weir_ids *ids, uint32_t *id)
{
	int ret = weir_ids_alloc(ids, id);

	if (ret != -WEIR_ENOSPC || !(smmu->lost_domains || smmu->lost_viommus) ||
	    weir_smmuv3_reclaim(smmu))
		return ret;
	return weir_ids_alloc(ids, id);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static int smmuv3_map(struct weir_domain *domain, weir_dma_t iova,
		      const struct weir_extent *extents, unsigned int count, unsigned int prot)
{
	struct weir_smmuv3_domain *d = weir_smmuv3_domain_of(domain);
	struct weir_pgtable_gather gather = { 0 };
	int ret = weir_pgtable_map(&d->pt, (uint64_t)iova, extents, count, prot, &gather);

	/* For a moment the device may have seen what was mapped before the error. */
	if (WEIR_UNLIKELY(ret))
		ret = finish(d, (uint64_t)iova, gather.bytes, &gather) ? ret : -WEIR_EIO;
	return ret;
}

static size_t smmuv3_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	struct weir_smmuv3_domain *d = weir_smmuv3_domain_of(domain);
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes = weir_pgtable_unmap(&d->pt, (uint64_t)iova, size, &gather);

	return WEIR_LIKELY(finish(d, (uint64_t)iova, size, &gather)) ? bytes : 0;
}

static int smmuv3_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys)
{
	return weir_pgtable_lookup(&weir_smmuv3_domain_of(domain)->pt, (uint64_t)iova, phys, NULL);
}

/* ---- Dirty tracking -------------------------------------------------------------------------- */

/* What was told, as a range. */
struct dirty {
	weir_domain_dirty_fn *fn;
	void *arg;
	uint64_t first, end;
};

static void widen(void *arg, uint64_t iova, uint64_t size)
{
	struct dirty *dirty = arg;

	dirty->first = dirty->first < iova ? dirty->first : iova;
	dirty->end = dirty->end > iova + size ? dirty->end : iova + size;
	if (dirty->fn)
		dirty->fn(dirty->arg, iova, size);
}

static int smmuv3_read_dirty(struct weir_domain *domain, weir_dma_t iova, uint64_t size, bool clear,
			     weir_domain_dirty_fn *fn, void *arg)
{
	struct weir_smmuv3_domain *d = weir_smmuv3_domain_of(domain);
	struct dirty dirty = { fn, arg, UINT64_MAX, 0 };
	struct weir_pgtable_gather gather = { 0 };

	(void)weir_pgtable_dirty(&d->pt, (uint64_t)iova, size, clear, widen, &dirty, &gather);
	if (!gather.leaf_depths)
		return 0;
	/* Until then a write may go by what is cached, and leave no mark. */
	return finish(d, dirty.first, dirty.end - dirty.first, &gather) ? 0 : -WEIR_EIO;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static const struct weir_pgtable_format *format_of(const struct weir_smmuv3 *smmu, bool stage2)
{
	static const struct weir_pgtable_format *const formats[2][3] = {
		{ &weir_pgtable_vmsav8_s1_4k, &weir_pgtable_vmsav8_s1_16k,
		  &weir_pgtable_vmsav8_s1_64k },
		{ &weir_pgtable_vmsav8_s2_4k, &weir_pgtable_vmsav8_s2_16k,
		  &weir_pgtable_vmsav8_s2_64k },
	};

	return formats[stage2][(smmu->features.granule_shift - 12) / 2];
}

/* Stage 2 takes as input what stage 1 puts out, as far as this is used (3.4). */
static unsigned int input_bits(const struct weir_smmuv3 *smmu, bool stage2)
{
	return stage2 ? smmu->features.pa_bits : smmu->features.va_bits;
}

static int init_tables(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d, bool tracks_dirty)
{
	d->pt.format = format_of(smmu, d->stage2);
	d->pt.cache = &smmu->cache;
	d->pt.plat = smmu->iommu.weir->plat;
	d->pt.coherent = smmu->features.coherent;
	d->pt.replaces_blocks = smmu->features.replaces_blocks;
	d->pt.contiguous = true;
	d->pt.tracks_dirty = tracks_dirty;
	d->pt.forces_attributes = d->stage2 && smmu->features.forces_attributes;
	d->pt.invalidate = invalidate_block;
	return weir_pgtable_init(&d->pt, input_bits(smmu, d->stage2), smmu->features.pa_bits);
}

static int init_cd(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	int ret;

	if (d->stage2)
		return 0;
	ret = weir_smmuv3_memory_alloc(smmu, &d->cd, WEIR_SMMU_CD_SIZE);
	if (ret)
		return ret;
	weir_smmuv3_cd_make(smmu, d, d->cd.virt);
	weir_smmuv3_clean(smmu, d->cd.virt, WEIR_SMMU_CD_SIZE);
	return 0;
}

static int check_flags(const struct weir_smmuv3 *smmu, unsigned int flags)
{
	bool stage2 = flags & WEIR_DOMAIN_NEST_PARENT, pasid = flags & WEIR_DOMAIN_PASID;

	if (smmu->iommu.weir->mode == WEIR_MODE_OFF)
		return -WEIR_ENODEV;
	if (flags & ~FLAGS_ALL || (stage2 && pasid))
		return -WEIR_EOPNOTSUPP;
	/* A guest's stage 1 needs both. */
	if (stage2 && !(smmu->features.stage1 && smmu->features.stage2))
		return -WEIR_EOPNOTSUPP;
	if (pasid && !(smmu->features.stage1 && smmu->features.ssid_bits))
		return -WEIR_EOPNOTSUPP;
	if (flags & WEIR_DOMAIN_DIRTY_TRACKING && !smmu->features.tracks_dirty)
		return -WEIR_EOPNOTSUPP;
	return 0;
}

static void describe(struct weir_smmuv3 *smmu, struct weir_smmuv3_domain *d)
{
	d->domain.type = WEIR_DOMAIN_PAGING;
	d->domain.iommu = &smmu->iommu;
	d->domain.ops = smmu->iommu.ops;
	d->domain.page_sizes = weir_pgtable_page_sizes(&d->pt);
	d->domain.last = (weir_dma_t)(WEIR_BIT(input_bits(smmu, d->stage2)) - 1);
}

static int smmuv3_domain_alloc(struct weir_iommu *iommu, unsigned int flags,
			       struct weir_domain **domain)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(iommu);
	struct weir_smmuv3_domain *d;
	int ret = check_flags(smmu, flags);

	if (ret)
		return ret;
	d = weir_alloc(iommu->weir, sizeof(*d), 0);
	if (!d)
		return -WEIR_ENOMEM;
	d->stage2 = flags & WEIR_DOMAIN_NEST_PARENT || !smmu->features.stage1;
	ret = weir_smmuv3_id_alloc(smmu, d->stage2 ? &smmu->vmids : &smmu->asids, &d->tag);
	if (ret)
		goto free_domain;
	ret = init_tables(smmu, d, flags & WEIR_DOMAIN_DIRTY_TRACKING);
	if (ret)
		goto free_id;
	ret = init_cd(smmu, d);
	if (ret)
		goto free_tables;
	weir_smmuv3_plan_init(smmu, d);
	describe(smmu, d);
	*domain = &d->domain;
	return 0;

free_tables:
	weir_pgtable_fini(&d->pt);
free_id:
	weir_ids_free(d->stage2 ? &smmu->vmids : &smmu->asids, d->tag);
free_domain:
	weir_free(iommu->weir, d);
	/* Out of ASIDs is out of something that others may give back, like memory. */
	return ret == -WEIR_ENOSPC ? -WEIR_ENOMEM : ret;
}

static void smmuv3_domain_free(struct weir_domain *domain)
{
	struct weir_smmuv3_domain *d = weir_smmuv3_domain_of(domain);
	struct weir_smmuv3 *smmu = weir_smmuv3_of(domain->iommu);
	struct weir_smmuv3_cmd cmds[2];

	if (domain->type == WEIR_DOMAIN_NESTED) {
		weir_smmuv3_nested_free(domain);
		return;
	}
	/*
	 * Nobody is attached, but what was cached is: it must be gone before ASID and pages are
	 * reused.
	 */
	cmds[0].word[0] = d->plan.by_id;
	cmds[0].word[1] = 0;
	if (!weir_smmuv3_issue(smmu, cmds, 1)) {
		release(smmu, d);
		return;
	}
	d->next_lost = smmu->lost_domains;
	smmu->lost_domains = d;
}

/* ---- Stage 2 in an entry --------------------------------------------------------------------- */

/* S2SL0 counts from the level that a granule's tables begin with (5.2 S2SL0). */
static uint64_t start_level_field(const struct weir_smmuv3_domain *d)
{
	unsigned int level = weir_pgtable_start_level(&d->pt);

	return (d->plan.granule_shift == 12 ? 2u : 3u) - level;
}

void weir_smmuv3_domain_stage2(struct weir_smmuv3_domain *d, uint32_t vmid, uint64_t *ste)
{
	static const uint8_t tg[] = { WEIR_SMMU_CD_TG0_4K, WEIR_SMMU_CD_TG0_16K,
				      WEIR_SMMU_CD_TG0_64K };
	const struct weir_smmuv3_features *f = &weir_smmuv3_of(d->domain.iommu)->features;
	uint64_t cache = f->coherent ? WEIR_SMMU_CACHE_WB : WEIR_SMMU_CACHE_NC;

	/*
	 * S2R: faults are recorded; S2S = 0: they do not stall. S2PTW: a guest's tables in device
	 * memory are not walked.
	 */
	ste[2] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, vmid) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 64u - f->pa_bits) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, start_level_field(d)) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2IR0, cache) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2OR0, cache) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SH0, WEIR_SMMU_SH_ISH) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, tg[(f->granule_shift - 12) / 2]) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, f->ips) | WEIR_SMMU_STE_2_S2AA64 |
		 WEIR_SMMU_STE_2_S2PTW | WEIR_SMMU_STE_2_S2R;
	if (d->pt.tracks_dirty)
		ste[2] |= WEIR_SMMU_STE_2_S2HD | WEIR_SMMU_STE_2_S2HA;
	ste[3] = (uint64_t)weir_pgtable_root(&d->pt) & WEIR_SMMU_STE_3_S2TTB;
	if (d->pt.forces_attributes)
		ste[1] |= WEIR_SMMU_STE_1_S2FWB;
}

/* ---- All ------------------------------------------------------------------------------------- */

const struct weir_iommu_ops weir_smmuv3_ops = {
	.start = weir_smmuv3_start,
	.check_id = weir_smmuv3_check_id,
	.stream_add = weir_smmuv3_stream_add,
	.stream_remove = weir_smmuv3_stream_remove,
	.domain_alloc = smmuv3_domain_alloc,
	.domain_free = smmuv3_domain_free,
	.attach = weir_smmuv3_attach,
	.attach_pasid = weir_smmuv3_attach_pasid,
	.map = smmuv3_map,
	.unmap = smmuv3_unmap,
	.iova_to_phys = smmuv3_iova_to_phys,
	.read_dirty = smmuv3_read_dirty,
	.viommu_alloc = weir_smmuv3_viommu_alloc,
	.viommu_free = weir_smmuv3_viommu_free,
	.nested_alloc = weir_smmuv3_nested_alloc,
	.viommu_invalidate = weir_smmuv3_viommu_invalidate,
};

void weir_smmuv3_domains_describe(struct weir_smmuv3 *smmu)
{
	const struct weir_pgtable_shape *shape = format_of(smmu, !smmu->features.stage1)->shape;
	unsigned int depth;

	smmu->iommu.last = (weir_dma_t)(WEIR_BIT(input_bits(smmu, !smmu->features.stage1)) - 1);
	smmu->identity.last = smmu->iommu.last;
	smmu->iommu.page_sizes = 0;
	for (depth = 0; depth < WEIR_PGTABLE_LEVELS; depth++)
		if (shape->block_depths >> depth & 1)
			smmu->iommu.page_sizes |=
				WEIR_BIT(shape->page_shift + depth * shape->index_bits);
}

int weir_smmuv3_domains_init(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;
	int ret = weir_epoch_init(weir, &smmu->epoch);

	/* ASID 0 is left to those who forget to set one, VMID 0 to stage 1. */
	if (!ret)
		ret = weir_ids_init(weir, &smmu->asids, 1, (1u << smmu->features.asid_bits) - 1);
	if (!ret)
		ret = weir_ids_init(weir, &smmu->vmids, 1, (1u << smmu->features.vmid_bits) - 1);
	return ret;
}

void weir_smmuv3_domains_fini(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;

	weir_smmuv3_streams_fini(smmu);
	release_lost(smmu, &smmu->lost_tables);
	weir_ids_fini(weir, &smmu->asids);
	weir_ids_fini(weir, &smmu->vmids);
	weir_epoch_fini(weir, &smmu->epoch);
}
