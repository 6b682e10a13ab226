/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SPINLOCK_H
#define WEIR_SPINLOCK_H

/* Spin locks. A lock that an interrupt handler takes is taken with _irqsave everywhere else. */

#include <weir/platform.h>
#include <weir/types.h>

typedef struct weir_spinlock spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	*lock = (spinlock_t){ { 0, 0 } };
}
static inline void spin_lock(spinlock_t *lock)
{
	plat_spin_lock(lock);
}
static inline void spin_unlock(spinlock_t *lock)
{
	plat_spin_unlock(lock);
}
#define spin_lock_irqsave(lock, flags)                                                             \
	do {                                                                                       \
		(flags) = plat_irq_save();                                                         \
		plat_spin_lock(lock);                                                              \
	} while (0)
#define spin_unlock_irqrestore(lock, flags)                                                        \
	do {                                                                                       \
		plat_spin_unlock(lock);                                                            \
		plat_irq_restore(flags);                                                           \
	} while (0)

#endif
