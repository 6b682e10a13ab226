/* SPDX-License-Identifier: MIT */
/* Memory attributes: incoming, overridden, of both stages, combined (chapter 13). */

#include "oracle-inside.h"

/* ---- Encodings ------------------------------------------------------------------------ */

/* One half of an attribute of MAIR: 0bttRW, tt: WT transient, WB transient or NC, WT, WB. */
static void decode_half(unsigned int bits, unsigned int level, struct oracle_attributes *a)
{
	unsigned int type = bits >> 2 & 3;

	a->ra[level] = bits & 2;
	a->wa[level] = bits & 1;
	a->tr[level] = type < 2;
	a->cache[level] = type & 1 ? CACHE_WB : CACHE_WT;
	if (bits == 4)
		a->cache[level] = CACHE_NC;
}

/* 5.4 MAIR0, with what is UNPREDICTABLE elsewhere. */
static struct oracle_attributes decode_mair(unsigned int attr)
{
	struct oracle_attributes a = { 0 };
	unsigned int inner = attr & 15, outer = attr >> 4 & 15;

	if (outer == 0) {
		a.device = true;
		a.device_type = inner >> 2;
		return a;
	}
	decode_half(inner ? inner : 3, 0, &a);
	decode_half(outer, 1, &a);
	return a;
}

/* A half of MemAttr[3:0] of stage 2: 1 NC, 2 WT, 3 WB. */
static enum oracle_cacheability stage2_cache(unsigned int bits)
{
	return bits == 1 ? CACHE_NC : bits == 2 ? CACHE_WT : CACHE_WB;
}

/* MemAttr[3:0] of a stage 2 descriptor without FWB, and of STE and GBPA. */
static void decode_memattr(unsigned int memattr, struct oracle_attributes *a)
{
	a->device = !(memattr >> 2) || !(memattr & 3);
	a->device_type = memattr >> 2 ? 0 : memattr & 3;
	a->cache[0] = stage2_cache(memattr & 3);
	a->cache[1] = stage2_cache(memattr >> 2);
}

static bool cacheable(const struct oracle_attributes *a, unsigned int level)
{
	return !a->device && a->cache[level] != CACHE_NC;
}

/* 13.1.7 */
static void make_consistent(struct oracle_attributes *a)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (!cacheable(a, i))
			a->ra[i] = a->wa[i] = a->tr[i] = false;
		if (!a->ra[i] && !a->wa[i])
			a->tr[i] = false;
	}
	if (!cacheable(a, 0) && !cacheable(a, 1))
		a->sh = 2;
}

static unsigned int encode_half(const struct oracle_attributes *a, unsigned int level)
{
	unsigned int hints = (a->ra[level] ? 2 : 0) | (a->wa[level] ? 1 : 0);

	if (a->cache[level] == CACHE_NC)
		return 4;
	return hints | (a->cache[level] == CACHE_WB ? 4 : 0) | (a->tr[level] ? 0 : 8);
}

/* ---- Incoming (13.1.3, 13.1.4) -------------------------------------------------------- */

void oracle_attributes_in(struct oracle *o)
{
	unsigned int in = o->txn->attributes;

	o->attributes = decode_mair(in & 0xff);
	o->attributes.sh = in >> 8 & 3;
	/* An inner and an outer level that differ in kind: how they count is not said. */
	if (cacheable(&o->attributes, 0) != cacheable(&o->attributes, 1) || o->attributes.sh == 1)
		o->attributes_unsure = true;
}

void oracle_override(struct oracle *o, bool mtcfg, unsigned int memattr, unsigned int alloccfg,
		     unsigned int shcfg)
{
	struct oracle_attributes *a = &o->attributes;
	bool was_cacheable = cacheable(a, 0) || cacheable(a, 1);

	if (!oracle_idr(o, 1, 27)) {
		make_consistent(a);
		return;
	}
	/* 13.1.4: it comes in Outer shareable then, whatever is said with it. */
	if (!was_cacheable)
		a->sh = 2;
	if (mtcfg)
		decode_memattr(memattr, a);
	for (unsigned int i = 0; i < 2; i++) {
		if (!was_cacheable) {
			a->ra[i] = a->wa[i] = true;
			a->tr[i] = false;
		}
		if (alloccfg & 8) {
			a->ra[i] = alloccfg & 4;
			a->wa[i] = alloccfg & 2;
			a->tr[i] = alloccfg & 1;
		}
	}
	/* 5.2 ALLOCCFG: CONSTRAINED UNPREDICTABLE without MTCFG. */
	if (!mtcfg && alloccfg & 8)
		o->attributes_unsure = true;
	if (shcfg != 1)
		a->sh = shcfg;
	make_consistent(a);
}

/* ---- Stage 1 (13.4.2) ----------------------------------------------------------------- */

void oracle_attributes_stage1(struct oracle *o, uint64_t descriptor, bool sh_of_cd, unsigned int sh)
{
	unsigned int index = descriptor >> 2 & 7;
	struct oracle_attributes in = o->attributes;
	struct oracle_attributes a = decode_mair(o->cd.mair >> 8 * index & 0xff);

	a.sh = sh_of_cd ? (sh == 1 ? 0 : sh) : descriptor >> 8 & 3;
	if (a.sh == 1)
		o->attributes_unsure = true;
	if (cacheable(&in, 0) != cacheable(&in, 1))
		o->attributes_unsure = true;
	for (unsigned int i = 0; i < 2; i++) {
		if (!cacheable(&in, i))
			continue;
		a.ra[i] &= in.ra[i];
		a.wa[i] &= in.wa[i];
		a.tr[i] |= in.tr[i];
	}
	make_consistent(&a);
	o->attributes = a;
}

/* ---- Stage 2 (13.1.5, 13.1.6) --------------------------------------------------------- */

static unsigned int stronger_sh(unsigned int a, unsigned int b)
{
	if (a == 2 || b == 2)
		return 2;
	return a == 3 || b == 3 ? 3 : 0;
}

static void combine_device(struct oracle_attributes *a, unsigned int type)
{
	if (!a->device || type < a->device_type)
		a->device_type = type;
	a->device = true;
}

/* HCR_EL2.FWB == 1 (DDI 0487): MemAttr[2:0] says more than to combine. */
static void force(struct oracle *o, unsigned int memattr)
{
	struct oracle_attributes *a = &o->attributes;

	if (memattr == 4 || memattr & 8) /* reserved */
		o->attributes_unsure = true;
	switch (memattr & 7) {
	case 5:
		if (!a->device)
			a->cache[0] = a->cache[1] = CACHE_NC;
		break;
	case 6:
		for (unsigned int i = 0; i < 2; i++) {
			if (!cacheable(a, i)) {
				a->ra[i] = a->wa[i] = true;
				a->tr[i] = false;
			}
			a->cache[i] = CACHE_WB;
		}
		a->device = false;
		break;
	case 7:
		break;
	default:
		combine_device(a, memattr & 3);
	}
}

static void combine(struct oracle *o, unsigned int memattr)
{
	struct oracle_attributes *a = &o->attributes, stage2 = { 0 };

	decode_memattr(memattr, &stage2);
	if (memattr >> 2 && !(memattr & 3)) /* reserved in a descriptor */
		o->attributes_unsure = true;
	if (stage2.device) {
		combine_device(a, stage2.device_type);
		return;
	}
	for (unsigned int i = 0; i < 2; i++)
		if (stage2.cache[i] > a->cache[i])
			a->cache[i] = stage2.cache[i];
}

void oracle_attributes_stage2(struct oracle *o, uint64_t descriptor, bool sh_of_ste,
			      unsigned int sh)
{
	unsigned int memattr = descriptor >> 2 & 15;
	unsigned int sh2 = sh_of_ste ? (sh == 1 ? 0 : sh) : descriptor >> 8 & 3;

	if (sh2 == 1)
		o->attributes_unsure = true;
	if (o->ste.s2fwb)
		force(o, memattr);
	else
		combine(o, memattr);
	o->attributes.sh = stronger_sh(o->attributes.sh, sh2);
	make_consistent(&o->attributes);
}

/* Whether a fetch of the SMMU's own goes to Device memory: S2PTW refuses it. */
bool oracle_stage2_device(const struct oracle *o, uint64_t descriptor)
{
	unsigned int memattr = descriptor >> 2 & 15;

	if (o->ste.s2fwb)
		return !(memattr & 4);
	return !(memattr >> 2);
}

/* ---- Outgoing (13.1.2, 13.4.4) -------------------------------------------------------- */

void oracle_attributes_out(struct oracle *o)
{
	const struct oracle_attributes *a = &o->attributes;
	bool inst = o->inst, priv = o->priv;
	unsigned int memory = a->device_type << 2;

	if (!a->device)
		memory = encode_half(a, 1) << 4 | encode_half(a, 0);
	if (o->minor >= 4) {
		inst = false;
		priv = true;
	}
	o->out->attributes_known = !o->attributes_unsure;
	o->out->attributes =
		memory | a->sh << 8 | 1u << 10 | (inst ? 1u << 11 : 0) | (priv ? 1u << 12 : 0);
}
