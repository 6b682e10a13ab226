/* SPDX-License-Identifier: MIT */
#ifndef TESTS_DOMAINRIG_H
#define TESTS_DOMAINRIG_H

/*
 * For tests of domains: src/iommu and src/smmuv3 on the model of an SMMUv3 that has whatever the
 * test wants, with caches that keep all that they may; devices are the test's calls of access().
 *
 *	struct domainrig rig = { .smmu = rig_features() };
 *	rig_up(&rig);
 *	... rig.dev[0], weir_domain_*(), rig_access(&rig, ...)
 *	rig_down(&rig);                     ends the test if anything leaked
 *
 * The calling thread is CPU 0 in between. Memory is rig_page()'s.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <posix.h>
#include <weir/domain.h>
#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>
#include <weir/weir.h>

#define RIG_DEVICES 3u
#define RIG_SID(n) (0x108u + 0x100u * (n))
#define RIG_RW (WEIR_IOMMU_READ | WEIR_IOMMU_WRITE)
#define RIG_NO_PASID 0u

struct domainrig {
	/* The test's, before rig_up(). */
	struct weir_model_smmuv3_config smmu;
	enum weir_mode mode;
	unsigned int cpus;
	enum posix_runner runner;
	uint64_t fail_alloc;
	bool fail_onwards, heap_whole_pages;
	uint8_t pasid_bits;
	const struct weir_device_ats *ats; /* of device 0 */
	/* When there is a model, and nobody uses it yet; NULL: nothing. */
	void (*prepare)(struct domainrig *rig);
	/* When weir is gone, and there still is a model. */
	void (*finish)(struct domainrig *rig);
	void *opaque;

	struct posix_machine *machine;
	struct weir *weir;
	struct weir_iommu *iommu;
	struct weir_model_smmuv3 *model;
	struct weir_device dev[RIG_DEVICES];
	unsigned int nr_devices;
	unsigned int log_lines; /* of errors and warnings */
	char log[256];		/* the last of them */
	unsigned int faults;
	struct weir_fault fault; /* the last; atomic enough: read when quiet */
};

/* Both stages, PASIDs (20 bits, two levels), ATS, HTTU, ranges; adversarial. */
struct weir_model_smmuv3_config rig_features(void);
void rig_set(uint32_t *reg, uint64_t mask, uint32_t value);

/* Errors are those of weir_init() and weir_device_add(); then rig_down() is still due. */
int rig_up(struct domainrig *rig);
/* Removes the devices; pages that the test took were given back. */
void rig_down(struct domainrig *rig);

/* A zeroed page of memory. */
weir_phys_t rig_page(struct domainrig *rig);
void rig_page_free(struct domainrig *rig, weir_phys_t phys);
uint64_t *rig_virt(struct domainrig *rig, weir_phys_t phys);

/* An access of device n: where it goes, or false. pasid RIG_NO_PASID: without one. */
bool rig_access(struct domainrig *rig, unsigned int n, uint32_t pasid, uint64_t iova, bool write,
		uint64_t *out);
/* The same with a PASID, 0 too. */
bool rig_access_pasid(struct domainrig *rig, unsigned int n, uint32_t pasid, uint64_t iova,
		      bool write, uint64_t *out);
/* Does it go to `phys`? 0: is it blocked? */
#define rig_expect(rig, n, pasid, iova, write, phys)                                               \
	do {                                                                                       \
		uint64_t got_ = 0;                                                                 \
		bool ok_ = rig_access(rig, n, pasid, iova, write, &got_);                          \
		assert_int_equal(ok_ ? got_ : 0, phys);                                            \
	} while (0)

#endif
