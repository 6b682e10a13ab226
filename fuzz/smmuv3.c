/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 model under any program of register accesses, memory contents, steps and transactions.
 *
 * - A transaction that is blocked yields no address and at most one event, written or lost; one
 *   that is not yields an address within the OAS and no event; asked again it ends the same.
 * - With SMMUEN = 0 everything is blocked, or passes as it is: GBPA.ABORT says which.
 * - The model writes to memory only events, each to its place in the queue.
 * - Queue indexes stay within their queues. A step does no more than its budget, and after one that
 *   found nothing more to do there is nothing to do until a kick.
 * - A CMD_SYNC waits for the transactions in flight.
 */

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

#include "input.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE 0x20000u
#define STRTAB RAM_BASE
#define L1_TABLE (RAM_BASE + 0x1000)
#define CMDQ (RAM_BASE + 0x2000)
#define EVENTQ (RAM_BASE + 0x3000)
#define CDS (RAM_BASE + 0x4000)
#define TABLES (RAM_BASE + 0x8000)  /* level 2, a page for each of the STREAMS */
#define LEAVES (RAM_BASE + 0x10000) /* level 3, of all */
#define STREAMS 8u
#define HELD 4u

struct held {
	struct weir_model_txn txn;
	bool used;
	uint64_t syncs; /* when it took off */
};

struct machine {
	struct input in;
	struct weir_model_bus *bus;
	struct weir_model_smmuv3 *smmu;
	uint8_t *ram, *copy; /* what is in memory, and what should be */
	struct held held[HELD];
	uint8_t oas;
	bool kicked, idle;
};

static void kick(struct weir_model_stepper *stepper, void *opaque)
{
	(void)stepper;
	((struct machine *)opaque)->kicked = true;
}

static void raise_irq(void *opaque, unsigned int irq)
{
	(void)opaque;
	REQUIRE(irq >= 1 && irq <= 3);
}

static uint64_t reg_read(struct machine *m, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	REQUIRE(weir_model_smmuv3_mmio_ops.read(m->smmu, offset, size, WEIR_MODEL_CPU, &value) ==
		WEIR_MODEL_OK);
	return value;
}

static void reg_write(struct machine *m, uint64_t offset, unsigned int size, uint64_t value)
{
	REQUIRE(weir_model_smmuv3_mmio_ops.write(m->smmu, offset, size, WEIR_MODEL_CPU, value) ==
		WEIR_MODEL_OK);
}

static struct weir_model_smmuv3_stats stats_of(struct machine *m)
{
	struct weir_model_smmuv3_stats stats;

	weir_model_smmuv3_get_stats(m->smmu, &stats);
	return stats;
}

/* ---- Memory ------------------------------------------------------------------------------- */

static bool in_ram(uint64_t addr, uint64_t size)
{
	return addr >= RAM_BASE && addr - RAM_BASE <= RAM_SIZE - size;
}

static void put(struct machine *m, uint64_t addr, uint64_t value)
{
	if (!in_ram(addr, sizeof(value)))
		return;
	memcpy(m->ram + (addr - RAM_BASE), &value, sizeof(value));
	memcpy(m->copy + (addr - RAM_BASE), &value, sizeof(value));
}

static void check_memory(const struct machine *m)
{
	REQUIRE(!memcmp(m->ram, m->copy, RAM_SIZE));
}

static uint64_t some_ram(struct machine *m)
{
	return RAM_BASE + take(&m->in, 2) * 8 % RAM_SIZE;
}

static uint64_t some_page(struct machine *m)
{
	return RAM_BASE + (uint64_t)take_below(&m->in, RAM_SIZE >> 12) * 4096;
}

static void put_ste(struct machine *m)
{
	uint64_t at = STRTAB + take_below(&m->in, 128) * WEIR_SMMU_STE_SIZE;
	uint64_t word = WEIR_SMMU_STE_0_V |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, take_below(&m->in, 8)) |
			(CDS + take_below(&m->in, 64) * WEIR_SMMU_CD_SIZE);

	put(m, at, take_noise(&m->in, word));
	put(m, at + 8, take_noise(&m->in, 0));
}

static void put_cd(struct machine *m)
{
	uint64_t at = CDS + take_below(&m->in, 64) * WEIR_SMMU_CD_SIZE;
	uint64_t word = WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_A |
			WEIR_SMMU_CD_0_R |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 16 + take_below(&m->in, 24)) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, 16 + take_below(&m->in, 24)) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, take_below(&m->in, 4)) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG1, take_below(&m->in, 4)) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, take_below(&m->in, 8)) |
			WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, take_below(&m->in, 4));

	put(m, at, take_noise(&m->in, word));
	put(m, at + 8, take_noise(&m->in, some_page(m)));
	put(m, at + 16, take_noise(&m->in, some_page(m)));
}

static void put_descriptor(struct machine *m)
{
	uint64_t at = TABLES + take(&m->in, 2) * 8 % (RAM_SIZE - (TABLES - RAM_BASE));
	uint64_t word = some_page(m) | take_below(&m->in, 4) | WEIR_VMSA_AF |
			(take(&m->in, 1) << 4 & (WEIR_VMSA_AP_UNPRIV | WEIR_VMSA_AP_RDONLY)) |
			(take(&m->in, 1) & 1 ? WEIR_VMSA_NG : 0);

	put(m, at, take_noise(&m->in, word));
}

static void put_l1std(struct machine *m)
{
	uint64_t word = (STRTAB + take_below(&m->in, 64) * WEIR_SMMU_STE_SIZE) |
			WEIR_SMMU_FIELD(WEIR_SMMU_L1STD_SPAN, take_below(&m->in, 13));

	put(m, L1_TABLE + take_below(&m->in, 64) * WEIR_SMMU_L1STD_SIZE, take_noise(&m->in, word));
}

/* ---- Streams that work -------------------------------------------------------------------- */

static unsigned int granule_of(unsigned int stream)
{
	return 12 + 2 * (stream % 3);
}

/* Stage 1, two levels of tables in both halves: 25 or 34 bits. */
static void add_stream(struct machine *m)
{
	static const uint8_t tg0[] = { 0, 2, 1 }, tg1[] = { 2, 1, 3 };
	unsigned int stream = take_below(&m->in, STREAMS), tsz = stream % 3 ? 30 : 39;
	uint64_t cd = CDS + stream * WEIR_SMMU_CD_SIZE;

	put(m, STRTAB + stream * WEIR_SMMU_STE_SIZE,
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    cd);
	put(m, cd,
	    take_noise(&m->in, WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_A |
				       WEIR_SMMU_CD_0_R |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, tsz) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, tsz) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, tg0[stream % 3]) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG1, tg1[stream % 3]) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, WEIR_SMMU_PS_48) |
				       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, stream & 3)));
	put(m, cd + 8, TABLES + stream * 0x1000);
	put(m, cd + 16, TABLES + stream * 0x1000);
	put(m, L1_TABLE, STRTAB | 4);
}

/* Few enough to meet again. */
static uint64_t some_va(struct machine *m)
{
	unsigned int choice = take_below(&m->in, 64);
	uint64_t va = (uint64_t)(choice & 3) << 29 | (uint64_t)(choice >> 2 & 3) << 21 |
		      (uint64_t)(choice >> 4) << 12;

	return va | take(&m->in, 1);
}

static void map(struct machine *m)
{
	unsigned int stream = take_below(&m->in, STREAMS), granule = granule_of(stream);
	unsigned int bits = granule - 3, kind = take_below(&m->in, 128);
	uint64_t va = some_va(m) & (WEIR_BIT(stream % 3 ? 34 : 25) - 1);
	uint64_t leaf = WEIR_VMSA_AF | WEIR_VMSA_AP_UNPRIV | (kind & 1 ? WEIR_VMSA_NG : 0) |
			(kind & 2 ? WEIR_VMSA_AP_RDONLY : 0) | some_page(m);
	uint64_t level2 = TABLES + stream * 0x1000 + (va >> (granule + bits) & 511) * 8;

	if (kind & 4) {
		put(m, level2, take_noise(&m->in, leaf | WEIR_VMSA_TYPE_BLOCK));
		return;
	}
	put(m, level2, LEAVES | WEIR_VMSA_TYPE_TABLE);
	put(m, LEAVES + (va >> granule & (WEIR_BIT(bits) - 1)) * 8,
	    take_noise(&m->in, leaf | WEIR_VMSA_TYPE_PAGE));
}

/* ---- Registers ---------------------------------------------------------------------------- */

static void check_queue(struct machine *m, uint64_t base, uint64_t idr_field, uint64_t index)
{
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, reg_read(m, base, 8));
	uint64_t max = WEIR_SMMU_FIELD_GET(idr_field, reg_read(m, WEIR_SMMU_IDR1, 4));

	if (log2size > max)
		log2size = max;
	REQUIRE(!((reg_read(m, index, 4) & WEIR_SMMU_Q_INDEX) >> (log2size + 1)));
}

static void check_registers(struct machine *m)
{
	check_queue(m, WEIR_SMMU_CMDQ_BASE, WEIR_SMMU_IDR1_CMDQS, WEIR_SMMU_CMDQ_CONS);
	check_queue(m, WEIR_SMMU_EVENTQ_BASE, WEIR_SMMU_IDR1_EVENTQS, WEIR_SMMU_EVENTQ_PROD);
	REQUIRE(reg_read(m, WEIR_SMMU_CR0, 4) == reg_read(m, WEIR_SMMU_CR0ACK, 4));
	REQUIRE(!(reg_read(m, WEIR_SMMU_GBPA, 4) & WEIR_SMMU_GBPA_UPDATE));
}

static uint64_t some_register(struct machine *m, unsigned int size)
{
	static const uint32_t known[] = {
		WEIR_SMMU_IDR0,	       WEIR_SMMU_CR0,	      WEIR_SMMU_CR1,
		WEIR_SMMU_CR2,	       WEIR_SMMU_GBPA,	      WEIR_SMMU_IRQ_CTRL,
		WEIR_SMMU_GERRORN,     WEIR_SMMU_STRTAB_BASE, WEIR_SMMU_STRTAB_BASE_CFG,
		WEIR_SMMU_CMDQ_BASE,   WEIR_SMMU_CMDQ_PROD,   WEIR_SMMU_CMDQ_CONS,
		WEIR_SMMU_EVENTQ_BASE, WEIR_SMMU_EVENTQ_PROD, WEIR_SMMU_EVENTQ_CONS,
	};
	unsigned int choice = take_below(&m->in, 24);
	uint64_t offset = choice < WEIR_ARRAY_SIZE(known) ?
				  known[choice] :
				  take(&m->in, 3) % WEIR_MODEL_SMMUV3_MMIO_SIZE;

	return offset & ~(uint64_t)(size - 1);
}

static void access_register(struct machine *m, bool write)
{
	unsigned int size = 1u << take_below(&m->in, 4);
	uint64_t offset = some_register(m, size);

	if (write)
		reg_write(m, offset, size, take(&m->in, size));
	else
		reg_read(m, offset, size);
}

/* As a driver would: tables and queues, everything on. */
static void enable(struct machine *m)
{
	bool two_level = take(&m->in, 1) & 1;
	uint32_t cfg = two_level ?
			       (uint32_t)(10 | WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_SPLIT, 6) |
					  WEIR_SMMU_FIELD(WEIR_SMMU_STRTAB_BASE_CFG_FMT, 1)) :
			       6;

	reg_write(m, WEIR_SMMU_CR0, 4, 0);
	reg_write(m, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	reg_write(m, WEIR_SMMU_STRTAB_BASE, 8, two_level ? L1_TABLE : STRTAB);
	reg_write(m, WEIR_SMMU_STRTAB_BASE_CFG, 4, cfg);
	reg_write(m, WEIR_SMMU_CMDQ_BASE, 8, CMDQ | take_below(&m->in, 9));
	reg_write(m, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | take_below(&m->in, 8));
	reg_write(m, WEIR_SMMU_IRQ_CTRL, 4, 5);
	reg_write(m, WEIR_SMMU_CR0, 4,
		  WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
}

static void acknowledge(struct machine *m)
{
	reg_write(m, WEIR_SMMU_GERRORN, 4, reg_read(m, WEIR_SMMU_GERROR, 4));
	reg_write(m, WEIR_SMMU_EVENTQ_CONS, 4, reg_read(m, WEIR_SMMU_EVENTQ_PROD, 4));
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void push_command(struct machine *m)
{
	static const uint8_t opcodes[] = {
		WEIR_SMMU_CMD_PREFETCH_CONFIG, WEIR_SMMU_CMD_PREFETCH_ADDR,
		WEIR_SMMU_CMD_CFGI_STE,	       WEIR_SMMU_CMD_CFGI_STE_RANGE,
		WEIR_SMMU_CMD_CFGI_CD,	       WEIR_SMMU_CMD_CFGI_CD_ALL,
		WEIR_SMMU_CMD_TLBI_NH_ALL,     WEIR_SMMU_CMD_TLBI_NH_ASID,
		WEIR_SMMU_CMD_TLBI_NH_VA,      WEIR_SMMU_CMD_TLBI_NH_VAA,
		WEIR_SMMU_CMD_TLBI_NSNH_ALL,   WEIR_SMMU_CMD_SYNC,
	};
	uint64_t base = reg_read(m, WEIR_SMMU_CMDQ_BASE, 8);
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);
	uint64_t prod = reg_read(m, WEIR_SMMU_CMDQ_PROD, 4);
	uint64_t at = (base & WEIR_SMMU_Q_BASE_ADDR) + (prod & (WEIR_BIT(log2size) - 1)) * 16;
	uint64_t opcode = opcodes[take_below(&m->in, WEIR_ARRAY_SIZE(opcodes))];

	put(m, at, take_noise(&m->in, opcode | take(&m->in, 1) << 32 | take(&m->in, 1) << 12));
	put(m, at + 8, take(&m->in, 3) << 8);
	reg_write(m, WEIR_SMMU_CMDQ_PROD, 4, (prod + 1) & (WEIR_BIT(log2size + 1) - 1));
}

static unsigned int run(struct machine *m, unsigned int budget)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(m->smmu);
	struct weir_model_smmuv3_stats before = stats_of(m), after;
	unsigned int done = stepper->step(stepper, budget);

	after = stats_of(m);
	REQUIRE(done <= budget && after.commands - before.commands == done);
	REQUIRE(after.events_written == before.events_written &&
		after.events_lost == before.events_lost);
	return done;
}

static void step(struct machine *m)
{
	unsigned int budget = take_below(&m->in, 20), done;

	m->idle = m->idle && !m->kicked;
	m->kicked = false;
	done = run(m, budget);
	REQUIRE(!m->idle || !done);
	m->idle = !m->kicked && (m->idle || done < budget);
}

/* ---- Transactions ------------------------------------------------------------------------- */

static uint64_t some_address(struct machine *m)
{
	switch (take_below(&m->in, 8)) {
	case 0:
		return take(&m->in, 2) << 8;
	case 1:
		return some_ram(m);
	case 2:
		return ~(take(&m->in, 2) << 8);
	case 3:
		return take(&m->in, 8);
	case 4:
		return some_va(m) | ~(uint64_t)0 << 34;
	default:
		return some_va(m);
	}
}

/* The event that was just written: in its slot, of this stream. */
static void check_event(struct machine *m, uint32_t stream, uint64_t prod)
{
	uint64_t base = reg_read(m, WEIR_SMMU_EVENTQ_BASE, 8), record[4];
	uint64_t max = WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR1_EVENTQS, reg_read(m, WEIR_SMMU_IDR1, 4));
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base), at;

	if (log2size > max)
		log2size = max;
	at = base & WEIR_SMMU_Q_BASE_ADDR & ~((WEIR_SMMU_EVT_SIZE << log2size) - 1);
	at += (prod & (WEIR_BIT(log2size) - 1)) * WEIR_SMMU_EVT_SIZE;
	REQUIRE(in_ram(at, sizeof(record)));
	memcpy(record, m->ram + (at - RAM_BASE), sizeof(record));
	memcpy(m->copy + (at - RAM_BASE), record, sizeof(record));
	REQUIRE(record[0] >> 32 == stream && (record[0] & 0xff));
	REQUIRE(((prod ^ reg_read(m, WEIR_SMMU_EVENTQ_PROD, 4)) & WEIR_SMMU_Q_INDEX) != 0);
}

static void check_counts(const struct weir_model_smmuv3_stats *before,
			 const struct weir_model_smmuv3_stats *after, bool blocked)
{
	uint64_t events = after->events_written + after->events_lost - before->events_written -
			  before->events_lost;

	REQUIRE(after->transactions == before->transactions + 1);
	REQUIRE(after->blocked == before->blocked + blocked);
	REQUIRE(events <= blocked);
	REQUIRE(after->tlb_hits <= after->tlb_lookups);
	REQUIRE(after->commands == before->commands);
}

static bool translate(struct machine *m, const struct weir_model_txn *txn, uint64_t *pa)
{
	static const uint64_t nothing = 0x5a5a5a5a5a5a5a5aull;
	struct weir_model_smmuv3_stats before = stats_of(m), after;
	uint64_t prod = reg_read(m, WEIR_SMMU_EVENTQ_PROD, 4);
	bool enabled = reg_read(m, WEIR_SMMU_CR0, 4) & WEIR_SMMU_CR0_SMMUEN;
	bool fits = !(txn->addr >> m->oas), ok;

	*pa = nothing;
	ok = weir_model_smmuv3_iommu_ops.translate(m->smmu, txn, pa) == WEIR_MODEL_OK;
	after = stats_of(m);
	check_counts(&before, &after, !ok);
	if (after.events_written != before.events_written)
		check_event(m, txn->stream, prod);
	check_memory(m);
	REQUIRE(ok ? !(*pa >> m->oas) : *pa == nothing);
	if (!enabled) {
		bool aborts = reg_read(m, WEIR_SMMU_GBPA, 4) & WEIR_SMMU_GBPA_ABORT;

		REQUIRE(ok == (!aborts && fits) && (!ok || *pa == txn->addr));
		REQUIRE(after.events_written + after.events_lost ==
			before.events_written + before.events_lost);
	}
	return ok;
}

static struct weir_model_txn some_txn(struct machine *m)
{
	unsigned int kind = take_below(&m->in, 64);

	return (struct weir_model_txn){
		.stream = kind & 7 ? take_below(&m->in, STREAMS) : (uint32_t)take(&m->in, 4),
		.addr = some_address(m),
		.len = 1,
		.write = kind & 8,
		.instruction = kind & 16,
		.privileged = kind & 32,
	};
}

static void transaction(struct machine *m)
{
	struct weir_model_txn txn = some_txn(m);
	uint64_t pa, again;

	if (!translate(m, &txn, &pa)) {
		REQUIRE(!translate(m, &txn, &pa));
		return;
	}
	weir_model_smmuv3_iommu_ops.complete(m->smmu, &txn);
	REQUIRE(translate(m, &txn, &again) && again == pa);
	weir_model_smmuv3_iommu_ops.complete(m->smmu, &txn);
}

/* One CMD_SYNC may have been on its way when the transaction began; the next one waits. */
static void land(struct machine *m, struct held *held)
{
	if (!held->used)
		return;
	REQUIRE(stats_of(m).syncs - held->syncs <= 1);
	weir_model_smmuv3_iommu_ops.complete(m->smmu, &held->txn);
	held->used = false;
}

static void hold(struct machine *m)
{
	struct held *held = &m->held[take_below(&m->in, HELD)];
	uint64_t pa;

	land(m, held);
	held->txn = some_txn(m);
	held->syncs = stats_of(m).syncs;
	held->used = translate(m, &held->txn, &pa);
}

/* ---- The run ------------------------------------------------------------------------------ */

static void operate(struct machine *m)
{
	switch (take_below(&m->in, 20)) {
	case 0:
		access_register(m, true);
		break;
	case 1:
		access_register(m, false);
		break;
	case 2:
		put(m, some_ram(m), take(&m->in, 8));
		break;
	case 3:
		put_ste(m);
		break;
	case 4:
		put_cd(m);
		break;
	case 5:
		put_descriptor(m);
		break;
	case 6:
		add_stream(m);
		break;
	case 7:
		put_l1std(m);
		break;
	case 8:
	case 9:
		push_command(m);
		break;
	case 10:
		step(m);
		break;
	case 11:
		hold(m);
		break;
	case 12:
		land(m, &m->held[take_below(&m->in, HELD)]);
		break;
	case 13:
		if (take(&m->in, 1) & 1)
			acknowledge(m);
		else
			enable(m);
		break;
	case 14:
	case 15:
		map(m);
		break;
	default:
		transaction(m);
	}
}

static bool make(struct machine *m)
{
	static const uint8_t widths[] = { 32, 36, 40, 42, 44, 48 };
	unsigned int oas = take_below(&m->in, WEIR_ARRAY_SIZE(widths));
	uint64_t choice = take(&m->in, 3);
	struct weir_model_smmuv3_config config = {
		.idr0 = (uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, 2) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTENDIAN, 2) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL, 1) |
				   WEIR_SMMU_IDR0_TERM_MODEL |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, choice & 1) |
				   (choice & 2 ? WEIR_SMMU_IDR0_ASID16 : 0)),
		.idr1 = (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, 1 + (choice >> 8 & 31)) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, choice >> 13 & 15) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, choice >> 17 & 15)),
		.idr3 = (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML, 1) |
				   (choice & 4 ? WEIR_SMMU_IDR3_HAD : 0) |
				   (choice & 8 ? WEIR_SMMU_IDR3_RIL : 0)),
		.idr5 = (uint32_t)(oas | WEIR_SMMU_IDR5_GRAN4K |
				   (choice & 16 ? WEIR_SMMU_IDR5_GRAN16K : 0) |
				   (choice & 32 ? WEIR_SMMU_IDR5_GRAN64K : 0)),
		.gbpa = choice & 64 ? WEIR_MODEL_SMMUV3_GBPA_ABORT : 0,
		.tlb_entries = choice & 128 ? 4 : 64,
		.irq_eventq = 1,
		.irq_gerror = 2,
		.irq_sync = 3,
	};
	struct weir_model_irq_sink sink = { .raise = raise_irq, .opaque = m };

	m->oas = widths[oas];
	if (weir_model_smmuv3_create(m->bus, &config, &sink, &m->smmu))
		return false;
	weir_model_smmuv3_stepper(m->smmu)->kick = kick;
	weir_model_smmuv3_stepper(m->smmu)->kick_opaque = m;
	return true;
}

static void drive(struct machine *m)
{
	if (take(&m->in, 1) & 1)
		enable(m);
	while (m->in.left) {
		operate(m);
		check_registers(m);
	}
	check_memory(m);
	for (unsigned int i = 0; i < HELD; i++)
		land(m, &m->held[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ram[RAM_SIZE] __attribute__((aligned(0x10000))), copy[RAM_SIZE];
	struct machine m = { .in = { data, size < 4096 ? size : 4096 }, .ram = ram, .copy = copy };

	memset(ram, 0, sizeof(ram));
	memset(copy, 0, sizeof(copy));
	REQUIRE(!weir_model_bus_create(&m.bus));
	REQUIRE(!weir_model_bus_add_ram(m.bus, RAM_BASE, RAM_SIZE, ram));
	REQUIRE(make(&m));
	drive(&m);
	weir_model_smmuv3_destroy(m.smmu);
	weir_model_bus_destroy(m.bus);
	return 0;
}
