/* SPDX-License-Identifier: MIT */
/* VMSAv8-64 stage 2 with the 64 KiB granule. */

#define PAGE_SHIFT 16
#define CONT_BITS 5, 5
#include "pgtable/vmsav8-s2.h"

const struct weir_pgtable_format weir_pgtable_vmsav8_s2_64k = {
	.name = "VMSAv8-64 stage 2, 64 KiB",
	VMSAV8_CORE,
	.stage2 = true,
};
