/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SMP_H
#define WEIR_SMP_H

/* CPUs, as drivers count them. */

#include <weir/sys.h>

/** The CPU that runs the caller, a moment ago. */
#define raw_smp_processor_id() plat_cpu()
#define num_online_cpus() weir_cpus(plat_weir())

#endif
