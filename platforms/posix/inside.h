/* SPDX-License-Identifier: MIT */
#ifndef POSIX_INSIDE_H
#define POSIX_INSIDE_H

/* What tests of the platform itself need beside platform.h and posix.h. */

#include "posix.h"

/** An edge on line `irq`, or message `irq`, as the models' interrupt sink gets it. Any thread. */
void posix_irq_raise(struct posix_machine *machine, unsigned int irq);

/**
 * Shared interrupts (WEIR_CPU_ANY) connected from now on wake every CPU that waits (true), or one
 * (false, the default): without and with EPOLLEXCLUSIVE.
 */
void posix_irq_shared_wakes_all(struct posix_machine *machine, bool all);

/** One more model for the runner to step. -WEIR_ENOSPC. Before anybody kicks it. */
int posix_stepper_add(struct posix_machine *machine, struct weir_model_stepper *model);

#endif
