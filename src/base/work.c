/* SPDX-License-Identifier: MIT */
/*
 * Delayed work: a timer whose handler queues the work.
 *
 * Cancelling against a function that arms itself again: `cancelling` makes new arming void. One
 * that looked just before may still start the timer, once; hence the second round, during which
 * nobody can (the function that could have was waited for, and one that runs now sees
 * `cancelling`).
 */

#include <weir/sys.h>

static void timer_fired(struct weir_timer *timer)
{
	struct weir_delayed_work *dwork = WEIR_CONTAINER_OF(timer, struct weir_delayed_work, timer);

	(void)plat_work_queue(weir_plat(dwork->weir), &dwork->work);
}

void weir_delayed_work_init(struct weir *weir, struct weir_delayed_work *dwork,
			    void (*fn)(struct weir_work *work))
{
	memset(dwork, 0, sizeof(*dwork));
	dwork->work.fn = fn;
	dwork->timer.fn = timer_fired;
	dwork->weir = weir;
}

void weir_delayed_work_arm(struct weir_delayed_work *dwork, uint64_t delay_ns)
{
	void *plat = weir_plat(dwork->weir);
	uint64_t now = plat_time_ns(plat);

	/* Acquire pairs with weir_delayed_work_cancel(). */
	if (__atomic_load_n(&dwork->cancelling, __ATOMIC_ACQUIRE))
		return;
	plat_timer_arm(plat, &dwork->timer,
		       delay_ns < UINT64_MAX - now ? now + delay_ns : UINT64_MAX);
}

void weir_delayed_work_cancel(struct weir_delayed_work *dwork)
{
	void *plat = weir_plat(dwork->weir);

	/* A count: two may cancel at once. Pairs with the load in weir_delayed_work_arm(). */
	__atomic_fetch_add(&dwork->cancelling, 1, __ATOMIC_ACQ_REL);
	for (unsigned int round = 0; round < 2; round++) {
		(void)plat_timer_cancel(plat, &dwork->timer);
		(void)plat_work_cancel(plat, &dwork->work);
	}
	__atomic_fetch_sub(&dwork->cancelling, 1, __ATOMIC_RELEASE);
}
