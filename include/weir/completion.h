/* SPDX-License-Identifier: MIT */
#ifndef WEIR_COMPLETION_H
#define WEIR_COMPLETION_H

/* Completions: complete() in any context, waiting in TASK context. */

#include <weir/jiffies.h>

struct completion {
	struct weir_completion weir;
};

static inline void init_completion(struct completion *c)
{
	__atomic_store_n(&c->weir.done, 0, __ATOMIC_RELAXED);
}
static inline void reinit_completion(struct completion *c)
{
	init_completion(c);
}
static inline void complete(struct completion *c)
{
	weir_done(plat_weir(), &c->weir);
}
static inline void complete_all(struct completion *c)
{
	weir_done_all(plat_weir(), &c->weir);
}
static inline void wait_for_completion(struct completion *c)
{
	(void)weir_wait_done(plat_weir(), &c->weir, UINT64_MAX);
}
/** 0: timed out; else what is left of the time, at least 1. `timeout` in jiffies. */
static inline unsigned long wait_for_completion_timeout(struct completion *c, unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	unsigned long now;

	if (weir_wait_done(plat_weir(), &c->weir, timeout * WEIR_NS_PER_JIFFY))
		return 0;
	now = jiffies;
	return now < end ? end - now : 1;
}

#endif
