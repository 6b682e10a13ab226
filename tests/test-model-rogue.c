/* SPDX-License-Identifier: MIT */
/*
 * The rogue device.
 *
 * Properties:
 * - It tries every entry of its list once and in order, and counts what reached memory, what the
 *   IOMMU blocked and what nothing answered.
 * - A write leaves its pattern in the eight bytes that the entry names and changes nothing else.
 * - It takes no more of its list at a step than the budget, is busy until the last entry is tried,
 *   ignores the doorbell meanwhile, and then sends one message.
 * - A list is no longer than LIST_MAX, whatever COUNT is written; a reset ends a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/hw/pci.h>
#include <weir/hw/rogue.h>
#include <weir/model/rogue.h>

#include "pcihost.h"

#define NOWHERE 0x9000000000ull

struct fixture {
	struct pcihost host;
	struct weir_model_rogue *rogue;
	struct weir_model_stepper *stepper;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	pcihost_init(&f->host);
	assert_int_equal(weir_model_rogue_create(f->host.rc, NULL, PCIHOST_DEVFN, &f->rogue), 0);
	f->stepper = weir_model_rogue_stepper(f->rogue);
	pcihost_start(&f->host, 1, WEIR_ROGUE_MSIX);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	weir_model_rogue_destroy(f->rogue);
	pcihost_fini(&f->host);
	free(f);
	return 0;
}

static void set_entry(struct fixture *f, unsigned int i, uint64_t entry)
{
	pcihost_write(&f->host, WEIR_ROGUE_LIST + 8 * i, 8, entry);
}

static void begin(struct fixture *f, uint32_t count)
{
	pcihost_write(&f->host, WEIR_ROGUE_COUNT, 4, count);
	pcihost_write(&f->host, WEIR_ROGUE_DOORBELL, 4, 1);
}

static uint32_t reg(struct fixture *f, uint32_t offset)
{
	return (uint32_t)pcihost_read(&f->host, offset, 4);
}

static void test_registers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pcihost_config_read(&f->host, WEIR_PCI_VENDOR_ID, 2), WEIR_ROGUE_VENDOR);
	assert_int_equal(pcihost_config_read(&f->host, WEIR_PCI_DEVICE_ID, 2), WEIR_ROGUE_DEVICE);
	assert_int_equal(reg(f, WEIR_ROGUE_ID), WEIR_ROGUE_MAGIC);
	assert_int_equal(reg(f, WEIR_ROGUE_STATUS), 0);
	pcihost_write(&f->host, WEIR_ROGUE_COUNT, 4, UINT32_MAX);
	assert_int_equal(reg(f, WEIR_ROGUE_COUNT), WEIR_ROGUE_LIST_MAX);
	pcihost_write(&f->host, WEIR_ROGUE_LIST + 12, 4, 0x11223344);
	pcihost_write(&f->host, WEIR_ROGUE_LIST + 8, 4, 0x55667788);
	assert_int_equal(pcihost_read(&f->host, WEIR_ROGUE_LIST + 8, 8), 0x1122334455667788ull);
	assert_int_equal(pcihost_read(&f->host, WEIR_ROGUE_LIST + 10, 2), 0x5566);
	/* The last entry, and the first word beyond the list. */
	set_entry(f, WEIR_ROGUE_LIST_MAX - 1, 42);
	assert_int_equal(pcihost_read(&f->host, WEIR_ROGUE_LIST + 8 * (WEIR_ROGUE_LIST_MAX - 1), 8),
			 42);
	set_entry(f, WEIR_ROGUE_LIST_MAX, 43);
	assert_int_equal(pcihost_read(&f->host, WEIR_ROGUE_LIST + 8 * WEIR_ROGUE_LIST_MAX, 8), 0);
}

static void test_counts(void **state)
{
	struct fixture *f = *state;
	struct weir_model_rogue_stats stats;
	unsigned int i;

	memset(f->host.ram, 0xaa, PCIHOST_RAM_SIZE);
	for (i = 0; i < 30; i++) {
		uint64_t addr = i % 3 == 2 ? NOWHERE : PCIHOST_RAM + i * 4096 + 8 * i;

		set_entry(f, i, addr | (i % 2 ? WEIR_ROGUE_WRITE : 0));
	}
	begin(f, 30);
	assert_int_equal(reg(f, WEIR_ROGUE_STATUS), WEIR_ROGUE_BUSY);
	assert_int_equal(f->stepper->step(f->stepper, 100), 30);
	assert_int_equal(reg(f, WEIR_ROGUE_STATUS), 0);
	assert_int_equal(reg(f, WEIR_ROGUE_HITS), 20);
	assert_int_equal(reg(f, WEIR_ROGUE_BLOCKED), 10);
	assert_int_equal(pcihost_irqs(&f->host, 0), 1);
	weir_model_rogue_get_stats(f->rogue, &stats);
	assert_int_equal(stats.attempts, 30);
	assert_int_equal(stats.reads, 15);
	assert_int_equal(stats.writes, 15);
	assert_int_equal(stats.hits, 20);
	assert_int_equal(stats.aborted, 10);
	assert_int_equal(stats.blocked, 0);
	for (i = 0; i < PCIHOST_RAM_SIZE / 8; i++) {
		unsigned int entry = i / 512;
		bool written = entry < 30 && entry % 2 && entry % 3 != 2 && i % 512 == entry;
		uint64_t expected = written ? WEIR_ROGUE_PATTERN : 0xaaaaaaaaaaaaaaaaull;

		if (((uint64_t *)(void *)f->host.ram)[i] != expected)
			fail_msg("word %u", i);
	}
}

static void test_budget(void **state)
{
	struct fixture *f = *state;
	struct weir_model_rogue_stats stats;
	unsigned int i;

	for (i = 0; i < 10; i++)
		set_entry(f, i, PCIHOST_RAM);
	begin(f, 10);
	assert_int_equal(f->stepper->step(f->stepper, 0), 0);
	assert_int_equal(f->stepper->step(f->stepper, 4), 4);
	begin(f, 3); /* ignored: busy */
	assert_int_equal(f->stepper->step(f->stepper, 6), 6);
	assert_int_equal(f->stepper->step(f->stepper, 6),
			 0); /* asked again: all of the budget was used */
	assert_int_equal(pcihost_irqs(&f->host, 0), 1);
	assert_int_equal(reg(f, WEIR_ROGUE_STATUS), 0);
	/* Another run counts from zero; an empty one ends at once. */
	begin(f, 3);
	assert_int_equal(f->stepper->step(f->stepper, 100), 3);
	assert_int_equal(reg(f, WEIR_ROGUE_HITS), 3);
	begin(f, 0);
	assert_int_equal(f->stepper->step(f->stepper, 100), 0);
	assert_int_equal(reg(f, WEIR_ROGUE_HITS), 0);
	assert_int_equal(pcihost_irqs(&f->host, 0), 3);
	weir_model_rogue_get_stats(f->rogue, &stats);
	assert_int_equal(stats.attempts, 13);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;
	unsigned int exp = pcihost_capability(&f->host, WEIR_PCI_CAP_ID_EXP);

	begin(f, 10);
	assert_int_equal(f->stepper->step(f->stepper, 4), 4);
	pcihost_config_write(&f->host, exp + WEIR_PCI_EXP_DEVCTL, 2, WEIR_PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(f->stepper->step(f->stepper, 100), 0);
	pcihost_start(&f->host, 1, WEIR_ROGUE_MSIX);
	assert_int_equal(reg(f, WEIR_ROGUE_STATUS), 0);
	assert_int_equal(reg(f, WEIR_ROGUE_COUNT), 0);
	assert_int_equal(pcihost_irqs(&f->host, 0), 0);
}

/* What an IOMMU refuses: everything above 1 MiB of RAM. */
static enum weir_model_result translate(void *iommu, const struct weir_model_txn *txn,
					struct weir_model_translation *out)
{
	unsigned int *under_way = iommu;

	if (txn->addr >= PCIHOST_RAM + 0x100000)
		return WEIR_MODEL_BLOCKED;
	(*under_way)++;
	*out = (struct weir_model_translation){ .addr = txn->addr };
	return WEIR_MODEL_OK;
}

static void complete(void *iommu, const struct weir_model_translation *translation)
{
	unsigned int *under_way = iommu;

	(void)translation;
	(*under_way)--;
}

static const struct weir_model_iommu_ops iommu_ops = { translate, complete };

static void test_blocked(void **state)
{
	const struct weir_model_pcie_config config = {
		.ecam_base = 0x5000000000ull,
		.bus_count = 1,
		.mmio32_base = 0x30000000,
		.mmio32_size = 0x1000000,
		.iommu_ops = &iommu_ops,
		.iommu = &(unsigned int){ 0 },
	};
	struct fixture *f = *state;
	uint64_t bar = config.mmio32_base, ecam = config.ecam_base, entry;
	struct weir_model_rogue_stats stats;
	struct weir_model_stepper *stepper;
	struct weir_model_rogue *rogue;
	struct weir_model_pcie *rc;
	uint32_t value = 4, i;

	assert_int_equal(weir_model_pcie_create(f->host.bus, &config, &rc), 0);
	assert_int_equal(weir_model_rogue_create(rc, NULL, 0, &rogue), 0);
	weir_model_bus_write(f->host.bus, ecam + WEIR_PCI_BASE_ADDRESS_0, &bar, 4, WEIR_MODEL_CPU);
	value = WEIR_PCI_COMMAND_MEMORY | WEIR_PCI_COMMAND_MASTER;
	weir_model_bus_write(f->host.bus, ecam + WEIR_PCI_COMMAND, &value, 2, WEIR_MODEL_CPU);
	for (i = 0; i < 8; i++) {
		entry = PCIHOST_RAM + i * 0x40000 + WEIR_ROGUE_WRITE;
		weir_model_bus_write(f->host.bus, bar + WEIR_ROGUE_LIST + 8 * i, &entry, 8,
				     WEIR_MODEL_CPU);
	}
	value = 8;
	weir_model_bus_write(f->host.bus, bar + WEIR_ROGUE_COUNT, &value, 4, WEIR_MODEL_CPU);
	value = 1;
	weir_model_bus_write(f->host.bus, bar + WEIR_ROGUE_DOORBELL, &value, 4, WEIR_MODEL_CPU);
	stepper = weir_model_rogue_stepper(rogue);
	assert_int_equal(stepper->step(stepper, 100), 8);
	weir_model_rogue_get_stats(rogue, &stats);
	assert_int_equal(stats.hits, 4);
	assert_int_equal(stats.blocked, 4);
	assert_int_equal(stats.aborted, 0);
	assert_int_equal(*(unsigned int *)config.iommu, 0);
	for (i = 0; i < 8; i++) {
		memcpy(&entry, f->host.ram + i * 0x40000, 8);
		assert_int_equal(entry, i < 4 ? WEIR_ROGUE_PATTERN : 0);
	}
	weir_model_rogue_destroy(rogue);
	weir_model_pcie_destroy(rc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
