/* SPDX-License-Identifier: MIT */

/*
 * Attributes that go out of the SMMUv3 model (chapter 13), against a second, naive calculation.
 * Proves:
 *  - stage 1: what each byte of MAIR means, Reserved ones too, with each Shareability; hints that
 *    come in take away from it; the same by walks, from the IOTLB, and with both;
 *  - stage 2: each type combined with those of stage 1 or of what came in; S2FWB;
 *  - the overrides of a stream and of GBPA, each for itself, where the implementation has them and
 *    where it has not; what cannot be said is made consistent;
 *  - privilege and instruction.
 */

#include "smmutables.h"

#include <string.h>

/* ---- The naive calculation ------------------------------------------------------------ */

/* Of one level: cached how (0 not, 1 write-through, 2 write-back), allocation, transience. */
struct level {
	int cached;
	bool read, write, transient;
};

struct type {
	int device; /* 0: Normal; else 1 GRE, 2 nGRE, 3 nGnRE, 4 nGnRnE: the larger the stronger */
	struct level outer, inner;
	unsigned int sh;
};

static struct level level_of(unsigned int nibble)
{
	struct level level = { 0 };

	if (nibble == 4)
		return level;
	level.cached = nibble & 4 ? 2 : 1;
	level.transient = nibble < 8;
	level.read = nibble & 2;
	level.write = nibble & 1;
	return level;
}

static bool is_uncached(struct type type)
{
	return type.device || (!type.outer.cached && !type.inner.cached);
}

static struct type type_of(unsigned int mair, unsigned int sh)
{
	struct type type = { .sh = sh };

	if (mair < 16) {
		type.device = 4 - (int)(mair / 4);
		type.sh = WEIR_VMSA_SH_OSH;
		return type;
	}
	/* 5.4: "Normal-iWT transient, RW = 11". */
	if (mair % 16 == 0)
		mair += 3;
	type.outer = level_of(mair / 16);
	type.inner = level_of(mair % 16);
	/* 13.1.1: it stays so where it becomes cached. */
	if (is_uncached(type))
		type.sh = WEIR_VMSA_SH_OSH;
	return type;
}

static unsigned int nibble_of(struct level level)
{
	unsigned int hints = (level.read ? 2 : 0) + (level.write ? 1 : 0);

	if (level.cached == 0)
		return 4;
	if (hints == 0 || !level.transient)
		hints += 8;
	return hints + (level.cached == 2 ? 4 : 0);
}

static uint32_t out_of(struct type type)
{
	unsigned int memory, sh = type.sh;

	if (type.device)
		memory = 4 * (4 - (unsigned int)type.device);
	else
		memory = nibble_of(type.outer) * 16 + nibble_of(type.inner);
	if (sh == 1)
		sh = 0;
	if (is_uncached(type))
		sh = WEIR_VMSA_SH_OSH;
	return WEIR_MODEL_ATTR_NS | sh << 8 | memory;
}

/* 13.4.2: hints alone survive of what came in, and only where it has them. */
static struct level with_hints(struct level level, struct level in, bool in_device)
{
	if (!in_device && in.cached) {
		level.read = level.read && in.read;
		level.write = level.write && in.write;
		level.transient = level.transient || in.transient;
	}
	return level;
}

static struct type through_stage1(struct type in, struct type stage1)
{
	stage1.outer = with_hints(stage1.outer, in.outer, in.device);
	stage1.inner = with_hints(stage1.inner, in.inner, in.device);
	return stage1;
}

static unsigned int stronger_sh(unsigned int a, unsigned int b)
{
	static const unsigned int strength[] = { 0, 0, 2, 1 }, back[] = { 0, 3, 2 };

	return back[strength[a] > strength[b] ? strength[a] : strength[b]];
}

static struct level default_level(int cached, struct level from, bool device)
{
	struct level level = { cached, true, true, false };

	if (!device && from.cached) {
		level = from;
		level.cached = cached;
	}
	return level;
}

static struct type through_stage2(struct type type, unsigned int memattr, unsigned int sh, bool fwb)
{
	/* MemAttr's Device types count from the strongest. */
	int device = memattr < 4 ? 4 - (int)memattr : memattr % 4 == 0 ? 4 : 0;
	struct level none = { 0 };

	type.sh = stronger_sh(type.sh, sh);
	if (fwb && (memattr & 7) >= 5) {
		if ((memattr & 7) == 6) {
			type.outer = default_level(2, type.outer, type.device);
			type.inner = default_level(2, type.inner, type.device);
			type.device = 0;
		} else if ((memattr & 7) == 5 && !type.device) {
			type.outer = type.inner = none;
		}
		return type;
	}
	if (fwb)
		device = memattr & 4 ? 4 : 4 - (int)(memattr & 3);
	if (device > type.device)
		type.device = device;
	if (!device && type.outer.cached > (int)(memattr / 4) - 1)
		type.outer.cached = (int)(memattr / 4) - 1;
	if (!device && type.inner.cached > (int)(memattr % 4) - 1)
		type.inner.cached = (int)(memattr % 4) - 1;
	return type;
}

/* ---- Streams -------------------------------------------------------------------------- */

static uint32_t attributes_of(struct fixture *f, uint64_t va, uint32_t in, uint16_t flags)
{
	struct weir_model_txn txn = { .stream = STREAM, .addr = va, .len = 4, .flags = flags };
	struct weir_model_translation out;

	/* 0 would be the fixture's default. */
	txn.attributes = (uint16_t)(in | WEIR_MODEL_ATTR_NS);
	assert_int_equal(dma_as(f, txn, &out), WEIR_MODEL_OK);
	return out.attributes;
}

#define IN_PCIE (WEIR_MODEL_ATTR_PCIE & (WEIR_MODEL_ATTR_MEMORY | WEIR_MODEL_ATTR_SH))

/* What may come in: write-back with all hints; with few; write-through and nothing; Device. */
static const unsigned int incoming[] = { IN_PCIE, 0x0d5, 0x284, 0x344, 0x004, 0x0ff };

static void over_modes(void **state, void (*test)(struct fixture *f))
{
	struct weir_model_smmuv3_config config = { 0 };

	full_config(&config);
	in_all_modes(*state, &config, test);
}

#define MODES(name)                                                                                \
	static void name##_in_all_modes(void **state)                                              \
	{                                                                                          \
		over_modes(state, name);                                                           \
	}
#define CASE(name) TEST_DISABLED(name##_in_all_modes)

/* Eight bytes of MAIR at a time, a page for each and for each Shareability. */
static void types_of_stage1(struct fixture *f)
{
	uint64_t ttb0 = add_stream1(f, STREAM);

	for (unsigned int page = 0; page < 32; page++)
		map(f, ttb0, page * 0x1000,
		    (PAGE | PAGES) + page * 0x1000 + WEIR_SMMU_FIELD(WEIR_VMSA_ATTRINDX, page % 8) +
			    WEIR_SMMU_FIELD(WEIR_VMSA_SH, page / 8));
	for (unsigned int first = 0; first < 256; first += 8) {
		put(f, cd_of(STREAM) + 24, 0x0706050403020100ull + first * 0x0101010101010101ull);
		forget(f);
		for (unsigned int n = 0; n < 32 * WEIR_ARRAY_SIZE(incoming); n++) {
			unsigned int page = n % 32, in = incoming[n / 32];
			struct type type = through_stage1(type_of(in & 0xff, in >> 8),
							  type_of(first + page % 8, page / 8));

			assert_int_equal(attributes_of(f, page * 0x1000, in, 0), out_of(type));
		}
	}
}
MODES(types_of_stage1)

static const unsigned int mairs[] = { 0x00, 0x04, 0x08, 0x0c, 0x44, 0xff, 0xbb,
				      0xf4, 0x4f, 0x17, 0xdb, 0xa0, 0xc8, 0x53 };

/* Of a stream that begins with stage 2 (no MAIR), or has both. */
static void types_of_stage2(struct fixture *f)
{
	uint64_t ttb, ttb2 = nest(f, &ttb);
	uint64_t leaf = entry_of(f, &usual2, ttb2, IPAS, 3);
	uint64_t entry = map(f, ttb, IPAS, IPAS | PAGE);

	for (unsigned int n = 0; n < 2 * 2 * 16 * WEIR_ARRAY_SIZE(mairs); n++) {
		bool fwb = n & 1, both = n & 2;
		unsigned int memattr = n / 4 % 16, mair = mairs[n / 64];
		/* All pairs, in turn. */
		unsigned int sh = (n / 4 + n / 64) % 4, sh2 = (n / 16 + n / 64) % 4;
		unsigned int in = both ? incoming[n % WEIR_ARRAY_SIZE(incoming)] : mair | sh << 8;
		struct type type = type_of(in & 0xff, in >> 8);

		put_ste2(f, STREAM, both ? WEIR_SMMU_STE_CONFIG_NESTED : WEIR_SMMU_STE_CONFIG_S2,
			 ttb2, 0);
		*at(f, ste_of(STREAM) + 8) |= fwb ? WEIR_SMMU_STE_1_S2FWB : 0;
		put(f, cd_of(STREAM) + 24, mair);
		put(f, entry, IPAS | PAGE | WEIR_SMMU_FIELD(WEIR_VMSA_SH, sh));
		put(f, leaf,
		    PAGES | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF | WEIR_VMSA_S2AP |
			    WEIR_SMMU_FIELD(WEIR_VMSA_S2_MEMATTR, memattr) |
			    WEIR_SMMU_FIELD(WEIR_VMSA_SH, sh2));
		forget(f);
		if (both)
			type = through_stage1(type, type_of(mair, sh));
		type = through_stage2(type, memattr, sh2, fwb);
		for (unsigned int again = 0; again < 2; again++)
			assert_int_equal(attributes_of(f, IPAS, in, 0), out_of(type));
	}
}
MODES(types_of_stage2)

/* ---- Overrides (13.1.4) --------------------------------------------------------------- */

struct overrides {
	bool mtcfg;
	unsigned int memattr, alloccfg, shcfg;
};

static struct type overridden(struct type type, const struct overrides *o)
{
	if (o->mtcfg && (o->memattr < 4 || o->memattr % 4 == 0)) {
		type.device = o->memattr < 4 ? 4 - (int)o->memattr : 4;
	} else if (o->mtcfg) {
		type.outer = default_level((int)(o->memattr / 4) - 1, type.outer, type.device);
		type.inner = default_level((int)(o->memattr % 4) - 1, type.inner, type.device);
		type.device = 0;
	}
	if (o->alloccfg & 8) {
		type.outer.read = type.inner.read = o->alloccfg & 4;
		type.outer.write = type.inner.write = o->alloccfg & 2;
		type.outer.transient = type.inner.transient = o->alloccfg & 1;
	}
	if (o->shcfg != 1)
		type.sh = o->shcfg;
	return type;
}

static struct overrides nth(unsigned int n)
{
	return (struct overrides){
		.mtcfg = n & 1, .memattr = n >> 1 & 15, .shcfg = n >> 5 & 3, .alloccfg = n >> 7 & 15
	};
}

static void put_overrides(struct fixture *f, unsigned int config, const struct overrides *o)
{
	*at(f, ste_of(STREAM)) = (*at(f, ste_of(STREAM)) & ~WEIR_SMMU_STE_0_CONFIG) |
				 WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, config);
	put(f, ste_of(STREAM) + 8,
	    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_MEMATTR, o->memattr) |
		    (o->mtcfg ? WEIR_SMMU_STE_1_MTCFG : 0) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_ALLOCCFG, o->alloccfg) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_SHCFG, o->shcfg));
	forget(f);
}

/* A stream that bypasses, and one with stage 1, of which nothing but hints is left. */
static void overrides_of_streams(struct fixture *f)
{
	uint64_t ttb0 = add_stream(f, STREAM);

	map(f, ttb0, 0x1000, PAGE | PAGES | WEIR_VMSA_SH);
	put(f, cd_of(STREAM) + 24, WEIR_VMSA_MAIR_NORMAL_WB);
	for (unsigned int n = 0; n < 2048; n += 3) {
		struct overrides o = nth(n);
		unsigned int in = incoming[n / 3 % WEIR_ARRAY_SIZE(incoming)];
		struct type type = overridden(type_of(in & 0xff, in >> 8), &o);

		put_overrides(f, WEIR_SMMU_STE_CONFIG_BYPASS, &o);
		assert_int_equal(attributes_of(f, PAGES, in, 0), out_of(type));
		put_overrides(f, WEIR_SMMU_STE_CONFIG_S1, &o);
		assert_int_equal(attributes_of(f, 0x1000, in, 0),
				 out_of(through_stage1(type, type_of(0xff, 3))));
	}
}
MODES(overrides_of_streams)

static void put_gbpa(struct fixture *f, const struct overrides *o, uint64_t more)
{
	wr(f, WEIR_SMMU_GBPA, 4,
	   WEIR_SMMU_GBPA_UPDATE | WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_MEMATTR, o->memattr) |
		   (o->mtcfg ? WEIR_SMMU_GBPA_MTCFG : 0) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_ALLOCCFG, o->alloccfg) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_SHCFG, o->shcfg) | more);
	step(f, 0);
	assert_false(rd(f, WEIR_SMMU_GBPA, 4) & WEIR_SMMU_GBPA_UPDATE);
}

static void overrides_of_gbpa(struct fixture *f)
{
	wr(f, WEIR_SMMU_CR0, 4, 0);
	step(f, 0);
	for (unsigned int n = 0; n < 2048; n += 3) {
		struct overrides o = nth(n);
		unsigned int in = incoming[n / 3 % WEIR_ARRAY_SIZE(incoming)];

		put_gbpa(f, &o, 0);
		assert_int_equal(attributes_of(f, PAGES, in, 0),
				 out_of(overridden(type_of(in & 0xff, in >> 8), &o)));
	}
}
MODES(overrides_of_gbpa)

/* IDR1.ATTR_TYPES_OVR == 0: the fields are RES0, and what comes in goes out. */
static void no_overrides(struct fixture *f)
{
	f->config.idr[1] &=
		~(uint32_t)(WEIR_SMMU_IDR1_ATTR_TYPES_OVR | WEIR_SMMU_IDR1_ATTR_PERMS_OVR);
	recreate(f);
	add_stream(f, STREAM);
	for (unsigned int n = 0; n < 2048; n += 97) {
		struct overrides o = nth(n);

		put_overrides(f, WEIR_SMMU_STE_CONFIG_BYPASS, &o);
		*at(f, ste_of(STREAM) + 8) |=
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_PRIV);
		forget(f);
		assert_int_equal(attributes_of(f, PAGES, 0x3db, 0), out_of(type_of(0xdb, 3)));
	}
	wr(f, WEIR_SMMU_CR0, 4, 0);
	step(f, 0);
	for (unsigned int n = 0; n < 2048; n += 97) {
		struct overrides o = nth(n);

		put_gbpa(f, &o,
			 WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_PRIVCFG, WEIR_SMMU_STE_PRIVCFG_PRIV));
		assert_int_equal(attributes_of(f, PAGES, 0x3db, 0), out_of(type_of(0xdb, 3)));
	}
}
MODES(no_overrides)

/* ---- Privilege, instructions (13.1.2) ------------------------------------------------- */

#define INST WEIR_MODEL_ATTR_INSTRUCTION
#define PRIV WEIR_MODEL_ATTR_PRIVILEGED

static uint32_t kind_of(struct fixture *f, uint64_t va, uint16_t flags)
{
	return attributes_of(f, va, IN_PCIE, flags) & (INST | PRIV);
}

/* By both fields' encodings: as it comes, as it comes, cleared, set. Writes are of data. */
static void check_kinds(struct fixture *f, uint64_t va, unsigned int privcfg, unsigned int instcfg)
{
	for (uint16_t n = 0; n < 8; n++) {
		const bool write = n & 1, inst = n & 2, priv = n & 4;
		uint64_t out = 0;

		if (privcfg < 2 ? priv : privcfg == 3)
			out |= PRIV;
		if (!write && (instcfg < 2 ? inst : instcfg == 3))
			out |= INST;
		assert_int_equal(kind_of(f, va,
					 (uint16_t)((write ? WEIR_MODEL_TXN_WRITE : 0) |
						    (inst ? WEIR_MODEL_TXN_INSTRUCTION : 0) |
						    (priv ? WEIR_MODEL_TXN_PRIVILEGED : 0))),
				 out);
	}
}

static void kinds(struct fixture *f)
{
	const struct overrides none = { .shcfg = 1 };
	uint64_t ttb0 = add_stream(f, STREAM);

	/* Of EL2, where privilege is not looked at: all that goes in goes out. */
	map(f, ttb0, 0x1000, PAGE | PAGES);
	for (unsigned int n = 0; n < 16; n++) {
		put_overrides(f, WEIR_SMMU_STE_CONFIG_S1, &none);
		*at(f, ste_of(STREAM) + 8) |=
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_STRW, WEIR_SMMU_STE_STRW_EL2) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_PRIVCFG, n % 4) |
			WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_INSTCFG, n / 4);
		forget(f);
		check_kinds(f, 0x1000, n % 4, n / 4);
	}
	wr(f, WEIR_SMMU_CR0, 4, 0);
	step(f, 0);
	for (unsigned int n = 0; n < 16; n++) {
		put_gbpa(f, &none,
			 WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_PRIVCFG, n % 4) |
				 WEIR_SMMU_FIELD(WEIR_SMMU_GBPA_INSTCFG, n / 4));
		check_kinds(f, PAGES, n % 4, n / 4);
	}
}
MODES(kinds)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(types_of_stage1), CASE(types_of_stage2),	CASE(overrides_of_streams),
		CASE(no_overrides),    CASE(overrides_of_gbpa), CASE(kinds),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, attributes", tests, NULL, NULL);
}
