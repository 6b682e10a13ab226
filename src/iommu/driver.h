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
	bool coherent;		 /* its walks and queues snoop */
	bool overrides_coherent; /* ... whatever its registers say of that (IORT) */
	uint32_t phandle;	 /* of its node in the device tree; 0: none */
	uint32_t iort_node;	 /* where its node in the IORT begins; 0: not there */
	/* Platform interrupt numbers by the names of the binding; -1: none. */
	int irq_eventq, irq_gerror, irq_sync, irq_priq, irq_combined;
	/* It may send messages instead: what plat_msi_alloc() wants to know of it. */
	bool has_msi;
	uint32_t msi_controller, msi_device_id;
};

struct weir_iommu_driver {
	const char *name;
	const char *const *compatible; /* device tree; NULL at the end */
	uint32_t iort_type;	       /* of its nodes in the IORT (weir/iort.h); 0: none */
	/*
	 * Find out what it is, take it over with every stream blocked (in WEIR_MODE_OFF: leave it
	 * disabled and bypassing), connect its interrupts. Until start() nothing passes, whatever
	 * is attached. Errors as weir_init().
	 */
	int (*probe)(struct weir *weir, const struct weir_iommu_desc *desc,
		     struct weir_iommu **iommu);
	/* Every stream blocked, interrupts disconnected, memory given back. */
	void (*remove)(struct weir_iommu *iommu);
	/*
	 * As weir_suspend() and weir_resume(). An error of suspend: it may be half done, resume is
	 * called next. Of resume: every stream is blocked. NULL: nothing to do. Under weir.lock.
	 */
	int (*suspend)(struct weir_iommu *iommu);
	int (*resume)(struct weir_iommu *iommu);
};

struct weir_iommu {
	struct weir *weir;
	const struct weir_iommu_driver *driver;
	const struct weir_iommu_ops *ops;
	struct weir_iommu *next;
	uint32_t phandle, iort_node; /* as in weir_iommu_desc */
	char name[32];
	uint64_t page_sizes; /* of its domains */
	weir_dma_t last;     /* highest input address of its domains */
	/* The driver's, not counted; identity NULL: no bypass. */
	struct weir_domain *blocked, *identity;
};

enum weir_domain_type {
	WEIR_DOMAIN_PAGING,
	WEIR_DOMAIN_IDENTITY,
	WEIR_DOMAIN_BLOCKED,
	WEIR_DOMAIN_NESTED, /* a guest's translation over the parent of its viommu */
};

struct weir_domain {
	enum weir_domain_type type;
	struct weir_iommu *iommu;
	const struct weir_iommu_ops *ops;
	uint64_t page_sizes;
	weir_dma_t first, last;
	struct weir_viommu *viommu; /* of a nested domain: whose it is */
	/* src/iommu: */
	bool is_dma;			 /* the DMA API's: freed with its group */
	struct weir_iova *iova;		 /* of the DMA API's domain */
	struct weir_msi_page *msi_pages; /* doorbells mapped here, under weir.lock */
	unsigned int attached;		 /* groups, PASIDs, viommus over it; under weir.lock */
	bool tracks_dirty;		 /* it was allocated so; and now it does: */
	bool is_tracking;		 /* under weir.lock */
	struct weir_spinlock fault_lock; /* handler; IRQ-safe */
	weir_fault_fn *fault_fn;
	void *fault_arg;
};

/* Inside of what the driver has for it. All but `lock` is zero at first. */
struct weir_viommu {
	struct weir_domain *parent;
	unsigned int domains;	      /* nested ones, under weir.lock */
	struct weir_mutex lock;	      /* inside weir.lock: */
	struct weir_vdevice *devices; /* written under weir.lock, too */
};

/* What a device can do on one of its streams. */
struct weir_stream_caps {
	struct weir_device *dev;
	uint8_t pasid_bits;		   /* 0: none */
	bool can_stall;			   /* its accesses may wait for a fault to be resolved */
	const struct weir_device_ats *ats; /* NULL: it has no device TLB, or not for this stream */
};

/* TASK: under weir.lock, if nothing else is said. */
struct weir_iommu_ops {
	/*
	 * From now on streams do what their domains say. Once, after probe(), and not in
	 * WEIR_MODE_OFF; streams may be attached before. NULL: they did from the start. Errors as
	 * weir_init(). TASK.
	 */
	int (*start)(struct weir_iommu *iommu);

	/* Can this ID be told apart? 0, or -WEIR_ERANGE. TASK. */
	int (*check_id)(struct weir_iommu *iommu, uint32_t id);

	/*
	 * A stream whose device is there from now on, blocked. -WEIR_ENOMEM. NULL: nothing is to be
	 * known of streams. TASK.
	 */
	int (*stream_add)(struct weir_iommu *iommu, uint32_t id,
			  const struct weir_stream_caps *caps);
	/* It is blocked, and has no PASIDs. TASK. */
	void (*stream_remove)(struct weir_iommu *iommu, uint32_t id);

	/*
	 * A paging domain, empty; `flags` as weir_domain_alloc_flags(). Not serialised with others
	 * but by what calls it. TASK.
	 */
	int (*domain_alloc)(struct weir_iommu *iommu, unsigned int flags,
			    struct weir_domain **domain);
	/* Nobody is attached; nothing of it is cached any more when it returns. TASK. */
	void (*domain_free)(struct weir_domain *domain);

	/*
	 * Stream `id` now does what `domain` (paging, identity, blocked) says; in effect on return.
	 * On an error it does what it did before, or is blocked; if `domain` is, it is blocked.
	 * TASK.
	 */
	int (*attach)(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain);
	/*
	 * The same for a PASID of the stream; `domain` NULL: it has none any more (and on an error
	 * too, as far as the hardware can be told). Errors as weir_domain_attach_pasid(). NULL: no
	 * PASIDs. TASK.
	 */
	int (*attach_pasid)(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain,
			    uint32_t pasid);

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
	/*
	 * Of a domain with WEIR_DOMAIN_DIRTY_TRACKING: as weir_domain_read_and_clear_dirty(). NULL:
	 * there are none. Any context.
	 */
	int (*read_dirty)(struct weir_domain *domain, weir_dma_t iova, uint64_t size, bool clear,
			  weir_domain_dirty_fn *fn, void *arg);

	/*
	 * Of viommus: as the functions of weir/domain.h. domain_free() takes nested domains, too.
	 * NULL: there are none. TASK.
	 */
	int (*viommu_alloc)(struct weir_domain *parent, struct weir_viommu **viommu);
	void (*viommu_free)(struct weir_viommu *viommu);
	int (*nested_alloc)(struct weir_viommu *viommu, const void *data, size_t size,
			    struct weir_domain **domain);
	/* Under weir_viommu.lock alone; may use weir_viommu_find(). */
	int (*viommu_invalidate)(struct weir_viommu *viommu, const void *cmds, unsigned int *count);
};

/* The device that the guest calls by this ID, or NULL. Under weir_viommu.lock. */
struct weir_device *weir_viommu_find(struct weir_viommu *viommu, uint32_t id);

/*
 * A driver reports a blocked access (src/iommu/fault.c): finds the device, asks the handlers, logs
 * within limits, counts. `fault` has iommu, id, reason, name, and the access filled in; not dev.
 * IRQ or TASK.
 */
void weir_iommu_report_fault(struct weir_fault *fault);
/* The hardware says that it dropped events. */
void weir_iommu_report_overflow(struct weir_iommu *iommu);

#endif
