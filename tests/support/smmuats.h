/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SMMUATS_H
#define TESTS_SMMUATS_H

/*
 * For tests of the SMMUv3 model's ATS and PRI: an implementation that has them, streams that use
 * them, and a device with an ATC whose memory is the fixture's.
 */

#include <weir/model/atc.h>

#include "smmuhost.h"

#define PASID WEIR_MODEL_TXN_SUBSTREAM

/* A field of an ID register of f->config. */
void set_field(uint32_t *reg, uint64_t mask, uint32_t value);
/*
 * Both stages, ATS and PRI with all that belongs to them but PPS; stalls, HTTU, 8 bits of PASIDs.
 */
void have_ats(struct fixture *f);
/* Word 1 of an STE. */
uint64_t ste1(unsigned int eats);
/* Stage 1 and full ATS; returns the table. */
uint64_t add_ats(struct fixture *f, uint32_t sid);
/* The same with 2^bits CDs, all empty; returns where they are. */
uint64_t add_pasids(struct fixture *f, uint32_t sid, unsigned int bits, unsigned int s1dss);
/* One of them, with an empty table, which is returned. */
uint64_t fill_cd(struct fixture *f, uint64_t cds, uint32_t pasid);
/* Word 1 of CMD_ATC_INV. */
uint64_t atc_inv(uint64_t pages_log2, uint64_t addr);
/* Called by the device's next access, before it reaches memory. */
extern void (*on_access)(struct fixture *f);
/* STREAM's device; its accesses are of single words. */
struct weir_model_atc *add_device(struct fixture *f, enum weir_model_atc_manners manners, bool pri);
struct weir_model_atc_stats stats_of_device(struct weir_model_atc *atc);

#endif
