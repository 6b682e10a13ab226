/* SPDX-License-Identifier: MIT */

/*
 * Commands of the SMMUv3 model, but for CMD_SYNC. Proves:
 *  - each opcode is legal with the features that it needs, and CERROR_ILL without; none is for the
 *    Secure state; an illegal one leaves the queue at itself;
 *  - reserved bits are ignored or rejected, as configured: every bit of every command;
 *  - ranges and hints: which combinations are reserved, and for whom;
 *  - ASIDs and VMIDs that are wider than the implementation's match nothing;
 *  - CMD_CFGI_*: what each of them takes out of the configuration caches, and nothing else;
 *  - CMD_PREFETCH_*: what it fetched is cached; it is bounded; nothing of it is an error.
 */

#include "smmuworlds.h"

/* ---- Consumed, or not ----------------------------------------------------------------------- */

/* An illegal command stops the queue at itself; it is replaced by one that does no harm. */
static bool is_legal(struct fixture *f, uint64_t word0, uint64_t word1)
{
	uint32_t prod = (uint32_t)rd(f, WEIR_SMMU_CMDQ_PROD, 4), cons;

	queue_command(f, word0, word1);
	if (step(f, 10) == 1) {
		assert_int_equal(rd(f, WEIR_SMMU_CMDQ_CONS, 4) & WEIR_SMMU_Q_INDEX,
				 rd(f, WEIR_SMMU_CMDQ_PROD, 4));
		return true;
	}
	cons = (uint32_t)rd(f, WEIR_SMMU_CMDQ_CONS, 4);
	assert_int_equal(WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR, cons), WEIR_SMMU_CERROR_ILL);
	assert_int_equal(cons & WEIR_SMMU_Q_INDEX, prod);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4) ^ rd(f, WEIR_SMMU_GERRORN, 4),
			 WEIR_SMMU_GERROR_CMDQ_ERR);
	put(f, CMDQ + prod % (1u << CMDQ_LOG2) * WEIR_SMMU_CMD_SIZE, WEIR_SMMU_CMD_TLBI_NSNH_ALL);
	put(f, CMDQ + prod % (1u << CMDQ_LOG2) * WEIR_SMMU_CMD_SIZE + 8, 0);
	wr(f, WEIR_SMMU_GERRORN, 4, rd(f, WEIR_SMMU_GERROR, 4));
	assert_int_equal(step(f, 10), 1);
	return false;
}

#define S1 1u
#define S2 2u
#define HYP 4u
#define ATS 8u
#define PRI 16u
#define STALL 32u

static const struct {
	uint32_t opcode;
	unsigned int needs;
	bool ssec;
	uint64_t word0, word1; /* fields, with TG == 0 and no ranges */
} opcodes[] = {
	{ WEIR_SMMU_CMD_PREFETCH_CONFIG, 0, true, WEIR_GENMASK(63, 11), 0 },
	{ WEIR_SMMU_CMD_PREFETCH_ADDR, 0, true, WEIR_GENMASK(63, 11),
	  WEIR_GENMASK(63, 12) | WEIR_GENMASK(9, 0) },
	{ WEIR_SMMU_CMD_CFGI_STE, 0, true, WEIR_GENMASK(63, 32), 1 },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, 0, true, WEIR_GENMASK(63, 32), 0x1f },
	{ WEIR_SMMU_CMD_CFGI_CD, S1, true, WEIR_GENMASK(63, 12), 1 },
	{ WEIR_SMMU_CMD_CFGI_CD_ALL, S1, true, WEIR_GENMASK(63, 32), 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_ALL, S1, false, WEIR_GENMASK(47, 32), 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, S1, false, WEIR_GENMASK(63, 32), 0 },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, S1, false, WEIR_GENMASK(63, 32), WEIR_GENMASK(63, 12) | 1 },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, S1, false, WEIR_GENMASK(47, 32), WEIR_GENMASK(63, 12) | 1 },
	{ WEIR_SMMU_CMD_TLBI_EL2_ALL, S1 | HYP, false, 0, 0 },
	{ WEIR_SMMU_CMD_TLBI_EL2_ASID, S1 | HYP, false, WEIR_GENMASK(63, 48), 0 },
	{ WEIR_SMMU_CMD_TLBI_EL2_VA, S1 | HYP, false, WEIR_GENMASK(63, 48),
	  WEIR_GENMASK(63, 12) | 1 },
	{ WEIR_SMMU_CMD_TLBI_EL2_VAA, S1 | HYP, false, 0, WEIR_GENMASK(63, 12) | 1 },
	{ WEIR_SMMU_CMD_TLBI_S12_VMALL, S2, false, WEIR_GENMASK(47, 32), 0 },
	{ WEIR_SMMU_CMD_TLBI_S2_IPA, S2, false, WEIR_GENMASK(47, 32), WEIR_GENMASK(51, 12) | 1 },
	{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, false, 0, 0 },
	{ WEIR_SMMU_CMD_ATC_INV, ATS, false, WEIR_GENMASK(63, 11) | WEIR_BIT(9),
	  WEIR_GENMASK(63, 12) | WEIR_GENMASK(5, 0) },
	{ WEIR_SMMU_CMD_PRI_RESP, PRI, false, WEIR_GENMASK(63, 11),
	  WEIR_GENMASK(13, 12) | WEIR_GENMASK(8, 0) },
	{ WEIR_SMMU_CMD_RESUME, STALL, true, WEIR_GENMASK(63, 32) | WEIR_GENMASK(13, 12),
	  WEIR_GENMASK(15, 0) },
	{ WEIR_SMMU_CMD_STALL_TERM, STALL, true, WEIR_GENMASK(63, 32), 0 },
};

static bool is_by_va(uint32_t opcode)
{
	return opcode == WEIR_SMMU_CMD_TLBI_NH_VA || opcode == WEIR_SMMU_CMD_TLBI_NH_VAA ||
	       opcode == WEIR_SMMU_CMD_TLBI_EL2_VA || opcode == WEIR_SMMU_CMD_TLBI_EL2_VAA;
}

static void have(struct fixture *f, unsigned int features)
{
	uint64_t idr0 = f->config.idr[0] &
			~(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P | WEIR_SMMU_IDR0_HYP |
			  WEIR_SMMU_IDR0_ATS | WEIR_SMMU_IDR0_PRI | WEIR_SMMU_IDR0_STALL_MODEL);

	idr0 |= (features & S1 ? WEIR_SMMU_IDR0_S1P : 0) |
		(features & S2 ? WEIR_SMMU_IDR0_S2P | WEIR_SMMU_IDR0_VMID16 : 0) |
		(features & HYP ? WEIR_SMMU_IDR0_HYP : 0) |
		(features & ATS ? WEIR_SMMU_IDR0_ATS : 0) |
		(features & PRI ? WEIR_SMMU_IDR0_PRI : 0);
	if (!(features & STALL))
		idr0 |= WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL,
					WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL);
	f->config.idr[0] = (uint32_t)idr0;
	/* Hierarchical attributes are stage 1's. */
	f->config.idr[3] &= (uint32_t)~WEIR_SMMU_IDR3_HAD;
	f->config.idr[1] &= (uint32_t)~WEIR_SMMU_IDR1_PRIQS;
	if (features & PRI)
		f->config.idr[1] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_PRIQS, 8);
	f->config.idr[5] &= (uint32_t)~WEIR_SMMU_IDR5_STALL_MAX;
	if (features & STALL)
		f->config.idr[5] |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_STALL_MAX, 16);
	recreate(f);
}

/* 4.1.3 and each command's own section; deviations.md, D14. */
static bool expected(uint32_t opcode, unsigned int features)
{
	if (opcode == WEIR_SMMU_CMD_SYNC)
		return true;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++)
		if (opcodes[i].opcode == opcode)
			return !(opcodes[i].needs & ~features);
	return false;
}

static void opcodes_need_features(void **state)
{
	struct fixture *f = *state;
	static const unsigned int sets[] = {
		S1, S2, S1 | S2, S1 | S2 | HYP, S1 | ATS, S1 | ATS | PRI, S1 | STALL, S2 | STALL,
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(sets); i++) {
		have(f, sets[i]);
		for (uint32_t opcode = 0; opcode < 256; opcode++)
			assert_int_equal(is_legal(f, opcode, 0), expected(opcode, sets[i]));
	}
}

/* 4.1.6: where there is SSec, it is 0 on this queue; reserved bits that are ignored do no harm. */
static void nothing_is_secure(void **state)
{
	struct fixture *f = *state;

	have(f, S1 | S2 | HYP | ATS | PRI | STALL);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++)
		assert_int_equal(is_legal(f, opcodes[i].opcode | WEIR_SMMU_CMD_0_SSEC, 0),
				 !opcodes[i].ssec);
}

/* ---- Reserved bits (4.1.5) ------------------------------------------------------------------ */

static void check_bits(struct fixture *f, size_t i, bool rejects)
{
	uint64_t ranges = WEIR_SMMU_CMD_TLBI_1_TG;

	for (unsigned int bit = 8; bit < 128; bit++) {
		uint64_t word0 = bit < 64 ? WEIR_BIT(bit) : 0;
		uint64_t word1 = bit < 64 ? 0 : WEIR_BIT(bit - 64);
		bool field = (word0 & opcodes[i].word0) || (word1 & opcodes[i].word1);
		bool legal = field || !rejects;

		if ((word0 & WEIR_SMMU_CMD_0_SSEC) && opcodes[i].ssec)
			legal = false;
		/* A granule, and nothing to do with it: reserved whatever is done about bits. */
		if ((is_by_va(opcodes[i].opcode) ||
		     opcodes[i].opcode == WEIR_SMMU_CMD_TLBI_S2_IPA) &&
		    (word1 & ranges))
			legal = false;
		assert_int_equal(is_legal(f, opcodes[i].opcode | word0, word1), legal);
	}
}

static void reserved_bits(void **state)
{
	struct fixture *f = *state;

	for (unsigned int rejects = 0; rejects < 2; rejects++) {
		f->config.reserved = rejects ? WEIR_MODEL_SMMUV3_RESERVED_REJECTED :
					       WEIR_MODEL_SMMUV3_RESERVED_IGNORED;
		have(f, S1 | S2 | HYP | ATS | PRI | STALL);
		/* No stream is found: nothing is prefetched, resumed or answered. */
		wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_CMDQEN | WEIR_SMMU_CR0_EVENTQEN);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++)
			check_bits(f, i, rejects);
	}
}

/* Fields that a lesser implementation does not have. */
static void reserved_without_features(void **state)
{
	struct fixture *f = *state;
	uint64_t tlbi = WEIR_SMMU_CMD_TLBI_NH_VA;

	f->config.reserved = WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	have(f, S1);
	assert_false(is_legal(f, for_vmid(tlbi, 1), 0));
	assert_true(is_legal(f, for_asid(tlbi, 0xffff), 0));
	f->config.idr[0] &= (uint32_t)~WEIR_SMMU_IDR0_ASID16;
	f->config.idr[3] &= (uint32_t)~WEIR_SMMU_IDR3_RIL;
	have(f, S1 | S2);
	f->config.idr[0] &= (uint32_t)~WEIR_SMMU_IDR0_VMID16;
	recreate(f);
	assert_true(is_legal(f, for_vmid(for_asid(tlbi, 0xff), 0xff), 0));
	assert_false(is_legal(f, for_asid(tlbi, 0x100), 0));
	assert_false(is_legal(f, for_vmid(tlbi, 0x100), 0));
	assert_false(is_legal(f, ranged(tlbi, 1, 1), hinted(0, WEIR_SMMU_CMD_TLBI_TG_4K, 3)));
	assert_false(is_legal(f, tlbi, hinted(0, WEIR_SMMU_CMD_TLBI_TG_4K, 0)));
	/* In v3.0 a prefetch has no stride. */
	f->config.aidr = 0;
	recreate(f);
	assert_false(is_legal(f, WEIR_SMMU_CMD_PREFETCH_ADDR,
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_PREFETCH_1_STRIDE, 1)));
	assert_true(is_legal(f, WEIR_SMMU_CMD_PREFETCH_ADDR, 0));
	/* ... and addresses that are no VA have 48 bits (4.1.6). */
	assert_true(is_legal(f, WEIR_SMMU_CMD_TLBI_S2_IPA, WEIR_GENMASK(47, 12)));
	assert_false(is_legal(f, WEIR_SMMU_CMD_TLBI_S2_IPA, WEIR_BIT(48)));
	assert_true(is_legal(f, tlbi, WEIR_BIT(48)));
	assert_true(is_legal(f, WEIR_SMMU_CMD_SYNC, WEIR_GENMASK(47, 2)));
	assert_false(is_legal(f, WEIR_SMMU_CMD_SYNC, WEIR_BIT(48)));
}

/* ---- Ranges (4.4.1.1) ----------------------------------------------------------------------- */

static bool range_expected(struct fixture *f, uint64_t tg, uint64_t ttl, uint64_t num,
			   uint64_t scale)
{
	bool rejects = f->config.reserved == WEIR_MODEL_SMMUV3_RESERVED_REJECTED;
	bool ds = f->config.idr[5] & WEIR_SMMU_IDR5_DS;

	if (!(f->config.idr[3] & WEIR_SMMU_IDR3_RIL))
		return !rejects || !(tg || ttl || num || scale);
	if (!tg)
		return !rejects || !(ttl || num || scale);
	if (tg == WEIR_SMMU_CMD_TLBI_TG_16K && ttl == 1 && !ds)
		ttl = 0;
	return ttl || num || scale;
}

static void check_ranges(struct fixture *f)
{
	static const uint32_t by_address[] = {
		WEIR_SMMU_CMD_TLBI_NH_VA,   WEIR_SMMU_CMD_TLBI_NH_VAA, WEIR_SMMU_CMD_TLBI_EL2_VA,
		WEIR_SMMU_CMD_TLBI_EL2_VAA, WEIR_SMMU_CMD_TLBI_S2_IPA,
	};

	recreate(f);
	for (unsigned int n = 0; n < 64; n++) {
		uint64_t tg = n & 3, ttl = n >> 2 & 3, num = n >> 4 & 1, scale = n >> 5 & 1;

		for (size_t i = 0; i < WEIR_ARRAY_SIZE(by_address); i++)
			assert_int_equal(is_legal(f, ranged(by_address[i], 31 * num, 63 * scale),
						  hinted(0, tg, ttl)),
					 range_expected(f, tg, ttl, num, scale));
	}
}

static void ranges(void **state)
{
	struct fixture *f = *state;

	have(f, S1 | S2 | HYP);
	for (unsigned int rejects = 0; rejects < 2; rejects++) {
		f->config.reserved = rejects ? WEIR_MODEL_SMMUV3_RESERVED_REJECTED :
					       WEIR_MODEL_SMMUV3_RESERVED_IGNORED;
		f->config.idr[3] |= (uint32_t)WEIR_SMMU_IDR3_RIL;
		check_ranges(f);
		f->config.idr[3] &= (uint32_t)~WEIR_SMMU_IDR3_RIL;
		check_ranges(f);
	}
	f->config.idr[3] |= (uint32_t)WEIR_SMMU_IDR3_RIL;
	f->config.idr[5] |= (uint32_t)(WEIR_SMMU_IDR5_DS |
				       WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_VAX, WEIR_SMMU_IDR5_VAX_52));
	check_ranges(f);
}

/* 4.4: with 8 bits of either, the rest of the field is no part of it, and need not match. */
static void narrow_ids(void **state)
{
	struct fixture *f = *state;
	uint64_t table, leaf;
	const uint64_t tlbi = WEIR_SMMU_CMD_TLBI_NH_VA;

	have(f, S1 | S2);
	f->config.idr[0] &= (uint32_t) ~(WEIR_SMMU_IDR0_ASID16 | WEIR_SMMU_IDR0_VMID16);
	recreate(f);
	table = add_stream(f, STREAM);
	put(f, ste_of(STREAM) + 16, 3);
	leaf = map(f, table, 0x1000, PAGE | PAGES);
	expect_read(f, 0x1000, PAGES);
	put(f, leaf, PAGE | (PAGES + 0x1000));
	command(f, for_vmid(for_asid(tlbi, STREAM + 1 + 0x100), 3), 0x1000);
	expect_read(f, 0x1000, PAGES);
	command(f, for_vmid(for_asid(tlbi, STREAM + 1), 0x103), 0x1000);
	expect_read(f, 0x1000, PAGES);
	command(f, for_vmid(for_asid(tlbi, STREAM + 1), 3), 0x1000);
	expect_read(f, 0x1000, PAGES + 0x1000);
}

/*
 * ---- Configuration (4.3) ----------------------------------------------------------------------
 */

#define SID 20u /* of 20 and 21; each with a table of 8 CDs */

static uint64_t cd_at(uint32_t sid, uint32_t ssid)
{
	return CDS + 0x4000 + (sid - SID) * 0x200 + ssid * WEIR_SMMU_CD_SIZE;
}

static uint64_t table_ste(uint32_t sid)
{
	return WEIR_SMMU_STE_0_V |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_S1CDMAX, 3) | cd_at(sid, 0);
}

static void add_substreams(struct fixture *f)
{
	uint64_t table = new_table(f);

	map(f, table, 0x1000, PAGE | PAGES);
	for (uint32_t sid = SID; sid < SID + 2; sid++) {
		put(f, ste_of(sid), table_ste(sid));
		put(f, ste_of(sid) + 8,
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, WEIR_SMMU_STE_S1DSS_SSID0));
		for (uint32_t ssid = 0; ssid < 8; ssid++) {
			put(f, cd_at(sid, ssid), cd_word0(sid));
			put(f, cd_at(sid, ssid) + 8, table);
			put(f, cd_at(sid, ssid) + 16, table);
		}
	}
}

/* S1DSS has it that substream 0 is that of transactions without one. */
static enum weir_model_result access_as(struct fixture *f, uint32_t sid, uint32_t ssid)
{
	struct weir_model_txn txn = {
		.stream = sid,
		.substream = ssid,
		.addr = 0x1000,
		.flags = ssid ? WEIR_MODEL_TXN_SUBSTREAM : 0,
	};
	struct weir_model_translation out;

	return dma_as(f, txn, &out);
}

/* A structure of each kind that is read through STE 20: it, its CDs 0 and 3; STE 21, its CD 0. */
static const struct {
	uint32_t sid, ssid;
	bool cd;
} structures[] = { { SID, 3, false },
		   { SID, 0, true },
		   { SID, 3, true },
		   { SID + 1, 0, false },
		   { SID + 1, 0, true } };

static uint64_t for_ssid(uint64_t word0, uint32_t ssid)
{
	return word0 | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, ssid);
}

static const struct {
	uint32_t opcode, sid, ssid, word1;
	const char *gone;
} cfgis[] = {
	{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, 0, 0, "....." },
	{ WEIR_SMMU_CMD_CFGI_STE, SID, 0, 0, "xxx.." },
	{ WEIR_SMMU_CMD_CFGI_STE, SID, 0, 1, "xxx.." },
	{ WEIR_SMMU_CMD_CFGI_STE, SID + 1, 0, 1, "...xx" },
	{ WEIR_SMMU_CMD_CFGI_STE, SID + 2, 0, 0, "....." },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, SID + 1, 0, 0, "xxxxx" },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, SID + 2, 0, 0, "....." },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, SID + 3, 0, 1, "xxxxx" },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, SID + 4, 0, 1, "....." },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, 0x80000000, 0, 30, "....." },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, 0x80000000, 0, 31, "xxxxx" },
	{ WEIR_SMMU_CMD_CFGI_CD, SID, 0, 0, ".x..." },
	{ WEIR_SMMU_CMD_CFGI_CD, SID, 0, 1, ".x..." },
	{ WEIR_SMMU_CMD_CFGI_CD, SID, 3, 0, "..x.." },
	{ WEIR_SMMU_CMD_CFGI_CD, SID, 4, 1, "....." },
	{ WEIR_SMMU_CMD_CFGI_CD, SID + 1, 0, 1, "....x" },
	{ WEIR_SMMU_CMD_CFGI_CD, SID, 0x80003, 1, "....." },
	{ WEIR_SMMU_CMD_CFGI_CD_ALL, SID, 0, 0, ".xx.." },
	{ WEIR_SMMU_CMD_CFGI_CD_ALL, SID + 1, 0, 0, "....x" },
};

static void check_cfgi(struct fixture *f, size_t i, size_t n)
{
	uint32_t sid = structures[n].sid, ssid = structures[n].ssid;
	uint64_t where = structures[n].cd ? cd_at(sid, ssid) : ste_of(sid), saved = *at(f, where);
	uint64_t record[4], word0 = cfgis[i].opcode;
	bool gone = cfgis[i].gone[n] == 'x';

	if (word0 != WEIR_SMMU_CMD_TLBI_NSNH_ALL)
		word0 = for_ssid(for_stream(word0, cfgis[i].sid), cfgis[i].ssid);
	forget_all(f);
	assert_int_equal(access_as(f, sid, ssid), WEIR_MODEL_OK);
	put(f, where, 0);
	assert_int_equal(access_as(f, sid, ssid), WEIR_MODEL_OK);
	command_sync(f, word0, cfgis[i].word1);
	assert_int_equal(access_as(f, sid, ssid), gone ? WEIR_MODEL_BLOCKED : WEIR_MODEL_OK);
	if (gone) {
		assert_true(pop_event(f, record));
		assert_int_equal(record[0] & WEIR_SMMU_EVT_0_TYPE, structures[n].cd ?
									   WEIR_SMMU_EVT_C_BAD_CD :
									   WEIR_SMMU_EVT_C_BAD_STE);
	}
	expect_no_event(f);
	put(f, where, saved);
}

static void configuration(void **state)
{
	struct fixture *f = *state;
	static const enum weir_model_smmuv3_caches cachings[] = {
		WEIR_MODEL_SMMUV3_CACHES_NORMAL,
		WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL,
	};

	for (size_t caching = 0; caching < WEIR_ARRAY_SIZE(cachings); caching++) {
		have_worlds(f, cachings[caching]);
		add_substreams(f);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(cfgis); i++)
			for (size_t n = 0; n < WEIR_ARRAY_SIZE(structures); n++)
				check_cfgi(f, i, n);
	}
}

/*
 * ---- Prefetches (4.2) -------------------------------------------------------------------------
 */

static uint64_t prefetch_span(uint64_t va, uint64_t size, uint64_t stride)
{
	return va | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_PREFETCH_1_SIZE, size) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_CMD_PREFETCH_1_STRIDE, stride);
}

static void prefetches_configuration(void **state)
{
	struct fixture *f = *state;

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_NORMAL);
	add_substreams(f);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, SID), 0);
	command(f,
		for_ssid(for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, SID), 3) | WEIR_SMMU_CMD_0_SSV,
		0);
	assert_int_equal(stats_of(f).ste_fetches, 1);
	assert_int_equal(stats_of(f).cd_fetches, 2);
	assert_int_equal(stats_of(f).walks, 0);
	put(f, ste_of(SID), 0);
	put(f, cd_at(SID, 0), 0);
	put(f, cd_at(SID, 3), 0);
	assert_int_equal(access_as(f, SID, 0), WEIR_MODEL_OK);
	assert_int_equal(access_as(f, SID, 3), WEIR_MODEL_OK);
	assert_int_equal(access_as(f, SID, 2), WEIR_MODEL_OK);
	/* Without substreams SSV does not count. */
	f->config.idr[1] &= (uint32_t)~WEIR_SMMU_IDR1_SSIDSIZE;
	recreate(f);
	map(f, add_stream(f, STREAM), 0x1000, PAGE | PAGES);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM) | WEIR_SMMU_CMD_0_SSV, 0);
	put(f, cd_of(STREAM), 0);
	expect_read(f, 0x1000, PAGES);
}

static void prefetches_addresses(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM), leaf[4], walks;
	const uint64_t prefetch = for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM);

	for (uint64_t i = 0; i < 4; i++)
		leaf[i] = map(f, table, i << 13, PAGE | (PAGES + (i << 12)));
	/* 0, 0x2000; not 0x4000. */
	command(f, prefetch, prefetch_span(0, 1, 1));
	walks = stats_of(f).walks;
	assert_int_equal(walks, 2);
	for (uint64_t i = 0; i < 4; i++)
		put(f, leaf[i], 0);
	expect_read(f, 0, PAGES);
	expect_read(f, 0x2000, PAGES + 0x1000);
	expect_fault(f, 0x4000, WEIR_SMMU_EVT_F_TRANSLATION);
	/* All of 2^31 pages, of 2^43 bytes each: bounded, and of no consequence. */
	command(f, prefetch, prefetch_span(0, 31, 0));
	command(f, prefetch, prefetch_span(~0xfffull, 31, 31));
	assert_true(stats_of(f).walks - walks < 1000);
	expect_no_event(f);
}

static void prefetches_never_fail(void **state)
{
	struct fixture *f = *state;
	uint64_t table = add_stream(f, STREAM), leaf;
	const uint64_t prefetch = for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM);

	/* No such stream, V == 0, tables where there is nothing, a VA that is none, a substream. */
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, 0xffffffff), 0);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, 77), 0);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, 77), 0x1000);
	command(f, prefetch, 0x123456789000);
	command(f, prefetch, 0x5555555555555000);
	command(f, for_ssid(prefetch, 5) | WEIR_SMMU_CMD_0_SSV, 0x1000);
	put(f, cd_of(STREAM) + 8, NOWHERE);
	invalidate_all(f);
	command(f, prefetch, 0x1000);
	put(f, cd_of(STREAM) + 8, table);
	put(f, cd_of(STREAM), 0);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM), 0);
	invalidate_all(f);
	put(f, cd_of(STREAM), cd_word0(STREAM));
	expect_no_event(f);
	assert_int_equal(rd(f, WEIR_SMMU_GERROR, 4), rd(f, WEIR_SMMU_GERRORN, 4));
	/* Disabled, it reads nothing, and keeps nothing (6.3.9.6). */
	leaf = map(f, table, 0x1000, PAGE | PAGES);
	wr(f, WEIR_SMMU_CR0, 4, WEIR_SMMU_CR0_CMDQEN | WEIR_SMMU_CR0_EVENTQEN);
	command(f, prefetch, 0x1000);
	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_CONFIG, STREAM), 0);
	put(f, leaf, PAGE | (PAGES + 0x1000));
	wr(f, WEIR_SMMU_CR0, 4,
	   WEIR_SMMU_CR0_CMDQEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_SMMUEN);
	expect_read(f, 0x1000, PAGES + 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opcodes_need_features),
		TEST(nothing_is_secure),
		TEST(reserved_bits),
		TEST(reserved_without_features),
		TEST(ranges),
		TEST(narrow_ids),
		TEST(configuration),
		TEST(prefetches_configuration),
		TEST(prefetches_addresses),
		TEST(prefetches_never_fail),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, commands", tests, NULL, NULL);
}
