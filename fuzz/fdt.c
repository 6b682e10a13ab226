/* SPDX-License-Identifier: MIT */
/* Any bytes as a device tree: every reader on every node. */

#include "fdt-reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* exactly as large, and aligned */

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	fdt_reads(copy, size);
	free(copy);
	return 0;
}
