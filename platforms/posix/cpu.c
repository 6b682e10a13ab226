/* SPDX-License-Identifier: MIT */
/*
 * What acts on the calling CPU: who it is, interrupts on and off, barriers, relax; and the log.
 */
#include <stdio.h>

#include "internal.h"

unsigned int plat_cpu(void)
{
	return posix_cpu_index();
}

struct weir *plat_weir(void)
{
	/* Acquire: pairs with the release in posix_set_weir(). */
	return posix_self ? __atomic_load_n(&posix_self->machine->weir, __ATOMIC_ACQUIRE) : NULL;
}

/* flags: 1 if interrupts were off before. A thread that is no CPU has none to keep off. */
uintptr_t plat_irq_save(void)
{
	struct posix_thread *self = posix_self;

	if (!self || self->irqs_off)
		return 1;
	self->machine->ops->irqs_off(self);
	self->irqs_off = true;
	return 0;
}

void plat_irq_restore(uintptr_t flags)
{
	struct posix_thread *self = posix_self;

	if (!self || flags)
		return;
	self->irqs_off = false;
	self->machine->ops->irqs_on(self);
}

void plat_relax(void *plat)
{
	struct posix_machine *machine = plat;

	machine->ops->relax(machine);
}

/*
 * Devices are threads here (or steps on this one), so ordering among the host's CPUs is what is
 * asked for. x86 keeps all orders but that of a store before a load.
 */
#if defined(__x86_64__)
void plat_dma_mb(void)
{
	__asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
}

void plat_dma_rmb(void)
{
	__asm__ volatile("" ::: "memory");
}

void plat_dma_wmb(void)
{
	__asm__ volatile("" ::: "memory");
}
#elif defined(__aarch64__)
void plat_dma_mb(void)
{
	__asm__ volatile("dmb ish" ::: "memory");
}

void plat_dma_rmb(void)
{
	__asm__ volatile("dmb ishld" ::: "memory");
}

void plat_dma_wmb(void)
{
	__asm__ volatile("dmb ishst" ::: "memory");
}
#else
#error "no barriers known for this host"
#endif

/* The models read memory through the host's coherent caches: nothing to clean. */
void plat_cache_clean(void *plat, const void *virt, size_t size)
{
	(void)plat;
	(void)virt;
	(void)size;
}

void plat_cache_invalidate(void *plat, const void *virt, size_t size)
{
	(void)plat;
	(void)virt;
	(void)size;
}

void plat_cache_flush(void *plat, const void *virt, size_t size)
{
	(void)plat;
	(void)virt;
	(void)size;
}

void plat_log(void *plat, enum weir_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct posix_machine *machine = plat;

	if (machine->options.log)
		machine->options.log(machine->options.log_opaque, level, line);
	else
		fprintf(stderr, "weir: %s: %s\n", names[level], line);
}
