/* SPDX-License-Identifier: MIT */
#ifndef SMMUBENCH_H
#define SMMUBENCH_H

/*
 * A machine for tests of src/smmuv3: fakeplat, one fakesmmu, a struct weir without src/iommu, whose
 * part (hearing of faults) is played here. Included by one C file of a test each.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fakeplat.h"
#include "fakesmmu.h"
#include "smmuv3/smmuv3.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)

static struct fakeplat *fake;
static struct fakesmmu smmu;
static struct weir weir;
static struct weir_cpu cpu;
static struct weir_iommu *iommu;
static struct weir_iommu_desc desc;

/* ---- What src/iommu would do ----------------------------------------------------------------- */

#define FAULTS 64
static struct weir_fault faults[FAULTS];
static unsigned int nr_faults, nr_overflows;

void weir_iommu_report_fault(struct weir_fault *fault)
{
	faults[nr_faults++ % FAULTS] = *fault;
}

void weir_iommu_report_overflow(struct weir_iommu *of)
{
	assert_ptr_equal(of, iommu);
	nr_overflows++;
}

static inline const struct weir_fault *last_fault(void)
{
	fakeplat_run(fake);
	assert_true(nr_faults > 0);
	return &faults[(nr_faults - 1) % FAULTS];
}

/* ---- Machine --------------------------------------------------------------------------------- */

static inline void raise_irq(unsigned int irq)
{
	fakeplat_raise(fake, irq);
}

/* A register read takes its time, or a wait of a second would be a long one. */
static inline uint64_t slow_read(void *opaque, uint64_t phys, unsigned int size)
{
	fake->now += 5000;
	return fakesmmu_read(opaque, phys, size);
}

static inline void start(void)
{
	fake = fakeplat_new(MIB(32));
	fakesmmu_init(&smmu, fake, raise_irq);
	fake->mmio = (struct fakeplat_mmio){ slow_read, fakesmmu_write, &smmu };
	memset(&weir, 0, sizeof(weir));
	memset(&cpu, 0, sizeof(cpu));
	weir.plat = fake;
	weir.cpus = 1;
	weir.cpu = &cpu;
	weir.log_level = WEIR_LOG_INFO;
	weir_heap_init(&weir.heap, fake, false);
	fake->weir = &weir;
	desc = (struct weir_iommu_desc){ .name = "smmuv3@9050000",
					 .base = FAKESMMU_BASE,
					 .size = 0x20000,
					 .coherent = true,
					 .phandle = 7,
					 .irq_eventq = FAKESMMU_IRQ_EVENTQ,
					 .irq_gerror = FAKESMMU_IRQ_GERROR,
					 .irq_sync = -1,
					 .irq_priq = -1,
					 .irq_combined = -1 };
	nr_faults = nr_overflows = 0;
	iommu = NULL;
}

/* As src/iommu brings one up. */
static inline int probe(void)
{
	int ret = weir_smmuv3_driver.probe(&weir, &desc, &iommu);

	if (ret || weir.mode == WEIR_MODE_OFF)
		return ret;
	ret = iommu->ops->start(iommu);
	if (!ret)
		return 0;
	weir_smmuv3_driver.remove(iommu);
	iommu = NULL;
	return ret;
}

static inline void stop(void)
{
	if (iommu)
		weir_smmuv3_driver.remove(iommu);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x24) & 1, 0);
	assert_int_equal(weir.table_pages, 0);
	assert_int_equal(weir_heap_fini(&weir.heap), 0);
	if (smmu.violations)
		fail_msg("%u violations: %s", smmu.violations, smmu.violation);
	fakeplat_delete(fake);
}

static inline int set_up(void **state)
{
	(void)state;
	start();
	return 0;
}

static inline int set_up_probed(void **state)
{
	(void)state;
	start();
	return probe();
}

static inline int tear_down(void **state)
{
	(void)state;
	stop();
	return 0;
}

static inline struct weir_domain *new_domain(void)
{
	struct weir_domain *domain;

	assert_int_equal(iommu->ops->domain_alloc(iommu, 0, &domain), 0);
	return domain;
}

static inline int map(struct weir_domain *domain, uint64_t iova, uint64_t phys, uint64_t size,
		      unsigned int prot)
{
	struct weir_extent extent = { phys, size };

	return domain->ops->map(domain, iova, &extent, 1, prot);
}

static inline void attach(uint32_t id, struct weir_domain *domain)
{
	assert_int_equal(iommu->ops->attach(iommu, id, domain), 0);
}

static inline bool passes(uint32_t id, uint64_t iova, bool write)
{
	return fakesmmu_access(&smmu, id, iova, write) == FAKESMMU_PASSED;
}

static uint64_t seed;

static inline uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

#define PROBED(test) cmocka_unit_test_setup_teardown(test, set_up_probed, tear_down)
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
