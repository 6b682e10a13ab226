/* SPDX-License-Identifier: MIT */
/*
 * platforms/bare: the four memory functions.
 *
 * Properties, at every alignment of both ends, for every size up to some words and for a page:
 * - memcpy and memset write what they should, there and nowhere else.
 * - memmove does too where source and destination overlap, either way.
 * - memcmp finds the first byte that differs, as unsigned, and looks no further than told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Under names of their own, beside the C library's. */
#define memcpy bare_memcpy
#define memset bare_memset
#define memmove bare_memmove
#define memcmp bare_memcmp
#include "memory.c"
#undef memcpy
#undef memset
#undef memmove
#undef memcmp

#define ALIGNS 16u
#define SIZES 150u
#define ROOM 4608u

static unsigned char source[ROOM] __attribute__((aligned(64)));
static unsigned char result[ROOM] __attribute__((aligned(64)));
static unsigned char expected[ROOM] __attribute__((aligned(64)));

/* No two bytes near each other are alike; nor are they under another seed, of a few. */
static void fill(unsigned char *at, unsigned int seed)
{
	static unsigned char pattern[ROOM + 8];
	unsigned int i;

	for (i = pattern[1] ? sizeof(pattern) : 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i * 7 + i / 256);
	memcpy(at, pattern + seed, ROOM);
}

static void same_as_expected(void)
{
	unsigned int i;

	if (!memcmp(result, expected, ROOM))
		return;
	for (i = 0; i < ROOM; i++)
		if (result[i] != expected[i])
			fail_msg("byte %u is 0x%02x and not 0x%02x", i, result[i], expected[i]);
}

static size_t size_at(unsigned int step)
{
	return step < SIZES ? step : WEIR_PAGE_SIZE + step - SIZES;
}

static void copy(size_t to, size_t from, size_t n)
{
	size_t i;

	fill(source, 1);
	fill(result, 2);
	fill(expected, 2);
	for (i = 0; i < n; i++)
		expected[to + i] = source[from + i];
	assert_ptr_equal(bare_memcpy(result + to, source + from, n), result + to);
	same_as_expected();
}

static void test_memcpy(void **state)
{
	unsigned int to, from, step;

	(void)state;
	for (step = 0; step < SIZES + 3; step++)
		for (to = 0; to < ALIGNS; to += step < 40 ? 1 : 3)
			for (from = 0; from < ALIGNS; from += step < 40 ? 1 : 5)
				copy(64 + to, 64 + from, size_at(step));
}

static void test_memset(void **state)
{
	unsigned int to, step;
	size_t i;

	(void)state;
	for (step = 0; step < SIZES + 3; step++)
		for (to = 64; to < 64 + ALIGNS; to++) {
			fill(result, 3);
			fill(expected, 3);
			for (i = 0; i < size_at(step); i++)
				expected[to + i] = 0xa5;
			/* An int of which only the low byte counts. */
			assert_ptr_equal(bare_memset(result + to, 0x17a5, size_at(step)),
					 result + to);
			same_as_expected();
		}
}

static void move(size_t to, size_t from, size_t n)
{
	size_t i;

	fill(result, 4);
	fill(source, 4);
	fill(expected, 4);
	for (i = 0; i < n; i++)
		expected[to + i] = source[from + i];
	assert_ptr_equal(bare_memmove(result + to, result + from, n), result + to);
	same_as_expected();
}

static void test_memmove(void **state)
{
	unsigned int from, distance, step;

	(void)state;
	for (step = 0; step < SIZES + 2; step += step < 30 ? 1 : 7)
		for (from = 128; from < 128 + 8; from++)
			for (distance = 0; distance <= 80; distance++) {
				move(from + distance, from, size_at(step));
				move(from - distance, from, size_at(step));
			}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void test_memcmp(void **state)
{
	unsigned int a, b, n, at;
	unsigned char *x, *y;

	(void)state;
	for (n = 0; n < 80; n++)
		for (a = 0; a < ALIGNS; a++)
			for (b = 0; b < ALIGNS; b += 3) {
				x = source + 64 + a;
				y = result + 64 + b;
				fill(source, 5);
				memcpy(y, x, n);
				x[n] = 1;
				y[n] = 2;
				assert_int_equal(bare_memcmp(x, y, n), 0);
				for (at = 0; at < n; at += 1 + n / 16) {
					/* Behind it everything differs, the other way round. */
					memset(x + at, 0x7f, n - at);
					memset(y + at, 0x01, n - at);
					y[at] = 0x80;
					assert_int_equal(sign(bare_memcmp(x, y, n)), -1);
					assert_int_equal(sign(bare_memcmp(y, x, n)), 1);
					memcpy(y, x, n);
				}
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy),
		cmocka_unit_test(test_memset),
		cmocka_unit_test(test_memmove),
		cmocka_unit_test(test_memcmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
