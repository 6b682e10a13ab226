/* SPDX-License-Identifier: MIT */

/*
 * The caches of the SMMUv3 model, as caches. Proves:
 *  - what is not permitted is cached, what is invalid is not; streams share an address space;
 *  - the IOTLB is bounded, or off, and all caches are off where they are to be;
 *  - threads that insert at once leave whole entries, and a set that works; all its ways are used;
 *  - what a walk found before an invalidation comes too late; entries keep all that they are given;
 *  - a removal waits for who writes a set; what was read while configuration changed counts once;
 *  - device threads never reach a page after the CMD_SYNC of its invalidation, whether the page was
 *    unmapped or its context descriptor given another table.
 */

#include "smmuworlds.h"

#include "smmuv3/internal.h"

#include <pthread.h>
#include <sched.h>

#define OLD PAGES
#define NEW (PAGES + 0x1000)

/* ---- What is cached, and how much ----------------------------------------------------------- */

static void caches_what_is_not_permitted(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa, leaf;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	start(f);
	leaf = map(f, ttb0, 0x1000, PAGE | PAGES | WEIR_VMSA_AP_RDONLY);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	put(f, leaf, PAGE | PAGES);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	command_sync(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), 0x1000);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_OK);
	/* But not what is invalid. */
	expect_blocked(f, 0x2000);
	map(f, ttb0, 0x2000, PAGE | PAGES);
	expect_read(f, 0x2000, PAGES);
}

static void streams_share_an_address_space(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa, walks;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	put(f, ste_of(6), *at(f, ste_of(STREAM)));
	expect_read(f, 0x1000, PAGES);
	walks = stats_of(f).walks;
	assert_int_equal(dma(f, 6, 0x1000, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(stats_of(f).walks, walks);
	assert_int_equal(stats_of(f).tlb_hits, 1);
	assert_int_equal(stats_of(f).tlb_lookups, 2);
}

static void put_pages(struct fixture *f, uint64_t table, bool valid)
{
	for (uint64_t page = 0; page < 64; page++)
		map(f, table, page << 12, valid ? PAGE | (PAGES + (page << 12)) : 0);
}

/* Pages that are still found after all were unmapped. */
static unsigned int count_cached(struct fixture *f, uint64_t table)
{
	unsigned int count = 0;
	uint64_t pa;

	put_pages(f, table, true);
	for (unsigned int round = 0; round < 4; round++)
		for (uint64_t page = 0; page < 64; page++)
			expect_read(f, page << 12, PAGES + (page << 12));
	put_pages(f, table, false);
	/* Nothing is invalidated; what the thread itself keeps beside the IOTLB goes. */
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, 99), 0);
	for (uint64_t page = 0; page < 64; page++)
		count += dma(f, STREAM, page << 12, false, &pa) == WEIR_MODEL_OK;
	return count;
}

static void is_bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM);
	unsigned int cached;

	f->config.tlb_entries = 8;
	start(f);
	cached = count_cached(f, table);
	assert_true(cached > 0 && cached <= 8);
	f->config.tlb_entries = 0;
	start(f);
	assert_int_equal(count_cached(f, table), 64);
	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	start(f);
	assert_int_equal(count_cached(f, table), 0);
}

static void off_is_off(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM), leaf;
	struct weir_model_smmuv3_stats stats;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	start(f);
	leaf = map(f, table, 0x1000, PAGE | OLD);
	for (unsigned int i = 0; i < 10; i++) {
		put(f, leaf, PAGE | (i & 1 ? NEW : OLD));
		expect_read(f, 0x1000, i & 1 ? NEW : OLD);
	}
	stats = stats_of(f);
	assert_int_equal(stats.tlb_hits, 0);
	assert_int_equal(stats.walks, 10);
	assert_int_equal(stats.ste_fetches, 10);
	assert_int_equal(stats.cd_fetches, 10);
	put(f, cd_of(STREAM), 0);
	expect_blocked(f, 0x1000);
}

/* What a walk found before an invalidation comes too late; while one is under way, too early. */
static void late_insertions_are_dropped(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3 *smmu = f->smmu;
	struct smmu_access access = { .smmu = smmu };
	struct smmu_tag tag = { .world = SMMU_WORLD_NS_EL1, .asid = 3 };
	struct smmu_translation found, made = { .base = PAGES, .size = 12, .leaf = 12 };

	access.epoch = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 99), 0x5000);
	weir_model_smmu_tlb_insert(&access, &tag, 0x1000, &made);
	assert_false(weir_model_smmu_tlb_find(smmu, &tag, 12, 0x1000, &found));
	weir_model_smmu_change_begin(smmu, false);
	access.epoch = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	weir_model_smmu_tlb_insert(&access, &tag, 0x1000, &made);
	weir_model_smmu_change_end(smmu, false);
	weir_model_smmu_tlb_insert(&access, &tag, 0x1000, &made);
	assert_false(weir_model_smmu_tlb_find(smmu, &tag, 12, 0x1000, &found));
	access.epoch = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	weir_model_smmu_tlb_insert(&access, &tag, 0x1000, &made);
	assert_true(weir_model_smmu_tlb_find(smmu, &tag, 12, 0x1fff, &found));
	assert_int_equal(found.base, PAGES);
}

/* The first set's number is odd while someone writes it: no one else does, and nothing is found. */
static void locked_sets_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct smmu_access access = { 0 };
	struct smmu_tag tag = { .world = SMMU_WORLD_NS_EL1 };
	struct smmu_translation found, made = { .base = PAGES, .size = 12, .leaf = 12 };
	uint64_t *number;

	f->config.tlb_entries = 3;
	start(f);
	access.smmu = f->smmu;
	access.epoch =
		__atomic_load_n(&f->smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	number = f->smmu->tlb.words;
	weir_model_smmu_tlb_insert(&access, &tag, 0x1000, &made);
	assert_int_equal(*number, 2);
	*number = 3;
	weir_model_smmu_tlb_insert(&access, &tag, 0x2000, &made);
	assert_false(weir_model_smmu_tlb_find(f->smmu, &tag, 12, 0x1000, &found));
	assert_int_equal(*number, 3);
	*number = 4;
	assert_true(weir_model_smmu_tlb_find(f->smmu, &tag, 12, 0x1000, &found));
	assert_false(weir_model_smmu_tlb_find(f->smmu, &tag, 12, 0x2000, &found));
}

static void expect_same(const struct smmu_translation *a, const struct smmu_translation *b)
{
	assert_int_equal(a->base, b->base);
	assert_int_equal(a->ipa, b->ipa);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->leaf, b->leaf);
	assert_int_equal(a->rights, b->rights);
	assert_int_equal(a->rights2, b->rights2);
	assert_int_equal(a->attributes, b->attributes);
	assert_int_equal(a->memattr2, b->memattr2);
	assert_int_equal(a->sh2, b->sh2);
	assert_int_equal(a->stage1, b->stage1);
	assert_int_equal(a->stage2, b->stage2);
	assert_int_equal(a->global, b->global);
	assert_int_equal(a->clean, b->clean);
	assert_int_equal(a->clean2, b->clean2);
}

/* Every field of a translation comes back as it went in. */
static void keeps_every_field(void **state)
{
	struct fixture *f = *state;
	struct smmu_access access = { .smmu = f->smmu };
	struct smmu_tag tag = { .world = SMMU_WORLD_EL2_E2H, .asid = 0xffff };
	struct smmu_translation found, made;

	access.epoch =
		__atomic_load_n(&f->smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	for (unsigned int bit = 0; bit < 16; bit++) {
		made = (struct smmu_translation){
			.base = 1ull << (21 + 2 * bit),
			.ipa = 1ull << (51 - 2 * bit),
			.size = 21,
			.leaf = (uint8_t)(1u << bit % 6),
			.rights = (uint8_t)(1u << bit % 6),
			.rights2 = (uint8_t)(1u << (bit + 1) % 6),
			.attributes = (uint16_t)(1u << bit),
			.memattr2 = (uint8_t)(1u << bit % 4),
			.sh2 = bit % 4,
			.stage1 = bit & 1,
			.stage2 = bit & 2,
			.global = bit & 4,
			.clean = bit & 8,
			.clean2 = bit % 3 == 1,
		};
		weir_model_smmu_tlb_insert(&access, &tag, (uint64_t)bit << 30, &made);
		assert_true(weir_model_smmu_tlb_find(f->smmu, &tag, 12,
						     ((uint64_t)bit << 30) + 0x1ff000, &found));
		expect_same(&found, &made);
	}
}

/* Where a set is full, the entry goes that came first. */
static void ways_are_used_in_turn(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch =
		__atomic_load_n(&f->smmu->flights.epoch, __ATOMIC_SEQ_CST) & ~SMMU_EPOCH_FENCED;
	struct smmu_cache cache;
	uint64_t found;

	assert_int_equal(weir_model_smmu_cache_init(&cache, 3, 3, 1), 0);
	for (uint64_t i = 1; i < 20; i++) {
		const uint64_t key[2] = { i, 0 };

		weir_model_smmu_cache_insert(f->smmu, &cache, key, &i, epoch);
		for (uint64_t j = 1; j <= i; j++) {
			const uint64_t other[2] = { j, 0 };

			assert_int_equal(smmu_cache_lookup(&cache, other, &found), j + 3 > i);
		}
	}
	weir_model_smmu_cache_fini(&cache);
}

/*
 * With the first level of the configuration's caches, a lane's contexts: none that was filled while
 * a change was under way serves after it.
 */
static void nothing_read_in_a_change_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t tables[2] = { add_stream(f, STREAM), new_table(f) };

	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	start(f);
	map(f, tables[0], 0x1000, PAGE | OLD);
	map(f, tables[1], 0x1000, PAGE | NEW);
	expect_read(f, 0x1000, OLD);
	for (unsigned int i = 0; i < 4; i++) {
		weir_model_smmu_change_begin(f->smmu, true);
		expect_read(f, 0x1000, i % 2 ? NEW : OLD);
		put(f, cd_of(STREAM) + 8, tables[(i + 1) % 2]);
		weir_model_smmu_invalidate_cds(&f->smmu->ns, STREAM, 0, true);
		weir_model_smmu_change_end(f->smmu, true);
		expect_read(f, 0x1000, i % 2 ? OLD : NEW);
	}
}

/* ---- Threads -------------------------------------------------------------------------------- */

struct removal {
	struct smmu_cache cache;
	uint32_t begun, done;
};

static const uint64_t removed_key[2] = { 1, 0 };

static void *remove_one(void *opaque)
{
	struct removal *removal = opaque;

	__atomic_store_n(&removal->begun, 1, __ATOMIC_RELEASE);
	weir_model_smmu_cache_remove(&removal->cache, removed_key);
	__atomic_store_n(&removal->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A set that is empty yet, and being written: what comes in is removed. */
static void removals_wait_for_writers(void **state)
{
	struct removal removal = { .begun = 0 };
	pthread_t thread;
	uint64_t found, *set;

	(void)state;
	assert_int_equal(weir_model_smmu_cache_init(&removal.cache, 3, 3, 1), 0);
	set = smmu_cache_set(&removal.cache, 0);
	__atomic_store_n(&set[0], 1, __ATOMIC_SEQ_CST);
	assert_int_equal(pthread_create(&thread, NULL, remove_one, &removal), 0);
	while (!__atomic_load_n(&removal.begun, __ATOMIC_ACQUIRE))
		sched_yield();
	for (unsigned int i = 0; i < 1000; i++)
		sched_yield();
	assert_false(__atomic_load_n(&removal.done, __ATOMIC_ACQUIRE));
	__atomic_store_n(smmu_cache_key(set, 0), removed_key[0], __ATOMIC_RELEASE);
	__atomic_store_n(&set[0], 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_false(smmu_cache_lookup(&removal.cache, removed_key, &found));
	weir_model_smmu_cache_fini(&removal.cache);
}

#define DEVICES 2
#define THREAD_PAGES 8
#define ROUNDS 100

/*
 * One page frame for each mapping and round, marked free (0) or lent (1) by the CPU: a device that
 * finds itself at a frame that is free reached it after its CMD_SYNC. Frames are used in turn.
 */
struct storm {
	struct fixture *f;
	uint64_t leaves[THREAD_PAGES], roots[2];
	uint32_t lent[2 * THREAD_PAGES];
	uint32_t stop, bad, reached;
};

static void *storm_device(void *opaque)
{
	struct storm *s = opaque;

	for (unsigned int n = 0; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); n++) {
		struct weir_model_txn txn = { .stream = STREAM,
					      .addr = (uint64_t)(n % THREAD_PAGES) << 12,
					      .len = 4,
					      .flags = WEIR_MODEL_TXN_WRITE,
					      .attributes = WEIR_MODEL_ATTR_PCIE };
		struct weir_model_translation out;

		if (weir_model_smmuv3_translate(s->f->smmu, &txn, &out) != WEIR_MODEL_OK)
			continue;
		if (!__atomic_load_n(&s->lent[(out.addr - PAGES) >> 12], __ATOMIC_ACQUIRE))
			__atomic_store_n(&s->bad, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&s->reached, 1, __ATOMIC_RELAXED);
		weir_model_smmuv3_complete(s->f->smmu, &out);
	}
	return NULL;
}

static void finish_commands(struct fixture *f)
{
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	while (rd(f, WEIR_SMMU_CMDQ_CONS, 4) != rd(f, WEIR_SMMU_CMDQ_PROD, 4)) {
		sched_yield();
		step(f, 4);
	}
	wr(f, WEIR_SMMU_EVENTQ_CONS, 4, rd(f, WEIR_SMMU_EVENTQ_PROD, 4));
}

/* Unmap, invalidate, wait, take the frame back; then lend the other one. */
static void unmap_in_turn(struct storm *s, unsigned int round)
{
	unsigned int page = round % THREAD_PAGES;
	unsigned int old = 2 * page + (round / THREAD_PAGES) % 2, new = old ^ 1;

	put(s->f, s->leaves[page], 0);
	queue_command(s->f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), (uint64_t)page << 12);
	finish_commands(s->f);
	__atomic_store_n(&s->lent[old], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->lent[new], 1, __ATOMIC_RELEASE);
	put(s->f, s->leaves[page], PAGE | (PAGES + ((uint64_t) new << 12)));
}

/* All pages change hands with the table; the frames of the other one are lent first. */
static void switch_tables(struct storm *s, unsigned int round)
{
	unsigned int old = round % 2, new = old ^ 1;

	for (unsigned int page = 0; page < THREAD_PAGES; page++)
		__atomic_store_n(&s->lent[2 * page + new], 1, __ATOMIC_RELEASE);
	put(s->f, cd_of(STREAM) + 8, s->roots[new]);
	queue_command(s->f, for_stream(WEIR_SMMU_CMD_CFGI_CD, STREAM), WEIR_SMMU_CMD_1_LEAF);
	finish_commands(s->f);
	queue_command(s->f, for_asid(WEIR_SMMU_CMD_TLBI_NH_ASID, STREAM + 1), 0);
	finish_commands(s->f);
	for (unsigned int page = 0; page < THREAD_PAGES; page++)
		__atomic_store_n(&s->lent[2 * page + old], 0, __ATOMIC_RELEASE);
}

static void storm(struct fixture *f, enum weir_model_smmuv3_caches caches,
		  void (*cpu)(struct storm *s, unsigned int round))
{
	struct storm s = { .f = f };
	pthread_t threads[DEVICES];
	struct weir_model_smmuv3_stats stats;

	f->config.caches = caches;
	start(f);
	s.roots[0] = add_stream(f, STREAM);
	s.roots[1] = new_table(f);
	for (unsigned int page = 0; page < THREAD_PAGES; page++) {
		uint64_t frame = PAGES + ((uint64_t)2 * page << 12);

		s.lent[2 * page] = 1;
		s.leaves[page] = map(f, s.roots[0], (uint64_t)page << 12, PAGE | frame);
		map(f, s.roots[1], (uint64_t)page << 12, PAGE | (frame + 0x1000));
	}
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_device, &s), 0);
	while (!__atomic_load_n(&s.reached, __ATOMIC_RELAXED))
		sched_yield();
	for (unsigned int round = 0; round < ROUNDS; round++)
		cpu(&s, round);
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.bad, 0);
	stats = stats_of(f);
	assert_int_equal(stats.transactions, stats.blocked + s.reached);
	assert_int_equal(stats.blocked, stats.events_written + stats.events_lost);
}

static void nothing_is_reached_after_its_sync(void **state)
{
	EACH_CACHING(caches)
	storm(*state, caches, unmap_in_turn);
}

static void no_table_is_used_after_its_sync(void **state)
{
	EACH_CACHING(caches)
	storm(*state, caches, switch_tables);
}

#define CROWDED_PAGES 64u
#define CROWDED_TURNS 4000u

struct crowded {
	struct fixture *f;
	uint32_t wrong;
};

static void *read_pages(void *opaque)
{
	struct crowded *crowded = opaque;
	uint64_t pa;

	for (uint64_t i = 0; i < CROWDED_TURNS; i++) {
		uint64_t offset = i * i % CROWDED_PAGES << 12;

		if (dma(crowded->f, STREAM, offset, false, &pa) != WEIR_MODEL_OK ||
		    pa != PAGES + offset)
			__atomic_store_n(&crowded->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* All threads insert into one set at once: no entry is of two, and the set works on. */
static void one_set_for_all(void **state)
{
	struct fixture *f = *state;
	struct crowded crowded = { .f = f };
	pthread_t threads[DEVICES];
	uint64_t table, hits;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	f->config.tlb_entries = 3;
	start(f);
	table = add_stream(f, STREAM);
	put_pages(f, table, true);
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_pages, &crowded), 0);
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowded.wrong, 0);
	hits = stats_of(f).tlb_hits;
	for (unsigned int i = 0; i < 100; i++)
		expect_read(f, 0, PAGES);
	assert_true(stats_of(f).tlb_hits > hits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caches_what_is_not_permitted),
		TEST(streams_share_an_address_space),
		TEST(is_bounded),
		TEST(off_is_off),
		TEST(late_insertions_are_dropped),
		TEST(keeps_every_field),
		TEST(locked_sets_are_left_alone),
		TEST(ways_are_used_in_turn),
		TEST(nothing_read_in_a_change_is_kept),
		TEST(removals_wait_for_writers),
		TEST(one_set_for_all),
		TEST(nothing_is_reached_after_its_sync),
		TEST(no_table_is_used_after_its_sync),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, caches", tests, NULL, NULL);
}
