/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IOMMU_IOMMU_H
#define WEIR_IOMMU_IOMMU_H

/*
 * Groups, streams, doorbells: what the files of this folder are to each other, and what src/dma
 * needs of them.
 *
 * A group is the devices that cannot be told apart or isolated from each other; it is in one domain
 * at a time. Its standard domain is the one that the DMA API uses: paging, or the IOMMU's identity
 * domain in passthrough mode; NULL in mode off, where nobody is attached.
 *
 * Locking, outermost first:
 * - weir.lock (mutex): groups and their members, who is attached where, doorbells.
 * - weir_streams.lock (IRQ-safe): the table from stream IDs to devices, and weir_group.domain for
 *   readers in an interrupt handler.
 * - weir.fault_lock and weir_domain.fault_lock (IRQ-safe): a fault handler and its argument.
 *
 * Mapping takes none of them. What it relies on (weir_device.dma, the standard domain) changes only
 * while every device of the group is marked blocked and none has a live mapping: a mapper counts
 * itself in live_maps and then looks at blocked; who changes the domain sets blocked and then looks
 * at live_maps; both in sequentially consistent order, so that one of them sees the other.
 */

#include "iommu/driver.h"
#include "iommu/iova.h"

/* Where doorbells of message-signalled interrupts are mapped, in each domain. */
#define WEIR_MSI_WINDOW 0x8000000ull
#define WEIR_MSI_WINDOW_PAGES 256u
#define WEIR_MSI_WINDOW_SIZE (WEIR_MSI_WINDOW_PAGES * WEIR_PAGE_SIZE)

struct weir_group_range {
	struct weir_group_range *next;
	struct weir_range range;
};

struct weir_group {
	struct weir *weir;
	struct weir_iommu *iommu;
	int id;
	struct weir_device *devices; /* through group_next */
	unsigned int nr_devices;
	uint64_t orphans;	    /* mappings that removed devices left in the paging domain */
	struct weir_domain *paging; /* with IOVAs; NULL until the mode or a mask asks for it */
	struct weir_domain *standard;
	struct weir_domain *domain; /* attached now */
	struct weir_group_range *reserved;
	struct weir_group_direct *direct;
	struct weir_msi_page *doors; /* doorbells that its devices write to */
};

/* The DMA API's domain with IOVAs, or NULL. Any context. */
static inline struct weir_domain *weir_group_paging(struct weir_group *group)
{
	/* Acquire: pairs with the store of who made it (group.c). */
	return group ? __atomic_load_n(&group->paging, __ATOMIC_ACQUIRE) : NULL;
}

/* Where what all of the domain's devices need is mapped: itself, or the parent; NULL: nowhere. */
static inline struct weir_domain *weir_domain_mapped(struct weir_domain *domain)
{
	if (domain->viommu) /* a nested one */
		return domain->viommu->parent;
	return domain->type == WEIR_DOMAIN_PAGING ? domain : NULL;
}

/* ---- group.c ------------------------------------------------------------------------------ */

/* All under weir.lock. */
int weir_group_join(struct weir_device *dev, const struct weir_device_desc *desc);
/* Its streams are blocked; an empty group is gone with its domain. */
void weir_group_leave(struct weir_device *dev);
/*
 * Decide anew which domain is the standard one, if the streaming mask of `changed` were `mask`, and
 * move there if the group is in the old one. -WEIR_EBUSY: it would change while mappings live or
 * doorbells are in use. -WEIR_ENOMEM, ...
 */
int weir_group_update(struct weir_group *group, const struct weir_device *changed, uint64_t mask);
/* Move to `domain`, marking devices as blocked for the DMA API unless it is the standard one. */
int weir_group_move(struct weir_group *group, struct weir_domain *domain);
/* Could the device with this mask reach all memory of the machine without translation? */
bool weir_device_reaches_memory(const struct weir_device *dev, uint64_t mask);

/* ---- streams.c ---------------------------------------------------------------------------- */

int weir_streams_init(struct weir *weir);
void weir_streams_fini(struct weir *weir);
/* Under weir.lock. -WEIR_EEXIST: another group's. -WEIR_ENOMEM; then none of its IDs is there. */
int weir_streams_add(struct weir_device *dev);
void weir_streams_remove(struct weir_device *dev);
/* Does another device share this ID of dev's? Under weir.lock. */
bool weir_streams_shared(struct weir_device *dev, const struct weir_device_id *id);
/*
 * For a fault: the device of a stream and its group's domain, or NULL; both stay valid until
 * weir_streams_exit(). Any context; does not nest.
 */
unsigned int weir_streams_enter(struct weir *weir);
void weir_streams_exit(struct weir *weir, unsigned int token);
struct weir_device *weir_streams_find(struct weir_iommu *iommu, uint32_t id,
				      struct weir_domain **domain);
/* Wait until all who entered before have left. Under weir.lock. */
void weir_streams_wait(struct weir *weir);
void weir_group_set_domain(struct weir_group *group, struct weir_domain *domain);

/* ---- direct.c ----------------------------------------------------------------------------- */

/*
 * Firmware's word that the streams [first, last] need this region. What is wrong with it is said in
 * the log, after `who`, and as much of it kept as makes sense: 0. -WEIR_ENOMEM. While bringing up.
 */
int weir_direct_claim(struct weir_iommu *iommu, uint32_t first, uint32_t last,
		      const struct weir_direct_region *region, const char *who);
/*
 * All claims are there: put the streams that they are about in domains that have their regions and
 * nothing else. -WEIR_ENOMEM, -WEIR_ETIMEDOUT, -WEIR_EIO.
 */
int weir_direct_park(struct weir_iommu *iommu);
/* Block them, and forget the claims. */
void weir_direct_unpark(struct weir_iommu *iommu);
/* Where a stream is that no device has. */
struct weir_domain *weir_direct_rest(struct weir_iommu *iommu, uint32_t id);

/*
 * All under weir.lock. The regions that the tables and `desc` have for dev become its group's; in a
 * paging domain that is there already they are mapped. -WEIR_ENOMEM; -WEIR_EBUSY: addresses of one
 * are in use.
 */
int weir_direct_join(struct weir_device *dev, const struct weir_device_desc *desc);
/* Keep them out of the allocator of a new domain of the DMA API, and map them there. */
int weir_direct_map(struct weir_group *group, struct weir_domain *domain);
/* Does the domain have each WEIR_REGION_DIRECT of the group? */
bool weir_direct_is_mapped(const struct weir_group *group, struct weir_domain *domain);
/* Is each direct region at its own address, as in an identity domain? */
bool weir_direct_is_identity(const struct weir_group *group);
void weir_direct_forget(struct weir_group *group);

/* ---- domain.c ----------------------------------------------------------------------------- */

int weir_domain_new(struct weir_iommu *iommu, unsigned int flags, struct weir_domain **domain);
/* The DMA API's: with an IOVA allocator that leaves out what is reserved. */
int weir_domain_new_dma(struct weir_group *group, struct weir_domain **domain);
void weir_domain_delete(struct weir_domain *domain);

/* ---- pasid.c ------------------------------------------------------------------------------ */

/* Under weir.lock: detach what the device left attached. */
void weir_pasids_forget(struct weir_device *dev);

/* ---- viommu.c ----------------------------------------------------------------------------- */

/* Under weir.lock: the device goes, from its viommu as well. */
void weir_viommu_forget(struct weir_device *dev);

/* ---- msi.c -------------------------------------------------------------------------------- */

/*
 * All under weir.lock. Map the group's doorbells in a domain that it is about to enter, and back.
 * -WEIR_EBUSY: the addresses that devices were told for their interrupts would become wrong.
 */
int weir_msi_enter(struct weir_group *group, struct weir_domain *domain);
void weir_msi_leave(struct weir_group *group, struct weir_domain *domain);
/* The group goes, with messages that nobody freed. */
void weir_msi_forget(struct weir_group *group);
void weir_msi_fini(struct weir *weir);

/* ---- fault.c ------------------------------------------------------------------------------ */

/* Handler and limits; after fini no report may come. */
void weir_faults_init(struct weir *weir);
void weir_faults_fini(struct weir *weir);

/* ---- storm.c ------------------------------------------------------------------------------ */

int weir_storms_init(struct weir *weir);
/* Says what is still to be said. No report may come. TASK. */
void weir_storms_fini(struct weir *weir);
/* May there be a line about this fault? If not, it is in a sum that is told later. Any context. */
bool weir_storms_pass(struct weir_storms *storms, const struct weir_fault *fault);

/* ---- probe.c ------------------------------------------------------------------------------ */

/* Every IOMMU in firmware's tables that a driver knows. As weir_init(); then none is left. */
int weir_iommu_probe_all(struct weir *weir);
void weir_iommu_remove_all(struct weir *weir);
/* Let the driver take this one over, and add it to the machine's. Errors as weir_init(). */
int weir_iommu_probe(struct weir *weir, const struct weir_iommu_desc *desc,
		     const struct weir_iommu_driver *driver, struct weir_iommu **iommu);
/* ... and, when what firmware wants kept for its streams is known, turn it on. */
int weir_iommu_start(struct weir_iommu *iommu);

/* ---- probe-fdt.c, probe-iort.c ------------------------------------------------------------ */

/* What weir_iommu_probe_all() does where the machine has such a table. */
int weir_iommu_probe_fdt(struct weir *weir);
int weir_iommu_probe_iort(struct weir *weir);

/* ---- regions-fdt.c, regions-iort.c -------------------------------------------------------- */

struct weir_fdt;
struct weir_iort;

/*
 * What the table wants kept for streams of this IOMMU: weir_direct_claim() each. What is wrong with
 * one of them is logged, and it is left out. -WEIR_ENOMEM.
 */
int weir_regions_fdt(struct weir_iommu *iommu, struct weir_fdt *fdt);
int weir_regions_iort(struct weir_iommu *iommu, struct weir_iort *iort);

#endif
