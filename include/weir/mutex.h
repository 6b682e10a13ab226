/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MUTEX_H
#define WEIR_MUTEX_H

/* Mutexes: TASK context, not recursive. */

#include <weir/sys.h>

struct mutex {
	struct weir_mutex weir;
};

static inline void mutex_init(struct mutex *mutex)
{
	*mutex = (struct mutex){ { { 0 } } };
}
static inline void mutex_lock(struct mutex *mutex)
{
	plat_mutex_lock(weir_plat(plat_weir()), &mutex->weir);
}
static inline void mutex_unlock(struct mutex *mutex)
{
	plat_mutex_unlock(weir_plat(plat_weir()), &mutex->weir);
}

#endif
