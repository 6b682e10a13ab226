/* SPDX-License-Identifier: MIT */
/* Passing time. */

#include <weir/sys.h>

static uint64_t deadline_after(void *plat, uint64_t ns)
{
	uint64_t now = plat_time_ns(plat);

	return ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
}

void weir_delay_ns(struct weir *weir, uint64_t ns)
{
	void *plat = weir_plat(weir);
	uint64_t deadline = deadline_after(plat, ns);

	while (plat_time_ns(plat) < deadline)
		plat_relax(plat);
}

void weir_sleep_ns(struct weir *weir, uint64_t ns)
{
	void *plat = weir_plat(weir);
	uint64_t deadline = deadline_after(plat, ns);
	const uint32_t nobody_wakes = 0;
	uint64_t now;

	while ((now = plat_time_ns(plat)) < deadline)
		(void)plat_wait(plat, &nobody_wakes, 0, deadline - now);
}
