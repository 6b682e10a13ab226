/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_HOST_H
#define WEIR_MODEL_HOST_H

/*
 * What a model asks of whoever embeds it: memory, interrupts, and to be driven. No stack and no bus
 * of weir's is needed; weir_model_bus_host (bus.h) offers this of a bus.
 */

#include <weir/base.h>

WEIR_BEGIN_DECLS

/** How an access ended. */
enum weir_model_result {
	WEIR_MODEL_OK = 0,
	WEIR_MODEL_ABORT,   /**< nothing at this address, or it refused: an external abort */
	WEIR_MODEL_BLOCKED, /**< the IOMMU terminated it with an abort */
	WEIR_MODEL_IGNORED, /**< the IOMMU terminated it: reads as zero, writes ignored */
	WEIR_MODEL_STALLED, /**< the IOMMU holds it back until software decides */
};

/** RAM at [base, base + size) of the machine, at `host` in this process. */
struct weir_model_window {
	uint64_t base, size;
	void *host;
};

/**
 * The machine around a model. Any thread that calls the model may come to call any of these,
 * several at once. msi, line and wake are called without a lock of the model's held, and may call
 * back into it. load64, store64, cas64 and window are called with locks held: they must not, nor
 * wait for a thread that does.
 *
 * Addresses are the machine's. load64, store64 and cas64 are naturally aligned and single-copy
 * atomic, in the byte order of the machine's memory seen as little-endian words; acquire, release,
 * and both. They reach RAM alone: what lies elsewhere (a model's registers above all) gives
 * WEIR_MODEL_ABORT, so that no guest can make a model call itself.
 */
struct weir_model_host_ops {
	enum weir_model_result (*load64)(void *opaque, uint64_t addr, uint64_t *value);
	enum weir_model_result (*store64)(void *opaque, uint64_t addr, uint64_t value);
	/**
	 * Stores `desired` if the word is *expected, else puts the word into *expected. OK both
	 * ways. NULL: no atomic access; ID registers that promise updates in hardware are refused.
	 */
	enum weir_model_result (*cas64)(void *opaque, uint64_t addr, uint64_t *expected,
					uint64_t desired);
	/**
	 * A 32-bit write that is an interrupt where a doorbell is, and memory elsewhere. May reach
	 * registers, the model's own among them. NULL: ID registers that promise it are refused.
	 */
	enum weir_model_result (*msi)(void *opaque, uint64_t addr, uint32_t data);
	/** A wired interrupt, edge-triggered; the model's header names the numbers. NULL: none. */
	void (*line)(void *opaque, unsigned int line);
	/** An event for the CPUs that wait for one (Arm: SEV). NULL: nobody does. */
	void (*wake)(void *opaque);
	/**
	 * Where the RAM around `addr` lies, for accesses without a call, writes among them. The
	 * answer holds until the model is destroyed; it may be asked for again. False, or NULL:
	 * load64 and the others are called.
	 */
	bool (*window)(void *opaque, uint64_t addr, struct weir_model_window *window);
};

struct weir_model_host {
	const struct weir_model_host_ops *ops; /**< outlives the model */
	void *opaque;
};

/**
 * An interrupt sink. `raise` is an edge (or a message that arrived); it is called from any thread,
 * with a model's lock possibly held: it must not call back into a model.
 */
struct weir_model_irq_sink {
	void (*raise)(void *opaque, unsigned int irq);
	void *opaque;
};

/** The part of a model that a runner drives. Embedded in the model. */
struct weir_model_stepper {
	const char *name;
	/**
	 * Do up to `budget` units of work (a command, a queue entry, a page of data). Returns the
	 * units done; less than budget means that there is nothing more to do until the next kick.
	 * Never runs twice at a time for one stepper: the runner sees to that. Does not block.
	 */
	unsigned int (*step)(struct weir_model_stepper *stepper, unsigned int budget);
	/**
	 * Set by the runner before the machine starts; called by the model, from any thread, with
	 * locks held: it must not call the model, nor wait for a thread that does. It makes a mark,
	 * or wakes a thread that steps.
	 */
	void (*kick)(struct weir_model_stepper *stepper, void *opaque);
	void *kick_opaque;
};

/** A model says that step() would find work. */
static inline void weir_model_kick(struct weir_model_stepper *stepper)
{
	if (stepper->kick)
		stepper->kick(stepper, stepper->kick_opaque);
}

WEIR_END_DECLS

#endif
