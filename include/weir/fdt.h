/* SPDX-License-Identifier: MIT */
#ifndef WEIR_FDT_H
#define WEIR_FDT_H

/*
 * A reader of flattened device trees (Devicetree Specification 0.4, chapter 5), versions 16 and 17.
 * weir finds IOMMUs and host bridges with it; a host that has no reader of its own may use it too,
 * before weir_init(): it needs nothing but the blob.
 *
 * The blob is not trusted. weir_fdt_open() reads all of it once: header, order of tokens, depth,
 * every name and property inside its block. Each reader after it checks bounds again and loads each
 * number once. The blob does not change meanwhile. Nothing is allocated, nothing recurses.
 *
 * A node is a small value: where its ancestors and itself begin. Strings and property values point
 * into the blob; strings are terminated inside it.
 *
 *   struct weir_fdt_node node;
 *
 *   if (weir_fdt_open(blob, size, &fdt))
 *           return weir_fdt_log(weir, &fdt);
 *   weir_fdt_root(&node);
 *   while (weir_fdt_next_compatible(&fdt, &node, "arm,smmu-v3"))
 *           if (weir_fdt_is_enabled(&fdt, &node) && weir_fdt_reg(&fdt, &node, 0, &base, &bytes))
 *                   return weir_fdt_log(weir, &fdt);
 *
 * Errors: -WEIR_ENOENT: there is no such thing, as there need not be. -WEIR_EINVAL: the tree is
 * wrong; `fdt` then remembers what and where for weir_fdt_log(). One thread at a time for each
 * struct weir_fdt; any context.
 */

#include <weir/base.h>

WEIR_BEGIN_DECLS

struct weir;

#define WEIR_FDT_MAX_DEPTH 24
#define WEIR_FDT_MAX_IRQ_CELLS 8

struct weir_fdt_node {
	unsigned int depth; /* 0: the root */
	/* Where ancestors and the node itself begin; path[0] is the root. */
	uint32_t path[WEIR_FDT_MAX_DEPTH];
};

struct weir_fdt {
	const uint8_t *blob;
	uint32_t structs, structs_size; /* of the structure block */
	uint32_t strings, strings_size;
	uint32_t root;		      /* where the root begins in the structure block */
	uint32_t total, reservations; /* bytes of the blob, and where its list of reservations is */
	/*
	 * The last -WEIR_EINVAL: what, and either at which node and property or at which byte of
	 * the blob.
	 */
	const char *error;
	const char *error_property; /* NULL: none */
	bool error_has_node;
	struct weir_fdt_node error_node;
	uint32_t error_offset;
};

struct weir_fdt_prop {
	const uint8_t *data;
	uint32_t size;
};

/*
 * What the header at `blob` (aligned to 4, its first 8 bytes are read) says of the size of the
 * whole; 0: no tree. For whoever was given a pointer alone; it is as good as who gave it.
 */
size_t weir_fdt_size(const void *blob);
/* -WEIR_EINVAL; even then `fdt` can be given to weir_fdt_log(). `blob` is aligned to 4. */
int weir_fdt_open(const void *blob, size_t size, struct weir_fdt *fdt);
/* "/pcie@4010000000: ranges: ..." into buf: what the last -WEIR_EINVAL was about. */
void weir_fdt_explain(const struct weir_fdt *fdt, char *buf, size_t size);
/* The same as an error in the log. Returns -WEIR_EINVAL. */
int weir_fdt_log(struct weir *weir, const struct weir_fdt *fdt);
/* Note an error that the caller found in a node's property (or NULL). Returns -WEIR_EINVAL. */
int weir_fdt_fail(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *property,
		  const char *what);

/*
 * The index-th entry of the memory reservation block (5.3): RAM that is somebody's. -WEIR_ENOENT:
 * no more. -WEIR_EINVAL: the list runs out of the blob.
 */
int weir_fdt_reservation(struct weir_fdt *fdt, uint32_t index, uint64_t *base, uint64_t *size);

/* ---- Nodes ------------------------------------------------------------------------------ */

void weir_fdt_root(const struct weir_fdt *fdt, struct weir_fdt_node *node);
/* The next node of the tree, depth first, after `node`. false: none; `node` is unchanged. */
bool weir_fdt_next(const struct weir_fdt *fdt, struct weir_fdt_node *node);
/* The same, that lists `compatible`. */
bool weir_fdt_next_compatible(const struct weir_fdt *fdt, struct weir_fdt_node *node,
			      const char *compatible);
/* false: `node` is the root. */
bool weir_fdt_parent(const struct weir_fdt_node *node, struct weir_fdt_node *parent);
/* The first node with this phandle. */
bool weir_fdt_by_phandle(const struct weir_fdt *fdt, uint32_t phandle, struct weir_fdt_node *node);
/* "/a/b@1/c"; a part without '@' also matches a node with a unit address. */
bool weir_fdt_by_path(const struct weir_fdt *fdt, const char *path, struct weir_fdt_node *node);
/* Name with unit address. */
const char *weir_fdt_name(const struct weir_fdt *fdt, const struct weir_fdt_node *node);
/* Its whole path, cut at size. Returns the length. */
int weir_fdt_path(const struct weir_fdt *fdt, const struct weir_fdt_node *node, char *buf,
		  size_t size);
/* Neither it nor a node above it has a status that is not "okay" (or "ok"). */
bool weir_fdt_is_enabled(const struct weir_fdt *fdt, const struct weir_fdt_node *node);
/* Its phandle; 0: none. */
uint32_t weir_fdt_phandle(const struct weir_fdt *fdt, const struct weir_fdt_node *node);

/* ---- Properties -------------------------------------------------------------------------- */

bool weir_fdt_prop(const struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
		   struct weir_fdt_prop *prop);
bool weir_fdt_has(const struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name);
/* The i-th cell in host order; 0 beyond the end. */
uint32_t weir_fdt_cell(const struct weir_fdt_prop *prop, uint32_t index);
/* `count` (1 or 2) cells from the i-th on, as one number. */
uint64_t weir_fdt_cells(const struct weir_fdt_prop *prop, uint32_t index, uint32_t count);
/* A property of exactly one cell. -WEIR_ENOENT, -WEIR_EINVAL; *value is then unchanged. */
int weir_fdt_u32(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
		 uint32_t *value);
/* Position in a list of strings, or -WEIR_ENOENT. */
int weir_fdt_string_index(const struct weir_fdt_prop *prop, const char *string);

/* ---- Buses, interrupts, maps (fdt-bus.c) ------------------------------------------------- */

/* The index-th entry of `reg`, as a CPU's physical address. -WEIR_ENOENT, -WEIR_EINVAL. */
int weir_fdt_reg(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		 uint64_t *base, uint64_t *size);

/* One entry of the `ranges` of a PCI host bridge. */
struct weir_fdt_pci_range {
	uint32_t flags; /* phys.hi of the PCI bus binding */
	uint64_t pci, cpu, size;
};
#define WEIR_FDT_PCI_SPACE(flags) ((flags) >> 24 & 3)
#define WEIR_FDT_PCI_IO 1
#define WEIR_FDT_PCI_MEM32 2
#define WEIR_FDT_PCI_MEM64 3
#define WEIR_FDT_PCI_PREFETCH 0x40000000u
int weir_fdt_pci_range(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		       struct weir_fdt_pci_range *range);

/* An interrupt specifier and who understands it. */
struct weir_fdt_irq {
	struct weir_fdt_node controller;
	unsigned int count;
	uint32_t cells[WEIR_FDT_MAX_IRQ_CELLS];
};
/* The index-th of `interrupts-extended` or else `interrupts`. -WEIR_ENOENT, -WEIR_EINVAL. */
int weir_fdt_irq(struct weir_fdt *fdt, const struct weir_fdt_node *node, uint32_t index,
		 struct weir_fdt_irq *irq);
/* The one that `interrupt-names` calls `name`. -WEIR_ENOENT, -WEIR_EINVAL. */
int weir_fdt_irq_by_name(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *name,
			 struct weir_fdt_irq *irq);

/*
 * Look `id` up in a map of <base phandle out-base length> (iommu-map, msi-map), after masking it
 * with the property `map`-mask. -WEIR_ENOENT: no map, or not in it. -WEIR_EINVAL.
 */
int weir_fdt_map_id(struct weir_fdt *fdt, const struct weir_fdt_node *node, const char *map,
		    uint32_t id, uint32_t *phandle, uint32_t *out);

/* dma-coherent, its own or a bus's above it; the nearest of it and dma-noncoherent counts. */
bool weir_fdt_is_coherent(const struct weir_fdt *fdt, const struct weir_fdt_node *node);

WEIR_END_DECLS

#endif
