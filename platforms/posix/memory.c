/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: a memfd mapped twice, and its pages.
 *
 * A zone is a buddy allocator: for each order a list of free blocks, linked through an array beside
 * the memory, so that a page that nobody uses is never touched (1 GiB of RAM costs what is used of
 * it). In front of it each CPU keeps a few single pages, which is nearly all that is asked for.
 * `state` says for each page what the callers of plat_pages_alloc() hold; caches do not count.
 *
 * Locks: a zone's for its lists, a cache's for its pages, the first under the second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define RAM_BASE WEIR_MODEL_MACHINE_RAM_BASE
#define DMA32_END ((uint64_t)1 << 32)
#define ORDERS (WEIR_PLAT_MAX_ORDER + 1)
#define CACHE_PAGES 64u
#define NONE UINT32_MAX /* no page */

#define STATE_FREE 0u
#define STATE_HEAD(order) ((uint8_t)((order) + 1u))
#define STATE_TAIL 0xffu

/* Undefined contents, under the seeded runner: what relies on zeroes is found. */
#define POISON 0x6b
#define POISON_ORDER_MAX 3u

/* Zones in order of addresses: below 4 GiB, the rest. */
enum { LOW, HIGH, NR_ZONES };

struct zone {
	struct posix_lock lock;
	uint32_t first, end; /* pages; constant */
	uint32_t heads[ORDERS];
};

struct cache {
	struct posix_lock lock;
	unsigned int count[NR_ZONES];
	uint32_t pages[NR_ZONES][CACHE_PAGES];
	int64_t in_use; /* atomic; pages, as far as this CPU took and gave them */
} __attribute__((aligned(POSIX_CACHE_LINE)));

struct link {
	uint32_t next, prev;
};

struct posix_memory {
	int fd;
	uint64_t size;
	uint8_t *cpu_view, *models_view;
	struct zone zones[NR_ZONES];
	struct link *links;   /* of the first page of a free block; its zone's lock */
	uint8_t *free_orders; /* order + 1 of the free block that begins here, or 0; likewise */
	uint8_t *state;	      /* atomic; STATE_* */
	unsigned int nr_caches;
	struct cache *caches;
	uint64_t calls; /* atomic; of plat_pages_alloc() */
};

/* ---- Buddies ---- */

static void push(struct posix_memory *memory, struct zone *zone, uint32_t page, unsigned int order)
{
	uint32_t next = zone->heads[order];

	memory->links[page] = (struct link){ next, NONE };
	if (next != NONE)
		memory->links[next].prev = page;
	zone->heads[order] = page;
	memory->free_orders[page] = (uint8_t)(order + 1);
}

static void unlink_block(struct posix_memory *memory, struct zone *zone, uint32_t page)
{
	struct link *link = &memory->links[page];

	if (link->prev != NONE)
		memory->links[link->prev].next = link->next;
	else
		zone->heads[memory->free_orders[page] - 1] = link->next;
	if (link->next != NONE)
		memory->links[link->next].prev = link->prev;
	memory->free_orders[page] = 0;
}

static uint32_t zone_take_locked(struct posix_memory *memory, struct zone *zone, unsigned int order)
{
	unsigned int o = order;
	uint32_t page;

	while (o < ORDERS && zone->heads[o] == NONE)
		o++;
	if (o == ORDERS)
		return NONE;
	page = zone->heads[o];
	unlink_block(memory, zone, page);
	while (o > order) {
		o--;
		push(memory, zone, page + (1u << o), o);
	}
	return page;
}

static void zone_give_locked(struct posix_memory *memory, struct zone *zone, uint32_t page,
			     unsigned int order)
{
	uint32_t buddy;

	for (; order < WEIR_PLAT_MAX_ORDER; order++) {
		buddy = page ^ (1u << order);
		if (buddy < zone->first || buddy >= zone->end ||
		    memory->free_orders[buddy] != order + 1)
			break;
		unlink_block(memory, zone, buddy);
		page &= ~(1u << order);
	}
	push(memory, zone, page, order);
}

static uint32_t zone_take(struct posix_memory *memory, unsigned int which, unsigned int order)
{
	struct zone *zone = &memory->zones[which];
	uint32_t page;

	posix_lock(&zone->lock);
	page = zone_take_locked(memory, zone, order);
	posix_unlock(&zone->lock);
	return page;
}

static void zone_give(struct posix_memory *memory, uint32_t page, unsigned int order)
{
	struct zone *zone = &memory->zones[page >= memory->zones[HIGH].first ? HIGH : LOW];

	posix_lock(&zone->lock);
	zone_give_locked(memory, zone, page, order);
	posix_unlock(&zone->lock);
}

/* ---- Caches ---- */

static struct cache *this_cache(struct posix_memory *memory)
{
	return &memory->caches[posix_cpu_index()];
}

static void cache_fill_locked(struct posix_memory *memory, struct cache *cache, unsigned int which)
{
	unsigned int *count = &cache->count[which];
	uint32_t page;

	while (*count < CACHE_PAGES / 2) {
		page = zone_take(memory, which, 0);
		if (page == NONE)
			return;
		cache->pages[which][(*count)++] = page;
	}
}

static uint32_t cache_take(struct posix_memory *memory, unsigned int which)
{
	struct cache *cache = this_cache(memory);
	unsigned int *count = &cache->count[which];
	uint32_t page = NONE;

	posix_lock(&cache->lock);
	if (!*count)
		cache_fill_locked(memory, cache, which);
	if (*count)
		page = cache->pages[which][--*count];
	posix_unlock(&cache->lock);
	return page;
}

static void cache_give(struct posix_memory *memory, uint32_t page)
{
	unsigned int which = page >= memory->zones[HIGH].first ? HIGH : LOW;
	struct cache *cache = this_cache(memory);
	unsigned int *count = &cache->count[which];

	posix_lock(&cache->lock);
	if (*count == CACHE_PAGES)
		while (*count > CACHE_PAGES / 2)
			zone_give(memory, cache->pages[which][--*count], 0);
	cache->pages[which][(*count)++] = page;
	posix_unlock(&cache->lock);
}

/* Memory is short: single pages that lie in caches may be what a larger block lacks. */
static void drain_caches(struct posix_memory *memory)
{
	unsigned int i, which;
	struct cache *cache;

	for (i = 0; i < memory->nr_caches; i++) {
		cache = &memory->caches[i];
		posix_lock(&cache->lock);
		for (which = 0; which < NR_ZONES; which++)
			while (cache->count[which])
				zone_give(memory, cache->pages[which][--cache->count[which]], 0);
		posix_unlock(&cache->lock);
	}
}

/* ---- plat_pages_*() ---- */

static uint32_t take_from(struct posix_memory *memory, unsigned int which, unsigned int order)
{
	return order ? zone_take(memory, which, order) : cache_take(memory, which);
}

static uint32_t take(struct posix_memory *memory, unsigned int order, enum weir_zone zone)
{
	uint32_t page = NONE;

	if (zone == WEIR_ZONE_NORMAL) /* high first: the rest is dear to devices of 32 bits */
		page = take_from(memory, HIGH, order);
	if (page == NONE)
		page = take_from(memory, LOW, order);
	return page;
}

static void mark(struct posix_memory *memory, uint32_t page, unsigned int order, bool allocated)
{
	uint32_t i, count = 1u << order;

	for (i = 0; i < count; i++)
		__atomic_store_n(&memory->state[page + i],
				 !allocated ? STATE_FREE :
				 i	    ? STATE_TAIL :
					      STATE_HEAD(order),
				 __ATOMIC_RELAXED);
	__atomic_fetch_add(&this_cache(memory)->in_use, allocated ? count : -(int64_t)count,
			   __ATOMIC_RELAXED);
}

static bool made_to_fail(struct posix_machine *machine)
{
	const struct posix_options *options = &machine->options;
	uint64_t call = __atomic_add_fetch(&machine->memory->calls, 1, __ATOMIC_RELAXED);

	if (!options->fail_alloc || call < options->fail_alloc)
		return false;
	return call == options->fail_alloc || options->fail_alloc_onwards;
}

int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys)
{
	struct posix_machine *machine = plat;
	struct posix_memory *memory = machine->memory;
	uint32_t page;

	if (!(flags & WEIR_ALLOC_ATOMIC))
		posix_may_sleep("plat_pages_alloc without WEIR_ALLOC_ATOMIC");
	if (zone == WEIR_ZONE_DMA)
		return -WEIR_EINVAL; /* RAM begins at 1 GiB */
	if (made_to_fail(machine))
		return -WEIR_ENOMEM;
	page = take(memory, order, zone);
	if (page == NONE) {
		drain_caches(memory);
		page = take(memory, order, zone);
	}
	if (page == NONE)
		return -WEIR_ENOMEM;
	mark(memory, page, order, true);
	if (machine->options.runner == POSIX_SEEDED && order <= POISON_ORDER_MAX)
		memset(memory->cpu_view + page * WEIR_PAGE_SIZE, POISON, WEIR_PAGE_SIZE << order);
	*phys = RAM_BASE + page * WEIR_PAGE_SIZE;
	return 0;
}

static uint32_t page_of(const struct posix_memory *memory, weir_phys_t phys)
{
	if (phys < RAM_BASE || phys - RAM_BASE >= memory->size)
		return NONE;
	return (uint32_t)((phys - RAM_BASE) / WEIR_PAGE_SIZE);
}

void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order)
{
	struct posix_machine *machine = plat;
	struct posix_memory *memory = machine->memory;
	uint32_t page = page_of(memory, phys);

	if (page == NONE || phys % WEIR_PAGE_SIZE ||
	    __atomic_load_n(&memory->state[page], __ATOMIC_RELAXED) != STATE_HEAD(order))
		posix_fatal("CPU %u: freed what was not allocated so: %#llx, order %u",
			    posix_cpu_index(), (unsigned long long)phys, order);
	mark(memory, page, order, false);
	if (order)
		zone_give(memory, page, order);
	else
		cache_give(memory, page);
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	struct posix_machine *machine = plat;

	return machine->memory->cpu_view + (phys - RAM_BASE);
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	struct posix_machine *machine = plat;

	return RAM_BASE + (uint64_t)((const uint8_t *)virt - machine->memory->cpu_view);
}

weir_phys_t plat_memory_end(void *plat)
{
	struct posix_machine *machine = plat;

	return RAM_BASE + machine->memory->size;
}

uint64_t posix_pages_in_use(struct posix_machine *machine)
{
	struct posix_memory *memory = machine->memory;
	int64_t sum = 0;
	unsigned int i;

	for (i = 0; i < memory->nr_caches; i++)
		sum += __atomic_load_n(&memory->caches[i].in_use, __ATOMIC_RELAXED);
	return (uint64_t)sum;
}

uint64_t posix_alloc_calls(struct posix_machine *machine)
{
	return __atomic_load_n(&machine->memory->calls, __ATOMIC_RELAXED);
}

bool posix_page_is_free(struct posix_machine *machine, weir_phys_t phys)
{
	struct posix_memory *memory = machine->memory;
	uint32_t page = page_of(memory, phys);

	return page != NONE &&
	       __atomic_load_n(&memory->state[page], __ATOMIC_RELAXED) == STATE_FREE;
}

/* ---- Creation ---- */

/* All that fits of the largest blocks, then smaller ones: RAM need not end on their multiple. */
static void zone_create(struct posix_memory *memory, unsigned int which, uint32_t first,
			uint32_t end)
{
	struct zone *zone = &memory->zones[which];
	unsigned int order;
	uint32_t page;

	zone->first = first;
	zone->end = end;
	for (order = 0; order < ORDERS; order++)
		zone->heads[order] = NONE;
	for (order = WEIR_PLAT_MAX_ORDER, page = first; page < end; page += 1u << order) {
		while (page + (1u << order) > end)
			order--;
		push(memory, zone, page, order);
	}
}

static void *map(const struct posix_memory *memory)
{
	void *view = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			  memory->fd, 0);

	return view == MAP_FAILED ? NULL : view;
}

static int map_views(struct posix_memory *memory)
{
	memory->fd = memfd_create("weir-ram", MFD_CLOEXEC);
	if (memory->fd < 0 || ftruncate(memory->fd, (off_t)memory->size))
		return -errno;
	memory->cpu_view = map(memory);
	memory->models_view = map(memory);
	return memory->cpu_view && memory->models_view ? 0 : -errno;
}

static int create_tables(struct posix_memory *memory)
{
	size_t pages = memory->size / WEIR_PAGE_SIZE;
	size_t size = sizeof(struct cache) * memory->nr_caches;

	memory->links = calloc(pages, sizeof(*memory->links));
	memory->free_orders = calloc(pages, 1);
	memory->state = calloc(pages, 1);
	memory->caches = aligned_alloc(POSIX_CACHE_LINE, size);
	if (!memory->links || !memory->free_orders || !memory->state || !memory->caches)
		return -WEIR_ENOMEM;
	memset(memory->caches, 0, size);
	return 0;
}

int posix_memory_create(struct posix_machine *machine)
{
	struct posix_memory *memory = calloc(1, sizeof(*memory));
	uint32_t pages, low;
	int err;

	if (!memory)
		return -WEIR_ENOMEM;
	machine->memory = memory;
	memory->fd = -1;
	memory->size = machine->options.ram_size;
	memory->nr_caches = machine->nr_cpus;
	err = map_views(memory);
	if (!err)
		err = create_tables(memory);
	if (err)
		return err;
	pages = (uint32_t)(memory->size / WEIR_PAGE_SIZE);
	low = (uint32_t)((DMA32_END - RAM_BASE) / WEIR_PAGE_SIZE);
	if (low > pages)
		low = pages;
	zone_create(memory, LOW, 0, low);
	zone_create(memory, HIGH, low, pages);
	return 0;
}

void posix_memory_destroy(struct posix_machine *machine)
{
	struct posix_memory *memory = machine->memory;

	if (!memory)
		return;
	if (memory->cpu_view)
		munmap(memory->cpu_view, memory->size);
	if (memory->models_view)
		munmap(memory->models_view, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	free(memory->links);
	free(memory->free_orders);
	free(memory->state);
	free(memory->caches);
	free(memory);
}

void *posix_memory_models_view(struct posix_machine *machine)
{
	return machine->memory->models_view;
}
