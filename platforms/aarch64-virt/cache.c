/* SPDX-License-Identifier: MIT */
/*
 * Cache maintenance to the point of coherency (DDI 0487, "A64 Cache maintenance instructions"), by
 * the smallest line of all data caches. DSB SY ends each: for every observer, devices outside the
 * shareability domains among them.
 */

#include "virt.h"

/* CTR_EL0.DminLine: log2 of the words (4 bytes) in a line. */
static uintptr_t line_size(void)
{
	return (uintptr_t)4 << (VIRT_READ(ctr_el0) >> 16 & 0xf);
}

void plat_cache_clean(void *plat, const void *start, size_t size)
{
	uintptr_t line = line_size(), end = (uintptr_t)start + size;
	uintptr_t at = (uintptr_t)start & ~(line - 1);

	(void)plat;
	for (; at < end; at += line)
		__asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb sy" : : : "memory");
}

void plat_cache_flush(void *plat, const void *start, size_t size)
{
	uintptr_t line = line_size(), end = (uintptr_t)start + size;
	uintptr_t at = (uintptr_t)start & ~(line - 1);

	(void)plat;
	for (; at < end; at += line)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb sy" : : : "memory");
}

/* A line that lies partly outside holds somebody else's data too: that is not thrown away. */
void plat_cache_invalidate(void *plat, const void *start, size_t size)
{
	uintptr_t line = line_size(), first = (uintptr_t)start, end = first + size;
	uintptr_t at = first & ~(line - 1);

	(void)plat;
	for (; at < end; at += line) {
		if (at < first || end - at < line)
			__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
		else
			__asm__ volatile("dc ivac, %0" : : "r"(at) : "memory");
	}
	__asm__ volatile("dsb sy" : : : "memory");
}
