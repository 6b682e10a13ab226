/* SPDX-License-Identifier: MIT */

#include "smmubox.h"

/* ---- Memory --------------------------------------------------------------------------- */

uint64_t *box_at(const struct box *box, uint64_t addr)
{
	uint64_t high = (uint64_t)1 << (box->oas - 1);

	if (addr & high)
		addr -= high;
	if (addr < BOX_RAM || addr - BOX_RAM > BOX_SIZE - 8 || addr % 8)
		return NULL;
	return (uint64_t *)(void *)(box->ram + (addr - BOX_RAM));
}

uint64_t box_high(const struct box *box, uint64_t addr)
{
	return addr | (uint64_t)1 << (box->oas - 1);
}

static void store(struct box *box, uint64_t *word, uint64_t value)
{
	box->used[(size_t)((uint8_t *)word - box->ram) / 4096] = 1;
	*word = value;
}

void box_put(struct box *box, uint64_t addr, uint64_t value)
{
	uint64_t *word = box_at(box, addr & ~(uint64_t)7);

	if (word)
		store(box, word, value);
}

uint64_t box_get(const struct box *box, uint64_t addr)
{
	const uint64_t *word = box_at(box, addr & ~(uint64_t)7);

	return word ? *word : 0;
}

bool box_load(void *opaque, uint64_t addr, uint64_t *value)
{
	const uint64_t *word = box_at(opaque, addr);

	if (!word)
		return false;
	*value = *word;
	return true;
}

/* ---- The host of the model ------------------------------------------------------------ */

static void log_store(struct box *box, enum box_store_kind kind, uint64_t addr, uint64_t before,
		      uint64_t after)
{
	if (box->nr_stores < BOX_STORES)
		box->stores[box->nr_stores] = (struct box_store){ kind, addr, before, after };
	box->nr_stores++;
}

void box_forget(struct box *box)
{
	box->nr_stores = 0;
}

static enum weir_model_result host_load64(void *opaque, uint64_t addr, uint64_t *value)
{
	REQUIRE(addr % 8 == 0);
	return box_load(opaque, addr, value) ? WEIR_MODEL_OK : WEIR_MODEL_ABORT;
}

static enum weir_model_result host_store64(void *opaque, uint64_t addr, uint64_t value)
{
	struct box *box = opaque;
	uint64_t *word = box_at(box, addr);

	REQUIRE(addr % 8 == 0);
	if (!word)
		return WEIR_MODEL_ABORT;
	log_store(box, BOX_STORE, addr, *word, value);
	store(box, word, value);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_cas64(void *opaque, uint64_t addr, uint64_t *expected,
					 uint64_t desired)
{
	struct box *box = opaque;
	uint64_t *word = box_at(box, addr);

	REQUIRE(addr % 8 == 0);
	if (!word)
		return WEIR_MODEL_ABORT;
	if (*word != *expected) {
		*expected = *word;
		return WEIR_MODEL_OK;
	}
	log_store(box, BOX_UPDATE, addr, *word, desired);
	store(box, word, desired);
	return WEIR_MODEL_OK;
}

static enum weir_model_result host_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct box *box = opaque;
	uint64_t *word = box_at(box, addr & ~(uint64_t)7), mask;

	REQUIRE(addr % 4 == 0);
	if (addr >= BOX_MMIO && addr - BOX_MMIO < WEIR_MODEL_SMMUV3_MMIO_SIZE) {
		weir_model_smmuv3_write(box->smmu, addr - BOX_MMIO, 4, data);
		return WEIR_MODEL_OK;
	}
	if (addr >> 12 == BOX_DOORBELL >> 12)
		return WEIR_MODEL_OK;
	if (!word)
		return WEIR_MODEL_ABORT;
	mask = (uint64_t)UINT32_MAX << (addr & 4) * 8;
	log_store(box, BOX_MSI, addr, *word, (*word & ~mask) | (uint64_t)data << (addr & 4) * 8);
	store(box, word, (*word & ~mask) | (uint64_t)data << (addr & 4) * 8);
	return WEIR_MODEL_OK;
}

static void host_line(void *opaque, unsigned int line)
{
	(void)opaque;
	REQUIRE(line < WEIR_MODEL_SMMUV3_LINES);
}

static bool host_window(void *opaque, uint64_t addr, struct weir_model_window *window)
{
	struct box *box = opaque;
	uint64_t high = (uint64_t)1 << (box->oas - 1);

	if (!box->windows || !box_at(box, addr & ~(uint64_t)7))
		return false;
	*window = (struct weir_model_window){ BOX_RAM | (addr & high), BOX_SIZE, box->ram };
	return true;
}

static const struct weir_model_host_ops host_ops = {
	.load64 = host_load64,
	.store64 = host_store64,
	.cas64 = host_cas64,
	.msi = host_msi,
	.line = host_line,
	.window = host_window,
};

static void resume(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result how)
{
	struct box *box = opaque;

	(void)stream;
	(void)stag;
	box->resumed++;
	box->resumed_how = how;
}

static const struct weir_model_smmuv3_client_ops client_ops = { .resume = resume };

/* ---- Implementations ------------------------------------------------------------------ */

static uint32_t bit_if(bool set, uint64_t mask)
{
	return set ? (uint32_t)mask : 0;
}

/* Two granules of three at least, most often. */
static uint32_t choose_idr5(struct input *in, unsigned int minor)
{
	uint32_t choice = (uint32_t)take(in, 2), granules = choice & 7, oas = choice >> 3 & 7;
	bool ds, vax;

	granules = granules ? granules : 7;
	oas = oas == 7 ? WEIR_SMMU_PS_48 : oas;
	ds = choice >> 6 & 1 && granules & 3 && minor;
	vax = minor && (ds || (choice >> 7 & 1 && granules & 4));
	if (oas == WEIR_SMMU_PS_52 && (!minor || !(ds || granules & 4)))
		oas = WEIR_SMMU_PS_48;
	return (uint32_t)(oas | WEIR_SMMU_FIELD(WEIR_GENMASK(6, 4), granules) |
			  bit_if(ds, WEIR_SMMU_IDR5_DS) | WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_VAX, vax));
}

static uint32_t choose_idr0(struct input *in, unsigned int minor)
{
	uint32_t choice = (uint32_t)take(in, 4);
	bool stage1 = (choice & 7) != 7, stage2 = (choice & 7) != 6;
	bool both = stage1 && stage2, ats = choice >> 3 & 1;
	bool hyp = both && (choice >> 4 & 1 || minor >= 2);
	static const uint8_t endians[] = { 0, 2, 3, 0 };
	unsigned int stalls = choice >> 5 & 3, httu = choice >> 7 & 3;

	stalls = stalls == 3 || (ats && stalls == 2) ? 1 : stalls;
	httu = httu == 3 ? WEIR_SMMU_IDR0_HTTU_AF_DIRTY : httu;
	return (uint32_t)(bit_if(stage2, WEIR_SMMU_IDR0_S2P) | bit_if(stage1, WEIR_SMMU_IDR0_S1P) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64) |
			  WEIR_SMMU_IDR0_COHACC | WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_HTTU, httu) |
			  bit_if(hyp, WEIR_SMMU_IDR0_HYP) | bit_if(ats, WEIR_SMMU_IDR0_ATS) |
			  bit_if(ats && both && choice >> 9 & 1, WEIR_SMMU_IDR0_NS1ATS) |
			  bit_if(choice >> 10 & 3, WEIR_SMMU_IDR0_ASID16) |
			  bit_if(choice >> 12 & 1, WEIR_SMMU_IDR0_MSI) |
			  bit_if(ats && choice >> 13 & 1, WEIR_SMMU_IDR0_PRI) |
			  bit_if(stage2 && choice >> 14 & 1, WEIR_SMMU_IDR0_VMW) |
			  bit_if(choice >> 15 & 3, WEIR_SMMU_IDR0_VMID16) |
			  bit_if(choice >> 17 & 3, WEIR_SMMU_IDR0_CD2L) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTENDIAN, endians[choice >> 19 & 3]) |
			  bit_if(ats && choice >> 21 & 1, WEIR_SMMU_IDR0_ATSRECERR) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL, stalls) |
			  bit_if(choice >> 22 & 1, WEIR_SMMU_IDR0_TERM_MODEL) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, 1));
}

static uint32_t choose_idr3(struct input *in, unsigned int minor, uint32_t idr0, uint32_t idr1)
{
	uint32_t choice = (uint32_t)take(in, 1);
	bool stage1 = idr0 & WEIR_SMMU_IDR0_S1P, stage2 = idr0 & WEIR_SMMU_IDR0_S2P;
	bool pps = idr0 & WEIR_SMMU_IDR0_PRI && idr1 & WEIR_SMMU_IDR1_SSIDSIZE;

	return (uint32_t)(bit_if(stage1 && (minor || choice & 1), WEIR_SMMU_IDR3_HAD) |
			  bit_if(stage2 && minor, WEIR_SMMU_IDR3_XNX) |
			  bit_if(pps && choice & 2, WEIR_SMMU_IDR3_PPS) |
			  bit_if(minor >= 2 || choice & 4, WEIR_SMMU_IDR3_FWB) |
			  bit_if(choice & 8, WEIR_SMMU_IDR3_STT) |
			  bit_if(minor >= 2 || choice & 16, WEIR_SMMU_IDR3_RIL) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML,
					  minor >= 2 ? 1 + (choice >> 5 & 1) : 0) |
			  bit_if(minor >= 3 || choice & 64, WEIR_SMMU_IDR3_E0PD) |
			  bit_if(stage2 && (minor >= 3 || choice & 128), WEIR_SMMU_IDR3_PTWNNC));
}

static uint32_t choose_idr1(struct input *in)
{
	uint32_t choice = (uint32_t)take(in, 1);
	static const uint8_t ssids[] = { 0, 1, 8, 20 };

	return (uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, choice & 1 ? 16 : 6) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SSIDSIZE, ssids[choice >> 1 & 3]) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_PRIQS, 4) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, 7) |
			  WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, 8) |
			  bit_if(choice & 24, WEIR_SMMU_IDR1_ATTR_PERMS_OVR) |
			  bit_if(choice & 96, WEIR_SMMU_IDR1_ATTR_TYPES_OVR));
}

void box_choose(struct box *box, struct input *in)
{
	struct weir_model_smmuv3_config *config = &box->config;
	unsigned int minor = (1 + take_below(in, 8)) & 3, stalls;

	*config = (struct weir_model_smmuv3_config){ .aidr = minor, .tlb_entries = 256 };
	config->idr[0] = choose_idr0(in, minor);
	config->idr[1] = choose_idr1(in);
	config->idr[3] = choose_idr3(in, minor, config->idr[0], config->idr[1]);
	config->idr[5] = choose_idr5(in, minor);
	stalls = (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR0_STALL_MODEL, config->idr[0]);
	if (stalls != WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL)
		config->idr[5] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_STALL_MAX, 4);
	config->gbpa = (uint32_t)take(in, 3) & 0x1f3f1f & ~bit_if(take(in, 1) & 3, 1u << 20);
	config->seed = take(in, 1);
	box->windows = take(in, 1) & 1;
}

/* ---- Life ----------------------------------------------------------------------------- */

void box_init(struct box *box)
{
	static uint8_t ram[BOX_SIZE] __attribute__((aligned(0x10000)));

	memset(box, 0, sizeof(*box));
	box->ram = ram;
}

unsigned int box_size_bits(unsigned int ps)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return bits[ps];
}

void box_create(struct box *box)
{
	const struct weir_model_host host = { &host_ops, box };

	box->oas = box_size_bits(box->config.idr[5] & 7);
	REQUIRE(!weir_model_smmuv3_create(&host, &box->config, &box->smmu));
	weir_model_smmuv3_set_client(box->smmu, box->client ? box->client : &client_ops,
				     box->client ? box->client_opaque : box);
	memcpy(box->regs.idr, box->config.idr, sizeof(box->regs.idr));
	box->regs.aidr = box->config.aidr;
	box->regs.gbpa = box->config.gbpa;
	box->eventq_cons = 0;
}

void box_destroy(struct box *box)
{
	weir_model_smmuv3_destroy(box->smmu);
	box->smmu = NULL;
	for (unsigned int i = 0; i < BOX_PAGES; i++)
		if (box->used[i])
			memset(box->ram + i * 4096, 0, 4096);
}

/* ---- Registers and queues ------------------------------------------------------------- */

void box_write(struct box *box, uint64_t offset, unsigned int size, uint64_t value)
{
	weir_model_smmuv3_write(box->smmu, offset, size, value);
}

uint64_t box_read(struct box *box, uint64_t offset, unsigned int size)
{
	return weir_model_smmuv3_read(box->smmu, offset, size);
}

static void step(struct box *box)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(box->smmu);

	REQUIRE(stepper->step(stepper, 64) < 64);
}

void box_enable(struct box *box, uint32_t cr0)
{
	struct oracle_regs *regs = &box->regs;

	cr0 |= (uint32_t)(WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	regs->cr0 = cr0;
	box_write(box, WEIR_SMMU_CR2, 4, regs->cr2);
	box_write(box, WEIR_SMMU_STRTAB_BASE, 8, regs->strtab_base);
	box_write(box, WEIR_SMMU_STRTAB_BASE_CFG, 4, regs->strtab_base_cfg);
	box_write(box, WEIR_SMMU_CMDQ_BASE, 8, BOX_CMDQ | BOX_CMDQ_LOG2);
	box_write(box, WEIR_SMMU_EVENTQ_BASE, 8, BOX_EVENTQ | BOX_EVENTQ_LOG2);
	box_write(box, WEIR_SMMU_CR0, 4, cr0);
	step(box);
	REQUIRE(box_read(box, WEIR_SMMU_CR0ACK, 4) == cr0);
	memset(box->used + (BOX_EVENTQ - BOX_RAM) / 4096, 1, 1);
}

void box_queue(struct box *box, uint64_t word0, uint64_t word1)
{
	uint32_t prod = (uint32_t)box_read(box, WEIR_SMMU_CMDQ_PROD, 4);
	uint64_t addr = BOX_CMDQ + (prod % (1u << BOX_CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE;

	box_put(box, addr, word0);
	box_put(box, addr + 8, word1);
	box_write(box, WEIR_SMMU_CMDQ_PROD, 4, (prod + 1) % (2u << BOX_CMDQ_LOG2));
	step(box);
}

void box_sync(struct box *box)
{
	box_queue(box, WEIR_SMMU_CMD_SYNC, 0);
	REQUIRE(box_read(box, WEIR_SMMU_CMDQ_CONS, 4) == box_read(box, WEIR_SMMU_CMDQ_PROD, 4));
	REQUIRE(box_read(box, WEIR_SMMU_GERROR, 4) == box_read(box, WEIR_SMMU_GERRORN, 4));
}

void box_invalidate_all(struct box *box)
{
	box_queue(box, WEIR_SMMU_CMD_CFGI_STE_RANGE, WEIR_SMMU_CMD_CFGI_RANGE_ALL);
	box_queue(box, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	if (box->config.idr[0] & WEIR_SMMU_IDR0_HYP)
		box_queue(box, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0);
	box_sync(box);
}

bool box_event(struct box *box, uint64_t *record)
{
	const uint32_t index = (2u << BOX_EVENTQ_LOG2) - 1;
	uint32_t prod = (uint32_t)box_read(box, WEIR_SMMU_EVENTQ_PROD, 4);
	uint64_t addr = BOX_EVENTQ + (box->eventq_cons & index >> 1) * WEIR_SMMU_EVT_SIZE;

	if (!((prod ^ box->eventq_cons) & index))
		return false;
	for (unsigned int i = 0; i < WEIR_SMMU_EVT_WORDS; i++)
		record[i] = box_get(box, addr + 8 * i);
	box->eventq_cons = (box->eventq_cons + 1) & index;
	box_write(box, WEIR_SMMU_EVENTQ_CONS, 4,
		  box->eventq_cons | (prod & (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG));
	return true;
}
