/* SPDX-License-Identifier: MIT */

/*
 * A line of a file of vectors, as a struct vector. Everything is checked here: sizes and offsets
 * are what the model takes, and an expectation has as many parts as what it is about.
 */

#include <inttypes.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tool.h"
#include "vectors.h"

#define LINE_BYTES_MAX ((size_t)16 << 20)
#define PAGE_BYTES 4096u
#define TEXT_MAX 400 /* of what is for people */

struct reader {
	const struct lines *lines;
	struct arena *arena;
	const char *id;	   /* NULL: not known yet */
	const char *where; /* in the case */
};

/* What could move a terminal's cursor is replaced. */
static char *clean(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

/* ---- Lines ------------------------------------------------------------------------------ */

static enum lines_result lines_bad(const struct lines *lines, const char *why)
{
	complain("%s:%u: %s", lines->path, lines->number, why);
	return LINES_BAD;
}

static void grow(struct lines *lines)
{
	lines->room = lines->room ? 2 * lines->room : 65536;
	lines->text = realloc(lines->text, lines->room);
	if (!lines->text)
		out_of_memory();
}

/* Reads to the end of a line; false: there is none, or it is too long. */
static bool read_line(struct lines *lines)
{
	int c = getc_unlocked(lines->file);

	lines->len = 0;
	lines->number++;
	if (c == EOF)
		return false;
	for (; c != EOF && c != '\n'; c = getc_unlocked(lines->file)) {
		if (lines->len == LINE_BYTES_MAX)
			return false;
		if (lines->len == lines->room)
			grow(lines);
		lines->text[lines->len++] = (char)c;
	}
	lines->bytes += lines->len + 1;
	return true;
}

static bool is_blank(const struct lines *lines)
{
	for (size_t i = 0; i < lines->len; i++) {
		char c = lines->text[i];

		if (c != ' ' && c != '\t' && c != '\r')
			return false;
	}
	return true;
}

enum lines_result lines_next(struct lines *lines)
{
	do {
		errno = 0;
		if (!read_line(lines)) {
			if (lines->len == LINE_BYTES_MAX)
				return lines_bad(lines, "longer than 16 MiB: no file of vectors");
			if (!ferror(lines->file))
				return LINES_END;
			complain("%s: %s", lines->path, strerror(errno));
			return LINES_BAD;
		}
	} while (is_blank(lines));
	return LINES_GOT;
}

void lines_close(struct lines *lines)
{
	fclose(lines->file);
	free(lines->text);
}

/* ---- Parts ------------------------------------------------------------------------------ */

static void say(const struct reader *r, const char *format, ...) WEIR_PRINTF(2, 3);

/* False, as every analyser can see. */
#define refuse(r, ...) (say(r, __VA_ARGS__), false)

static void say(const struct reader *r, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	complain("%s:%u: %s%s%s: %s", r->lines->path, r->lines->number, r->id ? r->id : "",
		 r->id ? ": " : "", r->where, clean(what));
}

static void at(struct reader *r, const char *outer, const char *name, size_t i)
{
	r->where = arena_print(r->arena, "%s%s[%zu]", outer, name, i);
}

static void *array(const struct reader *r, const json_t *json, size_t size)
{
	return arena_alloc(r->arena, json_array_size(json) * size);
}

/* A list, which may be missing. */
static bool read_list(struct reader *r, const json_t *object, const char *name, const json_t **list)
{
	*list = json_object_get(object, name);
	if (!*list || json_is_array(*list))
		return true;
	return refuse(r, "\"%s\" is no list", name);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(const struct reader *r, const json_t *json, const char *what, uint64_t *value)
{
	const char *text = json_string_value(json);
	size_t i;

	*value = 0;
	if (!text)
		return refuse(r, "%s: must be a string of hexadecimal digits", what);
	for (i = 0; i < 16 && text[i] && hex_digit(text[i]) >= 0; i++)
		*value = *value << 4 | (uint64_t)hex_digit(text[i]);
	if (!i || text[i])
		return refuse(r, "%s: '%.40s' must be 1 to 16 hexadecimal digits", what, text);
	return true;
}

static bool read_bytes(const struct reader *r, const json_t *json, const char *what,
		       const uint8_t **bytes, size_t *len)
{
	const char *text = json_string_value(json);
	uint8_t *out;

	if (!text || !json_string_length(json) || json_string_length(json) % 2)
		return refuse(r, "%s: must be a string of pairs of hexadecimal digits", what);
	*len = json_string_length(json) / 2;
	*bytes = out = arena_alloc(r->arena, *len);
	for (size_t i = 0; i < *len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return refuse(r, "%s: '%c%c' is no hexadecimal byte", what, text[2 * i],
				      text[2 * i + 1]);
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_bytes_of(const struct reader *r, const json_t *json, const char *what,
			  size_t wanted, const uint8_t **bytes)
{
	size_t len;

	if (!read_bytes(r, json, what, bytes, &len))
		return false;
	return len == wanted || refuse(r, "%s: has %zu bytes, not %zu", what, len, wanted);
}

static bool read_int(const struct reader *r, const json_t *json, const char *what, uint32_t max,
		     uint32_t *value)
{
	json_int_t given = json_integer_value(json);

	if (!json_is_integer(json) || given < 0 || given > max)
		return refuse(r, "%s: must be a number from 0 to %" PRIu32, what, max);
	*value = (uint32_t)given;
	return true;
}

/* For people. */
static const char *printable(const struct reader *r, const char *text)
{
	return clean(arena_print(r->arena, "%.*s", TEXT_MAX, text));
}

/* A text, or a list of them. NULL if it is neither. */
static const char *read_words(const struct reader *r, const json_t *json)
{
	const char *words = "";
	size_t i;
	json_t *item;

	if (json_is_string(json))
		return printable(r, json_string_value(json));
	if (!json_is_array(json))
		return NULL;
	json_array_foreach(json, i, item)
	{
		if (json_is_string(item) && strlen(words) < TEXT_MAX)
			words = arena_print(r->arena, "%s%s%s", words, i ? " " : "",
					    json_string_value(item));
	}
	return printable(r, words);
}

/* ---- What is done ----------------------------------------------------------------------- */

static bool read_mem(struct reader *r, const json_t *item, struct vector_mem *mem)
{
	return read_hex(r, json_array_get(item, 0), "address", &mem->addr) &&
	       read_bytes(r, json_array_get(item, 1), "bytes", &mem->bytes, &mem->len);
}

static uint32_t natural_size(uint64_t offset)
{
	return offset == WEIR_SMMU_GERROR_IRQ_CFG0 || offset == WEIR_SMMU_STRTAB_BASE ||
			       offset == WEIR_SMMU_CMDQ_BASE || offset == WEIR_SMMU_EVENTQ_BASE ||
			       offset == WEIR_SMMU_EVENTQ_IRQ_CFG0 ?
		       8 :
		       4;
}

static bool read_reg(struct reader *r, const json_t *item, struct vector_reg *reg)
{
	const json_t *value = json_array_get(item, 1), *size = json_array_get(item, 2);

	if (!read_hex(r, json_array_get(item, 0), "offset", &reg->offset))
		return false;
	reg->size = natural_size(reg->offset);
	if (size && !read_int(r, size, "size", 8, &reg->size))
		return false;
	if (reg->size != 4 && reg->size != 8)
		return refuse(r, "size: must be 4 or 8");
	if (reg->offset % reg->size || reg->offset >= WEIR_MODEL_SMMUV3_MMIO_SIZE)
		return refuse(r, "offset 0x%" PRIx64 ": not a multiple of the size below 0x%x",
			      reg->offset, WEIR_MODEL_SMMUV3_MMIO_SIZE);
	reg->read = json_is_null(value);
	return reg->read || read_hex(r, value, "value", &reg->value);
}

static bool read_batch(struct reader *r, const json_t *item, struct vector_batch *batch)
{
	uint8_t(*cmds)[WEIR_SMMU_CMD_SIZE] = array(r, item, sizeof(*cmds));
	const uint8_t *bytes;
	size_t i;
	json_t *cmd;

	if (!json_is_array(item))
		return refuse(r, "must be a list of commands");
	json_array_foreach(item, i, cmd)
	{
		if (!read_bytes_of(r, cmd, "command", sizeof(cmds[i]), &bytes))
			return false;
		memcpy(cmds[i], bytes, sizeof(cmds[i]));
	}
	batch->cmds = (const uint8_t(*)[WEIR_SMMU_CMD_SIZE])cmds;
	batch->count = json_array_size(item);
	return true;
}

static bool read_access(struct reader *r, const json_t *item, struct vector_access *access)
{
	const char *rw = json_string_value(json_object_get(item, "rw"));

	if (!read_int(r, json_object_get(item, "sid"), "sid", UINT32_MAX, &access->sid) ||
	    !read_hex(r, json_object_get(item, "va"), "va", &access->va) ||
	    !read_int(r, json_object_get(item, "n"), "n", PAGE_BYTES, &access->len))
		return false;
	if (!access->len || access->va % PAGE_BYTES + access->len > PAGE_BYTES)
		return refuse(r, "n: must be at least 1, and not cross a page");
	if (!rw || (strcmp(rw, "r") != 0 && strcmp(rw, "w") != 0))
		return refuse(r, "rw: must be \"r\" or \"w\"");
	access->write = rw[0] == 'w';
	return true;
}

static bool read_config(struct reader *r, const char *outer, const json_t *json,
			struct vector_phase *phase)
{
	const json_t *mem, *regs;
	json_t *item;
	size_t i;

	if (!read_list(r, json, "mem", &mem) || !read_list(r, json, "regs", &regs))
		return false;
	phase->mem = array(r, mem, sizeof(*phase->mem));
	phase->mems = json_array_size(mem);
	json_array_foreach(mem, i, item)
	{
		at(r, outer, "mem", i);
		if (!read_mem(r, item, &phase->mem[i]))
			return false;
	}
	phase->regs = array(r, regs, sizeof(*phase->regs));
	phase->reg_count = json_array_size(regs);
	json_array_foreach(regs, i, item)
	{
		at(r, outer, "regs", i);
		if (!read_reg(r, item, &phase->regs[i]))
			return false;
		phase->reads += phase->regs[i].read;
	}
	return true;
}

static bool read_work(struct reader *r, const char *outer, const json_t *json,
		      struct vector_phase *phase)
{
	const json_t *cmds, *accesses;
	json_t *item;
	size_t i;

	if (!read_list(r, json, "cmds", &cmds) || !read_list(r, json, "accesses", &accesses))
		return false;
	phase->batches = array(r, cmds, sizeof(*phase->batches));
	phase->batch_count = json_array_size(cmds);
	json_array_foreach(cmds, i, item)
	{
		at(r, outer, "cmds", i);
		if (!read_batch(r, item, &phase->batches[i]))
			return false;
	}
	phase->accesses = array(r, accesses, sizeof(*phase->accesses));
	phase->access_count = json_array_size(accesses);
	json_array_foreach(accesses, i, item)
	{
		at(r, outer, "accesses", i);
		if (!read_access(r, item, &phase->accesses[i]))
			return false;
	}
	return true;
}

static bool read_phase(struct reader *r, const char *outer, const json_t *json,
		       struct vector_phase *phase)
{
	return read_config(r, outer, json, phase) && read_work(r, outer, json, phase);
}

static bool read_phases(struct reader *r, const json_t *json, struct vector *vector)
{
	const json_t *more;
	json_t *item;
	size_t i;

	if (!read_list(r, json, "more", &more))
		return false;
	vector->phase_count = 1 + json_array_size(more);
	vector->phases = arena_alloc(r->arena, vector->phase_count * sizeof(*vector->phases));
	if (!read_phase(r, "", json, &vector->phases[0]))
		return false;
	json_array_foreach(more, i, item)
	{
		at(r, "", "more", i);
		if (!json_is_object(item))
			return refuse(r, "must be an object");
		if (!read_phase(r, arena_print(r->arena, "%s.", r->where), item,
				&vector->phases[1 + i]))
			return false;
	}
	return true;
}

/* ---- What is expected ------------------------------------------------------------------- */

static bool read_events(struct reader *r, const json_t *json, struct vector_result *result)
{
	struct vector_event *events;
	const uint8_t *bytes;
	const json_t *ev;
	json_t *item;
	size_t i;

	if (!read_list(r, json, "ev", &ev))
		return false;
	result->events = events = array(r, ev, sizeof(*events));
	result->event_count = json_array_size(ev);
	json_array_foreach(ev, i, item)
	{
		if (!read_bytes_of(r, item, "ev", WEIR_SMMU_EVT_SIZE, &bytes))
			return false;
		memcpy(events[i].word, bytes, WEIR_SMMU_EVT_SIZE);
	}
	return true;
}

static bool read_hit(struct reader *r, const json_t *json, struct vector_result *result)
{
	const json_t *hit;

	if (!read_list(r, json, "hit", &hit))
		return false;
	result->has_hit = hit;
	if (json_array_size(hit) > 1)
		return refuse(r, "hit: must be one address at most");
	result->hits = (unsigned int)json_array_size(hit);
	return !result->hits || read_hex(r, json_array_get(hit, 0), "hit", &result->hit);
}

static bool read_result(struct reader *r, const json_t *json, const struct vector_access *access,
			struct vector_result *result)
{
	const json_t *ok = json_object_get(json, "ok"), *data = json_object_get(json, "data");

	if (!json_is_boolean(ok))
		return refuse(r, "ok: must be true or false");
	result->ok = json_is_true(ok);
	return read_hit(r, json, result) && read_events(r, json, result) &&
	       (!data || read_bytes_of(r, data, "data", access->len, &result->data));
}

static bool read_results(struct reader *r, const char *outer, const json_t *acc,
			 const struct vector_phase *phase, struct vector_outcome *outcome)
{
	struct vector_result *fresh;
	json_t *item;
	size_t i;

	outcome->results = array(r, acc, sizeof(*outcome->results));
	json_array_foreach(acc, i, item)
	{
		const json_t *other = json_object_get(item, "fresh");

		at(r, outer, "acc", i);
		if (!read_result(r, item, &phase->accesses[i], &outcome->results[i]))
			return false;
		if (!other)
			continue;
		fresh = arena_alloc(r->arena, sizeof(*fresh));
		if (!read_result(r, other, &phase->accesses[i], fresh))
			return false;
		outcome->results[i].fresh = fresh;
	}
	return true;
}

static bool read_numbers(const struct reader *r, const json_t *list, const char *what,
			 uint64_t *numbers)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (!read_hex(r, item, what, &numbers[i]))
			return false;
	}
	return true;
}

static bool read_outcome(struct reader *r, const json_t *json, const struct vector_phase *phase,
			 struct vector_outcome *outcome)
{
	const char *outer = arena_print(r->arena, "%s.", r->where);
	const json_t *rd, *acc, *q;

	if (!read_list(r, json, "rd", &rd) || !read_list(r, json, "acc", &acc) ||
	    !read_list(r, json, "q", &q))
		return false;
	if (json_array_size(rd) != phase->reads)
		return refuse(r, "rd: %zu values for %zu reads", json_array_size(rd), phase->reads);
	if (json_array_size(acc) != phase->access_count)
		return refuse(r, "acc: %zu results for %zu accesses", json_array_size(acc),
			      phase->access_count);
	if (q && json_array_size(q) != VECTOR_Q)
		return refuse(r, "q: %zu values, not %d", json_array_size(q), VECTOR_Q);
	outcome->rd = array(r, rd, sizeof(*outcome->rd));
	outcome->has_q = q;
	return read_numbers(r, rd, "rd", outcome->rd) && read_numbers(r, q, "q", outcome->q) &&
	       read_results(r, outer, acc, phase, outcome);
}

static bool is_set(const json_t *json)
{
	return json_is_true(json) || json_integer_value(json);
}

/* Queues that depend on caches are those of the whole case, whichever phase says so. */
static void forget_queues(const json_t *json, struct vector_outcome *outcomes)
{
	bool forget = false;
	json_t *item;
	size_t i;

	json_array_foreach(json, i, item)
	{
		forget |= is_set(json_object_get(item, "qc"));
	}
	for (i = 0; forget && i < json_array_size(json); i++)
		outcomes[i].has_q = false;
}

/* One alternative: an outcome for each phase. */
static bool read_alternative(struct reader *r, const char *name, const json_t *json,
			     const struct vector *vector, struct vector_outcome **outcomes)
{
	json_t *item;
	size_t i;

	if (json_array_size(json) != vector->phase_count)
		return refuse(r, "%s: must be a list of %zu, one for each phase", name,
			      vector->phase_count);
	*outcomes = array(r, json, sizeof(**outcomes));
	json_array_foreach(json, i, item)
	{
		at(r, "", name, i);
		if (!json_is_object(item))
			return refuse(r, "must be an object");
		if (!read_outcome(r, item, &vector->phases[i], &(*outcomes)[i]))
			return false;
	}
	forget_queues(json, *outcomes);
	return true;
}

static bool read_expected(struct reader *r, const json_t *json, struct vector *vector)
{
	const json_t *expect = json_object_get(json, "expect"), *allowed;
	json_t *item;
	size_t i;

	if (!read_list(r, json, "allowed", &allowed))
		return false;
	if (!expect == !json_array_size(allowed))
		return refuse(r, "must have either \"expect\" or \"allowed\"");
	vector->choice = !expect;
	vector->expected_count = expect ? 1 : json_array_size(allowed);
	vector->expected =
		arena_alloc(r->arena, vector->expected_count * sizeof(struct vector_outcome *));
	if (expect)
		return read_alternative(r, "expect", expect, vector, &vector->expected[0]);
	json_array_foreach(allowed, i, item)
	{
		const char *name = arena_print(r->arena, "allowed[%zu]", i);

		if (!read_alternative(r, name, item, vector, &vector->expected[i]))
			return false;
	}
	return true;
}

/* ---- The whole -------------------------------------------------------------------------- */

static json_t *parse(const struct lines *lines)
{
	json_error_t error;
	json_t *json = json_loadb(lines->text, lines->len, JSON_REJECT_DUPLICATES, &error);

	if (json && !json_is_object(json)) {
		json_decref(json);
		json = NULL;
		snprintf(error.text, sizeof(error.text), "must be one object");
	}
	if (!json)
		complain("%s:%u: no JSON object: %s", lines->path, lines->number,
			 clean(error.text));
	return json;
}

/* Why a model may differ, if it may: `name` is there, and neither empty nor false. */
static const char *reason(const struct reader *r, const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	const char *words = read_words(r, value);

	if (words)
		return *words ? words : NULL;
	return is_set(value) ? name : NULL;
}

static const char *lenience(const struct reader *r, const json_t *json)
{
	const char *soft = reason(r, json, "soft");

	return soft ? soft : reason(r, json, "overstrict");
}

bool vector_read(const struct lines *lines, struct arena *arena, struct vector *vector)
{
	struct reader r = { .lines = lines, .arena = arena, .where = "the case" };
	json_t *json = parse(lines);
	bool good;

	*vector = (struct vector){ 0 };
	if (!json)
		return false;
	vector->id = r.id = read_words(&r, json_object_get(json, "id"));
	vector->tags = read_words(&r, json_object_get(json, "tags"));
	vector->spec = read_words(&r, json_object_get(json, "spec"));
	vector->rests = read_words(&r, json_object_get(json, "rests"));
	vector->lenient = lenience(&r, json);
	good = vector->id ? read_phases(&r, json, vector) && read_expected(&r, json, vector) :
			    refuse(&r, "has no \"id\"");
	json_decref(json);
	return good;
}

bool vector_exception_read(const struct lines *lines, struct arena *arena,
			   struct vector_exception *exception)
{
	struct reader r = { .lines = lines, .arena = arena, .where = "the exception" };
	json_t *json = parse(lines);

	if (!json)
		return false;
	exception->id = read_words(&r, json_object_get(json, "id"));
	exception->section = read_words(&r, json_object_get(json, "section"));
	exception->field = read_words(&r, json_object_get(json, "field"));
	json_decref(json);
	return (exception->id && exception->section && exception->field) ||
	       refuse(&r, "must have \"id\", \"section\" and \"field\"");
}
