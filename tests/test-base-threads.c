/* SPDX-License-Identifier: MIT */
/*
 * src/base on several CPUs at once, on the threads of platforms/posix. For the thread sanitizer
 * too.
 *
 * - Heap: what one CPU allocates another may free; contents stay; nothing is left in the end.
 * - Ids: no id is handed out twice at a time.
 * - Completions: as many waiters pass as were let through, and the completion may be gone right
 *   after.
 * - Delayed work that arms itself: cancelled, it neither runs nor is pending, however the two race.
 * - Statistics lose no count.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/ids.h"
#include "base/machine.h"
#include "posix.h"

#define CPUS 4
#define ROUNDS 20000

static struct posix_machine *machine;
static struct weir weir;
static struct weir_cpu cpus[CPUS];

static int setup(void **state)
{
	struct posix_options options = { .runner = POSIX_THREADED,
					 .cpus = CPUS,
					 .ram_size = 64 << 20 };

	(void)state;
	assert_int_equal(posix_create(&options, &machine), 0);
	memset(&weir, 0, sizeof(weir));
	memset(cpus, 0, sizeof(cpus));
	weir.plat = machine;
	weir.cpus = CPUS;
	weir.cpu = cpus;
	weir_heap_init(&weir.heap, machine, false);
	posix_set_weir(machine, &weir);
	return 0;
}

static int fini_heap(void *arg)
{
	(void)arg;
	return weir_heap_fini(&weir.heap) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(posix_call(machine, 0, fini_heap, NULL), 0);
	assert_int_equal(posix_pages_in_use(machine), 0);
	posix_destroy(machine);
	return 0;
}

static void on_all_cpus(int (*fn)(void *arg))
{
	struct posix_task *tasks[CPUS];

	for (uintptr_t i = 0; i < CPUS; i++)
		assert_int_equal(posix_spawn(machine, (unsigned int)i, fn, (void *)i, &tasks[i]),
				 0);
	for (unsigned int i = 0; i < CPUS; i++)
		assert_int_equal(posix_join(tasks[i]), 0);
}

/* ---- Heap ---------------------------------------------------------------------------------- */

/* First word: its size; then the size's low byte again and again. */
static unsigned char *shared[64];

static unsigned char *make(uint32_t size)
{
	unsigned char *p = weir_alloc(&weir, size, 0);

	if (!p)
		return NULL;
	memset(p, (int)(size & 0xff), size);
	memcpy(p, &size, sizeof(size));
	return p;
}

static int check_and_free(unsigned char *p)
{
	uint32_t size;

	if (!p)
		return 0;
	memcpy(&size, p, sizeof(size));
	for (uint32_t i = sizeof(size); i < size; i++)
		if (p[i] != (size & 0xff))
			return -1;
	weir_free(&weir, p);
	return 0;
}

static int use_heap(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 1;
	int ret = 0;

	for (unsigned int i = 0; i < ROUNDS && !ret; i++) {
		unsigned char *p, **slot;

		seed = seed * 1664525u + 1013904223u;
		slot = &shared[seed >> 16 & 63];
		p = seed >> 31 ? make(4 + (seed >> 8) % (seed >> 28 & 1 ? 9000 : 300)) : NULL;
		ret = check_and_free(__atomic_exchange_n(slot, p, __ATOMIC_ACQ_REL));
		weir_stat_add(&weir, WEIR_STAT_MAPS, 1);
	}
	return ret;
}

static void heap_and_statistics(void **state)
{
	(void)state;
	on_all_cpus(use_heap);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(shared); i++) {
		posix_attach(machine, 0);
		assert_int_equal(check_and_free(shared[i]), 0);
		posix_detach();
		shared[i] = NULL;
	}
	assert_int_equal(weir_heap_in_use(&weir), 0);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_MAPS), CPUS * ROUNDS);
}

/* ---- Ids ----------------------------------------------------------------------------------- */

static struct weir_ids ids;
static unsigned char owned[40];

static int use_ids(void *arg)
{
	uint32_t id[8];

	(void)arg;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		for (unsigned int j = 0; j < 8; j++) {
			if (weir_ids_alloc(&ids, &id[j]))
				return -1;
			if (__atomic_exchange_n(&owned[id[j]], 1, __ATOMIC_RELAXED))
				return -2;
		}
		for (unsigned int j = 0; j < 8; j++) {
			__atomic_store_n(&owned[id[j]], 0, __ATOMIC_RELAXED);
			if (!weir_ids_free(&ids, id[j]))
				return -3;
		}
	}
	return 0;
}

static int init_ids(void *arg)
{
	(void)arg;
	return weir_ids_init(&weir, &ids, 3, CPUS * 8);
}

static int fini_ids(void *arg)
{
	(void)arg;
	return (int)weir_ids_fini(&weir, &ids);
}

static void ids_are_unique(void **state)
{
	(void)state;
	assert_int_equal(posix_call(machine, 0, init_ids, NULL), 0);
	on_all_cpus(use_ids);
	assert_int_equal(posix_call(machine, 0, fini_ids, NULL), 0);
}

/* ---- Completions --------------------------------------------------------------------------- */

static struct weir_completion *mailbox;

/* Even CPUs wait on a completion of their own stack, odd ones complete what they find. */
static int use_completions(void *arg)
{
	bool waits = (uintptr_t)arg % 2 == 0;

	for (unsigned int i = 0; i < ROUNDS / 10; i++) {
		struct weir_completion mine = { 0 }, *none = NULL;

		if (!waits) {
			struct weir_completion *theirs;

			while (!(theirs = __atomic_exchange_n(&mailbox, NULL, __ATOMIC_ACQ_REL)))
				plat_relax(machine);
			weir_done(&weir, theirs);
			continue;
		}
		while (!__atomic_compare_exchange_n(&mailbox, &none, &mine, false, __ATOMIC_ACQ_REL,
						    __ATOMIC_RELAXED)) {
			none = NULL;
			plat_relax(machine);
		}
		if (weir_wait_done(&weir, &mine, UINT64_MAX))
			return -1;
	}
	return 0;
}

static void completions_hand_over(void **state)
{
	(void)state;
	on_all_cpus(use_completions);
}

/* ---- Delayed work -------------------------------------------------------------------------- */

static struct weir_delayed_work dwork;
static uint32_t runs;

static void run_again(struct weir_work *work)
{
	(void)work;
	__atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
	weir_delay_ns(&weir,
		      30000); /* so that it is cancelled while it runs, and then arms itself */
	weir_delayed_work_arm(&dwork, 0);
}

static int cancel_running_work(void *arg)
{
	(void)arg;
	weir_delayed_work_init(&weir, &dwork, run_again);
	for (unsigned int i = 0; i < 300; i++) {
		uint32_t seen;

		weir_delayed_work_arm(&dwork, 0);
		weir_delay_ns(&weir, 1000 * (i % 100));
		weir_delayed_work_cancel(&dwork);
		seen = __atomic_load_n(&runs, __ATOMIC_RELAXED);
		weir_delay_ns(&weir, i % 10 ? 10000 : 300000);
		if (seen != __atomic_load_n(&runs, __ATOMIC_RELAXED))
			return -1;
	}
	return __atomic_load_n(&runs, __ATOMIC_RELAXED) > 10 ? 0 : -2;
}

static void delayed_work_is_cancelled(void **state)
{
	(void)state;
	assert_int_equal(posix_call(machine, 0, cancel_running_work, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(heap_and_statistics, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_are_unique, setup, teardown),
		cmocka_unit_test_setup_teardown(completions_hand_over, setup, teardown),
		cmocka_unit_test_setup_teardown(delayed_work_is_cancelled, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
