/* SPDX-License-Identifier: MIT */
/* A server's IO Remapping Table: see iortserver.h. */

#include "iortserver.h"

static void add_old_smmu(struct iortbuild *b, struct iort_server *server)
{
	server->smmu_old = iort_node(b, IORT_SMMU, 1);
	iort_64(b, 0x2b500000);
	iort_64(b, 0x20000);
	iort_32(b, 3);
	iort_32(b, 2);
	iort_32(b, 60); /* global interrupts; of contexts and of the performance monitor none */
	iort_32(b, 0);
	iort_32(b, 76);
	iort_32(b, 0);
	iort_32(b, 76);
	iort_32(b, 70);
	iort_32(b, 0);
	iort_32(b, 71);
	iort_32(b, 1);
	iort_mapping(b, 0, 0xffff, 0x40000, server->its_a);
}

static void add_smmus(struct iortbuild *b, struct iort_server *server)
{
	static const uint32_t ids_a[] = { 0, 1 }, ids_b[] = { 5 };
	struct iort_smmuv3 smmu = {
		.base = 0x40000000, .flags = 0xb, .gsivs = { 101, 102, 103, 104 }, .proximity = 1
	};

	server->its_a = iort_its(b, 2, ids_a);
	server->its_b = iort_its(b, 1, ids_b);
	server->smmu_0 = iort_smmuv3(b, 1, &smmu);
	iort_mapping(b, 0, 0x3ffff, 0x100000, server->its_a);
	smmu = (struct iort_smmuv3){
		.base = 0x140000000000, .vatos = 0x140000020000, .model = 1, .msi_index = 1
	};
	server->smmu_1 = iort_smmuv3(b, 1, &smmu);
	iort_mapping(b, 0, 0xffff, 0, server->its_b);
	iort_single(b, 0x17000, server->its_b);
	add_old_smmu(b, server);
}

static void add_roots(struct iortbuild *b, struct iort_server *server)
{
	struct iort_root root = { .memory = { .cca = 1, .hints = 0, .flags = 3 },
				  .ats = 1,
				  .address_bits = 52 };

	server->root_0 = iort_root(b, 1, &root);
	iort_mapping(b, 0, 0xffff, 0x10000, server->smmu_0);
	root = (struct iort_root){ .segment = 1, .address_bits = 40 };
	server->root_1 = iort_root(b, 1, &root);
	iort_mapping(b, 0, 0x7fff, 0, server->smmu_1);
	iort_mapping(b, 0x8000, 0xfff, 0x20000, server->its_b);
	server->root_1b = iort_root(b, 1, &root);
	iort_mapping(b, 0xa000, 0xff, 0x20000, server->smmu_0);
	root.segment = 3;
	server->root_3 = iort_root(b, 1, &root);
	iort_mapping(b, 0, 0xffff, 0, server->smmu_old);
}

static void add_named(struct iortbuild *b, struct iort_server *server)
{
	struct iort_named named = { .flags = 0x29,
				    .memory = { .cca = 1, .flags = 1 },
				    .address_bits = 32,
				    .name = "\\_SB.USB0" };

	server->usb = iort_named(b, 2, &named);
	iort_single(b, 0x9000, server->smmu_1);
	iort_single(b, 0x21234, server->its_a);
	iort_single(b, 0x9001, server->smmu_1);
	named = (struct iort_named){ .address_bits = 48, .name = "\\_SB.NET" };
	server->net = iort_named(b, 2, &named);
	iort_mapping(b, 0, 0xff, 0x30000, server->smmu_0);
	server->pmcg = iort_node(b, IORT_PMCG, 1);
	iort_64(b, 0x40002000);
	iort_32(b, 105);
	iort_32(b, server->smmu_0);
	iort_64(b, 0x40022000);
}

static void add_rmrs(struct iortbuild *b, struct iort_server *server)
{
	static const struct iort_range ranges[] = { { 0x80000000, 0x10000 },
						    { 0x8000000000, 0x200000 } };

	server->rmr_a = iort_rmr(b, 3, 5u << 2 | 2, 2, ranges);
	iort_single(b, 0x10010, server->smmu_0);
	iort_mapping(b, 0, 0xf, 0x100, server->smmu_1);
	server->rmr_b = iort_rmr(b, 3, 1, 1, ranges);
	iort_mapping(b, 0, 0, 0x10010, server->smmu_0);
}

void iort_server(struct iortbuild *b, unsigned int revision, struct iort_server *server)
{
	iort_begin(b, revision);
	add_smmus(b, server);
	add_roots(b, server);
	add_named(b, server);
	if (revision >= 3)
		add_rmrs(b, server);
	iort_end(b);
}
