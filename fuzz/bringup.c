/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what firmware says of a machine, an IORT (its header mended) or a device tree:
 * bring-up with all that it wants kept mapped, a device for some streams, and down again. The IOMMU
 * is a table that insists on what a driver is promised; in the end nothing may be left.
 */

#include <stdlib.h>
#include <string.h>

#include "fakeiommu.h"
#include "fakeplat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM (8u << 20)
/* Small, as what is mapped is a page at a time. */
#define LAST_ADDRESS 0xffffffu
#define STREAMS 4u

static const struct weir_iommu_driver *const drivers[] = { &fakeiommu_driver, NULL };

static bool is_tree(const uint8_t *data, size_t size)
{
	return size >= 4 && !memcmp(data, "\xd0\x0d\xfe\xed", 4);
}

/* Signature, length and checksum, which chance does not get right. */
static void mend(uint8_t *table, size_t size)
{
	uint32_t length = (uint32_t)size;
	uint8_t sum = 0;

	memcpy(table, "IORT", 4);
	memcpy(table + 4, &length, 4);
	table[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

static void use(struct weir *weir)
{
	for (uint32_t stream = 0; stream < STREAMS && fakeiommu[0]; stream++) {
		struct weir_device_id id = { &fakeiommu[0]->iommu, stream };
		struct weir_device_desc desc = { .ids = &id, .nr_ids = 1 };
		struct weir_device dev;

		if (weir_device_add(weir, &dev, &desc))
			continue;
		if (!weir_device_regions(&dev, NULL, 0) || weir_device_remove(&dev))
			abort();
	}
}

static void bring_up(const struct weir_options *options)
{
	struct weir *weir;

	if (weir_init(options, &weir))
		return;
	use(weir);
	if (weir_fini(weir))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_options options = { .cpus = 1, .iommu_drivers = drivers };
	/* A tree is aligned; a table need not be. Exactly as large. */
	uint8_t *copy = malloc(size + 1), *table = is_tree(data, size) ? copy : copy + 1;

	if (!copy)
		return 0;
	memcpy(table, data, size);
	fakeiommu_reset();
	fakeiommu_knobs.last = LAST_ADDRESS;
	options.plat = fakeplat_new(RAM);
	if (is_tree(data, size)) {
		options.fdt = table;
		options.fdt_size = size;
		bring_up(&options);
	} else if (size >= 48) {
		mend(table, size);
		options.iort = table;
		options.iort_size = size;
		bring_up(&options);
	}
	fakeplat_delete(options.plat);
	free(copy);
	return 0;
}
