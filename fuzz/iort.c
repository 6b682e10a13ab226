/* SPDX-License-Identifier: MIT */
/* Any bytes as an IO Remapping Table: every reader on every node, also with its header mended. */

#include "iort-reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Signature, length and checksum, which chance does not get right. */
static void mend(uint8_t *table, size_t size)
{
	uint32_t length = (uint32_t)size;
	uint8_t sum = 0;

	memcpy(table, "IORT", 4);
	memcpy(table + 4, &length, 4);
	table[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1), *table; /* exactly as large, and unaligned */

	if (!copy)
		return 0;
	table = copy + 1;
	memcpy(table, data, size);
	iort_reads(table, size);
	if (size >= 48) {
		mend(table, size);
		iort_reads(table, size);
	}
	free(copy);
	return 0;
}
