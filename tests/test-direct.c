/* SPDX-License-Identifier: MIT */
/*
 * What firmware wants kept mapped, over IOMMUs that are tables in the test.
 *
 * - From weir_init() on each stream that an IORT's RMR node or a device tree's `iommu-addresses`
 *   names reaches its regions, with the permissions that they say, and nothing else; so it does in
 *   its device's domain after weir_device_add(), and again after weir_device_remove(). Streams with
 *   the same regions share a domain, others do not. After weir_fini() all are blocked.
 * - The regions of a group are the union of its devices': pieces that overlap are mapped once, the
 *   stricter kind counts, contradictions are told and the first stays.
 * - The DMA API never gives out an address of a region, so that no unmap touches one.
 * - What there is can be asked, by weir's names and by Linux's.
 * - A domain of the user's must have the regions that are not relaxable; a region at another
 *   address than its memory's keeps a group out of the identity domain.
 * - Whatever tables and hosts have wrong of a region is told, by name, and costs that region alone.
 * - Running out of memory anywhere leaks nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include <weir/iommu.h>

#include "iommubench.h"
#include "iortbuild.h"

#define REGION 0x50000000ull
#define MIB ((uint64_t)1 << 20)
#define RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)

static struct iortbuild b;
static uint32_t smmu_node[2];

/* ---- Tables -------------------------------------------------------------------------------- */

/* Two SMMUv3; RMR nodes follow, then end_iort(). */
static void begin_iort(void)
{
	struct iort_smmuv3 smmu = { .base = 0x1000000, .flags = 1 };

	iort_begin(&b, 6);
	smmu_node[0] = iort_smmuv3(&b, 4, &smmu);
	smmu.base = 0x2000000;
	smmu_node[1] = iort_smmuv3(&b, 4, &smmu);
}

static void add_rmr(uint32_t flags, uint64_t base, uint64_t size)
{
	const struct iort_range range = { base, size };

	iort_rmr(&b, 3, flags, 1, &range);
}

#define RELAXABLE 1u
#define ATTRIBUTES(a) ((uint32_t)(a) << 2)

static struct weir_options iort_options(enum weir_mode mode)
{
	struct weir_options options = options_for(mode, 0);

	iort_end(&b);
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

static char blob[8192];

static void cells(const char *name, unsigned int count, const uint32_t *values)
{
	fdt32_t be[32];

	for (unsigned int i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(values[i]);
	assert_int_equal(fdt_property(blob, name, be, (int)(count * 4)), 0);
}

#define CELLS(name, ...)                                                                           \
	cells(name, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (const uint32_t[]){ __VA_ARGS__ })

/* Two IOMMUs, with phandles 1 and 2; a device, 10, behind streams 5 and 6 of the first. */
static void begin_fdt(void)
{
	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 1);
	for (unsigned int i = 0; i < 2; i++) {
		char name[32];

		snprintf(name, sizeof(name), "iommu@%x", (i + 1) << 24);
		fdt_begin_node(blob, name);
		fdt_property_string(blob, "compatible", "weir,fake-iommu");
		CELLS("reg", 0, (i + 1) << 24, 0x20000);
		CELLS("phandle", i + 1);
		CELLS("#iommu-cells", 1 + i);
		fdt_end_node(blob);
	}
	fdt_begin_node(blob, "display@0");
	CELLS("iommus", 1, 5, 2, 9, 0, 1, 6);
	CELLS("phandle", 10);
	fdt_property(blob, "dma-coherent", NULL, 0);
	fdt_end_node(blob);
	fdt_begin_node(blob, "pcie@0");
	CELLS("iommu-map", 0, 2, 0, 0x10000);
	CELLS("#address-cells", 3);
	CELLS("#size-cells", 2);
	fdt_begin_node(blob, "ethernet@1,0");
	CELLS("reg", 0x800, 0, 0, 0, 0);
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	CELLS("phandle", 11);
	fdt_end_node(blob);
	fdt_end_node(blob);
	fdt_begin_node(blob, "reserved-memory");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 1);
	fdt_property(blob, "ranges", NULL, 0);
}

/* A region of 1 MiB for the display; its reg, or (0) none. */
static void begin_region(const char *name, uint32_t reg)
{
	fdt_begin_node(blob, name);
	if (reg)
		CELLS("reg", 0, reg, 0x100000);
}

static void add_region(const char *name, uint32_t reg, uint32_t iova, uint32_t size)
{
	begin_region(name, reg);
	CELLS("iommu-addresses", 10, 0, iova, size);
	fdt_end_node(blob);
}

static struct weir_options fdt_options(enum weir_mode mode)
{
	struct weir_options options = options_for(mode, 0);

	fdt_end_node(blob);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	options.fdt = blob;
	options.fdt_size = fdt_totalsize(blob);
	return options;
}

static void start_fdt(enum weir_mode mode)
{
	struct weir_options options;

	fake = fakeplat_new(RAM);
	options = fdt_options(mode);
	assert_int_equal(weir_init(&options, &weir), 0);
	fake->weir = weir;
}

/* ---- Questions ----------------------------------------------------------------------------- */

/* Each page of the region leads where it should, for this stream. */
static void reaches(unsigned int iommu, uint32_t id, uint64_t start, uint64_t phys, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += PAGE) {
		weir_phys_t to;

		assert_int_equal(fakeiommu_translate(fakeiommu[iommu], id, start + at, true, &to),
				 0);
		assert_int_equal(to, phys + at);
	}
}

/* ... and nothing but `pages` pages at all. */
static void reaches_only(unsigned int iommu, uint32_t id, uint64_t pages)
{
	struct weir_domain *domain = fakeiommu[iommu]->stream[id];

	assert_int_equal(domain->type, WEIR_DOMAIN_PAGING);
	assert_int_equal(fakeiommu_pages(domain), pages);
}

static void is_blocked(unsigned int iommu, uint32_t id)
{
	assert_ptr_equal(fakeiommu[iommu]->stream[id], &fakeiommu[iommu]->blocked);
}

static unsigned int prot_of(unsigned int iommu, uint32_t id, uint64_t iova)
{
	weir_phys_t phys;
	unsigned int prot;

	assert_true(fakeiommu_lookup(fakeiommu[iommu]->stream[id], iova, &phys, &prot));
	return prot;
}

/* ---- Through the hand-over ------------------------------------------------------------------ */

static void kept_by_iort(void **state)
{
	struct weir_device dev;

	(void)state;
	begin_iort();
	add_rmr(ATTRIBUTES(5), REGION, MIB);
	iort_single(&b, 7, smmu_node[0]);
	iort_mapping(&b, 0, 3, 20, smmu_node[1]);
	start_iort(WEIR_MODE_STRICT);
	reaches(0, 7, REGION, REGION, MIB);
	reaches_only(0, 7, 256);
	for (uint32_t id = 20; id <= 23; id++)
		assert_ptr_equal(fakeiommu[1]->stream[id], fakeiommu[1]->stream[20]);
	reaches(1, 20, REGION, REGION, MIB);
	is_blocked(0, 6);
	is_blocked(0, 8);
	is_blocked(0, 20);
	is_blocked(1, 19);
	is_blocked(1, 24);
	is_blocked(1, 7);
	assert_int_equal(prot_of(0, 7, REGION), RW | WEIR_IOMMU_CACHE);
	assert_int_equal(fakeiommu_domains, 2);

	add(&dev, "nic", 7, NULL);
	assert_ptr_equal(fakeiommu[0]->stream[7], dev.dma);
	reaches(0, 7, REGION, REGION, MIB);
	reaches_only(0, 7, 256);
	assert_int_equal(weir_device_remove(&dev), 0);
	reaches(0, 7, REGION, REGION, MIB);
	reaches_only(0, 7, 256);
	stop();
}

static void kept_by_fdt(void **state)
{
	struct weir_device dev;

	(void)state;
	begin_fdt();
	add_region("framebuffer@50000000", REGION, REGION, MIB);
	add_region("moved@60000000", 0x60000000, 0x70000000, MIB);
	add_region("hole", 0, 0x1000, 0x3000);
	begin_region("ring@51000000", 0x51000000);
	CELLS("iommu-addresses", 11, 0, 0x51000000, 0, 0x100000);
	fdt_end_node(blob);
	begin_region("off@52000000", 0x52000000);
	CELLS("iommu-addresses", 10, 0, 0x52000000, 0x100000);
	fdt_property_string(blob, "status", "disabled");
	fdt_end_node(blob);
	start_fdt(WEIR_MODE_STRICT);
	for (uint32_t id = 5; id <= 6; id++) {
		reaches(0, id, REGION, REGION, MIB);
		reaches(0, id, 0x70000000, 0x60000000, MIB);
		reaches_only(0, id, 512);
	}
	assert_int_equal(prot_of(0, 5, REGION), RW | WEIR_IOMMU_CACHE);
	/* The same device at another IOMMU, and a function by its devfn. */
	reaches(1, 9, REGION, REGION, MIB);
	reaches(1, 8, 0x51000000, 0x51000000, MIB);
	reaches_only(1, 8, 256);
	assert_int_equal(prot_of(1, 8, 0x51000000), RW);
	is_blocked(1, 5);
	is_blocked(0, 8);
	assert_ptr_equal(fakeiommu[0]->stream[5], fakeiommu[0]->stream[6]);

	add(&dev, "display", 5, NULL);
	reaches(0, 5, 0x70000000, 0x60000000, MIB);
	reaches_only(0, 5, 512);
	assert_ptr_not_equal(fakeiommu[0]->stream[5], fakeiommu[0]->stream[6]);
	reaches_only(0, 6, 512);
	assert_int_equal(weir_device_remove(&dev), 0);
	assert_ptr_equal(fakeiommu[0]->stream[5], fakeiommu[0]->stream[6]);
	stop();
}

/* An error on the way leaves the stream where it was. */
static void failures(void **state)
{
	struct weir_device dev;

	(void)state;
	begin_iort();
	add_rmr(0, REGION, MIB);
	iort_single(&b, 7, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	fakeiommu_knobs.fail_attach = 1;
	assert_int_equal(add_to(&dev, "nic", 0, 7, NULL), -WEIR_ETIMEDOUT);
	reaches(0, 7, REGION, REGION, MIB);
	fakeiommu_knobs.fail_map = 1;
	assert_int_equal(add_to(&dev, "nic", 0, 7, NULL), -WEIR_ENOMEM);
	reaches(0, 7, REGION, REGION, MIB);
	assert_int_equal(fakeiommu_domains, 1);
	stop();

	/* At bring-up it is the machine's. */
	fake = fakeplat_new(RAM);
	{
		struct weir_options options = iort_options(WEIR_MODE_STRICT);

		fakeiommu_knobs.fail_attach = 1;
		assert_int_equal(weir_init(&options, &weir), -WEIR_ETIMEDOUT);
		fakeiommu_knobs.fail_map = 1;
		assert_int_equal(weir_init(&options, &weir), -WEIR_ENOMEM);
		fakeiommu_knobs.fail_domain_alloc = 1;
		assert_int_equal(weir_init(&options, &weir), -WEIR_ENOMEM);
	}
	fakeplat_delete(fake);
	fake = NULL;
	fakeiommu_reset();
}

static void streams_with_different_regions(void **state)
{
	(void)state;
	begin_iort();
	add_rmr(0, REGION, MIB);
	iort_mapping(&b, 0, 5, 10, smmu_node[0]);
	add_rmr(0, REGION + 8 * MIB, 2 * MIB);
	iort_mapping(&b, 0, 1, 12, smmu_node[0]);
	add_rmr(0, REGION + 32 * MIB, MIB);
	iort_single(&b, 20, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	reaches_only(0, 10, 256);
	reaches(0, 20, REGION + 32 * MIB, REGION + 32 * MIB, MIB);
	reaches_only(0, 20, 256);
	reaches_only(0, 12, 3 * 256);
	reaches(0, 12, REGION, REGION, MIB);
	reaches(0, 12, REGION + 8 * MIB, REGION + 8 * MIB, 2 * MIB);
	assert_ptr_equal(fakeiommu[0]->stream[12], fakeiommu[0]->stream[13]);
	assert_ptr_equal(fakeiommu[0]->stream[10], fakeiommu[0]->stream[15]);
	assert_int_equal(fakeiommu_domains, 3);
	stop();
}

static void modes(void **state)
{
	struct weir_device dev;

	(void)state;
	begin_iort();
	add_rmr(0, REGION, MIB);
	iort_single(&b, 7, smmu_node[0]);
	start_iort(WEIR_MODE_PASSTHROUGH);
	reaches_only(0, 7, 256);
	add(&dev, "nic", 7, NULL);
	is_identity(&dev, 7);
	assert_int_equal(weir_device_remove(&dev), 0);
	reaches_only(0, 7, 256);
	stop();

	start_iort(WEIR_MODE_OFF);
	assert_ptr_equal(fakeiommu[0]->stream[7], &fakeiommu[0]->identity);
	assert_int_equal(fakeiommu_domains, 0);
	stop();

	/* Memory at another address needs translation. */
	begin_fdt();
	add_region("moved@60000000", 0x60000000, 0x70000000, MIB);
	start_fdt(WEIR_MODE_PASSTHROUGH);
	add(&dev, "display", 5, NULL);
	assert_non_null(dev.dma);
	reaches(0, 5, 0x70000000, 0x60000000, MIB);
	assert_int_equal(weir_device_remove(&dev), 0);
	stop();
}

/* ---- In a group ----------------------------------------------------------------------------- */

static int add_with(struct weir_device *dev, uint32_t id, struct weir_device *with,
		    const struct weir_direct_region *direct, unsigned int count)
{
	struct weir_device_id ids[] = { { &fakeiommu[0]->iommu, id } };
	struct weir_device_desc desc = { .name = "dev",
					 .ids = ids,
					 .nr_ids = 1,
					 .group_with = with,
					 .direct = direct,
					 .nr_direct = count };

	return weir_device_add(weir, dev, &desc);
}

static void overlaps(void **state)
{
	const struct weir_direct_region regions[] = {
		{ REGION + MIB, REGION + MIB, MIB, RW, WEIR_REGION_DIRECT_RELAXABLE },
		{ REGION + 4 * MIB, REGION + 4 * MIB, MIB, RW, WEIR_REGION_DIRECT_RELAXABLE },
		/* Before, over, between, over and behind the two. */
		{ REGION, REGION, 8 * MIB, RW, WEIR_REGION_DIRECT },
		/* Inside, and not the same memory. */
		{ REGION + MIB, REGION, PAGE, RW, WEIR_REGION_DIRECT },
	};
	struct weir_direct_region found[8];
	struct weir_device a, other;
	uint64_t size = 0;
	unsigned int n;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_with(&a, 3, NULL, regions, 3), 0);
	reaches(0, 3, REGION, REGION, 8 * MIB);
	reaches_only(0, 3, 8 * 256);
	assert_int_equal(fake->log_lines[WEIR_LOG_ERR], 0);
	assert_int_equal(add_with(&other, 4, &a, &regions[3], 1), 0);
	assert_true(fakeplat_logged(fake, "contradicts another that overlaps it"));
	reaches(0, 4, REGION, REGION, 8 * MIB);
	n = weir_device_regions(&other, found, 8);
	assert_int_equal(n, 6); /* five pieces, and the doorbells' */
	for (unsigned int i = 0; i < n; i++) {
		if (found[i].kind == WEIR_REGION_SW_MSI)
			continue;
		assert_int_equal(found[i].kind, WEIR_REGION_DIRECT);
		size += found[i].size;
	}
	assert_int_equal(size, 8 * MIB);
	assert_int_equal(weir_device_regions(&other, NULL, 0), 6);
	assert_int_equal(weir_device_regions(&other, found, 2), 6);
	weir_device_remove(&other);
	weir_device_remove(&a);
	stop();
}

/* The same in Linux's words. */
static void linux_names(void **state)
{
	const struct weir_direct_region region = { REGION, REGION, MIB, RW, WEIR_REGION_DIRECT };
	struct iommu_resv_region *r, *next;
	struct device dev;
	LIST_HEAD(list);
	unsigned int n = 0;
	uint64_t used;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_with(&dev.weir, 3, NULL, &region, 1), 0);
	used = weir_heap_in_use(weir);
	iommu_get_resv_regions(&dev, &list);
	list_for_each_entry(r, &list, list)
	{
		bool direct = r->type == IOMMU_RESV_DIRECT;

		assert_true(direct || r->type == IOMMU_RESV_SW_MSI);
		assert_int_equal(r->start, direct ? REGION : 0x8000000);
		assert_int_equal(r->length, MIB);
		n++;
	}
	assert_int_equal(n, 2);
	list_for_each_entry_safe(r, next, &list, list)
	{
		list_del(&r->list);
		list_add(&r->list, &list);
		n--;
	}
	assert_int_equal(n, 0);
	iommu_put_resv_regions(&dev, &list);
	assert_true(list_empty(&list));
	assert_int_equal(weir_heap_in_use(weir), used);
	fake->fail_alloc = 1;
	iommu_get_resv_regions(&dev, &list);
	iommu_put_resv_regions(&dev, &list);
	weir_device_remove(&dev.weir);
	stop();
}

/* A device that comes later brings a region along. */
static void joining(void **state)
{
	const struct weir_direct_region region = { REGION, REGION, MIB, RW, WEIR_REGION_DIRECT };
	struct weir_direct_region taken = region;
	struct weir_device a, late;
	weir_dma_t addr;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_with(&a, 3, NULL, NULL, 0), 0);
	addr = map(&a);
	taken.start = taken.phys = addr;
	assert_int_equal(add_with(&late, 4, &a, &taken, 1), -WEIR_EBUSY);
	assert_true(fakeplat_logged(fake, "is in use by others of its group"));
	reaches_only(0, 3, 1);
	assert_int_equal(add_with(&late, 4, &a, &region, 1), 0);
	reaches(0, 3, REGION, REGION, MIB);
	reaches(0, 4, REGION, REGION, MIB);
	reaches_only(0, 4, 257);
	unmap(&a, addr);
	weir_device_remove(&late);
	weir_device_remove(&a);
	stop();
}

/* Fill the space around a region that lies where the allocator likes to be. */
static void the_allocator_keeps_out(void **state)
{
	static weir_dma_t live[4096];
	const weir_dma_t top = 0xffffffff;
	const struct weir_direct_region regions[] = {
		{ top + 1 - 2 * MIB, top + 1 - 2 * MIB, MIB, RW, WEIR_REGION_DIRECT },
		{ PAGE, PAGE, PAGE, RW, WEIR_REGION_DIRECT_RELAXABLE },
		{ top + 1 - MIB, 0, MIB / 2, 0, WEIR_REGION_RESERVED },
	};
	struct weir_device dev;
	uint64_t seed = 1;
	weir_phys_t phys;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_with(&dev, 3, NULL, regions, 3), 0);
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int slot;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		slot = seed >> 40 & 4095;
		if (live[slot]) {
			unmap(&dev, live[slot]);
			live[slot] = 0;
			continue;
		}
		live[slot] = map(&dev);
		assert_int_not_equal(live[slot], WEIR_DMA_ERROR);
		for (unsigned int k = 0; k < 3; k++)
			assert_false(live[slot] >= regions[k].start &&
				     live[slot] < regions[k].start + regions[k].size);
	}
	reaches(0, 3, regions[0].start, regions[0].phys, MIB);
	reaches(0, 3, PAGE, PAGE, PAGE);
	for (unsigned int i = 0; i < 4096; i++) {
		if (live[i])
			unmap(&dev, live[i]);
	}
	memset(live, 0, sizeof(live));
	reaches_only(0, 3, 257);
	assert_int_equal(fakeiommu_translate(fakeiommu[0], 3, regions[2].start, false, &phys),
			 -WEIR_ENOENT);
	assert_int_equal(weir_device_remove(&dev), 0);
	stop();
}

static void domains_of_users(void **state)
{
	const struct weir_direct_region regions[] = {
		{ REGION, REGION, MIB, RW, WEIR_REGION_DIRECT },
		{ REGION + MIB, REGION + MIB, MIB, RW, WEIR_REGION_DIRECT_RELAXABLE },
	};
	struct weir_domain *domain;
	struct weir_device dev;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_with(&dev, 3, NULL, regions, 2), 0);
	assert_int_equal(weir_domain_alloc(&dev, &domain), 0);
	assert_int_equal(weir_domain_attach(domain, &dev), -WEIR_EINVAL);
	assert_true(fakeplat_logged(fake, "must stay mapped"));
	assert_int_equal(weir_domain_map(domain, REGION, REGION, MIB - PAGE, RW), 0);
	assert_int_equal(weir_domain_attach(domain, &dev), -WEIR_EINVAL);
	assert_int_equal(weir_domain_map(domain, REGION + MIB - PAGE, REGION, PAGE, RW), 0);
	assert_int_equal(weir_domain_attach(domain, &dev), -WEIR_EINVAL);
	reaches_only(0, 3, 512);
	assert_int_equal(weir_domain_unmap(domain, REGION + MIB - PAGE, PAGE), PAGE);
	assert_int_equal(
		weir_domain_map(domain, REGION + MIB - PAGE, REGION + MIB - PAGE, PAGE, RW), 0);
	assert_int_equal(weir_domain_attach(domain, &dev), 0);
	reaches_only(0, 3, 256);
	assert_int_equal(weir_domain_detach(domain, &dev), 0);
	reaches_only(0, 3, 512);
	weir_domain_free(domain);
	weir_device_remove(&dev);
	stop();
}

/* ---- What is wrong -------------------------------------------------------------------------- */

/* An IORT with one RMR node for stream 7: what is said, and how many pages are kept (0: none). */
static void one_rmr(uint32_t flags, uint64_t base, uint64_t size, const char *says, uint64_t pages)
{
	begin_iort();
	add_rmr(flags, base, size);
	iort_single(&b, 7, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	if (says)
		assert_true(fakeplat_logged(fake, says));
	if (pages)
		reaches_only(0, 7, pages);
	else
		assert_true(fakeiommu[0]->stream[7]->type == WEIR_DOMAIN_BLOCKED ||
			    !fakeiommu_pages(fakeiommu[0]->stream[7]));
	stop();
}

static void wrong_iort(void **state)
{
	(void)state;
	one_rmr(0, REGION + 0x10, 0x100, "was not in whole pages", 1);
	one_rmr(0, REGION + 0xff0, 0x20, "was not in whole pages", 2);
	one_rmr(0, REGION, 0, "IORT", 0);
	one_rmr(0, ~0ull - 0xfff, 0x2000, "IORT", 0);
	one_rmr(0, (uint64_t)1 << 48, PAGE, "beyond the addresses of its IOMMU", 0);
	one_rmr(0, ((uint64_t)1 << 48) - PAGE, 2 * PAGE, "beyond the addresses of its IOMMU", 0);
	one_rmr(0, 0x80ff000, PAGE, "where doorbells are mapped", 0);
	one_rmr(0, 0x7fff000, 2 * PAGE, "where doorbells are mapped", 0);
	one_rmr(0, 0x8100000, PAGE, NULL, 1);

	/* Streams that are not there, or too many. */
	begin_iort();
	add_rmr(0, REGION, MIB);
	iort_mapping(&b, 0, 0xffffff00, 62, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	assert_true(fakeplat_logged(fake, "cannot tell this stream apart"));
	reaches_only(0, 62, 256);
	reaches_only(0, 63, 256);
	is_blocked(0, 61);
	stop();

	/* For nobody; ranges and mappings outside of it; the next one counts. */
	begin_iort();
	add_rmr(0, REGION, MIB);
	add_rmr(0, REGION, MIB);
	iort_single(&b, 7, smmu_node[0]);
	iort_set(&b, b.node + 20, 4, 1000);
	add_rmr(0, REGION, MIB);
	iort_single(&b, 7, smmu_node[0]);
	iort_set(&b, b.node + 12, 4, 4000);
	iort_set(&b, b.node + 8, 4, 0xffffffff); /* nobody counts that far */
	add_rmr(0, REGION + MIB, MIB);
	iort_single(&b, 7, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	assert_true(fakeplat_logged(fake, "it is for no stream"));
	assert_true(fakeplat_logged(fake, "its ID mappings are outside of it"));
	reaches(0, 7, REGION + MIB, REGION + MIB, MIB);
	reaches_only(0, 7, 256);
	stop();
}

/* `count` claims, of which 1024 are kept. */
static void too_many(void **state)
{
	static struct iort_range ranges[300];

	(void)state;
	for (unsigned int i = 0; i < 300; i++)
		ranges[i] = (struct iort_range){ REGION + i * PAGE, PAGE };
	begin_iort();
	iort_rmr(&b, 3, 0, 300, ranges);
	for (unsigned int i = 0; i < 4; i++)
		iort_single(&b, i, smmu_node[0]);
	start_iort(WEIR_MODE_STRICT);
	assert_int_equal(fakeplat_logged(fake, "one too many"), 4 * 300 - 1024);
	reaches_only(0, 2, 300);
	reaches_only(0, 3, 1024 - 900);
	stop();
}

static void wrong_fdt_with(const char *says, void (*damage)(void))
{
	begin_fdt();
	add_region("good@50000000", REGION, REGION, MIB);
	damage();
	start_fdt(WEIR_MODE_STRICT);
	if (fakeplat_logged(fake, says) != 1)
		fail_msg("\"%s\" is said %u times", says, fakeplat_logged(fake, says));
	reaches(0, 5, REGION, REGION, MIB);
	reaches_only(0, 5, 256);
	stop();
}

static void no_such_device(void)
{
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 77, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void not_as_large(void)
{
	add_region("bad@51000000", 0x51000000, 0x51000000, 0x200000);
}

static void cut_off(void)
{
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 10, 0, 0x51000000);
	fdt_end_node(blob);
}

static void no_cells(void)
{
	begin_region("bad@51000000", 0x51000000);
	fdt_property(blob, "iommu-addresses", "abcde", 5);
	fdt_end_node(blob);
}

static void empty_entry(void)
{
	add_region("bad@51000000", 0x51000000, 0x51000000, 0);
}

static void no_reg_entry(void)
{
	fdt_begin_node(blob, "bad@51000000");
	CELLS("reg", 0, 0x51000000);
	CELLS("iommu-addresses", 10, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void device_without_cells(void)
{
	fdt_begin_node(blob, "odd");
	CELLS("#address-cells", 5);
	CELLS("phandle", 12);
	fdt_end_node(blob);
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 12, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void device_without_iommu(void)
{
	fdt_begin_node(blob, "odd");
	CELLS("iommus", 99, 1);
	CELLS("phandle", 12);
	fdt_end_node(blob);
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 12, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void iommus_cut_off(void)
{
	fdt_begin_node(blob, "odd");
	CELLS("iommus", 1);
	CELLS("phandle", 12);
	fdt_end_node(blob);
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 12, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void no_iommu_cells(void)
{
	fdt_begin_node(blob, "odd");
	CELLS("iommus", 10, 1);
	CELLS("phandle", 12);
	fdt_end_node(blob);
	begin_region("bad@51000000", 0x51000000);
	CELLS("iommu-addresses", 12, 0, 0x51000000, 0x100000);
	fdt_end_node(blob);
}

static void wrong_fdt(void **state)
{
	(void)state;
	wrong_fdt_with("names no device", no_such_device);
	wrong_fdt_with("not as large as the memory", not_as_large);
	wrong_fdt_with("iommu-addresses: an entry is cut off", cut_off);
	wrong_fdt_with("is no whole number of cells", no_cells);
	wrong_fdt_with("an entry is empty", empty_entry);
	wrong_fdt_with("reg: is no whole number of entries", no_reg_entry);
	wrong_fdt_with("is not 1 or 2: addresses of it", device_without_cells);
	wrong_fdt_with("iommus: names no node", device_without_iommu);
	wrong_fdt_with("iommus: an entry is cut off", iommus_cut_off);
	wrong_fdt_with("says no number of IDs", no_iommu_cells);
}

static void wrong_hosts_words(void **state)
{
	static const struct {
		struct weir_direct_region region;
		const char *says;
	} cases[] = {
		{ { REGION, REGION, MIB, RW, WEIR_REGION_MSI }, "of no kind" },
		{ { REGION, REGION, 0, RW, WEIR_REGION_DIRECT }, "is empty" },
		{ { REGION, REGION, ~0ull, RW, WEIR_REGION_DIRECT }, "beyond the last address" },
		{ { REGION, ~0ull - 5, MIB, RW, WEIR_REGION_DIRECT }, "memory beyond the last" },
		{ { REGION, REGION + 8, MIB, RW, WEIR_REGION_DIRECT }, "lie differently" },
		{ { REGION, REGION, MIB, 0, WEIR_REGION_DIRECT }, "neither to read nor to write" },
	};
	const struct weir_direct_region all = { 0, 0, ~0ull, 0, WEIR_REGION_RESERVED };
	struct weir_device dev;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		assert_int_equal(add_with(&dev, 3, NULL, &cases[i].region, 1), 0);
		assert_true(fakeplat_logged(fake, cases[i].says));
		reaches_only(0, 3, 0);
		weir_device_remove(&dev);
	}
	/* No address is left, and that is no error before one is asked for. */
	assert_int_equal(add_with(&dev, 3, NULL, &all, 1), 0);
	assert_int_equal(map(&dev), WEIR_DMA_ERROR);
	weir_device_remove(&dev);
	stop();
}

/* ---- Out of memory -------------------------------------------------------------------------- */

static int hand_over(bool iort)
{
	struct weir_options options;
	struct weir_device dev;
	int ret;

	options = iort ? iort_options(WEIR_MODE_STRICT) : options_for(WEIR_MODE_STRICT, 0);
	if (!iort) {
		options.fdt = blob;
		options.fdt_size = fdt_totalsize(blob);
	}
	options.heap_whole_pages = true;
	ret = weir_init(&options, &weir);
	if (ret)
		return ret;
	ret = add_to(&dev, "display", 0, 5, NULL);
	if (!ret) {
		reaches(0, 5, REGION, REGION, MIB);
		assert_int_equal(weir_device_remove(&dev), 0);
	}
	reaches(0, 5, REGION, REGION, MIB);
	reaches_only(0, 5, 512);
	assert_int_equal(weir_fini(weir), 0);
	return ret;
}

static void no_memory(void **state)
{
	(void)state;
	begin_iort();
	add_rmr(0, REGION, MIB);
	iort_single(&b, 5, smmu_node[0]);
	iort_single(&b, 6, smmu_node[0]);
	add_rmr(0, REGION + 4 * MIB, MIB);
	iort_mapping(&b, 0, 1, 5, smmu_node[0]);
	begin_fdt();
	add_region("framebuffer@50000000", REGION, REGION, MIB);
	add_region("moved@60000000", 0x60000000, 0x70000000, MIB);
	fake = fakeplat_new(RAM);
	(void)fdt_options(WEIR_MODE_STRICT);
	fakeplat_delete(fake);
	for (unsigned int k = 0; k < 4; k++) {
		uint64_t n = 0;
		int ret;

		do {
			fake = fakeplat_new(RAM);
			fake->fail_alloc = ++n;
			fake->fail_onwards = k & 1;
			ret = hand_over(k & 2);
			assert_true(!ret || ret == -WEIR_ENOMEM);
			assert_int_equal(fake->pages_in_use, 0);
			fakeplat_delete(fake);
			fakeiommu_reset();
		} while (ret);
		assert_true(n > 20);
	}
	fake = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kept_by_iort, setup),
		cmocka_unit_test_setup(kept_by_fdt, setup),
		cmocka_unit_test_setup(failures, setup),
		cmocka_unit_test_setup(streams_with_different_regions, setup),
		cmocka_unit_test_setup(modes, setup),
		cmocka_unit_test_setup(overlaps, setup),
		cmocka_unit_test_setup(linux_names, setup),
		cmocka_unit_test_setup(joining, setup),
		cmocka_unit_test_setup(the_allocator_keeps_out, setup),
		cmocka_unit_test_setup(domains_of_users, setup),
		cmocka_unit_test_setup(wrong_iort, setup),
		cmocka_unit_test_setup(too_many, setup),
		cmocka_unit_test_setup(wrong_fdt, setup),
		cmocka_unit_test_setup(wrong_hosts_words, setup),
		cmocka_unit_test_setup(no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
