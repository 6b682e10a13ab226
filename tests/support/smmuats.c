/* SPDX-License-Identifier: MIT */

#include "smmuats.h"

#include <string.h>

void set_field(uint32_t *reg, uint64_t mask, uint32_t value)
{
	*reg = (*reg & ~(uint32_t)mask) | (uint32_t)WEIR_SMMU_FIELD(mask, value);
}

void have_ats(struct fixture *f)
{
	uint32_t *idr = f->config.idr;

	set_field(&idr[0], WEIR_SMMU_IDR0_S2P, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_ATS, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_ATSRECERR, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_PRI, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_MSI, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_TERM_MODEL, 0);
	set_field(&idr[0], WEIR_SMMU_IDR0_STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_BOTH);
	set_field(&idr[0], WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF_DIRTY);
	set_field(&idr[1], WEIR_SMMU_IDR1_SSIDSIZE, 8);
	set_field(&idr[1], WEIR_SMMU_IDR1_PRIQS, 8);
	set_field(&idr[1], WEIR_SMMU_IDR1_ATTR_PERMS_OVR, 1);
	set_field(&idr[5], WEIR_SMMU_IDR5_STALL_MAX, 4);
	f->config.aidr = 2;
}

uint64_t ste1(unsigned int eats)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, eats) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING);
}

uint64_t add_ats(struct fixture *f, uint32_t sid)
{
	uint64_t table = add_stream(f, sid);

	put(f, ste_of(sid) + 8, ste1(WEIR_SMMU_STE_EATS_FULL));
	return table;
}

uint64_t add_pasids(struct fixture *f, uint32_t sid, unsigned int bits, unsigned int s1dss)
{
	uint64_t cds = new_table(f);

	put(f, ste_of(sid),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, bits) | cds);
	put(f, ste_of(sid) + 8,
	    ste1(WEIR_SMMU_STE_EATS_FULL) | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, s1dss));
	return cds;
}

uint64_t fill_cd(struct fixture *f, uint64_t cds, uint32_t pasid)
{
	uint64_t table = new_table(f), cd = cds + pasid * WEIR_SMMU_CD_SIZE;

	put(f, cd, cd_word0(100 + pasid));
	put(f, cd + 8, table);
	put(f, cd + 16, table);
	return table;
}

uint64_t atc_inv(uint64_t pages_log2, uint64_t addr)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_CMD_ATC_INV_1_SIZE, pages_log2) | addr;
}

void (*on_access)(struct fixture *f);

static enum weir_model_result memory(void *opaque, uint64_t addr, void *buf, uint32_t len,
				     bool write)
{
	struct fixture *f = opaque;
	uint64_t *word, value;

	assert_int_equal(len, sizeof(value));
	assert_int_equal(addr % 8, 0);
	if (on_access)
		on_access(f);
	word = at(f, addr);
	memcpy(&value, buf, sizeof(value));
	if (write)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
	else
		value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	memcpy(buf, &value, sizeof(value));
	return WEIR_MODEL_OK;
}

struct weir_model_atc *add_device(struct fixture *f, enum weir_model_atc_manners manners, bool pri)
{
	struct weir_model_atc_config config = {
		.smmu = f->smmu,
		.stream = STREAM,
		.manners = manners,
		.pri = pri,
		.memory = memory,
		.opaque = f,
	};
	struct weir_model_atc *atc;

	assert_int_equal(weir_model_atc_create(&config, &atc), 0);
	weir_model_smmuv3_set_client(f->smmu, &weir_model_atc_client_ops, atc);
	return atc;
}

struct weir_model_atc_stats stats_of_device(struct weir_model_atc *atc)
{
	struct weir_model_atc_stats stats;

	weir_model_atc_get_stats(atc, &stats);
	return stats;
}
