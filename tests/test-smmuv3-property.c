/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 driver against the model with adversarial caches, as a property of random sequences of
 * operations. Threads own address ranges of the same domains, whose tables they share, and devices.
 *
 * - What is mapped translates to what it should, as it may; nothing else translates: not after
 *   unmap returned, at once or later, not by an entry of the last owner of the address, the ASID or
 *   the stream. Each mapping has addresses of memory of its own, so what is stale shows.
 * - No operation returns while an access is in flight that it ends: each access that got through
 *   looks again, before it completes, whether what it found is still there.
 * - A stream does what its domain says from the moment that attach or detach returned, and nothing
 *   from the one that its device was removed.
 * - All of this notices: with --mutate one invalidation, CMD_SYNC, clean or barrier that matters is
 *   left out (tests/support/mutate.h), and caught every time.
 *
 * Arguments: [--threads N] [--mutate N [--kind NAME]] [--seed S]: N operations of threads, N
 * mutations of each kind; what is not named does not run, without any both do.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "modelrig.h"
#include "mutate.h"
#include "propertyworld.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
static uint64_t operations = 150000;
static unsigned int mutations = 3;
#else
static uint64_t operations = 1500000;
static unsigned int mutations = 20;
#endif
static uint64_t first_seed = 1;
static const char *only_kind;

/* ---- Report ---------------------------------------------------------------------------------- */

static const char *const op_names[WORLD_OPS] = {
	"maps",
	"list maps",
	"unmaps",
	"accesses",
	"probes after unmap",
	"other accesses",
	"anchor reads",
	"attaches",
	"detaches",
	"domains renewed",
	"devices in or out",
};

static void report(const struct world_worker *workers, unsigned int count)
{
	struct world_worker sum = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		sum.operations += workers[i].operations;
		sum.passed += workers[i].passed;
		sum.blocked += workers[i].blocked;
		sum.pages += workers[i].pages;
		sum.reused += workers[i].reused;
		for (unsigned int k = 0; k < WORLD_OPS; k++)
			sum.by_op[k] += workers[i].by_op[k];
		for (unsigned int k = 0; k < WEIR_ARRAY_SIZE(sum.frames); k++)
			sum.frames[k] += workers[i].frames[k];
	}
	printf("%llu operations, %u threads, %u streams, %u domains:",
	       (unsigned long long)sum.operations, count, WORLD_STREAMS, WORLD_DOMAINS);
	for (unsigned int k = 0; k < WORLD_OPS; k++)
		printf(" %llu %s%s", (unsigned long long)sum.by_op[k], op_names[k],
		       k < WORLD_OPS - 1 ? "," : "\n");
	printf("%llu accesses passed, %llu blocked; %llu mapped pages of 4 KiB or 2 MiB, "
	       "%llu of them where others were; distinct addresses: %llu of 4 KiB, %llu of 2 MiB; "
	       "leaves by alignment: %llu of 4 KiB, %llu of 2 MiB, %llu of 1 GiB; "
	       "tables of 4 levels\n",
	       (unsigned long long)sum.passed, (unsigned long long)sum.blocked,
	       (unsigned long long)sum.pages, (unsigned long long)sum.reused,
	       (unsigned long long)world_distinct_pages(12),
	       (unsigned long long)world_distinct_pages(21), (unsigned long long)sum.frames[0],
	       (unsigned long long)sum.frames[1], (unsigned long long)sum.frames[2]);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void *worker_main(void *arg)
{
	struct world_worker *worker = arg;

	world_enter(worker);
	while (worker->operations < operations / WORLD_THREADS)
		world_step(worker);
	return NULL;
}

static void run_threads(const struct modelrig_options *options)
{
	static struct world_worker workers[WORLD_THREADS];
	pthread_t threads[WORLD_THREADS];

	world_start(options);
	for (unsigned int i = 0; i < WORLD_THREADS; i++) {
		world_worker_init(&workers[i], i, options->seed);
		assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < WORLD_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	report(workers, WORLD_THREADS);
	world_stop();
}

static void many_threads(void **state)
{
	(void)state;
	run_threads(
		&(struct modelrig_options){ .seed = first_seed, .cpus = WORLD_THREADS, .bbml = 2 });
}

static void many_threads_that_split_by_break_before_make(void **state)
{
	(void)state;
	operations /= 4;
	run_threads(&(struct modelrig_options){ .seed = first_seed, .cpus = WORLD_THREADS });
	operations *= 4;
}

static void many_threads_without_snooping_and_ranges(void **state)
{
	(void)state;
	operations /= 4;
	run_threads(&(struct modelrig_options){
		.seed = first_seed, .cpus = WORLD_THREADS, .incoherent = true, .no_ranges = true });
	operations *= 4;
}

/* ---- Mutations ------------------------------------------------------------------------------- */

/* Enough for the caches to fill; bounds: operations until there is something to leave out. */
#define WARM_UP 300u
#define PATIENCE 20000u
#define SEEDS_PER_MUTATION 20u

enum verdict { CAUGHT, MISSED, NOTHING_TO_LEAVE_OUT };

static enum verdict mutate_once(enum mutate_kind kind, uint64_t seed)
{
	static struct world_worker worker;
	struct modelrig_options options = {
		.seed = seed, .cpus = 1, .ram = 8u << 20, .cmdq = 32, .bbml = 2
	};
	enum verdict verdict = NOTHING_TO_LEAVE_OUT;

	mutate_options(kind, &options);
	world_start(&options);
	world_worker_init(&worker, 0, seed);
	world_enter(&worker);
	for (unsigned int i = 0; i < WARM_UP; i++)
		world_step(&worker);
	mutate_arm(kind, seed % 7);
	for (unsigned int i = 0; i < PATIENCE && !mutate.dropped; i++)
		world_step(&worker);
	if (mutate.dropped)
		verdict = world_hunt(&worker) ? CAUGHT : MISSED;
	mutate_disarm();
	world_abandon();
	return verdict;
}

static unsigned int mutate_kind_of(enum mutate_kind kind)
{
	unsigned int caught = 0, missed = 0, barren = 0;
	uint64_t seed = first_seed;

	while (caught + missed < mutations && barren < SEEDS_PER_MUTATION * mutations) {
		switch (mutate_once(kind, seed)) {
		case CAUGHT:
			caught++;
			break;
		case MISSED:
			missed++;
			if (kind == MUTATE_NOTHING)
				break;
			printf("%s: missed with --kind %s --seed %llu: %s\n",
			       mutate_kind_names[kind], mutate_kind_names[kind],
			       (unsigned long long)seed, mutate_what());
			break;
		case NOTHING_TO_LEAVE_OUT:
			barren++;
			break;
		}
		seed++;
	}
	printf("%-12s caught %u, missed %u (%u seeds without)\n", mutate_kind_names[kind], caught,
	       missed, barren);
	if (caught + missed < mutations)
		printf("%s: never came up often enough\n", mutate_kind_names[kind]);
	if (kind == MUTATE_NOTHING)
		return caught;
	return missed + (caught + missed < mutations);
}

static void every_mutation_is_caught(void **state)
{
	unsigned int wrong = 0;

	(void)state;
	for (enum mutate_kind kind = 0; kind < MUTATE_KINDS; kind++)
		if (!only_kind || !strcmp(only_kind, mutate_kind_names[kind]))
			wrong += mutate_kind_of(kind);
	assert_int_equal(wrong, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads),
		cmocka_unit_test(many_threads_that_split_by_break_before_make),
		cmocka_unit_test(many_threads_without_snooping_and_ranges),
		cmocka_unit_test(every_mutation_is_caught),
	};
	bool threads = false, mutate_each = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--mutate") && i + 1 < argc) {
			mutations = (unsigned int)strtoul(argv[++i], NULL, 0);
			mutate_each = true;
		} else if (!strcmp(argv[i], "--kind") && i + 1 < argc) {
			only_kind = argv[++i];
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			first_seed = strtoull(argv[++i], NULL, 0);
		} else if (!strcmp(argv[i], "--threads") && i + 1 < argc) {
			operations = strtoull(argv[++i], NULL, 0);
			threads = true;
		} else {
			fprintf(stderr, "what is %s?\n", argv[i]);
			return 1;
		}
	}
	if (threads != mutate_each)
		cmocka_set_test_filter(threads ? "many_threads*" : "every_mutation_is_caught");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
