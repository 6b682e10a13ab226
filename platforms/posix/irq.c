/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: wired ones and messages share one space of numbers. An interrupt is a word of three
 * bits. RAISED is a latch, as in an interrupt controller: an edge that comes while it is set adds
 * nothing, one that comes while there is no handler waits for it. Whoever moves RAISED to ACTIVE
 * runs the handler, so it never runs twice at a time; an edge that comes meanwhile makes it run
 * again. How a CPU comes to look at an interrupt is the runner's business.
 */
#include <stdlib.h>

#include "internal.h"
#include "inside.h"

/* The specifier of a GIC: type, number, flags. Only shared peripheral interrupts are wired. */
#define SPECIFIER_CELLS 3
#define SPECIFIER_SPI 0
#define SPI_FIRST 32u
#define MSI_FIRST WEIR_MODEL_MACHINE_MSI_FIRST
#define MSI_END (MSI_FIRST + WEIR_MODEL_MACHINE_MSI_COUNT)
_Static_assert(MSI_END <= POSIX_IRQS, "messages have numbers of interrupts");

static uint32_t state_of(const struct posix_irq *irq)
{
	return __atomic_load_n(&irq->state, __ATOMIC_ACQUIRE);
}

void posix_irq_raise(struct posix_machine *machine, unsigned int number)
{
	struct posix_irq *irq;

	if (number >= POSIX_IRQS)
		return;
	irq = &machine->irqs[number];
	/*
	 * Release: the handler sees what the device did before. Sequentially consistent with the
	 * store of `fd` in the runner's irq_open() and of ENABLED in plat_irq_connect(): one of the
	 * two sides sees the other.
	 */
	if (!(__atomic_fetch_or(&irq->state, POSIX_IRQ_RAISED, __ATOMIC_SEQ_CST) &
	      POSIX_IRQ_RAISED))
		machine->ops->irq_notify(irq);
}

void posix_irq_sink(void *machine, unsigned int irq)
{
	posix_irq_raise(machine, irq);
}

void posix_irq_shared_wakes_all(struct posix_machine *machine, bool all)
{
	machine->irq_shared_wakes_all = all;
}

void posix_irq_enter(struct posix_thread *self)
{
	self->machine->ops->irqs_off(self);
	self->irqs_off = true;
	self->in_irq = true;
}

void posix_irq_exit(struct posix_thread *self)
{
	self->machine->ops->irqs_on(self);
	self->in_irq = false;
	self->irqs_off = false;
}

static bool begin(struct posix_irq *irq)
{
	uint32_t state = state_of(irq);

	do {
		if ((state & (POSIX_IRQ_RAISED | POSIX_IRQ_ENABLED)) !=
			    (POSIX_IRQ_RAISED | POSIX_IRQ_ENABLED) ||
		    state & POSIX_IRQ_ACTIVE)
			return false;
	} while (!__atomic_compare_exchange_n(&irq->state, &state,
					      POSIX_IRQ_ENABLED | POSIX_IRQ_ACTIVE, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

/* Release: plat_irq_disconnect() sees all that the handler did. */
static void end(struct posix_irq *irq)
{
	uint32_t state = __atomic_and_fetch(&irq->state, ~POSIX_IRQ_ACTIVE, __ATOMIC_ACQ_REL);

	if (!(state & POSIX_IRQ_ENABLED))
		irq->machine->ops->wake(irq->machine, &irq->state, UINT32_MAX);
}

/*
 * While this CPU was on its way here the interrupt was disconnected, connected for another CPU and
 * raised again: that one shall have it.
 */
static bool pass_on(struct posix_thread *self, struct posix_irq *irq)
{
	if (irq->cpu == WEIR_CPU_ANY || irq->cpu == self->cpu->index)
		return false;
	__atomic_fetch_or(&irq->state, POSIX_IRQ_RAISED, __ATOMIC_RELAXED);
	end(irq);
	irq->machine->ops->irq_notify(irq);
	return true;
}

void posix_irq_take(struct posix_thread *self, struct posix_irq *irq)
{
	while (begin(irq)) {
		if (pass_on(self, irq))
			return;
		posix_irq_enter(self);
		irq->fn(irq->arg);
		posix_irq_exit(self);
		end(irq);
	}
}

static int connect_locked(struct posix_irq *irq, unsigned int cpu, weir_irq_fn *fn, void *arg)
{
	int err;

	if (irq->fn)
		return -WEIR_EBUSY;
	if (!irq->allocated)
		irq->cpu = cpu;
	err = irq->machine->ops->irq_open(irq);
	if (err)
		return err;
	irq->fn = fn;
	irq->arg = arg;
	if (__atomic_fetch_or(&irq->state, POSIX_IRQ_ENABLED, __ATOMIC_SEQ_CST) & POSIX_IRQ_RAISED)
		irq->machine->ops->irq_notify(irq);
	return 0;
}

static bool cpu_is_valid(const struct posix_machine *machine, unsigned int cpu)
{
	return cpu < machine->nr_cpus || cpu == WEIR_CPU_ANY;
}

int plat_irq_connect(void *plat, unsigned int irq, unsigned int cpu, weir_irq_fn *fn, void *arg)
{
	struct posix_machine *machine = plat;
	int err;

	if (irq >= POSIX_IRQS || !cpu_is_valid(machine, cpu))
		return -WEIR_EINVAL;
	plat_mutex_lock(plat, &machine->irq_mutex);
	err = connect_locked(&machine->irqs[irq], cpu, fn, arg);
	plat_mutex_unlock(plat, &machine->irq_mutex);
	return err;
}

void plat_irq_disconnect(void *plat, unsigned int irq)
{
	struct posix_machine *machine = plat;
	struct posix_irq *i = &machine->irqs[irq];
	uint32_t state;

	plat_mutex_lock(plat, &machine->irq_mutex);
	__atomic_fetch_and(&i->state, ~POSIX_IRQ_ENABLED, __ATOMIC_ACQ_REL);
	machine->ops->irq_close(i);
	while ((state = state_of(i)) & POSIX_IRQ_ACTIVE)
		machine->ops->wait(machine, &i->state, state, UINT64_MAX, "plat_irq_disconnect");
	i->fn = NULL;
	plat_mutex_unlock(plat, &machine->irq_mutex);
}

int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq)
{
	uint32_t spi;

	(void)plat;
	(void)controller; /* there is one */
	/* One cell is a GSIV, and the number itself. */
	if (nr_cells == 1 && cells[0] >= SPI_FIRST)
		spi = cells[0] - SPI_FIRST;
	else if (nr_cells == SPECIFIER_CELLS && cells[0] == SPECIFIER_SPI)
		spi = cells[1];
	else
		return -WEIR_EINVAL;
	if (spi >= MSI_FIRST - SPI_FIRST)
		return -WEIR_ENOENT;
	*irq = SPI_FIRST + spi;
	return 0;
}

static struct posix_irq *find_free_message_locked(struct posix_machine *machine)
{
	unsigned int i;

	for (i = MSI_FIRST; i < MSI_END; i++)
		if (!machine->irqs[i].allocated)
			return &machine->irqs[i];
	return NULL;
}

int plat_msi_alloc(void *plat, uint32_t controller, uint32_t device_id, unsigned int index,
		   unsigned int cpu, struct weir_msi *msi)
{
	struct posix_machine *machine = plat;
	struct posix_irq *irq;

	/* There is one controller (a GICv2m frame), which tells messages by their data alone. */
	(void)controller;
	(void)device_id;
	(void)index;
	if (!cpu_is_valid(machine, cpu))
		return -WEIR_EINVAL;
	plat_mutex_lock(plat, &machine->irq_mutex);
	irq = find_free_message_locked(machine);
	if (irq) {
		irq->allocated = true;
		irq->cpu = cpu;
		/* What was sent to the vector's last owner is not the new one's. */
		__atomic_fetch_and(&irq->state, ~POSIX_IRQ_RAISED, __ATOMIC_RELAXED);
		*msi = (struct weir_msi){ irq->number, irq->number,
					  WEIR_MODEL_MACHINE_MSI_DOORBELL };
	}
	plat_mutex_unlock(plat, &machine->irq_mutex);
	return irq ? 0 : -WEIR_ENOSPC;
}

void plat_msi_free(void *plat, const struct weir_msi *msi)
{
	struct posix_machine *machine = plat;

	plat_mutex_lock(plat, &machine->irq_mutex);
	machine->irqs[msi->irq].allocated = false;
	plat_mutex_unlock(plat, &machine->irq_mutex);
}

int posix_irqs_create(struct posix_machine *machine)
{
	unsigned int i;

	machine->irqs = calloc(POSIX_IRQS, sizeof(*machine->irqs));
	if (!machine->irqs)
		return -WEIR_ENOMEM;
	for (i = 0; i < POSIX_IRQS; i++) {
		machine->irqs[i].machine = machine;
		machine->irqs[i].number = i;
		machine->irqs[i].fd = -1;
	}
	return 0;
}

void posix_irqs_destroy(struct posix_machine *machine)
{
	free(machine->irqs);
}
