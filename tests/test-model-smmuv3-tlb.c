/* SPDX-License-Identifier: MIT */

/*
 * The caches of the SMMUv3 model. Proves:
 *  - what nobody invalidated stays, and what was invalidated is gone, for each command and scope;
 *  - the IOTLB is bounded; what a walk found before an invalidation comes too late;
 *  - CMD_SYNC waits for the transactions that began before it, and for no other;
 *  - device threads never reach a page after the CMD_SYNC of its invalidation.
 */

#include "smmuhost.h"

#include <pthread.h>
#include <sched.h>

/* ---- Caches --------------------------------------------------------------------------- */

/* The stream's page at `va`, cached, and then moved in memory. */
static void cache_and_move(struct fixture *f, uint64_t ttb0, uint64_t va)
{
	uint64_t leaf = map(f, ttb0, va, PAGE | PAGES);

	invalidate_all(f);
	expect_read(f, va, PAGES);
	put(f, leaf, PAGE | (PAGES + 0x1000));
	expect_read(f, va, PAGES);
}

static void expect_kept(struct fixture *f, uint64_t va)
{
	expect_read(f, va, PAGES);
}

static void expect_gone(struct fixture *f, uint64_t va)
{
	expect_read(f, va, PAGES + 0x1000);
}

static void tlb_scopes(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);
	const uint16_t asid = STREAM + 1;
	const uint64_t va = 0x123456789000;
	const struct {
		uint64_t word0, word1;
		bool gone;
	} cases[] = {
		{ WEIR_SMMU_CMD_SYNC, 0, false },
		{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, true },
		{ WEIR_SMMU_CMD_TLBI_NH_ALL, 0, true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, asid), 0, true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, asid + 1), 0, false },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), va, true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), va | 1, true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid + 1), va, false },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), va + 0x1000, false },
		{ WEIR_SMMU_CMD_TLBI_NH_VAA, va, true },
		{ WEIR_SMMU_CMD_TLBI_NH_VAA, va - 0x1000, false },
		{ for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 0, false },
		/* Ranges of (NUM + 1) << SCALE pages; entries of the granule and level named. */
		{ ranged(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), 1, 0),
		  hinted(va - 0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 0), true },
		{ ranged(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), 1, 0),
		  hinted(va - 0x2000, WEIR_SMMU_CMD_TLBI_TG_4K, 0), false },
		{ ranged(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), 0, 2),
		  hinted(va - 0x3000, WEIR_SMMU_CMD_TLBI_TG_4K, 0), true },
		{ ranged(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), 31, 39),
		  hinted(0, WEIR_SMMU_CMD_TLBI_TG_4K, 0), true },
		{ ranged(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), 31, 63),
		  hinted(va, WEIR_SMMU_CMD_TLBI_TG_4K, 0), true },
		{ ranged(WEIR_SMMU_CMD_TLBI_NH_VAA, 1, 0),
		  hinted(va - 0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 3), true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), hinted(va, WEIR_SMMU_CMD_TLBI_TG_4K, 3),
		  true },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid), hinted(va, WEIR_SMMU_CMD_TLBI_TG_4K, 2),
		  false },
		{ for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, asid),
		  hinted(va, WEIR_SMMU_CMD_TLBI_TG_64K, 3), false },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		cache_and_move(f, ttb0, va);
		command(f, cases[i].word0, cases[i].word1);
		if (cases[i].gone)
			expect_gone(f, va);
		else
			expect_kept(f, va);
	}
}

static void tlb_keeps_blocks_and_high_addresses(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), ttb1 = *at(f, cd_of(STREAM) + 16), leaf;
	const uint64_t high = 0xffffabcdef012000ull;

	leaf = map_at(f, ttb0, 0, 12, 0x40000000, 2, BLOCK | 0x50000000);
	expect_read(f, 0x40012345, 0x50012345);
	put(f, leaf, 0);
	expect_read(f, 0x401fffff, 0x501fffff);
	/* Any address in the block will do (4.4). */
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), 0x40123000);
	expect_fault(f, 0x40012345, WEIR_SMMU_EVT_F_TRANSLATION);
	leaf = map(f, ttb1, high, PAGE | PAGES);
	expect_read(f, high, PAGES);
	put(f, leaf, 0);
	expect_read(f, high, PAGES);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), high);
	expect_fault(f, high, WEIR_SMMU_EVT_F_TRANSLATION);
}

static void tlb_caches_what_is_not_permitted(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa;
	uint64_t leaf = map(f, ttb0, 0x1000, PAGE | PAGES | WEIR_VMSA_AP_RDONLY);

	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	put(f, leaf, PAGE | PAGES);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), 0x1000);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_OK);
	/* But not what is invalid. */
	expect_blocked(f, 0x2000);
	map(f, ttb0, 0x2000, PAGE | PAGES);
	expect_read(f, 0x2000, PAGES);
}

/* Global entries go by address whatever the ASID, and stay apart for each ASID. */
static void tlb_globals(void **state)
{
	struct fixture *f = *state;
	uint64_t mine = add_stream(f, STREAM), other = add_stream(f, 6), leaf, pa;

	leaf = map(f, mine, 0x1000, (PAGE & ~WEIR_VMSA_NG) | PAGES);
	map(f, other, 0x1000, (PAGE & ~WEIR_VMSA_NG) | (PAGES + 0x2000));
	expect_read(f, 0x1000, PAGES);
	assert_int_equal(dma(f, 6, 0x1000, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES + 0x2000);
	expect_read(f, 0x1000, PAGES);
	put(f, leaf, (PAGE & ~WEIR_VMSA_NG) | (PAGES + 0x1000));
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, 99), 0);
	expect_kept(f, 0x1000);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 99), 0x1000);
	expect_gone(f, 0x1000);
}

static void streams_share_an_address_space(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa, walks;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	put(f, ste_of(6), WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | cd_of(STREAM));
	expect_read(f, 0x1000, PAGES);
	walks = stats_of(f).walks;
	assert_int_equal(dma(f, 6, 0x1000, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(stats_of(f).walks, walks);
	assert_int_equal(stats_of(f).tlb_hits, 1);
	assert_int_equal(stats_of(f).tlb_lookups, 2);
}

static void configuration_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), fetches;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
	fetches = stats_of(f).ste_fetches;
	put(f, ste_of(STREAM), 0);
	put(f, cd_of(STREAM), 0);
	expect_read(f, 0x1000, PAGES);
	assert_int_equal(stats_of(f).ste_fetches, fetches);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM + 1), 1);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM + 1), 1);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, STREAM + 2), 0);
	expect_read(f, 0x1000, PAGES);
	/* The CD alone: its STE is still the old one. */
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM), 1);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
	/* What is invalid is kept as well. */
	put_cd(f, STREAM, cd_word0(STREAM), ttb0, 0);
	expect_blocked(f, 0x1000);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, STREAM), 0);
	expect_read(f, 0x1000, PAGES);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE_RANGE, STREAM - 1), 0);
	expect_blocked(f, 0x1000);
	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_S1);
	expect_blocked(f, 0x1000);
	command(f, WEIR_SMMU_CMD_CFGI_STE_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	expect_read(f, 0x1000, PAGES);
	/* An STE takes its CD along (4.3.1). */
	put(f, cd_of(STREAM), 0);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	expect_blocked(f, 0x1000);
}

static void tlb_is_bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0, walks;

	weir_model_smmuv3_destroy(f->smmu);
	assert_int_equal(create(f, 8), 0);
	enable(f);
	ttb0 = add_stream(f, STREAM);
	for (uint64_t page = 0; page < 64; page++)
		map(f, ttb0, page << 12, PAGE | (PAGES + (page << 12)));
	for (unsigned int round = 0; round < 4; round++)
		for (uint64_t page = 0; page < 64; page++)
			expect_read(f, page << 12, PAGES + (page << 12));
	walks = stats_of(f).walks;
	assert_true(walks > 3 * 56 && walks <= 4 * 64);
	for (uint64_t page = 0; page < 64; page++)
		map(f, ttb0, page << 12, 0);
	walks = 0;
	for (uint64_t page = 0; page < 64; page++) {
		uint64_t pa;

		walks += dma(f, STREAM, page << 12, false, &pa) == WEIR_MODEL_OK;
	}
	assert_true(walks > 0 && walks <= 8);
}

/* What a walk found before an invalidation comes too late. */
static void late_insertions_are_dropped(void **state)
{
	struct fixture *f = *state;
	struct smmu_cache *tlb = &f->smmu->tlb;
	uint64_t generation = smmu_cache_generation(tlb), key[2] = { 0x1000 | 12 << 1 | 1, 7 },
		 data = 5;

	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 99), 0x5000);
	weir_model_smmu_cache_insert(tlb, key, &data, generation);
	assert_false(smmu_cache_lookup(tlb, key, &data));
	weir_model_smmu_cache_insert(tlb, key, &data, smmu_cache_generation(tlb));
	assert_true(smmu_cache_lookup(tlb, key, &data));
}

/* ---- Transactions in flight ----------------------------------------------------------- */

static void sync_waits_for_flights(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn before = { .stream = STREAM, .addr = 0x1000, .len = 4 },
			      after = before;
	uint64_t pa;

	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	assert_int_equal(weir_model_smmuv3_iommu_ops.translate(f->smmu, &before, &pa),
			 WEIR_MODEL_OK);
	queue_command(f, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(weir_model_smmuv3_iommu_ops.translate(f->smmu, &after, &pa),
			 WEIR_MODEL_OK);
	assert_int_equal(step(f, 10), 0);
	taken(&f->kicks);
	weir_model_smmuv3_iommu_ops.complete(f->smmu, &before);
	assert_int_equal(taken(&f->kicks), 1);
	/* The younger one is not waited for. */
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 2);
	weir_model_smmuv3_iommu_ops.complete(f->smmu, &after);
	assert_int_equal(taken(&f->kicks), 0);
	/* A CMD_SYNC that waits and is withdrawn leaves nothing to the next one. */
	assert_int_equal(weir_model_smmuv3_iommu_ops.translate(f->smmu, &before, &pa),
			 WEIR_MODEL_OK);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	weir_model_smmuv3_iommu_ops.complete(f->smmu, &before);
	put(f, CMDQ + 2 * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_TLBI_NSNH_ALL);
	assert_int_equal(weir_model_smmuv3_iommu_ops.translate(f->smmu, &after, &pa),
			 WEIR_MODEL_OK);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 1);
	weir_model_smmuv3_iommu_ops.complete(f->smmu, &after);
	assert_int_equal(step(f, 10), 1);
}

/* More at once than there are slots: all count, all are waited for. */
static void crowded(void **state)
{
	struct fixture *f = *state;
	struct weir_model_txn txns[SMMU_FLIGHTS + 10];
	uint64_t pa;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(txns); i++) {
		txns[i] = (struct weir_model_txn){ .stream = STREAM, .addr = PAGES, .len = 4 };
		assert_int_equal(weir_model_smmuv3_iommu_ops.translate(f->smmu, &txns[i], &pa),
				 WEIR_MODEL_OK);
	}
	assert_int_equal(stats_of(f).transactions, WEIR_ARRAY_SIZE(txns));
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(txns); i++) {
		assert_int_equal(step(f, 10), 0);
		weir_model_smmuv3_iommu_ops.complete(f->smmu, &txns[i]);
	}
	assert_int_equal(step(f, 10), 1);
}

/* ---- Threads -------------------------------------------------------------------------- */

#define DEVICES 2
#define THREAD_PAGES 8
#define ROUNDS 400

/*
 * One page frame for each mapping and round, marked free (0) or lent (1) by the CPU: a device that
 * finds itself at a frame that is free reached it after its CMD_SYNC. Frames are used in turn.
 */
struct storm {
	struct fixture *f;
	uint64_t leaves[THREAD_PAGES];
	uint32_t lent[2 * THREAD_PAGES];
	uint32_t stop, bad, reached;
};

static void *storm_device(void *opaque)
{
	struct storm *s = opaque;
	unsigned int n = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		struct weir_model_txn txn = { .stream = STREAM,
					      .addr = (uint64_t)(n++ % THREAD_PAGES) << 12,
					      .len = 4,
					      .write = true };
		uint64_t pa;

		if (weir_model_smmuv3_iommu_ops.translate(s->f->smmu, &txn, &pa) != WEIR_MODEL_OK)
			continue;
		if (!__atomic_load_n(&s->lent[(pa - PAGES) >> 12], __ATOMIC_ACQUIRE))
			__atomic_store_n(&s->bad, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&s->reached, 1, __ATOMIC_RELAXED);
		weir_model_smmuv3_iommu_ops.complete(s->f->smmu, &txn);
	}
	return NULL;
}

static void invalidate_and_wait(struct fixture *f, uint64_t va)
{
	queue_command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), va);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	while (rd(f, WEIR_SMMU_CMDQ_CONS, 4) != rd(f, WEIR_SMMU_CMDQ_PROD, 4)) {
		sched_yield();
		step(f, 2);
	}
}

/* Unmap, invalidate, wait, take the frame back; then lend the other one. */
static void storm_cpu(struct storm *s)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int page = round % THREAD_PAGES;
		unsigned int old = 2 * page + (round / THREAD_PAGES) % 2, new = old ^ 1;

		put(s->f, s->leaves[page], 0);
		invalidate_and_wait(s->f, (uint64_t)page << 12);
		__atomic_store_n(&s->lent[old], 0, __ATOMIC_RELEASE);
		__atomic_store_n(&s->lent[new], 1, __ATOMIC_RELEASE);
		put(s->f, s->leaves[page], PAGE | (PAGES + ((uint64_t) new << 12)));
		wr(s->f, WEIR_SMMU_EVENTQ_CONS, 4, rd(s->f, WEIR_SMMU_EVENTQ_PROD, 4));
	}
}

static void nothing_is_reached_after_its_sync(void **state)
{
	struct fixture *f = *state;
	struct storm s = { .f = f };
	pthread_t threads[DEVICES];
	uint64_t ttb0 = add_stream(f, STREAM);
	struct weir_model_smmuv3_stats stats;

	for (unsigned int page = 0; page < THREAD_PAGES; page++) {
		s.lent[2 * page] = 1;
		s.leaves[page] = map(f, ttb0, (uint64_t)page << 12,
				     PAGE | (PAGES + ((uint64_t)2 * page << 12)));
	}
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_device, &s), 0);
	storm_cpu(&s);
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.bad, 0);
	assert_true(s.reached > 0);
	stats = stats_of(f);
	assert_int_equal(stats.syncs, ROUNDS);
	assert_int_equal(stats.transactions, stats.blocked + s.reached);
	assert_int_equal(stats.blocked, stats.events_written + stats.events_lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tlb_scopes),
		TEST(tlb_keeps_blocks_and_high_addresses),
		TEST(tlb_caches_what_is_not_permitted),
		TEST(tlb_globals),
		TEST(streams_share_an_address_space),
		TEST(configuration_is_kept),
		TEST(tlb_is_bounded),
		TEST(late_insertions_are_dropped),
		TEST(sync_waits_for_flights),
		TEST(crowded),
		TEST(nothing_is_reached_after_its_sync),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, caches", tests, NULL, NULL);
}
