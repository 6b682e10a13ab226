/* SPDX-License-Identifier: MIT */
#ifndef PROPERTYWORLD_H
#define PROPERTYWORLD_H

/*
 * Domains, devices and address ranges on modelrig.h, random operations on them, and the oracle that
 * says what each access must meet.
 *
 * Each domain has for each thread two windows that the thread alone maps and unmaps in: one of
 * pages of 4 KiB, one of 2 MiB; windows of neighbours share tables. All domains have them at the
 * same addresses. An anchor, a page of its own at one address in each domain and in the DMA API's
 * domain of each device, tells by an access which domain a stream is in.
 *
 * The oracle: a word for each page of a window, physical address and permission. It is set before
 * the page is mapped, and cleared after the unmap returned. So an access that got through has
 * found, at any moment until it completes, exactly what the word says: whoever the thread is.
 * A stream has a word that says where it is and where it is about to be.
 *
 * Locks (read by accesses with a definite expectation, and by map and unmap; written by whoever
 * changes what they protect): a domain's, that it is there; a stream's, where it is. In that order.
 */

#include "modelrig.h"

#define WORLD_THREADS 4u
#define WORLD_DOMAINS 8u
#define WORLD_STREAMS 16u

enum world_op {
	WORLD_MAP,
	WORLD_MAP_LIST,
	WORLD_UNMAP,
	WORLD_ACCESS, /* by the owner: the answer is known */
	WORLD_PROBE,  /* the same, of what was just unmapped */
	WORLD_PRIME,  /* anywhere, while others map and unmap */
	WORLD_ANCHOR, /* of a stream: where is it? */
	WORLD_ATTACH,
	WORLD_DETACH,
	WORLD_RENEW, /* a domain is freed, and made again */
	WORLD_PLUG,  /* a device is removed, or added */
	WORLD_OPS,
};

struct world_worker {
	unsigned int number;
	uint64_t random;
	uint64_t operations, by_op[WORLD_OPS];
	uint64_t pages, reused, frames[3]; /* mapped; of these again; leaves that sizes allowed */
	uint64_t passed, blocked;
	/* The last range that was mapped or unmapped, for world_hunt(). */
	unsigned int domain, window;
	uint64_t first, count;
};

void world_start(const struct modelrig_options *options);
/* Ends the test if pages or domains are left. */
void world_stop(void);
/* What is there may be broken. */
void world_abandon(void);

void world_worker_init(struct world_worker *worker, unsigned int number, uint64_t seed);
/* The calling thread is this worker. */
void world_enter(struct world_worker *worker);
/* A random operation. A wrong answer ends the process, unless something was left out on purpose. */
void world_step(struct world_worker *worker);
/* Look for the consequences of what was left out: was it caught? One thread. */
bool world_hunt(struct world_worker *worker);

/* Pages of domains, of 2^12 or of 2^21 bytes, that were mapped since the start. */
uint64_t world_distinct_pages(unsigned int shift);

#endif
