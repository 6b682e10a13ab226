/* SPDX-License-Identifier: MIT */
/*
 * IO Remapping Tables that are wrong.
 *
 * - Each kind of malformed table is refused, at the byte that is wrong and in words.
 * - A table cut off at any byte is refused, even if length and checksum agree.
 * - Each bit flipped, and 10,000 tables with more damage: no reader reads outside of the table,
 *   all of them end, what they say fits. Without its checksum mended no flipped table is opened.
 * - An error in the log names node and byte.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bareweir.h"
#include "iort-reads.h"
#include "iort-checks.h"

#define ANYWHERE UINT32_MAX

static void refused_by_open(void **state)
{
	static const struct {
		uint32_t offset, bytes, value;
		const char *what;
		uint32_t error_offset;
	} cases[] = {
		{ 0, 1, 'X', "this is no IORT", 0 },
		{ 4, 4, 0xffffffff, "it is cut off", 4 },
		{ 4, 4, 47, "smaller than its header", 4 },
		{ 4, 4, 0, "smaller than its header", 4 },
		{ 36, 4, 15, "ends before its last node", ANYWHERE },
		{ 36, 4, 0xffffffff, "ends before its last node", ANYWHERE },
		{ 40, 4, 47, "its nodes are outside of it", 40 },
		{ 40, 4, 0xffffffff, "its nodes are outside of it", 40 },
		{ 49, 2, 15, "smaller than a node's header", 48 },
		{ 49, 2, 0, "smaller than a node's header", 48 },
		{ 49, 2, 0xffff, "a node reaches beyond its end", 48 },
	};
	struct weir_iort bad;

	(void)state;
	assert_int_equal(weir_iort_open(NULL, 0, &bad), -WEIR_EINVAL);
	assert_int_equal(weir_iort_open(NULL, 4096, &bad), -WEIR_EINVAL);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		build_server(6);
		iort_set(&b, cases[i].offset, cases[i].bytes, cases[i].value);
		iort_end(&b);
		assert_int_equal(weir_iort_open(b.bytes, b.size, &bad), -WEIR_EINVAL);
		iort = bad;
		assert_error(cases[i].what,
			     cases[i].error_offset == ANYWHERE ? b.size : cases[i].error_offset);
	}
	build_server(6);
	b.bytes[20] ^= 1;
	assert_int_equal(weir_iort_open(b.bytes, b.size, &iort), -WEIR_EINVAL);
	assert_error("its checksum is wrong", 9);
	iort_begin(&b, 0); /* no node is few, but right */
	open_built();
	iort_32(&b, 0); /* so is what is behind the last */
	open_built();
	iort_set(&b, 40, 4, b.size);
	open_built();
	assert_int_equal(weir_iort_size(b.bytes), b.size);
	assert_int_equal(weir_iort_size("FACP\1\1\1\1"), 0);
}

/* What is wrong inside of a node is found by whoever reads it. */

static int read_content(const struct weir_iort_node *node)
{
	union {
		struct weir_iort_smmuv3 smmu;
		struct weir_iort_root root;
		struct weir_iort_named named;
		struct weir_iort_rmr rmr;
		uint32_t id;
	} read;

	switch (node->type) {
	case WEIR_IORT_ITS_GROUP:
		return weir_iort_its(&iort, node, 0, &read.id);
	case WEIR_IORT_NAMED:
		return weir_iort_named(&iort, node, &read.named);
	case WEIR_IORT_ROOT:
		return weir_iort_root(&iort, node, &read.root);
	case WEIR_IORT_SMMUV3:
		return weir_iort_smmuv3(&iort, node, &read.smmu);
	default:
		return weir_iort_rmr(&iort, node, &read.rmr);
	}
}

/* One byte too few for what the revision has; the sanitizer sees whoever reads it nevertheless. */
static void too_small_nodes(void **state)
{
	static const struct {
		unsigned int type, revision, size;
	} cases[] = {
		{ IORT_ITS, 1, 20 },	{ IORT_NAMED, 4, 30 },	{ IORT_ROOT, 4, 40 },
		{ IORT_ROOT, 1, 36 },	{ IORT_ROOT, 0, 32 },	{ IORT_SMMUV3, 5, 68 },
		{ IORT_SMMUV3, 1, 68 }, { IORT_SMMUV3, 0, 60 }, { IORT_RMR, 3, 28 },
	};
	struct weir_iort_node node, to;
	uint64_t base, size;
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		iort_begin(&b, 6);
		iort_node(&b, cases[i].type, cases[i].revision);
		while (b.size - b.node < cases[i].size - 1)
			iort_8(&b, 0);
		open_built();
		node = at(IORT_HEADER);
		assert_int_equal(read_content(&node), -WEIR_EINVAL);
		assert_error("is too small for its revision", IORT_HEADER + 1);
		if (cases[i].type == IORT_RMR)
			assert_int_equal(weir_iort_rmr_range(&iort, &node, 0, &base, &size),
					 -WEIR_EINVAL);
		if (cases[i].type == IORT_ROOT)
			assert_int_equal(weir_iort_pci_msi(&iort, 0, 0, &to, &id), -WEIR_EINVAL);
		iort_8(&b, 0);
		open_built();
		node = at(IORT_HEADER);
		assert_int_equal(read_content(&node), cases[i].type == IORT_ITS ? -WEIR_ENOENT : 0);
	}
}

static void refused_by_readers(void **state)
{
	struct weir_iort_node node, to;
	struct weir_iort_mapping mapping;
	struct weir_iort_rmr rmr;
	uint64_t base, size;
	uint32_t id;

	(void)state;
	build_server(6);
	iort_set(&b, server.its_a + 16, 4, 3);
	iort_set(&b, server.root_0 + 8, 4, 2);
	iort_set(&b, server.root_1 + 12, 4, 15);
	iort_set(&b, server.root_1b + 36, 4, 0xffffff01);    /* input, by one */
	iort_set(&b, server.root_3 + 36 + 8, 4, 0xffff0001); /* output */
	iort_set(&b, server.rmr_a + 24, 4, 76);
	iort_set(&b, server.rmr_b + 28 + 20 + 12, 4, server.smmu_0 + 1);
	open_built();
	node = at(server.its_a);
	assert_int_equal(weir_iort_its(&iort, &node, 0, &id), -WEIR_EINVAL);
	assert_error("more ITSs than there is room for", server.its_a + 16);
	assert_int_equal(weir_iort_pci_stream(&iort, 0, 0, &to, &id), -WEIR_EINVAL);
	assert_error("its ID mappings are outside of it", server.root_0 + 12);
	assert_int_equal(weir_iort_pci_stream(&iort, 1, 0, &to, &id), -WEIR_EINVAL);
	assert_error("its ID mappings are outside of it", server.root_1 + 12);
	node = at(server.root_1b);
	assert_int_equal(weir_iort_mapping(&iort, &node, 0, &mapping), -WEIR_EINVAL);
	assert_error("beyond the last ID", server.root_1b + 36);
	assert_int_equal(weir_iort_mapping(&iort, &node, 1, &mapping), -WEIR_ENOENT);
	node = at(server.root_3);
	assert_int_equal(weir_iort_mapping(&iort, &node, 0, &mapping), -WEIR_EINVAL);
	assert_error("beyond the last ID", server.root_3 + 36);
	node = at(server.rmr_a);
	assert_int_equal(weir_iort_rmr_range(&iort, &node, 0, &base, &size), -WEIR_EINVAL);
	assert_error("its ranges are outside of it", server.rmr_a + 24);
	iort.error_offset = 0;
	assert_int_equal(weir_iort_rmr(&iort, &node, &rmr), -WEIR_EINVAL);
	assert_error("its ranges are outside of it", server.rmr_a + 24);
	node = at(server.rmr_b);
	assert_int_equal(weir_iort_step(&iort, &node, 0, &to, &id), -WEIR_EINVAL);
	assert_error("to where no node begins", server.rmr_b + 28 + 20 + 12);
}

/* Length and checksum agree with what is there. */
static void mend(uint8_t *table, size_t size)
{
	uint32_t length = (uint32_t)size;
	uint8_t sum = 0;

	memcpy(table + 4, &length, 4);
	table[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

static void cut_off_anywhere(void **state)
{
	(void)state;
	build_server(6);
	for (uint32_t size = 0; size < b.size; size++) {
		uint8_t *copy = malloc(size ? size : 1);
		struct weir_iort cut;

		assert_non_null(copy);
		memcpy(copy, b.bytes, size);
		assert_int_equal(weir_iort_open(copy, size, &cut), -WEIR_EINVAL);
		if (size >= 10)
			mend(copy, size);
		assert_int_equal(weir_iort_open(copy, size, &cut), -WEIR_EINVAL);
		free(copy);
	}
}

static void every_bit_flipped(void **state)
{
	unsigned int opened = 0;
	struct weir_iort bad;
	uint8_t *copy;

	(void)state;
	build_server(6);
	copy = malloc(b.size);
	assert_non_null(copy);
	for (uint32_t bit = 0; bit < b.size * 8; bit++) {
		memcpy(copy, b.bytes, b.size);
		copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(weir_iort_open(copy, b.size, &bad), -WEIR_EINVAL);
		mend(copy, b.size);
		opened += iort_reads(copy, b.size);
	}
	free(copy);
	assert_in_range(opened, b.size * 6, b.size * 8 - 1);
}

static void damaged(void **state)
{
	uint32_t seed = 7;
	unsigned int opened = 0;
	uint8_t *copy;

	(void)state;
	build_server(6);
	copy = malloc(b.size);
	assert_non_null(copy);
	for (unsigned int i = 0; i < 10000; i++) {
		unsigned int hits = 1 + i % 4;

		memcpy(copy, b.bytes, b.size);
		while (hits--) {
			uint32_t where;

			seed = seed * 1664525u + 1013904223u;
			where = (seed >> 10) % b.size;
			copy[where] = (uint8_t)(seed & 0x100 ? seed >> 24 : seed >> 28);
		}
		mend(copy, b.size);
		opened += iort_reads(copy, b.size);
	}
	free(copy);
	assert_in_range(opened, 3000, 9900);
}

static void errors_say_where(void **state)
{
	struct bareweir bare;
	struct weir *weir = bareweir_init(&bare, 4u << 20);
	struct weir_iort_node to;
	struct weir_iort bad;
	char text[256], want[256];
	uint32_t id;

	(void)state;
	build_server(6);
	iort_set(&b, server.root_0 + 36 + 12, 4, 47);
	open_built();
	assert_int_equal(weir_iort_pci_stream(&iort, 0, 0, &to, &id), -WEIR_EINVAL);
	weir_iort_explain(&iort, text, sizeof(text));
	snprintf(want, sizeof(want),
		 "root complex at byte %u: an ID mapping leads to where no node begins (byte %u)",
		 server.root_0, server.root_0 + 36 + 12);
	assert_string_equal(text, want);
	assert_int_equal(weir_iort_log(weir, &iort), -WEIR_EINVAL);
	assert_int_equal(fakeplat_logged(bare.fake, "IORT: root complex at byte "), 1);
	assert_int_equal(weir_iort_open(b.bytes, b.size - 1, &bad), -WEIR_EINVAL);
	weir_iort_log(weir, &bad);
	assert_int_equal(fakeplat_logged(bare.fake, "IORT: it is cut off: the header tells of more "
						    "bytes (byte 4)"),
			 1);
	assert_int_equal(bareweir_fini(&bare), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_by_open),    cmocka_unit_test(too_small_nodes),
		cmocka_unit_test(refused_by_readers), cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(every_bit_flipped),  cmocka_unit_test(damaged),
		cmocka_unit_test(errors_say_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
