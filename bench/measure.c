/* SPDX-License-Identifier: MIT */

/* Rounds: -> measure.h. */

#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

#define PAGE_SHIFT 12u
#define OFFSET 0x9c0u /* within its page, of each access */
#define NO_SUBSTREAM 0u

/* What one thread does in one run. */
struct work {
	void (*run)(void *work);
	struct weir_model_smmuv3 *model;
	struct lookup lookup;
	struct walk walk;
	const uint32_t *order;
	uint64_t base, pages; /* the thread's */
	uint64_t from, count; /* positions */
	uint64_t sum;	      /* of the addresses found, wrapping */
	uint32_t stream;
};

static inline uint64_t address_of(uint64_t page)
{
	return GUEST_VA + (page << PAGE_SHIFT) + OFFSET;
}

/* ---- The contenders: their loops are what is timed -------------------------------------- */

/* Where a loop is; a value, which a compiler keeps in registers. */
struct cursor {
	const uint32_t *at, *end;
	uint64_t first;
};

static inline struct cursor begin(const struct work *work)
{
	return (struct cursor){
		.at = work->order + work->from,
		.end = work->order + work->from + work->count,
		.first = address_of(work->base),
	};
}

static inline bool next(struct cursor *cursor, uint64_t *addr)
{
	if (cursor->at == cursor->end)
		return false;
	*addr = cursor->first + ((uint64_t)*cursor->at++ << PAGE_SHIFT);
	return true;
}

static void run_lookup(void *arg)
{
	struct work *work = arg;
	struct cursor cursor = begin(work);
	const struct lookup *lookup = &work->lookup;
	uint32_t stream = work->stream;
	uint64_t addr, out, sum = 0;

	while (next(&cursor, &addr)) {
		if (bound_lookup(lookup, addr, stream, NO_SUBSTREAM, BOUND_READ, &out))
			sum += out;
	}
	work->sum = sum;
}

static void run_walk(void *arg)
{
	struct work *work = arg;
	struct cursor cursor = begin(work);
	const struct walk *walk = &work->walk;
	uint64_t addr, out, sum = 0;

	while (next(&cursor, &addr)) {
		if (bound_walk(walk, addr, &out))
			sum += out;
	}
	work->sum = sum;
}

static void run_walk_nested(void *arg)
{
	struct work *work = arg;
	struct cursor cursor = begin(work);
	const struct walk *walk = &work->walk;
	uint64_t addr, out, sum = 0;

	while (next(&cursor, &addr)) {
		if (bound_walk_nested(walk, addr, &out))
			sum += out;
	}
	work->sum = sum;
}

static void run_model(void *arg)
{
	struct work *work = arg;
	struct cursor cursor = begin(work);
	struct weir_model_smmuv3 *model = work->model;
	struct weir_model_txn txn = {
		.stream = work->stream,
		.len = 8,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation out;
	uint64_t sum = 0;

	while (next(&cursor, &txn.addr)) {
		if (weir_model_smmuv3_translate(model, &txn, &out) == WEIR_MODEL_OK) {
			sum += out.addr;
			weir_model_smmuv3_complete(model, &out);
		}
	}
	work->sum = sum;
}

static void (*contender_run(enum contender contender, bool nested))(void *)
{
	switch (contender) {
	case LOOKUP:
		return run_lookup;
	case WALK:
		return nested ? run_walk_nested : run_walk;
	default:
		return run_model;
	}
}

/* ---- Orders ----------------------------------------------------------------------------- */

/* Some pages, from 0, and an order of them. */
struct share {
	uint64_t pages;
	uint32_t *order; /* each page once, and as many as there are translations again */
};

/* Fisher's and Yates's, by a generator that is the same everywhere. */
static void shuffle(uint32_t *order, uint64_t pages)
{
	uint64_t state = 1;

	for (uint64_t left = pages; left > 1; left--) {
		uint32_t other, saved = order[left - 1];

		state = state * 6364136223846793005u + 1442695040888963407u;
		other = (uint32_t)((state >> 33) % left);
		order[left - 1] = order[other];
		order[other] = saved;
	}
}

static bool make_order(struct share *share, const struct set *set)
{
	uint32_t *order = calloc(share->pages + set->translations, sizeof(*order));

	share->order = order;
	if (!order)
		return false;
	for (uint64_t i = 0; i < share->pages; i++)
		order[i] = (uint32_t)i;
	if (set->random)
		shuffle(order, share->pages);
	for (uint64_t i = 0; i < set->translations; i++)
		order[share->pages + i] = order[i];
	return true;
}

/* ---- A run ------------------------------------------------------------------------------ */

struct measurement {
	struct bench *bench;
	const struct set *set;
	bool nested;
	struct share shares[CROWDS]; /* of the first thread; others' come behind, or are the same */
	struct lookup lookup;
	double *ns[CONTENDERS][CROWDS]; /* of each round */
};

static uint64_t expected_sum(const struct work *work)
{
	uint64_t sum = 0;

	for (uint64_t at = work->from; at < work->from + work->count; at++)
		sum += guest_output(work->base + work->order[at]) + OFFSET;
	return sum;
}

static struct work make_work(const struct measurement *m, enum contender contender,
			     enum crowd crowd, unsigned int thread, uint64_t from)
{
	const struct share *share = &m->shares[crowd];

	return (struct work){
		.run = contender_run(contender, m->nested),
		.model = m->bench->models[contender],
		.lookup = m->lookup,
		.walk = guest_walk(&m->bench->guest, m->nested),
		.order = share->order,
		.base = crowd == APART ? thread * share->pages : 0,
		.pages = share->pages,
		.from = from % share->pages,
		.count = m->set->translations,
		.stream = guest_stream(m->nested),
	};
}

static bool run(const struct measurement *m, enum contender contender, enum crowd crowd,
		uint64_t from, double *ns)
{
	static const unsigned int threads[] = { [ALONE] = 1, [APART] = 2, [TOGETHER] = 2 };
	struct work works[CREW];
	struct crew_task tasks[CREW];
	uint64_t took;

	for (unsigned int i = 0; i < threads[crowd]; i++) {
		works[i] = make_work(m, contender, crowd, i, from);
		tasks[i] = (struct crew_task){ .run = works[i].run, .arg = &works[i] };
	}
	took = crew_run(&m->bench->crew, tasks, threads[crowd]);
	*ns = (double)took / (double)m->set->translations;
	for (unsigned int i = 0; i < threads[crowd]; i++) {
		if (works[i].sum != expected_sum(&works[i])) {
			fprintf(stderr, "smmuv3-translate: translations went wrong\n");
			return false;
		}
	}
	return true;
}

/*
 * Contenders come first in turn, and go forwards and backwards, so that each has each other before
 * it: what that leaves in the processor's caches helps all alike. So do pages: a run takes the
 * next.
 */
static bool run_round(const struct measurement *m, unsigned int round)
{
	uint64_t runs = (uint64_t)round * CROWDS * CONTENDERS;

	for (unsigned int crowd = 0; crowd < CROWDS; crowd++) {
		for (unsigned int turn = 0; turn < CONTENDERS; turn++) {
			unsigned int place = round % 2 ? CONTENDERS - 1 - turn : turn;
			unsigned int contender = (place + round / 2) % CONTENDERS;

			if (!run(m, contender, crowd, runs++ * m->set->translations,
				 &m->ns[contender][crowd][round]))
				return false;
		}
	}
	return true;
}

/* ---- Before the rounds ------------------------------------------------------------------ */

/* Each page by itself. */
static void check_pages(void *arg)
{
	struct work *work = arg;
	uint64_t wrong = 0;

	work->count = 1;
	for (work->from = 0; work->from < work->pages; work->from++) {
		work->run(work);
		wrong += work->sum != expected_sum(work);
	}
	work->sum = wrong;
}

/* By both threads: so that each of them begins with what it needs in its caches. */
static bool check(const struct measurement *m, enum contender contender)
{
	struct work works[CREW];
	struct crew_task tasks[CREW];

	for (unsigned int i = 0; i < CREW; i++) {
		works[i] = make_work(m, contender, TOGETHER, i, 0);
		tasks[i] = (struct crew_task){ .run = check_pages, .arg = &works[i] };
	}
	crew_run(&m->bench->crew, tasks, CREW);
	for (unsigned int i = 0; i < CREW; i++) {
		if (works[i].sum) {
			fprintf(stderr, "smmuv3-translate: %llu pages are translated wrongly\n",
				(unsigned long long)works[i].sum);
			return false;
		}
	}
	return true;
}

/* As large as the pages: nothing ever misses. */
static bool fill_lookup(struct measurement *m)
{
	uint64_t entries = m->shares[APART].pages * CREW;

	m->lookup.mask = entries - 1;
	m->lookup.entries = aligned_alloc(64, entries * sizeof(*m->lookup.entries));
	if (!m->lookup.entries)
		return false;
	for (uint64_t page = 0; page < entries; page++)
		bound_lookup_fill(&m->lookup, GUEST_VA + (page << PAGE_SHIFT),
				  guest_stream(m->nested), NO_SUBSTREAM, guest_output(page));
	return true;
}

/* ---- All of it -------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void conclude(struct measurement *m, struct result *result)
{
	unsigned int rounds = m->set->rounds;

	for (unsigned int contender = 0; contender < CONTENDERS; contender++) {
		for (unsigned int crowd = 0; crowd < CROWDS; crowd++) {
			double *ns = m->ns[contender][crowd];

			qsort(ns, rounds, sizeof(*ns), by_value);
			result->figures[contender][crowd] =
				(struct figure){ .best = ns[0], .median = ns[rounds / 2] };
		}
	}
}

static bool run_all(struct measurement *m)
{
	for (unsigned int contender = 0; contender < CONTENDERS; contender++) {
		if (!check(m, contender))
			return false;
	}
	for (unsigned int round = 0; round < m->set->rounds; round++) {
		if (!run_round(m, round))
			return false;
	}
	return true;
}

/* What the rounds need; false: no memory. */
static bool prepare(struct measurement *m, double *ns)
{
	for (unsigned int i = 0; i < CONTENDERS * CROWDS; i++)
		m->ns[i / CROWDS][i % CROWDS] = ns + (size_t)i * m->set->rounds;
	for (unsigned int crowd = 0; crowd < CROWDS; crowd++) {
		struct share *share = &m->shares[crowd];

		share->pages = m->set->pages;
		if (crowd == APART && share->pages > 1)
			share->pages /= CREW;
		if (!make_order(share, m->set))
			return false;
	}
	return ns && fill_lookup(m);
}

bool measure(struct bench *bench, const struct set *set, bool nested, struct result *result)
{
	struct measurement m = { .bench = bench, .set = set, .nested = nested };
	double *ns = calloc((size_t)CONTENDERS * CROWDS * set->rounds, sizeof(*ns));
	bool ok = false;

	if (prepare(&m, ns))
		ok = run_all(&m);
	else
		fprintf(stderr, "smmuv3-translate: no memory\n");
	if (ok)
		conclude(&m, result);
	for (unsigned int crowd = 0; crowd < CROWDS; crowd++)
		free(m.shares[crowd].order);
	free(m.lookup.entries);
	free(ns);
	return ok;
}

double scaling(const struct result *result, enum contender contender, enum crowd crowd)
{
	const struct figure *figures = result->figures[contender];

	return (double)CREW * figures[ALONE].best / figures[crowd].best;
}
