/* SPDX-License-Identifier: MIT */
/*
 * Context descriptors (5.4), and tables of them that streams with PASIDs have (5.3).
 *
 * A domain's own descriptor is complete with V = 1 before any stream table entry leads to it, and
 * never changes while one does: an SMMU cannot have fetched it before (3.21.3.1, second note), so
 * that no CMD_CFGI_CD is ever due. Those of a table change while the SMMU reads them: entry.h.
 *
 * A table of up to 2^10 descriptors (64 KiB) is linear. A larger one has second-level tables of
 * that size, made when the first of their PASIDs is attached; where the SMMU does not know these
 * (IDR0.CD2L) PASIDs have 10 bits.
 */

#include "smmuv3/domain.h"

#define LEAF_BITS 10u
#define LEAF_CDS (1u << LEAF_BITS)

void weir_smmuv3_cd_make(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_domain *d,
			 uint64_t *cd)
{
	static const uint8_t tg0[] = { WEIR_SMMU_CD_TG0_4K, WEIR_SMMU_CD_TG0_16K,
				       WEIR_SMMU_CD_TG0_64K };
	const struct weir_smmuv3_features *f = &smmu->features;
	uint64_t cache = f->coherent ? WEIR_SMMU_CACHE_WB : WEIR_SMMU_CACHE_NC;

	memset(cd, 0, WEIR_SMMU_CD_SIZE);
	/*
	 * TTB1 is off; its fields are then ignored (5.4.1.1). A and R: a fault aborts the access
	 * and is recorded; S = 0: it never stalls. ASET: the ASIDs are no CPU's, so that broadcast
	 * invalidation by one of the same number may leave these entries alone.
	 */
	cd[0] = WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 64u - f->va_bits) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, tg0[(f->granule_shift - 12) / 2]) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IR0, cache) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_OR0, cache) |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, WEIR_SMMU_SH_ISH) | WEIR_SMMU_CD_0_EPD1 |
		WEIR_SMMU_CD_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, f->ips) |
		WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_ASET |
		WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, d->tag);
	/* HA besides HD: alone that is reserved (5.4). Leaves have AF set all the same. */
	if (d->pt.tracks_dirty)
		cd[0] |= WEIR_SMMU_CD_0_HD | WEIR_SMMU_CD_0_HA;
	cd[1] = (uint64_t)weir_pgtable_root(&d->pt) & WEIR_SMMU_CD_1_TTB0;
	cd[3] = WEIR_PGTABLE_VMSAV8_MAIR;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

void weir_smmuv3_cds_fini(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds)
{
	unsigned int i;

	for (i = 0; cds->second && i < 1u << (cds->bits - LEAF_BITS); i++)
		weir_smmuv3_memory_free(smmu, &cds->second[i]);
	weir_free(smmu->iommu.weir, cds->second);
	cds->second = NULL;
	weir_smmuv3_memory_free(smmu, &cds->memory);
}

uint64_t weir_smmuv3_cds_word0(const struct weir_smmuv3_cds *cds)
{
	uint64_t fmt = cds->second ? WEIR_SMMU_STE_S1FMT_64K_L2 : WEIR_SMMU_STE_S1FMT_LINEAR;

	return ((uint64_t)cds->memory.phys & WEIR_SMMU_STE_0_S1CONTEXTPTR) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cds->bits) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, fmt);
}

uint64_t *weir_smmuv3_cds_find(const struct weir_smmuv3_cds *cds, uint32_t ssid)
{
	uint64_t *table = cds->memory.virt;

	if (cds->second) {
		table = cds->second[ssid >> LEAF_BITS].virt;
		ssid &= LEAF_CDS - 1;
	}
	return table ? &table[(size_t)ssid * WEIR_SMMU_CD_WORDS] : NULL;
}

int weir_smmuv3_cds_grow(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds, uint32_t ssid)
{
	uint64_t *first = cds->memory.virt;
	struct weir_smmuv3_memory *second;
	int ret;

	if (weir_smmuv3_cds_find(cds, ssid))
		return 0;
	second = &cds->second[ssid >> LEAF_BITS];
	ret = weir_smmuv3_memory_alloc(smmu, second, LEAF_CDS * WEIR_SMMU_CD_SIZE);
	if (ret)
		return ret;
	/* The table before the descriptor that leads to it. */
	plat_dma_wmb();
	weir_smmuv3_store(smmu, &first[ssid >> LEAF_BITS],
			  ((uint64_t)second->phys & WEIR_SMMU_L1CD_L2PTR) | WEIR_SMMU_L1CD_V);
	return 0;
}

int weir_smmuv3_cds_init(struct weir_smmuv3 *smmu, struct weir_smmuv3_cds *cds, unsigned int bits)
{
	unsigned int first;
	int ret;

	cds->bits = bits;
	cds->second = NULL;
	if (bits <= LEAF_BITS)
		return weir_smmuv3_memory_alloc(smmu, &cds->memory,
						(size_t)WEIR_SMMU_CD_SIZE << bits);
	first = 1u << (bits - LEAF_BITS);
	cds->second = weir_alloc(smmu->iommu.weir, first * sizeof(*cds->second), 0);
	if (!cds->second)
		return -WEIR_ENOMEM;
	ret = weir_smmuv3_memory_alloc(smmu, &cds->memory, (size_t)first * WEIR_SMMU_L1CD_SIZE);
	/* CD 0 is there always. */
	if (!ret)
		ret = weir_smmuv3_cds_grow(smmu, cds, 0);
	if (ret)
		weir_smmuv3_cds_fini(smmu, cds);
	return ret;
}

/* ---- Changes --------------------------------------------------------------------------------- */

struct cd_writer {
	struct weir_smmuv3_entry_writer writer;
	struct weir_smmuv3 *smmu;
	uint64_t *cd;
	uint32_t sid, ssid;
};

static void write_cd(struct weir_smmuv3_entry_writer *writer, unsigned int word, uint64_t value)
{
	struct cd_writer *w = WEIR_CONTAINER_OF(writer, struct cd_writer, writer);

	/* Tables, and what of the entry was written before, come first. */
	plat_dma_wmb();
	weir_smmuv3_store(w->smmu, &w->cd[word], value);
}

/* With Leaf = 0: an L1CD that was not valid may be cached as well (4.3.3). */
static int sync_cd(struct weir_smmuv3_entry_writer *writer)
{
	struct cd_writer *w = WEIR_CONTAINER_OF(writer, struct cd_writer, writer);
	struct weir_smmuv3_cmd cmds[2];

	cmds[0].word[0] = WEIR_SMMU_CMD_CFGI_CD | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, w->sid) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, w->ssid);
	cmds[0].word[1] = 0;
	return weir_smmuv3_issue(w->smmu, cmds, 1);
}

int weir_smmuv3_cd_set(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint32_t ssid,
		       const struct weir_smmuv3_domain *d, bool *unsure)
{
	struct cd_writer w = { .writer = { .used = weir_smmuv3_cd_used,
					   .unsure = *unsure,
					   .write = write_cd,
					   .sync = sync_cd },
			       .smmu = smmu,
			       .cd = weir_smmuv3_cds_find(&stream->cds, ssid),
			       .sid = stream->id,
			       .ssid = ssid };
	uint64_t wanted[WEIR_SMMU_CD_WORDS] = { 0 };
	int ret;

	if (d)
		weir_smmuv3_cd_make(smmu, d, wanted);
	ret = weir_smmuv3_entry_change(&w.writer, w.cd, wanted, NULL);
	if (ret && d) {
		/* Not the old one again: between two domains it had to be invalid anyway. */
		memset(wanted, 0, sizeof(wanted));
		(void)weir_smmuv3_entry_change(&w.writer, w.cd, wanted, NULL);
	}
	*unsure = w.writer.unsure;
	return ret;
}
