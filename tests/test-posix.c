/* SPDX-License-Identifier: MIT */
/*
 * The posix platform: memory, registers, identity, reports; under the threaded and under the
 * seeded runner.
 *
 * Properties:
 * - Pages: aligned, disjoint, in the zone asked for; all of RAM can be had, freed, and had again as
 *   large blocks; counts and posix_page_is_free() agree with an oracle over random sequences; the
 *   Nth allocation fails, or all from the Nth on.
 * - The CPUs' and the models' view are two mappings of one memory.
 * - Registers: accesses reach the bus with their width; nothing there reads as ones; RAM is
 *   refused.
 * - A task, a call and an attached thread are the CPU that was asked for.
 * - What may not sleep and does, is taken twice, or freed twice, is reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inside.h"
#include "posix-support.h"

#define RAM_BASE WEIR_MODEL_MACHINE_RAM_BASE
#define RAM_SIZE POSIX_TEST_RAM
#define PAGES (RAM_SIZE / WEIR_PAGE_SIZE)
#define CPUS POSIX_TEST_CPUS
#define IRQ 70u

/* ---- Memory ---- */

struct block {
	weir_phys_t phys;
	unsigned int order;
};

static weir_phys_t alloc(struct posix_machine *machine, unsigned int order)
{
	weir_phys_t phys;

	if (plat_pages_alloc(machine, order, WEIR_ZONE_NORMAL, 0, &phys))
		return 0;
	check(phys >= RAM_BASE);
	check(phys + (WEIR_PAGE_SIZE << order) <= plat_memory_end(machine));
	check((phys % (WEIR_PAGE_SIZE << order)) == 0);
	return phys;
}

static int take_all_pages(void *arg)
{
	struct posix_machine *machine = arg;
	weir_phys_t *all = calloc(PAGES, sizeof(*all));
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		all[i] = alloc(machine, 0);
		check(all[i]);
		check(!posix_page_is_free(machine, all[i]));
		*(uint64_t *)plat_phys_to_virt(machine, all[i]) = all[i];
	}
	check(alloc(machine, 0) == 0);
	check(posix_pages_in_use(machine) == PAGES);
	for (i = 0; i < PAGES; i++) {
		check(*(uint64_t *)plat_phys_to_virt(machine, all[i]) == all[i]);
		plat_pages_free(machine, all[i], 0);
		check(posix_page_is_free(machine, all[i]));
	}
	free(all);
	return 0;
}

static int take_all_blocks(void *arg)
{
	struct posix_machine *machine = arg;
	weir_phys_t first = alloc(machine, WEIR_PLAT_MAX_ORDER);
	weir_phys_t second = alloc(machine, WEIR_PLAT_MAX_ORDER);

	check(first && second && first != second);
	check(alloc(machine, WEIR_PLAT_MAX_ORDER) == 0);
	plat_pages_free(machine, first, WEIR_PLAT_MAX_ORDER);
	plat_pages_free(machine, second, WEIR_PLAT_MAX_ORDER);
	return 0;
}

static void test_all_of_memory(void **state)
{
	struct posix_machine *machine = *state;

	assert_int_equal(posix_call(machine, 0, take_all_pages, machine), 0);
	assert_int_equal(posix_call(machine, 1, take_all_blocks, machine), 0);
	assert_int_equal(posix_call(machine, 2, take_all_pages, machine), 0);
}

static void free_some(struct posix_machine *machine, struct block *block, uint8_t *oracle)
{
	uint64_t first = (block->phys - RAM_BASE) / WEIR_PAGE_SIZE;

	check((*(uint64_t *)plat_phys_to_virt(machine, block->phys)) == (block->phys));
	memset(oracle + first, 0, 1u << block->order);
	plat_pages_free(machine, block->phys, block->order);
	block->phys = 0;
}

static void take_some(struct posix_machine *machine, struct block *block, uint8_t *oracle)
{
	uint64_t first, i;

	block->phys = alloc(machine, block->order);
	if (!block->phys)
		return;
	first = (block->phys - RAM_BASE) / WEIR_PAGE_SIZE;
	for (i = first; i < first + (1u << block->order); i++) {
		check(oracle[i] == 0);
		oracle[i] = 1;
	}
	*(uint64_t *)plat_phys_to_virt(machine, block->phys) = block->phys;
}

static void compare_pages(struct posix_machine *machine, const uint8_t *oracle)
{
	uint64_t i, used = 0;

	for (i = 0; i < PAGES; i++) {
		check(posix_page_is_free(machine, RAM_BASE + i * WEIR_PAGE_SIZE) == !oracle[i]);
		used += oracle[i];
	}
	check(posix_pages_in_use(machine) == used);
}

static int use_memory_at_random(void *arg)
{
	struct posix_machine *machine = arg;
	uint8_t *oracle = calloc(PAGES, 1);
	struct block blocks[300] = { { 0, 0 } };
	struct block *block;
	uint64_t seed = 1;
	unsigned int i;

	for (i = 0; i < 30000; i++) {
		block = &blocks[next_random(&seed) % WEIR_ARRAY_SIZE(blocks)];
		block->order = block->phys ? block->order : next_random(&seed) % 6;
		(block->phys ? free_some : take_some)(machine, block, oracle);
		if (i % 3000 == 0)
			compare_pages(machine, oracle);
	}
	for (i = 0; i < WEIR_ARRAY_SIZE(blocks); i++)
		if (blocks[i].phys)
			free_some(machine, &blocks[i], oracle);
	compare_pages(machine, oracle);
	free(oracle);
	return 0;
}

static void test_random_memory(void **state)
{
	assert_int_equal(posix_call(*state, 0, use_memory_at_random, *state), 0);
	assert_false(posix_page_is_free(*state, RAM_BASE - WEIR_PAGE_SIZE));
	assert_false(posix_page_is_free(*state, RAM_BASE + RAM_SIZE));
}

static int take_and_give(void *arg)
{
	struct posix_machine *machine = arg;
	weir_phys_t mine[100];
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < WEIR_ARRAY_SIZE(mine); i++) {
			mine[i] = alloc(machine, i % 3);
			check(mine[i]);
			*(uint64_t *)plat_phys_to_virt(machine, mine[i]) = mine[i] + plat_cpu();
		}
		plat_relax(machine);
		for (i = 0; i < WEIR_ARRAY_SIZE(mine); i++) {
			check(*(uint64_t *)plat_phys_to_virt(machine, mine[i]) ==
			      mine[i] + plat_cpu());
			plat_pages_free(machine, mine[i], i % 3);
		}
	}
	return 0;
}

static void test_memory_of_many_cpus(void **state)
{
	on_all_cpus(*state, take_and_give, *state);
}

static void test_zones(void **state)
{
	weir_phys_t phys;

	assert_int_equal(plat_pages_alloc(*state, 0, WEIR_ZONE_DMA, 0, &phys), -WEIR_EINVAL);
	assert_int_equal(plat_pages_alloc(*state, 0, WEIR_ZONE_DMA32, 0, &phys), 0);
	assert_true(phys < 1ull << 32);
	plat_pages_free(*state, phys, 0);
	assert_int_equal(plat_memory_end(*state), RAM_BASE + RAM_SIZE);
}

/* RAM beyond 4 GiB: what may lie anywhere lies there, and DMA32 below. */
static void test_large_memory(void **state)
{
	struct posix_options options = { .ram_size = 5ull << 30 };
	struct posix_machine *machine;
	weir_phys_t low, high, block;

	(void)state;
	assert_int_equal(posix_create(&options, &machine), 0);
	assert_int_equal(plat_pages_alloc(machine, 0, WEIR_ZONE_DMA32, 0, &low), 0);
	assert_int_equal(plat_pages_alloc(machine, 0, WEIR_ZONE_NORMAL, 0, &high), 0);
	assert_int_equal(plat_pages_alloc(machine, 10, WEIR_ZONE_DMA32, 0, &block), 0);
	assert_true(low < 1ull << 32 && high >= 1ull << 32 && block < 1ull << 32);
	plat_pages_free(machine, low, 0);
	plat_pages_free(machine, high, 0);
	plat_pages_free(machine, block, 10);
	posix_destroy(machine);
}

static void test_two_views(void **state)
{
	struct weir_model_bus *bus = weir_model_machine_bus(posix_models(*state));
	weir_phys_t phys = alloc(*state, 1);
	uint8_t *virt = plat_phys_to_virt(*state, phys);
	struct weir_model_window window;
	uint64_t value = 0;

	assert_int_equal(plat_virt_to_phys(*state, virt + 5000), phys + 5000);
	memset(virt, 0x5a, 2 * WEIR_PAGE_SIZE);
	assert_true(weir_model_bus_window(bus, phys, &window));
	assert_ptr_not_equal((uint8_t *)window.host + (phys - window.base), virt);
	assert_int_equal(weir_model_bus_read(bus, phys + 5000, &value, 8, 1), WEIR_MODEL_OK);
	assert_int_equal(value, 0x5a5a5a5a5a5a5a5a);
	value = 0x0102030405060708;
	assert_int_equal(weir_model_bus_write(bus, phys + 8, &value, 8, 1), WEIR_MODEL_OK);
	assert_memory_equal(virt + 8, &value, 8);
	plat_pages_free(*state, phys, 1);
}

static void count_failures(enum posix_runner runner, uint64_t fail, bool onwards,
			   unsigned int expect)
{
	struct posix_machine *machine = posix_test_machine(runner, fail, onwards);
	weir_phys_t phys[10];
	unsigned int i, failed = 0;

	for (i = 0; i < WEIR_ARRAY_SIZE(phys); i++) {
		phys[i] = alloc(machine, i % 2);
		failed += !phys[i];
		check(!phys[i] == (fail && (i + 1 == fail || (onwards && i + 1 > fail))));
	}
	check(failed == expect);
	check(posix_alloc_calls(machine) == WEIR_ARRAY_SIZE(phys));
	for (i = 0; i < WEIR_ARRAY_SIZE(phys); i++)
		if (phys[i])
			plat_pages_free(machine, phys[i], i % 2);
	posix_destroy(machine);
}

static void test_allocations_made_to_fail(void **state)
{
	(void)state;
	count_failures(POSIX_THREADED, 0, true, 0);
	count_failures(POSIX_THREADED, 4, false, 1);
	count_failures(POSIX_SEEDED, 4, true, 7);
}

/* ---- Registers ---- */

static int access_registers(void *arg)
{
	struct posix_machine *machine = arg;
	volatile uint8_t *regs = plat_mmio_map(machine, ECHO_BASE, ECHO_SIZE);
	volatile uint8_t *hole = plat_mmio_map(machine, 0x0b000000, 0x1000);

	check(regs);
	check(plat_mmio_read64(regs + ECHO_DONE) == 0);
	check(plat_mmio_read32(regs + ECHO_DONE) == UINT32_MAX); /* aborts: not 8 bytes */
	check(plat_mmio_read64(hole) == UINT64_MAX);
	check(plat_mmio_read16(hole + 2) == UINT16_MAX);
	check(plat_mmio_read8(hole + 1) == UINT8_MAX);
	plat_mmio_write8(hole + 1, 1);
	plat_mmio_write16(hole + 2, 1);
	plat_mmio_write32(hole + 4, 1);
	check(!plat_mmio_map(machine, RAM_BASE + 0x1000, 0x1000));
	check(!plat_mmio_map(machine, RAM_BASE - 0x1000, 0x2000));
	check(!plat_mmio_map(machine, 1ull << 48, 0x1000));
	plat_mmio_unmap(machine, regs, ECHO_SIZE);
	plat_mmio_unmap(machine, hole, 0x1000);
	return 0;
}

static void test_registers(void **state)
{
	static struct echo echo; /* outlives the machine */

	echo_add(&echo, *state, IRQ, RAM_BASE);
	assert_int_equal(posix_call(*state, 1, access_registers, *state), 0);
}

/* ---- Identity ---- */

static struct weir *some_weir(void)
{
	static int object;

	return (struct weir *)(void *)&object;
}

static int who_am_i(void *arg)
{
	(void)arg;
	check(plat_weir() == some_weir());
	return (int)plat_cpu();
}

static void test_identity(void **state)
{
	struct posix_task *task;

	posix_set_weir(*state, some_weir());
	assert_null(plat_weir());
	assert_int_equal(posix_call(*state, 2, who_am_i, NULL), 2);
	assert_int_equal(posix_spawn(*state, 1, who_am_i, NULL, &task), 0);
	assert_int_equal(posix_join(task), 1);
	assert_int_equal(posix_spawn(*state, CPUS, who_am_i, NULL, &task), -WEIR_EINVAL);
	posix_attach(*state, 1);
	assert_int_equal(who_am_i(NULL), 1);
	posix_detach();
	assert_null(plat_weir());
}

static void test_bad_options(void **state)
{
	const struct posix_options bad[] = {
		{ .ram_size = 4097 },
		{ .ram_size = 1ull << 48 },
		{ .cpus = 257 },
		{ .runner = (enum posix_runner)7 },
	};
	struct posix_machine *machine;
	unsigned int i;

	(void)state;
	for (i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		assert_int_equal(posix_create(&bad[i], &machine), -WEIR_EINVAL);
}

/* ---- Reports ---- */

static void sleep_with_interrupts_off(void)
{
	struct posix_machine *machine = posix_test_machine(POSIX_THREADED, 0, false);
	static const uint32_t word;

	posix_attach(machine, 0);
	plat_irq_save();
	plat_wait(machine, &word, 0, MS);
}

static void allocate_under_spin_lock(void)
{
	struct posix_machine *machine = posix_test_machine(POSIX_SEEDED, 0, false);
	struct weir_spinlock lock = { { 0, 0 } };
	weir_phys_t phys;

	posix_attach(machine, 0);
	plat_spin_lock(&lock);
	plat_pages_alloc(machine, 0, WEIR_ZONE_NORMAL, 0, &phys);
}

static void lock_twice(void)
{
	struct weir_spinlock lock = { { 0, 0 } };

	posix_attach(posix_test_machine(POSIX_THREADED, 0, false), 0);
	plat_spin_lock(&lock);
	plat_spin_lock(&lock);
}

static void free_twice(void)
{
	struct posix_machine *machine = posix_test_machine(POSIX_THREADED, 0, false);
	weir_phys_t phys = alloc(machine, 1);

	plat_pages_free(machine, phys, 1);
	plat_pages_free(machine, phys, 1);
}

static void free_smaller(void)
{
	struct posix_machine *machine = posix_test_machine(POSIX_THREADED, 0, false);

	plat_pages_free(machine, alloc(machine, 1), 0);
}

static void access_from_nowhere(void)
{
	struct posix_machine *machine = posix_test_machine(POSIX_THREADED, 0, false);

	plat_mmio_read32(plat_mmio_map(machine, ECHO_BASE, 4));
}

static void test_reports(void **state)
{
	(void)state;
	assert_true(dies_saying(sleep_with_interrupts_off, "a section with interrupts off"));
	assert_true(dies_saying(allocate_under_spin_lock, "a section with a spin lock held"));
	assert_true(dies_saying(lock_twice, "taken again by its holder"));
	assert_true(dies_saying(free_twice, "freed what was not allocated"));
	assert_true(dies_saying(free_smaller, "freed what was not allocated"));
	assert_true(dies_saying(access_from_nowhere, "a thread that is no CPU"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports), /* first: it forks */
		BOTH(test_all_of_memory),
		BOTH(test_random_memory),
		BOTH(test_memory_of_many_cpus),
		BOTH(test_zones),
		cmocka_unit_test(test_large_memory),
		BOTH(test_two_views),
		cmocka_unit_test(test_allocations_made_to_fail),
		BOTH(test_registers),
		BOTH(test_identity),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
