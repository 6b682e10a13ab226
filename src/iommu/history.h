/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_HISTORY_H
#define WEIR_IOMMU_HISTORY_H

/*
 * The last mappings, for reports: who held an address, mapped where, unmapped when.
 *
 * As many rings of records as there are CPUs. A mapping's ring is chosen by its address, so that
 * unmapping finds the record wherever it runs, and one busy address pushes out the records of few
 * others. In each ring a hash table by address leads to the records that are still open.
 *
 * Locking: weir_history_ring.lock (IRQ-safe), one at a time, innermost.
 */

#include "iommu/driver.h"

#include "base/machine.h"

#define WEIR_HISTORY_MAX 32768u

int weir_history_init(struct weir *weir, unsigned int entries);
void weir_history_fini(struct weir *weir);

void weir_history_add(struct weir_device *dev, struct weir_domain *domain, weir_dma_t start,
		      size_t size, unsigned int prot, const struct weir_site *site);
void weir_history_close(struct weir *weir, struct weir_domain *domain, weir_dma_t start,
			const struct weir_site *site);

/* A mapping was made, and unmapped (before its address is free again). Any context. */
static inline void weir_history_map(struct weir_device *dev, struct weir_domain *domain,
				    weir_dma_t start, size_t size, unsigned int prot,
				    const struct weir_site *site)
{
	if (WEIR_UNLIKELY(dev->weir->history))
		weir_history_add(dev, domain, start, size, prot, site);
}
static inline void weir_history_unmap(struct weir_device *dev, struct weir_domain *domain,
				      weir_dma_t start, const struct weir_site *site)
{
	if (WEIR_UNLIKELY(dev->weir->history))
		weir_history_close(dev->weir, domain, start, site);
}

/* Records lose the name of their device, or are dropped, before it or the domain is gone. */
void weir_history_forget_device(struct weir_device *dev);
void weir_history_forget_domain(struct weir *weir, struct weir_domain *domain);

/*
 * The newest record that covers `address`, of `domain` or, if that is NULL, of any but `except`.
 * -WEIR_ENOENT, -WEIR_EOPNOTSUPP. *forgot: records were pushed out, so more than this may be true.
 */
int weir_history_search(struct weir *weir, const struct weir_domain *domain,
			const struct weir_domain *except, weir_dma_t address,
			struct weir_history *found, bool *forgot);
/* Up to `max` mappings of the device that are still there. */
unsigned int weir_history_open(struct weir_device *dev, struct weir_history *found,
			       unsigned int max);

#endif
