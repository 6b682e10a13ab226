/* SPDX-License-Identifier: MIT */
/*
 * Bring-up, devices and groups, over IOMMUs that are tables in the test.
 *
 * - A wrong option or device tree is refused with a line that says which; nothing is left.
 * - Each enabled node that a driver knows is probed, with its interrupts; a failure unwinds the
 *   rest.
 * - Devices get groups of their own or share one; IDs may repeat within a group, not across.
 * - A stream is where its group is, blocked before and after, also when attaching fails half-way.
 * - Passthrough: identity if every device of the group reaches all memory, else translation; a mask
 *   that would change it while something is mapped is refused, and changes nothing.
 * - Reserved ranges and the doorbells' window are not given out.
 * - Running out of memory anywhere leaks nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include "iommubench.h"

/* ---- Bring-up ----------------------------------------------------------------------------- */

static void refused(struct weir_options options, int error, const char *text)
{
	struct weir *none = NULL;

	assert_int_equal(weir_init(&options, &none), error);
	assert_null(none);
	assert_true(fakeplat_logged(fake, text));
	assert_int_equal(fake->pages_in_use, 0);
}

static void wrong_options(void **state)
{
	struct weir_options good, bad;

	(void)state;
	fake = fakeplat_new(RAM);
	good = options_for(WEIR_MODE_STRICT, 1);
#define BAD(field, value, error, text)                                                             \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.field = value;                                                                 \
		refused(bad, error, text);                                                         \
	} while (0)
	BAD(cpus, 0, -WEIR_EINVAL, "options.cpus");
	BAD(cpus, 257, -WEIR_EINVAL, "options.cpus");
	BAD(mode, (enum weir_mode)3, -WEIR_EINVAL, "options.mode");
	BAD(log_level, (enum weir_level)4, -WEIR_EINVAL, "options.log_level");
	BAD(fdt_size, 0, -WEIR_EINVAL, "one without the other");
	BAD(fdt, NULL, -WEIR_EINVAL, "one without the other");
	BAD(history, 32769, -WEIR_EINVAL, "options.history");
	BAD(event_queue_entries, (1u << 19) + 1, -WEIR_EINVAL, "queue_entries");
	BAD(command_queue_entries, ~0u, -WEIR_EINVAL, "queue_entries");
	BAD(fdt_size, good.fdt_size / 2, -WEIR_EINVAL, "device tree");
	BAD(fdt, (const char *)good.fdt + 4, -WEIR_EINVAL, "device tree");
#undef BAD
	fakeplat_delete(fake);
	fake = NULL;
}

static void probing(void **state)
{
	struct weir_options options;

	(void)state;
	start(WEIR_MODE_STRICT, 3);
	for (unsigned int i = 0; i < 3; i++) {
		const struct weir_iommu_desc *desc = &fakeiommu[i]->desc;

		assert_int_equal(fake->wired_controller, 99);
		assert_ptr_equal(weir_iommu_by_phandle(weir, i + 1), &fakeiommu[i]->iommu);
		assert_int_equal(desc->base, 0x1000000 * (i + 1));
		assert_int_equal(desc->size, 0x20000);
		assert_true(desc->coherent);
		assert_int_equal(desc->irq_gerror, 10 * i + 1);
		assert_int_equal(desc->irq_eventq, 10 * i + 2);
		assert_int_equal(desc->irq_sync, -1);
		assert_int_equal(desc->irq_priq, -1);
		assert_int_equal(desc->irq_combined, -1);
	}
	assert_null(fakeiommu[3]); /* disabled */
	assert_string_equal(fakeiommu[0]->iommu.name, "iommu@1000000");
	assert_null(weir_iommu_by_phandle(weir, 4));
	assert_null(weir_iommu_by_phandle(weir, 0));
	stop();

	fake = fakeplat_new(RAM);
	options = options_for(WEIR_MODE_STRICT, 3);
	fakeiommu_knobs.probe_error = -WEIR_EOPNOTSUPP;
	fakeiommu_knobs.probe_fails = 2;
	refused(options, -WEIR_EOPNOTSUPP, "iommu@2000000: fakeiommu cannot drive it");
	fakeiommu_reset(); /* checks that none is left */
	options.iommu_drivers = NULL;
	assert_int_equal(weir_init(&options, &weir), 0);
	assert_null(weir_iommu_by_phandle(weir, 1));
	stop();
}

/* One IOMMU with this msi-parent, at a controller with so many #msi-cells; -1: it does not say. */
static int probe_with_msi_parent(unsigned int count, const uint32_t *cells, int msi_cells)
{
	static char blob[2048];
	const fdt32_t reg[] = { cpu_to_fdt32(0x1000000), cpu_to_fdt32(0x20000) };
	struct weir_options options = options_for(WEIR_MODE_STRICT, 0);
	fdt32_t be[4];

	for (unsigned int i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	fdt_property_u32(blob, "#address-cells", 1);
	fdt_property_u32(blob, "#size-cells", 1);
	fdt_begin_node(blob, "its");
	if (msi_cells >= 0)
		fdt_property_u32(blob, "#msi-cells", (uint32_t)msi_cells);
	fdt_property_u32(blob, "phandle", 8);
	fdt_end_node(blob);
	fdt_begin_node(blob, "iommu@1000000");
	fdt_property_string(blob, "compatible", "weir,fake-iommu");
	fdt_property(blob, "reg", reg, sizeof(reg));
	fdt_property(blob, "msi-parent", be, (int)(4 * count));
	fdt_end_node(blob);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	options.fdt = blob;
	options.fdt_size = fdt_totalsize(blob);
	return weir_init(&options, &weir);
}

static void messages_of_an_iommu(void **state)
{
	static const uint32_t good[] = { 8, 0x1234 }, nobody[] = { 9, 1 };

	(void)state;
	fake = fakeplat_new(RAM);
	assert_int_equal(probe_with_msi_parent(2, good, 1), 0);
	assert_true(fakeiommu[0]->desc.has_msi);
	assert_int_equal(fakeiommu[0]->desc.msi_controller, 8);
	assert_int_equal(fakeiommu[0]->desc.msi_device_id, 0x1234);
	assert_int_equal(weir_fini(weir), 0);
	assert_int_equal(probe_with_msi_parent(1, good, -1), 0);
	assert_int_equal(fakeiommu[0]->desc.msi_device_id, 0);
	assert_int_equal(weir_fini(weir), 0);
	/* What is wrong costs the messages, not the IOMMU. */
	assert_int_equal(probe_with_msi_parent(1, good, 1), 0);
	assert_true(fakeplat_logged(fake, "msi-parent: is cut off"));
	assert_false(fakeiommu[0]->desc.has_msi);
	assert_int_equal(weir_fini(weir), 0);
	assert_int_equal(probe_with_msi_parent(2, nobody, 1), 0);
	assert_true(fakeplat_logged(fake, "msi-parent: names no node"));
	assert_false(fakeiommu[0]->desc.has_msi);
	assert_int_equal(weir_fini(weir), 0);
	fakeplat_delete(fake);
	fake = NULL;
}

/* ---- Devices and groups ------------------------------------------------------------------- */

static void groups(void **state)
{
	struct weir_device a, b, c, d, e;

	(void)state;
	start(WEIR_MODE_STRICT, 2);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, NULL);
	assert_string_equal(weir_device_name(&a), "a");
	assert_int_not_equal(weir_device_group_id(&a), weir_device_group_id(&b));
	assert_ptr_not_equal(a.dma, b.dma);
	assert_ptr_equal(fakeiommu[0]->stream[1], a.dma);
	assert_ptr_equal(fakeiommu[0]->stream[2], b.dma);
	/* Shared; the alias of one is the ID of the other. */
	add(&c, "c", 3, &a);
	add(&d, "d", 3, &c);
	assert_int_equal(weir_device_group_id(&c), weir_device_group_id(&a));
	assert_ptr_equal(c.dma, a.dma);
	assert_ptr_equal(fakeiommu[0]->stream[3], a.dma);
	/* The same ID at another IOMMU is another stream. */
	assert_int_equal(add_to(&e, "e", 1, 1, NULL), 0);
	assert_ptr_equal(fakeiommu[1]->stream[1], e.dma);
	assert_int_equal(weir_fini(weir), -WEIR_EBUSY);
	assert_true(fakeplat_logged(fake, "e is still there"));
	assert_int_equal(weir_device_remove(&e), 0);
	/* The alias keeps its stream until the last who has it is gone. */
	assert_int_equal(weir_device_remove(&c), 0);
	assert_ptr_equal(fakeiommu[0]->stream[3], a.dma);
	assert_int_equal(weir_device_remove(&d), 0);
	assert_ptr_equal(fakeiommu[0]->stream[3], &fakeiommu[0]->blocked);
	assert_int_equal(weir_device_remove(&a), 0);
	assert_ptr_equal(fakeiommu[0]->stream[1], &fakeiommu[0]->blocked);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(fakeiommu_domains, 0);
	stop();
}

static void wrong_devices(void **state)
{
	struct weir_device a, b, direct, bad;
	struct weir_device_id ids[9];
	struct weir_device_desc desc = { .name = "many", .ids = ids, .nr_ids = 9 };

	(void)state;
	start(WEIR_MODE_STRICT, 2);
	add(&a, "a", 1, NULL);
	assert_int_equal(add_to(&bad, "bad", 0, 1, NULL), -WEIR_EEXIST);
	assert_true(fakeplat_logged(fake, "stream 0x1 of iommu@1000000 is a's already"));
	assert_ptr_equal(fakeiommu[0]->stream[1], a.dma);
	assert_int_equal(add_to(&bad, "bad", 0, FAKEIOMMU_IDS, NULL), -WEIR_ERANGE);
	assert_int_equal(add_to(&bad, "bad", 1, 5, &a), -WEIR_EINVAL);
	assert_int_equal(add_to(&bad, "bad", 3, 5, NULL), -WEIR_EINVAL); /* no such IOMMU */
	assert_int_equal(weir_device_add(weir, &bad, &desc), -WEIR_EINVAL);
	desc.nr_ids = 2;
	ids[0] = (struct weir_device_id){ &fakeiommu[0]->iommu, 7 };
	ids[1] = (struct weir_device_id){ &fakeiommu[1]->iommu, 7 };
	assert_int_equal(weir_device_add(weir, &bad, &desc), -WEIR_EINVAL);
	/* Not behind an IOMMU: nobody's group. */
	desc.nr_ids = 0;
	desc.group_with = &a;
	assert_int_equal(weir_device_add(weir, &direct, &desc), 0);
	assert_int_equal(weir_device_group_id(&direct), -1);
	assert_null(direct.dma);
	assert_int_equal(map(&direct), FAKEPLAT_RAM_BASE + 0x1000);
	assert_int_equal(add_to(&bad, "bad", 0, 9, &direct), -WEIR_EINVAL);
	assert_int_equal(weir_device_remove(&direct), 1); /* one mapping was left */
	assert_true(fakeplat_logged(fake, "many: removed with 1 mappings live"));
	/* An ID twice is one stream. */
	ids[0].id = ids[1].id = 9;
	ids[1].iommu = ids[0].iommu;
	desc = (struct weir_device_desc){ .name = "b", .ids = ids, .nr_ids = 2 };
	assert_int_equal(weir_device_add(weir, &b, &desc), 0);
	assert_int_equal(b.nr_ids, 1);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

static void attaching_fails(void **state)
{
	struct weir_device a, b;
	struct weir_device_id ids[3];
	struct weir_device_desc desc = { .name = "a", .ids = ids, .nr_ids = 3, .coherent = true };

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	for (unsigned int i = 0; i < 3; i++)
		ids[i] = (struct weir_device_id){ &fakeiommu[0]->iommu, 10 + i };
	for (unsigned int n = 1; n <= 3; n++) {
		fakeiommu_knobs.fail_attach = n;
		fakeiommu_attaches = 0;
		assert_int_equal(weir_device_add(weir, &a, &desc), -WEIR_ETIMEDOUT);
		assert_int_equal(fakeiommu_attaches, n + (n - 1)); /* those before it go back */
		for (unsigned int i = 0; i < 3; i++)
			assert_ptr_equal(fakeiommu[0]->stream[10 + i], &fakeiommu[0]->blocked);
		assert_int_equal(fakeiommu_domains, 0);
	}
	fakeiommu_knobs.fail_domain_alloc = 1;
	assert_int_equal(weir_device_add(weir, &a, &desc), -WEIR_ENOMEM);
	assert_int_equal(weir_device_add(weir, &a, &desc), 0);
	/* The second device of a group: the first does not notice. */
	fakeiommu_knobs.fail_attach = 1;
	assert_int_equal(add_to(&b, "b", 0, 20, &a), -WEIR_ETIMEDOUT);
	assert_ptr_equal(fakeiommu[0]->stream[20], &fakeiommu[0]->blocked);
	desc.name = "b";
	desc.group_with = &a;
	for (unsigned int i = 0; i < 3; i++)
		ids[i].id = 20 + i;
	fakeiommu_knobs.fail_attach = 3;
	assert_int_equal(weir_device_add(weir, &b, &desc), -WEIR_ETIMEDOUT);
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(fakeiommu[0]->stream[20 + i], &fakeiommu[0]->blocked);
	unmap(&a, map(&a));
	assert_int_equal(weir_device_remove(&a), 0);
	stop();

	fakeiommu_knobs.page_sizes = PAGE << 4;
	start(WEIR_MODE_STRICT, 1);
	assert_int_equal(add_to(&a, "a", 0, 1, NULL), -WEIR_EOPNOTSUPP);
	assert_true(fakeplat_logged(fake, "no pages of 4 KiB"));
	stop();
}

static void removed_devices_are_blocked(void **state)
{
	struct weir_device a, b;
	weir_phys_t phys;
	weir_dma_t addr;

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, &a);
	addr = map(&b);
	assert_int_equal(fakeiommu_translate(fakeiommu[0], 2, addr, true, &phys), 0);
	assert_int_equal(phys, FAKEPLAT_RAM_BASE + 0x1000);
	assert_int_equal(weir_device_remove(&b), 1);
	assert_true(fakeplat_logged(fake, "b: removed with 1 mappings live"));
	assert_true(fakeplat_logged(fake, ", mapped at "));
	assert_int_equal(fakeiommu_translate(fakeiommu[0], 2, addr, true, &phys), -WEIR_EPERM);
	assert_int_equal(map(&b), WEIR_DMA_ERROR);
	assert_true(fakeplat_logged(fake, "blocked"));
	/* What it left is not given to its neighbour, and goes with the group. */
	assert_int_not_equal(map(&a), addr);
	assert_int_equal(weir_device_remove(&a), 1);
	assert_int_equal(fakeiommu_domains, 0);
	stop();
}

static void off(void **state)
{
	struct weir_device a, b, c;
	struct weir_domain *domain;

	(void)state;
	start(WEIR_MODE_OFF, 1);
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, &a);
	assert_int_equal(fakeiommu_attaches, 0);
	assert_int_equal(fakeiommu_domains, 0);
	assert_null(weir_device_domain(&a));
	assert_null(weir_device_dma_domain(&a));
	assert_int_equal(weir_device_group_id(&a), weir_device_group_id(&b));
	assert_int_equal(add_to(&c, "c", 0, 1, NULL), -WEIR_EEXIST);
	assert_int_equal(weir_domain_alloc(&a, &domain), -WEIR_ENODEV);
	assert_int_equal(map(&a), FAKEPLAT_RAM_BASE + 0x1000);
	unmap(&a, FAKEPLAT_RAM_BASE + 0x1000);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(weir_device_remove(&a), 0);
	assert_int_equal(fakeiommu_attaches, 0);
	stop();
}

/* ---- Passthrough -------------------------------------------------------------------------- */

static void is_translated(struct weir_device *dev, uint32_t id)
{
	weir_dma_t addr = map(dev);

	assert_non_null(dev->dma);
	assert_ptr_equal(fakeiommu[0]->stream[id], dev->dma);
	assert_true(addr != WEIR_DMA_ERROR && addr != FAKEPLAT_RAM_BASE + 0x1000);
	unmap(dev, addr);
}

static void passthrough_alone(void **state)
{
	struct weir_device a;
	weir_dma_t addr;

	(void)state;
	start(WEIR_MODE_PASSTHROUGH, 1);
	add(&a, "a", 1, NULL);
	is_identity(&a, 1);
	assert_int_equal(fakeiommu_domains, 0);
	/* A mask that does not reach all memory moves it, as long as nothing is mapped. */
	addr = map(&a);
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), -WEIR_EBUSY);
	assert_true(fakeplat_logged(fake, "while mappings live"));
	assert_int_equal(a.dma_mask, 0xffffffff);
	assert_false(a.blocked);
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), 0);
	unmap(&a, addr);
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), 0);
	is_translated(&a, 1);
	addr = map(&a);
	assert_true(addr + PAGE - 1 <= SHORT_MASK);
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), -WEIR_EBUSY);
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK >> 1), 0);
	unmap(&a, addr);
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), 0);
	is_identity(&a, 1);
	/* If the move itself fails all is as before. */
	fakeiommu_knobs.fail_attach = 1;
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), -WEIR_ETIMEDOUT);
	assert_int_equal(a.dma_mask, ~0ull);
	is_identity(&a, 1);
	assert_int_equal(weir_dma_set_mask(&a, 0xfff), -WEIR_EIO);
	assert_int_equal(a.dma_mask, ~0ull);
	is_identity(&a, 1);
	assert_int_equal(weir_device_remove(&a), 0);
	assert_int_equal(fakeiommu_domains, 0);
	stop();
}

static void passthrough_together(void **state)
{
	struct weir_device a, b, c;
	struct weir_device_id id;
	struct weir_device_desc desc = { .name = "c",
					 .ids = &id,
					 .nr_ids = 1,
					 .group_with = &a,
					 .coherent = true,
					 .bus_limit = SHORT_MASK };
	weir_dma_t addr;

	(void)state;
	start(WEIR_MODE_PASSTHROUGH, 1);
	id = (struct weir_device_id){ &fakeiommu[0]->iommu, 3 };
	add(&a, "a", 1, NULL);
	add(&b, "b", 2, &a);
	is_identity(&a, 1);
	is_identity(&b, 2);
	/* The neighbour's mapping counts. */
	addr = map(&b);
	assert_int_equal(weir_dma_set_mask(&a, SHORT_MASK), -WEIR_EBUSY);
	assert_int_equal(weir_device_add(weir, &c, &desc), -WEIR_EBUSY);
	assert_ptr_equal(fakeiommu[0]->stream[3], &fakeiommu[0]->blocked);
	unmap(&b, addr);
	/* A third one that cannot reach all memory takes the others along. */
	assert_int_equal(weir_device_add(weir, &c, &desc), 0);
	is_translated(&a, 1);
	is_translated(&b, 2);
	is_translated(&c, 3);
	assert_ptr_equal(a.dma, c.dma);
	assert_true(weir_dma_map_phys(&c, RAM_END - PAGE, PAGE, MAPPED) <= SHORT_MASK);
	assert_int_equal(weir_device_remove(&c), 1);
	/* It left a mapping behind: nobody moves any more. */
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), -WEIR_EBUSY);
	is_translated(&a, 1);
	assert_int_equal(weir_device_remove(&a), 0);
	assert_int_equal(weir_device_remove(&b), 0);
	stop();
}

static void passthrough_without_identity(void **state)
{
	struct weir_device a;

	(void)state;
	fakeiommu_knobs.no_identity = true;
	start(WEIR_MODE_PASSTHROUGH, 1);
	add(&a, "a", 1, NULL);
	is_translated(&a, 1);
	assert_int_equal(weir_dma_set_mask(&a, ~0ull), 0);
	is_translated(&a, 1);
	assert_int_equal(weir_device_remove(&a), 0);
	stop();
}

/* ---- Reserved ranges ---------------------------------------------------------------------- */

static void reserved_ranges(void **state)
{
	static const struct weir_range ranges[] = { { 0x100000, 0x7ff00000 },
						    { 0x90000000, ~0ull } };
	struct weir_device a, b;
	struct weir_device_id id;
	struct weir_device_desc desc = { .name = "b",
					 .ids = &id,
					 .nr_ids = 1,
					 .coherent = true,
					 .reserved = ranges,
					 .nr_reserved = 2 };
	weir_dma_t addr[200];

	(void)state;
	start(WEIR_MODE_STRICT, 1);
	id = (struct weir_device_id){ &fakeiommu[0]->iommu, 2 };
	assert_int_equal(weir_device_add(weir, &b, &desc), 0);
	for (unsigned int i = 0; i < 200; i++) {
		addr[i] = map(&b);
		assert_true(addr[i] >= 0x80000000 && addr[i] < 0x90000000);
	}
	for (unsigned int i = 0; i < 200; i++)
		unmap(&b, addr[i]);
	assert_int_equal(weir_device_remove(&b), 0);
	/* The second of a group brings more: not over what is in use, and not over doorbells. */
	add(&a, "a", 1, NULL);
	addr[0] = map(&a);
	desc.group_with = &a;
	assert_int_equal(weir_device_add(weir, &b, &desc), -WEIR_EBUSY);
	unmap(&a, addr[0]);
	assert_int_equal(weir_device_add(weir, &b, &desc), 0);
	addr[0] = map(&a);
	assert_true(addr[0] >= 0x80000000 && addr[0] < 0x90000000);
	unmap(&a, addr[0]);
	assert_int_equal(weir_dma_set_mask(&a, 0x8ffffff), 0);
	while ((addr[0] = map(&a)) != WEIR_DMA_ERROR)
		assert_true(addr[0] < 0x100000);
	assert_int_equal(weir_device_remove(&b), 0);
	assert_int_equal(weir_device_remove(&a), 0xff);
	/* Nor over the doorbells. */
	add(&a, "a", 1, NULL);
	assert_int_equal(weir_dma_set_mask(&a, 0x8200fff), 0);
	while ((addr[0] = weir_dma_map_phys(&a, RAM_END - 64 * PAGE, 64 * PAGE, MAPPED)) !=
	       WEIR_DMA_ERROR)
		assert_true(addr[0] + 64 * PAGE <= WEIR_MSI_WINDOW || addr[0] >= 0x8100000);
	while ((addr[0] = map(&a)) != WEIR_DMA_ERROR)
		assert_true(addr[0] < WEIR_MSI_WINDOW || addr[0] >= 0x8100000);
	assert_true(weir_device_remove(&a) > 500);
	stop();
}

/* ---- Out of memory ------------------------------------------------------------------------ */

static bool use_domain(struct weir_device *dev)
{
	struct weir_domain *domain;
	bool ok;

	if (weir_domain_alloc(dev, &domain))
		return false;
	ok = !weir_domain_attach(domain, dev) && !weir_domain_detach(domain, dev);
	if (weir_device_domain(dev) != domain)
		weir_domain_free(domain);
	return ok;
}

static bool use_device(struct weir_device *dev)
{
	struct weir_msi msi;
	weir_dma_t address, addr = map(dev);
	bool ok = addr != WEIR_DMA_ERROR;

	if (ok)
		unmap(dev, addr);
	ok &= use_domain(dev);
	ok &= !weir_dma_set_mask(dev, SHORT_MASK);
	if (weir_device_msi_alloc(dev, 0, 8, 0, 0, &msi, &address))
		return false;
	weir_device_msi_free(dev, &msi);
	return ok;
}

static bool use_machine(enum weir_mode mode)
{
	static const struct weir_range range = { 0x40000000, 0x10000000 };
	struct weir_options options = options_for(mode, 2);
	struct weir_device dev[3];
	struct weir_device_id ids[2];
	struct weir_device_desc desc = { .name = "dev",
					 .ids = ids,
					 .nr_ids = 2,
					 .coherent = true,
					 .reserved = &range,
					 .nr_reserved = 1 };
	bool ok = true, added[3] = { false };

	if (weir_init(&options, &weir))
		return false;
	for (unsigned int i = 0; i < 3; i++) {
		ids[0] = (struct weir_device_id){ &fakeiommu[i == 2]->iommu, 2 * i };
		ids[1] = (struct weir_device_id){ &fakeiommu[i == 2]->iommu, 2 * i + 1 };
		desc.group_with = i == 1 && added[0] ? &dev[0] : NULL;
		added[i] = !weir_device_add(weir, &dev[i], &desc);
		ok &= added[i];
	}
	for (unsigned int i = 0; i < 3; i++) {
		if (!added[i])
			continue;
		if (i == 2)
			ok &= use_device(&dev[i]);
		assert_int_equal(weir_device_remove(&dev[i]), 0);
	}
	assert_int_equal(weir_fini(weir), 0);
	return ok;
}

static void out_of_memory(void **state)
{
	static const enum weir_mode modes[] = { WEIR_MODE_STRICT, WEIR_MODE_PASSTHROUGH };
	unsigned int failures = 0;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int n = 1;; n++) {
			bool reached;

			fake = fakeplat_new(RAM);
			fake->fail_alloc = n;
			fake->fail_onwards = i / 2;
			failures += !use_machine(modes[i % 2]);
			reached = fake->alloc_calls >= n;
			assert_int_equal(fake->pages_in_use, 0);
			fakeplat_delete(fake);
			fake = NULL;
			fakeiommu_reset();
			if (!reached)
				break;
		}
	}
	printf("%u runs failed\n", failures);
	assert_true(failures > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(wrong_options, setup),
		cmocka_unit_test_setup(probing, setup),
		cmocka_unit_test_setup(messages_of_an_iommu, setup),
		cmocka_unit_test_setup(groups, setup),
		cmocka_unit_test_setup(wrong_devices, setup),
		cmocka_unit_test_setup(attaching_fails, setup),
		cmocka_unit_test_setup(removed_devices_are_blocked, setup),
		cmocka_unit_test_setup(off, setup),
		cmocka_unit_test_setup(passthrough_alone, setup),
		cmocka_unit_test_setup(passthrough_together, setup),
		cmocka_unit_test_setup(passthrough_without_identity, setup),
		cmocka_unit_test_setup(reserved_ranges, setup),
		cmocka_unit_test_setup(out_of_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
