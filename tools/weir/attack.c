/* SPDX-License-Identifier: MIT */

/*
 * What the rogue device is made to try.
 *
 *   unmapped    addresses that it was given and that were taken away: read and write
 *   never       every page of the machine's memory by its physical address: read and write
 *   read-only   pages that it may read: write
 *   neighbour   the pages before and after one that it may use: read and write
 *
 * What it does have a right to at the time (its live mappings, the doorbell of its interrupt) is
 * left out. Each page of memory that was free is taken and filled with a pattern first, and looked
 * at afterwards; in the pages that the stack itself uses, the words that the rogue wrote to are
 * searched for its mark. Where nothing translates, writes to pages of the stack are spared: they
 * would succeed, and end this process.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/dma-mapping.h>
#include <weir/domain.h>
#include <weir/hw/rogue.h>
#include <weir/pci.h>

#include "tool.h"

#define UNMAPPED_PAGES 8192u
#define READ_ONLY_PAGES 2048u
#define NEIGHBOUR_BLOCKS 1024u
#define NEIGHBOUR_ORDER 2u
#define RESERVE_PAGES 2048u /* left to the stack while the rogue is at it */
#define MSI_WINDOW_START 0x8000000ull
#define MSI_WINDOW_END 0x8100000ull

struct
try {
	uint64_t addr; /* aligned to 8, write flag in bit 0 */
	enum job_target target;
};

struct mapping {
	struct page *page;
	dma_addr_t addr;
	enum dma_data_direction dir;
	bool mapped;
};

/* Faults that get one line together: their last holder differs in kind only by these. */
struct kind {
	enum weir_fault_reason reason;
	bool write, was_mapped, is_mapped;
};

struct assault {
	struct posix_machine *machine;
	struct weir *weir;
	struct rogue_report *report;
	struct weir_pci_dev *pdev;
	volatile void __iomem *regs;
	struct weir_completion done;
	bool strict;	 /* what the user asked for ... */
	bool translated; /* ... and what came of it */

	struct mapping *unmapped, *read_only, *neighbours;
	struct page **victims;
	unsigned char *is_ours; /* by page of RAM */
	uint64_t ram_pages, nr_victims;
	uint64_t *live; /* pages (of the device's addresses) that it has a right to, sorted */
	size_t nr_live;
	uint64_t *gone; /* those that were taken away, sorted */

	struct try *tries;
	size_t nr_tries, room;
	uint64_t random;

	struct weir_spinlock lock; /* kinds, and the lines of the report; taken in IRQ context */
	struct kind kinds[16];
};

static uint64_t next_random(struct assault *a)
{
	uint64_t z = a->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* ---- The device ------------------------------------------------------------------------- */

static int on_interrupt(int irq, void *arg)
{
	struct assault *a = arg;

	(void)irq;
	weir_done(a->weir, &a->done);
	return 1;
}

static void let_go(struct assault *a)
{
	weir_pci_set_master(a->pdev, false);
	weir_irq_free(a->weir, (unsigned int)weir_pci_vector_irq(a->pdev, 0));
	weir_pci_free_vectors(a->pdev);
	weir_pci_unmap_bar(a->pdev, a->regs, WEIR_ROGUE_BAR_SIZE);
	weir_pci_disable(a->pdev);
}

static int take_device(struct assault *a)
{
	int ret;

	a->pdev = weir_pci_find(a->weir, WEIR_ROGUE_VENDOR, WEIR_ROGUE_DEVICE, NULL);
	if (!a->pdev)
		return -ENODEV;
	ret = weir_pci_enable(a->pdev);
	if (ret)
		return ret;
	a->regs = weir_pci_map_bar(a->pdev, 0, 0);
	ret = a->regs ? weir_pci_alloc_vectors(a->pdev, 1, 1) : -ENOMEM;
	if (ret < 0)
		goto err_unmap;
	ret = weir_irq_request(a->weir, (unsigned int)weir_pci_vector_irq(a->pdev, 0), on_interrupt,
			       a);
	if (ret)
		goto err_vectors;
	weir_pci_set_master(a->pdev, true);
	return readl((volatile char __iomem *)a->regs + WEIR_ROGUE_ID) == WEIR_ROGUE_MAGIC ?
		       0 :
		       -ENODEV;

err_vectors:
	weir_pci_free_vectors(a->pdev);
err_unmap:
	if (a->regs)
		weir_pci_unmap_bar(a->pdev, a->regs, WEIR_ROGUE_BAR_SIZE);
	weir_pci_disable(a->pdev);
	return ret;
}

static struct device *rogue_device(struct assault *a)
{
	return &weir_to_pci_dev(a->pdev)->dev;
}

/* ---- Memory ----------------------------------------------------------------------------- */

static uint64_t pattern(phys_addr_t phys)
{
	return phys * 0x9e3779b97f4a7c15ull + 1;
}

static void fill(const struct page *page)
{
	uint64_t *p = page_address(page);

	for (unsigned int i = 0; i < PAGE_SIZE / 8; i++)
		p[i] = pattern(page_to_phys(page)) + i;
}

static bool unchanged(const struct page *page)
{
	const uint64_t *p = page_address(page);

	for (unsigned int i = 0; i < PAGE_SIZE / 8; i++)
		if (p[i] != pattern(page_to_phys(page)) + i)
			return false;
	return true;
}

static void claim(struct assault *a, struct page *page, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		a->is_ours[(page_to_phys(page + i) - WEIR_MODEL_MACHINE_RAM_BASE) >> PAGE_SHIFT] =
			1;
		fill(page + i);
	}
}

static struct page *own(struct assault *a, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	if (page)
		claim(a, page, 1u << order);
	return page;
}

static int map_one(struct assault *a, struct mapping *m, struct page *page,
		   enum dma_data_direction dir)
{
	m->page = page;
	m->dir = dir;
	m->addr = dma_map_page(rogue_device(a), page, 0, PAGE_SIZE, dir);
	m->mapped = !dma_mapping_error(rogue_device(a), m->addr);
	return m->mapped ? 0 : -ENOMEM;
}

static void unmap_one(struct assault *a, struct mapping *m)
{
	if (m->mapped)
		dma_unmap_page(rogue_device(a), m->addr, PAGE_SIZE, m->dir);
	m->mapped = false;
}

/*
 * Lay the mappings out so that pages that will be unmapped lie between those that stay: in IOVA
 * space mappings made one after the other tend to be neighbours.
 */
static int map_all(struct assault *a)
{
	for (unsigned int i = 0; i < UNMAPPED_PAGES; i++) {
		struct page *page = own(a, 0);

		if (!page || map_one(a, &a->unmapped[i], page, DMA_BIDIRECTIONAL))
			return -ENOMEM;
		if (i < NEIGHBOUR_BLOCKS) {
			page = own(a, NEIGHBOUR_ORDER);
			if (!page || map_one(a, &a->neighbours[i], page + 1, DMA_BIDIRECTIONAL))
				return -ENOMEM;
		} else if (i < NEIGHBOUR_BLOCKS + READ_ONLY_PAGES) {
			page = own(a, 0);
			if (!page ||
			    map_one(a, &a->read_only[i - NEIGHBOUR_BLOCKS], page, DMA_TO_DEVICE))
				return -ENOMEM;
		}
	}
	for (unsigned int i = 0; i < UNMAPPED_PAGES; i++)
		unmap_one(a, &a->unmapped[i]);
	return 0;
}

static int take_free_memory(struct assault *a)
{
	uint64_t in_use = posix_pages_in_use(a->machine);
	uint64_t wanted = a->ram_pages - in_use;

	wanted = wanted > RESERVE_PAGES ? wanted - RESERVE_PAGES : 0;
	a->victims = calloc(wanted ? wanted : 1, sizeof(struct page *));
	if (!a->victims)
		return -ENOMEM;
	while (a->nr_victims < wanted) {
		struct page *page = own(a, 0);

		if (!page)
			break;
		a->victims[a->nr_victims++] = page;
	}
	return 0;
}

static void check_memory(struct assault *a)
{
	struct rogue_report *r = a->report;

	for (uint64_t i = 0; i < a->ram_pages; i++) {
		struct page *page = phys_to_page(WEIR_MODEL_MACHINE_RAM_BASE + (i << PAGE_SHIFT));

		r->pages_checked++;
		if (a->is_ours[i])
			r->pages_changed += !unchanged(page);
	}
	for (size_t i = 0; i < a->nr_tries; i++) {
		uint64_t phys = a->tries[i].addr & ~7ull;
		uint64_t page = (phys - WEIR_MODEL_MACHINE_RAM_BASE) >> PAGE_SHIFT;

		if (!(a->tries[i].addr & 1) || a->tries[i].target != JOB_TARGET_NEVER ||
		    a->is_ours[page])
			continue;
		/* A page of the stack's: it may be written at this moment. */
		r->pages_changed += __atomic_load_n((uint64_t *)phys_to_virt(phys),
						    __ATOMIC_RELAXED) == WEIR_ROGUE_PATTERN;
	}
}

static void release(struct assault *a, struct mapping *m, unsigned int order)
{
	unmap_one(a, m);
	if (m->page) /* what is mapped is the page after the block's first */
		__free_pages(order ? m->page - 1 : m->page, order);
}

static void release_memory(struct assault *a)
{
	for (unsigned int i = 0; i < NEIGHBOUR_BLOCKS; i++)
		release(a, &a->neighbours[i], NEIGHBOUR_ORDER);
	for (unsigned int i = 0; i < READ_ONLY_PAGES; i++)
		release(a, &a->read_only[i], 0);
	for (unsigned int i = 0; i < UNMAPPED_PAGES; i++)
		release(a, &a->unmapped[i], 0);
	for (uint64_t i = 0; i < a->nr_victims; i++)
		__free_page(a->victims[i]);
}

/* ---- The list of what to try ------------------------------------------------------------ */

static int compare(const void *x, const void *y)
{
	uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;

	return p < q ? -1 : p > q;
}

static bool contains(const uint64_t *pages, size_t count, uint64_t addr)
{
	uint64_t page = addr >> PAGE_SHIFT;

	return bsearch(&page, pages, count, sizeof(page), compare) != NULL;
}

static void list_pages(struct assault *a)
{
	for (unsigned int i = 0; i < UNMAPPED_PAGES; i++)
		a->gone[i] = a->unmapped[i].addr >> PAGE_SHIFT;
	qsort(a->gone, UNMAPPED_PAGES, sizeof(*a->gone), compare);
	for (unsigned int i = 0; i < NEIGHBOUR_BLOCKS; i++)
		a->live[a->nr_live++] = a->neighbours[i].addr >> PAGE_SHIFT;
	for (unsigned int i = 0; i < READ_ONLY_PAGES; i++)
		a->live[a->nr_live++] = a->read_only[i].addr >> PAGE_SHIFT;
	qsort(a->live, a->nr_live, sizeof(*a->live), compare);
}

static bool has_right(const struct assault *a, uint64_t addr)
{
	if (addr >= MSI_WINDOW_START && addr < MSI_WINDOW_END)
		return true;
	return contains(a->live, a->nr_live, addr);
}

static void add(struct assault *a, uint64_t page_addr, bool write, enum job_target target)
{
	uint64_t addr = page_addr + (next_random(a) & (PAGE_SIZE - 8));

	if (a->nr_tries == a->room || (target != JOB_TARGET_READ_ONLY && has_right(a, addr)))
		return;
	a->tries[a->nr_tries++] = (struct try){ .addr = addr | write, .target = target };
	a->report->tries[target]++;
}

static void add_both(struct assault *a, uint64_t page_addr, enum job_target target)
{
	add(a, page_addr, false, target);
	add(a, page_addr, true, target);
}

static void add_memory(struct assault *a)
{
	for (uint64_t i = 0; i < a->ram_pages; i++) {
		uint64_t phys = WEIR_MODEL_MACHINE_RAM_BASE + (i << PAGE_SHIFT);

		add(a, phys, false, JOB_TARGET_NEVER);
		if (a->translated || a->is_ours[i])
			add(a, phys, true, JOB_TARGET_NEVER);
		else
			a->report->writes_spared++;
	}
}

static void shuffle(struct assault *a)
{
	for (size_t i = a->nr_tries; i > 1; i--) {
		size_t j = next_random(a) % i;
		struct try t = a->tries[i - 1];

		a->tries[i - 1] = a->tries[j];
		a->tries[j] = t;
	}
}

static void plan(struct assault *a)
{
	list_pages(a);
	for (unsigned int i = 0; i < UNMAPPED_PAGES; i++)
		add_both(a, a->unmapped[i].addr, JOB_TARGET_UNMAPPED);
	for (unsigned int i = 0; i < READ_ONLY_PAGES; i++)
		add(a, a->read_only[i].addr, true, JOB_TARGET_READ_ONLY);
	for (unsigned int i = 0; i < NEIGHBOUR_BLOCKS; i++) {
		add_both(a, a->neighbours[i].addr - PAGE_SIZE, JOB_TARGET_NEIGHBOUR);
		add_both(a, a->neighbours[i].addr + PAGE_SIZE, JOB_TARGET_NEIGHBOUR);
	}
	add_memory(a);
	shuffle(a);
}

/* ---- Faults: one line for each kind ----------------------------------------------------- */

static bool same_kind(const struct kind *a, const struct kind *b)
{
	return a->reason == b->reason && a->write == b->write && a->was_mapped == b->was_mapped &&
	       a->is_mapped == b->is_mapped;
}

/* By the tool's own lists: a search of the history for each of so many faults would be slow. */
static bool on_fault(void *arg, const struct weir_fault *fault)
{
	struct assault *a = arg;
	struct rogue_report *r = a->report;
	struct kind kind = { .reason = fault->reason,
			     .write = fault->write,
			     .was_mapped = contains(a->gone, UNMAPPED_PAGES, fault->address),
			     .is_mapped = contains(a->live, a->nr_live, fault->address) };
	unsigned int i;
	uintptr_t flags;

	flags = plat_irq_save();
	plat_spin_lock(&a->lock);
	for (i = 0; i < r->nr_faults && !same_kind(&a->kinds[i], &kind); i++)
		;
	if (i == r->nr_faults && i < WEIR_ARRAY_SIZE(a->kinds)) {
		a->kinds[i] = kind;
		weir_fault_describe(fault, r->faults[i], sizeof(r->faults[i]));
		r->nr_faults++;
	}
	plat_spin_unlock(&a->lock);
	plat_irq_restore(flags);
	return true;
}

/* ---- At it ------------------------------------------------------------------------------ */

static uint64_t events_lost(struct assault *a)
{
	struct weir_model_smmuv3 *smmu = weir_model_machine_smmu(posix_models(a->machine));
	struct weir_model_smmuv3_stats stats;

	if (!smmu)
		return 0;
	weir_model_smmuv3_get_stats(smmu, &stats);
	return stats.events_lost;
}

static uint64_t events_received(struct assault *a, uint64_t *overflows)
{
	struct weir_stats stats;

	weir_get_stats(a->weir, &stats);
	*overflows = stats.event_overflows;
	return stats.events;
}

/*
 * Wait until as many events came or were dropped as accesses were blocked. -ETIMEDOUT: none came
 * for a long time, but should.
 */
static int await_events(struct assault *a, uint64_t events0, uint64_t lost0)
{
	struct weir_model_rogue_stats rogue;
	uint64_t overflows, end = 0, last = 0;

	for (;;) {
		uint64_t got = events_received(a, &overflows) - events0 + events_lost(a) - lost0;
		uint64_t now = plat_time_ns(a->machine);

		weir_model_rogue_get_stats(weir_model_machine_rogue(posix_models(a->machine)),
					   &rogue);
		if (got >= rogue.blocked)
			return 0;
		if (got != last || !end)
			end = now + 5000000000ull;
		last = got;
		if (now > end)
			return -ETIMEDOUT;
		weir_sleep_ns(a->weir, 100000);
	}
}

static int send(struct assault *a, size_t from, unsigned int count)
{
	volatile char __iomem *regs = a->regs;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t t = a->tries[from + i].addr;

		writeq_relaxed((t & ~7ull) | (t & 1 ? WEIR_ROGUE_WRITE : 0),
			       regs + WEIR_ROGUE_LIST + 8 * i);
	}
	writel(count, regs + WEIR_ROGUE_COUNT);
	writel(1, regs + WEIR_ROGUE_DOORBELL);
	return weir_wait_done(a->weir, &a->done, 30000000000ull);
}

static void count_attempts(struct assault *a)
{
	struct rogue_report *r = a->report;
	struct weir_model_rogue_stats rogue;

	weir_model_rogue_get_stats(weir_model_machine_rogue(posix_models(a->machine)), &rogue);
	r->attempts = rogue.attempts;
	r->reads = rogue.reads;
	r->writes = rogue.writes;
	r->blocked = rogue.blocked;
	r->aborted = rogue.aborted;
	r->hits = rogue.hits;
}

static int loose(struct assault *a)
{
	uint64_t overflows0, overflows, lost0 = events_lost(a);
	uint64_t events0 = events_received(a, &overflows0);
	size_t at = 0;
	int ret = 0;

	weir_set_fault_handler(a->weir, on_fault, a);
	while (at < a->nr_tries && !ret) {
		size_t left = a->nr_tries - at;
		unsigned int count =
			left < WEIR_ROGUE_LIST_MAX ? (unsigned int)left : WEIR_ROGUE_LIST_MAX;

		ret = send(a, at, count);
		if (!ret)
			ret = await_events(a, events0, lost0);
		at += count;
	}
	weir_set_fault_handler(a->weir, NULL, NULL);
	a->report->events = events_received(a, &overflows) - events0;
	a->report->events_lost = events_lost(a) - lost0;
	a->report->overflows = overflows - overflows0;
	count_attempts(a);
	return ret;
}

static int prepare(struct assault *a)
{
	uint64_t end = plat_memory_end(a->machine);

	a->ram_pages = (end - WEIR_MODEL_MACHINE_RAM_BASE) >> PAGE_SHIFT;
	a->room = 2 * UNMAPPED_PAGES + READ_ONLY_PAGES + 4 * NEIGHBOUR_BLOCKS + 2 * a->ram_pages;
	a->unmapped = calloc(UNMAPPED_PAGES, sizeof(*a->unmapped));
	a->read_only = calloc(READ_ONLY_PAGES, sizeof(*a->read_only));
	a->neighbours = calloc(NEIGHBOUR_BLOCKS, sizeof(*a->neighbours));
	a->is_ours = calloc(a->ram_pages, 1);
	a->live = calloc(NEIGHBOUR_BLOCKS + READ_ONLY_PAGES, sizeof(*a->live));
	a->gone = calloc(UNMAPPED_PAGES, sizeof(*a->gone));
	a->tries = calloc(a->room, sizeof(*a->tries));
	if (!a->unmapped || !a->read_only || !a->neighbours || !a->is_ours || !a->live ||
	    !a->gone || !a->tries)
		return -ENOMEM;
	return 0;
}

static int attack_task(void *arg)
{
	struct assault *a = arg;
	int ret = take_device(a);

	if (ret)
		return ret;
	a->translated = weir_device_dma_domain(&a->pdev->dev) && a->strict;
	ret = map_all(a);
	if (!ret)
		ret = take_free_memory(a);
	if (!ret) {
		plan(a);
		ret = loose(a);
		check_memory(a);
	}
	release_memory(a);
	let_go(a);
	return ret;
}

int attack(struct posix_machine *machine, struct weir *weir, const struct run_options *options,
	   struct rogue_report *report)
{
	struct assault a = { .machine = machine,
			     .weir = weir,
			     .report = report,
			     .strict = options->mode == WEIR_MODE_STRICT,
			     .random = options->seed };
	int ret = prepare(&a);

	if (!ret)
		ret = posix_call(machine, 0, attack_task, &a);
	free(a.unmapped);
	free(a.read_only);
	free(a.neighbours);
	free(a.is_ours);
	free(a.live);
	free(a.gone);
	free(a.tries);
	free(a.victims);
	return ret;
}
