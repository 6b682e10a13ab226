/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_EXTENT_H
#define WEIR_BASE_EXTENT_H

#include <weir/base.h>

/* A part of memory; lists of them are mapped one after the other to consecutive IOVAs. */
struct weir_extent {
	weir_phys_t phys;
	size_t size;
};

#endif
