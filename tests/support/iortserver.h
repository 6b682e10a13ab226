/* SPDX-License-Identifier: MIT */
#ifndef IORTSERVER_H
#define IORTSERVER_H

/*
 * The IO Remapping Table of a server that does not exist: two SMMUv3, one SMMUv2, three PCI
 * segments (one with two root complexes, one in part around its SMMU), named components, reserved
 * memory. iort-server.dsl is the same in iasl's words.
 */

#include "iortbuild.h"

/** Where its nodes are. */
struct iort_server {
	uint32_t its_a, its_b, smmu_0, smmu_1, smmu_old, root_0, root_1, root_1b, root_3;
	uint32_t usb, net, pmcg, rmr_a, rmr_b;
};

/** Revision 0 of the table is D, 6 is E.f; reserved memory is there since 3, which is E.b. */
void iort_server(struct iortbuild *b, unsigned int revision, struct iort_server *server);

#endif
