/* SPDX-License-Identifier: MIT */
/*
 * PASIDs, of src/iommu and src/smmuv3, on the model of an SMMUv3 whose caches keep all that they
 * may.
 *
 * - Each PASID has the domain that it was attached to and no other, at once after an attach and a
 *   detach, over random sequences, in linear tables and in two levels; what bears no PASID stays in
 *   the device's own domain, or bypasses. PASID 0 leads nowhere, ever.
 * - The device itself moves among identity and domains of stage 1 under its PASIDs.
 * - What is not there or not allowed is refused with the documented error; a domain with a PASID in
 *   it is not freed; a device that is removed leaves none.
 * - Out of memory at every allocation of an attach: an error, nothing leaked, nothing else changed.
 */

#include "domainrig.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define TARGET 0x80000000ull
#define DOMAINS 4u

static uint64_t seed;

static uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static uint64_t target(unsigned int d)
{
	return TARGET + MIB(16) * (d + 1);
}

/* Each maps all that another one maps, elsewhere. */
static void make_domains(struct domainrig *rig, struct weir_domain **domains)
{
	for (unsigned int d = 0; d < DOMAINS; d++) {
		assert_int_equal(
			weir_domain_alloc_flags(&rig->dev[0], WEIR_DOMAIN_PASID, &domains[d]), 0);
		assert_int_equal(weir_domain_map(domains[d], MIB(1), target(d), KIB(8), RIG_RW), 0);
	}
}

static void free_domains(struct weir_domain **domains)
{
	for (unsigned int d = 0; d < DOMAINS; d++)
		weir_domain_free(domains[d]);
}

/* ---- Random ---------------------------------------------------------------------------------- */

#define PASIDS 12u

struct walk {
	struct domainrig *rig;
	struct weir_domain *domains[DOMAINS];
	uint32_t pasid[PASIDS];
	int in[PASIDS]; /* -1: none */
	int own;	/* the device's; -1: bypass */
};

static void look(struct walk *w, unsigned int i)
{
	rig_expect(w->rig, 1, w->pasid[i], MIB(1), below(2),
		   w->in[i] < 0 ? 0 : target((unsigned int)w->in[i]));
	rig_expect(w->rig, 1, RIG_NO_PASID, MIB(1), below(2),
		   w->own < 0 ? MIB(1) : target((unsigned int)w->own));
}

static void change_pasid(struct walk *w, unsigned int i)
{
	struct weir_device *dev = &w->rig->dev[1];
	unsigned int d = (unsigned int)below(DOMAINS);

	if (w->in[i] < 0) {
		assert_int_equal(weir_domain_attach_pasid(w->domains[d], dev, w->pasid[i]), 0);
		w->in[i] = (int)d;
	} else {
		assert_int_equal(weir_domain_attach_pasid(w->domains[d], dev, w->pasid[i]),
				 -WEIR_EBUSY);
		assert_int_equal(weir_domain_detach_pasid(dev, w->pasid[i]), 0);
		w->in[i] = -1;
	}
}

static void move_device(struct walk *w)
{
	struct weir_device *dev = &w->rig->dev[1];

	if (w->own >= 0) {
		assert_int_equal(weir_domain_detach(w->domains[w->own], dev), 0);
		w->own = -1;
	} else {
		w->own = (int)below(DOMAINS);
		assert_int_equal(weir_domain_attach(w->domains[w->own], dev), 0);
	}
}

static void walk(uint8_t bits, bool two_levels)
{
	struct domainrig rig = { .smmu = rig_features(),
				 .mode = WEIR_MODE_PASSTHROUGH,
				 .pasid_bits = bits };
	struct walk w = { .rig = &rig, .own = -1 };
	uint32_t limit = 1u << (two_levels || bits < 10 ? bits : 10);
	uint64_t out;

	rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_CD2L, two_levels);
	assert_int_equal(rig_up(&rig), 0);
	make_domains(&rig, w.domains);
	seed = 99 + bits;
	for (unsigned int i = 0; i < PASIDS; i++) {
		w.in[i] = -1;
		w.pasid[i] = i ? limit - 1 - (i * (limit / PASIDS)) : 1;
	}
	for (unsigned int step = 0; step < 600; step++) {
		if (below(8))
			change_pasid(&w, (unsigned int)below(PASIDS));
		else
			move_device(&w);
		for (unsigned int i = 0; i < PASIDS; i++)
			look(&w, i);
		assert_false(rig_access_pasid(&rig, 1, 0, MIB(1), false, &out));
	}
	for (unsigned int i = 0; i < PASIDS; i++)
		if (w.in[i] >= 0)
			change_pasid(&w, i);
	if (w.own >= 0)
		move_device(&w);
	assert_int_equal(rig.log_lines, 0);
	free_domains(w.domains);
	rig_down(&rig);
}

static void each_table(void **state)
{
	(void)state;
	walk(4, true);
	walk(10, true);
	walk(11, true);
	walk(20, true);
	walk(20, false);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void refusals(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .pasid_bits = 5 };
	struct weir_domain *domains[DOMAINS], *stage2, *dma;
	struct weir_device *dev = &rig.dev[0];

	(void)state;
	assert_int_equal(rig_up(&rig), 0);
	make_domains(&rig, domains);
	dma = weir_device_dma_domain(dev);
	assert_int_equal(weir_domain_alloc_flags(dev, WEIR_DOMAIN_NEST_PARENT, &stage2), 0);
	assert_int_equal(weir_domain_attach_pasid(domains[0], dev, 0), -WEIR_EINVAL);
	assert_int_equal(weir_domain_attach_pasid(domains[0], dev, 32), -WEIR_EINVAL);
	assert_int_equal(weir_domain_attach_pasid(stage2, dev, 1), -WEIR_EINVAL);
	assert_int_equal(weir_domain_attach_pasid(dma, dev, 1), -WEIR_EINVAL);
	assert_int_equal(weir_domain_detach_pasid(dev, 1), -WEIR_EINVAL);
	/* In a domain of stage 2 there is no place for one; nor does one with PASIDs go there. */
	assert_int_equal(weir_domain_attach(stage2, dev), 0);
	assert_int_equal(weir_domain_attach_pasid(domains[0], dev, 31), -WEIR_EBUSY);
	assert_int_equal(weir_domain_detach(stage2, dev), 0);
	assert_int_equal(weir_domain_attach_pasid(domains[0], dev, 31), 0);
	assert_int_equal(weir_domain_attach(stage2, dev), -WEIR_EBUSY);
	rig_expect(&rig, 0, 31, MIB(1), true, target(0));
	/* It is in use; and goes with the device. */
	assert_int_equal(rig.log_lines, 0);
	weir_domain_free(domains[0]);
	assert_int_equal(rig.log_lines, 1);
	rig_expect(&rig, 0, 31, MIB(1), true, target(0));
	assert_int_equal(weir_device_remove(dev), 0);
	rig.nr_devices = 0;
	assert_int_equal(rig.log_lines, 2);
	assert_non_null(strstr(rig.log, "removed with PASID 31 attached"));
	rig_expect(&rig, 0, 31, MIB(1), true, 0);
	free_domains(domains);
	weir_domain_free(stage2);
	assert_int_equal(weir_device_remove(&rig.dev[1]), 0);
	assert_int_equal(weir_device_remove(&rig.dev[2]), 0);
	rig_down(&rig);
}

static void none_there(void **state)
{
	(void)state;
	for (int lacks = 0; lacks < 2; lacks++) {
		struct domainrig rig = { .smmu = rig_features(), .pasid_bits = lacks ? 8 : 0 };
		struct weir_domain *domain;

		if (lacks) {
			rig_set(&rig.smmu.idr[1], WEIR_SMMU_IDR1_SSIDSIZE, 0);
			rig_set(&rig.smmu.idr[0], WEIR_SMMU_IDR0_CD2L, 0);
		}
		assert_int_equal(rig_up(&rig), 0);
		assert_int_equal(weir_domain_alloc(&rig.dev[0], &domain), 0);
		assert_int_equal(weir_domain_attach_pasid(domain, &rig.dev[0], 1),
				 -WEIR_EOPNOTSUPP);
		weir_domain_free(domain);
		rig_down(&rig);
	}
}

/* ---- Out of memory --------------------------------------------------------------------------- */

/* 0: the run made fewer allocations. */
static bool one_run(uint64_t fail, bool onwards, unsigned int *errors)
{
	struct domainrig rig = { .smmu = rig_features(),
				 .runner = POSIX_SEEDED,
				 .fail_alloc = fail,
				 .fail_onwards = onwards,
				 .heap_whole_pages = true,
				 .pasid_bits = 12 };
	struct weir_domain *domain = NULL, *other = NULL;
	uint64_t calls;
	int ret = rig_up(&rig);

	if (!ret)
		ret = weir_domain_alloc_flags(&rig.dev[0], WEIR_DOMAIN_PASID, &domain);
	if (!ret)
		ret = weir_domain_alloc(&rig.dev[0], &other);
	if (!ret)
		ret = weir_domain_map(domain, MIB(1), TARGET, KIB(4), RIG_RW);
	if (!ret)
		ret = weir_domain_attach(other, &rig.dev[0]);
	if (!ret)
		ret = weir_domain_attach_pasid(domain, &rig.dev[0], 5);
	if (!ret)
		ret = weir_domain_attach_pasid(domain, &rig.dev[0], 4000);
	if (!ret)
		rig_expect(&rig, 0, 4000, MIB(1), true, TARGET);
	*errors += ret != 0;
	if (ret)
		assert_int_equal(ret, -WEIR_ENOMEM);
	if (domain && rig.nr_devices == RIG_DEVICES) {
		(void)weir_domain_detach_pasid(&rig.dev[0], 4000);
		rig_expect(&rig, 0, 4000, MIB(1), true, 0);
		(void)weir_domain_detach_pasid(&rig.dev[0], 5);
		if (other && weir_device_domain(&rig.dev[0]) == other)
			assert_int_equal(weir_domain_detach(other, &rig.dev[0]), 0);
	}
	if (other)
		weir_domain_free(other);
	if (domain)
		weir_domain_free(domain);
	calls = posix_alloc_calls(rig.machine);
	rig_down(&rig);
	return calls >= fail;
}

static void out_of_memory(void **state)
{
	unsigned int errors = 0;
	uint64_t fail;

	(void)state;
	for (int onwards = 0; onwards < 2; onwards++) {
		for (fail = 1; one_run(fail, onwards, &errors); fail++)
			;
		assert_true(fail > 40 && errors > 40);
		errors = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_table),
		cmocka_unit_test(refusals),
		cmocka_unit_test(none_there),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
