/* SPDX-License-Identifier: MIT */
/*
 * Changing entries under a live SMMU (src/smmuv3/entry.c), against the SMMUv3 model. The SMMU holds
 * whatever mixture it may of what was written since the last sync; entryrig.h forms them all.
 *
 * - From each of many stream table entries and context descriptors to each other, with whatever
 *   earlier changes left in unused bits, stopped after every single write: every mixture means what
 *   the entry meant, or what it is to mean, or is invalid: to the model, in all that transactions,
 *   events, answers and tags show. With RES0 bits ignored, and rejected.
 * - `hitless` is true exactly if no mixture means invalid. In the end the entry means what is
 *   wanted; bits that were never wanted are never written.
 * - Bits that are not used say nothing to the model, and do not decide which are used.
 * - On a hitless way between two entries with stage 1, each transaction that meets one of them and
 *   context descriptors found through the other gets what it gets by one of the two.
 * - Changes by name: how many syncs, and whether they are hitless.
 * - A change whose kept L1CDs would lead beyond a short table of context descriptors goes by way of
 *   invalid.
 * - A sync that fails ends the change with its error. What follows assumes nothing about what the
 *   SMMU holds until one does not fail; then all is as before.
 */

#include <string.h>

#include "entryrig.h"

/* ---- What is found through an entry ------------------------------------------------------ */

static bool translates_stage1(const uint64_t *ste)
{
	const uint64_t bits = WEIR_SMMU_STE_0_V |
			      WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1);

	return (ste[0] & bits) == bits;
}

static void check_mixed(struct rig *rig, const uint64_t *ste, const uint64_t *from)
{
	const size_t size = sizeof(rig->meanings[0].seen[0]);
	uint64_t mixed[WORDS];
	struct meaning m;

	with_found(rig->g, ste, from, mixed);
	find_meaning(rig->g, mixed, NULL, &m);
	for (unsigned int i = 0; i < PROBES; i++) {
		if (!probe_finds(rig->g, i, ste, from))
			continue;
		assert_true(!memcmp(&m.seen[i], &rig->meanings[OLD].seen[i], size) ||
			    !memcmp(&m.seen[i], &rig->meanings[NEW].seen[i], size));
	}
}

static void check_found(struct rig *rig, bool hitless)
{
	if (rig->kind != STE || !hitless || !translates_stage1(rig->from) ||
	    !translates_stage1(rig->to))
		return;
	check_mixed(rig, rig->from, rig->to);
	check_mixed(rig, rig->to, rig->from);
}

/* ---- Against the model ------------------------------------------------------------------- */

static void go_to(struct rig *rig, const uint64_t *wanted)
{
	bool hitless = false;

	assert_int_equal(change(rig, wanted, &hitless), 0);
	check_done(rig, hitless);
	check_found(rig, hitless);
	rig->meanings[OLD] = rig->meanings[NEW];
}

static bool example(struct rig *rig, unsigned int i, uint64_t *entry)
{
	return rig->kind == STE ? ste_example(rig->g, i, entry) : cd_example(rig->g, i, entry);
}

static void random_entry(struct rig *rig, uint64_t *entry)
{
	if (rig->kind == STE)
		random_ste(rig->g, entry);
	else
		random_cd(rig->g, entry);
}

/* Each to each: as first written, and with what the way there left behind. */
static void all_pairs(struct rig *rig)
{
	uint64_t a[WORDS], b[WORDS], before[WORDS];

	for (unsigned int i = 0; example(rig, i, a); i++) {
		for (unsigned int j = 0; example(rig, j, b); j++) {
			start_from(rig, a);
			go_to(rig, b);
			random_entry(rig, before);
			start_from(rig, before);
			go_to(rig, a);
			go_to(rig, b);
		}
	}
}

static void random_walk(struct rig *rig, unsigned int steps)
{
	uint64_t entry[WORDS];

	start_from(rig, zeroes);
	while (steps--) {
		random_entry(rig, entry);
		go_to(rig, entry);
	}
}

static void against_model(void **state, enum weir_model_smmuv3_reserved reserved, enum kind kind)
{
	struct ground g;
	struct rig rig;

	lay_ground(&g, *state, reserved);
	rig_up(&rig, &g, kind);
	all_pairs(&rig);
	random_walk(&rig, kind == STE ? 20000 : 10000);
	print_message("%lu mixtures\n", rig.mixtures);
}

static void test_stes(void **state)
{
	against_model(state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED, STE);
}

static void test_stes_strictly(void **state)
{
	against_model(state, WEIR_MODEL_SMMUV3_RESERVED_REJECTED, STE);
}

static void test_cds(void **state)
{
	against_model(state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED, CD);
}

static void test_cds_strictly(void **state)
{
	against_model(state, WEIR_MODEL_SMMUV3_RESERVED_REJECTED, CD);
}

static void test_nested_cds(void **state)
{
	against_model(state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED, CD_NESTED);
}

/* ---- Used bits --------------------------------------------------------------------------- */

/* Whatever is in the bits that are not used. */
static void flip_unused(struct rig *rig, const uint64_t *entry)
{
	uint64_t used[WORDS], flipped[WORDS], again[WORDS];
	struct meaning m;

	rig->writer.used(entry, used);
	meaning_of(rig, entry, &rig->meanings[OLD]);
	for (unsigned int n = 0; n < 8; n++) {
		for (unsigned int i = 0; i < WORDS; i++)
			flipped[i] =
				entry[i] ^ (rnd(rig->g) & (n & 1 ? ~0ull : rnd(rig->g)) & ~used[i]);
		rig->writer.used(flipped, again);
		assert_memory_equal(again, used, sizeof(used));
		meaning_of(rig, flipped, &m);
		assert_memory_equal(&m, &rig->meanings[OLD], sizeof(m));
	}
}

static void test_unused(void **state)
{
	uint64_t entry[WORDS];
	struct ground g;
	struct rig rig;

	lay_ground(&g, *state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED);
	for (enum kind kind = STE; kind <= CD_NESTED; kind++) {
		rig_up(&rig, &g, kind);
		for (unsigned int i = 0; example(&rig, i, entry); i++)
			flip_unused(&rig, entry);
		for (unsigned int i = 0; i < 1000; i++) {
			random_entry(&rig, entry);
			flip_unused(&rig, entry);
		}
	}
}

#define S1 WEIR_SMMU_STE_CONFIG_S1
#define S2 WEIR_SMMU_STE_CONFIG_S2
#define NESTED WEIR_SMMU_STE_CONFIG_NESTED
#define BYPASS WEIR_SMMU_STE_CONFIG_BYPASS
#define EL2 WEIR_SMMU_STE_STRW_EL2

/* An entry of zeroes uses V alone; and what the model has no use for, where others have. */
static void test_used_stes(void **state)
{
	static const struct {
		struct ste_spec spec;
		unsigned int word;
		uint64_t used, unused;
	} cases[] = {
		{ { .config = 0 }, 0, 0xf, ~0xfull },
		{ { .config = 0 }, 1, WEIR_SMMU_STE_1_CONT, ~WEIR_SMMU_STE_1_CONT },
		{ { .config = 0 }, 2, 0, ~0ull },
		{ { .config = BYPASS }, 1, WEIR_SMMU_STE_1_IMPDEF, WEIR_SMMU_STE_1_DRE },
		{ { .config = BYPASS }, 2, WEIR_SMMU_STE_2_IMPDEF, ~WEIR_SMMU_STE_2_IMPDEF },
		{ { .config = BYPASS }, 4, 0xffffffff, ~0xffffffffull },
		{ { .config = BYPASS }, 5, WEIR_SMMU_STE_5_PMG, WEIR_SMMU_STE_5_VMSPTR },
		{ { .config = S1 }, 1, WEIR_GENMASK(7, 2), 3 },
		{ { .config = S1 }, 1, WEIR_SMMU_STE_1_DRE | WEIR_SMMU_STE_1_DCP, 0xf << 20 },
		{ { .config = S1 }, 1, WEIR_SMMU_STE_1_S1PIE | WEIR_SMMU_STE_1_S1MPAM, 0 },
		{ { .config = S1 }, 2, WEIR_SMMU_STE_2_DPT_VMATCH, WEIR_SMMU_STE_2_S2S },
		{ { .config = S1, .eats = 1 }, 2, WEIR_SMMU_STE_2_S2S, WEIR_SMMU_STE_2_S2R },
		{ { .config = S1, .more1 = WEIR_SMMU_STE_1_S1MPAM }, 5, 0, WEIR_SMMU_STE_5_VMSPTR },
		{ { .config = S2 }, 1, WEIR_SMMU_STE_1_S2HWU, WEIR_SMMU_STE_1_S1PIE },
		{ { .config = S2 },
		  2,
		  WEIR_SMMU_STE_2_S2HAFT | WEIR_SMMU_STE_2_S2IR0 | WEIR_SMMU_STE_2_S2OR0,
		  WEIR_SMMU_STE_2_S2PTW },
		{ { .config = S2 }, 3, ~(WEIR_SMMU_STE_3_RES0 | 3), WEIR_SMMU_STE_3_RES0 | 3 },
		{ { .config = S2 }, 5, WEIR_SMMU_STE_5_ASSURED, WEIR_SMMU_STE_5_VMSPTR },
		{ { .config = S2 }, 7, ~0ull, 0 },
		{ { .config = NESTED, .more1 = WEIR_SMMU_STE_1_S1MPAM },
		  5,
		  WEIR_SMMU_STE_5_VMSPTR,
		  WEIR_GENMASK(63, 56) },
		{ { .config = NESTED }, 5, WEIR_SMMU_STE_5_PMG, WEIR_SMMU_STE_5_VMSPTR },
		{ { .config = NESTED }, 6, 0, ~0ull },
	};
	uint64_t used[WORDS], entry[WORDS] = { WEIR_SMMU_STE_0_V };
	struct ground g;

	lay_ground(&g, *state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED);
	weir_smmuv3_ste_used(zeroes, used);
	assert_memory_equal(used, entry, sizeof(used));
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		make_ste(&g, &cases[i].spec, entry);
		weir_smmuv3_ste_used(entry, used);
		assert_int_equal(used[cases[i].word] & cases[i].used, cases[i].used);
		assert_int_equal(used[cases[i].word] & cases[i].unused, 0);
	}
}

static void test_used_cds(void **state)
{
	uint64_t used[WORDS], entry[WORDS] = { WEIR_SMMU_CD_0_V };

	(void)state;
	weir_smmuv3_cd_used(zeroes, used);
	assert_memory_equal(used, entry, sizeof(used));
	/* Without walks: no bases, and in word 0 of both halves the two EPDs and TBIs. */
	entry[0] = WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1;
	weir_smmuv3_cd_used(entry, used);
	assert_int_equal(used[0], WEIR_GENMASK(63, 30) | WEIR_SMMU_CD_0_EPD0);
	assert_int_equal(used[1], 0xfcull << 56 | 0xe);
	assert_int_equal(used[2], 0xfcull << 56 | 0xe);
	assert_int_equal(used[3], ~0ull);
	assert_int_equal(used[4], ~0ull);
	assert_int_equal(used[5], WEIR_GENMASK(55, 0));
	assert_int_equal(used[6], WEIR_GENMASK(47, 0));
	assert_int_equal(used[7], WEIR_GENMASK(47, 0));
	entry[0] = WEIR_SMMU_CD_0_V;
	weir_smmuv3_cd_used(entry, used);
	assert_int_equal(used[0], ~0ull);
	assert_int_equal(used[1], ~(WEIR_SMMU_CD_1_RES0 | WEIR_SMMU_CD_1_NSCFG0));
}

/* ---- Changes by name --------------------------------------------------------------------- */

static void test_named_stes(void **state)
{
	static const struct {
		struct ste_spec from, to;
		unsigned int syncs;
		bool hitless;
	} cases[] = {
		{ { .config = BYPASS }, { .config = BYPASS }, 0, true },
		{ { .config = BYPASS }, { .config = 0 }, 1, true },
		{ { .config = BYPASS }, { .config = S1 }, 2, true },
		{ { .config = S1 }, { .config = BYPASS }, 1, true },
		/* Shareability is stage 1's own, but for what bypasses it. */
		{ { .config = S1 }, { .config = BYPASS, .more1 = 3ull << 44 }, 2, true },
		{ { .config = S1, .cds = 2, .s1dss = 1 },
		  { .config = BYPASS, .more1 = 3ull << 44 },
		  3,
		  false },
		{ { .config = S1 }, { .config = S1, .cds = 1 }, 1, true },
		{ { .config = S1 }, { .config = S1, .cds = 4, .s1dss = 2 }, 2, true },
		{ { .config = S1, .cds = 2, .s1dss = 2 }, { .config = S1 }, 1, true },
		{ { .config = S1, .cds = 2 }, { .config = S1, .cds = 2, .s1dss = 2 }, 1, true },
		{ { .config = S1 }, { .config = S1, .eats = 1 }, 1, true },
		{ { .config = S1, .cds = 1 }, { .config = S1, .eats = 1 }, 3, false },
		{ { .config = S1 }, { .config = S1, .vmid = 1 }, 1, true },
		/* VMIDs are of NS-EL1 alone. */
		{ { .config = S1 }, { .config = S2, .vmid = 1 }, 3, false },
		{ { .config = S1, .strw = EL2 }, { .config = S2, .vmid = 1 }, 2, true },
		{ { .config = S1 }, { .config = S2 }, 2, true },
		{ { .config = BYPASS }, { .config = S2, .vmid = 1 }, 2, true },
		{ { .config = S2, .vmid = 1 }, { .config = BYPASS }, 1, true },
		{ { .config = S2, .vmid = 1 }, { .config = NESTED, .vmid = 1 }, 2, true },
		{ { .config = NESTED, .vmid = 1 }, { .config = S2, .vmid = 1 }, 1, true },
		{ { .config = NESTED }, { .config = NESTED, .cds = 1 }, 1, true },
		{ { .config = S2 }, { .config = S2, .stage2 = 1 }, 1, true },
		{ { .config = S2 }, { .config = S2, .stage2 = 2 }, 3, false },
		/* What was found with stage 2 is not used without, nor with another one. */
		{ { .config = S1 }, { .config = NESTED }, 3, false },
		{ { .config = NESTED }, { .config = S1 }, 2, false },
		{ { .config = NESTED }, { .config = NESTED, .stage2 = 1 }, 3, false },
		{ { .config = S1, .cds = 3 }, { .config = S1, .cds = 6 }, 2, false },
		/* Nor what is a substream's without one. */
		{ { .config = S1, .cds = 2, .s1dss = 1 }, { .config = S1 }, 2, false },
		{ { .config = S1 }, { .config = S1, .cds = 3 }, 2, false },
	};
	uint64_t from[WORDS], to[WORDS];
	struct ground g;
	struct rig rig;

	lay_ground(&g, *state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED);
	rig_up(&rig, &g, STE);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		make_ste(&g, &cases[i].from, from);
		make_ste(&g, &cases[i].to, to);
		expect_change(&rig, from, to, cases[i].syncs, cases[i].hitless);
		if (cases[i].syncs > 1 || !(to[1] | to[2] | to[3]))
			expect_change(&rig, zeroes, to, to[1] ? 2 : 1, true);
		expect_change(&rig, from, zeroes, 1, true);
	}
}

/* An L1CD that the SMMU kept must not lead beyond the descriptors that its table has. */
static void test_short_cd_tables(void **state)
{
	static const struct {
		unsigned int fmt, from, to;
		bool apart, moves;
	} cases[] = {
		{ WEIR_SMMU_STE_S1FMT_4K_L2, 2, 6, true, true },
		{ WEIR_SMMU_STE_S1FMT_4K_L2, 8, 5, true, true },
		{ WEIR_SMMU_STE_S1FMT_4K_L2, 2, 6, false, false },
		{ WEIR_SMMU_STE_S1FMT_4K_L2, 2, 2, false, true },
		{ WEIR_SMMU_STE_S1FMT_4K_L2, 6, 8, false, true },
		{ WEIR_SMMU_STE_S1FMT_64K_L2, 8, 10, true, true },
		{ WEIR_SMMU_STE_S1FMT_64K_L2, 10, 12, false, true },
		{ WEIR_SMMU_STE_S1FMT_LINEAR, 2, 6, false, true },
	};

	(void)state;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		uint64_t same = WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, S1) |
				WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, cases[i].fmt);
		uint64_t from[WORDS] = { same | 0x10000 |
					 WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cases[i].from) };
		uint64_t to[WORDS] = { same | (cases[i].moves ? 0x20000 : 0x10000) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cases[i].to) };

		assert_int_equal(weir_smmuv3_ste_apart(from, to), cases[i].apart);
		assert_int_equal(weir_smmuv3_ste_apart(to, from), cases[i].apart);
	}
}

static void test_named_cds(void **state)
{
	static const struct {
		unsigned int from, to, syncs;
		bool hitless;
	} cases[] = {
		/* Of cd_example(). */
		{ 1, 1, 0, true },
		{ 0, 1, 2, true },
		{ 1, 0, 1, true },
		{ 1, 2, 1, true },  /* the ASID */
		{ 1, 3, 3, false }, /* tables of the same ASID, of both halves */
		{ 1, 4, 3, false }, /* both */
		{ 1, 5, 1, true },
		{ 1, 6, 3, false },
		/* To no walks, and from there to other tables. */
		{ 1, 10, 1, true },
		{ 10, 3, 2, true },
		{ 1, 11, 1, true },
		{ 8, 3, 3, false },
		{ 10, 11, 1, true },
	};
	uint64_t from[WORDS], to[WORDS];
	struct ground g;
	struct rig rig;

	lay_ground(&g, *state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED);
	rig_up(&rig, &g, CD);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		assert_true(cd_example(&g, cases[i].from, from));
		assert_true(cd_example(&g, cases[i].to, to));
		expect_change(&rig, from, to, cases[i].syncs, cases[i].hitless);
	}
}

/* ---- Syncs that fail --------------------------------------------------------------------- */

/* A change that fails at its nth sync; false: it has fewer. */
static bool change_fails(struct rig *rig, const uint64_t *from, const uint64_t *to,
			 unsigned int nth)
{
	int ret;

	start_from(rig, from);
	rig->nr_others = 0;
	rig->fail_at = nth;
	ret = change(rig, to, NULL);
	rig->fail_at = 0;
	if (!ret)
		return false;
	assert_int_equal(ret, -WEIR_ETIMEDOUT);
	assert_int_equal(rig->syncs, nth);
	assert_true(rig->writer.unsure);
	/* The SMMU may hold these from now on. */
	memcpy(rig->others[rig->nr_others++], from, sizeof(rig->from));
	memcpy(rig->others[rig->nr_others++], to, sizeof(rig->to));
	return true;
}

static void try_again(struct rig *rig, const uint64_t *wanted, unsigned int fail_at)
{
	bool hitless;
	int ret;

	rig->fail_at = fail_at;
	ret = change(rig, wanted, &hitless);
	rig->fail_at = 0;
	if (ret) {
		assert_int_equal(ret, -WEIR_ETIMEDOUT);
		assert_true(rig->writer.unsure);
		memcpy(rig->others[rig->nr_others++], wanted, sizeof(rig->to));
		assert_int_equal(change(rig, wanted, &hitless), 0);
	}
	assert_int_not_equal(rig->syncs, 0);
	assert_true(same(rig, rig->entry, wanted));
	assert_false(rig->writer.unsure);
	for (unsigned int i = 0; i < WORDS; i++)
		assert_int_equal(rig->nr_held[i], 1);
	rig->nr_others = 0;
}

static void test_failures(void **state)
{
	uint64_t a[WORDS], b[WORDS], c[WORDS];
	struct ground g;
	struct rig rig;

	lay_ground(&g, *state, WEIR_MODEL_SMMUV3_RESERVED_IGNORED);
	rig_up(&rig, &g, STE);
	rig.g = NULL;
	for (unsigned int i = 0; ste_example(&g, i, a); i++) {
		for (unsigned int j = 0; ste_example(&g, j, b); j++) {
			for (unsigned int nth = 1; change_fails(&rig, a, b, nth); nth++) {
				try_again(&rig, zeroes, 0);
				assert_true(change_fails(&rig, a, b, nth));
				try_again(&rig, b, 1);
				assert_true(change_fails(&rig, a, b, nth));
				try_again(&rig, a, 0);
				for (unsigned int again = 0; again < 4; again++) {
					random_ste(&g, c);
					assert_true(change_fails(&rig, a, b, nth));
					try_again(&rig, c, again);
				}
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used_cds),
		TEST_DISABLED(test_used_stes),
		cmocka_unit_test(test_short_cd_tables),
		TEST_DISABLED(test_unused),
		TEST_DISABLED(test_named_stes),
		TEST_DISABLED(test_named_cds),
		TEST_DISABLED(test_stes),
		TEST_DISABLED(test_stes_strictly),
		TEST_DISABLED(test_cds),
		TEST_DISABLED(test_cds_strictly),
		TEST_DISABLED(test_nested_cds),
		TEST_DISABLED(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
