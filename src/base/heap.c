/* SPDX-License-Identifier: MIT */
/* The heap: slabs of small blocks, and whole pages. heap.h has the structure and the locks. */

#include "base/heap.h"

#include "base/bitmap.h"
#include "base/lock.h"
#include "base/machine.h"

#define SLAB_MAGIC 0x57454952u
#define SLAB_WORDS WEIR_BITMAP_WORDS(WEIR_PAGE_SIZE >> WEIR_HEAP_MIN_SHIFT)

/* At the start of the slab's page. */
struct weir_slab {
	struct weir_list list; /* in its class's partial list, or a ring of its own */
	struct weir_heap *heap;
	uint32_t magic;
	uint16_t shift;		   /* of the size of its blocks */
	uint16_t used;		   /* blocks in use, without those under the header */
	uint64_t busy[SLAB_WORDS]; /* a bit for each block; set too under the header */
};
_Static_assert(sizeof(struct weir_slab) == 64, "the first blocks of a slab");

static unsigned int slab_blocks(unsigned int shift)
{
	return WEIR_PAGE_SIZE >> shift;
}

/* Blocks that the header covers. */
static unsigned int slab_header_blocks(unsigned int shift)
{
	return (sizeof(struct weir_slab) + (1u << shift) - 1) >> shift;
}

static bool slab_is_full(const struct weir_slab *slab)
{
	return slab->used == slab_blocks(slab->shift) - slab_header_blocks(slab->shift);
}

static struct weir_heap_class *heap_class(struct weir_heap *heap, unsigned int shift)
{
	return &heap->classes[shift - WEIR_HEAP_MIN_SHIFT];
}

void weir_heap_init(struct weir_heap *heap, void *plat, bool whole_pages)
{
	memset(heap, 0, sizeof(*heap));
	heap->plat = plat;
	heap->whole_pages = whole_pages;
	for (unsigned int i = 0; i < WEIR_HEAP_CLASSES; i++)
		weir_list_init(&heap->classes[i].partial);
	weir_pagemap_init(&heap->orders, plat);
}

static void complain(struct weir_heap *heap, const char *what, const void *ptr)
{
	char line[96];

	weir_snprintf(line, sizeof(line), "heap: %s (%p)", what, ptr);
	plat_log(heap->plat, WEIR_LOG_ERR, line);
}

/* Relaxed: the count orders nothing. */
static void count_in(struct weir_heap *heap, uint64_t bytes)
{
	__atomic_fetch_add(&heap->in_use, bytes, __ATOMIC_RELAXED);
}

static void count_out(struct weir_heap *heap, uint64_t bytes)
{
	__atomic_fetch_sub(&heap->in_use, bytes, __ATOMIC_RELAXED);
}

/* ---- Blocks ------------------------------------------------------------------------------ */

static struct weir_slab *slab_make(struct weir_heap *heap, unsigned int shift, unsigned int flags)
{
	struct weir_slab *slab;
	weir_phys_t phys;

	if (plat_pages_alloc(heap->plat, 0, WEIR_ZONE_NORMAL, flags, &phys))
		return NULL;
	slab = plat_phys_to_virt(heap->plat, phys);
	memset(slab, 0, sizeof(*slab));
	weir_list_init(&slab->list);
	slab->heap = heap;
	slab->magic = SLAB_MAGIC;
	slab->shift = (uint16_t)shift;
	for (unsigned int i = 0; i < slab_header_blocks(shift); i++)
		weir_bit_set(slab->busy, i);
	return slab;
}

static void slab_give_back(struct weir_slab *slab)
{
	void *plat = slab->heap->plat;

	slab->magic = 0; /* a late second free of one of its blocks is noticed, mostly */
	plat_pages_free(plat, plat_virt_to_phys(plat, slab), 0);
}

/* A block of a slab that has one. Under the class's lock. */
static void *slab_take_locked(struct weir_heap_class *class, struct weir_slab *slab)
{
	unsigned int block = weir_bit_find_clear(slab->busy, slab_blocks(slab->shift), 0);

	weir_bit_set(slab->busy, block);
	if (!slab->used++)
		class->empty--;
	if (slab_is_full(slab))
		weir_list_del(&slab->list);
	return (char *)slab + ((size_t)block << slab->shift);
}

static void *block_take(struct weir_heap_class *class)
{
	uintptr_t flags = weir_lock_irq(&class->lock);
	void *ptr = NULL;

	if (!weir_list_empty(&class->partial))
		ptr = slab_take_locked(class, weir_list_entry(class->partial.next, struct weir_slab,
							      list));
	weir_unlock_irq(&class->lock, flags);
	return ptr;
}

static void *block_take_from(struct weir_heap_class *class, struct weir_slab *slab)
{
	uintptr_t flags = weir_lock_irq(&class->lock);
	void *ptr;

	weir_list_add(&slab->list, &class->partial);
	class->empty++;
	ptr = slab_take_locked(class, slab);
	weir_unlock_irq(&class->lock, flags);
	return ptr;
}

static void *small_alloc(struct weir_heap *heap, unsigned int shift, unsigned int flags)
{
	struct weir_heap_class *class = heap_class(heap, shift);
	void *ptr = block_take(class);

	if (!ptr) {
		/* Without the lock: the platform may sleep. At worst two CPUs bring a slab each. */
		struct weir_slab *slab = slab_make(heap, shift, flags);

		if (!slab)
			return NULL;
		ptr = block_take_from(class, slab);
	}
	count_in(heap, (uint64_t)1 << shift);
	return memset(ptr, 0, (size_t)1 << shift);
}

/* The slab of a pointer that is not page-aligned; NULL: it is none of this heap's blocks. */
static struct weir_slab *slab_of(struct weir_heap *heap, void *ptr, unsigned int *block)
{
	uintptr_t offset = (uintptr_t)ptr & (WEIR_PAGE_SIZE - 1);
	struct weir_slab *slab = (void *)((char *)ptr - offset);

	if (slab->magic != SLAB_MAGIC || slab->heap != heap)
		return NULL;
	*block = (unsigned int)(offset >> slab->shift);
	if (offset & (((uintptr_t)1 << slab->shift) - 1) ||
	    *block < slab_header_blocks(slab->shift))
		return NULL;
	return slab;
}

/* Under the class's lock. true: the slab is out of the list and to be given back. */
static bool slab_put_locked(struct weir_heap_class *class, struct weir_slab *slab,
			    unsigned int block)
{
	if (slab_is_full(slab))
		weir_list_add(&slab->list, &class->partial);
	weir_bit_clear(slab->busy, block);
	if (--slab->used)
		return false;
	if (!class->empty) {
		class->empty = 1;
		return false;
	}
	weir_list_del(&slab->list);
	return true;
}

static void small_free(struct weir_heap *heap, void *ptr)
{
	unsigned int block, shift;
	struct weir_slab *slab = slab_of(heap, ptr, &block);
	struct weir_heap_class *class;
	bool busy, give_back = false;
	uintptr_t flags;

	if (!slab) {
		complain(heap, "free of what is no allocation", ptr);
		return;
	}
	shift = slab->shift;
	class = heap_class(heap, shift);
	flags = weir_lock_irq(&class->lock);
	busy = weir_bit_test(slab->busy, block);
	if (busy)
		give_back = slab_put_locked(class, slab, block);
	weir_unlock_irq(&class->lock, flags);
	if (!busy) {
		complain(heap, "second free of one allocation", ptr);
		return;
	}
	count_out(heap, (uint64_t)1 << shift);
	if (give_back)
		slab_give_back(slab);
}

/* ---- Pages ------------------------------------------------------------------------------- */

static void *large_alloc(struct weir_heap *heap, unsigned int order, unsigned int flags)
{
	size_t size = WEIR_PAGE_SIZE << order;
	weir_phys_t phys;

	if (plat_pages_alloc(heap->plat, order, WEIR_ZONE_NORMAL, flags, &phys))
		return NULL;
	if (weir_pagemap_set(&heap->orders, phys, (uint8_t)(order + 1), flags)) {
		plat_pages_free(heap->plat, phys, order);
		return NULL;
	}
	count_in(heap, size);
	return memset(plat_phys_to_virt(heap->plat, phys), 0, size);
}

static void large_free(struct weir_heap *heap, void *ptr)
{
	weir_phys_t phys = plat_virt_to_phys(heap->plat, ptr);
	unsigned int order = weir_pagemap_take(&heap->orders, phys);

	if (!order) {
		complain(heap, "free of pages that are no allocation, or a second time", ptr);
		return;
	}
	count_out(heap, WEIR_PAGE_SIZE << (order - 1));
	plat_pages_free(heap->plat, phys, order - 1);
}

/* ---- The whole --------------------------------------------------------------------------- */

/* The smallest n with 2^n >= size; size is not 0. */
static unsigned int log2_up(size_t size)
{
	return size == 1 ? 0 : 64 - (unsigned int)__builtin_clzll(size - 1);
}

void *weir_heap_alloc(struct weir_heap *heap, size_t size, unsigned int flags)
{
	unsigned int shift = log2_up(size ? size : 1);

	if (shift > WEIR_PAGE_SHIFT + WEIR_PLAT_MAX_ORDER)
		return NULL;
	if (shift > WEIR_HEAP_MAX_SHIFT || heap->whole_pages)
		return large_alloc(heap, shift < WEIR_PAGE_SHIFT ? 0 : shift - WEIR_PAGE_SHIFT,
				   flags);
	return small_alloc(heap, shift < WEIR_HEAP_MIN_SHIFT ? WEIR_HEAP_MIN_SHIFT : shift, flags);
}

void weir_heap_free(struct weir_heap *heap, void *ptr)
{
	if (!ptr)
		return;
	if ((uintptr_t)ptr & (WEIR_PAGE_SIZE - 1))
		small_free(heap, ptr);
	else
		large_free(heap, ptr);
}

uint64_t weir_heap_fini(struct weir_heap *heap)
{
	uint64_t leaked = __atomic_load_n(&heap->in_use, __ATOMIC_RELAXED);
	struct weir_list *pos, *tmp;

	for (unsigned int i = 0; i < WEIR_HEAP_CLASSES; i++) {
		weir_list_for_each_safe(pos, tmp, &heap->classes[i].partial) {
			struct weir_slab *slab = weir_list_entry(pos, struct weir_slab, list);

			weir_list_del(pos);
			if (!slab->used)
				slab_give_back(slab);
		}
		heap->classes[i].empty = 0;
	}
	weir_pagemap_fini(&heap->orders);
	if (leaked) {
		char line[64];

		weir_snprintf(line, sizeof(line), "heap: %llu bytes leaked",
			      (unsigned long long)leaked);
		plat_log(heap->plat, WEIR_LOG_ERR, line);
	}
	return leaked;
}

void *weir_alloc(struct weir *weir, size_t size, unsigned int flags)
{
	return weir_heap_alloc(&weir->heap, size, flags);
}

void weir_free(struct weir *weir, void *ptr)
{
	weir_heap_free(&weir->heap, ptr);
}

uint64_t weir_heap_in_use(struct weir *weir)
{
	return __atomic_load_n(&weir->heap.in_use, __ATOMIC_RELAXED);
}
