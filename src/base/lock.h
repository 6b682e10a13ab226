/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LOCK_H
#define WEIR_BASE_LOCK_H

/* A spin lock that interrupt handlers take too: interrupts are off while it is held. */

#include <weir/platform.h>

static inline uintptr_t weir_lock_irq(struct weir_spinlock *lock)
{
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(lock);
	return flags;
}

static inline void weir_unlock_irq(struct weir_spinlock *lock, uintptr_t flags)
{
	plat_spin_unlock(lock);
	plat_irq_restore(flags);
}

#endif
