/* SPDX-License-Identifier: MIT */
/* VMSAv8-64 stage 1 with the 4 KiB granule. */

#define PAGE_SHIFT 12
#define CONT_BITS 4, 4, 4
#include "pgtable/vmsav8-s1.h"

const struct weir_pgtable_format weir_pgtable_vmsav8_s1_4k = {
	.name = "VMSAv8-64 stage 1, 4 KiB",
	VMSAV8_CORE,
};
