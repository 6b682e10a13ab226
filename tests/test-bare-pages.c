/* SPDX-License-Identifier: MIT */
/*
 * platforms/bare: the page allocator, on the fake machine.
 *
 * Properties:
 * - Over random banks, reservations, allocations and frees, against a map of one entry for each
 *   page: what is given lies in a bank, is not reserved, is aligned, is in its zone and nobody
 *   else's; what is in use is counted; when all is free again, it can be had in as large blocks as
 *   at first, and every page of it.
 * - NORMAL takes low memory only when there is no other; a zone without memory is -WEIR_EINVAL; one
 *   that is used up is -WEIR_ENOMEM.
 * - Banks shrink and reservations grow to whole pages; banks that overlap are one; too many are
 *   refused; so is RAM that does not hold the allocator's own data. Page 0 is never given.
 * - A page freed twice, never given, or given with another order ends the machine with its address.
 * - 200 GiB come up with few of their pages touched.
 * - CPUs and interrupt handlers that allocate at once do not get the same page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "fakemachine.h"

#define GIB (1ull << 30)
#define PAGE WEIR_PAGE_SIZE
#define ORDERS (WEIR_PLAT_MAX_ORDER + 1)

static uint64_t seed;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t limit)
{
	return (next_random() >> 11) % limit;
}

static int alloc(unsigned int order, enum weir_zone zone, weir_phys_t *phys)
{
	return plat_pages_alloc(bare_plat(), order, zone, 0, phys);
}

static void give_back(weir_phys_t phys, unsigned int order)
{
	plat_pages_free(bare_plat(), phys, order);
}

/* ---- The oracle: a few windows of the address space, an entry for each page ---------------- */

#define WINDOWS 5u
#define WINDOW_PAGES 6000u
#define MAX_LIVE 3000u

/* Around the ends of zones, and where pages of 4 MiB do not begin. */
static const uint64_t window_base[WINDOWS] = {
	0, GIB - 3001 * PAGE, 2 * GIB + 77 * PAGE, 4 * GIB - 2500 * PAGE, 9 * GIB + 5 * PAGE,
};

enum { NOT_RAM, RAM, RESERVED, TAKEN };

static struct live {
	weir_phys_t phys;
	unsigned int order;
} live[MAX_LIVE];
static unsigned int nr_live;
static uint64_t live_pages;
static uint8_t map[WINDOWS][WINDOW_PAGES];

static uint8_t *entry(weir_phys_t phys)
{
	static uint8_t outside = NOT_RAM;
	unsigned int w;

	for (w = 0; w < WINDOWS; w++)
		if (phys >= window_base[w] && phys < window_base[w] + WINDOW_PAGES * PAGE)
			return &map[w][(phys - window_base[w]) / PAGE];
	return &outside;
}

static void add_banks(void)
{
	unsigned int w, i, pieces;
	uint64_t first, count, page;

	for (w = 0; w < WINDOWS; w++) {
		pieces = (unsigned int)below(4); /* none: zones may be empty */
		for (i = 0; i < pieces; i++) {
			first = below(WINDOW_PAGES - 1);
			count = 1 + below(WINDOW_PAGES - first);
			check(!bare_memory_add(window_base[w] + first * PAGE, count * PAGE));
			for (page = first; page < first + count; page++)
				map[w][page] = RAM;
		}
	}
	/* Where all the allocator's own data fits, whatever else there is. */
	check(!bare_memory_add(window_base[WINDOWS - 1], 64 * PAGE));
	memset(map[WINDOWS - 1], RAM, 64);
}

static void add_reservations(void)
{
	uint64_t first, bytes, at;
	unsigned int w, i;

	for (i = 0; i < 20; i++) {
		w = (unsigned int)below(WINDOWS - 1);
		first = below((WINDOW_PAGES - 100) * PAGE);
		bytes = 1 + below(99 * PAGE);
		check(!bare_memory_reserve(window_base[w] + first, bytes));
		for (at = WEIR_ALIGN_DOWN(first, PAGE); at < first + bytes; at += PAGE)
			if (map[w][at / PAGE] == RAM)
				map[w][at / PAGE] = RESERVED;
	}
}

static uint64_t zone_end(enum weir_zone zone)
{
	static const uint64_t end[] = { UINT64_MAX, 4 * GIB, GIB };

	return end[zone];
}

static bool zone_exists(enum weir_zone zone)
{
	unsigned int w, i;

	for (w = 0; w < WINDOWS; w++)
		for (i = 0; i < WINDOW_PAGES; i++)
			if ((map[w][i] == RAM || map[w][i] == TAKEN) && window_base[w] + i * PAGE &&
			    window_base[w] + i * PAGE < zone_end(zone))
				return true;
	return false;
}

static bool take(unsigned int order, enum weir_zone zone)
{
	weir_phys_t phys = 1, at;
	int err = alloc(order, zone, &phys);

	if (err) {
		check(phys == 1);
		return false;
	}
	check(phys && WEIR_IS_ALIGNED(phys, PAGE << order));
	check(phys + (PAGE << order) <= zone_end(zone));
	for (at = phys; at < phys + (PAGE << order); at += PAGE) {
		check(*entry(at) == RAM);
		*entry(at) = TAKEN;
	}
	memset(plat_phys_to_virt(NULL, phys), 0xee, PAGE); /* ours, links and all */
	check(nr_live < MAX_LIVE);
	live[nr_live++] = (struct live){ phys, order };
	live_pages += 1ull << order;
	check(bare_pages_in_use() == live_pages);
	return true;
}

static void drop(unsigned int which)
{
	struct live old = live[which];
	weir_phys_t at;

	for (at = old.phys; at < old.phys + (PAGE << old.order); at += PAGE)
		*entry(at) = RAM;
	live[which] = live[--nr_live];
	live_pages -= 1ull << old.order;
	give_back(old.phys, old.order);
	check(bare_pages_in_use() == live_pages);
}

static void churn(void)
{
	unsigned int step, order;

	for (step = 0; step < 20000; step++) {
		order = (unsigned int)below(below(4) ? 4 : ORDERS);
		if (nr_live < MAX_LIVE && below(100) < (step / 1000 % 2 ? 35 : 65))
			take(order, (enum weir_zone)below(3));
		else if (nr_live)
			drop((unsigned int)below(nr_live));
	}
	while (nr_live)
		drop(nr_live - 1);
}

/* How many blocks of each order there are when the largest are taken first, and the last page. */
static void take_all(unsigned int counts[ORDERS])
{
	static struct live all[WINDOWS * WINDOW_PAGES];
	unsigned int order, nr = 0;
	weir_phys_t phys;

	for (order = ORDERS; order--;)
		for (counts[order] = 0; !alloc(order, WEIR_ZONE_NORMAL, &phys); counts[order]++)
			all[nr++] = (struct live){ phys, order };
	check(alloc(0, WEIR_ZONE_NORMAL, &phys) == -WEIR_ENOMEM);
	while (nr--)
		give_back(all[nr].phys, all[nr].order);
	check(bare_pages_in_use() == 0);
}

/* Blocks of the map: as large as they are aligned, from left to right. */
static void expect_blocks(unsigned int counts[ORDERS], const uint8_t *usable, uint64_t base)
{
	unsigned int i = 0, order, n;

	while (i < WINDOW_PAGES) {
		for (n = 0; i + n < WINDOW_PAGES && usable[i + n] == RAM; n++)
			;
		if (!n) {
			i++;
			continue;
		}
		order = ORDERS - 1;
		while (n < 1u << order || !WEIR_IS_ALIGNED(base + i * PAGE, PAGE << order))
			order--;
		counts[order]++;
		i += 1u << order;
	}
}

static uint64_t pages_of(const unsigned int counts[ORDERS])
{
	uint64_t pages = 0;
	unsigned int order;

	for (order = 0; order < ORDERS; order++)
		pages += (uint64_t)counts[order] << order;
	return pages;
}

/* The allocator's own data may be anywhere in RAM: a page that it never gives is reserved. */
static void find_own_pages(void)
{
	static weir_phys_t all[WINDOWS * WINDOW_PAGES];
	unsigned int nr = 0, i, w;

	while (!alloc(0, WEIR_ZONE_NORMAL, &all[nr])) {
		check(*entry(all[nr]) == RAM);
		*entry(all[nr]) = TAKEN;
		nr++;
	}
	for (w = 0; w < WINDOWS; w++)
		for (i = 0; i < WINDOW_PAGES; i++)
			if (map[w][i] == RAM)
				map[w][i] = RESERVED;
	for (i = 0; i < nr; i++) {
		*entry(all[i]) = RAM;
		give_back(all[i], 0);
	}
}

static uint64_t ram_pages(void)
{
	uint64_t pages = 0;
	unsigned int w, i;

	for (w = 0; w < WINDOWS; w++)
		for (i = 0; i < WINDOW_PAGES; i++)
			pages += map[w][i] == RAM;
	return pages;
}

static int random_layout(void)
{
	unsigned int want[ORDERS] = { 0 }, got[ORDERS], w;
	uint64_t before;
	weir_phys_t phys;

	fakemachine_ram(10 * GIB);
	add_banks();
	add_reservations();
	before = ram_pages();
	check(!bare_memory_ready());
	find_own_pages();
	/* A byte for each page of the span of a bank, in whole pages; and page 0. */
	check(before - ram_pages() <= WINDOWS * 4 + 1 && before > ram_pages());
	for (w = 0; w < 3; w++)
		if (!zone_exists((enum weir_zone)w))
			check(alloc(0, (enum weir_zone)w, &phys) == -WEIR_EINVAL);
	for (w = 0; w < WINDOWS; w++)
		expect_blocks(want, map[w], window_base[w]);
	check(pages_of(want) == ram_pages());
	take_all(got);
	check(!memcmp(want, got, sizeof(want)));
	churn();
	take_all(got);
	check(!memcmp(want, got, sizeof(want)));
	return 0;
}

static void test_random(void **state)
{
	unsigned int round;

	(void)state;
	for (round = 1; round <= 40; round++) {
		seed = round * 0x9e3779b97f4a7c15ull;
		if (fakemachine_run(1, random_layout))
			fail_msg("seed %u: %s", round, fakemachine_console());
	}
}

/* ---- Zones ---- */

static int zones_in_order(void)
{
	static const struct {
		enum weir_zone zone;
		uint64_t low, high;
	} want[] = {
		{ WEIR_ZONE_NORMAL, 4 * GIB, 5 * GIB },
		{ WEIR_ZONE_NORMAL, 3 * GIB, 4 * GIB },
		{ WEIR_ZONE_NORMAL, GIB / 2, GIB },
	};
	static const enum weir_zone all[] = { WEIR_ZONE_NORMAL, WEIR_ZONE_DMA32, WEIR_ZONE_DMA };
	weir_phys_t phys;
	unsigned int i, n;

	fakemachine_ram(5 * GIB);
	check(!bare_memory_add(GIB / 2, 4 << 20));
	check(!bare_memory_add(3 * GIB, 4 << 20));
	check(!bare_memory_add(4 * GIB, 8 << 20));
	check(!bare_memory_ready());
	check(plat_memory_end(bare_plat()) == 4 * GIB + (8 << 20));
	check(bare_memory_size() == 16 << 20);
	check(!alloc(0, WEIR_ZONE_DMA, &phys) && phys < GIB);
	give_back(phys, 0);
	check(!alloc(0, WEIR_ZONE_DMA32, &phys) && phys >= 3 * GIB && phys < 4 * GIB);
	give_back(phys, 0);
	for (i = 0; i < 3; i++)
		/* Own data is in the highest bank: three pages there, as many as banks. */
		for (n = 0; n < (i ? 1024u : 2045u); n++) {
			check(!alloc(0, want[i].zone, &phys));
			check(phys >= want[i].low && phys < want[i].high);
		}
	for (i = 0; i < 3; i++)
		check(alloc(0, all[i], &phys) == -WEIR_ENOMEM);
	return 0;
}

static int zones_missing(void)
{
	weir_phys_t phys;

	fakemachine_ram(5 * GIB);
	check(!bare_memory_add(2 * GIB, 4 << 20));
	/* There, but none of it to give out. */
	check(!bare_memory_add(GIB / 2, 4 << 20));
	check(!bare_memory_reserve(GIB / 2, 4 << 20));
	check(!bare_memory_ready());
	check(alloc(0, WEIR_ZONE_DMA, &phys) == -WEIR_EINVAL);
	check(!alloc(0, WEIR_ZONE_DMA32, &phys));
	check(!alloc(0, WEIR_ZONE_NORMAL, &phys));
	return 0;
}

static void test_zones(void **state)
{
	(void)state;
	assert_int_equal(fakemachine_run(1, zones_in_order), 0);
	assert_int_equal(fakemachine_run(1, zones_missing), 0);
}

/* ---- Bring-up ---- */

static int odd_banks(void)
{
	unsigned int count = 0;
	weir_phys_t phys;

	fakemachine_ram(1 << 20);
	check(!bare_memory_add(0, 0x1fff));	  /* page 0 alone, which nobody is given */
	check(!bare_memory_add(0x10001, 0x2ffe)); /* whole: 0x11000 */
	check(!bare_memory_add(0x20001, 0x1ffe)); /* none */
	check(!bare_memory_add(0x30000, 0x3000)); /* these two are 0x30000 to 0x35000 */
	check(!bare_memory_add(0x31000, 0x4000));
	check(!bare_memory_add(UINT64_MAX - 5, 5)); /* none */
	check(!bare_memory_add(0x30000, 0));
	check(!bare_memory_reserve(0x33fff, 2));		    /* 0x33000 and 0x34000 */
	check(!bare_memory_reserve(UINT64_MAX - 5000, UINT64_MAX)); /* no RAM there */
	check(bare_memory_size() == 0x1000 + 0x1000 + 0x5000);
	check(plat_memory_end(bare_plat()) == 0x35000);
	check(!bare_memory_ready());
	/* Own data: a page for each of 3 banks, from the top: 0x32000, 0x31000, 0x30000. */
	for (; !alloc(0, WEIR_ZONE_NORMAL, &phys); count++)
		check(phys == 0x11000);
	check(count == 1);
	return 0;
}

static int too_many(void)
{
	unsigned int i;

	for (i = 0; !bare_memory_add(i * 0x10000ull, PAGE); i++)
		check(i < 1000);
	check(i >= 32);
	for (i = 0; !bare_memory_reserve(i * 0x10000ull, PAGE); i++)
		check(i < 1000);
	check(i >= 64);
	check(bare_memory_reserve(1 << 30, PAGE) == -WEIR_ENOMEM);
	return 0;
}

static int too_little(void)
{
	fakemachine_ram(1 << 20);
	check(!bare_memory_add(0x10000, 2 * PAGE));
	check(!bare_memory_reserve(0x10000, 2 * PAGE));
	check(bare_memory_ready() == -WEIR_ENOMEM);
	return 0;
}

static int none_at_all(void)
{
	check(bare_memory_ready() == -WEIR_ENOMEM);
	return 0;
}

static void test_bring_up(void **state)
{
	(void)state;
	assert_int_equal(fakemachine_run(1, odd_banks), 0);
	assert_int_equal(fakemachine_run(1, too_many), 0);
	assert_int_equal(fakemachine_run(1, too_little), 0);
	assert_int_equal(fakemachine_run(1, none_at_all), 0);
}

static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* 50 Mi pages: 50 MiB of bytes, and a page of each of 50 Ki blocks, 200 MiB. */
static int large(void)
{
	long before = peak_kib();
	weir_phys_t phys;

	fakemachine_ram(210 * GIB);
	check(!bare_memory_add(GIB, 200 * GIB));
	check(!bare_memory_ready());
	check(!alloc(WEIR_PLAT_MAX_ORDER, WEIR_ZONE_NORMAL, &phys) && phys >= 4 * GIB);
	check(!alloc(WEIR_PLAT_MAX_ORDER, WEIR_ZONE_DMA32, &phys) && phys < 4 * GIB);
	check(peak_kib() - before < 300 << 10);
	return 0;
}

static void test_large(void **state)
{
	(void)state;
#if defined(FAKEMACHINE_TSAN) || defined(FAKEMACHINE_ASAN)
	skip(); /* the shadow of so much memory is in the way */
#endif
	assert_int_equal(fakemachine_run(1, large), 0);
}

/* ---- Mistakes ---- */

static void some_memory(void)
{
	fakemachine_ram(1 << 26);
	check(!bare_memory_add(1 << 24, 1 << 24));
	check(!bare_memory_ready());
}

static int frees_twice(void)
{
	weir_phys_t phys;

	some_memory();
	check(!alloc(0, WEIR_ZONE_NORMAL, &phys));
	give_back(phys, 0);
	give_back(phys, 0);
	return 0;
}

static int frees_other_order(void)
{
	weir_phys_t phys;

	some_memory();
	check(!alloc(3, WEIR_ZONE_NORMAL, &phys));
	give_back(phys, 2);
	return 0;
}

static int frees_middle(void)
{
	weir_phys_t phys;

	some_memory();
	check(!alloc(3, WEIR_ZONE_NORMAL, &phys));
	give_back(phys + PAGE, 0);
	return 0;
}

static int frees_part_of_page(void)
{
	weir_phys_t phys;

	some_memory();
	check(!alloc(0, WEIR_ZONE_NORMAL, &phys));
	give_back(phys + 8, 0);
	return 0;
}

static int frees_no_ram(void)
{
	some_memory();
	give_back(0x123456000, 0);
	return 0;
}

static void test_mistakes(void **state)
{
	static int (*const mistakes[])(void) = { frees_twice, frees_other_order, frees_middle,
						 frees_part_of_page, frees_no_ram };
	unsigned int i;

	(void)state;
	for (i = 0; i < WEIR_ARRAY_SIZE(mistakes); i++) {
		assert_int_equal(fakemachine_run(1, mistakes[i]), 70);
		assert_non_null(strstr(fakemachine_console(), "plat_pages_free(0x"));
	}
	assert_non_null(strstr(fakemachine_console(), "0x123456000"));
}

/* ---- Many at once ---- */

#define USERS 4u

static unsigned int users_ready; /* atomic */

struct user {
	struct weir_timer timer;
	weir_phys_t in_irq;
	uint32_t ticks; /* atomic */
	uint64_t seed;
};

static void mark(weir_phys_t phys, unsigned int order, uint64_t with)
{
	uint64_t *at = plat_phys_to_virt(NULL, phys);

	at[7] = with;
	at[(PAGE << order) / 8 - 1] = ~with;
}

static void marked(weir_phys_t phys, unsigned int order, uint64_t with)
{
	const uint64_t *at = plat_phys_to_virt(NULL, phys);

	check(at[7] == with && at[(PAGE << order) / 8 - 1] == ~with);
}

/* An interrupt holds a page from one tick to the next. */
static void tick(struct weir_timer *timer)
{
	struct user *user = WEIR_CONTAINER_OF(timer, struct user, timer);

	if (user->in_irq) {
		marked(user->in_irq, 0, (uintptr_t)user);
		give_back(user->in_irq, 0);
	}
	check(!plat_pages_alloc(bare_plat(), 0, WEIR_ZONE_NORMAL, WEIR_ALLOC_ATOMIC,
				&user->in_irq));
	mark(user->in_irq, 0, (uintptr_t)user);
	__atomic_fetch_add(&user->ticks, 1, __ATOMIC_RELAXED);
	plat_timer_arm(bare_plat(), timer, plat_time_ns(bare_plat()) + 20000);
}

static int use_pages(void *arg)
{
	struct user *user = arg;
	weir_phys_t held[16] = { 0 };
	unsigned int i, step;

	__atomic_fetch_add(&users_ready, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&users_ready, __ATOMIC_RELAXED) < USERS)
		plat_relax(bare_plat());
	user->timer.fn = tick;
	plat_timer_arm(bare_plat(), &user->timer, 0);
	for (step = 0; step < 40000 || __atomic_load_n(&user->ticks, __ATOMIC_RELAXED) < 50;
	     step++) {
		user->seed = user->seed * 6364136223846793005ull + 1442695040888963407ull;
		i = user->seed >> 60;
		if (held[i]) {
			marked(held[i], i % 4, (uintptr_t)user + i);
			give_back(held[i], i % 4);
			held[i] = 0;
		} else if (!alloc(i % 4, WEIR_ZONE_NORMAL, &held[i])) {
			mark(held[i], i % 4, (uintptr_t)user + i);
		}
	}
	for (i = 0; i < 16; i++)
		if (held[i])
			give_back(held[i], i % 4);
	plat_timer_cancel(bare_plat(), &user->timer);
	if (user->in_irq)
		give_back(user->in_irq, 0);
	return 0;
}

static int many(void)
{
	struct user users[USERS] = { { .seed = 1 }, { .seed = 2 }, { .seed = 3 }, { .seed = 4 } };
	struct bare_thread *threads[USERS];
	unsigned int i;

	some_memory();
	for (i = 0; i < USERS; i++)
		check(!bare_thread_start(i, use_pages, &users[i], &threads[i]));
	for (i = 0; i < USERS; i++)
		check(bare_thread_join(threads[i]) == 0);
	check(bare_pages_in_use() == 0);
	return 0;
}

static void test_many(void **state)
{
	(void)state;
	assert_int_equal(fakemachine_run(USERS, many), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	 cmocka_unit_test(test_zones),
		cmocka_unit_test(test_bring_up), cmocka_unit_test(test_large),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
