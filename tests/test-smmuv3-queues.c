/* SPDX-License-Identifier: MIT */
/*
 * The queues of src/smmuv3 against a small SMMU (fakesmmu.h), on one CPU. test-smmuv3-cmdq has
 * many.
 *
 * - The command queue wraps and fills at every size; a refused command is replaced by one that does
 *   more, then all goes on; one that cannot be replaced ends with every stream blocked.
 * - A queue that does not move: an error after a second, sooner after that; nothing that the SMMU
 *   may still use is freed before it was disabled; it recovers. CONS is not believed.
 * - Every event is reported, whatever is in it; overflow is told and acknowledged;
 *   PROD is not believed; however fast they come, nothing is left lying.
 * - Global errors: one line each, acknowledged, within limits.
 */

#include "smmubench.h"

/* ---- Command queue --------------------------------------------------------------------------- */

static void every_size_of_queue(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift < 8; shift++) {
		struct weir_domain *domain;

		start();
		weir.options.command_queue_entries = 1u << shift;
		weir.options.event_queue_entries = 3;
		*fakesmmu_reg(&smmu, 0xc) = 0x14;
		assert_int_equal(probe(), 0);
		assert_int_equal(*fakesmmu_reg(&smmu, 0x90) & 31, shift);
		assert_int_equal(*fakesmmu_reg(&smmu, 0x100a0 - 0x10000) & 31, 2);
		smmu.budget = 1;
		domain = new_domain();
		attach(0x108, domain);
		for (int i = 0; i < 300; i++) {
			unsigned int pages = 1 + (unsigned int)i % 16, before = smmu.nr_commands;
			/* Up to 8 by their addresses; more by the ASID. */
			unsigned int commands = pages <= 8 ? pages : 1;

			assert_int_equal(map(domain, MIB(2), MIB(1), pages * KIB(4), RW), 0);
			assert_true(passes(0x108, MIB(2) + (pages - 1) * KIB(4), false));
			assert_int_equal(domain->ops->unmap(domain, MIB(2), pages * KIB(4)),
					 pages * KIB(4));
			assert_false(passes(0x108, MIB(2) + (pages - 1) * KIB(4), false));
			assert_int_equal(smmu.nr_commands - before, commands + 1);
		}
		attach(0x108, iommu->blocked);
		iommu->ops->domain_free(domain);
		stop();
	}
	/* No larger than the SMMU allows. */
	start();
	weir.options.command_queue_entries = 1u << 20;
	*fakesmmu_reg(&smmu, 0x4) = (0x02730010 & ~(31u << 21)) | 7u << 21;
	assert_int_equal(probe(), 0);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x90) & 31, 7);
	stop();
}

static void a_refused_command(void **state)
{
	struct weir_domain *domain = new_domain();
	unsigned int before;

	(void)state;
	attach(0x108, domain);
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(2), false));
	before = smmu.nr_commands;
	smmu.refuse = 1;
	smmu.refuse_error = 1;
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), KIB(4));
	/* The TLBI, what stood in for it, the CMD_SYNC. */
	assert_int_equal(smmu.nr_commands - before, 3);
	assert_int_equal(smmu.commands[before][0] & 0xff, 0x12);
	assert_int_equal(smmu.commands[before + 1][0], 0x30);
	assert_false(passes(0x108, MIB(2), false));
	assert_int_equal(fakeplat_logged(fake, "the SMMU refused a command: CERROR_ILL"), 1);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x60), *fakesmmu_reg(&smmu, 0x64));
	/* A CMD_CFGI_STE, and a fetch that aborted. */
	smmu.refuse = 1;
	smmu.refuse_error = 2;
	attach(0x108, iommu->blocked);
	assert_false(passes(0x108, MIB(2), false));
	assert_int_equal(fakeplat_logged(fake, "CERROR_ABT"), 1);
	/* A CMD_SYNC. */
	smmu.refuse = 2;
	attach(0x108, domain);
	assert_false(passes(0x108, MIB(2), false));
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(2), false));
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void a_queue_beyond_repair(void **state)
{
	struct weir_domain *domain = new_domain();
	struct weir_extent extent = { MIB(1), KIB(4) };

	(void)state;
	attach(0x108, domain);
	assert_int_equal(domain->ops->map(domain, MIB(2), &extent, 1, RW), 0);
	assert_true(passes(0x108, MIB(2), false));
	smmu.refuse = 1;
	smmu.refuse_again = 1000;
	smmu.refuse_error = 2;
	/* 0: not confirmed. */
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), 0);
	assert_int_equal(fakeplat_logged(fake, "every device behind it is blocked now"), 1);
	assert_false(passes(0x108, MIB(2), false));
	assert_false(passes(0x108, MIB(7), false));
	assert_int_equal(iommu->ops->attach(iommu, 0x108, iommu->identity), -WEIR_EIO);
	assert_false(passes(0x108, MIB(7), false));
	iommu->ops->domain_free(domain);
}

static void a_queue_that_does_not_move(void **state)
{
	struct weir_domain *domain = new_domain(), *other = new_domain();
	uint64_t since, pages;

	(void)state;
	attach(0x108, domain);
	/* 2 MiB that are no block: their table goes with them. */
	assert_int_equal(map(domain, MIB(2), MIB(1), MIB(2), RW), 0);
	assert_true(passes(0x108, MIB(2), false));
	smmu.stopped = true;
	since = fake->now;
	pages = (uint64_t)weir.table_pages;
	assert_int_equal(domain->ops->unmap(domain, MIB(2), MIB(2)), 0);
	assert_in_range(fake->now - since, 1000000000, 1100000000);
	assert_int_equal(fakeplat_logged(fake, "the command queue does not move"), 1);
	/* The SMMU has not let go of it, so it is not free. */
	assert_int_equal(weir.table_pages, pages);
	since = fake->now;
	assert_int_equal(iommu->ops->attach(iommu, 0x108, other), -WEIR_ETIMEDOUT);
	iommu->ops->domain_free(other);
	assert_in_range(fake->now - since, 1, 100000000);
	assert_int_equal(fakeplat_logged(fake, "the command queue does not move"), 1);
	smmu.stopped = false;
	assert_int_equal(map(domain, MIB(8), MIB(1), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(8), false));
	assert_int_equal(domain->ops->unmap(domain, MIB(8), KIB(4)), KIB(4));
	assert_false(passes(0x108, MIB(8), false));
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void cons_is_not_believed(void **state)
{
	struct weir_domain *domain = new_domain();

	(void)state;
	attach(0x108, domain);
	assert_int_equal(map(domain, MIB(2), MIB(1), KIB(4), RW), 0);
	smmu.stopped = true;
	/* Far ahead of what was published. */
	*fakesmmu_reg(&smmu, 0x9c) = 0x155;
	assert_int_equal(domain->ops->unmap(domain, MIB(2), KIB(4)), 0);
	assert_int_equal(fakeplat_logged(fake, "the command queue does not move"), 1);
	*fakesmmu_reg(&smmu, 0x9c) = smmu.nr_commands;
	smmu.stopped = false;
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Whatever is in a record, it is somebody's fault. test-smmuv3-events knows each type. */
static void any_event(void **state)
{
	(void)state;
	seed = 99;
	for (int i = 0; i < 5000; i++) {
		uint64_t record[4] = { below(~0ull), below(~0ull), below(~0ull), below(~0ull) };

		fakesmmu_event(&smmu, record);
		assert_int_equal(last_fault()->id, record[0] >> 32);
	}
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENTS), 5000);
}

static void overflow(void **state)
{
	(void)state;
	weir_smmuv3_driver.remove(iommu);
	weir.options.event_queue_entries = 16;
	assert_int_equal(probe(), 0);
	for (unsigned int round = 1; round < 20; round++) {
		for (int i = 0; i < 20; i++)
			assert_false(passes(0x108, 0, false));
		assert_int_equal(nr_overflows, round - 1);
		fakeplat_run(fake);
		assert_int_equal(nr_faults, 16 * round);
		assert_int_equal(smmu.lost, 4 * round);
		assert_int_equal(nr_overflows, round);
		/* Acknowledged, so that the next one shows. */
		assert_int_equal(
			(*fakesmmu_reg(&smmu, 0x100a8) ^ *fakesmmu_reg(&smmu, 0x100ac)) >> 31, 0);
	}
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENTS), 16 * 19);
}

static unsigned int refills;

/* A device that faults as fast as the handler drains: the queue is never seen empty. */
static uint64_t read_and_refill(void *opaque, uint64_t phys, unsigned int size)
{
	for (int i = 0; phys == FAKESMMU_BASE + 0x100a8 && i < 30 && refills; i++, refills--)
		fakesmmu_access(&smmu, 0x108, 0, false);
	return fakesmmu_read(opaque, phys, size);
}

static void a_storm(void **state)
{
	(void)state;
	weir_smmuv3_driver.remove(iommu);
	weir.options.event_queue_entries = 64;
	assert_int_equal(probe(), 0);
	for (int i = 0; i < 32; i++)
		assert_false(passes(0x108, 0, false));
	refills = 3000;
	fake->mmio.read = read_and_refill;
	/* The handler stops after a queue full; no interrupt tells of the rest. */
	while (fakeplat_run(fake))
		;
	assert_int_equal(refills, 0);
	assert_int_equal(nr_faults, 3032);
	assert_int_equal(nr_overflows, 0);
	fake->mmio.read = slow_read;
	assert_false(passes(0x108, 0, false));
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 3033);
}

static void prod_is_not_believed(void **state)
{
	(void)state;
	*fakesmmu_reg(&smmu, 0x100a8) = 0x3fff;
	raise_irq(FAKESMMU_IRQ_EVENTQ);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 0);
	assert_int_equal(fakeplat_logged(fake, "EVENTQ_PROD 0x3fff is beyond the queue"), 1);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x100ac), 0x3fff);
	/* In step again. */
	assert_false(passes(0x108, 0, false));
	assert_string_equal(last_fault()->name, "C_BAD_STREAMID");
	assert_int_equal(nr_faults, 1);
}

static void one_interrupt_for_all(void **state)
{
	(void)state;
	desc.irq_combined = FAKESMMU_IRQ_EVENTQ;
	assert_int_equal(probe(), 0);
	assert_int_equal(fake->irqs_connected, 1);
	assert_false(passes(0x108, 0, false));
	fakesmmu_error(&smmu, 1 << 8);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 1);
	assert_int_equal(fakeplat_logged(fake, "service failure mode"), 1);
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	desc.irq_combined = -1;
	desc.irq_gerror = desc.irq_eventq;
	assert_int_equal(probe(), 0);
	assert_int_equal(fake->irqs_connected, 1);
}

static void global_errors(void **state)
{
	static const struct {
		uint32_t bit;
		const char *line;
	} cases[] = {
		{ 1 << 2, "could not write its event queue" },
		{ 1 << 3, "could not write its page request queue" },
		{ 1 << 4, "an interrupt for CMD_SYNC could not be delivered" },
		{ 1 << 5, "an interrupt for events could not be delivered" },
		{ 1 << 6, "an interrupt for page requests could not be delivered" },
		{ 1 << 7, "an interrupt for errors could not be delivered" },
		{ 1 << 8, "service failure mode" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fakesmmu_error(&smmu, cases[i].bit);
		fakeplat_run(fake);
		assert_int_equal(fakeplat_logged(fake, cases[i].line), 1);
		assert_int_equal(*fakesmmu_reg(&smmu, 0x60), *fakesmmu_reg(&smmu, 0x64));
		/* Only the first of them means that events were lost. */
		assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENT_OVERFLOWS), 1);
	}
	/* Bits that mean nothing are left alone (6.3.20). */
	*fakesmmu_reg(&smmu, 0x60) ^= 1 << 20;
	raise_irq(FAKESMMU_IRQ_GERROR);
	fakeplat_run(fake);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x64) >> 20 & 1, 0);
	/* A flood of errors is not a flood of lines. */
	for (int i = 0; i < 1000; i++) {
		fakesmmu_error(&smmu, 4);
		fakeplat_run(fake);
	}
	assert_in_range(fakeplat_logged(fake, "could not write its event queue"), 2, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_of_queue),
		PROBED(a_refused_command),
		PROBED(a_queue_beyond_repair),
		PROBED(a_queue_that_does_not_move),
		PROBED(cons_is_not_believed),
		PROBED(any_event),
		PROBED(overflow),
		PROBED(a_storm),
		PROBED(prod_is_not_believed),
		FRESH(one_interrupt_for_all),
		PROBED(global_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
