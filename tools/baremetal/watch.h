/* SPDX-License-Identifier: MIT */
#ifndef WATCH_H
#define WATCH_H

/*
 * Hears of every blocked access of the machine, and sorts: those that are expected (of one device,
 * in one range of addresses, in one direction) and all others. One attempt at a time.
 *
 * Locking: watch.lock (taken in IRQ context); `heard` alone is read without it.
 */

#include <weir/sys.h>

#define WATCH_LINE 320u

struct watch {
	struct weir *weir;
	struct weir_spinlock lock;
	/* Expected; `dev` is NULL: nothing is. */
	const struct weir_device *dev;
	weir_dma_t from, to; /* [from, to) */
	bool write;
	/* Heard since watch_expect(). */
	uint64_t expected, others;
	char line[WATCH_LINE], other_line[WATCH_LINE]; /* the first of each */
	weir_dma_t other_address;		       /* of the first of the others */
	bool other_is_ours;			       /* it differs by its address alone */
	uint64_t heard;				       /* atomic: of both kinds, since the start */
};

/* From now on faults are the watch's, and not in the log. TASK, as the rest. */
void watch_start(struct watch *watch, struct weir *weir);
void watch_stop(struct watch *watch);
/* Forget what was heard, and expect. `dev` NULL: nothing. */
void watch_expect(struct watch *watch, const struct weir_device *dev, weir_dma_t from, size_t size,
		  bool write);
/*
 * Until an event came that is expected, and then until none has come for a while: events arrive
 * after the access that they tell of. false: none came in time.
 */
bool watch_wait(struct watch *watch);
/* Until none has come for a while. */
void watch_settle(struct watch *watch);

#endif
