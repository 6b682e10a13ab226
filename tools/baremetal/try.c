/* SPDX-License-Identifier: MIT */

/* One attempt: what the device does, what the IOMMU tells of it, what is in memory afterwards. */

#include <weir/sys.h>

#include "try.h"

#define MARK_OFFSET (TRY_MAX * TRY_SIZE) /* in the buffer: what writes take */
#define CONTROL_SIZE (MARK_OFFSET + TRY_SIZE)

static unsigned char mark(unsigned int i)
{
	return (unsigned char)(0xa5u ^ i);
}

static unsigned char *out_memory(const struct tries *t)
{
	return page_address(t->out_page);
}

static unsigned char *in_memory(const struct tries *t)
{
	return page_address(t->in_page);
}

/* Have the device write [offset, offset + size) of its buffer into in_memory(). */
static int show(struct tries *t, u32 offset, u32 size)
{
	int ret;

	memset(in_memory(t), 0, size);
	dma_sync_single_for_device(t->dev, t->in, PAGE_SIZE, DMA_FROM_DEVICE);
	ret = edu_transfer(t->edu, t->in, offset, size, DMA_FROM_DEVICE);
	dma_sync_single_for_cpu(t->dev, t->in, PAGE_SIZE, DMA_FROM_DEVICE);
	return ret;
}

/* ---- The control -------------------------------------------------------------------------- */

static void control_failed(struct tries *t, int error)
{
	struct report_out *out = &t->part->out;

	if (error)
		report_line(out, false, "  memory that it was given: a transfer did not end (%s)",
			    error_text(error));
	else
		report_line(out, false,
			    "  memory that it was given: what came back is not what went there");
	if (t->watch.others)
		part_line(t->part, "    %s", t->watch.other_line);
	part_line(t->part, "  It reaches less than it is asked to: is "
			   "dma_mask=0xffffffffffffffff passed to -device edu?");
	part_problem(t->part, "the edu device cannot use memory that it was given");
}

static bool control(struct tries *t)
{
	bool right = true;
	int ret;

	for (unsigned int i = 0; i < CONTROL_SIZE; i++)
		out_memory(t)[i] = mark(i);
	dma_sync_single_for_device(t->dev, t->out, PAGE_SIZE, DMA_TO_DEVICE);
	watch_expect(&t->watch, NULL, 0, 0, false);
	ret = edu_transfer(t->edu, t->out, 0, CONTROL_SIZE, DMA_TO_DEVICE);
	if (!ret)
		ret = show(t, 0, CONTROL_SIZE);
	watch_settle(&t->watch);
	for (unsigned int i = 0; i < CONTROL_SIZE; i++)
		right &= in_memory(t)[i] == mark(i);
	if (ret || !right || t->watch.others) {
		control_failed(t, ret);
		return false;
	}
	report_row(&t->part->out, "its own",
		   "%u bytes there and back, through mapped memory: right", CONTROL_SIZE);
	return true;
}

/* ---- Judgement ---------------------------------------------------------------------------- */

/*
 * Words of memory that it had no right to and that are now in its buffer. Words of zeroes do not
 * count: they are what a blocked read gives on some machines.
 */
static unsigned int words_leaked(const struct tries *t, const struct attempt *a)
{
	unsigned int leaked = 0;

	for (unsigned int i = a->right; a->memory && i < TRY_SIZE; i += sizeof(u32)) {
		static const unsigned char zeroes[sizeof(u32)];
		const unsigned char *secret = a->memory + i;

		leaked += memcmp(secret, zeroes, sizeof(u32)) != 0 &&
			  !memcmp(secret, in_memory(t) + i, sizeof(u32));
	}
	return leaked;
}

/* Bytes that it had no right to and that are not what they were. */
static unsigned int bytes_changed(const struct attempt *a, const unsigned char *before)
{
	unsigned int changed = 0;

	for (unsigned int i = a->right; a->memory && i < TRY_SIZE; i++)
		changed += READ_ONCE(a->memory[i]) != before[i];
	return changed;
}

/* What it had a right to must have worked. */
static bool right_worked(const struct tries *t, const struct attempt *a, u32 place)
{
	for (unsigned int i = 0; a->memory && i < a->right; i++) {
		unsigned char got = a->write ? READ_ONCE(a->memory[i]) : in_memory(t)[i];
		unsigned char want = a->write ? mark(place + i) : a->memory[i];

		if (got != want)
			return false;
	}
	return true;
}

/* Whether the event that came instead is for an address that the device made of ours. */
static bool was_cut(const struct watch *watch)
{
	if (watch->expected || !watch->other_is_ours)
		return false;
	for (unsigned int bits = 1; bits < 64; bits++) {
		u64 from = watch->from & DMA_BIT_MASK(bits);

		if (from != watch->from && watch->other_address >= from &&
		    watch->other_address - from < TRY_SIZE)
			return true;
	}
	return false;
}

static void say_missed(struct tries *t)
{
	struct report_out *out = &t->part->out;

	if (was_cut(&t->watch)) {
		report_line(out, false,
			    "    not tried: the device drops upper bits of addresses and went to "
			    "0x%llx;",
			    (unsigned long long)t->watch.other_address);
		part_line(t->part, "    pass dma_mask=0xffffffffffffffff to -device edu");
	} else {
		report_line(out, false, "    NO EVENT: nothing tells that it was blocked");
	}
	if (t->watch.others)
		part_line(t->part, "    %s", t->watch.other_line);
}

/* `harm`: bytes changed, or words leaked. */
static void say(struct tries *t, const struct attempt *a, bool told, unsigned int harm)
{
	struct report_out *out = &t->part->out;

	report_row(out, a->write ? "write" : "read", "%s", a->what);
	if (harm)
		report_line(out, false,
			    a->write ? "    IT REACHED MEMORY: %u bytes changed" :
				       "    IT REACHED MEMORY: %u words were read",
			    harm);
	if (told)
		part_line(t->part, "    %s", t->watch.line);
	else
		say_missed(t);
	if (told && t->watch.others)
		report_line(out, false, "    and, unexpected: %s", t->watch.other_line);
}

static void count(struct tries *t, const struct attempt *a, bool told, unsigned int harm)
{
	bool cut = was_cut(&t->watch);

	t->attempts++;
	t->reads += !a->write;
	t->writes += a->write;
	t->blocked += told && !harm;
	t->reached += harm != 0;
	t->events += t->watch.expected;
	t->cut += cut;
	t->others += cut ? 0 : t->watch.others;
}

/* ---- The attempt -------------------------------------------------------------------------- */

static void give_up(struct tries *t, int error)
{
	t->failed = true;
	report_line(&t->part->out, false, "  a transfer did not end (%s): nothing more is tried",
		    error_text(error));
	part_problem(t->part, "a transfer of the edu device did not end");
}

static bool overlaps(dma_addr_t page, dma_addr_t addr, size_t size)
{
	return addr < page + PAGE_SIZE && page < addr + size;
}

bool tries_is_its_own(const struct tries *t, dma_addr_t addr, size_t size)
{
	return overlaps(t->out, addr, size) || overlaps(t->in, addr, size);
}

static void kept_from_right(struct tries *t)
{
	part_problem(t->part, "the edu device was kept from what it had a right to");
}

void tries_use(struct tries *t, dma_addr_t addr)
{
	int ret;

	if (t->failed)
		return;
	watch_expect(&t->watch, NULL, 0, 0, false);
	ret = edu_transfer(t->edu, addr, CONTROL_SIZE, TRY_SIZE, DMA_TO_DEVICE);
	watch_settle(&t->watch);
	if (ret)
		give_up(t, ret);
	else if (t->watch.others)
		kept_from_right(t);
}

void tries_make(struct tries *t, const struct attempt *a)
{
	enum dma_data_direction dir = a->write ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	u32 place = a->write ? MARK_OFFSET : t->attempts * TRY_SIZE;
	unsigned char before[TRY_SIZE];
	unsigned int harm;
	bool told;
	int ret;

	if (t->failed || t->attempts == TRY_MAX)
		return;
	if (tries_is_its_own(t, a->addr + a->right, TRY_SIZE - a->right)) {
		report_row(&t->part->out, "not tried", "%s: it has a right to that address",
			   a->what);
		return;
	}
	if (a->memory)
		memcpy(before, a->memory, TRY_SIZE);
	watch_expect(&t->watch, &t->dev->weir, a->addr + a->right, TRY_SIZE - a->right, a->write);
	ret = edu_transfer(t->edu, a->addr, place, TRY_SIZE, dir);
	told = watch_wait(&t->watch);
	if (!ret && !a->write)
		ret = show(t, place, TRY_SIZE);
	if (ret) {
		give_up(t, ret);
		return;
	}
	harm = a->write ? bytes_changed(a, before) : words_leaked(t, a);
	count(t, a, told, harm);
	say(t, a, told, harm);
	if (!right_worked(t, a, place))
		kept_from_right(t);
	if (a->memory && a->write)
		memcpy(a->memory, before, TRY_SIZE);
}

/* ---- Begin and end ------------------------------------------------------------------------ */

static bool map_pages(struct tries *t)
{
	t->out_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	t->in_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!t->out_page || !t->in_page)
		return false;
	t->out = dma_map_page(t->dev, t->out_page, 0, PAGE_SIZE, DMA_TO_DEVICE);
	t->in = dma_map_page(t->dev, t->in_page, 0, PAGE_SIZE, DMA_FROM_DEVICE);
	return !dma_mapping_error(t->dev, t->out) && !dma_mapping_error(t->dev, t->in);
}

bool tries_begin(struct tries *t)
{
	t->out = DMA_MAPPING_ERROR;
	t->in = DMA_MAPPING_ERROR;
	watch_start(&t->watch, t->weir);
	if (map_pages(t))
		return control(t);
	part_problem(t->part, "no memory for what the edu device is to try");
	return false;
}

void tries_end(struct tries *t)
{
	watch_stop(&t->watch);
	if (!dma_mapping_error(t->dev, t->out))
		dma_unmap_page(t->dev, t->out, PAGE_SIZE, DMA_TO_DEVICE);
	if (!dma_mapping_error(t->dev, t->in))
		dma_unmap_page(t->dev, t->in, PAGE_SIZE, DMA_FROM_DEVICE);
	if (t->out_page)
		__free_page(t->out_page);
	if (t->in_page)
		__free_page(t->in_page);
}
