/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 model under a hostile guest and hostile devices: any program of register accesses of
 * all sizes, memory contents, commands, queues anywhere, MSIs into the model's own registers,
 * transactions, stalls, ATS, page requests, enhanced command queues, counters, and steps.
 *
 * - The model stores events and page requests within the queues that the registers name, flags of
 *   descriptors, MSIs if it has them, and nothing else.
 * - A transaction has one end, and at most one event; an address is within the OAS. With
 *   SMMUEN == 0 it passes as it is, or is blocked: GBPA.ABORT says which.
 * - Queue indexes stay within their queues. A step does no more than its budget, and after one that
 *   found nothing more to do there is nothing to do until a kick.
 * - A CMD_SYNC waits for the transactions in flight.
 * - STAGs and ITAGs that the model gives out are its clients' own until they are given back.
 */

#include "smmucase.h"

#define HELD 4u
#define STALLED 64u
#define ITAGS 64u

struct held {
	struct weir_model_translation translation;
	bool used;
	uint64_t syncs; /* when it took off */
};

struct stalled {
	bool used, retry;
	uint16_t stag;
	struct weir_model_txn txn;
};

struct guest {
	struct smmucase c;
	struct input in;
	struct held held[HELD];
	struct stalled stalled[STALLED];
	/* Invalidations that wait for an answer. */
	unsigned int nr_itags, itags[ITAGS];
	bool kicked, idle;
	bool unknown; /* more stalled than there are slots */
	/* Resumed before translate() returned: an MSI of its event reached the registers. */
	bool in_translate, early;
	uint32_t early_stream;
	uint16_t early_stag;
};

static struct weir_model_smmuv3_stats stats_of(struct guest *g)
{
	struct weir_model_smmuv3_stats stats;

	weir_model_smmuv3_get_stats(g->c.box.smmu, &stats);
	return stats;
}

static uint64_t reg(struct guest *g, uint64_t offset)
{
	bool wide = offset == WEIR_SMMU_CMDQ_BASE || offset == WEIR_SMMU_EVENTQ_BASE ||
		    offset == WEIR_SMMU_PRIQ_BASE;

	return box_read(&g->c.box, offset, wide ? 8 : 4);
}

static bool has(const struct guest *g, uint64_t idr0)
{
	return g->c.box.config.idr[0] & idr0;
}

/* ---- Behind the model ----------------------------------------------------------------- */

static void kick(struct weir_model_stepper *stepper, void *opaque)
{
	(void)stepper;
	((struct guest *)opaque)->kicked = true;
}

static void resume(void *opaque, uint32_t stream, uint16_t stag, enum weir_model_result how)
{
	struct guest *g = opaque;

	REQUIRE(how == WEIR_MODEL_OK || how == WEIR_MODEL_BLOCKED || how == WEIR_MODEL_IGNORED);
	for (unsigned int i = 0; i < STALLED; i++) {
		struct stalled *s = &g->stalled[i];

		if (!s->used || s->retry || s->txn.stream != stream || s->stag != stag)
			continue;
		s->used = s->retry = how == WEIR_MODEL_OK;
		return;
	}
	REQUIRE(g->unknown ||
		(g->in_translate && !g->early)); /* what is stalled alone is resumed */
	g->early = true;
	g->early_stream = stream;
	g->early_stag = stag;
}

static void invalidate(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
		       bool global, uint64_t addr, unsigned int size, unsigned int itag)
{
	struct guest *g = opaque;
	unsigned int choice = take_below(&g->in, 4);

	(void)stream;
	(void)global;
	REQUIRE(has_substream || !substream);
	REQUIRE(size == 64 || (size >= 12 && !(addr & (((uint64_t)1 << size) - 1))));
	for (unsigned int i = 0; i < g->nr_itags; i++)
		REQUIRE(g->itags[i] != itag);
	if (choice && g->nr_itags < ITAGS)
		g->itags[g->nr_itags++] = itag;
	else
		weir_model_smmuv3_invalidated(g->c.box.smmu, itag, WEIR_MODEL_OK);
}

static void page_response(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			  uint16_t group, unsigned int code)
{
	(void)opaque;
	(void)stream;
	REQUIRE(has_substream || !substream);
	REQUIRE(group < 512 && code <= WEIR_SMMU_CMD_PRI_RESP_SUCCESS);
}

static const struct weir_model_smmuv3_client_ops client_ops = { resume, invalidate, page_response };

static void answer_invalidation(struct guest *g)
{
	static const enum weir_model_result answers[] = { WEIR_MODEL_OK, WEIR_MODEL_OK,
							  WEIR_MODEL_BLOCKED, WEIR_MODEL_ABORT };
	unsigned int i, itag;

	if (!g->nr_itags)
		return;
	i = take_below(&g->in, g->nr_itags);
	itag = g->itags[i];
	g->itags[i] = g->itags[--g->nr_itags];
	weir_model_smmuv3_invalidated(g->c.box.smmu, itag, answers[take_below(&g->in, 4)]);
}

static void request_page(struct guest *g)
{
	uint64_t choice = take(&g->in, 4);
	const struct weir_model_smmuv3_page_request request = {
		.addr = (choice & 0xff) << 12,
		.stream = choice >> 8 & 3,
		.group = choice >> 10 & 511,
		.has_substream = choice >> 19 & 1,
		.substream = choice >> 19 & 1 ? choice >> 20 & 3 : 0,
		.read = choice >> 22 & 1,
		.write = choice >> 23 & 1,
		.last = choice >> 24 & 1,
		.execute = choice >> 19 & choice >> 25 & 1,
		.privileged = choice >> 19 & choice >> 26 & 1,
	};

	if (has(g, WEIR_SMMU_IDR0_PRI))
		weir_model_smmuv3_page_request(g->c.box.smmu, &request);
}

/* ---- What the model may store --------------------------------------------------------- */

static bool in_queue(struct guest *g, uint64_t base_reg, uint64_t idr1_field, unsigned int entry,
		     uint64_t addr)
{
	uint64_t base = weir_model_smmuv3_read_secure(g->c.box.smmu, base_reg, 8), size;
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);
	uint64_t max = WEIR_SMMU_FIELD_GET(idr1_field, g->c.box.config.idr[1]);

	log2size = log2size < max ? log2size : max;
	size = (uint64_t)entry << log2size;
	size = size < 32 ? 32 : size;
	base &= WEIR_SMMU_Q_BASE_ADDR & ~(size - 1) & (((uint64_t)1 << g->c.box.oas) - 1);
	return addr - base < size;
}

static bool flags_alone(uint64_t flips)
{
	const uint64_t flags = WEIR_VMSA_AF | WEIR_VMSA_AP_RDONLY;

	return !(flips & ~(flags | __builtin_bswap64(flags)));
}

static void check_stores(struct guest *g)
{
	struct box *box = &g->c.box;

	for (unsigned int i = 0; i < box->nr_stores && i < BOX_STORES; i++) {
		const struct box_store *s = &box->stores[i];

		if (s->kind == BOX_UPDATE)
			REQUIRE(has(g, WEIR_SMMU_IDR0_HTTU) && flags_alone(s->before ^ s->after));
		if (s->kind == BOX_MSI)
			REQUIRE(has(g, WEIR_SMMU_IDR0_MSI));
		if (s->kind == BOX_STORE)
			REQUIRE(in_queue(g, WEIR_SMMU_EVENTQ_BASE, WEIR_SMMU_IDR1_EVENTQS,
					 WEIR_SMMU_EVT_SIZE, s->addr) ||
				in_queue(g, WEIR_SMMU_S_EVENTQ_BASE, WEIR_SMMU_IDR1_EVENTQS,
					 WEIR_SMMU_EVT_SIZE, s->addr) ||
				in_queue(g, WEIR_SMMU_PRIQ_BASE, WEIR_SMMU_IDR1_PRIQS,
					 WEIR_SMMU_PRI_SIZE, s->addr));
	}
	box_forget(box);
}

/* ---- Registers ------------------------------------------------------------------------ */

static void check_queue(struct guest *g, uint64_t base, uint64_t idr_field, uint64_t index)
{
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, reg(g, base));
	uint64_t max = WEIR_SMMU_FIELD_GET(idr_field, g->c.box.config.idr[1]);

	log2size = log2size < max ? log2size : max;
	REQUIRE(!((reg(g, index) & WEIR_SMMU_Q_INDEX) >> (log2size + 1)));
}

static void check_registers(struct guest *g)
{
	check_queue(g, WEIR_SMMU_CMDQ_BASE, WEIR_SMMU_IDR1_CMDQS, WEIR_SMMU_CMDQ_CONS);
	check_queue(g, WEIR_SMMU_EVENTQ_BASE, WEIR_SMMU_IDR1_EVENTQS, WEIR_SMMU_EVENTQ_PROD);
	check_queue(g, WEIR_SMMU_PRIQ_BASE, WEIR_SMMU_IDR1_PRIQS, WEIR_SMMU_PRIQ_PROD);
	REQUIRE(!((reg(g, WEIR_SMMU_IDR0) ^ g->c.box.config.idr[0]) &
		  ~(uint32_t)WEIR_SMMU_IDR0_STALL_MODEL)); /* NSSTALLD (3.12) */
}

static uint64_t some_register(struct guest *g, unsigned int size)
{
	static const uint32_t known[] = {
		WEIR_SMMU_CR0,
		WEIR_SMMU_CR0,
		WEIR_SMMU_CR1,
		WEIR_SMMU_CR2,
		WEIR_SMMU_GBPA,
		WEIR_SMMU_AGBPA,
		WEIR_SMMU_IRQ_CTRL,
		WEIR_SMMU_GERRORN,
		WEIR_SMMU_STRTAB_BASE,
		WEIR_SMMU_STRTAB_BASE_CFG,
		WEIR_SMMU_CMDQ_BASE,
		WEIR_SMMU_CMDQ_PROD,
		WEIR_SMMU_CMDQ_CONS,
		WEIR_SMMU_EVENTQ_BASE,
		WEIR_SMMU_EVENTQ_PROD,
		WEIR_SMMU_EVENTQ_CONS,
		WEIR_SMMU_PRIQ_BASE,
		WEIR_SMMU_PRIQ_PROD,
		WEIR_SMMU_PRIQ_CONS,
		WEIR_SMMU_GERROR_IRQ_CFG0,
		WEIR_SMMU_EVENTQ_IRQ_CFG0,
		WEIR_SMMU_PRIQ_IRQ_CFG0,
		WEIR_SMMU_EVENTQ_IRQ_CFG1,
		WEIR_SMMU_STATUSR,
		WEIR_SMMU_GATOS_CTRL,
		WEIR_SMMU_GATOS_SID,
		WEIR_SMMU_GATOS_ADDR,
	};
	unsigned int choice = take_below(&g->in, 32);
	uint64_t offset = choice < WEIR_ARRAY_SIZE(known) ?
				  known[choice] :
				  take(&g->in, 3) % weir_model_smmuv3_mmio_size(g->c.box.smmu);

	return offset & ~(uint64_t)(size - 1);
}

static uint64_t some_value(struct guest *g, unsigned int size)
{
	switch (take_below(&g->in, 8)) {
	case 0:
		return take(&g->in, size);
	case 1:
		return BOX_RAM + (take(&g->in, 1) << 12) + take_below(&g->in, 8);
	case 2: /* a register that takes MSIs */
		return BOX_MMIO + some_register(g, 4);
	case 3:
		return BOX_DOORBELL;
	case 4:
		return take(&g->in, 1) << 24 | take(&g->in, 1);
	default:
		return take(&g->in, 1);
	}
}

/* Secure software has the same registers, and those of its own above them. */
static void access_secure(struct guest *g, uint64_t offset, unsigned int size, bool write)
{
	if (offset < WEIR_SMMU_S_IDR0 && take(&g->in, 1) & 3)
		offset += WEIR_SMMU_S_IDR0;
	if (write)
		weir_model_smmuv3_write_secure(g->c.box.smmu, offset, size, some_value(g, size));
	else
		weir_model_smmuv3_read_secure(g->c.box.smmu, offset, size);
}

static void access_register(struct guest *g)
{
	unsigned int choice = take_below(&g->in, 16), size = choice & 4 ? 4 : 1u << (choice & 3);
	uint64_t offset = some_register(g, size);
	bool write = choice & 1 || (choice & 7) == 2;

	if (g->c.box.config.s_idr[1] && choice & 8)
		access_secure(g, offset, size, write);
	else if (write)
		box_write(&g->c.box, offset, size, some_value(g, size));
	else
		box_read(&g->c.box, offset, size);
}

/* As a driver would, to go on. */
static void enable(struct guest *g)
{
	struct box *box = &g->c.box;
	unsigned int choice = take_below(&g->in, 256);
	uint64_t msi = choice & 1 ? BOX_MMIO + some_register(g, 4) : choice & 2 ? BOX_DOORBELL : 0;

	box_write(box, WEIR_SMMU_CR0, 4, 0);
	box_write(box, WEIR_SMMU_IRQ_CTRL, 4, 0);
	box_write(box, WEIR_SMMU_CR2, 4, box->regs.cr2);
	box_write(box, WEIR_SMMU_STRTAB_BASE, 8, box->regs.strtab_base);
	box_write(box, WEIR_SMMU_STRTAB_BASE_CFG, 4, box->regs.strtab_base_cfg);
	box_write(box, WEIR_SMMU_CMDQ_BASE, 8, BOX_CMDQ | choice >> 5);
	box_write(box, WEIR_SMMU_EVENTQ_BASE, 8, BOX_EVENTQ | (choice >> 2 & 3));
	box_write(box, WEIR_SMMU_PRIQ_BASE, 8, (BOX_EVENTQ + 0x800) | (choice >> 3 & 3));
	box_write(box, WEIR_SMMU_EVENTQ_IRQ_CFG0, 8, msi);
	box_write(box, WEIR_SMMU_GERROR_IRQ_CFG0, 8, choice & 4 ? msi : 0);
	box_write(box, WEIR_SMMU_IRQ_CTRL, 4, 7);
	box_write(box, WEIR_SMMU_GERRORN, 4, box_read(box, WEIR_SMMU_GERROR, 4));
	box_write(box, WEIR_SMMU_CR0, 4, 0xf | (choice & 16));
}

static void enable_secure(struct guest *g)
{
	struct weir_model_smmuv3 *smmu = g->c.box.smmu;

	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_CR0, 4, 0);
	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_STRTAB_BASE, 8, BOX_STRTAB);
	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_STRTAB_BASE_CFG, 4, 6);
	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_CMDQ_BASE, 8, BOX_CMDQ | 3);
	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_EVENTQ_BASE, 8, (BOX_EVENTQ + 0x400) | 3);
	weir_model_smmuv3_write_secure(smmu, WEIR_SMMU_S_CR0, 4, 0xd);
}

static void acknowledge(struct guest *g)
{
	struct box *box = &g->c.box;

	box_write(box, WEIR_SMMU_GERRORN, 4, box_read(box, WEIR_SMMU_GERROR, 4));
	box_write(box, WEIR_SMMU_EVENTQ_CONS, 4, box_read(box, WEIR_SMMU_EVENTQ_PROD, 4));
	box_write(box, WEIR_SMMU_PRIQ_CONS, 4, box_read(box, WEIR_SMMU_PRIQ_PROD, 4));
}

/* ---- Commands ------------------------------------------------------------------------- */

static uint64_t some_stag(struct guest *g)
{
	return g->stalled[take_below(&g->in, 4)].stag;
}

static void make_command(struct guest *g, uint64_t *words)
{
	static const uint8_t opcodes[] = {
		WEIR_SMMU_CMD_PREFETCH_CONFIG,
		WEIR_SMMU_CMD_PREFETCH_ADDR,
		WEIR_SMMU_CMD_CFGI_STE,
		WEIR_SMMU_CMD_CFGI_STE_RANGE,
		WEIR_SMMU_CMD_CFGI_CD,
		WEIR_SMMU_CMD_CFGI_CD_ALL,
		WEIR_SMMU_CMD_TLBI_NH_ALL,
		WEIR_SMMU_CMD_TLBI_NH_ASID,
		WEIR_SMMU_CMD_TLBI_NH_VA,
		WEIR_SMMU_CMD_TLBI_NH_VAA,
		WEIR_SMMU_CMD_TLBI_EL2_ALL,
		WEIR_SMMU_CMD_TLBI_EL2_VA,
		WEIR_SMMU_CMD_TLBI_S12_VMALL,
		WEIR_SMMU_CMD_TLBI_S2_IPA,
		WEIR_SMMU_CMD_TLBI_NSNH_ALL,
		WEIR_SMMU_CMD_ATC_INV,
		WEIR_SMMU_CMD_ATC_INV,
		WEIR_SMMU_CMD_PRI_RESP,
		WEIR_SMMU_CMD_RESUME,
		WEIR_SMMU_CMD_STALL_TERM,
		WEIR_SMMU_CMD_SYNC,
		WEIR_SMMU_CMD_SYNC,
		WEIR_SMMU_CMD_SYNC,
		WEIR_SMMU_CMD_RESUME,
	};
	uint64_t opcode = opcodes[take_below(&g->in, WEIR_ARRAY_SIZE(opcodes))];
	uint64_t choice = take(&g->in, 3);

	words[0] = opcode | (choice & 3) << 32 | (choice >> 2 & 0x1f) << 12 |
		   (choice >> 7 & 1) << 11 | (choice >> 8 & 3) << 20;
	words[1] = (choice >> 10 & 0xff) << 12 | (choice >> 18 & 15) << 8 | (choice >> 22 & 1);
	if (opcode == WEIR_SMMU_CMD_SYNC) {
		words[0] = opcode | (choice & 3) << 12 | choice << 40;
		words[1] = choice & 4 ? some_value(g, 8) & WEIR_SMMU_CMD_SYNC_1_MSIADDR : 0;
	}
	if (opcode == WEIR_SMMU_CMD_RESUME)
		words[1] = some_stag(g);
	if (opcode == WEIR_SMMU_CMD_PRI_RESP)
		words[1] = (choice >> 10 & 511) | (choice >> 20 & 3) << 12;
	if (opcode == WEIR_SMMU_CMD_ATC_INV)
		words[1] = (choice & 8 ? WEIR_SMMU_CMD_ATC_INV_SIZE_ALL : choice >> 18 & 63) |
			   (choice >> 10 & 255) << 12;
	words[0] = take_noise(&g->in, words[0]);
}

static void push_command(struct guest *g)
{
	struct box *box = &g->c.box;
	uint64_t base = reg(g, WEIR_SMMU_CMDQ_BASE), prod = reg(g, WEIR_SMMU_CMDQ_PROD), words[2],
		 at;
	uint64_t log2size = WEIR_SMMU_FIELD_GET(WEIR_SMMU_Q_BASE_LOG2SIZE, base);

	make_command(g, words);
	at = (base & WEIR_SMMU_Q_BASE_ADDR) + (prod & (WEIR_BIT(log2size) - 1)) * 16;
	box_put(box, at, words[0]);
	box_put(box, at + 8, words[1]);
	box_write(box, WEIR_SMMU_CMDQ_PROD, 4, (prod + 1) & (WEIR_BIT(log2size + 1) - 1));
}

/* One of the two enhanced queues: a command, or something else done to it. */
static void enhanced(struct guest *g)
{
	struct box *box = &g->c.box;
	unsigned int choice = take_below(&g->in, 64);
	uint64_t at = WEIR_MODEL_SMMUV3_MMIO_SIZE + (choice & 1) * (WEIR_SMMU_PAGE_SIZE / 2);
	uint64_t ram = BOX_CMDQ + 0x800 + (choice & 1) * 0x100, words[2];
	uint32_t prod = (uint32_t)box_read(box, at + WEIR_SMMU_ECMDQ_PROD, 4);

	REQUIRE(!(box_read(box, at + WEIR_SMMU_ECMDQ_PROD, 4) & WEIR_GENMASK(30, 24)));
	switch (choice >> 1 & 7) {
	case 0:
		box_write(box, at + WEIR_SMMU_ECMDQ_BASE, 8, ram | (choice >> 4));
		box_write(box, at + WEIR_SMMU_ECMDQ_PROD, 4,
			  prod ^ (uint32_t)WEIR_SMMU_ECMDQ_PROD_EN);
		break;
	case 1:
		box_write(box, at + WEIR_SMMU_ECMDQ_PROD, 4,
			  prod ^ (uint32_t)WEIR_SMMU_ECMDQ_PROD_ERRACK);
		break;
	case 2:
		box_write(box, at + (take(&g->in, 1) & 0x1c), 4, some_value(g, 4));
		break;
	default:
		make_command(g, words);
		box_put(box, ram + (prod & 15) * 16, words[0]);
		box_put(box, ram + (prod & 15) * 16 + 8, words[1]);
		box_write(box, at + WEIR_SMMU_ECMDQ_PROD, 4, prod + 1);
	}
}

/* The counters' registers, most often those that have an effect. */
static void monitor(struct guest *g)
{
	static const uint32_t registers[] = {
		WEIR_SMMU_PMCG_CR,
		WEIR_SMMU_PMCG_CNTENSET0,
		WEIR_SMMU_PMCG_CNTENCLR0,
		WEIR_SMMU_PMCG_INTENSET0,
		WEIR_SMMU_PMCG_EVTYPER,
		WEIR_SMMU_PMCG_SMR,
		WEIR_SMMU_PMCG_IRQ_CTRL,
		WEIR_SMMU_PMCG_IRQ_CFG0,
		WEIR_MODEL_SMMUV3_PMCG_PAGE1 + WEIR_SMMU_PMCG_EVCNTR,
		WEIR_MODEL_SMMUV3_PMCG_PAGE1 + WEIR_SMMU_PMCG_CAPR,
	};
	unsigned int choice = take_below(&g->in, 16);
	uint64_t offset =
		choice < WEIR_ARRAY_SIZE(registers) ? registers[choice] : take(&g->in, 3) & ~7ull;
	uint64_t value = choice & 1 ? some_value(g, 8) : ~0ull;

	weir_model_smmuv3_pmcg_write(g->c.box.smmu, offset, 8, value);
	weir_model_smmuv3_pmcg_read(g->c.box.smmu, offset, 8);
}

static void step(struct guest *g)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(g->c.box.smmu);
	unsigned int budget = take_below(&g->in, 20), done;

	g->idle = g->idle && !g->kicked;
	g->kicked = false;
	done = stepper->step(stepper, budget);
	REQUIRE(done <= budget);
	REQUIRE(!g->idle || !done);
	g->idle = !g->kicked && (g->idle || done < budget);
}

/* ---- Transactions --------------------------------------------------------------------- */

static void stall(struct guest *g, const struct weir_model_txn *txn, uint16_t stag)
{
	struct stalled *slot = NULL;

	if (g->early && g->early_stream == txn->stream && g->early_stag == stag)
		return;
	for (unsigned int i = 0; i < STALLED; i++) {
		struct stalled *s = &g->stalled[i];

		REQUIRE(!s->used || s->retry || s->txn.stream != txn->stream || s->stag != stag);
		if (!s->used && !slot)
			slot = s;
	}
	g->unknown |= !slot;
	if (slot)
		*slot = (struct stalled){ .used = true, .stag = stag, .txn = *txn };
}

static void check_bypass(struct guest *g, const struct weir_model_txn *txn,
			 enum weir_model_result result, const struct weir_model_translation *out)
{
	uint64_t gbpa = reg(g, WEIR_SMMU_GBPA);
	bool fits = !(txn->addr >> g->c.box.oas);

	if (txn->flags & (WEIR_MODEL_TXN_ATS_REQUEST | WEIR_MODEL_TXN_TRANSLATED)) {
		REQUIRE(result == WEIR_MODEL_BLOCKED);
		return;
	}
	if (gbpa & WEIR_SMMU_GBPA_UPDATE)
		return;
	REQUIRE((result == WEIR_MODEL_OK) == (!(gbpa & WEIR_SMMU_GBPA_ABORT) && fits));
	REQUIRE(result != WEIR_MODEL_OK || out->addr == txn->addr);
}

static enum weir_model_result translate(struct guest *g, const struct weir_model_txn *txn,
					struct weir_model_translation *out)
{
	struct weir_model_smmuv3_stats before = stats_of(g), after;
	uint64_t cr0 = reg(g, WEIR_SMMU_CR0), cr0ack = reg(g, WEIR_SMMU_CR0ACK);
	bool request = txn->flags & WEIR_MODEL_TXN_ATS_REQUEST;
	enum weir_model_result result;

	*out = (struct weir_model_translation){ 0 };
	g->early = false;
	g->in_translate = true;
	result = weir_model_smmuv3_translate(g->c.box.smmu, txn, out);
	g->in_translate = false;
	REQUIRE(!g->early || result == WEIR_MODEL_STALLED || g->unknown);
	after = stats_of(g);
	REQUIRE(result <= WEIR_MODEL_STALLED && result != WEIR_MODEL_ABORT);
	REQUIRE(after.transactions == before.transactions + 1);
	REQUIRE(after.events_written + after.events_lost <=
		before.events_written + before.events_lost + 1);
	REQUIRE(!request || result == WEIR_MODEL_OK || result == WEIR_MODEL_BLOCKED);
	if (result == WEIR_MODEL_OK && !request)
		REQUIRE(!(out->addr >> g->c.box.oas));
	if (result == WEIR_MODEL_STALLED)
		stall(g, txn, out->stag);
	if (!((cr0 | cr0ack) & WEIR_SMMU_CR0_SMMUEN) && !(txn->flags & WEIR_MODEL_TXN_SECURE))
		check_bypass(g, txn, result, out);
	return result;
}

static struct weir_model_txn some_txn(struct guest *g)
{
	const struct case_stream *s = &g->c.streams[take_below(&g->in, g->c.nr_streams)];
	unsigned int choice = take_below(&g->in, 256), n = s->nr_pages[0];
	struct weir_model_txn txn = {
		.stream = choice & 7 ? s->sid : (uint32_t)take(&g->in, 4),
		.len = 1,
		.attributes = WEIR_MODEL_ATTR_PCIE,
		.flags = (uint16_t)(take(&g->in, 1) & 0x1f),
	};

	if (!(txn.flags & WEIR_MODEL_TXN_WRITE))
		txn.flags &= (uint16_t)~WEIR_MODEL_TXN_ATOMIC;
	if (txn.flags & WEIR_MODEL_TXN_SUBSTREAM)
		txn.substream = choice >> 3 & 1;
	if (has(g, WEIR_SMMU_IDR0_ATS) && (choice >> 4 & 3) < 2)
		txn.flags = (uint16_t)((txn.flags & ~WEIR_MODEL_TXN_ATOMIC) |
				       (choice >> 4 & 3 ? WEIR_MODEL_TXN_TRANSLATED :
							  WEIR_MODEL_TXN_ATS_REQUEST));
	if (g->c.box.config.s_idr[1] && choice & 8)
		txn.flags |= WEIR_MODEL_TXN_SECURE;
	n = n < CASE_PAGES ? n : CASE_PAGES;
	txn.addr = n && choice >> 6 ? s->pages[0][(choice >> 6) % n] : take(&g->in, 8);
	return txn;
}

static void transaction(struct guest *g)
{
	struct weir_model_txn txn = some_txn(g);
	struct weir_model_translation out;

	if (translate(g, &txn, &out) == WEIR_MODEL_OK && !(txn.flags & WEIR_MODEL_TXN_ATS_REQUEST))
		weir_model_smmuv3_complete(g->c.box.smmu, &out);
}

/* Those that are to be tried again are. */
static void retry(struct guest *g)
{
	struct weir_model_translation out;

	for (unsigned int i = 0; i < STALLED; i++) {
		struct stalled *s = &g->stalled[i];
		struct weir_model_txn txn = s->txn;

		if (!s->used || !s->retry)
			continue;
		*s = (struct stalled){ 0 };
		if (translate(g, &txn, &out) == WEIR_MODEL_OK)
			weir_model_smmuv3_complete(g->c.box.smmu, &out);
	}
}

/* A CMD_SYNC of each queue may have been on its way when it began; the next one waits. */
static void land(struct guest *g, struct held *held)
{
	unsigned int queues = g->c.box.config.idr[6] ? 3 : 1;

	if (!held->used)
		return;
	REQUIRE(stats_of(g).syncs - held->syncs <= queues);
	weir_model_smmuv3_complete(g->c.box.smmu, &held->translation);
	held->used = false;
}

static void hold(struct guest *g)
{
	struct held *held = &g->held[take_below(&g->in, HELD)];
	struct weir_model_txn txn = some_txn(g);

	land(g, held);
	txn.flags &= (uint16_t)~WEIR_MODEL_TXN_ATS_REQUEST;
	txn.flags |= WEIR_MODEL_TXN_DETACHED;
	held->syncs = stats_of(g).syncs;
	held->used = translate(g, &txn, &held->translation) == WEIR_MODEL_OK;
}

/* ---- The run -------------------------------------------------------------------------- */

static void operate(struct guest *g)
{
	switch (take_below(&g->in, 24)) {
	case 0:
	case 1:
	case 2:
		access_register(g);
		break;
	case 3:
		box_put(&g->c.box, BOX_RAM + take(&g->in, 2) * 8, take(&g->in, 8));
		break;
	case 4:
		case_mutate(&g->c);
		break;
	case 5:
		case_map(&g->c, &g->c.streams[take_below(&g->in, g->c.nr_streams)], 0);
		break;
	case 6:
		if (take(&g->in, 1) & 1)
			acknowledge(g);
		else if (g->c.box.config.s_idr[1] && take(&g->in, 1) & 1)
			enable_secure(g);
		else
			enable(g);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		push_command(g);
		break;
	case 11:
	case 12:
	case 13:
		step(g);
		break;
	case 14:
		hold(g);
		break;
	case 15:
		land(g, &g->held[take_below(&g->in, HELD)]);
		break;
	case 16:
		answer_invalidation(g);
		break;
	case 17:
		request_page(g);
		break;
	case 18:
		retry(g);
		break;
	case 19:
		enhanced(g);
		break;
	case 20:
		monitor(g);
		break;
	default:
		transaction(g);
	}
}

/* What few implementations have: the Secure interface, ATOS, more queues, counters. */
static void choose_extras(struct guest *g)
{
	struct weir_model_smmuv3_config *config = &g->c.box.config;
	unsigned int choice = take_below(&g->in, 256);

	if (choice & 1 && has(g, WEIR_SMMU_IDR0_S1P)) {
		config->s_idr[0] = (config->idr[0] & (uint32_t)WEIR_SMMU_IDR0_MSI) |
				   (config->idr[0] & (uint32_t)WEIR_SMMU_IDR0_STALL_MODEL);
		config->s_idr[1] = (uint32_t)(WEIR_SMMU_S_IDR1_SECURE_IMPL |
					      WEIR_SMMU_FIELD(WEIR_SMMU_S_IDR1_S_SIDSIZE, 6));
	}
	if (choice & 2)
		config->idr[0] |= (uint32_t)WEIR_SMMU_IDR0_ATOS;
	if ((choice & 6) == 6 && has(g, WEIR_SMMU_IDR0_S1P) && has(g, WEIR_SMMU_IDR0_S2P))
		config->idr[0] |= (uint32_t)WEIR_SMMU_IDR0_VATOS;
	if (choice & 8 && has(g, WEIR_SMMU_IDR0_MSI)) {
		config->idr[1] |= (uint32_t)WEIR_SMMU_IDR1_ECMDQ;
		config->idr[6] =
			(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMQ, choice >> 6) |
				   WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMP, choice >> 5 & 1));
	}
	config->pmcg_counters = choice >> 4 & 3;
}

static void choose(struct guest *g)
{
	struct weir_model_smmuv3_config *config = &g->c.box.config;
	unsigned int choice = take_below(&g->in, 256);

	box_choose(&g->c.box, &g->in);
	config->caches = (enum weir_model_smmuv3_caches)(choice % 3);
	config->reserved = (enum weir_model_smmuv3_reserved)(choice >> 2 & 1);
	config->tlb_entries = choice & 8 ? 16 : 256;
	config->pmcg_counters = choice & 64 ? 4 : 0;
	if ((choice & 128) && has(g, WEIR_SMMU_IDR0_MSI) && has(g, WEIR_SMMU_IDR0_COHACC)) {
		config->idr[1] |= (uint32_t)WEIR_SMMU_IDR1_ECMDQ;
		config->idr[6] = (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR6_LOG2NUMQ, 1);
	}
	if (choice >> 4 & 3) /* what it stores is seen */
		g->c.box.windows = false;
	choose_extras(g);
	g->c.box.client = &client_ops;
	g->c.box.client_opaque = g;
}

static void set_up(struct guest *g)
{
	memset(&g->c, 0, sizeof(g->c));
	g->c.in = &g->in;
	box_init(&g->c.box);
	choose(g);
	box_create(&g->c.box);
	weir_model_smmuv3_stepper(g->c.box.smmu)->kick = kick;
	weir_model_smmuv3_stepper(g->c.box.smmu)->kick_opaque = g;
	case_build(&g->c);
	if (take(&g->in, 1) & 3)
		enable(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest g;

	memset(&g, 0, sizeof(g));
	g.in = (struct input){ data, size < 2048 ? size : 2048 };
	set_up(&g);
	while (g.in.left) {
		operate(&g);
		check_stores(&g);
		check_registers(&g);
	}
	for (unsigned int i = 0; i < HELD; i++)
		land(&g, &g.held[i]);
	box_destroy(&g.c.box);
	return 0;
}
