/* SPDX-License-Identifier: MIT */

/*
 * The IOTLB of the SMMUv3 model: what tags a translation, and what takes it out. Proves, with
 * normal caches and adversarial ones:
 *  - what nobody invalidated stays, and what was invalidated is gone, for each command and kind of
 *    entry, and exactly that with adversarial caches;
 *  - ranges, granules and levels; the bits of an IPA; wildcards of VMIDs; global entries and their
 *    ASETs;
 *  - blocks go by any address in them, with all fragments that a stage 2 of pages made of them, and
 *    so do contiguous pages;
 *  - tables on the way down (adversarial) stay with Leaf, and go without it, by their level.
 */

#include "smmuworlds.h"

#include <string.h>

#define OLD PAGES
#define NEW (PAGES + (2u << 20)) /* as aligned as a block of 2 MiB wants it */

/* A translation that is cached, and changed in memory: to OLD, then to NEW. */
struct watched {
	uint32_t sid;
	uint64_t va;
	uint64_t where; /* its descriptor */
	uint64_t descriptor;
};

static void expect_at(struct fixture *f, const struct watched *w, uint64_t pa)
{
	uint64_t got = 0;

	assert_int_equal(dma(f, w->sid, w->va, false, &got), WEIR_MODEL_OK);
	assert_int_equal(got, pa);
}

static void cache_and_change(struct fixture *f, const struct watched *w)
{
	forget_all(f);
	put(f, w->where, w->descriptor | OLD);
	expect_at(f, w, OLD);
	put(f, w->where, w->descriptor | NEW);
	expect_at(f, w, OLD);
}

static void expect_gone(struct fixture *f, const struct watched *w, bool gone)
{
	expect_at(f, w, gone ? NEW : OLD);
}

/* ---- Kinds of entries, and commands ----------------------------------------------------- */

enum kind { EL1, EL1_GLOBAL, NESTED, STAGE2, EL2, EL2_GLOBAL, KINDS };

#define KIND_VA 0x12345678000ull

static struct watched watch(struct fixture *f, enum kind kind)
{
	struct watched w = { .sid = 10 + kind, .va = KIND_VA, .descriptor = PAGE };

	switch (kind) {
	case NESTED:
		w.where = map(f, add_el1(f, w.sid), w.va, PAGE | OLD);
		nest(f, w.sid, add_stage2(f, w.sid + 20, WORLDS_VMID), WORLDS_VMID);
		return w;
	case STAGE2:
		w.descriptor = PAGE2;
		w.where = map2(f, add_stage2(f, w.sid, WORLDS_VMID), w.va, OLD);
		return w;
	case EL2:
	case EL2_GLOBAL:
		w.where = map(f, add_el2(f, w.sid), w.va, PAGE | OLD);
		break;
	default:
		w.where = map(f, add_el1(f, w.sid), w.va, PAGE | OLD);
		/* 4.4: commands do not look at it. */
		if (kind == EL1_GLOBAL)
			put(f, cd_of(w.sid), cd_word0(w.sid) | WEIR_SMMU_CD_0_ASET);
	}
	if (kind == EL1_GLOBAL || kind == EL2_GLOBAL)
		w.descriptor &= ~WEIR_VMSA_NG;
	return w;
}

/* Parameters that do not match. */
#define OTHER_VMID 1u
#define OTHER_ASID 2u
#define OTHER_ADDR 4u

/*
 * A character for each kind: x gone, . kept, g gone with normal caches (4.4 permits to invalidate
 * more). `el2` is for E2H == 0, `e2h` for 1: then the two kinds differ.
 */
static const struct {
	uint32_t opcode;
	unsigned int other;
	const char *el1;
	const char *el2, *e2h;
} scopes[] = {
	{ WEIR_SMMU_CMD_SYNC, 0, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, "xxxx", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_ALL, 0, "xxx.", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_ALL, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, 0, "xgx.", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, OTHER_ASID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_ASID, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, 0, "xxx.", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, OTHER_ASID, ".x..", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VA, OTHER_ADDR, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, 0, "xxx.", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, OTHER_ASID, "xxx.", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_NH_VAA, OTHER_ADDR, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_S12_VMALL, 0, "xxxx", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_S12_VMALL, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_S2_IPA, 0, "...x", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_S2_IPA, OTHER_VMID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_S2_IPA, OTHER_ADDR, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_EL2_ALL, 0, "....", "xx", "xx" },
	{ WEIR_SMMU_CMD_TLBI_EL2_ASID, 0, "....", "..", "xg" },
	{ WEIR_SMMU_CMD_TLBI_EL2_ASID, OTHER_ASID, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_EL2_VA, 0, "....", "xx", "xx" },
	{ WEIR_SMMU_CMD_TLBI_EL2_VA, OTHER_ASID, "....", "xx", ".x" },
	{ WEIR_SMMU_CMD_TLBI_EL2_VA, OTHER_ADDR, "....", "..", ".." },
	{ WEIR_SMMU_CMD_TLBI_EL2_VAA, OTHER_ASID, "....", "xx", "xx" },
	{ WEIR_SMMU_CMD_TLBI_EL2_VAA, OTHER_ADDR, "....", "..", ".." },
	{ WEIR_SMMU_CMD_CFGI_STE_RANGE, 0, "....", "..", ".." },
};

static bool is_by_address(uint32_t opcode)
{
	return opcode == WEIR_SMMU_CMD_TLBI_NH_VA || opcode == WEIR_SMMU_CMD_TLBI_NH_VAA ||
	       opcode == WEIR_SMMU_CMD_TLBI_EL2_VA || opcode == WEIR_SMMU_CMD_TLBI_EL2_VAA ||
	       opcode == WEIR_SMMU_CMD_TLBI_S2_IPA;
}

static void check_scope(struct fixture *f, size_t i, const struct watched *w, char expected)
{
	uint64_t word0 = scopes[i].opcode, word1 = 0;

	if (word0 == WEIR_SMMU_CMD_CFGI_STE_RANGE)
		word1 = WEIR_SMMU_CMD_CFGI_RANGE_ALL;
	else if (word0 != WEIR_SMMU_CMD_SYNC)
		word0 = for_vmid(word0, scopes[i].other == OTHER_VMID ? WORLDS_VMID ^ 0x100 :
									WORLDS_VMID) |
			for_asid(0, (uint16_t)(w->sid + 1 + (scopes[i].other == OTHER_ASID)));
	if (is_by_address((uint32_t)word0 & 0xff))
		word1 = w->va + (scopes[i].other == OTHER_ADDR ? 0x1000 : 0);
	cache_and_change(f, w);
	command_sync(f, word0, word1);
	expect_gone(f, w, expected == 'x' || (expected == 'g' && f->config.caches == 0));
}

static void check_scopes(struct fixture *f, bool e2h)
{
	set_e2h(f, e2h);
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct watched w = watch(f, kind);

		for (size_t i = 0; i < WEIR_ARRAY_SIZE(scopes); i++) {
			const char *el2 = e2h ? scopes[i].e2h : scopes[i].el2;

			check_scope(f, i, &w, kind < EL2 ? scopes[i].el1[kind] : el2[kind - EL2]);
		}
	}
}

static void every_scope(void **state)
{
	struct fixture *f = *state;

	EACH_CACHING(caches)
	{
		have_worlds(f, caches);
		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		check_scopes(f, false);
		check_scopes(f, true);
	}
}

/* 4.4.2: no VMIDs without stage 2; what is named is not looked at. */
static void vmids_need_stage_2(void **state)
{
	struct fixture *f = *state;
	struct watched w = { .sid = STREAM, .va = KIND_VA, .descriptor = PAGE };

	w.where = map(f, add_stream(f, STREAM), w.va, PAGE | OLD);
	put(f, ste_of(STREAM) + 16, 7);
	put(f, w.where, PAGE | OLD);
	expect_at(f, &w, OLD);
	put(f, w.where, PAGE | NEW);
	expect_at(f, &w, OLD);
	command(f, for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, STREAM + 1), 99), w.va);
	expect_at(f, &w, NEW);
}

/* 3.17.6: each value of CR0.VMW, and those that are reserved. */
static void wildcards(void **state)
{
	struct fixture *f = *state;
	static const uint32_t opcodes[] = { WEIR_SMMU_CMD_TLBI_NH_ALL, WEIR_SMMU_CMD_TLBI_NH_VA,
					    WEIR_SMMU_CMD_TLBI_S12_VMALL };

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	struct watched w = watch(f, EL1);

	for (unsigned int vmw = 0; vmw < 8; vmw++) {
		unsigned int ignored = vmw <= 4 ? vmw : 0;

		wr(f, WEIR_SMMU_CR0, 4,
		   (rd(f, WEIR_SMMU_CR0, 4) & ~WEIR_SMMU_CR0_VMW) |
			   WEIR_SMMU_FIELD(WEIR_SMMU_CR0_VMW, vmw));
		step(f, 1);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(opcodes); i++)
			for (unsigned int bit = 0; bit < 6; bit++) {
				uint64_t word0 = for_asid(opcodes[i], (uint16_t)(w.sid + 1));

				cache_and_change(f, &w);
				command_sync(f,
					     for_vmid(word0, (uint16_t)(WORLDS_VMID ^ 1u << bit)),
					     opcodes[i] == WEIR_SMMU_CMD_TLBI_NH_VA ? w.va : 0);
				expect_gone(f, &w, bit < ignored);
			}
	}
}

/* ---- Addresses --------------------------------------------------------------------------- */

/* 4.1.6, 4.1.5: in v3.0 the IPA of a command has 48 bits, and those above are ignored. */
static void short_addresses(void **state)
{
	struct fixture *f = *state;

	for (unsigned int minor = 0; minor < 2; minor++) {
		f->config.aidr = minor;
		have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
		f->next_table = TABLES;
		memset(at(f, TABLES), 0, PAGES - TABLES);
		struct watched w = watch(f, STAGE2);

		cache_and_change(f, &w);
		command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_S2_IPA, WORLDS_VMID),
			     w.va | WEIR_BIT(48));
		expect_gone(f, &w, !minor);
	}
}

#define TG_4K WEIR_SMMU_CMD_TLBI_TG_4K
#define TG_16K WEIR_SMMU_CMD_TLBI_TG_16K
#define TG_64K WEIR_SMMU_CMD_TLBI_TG_64K
#define PAGE_VA 0x123456789000ull

/* Ranges of (NUM + 1) << SCALE granules, around a page of 4 KiB. */
static void ranges(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int64_t from; /* of the page */
		uint64_t num, scale, tg, ttl;
		bool gone;
	} cases[] = {
		{ 0, 0, 0, 0, 0, true },
		{ 0xfff, 0, 0, 0, 0, true },
		{ 0x1000, 0, 0, 0, 0, false },
		{ -0x1000, 1, 0, TG_4K, 0, true },
		{ -0x2000, 1, 0, TG_4K, 0, false },
		{ 0x1000, 1, 0, TG_4K, 0, false },
		{ -0x3000, 0, 2, TG_4K, 0, true },
		{ -0x4000, 0, 2, TG_4K, 0, false },
		{ -(int64_t)PAGE_VA, 31, 39, TG_4K, 0, true },
		{ 0, 31, 63, TG_4K, 0, true },
		{ 0x1000, 31, 63, TG_4K, 0, false },
		{ -(int64_t)PAGE_VA, 0, 63, TG_4K, 0, true },
		{ -0x1000, 1, 0, TG_4K, 3, true },
		{ 0, 0, 0, TG_4K, 3, true },
		{ -0x189000, 1, 9, TG_4K, 2, false },
		{ -0x189000, 1, 9, TG_4K, 0, true },
		{ -0x1000, 0, 1, TG_16K, 0, false },
		{ -0x1000, 0, 1, TG_16K, 3, false },
		{ -0x9000, 1, 0, TG_64K, 3, false },
	};

	EACH_CACHING(caches)
	{
		struct watched w = { .sid = 10, .va = PAGE_VA, .descriptor = PAGE };

		have_worlds(f, caches);
		w.where = map(f, add_el1(f, w.sid), w.va, PAGE | OLD);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
			uint64_t word0 =
				for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 11), WORLDS_VMID);

			cache_and_change(f, &w);
			command_sync(f, ranged(word0, cases[i].num, cases[i].scale),
				     hinted((w.va + (uint64_t)cases[i].from) & ~0xfffull,
					    cases[i].tg, cases[i].ttl));
			expect_gone(f, &w, cases[i].gone);
		}
	}
}

/*
 * A leaf of each size there is, invalidated by its last page; with hints that fit and that do not.
 */
static void leaves(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned int granule, level, tg0;
	} sizes[] = {
		{ 12, 3, WEIR_SMMU_CD_TG0_4K },	 { 12, 2, WEIR_SMMU_CD_TG0_4K },
		{ 12, 1, WEIR_SMMU_CD_TG0_4K },	 { 14, 3, WEIR_SMMU_CD_TG0_16K },
		{ 14, 2, WEIR_SMMU_CD_TG0_16K }, { 16, 3, WEIR_SMMU_CD_TG0_64K },
		{ 16, 2, WEIR_SMMU_CD_TG0_64K },
	};

	EACH_CACHING(caches)
	{
		have_worlds(f, caches);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
			unsigned int granule = sizes[i].granule;
			unsigned int shift = granule + (3 - sizes[i].level) * (granule - 3);
			uint64_t table = add_el1(f, 10), size = 1ull << shift, va = 3 * size;
			uint64_t leaf = sizes[i].level == 3 ? PAGE : BLOCK, pa;
			uint64_t where = map_at(f, table, granule == 16, granule, va,
						sizes[i].level, leaf | size);
			uint64_t tlbi = for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID);

			put_cd(f, 10,
			       cd_word0(10) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, sizes[i].tg0),
			       table, 0);
			for (unsigned int hint = 0; hint < 16; hint++) {
				unsigned int tg = hint / 4, ttl = hint % 4;
				bool fits = (granule - 10) / 2 == tg &&
					    (!ttl || ttl == sizes[i].level ||
					     (granule == 14 && ttl == 1));

				if (!tg && ttl)
					continue;
				forget_all(f);
				put(f, where, leaf | size);
				assert_int_equal(dma(f, 10, va, false, &pa), WEIR_MODEL_OK);
				assert_int_equal(pa, size);
				put(f, where, leaf | 2 * size);
				/* Hinted: the whole of it; else any page in it will do. */
				if (tg)
					command_sync(f, ranged(tlbi, 31, 28), hinted(0, tg, ttl));
				else
					command_sync(f, tlbi, va + size - 0x1000);
				assert_int_equal(dma(f, 10, va, false, &pa), WEIR_MODEL_OK);
				assert_int_equal(pa, !tg || fits ? 2 * size : size);
			}
		}
	}
}

/* What TG and TTL say, the address has to keep; else nothing need happen (4.4.1.1). */
static void misaligned(void **state)
{
	struct fixture *f = *state;
	uint64_t tlbi = for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID);

	EACH_CACHING(caches)
	{
		struct watched w = { .sid = 10, .va = 1u << 30, .descriptor = BLOCK };

		have_worlds(f, caches);
		w.where = map_at(f, add_el1(f, 10), 0, 12, w.va, 2, 0);
		cache_and_change(f, &w);
		command_sync(f, ranged(tlbi, 0, 9), hinted(w.va + 0x1000, TG_4K, 2));
		expect_gone(f, &w, !caches);
		cache_and_change(f, &w);
		command_sync(f, ranged(tlbi, 0, 9), hinted(w.va, TG_4K, 2));
		expect_gone(f, &w, true);
	}
}

/* The upper half, the sign of an address, and a top byte that does not count. */
static void halves(void **state)
{
	struct fixture *f = *state;
	const uint64_t high = 0xffffabcdef012000ull;
	struct watched w = { .sid = 10, .va = high, .descriptor = PAGE };

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	add_el1(f, 10);
	w.where = map(f, *at(f, cd_of(10) + 16), high, PAGE | OLD);
	put(f, cd_of(10), cd_word0(10) | WEIR_SMMU_CD_0_TBI0 | WEIR_SMMU_CD_0_TBI1);
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t named = i & 1 ? high & ~(0xffull << 56) : high;

		w.va = i & 2 ? (high & ~(0xffull << 56)) | 0x5aull << 56 : high;
		cache_and_change(f, &w);
		command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID),
			     named & WEIR_GENMASK(47, 0));
		expect_gone(f, &w, false);
		command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID), named);
		expect_gone(f, &w, true);
		/* Beyond the top there is nothing: a range does not wrap. */
		cache_and_change(f, &w);
		command_sync(f, ranged(for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID), 31, 39),
			     hinted(named - 0x1000, TG_4K, 0));
		expect_gone(f, &w, true);
	}
}

/* A block of stage 1 over pages of stage 2: every page of it is an entry, and all are the block. */
static void fragments(void **state)
{
	struct fixture *f = *state;
	const uint64_t block = 0x80000000, va = 7ull << 21;
	uint64_t table, stage2, where, pa;

	have_worlds(f, WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL);
	table = add_el1(f, 10);
	stage2 = add_stage2(f, 10, WORLDS_VMID);
	nest(f, 10, stage2, WORLDS_VMID);
	where = map_at(f, table, 0, 12, va, 2, BLOCK | block);
	for (uint64_t i = 0; i < 8; i++) {
		map2(f, stage2, block + (i << 12), OLD + (i << 12));
		map2(f, stage2, block + (2u << 20) + (i << 12), NEW + (i << 12));
	}
	for (unsigned int hint = 0; hint < 4; hint++) {
		forget_all(f);
		put(f, where, BLOCK | block);
		for (uint64_t i = 0; i < 8; i++)
			assert_int_equal(dma(f, 10, va + (i << 12), false, &pa), WEIR_MODEL_OK);
		put(f, where, BLOCK | (block + (2u << 20)));
		if (hint)
			command_sync(f,
				     ranged(for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID), 1, 8),
				     hinted(va, TG_4K, hint));
		else
			command_sync(f,
				     for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 11), WORLDS_VMID),
				     va + 0x123000);
		for (uint64_t i = 0; i < 8; i++) {
			assert_int_equal(dma(f, 10, va + (i << 12), false, &pa), WEIR_MODEL_OK);
			assert_int_equal(pa, (hint == 0 || hint == 2 ? NEW : OLD) + (i << 12));
		}
	}
	/* A change of stage 2: by IPA for stage 2, and not for both (4.4.3.1). */
	forget_all(f);
	assert_int_equal(dma(f, 10, va, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, NEW);
	map2(f, stage2, block + (2u << 20), OLD);
	command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_S2_IPA, WORLDS_VMID), block + (2u << 20));
	assert_int_equal(dma(f, 10, va, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, NEW);
	command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_ALL, WORLDS_VMID), 0);
	assert_int_equal(dma(f, 10, va, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, OLD);
}

/* Pages of 64 KiB over pages of 4: entries are smaller than any granule of stage 1. */
static void unlike_granules(void **state)
{
	struct fixture *f = *state;
	const uint64_t va = 7u << 16;

	EACH_CACHING(caches)
	{
		struct watched w = { .sid = 10, .va = va + 0x3000, .descriptor = PAGE2 };
		uint64_t table, stage2, walks;

		have_worlds(f, caches);
		table = add_el1(f, 10);
		stage2 = add_stage2(f, 10, WORLDS_VMID);
		nest(f, 10, stage2, WORLDS_VMID);
		put(f, cd_of(10),
		    cd_word0(10) | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_TG0, WEIR_SMMU_CD_TG0_64K));
		map_at(f, table, 1, 16, va, 3, PAGE | 0x80000000);
		w.where = map2(f, stage2, 0x80003000, OLD);
		cache_and_change(f, &w);
		/* Nothing of it; and what a thread keeps beside the IOTLB goes. */
		command_sync(f, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0);
		walks = stats_of(f).walks;
		expect_gone(f, &w, false);
		assert_true(caches || stats_of(f).walks == walks);
		command(f, for_vmid(WEIR_SMMU_CMD_TLBI_S2_IPA, WORLDS_VMID), 0x80003000);
		command_sync(f, for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 11), WORLDS_VMID),
			     va + 0xf000);
		expect_gone(f, &w, true);
	}
}

/* DDI 0487 D8.7: sixteen pages may be one entry; with adversarial caches they are. */
static void contiguous_pages(void **state)
{
	struct fixture *f = *state;
	const uint64_t page = PAGE | WEIR_VMSA_CONT, va = KIND_VA & ~0xffffull;

	EACH_CACHING(caches)
	{
		bool one = caches == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
		uint64_t table, pa;

		have_worlds(f, caches);
		table = add_el1(f, 10);
		for (uint64_t offset = 0; offset < 0x10000; offset += 0x1000)
			map(f, table, va + offset, page | (OLD + offset));
		assert_int_equal(dma(f, 10, va + 0x1000, false, &pa), WEIR_MODEL_OK);
		for (uint64_t offset = 0; offset < 0x10000; offset += 0x1000)
			map(f, table, va + offset, page | (NEW + offset));
		assert_int_equal(dma(f, 10, va + 0xf000, false, &pa), WEIR_MODEL_OK);
		assert_int_equal(pa, (one ? OLD : NEW) + 0xf000);
		command_sync(f, for_vmid(for_asid(WEIR_SMMU_CMD_TLBI_NH_VA, 11), WORLDS_VMID),
			     va + 0x7000);
		assert_int_equal(dma(f, 10, va + 0x1000, false, &pa), WEIR_MODEL_OK);
		assert_int_equal(pa, (one ? NEW : OLD) + 0x1000);
	}
}

/* ---- Global entries ----------------------------------------------------------------------- */

/* Normal caches keep them apart for each ASID; adversarial ones share them in an ASET (3.17.1). */
static void globals(void **state)
{
	struct fixture *f = *state;

	EACH_CACHING(caches)
	{
		struct watched first = { 10, PAGE_VA, 0, PAGE & ~WEIR_VMSA_NG };
		struct watched second = { 11, PAGE_VA, 0, PAGE & ~WEIR_VMSA_NG };
		uint64_t table;
		bool shared = caches == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;

		have_worlds(f, caches);
		first.where = map(f, add_el1(f, 10), PAGE_VA, first.descriptor | OLD);
		table = add_el1(f, 11);
		second.where = map(f, table, PAGE_VA, second.descriptor | NEW);
		expect_at(f, &first, OLD);
		expect_at(f, &second, shared ? OLD : NEW);
		/* Of another ASET, nor of another VMID. */
		put_cd(f, 11, cd_word0(11) | WEIR_SMMU_CD_0_ASET, table, 0);
		command_sync(f, for_stream(WEIR_SMMU_CMD_CFGI_CD_ALL, 11), 0);
		expect_at(f, &second, NEW);
		expect_at(f, &first, OLD);
		put(f, ste_of(11) + 16, WORLDS_VMID + 1);
		command_sync(f, for_stream(WEIR_SMMU_CMD_CFGI_STE, 11), 0);
		expect_at(f, &second, NEW);
	}
}

/* ---- Tables on the way down ---------------------------------------------------------------- */

#define LEAF_ONLY WEIR_SMMU_CMD_1_LEAF
/*
 * Share the tables of levels 1 to 3, 1 and 2, 1 alone with PAGE_VA; out of the prefetches' reach.
 */
#define SHARES_3 PAGE_VA
#define SHARES_2 (PAGE_VA ^ 1ull << 22)
#define SHARES_1 (PAGE_VA ^ 1ull << 31)

static uint64_t entry_of(struct fixture *f, uint64_t table, uint64_t va, unsigned int level)
{
	for (unsigned int l = 0;; l++) {
		uint64_t entry = table + (va >> (39 - 9 * l) & 511) * 8;

		if (l == level)
			return entry;
		table = *at(f, entry) & WEIR_VMSA_ADDR;
	}
}

/* What invalidates tables of a level, as seen from an address that shares no deeper one. */
static const struct {
	unsigned int level;
	uint64_t probe, word0, word1;
	bool kept;
} table_cases[] = {
	{ 3, SHARES_3, WEIR_SMMU_CMD_SYNC, 0, true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA | LEAF_ONLY, true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VAA, PAGE_VA | LEAF_ONLY, true },
	{ 1, SHARES_1, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA | LEAF_ONLY, true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA, false },
	{ 2, SHARES_2, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA, false },
	{ 1, SHARES_1, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA, false },
	/* Another page of the same table; of another table. */
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA ^ 0x3000, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA ^ 1ull << 21, true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VAA, PAGE_VA, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_ASID, 0, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_ALL, 0, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_S12_VMALL, 0, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_S2_IPA, PAGE_VA &WEIR_GENMASK(43, 0), true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_EL2_ALL, 0, true },
	/* With a level: the tables that a walk passes down to it. */
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA | TG_4K << 10 | 3 << 8, false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, PAGE_VA | TG_4K << 10 | 3 << 8 | LEAF_ONLY, true },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, (PAGE_VA & ~0x1fffffull) | TG_4K << 10 | 2 << 8,
	  true },
	{ 2, SHARES_2, WEIR_SMMU_CMD_TLBI_NH_VA, (PAGE_VA & ~0x1fffffull) | TG_4K << 10 | 2 << 8,
	  false },
	{ 2, SHARES_2, WEIR_SMMU_CMD_TLBI_NH_VA, (PAGE_VA & ~0x3fffffffull) | TG_4K << 10 | 1 << 8,
	  true },
	{ 1, SHARES_1, WEIR_SMMU_CMD_TLBI_NH_VA, (PAGE_VA & ~0x3fffffffull) | TG_4K << 10 | 1 << 8,
	  false },
	{ 3, SHARES_3, WEIR_SMMU_CMD_TLBI_NH_VA, (PAGE_VA & ~0xffffull) | TG_64K << 10 | 3 << 8,
	  true },
};

/* Of two trees, the second one's table is put into the first. */
static void check_table(struct fixture *f, size_t i, const uint64_t *roots)
{
	uint64_t entry = entry_of(f, roots[0], table_cases[i].probe, table_cases[i].level - 1);
	uint64_t old = *at(f, entry), word0 = table_cases[i].word0, pa;
	bool kept = table_cases[i].kept && f->config.caches;

	forget_all(f);
	assert_int_equal(dma(f, 10, PAGE_VA, false, &pa), WEIR_MODEL_OK);
	put(f, entry,
	    *at(f, entry_of(f, roots[1], table_cases[i].probe, table_cases[i].level - 1)));
	if (word0 != WEIR_SMMU_CMD_SYNC)
		word0 = for_vmid(for_asid(word0, 11), WORLDS_VMID);
	command_sync(f, word0, table_cases[i].word1);
	command_sync(f, for_vmid(WEIR_SMMU_CMD_TLBI_NH_VAA, WORLDS_VMID), PAGE_VA | LEAF_ONLY);
	assert_int_equal(dma(f, 10, table_cases[i].probe, false, &pa), WEIR_MODEL_OK);
	assert_int_equal(pa, kept ? OLD : NEW);
	put(f, entry, old);
}

static void tables_on_the_way(void **state)
{
	struct fixture *f = *state;
	static const uint64_t probes[] = { SHARES_3, SHARES_2, SHARES_1 };

	EACH_CACHING(caches)
	{
		uint64_t roots[2];

		have_worlds(f, caches);
		roots[0] = add_el1(f, 10);
		roots[1] = new_table(f);
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(probes); i++) {
			map(f, roots[0], probes[i], PAGE | OLD);
			map(f, roots[1], probes[i], PAGE | NEW);
		}
		for (size_t i = 0; i < WEIR_ARRAY_SIZE(table_cases); i++)
			check_table(f, i, roots);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_scope),
		TEST(vmids_need_stage_2),
		TEST(wildcards),
		TEST(short_addresses),
		TEST(ranges),
		TEST(leaves),
		TEST(misaligned),
		TEST(halves),
		TEST(fragments),
		TEST(unlike_granules),
		TEST(contiguous_pages),
		TEST(globals),
		TEST(tables_on_the_way),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, IOTLB", tests, NULL, NULL);
}
