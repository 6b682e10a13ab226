/* SPDX-License-Identifier: MIT */

#include "smmusecure.h"

#include <string.h>

uint64_t s_rd(struct fixture *f, uint64_t offset, unsigned int size)
{
	return weir_model_smmuv3_read_secure(f->smmu, offset, size);
}

void s_wr(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_write_secure(f->smmu, offset, size, value);
}

bool s_pop_event(struct fixture *f, uint64_t *record)
{
	uint32_t prod = (uint32_t)s_rd(f, WEIR_SMMU_S_EVENTQ_PROD, 4);
	uint32_t cons = (uint32_t)(s_rd(f, WEIR_SMMU_S_EVENTQ_CONS, 4) & WEIR_SMMU_Q_INDEX);

	if ((prod - cons) % (2u << EVENTQ_LOG2) == 0)
		return false;
	memcpy(record, at(f, S_EVENTQ + (cons % (1u << EVENTQ_LOG2)) * WEIR_SMMU_EVT_SIZE),
	       WEIR_SMMU_EVT_SIZE);
	cons = (cons + 1) % (2u << EVENTQ_LOG2);
	s_wr(f, WEIR_SMMU_S_EVENTQ_CONS, 4, cons | (prod & (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG));
	return true;
}

void s_expect_no_event(struct fixture *f)
{
	uint64_t record[4];

	assert_false(s_pop_event(f, record));
}

void s_expect_event(struct fixture *f, uint64_t word0, uint64_t word1, uint64_t word2,
		    uint64_t word3)
{
	uint64_t record[4];

	assert_true(s_pop_event(f, record));
	assert_int_equal(record[0], word0);
	assert_int_equal(record[1], word1);
	assert_int_equal(record[2], word2);
	assert_int_equal(record[3], word3);
	s_expect_no_event(f);
}

void s_queue_command(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint32_t prod = (uint32_t)s_rd(f, WEIR_SMMU_S_CMDQ_PROD, 4);
	uint64_t addr = S_CMDQ + (prod % (1u << CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE;

	put(f, addr, word0);
	put(f, addr + 8, word1);
	s_wr(f, WEIR_SMMU_S_CMDQ_PROD, 4, (prod + 1) % (2u << CMDQ_LOG2));
}

void s_command(struct fixture *f, uint64_t word0, uint64_t word1)
{
	s_queue_command(f, word0, word1);
	assert_int_equal(step(f, 10), 1);
}

uint64_t s_cd_of(uint32_t sid)
{
	return S_CDS + sid * WEIR_SMMU_CD_SIZE;
}

uint64_t s_ste_of(uint32_t sid)
{
	return S_STRTAB + sid * WEIR_SMMU_STE_SIZE;
}

void s_put_ste(struct fixture *f, uint32_t sid, unsigned int config, unsigned int strw)
{
	put(f, s_ste_of(sid),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) | s_cd_of(sid));
	put(f, s_ste_of(sid) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, strw) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING));
}

uint64_t s_add_stream(struct fixture *f, uint32_t sid)
{
	uint64_t ttb0 = new_table(f);

	s_put_ste(f, sid, WEIR_SMMU_STE_CONFIG_S1, WEIR_SMMU_STE_STRW_EL1);
	put(f, s_cd_of(sid), cd_word0(sid));
	put(f, s_cd_of(sid) + 8, ttb0);
	put(f, s_cd_of(sid) + 16, new_table(f));
	put(f, s_cd_of(sid) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
	return ttb0;
}

enum weir_model_result s_dma(struct fixture *f, uint32_t sid, uint64_t va, uint16_t flags,
			     struct weir_model_translation *out)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.addr = va,
		.flags = flags | WEIR_MODEL_TXN_SECURE,
		.attributes = WEIR_MODEL_ATTR_PCIE & ~WEIR_MODEL_ATTR_NS,
	};

	*out = (struct weir_model_translation){ 0 };
	return dma_as(f, txn, out);
}

void s_expect(struct fixture *f, uint64_t va, uint64_t pa, bool ns)
{
	struct weir_model_translation out;

	assert_int_equal(s_dma(f, STREAM, va, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, pa);
	assert_int_equal(!!(out.attributes & WEIR_MODEL_ATTR_NS), ns);
}

void s_expect_blocked(struct fixture *f, uint64_t va, uint16_t flags)
{
	struct weir_model_translation out;

	assert_int_equal(s_dma(f, STREAM, va, flags, &out), WEIR_MODEL_BLOCKED);
}

/* ---- Fixture -------------------------------------------------------------------------- */

void have_secure(struct fixture *f)
{
	uint64_t model = WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR0_STALL_MODEL, f->config.idr[0]);

	f->config.s_idr[0] =
		(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_S_IDR0_STALL_MODEL, model) |
			   (f->config.idr[0] & WEIR_SMMU_IDR0_MSI ? WEIR_SMMU_S_IDR0_MSI : 0));
	f->config.s_idr[1] = (uint32_t)(WEIR_SMMU_S_IDR1_SECURE_IMPL |
					WEIR_SMMU_FIELD(WEIR_SMMU_S_IDR1_S_SIDSIZE, 16));
}

static void s_enable(struct fixture *f)
{
	s_wr(f, WEIR_SMMU_S_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	s_wr(f, WEIR_SMMU_S_STRTAB_BASE, 8, S_STRTAB);
	s_wr(f, WEIR_SMMU_S_STRTAB_BASE_CFG, 4, 8);
	s_wr(f, WEIR_SMMU_S_CMDQ_BASE, 8, S_CMDQ | CMDQ_LOG2);
	s_wr(f, WEIR_SMMU_S_EVENTQ_BASE, 8, S_EVENTQ | EVENTQ_LOG2);
	s_wr(f, WEIR_SMMU_S_IRQ_CTRL, 4,
	     WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN | WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN);
	s_wr(f, WEIR_SMMU_S_CR0, 4,
	     WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	step(f, 0);
}

void recreate_secure(struct fixture *f)
{
	recreate(f);
	s_enable(f);
}

int set_up_secure(void **state)
{
	struct fixture *f;

	if (set_up(state))
		return -1;
	f = *state;
	full_config(&f->config);
	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_MSI;
	f->config.idr[5] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_STALL_MAX, 8);
	have_secure(f);
	recreate_secure(f);
	return 0;
}
