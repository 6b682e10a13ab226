/* SPDX-License-Identifier: MIT */
#ifndef IORTBUILD_H
#define IORTBUILD_H

/* IO Remapping Tables (Arm DEN 0049), put together field by field. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IORT_HEADER 48
#define IORT_NODE 16

/* Types of nodes. */
enum { IORT_ITS, IORT_NAMED, IORT_ROOT, IORT_SMMU, IORT_SMMUV3, IORT_PMCG, IORT_RMR };

struct iortbuild {
	uint8_t bytes[8192];
	uint32_t size;
	uint32_t node; /* where the last one begins; 0: none */
};

/** An empty table, without checksum. */
void iort_begin(struct iortbuild *b, unsigned int revision);
/** Checksum, after a last change by hand, too. Returns the size. */
uint32_t iort_end(struct iortbuild *b);

/** The next fields. */
void iort_8(struct iortbuild *b, unsigned int value);
void iort_16(struct iortbuild *b, unsigned int value);
void iort_32(struct iortbuild *b, uint32_t value);
void iort_64(struct iortbuild *b, uint64_t value);
/** The name of a component with its end, filled up with zeroes to whole words of the node. */
void iort_name(struct iortbuild *b, const char *name);

/** Change a field. */
void iort_set(struct iortbuild *b, uint32_t offset, unsigned int bytes, uint64_t value);
uint64_t iort_get(const struct iortbuild *b, uint32_t offset, unsigned int bytes);

/** Begin a node: its header alone. Returns its offset, which mappings refer to it by. */
uint32_t iort_node(struct iortbuild *b, unsigned int type, unsigned int revision);
/** An ID mapping of the last node, whose own fields are complete. `last`: one less than IDs. */
void iort_mapping(struct iortbuild *b, uint32_t input, uint32_t last, uint32_t output,
		  uint32_t reference);
/** A mapping of one ID, whatever goes in. */
void iort_single(struct iortbuild *b, uint32_t output, uint32_t reference);

/* ---- Whole nodes, without mappings ------------------------------------------------------- */

uint32_t iort_its(struct iortbuild *b, unsigned int count, const uint32_t *ids);

struct iort_smmuv3 {
	uint64_t base, vatos;
	uint32_t flags, model, gsivs[4]; /* event, PRI, GERR, sync */
	uint32_t proximity, msi_index;
};
uint32_t iort_smmuv3(struct iortbuild *b, unsigned int revision, const struct iort_smmuv3 *smmu);

struct iort_memory {
	uint32_t cca;
	unsigned int hints, flags;
};

struct iort_root {
	struct iort_memory memory;
	uint32_t ats, segment;
	unsigned int address_bits, pasid;
	uint32_t flags;
};
uint32_t iort_root(struct iortbuild *b, unsigned int revision, const struct iort_root *root);

struct iort_named {
	uint32_t flags;
	struct iort_memory memory;
	unsigned int address_bits;
	const char *name;
};
uint32_t iort_named(struct iortbuild *b, unsigned int revision, const struct iort_named *named);

struct iort_range {
	uint64_t base, size;
};
/** Its ranges come before its mappings. */
uint32_t iort_rmr(struct iortbuild *b, unsigned int revision, uint32_t flags, unsigned int count,
		  const struct iort_range *ranges);

#endif
