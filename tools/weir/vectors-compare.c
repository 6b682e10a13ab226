/* SPDX-License-Identifier: MIT */

/*
 * What came out of a model against what a case expects. It knows the format of the vectors and the
 * layout of event records, and no model.
 */

#include <inttypes.h>
#include <string.h>

#include "vectors.h"

#define EVENTS_SHOWN 4u

static const char *const q_names[VECTOR_Q] = { "GERROR", "CMDQ_PROD", "CMDQ_CONS", "EVENTQ_PROD",
					       "EVENTQ_CONS" };

/* Where the comparison is. */
struct place {
	const struct vector *vector;
	struct arena *arena;
	struct vector_differences *out;
	const char *expectation; /* expect[0], allowed[1][0] */
	size_t phase;
	long access;
};

/* `field` is the arena's. */
static void differs(const struct place *place, const char *field, const char *text)
{
	struct vector_differences *out = place->out;

	if (out->count < VECTOR_DIFFERENCES)
		out->item[out->count] = (struct vector_difference){
			.phase = place->phase,
			.access = place->access,
			.field = field,
			.text = text,
		};
	out->count++;
}

static const char *access_field(const struct place *place, const char *name)
{
	return arena_print(place->arena, "%s.acc[%ld].%s", place->expectation, place->access, name);
}

static void number_differs(const struct place *place, const char *field, const char *what,
			   uint64_t expected, uint64_t got)
{
	differs(place, field,
		arena_print(place->arena, "%s: expected 0x%" PRIx64 ", got 0x%" PRIx64, what,
			    expected, got));
}

/* ---- Events ----------------------------------------------------------------------------- */

/*
 * What is compared of a record, by its type: what the architecture defines (chapter 7.3), but for
 * fields that the vectors do not tell.
 */
static void event_mask(const struct vector_event *event, uint64_t *mask)
{
	uint64_t type = WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, event->word[0]);
	bool translation =
		type >= WEIR_SMMU_EVT_F_TRANSLATION && type <= WEIR_SMMU_EVT_F_PERMISSION;

	mask[0] = WEIR_SMMU_EVT_0_TYPE | WEIR_SMMU_EVT_0_SSV | WEIR_SMMU_EVT_0_SID;
	mask[1] = mask[2] = mask[3] = 0;
	if (event->word[0] & WEIR_SMMU_EVT_0_SSV)
		mask[0] |= WEIR_SMMU_EVT_0_SSID;
	if (type == WEIR_SMMU_EVT_F_STE_FETCH || type == WEIR_SMMU_EVT_F_CD_FETCH ||
	    type == WEIR_SMMU_EVT_F_WALK_EABT)
		mask[3] = WEIR_SMMU_EVT_3_FETCHADDR;
	if (translation && event->word[1] & WEIR_SMMU_EVT_1_S2)
		mask[3] = WEIR_SMMU_EVT_3_IPA;
	if (!translation && type != WEIR_SMMU_EVT_F_WALK_EABT)
		return;
	mask[1] = WEIR_SMMU_EVT_1_PNU | WEIR_SMMU_EVT_1_IND | WEIR_SMMU_EVT_1_RNW |
		  WEIR_SMMU_EVT_1_S2 | WEIR_SMMU_EVT_1_CLASS;
	if (translation)
		mask[1] |= WEIR_SMMU_EVT_1_STALL;
	mask[2] = ~(uint64_t)0;
}

/* Whether a field is in the masks of its record. */
static bool has_field(const uint64_t *mask, const struct event_field *field)
{
	return (mask[field->word] & field->mask) == field->mask &&
	       (field->word != 3 || mask[3] == field->mask);
}

static const char *event_text(const struct place *place, const struct vector_event *event)
{
	uint64_t mask[WEIR_SMMU_EVT_WORDS];
	const char *text = "";

	event_mask(event, mask);
	for (size_t i = 0; i < EVENT_FIELDS; i++) {
		const struct event_field *field = &event_fields[i];

		if (!has_field(mask, field) || field->mask == WEIR_SMMU_EVT_0_SSV)
			continue;
		text = arena_print(place->arena, "%s%s%s%s%s", text, i ? ", " : "",
				   i ? field->name : "", i ? " " : "",
				   event_field_text(place->arena, field, event));
	}
	return text;
}

static const char *events_text(const struct place *place, const struct vector_result *result)
{
	const char *text = result->event_count ? "" : "none";
	size_t shown = result->event_count < EVENTS_SHOWN ? result->event_count : EVENTS_SHOWN;

	for (size_t i = 0; i < shown; i++)
		text = arena_print(place->arena, "%s%s%s", text, i ? "; " : "",
				   event_text(place, &result->events[i]));
	return shown == result->event_count ?
		       text :
		       arena_print(place->arena, "%s; %zu in all", text, result->event_count);
}

static void compare_event(const struct place *place, size_t n, const struct vector_event *expected,
			  const struct vector_event *got)
{
	char *field = arena_print(place->arena, "%s.acc[%ld].ev[%zu]", place->expectation,
				  place->access, n);
	uint64_t mask[WEIR_SMMU_EVT_WORDS];

	event_mask(expected, mask);
	if ((expected->word[0] ^ got->word[0]) & WEIR_SMMU_EVT_0_TYPE) {
		differs(place, field,
			arena_print(place->arena, "event: expected %s, got %s",
				    event_text(place, expected), event_text(place, got)));
		return;
	}
	for (size_t i = 1; i < EVENT_FIELDS; i++) {
		const struct event_field *f = &event_fields[i];

		if (!has_field(mask, f) ||
		    !((expected->word[f->word] ^ got->word[f->word]) & f->mask))
			continue;
		differs(place, field,
			arena_print(place->arena, "%s of %s: expected %s, got %s", f->name,
				    event_name(expected->word[0] & WEIR_SMMU_EVT_0_TYPE),
				    event_field_text(place->arena, f, expected),
				    event_field_text(place->arena, f, got)));
	}
}

static void compare_events(const struct place *place, const struct vector_result *expected,
			   const struct vector_result *got)
{
	if (expected->event_count != got->event_count) {
		differs(place, access_field(place, "ev"),
			arena_print(place->arena, "events: expected %s, got %s",
				    events_text(place, expected), events_text(place, got)));
		return;
	}
	for (size_t i = 0; i < expected->event_count; i++)
		compare_event(place, i, &expected->events[i], &got->events[i]);
}

/* ---- Accesses --------------------------------------------------------------------------- */

static const char *bytes_text(const struct place *place, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(place->arena, 2 * len + 1);

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return text;
}

static void compare_data(const struct place *place, const uint8_t *expected, const uint8_t *got,
			 size_t len)
{
	if (!memcmp(expected, got, len))
		return;
	differs(place, access_field(place, "data"),
		arena_print(place->arena, "data: expected %s, got %s",
			    bytes_text(place, expected, len), bytes_text(place, got, len)));
}

static const char *hit_text(const struct place *place, const struct vector_result *result)
{
	return result->hits ? arena_print(place->arena, "0x%" PRIx64, result->hit) : "nowhere";
}

static void compare_result(const struct place *place, const struct vector_access *access,
			   const struct vector_result *expected, const struct vector_result *got)
{
	if (expected->ok != got->ok)
		differs(place, access_field(place, "ok"),
			expected->ok ? "expected that it completes, got an abort" :
				       "expected an abort, got that it completes");
	if (expected->has_hit && (expected->hits != got->hits || expected->hit != got->hit))
		differs(place, access_field(place, "hit"),
			arena_print(place->arena, "written to: expected %s, got %s",
				    hit_text(place, expected), hit_text(place, got)));
	if (expected->data && got->data)
		compare_data(place, expected->data, got->data, access->len);
	compare_events(place, expected, got);
}

/* An access that depends on caches may have either result. */
static void compare_access(const struct place *place, const struct vector_access *access,
			   const struct vector_result *expected, const struct vector_result *got)
{
	size_t before = place->out->count, cached;

	compare_result(place, access, expected, got);
	cached = place->out->count;
	if (cached == before || !expected->fresh)
		return;
	compare_result(place, access, expected->fresh, got);
	if (place->out->count == cached) {
		place->out->count = before;
		return;
	}
	place->out->count = cached;
	differs(place, access_field(place, "fresh"), "nor is it the result without a cache");
}

/* ---- Phases ----------------------------------------------------------------------------- */

static void compare_reads(const struct place *place, const uint64_t *expected, const uint64_t *got)
{
	const struct vector_phase *phase = &place->vector->phases[place->phase];
	size_t n = 0;

	for (size_t i = 0; i < phase->reg_count; i++) {
		uint64_t offset = phase->regs[i].offset;
		const char *name = register_name(offset);

		if (!phase->regs[i].read)
			continue;
		if (expected[n] != got[n])
			number_differs(
				place,
				arena_print(place->arena, "%s.rd[%zu]", place->expectation, n),
				name ? name :
				       arena_print(place->arena, "register 0x%" PRIx64, offset),
				expected[n], got[n]);
		n++;
	}
}

static void compare_q(const struct place *place, const struct vector_outcome *expected,
		      const struct vector_outcome *got)
{
	for (size_t i = 0; i < VECTOR_Q; i++) {
		/* CMDQ_CONS.ERR is UNKNOWN unless the error is active (6.3.28). */
		uint64_t mask = i == VECTOR_CMDQ_CONS && !got->cmdq_error ?
					~WEIR_SMMU_CMDQ_CONS_ERR :
					~(uint64_t)0;

		if ((expected->q[i] ^ got->q[i]) & mask)
			number_differs(place,
				       arena_print(place->arena, "%s.q[%zu]", place->expectation,
						   i),
				       q_names[i], expected->q[i], got->q[i]);
	}
}

static void compare_phase(struct place *place, const struct vector_outcome *expected,
			  const struct vector_outcome *got)
{
	const struct vector_phase *phase = &place->vector->phases[place->phase];

	place->access = -1;
	compare_reads(place, expected->rd, got->rd);
	for (size_t i = 0; i < phase->access_count; i++) {
		place->access = (long)i;
		compare_access(place, &phase->accesses[i], &expected->results[i], &got->results[i]);
	}
	place->access = -1;
	if (expected->has_q)
		compare_q(place, expected, got);
	if (got->restless)
		differs(place, "cmds", "the command queue did not come to an end");
	if (got->stray)
		number_differs(place, "mem", "a write of the model's outside of its queue", 0,
			       got->stray_addr);
}

void vector_compare(const struct vector *vector, const struct vector_outcome *got,
		    struct arena *arena, struct vector_differences *differences)
{
	struct vector_differences *other = arena_alloc(arena, sizeof(*other));

	for (size_t n = 0; n < vector->expected_count; n++) {
		struct place place = { .vector = vector,
				       .arena = arena,
				       .out = n ? other : differences };

		place.out->count = 0;
		for (size_t i = 0; i < vector->phase_count; i++) {
			place.phase = i;
			place.expectation = vector->choice ?
						    arena_print(arena, "allowed[%zu][%zu]", n, i) :
						    arena_print(arena, "expect[%zu]", i);
			compare_phase(&place, &vector->expected[n][i], &got[i]);
		}
		if (n && other->count < differences->count)
			*differences = *other;
	}
}
