/* SPDX-License-Identifier: MIT */
#ifndef IORT_READS_H
#define IORT_READS_H

/*
 * Every reader of weir/iort.h, on every node of a table that nobody vouches for. What they say has
 * to fit: an answer is of the type that was asked for, a step is one that a mapping of the node
 * has, ranges do not wrap. For the test and the fuzzer.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/iort.h>

static volatile uint64_t iort_reads_sum;

#define IORT_REQUIRE(condition)                                                                    \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* 0, or an error that tells a place inside of the table and can be explained. */
static inline bool iort_reads_ok(const struct weir_iort *iort, int ret)
{
	char text[192];

	if (!ret || ret == -WEIR_ENOENT)
		return !ret;
	IORT_REQUIRE(ret == -WEIR_EINVAL || ret == -WEIR_EOPNOTSUPP);
	IORT_REQUIRE(iort->error);
	IORT_REQUIRE(iort->error_offset <= iort->size || iort->error_offset < 48);
	weir_iort_explain(iort, text, sizeof(text));
	iort_reads_sum += strlen(text);
	return false;
}

/* What a step has to come to, by all mappings at once. The node's are all readable. */
static inline int iort_reads_step(struct weir_iort *iort, const struct weir_iort_node *node,
				  uint32_t id, uint32_t *reference, uint32_t *out)
{
	bool any = node->type == WEIR_IORT_ROOT || node->type == WEIR_IORT_NAMED;
	struct weir_iort_mapping m;
	int state = 0; /* 1: found; 2: found, as the last of several */

	for (uint32_t i = 0; i < node->mappings; i++) {
		bool has;

		IORT_REQUIRE(!weir_iort_mapping(iort, node, i, &m));
		has = m.single ? any : (uint64_t)m.input + m.last >= id && m.input <= id;
		if (!has || state == 1 || (state == 2 && (m.single || m.input != id)))
			continue;
		state = state == 2 || m.single || !m.last || id != m.input + m.last ? 1 : 2;
		*reference = m.reference;
		*out = m.single ? m.output : m.output + id - m.input;
	}
	return state ? 0 : -WEIR_ENOENT;
}

static inline void iort_reads_id(struct weir_iort *iort, const struct weir_iort_node *node,
				 uint32_t id, bool readable)
{
	struct weir_iort_node to = { 0 };
	uint32_t out = 0, want = 0, reference = 0;
	int ret = weir_iort_step(iort, node, id, &to, &out);

	(void)iort_reads_ok(iort, ret);
	if (readable) {
		int expected = iort_reads_step(iort, node, id, &reference, &want);

		IORT_REQUIRE(ret == expected || (!expected && ret == -WEIR_EINVAL));
		IORT_REQUIRE(ret || (to.offset == reference && out == want));
	}
	for (uint32_t type = 0; type <= WEIR_IORT_RMR; type++) {
		ret = weir_iort_walk(iort, node, id, type, &to, &out);
		if (iort_reads_ok(iort, ret))
			IORT_REQUIRE(to.type == type);
	}
}

static inline void iort_reads_mappings(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_mapping m;
	bool readable = true;
	uint32_t count = 0;
	int ret;

	while (!(ret = weir_iort_mapping(iort, node, count, &m)))
		count++;
	(void)iort_reads_ok(iort, ret);
	readable = count == node->mappings;
	for (uint32_t i = 0; i < count && i < 8; i++) {
		IORT_REQUIRE(!weir_iort_mapping(iort, node, i, &m));
		IORT_REQUIRE((uint64_t)m.input + m.last <= UINT32_MAX &&
			     (uint64_t)m.output + m.last <= UINT32_MAX);
		iort_reads_id(iort, node, m.input - 1, readable);
		iort_reads_id(iort, node, m.input, readable);
		iort_reads_id(iort, node, m.input + m.last, readable);
		iort_reads_id(iort, node, m.input + m.last + 1, readable);
	}
	for (uint32_t type = WEIR_IORT_ITS_GROUP; type <= WEIR_IORT_SMMUV3; type += 4) {
		struct weir_iort_node to;
		uint32_t out, i = 0;

		while (!(ret = weir_iort_own_id(iort, node, i, type, &to, &out)) && i < 8) {
			IORT_REQUIRE(to.type == type);
			i++;
		}
		(void)iort_reads_ok(iort, ret);
	}
}

static inline void iort_reads_root(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_root root;
	struct weir_iort_node to;
	uint32_t out;

	if (!iort_reads_ok(iort, weir_iort_root(iort, node, &root)))
		return;
	IORT_REQUIRE(root.address_bits <= 64 && root.pasid_bits < 32);
	for (unsigned int id = 0; id < 0x10000; id = id * 5 + 1) {
		uint16_t rid = (uint16_t)id;

		if (iort_reads_ok(iort, weir_iort_pci_stream(iort, root.segment, rid, &to, &out)))
			IORT_REQUIRE(to.type == WEIR_IORT_SMMUV3);
		if (iort_reads_ok(iort, weir_iort_pci_msi(iort, root.segment, rid, &to, &out)))
			IORT_REQUIRE(to.type == WEIR_IORT_ITS_GROUP);
	}
}

static inline void iort_reads_named(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_named named;
	struct weir_iort_node to;

	if (!iort_reads_ok(iort, weir_iort_named(iort, node, &named)))
		return;
	IORT_REQUIRE(strlen(named.name) < node->size - 29);
	if (node->type == WEIR_IORT_NAMED &&
	    iort_reads_ok(iort, weir_iort_by_name(iort, named.name, &to)))
		IORT_REQUIRE(to.offset <= node->offset);
}

static inline void iort_reads_smmuv3(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_node to = { 0 }, rmr = { 0 };
	struct weir_iort_smmuv3 smmu;
	uint32_t out;
	int ret;

	if (iort_reads_ok(iort, weir_iort_smmuv3(iort, node, &smmu)))
		iort_reads_sum += smmu.base + smmu.sync + smmu.msi_index;
	if (iort_reads_ok(iort, weir_iort_smmuv3_msi(iort, node, &to, &out)))
		IORT_REQUIRE(to.type == WEIR_IORT_ITS_GROUP);
	for (uint32_t stream = 0; stream < 0x40000; stream = stream * 3 + 1) {
		memset(&rmr, 0, sizeof(rmr));
		while ((ret = weir_iort_next_rmr(iort, node, stream, &rmr)) != -WEIR_ENOENT) {
			(void)iort_reads_ok(iort, ret);
			IORT_REQUIRE(rmr.type == WEIR_IORT_RMR);
		}
	}
}

static inline void iort_reads_rmr(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_rmr rmr;
	uint64_t base, size;

	if (!iort_reads_ok(iort, weir_iort_rmr(iort, node, &rmr)))
		return;
	for (uint32_t i = 0; i < 8; i++)
		if (iort_reads_ok(iort, weir_iort_rmr_range(iort, node, i, &base, &size)))
			IORT_REQUIRE(size && size - 1 <= UINT64_MAX - base && i < rmr.ranges);
	(void)iort_reads_ok(iort, weir_iort_rmr_range(iort, node, UINT32_MAX, &base, &size));
}

static inline void iort_reads_its(struct weir_iort *iort, const struct weir_iort_node *node)
{
	uint32_t id, i = 0;
	int ret;

	while (!(ret = weir_iort_its(iort, node, i, &id)))
		i++;
	IORT_REQUIRE(i <= node->size / 4);
	(void)iort_reads_ok(iort, ret);
}

/* Each of the readers, whatever the node is. */
static inline void iort_reads_node(struct weir_iort *iort, const struct weir_iort_node *node)
{
	struct weir_iort_node found;

	IORT_REQUIRE(weir_iort_at(iort, node->offset, &found) && found.index == node->index);
	IORT_REQUIRE(!weir_iort_at(iort, node->offset + 1, &found));
	iort_reads_sum += strlen(weir_iort_type_name(node->type));
	iort_reads_mappings(iort, node);
	iort_reads_its(iort, node);
	iort_reads_rmr(iort, node);
	iort_reads_smmuv3(iort, node);
	iort_reads_root(iort, node);
	iort_reads_named(iort, node);
}

/* true: the table could be opened. At most 100 nodes are read. */
static inline bool iort_reads(const uint8_t *table, size_t size)
{
	struct weir_iort_node node = { 0 };
	struct weir_iort iort;
	uint32_t end;

	if (!iort_reads_ok(&iort, weir_iort_open(table, size, &iort)))
		return false;
	end = iort.first;
	while (node.index < 100 && weir_iort_next(&iort, &node)) {
		IORT_REQUIRE(node.offset == end && node.size >= 16);
		end += node.size;
		IORT_REQUIRE(end <= iort.size);
		iort_reads_node(&iort, &node);
	}
	IORT_REQUIRE(node.index == 100 || node.index == iort.nodes);
	return true;
}

#endif
