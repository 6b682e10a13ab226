/* SPDX-License-Identifier: MIT */
/*
 * src/pci against configuration space that lies.
 *
 * Registers hold random values; some change between two reads, some keep part of what is written;
 * headers, capabilities and bridges are plausible often enough to get far. For thousands of seeds:
 *
 * - a scan ends, within a bounded number of accesses;
 * - the BARs that it publishes are inside the host bridge's windows, aligned, and apart;
 * - every function can be enabled or not, given messages or not, and all can be removed;
 * - nothing is left, and an error says so.
 *
 * And by hand: capabilities that form a loop, or end behind the function's space, a BAR of 64 bits
 * in the last register, one whose size is no power of two, an MSI-X table outside of its BAR, all
 * ones everywhere.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <weir/hw/pci.h>

#include "pcirig.h"

#define BUSES 8
#define LOW_SIZE (64ull << 20)
#define HIGH_SIZE (1ull << 40)
#define MAX_ACCESSES 20000000u

static struct pcirig rig;
static uint32_t seed;
static uint64_t accesses;
static unsigned int strays; /* to the second function of a device that has one */
static struct {
	uint64_t phys;
	uint32_t value;
} written[64];

/* One device with a space of its own; the rest is absent. NULL: all is random. */
static uint8_t *space;

static uint32_t hash(uint64_t x)
{
	x = (x ^ seed) * 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return (uint32_t)(x >> 32);
}

static uint32_t random_register(uint64_t phys)
{
	uint32_t reg = phys & 0xffc, h = hash(phys & ~3ull), mood = hash(phys >> 12) % 8;

	if (mood == 0)
		h ^= hash(accesses); /* changes all the time */
	switch (reg) {
	case WEIR_PCI_VENDOR_ID:
		return hash(phys >> 12 ^ 77) % 6 ? UINT32_MAX : h;
	case WEIR_PCI_CACHE_LINE_SIZE: /* header type */
		return h % 16 ? (h & 0x00810000) : h;
	case WEIR_PCI_CAPABILITY_LIST:
		return 0x40 + (h & 0xc);
	case WEIR_PCI_EXT_CAP_START:
		return WEIR_PCI_EXT_CAP_ID_ACS | (h & 0xfff00000);
	default:
		break;
	}
	if (reg >= 0x40 && reg < 0x100 && mood < 6) {
		static const uint8_t ids[] = { WEIR_PCI_CAP_ID_EXP, WEIR_PCI_CAP_ID_MSIX, 5, 1 };

		return (h & 0xffff0000) | ((h >> 8 & 0x3c) + 0x40) << 8 | ids[h % 4];
	}
	return h;
}

/* What was written there last, as far as the register's mask keeps it. */
static uint32_t load(uint64_t phys)
{
	uint64_t word = phys & ~3ull;
	uint32_t value = random_register(word), slot = (uint32_t)(word >> 2) % 64;
	uint32_t mask = hash(word ^ 0x1111) % 4 ? ~0u << hash(word) % 32 : hash(word ^ 0x2222);

	if (written[slot].phys == word)
		value = (value & ~mask) | (written[slot].value & mask);
	return value;
}

static uint64_t hostile_read(void *opaque, uint64_t phys, unsigned int size)
{
	uint32_t value = UINT32_MAX;

	(void)opaque;
	if (++accesses > MAX_ACCESSES)
		fail_msg("seed %u: it does not end", seed);
	strays += space && phys - PCIRIG_ECAM - 4096 < 4096;
	if (phys < PCIRIG_ECAM || phys >= PCIRIG_ECAM + (BUSES << 20))
		return 0;
	if (!space)
		value = load(phys);
	else if (phys - PCIRIG_ECAM < 4096)
		memcpy(&value, space + ((phys - PCIRIG_ECAM) & 0xffc), 4);
	return (value >> 8 * (phys & 3)) & (UINT32_MAX >> (32 - 8 * size));
}

static void hostile_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	uint64_t word = phys & ~3ull;
	uint32_t keep = size == 4 ? 0 : ~((size == 1 ? 0xffu : 0xffffu) << 8 * (phys & 3));

	(void)opaque;
	accesses++;
	if (phys < PCIRIG_ECAM || space)
		return;
	value = (load(word) & keep) | ((uint32_t)value << 8 * (phys & 3) & ~keep);
	written[(word >> 2) % 64].phys = word;
	written[(word >> 2) % 64].value = (uint32_t)value;
}

static void start(void)
{
	accesses = 0;
	memset(written, 0, sizeof(written));
	pcirig_init(&rig, &(struct pcirig_options){
				  .buses = BUSES, .low_size = LOW_SIZE, .high_size = HIGH_SIZE });
	pcirig_start(&rig);
	rig.fake->mmio = (struct fakeplat_mmio){ hostile_read, hostile_write, NULL };
}

static void finish(void)
{
	(void)weir_pci_remove_all(rig.weir);
	pcirig_stop(&rig);
	pcirig_fini(&rig);
}

struct taken {
	uint64_t first, last;
};

static void check_bar(const struct weir_pci_bar *bar, struct taken *taken, unsigned int *nr)
{
	uint64_t last = bar->start + bar->size - 1;
	bool is_low = bar->start >= PCIRIG_LOW && last < PCIRIG_LOW + LOW_SIZE;
	bool is_high = bar->start >= PCIRIG_HIGH && last < PCIRIG_HIGH + HIGH_SIZE;

	if (!is_low && !is_high)
		fail_msg("seed %u: a BAR outside of the windows", seed);
	if (bar->size & (bar->size - 1) || bar->start & (bar->size - 1))
		fail_msg("seed %u: a BAR that is not aligned", seed);
	for (unsigned int i = 0; i < *nr; i++)
		if (bar->start <= taken[i].last && taken[i].first <= last)
			fail_msg("seed %u: BARs overlap", seed);
	taken[*nr].first = bar->start;
	taken[(*nr)++].last = last;
}

static unsigned int use_all(void)
{
	static struct taken taken[4096 * WEIR_PCI_BARS];
	struct weir_pci_dev *pdev = NULL;
	unsigned int nr = 0, count = 0;

	while ((pdev = weir_pci_find(rig.weir, WEIR_PCI_ANY, WEIR_PCI_ANY, pdev))) {
		count++;
		for (unsigned int i = 0; i < WEIR_PCI_BARS; i++)
			if (pdev->bars[i].size)
				check_bar(&pdev->bars[i], taken, &nr);
		if (weir_pci_enable(pdev))
			continue;
		weir_pci_set_master(pdev, true);
		if (weir_pci_alloc_vectors(pdev, 1, 5) > 0)
			weir_pci_free_vectors(pdev);
		weir_pci_disable(pdev);
	}
	return count;
}

static void random_spaces(void **state)
{
	uint64_t functions = 0, scans = 0;

	(void)state;
	space = NULL;
	for (seed = 1; seed <= 800; seed++) {
		int ret;

		start();
		ret = weir_pci_scan(rig.weir);
		if (ret != 0 && ret != -WEIR_ENOMEM && ret != -WEIR_EINVAL)
			fail_msg("seed %u: error %d", seed, ret);
		scans += !ret;
		functions += use_all();
		finish();
	}
	assert_true(scans > 680);
	assert_true(functions > 10 * scans);
}

/* ---- By hand ------------------------------------------------------------------------------- */

static void put(unsigned int offset, unsigned int size, uint32_t value)
{
	memcpy(space + offset, &value, size);
}

/* One endpoint at 00:00.0 whose registers ignore writes. */
static struct weir_pci_dev *scan_one(void)
{
	start();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	return weir_pci_find(rig.weir, WEIR_PCI_ANY, WEIR_PCI_ANY, NULL);
}

static void by_hand(void **state)
{
	static uint8_t one[4096];
	struct weir_pci_dev *pdev;

	(void)state;
	space = one;
	memset(one, 0xff, sizeof(one));
	assert_null(scan_one());
	finish();

	memset(one, 0, sizeof(one));
	put(WEIR_PCI_VENDOR_ID, 4, 0x00011b36);
	put(WEIR_PCI_STATUS, 2, WEIR_PCI_STATUS_CAP_LIST);
	put(WEIR_PCI_CAPABILITY_LIST, 1, 0x40);
	put(0x40, 2, 0x5001); /* 0x40 -> 0x50 -> 0x40 ... */
	put(0x50, 2, 0x4001);
	put(WEIR_PCI_BASE_ADDRESS_0, 4, 0xfff0f000); /* cannot be written: the mask has a hole */
	put(WEIR_PCI_BASE_ADDRESS_0 + 20, 4, 0xfffff004);
	pdev = scan_one();
	assert_non_null(pdev);
	assert_int_equal(pdev->msix_offset, 0);
	assert_int_equal(weir_pci_enable(pdev), -WEIR_ENODEV);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 1), -WEIR_EOPNOTSUPP);
	assert_int_equal(fakeplat_logged(rig.fake, "BAR 5 is left out: 64 bits in the last"), 1);
	assert_int_equal(fakeplat_logged(rig.fake, "BAR 0 is left out: its size is no power"), 1);
	finish();

	/*
	 * A BAR whose writable bits stand at the end of the low window is taken to be placed
	 * there.
	 */
	memset(one + WEIR_PCI_BASE_ADDRESS_0, 0, 24);
	put(WEIR_PCI_BASE_ADDRESS_0, 4, 0xfffff000);
	put(0x50, 2, 0x4011);
	put(0x52, 2, 0x7ff); /* 2048 vectors in 4 KiB */
	put(0x54, 4, 0);
	pdev = scan_one();
	assert_int_equal(pdev->bars[0].size, 4096);
	assert_int_equal(pdev->msix_offset, 0x50);
	assert_int_equal(weir_pci_enable(pdev), 0);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 1), -WEIR_EOPNOTSUPP);
	put(0x52, 2, 3);
	put(0x54, 4, 7); /* no such BAR */
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 1), -WEIR_EOPNOTSUPP);
	put(0x54, 4, 0xfffffff8);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 1), -WEIR_EOPNOTSUPP);
	put(0x54, 4, 0xfc0);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 1), 1);
	finish();
}

/* In the last four bytes of the space: the rest of it would be the next function's. */
static void an_extended_capability_at_the_end(void **state)
{
	static uint8_t one[4096];

	(void)state;
	space = one;
	put(WEIR_PCI_VENDOR_ID, 4, 0x00011b36);
	put(WEIR_PCI_STATUS, 2, WEIR_PCI_STATUS_CAP_LIST);
	put(WEIR_PCI_CAPABILITY_LIST, 1, 0x40);
	put(0x40, 2, WEIR_PCI_CAP_ID_EXP);
	put(WEIR_PCI_EXT_CAP_START, 4, 0xffc1001b);
	put(0xffc, 4, 0x00010000 | WEIR_PCI_EXT_CAP_ID_ACS);
	strays = 0;
	assert_non_null(scan_one());
	assert_int_equal(strays, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_spaces),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(an_extended_capability_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
