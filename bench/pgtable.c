/* SPDX-License-Identifier: MIT */

/*
 * What it costs to map, to unmap and to look up, by size: docs/bench.md. One thread; an operation
 * is a page, or a block.
 *
 * A run maps a stretch in pieces, looks up all of it, and takes the pieces out again; its row is
 * about one of the three. Pages that are mapped as pages lie so that no block could hold them.
 */

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "clock.h"
#include "pgtable/pgtable.h"
#include "platform.h"
#include "rows.h"

#define RAM ((size_t)64 << 20)
#define IOVA 0x121240000000ull	  /* where a table of depth 1 begins */
#define APART ((uint64_t)1 << 40) /* shapes: none finds a table that another one left */
#define PHYS 0x2340000000ull
#define PAGE ((uint64_t)WEIR_PAGE_SIZE)
#define ENTRIES 512u
#define STRIDE (2 * PAGE) /* of pages that are not neighbours */
#define VA_BITS 48
#define PA_BITS 48
#define PROT (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE | WEIR_IOMMU_CACHE)

#define FIRST_TARGET 15.0
#define PAGE_TARGET 0.6

enum act { MAP, UNMAP, WALK, ACTS };

static const char *const act_names[] = { [MAP] = "map", [UNMAP] = "unmap", [WALK] = "walk" };

/* How a stretch is mapped. */
struct shape {
	const char *name;
	uint64_t leaf;	 /* bytes of each leaf */
	uint64_t leaves; /* of a piece */
	uint64_t pieces; /* of the stretch */
	uint64_t quick_pieces;
	bool list; /* the pages of a piece are no neighbours */
};

static const struct shape shapes[] = {
	{ "4k", PAGE, 1, ENTRIES, 16, false },
	{ "run-16", PAGE, 16, ENTRIES / 16, 2, false },
	{ "run-256", PAGE, 256, 64, 2, false },
	{ "list-256", PAGE, 256, 64, 2, true },
	{ "2m", ENTRIES *PAGE, 1, ENTRIES, 16, false },
	{ "1g", PAGE, ENTRIES *ENTRIES, 1, 1, false },
};

#define ROWS (WEIR_ARRAY_SIZE(shapes) * ACTS)

static const struct usage usage = {
	.program = "pgtable",
	.what = "What mapping, unmapping and looking up costs in the I/O page tables",
	.names = "                 map-4k, unmap-run-256; map, unmap or walk, then 4k, run-16,\n"
		 "                 run-256, list-256, 2m or 1g (of pages)",
	.failure = "a table is wrong",
	.rounds = 200,
	.quick_rounds = 2,
};

struct field {
	struct weir_pgtable_cache cache;
	struct weir_pgtable pt;
	int64_t pages; /* in tables */
	const struct shape *shape;
	uint64_t iova, pieces;
	enum act act;
	struct weir_extent list[256];
	uint64_t *entries; /* of the bounds: as many as 1 GiB has pages */
	uint8_t *tables;   /* and what their tables take */
	/* Of the bare walk: a table for each level. */
	uint64_t ram[4][ENTRIES] __attribute__((aligned(WEIR_PAGE_SIZE)));
};

static bool complain(const char *what)
{
	fprintf(stderr, "pgtable: %s\n", what);
	return false;
}

/* ---- The stretch ------------------------------------------------------------------------- */

static uint64_t piece_size(const struct field *field)
{
	return field->shape->leaf * field->shape->leaves;
}

/* Where leaf n of the stretch leads. Pages begin one page off: so they do not become blocks. */
static uint64_t phys_of(const struct field *field, uint64_t n)
{
	const struct shape *shape = field->shape;

	if (shape->leaf > PAGE)
		return PHYS + n * shape->leaf;
	return PHYS + PAGE + n * (shape->list ? STRIDE : PAGE);
}

static bool map_piece(struct field *field, uint64_t piece)
{
	struct weir_extent whole = { phys_of(field, piece * field->shape->leaves),
				     piece_size(field) };
	struct weir_pgtable_gather gather = { 0 };

	return !weir_pgtable_map(&field->pt, field->iova + piece * piece_size(field), &whole, 1,
				 PROT, &gather);
}

static bool map_list(struct field *field, uint64_t piece)
{
	struct weir_pgtable_gather gather = { 0 };

	return !weir_pgtable_map(&field->pt, field->iova + piece * piece_size(field), field->list,
				 (unsigned int)field->shape->leaves, PROT, &gather);
}

static uint64_t unmap_piece(struct field *field, uint64_t piece)
{
	struct weir_pgtable_gather gather = { 0 };
	uint64_t bytes;

	bytes = weir_pgtable_unmap(&field->pt, field->iova + piece * piece_size(field),
				   piece_size(field), &gather);
	if (gather.tables)
		weir_pgtable_free_tables(&field->pt, &gather);
	return bytes;
}

/* ---- What is timed: each returns whether all went well ----------------------------------- */

static bool map_all(struct field *field, uint64_t *ns)
{
	uint64_t begin = now(), piece = 0;

	while (piece < field->pieces && map_piece(field, piece))
		piece++;
	*ns = now() - begin;
	return piece == field->pieces;
}

/* The lists are made outside of the time. */
static bool map_lists(struct field *field, uint64_t *ns)
{
	bool ok = true;

	*ns = 0;
	for (uint64_t piece = 0; ok && piece < field->pieces; piece++) {
		uint64_t first = piece * field->shape->leaves, begin;

		for (uint64_t i = 0; i < field->shape->leaves; i++)
			field->list[i] = (struct weir_extent){ phys_of(field, first + i), PAGE };
		begin = now();
		ok = map_list(field, piece);
		*ns += now() - begin;
	}
	return ok;
}

static bool unmap_all(struct field *field, uint64_t *ns)
{
	uint64_t begin = now(), bytes = 0;

	for (uint64_t piece = 0; piece < field->pieces; piece++)
		bytes += unmap_piece(field, piece);
	*ns = now() - begin;
	return bytes == field->pieces * piece_size(field);
}

/* Returns the sum of where leaves lead to, wrapping. */
static uint64_t walk_all(struct field *field, uint64_t *ns)
{
	uint64_t leaf = field->shape->leaf, begin = now(), sum = 0;
	uint64_t end = field->iova + field->pieces * piece_size(field);
	weir_phys_t phys;

	for (uint64_t iova = field->iova; iova < end; iova += leaf) {
		if (!weir_pgtable_lookup(&field->pt, iova, &phys, NULL))
			sum += phys;
	}
	*ns = now() - begin;
	return sum;
}

/* ---- Runs -------------------------------------------------------------------------------- */

static uint64_t leaves(const struct field *field)
{
	return field->pieces * field->shape->leaves;
}

static uint64_t expected_sum(const struct field *field)
{
	uint64_t sum = 0;

	for (uint64_t n = 0; n < leaves(field); n++)
		sum += phys_of(field, n);
	return sum;
}

/* Each leaf by itself, and its last byte; with none behind the last one. */
static bool check_mapped(struct field *field)
{
	uint64_t leaf = field->shape->leaf, n = 0;
	weir_phys_t phys;
	unsigned int depth;

	for (; n < leaves(field); n++) {
		if (weir_pgtable_lookup(&field->pt, field->iova + (n + 1) * leaf - 1, &phys,
					&depth) ||
		    phys != phys_of(field, n) + leaf - 1 || depth != (leaf > PAGE))
			return complain("a page is mapped wrongly");
	}
	if (!weir_pgtable_lookup(&field->pt, field->iova + n * leaf, &phys, NULL))
		return complain("more is mapped than should be");
	return true;
}

static bool check_unmapped(struct field *field)
{
	uint64_t ns;

	return !walk_all(field, &ns) || complain("what was unmapped is still there");
}

static bool run_act(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t ns[ACTS];
	bool mapped = field->shape->list ? map_lists(field, &ns[MAP]) : map_all(field, &ns[MAP]);

	if (!mapped)
		return complain("a piece cannot be mapped");
	if (walk_all(field, &ns[WALK]) != expected_sum(field))
		return complain("a page leads elsewhere");
	if (field->act != WALK && !check_mapped(field))
		return false;
	if (!unmap_all(field, &ns[UNMAP]))
		return complain("a piece cannot be unmapped");
	run->ns = (double)ns[field->act] / (double)leaves(field);
	return check_unmapped(field);
}

/* ---- Bounds ------------------------------------------------------------------------------ */

/* As many entries in as many calls; and for a stretch that fills whole tables their zeroing. */
static bool run_fill(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t n = field->shape->leaves, begin = now();

	if (n == ENTRIES * ENTRIES)
		bound_zero(field->tables, n * sizeof(uint64_t));
	for (uint64_t piece = 0; piece < field->pieces; piece++)
		bound_fill(&field->entries[piece * n], n, phys_of(field, piece * n),
			   field->shape->leaf);
	run->ns = (double)(now() - begin) / (double)leaves(field);
	return field->entries[0] == phys_of(field, 0) || complain("the array is wrong");
}

static bool run_zero(void *arg, struct run *run)
{
	struct field *field = arg;
	uint64_t n = field->shape->leaves, begin = now();

	for (uint64_t piece = 0; piece < field->pieces; piece++)
		bound_zero(&field->entries[piece * n], n * sizeof(uint64_t));
	run->ns = (double)(now() - begin) / (double)leaves(field);
	return !field->entries[0] || complain("the array is wrong");
}

/* Four loads, in tables that are always in the processor's cache. */
static bool run_walk(void *arg, struct run *run)
{
	struct field *field = arg;
	struct walk walk = { .stage1 = (uintptr_t)field->ram[0] };
	uint64_t n = leaves(field), begin = now(), out, found = 0;

	for (uint64_t i = 0; i < n; i++)
		found += bound_walk(&walk, IOVA + i % ENTRIES * PAGE, &out);
	run->ns = (double)(now() - begin) / (double)n;
	return found == n || complain("the bare walk is wrong");
}

/* Tables of four levels, of which every entry of the last one is valid. */
static void make_walk(struct field *field)
{
	for (unsigned int level = 0; level < 3; level++)
		field->ram[level][IOVA >> (39 - 9 * level) & 511] =
			(uintptr_t)field->ram[level + 1] | 3;
	for (unsigned int i = 0; i < ENTRIES; i++)
		field->ram[3][i] = (PHYS + i * PAGE) | 3;
}

/* ---- Rows -------------------------------------------------------------------------------- */

/* What the first leaf of a piece may cost, and each further one; walks have no further ones. */
static double target(const struct shape *shape, enum act act)
{
	if (act == WALK)
		return FIRST_TARGET;
	if (act == MAP && shape->list)
		return 0;
	return (FIRST_TARGET + (double)(shape->leaves - 1) * PAGE_TARGET) / (double)shape->leaves;
}

static struct row make_row(unsigned int number, struct field *field)
{
	static run_fn *const bounds[] = { [MAP] = run_fill, [UNMAP] = run_zero, [WALK] = run_walk };
	const struct shape *shape = &shapes[number / ACTS];
	enum act act = number % ACTS;
	struct row row = {
		.bound_name = act == MAP   ? "array" :
			      act == UNMAP ? "memset" :
					     "bare walk",
		.run = run_act,
		.bound = bounds[act],
		.arg = field,
		.target = target(shape, act),
	};

	snprintf(row.name, sizeof(row.name), "%s-%s", act_names[act], shape->name);
	return row;
}

static bool do_rows(struct table *table, struct field *field)
{
	const struct options *options = table->options;

	for (unsigned int i = 0; i < ROWS; i++) {
		struct row row = make_row(i, field);

		field->shape = &shapes[i / ACTS];
		field->iova = IOVA + i / ACTS * APART;
		field->pieces = options->quick ? field->shape->quick_pieces : field->shape->pieces;
		field->act = i % ACTS;
		if (options_want(options, row.name) && !table_row(table, &row))
			return false;
	}
	return true;
}

/* ---- The program ------------------------------------------------------------------------- */

/* Nobody splits a block without BBM level 2. */
static void no_invalidation(struct weir_pgtable *pt, uint64_t iova, uint64_t size)
{
	(void)pt;
	(void)iova;
	(void)size;
}

static bool set_up(struct field *field)
{
	uint64_t size = (uint64_t)ENTRIES * ENTRIES * sizeof(*field->entries);

	field->entries = aligned_alloc(WEIR_PAGE_SIZE, size);
	field->tables = aligned_alloc(WEIR_PAGE_SIZE, size);
	if (!field->entries || !field->tables ||
	    weir_pgtable_cache_init(&field->cache, NULL, BENCH_CPUS, WEIR_ZONE_NORMAL,
				    WEIR_PAGE_SHIFT, &field->pages))
		return complain("no memory");
	make_walk(field);
	field->pt.format = &weir_pgtable_vmsav8_s1_4k;
	field->pt.cache = &field->cache;
	field->pt.coherent = true;
	field->pt.replaces_blocks = true;
	field->pt.invalidate = no_invalidation;
	return weir_pgtable_init(&field->pt, VA_BITS, PA_BITS) ? complain("no memory") : true;
}

static bool tear_down(struct field *field)
{
	weir_pgtable_fini(&field->pt);
	weir_pgtable_cache_fini(&field->cache);
	free(field->entries);
	free(field->tables);
	return field->pages ? complain("table pages are lost") : true;
}

static bool measure(const struct options *options)
{
	static struct field field;
	struct table table;
	bool ok;

	if (!set_up(&field))
		return false;
	table_begin(&table, options, "");
	ok = do_rows(&table, &field);
	table_end(&table);
	return tear_down(&field) && ok;
}

int main(int argc, char **argv)
{
	struct options options;
	struct weir *weir;
	unsigned int i = 0;
	int status = options_parse(&options, &usage, argc, argv);
	bool ok;

	if (status >= 0)
		return status;
	while (i < ROWS && !options_want(&options, make_row(i, NULL).name))
		i++;
	if (i == ROWS)
		return options_none(&options, &usage);
	weir = bench_machine(RAM);
	if (!weir)
		return 1;
	ok = measure(&options);
	return bench_machine_end(weir) && ok ? 0 : 1;
}
