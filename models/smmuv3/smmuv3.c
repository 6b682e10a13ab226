/* SPDX-License-Identifier: MIT */

/* An implementation: what its ID registers may say, creation, statistics. */

#include "smmuv3/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_TLB_ENTRIES 65536u
#define TLB_WAYS 4u
#define CONFIG_ENTRIES 4096u /* STEs, and as many CDs */
#define CONFIG_WAYS 4u

static const uint32_t default_idr0 =
	(uint32_t)(WEIR_SMMU_IDR0_S1P | WEIR_SMMU_IDR0_COHACC | WEIR_SMMU_IDR0_ASID16 |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTF, WEIR_SMMU_IDR0_TTF_AARCH64) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_LITTLE) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_STALL_MODEL,
				   WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL) |
		   WEIR_SMMU_IDR0_TERM_MODEL |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR0_ST_LEVEL, WEIR_SMMU_IDR0_ST_LEVEL_2LVL));
static const uint32_t default_idr1 =
	(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_SIDSIZE, 16) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_EVENTQS, WEIR_SMMU_Q_LOG2SIZE_MAX) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_IDR1_CMDQS, WEIR_SMMU_Q_LOG2SIZE_MAX));
static const uint32_t default_idr3 = (uint32_t)(WEIR_SMMU_IDR3_HAD | WEIR_SMMU_IDR3_RIL |
						WEIR_SMMU_FIELD(WEIR_SMMU_IDR3_BBML, 2));
static const uint32_t default_idr5 =
	(uint32_t)(WEIR_SMMU_FIELD(WEIR_SMMU_IDR5_OAS, WEIR_SMMU_PS_44) | WEIR_SMMU_IDR5_GRAN4K);
static const uint32_t default_aidr = 1;

/* A field of an ID register and the values from `min` to `max` that the model can stand for. */
struct id_rule {
	const char *name;
	uint8_t idr; /* 6: AIDR */
	uint64_t mask;
	uint32_t min, max;
};

#define AIDR_INDEX 6u
#define RULE(n, field, low, high)                                                                  \
	{                                                                                          \
#field, n, WEIR_SMMU_IDR##n##_##field, low, high                                   \
	}

/* Bits that no rule names are of features that the model lacks. */
static const struct id_rule id_rules[] = {
	RULE(0, S2P, 0, 0),
	RULE(0, S1P, 1, 1),
	RULE(0, TTF, WEIR_SMMU_IDR0_TTF_AARCH64, WEIR_SMMU_IDR0_TTF_AARCH64),
	RULE(0, COHACC, 0, 1),
	RULE(0, BTM, 0, 0),
	RULE(0, HTTU, 0, 0),
	RULE(0, DORMHINT, 0, 0),
	RULE(0, HYP, 0, 0),
	RULE(0, ATS, 0, 0),
	RULE(0, NS1ATS, 0, 0),
	RULE(0, ASID16, 0, 1),
	RULE(0, MSI, 0, 0),
	RULE(0, SEV, 0, 0),
	RULE(0, ATOS, 0, 0),
	RULE(0, PRI, 0, 0),
	RULE(0, VMW, 0, 0),
	RULE(0, VMID16, 0, 0),
	RULE(0, CD2L, 0, 0),
	RULE(0, VATOS, 0, 0),
	RULE(0, TTENDIAN, WEIR_SMMU_IDR0_TTENDIAN_LITTLE, WEIR_SMMU_IDR0_TTENDIAN_LITTLE),
	RULE(0, ATSRECERR, 0, 0),
	RULE(0, STALL_MODEL, WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL,
	     WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL),
	RULE(0, TERM_MODEL, 1, 1),
	RULE(0, ST_LEVEL, WEIR_SMMU_IDR0_ST_LEVEL_LINEAR, WEIR_SMMU_IDR0_ST_LEVEL_2LVL),
	RULE(0, RME_IMPL, 0, 0),
	RULE(1, SIDSIZE, 0, 32),
	RULE(1, SSIDSIZE, 0, 0),
	RULE(1, PRIQS, 0, 0),
	RULE(1, EVENTQS, 0, WEIR_SMMU_Q_LOG2SIZE_MAX),
	RULE(1, CMDQS, 0, WEIR_SMMU_Q_LOG2SIZE_MAX),
	RULE(1, ATTR_PERMS_OVR, 0, 0),
	RULE(1, ATTR_TYPES_OVR, 0, 0),
	RULE(1, REL, 0, 0),
	RULE(1, QUEUES_PRESET, 0, 0),
	RULE(1, TABLES_PRESET, 0, 0),
	RULE(1, ECMDQ, 0, 0),
	RULE(3, HAD, 0, 1),
	RULE(3, PBHA, 0, 0),
	RULE(3, XNX, 0, 0),
	RULE(3, PPS, 0, 0),
	RULE(3, MPAM, 0, 0),
	RULE(3, FWB, 0, 0),
	RULE(3, STT, 0, 0),
	RULE(3, RIL, 0, 1),
	RULE(3, BBML, 0, 2),
	RULE(3, E0PD, 0, 0),
	RULE(3, PTWNNC, 0, 0),
	RULE(3, DPT, 0, 0),
	RULE(5, OAS, WEIR_SMMU_PS_32, WEIR_SMMU_PS_48),
	RULE(5, GRAN4K, 0, 1),
	RULE(5, GRAN16K, 0, 1),
	RULE(5, GRAN64K, 0, 1),
	RULE(5, DS, 0, 0),
	RULE(5, VAX, WEIR_SMMU_IDR5_VAX_48, WEIR_SMMU_IDR5_VAX_48),
	RULE(5, STALL_MAX, 0, 0),
	{ "ArchMinorRev", AIDR_INDEX, WEIR_SMMU_AIDR_MINOR, 1, 1 },
	{ "ArchMajorRev", AIDR_INDEX, WEIR_SMMU_AIDR_MAJOR, 0, 0 },
};

static const char *const id_names[] = { "IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5", "AIDR" };

static uint32_t id_register(const struct weir_model_smmuv3 *smmu, unsigned int idr)
{
	return idr == AIDR_INDEX ? smmu->aidr : smmu->idr[idr];
}

static bool id_field_ok(const struct weir_model_smmuv3 *smmu, const struct id_rule *rule)
{
	uint32_t value = (uint32_t)WEIR_SMMU_FIELD_GET(rule->mask, id_register(smmu, rule->idr));

	if (value >= rule->min && value <= rule->max)
		return true;
	fprintf(stderr, "smmuv3: %s.%s = %u is not modelled (%u to %u are)\n", id_names[rule->idr],
		rule->name, value, rule->min, rule->max);
	return false;
}

/* Every bit of every register has to be covered by a rule. */
static bool id_bits_known(const struct weir_model_smmuv3 *smmu, unsigned int idr)
{
	uint64_t known = 0;
	uint32_t unknown;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(id_rules); i++)
		if (id_rules[i].idr == idr)
			known |= id_rules[i].mask;
	unknown = id_register(smmu, idr) & ~(uint32_t)known;
	if (unknown)
		fprintf(stderr, "smmuv3: %s: bits 0x%x are not modelled\n", id_names[idr], unknown);
	return !unknown;
}

static bool id_registers_ok(const struct weir_model_smmuv3 *smmu)
{
	static const uint8_t checked[] = { 0, 1, 3, 5, AIDR_INDEX };
	bool ok = true;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(id_rules); i++)
		ok &= id_field_ok(smmu, &id_rules[i]);
	for (size_t i = 0; i < WEIR_ARRAY_SIZE(checked); i++)
		ok &= id_bits_known(smmu, checked[i]);
	if (!(smmu->idr[5] &
	      (WEIR_SMMU_IDR5_GRAN4K | WEIR_SMMU_IDR5_GRAN16K | WEIR_SMMU_IDR5_GRAN64K))) {
		fprintf(stderr, "smmuv3: IDR5 names no granule\n");
		ok = false;
	}
	return ok;
}

static void decode_features(struct weir_model_smmuv3 *smmu)
{
	static const uint8_t oas[] = { 32, 36, 40, 42, 44, 48 };

	smmu->features = (struct smmu_features){
		.oas = oas[WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR5_OAS, smmu->idr[5])],
		.sid_bits = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR1_SIDSIZE, smmu->idr[1]),
		.cmdqs = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR1_CMDQS, smmu->idr[1]),
		.eventqs = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR1_EVENTQS, smmu->idr[1]),
		.two_level = WEIR_SMMU_FIELD_GET(WEIR_SMMU_IDR0_ST_LEVEL, smmu->idr[0]) ==
			     WEIR_SMMU_IDR0_ST_LEVEL_2LVL,
		.asid16 = smmu->idr[0] & WEIR_SMMU_IDR0_ASID16,
		.had = smmu->idr[3] & WEIR_SMMU_IDR3_HAD,
		.ril = smmu->idr[3] & WEIR_SMMU_IDR3_RIL,
		.granules = (smmu->idr[5] & WEIR_SMMU_IDR5_GRAN4K ? 1 : 0) |
			    (smmu->idr[5] & WEIR_SMMU_IDR5_GRAN16K ? 2 : 0) |
			    (smmu->idr[5] & WEIR_SMMU_IDR5_GRAN64K ? 4 : 0),
	};
}

static int init_caches(struct weir_model_smmuv3 *smmu, unsigned int tlb_entries)
{
	if (weir_model_smmu_cache_init(&smmu->tlb, tlb_entries, TLB_WAYS, 1) ||
	    weir_model_smmu_cache_init(&smmu->stes, CONFIG_ENTRIES, CONFIG_WAYS, SMMU_STE_DATA) ||
	    weir_model_smmu_cache_init(&smmu->cds, CONFIG_ENTRIES, CONFIG_WAYS, SMMU_CD_DATA))
		return -WEIR_ENOMEM;
	return 0;
}

static void init(struct weir_model_smmuv3 *smmu, struct weir_model_bus *bus,
		 const struct weir_model_smmuv3_config *config,
		 const struct weir_model_irq_sink *sink)
{
	smmu->bus = bus;
	smmu->sink = *sink;
	smmu->stepper.name = "smmuv3";
	smmu->stepper.step = weir_model_smmu_step;
	smmu->irq_eventq = config->irq_eventq;
	smmu->irq_gerror = config->irq_gerror;
	smmu->irq_sync = config->irq_sync;
	smmu->idr[0] = config->idr0 ? config->idr0 : default_idr0;
	smmu->idr[1] = config->idr1 ? config->idr1 : default_idr1;
	smmu->idr[3] = config->idr3 ? config->idr3 : default_idr3;
	smmu->idr[5] = config->idr5 ? config->idr5 : default_idr5;
	smmu->aidr = config->aidr ? config->aidr : default_aidr;
	smmu->gbpa = config->gbpa & ~(uint32_t)WEIR_SMMU_GBPA_UPDATE;
	smmu->shared.shared = true;
	pthread_mutex_init(&smmu->lock, NULL);
	pthread_mutex_init(&smmu->evtq_lock, NULL);
}

int weir_model_smmuv3_create(struct weir_model_bus *bus,
			     const struct weir_model_smmuv3_config *config,
			     const struct weir_model_irq_sink *sink, struct weir_model_smmuv3 **out)
{
	struct weir_model_smmuv3 *smmu =
		aligned_alloc(_Alignof(struct weir_model_smmuv3), sizeof(*smmu));
	int err;

	if (!smmu)
		return -WEIR_ENOMEM;
	memset(smmu, 0, sizeof(*smmu));
	init(smmu, bus, config, sink);
	err = id_registers_ok(smmu) ? 0 : -WEIR_EINVAL;
	if (err)
		goto fail;
	decode_features(smmu);
	err = init_caches(smmu, config->tlb_entries ? config->tlb_entries : DEFAULT_TLB_ENTRIES);
	if (err)
		goto fail;
	*out = smmu;
	return 0;
fail:
	weir_model_smmuv3_destroy(smmu);
	return err;
}

void weir_model_smmuv3_destroy(struct weir_model_smmuv3 *smmu)
{
	if (!smmu)
		return;
	weir_model_smmu_cache_fini(&smmu->cds);
	weir_model_smmu_cache_fini(&smmu->stes);
	weir_model_smmu_cache_fini(&smmu->tlb);
	pthread_mutex_destroy(&smmu->evtq_lock);
	pthread_mutex_destroy(&smmu->lock);
	free(smmu);
}

struct weir_model_stepper *weir_model_smmuv3_stepper(struct weir_model_smmuv3 *smmu)
{
	return &smmu->stepper;
}

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_flight(struct weir_model_smmuv3_stats *stats, const struct smmu_flight *flight)
{
	stats->transactions += load(&flight->transactions);
	stats->blocked += load(&flight->blocked);
	stats->tlb_lookups += load(&flight->tlb_lookups);
	stats->tlb_hits += load(&flight->tlb_hits);
	stats->walks += load(&flight->walks);
	stats->ste_fetches += load(&flight->ste_fetches);
	stats->cd_fetches += load(&flight->cd_fetches);
}

void weir_model_smmuv3_get_stats(struct weir_model_smmuv3 *smmu,
				 struct weir_model_smmuv3_stats *stats)
{
	*stats = (struct weir_model_smmuv3_stats){
		.commands = load(&smmu->commands),
		.syncs = load(&smmu->syncs),
		.events_written = load(&smmu->events_written),
		.events_lost = load(&smmu->events_lost),
	};
	add_flight(stats, &smmu->shared);
	for (unsigned int i = 0; i < SMMU_FLIGHTS; i++)
		add_flight(stats, &smmu->flights[i]);
}
