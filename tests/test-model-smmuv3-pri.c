/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's page requests (IHI 0070 chapter 8). Properties:
 *  - a request is an entry of the queue, with what it asks for and whom for; X and Priv with a
 *    PASID alone; stop markers are entries too;
 *  - the queue interrupts when it gets an entry, or with LO for the last of each group;
 *  - full, it overflows: OVFLG, nothing is written until it is acknowledged; the last request of a
 *    group is answered with success, with a PASID as PPS and STE.PPAR have it, or with failure
 *    where there is no STE; the others, and stop markers, are dropped in silence;
 *  - disabled, or after an abort of its memory, each request is answered with failure and no PASID;
 *  - CMD_PRI_RESP reaches the device that it names, and is illegal without PRI or with code 3;
 *  - a device asks for the page that it lacks, and goes on when it is there; with threads as well.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "smmuats.h"

#define PRIQ (RAM_BASE + 0x18000)
#define PRIQ_LOG2 2u
#define PRIQ_ENTRIES (1u << PRIQ_LOG2)
#define VA 0x5000ull
#define ENABLES                                                                                    \
	(uint32_t)(WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN |          \
		   WEIR_SMMU_CR0_PRIQEN)
#define OVFLG (uint32_t) WEIR_SMMU_EVENTQ_PROD_OVFLG

#define SUCCESS WEIR_SMMU_CMD_PRI_RESP_SUCCESS
#define INVALID WEIR_SMMU_CMD_PRI_RESP_INVALID
#define FAILURE WEIR_SMMU_CMD_PRI_RESP_FAILURE

static struct {
	unsigned int count;
	uint32_t stream, substream;
	bool has_substream;
	uint16_t group;
	unsigned int code;
} told;

static void on_response(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			uint16_t group, unsigned int code)
{
	(void)opaque;
	told.count++;
	told.stream = stream;
	told.has_substream = has_substream;
	told.substream = substream;
	told.group = group;
	told.code = code;
}

static const struct weir_model_smmuv3_client_ops client = { .page_response = on_response };

static uint32_t priq_cons;

static void start(struct fixture *f)
{
	recreate(f);
	weir_model_smmuv3_set_client(f->smmu, &client, f);
	wr(f, WEIR_SMMU_PRIQ_BASE, 8, PRIQ | PRIQ_LOG2);
	wr(f, WEIR_SMMU_PRIQ_PROD, 4, 0);
	wr(f, WEIR_SMMU_PRIQ_CONS, 4, 0);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN);
	wr(f, WEIR_SMMU_CR0, 4, ENABLES);
	memset(&told, 0, sizeof(told));
	memset(f->lines, 0, sizeof(f->lines));
	priq_cons = 0;
}

static int set_up_pri(void **state)
{
	if (set_up_enabled(state))
		return -1;
	have_ats(*state);
	start(*state);
	return 0;
}

#define PRI(name) cmocka_unit_test_setup_teardown(name, set_up_pri, tear_down)

static void send(struct fixture *f, struct weir_model_smmuv3_page_request request)
{
	request.stream = request.stream ? request.stream : STREAM;
	weir_model_smmuv3_page_request(f->smmu, &request);
}

#define SEND(f, ...) send(f, (struct weir_model_smmuv3_page_request){ __VA_ARGS__ })

static bool pop_request(struct fixture *f, uint64_t *entry)
{
	uint32_t prod = (uint32_t)rd(f, WEIR_SMMU_PRIQ_PROD, 4);

	if ((prod - priq_cons) % (2 * PRIQ_ENTRIES) == 0)
		return false;
	memcpy(entry, at(f, PRIQ + priq_cons % PRIQ_ENTRIES * WEIR_SMMU_PRI_SIZE),
	       WEIR_SMMU_PRI_SIZE);
	priq_cons = (priq_cons + 1) % (2 * PRIQ_ENTRIES);
	wr(f, WEIR_SMMU_PRIQ_CONS, 4, priq_cons | (prod & OVFLG));
	return true;
}

static void expect_request(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint64_t entry[2];

	assert_true(pop_request(f, entry));
	assert_int_equal(entry[0], word0);
	assert_int_equal(entry[1], word1);
	assert_false(pop_request(f, entry));
}

static void expect_response(uint16_t group, bool has_substream, uint32_t substream,
			    unsigned int code)
{
	assert_int_equal(told.count, 1);
	assert_int_equal(told.stream, STREAM);
	assert_int_equal(told.group, group);
	assert_int_equal(told.has_substream, has_substream);
	if (has_substream)
		assert_int_equal(told.substream, substream);
	assert_int_equal(told.code, code);
	told.count = 0;
}

static void expect_no_response(void)
{
	assert_int_equal(told.count, 0);
}

/* ---- The queue ------------------------------------------------------------------------- */

static void entries(void **state)
{
	struct fixture *f = *state;

	SEND(f, .addr = 0xfedcba9876543000, .group = 0x1ff, .read = true, .last = true);
	expect_request(f, WEIR_SMMU_PRI_0_R | WEIR_SMMU_PRI_0_LAST | STREAM, 0xfedcba98765431ff);
	SEND(f, .addr = VA, .group = 3, .has_substream = true, .substream = 0xabcde, .write = true,
	     .execute = true, .privileged = true);
	expect_request(f,
		       WEIR_SMMU_PRI_0_W | WEIR_SMMU_PRI_0_X | WEIR_SMMU_PRI_0_PRIV |
			       WEIR_SMMU_PRI_0_SSV | 0xabcdeull << 32 | STREAM,
		       VA | 3);
	/* Without a PASID there is no Priv and no Exe. */
	SEND(f, .addr = VA, .substream = 7, .read = true, .execute = true, .privileged = true);
	expect_request(f, WEIR_SMMU_PRI_0_R | STREAM, VA);
	/* A stop marker. */
	SEND(f, .has_substream = true, .substream = 9, .last = true);
	expect_request(f, WEIR_SMMU_PRI_0_LAST | WEIR_SMMU_PRI_0_SSV | 9ull << 32 | STREAM, 0);
	expect_no_response();
}

static void no_pasids_without_substreams(void **state)
{
	struct fixture *f = *state;

	set_field(&f->config.idr[1], WEIR_SMMU_IDR1_SSIDSIZE, 0);
	start(f);
	SEND(f, .addr = VA, .has_substream = true, .substream = 7, .read = true, .execute = true);
	expect_request(f, WEIR_SMMU_PRI_0_R | STREAM, VA);
}

static void interrupts(void **state)
{
	struct fixture *f = *state;
	uint64_t entry[2];

	SEND(f, .read = true);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 1);
	SEND(f, .read = true, .last = true);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 0);
	while (pop_request(f, entry))
		;
	/* LO: with the last of a group, whatever is in the queue. */
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	wr(f, WEIR_SMMU_PRIQ_IRQ_CFG2, 4, WEIR_SMMU_PRIQ_IRQ_CFG2_LO);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, WEIR_SMMU_IRQ_CTRL_PRIQ_IRQEN);
	SEND(f, .read = true);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 0);
	SEND(f, .read = true, .last = true);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 1);
	SEND(f, .read = true);
	SEND(f, .read = true);
	/* 6.3.36: one that is dropped for an overflow counts as well. */
	SEND(f, .read = true, .last = true);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 1);
}

/* ---- Overflow (8.1) -------------------------------------------------------------------- */

static void fill(struct fixture *f)
{
	for (unsigned int i = 0; i < PRIQ_ENTRIES; i++)
		SEND(f, .addr = VA + i * 0x1000, .group = 1, .read = true);
	expect_no_response();
}

static void overflows(void **state)
{
	struct fixture *f = *state;
	uint64_t entry[2];

	fill(f);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), PRIQ_ENTRIES);
	SEND(f, .group = 1, .read = true); /* not the last: silence */
	expect_no_response();
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), PRIQ_ENTRIES | OVFLG);
	SEND(f, .group = 1, .read = true, .last = true);
	expect_response(1, false, 0, SUCCESS);
	/* L W R == 100 without a PASID is a request. */
	SEND(f, .group = 2, .last = true);
	expect_response(2, false, 0, SUCCESS);
	SEND(f, .group = 3, .has_substream = true, .last = true);
	expect_no_response();
	/* Room alone does not end it, an acknowledgement does. */
	wr(f, WEIR_SMMU_PRIQ_CONS, 4, 2);
	SEND(f, .group = 4, .read = true, .last = true);
	expect_response(4, false, 0, SUCCESS);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), PRIQ_ENTRIES | OVFLG);
	priq_cons = 2;
	while (pop_request(f, entry))
		;
	SEND(f, .addr = VA, .group = 5, .read = true, .last = true);
	expect_no_response();
	expect_request(f, WEIR_SMMU_PRI_0_R | WEIR_SMMU_PRI_0_LAST | STREAM, VA | 5);
}

static void overflow_responses_have_pasids(void **state)
{
	struct fixture *f = *state;
	const struct weir_model_smmuv3_page_request request = {
		.group = 6,
		.has_substream = true,
		.substream = 0x2a,
		.read = true,
		.last = true,
	};

	/* PPS == 0: as STE.PPAR has it. */
	add_stream(f, STREAM);
	fill(f);
	send(f, request);
	expect_response(6, false, 0, SUCCESS);
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_STE_1_PPAR);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	send(f, request);
	expect_response(6, true, 0x2a, SUCCESS);
	/* No STE to look at: failure, without a PASID; recorded if asked for. */
	put(f, ste_of(STREAM), 0);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	send(f, request);
	expect_response(6, false, 0, FAILURE);
	expect_no_event(f);
	/* PPS: always, and no STE is looked at. */
	set_field(&f->config.idr[3], WEIR_SMMU_IDR3_PPS, 1);
	start(f);
	fill(f);
	send(f, request);
	expect_response(6, true, 0x2a, SUCCESS);
}

static void overflow_errors_are_recorded(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_REC_CFG_ATS | WEIR_SMMU_CR2_RECINVSID);
	wr(f, WEIR_SMMU_CR0, 4, ENABLES);
	fill(f);
	SEND(f, .group = 6, .has_substream = true, .substream = 3, .read = true, .last = true);
	expect_response(6, false, 0, FAILURE);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM) | WEIR_SMMU_EVT_0_SSV | 3ull << 12,
		     0, 0, 0);
	SEND(f, .stream = 999, .group = 6, .has_substream = true, .substream = 3, .read = true,
	     .last = true);
	assert_int_equal(told.stream, 999);
	assert_int_equal(told.code, FAILURE);
	expect_event(f,
		     EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 999) | WEIR_SMMU_EVT_0_SSV | 3ull << 12,
		     0, 0, 0);
}

/* ---- No queue (8.2) -------------------------------------------------------------------- */

/* Each request, the last or not; no marker. */
static void expect_refused(struct fixture *f)
{
	for (unsigned int last = 0; last < 2; last++) {
		SEND(f, .group = 7, .has_substream = true, .substream = 5, .read = true,
		     .last = last);
		expect_response(7, false, 0, FAILURE);
	}
	SEND(f, .has_substream = true, .substream = 5, .last = true);
	expect_no_response();
}

static void disabled(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_PRIQEN);
	expect_refused(f);
	/* PRIQEN reads as set, and counts as clear. */
	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	expect_refused(f);
	assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), 0);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_PRIQ]), 0);
}

static void aborted(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_PRIQEN);
	wr(f, WEIR_SMMU_PRIQ_BASE, 8, NOWHERE | PRIQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, ENABLES);
	/* The write itself is synchronous; then the error closes the queue. */
	for (unsigned int i = 0; i < 2; i++) {
		expect_refused(f);
		assert_true(rd(f, WEIR_SMMU_GERROR, 4) & WEIR_SMMU_GERROR_PRIQ_ABT_ERR);
		assert_int_equal(rd(f, WEIR_SMMU_PRIQ_PROD, 4), 0);
	}
}

static void absent(void **state)
{
	struct fixture *f = *state;

	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_PRI, 0);
	start(f);
	expect_refused(f);
}

/* ---- CMD_PRI_RESP (4.5.2) -------------------------------------------------------------- */

static uint64_t resp(uint64_t code, uint64_t group)
{
	return WEIR_SMMU_FIELD(WEIR_SMMU_CMD_PRI_RESP_1_RESP, code) | group;
}

static void responses(void **state)
{
	struct fixture *f = *state;
	const uint64_t word0 = for_stream(WEIR_SMMU_CMD_PRI_RESP, STREAM);

	command(f, word0, resp(SUCCESS, 0x1ff));
	expect_response(0x1ff, false, 0, SUCCESS);
	command(f, word0 | WEIR_SMMU_CMD_0_SSV | 0x77ull << 12, resp(INVALID, 3));
	expect_response(3, true, 0x77, INVALID);
	command(f, word0, resp(FAILURE, 3));
	expect_response(3, false, 0, FAILURE);
	/* 4.7.3: CMD_SYNC has nothing to wait for. */
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	command(f, word0, resp(SUCCESS, 1));
	expect_no_response();
}

static void expect_illegal(struct fixture *f, uint64_t code)
{
	queue_command(f, for_stream(WEIR_SMMU_CMD_PRI_RESP, STREAM), resp(code, 0));
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR,
					     rd(f, WEIR_SMMU_CMDQ_CONS, 4)),
			 WEIR_SMMU_CERROR_ILL);
	expect_no_response();
}

static void illegal_responses(void **state)
{
	struct fixture *f = *state;

	expect_illegal(f, 3);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_PRI, 0);
	start(f);
	expect_illegal(f, SUCCESS);
}

/* ---- A device -------------------------------------------------------------------------- */

static unsigned int step_device(struct weir_model_atc *atc)
{
	struct weir_model_stepper *stepper = weir_model_atc_stepper(atc);

	return stepper->step(stepper, 16);
}

static uint64_t add_pasid1(struct fixture *f)
{
	return fill_cd(f, add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_TERMINATE), 1);
}

static void respond_to(struct fixture *f, const uint64_t *entry, unsigned int code)
{
	uint64_t ssid = WEIR_SMMU_FIELD_GET(WEIR_SMMU_PRI_0_SSID, entry[0]);

	queue_command(f,
		      for_stream(WEIR_SMMU_CMD_PRI_RESP, STREAM) | WEIR_SMMU_CMD_0_SSV |
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, ssid),
		      resp(code, entry[1] & WEIR_SMMU_PRI_1_PRGI));
	step(f, 10);
}

static void device_asks_for_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_pasid1(f), value = 0x5eed, entry[2];
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_PROMPT, true);
	struct weir_model_atc_job job = {
		.addr = VA + 8,
		.buf = &value,
		.len = sizeof(value),
		.substream = 1,
		.flags = PASID | WEIR_MODEL_TXN_WRITE,
	};

	assert_int_equal(weir_model_atc_start(atc, &job), WEIR_MODEL_STALLED);
	assert_int_equal(step_device(atc), 0);
	assert_true(pop_request(f, entry));
	assert_int_equal(entry[0], WEIR_SMMU_PRI_0_R | WEIR_SMMU_PRI_0_W | WEIR_SMMU_PRI_0_LAST |
					   WEIR_SMMU_PRI_0_SSV | 1ull << 32 | STREAM);
	assert_int_equal(entry[1] & WEIR_SMMU_PRI_1_ADDR, VA);
	/* Read-only is not what it asked for: it asks again. */
	map(f, table, VA, PAGES | PAGE | WEIR_VMSA_AP_RDONLY);
	respond_to(f, entry, SUCCESS);
	assert_int_equal(step_device(atc), 1);
	assert_int_equal(job.result, WEIR_MODEL_STALLED);
	assert_true(pop_request(f, entry));
	map(f, table, VA, PAGES | PAGE);
	invalidate_all(f);
	respond_to(f, entry, SUCCESS);
	assert_int_equal(step_device(atc), 1);
	assert_int_equal(job.result, WEIR_MODEL_OK);
	assert_int_equal(*at(f, PAGES + 8), 0x5eed);
	/* What software has not got. */
	job.addr = VA + 0x1000;
	assert_int_equal(weir_model_atc_start(atc, &job), WEIR_MODEL_STALLED);
	assert_true(pop_request(f, entry));
	respond_to(f, entry, INVALID);
	assert_int_equal(step_device(atc), 1);
	assert_int_equal(job.result, WEIR_MODEL_BLOCKED);
	expect_no_event(f);
	weir_model_atc_destroy(atc);
}

/* ---- Threads --------------------------------------------------------------------------- */

#define THREADS 3u
#define ROUNDS 200u

struct crew {
	struct weir_model_atc *atc;
	unsigned int running;
};

struct waiting_job {
	struct weir_model_atc_job job; /* first */
	bool over;
};

static void on_done(struct weir_model_atc_job *job)
{
	struct waiting_job *waiting = (struct waiting_job *)(void *)job;

	__atomic_store_n(&waiting->over, true, __ATOMIC_RELEASE);
}

struct worker {
	struct crew *crew;
	unsigned int index;
	pthread_t thread;
};

/* Pages of its own, one after the other, each asked for. */
static void *worker(void *opaque)
{
	struct worker *w = opaque;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t value = w->index << 16 | i;
		struct waiting_job waiting = {
			.job = {
				.addr = VA + (uint64_t)(i * THREADS + w->index) * 0x1000,
				.buf = &value,
				.len = sizeof(value),
				.substream = 1,
				.flags = PASID | WEIR_MODEL_TXN_WRITE,
				.done = on_done,
			},
		};
		enum weir_model_result result = weir_model_atc_start(w->crew->atc, &waiting.job);

		while (result == WEIR_MODEL_STALLED) {
			if (__atomic_load_n(&waiting.over, __ATOMIC_ACQUIRE))
				result = waiting.job.result;
			else
				sched_yield();
		}
		assert_int_equal(result, WEIR_MODEL_OK);
	}
	__atomic_sub_fetch(&w->crew->running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void threads_get_their_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_pasid1(f), entry[2];
	struct crew crew = { .atc = add_device(f, WEIR_MODEL_ATC_PROMPT, true),
			     .running = THREADS };
	struct worker workers[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .crew = &crew, .index = i };
		pthread_create(&workers[i].thread, NULL, worker, &workers[i]);
	}
	while (__atomic_load_n(&crew.running, __ATOMIC_ACQUIRE)) {
		if (pop_request(f, entry)) {
			uint64_t va = entry[1] & WEIR_SMMU_PRI_1_ADDR;

			map(f, table, va, (va - VA + PAGES) | PAGE);
			respond_to(f, entry, SUCCESS);
		} else if (!step_device(crew.atc)) {
			sched_yield();
		}
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		for (unsigned int j = 0; j < ROUNDS; j++)
			assert_int_equal(*at(f, PAGES + (uint64_t)(j * THREADS + i) * 0x1000),
					 i << 16 | j);
	}
	weir_model_atc_destroy(crew.atc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRI(entries),
		PRI(no_pasids_without_substreams),
		PRI(interrupts),
		PRI(overflows),
		PRI(overflow_responses_have_pasids),
		PRI(overflow_errors_are_recorded),
		PRI(disabled),
		PRI(aborted),
		PRI(absent),
		PRI(responses),
		PRI(illegal_responses),
		PRI(device_asks_for_pages),
		PRI(threads_get_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
