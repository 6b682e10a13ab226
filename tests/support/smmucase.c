/* SPDX-License-Identifier: MIT */
/* Transactions through the model and through the oracle, and what they may differ in. */

#include "smmucase.h"

#include <inttypes.h>

#define STEPS 40u

/* What the model did. */
struct answer {
	enum weir_model_result result;
	struct weir_model_translation out;
	bool event, more_events;
	uint64_t record[4];
};

/* ---- Reports -------------------------------------------------------------------------- */

static void print_structure(const struct smmucase *c, const char *name, uint64_t addr)
{
	fprintf(stderr, "%s at %" PRIx64 ":", name, addr);
	for (unsigned int i = 0; i < 4; i++)
		fprintf(stderr, " %016" PRIx64, box_get(&c->box, addr + 8 * i));
	fprintf(stderr, "\n");
}

static void print_context(const struct smmucase *c, const struct weir_model_txn *txn)
{
	const struct oracle_regs *r = &c->box.regs;

	fprintf(stderr,
		"IDR %08x %08x %08x %08x %08x %08x AIDR %x; CR0 %x CR2 %x GBPA %x STRTAB %" PRIx64
		" %x; caches %d reserved %d windows %d\n",
		r->idr[0], r->idr[1], r->idr[2], r->idr[3], r->idr[4], r->idr[5], r->aidr, r->cr0,
		r->cr2, r->gbpa, r->strtab_base, r->strtab_base_cfg, c->box.config.caches,
		c->box.config.reserved, c->box.windows);
	fprintf(stderr, "stream %x substream %x flags %x attributes %x address %016" PRIx64 "\n",
		txn->stream, txn->substream, txn->flags, txn->attributes, txn->addr);
	print_structure(c, "STE", BOX_STRTAB + txn->stream % 64 * WEIR_SMMU_STE_SIZE);
	print_structure(c, "CD",
			box_get(&c->box, BOX_STRTAB + txn->stream % 64 * 64ull) &
				WEIR_SMMU_STE_0_S1CONTEXTPTR);
}

static void print_record(const char *who, bool event, const uint64_t *r)
{
	if (event)
		fprintf(stderr,
			"%s event %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n",
			who, r[0], r[1], r[2], r[3]);
}

static void print_difference(const struct smmucase *c, const struct weir_model_txn *txn,
			     const struct oracle_result *want, const struct answer *got)
{
	print_context(c, txn);
	fprintf(stderr, "oracle: result %d address %" PRIx64 " attributes %x%s ats %x may %x\n",
		want->result, want->addr, want->attributes, want->attributes_known ? "" : "?",
		want->ats, want->ats_may);
	print_record("oracle:", want->event, want->record);
	for (unsigned int i = 0; i < want->nr_updates; i++)
		fprintf(stderr, "oracle: update of %" PRIx64 ": must %" PRIx64 " may %" PRIx64 "\n",
			want->updates[i].addr, want->updates[i].must, want->updates[i].may);
	fprintf(stderr, "model:  result %d address %" PRIx64 " attributes %x ats %x size %u\n",
		got->result, got->out.addr, got->out.attributes, got->out.ats, got->out.size);
	print_record("model: ", got->event, got->record);
	for (unsigned int i = 0; i < c->box.nr_stores && i < BOX_STORES; i++)
		fprintf(stderr, "model: store to %" PRIx64 ": %" PRIx64 " -> %" PRIx64 "\n",
			c->box.stores[i].addr, c->box.stores[i].before, c->box.stores[i].after);
}

/* ---- Comparing ------------------------------------------------------------------------ */

static bool is_request(const struct weir_model_txn *txn)
{
	return txn->flags & WEIR_MODEL_TXN_ATS_REQUEST;
}

static bool same_request(const struct smmucase *c, const struct oracle_result *want,
			 const struct answer *got)
{
	uint8_t ats = got->out.ats & (uint8_t)~WEIR_MODEL_ATS_GLOBAL, size = got->out.size;
	const uint8_t rights = WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE | WEIR_MODEL_ATS_EXECUTE;

	if ((ats & (uint8_t)~want->ats_may) != (want->ats & (uint8_t)~want->ats_may))
		return false;
	if (got->result != WEIR_MODEL_OK || !(ats & rights))
		return true;
	if (size < 12 || size > want->ats_size || size > c->box.oas)
		return false;
	return got->out.addr == (want->addr & ~(((uint64_t)1 << size) - 1));
}

/* 7.3.1: an event like the last one may have been merged with it. */
static bool merged(const struct smmucase *c, const struct oracle_result *want)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t mask = want->mask[i] & (i == 2 ? ~(uint64_t)0xfff : ~(uint64_t)0);

		if ((want->record[i] ^ c->last_record[i]) & mask)
			return false;
	}
	return want->result != WEIR_MODEL_STALLED;
}

static bool same_event(const struct smmucase *c, const struct oracle_result *want,
		       const struct answer *got)
{
	if (!got->event)
		return !want->event || merged(c, want);
	if (!want->event || got->more_events)
		return false;
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t record = want->record[i];

		if (i == 1 && want->result == WEIR_MODEL_STALLED)
			record |= got->out.stag;
		if ((record ^ got->record[i]) & want->mask[i])
			return false;
	}
	return true;
}

/* The bits of a word that must and may flip, of all updates of it. */
static void flips_of(const struct smmucase *c, const struct oracle_result *want,
		     const uint64_t *word, uint64_t *must, uint64_t *may)
{
	*must = *may = 0;
	for (unsigned int i = 0; i < want->nr_updates; i++) {
		if (box_at(&c->box, want->updates[i].addr) == word) {
			*must |= want->updates[i].must;
			*may |= want->updates[i].may;
		}
	}
}

static bool same_updates(const struct smmucase *c, const struct oracle_result *want,
			 const uint64_t *before)
{
	for (unsigned int i = 0; i < want->nr_updates; i++) {
		const uint64_t *word = box_at(&c->box, want->updates[i].addr);
		uint64_t must, may, flips = *word ^ before[i];

		flips_of(c, want, word, &must, &may);
		if (must & ~flips || flips & ~(must | may))
			return false;
	}
	return true;
}

/* The model writes events to their places, descriptors that are to be updated, and nothing else. */
static bool only_those_stores(const struct smmucase *c, const struct oracle_result *want)
{
	uint64_t must, may;

	for (unsigned int i = 0; i < c->box.nr_stores && i < BOX_STORES; i++) {
		const uint64_t *word = box_at(&c->box, c->box.stores[i].addr);
		uint64_t offset = (uint64_t)((const uint8_t *)word - c->box.ram);

		flips_of(c, want, word, &must, &may);
		if (!(must | may) && offset - (BOX_EVENTQ - BOX_RAM) >= WEIR_SMMU_EVT_SIZE
										<< BOX_EVENTQ_LOG2)
			return false;
	}
	return true;
}

static bool same(const struct smmucase *c, const struct weir_model_txn *txn,
		 const struct oracle_result *want, const uint64_t *before, const struct answer *got)
{
	if (want->result != got->result || !same_event(c, want, got))
		return false;
	if (!same_updates(c, want, before) || !only_those_stores(c, want))
		return false;
	if (is_request(txn))
		return same_request(c, want, got);
	if (got->result != WEIR_MODEL_OK)
		return true;
	if (want->attributes_known && want->attributes != got->out.attributes)
		return false;
	return want->addr == got->out.addr;
}

/* Where RES0 bits are rejected, more is ILLEGAL than the oracle knows of (chapter 5). */
static bool rejected(const struct smmucase *c, const struct answer *got)
{
	return c->box.config.reserved == WEIR_MODEL_SMMUV3_RESERVED_REJECTED &&
	       got->result == WEIR_MODEL_BLOCKED &&
	       (!got->event || (got->record[0] & 0xff) <= WEIR_SMMU_EVT_C_BAD_CD);
}

void case_judge(const struct smmucase *c, const struct weir_model_txn *txn,
		struct case_verdict *verdict)
{
	const struct oracle_memory memory = { box_load, (void *)&c->box };
	uint32_t met = 0;

	verdict->n = 0;
	for (uint32_t choices = 0; choices < ORACLE_CHOICES; choices++) {
		struct oracle_result *want = &verdict->candidates[verdict->n];

		if (choices & ~met)
			continue;
		oracle_translate(&c->box.regs, &memory, txn, choices, want);
		met |= want->choices;
		for (unsigned int i = 0; i < want->nr_updates; i++)
			verdict->before[verdict->n][i] = box_get(&c->box, want->updates[i].addr);
		verdict->n++;
	}
}

/* What holds of the UNPREDICTABLE too. */
static bool possible(const struct smmucase *c, const struct weir_model_txn *txn,
		     const struct answer *got)
{
	return got->result != WEIR_MODEL_OK || is_request(txn) || !(got->out.addr >> c->box.oas);
}

static bool expected(const struct smmucase *c, const struct weir_model_txn *txn,
		     const struct case_verdict *verdict, const struct answer *got)
{
	for (unsigned int i = 0; i < verdict->n; i++)
		if (verdict->candidates[i].unsure ||
		    same(c, txn, &verdict->candidates[i], verdict->before[i], got))
			return true;
	return false;
}

/* ---- Transactions --------------------------------------------------------------------- */

/* A stalled transaction is let go. */
static void release(struct smmucase *c, const struct weir_model_txn *txn, const struct answer *got)
{
	unsigned int heard = c->box.resumed;

	if (take(c->in, 1) & 1)
		box_queue(&c->box, WEIR_SMMU_CMD_STALL_TERM | (uint64_t)txn->stream << 32, 0);
	else
		box_queue(&c->box,
			  WEIR_SMMU_CMD_RESUME | WEIR_SMMU_CMD_RESUME_0_ABORT |
				  (uint64_t)txn->stream << 32,
			  got->out.stag);
	box_sync(&c->box);
	REQUIRE(c->box.resumed == heard + 1 && c->box.resumed_how == WEIR_MODEL_BLOCKED);
}

static void ask(struct smmucase *c, const struct weir_model_txn *txn, struct answer *got)
{
	uint64_t more[4];

	*got = (struct answer){ 0 };
	box_forget(&c->box);
	got->result = weir_model_smmuv3_translate(c->box.smmu, txn, &got->out);
	got->event = box_event(&c->box, got->record);
	got->more_events = box_event(&c->box, more);
	if (got->result == WEIR_MODEL_OK && !is_request(txn))
		weir_model_smmuv3_complete(c->box.smmu, &got->out);
	REQUIRE(got->result != WEIR_MODEL_ABORT && !got->more_events);
	REQUIRE(!is_request(txn) || got->result == WEIR_MODEL_OK ||
		got->result == WEIR_MODEL_BLOCKED);
}

/*
 * Descriptors that hardware updates may be kept under other names (a table that is a stream table):
 * then the caches need not see it.
 */
static void look_for_overlaps(struct smmucase *c, const struct oracle_result *want)
{
	for (unsigned int i = 0; i < want->nr_updates; i++) {
		const uint64_t *word = box_at(&c->box, want->updates[i].addr);

		for (unsigned int j = 0; j < c->nr_puts && j < CASE_PUTS; j++)
			if (box_at(&c->box, c->puts[j]) == word && c->put_kinds[j] != PUT_LEAF)
				c->overlaps = true;
	}
}

void case_transaction(struct smmucase *c, const struct weir_model_txn *txn,
		      const struct case_verdict *also)
{
	static struct case_verdict verdict;
	const struct oracle_result *first = &verdict.candidates[0];
	struct answer got;

	case_judge(c, txn, &verdict);
	ask(c, txn, &got);
	c->transactions++;
	c->compared += !first->unsure;
	c->oks += got.result == WEIR_MODEL_OK;
	c->events += got.event;
	c->types[got.record[0] & 0xff] += got.event;
	if (!possible(c, txn, &got) ||
	    (!expected(c, txn, &verdict, &got) && !(also && expected(c, txn, also, &got)) &&
	     !rejected(c, &got))) {
		print_difference(c, txn, first, &got);
		REQUIRE(!"as the oracle says");
	}
	if (got.event)
		memcpy(c->last_record, got.record, sizeof(c->last_record));
	if (got.result == WEIR_MODEL_STALLED)
		release(c, txn, &got);
	look_for_overlaps(c, first);
	if (c->cached && (c->overlaps || first->unsure))
		box_invalidate_all(&c->box);
}

static uint64_t some_address(struct smmucase *c, const struct case_stream *s, unsigned int cd)
{
	unsigned int choice = take_below(c->in, 32), n = s->nr_pages[cd];
	uint64_t addr = take(c->in, 1) * 16;

	if (n > CASE_PAGES)
		n = CASE_PAGES;
	if (n && choice < 24)
		return s->pages[cd][choice % n] ^ addr;
	if (n && choice < 28)
		return s->pages[cd][choice % n] ^ (uint64_t)1 << take_below(c->in, 64);
	return choice == 31 ? take(c->in, 8) : BOX_RAM + (take(c->in, 1) << 12);
}

static uint16_t some_flags(struct smmucase *c)
{
	unsigned int choice = take_below(c->in, 256);
	bool ats = c->box.config.idr[0] & WEIR_SMMU_IDR0_ATS;
	uint16_t flags = (uint16_t)(choice & WEIR_MODEL_TXN_WRITE);

	if ((choice & 0x0e) == 0x0e)
		flags |= WEIR_MODEL_TXN_ATOMIC | WEIR_MODEL_TXN_WRITE;
	if ((choice & 0x30) == 0x30)
		flags |= WEIR_MODEL_TXN_INSTRUCTION;
	if (choice & 0x40)
		flags |= WEIR_MODEL_TXN_PRIVILEGED;
	if (!ats || !(choice & 0x80))
		return flags;
	flags &= (uint16_t)~WEIR_MODEL_TXN_ATOMIC;
	return flags | (choice & 8 ? WEIR_MODEL_TXN_TRANSLATED : WEIR_MODEL_TXN_ATS_REQUEST);
}

static struct weir_model_txn some_transaction(struct smmucase *c)
{
	const struct case_stream *s = &c->streams[take_below(c->in, c->nr_streams)];
	unsigned int choice = take_below(c->in, 256), cd = s->cds > 1 ? choice & 1 : 0;
	struct weir_model_txn txn = {
		.stream = s->sid,
		.len = 1,
		.flags = some_flags(c),
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};

	if (s->cds > 1 ? choice >> 1 & 3 : !(choice >> 1 & 31)) {
		txn.flags |= WEIR_MODEL_TXN_SUBSTREAM;
		txn.substream = cd;
	}
	if (choice >> 4 == 15)
		txn.stream ^= (uint32_t)take(c->in, 2);
	if (choice >> 4 == 14)
		txn.substream ^= (uint32_t)take(c->in, 3) & 0xfffff;
	if (choice >> 4 == 13)
		txn.attributes = (uint16_t)take(c->in, 2) & 0x3ff;
	txn.attributes |= WEIR_MODEL_ATTR_NS;
	txn.addr = some_address(c, s, cd);
	return txn;
}

/* ---- Cases ---------------------------------------------------------------------------- */

static void changed(struct smmucase *c)
{
	if (c->cached)
		box_invalidate_all(&c->box);
}

static void operate(struct smmucase *c)
{
	struct case_stream *s;
	struct weir_model_txn txn;

	switch (take_below(c->in, 16)) {
	case 0:
	case 1:
		case_mutate(c);
		changed(c);
		break;
	case 2:
		s = &c->streams[take_below(c->in, c->nr_streams)];
		case_map(c, s, take_below(c->in, s->cds ? s->cds : 1));
		changed(c);
		break;
	default:
		txn = some_transaction(c);
		case_transaction(c, &txn, NULL);
		case_transaction(c, &txn, NULL); /* out of the caches, where there are any */
	}
}

static void choose_caches(struct smmucase *c)
{
	static const uint8_t modes[] = {
		WEIR_MODEL_SMMUV3_CACHES_OFF,
		WEIR_MODEL_SMMUV3_CACHES_OFF,
		WEIR_MODEL_SMMUV3_CACHES_NORMAL,
		WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
	};
	unsigned int choice = take_below(c->in, 64);

	c->box.config.caches = modes[choice & 3];
	c->box.config.reserved = choice >> 2 & 15 ? WEIR_MODEL_SMMUV3_RESERVED_IGNORED :
						    WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	c->cached = c->box.config.caches != WEIR_MODEL_SMMUV3_CACHES_OFF;
}

void case_run(struct smmucase *c, struct input *in)
{
	unsigned int mistakes, choice;

	memset(c, 0, sizeof(*c));
	c->in = in;
	box_init(&c->box);
	box_choose(&c->box, in);
	choose_caches(c);
	box_create(&c->box);
	case_build(c);
	choice = take_below(in, 64);
	for (mistakes = c->cached ? 0 : choice & 3; mistakes; mistakes--)
		case_mutate(c);
	box_enable(&c->box, (choice >> 2 ? WEIR_SMMU_CR0_SMMUEN : 0) |
				    (choice & 16 && c->box.config.idr[0] & WEIR_SMMU_IDR0_ATS ?
					     WEIR_SMMU_CR0_ATSCHK :
					     0));
	for (unsigned int i = 0; i < STEPS && in->left; i++)
		operate(c);
	box_destroy(&c->box);
}
