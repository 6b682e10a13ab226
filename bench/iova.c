/* SPDX-License-Identifier: MIT */

/*
 * What it costs to give out I/O virtual addresses and to take them back, whatever is live:
 * docs/bench.md. One thread; an operation is an allocation and a free.
 *
 * A field keeps `live` ranges. A run allocates a burst of further ones, of which magazines cannot
 * hold all, and frees as many: the newest, the oldest, or any. Or (`cached`) it frees each before
 * it allocates the next. A bit for each page frame tells whether two ranges overlap.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bounds.h"
#include "clock.h"
#include "iommu/iova.h"
#include "platform.h"
#include "rows.h"

#define BURST 4096u
#define QUICK_BURST 256u
#define PART 64u /* timed at once: the slowest of them counts too */
#define PAGES_MAX 512u
#define RAM ((size_t)4 << 30)
#define LAST (WEIR_BIT(48) - 1)
#define FRAMES (WEIR_BIT(48) >> WEIR_PAGE_SHIFT)

#define CACHED_TARGET 6.0
#define TARGET 300.0

enum order { CACHED, LIFO, FIFO, RANDOM, ORDERS };

static const char *const order_names
	[] = { [CACHED] = "cached", [LIFO] = "lifo", [FIFO] = "fifo", [RANDOM] = "random" };

static const struct live {
	const char *name;
	uint64_t count, quick_count;
} lives[] = {
	{ "1k", 1000, 1000 },	 { "10k", 10000, 2000 },    { "100k", 100000, 3000 },
	{ "1m", 1000000, 4000 }, { "10m", 10000000, 5000 },
};

static const struct size {
	const char *name;
	unsigned int pages; /* 0: from 1 to PAGES_MAX, at random */
} sizes[] = { { "1", 1 }, { "16", 16 }, { "512", 512 }, { "mix", 0 } };

#define FIELDS (WEIR_ARRAY_SIZE(lives) * WEIR_ARRAY_SIZE(sizes))

static const struct usage usage = {
	.program = "iova",
	.what = "What an I/O virtual address costs, allocated and freed, whatever is live",
	.names = "                 10m-512-random, 1k-1-cached; live ranges 1k, 10k, 100k, 1m or\n"
		 "                 10m, pages 1, 16, 512 or mix, then cached, lifo, fifo or random",
	.failure = "an address is wrong",
	.rounds = 100,
	.quick_rounds = 2,
};

/* A range is one word: its address, and in the low bits its pages, less 1. */
struct field {
	struct weir_iova *iova;
	unsigned int pages; /* as of struct size */
	enum order order;
	unsigned int burst;
	uint64_t *ring; /* live ranges, the oldest at `oldest` */
	uint64_t oldest, count, room;
	uint64_t *busy; /* a bit for each frame */
	uint64_t random;
	uint64_t ranges[BURST]; /* of this run */
	struct stack stack;	/* the bound */
	uint64_t stacked[BURST];
};

/* ---- Ranges ------------------------------------------------------------------------------ */

static size_t size_of(uint64_t range)
{
	return (size_t)((range & (WEIR_PAGE_SIZE - 1)) + 1) << WEIR_PAGE_SHIFT;
}

static uint64_t address_of(uint64_t range)
{
	return range & ~(uint64_t)(WEIR_PAGE_SIZE - 1);
}

static uint64_t next_random(struct field *field)
{
	field->random = field->random * 6364136223846793005u + 1442695040888963407u;
	return field->random >> 33;
}

/* Sizes of the burst's ranges, which have no addresses yet. */
static void choose_sizes(struct field *field)
{
	for (unsigned int i = 0; i < field->burst; i++)
		field->ranges[i] = field->pages ? field->pages - 1 : next_random(field) % PAGES_MAX;
}

/* Turns the bits of a range over. False: they were not all alike, or not `busy`. */
static bool flip(struct field *field, uint64_t range, bool busy)
{
	uint64_t frame = range >> WEIR_PAGE_SHIFT,
		 end = frame + (size_of(range) >> WEIR_PAGE_SHIFT);

	if (!frame || end > FRAMES)
		return false;
	while (frame < end) {
		uint64_t in_word = 64 - frame % 64,
			 n = end - frame < in_word ? end - frame : in_word;
		uint64_t bits = (n == 64 ? ~(uint64_t)0 : WEIR_BIT(n) - 1) << frame % 64;
		uint64_t *word = &field->busy[frame / 64];

		if ((*word & bits) != (busy ? bits : 0))
			return false;
		*word ^= bits;
		frame += n;
	}
	return true;
}

static bool complain(const char *what)
{
	fprintf(stderr, "iova: %s\n", what);
	return false;
}

/* ---- Live ones --------------------------------------------------------------------------- */

static uint64_t *at(struct field *field, uint64_t age)
{
	return &field->ring[(field->oldest + age) % field->room];
}

static bool keep_burst(struct field *field)
{
	for (unsigned int i = 0; i < field->burst; i++) {
		if (!flip(field, field->ranges[i], false))
			return complain("an address is given out that was not free");
		*at(field, field->count++) = field->ranges[i];
	}
	return true;
}

static uint64_t choose_one(struct field *field)
{
	uint64_t range, *slot;

	if (field->order == FIFO) {
		range = *at(field, 0);
		field->oldest = (field->oldest + 1) % field->room;
		field->count--;
		return range;
	}
	field->count--;
	slot = at(field,
		  field->order == RANDOM ? next_random(field) % (field->count + 1) : field->count);
	range = *slot;
	*slot = *at(field, field->count);
	return range;
}

static bool choose_burst(struct field *field)
{
	for (unsigned int i = 0; i < field->burst; i++) {
		field->ranges[i] = choose_one(field);
		if (!flip(field, field->ranges[i], true))
			return complain("the benchmark has lost a range");
	}
	return true;
}

/* ---- What is timed ----------------------------------------------------------------------- */

/* In parts; returns the ns in all, and in *slowest those of the slowest part. */
static uint64_t timed(struct field *field, void (*part)(struct field *field, unsigned int first),
		      uint64_t *slowest)
{
	uint64_t begin = now(), before = begin, after = begin;

	*slowest = 0;
	for (unsigned int first = 0; first < field->burst; first += PART) {
		part(field, first);
		after = now();
		*slowest = after - before > *slowest ? after - before : *slowest;
		before = after;
	}
	return after - begin;
}

static void alloc_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++)
		field->ranges[i] |= weir_iova_alloc(field->iova, size_of(field->ranges[i]), LAST);
}

/* What could not be freed stays; what could becomes 0. */
static void free_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++) {
		uint64_t range = field->ranges[i];

		if (weir_iova_free(field->iova, address_of(range), size_of(range)))
			field->ranges[i] = 0;
	}
}

/* Leaves in each range the address that it was given. */
static void cached_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++) {
		size_t size = size_of(field->ranges[i]);
		uint64_t addr = weir_iova_alloc(field->iova, size, LAST);

		field->ranges[i] |= addr;
		if (!weir_iova_free(field->iova, addr, size))
			field->ranges[i] = WEIR_DMA_ERROR;
	}
}

static void pop_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++)
		field->ranges[i] = bound_pop(&field->stack);
}

static void push_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++)
		bound_push(&field->stack, field->ranges[i]);
}

static void stacked_part(struct field *field, unsigned int first)
{
	for (unsigned int i = first; i < first + PART; i++) {
		field->ranges[i] = bound_pop(&field->stack);
		bound_push(&field->stack, field->ranges[i]);
	}
}

/* ---- Runs -------------------------------------------------------------------------------- */

static bool alloc_burst(struct field *field, uint64_t *ns, uint64_t *slowest)
{
	choose_sizes(field);
	*ns = timed(field, alloc_part, slowest);
	return keep_burst(field);
}

static bool free_burst(struct field *field, uint64_t *ns, uint64_t *slowest)
{
	if (!choose_burst(field))
		return false;
	*ns = timed(field, free_part, slowest);
	for (unsigned int i = 0; i < field->burst; i++) {
		if (field->ranges[i])
			return complain("an address cannot be freed");
	}
	return true;
}

static bool run_burst(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t alloc_ns, free_ns, alloc_slowest, free_slowest;

	if (!alloc_burst(field, &alloc_ns, &alloc_slowest) ||
	    !free_burst(field, &free_ns, &free_slowest))
		return false;
	run->ns = (double)(alloc_ns + free_ns) / field->burst;
	run->slowest = (double)(alloc_slowest + free_slowest) / PART;
	return true;
}

/* Each was free before, and is again. */
static bool run_cached(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t slowest;

	choose_sizes(field);
	run->ns = (double)timed(field, cached_part, &slowest) / field->burst;
	for (unsigned int i = 0; i < field->burst; i++) {
		if (!flip(field, field->ranges[i], false) || !flip(field, field->ranges[i], true))
			return complain("an address is given out that was not free");
	}
	return true;
}

static void fill_stack(struct field *field)
{
	field->stack = (struct stack){ .count = field->burst, .frames = field->stacked };
	for (unsigned int i = 0; i < field->burst; i++)
		field->stacked[i] = i;
}

static bool check_stack(const struct field *field)
{
	for (unsigned int i = 0; i < field->burst; i++) {
		if (field->ranges[i] >= field->burst)
			return complain("the array is wrong");
	}
	return field->stack.count == field->burst || complain("the array is wrong");
}

static bool run_array(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t ns, slowest;

	fill_stack(field);
	ns = timed(field, pop_part, &slowest);
	run->ns = (double)(ns + timed(field, push_part, &slowest)) / field->burst;
	return check_stack(field);
}

static bool run_array_cached(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t slowest;

	fill_stack(field);
	run->ns = (double)timed(field, stacked_part, &slowest) / field->burst;
	return check_stack(field);
}

/* ---- A field ----------------------------------------------------------------------------- */

static void empty(struct field *field)
{
	for (; field->count; field->count--) {
		uint64_t range = *at(field, field->count - 1);

		(void)weir_iova_free(field->iova, address_of(range), size_of(range));
	}
}

static bool fill(struct field *field, uint64_t live)
{
	uint64_t ns, slowest;

	while (field->count < live) {
		if (!alloc_burst(field, &ns, &slowest))
			return false;
	}
	return true;
}

static bool field_create(struct field *field, struct weir *weir, const struct live *live,
			 const struct size *size, bool quick)
{
	uint64_t count = quick ? live->quick_count : live->count;

	*field = (struct field){ .pages = size->pages,
				 .burst = quick ? QUICK_BURST : BURST,
				 .room = count + (uint64_t)2 * BURST };
	field->iova = weir_iova_create(weir, 0, LAST);
	field->ring = calloc(field->room, sizeof(*field->ring));
	field->busy = mmap(NULL, FRAMES / 8, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!field->iova || !field->ring || field->busy == MAP_FAILED)
		return complain("no memory");
	return fill(field, count);
}

static bool field_destroy(struct field *field)
{
	uint64_t left = 0;

	if (field->iova) {
		empty(field);
		left = weir_iova_destroy(field->iova);
	}
	free(field->ring);
	if (field->busy && field->busy != MAP_FAILED)
		munmap(field->busy, FRAMES / 8);
	return left ? complain("pages are lost") : true;
}

/* ---- Rows -------------------------------------------------------------------------------- */

static struct row make_row(unsigned int number, enum order order, struct field *field)
{
	bool cached = order == CACHED;
	struct row row = {
		.bound_name = "array",
		.run = cached ? run_cached : run_burst,
		.bound = cached ? run_array_cached : run_array,
		.arg = field,
		.target = cached ? CACHED_TARGET : TARGET,
	};

	snprintf(row.name, sizeof(row.name), "%s-%s-%s",
		 lives[number / WEIR_ARRAY_SIZE(sizes)].name,
		 sizes[number % WEIR_ARRAY_SIZE(sizes)].name, order_names[order]);
	return row;
}

static bool any_wanted(const struct options *options, unsigned int number)
{
	for (enum order order = CACHED; order < ORDERS; order++) {
		struct row row = make_row(number, order, NULL);

		if (options_want(options, row.name))
			return true;
	}
	return false;
}

static bool do_field(struct table *table, struct field *field, unsigned int number)
{
	for (field->order = CACHED; field->order < ORDERS; field->order++) {
		struct row row = make_row(number, field->order, field);

		if (options_want(table->options, row.name) && !table_row(table, &row))
			return false;
	}
	return true;
}

static bool do_fields(struct table *table, struct weir *weir)
{
	static struct field field;
	bool ok = true;

	for (unsigned int i = 0; ok && i < FIELDS; i++) {
		if (!any_wanted(table->options, i))
			continue;
		ok = field_create(&field, weir, &lives[i / WEIR_ARRAY_SIZE(sizes)],
				  &sizes[i % WEIR_ARRAY_SIZE(sizes)], table->options->quick) &&
		     do_field(table, &field, i);
		ok = field_destroy(&field) && ok;
	}
	return ok;
}

int main(int argc, char **argv)
{
	struct options options;
	struct table table;
	struct weir *weir;
	unsigned int i = 0;
	int status = options_parse(&options, &usage, argc, argv);
	bool ok;

	if (status >= 0)
		return status;
	while (i < FIELDS && !any_wanted(&options, i))
		i++;
	if (i == FIELDS)
		return options_none(&options, &usage);
	weir = bench_machine(RAM);
	if (!weir)
		return 1;
	table_begin(&table, &options, "slowest");
	ok = do_fields(&table, weir);
	table_end(&table);
	return bench_machine_end(weir) && ok ? 0 : 1;
}
