/* SPDX-License-Identifier: MIT */

#include "smmuhost.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- The host ------------------------------------------------------------------------- */

static uint64_t *word_at(struct fixture *f, uint64_t addr)
{
	if (addr < RAM_BASE || addr - RAM_BASE >= RAM_SIZE || addr % 8)
		return NULL;
	return (uint64_t *)(void *)(f->ram + (addr - RAM_BASE));
}

static enum weir_model_result host_load64(void *opaque, uint64_t addr, uint64_t *value)
{
	struct fixture *f = opaque;
	uint64_t *word = word_at(f, addr);

	__atomic_add_fetch(&f->loads, 1, __ATOMIC_RELAXED);
	if (!word)
		return WEIR_MODEL_ABORT;
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_store64(void *opaque, uint64_t addr, uint64_t value)
{
	uint64_t *word = word_at(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_cas64(void *opaque, uint64_t addr, uint64_t *expected,
					 uint64_t desired)
{
	struct fixture *f = opaque;
	uint64_t *word = word_at(f, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	if (f->before_cas)
		f->before_cas(f, addr);
	__atomic_compare_exchange_n(word, expected, desired, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct fixture *f = opaque;

	if (addr >= RAM_BASE && addr - RAM_BASE < RAM_SIZE)
		__atomic_store_n((uint32_t *)(void *)(f->ram + (addr - RAM_BASE)), data,
				 __ATOMIC_RELEASE);
	else if (addr >> 12 != DOORBELL >> 12)
		return WEIR_MODEL_ABORT;
	f->msi_addr = addr;
	f->msi_data = data;
	__atomic_add_fetch(&f->msis, 1, __ATOMIC_RELAXED);
	return WEIR_MODEL_OK;
}

static void host_line(void *opaque, unsigned int line)
{
	struct fixture *f = opaque;

	__atomic_add_fetch(&f->lines[line], 1, __ATOMIC_RELAXED);
}

static void host_wake(void *opaque)
{
	struct fixture *f = opaque;

	__atomic_add_fetch(&f->wakes, 1, __ATOMIC_RELAXED);
}

static bool host_window(void *opaque, uint64_t addr, struct weir_model_window *window)
{
	struct fixture *f = opaque;

	if (!f->windows || addr < RAM_BASE || addr - RAM_BASE >= RAM_SIZE)
		return false;
	/* So that others look for it meanwhile, where there are any. */
	sched_yield();
	*window = (struct weir_model_window){ RAM_BASE, RAM_SIZE, f->ram };
	if (f->window)
		*window = *f->window;
	return true;
}

static const struct weir_model_host_ops host_ops = {
	.load64 = host_load64,
	.store64 = host_store64,
	.cas64 = host_cas64,
	.msi = host_msi,
	.line = host_line,
	.wake = host_wake,
	.window = host_window,
};

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
	return weir_model_smmuv3_read(f->smmu, offset, size);
}

void wr(struct fixture *f, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_write(f->smmu, offset, size, value);
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

void put_words(struct fixture *f, uint64_t addr, const uint64_t *words)
{
	for (unsigned int i = 0; i < WEIR_SMMU_STE_WORDS; i++)
		put(f, addr + i * sizeof(*words), words[i]);
}

enum weir_model_result dma_as(struct fixture *f, struct weir_model_txn txn,
			      struct weir_model_translation *out)
{
	enum weir_model_result result;

	txn.len = txn.len ? txn.len : 4;
	txn.attributes = txn.attributes ? txn.attributes : WEIR_MODEL_ATTR_PCIE;
	result = weir_model_smmuv3_translate(f->smmu, &txn, out);
	if (result == WEIR_MODEL_OK && !(txn.flags & WEIR_MODEL_TXN_ATS_REQUEST))
		weir_model_smmuv3_complete(f->smmu, out);
	return result;
}

enum weir_model_result dma(struct fixture *f, uint32_t sid, uint64_t va, bool write, uint64_t *pa)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.addr = va,
		.flags = write ? WEIR_MODEL_TXN_WRITE : 0,
	};
	struct weir_model_translation out = { 0 };
	enum weir_model_result result = dma_as(f, txn, &out);

	*pa = out.addr;
	return result;
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

	if ((prod - f->eventq_cons) % (2u << EVENTQ_LOG2) == 0)
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
		table = *at(f, entry) & WEIR_GENMASK(47, 0) & ~((1ull << granule) - 1);
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
	/* With adversarial caches it is acknowledged there; nothing else is done. */
	step(f, 0);
}

int create(struct fixture *f)
{
	struct weir_model_host host = { .ops = &host_ops, .opaque = f };
	int err = weir_model_smmuv3_create(&host, &f->config, &f->smmu);

	if (err)
		return err;
	weir_model_smmuv3_stepper(f->smmu)->kick = count_kick;
	weir_model_smmuv3_stepper(f->smmu)->kick_opaque = f;
	return 0;
}

void recreate(struct fixture *f)
{
	weir_model_smmuv3_destroy(f->smmu);
	f->smmu = NULL;
	assert_int_equal(create(f), 0);
	f->eventq_cons = 0;
	enable(f);
}

void whole_implementation(struct weir_model_smmuv3_config *config)
{
	*config = (struct weir_model_smmuv3_config){
		.idr = {
			(uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64) |
				   WEIR_SMMU_IDR0_COHACC | WEIR_SMMU_IDR0_BTM |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_HTTU,
						   WEIR_SMMU_IDR0_HTTU_AF_DIRTY) |
				   WEIR_SMMU_IDR0_DORMHINT | WEIR_SMMU_IDR0_HYP |
				   WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_ASID16 | WEIR_SMMU_IDR0_MSI |
				   WEIR_SMMU_IDR0_SEV | WEIR_SMMU_IDR0_PRI | WEIR_SMMU_IDR0_VMW |
				   WEIR_SMMU_IDR0_VMID16 | WEIR_SMMU_IDR0_CD2L |
				   WEIR_SMMU_IDR0_ATSRECERR | WEIR_SMMU_IDR0_ATOS |
				   WEIR_SMMU_IDR0_VATOS |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, 1)),
			(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, 32) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SSIDSIZE, 20) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_PRIQS, 19) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, 19) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, 19) |
				   WEIR_SMMU_IDR1_ATTR_PERMS_OVR | WEIR_SMMU_IDR1_ATTR_TYPES_OVR |
				   WEIR_SMMU_IDR1_ECMDQ),
			(uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR2_BA_VATOS, 3),
			(uint32_t)(WEIR_SMMU_IDR3_HAD | WEIR_SMMU_IDR3_PBHA | WEIR_SMMU_IDR3_XNX |
				   WEIR_SMMU_IDR3_PPS | WEIR_SMMU_IDR3_FWB | WEIR_SMMU_IDR3_STT |
				   WEIR_SMMU_IDR3_RIL | WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML, 2) |
				   WEIR_SMMU_IDR3_E0PD | WEIR_SMMU_IDR3_PTWNNC),
			0x12345678,
			(uint32_t)(WEIR_SMMU_PS_52 | WEIR_SMMU_IDR5_GRAN4K |
				   WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_GRAN64K |
				   WEIR_SMMU_IDR5_DS |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_VAX, WEIR_SMMU_IDR5_VAX_52) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_STALL_MAX, 64)),
			(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMP, 1) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMQ, 2)),
		},
		.iidr = 0x4832043b,
		.aidr = 3,
		.tlb_entries = 256,
	};
}

void become(struct fixture *f, const struct weir_model_smmuv3_config *config)
{
	weir_model_smmuv3_destroy(f->smmu);
	f->smmu = NULL;
	f->config = *config;
	assert_int_equal(create(f), 0);
}

/* The default implementation, with all granules and a small IOTLB. */
static void fill_in_config(struct weir_model_smmuv3_config *config)
{
	memcpy(config->idr, weir_model_smmuv3_default_idr, sizeof(config->idr));
	config->idr[5] = (uint32_t)(WEIR_SMMU_PS_44 | WEIR_SMMU_IDR5_GRAN4K |
				    WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_GRAN64K);
	config->aidr = 1;
	config->tlb_entries = 4096;
}

void full_config(struct weir_model_smmuv3_config *config)
{
	uint32_t *idr = config->idr;

	memset(idr, 0, sizeof(config->idr));
	idr[0] = (uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P | WEIR_SMMU_IDR0_COHACC |
			    WEIR_SMMU_IDR0_HYP | WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_ASID16 |
			    WEIR_SMMU_IDR0_VMID16 | WEIR_SMMU_IDR0_CD2L | WEIR_SMMU_IDR0_PRI |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF_DIRTY) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, WEIR_SMMU_IDR0_ST_LEVEL_2LVL));
	idr[1] = (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, 16) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SSIDSIZE, 10) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, 8) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, 8) |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_PRIQS, 8) |
			    WEIR_SMMU_IDR1_ATTR_PERMS_OVR | WEIR_SMMU_IDR1_ATTR_TYPES_OVR);
	idr[3] = (uint32_t)(WEIR_SMMU_IDR3_HAD | WEIR_SMMU_IDR3_XNX | WEIR_SMMU_IDR3_FWB |
			    WEIR_SMMU_IDR3_STT | WEIR_SMMU_IDR3_RIL | WEIR_SMMU_IDR3_E0PD);
	idr[5] = (uint32_t)(WEIR_SMMU_PS_52 | WEIR_SMMU_IDR5_GRAN4K | WEIR_SMMU_IDR5_GRAN16K |
			    WEIR_SMMU_IDR5_GRAN64K | WEIR_SMMU_IDR5_DS |
			    WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_VAX, WEIR_SMMU_IDR5_VAX_52));
	config->aidr = 3;
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
	f->windows = true;
	fill_in_config(&f->config);
	return create(f);
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
