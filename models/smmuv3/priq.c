/* SPDX-License-Identifier: MIT */

/*
 * The PRI queue (chapter 8): page requests of devices are queued for software, or answered by the
 * model in its place. CMD_PRI_RESP is in ats.c, with the other messages to devices.
 */

#include "smmuv3/internal.h"

enum delivery {
	QUEUED,
	OVERFLOWED, /* 8.1 */
	REFUSED,    /* 8.2: no queue, or its memory aborted */
};

/* Without substreams there are none, and without one no Priv and no Exe (chapter 8). */
static bool has_ssid(const struct weir_model_smmuv3 *smmu,
		     const struct weir_model_smmuv3_page_request *request)
{
	return request->has_substream && smmu->features.ssid_bits;
}

/* Stop PASID: it is no request, and is never answered. */
static bool is_marker(const struct weir_model_smmuv3_page_request *request, bool ssid)
{
	return ssid && request->last && !request->write && !request->read;
}

static void make_entry(const struct weir_model_smmuv3_page_request *request, bool ssid,
		       uint64_t *entry)
{
	entry[0] = WEIR_SMMU_FIELD(WEIR_SMMU_PRI_0_SID, request->stream) |
		   (request->read ? WEIR_SMMU_PRI_0_R : 0) |
		   (request->write ? WEIR_SMMU_PRI_0_W : 0) |
		   (request->last ? WEIR_SMMU_PRI_0_LAST : 0);
	if (ssid)
		entry[0] |= WEIR_SMMU_PRI_0_SSV |
			    WEIR_SMMU_FIELD(WEIR_SMMU_PRI_0_SSID, request->substream) |
			    (request->execute ? WEIR_SMMU_PRI_0_X : 0) |
			    (request->privileged ? WEIR_SMMU_PRI_0_PRIV : 0);
	entry[1] = (request->addr & WEIR_SMMU_PRI_1_ADDR) |
		   WEIR_SMMU_FIELD(WEIR_SMMU_PRI_1_PRGI, request->group);
}

static enum delivery deliver(struct smmu_bank *bank,
			     const struct weir_model_smmuv3_page_request *request, bool ssid)
{
	uint64_t entry[WEIR_SMMU_PRI_WORDS];
	enum delivery delivery = QUEUED;

	if (!bank->smmu->features.pri)
		return REFUSED;
	make_entry(request, ssid, entry);
	pthread_mutex_lock(&bank->priq.lock);
	if (!weir_model_smmu_put_request(bank, entry))
		delivery = bank->priq.overflowed ? OVERFLOWED : REFUSED;
	pthread_mutex_unlock(&bank->priq.lock);
	return delivery;
}

/* False: there is no valid STE to look at. */
static bool find_ppar(struct smmu_bank *bank, const struct weir_model_smmuv3_page_request *request,
		      bool *ppar)
{
	struct smmu_access access = {
		.va = request->addr,
		.sid = request->stream,
		.ssid = request->substream,
		.flags = WEIR_MODEL_TXN_SUBSTREAM,
	};
	struct smmu_fault fault = { 0 };
	struct smmu_ste ste;
	bool found;

	weir_model_smmu_fly(bank, &access);
	found = weir_model_smmu_find_ste(&access, &ste, &fault);
	if (found)
		*ppar = ste.ppar;
	else
		weir_model_smmu_ats_error(&access, &fault);
	weir_model_smmu_land(&access);
	return found;
}

static void respond(struct smmu_bank *bank, const struct weir_model_smmuv3_page_request *request,
		    bool ssid, unsigned int code)
{
	const struct weir_model_smmuv3 *smmu = bank->smmu;

	if (smmu->client && smmu->client->page_response)
		smmu->client->page_response(smmu->client_opaque, request->stream, ssid,
					    ssid ? request->substream : 0, request->group, code);
}

/* 8.1: success, so that the device asks again; with the PASID, if responses have one. */
static void respond_to_overflow(struct smmu_bank *bank,
				const struct weir_model_smmuv3_page_request *request, bool ssid)
{
	unsigned int code = WEIR_SMMU_CMD_PRI_RESP_SUCCESS;

	if (ssid && !bank->smmu->features.pps && !find_ppar(bank, request, &ssid)) {
		ssid = false;
		code = WEIR_SMMU_CMD_PRI_RESP_FAILURE;
	}
	respond(bank, request, ssid, code);
}

void weir_model_smmuv3_page_request(struct weir_model_smmuv3 *smmu,
				    const struct weir_model_smmuv3_page_request *request)
{
	bool ssid = has_ssid(smmu, request), marker = is_marker(request, ssid);

	switch (deliver(&smmu->ns, request, ssid)) {
	case QUEUED:
		break;
	case OVERFLOWED:
		if (request->last && !marker)
			respond_to_overflow(&smmu->ns, request, ssid);
		break;
	case REFUSED:
		/* 8.2: all of them, the last of a group or not, and without a PASID. */
		if (!marker)
			respond(&smmu->ns, request, false, WEIR_SMMU_CMD_PRI_RESP_FAILURE);
		break;
	}
	weir_model_smmu_send_irqs(&smmu->ns);
}
