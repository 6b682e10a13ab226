/* SPDX-License-Identifier: MIT */
/*
 * VMSAv8-64 (DDI 0487 D8.3): what both stages have in common. A file for each format includes
 * vmsav8-s1.h or vmsav8-s2.h and has defined
 *
 * - PAGE_SHIFT;
 * - CONT_BITS: log2 of the leaves of a contiguous run, from level 3 up (D8.7.1).
 *
 * Depth d of the core is level 3 - d.
 */

#ifndef WEIR_PGTABLE_VMSAV8_H
#define WEIR_PGTABLE_VMSAV8_H

#include <weir/hw/smmuv3.h>

#include "pgtable/pgtable.h"

/* Blocks: 4K at levels 2 and 1, 16K at 2, 64K at 2 and, with 52-bit addresses, at 1 (D8.3.1). */
#define BLOCK_DEPTHS (PAGE_SHIFT == 14 ? 0x3 : 0x7)

/* Addresses of 64K entries have bits 51:48 at 15:12 (D8.3.1.3); elsewhere that would take LPA2. */
#define ADDRESS_HIGH (PAGE_SHIFT == 16 ? WEIR_VMSA_ADDR_64K_HIGH : 0)

/* Of table descriptors hardware ignores [58:51]. */
#define VMSAV8_SHAPE                                                                               \
	.page_shift = PAGE_SHIFT, .index_bits = PAGE_SHIFT - 3, .block_depths = BLOCK_DEPTHS,      \
	.cont_bits = { CONT_BITS }, .address = WEIR_GENMASK(47, PAGE_SHIFT) | ADDRESS_HIGH,        \
	.high = ADDRESS_HIGH, .type = WEIR_VMSA_TYPE, .type_table = WEIR_VMSA_TYPE_TABLE,          \
	.type_block = WEIR_VMSA_TYPE_BLOCK, .type_page = WEIR_VMSA_TYPE_PAGE,                      \
	.contiguous = WEIR_VMSA_CONT, .modifiable = WEIR_VMSA_DBM, .cleaned = WEIR_BIT(55)

#define VMSAV8_CORE                                                                                \
	.shape = &shape, .init = core_init, .fini = core_fini, .map = core_map,                    \
	.unmap = core_unmap, .lookup = core_lookup, .split = core_split, .merge = core_merge,      \
	.dirty = core_dirty

#endif
