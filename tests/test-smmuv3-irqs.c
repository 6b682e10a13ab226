/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of src/smmuv3, by message and by wire, against a small SMMU (fakesmmu.h).
 *
 * - Messages are used where the SMMU has them and firmware says where they go: address, data and a
 *   device's attributes are in the registers before the interrupts are enabled; each is heard.
 * - What cannot be had by message comes by wire, all of it, with a word: no vector, no controller,
 *   an address that the registers cannot hold. What was allocated is given back.
 * - Each distinct wire has one handler, for all that it is about; page requests have theirs only
 *   where there is a queue of them.
 * - Nothing is left connected or allocated after removal or a failed probe.
 */

#include "smmubench.h"

#define MSI_CFG(cfg) (*fakesmmu_reg(&smmu, cfg))

static unsigned int drained, programmed;

static void priq_program(struct weir_smmuv3 *of)
{
	(void)of;
	programmed++;
}

static void priq_drain(struct weir_smmuv3 *of)
{
	(void)of;
	drained++;
}

static const struct weir_smmuv3_priq_ops priq_ops = { priq_program, priq_drain };

static void with_messages(void)
{
	*fakesmmu_reg(&smmu, 0) |= 1 << 13;
	desc.has_msi = true;
	desc.msi_controller = 9;
	desc.msi_device_id = 0x77;
}

static void by_message(void **state)
{
	(void)state;
	with_messages();
	assert_int_equal(probe(), 0);
	assert_int_equal(fake->msis_in_use, 2);
	assert_int_equal(fake->msi_controller, 9);
	assert_int_equal(fake->msi_device_id, 0x77);
	assert_int_equal(fake->irqs_connected, 2);
	/* Events: CFG0, CFG1, CFG2; then errors. */
	assert_int_equal(MSI_CFG(0xb0), FAKEPLAT_MSI_DOORBELL);
	assert_int_equal(MSI_CFG(0xb4), 0);
	assert_int_equal(MSI_CFG(0xbc), 1);
	assert_int_equal(MSI_CFG(0x68), FAKEPLAT_MSI_DOORBELL);
	assert_int_equal(MSI_CFG(0x74), 1);
	assert_int_not_equal(MSI_CFG(0xb8), MSI_CFG(0x70));
	/* As if the doorbell had been written. */
	assert_false(passes(0x108, 0, false));
	raise_irq(FAKEPLAT_MSI_FIRST);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 1);
	*fakesmmu_reg(&smmu, 0x60) ^= 4;
	raise_irq(FAKEPLAT_MSI_FIRST + 1);
	fakeplat_run(fake);
	assert_int_equal(fakeplat_logged(fake, "could not write its event queue"), 1);
	assert_int_equal(fakeplat_logged(fake, "its wires are used"), 0);
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	assert_int_equal(fake->msis_in_use + fake->irqs_connected, 0);
}

static void expect_wires(unsigned int words)
{
	assert_int_equal(probe(), 0);
	assert_int_equal(fakeplat_logged(fake, "its wires are used"), words);
	assert_int_equal(fake->msis_in_use, 0);
	assert_int_equal(fake->irqs_connected, 2);
	assert_false(passes(0x108, 0, false));
	nr_faults = 0;
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 1);
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	assert_int_equal(fake->irqs_connected, 0);
}

static void by_wire(void **state)
{
	(void)state;
	/* Nobody says where messages go. */
	*fakesmmu_reg(&smmu, 0) |= 1 << 13;
	expect_wires(0);
	assert_int_equal(MSI_CFG(0xb0) | MSI_CFG(0xb4) | MSI_CFG(0x68) | MSI_CFG(0x6c), 0);
	with_messages();
	for (unsigned int n = 1; n <= 2; n++) {
		fake->fail_msi = n;
		expect_wires(n);
	}
	fake->fail_msi = 0;
	fake->msi_limit = 1;
	expect_wires(3);
	fake->msi_limit = 16;
	fake->msi_doorbell = 1ull << 52;
	expect_wires(4);
	/* Beyond what this SMMU puts out: 44 bits. */
	fake->msi_doorbell = 1ull << 44;
	expect_wires(5);
	fake->msi_doorbell = 0x8000042;
	expect_wires(6);
	/* It has none. */
	fake->msi_doorbell = 0;
	*fakesmmu_reg(&smmu, 0) &= ~(1u << 13);
	expect_wires(6);
}

static void wires_in_common(void **state)
{
	static const struct {
		int combined, eventq, gerror;
		unsigned int connected;
	} cases[] = {
		{ -1, 5, 6, 2 }, { -1, 5, 5, 1 }, { 5, -1, -1, 1 }, { 5, 7, 8, 1 }, { -1, 5, -1, 1 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		desc.irq_combined = cases[i].combined;
		desc.irq_eventq = cases[i].eventq;
		desc.irq_gerror = cases[i].gerror;
		assert_int_equal(probe(), 0);
		assert_int_equal(fake->irqs_connected, cases[i].connected);
		nr_faults = 0;
		assert_false(passes(0x108, 0, false));
		fakeplat_run(fake);
		assert_int_equal(nr_faults, 1);
		weir_smmuv3_driver.remove(iommu);
		iommu = NULL;
		assert_int_equal(fake->irqs_connected, 0);
	}
	assert_int_equal(fakeplat_logged(fake, "no interrupt for errors"), 1);
	assert_int_equal(fakeplat_logged(fake, "blocked accesses will not be reported"), 0);
}

/* priq.c sets `priq` before the interrupts are chosen; here it is done between two starts. */
static void page_requests(void **state)
{
	struct weir_smmuv3 *driver;

	(void)state;
	desc.irq_priq = 7;
	assert_int_equal(probe(), 0);
	driver = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
	driver->own.priq = &priq_ops;
	weir_smmuv3_irqs_disconnect(driver);
	weir_smmuv3_irqs_init(driver, &desc);
	assert_int_equal(weir_smmuv3_disable(driver), 0);
	assert_int_equal(weir_smmuv3_enable(driver, true), 0);
	assert_int_equal(weir_smmuv3_open(driver), 0);
	assert_int_equal(fake->irqs_connected, 3);
	assert_int_equal(programmed, 1);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x54), 7);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24), 0xf);
	raise_irq(7);
	fakeplat_run(fake);
	assert_int_equal(drained, 1);
	/* Lost ones, or lost interrupts for them. */
	fakesmmu_error(&smmu, 1 << 6);
	fakeplat_run(fake);
	assert_int_equal(drained, 2);
	fakesmmu_error(&smmu, 1 << 3);
	fakeplat_run(fake);
	assert_int_equal(drained, 3);
	assert_int_equal(weir_smmuv3_driver.suspend(iommu), 0);
	assert_int_equal(drained, 4);
	assert_int_equal(weir_smmuv3_driver.resume(iommu), 0);
	assert_int_equal(programmed, 2);
}

static void a_failed_connection(void **state)
{
	(void)state;
	desc.irq_gerror = FAKEPLAT_IRQS + 1;
	assert_int_equal(probe(), -WEIR_EINVAL);
	assert_null(iommu);
	assert_int_equal(fakeplat_logged(fake, "interrupt 1025 cannot be connected"), 1);
	assert_int_equal(fake->irqs_connected, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(by_message),	    FRESH(by_wire),
		FRESH(wires_in_common),	    FRESH(page_requests),
		FRESH(a_failed_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
