/* SPDX-License-Identifier: MIT */
/*
 * A host that drives the NVMe model by hand: nvmehost.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nvmehost.h"

uint32_t nvmehost_pattern(uint64_t offset)
{
	uint64_t x = (offset / 4 + 1) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(x >> 32);
}

static int disk_read(void *opaque, uint64_t offset, void *buf, size_t len)
{
	struct nvmehost *host = opaque;

	if (host->disk_fails || offset > NVMEHOST_DISK_SIZE || len > NVMEHOST_DISK_SIZE - offset)
		return -WEIR_EIO;
	memcpy(buf, host->disk + offset, len);
	return 0;
}

static int disk_write(void *opaque, uint64_t offset, const void *buf, size_t len)
{
	struct nvmehost *host = opaque;

	if (host->disk_fails || offset > NVMEHOST_DISK_SIZE || len > NVMEHOST_DISK_SIZE - offset)
		return -WEIR_EIO;
	memcpy(host->disk + offset, buf, len);
	return 0;
}

static int disk_flush(void *opaque)
{
	struct nvmehost *host = opaque;

	host->flushes++;
	return host->disk_fails ? -WEIR_EIO : 0;
}

static void kick(struct weir_model_stepper *stepper, void *opaque)
{
	struct nvmehost *host = opaque;

	(void)stepper;
	__atomic_fetch_add(&host->kicks, 1, __ATOMIC_RELAXED);
}

struct weir_model_nvme_config nvmehost_config(struct nvmehost *host)
{
	return (struct weir_model_nvme_config){
		.disk = { .read = disk_read,
			  .write = disk_write,
			  .flush = disk_flush,
			  .opaque = host,
			  .size = NVMEHOST_DISK_SIZE },
		.seed = 1,
	};
}

void nvmehost_init(struct nvmehost *host, const struct weir_model_nvme_config *config)
{
	struct weir_model_nvme_config def = nvmehost_config(host);
	uint64_t i;

	memset(host, 0, sizeof(*host));
	pcihost_init(&host->pci);
	host->disk = malloc(NVMEHOST_DISK_SIZE);
	assert_non_null(host->disk);
	for (i = 0; i < NVMEHOST_DISK_SIZE; i += 4) {
		uint32_t word = nvmehost_pattern(i);

		memcpy(host->disk + i, &word, 4);
	}
	assert_int_equal(weir_model_nvme_create(host->pci.rc, NULL, PCIHOST_DEVFN,
						config ? config : &def, &host->nvme),
			 0);
	host->stepper = weir_model_nvme_stepper(host->nvme);
	host->stepper->kick = kick;
	host->stepper->kick_opaque = host;
	pcihost_start(&host->pci, 8, 0x2000);
}

void nvmehost_fini(struct nvmehost *host)
{
	weir_model_nvme_destroy(host->nvme);
	pcihost_fini(&host->pci);
	free(host->disk);
}

uint32_t nvmehost_reg(struct nvmehost *host, uint32_t offset)
{
	return (uint32_t)pcihost_read(&host->pci, offset, 4);
}

void nvmehost_set_reg(struct nvmehost *host, uint32_t offset, uint32_t value)
{
	pcihost_write(&host->pci, offset, 4, value);
}

static void init_queue(struct nvmehost *host, struct nvmehost_queue *queue, uint16_t qid,
		       uint32_t size)
{
	*queue = (struct nvmehost_queue){
		.qid = qid,
		.size = size,
		.cq_size = size,
		.sq = PCIHOST_RAM + qid * NVMEHOST_QUEUE_AREA,
		.cq = PCIHOST_RAM + qid * NVMEHOST_QUEUE_AREA + NVMEHOST_QUEUE_AREA / 2,
		.phase = true,
	};
	memset(pcihost_at(&host->pci, queue->sq), 0, NVMEHOST_QUEUE_AREA);
}

void nvmehost_enable(struct nvmehost *host)
{
	init_queue(host, &host->admin, 0, NVMEHOST_ADMIN_ENTRIES);
	nvmehost_set_reg(host, WEIR_NVME_REG_AQA,
			 (NVMEHOST_ADMIN_ENTRIES - 1) << WEIR_NVME_AQA_ACQS_SHIFT |
				 (NVMEHOST_ADMIN_ENTRIES - 1));
	pcihost_write(&host->pci, WEIR_NVME_REG_ASQ, 8, host->admin.sq);
	pcihost_write(&host->pci, WEIR_NVME_REG_ACQ, 8, host->admin.cq);
	nvmehost_set_reg(host, WEIR_NVME_REG_CC,
			 WEIR_NVME_CC_EN | WEIR_NVME_SQE_SHIFT << WEIR_NVME_CC_IOSQES_SHIFT |
				 WEIR_NVME_CQE_SHIFT << WEIR_NVME_CC_IOCQES_SHIFT);
}

void nvmehost_up(struct nvmehost *host, const struct weir_model_nvme_config *config)
{
	nvmehost_init(host, config);
	nvmehost_enable(host);
	nvmehost_run(host);
	assert_int_equal(nvmehost_reg(host, WEIR_NVME_REG_CSTS), WEIR_NVME_CSTS_RDY);
}

unsigned int nvmehost_run(struct nvmehost *host)
{
	unsigned int units, total = 0;

	do {
		units = host->stepper->step(host->stepper, 64);
		assert_in_range(units, 0, 64);
		total += units;
	} while (units == 64);
	return total;
}

void nvmehost_push(struct nvmehost *host, struct nvmehost_queue *queue,
		   const struct weir_nvme_sqe *sqe)
{
	memcpy(pcihost_at(&host->pci, queue->sq + queue->sq_tail * sizeof(*sqe)), sqe,
	       sizeof(*sqe));
	queue->sq_tail = (queue->sq_tail + 1) % queue->size;
}

void nvmehost_ring(struct nvmehost *host, struct nvmehost_queue *queue)
{
	nvmehost_set_reg(host, WEIR_NVME_SQ_TAIL(queue->qid, 0u), queue->sq_tail);
}

void nvmehost_ring_cq(struct nvmehost *host, struct nvmehost_queue *queue)
{
	nvmehost_set_reg(host, WEIR_NVME_CQ_HEAD(queue->qid, 0u), queue->cq_head);
}

bool nvmehost_reap(struct nvmehost *host, struct nvmehost_queue *queue, struct weir_nvme_cqe *cqe)
{
	memcpy(cqe, pcihost_at(&host->pci, queue->cq + queue->cq_head * sizeof(*cqe)),
	       sizeof(*cqe));
	if ((cqe->status & WEIR_NVME_CQE_PHASE) != queue->phase)
		return false;
	if (++queue->cq_head == queue->cq_size) {
		queue->cq_head = 0;
		queue->phase = !queue->phase;
	}
	return true;
}

uint16_t nvmehost_command(struct nvmehost *host, struct nvmehost_queue *queue,
			  struct weir_nvme_sqe sqe, uint32_t *dw0)
{
	struct weir_nvme_cqe cqe, more;

	sqe.cid = host->next_cid++;
	nvmehost_push(host, queue, &sqe);
	nvmehost_ring(host, queue);
	nvmehost_run(host);
	assert_true(nvmehost_reap(host, queue, &cqe));
	assert_false(nvmehost_reap(host, queue, &more));
	nvmehost_ring_cq(host, queue);
	assert_int_equal(cqe.cid, sqe.cid);
	assert_int_equal(cqe.sqid, queue->qid);
	assert_int_equal(cqe.sqhd, queue->sq_tail);
	if (dw0)
		*dw0 = cqe.dw0;
	return cqe.status >> WEIR_NVME_CQE_STATUS_SHIFT;
}

uint16_t nvmehost_admin(struct nvmehost *host, struct weir_nvme_sqe sqe)
{
	return nvmehost_command(host, &host->admin, sqe, NULL);
}

void nvmehost_create_pair(struct nvmehost *host, struct nvmehost_queue *queue, uint16_t qid,
			  uint32_t size)
{
	struct weir_nvme_sqe sqe = { .opcode = WEIR_NVME_ADMIN_CREATE_CQ };

	init_queue(host, queue, qid, size);
	sqe.prp1 = queue->cq;
	sqe.cdw10 = (size - 1) << WEIR_NVME_QUEUE_QSIZE_SHIFT | qid;
	sqe.cdw11 = (uint32_t)qid << WEIR_NVME_CQ_IV_SHIFT | WEIR_NVME_CQ_IEN | WEIR_NVME_QUEUE_PC;
	assert_int_equal(nvmehost_admin(host, sqe), WEIR_NVME_SC_SUCCESS);
	sqe.opcode = WEIR_NVME_ADMIN_CREATE_SQ;
	sqe.prp1 = queue->sq;
	sqe.cdw11 = (uint32_t)qid << WEIR_NVME_SQ_CQID_SHIFT | WEIR_NVME_QUEUE_PC;
	assert_int_equal(nvmehost_admin(host, sqe), WEIR_NVME_SC_SUCCESS);
}

struct weir_nvme_sqe nvmehost_rw(uint8_t opcode, uint64_t lba, uint32_t blocks, uint64_t prp1,
				 uint64_t prp2)
{
	return (struct weir_nvme_sqe){
		.opcode = opcode,
		.nsid = 1,
		.prp1 = prp1,
		.prp2 = prp2,
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
		.cdw12 = blocks - 1,
	};
}

uint16_t nvmehost_identify(struct nvmehost *host, uint32_t cns, uint32_t nsid)
{
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_IDENTIFY,
		.nsid = nsid,
		.prp1 = NVMEHOST_DATA,
		.cdw10 = cns,
	};

	memset(pcihost_at(&host->pci, NVMEHOST_DATA), 0xcc, 8192);
	return nvmehost_admin(host, sqe);
}

uint64_t nvmehost_data(struct nvmehost *host, uint32_t offset, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, pcihost_at(&host->pci, NVMEHOST_DATA + offset), size);
	return value;
}

uint16_t nvmehost_queue_command(struct nvmehost *host, uint8_t opcode, uint32_t cdw10,
				uint32_t cdw11, uint64_t prp1)
{
	struct weir_nvme_sqe sqe = {
		.opcode = opcode,
		.prp1 = prp1,
		.cdw10 = cdw10,
		.cdw11 = cdw11,
	};

	return nvmehost_admin(host, sqe);
}

uint16_t nvmehost_feature(struct nvmehost *host, uint8_t opcode, uint32_t cdw10, uint32_t cdw11,
			  uint32_t nsid, uint32_t *dw0)
{
	struct weir_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = nsid,
		.cdw10 = cdw10,
		.cdw11 = cdw11,
	};

	*dw0 = 0xdeadbeef;
	return nvmehost_command(host, &host->admin, sqe, dw0);
}

uint16_t nvmehost_get_log(struct nvmehost *host, uint32_t lid, uint32_t bytes, uint64_t offset)
{
	struct weir_nvme_sqe sqe = {
		.opcode = WEIR_NVME_ADMIN_GET_LOG_PAGE,
		.nsid = WEIR_NVME_NSID_ALL,
		.prp1 = NVMEHOST_DATA,
		.prp2 = NVMEHOST_DATA + 0x1000,
		.cdw10 = lid | (bytes / 4 - 1) << WEIR_NVME_LOG_NUMDL_SHIFT,
		.cdw11 = (bytes / 4 - 1) >> 16,
		.cdw12 = (uint32_t)offset,
		.cdw13 = (uint32_t)(offset >> 32),
	};

	memset(pcihost_at(&host->pci, NVMEHOST_DATA), 0xcc, 8192);
	return nvmehost_admin(host, sqe);
}
