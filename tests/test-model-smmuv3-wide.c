/* SPDX-License-Identifier: MIT */

/*
 * Sizes of addresses in the SMMUv3 model. Proves, with caches of all kinds:
 *  - 52 bits in and out with 64K, and with 4K and 16K where DS is set: levels, blocks, the bits of
 *    descriptors, the Shareability that comes from elsewhere; at either stage, concatenated too;
 *  - that without them the same bits of a descriptor say nothing;
 *  - each output size (IPS, S2PS): what is beyond faults, of a table, of a page and of a block, and
 *    what is not does not; sizes beyond the implementation's count as that;
 *  - small tables, to the smallest.
 */

#include "smmutables.h"

#include <string.h>

static void expect_fault_of(struct fixture *f, uint64_t va, uint64_t type, uint64_t word1,
			    uint64_t word3)
{
	expect_blocked(f, va);
	expect_event(f, EVENT0(type, STREAM), RNW | word1, va, word3);
}

static void over_modes(void **state, void (*test)(struct fixture *f))
{
	struct weir_model_smmuv3_config config = { 0 };

	full_config(&config);
	in_all_modes(*state, &config, test);
}

#define MODES(name)                                                                                \
	static void name##_in_all_modes(void **state)                                              \
	{                                                                                          \
		over_modes(state, name);                                                           \
	}
#define CASE(name) TEST_DISABLED(name##_in_all_modes)

static void fresh_tables(struct fixture *f)
{
	f->next_table = TABLES;
	memset(at(f, TABLES), 0, PAGES - TABLES);
}

/* STREAM in stage 1, the lower half of this shape, with an output size. */
static uint64_t one_stage(struct fixture *f, const struct shape *shape, unsigned int ips)
{
	const uint64_t tg0 = shape->granule == 12 ? WEIR_SMMU_CD_TG0_4K :
			     shape->granule == 14 ? WEIR_SMMU_CD_TG0_16K :
						    WEIR_SMMU_CD_TG0_64K;
	uint64_t ttb;

	fresh_tables(f);
	ttb = new_table(f);
	put_ste1(f, STREAM);
	put_cd(f, STREAM,
	       (cd_word0(STREAM) & ~(WEIR_SMMU_CD_0_T0SZ | WEIR_SMMU_CD_0_IPS)) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 64 - shape->bits) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, tg0) |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, ips) | WEIR_SMMU_CD_0_EPD1 |
		       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, WEIR_VMSA_SH_OSH),
	       ttb, shape->ds ? WEIR_SMMU_CD_2_DS : 0);
	put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
	forget(f);
	return ttb;
}

static uint64_t both_stages_tg(unsigned int granule)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, granule == 12 ? 0 : granule == 14 ? 2 : 1);
}

/* STREAM in stage 2; sl0 with SL2 as its third bit. */
static uint64_t two_stage(struct fixture *f, const struct shape *shape, unsigned int sl0,
			  unsigned int ps)
{
	uint64_t ttb;

	fresh_tables(f);
	ttb = new_table(f);
	f->next_table += 0xf0000; /* up to 16 tables of 64K */
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_S2,
		 ttb | (shape->ds ? WEIR_SMMU_STE_3_S2DS : 0) |
			 (sl0 & 4 ? WEIR_SMMU_STE_3_S2SL0_2 : 0),
		 both_stages_tg(shape->granule) |
			 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 64 - shape->bits) |
			 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, sl0 & 3) |
			 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SH0, WEIR_VMSA_SH_OSH));
	*at(f, ste_of(STREAM) + 16) &= ~WEIR_SMMU_STE_2_S2PS;
	*at(f, ste_of(STREAM) + 16) |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, ps);
	forget(f);
	return ttb;
}

static void expect_output(struct fixture *f, uint64_t va, uint64_t pa, unsigned int sh)
{
	struct weir_model_translation out;

	assert_int_equal(access_as(f, STREAM, va, 0, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, pa);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_MODEL_ATTR_SH, out.attributes), sh);
	expect_no_event(f);
}

/* ---- 52 bits -------------------------------------------------------------------------- */

/* Of each: the levels that have leaves. */
static const struct {
	struct shape shape;
	int top;	  /* the highest of them */
	unsigned int sl0; /* of stage 2 */
} wide[] = {
	{ { 12, -1, 52, true, false }, 0, 4 }, { { 12, -1, 49, true, false }, 0, 4 },
	{ { 14, 0, 52, true, false }, 1, 3 },  { { 14, 0, 48, true, false }, 1, 3 },
	{ { 16, 1, 52, false, false }, 1, 2 }, { { 16, 1, 50, false, false }, 1, 2 },
	{ { 12, 0, 48, true, false }, 0, 2 },
};

static void every_leaf_of_52_bits(struct fixture *f)
{
	for (size_t i = 0; i < 2 * WEIR_ARRAY_SIZE(wide); i++) {
		const struct shape *shape = &wide[i / 2].shape;
		const uint64_t leaf = i % 2 ? LEAF2 : LEAF | WEIR_VMSA_SH;

		for (int level = shape->first; level <= 3; level++) {
			unsigned int shift = shift_of(shape, level);
			uint64_t out = 0xd555555555555ull >> shift << shift;
			uint64_t va = (1ull << shape->bits) - (1ull << shift);
			uint64_t ttb =
				i % 2 ? two_stage(f, shape, wide[i / 2].sl0, WEIR_SMMU_PS_52) :
					one_stage(f, shape, WEIR_SMMU_PS_52);
			/* In the layout of DS the field is full of address. */
			uint64_t attributes = shape->ds ? leaf & ~WEIR_VMSA_SH : leaf;

			map_shaped(f, shape, ttb, va, level, out, attributes);
			if (level < wide[i / 2].top)
				expect_fault_of(f, va, WEIR_SMMU_EVT_F_TRANSLATION,
						CLASS_IN | (i % 2 ? S2_BIT : 0), i % 2 ? va : 0);
			else
				expect_output(f, va + 0x9a8, out + 0x9a8,
					      shape->ds ? WEIR_VMSA_SH_OSH : WEIR_VMSA_SH_ISH);
			if (va)
				expect_fault_of(f, 0, WEIR_SMMU_EVT_F_TRANSLATION,
						CLASS_IN | (i % 2 ? S2_BIT : 0), 0);
		}
	}
}
MODES(every_leaf_of_52_bits)

/* Above: the range; and the upper half, of which the bits above are ones. */
static void range_of_52_bits(struct fixture *f)
{
	const struct shape shape = { 16, 1, 52, false, false };
	uint64_t ttb = one_stage(f, &shape, WEIR_SMMU_PS_52), high = 0xfff7000000010000ull;

	map_shaped(f, &shape, ttb, 1ull << 51, 3, PAGES, LEAF);
	expect_read(f, 1ull << 51, PAGES);
	expect_fault_of(f, 1ull << 52 | 1ull << 51, WEIR_SMMU_EVT_F_TRANSLATION, CLASS_IN, 0);
	put(f, cd_of(STREAM),
	    (*at(f, cd_of(STREAM)) & ~(WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_CD_0_T1SZ)) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, 12) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG1, WEIR_SMMU_CD_TG1_64K));
	put(f, cd_of(STREAM) + 16, ttb);
	map_shaped(f, &shape, ttb, high, 3, PAGES + 0x10000, LEAF);
	forget(f);
	expect_read(f, high + 0x40, PAGES + 0x10040);
	expect_fault_of(f, high & ~(1ull << 52), WEIR_SMMU_EVT_F_TRANSLATION, CLASS_IN, 0);
}
MODES(range_of_52_bits)

/* A table there is out of RAM: the fetch tells that all bits of its address were taken. */
static void tables_of_52_bits(struct fixture *f)
{
	const uint64_t table = 0xd555555550000ull;

	for (size_t i = 0; i < 2 * WEIR_ARRAY_SIZE(wide); i++) {
		const struct shape *shape = &wide[i / 2].shape;
		uint64_t ttb = i % 2 ? two_stage(f, shape, wide[i / 2].sl0, WEIR_SMMU_PS_52) :
				       one_stage(f, shape, WEIR_SMMU_PS_52);

		put(f, ttb, output_field(shape, table) | WEIR_VMSA_TYPE_TABLE);
		expect_fault_of(f, 0x123, WEIR_SMMU_EVT_F_WALK_EABT,
				i % 2 ? S2_BIT | CLASS_IN : CLASS_TT, table);
	}
}
MODES(tables_of_52_bits)

/* Stage 2 of concatenated tables that resolve bits which one table has not. */
static void concatenated_52_bits(struct fixture *f)
{
	static const struct {
		struct shape shape;
		unsigned int sl0;
	} cases[] = {
		{ { 12, 0, 52, true, false }, 2 },  /* 16 tables */
		{ { 14, 1, 51, true, false }, 2 },  /* 16 */
		{ { 14, 1, 48, true, false }, 2 },  /* 2 */
		{ { 16, 2, 46, false, false }, 1 }, /* 16 */
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		const struct shape *shape = &cases[i].shape;
		uint64_t last = (1ull << shape->bits) - (1ull << shape->granule);
		uint64_t ttb = two_stage(f, shape, cases[i].sl0, WEIR_SMMU_PS_52);

		map_shaped(f, shape, ttb, last, 3, PAGES, LEAF2 & ~WEIR_VMSA_SH);
		expect_read(f, last + 0x70, PAGES + 0x70);
		expect_fault_of(f, 0, WEIR_SMMU_EVT_F_TRANSLATION, S2_BIT | CLASS_IN, 0);
	}
}
MODES(concatenated_52_bits)

/* ---- 48 bits -------------------------------------------------------------------------- */

/* What would be address says nothing: 64K of an implementation of 44 bits, and 4K without DS. */
static void narrow_descriptors(struct fixture *f)
{
	const struct shape of_64k = { 16, 1, 48, false, false },
			   of_4k = { 12, 0, 48, false, false };
	uint64_t ttb = one_stage(f, &of_4k, WEIR_SMMU_PS_52);

	map_shaped(f, &of_4k, ttb, 0x1000, 3, PAGES, LEAF | WEIR_VMSA_SH | 3ull << 48);
	expect_output(f, 0x1000, PAGES, WEIR_VMSA_SH_ISH);
	f->config.idr[5] = (f->config.idr[5] & ~(uint32_t)(WEIR_SMMU_IDR5_OAS | WEIR_SMMU_IDR5_DS |
							   WEIR_SMMU_IDR5_VAX)) |
			   WEIR_SMMU_PS_44;
	recreate(f);
	ttb = one_stage(f, &of_64k, WEIR_SMMU_PS_44);
	map_shaped(f, &of_64k, ttb, 0x10000, 3, PAGES, LEAF | WEIR_VMSA_ADDR_64K_HIGH);
	expect_read(f, 0x10000, PAGES);
	/* Nor is there a block of 4T. */
	put_entry(f, &of_64k, ttb, LEAF | WEIR_VMSA_TYPE_BLOCK);
	forget(f);
	expect_fault_of(f, 0x20000, WEIR_SMMU_EVT_F_TRANSLATION, CLASS_IN, 0);
}
MODES(narrow_descriptors)

/* ---- Output sizes --------------------------------------------------------------------- */

static const unsigned int sizes[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

/* One bit beyond the size, in a table, a block and a page; then the highest that there is. */
static void one_size(struct fixture *f, const struct shape *shape, uint64_t ttb, unsigned int bits,
		     bool stage2)
{
	uint64_t leaf = stage2 ? LEAF2 : LEAF, beyond = 1ull << bits, inside = 1ull << (bits - 1);
	uint64_t class = CLASS_IN | (stage2 ? S2_BIT : 0), kept;
	unsigned int block = shift_of(shape, 2);

	if (shape->ds)
		leaf &= ~WEIR_VMSA_SH;
	map_shaped(f, shape, ttb, 0, 3, inside, leaf);
	map_shaped(f, shape, ttb, 1ull << block, 2, inside, leaf);
	forget(f);
	expect_read(f, 0x30, inside + 0x30);
	expect_read(f, (1ull << block) + 0x30, inside + 0x30);
	if (bits == 52)
		return;
	map_shaped(f, shape, ttb, 0, 3, beyond, leaf);
	map_shaped(f, shape, ttb, 1ull << block, 2, beyond, leaf);
	forget(f);
	expect_fault_of(f, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, class, 0);
	expect_fault_of(f, 1ull << block, WEIR_SMMU_EVT_F_ADDR_SIZE, class,
			stage2 ? 1ull << block : 0);
	for (int level = shape->first; level < 3; level++) {
		uint64_t entry = entry_of(f, shape, ttb, 0, level);

		kept = get_entry(f, shape, entry);
		put_entry(f, shape, entry, kept | output_field(shape, beyond));
		forget(f);
		expect_fault_of(f, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, class, 0);
		put_entry(f, shape, entry, kept);
	}
}

static void output_sizes(struct fixture *f)
{
	static const struct shape shapes[] = {
		{ 12, 0, 48, false, false },
		{ 12, 0, 48, true, false },
		{ 16, 1, 48, false, false },
	};

	for (unsigned int ps = 0; ps < 2 * WEIR_ARRAY_SIZE(sizes) * WEIR_ARRAY_SIZE(shapes); ps++) {
		bool stage2 = ps % 2;
		const struct shape *shape = &shapes[ps / 2 % WEIR_ARRAY_SIZE(shapes)];
		unsigned int encoded = ps / 2 / (unsigned int)WEIR_ARRAY_SIZE(shapes);
		unsigned int bits = sizes[encoded], first = shape->granule == 16 ? 2 : 2;
		uint64_t ttb;

		/* What a descriptor cannot hold is not beyond. */
		if (bits > 48 && !shape->ds && shape->granule == 12)
			continue;
		if (bits == 48 && !shape->ds && shape->granule == 12)
			continue;
		ttb = stage2 ? two_stage(f, shape, first, encoded) : one_stage(f, shape, encoded);
		one_size(f, shape, ttb, bits, stage2);
	}
}
MODES(output_sizes)

/* 5.2 S2PS, 5.4 IPS: capped to the OAS. */
static void capped_sizes(struct fixture *f)
{
	f->config.idr[5] = (f->config.idr[5] & ~(uint32_t)(WEIR_SMMU_IDR5_OAS | WEIR_SMMU_IDR5_DS |
							   WEIR_SMMU_IDR5_VAX)) |
			   WEIR_SMMU_PS_40;
	recreate(f);
	for (unsigned int ps = WEIR_SMMU_PS_40; ps < 8; ps++) {
		const struct shape narrow = { 12, 1, 39, false, false };

		one_size(f, &narrow, one_stage(f, &narrow, ps), 40, false);
		one_size(f, &narrow, two_stage(f, &narrow, 1, ps), 40, true);
	}
}
MODES(capped_sizes)

/* ---- Small tables --------------------------------------------------------------------- */

static void small_tables(struct fixture *f)
{
	static const struct shape shapes[] = {
		{ 12, 3, 16, false, false }, { 12, 3, 21, false, false },
		{ 12, 2, 22, false, false }, { 14, 3, 16, false, false },
		{ 14, 3, 25, false, false }, { 16, 3, 17, false, false },
		{ 16, 3, 24, false, false }, { 12, 3, 16, true, false },
	};
	static const unsigned int sl0[] = { 3, 3, 0, 0, 0, 0, 0, 3 };

	for (size_t i = 0; i < 2 * WEIR_ARRAY_SIZE(shapes); i++) {
		const struct shape *shape = &shapes[i / 2];
		bool stage2 = i % 2;
		uint64_t last = (1ull << shape->bits) - (1ull << shape->granule);
		uint64_t ttb = stage2 ? two_stage(f, shape, sl0[i / 2], WEIR_SMMU_PS_44) :
					one_stage(f, shape, WEIR_SMMU_PS_44);

		map_shaped(f, shape, ttb, last, 3, PAGES, (stage2 ? LEAF2 : LEAF) & ~WEIR_VMSA_SH);
		forget(f);
		expect_read(f, last + 0x18, PAGES + 0x18);
		if (last)
			expect_fault_of(f, 0, WEIR_SMMU_EVT_F_TRANSLATION,
					CLASS_IN | (stage2 ? S2_BIT : 0), 0);
		expect_fault_of(f, 1ull << shape->bits, WEIR_SMMU_EVT_F_TRANSLATION,
				CLASS_IN | (stage2 ? S2_BIT : 0), stage2 ? 1ull << shape->bits : 0);
	}
}
MODES(small_tables)

/* The base is aligned to as little as the table needs: its place in a line is its own. */
static void base_of_a_small_table(struct fixture *f)
{
	const struct shape shape = { 12, 3, 16, false, false }; /* 16 entries: 128 bytes */
	uint64_t ttb = one_stage(f, &shape, WEIR_SMMU_PS_44);

	put(f, cd_of(STREAM) + 8, ttb + 0x180 + 0x70);
	put(f, ttb + 0x180 + 8 * 3, PAGES | PAGE);
	forget(f);
	expect_read(f, 0x3000, PAGES);
}
MODES(base_of_a_small_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_leaf_of_52_bits), CASE(range_of_52_bits),   CASE(tables_of_52_bits),
		CASE(concatenated_52_bits),  CASE(narrow_descriptors), CASE(output_sizes),
		CASE(capped_sizes),	     CASE(small_tables),       CASE(base_of_a_small_table),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, sizes of addresses", tests, NULL, NULL);
}
