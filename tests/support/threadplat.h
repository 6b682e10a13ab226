/* SPDX-License-Identifier: MIT */
#ifndef THREADPLAT_H
#define THREADPLAT_H

/*
 * A platform for tests of one piece under many threads: CPUs are threads that say which one they
 * are, time is real, interrupts are what the test calls. Locks and memory are seen by the thread
 * sanitizer. One at a time; `plat` is NULL everywhere.
 *
 * With a shadow, memory has two contents: what CPUs wrote, and what plat_cache_clean() has taken
 * out to where a device that does not snoop reads it.
 */

#include <weir/platform.h>

#define THREADPLAT_RAM_BASE 0x80000000ull

struct threadplat_mmio {
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned int size);
	void (*write)(void *opaque, uint64_t offset, unsigned int size, uint64_t value);
	void *opaque;
};

void threadplat_new(size_t ram_size, bool shadow);
/* Ends the test if pages are left. */
void threadplat_delete(void);
/* The same, with whatever is left. */
void threadplat_delete_dirty(void);
/* The calling thread is this CPU from now on. */
void threadplat_set_cpu(unsigned int cpu);
/* Registers for plat_mmio_map(): an address is an offset into them. */
void threadplat_set_mmio(const struct threadplat_mmio *mmio);
/* What happens at each plat_dma_wmb() from now on; NULL: nothing. */
void threadplat_set_barrier(void (*fn)(void));
/* Asked before each plat_cache_clean() and flush: false leaves it out. NULL: nobody is. */
void threadplat_set_cleaning(bool (*fn)(const void *virt, size_t size));
/* All allocations fail from now on, or no longer. */
void threadplat_exhaust(bool exhausted);
/* RAM as a device sees it: the shadow, or the memory itself. */
void *threadplat_device_view(uint64_t phys);
uint64_t threadplat_pages_in_use(void);

#endif
