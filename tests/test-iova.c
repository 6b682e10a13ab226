/* SPDX-License-Identifier: MIT */
/*
 * The IOVA allocator: the buddy radix alone, then with magazines, limits and reserved ranges.
 *
 * - The tree gives the highest free aligned block at or below the limit, and none only if there is
 *   none: compared with a search through an array of frames, at several depths, over random steps.
 * - It refuses to free what is free, or the inside of a larger block, and to take what is taken.
 * - When all is free again, or there was no memory for a path, only the root is left.
 * - The allocator never hands out overlapping, misaligned or reserved addresses, page 0, or
 *   addresses beyond a limit; a limit is kept too when magazines are full of higher addresses.
 * - It fails only when the space has no such block: what waits in magazines is found in the end.
 * - What lies below 4 GiB is used first.
 * - Reserving: all or nothing, may overlap earlier ranges, not what is in use.
 * - Out of memory at any allocation: an error, nothing lost, nothing leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bareweir.h"
#include "iommu/iova.h"

#define RAM (64u << 20)
#define PAGE WEIR_PAGE_SIZE

static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- The tree against an array of frames ------------------------------------------------- */

struct live {
	uint64_t frame;
	unsigned int order;
};

struct oracle {
	uint8_t *busy;
	uint64_t frames;
	struct live *live;
	size_t count;
};

static struct oracle oracle_new(uint64_t frames)
{
	struct oracle oracle = { .frames = frames };

	oracle.busy = calloc(frames, 1);
	oracle.live = calloc(frames, sizeof(oracle.live[0]));
	assert_non_null(oracle.busy);
	assert_non_null(oracle.live);
	return oracle;
}

static void oracle_free(struct oracle *oracle)
{
	free(oracle->busy);
	free(oracle->live);
}

static bool oracle_is_free(const struct oracle *oracle, uint64_t frame, unsigned int order)
{
	return !memchr(oracle->busy + frame, 1, (size_t)1 << order);
}

static bool oracle_highest(const struct oracle *oracle, unsigned int order, uint64_t limit,
			   uint64_t *frame)
{
	uint64_t size = (uint64_t)1 << order;
	uint64_t end = (limit < oracle->frames - 1 ? limit + 1 : oracle->frames) / size * size;

	for (; end; end -= size) {
		if (oracle_is_free(oracle, end - size, order)) {
			*frame = end - size;
			return true;
		}
	}
	return false;
}

static void oracle_mark(struct oracle *oracle, uint64_t frame, unsigned int order, uint8_t busy)
{
	memset(oracle->busy + frame, busy, (size_t)1 << order);
}

static void oracle_add(struct oracle *oracle, uint64_t frame, unsigned int order)
{
	assert_true(oracle_is_free(oracle, frame, order));
	oracle_mark(oracle, frame, order, 1);
	oracle->live[oracle->count++] = (struct live){ frame, order };
}

static struct live oracle_drop(struct oracle *oracle, size_t i)
{
	struct live live = oracle->live[i];

	oracle_mark(oracle, live.frame, live.order, 0);
	oracle->live[i] = oracle->live[--oracle->count];
	return live;
}

/* A span that hovers around full: mostly allocations, then mostly frees. */
static bool wants_alloc(const struct oracle *oracle, unsigned int step, unsigned int period)
{
	return !oracle->count || rnd() % 10 < (step / period % 2 ? 3u : 7u);
}

static void tree_steps(struct weir_iova_tree *tree, struct oracle *oracle, unsigned int steps)
{
	unsigned int max = weir_iova_tree_max_order(tree);

	for (unsigned int step = 0; step < steps; step++) {
		if (wants_alloc(oracle, step, 500)) {
			unsigned int order =
				(unsigned int)(rnd() % 4 ? rnd() % 4 : rnd() % (max + 1));
			uint64_t limit = rnd() % 3 ? oracle->frames - 1 : rnd() % oracle->frames;
			uint64_t frame = 0, expected = 0;
			bool found = order <= 40 && oracle_highest(oracle, order, limit, &expected);
			int ret = weir_iova_tree_alloc(tree, order, limit, &frame);

			assert_int_equal(ret, found ? 0 : -WEIR_ENOSPC);
			if (!found)
				continue;
			assert_int_equal(frame, expected);
			oracle_add(oracle, frame, order);
		} else {
			struct live live = oracle_drop(oracle, rnd() % oracle->count);

			assert_true(weir_iova_tree_free(tree, live.frame, live.order));
			assert_false(weir_iova_tree_free(tree, live.frame, live.order));
		}
	}
}

static void tree_is_exact(void **state)
{
	static const struct {
		uint64_t last;
		unsigned int steps;
	} spans[] = { { 2, 2000 },	{ 62, 20000 },	  { 999, 60000 },  { 4095, 60000 },
		      { 12345, 60000 }, { 262143, 4000 }, { 300000, 4000 } };
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);

	(void)state;
	seed = 1;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(spans); i++) {
		struct oracle oracle = oracle_new(spans[i].last + 1);
		struct weir_iova_tree tree;

		assert_int_equal(weir_iova_tree_init(&tree, weir, spans[i].last), 0);
		tree_steps(&tree, &oracle, spans[i].steps);
		while (oracle.count) {
			struct live live = oracle_drop(&oracle, oracle.count - 1);

			assert_true(weir_iova_tree_free(&tree, live.frame, live.order));
		}
		assert_int_equal(tree.used, 0);
		assert_int_equal(tree.nodes, 1);
		weir_iova_tree_fini(&tree);
		assert_int_equal(weir_heap_in_use(weir), 0);
		oracle_free(&oracle);
	}
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void tree_spans_all(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova_tree tree;
	uint64_t frame;

	(void)state;
	assert_int_equal(weir_iova_tree_init(&tree, weir, (uint64_t)1 << 48), -WEIR_EINVAL);
	for (unsigned int bits = 1; bits <= 48; bits++) {
		uint64_t last = ((uint64_t)1 << bits) - 1;

		assert_int_equal(weir_iova_tree_init(&tree, weir, last), 0);
		assert_int_equal(weir_iova_tree_alloc(&tree, 0, last, &frame), 0);
		assert_int_equal(frame, last);
		assert_int_equal(weir_iova_tree_alloc(&tree, bits - 1, last, &frame), 0);
		assert_int_equal(frame, 0);
		assert_int_equal(weir_iova_tree_alloc(&tree, bits - 1, last, &frame), -WEIR_ENOSPC);
		assert_true(weir_iova_tree_free(&tree, 0, bits - 1));
		assert_true(weir_iova_tree_free(&tree, last, 0));
		assert_int_equal(tree.nodes, 1);
		weir_iova_tree_fini(&tree);
	}
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void tree_refuses(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova_tree tree;

	(void)state;
	assert_int_equal(weir_iova_tree_init(&tree, weir, (1u << 24) - 1), 0);
	assert_int_equal(weir_iova_tree_take(&tree, 0x10000, 14), 0);
	assert_int_equal(weir_iova_tree_take(&tree, 0x10000, 0), -WEIR_EBUSY);
	assert_int_equal(weir_iova_tree_take(&tree, 0x13fff, 0), -WEIR_EBUSY);
	assert_int_equal(weir_iova_tree_take(&tree, 0, 20), -WEIR_EBUSY);
	assert_int_equal(weir_iova_tree_take(&tree, 0, 24), -WEIR_EINVAL);
	assert_false(weir_iova_tree_free(&tree, 0x10000, 0));
	assert_false(weir_iova_tree_free(&tree, 0x14000, 14));
	assert_false(weir_iova_tree_free(&tree, 1u << 24, 0));
	assert_int_equal(weir_iova_tree_take(&tree, 0x14000, 0), 0);
	assert_false(weir_iova_tree_free(&tree, 0x14000, 12));
	assert_false(weir_iova_tree_free(&tree, 0x10000, 16));
	assert_true(weir_iova_tree_free(&tree, 0x14000, 0));
	assert_true(weir_iova_tree_free(&tree, 0x10000, 14));
	assert_int_equal(tree.nodes, 1);
	assert_int_equal(tree.used, 0);
	/* Nothing free in it, but not one block. */
	for (uint64_t frame = 0x20000; frame < 0x21000; frame++)
		assert_int_equal(weir_iova_tree_take(&tree, frame, 0), 0);
	assert_false(weir_iova_tree_free(&tree, 0x20000, 12));
	/* Words: one in pieces, then two whole. */
	assert_int_equal(weir_iova_tree_take(&tree, 0x30043, 0), 0);
	assert_int_equal(weir_iova_tree_take(&tree, 0x30040, 6), -WEIR_EBUSY);
	assert_true(weir_iova_tree_free(&tree, 0x30043, 0));
	assert_int_equal(weir_iova_tree_take(&tree, 0x30000, 7), 0);
	assert_int_equal(weir_iova_tree_take(&tree, 0x30043, 0), -WEIR_EBUSY);
	assert_false(weir_iova_tree_free(&tree, 0x30043, 0));
	assert_false(weir_iova_tree_free(&tree, 0x30080, 6));
	assert_true(weir_iova_tree_free(&tree, 0x30000, 7));
	/* The inside of a block is not noticed if both are of the same six orders. */
	assert_int_equal(weir_iova_tree_take(&tree, 0x38000, 8), 0);
	assert_false(weir_iova_tree_free(&tree, 0x38040, 5));
	assert_true(weir_iova_tree_free(&tree, 0x38040, 6));
	assert_false(weir_iova_tree_free(&tree, 0x38000, 8));
	assert_int_equal(weir_iova_tree_take(&tree, 0x38040, 6), 0);
	assert_true(weir_iova_tree_free(&tree, 0x38000, 8));
	/* A word in pieces that goes back whole is not noticed, and no harm. */
	for (uint64_t frame = 0x40000; frame < 0x40041; frame++)
		assert_int_equal(weir_iova_tree_take(&tree, frame, 0), 0);
	assert_true(weir_iova_tree_free(&tree, 0x40000, 6));
	assert_int_equal(weir_iova_tree_take(&tree, 0x40010, 4), 0);
	assert_int_equal(weir_iova_tree_take(&tree, 0x40010, 0), -WEIR_EBUSY);
	assert_true(weir_iova_tree_free(&tree, 0x40010, 4));
	weir_iova_tree_fini(&tree);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void tree_without_memory(void **state)
{
	unsigned int failures = 0;

	(void)state;
	for (unsigned int n = 1; n < 8; n++) {
		struct bareweir bare;
		struct weir *weir = bareweir_init(&bare, RAM);
		struct weir_iova_tree tree;
		uint64_t frame;

		assert_int_equal(weir_iova_tree_init(&tree, weir, ((uint64_t)1 << 48) - 1), 0);
		bare.fake->fail_alloc = n;
		if (weir_iova_tree_alloc(&tree, 0, ~0ull >> 16, &frame)) {
			failures++;
			assert_int_equal(tree.nodes, 1);
			assert_int_equal(tree.used, 0);
			assert_int_equal(weir_iova_tree_alloc(&tree, 0, ~0ull >> 16, &frame), 0);
		}
		assert_true(weir_iova_tree_free(&tree, frame, 0));
		assert_int_equal(tree.nodes, 1);
		weir_iova_tree_fini(&tree);
		assert_int_equal(bareweir_fini(&bare), 0);
	}
	assert_true(failures > 0);
}

/* ---- The allocator ------------------------------------------------------------------------ */

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (PAGE << order < size)
		order++;
	return order;
}

/* Reserved ranges in the oracle are busy without being live. */
static void allocator_is_right(void **state)
{
	enum { FRAMES = 6000, STEPS = 300000 };
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova *iova = weir_iova_create(weir, 3 * PAGE, (uint64_t)FRAMES * PAGE - 1);
	struct oracle oracle = oracle_new(FRAMES);
	unsigned int failures = 0, most = 0;

	(void)state;
	seed = 2;
	assert_non_null(iova);
	memset(oracle.busy, 1, 3);
	assert_int_equal(weir_iova_reserve(iova, 0x100000, 0x23001), 0);
	memset(oracle.busy + 0x100, 1, 0x24);
	for (unsigned int step = 0; step < STEPS; step++) {
		if (wants_alloc(&oracle, step, 4000)) {
			size_t size = 1 + (rnd() % 8 ? rnd() % (4 * PAGE) : rnd() % (200 * PAGE));
			uint64_t limit = rnd() % 3 ? ~0ull : rnd() % ((uint64_t)FRAMES * PAGE);
			uint64_t frame, last = limit == ~0ull ? FRAMES : (limit + 1) / PAGE;
			weir_dma_t addr = weir_iova_alloc(iova, size, limit);

			if (addr == WEIR_DMA_ERROR) {
				failures++;
				assert_false(last && oracle_highest(&oracle, order_of(size),
								    last - 1, &frame));
				continue;
			}
			assert_true(WEIR_IS_ALIGNED(addr, PAGE << order_of(size)));
			assert_true(addr + (PAGE << order_of(size)) - 1 <= limit);
			assert_true(addr / PAGE + (1u << order_of(size)) <= FRAMES);
			oracle_add(&oracle, addr / PAGE, order_of(size));
			most = oracle.count > most ? (unsigned int)oracle.count : most;
		} else {
			struct live live = oracle_drop(&oracle, rnd() % oracle.count);

			assert_true(weir_iova_free(iova, live.frame * PAGE, PAGE << live.order));
		}
	}
	printf("%u failures with the space full, %u blocks at most\n", failures, most);
	assert_true(failures > 1000);
	while (oracle.count) {
		struct live live = oracle_drop(&oracle, oracle.count - 1);

		assert_true(weir_iova_free(iova, live.frame * PAGE, PAGE << live.order));
	}
	assert_int_equal(weir_iova_destroy(iova), 0);
	oracle_free(&oracle);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void limits_hold_in_magazines(void **state)
{
	enum { N = 300 };
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova *iova = weir_iova_create(weir, 0, ((uint64_t)1 << 48) - 1);
	weir_dma_t high[N], low[N];

	(void)state;
	assert_non_null(iova);
	for (unsigned int i = 0; i < N; i++) {
		high[i] = weir_iova_alloc(iova, PAGE, ~0ull);
		assert_true(high[i] < 1ull << 32 && high[i] > 0xff000000);
	}
	for (unsigned int i = 0; i < N; i++)
		assert_true(weir_iova_free(iova, high[i], PAGE));
	for (unsigned int i = 0; i < N; i++) {
		low[i] = weir_iova_alloc(iova, PAGE, 0xffffff);
		assert_true(low[i] && low[i] + PAGE - 1 <= 0xffffff);
	}
	/* Mixed in the magazines, each asks for what it reaches. */
	for (unsigned int i = 0; i < N; i++)
		assert_true(weir_iova_free(iova, low[i], PAGE));
	for (unsigned int i = 0; i < N; i++) {
		high[i] = weir_iova_alloc(iova, PAGE, 0xffffffff);
		low[i] = weir_iova_alloc(iova, PAGE, 0x7fffff);
		assert_true(low[i] + PAGE - 1 <= 0x7fffff);
		assert_true(high[i] != low[i] && high[i] != WEIR_DMA_ERROR);
	}
	for (unsigned int i = 0; i < N; i++) {
		assert_true(weir_iova_free(iova, low[i], PAGE));
		assert_true(weir_iova_free(iova, high[i], PAGE));
	}
	assert_int_equal(weir_iova_alloc(iova, 1, 4094), WEIR_DMA_ERROR);
	assert_int_equal(weir_iova_alloc(iova, 1, 4095), WEIR_DMA_ERROR); /* page 0 */
	assert_int_equal(weir_iova_alloc(iova, 1, 8190), WEIR_DMA_ERROR);
	assert_int_equal(weir_iova_alloc(iova, 1, 8191), 4096);
	assert_true(weir_iova_free(iova, 4096, 1));
	assert_int_equal(weir_iova_destroy(iova), 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void above_four_gib_comes_last(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova *iova = weir_iova_create(weir, 0, ((uint64_t)1 << 48) - 1);
	weir_dma_t addr;

	(void)state;
	assert_non_null(iova);
	for (unsigned int i = 0; i < 3; i++) {
		addr = weir_iova_alloc(iova, (size_t)1 << 30, ~0ull);
		assert_int_equal(addr, (uint64_t)(3 - i) << 30);
	}
	addr = weir_iova_alloc(iova, (size_t)1 << 30, ~0ull);
	assert_int_equal(addr, ((uint64_t)1 << 48) - ((uint64_t)1 << 30));
	assert_int_equal(weir_iova_alloc(iova, (size_t)1 << 30, 0xffffffff), WEIR_DMA_ERROR);
	assert_int_equal(weir_iova_alloc(iova, (size_t)1 << 48, ~0ull), WEIR_DMA_ERROR);
	assert_int_equal(weir_iova_alloc(iova, ((size_t)1 << 63) + 1, ~0ull), WEIR_DMA_ERROR);
	assert_true(weir_iova_free(iova, addr, (size_t)1 << 30));
	for (unsigned int i = 1; i < 4; i++)
		assert_true(weir_iova_free(iova, (uint64_t)i << 30, (size_t)1 << 30));
	assert_int_equal(weir_iova_destroy(iova), 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void magazines_are_flushed_when_needed(void **state)
{
	enum { FRAMES = 4096 };
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova *iova = weir_iova_create(weir, 0, (uint64_t)FRAMES * PAGE - 1);
	static weir_dma_t addr[FRAMES];
	unsigned int count = 0;

	(void)state;
	assert_non_null(iova);
	while ((addr[count] = weir_iova_alloc(iova, PAGE, ~0ull)) != WEIR_DMA_ERROR)
		count++;
	assert_int_equal(count, FRAMES - 1);
	for (unsigned int i = 0; i < count; i++)
		assert_true(weir_iova_free(iova, addr[i], PAGE));
	addr[0] = weir_iova_alloc(iova, FRAMES / 2 * PAGE, ~0ull);
	assert_int_equal(addr[0], FRAMES / 2 * PAGE);
	assert_false(weir_iova_free(iova, addr[0] + PAGE, 2 * PAGE)); /* not aligned to its size */
	assert_false(weir_iova_free(iova, (uint64_t)FRAMES * PAGE, PAGE));
	assert_int_equal(weir_iova_destroy(iova), FRAMES / 2); /* what nobody freed */
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void reserving(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_iova *iova = weir_iova_create(weir, 0, 0xffffff);
	uint64_t used;
	weir_dma_t addr;

	(void)state;
	assert_non_null(iova);
	assert_int_equal(weir_iova_reserve(iova, 0x10000, 0), 0);
	assert_int_equal(weir_iova_reserve(iova, 0x800000, 0x800000), 0);
	assert_int_equal(weir_iova_reserve(iova, 0x7ff001, 0x1000), 0); /* touches two pages */
	assert_int_equal(weir_iova_reserve(iova, 0xffffff, ~0ull), 0);
	assert_int_equal(weir_iova_reserve(iova, 0x1000000, 0x1000), 0);
	addr = weir_iova_alloc(iova, PAGE, ~0ull);
	assert_int_equal(addr, 0x7fe000);
	used = iova->tree.used;
	assert_int_equal(weir_iova_reserve(iova, 0x700000, 0x200000), -WEIR_EBUSY);
	assert_int_equal(iova->tree.used, used);
	assert_true(weir_iova_free(iova, addr, PAGE)); /* into a magazine */
	assert_int_equal(weir_iova_reserve(iova, 0x700000, 0x200000), 0);
	addr = weir_iova_alloc(iova, PAGE, ~0ull);
	assert_int_equal(addr, 0x6ff000);
	assert_true(weir_iova_free(iova, addr, PAGE));
	/* Around what is there: islands between ranges. */
	assert_int_equal(weir_iova_reserve(iova, 0x201000, 0x1000), 0);
	assert_int_equal(weir_iova_reserve(iova, 0x203000, 0x1000), 0);
	assert_int_equal(weir_iova_reserve(iova, 0x200000, 0x8000), 0);
	assert_int_equal(weir_iova_reserve(iova, 0, ~0ull), 0);
	assert_int_equal(weir_iova_alloc(iova, PAGE, ~0ull), WEIR_DMA_ERROR);
	assert_int_equal(weir_iova_destroy(iova), 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

/* All kinds of operations; false: memory ran out somewhere. */
static bool scenario(struct weir *weir)
{
	struct weir_iova *iova = weir_iova_create(weir, 0, ((uint64_t)1 << 48) - 1);
	weir_dma_t addr[200];
	bool ok = true;

	if (!iova)
		return false;
	ok &= !weir_iova_reserve(iova, 0x8000000, 0x100000);
	ok &= !weir_iova_reserve(iova, 0x100000000001, 0x7123456789);
	for (unsigned int i = 0; i < 200; i++) {
		addr[i] = weir_iova_alloc(iova, PAGE << i % 9, i % 5 ? 0xffffffff : 0xffffff);
		ok &= addr[i] != WEIR_DMA_ERROR;
	}
	for (unsigned int i = 0; i < 200; i++) {
		if (addr[i] != WEIR_DMA_ERROR)
			assert_true(weir_iova_free(iova, addr[i], PAGE << i % 9));
	}
	assert_int_equal(weir_iova_destroy(iova), 0);
	return ok;
}

static void out_of_memory(void **state)
{
	unsigned int failures = 0;

	(void)state;
	for (int onwards = 0; onwards < 2; onwards++) {
		for (unsigned int n = 1;; n++) {
			struct bareweir bare;
			struct weir *weir = bareweir_init(&bare, RAM);
			bool reached;

			bare.fake->fail_alloc = n;
			bare.fake->fail_onwards = onwards;
			failures += !scenario(weir);
			reached = n <= bare.fake->alloc_calls;
			assert_int_equal(weir_heap_in_use(weir), 0);
			assert_int_equal(bareweir_fini(&bare), 0);
			if (!reached)
				break;
		}
	}
	printf("%u runs failed\n", failures);
	assert_true(failures > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_is_exact),
		cmocka_unit_test(tree_spans_all),
		cmocka_unit_test(tree_refuses),
		cmocka_unit_test(tree_without_memory),
		cmocka_unit_test(allocator_is_right),
		cmocka_unit_test(limits_hold_in_magazines),
		cmocka_unit_test(above_four_gib_comes_last),
		cmocka_unit_test(magazines_are_flushed_when_needed),
		cmocka_unit_test(reserving),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
