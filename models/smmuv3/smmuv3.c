/* SPDX-License-Identifier: MIT */

/* Creation and destruction, statistics. */

#include "smmuv3/internal.h"

#include <stdlib.h>

static void init_bank(struct weir_model_smmuv3 *smmu, struct smmu_bank *bank, uint32_t gbpa)
{
	bank->smmu = smmu;
	bank->cmdq.bank = bank;
	pthread_mutex_init(&bank->eventq.lock, NULL);
	pthread_mutex_init(&bank->priq.lock, NULL);
	weir_model_smmu_reset_bank(bank, gbpa);
}

static void fini_bank(struct smmu_bank *bank)
{
	pthread_mutex_destroy(&bank->priq.lock);
	pthread_mutex_destroy(&bank->eventq.lock);
}

/* Each of these may fail; destroy() undoes what was done. */
static int init_parts(struct weir_model_smmuv3 *smmu, const struct weir_model_smmuv3_config *config)
{
	int err = weir_model_smmu_flights_init(smmu);

	smmu->ns.stall_model = smmu->s.stall_model = smmu->features.stall_model;
	if (!err)
		err = weir_model_smmu_config_init(smmu);
	if (!err)
		err = weir_model_smmu_tlb_init(smmu, config->tlb_entries);
	if (!err)
		err = weir_model_smmu_stalls_init(smmu);
	if (!err)
		err = weir_model_smmu_ats_init(smmu);
	if (!err)
		err = weir_model_smmu_ecmdqs_init(&smmu->ns);
	if (!err)
		err = weir_model_smmu_ecmdqs_init(&smmu->s);
	if (!err)
		err = weir_model_smmu_pmcg_init(smmu, config->pmcg_counters);
	return err;
}

int weir_model_smmuv3_create(const struct weir_model_host *host,
			     const struct weir_model_smmuv3_config *config,
			     struct weir_model_smmuv3 **out)
{
	struct weir_model_smmuv3 *smmu =
		aligned_alloc(_Alignof(struct weir_model_smmuv3), sizeof(struct weir_model_smmuv3));
	int err;

	if (!smmu)
		return -WEIR_ENOMEM;
	memset(smmu, 0, sizeof(*smmu));
	smmu->memory.host = *host;
	smmu->caching = config->caches;
	smmu->never_merges = config->never_merges;
	smmu->seed = config->seed;
	smmu->stepper.name = "smmuv3";
	smmu->stepper.step = weir_model_smmu_step;
	pthread_mutex_init(&smmu->lock, NULL);
	init_bank(smmu, &smmu->ns, config->gbpa);
	init_bank(smmu, &smmu->s, config->s_gbpa);
	err = weir_model_smmu_identify(smmu, config) ? init_parts(smmu, config) : -WEIR_EINVAL;
	if (err) {
		weir_model_smmuv3_destroy(smmu);
		return err;
	}
	*out = smmu;
	return 0;
}

void weir_model_smmuv3_destroy(struct weir_model_smmuv3 *smmu)
{
	if (!smmu)
		return;
	weir_model_smmu_pmcg_fini(smmu);
	weir_model_smmu_ecmdqs_fini(&smmu->s);
	weir_model_smmu_ecmdqs_fini(&smmu->ns);
	weir_model_smmu_ats_fini(smmu);
	weir_model_smmu_stalls_fini(smmu);
	weir_model_smmu_tlb_fini(smmu);
	weir_model_smmu_config_fini(smmu);
	weir_model_smmu_flights_fini(smmu);
	fini_bank(&smmu->s);
	fini_bank(&smmu->ns);
	pthread_mutex_destroy(&smmu->lock);
	free(smmu);
}

void weir_model_smmuv3_set_client(struct weir_model_smmuv3 *smmu,
				  const struct weir_model_smmuv3_client_ops *ops, void *opaque)
{
	smmu->client = ops;
	smmu->client_opaque = opaque;
}

struct weir_model_stepper *weir_model_smmuv3_stepper(struct weir_model_smmuv3 *smmu)
{
	return &smmu->stepper;
}

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void weir_model_smmuv3_get_stats(struct weir_model_smmuv3 *smmu,
				 struct weir_model_smmuv3_stats *stats)
{
	const struct smmu_bank *ns = &smmu->ns, *s = &smmu->s;
	struct smmu_counters sum = { 0 };

	weir_model_smmu_add_counters(smmu, &sum);
	/* Fronts are a part of the IOTLB: of what was walked at once they had been looked up. */
	*stats = (struct weir_model_smmuv3_stats){
		.transactions = sum.hits + sum.at_once + sum.others,
		.blocked = sum.blocked,
		.tlb_lookups = sum.hits + sum.tlb_lookups + (smmu->tlb.words ? sum.at_once : 0),
		.tlb_hits = sum.hits + sum.tlb_hits,
		.walks = sum.at_once + sum.walks,
		.ste_fetches = sum.ste_fetches,
		.cd_fetches = sum.cd_fetches,
		.commands = load(&ns->commands) + load(&s->commands),
		.syncs = load(&ns->syncs) + load(&s->syncs),
		.events_written = load(&ns->eventq.written) + load(&s->eventq.written),
		.events_lost = load(&ns->eventq.lost) + load(&s->eventq.lost),
	};
}
