/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ERRNO_H
#define WEIR_ERRNO_H

/* Linux's names for error numbers, where the C library's <errno.h> has not defined them. */

#include <weir/base.h>

#ifndef EPERM
#define EPERM WEIR_EPERM
#endif
#ifndef ENOENT
#define ENOENT WEIR_ENOENT
#endif
#ifndef EIO
#define EIO WEIR_EIO
#endif
#ifndef ENXIO
#define ENXIO WEIR_ENXIO
#endif
#ifndef E2BIG
#define E2BIG WEIR_E2BIG
#endif
#ifndef EAGAIN
#define EAGAIN WEIR_EAGAIN
#endif
#ifndef ENOMEM
#define ENOMEM WEIR_ENOMEM
#endif
#ifndef EFAULT
#define EFAULT WEIR_EFAULT
#endif
#ifndef EBUSY
#define EBUSY WEIR_EBUSY
#endif
#ifndef EEXIST
#define EEXIST WEIR_EEXIST
#endif
#ifndef ENODEV
#define ENODEV WEIR_ENODEV
#endif
#ifndef EINVAL
#define EINVAL WEIR_EINVAL
#endif
#ifndef ENOSPC
#define ENOSPC WEIR_ENOSPC
#endif
#ifndef ERANGE
#define ERANGE WEIR_ERANGE
#endif
#ifndef EOVERFLOW
#define EOVERFLOW WEIR_EOVERFLOW
#endif
#ifndef EOPNOTSUPP
#define EOPNOTSUPP WEIR_EOPNOTSUPP
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT WEIR_ETIMEDOUT
#endif
#ifndef EREMOTEIO
#define EREMOTEIO WEIR_EREMOTEIO
#endif

/* Errors in pointers: the last page of the address space. */
#define MAX_ERRNO 4095
#define IS_ERR_VALUE(x) ((unsigned long)(x) >= (unsigned long)-MAX_ERRNO)
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}
static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}
static inline bool IS_ERR(const void *ptr)
{
	return IS_ERR_VALUE(ptr);
}

#endif
