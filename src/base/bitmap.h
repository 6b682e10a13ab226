/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_BITMAP_H
#define WEIR_BASE_BITMAP_H

/* Bits in an array of 64-bit words. Not atomic: the owner holds a lock. */

#include <weir/base.h>

#define WEIR_BITMAP_WORDS(bits) (((size_t)(bits) + 63) / 64)

static inline bool weir_bit_test(const uint64_t *map, unsigned int bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void weir_bit_set(uint64_t *map, unsigned int bit)
{
	map[bit / 64] |= WEIR_BIT(bit % 64);
}

static inline void weir_bit_clear(uint64_t *map, unsigned int bit)
{
	map[bit / 64] &= ~WEIR_BIT(bit % 64);
}

/* The first clear bit at or after `start` and below `bits`; `bits` if there is none. */
static inline unsigned int weir_bit_find_clear(const uint64_t *map, unsigned int bits,
					       unsigned int start)
{
	while (start < bits) {
		uint64_t clear = ~map[start / 64] >> (start % 64);

		if (clear) {
			start += (unsigned int)__builtin_ctzll(clear);
			return start < bits ? start : bits;
		}
		start = (start / 64 + 1) * 64;
	}
	return bits;
}

#endif
