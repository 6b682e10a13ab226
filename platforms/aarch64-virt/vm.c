/* SPDX-License-Identifier: MIT */
/*
 * Page tables: VMSAv8-64, stage 1 of EL1&0 or of EL2, 4 KiB pages, 48-bit addresses.
 *
 * RAM is mapped at its physical address, in blocks as large as fit, by virt_vm_init(). Registers
 * and stacks come and go in areas above all RAM, one for each kind: a bitmap of units, first fit.
 *
 * An entry goes from invalid to valid and back, never from one valid value to another, and tables
 * are never taken out of the tree: there is nothing that break-before-make could be needed for. The
 * first tables are static, because they are needed to reach the memory that others come from.
 *
 * vm_lock guards tables and bitmaps. The hardware reads tables without it.
 */

#include <weir/sys.h>

#include "virt.h"

#define LEVELS 4
#define ENTRIES 512
#define PAGE 4096ull
#define LARGE_PAGE (2ull << 20)

/* Descriptors: DDI 0487, D8.3. */
#define DESC_VALID WEIR_BIT(0)
#define DESC_TABLE WEIR_BIT(1) /* at levels 0 to 2; set in a page at level 3, too */
#define DESC_DEVICE (0ull << 2)
#define DESC_NORMAL (1ull << 2)
#define DESC_AP1 WEIR_BIT(6) /* EL0 may access it; at EL2 RES1 */
#define DESC_READ_ONLY WEIR_BIT(7)
#define DESC_INNER_SHAREABLE (3ull << 8)
#define DESC_ACCESSED WEIR_BIT(10)
#define DESC_PXN WEIR_BIT(53)
#define DESC_UXN WEIR_BIT(54) /* at EL2: XN */
#define DESC_ADDRESS WEIR_GENMASK(47, 12)

/* The areas. Their sizes are what a machine with many devices and threads needs, several times. */
#define AREAS 0xff8000000000ull
#define SMALL_UNITS (16u << 10) /* registers, pages: 64 MiB */
#define LARGE_UNITS (4u << 10)	/* registers, from 2 MiB on, in blocks: 8 GiB */
#define STACK_UNITS (8u << 10)	/* stacks, below each as much that is never mapped: 256 MiB */
#define STACK_UNIT (2 * BARE_STACK_SIZE)
#define STACK_ORDER 2

struct area {
	uint64_t base, unit;
	unsigned int units;
	uint64_t *busy; /* a bit for each unit */
};

static struct weir_spinlock vm_lock;

static uint64_t first_tables[32][ENTRIES] __attribute__((aligned(4096), section(".bss.pages")));
static unsigned int first_tables_used;

static uint64_t small_busy[SMALL_UNITS / 64];
static uint64_t large_busy[LARGE_UNITS / 64];
static uint64_t stack_busy[STACK_UNITS / 64];
static const struct area small_area = { AREAS, PAGE, SMALL_UNITS, small_busy };
static const struct area large_area = { AREAS + (4ull << 30), LARGE_PAGE, LARGE_UNITS, large_busy };
static const struct area stack_area = { AREAS + (2ull << 30), STACK_UNIT, STACK_UNITS, stack_busy };

_Static_assert(BARE_STACK_SIZE == PAGE << STACK_ORDER, "STACK_ORDER");

/* ---- Tables ------------------------------------------------------------------------------ */

/* Bytes that an entry of this level translates. */
static uint64_t level_size(unsigned int level)
{
	return PAGE << 9 * (LEVELS - 1 - level);
}

static unsigned int entry_index(uint64_t va, unsigned int level)
{
	return (unsigned int)(va / level_size(level) % ENTRIES);
}

static bool is_table(uint64_t desc, unsigned int level)
{
	return level < LEVELS - 1 && (desc & DESC_VALID) && (desc & DESC_TABLE);
}

static uint64_t *table_of(uint64_t desc)
{
	return (uint64_t *)(uintptr_t)(desc & DESC_ADDRESS);
}

/* An empty table, or NULL. */
static uint64_t *new_table(void)
{
	weir_phys_t phys;

	if (first_tables_used < WEIR_ARRAY_SIZE(first_tables))
		return first_tables[first_tables_used++];
	if (plat_pages_alloc(bare_plat(), 0, WEIR_ZONE_NORMAL, WEIR_ALLOC_ATOMIC, &phys))
		return NULL;
	return memset((void *)(uintptr_t)phys, 0, PAGE);
}

/*
 * The entry for `va` at `level`, with the tables that are missing above it. NULL: no memory for
 * them.
 */
static uint64_t *make_entry(uint64_t va, unsigned int level)
{
	uint64_t *table = virt_root;

	for (unsigned int i = 0; i < level; i++) {
		uint64_t *entry = &table[entry_index(va, i)];

		if (is_table(*entry, i)) {
			table = table_of(*entry);
			continue;
		}
		if (*entry)
			bare_panic("address %#llx is mapped already", (unsigned long long)va);
		table = new_table();
		if (!table)
			return NULL;
		/* Release: a walk that finds the table finds it empty. */
		__atomic_store_n(entry, (uintptr_t)table | DESC_TABLE | DESC_VALID,
				 __ATOMIC_RELEASE);
	}
	return &table[entry_index(va, level)];
}

/* The valid block or page that `va` is in, and its level; NULL: none. */
static uint64_t *find_leaf(uint64_t va, unsigned int *level)
{
	uint64_t *table = virt_root;

	for (*level = 0; *level < LEVELS; ++*level) {
		uint64_t *entry = &table[entry_index(va, *level)];

		if (!*entry)
			return NULL;
		if (!is_table(*entry, *level))
			return entry;
		table = table_of(*entry);
	}
	return NULL;
}

/* Attributes without address and size. Executable is code alone, at the level of the image. */
static uint64_t attributes(enum virt_memory type)
{
	uint64_t desc = DESC_VALID | DESC_ACCESSED | DESC_UXN | (virt.el2 ? DESC_AP1 : DESC_PXN);

	switch (type) {
	case VIRT_DEVICE:
		return desc | DESC_DEVICE;
	case VIRT_RAM:
		break;
	case VIRT_RODATA:
		desc |= DESC_READ_ONLY;
		break;
	case VIRT_CODE:
		desc |= DESC_READ_ONLY;
		desc &= ~(virt.el2 ? DESC_UXN : DESC_PXN);
		break;
	}
	return desc | DESC_NORMAL | DESC_INNER_SHAREABLE;
}

/* Map the largest piece that begins at `va`. Its size, or 0: no memory. */
static uint64_t map_piece(uint64_t va, weir_phys_t phys, uint64_t size, uint64_t attrs)
{
	for (unsigned int level = 1; level < LEVELS; level++) {
		uint64_t piece = level_size(level);
		uint64_t *entry;

		if (!WEIR_IS_ALIGNED(va | phys, piece) || size < piece)
			continue;
		entry = make_entry(va, level);
		if (!entry)
			return 0;
		if (is_table(*entry, level))
			continue; /* it stays: smaller pieces were here before */
		if (*entry)
			bare_panic("address %#llx is mapped already", (unsigned long long)va);
		__atomic_store_n(entry, phys | attrs | (level == LEVELS - 1 ? DESC_TABLE : 0),
				 __ATOMIC_RELEASE);
		return piece;
	}
	bare_panic("cannot map %#llx to %#llx: no whole pages", (unsigned long long)va,
		   (unsigned long long)phys);
}

/* On all CPUs: last-level entries and what leads to them. A dsb has to follow. */
static void invalidate(uint64_t va)
{
	uint64_t page = va >> WEIR_PAGE_SHIFT & WEIR_GENMASK(43, 0);

	if (virt.el2)
		__asm__ volatile("tlbi vae2is, %0" : : "r"(page) : "memory");
	else
		__asm__ volatile("tlbi vaae1is, %0" : : "r"(page) : "memory");
}

static void unmap_locked(uint64_t va, uint64_t size)
{
	uint64_t end = va + size;

	while (va < end) {
		unsigned int level;
		uint64_t *entry = find_leaf(va, &level);

		if (!entry)
			bare_panic("address %#llx is not mapped", (unsigned long long)va);
		__atomic_store_n(entry, 0, __ATOMIC_RELAXED);
		/* The entry is gone for every walk before what came of it is thrown away. */
		__asm__ volatile("dsb ishst" : : : "memory");
		invalidate(va);
		va += level_size(level);
	}
	/*
	 * Complete on all CPUs, accesses through the old entries too; then for this one's fetches.
	 */
	__asm__ volatile("dsb ish; isb" : : : "memory");
}

int virt_map(uint64_t va, weir_phys_t phys, uint64_t size, enum virt_memory type)
{
	uint64_t attrs = attributes(type), done = 0;
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&vm_lock);
	while (done < size) {
		uint64_t piece = map_piece(va + done, phys + done, size - done, attrs);

		if (!piece)
			break;
		done += piece;
	}
	if (done < size)
		unmap_locked(va, done);
	/* Entries are seen by walks of any CPU before anybody is told of the address. */
	__asm__ volatile("dsb ishst; isb" : : : "memory");
	plat_spin_unlock(&vm_lock);
	plat_irq_restore(flags);
	return done < size ? -WEIR_ENOMEM : 0;
}

void virt_unmap(uint64_t va, uint64_t size)
{
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&vm_lock);
	unmap_locked(va, size);
	plat_spin_unlock(&vm_lock);
	plat_irq_restore(flags);
}

/* ---- The final tables -------------------------------------------------------------------- */

/* One past the last physical address of this processor, as far as the tables reach. */
static weir_phys_t phys_limit(void)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48 };
	uint64_t range = VIRT_READ(id_aa64mmfr0_el1) & 0xf; /* PARange */

	return WEIR_BIT(range < WEIR_ARRAY_SIZE(bits) ? bits[range] : 48);
}

weir_phys_t virt_ram_limit(void)
{
	return phys_limit() < AREAS ? phys_limit() : AREAS;
}

static void map_identity(uint64_t from, uint64_t to, enum virt_memory type)
{
	if (from < to && virt_map(from, from, to - from, type))
		bare_panic(
			"the device tree has RAM in too many pieces: no page tables left for it");
}

static void map_image(void)
{
	uint64_t exception_guard = (uintptr_t)virt_boot_exception_guard;
	uint64_t guard = (uintptr_t)virt_boot_guard;

	map_identity((uintptr_t)virt_image_start, (uintptr_t)virt_code_end, VIRT_CODE);
	map_identity((uintptr_t)virt_code_end, (uintptr_t)virt_rodata_end, VIRT_RODATA);
	map_identity((uintptr_t)virt_rodata_end, exception_guard, VIRT_RAM);
	map_identity(exception_guard + PAGE, guard, VIRT_RAM);
	map_identity(guard + PAGE, (uintptr_t)virt_image_end, VIRT_RAM);
}

void virt_vm_init(void)
{
	uint64_t start = (uintptr_t)virt_image_start, end = (uintptr_t)virt_image_end;
	weir_phys_t base;
	uint64_t size;

	for (unsigned int i = 0; virt_ram_bank(i, &base, &size); i++) {
		uint64_t top = base + size;

		map_identity(base, top < start ? top : start, VIRT_RAM);
		map_identity(base > end ? base : end, top, VIRT_RAM);
	}
	map_image();
	virt_use_tables((uintptr_t)virt_root);
}

/* ---- Areas ------------------------------------------------------------------------------- */

static bool is_in_area(const struct area *area, uint64_t va)
{
	return va >= area->base && va - area->base < area->units * area->unit;
}

static bool is_busy(const struct area *area, unsigned int unit)
{
	return area->busy[unit / 64] & WEIR_BIT(unit % 64);
}

static void flip(const struct area *area, unsigned int unit, unsigned int count)
{
	for (; count; unit++, count--)
		area->busy[unit / 64] ^= WEIR_BIT(unit % 64);
}

/* The first of `count` free units in a row, now taken; area->units: there are none. */
static unsigned int take_units(const struct area *area, uint64_t count)
{
	unsigned int run = 0;

	for (unsigned int i = 0; i < area->units; i++) {
		run = is_busy(area, i) ? 0 : run + 1;
		if (run == count) {
			flip(area, i + 1 - run, run);
			return i + 1 - run;
		}
	}
	return area->units;
}

/* The address of room for `size` bytes, on a boundary of units; 0: there is none. */
static uint64_t area_take(const struct area *area, uint64_t size)
{
	uintptr_t flags = plat_irq_save();
	unsigned int unit;

	plat_spin_lock(&vm_lock);
	unit = take_units(area, WEIR_ALIGN_UP(size, area->unit) / area->unit);
	plat_spin_unlock(&vm_lock);
	plat_irq_restore(flags);
	return unit < area->units ? area->base + unit * area->unit : 0;
}

/* All units that the range touches. */
static void area_give(const struct area *area, uint64_t va, uint64_t size)
{
	uint64_t first = (va - area->base) / area->unit;
	uint64_t last = (va + size - 1 - area->base) / area->unit;
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&vm_lock);
	flip(area, (unsigned int)first, (unsigned int)(last - first + 1));
	plat_spin_unlock(&vm_lock);
	plat_irq_restore(flags);
}

/* ---- Registers --------------------------------------------------------------------------- */

/* RAM is mapped as such; the same page as device memory, too, would break its coherency. */
static bool has_ram(uint64_t from, uint64_t to)
{
	weir_phys_t base;
	uint64_t size;

	for (unsigned int i = 0; virt_ram_bank(i, &base, &size); i++) {
		if (from < base + size && to > base)
			return true;
	}
	return false;
}

volatile void WEIR_IOMEM *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	const struct area *area = &small_area;
	uint64_t from, to, skew, va;

	(void)plat;
	if (phys >= phys_limit() || size > phys_limit() - phys)
		return NULL;
	from = WEIR_ALIGN_DOWN(phys, PAGE);
	to = WEIR_ALIGN_UP(phys + size, PAGE);
	if (has_ram(from, to))
		return NULL;
	if (to - from >= LARGE_PAGE)
		area = &large_area;
	skew = from % area->unit; /* both addresses alike within a unit: blocks fit */
	va = area_take(area, skew + to - from);
	if (!va)
		return NULL;
	if (virt_map(va + skew, from, to - from, VIRT_DEVICE)) {
		area_give(area, va, skew + to - from);
		return NULL;
	}
	return (volatile void WEIR_IOMEM *)(uintptr_t)(va + skew + phys % PAGE);
}

void plat_mmio_unmap(void *plat, volatile void WEIR_IOMEM *addr, size_t size)
{
	uint64_t va = (uintptr_t)addr;
	uint64_t from = WEIR_ALIGN_DOWN(va, PAGE), to = WEIR_ALIGN_UP(va + size, PAGE);
	const struct area *area = is_in_area(&small_area, va) ? &small_area : &large_area;

	(void)plat;
	virt_unmap(from, to - from);
	area_give(area, from, to - from);
}

/* ---- Stacks ------------------------------------------------------------------------------ */

/* The lower half of each unit stays unmapped. */
void *bare_machine_stack_alloc(void)
{
	uint64_t unit = area_take(&stack_area, STACK_UNIT);
	weir_phys_t phys;

	if (!unit)
		return NULL;
	if (plat_pages_alloc(bare_plat(), STACK_ORDER, WEIR_ZONE_NORMAL, 0, &phys))
		goto err_area;
	if (virt_map(unit + STACK_UNIT - BARE_STACK_SIZE, phys, BARE_STACK_SIZE, VIRT_RAM))
		goto err_pages;
	return (void *)(uintptr_t)(unit + STACK_UNIT);
err_pages:
	plat_pages_free(bare_plat(), phys, STACK_ORDER);
err_area:
	area_give(&stack_area, unit, STACK_UNIT);
	return NULL;
}

/* Tables stay where they are, and nobody else changes this stack's entries: no lock to look. */
void bare_machine_stack_free(void *top)
{
	uint64_t va = (uintptr_t)top - BARE_STACK_SIZE;
	unsigned int level;
	const uint64_t *entry = find_leaf(va, &level);
	weir_phys_t phys;

	if (!entry)
		bare_panic("%p is the top of no stack", top);
	phys = *entry & DESC_ADDRESS;
	virt_unmap(va, BARE_STACK_SIZE);
	plat_pages_free(bare_plat(), phys, STACK_ORDER);
	area_give(&stack_area, va, BARE_STACK_SIZE);
}

bool virt_is_stack_guard(uint64_t va)
{
	if (is_in_area(&stack_area, va))
		return va % STACK_UNIT < STACK_UNIT - BARE_STACK_SIZE;
	return va - (uintptr_t)virt_boot_guard < PAGE ||
	       va - (uintptr_t)virt_boot_exception_guard < PAGE;
}
