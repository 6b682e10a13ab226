/* SPDX-License-Identifier: MIT */
/*
 * What src/smmuv3 does when an SMMU fails as a whole, against a small SMMU (fakesmmu.h).
 *
 * - Service failure mode: every device is blocked, calls fail at once and not after a time-out; the
 *   SMMU is started anew from what is in memory, and everything that was attached translates as it
 *   did; what changed meanwhile is in effect, nothing that was taken away is.
 * - A command queue that cannot be repaired: the same. Who waits for it while it is started anew
 *   hears that his commands were lost.
 * - Tries are bounded: what does not come back stays blocked, and says so once; what comes back and
 *   fails again is given up in the end. Nothing leaks either way.
 * - An SMMU that is removed while it waits to be started anew is not touched afterwards.
 * - A message about an interrupt that did not arrive has the queue looked at.
 */

#include "smmubench.h"

static struct weir_smmuv3 *driver_of(void)
{
	return WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
}

/* Stream 0x108 in a domain with a page at 2 MiB, stream 0x109 in the identity domain. */
static struct weir_domain *attached(void)
{
	struct weir_domain *domain = new_domain();

	attach(0x108, domain);
	attach(0x109, iommu->identity);
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(2), true));
	assert_int_equal(smmu.out, MIB(1));
	return domain;
}

static void works_as_before(void)
{
	assert_true(passes(0x108, MIB(2), true));
	assert_int_equal(smmu.out, MIB(1));
	assert_true(passes(0x109, MIB(5), true));
	assert_int_equal(smmu.out, MIB(5));
	assert_false(passes(0x10a, MIB(2), false));
}

static void let_go(struct weir_domain *domain)
{
	attach(0x108, iommu->blocked);
	attach(0x109, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void service_failure_mode(void **state)
{
	struct weir_domain *domain = attached();
	uintptr_t flags;
	uint64_t since;

	(void)state;
	/* It has stopped; nobody has had the time to do anything about it. */
	smmu.stopped = true;
	smmu.frozen_cr0 = 0xf;
	*fakesmmu_reg(&smmu, 0x60) ^= 1 << 8;
	weir_smmuv3_check_errors(driver_of());
	assert_int_equal(fakeplat_logged(fake, "service failure mode"), 1);
	since = fake->now;
	/* With interrupts off the work item cannot run. */
	flags = plat_irq_save();
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), 0);
	assert_int_equal(iommu->ops->attach(iommu, 0x108, domain), -WEIR_EIO);
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	assert_in_range(fake->now - since, 0, 1000000);
	plat_irq_restore(flags);
	/* It never answers: blocked for good. */
	fakeplat_run(fake);
	assert_int_equal(fakeplat_logged(fake, "every device behind it stays blocked"), 1);
	assert_int_equal(iommu->ops->attach(iommu, 0x108, domain), -WEIR_EIO);
	smmu.stopped = false;
	smmu.frozen_cr0 = 0;
	iommu->ops->domain_free(domain);
}

static void it_comes_back(void **state)
{
	struct weir_domain *domain = attached();
	uintptr_t flags;

	(void)state;
	assert_int_equal(map(domain, MIB(4), MIB(3), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(4), false));
	fakesmmu_error(&smmu, 1 << 8);
	/* Not told yet. The page goes, and is not confirmed to be gone. */
	flags = plat_irq_save();
	weir_smmuv3_check_errors(driver_of());
	assert_int_equal(domain->ops->unmap(domain, MIB(4), KIB(4)), 0);
	plat_irq_restore(flags);
	fakeplat_run(fake);
	assert_int_equal(fakeplat_logged(fake, "it was started anew and works again"), 1);
	works_as_before();
	assert_false(passes(0x108, MIB(4), false));
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), KIB(4));
	assert_false(passes(0x108, MIB(2), false));
	/* Events and errors are heard as before. */
	fakeplat_run(fake);
	nr_faults = 0;
	assert_false(passes(0x10a, MIB(2), false));
	assert_string_equal(last_fault()->name, "C_BAD_STE");
	assert_int_equal(nr_faults, 1);
	let_go(domain);
}

static void a_queue_that_comes_back(void **state)
{
	struct weir_domain *domain = attached();

	(void)state;
	for (int i = 0; i < 5; i++) {
		smmu.refuse = 1;
		smmu.refuse_again = 1;
		smmu.refuse_error = 2;
		assert_int_equal(iommu->ops->attach(iommu, 0x10a, domain), -WEIR_EIO);
		fakeplat_run(fake);
		assert_int_equal(fakeplat_logged(fake, "works again"), i + 1);
		works_as_before();
		/* Numbers went on: the queue wraps as it did. */
		for (int k = 0; k < 700; k++) {
			attach(0x10b, domain);
			attach(0x10b, iommu->blocked);
		}
	}
	let_go(domain);
}

static unsigned int looks_left;

/* It has stopped; after so many looks it says so, and is started anew while somebody waits. */
static uint64_t fail_on_the_way(void *opaque, uint64_t phys, unsigned int size)
{
	if (phys == FAKESMMU_BASE + 0x9c && looks_left && !--looks_left)
		fakesmmu_error(&smmu, 1 << 8);
	return slow_read(opaque, phys, size);
}

static void works_when_disabled(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	if (phys == FAKESMMU_BASE + 0x20 && !value)
		smmu.stopped = false;
	fakesmmu_write(opaque, phys, size, value);
}

/* That its command is behind CONS now does not mean that it was done. */
static void who_waited_hears_so(void **state)
{
	struct weir_domain *domain = attached();

	(void)state;
	for (unsigned int looks = 1; looks < 5; looks++) {
		unsigned int before = fakeplat_logged(fake, "works again");

		smmu.stopped = true;
		looks_left = looks;
		fake->mmio.read = fail_on_the_way;
		fake->mmio.write = works_when_disabled;
		assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), 0);
		fake->mmio.read = slow_read;
		fake->mmio.write = fakesmmu_write;
		fakeplat_run(fake);
		assert_int_equal(fakeplat_logged(fake, "works again"), before + 1);
		assert_false(passes(0x108, MIB(2), true));
		assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
		works_as_before();
	}
	let_go(domain);
}

static void again_and_again(void **state)
{
	struct weir_domain *domain = attached();
	unsigned int failures = 0;

	(void)state;
	while (failures < 100 && !fakeplat_logged(fake, "stays blocked")) {
		fakesmmu_error(&smmu, 1 << 8);
		fakeplat_run(fake);
		failures++;
	}
	assert_in_range(failures, 2, 20);
	assert_false(passes(0x108, MIB(2), true) || passes(0x109, MIB(2), true));
	assert_int_equal(iommu->ops->attach(iommu, 0x108, domain), -WEIR_EIO);
	/* No more of it. */
	fakesmmu_error(&smmu, 1 << 8);
	weir_smmuv3_check_errors(driver_of());
	fakeplat_run(fake);
	assert_int_equal(fakeplat_logged(fake, "stays blocked"), 1);
	iommu->ops->domain_free(domain);
}

static void removed_meanwhile(void **state)
{
	uintptr_t flags;

	(void)state;
	flags = plat_irq_save();
	fakesmmu_error(&smmu, 1 << 8);
	weir_smmuv3_check_errors(driver_of());
	plat_irq_restore(flags);
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	fakeplat_run(fake);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24), 0);
}

/* The events of a queue that was empty, whose interrupt got lost. */
static void a_lost_message(void **state)
{
	(void)state;
	*fakesmmu_reg(&smmu, 0x54) &= ~4u;
	assert_false(passes(0x108, 0, false));
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 0);
	fakesmmu_error(&smmu, 1 << 5);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 1);
	*fakesmmu_reg(&smmu, 0x54) |= 4;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBED(service_failure_mode),	 PROBED(it_comes_back),
		PROBED(a_queue_that_comes_back), PROBED(who_waited_hears_so),
		PROBED(again_and_again),	 PROBED(removed_meanwhile),
		PROBED(a_lost_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
