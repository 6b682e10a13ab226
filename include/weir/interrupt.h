/* SPDX-License-Identifier: MIT */
#ifndef WEIR_INTERRUPT_H
#define WEIR_INTERRUPT_H

/* Interrupt handlers, as drivers request them. */

#include <weir/device.h>
#include <weir/pci-host.h>

enum { IRQ_NONE = 0, IRQ_HANDLED = 1 };
typedef int irqreturn_t;
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev_id);

/**
 * Connect a handler. `flags` is 0. -EBUSY, -EINVAL, -ENOMEM. Context: TASK.
 * The handler runs in IRQ context, on the CPU that the vector was allocated for.
 */
static inline int request_irq(unsigned int irq, irq_handler_t handler, unsigned long flags,
			      const char *name, void *dev_id)
{
	(void)name;
	if (flags)
		return -WEIR_EINVAL;
	return weir_irq_request(plat_weir(), irq, handler, dev_id);
}
/** When it returns the handler is not running and will not. Context: TASK. */
static inline const void *free_irq(unsigned int irq, void *dev_id)
{
	weir_irq_free(plat_weir(), irq);
	return dev_id;
}

#endif
