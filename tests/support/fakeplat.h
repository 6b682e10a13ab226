/* SPDX-License-Identifier: MIT */
#ifndef FAKEPLAT_H
#define FAKEPLAT_H

/*
 * A platform for tests of one piece: one CPU, no threads, virtual time, and a contract that is
 * enforced. What platform.h forbids ends the test with a line that says so: sleeping with a lock
 * held, locking twice, freeing pages that were not allocated, a wait that nothing can end.
 *
 * Time passes in plat_wait(), plat_relax() and fakeplat_advance(). Timers, work items and raised
 * interrupts run where the real thing could run them: in plat_wait(), and in plat_relax(),
 * plat_irq_restore() and fakeplat_run() as far as interrupts are on.
 *
 * Memory comes filled with garbage; what is free is poisoned for the address sanitizer.
 * One fake platform at a time: the one made last is the current one.
 */

#include <weir/platform.h>

#define FAKEPLAT_RAM_BASE 0x40000000ull
#define FAKEPLAT_IRQS 1024u
#define FAKEPLAT_MSI_FIRST 256u /* messages are the interrupts from here on */
#define FAKEPLAT_MSI_DOORBELL 0x08000040ull

struct fakeplat_mmio {
	uint64_t (*read)(void *opaque, uint64_t phys, unsigned int size);
	void (*write)(void *opaque, uint64_t phys, unsigned int size, uint64_t value);
	void *opaque;
};

struct fakeplat {
	/* Knobs, set at any time. */
	uint64_t fail_alloc;	    /* the Nth plat_pages_alloc() from now on fails; 0: none */
	bool fail_onwards;	    /* ... and all after it */
	unsigned int fail_mmio_map; /* the same for plat_mmio_map() */
	unsigned int msi_limit;	    /* messages that there are; starts as all of them */
	uint64_t msi_doorbell;	    /* of messages from now on; 0: FAKEPLAT_MSI_DOORBELL */
	uint32_t wired_controller;  /* of the last plat_irq_wired() */
	uint32_t msi_controller, msi_device_id; /* of the last plat_msi_alloc() */
	unsigned int fail_msi; /* the Nth plat_msi_alloc() from now on fails; 0: none */
	bool late_cancel; /* what is to be cancelled has just begun: timers and work run first */
	struct fakeplat_mmio mmio;
	bool (*idle)(void *opaque); /* asked by a wait with nothing to do; true: did something */
	void *idle_opaque;
	void (*cleaning)(const void *virt); /* told of each plat_cache_clean() */
	struct weir *weir;		    /* what plat_weir() answers */

	/* To look at. */
	uint64_t now;
	uint64_t alloc_calls, pages_in_use;
	uint64_t cache_cleans, cache_invalidates;
	uint64_t cache_clean_bytes, cache_invalidate_bytes;
	const void *cache_cleaned, *cache_invalidated; /* where the last one began */
	unsigned int mmio_maps;			       /* live */
	unsigned int irqs_connected, msis_in_use;
	unsigned int log_lines[4]; /* by level */
	char last_line[256];

	struct fakeplat_private *private;
};

/* `ram_size` from FAKEPLAT_RAM_BASE; a multiple of 4 MiB. Never NULL: the test ends instead. */
struct fakeplat *fakeplat_new(size_t ram_size);
/* Ends the test if pages, mappings of registers, handlers or messages are left. */
void fakeplat_delete(struct fakeplat *fake);
/* The same, with whatever is left. */
void fakeplat_delete_dirty(struct fakeplat *fake);

/* Raise an interrupt: pending until something runs it. Any thread of a model may call. */
void fakeplat_raise(struct fakeplat *fake, unsigned int irq);
/* Run what is due now: interrupts, timers, work. true: there was something. */
bool fakeplat_run(struct fakeplat *fake);
/* Let time pass, running what falls due on the way. */
void fakeplat_advance(struct fakeplat *fake, uint64_t ns);

/* How many log lines so far contain `text`. */
unsigned int fakeplat_logged(struct fakeplat *fake, const char *text);

#endif
