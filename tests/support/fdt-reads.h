/* SPDX-License-Identifier: MIT */
#ifndef FDT_READS_H
#define FDT_READS_H

/*
 * Every reader of weir/fdt.h, on every node of a tree that nobody vouches for. What is read is
 * touched byte by byte, so that a sanitizer sees each. For the test and the fuzzer.
 */

#include <stdlib.h>

#include <weir/fdt.h>

static volatile uint32_t fdt_reads_sum;

static inline void fdt_reads_touch(const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		fdt_reads_sum += ((const uint8_t *)data)[i];
}

static inline void fdt_reads_properties(struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	static const char *const names[] = { "reg",	   "compatible", "ranges",
					     "interrupts", "phandle",	 "iommu-map",
					     "status",	   "",		 "a" };
	struct weir_fdt_prop prop;
	uint32_t value;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(names); i++) {
		(void)weir_fdt_u32(fdt, node, names[i], &value);
		if (!weir_fdt_prop(fdt, node, names[i], &prop))
			continue;
		fdt_reads_touch(prop.data, prop.size);
		fdt_reads_sum += (uint32_t)weir_fdt_string_index(&prop, "x");
		fdt_reads_sum += (uint32_t)weir_fdt_cells(&prop, prop.size / 4 - 1, 2);
	}
}

static inline void fdt_reads_node(struct weir_fdt *fdt, const struct weir_fdt_node *node)
{
	struct weir_fdt_pci_range range;
	struct weir_fdt_node found;
	struct weir_fdt_irq irq;
	uint64_t base, size;
	uint32_t phandle, out;
	char path[100];

	weir_fdt_path(fdt, node, path, sizeof(path));
	(void)weir_fdt_by_path(fdt, path, &found);
	fdt_reads_properties(fdt, node);
	for (uint32_t i = 0; i < 3; i++) {
		if (!weir_fdt_reg(fdt, node, i, &base, &size) && size > UINT64_MAX - base)
			abort();
		if (!weir_fdt_pci_range(fdt, node, i, &range) &&
		    range.size - 1 > UINT64_MAX - range.cpu)
			abort();
		if (!weir_fdt_irq(fdt, node, i, &irq))
			fdt_reads_touch(irq.cells, irq.count * sizeof(irq.cells[0]));
	}
	(void)weir_fdt_irq_by_name(fdt, node, "gerror", &irq);
	for (uint32_t id = 0; id < 0x10000; id = id * 3 + 1)
		(void)weir_fdt_map_id(fdt, node, "iommu-map", id, &phandle, &out);
	fdt_reads_sum += weir_fdt_is_enabled(fdt, node) + weir_fdt_is_coherent(fdt, node);
	(void)weir_fdt_by_phandle(fdt, weir_fdt_phandle(fdt, node), &found);
}

/* true: the tree could be opened, and has a root. At most 500 nodes are read. */
static inline bool fdt_reads(const uint8_t *blob, size_t size)
{
	struct weir_fdt_node node;
	struct weir_fdt fdt;
	uint64_t base, length;
	unsigned int count = 0;

	if (weir_fdt_open(blob, size, &fdt)) {
		if (!fdt.error)
			abort();
		return false;
	}
	for (uint32_t i = 0; !weir_fdt_reservation(&fdt, i, &base, &length); i++)
		fdt_reads_sum += (uint32_t)(base + length);
	weir_fdt_root(&fdt, &node);
	do {
		fdt_reads_node(&fdt, &node);
	} while (++count < 500 && weir_fdt_next(&fdt, &node));
	weir_fdt_root(&fdt, &node);
	while (weir_fdt_next_compatible(&fdt, &node, "arm,smmu-v3"))
		fdt_reads_sum++;
	return true;
}

#endif
