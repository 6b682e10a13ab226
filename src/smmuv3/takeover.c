/* SPDX-License-Identifier: MIT */
/*
 * Streams that firmware left live: its stream table is read, and entries that can be kept are
 * copied word by word into ours, context descriptors and page tables staying where they are. They
 * do what they did until somebody is attached.
 *
 * STRTAB_BASE may only be written while SMMUEN is 0 (6.3.24), so there is no way from one table to
 * the other without a gap, in which GBPA decides: it aborts. All that takes time is done before.
 *
 * What firmware says is not trusted further than it must be: every structure is bounded by what its
 * register or entry says and by a limit, must lie in memory, and is read once; a copy is judged,
 * and what was judged is used. What firmware's tables map is its own business, but no more than
 * that: its TLB entries must not be taken for those of our domains. So its ASIDs are not handed
 * out; and an entry of which that cannot be said is not kept: stage 2 under the VMID of stage 1
 * alone, EL2's and nested ones, more context descriptors than the limit.
 *
 * Not copied are the hint that neighbours are alike (CONT), as they may not be here, and ATS
 * (EATS), which is over once SMMUEN was 0 (6.3.9.6).
 */

#include "smmuv3/regs.h"

#define ENTRIES_MAX (1u << 20) /* looked at, of the stream table */
#define CDS_MAX (1u << 10)     /* of a stream */

struct walk {
	struct weir_smmuv3 *smmu;
	unsigned int looked_at; /* entries */
	unsigned int bypass, translated, refused;
};

/* Words in memory, if all of them are: NULL. */
static const uint64_t *words_at(struct weir_smmuv3 *smmu, uint64_t phys, uint64_t size)
{
	void *plat = smmu->iommu.weir->plat;
	uint64_t end = (uint64_t)plat_memory_end(plat);

	if (!phys || phys >= end || size > end - phys)
		return NULL;
	return plat_phys_to_virt(plat, (weir_phys_t)phys);
}

static void load(const uint64_t *from, uint64_t *to)
{
	unsigned int i;

	for (i = 0; i < WEIR_SMMU_STE_WORDS; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* ---- Context descriptors --------------------------------------------------------------------- */

static bool claim_asids(struct weir_smmuv3 *smmu, uint64_t phys, unsigned int count)
{
	const uint64_t *cds = words_at(smmu, phys, (uint64_t)count * WEIR_SMMU_CD_SIZE);
	unsigned int i;

	for (i = 0; cds && i < count; i++) {
		uint64_t cd = __atomic_load_n(&cds[i * WEIR_SMMU_CD_WORDS], __ATOMIC_RELAXED);

		/* One that is taken is firmware's, too: none of ours is out yet. */
		if (cd & WEIR_SMMU_CD_0_V)
			(void)weir_ids_reserve(&smmu->asids, (uint32_t)WEIR_SMMU_FIELD_GET(
								     WEIR_SMMU_CD_0_ASID, cd));
	}
	return cds;
}

/* 5.2, S1Fmt: `leaf` descriptors in a table of the second level. */
static bool claim_two_level(struct weir_smmuv3 *smmu, uint64_t phys, unsigned int count,
			    unsigned int leaf)
{
	unsigned int tables = count > leaf ? count / leaf : 1, i;
	const uint64_t *first = words_at(smmu, phys, (uint64_t)tables * WEIR_SMMU_L1CD_SIZE);

	for (i = 0; first && i < tables; i++) {
		uint64_t word = __atomic_load_n(&first[i], __ATOMIC_RELAXED);

		if (word & WEIR_SMMU_L1CD_V &&
		    !claim_asids(smmu, word & WEIR_SMMU_L1CD_L2PTR, count < leaf ? count : leaf))
			return false;
	}
	return first;
}

static bool claim_stage1(struct weir_smmuv3 *smmu, const uint64_t *ste)
{
	uint64_t fmt = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1FMT, ste[0]);
	uint64_t shift = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1CDMAX, ste[0]);
	uint64_t table = ste[0] & WEIR_SMMU_STE_0_S1CONTEXTPTR;

	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_1_STRW, ste[1]) != WEIR_SMMU_STE_STRW_EL1 ||
	    1ull << shift > CDS_MAX)
		return false;
	/* S1Fmt means nothing for one descriptor alone (5.2). */
	if (!shift || fmt == WEIR_SMMU_STE_S1FMT_LINEAR)
		return claim_asids(smmu, table, 1u << shift);
	if (fmt == WEIR_SMMU_STE_S1FMT_4K_L2)
		return claim_two_level(smmu, table, 1u << shift, 64);
	return fmt == WEIR_SMMU_STE_S1FMT_64K_L2 && claim_two_level(smmu, table, 1u << shift, 1024);
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* 0 is that of streams with stage 1 alone. Several streams may have one. */
static bool claim_vmid(struct weir_smmuv3 *smmu, const uint64_t *ste)
{
	uint32_t vmid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_2_S2VMID, ste[2]);

	(void)weir_ids_reserve(&smmu->vmids, vmid);
	return vmid;
}

/* Can the entry be kept? Then its tags are nobody else's. */
static bool claim(struct weir_smmuv3 *smmu, const uint64_t *ste)
{
	switch (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, ste[0])) {
	case WEIR_SMMU_STE_CONFIG_BYPASS:
		return true;
	case WEIR_SMMU_STE_CONFIG_S1:
		return claim_stage1(smmu, ste);
	case WEIR_SMMU_STE_CONFIG_S2:
		return claim_vmid(smmu, ste);
	default:
		return false;
	}
}

static int keep(struct walk *walk, uint32_t id, uint64_t *ste)
{
	struct weir_smmuv3 *smmu = walk->smmu;
	uint64_t *entry;
	unsigned int i;
	int ret;

	/* Invalid, or all is aborted (Config[2] is 0): as all are here. */
	if (!(ste[0] & WEIR_SMMU_STE_0_V) || !(ste[0] & WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, 4)))
		return 0;
	if (weir_smmuv3_check_id(&smmu->iommu, id) || !claim(smmu, ste)) {
		walk->refused++;
		return 0;
	}
	ret = weir_smmuv3_strtab_grow(smmu, id);
	if (ret)
		return ret;
	entry = weir_smmuv3_strtab_find(smmu, id);
	ste[1] &= ~(WEIR_SMMU_STE_1_CONT | WEIR_SMMU_STE_1_EATS);
	/* The SMMU does not know of this table yet: no order, but all of it in memory. */
	for (i = 0; i < WEIR_SMMU_STE_WORDS; i++)
		__atomic_store_n(&entry[i], ste[i], __ATOMIC_RELAXED);
	weir_smmuv3_clean(smmu, entry, WEIR_SMMU_STE_SIZE);
	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_CONFIG, ste[0]) == WEIR_SMMU_STE_CONFIG_BYPASS)
		walk->bypass++;
	else
		walk->translated++;
	return 0;
}

static int keep_all(struct walk *walk, uint32_t first, uint64_t phys, uint64_t count)
{
	const uint64_t *table = words_at(walk->smmu, phys, count * WEIR_SMMU_STE_SIZE);
	uint64_t ste[WEIR_SMMU_STE_WORDS], i;
	int ret = 0;

	if (!table || count > ENTRIES_MAX - walk->looked_at) {
		walk->refused++;
		return 0;
	}
	walk->looked_at += (unsigned int)count;
	for (i = 0; !ret && i < count; i++) {
		load(&table[i * WEIR_SMMU_STE_WORDS], ste);
		ret = keep(walk, first + (uint32_t)i, ste);
	}
	return ret;
}

/* 5.1. A span that is too large leads nowhere (7.3.3). */
static int keep_two_level(struct walk *walk, uint64_t base, unsigned int log2size,
			  unsigned int split)
{
	uint64_t count = log2size > split ? WEIR_BIT(log2size - split) : 1, i;
	const uint64_t *first;
	int ret = 0;

	first = count > ENTRIES_MAX ? NULL :
				      words_at(walk->smmu, base, count * WEIR_SMMU_L1STD_SIZE);
	if (!first) {
		walk->refused++;
		return 0;
	}
	for (i = 0; !ret && i < count; i++) {
		uint64_t word = __atomic_load_n(&first[i], __ATOMIC_RELAXED);
		uint64_t span = WEIR_SMMU_FIELD_GET(WEIR_SMMU_L1STD_SPAN, word), entries;

		if (!span || span > split + 1)
			continue;
		entries = WEIR_BIT(span - 1);
		if (log2size < split && entries > WEIR_BIT(log2size))
			entries = WEIR_BIT(log2size);
		ret = keep_all(walk, (uint32_t)(i << split), word & WEIR_SMMU_L1STD_L2PTR, entries);
	}
	return ret;
}

/* 6.3.24, 6.3.25: what reserved values mean, and what the SMMU makes of the base address. */
static int keep_table(struct walk *walk, const struct weir_smmuv3_firmware *firmware)
{
	uint32_t config = firmware->config;
	unsigned int literal = config & (uint32_t)WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE, align;
	unsigned int split =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, config);
	unsigned int bits = walk->smmu->features.sid_bits;
	unsigned int log2size = literal < bits ? literal : bits;
	bool two_level = walk->smmu->features.two_level &&
			 WEIR_SMMU_FIELD_GET(WEIR_SMMU_STRTAB_BASE_CFG_FMT, config) ==
				 WEIR_SMMU_STRTAB_BASE_CFG_FMT_2LVL;
	uint64_t base = firmware->base & WEIR_SMMU_STRTAB_BASE_ADDR;

	if (split != WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_16K &&
	    split != WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_64K)
		split = WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_4K;
	align = literal + 6;
	if (two_level)
		align = literal > split + 3 ? literal - split + 3 : 6;
	base = align < 52 ? base & ~(WEIR_BIT(align) - 1) : 0;
	if (two_level)
		return keep_two_level(walk, base, log2size, split);
	return keep_all(walk, 0, base, WEIR_BIT(log2size));
}

void weir_smmuv3_firmware_read(struct weir_smmuv3 *smmu, struct weir_smmuv3_firmware *firmware)
{
	uint32_t on = (uint32_t)WEIR_SMMU_CR0_SMMUEN;

	*firmware = (struct weir_smmuv3_firmware){ .is_live = false };
	if (smmu->iommu.weir->options.take_over != WEIR_TAKE_OVER_KEEP ||
	    !(weir_smmuv3_read(smmu, WEIR_SMMU_CR0ACK) & on))
		return;
	firmware->is_live = true;
	firmware->base = weir_smmuv3_read(smmu, WEIR_SMMU_STRTAB_BASE) |
			 (uint64_t)weir_smmuv3_read(smmu, WEIR_SMMU_STRTAB_BASE + 4) << 32;
	firmware->config = weir_smmuv3_read(smmu, WEIR_SMMU_STRTAB_BASE_CFG);
}

int weir_smmuv3_firmware_keep(struct weir_smmuv3 *smmu, const struct weir_smmuv3_firmware *firmware)
{
	struct walk walk = { .smmu = smmu };
	int ret = keep_table(&walk, firmware);

	if (ret)
		return ret;
	weir_log(smmu->iommu.weir, WEIR_LOG_INFO,
		 "%s: of firmware's streams %u bypass and %u translate as before", smmu->iommu.name,
		 walk.bypass, walk.translated);
	if (walk.refused)
		weir_log(smmu->iommu.weir, WEIR_LOG_WARN,
			 "%s: %u streams or tables of firmware's cannot be kept: they are blocked",
			 smmu->iommu.name, walk.refused);
	return 0;
}
