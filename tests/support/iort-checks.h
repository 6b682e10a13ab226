/* SPDX-License-Identifier: MIT */
#ifndef IORT_CHECKS_H
#define IORT_CHECKS_H

/* What the tests of the reader of IO Remapping Tables do all the time, to the one table at hand. */

#include <stdlib.h>
#include <string.h>

#include "iortserver.h"
#include <weir/iort.h>

static struct iortbuild b;
static struct weir_iort iort;
static struct iort_server server;

/* Open what was built, in memory of just its size: the address sanitizer sees one byte more. */
static inline void open_built(void)
{
	static uint8_t *copy;
	uint32_t size = iort_end(&b);

	free(copy);
	copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, b.bytes, size);
	if (weir_iort_open(copy, size, &iort))
		fail_msg("%s (byte %u)", iort.error, iort.error_offset);
}

static inline struct weir_iort_node at(uint32_t offset)
{
	struct weir_iort_node node;

	if (!weir_iort_at(&iort, offset, &node))
		fail_msg("no node at byte %u", offset);
	return node;
}

/* What the last error was about. */
static inline void assert_error(const char *what, uint32_t offset)
{
	assert_non_null(iort.error);
	if (!strstr(iort.error, what) || iort.error_offset != offset)
		fail_msg("\"%s\" at %u instead of \"%s\" at %u", iort.error, iort.error_offset,
			 what, offset);
}

static inline void build_server(unsigned int revision)
{
	iort_server(&b, revision, &server);
	open_built();
}

#endif
