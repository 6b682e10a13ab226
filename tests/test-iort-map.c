/* SPDX-License-Identifier: MIT */
/*
 * ID mappings of an IO Remapping Table.
 *
 * - Ranges: first and last ID, what is beside them, the last ID of all.
 * - Of ranges that overlap the first counts, but for the ID by which the first is too long.
 * - Single mappings: every ID of a device's, none of an SMMU's.
 * - The SMMU's own messages, by revision.
 * - Mappings in circles end, and so do ways that are too long.
 * - Nodes of unknown types are passed over, but no device behind one is said to have no IOMMU.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iort-checks.h"

#define NONE UINT32_MAX

static uint32_t two[2]; /* groups of ITSs to map to */

/* A root complex, to which mappings are added. */
static uint32_t begin_root(void)
{
	static const struct iort_root root;
	static const uint32_t id;

	iort_begin(&b, 6);
	two[0] = iort_its(&b, 1, &id);
	two[1] = iort_its(&b, 1, &id);
	return iort_root(&b, 4, &root);
}

static void assert_step(uint32_t from, uint32_t id, uint32_t where, uint32_t want)
{
	struct weir_iort_node node = at(from), to = { 0 };
	uint32_t out = 0;

	assert_int_equal(weir_iort_step(&iort, &node, id, &to, &out),
			 where == NONE ? -WEIR_ENOENT : 0);
	if (where != NONE) {
		assert_int_equal(to.offset, where);
		assert_int_equal(out, want);
	}
}

static void ranges(void **state)
{
	uint32_t root = begin_root();

	(void)state;
	iort_mapping(&b, 0x100, 0xff, 0x2000, two[0]);
	iort_mapping(&b, 0xfffffff0, 0xf, 0, two[1]);
	iort_mapping(&b, 0x800, 0, 0xffffffff, two[1]);
	iort_mapping(&b, 0x180, 0xff, 0x3000, two[1]); /* overlaps the first */
	open_built();
	assert_step(root, 0xff, NONE, 0);
	assert_step(root, 0x100, two[0], 0x2000);
	assert_step(root, 0x180, two[0], 0x2080);
	assert_step(root, 0x1ff, two[0], 0x20ff);
	assert_step(root, 0x200, two[1], 0x3080);
	assert_step(root, 0x27f, two[1], 0x30ff);
	assert_step(root, 0x280, NONE, 0);
	assert_step(root, 0x7ff, NONE, 0);
	assert_step(root, 0x800, two[1], 0xffffffff);
	assert_step(root, 0x801, NONE, 0);
	assert_step(root, 0xffffffef, NONE, 0);
	assert_step(root, 0xffffffff, two[1], 0xf);
}

/* Numbers of IDs where one less was meant: 0x100 to 0x200 and 0x200 to 0x300. */
static void too_long_by_one(void **state)
{
	uint32_t root = begin_root(), id;
	struct weir_iort_node node;

	(void)state;
	iort_mapping(&b, 0x100, 0x100, 0x1000, two[0]);
	iort_mapping(&b, 0x500, 0, 0x5000, two[0]); /* one ID, which is its own */
	iort_mapping(&b, 0x500, 0xff, 0x6000, two[1]);
	iort_mapping(&b, 0x200, 0x100, 0x2000, two[1]);
	iort_mapping(&b, 0x200, 0x100, 0x4000, two[0]);
	open_built();
	assert_step(root, 0x1ff, two[0], 0x10ff);
	assert_step(root, 0x200, two[1], 0x2000);
	assert_step(root, 0x201, two[1], 0x2001);
	assert_step(root, 0x300, two[1], 0x2100); /* nobody begins there */
	assert_step(root, 0x500, two[0], 0x5000);
	assert_step(root, 0x501, two[1], 0x6001);

	/* Nobody knows who has the last ID, if what follows is wrong. */
	iort_mapping(&b, 0xffffffff, 1, 0, two[0]);
	open_built();
	assert_step(root, 0x200, two[1], 0x2000);
	node = at(root);
	assert_int_equal(weir_iort_step(&iort, &node, 0x300, &node, &id), -WEIR_EINVAL);
	assert_error("beyond the last ID", b.size - 20);
}

static void single_mappings(void **state)
{
	uint32_t root = begin_root(), smmu;
	struct iort_smmuv3 what = { .base = 0 };

	(void)state;
	iort_mapping(&b, 0x10, 0xf, 0x1000, two[0]);
	iort_single(&b, 0x77, two[1]);
	iort_set(&b, b.size - 20, 8, 0xfffffff0fffffff0); /* ignored: it would wrap */
	smmu = iort_smmuv3(&b, 5, &what);
	iort_single(&b, 0x88, two[1]);
	iort_mapping(&b, 0, 0xff, 0, two[0]);
	open_built();
	assert_step(root, 0x10, two[0], 0x1000);
	assert_step(root, 0, two[1], 0x77);
	assert_step(root, 0xffffffff, two[1], 0x77);
	assert_step(smmu, 5, two[0], 5); /* an SMMU's is for its messages alone */
	assert_step(smmu, 0x88, two[0], 0x88);
	assert_step(smmu, 0x100, NONE, 0);
}

/* An SMMUv3 with one range and one single mapping, whose own messages' mapping is `index`. */
static int own_messages(unsigned int revision, uint32_t flags, uint32_t pri, uint32_t index)
{
	struct iort_smmuv3 what = { .flags = flags, .gsivs = { 1, pri, 3, 4 }, .msi_index = index };
	struct weir_iort_node node, its = { 0 };
	uint32_t id = 0;
	int ret;

	begin_root();
	node.offset = iort_smmuv3(&b, revision, &what);
	iort_mapping(&b, 0, 0xff, 0, two[0]);
	iort_single(&b, 0x99, two[1]);
	open_built();
	node = at(node.offset);
	ret = weir_iort_smmuv3_msi(&iort, &node, &its, &id);
	if (!ret) {
		assert_int_equal(its.offset, two[1]);
		assert_int_equal(id, 0x99);
	} else if (ret == -WEIR_EINVAL) {
		assert_error("no ID mapping for its own messages", node.offset);
	}
	return ret;
}

static void smmus_messages(void **state)
{
	struct weir_iort_node smmu, its;
	uint32_t id;

	(void)state;
	build_server(6);
	smmu = at(server.smmu_1);
	assert_int_equal(weir_iort_smmuv3_msi(&iort, &smmu, &its, &id), 0);
	assert_int_equal(its.offset, server.its_b);
	assert_int_equal(id, 0x17000);
	smmu = at(server.smmu_0);
	assert_int_equal(weir_iort_smmuv3_msi(&iort, &smmu, &its, &id), -WEIR_ENOENT);

	assert_int_equal(own_messages(5, 0x10, 2, 1), 0);
	assert_int_equal(own_messages(5, 0, 0, 1), -WEIR_ENOENT);
	assert_int_equal(own_messages(5, 0x10, 2, 0), -WEIR_EINVAL);
	assert_int_equal(own_messages(5, 0x10, 2, 2), -WEIR_EINVAL);
	assert_int_equal(own_messages(4, 0, 0, 1), 0);
	assert_int_equal(own_messages(4, 0x10, 2, 1), -WEIR_ENOENT);
	assert_int_equal(own_messages(4, 0, 0, 0), -WEIR_ENOENT); /* 0 by default */
	assert_int_equal(own_messages(4, 0, 0, 77), -WEIR_ENOENT);
	assert_int_equal(own_messages(0, 0x10, 0, 1), -WEIR_ENOENT);
}

static void circles_end(void **state)
{
	uint32_t root = begin_root(), smmu, old;
	struct iort_smmuv3 what = { .base = 0 };
	struct weir_iort_node node, to;
	uint32_t id = 3;

	(void)state;
	iort_mapping(&b, 0, 0xffff, 1, root);
	smmu = iort_smmuv3(&b, 5, &what);
	iort_mapping(&b, 0, 0xffff, 0, smmu);
	open_built();
	assert_int_equal(weir_iort_pci_stream(&iort, 0, 0, &to, &id), -WEIR_EINVAL);
	assert_error("in a circle", root);
	node = at(smmu);
	assert_int_equal(weir_iort_walk(&iort, &node, 0, WEIR_IORT_ITS_GROUP, &to, &id),
			 -WEIR_EINVAL);
	assert_error("in a circle", smmu);
	assert_int_equal(id, 3);

	/* As many nodes as there may be; and one more. */
	begin_root();
	old = two[0];
	for (unsigned int i = 1; i < WEIR_IORT_MAX_STEPS; i++) {
		uint32_t next = iort_smmuv3(&b, 5, &what);

		iort_mapping(&b, 0, 0xff, 1, old);
		old = next;
	}
	open_built();
	node = at(old);
	assert_int_equal(weir_iort_walk(&iort, &node, 0, WEIR_IORT_ITS_GROUP, &to, &id), 0);
	assert_int_equal(to.offset, two[0]);
	assert_int_equal(id, WEIR_IORT_MAX_STEPS - 1);
	smmu = iort_smmuv3(&b, 5, &what);
	iort_mapping(&b, 0, 0xff, 1, old);
	open_built();
	node = at(smmu);
	assert_int_equal(weir_iort_walk(&iort, &node, 0, WEIR_IORT_ITS_GROUP, &to, &id),
			 -WEIR_EINVAL);
	assert_error("through too many nodes", smmu);
}

static void unknown_nodes(void **state)
{
	uint32_t root = begin_root(), unknown, id = 0;
	struct weir_iort_node node;

	(void)state;
	unknown = root + 40 + 20;
	iort_mapping(&b, 0, 0xff, 0, unknown);
	iort_node(&b, 7, 1);
	iort_64(&b, 0x1234);
	iort_mapping(&b, 0, 0xff, 0, two[0]);
	open_built();
	node = at(unknown);
	assert_string_equal(weir_iort_type_name(node.type), "node of an unknown type");
	assert_string_equal(weir_iort_type_name(WEIR_IORT_PMCG), "group of performance counters");
	assert_int_equal(weir_iort_pci_stream(&iort, 0, 3, &node, &id), -WEIR_EOPNOTSUPP);
	assert_error("nothing is known of it", unknown);
	assert_int_equal(weir_iort_pci_msi(&iort, 0, 3, &node, &id), -WEIR_EOPNOTSUPP);
	assert_step(unknown, 3, two[0], 3); /* every node's mappings are alike */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),	   cmocka_unit_test(too_long_by_one),
		cmocka_unit_test(single_mappings), cmocka_unit_test(smmus_messages),
		cmocka_unit_test(circles_end),	   cmocka_unit_test(unknown_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
