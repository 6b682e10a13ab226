/* SPDX-License-Identifier: MIT */
/*
 * The stream table (5.1, 5.2): linear, or in two levels with second-level tables of 256 entries
 * that are made when the first of their streams is attached, and stay.
 *
 * A stream that nobody claimed is blocked, and each access recorded: its entry has V = 0
 * (C_BAD_STE), or there is no second-level table, or it is beyond the table (C_BAD_STREAMID, with
 * CR2.RECINVSID = 1). Config = abort would block it without a word (7.3.7).
 *
 * Entries change in stream.c. What they have in common, in word 1, is there from the beginning: it
 * means nothing without V, and most changes are then one store of word 0.
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

uint64_t *weir_smmuv3_strtab_find(struct weir_smmuv3 *smmu, uint32_t id)
{
	struct weir_smmuv3_strtab *strtab = &smmu->strtab;
	uint64_t *table = strtab->memory.virt;

	if (strtab->second) {
		/* Acquire: an event handler looks here too; pairs with the release there. */
		table = __atomic_load_n(&strtab->second[id >> SPLIT].virt, __ATOMIC_ACQUIRE);
		id &= SECOND_ENTRIES - 1;
	}
	return table ? &table[(size_t)id * WEIR_SMMU_STE_WORDS] : NULL;
}

/* Add the second-level table for `id`, all blocked. */
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
	weir_smmuv3_store(smmu, &first[id >> SPLIT],
			  ((uint64_t)table.phys & WEIR_SMMU_L1STD_L2PTR) |
				  WEIR_SMMU_FIELD(WEIR_SMMU_L1STD_SPAN, SPLIT + 1));
	strtab->second[id >> SPLIT].phys = table.phys;
	strtab->second[id >> SPLIT].order = table.order;
	/* Release: pairs with weir_smmuv3_strtab_find(). */
	__atomic_store_n(&strtab->second[id >> SPLIT].virt, table.virt, __ATOMIC_RELEASE);
	return 0;
}

int weir_smmuv3_strtab_grow(struct weir_smmuv3 *smmu, uint32_t id)
{
	return weir_smmuv3_strtab_find(smmu, id) ? 0 : grow(smmu, id);
}

bool weir_smmuv3_strtab_is_blocked(struct weir_smmuv3 *smmu, uint32_t id)
{
	uint64_t *entry;

	if ((uint64_t)id >> smmu->strtab.log2size)
		return true;
	entry = weir_smmuv3_strtab_find(smmu, id);
	return !entry || !(__atomic_load_n(entry, __ATOMIC_RELAXED) & WEIR_SMMU_STE_0_V);
}
