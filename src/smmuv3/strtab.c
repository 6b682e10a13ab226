/* SPDX-License-Identifier: MIT */
/*
 * The stream table (5.1, 5.2): linear, or in two levels with second-level tables of 256 entries
 * that are made when the first of their streams is attached, and stay.
 *
 * A stream that nobody claimed is blocked, and each access recorded: its entry has V = 0
 * (C_BAD_STE), or there is no second-level table, or it is beyond the table (C_BAD_STREAMID, with
 * CR2.RECINVSID = 1). Config = abort would block it without a word (7.3.7).
 *
 * Words 1 to 7 of an entry are the same for every stream and state, and are written before anything
 * leads to the entry; what is not used in a state is ignored there (5.2). So each change of a
 * stream, among blocked, bypass and any domain, is one 64-bit store of word 0, which holds V,
 * Config and S1ContextPtr: the SMMU sees the old or the new entry, never a mixture (3.21.3), and V
 * = 0 is no detour. CMD_CFGI_STE and CMD_SYNC behind it make it effective.
 */

#include "smmuv3/regs.h"

#define SPLIT WEIR_SMMU_STRTAB_BASE_CFG_SPLIT_16K
#define SECOND_ENTRIES (1u << SPLIT)
#define LINEAR_MAX 16 /* 2^16 entries are 4 MiB */
#define FIRST_MAX 17  /* 2^17 descriptors are 1 MiB */

static uint64_t common_word1(const struct weir_smmuv3 *smmu)
{
	uint64_t cache = smmu->features.coherent ? WEIR_SMMU_CACHE_WB : WEIR_SMMU_CACHE_NC;
	uint64_t word = WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1CIR, cache) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1COR, cache) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1CSH, WEIR_SMMU_SH_ISH);

	/* PCIe must not stall; ILLEGAL where stalls are not configurable (5.2). */
	if (smmu->features.stalls)
		word |= WEIR_SMMU_STE_1_S1STALLD;
	if (smmu->features.attributes)
		word |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING);
	return word;
}

static void fill(struct weir_smmuv3 *smmu, uint64_t *entries, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		entries[i * WEIR_SMMU_STE_WORDS + 1] = smmu->strtab.word1;
	weir_smmuv3_clean(smmu, entries, (size_t)count * WEIR_SMMU_STE_SIZE);
}

static int init_two_level(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	unsigned int bits = smmu->features.sid_bits;

	strtab->log2size = bits < SPLIT + FIRST_MAX ? bits : SPLIT + FIRST_MAX;
	strtab->nr_second = 1u << (strtab->log2size - SPLIT);
	strtab->second =
		weir_alloc(smmu->iommu.weir, strtab->nr_second * sizeof(*strtab->second), 0);
	if (!strtab->second)
		return -WEIR_ENOMEM;
	return weir_smmuv3_memory_alloc(smmu, &strtab->memory,
					(size_t)strtab->nr_second * WEIR_SMMU_L1STD_SIZE);
}

static int init_linear(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	unsigned int bits = smmu->features.sid_bits;
	int ret;

	strtab->log2size = bits < LINEAR_MAX ? bits : LINEAR_MAX;
	ret = weir_smmuv3_memory_alloc(smmu, &strtab->memory,
				       (size_t)WEIR_SMMU_STE_SIZE << strtab->log2size);
	if (!ret)
		fill(smmu, strtab->memory.virt, 1u << strtab->log2size);
	return ret;
}

int weir_smmuv3_strtab_init(struct weir_smmuv3 *smmu)
{
	smmu->strtab.word1 = common_word1(smmu);
	/* 6.3.25 recommends a linear table where one second-level table would hold all. */
	if (smmu->features.two_level && smmu->features.sid_bits > SPLIT &&
	    !smmu->iommu.weir->options.linear_stream_table)
		return init_two_level(smmu);
	return init_linear(smmu);
}

void weir_smmuv3_strtab_fini(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	unsigned int i;

	for (i = 0; strtab->second && i < strtab->nr_second; i++)
		weir_smmuv3_memory_free(smmu, &strtab->second[i]);
	weir_free(smmu->iommu.weir, strtab->second);
	weir_smmuv3_memory_free(smmu, &strtab->memory);
}

void weir_smmuv3_strtab_program(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	uint64_t fmt = strtab->second ? WEIR_SMMU_STRTAB_BASE_CFG_FMT_2LVL :
					WEIR_SMMU_STRTAB_BASE_CFG_FMT_LINEAR;
	uint64_t config = WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_FMT, fmt) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_LOG2SIZE, strtab->log2size);

	if (strtab->second)
		config |= WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, SPLIT);
	weir_smmuv3_write64(smmu, WEIR_SMMU_STRTAB_BASE,
			    WEIR_SMMU_STRTAB_BASE_RA |
				    ((uint64_t)strtab->memory.phys & WEIR_SMMU_STRTAB_BASE_ADDR));
	weir_smmuv3_write(smmu, WEIR_SMMU_STRTAB_BASE_CFG, (uint32_t)config);
}

int weir_smmuv3_check_id(struct weir_iommu *iommu, uint32_t id)
{
	struct weir_smmuv3 *smmu = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);

	return (uint64_t)id >> smmu->strtab.log2size ? -WEIR_ERANGE : 0;
}

/* NULL: its second-level table is not there. */
static uint64_t *find(struct weir_smmuv3 *smmu, uint32_t id)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	uint64_t *table = strtab->memory.virt;

	if (strtab->second) {
		/* Acquire: an event handler looks here too; pairs with grow(). */
		table = __atomic_load_n(&strtab->second[id >> SPLIT].virt, __ATOMIC_ACQUIRE);
		id &= SECOND_ENTRIES - 1;
	}
	return table ? &table[(size_t)id * WEIR_SMMU_STE_WORDS] : NULL;
}

/* A word that the SMMU may read at any moment: whole, and in memory before the command about it. */
static void store(struct weir_smmuv3 *smmu, uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	weir_smmuv3_clean(smmu, word, sizeof(*word));
}

/* Add the second-level table for `id`, all blocked. CMD_CFGI_STE with Leaf = 0 is due. */
static int grow(struct weir_smmuv3 *smmu, uint32_t id)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	struct weir_smmuv3_memory table = { 0 };
	uint64_t *first = strtab->memory.virt;
	int ret = weir_smmuv3_memory_alloc(smmu, &table, SECOND_ENTRIES * WEIR_SMMU_STE_SIZE);

	if (ret)
		return ret;
	fill(smmu, table.virt, SECOND_ENTRIES);
	/* The table before the descriptor that leads to it. */
	plat_dma_wmb();
	store(smmu, &first[id >> SPLIT],
	      ((uint64_t)table.phys & WEIR_SMMU_L1STD_L2PTR) |
		      WEIR_SMMU_FIELD(WEIR_SMMU_L1STD_SPAN, SPLIT + 1));
	strtab->second[id >> SPLIT].phys = table.phys;
	strtab->second[id >> SPLIT].order = table.order;
	/* Release: pairs with find(). */
	__atomic_store_n(&strtab->second[id >> SPLIT].virt, table.virt, __ATOMIC_RELEASE);
	return 0;
}

static int invalidate(struct weir_smmuv3 *smmu, uint32_t id, bool leaf)
{
	struct weir_smmuv3_cmd cmds[2];

	cmds[0].word[0] = WEIR_SMMU_CMD_CFGI_STE | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, id);
	cmds[0].word[1] = leaf ? WEIR_SMMU_CMD_1_LEAF : 0;
	return weir_smmuv3_issue(smmu, cmds, 1);
}

int weir_smmuv3_strtab_set(struct weir_smmuv3 *smmu, uint32_t id, uint64_t word0)
{
	uint64_t *entry = find(smmu, id), old;
	bool has_grown = !entry;
	int ret;

	if (!entry && !word0)
		return 0;
	if (!entry) {
		ret = grow(smmu, id);
		if (ret)
			return ret;
		entry = find(smmu, id);
	}
	old = __atomic_load_n(entry, __ATOMIC_RELAXED);
	/* What the new word points to is in memory before the word is. */
	plat_dma_wmb();
	store(smmu, entry, word0);
	ret = invalidate(smmu, id, !has_grown);
	/* Who wanted it blocked does not get it opened again: it is, once the SMMU looks anew. */
	if (!ret || !word0)
		return ret;
	/* The SMMU may have seen the new entry. What it sees next is the old one. */
	store(smmu, entry, old);
	(void)invalidate(smmu, id, false);
	return ret;
}

bool weir_smmuv3_strtab_is_blocked(struct weir_smmuv3 *smmu, uint32_t id)
{
	uint64_t *entry;

	if ((uint64_t)id >> smmu->strtab.log2size)
		return true;
	entry = find(smmu, id);
	return !entry || !(__atomic_load_n(entry, __ATOMIC_RELAXED) & WEIR_SMMU_STE_0_V);
}
