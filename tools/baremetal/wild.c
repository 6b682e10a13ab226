/* SPDX-License-Identifier: MIT */

/*
 * What the edu device is made to try. Each attempt that writes goes to pages that were allocated
 * for it: if one were not blocked, nothing else would be damaged.
 *
 *   never       memory that was never mapped for it, by its physical address
 *   unmapped    a page that it had used, whose translation may be cached, and that was taken away
 *               from it just now
 *   beyond      the page after the last one of a mapping, and a transfer that begins in the mapping
 *   read-only   a page that it may read: a write
 *   the disk's  an address of the disk's address space
 *   out of all  an address that no domain has
 */

#include <weir/domain.h>
#include <weir/sys.h>

#include "bare.h"
#include "try.h"

/* Not beyond 48 bits: some root complexes refuse that before any SMMU hears of it. */
#define FAR_ADDRESS (((dma_addr_t)1 << 48) - PAGE_SIZE)
#define DISK_TRIES 64u

/*
 * The pages, one block: GIVEN of them are mapped in one piece, and the one after those is not; then
 * one for each other use.
 */
#define PAGES_ORDER 3u
enum { GIVEN = 3, NEVER = 4, UNMAPPED, READ_ONLY, DISKS };

struct wild {
	struct tries tries;
	struct device *disk;
	struct page *pages; /* NULL: no memory */
};

static unsigned char *memory(const struct wild *w, unsigned int page)
{
	return page_address(w->pages + page);
}

static u64 pattern(u64 i)
{
	u64 z = (i + 1) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return (z ^ (z >> 27)) | 0x0100000001000000ull; /* no half of it is zero */
}

static u64 nr_words(void)
{
	return (PAGE_SIZE << PAGES_ORDER) / sizeof(u64);
}

static void fill_pages(struct wild *w)
{
	u64 *words = page_address(w->pages);

	for (u64 i = 0; i < nr_words(); i++)
		words[i] = pattern(i);
}

static bool pages_unchanged(const struct wild *w)
{
	const u64 *words = page_address(w->pages);

	for (u64 i = 0; i < nr_words(); i++)
		if (READ_ONCE(words[i]) != pattern(i))
			return false;
	return true;
}

/* ---- Attempts ----------------------------------------------------------------------------- */

static void make(struct wild *w, const char *what, dma_addr_t addr, bool write, void *behind)
{
	struct attempt a = { .what = what, .addr = addr, .write = write, .memory = behind };

	tries_make(&w->tries, &a);
}

static void make_both(struct wild *w, const char *what, dma_addr_t addr, void *behind)
{
	make(w, what, addr, false, behind);
	make(w, what, addr, true, behind);
}

static void read_physical(struct wild *w, const char *what, const void *behind)
{
	make(w, what, virt_to_phys(behind), false, (void *)behind);
}

static void try_never(struct wild *w)
{
	unsigned char *never = memory(w, NEVER);
	size_t size;

	read_physical(w, "the code of this program, by its physical address",
		      (const void *)(uintptr_t)bare_main);
	read_physical(w, "the device tree, by its physical address", bare_device_tree(&size));
	read_physical(w, "the state of the stack itself, by its physical address", w->tries.weir);
	make_both(w, "a page that was never mapped for it, by its physical address",
		  virt_to_phys(never), never);
}

static void no_mapping(struct wild *w)
{
	part_problem(w->tries.part, "no mapping for what the edu device is to try");
	w->tries.failed = true;
}

static void try_unmapped(struct wild *w)
{
	struct device *dev = w->tries.dev;
	unsigned char *taken = memory(w, UNMAPPED);
	dma_addr_t addr = dma_map_single(dev, taken, PAGE_SIZE, DMA_BIDIRECTIONAL);

	if (dma_mapping_error(dev, addr)) {
		no_mapping(w);
		return;
	}
	tries_use(&w->tries, addr);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	make_both(w, "a page that it had used and that was unmapped just now", addr, taken);
}

static void run_out(struct wild *w, dma_addr_t end, bool write)
{
	struct attempt a = { .what = "the end of its memory, and on from there",
			     .addr = end - TRY_SIZE / 2,
			     .write = write,
			     .right = TRY_SIZE / 2,
			     .memory = memory(w, GIVEN) - TRY_SIZE / 2 };

	tries_make(&w->tries, &a);
}

static void try_beyond(struct wild *w)
{
	struct device *dev = w->tries.dev;
	size_t size = GIVEN * PAGE_SIZE;
	dma_addr_t addr = dma_map_single(dev, memory(w, 0), size, DMA_BIDIRECTIONAL);

	if (dma_mapping_error(dev, addr)) {
		no_mapping(w);
		return;
	}
	make_both(w, "the page after its memory", addr + size, memory(w, GIVEN));
	run_out(w, addr + size, false);
	run_out(w, addr + size, true);
	dma_unmap_single(dev, addr, size, DMA_BIDIRECTIONAL);
}

static void try_read_only(struct wild *w)
{
	struct device *dev = w->tries.dev;
	struct attempt a = { .what = "a page that it may read only",
			     .write = true,
			     .memory = memory(w, READ_ONLY) };

	a.addr = dma_map_single(dev, a.memory, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, a.addr)) {
		no_mapping(w);
		return;
	}
	tries_make(&w->tries, &a);
	dma_unmap_single(dev, a.addr, PAGE_SIZE, DMA_TO_DEVICE);
}

/* An address of the disk's for the page, that means nothing to the edu device and never did. */
static dma_addr_t map_for_disk(struct wild *w, dma_addr_t *others, unsigned int *nr_others)
{
	struct weir_history held;

	for (*nr_others = 0; *nr_others < DISK_TRIES; (*nr_others)++) {
		dma_addr_t addr =
			dma_map_single(w->disk, memory(w, DISKS), PAGE_SIZE, DMA_BIDIRECTIONAL);

		if (dma_mapping_error(w->disk, addr) ||
		    (!tries_is_its_own(&w->tries, addr, PAGE_SIZE) &&
		     weir_history_find(&w->tries.dev->weir, addr, &held)))
			return addr;
		others[*nr_others] = addr;
	}
	return DMA_MAPPING_ERROR;
}

static void try_disks(struct wild *w)
{
	dma_addr_t others[DISK_TRIES], addr;
	unsigned int nr_others;

	addr = map_for_disk(w, others, &nr_others);
	if (dma_mapping_error(w->disk, addr)) {
		no_mapping(w);
	} else {
		make_both(w, "memory that the disk was given, by the disk's address", addr,
			  memory(w, DISKS));
		dma_unmap_single(w->disk, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	}
	while (nr_others)
		dma_unmap_single(w->disk, others[--nr_others], PAGE_SIZE, DMA_BIDIRECTIONAL);
}

static void try_all(struct wild *w)
{
	try_never(w);
	try_unmapped(w);
	try_beyond(w);
	try_read_only(w);
	try_disks(w);
	make_both(w, "the last page of all addresses", FAR_ADDRESS, NULL);
}

/* ---- The part of the report --------------------------------------------------------------- */

static void say_counts(const struct tries *t)
{
	const struct report_out *out = &t->part->out;
	char number[REPORT_NUMBER], others[REPORT_NUMBER];

	report_row(out, "attempts", "%u: %u reads, %u writes", t->attempts, t->reads, t->writes);
	report_line(out, t->blocked == t->attempts, "  blocked        %u%s", t->blocked,
		    t->blocked == t->attempts ? ", all of them, each told by an event of its own" :
						"");
	report_row(out, "events", "%s received, %s that nobody expected",
		   report_grouped(t->events, number),
		   t->others ? report_grouped(t->others, others) : "none");
}

static void summary(struct wild *w)
{
	struct tries *t = &w->tries;
	bool same = pages_unchanged(w);

	say_counts(t);
	report_line(&t->part->out, same && !t->reached, "  memory         %s",
		    same && !t->reached ? "unchanged, and nothing of it was read" : "REACHED");
	if (t->reached)
		part_problem(t->part, "the edu device reached memory %u times", t->reached);
	else if (!same)
		part_problem(t->part, "the edu device changed memory");
	if (t->cut)
		part_problem(t->part,
			     "%u attempts went astray: dma_mask= of -device edu is too small",
			     t->cut);
	if (t->blocked + t->reached + t->cut < t->attempts)
		part_problem(t->part, "%u attempts of the edu device left no event",
			     t->attempts - t->blocked - t->reached - t->cut);
	if (t->others)
		part_problem(t->part, "%u events came that nobody expected",
			     (unsigned int)t->others);
}

static void loose(struct wild *w)
{
	if (tries_begin(&w->tries)) {
		try_all(w);
		summary(w);
	}
	tries_end(&w->tries);
}

void wild_run(struct weir *weir, enum weir_mode mode, struct weir_pci_dev *edu,
	      struct weir_pci_dev *disk, struct part *part)
{
	/* Not on the stack, which is small. */
	static struct wild w;
	u16 version;

	w = (struct wild){ .disk = &weir_to_pci_dev(disk)->dev };
	w.tries.weir = weir;
	w.tries.part = part;
	w.tries.edu = edu_of(weir_to_pci_dev(edu));
	w.tries.dev = &weir_to_pci_dev(edu)->dev;
	version = edu_version(w.tries.edu);
	part_line(part, "\nThe edu device (%s, version %u.%u)", weir_device_name(&edu->dev),
		  version >> 8, version & 0xffu);
	if (mode != WEIR_MODE_STRICT || !weir_device_dma_domain(&edu->dev)) {
		part_line(part, "  not let loose: nothing is between it and memory");
		return;
	}
	/* Behind a bridge that hides who asks: what is the disk's is edu's by right. */
	if (weir_device_group_id(&edu->dev) == weir_device_group_id(&disk->dev)) {
		part_line(part, "  not let loose: it cannot be told from the disk, and shares its "
				"addresses");
		return;
	}
	w.pages = alloc_pages(GFP_KERNEL, PAGES_ORDER);
	if (!w.pages) {
		part_problem(part, "no memory for what the edu device is to try");
		return;
	}
	fill_pages(&w);
	loose(&w);
	__free_pages(w.pages, PAGES_ORDER);
}
