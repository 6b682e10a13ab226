/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WORKQUEUE_H
#define WEIR_WORKQUEUE_H

/* Deferred calls in TASK context. */

#include <weir/jiffies.h>
#include <weir/types.h>

struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);

struct work_struct {
	struct weir_work weir;
	work_func_t func;
};

struct delayed_work {
	struct work_struct work; /* its weir member is not used; container_of(work, ...) is */
	struct weir_delayed_work weir;
};

static inline void weir_work_trampoline(struct weir_work *w)
{
	struct work_struct *work = container_of(w, struct work_struct, weir);

	work->func(work);
}
static inline void weir_delayed_work_trampoline(struct weir_work *w)
{
	struct delayed_work *dwork = container_of(w, struct delayed_work, weir.work);

	dwork->work.func(&dwork->work);
}

static inline void INIT_WORK(struct work_struct *work, work_func_t func)
{
	memset(work, 0, sizeof(*work));
	work->weir.fn = weir_work_trampoline;
	work->func = func;
}
/** false: it was queued already. Any context. */
static inline bool schedule_work(struct work_struct *work)
{
	return plat_work_queue(weir_plat(plat_weir()), &work->weir);
}
static inline bool cancel_work_sync(struct work_struct *work)
{
	return plat_work_cancel(weir_plat(plat_weir()), &work->weir);
}

static inline void INIT_DELAYED_WORK(struct delayed_work *dwork, work_func_t func)
{
	dwork->work.func = func;
	weir_delayed_work_init(plat_weir(), &dwork->weir, weir_delayed_work_trampoline);
}
/** There is one queue, the platform's. */
struct workqueue_struct;
#define system_wq ((struct workqueue_struct *)NULL)
/** Start or restart the time, in jiffies, after which the function is called. Any context. */
static inline void mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
				    unsigned long delay)
{
	(void)wq;
	weir_delayed_work_arm(&dwork->weir, delay * WEIR_NS_PER_JIFFY);
}
static inline void cancel_delayed_work_sync(struct delayed_work *dwork)
{
	weir_delayed_work_cancel(&dwork->weir);
}

#endif
