/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model, on hand-made tables: registers, streams, events, commands. Proves:
 *  - ID registers that the model cannot stand for are refused by name;
 *  - registers: reserved reads as zero, guards, Update protocols, 32- and 64-bit accesses;
 *  - bypass and abort, with SMMUEN clear and by STE; addresses beyond the OAS;
 *  - both formats of the stream table; each kind of event, whole records; RECINVSID, CD.R;
 *  - commands are consumed by step() alone, errors stop the queue until they are acknowledged;
 *  - events: interrupts, overflow, aborts; what is written and what is lost is counted exactly;
 *  - registers reached by a device's own DMA work, queues that point at them abort.
 */

#include "smmuhost.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Creation and registers ----------------------------------------------------------- */

static void no_irq(void *opaque, unsigned int irq)
{
	(void)opaque;
	(void)irq;
}

/* What creation prints on stderr, which it refuses with. */
static void expect_refused(struct fixture *f, struct weir_model_smmuv3_config config,
			   const char *name)
{
	struct weir_model_irq_sink sink = { .raise = no_irq };
	struct weir_model_smmuv3 *smmu = NULL;
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO), result;
	char text[1024] = "";

	assert_non_null(out);
	fflush(stderr);
	dup2(fileno(out), STDERR_FILENO);
	result = weir_model_smmuv3_create(f->bus, &config, &sink, &smmu);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(out);
	assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
	fclose(out);
	assert_int_equal(result, -WEIR_EINVAL);
	assert_non_null(strstr(text, name));
}

static void refuses_by_name(void **state)
{
	struct fixture *f = *state;
	uint32_t idr0 = (uint32_t)rd(f, WEIR_SMMU_IDR0, 4),
		 idr1 = (uint32_t)rd(f, WEIR_SMMU_IDR1, 4);

	expect_refused(f, (struct weir_model_smmuv3_config){ .idr0 = idr0 | 1 }, "IDR0.S2P = 1");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr0 = idr0 & ~2u }, "IDR0.S1P = 0");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr0 = idr0 | 1u << 13 }, "IDR0.MSI");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr0 = idr0 | 1u << 31 },
		       "IDR0: bits 0x80000000");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr1 = idr1 | 8u << 6 },
		       "IDR1.SSIDSIZE = 8");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr3 = 1u << 4 }, "IDR3.XNX");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr5 = 0x16 }, "IDR5.OAS = 6");
	expect_refused(f, (struct weir_model_smmuv3_config){ .idr5 = 0x4 }, "no granule");
	expect_refused(f, (struct weir_model_smmuv3_config){ .aidr = 4 }, "AIDR.ArchMinorRev = 4");
}

static void reserved_reads_zero(void **state)
{
	struct fixture *f = *state;
	static const uint64_t offsets[] = { WEIR_SMMU_STATUSR,
					    WEIR_SMMU_AGBPA,
					    WEIR_SMMU_GERROR_IRQ_CFG0,
					    WEIR_SMMU_EVENTQ_IRQ_CFG0,
					    WEIR_SMMU_PRIQ_BASE,
					    0xa8,
					    0xac,
					    0x10020,
					    0x10098,
					    WEIR_SMMU_PRIQ_PROD,
					    0x8000,
					    0x1fffc };

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(offsets); i++) {
		wr(f, offsets[i], 4, 0xffffffff);
		assert_int_equal(rd(f, offsets[i], 4), 0);
	}
	wr(f, WEIR_SMMU_CR1, 4, 0xffffffff);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0xfff);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, ~0ull);
	assert_int_equal(rd(f, WEIR_SMMU_STRTAB_BASE, 8), 1ull << 62 | WEIR_GENMASK(43, 6));
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_IRQ_CTRLACK, 4), 5);
	wr(f, WEIR_SMMU_IDR0, 4, 0);
	assert_int_not_equal(rd(f, WEIR_SMMU_IDR0, 4), 0);
}

static void halves_and_wholes(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CMDQ_BASE, 4, 0x41000045);
	wr(f, WEIR_SMMU_CMDQ_BASE + 4, 4, 0x40000012);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_BASE, 8), 0x4000001241000045);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_BASE + 4, 4), 0x40000012);
	wr(f, WEIR_SMMU_CMDQ_PROD, 8, 0x0000000300000004); /* and CMDQ_CONS */
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_PROD, 8), 0x0000000300000004);
	wr(f, WEIR_SMMU_CR1, 2, 0xfff);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0);
	assert_int_equal(rd(f, WEIR_SMMU_IDR0, 2), 0);
}

static void guards(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, ~0u);
	assert_int_equal(rd(f, WEIR_SMMU_CR0, 4), 0xd);
	assert_int_equal(rd(f, WEIR_SMMU_CR0ACK, 4), 0xd);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, 0x41230000);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 3);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, 0x41230000);
	wr(f, WEIR_SMMU_CMDQ_CONS, 4, 1);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, 0x41230000);
	wr(f, WEIR_SMMU_EVENTQ_PROD, 4, 1);
	wr(f, WEIR_SMMU_CR1, 4, 0xfff);
	wr(f, WEIR_SMMU_CR2, 4, 0);
	assert_int_equal(rd(f, WEIR_SMMU_STRTAB_BASE, 8), STRTAB);
	assert_int_equal(rd(f, WEIR_SMMU_STRTAB_BASE_CFG, 4), 8);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_BASE, 8), CMDQ | CMDQ_LOG2);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), 0);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_BASE, 8), EVENTQ | EVENTQ_LOG2);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0);
	assert_int_equal(rd(f, WEIR_SMMU_CR2, 4), 2);
	/* Queues alone off: their attributes can be written, the tables' cannot. */
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	wr(f, WEIR_SMMU_CR1, 4, 0xfff);
	assert_int_equal(rd(f, WEIR_SMMU_CR1, 4), 0x3f);
}

static void disabled_follows_gbpa(void **state)
{
	struct fixture *f = *state;
	uint64_t pa = 0;

	assert_int_equal(dma(f, STREAM, 0x12345678, true, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, 0x12345678);
	assert_int_equal(dma(f, STREAM, 1ull << 44, true, &pa), WEIR_MODEL_BLOCKED);
	wr(f, WEIR_SMMU_GBPA, 4, WEIR_SMMU_GBPA_ABORT); /* no Update: ignored */
	assert_int_equal(rd(f, WEIR_SMMU_GBPA, 4), 0);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_OK);
	wr(f, WEIR_SMMU_GBPA, 4, WEIR_SMMU_GBPA_ABORT | WEIR_SMMU_GBPA_UPDATE);
	assert_int_equal(rd(f, WEIR_SMMU_GBPA, 4), WEIR_SMMU_GBPA_ABORT);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	assert_int_equal(dma(f, STREAM, 0x1000, true, &pa), WEIR_MODEL_BLOCKED);
	assert_int_equal(stats_of(f).events_written + stats_of(f).events_lost, 0);
	assert_int_equal(stats_of(f).transactions, 5);
	assert_int_equal(stats_of(f).blocked, 3);
}

/* ---- Streams and events --------------------------------------------------------------- */

static void stream_bypass_and_abort(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	put_ste(f, STREAM, WEIR_SMMU_STE_CONFIG_BYPASS);
	expect_read(f, PAGES + 5, PAGES + 5);
	expect_fault(f, 1ull << 44, WEIR_SMMU_EVT_F_ADDR_SIZE);
	put_ste(f, 6, WEIR_SMMU_STE_CONFIG_ABORT);
	put_ste(f, 7, 3);
	assert_int_equal(dma(f, 6, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	assert_int_equal(dma(f, 7, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
}

static void bad_streams(void **state)
{
	struct fixture *f = *state;
	uint64_t pa;

	assert_int_equal(dma(f, 256, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 256), 0, 0, 0);
	assert_int_equal(dma(f, 0xffffffff, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 0xffffffff), 0, 0, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN);
	wr(f, WEIR_SMMU_CR2, 4, 0);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_SMMUEN);
	assert_int_equal(dma(f, 256, 0x1000, false, &pa), WEIR_MODEL_BLOCKED);
	expect_no_event(f);
}

static void illegal_stes(void **state)
{
	struct fixture *f = *state;
	static const uint64_t bad[][2] = {
		{ 0, 0 },						 /* V */
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S2 << 1, 0 }, /* no stage 2 */
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_NESTED << 1, 0 },
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | CDS,
		  WEIR_SMMU_STE_1_S1STALLD },
		{ WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | 1ull << 44, 0 },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		put(f, ste_of(STREAM), bad[i][0]);
		put(f, ste_of(STREAM) + 8, bad[i][1]);
		invalidate_all(f);
		expect_blocked(f, 0x1000);
		expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	}
}

static void illegal_cds(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), good = cd_word0(STREAM);
	const struct {
		uint64_t clear, set, ttb0;
	} bad[] = {
		{ WEIR_SMMU_CD_0_V, 0, ttb0 },
		{ WEIR_SMMU_CD_0_A, 0, ttb0 },
		{ 0, WEIR_SMMU_CD_0_S, ttb0 },
		{ 0, WEIR_SMMU_CD_0_HA, ttb0 },
		{ WEIR_SMMU_CD_0_AA64, 0, ttb0 },
		{ 0, WEIR_SMMU_CD_0_ENDI, ttb0 },
		{ WEIR_SMMU_CD_0_T0SZ, 15, ttb0 },
		{ WEIR_SMMU_CD_0_T0SZ, 40, ttb0 },
		{ WEIR_SMMU_CD_0_TG0, WEIR_SMMU_CD_0_TG0, ttb0 },
		{ WEIR_SMMU_CD_0_TG1, 0, ttb0 },
		{ WEIR_SMMU_CD_0_IPS, 0, 1ull << 32 },
	};
	const uint64_t disabled = WEIR_SMMU_CD_0_EPD0 | WEIR_SMMU_CD_0_EPD1;

	map(f, ttb0, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		put_cd(f, STREAM, (good & ~bad[i].clear) | bad[i].set, bad[i].ttb0, 0);
		invalidate_all(f);
		expect_blocked(f, 0x1000);
		expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_CD, STREAM), 0, 0, 0);
	}
	/* With both tables disabled their fields, and ENDI, do not count. */
	put_cd(f, STREAM, good | disabled | WEIR_SMMU_CD_0_ENDI | WEIR_SMMU_CD_0_TG0, ~0ull, ~0ull);
	invalidate_all(f);
	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
}

static void failed_fetches(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0;

	put(f, ste_of(STREAM), WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_S1 << 1 | NOWHERE);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_CD_FETCH, STREAM), 0, 0, NOWHERE);
	ttb0 = add_stream(f, STREAM);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	put(f, ttb0, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect_blocked(f, 0x201000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM), READ | CLASS_TT, 0x201000,
		     NOWHERE);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, NOWHERE);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	invalidate_all(f);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_STE_FETCH, STREAM), 0, 0, NOWHERE + STREAM * 64);
	/* A failure is not cached: nothing has to be invalidated. */
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	map_at(f, ttb0, 0, 12, 0, 0, new_table(f) | WEIR_VMSA_TYPE_TABLE);
	map(f, ttb0, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
}

static void translation_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM), pa;
	struct weir_model_txn fetch = {
		.stream = STREAM, .addr = 0x3004, .len = 4, .instruction = true, .privileged = true
	};

	expect_fault(f, 0x1000, WEIR_SMMU_EVT_F_TRANSLATION);
	expect_fault(f, 1ull << 48, WEIR_SMMU_EVT_F_TRANSLATION);
	map(f, ttb0, 0x1000, (PAGE | PAGES) & ~WEIR_VMSA_AF);
	expect_fault(f, 0x1234, WEIR_SMMU_EVT_F_ACCESS);
	map(f, ttb0, 0x2000, PAGE | 1ull << 45);
	expect_fault(f, 0x2000, WEIR_SMMU_EVT_F_ADDR_SIZE);
	map(f, ttb0, 0x3000, PAGE | PAGES | WEIR_VMSA_AP_RDONLY | WEIR_VMSA_PXN);
	assert_int_equal(dma(f, STREAM, 0x3008, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM), CLASS_IN, 0x3008, 0);
	assert_int_equal(dma_as(f, fetch, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_PERMISSION, STREAM),
		     CLASS_IN | READ | WEIR_SMMU_EVT_1_IND | WEIR_SMMU_EVT_1_PNU, 0x3004, 0);
	/* A reserved descriptor at the last level, and a block where none may be. */
	map(f, ttb0, 0x4000, BLOCK | PAGES);
	expect_fault(f, 0x4000, WEIR_SMMU_EVT_F_TRANSLATION);
	map_at(f, ttb0, 0, 12, 1ull << 40, 0, BLOCK);
	expect_fault(f, 1ull << 40, WEIR_SMMU_EVT_F_TRANSLATION);
	/* The range of a table's address is looked at before what is in it. */
	map_at(f, ttb0, 0, 12, 1ull << 41, 0, 1ull << 45 | WEIR_VMSA_TYPE_TABLE);
	expect_fault(f, 1ull << 41, WEIR_SMMU_EVT_F_ADDR_SIZE);
	/* A write is data, whatever it says. */
	fetch.write = true;
	fetch.addr = 0x5000;
	assert_int_equal(dma_as(f, fetch, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_TRANSLATION, STREAM), CLASS_IN | WEIR_SMMU_EVT_1_PNU,
		     0x5000, 0);
}

static void suppressed_faults(void **state)
{
	struct fixture *f = *state;
	uint64_t ttb0 = add_stream(f, STREAM);

	put_cd(f, STREAM, cd_word0(STREAM) & ~WEIR_SMMU_CD_0_R, ttb0, 0);
	expect_blocked(f, 0x1000);
	expect_no_event(f);
	put(f, ttb0, NOWHERE | WEIR_VMSA_TYPE_TABLE);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM), READ | CLASS_TT, 0x1000,
		     NOWHERE);
}

/* Two levels, 6 bits of split; the second level's entries are at STRTAB + 0x1000. */
static void two_level_stream_table(void **state)
{
	struct fixture *f = *state;
	const uint64_t level2 = STRTAB + 0x1000;
	uint64_t pa;

	wr(f, WEIR_SMMU_CR2, 4, WEIR_SMMU_CR2_RECINVSID);
	wr(f, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(f, WEIR_SMMU_STRTAB_BASE_CFG, 4, 1u << 16 | 6u << 6 | 16);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	put(f, STRTAB + 8, level2 | 3);	  /* streams 64 to 67 */
	put(f, STRTAB + 16, level2 | 8);  /* more than the split allows */
	put(f, STRTAB + 24, level2 | 12); /* reserved */
	put(f, STRTAB + 32, NOWHERE | 7); /* nothing there */
	put(f, level2 + 3 * 64, WEIR_SMMU_STE_0_V | WEIR_SMMU_STE_CONFIG_BYPASS << 1);
	assert_int_equal(dma(f, 67, PAGES, true, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, PAGES);
	for (uint32_t sid = 0; sid < 256; sid = sid ? sid + 64 : 68) {
		assert_int_equal(dma(f, sid, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
		if (sid < 256)
			expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, sid), 0, 0, 0);
	}
	assert_int_equal(dma(f, 257, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_F_STE_FETCH, 257), 0, 0, NOWHERE + 64);
	put(f, STRTAB + 8, 0);
	assert_int_equal(dma(f, 66, PAGES, true, &pa), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STREAMID, 66), 0, 0, 0);
}

/* ---- Commands ------------------------------------------------------------------------- */

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

static void sync_signals(void **state)
{
	struct fixture *f = *state;

	command(f, WEIR_SMMU_CMD_SYNC, 0);
	command(f,
		WEIR_SMMU_CMD_SYNC |
			WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, WEIR_SMMU_CMD_SYNC_CS_SEV),
		0);
	assert_int_equal(f->irqs[IRQ_SYNC], 0);
	command(f,
		WEIR_SMMU_CMD_SYNC |
			WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, WEIR_SMMU_CMD_SYNC_CS_IRQ),
		0);
	assert_int_equal(f->irqs[IRQ_SYNC], 1);
}

/* An illegal command stops the queue; replaced and acknowledged, it goes on. */
static void expect_illegal(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint32_t cons = (uint32_t)rd(f, WEIR_SMMU_CMDQ_CONS, 4) & 0xfffff;
	uint32_t gerrorn = (uint32_t)rd(f, WEIR_SMMU_GERRORN, 4);

	queue_command(f, word0, word1);
	queue_command(f, WEIR_SMMU_CMD_SYNC, 0);
	taken(&f->irqs[IRQ_GERROR]);
	assert_int_equal(step(f, 10), 0);
	assert_int_equal(taken(&f->irqs[IRQ_GERROR]), 1);
	assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4), cons | WEIR_SMMU_CERROR_ILL << 24);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4) ^ gerrorn, WEIR_SMMU_GERROR_CMDQ_ERR);
	assert_int_equal(step(f, 10), 0);
	put(f, CMDQ + (cons % (1u << CMDQ_LOG2)) * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_SYNC);
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
	expect_illegal(f, WEIR_SMMU_CMD_SYNC | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, 3), 0);
	/* A granule without a range or a level (4.4.1.1); 16 KiB has no level 1. */
	expect_illegal(f, WEIR_SMMU_CMD_TLBI_NH_VA, hinted(0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 0));
	expect_illegal(f, WEIR_SMMU_CMD_TLBI_NH_VAA, hinted(0, WEIR_SMMU_CMD_TLBI_TG_16K, 1));
	command(f, WEIR_SMMU_CMD_TLBI_NH_VA, hinted(0x1000, WEIR_SMMU_CMD_TLBI_TG_4K, 3));
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

static void prefetch_is_silent(void **state)
{
	struct fixture *f = *state;

	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, 0xffff), 0);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM), 0);
	assert_int_equal(stats_of(f).events_written + stats_of(f).events_lost, 0);
	command(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, STREAM), 1);
	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM), 0x1000);
	assert_int_equal(stats_of(f).cd_fetches, 1);
	expect_read(f, 0x1000, PAGES);
	assert_int_equal(stats_of(f).cd_fetches, 1);
}

/* ---- The event queue ------------------------------------------------------------------ */

static void event_interrupts(void **state)
{
	struct fixture *f = *state;
	uint64_t record[4];

	expect_blocked(f, 0x1000);
	expect_blocked(f, 0x1000);
	assert_int_equal(f->irqs[IRQ_EVENTQ], 1); /* from empty to not empty, once */
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(f->irqs[IRQ_EVENTQ], 1);
	assert_true(pop_event(f, record));
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(f->irqs[IRQ_EVENTQ], 2);
	wr(f, WEIR_SMMU_IRQ_CTRL, 4, 0);
	assert_true(pop_event(f, record));
	expect_blocked(f, 0x1000);
	assert_int_equal(f->irqs[IRQ_EVENTQ], 2);
}

static void overflow(void **state)
{
	struct fixture *f = *state;
	const unsigned int size = 1u << EVENTQ_LOG2;
	uint64_t record[4];

	for (unsigned int i = 0; i < size; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), size); /* full, nothing lost yet */
	for (unsigned int i = 0; i < 3; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), size | 1u << 31);
	assert_int_equal(stats_of(f).events_written, size);
	assert_int_equal(stats_of(f).events_lost, 3);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), 0);
	for (unsigned int i = 0; i < size; i++)
		assert_true(pop_event(f, record)); /* and acknowledged */
	expect_no_event(f);
	/* The next overflow toggles the flag back. */
	for (unsigned int i = 0; i < size + 1; i++)
		expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	assert_int_equal(stats_of(f).events_lost, 4);
}

/* What is lost without an overflow: the queue is disabled. */
static void disabled_event_queue(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	assert_int_equal(stats_of(f).events_lost, 1);
}

static void event_queue_abort(void **state)
{
	struct fixture *f = *state;

	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, NOWHERE | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_blocked(f, 0x1000);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	assert_int_equal(f->irqs[IRQ_GERROR], 1);
	assert_int_equal(f->irqs[IRQ_EVENTQ], 0);
	assert_int_equal(rd(f, WEIR_SMMU_EVENTQ_PROD, 4), 0);
	/* 7.2.1: repaired, but nothing is written while the error is active. */
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | EVENTQ_LOG2);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN);
	expect_blocked(f, 0x1000);
	expect_no_event(f);
	wr(f, WEIR_SMMU_GERRORN, 4, WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
	expect_blocked(f, 0x1000);
	expect_event(f, EVENT0(WEIR_SMMU_EVT_C_BAD_STE, STREAM), 0, 0, 0);
	assert_int_equal(stats_of(f).events_lost, 2);
	assert_int_equal(f->irqs[IRQ_GERROR], 1);
}

/* Registers are no RAM: queues that point at the SMMU itself abort, and nothing hangs. */
static void pointing_at_itself(void **state)
{
	struct fixture *f = *state;
	struct weir_model_region *region;
	const uint64_t base = 0x9050000;

	assert_int_equal(weir_model_bus_add_mmio(f->bus, base, WEIR_MODEL_SMMUV3_MMIO_SIZE,
						 &weir_model_smmuv3_mmio_ops, f->smmu, &region),
			 0);
	wr(f, WEIR_SMMU_CR0, 4, 0);
	wr(f, WEIR_SMMU_EVENTQ_BASE, 8, base);
	wr(f, WEIR_SMMU_CMDQ_BASE, 8, base);
	wr(f, WEIR_SMMU_CMDQ_PROD, 4, 1);
	wr(f, WEIR_SMMU_CR0, 4, 0xd);
	expect_blocked(f, 0x1000);
	step(f, 10);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4),
			 WEIR_SMMU_GERROR_EVENTQ_ABT_ERR | WEIR_SMMU_GERROR_CMDQ_ERR);
}

/* A device writes the SMMU's own registers, in flight: no deadlock, and it works. */
static void dma_to_registers(void **state)
{
	struct fixture *f = *state;
	struct weir_model_region *region;
	const uint64_t base = 0x9050000;
	struct weir_model_port port = { .bus = f->bus,
					.iommu_ops = &weir_model_smmuv3_iommu_ops,
					.iommu = f->smmu,
					.stream = STREAM };
	uint32_t value = 0, prod = 1;

	assert_int_equal(weir_model_bus_add_mmio(f->bus, base, WEIR_MODEL_SMMUV3_MMIO_SIZE,
						 &weir_model_smmuv3_mmio_ops, f->smmu, &region),
			 0);
	map(f, add_stream(f, STREAM), 0x1000, PAGE | base);
	put(f, CMDQ, WEIR_SMMU_CMD_SYNC);
	assert_int_equal(weir_model_port_write(&port, 0x1000 + WEIR_SMMU_CMDQ_PROD, &prod, 4),
			 WEIR_MODEL_OK);
	assert_int_equal(weir_model_port_write(&port, 0x1000 + WEIR_SMMU_CR0, &value, 4),
			 WEIR_MODEL_OK);
	value = 0xd;
	assert_int_equal(weir_model_port_write(&port, base + WEIR_SMMU_CR0, &value, 4),
			 WEIR_MODEL_OK);
	assert_int_equal(step(f, 10), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_by_name),
		TEST_DISABLED(reserved_reads_zero),
		TEST_DISABLED(halves_and_wholes),
		TEST(guards),
		TEST_DISABLED(disabled_follows_gbpa),
		TEST(stream_bypass_and_abort),
		TEST(bad_streams),
		TEST(illegal_stes),
		TEST(illegal_cds),
		TEST(failed_fetches),
		TEST(translation_faults),
		TEST(suppressed_faults),
		TEST_DISABLED(two_level_stream_table),
		TEST(step_alone_consumes),
		TEST(command_queue_wraps),
		TEST(sync_signals),
		TEST(illegal_commands),
		TEST(command_fetch_abort),
		TEST(prefetch_is_silent),
		TEST(event_interrupts),
		TEST(overflow),
		TEST(disabled_event_queue),
		TEST(event_queue_abort),
		TEST(pointing_at_itself),
		TEST(dma_to_registers),
	};

	return cmocka_run_group_tests_name("SMMUv3 model", tests, NULL, NULL);
}
