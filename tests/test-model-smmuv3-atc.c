/* SPDX-License-Identifier: MIT */

/*
 * Invalidations of devices' caches by the SMMUv3 model (IHI 0070 3.9.1.4, 3.9.1.5, 4.5.1, 4.7.3),
 * and a device that has one. Properties:
 *  - CMD_ATC_INV tells the device what it names;
 *  - CMD_SYNC waits for every answer, whatever their order, and fails with CERROR_ATC_INV_SYNC if
 *    one timed out, once; late and invented answers end nothing; meanwhile flights land as usual;
 *  - more invalidations than the model keeps wait for room;
 *  - a device with an ATC goes by what it cached, of each privilege apart, until it is told, and no
 *    longer; it answers each of several invalidations; an answer that an invalidation overtakes is
 *    not cached, and the invalidation ends after its use: also with threads, no access arrives in
 *    a page after the CMD_SYNC that followed its unmapping;
 *  - with adversarial caches it shows if software does not wait for the SMMU's TLB first.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "smmuats.h"

#define VA 0x5000ull
#define ENABLES (uint32_t)(WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)

/* The latest invalidations that a client was told. */
static struct {
	unsigned int count;
	uint32_t stream, substream;
	bool has_substream, global;
	uint64_t addr;
	unsigned int size;
	unsigned int itags[256];
} told;

static void on_invalidate(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			  bool global, uint64_t addr, unsigned int size, unsigned int itag)
{
	(void)opaque;
	assert_true(told.count < 256);
	told.stream = stream;
	told.has_substream = has_substream;
	told.substream = substream;
	told.global = global;
	told.addr = addr;
	told.size = size;
	told.itags[told.count++] = itag;
}

static const struct weir_model_smmuv3_client_ops client = { .invalidate = on_invalidate };

static int set_up_atc(void **state)
{
	if (set_up_enabled(state))
		return -1;
	have_ats(*state);
	recreate(*state);
	weir_model_smmuv3_set_client(((struct fixture *)*state)->smmu, &client, NULL);
	memset(&told, 0, sizeof(told));
	return 0;
}

#define ATC(name) cmocka_unit_test_setup_teardown(name, set_up_atc, tear_down)

/* ---- CMD_ATC_INV ----------------------------------------------------------------------- */

static void names_what_to_drop(void **state)
{
	struct fixture *f = *state;
	const uint64_t word0 = for_stream(WEIR_SMMU_CMD_ATC_INV, 0x1234);

	command(f, word0 | WEIR_SMMU_CMD_0_SSV | 0x56ull << 12, atc_inv(3, 0xabcdef5000));
	assert_int_equal(told.count, 1);
	assert_int_equal(told.stream, 0x1234);
	assert_true(told.has_substream);
	assert_int_equal(told.substream, 0x56);
	assert_false(told.global);
	assert_int_equal(told.addr, 0xabcdef0000);
	assert_int_equal(told.size, 15);
	command(f, word0 | WEIR_SMMU_CMD_0_SSV | WEIR_SMMU_CMD_ATC_INV_0_GLOBAL,
		atc_inv(0, 0xfffffffffffff000));
	assert_true(told.global);
	assert_int_equal(told.addr, 0xfffffffffffff000);
	assert_int_equal(told.size, 12);
	/* Everything; Global is ignored without SSV. */
	command(f, word0 | WEIR_SMMU_CMD_ATC_INV_0_GLOBAL | 0x56ull << 12,
		atc_inv(WEIR_SMMU_CMD_ATC_INV_SIZE_ALL, 0x5000));
	assert_false(told.has_substream);
	assert_false(told.global);
	assert_int_equal(told.addr, 0);
	assert_int_equal(told.size, 64);
}

static void expect_error(struct fixture *f, uint32_t error)
{
	assert_int_equal(step(f, 10), 0);
	assert_true((rd(f, WEIR_SMMU_GERROR, 4) ^ rd(f, WEIR_SMMU_GERRORN, 4)) &
		    WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(
		WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR, rd(f, WEIR_SMMU_CMDQ_CONS, 4)), error);
}

static void illegal(void **state)
{
	struct fixture *f = *state;

	queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(53, 0));
	expect_error(f, WEIR_SMMU_CERROR_ILL);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_ATS, 0);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_ATSRECERR, 0);
	set_field(&f->config.idr[0], WEIR_SMMU_IDR0_PRI, 0);
	recreate(f);
	queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, 0));
	expect_error(f, WEIR_SMMU_CERROR_ILL);
	assert_int_equal(told.count, 0);
}

/* 4.5, 4.5.1: nobody to tell, or an SMMU that is disabled. */
static void ignored(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, ENABLES & ~(uint32_t)WEIR_SMMU_CR0_SMMUEN);
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, 0));
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	recreate(f);
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, 0));
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(told.count, 0);
}

static void invalidate_pages(struct fixture *f, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, i * 0x1000ull));
}

static void sync_waits_for_answers(void **state)
{
	struct fixture *f = *state;

	invalidate_pages(f, 3);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	taken(&f->kicks);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[2], WEIR_MODEL_OK);
	/* UR is an answer (3.9.1.5). */
	weir_model_smmuv3_invalidated(f->smmu, told.itags[0], WEIR_MODEL_BLOCKED);
	assert_int_equal(step(f, 10), 0);
	/* Answers to nothing: twice, and invented. */
	weir_model_smmuv3_invalidated(f->smmu, told.itags[0], WEIR_MODEL_OK);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[1] + 4096, WEIR_MODEL_OK);
	weir_model_smmuv3_invalidated(f->smmu, 17, WEIR_MODEL_ABORT);
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[1], WEIR_MODEL_OK);
	assert_true(taken(&f->kicks) > 0);
	assert_int_equal(step(f, 10), 1);
}

static void flights_do_not_kick_for_answers(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	invalidate_pages(f, 1);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	taken(&f->kicks);
	dma(f, STREAM, 0, false, &pa);
	assert_int_equal(taken(&f->kicks), 0);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[0], WEIR_MODEL_OK);
	assert_int_equal(step(f, 10), 1);
}

/* 3.9.1.4, 4.7.3, 7.1 */
static void timeout_fails_a_sync(void **state)
{
	struct fixture *f = *state;
	uint32_t cons;

	invalidate_pages(f, 2);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[1], WEIR_MODEL_OK);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	cons = (uint32_t)rd(f, WEIR_SMMU_CMDQ_CONS, 4);
	weir_model_smmuv3_invalidated(f->smmu, told.itags[0], WEIR_MODEL_ABORT);
	expect_error(f, WEIR_SMMU_CERROR_ATC_INV_SYNC);
	/* Not consumed; and it completes when software tries again. */
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX,
			 cons & WEIR_SMMU_Q_INDEX);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(step(f, 10), 1);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
}

static void many_wait_for_room(void **state)
{
	struct fixture *f = *state;
	unsigned int sent = 0;

	/* Far more than one queue holds: each is told, in order, as others are answered. */
	for (unsigned int i = 0; i < 200; i++) {
		queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM),
			      atc_inv(0, i * 0x1000ull));
		if (step(f, 10))
			continue;
		assert_true(told.count > sent);
		taken(&f->kicks);
		weir_model_smmuv3_invalidated(f->smmu, told.itags[sent++], WEIR_MODEL_OK);
		assert_true(taken(&f->kicks) > 0);
		assert_int_equal(step(f, 10), 1);
		assert_int_equal(told.addr, i * 0x1000ull);
	}
	assert_true(sent > 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	while (sent < told.count) {
		assert_int_equal(step(f, 10), 0);
		weir_model_smmuv3_invalidated(f->smmu, told.itags[sent++], WEIR_MODEL_OK);
	}
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(told.count, 200);
}

/* ---- A device with an ATC --------------------------------------------------------------- */

static enum weir_model_result device_reads(struct weir_model_atc *atc, uint64_t va, uint64_t *value)
{
	return weir_model_atc_access(atc, 0, 0, va, value, sizeof(*value));
}

static void invalidate_va(struct fixture *f, uint64_t va)
{
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), va);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, va));
}

static void device_caches(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), value = 0;
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_PROMPT, false);

	put(f, PAGES, 0x1111);
	put(f, PAGES + 0x1000, 0x2222);
	map(f, table, VA, PAGES | PAGE);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(value, 0x1111);
	assert_int_equal(stats_of_device(atc).requests, 1);
	assert_int_equal(stats_of_device(atc).hits, 2);
	/* The SMMU's TLB alone does not do: the device goes on with what it has. */
	map(f, table, VA, (PAGES + 0x1000) | PAGE);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), VA);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(value, 0x1111);
	invalidate_va(f, VA);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(value, 0x2222);
	/* No permission, no access: without PRI that is the end. */
	assert_int_equal(device_reads(atc, VA + 0x1000, &value), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
	weir_model_atc_destroy(atc);
}

/* What the device has in the end, of a page that was remapped. */
static uint64_t remap(struct fixture *f, enum weir_model_smmuv3_caches caches, bool sync)
{
	uint64_t table, leaf, value = 0;
	struct weir_model_atc *atc;

	f->config.caches = caches;
	recreate(f);
	step(f, 1);
	table = add_ats(f, STREAM);
	atc = add_device(f, WEIR_MODEL_ATC_PROMPT, false);
	leaf = map(f, table, VA, PAGES | PAGE);
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	put(f, leaf, (PAGES + 0x1000) | PAGE);
	command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), VA);
	if (sync)
		command(f, WEIR_SMMU_CMD_SYNC, 0);
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, VA));
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	weir_model_atc_destroy(atc);
	return value;
}

/* 4.5.1: the SMMU's TLB comes first, and is waited for: else the device asks for what was. */
static void device_asks_again_too_early(void **state)
{
	struct fixture *f = *state;

	put(f, PAGES, 0x1111);
	put(f, PAGES + 0x1000, 0x2222);
	assert_int_equal(remap(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL, true), 0x2222);
	assert_int_equal(remap(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, true), 0x2222);
	assert_int_equal(remap(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL, false), 0x1111);
}

static void device_has_manners(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), value = 0;
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_LAZY, false);
	struct weir_model_stepper *stepper = weir_model_atc_stepper(atc);

	map(f, table, VA, PAGES | PAGE);
	assert_int_equal(device_reads(atc, VA, &value), WEIR_MODEL_OK);
	invalidate_va(f, VA);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(stepper->step(stepper, 10), 1);
	assert_int_equal(step(f, 10), 1);
	weir_model_atc_destroy(atc);

	atc = add_device(f, WEIR_MODEL_ATC_MUTE, false);
	invalidate_va(f, VA);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(weir_model_atc_time_out(atc), 1);
	expect_error(f, WEIR_SMMU_CERROR_ATC_INV_SYNC);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(step(f, 10), 1);
	weir_model_atc_destroy(atc);

	atc = add_device(f, WEIR_MODEL_ATC_REFUSING, false);
	invalidate_va(f, VA);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	weir_model_atc_destroy(atc);
}

/* Some of those that wait, then the rest; none twice. */
static void device_answers_each(void **state)
{
	struct fixture *f = *state;
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_LAZY, false);
	struct weir_model_stepper *stepper = weir_model_atc_stepper(atc);

	invalidate_pages(f, 4);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(stepper->step(stepper, 3), 3);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(stepper->step(stepper, 3), 1);
	assert_int_equal(step(f, 10), 1);
	weir_model_atc_destroy(atc);
}

static struct weir_model_atc *watched;

static void invalidate_under_way(struct fixture *f)
{
	on_access = NULL;
	command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, VA));
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(stats_of_device(watched).invalidations, 1);
	assert_int_equal(stats_of_device(watched).answered, 0);
}

/* An answer says that what is under way has arrived (4.5.1). */
static void device_answers_after_its_accesses(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), value = 0;

	watched = add_device(f, WEIR_MODEL_ATC_PROMPT, false);
	map(f, table, VA, PAGES | PAGE);
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	on_access = invalidate_under_way;
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_null(on_access);
	assert_int_equal(stats_of_device(watched).answered, 1);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(stats_of_device(watched).requests, 2);
	weir_model_atc_destroy(watched);
}

static void count_kick(struct weir_model_stepper *stepper, void *opaque)
{
	(void)stepper;
	++*(unsigned int *)opaque;
}

static void step_under_way(struct fixture *f)
{
	struct weir_model_stepper *stepper = weir_model_atc_stepper(watched);

	invalidate_under_way(f);
	assert_int_equal(stepper->step(stepper, 10), 0);
	*(unsigned int *)stepper->kick_opaque = 0;
}

/* A step() that came while it could not answer is not the last. */
static void lazy_device_answers_in_the_end(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), value = 0;
	struct weir_model_stepper *stepper;
	unsigned int kicks = 0;

	watched = add_device(f, WEIR_MODEL_ATC_LAZY, false);
	stepper = weir_model_atc_stepper(watched);
	stepper->kick = count_kick;
	stepper->kick_opaque = &kicks;
	map(f, table, VA, PAGES | PAGE);
	on_access = step_under_way;
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(kicks, 1);
	assert_int_equal(stats_of_device(watched).answered, 0);
	assert_int_equal(stepper->step(stepper, 10), 1);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(kicks, 1);
	weir_model_atc_destroy(watched);
}

/* While the request is being answered; the SMMU knows nothing of this one. */
static void overtake(struct fixture *f, uint64_t addr)
{
	(void)addr;
	f->before_cas = NULL;
	weir_model_atc_client_ops.invalidate(watched, STREAM, false, 0, false, VA, 12, 77);
	assert_int_equal(stats_of_device(watched).answered, 0);
}

/* What was asked for before an invalidation came is used once, before the answer, and not kept. */
static void device_drops_an_overtaken_answer(void **state)
{
	struct fixture *f = *state;
	uint64_t table, value = 0;

	f->windows = false;
	recreate(f);
	table = add_ats(f, STREAM);
	put(f, cd_of(STREAM), cd_word0(STREAM) | WEIR_SMMU_CD_0_HA);
	watched = add_device(f, WEIR_MODEL_ATC_PROMPT, false);
	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AF));
	f->before_cas = overtake;
	assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_null(f->before_cas);
	assert_int_equal(stats_of_device(watched).answered, 1);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(device_reads(watched, VA, &value), WEIR_MODEL_OK);
	assert_int_equal(stats_of_device(watched).requests, 2);
	weir_model_atc_destroy(watched);
}

/* Global, of a PASID, of all. */
static void device_drops_by_pasid(void **state)
{
	struct fixture *f = *state;
	uint64_t cds = add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_SSID0), value;
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_PROMPT, false);
	static const struct {
		uint64_t word0;
		unsigned int dropped; /* of PASIDs 0 (none), 1, 2, 3 */
	} cases[] = {
		{ 0, 4 },
		{ WEIR_SMMU_CMD_0_SSV | 2ull << 12, 1 },
		{ WEIR_SMMU_CMD_0_SSV | 2ull << 12 | WEIR_SMMU_CMD_ATC_INV_0_GLOBAL, 3 },
	};

	for (uint32_t pasid = 0; pasid < 4; pasid++)
		map(f, fill_cd(f, cds, pasid), VA, PAGES | PAGE);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		uint64_t requests;

		for (uint32_t pasid = 0; pasid < 8; pasid++)
			assert_int_equal(weir_model_atc_access(atc, pasid % 4 ? PASID : 0,
							       pasid % 4, VA, &value, 8),
					 WEIR_MODEL_OK);
		requests = stats_of_device(atc).requests;
		command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM) | cases[i].word0,
			atc_inv(0, VA));
		for (uint32_t pasid = 0; pasid < 4; pasid++)
			weir_model_atc_access(atc, pasid ? PASID : 0, pasid, VA, &value, 8);
		assert_int_equal(stats_of_device(atc).requests - requests, cases[i].dropped);
	}
	weir_model_atc_destroy(atc);
}

/* PCIe 10.2.3.2: what one privilege was granted is not the other's. */
static void device_caches_by_privilege(void **state)
{
	struct fixture *f = *state;
	uint64_t cds = add_pasids(f, STREAM, 2, WEIR_SMMU_STE_S1DSS_SSID0), value = 0;
	struct weir_model_atc *atc = add_device(f, WEIR_MODEL_ATC_PROMPT, false);
	uint64_t table = fill_cd(f, cds, 1);

	map(f, table, VA, PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV));
	map(f, table, VA + 0x1000, PAGES | PAGE);
	assert_int_equal(weir_model_atc_access(atc, PASID | WEIR_MODEL_TXN_PRIVILEGED, 1, VA,
					       &value, 8),
			 WEIR_MODEL_OK);
	assert_int_equal(weir_model_atc_access(atc, PASID, 1, VA, &value, 8), WEIR_MODEL_BLOCKED);
	assert_int_equal(weir_model_atc_access(atc, PASID, 1, VA + 0x1000, &value, 8),
			 WEIR_MODEL_OK);
	assert_int_equal(weir_model_atc_access(atc, PASID | WEIR_MODEL_TXN_PRIVILEGED, 1,
					       VA + 0x1000, &value, 8),
			 WEIR_MODEL_OK);
	assert_int_equal(stats_of_device(atc).requests, 4);
	assert_int_equal(stats_of_device(atc).hits, 0);
	weir_model_atc_destroy(atc);
}

/* ---- Threads --------------------------------------------------------------------------- */

#define THREADS 3u
#define ROUNDS 100u

struct crew {
	struct weir_model_atc *atc;
	uint64_t stop, writes;
};

/* Writes through one page, again and again; it may be gone for a while. */
static void *writer(void *opaque)
{
	struct crew *crew = opaque;
	uint64_t value = 0xd00d;

	while (!__atomic_load_n(&crew->stop, __ATOMIC_ACQUIRE)) {
		enum weir_model_result result = weir_model_atc_access(
			crew->atc, WEIR_MODEL_TXN_WRITE, 0, VA, &value, sizeof(value));

		if (result == WEIR_MODEL_OK)
			__atomic_add_fetch(&crew->writes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void run_queue(struct fixture *f)
{
	while (rd(f, WEIR_SMMU_CMDQ_PROD, 4) !=
	       (rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX)) {
		if (!step(f, 10))
			sched_yield();
	}
}

/* Somebody has written since. */
static void wait_for_a_write(struct crew *crew)
{
	uint64_t before = __atomic_load_n(&crew->writes, __ATOMIC_RELAXED);

	while (__atomic_load_n(&crew->writes, __ATOMIC_RELAXED) == before)
		sched_yield();
}

/* The page moves to and fro; what is behind it cannot be written any more, and is not. */
static void move_page(struct fixture *f, struct crew *crew, uint64_t leaf, unsigned int round)
{
	uint64_t old = PAGES + (round & 1) * 0x1000, new = PAGES + (~round & 1) * 0x1000;

	put(f, leaf, 0);
	queue_command(f, for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), VA);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), atc_inv(0, VA));
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	run_queue(f);
	put(f, old, 0xbeef);
	put(f, leaf, new | PAGE);
	wait_for_a_write(crew);
	wait_for_a_write(crew);
	assert_int_equal(__atomic_load_n(at(f, old), __ATOMIC_ACQUIRE), 0xbeef);
}

static void threads_never_write_late(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_ats(f, STREAM), leaf = map(f, table, VA, PAGES | PAGE);
	struct crew crew = { .atc = add_device(f, WEIR_MODEL_ATC_PROMPT, false) };
	pthread_t threads[THREADS];

	wr(f, WEIR_SMMU_CR0, 4, ENABLES | WEIR_SMMU_CR0_ATSCHK);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, writer, &crew);
	wait_for_a_write(&crew);
	for (unsigned int round = 0; round < ROUNDS; round++)
		move_page(f, &crew, leaf, round);
	__atomic_store_n(&crew.stop, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stats_of_device(crew.atc).answered, ROUNDS);
	assert_int_equal(stats_of_device(crew.atc).forbidden, 0);
	expect_no_event(f);
	weir_model_atc_destroy(crew.atc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATC(names_what_to_drop),
		ATC(illegal),
		ATC(ignored),
		ATC(sync_waits_for_answers),
		ATC(flights_do_not_kick_for_answers),
		ATC(timeout_fails_a_sync),
		ATC(many_wait_for_room),
		ATC(device_caches),
		ATC(device_asks_again_too_early),
		ATC(device_has_manners),
		ATC(device_answers_each),
		ATC(device_answers_after_its_accesses),
		ATC(lazy_device_answers_in_the_end),
		ATC(device_drops_an_overtaken_answer),
		ATC(device_drops_by_pasid),
		ATC(device_caches_by_privilege),
		ATC(threads_never_write_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
