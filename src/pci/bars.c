/* SPDX-License-Identifier: MIT */
/*
 * Base address registers: how large they are, where they go, and the windows of the bridges above.
 *
 * What firmware placed is kept if all of it below a host bridge is sound; else everything is placed
 * anew. Placing: each bus is laid out on its own, largest alignment first, from the last bus to the
 * root; a bridge's window is as large as the layout of its secondary bus. Then addresses are handed
 * down from the root. Buses come with parents first, so both are loops over the list.
 *
 * A BAR goes into the window of 64 bits if it can and every bridge above has one (for a BAR that is
 * not prefetchable: only on the root bus, as those windows are prefetchable); otherwise below 4
 * GiB. I/O BARs are left alone: weir enables no I/O decoding.
 *
 * TASK, while scanning.
 */

#include "pci/pci.h"

/* PCI-to-PCI Bridge 1.2, 3.2.5.8: windows come in units of 1 MiB. */
#define WINDOW_UNIT ((uint64_t)1 << 20)
#define LOW_END ((uint64_t)1 << 32)

/* PCI 3.0, 6.2.5.1: two address registers in a bridge, six otherwise. */
static unsigned int nr_bars(const struct weir_pci_function *fn)
{
	return fn->is_bridge ? WEIR_PCI_BRIDGE_BARS : WEIR_PCI_BARS;
}

/* ---- Sizes ------------------------------------------------------------------------------- */

/* Bits that can be written. For a moment it holds all ones: the function must not decode. */
static uint32_t probe_register(struct weir_pci_function *fn, unsigned int reg, uint32_t old)
{
	uint32_t mask;

	weir_pci_write(fn, reg, 4, UINT32_MAX);
	mask = weir_pci_read(fn, reg, 4);
	weir_pci_write(fn, reg, 4, old);
	return mask;
}

static void refuse_bar(struct weir_pci_function *fn, unsigned int bar, const char *why)
{
	weir_dev_log(&fn->pdev.dev, WEIR_LOG_WARN, "BAR %u is left out: %s", bar, why);
}

/*
 * `mask`: which address bits can be written. The size is the lowest of them; all above must be
 * writable too, up to the width of the register.
 */
static uint64_t size_of_mask(uint64_t mask, bool is64)
{
	uint64_t all = is64 ? UINT64_MAX : UINT32_MAX, size = mask & (0 - mask);

	return mask && mask == (all & (0 - size)) ? size : 0;
}

/* Returns how many registers it takes. */
static unsigned int size_bar(struct weir_pci_function *fn, unsigned int bar)
{
	struct weir_pci_bar_info *info = &fn->bar_info[bar];
	unsigned int reg = WEIR_PCI_BASE_ADDRESS_0 + 4 * bar;
	uint32_t low = weir_pci_read(fn, reg, 4), type = low & WEIR_PCI_BASE_ADDRESS_MEM_TYPE_MASK;
	uint64_t mask;

	mask = probe_register(fn, reg, low);
	if (!mask || low & WEIR_PCI_BASE_ADDRESS_SPACE_IO || low == UINT32_MAX)
		return 1;
	mask &= WEIR_PCI_BASE_ADDRESS_MEM_MASK;
	info->is64 = type == WEIR_PCI_BASE_ADDRESS_MEM_TYPE_64;
	info->prefetchable = low & WEIR_PCI_BASE_ADDRESS_MEM_PREFETCH;
	info->firmware = low & WEIR_PCI_BASE_ADDRESS_MEM_MASK;
	if (info->is64) {
		uint32_t high;

		if (bar + 1 == nr_bars(fn)) {
			refuse_bar(fn, bar, "64 bits in the last register");
			return 1;
		}
		high = weir_pci_read(fn, reg + 4, 4);
		mask |= (uint64_t)probe_register(fn, reg + 4, high) << 32;
		info->firmware |= (uint64_t)high << 32;
	}
	info->item.size = size_of_mask(mask, info->is64);
	info->item.align = info->item.size;
	if (!info->item.size)
		refuse_bar(fn, bar, "its size is no power of two");
	return info->is64 ? 2 : 1;
}

static void learn_window(struct weir_pci_function *bridge, enum weir_pci_kind kind)
{
	unsigned int reg = kind == WEIR_PCI_LOW ? WEIR_PCI_MEMORY_BASE : WEIR_PCI_PREF_MEMORY_BASE;
	struct weir_pci_span *span = &bridge->firmware_window[kind];
	uint32_t both = weir_pci_read(bridge, reg, 4);

	span->first = (uint64_t)(both & 0xfff0) << 16;
	span->last = (both & 0xfff00000) | (WINDOW_UNIT - 1);
	if (kind == WEIR_PCI_LOW ||
	    (both & WEIR_PCI_PREF_RANGE_TYPE_MASK) != WEIR_PCI_PREF_RANGE_TYPE_64)
		return;
	bridge->has_high_window = true;
	span->first |= (uint64_t)weir_pci_read(bridge, WEIR_PCI_PREF_BASE_UPPER32, 4) << 32;
	span->last |= (uint64_t)weir_pci_read(bridge, WEIR_PCI_PREF_LIMIT_UPPER32, 4) << 32;
}

void weir_pci_size_bars(struct weir_pci_function *fn)
{
	for (unsigned int bar = 0; bar < nr_bars(fn);)
		bar += size_bar(fn, bar);
	for (unsigned int kind = 0; fn->is_bridge && kind < WEIR_PCI_KINDS; kind++)
		learn_window(fn, kind);
}

/* ---- What firmware did ------------------------------------------------------------------- */

static bool is_in_host_window(const struct weir_pci_host *host, const struct weir_pci_span *s)
{
	for (unsigned int i = 0; i < host->nr_windows; i++) {
		const struct weir_pci_window *w = &host->windows[i];

		if (s->first >= w->pci && s->last - w->pci <= w->size - 1)
			return true;
	}
	return false;
}

static bool is_reachable(struct weir_pci_bus *bus, const struct weir_pci_span *s)
{
	const struct weir_pci_span *w;

	if (s->first > s->last)
		return false;
	if (!bus->bridge)
		return is_in_host_window(bus->host, s);
	for (unsigned int kind = 0; kind < WEIR_PCI_KINDS; kind++) {
		w = &bus->bridge->firmware_window[kind];
		if (w->first <= s->first && s->last <= w->last)
			return true;
	}
	return false;
}

/* The n-th thing on a bus that has an address: BARs first, then a bridge's windows. */
static bool nth_span(struct weir_pci_function *fn, unsigned int n, struct weir_pci_span *s)
{
	const struct weir_pci_bar_info *info;

	if (n >= WEIR_PCI_BARS) {
		if (!fn->secondary)
			return false;
		*s = fn->firmware_window[n - WEIR_PCI_BARS];
		return s->first <= s->last;
	}
	info = &fn->bar_info[n];
	s->first = info->firmware;
	s->last = info->firmware + (info->item.size - 1);
	return info->item.size;
}
#define SPANS_OF_FUNCTION (WEIR_PCI_BARS + WEIR_PCI_KINDS)

/* Nothing behind (fn, n) on its bus overlaps it. */
static bool is_alone(struct weir_pci_function *fn, unsigned int n, const struct weir_pci_span *s)
{
	struct weir_pci_span other;

	for (n++; fn; fn = fn->next, n = 0) {
		for (; n < SPANS_OF_FUNCTION; n++) {
			if (nth_span(fn, n, &other) && s->first <= other.last &&
			    other.first <= s->last)
				return false;
		}
	}
	return true;
}

static bool is_span_sound(struct weir_pci_function *fn, unsigned int n,
			  const struct weir_pci_span *s)
{
	if (!is_reachable(fn->pdev.bus, s) || !is_alone(fn, n, s))
		return false;
	return n >= WEIR_PCI_BARS ||
	       (s->first && WEIR_IS_ALIGNED(s->first, fn->bar_info[n].item.size));
}

/* Is every BAR and window on this bus placed, reachable, and apart from the others? */
static bool is_bus_sound(struct weir_pci_bus *bus)
{
	struct weir_pci_span s;

	for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next) {
		for (unsigned int n = 0; n < SPANS_OF_FUNCTION; n++) {
			if (nth_span(fn, n, &s) && !is_span_sound(fn, n, &s))
				return false;
		}
	}
	return true;
}

static bool keep_firmware(struct weir_pci_host *host)
{
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		if (!is_bus_sound(bus))
			return false;
	}
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next) {
			for (unsigned int i = 0; i < WEIR_PCI_BARS; i++) {
				fn->bar_info[i].item.address = fn->bar_info[i].firmware;
				fn->bar_info[i].item.is_placed = fn->bar_info[i].item.size;
			}
		}
	}
	return true;
}

/* ---- Layout ------------------------------------------------------------------------------ */

static void choose_windows(struct weir_pci_host *host)
{
	for (unsigned int i = 0; i < host->nr_windows; i++) {
		const struct weir_pci_window *w = &host->windows[i];
		unsigned int kind = w->pci < LOW_END && w->size <= LOW_END - w->pci ? WEIR_PCI_LOW :
										      WEIR_PCI_HIGH;

		if (!host->place_in[kind] || w->size > host->place_in[kind]->size)
			host->place_in[kind] = w;
	}
}

static enum weir_pci_kind kind_of_bar(const struct weir_pci_bus *bus,
				      const struct weir_pci_bar_info *info)
{
	if (!info->is64 || !bus->has_high || (bus->bridge && !info->prefetchable))
		return WEIR_PCI_LOW;
	return WEIR_PCI_HIGH;
}

static void add_item(struct weir_pci_bus *bus, enum weir_pci_kind kind, struct weir_pci_item *item)
{
	struct weir_pci_item **link = &bus->items[kind];

	while (*link && (*link)->align >= item->align)
		link = &(*link)->next;
	item->next = *link;
	*link = item;
}

static void add_bars(struct weir_pci_function *fn)
{
	struct weir_pci_bus *bus = fn->pdev.bus;

	for (unsigned int i = 0; i < WEIR_PCI_BARS; i++) {
		struct weir_pci_bar_info *info = &fn->bar_info[i];

		if (info->item.size)
			add_item(bus, kind_of_bar(bus, info), &info->item);
	}
}

/*
 * Lay a bus out in [start, start + room); what does not fit is left out. Sizes and alignments are
 * powers of two, or those of windows. Returns how much is taken.
 */
static uint64_t lay_out(struct weir_pci_bus *bus, enum weir_pci_kind kind, uint64_t start,
			uint64_t room)
{
	uint64_t taken = 0;

	for (struct weir_pci_item *item = bus->items[kind]; item; item = item->next) {
		uint64_t address = WEIR_ALIGN_UP(start + taken, item->align);
		uint64_t offset =
			address - start; /* if the line above overflowed: beyond the room */

		if (offset >= room || item->size > room - offset)
			continue;
		item->address = address;
		item->is_placed = true;
		taken = offset + item->size;
	}
	return taken;
}

static void make_window(struct weir_pci_bus *bus, enum weir_pci_kind kind, uint64_t size)
{
	struct weir_pci_item *window = &bus->bridge->window[kind];

	if (!size)
		return;
	window->size = WEIR_ALIGN_UP(size, WINDOW_UNIT);
	window->align =
		bus->items[kind]->align > WINDOW_UNIT ? bus->items[kind]->align : WINDOW_UNIT;
	add_item(bus->bridge->pdev.bus, kind, window);
}

static struct weir_pci_bus *bus_by_number(struct weir_pci_host *host, unsigned int number)
{
	struct weir_pci_bus *bus = host->buses;

	while (bus && bus->number != number)
		bus = bus->next;
	return bus;
}

/* The root bus where its window is, the others from 0 on. */
static void lay_out_bus(struct weir_pci_bus *bus, enum weir_pci_kind kind)
{
	const struct weir_pci_window *w = bus->host->place_in[kind];

	if (!w)
		return;
	if (!bus->bridge)
		lay_out(bus, kind, w->pci, w->size);
	else
		make_window(bus, kind, lay_out(bus, kind, 0, w->size));
}

/* From the last bus to the root: a window is known before the bus that it is on is laid out. */
static void lay_out_buses(struct weir_pci_host *host)
{
	for (unsigned int number = host->next_bus; number-- > host->first_bus;) {
		struct weir_pci_bus *bus = bus_by_number(host, number);

		for (unsigned int kind = 0; bus && kind < WEIR_PCI_KINDS; kind++)
			lay_out_bus(bus, kind);
	}
}

/* ---- Handing addresses down -------------------------------------------------------------- */

/* The window of the bus has its final address: so have the things on the bus. */
static void hand_down(struct weir_pci_bus *bus, enum weir_pci_kind kind)
{
	const struct weir_pci_item *window = &bus->bridge->window[kind];

	for (struct weir_pci_item *item = bus->items[kind]; item; item = item->next) {
		item->address += window->address;
		item->is_placed = item->is_placed && window->is_placed;
	}
}

static void program_bars(struct weir_pci_function *fn)
{
	for (unsigned int i = 0; i < WEIR_PCI_BARS; i++) {
		const struct weir_pci_bar_info *info = &fn->bar_info[i];
		unsigned int reg = WEIR_PCI_BASE_ADDRESS_0 + 4 * i;

		if (!info->item.size)
			continue;
		if (!info->item.is_placed) {
			refuse_bar(fn, i, "there is no room for it in the host bridge's windows");
			continue;
		}
		weir_pci_write(fn, reg, 4, (uint32_t)info->item.address);
		if (info->is64)
			weir_pci_write(fn, reg + 4, 4, (uint32_t)(info->item.address >> 32));
	}
}

/* PCI-to-PCI Bridge 1.2, 3.2.5.8: a base above the limit closes a window. */
#define WINDOW_CLOSED 0x0000fff0u

static uint32_t window_register(const struct weir_pci_item *window)
{
	uint64_t last = window->address + window->size - 1;

	if (!window->is_placed)
		return WINDOW_CLOSED;
	return (uint32_t)(window->address >> 16 & 0xfff0) | (uint32_t)(last & 0xfff00000);
}

static void program_windows(struct weir_pci_function *bridge)
{
	const struct weir_pci_item *high = &bridge->window[WEIR_PCI_HIGH];
	uint64_t last = high->address + high->size - 1;

	weir_pci_write(bridge, WEIR_PCI_IO_BASE, 2, 0x00f0);
	weir_pci_write(bridge, WEIR_PCI_MEMORY_BASE, 4,
		       window_register(&bridge->window[WEIR_PCI_LOW]));
	/* Closed while its halves do not belong together. */
	weir_pci_write(bridge, WEIR_PCI_PREF_LIMIT_UPPER32, 4, 0);
	weir_pci_write(bridge, WEIR_PCI_PREF_MEMORY_BASE, 4, WINDOW_CLOSED);
	weir_pci_write(bridge, WEIR_PCI_PREF_BASE_UPPER32, 4,
		       high->is_placed ? (uint32_t)(high->address >> 32) : UINT32_MAX);
	weir_pci_write(bridge, WEIR_PCI_PREF_MEMORY_BASE, 4, window_register(high));
	if (high->is_placed)
		weir_pci_write(bridge, WEIR_PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(last >> 32));
}

static void place_anew(struct weir_pci_host *host)
{
	choose_windows(host);
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		bus->has_high = host->place_in[WEIR_PCI_HIGH];
		if (bus->bridge)
			bus->has_high =
				bus->bridge->pdev.bus->has_high && bus->bridge->has_high_window;
		for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next)
			add_bars(fn);
	}
	lay_out_buses(host);
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		for (unsigned int kind = 0; bus->bridge && kind < WEIR_PCI_KINDS; kind++)
			hand_down(bus, kind);
		for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next) {
			program_bars(fn);
			if (fn->is_bridge)
				program_windows(fn);
		}
	}
}

/* As the CPU sees a BAR. What is placed is in one of the windows. */
static void publish_bar(struct weir_pci_host *host, const struct weir_pci_item *item,
			struct weir_pci_bar *bar)
{
	for (unsigned int i = 0; item->is_placed && i < host->nr_windows; i++) {
		const struct weir_pci_window *w = &host->windows[i];

		if (item->address >= w->pci && item->address - w->pci < w->size) {
			bar->start = item->address - w->pci + w->cpu;
			bar->size = item->size;
			return;
		}
	}
}

void weir_pci_place_bars(struct weir_pci_host *host)
{
	if (!keep_firmware(host))
		place_anew(host);
	for (struct weir_pci_bus *bus = host->buses; bus; bus = bus->next) {
		for (struct weir_pci_function *fn = bus->functions; fn; fn = fn->next) {
			for (unsigned int i = 0; i < WEIR_PCI_BARS; i++)
				publish_bar(host, &fn->bar_info[i].item, &fn->pdev.bars[i]);
		}
	}
}
