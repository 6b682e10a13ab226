/* SPDX-License-Identifier: MIT */
/*
 * The model machine, brought up from an IORT and a described host bridge instead of a device tree.
 *
 * - The NVMe driver reads what is on the disk, in every mode, with its functions' streams and
 *   messages as the table says; an access that nobody allowed is blocked.
 * - The streams are the table's: with IDs moved by it, the device that the SMMU sees under others
 *   reaches nothing.
 * - What the table has wrong of a function leaves that function out, with a line that says why.
 * - Host bridges that make no sense are refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <weir/dma-mapping.h>

#include "iortbuild.h"
#include "stack.h"

#define SMMU_BASE 0x9050000

static struct iortbuild b;
static struct stack s;
static unsigned int faults;

static bool count_fault(void *arg, const struct weir_fault *fault)
{
	(void)arg;
	(void)fault;
	__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
	return true;
}

/* The machine in the table's words; StreamIDs are requester IDs plus `shift`. */
static void build(uint32_t shift, unsigned int its_type)
{
	const struct iort_smmuv3 smmu = { .base = SMMU_BASE,
					  .flags = 1,
					  .gsivs = { WEIR_MODEL_MACHINE_IRQ_EVENTQ, 0,
						     WEIR_MODEL_MACHINE_IRQ_GERROR,
						     WEIR_MODEL_MACHINE_IRQ_CMDQ_SYNC } };
	const struct iort_root root = { .memory = { .cca = 1, .flags = 3 } };
	uint32_t its = 0, node;

	iort_begin(&b, 6);
	if (its_type == IORT_ITS)
		its = iort_its(&b, 1, (const uint32_t[]){ 0 });
	else
		its = iort_node(&b, its_type, 1);
	node = iort_smmuv3(&b, 4, &smmu);
	iort_mapping(&b, 0, 0x1ffff, 0, its);
	(void)iort_root(&b, 3, &root);
	iort_mapping(&b, 0, 0xffff, shift, node);
	iort_end(&b);
}

static void make(enum posix_runner runner, enum weir_mode mode)
{
	struct stack_options options = {
		.posix = { .runner = runner, .seed = 5, .cpus = 2 },
		.mode = mode,
		.on_fault = count_fault,
		.iort = b.bytes,
		.iort_size = b.size,
	};

	faults = 0;
	assert_int_equal(stack_make(&s, &options), 0);
}

static void finish(void)
{
	assert_int_equal(stack_call(&s, stack_down), 0);
	assert_int_equal(s.live_mappings, 0);
	assert_int_equal(s.leaked_pages, 0);
	stack_destroy(&s);
}

/* A sector through the driver, compared. */
static int read_sector(void *stack)
{
	struct stack *st = stack;
	struct page *page = alloc_page(GFP_KERNEL);
	struct nvme_request req = { .op = NVME_READ };
	struct scatterlist sg;
	int ret;

	assert_non_null(page);
	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, 4096, 0);
	req.sgl = &sg;
	req.nents = 1;
	req.block = 16;
	ret = nvme_execute(st->ctrl, &req);
	if (!ret && memcmp(page_address(page), st->disk + 16 * 512, 4096))
		ret = -EIO;
	__free_page(page);
	return ret;
}

static void reads_the_disk(void **state)
{
	static const enum weir_mode modes[] = { WEIR_MODE_STRICT, WEIR_MODE_PASSTHROUGH,
						WEIR_MODE_OFF };

	(void)state;
	build(0, IORT_ITS);
	for (unsigned int i = 0; i < 2 * WEIR_ARRAY_SIZE(modes); i++) {
		make(i & 1 ? POSIX_SEEDED : POSIX_THREADED, modes[i / 2]);
		assert_int_equal(stack_call(&s, stack_up), 0);
		assert_int_equal(stack_call(&s, read_sector), 0);
		assert_int_equal(weir_device_group_id(&s.nvme->dev) >= 0, 1);
		assert_int_equal(s.nvme->msi_controller, 1);
		assert_int_equal(faults, 0);
		finish();
	}
}

static void streams_are_the_tables(void **state)
{
	(void)state;
	build(0x100, IORT_ITS);
	make(POSIX_SEEDED, WEIR_MODE_STRICT);
	/* The device has another stream than the table says, a blocked one: it cannot come up. */
	assert_int_not_equal(stack_call(&s, stack_up), 0);
	assert_true(faults > 0);
	finish();
}

static void a_function_is_left_out(void **state)
{
	(void)state;
	build(0, IORT_ITS);
	iort_set(&b, b.node + 12 + 0, 4, 4096); /* its mappings are outside of the table */
	iort_end(&b);
	make(POSIX_SEEDED, WEIR_MODE_STRICT);
	assert_int_equal(stack_call(&s, stack_up), -ENODEV);
	assert_true(stack_logged(&s, "its ID mappings are outside of it"));
	assert_true(stack_logged(&s, "is left out"));
	finish();

	/* On the way of its messages is a node of an unknown type. */
	build(0, 9);
	make(POSIX_SEEDED, WEIR_MODE_STRICT);
	assert_int_equal(stack_call(&s, stack_up), -ENODEV);
	assert_true(stack_logged(&s, "nothing is known of it"));
	finish();
}

static int wrong_hosts(void *stack)
{
	static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };
	struct stack *st = stack;
	struct weir_options options = { .plat = st->machine,
					.cpus = 2,
					.iommu_drivers = drivers,
					.iort = b.bytes,
					.iort_size = b.size };
	struct weir_pci_host_desc good = { .ecam = 0x4010000000, .last_bus = 255 }, bad;
	struct weir *weir;

	assert_int_equal(weir_init(&options, &weir), 0);
#define BAD(change, text)                                                                          \
	do {                                                                                       \
		bad = good;                                                                        \
		change;                                                                            \
		assert_int_equal(weir_pci_scan_hosts(weir, &bad, 1), -WEIR_EINVAL);                \
		assert_true(stack_logged(st, text));                                               \
	} while (0)
	BAD(bad.ecam += 4096, "not at a multiple of 1 MiB");
	BAD((bad.first_bus = 2, bad.last_bus = 1), "last bus comes before");
	BAD(bad.nr_windows = 9, "more than 8");
	BAD(bad.nr_windows = 1, "a window is empty");
#undef BAD
	assert_int_equal(weir_pci_scan_hosts(weir, &good, 0), 0);
	assert_int_equal(weir_pci_scan_hosts(weir, &good, 1), 0);
	assert_int_equal(weir_pci_scan_hosts(weir, &good, 1), -WEIR_EEXIST);
	weir_pci_remove_all(weir);
	assert_int_equal(weir_fini(weir), 0);
	return 0;
}

static void hosts_that_make_no_sense(void **state)
{
	(void)state;
	build(0, IORT_ITS);
	make(POSIX_SEEDED, WEIR_MODE_STRICT);
	assert_int_equal(stack_call(&s, wrong_hosts), 0);
	stack_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_disk),
		cmocka_unit_test(streams_are_the_tables),
		cmocka_unit_test(a_function_is_left_out),
		cmocka_unit_test(hosts_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
