/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_IDS_H
#define WEIR_BASE_IDS_H

/*
 * Small numbers that are handed out and come back: ASIDs, VMIDs, tags. The search starts behind the
 * newest one, so that a number is reused as late as possible: what was forgotten under it anywhere
 * then shows up as a fault and not as somebody else's data.
 */

#include <weir/sys.h>

struct weir_ids {
	struct weir_spinlock lock; /* IRQ-safe; all below */
	uint64_t *busy;
	uint32_t first, count;
	uint32_t next; /* where the search starts, relative to first */
	uint32_t used;
};

/* Numbers first .. first + count - 1. -WEIR_EINVAL: none, or they overflow. -WEIR_ENOMEM. TASK. */
int weir_ids_init(struct weir *weir, struct weir_ids *ids, uint32_t first, uint32_t count);
/* Returns how many were not given back. Harmless on zeroed memory. */
uint32_t weir_ids_fini(struct weir *weir, struct weir_ids *ids);

/* -WEIR_ENOSPC: all are in use. Any context. */
int weir_ids_alloc(struct weir_ids *ids, uint32_t *id) WEIR_MUST_CHECK;
/* As if it had been handed out. false: it is, or is none of them; nothing changed. Any context. */
bool weir_ids_reserve(struct weir_ids *ids, uint32_t id);
/* false: `id` is not one that was handed out; nothing changed. Any context. */
bool weir_ids_free(struct weir_ids *ids, uint32_t id);

#endif
