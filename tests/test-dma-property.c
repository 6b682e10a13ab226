/* SPDX-License-Identifier: MIT */
/*
 * The whole stack under the DMA API (src/dma, src/iommu, src/pgtable, src/smmuv3) against the model
 * of the SMMUv3, over long random sequences.
 *
 * - After each step every device reaches what is mapped for its group, as its direction allows, and
 *   nothing else: asked at live mappings and their neighbours, at addresses that were unmapped, and
 *   anywhere. The oracle is a table from pages of addresses to pages of memory.
 * - Single mappings, lists, coherent memory, pools' worth of sizes up to several 2 MiB blocks;
 *   devices in groups of their own and in a shared one; now and then a group is lent to another
 *   domain.
 * - Each blocked access is reported, or the queue says that reports were lost.
 * - In the end nothing is mapped, no table page is left but the roots, and no memory is lost.
 *
 * An argument is the number of steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/dma.h>
#include <weir/domain.h>
#include <weir/model/bus.h>
#include <weir/model/smmuv3.h>

#include <libfdt.h>

#include "fakeplat.h"

#define RAM (256u << 20)
#define PAGE WEIR_PAGE_SIZE
#define SMMU_BASE 0x09050000ull
#define IRQ_EVENTQ 106u
#define IRQ_GERROR 109u
#define DEVICES 4u
#define DOMAINS 3u /* devices 2 and 3 share a group */
#define AREAS 32u  /* of 4 MiB, the memory that is mapped */
#define AREA_SIZE (4u << 20)
#define MAX_LIVE 400u
#define MAX_SG 40u
#define RECENT 512u
#define TABLE_SIZE (1u << 18)

static const struct weir_iommu_driver *const drivers[] = { &weir_smmuv3_driver, NULL };

/* Or as many as the command line says; fewer where each costs ten times as much. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
static unsigned long steps = 500000;
#else
static unsigned long steps = 3000000;
#endif
static struct fakeplat *fake;
static struct weir *weir;
static struct weir_model_bus *bus;
static struct weir_model_smmuv3 *smmu;
static struct weir_device dev[DEVICES];
static weir_phys_t area[AREAS];
static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* ---- The machine: platform, bus, SMMU ----------------------------------------------------- */

static void step_smmu(void)
{
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(smmu);

	while (stepper->step(stepper, 1000) == 1000)
		;
}

/* Whoever looks at a register gives the SMMU time to work. */
static uint64_t mmio_read(void *opaque, uint64_t phys, unsigned int size)
{
	uint64_t value = 0;

	(void)opaque;
	step_smmu();
	weir_model_bus_read(bus, phys, &value, size, WEIR_MODEL_CPU);
	return value;
}

static void mmio_write(void *opaque, uint64_t phys, unsigned int size, uint64_t value)
{
	(void)opaque;
	weir_model_bus_write(bus, phys, &value, size, WEIR_MODEL_CPU);
}

static void raise(void *opaque, unsigned int irq)
{
	fakeplat_raise(opaque, irq);
}

static const void *device_tree(size_t *size)
{
	static char blob[4096];
	const fdt32_t reg[] = { cpu_to_fdt32((uint32_t)SMMU_BASE),
				cpu_to_fdt32(WEIR_MODEL_SMMUV3_MMIO_SIZE) };
	const fdt32_t irqs[] = { cpu_to_fdt32(IRQ_EVENTQ), cpu_to_fdt32(IRQ_GERROR) };

	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	fdt_property_u32(blob, "#address-cells", 1);
	fdt_property_u32(blob, "#size-cells", 1);
	fdt_property_u32(blob, "interrupt-parent", 99);
	fdt_begin_node(blob, "interrupt-controller");
	fdt_property(blob, "interrupt-controller", NULL, 0);
	fdt_property_u32(blob, "#interrupt-cells", 1);
	fdt_property_u32(blob, "phandle", 99);
	fdt_end_node(blob);
	fdt_begin_node(blob, "smmuv3@9050000");
	fdt_property_string(blob, "compatible", "arm,smmu-v3");
	fdt_property(blob, "reg", reg, sizeof(reg));
	fdt_property_u32(blob, "phandle", 1);
	fdt_property(blob, "interrupts", irqs, sizeof(irqs));
	fdt_property(blob, "interrupt-names", "eventq\0gerror", 14);
	fdt_property(blob, "dma-coherent", NULL, 0);
	fdt_end_node(blob);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	*size = fdt_totalsize(blob);
	return blob;
}

static void make_machine(void)
{
	static const unsigned int irqs[] = {
		[WEIR_MODEL_SMMUV3_EVENTQ] = IRQ_EVENTQ,
		[WEIR_MODEL_SMMUV3_GERROR] = IRQ_GERROR,
	};
	static struct weir_model_bus_host bus_host;
	struct weir_model_host host = { &weir_model_bus_host_ops, &bus_host };
	struct weir_model_smmuv3_config config = { 0 };
	struct weir_model_region *region;

	fake = fakeplat_new(RAM);
	fake->mmio = (struct fakeplat_mmio){ .read = mmio_read, .write = mmio_write };
	assert_int_equal(weir_model_bus_create(&bus), 0);
	assert_int_equal(weir_model_bus_add_ram(bus, FAKEPLAT_RAM_BASE, RAM,
						plat_phys_to_virt(fake, FAKEPLAT_RAM_BASE)),
			 0);
	bus_host = (struct weir_model_bus_host){
		.bus = bus,
		.sink = { .raise = raise, .opaque = fake },
		.irqs = irqs,
		.lines = WEIR_ARRAY_SIZE(irqs),
	};
	assert_int_equal(weir_model_smmuv3_create(&host, &config, &smmu), 0);
	assert_int_equal(weir_model_bus_add_mmio(bus, SMMU_BASE, WEIR_MODEL_SMMUV3_MMIO_SIZE,
						 &weir_model_smmuv3_mmio_ops, smmu, &region),
			 0);
}

/* ---- The oracle --------------------------------------------------------------------------- */

/* Open addressing with tombstones that are reused; far from full. */
struct oracle_page {
	uint64_t key; /* frame | 1 << 62; 0: never used */
	uint64_t phys;
	uint8_t prot; /* 0: not mapped */
};

static struct oracle_page oracle[DOMAINS][TABLE_SIZE];
static uint64_t distinct_pages, reused_pages, blocks_mapped, pages_mapped;

static struct oracle_page *oracle_slot(unsigned int domain, uint64_t frame, bool make)
{
	uint64_t key = frame | (uint64_t)1 << 62;
	uint32_t i = (uint32_t)(frame * 0x9e3779b97f4a7c15ull >> 40) % TABLE_SIZE;

	for (;; i = (i + 1) % TABLE_SIZE) {
		struct oracle_page *page = &oracle[domain][i];

		if (page->key == key)
			return page;
		if (!page->key) {
			if (!make)
				return NULL;
			page->key = key;
			distinct_pages++;
			assert_true(distinct_pages < DOMAINS * (TABLE_SIZE / 2));
			return page;
		}
	}
}

static void oracle_map(unsigned int domain, weir_dma_t addr, weir_phys_t phys, size_t size,
		       uint8_t prot)
{
	weir_dma_t at = addr & WEIR_PAGE_MASK, end = WEIR_ALIGN_UP(addr + size, PAGE);

	phys &= WEIR_PAGE_MASK;
	for (; at < end; at += PAGE, phys += PAGE) {
		uint64_t before = distinct_pages;
		struct oracle_page *page = oracle_slot(domain, at / PAGE, true);

		assert_int_equal(page->prot, 0); /* not in two hands */
		reused_pages += before == distinct_pages;
		pages_mapped++;
		blocks_mapped +=
			!(at % (PAGE << 9)) && !(phys % (PAGE << 9)) && end - at >= PAGE << 9;
		page->phys = phys;
		page->prot = prot;
	}
}

static void oracle_unmap(unsigned int domain, weir_dma_t addr, size_t size)
{
	weir_dma_t at = addr & WEIR_PAGE_MASK, end = WEIR_ALIGN_UP(addr + size, PAGE);

	for (; at < end; at += PAGE) {
		struct oracle_page *page = oracle_slot(domain, at / PAGE, false);

		assert_true(page && page->prot);
		page->prot = 0;
	}
}

/* ---- Accesses ----------------------------------------------------------------------------- */

static uint64_t asked, reached, blocked, heard;

static bool hear(void *arg, const struct weir_fault *fault)
{
	(void)arg;
	assert_true(fault->dev >= dev && fault->dev < dev + DEVICES);
	assert_int_equal(fault->id, fault->dev->ids[0].id);
	heard++;
	return true;
}

static bool access(unsigned int d, weir_dma_t addr, bool write, uint64_t *phys)
{
	struct weir_model_txn txn = {
		.stream = dev[d].ids[0].id,
		.addr = addr,
		.len = 1,
		.flags = write ? WEIR_MODEL_TXN_WRITE : 0,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation out = { 0 };
	bool ok = weir_model_smmuv3_translate(smmu, &txn, &out) == WEIR_MODEL_OK;

	*phys = out.addr;
	if (ok)
		weir_model_smmuv3_complete(smmu, &out);
	asked++;
	reached += ok;
	blocked += !ok;
	return ok;
}

static unsigned int domain_of(unsigned int d)
{
	return d < DOMAINS ? d : DOMAINS - 1;
}

static void probe(unsigned int d, weir_dma_t addr, bool write)
{
	struct oracle_page *page = oracle_slot(domain_of(d), addr / PAGE, false);
	uint8_t prot = page ? page->prot : 0;
	uint64_t phys = 0;
	bool ok;

	/*
	 * Stage 1 cannot grant writing alone (DDI 0487, AP[2:1]): what may be written may be read.
	 */
	if (prot & WEIR_IOMMU_WRITE)
		prot |= WEIR_IOMMU_READ;
	ok = access(d, addr, write, &phys);
	assert_int_equal(ok, !!(prot & (write ? WEIR_IOMMU_WRITE : WEIR_IOMMU_READ)));
	if (ok)
		assert_int_equal(phys, page->phys + addr % PAGE);
}

/* ---- Mappings ----------------------------------------------------------------------------- */

enum kind { SINGLE, LIST, COHERENT };

struct live {
	enum kind kind;
	unsigned int d;
	enum weir_dma_dir dir;
	weir_dma_t addr;
	size_t size;
	void *virt;
	unsigned int nents;
	struct weir_sg *sg;
};

static struct live live[MAX_LIVE];
static unsigned int live_count;
static uint64_t refused;
static struct {
	unsigned int d;
	weir_dma_t addr;
} recent[RECENT];
static unsigned int recents;

static uint8_t prot_of(enum weir_dma_dir dir)
{
	return dir == WEIR_DMA_TO_DEVICE   ? WEIR_IOMMU_READ :
	       dir == WEIR_DMA_FROM_DEVICE ? WEIR_IOMMU_WRITE :
					     WEIR_IOMMU_READ | WEIR_IOMMU_WRITE;
}

static weir_phys_t somewhere(size_t size)
{
	weir_phys_t phys = area[rnd(AREAS)];

	if (size >= AREA_SIZE)
		return phys;
	return phys + (rnd(3) ? rnd((AREA_SIZE - size) / PAGE + 1) * PAGE : rnd(AREA_SIZE - size));
}

static size_t some_size(void)
{
	switch (rnd(16)) {
	case 0:
		return (2u << 20) * (1 + rnd(2));
	case 1:
		return 1 + rnd(AREA_SIZE);
	case 2:
	case 3:
		return 1 + rnd(64 * PAGE);
	default:
		return 1 + rnd(2 * PAGE);
	}
}

/* Only the device that sees little may find it full. */
static bool full(const struct live *l, bool failed)
{
	if (!failed)
		return false;
	assert_int_equal(l->d, 3);
	refused++;
	free(l->sg);
	return true;
}

static bool map_single(struct live *l)
{
	weir_phys_t phys;

	l->size = some_size();
	phys = l->size == 2u << 20 ? area[rnd(AREAS)] : somewhere(l->size);
	l->addr = weir_dma_map_phys(&dev[l->d], phys, l->size, l->dir, 0, WEIR_HERE);
	if (full(l, l->addr == WEIR_DMA_ERROR))
		return false;
	oracle_map(domain_of(l->d), l->addr, phys, l->size, prot_of(l->dir));
	return true;
}

/* The oracle learns from the segments where the entries went. */
static bool map_list(struct live *l)
{
	struct weir_sg *sg, *seg;
	unsigned int done = 0;

	l->nents = 1 + (unsigned int)rnd(MAX_SG);
	l->sg = sg = seg = calloc(l->nents, sizeof(*sg));
	assert_non_null(sg);
	for (unsigned int i = 0; i < l->nents; i++) {
		unsigned int length =
			(unsigned int)(rnd(2) ? PAGE * (1 + rnd(4)) : 1 + rnd(3 * PAGE));
		weir_phys_t phys = somewhere(length);

		sg[i].page_link = weir_page_handle(phys) | (i + 1 == l->nents ? WEIR_SG_END : 0);
		sg[i].offset = (unsigned int)(phys % PAGE);
		sg[i].length = length;
	}
	/* A small boundary makes gaps, which nobody may reach. */
	assert_int_equal(weir_dma_set_segment_boundary(&dev[l->d], rnd(2) ? 0xffffffff : 0x1fff),
			 0);
	if (full(l, weir_dma_map_sg(&dev[l->d], sg, l->nents, l->dir, 0, WEIR_HERE) < 0))
		return false;
	l->addr = sg[0].dma_address;
	for (unsigned int i = 0; i < l->nents; i++) {
		oracle_map(domain_of(l->d), seg->dma_address + done, weir_sg_phys(&sg[i]),
			   sg[i].length, prot_of(l->dir));
		l->size = (size_t)(seg->dma_address + done + sg[i].length - l->addr);
		done += sg[i].length;
		if (done == seg->dma_length) {
			seg++;
			done = 0;
		}
	}
	assert_int_equal(done, 0);
	return true;
}

static void unmap_list(struct live *l)
{
	struct weir_sg *seg = l->sg;

	for (unsigned int i = 0; i < l->nents && seg->dma_length; i++, seg++)
		oracle_unmap(domain_of(l->d), seg->dma_address, seg->dma_length);
	weir_dma_unmap_sg(&dev[l->d], l->sg, l->nents, l->dir, 0, WEIR_HERE);
	free(l->sg);
}

static bool map_coherent(struct live *l)
{
	l->size = 1 + rnd(rnd(20) ? 4 * PAGE : 40 * PAGE);
	l->dir = WEIR_DMA_BIDIRECTIONAL;
	l->virt = weir_dma_alloc_coherent(&dev[l->d], l->size, &l->addr, 0, WEIR_HERE);
	if (full(l, !l->virt))
		return false;
	oracle_map(domain_of(l->d), l->addr, plat_virt_to_phys(fake, l->virt), l->size,
		   prot_of(l->dir));
	return true;
}

static void map_one(void)
{
	struct live *l = &live[live_count];
	bool ok;

	*l = (struct live){ .d = (unsigned int)rnd(DEVICES), .dir = (enum weir_dma_dir)rnd(3) };
	l->kind = rnd(8) ? SINGLE : rnd(2) ? LIST : COHERENT;
	ok = l->kind == SINGLE ? map_single(l) : l->kind == LIST ? map_list(l) : map_coherent(l);
	if (!ok)
		return;
	live_count++;
	assert_true(l->addr + l->size - 1 <= dev[l->d].dma_mask);
	probe(l->d, l->addr, rnd(2));
	probe(l->d, l->addr + l->size - 1, rnd(2));
}

static void unmap_one(unsigned int i)
{
	struct live l = live[i];

	live[i] = live[--live_count];
	if (l.kind != LIST)
		oracle_unmap(domain_of(l.d), l.addr, l.size);
	if (l.kind == SINGLE)
		weir_dma_unmap(&dev[l.d], l.addr, l.size, l.dir, 0, WEIR_HERE);
	else if (l.kind == LIST)
		unmap_list(&l);
	else
		weir_dma_free_coherent(&dev[l.d], l.size, l.virt, l.addr, WEIR_HERE);
	probe(l.d, l.addr, rnd(2)); /* at once */
	probe(l.d, l.addr + rnd(l.size), rnd(2));
	recent[recents++ % RECENT].d = l.d;
	recent[(recents - 1) % RECENT].addr = l.addr + rnd(l.size);
}

/* Everybody may ask at anybody's addresses. */
static void probe_around(void)
{
	unsigned int d = (unsigned int)rnd(DEVICES), i;

	if (live_count) {
		const struct live *l = &live[rnd(live_count)];

		probe(l->d, l->addr + rnd(l->size), rnd(2));
		probe(d, l->addr + rnd(l->size), rnd(2));
		probe(l->d, l->addr + l->size + rnd(2 * PAGE), rnd(2));
		probe(l->d, l->addr - 1 - rnd(2 * PAGE), rnd(2));
	}
	if (recents && !rnd(2)) {
		i = (unsigned int)rnd(recents < RECENT ? recents : RECENT);
		probe(recent[i].d, recent[i].addr, rnd(2));
	}
	if (!rnd(16))
		probe(d, rnd((uint64_t)1 << 50), rnd(2));
}

/* ---- Lent to another domain --------------------------------------------------------------- */

static unsigned long loans;

static void lend(unsigned int d)
{
	struct weir_domain *domain;
	uint64_t phys;

	for (unsigned int i = live_count; i > 0; i--) {
		if (live[i - 1].d == d)
			unmap_one(i - 1);
	}
	assert_int_equal(weir_domain_alloc(&dev[d], &domain), 0);
	assert_int_equal(weir_domain_attach(domain, &dev[d]), 0);
	assert_false(access(d, 0x10000000, true, &phys));
	assert_int_equal(weir_domain_map(domain, 0x10000000, area[1], 2u << 20,
					 WEIR_IOMMU_READ | WEIR_IOMMU_WRITE),
			 0);
	assert_true(access(d, 0x10001234, true, &phys));
	assert_int_equal(phys, area[1] + 0x1234);
	assert_int_equal(weir_domain_unmap(domain, 0x10001000, PAGE), PAGE); /* out of a block */
	assert_false(access(d, 0x10001234, true, &phys));
	assert_true(access(d, 0x10002234, true, &phys));
	assert_int_equal(weir_domain_detach(domain, &dev[d]), 0);
	assert_false(access(d, 0x10002234, true, &phys));
	weir_domain_free(domain);
	loans++;
}

/* ---- The run ------------------------------------------------------------------------------ */

static void start(void)
{
	struct weir_options options = {
		.cpus = 1, .iommu_drivers = drivers, .log_level = WEIR_LOG_WARN, .history = 256
	};

	make_machine();
	options.plat = fake;
	options.fdt = device_tree(&options.fdt_size);
	assert_int_equal(weir_init(&options, &weir), 0);
	weir_set_fault_handler(weir, hear, NULL);
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct weir_device_id id = { weir_iommu_by_phandle(weir, 1), 8 * (i + 1) };
		struct weir_device_desc desc = { .name = "dev",
						 .ids = &id,
						 .nr_ids = 1,
						 .coherent = true,
						 .group_with = i == 3 ? &dev[2] : NULL };

		assert_int_equal(weir_device_add(weir, &dev[i], &desc), 0);
		/* One sees only little: magazines of the shared group hold what it cannot use. */
		assert_int_equal(weir_dma_set_mask(&dev[i], i == 3 ? 0x3ffffff :
							    i == 1 ? ~0ull :
								     0xffffffff),
				 0);
		assert_int_equal(weir_dma_set_coherent_mask(&dev[i], dev[i].dma_mask), 0);
	}
	for (unsigned int i = 0; i < AREAS; i++)
		assert_int_equal(plat_pages_alloc(fake, 10, WEIR_ZONE_NORMAL, 0, &area[i]), 0);
}

static void stop(uint64_t *lost)
{
	struct weir_model_smmuv3_stats model;
	struct weir_stats stats;

	fakeplat_run(fake);
	weir_get_stats(weir, &stats);
	weir_model_smmuv3_get_stats(smmu, &model);
	*lost = model.events_lost;
	assert_int_equal(stats.live_mappings, 0);
	assert_int_equal(stats.maps, stats.unmaps);
	assert_int_equal(stats.map_errors, refused);
	assert_int_equal(stats.faults, heard);
	assert_int_equal(blocked, heard + model.events_lost);
	assert_int_equal(stats.event_overflows > 0, model.events_lost > 0);
	printf("%llu maps, %llu commands, %llu syncs, %llu walks, TLB hit %llu times of %llu\n",
	       (unsigned long long)stats.maps, (unsigned long long)stats.commands,
	       (unsigned long long)stats.syncs, (unsigned long long)model.walks,
	       (unsigned long long)model.tlb_hits, (unsigned long long)model.tlb_lookups);
	for (unsigned int i = 0; i < AREAS; i++)
		plat_pages_free(fake, area[i], 10);
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(weir_device_remove(&dev[i]), 0);
	weir_get_stats(weir, &stats);
	assert_int_equal(stats.table_pages, 0);
	assert_int_equal(weir_fini(weir), 0);
	weir_model_smmuv3_destroy(smmu);
	weir_model_bus_destroy(bus);
	fakeplat_delete(fake);
}

static void what_is_mapped_is_reached(void **state)
{
	uint64_t lost;
	unsigned int most = 0;

	(void)state;
	start();
	for (unsigned long step = 0; step < steps; step++) {
		bool growing = step / 5000 % 2 == 0;

		if (live_count < MAX_LIVE && (!live_count || rnd(10) < (growing ? 6u : 4u)))
			map_one();
		else
			unmap_one((unsigned int)rnd(live_count));
		most = live_count > most ? live_count : most;
		probe_around();
		if (step % 50000 == 7)
			lend((unsigned int)rnd(2));
		if (step % 64 == 0)
			fakeplat_run(fake);
	}
	while (live_count)
		unmap_one(live_count - 1);
	printf("%lu steps, %u mappings at once at most, %llu refused, %lu loans\n", steps, most,
	       (unsigned long long)refused, loans);
	printf("%llu pages mapped, %llu as 2 MiB blocks; %llu addresses, %llu times again\n",
	       (unsigned long long)pages_mapped, (unsigned long long)blocks_mapped,
	       (unsigned long long)distinct_pages, (unsigned long long)reused_pages);
	printf("%llu accesses: %llu reached, %llu blocked, %llu reported\n",
	       (unsigned long long)asked, (unsigned long long)reached, (unsigned long long)blocked,
	       (unsigned long long)heard);
	assert_true(blocks_mapped > steps / 100 && reused_pages > distinct_pages);
	assert_true(reached > steps && blocked > steps && loans > 0);
	stop(&lost);
	assert_int_equal(lost, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_mapped_is_reached) };

	if (argc > 1)
		steps = strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
