/* SPDX-License-Identifier: MIT */

/*
 * RAM of 80 GiB, of which there are the pages that were written: found by a hash of their number.
 * Clearing it costs what was written. One thread.
 */

#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#define PAGE_BITS 12
#define PAGE_BYTES (1u << PAGE_BITS)
#define BUCKETS 1024u

struct page {
	struct page *next;
	uint64_t number;
	uint8_t bytes[PAGE_BYTES];
};

struct ram {
	struct page *buckets[BUCKETS];
	struct page *spare;
};

struct ram *ram_create(void)
{
	struct ram *ram = calloc(1, sizeof(*ram));

	if (!ram)
		out_of_memory();
	return ram;
}

void ram_clear(struct ram *ram)
{
	struct page *page;

	for (size_t i = 0; i < BUCKETS; i++) {
		while ((page = ram->buckets[i])) {
			ram->buckets[i] = page->next;
			page->next = ram->spare;
			ram->spare = page;
		}
	}
}

void ram_destroy(struct ram *ram)
{
	struct page *page;

	ram_clear(ram);
	while ((page = ram->spare)) {
		ram->spare = page->next;
		free(page);
	}
	free(ram);
}

bool ram_has(uint64_t addr, uint64_t len)
{
	return addr >= VECTOR_RAM_BASE && len <= VECTOR_RAM_SIZE &&
	       addr - VECTOR_RAM_BASE <= VECTOR_RAM_SIZE - len;
}

static struct page **bucket(struct ram *ram, uint64_t number)
{
	/* Tables lie close together, what they point to anywhere. */
	return &ram->buckets[(number ^ number >> 10) % BUCKETS];
}

static struct page *find(struct ram *ram, uint64_t number)
{
	struct page *page = *bucket(ram, number);

	while (page && page->number != number)
		page = page->next;
	return page;
}

static struct page *add(struct ram *ram, uint64_t number)
{
	struct page *page = ram->spare;

	if (page)
		ram->spare = page->next;
	else
		page = malloc(sizeof(*page));
	if (!page)
		out_of_memory();
	memset(page->bytes, 0, PAGE_BYTES);
	page->number = number;
	page->next = *bucket(ram, number);
	*bucket(ram, number) = page;
	return page;
}

/* The bytes from addr that are in its page, at most len. */
static size_t in_page(uint64_t addr, size_t len)
{
	size_t left = PAGE_BYTES - (addr & (PAGE_BYTES - 1));

	return len < left ? len : left;
}

void ram_read(struct ram *ram, uint64_t addr, void *bytes, size_t len)
{
	uint8_t *out = bytes;
	size_t n;

	memset(out, 0, len);
	if (!ram_has(addr, len))
		return;
	for (; len; addr += n, out += n, len -= n) {
		struct page *page = find(ram, addr >> PAGE_BITS);

		n = in_page(addr, len);
		if (page)
			memcpy(out, page->bytes + (addr & (PAGE_BYTES - 1)), n);
	}
}

void ram_write(struct ram *ram, uint64_t addr, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	size_t n;

	if (!ram_has(addr, len))
		return;
	for (; len; addr += n, in += n, len -= n) {
		struct page *page = find(ram, addr >> PAGE_BITS);

		n = in_page(addr, len);
		if (!page)
			page = add(ram, addr >> PAGE_BITS);
		memcpy(page->bytes + (addr & (PAGE_BYTES - 1)), in, n);
	}
}
