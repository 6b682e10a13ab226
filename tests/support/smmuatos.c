/* SPDX-License-Identifier: MIT */

#include "smmuatos.h"

void have(struct fixture *f, enum weir_model_smmuv3_caches caches)
{
	full_config(&f->config);
	f->config.idr[0] |= (uint32_t)(WEIR_SMMU_IDR0_ATOS | WEIR_SMMU_IDR0_VATOS);
	f->config.idr[2] = (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR2_BA_VATOS, 2);
	f->config.caches = caches;
	recreate(f);
	wr(f, WEIR_SMMU_VATOS_SEL, 4, VMID);
}

int set_up_atos(void **state)
{
	if (set_up(state))
		return -1;
	have(*state, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	return 0;
}

uint64_t rd_group(struct fixture *f, uint64_t group, uint64_t reg, unsigned int size)
{
	return group == S_GATOS ? weir_model_smmuv3_read_secure(f->smmu, group + reg, size) :
				  rd(f, group + reg, size);
}

void wr_group(struct fixture *f, uint64_t group, uint64_t reg, unsigned int size, uint64_t value)
{
	if (group == S_GATOS)
		weir_model_smmuv3_write_secure(f->smmu, group + reg, size, value);
	else
		wr(f, group + reg, size, value);
}

void post(struct fixture *f, uint64_t group, uint64_t sid, uint64_t addr)
{
	wr_group(f, group, SID, 8, sid);
	wr_group(f, group, ADDR, 8, addr);
	wr_group(f, group, 0, 4, RUN);
}

uint64_t ask(struct fixture *f, uint64_t group, uint64_t sid, uint64_t addr)
{
	taken(&f->kicks);
	post(f, group, sid, addr);
	assert_int_equal(rd_group(f, group, 0, 4), RUN);
	assert_int_equal(taken(&f->kicks), 1);
	step(f, 0);
	assert_int_equal(rd_group(f, group, 0, 4), 0);
	expect_no_event(f);
	return rd_group(f, group, PAR, 8);
}

uint64_t par(uint64_t addr, unsigned int size, uint64_t attr, uint64_t sh)
{
	return addr | (size > 12 ? 1ull << (size - 1) | WEIR_SMMU_ATOS_PAR_SIZE : 0) | attr << 56 |
	       sh << 8;
}

uint64_t bad(uint64_t code, uint64_t reason, uint64_t faddr)
{
	return faddr | code << 4 | reason << 1 | WEIR_SMMU_ATOS_PAR_FAULT;
}

void expect(struct fixture *f, uint64_t addr, uint64_t answer)
{
	assert_int_equal(ask(f, GATOS, STREAM, addr), answer);
}

void expect_of(struct fixture *f, uint64_t sid, uint64_t addr, uint64_t answer)
{
	assert_int_equal(ask(f, GATOS, sid, addr), answer);
}

uint64_t have_stage1(struct fixture *f, uint32_t sid)
{
	uint64_t table = add_stream(f, sid);

	put(f, cd_of(sid), cd_word0(sid) | WEIR_SMMU_CD_0_S);
	put(f, cd_of(sid) + 24, MAIR);
	put(f, ste_of(sid) + 16, VMID);
	return table;
}

uint64_t have_stage2(struct fixture *f, uint32_t sid, unsigned int config, uint64_t flags)
{
	uint64_t table = new_table(f);

	put_ste(f, sid, config);
	put(f, ste_of(sid) + 16,
	    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 24) | VMID |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | WEIR_SMMU_STE_2_S2R |
		    WEIR_SMMU_STE_2_S2S | flags);
	put(f, ste_of(sid) + 24, table);
	for (uint64_t ipa = RAM_BASE; ipa < RAM_BASE + RAM_SIZE; ipa += 0x200000)
		map_at(f, table, 1, 12, ipa, 2, ipa | BLOCK2);
	return table;
}

uint64_t have_nested(struct fixture *f, uint32_t sid, uint64_t flags, uint64_t *table2)
{
	uint64_t table = have_stage1(f, sid);

	*table2 = have_stage2(f, sid, WEIR_SMMU_STE_CONFIG_NESTED, flags);
	return table;
}

uint64_t map2(struct fixture *f, uint64_t table2, uint64_t ipa, uint64_t descriptor)
{
	return map_at(f, table2, 1, 12, ipa, 3, descriptor);
}

void forget(struct fixture *f)
{
	invalidate_all(f);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}
