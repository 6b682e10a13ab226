/* SPDX-License-Identifier: MIT */

/*
 * Shapes of the tables that stream table entries and context descriptors of the SMMUv3 model name.
 * Proves:
 *  - which S2T0SZ goes with which S2SL0, granule, S2DS, OAS, and small tables;
 *  - a first table lies where its size says, 64 bytes apart at least with 52 bits out;
 *  - 64K descriptors hold 52 bits where physical addresses have them, and DS does nothing to them;
 *  - CD.SHx, STE.S2SH0 with DS.
 */

#include "smmuhost.h"

#include <string.h>

#define WORDS WEIR_SMMU_STE_WORDS
/* Of stage 2: readable, writable, Normal, access flag. */
#define LEAF2 (WEIR_VMSA_AF | 0xfcu)
#define ISH WEIR_SMMU_FIELD(WEIR_VMSA_SH, WEIR_VMSA_SH_ISH)

/* ---- The shape of stage 2 (DDI 0487: VTCR_EL2) ------------------------------------------ */

/* IPA sizes that a start level takes: one bit of its own at least, 16 tables of it at most. */
static const struct shape {
	unsigned int tg, sl, least, most; /* sl: S2SL0_2 in bit 2 */
	unsigned int oas;		  /* at least */
	bool stt, ds;
} shapes[] = {
	{ WEIR_SMMU_CD_TG0_4K, 0, 22, 34, 0, false, false },
	{ WEIR_SMMU_CD_TG0_4K, 1, 31, 43, 0, false, false },
	{ WEIR_SMMU_CD_TG0_4K, 2, 40, 52, 44, false, false },
	{ WEIR_SMMU_CD_TG0_4K, 3, 13, 25, 0, true, false },
	{ WEIR_SMMU_CD_TG0_4K, 4, 49, 52, 52, false, true },
	{ WEIR_SMMU_CD_TG0_16K, 0, 15, 29, 0, false, false },
	{ WEIR_SMMU_CD_TG0_16K, 1, 26, 40, 0, false, false },
	{ WEIR_SMMU_CD_TG0_16K, 2, 37, 51, 42, false, false },
	{ WEIR_SMMU_CD_TG0_16K, 3, 48, 52, 52, false, true },
	{ WEIR_SMMU_CD_TG0_64K, 0, 17, 33, 0, false, false },
	{ WEIR_SMMU_CD_TG0_64K, 1, 30, 46, 0, false, false },
	{ WEIR_SMMU_CD_TG0_64K, 2, 43, 52, 44, false, false },
};

struct machine {
	unsigned int oas, ps;
	bool stt, ds;
};

static bool shape_legal(const struct machine *m, unsigned int tg, unsigned int sl, bool ds,
			unsigned int bits)
{
	unsigned int most = tg == WEIR_SMMU_CD_TG0_64K || ds ? 52 : 48;
	unsigned int least = !m->stt ? 25 : tg == WEIR_SMMU_CD_TG0_64K ? 17 : 16;
	bool small;

	if (most > m->oas)
		most = m->oas;
	/* Without DS, S2SL0_2 is not part of it; nor with larger granules. */
	if (!ds || tg != WEIR_SMMU_CD_TG0_4K)
		sl &= 3;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];

		if (s->tg != tg || s->sl != sl)
			continue;
		/* Level 1 of 16K is where DS may begin, whatever the OAS. */
		small = m->oas < s->oas && !(ds && tg == WEIR_SMMU_CD_TG0_16K && sl == 2);
		return bits >= s->least && bits <= s->most && bits >= least && bits <= most &&
		       !small && (m->stt || !s->stt) && (ds || !s->ds);
	}
	return false;
}

/* A stream of stage 2 with 48 bits out, unless `ps` says else. */
static void put_s2(struct fixture *f, unsigned int tg, unsigned int sl, bool ds, unsigned int bits,
		   unsigned int ps, uint64_t table)
{
	const uint64_t words[WORDS] = {
		WEIR_SMMU_STE_0_V |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S2),
		0,
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 64 - bits) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, sl & 3) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, tg) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, ps) | WEIR_SMMU_STE_2_S2AA64 |
			WEIR_SMMU_STE_2_S2R,
		WEIR_SMMU_FIELD(WEIR_SMMU_STE_3_S2DS, ds) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_3_S2SL0_2, sl >> 2) | table,
	};

	put_words(f, ste_of(STREAM), words);
}

static bool ste_is_legal(struct fixture *f)
{
	uint64_t pa, record[4];

	dma(f, STREAM, 0, false, &pa);
	assert_true(pop_event(f, record));
	return WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]) != WEIR_SMMU_EVT_C_BAD_STE;
}

/* Without caches. */
static void implement(struct fixture *f, const struct machine *m)
{
	full_config(&f->config);
	f->config.idr[5] &= ~(uint32_t)WEIR_SMMU_IDR5_OAS;
	f->config.idr[5] |= m->ps;
	if (!m->ds)
		f->config.idr[5] &= ~(uint32_t)WEIR_SMMU_IDR5_DS;
	if (!m->stt)
		f->config.idr[3] &= ~(uint32_t)WEIR_SMMU_IDR3_STT;
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
}

static void shapes_on(struct fixture *f, const struct machine *m)
{
	for (unsigned int i = 0; i < 3u * 8 * 2 * 64; i++) {
		unsigned int tg = i % 3, sl = i / 3 % 8, bits = i / 48 + 1;
		bool ds = i / 24 % 2, effective = ds && m->ds && tg != WEIR_SMMU_CD_TG0_64K;
		bool legal;

		put_s2(f, tg, sl, ds, bits, WEIR_SMMU_PS_48, TABLES);
		legal = ste_is_legal(f);
		if (legal != shape_legal(m, tg, sl, effective, bits))
			fail_msg("OAS %u, STT %d, TG %u, SL %u, DS %d, %u bits: %s", m->oas, m->stt,
				 tg, sl, ds, bits, legal ? "legal" : "ILLEGAL");
	}
}

static void each_shape_of_stage2(void **state)
{
	struct fixture *f = *state;
	static const struct machine machines[] = {
		{ 40, WEIR_SMMU_PS_40, true, false },  { 42, WEIR_SMMU_PS_42, false, false },
		{ 44, WEIR_SMMU_PS_44, false, false }, { 48, WEIR_SMMU_PS_48, true, false },
		{ 52, WEIR_SMMU_PS_52, true, true },   { 48, WEIR_SMMU_PS_48, false, true },
		{ 40, WEIR_SMMU_PS_40, true, true },   { 52, WEIR_SMMU_PS_52, false, false },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(machines); i++) {
		implement(f, &machines[i]);
		shapes_on(f, &machines[i]);
	}
}

/* ---- Tables that are there --------------------------------------------------------------- */

static const struct machine large = { 52, WEIR_SMMU_PS_52, true, true };

/* A stream of stage 1, whose upper half is disabled. */
static void put_s1(struct fixture *f, unsigned int tg0, unsigned int bits, unsigned int ips,
		   bool ds, uint64_t table)
{
	uint64_t word0 = cd_word0(STREAM) & ~(WEIR_SMMU_CD_0_T0SZ | WEIR_SMMU_CD_0_IPS);

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1);
	put_cd(f, STREAM,
	       word0 | WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 64 - bits) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, tg0) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, ips),
	       table, WEIR_SMMU_FIELD(WEIR_SMMU_CD_2_DS, ds));
}

/* 4K, level 2: 25 bits are 16 entries, 128 bytes; 22 bits are 2. */
static void bases_are_aligned(void **state)
{
	struct fixture *f = *state;
	const uint64_t va = 3 << 21;
	uint64_t table;

	implement(f, &large);
	table = new_table(f);
	map_at(f, table, 2, 12, va, 2, BLOCK | WEIR_BIT(30));
	put_s1(f, WEIR_SMMU_CD_TG0_4K, 25, WEIR_SMMU_PS_48, false, table + 0x70);
	expect_read(f, va + 0x123, WEIR_BIT(30) + 0x123);
	memset(at(f, table), 0, 0x1000);
	map_at(f, table, 2, 12, 1 << 21, 2, BLOCK | WEIR_BIT(30));
	map_at(f, table + 0x30, 2, 12, 1 << 21, 2, BLOCK | WEIR_BIT(31));
	put_s1(f, WEIR_SMMU_CD_TG0_4K, 22, WEIR_SMMU_PS_52, false, table + 0x30);
	expect_read(f, 1 << 21, WEIR_BIT(30));
	put_s1(f, WEIR_SMMU_CD_TG0_4K, 22, WEIR_SMMU_PS_48, false, table + 0x30);
	expect_read(f, 1 << 21, WEIR_BIT(31));
}

static void bases_of_stage2_are_aligned(void **state)
{
	struct fixture *f = *state;
	const uint64_t ipa = 3 << 21, leaf = LEAF2 | WEIR_VMSA_TYPE_BLOCK;
	uint64_t table;

	implement(f, &large);
	table = new_table(f);
	map_at(f, table, 2, 12, ipa, 2, leaf | WEIR_BIT(30));
	put_s2(f, WEIR_SMMU_CD_TG0_4K, 0, false, 25, WEIR_SMMU_PS_48, table + 0x70);
	expect_read(f, ipa + 0x123, WEIR_BIT(30) + 0x123);
	memset(at(f, table), 0, 0x1000);
	map_at(f, table, 2, 12, 1 << 21, 2, leaf | WEIR_BIT(30));
	map_at(f, table + 0x30, 2, 12, 1 << 21, 2, leaf | WEIR_BIT(31));
	put_s2(f, WEIR_SMMU_CD_TG0_4K, 0, false, 22, WEIR_SMMU_PS_52, table + 0x30);
	expect_read(f, 1 << 21, WEIR_BIT(30));
	put_s2(f, WEIR_SMMU_CD_TG0_4K, 0, false, 22, WEIR_SMMU_PS_48, table + 0x30);
	expect_read(f, 1 << 21, WEIR_BIT(31));
}

/* Bits [15:12] of a 64K descriptor: [51:48], or nothing. DS: nothing to 64K. */
static void large_descriptors(void **state)
{
	struct fixture *f = *state;
	static const struct machine small = { 48, WEIR_SMMU_PS_48, true, false };
	const uint64_t va = 0x123450000, high = 1ull << 12;

	for (unsigned int i = 0; i < 4; i++) {
		bool wide = i < 2, ds = i % 2;
		uint64_t table = new_table(f), pa = PAGES | (wide ? WEIR_BIT(48) : 0);

		implement(f, wide ? &large : &small);
		put_s1(f, WEIR_SMMU_CD_TG0_64K, 48, WEIR_SMMU_PS_52, ds, table);
		map_at(f, table, 1, 16, va, 3, PAGES | high | ISH | PAGE);
		expect_read(f, va + 0x1230, pa + 0x1230);
		put_s2(f, WEIR_SMMU_CD_TG0_64K, 2, ds, 48, WEIR_SMMU_PS_52, table);
		map_at(f, table, 1, 16, va, 3, PAGES | high | ISH | LEAF2 | WEIR_VMSA_TYPE_PAGE);
		expect_read(f, va + 0x1230, pa + 0x1230);
	}
}

/* With DS a leaf has no SH of its own; 1 is reserved, and behaves as 0. */
static void shareability_with_ds(void **state)
{
	struct fixture *f = *state;
	static const uint8_t sh[] = { 0, 0, 2, 3 };
	struct weir_model_txn txn = { .stream = STREAM, .addr = 0x5000 };
	struct weir_model_translation out;
	uint64_t table;

	implement(f, &large);
	for (unsigned int i = 0; i < 4; i++) {
		table = new_table(f);
		put_s1(f, WEIR_SMMU_CD_TG0_4K, 48, WEIR_SMMU_PS_52, true, table);
		*at(f, cd_of(STREAM)) |= WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, i);
		put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
		map(f, table, txn.addr, PAGES | PAGE);
		assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
		assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, out.attributes), sh[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_shape_of_stage2),	   TEST(bases_are_aligned),
		TEST(bases_of_stage2_are_aligned), TEST(large_descriptors),
		TEST(shareability_with_ds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
