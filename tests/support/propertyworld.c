/* SPDX-License-Identifier: MIT */
/* See propertyworld.h. */

#include "propertyworld.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/hw/smmuv3.h>

#include "iommu/driver.h"
#include "mutate.h"
#include "threadplat.h"

#define PAGE WEIR_PAGE_SIZE
#define ANCHOR 0x40000000ull
#define SMALL 1280u /* pages of 4 KiB of a thread: 5 MiB, two tables and a half */
#define LARGE 768u  /* pages of 2 MiB: 1.5 GiB */
#define SMALL_BASE (0xc0000000ull - (8u << 20))	 /* across 3 GiB */
#define LARGE_BASE ((1ull << 39) - (2ull << 30)) /* across 512 GiB */
#define FRAMES_BASE (1ull << 33)		 /* memory of nobody: addresses alone */
#define FRAMES_END (1ull << 47)
#define PROT 3u
#define PROBES 16u

#define STANDARD 0x100u /* the domain of the DMA API */
#define GONE 0x101u
#define SPARE 0x4242u /* the stream of a device that is always there */

struct domain {
	pthread_rwlock_t lock;
	struct weir_domain *domain;
	uint64_t anchor;						   /* atomic */
	uint64_t small[WORLD_THREADS][SMALL], large[WORLD_THREADS][LARGE]; /* atomics */
	uint8_t was[WORLD_THREADS][SMALL + LARGE];			   /* mapped, ever */
};

struct stream {
	pthread_rwlock_t lock;
	uint32_t id;
	uint32_t place;	 /* atomic: where it is, and in the upper half where it is going */
	uint64_t anchor; /* atomic: of the DMA API's domain */
	struct weir_device dev;
};

static const uint32_t ids[WORLD_STREAMS] = { 0x001,  0x002,  0x003,  0x004, 0x100,  0x101,
					     0x107,  0x1ff,  0x200,  0x2a0, 0x1234, 0x1235,
					     0x8000, 0x8008, 0xfffe, 0xffff };

static struct domain domains[WORLD_DOMAINS];
static struct stream streams[WORLD_STREAMS];
static struct weir_device spare;
static uint64_t next_frame; /* atomic */
static uint64_t seed_of_all;
static bool caught;		  /* something was left out, and shows */
static struct world_worker *only; /* who entered last: the one there is, for peek() */
/* Of domains that were freed since something may be left out: what was mapped. */
static uint64_t freed[8192];
static unsigned int nr_freed;

static void violation(const char *what, uint32_t stream, uint64_t addr, uint64_t got)
{
	if (mutate.dropped) {
		caught = true;
		return;
	}
	fprintf(stderr, "seed %llu: %s: stream 0x%x, address 0x%llx, got 0x%llx\n",
		(unsigned long long)seed_of_all, what, stream, (unsigned long long)addr,
		(unsigned long long)got);
	abort();
}

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	if (mutate.dropped) {
		caught = true;
		return;
	}
	fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed_of_all, what);
	abort();
}

/* Threads do not come here at once: nothing is left out while there are several. */
static void set_phase(enum mutate_phase phase)
{
	if (!mutate.armed)
		return;
	mutate.phase = phase;
	if (phase == MUTATE_IDLE)
		mutate_end_of_step();
}

/* About to be unmapped. `span`: of the tables that its leaves lie in. */
static void set_range(uint64_t first, uint64_t size, uint64_t span)
{
	if (!mutate.armed)
		return;
	mutate.first = first;
	mutate.last = first + size - 1;
	mutate.takes_tables = WEIR_ALIGN_UP(first, span) + span <= first + size;
}

static uint64_t rnd(struct world_worker *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

static void count_op(struct world_worker *w, enum world_op op)
{
	w->operations++;
	w->by_op[op]++;
}

/* Addresses that no mapping before had. */
static uint64_t new_frames(uint64_t size, uint64_t align)
{
	uint64_t at;

	size += align;
	at = __atomic_fetch_add(&next_frame, size, __ATOMIC_RELAXED);
	return FRAMES_BASE + WEIR_ALIGN_UP(at % (FRAMES_END - FRAMES_BASE - size), align);
}

/* ---- The oracle ------------------------------------------------------------------------------ */

static unsigned int shift_of(unsigned int window)
{
	return window ? 21 : 12;
}

static uint64_t count_of(unsigned int window)
{
	return window ? LARGE : SMALL;
}

static uint64_t base_of(unsigned int window, unsigned int thread)
{
	return (window ? LARGE_BASE : SMALL_BASE) + thread * (count_of(window) << shift_of(window));
}

static uint64_t *pages_of(struct domain *d, unsigned int window, unsigned int thread)
{
	return window ? d->large[thread] : d->small[thread];
}

/* Acquire: pairs with expect_from_now(). */
static uint64_t look_in(struct domain *d, unsigned int window, uint64_t addr)
{
	uint64_t first = base_of(window, 0), n = count_of(window), i;
	uint64_t word;

	if (addr < first || addr >= base_of(window, WORLD_THREADS))
		return 0;
	i = (addr - first) >> shift_of(window);
	word = __atomic_load_n(&pages_of(d, window, (unsigned int)(i / n))[i % n],
			       __ATOMIC_ACQUIRE);
	if (word)
		word += addr & ((1ull << shift_of(window)) - 1) & ~(PAGE - 1);
	return word;
}

/* What a page is in a place: address and permission, or 0. */
static uint64_t expected(uint32_t place, struct stream *s, uint64_t addr)
{
	uint64_t word;

	if (place == GONE)
		return 0;
	if ((addr & ~(PAGE - 1)) == ANCHOR)
		return __atomic_load_n(place == STANDARD ? &s->anchor : &domains[place].anchor,
				       __ATOMIC_ACQUIRE);
	if (place == STANDARD)
		return 0;
	word = look_in(&domains[place], 0, addr);
	return word ? word : look_in(&domains[place], 1, addr);
}

static uint32_t place_of(struct stream *s)
{
	return __atomic_load_n(&s->place, __ATOMIC_ACQUIRE);
}

/* Release: who gets through by what is there from now on sees it. */
static void set_place(struct stream *s, uint32_t now, uint32_t next)
{
	__atomic_store_n(&s->place, now | next << 16, __ATOMIC_RELEASE);
}

static void expect_from_now(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* ---- Accesses -------------------------------------------------------------------------------- */

static bool is_right(uint32_t place, struct stream *s, uint64_t addr, uint64_t got, bool write)
{
	uint64_t word = expected(place, s, addr);

	return (word & ~(uint64_t)PROT) == (got & ~(PAGE - 1)) &&
	       (word & (write ? WEIR_IOMMU_WRITE : WEIR_IOMMU_READ));
}

/* What got through is still there, in the place where the stream is or is going. */
static bool access(struct world_worker *w, struct stream *s, uint64_t addr, bool write)
{
	struct weir_model_translation out;
	uint32_t place;

	if (modelrig_access(s->id, addr, write, &out) != WEIR_MODEL_OK) {
		w->blocked++;
		return false;
	}
	place = place_of(s);
	if (!is_right(place & 0xffff, s, addr, out.addr, write) &&
	    !is_right(place >> 16, s, addr, out.addr, write))
		violation("an access that should not", s->id, addr, out.addr);
	modelrig_complete(&out);
	w->passed++;
	return true;
}

/* Nobody changes what is expected meanwhile. */
static void check(struct world_worker *w, struct stream *s, uint64_t addr, bool write)
{
	uint64_t word = expected(place_of(s) & 0xffff, s, addr);
	bool should = word & (write ? WEIR_IOMMU_WRITE : WEIR_IOMMU_READ);

	if (access(w, s, addr, write) != should)
		violation(should ? "blocked" : "not blocked", s->id, addr, word);
}

static void unlock(pthread_rwlock_t *lock)
{
	pthread_rwlock_unlock(lock);
}

/* A stream in the domain, locked; NULL: none was found. */
static struct stream *find_stream(struct world_worker *w, unsigned int domain)
{
	uint64_t first = rnd(w, WORLD_STREAMS);

	for (uint64_t i = 0; i < WORLD_STREAMS; i++) {
		struct stream *s = &streams[(first + i) % WORLD_STREAMS];

		if ((place_of(s) & 0xffff) != domain || pthread_rwlock_tryrdlock(&s->lock))
			continue;
		if ((place_of(s) & 0xffff) == domain)
			return s;
		unlock(&s->lock);
	}
	return NULL;
}

static uint64_t some_address(struct world_worker *w, unsigned int thread, unsigned int *window)
{
	*window = rnd(w, 3) == 0;
	return base_of(*window, thread) + (rnd(w, count_of(*window)) << shift_of(*window)) +
	       (rnd(w, 1ull << (shift_of(*window) - 12)) << 12);
}

static void op_access(struct world_worker *w)
{
	unsigned int domain = (unsigned int)rnd(w, WORLD_DOMAINS), window;
	struct stream *s = find_stream(w, domain);

	if (!s)
		return;
	check(w, s, some_address(w, w->number, &window), rnd(w, 2));
	unlock(&s->lock);
	count_op(w, WORLD_ACCESS);
}

static void op_prime(struct world_worker *w)
{
	unsigned int window;
	uint64_t addr = some_address(w, (unsigned int)rnd(w, WORLD_THREADS), &window);

	access(w, &streams[rnd(w, WORLD_STREAMS)], addr, rnd(w, 2));
	count_op(w, WORLD_PRIME);
}

static void op_anchor(struct world_worker *w)
{
	struct stream *s = &streams[rnd(w, WORLD_STREAMS)];

	if (pthread_rwlock_tryrdlock(&s->lock))
		return;
	check(w, s, ANCHOR, rnd(w, 2));
	unlock(&s->lock);
	count_op(w, WORLD_ANCHOR);
}

/* ---- Map and unmap --------------------------------------------------------------------------- */

static void note_range(struct world_worker *w, unsigned int domain, unsigned int window,
		       uint64_t first, uint64_t count)
{
	w->domain = domain;
	w->window = window;
	w->first = first;
	w->count = count;
}

static uint64_t some_count(struct world_worker *w)
{
	static const uint16_t counts[] = { 1, 1, 1, 2, 3, 5, 8, 13, 16, 31, 33, 64, 100, 512, 513 };

	return counts[rnd(w, WEIR_ARRAY_SIZE(counts))];
}

/* Free pages from `first` on, `count` at most. */
static uint64_t free_run(const uint64_t *pages, uint64_t first, uint64_t count, uint64_t end)
{
	uint64_t n = 0;

	while (n < count && first + n < end &&
	       !__atomic_load_n(&pages[first + n], __ATOMIC_RELAXED))
		n++;
	return n;
}

/* What the alignment of both addresses allows, in leaves of 4 KiB, 2 MiB and 1 GiB. */
static void count_leaves(struct world_worker *w, uint64_t iova, uint64_t phys, uint64_t size)
{
	while (size) {
		unsigned int i = 2;

		while (i && (((iova | phys) & ((PAGE << 9 * i) - 1)) || size < PAGE << 9 * i))
			i--;
		w->frames[i]++;
		iova += PAGE << 9 * i;
		phys += PAGE << 9 * i;
		size -= PAGE << 9 * i;
	}
}

/* An extent, and what is expected of it. Half of them could be blocks, as far as sizes go. */
static struct weir_extent prepare(struct world_worker *w, struct domain *d, unsigned int window,
				  uint64_t first, uint64_t count, unsigned int prot)
{
	uint64_t size = count << shift_of(window), *pages = pages_of(d, window, w->number);
	uint64_t iova = base_of(window, w->number) + (first << shift_of(window)), align, phys;
	uint8_t *was = &d->was[w->number][window ? SMALL : 0];

	align = rnd(w, 2) ? 1ull << 30 : 1ull << 21;
	phys = new_frames(size + align, align);
	if (rnd(w, 2) && !mutate.no_blocks)
		phys += iova & (align - 1);
	else
		phys += (iova + ((1 + rnd(w, 510)) << shift_of(window))) & (align - 1);
	count_leaves(w, iova, phys, size);
	for (uint64_t i = 0; i < count; i++) {
		expect_from_now(&pages[first + i], (phys + (i << shift_of(window))) | prot);
		w->reused += was[first + i];
		was[first + i] = 1;
	}
	w->pages += count;
	return (struct weir_extent){ .phys = phys, .size = size };
}

static void check_range(struct world_worker *w, unsigned int domain, unsigned int window,
			uint64_t first, uint64_t count)
{
	struct stream *s = find_stream(w, domain);
	uint64_t base = base_of(window, w->number);

	if (!s)
		return;
	for (uint64_t i = 0; i < count && i < PROBES; i++) {
		uint64_t page = count <= PROBES ? i : rnd(w, count);
		uint64_t inside = rnd(w, 1ull << (shift_of(window) - 12)) << 12;

		check(w, s, base + ((first + page) << shift_of(window)) + inside, rnd(w, 2));
		count_op(w, WORLD_PROBE);
	}
	unlock(&s->lock);
}

/* What is wrong in a domain that nobody is in cannot be seen. */
static bool is_seen(unsigned int domain)
{
	for (unsigned int i = 0; i < WORLD_STREAMS; i++)
		if ((place_of(&streams[i]) & 0xffff) == domain)
			return true;
	return false;
}

static void map_run(struct world_worker *w, unsigned int domain, unsigned int window,
		    uint64_t first, uint64_t count)
{
	unsigned int prot = rnd(w, 3) ? PROT : WEIR_IOMMU_READ, n = 0;
	struct domain *d = &domains[domain];
	struct weir_extent extents[8];
	uint64_t part, done;
	bool list = rnd(w, 3) == 0;

	for (done = 0; done < count; done += part) {
		part = count - done;
		if (list && n < WEIR_ARRAY_SIZE(extents) - 1)
			part = 1 + rnd(w, part);
		extents[n++] = prepare(w, d, window, first + done, part, prot);
	}
	if (is_seen(domain))
		set_phase(MUTATE_MAPPING);
	require(!d->domain->ops->map(d->domain,
				     base_of(window, w->number) + (first << shift_of(window)),
				     extents, n, prot),
		"map failed");
	set_phase(MUTATE_IDLE);
	count_op(w, list ? WORLD_MAP_LIST : WORLD_MAP);
}

static void op_map(struct world_worker *w)
{
	unsigned int domain = (unsigned int)rnd(w, WORLD_DOMAINS), window = rnd(w, 3) == 0;
	uint64_t first = rnd(w, count_of(window)), count = some_count(w);
	struct domain *d = &domains[domain];

	if (pthread_rwlock_tryrdlock(&d->lock))
		return;
	if (count >= 512)
		first = first / 256 * 256;
	count = free_run(pages_of(d, window, w->number), first, count, count_of(window));
	if (count) {
		note_range(w, domain, window, first, count);
		map_run(w, domain, window, first, count);
		if (rnd(w, 2))
			check_range(w, domain, window, first, count);
	}
	unlock(&d->lock);
}

/* Pages of the range that are mapped. */
static uint64_t mapped_in(const uint64_t *pages, uint64_t first, uint64_t count)
{
	uint64_t n = 0;

	for (uint64_t i = first; i < first + count; i++)
		n += __atomic_load_n(&pages[i], __ATOMIC_RELAXED) != 0;
	return n;
}

static void unmap_run(struct world_worker *w, unsigned int domain, unsigned int window,
		      uint64_t first, uint64_t count)
{
	struct domain *d = &domains[domain];
	uint64_t *pages = pages_of(d, window, w->number), mapped = mapped_in(pages, first, count);
	uint64_t iova = base_of(window, w->number) + (first << shift_of(window));
	uint64_t size = count << shift_of(window);

	set_range(iova, size, 512ull << shift_of(window));
	set_phase(is_seen(domain) ? MUTATE_UNMAPPING : MUTATE_FREEING);
	require(weir_domain_unmap(d->domain, iova, size) == mapped << shift_of(window),
		"unmap: not the bytes that were mapped");
	set_phase(MUTATE_IDLE);
	for (uint64_t i = first; i < first + count; i++)
		expect_from_now(&pages[i], 0);
	count_op(w, WORLD_UNMAP);
}

static void op_unmap(struct world_worker *w)
{
	unsigned int domain = (unsigned int)rnd(w, WORLD_DOMAINS), window = rnd(w, 3) == 0;
	uint64_t first = rnd(w, count_of(window)), count = some_count(w), again;
	struct domain *d = &domains[domain];

	if (pthread_rwlock_tryrdlock(&d->lock))
		return;
	if (count >= 512)
		first = first / 512 * 512;
	if (first + count > count_of(window))
		count = count_of(window) - first;
	note_range(w, domain, window, first, count);
	unmap_run(w, domain, window, first, count);
	check_range(w, domain, window, first, count);
	/* The same addresses, for other pages, at once; unless world_hunt() is to look at them. */
	again = 1 + rnd(w, count);
	if (rnd(w, 2) && !mutate.dropped) {
		map_run(w, domain, window, first, again);
		check_range(w, domain, window, first, again);
	}
	unlock(&d->lock);
}

/* ---- Streams and domains --------------------------------------------------------------------- */

/* The stream is locked for writing, and so is what it moves between for reading. */
static void move(struct world_worker *w, struct stream *s, uint32_t next)
{
	uint32_t now = place_of(s) & 0xffff;
	int ret;

	set_place(s, now, next);
	set_phase(MUTATE_MOVING);
	if (next == STANDARD)
		ret = weir_domain_detach(domains[now].domain, &s->dev);
	else
		ret = weir_domain_attach(domains[next].domain, &s->dev);
	set_phase(MUTATE_IDLE);
	require(!ret, "attach or detach failed");
	set_place(s, next, next);
	check(w, s, ANCHOR, rnd(w, 2));
	count_op(w, next == STANDARD ? WORLD_DETACH : WORLD_ATTACH);
}

static void op_move(struct world_worker *w)
{
	struct stream *s = &streams[rnd(w, WORLD_STREAMS)];
	unsigned int domain = (unsigned int)rnd(w, WORLD_DOMAINS);
	uint32_t now;

	if (pthread_rwlock_trywrlock(&s->lock))
		return;
	now = place_of(s) & 0xffff;
	if (now == STANDARD && !pthread_rwlock_tryrdlock(&domains[domain].lock)) {
		move(w, s, domain);
		unlock(&domains[domain].lock);
	} else if (now < WORLD_DOMAINS) {
		/* While it is in there nobody renews the domain: that takes this lock too. */
		move(w, s, STANDARD);
	}
	unlock(&s->lock);
}

static void make_domain(struct domain *d)
{
	uint64_t anchor = new_frames(PAGE, PAGE);

	require(!weir_domain_alloc(&spare, &d->domain), "no domain");
	expect_from_now(&d->anchor, anchor | PROT);
	require(!weir_domain_map(d->domain, ANCHOR, anchor, PAGE, PROT), "no anchor");
}

/* 0: begin anew. */
static void note_freed(uint64_t addr)
{
	if (!mutate.armed || nr_freed == WEIR_ARRAY_SIZE(freed))
		return;
	if (addr)
		freed[nr_freed++] = addr;
	else
		nr_freed = 0;
}

static void forget_window(struct domain *d, unsigned int window, unsigned int thread)
{
	uint64_t *pages = pages_of(d, window, thread);

	for (uint64_t i = 0; i < count_of(window); i++) {
		if (__atomic_load_n(&pages[i], __ATOMIC_RELAXED))
			note_freed(base_of(window, thread) + (i << shift_of(window)));
		expect_from_now(&pages[i], 0);
	}
}

static void free_domain(struct domain *d)
{
	set_phase(MUTATE_FREEING);
	note_freed(0);
	note_freed(ANCHOR);
	weir_domain_free(d->domain);
	set_phase(MUTATE_IDLE);
	expect_from_now(&d->anchor, 0);
	for (unsigned int thread = 0; thread < WORLD_THREADS; thread++) {
		forget_window(d, 0, thread);
		forget_window(d, 1, thread);
	}
}

static void op_renew(struct world_worker *w)
{
	unsigned int domain = (unsigned int)rnd(w, WORLD_DOMAINS);
	struct domain *d = &domains[domain];

	if (pthread_rwlock_trywrlock(&d->lock))
		return;
	for (unsigned int i = 0; i < WORLD_STREAMS; i++) {
		pthread_rwlock_wrlock(&streams[i].lock);
		if ((place_of(&streams[i]) & 0xffff) == domain)
			move(w, &streams[i], STANDARD);
		unlock(&streams[i].lock);
	}
	/* Who tries to move a stream in here does not get the domain's lock. */
	if (!mutate.dropped) {
		free_domain(d);
		make_domain(d);
	}
	unlock(&d->lock);
	count_op(w, WORLD_RENEW);
}

static void plug_in(struct stream *s)
{
	const struct weir_device_id id = { modelrig.iommu, s->id };
	const struct weir_device_desc desc = {
		.name = "dev", .ids = &id, .nr_ids = 1, .coherent = true
	};
	uint64_t anchor = new_frames(PAGE, PAGE);

	set_place(s, GONE, STANDARD);
	set_phase(MUTATE_MOVING);
	require(!weir_device_add(modelrig.weir, &s->dev, &desc), "no device");
	set_phase(MUTATE_IDLE);
	expect_from_now(&s->anchor, anchor | PROT);
	require(!weir_domain_map(weir_device_dma_domain(&s->dev), ANCHOR, anchor, PAGE, PROT),
		"no anchor");
	set_place(s, STANDARD, STANDARD);
}

static void pull_out(struct stream *s)
{
	set_place(s, place_of(s) & 0xffff, GONE);
	note_freed(0);
	note_freed(ANCHOR);
	set_phase(MUTATE_MOVING);
	(void)weir_device_remove(&s->dev);
	set_phase(MUTATE_IDLE);
	set_place(s, GONE, GONE);
	expect_from_now(&s->anchor, 0);
}

static void op_plug(struct world_worker *w)
{
	struct stream *s = &streams[rnd(w, WORLD_STREAMS)];

	if (pthread_rwlock_trywrlock(&s->lock))
		return;
	if ((place_of(s) & 0xffff) == GONE)
		plug_in(s);
	else
		pull_out(s);
	check(w, s, ANCHOR, rnd(w, 2));
	unlock(&s->lock);
	count_op(w, WORLD_PLUG);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Each address in the tables that hold the last range, of each level. */
static void sweep(struct world_worker *w, struct stream *s, bool is_settled)
{
	uint64_t last = w->first + w->count - 1;

	for (unsigned int end = 0; end < 2; end++) {
		uint64_t iova = base_of(w->window, w->number) +
				((end ? last : w->first) << shift_of(w->window));

		for (unsigned int shift = 12; shift <= 30; shift += 9) {
			uint64_t base = WEIR_ALIGN_DOWN(iova, 512ull << shift);

			for (uint64_t i = 0; i < 512 && !caught; i++)
				if (is_settled)
					check(w, s, base + (i << shift), i & 1);
				else
					access(w, s, base + (i << shift), i & 1);
		}
	}
}

/*
 * While the driver goes on in an operation: between two batches of commands what the first was for
 * is in effect; between two barriers nothing is to be seen that is not mapped.
 */
static void peek(void)
{
	static struct world_worker nobody;
	struct stream *s;

	for (unsigned int i = 0; i < WORLD_STREAMS && mutate.phase == MUTATE_MOVING; i++) {
		uint64_t word;

		s = &streams[i];
		word = expected(place_of(s) >> 16, s, ANCHOR);
		if (access(&nobody, s, ANCHOR, false) != (word != 0))
			caught = true;
	}
	if (mutate.phase != MUTATE_MAPPING)
		return;
	for (unsigned int i = 0; i < WORLD_STREAMS; i++)
		if ((place_of(&streams[i]) & 0xffff) == only->domain)
			sweep(only, &streams[i], false);
}

void world_start(const struct modelrig_options *options)
{
	const struct weir_device_desc desc = { .name = "spare", .nr_ids = 1, .coherent = true };
	struct weir_device_desc with_id = desc;
	struct weir_device_id id;

	seed_of_all = options->seed;
	next_frame = 0;
	caught = false;
	nr_freed = 0;
	modelrig_start(options);
	mutate.peek = peek;
	memset(domains, 0, sizeof(domains));
	memset(streams, 0, sizeof(streams));
	id = (struct weir_device_id){ modelrig.iommu, SPARE };
	with_id.ids = &id;
	require(!weir_device_add(modelrig.weir, &spare, &with_id), "no spare device");
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++) {
		pthread_rwlock_init(&domains[i].lock, NULL);
		make_domain(&domains[i]);
	}
	for (unsigned int i = 0; i < WORLD_STREAMS; i++) {
		pthread_rwlock_init(&streams[i].lock, NULL);
		streams[i].id = ids[i];
		set_place(&streams[i], GONE, GONE);
	}
}

static void destroy_locks(void)
{
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++)
		pthread_rwlock_destroy(&domains[i].lock);
	for (unsigned int i = 0; i < WORLD_STREAMS; i++)
		pthread_rwlock_destroy(&streams[i].lock);
}

void world_stop(void)
{
	threadplat_set_cpu(0);
	for (unsigned int i = 0; i < WORLD_STREAMS; i++)
		if (place_of(&streams[i]) != (GONE | GONE << 16))
			pull_out(&streams[i]);
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++)
		free_domain(&domains[i]);
	(void)weir_device_remove(&spare);
	modelrig_stop();
	destroy_locks();
}

void world_abandon(void)
{
	modelrig_abandon();
	destroy_locks();
}

void world_worker_init(struct world_worker *worker, unsigned int number, uint64_t seed)
{
	*worker = (struct world_worker){ .number = number };
	worker->random = (seed + number * 1000003 + 1) * 0x9e3779b97f4a7c15ull;
}

void world_enter(struct world_worker *worker)
{
	threadplat_set_cpu(worker->number);
	__atomic_store_n(&only, worker, __ATOMIC_RELAXED);
}

void world_step(struct world_worker *w)
{
	uint64_t choice = rnd(w, 1000);

	if (choice < 60)
		op_map(w);
	else if (choice < 120)
		op_unmap(w);
	else if (choice < 150)
		op_move(w);
	else if (choice < 154)
		op_plug(w);
	else if (choice < 156)
		op_renew(w);
	else if (choice < 200)
		op_anchor(w);
	else if (choice < 600)
		op_access(w);
	else
		op_prime(w);
}

/* ---- What was left out, and its consequences ------------------------------------------------- */

static void look_at_range(struct world_worker *w)
{
	unsigned int shift = shift_of(w->window);
	uint64_t base = base_of(w->window, w->number) + (w->first << shift);

	for (unsigned int i = 0; i < WORLD_STREAMS; i++) {
		struct stream *s = &streams[i];

		if ((place_of(s) & 0xffff) != w->domain)
			continue;
		for (uint64_t page = 0; page < w->count && !caught; page++) {
			check(w, s, base + (page << shift), page & 1);
			check(w, s, base + (page << shift) + (1ull << (shift - 1)), !(page & 1));
		}
		sweep(w, s, true);
	}
}

/* Tables that went are used again: elsewhere, and then others are put where they were. */
static void use_tables_again(struct world_worker *w)
{
	struct domain *d = &domains[w->domain];
	uint64_t *pages = pages_of(d, w->window, w->number);

	for (uint64_t i = 0; i < 16; i++)
		(void)weir_domain_map(d->domain, (8 + i) << 39, new_frames(PAGE, PAGE), PAGE, PROT);
	for (uint64_t i = 0; i < w->count; i++)
		if (free_run(pages, w->first + i, 1, count_of(w->window)))
			map_run(w, w->domain, w->window, w->first + i, 1);
	look_at_range(w);
}

/* Domains come and go until one has the ASID; what the last one mapped is looked for in it. */
static void use_asid_again(struct world_worker *w, unsigned int asid)
{
	struct stream *s = &streams[0];
	struct weir_domain *domain;
	bool found = false;

	if ((place_of(s) & 0xffff) == GONE)
		plug_in(s);
	if ((place_of(s) & 0xffff) != STANDARD)
		move(w, s, STANDARD);
	for (unsigned int i = 0; i < 256 && !found; i++) {
		require(!weir_domain_alloc(&spare, &domain), "no domain");
		require(!weir_domain_attach(domain, &s->dev), "attach");
		found = modelrig_asid(s->id) == asid;
		set_place(s, GONE, GONE);
		for (unsigned int k = 0; k < nr_freed && found && !caught; k++)
			check(w, s, freed[k], false);
		require(!weir_domain_detach(domain, &s->dev), "detach");
		set_place(s, STANDARD, STANDARD);
		weir_domain_free(domain);
	}
}

bool world_hunt(struct world_worker *w)
{
	uint64_t opcode = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, mutate.command[0]);

	for (unsigned int i = 0; i < WORLD_STREAMS && !caught; i++)
		check(w, &streams[i], ANCHOR, i & 1);
	if (!caught)
		look_at_range(w);
	if (!caught && (mutate.held.tables[2] || mutate.held.tables[3]))
		use_tables_again(w);
	if (!caught && opcode == WEIR_SMMU_CMD_TLBI_NH_ASID)
		use_asid_again(w, (unsigned int)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_TLBI_0_ASID,
								    mutate.command[0]));
	for (unsigned int i = 0; i < 2000 && !caught && !mutate.error; i++)
		world_step(w);
	return caught || mutate.error;
}

uint64_t world_distinct_pages(unsigned int shift)
{
	unsigned int window = shift == shift_of(1);
	uint64_t n = 0;

	for (unsigned int i = 0; i < WORLD_DOMAINS; i++)
		for (unsigned int t = 0; t < WORLD_THREADS; t++)
			for (uint64_t k = 0; k < count_of(window); k++)
				n += domains[i].was[t][(window ? SMALL : 0) + k];
	return n;
}
