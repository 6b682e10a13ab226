/* SPDX-License-Identifier: MIT */

#include "smmuentries.h"

#include <string.h>

#include "smmuv3/internal.h"

/* What stage 1 maps: a page; one that is read-only, clean and privileged; one not accessed yet. */
#define VA_PAGE 0x10000ull
#define VA_CLEAN 0x20000ull
#define VA_AF 0x30000ull
#define VA_NONE 0x40000ull
#define VA_HIGH 0xffff000000000000ull
/* Where: slots of 64 KiB, three for each of its tables; stage 2 maps the same. */
#define IPA 0x80000000ull
#define SLOT 0x10000ull
#define IPA_SLOTS (3 * STAGE1_TABLES)
#define IPA_CLEAN (IPA + IPA_SLOTS * SLOT)
#define IPA_AF (IPA_CLEAN + SLOT)

#define CD_AREA (RAM_BASE + 0x20000)
#define FOUND (CD_AREA + 0x80000) /* -> with_found() */
#define SSID_BITS 10u

#define WRITE WEIR_MODEL_TXN_WRITE
#define PRIV WEIR_MODEL_TXN_PRIVILEGED
#define FETCH WEIR_MODEL_TXN_INSTRUCTION
#define PASID WEIR_MODEL_TXN_SUBSTREAM
#define REQUEST WEIR_MODEL_TXN_ATS_REQUEST
#define TRANSLATED WEIR_MODEL_TXN_TRANSLATED
#define DEVICE 0x400u /* nGnRnE, Non-secure */
#define NC 0x444u

static const struct probe {
	uint64_t addr;
	uint16_t flags;
	uint16_t ssid, attributes;
} probes[PROBES] = {
	{ VA_PAGE, 0, 0, 0 },
	{ VA_PAGE, WRITE, 0, 0 },
	{ VA_PAGE, FETCH | PRIV, 0, 0 },
	{ VA_PAGE, 0, 0, DEVICE },
	{ VA_PAGE, 0, 0, NC },
	{ VA_CLEAN, 0, 0, 0 },
	{ VA_CLEAN, PRIV, 0, 0 },
	{ VA_CLEAN, WRITE | PRIV, 0, 0 },
	{ VA_AF, 0, 0, 0 },
	{ VA_NONE, 0, 0, 0 },
	{ VA_HIGH | VA_PAGE, 0, 0, 0 },
	{ VA_HIGH | VA_PAGE, FETCH, 0, 0 },
	{ VA_PAGE | 0x5a00000000000000ull, 0, 0, 0 },
	{ VA_PAGE, PASID, 0, 0 },
	{ VA_PAGE, PASID, 1, 0 },
	{ VA_PAGE, PASID, 65, 0 },
	{ VA_PAGE, PASID, 200, 0 },
	{ VA_PAGE, PASID, 1000, 0 },
	{ IPA, 0, 0, 0 },
	{ IPA, WRITE, 0, DEVICE },
	{ IPA_CLEAN, WRITE, 0, 0 },
	{ IPA_AF, 0, 0, 0 },
	{ VA_PAGE, REQUEST, 0, 0 },
	{ VA_PAGE, REQUEST | PASID, 1, 0 },
	{ IPA, TRANSLATED, 0, 0 },
	{ IPA + 0x100000000ull, TRANSLATED | PRIV, 0, 0 },
};

uint64_t rnd(struct ground *g)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return g->seed;
}

uint64_t below(struct ground *g, uint64_t n)
{
	return (rnd(g) >> 20) % n;
}

/* ---- Tables ------------------------------------------------------------------------------ */

static const struct {
	struct shape shape;
	uint64_t word2; /* S2TG, S2SL0 */
} stage2s[STAGE2_TABLES] = {
	{ { .granule = 12, .first = 1, .bits = 39 }, WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) },
	{ { .granule = 12, .first = 1, .bits = 39 }, WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) },
	{ { .granule = 12, .first = 0, .bits = 48 }, WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 2) },
	{ { .granule = 14, .first = 2, .bits = 36 },
	  WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, 2) },
	{ { .granule = 16, .first = 2, .bits = 42 },
	  WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, 1) },
};

/* With S2FWB write-back whatever comes in, without it partly not cached. */
#define FWB_WB ((LEAF2 & ~WEIR_VMSA_S2_MEMATTR) | WEIR_VMSA_MEMATTR_FWB_WB << 2)

static void remember(struct ground *g, uint64_t addr)
{
	assert_true(g->nr_updated < WEIR_ARRAY_SIZE(g->updated));
	g->updated[g->nr_updated].addr = addr;
	g->updated[g->nr_updated++].value = *at(g->f, addr);
}

static void lay_stage1(struct ground *g, unsigned int i)
{
	uint64_t out = IPA + 3 * i * SLOT;

	g->stage1[i] = new_table(g->f);
	map(g->f, g->stage1[i], VA_PAGE, PAGE | out | 3 << 8);
	remember(g, map(g->f, g->stage1[i], VA_CLEAN,
			(PAGE & ~WEIR_VMSA_AP_UNPRIV) | WEIR_VMSA_AP_RDONLY | WEIR_VMSA_DBM |
				1 << 2 | (out + SLOT)));
	remember(g, map(g->f, g->stage1[i], VA_AF, (PAGE & ~WEIR_VMSA_AF) | (out + 2 * SLOT)));
}

/* RAM where it is, for CDs and tables; the slots elsewhere for each. */
static void lay_stage2(struct ground *g, unsigned int i)
{
	const struct shape *shape = &stage2s[i].shape;
	uint64_t block = 1ull << shift_of(shape, 2), table = new_table(g->f);
	uint64_t out = 0x100000000ull + i * 0x10000000ull;

	g->stage2[i] = table;
	for (uint64_t addr = RAM_BASE; addr < RAM_BASE + RAM_SIZE; addr += block)
		map_shaped(g->f, shape, table, addr, 2, addr, LEAF2);
	for (uint64_t slot = 0; slot < IPA_SLOTS * SLOT; slot += SLOT)
		map_shaped(g->f, shape, table, IPA + slot, 3, out + slot,
			   slot % (3 * SLOT) ? LEAF2 : FWB_WB);
	remember(g, map_shaped(g->f, shape, table, IPA_CLEAN, 3, out + (IPA_CLEAN - IPA),
			       (LEAF2 & ~WEIR_VMSA_S2AP_WRITE) | WEIR_VMSA_DBM));
	remember(g, map_shaped(g->f, shape, table, IPA_AF, 3, out + (IPA_AF - IPA),
			       LEAF2 & ~WEIR_VMSA_AF));
}

/* ---- Context descriptors ----------------------------------------------------------------- */

static const struct {
	uint64_t at;
	unsigned int fmt, max;
} cd_tables[CD_TABLES] = {
	{ CD_AREA, 0, 0 },
	{ CD_AREA + 0x10000, 0, 0 },
	{ CD_AREA, WEIR_SMMU_STE_S1FMT_LINEAR, 7 },
	{ CD_AREA + 0x10000, WEIR_SMMU_STE_S1FMT_LINEAR, 10 },
	{ CD_AREA + 0x20000, WEIR_SMMU_STE_S1FMT_4K_L2, 8 },
	{ CD_AREA + 0x30000, WEIR_SMMU_STE_S1FMT_4K_L2, 10 },
	{ CD_AREA + 0x40000, WEIR_SMMU_STE_S1FMT_64K_L2, 10 },
};

static uint64_t cds_pointer(unsigned int i)
{
	return cd_tables[i].at | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, cd_tables[i].fmt) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, cd_tables[i].max);
}

/* Of a table; 0: there is none. L1CDs are as lay_cds() makes them. */
static uint64_t find_cd(struct fixture *f, uint64_t word0, unsigned int ssid)
{
	uint64_t base = word0 & WEIR_SMMU_STE_0_S1CONTEXTPTR;
	uint64_t fmt = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1FMT, word0);
	unsigned int split = fmt == WEIR_SMMU_STE_S1FMT_64K_L2 ? 10 : 6;
	uint64_t max = WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1CDMAX, word0), l1cd;

	if (!max || fmt == WEIR_SMMU_STE_S1FMT_LINEAR)
		return ssid >> max ? 0 : base + ssid * WEIR_SMMU_CD_SIZE;
	l1cd = *at(f, base + (ssid >> split) * WEIR_SMMU_L1CD_SIZE);
	if (ssid >> max || !(l1cd & WEIR_SMMU_L1CD_V))
		return 0;
	return (l1cd & WEIR_SMMU_L1CD_L2PTR) + (ssid & ((1u << split) - 1)) * WEIR_SMMU_CD_SIZE;
}

static void usual_cd(const struct ground *g, unsigned int tables, unsigned int asid, uint64_t *cd)
{
	memset(cd, 0, ENTRY_WORDS * sizeof(*cd));
	cd[0] = (cd_word0(0) & ~WEIR_SMMU_CD_0_ASID) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, asid);
	cd[1] = g->stage1[tables % STAGE1_TABLES];
	cd[2] = g->stage1[(tables + 1) % STAGE1_TABLES];
	cd[3] = 0x44ff;
}

static void lay_cds(struct ground *g, unsigned int i)
{
	static const unsigned int ssids[] = { 0, 1, 65, 200 };
	uint64_t base = cd_tables[i].at, cd[ENTRY_WORDS];

	if (cd_tables[i].fmt == WEIR_SMMU_STE_S1FMT_4K_L2) {
		put(g->f, base, (base + 0x1000) | WEIR_SMMU_L1CD_V);
		put(g->f, base + 8, (base + 0x2000) | WEIR_SMMU_L1CD_V);
	} else if (cd_tables[i].fmt == WEIR_SMMU_STE_S1FMT_64K_L2) {
		put(g->f, base, (base + 0x10000) | WEIR_SMMU_L1CD_V);
	}
	for (unsigned int s = 0; s < WEIR_ARRAY_SIZE(ssids); s++) {
		uint64_t addr = find_cd(g->f, cds_pointer(i), ssids[s]);

		if (!addr)
			continue;
		usual_cd(g, i + s, 16 * i + s + 1, cd);
		put_words(g->f, addr, cd);
	}
}

void lay_ground(struct ground *g, struct fixture *f, enum weir_model_smmuv3_reserved reserved)
{
	*g = (struct ground){ .f = f, .seed = 0x9e3779b97f4a7c15ull };
	full_config(&f->config);
	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_OFF;
	f->config.reserved = reserved;
	recreate(f);
	wr(f, WEIR_SMMU_CR0, 4, rd(f, WEIR_SMMU_CR0, 4) | WEIR_SMMU_CR0_ATSCHK);
	for (unsigned int i = 0; i < STAGE1_TABLES; i++)
		lay_stage1(g, i);
	for (unsigned int i = 0; i < STAGE2_TABLES; i++)
		lay_stage2(g, i);
	for (unsigned int i = 0; i < CD_TABLES; i++)
		lay_cds(g, i);
}

/* ---- Stream table entries ---------------------------------------------------------------- */

#define ABORT WEIR_SMMU_STE_CONFIG_ABORT
#define BYPASS WEIR_SMMU_STE_CONFIG_BYPASS
#define S1 WEIR_SMMU_STE_CONFIG_S1
#define S2 WEIR_SMMU_STE_CONFIG_S2
#define NESTED WEIR_SMMU_STE_CONFIG_NESTED
#define SPLIT WEIR_SMMU_STE_EATS_SPLIT
#define FULL WEIR_SMMU_STE_EATS_FULL
#define EL2 WEIR_SMMU_STE_STRW_EL2

void make_ste(const struct ground *g, const struct ste_spec *spec, uint64_t *ste)
{
	memset(ste, 0, ENTRY_WORDS * sizeof(*ste));
	ste[0] = WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, spec->config);
	ste[1] = spec->more1 | WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, spec->eats);
	if (!(spec->more1 & WEIR_SMMU_STE_1_SHCFG))
		ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, WEIR_SMMU_STE_SHCFG_INCOMING);
	if (spec->config & 1) {
		ste[0] |= cds_pointer(spec->cds);
		ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, spec->s1dss) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, spec->strw) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1CIR, WEIR_SMMU_CACHE_WB);
	}
	if (spec->config & 3)
		ste[2] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, spec->vmid) | spec->more2;
	if (spec->config & 2) {
		ste[2] |= stage2s[spec->stage2].word2 | WEIR_SMMU_STE_2_S2AA64 |
			  WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ,
					  64u - stage2s[spec->stage2].shape.bits) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44);
		ste[3] = g->stage2[spec->stage2];
	}
}

bool ste_example(const struct ground *g, unsigned int i, uint64_t *ste)
{
	const uint64_t recorded = WEIR_SMMU_STE_2_S2R, stalld = WEIR_SMMU_STE_1_S1STALLD;
	const uint64_t shared = WEIR_SMMU_STE_1_SHCFG;
	const uint64_t types = WEIR_SMMU_STE_1_MTCFG | shared |
			       WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_MEMATTR, 5) |
			       WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_ALLOCCFG, 0xc);
	const struct ste_spec specs[] = {
		{ .config = ABORT },
		{ .config = BYPASS },
		{ .config = BYPASS, .more1 = types },
		{ .config = BYPASS, .more1 = WEIR_SMMU_STE_1_PRIVCFG | WEIR_SMMU_STE_1_MEV },
		{ .config = S1 },
		{ .config = S1, .cds = 1 },
		{ .config = S1, .cds = 1, .more1 = stalld | WEIR_SMMU_STE_1_MEV },
		{ .config = S1, .more1 = types, .eats = FULL },
		{ .config = S1, .strw = EL2 },
		{ .config = S1, .vmid = 3 },
		{ .config = S1, .cds = 2 },
		{ .config = S1, .cds = 2, .s1dss = 1 },
		{ .config = S1, .cds = 2, .s1dss = 1, .more1 = shared, .eats = FULL },
		{ .config = S1, .cds = 3, .s1dss = 2 },
		{ .config = S1, .cds = 4, .s1dss = 2, .eats = FULL },
		{ .config = S1, .cds = 5, .s1dss = 2 },
		{ .config = S1, .cds = 6, .s1dss = 1, .more1 = stalld | WEIR_SMMU_STE_1_PPAR },
		{ .config = S2, .vmid = 3, .more2 = recorded },
		{ .config = S2, .stage2 = 1, .vmid = 3, .eats = FULL },
		{ .config = S2, .stage2 = 2, .vmid = 5, .more2 = WEIR_SMMU_STE_2_S2S },
		{ .config = S2, .stage2 = 3, .vmid = 5, .more1 = WEIR_SMMU_STE_1_S2FWB },
		{ .config = S2, .stage2 = 4, .vmid = 6, .more2 = WEIR_SMMU_STE_2_S2AFFD },
		{ .config = NESTED, .vmid = 3, .more2 = recorded },
		{ .config = NESTED, .cds = 1, .vmid = 3, .more2 = recorded },
		{ .config = NESTED, .cds = 4, .s1dss = 2, .vmid = 3, .eats = SPLIT },
		{ .config = NESTED, .cds = 3, .s1dss = 1, .stage2 = 2, .vmid = 5, .eats = FULL },
		{ .config = NESTED, .stage2 = 3, .vmid = 5, .more2 = WEIR_SMMU_STE_2_S2PTW },
		{ .config = NESTED, .stage2 = 4, .more2 = WEIR_SMMU_STE_2_S2HA },
		{ .config = NESTED, .more2 = WEIR_SMMU_STE_2_S2HA | WEIR_SMMU_STE_2_S2HD },
	};

	if (i >= WEIR_ARRAY_SIZE(specs) + 2)
		return false;
	if (i < 2) {
		/* Invalid: of zeroes, and with the rest of something that was there. */
		make_ste(g, &specs[24], ste);
		ste[0] &= ~WEIR_SMMU_STE_0_V;
		if (!i)
			memset(ste, 0, ENTRY_WORDS * sizeof(*ste));
		return true;
	}
	make_ste(g, &specs[i - 2], ste);
	return true;
}

static uint64_t some(struct ground *g, uint64_t bits)
{
	return rnd(g) >> 7 & rnd(g) >> 9 & bits;
}

static void make_any_ste(struct ground *g, uint64_t *ste)
{
	static const unsigned int configs[] = { ABORT, BYPASS, S1, S1, S2, NESTED, NESTED };
	const struct ste_spec spec = {
		.config = configs[below(g, WEIR_ARRAY_SIZE(configs))],
		.cds = (unsigned int)below(g, CD_TABLES),
		.s1dss = (unsigned int)below(g, 3),
		.eats = (unsigned int)below(g, 3),
		.strw = below(g, 5) ? 0 : EL2,
		.stage2 = (unsigned int)below(g, STAGE2_TABLES),
		.vmid = below(g, 3),
		.more1 = below(g, 2) ?
				 0 :
				 some(g, WEIR_SMMU_STE_1_MEV | WEIR_SMMU_STE_1_PPAR |
						 WEIR_SMMU_STE_1_S1STALLD | WEIR_SMMU_STE_1_S2FWB |
						 WEIR_SMMU_STE_1_MTCFG | WEIR_SMMU_STE_1_MEMATTR |
						 WEIR_SMMU_STE_1_ALLOCCFG | WEIR_SMMU_STE_1_SHCFG |
						 WEIR_SMMU_STE_1_PRIVCFG | WEIR_SMMU_STE_1_INSTCFG),
		.more2 = below(g, 2) ?
				 0 :
				 some(g, WEIR_SMMU_STE_2_S2R | WEIR_SMMU_STE_2_S2S |
						 WEIR_SMMU_STE_2_S2AFFD | WEIR_SMMU_STE_2_S2PTW |
						 WEIR_SMMU_STE_2_S2HA | WEIR_SMMU_STE_2_S2HD),
	};

	make_ste(g, &spec, ste);
	if (!below(g, 12))
		ste[0] &= ~WEIR_SMMU_STE_0_V;
}

static bool ste_legal(struct ground *g, const uint64_t *ste)
{
	struct smmu_ste decoded;

	return weir_model_smmu_decode_ste(&g->f->smmu->ns, ste, &decoded);
}

void random_ste(struct ground *g, uint64_t *ste)
{
	do
		make_any_ste(g, ste);
	while ((ste[0] & WEIR_SMMU_STE_0_V) && !ste_legal(g, ste));
}

void ste_of_cd(const struct ground *g, bool nested, uint64_t *ste)
{
	const struct ste_spec spec = { .config = nested ? NESTED : S1 };

	make_ste(g, &spec, ste);
	ste[0] = (ste[0] & ~WEIR_SMMU_STE_0_S1CONTEXTPTR) | CDS;
}

/* ---- Context descriptors of all kinds ---------------------------------------------------- */

bool cd_example(const struct ground *g, unsigned int i, uint64_t *cd)
{
	static const struct {
		unsigned int tables, asid;
		uint64_t set, unset; /* in word 0 */
		uint64_t mair;	     /* 0: the usual one */
	} examples[] = {
		{ 0, 1, 0, 0, 0 },
		{ 0, 2, 0, 0, 0 },
		{ 1, 1, 0, 0, 0 },
		{ 1, 2, 0, 0, 0 },
		{ 0, 1, 0, 0, 0x4400 },
		{ 2, 300, 0, 0, 0xff04 },
		{ 0, 1, WEIR_SMMU_CD_0_EPD0, 0, 0 },
		{ 0, 1, WEIR_SMMU_CD_0_EPD1, 0, 0 },
		{ 2, 3, WEIR_SMMU_CD_0_EPD1, 0, 0 },
		{ 0, 1, WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1, 0, 0 },
		{ 3, 4, WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1, 0, 0 },
		{ 0, 1, 0, WEIR_SMMU_CD_0_R, 0 },
		{ 0, 1, 0, WEIR_SMMU_CD_0_A, 0 },
		{ 1, 2, WEIR_SMMU_CD_0_S, 0, 0 },
		{ 1, 2, WEIR_SMMU_CD_0_AFFD, 0, 0 },
		{ 1, 2, WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_HD, 0, 0 },
		{ 0, 1, WEIR_SMMU_CD_0_TBI0 | WEIR_SMMU_CD_0_ASET | WEIR_SMMU_CD_0_PAN, 0, 0 },
	};

	memset(cd, 0, ENTRY_WORDS * sizeof(*cd));
	if (!i)
		return true;
	if (--i >= WEIR_ARRAY_SIZE(examples))
		return false;
	usual_cd(g, examples[i].tables, examples[i].asid, cd);
	cd[0] = (cd[0] | examples[i].set) & ~examples[i].unset;
	if (examples[i].mair)
		cd[3] = examples[i].mair;
	return true;
}

static bool cd_legal(struct ground *g, const uint64_t *cd)
{
	struct smmu_ste ste;
	struct smmu_cd decoded;
	uint64_t words[ENTRY_WORDS];

	ste_of_cd(g, false, words);
	assert_true(weir_model_smmu_decode_ste(&g->f->smmu->ns, words, &ste));
	return weir_model_smmu_decode_cd(&g->f->smmu->ns, &ste, cd, &decoded);
}

static void make_any_cd(struct ground *g, uint64_t *cd)
{
	usual_cd(g, (unsigned int)below(g, STAGE1_TABLES), (unsigned int)below(g, 3), cd);
	cd[0] ^= some(g, WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_CD_0_AFFD |
				 WEIR_SMMU_CD_0_WXN | WEIR_SMMU_CD_0_TBI0 | WEIR_SMMU_CD_0_PAN |
				 WEIR_SMMU_CD_0_HD | WEIR_SMMU_CD_0_HA | WEIR_SMMU_CD_0_S |
				 WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_ASET |
				 WEIR_SMMU_CD_0_ENDI);
	if (!below(g, 3))
		cd[0] = (cd[0] & ~WEIR_SMMU_CD_0_TG0) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, below(g, 4));
	if (!below(g, 3))
		cd[0] = (cd[0] & ~WEIR_SMMU_CD_0_T1SZ) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, below(g, 30));
	if (!below(g, 3))
		cd[1] |= below(g, 2) ? WEIR_SMMU_CD_1_HAD0 : WEIR_SMMU_CD_1_E0PD0;
	if (!below(g, 3))
		cd[3] = rnd(g);
	if (!below(g, 12))
		cd[0] &= ~WEIR_SMMU_CD_0_V;
}

void random_cd(struct ground *g, uint64_t *cd)
{
	do
		make_any_cd(g, cd);
	while ((cd[0] & WEIR_SMMU_CD_0_V) && !cd_legal(g, cd));
}

/* ---- Meaning ----------------------------------------------------------------------------- */

/* What no single transaction shows: tags, and how events and responses are made. */
static void decode(struct ground *g, const uint64_t *ste, const uint64_t *cd, struct meaning *m)
{
	struct smmu_ste s;
	struct smmu_cd c;

	m->legal = weir_model_smmu_decode_ste(&g->f->smmu->ns, ste, &s);
	if (!m->legal)
		return;
	m->config = s.config;
	if (!(s.config & BYPASS))
		return;
	m->world = s.world;
	m->vmid = s.vmid;
	m->flags = (uint64_t)s.mev | (uint64_t)s.ppar << 1 | (uint64_t)s.s1stalld << 2 |
		   (uint64_t)s.s2ptw << 3;
	if (!cd)
		return;
	m->legal = weir_model_smmu_decode_cd(&g->f->smmu->ns, &s, cd, &c);
	if (m->legal)
		m->asid = (uint64_t)c.asid << 1 | c.aset;
}

static void try(struct ground *g, unsigned int i, struct meaning *m)
{
	struct weir_model_translation out = { 0 };
	struct weir_model_txn txn = {
		.stream = STREAM,
		.addr = probes[i].addr,
		.flags = probes[i].flags,
		.substream = probes[i].ssid,
		.attributes = probes[i].attributes,
	};
	uint64_t record[4];

	m->seen[i].result = dma_as(g->f, txn, &out);
	if (m->seen[i].result == WEIR_MODEL_OK) {
		m->seen[i].addr = out.addr;
		m->seen[i].attributes = out.attributes;
	}
	if (probes[i].flags & REQUEST)
		m->seen[i].answer = (uint64_t)out.ats | (uint64_t)out.size << 8;
	if (pop_event(g->f, record))
		memcpy(m->seen[i].event, record, sizeof(record));
	expect_no_event(g->f);
}

void find_meaning(struct ground *g, const uint64_t *ste, const uint64_t *cd, struct meaning *m)
{
	memset(m, 0, sizeof(*m));
	put_words(g->f, ste_of(STREAM), ste);
	if (cd)
		put_words(g->f, CDS, cd);
	decode(g, ste, cd, m);
	for (unsigned int i = 0; i < PROBES; i++)
		try(g, i, m);
	for (unsigned int i = 0; i < g->nr_updated; i++)
		put(g->f, g->updated[i].addr, g->updated[i].value);
}

/* ---- What was found through another entry ------------------------------------------------ */

void with_found(struct ground *g, const uint64_t *ste, const uint64_t *from, uint64_t *mixed)
{
	memset(at(g->f, FOUND), 0, WEIR_SMMU_CD_SIZE << SSID_BITS);
	for (unsigned int ssid = 0; ssid < 1u << SSID_BITS; ssid++) {
		uint64_t addr = find_cd(g->f, from[0], ssid);

		if (addr)
			memcpy(at(g->f, FOUND + ssid * WEIR_SMMU_CD_SIZE), at(g->f, addr),
			       WEIR_SMMU_CD_SIZE);
	}
	memcpy(mixed, ste, ENTRY_WORDS * sizeof(*mixed));
	mixed[0] &= ~(WEIR_SMMU_STE_0_S1CONTEXTPTR | WEIR_SMMU_STE_0_S1FMT);
	mixed[0] |= FOUND;
}

bool probe_finds(struct ground *g, unsigned int probe, const uint64_t *ste, const uint64_t *from)
{
	unsigned int ssid = probes[probe].flags & PASID ? probes[probe].ssid : 0;

	return !(ssid >> WEIR_SMMU_FIELD_GET(WEIR_SMMU_STE_0_S1CDMAX, ste[0])) &&
	       find_cd(g->f, from[0], ssid);
}
