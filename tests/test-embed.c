/* SPDX-License-Identifier: MIT */

/*
 * weir inside a kernel that has names of its own (tests/embed/):
 *
 * - the headers for embedders compile with the kernel's headers before them and after them, and
 *   mean the same either way, though the kernel's device, page, scatterlist, GFP_KERNEL, min, BIT,
 *   container_of, PAGE_SIZE, readl, EINVAL and the like are not Linux's
 * - the library links into it next to its own dma_map_single, kmalloc, list_add, spin_lock, ...
 * - with platform functions that are the kernel's, a device's buffer is mapped and unmapped
 *   (single, by physical address, list), the device without an IOMMU sees physical addresses, and
 *   nothing is left: no mapping, no page
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "embed/host.h"

static void maps_and_unmaps(void **state)
{
	struct embed_seen seen;

	(void)state;
	embed_run(&seen);
	assert_int_equal(seen.init, 0);
	assert_int_equal(seen.add, 0);
	assert_int_not_equal(seen.phys, 0);
	assert_int_equal(seen.single, seen.phys + 24);
	assert_int_equal(seen.page, seen.phys);
	assert_in_range(seen.segments, 1, 2);
	assert_int_equal(seen.segment, seen.phys);
	assert_int_equal(seen.left, 0);
	assert_int_equal(seen.fini, 0);
	assert_int_equal(seen.pages_left, 0);
}

/* The call by that name went to the kernel's function, not to weir's. */
static void kernel_keeps_its_names(void **state)
{
	struct embed_seen seen;

	(void)state;
	embed_run(&seen);
	assert_int_equal(seen.kernels_dma_map_single, 41);
}

static void order_of_headers_does_not_matter(void **state)
{
	struct embed_sizes early, late;

	(void)state;
	embed_sizes_early(&early);
	embed_sizes_late(&late);
	assert_memory_equal(&early, &late, sizeof(early));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_and_unmaps),
		cmocka_unit_test(kernel_keeps_its_names),
		cmocka_unit_test(order_of_headers_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
