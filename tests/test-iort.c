/* SPDX-License-Identifier: MIT */
/*
 * The reader of ACPI's IO Remapping Table, against tables that a builder, iasl and QEMU made.
 *
 * - The builder's table of a server is, byte for byte, what iasl compiles from
 *   support/iort-server.dsl (but for reserved memory, which is younger than some iasl).
 * - Nodes come in order; they are found by offset, type and name.
 * - Each field of each type of node, and of each revision: what a revision has not is not read.
 * - Requester IDs and named components to StreamIDs and DeviceIDs, on that server and in QEMU's
 *   tables: each of 65536 IDs; several segments, several roots of one segment, ways around the
 *   SMMU.
 * - Reserved memory is found for the streams that it is for, and no others.
 *
 * Argument: the program iasl; without it, the first is skipped.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "iort-reads.h"
#include "iort-checks.h"

static const char *iasl;

/* ---- Third parties' words ---------------------------------------------------------------- */

static size_t read_file(const char *path, uint8_t *data, size_t room)
{
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		fail_msg("%s cannot be read", path);
	size = fread(data, 1, room, f);
	fclose(f);
	return size;
}

/* What iasl makes of support/iort-server.dsl. */
static size_t compile(uint8_t *data, size_t room)
{
	char folder[] = "/tmp/test-iort-XXXXXX", command[512], path[64];
	size_t size;

	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command),
		 "'%s' -p %s/server tests/support/iort-server.dsl >%s/log 2>&1", iasl, folder,
		 folder);
	if (system(command))
		fail_msg("%s: see %s/log", command, folder);
	snprintf(path, sizeof(path), "%s/server.aml", folder);
	size = read_file(path, data, room);
	unlink(path);
	snprintf(path, sizeof(path), "%s/log", folder);
	unlink(path);
	rmdir(folder);
	return size;
}

static void server_is_iasls(void **state)
{
	static uint8_t theirs[sizeof(b.bytes)];
	size_t size;

	(void)state;
	if (!iasl) {
		print_message("no iasl: skipped\n");
		skip();
	}
	size = compile(theirs, sizeof(theirs));
	build_server(0);
	assert_int_equal(size, b.size);
	/* Checksum and who made it differ; how many nodes, and they, do not. */
	assert_memory_equal(theirs, b.bytes, 9);
	assert_memory_equal(theirs + 36, b.bytes + 36, size - 36);
	assert_int_equal(weir_iort_size(theirs), size);
	assert_true(iort_reads(theirs, size));
}

/* ---- Nodes ------------------------------------------------------------------------------- */

static void nodes_in_order(void **state)
{
	struct weir_iort_node node = { 0 };
	static const uint32_t types[] = { 0, 0, 4, 4, 3, 2, 2, 2, 2, 1, 1, 5, 6, 6 };
	uint32_t end = IORT_HEADER;

	(void)state;
	build_server(6);
	assert_int_equal(iort.revision, 6);
	for (uint32_t i = 0; i < WEIR_ARRAY_SIZE(types); i++) {
		assert_true(weir_iort_next(&iort, &node));
		assert_int_equal(node.offset, end);
		assert_int_equal(node.type, types[i]);
		assert_int_equal(node.index, i + 1);
		assert_int_equal(node.identifier, i);
		end += node.size;
	}
	assert_int_equal(end, b.size);
	assert_int_equal(node.offset, server.rmr_b);
	assert_false(weir_iort_next(&iort, &node));
	assert_int_equal(node.offset, server.rmr_b);

	memset(&node, 0, sizeof(node));
	assert_true(weir_iort_next_type(&iort, &node, WEIR_IORT_SMMUV3));
	assert_true(weir_iort_next_type(&iort, &node, WEIR_IORT_SMMUV3));
	assert_int_equal(node.offset, server.smmu_1);
	assert_false(weir_iort_next_type(&iort, &node, WEIR_IORT_SMMUV3));
	assert_int_equal(node.offset, server.smmu_1);
	assert_false(weir_iort_at(&iort, 0, &node));
	assert_false(weir_iort_at(&iort, server.smmu_1 + 4, &node));
	assert_false(weir_iort_at(&iort, b.size, &node));
	assert_false(weir_iort_at(&iort, UINT32_MAX, &node));
}

/* An SMMUv3 of this revision, alone in a table. */
static struct weir_iort_smmuv3 smmuv3_of(unsigned int revision, uint32_t flags, uint32_t pri)
{
	struct iort_smmuv3 wrote = { .base = 0x123456789abc0000,
				     .vatos = 0xfedcba9876540000,
				     .flags = flags,
				     .model = 2,
				     .gsivs = { 0x11111111, pri, 0x33333333, 0x44444444 },
				     .proximity = 0x55555555,
				     .msi_index = 0x66666666 };
	struct weir_iort_node node;
	struct weir_iort_smmuv3 smmu;

	iort_begin(&b, 6);
	node.offset = iort_smmuv3(&b, revision, &wrote);
	open_built();
	node = at(node.offset);
	assert_int_equal(weir_iort_smmuv3(&iort, &node, &smmu), 0);
	assert_int_equal(smmu.base, wrote.base);
	assert_int_equal(smmu.vatos, wrote.vatos);
	assert_int_equal(smmu.model, 2);
	assert_int_equal(smmu.event, 0x11111111);
	assert_int_equal(smmu.pri, pri);
	assert_int_equal(smmu.gerror, 0x33333333);
	assert_int_equal(smmu.sync, 0x44444444);
	return smmu;
}

static void smmuv3_by_revision(void **state)
{
	struct weir_iort_smmuv3 smmu;

	(void)state;
	smmu = smmuv3_of(5, 0x1d, 9);
	assert_true(smmu.coherent && smmu.has_proximity && smmu.has_msi_index);
	assert_int_equal(smmu.httu, 2);
	assert_int_equal(smmu.proximity, 0x55555555);
	assert_int_equal(smmu.msi_index, 0x66666666);
	smmu = smmuv3_of(5, 0x02, 0); /* whether an index is valid, only the flag says */
	assert_false(smmu.coherent || smmu.has_proximity || smmu.has_msi_index);
	assert_int_equal(smmu.httu, 1);
	assert_int_equal(smmu.proximity, 0);
	assert_int_equal(smmu.msi_index, 0);
	smmu = smmuv3_of(4, 0x10, 9); /* there was no such flag */
	assert_false(smmu.has_msi_index);
	smmu = smmuv3_of(1, 0x08, 0);
	assert_true(smmu.has_msi_index && smmu.has_proximity);
	smmu = smmuv3_of(0, 0x1f, 0);
	assert_true(smmu.coherent);
	assert_int_equal(smmu.httu, 3);
	assert_false(smmu.has_msi_index || smmu.has_proximity);
	smmu = smmuv3_of(6, 0x18, 0); /* later ones only add */
	assert_true(smmu.has_msi_index && smmu.has_proximity);
}

static struct weir_iort_root root_of(unsigned int revision, const struct iort_root *wrote)
{
	struct weir_iort_node node;
	struct weir_iort_root root;

	iort_begin(&b, 6);
	node.offset = iort_root(&b, revision, wrote);
	open_built();
	node = at(node.offset);
	assert_int_equal(weir_iort_root(&iort, &node, &root), 0);
	assert_int_equal(root.segment, wrote->segment);
	return root;
}

static void root_by_revision(void **state)
{
	struct iort_root wrote = { .memory = { .cca = 1, .hints = 0xa, .flags = 5 },
				   .ats = 5,
				   .segment = 0x87654321,
				   .address_bits = 44,
				   .pasid = 0x14,
				   .flags = 1 };
	struct weir_iort_root root;

	(void)state;
	root = root_of(4, &wrote);
	assert_true(root.memory.coherent && root.memory.path && root.memory.any);
	assert_false(root.memory.cached);
	assert_int_equal(root.memory.hints,
			 WEIR_IORT_HINT_WRITE_ALLOCATE | WEIR_IORT_HINT_OVERRIDE);
	assert_true(root.ats && root.pasid_forward && root.pasid);
	assert_false(root.pri);
	assert_int_equal(root.address_bits, 44);
	assert_int_equal(root.pasid_bits, 20);
	root = root_of(3, &wrote);
	assert_int_equal(root.address_bits, 44);
	assert_false(root.pasid);
	assert_int_equal(root.pasid_bits, 0);
	root = root_of(0, &wrote);
	assert_int_equal(root.address_bits, 0);
	wrote = (struct iort_root){
		.memory = { .cca = 2, .flags = 2 }, .ats = 2, .address_bits = 255, .pasid = 0x14
	};
	root = root_of(5, &wrote);
	assert_false(root.memory.coherent || root.memory.path || root.memory.any);
	assert_true(root.memory.cached && root.pri);
	assert_false(root.ats || root.pasid_forward || root.pasid);
	assert_int_equal(root.pasid_bits, 0);
	assert_int_equal(root.address_bits, 64);
}

static void named_components(void **state)
{
	struct weir_iort_named named;
	struct weir_iort_node node;

	(void)state;
	build_server(0);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.NET", &node), 0);
	assert_int_equal(node.offset, server.net);
	assert_int_equal(weir_iort_named(&iort, &node, &named), 0);
	assert_string_equal(named.name, "\\_SB.NET");
	assert_false(named.stall || named.memory.coherent);
	assert_int_equal(named.pasid_bits, 0);
	assert_int_equal(named.address_bits, 48);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.USB0", &node), 0);
	assert_int_equal(weir_iort_named(&iort, &node, &named), 0);
	assert_true(named.stall && named.memory.coherent && named.memory.path);
	assert_int_equal(named.pasid_bits, 20);
	assert_int_equal(named.address_bits, 32);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.NE", &node), -WEIR_ENOENT);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.NET0", &node), -WEIR_ENOENT);
	assert_int_equal(node.offset, server.usb);
	node = at(server.net); /* the last byte that its name can end at, and none after it */
	iort_set(&b, server.net + node.mappings_offset - 1, 1, 0);
	iort_set(&b, server.net + 1, 2, node.mappings_offset);
	iort_set(&b, 36, 4, node.index);
	b.size = server.net + node.mappings_offset;
	iort_set(&b, 4, 4, b.size);
	memset(b.bytes + server.net + 29, 'x', node.mappings_offset - 30);
	open_built();
	node = at(server.net);
	assert_int_equal(weir_iort_named(&iort, &node, &named), 0);
	assert_int_equal(strlen(named.name), node.mappings_offset - 30);
	iort_set(&b, b.size - 1, 1, 'x');
	open_built();
	assert_int_equal(weir_iort_named(&iort, &node, &named), -WEIR_EINVAL);
	assert_error("its name does not end", server.net + 29);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.NET", &node), -WEIR_EINVAL);
	assert_int_equal(weir_iort_by_name(&iort, "\\_SB.USB0", &node), 0);
}

static void groups_of_its(void **state)
{
	struct weir_iort_node node;
	uint32_t id = 9;

	(void)state;
	build_server(6);
	node = at(server.its_a);
	assert_int_equal(weir_iort_its(&iort, &node, 1, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(weir_iort_its(&iort, &node, 2, &id), -WEIR_ENOENT);
	assert_int_equal(weir_iort_its(&iort, &node, UINT32_MAX, &id), -WEIR_ENOENT);
	assert_int_equal(id, 1);
	node = at(server.its_b);
	assert_int_equal(weir_iort_its(&iort, &node, 0, &id), 0);
	assert_int_equal(id, 5);
}

/* ---- Devices ----------------------------------------------------------------------------- */

#define NONE UINT32_MAX

/* The node at `where` (NONE: none), and the ID. */
static void assert_pci(uint32_t segment, uint32_t rid, bool msi, uint32_t where, uint32_t want)
{
	struct weir_iort_node node = { 0 };
	uint32_t id = 0;
	int ret = msi ? weir_iort_pci_msi(&iort, segment, (uint16_t)rid, &node, &id) :
			weir_iort_pci_stream(&iort, segment, (uint16_t)rid, &node, &id);

	assert_int_equal(ret, where == NONE ? -WEIR_ENOENT : 0);
	if (where == NONE)
		where = 0;
	assert_int_equal(node.offset, where);
	assert_int_equal(id, where ? want : 0);
}

static void requester_ids(void **state)
{
	(void)state;
	build_server(6);
	for (uint32_t rid = 0; rid < 0x10000; rid++) {
		bool first = rid < 0x8000, direct = rid >= 0x8000 && rid < 0x9000;
		bool second = rid >= 0xa000 && rid < 0xa100;

		assert_pci(0, rid, false, server.smmu_0, 0x10000 + rid);
		assert_pci(0, rid, true, server.its_a, 0x110000 + rid);
		assert_pci(1, rid, false,
			   first  ? server.smmu_1 :
			   second ? server.smmu_0 :
				    NONE,
			   first ? rid : 0x20000 + rid - 0xa000);
		assert_pci(1, rid, true,
			   first || direct ? server.its_b :
			   second	   ? server.its_a :
					     NONE,
			   first  ? rid :
			   direct ? 0x20000 + rid - 0x8000 :
				    0x120000 + rid - 0xa000);
		assert_pci(2, rid, false, NONE, 0);
		assert_pci(3, rid, true, server.its_a, 0x40000 + rid);
	}
}

static void older_smmus(void **state)
{
	struct weir_iort_node node;
	uint32_t id = 7;

	(void)state;
	build_server(6);
	assert_int_equal(weir_iort_pci_stream(&iort, 3, 8, &node, &id), -WEIR_EOPNOTSUPP);
	assert_error("devices are behind it, and it is no SMMUv3", server.smmu_old);
	assert_int_equal(id, 7);
}

static void own_ids(void **state)
{
	struct weir_iort_node usb, net, to;
	uint32_t id = 0;

	(void)state;
	build_server(6);
	usb = at(server.usb);
	net = at(server.net);
	assert_int_equal(weir_iort_own_id(&iort, &usb, 0, WEIR_IORT_SMMUV3, &to, &id), 0);
	assert_int_equal(to.offset, server.smmu_1);
	assert_int_equal(id, 0x9000);
	assert_int_equal(weir_iort_own_id(&iort, &usb, 1, WEIR_IORT_SMMUV3, &to, &id), 0);
	assert_int_equal(id, 0x9001);
	assert_int_equal(weir_iort_own_id(&iort, &usb, 2, WEIR_IORT_SMMUV3, &to, &id),
			 -WEIR_ENOENT);
	/* Through the SMMU, and around it. */
	assert_int_equal(weir_iort_own_id(&iort, &usb, 0, WEIR_IORT_ITS_GROUP, &to, &id), 0);
	assert_int_equal(to.offset, server.its_b);
	assert_int_equal(id, 0x9000);
	assert_int_equal(weir_iort_own_id(&iort, &usb, 1, WEIR_IORT_ITS_GROUP, &to, &id), 0);
	assert_int_equal(to.offset, server.its_a);
	assert_int_equal(id, 0x21234);
	/* A bus has ranges, and no ID of its own. */
	assert_int_equal(weir_iort_own_id(&iort, &net, 0, WEIR_IORT_SMMUV3, &to, &id),
			 -WEIR_ENOENT);
	assert_int_equal(weir_iort_walk(&iort, &net, 0xff, WEIR_IORT_SMMUV3, &to, &id), 0);
	assert_int_equal(to.offset, server.smmu_0);
	assert_int_equal(id, 0x300ff);
	assert_int_equal(weir_iort_walk(&iort, &net, 0x100, WEIR_IORT_SMMUV3, &to, &id),
			 -WEIR_ENOENT);
	assert_int_equal(id, 0x300ff);
}

/* ---- Reserved memory --------------------------------------------------------------------- */

static void reserved_memory(void **state)
{
	struct weir_iort_node smmu, rmr;
	struct weir_iort_rmr what;
	uint64_t base = 0, size = 0;

	(void)state;
	build_server(6);
	rmr = at(server.rmr_a);
	assert_int_equal(weir_iort_rmr(&iort, &rmr, &what), 0);
	assert_true(what.privileged);
	assert_false(what.may_remap);
	assert_int_equal(what.attributes, WEIR_IORT_RMR_WRITE_BACK);
	assert_int_equal(what.ranges, 2);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 1, &base, &size), 0);
	assert_int_equal(base, 0x8000000000);
	assert_int_equal(size, 0x200000);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 2, &base, &size), -WEIR_ENOENT);
	rmr = at(server.rmr_b);
	assert_int_equal(weir_iort_rmr(&iort, &rmr, &what), 0);
	assert_true(what.may_remap);
	assert_false(what.privileged);
	assert_int_equal(what.attributes, WEIR_IORT_RMR_NGNRNE);

	smmu = at(server.smmu_0);
	for (uint32_t stream = 0; stream < 0x20000; stream++) {
		bool is = stream == 0x10010;

		memset(&rmr, 0, sizeof(rmr));
		if (is) {
			assert_int_equal(weir_iort_next_rmr(&iort, &smmu, stream, &rmr), 0);
			assert_int_equal(rmr.offset, server.rmr_a);
			assert_int_equal(weir_iort_next_rmr(&iort, &smmu, stream, &rmr), 0);
			assert_int_equal(rmr.offset, server.rmr_b);
		}
		assert_int_equal(weir_iort_next_rmr(&iort, &smmu, stream, &rmr), -WEIR_ENOENT);
	}
	smmu = at(server.smmu_1);
	for (uint32_t stream = 0; stream < 0x200; stream++) {
		memset(&rmr, 0, sizeof(rmr));
		assert_int_equal(weir_iort_next_rmr(&iort, &smmu, stream, &rmr),
				 stream >= 0x100 && stream < 0x110 ? 0 : -WEIR_ENOENT);
	}
}

static void reserved_memory_is_odd(void **state)
{
	static const struct iort_range odd[] = { { 0x1000, 0 },
						 { 0xfffffffffffff000, 0x1001 },
						 { 0xfffffffffffff000, 0x1000 },
						 { 0x123, 0x456 } };
	struct weir_iort_node rmr, smmu;
	struct weir_iort_rmr what;
	uint64_t base = 0, size = 0;

	(void)state;
	iort_begin(&b, 6);
	rmr.offset = iort_rmr(&b, 1, 0xffe, 4, odd);
	open_built();
	rmr = at(rmr.offset);
	assert_int_equal(weir_iort_rmr(&iort, &rmr, &what), 0);
	assert_int_equal(what.attributes, WEIR_IORT_RMR_UNKNOWN);
	assert_false(what.privileged || what.may_remap);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 0, &base, &size), -WEIR_EINVAL);
	assert_error("a range is empty or goes", rmr.offset + 28);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 1, &base, &size), -WEIR_EINVAL);
	assert_error("beyond the last address", rmr.offset + 48);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 2, &base, &size), 0);
	assert_int_equal(base + size, 0);
	assert_int_equal(weir_iort_rmr_range(&iort, &rmr, 3, &base, &size), 0);
	assert_int_equal(base, 0x123);
	assert_int_equal(size, 0x456);
	iort_set(&b, rmr.offset + 3, 1, 4);
	iort_set(&b, rmr.offset + 16, 4, 6u << 2); /* an attribute of tomorrow */
	open_built();
	rmr = at(rmr.offset);
	assert_int_equal(weir_iort_rmr(&iort, &rmr, &what), 0);
	assert_int_equal(what.attributes, WEIR_IORT_RMR_UNKNOWN);

	/* One that is wrong is said to be, and does not hide the next. */
	build_server(6);
	iort_set(&b, server.rmr_a + 12, 4, 0x1000);
	open_built();
	smmu = at(server.smmu_0);
	memset(&rmr, 0, sizeof(rmr));
	assert_int_equal(weir_iort_next_rmr(&iort, &smmu, 0x10010, &rmr), -WEIR_EINVAL);
	assert_error("its ID mappings are outside of it", server.rmr_a + 12);
	assert_int_equal(rmr.offset, server.rmr_a);
	assert_int_equal(weir_iort_next_rmr(&iort, &smmu, 0x10010, &rmr), 0);
	assert_int_equal(rmr.offset, server.rmr_b);
}

/* ---- QEMU's ------------------------------------------------------------------------------ */

/*
 * What QEMU 10.0.2 puts into the memory of its guests, with the checksum added that its guests'
 * firmware adds: -M virt; with iommu=smmuv3; with default_bus_bypass_iommu=on besides, one pxb-pcie
 * from bus 0x80 on, and another from 0xc0 on that bypasses the SMMU.
 */
static void open_qemus(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "fuzz/corpus/fuzz-iort/%s", name);
	b.size = (uint32_t)read_file(path, b.bytes, sizeof(b.bytes));
	if (weir_iort_open(b.bytes, b.size, &iort))
		fail_msg("%s: %s (byte %u)", name, iort.error, iort.error_offset);
}

static void qemus_tables(void **state)
{
	struct weir_iort_smmuv3 smmu;
	struct weir_iort_node node = { 0 };
	struct weir_iort_root root;

	(void)state;
	open_qemus("qemu-virt");
	assert_int_equal(iort.nodes, 3);
	assert_true(weir_iort_next_type(&iort, &node, WEIR_IORT_SMMUV3));
	assert_int_equal(weir_iort_smmuv3(&iort, &node, &smmu), 0);
	assert_int_equal(smmu.base, 0x9050000);
	assert_true(smmu.coherent);
	assert_int_equal(smmu.event, 106);
	assert_int_equal(smmu.pri, 107);
	assert_int_equal(smmu.gerror, 109);
	assert_int_equal(smmu.sync, 108);
	assert_false(smmu.has_msi_index);
	assert_true(weir_iort_next_type(&iort, &node, WEIR_IORT_ROOT));
	assert_int_equal(weir_iort_root(&iort, &node, &root), 0);
	assert_true(root.memory.coherent && root.memory.path && root.memory.cached);
	assert_int_equal(root.address_bits, 64);
	assert_int_equal(root.segment, 0);
	for (uint32_t rid = 0; rid < 0x10000; rid++) {
		assert_pci(0, rid, false, rid < 0x100 ? 72 : NONE, rid);
		assert_pci(0, rid, true, 48, rid);
	}
	open_qemus("qemu-bypass");
	for (uint32_t rid = 0; rid < 0x10000; rid++) {
		assert_pci(0, rid, false, rid >> 8 == 0x80 ? 72 : NONE, rid);
		assert_pci(0, rid, true, 48, rid);
	}
	open_qemus("qemu-no-smmu");
	assert_int_equal(iort.nodes, 2);
	for (uint32_t rid = 0; rid < 0x10000; rid++) {
		assert_pci(0, rid, false, NONE, 0);
		assert_pci(0, rid, true, 48, rid);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_is_iasls),
		cmocka_unit_test(nodes_in_order),
		cmocka_unit_test(smmuv3_by_revision),
		cmocka_unit_test(root_by_revision),
		cmocka_unit_test(named_components),
		cmocka_unit_test(groups_of_its),
		cmocka_unit_test(requester_ids),
		cmocka_unit_test(older_smmus),
		cmocka_unit_test(own_ids),
		cmocka_unit_test(reserved_memory),
		cmocka_unit_test(reserved_memory_is_odd),
		cmocka_unit_test(qemus_tables),
	};

	iasl = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
