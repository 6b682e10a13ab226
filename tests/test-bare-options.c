/* SPDX-License-Identifier: MIT */

/*
 * The command line of the bare-metal program (tools/baremetal/options.c).
 *
 *   - an empty line gives the defaults; each word sets what it names, in any order, with any blanks
 *   - every value at the edges of what is allowed is taken, those just beyond are not
 *   - a word that is unknown, has a value that it must not have or lacks one, is refused, and the
 *     error names it and says what there is
 *   - whatever the line is, nothing beyond it is read (run under the address sanitizer)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <program.h>

#define ERROR_SIZE 512

static const char digits[] = "00112233445566778899aabbccddeeFF00112233445566778899AABBCCDDEEff";

static struct options options;
static char error[ERROR_SIZE];

/* From memory of exactly its size. */
static int parse(const char *line)
{
	char *copy = strdup(line);
	int ret;

	assert_non_null(copy);
	memset(error, 0, sizeof(error));
	ret = options_parse(copy, &options, error, sizeof(error));
	free(copy);
	return ret;
}

static void accepted(const char *line)
{
	if (parse(line))
		fail_msg("'%s' was refused: %s", line, error);
}

/* The error holds both. */
static void refused(const char *line, const char *names, const char *says)
{
	if (parse(line) != -WEIR_EINVAL)
		fail_msg("'%s' was taken", line);
	if (!strstr(error, names) || !strstr(error, says))
		fail_msg("'%s': the error is '%s'", line, error);
}

static void defaults(void **state)
{
	static const char *const lines[] = { "", " ", " \t \n " };

	(void)state;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(lines); i++) {
		accepted(lines[i]);
		assert_int_equal(options.task, TASK_RUN);
		assert_int_equal(options.mode, WEIR_MODE_STRICT);
		assert_int_equal(options.queue_depth, 32);
		assert_int_equal(options.block_size, 65536);
		assert_int_equal(options.event_queue, 8192);
		assert_int_equal(options.size, 0);
		assert_false(options.has_sha256 || options.linear_tables || options.colour);
		assert_false(options.progress || options.verbose);
		assert_string_equal(options.title, "weir run: the NVMe disk");
	}
}

static void all_words(void **state)
{
	char line[256];

	(void)state;
	strcpy(line, "  verbose do=storm\ttitle=a=b size=18446744073709551615 mode=passthrough "
		     "tables=linear queue-depth=7 block-size=1024 event-queue=16 progress colour "
		     "sha256=");
	strcat(line, digits);
	accepted(line);
	assert_int_equal(options.task, TASK_STORM);
	assert_int_equal(options.mode, WEIR_MODE_PASSTHROUGH);
	assert_int_equal(options.queue_depth, 7);
	assert_int_equal(options.block_size, 1024);
	assert_int_equal(options.event_queue, 16);
	assert_true(options.size == UINT64_MAX);
	assert_true(options.has_sha256 && options.linear_tables && options.colour);
	assert_true(options.progress && options.verbose);
	assert_string_equal(options.title, "weir run: a=b");
	for (unsigned int i = 0; i < SHA256_SIZE; i++)
		assert_int_equal(options.sha256[i], 0x11 * (i % 16));
}

static void choices(void **state)
{
	(void)state;
	accepted("mode=strict");
	assert_int_equal(options.mode, WEIR_MODE_STRICT);
	accepted("mode=off");
	assert_int_equal(options.mode, WEIR_MODE_OFF);
	accepted("tables=linear tables=auto");
	assert_false(options.linear_tables);
	accepted("do=crash=null");
	assert_int_equal(options.task, TASK_CRASH_NULL);
	accepted("do=crash=stack");
	assert_int_equal(options.task, TASK_CRASH_STACK);
	accepted("do=crash=wild");
	assert_int_equal(options.task, TASK_CRASH_WILD);
	accepted("do=crash=trap");
	assert_int_equal(options.task, TASK_CRASH_TRAP);
	refused("mode=strictly", "mode=strictly", "mode=passthrough");
	refused("mode=stric", "mode=stric", "mode=off");
	refused("tables=two", "tables=two", "tables=linear");
	refused("do=crash", "do=crash:", "do=storm");
}

static void numbers(void **state)
{
	(void)state;
	accepted("queue-depth=1");
	accepted("queue-depth=1023");
	accepted("block-size=512");
	accepted("block-size=2097152");
	accepted("event-queue=4");
	accepted("event-queue=524288");
	accepted("size=1");
	refused("queue-depth=0", "queue-depth=0", "1 to 1023");
	refused("queue-depth=1024", "queue-depth=1024", "1 to 1023");
	refused("queue-depth=4294967297", "queue-depth=", "1 to 1023");
	refused("block-size=511", "block-size=511", "512");
	refused("block-size=2097664", "block-size=", "2097152");
	refused("event-queue=2", "event-queue=2", "power of two");
	refused("event-queue=12", "event-queue=12", "power of two");
	refused("event-queue=1048576", "event-queue=", "524288");
	refused("size=0", "size=0", "bytes");
	refused("size=18446744073709551616", "size=1", "bytes");
	refused("size=28446744073709551616", "size=2", "bytes");
	refused("size=-1", "size=-1", "bytes");
	refused("size=1k", "size=1k", "bytes");
	refused("size=0x10", "size=0x10", "bytes");
}

static void wrong_words(void **state)
{
	static const char *const valued[] = { "mode",	    "tables",	   "queue-depth",
					      "block-size", "event-queue", "size",
					      "sha256",	    "title",	   "do" };

	(void)state;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(valued); i++) {
		char word[32];

		refused(valued[i], valued[i], "must be");
		strcpy(word, valued[i]);
		strcat(word, "=");
		refused(word, word, "must be");
		assert_int_equal(parse(strcat(word, " colour")), -WEIR_EINVAL);
	}
	refused("colour=yes", "colour=yes", "without a value");
	refused("progress=", "progress=", "without a value");
	refused("colour unknown verbose", "'unknown'", "queue-depth=");
	refused("Mode=strict", "'Mode=strict'", "verbose");
	refused("modes=strict", "'modes=strict'", "verbose");
	refused("=strict", "'=strict'", "verbose");
	refused("=", "'='", "verbose");
}

static void checksums(void **state)
{
	char line[128] = "sha256=";

	(void)state;
	strcat(line, digits);
	accepted(line);
	line[strlen(line) - 1] = 'g';
	refused(line, "sha256=", "64 hexadecimal digits");
	line[strlen(line) - 1] = '\0';
	refused(line, "sha256=", "64 hexadecimal digits");
	strcat(line, "ff");
	refused(line, "sha256=", "64 hexadecimal digits");
}

/* A word longer than the error's room is cut, not overrun. */
static void long_words(void **state)
{
	char *line = malloc(5000);

	(void)state;
	assert_non_null(line);
	memset(line, 'x', 4999);
	line[4999] = '\0';
	assert_int_equal(parse(line), -WEIR_EINVAL);
	assert_int_equal(strlen(error), ERROR_SIZE - 1);
	memcpy(line, "title=", 6);
	assert_int_equal(parse(line), -WEIR_EINVAL);
	line[6 + 60] = '\0';
	accepted(line);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),   cmocka_unit_test(all_words),
		cmocka_unit_test(choices),    cmocka_unit_test(numbers),
		cmocka_unit_test(checksums),  cmocka_unit_test(wrong_words),
		cmocka_unit_test(long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
