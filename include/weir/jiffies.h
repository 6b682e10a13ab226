/* SPDX-License-Identifier: MIT */
#ifndef WEIR_JIFFIES_H
#define WEIR_JIFFIES_H

/* Time: a jiffy is a millisecond. */

#include <weir/sys.h>

#define HZ 1000ul
#define WEIR_NS_PER_JIFFY (1000000000ull / HZ)
#define jiffies ((unsigned long)(plat_time_ns(weir_plat(plat_weir())) / WEIR_NS_PER_JIFFY))
#define msecs_to_jiffies(ms) ((unsigned long)(ms) * HZ / 1000)
#define time_after(a, b) ((long)((b) - (a)) < 0)

#endif
