/* SPDX-License-Identifier: MIT */
#ifndef FIRMWARE_IORT_H
#define FIRMWARE_IORT_H

/* What the two files of the IORT's reader share. */

#include <weir/iort.h>

#define WEIR_IORT_NODE_SIZE 16
#define WEIR_IORT_NODE_MAPPINGS_OFFSET 12
#define WEIR_IORT_MAPPING_SIZE 20
/* The revision of an SMMUv3 since which it says whether it has a mapping for its own messages. */
#define WEIR_IORT_SMMUV3_SAYS_MSI 5

/* Four bytes of a node, which has them. */
uint32_t weir_iort_load32(const struct weir_iort *iort, const struct weir_iort_node *node,
			  uint32_t offset);
/* Remember what is wrong, at this byte of the node (NULL: of the table). */
void weir_iort_note(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t offset,
		    const char *what);
static inline int weir_iort_fail(struct weir_iort *iort, const struct weir_iort_node *node,
				 uint32_t offset, const char *what)
{
	weir_iort_note(iort, node, offset, what);
	return -WEIR_EINVAL;
}

/* Are its ID mappings inside of it? */
bool weir_iort_holds_mappings(const struct weir_iort_node *node);

#endif
