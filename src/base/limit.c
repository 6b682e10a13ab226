/* SPDX-License-Identifier: MIT */
/* Limits on log lines; limit.h explains them. */

#include "base/limit.h"

#include "base/lock.h"
#include "base/machine.h"

static void limit_report(struct weir_limit *limit)
{
	uintptr_t flags = weir_lock_irq(&limit->lock);
	unsigned int hidden = limit->hidden;

	limit->hidden = 0;
	weir_unlock_irq(&limit->lock, flags);
	if (hidden)
		weir_log(limit->weir, WEIR_LOG_ERR, "%u more %s not shown", hidden, limit->what);
}

static void limit_timer(struct weir_timer *timer)
{
	limit_report(WEIR_CONTAINER_OF(timer, struct weir_limit, timer));
}

void weir_limit_init(struct weir_limit *limit, struct weir *weir, const char *what)
{
	*limit = (struct weir_limit){ .weir = weir, .what = what, .timer.fn = limit_timer };
}

void weir_limit_fini(struct weir_limit *limit)
{
	if (!limit->armed)
		return;
	(void)plat_timer_cancel(limit->weir->plat, &limit->timer);
	limit_report(limit);
}

bool weir_limit_pass(struct weir_limit *limit)
{
	uint64_t now = plat_time_ns(limit->weir->plat), end;
	uintptr_t flags = weir_lock_irq(&limit->lock);
	bool pass, arm = false;

	if (!limit->started || now - limit->window_ns >= WEIR_LIMIT_WINDOW_NS) {
		limit->started = true;
		limit->window_ns = now;
		limit->lines = 0;
	}
	pass = limit->lines < WEIR_LIMIT_LINES;
	if (pass)
		limit->lines++;
	else
		arm = !limit->hidden++;
	limit->armed |= arm;
	end = limit->window_ns + WEIR_LIMIT_WINDOW_NS;
	weir_unlock_irq(&limit->lock, flags);
	if (arm)
		plat_timer_arm(limit->weir->plat, &limit->timer, end);
	return pass;
}
