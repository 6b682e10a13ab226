/* SPDX-License-Identifier: MIT */

/*
 * The ways through the SMMUv3 model that lead through no table, and what tells transactions apart.
 * Proves:
 *  - SMMUEN == 0: bypass or abort as GBPA says, its attributes; beyond the OAS an abort; in no case
 *    an event, and nothing in memory is looked at;
 *  - streams that abort say nothing; streams that bypass end at the IAS, and say so;
 *  - answers that are kept are each page's, stream's, substream's, privilege's, direction's and
 *    attributes' own, and die with every change that could matter;
 *  - registers that change the way take effect at once, for what was cached too;
 *  - transactions are counted once, whoever answers them.
 */

#include "smmuhost.h"

#define BEYOND (1ull << 44)
#define ALL_ENABLED (WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)

static enum weir_model_result go(struct fixture *f, uint64_t addr, uint16_t flags,
				 struct weir_model_translation *out)
{
	return dma_as(f, (struct weir_model_txn){ .stream = STREAM, .addr = addr, .flags = flags },
		      out);
}

static void expect_goes(struct fixture *f, uint64_t addr, uint16_t flags, uint64_t pa)
{
	struct weir_model_translation out = { 0 };

	/* Twice: the second time it may be kept. */
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(go(f, addr, flags, &out), WEIR_MODEL_OK);
		assert_int_equal(out.addr, pa);
	}
}

static void expect_ends(struct fixture *f, uint64_t addr, uint16_t flags)
{
	struct weir_model_translation out;

	assert_int_equal(go(f, addr, flags, &out), WEIR_MODEL_BLOCKED);
}

/* ---- SMMUEN == 0 ------------------------------------------------------------------------- */

static void disabled_bypasses(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_stats before = stats_of(f), after;

	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	expect_goes(f, 0x123456789a0ull, 0, 0x123456789a0ull);
	expect_goes(f, BEYOND - 0x1000, WEIR_MODEL_TXN_WRITE, BEYOND - 0x1000);
	expect_ends(f, BEYOND, 0);
	expect_ends(f, ~0ull << 12, WEIR_MODEL_TXN_WRITE);
	expect_no_event(f);
	after = stats_of(f);
	assert_int_equal(after.ste_fetches, before.ste_fetches);
	assert_int_equal(after.events_lost, 0);
}

static void disabled_aborts(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	expect_goes(f, 0x5000, 0, 0x5000);
	wr(f, WEIR_SMMU_GBPA, 4, WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_GBPA_ABORT);
	expect_ends(f, 0x5000, 0);
	expect_no_event(f);
	wr(f, WEIR_SMMU_GBPA, 4, WEIR_SMMU_GBPA_UPDATE);
	expect_goes(f, 0x5000, 0, 0x5000);
}

/* 6.3.14: the incoming attributes, or GBPA's. */
static void disabled_overrides_attributes(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation out;

	f->config.idr[1] |= WEIR_SMMU_IDR1_ATTR_TYPES_OVR | WEIR_SMMU_IDR1_ATTR_PERMS_OVR;
	recreate(f);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_GBPA, 4,
	   WEIR_SMMU_GBPA_UPDATE |
		   WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_SHCFG, WEIR_SMMU_GBPA_SHCFG_INCOMING));
	assert_int_equal(go(f, 0x5000, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes, WEIR_MODEL_ATTR_PCIE);
	/* MemAttr 0b0000: Device-nGnRnE, which is outer shareable whatever SHCFG says. */
	wr(f, WEIR_SMMU_GBPA, 4,
	   WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_GBPA_MTCFG |
		   WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_SHCFG, WEIR_SMMU_SH_ISH) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_PRIV));
	assert_int_equal(go(f, 0x5000, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes & WEIR_MODEL_ATTR_MEMORY, 0);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, out.attributes), WEIR_SMMU_SH_OSH);
	assert_true(out.attributes & WEIR_MODEL_ATTR_PRIVILEGED);
}

/* ---- Streams ----------------------------------------------------------------------------- */

static void stream_aborts(void **state)
{
	struct fixture *f = *state;

	for (unsigned int config = 0; config < WEIR_SMMU_STE_CONFIG_BYPASS; config++) {
		put_ste(f, STREAM, config);
		invalidate_all(f);
		expect_ends(f, 0x5000, 0);
		expect_no_event(f);
	}
}

static void stream_bypasses(void **state)
{
	struct fixture *f = *state;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_goes(f, 0x5678, WEIR_MODEL_TXN_WRITE, 0x5678);
	expect_goes(f, BEYOND - 8, 0, BEYOND - 8);
	expect_no_event(f);
	expect_ends(f, BEYOND, 0);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_ADDR_SIZE, STREAM), READ | CLASS_IN, BEYOND, 0);
}

/* 6.3.9.6: an Update of SMMUEN is complete when it is acknowledged. */
static void enable_takes_effect(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM);

	map(f, table, 0x1000, PAGE | PAGES);
	for (unsigned int i = 0; i < 3; i++) {
		expect_goes(f, 0x1008, 0, PAGES + 8);
		wr(f, WEIR_SMMU_CR0, 4, 0);
		expect_goes(f, 0x1008, 0, 0x1008);
		wr(f, WEIR_SMMU_CR0, 4, ALL_ENABLED);
	}
}

/* ---- What is kept ------------------------------------------------------------------------ */

static void answers_are_each_their_own(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM), other = add_stream(f, STREAM + 1);
	struct weir_model_translation out;
	struct weir_model_txn txn = { .stream = STREAM + 1, .addr = 0x1000 };

	map(f, table, 0x1000, PAGE | WEIR_VMSA_AP_RDONLY | PAGES);
	map(f, table, 0x2000, (PAGE & ~WEIR_VMSA_AP_UNPRIV) | (PAGES + 0x1000));
	map(f, other, 0x1000, PAGE | (PAGES + 0x2000));
	for (unsigned int i = 0; i < 3; i++) {
		expect_goes(f, 0x1010, 0, PAGES + 0x10);
		expect_ends(f, 0x1010, WEIR_MODEL_TXN_WRITE);
		expect_ends(f, 0x2010, 0);
		expect_goes(f, 0x2010, WEIR_MODEL_TXN_PRIVILEGED, PAGES + 0x1010);
		expect_ends(f, 0x1010, WEIR_MODEL_TXN_SUBSTREAM);
		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
		assert_int_equal(out.addr, PAGES + 0x2000);
	}
}

/* Of bypass, whose attributes are those that come in. */
static void attributes_are_each_their_own(void **state)
{
	struct fixture *f = *state;
	static const uint16_t attributes[] = { WEIR_MODEL_ATTR_PCIE, 0x744, 0x4ff };

	put(f, ste_of(STREAM) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING));
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	for (unsigned int i = 0; i < 12; i++) {
		uint16_t wanted = attributes[i % WEIR_ARRAY_SIZE(attributes)];
		struct weir_model_txn txn = {
			.stream = STREAM,
			.addr = 0x1000,
			.attributes = wanted,
		};
		struct weir_model_translation out;

		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
		assert_int_equal(out.attributes & WEIR_MODEL_ATTR_MEMORY,
				 wanted & WEIR_MODEL_ATTR_MEMORY);
	}
}

static void any_invalidation_ends_what_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t entry = map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);

	for (uint64_t i = 1; i < 20; i++) {
		expect_goes(f, 0x1000, 0, PAGES + (i - 1) * 0x1000);
		put(f, entry, PAGE | (PAGES + i * 0x1000));
		command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), 0x1000);
		command(f, WEIR_SMMU_CMD_SYNC, 0);
	}
}

static void each_is_counted_once(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_stats before, after;
	struct weir_model_translation out;

	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	before = stats_of(f);
	for (unsigned int i = 0; i < 3000; i++)
		assert_int_equal(go(f, 0x1000, i % 2 ? WEIR_MODEL_TXN_DETACHED : 0, &out),
				 WEIR_MODEL_OK);
	for (unsigned int i = 0; i < 100; i++)
		expect_ends(f, 0x8000, 0);
	after = stats_of(f);
	assert_int_equal(after.transactions - before.transactions, 3100);
	assert_int_equal(after.blocked - before.blocked, 100);
	assert_int_equal(after.tlb_lookups - before.tlb_lookups, 3100);
	assert_in_range(after.tlb_hits - before.tlb_hits, 2998, 2999);
}

/* A SubstreamID is 20 bits; what is above is none that exists. */
static void impossible_substream(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txn = {
		.stream = STREAM,
		.substream = 1u << 21,
		.addr = 0x1000,
		.flags = WEIR_MODEL_TXN_SUBSTREAM,
	};
	struct weir_model_translation out;

	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	expect_goes(f, 0x1000, 0, PAGES);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_BLOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(disabled_bypasses),
		TEST(disabled_aborts),
		TEST(disabled_overrides_attributes),
		TEST(stream_aborts),
		TEST(stream_bypasses),
		TEST(enable_takes_effect),
		TEST(answers_are_each_their_own),
		TEST(attributes_are_each_their_own),
		TEST(any_invalidation_ends_what_is_kept),
		TEST(each_is_counted_once),
		TEST(impossible_substream),
	};

	return cmocka_run_group_tests_name("SMMUv3 routes", tests, NULL, NULL);
}
