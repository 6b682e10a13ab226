/* SPDX-License-Identifier: MIT */
/*
 * The reader of flattened device trees, against trees that libfdt made.
 *
 * - Nodes: order, depth, parent, name, path, lookup by path, phandle and compatible are libfdt's.
 * - Properties, cells, lists of strings; status of a node and of those above it.
 * - reg goes through each bus's ranges; what no range covers is an error and not an address.
 * - PCI ranges; interrupts with an inherited parent, extended ones, and by name; ID maps with
 *   masks.
 * - Reserved memory is libfdt's; a list without an end is an error. The size is the header's.
 * - A tree cut off at any byte is refused, whatever the header says of its size.
 * - 100,000 damaged trees: no reader reads outside of the blob, all of them end.
 * - Trees that are nested too deeply, have two roots, properties behind children, unterminated
 *   names.
 * - An error names its place.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>

#include "bareweir.h"
#include "fdt-reads.h"
#include <weir/fdt.h>

#define BLOB_SIZE 8192

static _Alignas(8) uint8_t blob[BLOB_SIZE];
static size_t blob_size;
static struct weir_fdt fdt;

/* ---- A tree with one of everything ------------------------------------------------------- */

static void cells(const char *name, unsigned int count, ...)
{
	fdt32_t values[32];
	va_list args;

	va_start(args, count);
	for (unsigned int i = 0; i < count; i++)
		values[i] = cpu_to_fdt32(va_arg(args, uint32_t));
	va_end(args);
	assert_int_equal(fdt_property(blob, name, values, (int)(count * 4)), 0);
}

static void begin(const char *name)
{
	assert_int_equal(fdt_begin_node(blob, name), 0);
}

static void end(void)
{
	assert_int_equal(fdt_end_node(blob), 0);
}

static void strings(const char *name, const char *value, size_t size)
{
	assert_int_equal(fdt_property(blob, name, value, (int)size), 0);
}

static void add_controllers(void)
{
	begin("intc@8000000");
	cells("#interrupt-cells", 1, 3);
	cells("phandle", 1, 1);
	end();
	begin("other-intc");
	cells("#interrupt-cells", 1, 1);
	cells("linux,phandle", 1, 2);
	cells("interrupts-extended", 5, 2, 33, 1, 0, 5); /* the second is cut off */
	end();
}

static void add_soc(void)
{
	begin("soc");
	cells("#address-cells", 1, 1);
	cells("#size-cells", 1, 1);
	/* 0x1000.. -> 0x1_0000_0000; 0x8000.. -> 0x5000_0000 */
	cells("ranges", 8, 0x1000, 1, 0, 0x1000, 0x8000, 0, 0x50000000, 0x4000);
	cells("interrupt-parent", 1, 2);
	strings("dma-coherent", "", 0);
	begin("bus@8000");
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 1);
	cells("ranges", 4, 0, 0x100, 0x9000, 0x1000);
	begin("timer@110");
	cells("reg", 6, 0, 0x110, 0x10, 0, 0x5000, 0x10);
	cells("interrupts", 2, 7, 9);
	end();
	end();
	begin("identity");
	strings("ranges", "", 0);
	cells("#address-cells", 1, 1);
	cells("#size-cells", 1, 0);
	strings("status", "disabled", 9);
	strings("dma-noncoherent", "", 0);
	begin("dev@1010");
	cells("reg", 1, 0x1010);
	strings("status", "okay", 5);
	end();
	end();
	begin("no-ranges");
	begin("dev@0");
	cells("reg", 3, 0, 0, 1);
	end();
	end();
	end();
}

static void add_smmu(void)
{
	begin("iommu@9050000");
	strings("compatible", "vendor,x\0arm,smmu-v3", 21);
	cells("reg", 4, 0, 0x9050000, 0, 0x20000);
	cells("interrupts", 9, 0, 74, 1, 0, 75, 1, 0, 77, 1);
	strings("interrupt-names", "eventq\0cmdq-sync\0gerror", 24);
	cells("#iommu-cells", 1, 1);
	cells("phandle", 1, 0x8001);
	end();
}

static void add_pcie(void)
{
	begin("pcie@10000000");
	strings("compatible", "pci-host-ecam-generic", 22);
	cells("#address-cells", 1, 3);
	cells("#size-cells", 1, 2);
	cells("reg", 4, 0x40, 0x10000000, 0, 0x10000000);
	cells("bus-range", 2, 0, 0xff);
	cells("ranges", 14, 0x02000000, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000, 0x43000000,
	      0x80, 0, 0x80, 0, 0x80, 0);
	cells("iommu-map", 8, 0, 0x8001, 0x100, 0x10, 0x10, 0x8001, 0x1000, 0xfff0);
	cells("iommu-map-mask", 1, 0xfff8);
	cells("msi-map", 4, 0x100, 0x8002, 0xfffffff0, 0x20);
	cells("interrupts-extended", 6, 2, 33, 1, 0, 5, 4);
	end();
}

static void build(void)
{
	memset(blob, 0, sizeof(blob));
	assert_int_equal(fdt_create(blob, BLOB_SIZE), 0);
	assert_int_equal(fdt_add_reservemap_entry(blob, 0x140000000, 0x2000), 0);
	assert_int_equal(fdt_add_reservemap_entry(blob, 0, 0x1000), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	begin("");
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
	cells("interrupt-parent", 1, 1);
	strings("model", "one of everything", 18);
	add_controllers();
	add_soc();
	add_smmu();
	add_pcie();
	end();
	assert_int_equal(fdt_finish(blob), 0);
	blob_size = fdt_totalsize(blob);
	assert_int_equal(weir_fdt_open(blob, blob_size, &fdt), 0);
}

static struct weir_fdt_node at(const char *path)
{
	struct weir_fdt_node node;

	if (!weir_fdt_by_path(&fdt, path, &node))
		fail_msg("%s is not found", path);
	return node;
}

/* ---- Nodes and properties ---------------------------------------------------------------- */

static void nodes_are_libfdts(void **state)
{
	struct weir_fdt_node node, found;
	int offset = 0, depth = 0, count = 0;

	(void)state;
	build();
	weir_fdt_root(&fdt, &node);
	do {
		char path[128], want[128];
		struct weir_fdt_node parent;

		assert_int_equal(fdt.root + node.path[node.depth], (uint32_t)offset);
		assert_int_equal(node.depth, depth);
		assert_string_equal(weir_fdt_name(&fdt, &node), fdt_get_name(blob, offset, NULL));
		assert_int_equal(fdt_get_path(blob, offset, want, sizeof(want)), 0);
		assert_int_equal(weir_fdt_path(&fdt, &node, path, sizeof(path)), strlen(want));
		assert_string_equal(path, want);
		assert_true(weir_fdt_by_path(&fdt, path, &found));
		assert_int_equal(found.path[found.depth], node.path[node.depth]);
		assert_int_equal(weir_fdt_phandle(&fdt, &node), fdt_get_phandle(blob, offset));
		assert_int_equal(weir_fdt_parent(&node, &parent), depth > 0);
		if (depth)
			assert_int_equal(parent.path[parent.depth],
					 fdt_parent_offset(blob, offset));
		count++;
		offset = fdt_next_node(blob, offset, &depth);
	} while (weir_fdt_next(&fdt, &node));
	assert_true(offset < 0 || depth < 0);
	assert_int_equal(count, 12);
}

static void nodes_are_found(void **state)
{
	struct weir_fdt_node node, root;

	(void)state;
	build();
	weir_fdt_root(&fdt, &root);
	assert_true(weir_fdt_by_path(&fdt, "/soc/bus/timer", &node));
	assert_string_equal(weir_fdt_name(&fdt, &node), "timer@110");
	assert_true(weir_fdt_by_path(&fdt, "/", &node));
	assert_int_equal(node.depth, 0);
	assert_false(weir_fdt_by_path(&fdt, "/soc/timer@110", &node));
	assert_false(weir_fdt_by_path(&fdt, "/soc/bus@8001", &node));
	assert_false(weir_fdt_by_path(&fdt, "/so", &node));
	assert_false(weir_fdt_by_path(&fdt, "/soc/no-ranges/dev@0/x", &node));
	assert_true(weir_fdt_by_phandle(&fdt, 0x8001, &node));
	assert_string_equal(weir_fdt_name(&fdt, &node), "iommu@9050000");
	assert_true(weir_fdt_by_phandle(&fdt, 2, &node));
	assert_false(weir_fdt_by_phandle(&fdt, 0, &node));
	assert_false(weir_fdt_by_phandle(&fdt, 77, &node));
	node = root;
	assert_true(weir_fdt_next_compatible(&fdt, &node, "arm,smmu-v3"));
	assert_string_equal(weir_fdt_name(&fdt, &node), "iommu@9050000");
	assert_false(weir_fdt_next_compatible(&fdt, &node, "arm,smmu-v3"));
	assert_string_equal(weir_fdt_name(&fdt, &node), "iommu@9050000");
	node = root;
	assert_false(weir_fdt_next_compatible(&fdt, &node, "arm,smmu"));
	node = at("/soc/identity/dev");
	assert_false(weir_fdt_is_enabled(&fdt, &node));
	assert_false(weir_fdt_is_coherent(&fdt, &node));
	node = at("/soc/bus/timer");
	assert_true(weir_fdt_is_enabled(&fdt, &node));
	assert_true(weir_fdt_is_coherent(&fdt, &node));
	node = at("/pcie");
	assert_false(weir_fdt_is_coherent(&fdt, &node));
}

static void properties(void **state)
{
	struct weir_fdt_node node;
	struct weir_fdt_prop prop;
	uint32_t value = 5;

	(void)state;
	build();
	node = at("/iommu");
	assert_true(weir_fdt_prop(&fdt, &node, "compatible", &prop));
	assert_int_equal(weir_fdt_string_index(&prop, "vendor,x"), 0);
	assert_int_equal(weir_fdt_string_index(&prop, "arm,smmu-v3"), 1);
	assert_int_equal(weir_fdt_string_index(&prop, "arm,smmu"), -WEIR_ENOENT);
	prop.size--; /* the last string does not end any more */
	assert_int_equal(weir_fdt_string_index(&prop, "arm,smmu-v3"), -WEIR_ENOENT);
	assert_false(weir_fdt_prop(&fdt, &node, "compatibl", &prop));
	assert_true(weir_fdt_prop(&fdt, &node, "reg", &prop));
	assert_int_equal(prop.size, 16);
	assert_int_equal(weir_fdt_cell(&prop, 1), 0x9050000);
	assert_int_equal(weir_fdt_cell(&prop, 4), 0);
	assert_int_equal(weir_fdt_cells(&prop, 1, 2), 0x905000000000000);
	assert_int_equal(weir_fdt_u32(&fdt, &node, "none", &value), -WEIR_ENOENT);
	assert_int_equal(weir_fdt_u32(&fdt, &node, "reg", &value), -WEIR_EINVAL);
	assert_int_equal(value, 5);
	assert_int_equal(weir_fdt_u32(&fdt, &node, "phandle", &value), 0);
	assert_int_equal(value, 0x8001);
	node = at("/"); /* a child's property is not the parent's */
	assert_false(weir_fdt_has(&fdt, &node, "compatible"));
	assert_true(weir_fdt_has(&fdt, &node, "model"));
}

/* ---- Buses, interrupts, maps ------------------------------------------------------------- */

static void addresses(void **state)
{
	struct weir_fdt_node node;
	struct weir_fdt_pci_range range;
	uint64_t base = 0, size = 0;

	(void)state;
	build();
	node = at("/iommu");
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), 0);
	assert_int_equal(base, 0x9050000);
	assert_int_equal(size, 0x20000);
	assert_int_equal(weir_fdt_reg(&fdt, &node, 1, &base, &size), -WEIR_ENOENT);
	node = at("/soc/bus/timer"); /* 0x110 -> 0x9010 on the soc -> 0x50001010 */
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), 0);
	assert_int_equal(base, 0x50001010);
	assert_int_equal(size, 0x10);
	assert_int_equal(weir_fdt_reg(&fdt, &node, 1, &base, &size), -WEIR_EINVAL);
	node = at("/soc/identity/dev");
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), 0);
	assert_int_equal(base, 0x100000010);
	assert_int_equal(size, 0);
	node = at("/soc/no-ranges/dev");
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), -WEIR_EINVAL);
	node = at("/pcie");
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), 0);
	assert_int_equal(base, 0x4010000000);
	assert_int_equal(weir_fdt_pci_range(&fdt, &node, 0, &range), 0);
	assert_int_equal(WEIR_FDT_PCI_SPACE(range.flags), WEIR_FDT_PCI_MEM32);
	assert_int_equal(range.pci, 0x10000000);
	assert_int_equal(range.cpu, 0x10000000);
	assert_int_equal(range.size, 0x2eff0000);
	assert_int_equal(weir_fdt_pci_range(&fdt, &node, 1, &range), 0);
	assert_int_equal(WEIR_FDT_PCI_SPACE(range.flags), WEIR_FDT_PCI_MEM64);
	assert_true(range.flags & WEIR_FDT_PCI_PREFETCH);
	assert_int_equal(range.cpu, 0x8000000000);
	assert_int_equal(range.size, 0x8000000000);
	assert_int_equal(weir_fdt_pci_range(&fdt, &node, 2, &range), -WEIR_ENOENT);
	node = at("/soc");
	assert_int_equal(weir_fdt_pci_range(&fdt, &node, 0, &range), -WEIR_EINVAL);
}

static void interrupts(void **state)
{
	struct weir_fdt_node node;
	struct weir_fdt_irq irq;

	(void)state;
	build();
	node = at("/iommu");
	assert_int_equal(weir_fdt_irq_by_name(&fdt, &node, "gerror", &irq), 0);
	assert_string_equal(weir_fdt_name(&fdt, &irq.controller), "intc@8000000");
	assert_int_equal(irq.count, 3);
	assert_int_equal(irq.cells[1], 77);
	assert_int_equal(weir_fdt_irq_by_name(&fdt, &node, "priq", &irq), -WEIR_ENOENT);
	assert_int_equal(weir_fdt_irq(&fdt, &node, 3, &irq), -WEIR_ENOENT);
	node = at("/soc/bus/timer");
	assert_int_equal(weir_fdt_irq(&fdt, &node, 1, &irq), 0);
	assert_string_equal(weir_fdt_name(&fdt, &irq.controller), "other-intc");
	assert_int_equal(irq.count, 1);
	assert_int_equal(irq.cells[0], 9);
	assert_int_equal(weir_fdt_irq_by_name(&fdt, &node, "x", &irq), -WEIR_ENOENT);
	node = at("/pcie");
	assert_int_equal(weir_fdt_irq(&fdt, &node, 0, &irq), 0);
	assert_int_equal(irq.cells[0], 33);
	assert_int_equal(weir_fdt_irq(&fdt, &node, 1, &irq), 0);
	assert_int_equal(irq.count, 3);
	assert_int_equal(irq.cells[1], 5);
	assert_int_equal(weir_fdt_irq(&fdt, &node, 2, &irq), -WEIR_ENOENT);
	node = at("/other-intc");
	assert_int_equal(weir_fdt_irq(&fdt, &node, 0, &irq), 0);
	assert_int_equal(weir_fdt_irq(&fdt, &node, 1, &irq), -WEIR_EINVAL);
	node = at("/soc");
	assert_int_equal(weir_fdt_irq(&fdt, &node, 0, &irq), -WEIR_ENOENT);
}

static void maps(void **state)
{
	struct weir_fdt_node node;
	uint32_t phandle = 0, out = 0;

	(void)state;
	build();
	node = at("/pcie");
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "iommu-map", 0x0b, &phandle, &out), 0);
	assert_int_equal(phandle, 0x8001);
	assert_int_equal(out, 0x108);
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "iommu-map", 0x100, &phandle, &out), 0);
	assert_int_equal(out, 0x10f0);
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "msi-map", 0x10f, &phandle, &out), 0);
	assert_int_equal(out, 0xffffffff);
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "msi-map", 0x110, &phandle, &out),
			 -WEIR_EINVAL);
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "msi-map", 0x120, &phandle, &out),
			 -WEIR_ENOENT);
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "none", 0, &phandle, &out), -WEIR_ENOENT);
	node = at("/iommu");
	assert_int_equal(weir_fdt_map_id(&fdt, &node, "interrupts", 0, &phandle, &out),
			 -WEIR_EINVAL);
}

/* ---- Trees that are wrong ---------------------------------------------------------------- */

/* A copy with exactly `size` bytes, so that the address sanitizer sees one byte too far. */
static uint8_t *exact_copy(size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, blob, size);
	return copy;
}

static void set32(uint8_t *p, uint32_t value)
{
	value = cpu_to_fdt32(value);
	memcpy(p, &value, 4);
}

static void cut_off_anywhere(void **state)
{
	struct weir_fdt cut;

	(void)state;
	build();
	assert_int_equal(weir_fdt_open(NULL, 0, &cut), -WEIR_EINVAL);
	assert_int_equal(weir_fdt_open(blob + 1, blob_size, &cut), -WEIR_EINVAL);
	for (size_t size = 0; size < blob_size; size++) {
		uint8_t *copy = exact_copy(size);

		assert_int_equal(weir_fdt_open(copy, size, &cut), -WEIR_EINVAL);
		if (size >= 8)
			set32(copy + 4, (uint32_t)size); /* the header agrees */
		assert_int_equal(weir_fdt_open(copy, size, &cut), -WEIR_EINVAL);
		if (size >= 40) { /* only the structure's own size is wrong */
			set32(copy + 36, fdt_size_dt_struct(blob) / 4 * 3);
			assert_int_equal(weir_fdt_open(copy, size, &cut), -WEIR_EINVAL);
		}
		free(copy);
	}
}

static void damaged(void **state)
{
	uint32_t seed = 7;
	unsigned int opened = 0;
	uint8_t *copy;

	(void)state;
	build();
	copy = exact_copy(blob_size);
	for (unsigned int i = 0; i < 100000; i++) {
		unsigned int hits = 1 + i % 4;

		memcpy(copy, blob, blob_size);
		while (hits--) {
			size_t where;

			seed = seed * 1664525u + 1013904223u;
			where = (seed >> 10) % blob_size;
			if (seed & 0x100)
				copy[where] = (uint8_t)(seed >> 24);
			else
				set32(copy + where / 4 * 4 % (blob_size & ~(size_t)3),
				      (seed >> 4 & 1) ? seed >> 28 : 0u - (seed >> 28));
		}
		opened += fdt_reads(copy, blob_size);
	}
	free(copy);
	assert_in_range(opened, 10000, 90000);
}

static void finish(uint32_t *words, uint32_t count, uint32_t version, int expected,
		   const char *what)
{
	/* Header; structure; "a\0b" as strings. */
	uint32_t header = version == 16 ? 36 : 40, total = header + count * 4 + 4;
	uint32_t values[10] = { 0xd00dfeed, total, header, header + count * 4, 0, version,
				16,	    0,	   4,	   count * 4 };
	uint8_t *p = malloc(total);
	struct weir_fdt tree;

	assert_non_null(p);
	for (uint32_t i = 0; i < header / 4; i++)
		set32(p + (size_t)i * 4, values[i]);
	for (uint32_t i = 0; i < count; i++)
		set32(p + header + (size_t)i * 4, words[i]);
	memcpy(p + header + (size_t)count * 4, "a\0b", 4);
	if (weir_fdt_open(p, total, &tree) != expected)
		fail_msg("%s: %s", what, expected ? "was opened" : tree.error);
	free(p);
}

#define TREE(version, expected, ...)                                                               \
	do {                                                                                       \
		uint32_t words_[] = { __VA_ARGS__ };                                               \
		finish(words_, WEIR_ARRAY_SIZE(words_), version, expected, #__VA_ARGS__);          \
	} while (0)

static void made_by_hand(void **state)
{
	uint32_t deep[3 * (WEIR_FDT_MAX_DEPTH + 1) + 1], n = 0;

	(void)state;
	TREE(17, 0, 1, 0, 2, 9);
	TREE(16, 0, 1, 0, 2, 9);
	TREE(16, 0, 4, 1, 0, 4, 3, 0, 2, 4, 2, 4, 9);
	TREE(17, -WEIR_EINVAL, 9);
	TREE(17, -WEIR_EINVAL, 2, 9);
	TREE(17, -WEIR_EINVAL, 1, 0, 9);
	TREE(17, -WEIR_EINVAL, 1, 0, 2);
	TREE(17, -WEIR_EINVAL, 1, 0, 2, 1, 0, 2, 9); /* two roots */
	TREE(17, -WEIR_EINVAL, 1, 0, 2, 3, 0, 0, 9); /* a property behind the root */
	TREE(17, -WEIR_EINVAL, 1, 0, 1, 0x61000000, 2, 3, 0, 0, 2, 9); /* ... behind a child */
	TREE(17, -WEIR_EINVAL, 1, 0, 3, 4, 0, 2, 9, 9, 9);	       /* value swallows the end */
	TREE(17, -WEIR_EINVAL, 1, 0, 3, 0xfffffffc, 0, 2, 9);
	TREE(17, -WEIR_EINVAL, 1, 0, 3, 0, 4, 2, 9); /* name outside the strings */
	TREE(17, 0, 1, 0, 3, 0, 3, 2, 9);	     /* the empty name */
	TREE(17, -WEIR_EINVAL, 1, 0x61616161);
	TREE(17, -WEIR_EINVAL, 1, 0, 5, 2, 9);
	for (uint32_t i = 0; i <= WEIR_FDT_MAX_DEPTH; i++) {
		deep[n++] = 1;
		deep[n++] = 0;
	}
	for (uint32_t i = 0; i <= WEIR_FDT_MAX_DEPTH; i++)
		deep[n++] = 2;
	deep[n++] = 9;
	finish(deep, n, 17, -WEIR_EINVAL, "too deep");
	memmove(deep, deep + 2, (n - 2) * sizeof(deep[0]));
	deep[n - 4] = 9;
	finish(deep, n - 3, 17, 0, "just deep enough");
	TREE(15, -WEIR_EINVAL, 1, 0, 2, 9);
}

static void reservations(void **state)
{
	uint64_t base, size, want_base, want_size;
	struct weir_fdt cut;
	uint8_t *copy;

	(void)state;
	build();
	assert_int_equal(weir_fdt_size(blob), blob_size);
	assert_int_equal(fdt_num_mem_rsv(blob), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fdt_get_mem_rsv(blob, i, &want_base, &want_size), 0);
		assert_int_equal(weir_fdt_reservation(&fdt, (uint32_t)i, &base, &size), 0);
		assert_int_equal(base, want_base);
		assert_int_equal(size, want_size);
	}
	assert_int_equal(weir_fdt_reservation(&fdt, 2, &base, &size), -WEIR_ENOENT);

	copy = exact_copy(blob_size);
	assert_int_equal(weir_fdt_open(copy, blob_size, &cut), 0);
	/* Aligned, so that nothing but the end is wrong with it. */
	for (uint32_t offset = ((uint32_t)blob_size & ~3u) - 12;; offset += 0x10000000) {
		set32(copy + 16, offset); /* off_mem_rsvmap */
		assert_int_equal(weir_fdt_open(copy, blob_size, &cut), 0);
		assert_int_equal(weir_fdt_reservation(&cut, 0, &base, &size), -WEIR_EINVAL);
		assert_int_equal(weir_fdt_reservation(&cut, UINT32_MAX, &base, &size),
				 -WEIR_EINVAL);
		if (offset > UINT32_MAX - 0x10000000)
			break;
	}
	set32(copy + 16, 1);
	assert_int_equal(weir_fdt_open(copy, blob_size, &cut), 0);
	assert_int_equal(weir_fdt_reservation(&cut, 0, &base, &size), -WEIR_EINVAL);
	set32(copy, 0);
	assert_int_equal(weir_fdt_size(copy), 0);
	free(copy);
}

static void errors_say_where(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, 4u << 20);
	struct weir_fdt_node node;
	uint64_t base, size;
	struct weir_fdt bad;

	(void)state;
	build();
	node = at("/soc/no-ranges/dev");
	assert_int_equal(weir_fdt_reg(&fdt, &node, 0, &base, &size), -WEIR_EINVAL);
	assert_int_equal(weir_fdt_log(weir, &fdt), -WEIR_EINVAL);
	assert_int_equal(
		fakeplat_logged(bare.fake, "device tree: /soc/no-ranges: ranges: is missing"), 1);
	assert_int_equal(weir_fdt_open(blob, blob_size - 1, &bad), -WEIR_EINVAL);
	weir_fdt_log(weir, &bad);
	assert_int_equal(fakeplat_logged(bare.fake, "device tree: it is cut off: the header"), 1);
	assert_int_equal(bareweir_fini(&bare), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_libfdts), cmocka_unit_test(nodes_are_found),
		cmocka_unit_test(properties),	     cmocka_unit_test(addresses),
		cmocka_unit_test(interrupts),	     cmocka_unit_test(maps),
		cmocka_unit_test(cut_off_anywhere),  cmocka_unit_test(damaged),
		cmocka_unit_test(made_by_hand),	     cmocka_unit_test(errors_say_where),
		cmocka_unit_test(reservations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
