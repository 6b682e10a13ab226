/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume of src/smmuv3, against a small SMMU (fakesmmu.h) that loses its registers and
 * keeps nothing, or keeps all and has garbage in its caches.
 *
 * - While it is suspended nothing passes, whatever the registers are by then; on return from resume
 *   everything that was attached passes as before, through what is mapped by then and nothing else,
 *   also if streams were moved meanwhile; no command was sent to a queue that is off.
 * - Events that were recorded before are reported. Interrupts work afterwards.
 * - Twice is as good as once; resume alone does nothing.
 * - One that does not answer to either: the documented error, everything blocked, and it may be
 *   tried again.
 * - An SMMU may be removed while it is suspended.
 */

#include "smmubench.h"

static struct weir_domain *attached(void)
{
	struct weir_domain *domain = new_domain();

	attach(0x108, domain);
	attach(0x109, iommu->identity);
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	assert_int_equal(map(domain, MIB(4), MIB(3), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(2), true) && passes(0x108, MIB(4), true));
	return domain;
}

static int suspend(void)
{
	return weir_smmuv3_driver.suspend(iommu);
}

static int resume(void)
{
	return weir_smmuv3_driver.resume(iommu);
}

static void expect_nothing(void)
{
	assert_false(passes(0x108, MIB(2), true));
	assert_false(passes(0x109, MIB(2), true));
	assert_false(passes(0x10a, MIB(2), true));
}

/* Power was off: registers are what they are, but for those that reset gives a value. */
static void lose_registers(void)
{
	struct fakesmmu old = smmu;

	fakesmmu_init(&smmu, fake, raise_irq);
	*fakesmmu_reg(&smmu, 0x44) |= 1 << 20;
	smmu.violations = old.violations;
}

static void check(bool lose)
{
	struct weir_domain *domain = attached(), *other = new_domain();
	unsigned int commands;

	assert_int_equal(suspend(), 0);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24), 0);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x54), 0);
	expect_nothing();
	assert_int_equal(suspend(), 0);
	commands = smmu.nr_commands;
	if (lose) {
		lose_registers();
		commands = 0;
	}
	/* The world goes on in memory. */
	assert_int_equal(domain->ops->unmap(domain, MIB(4), KIB(4)), KIB(4));
	assert_int_equal(map(domain, MIB(6), MIB(5), KIB(4), RW), 0);
	assert_int_equal(map(other, MIB(8), MIB(7), KIB(4), RW), 0);
	attach(0x10a, other);
	attach(0x109, iommu->blocked);
	assert_int_equal(smmu.nr_commands, commands);
	expect_nothing();
	assert_int_equal(resume(), 0);
	assert_true(passes(0x108, MIB(2), true));
	assert_int_equal(smmu.out, MIB(1));
	assert_true(passes(0x108, MIB(6), true));
	assert_int_equal(smmu.out, MIB(5));
	assert_true(passes(0x10a, MIB(8), true));
	assert_int_equal(smmu.out, MIB(7));
	assert_false(passes(0x108, MIB(4), false));
	assert_false(passes(0x109, MIB(2), false));
	assert_int_equal(resume(), 0);
	/* Unmapping works, and is heard of. */
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), KIB(4));
	fakeplat_run(fake);
	nr_faults = 0;
	assert_false(passes(0x108, MIB(2), true));
	assert_int_equal((uint64_t)last_fault()->address, MIB(2));
	assert_int_equal(nr_faults, 1);
	fakesmmu_error(&smmu, 1 << 2);
	fakeplat_run(fake);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x60), *fakesmmu_reg(&smmu, 0x64));
	attach(0x108, iommu->blocked);
	attach(0x10a, iommu->blocked);
	iommu->ops->domain_free(domain);
	iommu->ops->domain_free(other);
}

static void registers_are_lost(void **state)
{
	(void)state;
	check(true);
	check(true);
}

static void registers_are_kept(void **state)
{
	(void)state;
	check(false);
	check(false);
}

static void resume_alone(void **state)
{
	struct weir_domain *domain = attached();
	unsigned int commands = smmu.nr_commands;

	(void)state;
	assert_int_equal(resume(), 0);
	assert_int_equal(smmu.nr_commands, commands);
	assert_true(passes(0x108, MIB(2), true));
	attach(0x108, iommu->blocked);
	attach(0x109, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void what_it_said_last(void **state)
{
	uintptr_t flags = plat_irq_save();

	(void)state;
	assert_false(passes(0x10a, MIB(2), true));
	assert_int_equal(nr_faults, 0);
	assert_int_equal(suspend(), 0);
	assert_int_equal(nr_faults, 1);
	plat_irq_restore(flags);
	assert_int_equal(resume(), 0);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 1);
}

static void one_that_does_not_stop(void **state)
{
	struct weir_domain *domain = attached();

	(void)state;
	smmu.frozen_cr0 = 8;
	assert_int_equal(suspend(), -WEIR_ETIMEDOUT);
	expect_nothing();
	smmu.frozen_cr0 = 0;
	assert_int_equal(resume(), 0);
	assert_true(passes(0x108, MIB(2), true));
	attach(0x108, iommu->blocked);
	attach(0x109, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void one_that_does_not_come_back(void **state)
{
	struct weir_domain *domain = attached();

	(void)state;
	assert_int_equal(suspend(), 0);
	smmu.stopped = true;
	assert_int_equal(resume(), -WEIR_ETIMEDOUT);
	expect_nothing();
	assert_int_equal(iommu->ops->attach(iommu, 0x109, iommu->blocked), -WEIR_EIO);
	assert_int_equal(domain->ops->unmap(domain, MIB(4), KIB(4)), 0);
	smmu.stopped = false;
	assert_int_equal(resume(), 0);
	assert_true(passes(0x108, MIB(2), true));
	assert_false(passes(0x108, MIB(4), true));
	assert_false(passes(0x109, MIB(4), true));
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void removed_while_suspended(void **state)
{
	(void)state;
	assert_int_equal(suspend(), 0);
	lose_registers();
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
}

static void mode_off(void **state)
{
	(void)state;
	weir.mode = WEIR_MODE_OFF;
	assert_int_equal(probe(), 0);
	assert_int_equal(suspend(), 0);
	lose_registers();
	assert_false(passes(3, 0x1234, true));
	assert_int_equal(resume(), 0);
	assert_true(passes(3, 0x1234, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBED(registers_are_lost),
		PROBED(registers_are_kept),
		PROBED(resume_alone),
		PROBED(what_it_said_last),
		PROBED(one_that_does_not_stop),
		PROBED(one_that_does_not_come_back),
		PROBED(removed_while_suspended),
		FRESH(mode_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
