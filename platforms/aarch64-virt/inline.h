/* SPDX-License-Identifier: MIT */
#ifndef VIRT_INLINE_H
#define VIRT_INLINE_H

/*
 * The hottest functions of platform.h, which includes this header by WEIR_PLAT_INLINE: into weir,
 * the drivers and the platform alike. Nothing here knows more than the instruction set, that RAM is
 * mapped at its physical address, and that TPIDR_EL0 points to the CPU's index (struct virt_cpu).
 */

#include <weir/base.h>

/* ---- Physical memory -------------------------------------------------------------------- */

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

/* ---- Registers (MMIO) ------------------------------------------------------------------- */

/*
 * One instruction with a base register alone: a hypervisor can emulate the access from the syndrome
 * (ESR_ELx.ISS.ISV), which it cannot for pairs and for forms that write the base back. Volatile
 * keeps the accesses in order among themselves; against memory it is the barriers below that do.
 */
#define VIRT_MMIO(bits, type, suffix, prefix)                                                      \
	static inline type plat_mmio_read##bits(const volatile void WEIR_IOMEM *addr)              \
	{                                                                                          \
		type value;                                                                        \
                                                                                                   \
		__asm__ volatile("ldr" suffix " %" prefix "0, [%1]" : "=r"(value) : "r"(addr));    \
		return value;                                                                      \
	}                                                                                          \
	static inline void plat_mmio_write##bits(volatile void WEIR_IOMEM *addr, type value)       \
	{                                                                                          \
		__asm__ volatile("str" suffix " %" prefix "0, [%1]" : : "rZ"(value), "r"(addr));   \
	}

#define plat_mmio_read8 plat_mmio_read8
VIRT_MMIO(8, uint8_t, "b", "w")
VIRT_MMIO(16, uint16_t, "h", "w")
VIRT_MMIO(32, uint32_t, "", "w")
VIRT_MMIO(64, uint64_t, "", "x")
#undef VIRT_MMIO

/* ---- Order between CPU and device ------------------------------------------------------- */

/*
 * DMB orders accesses to memory and to device registers alike, for all observers of the outer
 * shareable domain, which devices are in (DDI 0487, "Data Memory Barrier"): a descriptor is
 * seen before the doorbell that follows it. DSB would also hold up what is no memory access (TLBI,
 * WFI, an instruction fetch); nothing that these functions are for is one.
 */
#define plat_dma_mb plat_dma_mb
static inline void plat_dma_mb(void)
{
	__asm__ volatile("dmb osh" : : : "memory");
}

static inline void plat_dma_rmb(void)
{
	__asm__ volatile("dmb oshld" : : : "memory");
}

static inline void plat_dma_wmb(void)
{
	__asm__ volatile("dmb oshst" : : : "memory");
}

/* ---- CPUs ------------------------------------------------------------------------------- */

#define plat_cpu plat_cpu
static inline unsigned int plat_cpu(void)
{
	const uint32_t *index;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(index));
	return *index;
}

/* PSTATE.I and .F; an SError still comes through. */
#define plat_irq_save plat_irq_save
static inline uintptr_t plat_irq_save(void)
{
	uintptr_t flags;

	__asm__ volatile("mrs %0, daif\n\tmsr daifset, #3" : "=r"(flags) : : "memory");
	return flags;
}

static inline void plat_irq_restore(uintptr_t flags)
{
	__asm__ volatile("msr daif, %0" : : "r"(flags) : "memory");
}

#define plat_relax plat_relax
static inline void plat_relax(void *plat)
{
	(void)plat;
	__asm__ volatile("yield" : : : "memory");
}

/* ---- Spin locks -------------------------------------------------------------------------- */

/*
 * platform.h declares the structure further down; its first word is the lock: 1 while held. Who
 * waits only reads, so that the line stays shared until the holder writes it.
 */
struct weir_spinlock;

#define plat_spin_lock plat_spin_lock
static inline void plat_spin_lock(struct weir_spinlock *lock)
{
	uintptr_t *word = (uintptr_t *)(void *)lock;

	/* Acquire: pairs with the release in plat_spin_unlock(). */
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(word, __ATOMIC_RELAXED))
			plat_relax(NULL);
}

static inline void plat_spin_unlock(struct weir_spinlock *lock)
{
	__atomic_store_n((uintptr_t *)(void *)lock, 0, __ATOMIC_RELEASE);
}

#endif
