/* SPDX-License-Identifier: MIT */
/*
 * The NVMe controller: data, rings and disks, as a well-behaved host sees them.
 *
 * Properties:
 * - For every shape of PRPs a read puts the disk's bytes where the entries point and nowhere else,
 *   and a write brings them back; wrong offsets, ranges and sizes are refused and touch nothing.
 * - Rings wrap, phases flip, a full completion queue is never overwritten. A step sends one
 *   message for each completion queue that got entries, and keeps its budget.
 * - A disk's failure is a media error; a read-only one refuses writes; beyond its end are zeroes.
 */
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

/* ---- PRPs ---- */

/* A transfer as entries describe it: an oracle that knows only addresses of 4 bytes each. */
struct shape {
	uint32_t length;
	uint64_t prp1, prp2;
	uint64_t pages[1100];
	unsigned int nr;
};

/* Random pages of the data area, no two alike; lists in pages of their own behind it. */
static void make_shape(struct nvmehost *host, struct shape *shape, uint32_t length, uint64_t *seed)
{
	uint64_t list = PCIHOST_RAM + 0x1e00000 + (next_random(seed) % 512) * 8;
	uint64_t next_list = PCIHOST_RAM + 0x1e02000;
	uint32_t offset = (uint32_t)(next_random(seed) % 1024) * 4;
	uint32_t stride = 1 + 2 * (uint32_t)(next_random(seed) % 700);
	uint32_t i;

	shape->length = length;
	shape->nr = (offset + length + 4095) / 4096;
	for (i = 0; i < shape->nr; i++)
		shape->pages[i] = NVMEHOST_DATA + (i * stride + 3) % 2048 * 4096;
	shape->prp1 = shape->pages[0] + offset;
	shape->prp2 = shape->nr == 1 ? next_random(seed) : shape->nr == 2 ? shape->pages[1] : list;
	for (i = 1; shape->nr > 2 && i < shape->nr; i++) {
		if (list % 4096 == 4088 && i + 1 < shape->nr) {
			memcpy(pcihost_at(&host->pci, list), &next_list, 8);
			list = next_list;
			next_list += 4096;
		}
		memcpy(pcihost_at(&host->pci, list), &shape->pages[i], 8);
		list += 8;
	}
}

static uint64_t shape_address(const struct shape *shape, uint32_t offset)
{
	uint64_t at = shape->prp1 % 4096 + offset;

	return shape->pages[at / 4096] + at % 4096;
}

/* Take the transfer's bytes out of RAM and compare them; what is left must be poison. */
static void check_read(struct nvmehost *host, const struct shape *shape, uint64_t disk_offset)
{
	const uint32_t poison = 0xcccccccc;
	uint32_t i, word;

	for (i = 0; i < shape->length; i += 4) {
		uint8_t *at = pcihost_at(&host->pci, shape_address(shape, i));

		memcpy(&word, at, 4);
		if (word != nvmehost_pattern(disk_offset + i))
			fail_msg("length %u offset %u", shape->length, i);
		memcpy(at, &poison, 4);
	}
	for (i = 0; i < 2048 * 4096; i += 4) {
		memcpy(&word, pcihost_at(&host->pci, NVMEHOST_DATA + i), 4);
		if (word != poison)
			fail_msg("touched %x", i);
	}
}

static void run_shapes(struct nvmehost *host, unsigned int count, uint32_t max_blocks)
{
	struct shape *shape = calloc(1, sizeof(*shape));
	struct nvmehost_queue queue;
	uint64_t seed = 42;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 8);
	memset(pcihost_at(&host->pci, NVMEHOST_DATA), 0xcc, 2048 * 4096);
	for (i = 0; i < count; i++) {
		uint32_t limit = i % 3 ? max_blocks : 24;
		uint32_t blocks = 1 + (uint32_t)(next_random(&seed) % limit);
		uint64_t lba = next_random(&seed) % (NVMEHOST_DISK_SIZE / 512 - blocks + 1);

		make_shape(host, shape, i % 10 ? blocks * 512 : max_blocks * 512, &seed);
		lba = lba > NVMEHOST_DISK_SIZE / 512 - shape->length / 512 ? 0 : lba;
		assert_int_equal(nvmehost_command(host, &queue,
						  nvmehost_rw(WEIR_NVME_CMD_READ, lba,
							      shape->length / 512, shape->prp1,
							      shape->prp2),
						  NULL),
				 0);
		check_read(host, shape, lba * 512);
	}
	free(shape);
}

static void test_prp_shapes(void **state)
{
	run_shapes(*state, 60, 256);
}

/* 4 MiB: lists of more than a page, chained. */
static void test_prp_chains(void **state)
{
	struct nvmehost host;
	struct weir_model_nvme_config config = nvmehost_config(&host);

	(void)state;
	config.mdts = 10;
	nvmehost_up(&host, &config);
	run_shapes(&host, 30, 8192);
	nvmehost_fini(&host);
}

static void test_write_shapes(void **state)
{
	struct nvmehost *host = *state;
	struct shape *shape = calloc(1, sizeof(*shape));
	uint8_t *expected = malloc(NVMEHOST_DISK_SIZE);
	struct nvmehost_queue queue;
	uint64_t seed = 77;
	uint32_t i, j;

	nvmehost_create_pair(host, &queue, 1, 8);
	memcpy(expected, host->disk, NVMEHOST_DISK_SIZE);
	for (i = 0; i < 2048 * 4096; i += 8) {
		uint64_t word = next_random(&seed);

		memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + i), &word, 8);
	}
	for (i = 0; i < 60; i++) {
		uint32_t blocks = 1 + (uint32_t)(next_random(&seed) % 256);
		uint64_t lba = next_random(&seed) % (NVMEHOST_DISK_SIZE / 512 - blocks + 1);

		make_shape(host, shape, blocks * 512, &seed);
		assert_int_equal(nvmehost_command(host, &queue,
						  nvmehost_rw(WEIR_NVME_CMD_WRITE, lba, blocks,
							      shape->prp1, shape->prp2),
						  NULL),
				 0);
		for (j = 0; j < shape->length; j += 4)
			memcpy(expected + lba * 512 + j,
			       pcihost_at(&host->pci, shape_address(shape, j)), 4);
	}
	assert_memory_equal(host->disk, expected, NVMEHOST_DISK_SIZE);
	free(expected);
	free(shape);
}

static void test_rw_errors(void **state)
{
	const uint64_t d = NVMEHOST_DATA, blocks = NVMEHOST_DISK_SIZE / 512;
	const struct {
		uint64_t lba, prp1, prp2;
		uint32_t blocks, nsid;
		uint16_t status;
	} cases[] = {
		{ 0, d + 2, 0, 1, 1, DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET) },
		{ 0, d + 4, d + 4, 8, 1, DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET) },
		{ 0, d, d + 0x1004, 24, 1, DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET) },
		{ 0, d, d + 0x1000, 257, 1, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ 0, d, d + 0x1000, 65536, 1, DNR(WEIR_NVME_SC_INVALID_FIELD) },
		{ blocks, d, 0, 1, 1, DNR(WEIR_NVME_SC_LBA_RANGE) },
		{ blocks - 1, d, 0, 2, 1, DNR(WEIR_NVME_SC_LBA_RANGE) },
		{ UINT64_MAX, d, 0, 2, 1, DNR(WEIR_NVME_SC_LBA_RANGE) },
		{ 0, d, 0, 1, 0, DNR(WEIR_NVME_SC_INVALID_NS) },
		{ 0, d, 0, 1, 2, DNR(WEIR_NVME_SC_INVALID_NS) },
		{ 0, d, 0, 1, WEIR_NVME_NSID_ALL, DNR(WEIR_NVME_SC_INVALID_NS) },
		{ 0, 0, 0, 1, 1, WEIR_NVME_SC_DATA_TRANSFER_ERROR },
		{ 0, d, 0x1000, 16, 1, WEIR_NVME_SC_DATA_TRANSFER_ERROR },
		{ 0, d, 0x1000, 24, 1, WEIR_NVME_SC_DATA_TRANSFER_ERROR },
		{ blocks - 1, d, 0, 1, 1, WEIR_NVME_SC_SUCCESS },
	};
	struct nvmehost *host = *state;
	struct weir_model_nvme_stats stats;
	struct nvmehost_queue queue;
	size_t i;

	nvmehost_create_pair(host, &queue, 1, 4);
	for (i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		struct weir_nvme_sqe sqe =
			nvmehost_rw(WEIR_NVME_CMD_READ, cases[i].lba, cases[i].blocks,
				    cases[i].prp1, cases[i].prp2);

		sqe.nsid = cases[i].nsid;
		assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), cases[i].status);
		sqe.opcode = WEIR_NVME_CMD_WRITE;
		assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), cases[i].status);
	}
	weir_model_nvme_get_stats(host->nvme, &stats);
	assert_int_equal(stats.dma_errors, 6);
	assert_int_equal(stats.io_commands, 2 * WEIR_ARRAY_SIZE(cases));
	assert_int_equal(stats.bytes_read, 512);
	assert_int_equal(stats.bytes_written, 512);
}

/* Entries of a list: an offset in one, memory that is not there behind one. */
static void test_list_errors(void **state)
{
	struct nvmehost *host = *state;
	uint64_t list[4] = { NVMEHOST_DATA + 0x2000, NVMEHOST_DATA + 0x3008, NVMEHOST_DATA, 0 };
	struct weir_nvme_sqe sqe;
	struct nvmehost_queue queue;

	nvmehost_create_pair(host, &queue, 1, 4);
	memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + 0x1000), list, sizeof(list));
	sqe = nvmehost_rw(WEIR_NVME_CMD_READ, 0, 24, NVMEHOST_DATA, NVMEHOST_DATA + 0x1000);
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET));
	list[1] = 0x1000;
	memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + 0x1000), list, sizeof(list));
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 WEIR_NVME_SC_DATA_TRANSFER_ERROR);
	/* The last entry of a page leads to a list that does not begin at a page, good as it is. */
	list[0] = NVMEHOST_DATA + 0x4008;
	list[1] = NVMEHOST_DATA + 0x5000;
	list[2] = NVMEHOST_DATA + 0x6000;
	memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + 0x1ff8), &list[0], 8);
	memcpy(pcihost_at(&host->pci, NVMEHOST_DATA + 0x4008), &list[1], 16);
	sqe.prp2 = NVMEHOST_DATA + 0x1ff8;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET));
}

/* ---- Rings ---- */

static void test_wrap_and_full(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int round, i, done = 0, sent = 0;

	nvmehost_create_pair(host, &queue, 1, 5);
	for (round = 0; round < 200; round++) {
		uint32_t before = queue.cq_head;

		/* Fill the submission queue; consume only now and then. */
		for (i = 0; sent - done < 4 && i < 4; i++, sent++) {
			struct weir_nvme_sqe flush = { .nsid = 1, .cid = (uint16_t)sent };

			nvmehost_push(host, &queue, &flush);
		}
		nvmehost_ring(host, &queue);
		nvmehost_run(host);
		for (i = 0; i < round % 6 && nvmehost_reap(host, &queue, &cqe); i++, done++) {
			assert_int_equal(cqe.cid, (uint16_t)done);
			assert_int_equal(cqe.status >> 1, 0);
		}
		if (queue.cq_head != before)
			nvmehost_ring_cq(host, &queue);
	}
	assert_in_range(done, 300, sent);
}

/* A completion queue of 2 entries, one usable, behind a submission queue of 16. */
static void test_full_cq(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_cqe cqe;
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 16);
	nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 1, 0, 0);
	nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 1, 0, 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00010001,
						0x00010003, queue.cq),
			 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_SQ, 0x000f0001,
						0x00010001, queue.sq),
			 0);
	queue.cq_size = 2;
	for (i = 0; i < 15; i++) {
		struct weir_nvme_sqe flush = { .nsid = 1, .cid = (uint16_t)(100 + i) };

		nvmehost_push(host, &queue, &flush);
	}
	nvmehost_ring(host, &queue);
	for (i = 0; i < 15; i++) {
		nvmehost_run(host);
		assert_int_equal(host->flushes, i + 1);
		assert_true(nvmehost_reap(host, &queue, &cqe));
		assert_int_equal(cqe.cid, 100 + i);
		assert_int_equal(cqe.sqhd, i + 1);
		/* Nothing beyond it, and the other queues go on. */
		assert_int_equal(nvmehost_admin(host, (struct weir_nvme_sqe){ .opcode = 8 }), 0);
		nvmehost_ring_cq(host, &queue);
	}
	nvmehost_run(host);
	assert_false(nvmehost_reap(host, &queue, &cqe));
	assert_int_equal(host->flushes, 15);
}

/* Two submission queues of 16 behind one completion queue of 4, consumed one by one. */
static void test_shared_cq(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue, other;
	struct weir_nvme_cqe cqe;
	bool seen[30] = { false };
	unsigned int i;

	nvmehost_create_pair(host, &queue, 1, 16);
	nvmehost_create_pair(host, &other, 2, 16);
	nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 1, 0, 0);
	nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_CQ, 1, 0, 0);
	nvmehost_queue_command(host, WEIR_NVME_ADMIN_DELETE_SQ, 2, 0, 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_CQ, 0x00030001,
						0x00010003, queue.cq),
			 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_SQ, 0x000f0001,
						0x00010001, queue.sq),
			 0);
	assert_int_equal(nvmehost_queue_command(host, WEIR_NVME_ADMIN_CREATE_SQ, 0x000f0002,
						0x00010001, other.sq),
			 0);
	queue.cq_size = 4;
	for (i = 0; i < 30; i++) {
		struct weir_nvme_sqe flush = { .nsid = 1, .cid = (uint16_t)i };

		nvmehost_push(host, i % 2 ? &other : &queue, &flush);
		nvmehost_ring(host, i % 2 ? &other : &queue);
	}
	for (i = 0; i < 30; i++) {
		nvmehost_run(host);
		assert_in_range(host->flushes, i + 1, i + 3);
		assert_true(nvmehost_reap(host, &queue, &cqe));
		assert_int_equal(cqe.sqid, cqe.cid % 2 + 1);
		assert_false(seen[cqe.cid]);
		seen[cqe.cid] = true;
		nvmehost_ring_cq(host, &queue);
	}
	assert_int_equal(host->flushes, 30);
}

static void test_interrupts(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queues[2];
	struct weir_nvme_sqe flush = { .nsid = 1 };
	struct weir_model_nvme_stats before, after;
	unsigned int i;

	nvmehost_create_pair(host, &queues[0], 1, 16);
	nvmehost_create_pair(host, &queues[1], 2, 16);
	for (i = 0; i < 10; i++) {
		nvmehost_push(host, &queues[i % 2], &flush);
		nvmehost_ring(host, &queues[i % 2]);
	}
	weir_model_nvme_get_stats(host->nvme, &before);
	assert_int_equal(host->stepper->step(host->stepper, 64), 10);
	assert_int_equal(pcihost_irqs(&host->pci, 1), 1);
	assert_int_equal(pcihost_irqs(&host->pci, 2), 1);
	assert_int_equal(host->stepper->step(host->stepper, 64), 0);
	weir_model_nvme_get_stats(host->nvme, &after);
	assert_int_equal(after.interrupts - before.interrupts, 2);
	/* Masked: pending, and sent when unmasked. */
	nvmehost_set_reg(host, 0x2000 + 16 + WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL, 1);
	nvmehost_push(host, &queues[0], &flush);
	nvmehost_ring(host, &queues[0]);
	nvmehost_run(host);
	assert_int_equal(pcihost_irqs(&host->pci, 1), 1);
	nvmehost_set_reg(host, 0x2000 + 16 + WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	assert_int_equal(pcihost_irqs(&host->pci, 1), 2);
}

/* Whatever the budget, a step keeps it, and many small steps do what one large one does. */
static void test_budget(void **state)
{
	static const unsigned int budgets[] = { 1, 2, 3, 7, 31, 1000 };
	struct nvmehost *host = *state;
	struct shape *shape = calloc(1, sizeof(*shape));
	struct nvmehost_queue queue;
	struct weir_nvme_sqe sqe;
	struct weir_nvme_cqe cqe;
	uint64_t seed = 5;
	size_t i;

	nvmehost_create_pair(host, &queue, 1, 16);
	memset(pcihost_at(&host->pci, NVMEHOST_DATA), 0xcc, 2048 * 4096);
	assert_int_equal(host->stepper->step(host->stepper, 0), 0);
	for (i = 0; i < WEIR_ARRAY_SIZE(budgets); i++) {
		unsigned int units, total = 0;

		make_shape(host, shape, 256 * 512, &seed);
		sqe = nvmehost_rw(WEIR_NVME_CMD_READ, 16, 256, shape->prp1, shape->prp2);
		nvmehost_push(host, &queue, &sqe);
		nvmehost_ring(host, &queue);
		do {
			units = host->stepper->step(host->stepper, budgets[i]);
			assert_in_range(units, 0, budgets[i]);
			total += units;
		} while (units == budgets[i]);
		assert_int_equal(total, 1 + shape->nr);
		assert_true(nvmehost_reap(host, &queue, &cqe));
		nvmehost_ring_cq(host, &queue);
		check_read(host, shape, 16 * 512);
	}
	free(shape);
}

/* ---- Disks ---- */

static void test_media_errors(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_sqe sqe = nvmehost_rw(WEIR_NVME_CMD_READ, 0, 1, NVMEHOST_DATA, 0);

	nvmehost_create_pair(host, &queue, 1, 8);
	host->disk_fails = true;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), WEIR_NVME_SC_UNRECOVERED_READ);
	sqe.opcode = WEIR_NVME_CMD_WRITE;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), WEIR_NVME_SC_WRITE_FAULT);
	sqe.opcode = WEIR_NVME_CMD_FLUSH;
	assert_int_equal(nvmehost_command(host, &queue, sqe, NULL), WEIR_NVME_SC_WRITE_FAULT);
	host->disk_fails = false;
	assert_int_equal(nvmehost_get_log(host, WEIR_NVME_LID_SMART, 512, 0), 0);
	assert_int_equal(nvmehost_data(host, WEIR_NVME_SMART_MEDIA_ERRORS, 8), 3);
}

static void test_write_through(void **state)
{
	struct nvmehost *host = *state;
	struct nvmehost_queue queue;
	struct weir_nvme_sqe sqe = nvmehost_rw(WEIR_NVME_CMD_WRITE, 0, 1, NVMEHOST_DATA, 0);
	uint32_t dw0;

	nvmehost_create_pair(host, &queue, 1, 8);
	nvmehost_command(host, &queue, sqe, NULL);
	assert_int_equal(host->flushes, 0);
	sqe.cdw12 |= WEIR_NVME_RW_FUA;
	nvmehost_command(host, &queue, sqe, NULL);
	assert_int_equal(host->flushes, 1);
	sqe.cdw12 = 0;
	assert_int_equal(nvmehost_feature(host, WEIR_NVME_ADMIN_SET_FEATURES,
					  WEIR_NVME_FID_WRITE_CACHE, 0, 0, &dw0),
			 0);
	nvmehost_command(host, &queue, sqe, NULL);
	assert_int_equal(host->flushes, 2);
}

/* 4 KiB blocks, read-only, the last block a part of one. */
static void test_odd_disk(void **state)
{
	struct nvmehost host;
	struct weir_model_nvme_config config = nvmehost_config(&host);
	struct nvmehost_queue queue;
	struct weir_nvme_sqe sqe;
	uint32_t i, word;

	(void)state;
	config.block_size = 4096;
	config.disk.write = NULL;
	config.disk.flush = NULL;
	config.disk.size = 3 * 4096 + 100;
	nvmehost_up(&host, &config);
	nvmehost_create_pair(&host, &queue, 1, 8);
	assert_int_equal(nvmehost_identify(&host, WEIR_NVME_CNS_NAMESPACE, 1), 0);
	assert_int_equal(nvmehost_data(&host, WEIR_NVME_IDN_NSZE, 8), 4);
	assert_int_equal(nvmehost_data(&host, WEIR_NVME_IDN_NSATTR, 1),
			 WEIR_NVME_NSATTR_WRITE_PROTECTED);
	assert_int_equal(nvmehost_data(&host, WEIR_NVME_IDN_LBAF0, 4),
			 12u << WEIR_NVME_LBAF_LBADS_SHIFT);
	sqe = nvmehost_rw(WEIR_NVME_CMD_READ, 0, 2, NVMEHOST_DATA, NVMEHOST_DATA + 0x1000);
	assert_int_equal(nvmehost_command(&host, &queue, sqe, NULL), 0);
	sqe.cdw10 = 2;
	assert_int_equal(nvmehost_command(&host, &queue, sqe, NULL), 0);
	for (i = 0; i < 8192; i += 4) {
		word = (uint32_t)nvmehost_data(&host, i, 4);
		assert_int_equal(word, i < 4096 + 100 ? nvmehost_pattern(8192 + i) : 0);
	}
	sqe = nvmehost_rw(WEIR_NVME_CMD_READ, 3, 2, NVMEHOST_DATA, NVMEHOST_DATA + 0x1000);
	assert_int_equal(nvmehost_command(&host, &queue, sqe, NULL), DNR(WEIR_NVME_SC_LBA_RANGE));
	sqe = nvmehost_rw(WEIR_NVME_CMD_WRITE, 0, 1, NVMEHOST_DATA, 0);
	assert_int_equal(nvmehost_command(&host, &queue, sqe, NULL),
			 DNR(WEIR_NVME_SC_NS_WRITE_PROTECTED));
	sqe.opcode = WEIR_NVME_CMD_FLUSH;
	assert_int_equal(nvmehost_command(&host, &queue, sqe, NULL), 0);
	nvmehost_fini(&host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prp_shapes),
		cmocka_unit_test(test_prp_chains),
		TEST(test_write_shapes),
		TEST(test_rw_errors),
		TEST(test_list_errors),
		TEST(test_wrap_and_full),
		TEST(test_full_cq),
		TEST(test_shared_cq),
		TEST(test_interrupts),
		TEST(test_budget),
		TEST(test_media_errors),
		TEST(test_write_through),
		cmocka_unit_test(test_odd_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
