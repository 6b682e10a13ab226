/* SPDX-License-Identifier: MIT */
/* Allocator of small numbers: one bit for each, under one lock. */

#include "base/ids.h"

#include "base/bitmap.h"
#include "base/lock.h"

int weir_ids_init(struct weir *weir, struct weir_ids *ids, uint32_t first, uint32_t count)
{
	memset(ids, 0, sizeof(*ids));
	if (!count || count > UINT32_MAX - first)
		return -WEIR_EINVAL;
	ids->busy = weir_alloc(weir, WEIR_BITMAP_WORDS(count) * sizeof(uint64_t), 0);
	if (!ids->busy)
		return -WEIR_ENOMEM;
	ids->first = first;
	ids->count = count;
	return 0;
}

uint32_t weir_ids_fini(struct weir *weir, struct weir_ids *ids)
{
	weir_free(weir, ids->busy);
	ids->busy = NULL;
	ids->count = 0;
	return ids->used;
}

int weir_ids_alloc(struct weir_ids *ids, uint32_t *id)
{
	uintptr_t flags = weir_lock_irq(&ids->lock);
	uint32_t bit = ids->count;

	if (ids->used < ids->count) {
		bit = weir_bit_find_clear(ids->busy, ids->count, ids->next);
		if (bit == ids->count)
			bit = weir_bit_find_clear(ids->busy, ids->count, 0);
		weir_bit_set(ids->busy, bit);
		ids->used++;
		ids->next = bit + 1;
	}
	weir_unlock_irq(&ids->lock, flags);
	if (bit == ids->count)
		return -WEIR_ENOSPC;
	*id = ids->first + bit;
	return 0;
}

bool weir_ids_reserve(struct weir_ids *ids, uint32_t id)
{
	uint32_t bit = id - ids->first;
	uintptr_t flags = weir_lock_irq(&ids->lock);
	bool ok = id >= ids->first && bit < ids->count && !weir_bit_test(ids->busy, bit);

	if (ok) {
		weir_bit_set(ids->busy, bit);
		ids->used++;
	}
	weir_unlock_irq(&ids->lock, flags);
	return ok;
}

bool weir_ids_free(struct weir_ids *ids, uint32_t id)
{
	uint32_t bit = id - ids->first;
	uintptr_t flags = weir_lock_irq(&ids->lock);
	bool ok = id >= ids->first && bit < ids->count && weir_bit_test(ids->busy, bit);

	if (ok) {
		weir_bit_clear(ids->busy, bit);
		ids->used--;
	}
	weir_unlock_irq(&ids->lock, flags);
	return ok;
}
