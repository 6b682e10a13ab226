/* SPDX-License-Identifier: MIT */
/*
 * Translation tables: VMSAv8-64 (DDI 0487 D8), stage 1 and stage 2, with hardware updates (3.13).
 */

#include "oracle-inside.h"

#define AF ((uint64_t)1 << 10)
#define AP2 ((uint64_t)1 << 7)	 /* stage 1: read-only */
#define S2AP1 ((uint64_t)1 << 7) /* stage 2: writable */
#define DBM ((uint64_t)1 << 51)
#define CONTIGUOUS ((uint64_t)1 << 52)
#define ANY_SIZE 64

/* ---- Tables of either stage ----------------------------------------------------------- */

/* Bits of an address that a descriptor holds, from `low` up. */
static uint64_t output_of(const struct oracle *o, const struct oracle_table *t, uint64_t descriptor,
			  unsigned int low)
{
	uint64_t addr;

	if (t->ds)
		return (descriptor & oracle_low(50) & ~oracle_low(low)) | (descriptor >> 8 & 3)
										  << 50;
	addr = descriptor & oracle_low(48) & ~oracle_low(low);
	if (t->granule == 16 && o->oas >= 52)
		addr |= (descriptor >> 12 & 15) << 48;
	return addr;
}

static bool has_blocks(const struct oracle *o, const struct oracle_table *t, int level)
{
	switch (t->granule) {
	case 12:
		return level == 1 || level == 2 || (level == 0 && t->ds);
	case 14:
		return level == 2 || (level == 1 && t->ds);
	default:
		return level == 2 || (level == 1 && o->oas >= 52);
	}
}

/* Reads a descriptor at a physical address. */
static bool fetch(struct oracle *o, const struct oracle_table *t, uint64_t addr,
		  uint64_t *descriptor, struct oracle_fault *fault)
{
	if (!oracle_load_descriptor(o, addr, t->stage2, descriptor)) {
		fault->fetch = addr;
		return oracle_fails(fault, F_WALK_EABT);
	}
	if (t->big_endian)
		*descriptor = __builtin_bswap64(*descriptor);
	return true;
}

/* The tables of stage 1 are at IPAs if stage 2 translates. */
static bool table_address(struct oracle *o, const struct oracle_table *t, uint64_t ipa,
			  uint64_t *pa, struct oracle_fault *fault)
{
	*pa = ipa;
	if (t->stage2)
		return true;
	if ((o->ste.config & 2) && !oracle_stage2(o, ipa, FOR_TABLE_READ, pa, fault))
		return false;
	fault->stage2 = false;
	fault->class = CLASS_TT; /* 7.3.12: of F_WALK_EABT alone */
	return true;
}

static void limits_of(const struct oracle_table *t, uint64_t descriptor, struct oracle_leaf *leaf)
{
	if (t->stage2 || t->had)
		return;
	leaf->pxn |= descriptor >> 59 & 1;
	leaf->uxn |= descriptor >> 60 & 1;
	leaf->no_unpriv |= descriptor >> 61 & 1;
	leaf->read_only |= descriptor >> 62 & 1;
}

/* What is wrong with a stage 1 input, or with a fault that is no abort of a fetch. */
static bool fails(const struct oracle_table *t, struct oracle_fault *fault, unsigned int type)
{
	if (!t->stage2) {
		fault->stage2 = false;
		fault->class = CLASS_IN;
	}
	return oracle_fails(fault, type);
}

/* 7.3.22: the order of what goes wrong at each level. */
static bool walk(struct oracle *o, const struct oracle_table *t, uint64_t va,
		 struct oracle_leaf *leaf, struct oracle_fault *fault)
{
	uint64_t table = t->base, descriptor;
	unsigned int top = t->input_bits;

	for (int level = t->start;; level++) {
		unsigned int low = t->granule + (unsigned int)(3 - level) * (t->granule - 3);
		uint64_t index = (va & oracle_low(top)) >> low;
		bool final;

		top = low;
		leaf->ipa = table + index * 8;
		if (!table_address(o, t, leaf->ipa, &leaf->addr, fault) ||
		    !fetch(o, t, leaf->addr, &descriptor, fault))
			return false;
		if (!(descriptor & 1))
			return fails(t, fault, F_TRANSLATION);
		final = level == 3 || !(descriptor & 2);
		if (level == 3 && !(descriptor & 2))
			return fails(t, fault, F_TRANSLATION);
		if (final && level < 3 && !has_blocks(o, t, level))
			return fails(t, fault, F_TRANSLATION);
		table = output_of(o, t, descriptor, final ? low : t->granule);
		leaf->output = final ? table | (va & oracle_low(low)) : table;
		if (leaf->output >> t->output_bits)
			return fails(t, fault, F_ADDR_SIZE);
		leaf->descriptor = descriptor;
		leaf->size = low;
		if (final)
			return true;
		limits_of(t, descriptor, leaf);
	}
}

/* Hardware changes a final descriptor: which bits flip, for certain or perhaps. */
static void update(struct oracle *o, const struct oracle_table *t, const struct oracle_leaf *leaf,
		   uint64_t must, uint64_t may)
{
	if (t->big_endian) {
		must = __builtin_bswap64(must);
		may = __builtin_bswap64(may);
	}
	if (must | may)
		oracle_updates(o, leaf->addr, t->stage2, must, may);
}

/* May this transaction do what it wants to? */
static bool allows(const struct oracle *o, const struct oracle_rights *rights,
		   struct oracle_fault *fault)
{
	fault->read_refused = false;
	if (o->write && !rights->w)
		return false;
	if (o->read && !o->inst && !rights->r) {
		fault->read_refused = o->write;
		return false;
	}
	return !o->inst || rights->x;
}

/* ---- Stage 2 -------------------------------------------------------------------------- */

static void stage2_table(const struct oracle *o, struct oracle_table *t)
{
	const struct oracle_ste *s = &o->ste;
	unsigned int size;

	*t = (struct oracle_table){ .stage2 = true, .ds = s->s2ds, .big_endian = s->s2endi };
	t->granule = oracle_granule(false, s->s2tg);
	t->input_bits = 64 - s->s2t0sz;
	t->output_bits = oracle_output_bits(o, s->s2ps);
	t->start = oracle_s2_start(o, s);
	/* The base is aligned to the size of the initial table or tables. */
	size = t->input_bits - (unsigned int)(3 - t->start) * (t->granule - 3) - t->granule + 3;
	if (t->output_bits == 52 && size < 6)
		size = 6;
	t->base = s->s2ttb & ~oracle_low(size);
}

static struct oracle_rights stage2_rights(const struct oracle *o, uint64_t descriptor)
{
	const struct oracle_ste *s = &o->ste;
	bool xnx = oracle_idr(o, 3, 4), xn1 = descriptor >> 54 & 1, xn0 = descriptor >> 53 & 1;
	struct oracle_rights rights = {
		.r = descriptor >> 6 & 1,
		.w = descriptor >> 7 & 1,
		.x = !xn1,
	};

	/* XN[1:0]: 0 all, 1 unprivileged alone, 2 none, 3 privileged alone. */
	if (xnx && xn0)
		rights.x = xn1 == o->priv;
	if (!rights.w && s->s2ha && s->s2hd && descriptor & DBM)
		rights.w = rights.clean = true;
	return rights;
}

static bool stage2_refuses(const struct oracle *o, enum oracle_purpose purpose,
			   const struct oracle_rights *rights, uint64_t descriptor,
			   struct oracle_fault *fault)
{
	switch (purpose) {
	case FOR_CD:
	case FOR_TABLE_READ:
		return !rights->r ||
		       (o->ste.config == 7 && o->ste.s2ptw && oracle_stage2_device(o, descriptor));
	case FOR_TABLE_WRITE:
		fault->table_write = !rights->w;
		return !rights->w;
	default:
		return !allows(o, rights, fault);
	}
}

static void stage2_update(struct oracle *o, const struct oracle_table *t,
			  enum oracle_purpose purpose, const struct oracle_leaf *leaf,
			  const struct oracle_rights *rights)
{
	bool sets_af = o->ste.s2ha && !(leaf->descriptor & AF);
	uint64_t must = sets_af ? AF : 0, may = 0;

	if (rights->clean) {
		if (purpose == FOR_TABLE_WRITE || (purpose == FOR_ACCESS && o->write))
			must |= S2AP1;
		else if (purpose == FOR_TABLE_READ) /* 3.13.4: speculatively */
			may |= S2AP1;
	}
	update(o, t, leaf, must, may);
}

/* The final descriptor of an IPA, with its access flag looked at. */
static bool stage2_leaf(struct oracle *o, uint64_t ipa, enum oracle_purpose purpose,
			struct oracle_table *t, struct oracle_leaf *leaf,
			struct oracle_fault *fault)
{
	static const enum oracle_class class_of[] = { CLASS_CD, CLASS_TT, CLASS_TT, CLASS_IN };

	*leaf = (struct oracle_leaf){ 0 };
	fault->stage2 = true;
	fault->class = class_of[purpose];
	fault->ipa = ipa;
	stage2_table(o, t);
	if (ipa >> t->input_bits)
		return oracle_fails(fault, F_TRANSLATION);
	if (!walk(o, t, ipa, leaf, fault))
		return false;
	if (!(leaf->descriptor & AF) && !o->ste.s2ha && !o->ste.s2affd)
		return oracle_fails(fault, F_ACCESS);
	return true;
}

bool oracle_stage2(struct oracle *o, uint64_t ipa, enum oracle_purpose purpose, uint64_t *pa,
		   struct oracle_fault *fault)
{
	struct oracle_table t;
	struct oracle_leaf leaf;
	struct oracle_rights rights;

	if (!stage2_leaf(o, ipa, purpose, &t, &leaf, fault))
		return false;
	rights = stage2_rights(o, leaf.descriptor);
	if (stage2_refuses(o, purpose, &rights, leaf.descriptor, fault)) {
		/* 3.13.2: UNKNOWN whether AF is set. */
		update(o, &t, &leaf, 0, o->ste.s2ha && !(leaf.descriptor & AF) ? AF : 0);
		return oracle_fails(fault, F_PERMISSION);
	}
	stage2_update(o, &t, purpose, &leaf, &rights);
	if (purpose == FOR_ACCESS)
		oracle_attributes_stage2(o, leaf.descriptor, o->ste.s2ds, o->ste.s2sh0);
	*pa = leaf.output;
	return true;
}

/* ---- Stage 1 -------------------------------------------------------------------------- */

/* False: F_TRANSLATION for the input address itself (3.4, 3.4.1, 5.4 EPDx, E0PDx). */
static bool stage1_table(const struct oracle *o, uint64_t va, struct oracle_table *t)
{
	const struct oracle_cd *c = &o->cd;
	bool one_half = o->ste.world == WORLD_EL2;
	unsigned int half = one_half ? 0 : va >> 55 & 1, size, stride, top;
	uint64_t above;

	if (c->epd[half])
		return false;
	if (c->e0pd[half] && !one_half && !o->priv)
		return false;
	*t = (struct oracle_table){ .big_endian = c->endi, .had = c->had[half] };
	t->granule = oracle_granule(half, c->tg[half]);
	t->ds = c->ds && t->granule != 16;
	t->input_bits = 64 - c->tsz[half];
	t->output_bits = oracle_output_bits(o, c->ips);
	top = c->tbi[half] ? 56 : 64;
	above = va & oracle_low(top) & ~oracle_low(t->input_bits);
	if (above != (half ? oracle_low(top) & ~oracle_low(t->input_bits) : 0))
		return false;
	stride = t->granule - 3;
	t->start = 3 - (int)((t->input_bits - 1 - t->granule) / stride);
	size = t->input_bits - (unsigned int)(3 - t->start) * stride - t->granule + 3;
	if (t->output_bits == 52 && size < 6)
		size = 6;
	t->base = c->ttb[half] & ~oracle_low(size);
	return true;
}

/* The direct permission scheme (DDI 0487 D8.4), at the privilege of the transaction. */
static struct oracle_rights stage1_rights(const struct oracle *o, const struct oracle_leaf *leaf)
{
	const struct oracle_cd *c = &o->cd;
	uint64_t d = leaf->descriptor;
	bool clean = d & AP2 && c->ha && c->hd && d & DBM;
	bool writable = (!(d & AP2) || clean) && !leaf->read_only;
	bool unpriv = d >> 6 & 1 && !leaf->no_unpriv;
	bool xn = d >> 54 & 1 || leaf->uxn, pxn = d >> 53 & 1 || leaf->pxn;
	struct oracle_rights rights;

	if (o->ste.world == WORLD_EL2) {
		rights = (struct oracle_rights){ .r = true, .w = writable, .x = !xn };
	} else if (o->priv) {
		/* What the unprivileged may write, the privileged do not execute. */
		rights = (struct oracle_rights){
			.r = !(c->pan && unpriv),
			.w = writable && !(c->pan && unpriv),
			.x = !pxn && !(unpriv && writable),
		};
	} else {
		rights = (struct oracle_rights){ .r = unpriv, .w = unpriv && writable, .x = !xn };
	}
	if (c->wxn && rights.w)
		rights.x = false;
	rights.clean = clean && rights.w;
	return rights;
}

static bool stage1_leaf(struct oracle *o, uint64_t va, struct oracle_table *t,
			struct oracle_leaf *leaf, struct oracle_fault *fault)
{
	*leaf = (struct oracle_leaf){ 0 };
	fault->stage2 = false;
	fault->class = CLASS_IN;
	if (!stage1_table(o, va, t))
		return oracle_fails(fault, F_TRANSLATION);
	if (!walk(o, t, va, leaf, fault))
		return false;
	if (!(leaf->descriptor & AF) && !o->cd.ha && !o->cd.affd)
		return fails(t, fault, F_ACCESS);
	return true;
}

/* Writes to a stage 1 descriptor: stage 2 must allow it (3.13.5). */
static bool stage1_update(struct oracle *o, const struct oracle_table *t,
			  const struct oracle_leaf *leaf, uint64_t flips,
			  struct oracle_fault *fault)
{
	uint64_t pa;

	if (!flips)
		return true;
	if ((o->ste.config & 2) && !oracle_stage2(o, leaf->ipa, FOR_TABLE_WRITE, &pa, fault))
		return false;
	update(o, t, leaf, flips, 0);
	return true;
}

static void stage1_attributes(struct oracle *o, const struct oracle_table *t, uint64_t va,
			      const struct oracle_leaf *leaf)
{
	unsigned int half = o->ste.world == WORLD_EL2 ? 0 : va >> 55 & 1;

	oracle_attributes_stage1(o, leaf->descriptor, t->ds, o->cd.sh[half]);
}

bool oracle_stage1(struct oracle *o, uint64_t va, uint64_t *ipa, struct oracle_fault *fault)
{
	struct oracle_table t;
	struct oracle_leaf leaf;
	struct oracle_rights rights;
	uint64_t flips = 0;

	if (!stage1_leaf(o, va, &t, &leaf, fault))
		return false;
	rights = stage1_rights(o, &leaf);
	if (o->cd.ha && !(leaf.descriptor & AF))
		flips |= AF;
	if (!allows(o, &rights, fault)) {
		struct oracle_fault refused = *fault;

		refused.stage2 = false;
		refused.class = CLASS_IN;
		if (flips && (o->ste.config & 2) && oracle_chooses(o, ORACLE_ACCESS_FIRST) &&
		    !stage1_update(o, &t, &leaf, flips, fault))
			return false;
		update(o, &t, &leaf, 0, flips);
		*fault = refused;
		return oracle_fails(fault, F_PERMISSION);
	}
	if (o->write && rights.clean)
		flips |= AP2;
	o->committed = o->out->nr_updates;
	if (!stage1_update(o, &t, &leaf, flips, fault))
		return false;
	stage1_attributes(o, &t, va, &leaf);
	*ipa = leaf.output;
	return true;
}

/* ---- ATS Translation Requests (3.9.1.2, 3.13.7, 13.7) --------------------------------- */

static void combine(struct oracle_rights *rights, const struct oracle_rights *more)
{
	rights->r &= more->r;
	rights->w &= more->w;
	rights->x &= more->x;
	rights->clean |= more->clean;
}

/* 13.7.1 */
static uint8_t grant(const struct oracle *o, const struct oracle_rights *rights)
{
	unsigned int instcfg = oracle_idr(o, 1, 26) ? o->ste.instcfg : 0;
	bool r = rights->r, x = rights->r && rights->x, w = rights->w;

	if (instcfg == 3)
		r = x = rights->x;
	else if (instcfg == 2)
		x = rights->r;
	if (!o->write)
		w = false;
	return (uint8_t)((r ? WEIR_MODEL_ATS_READ : 0) | (w ? WEIR_MODEL_ATS_WRITE : 0) |
			 (x && o->exe ? WEIR_MODEL_ATS_EXECUTE : 0));
}

/* NW == 1: writing is permitted, not required, where nothing would have to be made dirty. */
static bool may_write(const struct oracle *o, const struct oracle_rights *rights)
{
	return !o->write && rights->w && !rights->clean;
}

static void limit_size(struct oracle *o, const struct oracle_table *t,
		       const struct oracle_leaf *leaf)
{
	if (t->output_bits < o->out->ats_size)
		o->out->ats_size = (uint8_t)t->output_bits;
	if (leaf->descriptor & CONTIGUOUS) /* as much as is contiguous, which is not checked */
		return;
	if (leaf->size < o->out->ats_size)
		o->out->ats_size = (uint8_t)leaf->size;
}

/* Stage 2's part: false: a fault. `split`: only its rights count. */
static bool request_stage2(struct oracle *o, uint64_t ipa, struct oracle_rights *rights,
			   uint64_t *pa, struct oracle_fault *fault)
{
	struct oracle_rights more;
	struct oracle_leaf leaf;
	struct oracle_table t;
	uint64_t af, dirty;
	uint8_t granted;
	bool split = o->ste.eats == 2;

	if (!stage2_leaf(o, ipa, FOR_ACCESS, &t, &leaf, fault))
		return false;
	more = stage2_rights(o, leaf.descriptor);
	combine(rights, &more);
	granted = grant(o, rights);
	limit_size(o, &t, &leaf);
	*pa = split ? ipa : leaf.output;
	af = o->ste.s2ha && !(leaf.descriptor & AF) ? AF : 0;
	dirty = more.clean && o->write && granted & WEIR_MODEL_ATS_WRITE ? S2AP1 : 0;
	if (granted && !split)
		update(o, &t, &leaf, af | dirty, 0);
	else
		update(o, &t, &leaf, 0, af | dirty);
	return true;
}

/* Stage 1's flags, once it is known what is granted. */
static bool request_update(struct oracle *o, const struct oracle_table *t,
			   const struct oracle_leaf *leaf, bool clean, uint8_t granted,
			   struct oracle_fault *fault)
{
	uint64_t af = o->cd.ha && !(leaf->descriptor & AF) ? AF : 0;
	uint64_t dirty = clean && o->write ? AP2 : 0, must = 0, pa;
	unsigned int under;

	if (granted)
		must = af | (granted & WEIR_MODEL_ATS_WRITE ? dirty : 0);
	update(o, t, leaf, 0, af | dirty);
	if (!(af | dirty) || !(o->ste.config & 2)) {
		update(o, t, leaf, must, 0);
		return true;
	}
	under = o->out->nr_updates;
	if (oracle_stage2(o, leaf->ipa, FOR_TABLE_WRITE, &pa, fault)) {
		if (!must) /* then nothing need be written there */
			oracle_may_be(o, under);
		update(o, t, leaf, must, 0);
		return true;
	}
	/* Whether write access is asked for at all then, and at what point, is open. */
	if (dirty || !granted)
		o->out->unsure = true;
	return !must;
}

bool oracle_request(struct oracle *o, bool stage1, bool stage2, struct oracle_fault *fault)
{
	struct oracle_rights rights = { true, true, true, false }, rights1 = rights;
	struct oracle_table t;
	struct oracle_leaf leaf;
	uint64_t addr = o->txn->addr;
	uint8_t granted = 0;

	o->out->ats_size = ANY_SIZE;
	if (stage1) {
		if (!stage1_leaf(o, addr, &t, &leaf, fault))
			return false;
		rights = rights1 = stage1_rights(o, &leaf);
		addr = leaf.output;
		limit_size(o, &t, &leaf);
	}
	granted = grant(o, &rights);
	if ((granted || may_write(o, &rights)) && stage2) {
		if (!request_stage2(o, addr, &rights, &addr, fault))
			return false;
		granted = grant(o, &rights);
	}
	if (stage1 && !request_update(o, &t, &leaf, rights1.clean, granted, fault))
		return false;
	if (may_write(o, &rights))
		o->out->ats_may |= WEIR_MODEL_ATS_WRITE;
	o->out->ats |= granted;
	o->out->addr = addr;
	return true;
}
