/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H

/* Linux's names for types. For drivers; a host kernel with types of its own never includes this. */

#include <weir/base.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#ifdef __CHECKER__
#define __bitwise __attribute__((bitwise))
#define __force __attribute__((force))
#define __iomem __attribute__((noderef, address_space(__iomem)))
#else
#define __bitwise
#define __force
#define __iomem
#endif

typedef u16 __bitwise __le16;
typedef u32 __bitwise __le32;
typedef u64 __bitwise __le64;

typedef weir_phys_t phys_addr_t;
typedef weir_dma_t dma_addr_t;
typedef unsigned int gfp_t;

#define GFP_KERNEL 0u
#define GFP_ATOMIC 0x1u /* WEIR_ALLOC_ATOMIC */
#define __GFP_ZERO 0x100u

/* Hosts are little-endian: conversions only change the type. */
#define cpu_to_le16(x) ((__force __le16)(u16)(x))
#define cpu_to_le32(x) ((__force __le32)(u32)(x))
#define cpu_to_le64(x) ((__force __le64)(u64)(x))
#define le16_to_cpu(x) ((__force u16)(__le16)(x))
#define le32_to_cpu(x) ((__force u32)(__le32)(x))
#define le64_to_cpu(x) ((__force u64)(__le64)(x))

/* Single accesses that the compiler neither tears nor repeats. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define BIT(n) (1ul << (n))
#define ARRAY_SIZE(a) WEIR_ARRAY_SIZE(a)
#define container_of(ptr, type, member) WEIR_CONTAINER_OF(ptr, type, member)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define lower_32_bits(n) ((u32)(n))

#define PAGE_SHIFT WEIR_PAGE_SHIFT
#define PAGE_SIZE WEIR_PAGE_SIZE
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define offset_in_page(p) ((unsigned long)(p) & (PAGE_SIZE - 1))

#endif
