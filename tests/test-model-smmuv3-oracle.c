/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 model against a second reading of the specification (support/oracle.h), over random
 * cases (support/smmucase.h): implementations, streams, context descriptors, tables of both stages
 * that are right or wrong, transactions of all kinds, without caches and with.
 *
 * - Each transaction ends as the oracle says: result, address, attributes, event record, ATS
 *   answer, flags of descriptors; nothing else in memory changes.
 * - The cases reach what they are for: transactions that pass, each event that the oracle knows of,
 *   updates by hardware; what is UNPREDICTABLE is rare.
 *
 * Arguments: cases, seed. A case that fails prints its own seed: run it alone with `1 SEED`.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "smmucase.h"

#define BYTES 640u

static uint64_t cases = 12000, seed = 1;
static struct {
	uint64_t transactions, compared, oks, events;
	uint64_t types[256];
} counts;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* REQUIRE() failed: which case it was. */
static void say_seed(int signal_number)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "in the case of seed %llu\n",
			 (unsigned long long)seed);

	(void)signal_number;
	if (write(STDERR_FILENO, text, (size_t)n) != n)
		_exit(1);
}

static void count(const struct smmucase *c)
{
	counts.transactions += c->transactions;
	counts.compared += c->compared;
	counts.oks += c->oks;
	counts.events += c->events;
	for (unsigned int i = 0; i < 256; i++)
		counts.types[i] += c->types[i];
}

static void run_case(void)
{
	static struct smmucase c;
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	uint8_t bytes[BYTES];
	struct input in = { bytes, BYTES };

	for (unsigned int i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(next_random(&state) >> 32);
	case_run(&c, &in);
	count(&c);
}

static void as_the_oracle_says(void **state)
{
	static const uint8_t types[] = { 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
					 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13 };

	(void)state;
	for (uint64_t i = 0; i < cases; i++, seed++)
		run_case();
	print_message("%llu transactions, %llu compared, %llu pass, %llu events\n",
		      (unsigned long long)counts.transactions, (unsigned long long)counts.compared,
		      (unsigned long long)counts.oks, (unsigned long long)counts.events);
	if (cases < 1000)
		return;
	for (unsigned int i = 0; i < sizeof(types); i++)
		assert_true(counts.types[types[i]] > 0);
	assert_true(counts.oks > counts.transactions / 8);
	assert_true(counts.compared > counts.transactions - counts.transactions / 50);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_oracle_says) };

	if (argc > 1)
		cases = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	signal(SIGABRT, say_seed);
	return cmocka_run_group_tests_name("SMMUv3 against the oracle", tests, NULL, NULL);
}
