/* SPDX-License-Identifier: MIT */
/*
 * Pages for tables, zeroed: a bounded stock for each CPU in front of the platform. A page comes
 * back all zero by itself (unmapping cleared every entry), so that the stock never needs a memset.
 */

#include "pgtable/pgtable.h"

#include "base/lock.h"

int weir_pgtable_cache_init(struct weir_pgtable_cache *cache, void *plat, unsigned int cpus,
			    enum weir_zone zone, unsigned int page_shift, int64_t *in_use)
{
	size_t size = cpus * sizeof(struct weir_pgtable_magazine);
	unsigned int order = 0;
	weir_phys_t phys;
	int ret;

	while (WEIR_PAGE_SIZE << order < size)
		order++;
	ret = plat_pages_alloc(plat, order, WEIR_ZONE_NORMAL, 0, &phys);
	if (ret)
		return ret;
	cache->plat = plat;
	cache->cpus = cpus;
	cache->zone = zone;
	cache->page_order = page_shift - WEIR_PAGE_SHIFT;
	cache->order = order;
	cache->in_use = in_use;
	cache->magazines = plat_phys_to_virt(plat, phys);
	memset(cache->magazines, 0, size);
	return 0;
}

void weir_pgtable_cache_fini(struct weir_pgtable_cache *cache)
{
	unsigned int cpu, i;

	if (!cache->magazines)
		return;
	for (cpu = 0; cpu < cache->cpus; cpu++) {
		struct weir_pgtable_magazine *magazine = &cache->magazines[cpu];

		for (i = 0; i < magazine->count; i++)
			plat_pages_free(cache->plat,
					plat_virt_to_phys(cache->plat, magazine->pages[i]),
					cache->page_order);
	}
	plat_pages_free(cache->plat, plat_virt_to_phys(cache->plat, cache->magazines),
			cache->order);
	cache->magazines = NULL;
}

static uint64_t *from_magazine(struct weir_pgtable_cache *cache)
{
	struct weir_pgtable_magazine *magazine = &cache->magazines[plat_cpu()];
	uint64_t *page = NULL;
	uintptr_t flags = weir_lock_irq(&magazine->lock);

	if (magazine->count)
		page = magazine->pages[--magazine->count];
	weir_unlock_irq(&magazine->lock, flags);
	return page;
}

uint64_t *weir_pgtable_page_alloc(struct weir_pgtable_cache *cache)
{
	uint64_t *page = from_magazine(cache);
	weir_phys_t phys;

	if (!page) {
		if (plat_pages_alloc(cache->plat, cache->page_order, cache->zone, WEIR_ALLOC_ATOMIC,
				     &phys))
			return NULL;
		page = plat_phys_to_virt(cache->plat, phys);
		memset(page, 0, WEIR_PAGE_SIZE << cache->page_order);
	}
	__atomic_fetch_add(cache->in_use, (int64_t)1 << cache->page_order, __ATOMIC_RELAXED);
	return page;
}

static bool to_magazine(struct weir_pgtable_cache *cache, uint64_t *page)
{
	struct weir_pgtable_magazine *magazine = &cache->magazines[plat_cpu()];
	uintptr_t flags = weir_lock_irq(&magazine->lock);
	bool fits = magazine->count < WEIR_PGTABLE_CACHED;

	if (fits)
		magazine->pages[magazine->count++] = page;
	weir_unlock_irq(&magazine->lock, flags);
	return fits;
}

void weir_pgtable_page_free(struct weir_pgtable_cache *cache, uint64_t *page)
{
	__atomic_fetch_sub(cache->in_use, (int64_t)1 << cache->page_order, __ATOMIC_RELAXED);
	if (!to_magazine(cache, page))
		plat_pages_free(cache->plat, plat_virt_to_phys(cache->plat, page),
				cache->page_order);
}
