/* SPDX-License-Identifier: MIT */
/*
 * The DMA API on both backings, over an IOMMU that is a table in the test.
 *
 * - A mapping lets the device reach exactly the pages of the buffer, as the direction says; after
 *   the unmap none. The offset in the page is kept; without an IOMMU the address is the physical
 *   one.
 * - What a driver must not ask for is refused with one line, which NO_WARN and the limit keep away.
 * - An unmap of what is not mapped changes nothing, and its addresses are never in two hands.
 * - Caches are maintained for devices that do not snoop: exactly the bytes, in the right turn.
 * - Coherent memory is zeroed, aligned, within the mask, and refused where it cannot be had.
 * - Blocks of a pool are apart, aligned and within boundaries; leaks are reported and stay mapped.
 * - Masks: what they answer is what mapping does.
 * - Out of memory anywhere: an error, nothing lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dmabench.h"

/* ---- One piece ---------------------------------------------------------------------------- */

static void check_single(weir_phys_t phys, size_t size, enum weir_dma_dir dir)
{
	weir_dma_t addr = weir_dma_map_phys(&dev, phys, size, dir, 0, HERE);
	weir_dma_t first = addr & WEIR_PAGE_MASK, end = WEIR_ALIGN_UP(addr + size, PAGE);

	assert_int_not_equal(addr, WEIR_DMA_ERROR);
	assert_int_equal(addr % PAGE, phys % PAGE);
	assert_true(addr + size - 1 <= dev.dma_mask);
	assert_int_equal(dev.live_maps, 1);
	for (weir_dma_t at = addr; at < addr + size;
	     at += at == addr ? size - 1 + (size == 1) : PAGE) {
		assert_int_equal(reach(at, false),
				 dir == WEIR_DMA_FROM_DEVICE && dev.dma ? 0 : phys + (at - addr));
		assert_int_equal(reach(at, true),
				 dir == WEIR_DMA_TO_DEVICE && dev.dma ? 0 : phys + (at - addr));
	}
	if (dev.dma) {
		assert_int_equal(fakeiommu_pages(dev.dma), (end - first) / PAGE);
		for (weir_dma_t at = first; at < end; at += PAGE) {
			weir_phys_t to;
			unsigned int prot;

			assert_true(fakeiommu_lookup(dev.dma, at, &to, &prot));
			assert_int_equal(to, (phys & WEIR_PAGE_MASK) + (at - first));
			assert_int_equal(!!(prot & WEIR_IOMMU_CACHE), dev.coherent);
		}
	}
	weir_dma_unmap(&dev, addr, size, dir, 0, HERE);
	assert_int_equal(dev.live_maps, 0);
	if (dev.dma)
		assert_int_equal(fakeiommu_pages(dev.dma), 0);
}

static void singles(void **state)
{
	static const size_t sizes[] = { 1,	   1500,	  PAGE - 1, PAGE,    PAGE + 1,
					16 * PAGE, 17 * PAGE + 3, 2u << 20, 5u << 20 };
	static const size_t offsets[] = { 0, 1, 0x142, PAGE - 1 };
	struct weir_stats stats;

	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		for (int coherent = 0; coherent < 2; coherent++) {
			uint64_t count = 0;

			start((enum backing)backing, coherent);
			for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
				for (unsigned int k = 0; k < WEIR_ARRAY_SIZE(offsets); k++) {
					for (int dir = 0; dir < 3; dir++, count++)
						check_single(RAM_BASE + 0x10000 + offsets[k],
							     sizes[i], (enum weir_dma_dir)dir);
				}
			}
			weir_get_stats(weir, &stats);
			assert_int_equal(stats.maps, count);
			assert_int_equal(stats.unmaps, count);
			assert_int_equal(stats.live_mappings, 0);
			assert_int_equal(stats.map_errors, 0);
			assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 0);
			stop();
		}
	}
}

static void by_virtual_address(void **state)
{
	void *buffer;
	weir_dma_t addr;

	(void)state;
	start(IOMMU, true);
	buffer = weir_alloc(weir, 100, 0);
	addr = weir_dma_map_single(&dev, buffer, 100, BIDI, 0, HERE);
	assert_int_equal(reach(addr, true), plat_virt_to_phys(fake, buffer));
	assert_false(weir_dma_is_error(addr));
	assert_true(weir_dma_is_error(WEIR_DMA_ERROR));
	weir_dma_unmap(&dev, addr, 100, BIDI, 0, HERE);
	weir_free(weir, buffer);
	stop();
}

static void refuses(weir_phys_t phys, size_t size, enum weir_dma_dir dir, unsigned long attrs,
		    const char *text)
{
	struct weir_stats before, after;
	unsigned int lines = fakeplat_logged(fake, text);

	weir_get_stats(weir, &before);
	assert_int_equal(weir_dma_map_phys(&dev, phys, size, dir, attrs, HERE), WEIR_DMA_ERROR);
	assert_int_equal(fakeplat_logged(fake, text), lines + 1);
	assert_non_null(strstr(fake->last_line, "dev: test-dma.c:"));
	assert_int_equal(weir_dma_map_phys(&dev, phys, size, dir, attrs | WEIR_DMA_ATTR_NO_WARN,
					   HERE),
			 WEIR_DMA_ERROR);
	assert_int_equal(fakeplat_logged(fake, text), lines + 1);
	weir_get_stats(weir, &after);
	assert_int_equal(after.map_errors, before.map_errors + 2);
	assert_int_equal(after.maps, before.maps);
	assert_int_equal(dev.live_maps, 0);
}

static void wrong_arguments(void **state)
{
	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		refuses(RAM_BASE, 0, BIDI, 0, "maps 0 bytes");
		refuses(RAM_BASE, 1, WEIR_DMA_NONE, 0, "without a direction");
		refuses(RAM_BASE, 1, (enum weir_dma_dir) - 1, 0, "without a direction");
		refuses(RAM_BASE, 1, BIDI, 1, "attribute");
		refuses(~0ull - PAGE, 2 * PAGE, BIDI, 0, "beyond the end of memory");
		refuses(~0ull, 1, BIDI, 0, "beyond the end of memory");
		refuses(RAM_BASE, ~0ull, BIDI, 0, "beyond the end of memory");
		refuses(RAM_BASE, ~0ull - RAM_BASE - 8 * PAGE, BIDI, 0,
			backing == IOMMU ? "no address or table page" : "cannot reach");
		/* No more than ten lines a second. */
		for (unsigned int i = 0; i < 100; i++)
			assert_int_equal(weir_dma_map_phys(&dev, 0, 0, BIDI, 0, HERE),
					 WEIR_DMA_ERROR);
		assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 10);
		fakeplat_advance(fake, 2000000000);
		assert_int_equal(
			fakeplat_logged(fake, "98 more refused calls of the DMA API were not"), 1);
		stop();
	}
}

static void direct_within_the_mask(void **state)
{
	(void)state;
	start(DIRECT, true);
	assert_int_equal(weir_dma_set_mask(&dev, RAM_BASE + 0xfffff), 0);
	assert_int_equal(weir_dma_map_phys(&dev, RAM_BASE + 0xff000, PAGE, BIDI, 0, HERE),
			 RAM_BASE + 0xff000);
	weir_dma_unmap(&dev, RAM_BASE + 0xff000, PAGE, BIDI, 0, HERE);
	refuses(RAM_BASE + 0xff000, PAGE + 1, BIDI, 0, "cannot reach without translation");
	refuses(RAM_BASE + 0x100000, 1, BIDI, 0, "cannot reach without translation");
	stop();
}

/* After a failure everything is as before: all addresses can still be had. */
static void failures_lose_no_addresses(void **state)
{
	(void)state;
	fakeiommu_knobs.last = 8 * PAGE - 1;
	start(IOMMU, true);
	for (unsigned int i = 0; i < 100; i++) {
		fakeiommu_knobs.fail_map = 1;
		assert_int_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE),
				 WEIR_DMA_ERROR);
	}
	for (unsigned int i = 0; i < 7; i++)
		assert_int_not_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE),
				     WEIR_DMA_ERROR);
	assert_int_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE), WEIR_DMA_ERROR);
	for (unsigned int i = 1; i < 8; i++)
		weir_dma_unmap(&dev, i * PAGE, PAGE, BIDI, 0, HERE);
	stop();
}

/* An address that the device may still reach, since undoing was not confirmed, is not used again.
 */
static void lost_addresses_are_not_reused(void **state)
{
	(void)state;
	fakeiommu_knobs.last = 8 * PAGE - 1;
	start(IOMMU, true);
	fakeiommu_knobs.map_is_lost = true;
	for (unsigned int i = 0; i < 2; i++) {
		fakeiommu_knobs.fail_map = 1;
		assert_int_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE),
				 WEIR_DMA_ERROR);
	}
	/* Of the seven that there are. */
	for (unsigned int i = 0; i < 5; i++)
		assert_int_not_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE),
				     WEIR_DMA_ERROR);
	assert_int_equal(weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE), WEIR_DMA_ERROR);
	for (unsigned int i = 1; i < 8; i++) {
		weir_phys_t phys;

		if (!dev.dma->ops->iova_to_phys(dev.dma, i * PAGE, &phys))
			weir_dma_unmap(&dev, i * PAGE, PAGE, BIDI, 0, HERE);
	}
	stop();
}

static void wrong_unmaps(void **state)
{
	weir_dma_t addr, second;

	(void)state;
	start(IOMMU, true);
	addr = weir_dma_map_phys(&dev, RAM_BASE, 2 * PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, 2 * PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, 2 * PAGE, BIDI, 0, HERE); /* twice */
	weir_dma_unmap(&dev, 0, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, WEIR_DMA_ERROR, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, ~0ull & WEIR_PAGE_MASK, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, (uint64_t)1 << 48, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, 0, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, ~0ull, BIDI, 0, HERE);
	assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 7);
	assert_int_equal(dev.live_maps, 0);
	/* Larger than it was: what was mapped is not anymore, its address stays out of use. */
	addr = weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr & ~(2 * PAGE - 1), 2 * PAGE, BIDI, 0, HERE);
	assert_int_equal(reach(addr, false), 0);
	second = weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE);
	assert_int_not_equal(second, addr);
	weir_dma_unmap(&dev, second, PAGE, BIDI, 0, HERE);
	assert_int_equal(dev.live_maps, 1);
	stop_leaving(1);

	start(DIRECT, true);
	weir_dma_unmap(&dev, RAM_BASE, PAGE, BIDI, 0, HERE);
	assert_true(fakeplat_logged(fake, "nothing is mapped"));
	assert_int_equal(dev.live_maps, 0);
	addr = weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, WEIR_DMA_ERROR, PAGE, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, 0, BIDI, 0, HERE);
	assert_int_equal(dev.live_maps, 1);
	weir_dma_unmap(&dev, addr, PAGE, BIDI, 0, HERE);
	stop();
}

/* ---- Caches ------------------------------------------------------------------------------- */

static void caches_of_one_piece(enum weir_dma_dir dir)
{
	const weir_phys_t phys = RAM_BASE + 0x1234;
	const void *virt = plat_phys_to_virt(fake, phys);
	const size_t size = 3 * PAGE + 17;
	weir_dma_t addr;

	(void)turns();
	addr = weir_dma_map_phys(&dev, phys, size, dir, 0, HERE);
	assert_ptr_equal(fake->cache_cleaned, virt);
	expect_turns(size, 0);
	weir_dma_sync_for_cpu(&dev, addr + 0x1100, 0x1001, dir);
	expect_turns(0, dir == WEIR_DMA_TO_DEVICE ? 0 : 0x1001);
	if (dir != WEIR_DMA_TO_DEVICE)
		assert_ptr_equal(fake->cache_invalidated, (const char *)virt + 0x1100);
	weir_dma_sync_for_device(&dev, addr + 0x1100, 5, dir);
	assert_ptr_equal(fake->cache_cleaned, (const char *)virt + 0x1100);
	expect_turns(5, 0);
	weir_dma_sync_for_device(&dev, addr, 0, dir);
	weir_dma_unmap(&dev, addr, size, dir, WEIR_DMA_ATTR_SKIP_CPU_SYNC, HERE);
	expect_turns(0, 0);
	addr = weir_dma_map_phys(&dev, phys, size, dir, WEIR_DMA_ATTR_SKIP_CPU_SYNC, HERE);
	expect_turns(0, 0);
	weir_dma_unmap(&dev, addr, size, dir, 0, HERE);
	expect_turns(0, dir == WEIR_DMA_TO_DEVICE ? 0 : size);
}

static void caches(void **state)
{
	weir_dma_t addr;

	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, false);
		assert_false(weir_dma_is_coherent(&dev));
		for (int dir = 0; dir < 3; dir++)
			caches_of_one_piece((enum weir_dma_dir)dir);
		if (backing == IOMMU) {
			weir_dma_sync_for_cpu(&dev, 0x7000, PAGE, BIDI); /* nobody's bytes */
			weir_dma_sync_for_cpu(&dev, ~0ull - PAGE, PAGE, BIDI);
			expect_turns(0, 0);
		}
		stop();
		start((enum backing)backing, true);
		assert_true(weir_dma_is_coherent(&dev));
		addr = weir_dma_map_phys(&dev, RAM_BASE, PAGE, BIDI, 0, HERE);
		weir_dma_sync_for_cpu(&dev, addr, PAGE, BIDI);
		weir_dma_sync_for_device(&dev, addr, PAGE, BIDI);
		weir_dma_unmap(&dev, addr, PAGE, BIDI, 0, HERE);
		assert_int_equal(turns().cleans + turns().invalidates, 0);
		stop();
	}
}

/* ---- Coherent memory ---------------------------------------------------------------------- */

static void coherent_memory(void **state)
{
	static const size_t sizes[] = { 1, PAGE, PAGE + 1, 64 * 1024, 68 * 1024, 4u << 20 };

	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
			size_t pages = WEIR_ALIGN_UP(sizes[i], PAGE) / PAGE;
			uint64_t in_use = fake->pages_in_use;
			weir_dma_t addr;
			uint8_t *virt = weir_dma_alloc_coherent(&dev, sizes[i], &addr, 0, HERE);

			assert_non_null(virt);
			assert_int_equal((uintptr_t)virt % PAGE, 0);
			assert_int_equal(addr % PAGE, 0);
			assert_true(addr + sizes[i] - 1 <= dev.coherent_mask);
			for (size_t at = 0; at < pages * PAGE; at++)
				assert_int_equal(virt[at], 0);
			for (size_t at = 0; at < pages * PAGE; at += PAGE) {
				assert_int_equal(reach(addr + at, true),
						 plat_virt_to_phys(fake, virt) + at);
				assert_int_not_equal(reach(addr + at, false), 0);
			}
			if (dev.dma)
				assert_int_equal(fakeiommu_pages(dev.dma), pages);
			assert_int_equal(dev.live_maps, 1);
			weir_dma_free_coherent(&dev, sizes[i], virt, addr, HERE);
			assert_true(fake->pages_in_use <=
				    in_use + 1); /* a slab of the heap may stay */
		}
		weir_dma_free_coherent(&dev, PAGE, NULL, 0, HERE);
		stop();
	}
}

static void no_coherent_memory(void **state)
{
	weir_dma_t addr;
	void *virt;

	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		assert_null(weir_dma_alloc_coherent(&dev, 0, &addr, 0, HERE));
		assert_null(weir_dma_alloc_coherent(&dev, (4u << 20) + 1, &addr, 0, HERE));
		fake->fail_alloc = 1;
		fake->fail_onwards = true;
		assert_null(weir_dma_alloc_coherent(&dev, PAGE, &addr, 0, HERE));
		fake->fail_alloc = 0;
		assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 3);
		fakeiommu_knobs.fail_map = 1;
		virt = weir_dma_alloc_coherent(&dev, PAGE, &addr, 0, HERE);
		assert_true(backing == IOMMU ? !virt : !!virt);
		if (virt) /* freed with a wrong address it stays with the device */
			weir_dma_free_coherent(&dev, PAGE, virt, addr, HERE);
		fakeiommu_knobs.fail_map = 0;
		stop();

		start((enum backing)backing, false);
		assert_null(weir_dma_alloc_coherent(&dev, PAGE, &addr, 0, HERE));
		assert_true(fakeplat_logged(fake, "needs a device that snoops"));
		stop();
	}
	/* Memory that the device may still reach is not given back. */
	start(IOMMU, true);
	virt = weir_dma_alloc_coherent(&dev, PAGE, &addr, 0, HERE);
	weir_dma_free_coherent(&dev, PAGE, virt, addr ^ 0x10000, HERE);
	assert_int_equal(reach(addr, true), plat_virt_to_phys(fake, virt));
	weir_dma_free_coherent(&dev, PAGE, virt, addr, HERE);
	stop();
	/* Within the mask, or not at all. */
	start(DIRECT, true);
	assert_int_equal(weir_dma_set_coherent_mask(&dev, RAM_BASE + (2u << 20) - 1), 0);
	for (unsigned int i = 0; i < 3; i++) {
		virt = weir_dma_alloc_coherent(&dev, 1u << 20, &addr, 0, HERE);
		if (virt) {
			assert_true(addr + (1u << 20) <= RAM_BASE + (2u << 20));
			weir_dma_free_coherent(&dev, 1u << 20, virt, addr, HERE);
		}
	}
	assert_null(weir_dma_alloc_coherent(&dev, 4u << 20, &addr, 0, HERE));
	stop();
}

/* ---- Pools -------------------------------------------------------------------------------- */

static void check_pool(size_t size, size_t align, size_t boundary)
{
	enum { N = 200 };
	struct weir_dma_pool *pool = weir_dma_pool_create("pool", &dev, size, align, boundary);
	unsigned char *virt[N];
	weir_dma_t addr[N];

	assert_non_null(pool);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < N; i++) {
			virt[i] = weir_dma_pool_alloc(pool, 0, round, &addr[i]);
			assert_non_null(virt[i]);
			assert_true(!align || addr[i] % align == 0);
			assert_true(!align || align > PAGE || (uintptr_t)virt[i] % align == 0);
			assert_true(!boundary ||
				    addr[i] / boundary == (addr[i] + size - 1) / boundary);
			assert_int_equal(reach(addr[i], true), plat_virt_to_phys(fake, virt[i]));
			assert_int_equal(reach(addr[i] + size - 1, true),
					 plat_virt_to_phys(fake, virt[i]) + size - 1);
			for (size_t at = 0; round && at < size; at++)
				assert_int_equal(virt[i][at], 0);
			memset(virt[i], (int)i, size);
		}
		for (unsigned int i = 0; i < N; i++) { /* nobody wrote into another's */
			for (size_t at = 0; at < size; at++)
				assert_int_equal(virt[i][at], (unsigned char)i);
		}
		for (unsigned int i = 0; i < N; i++)
			weir_dma_pool_free(pool, virt[i], addr[i]);
	}
	weir_dma_pool_destroy(pool);
	assert_int_equal(dev.live_maps, 0);
}

static void pools(void **state)
{
	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		check_pool(1, 0, 0);
		check_pool(64, 64, 0);
		check_pool(100, 0, 256);
		check_pool(100, 32, 128);
		check_pool(3000, 0, PAGE);
		check_pool(PAGE, PAGE, PAGE);
		check_pool(PAGE + 8, 8, 0);
		check_pool(24, 0, 64 * 1024);
		check_pool(16, 8192, 0);
		assert_null(weir_dma_pool_create("x", &dev, 0, 0, 0));
		assert_null(weir_dma_pool_create("x", &dev, 8, 3, 0));
		assert_null(weir_dma_pool_create("x", &dev, 8, 8, 24));
		assert_null(weir_dma_pool_create("x", &dev, 65, 0, 64));
		assert_null(weir_dma_pool_create("x", &dev, 33, 64, 32));
		assert_null(weir_dma_pool_create("x", &dev, (4u << 20) + 1, 0, 0));
		assert_null(weir_dma_pool_create("x", &dev, 1, 8u << 20, 0));
		stop();
	}
}

static void pool_leaks(void **state)
{
	struct weir_dma_pool *pool;
	weir_dma_t addr, other;
	void *virt, *second;
	uint64_t pages;

	(void)state;
	start(IOMMU, true);
	pool = weir_dma_pool_create("prp", &dev, 2048, 2048, 0);
	virt = weir_dma_pool_alloc(pool, WEIR_ALLOC_ATOMIC, false, &addr);
	second = weir_dma_pool_alloc(pool, WEIR_ALLOC_ATOMIC, false, &other);
	weir_dma_pool_free(pool, second, other);
	assert_non_null(weir_dma_pool_alloc(pool, 0, false, &other));
	second = weir_dma_pool_alloc(pool, 0, false, &other); /* the second page */
	weir_dma_pool_free(pool, second, other);
	pages = fake->pages_in_use;
	weir_dma_pool_destroy(pool);
	assert_true(fakeplat_logged(fake, "pool prp: 2 blocks were never freed: 1 x 0x1000 bytes"));
	/* Of the two pages, that with the blocks stays the device's. */
	assert_int_equal(dev.live_maps, 1);
	assert_int_equal(reach(addr, true), plat_virt_to_phys(fake, virt));
	assert_true(fake->pages_in_use < pages);
	weir_dma_free_coherent(&dev, PAGE, (void *)((uintptr_t)virt & WEIR_PAGE_MASK),
			       addr & WEIR_PAGE_MASK, HERE);
	/* Freed too often. */
	pool = weir_dma_pool_create("prp", &dev, 64, 0, 0);
	virt = weir_dma_pool_alloc(pool, 0, false, &addr);
	weir_dma_pool_free(pool, virt, addr);
	weir_dma_pool_free(pool, virt, addr);
	assert_true(fakeplat_logged(fake, "pool prp: more blocks freed than allocated"));
	weir_dma_pool_destroy(pool);
	stop();
}

/* ---- Masks -------------------------------------------------------------------------------- */

static void masks(void **state)
{
	(void)state;
	start(IOMMU, true);
	assert_int_equal(weir_dma_required_mask(&dev), 0x7fffffff);
	assert_false(weir_dma_addressing_limited(&dev));
	assert_int_equal(weir_dma_merge_boundary(&dev), PAGE - 1);
	assert_int_equal(weir_dma_opt_mapping_size(&dev), 2u << 20);
	assert_int_equal(weir_dma_set_mask(&dev, 0xfff), -WEIR_EIO);
	assert_int_equal(weir_dma_set_mask(&dev, 0), -WEIR_EIO);
	assert_int_equal(weir_dma_set_coherent_mask(&dev, 0xfff), -WEIR_EIO);
	assert_int_equal(dev.dma_mask, 0xffffffff);
	assert_int_equal(weir_dma_set_mask(&dev, 0xffffff), 0);
	assert_false(weir_dma_addressing_limited(&dev));
	for (unsigned int bits = 13; bits <= 36; bits++) {
		uint64_t mask =
			bits % 3 ? WEIR_BIT(bits) - 1 : WEIR_BIT(bits) + WEIR_BIT(bits - 1) - 2;
		weir_dma_t addr;
		size_t max;

		assert_int_equal(weir_dma_set_mask(&dev, mask), 0);
		max = weir_dma_max_mapping_size(&dev);
		assert_true(max >= PAGE);
		if (max > 1u << 24)
			continue;
		addr = weir_dma_map_phys(&dev, RAM_BASE, max, BIDI, 0, HERE);
		assert_true(addr != WEIR_DMA_ERROR && addr + max - 1 <= mask);
		weir_dma_unmap(&dev, addr, max, BIDI, 0, HERE);
	}
	stop();

	start(DIRECT, true);
	assert_int_equal(weir_dma_required_mask(&dev), 0x7fffffff);
	assert_int_equal(weir_dma_merge_boundary(&dev), 0);
	assert_int_equal(weir_dma_opt_mapping_size(&dev), SIZE_MAX);
	assert_int_equal(weir_dma_max_mapping_size(&dev), SIZE_MAX);
	assert_false(weir_dma_addressing_limited(&dev));
	assert_int_equal(weir_dma_set_mask(&dev, RAM_BASE - 1), -WEIR_EIO);
	assert_true(fakeplat_logged(fake, "needs 0x7fffffff"));
	assert_int_equal(weir_dma_set_coherent_mask(&dev, RAM_BASE - 1), -WEIR_EIO);
	assert_int_equal(weir_dma_set_mask(&dev, RAM_END - 2), 0);
	assert_true(weir_dma_addressing_limited(&dev));
	stop();
}

/* ---- Out of memory ------------------------------------------------------------------------ */

static bool use_all(void)
{
	struct weir_dma_pool *pool = weir_dma_pool_create("pool", &dev, 64, 64, 0);
	weir_dma_t addr[70], single;
	void *virt[70], *coherent;
	bool ok = pool != NULL;
	struct weir_sg list[40] = { 0 };
	int segments;

	for (unsigned int i = 0; pool && i < 70; i++) {
		virt[i] = weir_dma_pool_alloc(pool, 0, true, &addr[i]);
		ok &= virt[i] != NULL;
	}
	for (unsigned int i = 0; pool && i < 70; i++) {
		if (virt[i])
			weir_dma_pool_free(pool, virt[i], addr[i]);
	}
	if (pool)
		weir_dma_pool_destroy(pool);
	coherent = weir_dma_alloc_coherent(&dev, 3 * PAGE, &addr[0], 0, HERE);
	ok &= coherent != NULL;
	if (coherent)
		weir_dma_free_coherent(&dev, 3 * PAGE, coherent, addr[0], HERE);
	for (unsigned int i = 0; i < 8; i++) {
		single = weir_dma_map_phys(&dev, RAM_BASE, PAGE << i, BIDI, 0, HERE);
		ok &= single != WEIR_DMA_ERROR;
		if (single != WEIR_DMA_ERROR)
			weir_dma_unmap(&dev, single, PAGE << i, BIDI, 0, HERE);
	}
	for (unsigned int i = 0; i < 40; i++) {
		list[i].page_link = weir_page_handle(RAM_BASE + 2 * i * PAGE);
		list[i].length = PAGE;
	}
	segments = weir_dma_map_sg(&dev, list, 40, BIDI, 0, HERE);
	ok &= segments > 0;
	if (segments > 0)
		weir_dma_unmap_sg(&dev, list, 40, BIDI, 0, HERE);
	return ok;
}

static void out_of_memory(void **state)
{
	unsigned int failures = 0;

	(void)state;
	for (unsigned int kind = 0; kind < 4; kind++) {
		for (unsigned int n = 1;; n++) {
			uint64_t before;

			start(kind % 2 ? DIRECT : IOMMU, true);
			before = fake->alloc_calls;
			fake->fail_alloc = n;
			fake->fail_onwards = kind / 2;
			failures += !use_all();
			before = fake->alloc_calls - before;
			fake->fail_alloc = 0;
			stop();
			if (before < n)
				break;
		}
	}
	printf("%u runs failed\n", failures);
	assert_true(failures > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(singles, setup),
		cmocka_unit_test_setup(by_virtual_address, setup),
		cmocka_unit_test_setup(wrong_arguments, setup),
		cmocka_unit_test_setup(direct_within_the_mask, setup),
		cmocka_unit_test_setup(failures_lose_no_addresses, setup),
		cmocka_unit_test_setup(lost_addresses_are_not_reused, setup),
		cmocka_unit_test_setup(wrong_unmaps, setup),
		cmocka_unit_test_setup(caches, setup),
		cmocka_unit_test_setup(coherent_memory, setup),
		cmocka_unit_test_setup(no_coherent_memory, setup),
		cmocka_unit_test_setup(pools, setup),
		cmocka_unit_test_setup(pool_leaks, setup),
		cmocka_unit_test_setup(masks, setup),
		cmocka_unit_test_setup(out_of_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
