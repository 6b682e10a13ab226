/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DELAY_H
#define WEIR_DELAY_H

/* udelay() spins, in any context; msleep() and usleep_range() sleep. */

#include <weir/sys.h>

#define udelay(us) weir_delay_ns(plat_weir(), (uint64_t)(us) * 1000)
#define usleep_range(min, max) weir_sleep_ns(plat_weir(), (uint64_t)(min) * 1000)
#define msleep(ms) weir_sleep_ns(plat_weir(), (uint64_t)(ms) * 1000000)

#endif
