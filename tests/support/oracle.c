/* SPDX-License-Identifier: MIT */
/* A transaction's way through the SMMU (chapter 15), its end and its event record (7.3). */

#include "oracle-inside.h"

#include <string.h>

/* ---- Memory --------------------------------------------------------------------------- */

static bool load(struct oracle *o, uint64_t addr, bool as_stage2, uint64_t *value)
{
	if (!o->memory->load(o->memory->opaque, addr, value))
		return false;
	for (unsigned int i = 0; i < o->out->nr_updates; i++) {
		if (o->out->updates[i].addr != addr)
			continue;
		*value ^= o->out->updates[i].must;
		if (!as_stage2 || !o->updated_stage2[i])
			o->out->unsure = true;
	}
	return true;
}

bool oracle_load(struct oracle *o, uint64_t addr, uint64_t *value)
{
	return load(o, addr, false, value);
}

bool oracle_load_descriptor(struct oracle *o, uint64_t addr, bool stage2, uint64_t *value)
{
	return load(o, addr, stage2, value);
}

void oracle_updates(struct oracle *o, uint64_t addr, bool stage2, uint64_t must, uint64_t may)
{
	if (!(must | may))
		return;
	if (o->out->nr_updates == ORACLE_UPDATES) {
		o->out->unsure = true;
		return;
	}
	o->updated_stage2[o->out->nr_updates] = stage2;
	o->out->updates[o->out->nr_updates++] = (struct oracle_update){ addr, must, may };
}

void oracle_may_be(struct oracle *o, unsigned int first)
{
	for (unsigned int i = first; i < o->out->nr_updates; i++) {
		o->out->updates[i].may |= o->out->updates[i].must;
		o->out->updates[i].must = 0;
	}
}

/* Stage 1's flags after a fault at stage 2: may be set, or not (13.4.4). */
static void uncommit(struct oracle *o)
{
	oracle_may_be(o, o->committed);
}

/* ---- Event records (7.3) -------------------------------------------------------------- */

/* Type, SSV, SubstreamID, StreamID. */
static void record_words(struct oracle *o, const struct oracle_fault *fault)
{
	struct oracle_result *out = o->out;

	out->event = true;
	memset(out->record, 0, sizeof(out->record));
	memset(out->mask, 0xff, sizeof(out->mask));
	out->record[0] = fault->type | (uint64_t)o->txn->stream << 32;
	out->mask[0] &= ~(oracle_low(20) << 12);
	if (o->ssv) {
		out->record[0] |= (uint64_t)1 << 11 | (uint64_t)(o->txn->substream & 0xfffff) << 12;
		out->mask[0] = ~(uint64_t)0;
	}
}

static void record_access(struct oracle *o, const struct oracle_fault *fault)
{
	uint64_t word = 0;
	/* 13.1.1: of an atomic, the write is what counts, but for one case. */
	bool rnw = !o->write || (fault->type == F_PERMISSION && fault->class == CLASS_IN &&
				 fault->read_refused && o->minor);

	word |= (uint64_t)o->priv << 33 | (uint64_t)o->inst << 34 | (uint64_t)rnw << 35;
	word |= (uint64_t)fault->stage2 << 39 | (uint64_t)fault->class << 40;
	/* STAG, or the Reason of F_WALK_EABT; TTRnW. */
	o->out->mask[1] &= ~oracle_low(16) & ~((uint64_t)1 << 44);
	if (fault->type == F_PERMISSION && fault->class == CLASS_TT) {
		word |= (uint64_t)!fault->table_write << 44;
		o->out->mask[1] |= (uint64_t)1 << 44;
	}
	if (fault->read_refused && !o->minor) /* SMMUv3.0: IMPLEMENTATION DEFINED */
		o->out->mask[1] &= ~((uint64_t)1 << 35);
	o->out->record[1] = word;
	o->out->record[2] = o->txn->addr;
}

static void record_fetch(struct oracle *o, const struct oracle_fault *fault)
{
	o->out->record[3] = fault->fetch & oracle_low(56) & ~oracle_low(3);
	o->out->mask[3] = oracle_low(o->oas);
	o->out->mask[1] &= ~oracle_low(16); /* Reason */
}

static void record_request(struct oracle *o)
{
	bool ssv = o->txn->flags & WEIR_MODEL_TXN_SUBSTREAM;

	/* R, W, X, P, as requested; Span, in STUs. */
	o->out->record[1] = 1u << 31 | 1u;
	if (o->txn->flags & WEIR_MODEL_TXN_WRITE)
		o->out->record[1] |= 1u << 30;
	if (ssv && o->txn->flags & WEIR_MODEL_TXN_INSTRUCTION)
		o->out->record[1] |= 1u << 29;
	if (ssv && o->txn->flags & WEIR_MODEL_TXN_PRIVILEGED)
		o->out->record[1] |= 1u << 28;
	o->out->record[2] = o->txn->addr & ~oracle_low(12);
}

static void record(struct oracle *o, const struct oracle_fault *fault)
{
	if (!fault->type)
		return;
	record_words(o, fault);
	switch (fault->type) {
	case F_STE_FETCH:
	case F_CD_FETCH:
		record_fetch(o, fault);
		break;
	case F_WALK_EABT:
		record_access(o, fault);
		record_fetch(o, fault);
		break;
	case F_TRANSLATION:
	case F_ADDR_SIZE:
	case F_ACCESS:
	case F_PERMISSION:
		record_access(o, fault);
		o->out->mask[3] = fault->stage2 ? oracle_low(o->oas) : 0;
		o->out->record[3] = fault->stage2 ? fault->ipa & ~oracle_low(12) : 0;
		break;
	case F_BAD_ATS_TREQ:
		record_request(o);
		break;
	case F_TRANSL_FORBIDDEN:
		o->out->record[2] = o->txn->addr;
		o->out->mask[1] = 0;
		break;
	case C_BAD_SUBSTREAMID:
		/* 7.3.9: SubstreamID is always valid: 0 if the CD was found without one. */
		o->out->mask[0] = ~((uint64_t)1 << 11);
		break;
	default:
		break;
	}
}

/* ---- Ends ----------------------------------------------------------------------------- */

static bool translation_related(const struct oracle_fault *fault)
{
	return fault->type >= F_TRANSLATION && fault->type <= F_PERMISSION;
}

/* 5.5: the stage at which it faulted says what happens. */
static void end_fault(struct oracle *o, const struct oracle_fault *fault)
{
	bool stalls, aborts = true, records = true;

	if (!translation_related(fault)) {
		stalls = false;
	} else if (fault->stage2) {
		stalls = o->ste.s2s;
		records = o->ste.s2r;
	} else if (o->has_cd) {
		stalls = o->cd.s;
		records = o->cd.r;
		aborts = o->cd.a;
	} else { /* 3.12: stage 1 bypassed */
		stalls = false;
	}
	if (stalls || records)
		record(o, fault);
	if (stalls) {
		o->out->result = WEIR_MODEL_STALLED;
		o->out->record[1] |= (uint64_t)1 << 31;
		o->out->mask[1] |= oracle_low(16); /* STAG: the caller's to fill in */
		return;
	}
	o->out->result = aborts ? WEIR_MODEL_BLOCKED : WEIR_MODEL_IGNORED;
}

static void end_ok(struct oracle *o, uint64_t addr)
{
	o->out->result = WEIR_MODEL_OK;
	o->out->addr = addr;
	oracle_attributes_out(o);
}

static void end_aborted(struct oracle *o, const struct oracle_fault *fault, bool records)
{
	o->out->result = WEIR_MODEL_BLOCKED;
	if (records)
		record(o, fault);
}

/* ---- Ordinary transactions ------------------------------------------------------------ */

/* PRIVCFG and INSTCFG (13.1.4): a write is always of data. */
static void override_permissions(struct oracle *o, unsigned int privcfg, unsigned int instcfg)
{
	if (oracle_idr(o, 1, 26)) {
		if (privcfg & 2)
			o->priv = privcfg & 1;
		if (instcfg & 2)
			o->inst = instcfg & 1;
	}
	if (o->write)
		o->inst = false;
}

static void override_ste(struct oracle *o)
{
	const struct oracle_ste *s = &o->ste;

	override_permissions(o, s->privcfg, s->instcfg);
	oracle_override(o, s->mtcfg, s->memattr, s->alloccfg, s->shcfg);
}

/* 13.2 */
static void bypass_all(struct oracle *o)
{
	uint32_t gbpa = o->regs->gbpa;

	o->out->result = WEIR_MODEL_BLOCKED;
	if (gbpa >> 20 & 1 || o->txn->addr >> o->oas)
		return;
	override_permissions(o, gbpa >> 16 & 3, gbpa >> 18 & 3);
	oracle_override(o, gbpa >> 4 & 1, gbpa & 15, gbpa >> 8 & 15, gbpa >> 12 & 3);
	end_ok(o, o->txn->addr);
}

/*
 * Substreams (5.2 S1DSS, S1CDMax): which CD, or that stage 1 is bypassed. False: fault. Order:
 * 7.3.22.
 */
static bool find_substream(struct oracle *o, bool *stage1, uint32_t *index,
			   struct oracle_fault *fault)
{
	const struct oracle_ste *s = &o->ste;
	unsigned int ssidsize = o->regs->idr[1] >> 6 & 31;
	bool enabled = ssidsize && s->s1cdmax;

	*stage1 = s->config & 1;
	*index = 0;
	if (o->ssv) {
		if (!*stage1 || !enabled || (uint64_t)o->txn->substream >> s->s1cdmax)
			return oracle_fails(fault, C_BAD_SUBSTREAMID);
		if (s->s1dss == 2 && o->txn->substream == 0)
			return oracle_fails(fault, F_STREAM_DISABLED);
		*index = o->txn->substream;
		return true;
	}
	if (!*stage1 || !enabled)
		return true;
	if (s->s1dss == 1)
		*stage1 = false;
	return s->s1dss == 1 || s->s1dss == 2 || oracle_fails(fault, F_STREAM_DISABLED);
}

/* 3.4: what bypasses stage 1 must fit the IAS, or the OAS where nothing translates. */
static bool fits(struct oracle *o, struct oracle_fault *fault)
{
	unsigned int bits = o->ste.config == 4 ? o->oas : o->ias;

	fault->stage2 = false;
	fault->class = CLASS_IN;
	return !(o->txn->addr >> bits) || oracle_fails(fault, F_ADDR_SIZE);
}

static bool translate(struct oracle *o, bool stage1, uint64_t *addr, struct oracle_fault *fault)
{
	*addr = o->txn->addr;
	if (stage1 ? !oracle_stage1(o, *addr, addr, fault) : !fits(o, fault))
		return false;
	if (!stage1)
		o->committed = o->out->nr_updates;
	if (o->ste.config & 2 && !oracle_stage2(o, *addr, FOR_ACCESS, addr, fault)) {
		uncommit(o);
		return false;
	}
	return true;
}

static void ordinary(struct oracle *o)
{
	struct oracle_fault fault = { 0 };
	bool stage1;
	uint32_t index;
	uint64_t addr;

	if (!oracle_find_ste(o, &fault)) {
		end_aborted(o, &fault, true);
		return;
	}
	if (o->ste.config < 4) {
		o->out->result = WEIR_MODEL_BLOCKED;
		return;
	}
	override_ste(o);
	if (!find_substream(o, &stage1, &index, &fault) ||
	    (stage1 && !oracle_find_cd(o, index, &fault)) || !translate(o, stage1, &addr, &fault)) {
		end_fault(o, &fault);
		return;
	}
	end_ok(o, addr);
}

/* ---- ATS (3.9.1) ---------------------------------------------------------------------- */

/* The effective value of STE.EATS. */
static unsigned int eats(const struct oracle *o)
{
	bool atschk = o->regs->cr0 >> 4 & 1;

	if (!oracle_idr(o, 0, 10) || !(o->ste.config & 3) || o->ste.eats == 3)
		return 0;
	return o->ste.eats == 2 && !atschk ? 0 : o->ste.eats;
}

static bool records_configuration(const struct oracle *o)
{
	return oracle_idr(o, 0, 23) && o->regs->cr2 >> 3 & 1; /* REC_CFG_ATS */
}

static void end_unsupported(struct oracle *o, bool records)
{
	const struct oracle_fault fault = { .type = F_BAD_ATS_TREQ };

	end_aborted(o, &fault, records);
}

static void end_completer_abort(struct oracle *o, const struct oracle_fault *fault)
{
	end_aborted(o, fault, records_configuration(o));
	o->out->ats = WEIR_MODEL_ATS_CA;
	/* RnW is UNKNOWN, and what InD is for one that asks for several rights is not said. */
	if (o->out->event && fault->type == F_WALK_EABT)
		o->out->mask[1] &= ~((uint64_t)3 << 34);
}

/* 3.9.1.2: faults of translation are answers, all others Completer Aborts. */
static void end_request(struct oracle *o, bool done, const struct oracle_fault *fault)
{
	if (!done && !translation_related(fault)) {
		end_completer_abort(o, fault);
		return;
	}
	o->out->result = WEIR_MODEL_OK;
	if (!done)
		uncommit(o);
	if (o->ssv && o->txn->flags & WEIR_MODEL_TXN_PRIVILEGED)
		o->out->ats |= WEIR_MODEL_ATS_PRIVILEGED;
}

/* 13.6.4: nothing translates: an identity that grants all. */
static bool identity(struct oracle *o, struct oracle_fault *fault)
{
	if (!fits(o, fault))
		return false;
	o->out->ats = WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE;
	o->out->ats_size = (uint8_t)o->oas;
	o->out->addr = o->txn->addr;
	return true;
}

static bool answer(struct oracle *o, struct oracle_fault *fault)
{
	bool stage1, stage2 = o->ste.config & 2;
	uint32_t index;

	if (!find_substream(o, &stage1, &index, fault))
		return false;
	if (stage1 && !oracle_find_cd(o, index, fault))
		return false;
	o->committed = o->out->nr_updates;
	if (!stage1 && !stage2)
		return identity(o, fault);
	if (!stage1 && !fits(o, fault))
		return false;
	return oracle_request(o, stage1, stage2, fault);
}

static void request(struct oracle *o)
{
	struct oracle_fault fault = { 0 };
	bool done;

	/* 13.7.1: both come with a PASID alone. */
	o->priv = o->ssv && o->txn->flags & WEIR_MODEL_TXN_PRIVILEGED;
	o->exe = o->ssv && o->txn->flags & WEIR_MODEL_TXN_INSTRUCTION;
	o->inst = false;
	if (!(o->regs->cr0 & 1)) {
		end_unsupported(o, true);
		return;
	}
	if (!oracle_find_ste(o, &fault)) {
		end_completer_abort(o, &fault);
		return;
	}
	if (o->ste.config < 4 || !eats(o)) {
		end_unsupported(o, o->ste.config >= 4);
		return;
	}
	o->ste.eats = eats(o);
	override_permissions(o, o->ste.privcfg, 0);
	done = answer(o, &fault);
	end_request(o, done, &fault);
}

static void forbid(struct oracle *o)
{
	const struct oracle_fault fault = { .type = F_TRANSL_FORBIDDEN };

	end_aborted(o, &fault, true);
}

/* 3.9.1.1: an address that is a physical one. */
static void pass(struct oracle *o)
{
	uint64_t addr = o->txn->addr;

	o->attributes_unsure = true; /* 13.6.2 */
	if (addr >> o->oas && !oracle_chooses(o, ORACLE_TRUNCATES)) {
		o->out->result = WEIR_MODEL_BLOCKED;
		return;
	}
	end_ok(o, addr & oracle_low(o->oas));
}

static void translated(struct oracle *o)
{
	struct oracle_fault fault = { 0 };
	uint64_t addr;

	/* IDR3.PASIDTT == 0: as without a PASID. */
	o->ssv = o->priv = o->inst = false;
	if (!(o->regs->cr0 & 1)) {
		forbid(o);
		return;
	}
	if (!(o->regs->cr0 >> 4 & 1)) {
		pass(o);
		return;
	}
	if (!oracle_find_ste(o, &fault)) {
		end_aborted(o, &fault, records_configuration(o));
		return;
	}
	if (o->ste.config < 4) {
		o->out->result = WEIR_MODEL_BLOCKED;
		return;
	}
	if (!eats(o)) {
		forbid(o);
		return;
	}
	if (eats(o) == 1) {
		pass(o);
		return;
	}
	override_permissions(o, o->ste.privcfg, o->ste.instcfg);
	/* Table 13.5: MTCFG and SHCFG are Ignored; ALLOCCFG may do what it does without MTCFG. */
	oracle_override(o, false, 0, o->ste.alloccfg, 1);
	if (!translate(o, false, &addr, &fault))
		end_fault(o, &fault);
	else
		end_ok(o, addr);
}

/* --------------------------------------------------------------------------------------- */

static unsigned int oas_of(const struct oracle *o)
{
	static const unsigned char bits[] = { 32, 36, 40, 42, 44, 48, 52, 56 };

	return bits[o->regs->idr[5] & 7];
}

void oracle_translate(const struct oracle_regs *regs, const struct oracle_memory *memory,
		      const struct weir_model_txn *txn, uint32_t choices,
		      struct oracle_result *result)
{
	struct oracle o = {
		.regs = regs,
		.memory = memory,
		.txn = txn,
		.choices = choices,
		.out = result,
		.minor = regs->aidr & 15,
	};

	*result = (struct oracle_result){ 0 };
	o.oas = oas_of(&o);
	o.ias = o.oas; /* VMSAv8-32 is not there (3.4) */
	o.write = txn->flags & WEIR_MODEL_TXN_WRITE;
	o.read = !o.write || txn->flags & WEIR_MODEL_TXN_ATOMIC;
	o.inst = txn->flags & WEIR_MODEL_TXN_INSTRUCTION && !o.write;
	o.priv = txn->flags & WEIR_MODEL_TXN_PRIVILEGED;
	o.ssv = txn->flags & WEIR_MODEL_TXN_SUBSTREAM;
	oracle_attributes_in(&o);
	if (txn->flags & WEIR_MODEL_TXN_ATS_REQUEST)
		request(&o);
	else if (txn->flags & WEIR_MODEL_TXN_TRANSLATED)
		translated(&o);
	else if (!(regs->cr0 & 1))
		bypass_all(&o);
	else
		ordinary(&o);
}
