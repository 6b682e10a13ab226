/* SPDX-License-Identifier: MIT */
/*
 * Domains of src/smmuv3 on the model of an SMMUv3 whose caches keep all that they may, and which
 * rejects reserved bits.
 *
 * - Stage 1 and stage 2, with each granule and size of output addresses: what is mapped translates
 *   to where it was mapped, after an unmap nothing does, by whatever ways of invalidation the SMMU
 *   has (ranges, none), over random sequences with blocks, contiguous runs and parts of them.
 * - An SMMU without stage 1 gives the DMA API stage 2.
 * - Every move of a stream among blocked, identity, stage 1, another stage 1 and stage 2 takes
 *   effect on return.
 * - Flags that an SMMU cannot serve are refused.
 * - What a device writes is told once, by 4 KiB pages and by blocks; what it writes after it was
 *   told, however warm the SMMU's caches are, is told the next time.
 */

#include "domainrig.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB MIB(1024)

static uint64_t seed;

static uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static struct weir_domain *new_domain(struct domainrig *rig, unsigned int flags)
{
	struct weir_domain *domain = NULL;

	assert_int_equal(weir_domain_alloc_flags(&rig->dev[0], flags, &domain), 0);
	return domain;
}

static void attach(struct domainrig *rig, unsigned int n, struct weir_domain *domain)
{
	assert_int_equal(weir_domain_attach(domain, &rig->dev[n]), 0);
}

static void detach(struct domainrig *rig, unsigned int n, struct weir_domain *domain)
{
	assert_int_equal(weir_domain_detach(domain, &rig->dev[n]), 0);
}

/* ---- Mapping --------------------------------------------------------------------------------- */

#define WINDOW 2048u /* pages of the domain, twice the largest of its tables of pages */
#define TARGET 0x80000000ull

static uint64_t oracle[WINDOW];

static void check(struct domainrig *rig, uint64_t base, uint64_t page, unsigned int i)
{
	rig_expect(rig, 0, RIG_NO_PASID, base + i * page + 8, below(2),
		   oracle[i] ? oracle[i] + 8 : 0);
}

static void change(struct domainrig *rig, struct weir_domain *domain, uint64_t base, uint64_t page)
{
	static const unsigned int sizes[] = {
		1, 2, 3, 7, 16, 31, 32, 33, 100, 128, 512, 513, 1024
	};
	unsigned int n = sizes[below(WEIR_ARRAY_SIZE(sizes))], at = (unsigned int)below(WINDOW);
	uint64_t phys = TARGET + page * below(4096);
	bool taken = false;

	if (below(2)) {
		at &= ~127u;
		phys &= ~(128 * page - 1);
	}
	n = at + n > WINDOW ? WINDOW - at : n;
	for (unsigned int i = at; i < at + n; i++)
		taken |= oracle[i] != 0;
	if (!taken) {
		assert_int_equal(weir_domain_map(domain, base + at * page, phys, n * page, RIG_RW),
				 0);
		for (unsigned int i = 0; i < n; i++)
			oracle[at + i] = phys + i * page;
	} else {
		/* All of it is cached, before and at the ends too. */
		for (unsigned int i = at; i < at + n; i++)
			check(rig, base, page, i);
		weir_domain_unmap(domain, base + at * page, n * page);
		memset(&oracle[at], 0, n * sizeof(oracle[0]));
	}
	for (unsigned int i = at; i < at + n; i++)
		check(rig, base, page, i);
}

static void random_walk(const struct weir_model_smmuv3_config *config, unsigned int flags,
			unsigned int page_shift)
{
	struct domainrig rig = { .smmu = *config, .mode = WEIR_MODE_PASSTHROUGH };
	uint64_t page = WEIR_BIT(page_shift), base = 3 * GIB - WINDOW / 2 * page;
	struct weir_domain *domain;

	assert_int_equal(rig_up(&rig), 0);
	domain = new_domain(&rig, flags);
	assert_int_equal(weir_domain_page_sizes(domain) & -weir_domain_page_sizes(domain), page);
	memset(oracle, 0, sizeof(oracle));
	seed = 77 + page_shift;
	attach(&rig, 0, domain);
	for (unsigned int i = 0; i < 250; i++) {
		change(&rig, domain, base, page);
		for (int k = 0; k < 8; k++)
			check(&rig, base, page, (unsigned int)below(WINDOW));
	}
	detach(&rig, 0, domain);
	weir_domain_free(domain);
	assert_int_equal(rig.log_lines, 0);
	rig_down(&rig);
}

static void granule(struct weir_model_smmuv3_config *config, unsigned int shift)
{
	rig_set(&config->idr[5], WEIR_SMMU_IDR5_GRAN4K, shift == 12);
	rig_set(&config->idr[5], WEIR_SMMU_IDR5_GRAN16K, shift == 14);
	rig_set(&config->idr[5], WEIR_SMMU_IDR5_GRAN64K, shift == 16);
}

static void each_granule_and_stage(void **state)
{
	(void)state;
	for (unsigned int shift = 12; shift <= 16; shift += 2) {
		for (int stage = 1; stage <= 2; stage++) {
			struct weir_model_smmuv3_config config = rig_features();

			granule(&config, shift);
			random_walk(&config, stage == 2 ? WEIR_DOMAIN_NEST_PARENT : 0, shift);
			/* Without ranges, and where blocks cannot be split in place. */
			rig_set(&config.idr[3], WEIR_SMMU_IDR3_RIL, 0);
			rig_set(&config.idr[3], WEIR_SMMU_IDR3_BBML, 0);
			config.aidr = 1;
			random_walk(&config, stage == 2 ? WEIR_DOMAIN_NEST_PARENT : 0, shift);
		}
	}
}

static void each_output_size(void **state)
{
	(void)state;
	for (uint32_t ps = WEIR_SMMU_PS_32; ps <= WEIR_SMMU_PS_52; ps++) {
		struct weir_model_smmuv3_config config = rig_features();

		rig_set(&config.idr[5], WEIR_SMMU_IDR5_OAS, ps);
		if (ps == WEIR_SMMU_PS_52) {
			granule(&config, 16);
			rig_set(&config.idr[5], WEIR_SMMU_IDR5_VAX, WEIR_SMMU_IDR5_VAX_52);
		}
		random_walk(&config, 0, ps == WEIR_SMMU_PS_52 ? 16 : 12);
		random_walk(&config, WEIR_DOMAIN_NEST_PARENT, ps == WEIR_SMMU_PS_52 ? 16 : 12);
	}
}

static void only_stage2(void **state)
{
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_domain *domain;
	weir_dma_t first, last;
	weir_phys_t page;

	(void)state;
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_S1P, 0);
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_CD2L, 0);
	rig_set(&rig.smmu.idr[3], WEIR_SMMU_IDR3_HAD, 0);
	assert_int_equal(rig_up(&rig), 0);
	page = rig_page(&rig);
	domain = weir_device_dma_domain(&rig.dev[1]);
	weir_domain_aperture(domain, &first, &last);
	assert_int_equal(last, WEIR_BIT(44) - 1);
	assert_int_equal(weir_domain_map(domain, MIB(1), page, KIB(4), RIG_RW), 0);
	rig_expect(&rig, 1, RIG_NO_PASID, MIB(1), true, page);
	assert_int_equal(weir_domain_unmap(domain, MIB(1), KIB(4)), KIB(4));
	rig_expect(&rig, 1, RIG_NO_PASID, MIB(1), true, 0);
	assert_int_equal(weir_domain_alloc_flags(&rig.dev[0], WEIR_DOMAIN_NEST_PARENT, &domain),
			 -WEIR_EOPNOTSUPP);
	rig_page_free(&rig, page);
	rig_down(&rig);
}

/* ---- Moving ---------------------------------------------------------------------------------- */

static void each_move(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = WEIR_MODE_PASSTHROUGH };
	struct weir_domain *to[4] = { NULL };

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	for (unsigned int i = 1; i < 4; i++) {
		to[i] = new_domain(&rig, i == 3 ? WEIR_DOMAIN_NEST_PARENT : 0);
		assert_int_equal(weir_domain_map(to[i], MIB(1), TARGET + MIB(i), KIB(4), RIG_RW),
				 0);
	}
	/* By way of identity alone, as the API has it. */
	for (unsigned int i = 0; i < 3 * 3; i++) {
		unsigned int a = 1 + i / 3, b = 1 + i % 3;

		rig_expect(&rig, 2, RIG_NO_PASID, MIB(1), true, MIB(1));
		attach(&rig, 2, to[a]);
		rig_expect(&rig, 2, RIG_NO_PASID, MIB(1), true, TARGET + MIB(a));
		detach(&rig, 2, to[a]);
		attach(&rig, 2, to[b]);
		rig_expect(&rig, 2, RIG_NO_PASID, MIB(1), true, TARGET + MIB(b));
		detach(&rig, 2, to[b]);
	}
	for (unsigned int i = 1; i < 4; i++)
		weir_domain_free(to[i]);
	rig_down(&rig);
}

static void refused_flags(void **state)
{
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_domain *domain;

	(void)state;
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_S2P, 0);
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_HTTU, WEIR_SMMU_IDR0_HTTU_AF);
	rig_set(&rig.smmu.idr[1], WEIR_SMMU_IDR1_SSIDSIZE, 0);
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_VMID16, 0);
	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_CD2L, 0);
	assert_int_equal(rig_up(&rig), 0);
	for (unsigned int flags = 1; flags < 0x20; flags++)
		assert_int_equal(weir_domain_alloc_flags(&rig.dev[0], flags, &domain),
				 -WEIR_EOPNOTSUPP);
	domain = new_domain(&rig, 0);
	assert_int_equal(weir_domain_set_dirty_tracking(domain, true), -WEIR_EOPNOTSUPP);
	weir_domain_free(domain);
	rig_down(&rig);
}

/* ---- Dirty ----------------------------------------------------------------------------------- */

struct told {
	unsigned int count;
	uint64_t iova, bytes;
};

static void tell(void *arg, weir_dma_t iova, uint64_t size)
{
	struct told *told = arg;

	told->count++;
	told->iova = (uint64_t)iova;
	told->bytes += size;
}

static struct told dirty(struct weir_domain *domain, uint64_t iova, uint64_t size,
			 unsigned int flags)
{
	struct told told = { 0 };

	assert_int_equal(weir_domain_read_and_clear_dirty(domain, iova, size, flags, tell, &told),
			 0);
	return told;
}

static void check_dirty(unsigned int flags)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = WEIR_MODE_PASSTHROUGH };
	struct weir_domain *domain;
	struct told told;

	assert_int_equal(rig_up(&rig), 0);
	domain = new_domain(&rig, flags | WEIR_DOMAIN_DIRTY_TRACKING);
	attach(&rig, 0, domain);
	assert_int_equal(weir_domain_map(domain, MIB(2), TARGET, MIB(2), RIG_RW), 0);
	assert_int_equal(weir_domain_map(domain, MIB(4), TARGET + KIB(4), KIB(64), RIG_RW), 0);
	rig_expect(&rig, 0, RIG_NO_PASID, MIB(4), true, TARGET + KIB(4));
	assert_int_equal(weir_domain_read_and_clear_dirty(domain, MIB(2), MIB(2), 0, NULL, NULL),
			 -WEIR_EINVAL);
	/* What was written before is not told. */
	assert_int_equal(weir_domain_set_dirty_tracking(domain, true), 0);
	assert_int_equal(dirty(domain, MIB(2), MIB(4), 0).count, 0);
	for (int round = 0; round < 3; round++) {
		rig_expect(&rig, 0, RIG_NO_PASID, MIB(4) + KIB(8), false, TARGET + KIB(12));
		rig_expect(&rig, 0, RIG_NO_PASID, MIB(4) + KIB(4), true, TARGET + KIB(8));
		told = dirty(domain, MIB(4), MIB(2), WEIR_DIRTY_NO_CLEAR);
		assert_int_equal(told.count, 1);
		told = dirty(domain, MIB(4), MIB(2), 0);
		assert_int_equal(told.count, 1);
		assert_int_equal(told.iova, MIB(4) + KIB(4));
		assert_int_equal(told.bytes, KIB(4));
		assert_int_equal(dirty(domain, MIB(2), MIB(4), 0).count, 0);
	}
	for (int round = 0; round < 3; round++) {
		rig_expect(&rig, 0, RIG_NO_PASID, MIB(3), true, TARGET + MIB(1));
		assert_int_equal(dirty(domain, MIB(2), KIB(4), 0).bytes, MIB(2));
		assert_int_equal(dirty(domain, MIB(2), MIB(2), 0).count, 0);
	}
	assert_int_equal(weir_domain_set_dirty_tracking(domain, false), 0);
	assert_int_equal(weir_domain_read_and_clear_dirty(domain, MIB(2), MIB(2), 0, NULL, NULL),
			 -WEIR_EINVAL);
	detach(&rig, 0, domain);
	weir_domain_free(domain);
	rig_down(&rig);
}

static void what_is_written_is_told_once(void **state)
{
	(void)state;
	check_dirty(0);
	check_dirty(WEIR_DOMAIN_NEST_PARENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_granule_and_stage),
		cmocka_unit_test(each_output_size),
		cmocka_unit_test(only_stage2),
		cmocka_unit_test(each_move),
		cmocka_unit_test(refused_flags),
		cmocka_unit_test(what_is_written_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
