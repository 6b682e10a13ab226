/* SPDX-License-Identifier: MIT */

/*
 * Translation operations by register (IHI 0070 chapter 9): what they are answered. Proves:
 *  - what each type of request gets of each kind of stream: address, size, attributes, without the
 *    overrides of the stream; permissions as asked for, of the stages asked for;
 *  - each fault with the code, REASON and FADDR of 9.1.4; no event is recorded, nothing stalls;
 *  - HTTU as for a transaction, and with HTTUI the same answer with nothing updated, nor kept.
 */

#include "smmuatos.h"

/* No hints to allocate; outer shareable. */
#define OVERRIDES                                                                                  \
	(WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_SH_OSH) |                                \
	 WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_ALLOCCFG, WEIR_SMMU_ALLOCCFG_OVERRIDE))

/* ---- Answers ---------------------------------------------------------------------------- */

static void sizes_and_attributes(void **state)
{
	struct fixture *f = *state;
	uint64_t table = have_stage1(f, STREAM);

	map(f, table, VA, PAGES | PAGE | ISH);
	map(f, table, VA + 0x1000, PAGES | PAGE | ATTR(1) | OSH);
	map(f, table, VA + 0x2000, PAGES | PAGE | ATTR(2));
	map(f, table, VA + 0x3000, PAGES | PAGE | ATTR(3));
	map_at(f, table, 0, 12, 0x40000000, 2, RAM_BASE | BLOCK | ISH);
	map_at(f, table, 0, 12, 0x80000000, 1, RAM_BASE | BLOCK);
	/* What the stream says of attributes is nothing to a request (Table 13.5). */
	put(f, ste_of(STREAM) + 8, OVERRIDES);
	expect(f, VA | S1 | R, par(PAGES, 12, 0xff, 3));
	expect(f, (VA + 0x1000) | S1 | R, par(PAGES, 12, 0xaa, 2));
	expect(f, (VA + 0x2000) | S1 | R, par(PAGES, 12, 0x44, 2));
	expect(f, (VA + 0x3000) | S1 | R, par(PAGES, 12, 0x04, 2));
	expect(f, 0x40123000 | S1 | R, par(RAM_BASE, 21, 0xff, 3));
	expect(f, 0x80123000 | S1 | R, par(RAM_BASE, 30, 0xff, 0));
	assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), par(PAGES, 12, 0xff, 3));
}

static void other_granules(void **state)
{
	struct fixture *f = *state;
	uint64_t table = have_stage1(f, STREAM);

	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, 2));
	map_at(f, table, 0, 14, VA, 3, PAGES | PAGE);
	expect(f, VA | S1 | R, par(PAGES, 14, 0xff, 0));
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, 1));
	table = new_table(f);
	put(f, cd_of(STREAM) + 8, table);
	map_at(f, table, 1, 16, VA, 3, PAGES | PAGE);
	forget(f);
	expect(f, VA | S1 | R, par(PAGES, 16, 0xff, 0));
}

static void nested_answers(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2, table = have_nested(f, STREAM, 0, &stage2);

	/* MemAttr: write-back inside, write-through outside. */
	map(f, table, VA, IPA | PAGE | ISH);
	map2(f, stage2, IPA, PAGES | (PAGE2 & ~WEIR_VMSA_S2_MEMATTR) | 0xbull << 2 | OSH);
	map_at(f, table, 0, 12, 0x40000000, 2, RAM_BASE | BLOCK | ATTR(3));
	map_at(f, table, 0, 12, 0x80000000, 2, NOWHERE | BLOCK | ISH);
	expect(f, VA | S1 | R, par(IPA, 12, 0xff, 3));
	expect(f, IPA | S2 | R, par(PAGES, 12, 0xbf, 2));
	expect(f, VA | BOTH | R, par(PAGES, 12, 0xbf, 2));
	expect(f, 0x40001000 | S1 | R, par(RAM_BASE, 21, 0x04, 2));
	expect(f, 0x40001000 | S2 | R, par(RAM_BASE, 21, 0xff, 0));
	expect(f, 0x40001000 | BOTH | R, par(RAM_BASE, 21, 0x04, 2));
	/* Where stage 2 has nothing, stage 1 goes all the same. */
	expect(f, 0x80001000 | S1 | R, par(NOWHERE, 21, 0xff, 3));
	assert_int_equal(ask(f, VATOS, STREAM, 0x80001000 | S1 | R), par(NOWHERE, 21, 0xff, 3));
	expect(f, 0x80001000 | BOTH | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 3, NOWHERE + 0x1000));
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_STE_1_MTCFG | OVERRIDES);
	forget(f);
	expect(f, 0x40001000 | S2 | R, par(RAM_BASE, 21, 0xff, 0));
	/* 13.1.6: stage 2 decides, here for write-back. */
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_STE_1_S2FWB);
	map2(f, stage2, IPA, PAGES | (PAGE2 & ~WEIR_VMSA_S2_MEMATTR) | 6ull << 2);
	map(f, table, VA, IPA | PAGE | ATTR(2));
	forget(f);
	expect(f, VA | S1 | R, par(IPA, 12, 0x44, 2));
	/* But stage 1's Non-cacheable is outer shareable (13.1.1), and stays so. */
	expect(f, VA | BOTH | R, par(PAGES, 12, 0xff, 2));
}

/* ---- Permissions ------------------------------------------------------------------------ */

static void permissions(void **state)
{
	struct fixture *f = *state;
	uint64_t table = have_stage1(f, STREAM);
	const uint64_t ok = par(PAGES, 12, 0xff, 0);
	const uint64_t denied = bad(WEIR_SMMU_EVT_F_PERMISSION, 0, 0);

	/* Of a page that the privileged alone may use, and nobody executes. */
	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV) | WEIR_VMSA_PXN | WEIR_VMSA_UXN);
	map(f, table, VA + 0x1000, PAGES | PAGE | WEIR_VMSA_AP_RDONLY);
	/* The stream's overrides are nothing to a request (Table 13.4). */
	put(f, ste_of(STREAM) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, 3) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, 3));
	expect(f, VA | S1 | R, denied);
	expect(f, VA | S1 | W, denied);
	expect(f, VA | S1 | R | PRIV, ok);
	expect(f, VA | S1 | W | PRIV, ok);
	expect(f, VA | S1 | X | PRIV, denied);
	/* InD is nothing to a write. */
	expect(f, VA | S1 | W | PRIV | WEIR_SMMU_ATOS_ADDR_IND, ok);
	expect(f, (VA + 0x1000) | S1 | R, ok);
	expect(f, (VA + 0x1000) | S1 | X, ok);
	expect(f, (VA + 0x1000) | S1 | W, denied);
	expect(f, (VA + 0x1000) | S1 | W | PRIV, denied);
}

/* 9: of a request of one stage, the other stage's permissions are not looked at. */
static void permissions_of_each_stage(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2, table = have_nested(f, STREAM, 0, &stage2);

	map(f, table, VA, IPA | PAGE);
	map2(f, stage2, IPA, PAGES | PAGE2_RO);
	expect(f, VA | S1 | W, par(IPA, 12, 0xff, 0));
	expect(f, IPA | S2 | W, bad(WEIR_SMMU_EVT_F_PERMISSION, 3, 0));
	expect(f, VA | BOTH | W, bad(WEIR_SMMU_EVT_F_PERMISSION, 3, IPA));
	map(f, table, VA, IPA | PAGE | WEIR_VMSA_AP_RDONLY);
	map2(f, stage2, IPA, PAGES | PAGE2);
	forget(f);
	expect(f, VA | S1 | W, bad(WEIR_SMMU_EVT_F_PERMISSION, 0, 0));
	expect(f, IPA | S2 | W, par(PAGES, 12, 0xff, 0));
	expect(f, VA | BOTH | W, bad(WEIR_SMMU_EVT_F_PERMISSION, 0, 0));
}

/* ---- Faults of both stages (9.1.4) ------------------------------------------------------ */

static void stage1_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t table = have_stage1(f, STREAM);

	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AF));
	map(f, table, VA + 0x1000, 1ull << 44 | PAGE);
	map_at(f, table, 0, 12, 0x40000000, 1, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_ACCESS, 0, 0));
	expect(f, VA | S1 | R | HTTUI, bad(WEIR_SMMU_EVT_F_ACCESS, 0, 0));
	expect(f, (VA + 0x1000) | S1 | R, bad(WEIR_SMMU_EVT_F_ADDR_SIZE, 0, 0));
	expect(f, 0x40000000 | S1 | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, 0, 0));
	expect(f, 1ull << 48 | S1 | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 0, 0));
}

static void stage2_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2 = have_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_S2, 0);

	map2(f, stage2, IPA, PAGES | (PAGE2 & ~WEIR_VMSA_AF));
	map2(f, stage2, IPA + 0x1000, 1ull << 44 | PAGE2);
	map_at(f, stage2, 1, 12, 0x80000000, 1, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect(f, IPA | S2 | R, bad(WEIR_SMMU_EVT_F_ACCESS, 3, 0));
	expect(f, (IPA + 0x1000) | S2 | R, bad(WEIR_SMMU_EVT_F_ADDR_SIZE, 3, 0));
	expect(f, 0x80000000 | S2 | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, 3, 0));
	expect(f, 1ull << 40 | S2 | R, bad(WEIR_SMMU_EVT_F_TRANSLATION, 3, 0));
	/* Beyond the IAS it is stage 1's, which is not there (3.4). */
	expect(f, 1ull << 52 | S2 | R, bad(WEIR_SMMU_EVT_F_ADDR_SIZE, 0, 0));
}

/* What comes of a fault at stage 2, on the way, for each type of request. */
struct on_the_way {
	uint64_t descriptor;
	uint8_t code;
	bool has_faddr;
};

static const struct on_the_way ways[] = {
	{ 0, WEIR_SMMU_EVT_F_TRANSLATION, true },
	{ PAGES | (PAGE2 & ~WEIR_VMSA_AF), WEIR_SMMU_EVT_F_ACCESS, true },
	{ 1ull << 44 | PAGE2, WEIR_SMMU_EVT_F_ADDR_SIZE, true },
	{ PAGES | (PAGE2 & ~WEIR_VMSA_S2AP), WEIR_SMMU_EVT_F_PERMISSION, true },
};

/* `found`: where stage 2's descriptor of it is. `code` is what a request of stage 1 is told. */
static void expect_on_the_way(struct fixture *f, uint64_t found, uint64_t ipa, uint64_t code,
			      uint64_t reason)
{
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(ways); i++) {
		put(f, found, ways[i].descriptor);
		forget(f);
		expect(f, VA | S1 | R, bad(code, 0, 0));
		assert_int_equal(ask(f, VATOS, STREAM, VA | S1 | R), bad(code, 0, 0));
		expect(f, VA | BOTH | R, bad(ways[i].code, reason, ipa & ~0xfffull));
	}
}

static void faults_on_the_way(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2, table = have_nested(f, STREAM, 0, &stage2), found;

	map(f, table, VA, IPA | PAGE);
	map2(f, stage2, IPA, PAGES | PAGE2);
	/* The CD's page; then that of the first table. */
	put(f, ste_of(STREAM), *at(f, ste_of(STREAM)) + (0x1000000000ull - CDS));
	found = map2(f, stage2, 0x1000000000ull, 0);
	expect_on_the_way(f, found, 0x1000000000ull, WEIR_SMMU_EVT_F_CD_FETCH,
			  WEIR_SMMU_ATOS_REASON_CD);
	put(f, found, (CDS & ~0xfffull) | PAGE2);
	forget(f);
	expect(f, VA | BOTH | R, par(PAGES, 12, 0xff, 0));
	put(f, cd_of(STREAM) + 8, 0x1000001000ull);
	found = map2(f, stage2, 0x1000001000ull, 0);
	expect_on_the_way(f, found, 0x1000001000ull, WEIR_SMMU_EVT_F_WALK_EABT,
			  WEIR_SMMU_ATOS_REASON_TT);
}

/* Aborts have no address. */
static void aborts_on_the_way(void **state)
{
	struct fixture *f = *state;
	uint64_t stage2, table = have_nested(f, STREAM, 0, &stage2), found;

	map(f, table, VA, IPA | PAGE);
	found = map_at(f, stage2, 1, 12, 0x1000000000ull, 1, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	put(f, cd_of(STREAM) + 8, 0x1000000000ull);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, 0, 0));
	expect(f, VA | BOTH | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, WEIR_SMMU_ATOS_REASON_TT, 0));
	/* The table's own. */
	put(f, found, 0);
	map2(f, stage2, 0x1000000000ull, NOWHERE | PAGE2);
	forget(f);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, 0, 0));
	expect(f, VA | BOTH | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, 0, 0));
	/* The CD's. */
	put(f, ste_of(STREAM), (*at(f, ste_of(STREAM)) & 0x3f) | 0x1000000000ull);
	forget(f);
	expect(f, VA | S1 | R, bad(WEIR_SMMU_EVT_F_CD_FETCH, 0, 0));
	expect(f, VA | BOTH | R, bad(WEIR_SMMU_EVT_F_CD_FETCH, 0, 0));
	/* The last one. */
	put(f, ste_of(STREAM), (*at(f, ste_of(STREAM)) & 0x3f) | cd_of(STREAM));
	put(f, cd_of(STREAM) + 8, table);
	map(f, table, VA, 0x2000000000ull | PAGE);
	map_at(f, stage2, 1, 12, 0x2000000000ull, 1, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	forget(f);
	expect(f, VA | BOTH | R, bad(WEIR_SMMU_EVT_F_WALK_EABT, WEIR_SMMU_ATOS_REASON_IN, 0));
}

/* ---- HTTU ------------------------------------------------------------------------------- */

#define CLEAN (PAGE | WEIR_VMSA_DBM | WEIR_VMSA_AP_RDONLY)

static uint64_t have_httu(struct fixture *f, uint32_t sid)
{
	uint64_t table = have_stage1(f, sid);

	put(f, cd_of(sid), *at(f, cd_of(sid)) | WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD);
	return table;
}

static void updates(void **state)
{
	struct fixture *f = *state;
	uint64_t table = have_httu(f, STREAM);
	uint64_t old = PAGES | (CLEAN & ~WEIR_VMSA_AF), where = map(f, table, VA, old);
	const uint64_t ok = par(PAGES, 12, 0xff, 0);

	/* Inhibited: the same answers. */
	expect(f, VA | S1 | R | HTTUI, ok);
	expect(f, VA | S1 | W | HTTUI, ok);
	assert_int_equal(*at(f, where), old);
	expect(f, VA | S1 | R, ok);
	assert_int_equal(*at(f, where), old | WEIR_VMSA_AF);
	expect(f, VA | S1 | W | HTTUI, ok);
	assert_int_equal(*at(f, where), old | WEIR_VMSA_AF);
	expect(f, VA | S1 | W, ok);
	assert_int_equal(*at(f, where), (old | WEIR_VMSA_AF) & ~WEIR_VMSA_AP_RDONLY);
	/* What may not be written is not, inhibited or not. */
	map(f, table, VA + 0x1000, PAGES | PAGE | WEIR_VMSA_AP_RDONLY);
	expect(f, (VA + 0x1000) | S1 | W | HTTUI, bad(WEIR_SMMU_EVT_F_PERMISSION, 0, 0));
}

/* What was learnt without an update is not kept: the transaction that follows does update. */
static void inhibited_is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	for (unsigned int caches = WEIR_MODEL_SMMUV3_CACHES_NORMAL;
	     caches <= WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL; caches++) {
		uint64_t table, where;

		have(f, caches);
		table = have_httu(f, STREAM);
		where = map(f, table, VA, PAGES | (CLEAN & ~WEIR_VMSA_AF));
		forget(f);
		expect(f, VA | S1 | W | HTTUI, par(PAGES, 12, 0xff, 0));
		expect(f, VA | S1 | R | HTTUI, par(PAGES, 12, 0xff, 0));
		assert_int_equal(dma(f, STREAM, VA, false, &pa), WEIR_MODEL_OK);
		assert_int_equal(*at(f, where), PAGES | CLEAN);
		expect(f, VA | S1 | W | HTTUI, par(PAGES, 12, 0xff, 0));
		assert_int_equal(dma(f, STREAM, VA, true, &pa), WEIR_MODEL_OK);
		assert_int_equal(*at(f, where), PAGES | (CLEAN & ~WEIR_VMSA_AP_RDONLY));
	}
}

/* Stage 1's descriptors are updated through stage 2, which becomes dirty, or refuses. */
static void nested_updates(void **state)
{
	struct fixture *f = *state;
	const uint64_t clean2 = PAGE2_RO | WEIR_VMSA_DBM;
	uint64_t table, stage2, where, under, last;

	table = have_httu(f, STREAM);
	stage2 = have_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED,
			     WEIR_SMMU_STE_2_S2HA | WEIR_SMMU_STE_2_S2HD);
	where = map(f, table, VA, IPA | (CLEAN & ~WEIR_VMSA_AF));
	last = map2(f, stage2, IPA, PAGES | (clean2 & ~WEIR_VMSA_AF));
	put(f, map_at(f, stage2, 1, 12, where, 2, 0), 0);
	for (uint64_t page = where & ~0x1fffffull, i = 0; i < 512; i++)
		map2(f, stage2, page + i * 0x1000, (page + i * 0x1000) | PAGE2);
	under = map2(f, stage2, where, (where & ~0xfffull) | (clean2 & ~WEIR_VMSA_AF));
	expect(f, VA | BOTH | W | HTTUI, par(PAGES, 12, 0xff, 0));
	expect(f, VA | S1 | W | HTTUI, par(IPA, 12, 0xff, 0));
	assert_int_equal(*at(f, where), IPA | (CLEAN & ~WEIR_VMSA_AF));
	assert_int_equal(*at(f, last), PAGES | (clean2 & ~WEIR_VMSA_AF));
	assert_int_equal(*at(f, under), (where & ~0xfffull) | (clean2 & ~WEIR_VMSA_AF));
	/* To the IPA alone: its page at stage 2 stays as it is. */
	expect(f, VA | S1 | W, par(IPA, 12, 0xff, 0));
	assert_int_equal(*at(f, where), IPA | (CLEAN & ~WEIR_VMSA_AP_RDONLY));
	assert_int_equal(*at(f, under), (where & ~0xfffull) | clean2 | WEIR_VMSA_S2AP_WRITE);
	assert_int_equal(*at(f, last), PAGES | (clean2 & ~WEIR_VMSA_AF));
	expect(f, VA | BOTH | W, par(PAGES, 12, 0xff, 0));
	assert_int_equal(*at(f, last), PAGES | clean2 | WEIR_VMSA_S2AP_WRITE);
	/* The page of stage 1's table may not be written. */
	put(f, where, IPA | (CLEAN & ~WEIR_VMSA_AF));
	put(f, under, (where & ~0xfffull) | PAGE2_RO);
	forget(f);
	expect(f, VA | S1 | W | HTTUI, par(IPA, 12, 0xff, 0));
	expect(f, VA | BOTH | W | HTTUI, par(PAGES, 12, 0xff, 0));
	expect(f, VA | S1 | W, bad(WEIR_SMMU_EVT_F_WALK_EABT, 0, 0));
	expect(f, VA | BOTH | W, bad(WEIR_SMMU_EVT_F_PERMISSION, 2, where & ~0xfffull));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATOS(sizes_and_attributes),
		ATOS(other_granules),
		ATOS(nested_answers),
		ATOS(permissions),
		ATOS(permissions_of_each_stage),
		ATOS(stage1_faults),
		ATOS(stage2_faults),
		ATOS(faults_on_the_way),
		ATOS(aborts_on_the_way),
		ATOS(updates),
		ATOS(inhibited_is_not_kept),
		ATOS(nested_updates),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: translations that are asked for", tests,
					   NULL, NULL);
}
