/* SPDX-License-Identifier: MIT */
/*
 * The NVMe model under any program of register accesses, doorbells, queue memory, knobs and steps.
 *
 * Between it and memory stands an IOMMU of one byte of rights for each page.
 *
 * - A page that may not be written never changes; what is in a page that may not be read never
 *   reaches the disk nor another page.
 * - Each access stays within a page, and each that was let through is completed. Without Bus Master
 *   Enable there is none.
 * - A step does no more than its budget, and no more accesses than a bound that grows with it;
 * after one that found nothing more to do there is nothing to do until a kick.
 * - The disk is asked for what it has, never beyond.
 */

#include <weir/hw/nvme.h>
#include <weir/hw/pci.h>
#include <weir/model/nvme.h>

#include "input.h"

#define ECAM 0x4010000000ull
#define BAR 0x8000000000ull
#define MESSAGES 0x08000000ull
#define RAM_BASE 0x40000000ull
#define PAGE 4096u
#define PAGES 32u
#define RAM_SIZE (PAGES * PAGE)
#define DISK_SIZE 0x40200u /* the last block of 4096 bytes is a part of one */
#define QUEUES 3u
#define MAY_READ 1u
#define MAY_WRITE 2u
/*
 * Accesses for a unit of work: a batch of each queue, 256 completions of a deleted queue, a list.
 */
#define UNIT_ACCESSES 512u

/* Stands in all pages that may not be read. */
static const uint8_t secret[16] = { 0xd1, 0x5e, 0xa5, 0xed, 0x0f, 0xc0, 0xff, 0xee,
				    0xde, 0xfa, 0xce, 0xd1, 0x5c, 0x0b, 0xa1, 0x7e };

struct machine {
	struct input in;
	struct weir_model_bus *bus;
	struct weir_model_pcie *rc;
	struct weir_model_nvme *nvme;
	uint8_t *ram, *copy, *disk;
	uint8_t rights[PAGES];
	uint16_t tail[QUEUES + 1];
	unsigned int accesses;
	/* One that lands in the MSI-X table may cause another. */
	const struct weir_model_translation *flying[8];
	unsigned int nr_flying;
	bool kicked, idle, master, disk_fails;
};

/* ---- What is around the controller -------------------------------------------------------- */

static enum weir_model_result translate(void *iommu, const struct weir_model_txn *txn,
					struct weir_model_translation *out)
{
	struct machine *m = iommu;
	uint64_t page = (txn->addr - RAM_BASE) / PAGE;

	REQUIRE(m->master && m->nr_flying < WEIR_ARRAY_SIZE(m->flying));
	REQUIRE(txn->len && (txn->addr & (PAGE - 1)) + txn->len <= PAGE);
	m->accesses++;
	if (txn->addr >= RAM_BASE && page < PAGES &&
	    !(m->rights[page] & (txn->flags & WEIR_MODEL_TXN_WRITE ? MAY_WRITE : MAY_READ)))
		return WEIR_MODEL_BLOCKED;
	m->flying[m->nr_flying++] = out;
	*out = (struct weir_model_translation){ .addr = txn->addr };
	return WEIR_MODEL_OK;
}

static void complete(void *iommu, const struct weir_model_translation *translation)
{
	struct machine *m = iommu;

	REQUIRE(m->nr_flying && m->flying[--m->nr_flying] == translation);
}

static const struct weir_model_iommu_ops iommu_ops = { translate, complete };

static enum weir_model_result message_read(void *opaque, uint64_t offset, unsigned int size,
					   uint32_t requester, uint64_t *value)
{
	(void)opaque;
	(void)size;
	(void)requester;
	*value = offset;
	return WEIR_MODEL_OK;
}

static enum weir_model_result message_write(void *opaque, uint64_t offset, unsigned int size,
					    uint32_t requester, uint64_t value)
{
	(void)opaque;
	(void)offset;
	(void)size;
	(void)requester;
	(void)value;
	return WEIR_MODEL_OK;
}

static const struct weir_model_mmio_ops message_ops = { message_read, message_write };

static int disk_read(void *opaque, uint64_t offset, void *buf, size_t len)
{
	struct machine *m = opaque;

	REQUIRE(offset <= DISK_SIZE && len <= DISK_SIZE - offset);
	memcpy(buf, m->disk + offset, len);
	return m->disk_fails ? -WEIR_EIO : 0;
}

static int disk_write(void *opaque, uint64_t offset, const void *buf, size_t len)
{
	struct machine *m = opaque;

	REQUIRE(offset <= DISK_SIZE && len <= DISK_SIZE - offset);
	if (m->disk_fails)
		return -WEIR_EIO;
	memcpy(m->disk + offset, buf, len);
	return 0;
}

static int disk_flush(void *opaque)
{
	return ((struct machine *)opaque)->disk_fails ? -WEIR_EIO : 0;
}

static void kick(struct weir_model_stepper *stepper, void *opaque)
{
	(void)stepper;
	((struct machine *)opaque)->kicked = true;
}

/* ---- Memory ------------------------------------------------------------------------------- */

static uint64_t some_page(struct machine *m)
{
	unsigned int page = take_below(&m->in, PAGES + 2);

	return page < PAGES ? RAM_BASE + page * PAGE : page == PAGES ? MESSAGES : BAR;
}

/*
 * The secret begins at any multiple of 4: data moves by dwords at least. Not instrumented: quicker,
 * and the fuzzer does not see what is looked for.
 */
__attribute__((no_sanitize("address", "undefined", "coverage"))) static bool
has_secret(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t low, high, word;

	memcpy(&low, secret, 8);
	memcpy(&high, secret + 8, 8);
	for (size_t i = 0; i + 8 <= len; i += 4) {
		__builtin_memcpy(&word, bytes + i, 8);
		if (word == low || word == high)
			return true;
	}
	return false;
}

/* As far as it is RAM that may be read. */
static void put(struct machine *m, uint64_t addr, const void *data, size_t len)
{
	uint64_t offset = addr - RAM_BASE;

	if (addr < RAM_BASE || offset > RAM_SIZE - len || !(m->rights[offset / PAGE] & MAY_READ) ||
	    has_secret(data, len))
		return;
	memcpy(m->ram + offset, data, len);
}

static void put_list(struct machine *m)
{
	uint64_t at = some_page(m), entries[8];
	unsigned int first = take(&m->in, 1) & 1 ? 512 - 8 : take_below(&m->in, 64);

	for (unsigned int i = 0; i < 8; i++)
		entries[i] = take_noise(&m->in, some_page(m));
	put(m, at + first * 8ull, entries, sizeof(entries));
}

static void spread_secret(struct machine *m, unsigned int page)
{
	for (unsigned int i = 0; i < PAGE; i += sizeof(secret))
		memcpy(m->ram + page * PAGE + i, secret, sizeof(secret));
}

static void check_unwritten(const struct machine *m)
{
	for (unsigned int page = 0; page < PAGES; page++)
		if (!(m->rights[page] & MAY_WRITE))
			REQUIRE(!memcmp(m->ram + page * PAGE, m->copy + page * PAGE, PAGE));
}

static void check_unread(const struct machine *m)
{
	for (unsigned int page = 0; page < PAGES; page++)
		if (m->rights[page] & MAY_READ)
			REQUIRE(!has_secret(m->ram + page * PAGE, PAGE));
	REQUIRE(!has_secret(m->disk, DISK_SIZE));
}

/* ---- Registers ---------------------------------------------------------------------------- */

static void bar_write(struct machine *m, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_bus_write(m->bus, BAR + offset, &value, size, WEIR_MODEL_CPU);
}

static uint64_t bar_read(struct machine *m, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	weir_model_bus_read(m->bus, BAR + offset, &value, size, WEIR_MODEL_CPU);
	return value;
}

static void config_write(struct machine *m, unsigned int reg, unsigned int size, uint32_t value)
{
	REQUIRE(weir_model_bus_write(m->bus, ECAM + (8ull << 12) + reg, &value, size,
				     WEIR_MODEL_CPU) == WEIR_MODEL_OK);
}

static void access_register(struct machine *m)
{
	static const uint16_t known[] = { WEIR_NVME_REG_CAP, WEIR_NVME_REG_INTMS,
					  WEIR_NVME_REG_CC,  WEIR_NVME_REG_CSTS,
					  WEIR_NVME_REG_AQA, WEIR_NVME_REG_ASQ,
					  WEIR_NVME_REG_ACQ, WEIR_NVME_REG_NSSR };
	unsigned int choice = take(&m->in, 1) & 0xff, size = 1u << (choice & 3);
	uint64_t offset = choice & 0x80 ? take(&m->in, 2) & 0x3fff : known[choice >> 4 & 7];

	offset &= ~(uint64_t)(size - 1);
	if (choice & 4)
		bar_write(m, offset, size, take(&m->in, size));
	else
		bar_read(m, offset, size);
}

/* Queues of 16 entries in pages of their own: admin's in 0 and 1. */
static void enable(struct machine *m)
{
	unsigned int entries = 2 + take_below(&m->in, 62);

	memset(m->tail, 0, sizeof(m->tail));
	bar_write(m, WEIR_NVME_REG_AQA, 4,
		  (entries - 1) << WEIR_NVME_AQA_ACQS_SHIFT | (entries - 1));
	bar_write(m, WEIR_NVME_REG_ASQ, 8, RAM_BASE);
	bar_write(m, WEIR_NVME_REG_ACQ, 8, RAM_BASE + PAGE);
	bar_write(m, WEIR_NVME_REG_CC, 4,
		  take_noise(&m->in, WEIR_NVME_CC_EN |
					     WEIR_NVME_SQE_SHIFT << WEIR_NVME_CC_IOSQES_SHIFT |
					     WEIR_NVME_CQE_SHIFT << WEIR_NVME_CC_IOCQES_SHIFT));
}

static void ring(struct machine *m)
{
	unsigned int doorbell = take_below(&m->in, 2 * (QUEUES + 2));

	bar_write(m, WEIR_NVME_REG_DOORBELLS + 4ull * doorbell, 4, take(&m->in, 1));
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void make_command(struct machine *m, unsigned int queue, struct weir_nvme_sqe *sqe)
{
	static const uint8_t admin[] = {
		WEIR_NVME_ADMIN_DELETE_SQ,    WEIR_NVME_ADMIN_CREATE_SQ,
		WEIR_NVME_ADMIN_GET_LOG_PAGE, WEIR_NVME_ADMIN_DELETE_CQ,
		WEIR_NVME_ADMIN_CREATE_CQ,    WEIR_NVME_ADMIN_IDENTIFY,
		WEIR_NVME_ADMIN_ABORT,	      WEIR_NVME_ADMIN_SET_FEATURES,
		WEIR_NVME_ADMIN_GET_FEATURES, WEIR_NVME_ADMIN_ASYNC_EVENT,
	};
	unsigned int choice = take_below(&m->in, WEIR_ARRAY_SIZE(admin));

	*sqe = (struct weir_nvme_sqe){
		.opcode = queue ? (uint8_t)(choice % 4) : admin[choice],
		.cid = (uint16_t)take_below(&m->in, 8),
		.nsid = 1,
	};
	sqe->prp1 = take_noise(&m->in, some_page(m));
	sqe->prp2 = take_noise(&m->in, some_page(m));
	sqe->cdw10 =
		(uint32_t)take_noise(&m->in, take_below(&m->in, 16) | take(&m->in, 1) % 64 << 16);
	sqe->cdw11 = (uint32_t)take_noise(&m->in, queue ? 0 : 1 | take_below(&m->in, 4) << 16);
	sqe->cdw12 = (uint32_t)take(&m->in, 2) % 512;
	if (!(take(&m->in, 1) & 15))
		((uint8_t *)sqe)[take(&m->in, 1) % sizeof(*sqe)] = (uint8_t)take(&m->in, 1);
}

/* An I/O queue pair as the driver would create it: number q in pages 2q and 2q + 1. */
static void create_pair(struct machine *m, struct weir_nvme_sqe *sqe)
{
	unsigned int choice = take(&m->in, 1), queue = 1 + choice % QUEUES;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = choice & 0x80 ? WEIR_NVME_ADMIN_CREATE_SQ : WEIR_NVME_ADMIN_CREATE_CQ;
	sqe->prp1 = RAM_BASE + (2 * queue + !(choice & 0x80)) * PAGE;
	sqe->cdw10 = queue | 15u << WEIR_NVME_QUEUE_QSIZE_SHIFT;
	sqe->cdw11 = choice & 0x80 ?
			     WEIR_NVME_QUEUE_PC | queue << WEIR_NVME_SQ_CQID_SHIFT :
			     WEIR_NVME_QUEUE_PC | WEIR_NVME_CQ_IEN | queue << WEIR_NVME_CQ_IV_SHIFT;
	m->tail[queue] = 0;
}

static void submit(struct machine *m, unsigned int queue, const struct weir_nvme_sqe *sqe)
{
	unsigned int entries = queue ? 16 : (bar_read(m, WEIR_NVME_REG_AQA, 4) & 63) + 1;

	put(m, RAM_BASE + 2ull * queue * PAGE + m->tail[queue] * sizeof(*sqe), sqe, sizeof(*sqe));
	m->tail[queue] = (uint16_t)((m->tail[queue] + 1) % entries);
	bar_write(m, WEIR_NVME_REG_DOORBELLS + 8ull * queue, 4, m->tail[queue]);
}

static void command(struct machine *m, bool creates)
{
	unsigned int queue = creates ? 0 : take_below(&m->in, QUEUES + 1);
	struct weir_nvme_sqe sqe;

	if (creates)
		create_pair(m, &sqe);
	else
		make_command(m, queue, &sqe);
	submit(m, queue, &sqe);
}

/* ---- Steps -------------------------------------------------------------------------------- */

static unsigned int run(struct machine *m, unsigned int budget)
{
	struct weir_model_stepper *stepper = weir_model_nvme_stepper(m->nvme);
	unsigned int done;

	m->accesses = 0;
	memcpy(m->copy, m->ram, RAM_SIZE);
	done = stepper->step(stepper, budget);
	REQUIRE(done <= budget && !m->nr_flying);
	REQUIRE(m->accesses <= (budget + 1) * UNIT_ACCESSES);
	check_unwritten(m);
	return done;
}

static void step(struct machine *m)
{
	unsigned int budget = take_below(&m->in, 40), done;

	m->idle = m->idle && !m->kicked;
	m->kicked = false;
	done = run(m, budget);
	REQUIRE(!m->idle || (!done && !m->accesses));
	m->idle = !m->kicked && (m->idle || done < budget);
}

static void turn_knobs(struct machine *m)
{
	unsigned int choice = (unsigned int)take(&m->in, 2);
	struct weir_model_nvme_faults faults = {
		.stop_after = choice & 1 ? choice >> 8 & 15 : 0,
		.dead = (choice & 6) == 6,
		.never_ready = (choice & 24) == 24,
		.bad_cid = choice & 32,
		.bad_data = choice & 64,
		.error_every = choice & 128 ? choice >> 12 & 3 : 0,
		.reorder = choice & 0x4000,
	};

	weir_model_nvme_set_faults(m->nvme, &faults);
}

static void operate(struct machine *m)
{
	switch (take_below(&m->in, 16)) {
	case 0:
	case 1:
		access_register(m);
		break;
	case 2:
		enable(m);
		break;
	case 3:
	case 4:
		ring(m);
		break;
	case 5:
		put_list(m);
		break;
	case 6:
		turn_knobs(m);
		break;
	case 7:
		command(m, true);
		break;
	case 8:
		m->master = take(&m->in, 1) & 7;
		config_write(m, WEIR_PCI_COMMAND, 2,
			     WEIR_PCI_COMMAND_MEMORY | (m->master ? WEIR_PCI_COMMAND_MASTER : 0));
		break;
	case 9:
		m->disk_fails = !(take(&m->in, 1) & 7);
		break;
	case 10:
	case 11:
		step(m);
		break;
	default:
		command(m, false);
	}
}

/* ---- The run ------------------------------------------------------------------------------ */

static void make_bus(struct machine *m)
{
	struct weir_model_pcie_config config = {
		.ecam_base = ECAM,
		.bus_count = 1,
		.mmio32_base = 0x10000000,
		.mmio32_size = 0x10000000,
		.mmio64_base = BAR,
		.mmio64_size = 0x100000000ull,
		.iommu_ops = &iommu_ops,
		.iommu = m,
	};
	struct weir_model_region *region;

	REQUIRE(!weir_model_bus_create(&m->bus));
	REQUIRE(!weir_model_bus_add_ram(m->bus, RAM_BASE, RAM_SIZE, m->ram));
	REQUIRE(!weir_model_bus_add_mmio(m->bus, MESSAGES, PAGE, &message_ops, m, &region));
	REQUIRE(!weir_model_pcie_create(m->bus, &config, &m->rc));
}

static void make_controller(struct machine *m)
{
	unsigned int choice = (unsigned int)take(&m->in, 2);
	struct weir_model_nvme_config config = {
		.disk = { .read = disk_read,
			  .write = choice & 1 ? NULL : disk_write,
			  .flush = choice & 2 ? NULL : disk_flush,
			  .opaque = m,
			  .size = DISK_SIZE },
		.block_size = choice & 4 ? 4096 : 512,
		.max_queues = QUEUES,
		.max_entries = 2 + (choice >> 4 & 63),
		.mdts = 1 + (choice >> 10 & 7),
		.seed = 1,
	};

	REQUIRE(!weir_model_nvme_create(m->rc, NULL, 8, &config, &m->nvme));
	weir_model_nvme_stepper(m->nvme)->kick = kick;
	weir_model_nvme_stepper(m->nvme)->kick_opaque = m;
	m->master = true;
	config_write(m, WEIR_PCI_BASE_ADDRESS_0, 4, (uint32_t)BAR);
	config_write(m, WEIR_PCI_BASE_ADDRESS_0 + 4, 4, (uint32_t)(BAR >> 32));
	config_write(m, WEIR_PCI_COMMAND, 2, WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER);
	config_write(m, 0x80 + WEIR_PCI_MSIX_FLAGS, 2, WEIR_PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int i = 0; i <= QUEUES; i++) {
		bar_write(m, 0x2000 + 16ull * i, 8, i ? MESSAGES + 0x40 : some_page(m));
		bar_write(m, 0x2000 + 16ull * i + 12, 4, 0);
	}
}

static void share_out(struct machine *m)
{
	uint64_t unreadable = take(&m->in, 4) & take(&m->in, 4), unwritable = take(&m->in, 4);

	for (unsigned int page = 0; page < PAGES; page++) {
		m->rights[page] = (unreadable >> page & 1 ? 0 : MAY_READ) |
				  (unwritable >> page & 1 ? 0 : MAY_WRITE);
		if (!(m->rights[page] & MAY_READ))
			spread_secret(m, page);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096))), copy[RAM_SIZE];
	static uint8_t disk[DISK_SIZE];
	struct machine m = {
		.in = { data, size < 4096 ? size : 4096 }, .ram = ram, .copy = copy, .disk = disk
	};

	memset(ram, 0, sizeof(ram));
	memset(disk, 0x11, sizeof(disk));
	make_bus(&m);
	make_controller(&m);
	share_out(&m);
	while (m.in.left)
		operate(&m);
	run(&m, 100);
	check_unread(&m);
	weir_model_nvme_destroy(m.nvme);
	weir_model_pcie_destroy(m.rc);
	weir_model_bus_destroy(m.bus);
	return 0;
}
