/* SPDX-License-Identifier: MIT */
/*
 * Physical pages: a binary buddy allocator over all banks of RAM.
 *
 * What belongs to it: `banks` and `reserved`, sorted and disjoint, from the machine. For each bank
 * a byte for each page of its span, taken from the banks themselves: 0, or, for the first page of a
 * block, its order and whether it is free. Blocks are as large as they are aligned, 2^10 pages at
 * most. Free ones are on a list, linked through their first words: one list for each order and each
 * region. No block crosses from one region into another, for regions end at multiples of 1 GiB. A
 * zone is a region and all that lie below it; the highest that has memory gives it, so that low
 * memory is kept for those who need it.
 *
 * Cost: one step for each order, and a binary search of the banks for each. Bring-up writes a byte
 * for each page, and touches one page in 4 MiB.
 *
 * Locking: one spin lock, taken with interrupts off, protects lists, bytes and `in_use`. What is
 * written before bare_memory_ready() is constant after it.
 */
#include "internal.h"

#define MAX_BANKS 64u
#define MAX_RANGES 256u /* reserved */
#define ORDERS (WEIR_PLAT_MAX_ORDER + 1u)

struct range {
	weir_phys_t start, end;
};

struct ranges {
	unsigned int count, limit;
	struct range *at;
};

enum region { BELOW_1G, BELOW_4G, ABOVE, REGIONS };

/* A page's byte. */
#define FREE 0x40u
#define USED 0x80u

static struct range banks_at[MAX_BANKS], reserved_at[MAX_RANGES];

static struct {
	struct ranges banks, reserved;
	uint8_t *bytes[MAX_BANKS];
	bool has[REGIONS]; /* pages to give out, at bring-up */

	struct weir_spinlock lock;
	struct bare_queue free[REGIONS][ORDERS];
	uint64_t in_use; /* pages */
} ram = {
	.banks = { .limit = MAX_BANKS, .at = banks_at },
	.reserved = { .limit = MAX_RANGES, .at = reserved_at },
};

/* ---- Ranges --------------------------------------------------------------------------------- */

static weir_phys_t min(weir_phys_t a, weir_phys_t b)
{
	return a < b ? a : b;
}

static weir_phys_t max(weir_phys_t a, weir_phys_t b)
{
	return a > b ? a : b;
}

/* Put one in place of those in [first, last); there is room. */
static void ranges_replace(struct ranges *set, unsigned int first, unsigned int last,
			   struct range range)
{
	memmove(&set->at[first + 1], &set->at[last], (set->count - last) * sizeof(*set->at));
	set->at[first] = range;
	set->count = set->count + 1 - (last - first);
}

/* What it touches becomes one with it. */
static int ranges_add(struct ranges *set, struct range range)
{
	unsigned int first = 0, last;

	while (first < set->count && set->at[first].end < range.start)
		first++;
	last = first;
	while (last < set->count && set->at[last].start <= range.end)
		last++;
	if (first == last && set->count == set->limit)
		return -WEIR_ENOMEM;
	if (first != last) {
		range.start = min(range.start, set->at[first].start);
		range.end = max(range.end, set->at[last - 1].end);
	}
	ranges_replace(set, first, last, range);
	return 0;
}

static weir_phys_t end_of(weir_phys_t base, uint64_t size)
{
	return base + size < base ? UINT64_MAX : base + size;
}

int bare_memory_add(weir_phys_t base, uint64_t size)
{
	struct range bank = { .end = WEIR_ALIGN_DOWN(end_of(base, size), WEIR_PAGE_SIZE) };

	/* Rounded up, an address in the last page would be 0. */
	if (base > WEIR_PAGE_MASK)
		return 0;
	bank.start = WEIR_ALIGN_UP(base, WEIR_PAGE_SIZE);
	return bank.start < bank.end ? ranges_add(&ram.banks, bank) : 0;
}

int bare_memory_reserve(weir_phys_t base, uint64_t size)
{
	weir_phys_t end = min(end_of(base, size), WEIR_PAGE_MASK);
	struct range range = { .start = WEIR_ALIGN_DOWN(base, WEIR_PAGE_SIZE),
			       .end = WEIR_ALIGN_UP(end, WEIR_PAGE_SIZE) };

	return range.start < range.end ? ranges_add(&ram.reserved, range) : 0;
}

uint64_t bare_memory_size(void)
{
	uint64_t size = 0;
	unsigned int i;

	for (i = 0; i < ram.banks.count; i++)
		size += ram.banks.at[i].end - ram.banks.at[i].start;
	return size;
}

weir_phys_t plat_memory_end(void *plat)
{
	(void)plat;
	return ram.banks.count ? ram.banks.at[ram.banks.count - 1].end : 0;
}

/* ---- Blocks --------------------------------------------------------------------------------- */

static enum region region_of(weir_phys_t phys)
{
	if (phys >= 4ull << 30)
		return ABOVE;
	return phys >= 1ull << 30 ? BELOW_4G : BELOW_1G;
}

static struct bare_queue *list_of(weir_phys_t phys, unsigned int order)
{
	return &ram.free[region_of(phys)][order];
}

static uintptr_t *node_of(weir_phys_t phys)
{
	return plat_phys_to_virt(bare_plat(), phys);
}

/* NULL: in no bank. */
static uint8_t *byte_of(weir_phys_t phys)
{
	unsigned int low = 0, high = ram.banks.count, middle;
	const struct range *bank;

	while (low < high) {
		middle = (low + high) / 2;
		bank = &ram.banks.at[middle];
		if (phys < bank->start)
			high = middle;
		else if (phys >= bank->end)
			low = middle + 1;
		else
			return &ram.bytes[middle][(phys - bank->start) >> WEIR_PAGE_SHIFT];
	}
	return NULL;
}

static void put_locked(weir_phys_t phys, unsigned int order)
{
	*byte_of(phys) = (uint8_t)(FREE | order);
	bare_queue_insert(list_of(phys, order), NULL, node_of(phys));
}

static void take_locked(weir_phys_t phys, unsigned int order)
{
	*byte_of(phys) = 0;
	bare_queue_remove(list_of(phys, order), node_of(phys));
}

static bool alloc_locked(enum region region, unsigned int order, weir_phys_t *phys)
{
	unsigned int found = order;
	weir_phys_t block;

	while (found < ORDERS && !ram.free[region][found].first)
		found++;
	if (found == ORDERS)
		return false;
	block = plat_virt_to_phys(bare_plat(), ram.free[region][found].first);
	take_locked(block, found);
	/* The upper halves go back. */
	while (found > order) {
		found--;
		put_locked(block + (WEIR_PAGE_SIZE << found), found);
	}
	*byte_of(block) = (uint8_t)(USED | order);
	ram.in_use += 1ull << order;
	*phys = block;
	return true;
}

static void free_locked(weir_phys_t phys, unsigned int order)
{
	weir_phys_t size, buddy;
	const uint8_t *byte;

	ram.in_use -= 1ull << order;
	*byte_of(phys) = 0;
	for (; order < WEIR_PLAT_MAX_ORDER; order++) {
		size = WEIR_PAGE_SIZE << order;
		buddy = phys ^ size;
		byte = byte_of(buddy);
		if (!byte || *byte != (FREE | order))
			break;
		take_locked(buddy, order);
		phys &= ~size;
	}
	put_locked(phys, order);
}

/* ---- Allocation ------------------------------------------------------------------------------ */

static const enum region region_of_zone[] = {
	[WEIR_ZONE_NORMAL] = ABOVE,
	[WEIR_ZONE_DMA32] = BELOW_4G,
	[WEIR_ZONE_DMA] = BELOW_1G,
};

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	int region = region_of_zone[zone];
	uintptr_t irq = plat_irq_save();
	bool exists = false, found = false;

	(void)plat;
	(void)flags; /* nothing here sleeps */
	plat_spin_lock(&ram.lock);
	for (; region >= 0 && !found; region--) {
		exists |= ram.has[region];
		found = alloc_locked((enum region)region, order, phys);
	}
	plat_spin_unlock(&ram.lock);
	plat_irq_restore(irq);
	if (found)
		return 0;
	return exists ? -WEIR_ENOMEM : -WEIR_EINVAL;
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	uintptr_t irq = plat_irq_save();
	const uint8_t *byte;
	bool right;

	(void)plat;
	plat_spin_lock(&ram.lock);
	byte = byte_of(phys);
	right = byte && WEIR_IS_ALIGNED(phys, WEIR_PAGE_SIZE) && *byte == (USED | order);
	if (right)
		free_locked(phys, order);
	plat_spin_unlock(&ram.lock);
	plat_irq_restore(irq);
	if (!right)
		bare_panic("plat_pages_free(0x%llx, order %u): no such allocation; freed twice?",
			   (unsigned long long)phys, order);
}

uint64_t bare_pages_in_use(void)
{
	uintptr_t irq = plat_irq_save();
	uint64_t pages;

	plat_spin_lock(&ram.lock);
	pages = ram.in_use;
	plat_spin_unlock(&ram.lock);
	plat_irq_restore(irq);
	return pages;
}

/* ---- Bring-up -------------------------------------------------------------------------------- */

/* The next range of the bank from `at` on that is not reserved. */
static bool next_gap(const struct range *bank, weir_phys_t at, struct range *gap)
{
	const struct range *r = ram.reserved.at, *last = r + ram.reserved.count;

	gap->start = max(bank->start, at);
	for (; r < last && r->start <= gap->start; r++)
		gap->start = max(gap->start, r->end);
	gap->end = r < last ? min(r->start, bank->end) : bank->end;
	return gap->start < bank->end;
}

/* The upper end of the highest gap that is large enough, reserved. */
static int place(uint64_t size, weir_phys_t *phys)
{
	const struct range *bank = ram.banks.at;
	struct range gap, best = { 0, 0 };

	for (; bank < ram.banks.at + ram.banks.count; bank++)
		for (gap.end = 0; next_gap(bank, gap.end, &gap);)
			if (gap.end - gap.start >= size)
				best = gap;
	if (best.end == 0)
		return -WEIR_ENOMEM;
	*phys = best.end - size;
	return bare_memory_reserve(*phys, size);
}

static int place_bytes(void)
{
	const struct range *bank;
	uint64_t pages, size;
	weir_phys_t phys;
	unsigned int i;
	int err;

	for (i = 0; i < ram.banks.count; i++) {
		bank = &ram.banks.at[i];
		pages = (bank->end - bank->start) >> WEIR_PAGE_SHIFT;
		size = WEIR_ALIGN_UP(pages, WEIR_PAGE_SIZE);
		err = place(size, &phys);
		if (err)
			return err;
		ram.bytes[i] = plat_phys_to_virt(bare_plat(), phys);
		memset(ram.bytes[i], 0, size);
	}
	return 0;
}

/* In blocks as large as they can be: none has a buddy that is free too. */
static void free_gap(struct range gap)
{
	unsigned int order;

	for (; gap.start < gap.end; gap.start += WEIR_PAGE_SIZE << order) {
		order = WEIR_PLAT_MAX_ORDER;
		while (!WEIR_IS_ALIGNED(gap.start, WEIR_PAGE_SIZE << order) ||
		       gap.end - gap.start < WEIR_PAGE_SIZE << order)
			order--;
		put_locked(gap.start, order);
		ram.has[region_of(gap.start)] = true;
	}
}

int bare_memory_ready(void)
{
	const struct range *bank = ram.banks.at;
	struct range gap;
	int err;

	/* Callers keep 0 for "no page". */
	err = bare_memory_reserve(0, WEIR_PAGE_SIZE);
	if (!err)
		err = place_bytes();
	if (err)
		return err;
	for (; bank < ram.banks.at + ram.banks.count; bank++)
		for (gap.end = 0; next_gap(bank, gap.end, &gap);)
			free_gap(gap);
	return ram.has[BELOW_1G] || ram.has[BELOW_4G] || ram.has[ABOVE] ? 0 : -WEIR_ENOMEM;
}
