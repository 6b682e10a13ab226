/* SPDX-License-Identifier: MIT */

/*
 * Stage 2 and nested walks of the SMMUv3 model, on hand-made tables. Proves, with caches of all
 * kinds:
 *  - stage 2: a leaf at each level that has them, with each granule; concatenated first tables;
 *    what
 *    is out of range at which stage; every right of every descriptor, XNX;
 *  - nested: the two translations in one, of the smaller size; each fault that stage 1's
 *    descriptors,
 *    a CD and the final address can have at stage 2, whole records; protected walks;
 *  - the order of faults in one stage and in both (7.3.22), by repairing one after the other;
 *  - a permission fault of stage 2 is the same from the IOTLB (7.3.16); external aborts;
 *  - descriptors of both byte orders;
 *  - after a while without a change, when transactions go the shortest way, all is as it was.
 */

#include "smmutables.h"

#include <string.h>

#define VA 0x123456789000ull

static void expect_fault_of(struct fixture *f, uint64_t va, uint16_t flags, uint64_t word0,
			    uint64_t word1, uint64_t word3)
{
	struct weir_model_translation out;

	assert_int_equal(access_as(f, STREAM, va, flags, &out), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(word0, STREAM), word1, va, word3);
}

static void expect_address(struct fixture *f, uint64_t va, uint16_t flags, uint64_t pa)
{
	struct weir_model_translation out;

	assert_int_equal(access_as(f, STREAM, va, flags, &out), WEIR_MODEL_OK);
	assert_int_equal(out.addr, pa);
	expect_no_event(f);
}

/* Each test over all kinds of caches. */
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

/* ---- Stage 2 -------------------------------------------------------------------------- */

static uint64_t tg_of(unsigned int granule)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, granule == 12 ? 0 : granule == 14 ? 2 : 1);
}

static void stage2_only(struct fixture *f, const struct shape *shape, uint64_t sl0, uint64_t ttb)
{
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_S2, ttb,
		 tg_of(shape->granule) | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 64 - shape->bits) |
			 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, sl0));
	forget(f);
}

/* Of a shape that begins at each level, up to 16 tables in a row (DDI 0487, VTCR_EL2.SL0). */
static const struct {
	struct shape shape;
	uint64_t sl0;
} firsts[] = {
	{ { 12, 0, 44, false, false }, 2 }, { { 12, 1, 43, false, false }, 1 },
	{ { 12, 1, 39, false, false }, 1 }, { { 12, 1, 40, false, false }, 1 },
	{ { 12, 2, 34, false, false }, 0 }, { { 12, 2, 31, false, false }, 0 },
	{ { 14, 1, 44, false, false }, 2 }, { { 14, 2, 40, false, false }, 1 },
	{ { 14, 2, 37, false, false }, 1 }, { { 14, 3, 29, false, false }, 0 },
	{ { 16, 1, 44, false, false }, 2 }, { { 16, 2, 44, false, false }, 1 },
	{ { 16, 2, 42, false, false }, 1 }, { { 16, 3, 33, false, false }, 0 },
};

/* Blocks are of level 2; of level 1 with 4K, and with 64K where addresses have 52 bits. */
static bool has_leaf(const struct shape *shape, int level)
{
	return level >= 2 || (level == 1 && shape->granule != 14);
}

static void shapes_of_stage2(struct fixture *f)
{
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(firsts); i++) {
		const struct shape *shape = &firsts[i].shape;

		for (int level = shape->first; level <= 3; level++) {
			unsigned int shift = shift_of(shape, level);
			uint64_t last = (1ull << shape->bits) - (1ull << shift);
			uint64_t out = 1ull << 43 | 1ull << (shift < 43 ? shift : 43), ttb;

			f->next_table = TABLES;
			memset(at(f, TABLES), 0, PAGES - TABLES);
			ttb = new_table(f);
			f->next_table += 0xf0000; /* up to 16 tables of 64K */
			stage2_only(f, shape, firsts[i].sl0, ttb);
			map_shaped(f, shape, ttb, last, level, out, LEAF2);
			if (has_leaf(shape, level))
				expect_read(f, last + 0x678, out + 0x678);
			else
				expect_fault_of(f, last + 0x678, 0, WEIR_SMMU_EVT_F_TRANSLATION,
						RNW | S2_BIT | CLASS_IN, last & ~0xfffull);
			if (last)
				expect_fault_of(f, 0x1234, 0, WEIR_SMMU_EVT_F_TRANSLATION,
						RNW | S2_BIT | CLASS_IN, 0x1000);
		}
	}
}
MODES(shapes_of_stage2)

/* 3.4: beyond the IAS it is stage 1's fault, though there is none; below, stage 2's. */
static void out_of_range(struct fixture *f)
{
	const struct shape shape = { 12, 1, 39, false, false };
	uint64_t ttb = new_table(f);

	stage2_only(f, &shape, 1, ttb);
	map_shaped(f, &shape, ttb, 0, 1, 0x40000000, LEAF2);
	expect_read(f, 0x5678, 0x40005678);
	expect_fault_of(f, 1ull << 39, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | S2_BIT | CLASS_IN,
			1ull << 39);
	expect_fault_of(f, 1ull << 51, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | S2_BIT | CLASS_IN,
			1ull << 51);
	expect_fault_of(f, 1ull << 52, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | CLASS_IN, 0);
	expect_fault_of(f, ~0xfffull, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | CLASS_IN, 0);
}
MODES(out_of_range)

/* S2AP, XN[1:0]; what they grant, said independently of the model. */
static bool granted2(unsigned int s2ap, unsigned int xn, bool privileged, unsigned int what)
{
	static const bool executable[4][2] = {
		{ true, true },
		{ true, false },
		{ false, false },
		{ false, true },
	};

	return what == 2 ? executable[xn][privileged] : s2ap >> what & 1;
}

static void rights_of_stage2(struct fixture *f)
{
	static const uint16_t kinds[] = { 0, WEIR_MODEL_TXN_WRITE, WEIR_MODEL_TXN_INSTRUCTION };
	uint64_t ttb = new_table(f);

	stage2_only(f, &usual2, 2, ttb);
	for (unsigned int n = 0; n < 16; n++) {
		uint64_t rights = WEIR_SMMU_FIELD(WEIR_VMSA_S2AP, n & 3) |
				  WEIR_SMMU_FIELD(WEIR_VMSA_S2_XN, n >> 2);

		map_shaped(f, &usual2, ttb, 0x1000, 3, PAGES, (LEAF2 & ~WEIR_VMSA_S2AP) | rights);
		forget(f);
		for (unsigned int access = 0; access < 12; access++) {
			bool privileged = access % 2;
			unsigned int what = access / 2 % 3;
			uint16_t flags = kinds[what] | (privileged ? WEIR_MODEL_TXN_PRIVILEGED : 0);

			if (granted2(n & 3, n >> 2, privileged, what))
				expect_address(f, 0x1010, flags, PAGES + 0x10);
			else
				expect_fault_of(f, 0x1010, flags, WEIR_SMMU_EVT_F_PERMISSION,
						(what == 1 ? 0 : RNW) | S2_BIT | CLASS_IN |
							(privileged ? 1ull << 33 : 0) |
							(what == 2 ? 1ull << 34 : 0),
						0x1000);
		}
	}
}
MODES(rights_of_stage2)

/* 13.1.1: an atomic access that lacks reading alone is told as a read. */
static void atomic_at_stage2(struct fixture *f)
{
	const uint16_t flags = WEIR_MODEL_TXN_WRITE | WEIR_MODEL_TXN_ATOMIC;
	uint64_t ttb = new_table(f);

	stage2_only(f, &usual2, 2, ttb);
	for (unsigned int s2ap = 0; s2ap < 4; s2ap++) {
		map_shaped(f, &usual2, ttb, 0x1000, 3, PAGES,
			   (LEAF2 & ~WEIR_VMSA_S2AP) | WEIR_SMMU_FIELD(WEIR_VMSA_S2AP, s2ap));
		forget(f);
		for (unsigned int again = 0; again < 2; again++) {
			if (s2ap == 3)
				expect_address(f, 0x1000, flags, PAGES);
			else
				expect_fault_of(f, 0x1000, flags, WEIR_SMMU_EVT_F_PERMISSION,
						(s2ap == 2 ? RNW : 0) | S2_BIT | CLASS_IN, 0x1000);
		}
	}
}
MODES(atomic_at_stage2)

/* ---- Both ----------------------------------------------------------------------------- */

/* VA's descriptors: where each is. */
struct tree {
	uint64_t ttb, ttb2, entry[4];
	struct shape shape;
};

static void grow(struct fixture *f, struct tree *tree, uint64_t leaf)
{
	tree->shape = usual2;
	tree->ttb2 = nest(f, &tree->ttb);
	for (int level = 0; level < 4; level++)
		tree->entry[level] = entry_of(f, &tree->shape, tree->ttb, VA, level);
	put(f, tree->entry[3], leaf | PAGE);
	forget(f);
}

static uint64_t *leaf2(struct fixture *f, const struct tree *tree, uint64_t ipa)
{
	return at(f, entry_of(f, &usual2, tree->ttb2, ipa, 3));
}

static void both_in_one(struct fixture *f)
{
	struct tree tree;

	grow(f, &tree, IPAS);
	expect_address(f, VA + 0x123, 0, PAGES + 0x123);
	expect_address(f, VA + 0x124, WEIR_MODEL_TXN_WRITE, PAGES + 0x124);
	/* A block over pages: each page where its own is; nothing beyond. */
	put(f, tree.entry[2], IPAS | BLOCK);
	*leaf2(f, &tree, IPAS + 0x3000) = *leaf2(f, &tree, IPAS + 0x7000);
	forget(f);
	expect_address(f, (VA & ~0x1fffffull) + 0x3010, 0, PAGES + 0x7010);
	expect_address(f, (VA & ~0x1fffffull) + 0x2010, 0, PAGES + 0x2010);
	expect_address(f, (VA & ~0x1fffffull) + 0x7010, 0, PAGES + 0x7010);
	expect_fault_of(f, (VA & ~0x1fffffull) + 0x10010, 0, WEIR_SMMU_EVT_F_TRANSLATION,
			RNW | S2_BIT | CLASS_IN, IPAS + 0x10000);
	/* Pages in a block. */
	put(f, tree.entry[2], *at(f, tree.entry[1]));
	put(f, entry_of(f, &usual2, tree.ttb2, IPAS, 2), 0x80200000 | LEAF2 | WEIR_VMSA_TYPE_BLOCK);
	put(f, tree.entry[2], tree.entry[3] >> 12 << 12 | WEIR_VMSA_TYPE_TABLE);
	put(f, tree.entry[3], (IPAS + 0x5000) | PAGE);
	forget(f);
	expect_address(f, VA + 0x20, 0, 0x80205020);
}
MODES(both_in_one)

/* What stage 2 can have against the page of a descriptor or of a CD; and how it is told. */
static void stage2_of_tables(struct fixture *f, struct tree *tree, uint64_t ipa, uint64_t class)
{
	uint64_t *leaf = leaf2(f, tree, ipa), whole = *leaf;
	uint64_t page = ipa & ~0xfffull;

	*leaf = 0;
	forget(f);
	expect_fault_of(f, VA, WEIR_MODEL_TXN_WRITE, WEIR_SMMU_EVT_F_TRANSLATION, S2_BIT | class,
			page);
	*leaf = whole | 1ull << 46;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | S2_BIT | class, page);
	*leaf = whole & ~WEIR_VMSA_AF;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | S2_BIT | class, page);
	*leaf = whole & ~WEIR_VMSA_S2AP_READ;
	forget(f);
	expect_fault_of(f, VA, WEIR_MODEL_TXN_WRITE, WEIR_SMMU_EVT_F_PERMISSION,
			S2_BIT | class | (class == CLASS_TT ? TTRNW : 0), page);
	*leaf = (whole & ~WEIR_VMSA_S2AP_WRITE) | WEIR_VMSA_S2_XN;
	forget(f);
	expect_address(f, VA, WEIR_MODEL_TXN_WRITE, PAGES);
	*leaf = whole;
	forget(f);
	expect_address(f, VA, 0, PAGES);
}

static void stage2_of_descriptors(struct fixture *f)
{
	struct tree tree;

	grow(f, &tree, IPAS);
	for (int level = 0; level < 4; level++)
		stage2_of_tables(f, &tree, tree.entry[level], CLASS_TT);
	stage2_of_tables(f, &tree, cd_of(STREAM), CLASS_CD);
}
MODES(stage2_of_descriptors)

/* 5.2 S2PTW: a table in Device memory; of FWB it is another bit that says so. */
static void protected_walks(struct fixture *f)
{
	const uint64_t s2ptw = WEIR_SMMU_STE_2_S2PTW;
	struct tree tree;
	uint64_t *leaf;

	grow(f, &tree, IPAS);
	leaf = leaf2(f, &tree, tree.entry[2]);
	for (unsigned int fwb = 0; fwb < 2; fwb++) {
		for (unsigned int memattr = 0; memattr < 16; memattr++) {
			bool device = fwb ? !(memattr & 4) : !(memattr & 12);

			*leaf = (*leaf & ~WEIR_VMSA_S2_MEMATTR) |
				WEIR_SMMU_FIELD(WEIR_VMSA_S2_MEMATTR, memattr);
			put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, tree.ttb2, s2ptw);
			*at(f, ste_of(STREAM) + 8) |= fwb ? WEIR_SMMU_STE_1_S2FWB : 0;
			forget(f);
			for (unsigned int again = 0; again < 2; again++) {
				if (device)
					expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_PERMISSION,
							RNW | S2_BIT | CLASS_TT | TTRNW,
							tree.entry[2] & ~0xfffull);
				else
					expect_address(f, VA, 0, PAGES);
			}
		}
	}
	/* Data may be there. */
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, tree.ttb2, s2ptw);
	*leaf2(f, &tree, IPAS) &= ~WEIR_VMSA_S2_MEMATTR;
	forget(f);
	expect_address(f, VA, 0, PAGES);
}
MODES(protected_walks)

/* 7.3.12. FetchAddr tells whose descriptor it was, S2 too; class TT of stage 1 alone as well. */
static void external_aborts(struct fixture *f)
{
	struct tree tree;
	uint64_t lost = NOWHERE + (VA >> 12 & 0x1ff) * 8, kept;

	grow(f, &tree, IPAS);
	kept = *at(f, tree.entry[2]);
	/* Stage 1's table is where stage 2 says nothing: an address of no RAM. */
	map_shaped(f, &usual2, tree.ttb2, NOWHERE, 3, NOWHERE, LEAF2);
	put(f, tree.entry[2], NOWHERE | WEIR_VMSA_TYPE_TABLE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_WALK_EABT, RNW | CLASS_TT, lost);
	put(f, tree.entry[2], kept);
	/* Stage 2's own table, of a descriptor's page and of the final address. */
	kept = *at(f, entry_of(f, &usual2, tree.ttb2, IPAS, 2));
	put(f, entry_of(f, &usual2, tree.ttb2, IPAS, 2), NOWHERE | WEIR_VMSA_TYPE_TABLE);
	forget(f);
	expect_fault_of(f, VA, WEIR_MODEL_TXN_WRITE, WEIR_SMMU_EVT_F_WALK_EABT, S2_BIT | CLASS_IN,
			NOWHERE + (IPAS >> 12 & 0x1ff) * 8);
	put(f, entry_of(f, &usual2, tree.ttb2, IPAS, 2), kept);
	put(f, entry_of(f, &usual2, tree.ttb2, tree.entry[3], 2), NOWHERE | WEIR_VMSA_TYPE_TABLE);
	forget(f);
	/* All of stage 1's structures are in that: the CD comes first. */
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_WALK_EABT, RNW | S2_BIT | CLASS_CD,
			NOWHERE + (cd_of(STREAM) >> 12 & 0x1ff) * 8);
	/* Stage 1 alone. */
	put_ste1(f, STREAM);
	put(f, tree.entry[2], NOWHERE | WEIR_VMSA_TYPE_TABLE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_WALK_EABT, RNW | CLASS_TT, lost);
}
MODES(external_aborts)

/* ---- Order (7.3.22) ------------------------------------------------------------------- */

/*
 * A walk of stage 1 in which all is wrong that can be; it faults, that is repaired, it faults with
 * what comes next, until it translates.
 */
static void order_in_one_stage(struct fixture *f)
{
	const uint64_t beyond = 1ull << 45;
	struct tree tree;
	uint64_t tables[3];

	grow(f, &tree, IPAS);
	put_ste1(f, STREAM);
	for (int level = 0; level < 3; level++) {
		tables[level] = *at(f, tree.entry[level]);
		put(f, tree.entry[level], 0);
	}
	put(f, tree.entry[3], 0);
	for (int level = 0; level < 3; level++) {
		put(f, tree.entry[level], 0);
		forget(f);
		expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | CLASS_IN, 0);
		/* A table out of range is not read: it would be an abort. */
		put(f, tree.entry[level], beyond | WEIR_VMSA_TYPE_TABLE);
		forget(f);
		expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | CLASS_IN, 0);
		put(f, tree.entry[level], NOWHERE | WEIR_VMSA_TYPE_TABLE);
		forget(f);
		expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_WALK_EABT, RNW | CLASS_TT,
				NOWHERE + (VA >> (30 - 9 * level) & 0x1ff) * 8);
		put(f, tree.entry[level], tables[level]);
	}
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], beyond | PAGES | WEIR_VMSA_TYPE_BLOCK); /* no block at level 3 */
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], beyond | PAGES | WEIR_VMSA_TYPE_PAGE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], PAGES | WEIR_VMSA_TYPE_PAGE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], PAGES | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_PERMISSION, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], PAGES | PAGE);
	forget(f);
	expect_address(f, VA, 0, PAGES);
}
MODES(order_in_one_stage)

/* Stage 1 ends, permissions too, before its output goes through stage 2. */
static void order_in_both(struct fixture *f)
{
	struct tree tree;
	uint64_t *last;

	grow(f, &tree, IPAS);
	last = leaf2(f, &tree, IPAS);
	*last = 0;
	put(f, tree.entry[3], IPAS | WEIR_VMSA_TYPE_PAGE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], IPAS | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_PERMISSION, RNW | CLASS_IN, 0);
	put(f, tree.entry[3], IPAS | PAGE);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | S2_BIT | CLASS_IN, IPAS);
	*last = 1ull << 45 | WEIR_VMSA_TYPE_PAGE;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ADDR_SIZE, RNW | S2_BIT | CLASS_IN, IPAS);
	*last = PAGES | WEIR_VMSA_TYPE_PAGE;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | S2_BIT | CLASS_IN, IPAS);
	*last = PAGES | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_PERMISSION, RNW | S2_BIT | CLASS_IN, IPAS);
	*last = PAGES | WEIR_VMSA_TYPE_PAGE | LEAF2;
	/* The CD is out of range of stage 1's address alone: what comes first of all. */
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_EPD0);
	put(f, tree.entry[0], 0);
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | CLASS_IN, 0);
}
MODES(order_in_both)

/* 7.3.16, D09: the page is in the IOTLB by a read, when it is written to. */
static void permission_from_the_tlb(struct fixture *f)
{
	struct tree tree;

	grow(f, &tree, IPAS);
	*leaf2(f, &tree, IPAS) &= ~WEIR_VMSA_S2AP_WRITE;
	forget(f);
	expect_address(f, VA + 8, 0, PAGES + 8);
	for (unsigned int again = 0; again < 2; again++)
		expect_fault_of(f, VA + 8, WEIR_MODEL_TXN_WRITE, WEIR_SMMU_EVT_F_PERMISSION,
				S2_BIT | CLASS_IN, IPAS);
	/* Of both stages: stage 1's comes first. */
	put(f, tree.entry[3], IPAS | PAGE | WEIR_VMSA_AP_RDONLY);
	forget(f);
	expect_address(f, VA + 8, 0, PAGES + 8);
	for (unsigned int again = 0; again < 2; again++)
		expect_fault_of(f, VA + 8, WEIR_MODEL_TXN_WRITE, WEIR_SMMU_EVT_F_PERMISSION,
				CLASS_IN, 0);
}
MODES(permission_from_the_tlb)

/* 5.2 S2AFFD. */
static void access_flag_of_stage2(struct fixture *f)
{
	struct tree tree;

	grow(f, &tree, IPAS);
	for (int level = 0; level < 4; level++)
		*leaf2(f, &tree, tree.entry[level]) &= ~WEIR_VMSA_AF;
	*leaf2(f, &tree, IPAS) &= ~WEIR_VMSA_AF;
	forget(f);
	expect_fault_of(f, VA, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | S2_BIT | CLASS_TT,
			tree.entry[0] & ~0xfffull);
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, tree.ttb2, WEIR_SMMU_STE_2_S2AFFD);
	forget(f);
	expect_address(f, VA, 0, PAGES);
}
MODES(access_flag_of_stage2)

/* ---- Byte order ----------------------------------------------------------------------- */

/* Each stage in its own. */
static void byte_orders(struct fixture *f)
{
	for (unsigned int n = 0; n < 4; n++) {
		const struct shape one = { 12, 0, 48, false, n & 1 };
		const struct shape two = { 12, 0, 48, false, n & 2 };
		uint64_t ttb, ttb2;

		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		ttb = new_table(f);
		ttb2 = new_table(f);
		put_cd(f, STREAM, cd_word0(STREAM) | (one.big_endian ? WEIR_SMMU_CD_0_ENDI : 0),
		       ttb, 0);
		put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, ttb2,
			 two.big_endian ? WEIR_SMMU_STE_2_S2ENDI : 0);
		map_shaped(f, &two, ttb2, RAM_BASE, 1, RAM_BASE, LEAF2);
		map_shaped(f, &one, ttb, VA, 3, PAGES, LEAF);
		forget(f);
		expect_address(f, VA + 0x10, 0, PAGES + 0x10);
		expect_fault_of(f, VA + 0x1000, 0, WEIR_SMMU_EVT_F_TRANSLATION, RNW | CLASS_IN, 0);
	}
}
MODES(byte_orders)

/* ---- The shortest way ----------------------------------------------------------------- */

/* What became of it: the address and attributes, or the event. */
struct outcome {
	enum weir_model_result result;
	uint64_t words[4];
};

#define PLACES 14u

/* Of each kind of page and of none; in and out of the range, at both ends. */
static const uint64_t places[PLACES] = {
	0x1000,
	0x2008,
	0x3010,
	0x4018,
	0x5020,
	0x6028,
	0x7030,
	0x8000,
	0x200000 + 0x1238,
	0x40000000 + 0x54321,
	0x8000000040,
	0x10000000001000,
	0xffff000000001048,
	0xfff8000000001000,
};

static void populate(struct fixture *f, uint64_t ttb0, uint64_t ttb1, uint64_t output)
{
	const uint64_t unpriv = WEIR_VMSA_AP_UNPRIV;

	map(f, ttb0, 0x1000, PAGE | WEIR_VMSA_SH | output);
	map(f, ttb0, 0x2000, PAGE | WEIR_VMSA_AP_RDONLY | (output + 0x1000));
	map(f, ttb0, 0x3000, (PAGE & ~unpriv) | WEIR_VMSA_PXN | (output + 0x2000));
	map(f, ttb0, 0x4000, (PAGE & ~WEIR_VMSA_AF) | output);
	map(f, ttb0, 0x5000, PAGE | 1ull << 45);
	map(f, ttb0, 0x6000,
	    PAGE | WEIR_VMSA_UXN | (output + 0x3000) | WEIR_SMMU_FIELD(WEIR_VMSA_ATTRINDX, 1));
	map(f, ttb0, 0x7000, PAGE | NOWHERE); /* stage 2 has none of it */
	map_at(f, ttb0, 0, 12, 0x200000, 2, BLOCK | (output & ~0x1fffffull));
	map_at(f, ttb0, 0, 12, 0x40000000, 1, BLOCK | (output & ~0x3fffffffull));
	map(f, ttb0, 0x8000000000, PAGE | output);
	put(f, ttb0 + 8, *at(f, ttb0 + 8) | WEIR_VMSA_APTABLE_RDONLY);
	map(f, ttb1, 0xffff000000001000, PAGE | (output + 0x4000));
}

static void look(struct fixture *f, struct outcome *outcomes)
{
	for (unsigned int n = 0; n < PLACES * 16; n++) {
		struct outcome *outcome = &outcomes[n];
		struct weir_model_translation out = { 0 };

		memset(outcome, 0, sizeof(*outcome));
		outcome->result = access_as(f, STREAM, places[n / 16], n % 16, &out);
		if (outcome->result != WEIR_MODEL_OK) {
			assert_true(pop_event(f, outcome->words));
			continue;
		}
		outcome->words[0] = out.addr;
		outcome->words[1] = out.attributes;
	}
	expect_no_event(f);
}

static void look_again(struct fixture *f)
{
	static struct outcome before[PLACES * 16], after[PLACES * 16];

	forget(f);
	look(f, before);
	/* No barriers any more, and all contexts at hand. */
	for (unsigned int i = 0; i < 4000; i++)
		expect_read(f, 0x1000, before[0].words[0]);
	look(f, after);
	assert_memory_equal(before, after, sizeof(before));
}

static void the_shortest_way(struct fixture *f)
{
	struct tree tree;
	uint64_t ttb0 = add_stream1(f, STREAM);

	populate(f, ttb0, *at(f, cd_of(STREAM) + 16), PAGES);
	put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB | 0x0400);
	look_again(f);
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_PAN | WEIR_SMMU_CD_0_WXN);
	look_again(f);
	tree.ttb2 = nest(f, &tree.ttb);
	put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB | 0x0400);
	populate(f, tree.ttb, *at(f, cd_of(STREAM) + 16), IPAS);
	*leaf2(f, &tree, IPAS + 0x4000) &= ~WEIR_VMSA_S2AP_WRITE;
	*leaf2(f, &tree, IPAS + 0x3000) |= WEIR_VMSA_S2_XN;
	look_again(f);
}
MODES(the_shortest_way)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(shapes_of_stage2),
		CASE(out_of_range),
		CASE(rights_of_stage2),
		CASE(atomic_at_stage2),
		CASE(both_in_one),
		CASE(stage2_of_descriptors),
		CASE(protected_walks),
		CASE(external_aborts),
		CASE(order_in_one_stage),
		CASE(order_in_both),
		CASE(permission_from_the_tlb),
		CASE(access_flag_of_stage2),
		CASE(byte_orders),
		CASE(the_shortest_way),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, stage 2 and both", tests, NULL, NULL);
}
