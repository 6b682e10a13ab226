/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3 against a small SMMU that caches all it may for as long as it may (fakesmmu.h): taking
 * it over, streams, domains.
 *
 * - A probe that cannot succeed says why, gives the documented error and leaves nothing behind:
 *   dead registers, each missing feature, each acknowledgement that never comes, each failed
 *   allocation. What firmware let through is blocked then too.
 * - Taking over a running SMMU, enabling, removing: at no moment does an access pass that no domain
 *   allows; no register is written while what guards it is enabled; every command is legal.
 * - Every stream is blocked, and each access recorded, until it is attached; every change among
 *   blocked, identity and domains takes effect on return, with linear and two-level tables, which
 *   grow.
 * - An attach that the SMMU does not confirm leaves the stream as it was; one that was to block it
 *   leaves it blocked.
 * - After an unmap no access gets through, not by any leaf or table that the SMMU may have kept,
 *   over random sequences, with and without range invalidation, for every way of splitting blocks.
 * - A map that fails leaves nothing that a device may have seen; an ASID is reused with nothing
 *   cached.
 */

#include "smmubench.h"

/* ---- Probe ----------------------------------------------------------------------------------- */

static void expect_probe(int error, const char *line)
{
	unsigned int before = fakeplat_logged(fake, line);

	assert_int_equal(probe(), error);
	assert_null(iommu);
	assert_int_equal(fakeplat_logged(fake, line), before + 1);
}

static void dead_registers(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < 0x20; offset += 4)
		*fakesmmu_reg(&smmu, offset) = 0xffffffff;
	expect_probe(-WEIR_ENODEV, "no SMMUv3 answers: IDR0 0xffffffff, IDR1 0xffffffff");
	for (uint32_t offset = 0; offset < 0x20; offset += 4)
		*fakesmmu_reg(&smmu, offset) = 0;
	expect_probe(-WEIR_ENODEV, "no SMMUv3 answers: IDR0 0x0, IDR1 0x0");
	fakesmmu_init(&smmu, fake, raise_irq);
	*fakesmmu_reg(&smmu, 0x1c) = 0x11;
	expect_probe(-WEIR_ENODEV, "AIDR 0x11");
	desc.size = 0x10000;
	expect_probe(-WEIR_EINVAL, "0x10000 bytes, an SMMUv3 has 0x20000");
	desc.size = 0x20000;
	fake->fail_mmio_map = 1;
	expect_probe(-WEIR_ENOMEM, "its registers at 0x9050000 cannot be mapped");
}

static void missing_features(void **state)
{
	static const struct {
		uint32_t offset, clear, set;
		const char *line;
	} cases[] = {
		{ 0x0, 3, 0, "lacks translation (IDR0.S1P or S2P)" },
		{ 0x0, 3 << 2, 1 << 2, "lacks AArch64 translation tables (IDR0.TTF)" },
		{ 0x14, 7 << 4, 0, "lacks pages of any size (IDR5.GRAN4K, GRAN16K or GRAN64K)" },
		{ 0x0, 3 << 21, 3 << 21, "lacks little-endian tables (IDR0.TTENDIAN)" },
		{ 0x0, 3 << 24, 2 << 24, "lacks faults that do not stall (IDR0.STALL_MODEL)" },
		{ 0x4, 0, 1 << 30,
		  "lacks a stream table where software puts it (IDR1.TABLES_PRESET)" },
		{ 0x4, 0, 1 << 29, "lacks queues where software puts them (IDR1.QUEUES_PRESET)" },
		{ 0x4, 63, 33, "lacks a sane width of stream IDs (IDR1.SIDSIZE)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t *reg = fakesmmu_reg(&smmu, cases[i].offset), old = *reg;

		*reg = (old & ~cases[i].clear) | cases[i].set;
		expect_probe(-WEIR_EOPNOTSUPP, cases[i].line);
		*reg = old;
	}
}

/* As firmware may leave it: on, and letting accesses through. */
static void run_wild(void)
{
	fakesmmu_init(&smmu, fake, raise_irq);
	*fakesmmu_reg(&smmu, 0x20) = *fakesmmu_reg(&smmu, 0x24) = 1;
	*fakesmmu_reg(&smmu, 0x44) = 0;
	*fakesmmu_reg(&smmu, 0x50) = *fakesmmu_reg(&smmu, 0x54) = 4;
}

static void expect_blocked(int ret, int error)
{
	assert_int_equal(ret, error);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24) & 1, 0);
	assert_false(passes(3, 0x1234, true));
}

static void a_failed_probe_blocks_all_the_same(void **state)
{
	(void)state;
	/* One that lacks something. */
	run_wild();
	*fakesmmu_reg(&smmu, 0x14) &= ~(7u << 4);
	expect_blocked(probe(), -WEIR_EOPNOTSUPP);
	/* One that does not let go of its interrupts. */
	run_wild();
	smmu.frozen_irq_ctrl = 4;
	expect_blocked(probe(), -WEIR_ETIMEDOUT);
	/* No memory. Before its registers are mapped nothing can be done. */
	for (uint64_t n = 1; n < 100; n++) {
		int ret;

		run_wild();
		fake->fail_mmio_map = 1;
		fake->fail_alloc = n;
		ret = probe();
		if (!fake->fail_mmio_map) {
			fake->fail_alloc = n;
			ret = probe();
			if (!ret)
				break;
			expect_blocked(ret, -WEIR_ENOMEM);
		}
		weir_heap_fini(&weir.heap);
		weir_heap_init(&weir.heap, fake, false);
	}
	fake->fail_alloc = 0;
	assert_non_null(iommu);
}

static void acknowledgements_that_never_come(void **state)
{
	static const uint32_t cr0_bits[] = { 1, 4, 8 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		smmu.frozen_cr0 = cr0_bits[i];
		expect_probe(-WEIR_ETIMEDOUT, "SMMU_CR0ACK stays at");
		fakesmmu_init(&smmu, fake, raise_irq);
	}
	smmu.frozen_irq_ctrl = 4;
	expect_probe(-WEIR_ETIMEDOUT, "SMMU_IRQ_CTRLACK stays at");
	fakesmmu_init(&smmu, fake, raise_irq);
	smmu.frozen_gbpa = true;
	expect_probe(-WEIR_ETIMEDOUT, "SMMU_GBPA stays at");
	fakesmmu_init(&smmu, fake, raise_irq);
	smmu.stopped = true;
	expect_probe(-WEIR_ETIMEDOUT, "the command queue does not move: PROD 0x3, CONS 0x0");
}

static void each_failed_allocation(void **state)
{
	uint64_t n = 0;
	int ret;

	(void)state;
	do {
		fake->fail_alloc = ++n;
		ret = probe();
		fake->fail_alloc = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -WEIR_ENOMEM);
		weir_heap_fini(&weir.heap);
		weir_heap_init(&weir.heap, fake, false);
		assert_int_equal(fake->pages_in_use, 0);
	} while (n < 100);
	assert_true(n > 6);
	/* And of a domain. */
	for (n = 1; n < 100; n++) {
		struct weir_domain *domain;

		fake->fail_alloc = n;
		ret = iommu->ops->domain_alloc(iommu, 0, &domain);
		fake->fail_alloc = 0;
		if (!ret) {
			iommu->ops->domain_free(domain);
			break;
		}
		assert_int_equal(ret, -WEIR_ENOMEM);
	}
	assert_true(n > 1);
}

static void an_interrupt_that_cannot_be_had(void **state)
{
	(void)state;
	desc.irq_gerror = FAKEPLAT_IRQS + 1;
	expect_probe(-WEIR_EINVAL, "interrupt 1025 cannot be connected");
	desc.irq_gerror = desc.irq_eventq = -1;
	assert_int_equal(probe(), 0);
	assert_int_equal(fakeplat_logged(fake, "blocked accesses will not be reported"), 1);
	assert_int_equal(fake->irqs_connected, 0);
}

static void taking_over_a_running_one(void **state)
{
	(void)state;
	*fakesmmu_reg(&smmu, 0x20) = *fakesmmu_reg(&smmu, 0x24) = 0xd;
	*fakesmmu_reg(&smmu, 0x50) = *fakesmmu_reg(&smmu, 0x54) = 5;
	*fakesmmu_reg(&smmu, 0x60) = 0x105;
	assert_int_equal(probe(), 0);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24), 0xd);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x44), 0x101000);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x60), *fakesmmu_reg(&smmu, 0x64));
	/* Everything that was cached went before. */
	assert_int_equal(smmu.commands[0][0], 0x04);
	assert_int_equal(smmu.commands[0][1], 31);
	assert_int_equal(smmu.commands[1][0], 0x30);
	assert_int_equal(smmu.commands[2][0], 0x46);
	assert_int_equal(smmu.nr_commands, 3);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_COMMANDS), 3);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_SYNCS), 1);
	assert_int_equal(iommu->last, 0xffffffffffff);
	assert_int_equal(iommu->page_sizes, 0x40201000);
	assert_int_equal(iommu->phandle, 7);
	for (uint32_t id = 0; id < 0x10000; id += 77)
		assert_false(passes(id, KIB(4), false));
}

static void mode_off(void **state)
{
	struct weir_domain *domain;

	(void)state;
	weir.mode = WEIR_MODE_OFF;
	*fakesmmu_reg(&smmu, 0x20) = *fakesmmu_reg(&smmu, 0x24) = 1;
	*fakesmmu_reg(&smmu, 0x44) = 1 << 20;
	assert_int_equal(probe(), 0);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24), 0);
	assert_true(passes(3, 0x1234, true));
	assert_int_equal(smmu.out, 0x1234);
	assert_int_equal(iommu->ops->domain_alloc(iommu, 0, &domain), -WEIR_ENODEV);
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	assert_false(passes(3, 0x1234, true));
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void each_change_of_a_stream(void **state)
{
	struct weir_domain *states[4] = { iommu->blocked, iommu->identity, new_domain(),
					  new_domain() };
	static const uint64_t outs[4] = { 0, MIB(2), MIB(4), MIB(8) };

	(void)state;
	assert_int_equal(map(states[2], MIB(2), MIB(4), KIB(4), RW), 0);
	assert_int_equal(map(states[3], MIB(2), MIB(8), KIB(4), RW), 0);
	for (int from = 0; from < 4; from++) {
		for (int to = 0; to < 4; to++) {
			attach(0x108, states[from]);
			assert_int_equal(passes(0x108, MIB(2), true), from > 0);
			attach(0x108, states[to]);
			assert_int_equal(passes(0x108, MIB(2), true), to > 0);
			if (to)
				assert_int_equal(smmu.out, outs[to]);
			/* Its neighbours are as they were. */
			assert_false(passes(0x107, MIB(2), false));
			assert_false(passes(0x109, MIB(2), false));
		}
	}
	attach(0x108, states[0]);
	iommu->ops->domain_free(states[2]);
	iommu->ops->domain_free(states[3]);
}

static void blocked_is_recorded(void **state)
{
	struct weir_domain *domain = new_domain();

	(void)state;
	/* No second-level table; then a table, but nobody's stream; then beyond the table. */
	assert_false(passes(0x208, KIB(4), false));
	assert_string_equal(last_fault()->name, "C_BAD_STREAMID");
	assert_int_equal(last_fault()->reason, WEIR_FAULT_BAD_STREAM);
	assert_int_equal(last_fault()->id, 0x208);
	attach(0x209, domain);
	assert_false(passes(0x208, KIB(4), false));
	assert_string_equal(last_fault()->name, "C_BAD_STE");
	assert_int_equal(last_fault()->reason, WEIR_FAULT_BAD_STREAM);
	assert_false(last_fault()->has_address);
	assert_false(passes(0x10000, KIB(4), false));
	assert_string_equal(last_fault()->name, "C_BAD_STREAMID");
	assert_false(passes(0x209, 0x12345678, true));
	assert_string_equal(last_fault()->name, "F_TRANSLATION");
	assert_int_equal(last_fault()->reason, WEIR_FAULT_TRANSLATION);
	assert_int_equal(last_fault()->address, 0x12345678);
	assert_true(last_fault()->write && last_fault()->has_address);
	assert_ptr_equal(last_fault()->iommu, iommu);
	assert_int_equal(nr_faults, 4);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENTS), 4);
	attach(0x209, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void check_table(uint32_t idr0, bool linear, uint32_t sid_bits, uint64_t ids, bool grows)
{
	struct weir_domain *domain;
	uint64_t pages;

	start();
	*fakesmmu_reg(&smmu, 0x0) = idr0;
	*fakesmmu_reg(&smmu, 0x4) = (0x02730010 & ~63u) | sid_bits;
	weir.options.linear_stream_table = linear;
	assert_int_equal(probe(), 0);
	domain = new_domain();
	assert_int_equal(map(domain, 0, MIB(1), KIB(4), RW), 0);
	/* What is known of a stream lies in the heap: it has a page from here on. */
	attach(0, domain);
	pages = fake->pages_in_use;
	for (uint64_t id = ids - 1; id; id = id * 2 / 5) {
		assert_int_equal(iommu->ops->check_id(iommu, (uint32_t)id), 0);
		assert_false(passes((uint32_t)id, 0, false));
		attach((uint32_t)id, domain);
		assert_true(passes((uint32_t)id, 0, false));
	}
	assert_int_equal(fake->pages_in_use > pages, grows);
	if (ids < GIB(4)) {
		assert_int_equal(iommu->ops->check_id(iommu, (uint32_t)ids), -WEIR_ERANGE);
		assert_int_equal(iommu->ops->attach(iommu, (uint32_t)ids, domain), -WEIR_ERANGE);
	}
	iommu->ops->domain_free(domain);
	stop();
}

static void tables_of_all_sizes(void **state)
{
	(void)state;
	check_table(0x0d44101b, false, 16, 1 << 16, true);
	check_table(0x0d44101b, false, 9, 1 << 9, true);
	check_table(0x0d44101b, false, 8, 1 << 8, false);
	check_table(0x0d44101b, false, 32, 1 << 25, true);
	/* Asked for a linear one. */
	check_table(0x0d44101b, true, 16, 1 << 16, false);
	check_table(0x0544101b, false, 16, 1 << 16, false);
	check_table(0x0544101b, false, 20, 1 << 16, false);
	check_table(0x0544101b, false, 1, 2, false);
}

static void no_memory_to_grow(void **state)
{
	struct weir_domain *domain = new_domain();

	(void)state;
	fake->fail_alloc = 1;
	assert_int_equal(iommu->ops->attach(iommu, 0x300, domain), -WEIR_ENOMEM);
	fake->fail_alloc = 0;
	assert_int_equal(map(domain, 0, MIB(1), KIB(4), RW), 0);
	assert_false(passes(0x300, 0, false));
	attach(0x300, domain);
	assert_true(passes(0x300, 0, false));
	attach(0x300, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void an_attach_that_is_not_confirmed(void **state)
{
	struct weir_domain *domain = new_domain();

	(void)state;
	assert_int_equal(map(domain, 0, MIB(1), KIB(4), RW), 0);
	attach(0x108, iommu->identity);
	smmu.stopped = true;
	assert_int_equal(iommu->ops->attach(iommu, 0x108, domain), -WEIR_ETIMEDOUT);
	assert_int_equal(iommu->ops->attach(iommu, 0x508, domain), -WEIR_ETIMEDOUT);
	smmu.stopped = false;
	assert_true(passes(0x108, MIB(7), false));
	assert_int_equal(smmu.out, MIB(7));
	assert_false(passes(0x508, 0, false));
	attach(0x508, domain);
	assert_true(passes(0x508, 0, false));
	attach(0x508, iommu->blocked);
	iommu->ops->domain_free(domain);
}

/* A stream that was to be blocked is not opened again when the SMMU comes back. */
static void blocking_that_is_not_confirmed(void **state)
{
	(void)state;
	attach(0x108, iommu->identity);
	assert_true(passes(0x108, MIB(7), false));
	smmu.stopped = true;
	assert_int_equal(iommu->ops->attach(iommu, 0x108, iommu->blocked), -WEIR_ETIMEDOUT);
	smmu.stopped = false;
	attach(0x109, iommu->identity);
	assert_false(passes(0x108, MIB(7), false));
	attach(0x109, iommu->blocked);
}

/* ---- Mapping --------------------------------------------------------------------------------- */

#define WINDOW 2048u /* pages, twice: across a border of 1 GiB */

struct oracle {
	uint64_t phys[WINDOW];
};

static void touch(struct oracle *oracle, uint64_t base, unsigned int page)
{
	uint64_t phys = oracle->phys[page];
	bool got = passes(0x108, base + page * KIB(4) + 8, below(2));

	assert_int_equal(got, phys != 0);
	if (got)
		assert_int_equal(smmu.out, phys + 8);
}

static void random_step(struct weir_domain *domain, struct oracle *oracle, uint64_t base)
{
	static const unsigned int sizes[] = { 1, 1, 2, 3, 7, 31, 32, 33, 100, 512, 513, 1024 };
	unsigned int n = sizes[below(sizeof(sizes) / sizeof(sizes[0]))],
		     first = (unsigned int)below(WINDOW);
	uint64_t phys = MIB(2) * (1 + below(1000)), bytes = 0;
	bool taken = false;

	if (n >= 512 && below(2))
		first &= ~511u;
	else
		phys += KIB(4) * below(512);
	if (first + n > WINDOW)
		n = WINDOW - first;
	if (below(2)) {
		for (unsigned int i = first; i < first + n; i++)
			taken |= oracle->phys[i] != 0;
		assert_int_equal(map(domain, base + first * KIB(4), phys, n * KIB(4), RW),
				 taken ? -WEIR_EEXIST : 0);
		for (unsigned int i = first; i < first + n && !taken; i++)
			oracle->phys[i] = phys + (i - first) * KIB(4);
	} else {
		for (unsigned int i = first; i < first + n; i++) {
			bytes += oracle->phys[i] ? KIB(4) : 0;
			oracle->phys[i] = 0;
		}
		assert_int_equal(domain->ops->unmap(domain, base + first * KIB(4), n * KIB(4)),
				 bytes);
		/* At once: each page of what went, through all that is cached. */
		for (unsigned int i = first; i<first + n; i += n> 64 ? 37 : 1)
			touch(oracle, base, i);
	}
}

static void check_random(uint32_t idr0, uint32_t idr3, unsigned int steps)
{
	uint64_t base = GIB(3) - WINDOW / 2 * KIB(4);
	static struct oracle oracle;
	struct weir_domain *domain;

	start();
	*fakesmmu_reg(&smmu, 0x0) = idr0;
	*fakesmmu_reg(&smmu, 0xc) = idr3;
	assert_int_equal(probe(), 0);
	memset(&oracle, 0, sizeof(oracle));
	domain = new_domain();
	attach(0x108, domain);
	seed = 12345 + idr3;
	for (unsigned int i = 0; i < steps; i++) {
		random_step(domain, &oracle, base);
		for (int j = 0; j < 8; j++)
			touch(&oracle, base, (unsigned int)below(WINDOW));
	}
	assert_true(smmu.next_cached > steps);
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
	if (!(idr0 & 1 << 4))
		assert_true(fake->cache_cleans > steps && fake->cache_invalidates > 0);
	stop();
}

static void nothing_stale_gets_through(void **state)
{
	(void)state;
	check_random(0x0d44101b, 0x1414, 3000); /* ranges, BBM level 2 */
	check_random(0x0d44101b, 0x0414, 3000); /* ranges, level 0 */
	check_random(0x0d44101b, 0x1014, 3000); /* no ranges, level 2 */
	check_random(0x0d44101b, 0x0014, 3000); /* neither */
	check_random(0x0d44100b, 0x0c14, 1000); /* ranges, level 1, does not snoop */
}

/*
 * A table of pages that is empty, but that the SMMU knows, goes together with a block beside it: no
 * entry that the SMMU may keep leads to it, or lies in what was unmapped.
 */
static void check_empty_table(uint32_t idr3, uint64_t block)
{
	uint64_t page = GIB(4) + block / 2 + KIB(8);
	struct weir_domain *domain;

	start();
	*fakesmmu_reg(&smmu, 0xc) = idr3;
	assert_int_equal(probe(), 0);
	domain = new_domain();
	attach(0x108, domain);
	assert_int_equal(map(domain, page, MIB(1), KIB(4), RW), 0);
	assert_true(passes(0x108, page, false));
	assert_int_equal(domain->ops->unmap(domain, page, KIB(4)), KIB(4));
	assert_int_equal(map(domain, GIB(4) + block, GIB(8), block, RW), 0);
	assert_true(passes(0x108, GIB(4) + block, false));
	assert_int_equal(domain->ops->unmap(domain, GIB(4), 2 * block), block);
	for (unsigned int i = 0; i < FAKESMMU_CACHED; i++) {
		const struct fakesmmu_cached *c = &smmu.cache[i];
		uint64_t span = (uint64_t)1 << (39 - 9 * c->level);

		assert_false(c->valid && c->base >= GIB(4) && c->base + span <= GIB(4) + 2 * block);
	}
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
	stop();
}

static void tables_that_went_are_forgotten(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		check_empty_table(i ? 0x14 : 0x1414, MIB(2));
		check_empty_table(i ? 0x14 : 0x1414, GIB(1));
	}
}

static void a_map_that_fails_is_invalidated(void **state)
{
	struct weir_domain *domain = new_domain();
	struct weir_extent extents[2] = { { MIB(4), MIB(2) }, { MIB(8), MIB(2) } };
	unsigned int before;

	(void)state;
	attach(0x108, domain);
	assert_int_equal(map(domain, MIB(4), MIB(100), KIB(4), RW), 0);
	assert_true(passes(0x108, MIB(4), true));
	before = smmu.nr_commands;
	assert_int_equal(domain->ops->map(domain, MIB(2), extents, 2, RW), -WEIR_EEXIST);
	/* The device may have seen [2 MiB, 4 MiB). */
	assert_int_equal(smmu.nr_commands - before, 2);
	assert_false(passes(0x108, MIB(2), false));
	assert_true(passes(0x108, MIB(4), true));
	/* Refused before anything was written: nothing to invalidate. */
	before = smmu.nr_commands;
	assert_int_equal(map(domain, MIB(4), MIB(4), KIB(4), RW), -WEIR_EEXIST);
	assert_int_equal(map(domain, MIB(6), MIB(4), KIB(1), RW), -WEIR_EINVAL);
	assert_int_equal(domain->ops->unmap(domain, GIB(7), GIB(1)), 0);
	assert_int_equal(smmu.nr_commands, before);
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

static void protections(void **state)
{
	struct weir_domain *domain = new_domain();
	weir_phys_t phys;

	(void)state;
	attach(0x108, domain);
	assert_int_equal(map(domain, KIB(4), MIB(1), KIB(4), WEIR_IOMMU_READ), 0);
	assert_true(passes(0x108, KIB(4), false));
	assert_false(passes(0x108, KIB(4), true));
	assert_string_equal(last_fault()->name, "F_PERMISSION");
	assert_int_equal(last_fault()->reason, WEIR_FAULT_PERMISSION);
	assert_int_equal(domain->ops->iova_to_phys(domain, KIB(4) + 5, &phys), 0);
	assert_int_equal(phys, MIB(1) + 5);
	assert_int_equal(domain->ops->iova_to_phys(domain, KIB(8), &phys), -WEIR_ENOENT);
	attach(0x108, iommu->blocked);
	iommu->ops->domain_free(domain);
}

/* One range invalidation and one CMD_SYNC for an unmap of any size up to 2 MiB, as for 4 KiB. */
static void commands_for_an_unmap(void **state)
{
	struct weir_domain *domain = new_domain();

	(void)state;
	for (uint64_t size = KIB(4); size <= MIB(2); size *= 2) {
		unsigned int before = smmu.nr_commands;

		assert_int_equal(map(domain, MIB(2), MIB(2), size, RW), 0);
		assert_int_equal(smmu.nr_commands, before);
		assert_int_equal(domain->ops->unmap(domain, MIB(2), size), size);
		assert_int_equal(smmu.nr_commands, before + 2);
		assert_int_equal(smmu.commands[before + 1][0], 0x46);
	}
	iommu->ops->domain_free(domain);
}

static void asids_are_not_reused_too_early(void **state)
{
	struct weir_domain *domain;

	(void)state;
	for (int i = 0; i < 3; i++) {
		domain = new_domain();
		assert_int_equal(map(domain, KIB(4), MIB(1 + i), KIB(4), RW), 0);
		attach(0x108, domain);
		assert_true(passes(0x108, KIB(4), false));
		assert_int_equal(smmu.out, MIB(1 + i));
		attach(0x108, iommu->blocked);
		iommu->ops->domain_free(domain);
		/* Nothing of it is cached any more. */
		for (unsigned int j = 0; j < FAKESMMU_CACHED; j++)
			assert_false(smmu.cache[j].valid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(dead_registers),
		FRESH(missing_features),
		FRESH(a_failed_probe_blocks_all_the_same),
		FRESH(acknowledgements_that_never_come),
		FRESH(each_failed_allocation),
		FRESH(an_interrupt_that_cannot_be_had),
		FRESH(taking_over_a_running_one),
		FRESH(mode_off),
		PROBED(each_change_of_a_stream),
		PROBED(blocked_is_recorded),
		cmocka_unit_test(tables_of_all_sizes),
		PROBED(no_memory_to_grow),
		PROBED(an_attach_that_is_not_confirmed),
		PROBED(blocking_that_is_not_confirmed),
		cmocka_unit_test(nothing_stale_gets_through),
		cmocka_unit_test(tables_that_went_are_forgotten),
		PROBED(a_map_that_fails_is_invalidated),
		PROBED(protections),
		PROBED(commands_for_an_unmap),
		PROBED(asids_are_not_reused_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
