/* SPDX-License-Identifier: MIT */
/*
 * The heap and its page map.
 *
 * - An allocation is zeroed, aligned to 16 and, for powers of two up to a page, to its size.
 * - Over a million random steps allocations never overlap: each keeps what was written to it.
 * - in_use is exact at each step and 0 in the end; then every page is back at the platform.
 * - An empty slab goes back, but for one of each size.
 * - Out of memory at any page: NULL, nothing leaked, later allocations work.
 * - A second free, a pointer into a block, a foreign pointer: a log line, and nothing changes.
 * - What was leaked is counted and logged by weir_heap_fini().
 * - The page map gives each page's byte back once, at any height of the tree.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bareweir.h"

#define RAM (64u << 20)

static uint32_t seed;

static uint32_t random32(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8 ^ seed << 13;
}

static size_t block_size(size_t size)
{
	size_t block = 16;

	while (block < size)
		block *= 2;
	return block == 2048 ? 4096 : block;
}

static void is_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0,    1,    15,	  16,	 17,	 24,	  32,	64,
					100,  128,  256,  512,	 513,	 1024,	  1025, 2048,
					4096, 4097, 8192, 65536, 100000, 4u << 20 };
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);

	(void)state;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i];
		unsigned char *p = weir_alloc(weir, size, 0);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		if (size && !(size & (size - 1)) && size <= WEIR_PAGE_SIZE)
			assert_int_equal((uintptr_t)p % size, 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, size);
		assert_int_equal(weir_heap_in_use(weir), block_size(size));
		weir_free(weir, p);
	}
	assert_null(weir_alloc(weir, (4u << 20) + 1, 0));
	assert_null(weir_alloc(weir, SIZE_MAX, 0));
	weir_free(weir, NULL);
	assert_int_equal(weir_heap_in_use(weir), 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

struct slot {
	unsigned char *p;
	size_t size;
	unsigned char tag;
};

static size_t random_size(void)
{
	uint32_t kind = random32() % 16;

	if (kind == 0)
		return 1 + random32() % 40000;
	if (kind < 4)
		return 1 + random32() % 3000;
	return 1 + random32() % 300;
}

static void fill(struct slot *slot, struct weir *weir)
{
	slot->size = random_size();
	slot->tag = (unsigned char)(1 + random32() % 255);
	slot->p = weir_alloc(weir, slot->size, random32() & WEIR_ALLOC_ATOMIC);
	if (!slot->p)
		return;
	for (size_t i = 0; i < slot->size; i += 7)
		assert_int_equal(slot->p[i], 0);
	memset(slot->p, slot->tag, slot->size);
}

static void empty(struct slot *slot, struct weir *weir)
{
	for (size_t i = 0; i < slot->size; i += 5)
		assert_int_equal(slot->p[i], slot->tag);
	assert_int_equal(slot->p[slot->size - 1], slot->tag);
	weir_free(weir, slot->p);
	slot->p = NULL;
}

/* `fail` in 256: how often the platform has no page. Returns how often an allocation failed. */
static unsigned int random_steps(unsigned int steps, unsigned int fail)
{
	static struct slot slots[3000];
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	uint64_t in_use = 0;
	unsigned int failed = 0;

	memset(slots, 0, sizeof(slots));
	for (unsigned int i = 0; i < steps; i++) {
		struct slot *slot = &slots[random32() % WEIR_ARRAY_SIZE(slots)];

		bare.fake->fail_alloc = random32() % 256 < fail ? 1 + random32() % 2 : 0;
		if (slot->p) {
			in_use -= block_size(slot->size);
			empty(slot, weir);
		} else {
			fill(slot, weir);
			in_use += slot->p ? block_size(slot->size) : 0;
			failed += !slot->p;
		}
		assert_int_equal(weir_heap_in_use(weir), in_use);
	}
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(slots); i++) {
		if (slots[i].p)
			empty(&slots[i], weir);
	}
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 0);
	assert_int_equal(bareweir_fini(&bare), 0);
	return failed;
}

static void keeps_allocations_apart(void **state)
{
	(void)state;
	seed = 1;
	assert_int_equal(random_steps(1000000, 0), 0);
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	seed = 2;
	assert_true(random_steps(200000, 128) > 1000);
}

/* Every call to the platform in turn fails, in a run that needs slabs, pages and map nodes. */
static void each_page_may_be_missing(void **state)
{
	static const size_t sizes[] = { 16, 1024, 4096, 16, 100000, 512, 1024, 1024, 1024, 64 };
	unsigned int n = 1;

	(void)state;
	for (bool failed = true; failed; n++) {
		struct bareweir bare;
		struct weir *weir = bareweir_init(&bare, RAM);
		void *p[WEIR_ARRAY_SIZE(sizes)];

		failed = false;
		bare.fake->fail_alloc = n;
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
			p[i] = weir_alloc(weir, sizes[i], 0);
			failed |= !p[i];
			if (!p[i])
				p[i] = weir_alloc(weir, sizes[i], 0);
			assert_non_null(p[i]);
		}
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(sizes); i++)
			weir_free(weir, p[i]);
		assert_int_equal(bareweir_fini(&bare), 0);
	}
	assert_true(n > 8);
}

static void gives_slabs_back(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	void *p[600];

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(p); i++)
			p[i] = weir_alloc(weir, 256, 0);
		assert_int_equal(bare.fake->pages_in_use, 600 / 15);
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(p); i++)
			weir_free(weir, p[(i * 7) % WEIR_ARRAY_SIZE(p)]);
		assert_int_equal(bare.fake->pages_in_use, 1);
	}
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void notices_misuse(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	char *a = weir_alloc(weir, 100, 0);
	char *b = weir_alloc(weir, 100, 0);
	char *c = weir_alloc(weir, 5000, 0);
	uint64_t in_use;

	(void)state;
	weir_free(weir, a);
	in_use = weir_heap_in_use(weir);
	weir_free(weir, a);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 1);
	weir_free(weir, b + 16);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 2);
	weir_free(weir, (char *)((uintptr_t)b & ~(uintptr_t)4095) + 32); /* the slab's header */
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 3);
	weir_free(weir, (char *)((uintptr_t)b & ~(uintptr_t)4095));
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 4);
	weir_free(weir, c + 16);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 5);
	weir_free(weir, c + 4096);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 6);
	assert_int_equal(weir_heap_in_use(weir), in_use);
	weir_free(weir, c);
	weir_free(weir, c);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 7);
	weir_free(weir, b);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void tells_of_leaks(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);

	(void)state;
	assert_non_null(weir_alloc(weir, 40, 0));
	assert_non_null(weir_alloc(weir, 4096, 0));
	assert_int_equal(weir_heap_fini(&weir->heap), 64 + 4096);
	assert_int_equal(fakeplat_logged(bare.fake, "4160 bytes leaked"), 1);
	fakeplat_delete_dirty(bare.fake);
}

static void page_map_remembers(void **state)
{
	struct fakeplat *fake = fakeplat_new(RAM);

	(void)state;
	for (unsigned int levels = 0; levels <= WEIR_PAGEMAP_MAX_LEVELS; levels++) {
		struct weir_pagemap map;
		/* Only bits below the top one of this height. */
		uint64_t mask =
			~(uint64_t)0 >> (64 - WEIR_PAGEMAP_LEAF_SHIFT -
					 (levels < 5 ? levels : 4) * WEIR_PAGEMAP_NODE_BITS);
		uint64_t phys[] = {
			0, 0x1000, 0xfff000, 0x1000000, 0x123456789abcd000, UINT64_MAX
		};

		weir_pagemap_init(&map, fake);
		map.levels = levels;
		map.end = UINT64_MAX;
		assert_int_equal(weir_pagemap_take(&map, 0x1000), 0);
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(phys); i++) {
			phys[i] &= mask & WEIR_PAGE_MASK;
			assert_int_equal(weir_pagemap_set(&map, phys[i], (uint8_t)(i + 1), 0), 0);
		}
		for (unsigned int i = WEIR_ARRAY_SIZE(phys); i-- > 0;) {
			uint8_t expected = (uint8_t)(i + 1);

			for (unsigned int j = i + 1; j < WEIR_ARRAY_SIZE(phys); j++)
				expected =
					phys[j] == phys[i] ? 0 : expected; /* overwritten, taken */
			assert_int_equal(weir_pagemap_take(&map, phys[i]), expected);
			assert_int_equal(weir_pagemap_take(&map, phys[i]), 0);
		}
		weir_pagemap_fini(&map);
		assert_int_equal(fake->pages_in_use, 0);
	}
	fakeplat_delete(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_zeroed_and_aligned),
		cmocka_unit_test(keeps_allocations_apart),
		cmocka_unit_test(survives_lack_of_memory),
		cmocka_unit_test(each_page_may_be_missing),
		cmocka_unit_test(gives_slabs_back),
		cmocka_unit_test(notices_misuse),
		cmocka_unit_test(tells_of_leaks),
		cmocka_unit_test(page_map_remembers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
