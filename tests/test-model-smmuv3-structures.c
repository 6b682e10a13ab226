/* SPDX-License-Identifier: MIT */

/*
 * Stream table entries and context descriptors of the SMMUv3 model: which are legal. Proves:
 *  - each rule of 5.2.2 and 5.4.2: a legal structure and one change that makes it ILLEGAL, or does
 *    not for another implementation, or where the field is IGNORED;
 *  - RES0 bits make a structure ILLEGAL or are ignored, as the implementation says; nothing else
 *    of an STE that aborts, or of an invalid one, is looked at, nor fields of what is not there.
 */

#include "smmuhost.h"

#include <string.h>

#define WORDS WEIR_SMMU_STE_WORDS

/* ---- Changes ---------------------------------------------------------------------------- */

struct change {
	unsigned int word;
	uint64_t clear, set;
};

#define SET(word, mask)                                                                            \
	{                                                                                          \
		word, 0, mask                                                                      \
	}
#define CLEAR(word, mask)                                                                          \
	{                                                                                          \
		word, mask, 0                                                                      \
	}
#define PUT(word, mask, value)                                                                     \
	{                                                                                          \
		word, mask, WEIR_SMMU_FIELD(mask, value)                                           \
	}

/* IDRn; 7 is AIDR. */
#define AIDR 7

#define CHANGES 3
struct row {
	const char *name;
	bool illegal;
	struct change change[CHANGES];
	struct change id[CHANGES];
	unsigned int base; /* STE.Config of a stream, for rows of CDs 0: stage 1 */
};

static void apply(uint64_t *words, const struct change *change)
{
	for (unsigned int i = 0; i < CHANGES; i++) {
		words[change[i].word] &= ~change[i].clear;
		words[change[i].word] |= change[i].set;
	}
}

static void implement(struct fixture *f, const struct row *row)
{
	uint64_t ids[8];

	full_config(&f->config);
	for (unsigned int i = 0; i < 7; i++)
		ids[i] = f->config.idr[i];
	ids[AIDR] = f->config.aidr;
	apply(ids, row->id);
	for (unsigned int i = 0; i < 7; i++)
		f->config.idr[i] = (uint32_t)ids[i];
	f->config.aidr = (uint32_t)ids[AIDR];
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	recreate(f);
}

/* The type of the one event of an access, or 0. */
static unsigned int event_of(struct fixture *f, uint32_t sid, uint64_t va)
{
	uint64_t pa, record[4] = { 0 };

	dma(f, sid, va, false, &pa);
	if (!pop_event(f, record))
		return 0;
	expect_no_event(f);
	return (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, record[0]);
}

static void check(struct fixture *f, const struct row *row, unsigned int illegal)
{
	unsigned int event = event_of(f, STREAM, 0x1000);

	if ((event == illegal) != row->illegal)
		fail_msg("%s: %s, event 0x%02x", row->name, row->illegal ? "ILLEGAL" : "legal",
			 event);
}

/* ---- STEs (5.2.2) ----------------------------------------------------------------------- */

/* 48 bits of IPA from level 0, 4 KiB, 48 bits out. */
static void base_ste(uint64_t *words, unsigned int config)
{
	memset(words, 0, WORDS * sizeof(*words));
	words[0] =
		WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) | cd_of(STREAM);
	words[1] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING);
	words[2] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, 7) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 16) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_48) | WEIR_SMMU_STE_2_S2AA64 |
		   WEIR_SMMU_STE_2_S2R;
	words[3] = TABLES;
}

#define S1 WEIR_SMMU_STE_CONFIG_S1
#define S2 WEIR_SMMU_STE_CONFIG_S2
#define NESTED WEIR_SMMU_STE_CONFIG_NESTED
#define BYPASS WEIR_SMMU_STE_CONFIG_BYPASS

#define EATS(value) PUT(1, WEIR_SMMU_STE_1_EATS, value)
#define STRW(value) PUT(1, WEIR_SMMU_STE_1_STRW, value)
#define S1CDMAX(value) PUT(0, WEIR_SMMU_STE_0_S1CDMAX, value)
#define S1FMT(value) PUT(0, WEIR_SMMU_STE_0_S1FMT, value)
#define S2TG(value) PUT(2, WEIR_SMMU_STE_2_S2TG, value)
#define S2PS(value) PUT(2, WEIR_SMMU_STE_2_S2PS, value)
#define STALLD SET(1, WEIR_SMMU_STE_1_S1STALLD)
#define S2T0SZ(value) PUT(2, WEIR_SMMU_STE_2_S2T0SZ, value)
#define S2STALL SET(2, WEIR_SMMU_STE_2_S2S)
#define S2DS SET(3, WEIR_SMMU_STE_3_S2DS)
#define HA SET(2, WEIR_SMMU_STE_2_S2HA)
#define HD SET(2, WEIR_SMMU_STE_2_S2HD)
#define ENDI SET(2, WEIR_SMMU_STE_2_S2ENDI)
#define VMID16 SET(2, WEIR_BIT(15))

#define NO_STALL PUT(0, WEIR_SMMU_IDR0_STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL)
/* No PCIe function can be stalled. */
#define FORCED                                                                                     \
	PUT(0, WEIR_SMMU_IDR0_STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_FORCED),                     \
		CLEAR(0, WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_PRI)
#define NO_HYP CLEAR(0, WEIR_SMMU_IDR0_HYP)
#define NO_STAGE2 CLEAR(0, WEIR_SMMU_IDR0_HYP | WEIR_SMMU_IDR0_S2P)
#define NO_STAGE1 CLEAR(0, WEIR_SMMU_IDR0_HYP | WEIR_SMMU_IDR0_S1P), CLEAR(3, WEIR_SMMU_IDR3_HAD)
#define NO_SSIDS CLEAR(1, WEIR_SMMU_IDR1_SSIDSIZE)
#define NO_CD2L CLEAR(0, WEIR_SMMU_IDR0_CD2L)
#define HTTU(value) PUT(0, WEIR_SMMU_IDR0_HTTU, value)
#define OAS(value) PUT(5, WEIR_SMMU_IDR5_OAS | WEIR_SMMU_IDR5_DS | WEIR_SMMU_IDR5_VAX, value)
#define V30 CLEAR(AIDR, WEIR_SMMU_AIDR_MINOR), OAS(WEIR_SMMU_PS_44), CLEAR(3, WEIR_SMMU_IDR3_XNX)
#define LITTLE PUT(0, WEIR_SMMU_IDR0_TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_LITTLE)
#define BIG PUT(0, WEIR_SMMU_IDR0_TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_BIG)

static const struct row ste_rows[] = {
	{ "V", true, { CLEAR(0, WEIR_SMMU_STE_0_V) }, { { 0 } }, S1 },
	{ "stage 1", false, { { 0 } }, { { 0 } }, S1 },
	{ "stage 1 that is not there", true, { { 0 } }, { NO_STAGE1 }, S1 },
	{ "nested without stage 1", true, { { 0 } }, { NO_STAGE1 }, NESTED },
	{ "stage 2", false, { { 0 } }, { NO_STAGE1 }, S2 },
	{ "stage 2 that is not there", true, { { 0 } }, { NO_STAGE2 }, S2 },
	{ "nested without stage 2", true, { { 0 } }, { NO_STAGE2 }, NESTED },
	{ "nested", false, { { 0 } }, { { 0 } }, NESTED },
	{ "bypass", false, { { 0 } }, { { 0 } }, BYPASS },

	{ "EATS: full", false, { EATS(1) }, { { 0 } }, S1 },
	{ "EATS: full, S2S IGNORED", false, { EATS(1), S2STALL }, { { 0 } }, S1 },
	{ "EATS: full, S2S IGNORED (v3.0)", false, { EATS(1), S2STALL }, { V30 }, S1 },
	{ "EATS: full, S2S", true, { EATS(1), S2STALL }, { { 0 } }, S2 },
	{ "EATS: full, S2S, nested", true, { EATS(1), S2STALL }, { { 0 } }, NESTED },
	{ "EATS: none, S2S", false, { S2STALL }, { { 0 } }, S2 },
	{ "EATS: split", false, { EATS(2) }, { { 0 } }, NESTED },
	{ "EATS: split, S2S", true, { EATS(2), S2STALL }, { { 0 } }, NESTED },
	{ "EATS: split, NS1ATS", true, { EATS(2) }, { SET(0, WEIR_SMMU_IDR0_NS1ATS) }, NESTED },
	{ "EATS: split, stage 1", true, { EATS(2) }, { { 0 } }, S1 },
	{ "EATS: split, stage 2", true, { EATS(2) }, { { 0 } }, S2 },
	{ "EATS: split, bypass", false, { EATS(2) }, { { 0 } }, BYPASS },
	{ "EATS: split, no ATS",
	  false,
	  { EATS(2) },
	  { CLEAR(0, WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_PRI) },
	  S1 },
	{ "EATS: DPT", false, { EATS(3), S2STALL }, { { 0 } }, NESTED },

	{ "STRW: EL2", false, { STRW(2) }, { { 0 } }, S1 },
	{ "STRW: 1", true, { STRW(1) }, { { 0 } }, S1 },
	{ "STRW: 3", true, { STRW(3) }, { { 0 } }, S1 },
	{ "STRW: 3 without HYP", false, { STRW(3) }, { NO_HYP }, S1 },
	{ "STRW: 3, nested", false, { STRW(3) }, { { 0 } }, NESTED },
	{ "STRW: 3, stage 2", false, { STRW(3) }, { { 0 } }, S2 },
	{ "STRW: 3, bypass", false, { STRW(3) }, { { 0 } }, BYPASS },

	{ "S1STALLD", false, { STALLD }, { { 0 } }, S1 },
	{ "S1STALLD without stalls", true, { STALLD }, { NO_STALL }, S1 },
	{ "S1STALLD with forced ones", true, { STALLD }, { FORCED }, S1 },
	{ "S1STALLD, stage 2", false, { STALLD }, { NO_STALL }, S2 },
	{ "S1CDMax: SSIDSIZE", false, { S1CDMAX(10) }, { { 0 } }, S1 },
	{ "S1CDMax: beyond", true, { S1CDMAX(11) }, { { 0 } }, S1 },
	{ "S1CDMax: beyond, nested", true, { S1CDMAX(11) }, { { 0 } }, NESTED },
	{ "S1CDMax: beyond, stage 2", false, { S1CDMAX(31) }, { { 0 } }, S2 },
	{ "S1CDMax: no substreams", false, { S1CDMAX(31) }, { NO_SSIDS }, S1 },
	{ "S1Fmt: 4K", false, { S1CDMAX(4), S1FMT(1) }, { { 0 } }, S1 },
	{ "S1Fmt: 4K without CD2L", true, { S1CDMAX(4), S1FMT(1) }, { NO_CD2L }, S1 },
	{ "S1Fmt: 64K without CD2L", true, { S1CDMAX(4), S1FMT(2) }, { NO_CD2L }, S1 },
	{ "S1Fmt: 3 without CD2L", false, { S1CDMAX(4), S1FMT(3) }, { NO_CD2L }, S1 },
	{ "S1Fmt: one CD", false, { S1FMT(1) }, { NO_CD2L }, S1 },
	{ "S1Fmt: no substreams", false, { S1CDMAX(4), S1FMT(1) }, { NO_CD2L, NO_SSIDS }, S1 },
	{ "S1ContextPtr: OAS", false, { SET(0, WEIR_BIT(43)) }, { OAS(WEIR_SMMU_PS_44) }, S1 },
	{ "S1ContextPtr: beyond", true, { SET(0, WEIR_BIT(44)) }, { OAS(WEIR_SMMU_PS_44) }, S1 },
	{ "S1ContextPtr: beyond (v3.0)", true, { SET(0, WEIR_BIT(44)) }, { V30 }, S1 },
	{ "S1ContextPtr: beyond the field",
	  true,
	  { SET(0, WEIR_BIT(55)) },
	  { OAS(WEIR_SMMU_PS_44) },
	  S1 },
	{ "S1ContextPtr: IAS, nested",
	  false,
	  { SET(0, WEIR_BIT(43)), S2T0SZ(20) },
	  { OAS(WEIR_SMMU_PS_44) },
	  NESTED },
	{ "S1ContextPtr: beyond, nested",
	  true,
	  { SET(0, WEIR_BIT(44)), S2T0SZ(20) },
	  { OAS(WEIR_SMMU_PS_44) },
	  NESTED },
	{ "S1ContextPtr: beyond, stage 2", false, { SET(0, WEIR_BIT(55)) }, { { 0 } }, S2 },

	{ "S2S without stalls", true, { S2STALL }, { NO_STALL }, S2 },
	{ "S2S without stalls, stage 1", false, { S2STALL }, { NO_STALL }, S1 },
	{ "no S2S with forced stalls", true, { { 0 } }, { FORCED }, S2 },
	{ "S2S with forced stalls", false, { S2STALL }, { FORCED }, S2 },
	{ "S2AA64", true, { CLEAR(2, WEIR_SMMU_STE_2_S2AA64) }, { { 0 } }, S2 },
	{ "S2AA64, stage 1", false, { CLEAR(2, WEIR_SMMU_STE_2_S2AA64) }, { { 0 } }, S1 },
	{ "S2HA", false, { HA }, { HTTU(1) }, S2 },
	{ "S2HA without HTTU", true, { HA }, { HTTU(0) }, S2 },
	{ "S2HD", false, { HA, HD }, { { 0 } }, S2 },
	{ "S2HD alone", false, { HD }, { { 0 } }, S2 },
	{ "S2HD, access flags only", true, { HA, HD }, { HTTU(1) }, S2 },
	{ "S2HD alone, access flags only", true, { HD }, { HTTU(1) }, S2 },
	{ "S2HD alone, no HTTU", true, { HD }, { HTTU(0) }, S2 },
	{ "S2HD without HTTU, stage 1", false, { HA, HD }, { HTTU(0) }, S1 },
	{ "S2ENDI", false, { ENDI }, { { 0 } }, S2 },
	{ "S2ENDI, little only", true, { ENDI }, { LITTLE }, S2 },
	{ "S2ENDI, big only", false, { ENDI }, { BIG }, S2 },
	{ "no S2ENDI, big only", true, { { 0 } }, { BIG }, S2 },
	{ "no S2ENDI, big only, bypass", false, { { 0 } }, { BIG }, BYPASS },
	{ "S2TG: reserved", true, { S2TG(3) }, { { 0 } }, S2 },
	{ "S2TG: reserved, stage 1", false, { S2TG(3) }, { { 0 } }, S1 },
	{ "S2TG: 4K that is not there", true, { { 0 } }, { CLEAR(5, WEIR_SMMU_IDR5_GRAN4K) }, S2 },
	{ "S2TTB: OAS", false, { SET(3, WEIR_BIT(43)), S2T0SZ(20) }, { OAS(WEIR_SMMU_PS_44) }, S2 },
	{ "S2TTB: beyond S2PS",
	  true,
	  { SET(3, WEIR_BIT(44)), S2PS(WEIR_SMMU_PS_44) },
	  { { 0 } },
	  S2 },
	{ "S2TTB: within S2PS", false, { SET(3, WEIR_BIT(44)) }, { { 0 } }, S2 },
	{ "S2TTB: S2PS is capped",
	  true,
	  { SET(3, WEIR_BIT(44)), S2PS(7), S2T0SZ(20) },
	  { OAS(WEIR_SMMU_PS_44) },
	  S2 },
	{ "S2TTB: 52 bits, 4K",
	  true,
	  { SET(3, WEIR_BIT(50)), S2PS(WEIR_SMMU_PS_52) },
	  { { 0 } },
	  S2 },
	{ "S2TTB: 52 bits, DS",
	  false,
	  { SET(3, WEIR_BIT(50)), S2PS(WEIR_SMMU_PS_52), S2DS },
	  { { 0 } },
	  S2 },
	{ "S2TTB: 52 bits, DS that is not there",
	  true,
	  { SET(3, WEIR_BIT(50)), S2PS(WEIR_SMMU_PS_52), S2DS },
	  { CLEAR(5, WEIR_SMMU_IDR5_DS) },
	  S2 },
	{ "S2TTB: beyond, stage 1", false, { SET(3, WEIR_BIT(51)) }, { OAS(WEIR_SMMU_PS_44) }, S1 },
	{ "S2VMID", false, { VMID16 }, { { 0 } }, S2 },
	{ "S2VMID: 8 bits", true, { VMID16 }, { CLEAR(0, WEIR_SMMU_IDR0_VMID16) }, S2 },
	{ "S2VMID: 8 bits, stage 1", true, { VMID16 }, { CLEAR(0, WEIR_SMMU_IDR0_VMID16) }, S1 },
	{ "S2VMID: 8 bits, EL2",
	  false,
	  { VMID16, STRW(2) },
	  { CLEAR(0, WEIR_SMMU_IDR0_VMID16) },
	  S1 },
	{ "S2VMID: 8 bits, bypass",
	  false,
	  { VMID16 },
	  { CLEAR(0, WEIR_SMMU_IDR0_VMID16) },
	  BYPASS },
	{ "S2VMID: 8 bits, no stage 2",
	  false,
	  { VMID16 },
	  { CLEAR(0, WEIR_SMMU_IDR0_VMID16), NO_STAGE2 },
	  S1 },
};

static void each_rule_of_stes(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(ste_rows); i++) {
		uint64_t words[WORDS];

		base_ste(words, ste_rows[i].base);
		apply(words, ste_rows[i].change);
		implement(f, &ste_rows[i]);
		put_words(f, ste_of(STREAM), words);
		check(f, &ste_rows[i], WEIR_SMMU_EVT_C_BAD_STE);
	}
}

/* ---- CDs (5.4.2) ------------------------------------------------------------------------ */

static void base_cd(uint64_t *words)
{
	memset(words, 0, WORDS * sizeof(*words));
	words[0] = cd_word0(STREAM);
	words[1] = TABLES;
	words[2] = TABLES + 0x10000;
}

#define T0SZ(value) PUT(0, WEIR_SMMU_CD_0_T0SZ, value)
#define T1SZ(value) PUT(0, WEIR_SMMU_CD_0_T1SZ, value)
#define TG0(value) PUT(0, WEIR_SMMU_CD_0_TG0, value)
#define TG1(value) PUT(0, WEIR_SMMU_CD_0_TG1, value)
#define IPS(value) PUT(0, WEIR_SMMU_CD_0_IPS, value)
#define EPD0 SET(0, WEIR_SMMU_CD_0_EPD0)
#define EPD1 SET(0, WEIR_SMMU_CD_0_EPD1)
#define EPDS SET(0, WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1)
#define CD_ENDI SET(0, WEIR_SMMU_CD_0_ENDI)
#define CD_HA SET(0, WEIR_SMMU_CD_0_HA)
#define CD_HD SET(0, WEIR_SMMU_CD_0_HD)
#define CD_S SET(0, WEIR_SMMU_CD_0_S)
#define CD_DS SET(2, WEIR_SMMU_CD_2_DS)
#define ASID16 SET(0, WEIR_BIT(63))
#define NO_STT CLEAR(3, WEIR_SMMU_IDR3_STT)
#define NO_VAX CLEAR(5, WEIR_SMMU_IDR5_DS | WEIR_SMMU_IDR5_VAX)
#define NO_DS CLEAR(5, WEIR_SMMU_IDR5_DS)
#define NO_4K CLEAR(5, WEIR_SMMU_IDR5_GRAN4K)
#define TERM SET(0, WEIR_SMMU_IDR0_TERM_MODEL)
#define EL2 1u /* of rows: the stream's StreamWorld */
#define E2H 2u
#define S1STALLD 3u

static const struct row cd_rows[] = {
	{ "as it is", false, { { 0 } }, { { 0 } }, 0 },
	{ "V", true, { CLEAR(0, WEIR_SMMU_CD_0_V) }, { { 0 } }, 0 },
	{ "AA64", true, { CLEAR(0, WEIR_SMMU_CD_0_AA64) }, { { 0 } }, 0 },

	{ "S", false, { CD_S }, { { 0 } }, 0 },
	{ "S, S1STALLD", true, { CD_S }, { { 0 } }, S1STALLD },
	{ "no S, S1STALLD", false, { { 0 } }, { { 0 } }, S1STALLD },
	{ "S without stalls", true, { CD_S }, { NO_STALL }, 0 },
	{ "S with forced ones", false, { CD_S }, { FORCED }, 0 },
	{ "no S with forced ones", true, { { 0 } }, { FORCED }, 0 },
	{ "A", false, { CLEAR(0, WEIR_SMMU_CD_0_A) }, { { 0 } }, 0 },
	{ "A, TERM_MODEL", true, { CLEAR(0, WEIR_SMMU_CD_0_A) }, { TERM }, 0 },
	{ "R", false, { CLEAR(0, WEIR_SMMU_CD_0_R) }, { TERM }, 0 },

	{ "ENDI", false, { CD_ENDI }, { { 0 } }, 0 },
	{ "ENDI, little only", true, { CD_ENDI }, { LITTLE }, 0 },
	{ "ENDI, little only, EPD0", true, { CD_ENDI, EPD0 }, { LITTLE }, 0 },
	{ "ENDI, little only, EPD1", true, { CD_ENDI, EPD1 }, { LITTLE }, 0 },
	{ "ENDI, little only, both EPDs", false, { CD_ENDI, EPDS }, { LITTLE }, 0 },
	{ "ENDI, little only, both EPDs, EL2", true, { CD_ENDI, EPDS }, { LITTLE }, EL2 },
	{ "ENDI, little only, both EPDs, E2H", false, { CD_ENDI, EPDS }, { LITTLE }, E2H },
	{ "no ENDI, big only", true, { { 0 } }, { BIG }, 0 },
	{ "no ENDI, big only, both EPDs", false, { EPDS }, { BIG }, 0 },
	{ "ENDI, big only", false, { CD_ENDI }, { BIG }, 0 },

	{ "HA", false, { CD_HA }, { HTTU(1) }, 0 },
	{ "HA without HTTU", true, { CD_HA }, { HTTU(0) }, 0 },
	{ "HD", false, { CD_HA, CD_HD }, { { 0 } }, 0 },
	{ "HD alone", false, { CD_HD }, { { 0 } }, 0 },
	{ "HD, access flags only", true, { CD_HA, CD_HD }, { HTTU(1) }, 0 },
	{ "HD without HTTU, both EPDs", true, { CD_HD, EPDS }, { HTTU(0) }, 0 },

	{ "ASID", false, { ASID16 }, { { 0 } }, 0 },
	{ "ASID: 8 bits", true, { ASID16 }, { CLEAR(0, WEIR_SMMU_IDR0_ASID16) }, 0 },
	{ "ASID: 8 bits, EL2", false, { ASID16 }, { CLEAR(0, WEIR_SMMU_IDR0_ASID16) }, EL2 },
	{ "ASID: 8 bits, E2H", true, { ASID16 }, { CLEAR(0, WEIR_SMMU_IDR0_ASID16) }, E2H },

	{ "T0SZ: 15", true, { T0SZ(15) }, { { 0 } }, 0 },
	{ "T0SZ: 15 (v3.0)", true, { T0SZ(15) }, { V30 }, 0 },
	{ "T0SZ: 15, EPD0", false, { T0SZ(15), EPD0 }, { { 0 } }, 0 },
	{ "T0SZ: 15, EPD0, EL2", true, { T0SZ(15), EPD0 }, { { 0 } }, EL2 },
	{ "T0SZ: 39", false, { T0SZ(39) }, { NO_STT }, 0 },
	{ "T0SZ: 40", true, { T0SZ(40) }, { NO_STT }, 0 },
	{ "T0SZ: 48", false, { T0SZ(48) }, { { 0 } }, 0 },
	{ "T0SZ: 49", true, { T0SZ(49) }, { { 0 } }, 0 },
	{ "T0SZ: 47, 64K", false, { T0SZ(47), TG0(WEIR_SMMU_CD_TG0_64K) }, { { 0 } }, 0 },
	{ "T0SZ: 48, 64K", true, { T0SZ(48), TG0(WEIR_SMMU_CD_TG0_64K) }, { { 0 } }, 0 },
	{ "T0SZ: 48, 16K", false, { T0SZ(48), TG0(WEIR_SMMU_CD_TG0_16K) }, { { 0 } }, 0 },
	{ "T0SZ: 12, 64K", false, { T0SZ(12), TG0(WEIR_SMMU_CD_TG0_64K) }, { { 0 } }, 0 },
	{ "T0SZ: 11, 64K", true, { T0SZ(11), TG0(WEIR_SMMU_CD_TG0_64K) }, { { 0 } }, 0 },
	{ "T0SZ: 15, 64K, VAX 48", true, { T0SZ(15), TG0(WEIR_SMMU_CD_TG0_64K) }, { NO_VAX }, 0 },
	{ "T0SZ: 12, DS", false, { T0SZ(12), CD_DS }, { { 0 } }, 0 },
	{ "T0SZ: 12, 16K, DS",
	  false,
	  { T0SZ(12), TG0(WEIR_SMMU_CD_TG0_16K), CD_DS },
	  { { 0 } },
	  0 },
	{ "T0SZ: 11, DS", true, { T0SZ(11), CD_DS }, { { 0 } }, 0 },
	{ "T0SZ: 15, DS that is not there", true, { T0SZ(15), CD_DS }, { NO_DS }, 0 },
	{ "T1SZ: 15", true, { T1SZ(15) }, { { 0 } }, 0 },
	{ "T1SZ: 15, EPD1", false, { T1SZ(15), EPD1 }, { { 0 } }, 0 },
	{ "T1SZ: 15, EPD0", true, { T1SZ(15), EPD0 }, { { 0 } }, 0 },
	{ "T1SZ: 15, EL2", false, { T1SZ(15) }, { { 0 } }, EL2 },
	{ "T1SZ: 15, E2H", true, { T1SZ(15) }, { { 0 } }, E2H },
	{ "T1SZ: 40", true, { T1SZ(40) }, { NO_STT }, 0 },
	{ "T1SZ: 12, 64K", false, { T1SZ(12), TG1(WEIR_SMMU_CD_TG1_64K) }, { { 0 } }, 0 },

	{ "TG0: reserved", true, { TG0(3) }, { { 0 } }, 0 },
	{ "TG0: reserved, EPD0", false, { TG0(3), EPD0 }, { { 0 } }, 0 },
	{ "TG1: reserved", true, { TG1(0) }, { { 0 } }, 0 },
	{ "TG1: reserved, EPD1", false, { TG1(0), EPD1 }, { { 0 } }, 0 },
	{ "TG1: reserved, EL2", false, { TG1(0) }, { { 0 } }, EL2 },
	{ "TG0: 4K that is not there", true, { TG1(WEIR_SMMU_CD_TG1_64K) }, { NO_4K }, 0 },
	{ "TG1: 4K that is not there", true, { TG0(WEIR_SMMU_CD_TG0_64K) }, { NO_4K }, 0 },
	{ "TG1: 4K that is not there, EPD1",
	  false,
	  { TG0(WEIR_SMMU_CD_TG0_64K), EPD1 },
	  { NO_4K },
	  0 },
	{ "TG1: 16K",
	  true,
	  { TG1(WEIR_SMMU_CD_TG1_16K) },
	  { CLEAR(5, WEIR_SMMU_IDR5_GRAN16K) },
	  0 },
	{ "TG1: 64K",
	  true,
	  { TG1(WEIR_SMMU_CD_TG1_64K) },
	  { CLEAR(5, WEIR_SMMU_IDR5_GRAN64K) },
	  0 },

	{ "TTB0: within IPS", false, { SET(1, WEIR_BIT(43)) }, { { 0 } }, 0 },
	{ "TTB0: beyond IPS", true, { SET(1, WEIR_BIT(44)) }, { { 0 } }, 0 },
	{ "TTB0: beyond IPS, EPD0", false, { SET(1, WEIR_BIT(44)), EPD0 }, { { 0 } }, 0 },
	{ "TTB1: beyond IPS", true, { SET(2, WEIR_BIT(44)) }, { { 0 } }, 0 },
	{ "TTB1: beyond IPS, EPD1", false, { SET(2, WEIR_BIT(44)), EPD1 }, { { 0 } }, 0 },
	{ "TTB1: beyond IPS, EL2", false, { SET(2, WEIR_BIT(44)) }, { { 0 } }, EL2 },
	{ "TTB0: IPS is capped",
	  true,
	  { SET(1, WEIR_BIT(44)), IPS(7) },
	  { OAS(WEIR_SMMU_PS_44) },
	  0 },
	{ "TTB0: 52 bits, 4K", true, { SET(1, WEIR_BIT(48)), IPS(WEIR_SMMU_PS_52) }, { { 0 } }, 0 },
	{ "TTB0: 52 bits, IPS 7",
	  false,
	  { SET(1, WEIR_BIT(48)), IPS(7), TG0(WEIR_SMMU_CD_TG0_64K) },
	  { { 0 } },
	  0 },
	{ "TTB0: 52 bits, DS",
	  false,
	  { SET(1, WEIR_BIT(48)), IPS(WEIR_SMMU_PS_52), CD_DS },
	  { { 0 } },
	  0 },
	{ "TTB0: 52 bits, no DS",
	  true,
	  { SET(1, WEIR_BIT(48)), IPS(WEIR_SMMU_PS_52), CD_DS },
	  { NO_DS },
	  0 },
	{ "TTB0: no such bits (v3.0)", false, { SET(1, WEIR_BIT(48)) }, { V30 }, 0 },
};

/* Rows without a table that their implementation has are about halves that it could walk. */
static void each_rule_of_cds(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cd_rows); i++) {
		const struct row *row = &cd_rows[i];
		uint64_t ste[WORDS], cd[WORDS];

		base_ste(ste, S1);
		if (row->base == EL2 || row->base == E2H)
			ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2);
		if (row->base == S1STALLD)
			ste[1] |= WEIR_SMMU_STE_1_S1STALLD;
		base_cd(cd);
		apply(cd, row->change);
		implement(f, row);
		if (row->base == E2H) {
			wr(f, WEIR_SMMU_CR0, 4, 0);
			wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_E2H | WEIR_SMMU_CR2_RECINVSID);
			wr(f, WEIR_SMMU_CR0, 4,
			   WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
		}
		put_words(f, ste_of(STREAM), ste);
		put_words(f, cd_of(STREAM), cd);
		check(f, row, WEIR_SMMU_EVT_C_BAD_CD);
	}
}

/* ---- RES0, and what is not looked at ---------------------------------------------------- */

/* What this implementation has no meaning for (chapter 5). */
static const uint64_t ste_res0[WORDS] = {
	[0] = WEIR_GENMASK(58, 56),
	/* S1PIE, S1MPAM, [43:41] */
	[1] = WEIR_BIT(24) | WEIR_BIT(26) | WEIR_GENMASK(43, 41),
	[2] = WEIR_GENMASK(63, 59),
	/* S2NSW, S2NSA, S2TTB[55:52], [60:56], S2SKL, [63] */
	[3] = WEIR_GENMASK(1, 0) | WEIR_GENMASK(63, 52),
	[4] = WEIR_GENMASK(63, 16),
	[5] = ~0ull,
	[6] = ~0ull,
	[7] = ~0ull,
};
static const uint64_t cd_res0[WORDS] = {
	/* HAFT, TTB0[55:52], [57:56], PnCH, EPAN */
	[1] = WEIR_BIT(3) | WEIR_GENMASK(59, 52),
	/* AIE, TTB1[55:52], [57:56], PIE */
	[2] = WEIR_BIT(3) | WEIR_GENMASK(57, 52) | WEIR_BIT(59),
	[5] = WEIR_GENMASK(63, 32),
	[6] = ~0ull,
	[7] = ~0ull,
};

static void each_bit(struct fixture *f, uint64_t addr, const uint64_t *res0, unsigned int illegal)
{
	bool rejected = f->config.reserved == WEIR_MODEL_SMMUV3_RESERVED_REJECTED;

	for (unsigned int i = 0; i < WORDS * 64; i++) {
		uint64_t word = addr + i / 64 * 8, bit = WEIR_BIT(i % 64), old = *at(f, word);

		if (!(res0[i / 64] & bit))
			continue;
		put(f, word, old | bit);
		if ((event_of(f, STREAM, 0x1000) == illegal) != rejected)
			fail_msg("bit %u is %srejected", i, rejected ? "not " : "");
		put(f, word, old);
	}
}

static void reserved_bits(void **state)
{
	struct fixture *f = *state;
	uint64_t words[WORDS];

	for (unsigned int i = 0; i < 2; i++) {
		f->config.reserved = i ? WEIR_MODEL_SMMUV3_RESERVED_REJECTED :
					 WEIR_MODEL_SMMUV3_RESERVED_IGNORED;
		implement(f, &(struct row){ 0 });
		base_ste(words, NESTED);
		put_words(f, ste_of(STREAM), words);
		assert_int_equal(event_of(f, STREAM, 0x1000), WEIR_SMMU_EVT_F_TRANSLATION);
		each_bit(f, ste_of(STREAM), ste_res0, WEIR_SMMU_EVT_C_BAD_STE);
		base_ste(words, S1);
		put_words(f, ste_of(STREAM), words);
		base_cd(words);
		put_words(f, cd_of(STREAM), words);
		assert_int_equal(event_of(f, STREAM, 0x1000), WEIR_SMMU_EVT_F_TRANSLATION);
		each_bit(f, cd_of(STREAM), cd_res0, WEIR_SMMU_EVT_C_BAD_CD);
	}
}

/* Of features that are not there; IGNORED where the stage is, even so. */
static void reserved_for_want_of_features(void **state)
{
	struct fixture *f = *state;
	const struct row row = { .id = { CLEAR(0, WEIR_SMMU_IDR0_PRI),
					 CLEAR(3, WEIR_SMMU_IDR3_FWB | WEIR_SMMU_IDR3_E0PD),
					 NO_DS } };
	static const struct change bits[] = {
		SET(1, WEIR_SMMU_STE_1_PPAR), SET(1, WEIR_SMMU_STE_1_S2FWB),
		SET(3, WEIR_SMMU_STE_3_S2DS), SET(3, WEIR_SMMU_STE_3_S2SL0_2),
		SET(1, WEIR_SMMU_CD_1_E0PD0), SET(2, WEIR_SMMU_CD_2_E0PD1),
		SET(2, WEIR_SMMU_CD_2_DS),
	};
	uint64_t ste[WORDS], cd[WORDS];

	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	implement(f, &row);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bits); i++) {
		base_ste(ste, i < 4 ? S2 : S1);
		base_cd(cd);
		(i < 4 ? ste : cd)[bits[i].word] |= bits[i].set;
		put_words(f, ste_of(STREAM), ste);
		put_words(f, cd_of(STREAM), cd);
		assert_int_equal(event_of(f, STREAM, 0x1000),
				 i < 4 ? WEIR_SMMU_EVT_C_BAD_STE : WEIR_SMMU_EVT_C_BAD_CD);
	}
	base_ste(ste, S1);
	base_cd(cd);
	apply(ste, (struct change[CHANGES]){ bits[1], bits[2], bits[3] });
	/* Nor is the base of a half that is not walked. */
	apply(cd, (struct change[CHANGES]){ EPD1, SET(2, WEIR_BIT(55)) });
	put_words(f, ste_of(STREAM), ste);
	put_words(f, cd_of(STREAM), cd);
	assert_int_equal(event_of(f, STREAM, 0x1000), WEIR_SMMU_EVT_F_TRANSLATION);
}

/* SMMUv3.0 has no DRE, no DCP, no S2HWU, and bases of 48 bits. */
static void reserved_for_want_of_versions(void **state)
{
	struct fixture *f = *state;
	const struct row row = { .id = { V30 } };
	static const struct change bits[] = {
		SET(1, WEIR_SMMU_STE_1_DRE),   SET(1, WEIR_SMMU_STE_1_DCP),
		SET(1, WEIR_SMMU_STE_1_S2HWU), SET(3, WEIR_BIT(48)),
		SET(1, WEIR_BIT(48)),	       SET(2, WEIR_BIT(51)),
	};
	uint64_t ste[WORDS], cd[WORDS];

	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	implement(f, &row);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bits); i++) {
		base_ste(ste, i < 4 ? S2 : S1);
		apply(ste, (struct change[CHANGES]){ S2T0SZ(20) });
		base_cd(cd);
		(i < 4 ? ste : cd)[bits[i].word] |= bits[i].set;
		put_words(f, ste_of(STREAM), ste);
		put_words(f, cd_of(STREAM), cd);
		assert_int_equal(event_of(f, STREAM, 0x1000),
				 i < 4 ? WEIR_SMMU_EVT_C_BAD_STE : WEIR_SMMU_EVT_C_BAD_CD);
	}
}

/* 5.2.1: Config 0b0xx aborts in silence, whatever else there is. */
static void nothing_else_is_looked_at(void **state)
{
	struct fixture *f = *state;
	uint64_t words[WORDS];

	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	implement(f, &(struct row){ 0 });
	for (unsigned int config = 0; config < 4; config++) {
		memset(words, 0xff, sizeof(words));
		words[0] &= ~WEIR_SMMU_STE_0_CONFIG;
		words[0] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config);
		put_words(f, ste_of(STREAM), words);
		expect_blocked(f, 0x1000);
		expect_no_event(f);
		put(f, ste_of(STREAM), words[0] & ~WEIR_SMMU_STE_0_V);
		expect_blocked(f, 0x1000);
		expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	}
}

/* Every field of the stage that bypasses, at once. */
static void ignored_fields(void **state)
{
	struct fixture *f = *state;
	uint64_t words[WORDS], pa;

	implement(f, &(struct row){ 0 });
	base_ste(words, BYPASS);
	words[0] |= ~(WEIR_SMMU_STE_0_CONFIG | WEIR_SMMU_STE_0_V);
	words[1] |= WEIR_SMMU_STE_1_EATS | WEIR_SMMU_STE_1_STRW | WEIR_SMMU_STE_1_S1STALLD |
		    WEIR_SMMU_STE_1_S2FWB | WEIR_SMMU_STE_1_S1DSS;
	words[2] = words[3] = ~0ull;
	put_words(f, ste_of(STREAM), words);
	assert_int_equal(dma(f, STREAM, PAGES, true, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES);
	/* The fields of stage 2, for stage 1. */
	base_ste(words, S1);
	words[1] |= WEIR_SMMU_STE_1_S2FWB | WEIR_SMMU_STE_1_S2HWU;
	words[2] = ~WEIR_SMMU_STE_2_S2AA64;
	words[3] = ~0ull;
	put_words(f, ste_of(STREAM), words);
	base_cd(words);
	put_words(f, cd_of(STREAM), words);
	f->next_table = TABLES + 0x20000;
	map(f, TABLES, 0x5000, PAGE | PAGES);
	expect_read(f, 0x5678, PAGES + 0x678);
}

/* IDR1.ATTR_TYPES_OVR, ATTR_PERMS_OVR: without them what comes in goes out. */
static void overrides_that_are_not_there(void **state)
{
	struct fixture *f = *state;
	const uint32_t both = (uint32_t)(WEIR_MODEL_ATTR_PRIVILEGED | WEIR_MODEL_ATTR_INSTRUCTION);
	const struct row row = { .id = { CLEAR(1, WEIR_SMMU_IDR1_ATTR_TYPES_OVR |
							  WEIR_SMMU_IDR1_ATTR_PERMS_OVR) } };
	const struct weir_model_txn txn = { .stream = STREAM, .addr = PAGES };
	struct weir_model_translation out;
	uint64_t words[WORDS];

	base_ste(words, BYPASS);
	words[1] = WEIR_SMMU_STE_1_MTCFG | WEIR_SMMU_STE_1_PRIVCFG | WEIR_SMMU_STE_1_INSTCFG;
	put_words(f, ste_of(STREAM), words);
	implement(f, &row);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes, WEIR_MODEL_ATTR_PCIE);
	implement(f, &(struct row){ 0 });
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	assert_int_equal(out.attributes & both, both);
	assert_int_equal(out.attributes & WEIR_MODEL_ATTR_MEMORY, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_rule_of_stes),
		TEST(each_rule_of_cds),
		TEST(reserved_bits),
		TEST(reserved_for_want_of_features),
		TEST(reserved_for_want_of_versions),
		TEST(nothing_else_is_looked_at),
		TEST(ignored_fields),
		TEST(overrides_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
