/* SPDX-License-Identifier: MIT */
/*
 * src/pci against the root complex of models/pcie.
 *
 * - Every function is found once, under the number that the model gives its requests; names, stream
 *   IDs (through iommu-map), MSI IDs, coherence are those of the tables. Bridges are no devices.
 * - Every BAR is placed: in a window, aligned, apart from all others, and an access through it
 *   reaches this BAR of this device, behind any number of bridges.
 * - A placement that is sound is kept; one that overlaps is replaced. A BAR that fits nowhere is
 *   left out, and its function cannot be enabled; the others are placed.
 * - More bridges than bus numbers: what is behind the last is not found, the rest is.
 * - A function whose IOMMU nobody drives is left out, but where protection is off.
 * - Groups: alone behind ports with access control; together below a port, in a switch, or in a
 *   multi-function device without; together behind a bridge to conventional PCI, with its ID.
 * - Nothing decodes or masters before its driver asks, nor after it left; MSI-X reaches handlers.
 * - Drivers: bound when registered before or after the scan, by ID or class; a failed probe leaves
 *   nothing on; what a driver leaves mapped is counted.
 * - Out of memory, at any allocation of a scan or of a vector: an error, and nothing is left.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <weir/dma.h>
#include <weir/hw/pci.h>

#include "pcirig.h"

#define ACS (WEIR_PCI_ACS_SV | WEIR_PCI_ACS_RR | WEIR_PCI_ACS_CR | WEIR_PCI_ACS_UF)
#define MIB ((uint64_t)1 << 20)

static struct pcirig rig;

static void init(const struct pcirig_options *options)
{
	static const struct pcirig_options none;

	pcirig_init(&rig, options ? options : &none);
}

static void scan(void)
{
	pcirig_start(&rig);
	assert_int_equal(weir_pci_scan(rig.weir), 0);
}

static void finish(void)
{
	assert_int_equal(weir_pci_remove_all(rig.weir), 0);
	pcirig_stop(&rig);
	pcirig_fini(&rig);
}

static struct weir_pci_dev *found(const struct pcirig_device *device)
{
	struct weir_pci_dev *pdev = pcirig_find(&rig, device);

	if (!pdev)
		fail_msg("device %x is not found", pcirig_id(&rig, device));
	return pdev;
}

static unsigned int count_found(void)
{
	struct weir_pci_dev *pdev = NULL;
	unsigned int count = 0;

	while ((pdev = weir_pci_find(rig.weir, WEIR_PCI_ANY, WEIR_PCI_ANY, pdev)))
		count++;
	return count;
}

static uint32_t command(struct weir_pci_dev *pdev)
{
	uint32_t value = 0;

	assert_int_equal(weir_pci_config_read(pdev, WEIR_PCI_COMMAND, 2, &value), 0);
	return value;
}

/* ---- A tree with everything ---------------------------------------------------------------- */

enum { ON_ROOT, BELOW_PORT, SWITCH_A, SWITCH_B, CONV_A, CONV_B, MULTI_0, MULTI_1, NR_DEVICES };

static struct pcirig_device *dev[NR_DEVICES];

static struct weir_model_pci_desc with_bars(uint64_t low, uint64_t high, bool prefetchable)
{
	struct weir_model_pci_desc desc = { .express = true, .class_code = 0x020000 };

	desc.bars[0].size = low;
	if (high) {
		desc.bars[2].size = high;
		desc.bars[2].is64 = true;
		desc.bars[2].prefetchable = prefetchable;
	}
	desc.bars[4].size = 4096;
	return desc;
}

static void build(uint16_t acs)
{
	struct weir_model_pci_bridge *port, *up, *down_a, *down_b, *conv;
	struct weir_model_pci_desc desc = with_bars(0x4000, 0x100000, true);

	dev[ON_ROOT] = pcirig_add(&rig, NULL, WEIR_PCI_DEVFN(1, 0), &desc);
	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(2, 0), WEIR_MODEL_ROOT_PORT, acs);
	dev[BELOW_PORT] = pcirig_add(&rig, port, 0, NULL);

	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(3, 0), WEIR_MODEL_ROOT_PORT, acs);
	up = pcirig_bridge(&rig, port, 0, WEIR_MODEL_SWITCH_UP, 0);
	down_a = pcirig_bridge(&rig, up, WEIR_PCI_DEVFN(4, 0), WEIR_MODEL_SWITCH_DOWN, acs);
	down_b = pcirig_bridge(&rig, up, WEIR_PCI_DEVFN(9, 0), WEIR_MODEL_SWITCH_DOWN, acs);
	desc = with_bars(0x200000, 0x40000000, true);
	dev[SWITCH_A] = pcirig_add(&rig, down_a, 0, &desc);
	desc = with_bars(0x1000, 0x800000, false);
	dev[SWITCH_B] = pcirig_add(&rig, down_b, 0, &desc);

	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(5, 0), WEIR_MODEL_ROOT_PORT, acs);
	conv = pcirig_bridge(&rig, port, 0, WEIR_MODEL_PCIE_TO_PCI, 0);
	desc = with_bars(0x10000, 0, false);
	desc.express = false;
	dev[CONV_A] = pcirig_add(&rig, conv, WEIR_PCI_DEVFN(1, 0), &desc);
	dev[CONV_B] = pcirig_add(&rig, conv, WEIR_PCI_DEVFN(31, 0), &desc);

	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(6, 0), WEIR_MODEL_ROOT_PORT, acs);
	desc = with_bars(0x1000, 0, false);
	desc.multifunction = true;
	desc.acs = acs;
	dev[MULTI_0] = pcirig_add(&rig, port, 0, &desc);
	dev[MULTI_1] = pcirig_add(&rig, port, 1, &desc);
}

static void numbers_and_names(void **state)
{
	static const char *const names[] = {
		"0000:00:01.0", "0000:01:00.0", "0000:04:00.0", "0000:05:00.0",
		"0000:07:01.0", "0000:07:1f.0", "0000:08:00.0", "0000:08:00.1",
	};

	(void)state;
	init(NULL);
	build(ACS);
	scan();
	assert_int_equal(count_found(), NR_DEVICES);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		struct weir_pci_dev *pdev = found(dev[i]);
		uint16_t last = weir_model_pci_requester(&dev[i]->fn),
			 own = weir_pci_requester(pdev);
		bool conventional = i == CONV_A || i == CONV_B;

		assert_string_equal(weir_device_name(&pdev->dev), names[i]);
		assert_int_equal(pdev->dev.nr_ids, conventional ? 2 : 1);
		assert_int_equal(pdev->dev.ids[0].id, 0x8000 + own);
		assert_int_equal(pdev->dev.ids[pdev->dev.nr_ids - 1].id, 0x8000 + last);
		assert_int_equal(pdev->msi_controller, 99);
		assert_int_equal(pdev->msi_id, 0x10000 + last); /* as the message arrives */
		assert_true(pdev->dev.coherent);
		assert_int_equal(pdev->class_code, dev[i]->fn.desc.class_code);
		assert_int_equal(command(pdev) & 7, 0);
	}
	assert_int_equal(weir_pci_scan(rig.weir), -WEIR_EEXIST);
	finish();
}

/* ---- Base addresses ------------------------------------------------------------------------ */

static bool is_within(uint64_t start, uint64_t size, uint64_t base, uint64_t room)
{
	return start >= base && start - base <= room - size;
}

/* Write through the BAR; it must arrive there. */
static void try_bar(struct pcirig_device *device, struct weir_pci_dev *pdev, unsigned int bar)
{
	uint64_t size = pdev->bars[bar].size;
	volatile char *regs = weir_pci_map_bar(pdev, bar, 0);
	unsigned int writes = device->writes;

	assert_non_null((void *)(uintptr_t)regs);
	plat_mmio_write32(regs + size - 4, 0x1234 + bar);
	assert_int_equal(device->writes, writes + 1);
	assert_int_equal(device->last_bar, bar);
	assert_int_equal(device->last_offset, size - 4);
	assert_int_equal(device->last_value, 0x1234 + bar);
	weir_pci_unmap_bar(pdev, regs, size);
}

static void try_bars(struct pcirig_device *device, uint64_t taken[][2], unsigned int *nr)
{
	struct weir_pci_dev *pdev = found(device);

	assert_int_equal(weir_pci_enable(pdev), 0);
	for (unsigned int i = 0; i < WEIR_MODEL_PCI_BARS; i++) {
		const struct weir_model_pci_bar *want = &device->fn.desc.bars[i];
		uint64_t start = pdev->bars[i].start, size = pdev->bars[i].size;

		assert_int_equal(size, want->size);
		if (!size)
			continue;
		assert_true(WEIR_IS_ALIGNED(start, size));
		assert_true(
			is_within(start, size, PCIRIG_LOW, rig.options.low_size) ||
			(want->is64 && is_within(start, size, PCIRIG_HIGH, rig.options.high_size)));
		for (unsigned int j = 0; j < *nr; j++)
			assert_true(start + size <= taken[j][0] || taken[j][1] <= start);
		taken[*nr][0] = start;
		taken[(*nr)++][1] = start + size;
		if (device->fn.desc.msix_vectors && device->fn.desc.msix_bar == i)
			continue;
		try_bar(device, pdev, i);
	}
}

static void all_bars_decode(void)
{
	static uint64_t taken[PCIRIG_DEVICES * WEIR_PCI_BARS][2];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < rig.nr_devices; i++)
		try_bars(&rig.devices[i], taken, &nr);
}

static void bars_are_placed(void **state)
{
	(void)state;
	init(NULL);
	build(ACS);
	scan();
	all_bars_decode();
	/*
	 * Prefetchable and of 64 bits: above 4 GiB also behind bridges. Not prefetchable: not
	 * there.
	 */
	assert_true(found(dev[ON_ROOT])->bars[2].start >= PCIRIG_HIGH);
	assert_true(found(dev[SWITCH_A])->bars[2].start >= PCIRIG_HIGH);
	assert_true(found(dev[SWITCH_B])->bars[2].start < WEIR_BIT(32));
	finish();
	for (unsigned int which = 0; which < 2; which++) {
		init(&(struct pcirig_options){ .high_size = which ? 1 : 0,
					       .low_size = 2048 * MIB });
		build(ACS);
		scan();
		all_bars_decode();
		finish();
	}
}

static void random_trees(void **state)
{
	uint32_t seed = 5;

	(void)state;
	for (unsigned int round = 0; round < 200; round++) {
		struct weir_model_pci_bridge *bridges[24] = { NULL }, *b;
		unsigned int nr = 1;

		init(NULL);
		for (unsigned int i = 0; i < 40; i++) {
			struct weir_model_pci_desc desc;
			struct weir_model_pci_bridge_desc bridge = {
				.kind = WEIR_MODEL_PCIE_TO_PCI
			};
			unsigned int parent, devfn;

			seed = seed * 1664525u + 1013904223u;
			parent = (seed >> 8) % nr;
			devfn = WEIR_PCI_DEVFN(seed >> 16, 0);
			desc = with_bars(0x1000u << (seed >> 20) % 9,
					 (uint64_t)0x1000 << (seed >> 24) % 16, seed >> 31);
			if (seed >> 28 < 6 && nr < WEIR_ARRAY_SIZE(bridges)) {
				if (!weir_model_pci_add_bridge(rig.rc, bridges[parent],
							       (uint8_t)devfn, &bridge, &b))
					bridges[nr++] = b;
			} else if (rig.nr_devices < 30) {
				struct weir_model_pci_function probe;

				desc.express = false;
				if (!weir_model_pci_add(rig.rc, bridges[parent], (uint8_t)devfn,
							&desc, &probe)) {
					weir_model_pci_remove(&probe);
					pcirig_add(&rig, bridges[parent], (uint8_t)devfn, &desc);
				}
			}
		}
		scan();
		assert_int_equal(count_found(), rig.nr_devices);
		all_bars_decode();
		finish();
	}
}

static void write_bar(const struct pcirig_device *device, unsigned int bar, uint32_t value)
{
	struct weir_pci_dev *pdev = found(device);

	assert_int_equal(weir_pci_config_write(pdev, WEIR_PCI_BASE_ADDRESS_0 + 4 * bar, 4, value),
			 0);
}

static void sound_placement_is_kept(void **state)
{
	uint64_t before[2], moved, other;

	(void)state;
	init(NULL);
	dev[0] = pcirig_add(&rig, NULL, WEIR_PCI_DEVFN(1, 0), NULL);
	dev[1] =
		pcirig_add(&rig,
			   pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(2, 0), WEIR_MODEL_ROOT_PORT, 0),
			   0, NULL);
	scan();
	before[0] = found(dev[0])->bars[0].start;
	before[1] = found(dev[1])->bars[0].start;
	moved = PCIRIG_LOW + rig.options.low_size - 0x1000;
	write_bar(dev[0], 0, (uint32_t)moved);
	assert_int_equal(weir_pci_remove_all(rig.weir), 0);
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	assert_int_equal(found(dev[0])->bars[0].start, moved);
	assert_int_equal(found(dev[1])->bars[0].start, before[1]);
	all_bars_decode();

	/* Onto another BAR, out of the window, into the window of a bridge: all as at first. */
	other = found(dev[0])->bars[2].start;
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t bad[] = { other, 0xf0000000, before[1] };

		write_bar(dev[0], 0, (uint32_t)bad[i]);
		assert_int_equal(weir_pci_remove_all(rig.weir), 0);
		assert_int_equal(weir_pci_scan(rig.weir), 0);
		assert_int_equal(found(dev[0])->bars[0].start, before[0]);
		all_bars_decode();
	}
	finish();
}

static void too_large_is_left_out(void **state)
{
	struct weir_model_pci_desc desc = with_bars(64 * MIB, 0, false);
	struct weir_model_pci_bridge *port;

	(void)state;
	init(&(struct pcirig_options){ .low_size = 16 * MIB, .high_size = 1 });
	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(2, 0), WEIR_MODEL_ROOT_PORT, 0);
	dev[0] = pcirig_add(&rig, port, 0, &desc);
	dev[1] = pcirig_add(&rig, NULL, WEIR_PCI_DEVFN(1, 0), NULL);
	scan();
	assert_int_equal(found(dev[0])->bars[0].size, 0);
	assert_int_equal(weir_pci_enable(found(dev[0])), -WEIR_ENODEV);
	assert_null((void *)(uintptr_t)weir_pci_map_bar(found(dev[0]), 0, 0));
	assert_true(fakeplat_logged(rig.fake, "BAR 0 is left out: there is no room"));
	assert_int_equal(weir_pci_enable(found(dev[1])), 0);
	try_bar(dev[1], found(dev[1]), 0);
	finish();
}

static void bus_numbers_run_out(void **state)
{
	struct weir_model_pci_bridge *port[3];

	(void)state;
	init(&(struct pcirig_options){ .buses = 3 });
	for (unsigned int i = 0; i < 3; i++) {
		port[i] = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(1 + i, 0), WEIR_MODEL_ROOT_PORT,
					0);
		dev[i] = pcirig_add(&rig, port[i], 0, NULL);
	}
	scan();
	assert_int_equal(count_found(), 2);
	assert_null(pcirig_find(&rig, dev[2]));
	assert_int_equal(fakeplat_logged(rig.fake, "0000:00:03.0: no bus number is left (up to 2)"),
			 1);
	finish();
}

/* ---- Groups -------------------------------------------------------------------------------- */

static int group(unsigned int i)
{
	return weir_device_group_id(&found(dev[i])->dev);
}

static void groups_with_access_control(void **state)
{
	(void)state;
	init(NULL);
	build(ACS);
	scan();
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		assert_true(group(i) >= 0);
		for (unsigned int j = 0; j < i; j++)
			assert_int_equal(group(i) == group(j), i == CONV_B && j == CONV_A);
	}
	finish();
}

static void groups_without(void **state)
{
	(void)state;
	init(NULL);
	build(0);
	scan();
	assert_int_equal(group(SWITCH_A), group(SWITCH_B));
	assert_int_equal(group(CONV_A), group(CONV_B));
	assert_int_equal(group(MULTI_0), group(MULTI_1));
	assert_int_not_equal(group(SWITCH_A), group(MULTI_0));
	assert_int_not_equal(group(SWITCH_A), group(BELOW_PORT));
	assert_int_not_equal(group(ON_ROOT), group(BELOW_PORT));
	finish();
}

/* One port of a switch without access control reaches what is behind the others. */
static void one_bad_port_spoils_a_switch(void **state)
{
	struct weir_model_pci_bridge *port, *up, *down;

	(void)state;
	init(NULL);
	port = pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(1, 0), WEIR_MODEL_ROOT_PORT, ACS);
	up = pcirig_bridge(&rig, port, 0, WEIR_MODEL_SWITCH_UP, 0);
	for (unsigned int i = 0; i < 3; i++) {
		down = pcirig_bridge(&rig, up, WEIR_PCI_DEVFN(i, 0), WEIR_MODEL_SWITCH_DOWN,
				     i == 1 ? 0 : ACS);
		dev[i] = pcirig_add(&rig, down, 0, NULL);
	}
	scan();
	assert_int_equal(group(0), group(1));
	assert_int_equal(group(0), group(2));
	finish();
}

/* Functions of one device: those that do not redirect are one group, one that does is another. */
static void multi_function_devices(void **state)
{
	struct weir_model_pci_desc desc = with_bars(0x1000, 0, false);

	(void)state;
	init(NULL);
	desc.multifunction = true;
	for (unsigned int i = 0; i < 4; i++) {
		desc.acs = i == 0;
		dev[i] = pcirig_add(&rig, NULL, (uint8_t)WEIR_PCI_DEVFN(4, i * 2), &desc);
	}
	scan();
	assert_int_equal(group(1), group(2));
	assert_int_equal(group(1), group(3));
	assert_int_not_equal(group(1), group(0));
	finish();
}

static void without_iommu(void **state)
{
	(void)state;
	init(&(struct pcirig_options){ .no_iommu_map = true });
	build(0);
	scan();
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		assert_int_equal(group(i), -1);
		assert_int_equal(found(dev[i])->dev.nr_ids, 0);
	}
	finish();
}

/* The tables promise protection that nobody provides: left out, unless protection is off. */
static void behind_an_iommu_that_nobody_drives(void **state)
{
	(void)state;
	for (int mode = WEIR_MODE_STRICT; mode <= WEIR_MODE_OFF; mode++) {
		unsigned int left_out = mode == WEIR_MODE_OFF ? 0 : NR_DEVICES;

		init(&(struct pcirig_options){ .no_iommu_driver = true,
					       .mode = (enum weir_mode)mode });
		build(0);
		scan();
		assert_int_equal(count_found(), NR_DEVICES - left_out);
		assert_int_equal(fakeplat_logged(rig.fake, "behind an IOMMU that nobody drives"),
				 left_out);
		assert_int_equal(fakeplat_logged(rig.fake, "is left out"), left_out);
		finish();
	}
}

/* ---- Drivers ------------------------------------------------------------------------------- */

static struct {
	unsigned int probes, removes;
	int result;
	bool leave_mapping;
	const struct weir_pci_id *id;
} driver;

static const struct weir_pci_id *driver_ids(void)
{
	static const struct weir_pci_id ids[] = {
		{ PCIRIG_VENDOR, 0xffff, WEIR_PCI_ANY, WEIR_PCI_ANY, 0, 0, 1 },
		{ WEIR_PCI_ANY, WEIR_PCI_ANY, WEIR_PCI_ANY, WEIR_PCI_ANY, 0x010802, 0xffffff, 2 },
		{ 0 },
	};

	return ids;
}

static int driver_probe(struct weir_pci_dev *pdev, const struct weir_pci_id *id)
{
	driver.probes++;
	driver.id = id;
	assert_int_equal(weir_pci_enable(pdev), 0);
	weir_pci_set_master(pdev, true);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 2), 2);
	assert_int_equal(rig.fake->msi_controller, 99);
	assert_int_equal(rig.fake->msi_device_id, 0x10000 + weir_pci_requester(pdev));
	if (driver.leave_mapping) {
		void *buf = weir_alloc(rig.weir, 4096, 0);

		assert_int_not_equal(weir_dma_map_single(&pdev->dev, buf, 4096, WEIR_DMA_TO_DEVICE,
							 0, WEIR_HERE),
				     WEIR_DMA_ERROR);
		weir_free(rig.weir, buf);
	}
	return driver.result;
}

static void driver_remove(struct weir_pci_dev *pdev)
{
	(void)pdev;
	driver.removes++;
}

static const struct weir_pci_driver a_driver = { "a-driver", driver_ids, driver_probe,
						 driver_remove };

static void start_with_one(void)
{
	memset(&driver, 0, sizeof(driver));
	init(NULL);
	dev[0] = pcirig_add(
		&rig, pcirig_bridge(&rig, NULL, WEIR_PCI_DEVFN(2, 0), WEIR_MODEL_ROOT_PORT, ACS), 0,
		NULL);
	pcirig_start(&rig);
}

static void drivers_are_bound(void **state)
{
	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), 0);
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), -WEIR_EEXIST);
	assert_int_equal(driver.probes, 0);
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	assert_int_equal(driver.probes, 1);
	assert_int_equal(driver.id->driver_data, 2);
	assert_int_equal(command(found(dev[0])) & 6, 6);
	weir_pci_unregister_driver(rig.weir, &a_driver);
	assert_int_equal(driver.removes, 1);
	assert_int_equal(command(found(dev[0])) & 7, 0);
	assert_int_equal(rig.fake->msis_in_use, 0); /* that the driver forgot */
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), 0);
	assert_int_equal(driver.probes, 2);
	assert_int_equal(weir_pci_remove_all(rig.weir), 0);
	assert_int_equal(driver.removes, 2);
	weir_pci_unregister_driver(rig.weir, &a_driver);
	/* A registration without a scan leaves nothing either. */
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), 0);
	weir_pci_unregister_driver(rig.weir, &a_driver);
	pcirig_stop(&rig);
	pcirig_fini(&rig);
}

static void drivers_that_fail_or_forget(void **state)
{
	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	driver.result = -WEIR_EIO;
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), 0);
	assert_int_equal(driver.probes, 1);
	assert_int_equal(fakeplat_logged(rig.fake, "driver a-driver cannot drive it (error -5)"),
			 1);
	assert_null(found(dev[0])->driver);
	assert_int_equal(command(found(dev[0])) & 7, 0);
	weir_pci_unregister_driver(rig.weir, &a_driver);
	assert_int_equal(driver.removes, 0);
	driver.result = 0;
	driver.leave_mapping = true;
	assert_int_equal(weir_pci_register_driver(rig.weir, &a_driver), 0);
	assert_int_equal(weir_pci_remove_all(rig.weir), 1);
	assert_int_equal(fakeplat_logged(rig.fake, "driver a-driver left 1 mappings"), 1);
	pcirig_stop(&rig);
	pcirig_fini(&rig);
}

/* ---- Messages and mastering ---------------------------------------------------------------- */

static unsigned int irqs_seen;

static int count_irq(int irq, void *arg)
{
	(void)irq;
	irqs_seen += *(unsigned int *)arg;
	return 1;
}

static void messages_arrive(void **state)
{
	unsigned int weight[4] = { 1, 10, 100, 1000 };
	struct weir_pci_dev *pdev;

	(void)state;
	irqs_seen = 0;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	pdev = found(dev[0]);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 4), -WEIR_EINVAL);
	assert_int_equal(weir_pci_enable(pdev), 0);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 5, 8), -WEIR_ENOSPC);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 0, 8), -WEIR_EINVAL);
	rig.fake->msi_limit = 2;
	assert_int_equal(weir_pci_alloc_vectors(pdev, 3, 8), -WEIR_ENOSPC);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 8), 2);
	weir_pci_free_vectors(pdev);
	rig.fake->msi_limit = 100;
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 8), 4);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 8), -WEIR_EINVAL);
	assert_int_equal(weir_pci_vector_irq(pdev, 4), -WEIR_EINVAL);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(weir_irq_request(rig.weir,
						  (unsigned int)weir_pci_vector_irq(pdev, i),
						  count_irq, &weight[i]),
				 0);
	weir_model_pci_msix(&dev[0]->fn, 1); /* no bus master yet */
	fakeplat_run(rig.fake);
	assert_int_equal(irqs_seen, 0);
	weir_pci_set_master(pdev, true);
	weir_model_pci_msix(&dev[0]->fn, 1);
	weir_model_pci_msix(&dev[0]->fn, 3);
	fakeplat_run(rig.fake);
	assert_int_equal(irqs_seen, 1010);
	for (unsigned int i = 0; i < 4; i++)
		weir_irq_free(rig.weir, (unsigned int)weir_pci_vector_irq(pdev, i));
	weir_pci_free_vectors(pdev);
	weir_pci_free_vectors(pdev);
	weir_model_pci_msix(&dev[0]->fn, 0);
	fakeplat_run(rig.fake);
	assert_int_equal(irqs_seen, 1010);
	finish();
}

static void masters_only_when_asked(void **state)
{
	struct weir_pci_dev *pdev;
	uint32_t word = 5;

	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	pdev = found(dev[0]);
	assert_int_equal(weir_pci_enable(pdev), 0);
	assert_int_equal(weir_model_pci_write(&dev[0]->fn, FAKEPLAT_MSI_DOORBELL, &word, 4),
			 WEIR_MODEL_ABORT);
	weir_pci_set_master(pdev, true);
	assert_int_equal(weir_model_pci_write(&dev[0]->fn, FAKEPLAT_MSI_DOORBELL, &word, 4),
			 WEIR_MODEL_OK);
	assert_int_equal(weir_pci_remove_all(rig.weir), 0);
	assert_int_equal(weir_model_pci_write(&dev[0]->fn, FAKEPLAT_MSI_DOORBELL, &word, 4),
			 WEIR_MODEL_ABORT);
	pcirig_stop(&rig);
	pcirig_fini(&rig);
}

static struct fakeplat_mmio real_mmio;
static bool read_last;

static uint64_t note_read(void *opaque, uint64_t phys, unsigned int size)
{
	read_last = true;
	return real_mmio.read(opaque, phys, size);
}

static void note_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	read_last = false;
	real_mmio.write(opaque, phys, size, value);
}

/* The CPU's write may be on its way when weir_pci_set_master() returns: a read waits for it. */
static void mastering_is_off_on_return(void **state)
{
	struct weir_pci_dev *pdev;

	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	pdev = found(dev[0]);
	weir_pci_set_master(pdev, true);
	real_mmio = rig.fake->mmio;
	rig.fake->mmio.read = note_read;
	rig.fake->mmio.write = note_write;
	weir_pci_set_master(pdev, false);
	assert_true(read_last);
	rig.fake->mmio = real_mmio;
	finish();
}

static void configuration_accesses(void **state)
{
	struct weir_pci_dev *pdev;
	uint32_t value = 0;

	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	pdev = found(dev[0]);
	assert_int_equal(weir_pci_config_read(pdev, 0, 4, &value), 0);
	assert_int_equal(value, PCIRIG_VENDOR | 0x100u << 16);
	assert_int_equal(weir_pci_config_read(pdev, 2, 1, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(weir_pci_config_read(pdev, 1, 2, &value), -WEIR_EINVAL);
	assert_int_equal(weir_pci_config_read(pdev, 4096, 4, &value), -WEIR_EINVAL);
	assert_int_equal(weir_pci_config_read(pdev, 0, 3, &value), -WEIR_EINVAL);
	assert_int_equal(weir_pci_config_write(pdev, 2, 4, 0), -WEIR_EINVAL);
	finish();
}

/* ---- Wrong tables, no memory --------------------------------------------------------------- */

static void wrong_tables(void **state)
{
	static const struct {
		const char *property;
		uint32_t value;
		const char *says;
	} cases[] = {
		{ "iommu-map", 5, "device tree: /pcie@4010000000: iommu-map: is no whole number" },
		{ "iommu-map-mask", 0, NULL },
		{ "linux,pci-domain", 7, NULL },
	};

	(void)state;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		init(&(struct pcirig_options){ .no_iommu_map = i == 0,
					       .extra_property = cases[i].property,
					       .extra_value = cases[i].value });
		dev[0] = pcirig_add(&rig, NULL, 8, NULL);
		pcirig_start(&rig);
		assert_int_equal(weir_pci_scan(rig.weir), cases[i].says ? -WEIR_EINVAL : 0);
		if (cases[i].says)
			assert_int_equal(fakeplat_logged(rig.fake, cases[i].says), 1);
		else
			assert_string_equal(weir_device_name(&found(dev[0])->dev),
					    i == 2 ? "0007:00:01.0" : "0000:00:01.0");
		finish();
	}
}

static void configuration_space_out_of_place(void **state)
{
	(void)state;
	init(&(struct pcirig_options){ .ecam_shift = 0x1000 });
	pcirig_start(&rig);
	assert_int_equal(weir_pci_scan(rig.weir), -WEIR_EINVAL);
	assert_int_equal(fakeplat_logged(rig.fake, "device tree: /pcie@4010000000: reg: is not at "
						   "a multiple of 1 MiB"),
			 1);
	finish();
}

static void no_memory_anywhere(void **state)
{
	unsigned int failures = 0, n = 1;
	int ret;

	(void)state;
	init(NULL);
	build(0);
	do {
		pcirig_start(&rig);
		rig.fake->fail_alloc = n++;
		ret = weir_pci_scan(rig.weir);
		failures += ret == -WEIR_ENOMEM;
		assert_true(!ret || ret == -WEIR_ENOMEM);
		if (ret)
			assert_int_equal(count_found(), 0);
		assert_int_equal(weir_pci_remove_all(rig.weir), 0);
		pcirig_stop(&rig);
	} while (ret);
	assert_true(failures > 5);
	pcirig_start(&rig);
	rig.fake->fail_mmio_map = 1;
	assert_int_equal(weir_pci_scan(rig.weir), -WEIR_ENOMEM);
	finish();
}

static void no_memory_for_vectors(void **state)
{
	struct weir_pci_dev *pdev;
	int ret;

	(void)state;
	start_with_one();
	assert_int_equal(weir_pci_scan(rig.weir), 0);
	pdev = found(dev[0]);
	assert_int_equal(weir_pci_enable(pdev), 0);
	for (unsigned int n = 1; n <= 4; n++) {
		rig.fake->fail_msi = n;
		ret = weir_pci_alloc_vectors(pdev, 4, 4);
		assert_int_equal(ret, -WEIR_ENOMEM);
		assert_int_equal(rig.fake->msis_in_use, 0);
	}
	rig.fake->fail_mmio_map = 1;
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 4), -WEIR_ENOMEM);
	assert_int_equal(rig.fake->msis_in_use, 0);
	assert_int_equal(weir_pci_alloc_vectors(pdev, 1, 4), 4);
	weir_pci_free_vectors(pdev);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_names),
		cmocka_unit_test(bars_are_placed),
		cmocka_unit_test(random_trees),
		cmocka_unit_test(sound_placement_is_kept),
		cmocka_unit_test(too_large_is_left_out),
		cmocka_unit_test(bus_numbers_run_out),
		cmocka_unit_test(groups_with_access_control),
		cmocka_unit_test(groups_without),
		cmocka_unit_test(one_bad_port_spoils_a_switch),
		cmocka_unit_test(multi_function_devices),
		cmocka_unit_test(without_iommu),
		cmocka_unit_test(behind_an_iommu_that_nobody_drives),
		cmocka_unit_test(drivers_are_bound),
		cmocka_unit_test(drivers_that_fail_or_forget),
		cmocka_unit_test(messages_arrive),
		cmocka_unit_test(masters_only_when_asked),
		cmocka_unit_test(mastering_is_off_on_return),
		cmocka_unit_test(configuration_accesses),
		cmocka_unit_test(wrong_tables),
		cmocka_unit_test(configuration_space_out_of_place),
		cmocka_unit_test(no_memory_anywhere),
		cmocka_unit_test(no_memory_for_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
