/* SPDX-License-Identifier: MIT */
#ifndef EMBED_HOST_H
#define EMBED_HOST_H

/* What the test asks of the kernel, in names that both sides can have. */

#include <stdbool.h>
#include <stdint.h>

struct embed_seen {
	uint64_t phys, single, page, segment; /* the buffer, and what the device would see of it */
	unsigned int segments, left, pages_left;
	int init, add, fini;
	int kernels_dma_map_single; /* what the kernel's own function of that name returns */
};

/* host.c: brings weir up, maps and unmaps for a device of the kernel, takes weir down. */
void embed_run(struct embed_seen *seen);
/* late.c: the sizes of weir's structures, seen with the headers included in the other order. */
struct embed_sizes {
	unsigned long device, options, sg, domain_flags;
};
void embed_sizes_early(struct embed_sizes *sizes);
void embed_sizes_late(struct embed_sizes *sizes);

#endif
