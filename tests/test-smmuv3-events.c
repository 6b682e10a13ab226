/* SPDX-License-Identifier: MIT */
/*
 * Event records (IHI 0070 7.3) and what becomes of them: src/smmuv3/decode.c and the line of
 * src/iommu/describe.c, against a small SMMU (fakesmmu.h).
 *
 * - Each type of event, with each of its fields, gives one line in plain words; fields that the
 *   type does not have are not read, whatever is there.
 * - Nothing that a record may hold makes a line that is not one line.
 * - A slot that PROD passed and nobody wrote is not reported, nor is the record of an earlier lap
 *   in it, after a write of the queue aborted; what was written is.
 */

#include "iommu/history.h"
#include "iommu/iommu.h"
#include "smmubench.h"

#define FETCH 0x0012345678abcdf8ull
#define ADDRESS 0xfedcba9876543210ull
#define SID ((uint64_t)0x108 << 32)
#define PASID(n) (1ull << 11 | (uint64_t)(n) << 12)
#define READ (1ull << 35)
#define WHO "smmuv3@9050000: stream 0x108 (nobody's): "

/* describe.c asks for them; there is no history here. */
struct weir_device *weir_streams_find(struct weir_iommu *of, uint32_t id,
				      struct weir_domain **domain)
{
	(void)of;
	(void)id;
	*domain = NULL;
	return NULL;
}

static void says(uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3, const char *line)
{
	uint64_t record[4] = { word0 | SID, word1, word2, word3 };
	char text[256];

	fakesmmu_event(&smmu, record);
	weir_fault_describe(last_fault(), text, sizeof(text));
	assert_string_equal(text, line);
}

static void each_type(void **state)
{
	/* Where a field is not the type's, it is all ones. */
	static const struct {
		uint64_t word0, word1, word2, word3;
		const char *line;
	} cases[] = {
		{ 0x01, READ | 7, ADDRESS, ~0ull,
		  WHO "read of 0xfedcba9876543210 blocked: the IOMMU knows no transaction of "
		      "this kind (F_UUT, cause 0x7)" },
		{ 0x02, ~0ull, ~0ull, ~0ull,
		  WHO "access blocked: its stream is unknown or blocked (C_BAD_STREAMID)" },
		{ 0x03, 1 << 16 | 9, ~0ull, FETCH,
		  WHO "access blocked: its entry in the stream table could not be read "
		      "(F_STE_FETCH, at 0x2345678abcdf8, GPC, "
		      "cause 0x9)" },
		{ 0x04 | PASID(5), ~0ull, ~0ull, ~0ull,
		  WHO "access with PASID 5 blocked: the IOMMU refused its entry in the stream "
		      "table (C_BAD_STE)" },
		{ 0x05, 1ull << 31 | 1ull << 30 | 1ull << 28, ADDRESS, ~0ull,
		  WHO "privileged write to 0xfedcba9876543000 blocked: it may not ask for "
		      "translations (ATS) (F_BAD_ATS_TREQ)" },
		{ 0x06, ~0ull, ~0ull, ~0ull,
		  WHO "access blocked: its stream takes no access without a PASID, or none with "
		      "PASID 0 (F_STREAM_DISABLED)" },
		{ 0x07, READ | 3ull << 33, ADDRESS, ~0ull,
		  WHO "read of 0xfedcba9876543210 blocked: it may not send addresses as "
		      "translated (ATS) (F_TRANSL_FORBIDDEN)" },
		{ 0x08 | 0x12345 << 12, ~0ull, ~0ull, ~0ull,
		  WHO "access with PASID 74565 blocked: its stream has no such PASID "
		      "(C_BAD_SUBSTREAMID)" },
		{ 0x09 | PASID(0), 0, ~0ull, FETCH,
		  WHO "access with PASID 0 blocked: its context descriptor could not be read "
		      "(F_CD_FETCH, at 0x2345678abcdf8)" },
		{ 0x0a, ~0ull, ~0ull, ~0ull,
		  WHO "access blocked: the IOMMU refused its context descriptor (C_BAD_CD)" },
		{ 0x0b, 1ull << 39 | 1ull << 40, 0x1000, FETCH,
		  WHO "write to 0x1000 blocked: a page table could not be read (F_WALK_EABT, "
		      "stage 2, for its tables, at 0x2345678abcdf8)" },
		{ 0x10, 2ull << 40, 0x1234, ~0ull,
		  WHO "write to 0x1234 blocked: nothing is mapped there (F_TRANSLATION)" },
		{ 0x10, READ | 1ull << 34 | 2ull << 40, 0x1234, ~0ull,
		  WHO "instruction fetch from 0x1234 blocked: nothing is mapped there "
		      "(F_TRANSLATION)" },
		{ 0x10 | PASID(1), 1ull << 31 | 77 | READ | 1ull << 33 | 2ull << 40, 0x1234, 0,
		  WHO "privileged read of 0x1234 with PASID 1 waits: nothing is mapped there "
		      "(F_TRANSLATION, tag 77)" },
		{ 0x11, 1ull << 39 | 2ull << 40 | 1ull << 36, 0x1234, 0x5678123,
		  WHO "write to 0x1234 blocked: beyond the addresses of its domain (F_ADDR_SIZE, "
		      "stage 2, Non-secure IPA 0x5678000)" },
		{ 0x12, 1ull << 39, 0x1234, 0x5678123,
		  WHO "write to 0x1234 blocked: the page's access flag is clear (F_ACCESS, stage "
		      "2, IPA 0x5678000, for its context)" },
		{ 0x13, 1ull << 39 | 1ull << 40, 0x1234, 0x5678123,
		  WHO "write to 0x1234 blocked: what is mapped there does not allow it "
		      "(F_PERMISSION, stage 2, IPA 0x5678000, for its tables)" },
		{ 0x20, 2ull << 40 | 3, 0x1234, ~0ull,
		  WHO "write to 0x1234 blocked: the IOMMU's TLB has two answers to it "
		      "(F_TLB_CONFLICT, cause 0x3)" },
		{ 0x21, ~0xffffull, ~0ull, ~0ull,
		  WHO "access blocked: the IOMMU has two configurations of its stream cached "
		      "(F_CFG_CONFLICT)" },
		{ 0x24, 0, 0x5fff, ~0ull,
		  WHO "access to 0x5000 announced: it will want the page soon (E_PAGE_REQUEST)" },
		{ 0x25, 0, ~0ull, FETCH,
		  WHO "access blocked: the structure of its virtual machine could not be read "
		      "(F_VMS_FETCH, at 0x2345678abcdf8)" },
		{ 0x22, ~0ull, ~0ull, ~0ull,
		  WHO "access blocked: for a reason that nobody told (unknown event)" },
		{ 0xe3, ~0ull, ~0ull, ~0ull,
		  WHO "access blocked: for a reason of this IOMMU alone (IMPDEF_EVENT)" },
	};
	struct weir_domain *domain = new_domain();

	(void)state;
	/* So that C_BAD_STE is not what is to be expected of a blocked stream. */
	attach(0x108, domain);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		says(cases[i].word0, cases[i].word1, cases[i].word2, cases[i].word3, cases[i].line);
	attach(0x108, iommu->blocked);
	says(0x04, 0, 0, 0, WHO "access blocked: its stream is unknown or blocked (C_BAD_STE)");
	iommu->ops->domain_free(domain);
}

static void any_record(void **state)
{
	(void)state;
	seed = 7;
	for (int i = 0; i < 20000; i++) {
		uint64_t record[4] = { below(~0ull), below(~0ull), below(~0ull), below(~0ull) };
		char text[256];

		record[0] = (record[0] & ~0xffull) | below(0x30);
		fakesmmu_event(&smmu, record);
		weir_fault_describe(last_fault(), text, sizeof(text));
		/* As long as the log's (fault.c). */
		assert_in_range(strlen(text), 40, 254);
		assert_null(strchr(text, '\n'));
		assert_non_null(strchr(text, ')'));
	}
}

/* What the SMMU does where a write aborts and nobody notices in time: PROD goes on. */
static void pass_over(unsigned int slots)
{
	*fakesmmu_reg(&smmu, 0x100a8) += slots;
}

static void slots_that_nobody_wrote(void **state)
{
	uint64_t record[4] = { 0x10 | SID, 0, 0x1000, 0 };

	(void)state;
	weir_smmuv3_driver.remove(iommu);
	weir.options.event_queue_entries = 8;
	assert_int_equal(probe(), 0);
	/* A lap, so that every slot has held something. */
	for (int i = 0; i < 16; i++) {
		fakesmmu_event(&smmu, record);
		fakeplat_run(fake);
	}
	assert_int_equal(nr_faults, 16);
	pass_over(2);
	record[2] = 0x2000;
	fakesmmu_event(&smmu, record);
	pass_over(1);
	fakesmmu_error(&smmu, 1 << 2);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 17);
	assert_int_equal((uint64_t)last_fault()->address, 0x2000);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENTS), 17);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_EVENT_OVERFLOWS), 1);
	assert_int_equal(*fakesmmu_reg(&smmu, 0x60), *fakesmmu_reg(&smmu, 0x64));
	/* It goes on. */
	fakesmmu_event(&smmu, record);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 18);
}

static void the_same_where_nothing_snoops(void **state)
{
	uint64_t record[4] = { 0x10 | SID, 0, 0x1000, 0 };

	(void)state;
	desc.coherent = false;
	weir.options.event_queue_entries = 8;
	assert_int_equal(probe(), 0);
	for (int i = 0; i < 16; i++) {
		fakesmmu_event(&smmu, record);
		fakeplat_run(fake);
	}
	assert_int_equal(nr_faults, 16);
	pass_over(2);
	fakesmmu_error(&smmu, 1 << 2);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 16);
	fakesmmu_event(&smmu, record);
	fakeplat_run(fake);
	assert_int_equal(nr_faults, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROBED(each_type),
		PROBED(any_record),
		PROBED(slots_that_nobody_wrote),
		FRESH(the_same_where_nothing_snoops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
