/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MM_H
#define WEIR_MM_H

/*
 * Pages and the heap. A struct page is a handle of a page frame: it can be compared and counted up
 * (page + 1 is the next frame), and is never dereferenced.
 */

#include <weir/dma.h>
#include <weir/io.h>

struct page {
	unsigned char weir_never_dereferenced[64];
};

static inline struct page *phys_to_page(phys_addr_t phys)
{
	return (struct page *)weir_page_handle(phys);
}
static inline phys_addr_t page_to_phys(const struct page *page)
{
	return weir_page_phys((uintptr_t)page);
}
static inline void *page_address(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}
static inline struct page *virt_to_page(const void *virt)
{
	return phys_to_page(virt_to_phys(virt) & WEIR_PAGE_MASK);
}

/** 2^order pages; NULL: no memory. Zeroed with __GFP_ZERO. */
static inline struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	void *plat = weir_plat(plat_weir());
	weir_phys_t phys;

	if (order > WEIR_PLAT_MAX_ORDER ||
	    plat_pages_alloc(plat, order, WEIR_ZONE_NORMAL, gfp & GFP_ATOMIC, &phys))
		return NULL;
	if (gfp & __GFP_ZERO)
		memset(plat_phys_to_virt(plat, phys), 0, PAGE_SIZE << order);
	return phys_to_page(phys);
}
static inline void __free_pages(struct page *page, unsigned int order)
{
	plat_pages_free(weir_plat(plat_weir()), page_to_phys(page), order);
}
#define alloc_page(gfp) alloc_pages(gfp, 0)
#define __free_page(page) __free_pages(page, 0)

/** Memory that is zeroed even without the z: weir's heap always is. */
static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return weir_alloc(plat_weir(), size, gfp & GFP_ATOMIC);
}
static inline void *kmalloc(size_t size, gfp_t gfp)
{
	return kzalloc(size, gfp);
}
static inline void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(bytes, gfp);
}
static inline void kfree(const void *ptr)
{
	weir_free(plat_weir(), (void *)ptr);
}

#endif
