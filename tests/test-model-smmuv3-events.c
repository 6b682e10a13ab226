/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's output queues. Proves:
 *  - the event queue: interrupts, overflow and its acknowledgement, sizes, inconsistent indexes,
 *    aborts, nothing written while EVENTQ_ABT_ERR is active; what is written and lost is counted;
 *  - whole records of each type;
 *  - merging: identical but for the offset in a page, until software has read the record; not
 *    stalls, not unless it is asked for, not across a reconfiguration, not where it never is;
 *  - a stall's record is not lost when the queue is not writable, and is no overflow;
 *  - the PRI queue: effective enable, overflow that closes it, aborts, interrupts of either kind;
 *  - threads: no event stays in the queue without an interrupt; a source that is acknowledged as
 *    disabled is silent.
 */

#include "smmuhost.h"

#include "smmuv3/internal.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define PRIQ (RAM_BASE + 0x20000)
#define PRIQ_LOG2 3u

static void add_features(struct fixture *f, uint64_t idr0, uint64_t idr1)
{
	f->config.idr[0] |= (uint32_t)idr0;
	f->config.idr[1] |= (uint32_t)idr1;
	become(f, &f->config);
	f->eventq_cons = 0;
}

/* ---- The event queue -------------------------------------------------------------------- */

static void event_interrupts(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_EVENTQ];
	uint64_t record[4];

	expect_blocked(f, 0x1000);
	expect_blocked(f, 0x1000);
	assert_int_equal(*line, 1); /* from empty to not empty, once */
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(*line, 1);
	assert_true(pop_event(f, record));
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(*line, 2);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(*line, 2);
}

static void overflow(void **state)
{
	struct fixture *f = *state;
	const unsigned int size = 1u << EVENTQ_LOG2;
	uint64_t record[4];

	for (unsigned int i = 0; i < size; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), size); /* full, nothing lost yet */
	for (unsigned int i = 0; i < 3; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), size | 1u << 31);
	assert_int_equal(stats_of(f).events_written, size);
	assert_int_equal(stats_of(f).events_lost, 3);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	for (unsigned int i = 0; i < size; i++)
		assert_true(pop_event(f, record)); /* and acknowledged */
	expect_no_event(f);
	/* The next overflow toggles the flag back. */
	for (unsigned int i = 0; i < size + 1; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	assert_int_equal(stats_of(f).events_lost, 4);
}

/* 7.4: room without an acknowledgement is room; the second overflow does not show. */
static void overflow_that_nobody_acknowledges(void **state)
{
	struct fixture *f = *state;
	const unsigned int size = 1u << EVENTQ_LOG2;

	for (unsigned int i = 0; i < size + 1; i++)
		expect_blocked(f, 0x1000);
	wr(f, WEIR_SMMU_EVENTQ_CONS, 4, 1);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), (size + 1) | 1u << 31);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), (size + 1) | 1u << 31);
	assert_int_equal(stats_of(f).events_written, size + 1);
	assert_int_equal(stats_of(f).events_lost, 2);
}

static void event_queue_sizes(void **state)
{
	struct fixture *f = *state;

	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_EVENTQS;
	add_features(f, 0, WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, 3));
	enable(f);
	for (unsigned int log2size = 0; log2size <= 6; log2size++) {
		unsigned int entries = 1u << (log2size < 3 ? log2size : 3);

		wr(f, WEIR_SMMU_CR0, 4, 0);
		memset(at(f, EVENTQ), 0, 0x1000);
		/* Aligned to its size. */
		wr(f, WEIR_SMMU_EVENTQ_BASE, 8,
		   (EVENTQ + (entries - 1) * WEIR_SMMU_EVT_SIZE) | log2size);
		wr(f, WEIR_SMMU_EVENTQ_PROD, 8, 0); /* and EVENTQ_CONS */
		wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
		for (unsigned int i = 0; i < 2 * entries; i++)
			expect_blocked(f, 0x1000);
		assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), entries | 1u << 31);
		assert_true(*at(f, EVENTQ + (entries - 1) * WEIR_SMMU_EVT_SIZE));
		assert_false(*at(f, EVENTQ + entries * WEIR_SMMU_EVT_SIZE));
	}
}

/* 3.5.1: as if it were full. */
static void inconsistent_event_indexes(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_EVENTQ_CONS, 4, 1);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 1u << 31);
	assert_int_equal(*at(f, EVENTQ), 0);
}

/* What is lost without an overflow: the queue is disabled. */
static void disabled_event_queue(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	assert_int_equal(stats_of(f).events_lost, 1);
}

static void event_queue_abort(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_GERROR];

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, NOWHERE | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	assert_int_equal(*line, 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_EVENTQ], 0);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	/* 7.2.1: repaired, but nothing is written while the error is active. */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_blocked(f, 0x1000);
	expect_no_event(f);
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	assert_int_equal(stats_of(f).events_lost, 2);
	assert_int_equal(*line, 1);
}

/* ---- Records ---------------------------------------------------------------------------- */

#define VA 0xffffabcd12345678ull
#define SID 0xbeefu

/* One that says all that can be said: a privileged fetch of an instruction, at stage 2. */
static const struct smmu_fault full_fault = {
	.class = WEIR_SMMU_EVT_CLASS_TT,
	.stage2 = true,
	.ipa = 0x123456789abcd,
	.fetch = 0xfedcba987654f,
};

static struct smmu_access access_of(struct fixture *f, unsigned int flags)
{
	return (struct smmu_access){ .smmu = f->smmu,
				     .bank = &f->smmu->ns,
				     .va = VA,
				     .sid = SID,
				     .ssid = 0x54321,
				     .flags = (uint16_t)flags };
}

static void record_of(struct fixture *f, uint8_t type, unsigned int flags, uint64_t reason,
		      uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
{
	struct smmu_access access = access_of(f, flags);
	struct smmu_fault fault = full_fault;

	fault.type = type;
	fault.reason = reason;
	assert_true(weir_model_smmu_event(&access, &fault, false, 0, false));
	expect_event(f, EVENT0(type, SID) | word0, word1, word2, word3);
}

#define FETCH (WEIR_MODEL_TXN_SUBSTREAM | WEIR_MODEL_TXN_INSTRUCTION | WEIR_MODEL_TXN_PRIVILEGED)
#define SSID_BITS 0x54321800ull
#define PNU (1ull << 33)
#define IND (1ull << 34)
#define S2 (1ull << 39)

static void whole_records(void **state)
{
	struct fixture *f = *state;
	const uint64_t attributes = PNU | IND | READ, stage = S2 | CLASS_TT;
	const uint64_t ipa = 0x123456789a000, fetched = 0xfedcba9876548;

	record_of(f, WEIR_SMMU_EVT_F_UUT, FETCH, 0x77, SSID_BITS, attributes | 0x77, VA, 0);
	record_of(f, WEIR_SMMU_EVT_C_BAD_STREAMID, FETCH, 0, SSID_BITS, 0, 0, 0);
	record_of(f, WEIR_SMMU_EVT_F_STE_FETCH, FETCH, 0x77, SSID_BITS, 0x77, 0, fetched);
	record_of(f, WEIR_SMMU_EVT_C_BAD_STE, FETCH, 0, SSID_BITS, 0, 0, 0);
	record_of(f, WEIR_SMMU_EVT_F_BAD_ATS_TREQ, FETCH, 3, SSID_BITS,
		  1ull << 31 | 1ull << 29 | 1ull << 28 | 3, VA & ~0xfffull, 0);
	record_of(f, WEIR_SMMU_EVT_F_BAD_ATS_TREQ, WEIR_MODEL_TXN_WRITE, 1, 0,
		  1ull << 31 | 1ull << 30 | 1, VA & ~0xfffull, 0);
	record_of(f, WEIR_SMMU_EVT_F_STREAM_DISABLED, FETCH, 0, SSID_BITS, 0, 0, 0);
	record_of(f, WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN, FETCH, 0, SSID_BITS, READ, VA, 0);
	record_of(f, WEIR_SMMU_EVT_F_CD_FETCH, FETCH, 0, SSID_BITS, 0, 0, fetched);
	record_of(f, WEIR_SMMU_EVT_C_BAD_CD, FETCH, 0, SSID_BITS, 0, 0, 0);
	record_of(f, WEIR_SMMU_EVT_F_WALK_EABT, FETCH, 0, SSID_BITS, attributes | stage, VA,
		  fetched);
	record_of(f, WEIR_SMMU_EVT_F_TRANSLATION, FETCH, 0, SSID_BITS, attributes | stage, VA, ipa);
	record_of(f, WEIR_SMMU_EVT_F_ADDR_SIZE, FETCH, 0, SSID_BITS, attributes | stage, VA, ipa);
	record_of(f, WEIR_SMMU_EVT_F_ACCESS, FETCH, 0, SSID_BITS, attributes | stage, VA, ipa);
	record_of(f, WEIR_SMMU_EVT_F_PERMISSION, FETCH, WEIR_SMMU_EVT_1_TTRNW, SSID_BITS,
		  attributes | stage | 1ull << 44, VA, ipa);
	record_of(f, WEIR_SMMU_EVT_F_TLB_CONFLICT, FETCH, 0x77, SSID_BITS,
		  attributes | stage | 0x77, VA, ipa);
	record_of(f, WEIR_SMMU_EVT_F_CFG_CONFLICT, FETCH, 0x77, SSID_BITS, 0x77, 0, 0);
	record_of(f, WEIR_SMMU_EVT_F_VMS_FETCH, FETCH, 0, SSID_BITS, 0, 0, fetched);
	/* 7.3.9: the SubstreamID needs no SSV. */
	record_of(f, WEIR_SMMU_EVT_C_BAD_SUBSTREAMID, FETCH, 0, 0x54321000, 0, 0, 0);
	record_of(f, WEIR_SMMU_EVT_C_BAD_SUBSTREAMID, 0, 0, 0x54321000, 0, 0, 0);
	/* Without a SubstreamID; a write is data (7.3.12). */
	record_of(f, WEIR_SMMU_EVT_F_TRANSLATION, WEIR_MODEL_TXN_WRITE | WEIR_MODEL_TXN_INSTRUCTION,
		  0, 0, stage, VA, ipa);
}

static void records_of_stage1_and_stalls(void **state)
{
	struct fixture *f = *state;
	struct smmu_access access = access_of(f, 0);
	struct smmu_fault fault = full_fault;

	fault.type = WEIR_SMMU_EVT_F_TRANSLATION;
	fault.stage2 = false;
	fault.class = WEIR_SMMU_EVT_CLASS_IN;
	assert_true(weir_model_smmu_event(&access, &fault, true, 0xabcd, false));
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, SID),
		     1ull << 31 | 0xabcd | READ | CLASS_IN, VA, 0);
	/* Speculation is silent. */
	access.silent = true;
	assert_true(weir_model_smmu_event(&access, &fault, false, 0, false));
	expect_no_event(f);
	assert_int_equal(stats_of(f).events_lost, 0);
}

/* ---- Merging ---------------------------------------------------------------------------- */

static unsigned int records_in_queue(struct fixture *f)
{
	return (unsigned int)(rd(f, WEIR_SMMU_EVENTQ_PROD, 4) - rd(f, WEIR_SMMU_EVENTQ_CONS, 4));
}

static bool fault_at(struct fixture *f, uint64_t va, uint8_t type, bool stall, bool merge)
{
	struct smmu_access access = access_of(f, 0);
	struct smmu_fault fault = { .type = type, .class = WEIR_SMMU_EVT_CLASS_IN };

	access.va = va;
	return weir_model_smmu_event(&access, &fault, stall, 1, merge);
}

static void merging(void **state)
{
	struct fixture *f = *state;
	const uint8_t type = WEIR_SMMU_EVT_F_TRANSLATION;
	uint64_t record[4];

	assert_true(fault_at(f, 0x1004, type, false, true));
	assert_true(fault_at(f, 0x1ff8, type, false, true)); /* the same page */
	assert_int_equal(records_in_queue(f), 1);
	assert_int_equal(stats_of(f).events_written, 1);
	assert_true(fault_at(f, 0x1004, type, false, false)); /* MEV == 0 */
	assert_int_equal(records_in_queue(f), 2);
	assert_true(fault_at(f, 0x2004, type, false, true));
	assert_int_equal(records_in_queue(f), 3);
	assert_true(fault_at(f, 0x2004, WEIR_SMMU_EVT_F_ACCESS, false, true));
	assert_int_equal(records_in_queue(f), 4);
	/* Stalls merge with nothing, nothing with stalls. */
	assert_true(fault_at(f, 0x2004, type, true, true));
	assert_true(fault_at(f, 0x2004, type, true, true));
	assert_int_equal(records_in_queue(f), 6);
	/* What software has read is told again. */
	assert_true(fault_at(f, 0x3000, type, false, true));
	while (pop_event(f, record))
		;
	assert_true(fault_at(f, 0x3000, type, false, true));
	assert_int_equal(records_in_queue(f), 1);
	/* And what may be in another queue. */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	assert_true(fault_at(f, 0x3000, type, false, true));
	assert_int_equal(records_in_queue(f), 2);
	assert_int_equal(stats_of(f).events_lost, 0);
}

/* 5.2 MEV: it may merge; an implementation need not. */
static void no_merging(void **state)
{
	struct fixture *f = *state;

	f->config.never_merges = true;
	become(f, &f->config);
	f->eventq_cons = 0;
	enable(f);
	assert_true(fault_at(f, 0x1004, WEIR_SMMU_EVT_F_TRANSLATION, false, true));
	assert_true(fault_at(f, 0x1004, WEIR_SMMU_EVT_F_TRANSLATION, false, true));
	assert_int_equal(records_in_queue(f), 2);
}

/* The offset counts where the event does not say that it does not. */
static void merging_of_other_types(void **state)
{
	struct fixture *f = *state;
	struct smmu_access access = { .smmu = f->smmu, .bank = &f->smmu->ns, .sid = STREAM };
	struct smmu_fault fetch = { .type = WEIR_SMMU_EVT_F_CD_FETCH };

	assert_true(fault_at(f, 0x1004, WEIR_SMMU_EVT_F_UUT, false, true));
	assert_true(fault_at(f, 0x1008, WEIR_SMMU_EVT_F_UUT, false, true));
	assert_int_equal(records_in_queue(f), 2);
	assert_true(fault_at(f, 0x1004, WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN, false, true));
	assert_true(fault_at(f, 0x1008, WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN, false, true));
	assert_int_equal(records_in_queue(f), 3);
	assert_true(fault_at(f, 0, WEIR_SMMU_EVT_C_BAD_STE, false, true));
	assert_true(fault_at(f, 8, WEIR_SMMU_EVT_C_BAD_STE, false, true));
	assert_int_equal(records_in_queue(f), 4);
	/* What was fetched elsewhere is another. */
	for (unsigned int i = 0; i < 4; i++) {
		fetch.fetch = CDS + i / 2 * 64;
		assert_true(weir_model_smmu_event(&access, &fetch, false, 0, true));
		assert_int_equal(records_in_queue(f), 5 + i / 2);
	}
}

/* 7.2.1, 7.4: kept by whoever stalls, and no overflow. */
static void stalls_are_not_lost(void **state)
{
	struct fixture *f = *state;
	const uint8_t type = WEIR_SMMU_EVT_F_TRANSLATION;
	const unsigned int size = 1u << EVENTQ_LOG2;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_false(fault_at(f, 0, type, true, false));
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	for (unsigned int i = 0; i < size; i++)
		assert_true(fault_at(f, 0, type, true, false));
	assert_false(fault_at(f, 0, type, true, false));
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), size);
	wr(f, WEIR_SMMU_EVENTQ_CONS, 4, 1);
	assert_true(fault_at(f, 0, type, true, false));
	assert_int_equal(stats_of(f).events_lost, 0);
	wr(f, WEIR_SMMU_EVENTQ_CONS, 4, 4);
	weir_model_smmu_global_error(&f->smmu->ns, WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	assert_false(fault_at(f, 0, type, true, false));
}

/* ---- The PRI queue ---------------------------------------------------------------------- */

static void enable_priq(struct fixture *f, uint64_t cfg2, uint64_t base)
{
	add_features(f, WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_PRI,
		     WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_PRIQS, 10));
	enable(f);
	wr(f, WEIR_SMMU_PRIQ_BASE, 8, base | PRIQ_LOG2);
	wr(f, WEIR_SMMU_PRIQ_IRQ_CFG2, 4, cfg2);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0x7);
	wr(f, WEIR_SMMU_CR0, 4, 0xf);
}

static bool request(struct fixture *f, uint64_t word0)
{
	struct smmu_bank *bank = &f->smmu->ns;
	const uint64_t record[2] = { word0, 0x5000 };
	bool written;

	pthread_mutex_lock(&bank->priq.lock);
	written = weir_model_smmu_put_request(bank, record);
	pthread_mutex_unlock(&bank->priq.lock);
	weir_model_smmu_send_irqs(bank);
	return written;
}

static void pri_queue(void **state)
{
	struct fixture *f = *state;
	struct smmu_outq *queue;
	const unsigned int size = 1u << PRIQ_LOG2;

	enable_priq(f, 0, PRIQ);
	queue = &f->smmu->ns.priq;
	for (unsigned int i = 0; i < size; i++)
		assert_true(request(f, i + 1));
	assert_int_equal(*at(f, PRIQ + 16 * 3), 4);
	assert_int_equal(*at(f, PRIQ + 16 * 3 + 8), 0x5000);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PRIQ], 1);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), size);
	assert_false(request(f, 99));
	assert_true(queue->overflowed);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), size | 1u << 31);
	/* 8.1: closed until the overflow is acknowledged. */
	wr(f, WEIR_SMMU_PRIQ_CONS, 4, size);
	assert_false(request(f, 99));
	assert_true(queue->overflowed);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), size | 1u << 31);
	wr(f, WEIR_SMMU_PRIQ_CONS, 4, size | 1u << 31);
	assert_true(request(f, 100));
	assert_int_equal(*at(f, PRIQ), 100);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_PRIQ], 2);
	assert_int_equal(queue->written, size + 1);
	assert_int_equal(queue->lost, 2);
}

/* 6.3.36 */
static void last_requests_alone_interrupt(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_PRIQ];

	enable_priq(f, WEIR_SMMU_PRIQ_IRQ_CFG2_LO, PRIQ);
	assert_true(request(f, 1));
	assert_int_equal(*line, 0);
	assert_true(request(f, WEIR_SMMU_PRI_0_LAST));
	assert_true(request(f, WEIR_SMMU_PRI_0_LAST));
	assert_int_equal(taken(line), 2);
	for (unsigned int i = 3; i < 1u << PRIQ_LOG2; i++)
		assert_true(request(f, 1));
	/* Lost by an overflow it interrupts too, for another reason it does not. */
	assert_false(request(f, 1));
	assert_int_equal(*line, 0);
	assert_false(request(f, WEIR_SMMU_PRI_0_LAST));
	assert_int_equal(taken(line), 1);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	assert_false(request(f, WEIR_SMMU_PRI_0_LAST));
	assert_int_equal(*line, 0);
}

/* 6.3.9.5, 8.2 */
static void closed_pri_queue(void **state)
{
	struct fixture *f = *state;
	const struct smmu_outq *queue;

	enable_priq(f, 0, NOWHERE);
	queue = &f->smmu->ns.priq;
	assert_false(request(f, 1));
	assert_false(queue->overflowed);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_PRIQ_ABT_ERR);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), 0);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_PRIQ_BASE, 8, PRIQ | PRIQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, 0xf);
	assert_false(request(f, 1)); /* the error is active */
	assert_int_equal(*at(f, PRIQ), 0);
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_PRIQ_ABT_ERR);
	assert_true(request(f, 1));
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_PRIQEN); /* not without SMMUEN */
	assert_false(request(f, 1));
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	assert_false(request(f, 1));
	assert_false(queue->overflowed);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), 1);
}

/* ---- Threads ---------------------------------------------------------------------------- */

#define PRODUCERS 2u
#define FAULTS 5000u

static void *fault_often(void *opaque)
{
	uint64_t pa;

	for (unsigned int i = 0; i < FAULTS; i++)
		dma(opaque, STREAM, 0x1000, false, &pa);
	return NULL;
}

/* Events are read after an interrupt alone, as long as there are any. */
static void no_interrupt_is_lost(void **state)
{
	struct fixture *f = *state;
	const time_t deadline = time(NULL) + 30;
	pthread_t threads[PRODUCERS];
	uint64_t record[4], read = 0;

	for (unsigned int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fault_often, f), 0);
	while (read + stats_of(f).events_lost < (uint64_t)PRODUCERS * FAULTS) {
		assert_true(time(NULL) < deadline);
		if (!taken(&f->lines[WEIR_MODEL_SMMUV3_EVENTQ])) {
			sched_yield();
			continue;
		}
		while (pop_event(f, record))
			read++;
	}
	for (unsigned int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(read, stats_of(f).events_written);
}

static bool raising;

static void *raise_often(void *opaque)
{
	struct fixture *f = opaque;

	while (__atomic_load_n(&raising, __ATOMIC_RELAXED)) {
		weir_model_smmu_raise(&f->smmu->ns, WEIR_MODEL_SMMUV3_EVENTQ);
		weir_model_smmu_send_irqs(&f->smmu->ns);
	}
	return NULL;
}

/* 6.3.16, 3.18.1 */
static void disabled_sources_are_silent(void **state)
{
	struct fixture *f = *state;
	const unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_EVENTQ];
	pthread_t threads[PRODUCERS];

	__atomic_store_n(&raising, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, raise_often, f), 0);
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int before;

		wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
		while (rd(f, WEIR_SMMU_IRQ_CTRLACK, 4))
			sched_yield();
		before = __atomic_load_n(line, __ATOMIC_RELAXED);
		sched_yield();
		assert_int_equal(__atomic_load_n(line, __ATOMIC_RELAXED), before);
		wr(f, WEIR_SMMU_IRQ_CTRL, 4, WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN);
		sched_yield();
	}
	__atomic_store_n(&raising, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(*line > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(event_interrupts),
		TEST(overflow),
		TEST(overflow_that_nobody_acknowledges),
		TEST_DISABLED(event_queue_sizes),
		TEST(inconsistent_event_indexes),
		TEST(disabled_event_queue),
		TEST(event_queue_abort),
		TEST(whole_records),
		TEST(records_of_stage1_and_stalls),
		TEST(merging),
		TEST(no_merging),
		TEST(merging_of_other_types),
		TEST(stalls_are_not_lost),
		TEST_DISABLED(pri_queue),
		TEST_DISABLED(last_requests_alone_interrupt),
		TEST_DISABLED(closed_pri_queue),
		TEST(no_interrupt_is_lost),
		TEST(disabled_sources_are_silent),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: output queues", tests, NULL, NULL);
}
