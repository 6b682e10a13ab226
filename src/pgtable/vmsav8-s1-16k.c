/* SPDX-License-Identifier: MIT */
/* VMSAv8-64 stage 1 with the 16 KiB granule. */

#define PAGE_SHIFT 14
#define CONT_BITS 7, 5
#include "pgtable/vmsav8-s1.h"

const struct weir_pgtable_format weir_pgtable_vmsav8_s1_16k = {
	.name = "VMSAv8-64 stage 1, 16 KiB",
	VMSAV8_CORE,
};
