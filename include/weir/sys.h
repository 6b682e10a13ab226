/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SYS_H
#define WEIR_SYS_H

/*
 * Small services of weir that drivers and hosts may use, built on platform.h alone: a heap, a log,
 * interrupts of a device with their doorbell mapped, delayed work. Linux's spellings of them are in
 * slab.h, printk.h, interrupt.h, workqueue.h, completion.h.
 */

#include <stdarg.h>
#include <weir/weir.h>

WEIR_BEGIN_DECLS

/** plat pointer of the machine. */
void *weir_plat(struct weir *weir);
unsigned int weir_cpus(const struct weir *weir);

/**
 * Heap: aligned to 16 and, for powers of two up to a page, to the size; up to 4 MiB; zeroed. NULL:
 * no memory. flags: WEIR_ALLOC_ATOMIC. Any context with it. In the direct map, contiguous.
 */
void *weir_alloc(struct weir *weir, size_t size, unsigned int flags);
/** NULL is fine. Any context. */
void weir_free(struct weir *weir, void *ptr);
/**
 * Bytes that weir_alloc() handed out and did not get back, each allocation as large as its block.
 */
uint64_t weir_heap_in_use(struct weir *weir);

/**
 * printf's %s %c %d %i %u %x %X %p %% with - 0 # + space, width, precision, hh h l ll z. Truncates.
 * Returns the characters that now stand in buf, without the final zero: always less than size.
 */
int weir_vsnprintf(char *buf, size_t size, const char *format, va_list args);
int weir_snprintf(char *buf, size_t size, const char *format, ...) WEIR_PRINTF(3, 4);
void weir_log(struct weir *weir, enum weir_level level, const char *format, ...) WEIR_PRINTF(3, 4);
/** With the device's name in front. */
void weir_dev_log(const struct weir_device *dev, enum weir_level level, const char *format, ...)
	WEIR_PRINTF(3, 4);

/** Busy-wait or sleep. weir_sleep_ns: TASK. */
void weir_delay_ns(struct weir *weir, uint64_t ns);
void weir_sleep_ns(struct weir *weir, uint64_t ns);

/** Work after a time: a timer that queues the work. Set up by weir_delayed_work_init(). */
struct weir_delayed_work {
	struct weir_work work;
	struct weir_timer timer;
	struct weir *weir;
	uint32_t cancelling;
};
void weir_delayed_work_init(struct weir *weir, struct weir_delayed_work *dwork,
			    void (*fn)(struct weir_work *work));
/** (Re)start the time; void while it is being cancelled. Any context. */
void weir_delayed_work_arm(struct weir_delayed_work *dwork, uint64_t delay_ns);
/**
 * Neither pending nor running when it returns, even if fn arms it again. The caller keeps all
 * others from arming it meanwhile. Not from fn itself. Context: TASK.
 */
void weir_delayed_work_cancel(struct weir_delayed_work *dwork);

/** A completion: weir_done() once lets one waiter through, weir_done_all() all from then on. */
struct weir_completion {
	uint32_t done;
};
void weir_done(struct weir *weir, struct weir_completion *completion);
void weir_done_all(struct weir *weir, struct weir_completion *completion);
/** 0, or -WEIR_ETIMEDOUT. UINT64_MAX: no limit. Context: TASK. */
int weir_wait_done(struct weir *weir, struct weir_completion *completion, uint64_t timeout_ns);

/**
 * A message-signalled interrupt of `dev`: allocated from the platform, its doorbell mapped in the
 * device's domain. `address` is what the device must write to; the rest is plat_msi_alloc()'s.
 * Context: TASK.
 * Errors: plat_msi_alloc()'s, -WEIR_ENOMEM.
 */
int weir_device_msi_alloc(struct weir_device *dev, uint32_t controller, uint32_t device_id,
			  unsigned int index, unsigned int cpu, struct weir_msi *msi,
			  weir_dma_t *address);
void weir_device_msi_free(struct weir_device *dev, const struct weir_msi *msi);

WEIR_END_DECLS

#endif
