/* SPDX-License-Identifier: MIT */

/*
 * The command line: words `key=value` or `key`, with blanks between them. Nothing is guessed: a
 * word that is not known, or a value that is not right, is an error that says what there is.
 */

#include <stdarg.h>

#include <weir/sys.h>

#include "program.h"

#define DEPTH_MAX 1023u	     /* slots of a queue pair of the driver */
#define BLOCK_MAX (2u << 20) /* most that one command of the driver moves */
#define EVENTS_MIN 4u
#define EVENTS_MAX (1u << 19) /* IHI 0070, 6.3.2: SMMU_IDR1.EVENTQS is at most 19 */

#define WORDS                                                                                      \
	"mode= tables= queue-depth= block-size= event-queue= size= sha256= title= do= "            \
	"colour progress verbose (docs/bare-metal.md)"

/* Text that does not end in a zero. */
struct text {
	const char *at;
	size_t length;
};

struct parser {
	struct options *options;
	struct text word, value; /* value.at is NULL: the word has no '=' */
	char *error;
	size_t error_size;
};

static bool same(struct text text, const char *string)
{
	size_t i;

	for (i = 0; i < text.length && string[i] == text.at[i]; i++)
		;
	return i == text.length && !string[i];
}

static int wrong(struct parser *p, const char *allowed)
{
	weir_snprintf(p->error, p->error_size, "%.*s: must be %s", (int)p->word.length, p->word.at,
		      allowed);
	return -WEIR_EINVAL;
}

/* Which of `names` (NULL at the end) the value is, or -1. */
static int choice(const struct parser *p, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (same(p->value, names[i]))
			return i;
	return -1;
}

/* Decimal digits, and nothing else. */
static bool number(struct text text, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < text.length; i++) {
		unsigned int digit = (unsigned int)(text.at[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return text.length != 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- One function for each key ----------------------------------------------------------- */

static int parse_mode(struct parser *p)
{
	static const char *const names[] = { "strict", "passthrough", "off", NULL };
	static const enum weir_mode modes[] = { WEIR_MODE_STRICT, WEIR_MODE_PASSTHROUGH,
						WEIR_MODE_OFF };
	int i = choice(p, names);

	if (i < 0)
		return wrong(p, "mode=strict, mode=passthrough or mode=off");
	p->options->mode = modes[i];
	return 0;
}

static int parse_tables(struct parser *p)
{
	static const char *const names[] = { "auto", "linear", NULL };
	int i = choice(p, names);

	if (i < 0)
		return wrong(p, "tables=auto or tables=linear");
	p->options->linear_tables = i == 1;
	return 0;
}

static int parse_do(struct parser *p)
{
	static const char *const names[] = { "run",	    "storm",	  "crash=null",
					     "crash=stack", "crash=wild", "crash=trap",
					     NULL };
	int i = choice(p, names); /* in the order of enum task */

	if (i < 0)
		return wrong(p, "do=run, do=storm, do=crash=null, do=crash=stack, do=crash=wild "
				"or do=crash=trap");
	p->options->task = (enum task)i;
	return 0;
}

static int parse_depth(struct parser *p)
{
	uint64_t value;

	if (!number(p->value, &value) || !value || value > DEPTH_MAX)
		return wrong(p, "a number from 1 to 1023");
	p->options->queue_depth = (unsigned int)value;
	return 0;
}

static int parse_block(struct parser *p)
{
	uint64_t value;

	if (!number(p->value, &value) || !value || value % 512 || value > BLOCK_MAX)
		return wrong(p, "a multiple of 512 from 512 to 2097152");
	p->options->block_size = (unsigned int)value;
	return 0;
}

static int parse_events(struct parser *p)
{
	uint64_t value;

	if (!number(p->value, &value) || value < EVENTS_MIN || value > EVENTS_MAX ||
	    (value & (value - 1)))
		return wrong(p, "a power of two from 4 to 524288");
	p->options->event_queue = (unsigned int)value;
	return 0;
}

static int parse_size(struct parser *p)
{
	if (!number(p->value, &p->options->size) || !p->options->size)
		return wrong(p, "a number of bytes, from 1 on");
	return 0;
}

static int parse_sha256(struct parser *p)
{
	for (size_t i = 0; i < SHA256_SIZE && p->value.length == 2 * SHA256_SIZE; i++) {
		int high = hex_digit(p->value.at[2 * i]), low = hex_digit(p->value.at[2 * i + 1]);

		if (high < 0 || low < 0)
			break;
		p->options->sha256[i] = (unsigned char)(high << 4 | low);
		p->options->has_sha256 = i + 1 == SHA256_SIZE;
	}
	return p->options->has_sha256 ? 0 : wrong(p, "64 hexadecimal digits");
}

static int parse_title(struct parser *p)
{
	if (!p->value.length || p->value.length > 60)
		return wrong(p, "1 to 60 characters without a blank");
	weir_snprintf(p->options->title, sizeof(p->options->title), "weir run: %.*s",
		      (int)p->value.length, p->value.at);
	return 0;
}

static int parse_flag(struct parser *p, bool *flag)
{
	if (p->value.at)
		return wrong(p, "without a value");
	*flag = true;
	return 0;
}

/* ---- The line ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*parse)(struct parser *p);
} keys[] = {
	{ "mode", parse_mode },
	{ "tables", parse_tables },
	{ "queue-depth", parse_depth },
	{ "block-size", parse_block },
	{ "event-queue", parse_events },
	{ "size", parse_size },
	{ "sha256", parse_sha256 },
	{ "title", parse_title },
	{ "do", parse_do },
};

static int unknown(struct parser *p)
{
	weir_snprintf(p->error, p->error_size, "unknown word '%.*s' on the command line; known: %s",
		      (int)p->word.length, p->word.at, WORDS);
	return -WEIR_EINVAL;
}

static int parse_word(struct parser *p)
{
	struct text key = p->word;
	size_t i;

	p->value = (struct text){ .at = NULL };
	for (i = 0; i < p->word.length && p->word.at[i] != '='; i++)
		;
	if (i < p->word.length)
		p->value = (struct text){ p->word.at + i + 1, p->word.length - i - 1 };
	key.length = i;
	if (same(key, "colour"))
		return parse_flag(p, &p->options->colour);
	if (same(key, "progress"))
		return parse_flag(p, &p->options->progress);
	if (same(key, "verbose"))
		return parse_flag(p, &p->options->verbose);
	for (i = 0; i < WEIR_ARRAY_SIZE(keys); i++)
		if (same(key, keys[i].name))
			return keys[i].parse(p);
	return unknown(p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

int options_parse(const char *line, struct options *options, char *error, size_t size)
{
	struct parser p = { .options = options, .error = error, .error_size = size };
	int ret = 0;

	*options = (struct options){
		.queue_depth = 32,
		.block_size = 65536,
		.event_queue = 8192,
		.title = "weir run: the NVMe disk",
	};
	while (!ret) {
		while (is_blank(*line))
			line++;
		if (!*line)
			break;
		p.word.at = line;
		while (*line && !is_blank(*line))
			line++;
		p.word.length = (size_t)(line - p.word.at);
		ret = parse_word(&p);
	}
	return ret;
}
