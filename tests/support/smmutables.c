/* SPDX-License-Identifier: MIT */

#include "smmutables.h"

#include <string.h>

const struct shape usual2 = { .granule = 12, .first = 0, .bits = 48 };

unsigned int shift_of(const struct shape *shape, int level)
{
	return shape->granule + (unsigned int)(3 - level) * (shape->granule - 3);
}

uint64_t get_entry(struct fixture *f, const struct shape *shape, uint64_t entry)
{
	uint64_t word = *at(f, entry);

	return shape->big_endian ? __builtin_bswap64(word) : word;
}

void put_entry(struct fixture *f, const struct shape *shape, uint64_t entry, uint64_t descriptor)
{
	put(f, entry, shape->big_endian ? __builtin_bswap64(descriptor) : descriptor);
}

uint64_t output_field(const struct shape *shape, uint64_t output)
{
	uint64_t low = output & ((1ull << (shape->ds ? 50 : 48)) - 1);

	if (shape->ds)
		return low | (output >> 50 & 3) << 8;
	return shape->granule == 16 ? low | (output >> 48 & 15) << 12 : low;
}

uint64_t entry_of(struct fixture *f, const struct shape *shape, uint64_t table, uint64_t addr,
		  int level)
{
	const unsigned int stride = shape->granule - 3;
	uint64_t entry;

	addr &= (1ull << shape->bits) - 1;
	entry = table + (addr >> shift_of(shape, shape->first)) * 8;
	for (int l = shape->first; l < level; l++) {
		uint64_t descriptor = get_entry(f, shape, entry);

		if (!(descriptor & WEIR_VMSA_VALID)) {
			descriptor = new_table(f) | WEIR_VMSA_TYPE_TABLE;
			put_entry(f, shape, entry, descriptor);
		}
		table = descriptor & WEIR_GENMASK(47, 0) & ~((1ull << shape->granule) - 1);
		entry = table + (addr >> shift_of(shape, l + 1) & ((1u << stride) - 1)) * 8;
	}
	return entry;
}

uint64_t map_shaped(struct fixture *f, const struct shape *shape, uint64_t table, uint64_t addr,
		    int level, uint64_t output, uint64_t attributes)
{
	uint64_t entry = entry_of(f, shape, table, addr, level);

	put_entry(f, shape, entry,
		  output_field(shape, output) | attributes |
			  (level == 3 ? WEIR_VMSA_TYPE_PAGE : WEIR_VMSA_TYPE_BLOCK));
	return entry;
}

void put_ste1(struct fixture *f, uint32_t sid)
{
	put_ste(f, sid, WEIR_SMMU_STE_CONFIG_S1);
	put(f, ste_of(sid) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING));
}

uint64_t add_stream1(struct fixture *f, uint32_t sid)
{
	uint64_t ttb0 = add_stream(f, sid);

	put_ste1(f, sid);
	return ttb0;
}

void put_ste2(struct fixture *f, uint32_t sid, unsigned int config, uint64_t ttb, uint64_t extra2)
{
	uint64_t words[WEIR_SMMU_STE_WORDS] = {
		WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) |
			(config & 1 ? cd_of(sid) : 0),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING),
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, S2_VMID) | WEIR_SMMU_STE_2_S2AA64 |
			WEIR_SMMU_STE_2_S2R | extra2,
		ttb,
	};

	if (!(extra2 & (WEIR_SMMU_STE_2_S2T0SZ | WEIR_SMMU_STE_2_S2SL0)))
		words[2] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 16) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2);
	if (!(extra2 & WEIR_SMMU_STE_2_S2PS))
		words[2] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44);
	put_words(f, ste_of(sid), words);
}

uint64_t nest(struct fixture *f, uint64_t *ttb)
{
	uint64_t ttb2 = new_table(f);

	*ttb = new_table(f);
	put_cd(f, STREAM, cd_word0(STREAM), *ttb, new_table(f));
	/* MAIR 0: write-back. */
	put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, ttb2, 0);
	for (uint64_t page = 0; page < PAGES - RAM_BASE; page += 0x1000)
		map_shaped(f, &usual2, ttb2, RAM_BASE + page, 3, RAM_BASE + page, LEAF2);
	for (uint64_t page = 0; page < 0x10000; page += 0x1000)
		map_shaped(f, &usual2, ttb2, IPAS + page, 3, PAGES + page, LEAF2);
	return ttb2;
}

enum weir_model_result access_as(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags,
				 struct weir_model_translation *out)
{
	struct weir_model_txn txn = { .stream = sid, .addr = va, .flags = flags };

	return dma_as(f, txn, out);
}

void forget(struct fixture *f)
{
	invalidate_all(f);
	command(f, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

static void start_over(struct fixture *f, const struct weir_model_smmuv3_config *config)
{
	memset(f->ram, 0, RAM_SIZE);
	f->next_table = TABLES;
	become(f, config);
	f->eventq_cons = 0;
	enable(f);
}

void in_all_modes(struct fixture *f, const struct weir_model_smmuv3_config *config,
		  void (*test)(struct fixture *f))
{
	static const struct {
		enum weir_model_smmuv3_caches caches;
		unsigned int tlb_entries;
		bool windows;
	} modes[] = {
		{ WEIR_MODEL_SMMUV3_CACHES_NORMAL, 256, true },
		{ WEIR_MODEL_SMMUV3_CACHES_NORMAL, WEIR_MODEL_SMMUV3_NO_TLB, true },
		{ WEIR_MODEL_SMMUV3_CACHES_NORMAL, WEIR_MODEL_SMMUV3_NO_TLB, false },
		{ WEIR_MODEL_SMMUV3_CACHES_OFF, 256, true },
		{ WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, 256, true },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(modes); i++) {
		struct weir_model_smmuv3_config changed = *config;

		changed.caches = modes[i].caches;
		changed.tlb_entries = modes[i].tlb_entries;
		f->windows = modes[i].windows;
		start_over(f, &changed);
		test(f);
	}
}
