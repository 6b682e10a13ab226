/* SPDX-License-Identifier: MIT */
#ifndef TRY_H
#define TRY_H

/*
 * One attempt of the edu device at memory, and how it ended.
 *
 * What the device writes is a mark, from the upper half of its buffer; what it reads it puts into a
 * place in the lower half that no other attempt uses and that held the mark before. Then it writes
 * that place out to memory that it was given, where it is looked at.
 */

#include <weir/dma-mapping.h>

#include <edu/edu.h>
#include "program.h"
#include "watch.h"

#define TRY_SIZE 64u
#define TRY_MAX 32u /* attempts: places in the lower half of the buffer */

struct attempt {
	const char *what;
	dma_addr_t addr; /* of TRY_SIZE bytes */
	bool write;
	unsigned int right; /* so many bytes, the first of memory, are the device's */
	/* What lies there, as the CPU sees it; NULL: nothing. */
	unsigned char *memory;
};

struct tries {
	struct weir *weir;
	struct edu *edu;
	struct device *dev;
	struct part *part;
	struct watch watch;
	/* The mark, which the device may read, and where it shows what is in its buffer. */
	struct page *out_page, *in_page;
	dma_addr_t out, in;
	/* Counted. */
	unsigned int attempts, reads, writes, blocked, reached;
	unsigned int cut; /* the device dropped bits of the address: nothing was tried */
	uint64_t events, others;
	bool failed; /* a transfer did not end: nothing more is tried */
};

/*
 * Memory for it, and a first transfer in each direction that it has every right to, which also
 * leaves the mark in the buffer. false: it did not work out, the part of the report says why.
 */
bool tries_begin(struct tries *t);
void tries_end(struct tries *t);
/*
 * The device reads TRY_SIZE bytes there, as it has a right to, into a part of its buffer that no
 * attempt uses: from then on the IOMMU may have the translation cached.
 */
void tries_use(struct tries *t, dma_addr_t addr);
/* Make one, and say in the report how it ended. */
void tries_make(struct tries *t, const struct attempt *attempt);
/*
 * Whether the device has a right to some of these addresses: those of its two pages. Its page
 * tables are not asked, for they are what is tried.
 */
bool tries_is_its_own(const struct tries *t, dma_addr_t addr, size_t size);

#endif
