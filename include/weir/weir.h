/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

/*
 * Bring-up: one struct weir for each machine, its IOMMUs and its devices.
 *
 *   struct weir_options options = { .plat = my_machine, .cpus = 4, .fdt = blob, .fdt_size = size,
 *                                   .iommu_drivers = drivers };
 *   weir_init(&options, &weir);             finds the IOMMUs, blocks every stream
 *   weir_device_add(weir, &device, &desc);  a device that the host found, or
 *   weir_pci_scan(weir);                    let weir find them (weir/pci-host.h)
 *   ... weir_dma_map_single(&device, ...) (weir/dma.h)
 *   weir_device_remove(&device);
 *   weir_fini(weir);
 *
 * Unless it says otherwise a function here runs in TASK context and takes its own locks.
 */

#include <weir/base.h>
#include <weir/platform.h>

WEIR_BEGIN_DECLS

struct weir;
struct weir_device;
struct weir_device_pasid;
struct weir_domain;
struct weir_iommu;
struct weir_iommu_driver;
struct weir_viommu;
struct weir_group;

/** What a device sees, and when an unmap takes effect. docs/design.md has the table. */
enum weir_mode {
	WEIR_MODE_STRICT,      /**< IOVAs; an unmap has taken effect when it returns */
	WEIR_MODE_PASSTHROUGH, /**< physical addresses, through the IOMMU's bypass */
	WEIR_MODE_OFF, /**< physical addresses; IOMMUs are left alone (and let all through) */
};

/** What becomes of streams that firmware left translating or bypassing. */
enum weir_take_over {
	WEIR_TAKE_OVER_BLOCK, /**< they are blocked, as all others */
	/**
	 * They keep their mappings until a device is added with their ID: an IOMMU that is on when
	 * weir finds it has its tables read, which must be in the host's RAM, and which stay the
	 * firmware's as long as the machine is up. For a moment (registers cannot be changed under
	 * way) their accesses are aborted. What cannot be kept is blocked; the log says how many.
	 * An IOMMU that is off has no streams to be kept: all are blocked.
	 */
	WEIR_TAKE_OVER_KEEP,
};

/** Drivers for weir_options.iommu_drivers. */
extern const struct weir_iommu_driver weir_smmuv3_driver;

struct weir_options {
	void *plat;	   /**< given back in each plat_*() call */
	unsigned int cpus; /**< plat_cpu() is below this; 1 to WEIR_MAX_CPUS */
	enum weir_mode mode;

	/** Drivers to try, NULL at the end. NULL: none. Must outlive the machine. */
	const struct weir_iommu_driver *const *iommu_drivers;

	/**
	 * Flattened device tree, or NULL. Read only during weir_init() and weir_pci_scan(); not
	 * trusted.
	 */
	const void *fdt;
	size_t fdt_size;

	/**
	 * ACPI's IO Remapping Table, or NULL; not with a device tree. Read only during weir_init(),
	 * weir_pci_scan_hosts() and weir_iort_device_ids(); need not be aligned; not trusted.
	 */
	const void *iort;
	size_t iort_size;

	/** Least severe level that is passed to plat_log(). */
	enum weir_level log_level;

	/**
	 * Remember N mappings for each CPU, the last ones, so that a fault report can say who last
	 * held the address. At most 32768. 0: none; then it costs one predictable branch.
	 */
	unsigned int history;

	/**
	 * Entries of an IOMMU's event and command queue, rounded up to a power of two. 0: 8192;
	 * 1024.
	 */
	unsigned int event_queue_entries, command_queue_entries;

	/** Streams that are live when an IOMMU is found. */
	enum weir_take_over take_over;

	/**
	 * For tests, and for hardware whose two-level stream tables cannot be trusted: a linear one
	 * (Arm SMMUv3; at most 16 bits of stream ID).
	 */
	bool linear_stream_table;

	/**
	 * For tests: each allocation from the heap is pages of its own, so that a platform that
	 * fails the Nth call of plat_pages_alloc() reaches every allocation there is. Wasteful.
	 */
	bool heap_whole_pages;
};

#define WEIR_MAX_CPUS 256u

/**
 * Bring a machine up: read the tables, probe each IOMMU that a driver knows, block every stream.
 * -WEIR_EINVAL: an option, the device tree or the IORT is wrong (the log says which and where).
 * -WEIR_ENODEV: firmware describes an IOMMU that is not there or does not answer.
 * -WEIR_EOPNOTSUPP: an IOMMU lacks what weir needs (the log names it).
 * -WEIR_ETIMEDOUT: an IOMMU stopped answering. -WEIR_ENOMEM. Nothing is left behind.
 */
int weir_init(const struct weir_options *options, struct weir **weir) WEIR_MUST_CHECK;

/**
 * Take it down: IOMMUs are left with every stream blocked (not bypassed) and all memory is given
 * back. -WEIR_EBUSY: devices are still there (the log names the first); nothing changed.
 */
int weir_fini(struct weir *weir) WEIR_MUST_CHECK;

/* ---- Power ------------------------------------------------------------------------------ */

/**
 * Before the IOMMUs lose their registers. Devices are quiet, and nobody else is in a call about
 * the machine, or begins one before this returns. On return every access is blocked; mappings may
 * be made and taken back all the same, and groups moved. Twice is as good as once.
 * -WEIR_ETIMEDOUT, -WEIR_EIO: an IOMMU did not stop; they have been resumed, or what could not be
 * is blocked (the log says so).
 */
int weir_suspend(struct weir *weir) WEIR_MUST_CHECK;
/**
 * After it: all registers are programmed anew, nothing is cached, mappings are as they are by now.
 * Interrupts of the platform work again. The same about calls. Without weir_suspend() before it:
 * nothing happens. -WEIR_ETIMEDOUT, -WEIR_EIO: every device behind that IOMMU stays blocked, and
 * what asks for it gets -WEIR_EIO; it may be tried again.
 */
int weir_resume(struct weir *weir) WEIR_MUST_CHECK;

/* ---- Devices ---------------------------------------------------------------------------- */

/** One ID under which a device's transactions reach an IOMMU. */
struct weir_device_id {
	struct weir_iommu *iommu;
	uint32_t id; /**< stream ID */
};

#define WEIR_DEVICE_MAX_IDS 8u

struct weir_range {
	uint64_t start, size;
};

/**
 * How a device with a TLB of its own (PCIe ATS) is told to use it, and to stop. TASK, under weir's
 * lock: they call nothing of weir.
 */
struct weir_device_ats {
	/**
	 * From now on the device may ask for translations, in units of 2^(12 + stu) bytes. 0, or an
	 * error: then it goes on without.
	 */
	int (*enable)(struct weir_device *dev, unsigned int stu);
	/** It asks no more, what it holds is gone, and what it had begun has ended. */
	void (*disable)(struct weir_device *dev);
};

/** What addresses are to a device, in the order of Linux's enum iommu_resv_type. */
enum weir_region_kind {
	/**
	 * Mapped for as long as the IOMMU is on, whoever has the device: somebody whom weir does
	 * not know (firmware, a management controller) uses the memory through it.
	 */
	WEIR_REGION_DIRECT,
	/** The same, but whoever attaches the device to a domain of his own may go without. */
	WEIR_REGION_DIRECT_RELAXABLE,
	WEIR_REGION_RESERVED, /**< nothing is mapped there, and no IOVA taken */
	WEIR_REGION_MSI,      /**< where the hardware itself takes messages */
	WEIR_REGION_SW_MSI,   /**< where weir maps doorbells */
};

/** Addresses of a device that are not the DMA API's to give out. */
struct weir_direct_region {
	weir_dma_t start;
	weir_phys_t phys; /**< of a direct one: the memory behind it, mostly at the same address */
	uint64_t size;
	unsigned int prot; /**< of a direct one: WEIR_IOMMU_* of weir/domain.h */
	enum weir_region_kind kind;
};

/** What a host says of a device. */
struct weir_device_desc {
	const char *name; /**< copied (up to 31 characters) */
	/**
	 * IDs with aliases, at most WEIR_DEVICE_MAX_IDS; none: the device is not behind an IOMMU.
	 */
	const struct weir_device_id *ids;
	unsigned int nr_ids;
	/**
	 * A device that this one cannot be told from or isolated from: shares its group. NULL: a
	 * group of its own.
	 */
	struct weir_device *group_with;
	/**
	 * Addresses that never reach the IOMMU (a bridge's windows): no IOVA is taken from them.
	 */
	const struct weir_range *reserved;
	unsigned int nr_reserved;
	/**
	 * Memory that firmware wants kept mapped, and what else is not to be given out, where the
	 * host knows it. What the machine's tables say (RMR nodes of an IORT, `iommu-addresses` of
	 * a device tree) weir finds itself, by the stream IDs.
	 */
	const struct weir_direct_region *direct;
	unsigned int nr_direct;
	bool coherent;	/**< its accesses snoop the CPUs' caches */
	bool can_stall; /**< its accesses may be kept waiting until a fault is resolved; not PCIe */
	uint8_t pasid_bits; /**< PASIDs are below 2^pasid_bits, at most 20; 0: it has none */
	uint64_t bus_limit; /**< highest address that the bus to it carries; 0: no limit */
	/** Its TLB, for accesses with its first ID; NULL: none. Outlives the device. */
	const struct weir_device_ats *ats;
};

/**
 * A device. Owned by the host (embedded in what it has for devices); weir keeps a pointer from
 * weir_device_add() to weir_device_remove(). Fields are weir's; read them through functions.
 */
struct weir_device {
	struct weir *weir;
	struct weir_group *group; /* NULL: not behind an IOMMU */
	struct weir_domain *dma;  /* hot: domain of the DMA API; NULL: direct mapping */
	uint64_t dma_mask;	  /* streaming */
	uint64_t coherent_mask;
	uint64_t bus_limit; /* all ones: none */
	uint32_t max_segment_size;
	uint64_t segment_boundary;
	bool coherent;
	bool blocked; /* removed, or never given a domain */
	bool can_stall;
	uint8_t pasid_bits;
	const struct weir_device_ats *ats;
	struct weir_device_pasid *pasids; /* under the machine's lock */
	struct weir_viommu *viommu;	  /* it is in; under the machine's lock */
	unsigned int nr_ids;
	struct weir_device_id ids[WEIR_DEVICE_MAX_IDS];
	struct weir_device *group_next; /* under the group's lock */
	struct weir_device *next;	/* under the machine's lock */
	uint64_t live_maps;		/* mappings that were not unmapped, atomic */
	void *driver_data;		/* the driver's own */
	char name[32];
};

/**
 * Make a device known: group, default domain of the mode, attached. It may then use weir/dma.h.
 * -WEIR_EINVAL: desc. -WEIR_EEXIST: an ID is another device's that is not in its group.
 * -WEIR_ERANGE: an ID beyond what the IOMMU can tell apart. -WEIR_EBUSY: its group is assigned to
 * somebody, or addresses that are reserved for it are in use. -WEIR_ENOMEM, -WEIR_ETIMEDOUT.
 */
int weir_device_add(struct weir *weir, struct weir_device *dev,
		    const struct weir_device_desc *desc) WEIR_MUST_CHECK;

/**
 * Forget a device: its streams are blocked, but for what firmware wants kept. Mappings that it
 * left are reported in the log, and their count returned; they are gone with the domain when its
 * group is empty. PASIDs that it left attached are detached, with a line in the log. Nobody else is
 * in a call about the device, or begins one.
 */
unsigned int weir_device_remove(struct weir_device *dev);

/** The IOMMU that the device tree's node with this phandle describes, or NULL. */
struct weir_iommu *weir_iommu_by_phandle(struct weir *weir, uint32_t phandle);
/**
 * The one that the IORT's node at this offset describes (weir_iort_node.offset of weir/iort.h), or
 * NULL.
 */
struct weir_iommu *weir_iommu_by_iort_node(struct weir *weir, uint32_t offset);

/**
 * The streams of the device that the IORT's named component with this path, "\\_SB.COM0", is, for
 * weir_device_desc: at most `max` into `ids`. Returns how many; 0: it is not behind an IOMMU, or
 * the mode is off. -WEIR_ENOENT: there is no such component, or no IORT. -WEIR_E2BIG: more than
 * `max`. -WEIR_ENODEV: it is behind an IOMMU that nobody drives, so that its DMA would be
 * unprotected. -WEIR_EINVAL: what the table says of it is wrong. The last two are logged.
 * -WEIR_ENOMEM. TASK.
 */
int weir_iort_device_ids(struct weir *weir, const char *path, struct weir_device_id *ids,
			 unsigned int max);

const char *weir_device_name(const struct weir_device *dev);
/** A number that is the same for devices of one group, and only for them; -1: no group. */
int weir_device_group_id(const struct weir_device *dev);

/* ---- Faults ----------------------------------------------------------------------------- */

enum weir_fault_reason {
	WEIR_FAULT_TRANSLATION, /**< nothing is mapped there */
	WEIR_FAULT_PERMISSION,	/**< mapped, but not for this access */
	WEIR_FAULT_ACCESS_FLAG,
	WEIR_FAULT_ADDRESS_SIZE, /**< beyond what the tables span */
	WEIR_FAULT_BAD_STREAM,	 /**< no such stream, or it is blocked by its table entry */
	WEIR_FAULT_BAD_CONFIG,	 /**< the IOMMU refused a structure that the driver wrote */
	WEIR_FAULT_EXTERNAL,	 /**< a structure could not be fetched */
	WEIR_FAULT_OTHER,
};

enum weir_fault_outcome {
	WEIR_FAULT_BLOCKED,   /**< the access is over */
	WEIR_FAULT_STALLED,   /**< it waits for an answer */
	WEIR_FAULT_ANNOUNCED, /**< none was made yet: the device says what it will need */
};

/** What the IOMMU translated when it found the reason. */
enum weir_fault_class {
	WEIR_FAULT_OF_INPUT,   /**< the address of the access, or what stage 1 made of it */
	WEIR_FAULT_OF_TABLE,   /**< that of a page table of stage 1 */
	WEIR_FAULT_OF_CONTEXT, /**< that of a context descriptor */
};

/** One blocked access, as the IOMMU told it. */
struct weir_fault {
	struct weir_iommu *iommu;
	struct weir_device *dev; /**< NULL: nobody's stream */
	uint32_t id;		 /**< stream ID */
	enum weir_fault_reason reason;
	enum weir_fault_outcome outcome;
	const char *name;  /**< the specification's name of the event */
	const char *words; /**< in plain words, where the reason says too little; or NULL */
	bool has_address, write, instruction, privileged;
	bool any_direction; /**< nobody told whether it reads or writes */
	weir_dma_t address;
	bool has_pasid;
	uint32_t pasid;
	bool stage2; /**< found at stage 2; else at stage 1, if stages have to do with it */
	enum weir_fault_class of;
	bool has_ipa, ipa_nonsecure; /**< of stage 2: its input */
	uint64_t ipa;
	bool has_fetch; /**< what could not be fetched, and whether a granule check stopped it */
	bool fetch_gpc;
	weir_phys_t fetch;
	uint32_t stall_tag; /**< WEIR_FAULT_STALLED: the IOMMU's name for it */
	uint32_t cause;	    /**< a number of the implementation's; 0: none */
};

/**
 * Hears of every fault that no handler of a domain took, before weir logs it. IRQ context.
 * true: taken, no log line. At most one; NULL: none.
 */
typedef bool weir_fault_fn(void *arg, const struct weir_fault *fault);
void weir_set_fault_handler(struct weir *weir, weir_fault_fn *fn, void *arg);

/** Who held an address: the newest record of the history that covers it. */
struct weir_history {
	const struct weir_site *mapped_at;   /**< or NULL: not recorded */
	const struct weir_site *unmapped_at; /**< NULL: still mapped */
	uint64_t mapped_ns, unmapped_ns;
	weir_dma_t start;
	size_t size;
	bool device_reads, device_writes; /**< what the mapping allowed */
	const struct weir_device *dev;	  /**< for whom */
};

/**
 * The newest mapping of `dev`'s domain that covered `address`. -WEIR_ENOENT: none is remembered.
 * -WEIR_EOPNOTSUPP: no history is kept. Any context.
 */
int weir_history_find(struct weir_device *dev, weir_dma_t address, struct weir_history *found);

/**
 * One line on a fault, as the log has it: device, address, access, reason, history. Any context.
 */
void weir_fault_describe(const struct weir_fault *fault, char *buf, size_t size);

/* ---- Statistics ------------------------------------------------------------------------- */

/** Sums over the CPUs since weir_init(); exact when the machine is quiet. */
struct weir_stats {
	uint64_t maps, unmaps;	/**< operations; a list counts once */
	uint64_t live_mappings; /**< of all devices: streaming and coherent */
	uint64_t map_errors;
	uint64_t commands, syncs; /**< sent to IOMMUs */
	uint64_t faults;	  /**< events received that tell of a blocked access */
	uint64_t events;	  /**< event records received in all */
	uint64_t event_overflows; /**< times that an IOMMU said that it lost events */
	uint64_t faults_logged;	  /**< lines in the log; the rest was limited */
	uint64_t table_pages;	  /**< pages of I/O page tables now */
};

void weir_get_stats(struct weir *weir, struct weir_stats *stats);

WEIR_END_DECLS

#endif
