/* SPDX-License-Identifier: MIT */
#ifndef WEIR_IO_H
#define WEIR_IO_H

/*
 * Register access. readl() and writel() are ordered against memory that the device shares: what
 * was stored before a writel() is visible to the device when the write arrives, and loads after a
 * readl() happen after it. The _relaxed forms are ordered only among themselves for one device.
 */

#include <weir/platform.h>
#include <weir/sys.h>
#include <weir/types.h>

#define dma_mb() plat_dma_mb()
#define dma_rmb() plat_dma_rmb()
#define dma_wmb() plat_dma_wmb()

#define readb_relaxed(addr) plat_mmio_read8(addr)
#define readw_relaxed(addr) plat_mmio_read16(addr)
#define readl_relaxed(addr) plat_mmio_read32(addr)
#define readq_relaxed(addr) plat_mmio_read64(addr)
#define writeb_relaxed(value, addr) plat_mmio_write8(addr, value)
#define writew_relaxed(value, addr) plat_mmio_write16(addr, value)
#define writel_relaxed(value, addr) plat_mmio_write32(addr, value)
#define writeq_relaxed(value, addr) plat_mmio_write64(addr, value)

static inline u32 readl(const volatile void __iomem *addr)
{
	u32 value = plat_mmio_read32(addr);

	plat_dma_rmb(); /* loads after this one see what the device wrote before it answered */
	return value;
}
static inline u64 readq(const volatile void __iomem *addr)
{
	u64 value = plat_mmio_read64(addr);

	plat_dma_rmb();
	return value;
}
static inline void writel(u32 value, volatile void __iomem *addr)
{
	plat_dma_wmb(); /* what was stored before is there when the device is told */
	plat_mmio_write32(addr, value);
}
static inline void writeq(u64 value, volatile void __iomem *addr)
{
	plat_dma_wmb();
	plat_mmio_write64(addr, value);
}

/* Linux's calls that name no device: the machine of the CPU that they run on. */
static inline void *phys_to_virt(phys_addr_t phys)
{
	return plat_phys_to_virt(weir_plat(plat_weir()), phys);
}
static inline phys_addr_t virt_to_phys(const volatile void *virt)
{
	return plat_virt_to_phys(weir_plat(plat_weir()), (const void *)virt);
}

#endif
