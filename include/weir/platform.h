/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PLATFORM_H
#define WEIR_PLATFORM_H

/*
 * What an embedder supplies. weir calls these functions and the four memory functions of base.h,
 * and nothing else of the host. docs/porting.md takes you through them in the order in which a
 * new port needs them.
 *
 * Common to all of them:
 *
 * - `plat` is the pointer that the host gave to weir_init() in struct weir_options; weir never
 *   looks behind it. Functions without it act on the CPU that calls (or on the object passed).
 * - Contexts. TASK: may sleep. ATOMIC: a spin lock is held or interrupts are off; must not sleep.
 *   IRQ: inside an interrupt handler; like ATOMIC. Where no context is named, all three may call.
 * - A function that returns int gives 0, or a negative WEIR_E* number; it then has changed nothing.
 * - Pointers passed in are not NULL; sizes are not 0; orders are at most WEIR_PLAT_MAX_ORDER.
 * - Nothing here may call back into weir, but where "calls fn" is written.
 *
 * A host may make the hottest of them inline: compile weir with
 * -DWEIR_PLAT_INLINE='"my-inline.h"'; for each function that this header defines it also says
 * `#define plat_cpu plat_cpu`, and the declaration below steps aside. What stands below one #ifndef
 * goes together, under the name of the first; what has none is never inline.
 */

#include <weir/base.h>

#ifdef WEIR_PLAT_INLINE
#include WEIR_PLAT_INLINE
#endif

WEIR_BEGIN_DECLS

struct weir;

/* ---- Physical memory -------------------------------------------------------------------- */

/** Largest order that weir asks for: 2^10 pages of 4 KiB, 4 MiB, naturally aligned. */
#define WEIR_PLAT_MAX_ORDER 10

enum weir_zone {
	WEIR_ZONE_NORMAL, /**< anywhere */
	WEIR_ZONE_DMA32,  /**< wholly below 4 GiB */
	WEIR_ZONE_DMA,	  /**< below the host's lowest limit: 16 MiB on a PC, 1 GiB elsewhere */
};

#define WEIR_ALLOC_ATOMIC 0x1u /**< must not sleep: the caller is ATOMIC or IRQ */

/**
 * Allocate 2^order contiguous pages of 4 KiB, aligned to their size; contents undefined.
 * The memory is in the direct map (plat_phys_to_virt()).
 * -WEIR_ENOMEM: none now. -WEIR_EINVAL: the host has no such zone.
 * Context: TASK; with WEIR_ALLOC_ATOMIC all.
 */
#ifndef plat_pages_alloc
int plat_pages_alloc(void *plat, unsigned int order, enum weir_zone zone, unsigned int flags,
		     weir_phys_t *phys);
#endif
/** Give back what plat_pages_alloc() gave, whole: same address, same order. */
#ifndef plat_pages_free
void plat_pages_free(void *plat, weir_phys_t phys, unsigned int order);
#endif

/** The direct map: RAM at `phys` as a CPU addresses it. Only called for RAM. */
#ifndef plat_phys_to_virt
void *plat_phys_to_virt(void *plat, weir_phys_t phys);
#endif
/** The inverse; `virt` is an address in the direct map. */
#ifndef plat_virt_to_phys
weir_phys_t plat_virt_to_phys(void *plat, const void *virt);
#endif

/** One past the highest address of RAM. Constant while the machine runs. */
weir_phys_t plat_memory_end(void *plat);

/* ---- Registers (MMIO) ------------------------------------------------------------------- */

/**
 * Make registers at `phys` accessible, as device memory (nGnRE or UC: no gathering, no reordering,
 * no speculation). Neither `phys` nor `size` need be whole pages, and two calls may be for the same
 * page. NULL: not possible. Context: TASK.
 */
volatile void WEIR_IOMEM *plat_mmio_map(void *plat, weir_phys_t phys, size_t size);
/** What plat_mmio_map() returned, with its size. Context: TASK. */
void plat_mmio_unmap(void *plat, volatile void WEIR_IOMEM *addr, size_t size);

/*
 * One access of exactly this width, naturally aligned, not torn, not repeated, ordered only against
 * other accesses to the same device. (weir adds plat_dma_wmb() and plat_dma_rmb() where needed.)
 */
#ifndef plat_mmio_read8
uint8_t plat_mmio_read8(const volatile void WEIR_IOMEM *addr);
uint16_t plat_mmio_read16(const volatile void WEIR_IOMEM *addr);
uint32_t plat_mmio_read32(const volatile void WEIR_IOMEM *addr);
uint64_t plat_mmio_read64(const volatile void WEIR_IOMEM *addr);
void plat_mmio_write8(volatile void WEIR_IOMEM *addr, uint8_t value);
void plat_mmio_write16(volatile void WEIR_IOMEM *addr, uint16_t value);
void plat_mmio_write32(volatile void WEIR_IOMEM *addr, uint32_t value);
void plat_mmio_write64(volatile void WEIR_IOMEM *addr, uint64_t value);
#endif

/* ---- Order between CPU and device, and caches ------------------------------------------- */

/*
 * Barriers between this CPU's accesses to memory that a device shares and to registers, for every
 * observer in the system (Arm: dmb/dsb of the outer shareable domain; x86: sfence, lfence, mfence
 * or compiler barriers as the memory types ask). Order between CPUs is not their job: weir uses
 * __atomic operations for that.
 */
#ifndef plat_dma_mb
void plat_dma_mb(void);	 /**< all before, all after: also a store before against a load after */
void plat_dma_rmb(void); /**< loads before, loads after */
void plat_dma_wmb(void); /**< stores before, stores after (a register write that starts a device) */
#endif

/*
 * Cache maintenance to the point of coherency, over all lines that [virt, virt + size) touches; the
 * range is in the direct map. Returns when it is complete for every observer. Never called for
 * devices that snoop; a host all of whose devices snoop may leave them empty.
 */
void plat_cache_clean(void *plat, const void *virt, size_t size);
void plat_cache_invalidate(void *plat, const void *virt, size_t size);
void plat_cache_flush(void *plat, const void *virt, size_t size); /**< clean and invalidate */

/* ---- CPUs ------------------------------------------------------------------------------- */

/**
 * Index of the CPU that runs the caller, below weir_options.cpus. A caller that may migrate gets
 * what was true a moment ago; weir stays correct and is only slower.
 */
#ifndef plat_cpu
unsigned int plat_cpu(void);
#endif
/**
 * The machine whose CPU runs the caller: what weir_init() returned. For Linux's calls that name no
 * device (kmalloc, page_to_phys, ...). A kernel has one and returns it. NULL: none.
 */
#ifndef plat_weir
struct weir *plat_weir(void);
#endif

/** Keep interrupts from this CPU; returns what plat_irq_restore() needs. Nests. */
#ifndef plat_irq_save
uintptr_t plat_irq_save(void);
void plat_irq_restore(uintptr_t flags);
#endif

/**
 * Called again and again by a loop that waits for hardware or for another CPU, between two looks.
 * A pause instruction, or a yield to whatever else shares the processor (a hypervisor, the models);
 * nobody sends an event that would end a wait. Any context.
 */
#ifndef plat_relax
void plat_relax(void *plat);
#endif

/* ---- Locks ------------------------------------------------------------------------------ */

/** A spin lock. All zero is unlocked; the host may keep a pointer to a lock of its own in it. */
struct weir_spinlock {
	uintptr_t opaque[2];
};

/**
 * Acquire and release; acquire semantics and release semantics. Does not touch interrupts: weir
 * calls plat_irq_save() first where an interrupt handler takes the same lock.
 */
#ifndef plat_spin_lock
void plat_spin_lock(struct weir_spinlock *lock);
void plat_spin_unlock(struct weir_spinlock *lock);
#endif

/** A mutex. All zero is unlocked. */
struct weir_mutex {
	uintptr_t opaque[6];
};

/** Context: TASK. Not recursive. */
void plat_mutex_lock(void *plat, struct weir_mutex *mutex);
void plat_mutex_unlock(void *plat, struct weir_mutex *mutex);

/* ---- Time, waiting, deferred calls ------------------------------------------------------ */

/** Nanoseconds since some start; never goes back. */
uint64_t plat_time_ns(void *plat);

/**
 * Sleep while *word == value, until woken or until `timeout_ns` has passed (UINT64_MAX: no limit).
 * Like a futex: looking at *word and going to sleep are one step with regard to plat_wake(). May
 * return early for no reason; the caller looks again. 0: woken, or *word differs.
 * -WEIR_ETIMEDOUT: the time is up. Context: TASK.
 */
int plat_wait(void *plat, const uint32_t *word, uint32_t value, uint64_t timeout_ns);
/** Wake all who sleep on `word`. The caller changed *word before (release). */
void plat_wake(void *plat, const uint32_t *word);

/** A timer that fires once. The owner sets fn and zeroes the rest; never copied or moved. */
struct weir_timer {
	void (*fn)(struct weir_timer *timer);
	uintptr_t opaque[7];
};

/**
 * Call fn in IRQ context, on any CPU, once plat_time_ns() >= deadline. If armed: moves the
 * deadline.
 */
void plat_timer_arm(void *plat, struct weir_timer *timer, uint64_t deadline_ns);
/**
 * Disarm; when it returns fn is not running and will not. true: it had been armed. Context: TASK.
 */
bool plat_timer_cancel(void *plat, struct weir_timer *timer);

/**
 * A call to be made in TASK context. The owner sets fn and zeroes the rest; never copied or moved.
 */
struct weir_work {
	void (*fn)(struct weir_work *work);
	uintptr_t opaque[7];
};

/**
 * Call fn once, soon, on a thread that may sleep. false: it is queued already and will run after
 * this call. Never runs the same work twice at a time; may be queued again while it runs.
 */
bool plat_work_queue(void *plat, struct weir_work *work);
/** When it returns work is neither queued nor running. true: it had been queued. Context: TASK. */
bool plat_work_cancel(void *plat, struct weir_work *work);

/* ---- Interrupts ------------------------------------------------------------------------- */

/** Any CPU may take the interrupt. */
#define WEIR_CPU_ANY (~0u)

/** Runs in IRQ context on the CPU that took the interrupt. */
typedef void weir_irq_fn(void *arg);

/**
 * Connect a handler to interrupt `irq` (a number from plat_irq_wired() or plat_msi_alloc()) and
 * enable it. `cpu`: the CPU that takes it, or WEIR_CPU_ANY; a message goes to the CPU that it was
 * allocated for, whatever is said here. -WEIR_EBUSY: has a handler.
 * -WEIR_EINVAL: no such interrupt. -WEIR_ENOMEM. Calls fn. Context: TASK.
 */
int plat_irq_connect(void *plat, unsigned int irq, unsigned int cpu, weir_irq_fn *fn, void *arg);
/**
 * Disable and disconnect; when it returns the handler is not running and will not. Context: TASK.
 */
void plat_irq_disconnect(void *plat, unsigned int irq);

/**
 * The number of a wired interrupt from its specifier in the firmware's table: the cells of the
 * `interrupts` property of the device tree, in host byte order (for a GIC: type, number, flags), of
 * the controller with this phandle; 0: the only one. Where ACPI describes the machine, one cell: a
 * GSIV (for a GIC: the interrupt's number); those that weir asks for are an IOMMU's, and edges.
 * -WEIR_EINVAL: not understood. -WEIR_ENOENT: no such line. Context: TASK.
 */
int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq);

/** A message-signalled interrupt: what a device must write, where. */
struct weir_msi {
	unsigned int irq; /**< for plat_irq_connect() */
	uint32_t data;
	weir_phys_t doorbell; /**< physical; weir's core makes it reachable for the device */
};

/**
 * Allocate one message for a device, its `index`-th, to be taken by `cpu`. `controller` is the
 * phandle of the interrupt controller that the device's messages go to, and `device_id` the
 * device's ID there (the requester ID with which its messages arrive, both through `msi-map`);
 * controller 0: nothing is said, and there is no more than one. Where ACPI describes the machine,
 * `controller` is one more than the ID that the MADT and the IORT give the device's ITS, and
 * `device_id` its DeviceID by the IORT. Functions behind a conventional
 * bridge have one ID together: the same ID and index may come from several, each for a message of
 * its own.
 * -WEIR_ENOSPC: no vector left. -WEIR_EOPNOTSUPP: no messages here, or not to that controller.
 * -WEIR_EINVAL: an ID beyond the controller's. -WEIR_ENOMEM. Context: TASK.
 */
int plat_msi_alloc(void *plat, uint32_t controller, uint32_t device_id, unsigned int index,
		   unsigned int cpu, struct weir_msi *msi);
/** The handler was disconnected before. Context: TASK. */
void plat_msi_free(void *plat, const struct weir_msi *msi);

/* ---- Log -------------------------------------------------------------------------------- */

enum weir_level { WEIR_LOG_ERR, WEIR_LOG_WARN, WEIR_LOG_INFO, WEIR_LOG_DEBUG };

/** One whole line, without newline, zero-terminated, below 256 bytes. Must not sleep. */
void plat_log(void *plat, enum weir_level level, const char *line);

WEIR_END_DECLS

#endif
