/* SPDX-License-Identifier: MIT */
#ifndef DMABENCH_H
#define DMABENCH_H

/* For tests of the DMA API: one device, behind an IOMMU that is a table in the test, or not. */

#include <weir/dma.h>

#include "fakeiommu.h"
#include "fakeplat.h"
#include "iommu/iommu.h"

#define RAM (64u << 20)
#define RAM_BASE FAKEPLAT_RAM_BASE
#define RAM_END (RAM_BASE + RAM)
#define PAGE WEIR_PAGE_SIZE
#define HERE WEIR_HERE
#define BIDI WEIR_DMA_BIDIRECTIONAL

static const struct weir_iommu_driver *const drivers[] = { &fakeiommu_driver, NULL };

static struct fakeplat *fake;
static struct weir *weir;
static struct weir_device dev;

enum backing { IOMMU, DIRECT };

static inline void start(enum backing backing, bool coherent)
{
	struct weir_options options = {
		.cpus = 1, .iommu_drivers = drivers, .history = 32, .log_level = WEIR_LOG_DEBUG
	};
	struct weir_device_id id;
	struct weir_device_desc desc = {
		.name = "dev", .ids = &id, .nr_ids = backing == IOMMU, .coherent = coherent
	};

	fake = fakeplat_new(RAM);
	options.plat = fake;
	options.fdt = fakeiommu_fdt(1, true, &options.fdt_size);
	assert_int_equal(weir_init(&options, &weir), 0);
	id = (struct weir_device_id){ &fakeiommu[0]->iommu, 1 };
	assert_int_equal(weir_device_add(weir, &dev, &desc), 0);
	assert_true((dev.dma != NULL) == (backing == IOMMU));
}

static inline void stop_leaving(unsigned int live)
{
	assert_int_equal(dev.live_maps, live);
	if (dev.dma && !live)
		assert_int_equal(fakeiommu_pages(dev.dma), 0);
	assert_int_equal(weir_device_remove(&dev), live);
	assert_int_equal(weir_fini(weir), 0);
	fakeplat_delete(fake);
	fakeiommu_reset();
}

static inline void stop(void)
{
	stop_leaving(0);
}

static inline int setup(void **state)
{
	(void)state;
	fakeiommu_reset();
	return 0;
}

/* What the device's address leads to for a read or a write; 0: it is blocked. */
static inline weir_phys_t reach(weir_dma_t addr, bool write)
{
	weir_phys_t phys;

	if (!dev.dma)
		return addr;
	return fakeiommu_translate(fakeiommu[0], 1, addr, write, &phys) ? 0 : phys;
}

/* What was done to caches since the last look. */
struct turns {
	uint64_t cleans, cleaned, invalidates, invalidated;
};

static inline struct turns turns(void)
{
	struct turns t = { fake->cache_cleans, fake->cache_clean_bytes, fake->cache_invalidates,
			   fake->cache_invalidate_bytes };

	fake->cache_cleans = fake->cache_clean_bytes = 0;
	fake->cache_invalidates = fake->cache_invalidate_bytes = 0;
	return t;
}

static inline void expect_turns(uint64_t cleaned, uint64_t invalidated)
{
	struct turns t = turns();

	assert_int_equal(t.cleaned, cleaned);
	assert_int_equal(t.invalidated, invalidated);
}

#endif
