/* SPDX-License-Identifier: MIT */
/*
 * See fakeiommu.h. A domain is a tree of 512-way tables of 64-bit entries: page | prot << 56 | 1.
 */

#include "fakeiommu.h"

#include <libfdt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/iort.h>

#include "base/machine.h"

#define LEVELS 4
#define PAGE WEIR_PAGE_SIZE

struct table {
	union {
		struct table *child;
		uint64_t entry;
	} slot[512];
};

struct fake_domain {
	struct weir_domain domain;
	pthread_mutex_t lock;
	struct table root;
	uint64_t pages;
};

struct fakeiommu_knobs fakeiommu_knobs;
struct fakeiommu *fakeiommu[FAKEIOMMU_MAX];
unsigned int fakeiommu_domains, fakeiommu_attaches, fakeiommu_maps, fakeiommu_unmaps;
static unsigned int probes;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fakeiommu: %s\n", what);
	abort();
}

static bool countdown(unsigned int *n)
{
	return *n && !--*n;
}

void fakeiommu_reset(void)
{
	require(!fakeiommu_domains, "domains left");
	for (unsigned int i = 0; i < FAKEIOMMU_MAX; i++)
		require(!fakeiommu[i], "an IOMMU was not removed");
	fakeiommu_knobs = (struct fakeiommu_knobs){ .page_sizes = PAGE | PAGE << 9,
						    .last = ((uint64_t)1 << 48) - 1 };
	fakeiommu_attaches = fakeiommu_maps = fakeiommu_unmaps = probes = 0;
}

/* ---- Pages -------------------------------------------------------------------------------- */

static struct fake_domain *fake_domain(struct weir_domain *domain)
{
	require(domain->type == WEIR_DOMAIN_PAGING, "mapping in a domain without pages");
	return WEIR_CONTAINER_OF(domain, struct fake_domain, domain);
}

static uint64_t *walk(struct fake_domain *fake, weir_dma_t iova, bool make)
{
	struct table *table = &fake->root;

	for (int level = LEVELS - 1; level > 0; level--) {
		struct table **child = &table->slot[iova >> (12 + 9 * level) & 511].child;

		if (!*child && !make)
			return NULL;
		if (!*child)
			*child = calloc(1, sizeof(**child));
		require(*child, "no memory");
		table = *child;
	}
	return &table->slot[iova >> 12 & 511].entry;
}

static void free_table(struct table *table, int level)
{
	for (unsigned int i = 0; level > 0 && i < 512; i++) {
		if (table->slot[i].child) {
			free_table(table->slot[i].child, level - 1);
			free(table->slot[i].child);
		}
	}
}

static void check_range(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	uint64_t page = domain->page_sizes & -domain->page_sizes;

	require(size && !((iova | size) & (page - 1)), "a range that is not aligned");
	require(iova >= domain->first && iova <= domain->last && size - 1 <= domain->last - iova,
		"a range beyond the domain");
}

static int fake_map(struct weir_domain *domain, weir_dma_t iova, const struct weir_extent *extents,
		    unsigned int count, unsigned int prot)
{
	struct fake_domain *fake = fake_domain(domain);
	size_t total = 0, done = 0;
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		require(extents[i].size && !((extents[i].phys | extents[i].size) & (PAGE - 1)),
			"an extent that is not aligned");
		total += extents[i].size;
	}
	require(count && prot & (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE), "nothing to map");
	check_range(domain, iova, total);
	pthread_mutex_lock(&fake->lock);
	__atomic_fetch_add(&fakeiommu_maps, 1, __ATOMIC_RELAXED);
	if (countdown(&fakeiommu_knobs.fail_map))
		ret = fakeiommu_knobs.map_is_lost ? -WEIR_EIO : -WEIR_ENOMEM;
	for (size_t at = 0; !ret && at < total; at += PAGE) {
		uint64_t *entry = walk(fake, iova + at, false);

		if (entry && *entry)
			ret = -WEIR_EEXIST;
	}
	for (unsigned int i = 0; !ret && i < count; i++) {
		for (size_t at = 0; at < extents[i].size; at += PAGE, done += PAGE)
			*walk(fake, iova + done, true) =
				(extents[i].phys + at) | (uint64_t)prot << 56 | 1;
	}
	fake->pages += done / PAGE;
	pthread_mutex_unlock(&fake->lock);
	return ret;
}

static size_t fake_unmap(struct weir_domain *domain, weir_dma_t iova, size_t size)
{
	struct fake_domain *fake = fake_domain(domain);
	size_t done = 0;

	check_range(domain, iova, size);
	pthread_mutex_lock(&fake->lock);
	__atomic_fetch_add(&fakeiommu_unmaps, 1, __ATOMIC_RELAXED);
	for (; size; iova += PAGE, size -= PAGE) {
		uint64_t *entry = walk(fake, iova, false);

		if (entry && *entry) {
			*entry = 0;
			done += PAGE;
		}
	}
	fake->pages -= done / PAGE;
	if (countdown(&fakeiommu_knobs.fail_unmap))
		done = 0;
	pthread_mutex_unlock(&fake->lock);
	return done;
}

bool fakeiommu_lookup(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys,
		      unsigned int *prot)
{
	struct fake_domain *fake = fake_domain(domain);
	uint64_t value = 0, *entry;

	if (iova > domain->last)
		return false;
	pthread_mutex_lock(&fake->lock);
	entry = walk(fake, iova, false);
	if (entry)
		value = *entry;
	pthread_mutex_unlock(&fake->lock);
	*phys = (value & 0x00fffffffffff000) | (iova & (PAGE - 1));
	*prot = (unsigned int)(value >> 56);
	return value;
}

static int fake_iova_to_phys(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys)
{
	unsigned int prot;

	return fakeiommu_lookup(domain, iova, phys, &prot) ? 0 : -WEIR_ENOENT;
}

uint64_t fakeiommu_pages(struct weir_domain *domain)
{
	return fake_domain(domain)->pages;
}

/* ---- Domains and streams ------------------------------------------------------------------ */

static const struct weir_iommu_ops ops;

static struct fakeiommu *fake_of(struct weir_iommu *iommu)
{
	return WEIR_CONTAINER_OF(iommu, struct fakeiommu, iommu);
}

static int fake_domain_alloc(struct weir_iommu *iommu, unsigned int flags,
			     struct weir_domain **domain)
{
	struct fake_domain *fake;

	(void)flags;
	if (countdown(&fakeiommu_knobs.fail_domain_alloc))
		return -WEIR_ENOMEM;
	fake = calloc(1, sizeof(*fake));
	require(fake, "no memory");
	pthread_mutex_init(&fake->lock, NULL);
	fake->domain = (struct weir_domain){ .type = WEIR_DOMAIN_PAGING,
					     .iommu = iommu,
					     .ops = &ops,
					     .page_sizes = fakeiommu_knobs.page_sizes,
					     .first = fakeiommu_knobs.first,
					     .last = fakeiommu_knobs.last };
	fakeiommu_domains++;
	*domain = &fake->domain;
	return 0;
}

static void fake_domain_free(struct weir_domain *domain)
{
	struct fake_domain *fake = fake_domain(domain);

	for (unsigned int i = 0; i < FAKEIOMMU_IDS; i++)
		require(fake_of(domain->iommu)->stream[i] != domain,
			"a domain is freed that is in use");
	free_table(&fake->root, LEVELS - 1);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
	fakeiommu_domains--;
}

static int fake_check_id(struct weir_iommu *iommu, uint32_t id)
{
	(void)iommu;
	return id < FAKEIOMMU_IDS ? 0 : -WEIR_ERANGE;
}

static int fake_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain)
{
	require(id < FAKEIOMMU_IDS && domain->iommu == iommu, "attach of a wrong stream or domain");
	fakeiommu_attaches++;
	if (countdown(&fakeiommu_knobs.fail_attach)) {
		if (fakeiommu_knobs.fail_attach_more) {
			fakeiommu_knobs.fail_attach_more--;
			fakeiommu_knobs.fail_attach = 1;
		}
		return -WEIR_ETIMEDOUT;
	}
	fake_of(iommu)->stream[id] = domain;
	return 0;
}

static const struct weir_iommu_ops ops = {
	.check_id = fake_check_id,
	.domain_alloc = fake_domain_alloc,
	.domain_free = fake_domain_free,
	.attach = fake_attach,
	.map = fake_map,
	.unmap = fake_unmap,
	.iova_to_phys = fake_iova_to_phys,
};

/* ---- Probe -------------------------------------------------------------------------------- */

static int fake_probe(struct weir *weir, const struct weir_iommu_desc *desc,
		      struct weir_iommu **iommu)
{
	struct fakeiommu *fake;

	probes++;
	if (fakeiommu_knobs.probe_error && probes == fakeiommu_knobs.probe_fails)
		return fakeiommu_knobs.probe_error;
	/* From the machine's heap, so that running out of memory is tried too. */
	fake = weir_alloc(weir, sizeof(*fake), 0);
	if (!fake)
		return -WEIR_ENOMEM;
	fake->desc = *desc;
	fake->iommu =
		(struct weir_iommu){ .weir = weir,
				     .driver = &fakeiommu_driver,
				     .ops = &ops,
				     .page_sizes = fakeiommu_knobs.page_sizes,
				     .last = fakeiommu_knobs.last,
				     .blocked = &fake->blocked,
				     .identity =
					     fakeiommu_knobs.no_identity ? NULL : &fake->identity };
	fake->blocked = (struct weir_domain){ .type = WEIR_DOMAIN_BLOCKED, .iommu = &fake->iommu };
	fake->identity =
		(struct weir_domain){ .type = WEIR_DOMAIN_IDENTITY, .iommu = &fake->iommu };
	for (unsigned int i = 0; i < FAKEIOMMU_IDS; i++)
		fake->stream[i] = weir->mode == WEIR_MODE_OFF ? &fake->identity : &fake->blocked;
	for (unsigned int i = 0; i < FAKEIOMMU_MAX; i++) {
		if (!fakeiommu[i]) {
			fakeiommu[i] = fake;
			break;
		}
	}
	*iommu = &fake->iommu;
	return 0;
}

static void fake_remove(struct weir_iommu *iommu)
{
	struct fakeiommu *fake = fake_of(iommu);

	for (unsigned int i = 0; i < FAKEIOMMU_IDS; i++)
		require(fake->stream[i] == &fake->blocked || iommu->weir->mode == WEIR_MODE_OFF,
			"removed with a stream that is not blocked");
	for (unsigned int i = 0; i < FAKEIOMMU_MAX; i++) {
		if (fakeiommu[i] == fake)
			fakeiommu[i] = NULL;
	}
	weir_free(iommu->weir, fake);
}

static const char *const compatible[] = { "weir,fake-iommu-2", "weir,fake-iommu", NULL };
const struct weir_iommu_driver fakeiommu_driver = {
	.name = "fakeiommu",
	.compatible = compatible,
	.iort_type = WEIR_IORT_SMMUV3,
	.probe = fake_probe,
	.remove = fake_remove,
};

const void *fakeiommu_fdt(unsigned int count, bool coherent, size_t *size)
{
	static char blob[8192];
	char name[32];

	require(!fdt_create(blob, sizeof(blob)) && !fdt_finish_reservemap(blob), "libfdt");
	fdt_begin_node(blob, "");
	fdt_property_u32(blob, "#address-cells", 1);
	fdt_property_u32(blob, "#size-cells", 1);
	fdt_property_u32(blob, "interrupt-parent", 99);
	fdt_begin_node(blob, "interrupt-controller");
	fdt_property(blob, "interrupt-controller", NULL, 0);
	fdt_property_u32(blob, "#interrupt-cells", 1);
	fdt_property_u32(blob, "phandle", 99);
	fdt_end_node(blob);
	for (unsigned int i = 0; i < count; i++) {
		const fdt32_t reg[] = { cpu_to_fdt32(0x1000000 * (i + 1)), cpu_to_fdt32(0x20000) };
		const fdt32_t irqs[] = { cpu_to_fdt32(10 * i + 1), cpu_to_fdt32(10 * i + 2) };

		snprintf(name, sizeof(name), "iommu@%x", 0x1000000 * (i + 1));
		fdt_begin_node(blob, name);
		fdt_property(blob, "compatible", "acme,x\0weir,fake-iommu", 23);
		fdt_property(blob, "reg", reg, sizeof(reg));
		fdt_property_u32(blob, "phandle", i + 1);
		if (!fakeiommu_knobs.no_interrupts) {
			fdt_property(blob, "interrupts", irqs, sizeof(irqs));
			fdt_property(blob, "interrupt-names", "gerror\0eventq", 14);
		}
		if (coherent)
			fdt_property(blob, "dma-coherent", NULL, 0);
		fdt_end_node(blob);
	}
	fdt_begin_node(blob, "iommu@f000000");
	fdt_property_string(blob, "compatible", "weir,fake-iommu");
	fdt_property_string(blob, "status", "disabled");
	fdt_end_node(blob);
	fdt_end_node(blob);
	require(!fdt_finish(blob), "libfdt");
	*size = fdt_totalsize(blob);
	return blob;
}

int fakeiommu_translate(struct fakeiommu *fake, uint32_t id, weir_dma_t iova, bool write,
			weir_phys_t *phys)
{
	struct weir_domain *domain = fake->stream[id];
	unsigned int prot;

	*phys = iova;
	if (domain->type == WEIR_DOMAIN_IDENTITY)
		return 0;
	if (domain->type == WEIR_DOMAIN_BLOCKED)
		return -WEIR_EPERM;
	if (!fakeiommu_lookup(domain, iova, phys, &prot))
		return -WEIR_ENOENT;
	return prot & (write ? WEIR_IOMMU_WRITE : WEIR_IOMMU_READ) ? 0 : -WEIR_EPERM;
}

void fakeiommu_fault(struct fakeiommu *fake, uint32_t id, weir_dma_t iova, bool write,
		     enum weir_fault_reason reason)
{
	struct weir_fault fault = { .iommu = &fake->iommu,
				    .id = id,
				    .reason = reason,
				    .name = "F_FAKE",
				    .has_address = true,
				    .write = write,
				    .address = iova };

	weir_iommu_report_fault(&fault);
}
