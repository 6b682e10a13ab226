/* SPDX-License-Identifier: MIT */
/*
 * The small services of src/base.
 *
 * - Lists keep order; an element may be deleted twice, and while the list is walked.
 * - Ids: each is handed out once, comes back, is reused as late as possible; a foreign or free id
 *   is refused; none left is said so.
 * - Delayed work runs once, after its time, in TASK context; arming again moves the time; cancelled
 *   means neither pending nor running, even if the function arms itself, and it can be armed later.
 * - A completion lets as many through as it was done, done_all everybody; time-outs are exact.
 * - Delay and sleep last as long as asked.
 * - Interrupt handlers get their number and argument; a second request is refused; freeing stops
 *   them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <weir/pci-host.h>

#include "bareweir.h"
#include "base/bitmap.h"
#include "base/ids.h"
#include "base/list.h"

#define RAM (8u << 20)

struct item {
	struct weir_list list;
	int value;
};

static void lists(void **state)
{
	struct item items[5];
	struct weir_list head, *pos, *tmp;
	int expect = 0;

	(void)state;
	weir_list_init(&head);
	assert_true(weir_list_empty(&head));
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		weir_list_add_tail(&items[i].list, &head);
	}
	weir_list_for_each(pos, &head)
		assert_int_equal(weir_list_entry(pos, struct item, list)->value, expect++);
	assert_int_equal(expect, 5);
	weir_list_del(&items[2].list);
	weir_list_del(&items[2].list);
	weir_list_add(&items[2].list, &head);
	assert_ptr_equal(head.next, &items[2].list);
	weir_list_for_each_safe(pos, tmp, &head)
		weir_list_del(pos);
	assert_true(weir_list_empty(&head));
}

static void bits(void **state)
{
	uint64_t map[3] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 130; i++) {
		assert_int_equal(weir_bit_find_clear(map, 130, 0), i);
		weir_bit_set(map, i);
		assert_true(weir_bit_test(map, i));
	}
	assert_int_equal(weir_bit_find_clear(map, 130, 0), 130);
	assert_int_equal(weir_bit_find_clear(map, 131, 0), 130);
	weir_bit_clear(map, 64);
	assert_int_equal(weir_bit_find_clear(map, 130, 3), 64);
	assert_int_equal(weir_bit_find_clear(map, 130, 65), 130);
	assert_int_equal(weir_bit_find_clear(map, 130, 500), 130);
}

static void ids_are_reused_late(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_ids ids;
	uint32_t id;

	(void)state;
	assert_int_equal(weir_ids_init(weir, &ids, 1, 0), -WEIR_EINVAL);
	assert_int_equal(weir_ids_init(weir, &ids, 2, UINT32_MAX - 1), -WEIR_EINVAL);
	assert_int_equal(weir_ids_init(weir, &ids, 1, 100), 0);
	for (uint32_t i = 1; i <= 60; i++) {
		assert_int_equal(weir_ids_alloc(&ids, &id), 0);
		assert_int_equal(id, i);
	}
	assert_true(weir_ids_free(&ids, 5));
	assert_false(weir_ids_free(&ids, 5));
	assert_false(weir_ids_free(&ids, 0));
	assert_false(weir_ids_free(&ids, 101));
	assert_false(weir_ids_free(&ids, 61));
	assert_true(weir_ids_reserve(&ids, 100));
	assert_false(weir_ids_reserve(&ids, 100));
	assert_false(weir_ids_reserve(&ids, 101));
	assert_false(weir_ids_reserve(&ids, 0));
	assert_true(weir_ids_free(&ids, 100));
	for (uint32_t i = 61; i <= 100; i++) {
		assert_int_equal(weir_ids_alloc(&ids, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(weir_ids_alloc(&ids, &id), 0);
	assert_int_equal(id, 5);
	assert_int_equal(weir_ids_alloc(&ids, &id), -WEIR_ENOSPC);
	assert_int_equal(weir_ids_fini(weir, &ids), 100);
	bare.fake->fail_alloc = 1;
	assert_int_equal(weir_ids_init(weir, &ids, 0, 65536), -WEIR_ENOMEM);
	weir_ids_fini(weir, &ids);
	assert_int_equal(bareweir_fini(&bare), 0);
}

struct ticker {
	struct weir_delayed_work dwork;
	unsigned int runs, arm_again;
	uint64_t last;
};

static void tick(struct weir_work *work)
{
	struct ticker *ticker = WEIR_CONTAINER_OF(work, struct ticker, dwork.work);

	ticker->runs++;
	ticker->last = plat_time_ns(weir_plat(ticker->dwork.weir));
	if (ticker->arm_again) {
		ticker->arm_again--;
		weir_delayed_work_arm(&ticker->dwork, 10);
	}
}

static void delayed_work(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct ticker t = { .runs = 0 };

	(void)state;
	weir_delayed_work_init(weir, &t.dwork, tick);
	weir_delayed_work_arm(&t.dwork, 100);
	fakeplat_advance(bare.fake, 60);
	weir_delayed_work_arm(&t.dwork, 100);
	fakeplat_advance(bare.fake, 60);
	assert_int_equal(t.runs, 0);
	fakeplat_advance(bare.fake, 60);
	assert_int_equal(t.runs, 1);
	assert_int_equal(t.last, 160);

	t.arm_again = 3;
	weir_delayed_work_arm(&t.dwork, 0);
	fakeplat_advance(bare.fake, 1000);
	assert_int_equal(t.runs, 5);

	weir_delayed_work_arm(&t.dwork, 50);
	weir_delayed_work_cancel(&t.dwork);
	fakeplat_advance(bare.fake, 1000);
	assert_int_equal(t.runs, 5);
	weir_delayed_work_arm(&t.dwork, UINT64_MAX);
	weir_delayed_work_cancel(&t.dwork);
	weir_delayed_work_arm(&t.dwork, 5);
	fakeplat_advance(bare.fake, 10);
	assert_int_equal(t.runs, 6);
	weir_delayed_work_cancel(&t.dwork);

	/* It always comes a moment too late to stop the timer, or the work. */
	bare.fake->late_cancel = true;
	t.arm_again = 1000;
	weir_delayed_work_arm(&t.dwork, 5);
	weir_delayed_work_cancel(&t.dwork);
	assert_int_equal(t.runs, 7);
	fakeplat_advance(bare.fake, 1000);
	assert_int_equal(t.runs, 7);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void completes(struct weir_timer *timer)
{
	uintptr_t *done = (uintptr_t *)(void *)(timer + 1);

	weir_done(plat_weir(), (struct weir_completion *)*done);
}

static void completions(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	struct weir_completion c = { 0 };
	struct {
		struct weir_timer timer;
		uintptr_t completion;
	} later = { .timer.fn = completes, .completion = (uintptr_t)&c };

	(void)state;
	assert_int_equal(weir_wait_done(weir, &c, 500), -WEIR_ETIMEDOUT);
	assert_int_equal(bare.fake->now, 500);
	assert_int_equal(weir_wait_done(weir, &c, 0), -WEIR_ETIMEDOUT);
	weir_done(weir, &c);
	weir_done(weir, &c);
	assert_int_equal(weir_wait_done(weir, &c, 0), 0);
	assert_int_equal(weir_wait_done(weir, &c, UINT64_MAX), 0);
	assert_int_equal(weir_wait_done(weir, &c, 100), -WEIR_ETIMEDOUT);
	plat_timer_arm(bare.fake, &later.timer, 5000);
	assert_int_equal(weir_wait_done(weir, &c, UINT64_MAX), 0);
	assert_int_equal(bare.fake->now, 5000);
	weir_done_all(weir, &c);
	weir_done(weir, &c);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(weir_wait_done(weir, &c, 0), 0);
	assert_int_equal(c.done, UINT32_MAX);
	c.done = UINT32_MAX - 1;
	weir_done(weir, &c);
	assert_int_equal(c.done, UINT32_MAX - 1);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void time_passes(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);

	(void)state;
	weir_sleep_ns(weir, 12345);
	assert_int_equal(bare.fake->now, 12345);
	weir_delay_ns(weir, 10000);
	assert_in_range(bare.fake->now, 22345, 24000);
	weir_delay_ns(weir, 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static int seen_irq;
static unsigned int seen_count;

static int handler(int irq, void *arg)
{
	seen_irq = irq;
	seen_count += *(unsigned int *)arg;
	return 1;
}

static void interrupts(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, RAM);
	unsigned int one = 1, ten = 10;

	(void)state;
	seen_count = 0;
	assert_int_equal(weir_irq_request(NULL, 40, handler, &one), -WEIR_EINVAL);
	assert_int_equal(weir_irq_request(weir, 5000, handler, &one), -WEIR_EINVAL);
	assert_int_equal(weir_irq_request(weir, 40, handler, &one), 0);
	assert_int_equal(weir_irq_request(weir, 41, handler, &ten), 0);
	assert_int_equal(weir_irq_request(weir, 40, handler, &ten), -WEIR_EBUSY);
	fakeplat_raise(bare.fake, 40);
	fakeplat_run(bare.fake);
	assert_int_equal(seen_irq, 40);
	fakeplat_raise(bare.fake, 41);
	fakeplat_run(bare.fake);
	assert_int_equal(seen_count, 11);
	weir_irq_free(weir, 40);
	fakeplat_raise(bare.fake, 40);
	fakeplat_run(bare.fake);
	assert_int_equal(seen_count, 11);
	weir_irq_free(weir, 40);
	assert_int_equal(bare.fake->log_lines[WEIR_LOG_ERR], 1);
	weir_irq_free(weir, 41);
	bare.fake->fail_alloc = 1;
	bare.fake->fail_onwards = true;
	for (unsigned int i = 0; i < 1000; i++) /* until the kept slab is full */
		if (weir_irq_request(weir, 42 + i % 100, handler, &one) == -WEIR_ENOMEM)
			break;
	for (unsigned int i = 0; i < 100; i++)
		if (weir->irqs)
			weir_irq_free(weir, 42 + i);
	assert_null(weir->irqs);
	assert_int_equal(bareweir_fini(&bare), 0);
}

static void statistics(void **state)
{
	struct weir_cpu cpus[3] = { { { 0 } } };
	struct weir weir = { .cpus = 3, .cpu = cpus };

	(void)state;
	cpus[0].stat[WEIR_STAT_MAPS] = 1;
	cpus[2].stat[WEIR_STAT_MAPS] = 5;
	cpus[1].stat[WEIR_STAT_UNMAPS] = 9;
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_MAPS), 6);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_UNMAPS), 9);
	assert_int_equal(weir_cpus(&weir), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(bits),
		cmocka_unit_test(ids_are_reused_late),
		cmocka_unit_test(delayed_work),
		cmocka_unit_test(completions),
		cmocka_unit_test(time_passes),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
