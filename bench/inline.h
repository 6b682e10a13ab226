/* SPDX-License-Identifier: MIT */
#ifndef BENCH_INLINE_H
#define BENCH_INLINE_H

/*
 * The hottest functions of platform.h as a kernel would have them, which includes this header by
 * WEIR_PLAT_INLINE into the weir that is measured: RAM is mapped at its physical address, a CPU's
 * index is one load away. There are no interrupts, so that there is nothing to keep away.
 */

#include <weir/base.h>

#define plat_phys_to_virt plat_phys_to_virt
static inline void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	(void)plat;
	return (void *)(uintptr_t)phys;
}

#define plat_virt_to_phys plat_virt_to_phys
static inline weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	(void)plat;
	return (weir_phys_t)(uintptr_t)virt;
}

/* Devices are threads of this process, and see memory as the CPUs do. */
#if defined(__x86_64__)
#define BENCH_WMB() __asm__ volatile("" ::: "memory")
#define BENCH_RMB() __asm__ volatile("" ::: "memory")
#define BENCH_PAUSE() __asm__ volatile("pause" ::: "memory")
#elif defined(__aarch64__)
#define BENCH_WMB() __asm__ volatile("dmb ishst" ::: "memory")
#define BENCH_RMB() __asm__ volatile("dmb ishld" ::: "memory")
#define BENCH_PAUSE() __asm__ volatile("yield" ::: "memory")
#else
#error "no barriers known for this host"
#endif

#define plat_dma_mb plat_dma_mb
static inline void plat_dma_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void plat_dma_rmb(void)
{
	BENCH_RMB();
}

static inline void plat_dma_wmb(void)
{
	BENCH_WMB();
}

/* As near as a kernel has its CPU's own data; the program has one copy of it. */
extern __thread unsigned int bench_cpu __attribute__((tls_model("initial-exec")));

#define plat_cpu plat_cpu
static inline unsigned int plat_cpu(void)
{
	return bench_cpu;
}

#define plat_irq_save plat_irq_save
static inline uintptr_t plat_irq_save(void)
{
	return 0;
}

static inline void plat_irq_restore(uintptr_t flags)
{
	(void)flags;
}

/* platform.h declares the structure further down; its first word is the lock: 1 while held. */
struct weir_spinlock;

#define plat_spin_lock plat_spin_lock
static inline void plat_spin_lock(struct weir_spinlock *lock)
{
	uintptr_t *word = (uintptr_t *)(void *)lock;

	/* Acquire: pairs with the release in plat_spin_unlock(). */
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(word, __ATOMIC_RELAXED))
			BENCH_PAUSE();
}

static inline void plat_spin_unlock(struct weir_spinlock *lock)
{
	__atomic_store_n((uintptr_t *)(void *)lock, 0, __ATOMIC_RELEASE);
}

#endif
