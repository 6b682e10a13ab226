/* SPDX-License-Identifier: MIT */
#ifndef TESTS_NVMEHOST_H
#define TESTS_NVMEHOST_H

/*
 * A host that drives the NVMe model by hand: rings in RAM, doorbells, one step when it says so. The
 * disk is memory whose every 4 bytes tell where they are.
 *
 * RAM: the admin queues in the first pages, I/O queues of number N at N * QUEUE_AREA, data from
 * NVMEHOST_DATA on.
 */

#include <weir/hw/nvme.h>
#include <weir/model/nvme.h>

#include "pcihost.h"

#define NVMEHOST_DISK_SIZE 0x400000u
#define NVMEHOST_ADMIN_ENTRIES 16u
#define NVMEHOST_QUEUE_AREA 0x40000u
#define NVMEHOST_DATA (PCIHOST_RAM + 0x1000000u)

struct nvmehost_queue {
	uint16_t qid;
	uint32_t size, cq_size;
	uint64_t sq, cq;
	uint32_t sq_tail, cq_head;
	bool phase;
};

struct nvmehost {
	struct pcihost pci;
	struct weir_model_nvme *nvme;
	struct weir_model_stepper *stepper;
	struct nvmehost_queue admin;
	uint8_t *disk;
	unsigned int flushes, kicks;
	bool disk_fails;
	uint16_t next_cid;
};

/** What the disk holds at `offset`, a multiple of 4, before anybody writes. */
uint32_t nvmehost_pattern(uint64_t offset);
/** A config with the host's disk in it, all else default. */
struct weir_model_nvme_config nvmehost_config(struct nvmehost *host);
/** `config` NULL: the default. The controller is not enabled. */
void nvmehost_init(struct nvmehost *host, const struct weir_model_nvme_config *config);
void nvmehost_fini(struct nvmehost *host);

/** Program the admin queues and enable, without a step. */
void nvmehost_enable(struct nvmehost *host);
/** nvmehost_init(), enable, and a step: ready. */
void nvmehost_up(struct nvmehost *host, const struct weir_model_nvme_config *config);
/** Step until there is nothing to do; returns the units. */
unsigned int nvmehost_run(struct nvmehost *host);
uint32_t nvmehost_reg(struct nvmehost *host, uint32_t offset);
void nvmehost_set_reg(struct nvmehost *host, uint32_t offset, uint32_t value);

/** Put an entry into the ring. */
void nvmehost_push(struct nvmehost *host, struct nvmehost_queue *queue,
		   const struct weir_nvme_sqe *sqe);
void nvmehost_ring(struct nvmehost *host, struct nvmehost_queue *queue);
/** The next completion, if it is there; the head moves but its doorbell is not rung. */
bool nvmehost_reap(struct nvmehost *host, struct nvmehost_queue *queue, struct weir_nvme_cqe *cqe);
void nvmehost_ring_cq(struct nvmehost *host, struct nvmehost_queue *queue);

/** One command from submission to completion; checks the entry's fields; returns its status. */
uint16_t nvmehost_command(struct nvmehost *host, struct nvmehost_queue *queue,
			  struct weir_nvme_sqe sqe, uint32_t *dw0);
uint16_t nvmehost_admin(struct nvmehost *host, struct weir_nvme_sqe sqe);

/** Create queue pair `qid` with interrupt vector `qid`. */
void nvmehost_create_pair(struct nvmehost *host, struct nvmehost_queue *queue, uint16_t qid,
			  uint32_t size);
struct weir_nvme_sqe nvmehost_rw(uint8_t opcode, uint64_t lba, uint32_t blocks, uint64_t prp1,
				 uint64_t prp2);

/** Identify and Get Log Page into NVMEHOST_DATA, which holds 0xcc elsewhere, for two pages. */
uint16_t nvmehost_identify(struct nvmehost *host, uint32_t cns, uint32_t nsid);
uint16_t nvmehost_get_log(struct nvmehost *host, uint32_t lid, uint32_t bytes, uint64_t offset);
/** A field of what is at NVMEHOST_DATA. */
uint64_t nvmehost_data(struct nvmehost *host, uint32_t offset, unsigned int size);
/** Create or Delete Queue. */
uint16_t nvmehost_queue_command(struct nvmehost *host, uint8_t opcode, uint32_t cdw10,
				uint32_t cdw11, uint64_t prp1);
/** Set or Get Features. */
uint16_t nvmehost_feature(struct nvmehost *host, uint8_t opcode, uint32_t cdw10, uint32_t cdw11,
			  uint32_t nsid, uint32_t *dw0);

#endif
