/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_DRIVER_H
#define WEIR_IOMMU_DRIVER_H

/*
 * What src/iommu and an IOMMU driver (src/smmuv3, ...) are to each other.
 *
 * Ownership: a driver's probe() allocates its own struct with a struct weir_iommu inside and fills
 * in what it is; domains likewise. src/iommu decides who is attached where and serialises attach
 * and detach (struct weir.lock); the driver programs the hardware and reports events.
 *
 * Hot path: map and unmap of one domain may run at once on any CPU, in any context, for disjoint
 * ranges; they take no lock that CPUs share.
 */

#include <weir/domain.h>
#include <weir/sys.h>

#include "base/extent.h"

struct weir_iova;
struct weir_iommu_ops;

/* An IOMMU as the firmware describes it. */
struct weir_iommu_desc {
	const char *name; /* for the log */
	weir_phys_t base;
	uint64_t size;
	bool coherent; /* its walks and queues snoop */
	uint32_t phandle;
	/* Platform interrupt numbers by the names of the binding; -1: none. */
	int irq_eventq, irq_gerror, irq_sync, irq_priq, irq_combined;
};

struct weir_iommu_driver {
	const char *name;
	const char *const *compatible; /* device tree; NULL at the end */
	/*
	 * Find out what it is, take it over with every stream blocked (in WEIR_MODE_OFF: leave it
	 * disabled and bypassing), connect its interrupts. Errors as weir_init().
	 */
	int (*probe)(struct weir *weir, const struct weir_iommu_desc *desc,
		     struct weir_iommu **iommu);
	/* Every stream blocked, interrupts disconnected, memory given back. */
	void (*remove)(struct weir_iommu *iommu);
};

struct weir_iommu {
	struct weir *weir;
	const struct weir_iommu_driver *driver;
	const struct weir_iommu_ops *ops;
	struct weir_iommu *next;
	uint32_t phandle;
	char name[32];
	uint64_t page_sizes; /* of its domains */
	weir_dma_t last;     /* highest input address of its domains */
	/* The driver's, not counted; identity NULL: no bypass. */
	struct weir_domain *blocked, *identity;
};

enum weir_domain_type { WEIR_DOMAIN_PAGING, WEIR_DOMAIN_IDENTITY, WEIR_DOMAIN_BLOCKED };

struct weir_domain {
	enum weir_domain_type type;
	struct weir_iommu *iommu;
	const struct weir_iommu_ops *ops;
	uint64_t page_sizes;
	weir_dma_t first, last;
	/* src/iommu: */
	bool is_dma;			 /* the DMA API's: freed with its group */
	struct weir_iova *iova;		 /* of the DMA API's domain */
	struct weir_msi_page *msi_pages; /* doorbells mapped here, under weir.lock */
	unsigned int attached;		 /* groups in it, under weir.lock */
	struct weir_spinlock fault_lock; /* handler; IRQ-safe */
	weir_fault_fn *fault_fn;
	void *fault_arg;
};

struct weir_iommu_ops {
	/* Can this ID be told apart? 0, or -WEIR_ERANGE. TASK. */
	int (*check_id)(struct weir_iommu *iommu, uint32_t id);

	/* A paging domain, empty. TASK. */
	int (*domain_alloc)(struct weir_iommu *iommu, struct weir_domain **domain);
	/* Nobody is attached; nothing of it is cached any more when it returns. TASK. */
	void (*domain_free)(struct weir_domain *domain);

	/*
	 * Stream `id` now does what `domain` (paging, identity, blocked) says; in effect on return.
	 * On an error it does what it did before, or is blocked if `domain` is. Serialised by
	 * weir.lock. TASK.
	 */
	int (*attach)(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain);

	/*
	 * Map the extents one after the other from iova on. All is aligned to the smallest page and
	 * inside the domain. -WEIR_EEXIST, -WEIR_ENOMEM; then nothing of it is mapped. -WEIR_EIO:
	 * that it is not was not confirmed: the range must not be used again. Any context.
	 */
	int (*map)(struct weir_domain *domain, weir_dma_t iova, const struct weir_extent *extents,
		   unsigned int count, unsigned int prot);
	/*
	 * Unmap and invalidate: on return no device can reach the memory through the range, and the
	 * table pages that became empty are free. Returns the bytes that were mapped; 0 too if the
	 * hardware did not confirm it: the memory must then not be reused. Any context.
	 */
	size_t (*unmap)(struct weir_domain *domain, weir_dma_t iova, size_t size);
	/* 0 or -WEIR_ENOENT. Any context. */
	int (*iova_to_phys)(struct weir_domain *domain, weir_dma_t iova, weir_phys_t *phys);
};

/*
 * A driver reports a blocked access (src/iommu/fault.c): finds the device, asks the handlers, logs
 * within limits, counts. `fault` has iommu, id, reason, name, and the access filled in; not dev.
 * IRQ or TASK.
 */
void weir_iommu_report_fault(struct weir_fault *fault);
/* The hardware says that it dropped events. */
void weir_iommu_report_overflow(struct weir_iommu *iommu);

#endif
