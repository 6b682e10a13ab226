/* SPDX-License-Identifier: MIT */
/*
 * What src/smmuv3 says of an SMMU at start-up.
 *
 * - Every bit of SMMU_IDR0 to SMMU_IDR5 that the specification gives a meaning (IHI 0070 6.3.1 to
 *   6.3.6) is in the table of fields, once.
 * - One line names each feature that is there, as used or as not used, or what it is a part of as
 *   not used; it fits in a log line whatever the registers and the SMMU's name say.
 * - What is not there is not named.
 */

#include "smmubench.h"

static const uint32_t defined[6] = { 0x5fffffff, 0xffffffff, 0x000003ff,
				     0x00ffffbc, 0xffffffff, 0xffff0df7 };

static void every_field_is_in_the_table(void **state)
{
	uint32_t seen[6] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < weir_smmuv3_nr_fields; i++) {
		const struct weir_smmuv3_field *field = &weir_smmuv3_fields[i];

		assert_in_range(field->reg, 0, 5);
		assert_int_equal(seen[field->reg] & field->mask, 0);
		assert_true(field->kind >= WEIR_SMMUV3_FEATURE || !field->part || field->mask);
		seen[field->reg] |= field->mask;
	}
	assert_memory_equal(seen, defined, sizeof(seen));
}

static char line[256];

static const char *start_up_line(void)
{
	weir_smmuv3_log_features(WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu));
	snprintf(line, sizeof(line), "%s", fake->last_line);
	return line;
}

/* As a word, before or behind "not used:". */
static bool names(const char *name, bool used)
{
	const char *border = strstr(line, "; not used:"), *at = line;
	size_t length = strlen(name);

	assert_non_null(border);
	while ((at = strstr(at, name))) {
		if (at[-1] == ' ' && (!at[length] || at[length] == ' ' || at[length] == ';') &&
		    (at < border) == used)
			return true;
		at++;
	}
	return false;
}

static void whatever_is_there(void **state)
{
	struct weir_smmuv3 *driver;
	bool parent = false;

	(void)state;
	desc.name = "0123456789012345678901234567890";
	assert_int_equal(probe(), 0);
	driver = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
	/* All that can be there at once. */
	memcpy(driver->own.idr, defined, sizeof(defined));
	driver->own.idr[0] &= ~(3u << 24);
	start_up_line();
	assert_in_range(strlen(line), 100, 254);
	for (unsigned int i = 0; i < weir_smmuv3_nr_fields; i++) {
		const struct weir_smmuv3_field *field = &weir_smmuv3_fields[i];
		bool used = field->used && field->used(driver);

		if (!field->part)
			parent = used;
		if (field->kind >= WEIR_SMMUV3_FEATURE && (!field->part || parent)) {
			assert_true(names(field->name, used));
			assert_false(names(field->name, !used));
		} else {
			assert_false(names(field->name, used) || names(field->name, !used));
		}
	}
	/* Nothing at all. */
	memset(driver->own.idr, 0, sizeof(driver->own.idr));
	driver->own.idr[0] = 1 << 24;
	assert_string_equal(start_up_line(), "0123456789012345678901234567890: uses: nothing; "
					     "not used: nothing");
	driver->own.idr[0] = 0;
	start_up_line();
	assert_true(names("STALL", false) || names("STALL", true));
}

static void as_qemu_has_it(void **state)
{
	(void)state;
	assert_int_equal(probe(), 0);
	assert_int_equal(fakeplat_logged(fake, "smmuv3@9050000: uses: "), 1);
	start_up_line();
	assert_true(names("2LVL", true) && names("RIL", true) && names("ASID16", true));
	assert_false(names("ECMDQ", true) || names("ECMDQ", false));
	weir_smmuv3_driver.remove(iommu);
	weir.options.linear_stream_table = true;
	assert_int_equal(probe(), 0);
	start_up_line();
	assert_true(names("2LVL", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_in_the_table),
		FRESH(whatever_is_there),
		FRESH(as_qemu_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
