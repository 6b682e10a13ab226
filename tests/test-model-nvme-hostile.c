/* SPDX-License-Identifier: MIT */
/*
 * The NVMe controller: its knobs, and hosts that do not behave.
 *
 * Properties:
 * - Each knob does what its comment says, and nothing once it is cleared.
 * - Doorbells of no queue and values outside a queue change nothing and are reported, one at a
 *   time, to a host that asked for events.
 * - Abort and queue deletion complete what was fetched, each command exactly once.
 * - Queue memory that cannot be reached is fatal until a reset; bus mastering off is the same.
 * - Garbage in registers, rings, lists and doorbells never crashes the model, never makes a step
 *   exceed its budget or run on forever, and after a reset it works as if nothing had been.
 * - CPUs ring doorbells of their own queues while another thread steps: every command completes
 *   once, with its data (under the thread sanitizer: without a race).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/hw/pci.h>

#include "nvmehost.h"

#define DNR(sc) ((uint16_t)((sc) | WEIR_NVME_STATUS_DNR))

static int setup(void **state)
{
	struct nvmehost *host = calloc(1, sizeof(*host));

	nvmehost_up(host, NULL);
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	nvmehost_fini(*state);
	free(*state);
	return 0;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void set_faults(struct nvmehost *host, struct weir_model_nvme_faults faults)
{
	weir_model_nvme_set_faults(host->nvme, &faults);
}

#define FAULTS(...) ((struct weir_model_nvme_faults){ __VA_ARGS__ })

static void restart(struct nvmehost *host)
{
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	nvmehost_run(host);
	nvmehost_enable(host);
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
}

static struct weir_nvme_sqe read_block(uint64_t lba)
{
	return nvmehost_rw(WEIR_NVME_CMD_READ, lba, 1, NVMEHOST_DATA + lba % 2048 * 4096, 0);
}

static void submit_reads(struct nvmehost *host, struct nvmehost_queue *queue, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct weir_nvme_sqe sqe = read_block(i);

		sqe.cid = (uint16_t)i;
		nvmehost_push(host, queue, &sqe);
	}
	nvmehost_ring(host, queue);
}

/* ---- Knobs ---- */

static void test_dead(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;

	nvmehost_create_pair(host, &queue, 1, 8);
	set_faults(host, FAULTS(.dead = true));
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), UINT32_MAX);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_CAP, 8), UINT64_MAX);
	assert_int_equal(pcihost_read(&host->pci, WEIR_NVME_REG_VS, 2), UINT16_MAX);
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	submit_reads(host, &queue, 3);
	assert_int_equal(nvmehost_run(host), 0);
	set_faults(host, FAULTS(0));
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
	nvmehost_ring(host, &queue);
	assert_int_equal(nvmehost_run(host), 6);
}

static void test_never_ready(void **state)
{
	struct nvmehost *host = *state;

	set_faults(host, FAULTS(.never_ready = true));
	nvmehost_set_reg(host, WEIR_NVME_REG_CC, 0);
	nvmehost_run(host);
	nvmehost_enable(host);
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), 0);
	set_faults(host, FAULTS(0));
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
}

static void test_stop_after(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 16);
	set_faults(host, FAULTS(.stop_after = 5));
	submit_reads(host, &queue, 10);
	nvmehost_run(host);
	for (i = 0; i < 5; i++)
		assert_true(nvmehost_reap(host, &queue, &cqe));
	assert_false(nvmehost_reap(host, &queue, &cqe));
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
	nvmehost_push(host, &host->admin, &(struct weir_nvme_sqe){ .opcode = 8 });
	nvmehost_ring(host, &host->admin);
	assert_int_equal(nvmehost_run(host), 0);
	/* Registers work, so a reset does; commands do not until the knob is turned. */
	restart(host);
	nvmehost_push(host, &host->admin, &(struct weir_nvme_sqe){ .opcode = 8 });
	nvmehost_ring(host, &host->admin);
	assert_int_equal(nvmehost_run(host), 0);
	set_faults(host, FAULTS(0));
	assert_int_equal(nvmehost_run(host), 1);
}

static void test_bad_cid(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 16);
	set_faults(host, FAULTS(.bad_cid = true));
	for (i = 0; i < 10; i++) {
		struct weir_nvme_sqe sqe = read_block(i);

		sqe.cid = (uint16_t)(UINT16_MAX - 4 + i); /* on both sides of where it wraps */
		nvmehost_push(host, &queue, &sqe);
	}
	nvmehost_ring(host, &queue);
	nvmehost_run(host);
	for (i = 0; i < 10; i++) {
		assert_true(nvmehost_reap(host, &queue, &cqe));
		assert_int_not_equal(cqe.cid, (uint16_t)(UINT16_MAX - 4 + i));
	}
	nvmehost_ring_cq(host, &queue);
	set_faults(host, FAULTS(0));
	assert_int_equal(nvmehost_command(host, &queue, read_block(0), NULL), 0);
}

static void test_bad_data(void **state)
{
	struct nvmehost *host = *state;
	uint8_t *ram = pcihost_at(&host->pci, NVMEHOST_DATA);
	struct nvmehost_queue queue;
	uint32_t word;

	nvmehost_create_pair(host, &queue, 1, 8);
	set_faults(host, FAULTS(.bad_data = true));
	memset(ram, 0xcc, 3 * 4096);
	assert_int_equal(nvmehost_command(host, &queue, read_block(0), NULL), 0);
	memcpy(&word, ram, 4);
	assert_int_equal(word, 0xcccccccc);
	memcpy(&word, ram + 4096, 4);
	assert_int_equal(word, nvmehost_pattern(0));
	set_faults(host, FAULTS(0));
	assert_int_equal(nvmehost_command(host, &queue, read_block(0), NULL), 0);
	memcpy(&word, ram, 4);
	assert_int_equal(word, nvmehost_pattern(0));
}

static void test_error_every(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 8);
	set_faults(host, FAULTS(.error_every = 3));
	for (i = 1; i <= 12; i++)
		assert_int_equal(nvmehost_command(host, &queue, read_block(i), NULL),
				 i % 3 ? 0 : WEIR_NVME_SC_UNRECOVERED_READ);
}

static void order_of(struct nvmehost *host, uint16_t order[30])
{
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	bool seen[30] = { false };
	unsigned int i;

	nvmehost_up(host, NULL);
	nvmehost_create_pair(host, &queue, 1, 64);
	set_faults(host, FAULTS(.reorder = true));
	submit_reads(host, &queue, 30);
	nvmehost_run(host);
	for (i = 0; i < 30; i++) {
		uint32_t word;

		assert_true(nvmehost_reap(host, &queue, &cqe));
		assert_in_range(cqe.cid, 0, 29);
		assert_false(seen[cqe.cid]);
		seen[cqe.cid] = true;
		order[i] = cqe.cid;
		memcpy(&word, pcihost_at(&host->pci, NVMEHOST_DATA + cqe.cid * 4096u), 4);
		assert_int_equal(word, nvmehost_pattern(cqe.cid * 512u));
	}
	nvmehost_fini(host);
}

static void test_reorder(void **state)
{
	struct nvmehost host;
	uint16_t first[30], second[30];
	unsigned int i, moved = 0;

	(void)state;
	order_of(&host, first);
	order_of(&host, second);
	assert_memory_equal(first, second, sizeof(first));
	for (i = 0; i < 30; i++)
		moved += first[i] != i;
	assert_in_range(moved, 10, 30);
}

/* ---- Events, Abort, deletion ---- */

static void ask_for_event(struct nvmehost *host, uint16_t cid)
{
	struct weir_nvme_sqe sqe = { .opcode = WEIR_NVME_ADMIN_ASYNC_EVENT, .cid = cid };

	nvmehost_push(host, &host->admin, &sqe);
	nvmehost_ring(host, &host->admin);
	nvmehost_run(host);
}

static void expect_event(struct nvmehost *host, uint16_t cid, uint32_t info)
{
	struct weir_nvme_cqe cqe;

	nvmehost_run(host);
	assert_true(nvmehost_reap(host, &host->admin, &cqe));
	nvmehost_ring_cq(host, &host->admin);
	assert_int_equal(cqe.cid, cid);
	assert_int_equal(cqe.status >> 1, 0);
	assert_int_equal(cqe.dw0, info << WEIR_NVME_AER_INFO_SHIFT |
					  WEIR_NVME_LID_ERROR << WEIR_NVME_AER_LID_SHIFT);
}

/* An event may follow the log's completion. */
static void read_error_log(struct nvmehost *host)
{
	struct weir_nvme_cqe cqe;
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_GET_LOG_PAGE,
		.cid = 6000,
		.prp1 = NVMEHOST_DATA,
		.cdw10 = WEIR_NVME_LID_ERROR | 15u << WEIR_NVME_LOG_NUMDL_SHIFT,
	};

	nvmehost_push(host, &host->admin, &sqe);
	nvmehost_ring(host, &host->admin);
	nvmehost_run(host);
	assert_true(nvmehost_reap(host, &host->admin, &cqe));
	nvmehost_ring_cq(host, &host->admin);
	assert_int_equal(cqe.cid, 6000);
	assert_int_equal(cqe.status >> 1, 0);
}

static void test_events(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 8);
	ask_for_event(host, 1000);
	assert_false(nvmehost_reap(host, &host->admin, &cqe));
	/* A value outside the queue; its commands go on. */
	nvmehost_set_reg(host, WEIR_NVME_SQ_TAIL(1u, 0u), 8);
	expect_event(host, 1000, WEIR_NVME_AER_INFO_INVALID_VALUE);
	assert_int_equal(nvmehost_command(host, &queue, read_block(1), NULL), 0);
	/* No other one until the log was read. */
	ask_for_event(host, 1001);
	nvmehost_set_reg(host, WEIR_NVME_SQ_TAIL(9u, 0u), 1);
	nvmehost_run(host);
	assert_false(nvmehost_reap(host, &host->admin, &cqe));
	read_error_log(host);
	expect_event(host, 1001, WEIR_NVME_AER_INFO_INVALID_DOORBELL);
	read_error_log(host);
	/* A head beyond the tail, and doorbells beyond the last queue. */
	ask_for_event(host, 1002);
	nvmehost_set_reg(host, WEIR_NVME_CQ_HEAD(1u, 0u), 5);
	submit_reads(host, &queue, 1);
	nvmehost_run(host);
	assert_true(nvmehost_reap(host, &queue, &cqe));
	nvmehost_ring_cq(host, &queue);
	expect_event(host, 1002, WEIR_NVME_AER_INFO_INVALID_VALUE);
	read_error_log(host);
	pcihost_write(&host->pci, 0x1ff8, 8, UINT64_MAX);
	ask_for_event(host, 1003);
	expect_event(host, 1003, WEIR_NVME_AER_INFO_INVALID_DOORBELL);
	for (i = 0; i < 4; i++)
		ask_for_event(host, (uint16_t)i);
	assert_int_equal(
		nvmehost_admin(host,
			       (struct weir_nvme_sqe){ .opcode = WEIR_NVME_ADMIN_ASYNC_EVENT }),
		DNR(WEIR_NVME_SC_AER_LIMIT));
}

static uint32_t abort_command(struct nvmehost *host, uint16_t sqid, uint16_t cid)
{
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_ABORT,
		.cid = 5000,
		.cdw10 = (uint32_t)cid << WEIR_NVME_ABORT_CID_SHIFT | sqid,
	};
	struct weir_nvme_cqe cqe;

	nvmehost_push(host, &host->admin, &sqe);
	nvmehost_ring(host, &host->admin);
	while (!nvmehost_reap(host, &host->admin, &cqe))
		assert_int_equal(host->stepper->step(host->stepper, 1), 1);
	nvmehost_ring_cq(host, &host->admin);
	if (cqe.cid != 5000) {
		/* A held event request, completed before the Abort. */
		assert_int_equal(cqe.status >> 1, WEIR_NVME_SC_ABORT_REQUESTED);
		assert_true(nvmehost_reap(host, &host->admin, &cqe));
		nvmehost_ring_cq(host, &host->admin);
	}
	assert_int_equal(cqe.status >> 1, 0);
	return cqe.dw0;
}

static void test_abort(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int i, aborted = 0;

	nvmehost_create_pair(host, &queue, 1, 16);
	submit_reads(host, &queue, 8);
	/* One unit: all are fetched, one is started. */
	assert_int_equal(host->stepper->step(host->stepper, 1), 1);
	assert_int_equal(abort_command(host, 1, 6), 0);
	assert_int_equal(abort_command(host, 1, 6), WEIR_NVME_ABORT_NOT_DONE);
	assert_int_equal(abort_command(host, 1, 77), WEIR_NVME_ABORT_NOT_DONE);
	assert_int_equal(abort_command(host, 9, 7), WEIR_NVME_ABORT_NOT_DONE);
	nvmehost_run(host);
	for (i = 0; i < 8; i++) {
		assert_true(nvmehost_reap(host, &queue, &cqe));
		if (cqe.status >> 1 == WEIR_NVME_SC_ABORT_REQUESTED) {
			assert_int_equal(cqe.cid, 6);
			aborted++;
		} else {
			assert_int_equal(cqe.status >> 1, 0);
		}
	}
	assert_false(nvmehost_reap(host, &queue, &cqe));
	assert_int_equal(aborted, 1);
	/* More often than the admin completion queue has entries. */
	for (i = 0; i < 40; i++) {
		ask_for_event(host, 1000);
		assert_int_equal(abort_command(host, 0, 1000), 0);
	}
	assert_int_equal(abort_command(host, 0, 1000), WEIR_NVME_ABORT_NOT_DONE);
}

static void test_delete_under_load(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue, other;
	struct weir_nvme_cqe cqe;
	unsigned int i, deleted = 0;

	nvmehost_create_pair(host, &queue, 1, 32);
	nvmehost_create_pair(host, &other, 2, 32);
	submit_reads(host, &queue, 20);
	submit_reads(host, &other, 20);
	assert_int_equal(host->stepper->step(host->stepper, 3), 3);
	assert_int_equal(nvmehost_admin(host,
					(struct weir_nvme_sqe){ .opcode = WEIR_NVME_ADMIN_DELETE_SQ,
								.cdw10 = 1 }),
			 0);
	for (i = 0; i < 20; i++) {
		assert_true(nvmehost_reap(host, &queue, &cqe));
		deleted += cqe.status >> 1 == WEIR_NVME_SC_ABORTED_SQ_DELETED;
		assert_true(nvmehost_reap(host, &other, &cqe));
		assert_int_equal(cqe.status >> 1, 0);
	}
	assert_in_range(deleted, 18, 19);
	assert_int_equal(nvmehost_admin(host,
					(struct weir_nvme_sqe){ .opcode = WEIR_NVME_ADMIN_DELETE_CQ,
								.cdw10 = 1 }),
			 0);
	nvmehost_create_pair(host, &queue, 1, 8);
	assert_int_equal(nvmehost_command(host, &queue, read_block(0), NULL), 0);
}

/* ---- Memory that is not there ---- */

static void expect_fatal(struct nvmehost *host)
{
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS),
			 WEIR_NVME_CSTS_RDY | WEIR_NVME_CSTS_CFS);
	nvmehost_ring(host, &host->admin);
	assert_int_equal(nvmehost_run(host), 0);
	restart(host);
	assert_int_equal(nvmehost_admin(host, (struct weir_nvme_sqe){ .opcode = 8 }), 0);
}

static void test_queue_memory(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_sqe create = {
		.opcode = WEIR_NVME_ADMIN_CREATE_CQ,
		.prp1 = 0x1000,
		.cdw10 = 7u << 16 | 1,
		.cdw11 = WEIR_NVME_QUEUE_PC,
	};

	/* A submission queue, a completion queue, and both of the admin queues. */
	nvmehost_create_pair(host, &queue, 1, 8);
	create.opcode = WEIR_NVME_ADMIN_CREATE_SQ;
	create.cdw10 = 7u << 16 | 2;
	create.cdw11 |= 1u << 16;
	assert_int_equal(nvmehost_admin(host, create), 0);
	nvmehost_set_reg(host, WEIR_NVME_SQ_TAIL(2u, 0u), 1);
	expect_fatal(host);

	nvmehost_create_pair(host, &queue, 1, 8);
	create.opcode = WEIR_NVME_ADMIN_CREATE_CQ;
	assert_int_equal(nvmehost_admin(host, create), 0);
	create.opcode = WEIR_NVME_ADMIN_CREATE_SQ;
	create.prp1 = NVMEHOST_DATA;
	create.cdw11 = 2u << 16 | WEIR_NVME_QUEUE_PC;
	assert_int_equal(nvmehost_admin(host, create), 0);
	memset(pcihost_at(&host->pci, NVMEHOST_DATA), 0xff, 64);
	nvmehost_set_reg(host, WEIR_NVME_SQ_TAIL(2u, 0u), 1);
	expect_fatal(host);

	pcihost_bus_master(&host->pci, false);
	nvmehost_push(host, &host->admin, &(struct weir_nvme_sqe){ .opcode = 8 });
	nvmehost_ring(host, &host->admin);
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS),
			 WEIR_NVME_CSTS_RDY | WEIR_NVME_CSTS_CFS);
	pcihost_bus_master(&host->pci, true);
	expect_fatal(host);
}

/* ---- Garbage ---- */

/* An address: mostly of the data area, sometimes any, sometimes the device's own registers. */
static uint64_t random_address(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	switch (r % 8) {
	case 0:
		return next_random(seed);
	case 1:
		return PCIHOST_BAR + next_random(seed) % 0x4000;
	case 2:
		return NVMEHOST_DATA + (next_random(seed) % 0x800000 & ~(uint64_t)7);
	default:
		return NVMEHOST_DATA + (next_random(seed) % 0x800000 & ~(uint64_t)4095);
	}
}

static struct weir_nvme_sqe random_sqe(uint64_t *seed, bool admin)
{
	struct weir_nvme_sqe sqe;
	uint64_t words[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		words[i] = next_random(seed);
	memcpy(&sqe, words, sizeof(sqe));
	if (next_random(seed) % 16)
		sqe.opcode %= admin ? 0x0d : 3;
	if (next_random(seed) % 16)
		sqe.flags = 0;
	if (next_random(seed) % 8)
		sqe.nsid = 1;
	sqe.prp1 = random_address(seed);
	sqe.prp2 = random_address(seed);
	if (next_random(seed) % 4) {
		sqe.cdw10 &= admin ? 0x003f001f : 0x1fff;
		sqe.cdw11 &= admin ? 0x001f001f : 0;
		sqe.cdw12 &= 0x3f;
	}
	return sqe;
}

static void random_doorbell(struct nvmehost *host, uint64_t *seed)
{
	uint32_t offset = WEIR_NVME_REG_DOORBELLS + (uint32_t)(next_random(seed) % 40) * 4;

	nvmehost_set_reg(host, offset, (uint32_t)next_random(seed));
}

/* Values that may be right, for the four queue pairs that may be there. */
static void likely_doorbells(struct nvmehost *host, uint64_t *seed)
{
	uint32_t i;

	for (i = 0; i < 8; i++)
		nvmehost_set_reg(host, WEIR_NVME_REG_DOORBELLS + i * 4,
				 (uint32_t)(next_random(seed) % 16));
}

static void random_register(struct nvmehost *host, uint64_t *seed)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	unsigned int size = sizes[next_random(seed) % 4];
	uint32_t offset = (uint32_t)(next_random(seed) % 0x2000) & ~(size - 1);

	if (next_random(seed) % 2)
		offset &= 0x3f;
	if (next_random(seed) % 2)
		pcihost_read(&host->pci, offset, size);
	else
		pcihost_write(&host->pci, offset, size, next_random(seed));
}

/* Entries of all rings, whether or not the queues exist, and now and then a list of addresses. */
static void random_memory(struct nvmehost *host, uint64_t *seed)
{
	struct weir_nvme_sqe sqe;
	unsigned int i, qid = (unsigned int)(next_random(seed) % 4);
	uint64_t list[64];

	for (i = 0; i < 16; i++) {
		sqe = random_sqe(seed, qid == 0);
		memcpy(pcihost_at(&host->pci, PCIHOST_RAM + qid * NVMEHOST_QUEUE_AREA + i * 64),
		       &sqe, sizeof(sqe));
	}
	for (i = 0; i < 64; i++)
		list[i] = random_address(seed);
	memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + next_random(seed) % 2048 * 4096 + 4096 - 512),
	       list, sizeof(list));
}

static void random_faults(struct nvmehost *host, uint64_t *seed)
{
	uint64_t r = next_random(seed);

	set_faults(host, FAULTS(.bad_cid = r & 1, .bad_data = r & 2, .reorder = r & 4,
				.error_every = r >> 3 & 7));
}

/* Stopped by what it was given: begin again, with queues. */
static void revive(struct nvmehost *host, uint64_t *seed)
{
	struct nvmehost_queue queue;
	uint16_t qid;

	set_faults(host, FAULTS(0));
	pcihost_start(&host->pci, 8, 0x2000);
	restart(host);
	for (qid = 1; qid < 4; qid++)
		nvmehost_create_pair(host, &queue, qid, 16);
	random_faults(host, seed);
}

static void storm(struct nvmehost *host, uint64_t *seed)
{
	unsigned int budget = (unsigned int)(next_random(seed) % 80), units, steps = 0;

	random_memory(host, seed);
	likely_doorbells(host, seed);
	random_doorbell(host, seed);
	if (next_random(seed) % 32 == 0)
		random_register(host, seed);
	/* The device can ring its own doorbells: there may be more to do after each step. */
	do {
		units = host->stepper->step(host->stepper, budget);
		assert_in_range(units, 0, budget);
	} while (budget && units == budget && ++steps < 10);
}

static void check_alive(struct nvmehost *host, uint32_t mark)
{
	struct nvmehost_queue queue;
	uint32_t word;

	set_faults(host, FAULTS(0));
	pcihost_start(&host->pci, 8, 0x2000);
	restart(host);
	nvmehost_create_pair(host, &queue, 1, 8);
	memcpy(host->disk, &mark, 4);
	assert_int_equal(nvmehost_command(host, &queue, read_block(0), NULL), 0);
	memcpy(&word, pcihost_at(&host->pci, NVMEHOST_DATA), 4);
	assert_int_equal(word, mark);
}

static void test_garbage(void **state)
{
	struct nvmehost *host = *state;
	struct weir_model_nvme_stats stats = { 0 };
	uint64_t seed = 20240607;
	unsigned int round, revived = 0;

	for (round = 0; round < 200000; round++) {
		if (nvmehost_reg(host, WEIR_NVME_REG_CSTS) != WEIR_NVME_CSTS_RDY ||
		    round % 40 == 0) {
			revive(host, &seed);
			revived++;
		}
		storm(host, &seed);
		if (round % 500 == 499)
			check_alive(host, round + 1);
		weir_model_nvme_get_stats(host->nvme, &stats);
		if (stats.io_commands + stats.admin_commands > 100000)
			break;
	}
	check_alive(host, round + 1);
	print_message("%u rounds, %u restarts, %u commands, %u failed accesses\n", round, revived,
		      (unsigned int)(stats.io_commands + stats.admin_commands),
		      (unsigned int)stats.dma_errors);
	assert_in_range(stats.io_commands + stats.admin_commands, 100000, UINT32_MAX);
	assert_in_range(stats.io_commands, 30000, UINT32_MAX);
	assert_in_range(stats.bytes_read, 1 << 20, UINT64_MAX);
	assert_in_range(stats.dma_errors, 100, UINT32_MAX);
}

/* ---- Threads ---- */

#define THREADS 2
#define READS 3000u

struct worker {
	struct nvmehost *host;
	struct nvmehost_queue queue;
	unsigned int wrong, done;
	uint32_t buffers; /* first page of its data */
};

/* The phase tag as a host reads it: with acquire, 8 bytes that the device wrote as one. */
static bool poll(struct worker *worker, uint16_t *cid)
{
	struct nvmehost_queue *queue = &worker->queue;
	uint64_t *entry = pcihost_at(&worker->host->pci, queue->cq + queue->cq_head * 16 + 8);
	uint64_t word = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

	if ((word >> 48 & WEIR_NVME_CQE_PHASE) != queue->phase)
		return false;
	*cid = (uint16_t)(word >> 32);
	worker->wrong += word >> 49 != 0;
	if (++queue->cq_head == queue->cq_size) {
		queue->cq_head = 0;
		queue->phase = !queue->phase;
	}
	return true;
}

static void check_block(struct worker *worker, uint16_t cid)
{
	uint64_t at = NVMEHOST_DATA + (worker->buffers + cid % 64u) * 4096;
	uint32_t *word = pcihost_at(&worker->host->pci, at);

	worker->wrong += __atomic_load_n(word, __ATOMIC_RELAXED) != nvmehost_pattern(cid * 512u);
}

static void *work(void *opaque)
{
	struct worker *worker = opaque;
	unsigned int sent = 0;
	uint16_t cid;

	while (worker->done < READS) {
		for (; sent < READS && sent - worker->done < 30; sent++) {
			uint64_t at = NVMEHOST_DATA + (worker->buffers + sent % 64) * 4096;
			struct weir_nvme_sqe sqe = nvmehost_rw(WEIR_NVME_CMD_READ, sent, 1, at, 0);

			sqe.cid = (uint16_t)sent;
			nvmehost_push(worker->host, &worker->queue, &sqe);
			nvmehost_ring(worker->host, &worker->queue);
		}
		if (nvmehost_reg(worker->host, WEIR_NVME_REG_CSTS) != WEIR_NVME_CSTS_RDY)
			worker->wrong++;
		if (!poll(worker, &cid))
			continue;
		check_block(worker, cid);
		worker->done++;
		nvmehost_ring_cq(worker->host, &worker->queue);
	}
	return NULL;
}

struct runner {
	struct weir_model_stepper *stepper;
	bool stop;
};

static void *run_steps(void *opaque)
{
	struct runner *runner = opaque;

	while (!__atomic_load_n(&runner->stop, __ATOMIC_ACQUIRE))
		runner->stepper->step(runner->stepper, 16);
	return NULL;
}

static void test_threads(void **state)
{
	struct nvmehost *host = *state;
	struct worker workers[THREADS];
	struct runner runner = { .stepper = host->stepper };
	pthread_t threads[THREADS + 1];
	struct weir_model_nvme_stats stats;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .host = host, .buffers = i * 64 };
		nvmehost_create_pair(host, &workers[i].queue, (uint16_t)(i + 1), 32);
	}
	assert_int_equal(pthread_create(&threads[THREADS], NULL, run_steps, &runner), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (i = 0; i < 50; i++) {
		set_faults(host, FAULTS(.reorder = i % 2));
		weir_model_nvme_get_stats(host->nvme, &stats);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&runner.stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[THREADS], NULL);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].done, READS);
		assert_int_equal(workers[i].wrong, 0);
	}
	weir_model_nvme_get_stats(host->nvme, &stats);
	assert_int_equal(stats.io_commands, THREADS * READS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dead),
		TEST(test_never_ready),
		TEST(test_stop_after),
		TEST(test_bad_cid),
		TEST(test_bad_data),
		TEST(test_error_every),
		cmocka_unit_test(test_reorder),
		TEST(test_events),
		TEST(test_abort),
		TEST(test_delete_under_load),
		TEST(test_queue_memory),
		TEST(test_garbage),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
