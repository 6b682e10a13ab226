/* SPDX-License-Identifier: MIT */

#include "smmuhost.h"

#include <stdlib.h>
#include <string.h>

static void count_irq(void *opaque, unsigned int irq)
{
	struct fixture *f = opaque;

	__atomic_add_fetch(&f->irqs[irq], 1, __ATOMIC_RELAXED);
}

static void count_kick(struct weir_model_stepper *stepper, void *opaque)
{
	struct fixture *f = opaque;

	(void)stepper;
	__atomic_add_fetch(&f->kicks, 1, __ATOMIC_RELAXED);
}

unsigned int taken(unsigned int *counter)
{
	return __atomic_exchange_n(counter, 0, __ATOMIC_RELAXED);
}

/* ---- Access to the machine ------------------------------------------------------------ */

uint64_t rd(struct fixture *f, uint64_t offset, unsigned int size)
{
	uint64_t value;

	assert_int_equal(weir_model_smmuv3_mmio_ops.read(f->smmu, offset, size, WEIR_MODEL_CPU,
							 &value),
			 WEIR_MODEL_OK);
	return value;
}

void wr(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value)
{
	assert_int_equal(weir_model_smmuv3_mmio_ops.write(f->smmu, offset, size, WEIR_MODEL_CPU,
							  value),
			 WEIR_MODEL_OK);
}

uint64_t *at(struct fixture *f, uint64_t addr)
{
	assert_true(addr >= RAM_BASE && addr < RAM_BASE + RAM_SIZE);
	return (uint64_t *)(void *)(f->ram + (addr - RAM_BASE));
}

void put(struct fixture *f, uint64_t addr, uint64_t value)
{
	__atomic_store_n(at(f, addr), value, __ATOMIC_RELEASE);
}

enum weir_model_result dma_as(struct fixture *f, struct weir_model_txn txn, uint64_t *pa)
{
	enum weir_model_result result = weir_model_smmuv3_iommu_ops.translate(f->smmu, &txn, pa);

	if (result == WEIR_MODEL_OK)
		weir_model_smmuv3_iommu_ops.complete(f->smmu, &txn);
	return result;
}

enum weir_model_result dma(struct fixture *f, uint32_t sid, uint64_t va, bool write, uint64_t *pa)
{
	return dma_as(
		f, (struct weir_model_txn){ .stream = sid, .addr = va, .len = 4, .write = write },
		pa);
}

void expect_read(struct fixture *f, uint64_t va, uint64_t pa)
{
	uint64_t got = 0;

	assert_int_equal(dma(f, STREAM, va, false, &got), WEIR_MODEL_OK);
	assert_int_equal(got, pa);
}

void expect_blocked(struct fixture *f, uint64_t va)
{
	uint64_t pa;

	assert_int_equal(dma(f, STREAM, va, false, &pa), WEIR_MODEL_BLOCKED);
}

bool pop_event(struct fixture *f, uint64_t *record)
{
	uint32_t prod = (uint32_t)rd(f, WEIR_SMMU_EVENTQ_PROD, 4);
	uint64_t addr = EVENTQ + (f->eventq_cons % (1u << EVENTQ_LOG2)) * WEIR_SMMU_EVT_SIZE;

	if (!smmu_queue_fill(prod, f->eventq_cons, EVENTQ_LOG2))
		return false;
	memcpy(record, at(f, addr), WEIR_SMMU_EVT_SIZE);
	f->eventq_cons = (f->eventq_cons + 1) % (2u << EVENTQ_LOG2);
	wr(f, WEIR_SMMU_EVENTQ_CONS, 4,
	   f->eventq_cons | (prod & (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG));
	return true;
}

void expect_no_event(struct fixture *f)
{
	uint64_t record[4];

	assert_false(pop_event(f, record));
}

void expect_event(struct fixture *f, uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
{
	uint64_t record[4];

	assert_true(pop_event(f, record));
	assert_int_equal(record[0], word0);
	assert_int_equal(record[1], word1);
	assert_int_equal(record[2], word2);
	assert_int_equal(record[3], word3);
	expect_no_event(f);
}

void expect_fault(struct fixture *f, uint64_t va, uint8_t type)
{
	expect_blocked(f, va);
	expect_event(f, EVENT0(type, STREAM), READ | CLASS_IN, va, 0);
}

unsigned int step(struct fixture *f, unsigned int budget)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(f->smmu);

	return stepper->step(stepper, budget);
}

void queue_command(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint32_t prod = (uint32_t)rd(f, WEIR_SMMU_CMDQ_PROD, 4);
	uint64_t addr = CMDQ + (prod % (1u << CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE;

	put(f, addr, word0);
	put(f, addr + 8, word1);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, (prod + 1) % (2u << CMDQ_LOG2));
}

void command(struct fixture *f, uint64_t word0, uint64_t word1)
{
	queue_command(f, word0, word1);
	assert_int_equal(step(f, 10), 1);
}

uint64_t for_stream(uint64_t opcode, uint32_t sid)
{
	return opcode | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, sid);
}

uint64_t for_asid(uint64_t opcode, uint16_t asid)
{
	return opcode | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_ASID, asid);
}

uint64_t ranged(uint64_t word0, uint64_t num, uint64_t scale)
{
	return word0 | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_NUM, num) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_0_SCALE, scale);
}

uint64_t hinted(uint64_t va, uint64_t tg, uint64_t ttl)
{
	return va | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TG, tg) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_TLBI_1_TTL, ttl);
}

void invalidate_all(struct fixture *f)
{
	command(f, WEIR_SMMU_CMD_CFGI_STE_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	command(f, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
}

/* ---- Tables --------------------------------------------------------------------------- */

uint64_t cd_of(uint32_t sid)
{
	return CDS + sid * WEIR_SMMU_CD_SIZE;
}

uint64_t ste_of(uint32_t sid)
{
	return STRTAB + sid * WEIR_SMMU_STE_SIZE;
}

uint64_t new_table(struct fixture *f)
{
	uint64_t table = f->next_table;

	f->next_table += 0x10000;
	assert_true(f->next_table <= PAGES);
	return table;
}

uint64_t cd_word0(uint32_t sid)
{
	return WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 16) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T1SZ, 16) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG1, WEIR_SMMU_CD_TG1_4K) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, WEIR_SMMU_PS_44) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, sid + 1);
}

void put_cd(struct fixture *f, uint32_t sid, uint64_t word0, uint64_t ttb0, uint64_t ttb1)
{
	put(f, cd_of(sid), word0);
	put(f, cd_of(sid) + 8, ttb0);
	put(f, cd_of(sid) + 16, ttb1);
}

void put_ste(struct fixture *f, uint32_t sid, unsigned int config)
{
	put(f, ste_of(sid),
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config) | cd_of(sid));
}

uint64_t add_stream(struct fixture *f, uint32_t sid)
{
	uint64_t ttb0 = new_table(f);

	put_ste(f, sid, WEIR_SMMU_STE_CONFIG_S1);
	put_cd(f, sid, cd_word0(sid), ttb0, new_table(f));
	return ttb0;
}

uint64_t map_at(struct fixture *f, uint64_t table, unsigned int first, unsigned int granule,
		uint64_t va, unsigned int level, uint64_t descriptor)
{
	unsigned int stride = granule - 3;
	uint64_t entry;

	va &= WEIR_GENMASK(47, 0);
	for (unsigned int l = first;; l++) {
		entry = table + (va >> (granule + (3 - l) * stride) & ((1u << stride) - 1)) * 8;
		if (l == level)
			break;
		if (!(*at(f, entry) & WEIR_VMSA_VALID))
			put(f, entry, new_table(f) | WEIR_VMSA_TYPE_TABLE);
		table = *at(f, entry) & WEIR_GENMASK(47, 0) & ~smmu_low_bits(granule);
	}
	put(f, entry, descriptor);
	return entry;
}

uint64_t map(struct fixture *f, uint64_t table, uint64_t va, uint64_t descriptor)
{
	return map_at(f, table, 0, 12, va, 3, descriptor);
}

/* ---- Fixture -------------------------------------------------------------------------- */

void enable(struct fixture *f)
{
	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 8);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, CMDQ | CMDQ_LOG2);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4,
	   WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN | WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN);
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
}

int create(struct fixture *f, unsigned int tlb_entries)
{
	struct weir_model_smmuv3_config config = {
		.idr5 = (uint32_t)(WEIR_SMMU_PS_44 | WEIR_SMMU_IDR5_GRAN4K |
				   WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_GRAN64K),
		.tlb_entries = tlb_entries,
		.irq_eventq = IRQ_EVENTQ,
		.irq_gerror = IRQ_GERROR,
		.irq_sync = IRQ_SYNC,
	};
	struct weir_model_irq_sink sink = { .raise = count_irq, .opaque = f };
	int err = weir_model_smmuv3_create(f->bus, &config, &sink, &f->smmu);

	if (err)
		return err;
	weir_model_smmuv3_stepper(f->smmu)->kick = count_kick;
	weir_model_smmuv3_stepper(f->smmu)->kick_opaque = f;
	return 0;
}

int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	*state = f;
	f->ram = aligned_alloc(0x10000, RAM_SIZE);
	if (!f->ram)
		return -1;
	memset(f->ram, 0, RAM_SIZE);
	f->next_table = TABLES;
	if (weir_model_bus_create(&f->bus) || create(f, 4096))
		return -1;
	return weir_model_bus_add_ram(f->bus, RAM_BASE, RAM_SIZE, f->ram);
}

int set_up_enabled(void **state)
{
	if (set_up(state))
		return -1;
	enable(*state);
	return 0;
}

int tear_down(void **state)
{
	struct fixture *f = *state;

	weir_model_smmuv3_destroy(f->smmu);
	weir_model_bus_destroy(f->bus);
	free(f->ram);
	free(f);
	return 0;
}

struct weir_model_smmuv3_stats stats_of(struct fixture *f)
{
	struct weir_model_smmuv3_stats stats;

	weir_model_smmuv3_get_stats(f->smmu, &stats);
	return stats;
}
