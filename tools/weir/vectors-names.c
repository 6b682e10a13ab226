/* SPDX-License-Identifier: MIT */

/* Registers and events by the names that IHI 0070 gives them. */

#include <inttypes.h>

#include "vectors.h"

static const struct {
	uint64_t offset;
	const char *name;
} registers[] = {
#define REGISTER(name)                                                                             \
	{                                                                                          \
		WEIR_SMMU_##name, "SMMU_" #name                                                    \
	}
	REGISTER(IDR0),
	REGISTER(IDR1),
	REGISTER(IDR2),
	REGISTER(IDR3),
	REGISTER(IDR4),
	REGISTER(IDR5),
	REGISTER(IIDR),
	REGISTER(AIDR),
	REGISTER(CR0),
	REGISTER(CR0ACK),
	REGISTER(CR1),
	REGISTER(CR2),
	REGISTER(GBPA),
	REGISTER(IRQ_CTRL),
	REGISTER(IRQ_CTRLACK),
	REGISTER(GERROR),
	REGISTER(GERRORN),
	REGISTER(GERROR_IRQ_CFG0),
	REGISTER(STRTAB_BASE),
	REGISTER(STRTAB_BASE_CFG),
	REGISTER(CMDQ_BASE),
	REGISTER(CMDQ_PROD),
	REGISTER(CMDQ_CONS),
	REGISTER(EVENTQ_BASE),
	REGISTER(EVENTQ_PROD),
	REGISTER(EVENTQ_CONS),
	REGISTER(EVENTQ_IRQ_CFG0),
#undef REGISTER
};

const char *register_name(uint64_t offset)
{
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(registers); i++)
		if (registers[i].offset == offset)
			return registers[i].name;
	return NULL;
}

const char *event_name(uint64_t type)
{
	static const struct {
		uint64_t type;
		const char *name;
	} events[] = {
#define EVENT(name) { WEIR_SMMU_EVT_##name, #name }
		EVENT(F_UUT),
		EVENT(C_BAD_STREAMID),
		EVENT(F_STE_FETCH),
		EVENT(C_BAD_STE),
		EVENT(F_BAD_ATS_TREQ),
		EVENT(F_STREAM_DISABLED),
		EVENT(F_TRANSL_FORBIDDEN),
		EVENT(C_BAD_SUBSTREAMID),
		EVENT(F_CD_FETCH),
		EVENT(C_BAD_CD),
		EVENT(F_WALK_EABT),
		EVENT(F_TRANSLATION),
		EVENT(F_ADDR_SIZE),
		EVENT(F_ACCESS),
		EVENT(F_PERMISSION),
		EVENT(F_TLB_CONFLICT),
		EVENT(F_CFG_CONFLICT),
		EVENT(E_PAGE_REQUEST),
		EVENT(F_VMS_FETCH),
#undef EVENT
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(events); i++)
		if (events[i].type == type)
			return events[i].name;
	return "an event of no known type";
}

const struct event_field event_fields[EVENT_FIELDS] = {
	{ "type", 0, WEIR_SMMU_EVT_0_TYPE, false },
	{ "SSV", 0, WEIR_SMMU_EVT_0_SSV, false },
	{ "SubstreamID", 0, WEIR_SMMU_EVT_0_SSID, false },
	{ "StreamID", 0, WEIR_SMMU_EVT_0_SID, false },
	{ "Stall", 1, WEIR_SMMU_EVT_1_STALL, false },
	{ "PnU", 1, WEIR_SMMU_EVT_1_PNU, false },
	{ "InD", 1, WEIR_SMMU_EVT_1_IND, false },
	{ "RnW", 1, WEIR_SMMU_EVT_1_RNW, false },
	{ "S2", 1, WEIR_SMMU_EVT_1_S2, false },
	{ "CLASS", 1, WEIR_SMMU_EVT_1_CLASS, false },
	{ "InputAddr", 2, ~(uint64_t)0, true },
	{ "IPA", 3, WEIR_SMMU_EVT_3_IPA, true },
	{ "FetchAddr", 3, WEIR_SMMU_EVT_3_FETCHADDR, true },
};

char *event_field_text(struct arena *arena, const struct event_field *field,
		       const struct vector_event *event)
{
	static const char *const classes[] = { "CD", "TT", "IN", "3" };
	uint64_t value = WEIR_SMMU_FIELD_GET(field->mask, event->word[field->word]);

	if (field->mask == WEIR_SMMU_EVT_0_TYPE)
		return arena_print(arena, "%s (0x%02" PRIx64 ")", event_name(value), value);
	if (field->mask == WEIR_SMMU_EVT_1_CLASS && field->word == 1)
		return arena_print(arena, "%s", classes[value]);
	if (field->address)
		return arena_print(arena, "0x%" PRIx64, event->word[field->word] & field->mask);
	return arena_print(arena, "%" PRIu64, value);
}
