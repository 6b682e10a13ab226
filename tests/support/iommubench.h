/* SPDX-License-Identifier: MIT */
#ifndef IOMMUBENCH_H
#define IOMMUBENCH_H

/* For tests of src/iommu: a machine with IOMMUs that are tables in the test. */

#include <weir/dma.h>

#include "fakeiommu.h"
#include "fakeplat.h"
#include "iommu/iommu.h"

#define RAM (64u << 20)
#define RAM_END (FAKEPLAT_RAM_BASE + RAM)
#define PAGE WEIR_PAGE_SIZE
#define SHORT_MASK 0x3fffffffull /* below all RAM */
#define MAPPED WEIR_DMA_BIDIRECTIONAL, 0, WEIR_HERE

static const struct weir_iommu_driver *const drivers[] = { &fakeiommu_driver, NULL };

static struct fakeplat *fake;
static struct weir *weir;

static inline struct weir_options options_for(enum weir_mode mode, unsigned int iommus)
{
	struct weir_options options = { .plat = fake,
					.cpus = 1,
					.mode = mode,
					.iommu_drivers = drivers,
					.log_level = WEIR_LOG_DEBUG,
					.history = 64 };

	if (iommus)
		options.fdt = fakeiommu_fdt(iommus, true, &options.fdt_size);
	return options;
}

static inline void start(enum weir_mode mode, unsigned int iommus)
{
	struct weir_options options;

	if (!fake)
		fake = fakeplat_new(RAM);
	options = options_for(mode, iommus);
	assert_int_equal(weir_init(&options, &weir), 0);
	fake->weir = weir;
}

static inline void stop(void)
{
	assert_int_equal(weir_fini(weir), 0);
	fakeplat_delete(fake);
	fake = NULL;
	fakeiommu_reset();
}

static inline int setup(void **state)
{
	(void)state;
	fakeiommu_reset();
	return 0;
}

static inline int add_to(struct weir_device *dev, const char *name, unsigned int iommu, uint32_t id,
			 struct weir_device *with)
{
	struct weir_device_id ids[] = {
		{ iommu < FAKEIOMMU_MAX && fakeiommu[iommu] ? &fakeiommu[iommu]->iommu : NULL, id }
	};
	struct weir_device_desc desc = {
		.name = name, .ids = ids, .nr_ids = 1, .group_with = with, .coherent = true
	};

	return weir_device_add(weir, dev, &desc);
}

static inline void add(struct weir_device *dev, const char *name, uint32_t id,
		       struct weir_device *with)
{
	assert_int_equal(add_to(dev, name, 0, id, with), 0);
}

static inline weir_dma_t map(struct weir_device *dev)
{
	return weir_dma_map_phys(dev, FAKEPLAT_RAM_BASE + 0x1000, PAGE, MAPPED);
}

static inline void unmap(struct weir_device *dev, weir_dma_t addr)
{
	weir_dma_unmap(dev, addr, PAGE, MAPPED);
}

/* The device is in the IOMMU's identity domain, and the DMA API works. */
static inline void is_identity(struct weir_device *dev, uint32_t id)
{
	assert_ptr_equal(fakeiommu[0]->stream[id], &fakeiommu[0]->identity);
	assert_null(dev->dma);
	assert_false(dev->blocked);
	assert_ptr_equal(weir_device_dma_domain(dev), &fakeiommu[0]->identity);
	assert_int_equal(map(dev), FAKEPLAT_RAM_BASE + 0x1000);
	unmap(dev, FAKEPLAT_RAM_BASE + 0x1000);
}

#endif
