/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

/*
 * Types, error numbers and the few helpers that every other embedder's header builds on.
 *
 * Nothing here (nor in platform.h, weir.h, dma.h, domain.h, sys.h) has a name that a host kernel
 * could have: all begin with weir_, WEIR_, plat_ or PLAT_. The Linux spellings are in the headers
 * for drivers (dma-mapping.h and its neighbours).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX != UINT64_MAX
#error "weir needs a 64-bit host"
#endif
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weir needs a little-endian host"
#endif

#ifdef __cplusplus
#define WEIR_BEGIN_DECLS extern "C" {
#define WEIR_END_DECLS }
#define WEIR_NOEXCEPT noexcept
#else
#define WEIR_BEGIN_DECLS
#define WEIR_END_DECLS
#define WEIR_NOEXCEPT
#endif

/* Kinds of addresses and IDs, which sparse tells apart; a conversion is an explicit cast. */
#ifdef __CHECKER__
#define WEIR_NOCAST __attribute__((nocast))
#define WEIR_IOMEM __attribute__((noderef, address_space(__iomem)))
#define WEIR_FORCE __attribute__((force))
#else
#define WEIR_NOCAST
#define WEIR_IOMEM
#define WEIR_FORCE
#endif

/** An address as a CPU's MMU emits it: RAM or a register. */
typedef uint64_t WEIR_NOCAST weir_phys_t;
/** An address as a device emits it: an IOVA behind a translating IOMMU, else a physical address. */
typedef uint64_t WEIR_NOCAST weir_dma_t;

/** What a mapping function returns in place of an address when it failed. Never a valid address. */
#define WEIR_DMA_ERROR ((weir_dma_t) ~(uint64_t)0)

/** weir's page: the unit of IOVA allocation and of the page handles of the driver headers. */
#define WEIR_PAGE_SHIFT 12
#define WEIR_PAGE_SIZE ((size_t)1 << WEIR_PAGE_SHIFT)
#define WEIR_PAGE_MASK (~(uint64_t)(WEIR_PAGE_SIZE - 1))

/*
 * Errors: functions return 0 or a positive count, or one of these negated. The numbers are Linux's,
 * so that the headers for drivers only spell them differently.
 */
#define WEIR_EPERM 1
#define WEIR_ENOENT 2
#define WEIR_EIO 5
#define WEIR_ENXIO 6
#define WEIR_E2BIG 7
#define WEIR_EAGAIN 11
#define WEIR_ENOMEM 12
#define WEIR_EFAULT 14
#define WEIR_EBUSY 16
#define WEIR_EEXIST 17
#define WEIR_ENODEV 19
#define WEIR_EINVAL 22
#define WEIR_ENOSPC 28
#define WEIR_ERANGE 34
#define WEIR_EOVERFLOW 75
#define WEIR_EOPNOTSUPP 95
#define WEIR_ETIMEDOUT 110
#define WEIR_EREMOTEIO 121

/** Where a call was made: what a report about a mapping names. Always a static object. */
struct weir_site {
	const char *file;
	const char *func;
	unsigned int line;
};

/** A pointer to the struct weir_site of the place where it stands. Costs one address constant. */
#define WEIR_HERE                                                                                  \
	__extension__({                                                                            \
		static const struct weir_site weir_site_here = { __FILE__, __func__, __LINE__ };   \
		&weir_site_here;                                                                   \
	})

#define WEIR_CONTAINER_OF(ptr, type, member)                                                       \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define WEIR_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define WEIR_BIT(n) ((uint64_t)1 << (n))
#define WEIR_GENMASK(hi, lo) ((~(uint64_t)0 >> (63 - (hi))) & (~(uint64_t)0 << (lo)))
#define WEIR_ALIGN_UP(x, a) (((x) + ((a)-1)) & ~((uint64_t)(a)-1))
#define WEIR_ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a)-1))
#define WEIR_IS_ALIGNED(x, a) (((x) & ((uint64_t)(a)-1)) == 0)

#if defined(__GNUC__)
#define WEIR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define WEIR_MUST_CHECK __attribute__((warn_unused_result))
#define WEIR_LIKELY(x) __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x) __builtin_expect(!!(x), 0)
#endif

/*
 * The four memory functions that a freestanding compiler may call by itself, with the meaning that
 * C gives them. The platform or the C library supplies them. (C++ wants its own declarations.)
 */
#ifdef __cplusplus
#include <string.h>
#else
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
#endif

#endif
