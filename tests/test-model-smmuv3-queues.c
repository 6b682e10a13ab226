/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's command queue. Proves:
 *  - commands are consumed by step() alone, in order, across the wrap, from queues of every size
 *    up to what IDR1 allows, aligned to their size; not while the indexes are inconsistent;
 *  - what is illegal, of another implementation or cannot be fetched stops the queue at the
 *    command, with its reason, until software acknowledges it; it is fetched again then;
 *  - CMD_SYNC waits for the transactions of before it and for no later one; one that was withdrawn
 *    does not count; each of its signals; a failed ATC invalidation is its error;
 *  - queues that point at the model's own registers abort; messages and a device's own DMA may
 *    reach these registers.
 */

#include "smmuhost.h"

static void add_features(struct fixture *f, uint64_t idr0, uint64_t idr1)
{
	f->config.idr[0] |= (uint32_t)idr0;
	f->config.idr[1] |= (uint32_t)idr1;
	become(f, &f->config);
	f->eventq_cons = 0;
}

static uint64_t sync_with(uint64_t cs, uint32_t data)
{
	return WEIR_SMMU_CMD_SYNC | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, cs) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_MSIDATA, data);
}

/* ---- Commands --------------------------------------------------------------------------- */

static void step_alone_consumes(void **state)
{
	struct fixture *f = *state;

	taken(&f->kicks);
	for (unsigned int i = 0; i < 3; i++)
		queue_command(f, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	assert_int_equal(taken(&f->kicks), 3);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 0);
	assert_int_equal(step(f, 2), 2);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 2);
	assert_int_equal(step(f, 5), 1);
	assert_int_equal(step(f, 5), 0);
	assert_int_equal(stats_of(f).commands, 3);
	/* Nothing while the queue is disabled; then it goes on. */
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 5), 0);
	taken(&f->kicks);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_CMDQEN);
	assert_int_equal(taken(&f->kicks), 1);
	assert_int_equal(step(f, 5), 1);
	assert_int_equal(stats_of(f).syncs, 1);
}

static void command_queue_wraps(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 5u << CMDQ_LOG2; i++)
		command(f, WEIR_SMMU_CMD_TLBI_NH_ALL, 0);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 1u << CMDQ_LOG2);
	/* Full is not more than full: indexes that say so are not believed. */
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, (1u << CMDQ_LOG2) - 1);
	assert_int_equal(step(f, 1000), 0);
}

/* A queue of 2^log2size at `base`, with one illegal command in its last entry. */
static void expect_queue(struct fixture *f, uint64_t base, unsigned int written,
			 unsigned int log2size)
{
	unsigned int entries = 1u << log2size;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, base | written);
	wr(f, WEIR_SMMU_CMDQ_PROD, 8, 0); /* and CMDQ_CONS */
	for (unsigned int i = 0; i < entries; i++)
		put(f, CMDQ + i * WEIR_SMMU_CMD_SIZE,
		    i == entries - 1 ? 0 : WEIR_SMMU_CMD_TLBI_NSNH_ALL);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, entries);
	assert_int_equal(step(f, 1000), entries - 1);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), (entries - 1) | 1u << 24);
	put(f, CMDQ + (entries - 1) * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_TLBI_NSNH_ALL);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(step(f, 1000), 1);
	/* Once more round: the wrap bit is the next above the index. */
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX, entries);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 0);
	assert_int_equal(step(f, 1000), entries);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX, 0);
}

static void command_queue_sizes(void **state)
{
	struct fixture *f = *state;

	for (unsigned int log2size = 0; log2size <= 7; log2size++)
		expect_queue(f, CMDQ, log2size, log2size);
	/* Aligned to its size. */
	expect_queue(f, CMDQ + 0x60, 3, 3);
	f->config.idr[1] &= ~(uint32_t)WEIR_SMMU_IDR1_CMDQS;
	add_features(f, 0, WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, 2));
	expect_queue(f, CMDQ + 0x20, 31, 2);
}

/* An illegal command stops the queue; replaced and acknowledged, it goes on. */
static void expect_illegal(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint32_t cons = (uint32_t)rd(f, WEIR_SMMU_CMDQ_CONS, 4) & 0xfffff;
	uint32_t gerrorn = (uint32_t)rd(f, WEIR_SMMU_GERRORN, 4);

	queue_command(f, word0, word1);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	taken(&f->lines[WEIR_MODEL_SMMUV3_GERROR]);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(taken(&f->lines[WEIR_MODEL_SMMUV3_GERROR]), 1);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), cons | WEIR_SMMU_CERROR_ILL << 24);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4) ^ gerrorn, WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(step(f, 10), 0);
	put(f, CMDQ + (cons % (1u << CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_SYNC);
	put(f, CMDQ + (cons % (1u << CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE + 8, 0);
	taken(&f->kicks);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(taken(&f->kicks), 1);
	assert_int_equal(step(f, 10), 2);
}

static void illegal_commands(void **state)
{
	struct fixture *f = *state;
	static const uint64_t opcodes[] = { 0x00, 0x07, 0x14, 0x18, 0x1a, 0x20, 0x21,
					    0x22, 0x23, 0x28, 0x2a, 0x31, 0x40, 0x41,
					    0x44, 0x45, 0x47, 0x50, 0x60, 0x80, 0xff };
	static const uint64_t secure[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06 };

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++)
		expect_illegal(f, opcodes[i], 0);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(secure); i++)
		expect_illegal(f, secure[i] | WEIR_SMMU_CMD_0_SSEC, 0);
	expect_illegal(f, sync_with(3, 0), 0);
	/* A granule without a range or a level (4.4.1.1); 16 KiB has no level 1. */
	expect_illegal(f, WEIR_SMMU_CMD_TLBI_NH_VA, hinted(0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 0));
	expect_illegal(f, WEIR_SMMU_CMD_TLBI_NH_VAA, hinted(0, WEIR_SMMU_CMD_TLBI_TG_16K, 1));
	command(f, WEIR_SMMU_CMD_TLBI_NH_VA, hinted(0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 3));
}

/* 4.1.5: offered both ways. */
static void reserved_bits_of_sync(void **state)
{
	struct fixture *f = *state;
	static const uint64_t bits[][2] = {
		{ 1ull << 8, 0 }, { 1ull << 14, 0 }, { 1ull << 31, 0 }, { 0, 1 }, { 0, 1ull << 63 }
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bits); i++)
		command(f, WEIR_SMMU_CMD_SYNC | bits[i][0], bits[i][1]);
	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	recreate(f);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bits); i++)
		expect_illegal(f, WEIR_SMMU_CMD_SYNC | bits[i][0], bits[i][1]);
	command(f, sync_with(0, ~0u) | WEIR_SMMU_CMD_SYNC_0_MSH | WEIR_SMMU_CMD_SYNC_0_MSIATTR,
		DOORBELL);
}

static void command_fetch_abort(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, NOWHERE | CMDQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 1);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), WEIR_SMMU_CERROR_ABT << 24);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_CMDQ_ERR);
	/* Disabled, repaired, enabled: the error is still to be acknowledged. */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, CMDQ | CMDQ_LOG2);
	put(f, CMDQ, WEIR_SMMU_CMD_SYNC);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_CMDQEN);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(step(f, 10), 1);
}

/* 7.1: while the error is active commands that were not consumed may be taken back. */
static void commands_taken_back(void **state)
{
	struct fixture *f = *state;

	queue_command(f, 0, 0);
	queue_command(f, 0, 0);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 0);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(step(f, 10), 0);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), rd(f, WEIR_SMMU_GERRORN, 4));
}

/* ---- CMD_SYNC --------------------------------------------------------------------------- */

static void sync_signals(void **state)
{
	struct fixture *f = *state;
	unsigned int *line = &f->lines[WEIR_MODEL_SMMUV3_CMD_SYNC];

	/* By wire alone; SEV is none without IDR0.SEV. */
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_NONE, 1), DOORBELL);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_SEV, 1), DOORBELL);
	assert_int_equal(*line, 0);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 1), DOORBELL);
	assert_int_equal(taken(line), 1);
	assert_int_equal(f->wakes + f->msis, 0);
	add_features(f, WEIR_SMMU_IDR0_MSI | WEIR_SMMU_IDR0_SEV, 0);
	enable(f);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_SEV, 1), DOORBELL);
	assert_int_equal(taken(&f->wakes), 1);
	assert_int_equal(*line + f->msis, 0);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_NONE, 1), DOORBELL);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 1), 0);
	assert_int_equal(f->wakes + f->msis, 0);
	assert_int_equal(taken(line), 1);
	/* 4.7.3: the wire whatever the address is; and what is beyond the OAS is cut off. */
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 0x55aa), DOORBELL | 1ull << 45);
	assert_int_equal(taken(&f->msis), 1);
	assert_int_equal(taken(line), 1);
	assert_int_equal(f->msi_addr, DOORBELL);
	assert_int_equal(f->msi_data, 0x55aa);
	/* 4.1.6: in v3.0 the field ends at 48 bits, and there is none in what is above. */
	f->config.aidr = 0;
	recreate(f);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 1), WEIR_BIT(48));
	assert_int_equal(f->msis, 0);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
}

static void sync_message_aborts(void **state)
{
	struct fixture *f = *state;

	add_features(f, WEIR_SMMU_IDR0_MSI, 0);
	enable(f);
	queue_command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 1), NOWHERE);
	queue_command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 2), DOORBELL);
	assert_int_equal(step(f, 1), 1);
	/* Known before the next CMD_SYNC is consumed; not in the way of its MSI. */
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_GERROR], 1);
	assert_int_equal(step(f, 2), 1);
	assert_int_equal(f->msis, 1);
	assert_int_equal(f->msi_data, 2);
	/* All of the field has to be zero, not what is left of it. */
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_MSI_CMDQ_ABT_ERR);
	command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 1), 1ull << 45);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
}

/* The second begins after the first, and is completed apart from it. */
static void take_off(struct fixture *f, struct weir_model_translation *out)
{
	const struct weir_model_txn txn = { .addr = PAGES,
					    .stream = STREAM,
					    .len = 4,
					    .flags = WEIR_MODEL_TXN_DETACHED,
					    .attributes = WEIR_MODEL_ATTR_PCIE };

	assert_int_equal(weir_model_smmuv3_translate(f->smmu, &txn, out), WEIR_MODEL_OK);
}

static void sync_waits_for_flights(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation before, later;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	take_off(f, &before);
	queue_command(f, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	queue_command(f, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, 0), 0);
	assert_int_equal(step(f, 10), 1);
	take_off(f, &later);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_CMD_SYNC], 0);
	taken(&f->kicks);
	weir_model_smmuv3_complete(f->smmu, &before);
	assert_int_equal(taken(&f->kicks), 1);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(f->lines[WEIR_MODEL_SMMUV3_CMD_SYNC], 1);
	weir_model_smmuv3_complete(f->smmu, &later);
}

/* Each begins when it is looked at, however soon after the last. */
static void syncs_in_a_row(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation between;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 1), 1);
	take_off(f, &between);
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_complete(f->smmu, &between);
	assert_int_equal(step(f, 10), 1);
}

static void withdrawn_sync_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct weir_model_translation before, later;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	take_off(f, &before);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(step(f, 10), 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	take_off(f, &later);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_CMDQEN);
	/* The same entry is another CMD_SYNC now. */
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_complete(f->smmu, &before);
	assert_int_equal(step(f, 10), 0);
	weir_model_smmuv3_complete(f->smmu, &later);
	assert_int_equal(step(f, 10), 1);
}

static unsigned int invalidation;

static void note_invalidation(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			      bool global, uint64_t addr, unsigned int size, unsigned int itag)
{
	(void)opaque;
	(void)stream;
	(void)has_substream;
	(void)substream;
	(void)global;
	(void)addr;
	(void)size;
	invalidation = itag;
}

/* 4.7.3, 3.9.1.4: waited for; a timeout is an error of the CMD_SYNC, which can be repeated. */
static void sync_waits_for_atcs(void **state)
{
	static const struct weir_model_smmuv3_client_ops client = { .invalidate =
									    note_invalidation };
	struct fixture *f = *state;

	add_features(f, WEIR_SMMU_IDR0_ATS, 0);
	weir_model_smmuv3_set_client(f->smmu, &client, NULL);
	enable(f);
	for (unsigned int timeout = 0; timeout < 2; timeout++) {
		queue_command(f, for_stream(WEIR_SMMU_CMD_ATC_INV, STREAM), 0x1000);
		queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
		assert_int_equal(step(f, 10), 1);
		assert_int_equal(step(f, 10), 0);
		taken(&f->kicks);
		weir_model_smmuv3_invalidated(f->smmu, invalidation,
					      timeout ? WEIR_MODEL_ABORT : WEIR_MODEL_OK);
		assert_int_equal(taken(&f->kicks), 1);
		assert_int_equal(step(f, 10), !timeout);
	}
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), WEIR_SMMU_CERROR_ATC_INV_SYNC << 24 | 3);
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(step(f, 10), 1);
	assert_int_equal(stats_of(f).syncs, 2);
}

/* ---- The model's own registers ---------------------------------------------------------- */

#define REGISTERS 0x9050000ull

/* The fixture's model, on a bus with its RAM and with the model's own registers. */
static struct weir_model_bus *move_to_bus(struct fixture *f, struct weir_model_bus_host *bus_host)
{
	struct weir_model_host host = { .ops = &weir_model_bus_host_ops, .opaque = bus_host };
	struct weir_model_bus *bus;
	struct weir_model_region *region;

	assert_int_equal(weir_model_bus_create(&bus), 0);
	*bus_host = (struct weir_model_bus_host){ .bus = bus };
	assert_int_equal(weir_model_bus_add_ram(bus, RAM_BASE, RAM_SIZE, f->ram), 0);
	weir_model_smmuv3_destroy(f->smmu);
	f->smmu = NULL;
	f->config.idr[0] |= (uint32_t)WEIR_SMMU_IDR0_MSI;
	assert_int_equal(weir_model_smmuv3_create(&host, &f->config, &f->smmu), 0);
	assert_int_equal(weir_model_bus_add_mmio(bus, REGISTERS, WEIR_MODEL_SMMUV3_MMIO_SIZE,
						 &weir_model_smmuv3_mmio_ops, f->smmu, &region),
			 0);
	return bus;
}

static void leave_bus(struct fixture *f, struct weir_model_bus *bus)
{
	weir_model_smmuv3_destroy(f->smmu);
	f->smmu = NULL;
	weir_model_bus_destroy(bus);
}

/* Registers are no RAM: queues that point at the SMMU itself abort, and nothing hangs. */
static void pointing_at_itself(void **state)
{
	struct fixture *f = *state;
	struct weir_model_bus_host bus_host;
	struct weir_model_bus *bus = move_to_bus(f, &bus_host);

	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 8);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, REGISTERS);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, REGISTERS);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 1);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	expect_blocked(f, 0x1000);
	step(f, 10);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4),
			 WEIR_SMMU_GERROR_EVENTQ_ABT_ERR | WEIR_SMMU_GERROR_CMDQ_ERR);
	leave_bus(f, bus);
}

/* Its MSIs may reach it: each CMD_SYNC that is consumed queues the next one. */
static void messages_to_itself(void **state)
{
	struct fixture *f = *state;
	struct weir_model_bus_host bus_host;
	struct weir_model_bus *bus = move_to_bus(f, &bus_host);

	enable(f);
	for (unsigned int i = 0; i < 4; i++) {
		put(f, CMDQ + 16 * i, sync_with(WEIR_SMMU_CMD_SYNC_CS_IRQ, i < 3 ? i + 2 : 4));
		put(f, CMDQ + 16 * i + 8, REGISTERS + WEIR_SMMU_CMDQ_PROD);
	}
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 1);
	assert_int_equal(step(f, 10), 4);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 4);
	leave_bus(f, bus);
}

/* A device writes the SMMU's own registers, in flight: no deadlock, and it works. */
static void dma_to_registers(void **state)
{
	struct fixture *f = *state;
	struct weir_model_bus_host bus_host;
	struct weir_model_bus *bus = move_to_bus(f, &bus_host);
	struct weir_model_port port = { .bus = bus,
					.iommu_ops = &weir_model_smmuv3_iommu_ops,
					.iommu = f->smmu,
					.stream = STREAM };
	uint32_t value = 0, prod = 1;

	enable(f);
	map(f, add_stream(f, STREAM), 0x1000, PAGE | REGISTERS);
	put(f, CMDQ, WEIR_SMMU_CMD_SYNC);
	assert_int_equal(weir_model_port_write(&port, 0x1000 + WEIR_SMMU_CMDQ_PROD, &prod, 4),
			 WEIR_MODEL_OK);
	assert_int_equal(weir_model_port_write(&port, 0x1000 + WEIR_SMMU_CR0, &value, 4),
			 WEIR_MODEL_OK);
	value = 0xd;
	assert_int_equal(weir_model_port_write(&port, REGISTERS + WEIR_SMMU_CR0, &value, 4),
			 WEIR_MODEL_OK);
	assert_int_equal(step(f, 10), 1);
	leave_bus(f, bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(step_alone_consumes),
		TEST(command_queue_wraps),
		TEST_DISABLED(command_queue_sizes),
		TEST(illegal_commands),
		TEST(reserved_bits_of_sync),
		TEST(command_fetch_abort),
		TEST(commands_taken_back),
		TEST(sync_signals),
		TEST(sync_message_aborts),
		TEST(sync_waits_for_flights),
		TEST(syncs_in_a_row),
		TEST(withdrawn_sync_does_not_count),
		TEST(sync_waits_for_atcs),
		TEST_DISABLED(pointing_at_itself),
		TEST_DISABLED(messages_to_itself),
		TEST_DISABLED(dma_to_registers),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: command queue", tests, NULL, NULL);
}
