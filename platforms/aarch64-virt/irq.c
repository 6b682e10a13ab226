/* SPDX-License-Identifier: MIT */
/*
 * Handlers of interrupts. An interrupt's number is its INTID: a line is an SPI, a message an LPI
 * (its.c). Each has a struct virt_irq:
 *
 * - `taken`, `edge`: under `lock`. Who made `taken` true owns the entry, and the enable of the
 *   interrupt, until he makes it false again; plat_irq_disconnect() does so last of all.
 * - `arg`: written by the owner before `fn`, whose store publishes it.
 * - `fn` and `running` are Dekker's pair: a CPU that takes the interrupt counts itself in `running`
 *   and then loads `fn`; disconnecting clears `fn` and then loads `running`. All four sequentially
 *   consistent: either the CPU sees that there is no handler, or it is seen and waited for.
 *
 * An interrupt that comes without a handler is disabled, so that it cannot storm, and connecting it
 * enables it again.
 */
#include "gic.h"

/* Specifier of the binding arm,gic-v3: type, number, flags, and the affinity of a PPI. */
#define SPECIFIER_MIN 3
#define SPECIFIER_MAX 4
#define SPECIFIER_SPI 0
#define SPECIFIER_TRIGGER 0xfu
#define SPECIFIER_EDGE_RISING 1u
#define SPECIFIER_LEVEL_HIGH 4u

static struct virt_irq lines[GIC_SPI_END - GIC_SPI_FIRST];
static struct weir_spinlock lock;
static uint32_t strays;

static bool is_line(unsigned int intid)
{
	return intid >= GIC_SPI_FIRST && intid < virt_gic.spi_end;
}

static struct virt_irq *find(unsigned int intid)
{
	return is_line(intid) ? &lines[intid - GIC_SPI_FIRST] : virt_its_irq(intid);
}

static int enable(unsigned int intid, unsigned int cpu, bool edge)
{
	/*
	 * Handler and argument are there for the CPU that the interrupt comes to, whatever it does
	 * first. Pairs with the DSB in virt_irq_dispatch().
	 */
	plat_dma_wmb();
	if (!is_line(intid))
		return virt_its_set_enabled(intid, true);
	virt_gic_spi_enable(intid, cpu, edge);
	return 0;
}

static void disable(unsigned int intid)
{
	if (is_line(intid))
		virt_gic_spi_disable(intid);
	else if (intid < GIC_SPI_FIRST)
		virt_gic_disable_private(intid);
	else
		(void)virt_its_set_enabled(intid, false); /* if not, its.c has said so */
}

/* ---- Taking them -------------------------------------------------------------------------- */

static bool is_enabled(unsigned int intid)
{
	if (is_line(intid))
		return virt_gic_spi_is_enabled(intid);
	return intid < GIC_SPI_FIRST || virt_its_is_enabled(intid);
}

/*
 * Nobody's? One that has an owner, or is disabled, was acknowledged just before it was disconnected
 * and came here after: no error, and if somebody has connected it since, not to be disabled behind
 * his back.
 */
static void stray(struct virt_irq *irq, unsigned int intid)
{
	uint32_t count;
	bool is_late;

	plat_spin_lock(&lock); /* interrupts are off */
	is_late = irq && (irq->taken || !is_enabled(intid));
	if (!is_late)
		disable(intid);
	plat_spin_unlock(&lock);
	if (is_late)
		return;
	count = __atomic_add_fetch(&strays, 1, __ATOMIC_RELAXED);
	if (!(count & (count - 1))) /* the 1st, 2nd, 4th, 8th, ... */
		virt_log(WEIR_LOG_WARN, "interrupt %u has no handler: disabled (%u such so far)",
			 intid, (unsigned int)count);
}

static void end(unsigned int intid)
{
	GIC_WRITE(ICC_EOIR1_EL1, intid);
}

static void take(unsigned int intid)
{
	struct virt_irq *irq = find(intid);
	weir_irq_fn *fn;

	if (!irq) {
		stray(NULL, intid);
		end(intid);
		return;
	}
	__atomic_fetch_add(&irq->running, 1, __ATOMIC_SEQ_CST);
	fn = __atomic_load_n(&irq->fn, __ATOMIC_SEQ_CST);
	if (fn)
		fn(irq->arg);
	else
		stray(irq, intid);
	end(intid);
	/* Release: plat_irq_disconnect() sees all that the handler did. */
	__atomic_fetch_sub(&irq->running, 1, __ATOMIC_RELEASE);
}

void virt_irq_dispatch(void)
{
	for (;;) {
		unsigned int intid = (unsigned int)GIC_READ(ICC_IAR1_EL1) & 0xffffff;

		if (intid >= GIC_SPI_END && intid < GIC_INTID_SPECIAL_END)
			return;
		/*
		 * What the sender wrote before the interrupt is not looked for earlier than the
		 * interrupt is acknowledged: the read above is ordered against memory by a DSB.
		 */
		__asm__ volatile("dsb sy" ::: "memory");
		if (intid == virt.timer_intid) {
			virt_time_interrupt();
			end(intid);
		} else if (intid == GIC_INTID_KICK) {
			end(intid); /* waking the CPU was all of it */
		} else {
			take(intid);
		}
	}
}

/* ---- Handlers ----------------------------------------------------------------------------- */

static bool claim(struct virt_irq *irq)
{
	uintptr_t flags = plat_irq_save();
	bool is_free;

	plat_spin_lock(&lock);
	is_free = !irq->taken;
	irq->taken = true;
	plat_spin_unlock(&lock);
	plat_irq_restore(flags);
	return is_free;
}

/*
 * The owner's last step; the interrupt is disabled. Waiting cannot deadlock: this is a thread,
 * which holds no spin lock, and no handler runs beneath it on this CPU; one elsewhere runs to its
 * end whatever happens here. New ones do not come: who counts himself in from here on sees no `fn`.
 */
static void retire(void *plat, struct virt_irq *irq)
{
	uintptr_t flags;

	__atomic_store_n(&irq->fn, NULL, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&irq->running, __ATOMIC_SEQ_CST))
		plat_relax(plat);
	flags = plat_irq_save();
	plat_spin_lock(&lock);
	irq->taken = false;
	plat_spin_unlock(&lock);
	plat_irq_restore(flags);
}

int plat_irq_connect(void *plat, unsigned int irq, unsigned int cpu, weir_irq_fn *fn, void *arg)
{
	struct virt_irq *entry = find(irq);
	int err;

	if (cpu == WEIR_CPU_ANY)
		cpu = 0; /* is always there; who has many interrupts names CPUs */
	if (!entry || cpu >= bare_cpus() || (!is_line(irq) && !virt_its_is_message(irq)))
		return -WEIR_EINVAL;
	if (!claim(entry))
		return -WEIR_EBUSY;
	entry->arg = arg;
	__atomic_store_n(&entry->fn, fn, __ATOMIC_SEQ_CST);
	err = enable(irq, cpu, entry->edge);
	if (err)
		retire(plat, entry);
	return err;
}

void plat_irq_disconnect(void *plat, unsigned int irq)
{
	struct virt_irq *entry = find(irq);

	if (!entry || !__atomic_load_n(&entry->fn, __ATOMIC_RELAXED))
		return;
	disable(irq);
	retire(plat, entry);
}

/* The trigger is kept for connecting; while somebody has the line it is his. */
static void set_trigger(struct virt_irq *irq, bool edge)
{
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&lock);
	if (!irq->taken)
		irq->edge = edge;
	plat_spin_unlock(&lock);
	plat_irq_restore(flags);
}

static int read_specifier(const uint32_t *cells, unsigned int nr_cells, uint32_t *spi,
			  uint32_t *trigger)
{
	/* A GSIV. */
	if (nr_cells == 1 && cells[0] >= GIC_SPI_FIRST) {
		*spi = cells[0] - GIC_SPI_FIRST;
		*trigger = SPECIFIER_EDGE_RISING;
		return 0;
	}
	if (nr_cells < SPECIFIER_MIN || nr_cells > SPECIFIER_MAX || cells[0] != SPECIFIER_SPI)
		return -WEIR_EINVAL;
	*spi = cells[1];
	*trigger = cells[2] & SPECIFIER_TRIGGER;
	return 0;
}

int plat_irq_wired(void *plat, uint32_t controller, const uint32_t *cells, unsigned int nr_cells,
		   unsigned int *irq)
{
	uint32_t spi, trigger;

	(void)plat;
	if (controller && controller != virt_gic.phandle)
		return -WEIR_EINVAL;
	if (read_specifier(cells, nr_cells, &spi, &trigger))
		return -WEIR_EINVAL;
	if (trigger != SPECIFIER_EDGE_RISING && trigger != SPECIFIER_LEVEL_HIGH)
		return -WEIR_EINVAL;
	if (spi >= virt_gic.spi_end - GIC_SPI_FIRST)
		return -WEIR_ENOENT;
	set_trigger(&lines[spi], trigger == SPECIFIER_EDGE_RISING);
	*irq = GIC_SPI_FIRST + spi;
	return 0;
}
