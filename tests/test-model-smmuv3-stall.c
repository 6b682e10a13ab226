/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's fault model (IHI 0070 3.12, 5.5). Properties:
 *  - CD.A, R and S decide how a translation-related fault of stage 1 ends: abort or RAZ/WI,
 *    recorded or not, or stalled; S2R and S2S that of stage 2; other faults always abort, and are
 *    recorded;
 *  - a stalled transaction is recorded with its STAG, and goes on as CMD_RESUME says: retried,
 *    aborted, RAZ/WI where TERM_MODEL has it;
 *  - CMD_RESUME works for the STAG and the stream together, once; a STAG is not used for two
 *    transactions at a time;
 *  - CMD_STALL_TERM ends those of a stream, clearing SMMUEN ends all, at the latest in step(), and
 *    one that would stall just then is terminated in silence; CMD_SYNC waits for none;
 *  - a stall that cannot be recorded is no overflow: it is retried when the queue is writable, and
 *    recorded as it faults then, or not at all if it does not (7.2.1, 7.4);
 *  - transactions that want what a recorded one wants, and fault as it did, are not recorded, and
 *    are retried with it (3.12.2.1);
 *  - at most IDR5.STALL_MAX stall, what comes then is terminated and recorded with Stall == 0; so
 *    are those of a client that cannot wait, and with forced stalls they are recorded and
 *    withdrawn;
 *  - at stage 2 the fetches of CDs and of descriptors of stage 1 stall as well, with their class;
 *  - STALL_MODEL == 1 makes the commands illegal;
 *  - threads: every transaction of many threads that stall, are mended and resumed arrives.
 */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "smmuats.h"

#define STALL (1ull << 31)
#define STAG(word1) ((word1)&0xffff)
#define S2 (1ull << 39)
#define CLASS_CD 0ull
#define STALL_MAX 8u
#define VA 0x5000ull

static struct {
	unsigned int count;
	uint32_t stream[64];
	uint16_t stag[64];
	enum weir_model_result how[64];
} told;

static void on_resume(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result how)
{
	(void)opaque;
	assert_true(told.count < 64);
	told.stream[told.count] = stream;
	told.stag[told.count] = stag;
	told.how[told.count++] = how;
}

static const struct weir_model_smmuv3_client_ops client = { .resume = on_resume };
static const struct weir_model_smmuv3_client_ops deaf = { 0 };

/* An implementation that stalls; both stages. */
static void create_with(struct fixture *f, uint32_t stall_model, uint32_t term_model,
			const struct weir_model_smmuv3_client_ops *ops)
{
	uint32_t *idr = f->config.idr;

	set_field(&idr[0], WEIR_SMMU_IDR0_S2P, 1);
	set_field(&idr[0], WEIR_SMMU_IDR0_STALL_MODEL, stall_model);
	set_field(&idr[0], WEIR_SMMU_IDR0_TERM_MODEL, term_model);
	set_field(&idr[5], WEIR_SMMU_IDR5_STALL_MAX, STALL_MAX);
	recreate(f);
	if (ops)
		weir_model_smmuv3_set_client(f->smmu, ops, f);
	memset(&told, 0, sizeof(told));
}

static int set_up_stalls(void **state)
{
	if (set_up_enabled(state))
		return -1;
	create_with(*state, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, 0, &client);
	return 0;
}

#define STALLS(name) cmocka_unit_test_setup_teardown(name, set_up_stalls, tear_down)

/* A stream of stage 1 with these flags of its CD; returns its table. */
static uint64_t add_with(struct fixture *f, uint32_t sid, uint64_t ars)
{
	const uint64_t all = WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R | WEIR_SMMU_CD_0_S;
	uint64_t table = add_stream(f, sid);

	put(f, cd_of(sid), (cd_word0(sid) & ~all) | ars);
	return table;
}

#define ARS_STALL (WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_S)

static enum weir_model_result try_stream(struct fixture *f, uint32_t sid, uint64_t va, bool write,
					 uint16_t *stag)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.addr = va,
		.flags = write ? WEIR_MODEL_TXN_WRITE : 0,
	};
	struct weir_model_translation out = { 0 };
	enum weir_model_result result = dma_as(f, txn, &out);

	*stag = out.stag;
	return result;
}

/* A read that stalls with one event; its STAG. */
static uint16_t expect_stall(struct fixture *f, uint32_t sid, uint64_t va)
{
	uint64_t record[4];
	uint16_t stag;

	assert_int_equal(try_stream(f, sid, va, false, &stag), WEIR_MODEL_STALLED);
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, sid));
	assert_int_equal(record[1], READ | CLASS_IN | STALL | stag);
	assert_int_equal(record[2], va);
	expect_no_event(f);
	return stag;
}

static void resume(struct fixture *f, uint32_t sid, uint16_t stag, uint64_t action)
{
	command(f, for_stream(WEIR_SMMU_CMD_RESUME, sid) | action, stag);
}

static void expect_told(uint32_t sid, uint16_t stag, enum weir_model_result how)
{
	assert_int_equal(told.count, 1);
	assert_int_equal(told.stream[0], sid);
	assert_int_equal(told.stag[0], stag);
	assert_int_equal(told.how[0], how);
	told.count = 0;
}

/* ---- Termination (3.12.1, 5.5) --------------------------------------------------------- */

static void ars_decide(void **state)
{
	struct fixture *f = *state;
	static const uint64_t a[] = { 0, WEIR_SMMU_CD_0_A }, r[] = { 0, WEIR_SMMU_CD_0_R };
	uint64_t record[4];
	uint16_t stag;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t sid = 10 + i;

		add_with(f, sid, a[i & 1] | r[i >> 1]);
		assert_int_equal(try_stream(f, sid, VA, true, &stag),
				 i & 1 ? WEIR_MODEL_BLOCKED : WEIR_MODEL_IGNORED);
		assert_int_equal(pop_event(f, record), i >> 1);
		if (i >> 1)
			assert_int_equal(record[1], CLASS_IN);
	}
	assert_int_equal(told.count, 0);
}

/* Faults that A, R and S have nothing to do with. */
static void others_abort(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_with(f, STREAM, WEIR_SMMU_CD_0_S);
	uint64_t record[4];

	/* F_WALK_EABT. */
	put(f, table, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect_blocked(f, VA);
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM));
	assert_false(record[1] & STALL);
	/* C_BAD_CD. */
	put(f, cd_of(STREAM), cd_word0(STREAM) & ~WEIR_SMMU_CD_0_V);
	invalidate_all(f);
	expect_blocked(f, VA);
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM));
	assert_int_equal(told.count, 0);
}

/* 3.4: a stage 1 that is bypassed has no flags; its address size fault aborts. */
static void bypassed_stage1_aborts(void **state)
{
	struct fixture *f = *state;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_blocked(f, 1ull << 50);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_ADDR_SIZE, STREAM), READ | CLASS_IN, 1ull << 50, 0);
}

static void s1stalld_forbids(void **state)
{
	struct fixture *f = *state;

	add_with(f, STREAM, ARS_STALL);
	put(f, ste_of(STREAM) + 8, WEIR_SMMU_STE_1_S1STALLD);
	expect_blocked(f, VA);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
}

/* ---- CMD_RESUME (4.7.1) ---------------------------------------------------------------- */

static void retried(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_with(f, STREAM, ARS_STALL);
	uint16_t stag = expect_stall(f, STREAM, VA);

	assert_int_equal(told.count, 0);
	map(f, table, VA, PAGES | PAGE);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY | WEIR_SMMU_CMD_RESUME_0_ABORT);
	expect_told(STREAM, stag, WEIR_MODEL_OK);
	expect_read(f, VA, PAGES);
	/* A retry that faults again is a new transaction. */
	stag = expect_stall(f, STREAM, 0x9000);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM, stag, WEIR_MODEL_OK);
	expect_stall(f, STREAM, 0x9000);
}

static void terminated(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	stag = expect_stall(f, STREAM, VA);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_ABORT);
	expect_told(STREAM, stag, WEIR_MODEL_BLOCKED);
	stag = expect_stall(f, STREAM, VA);
	resume(f, STREAM, stag, 0);
	expect_told(STREAM, stag, WEIR_MODEL_IGNORED);
	expect_no_event(f);
}

static void term_model_aborts(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	create_with(f, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, 1, &client);
	add_with(f, STREAM, ARS_STALL);
	stag = expect_stall(f, STREAM, VA);
	resume(f, STREAM, stag, 0);
	expect_told(STREAM, stag, WEIR_MODEL_BLOCKED);
}

static void names_one_transaction(void **state)
{
	struct fixture *f = *state;
	uint16_t first, second;

	add_with(f, STREAM, ARS_STALL);
	add_with(f, STREAM + 1, ARS_STALL);
	first = expect_stall(f, STREAM, VA);
	second = expect_stall(f, STREAM + 1, VA);
	assert_int_not_equal(first, second);
	/* Another stream's STAG; STAGs that nobody has. */
	resume(f, STREAM, second, WEIR_SMMU_CMD_RESUME_0_RETRY);
	resume(f, STREAM, (uint16_t)(second + 1), WEIR_SMMU_CMD_RESUME_0_RETRY);
	resume(f, STREAM, 0xffff, WEIR_SMMU_CMD_RESUME_0_RETRY);
	assert_int_equal(told.count, 0);
	resume(f, STREAM, first, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM, first, WEIR_MODEL_OK);
	/* Once. */
	resume(f, STREAM, first, WEIR_SMMU_CMD_RESUME_0_RETRY);
	assert_int_equal(told.count, 0);
	resume(f, STREAM + 1, second, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM + 1, second, WEIR_MODEL_OK);
}

static void stags_are_unique(void **state)
{
	struct fixture *f = *state;
	uint16_t stags[STALL_MAX];

	add_with(f, STREAM, ARS_STALL);
	for (unsigned int i = 0; i < STALL_MAX; i++) {
		stags[i] = expect_stall(f, STREAM, VA + i * 0x1000);
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(stags[i], stags[j]);
	}
	/* What was given back does not come again soon, and stands for nothing until it does. */
	for (unsigned int i = 0; i < 300; i++) {
		uint16_t stag;

		resume(f, STREAM, i ? (uint16_t)told.stag[0] : stags[0],
		       WEIR_SMMU_CMD_RESUME_0_RETRY);
		told.count = 0;
		stag = expect_stall(f, STREAM, 0x100000);
		assert_int_not_equal(stag, stags[0]);
		resume(f, STREAM, stags[0], WEIR_SMMU_CMD_RESUME_0_RETRY);
		assert_int_equal(told.count, 0);
		told.stag[0] = stag;
	}
}

static void stall_max_is_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t va = VA;
	uint16_t stag = 0;

	add_with(f, STREAM, ARS_STALL);
	for (unsigned int i = 0; i < STALL_MAX; i++, va += 0x1000)
		stag = expect_stall(f, STREAM, va);
	expect_blocked(f, va);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN, va, 0);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_stall(f, STREAM, va);
}

/* ---- The others that end them ---------------------------------------------------------- */

static void stall_term_ends_a_stream(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	add_with(f, STREAM + 1, ARS_STALL);
	expect_stall(f, STREAM, VA);
	stag = expect_stall(f, STREAM + 1, VA);
	expect_stall(f, STREAM, VA + 0x1000);
	command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM), 0);
	assert_int_equal(told.count, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(told.stream[i], STREAM);
		assert_int_equal(told.how[i], WEIR_MODEL_BLOCKED);
	}
	told.count = 0;
	resume(f, STREAM + 1, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM + 1, stag, WEIR_MODEL_OK);
}

static void smmuen_ends_all(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	stag = expect_stall(f, STREAM, VA);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	expect_told(STREAM, stag, WEIR_MODEL_BLOCKED);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
	assert_int_equal(told.count, 0);
}

/* With adversarial caches SMMUEN falls in step(), which tells before it looks at commands. */
static void smmuen_ends_all_late(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	f->config.caches = WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
	create_with(f, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, 0, &client);
	add_with(f, STREAM, ARS_STALL);
	stag = expect_stall(f, STREAM, VA);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	assert_int_equal(told.count, 0);
	step(f, 0);
	expect_told(STREAM, stag, WEIR_MODEL_BLOCKED);
}

/* A transaction whose walk takes its time, of a page that goes meanwhile. */
static uint32_t walking;
static enum weir_model_result walked;

static void take_time(struct fixture *f, uint64_t addr)
{
	put(f, addr, 0);
	__atomic_store_n(&walking, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 10000; i++)
		sched_yield();
}

static void *walk_slowly(void *opaque)
{
	uint16_t stag;

	walked = try_stream(opaque, STREAM, VA, false, &stag);
	return NULL;
}

/* 6.3.9.6. SMMUEN falls between the begin and the fault, unless this thread comes too late. */
static void smmuen_falls_before_a_stall(void **state)
{
	struct fixture *f = *state;
	uint32_t cr0 = (uint32_t)rd(f, WEIR_SMMU_CR0, 4);
	uint64_t table, record[4];
	pthread_t thread;

	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF);
	f->windows = false;
	create_with(f, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, 0, &client);
	table = add_with(f, STREAM, ARS_STALL | WEIR_SMMU_CD_0_HA);
	f->before_cas = take_time;
	walked = WEIR_MODEL_STALLED;
	for (unsigned int i = 0; i < 100 && walked == WEIR_MODEL_STALLED; i++) {
		while (pop_event(f, record))
			continue;
		told.count = 0;
		map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AF));
		__atomic_store_n(&walking, 0, __ATOMIC_RELAXED);
		assert_int_equal(pthread_create(&thread, NULL, walk_slowly, f), 0);
		while (!__atomic_load_n(&walking, __ATOMIC_ACQUIRE))
			sched_yield();
		wr(f, WEIR_SMMU_CR0, 4, cr0 & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
		pthread_join(thread, NULL);
		wr(f, WEIR_SMMU_CR0, 4, cr0);
	}
	assert_int_equal(walked, WEIR_MODEL_BLOCKED);
	assert_int_equal(told.count, 0);
	expect_no_event(f);
	/* Others stall as ever. */
	expect_stall(f, STREAM, VA + 0x1000);
}

static void sync_waits_for_none(void **state)
{
	struct fixture *f = *state;

	add_with(f, STREAM, ARS_STALL);
	expect_stall(f, STREAM, VA);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

static void expect_illegal(struct fixture *f, uint64_t word0)
{
	uint32_t gerror = (uint32_t)rd(f, WEIR_SMMU_GERROR, 4);

	queue_command(f, word0, 0);
	step(f, 10);
	assert_true((rd(f, WEIR_SMMU_GERROR, 4) ^ gerror) & WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR,
					     rd(f, WEIR_SMMU_CMDQ_CONS, 4)),
			 WEIR_SMMU_CERROR_ILL);
	/* Replaced by one that is legal. */
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
}

static void illegal_without_stalls(void **state)
{
	struct fixture *f = *state;

	/* On an implementation that has them, Secure streams are not this queue's. */
	expect_illegal(f, for_stream(WEIR_SMMU_CMD_RESUME, STREAM) | WEIR_SMMU_CMD_0_SSEC);
	expect_illegal(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM) | WEIR_SMMU_CMD_0_SSEC);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_STALL_MODEL,
		  WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL);
	set_field(&f->config.idr[5], WEIR_SMMU_IDR5_STALL_MAX, 0);
	recreate(f);
	expect_illegal(f, for_stream(WEIR_SMMU_CMD_RESUME, STREAM));
	expect_illegal(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM));
}

/* ---- Recording ------------------------------------------------------------------------- */

static void fill_event_queue(struct fixture *f)
{
	add_stream(f, 20); /* terminates, and records */
	for (unsigned int i = 0; i < 1u << EVENTQ_LOG2; i++) {
		uint64_t pa;

		assert_int_equal(dma(f, 20, VA, false, &pa), WEIR_MODEL_BLOCKED);
	}
}

static void not_lost_in_a_full_queue(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_with(f, STREAM, ARS_STALL), record[4];
	uint16_t first, second;

	fill_event_queue(f);
	assert_int_equal(try_stream(f, STREAM, VA, false, &first), WEIR_MODEL_STALLED);
	assert_int_equal(try_stream(f, STREAM, VA + 0x1000, false, &second), WEIR_MODEL_STALLED);
	assert_int_equal(told.count, 0);
	assert_false(rd(f, WEIR_SMMU_EVENTQ_PROD, 4) & WEIR_SMMU_EVENTQ_PROD_OVFLG);
	/* No retry while there is no room; nor does the STAG that nobody knows count. */
	step(f, 10);
	resume(f, STREAM, first, WEIR_SMMU_CMD_RESUME_0_RETRY);
	assert_int_equal(told.count, 0);
	/* Meanwhile the first page appears. */
	map(f, table, VA, PAGES | PAGE);
	assert_true(pop_event(f, record));
	assert_int_equal(told.count, 2);
	assert_int_equal(told.how[0], WEIR_MODEL_OK);
	assert_int_equal(told.how[1], WEIR_MODEL_OK);
	expect_read(f, VA, PAGES);
	assert_int_equal(try_stream(f, STREAM, VA + 0x1000, false, &second), WEIR_MODEL_STALLED);
	while (pop_event(f, record) && !(record[1] & STALL))
		;
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM));
	assert_int_equal(STAG(record[1]), second);
	assert_int_equal(record[2], VA + 0x1000);
	expect_no_event(f);
}

static void not_lost_without_a_queue(void **state)
{
	struct fixture *f = *state;
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_CMDQEN);
	assert_int_equal(try_stream(f, STREAM, VA, false, &stag), WEIR_MODEL_STALLED);
	assert_int_equal(told.count, 0);
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_CMDQEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_told(STREAM, stag, WEIR_MODEL_OK);
	expect_stall(f, STREAM, VA);
}

/* 7.2.2: what an abort of the queue's memory lost is retried once it is acknowledged. */
static void not_lost_in_an_abort(void **state)
{
	struct fixture *f = *state;
	const uint32_t enables =
		WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_CMDQEN | WEIR_SMMU_CR0_EVENTQEN;
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	wr(f, WEIR_SMMU_CR0, 4, enables & ~(uint32_t)WEIR_SMMU_CR0_EVENTQEN);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, NOWHERE | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, enables);
	assert_int_equal(try_stream(f, STREAM, VA, false, &stag), WEIR_MODEL_STALLED);
	assert_true(rd(f, WEIR_SMMU_GERROR, 4) & WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	wr(f, WEIR_SMMU_CR0, 4, enables & ~(uint32_t)WEIR_SMMU_CR0_EVENTQEN);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, enables);
	assert_int_equal(told.count, 0);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	expect_told(STREAM, stag, WEIR_MODEL_OK);
	expect_stall(f, STREAM, VA);
}

/* An unrecorded one is ended by what ends the others; nothing comes of its event then. */
static void unrecorded_ones_end(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4];
	uint16_t stag;

	add_with(f, STREAM, ARS_STALL);
	fill_event_queue(f);
	assert_int_equal(try_stream(f, STREAM, VA, false, &stag), WEIR_MODEL_STALLED);
	command(f, for_stream(WEIR_SMMU_CMD_STALL_TERM, STREAM), 0);
	expect_told(STREAM, stag, WEIR_MODEL_BLOCKED);
	while (pop_event(f, record))
		assert_int_equal(record[0] >> 32, 20);
	assert_int_equal(told.count, 0);
}

static void duplicates_are_suppressed(void **state)
{
	struct fixture *f = *state;
	uint16_t first, second, third, write;
	uint64_t record[4];

	add_with(f, STREAM, ARS_STALL);
	first = expect_stall(f, STREAM, VA);
	assert_int_equal(try_stream(f, STREAM, VA + 0x80, false, &second), WEIR_MODEL_STALLED);
	assert_int_equal(try_stream(f, STREAM, VA + 0x90, false, &third), WEIR_MODEL_STALLED);
	expect_no_event(f);
	/* Another direction, another page. */
	assert_int_equal(try_stream(f, STREAM, VA, true, &write), WEIR_MODEL_STALLED);
	assert_true(pop_event(f, record));
	assert_int_equal(STAG(record[1]), write);
	expect_stall(f, STREAM, VA + 0x1000);
	/* The first is terminated, the others are retried. */
	resume(f, STREAM, first, WEIR_SMMU_CMD_RESUME_0_ABORT);
	assert_int_equal(told.count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		bool is_first = told.stag[i] == first;

		assert_true(is_first || told.stag[i] == second || told.stag[i] == third);
		assert_int_equal(told.how[i], is_first ? WEIR_MODEL_BLOCKED : WEIR_MODEL_OK);
	}
	/* Then one of them speaks for the rest. */
	expect_stall(f, STREAM, VA + 0x80);
}

/* The page, but not for the same reason: who serves the first cannot mend the second. */
static void other_faults_are_recorded(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_with(f, STREAM, ARS_STALL), record[4];
	uint16_t first, second, third;

	first = expect_stall(f, STREAM, VA);
	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV));
	assert_int_equal(try_stream(f, STREAM, VA, false, &second), WEIR_MODEL_STALLED);
	assert_true(pop_event(f, record));
	assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM));
	assert_int_equal(record[1], READ | CLASS_IN | STALL | second);
	assert_int_equal(try_stream(f, STREAM, VA + 8, false, &third), WEIR_MODEL_STALLED);
	expect_no_event(f);
	/* Each speaks for its own. */
	resume(f, STREAM, first, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM, first, WEIR_MODEL_OK);
	resume(f, STREAM, second, WEIR_SMMU_CMD_RESUME_0_RETRY);
	assert_int_equal(told.count, 2);
}

/* ---- Clients that cannot wait ---------------------------------------------------------- */

static void terminated_if_nobody_waits(void **state)
{
	struct fixture *f = *state;

	create_with(f, WEIR_SMMU_IDR0_STALL_MODEL_BOTH, 0, &deaf);
	add_with(f, STREAM, WEIR_SMMU_CD_0_S); /* A and R do not matter */
	expect_blocked(f, VA);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), READ | CLASS_IN, VA, 0);
}

static void withdrawn_if_stalls_are_forced(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4];
	uint16_t stag;

	create_with(f, WEIR_SMMU_IDR0_STALL_MODEL_FORCED, 0, NULL);
	add_with(f, STREAM, ARS_STALL);
	for (unsigned int i = 0; i < 3 * STALL_MAX; i++) {
		expect_blocked(f, VA);
		assert_true(pop_event(f, record));
		assert_true(record[1] & STALL);
		stag = STAG(record[1]);
		resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_ABORT);
	}
	/* Without a record there is nothing to withdraw from. */
	fill_event_queue(f);
	for (unsigned int i = 0; i < 2 * STALL_MAX; i++)
		expect_blocked(f, VA);
	while (pop_event(f, record))
		;
	/* Nobody waits for the answer to a record: it speaks for no other transaction. */
	for (unsigned int i = 0; i < 2; i++) {
		expect_blocked(f, VA);
		assert_true(pop_event(f, record));
		assert_true(record[1] & STALL);
	}
}

/* ---- Stage 2 --------------------------------------------------------------------------- */

/* 4K, 40 bits in from level 1: two concatenated tables. Returns the first. */
static uint64_t add_stage2(struct fixture *f, uint32_t sid, unsigned int config, uint64_t flags)
{
	uint64_t table = new_table(f);

	put_ste(f, sid, config);
	put(f, ste_of(sid) + 8, WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, 1));
	put(f, ste_of(sid) + 16,
	    WEIR_SMMU_STE_2_S2AA64 | WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2PS, WEIR_SMMU_PS_44) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2T0SZ, 24) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_2_S2SL0, 1) | flags);
	put(f, ste_of(sid) + 24, table);
	return table;
}

/* Reads and writes, normal memory, accessed. */
#define S2_LEAF (WEIR_VMSA_AF | 3ull << 6 | 0xfull << 2)
#define S2_PAGE (S2_LEAF | WEIR_VMSA_TYPE_PAGE)

static void map_ipa(struct fixture *f, uint64_t table, uint64_t ipa)
{
	map_at(f, table, 1, 12, ipa, 3, ipa | S2_PAGE);
}

static void stage2_stalls(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_S2, WEIR_SMMU_STE_2_S2S);
	uint16_t stag;

	assert_int_equal(try_stream(f, STREAM, PAGES + 0x123, false, &stag), WEIR_MODEL_STALLED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM),
		     READ | CLASS_IN | S2 | STALL | stag, PAGES + 0x123, PAGES);
	map_ipa(f, table, PAGES);
	resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
	expect_told(STREAM, stag, WEIR_MODEL_OK);
	expect_read(f, PAGES + 0x123, PAGES + 0x123);
}

static void stage2_terminates(void **state)
{
	struct fixture *f = *state;

	add_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_S2, 0);
	expect_blocked(f, PAGES);
	expect_no_event(f);
	add_stage2(f, STREAM + 1, WEIR_SMMU_STE_CONFIG_S2, WEIR_SMMU_STE_2_S2R);
	assert_int_equal(dma(f, STREAM + 1, PAGES, false, &(uint64_t){ 0 }), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM + 1), READ | CLASS_IN | S2,
		     PAGES, PAGES);
}

/* Nested: the CD's IPA, then each table of stage 1, then the address itself. */
static void stage2_stalls_fetches(void **state)
{
	struct fixture *f = *state;
	uint64_t s2 = add_stage2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, WEIR_SMMU_STE_2_S2S);
	uint64_t s1 = new_table(f), record[4];
	uint64_t classes = 0;
	uint16_t stag;

	/* Stage 1 terminates, in silence: its faults would be RAZ/WI. */
	put_cd(f, STREAM, cd_word0(STREAM) & ~(WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R), s1, s1);
	map(f, s1, VA, PAGES | PAGE);
	for (unsigned int i = 0; try_stream(f, STREAM, VA, false, &stag) != WEIR_MODEL_OK; i++) {
		assert_true(i < 8);
		assert_true(pop_event(f, record));
		assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM));
		assert_int_equal(record[1] & ~(3ull << 40), READ | S2 | STALL | stag);
		assert_int_equal(record[2], VA);
		classes = classes << 2 | WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_1_CLASS, record[1]);
		map_ipa(f, s2, record[3]);
		resume(f, STREAM, stag, WEIR_SMMU_CMD_RESUME_0_RETRY);
		expect_told(STREAM, stag, WEIR_MODEL_OK);
	}
	/* CD, four levels of stage 1, input: the tables lie in pages of their own. */
	assert_int_equal(classes, 0x156);
	expect_no_event(f);
}

/* ---- Threads --------------------------------------------------------------------------- */

#define THREADS 3u
#define ROUNDS 300u

/* What a thread waits for: by STAG, as resumes may come before translate() returns. */
struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint8_t how[0x10000]; /* enum weir_model_result + 1; 0: not told yet */
};

struct crew {
	struct fixture *f;
	struct waiting waiting;
	uint64_t table;
	unsigned int arrived, running;
	unsigned int ended[3]; /* by CMD_RESUME's action */
};

static void crew_resume(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result how)
{
	struct crew *crew = opaque;

	(void)stream;
	pthread_mutex_lock(&crew->waiting.lock);
	assert_int_equal(crew->waiting.how[stag], 0);
	crew->waiting.how[stag] = (uint8_t)(how + 1);
	pthread_cond_broadcast(&crew->waiting.changed);
	pthread_mutex_unlock(&crew->waiting.lock);
}

static const struct weir_model_smmuv3_client_ops crew_client = { .resume = crew_resume };

static enum weir_model_result wait_for(struct crew *crew, uint16_t stag)
{
	enum weir_model_result how;

	pthread_mutex_lock(&crew->waiting.lock);
	while (!crew->waiting.how[stag])
		pthread_cond_wait(&crew->waiting.changed, &crew->waiting.lock);
	how = (enum weir_model_result)(crew->waiting.how[stag] - 1);
	crew->waiting.how[stag] = 0;
	pthread_mutex_unlock(&crew->waiting.lock);
	return how;
}

struct worker {
	struct crew *crew;
	unsigned int index;
	pthread_t thread;
};

/* All threads want the same pages in turn, so that some follow others. */
static void *worker(void *opaque)
{
	struct worker *w = opaque;
	struct crew *crew = w->crew;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct weir_model_txn txn = {
			.stream = STREAM,
			.addr = VA + (uint64_t)i * 0x1000,
			.flags = (w->index + i) % 4 ? 0 : WEIR_MODEL_TXN_WRITE,
		};
		struct weir_model_translation out = { 0 };
		enum weir_model_result how;

		while ((how = dma_as(crew->f, txn, &out)) == WEIR_MODEL_STALLED) {
			how = wait_for(crew, out.stag);
			if (how != WEIR_MODEL_OK)
				break;
		}
		if (how == WEIR_MODEL_OK)
			assert_int_equal(out.addr, PAGES + (uint64_t)i * 0x1000);
		__atomic_add_fetch(&crew->arrived, 1, __ATOMIC_RELAXED);
	}
	__atomic_sub_fetch(&crew->running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Software: each event is answered, mostly with a page. */
static void serve(struct crew *crew, const uint64_t *record, unsigned int *served)
{
	uint64_t va = record[2] & ~0xfffull;

	if (!(record[1] & STALL))
		return;
	if (++*served % 7 == 0) {
		resume(crew->f, STREAM, STAG(record[1]), WEIR_SMMU_CMD_RESUME_0_ABORT);
		return;
	}
	map(crew->f, crew->table, va, (va - VA + PAGES) | PAGE);
	resume(crew->f, STREAM, STAG(record[1]), WEIR_SMMU_CMD_RESUME_0_RETRY);
}

static void threads_all_arrive(void **state)
{
	struct fixture *f = *state;
	struct crew *crew = calloc(1, sizeof(*crew));
	struct worker workers[THREADS];
	unsigned int served = 0;
	uint64_t record[4];

	assert_non_null(crew);
	crew->f = f;
	crew->running = THREADS;
	pthread_mutex_init(&crew->waiting.lock, NULL);
	pthread_cond_init(&crew->waiting.changed, NULL);
	weir_model_smmuv3_set_client(f->smmu, &crew_client, crew);
	crew->table = add_with(f, STREAM, ARS_STALL);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .crew = crew, .index = i };
		pthread_create(&workers[i].thread, NULL, worker, &workers[i]);
	}
	while (__atomic_load_n(&crew->running, __ATOMIC_ACQUIRE)) {
		if (pop_event(f, record))
			serve(crew, record, &served);
		else
			sched_yield();
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(crew->arrived, THREADS * ROUNDS);
	assert_true(served >= ROUNDS);
	free(crew);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STALLS(ars_decide),
		STALLS(others_abort),
		STALLS(bypassed_stage1_aborts),
		STALLS(s1stalld_forbids),
		STALLS(retried),
		STALLS(terminated),
		STALLS(term_model_aborts),
		STALLS(names_one_transaction),
		STALLS(stags_are_unique),
		STALLS(stall_max_is_the_limit),
		STALLS(stall_term_ends_a_stream),
		STALLS(smmuen_ends_all),
		STALLS(smmuen_ends_all_late),
		STALLS(smmuen_falls_before_a_stall),
		STALLS(sync_waits_for_none),
		STALLS(illegal_without_stalls),
		STALLS(not_lost_in_a_full_queue),
		STALLS(not_lost_without_a_queue),
		STALLS(not_lost_in_an_abort),
		STALLS(unrecorded_ones_end),
		STALLS(duplicates_are_suppressed),
		STALLS(other_faults_are_recorded),
		STALLS(terminated_if_nobody_waits),
		STALLS(withdrawn_if_stalls_are_forced),
		STALLS(stage2_stalls),
		STALLS(stage2_terminates),
		STALLS(stage2_stalls_fetches),
		STALLS(threads_all_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
