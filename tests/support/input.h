/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

/* The bytes of a fuzzer as a stream of choices: zeroes where they have ended. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

/** The next `bytes` of them, at most 8, the lowest first. */
static inline uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->data++, in->left--)
		value |= (uint64_t)*in->data << 8 * i;
	return value;
}

static inline unsigned int take_below(struct input *in, unsigned int limit)
{
	return (unsigned int)take(in, 1) % limit;
}

/** A word that is right, but for one time in eight. */
static inline uint64_t take_noise(struct input *in, uint64_t word)
{
	return take(in, 1) & 7 ? word : word ^ take(in, 8);
}

/** What has to hold whatever the input is. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
