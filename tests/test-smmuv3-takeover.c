/* SPDX-License-Identifier: MIT */
/*
 * Streams that firmware left live (src/smmuv3/takeover.c), against a small SMMU (fakesmmu.h).
 *
 * - Kept: streams that translate or bypass do so after the probe as before it, from the linear or
 *   two-level table that firmware had, into a linear or two-level one; all others are blocked. Once
 *   somebody is attached his domain counts, and nothing of firmware's; detached, it is blocked.
 * - Not kept, by default: everything is blocked.
 * - Firmware's memory is not written. No domain gets one of its ASIDs.
 * - What cannot be kept safely is blocked, with a word: nested and EL2 streams, stage 2 with VMID
 *   0, too many context descriptors, streams beyond our table.
 * - Whatever the registers and tables say, nothing is read outside memory, and nothing that was
 *   blocked passes. Out of memory at each allocation: blocked, and nothing leaks.
 */

#include "smmubench.h"

#define ENTRIES 1024u
#define BYPASS (1ull | 4ull << 1)
#define S1(cd) (1ull | 5ull << 1 | (cd))
#define S2 (1ull | 6ull << 1)
#define NESTED (1ull | 7ull << 1)
#define CD_V (1ull << 31)
#define ASID(n) ((uint64_t)(n) << 48)

/* Firmware's memory: a table of streams, descriptors, a page table. */
static uint64_t firmware_phys;
static uint64_t *firmware, copy[128 * 1024 / 8];

#define TABLE 0x0u
#define LEVEL1 0x10000u
#define CDS 0x11000u
#define PAGES 0x12000u
#define SIZE 0x20000u

static void put(uint32_t offset, uint64_t value)
{
	firmware[offset / 8] = value;
}

static void ste(uint32_t id, uint64_t word0, uint64_t word1, uint64_t word2)
{
	put(TABLE + id * 64, word0);
	put(TABLE + id * 64 + 8, word1);
	put(TABLE + id * 64 + 16, word2);
}

/* CD n, with this ASID, over tables that map 2 MiB at 0 to `to`. */
static void cd(unsigned int n, unsigned int asid, uint64_t to)
{
	uint32_t pages = PAGES + n * 0x3000;

	/* What fakesmmu insists on: T0SZ 16, AA64, R, A, EPD1. */
	put(CDS + n * 64,
	    16 | 1ull << 30 | CD_V | 5ull << 32 | 1ull << 41 | 3ull << 45 | ASID(asid));
	put(CDS + n * 64 + 8, firmware_phys + pages);
	put(pages, (firmware_phys + pages + 0x1000) | 3);
	put(pages + 0x1000, (firmware_phys + pages + 0x2000) | 3);
	put(pages + 0x2000, to | 1 << 10 | 1 << 6 | 1);
}

/* An SMMU that is on, with a linear table of 2^log2size. */
static void switch_on(unsigned int log2size, uint64_t base)
{
	*fakesmmu_reg(&smmu, 0x80) = (uint32_t)base;
	*fakesmmu_reg(&smmu, 0x84) = (uint32_t)(base >> 32);
	*fakesmmu_reg(&smmu, 0x88) = log2size;
	*fakesmmu_reg(&smmu, 0x20) = *fakesmmu_reg(&smmu, 0x24) = 1;
	*fakesmmu_reg(&smmu, 0x2c) = 2;
}

static int set_up_firmware(void **state)
{
	(void)state;
	start();
	weir.options.take_over = WEIR_TAKE_OVER_KEEP;
	assert_int_equal(plat_pages_alloc(fake, 5, WEIR_ZONE_NORMAL, 0, &firmware_phys), 0);
	firmware = plat_phys_to_virt(fake, firmware_phys);
	memset(firmware, 0, SIZE);
	cd(0, 5, MIB(64));
	cd(1, 1, MIB(66));
	ste(3, BYPASS, 0, 0);
	ste(5, S1(firmware_phys + CDS), 0, 0);
	ste(6, S1(firmware_phys + CDS + 64), 0, 0);
	ste(7, 1, 0, 0); /* aborts */
	ste(8, 4ull << 1, 0, 0);
	switch_on(10, firmware_phys + TABLE);
	return 0;
}

static int tear_down_firmware(void **state)
{
	if (iommu)
		weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	plat_pages_free(fake, firmware_phys, 5);
	return tear_down(state);
}

static void works_as_firmware_left_it(void)
{
	assert_true(passes(3, 0x123456, true));
	assert_int_equal(smmu.out, 0x123456);
	assert_true(passes(5, 0x1234, true));
	assert_int_equal(smmu.out, MIB(64) + 0x1234);
	assert_true(passes(6, 0x1234, true));
	assert_int_equal(smmu.out, MIB(66) + 0x1234);
	assert_false(passes(5, MIB(2), true) || passes(4, 0, false) || passes(7, 0, false) ||
		     passes(8, 0, false) || passes(300, 0, false));
}

static void check_kept(void)
{
	struct weir_domain *domain, *others[8];

	memcpy(copy, firmware, SIZE);
	works_as_firmware_left_it();
	assert_int_equal(probe(), 0);
	works_as_firmware_left_it();
	assert_int_equal(fakeplat_logged(fake, "1 bypass and 2 translate as before"), 1);
	/* ASIDs 1 and 5 are firmware's: no domain's entries are found by its streams. */
	for (unsigned int i = 0; i < 8; i++) {
		others[i] = new_domain();
		attach(0x108, others[i]);
		assert_int_equal(map(others[i], 0, MIB(8), KIB(4), RW), 0);
		assert_true(passes(0x108, 0, true));
		works_as_firmware_left_it();
	}
	attach(0x108, iommu->blocked);
	for (unsigned int i = 0; i < 8; i++)
		iommu->ops->domain_free(others[i]);
	/* Somebody comes. */
	domain = new_domain();
	assert_int_equal(map(domain, MIB(4), MIB(8), KIB(4), RW), 0);
	attach(5, domain);
	attach(3, domain);
	for (uint32_t id = 3; id <= 5; id += 2) {
		assert_true(passes(id, MIB(4), true));
		assert_int_equal(smmu.out, MIB(8));
		assert_false(passes(id, 0x1234, true));
	}
	assert_true(passes(6, 0x1234, true));
	attach(5, iommu->blocked);
	attach(3, iommu->blocked);
	attach(6, iommu->blocked);
	assert_false(passes(3, 0, true) || passes(5, 0, true) || passes(6, 0, true));
	iommu->ops->domain_free(domain);
	assert_memory_equal(copy, firmware, SIZE);
}

static void from_a_linear_table(void **state)
{
	(void)state;
	check_kept();
}

static void into_a_linear_table(void **state)
{
	(void)state;
	weir.options.linear_stream_table = true;
	check_kept();
}

static void from_a_two_level_table(void **state)
{
	(void)state;
	/* Four tables of 256; one of them goes on with 64 only, one is not there. */
	put(LEVEL1, (firmware_phys + TABLE) | 9);
	put(LEVEL1 + 8, (firmware_phys + TABLE + 0x4000) | 7);
	put(LEVEL1 + 24, (firmware_phys + TABLE + 0x8000) | 10);
	switch_on(10, firmware_phys + LEVEL1);
	*fakesmmu_reg(&smmu, 0x88) |= 1 << 16 | 8 << 6;
	check_kept();
}

static void blocked_by_default(void **state)
{
	(void)state;
	weir.options.take_over = WEIR_TAKE_OVER_BLOCK;
	works_as_firmware_left_it();
	assert_int_equal(probe(), 0);
	for (uint32_t id = 0; id < 300; id++)
		assert_false(passes(id, 0x1234, false));
	assert_int_equal(fakeplat_logged(fake, "firmware's streams"), 0);
}

static void one_that_is_off(void **state)
{
	(void)state;
	*fakesmmu_reg(&smmu, 0x20) = *fakesmmu_reg(&smmu, 0x24) = 0;
	assert_int_equal(probe(), 0);
	for (uint32_t id = 0; id < 300; id++)
		assert_false(passes(id, 0x1234, false));
}

static void what_cannot_be_kept(void **state)
{
	static const struct {
		uint64_t word0, word1, word2;
		bool kept;
	} cases[] = {
		{ NESTED, 0, 1, false },
		{ S2, 0, 0, false },
		{ S2, 0, 1, true },
		{ S1(0), 2ull << 30, 0, false },
		{ S1(0) | 11ull << 59, 0, 0, false },
		{ S1(0) | 3ull << 4 | 2ull << 59, 0, 0, false },
		{ S1(1ull << 40), 0, 0, false },
		{ S1(0) | 5ull << 59, 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t where = cases[i].word0 >> 40 & 0xff ? 0 : firmware_phys + CDS;
		const uint64_t *entry;

		ste(9, cases[i].word0 | ((cases[i].word0 & 0xe) == 0xa ? where : 0),
		    cases[i].word1 | 5ull << 13 | 1ull << 28, cases[i].word2);
		switch_on(10, firmware_phys + TABLE);
		assert_int_equal(probe(), 0);
		entry = weir_smmuv3_strtab_find(WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu),
						9);
		assert_int_equal(entry[0] & 1, cases[i].kept);
		/* Neither CONT nor EATS. */
		if (cases[i].kept)
			assert_int_equal(entry[1] & (15ull << 13 | 3ull << 28), 0);
		weir_smmuv3_driver.remove(iommu);
		iommu = NULL;
		*fakesmmu_reg(&smmu, 0x44) = 0x1000;
	}
	assert_int_equal(fakeplat_logged(fake, "1 streams or tables of firmware's cannot be kept"),
			 6);
}

static void two_levels_of_descriptors(void **state)
{
	struct weir_domain *domains[12];

	(void)state;
	/* 128 substreams: the second table of 64 is where CD 0 and 1 are. */
	put(LEVEL1 + 8, (firmware_phys + CDS) | 1);
	ste(5, S1(firmware_phys + LEVEL1) | 1ull << 4 | 7ull << 59, 0, 0);
	ste(6, 0, 0, 0);
	assert_int_equal(probe(), 0);
	for (unsigned int i = 0; i < 12; i++) {
		uint64_t word;

		domains[i] = new_domain();
		attach(0x108, domains[i]);
		word = *weir_smmuv3_strtab_find(WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu),
						0x108);
		word = *(uint64_t *)plat_phys_to_virt(fake, word & 0xfffffffffffc0);
		assert_true(word >> 48 != 1 && word >> 48 != 5);
	}
	attach(0x108, iommu->blocked);
	for (unsigned int i = 0; i < 12; i++)
		iommu->ops->domain_free(domains[i]);
}

static void beyond_memory(void **state)
{
	uint64_t end = (uint64_t)plat_memory_end(fake);

	(void)state;
	/* The second is right; of the first a quarter is there, of the third nothing. */
	put(LEVEL1, (end - 0x1000) | 9);
	put(LEVEL1 + 8, (firmware_phys + TABLE) | 9);
	put(LEVEL1 + 16, (1ull << 50) | 9);
	switch_on(10, firmware_phys + LEVEL1);
	*fakesmmu_reg(&smmu, 0x88) |= 1 << 16 | 8 << 6;
	assert_int_equal(probe(), 0);
	assert_int_equal(fakeplat_logged(fake, "2 streams or tables of firmware's cannot"), 1);
	assert_int_equal(fakeplat_logged(fake, "1 bypass and 2 translate as before"), 1);
	assert_true(passes(0x103, 0, false));
}

/* Garbage, of which much is valid, with addresses in a block that is firmware's. */
static void whatever_is_there(void **state)
{
	uint64_t block, *words;

	(void)state;
	seed = 11;
	assert_int_equal(plat_pages_alloc(fake, 10, WEIR_ZONE_NORMAL, 0, &block), 0);
	words = plat_phys_to_virt(fake, block);
	for (unsigned int i = 0; i < MIB(4) / 8; i++) {
		uint64_t word = below(4) ? below(~0ull) : 0;

		/* The largest table of a second level has 64 KiB. */
		words[i] = (word & ~0xfffffffffff000ull) |
			   (block + (below(MIB(4) - KIB(64)) & ~0xfffull));
		if (below(8) == 0)
			words[i] |= 1ull << 50;
	}
	for (unsigned int i = 0; i < 300; i++) {
		uint64_t base = below(8) ? block + below(MIB(4) - KIB(64)) : 1ull << 51;
		unsigned int log2size = (unsigned int)below(17);

		switch_on(below(4) ? log2size : 46 + log2size, base);
		*fakesmmu_reg(&smmu, 0x88) |=
			(uint32_t)(below(32) << 6) | (below(2) ? 1u << 16 : 0);
		assert_int_equal(probe(), 0);
		weir_smmuv3_driver.remove(iommu);
		iommu = NULL;
		*fakesmmu_reg(&smmu, 0x44) = 0x1000;
	}
	plat_pages_free(fake, block, 10);
}

static void out_of_memory(void **state)
{
	uint64_t n = 0;
	int ret;

	(void)state;
	do {
		assert_int_equal(weir_heap_fini(&weir.heap), 0);
		weir_heap_init(&weir.heap, fake, false);
		*fakesmmu_reg(&smmu, 0x44) = 0x1000;
		switch_on(10, firmware_phys + TABLE);
		fake->fail_alloc = ++n;
		ret = probe();
		fake->fail_alloc = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -WEIR_ENOMEM);
		if (fakeplat_logged(fake, "SMMUv3"))
			assert_false(passes(3, 0, true));
	} while (n < 100);
	assert_true(n > 6);
	works_as_firmware_left_it();
}

#define FIRMWARE(test) cmocka_unit_test_setup_teardown(test, set_up_firmware, tear_down_firmware)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIRMWARE(from_a_linear_table),	     FIRMWARE(into_a_linear_table),
		FIRMWARE(from_a_two_level_table),    FIRMWARE(blocked_by_default),
		FIRMWARE(one_that_is_off),	     FIRMWARE(what_cannot_be_kept),
		FIRMWARE(two_levels_of_descriptors), FIRMWARE(beyond_memory),
		FIRMWARE(whatever_is_there),	     FIRMWARE(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
