/* SPDX-License-Identifier: MIT */

/*
 * Stage 1 of the SMMUv3 model, on hand-made tables. Proves:
 *  - both tables, TBI and EPD, each on its own half;
 *  - a leaf at every level that may have one, with three granules; every depth of walk;
 *  - every right of every descriptor, by a walk and from the TLB; hierarchical limits, HAD; AFFD.
 */

#include "smmuhost.h"

#include <string.h>

/* ---- Stage 1 -------------------------------------------------------------------------- */

static void both_halves(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), ttb1 = *at(f, cd_of(STREAM) + 16);
	const uint64_t high = 0xffff800000001000ull;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	map(f, ttb1, high, PAGE | (PAGES + 0x1000));
	expect_read(f, 0x1010, PAGES + 0x10);
	expect_read(f, high + 0x20, PAGES + 0x1020);
	expect_fault(f, 0xab00000000001000ull, WEIR_SMMU_EVT_F_TRANSLATION);
	/* The top byte is ignored in the half that says so; the record has it. */
	put_cd(f, STREAM, cd_word0(STREAM) | WEIR_SMMU_CD_0_TBI0, ttb0, ttb1);
	invalidate_all(f);
	expect_read(f, 0xab00000000001030ull, PAGES + 0x30);
	expect_fault(f, 0xab00000000005000ull, WEIR_SMMU_EVT_F_TRANSLATION);
	expect_fault(f, 0xabff800000001000ull, WEIR_SMMU_EVT_F_TRANSLATION);
	put_cd(f, STREAM, cd_word0(STREAM) | WEIR_SMMU_CD_0_EPD0, ttb0, ttb1);
	invalidate_all(f);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	expect_read(f, high, PAGES + 0x1000);
}

/* A leaf at each level that may have one, with each granule. */
static void granules_and_blocks(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned int granule, level;
		uint64_t tg0;
	} cases[] = {
		{ 12, 1, WEIR_SMMU_CD_TG0_4K },	 { 12, 2, WEIR_SMMU_CD_TG0_4K },
		{ 12, 3, WEIR_SMMU_CD_TG0_4K },	 { 14, 2, WEIR_SMMU_CD_TG0_16K },
		{ 14, 3, WEIR_SMMU_CD_TG0_16K }, { 16, 2, WEIR_SMMU_CD_TG0_64K },
		{ 16, 3, WEIR_SMMU_CD_TG0_64K },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		unsigned int granule = cases[i].granule, level = cases[i].level;
		unsigned int shift = granule + (3 - level) * (granule - 3),
			     first = granule == 16 ? 1 : 0;
		uint64_t out = 1ull << 43 | 3ull << shift, va = 5ull << shift;
		uint64_t ttb0;

		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		ttb0 = add_stream(f, STREAM);
		put_cd(f, STREAM,
		       cd_word0(STREAM) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, cases[i].tg0), ttb0,
		       0);
		invalidate_all(f);
		map_at(f, ttb0, first, granule, va, level,
		       out | LEAF | (level == 3 ? WEIR_VMSA_TYPE_PAGE : WEIR_VMSA_TYPE_BLOCK));
		expect_read(f, va + 0xabc, out + 0xabc);
		expect_read(f, va + (1ull << shift) - 4, out + (1ull << shift) - 4);
		expect_fault(f, va + (1ull << shift), WEIR_SMMU_EVT_F_TRANSLATION);
	}
}

/* The smallest and odd sizes of input: where the walk begins, and how far it reaches. */
static void input_sizes(void **state)
{
	struct fixture *f = *state;
	static const uint8_t tsz[] = { 16, 24, 25, 26, 33, 34, 39 };

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(tsz); i++) {
		uint64_t last = (1ull << (64 - tsz[i])) - 0x1000, ttb0;
		unsigned int first = 3 - (64 - tsz[i] - 1 - 12) / 9;

		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		ttb0 = add_stream(f, STREAM);
		put_cd(f, STREAM, (cd_word0(STREAM) & ~WEIR_SMMU_CD_0_T0SZ) | tsz[i], ttb0, 0);
		invalidate_all(f);
		map_at(f, ttb0, first, 12, last, 3, PAGE | PAGES);
		expect_read(f, last + 8, PAGES + 8);
		expect_fault(f, last + 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	}
}

enum { R, W, X };

/* What the architecture grants, said independently of the model. */
static bool granted(unsigned int ap, bool pxn, bool uxn, bool wxn, bool pan, bool privileged,
		    int what)
{
	bool read_only = ap & 2, user = ap & 1;
	bool user_writes = user && !read_only, kernel_writes = !read_only;

	if (!privileged)
		return what == R ? user : what == W ? user_writes : !uxn && !(wxn && user_writes);
	if (what == X)
		return !pxn && !user_writes && !(wxn && kernel_writes);
	return !(pan && user) && (what == R || kernel_writes);
}

static bool access_as(struct fixture *f, uint64_t va, bool privileged, int what)
{
	struct weir_model_txn txn = { .stream = STREAM,
				      .addr = va,
				      .len = 4,
				      .write = what == W,
				      .instruction = what == X,
				      .privileged = privileged };
	uint64_t pa;

	return dma_as(f, txn, &pa) == WEIR_MODEL_OK;
}

/* Bits of n: AP, PXN, UXN, WXN, PAN; each looked at twice, by a walk and in the TLB. */
static void every_right(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);

	put_cd(f, STREAM, cd_word0(STREAM) & ~WEIR_SMMU_CD_0_R, ttb0, 0);
	for (unsigned int n = 0; n < 64; n++) {
		bool pxn = n & 4, uxn = n & 8, wxn = n & 16, pan = n & 32;

		map(f, ttb0, 0x1000,
		    (PAGES | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF | WEIR_VMSA_NG) |
			    WEIR_SMMU_FIELD(WEIR_VMSA_AP, n & 3) | (pxn ? WEIR_VMSA_PXN : 0) |
			    (uxn ? WEIR_VMSA_UXN : 0));
		put(f, cd_of(STREAM),
		    (cd_word0(STREAM) & ~WEIR_SMMU_CD_0_R) | (wxn ? WEIR_SMMU_CD_0_WXN : 0) |
			    (pan ? WEIR_SMMU_CD_0_PAN : 0));
		invalidate_all(f);
		for (unsigned int access = 0; access < 12; access++) {
			bool privileged = access % 2;
			int what = (int)(access / 2 % 3);

			assert_int_equal(access_as(f, 0x1000, privileged, what),
					 granted(n & 3, pxn, uxn, wxn, pan, privileged, what));
		}
	}
}

/* Table descriptors limit what lies below, unless HAD says that they do not. */
static void hierarchical_rights(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), top;
	static const struct {
		uint64_t bit;
		bool privileged;
		int lost, kept;
	} cases[] = {
		{ WEIR_VMSA_APTABLE_NO_UNPRIV, false, R, X },
		{ WEIR_VMSA_APTABLE_RDONLY, false, W, R },
		{ WEIR_VMSA_APTABLE_RDONLY, true, W, R },
		{ WEIR_VMSA_UXNTABLE, false, X, R },
		{ WEIR_VMSA_PXNTABLE, true, X, R },
	};

	put(f, cd_of(STREAM), cd_word0(STREAM) & ~WEIR_SMMU_CD_0_R);
	map(f, ttb0, 0x1000, PAGE | PAGES);
	map(f, ttb0, 0x2000, (PAGE & ~WEIR_VMSA_AP_UNPRIV) | PAGES);
	top = *at(f, ttb0);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		/* Privileged execution is lost anyway where unprivileged writes are allowed. */
		uint64_t va = cases[i].privileged ? 0x2000 : 0x1000;

		put(f, cd_of(STREAM) + 8, ttb0);
		put(f, ttb0, top | cases[i].bit);
		invalidate_all(f);
		assert_false(access_as(f, va, cases[i].privileged, cases[i].lost));
		assert_true(access_as(f, va, cases[i].privileged, cases[i].kept));
		put(f, cd_of(STREAM) + 8, ttb0 | WEIR_SMMU_CD_1_HAD0);
		invalidate_all(f);
		assert_true(access_as(f, va, cases[i].privileged, cases[i].lost));
	}
}

static void access_flag_fault_disable(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);

	map(f, ttb0, 0x1000, (PAGE | PAGES) & ~WEIR_VMSA_AF);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_ACCESS);
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_AFFD);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM), 1);
	expect_read(f, 0x1000, PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_halves), TEST(granules_and_blocks), TEST(input_sizes),
		TEST(every_right), TEST(hierarchical_rights), TEST(access_flag_fault_disable),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, stage 1", tests, NULL, NULL);
}
