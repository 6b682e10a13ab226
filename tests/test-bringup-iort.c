/* SPDX-License-Identifier: MIT */
/*
 * Bring-up from ACPI's IORT, over IOMMUs that are tables in the test.
 *
 * - Each SMMUv3 of the table is probed, in the table's order, with what its node says: registers,
 *   coherence, wires by their GSIVs (one for all: combined), the ID of its own messages.
 * - IOMMUs are found by their nodes; named components get their streams, and errors have names.
 * - A table that is damaged, or comes with a device tree, is refused with a line that says so;
 *   nothing is left. One whose messages alone are wrong brings up the IOMMU without them.
 * - Running out of memory anywhere leaks nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommubench.h"
#include "iortserver.h"

static struct iortbuild b;
static struct iort_server server;

static struct weir_options iort_options(enum weir_mode mode)
{
	struct weir_options options = options_for(mode, 0);

	options.iort = b.bytes;
	options.iort_size = b.size;
	return options;
}

static void start_iort(enum weir_mode mode)
{
	struct weir_options options;

	fake = fakeplat_new(RAM);
	options = iort_options(mode);
	assert_int_equal(weir_init(&options, &weir), 0);
	fake->weir = weir;
}

static void refused(const struct weir_options *options, int error, const char *text)
{
	struct weir *none = NULL;

	assert_int_equal(weir_init(options, &none), error);
	assert_null(none);
	assert_true(fakeplat_logged(fake, text));
	assert_int_equal(fake->pages_in_use, 0);
}

static void nodes(void **state)
{
	const struct weir_iommu_desc *desc;

	(void)state;
	iort_server(&b, 6, &server);
	start_iort(WEIR_MODE_STRICT);
	desc = &fakeiommu[0]->desc;
	assert_int_equal(desc->base, 0x40000000);
	assert_int_equal(desc->size, 0x20000);
	assert_true(desc->coherent && desc->overrides_coherent);
	assert_int_equal(desc->iort_node, server.smmu_0);
	assert_int_equal(desc->phandle, 0);
	assert_int_equal(desc->irq_eventq, 101);
	assert_int_equal(desc->irq_priq, 102);
	assert_int_equal(desc->irq_gerror, 103);
	assert_int_equal(desc->irq_sync, 104);
	assert_int_equal(desc->irq_combined, -1);
	assert_false(desc->has_msi);
	assert_int_equal(fake->wired_controller, 0);
	desc = &fakeiommu[1]->desc;
	assert_int_equal(desc->base, 0x140000000000);
	assert_false(desc->coherent);
	assert_int_equal(desc->irq_eventq, -1);
	assert_int_equal(desc->irq_gerror, -1);
	assert_true(desc->has_msi);
	assert_int_equal(desc->msi_controller, 6); /* ITS 5, counted from 1 */
	assert_int_equal(desc->msi_device_id, 0x17000);
	assert_null(fakeiommu[2]);
	assert_string_equal(fakeiommu[1]->iommu.name, "SMMUv3 at 0x140000000000");
	assert_ptr_equal(weir_iommu_by_iort_node(weir, server.smmu_0), &fakeiommu[0]->iommu);
	assert_ptr_equal(weir_iommu_by_iort_node(weir, server.smmu_1), &fakeiommu[1]->iommu);
	assert_null(weir_iommu_by_iort_node(weir, server.smmu_old));
	assert_null(weir_iommu_by_iort_node(weir, 0));
	assert_null(weir_iommu_by_phandle(weir, 0));
	stop();
}

/* One SMMUv3 and nothing else. */
static void one_smmu(const struct iort_smmuv3 *smmu, unsigned int revision)
{
	iort_begin(&b, 6);
	iort_smmuv3(&b, revision, smmu);
	iort_end(&b);
}

static void wires(void **state)
{
	struct iort_smmuv3 smmu = { .base = 0x9000000, .gsivs = { 77, 77, 77, 77 } };

	(void)state;
	one_smmu(&smmu, 1);
	start_iort(WEIR_MODE_STRICT);
	assert_int_equal(fakeiommu[0]->desc.irq_combined, 77);
	assert_int_equal(fakeiommu[0]->desc.irq_eventq, -1);
	assert_int_equal(fakeiommu[0]->desc.irq_gerror, -1);
	assert_int_equal(fakeiommu[0]->desc.irq_priq, -1);
	assert_int_equal(fakeiommu[0]->desc.irq_sync, -1);
	stop();

	/* Cavium's has one page of registers. */
	smmu = (struct iort_smmuv3){ .base = 0x9000000, .model = 2, .gsivs = { 0, 0, 78, 0 } };
	one_smmu(&smmu, 1);
	start_iort(WEIR_MODE_STRICT);
	assert_int_equal(fakeiommu[0]->desc.size, 0x10000);
	assert_int_equal(fakeiommu[0]->desc.irq_gerror, 78);
	stop();

	smmu.gsivs[2] = 5000;
	one_smmu(&smmu, 1);
	fake = fakeplat_new(RAM);
	{
		struct weir_options options = iort_options(WEIR_MODE_STRICT);

		refused(&options, -WEIR_EINVAL, "does not know interrupt 5000 (global errors");
	}
	fakeplat_delete(fake);
	fake = NULL;
}

static void messages_that_are_wrong(void **state)
{
	struct iort_smmuv3 smmu = { .base = 0x9000000, .flags = 0x10, .msi_index = 9 };

	(void)state;
	one_smmu(&smmu, 5);
	start_iort(WEIR_MODE_STRICT);
	assert_false(fakeiommu[0]->desc.has_msi);
	assert_true(fakeplat_logged(fake, "no ID mapping for its own messages"));
	stop();
}

static void components(void **state)
{
	struct weir_device_id ids[4];

	(void)state;
	iort_server(&b, 6, &server);
	start_iort(WEIR_MODE_STRICT);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.USB0", ids, 4), 2);
	assert_ptr_equal(ids[0].iommu, &fakeiommu[1]->iommu);
	assert_int_equal(ids[0].id, 0x9000);
	assert_ptr_equal(ids[1].iommu, &fakeiommu[1]->iommu);
	assert_int_equal(ids[1].id, 0x9001);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.USB0", ids, 1), -WEIR_E2BIG);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.NET", ids, 4), 0);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.NONE", ids, 4), -WEIR_ENOENT);
	stop();

	start_iort(WEIR_MODE_OFF);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.USB0", ids, 4), 0);
	stop();

	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.USB0", ids, 4), -WEIR_ENOENT);
	stop();
}

static void components_that_are_wrong(void **state)
{
	struct iort_named named = { .name = "\\_SB.BAD" };
	struct weir_device_id ids[4];
	struct weir_options options;
	uint32_t old;

	(void)state;
	iort_begin(&b, 6);
	old = iort_node(&b, 9, 1); /* of a type that nobody knows */
	iort_named(&b, 4, &named);
	iort_single(&b, 1, old);
	named.name = "\\_SB.LOST";
	iort_named(&b, 4, &named);
	iort_single(&b, 1, old + 4);
	iort_end(&b);
	start_iort(WEIR_MODE_STRICT);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.BAD", ids, 4), -WEIR_ENODEV);
	assert_true(fakeplat_logged(fake, "nothing is known of it"));
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.LOST", ids, 4), -WEIR_EINVAL);
	assert_true(fakeplat_logged(fake, "leads to where no node begins"));
	stop();

	iort_server(&b, 6, &server);
	fake = fakeplat_new(RAM);
	options = iort_options(WEIR_MODE_STRICT);
	options.iommu_drivers = NULL;
	assert_int_equal(weir_init(&options, &weir), 0);
	assert_int_equal(weir_iort_device_ids(weir, "\\_SB.USB0", ids, 4), -WEIR_ENODEV);
	assert_true(fakeplat_logged(fake, "which nobody drives"));
	stop();
}

static void wrong_options(void **state)
{
	struct weir_options good, bad;

	(void)state;
	iort_server(&b, 6, &server);
	fake = fakeplat_new(RAM);
	good = iort_options(WEIR_MODE_STRICT);
	bad = good;
	bad.iort_size = 0;
	refused(&bad, -WEIR_EINVAL, "options.iort and .iort_size");
	bad = good;
	bad.iort = NULL;
	refused(&bad, -WEIR_EINVAL, "options.iort and .iort_size");
	bad = good;
	bad.fdt = fakeiommu_fdt(1, true, &bad.fdt_size);
	refused(&bad, -WEIR_EINVAL, "described twice");
	bad = good;
	bad.iort_size = 60;
	refused(&bad, -WEIR_EINVAL, "IORT");
	b.bytes[100] ^= 1;
	refused(&good, -WEIR_EINVAL, "checksum");
	iort_server(&b, 6, &server);
	fakeiommu_knobs.probe_error = -WEIR_EOPNOTSUPP;
	fakeiommu_knobs.probe_fails = 2;
	refused(&good, -WEIR_EOPNOTSUPP, "SMMUv3 at 0x140000000000: fakeiommu cannot drive it");
	fakeplat_delete(fake);
	fake = NULL;
	fakeiommu_reset();
}

static int bring_up_once(uint64_t fail, bool onwards)
{
	struct weir_options options = iort_options(WEIR_MODE_STRICT);
	struct weir_device_id ids[4];
	int ret;

	options.heap_whole_pages = true;
	fake->fail_alloc = fail;
	fake->fail_onwards = onwards;
	ret = weir_init(&options, &weir);
	if (!ret) {
		ret = weir_iort_device_ids(weir, "\\_SB.USB0", ids, 4);
		assert_true(ret == 2 || ret == -WEIR_ENOMEM);
		assert_int_equal(weir_fini(weir), 0);
	}
	assert_int_equal(fake->pages_in_use, 0);
	return ret;
}

static void no_memory(void **state)
{
	(void)state;
	iort_server(&b, 6, &server);
	for (int onwards = 0; onwards < 2; onwards++) {
		uint64_t n = 0;
		int ret;

		do {
			fake = fakeplat_new(RAM);
			ret = bring_up_once(++n, onwards);
			assert_true(ret == 2 || ret == -WEIR_ENOMEM);
			fake->fail_alloc = 0;
			fakeplat_delete(fake);
			fakeiommu_reset();
		} while (ret != 2);
		assert_true(n > 5);
	}
	fake = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nodes, setup),
		cmocka_unit_test_setup(wires, setup),
		cmocka_unit_test_setup(messages_that_are_wrong, setup),
		cmocka_unit_test_setup(components, setup),
		cmocka_unit_test_setup(components_that_are_wrong, setup),
		cmocka_unit_test_setup(wrong_options, setup),
		cmocka_unit_test_setup(no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
