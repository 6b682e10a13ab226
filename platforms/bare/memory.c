/* SPDX-License-Identifier: MIT */
/*
 * The four memory functions that a freestanding compiler calls by itself. Everything is by words of
 * 8 bytes where both ends of it lie alike in their words, eight at a time, and by bytes elsewhere:
 * every access is aligned, as memory without its caches on demands. Pages and structures lie alike.
 * Must be compiled so that no loop becomes a call of the function that it is in.
 */
#include <weir/base.h>

typedef uint64_t __attribute__((may_alias)) word;

#define WORD sizeof(word)
#define BATCH 8u /* words */

static bool alike(const void *a, const void *b)
{
	return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

/* Bytes from `at` to the next word. */
static size_t to_word(const void *at, size_t n)
{
	size_t bytes = -(uintptr_t)at & (WORD - 1);

	return bytes < n ? bytes : n;
}

/* Bytes from the last word's end to `end`. */
static size_t past_word(const void *end, size_t n)
{
	size_t bytes = (uintptr_t)end & (WORD - 1);

	return bytes < n ? bytes : n;
}

/* A batch is loaded whole before it is stored: right also where the two overlap. */
static void copy_batch(word *d, const word *s)
{
	word a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];

	d[0] = a;
	d[1] = b;
	d[2] = c;
	d[3] = e;
	d[4] = f;
	d[5] = g;
	d[6] = h;
	d[7] = i;
}

/* From the lowest byte on: also where the destination overlaps the source from below. */
static void copy_up(unsigned char *d, const unsigned char *s, size_t n)
{
	size_t bytes = alike(d, s) ? to_word(d, n) : n;

	n -= bytes;
	while (bytes--)
		*d++ = *s++;
	for (; n >= BATCH * WORD; n -= BATCH * WORD, d += BATCH * WORD, s += BATCH * WORD)
		copy_batch((word *)(void *)d, (const word *)(const void *)s);
	for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
		*(word *)(void *)d = *(const word *)(const void *)s;
	while (n--)
		*d++ = *s++;
}

/* The same from the highest byte on; d and s are the ends. */
static void copy_down(unsigned char *d, const unsigned char *s, size_t n)
{
	size_t bytes = alike(d, s) ? past_word(d, n) : n;

	n -= bytes;
	while (bytes--)
		*--d = *--s;
	for (; n >= BATCH * WORD; n -= BATCH * WORD) {
		d -= BATCH * WORD;
		s -= BATCH * WORD;
		copy_batch((word *)(void *)d, (const word *)(const void *)s);
	}
	for (; n >= WORD; n -= WORD) {
		d -= WORD;
		s -= WORD;
		*(word *)(void *)d = *(const word *)(const void *)s;
	}
	while (n--)
		*--d = *--s;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* Wraps where dst is below src, and is then too large as well. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down((unsigned char *)dst + n, (const unsigned char *)src + n, n);
	return dst;
}

static void fill_batch(word *d, word value)
{
	d[0] = value;
	d[1] = value;
	d[2] = value;
	d[3] = value;
	d[4] = value;
	d[5] = value;
	d[6] = value;
	d[7] = value;
}

void *memset(void *dst, int c, size_t n)
{
	unsigned char *d = dst;
	word value = (unsigned char)c * 0x0101010101010101ull;
	size_t bytes = to_word(d, n);

	n -= bytes;
	while (bytes--)
		*d++ = (unsigned char)c;
	for (; n >= BATCH * WORD; n -= BATCH * WORD, d += BATCH * WORD)
		fill_batch((word *)(void *)d, value);
	for (; n >= WORD; n -= WORD, d += WORD)
		*(word *)(void *)d = value;
	while (n--)
		*d++ = (unsigned char)c;
	return dst;
}

static int compare_bytes(const unsigned char *a, const unsigned char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	size_t bytes = alike(x, y) ? to_word(x, n) : n;
	int order = compare_bytes(x, y, bytes);

	if (order)
		return order;
	x += bytes;
	y += bytes;
	n -= bytes;
	/* The first words that differ are settled by their bytes. */
	while (n >= WORD && *(const word *)(const void *)x == *(const word *)(const void *)y) {
		x += WORD;
		y += WORD;
		n -= WORD;
	}
	return compare_bytes(x, y, n);
}
