/* SPDX-License-Identifier: MIT */

/*
 * ATS (3.9, 13.6, 13.7): translation requests, translated transactions, and the invalidations of
 * the devices' caches.
 *
 * An invalidation occupies a slot from CMD_ATC_INV until its device has answered; the itag is the
 * slot's index and a serial number, so that a late or invented answer ends nothing else. Messages
 * to devices (invalidations, and the responses of CMD_PRI_RESP) wait in one queue for send_ats(),
 * which step() calls without locks. When slots or queue are full, commands wait.
 *
 * Locking: `lock` covers all of struct smmu_ats, and atc_failed of the command queues.
 */

#include "smmuv3/internal.h"

#include <stdlib.h>

#define SLOTS 64u /* a power of two */
#define RESPONSES 64u
#define MESSAGES (SLOTS + RESPONSES)

struct atc_slot {
	struct smmu_cmdq *queue; /* whose CMD_SYNC waits for the answer; NULL: free */
	unsigned int itag;
	bool sent;
};

struct ats_message {
	bool response; /* else an invalidation */
	bool has_ssid, global;
	uint8_t size; /* log2, bytes */
	uint8_t code;
	uint16_t group;
	uint32_t sid, ssid;
	uint64_t addr;
	unsigned int itag;
};

struct smmu_ats {
	pthread_mutex_t lock;
	struct atc_slot slots[SLOTS];
	unsigned int serial;
	struct ats_message messages[MESSAGES]; /* a ring */
	unsigned int first, count, responses;
	bool starved; /* a command waits for room */
};

/* ---- Answers to translation requests ----------------------------------------------------- */

void weir_model_smmu_ats_error(const struct smmu_access *access, const struct smmu_fault *fault)
{
	/* Without IDR0.ATSRECERR the bit is RES0. */
	if (fault->type && (smmu_reg(&access->bank->cr2) & WEIR_SMMU_CR2_REC_CFG_ATS))
		weir_model_smmu_event(access, fault, false, 0, false);
}

/* Status Unsupported Request; F_BAD_ATS_TREQ (7.3.6) or nothing. */
static enum weir_model_result unsupported(const struct smmu_access *access, uint8_t type)
{
	struct smmu_fault fault = {
		.type = type,
		/* A transaction touches one page: one unit. */
		.reason = WEIR_SMMU_FIELD(WEIR_SMMU_EVT_BAD_ATS_TREQ_1_SPAN, 1),
	};

	if (type)
		weir_model_smmu_event(access, &fault, false, 0, false);
	return WEIR_MODEL_BLOCKED;
}

/*
 * 3.9.1.2: a translation that grants nothing is of the size of the STU. 13.7: Priv is the
 * request's.
 */
static enum weir_model_result grant_nothing(const struct smmu_access *access, uint16_t asked,
					    struct weir_model_translation *out)
{
	out->addr = 0;
	out->attributes = access->attributes;
	out->size = (uint8_t)(12 + 2 * __builtin_ctz(access->smmu->features.granules));
	out->ats = asked & WEIR_MODEL_TXN_PRIVILEGED ? WEIR_MODEL_ATS_PRIVILEGED : 0;
	return WEIR_MODEL_OK;
}

/*
 * 3.9.1.2: the four translation-related faults are a success without permissions, whatever access
 * of the walk had them; the rest is a Completer Abort.
 */
static enum weir_model_result refuse(const struct smmu_access *access, uint16_t asked,
				     const struct smmu_fault *fault,
				     struct weir_model_translation *out)
{
	if (fault->type >= WEIR_SMMU_EVT_F_TRANSLATION && fault->type <= WEIR_SMMU_EVT_F_PERMISSION)
		return grant_nothing(access, asked, out);
	weir_model_smmu_ats_error(access, fault);
	out->ats = WEIR_MODEL_ATS_CA;
	return WEIR_MODEL_BLOCKED;
}

/* 13.7.1. The privilege checked is that after PRIVCFG; Priv and Exe come back as asked for. */
static uint8_t permissions(const struct smmu_access *access, const struct smmu_ste *ste,
			   const struct smmu_translation *translation, uint16_t asked)
{
	unsigned int rights = translation->rights & translation->rights2;
	bool r, x, exe;

	if (access->flags & WEIR_MODEL_TXN_PRIVILEGED)
		rights >>= WEIR_SMMU_FIELD_SHIFT(SMMU_PRIV_R);
	r = rights & SMMU_UNPRIV_R;
	x = rights & SMMU_UNPRIV_X;
	exe = r && x;
	if (ste->instcfg == WEIR_SMMU_STE_INSTCFG_INST)
		r = exe = x;
	else if (ste->instcfg == WEIR_SMMU_STE_INSTCFG_DATA)
		exe = r;
	return (uint8_t)((r ? WEIR_MODEL_ATS_READ : 0) |
			 (rights & SMMU_UNPRIV_W ? WEIR_MODEL_ATS_WRITE : 0) |
			 (exe && (asked & WEIR_MODEL_TXN_INSTRUCTION) ? WEIR_MODEL_ATS_EXECUTE :
									0) |
			 (asked & WEIR_MODEL_TXN_PRIVILEGED ? WEIR_MODEL_ATS_PRIVILEGED : 0));
}

/*
 * Global, No-snoop and Untranslated are 0 always (3.9.1, 13.6.2.1, 13.6.4). The device's accesses
 * will have the attributes that it gives them (13.6.2).
 */
static enum weir_model_result grant(const struct smmu_access *access, const struct smmu_ste *ste,
				    const struct smmu_translation *translation, uint16_t asked,
				    struct weir_model_translation *out)
{
	uint64_t addr =
		ste->eats == WEIR_SMMU_STE_EATS_SPLIT ? translation->ipa : translation->base;
	uint8_t ats = permissions(access, ste, translation, asked);

	if (!(ats & (WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE | WEIR_MODEL_ATS_EXECUTE)))
		return grant_nothing(access, asked, out);
	out->addr = addr & ~smmu_low_bits(translation->size);
	out->attributes = access->attributes;
	out->size = translation->size;
	out->ats = ats;
	return WEIR_MODEL_OK;
}

/* 13.6.4: nothing translates the request: all addresses are granted as they are, up to the OAS. */
static enum weir_model_result grant_identity(const struct smmu_access *access,
					     const struct smmu_ste *ste, uint16_t asked,
					     struct weir_model_translation *out)
{
	struct smmu_translation translation = {
		.size = access->smmu->features.oas,
		.rights = SMMU_RIGHTS_ALL,
		.rights2 = SMMU_RIGHTS_ALL,
	};

	if (access->va & ~smmu_low_bits(access->smmu->features.ias) ||
	    access->va & ~smmu_low_bits(access->smmu->features.oas))
		return grant_nothing(access, asked, out);
	return grant(access, ste, &translation, asked, out);
}

/* The stream takes translation requests. */
static enum weir_model_result answer(struct smmu_access *access, uint16_t asked,
				     struct weir_model_translation *out)
{
	const struct smmu_context *context;
	struct smmu_translation translation;
	struct smmu_context room;
	struct smmu_fault fault = { 0 };

	context = weir_model_smmu_find_context(access, &room, &fault);
	if (!context)
		return refuse(access, asked, &fault, out);
	if (!context->stage1 && !context->stage2)
		return grant_identity(access, &context->ste, asked, out);
	if (!weir_model_smmu_translate_address(access, context, &translation, &fault))
		return refuse(access, asked, &fault, out);
	return grant(access, &context->ste, &translation, asked, out);
}

static enum weir_model_result request(struct smmu_access *access,
				      struct weir_model_translation *out)
{
	struct smmu_fault fault = { 0 };
	struct smmu_ste ste;

	/* 13.7.1: without a PASID, Priv and Exe are 0. */
	if (!(access->flags & WEIR_MODEL_TXN_SUBSTREAM))
		access->flags &=
			(uint16_t) ~(WEIR_MODEL_TXN_INSTRUCTION | WEIR_MODEL_TXN_PRIVILEGED);
	out->ats = 0;
	if (!access->smmu->features.ats)
		return unsupported(access, 0);
	/* 3.9.1.2; ATS is not supported from Secure streams. */
	if (access->bank != &access->smmu->ns ||
	    !(smmu_reg(&access->bank->cr0) & WEIR_SMMU_CR0_SMMUEN))
		return unsupported(access, WEIR_SMMU_EVT_F_BAD_ATS_TREQ);
	if (!weir_model_smmu_find_ste(access, &ste, &fault))
		return refuse(access, access->flags, &fault, out);
	/* 7.3.7: a stream that is disabled is so in silence. */
	if (!(ste.config & WEIR_SMMU_STE_CONFIG_BYPASS))
		return unsupported(access, 0);
	if (ste.eats == WEIR_SMMU_STE_EATS_NONE)
		return unsupported(access, WEIR_SMMU_EVT_F_BAD_ATS_TREQ);
	return answer(access, access->flags, out);
}

/* ---- Translated transactions ------------------------------------------------------------- */

static enum weir_model_result forbid(const struct smmu_access *access, bool merge)
{
	struct smmu_fault fault = { .type = WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN };

	weir_model_smmu_event(access, &fault, false, 0, merge);
	return WEIR_MODEL_BLOCKED;
}

/* 3.9.1.1: of the two choices, an address beyond the OAS aborts, without an event. */
static enum weir_model_result pass(const struct smmu_access *access,
				   struct weir_model_translation *out)
{
	if (access->va & ~smmu_low_bits(access->smmu->features.oas))
		return WEIR_MODEL_BLOCKED;
	out->addr = access->va;
	out->attributes = access->attributes | WEIR_MODEL_ATTR_NS;
	return WEIR_MODEL_OK;
}

/*
 * 13.6.3: the address is an IPA. The overrides of permissions apply before stage 2 checks (13.7);
 * those of memory types and Shareability do not apply (13.1.4), nor, of both choices, do those of
 * hints.
 */
static enum weir_model_result second_stage(struct smmu_access *access, const struct smmu_ste *ste,
					   struct weir_model_translation *out)
{
	struct smmu_context context = {
		.config_epoch = access->config_epoch,
		.stage2 = true,
		.ste = *ste,
	};

	context.ste.mtcfg = context.ste.replaces = false;
	context.ste.alloccfg = 0;
	context.ste.shcfg = WEIR_SMMU_STE_SHCFG_INCOMING;
	weir_model_smmu_override_flags(access, ste);
	return weir_model_smmu_go_through(access, &context, out);
}

/* 3.9.1.3. Without IDR3.PASIDTT there is no PASID: Data, unprivileged, of no substream. */
static enum weir_model_result translated(struct smmu_access *access,
					 struct weir_model_translation *out)
{
	uint32_t cr0 = smmu_reg(&access->bank->cr0);
	struct smmu_fault fault = { 0 };
	struct smmu_ste ste;

	access->flags &= (uint16_t) ~(WEIR_MODEL_TXN_SUBSTREAM | WEIR_MODEL_TXN_INSTRUCTION |
				      WEIR_MODEL_TXN_PRIVILEGED);
	access->ssid = 0;
	if (!access->smmu->features.ats)
		return WEIR_MODEL_BLOCKED;
	if (access->bank != &access->smmu->ns || !(cr0 & WEIR_SMMU_CR0_SMMUEN))
		return forbid(access, false);
	if (!(cr0 & WEIR_SMMU_CR0_ATSCHK))
		return pass(access, out);
	if (!weir_model_smmu_find_ste(access, &ste, &fault)) {
		weir_model_smmu_ats_error(access, &fault);
		return WEIR_MODEL_BLOCKED;
	}
	if (!(ste.config & WEIR_SMMU_STE_CONFIG_BYPASS))
		return WEIR_MODEL_BLOCKED;
	switch (ste.eats) {
	case WEIR_SMMU_STE_EATS_FULL:
		return pass(access, out);
	case WEIR_SMMU_STE_EATS_SPLIT:
		return second_stage(access, &ste, out);
	default:
		return forbid(access, ste.mev);
	}
}

enum weir_model_result weir_model_smmu_ats(struct smmu_access *access,
					   struct weir_model_translation *out)
{
	if (access->flags & WEIR_MODEL_TXN_ATS_REQUEST)
		return request(access, out);
	return translated(access, out);
}

/* ---- Commands ---------------------------------------------------------------------------- */

/* A place at the end of the queue; it is not full. */
static struct ats_message *append(struct smmu_ats *ats, bool response)
{
	struct ats_message *message = &ats->messages[(ats->first + ats->count) % MESSAGES];

	ats->count++;
	ats->responses += response;
	*message = (struct ats_message){ .response = response };
	return message;
}

static struct atc_slot *free_slot(struct smmu_ats *ats)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (!ats->slots[i].queue)
			return &ats->slots[i];
	return NULL;
}

static bool enabled(const struct smmu_bank *bank)
{
	return smmu_reg(&bank->cr0) & WEIR_SMMU_CR0_SMMUEN;
}

/* Without substreams, commands with SSV are as those without (4.5.1, 4.5.2). */
static void read_ids(const struct smmu_bank *bank, const uint64_t *cmd, struct ats_message *message)
{
	message->sid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_SID, cmd[0]);
	message->has_ssid = (cmd[0] & WEIR_SMMU_CMD_0_SSV) && bank->smmu->features.ssid_bits;
	if (message->has_ssid)
		message->ssid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_SSID, cmd[0]);
}

static void invalidate(struct smmu_ats *ats, struct smmu_bank *bank, struct atc_slot *slot,
		       const uint64_t *cmd)
{
	struct ats_message *message = append(ats, false);

	slot->queue = bank->served;
	slot->itag = ats->serial++ * SLOTS + (unsigned int)(slot - ats->slots);
	slot->sent = false;
	message->itag = slot->itag;
	message->size = (uint8_t)(12 + WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_ATC_INV_1_SIZE, cmd[1]));
	message->addr = cmd[1] & WEIR_SMMU_CMD_ATC_INV_1_ADDR & ~smmu_low_bits(message->size);
	read_ids(bank, cmd, message);
	message->global = message->has_ssid && (cmd[0] & WEIR_SMMU_CMD_ATC_INV_0_GLOBAL);
}

enum smmu_outcome weir_model_smmu_atc_inv(struct smmu_bank *bank, const uint64_t *cmd)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;
	struct smmu_ats *ats = smmu->ats;
	struct atc_slot *slot;

	/* Of the choices for a size beyond 2^64, the one that hides nothing. */
	if (!ats || WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_ATC_INV_1_SIZE, cmd[1]) >
			    WEIR_SMMU_CMD_ATC_INV_SIZE_ALL)
		return SMMU_ILLEGAL;
	/* A system without ATS beyond the SMMU ignores them (4.5). */
	if (!enabled(bank) || !smmu->client || !smmu->client->invalidate)
		return SMMU_CONSUMED;
	pthread_mutex_lock(&ats->lock);
	slot = free_slot(ats);
	if (slot)
		invalidate(ats, bank, slot, cmd);
	else
		ats->starved = true;
	pthread_mutex_unlock(&ats->lock);
	return slot ? SMMU_CONSUMED : SMMU_WAITING;
}

enum smmu_outcome weir_model_smmu_pri_resp(struct smmu_bank *bank, const uint64_t *cmd)
{
	struct weir_model_smmuv3 *smmu = bank->smmu;
	struct smmu_ats *ats = smmu->ats;
	uint64_t code = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_PRI_RESP_1_RESP, cmd[1]);
	struct ats_message *message = NULL;

	if (!ats || !smmu->features.pri || code > WEIR_SMMU_CMD_PRI_RESP_SUCCESS)
		return SMMU_ILLEGAL;
	if (!enabled(bank) || !smmu->client || !smmu->client->page_response)
		return SMMU_CONSUMED;
	pthread_mutex_lock(&ats->lock);
	if (ats->responses < RESPONSES) {
		message = append(ats, true);
		read_ids(bank, cmd, message);
		message->code = (uint8_t)code;
		message->group =
			(uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_PRI_RESP_1_PRGI, cmd[1]);
	} else {
		ats->starved = true;
	}
	pthread_mutex_unlock(&ats->lock);
	return message ? SMMU_CONSUMED : SMMU_WAITING;
}

static bool outstanding(const struct smmu_ats *ats, const struct smmu_cmdq *queue)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (ats->slots[i].queue == queue)
			return true;
	return false;
}

/*
 * 4.7.3, 3.9.1.4: a timeout fails the first CMD_SYNC that comes after it; which invalidations it
 * was is not said, and the others may still be on their way.
 */
enum smmu_outcome weir_model_smmu_ats_sync(struct smmu_cmdq *queue)
{
	struct smmu_ats *ats = queue->bank->smmu->ats;
	enum smmu_outcome outcome = SMMU_CONSUMED;

	if (!ats)
		return SMMU_CONSUMED;
	pthread_mutex_lock(&ats->lock);
	if (queue->atc_failed)
		outcome = SMMU_ATC_ERROR;
	else if (outstanding(ats, queue))
		outcome = SMMU_WAITING;
	queue->atc_failed = false;
	pthread_mutex_unlock(&ats->lock);
	return outcome;
}

/* ---- Devices ----------------------------------------------------------------------------- */

static bool next_message(struct smmu_ats *ats, struct ats_message *message, bool *starved)
{
	bool found;

	pthread_mutex_lock(&ats->lock);
	found = ats->count;
	if (found) {
		*message = ats->messages[ats->first];
		ats->first = (ats->first + 1) % MESSAGES;
		ats->count--;
		ats->responses -= message->response;
		if (!message->response)
			ats->slots[message->itag % SLOTS].sent = true;
	}
	*starved = found && message->response && ats->starved;
	if (*starved)
		ats->starved = false;
	pthread_mutex_unlock(&ats->lock);
	return found;
}

void weir_model_smmu_send_ats(struct weir_model_smmuv3 *smmu)
{
	const struct weir_model_smmuv3_client_ops *client = smmu->client;
	struct ats_message m;
	bool starved;

	while (smmu->ats && next_message(smmu->ats, &m, &starved)) {
		if (m.response)
			client->page_response(smmu->client_opaque, m.sid, m.has_ssid, m.ssid,
					      m.group, m.code);
		else
			client->invalidate(smmu->client_opaque, m.sid, m.has_ssid, m.ssid, m.global,
					   m.addr, m.size, m.itag);
		if (starved)
			weir_model_kick(&smmu->stepper);
	}
}

/* 3.9.1.5: with UR the invalidation is over, without an error. */
void weir_model_smmuv3_invalidated(struct weir_model_smmuv3 *smmu, unsigned int itag,
				   enum weir_model_result result)
{
	struct smmu_ats *ats = smmu->ats;
	struct atc_slot *slot;

	if (!ats)
		return;
	slot = &ats->slots[itag % SLOTS];
	pthread_mutex_lock(&ats->lock);
	if (slot->queue && slot->sent && slot->itag == itag) {
		if (result == WEIR_MODEL_ABORT)
			slot->queue->atc_failed = true;
		slot->queue = NULL;
		ats->starved = false;
	}
	pthread_mutex_unlock(&ats->lock);
	/* A CMD_SYNC may wait for this, or a CMD_ATC_INV for its slot. */
	weir_model_kick(&smmu->stepper);
}

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_smmu_ats_init(struct weir_model_smmuv3 *smmu)
{
	struct smmu_ats *ats;

	if (!smmu->features.ats)
		return 0;
	ats = calloc(1, sizeof(*ats));
	if (!ats || pthread_mutex_init(&ats->lock, NULL)) {
		free(ats);
		return -WEIR_ENOMEM;
	}
	smmu->ats = ats;
	return 0;
}

void weir_model_smmu_ats_fini(struct weir_model_smmuv3 *smmu)
{
	if (!smmu->ats)
		return;
	pthread_mutex_destroy(&smmu->ats->lock);
	free(smmu->ats);
	smmu->ats = NULL;
}
