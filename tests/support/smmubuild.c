/* SPDX-License-Identifier: MIT */
/* Stream tables, context descriptors and translation tables out of bytes. */

#include "smmucase.h"

#define POOL (BOX_RAM + 0x10000)
#define CDS (BOX_FREE)

static uint64_t low_bits(unsigned int bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

static bool one_in(struct smmucase *c, unsigned int n)
{
	return take_below(c->in, n) == n - 1;
}

static void put(struct smmucase *c, uint64_t addr, uint64_t value, enum case_kind kind)
{
	unsigned int i = c->nr_puts % CASE_PUTS;

	box_put(&c->box, addr, value);
	c->puts[i] = addr;
	c->put_kinds[i] = (uint8_t)kind;
	c->nr_puts++;
}

/* ---- Translation tables --------------------------------------------------------------- */

uint64_t case_output(const struct smmucase *c, const struct case_space *space, uint64_t addr)
{
	uint64_t word = addr & low_bits(48) & ~low_bits(space->granule);

	if (space->ds)
		return (addr & low_bits(50) & ~low_bits(space->granule)) | (addr >> 50 & 3) << 8;
	if (space->granule == 16 && c->box.oas == 52)
		word |= (addr >> 48 & 15) << 12;
	return word;
}

/* Where a descriptor points to. */
static uint64_t pointee(const struct smmucase *c, const struct case_space *space, uint64_t word)
{
	uint64_t addr = word & low_bits(48) & ~low_bits(space->granule);

	if (space->ds)
		return (word & low_bits(50) & ~low_bits(space->granule)) | (word >> 8 & 3) << 50;
	if (space->granule == 16 && c->box.oas == 52)
		addr |= (word >> 12 & 15) << 48;
	return addr;
}

static uint64_t new_table(struct smmucase *c, unsigned int granule)
{
	uint64_t size = (uint64_t)1 << granule, addr = (c->next_table + size - 1) & ~(size - 1);

	if (addr + size > BOX_RAM + BOX_SIZE) {
		if (c->cached)
			return 0;
		addr = (POOL + size - 1) & ~(size - 1);
	}
	c->next_table = addr + size;
	return addr;
}

/* In either half of the physical addresses, where they are wide enough. */
static uint64_t some_half(struct smmucase *c, uint64_t addr, unsigned int bits)
{
	return addr && bits == c->box.oas && one_in(c, 4) ? box_high(&c->box, addr) : addr;
}

static uint64_t in_order(const struct case_space *space, uint64_t descriptor)
{
	return space->big_endian ? __builtin_bswap64(descriptor) : descriptor;
}

static unsigned int shift_of(const struct case_space *space, int level)
{
	return space->granule + (unsigned int)(3 - level) * (space->granule - 3);
}

static bool has_block(const struct smmucase *c, const struct case_space *space, int level)
{
	if (space->granule == 12)
		return level >= 1 || (level == 0 && space->ds);
	if (space->granule == 14)
		return level >= 2 || (level == 1 && space->ds);
	return level >= 2 || (level == 1 && c->box.oas == 52);
}

/* The levels of leaves, mostly pages; now and then one that has none. */
static int some_level(struct smmucase *c, const struct case_space *space)
{
	unsigned int choice = take_below(c->in, 16);
	int level = choice < 8 ? 3 : choice < 12 ? 2 : choice < 14 ? 1 : 0;

	if (level < space->start)
		level = space->start;
	while (choice != 15 && !has_block(c, space, level))
		level++;
	return level;
}

static void map_stage2(struct smmucase *c, const struct case_space *space, uint64_t ipa,
		       bool identity);

/* Limits on what is below: none, mostly. With nG, should it ever be a leaf. */
static uint64_t some_limits(struct smmucase *c, const struct case_space *space)
{
	if (space->stage2)
		return 0;
	return WEIR_VMSA_NG | (one_in(c, 8) ? take(c->in, 1) << 56 & WEIR_GENMASK(62, 59) : 0);
}

uint64_t case_map_at(struct smmucase *c, const struct case_space *space,
		     const struct case_space *via, uint64_t va, int level, uint64_t descriptor)
{
	uint64_t table = space->base;
	unsigned int top = space->input_bits;

	for (int l = space->start;; l++) {
		unsigned int shift = shift_of(space, l);
		uint64_t entry = table + ((va & low_bits(top)) >> shift) * 8, word;

		top = shift;
		if (via)
			map_stage2(c, via, entry, true);
		if (l == level) {
			put(c, entry, in_order(space, descriptor), PUT_LEAF);
			return entry;
		}
		word = in_order(space, box_get(&c->box, entry));
		if ((word & 3) != 3 || l == 3) {
			table = new_table(c, space->granule);
			if (!table)
				return 0;
			table = some_half(c, table, via ? 0 : space->output_bits);
			word = case_output(c, space, table) | WEIR_VMSA_TYPE_TABLE |
			       some_limits(c, space);
			put(c, entry, in_order(space, word), PUT_TABLE);
		}
		table = pointee(c, space, word);
	}
}

static uint64_t leaf_type(int level)
{
	return level == 3 ? WEIR_VMSA_TYPE_PAGE : WEIR_VMSA_TYPE_BLOCK;
}

static uint64_t contiguous(struct smmucase *c)
{
	return !c->cached && one_in(c, 16) ? WEIR_VMSA_CONT : 0;
}

/* A good leaf of stage 2, or one that some byte says. */
static uint64_t stage2_attributes(struct smmucase *c, bool ds)
{
	uint64_t good =
		WEIR_VMSA_AF | WEIR_VMSA_S2AP | WEIR_GENMASK(5, 2) | (ds ? 0 : WEIR_VMSA_SH);
	uint64_t choice;

	if (!one_in(c, 3))
		return good;
	choice = take(c->in, 2);
	return (choice & WEIR_GENMASK(7, 2)) | (choice & 1 ? WEIR_VMSA_AF : 0) |
	       (ds ? 0 : (choice >> 8 & 3) << 8) | (choice & 2 ? WEIR_VMSA_DBM : 0) |
	       (choice >> 10 & 3) << 53 | (choice & 0x1000 ? WEIR_VMSA_S2AP : 0) | contiguous(c);
}

static uint64_t stage1_attributes(struct smmucase *c, bool ds)
{
	uint64_t good = WEIR_VMSA_AF | WEIR_VMSA_AP_UNPRIV | WEIR_VMSA_NG;
	uint64_t choice = take(c->in, 1), word;

	word = good | (choice & 7) << 2 | (ds ? 0 : (choice >> 3 & 3) << 8);
	if (choice >> 5 & 3)
		return word;
	choice = take(c->in, 2);
	word &= ~(WEIR_VMSA_AP | WEIR_VMSA_AF | (c->cached ? 0 : WEIR_VMSA_NG));
	return word | (choice & WEIR_VMSA_AP) | (choice & 7 ? WEIR_VMSA_AF : 0) |
	       (choice & 8 ? WEIR_VMSA_DBM : 0) | (choice & 16 ? WEIR_VMSA_PXN : 0) |
	       (choice & 32 ? WEIR_VMSA_UXN : 0) | (choice & 0x100 ? WEIR_VMSA_NG : 0) |
	       contiguous(c);
}

static uint64_t some_output(struct smmucase *c, unsigned int bits)
{
	uint64_t page = BOX_RAM + (uint64_t)take_below(c->in, BOX_PAGES) * 4096;

	if (one_in(c, 32))
		return take(c->in, 7);
	return some_half(c, page, bits);
}

/* An IPA, to itself or anywhere. What is there already is left alone. */
static void map_stage2(struct smmucase *c, const struct case_space *space, uint64_t ipa,
		       bool identity)
{
	uint64_t table = space->base, word, output;
	unsigned int top = space->input_bits;
	int level = identity ? 2 : some_level(c, space), l;

	if (ipa & ~low_bits(space->input_bits))
		return;
	for (l = space->start; l <= 3; l++) {
		unsigned int shift = shift_of(space, l);

		word = box_get(&c->box, table + ((ipa & low_bits(top)) >> shift) * 8);
		word = in_order(space, word);
		top = shift;
		if (!(word & 1))
			break;
		if (l == 3 || !(word & 2))
			return;
		table = pointee(c, space, word);
	}
	if (level < l || (identity && one_in(c, 4)))
		level = 3;
	output = identity ? ipa : some_output(c, space->output_bits);
	output &= ~low_bits(shift_of(space, level));
	word = case_output(c, space, output) | leaf_type(level);
	word |= identity && !one_in(c, 4) ? WEIR_VMSA_AF | WEIR_VMSA_S2AP | WEIR_GENMASK(5, 2) :
					    stage2_attributes(c, space->ds);
	case_map_at(c, space, NULL, ipa, level, word);
}

void case_map(struct smmucase *c, struct case_stream *s, unsigned int cd)
{
	bool upper = take(c->in, 1) & 1;
	struct case_space *space = &s->stage1[cd][upper];
	const struct case_space *via = s->has_stage2 ? &s->stage2 : NULL;
	uint64_t va, output;
	int level;

	space = space->base ? space : &s->stage1[cd][!upper];
	if (!(s->config & 1))
		space = &s->stage2;
	if (!space->base)
		return;
	va = take(c->in, 4) << 12 & low_bits(space->input_bits);
	va |= take(c->in, 1) << (space->input_bits - 8);
	va &= low_bits(space->input_bits);
	if (space->stage2) {
		map_stage2(c, space, va, false);
	} else {
		level = some_level(c, space);
		output = some_output(c, space->output_bits) & ~low_bits(shift_of(space, level));
		if (via)
			map_stage2(c, via, output, false);
		case_map_at(c, space, via, va, level,
			    case_output(c, space, output) | leaf_type(level) |
				    stage1_attributes(c, space->ds));
		va |= space->upper ? ~low_bits(space->input_bits) : 0;
	}
	s->pages[cd][s->nr_pages[cd]++ % CASE_PAGES] = va;
}

/* ---- Stage 2's configuration ---------------------------------------------------------- */

static unsigned int some_granule(struct smmucase *c)
{
	unsigned int choice = take_below(c->in, 32), granules = c->box.config.idr[5] >> 4 & 7;

	for (unsigned int i = 0; i < 3; i++)
		if (choice < 31 && granules >> (choice + i) % 3 & 1)
			return 12 + 2 * ((choice + i) % 3);
	return 12 + 2 * (choice % 3);
}

static unsigned int tg_of(unsigned int granule, bool second)
{
	static const uint8_t tg0[] = { 0, 2, 1 }, tg1[] = { 2, 1, 3 };

	return second ? tg1[granule / 2 - 6] : tg0[granule / 2 - 6];
}

/* Start levels that fit the size of the input: one of those. */
static int some_start(struct smmucase *c, const struct case_space *space)
{
	unsigned int stride = space->granule - 3, choice = take_below(c->in, 5);

	for (unsigned int i = 0; i < 5; i++) {
		int start = 3 - (int)((choice + i) % 5);
		unsigned int least = (unsigned int)(3 - start) * stride + space->granule + 1;

		if (space->input_bits >= least && space->input_bits <= least + stride + 3)
			return start;
	}
	return 3 - (int)choice;
}

static uint64_t sl_of(const struct case_space *space)
{
	static const uint8_t sl4k[] = { 4, 2, 1, 0, 3 };

	if (space->granule == 12)
		return sl4k[space->start + 1];
	return 3 - (uint64_t)space->start;
}

/* Bytes of the first table or tables: its alignment. */
static uint64_t first_size(const struct case_space *space)
{
	return (uint64_t)8 << (space->input_bits - shift_of(space, space->start));
}

static uint64_t first_table(struct smmucase *c, const struct case_space *space, bool behind)
{
	uint64_t size = first_size(space), table;
	unsigned int log2 = 12;

	while (size > (uint64_t)1 << log2 && log2 < 18)
		log2++;
	if (c->cached && size > (uint64_t)1 << log2)
		return 0;
	table = some_half(c, new_table(c, log2), behind ? 0 : space->output_bits);
	return table & ~(size - 1);
}

static unsigned int bits_of(const struct smmucase *c, unsigned int ps)
{
	unsigned int bits = box_size_bits(ps);

	return bits < c->box.oas ? bits : c->box.oas;
}

static unsigned int some_ps(struct smmucase *c)
{
	return one_in(c, 4) ? take_below(c->in, 8) : c->box.config.idr[5] & 7;
}

static bool endian_of(struct smmucase *c)
{
	unsigned int model = c->box.config.idr[0] >> 21 & 3;

	return model == 3 || (model == 0 && take(c->in, 1) & 1);
}

/* TxSZ, mostly no more than `likely`. */
static unsigned int some_tsz(struct smmucase *c, unsigned int min, unsigned int likely)
{
	unsigned int max = c->box.config.idr[3] & WEIR_SMMU_IDR3_STT ? 47 : 39;

	if (one_in(c, 64))
		return take_below(c->in, 64);
	if (max > likely && !one_in(c, 8))
		max = likely;
	return min + take_below(c->in, max - min + 1);
}

static bool stalls(struct smmucase *c)
{
	unsigned int model = c->box.config.idr[0] >> 24 & 3;

	return model == 2 || (model == 0 && one_in(c, 4));
}

/* HA and HD, as far as they are implemented. */
static unsigned int some_httu(struct smmucase *c)
{
	unsigned int httu = c->box.config.idr[0] >> 6 & 3, choice = take_below(c->in, 4);

	return httu == 2 ? choice & 2 ? 3 : choice : httu == 1 ? choice & 1 : 0;
}

static void build_stage2(struct smmucase *c, struct case_stream *s, uint64_t *ste)
{
	struct case_space *space = &s->stage2;
	unsigned int ps = some_ps(c), httu = some_httu(c), tsz, flags = take_below(c->in, 256);
	bool ds = c->box.config.idr[5] & WEIR_SMMU_IDR5_DS && flags & 1;

	space->stage2 = true;
	space->granule = some_granule(c);
	space->ds = ds && space->granule != 16;
	tsz = space->ds || space->granule == 16 ? 12 : 16;
	tsz = some_tsz(c, 64 - c->box.oas > tsz ? 64 - c->box.oas : tsz, 33);
	space->input_bits = 64 - (tsz > 47 ? 47 : tsz);
	space->output_bits = bits_of(c, ps);
	space->big_endian = endian_of(c);
	space->start = some_start(c, space);
	space->base = first_table(c, space, false);
	ste[2] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, 1 + s->sid % 64) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, tsz) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, sl_of(space)) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SH0, flags >> 6) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2TG, tg_of(space->granule, false)) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, ps) | WEIR_SMMU_STE_2_S2AA64 |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2ENDI, space->big_endian) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2AFFD, flags >> 2) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PTW, flags >> 3) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2HD, httu >> 1) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2HA, httu) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2S, stalls(c)) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2R, flags >> 4 & 3 ? 1 : 0);
	ste[3] = space->base | WEIR_SMMU_FIELD(WEIR_SMMU_STE_3_S2DS, ds) |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_3_S2SL0_2, sl_of(space) >> 2);
	s->has_stage2 = true;
}

/* ---- Stage 1's ------------------------------------------------------------------------ */

static void build_half(struct smmucase *c, struct case_stream *s, unsigned int cd, bool upper,
		       bool ds, uint64_t *words)
{
	struct case_space *space = &s->stage1[cd][upper];
	bool vax = c->box.config.idr[5] >> 10 & 3;
	unsigned int tsz, stride;

	space->upper = upper;
	space->granule = some_granule(c);
	space->ds = ds && space->granule != 16;
	tsz = some_tsz(c, vax && (space->ds || space->granule == 16) ? 12 : 16, 64);
	space->input_bits = 64 - (tsz > 47 ? 47 : tsz);
	space->output_bits = bits_of(c, words[0] >> 32 & 7);
	space->big_endian = words[0] >> 15 & 1;
	stride = space->granule - 3;
	space->start = 3 - (int)((space->input_bits - 1 - space->granule) / stride);
	space->base = first_table(c, space, s->has_stage2);
	if (s->has_stage2)
		map_stage2(c, &s->stage2, space->base, true);
	words[0] |=
		upper ? WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, tsz) |
				WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG1, tg_of(space->granule, true)) :
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, tsz) |
				WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, tg_of(space->granule, false));
	words[1 + upper] |= space->base;
}

static void build_cd(struct smmucase *c, struct case_stream *s, unsigned int cd, uint64_t addr)
{
	static const uint64_t mair = 0x1f04c8bb44a5ff0cull;
	unsigned int flags = (unsigned int)take(c->in, 4), httu = some_httu(c);
	bool ds = c->box.config.idr[5] & WEIR_SMMU_IDR5_DS && flags & 1;
	bool term = c->box.config.idr[0] & WEIR_SMMU_IDR0_TERM_MODEL;
	uint64_t words[4] = { 0 };

	words[0] = WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, some_ps(c)) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ENDI, endian_of(c)) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH0, flags >> 1) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_SH1, flags >> 3) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_EPD0, (flags >> 5 & 7) == 7) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_EPD1, (flags >> 8 & 3) == 3) |
		   (flags & 0x1fc00ull) << 25 | /* AFFD to PAN */
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_HD, httu >> 1) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_HA, httu) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_S, stalls(c)) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_R, flags >> 17 & 3 ? 1 : 0) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_A, term || flags >> 19 & 1) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, 1 + s->sid % 64 * 2 + cd);
	words[1] = (flags >> 20 & 2) | ((flags >> 22 & 7) == 7 ? WEIR_SMMU_CD_1_E0PD0 : 0);
	words[2] = (flags >> 25 & 2) | ((flags >> 27 & 7) == 7 ? WEIR_SMMU_CD_2_E0PD1 : 0) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_CD_2_DS, ds);
	words[3] = flags & 1u << 31 ? take(c->in, 8) : mair;
	build_half(c, s, cd, false, ds, words);
	build_half(c, s, cd, true, ds, words);
	for (unsigned int i = 0; i < 4; i++)
		put(c, addr + 8 * i, words[i], PUT_CONFIG);
}

/* Where the CDs of a stream are: 4 for each; in two levels the second is at an 8 KiB of its own. */
static void build_cds(struct smmucase *c, struct case_stream *s, uint64_t *ste, bool single)
{
	unsigned int ssids =
		(unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR1_SSIDSIZE, c->box.config.idr[1]);
	unsigned int choice = take_below(c->in, 64), fmt = choice >> 2 & 3;
	unsigned int max = single ? 0 : choice & 3 ? ssids < 2 ? ssids : 2 : 0;
	uint64_t cds = CDS + (s->sid % 4) * 0x1000, ptr = cds;

	if (!(c->box.config.idr[0] & WEIR_SMMU_IDR0_CD2L) || !max)
		fmt = 0;
	if (fmt == 1) /* 64 KiB tables have 16 bits of alignment: the pool's */
		ptr = cds + 0x800;
	if (fmt == 2)
		ptr = cds;
	ste[0] |= some_half(c, ptr, s->has_stage2 ? 0 : c->box.oas) |
		  WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1FMT, fmt) |
		  WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, max);
	ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, choice >> 4);
	s->cds = max ? CASE_CDS : 1;
	if (s->has_stage2)
		map_stage2(c, &s->stage2, ptr, true);
	if (fmt == 1)
		put(c, ptr, cds | WEIR_SMMU_L1CD_V, PUT_CONFIG);
	if (fmt == 2) {
		cds = new_table(c, 16);
		cds = cds ? cds : CDS;
		put(c, ptr, cds | WEIR_SMMU_L1CD_V, PUT_CONFIG);
		if (s->has_stage2)
			map_stage2(c, &s->stage2, cds, true);
	}
	for (unsigned int i = 0; i < s->cds; i++)
		build_cd(c, s, i, cds + i * WEIR_SMMU_CD_SIZE);
}

/* ---- Streams -------------------------------------------------------------------------- */

static unsigned int some_config(struct smmucase *c)
{
	static const uint8_t configs[] = { 5, 5, 5, 6, 6, 7, 7, 7, 7, 7, 4, 4, 0, 5, 6, 1 };
	unsigned int config = configs[take_below(c->in, 16)];
	uint32_t idr0 = c->box.config.idr[0];

	if (!(idr0 & WEIR_SMMU_IDR0_S1P) && config > 4 && config & 1)
		config = 6;
	if (!(idr0 & WEIR_SMMU_IDR0_S2P) && config > 5)
		config = 5;
	return config;
}

/* EL1, or EL2; with caches only the first stream has an EL2 without ASIDs. */
static unsigned int some_world(struct smmucase *c, const struct case_stream *s)
{
	bool hyp = c->box.config.idr[0] & WEIR_SMMU_IDR0_HYP;

	if (!hyp || s->config != 5 || !one_in(c, 3))
		return 0;
	return c->cached && s != c->streams && !(c->box.regs.cr2 & 1) ? 0 : 2;
}

static unsigned int some_eats(struct smmucase *c, const struct case_stream *s, const uint64_t *ste)
{
	uint32_t idr0 = c->box.config.idr[0];
	unsigned int eats = take_below(c->in, 4);

	if (!(idr0 & WEIR_SMMU_IDR0_ATS))
		return 0;
	if (s->has_stage2 && ste[2] & WEIR_SMMU_STE_2_S2S)
		return 0;
	if (eats == 2 && (s->config != 7 || idr0 & WEIR_SMMU_IDR0_NS1ATS))
		return 1;
	return eats;
}

static void build_stream(struct smmucase *c, struct case_stream *s)
{
	uint64_t ste[4] = { 0 }, attributes = take(c->in, 3);
	unsigned int world;

	s->config = some_config(c);
	world = some_world(c, s);
	ste[0] = WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, s->config);
	ste[1] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, world) |
		 (attributes & 0x1ff) << 32 | /* MEMATTR, MTCFG, ALLOCCFG */
		 (attributes >> 9 & 3) << 44 | (attributes >> 12 & 15) << 48 |
		 WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S2FWB, attributes >> 16);
	ste[2] = WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2VMID, 1 + s->sid % 64);
	if (s->config >= 6)
		build_stage2(c, s, ste);
	ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, some_eats(c, s, ste));
	if (s->config >= 4 && s->config & 1)
		build_cds(c, s, ste, c->cached && world && !(c->box.regs.cr2 & 1));
	for (unsigned int i = 0; i < 4; i++)
		put(c, BOX_STRTAB + s->sid * WEIR_SMMU_STE_SIZE + 8 * i, ste[i], PUT_CONFIG);
	for (unsigned int n = 1 + take_below(c->in, 4); n; n--)
		case_map(c, s, take_below(c->in, s->cds ? s->cds : 1));
}

static void build_stream_table(struct smmucase *c)
{
	unsigned int choice = take_below(c->in, 256), split = 6 + 2 * (choice >> 1 & 1);
	struct oracle_regs *regs = &c->box.regs;

	regs->strtab_base = some_half(c, BOX_STRTAB, c->box.oas);
	regs->strtab_base_cfg = 6;
	if (choice & 1 && c->box.config.idr[1] & 16) {
		regs->strtab_base = some_half(c, BOX_STRTAB_L1, c->box.oas);
		regs->strtab_base_cfg =
			(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_FMT, 1) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, split) |
				   (split + 3));
		put(c, BOX_STRTAB_L1, BOX_STRTAB | (choice >> 2 & 1 ? 7 : 3), PUT_CONFIG);
		put(c, BOX_STRTAB_L1 + 8, BOX_STRTAB | 4, PUT_CONFIG);
	}
	if (!(choice >> 4))
		regs->strtab_base_cfg ^= (uint32_t)take(c->in, 1);
}

void case_build(struct smmucase *c)
{
	struct oracle_regs *regs = &c->box.regs;
	unsigned int choice = take_below(c->in, 256);

	c->next_table = POOL;
	regs->cr2 = (choice & 1 && c->box.config.idr[0] & WEIR_SMMU_IDR0_HYP) |
		    (choice & 6 ? 2 : 0) |
		    (choice & 8 && c->box.config.idr[0] & WEIR_SMMU_IDR0_ATSRECERR ? 8 : 0);
	build_stream_table(c);
	c->nr_streams = 1 + (choice >> 4) % CASE_STREAMS;
	for (unsigned int i = 0; i < c->nr_streams; i++) {
		c->streams[i].sid = i;
		build_stream(c, &c->streams[i]);
	}
}

/* ---- What goes wrong ------------------------------------------------------------------ */

/* Bits of descriptors that may change when caches are on: no tags, hints, addresses, types. */
#define HARMLESS                                                                                   \
	(WEIR_BIT(0) | WEIR_GENMASK(10, 2) | WEIR_VMSA_DBM | WEIR_VMSA_PXN | WEIR_VMSA_UXN |       \
	 WEIR_GENMASK(63, 59))

static uint64_t some_wrong(struct smmucase *c, uint64_t addr, uint64_t word)
{
	switch (take_below(c->in, 8)) {
	case 0:
		return 0;
	case 1: /* itself */
		return addr | (word & 0xfff);
	case 2:
		return BOX_STRTAB | (word & 0xfff);
	case 3: /* nothing there */
		return (word & 0xfff) | take(c->in, 5) << 12;
	case 4:
		return box_get(&c->box, c->puts[take_below(c->in, CASE_PUTS)]);
	case 5:
		return take(c->in, 8);
	default:
		return word ^ (uint64_t)1 << take_below(c->in, 64);
	}
}

void case_mutate(struct smmucase *c)
{
	unsigned int n = c->nr_puts < CASE_PUTS ? c->nr_puts : CASE_PUTS;
	unsigned int i = take_below(c->in, 256) % n, kind = c->put_kinds[i];
	uint64_t addr = c->puts[i], word = box_get(&c->box, addr);

	if (!c->cached) {
		box_put(&c->box, addr, some_wrong(c, addr, word));
		return;
	}
	if (kind != PUT_CONFIG)
		box_put(&c->box, addr, word ^ (HARMLESS & (uint64_t)1 << take_below(c->in, 64)));
}
