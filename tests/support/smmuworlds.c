/* SPDX-License-Identifier: MIT */

#include "smmuworlds.h"

void start(struct fixture *f)
{
	recreate(f);
	step(f, 1);
	assert_int_equal(rd(f, WEIR_SMMU_CR0ACK, 4), rd(f, WEIR_SMMU_CR0, 4));
}

void have_worlds(struct fixture *f, enum weir_model_smmuv3_caches caches)
{
	f->config.idr[0] |= (uint32_t)(WEIR_SMMU_IDR0_S2P | WEIR_SMMU_IDR0_HYP |
				       WEIR_SMMU_IDR0_VMID16 | WEIR_SMMU_IDR0_VMW);
	f->config.idr[1] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SSIDSIZE, 8);
	f->config.idr[3] |= (uint32_t)WEIR_SMMU_IDR3_RIL;
	f->config.caches = caches;
	f->config.seed = 1;
	start(f);
}

void set_e2h(struct fixture *f, bool e2h)
{
	uint64_t cr0 = rd(f, WEIR_SMMU_CR0, 4);

	wr(f, WEIR_SMMU_CR0, 4, cr0 & ~WEIR_SMMU_CR0_SMMUEN);
	step(f, 1);
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_RECINVSID | (e2h ? WEIR_SMMU_CR2_E2H : 0));
	wr(f, WEIR_SMMU_CR0, 4, cr0);
	step(f, 1);
	assert_int_equal(rd(f, WEIR_SMMU_CR0ACK, 4), cr0);
}

void command_sync(struct fixture *f, uint64_t word0, uint64_t word1)
{
	command(f, word0, word1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

void forget_all(struct fixture *f)
{
	command(f, WEIR_SMMU_CMD_CFGI_STE_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	command(f, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0);
	command_sync(f, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
}

uint64_t for_vmid(uint64_t word0, uint16_t vmid)
{
	return word0 | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_VMID, vmid);
}

uint64_t add_el1(struct fixture *f, uint32_t sid)
{
	uint64_t table = add_stream(f, sid);

	put(f, ste_of(sid) + 16, WORLDS_VMID);
	return table;
}

uint64_t add_el2(struct fixture *f, uint32_t sid)
{
	uint64_t table = add_stream(f, sid);

	put(f, ste_of(sid) + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2));
	return table;
}

/* 44 bits from level 0. */
static void put_stage2(struct fixture *f, uint32_t sid, unsigned int config, uint16_t vmid,
		       uint64_t table)
{
	put_ste(f, sid, config);
	put(f, ste_of(sid) + 16,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, vmid) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 20) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44) |
		    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_STE_2_S2R);
	put(f, ste_of(sid) + 24, table);
}

uint64_t add_stage2(struct fixture *f, uint32_t sid, uint16_t vmid)
{
	uint64_t table = new_table(f);

	for (uint64_t addr = RAM_BASE; addr < RAM_BASE + RAM_SIZE; addr += 2u << 20)
		map_at(f, table, 0, 12, addr, 2, BLOCK2 | addr);
	put_stage2(f, sid, WEIR_SMMU_STE_CONFIG_S2, vmid, table);
	return table;
}

void nest(struct fixture *f, uint32_t sid, uint64_t stage2, uint16_t vmid)
{
	put_stage2(f, sid, WEIR_SMMU_STE_CONFIG_NESTED, vmid, stage2);
}

uint64_t map2(struct fixture *f, uint64_t stage2, uint64_t ipa, uint64_t pa)
{
	return map_at(f, stage2, 0, 12, ipa, 3, PAGE2 | pa);
}
