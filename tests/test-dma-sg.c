/* SPDX-License-Identifier: MIT */
/*
 * Lists in the DMA API, on both backings, over an IOMMU that is a table in the test.
 *
 * - A list's segments are the list's bytes in order, within the limits on length and boundary; what
 *   lies between is not mapped: hand-made lists, and random ones, chained too.
 * - Pages that are not neighbours become one segment; the driver is called once for a batch.
 * - A list that is wrong is refused; an error half-way leaves nothing mapped and no address lost,
 *   but where the IOMMU does not confirm the undoing: that address is not used again.
 * - Caches are maintained entry by entry for devices that do not snoop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dmabench.h"

/* ---- Lists -------------------------------------------------------------------------------- */

#define MAX_ENTRIES 300u

static struct weir_sg list[MAX_ENTRIES + 16];

/* Entries from (page, offset, length); the last one is marked. */
static void sg_set(struct weir_sg *sg, weir_phys_t phys, unsigned int length)
{
	sg->page_link = (sg->page_link & WEIR_SG_END) | weir_page_handle(phys & WEIR_PAGE_MASK);
	sg->offset = phys % PAGE;
	sg->length = length;
}

static void sg_init(unsigned int count)
{
	memset(list, 0, sizeof(list));
	list[count - 1].page_link = WEIR_SG_END;
}

/* Every `per`-th slot of the array becomes a link to the next one. Returns slots used. */
static void sg_init_chained(unsigned int count, unsigned int per)
{
	unsigned int slot = 0;

	memset(list, 0, sizeof(list));
	for (unsigned int i = 0; i < count; i++, slot++) {
		if (slot % per == per - 1 && i + 1 < count) {
			list[slot].page_link =
				(unsigned long)(uintptr_t)&list[slot + 1] | WEIR_SG_CHAIN;
			slot++;
		}
		if (i + 1 == count)
			list[slot].page_link = WEIR_SG_END;
	}
}

static uint64_t rnd_state;

static unsigned int rnd(unsigned int below)
{
	rnd_state = rnd_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(rnd_state >> 33) % below;
}

/* The segments are the list's bytes, in order, within the limits. Returns the pages mapped. */
static uint64_t check_segments(struct weir_sg *sg, unsigned int nents, int segments)
{
	struct weir_sg *seg = sg;
	unsigned int done = 0, total_segments = 0;
	uint64_t pages = 0;

	assert_true(segments > 0 && segments <= (int)nents);
	for (struct weir_sg *s = sg; nents; s = weir_sg_next(s), nents--) {
		weir_phys_t phys = weir_sg_phys(s);

		pages += (WEIR_ALIGN_UP(phys + s->length, PAGE) - (phys & WEIR_PAGE_MASK)) / PAGE;
		for (unsigned int at = 0; at < s->length; at += 1 + rnd(1500)) {
			weir_dma_t addr;

			assert_int_equal(reach(seg->dma_address + done + at, true), phys + at);
			addr = seg->dma_address + done + at;
			assert_true(addr <= dev.dma_mask);
		}
		assert_int_equal(reach(seg->dma_address + done + s->length - 1, true),
				 phys + s->length - 1);
		done += s->length;
		assert_true(done <= seg->dma_length);
		if (done == seg->dma_length) {
			weir_dma_t last = seg->dma_address + seg->dma_length - 1;
			bool one_entry = seg->dma_length == s->length;

			if (dev.dma && !one_entry) {
				assert_true(seg->dma_length <= dev.max_segment_size);
				assert_int_equal(seg->dma_address & ~dev.segment_boundary,
						 last & ~dev.segment_boundary);
			} else if (dev.dma && seg->dma_length + seg->dma_address % PAGE - 1 <=
						      dev.segment_boundary) {
				assert_int_equal(seg->dma_address & ~dev.segment_boundary,
						 last & ~dev.segment_boundary);
			}
			total_segments++;
			done = 0;
			if (nents > 1)
				seg = weir_sg_next(seg);
		}
	}
	assert_int_equal(done, 0);
	assert_int_equal(total_segments, segments);
	return pages;
}

static void check_list(unsigned int nents)
{
	int segments = weir_dma_map_sg(&dev, list, nents, BIDI, 0, HERE);
	uint64_t pages = check_segments(list, nents, segments);

	assert_int_equal(dev.live_maps, 1);
	if (dev.dma)
		assert_int_equal(fakeiommu_pages(dev.dma), pages); /* and nothing else */
	weir_dma_unmap_sg(&dev, list, nents, BIDI, 0, HERE);
	assert_int_equal(dev.live_maps, 0);
	if (dev.dma)
		assert_int_equal(fakeiommu_pages(dev.dma), 0);
}

static void merging(void **state)
{
	(void)state;
	start(IOMMU, true);
	/* Pages that are not neighbours become one segment; one call, one range. */
	sg_init(16);
	for (unsigned int i = 0; i < 16; i++)
		sg_set(&list[i], RAM_BASE + 2 * i * PAGE, PAGE);
	fakeiommu_maps = 0;
	assert_int_equal(weir_dma_map_sg(&dev, list, 16, BIDI, 0, HERE), 1);
	assert_int_equal(fakeiommu_maps, 1);
	assert_int_equal(list[0].dma_length, 16 * PAGE);
	assert_int_equal(list[1].dma_length, 0);
	weir_dma_unmap_sg(&dev, list, 16, BIDI, 0, HERE);
	/* 256: segments of 64 KiB, in batches. */
	sg_init(256);
	for (unsigned int i = 0; i < 256; i++)
		sg_set(&list[i], RAM_BASE + 2 * i * PAGE, PAGE);
	fakeiommu_maps = fakeiommu_unmaps = 0;
	assert_int_equal(weir_dma_map_sg(&dev, list, 256, BIDI, 0, HERE), 16);
	assert_int_equal(fakeiommu_maps, 16);
	weir_dma_unmap_sg(&dev, list, 256, BIDI, 0, HERE);
	assert_int_equal(fakeiommu_unmaps, 1);
	/* Neighbours are one extent: one batch is enough. */
	sg_init(256);
	for (unsigned int i = 0; i < 256; i++)
		sg_set(&list[i], RAM_BASE + i * PAGE, PAGE);
	fakeiommu_maps = 0;
	assert_int_equal(weir_dma_set_max_segment_size(&dev, ~0u), 0);
	assert_int_equal(weir_dma_map_sg(&dev, list, 256, BIDI, 0, HERE), 1);
	assert_int_equal(fakeiommu_maps, 1);
	weir_dma_unmap_sg(&dev, list, 256, BIDI, 0, HERE);
	/* An end or a beginning inside a page: no merge. */
	sg_init(3);
	sg_set(&list[0], RAM_BASE + 0x100, 0x200);
	sg_set(&list[1], RAM_BASE + 0x300, 0xd00); /* the same page, mapped twice */
	sg_set(&list[2], RAM_BASE + 0x5000, 0x10);
	assert_int_equal(weir_dma_map_sg(&dev, list, 3, BIDI, 0, HERE), 2);
	weir_dma_unmap_sg(&dev, list, 3, BIDI, 0, HERE);
	check_list(3);
	stop();
}

static void boundaries(void **state)
{
	(void)state;
	start(IOMMU, true);
	assert_int_equal(weir_dma_set_segment_boundary(&dev, 0x12345), -WEIR_EINVAL);
	assert_int_equal(weir_dma_set_segment_boundary(&dev, 0x7ff), -WEIR_EINVAL);
	assert_int_equal(weir_dma_set_segment_boundary(&dev, 0x3fff), 0);
	assert_int_equal(weir_dma_set_max_segment_size(&dev, 0), -WEIR_EINVAL);
	sg_init(4);
	sg_set(&list[0], RAM_BASE, 3 * PAGE);
	sg_set(&list[1], RAM_BASE + 0x10000,
	       2 * PAGE); /* would cross: moved, with a gap before it */
	sg_set(&list[2], RAM_BASE + 0x20000, 2 * PAGE);
	sg_set(&list[3], RAM_BASE + 0x30000, 6 * PAGE); /* longer than the boundary allows at all */
	assert_int_equal(weir_dma_map_sg(&dev, list, 4, BIDI, 0, HERE), 3);
	assert_int_equal(list[1].dma_address, list[0].dma_address + 0x4000);
	assert_int_equal(list[1].dma_length, 4 * PAGE);
	assert_int_equal(reach(list[0].dma_address + 3 * PAGE, false), 0);
	assert_int_equal(fakeiommu_pages(dev.dma), 13);
	weir_dma_unmap_sg(&dev, list, 4, BIDI, 0, HERE);
	check_list(4);
	assert_int_equal(weir_dma_set_segment_boundary(&dev, ~0ull), 0);
	check_list(4);
	stop();
}

static void random_lists(void **state)
{
	static const uint64_t boundary[] = { 0xfff, 0x3fff, 0xffff, 0xffffffff, ~0ull };
	uint64_t lists = 0, entries = 0;

	(void)state;
	rnd_state = 7;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		for (unsigned int round = 0; round < 4000; round++) {
			unsigned int nents = 1 + rnd(round % 16 ? 20 : MAX_ENTRIES);
			struct weir_sg *sg = list;

			if (rnd(2) || nents > 100)
				sg_init(nents);
			else
				sg_init_chained(nents, 7 + rnd(20));
			for (unsigned int i = 0; i < nents; i++, sg = weir_sg_next(sg)) {
				unsigned int length =
					rnd(3) ? PAGE * (1 + rnd(3)) : 1 + rnd(3 * PAGE);
				weir_phys_t phys = RAM_BASE + (weir_phys_t)rnd(4000) * PAGE;

				sg_set(sg, phys + (rnd(2) ? 0 : rnd(PAGE)), length);
			}
			assert_int_equal(weir_dma_set_segment_boundary(&dev, boundary[rnd(5)]), 0);
			assert_int_equal(weir_dma_set_max_segment_size(&dev, PAGE << rnd(8)), 0);
			check_list(nents);
			lists++;
			entries += nents;
		}
		stop();
	}
	printf("%llu lists of %llu entries\n", (unsigned long long)lists,
	       (unsigned long long)entries);
}

static void wrong_lists(void **state)
{
	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, true);
		sg_init(2);
		sg_set(&list[0], RAM_BASE, PAGE);
		sg_set(&list[1], RAM_BASE + 0x5000, PAGE);
		assert_int_equal(weir_dma_map_sg(&dev, list, 0, BIDI, 0, HERE), -WEIR_EINVAL);
		assert_int_equal(weir_dma_map_sg(&dev, list, 3, BIDI, 0, HERE), -WEIR_EINVAL);
		assert_int_equal(weir_dma_map_sg(&dev, list, 2, WEIR_DMA_NONE, 0, HERE),
				 -WEIR_EINVAL);
		assert_int_equal(weir_dma_map_sg(&dev, list, 2, BIDI, 4, HERE), -WEIR_EINVAL);
		assert_int_equal(weir_dma_map_sg(&dev, list, 2, BIDI, 4 | WEIR_DMA_ATTR_NO_WARN,
						 HERE),
				 -WEIR_EINVAL);
		list[1].length = 0;
		assert_int_equal(weir_dma_map_sg(&dev, list, 2, BIDI, 0, HERE), -WEIR_EINVAL);
		assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 5);
		weir_dma_unmap_sg(&dev, list, 0, BIDI, 0, HERE);
		list[0].dma_address = 0x10000;
		list[0].dma_length = PAGE;
		list[1].dma_length = 0;
		weir_dma_unmap_sg(&dev, list, 2, BIDI, 0, HERE); /* never mapped */
		list[0].dma_length = 0;
		weir_dma_unmap_sg(&dev, list, 2, BIDI, 0, HERE);
		assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 8);
		assert_int_equal(dev.live_maps, 0);
		stop();
	}
	start(DIRECT, true);
	assert_int_equal(weir_dma_set_mask(&dev, RAM_BASE + 0xffff), 0);
	sg_init(2);
	sg_set(&list[0], RAM_BASE, PAGE);
	sg_set(&list[1], RAM_BASE + 0xf000, PAGE + 1);
	assert_int_equal(weir_dma_map_sg(&dev, list, 2, BIDI, 0, HERE), -WEIR_EIO);
	list[1].length = PAGE;
	assert_int_equal(weir_dma_map_sg(&dev, list, 2, BIDI, 0, HERE), 2);
	assert_int_equal(list[1].dma_address, RAM_BASE + 0xf000);
	weir_dma_unmap_sg(&dev, list, 2, BIDI, 0, HERE);
	stop();
}

/* What the device may still reach is not given out again. */
static void undoing_that_is_not_confirmed(void **state)
{
	weir_dma_t lost, addr;

	(void)state;
	start(IOMMU, true);
	addr = weir_dma_map_phys(&dev, RAM_BASE, 32 * PAGE, BIDI, 0, HERE);
	lost = addr - 32 * PAGE; /* from the top down, and the newest first */
	assert_int_not_equal(addr, WEIR_DMA_ERROR);
	sg_init(32);
	for (unsigned int i = 0; i < 32; i++)
		sg_set(&list[i], RAM_BASE + 3 * i * PAGE, PAGE);
	fakeiommu_knobs.fail_map = 2;
	fakeiommu_knobs.fail_unmap = 1;
	assert_int_equal(weir_dma_map_sg(&dev, list, 32, BIDI, 0, HERE), -WEIR_ENOMEM);
	assert_int_equal(fakeiommu_knobs.fail_unmap, 0);
	assert_true(weir_dma_map_sg(&dev, list, 32, BIDI, 0, HERE) > 0);
	assert_true(list[0].dma_address != lost);
	weir_dma_unmap_sg(&dev, list, 32, BIDI, 0, HERE);
	weir_dma_unmap(&dev, addr, 32 * PAGE, BIDI, 0, HERE);
	stop();
}

static void lists_that_fail_half_way(void **state)
{
	(void)state;
	fakeiommu_knobs.last = 512 * PAGE - 1;
	start(IOMMU, true);
	assert_int_equal(weir_dma_set_segment_boundary(&dev, 0x1fff), 0); /* gaps too */
	sg_init(100);
	for (unsigned int i = 0; i < 100; i++)
		sg_set(&list[i], RAM_BASE + 3 * i * PAGE, i % 3 ? PAGE : 2 * PAGE);
	for (unsigned int n = 1; n < 60; n++) {
		int ret;

		fakeiommu_knobs.fail_map = n;
		ret = weir_dma_map_sg(&dev, list, 100, BIDI, 0, HERE);
		if (ret > 0) {
			assert_true(n > 3);
			weir_dma_unmap_sg(&dev, list, 100, BIDI, 0, HERE);
		} else {
			assert_int_equal(ret, -WEIR_ENOMEM);
		}
		fakeiommu_knobs.fail_map = 0;
		assert_int_equal(dev.live_maps, 0);
		assert_int_equal(fakeiommu_pages(dev.dma), 0);
	}
	/* The addresses are all there: half of the domain at once. */
	assert_int_not_equal(weir_dma_map_phys(&dev, RAM_BASE, 256 * PAGE, BIDI, 0, HERE),
			     WEIR_DMA_ERROR);
	assert_int_equal(weir_dma_map_sg(&dev, list, 100, BIDI, 0, HERE), -WEIR_ENOMEM);
	weir_dma_unmap(&dev, 256 * PAGE, 256 * PAGE, BIDI, 0, HERE);
	stop();
}

static void caches_of_lists(void **state)
{
	(void)state;
	for (int backing = IOMMU; backing <= DIRECT; backing++) {
		start((enum backing)backing, false);
		sg_init(3);
		sg_set(&list[0], RAM_BASE + 0x10, 100);
		sg_set(&list[1], RAM_BASE + 0x5000, PAGE);
		sg_set(&list[2], RAM_BASE + 0x9000, 3 * PAGE);
		assert_true(weir_dma_map_sg(&dev, list, 3, BIDI, 0, HERE) > 0);
		expect_turns(100 + 4 * PAGE, 0);
		weir_dma_sync_sg_for_cpu(&dev, list, 3, BIDI);
		expect_turns(0, 100 + 4 * PAGE);
		weir_dma_sync_sg_for_device(&dev, list, 2, BIDI);
		expect_turns(100 + PAGE, 0);
		weir_dma_sync_sg_for_cpu(&dev, list, 3, WEIR_DMA_TO_DEVICE);
		expect_turns(0, 0);
		weir_dma_unmap_sg(&dev, list, 3, BIDI, 0, HERE);
		expect_turns(0, 100 + 4 * PAGE);
		assert_true(weir_dma_map_sg(&dev, list, 3, BIDI, WEIR_DMA_ATTR_SKIP_CPU_SYNC,
					    HERE) > 0);
		weir_dma_unmap_sg(&dev, list, 3, BIDI, WEIR_DMA_ATTR_SKIP_CPU_SYNC, HERE);
		expect_turns(0, 0);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(merging, setup),
		cmocka_unit_test_setup(boundaries, setup),
		cmocka_unit_test_setup(random_lists, setup),
		cmocka_unit_test_setup(wrong_lists, setup),
		cmocka_unit_test_setup(undoing_that_is_not_confirmed, setup),
		cmocka_unit_test_setup(lists_that_fail_half_way, setup),
		cmocka_unit_test_setup(caches_of_lists, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
