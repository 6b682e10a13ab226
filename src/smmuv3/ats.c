/* SPDX-License-Identifier: MIT */
/*
 * Device TLBs (PCIe ATS; 3.9): when a device may ask for translations and keep them, and when what
 * it keeps is dropped.
 *
 * A stream's device translates by itself while the stream is in a domain that maps by pages. The
 * order is that of 3.9.2: the entry says so (EATS), and the SMMU has confirmed it, before the
 * device is told to; the device is told to stop, and what it holds is gone, before the entry does
 * not say so any more. From before the first until after the last the domain's plan has a slot for
 * it (domain.h). Between two such domains the device goes on, and its TLB is emptied when the SMMU
 * answers for the new one.
 *
 * CMD_ATC_INV without a substream drops what was asked for with one, too (PCIe 10.3.8).
 *
 * A device that does not answer: CMD_SYNC ends with CERROR_ATC_INV_SYNC (3.9.1.4), which cmdq.c
 * counts, as the command does not say whose it was; whoever has sent a CMD_ATC_INV meanwhile takes
 * it as not confirmed.
 */

#include "smmuv3/domain.h"

/* A start forgets what was sent before, too. Both numbers only grow: so does the sum. */
static uint32_t failures(const struct weir_smmuv3 *smmu)
{
	/* Relaxed: cmdq.c's barriers around CMDQ_CONS order it (weir_smmuv3_cmdq_repair()). */
	return __atomic_load_n(&smmu->cmdq.atc_failures, __ATOMIC_RELAXED) +
	       __atomic_load_n(&smmu->cmdq.starts, __ATOMIC_RELAXED);
}

uint32_t weir_smmuv3_atc_begin(const struct weir_smmuv3 *smmu)
{
	return failures(smmu);
}

int weir_smmuv3_atc_end(const struct weir_smmuv3 *smmu, uint32_t begun)
{
	return failures(smmu) == begun ? 0 : -WEIR_EIO;
}

bool weir_smmuv3_has_atc(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream)
{
	return smmu->features.ats && stream->caps.ats;
}

bool weir_smmuv3_wants_ats(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
			   const struct weir_domain *domain)
{
	return weir_smmuv3_has_atc(smmu, stream) && domain->type == WEIR_DOMAIN_PAGING;
}

uint64_t weir_smmuv3_atc_slot(const struct weir_smmuv3_stream *stream, uint32_t pasid)
{
	uint64_t slot = WEIR_SMMU_CMD_ATC_INV | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, stream->id);

	if (pasid)
		slot |= WEIR_SMMU_CMD_0_SSV | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SSID, pasid);
	return slot;
}

int weir_smmuv3_atc_drop(struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
			 uint32_t pasid)
{
	struct weir_smmuv3_batch batch = { .smmu = smmu };
	uint32_t begun = weir_smmuv3_atc_begin(smmu);

	weir_smmuv3_batch_add(&batch, weir_smmuv3_atc_slot(stream, pasid),
			      WEIR_SMMU_CMD_ATC_INV_SIZE_ALL);
	if (weir_smmuv3_batch_end(&batch))
		return batch.ret;
	return weir_smmuv3_atc_end(smmu, begun);
}

void weir_smmuv3_ats_stop(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream)
{
	if (!stream->ats_is_on)
		return;
	stream->ats_is_on = false;
	stream->caps.ats->disable(stream->caps.dev);
	/* The CMD_SYNC also waits for what is on its way (3.9.2). */
	(void)weir_smmuv3_atc_drop(smmu, stream, 0);
}

/* For good: the stream is translated for by the SMMU alone from the next change of its entry on. */
static void give_up(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, int error)
{
	weir_dev_log(stream->caps.dev, WEIR_LOG_WARN,
		     "its TLB cannot be used (%d): translated for it without", error);
	weir_smmuv3_ats_stop(smmu, stream);
	stream->caps.ats = NULL;
}

bool weir_smmuv3_ats_go(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream)
{
	int ret;

	if (stream->ats_is_on) {
		/* It holds what the domain before said. */
		ret = weir_smmuv3_atc_drop(smmu, stream, 0);
	} else {
		/* STU 0: units of 4 KiB, so that each range of CMD_ATC_INV is one (4.5.1). */
		ret = stream->caps.ats->enable(stream->caps.dev, 0);
		stream->ats_is_on = !ret;
	}
	if (ret)
		give_up(smmu, stream, ret);
	return !ret;
}
