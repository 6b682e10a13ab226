/* SPDX-License-Identifier: MIT */
/*
 * weir_snprintf() and the log.
 *
 * - For every conversion, flag, width, precision and length that it has, and for random values, the
 *   text is that of the C library.
 * - It truncates, always ends in a zero, returns what stands in the buffer, and writes no byte
 *   more.
 * - A log line has at most 255 characters, the device's name in front, no control characters; lines
 *   below the level asked for are not made.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bareweir.h"

static const char *const flags[] = { "", "-", "0", "#", "+", " ", "-0", "#0", "-#", "+0" };
static const char *const widths[] = { "", "1", "3", "12", "25" };
static const char *const precisions[] = { "", ".", ".0", ".1", ".5", ".22" };

static void expect(const char *got, int got_len, const char *want, const char *format)
{
	if (strcmp(got, want) || (size_t)got_len != strlen(want))
		fail_msg("%s: \"%s\" (%d), the C library: \"%s\"", format, got, got_len, want);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

/* One format, one argument, both ways. */
#define COMPARE(format, arg)                                                                       \
	do {                                                                                       \
		char got_[128], want[128];                                                         \
		int len_ = weir_snprintf(got_, sizeof(got_), format, arg);                         \
		snprintf(want, sizeof(want), format, arg);                                         \
		expect(got_, len_, want, format);                                                  \
	} while (0)

static void compare_integers(const char *prefix, char conversion, uint64_t value)
{
	char format[64];

	snprintf(format, sizeof(format), "<%s%c>", prefix, conversion);
	COMPARE(format, (unsigned int)value);
	snprintf(format, sizeof(format), "<%shh%c>", prefix, conversion);
	COMPARE(format, (unsigned int)value);
	snprintf(format, sizeof(format), "<%sh%c>", prefix, conversion);
	COMPARE(format, (unsigned int)value);
	snprintf(format, sizeof(format), "<%sl%c>", prefix, conversion);
	COMPARE(format, (unsigned long)value);
	snprintf(format, sizeof(format), "<%sll%c>", prefix, conversion);
	COMPARE(format, (unsigned long long)value);
	snprintf(format, sizeof(format), "<%sz%c>", prefix, conversion);
	COMPARE(format, (size_t)value);
}

static void for_each_prefix(void (*fn)(const char *prefix))
{
	for (unsigned int f = 0; f < WEIR_ARRAY_SIZE(flags); f++)
		for (unsigned int w = 0; w < WEIR_ARRAY_SIZE(widths); w++)
			for (unsigned int p = 0; p < WEIR_ARRAY_SIZE(precisions); p++) {
				char prefix[32];

				snprintf(prefix, sizeof(prefix), "%%%s%s%s", flags[f], widths[w],
					 precisions[p]);
				fn(prefix);
			}
}

static void integers_with(const char *prefix)
{
	static const uint64_t values[] = { 0,
					   1,
					   7,
					   9,
					   10,
					   127,
					   128,
					   255,
					   256,
					   0x7fff,
					   0x8000,
					   0x7fffffff,
					   0x80000000,
					   0xffffffff,
					   0x123456789abcdef,
					   INT64_MAX,
					   (uint64_t)INT64_MIN,
					   UINT64_MAX };

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(values); i++)
		for (const char *c = "diuxX"; *c; c++)
			compare_integers(prefix, *c, values[i]);
}

static void integers(void **state)
{
	(void)state;
	for_each_prefix(integers_with);
	srand(1);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t value = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();

		compare_integers("%", "diuxX"[i % 5], value >> rand() % 64);
	}
}

static void strings_with(const char *prefix)
{
	static const char *const strings[] = { "", "a", "hello", "a string that is rather long" };
	char format[64];

	if (strchr(prefix, '#') || strchr(prefix, '0') == prefix + 1 || strchr(prefix, '+') ||
	    strchr(prefix, ' ') || strstr(prefix, "-0"))
		return; /* undefined with %s */
	snprintf(format, sizeof(format), "[%ss]", prefix);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(strings); i++)
		COMPARE(format, strings[i]);
	if (strchr(prefix, '.'))
		return;
	snprintf(format, sizeof(format), "[%sc]", prefix);
	COMPARE(format, 'x');
}

static void others(void **state)
{
	static const char *volatile unknown = "a %q b", *volatile cut_off = "a %", *volatile null;
	static const char unterminated[3] = { 'a', 'b', 'c' };
	char got[64];

	(void)state;
	for_each_prefix(strings_with);
	COMPARE("%p", (void *)&got);
	COMPARE("%24p", (void *)&got);
	COMPARE("100%%: %d", 5);
	expect(got, weir_snprintf(got, sizeof(got), "%*d|%-*d|%.*s", 5, 1, 4, 2, 3, unterminated),
	       "    1|2   |abc", "stars");
	expect(got, weir_snprintf(got, sizeof(got), "%*d|", -4, 7), "7   |", "negative width");
	expect(got, weir_snprintf(got, sizeof(got), "%.*d|", -4, 7), "7|", "negative precision");
	expect(got, weir_snprintf(got, sizeof(got), "%s", null), "(null)", "null");
	expect(got, weir_snprintf(got, sizeof(got), unknown, 1), unknown, unknown);
	expect(got, weir_snprintf(got, sizeof(got), cut_off, 1), cut_off, cut_off);
}

static void truncates(void **state)
{
	char buf[16];

	(void)state;
	for (size_t size = 0; size <= sizeof(buf); size++) {
		int len;

		memset(buf, 0x55, sizeof(buf));
		len = weir_snprintf(buf, size, "%08x%-40s%0999999999d", 0x1234, "x", 1);
		assert_int_equal(len, size ? size - 1 : 0);
		if (size)
			assert_int_equal(buf[size - 1], 0);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0x55);
	}
	assert_int_equal(weir_snprintf(NULL, 0, "abc"), 0);
}

static void logs_one_line(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, 4u << 20);
	struct weir_device dev = { .weir = weir, .name = "0000:01:00.0" };

	(void)state;
	weir_log(weir, WEIR_LOG_INFO, "%s", "\x7f\x80\x9b\xff~");
	assert_string_equal(bare.fake->last_line, "????~");
	weir_log(weir, WEIR_LOG_INFO, "a\nb\033[2J %d", 5);
	assert_string_equal(bare.fake->last_line, "a?b?[2J 5");
	weir_dev_log(&dev, WEIR_LOG_WARN, "gone after %u ms", 30);
	assert_string_equal(bare.fake->last_line, "0000:01:00.0: gone after 30 ms");
	weir_dev_log(&dev, WEIR_LOG_ERR, "%300d", 1);
	assert_int_equal(strlen(bare.fake->last_line), 255);
	weir->log_level = WEIR_LOG_WARN;
	weir_log(weir, WEIR_LOG_INFO, "not seen");
	weir_dev_log(&dev, WEIR_LOG_DEBUG, "not seen");
	assert_int_equal(fakeplat_logged(bare.fake, "not seen"), 0);
	assert_int_equal(bareweir_fini(&bare), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(others),
		cmocka_unit_test(truncates),
		cmocka_unit_test(logs_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
