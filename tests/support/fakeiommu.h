/* SPDX-License-Identifier: MIT */
#ifndef FAKEIOMMU_H
#define FAKEIOMMU_H

/*
 * An IOMMU that is a table in the test, with its driver: for tests of src/iommu and src/dma without
 * hardware. What the core promises a driver is checked here, and ends the test if it is broken:
 * alignment, bounds, nobody attached to a domain that is freed, attaching under the machine's lock.
 *
 * Domains may be used by many threads at once.
 */

#include "iommu/driver.h"

#define FAKEIOMMU_IDS 64u
#define FAKEIOMMU_MAX 4u

/* Set before weir_init(), and while it runs; fakeiommu_reset() gives the defaults. */
struct fakeiommu_knobs {
	bool no_identity, no_interrupts;
	uint64_t page_sizes;	/* 4 KiB and 2 MiB */
	weir_dma_t first, last; /* 0, 2^48 - 1 */
	int probe_error;	/* of the Nth probe: */
	unsigned int probe_fails;
	/* The Nth call from now on fails with -WEIR_ENOMEM; 0: none. */
	unsigned int fail_map, fail_domain_alloc;
	bool map_is_lost;	 /* ... a map with -WEIR_EIO: undoing was not confirmed */
	unsigned int fail_unmap; /* the Nth from now on is not confirmed; 0: none */
	/* The same with -WEIR_ETIMEDOUT, and so many after it. */
	unsigned int fail_attach, fail_attach_more;
};
extern struct fakeiommu_knobs fakeiommu_knobs;

struct fakeiommu {
	struct weir_iommu iommu;
	struct weir_iommu_desc desc;		   /* as probed */
	struct weir_domain *stream[FAKEIOMMU_IDS]; /* never NULL: blocked at first */
	struct weir_domain blocked, identity;
};

extern const struct weir_iommu_driver fakeiommu_driver;
extern struct fakeiommu *fakeiommu[FAKEIOMMU_MAX]; /* in the order of probing; NULL: removed */
/* Alive now, and calls so far. */
extern unsigned int fakeiommu_domains, fakeiommu_attaches, fakeiommu_maps, fakeiommu_unmaps;

void fakeiommu_reset(void);

/*
 * A device tree of `count` IOMMUs: phandles 1, 2, ...; coherent, or not. Valid until the next call.
 */
const void *fakeiommu_fdt(unsigned int count, bool coherent, size_t *size);

/* What a device with this stream ID reaches: 0 and *phys, or what stops it. */
int fakeiommu_translate(struct fakeiommu *fake, uint32_t id, weir_dma_t iova, bool write,
			weir_phys_t *phys);
/* The same in a domain; 0: not mapped. *prot: what map() was given. */
bool fakeiommu_lookup(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys,
		      unsigned int *prot);
/* Pages mapped in it. */
uint64_t fakeiommu_pages(struct weir_domain *domain);
/* Let the driver report a fault of this stream. */
void fakeiommu_fault(struct fakeiommu *fake, uint32_t id, weir_dma_t iova, bool write,
		     enum weir_fault_reason reason);

#endif
