/* SPDX-License-Identifier: MIT */
/*
 * Stream table entries and context descriptors: where they are, whether they are legal (chapter 5).
 */

#include "oracle-inside.h"

/* ---- What several fields mean --------------------------------------------------------- */

/* TG0 and S2TG, or TG1 (5.4). */
unsigned int oracle_granule(bool second, unsigned int tg)
{
	static const unsigned char tg0[] = { 12, 16, 14, 0 }, tg1[] = { 0, 14, 12, 16 };

	return second ? tg1[tg] : tg0[tg];
}

static bool oracle_granule_supported(const struct oracle *o, unsigned int granule)
{
	if (granule == 12)
		return oracle_idr(o, 5, 4);
	if (granule == 14)
		return oracle_idr(o, 5, 5);
	return granule == 16 && oracle_idr(o, 5, 6);
}

/* CD.IPS, STE.S2PS: capped to the OAS; what is reserved depends on the version. */
unsigned int oracle_output_bits(const struct oracle *o, unsigned int ps)
{
	static const unsigned char bits[] = { 32, 36, 40, 42, 44, 48, 52, 56 };
	unsigned int n;

	if (o->minor == 0 && ps > 5)
		ps = 5;
	if (o->minor < 4 && ps > 6)
		ps = 6;
	n = bits[ps];
	return n < o->oas ? n : o->oas;
}

static bool load_structure(struct oracle *o, uint64_t addr, uint64_t *words)
{
	for (unsigned int i = 0; i < 8; i++)
		if (!oracle_load(o, addr + 8 * i, &words[i]))
			return false;
	return true;
}

/* ---- Stream table (3.3.1, 5.1, 6.3.24, 6.3.25) ---------------------------------------- */

static bool bad_stream(const struct oracle *o, struct oracle_fault *fault)
{
	bool records = o->regs->cr2 >> 1 & 1; /* RECINVSID */

	/* 3.9.1.3: for Translated transactions RECINVSID does not matter. */
	if (o->txn->flags & WEIR_MODEL_TXN_TRANSLATED)
		records = true;
	return oracle_fails(fault, records ? C_BAD_STREAMID : 0);
}

/* A physical address that software gave, and that may be beyond the OAS (3.4.3, note 5). */
static bool ste_address(struct oracle *o, uint64_t *addr, struct oracle_fault *fault)
{
	if (*addr >> o->oas && oracle_chooses(o, ORACLE_STE_FETCH_FAULTS)) {
		fault->fetch = *addr;
		return oracle_fails(fault, F_STE_FETCH);
	}
	*addr &= oracle_low(o->oas);
	return true;
}

static bool find_level2(struct oracle *o, uint64_t base, unsigned int split, uint64_t *ste,
			struct oracle_fault *fault)
{
	uint64_t sid = o->txn->stream, addr = base + (sid >> split) * 8, l1std, span;

	if (!ste_address(o, &addr, fault))
		return false;
	if (!oracle_load(o, addr, &l1std)) {
		fault->fetch = addr;
		return oracle_fails(fault, F_STE_FETCH);
	}
	span = l1std & 31;
	if (span == 0 || span > 11 || span > split + 1)
		return bad_stream(o, fault);
	if ((sid & oracle_low(split)) >= (uint64_t)1 << (span - 1))
		return bad_stream(o, fault);
	/* L2Ptr is bits 55:6; bits 5 + (Span - 1):0 are treated as 0. */
	*ste = (l1std & oracle_low(56) & ~oracle_low(5 + (unsigned int)span)) +
	       (sid & oracle_low(split)) * 64;
	return true;
}

static bool find_ste_address(struct oracle *o, uint64_t *addr, struct oracle_fault *fault)
{
	uint32_t cfg = o->regs->strtab_base_cfg;
	unsigned int log2size = cfg & 63, split = cfg >> 6 & 31, sidsize = o->regs->idr[1] & 63;
	bool two_level = (cfg >> 16 & 3) == 1 && (o->regs->idr[0] >> 27 & 3) == 1;
	unsigned int bits = log2size < sidsize ? log2size : sidsize, aligned;
	uint64_t base = o->regs->strtab_base & oracle_low(56) & ~oracle_low(6);

	if (split != 8 && split != 10)
		split = 6;
	if ((uint64_t)o->txn->stream >> bits)
		return bad_stream(o, fault);
	if (!two_level) {
		*addr = (base & ~oracle_low(log2size + 6)) + (uint64_t)o->txn->stream * 64;
		return ste_address(o, addr, fault);
	}
	/* ADDR[MAX(5, LOG2SIZE - SPLIT - 1 + 3):0] = 0. */
	aligned = log2size + 3 > split + 6 ? log2size + 3 - split : 6;
	return find_level2(o, base & ~oracle_low(aligned), split, addr, fault) &&
	       ste_address(o, addr, fault);
}

/* ---- STE (5.2) ------------------------------------------------------------------------ */

static void decode_ste_stage2(const struct oracle *o, const uint64_t *w, struct oracle_ste *s)
{
	s->s2fwb = oracle_field(w, 89, 89) && oracle_idr(o, 3, 8);
	s->s2vmid = (unsigned int)oracle_field(w, 143, 128);
	s->s2t0sz = (unsigned int)oracle_field(w, 165, 160);
	s->s2sl0 = (unsigned int)oracle_field(w, 167, 166);
	s->s2sh0 = (unsigned int)oracle_field(w, 173, 172);
	s->s2tg = (unsigned int)oracle_field(w, 175, 174);
	s->s2ps = (unsigned int)oracle_field(w, 178, 176);
	s->s2aa64 = oracle_field(w, 179, 179);
	s->s2endi = oracle_field(w, 180, 180);
	s->s2affd = oracle_field(w, 181, 181);
	s->s2ptw = oracle_field(w, 182, 182);
	s->s2hd = oracle_field(w, 183, 183);
	s->s2ha = oracle_field(w, 184, 184);
	s->s2s = oracle_field(w, 185, 185);
	s->s2r = oracle_field(w, 186, 186);
	/* S2DS is RES0 with 64 KB; S2SL0_2 counts with S2DS and 4 KB alone. */
	s->s2ds = oracle_field(w, 195, 195) && oracle_idr(o, 5, 7) &&
		  oracle_granule(false, s->s2tg) != 16;
	if (s->s2ds && oracle_granule(false, s->s2tg) == 12)
		s->s2sl0 |= (unsigned int)oracle_field(w, 194, 194) << 2;
	s->s2ttb = w[3] & oracle_low(o->minor ? 52 : 48) & ~oracle_low(4);
}

static void decode_ste(const struct oracle *o, const uint64_t *w, struct oracle_ste *s)
{
	s->config = (unsigned int)oracle_field(w, 3, 1);
	s->s1fmt = (unsigned int)oracle_field(w, 5, 4);
	s->s1contextptr = w[0] & oracle_low(56) & ~oracle_low(6);
	s->s1cdmax = (unsigned int)oracle_field(w, 63, 59);
	s->s1dss = (unsigned int)oracle_field(w, 65, 64);
	s->s1stalld = oracle_field(w, 91, 91);
	s->eats = (unsigned int)oracle_field(w, 93, 92);
	s->strw = (unsigned int)oracle_field(w, 95, 94);
	s->memattr = (unsigned int)oracle_field(w, 99, 96);
	s->mtcfg = oracle_field(w, 100, 100);
	s->alloccfg = (unsigned int)oracle_field(w, 104, 101);
	s->shcfg = (unsigned int)oracle_field(w, 109, 108);
	s->privcfg = (unsigned int)oracle_field(w, 113, 112);
	s->instcfg = (unsigned int)oracle_field(w, 115, 114);
	decode_ste_stage2(o, w, s);
}

static bool stage1_of(const struct oracle_ste *s)
{
	return s->config == 5 || s->config == 7;
}

static bool stage2_of(const struct oracle_ste *s)
{
	return s->config == 6 || s->config == 7;
}

/* IgnoreSTESTRW() of 5.2.2, of a Non-secure STE. */
static bool ignores_strw(const struct oracle *o, const struct oracle_ste *s)
{
	bool s1p = oracle_idr(o, 0, 1), hyp = oracle_idr(o, 0, 9);

	return !s1p || !hyp || stage2_of(s) || s->config == 4;
}

/* VTCR_EL2.{SL2, SL0} (DDI 0487): the level at which a walk starts; 9: reserved. */
int oracle_s2_start(const struct oracle *o, const struct oracle_ste *s)
{
	unsigned int granule = oracle_granule(false, s->s2tg);
	bool stt = oracle_idr(o, 3, 9);

	if (granule == 12) {
		switch (s->s2sl0) {
		case 0:
			return 2;
		case 1:
			return 1;
		case 2:
			return o->oas < 44 ? 9 : 0;
		case 3:
			return stt ? 3 : 9;
		case 4:
			return o->oas < 52 ? 9 : -1;
		default:
			return 9;
		}
	}
	if (granule == 14) {
		switch (s->s2sl0) {
		case 0:
			return 3;
		case 1:
			return 2;
		case 2:
			return !s->s2ds && o->oas < 42 ? 9 : 1;
		default:
			return s->s2ds && o->oas >= 52 ? 0 : 9;
		}
	}
	switch (s->s2sl0) {
	case 0:
		return 3;
	case 1:
		return 2;
	case 2:
		return o->oas < 44 ? 9 : 1;
	default:
		return 9;
	}
}

/*
 * The start level must resolve the whole input, with at least one bit and at most 16 tables side by
 * side (DDI 0487: concatenated translation tables).
 */
static bool inconsistent_walk(const struct oracle *o, const struct oracle_ste *s)
{
	unsigned int granule = oracle_granule(false, s->s2tg), stride = granule - 3;
	int start = oracle_s2_start(o, s);
	unsigned int input = 64 - s->s2t0sz, smallest;

	if (start == 9)
		return true;
	smallest = (unsigned int)(3 - start) * stride + granule + 1;
	return input < smallest || input > smallest + (stride - 1) + 4;
}

/* STES2T0SZInvalid() */
static bool bad_s2t0sz(const struct oracle *o, const struct oracle_ste *s)
{
	unsigned int granule = oracle_granule(false, s->s2tg);
	bool stt = oracle_idr(o, 3, 9);
	unsigned int max = !stt ? 39 : granule == 16 ? 47 : 48;
	unsigned int min = granule == 16 || s->s2ds ? 12 : 16;

	if (o->minor == 0)
		min = 64 - o->ias;
	else if (64 - o->ias > min)
		min = 64 - o->ias;
	return s->s2t0sz < min || s->s2t0sz > max;
}

static bool illegal_stage2(struct oracle *o, const struct oracle_ste *s)
{
	unsigned int stall_model = o->regs->idr[0] >> 24 & 3, httu = o->regs->idr[0] >> 6 & 3;
	unsigned int endian = o->regs->idr[0] >> 21 & 3;
	unsigned int granule = oracle_granule(false, s->s2tg);
	unsigned int pa_bits = oracle_output_bits(o, s->s2ps);

	if (!oracle_idr(o, 0, 0))
		return true;
	if (s->s2s && stall_model == 1)
		return true;
	if (!s->s2s && stall_model == 2)
		return true;
	if (!s->s2aa64) /* VMSAv8-32 LPAE, which no implementation here has */
		return true;
	if ((s->s2ha || s->s2hd) && httu == 0)
		return true;
	if (s->s2hd && httu == 1)
		return true;
	if (!oracle_granule_supported(o, granule))
		return true;
	if (s->s2ttb >> pa_bits || (granule != 16 && !s->s2ds && s->s2ttb >> 48))
		return true;
	if (bad_s2t0sz(o, s)) {
		if (o->minor == 0)
			o->out->unsure = true;
		return true;
	}
	if (inconsistent_walk(o, s))
		return true;
	return (endian == 2 && s->s2endi) || (endian == 3 && !s->s2endi);
}

static bool illegal_stage1(struct oracle *o, const struct oracle_ste *s)
{
	unsigned int stall_model = o->regs->idr[0] >> 24 & 3;
	unsigned int ssidsize = o->regs->idr[1] >> 6 & 31;

	if (!oracle_idr(o, 0, 1))
		return true;
	if (s->s1stalld && stall_model != 0)
		return true;
	if (ssidsize && s->s1cdmax > ssidsize)
		return true;
	if (ssidsize && s->s1cdmax && !oracle_idr(o, 0, 19) && (s->s1fmt == 1 || s->s1fmt == 2))
		return true;
	if (s->s1contextptr >> o->oas) {
		if (!stage2_of(s) && o->minor == 0)
			o->out->unsure = true;
		return !stage2_of(s) || !oracle_chooses(o, ORACLE_CD_POINTER_FAULTS);
	}
	return false;
}

static bool illegal_ats(const struct oracle *o, const struct oracle_ste *s)
{
	if (!oracle_idr(o, 0, 10) || s->config == 4)
		return false;
	if (s->eats == 2)
		return s->config != 7 || s->s2s || oracle_idr(o, 0, 11);
	return s->eats == 1 && stage2_of(s) && s->s2s;
}

/* SteIllegal() of 5.2.2; V and Config 0b0xx are dealt with. */
static bool illegal_ste(struct oracle *o, const struct oracle_ste *s)
{
	bool strw_used = !ignores_strw(o, s);
	bool vmid_used = oracle_idr(o, 0, 0) && s->config != 4 && !(strw_used && s->strw != 0);

	if (stage1_of(s) && illegal_stage1(o, s))
		return true;
	if (stage2_of(s) && illegal_stage2(o, s))
		return true;
	if (illegal_ats(o, s))
		return true;
	if (strw_used && (s->strw & 1))
		return true;
	return vmid_used && !oracle_idr(o, 0, 18) && s->s2vmid >> 8;
}

static enum oracle_world world_of(const struct oracle *o, const struct oracle_ste *s)
{
	if (ignores_strw(o, s) || s->strw == 0)
		return WORLD_EL1;
	return o->regs->cr2 & 1 ? WORLD_EL2_E2H : WORLD_EL2;
}

bool oracle_find_ste(struct oracle *o, struct oracle_fault *fault)
{
	uint64_t addr = 0, words[8];

	if (!find_ste_address(o, &addr, fault))
		return false;
	if (!load_structure(o, addr, words)) {
		fault->fetch = addr;
		return oracle_fails(fault, F_STE_FETCH);
	}
	if (!oracle_field(words, 0, 0))
		return oracle_fails(fault, C_BAD_STE);
	decode_ste(o, words, &o->ste);
	if (o->ste.config < 4)
		return true;
	if (illegal_ste(o, &o->ste))
		return oracle_fails(fault, C_BAD_STE);
	o->ste.world = world_of(o, &o->ste);
	return true;
}

/* ---- CD (5.3, 5.4) -------------------------------------------------------------------- */

static void decode_cd(const struct oracle *o, const uint64_t *w, struct oracle_cd *c)
{
	c->tsz[0] = (unsigned int)oracle_field(w, 5, 0);
	c->tg[0] = (unsigned int)oracle_field(w, 7, 6);
	c->sh[0] = (unsigned int)oracle_field(w, 13, 12);
	c->epd[0] = oracle_field(w, 14, 14);
	c->endi = oracle_field(w, 15, 15);
	c->tsz[1] = (unsigned int)oracle_field(w, 21, 16);
	c->tg[1] = (unsigned int)oracle_field(w, 23, 22);
	c->sh[1] = (unsigned int)oracle_field(w, 29, 28);
	c->epd[1] = oracle_field(w, 30, 30);
	c->v = oracle_field(w, 31, 31);
	c->ips = (unsigned int)oracle_field(w, 34, 32);
	c->affd = oracle_field(w, 35, 35);
	c->wxn = oracle_field(w, 36, 36);
	c->tbi[0] = oracle_field(w, 38, 38);
	c->tbi[1] = oracle_field(w, 39, 39);
	c->pan = oracle_field(w, 40, 40);
	c->aa64 = oracle_field(w, 41, 41);
	c->hd = oracle_field(w, 42, 42);
	c->ha = oracle_field(w, 43, 43);
	c->s = oracle_field(w, 44, 44);
	c->r = oracle_field(w, 45, 45);
	c->a = oracle_field(w, 46, 46);
	c->asid = (unsigned int)oracle_field(w, 63, 48);
	c->had[0] = oracle_field(w, 65, 65) && oracle_idr(o, 3, 2);
	c->had[1] = oracle_field(w, 129, 129) && oracle_idr(o, 3, 2);
	c->e0pd[0] = oracle_field(w, 66, 66) && oracle_idr(o, 3, 13);
	c->e0pd[1] = oracle_field(w, 130, 130) && oracle_idr(o, 3, 13);
	c->ttb[0] = w[1] & oracle_low(o->minor ? 52 : 48) & ~oracle_low(4);
	c->ttb[1] = w[2] & oracle_low(o->minor ? 52 : 48) & ~oracle_low(4);
	c->ds = oracle_field(w, 186, 186) && oracle_idr(o, 5, 7);
	c->mair = w[3];
	/* 5.4.1: EL2 has one table; EPD0 is ignored there. */
	if (o->ste.world == WORLD_EL2) {
		c->epd[0] = false;
		c->epd[1] = true;
	}
}

static bool bad_half(struct oracle *o, const struct oracle_cd *c, unsigned int half)
{
	unsigned int granule = oracle_granule(half, c->tg[half]);
	bool wide = granule == 16 || c->ds, stt = oracle_idr(o, 3, 9);
	unsigned int vax = o->regs->idr[5] >> 10 & 3;
	unsigned int max = !stt ? 39 : granule == 16 ? 47 : 48, min = vax && wide ? 12 : 16;
	unsigned int bits = oracle_output_bits(o, c->ips);

	if (c->epd[half])
		return false;
	if (!oracle_granule_supported(o, granule))
		return true;
	if (c->tsz[half] < min || c->tsz[half] > max) {
		if (o->minor == 0)
			o->out->unsure = true;
		return true;
	}
	return c->ttb[half] >> bits || (!wide && c->ttb[half] >> 48);
}

/* CdIllegal() of 5.4.2 */
static bool illegal_cd(struct oracle *o, const struct oracle_cd *c)
{
	unsigned int stall_model = o->regs->idr[0] >> 24 & 3, httu = o->regs->idr[0] >> 6 & 3;
	unsigned int endian = o->regs->idr[0] >> 21 & 3;

	if (!c->v)
		return true;
	if (o->ste.s1stalld && c->s)
		return true;
	if (oracle_idr(o, 0, 26) && !c->a)
		return true;
	if ((stall_model == 1 && c->s) || (stall_model == 2 && !c->s))
		return true;
	if (!(c->epd[0] && c->epd[1]) && ((endian == 2 && c->endi) || (endian == 3 && !c->endi)))
		return true;
	if (!c->aa64)
		return true;
	if ((c->ha || c->hd) && httu == 0)
		return true;
	if (c->hd && httu == 1)
		return true;
	if (o->ste.world != WORLD_EL2 && !oracle_idr(o, 0, 12) && c->asid >> 8)
		return true;
	return bad_half(o, c, 0) || bad_half(o, c, 1);
}

/* Reads a CD or an L1CD of `n` words: an IPA if stage 2 translates (3.3.2). */
static bool fetch(struct oracle *o, uint64_t addr, unsigned int n, uint64_t *words,
		  struct oracle_fault *fault)
{
	uint64_t pa = addr;

	if (stage2_of(&o->ste) && !oracle_stage2(o, addr, FOR_CD, &pa, fault))
		return false;
	for (unsigned int i = 0; i < n; i++) {
		if (!oracle_load(o, pa + 8 * i, &words[i])) {
			fault->fetch = pa;
			return oracle_fails(fault, F_CD_FETCH);
		}
	}
	return true;
}

/* S1Fmt: bits that the second level's index has; 0: there is one level. */
static unsigned int level2_bits(const struct oracle_ste *s)
{
	return s->s1fmt == 1 ? 6 : s->s1fmt == 2 ? 10 : 0;
}

/* Bits of S1ContextPtr that are RES0 because the table is aligned to its size (5.2 S1Fmt). */
static unsigned int aligned_bits(const struct oracle_ste *s)
{
	unsigned int bits = s->s1cdmax + 6;

	if (level2_bits(s))
		bits = s->s1cdmax > level2_bits(s) + 3 ? s->s1cdmax - level2_bits(s) + 3 : 6;
	return bits;
}

static bool find_cd_address(struct oracle *o, uint32_t index, uint64_t *addr,
			    struct oracle_fault *fault)
{
	const struct oracle_ste *s = &o->ste;
	unsigned int split = level2_bits(s), ssidsize = o->regs->idr[1] >> 6 & 31;
	uint64_t base = s->s1contextptr, l1cd, l2ptr;

	*addr = base;
	if (!ssidsize || !s->s1cdmax)
		return true;
	if (base & oracle_low(aligned_bits(s)))
		o->out->unsure = true;
	*addr = base + (uint64_t)index * 64;
	if (!split)
		return true;
	if (!fetch(o, base + (uint64_t)(index >> split) * 8, 1, &l1cd, fault))
		return false;
	if (!(l1cd & 1))
		return oracle_fails(fault, C_BAD_SUBSTREAMID);
	l2ptr = l1cd & oracle_low(56) & ~oracle_low(12);
	if (split == 10 && l2ptr & oracle_low(16))
		o->out->unsure = true;
	if (l2ptr >> o->oas) {
		if (!stage2_of(s) && o->minor == 0)
			o->out->unsure = true;
		if (!stage2_of(s) || !oracle_chooses(o, ORACLE_L2PTR_FAULTS))
			return oracle_fails(fault, C_BAD_SUBSTREAMID);
	}
	*addr = l2ptr + (index & oracle_low(split)) * 64;
	return true;
}

bool oracle_find_cd(struct oracle *o, uint32_t index, struct oracle_fault *fault)
{
	uint64_t addr, words[8];

	if (!find_cd_address(o, index, &addr, fault) || !fetch(o, addr, 8, words, fault))
		return false;
	decode_cd(o, words, &o->cd);
	if (illegal_cd(o, &o->cd))
		return oracle_fails(fault, C_BAD_CD);
	o->has_cd = true;
	return true;
}
