/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_BUS_H
#define WEIR_MODEL_BUS_H

/*
 * The bus: what all models hang on, and the only way by which they reach memory.
 *
 *   CPU (platform) --- weir_model_bus_*() --------------------------> RAM, registers
 *   device model ----- weir_model_port_*() --> IOMMU model --> bus -> RAM, registers, MSI doorbells
 *
 * Models are passive. They act when a register of theirs is accessed, and when the runner that the
 * embedder supplies calls their step(). A model that gets work (a doorbell rang) says so through
 * weir_model_kick(); the runner answers by calling step() soon, on a thread of its choice.
 *
 * Threads: every function may be called from several threads at once unless it says otherwise.
 * Building (create, add, remove) is done by one thread while no device runs; moving a BAR region
 * is the exception and is safe at any time.
 *
 * Memory: RAM is a mapping that the embedder hands in, of the models' own where the CPU side has
 * another. Accesses of 1, 2, 4 and 8 bytes, naturally aligned, are single-copy atomic; longer ones
 * are atomic in units of naturally aligned 8 bytes and in ascending order.
 */

#include <weir/model/iommu.h>

WEIR_BEGIN_DECLS

struct weir_model_bus;
struct weir_model_region;

/** No requester: the access is a CPU's. */
#define WEIR_MODEL_CPU 0xffffffffu

/** A register block. `size` is 1, 2, 4 or 8 and `offset` is aligned to it and inside the region. */
struct weir_model_mmio_ops {
	enum weir_model_result (*read)(void *opaque, uint64_t offset, unsigned int size,
				       uint32_t requester, uint64_t *value);
	enum weir_model_result (*write)(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t value);
};

/** -WEIR_ENOMEM. */
int weir_model_bus_create(struct weir_model_bus **bus);
/** Destroys the bus and its regions; what they point to is the embedder's. */
void weir_model_bus_destroy(struct weir_model_bus *bus);

/**
 * RAM at [base, base + size), backed by `host`. Page-aligned.
 * -WEIR_EEXIST: overlaps a region. -WEIR_EINVAL, -WEIR_ENOMEM.
 */
int weir_model_bus_add_ram(struct weir_model_bus *bus, uint64_t base, uint64_t size, void *host);
/**
 * Registers at [base, base + size). With base WEIR_MODEL_UNPLACED the region decodes nothing until
 * weir_model_region_place().
 */
int weir_model_bus_add_mmio(struct weir_model_bus *bus, uint64_t base, uint64_t size,
			    const struct weir_model_mmio_ops *ops, void *opaque,
			    struct weir_model_region **region);
#define WEIR_MODEL_UNPLACED (~(uint64_t)0)
/**
 * Move a register region (a BAR was written). Overlap is allowed and decodes as the region that was
 * placed first, as on hardware it is undefined. Accesses under way may end at the old place.
 */
void weir_model_region_place(struct weir_model_region *region, uint64_t base);
/** No access is under way. */
void weir_model_region_remove(struct weir_model_region *region);

/** Any length; an access may not cross from one region into another (aborts where it would). */
enum weir_model_result weir_model_bus_read(struct weir_model_bus *bus, uint64_t addr, void *buf,
					   size_t len, uint32_t requester);
enum weir_model_result weir_model_bus_write(struct weir_model_bus *bus, uint64_t addr,
					    const void *buf, size_t len, uint32_t requester);
/** The RAM around an address, in the models' mapping; false: there is none. */
bool weir_model_bus_window(struct weir_model_bus *bus, uint64_t addr,
			   struct weir_model_window *window);

/**
 * Offers a bus to a model that asks for a host. Filled in by the embedder; outlives the model.
 * Lines go to `sink` as irqs[line]; line numbers from `lines` on have no wire.
 */
struct weir_model_bus_host {
	struct weir_model_bus *bus;
	struct weir_model_irq_sink sink; /**< raise may be NULL */
	const unsigned int *irqs;
	unsigned int lines;
	uint32_t requester; /**< of the model's own messages */
};
/** opaque is a struct weir_model_bus_host. */
extern const struct weir_model_host_ops weir_model_bus_host_ops;

/* ---- Devices as masters ----------------------------------------------------------------- */

/** A master's way to the bus. Filled in by whoever builds the machine; no lock of its own. */
struct weir_model_port {
	struct weir_model_bus *bus;
	const struct weir_model_iommu_ops *iommu_ops; /**< NULL: no IOMMU in the way */
	void *iommu;
	uint32_t requester; /**< seen by the bus and the interrupt controller */
	uint32_t stream;    /**< seen by the IOMMU */
};

/**
 * DMA of any length, split at pages of 4 KiB; stops at the first page that fails. Bytes of a failed
 * read are zero.
 */
enum weir_model_result weir_model_port_read(const struct weir_model_port *port, uint64_t addr,
					    void *buf, size_t len);
enum weir_model_result weir_model_port_write(const struct weir_model_port *port, uint64_t addr,
					     const void *buf, size_t len);

WEIR_END_DECLS

#endif
