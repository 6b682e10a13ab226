/* SPDX-License-Identifier: MIT */

/*
 * The adversarial caches of the SMMUv3 model. Proves:
 *  - of each mistake that software can make with what is cached: it shows at once, whether or not
 *    normal caches forgive it; without the mistake nothing is stale, with any caches;
 *  - random changes, each correctly invalidated, are always seen, whatever is prefetched;
 *  - what is prefetched stays in its table, records nothing and updates nothing;
 *  - a seed repeats;
 *  - would_remove() says what a command takes out that others do not, takes nothing out itself, and
 *    agrees with what is left when the command was executed; put_off() says what waits.
 */

#include "smmuworlds.h"

#include <string.h>

#define VA 0x1234567000ull
#define OLD PAGES
#define NEW (PAGES + 0x10000)
#define TURNS 200 /* until all that is prefetched at will has been */

static bool reads(struct fixture *f, uint32_t sid, uint64_t va, uint64_t pa)
{
	uint64_t got = 0;

	return dma(f, sid, va, false, &got) == WEIR_MODEL_OK && got == pa;
}

/* Traffic, and nothing of it goes wrong. */
static void keep_busy(struct fixture *f, uint32_t sid, uint64_t va)
{
	uint64_t pa;

	for (unsigned int i = 0; i < TURNS; i++)
		assert_int_equal(dma(f, sid, va, false, &pa), WEIR_MODEL_OK);
}

static void drop_events(struct fixture *f)
{
	uint64_t record[4];

	while (pop_event(f, record))
		;
}

/*
 * ---- Mistakes -----------------------------------------------------------------------------------
 */

/* Each makes a change, and says whether it is seen. `right`: with all that a change asks for. */

static uint64_t tlbi_va(void)
{
	return for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), WORLDS_VMID);
}

static bool page_without_tlbi(struct fixture *f, bool right)
{
	uint64_t leaf = map(f, add_el1(f, STREAM), VA, PAGE | OLD);

	expect_read(f, VA, OLD);
	put(f, leaf, PAGE | NEW);
	if (right)
		command_sync(f, tlbi_va(), VA | WEIR_SMMU_CMD_1_LEAF);
	return reads(f, STREAM, VA, NEW);
}

static bool page_without_sync(struct fixture *f, bool right)
{
	uint64_t leaf = map(f, add_el1(f, STREAM), VA, PAGE | OLD);

	expect_read(f, VA, OLD);
	put(f, leaf, PAGE | NEW);
	command(f, tlbi_va(), VA | WEIR_SMMU_CMD_1_LEAF);
	if (right)
		command(f, WEIR_SMMU_CMD_SYNC, 0);
	return reads(f, STREAM, VA, NEW);
}

/* Nobody ever touched it. */
static bool idle_page_without_tlbi(struct fixture *f, bool right)
{
	uint64_t table = add_el1(f, STREAM), leaf;

	map(f, table, VA, PAGE | OLD);
	leaf = map(f, table, VA ^ 0x4000, PAGE | OLD);
	keep_busy(f, STREAM, VA);
	put(f, leaf, PAGE | NEW);
	if (right)
		command_sync(f, tlbi_va(), VA ^ 0x4000);
	return reads(f, STREAM, VA ^ 0x4000, NEW);
}

static uint64_t entry_of(struct fixture *f, uint64_t table, uint64_t va, unsigned int level)
{
	for (unsigned int l = 0; l < level; l++)
		table = *at(f, table + (va >> (39 - 9 * l) & 511) * 8) & WEIR_VMSA_ADDR;
	return table + (va >> (39 - 9 * level) & 511) * 8;
}

static bool table_with_leaf_tlbi(struct fixture *f, bool right)
{
	uint64_t table = add_el1(f, STREAM), other = new_table(f);

	map(f, table, VA, PAGE | OLD);
	map(f, other, VA, PAGE | NEW);
	expect_read(f, VA, OLD);
	put(f, entry_of(f, table, VA, 2), *at(f, entry_of(f, other, VA, 2)));
	command_sync(f, tlbi_va(), VA | (right ? 0 : WEIR_SMMU_CMD_1_LEAF));
	return reads(f, STREAM, VA, NEW);
}

/* A block became a table: a level that is not the leaf's any more. */
static bool block_with_wrong_level(struct fixture *f, bool right)
{
	uint64_t table = add_el1(f, STREAM), va = VA & ~0x1fffffull, entry;

	entry = map_at(f, table, 0, 12, va, 2, BLOCK | PAGES);
	expect_read(f, va, PAGES);
	put(f, entry, BLOCK | (PAGES + 0x200000));
	command_sync(f, tlbi_va(), hinted(va, WEIR_SMMU_CMD_TLBI_TG_4K, right ? 2 : 3));
	return reads(f, STREAM, va, PAGES + 0x200000);
}

static bool asid_for_global_page(struct fixture *f, bool right)
{
	const uint64_t global = PAGE & ~WEIR_VMSA_NG;
	uint64_t leaf = map(f, add_el1(f, STREAM), VA, global | OLD);
	uint64_t tlbi = right ? WEIR_SMMU_CMD_TLBI_NH_ALL : WEIR_SMMU_CMD_TLBI_NH_ASID;

	expect_read(f, VA, OLD);
	put(f, leaf, global | NEW);
	command_sync(f, for_vmid(right ? tlbi : for_asid(tlbi, STREAM + 1), WORLDS_VMID), 0);
	return reads(f, STREAM, VA, NEW);
}

/* Address spaces of their own, with pages that say that they are everybody's. */
static bool global_pages_that_differ(struct fixture *f, bool right)
{
	const uint64_t page = right ? PAGE : PAGE & ~WEIR_VMSA_NG;

	map(f, add_el1(f, STREAM), VA, page | OLD);
	map(f, add_el1(f, 40), VA, page | NEW);
	expect_read(f, VA, OLD);
	return reads(f, 40, VA, NEW);
}

static bool stage2_without_stage1(struct fixture *f, bool right)
{
	uint64_t table = add_el1(f, STREAM), stage2 = add_stage2(f, STREAM, WORLDS_VMID), leaf;
	const uint64_t ipa = 0x80000000;

	nest(f, STREAM, stage2, WORLDS_VMID);
	map(f, table, VA, PAGE | ipa);
	leaf = map2(f, stage2, ipa, OLD);
	expect_read(f, VA, OLD);
	put(f, leaf, PAGE2 | NEW);
	command(f, for_vmid(WEIR_SMMU_CMD_TLBI_S2_IPA, WORLDS_VMID), ipa);
	command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_ALL, right ? WORLDS_VMID : 9), 0);
	return reads(f, STREAM, VA, NEW);
}

/* Stage 2 under the tables of stage 1: entries that only walks use. */
static bool stage2_of_tables_without_tlbi(struct fixture *f, bool right)
{
	uint64_t table = add_el1(f, STREAM), stage2 = add_stage2(f, STREAM, WORLDS_VMID), leaf;
	uint64_t other = new_table(f), ipa = 0x90000000;

	nest(f, STREAM, stage2, WORLDS_VMID);
	map(f, table, VA, PAGE | OLD);
	map(f, other, VA, PAGE | NEW);
	/* The last table is at ipa, where the one of the two lies, then the other. */
	leaf = map2(f, stage2, ipa, *at(f, entry_of(f, table, VA, 2)) & WEIR_VMSA_ADDR);
	put(f, entry_of(f, table, VA, 2), ipa | WEIR_VMSA_TYPE_TABLE);
	expect_read(f, VA, OLD);
	put(f, leaf, PAGE2 | (*at(f, entry_of(f, other, VA, 2)) & WEIR_VMSA_ADDR));
	if (right)
		command(f, for_vmid(WEIR_SMMU_CMD_TLBI_S2_IPA, WORLDS_VMID), ipa);
	command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_ALL, WORLDS_VMID), 0);
	return reads(f, STREAM, VA, NEW);
}

static bool ste_without_cfgi(struct fixture *f, bool right)
{
	uint64_t saved;

	map(f, add_el1(f, STREAM), VA, PAGE | NEW);
	saved = *at(f, ste_of(STREAM));
	put(f, ste_of(STREAM), 0);
	expect_blocked(f, VA);
	put(f, ste_of(STREAM), saved);
	if (right)
		command_sync(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	return reads(f, STREAM, VA, NEW);
}

/* V == 0 while only a neighbour was busy. */
static bool idle_ste_without_cfgi(struct fixture *f, bool right)
{
	map(f, add_el1(f, STREAM ^ 1), VA, PAGE | OLD);
	keep_busy(f, STREAM ^ 1, VA);
	map(f, add_el1(f, STREAM), VA, PAGE | NEW);
	if (right)
		command_sync(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	return reads(f, STREAM, VA, NEW);
}

static enum weir_model_result read_as(struct fixture *f, uint32_t ssid, uint64_t *pa)
{
	struct weir_model_txn txn = {
		.stream = STREAM,
		.substream = ssid,
		.addr = VA,
		.flags = WEIR_MODEL_TXN_SUBSTREAM,
	};
	struct weir_model_translation out = { 0 };
	enum weir_model_result result = dma_as(f, txn, &out);

	*pa = out.addr;
	return result;
}

#define CD_TABLE (CDS + 0x8000) /* 2^10 for L1CDs, then tables of 64 CDs */

static void put_substream(struct fixture *f, uint64_t cd, uint32_t asid, uint64_t pa)
{
	uint64_t table = new_table(f);

	map(f, table, VA, PAGE | pa);
	put(f, cd + 8, table);
	put(f, cd + 16, table);
	put(f, cd, cd_word0(asid));
}

static bool idle_cd_without_cfgi(struct fixture *f, bool right)
{
	uint64_t pa;

	add_el1(f, STREAM);
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 3) | CD_TABLE);
	put_substream(f, CD_TABLE + WEIR_SMMU_CD_SIZE, 60, OLD);
	for (unsigned int i = 0; i < TURNS; i++)
		assert_int_equal(read_as(f, 1, &pa), WEIR_MODEL_OK);
	put_substream(f, CD_TABLE + 5 * WEIR_SMMU_CD_SIZE, 61, NEW);
	if (right)
		command_sync(f,
			     for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM) |
				     WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, 5),
			     1);
	return read_as(f, 5, &pa) == WEIR_MODEL_OK && pa == NEW;
}

/* The first level of a CD table is changed, and the second invalidated alone. */
static bool l1cd_with_leaf_cfgi(struct fixture *f, bool right)
{
	const uint64_t tables[] = { CD_TABLE + 0x1000, CD_TABLE + 0x2000 };
	uint64_t pa;

	add_el1(f, STREAM);
	put(f, ste_of(STREAM),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, WEIR_SMMU_STE_S1FMT_4K_L2) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 8) | CD_TABLE);
	put(f, CD_TABLE, tables[0] | WEIR_SMMU_L1CD_V);
	put_substream(f, tables[0] + 5 * WEIR_SMMU_CD_SIZE, 60, OLD);
	put_substream(f, tables[1] + 5 * WEIR_SMMU_CD_SIZE, 61, NEW);
	assert_int_equal(read_as(f, 5, &pa), WEIR_MODEL_OK);
	put(f, CD_TABLE, tables[1] | WEIR_SMMU_L1CD_V);
	command_sync(f,
		     for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM) |
			     WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, 5),
		     right ? 0 : WEIR_SMMU_CMD_1_LEAF);
	return read_as(f, 5, &pa) == WEIR_MODEL_OK && pa == NEW;
}

/* The same of the stream table: 64 STEs below each of its first level. */
static bool l1std_with_leaf_cfgi(struct fixture *f, bool right)
{
	const uint64_t first = CD_TABLE, second = CD_TABLE + 0x1000;

	map(f, add_el1(f, STREAM), VA, PAGE | NEW);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	step(f, 1);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, first);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4,
	   8 | WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, 6) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_FMT,
				   WEIR_SMMU_STRTAB_BASE_CFG_FMT_2LVL));
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	step(f, 1);
	/* 2^(7 - 1) STEs, all invalid; then those of the fixture. */
	put(f, first, second | 7);
	expect_blocked(f, VA);
	put(f, first, STRTAB | 7);
	command_sync(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), right ? 0 : 1);
	return reads(f, STREAM, VA, NEW);
}

static const struct mistake {
	const char *name;
	bool (*make)(struct fixture *f, bool right);
	bool forgiven; /* by normal caches */
} mistakes[] = {
	{ "a page is remapped without a CMD_TLBI", page_without_tlbi, false },
	{ "a CMD_TLBI is not waited for", page_without_sync, true },
	{ "a page that nobody used is remapped without one", idle_page_without_tlbi, true },
	{ "a table is replaced with Leaf == 1", table_with_leaf_tlbi, true },
	{ "the hint names another level", block_with_wrong_level, false },
	{ "an ASID is invalidated for a global page", asid_for_global_page, true },
	{ "pages are global and differ", global_pages_that_differ, true },
	{ "stage 2 is invalidated, the nested entries are not", stage2_without_stage1, false },
	{ "nested entries are invalidated, stage 2 is not", stage2_of_tables_without_tlbi, false },
	{ "an STE becomes valid without a CMD_CFGI", ste_without_cfgi, true },
	{ "one that nobody used does", idle_ste_without_cfgi, true },
	{ "a CD that nobody used does", idle_cd_without_cfgi, true },
	{ "an L1CD is changed with Leaf == 1", l1cd_with_leaf_cfgi, true },
	{ "an L1STD is", l1std_with_leaf_cfgi, true },
};

static bool make(struct fixture *f, const struct mistake *mistake,
		 enum weir_model_smmuv3_caches caches, bool right)
{
	f->next_table = TABLES;
	memset(f->ram, 0, RAM_SIZE);
	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_CD2L;
	have_worlds(f, caches);
	return mistake->make(f, right);
}

static void mistakes_show(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(mistakes); i++) {
		const struct mistake *mistake = &mistakes[i];

		print_message("%s\n", mistake->name);
		assert_true(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_OFF, true));
		assert_true(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_OFF, false));
		assert_true(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_NORMAL, true));
		assert_int_equal(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_NORMAL, false),
				 mistake->forgiven);
		assert_true(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, true));
		assert_false(make(f, mistake, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, false));
	}
}

/*
 * ---- None
 * ------------------------------------------------------------------------------------------
 */

#define STREAMS 4u
#define SPAN_PAGES 64u

struct guest {
	struct fixture *f;
	uint64_t tables[STREAMS];
	uint64_t pages[STREAMS][SPAN_PAGES]; /* where each is; 0: nowhere */
	bool valid[STREAMS];
	uint64_t random;
};

static uint32_t pick(struct guest *g, uint32_t limit)
{
	g->random = g->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(g->random >> 33) % limit;
}

static void change_page(struct guest *g, uint32_t n)
{
	uint32_t page = pick(g, SPAN_PAGES);
	uint64_t pa = pick(g, 3) ? PAGES + ((uint64_t)pick(g, 256) << 12) : 0;
	uint64_t va = VA + ((uint64_t)page << 12), old = g->pages[n][page];

	/* Break before make (3.21.1.1); what was invalid is in no cache. */
	if (old) {
		map(g->f, g->tables[n], va, 0);
		command(g->f,
			for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, (uint16_t)(n + 1)),
				 WORLDS_VMID),
			va | pick(g, 2));
		command(g->f, WEIR_SMMU_CMD_SYNC, 0);
	}
	if (pa)
		map(g->f, g->tables[n], va, PAGE | pa);
	g->pages[n][page] = pa;
}

static void change_stream(struct guest *g, uint32_t n)
{
	uint64_t ste = *at(g->f, ste_of(n)) & ~WEIR_SMMU_STE_0_V;

	g->valid[n] = !g->valid[n];
	put(g->f, ste_of(n), ste | (g->valid[n] ? WEIR_SMMU_STE_0_V : 0));
	if (pick(g, 2))
		command(g->f, for_stream(WEIR_SMMU_CMD_CFGI_STE, n), pick(g, 2));
	else
		command(g->f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, n ^ 1), 1 + pick(g, 3));
	command(g->f, WEIR_SMMU_CMD_SYNC, 0);
}

static void check_read(struct guest *g)
{
	uint32_t n = pick(g, STREAMS), page = pick(g, SPAN_PAGES);
	uint64_t va = VA + ((uint64_t)page << 12), pa = 0;
	bool ok = g->valid[n] && g->pages[n][page];

	assert_int_equal(dma(g->f, n, va, pick(g, 2), &pa),
			 ok ? WEIR_MODEL_OK : WEIR_MODEL_BLOCKED);
	if (ok)
		assert_int_equal(pa, g->pages[n][page]);
	else
		drop_events(g->f);
}

static void random_guest(struct fixture *f, enum weir_model_smmuv3_caches caches, uint64_t seed)
{
	struct guest g = { .f = f, .random = seed };

	f->next_table = TABLES;
	memset(f->ram, 0, RAM_SIZE);
	have_worlds(f, caches);
	for (uint32_t n = 0; n < STREAMS; n++) {
		g.tables[n] = add_el1(f, n);
		g.valid[n] = true;
	}
	for (unsigned int turn = 0; turn < 3000; turn++) {
		if (!pick(&g, 4))
			change_page(&g, pick(&g, STREAMS));
		if (!pick(&g, 32))
			change_stream(&g, pick(&g, STREAMS));
		check_read(&g);
	}
}

static void right_guests_see_nothing_stale(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		random_guest(*state, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, seed);
	random_guest(*state, WEIR_MODEL_SMMUV3_CACHES_NORMAL, 1);
	random_guest(*state, WEIR_MODEL_SMMUV3_CACHES_OFF, 1);
}

/*
 * ---- Bounds
 * ----------------------------------------------------------------------------------------
 */

static void enable_smmu(struct fixture *f, bool on)
{
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN | (on ? WEIR_SMMU_CR0_SMMUEN : 0));
	step(f, 1);
}

/* What is beyond the stream table is not cached for when the table is larger. */
static void stays_in_the_table(void **state)
{
	struct fixture *f = *state;
	const uint32_t in = 1, out = 3 ^ 4;

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	map(f, add_el1(f, 3), VA, PAGE | OLD);
	enable_smmu(f, false);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 2);
	enable_smmu(f, true);
	keep_busy(f, 3, VA);
	enable_smmu(f, false);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 8);
	map(f, add_el1(f, in), VA, PAGE | OLD);
	map(f, add_el1(f, out), VA, PAGE | OLD);
	enable_smmu(f, true);
	assert_false(reads(f, in, VA, OLD));
	assert_true(reads(f, out, VA, OLD));
}

/* Neighbours of all kinds are broken; nobody is told. */
static void records_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t table;

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	table = add_el1(f, STREAM);
	map(f, table, VA, PAGE | OLD);
	map(f, table, VA ^ 0x1000, PAGE | (NOWHERE << 4));
	map_at(f, table, 0, 12, VA ^ 0x200000, 2, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	put_ste(f, STREAM ^ 1, 3);
	put(f, ste_of(STREAM ^ 2), ~0ull);
	keep_busy(f, STREAM, VA);
	expect_no_event(f);
	assert_int_equal(stats_of(f).transactions, TURNS);
	assert_int_equal(stats_of(f).blocked, 0);
}

/* 3.14: speculation sets no access flag, and makes no page dirty. */
static void updates_nothing(void **state)
{
	struct fixture *f = *state;
	const uint64_t page = (PAGE & ~WEIR_VMSA_AF) | WEIR_VMSA_DBM | WEIR_VMSA_AP_RDONLY;
	uint64_t table, leaf, neighbour, pa;

	f->config.idr[0] |=
		(uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF_DIRTY);
	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	table = add_el1(f, STREAM);
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD);
	leaf = map(f, table, VA, page | OLD);
	neighbour = map(f, table, VA ^ 0x1000, page | NEW);
	for (unsigned int i = 0; i < TURNS; i++)
		assert_int_equal(dma(f, STREAM, VA, true, &pa), WEIR_MODEL_OK);
	assert_int_equal(*at(f, leaf), PAGE | WEIR_VMSA_DBM | OLD);
	assert_int_equal(*at(f, neighbour), page | NEW);
}

static void a_seed_repeats(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_stats stats[3];

	for (unsigned int run = 0; run < 3; run++) {
		uint64_t table;

		f->next_table = TABLES;
		memset(f->ram, 0, RAM_SIZE);
		have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
		f->config.seed = run < 2 ? 7 : 8;
		start(f);
		table = add_el1(f, STREAM);
		for (uint64_t page = 0; page < SPAN_PAGES; page++)
			map(f, table, VA + (page << 12), PAGE | OLD);
		for (unsigned int i = 0; i < 30; i++)
			expect_read(f, VA, OLD);
		stats[run] = stats_of(f);
	}
	assert_memory_equal(&stats[0], &stats[1], sizeof(stats[0]));
	assert_memory_not_equal(&stats[0], &stats[2], sizeof(stats[0]));
}

static struct weir_model_smmuv3_held held_by(struct fixture *f, uint64_t word0, uint64_t word1,
					     const uint64_t (*others)[2], unsigned int nr_others)
{
	const uint64_t command[2] = { word0, word1 };
	struct weir_model_smmuv3_held held;

	assert_int_equal(weir_model_smmuv3_would_remove(f->smmu, command, others, nr_others, &held),
			 0);
	return held;
}

static void counts_what_a_command_would_remove(void **state)
{
	static const struct weir_model_smmuv3_held nothing;
	struct fixture *f = *state;
	const uint64_t leaf = VA | WEIR_SMMU_CMD_1_LEAF;
	const uint64_t cfgi = for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM);
	const uint64_t cds = for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM);
	const uint64_t neighbour = for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM ^ 1);
	const uint64_t both[2][2] = { { tlbi_va(), VA }, { cds, 0 } };
	struct weir_model_smmuv3_held held;
	uint64_t waits[2][2];

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	map(f, add_el1(f, STREAM), VA, PAGE | OLD);
	held = held_by(f, tlbi_va(), VA, NULL, 0);
	assert_memory_equal(&held, &nothing, sizeof(held));
	keep_busy(f, STREAM, VA);
	for (unsigned int twice = 0; twice < 2; twice++) {
		held = held_by(f, tlbi_va(), leaf, NULL, 0);
		assert_int_equal(held.translations, 1);
		assert_int_equal(held.tables[3] + held.stes + held.cds, 0);
		held = held_by(f, tlbi_va(), VA, NULL, 0);
		assert_int_equal(held.translations, 1);
		assert_int_equal(held.tables[1], 1);
		assert_int_equal(held.tables[2], 1);
		assert_int_equal(held.tables[3], 1);
		held = held_by(f, cfgi, 0, NULL, 0);
		assert_int_equal(held.stes, 1);
		assert_true(held.cds > 0);
		/* Nobody used it: V == 0. */
		assert_int_equal(held_by(f, neighbour, 0, NULL, 0).stes, 1);
	}
	/* What others take, and what is none. */
	held = held_by(f, tlbi_va(), leaf, both, 1);
	assert_memory_equal(&held, &nothing, sizeof(held));
	held = held_by(f, cfgi, 0, both, 2);
	assert_int_equal(held.stes, 1);
	assert_int_equal(held.cds, 0);
	held = held_by(f, WEIR_SMMU_CMD_SYNC, 0, NULL, 0);
	assert_memory_equal(&held, &nothing, sizeof(held));
	/* Consumed, it waits; executed, nothing is left of it. */
	command(f, tlbi_va(), VA);
	assert_int_equal(weir_model_smmuv3_put_off(f->smmu, waits, 2), 1);
	assert_memory_equal(waits[0], both[0], sizeof(waits[0]));
	assert_int_equal(held_by(f, tlbi_va(), VA, NULL, 0).translations, 1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(weir_model_smmuv3_put_off(f->smmu, waits, 2), 0);
	held = held_by(f, tlbi_va(), VA, NULL, 0);
	assert_memory_equal(&held, &nothing, sizeof(held));
	assert_int_equal(held_by(f, cfgi, 0, NULL, 0).stes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mistakes_show),
		TEST(right_guests_see_nothing_stale),
		TEST(stays_in_the_table),
		TEST(records_nothing),
		TEST(updates_nothing),
		TEST(a_seed_repeats),
		TEST(counts_what_a_command_would_remove),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, adversarial caches", tests, NULL, NULL);
}
