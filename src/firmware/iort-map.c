/* SPDX-License-Identifier: MIT */
/*
 * ACPI's IO Remapping Table: ID mappings, and ways through them. DEN 0049, chapter 3, the table "ID
 * mapping format"; weir/iort.h has the contract.
 */

#include <weir/iort.h>

#include "firmware/iort.h"

enum {
	MAPPING_INPUT = 0,
	MAPPING_COUNT = 4, /* one less than the number of IDs */
	MAPPING_OUTPUT = 8,
	MAPPING_REFERENCE = 12,
	MAPPING_FLAGS = 16,
};
#define MAPPING_SINGLE WEIR_BIT(0)

static uint32_t mapping_offset(const struct weir_iort_node *node, uint32_t index)
{
	return node->mappings_offset + index * WEIR_IORT_MAPPING_SIZE;
}

int weir_iort_mapping(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		      struct weir_iort_mapping *mapping)
{
	uint32_t at = mapping_offset(node, index);
	struct weir_iort_mapping read = { .single = false };

	if (index >= node->mappings)
		return -WEIR_ENOENT;
	if (!weir_iort_holds_mappings(node))
		return weir_iort_fail(iort, node, WEIR_IORT_NODE_MAPPINGS_OFFSET,
				      "its ID mappings are outside of it");
	read.single = weir_iort_load32(iort, node, at + MAPPING_FLAGS) & MAPPING_SINGLE;
	read.output = weir_iort_load32(iort, node, at + MAPPING_OUTPUT);
	read.reference = weir_iort_load32(iort, node, at + MAPPING_REFERENCE);
	if (!read.single) {
		read.input = weir_iort_load32(iort, node, at + MAPPING_INPUT);
		read.last = weir_iort_load32(iort, node, at + MAPPING_COUNT);
	}
	if (read.last > UINT32_MAX - read.input || read.last > UINT32_MAX - read.output)
		return weir_iort_fail(iort, node, at, "an ID mapping goes beyond the last ID");
	*mapping = read;
	return 0;
}

/* The node that a mapping leads to. */
static int follow(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		  const struct weir_iort_mapping *mapping, struct weir_iort_node *to)
{
	if (!weir_iort_at(iort, mapping->reference, to))
		return weir_iort_fail(iort, node, mapping_offset(node, index) + MAPPING_REFERENCE,
				      "an ID mapping leads to where no node begins");
	return 0;
}

static bool is_source(const struct weir_iort_node *node)
{
	return node->type == WEIR_IORT_ROOT || node->type == WEIR_IORT_NAMED;
}

static bool has_id(const struct weir_iort_node *node, const struct weir_iort_mapping *mapping,
		   uint32_t id)
{
	if (mapping->single)
		return is_source(node);
	return id >= mapping->input && id - mapping->input <= mapping->last;
}

/* Is `id`, the last of a range, the first of a later one? Then that one is meant. */
static int find_successor(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
			  uint32_t *index, struct weir_iort_mapping *mapping)
{
	struct weir_iort_mapping later;

	for (uint32_t i = *index + 1; i < node->mappings; i++) {
		int ret = weir_iort_mapping(iort, node, i, &later);

		if (ret)
			return ret;
		if (!later.single && later.input == id) {
			*index = i;
			*mapping = later;
			return 0;
		}
	}
	return 0;
}

static int find_mapping(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
			uint32_t *index, struct weir_iort_mapping *mapping)
{
	for (*index = 0; *index < node->mappings; ++*index) {
		int ret = weir_iort_mapping(iort, node, *index, mapping);

		if (ret)
			return ret;
		if (!has_id(node, mapping, id))
			continue;
		if (mapping->last && id - mapping->input == mapping->last)
			return find_successor(iort, node, id, index, mapping);
		return 0;
	}
	return -WEIR_ENOENT;
}

int weir_iort_step(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
		   struct weir_iort_node *to, uint32_t *out)
{
	struct weir_iort_mapping mapping;
	uint32_t index;
	int ret = find_mapping(iort, node, id, &index, &mapping);

	if (!ret)
		ret = follow(iort, node, index, &mapping, to);
	if (!ret)
		*out = mapping.output + (mapping.single ? 0 : id - mapping.input);
	return ret;
}

/*
 * May a way to `type` go on through this node? What is not known may translate, or lead anywhere:
 * it is not for the reader to say that the device has no IOMMU.
 */
static int check_through(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t type)
{
	const char *what = NULL;

	if (node->type > WEIR_IORT_RMR)
		what = "IDs go through it, and nothing is known of it";
	else if (node->type == WEIR_IORT_SMMU && type == WEIR_IORT_SMMUV3)
		what = "devices are behind it, and it is no SMMUv3";
	if (!what)
		return 0;
	weir_iort_note(iort, node, 0, what);
	return -WEIR_EOPNOTSUPP;
}

int weir_iort_walk(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t id,
		   uint32_t type, struct weir_iort_node *to, uint32_t *out)
{
	struct weir_iort_node at = *node;

	for (unsigned int steps = 0; steps < WEIR_IORT_MAX_STEPS; steps++) {
		int ret;

		if (at.type == type) {
			*to = at;
			*out = id;
			return 0;
		}
		ret = check_through(iort, &at, type);
		if (!ret)
			ret = weir_iort_step(iort, &at, id, &at, &id);
		if (ret)
			return ret;
	}
	return weir_iort_fail(iort, node, 0,
			      "its ID mappings lead in a circle, or through too many nodes");
}

static int pci_walk(struct weir_iort *iort, uint32_t segment, uint16_t requester, uint32_t type,
		    struct weir_iort_node *to, uint32_t *out)
{
	struct weir_iort_node node = { .index = 0 };
	struct weir_iort_root root;

	while (weir_iort_next_type(iort, &node, WEIR_IORT_ROOT)) {
		int ret = weir_iort_root(iort, &node, &root);

		if (!ret && root.segment != segment)
			continue;
		if (!ret)
			ret = weir_iort_walk(iort, &node, requester, type, to, out);
		if (ret != -WEIR_ENOENT)
			return ret;
	}
	return -WEIR_ENOENT;
}

int weir_iort_pci_stream(struct weir_iort *iort, uint32_t segment, uint16_t requester,
			 struct weir_iort_node *smmu, uint32_t *stream)
{
	return pci_walk(iort, segment, requester, WEIR_IORT_SMMUV3, smmu, stream);
}

int weir_iort_pci_msi(struct weir_iort *iort, uint32_t segment, uint16_t requester,
		      struct weir_iort_node *its, uint32_t *device)
{
	return pci_walk(iort, segment, requester, WEIR_IORT_ITS_GROUP, its, device);
}

int weir_iort_own_id(struct weir_iort *iort, const struct weir_iort_node *node, uint32_t index,
		     uint32_t type, struct weir_iort_node *to, uint32_t *out)
{
	for (uint32_t i = 0; i < node->mappings; i++) {
		struct weir_iort_mapping mapping;
		struct weir_iort_node next, end;
		uint32_t id;
		int ret = weir_iort_mapping(iort, node, i, &mapping);

		if (!ret && !mapping.single)
			continue;
		if (!ret)
			ret = follow(iort, node, i, &mapping, &next);
		if (!ret)
			ret = weir_iort_walk(iort, &next, mapping.output, type, &end, &id);
		if (ret == -WEIR_ENOENT)
			continue;
		if (ret)
			return ret;
		if (!index--) {
			*to = end;
			*out = id;
			return 0;
		}
	}
	return -WEIR_ENOENT;
}

int weir_iort_smmuv3_msi(struct weir_iort *iort, const struct weir_iort_node *smmu,
			 struct weir_iort_node *its, uint32_t *device)
{
	struct weir_iort_mapping mapping = { .single = false };
	struct weir_iort_smmuv3 what;
	struct weir_iort_node to;
	int ret = weir_iort_smmuv3(iort, smmu, &what);

	if (ret)
		return ret;
	if (!what.has_msi_index)
		return -WEIR_ENOENT;
	ret = weir_iort_mapping(iort, smmu, what.msi_index, &mapping);
	if (ret == -WEIR_EINVAL)
		return ret;
	if (!mapping.single) {
		/* Before, what the index is by default, and finds, need not be for messages. */
		if (smmu->revision < WEIR_IORT_SMMUV3_SAYS_MSI)
			return -WEIR_ENOENT;
		return weir_iort_fail(iort, smmu, 0, "it has no ID mapping for its own messages");
	}
	ret = follow(iort, smmu, what.msi_index, &mapping, &to);
	if (!ret)
		ret = weir_iort_walk(iort, &to, mapping.output, WEIR_IORT_ITS_GROUP, its, device);
	return ret;
}

static int is_for(struct weir_iort *iort, const struct weir_iort_node *rmr,
		  const struct weir_iort_node *smmu, uint32_t stream, bool *yes)
{
	*yes = false;
	for (uint32_t i = 0; i < rmr->mappings; i++) {
		struct weir_iort_mapping mapping;
		int ret = weir_iort_mapping(iort, rmr, i, &mapping);

		if (ret)
			return ret;
		if (mapping.reference == smmu->offset && stream >= mapping.output &&
		    stream - mapping.output <= mapping.last)
			*yes = true;
	}
	return 0;
}

int weir_iort_next_rmr(struct weir_iort *iort, const struct weir_iort_node *smmu, uint32_t stream,
		       struct weir_iort_node *rmr)
{
	while (weir_iort_next_type(iort, rmr, WEIR_IORT_RMR)) {
		bool yes;
		int ret = is_for(iort, rmr, smmu, stream, &yes);

		if (ret || yes)
			return ret;
	}
	return -WEIR_ENOENT;
}
