/* SPDX-License-Identifier: MIT */
/*
 * Changing entries under a live SMMU: what the bits of an STE and of a context descriptor are used
 * for, and the order of writes that follows from it (entry.h has the reasoning).
 *
 * A field counts as used wherever the specification does not call it IGNORED, and where another
 * field of the same word makes it so: both are written together, and nothing would be gained. All
 * is on the stack; the caller serialises.
 */

#include <weir/hw/smmuv3.h>

#include "smmuv3/entry.h"

#define WORDS WEIR_SMMUV3_ENTRY_WORDS

static void clear(uint64_t *words)
{
	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = 0;
}

/* ---- Stream table entries (5.2) -------------------------------------------------------------- */

/* The bits of Config: traffic passes; which stages translate it. */
#define PASSES (WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_BYPASS))
#define STAGE1 (WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, 1))
#define STAGE2 (WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, 2))

/* Which context descriptors there are. */
#define FOUND (WEIR_SMMU_STE_0_S1CONTEXTPTR | WEIR_SMMU_STE_0_S1CDMAX | WEIR_SMMU_STE_0_S1FMT)

/* Of stage 2: its tables, in words 2 and 3; the rest of word 2. */
#define TABLES2                                                                                    \
	(WEIR_SMMU_STE_2_S2T0SZ | WEIR_SMMU_STE_2_S2SL0 | WEIR_SMMU_STE_2_S2TG |                   \
	 WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_STE_2_S2ENDI)
#define BASE2                                                                                      \
	(WEIR_SMMU_STE_3_S2SL0_2 | WEIR_SMMU_STE_3_S2DS | WEIR_SMMU_STE_3_S2TTB |                  \
	 WEIR_SMMU_STE_3_S2TTB_RES0 | WEIR_SMMU_STE_3_S2SKL)
#define REST2                                                                                      \
	(WEIR_SMMU_STE_2_S2IR0 | WEIR_SMMU_STE_2_S2OR0 | WEIR_SMMU_STE_2_S2SH0 |                   \
	 WEIR_SMMU_STE_2_S2PS | WEIR_SMMU_STE_2_S2AFFD | WEIR_SMMU_STE_2_S2HD |                    \
	 WEIR_SMMU_STE_2_S2HA | WEIR_SMMU_STE_2_S2S | WEIR_SMMU_STE_2_S2R |                        \
	 WEIR_SMMU_STE_2_S2HAFT | WEIR_SMMU_STE_2_S2PIE | WEIR_SMMU_STE_2_S2POE)

static uint64_t ste_field(const uint64_t *ste, unsigned int word, uint64_t mask)
{
	return WEIR_SMMU_FIELD_GET(mask, ste[word]);
}

/* Are there substreams? Else S1Fmt and S1DSS are IGNORED. */
static bool ste_has_substreams(const uint64_t *ste)
{
	return (ste[0] & STAGE1) && (ste[0] & WEIR_SMMU_STE_0_S1CDMAX);
}

/* Some transactions bypass stage 1: all, or those without a substream. */
static bool ste_bypasses_stage1(const uint64_t *ste)
{
	return !(ste[0] & STAGE1) ||
	       (ste_has_substreams(ste) &&
		ste_field(ste, 1, WEIR_SMMU_STE_1_S1DSS) == WEIR_SMMU_STE_S1DSS_BYPASS);
}

/*
 * What no stage has to do with. Stage 1 replaces types, but combines hints, and takes permissions
 * as they come; Shareability it replaces whole (13.4.2, 13.5). AssuredOnly and its like are about
 * stage 2, but not said to be IGNORED without. NSCFG is, in the Non-secure stream table, and
 * SW_RESERVED everywhere.
 */
static void ste_passing(const uint64_t *ste, uint64_t *used)
{
	used[1] |= WEIR_SMMU_STE_1_PPAR | WEIR_SMMU_STE_1_MEV | WEIR_SMMU_STE_1_MEMATTR |
		   WEIR_SMMU_STE_1_MTCFG | WEIR_SMMU_STE_1_ALLOCCFG | WEIR_SMMU_STE_1_PRIVCFG |
		   WEIR_SMMU_STE_1_INSTCFG | WEIR_SMMU_STE_1_IMPDEF;
	if (ste_bypasses_stage1(ste))
		used[1] |= WEIR_SMMU_STE_1_SHCFG;
	used[2] |= WEIR_SMMU_STE_2_IMPDEF;
	used[4] |= WEIR_SMMU_STE_4_IMPDEF | WEIR_SMMU_STE_4_PARTID;
	used[5] |= WEIR_SMMU_STE_5_PMG | WEIR_SMMU_STE_5_ASSURED;
}

/*
 * What counts as soon as one stage translates: EATS (IGNORED if Config[1:0] is 0), and which tags
 * translations get. STRW says so for stage 1 alone; there is a VMID in NS-EL1 (5.2 S2VMID, 5.2.2
 * IgnoreSTES2VMID).
 */
static void ste_translating(const uint64_t *ste, uint64_t *used)
{
	used[1] |= WEIR_SMMU_STE_1_DRE | WEIR_SMMU_STE_1_DCP | WEIR_SMMU_STE_1_EATS;
	used[2] |= WEIR_SMMU_STE_2_DPT_VMATCH;
	if (!(ste[0] & STAGE2))
		used[1] |= WEIR_SMMU_STE_1_STRW;
	if ((ste[0] & STAGE2) || !(ste[1] & WEIR_SMMU_STE_1_STRW))
		used[2] |= WEIR_SMMU_STE_2_S2VMID;
}

/* v3.0 may check EATS against S2S without stage 2 too (5.2 EATS, 5.2.2). */
static void ste_stage1(const uint64_t *ste, uint64_t *used)
{
	used[0] |= FOUND & ~WEIR_SMMU_STE_0_S1FMT;
	used[1] |= WEIR_SMMU_STE_1_S1CIR | WEIR_SMMU_STE_1_S1COR | WEIR_SMMU_STE_1_S1CSH |
		   WEIR_SMMU_STE_1_S1PIE | WEIR_SMMU_STE_1_S1MPAM | WEIR_SMMU_STE_1_S1STALLD;
	if (ste_has_substreams(ste)) {
		used[0] |= WEIR_SMMU_STE_0_S1FMT;
		used[1] |= WEIR_SMMU_STE_1_S1DSS;
	}
	if (ste[1] & WEIR_SMMU_STE_1_EATS)
		used[2] |= WEIR_SMMU_STE_2_S2S;
}

/* With stage 1 as well: S2PTW, and with S1MPAM the VMS (5.2 S2PTW, VMSPtr). */
static void ste_stage2(const uint64_t *ste, uint64_t *used)
{
	used[1] |= WEIR_SMMU_STE_1_S2HWU | WEIR_SMMU_STE_1_S2FWB;
	used[2] |= TABLES2 | REST2;
	used[3] |= BASE2;
	used[7] |= WEIR_SMMU_STE_7_S2POI;
	if (!(ste[0] & STAGE1))
		return;
	used[2] |= WEIR_SMMU_STE_2_S2PTW;
	if (ste[1] & WEIR_SMMU_STE_1_S1MPAM)
		used[5] |= WEIR_SMMU_STE_5_VMSPTR;
}

void weir_smmuv3_ste_used(const uint64_t *ste, uint64_t *used)
{
	clear(used);
	used[0] = WEIR_SMMU_STE_0_V;
	if (!(ste[0] & WEIR_SMMU_STE_0_V))
		return;
	used[0] |= WEIR_SMMU_STE_0_CONFIG;
	/* 5.2.1: of an entry that aborts this may be obeyed, and no more. */
	used[1] |= WEIR_SMMU_STE_1_CONT;
	if (!(ste[0] & PASSES))
		return;
	ste_passing(ste, used);
	if (ste[0] & (STAGE1 | STAGE2))
		ste_translating(ste, used);
	if (ste[0] & STAGE1)
		ste_stage1(ste, used);
	if (ste[0] & STAGE2)
		ste_stage2(ste, used);
}

/* Is the first context descriptor for transactions without a substream? Else for substream 0. */
static bool ste_first_is_default(const uint64_t *ste)
{
	return !ste_has_substreams(ste) ||
	       ste_field(ste, 1, WEIR_SMMU_STE_1_S1DSS) == WEIR_SMMU_STE_S1DSS_SSID0;
}

/* Log2 of the context descriptors that an L1CD leads to; 0: there are no L1CDs. */
static uint64_t ste_l1cd_span(const uint64_t *ste)
{
	uint64_t max = ste_field(ste, 0, WEIR_SMMU_STE_0_S1CDMAX);

	switch (ste_field(ste, 0, WEIR_SMMU_STE_0_S1FMT)) {
	case WEIR_SMMU_STE_S1FMT_4K_L2:
		return max < 6 ? max : 6;
	case WEIR_SMMU_STE_S1FMT_64K_L2:
		return max < 10 ? max : 10;
	default:
		return 0;
	}
}

/*
 * Context descriptors are found and read in another way with stage 2 behind them, or with other
 * tables there: S1ContextPtr and what they hold are IPAs then (5.2 S1ContextPtr, 5.4.1). With
 * another S1Fmt an L1CD is of a table of another size; with another S1CDMax as well, if that is
 * less than one L1CD is for. And the first one of a table may be there for other transactions than
 * that of another table (5.2 S1DSS). StreamWorld and S1STALLD matter too (5.4.1), but are in word
 * 1: if the descriptors change as well, two words are critical.
 */
bool weir_smmuv3_ste_apart(const uint64_t *old, const uint64_t *new)
{
	const uint64_t stage1 = WEIR_SMMU_STE_0_V | PASSES | STAGE1;
	uint64_t differs = old[0] ^ new[0];

	if ((old[0] & new[0] & stage1) != stage1)
		return false;
	if (differs & STAGE2)
		return true;
	if ((new[0] & STAGE2) && (((old[2] ^ new[2]) & TABLES2) || ((old[3] ^ new[3]) & BASE2)))
		return true;
	if (ste_first_is_default(old) != ste_first_is_default(new) && (differs & FOUND))
		return true;
	if (!ste_has_substreams(old) || !ste_has_substreams(new))
		return false;
	return (differs & WEIR_SMMU_STE_0_S1FMT) || (ste_l1cd_span(old) != ste_l1cd_span(new) &&
						     (differs & WEIR_SMMU_STE_0_S1CONTEXTPTR));
}

/* ---- Context descriptors (5.4) --------------------------------------------------------------- */

/* Of each half, what is IGNORED without walks (5.4 EPD0, 5.4.1.1). */
#define HALF0                                                                                      \
	(WEIR_SMMU_CD_0_T0SZ | WEIR_SMMU_CD_0_TG0 | WEIR_SMMU_CD_0_IR0 | WEIR_SMMU_CD_0_OR0 |      \
	 WEIR_SMMU_CD_0_SH0)
#define HALF1                                                                                      \
	(WEIR_SMMU_CD_0_T1SZ | WEIR_SMMU_CD_0_TG1 | WEIR_SMMU_CD_0_IR1 | WEIR_SMMU_CD_0_OR1 |      \
	 WEIR_SMMU_CD_0_SH1)

/* All that is defined but NSCFGx, which is IGNORED of Non-secure streams. */
static void cd_valid(uint64_t *used)
{
	used[0] = WEIR_GENMASK(63, 0);
	used[1] = ~(WEIR_SMMU_CD_1_NSCFG0 | WEIR_SMMU_CD_1_RES0);
	used[2] = ~(WEIR_SMMU_CD_2_NSCFG1 | WEIR_SMMU_CD_2_RES0);
	used[3] = WEIR_SMMU_CD_3_MAIR0 | WEIR_SMMU_CD_3_MAIR1;
	used[4] = WEIR_GENMASK(63, 0); /* AMAIR0, AMAIR1 */
	used[5] = WEIR_SMMU_CD_5_IMPDEF | WEIR_SMMU_CD_5_PARTID | WEIR_SMMU_CD_5_PMG;
	used[6] = WEIR_SMMU_CD_6_PIIU;
	used[7] = WEIR_SMMU_CD_7_PIIP;
}

void weir_smmuv3_cd_used(const uint64_t *cd, uint64_t *used)
{
	clear(used);
	used[0] = WEIR_SMMU_CD_0_V;
	if (!(cd[0] & WEIR_SMMU_CD_0_V))
		return;
	cd_valid(used);
	if (cd[0] & WEIR_SMMU_CD_0_EPD0) {
		used[0] &= ~HALF0;
		used[1] &= ~(WEIR_SMMU_CD_1_TTB0 | WEIR_SMMU_CD_1_TTB0_RES0);
	}
	if (cd[0] & WEIR_SMMU_CD_0_EPD1) {
		used[0] &= ~HALF1;
		used[2] &= ~(WEIR_SMMU_CD_2_TTB1 | WEIR_SMMU_CD_2_TTB1_RES0);
	}
	if ((cd[0] & WEIR_SMMU_CD_0_EPD0) && (cd[0] & WEIR_SMMU_CD_0_EPD1))
		used[0] &= ~WEIR_SMMU_CD_0_ENDI;
}

/* ---- Changes --------------------------------------------------------------------------------- */

struct change {
	struct weir_smmuv3_entry_writer *writer;
	const uint64_t *wanted;
	uint64_t used[WORDS]; /* of `wanted` */
	uint64_t now[WORDS];  /* the entry */
};

static void write_word(struct change *c, unsigned int word, uint64_t value)
{
	c->now[word] = value;
	c->writer->write(c->writer, word, value);
}

/* Inlined: one frame less under it. */
static inline __attribute__((always_inline)) int sync(struct change *c)
{
	int ret = c->writer->sync(c->writer);

	c->writer->unsure = ret != 0;
	return ret;
}

/* The bits of a word that count in what is wanted, and are different. */
static uint64_t missing(const struct change *c, unsigned int word)
{
	return (c->now[word] ^ c->wanted[word]) & c->used[word];
}

/*
 * How many words are critical; *word is the last of them. Not inlined, as other steps: what they
 * need would lie below all that sync() calls.
 */
static __attribute__((noinline)) unsigned int find_critical(const struct change *c,
							    unsigned int *word)
{
	uint64_t used[WORDS];
	unsigned int i, n = 0;

	c->writer->used(c->now, used);
	for (i = 0; i < WORDS; i++) {
		if (!(missing(c, i) & used[i]))
			continue;
		*word = i;
		n++;
	}
	return n;
}

/* In all words but the critical one; returns whether there was anything. */
static __attribute__((noinline)) bool preset(struct change *c, unsigned int critical)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (i == critical || !missing(c, i))
			continue;
		write_word(c, i, c->now[i] ^ missing(c, i));
		any = true;
	}
	return any;
}

static __attribute__((noinline)) uint64_t valid_bit(const struct change *c)
{
	uint64_t zeroes[WORDS], used[WORDS];

	clear(zeroes);
	c->writer->used(zeroes, used);
	return used[0];
}

/* The SMMU holds nothing but an entry that uses V alone. */
static int invalidate(struct change *c)
{
	uint64_t valid = valid_bit(c);

	if (c->now[0] & valid)
		write_word(c, 0, c->now[0] & ~valid);
	return sync(c);
}

int weir_smmuv3_entry_change(struct weir_smmuv3_entry_writer *writer, const uint64_t *entry,
			     const uint64_t *wanted, bool *hitless)
{
	struct change c = { .writer = writer, .wanted = wanted };
	unsigned int i, critical = 0, n;
	bool detour;
	int ret;

	for (i = 0; i < WORDS; i++)
		c.now[i] = entry[i];
	writer->used(wanted, c.used);
	n = find_critical(&c, &critical);
	detour = writer->unsure || n > 1 || (writer->apart && writer->apart(c.now, wanted));
	if (hitless)
		*hitless = !detour;
	if (detour) {
		ret = invalidate(&c);
		if (ret)
			return ret;
		n = find_critical(&c, &critical);
	}
	if (!n)
		return 0;
	if (preset(&c, critical)) {
		ret = sync(&c);
		if (ret)
			return ret;
	}
	write_word(&c, critical, c.now[critical] ^ missing(&c, critical));
	return sync(&c);
}
