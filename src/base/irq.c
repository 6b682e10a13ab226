/* SPDX-License-Identifier: MIT */
/*
 * Interrupt handlers of Linux's shape on top of plat_irq_connect(): an action for each, in a list
 * under weir.lock. A handler finds its action by its argument and takes no lock.
 */

#include <weir/pci-host.h>

#include "base/machine.h"

struct weir_irq_action {
	struct weir_irq_action *next;
	unsigned int irq;
	weir_irq_handler *handler;
	void *arg;
};

static void irq_arrived(void *arg)
{
	struct weir_irq_action *action = arg;

	(void)action->handler((int)action->irq, action->arg);
}

int weir_irq_request(struct weir *weir, unsigned int irq, weir_irq_handler *handler, void *arg)
{
	struct weir_irq_action *action;
	int ret;

	if (!weir || !handler || irq > INT32_MAX)
		return -WEIR_EINVAL;
	action = weir_alloc(weir, sizeof(*action), 0);
	if (!action)
		return -WEIR_ENOMEM;
	action->irq = irq;
	action->handler = handler;
	action->arg = arg;
	ret = plat_irq_connect(weir->plat, irq, WEIR_CPU_ANY, irq_arrived, action);
	if (ret) {
		weir_free(weir, action);
		return ret;
	}
	plat_mutex_lock(weir->plat, &weir->lock);
	action->next = weir->irqs;
	weir->irqs = action;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return 0;
}

/* Out of the list; NULL: no such interrupt. */
static struct weir_irq_action *unlink_action(struct weir *weir, unsigned int irq)
{
	struct weir_irq_action **link, *action;

	plat_mutex_lock(weir->plat, &weir->lock);
	for (link = &weir->irqs; *link && (*link)->irq != irq; link = &(*link)->next)
		;
	action = *link;
	if (action)
		*link = action->next;
	plat_mutex_unlock(weir->plat, &weir->lock);
	return action;
}

void weir_irq_free(struct weir *weir, unsigned int irq)
{
	struct weir_irq_action *action = unlink_action(weir, irq);

	if (!action) {
		weir_log(weir, WEIR_LOG_ERR, "interrupt %u is freed, and was not requested", irq);
		return;
	}
	plat_irq_disconnect(weir->plat, irq);
	weir_free(weir, action);
}
