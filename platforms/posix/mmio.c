/* SPDX-License-Identifier: MIT */
/*
 * Register accesses. What plat_mmio_map() returns is no memory: it is the physical address with a
 * tag in bits 48 to 55, which makes it an address that no x86-64 or AArch64 process can have (on
 * AArch64 the bits above are ignored, these are not). A driver that dereferences it instead of
 * using an accessor faults at once. An accessor takes the tag off and goes to the bus of the
 * machine whose CPU the caller is. What nothing answers reads as all ones, and a write to it is
 * lost.
 */
#include "internal.h"

#define COOKIE_SHIFT 48
#define COOKIE_TAG ((uint64_t)0x5a << COOKIE_SHIFT)
#define COOKIE_MASK (~(uint64_t)0 << COOKIE_SHIFT)

volatile void WEIR_IOMEM *plat_mmio_map(void *plat, weir_phys_t phys, size_t size)
{
	struct posix_machine *machine = plat;

	posix_may_sleep("plat_mmio_map");
	if (phys & COOKIE_MASK || size > COOKIE_TAG - phys)
		return NULL;
	if (phys < plat_memory_end(plat) && phys + size > WEIR_MODEL_MACHINE_RAM_BASE)
		return NULL; /* RAM is in the direct map, with other attributes */
	return machine ? (volatile void WEIR_IOMEM *)(uintptr_t)(COOKIE_TAG | phys) : NULL;
}

void plat_mmio_unmap(void *plat, volatile void WEIR_IOMEM *addr, size_t size)
{
	(void)plat;
	(void)addr;
	(void)size;
}

static uint64_t decode(const volatile void WEIR_IOMEM *addr, size_t size)
{
	uint64_t cookie = (uint64_t)(uintptr_t)addr;

	if (!posix_self)
		posix_fatal("a register was accessed by a thread that is no CPU");
	if ((cookie & COOKIE_MASK) != COOKIE_TAG || cookie % size)
		posix_fatal("CPU %u: not the address of a register of %zu bytes: %#llx",
			    posix_cpu_index(), size, (unsigned long long)cookie);
	posix_point();
	return cookie & ~COOKIE_MASK;
}

static uint64_t mmio_read(const volatile void WEIR_IOMEM *addr, size_t size)
{
	uint64_t phys = decode(addr, size);
	uint64_t value = 0;

	if (weir_model_bus_read(posix_self->machine->bus, phys, &value, size, WEIR_MODEL_CPU))
		return UINT64_MAX;
	return value;
}

static void mmio_write(volatile void WEIR_IOMEM *addr, uint64_t value, size_t size)
{
	uint64_t phys = decode(addr, size);

	(void)weir_model_bus_write(posix_self->machine->bus, phys, &value, size, WEIR_MODEL_CPU);
}

uint8_t plat_mmio_read8(const volatile void WEIR_IOMEM *addr)
{
	return (uint8_t)mmio_read(addr, 1);
}

uint16_t plat_mmio_read16(const volatile void WEIR_IOMEM *addr)
{
	return (uint16_t)mmio_read(addr, 2);
}

uint32_t plat_mmio_read32(const volatile void WEIR_IOMEM *addr)
{
	return (uint32_t)mmio_read(addr, 4);
}

uint64_t plat_mmio_read64(const volatile void WEIR_IOMEM *addr)
{
	return mmio_read(addr, 8);
}

void plat_mmio_write8(volatile void WEIR_IOMEM *addr, uint8_t value)
{
	mmio_write(addr, value, 1);
}

void plat_mmio_write16(volatile void WEIR_IOMEM *addr, uint16_t value)
{
	mmio_write(addr, value, 2);
}

void plat_mmio_write32(volatile void WEIR_IOMEM *addr, uint32_t value)
{
	mmio_write(addr, value, 4);
}

void plat_mmio_write64(volatile void WEIR_IOMEM *addr, uint64_t value)
{
	mmio_write(addr, value, 8);
}
