/* SPDX-License-Identifier: MIT */

/*
 * The fault model (3.12, 5.5) and the transactions that it holds back (3.12.2).
 *
 * A transaction that stalls stays with its client; here it is an entry of a table. An entry is
 *
 *   HELD        its event is in the queue, and software decides;
 *   FOLLOWING   a held one that wants the same page, and met the same fault, speaks for it: it has
 *               no event (3.12.2.1);
 *   UNRECORDED  its event could not be written: it is retried when the queue is writable (7.2.1);
 *   DECIDED     its client is yet to be told what becomes of it;
 *   TOLD        ... is being told.
 *
 * The STAG is the index of the entry, and in the bits above it how often the entry was used. The
 * entry that became free first is taken: so a STAG comes back after some 65536 others, and a client
 * that is slow does not take the answer to one transaction for the answer to another. There are a
 * few entries more than IDR5.STALL_MAX, for those that are TOLD.
 *
 * Locking: `lock` covers all. Events are written under it (an output queue's lock comes after it),
 * so that no CMD_RESUME comes before its entry, and none is missed by who empties the queue.
 */

#include "smmuv3/internal.h"

#include <stdlib.h>

#define TOLD_AT_ONCE 64u
#define STAGS 0x10000u
/* How many held transactions are compared with a new one. */
#define FOLLOW_LOOK 64u
/* What has to be the same in a transaction that follows (3.12.2.1). */
#define SAME_FLAGS                                                                                 \
	(WEIR_MODEL_TXN_WRITE | WEIR_MODEL_TXN_ATOMIC | WEIR_MODEL_TXN_INSTRUCTION |               \
	 WEIR_MODEL_TXN_PRIVILEGED | WEIR_MODEL_TXN_SUBSTREAM)

enum stall_state { FREE, HELD, FOLLOWING, UNRECORDED, DECIDED, TOLD };

/* A ring; its head belongs to no transaction. */
struct stall_link {
	struct stall_link *next, *prev;
};

struct smmu_stall {
	struct stall_link link; /* first: in `free`, `stalled` or `decided` */
	struct smmu_stall *followers, *next_follower;
	const struct smmu_bank *bank;
	uint64_t page, ipa; /* the latter of a fault at stage 2: of which page; else 0 */
	uint32_t sid, ssid;
	uint16_t stag;
	uint16_t flags;
	uint8_t type, class; /* of the fault */
	bool stage2;
	uint8_t state; /* enum stall_state */
	uint8_t how;   /* enum weir_model_result, of a DECIDED one */
};

struct smmu_stalls {
	pthread_mutex_t lock;
	struct stall_link free, stalled, decided;
	uint32_t entries, limit;
	uint32_t index_bits; /* of a STAG */
	uint32_t used;	     /* neither FREE nor TOLD */
	/* For a look without the lock. */
	uint32_t unrecorded; /* and those whose event is being written */
	uint32_t undelivered;
	struct smmu_stall table[];
};

/* ---- The table --------------------------------------------------------------------------- */

static void ring_init(struct stall_link *head)
{
	head->next = head;
	head->prev = head;
}

static void ring_append(struct stall_link *head, struct stall_link *link)
{
	link->next = head;
	link->prev = head->prev;
	head->prev->next = link;
	head->prev = link;
}

static void ring_remove(struct stall_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

static struct smmu_stall *entry_of(struct stall_link *link)
{
	return WEIR_CONTAINER_OF(link, struct smmu_stall, link);
}

static struct smmu_stall *take(struct smmu_stalls *stalls)
{
	struct smmu_stall *entry = entry_of(stalls->free.next);

	if (stalls->used == stalls->limit || stalls->free.next == &stalls->free)
		return NULL;
	stalls->used++;
	ring_remove(&entry->link);
	ring_append(&stalls->stalled, &entry->link);
	entry->followers = NULL;
	entry->next_follower = NULL;
	return entry;
}

/* It is in no ring, or its place in `stalled` is given up. */
static void give_back(struct smmu_stalls *stalls, struct smmu_stall *entry)
{
	entry->state = FREE;
	entry->stag = (uint16_t)(entry->stag + (1u << stalls->index_bits));
	ring_append(&stalls->free, &entry->link);
}

static bool can_resume(const struct weir_model_smmuv3 *smmu)
{
	return smmu->client && smmu->client->resume;
}

static void decide(struct smmu_stalls *stalls, struct smmu_stall *entry, enum weir_model_result how)
{
	ring_remove(&entry->link);
	if (entry->state == UNRECORDED)
		__atomic_sub_fetch(&stalls->unrecorded, 1, __ATOMIC_SEQ_CST);
	if (!can_resume(entry->bank->smmu)) {
		stalls->used--;
		give_back(stalls, entry);
		return;
	}
	entry->state = DECIDED;
	entry->how = (uint8_t)how;
	ring_append(&stalls->decided, &entry->link);
	/* Pairs with the look in send_resumes(). */
	__atomic_add_fetch(&stalls->undelivered, 1, __ATOMIC_RELEASE);
}

/* ---- Faults ------------------------------------------------------------------------------ */

/*
 * 3.12: the four translation-related faults are handled as configured, if a stage that translates
 * has them; the address size fault of a stage 1 that is bypassed is not.
 */
static bool configurable(const struct smmu_context *context, const struct smmu_fault *fault)
{
	return fault->type >= WEIR_SMMU_EVT_F_TRANSLATION &&
	       fault->type <= WEIR_SMMU_EVT_F_PERMISSION && (fault->stage2 || context->stage1);
}

/* 5.5; ATS never stalls (3.9.1.3, 5.5 S). */
static bool asks_to_stall(const struct smmu_access *access, const struct smmu_context *context,
			  const struct smmu_fault *fault)
{
	if (!access->smmu->stalls || access->silent || !configurable(context, fault) ||
	    (access->flags & (WEIR_MODEL_TXN_ATS_REQUEST | WEIR_MODEL_TXN_TRANSLATED)))
		return false;
	return fault->stage2 ? context->ste.s2s : context->cd.s && !context->ste.s1stalld;
}

/* 3.12.1, 5.5: RAZ/WI is stage 1's alone. */
static enum weir_model_result terminate(const struct smmu_access *access,
					const struct smmu_context *context,
					const struct smmu_fault *fault)
{
	bool configured = configurable(context, fault);

	if (fault->type && (!configured || (fault->stage2 ? context->ste.s2r : context->cd.r)))
		weir_model_smmu_event(access, fault, false, 0, context->ste.mev);
	if (configured && !fault->stage2 && !context->cd.a && !access->smmu->features.term_model)
		return WEIR_MODEL_IGNORED;
	return WEIR_MODEL_BLOCKED;
}

/* 3.12: a stall that the system cannot bear is a termination, recorded with Stall == 0. */
static enum weir_model_result refuse_to_stall(const struct smmu_access *access,
					      const struct smmu_context *context,
					      const struct smmu_fault *fault)
{
	weir_model_smmu_event(access, fault, false, 0, context->ste.mev);
	return WEIR_MODEL_BLOCKED;
}

/* One that stalls for another reason has a record of its own. */
static bool same_fault(const struct smmu_stall *a, const struct smmu_stall *b)
{
	return a->type == b->type && a->stage2 == b->stage2 && a->class == b->class &&
	       a->ipa == b->ipa;
}

static bool follows(const struct smmu_stall *entry, const struct smmu_stall *leader)
{
	return leader->state == HELD && leader->bank == entry->bank && leader->sid == entry->sid &&
	       leader->page == entry->page && leader->flags == entry->flags &&
	       leader->ssid == entry->ssid && same_fault(entry, leader);
}

/* The latest first: a device that touches a page again does it soon. */
static struct smmu_stall *find_leader(struct smmu_stalls *stalls, const struct smmu_stall *entry)
{
	struct stall_link *link = entry->link.prev;

	for (unsigned int i = 0; i < FOLLOW_LOOK && link != &stalls->stalled; i++) {
		if (follows(entry, entry_of(link)))
			return entry_of(link);
		link = link->prev;
	}
	return NULL;
}

/*
 * Those who empty the queue store CONS and then look at `unrecorded`; here it is counted up before
 * CONS is read: one of the two sees the other.
 */
static void record(struct smmu_stalls *stalls, const struct smmu_access *access,
		   const struct smmu_fault *fault, struct smmu_stall *entry)
{
	__atomic_add_fetch(&stalls->unrecorded, 1, __ATOMIC_SEQ_CST);
	if (weir_model_smmu_event(access, fault, true, entry->stag, false)) {
		entry->state = HELD;
		__atomic_sub_fetch(&stalls->unrecorded, 1, __ATOMIC_SEQ_CST);
	} else {
		entry->state = UNRECORDED;
	}
}

static void hold(struct smmu_stalls *stalls, const struct smmu_access *access,
		 const struct smmu_fault *fault, struct smmu_stall *entry)
{
	struct smmu_stall *leader = NULL;

	entry->bank = access->bank;
	entry->sid = access->sid;
	entry->ssid = access->ssid;
	entry->page = access->va >> 12;
	entry->flags = access->flags & SAME_FLAGS;
	entry->type = fault->type;
	entry->class = fault->class;
	entry->stage2 = fault->stage2;
	entry->ipa = fault->stage2 ? fault->ipa >> 12 : 0;
	if (can_resume(access->smmu))
		leader = find_leader(stalls, entry);
	if (!leader) {
		record(stalls, access, fault, entry);
		return;
	}
	entry->state = FOLLOWING;
	entry->next_follower = leader->followers;
	leader->followers = entry;
}

static enum weir_model_result stall(const struct smmu_access *access,
				    const struct smmu_context *context,
				    const struct smmu_fault *fault,
				    struct weir_model_translation *out)
{
	struct smmu_stalls *stalls = access->smmu->stalls;
	enum weir_model_result result = WEIR_MODEL_STALLED;
	struct smmu_stall *entry;

	pthread_mutex_lock(&stalls->lock);
	/* 6.3.9.6: it would have been terminated in silence a moment later. */
	if (!(smmu_reg(&access->bank->cr0) & WEIR_SMMU_CR0_SMMUEN)) {
		pthread_mutex_unlock(&stalls->lock);
		return WEIR_MODEL_BLOCKED;
	}
	entry = take(stalls);
	if (!entry) {
		pthread_mutex_unlock(&stalls->lock);
		return refuse_to_stall(access, context, fault);
	}
	hold(stalls, access, fault, entry);
	out->stag = entry->stag;
	if (!can_resume(access->smmu)) {
		/*
		 * Withdrawn; but a STAG that software was told is its own until it gives it back.
		 */
		result = WEIR_MODEL_BLOCKED;
		if (entry->state != HELD)
			decide(stalls, entry, WEIR_MODEL_BLOCKED);
	}
	pthread_mutex_unlock(&stalls->lock);
	return result;
}

enum weir_model_result weir_model_smmu_fault_model(const struct smmu_access *access,
						   const struct smmu_context *context,
						   const struct smmu_fault *fault,
						   struct weir_model_translation *out)
{
	if (!asks_to_stall(access, context, fault))
		return terminate(access, context, fault);
	if (!can_resume(access->smmu) &&
	    access->smmu->features.stall_model != WEIR_SMMU_IDR0_STALL_MODEL_FORCED)
		return refuse_to_stall(access, context, fault);
	return stall(access, context, fault, out);
}

/* ---- Decisions --------------------------------------------------------------------------- */

static enum weir_model_result resume_how(const struct smmu_bank *bank, const uint64_t *cmd)
{
	if (cmd[0] & WEIR_SMMU_CMD_RESUME_0_RETRY)
		return WEIR_MODEL_OK;
	if ((cmd[0] & WEIR_SMMU_CMD_RESUME_0_ABORT) || bank->smmu->features.term_model)
		return WEIR_MODEL_BLOCKED;
	return WEIR_MODEL_IGNORED;
}

static struct smmu_stall *entry_at(struct smmu_stalls *stalls, uint16_t stag)
{
	uint32_t index = stag & (uint32_t)smmu_low_bits(stalls->index_bits);

	return index < stalls->entries ? &stalls->table[index] : NULL;
}

/* 6.3.57 NSSTALLD. */
static bool stalls_allowed(const struct smmu_bank *bank)
{
	return smmu_reg(&bank->stall_model) != WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL;
}

/* 4.7.1: illegal without stalls; without effect on what is not both the stream's and the STAG's. */
enum smmu_outcome weir_model_smmu_resume(struct smmu_bank *bank, const uint64_t *cmd)
{
	struct smmu_stalls *stalls = bank->smmu->stalls;
	uint16_t stag = (uint16_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_RESUME_1_STAG, cmd[1]);
	uint32_t sid = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_SID, cmd[0]);
	struct smmu_stall *entry;

	if (!stalls || !stalls_allowed(bank))
		return SMMU_ILLEGAL;
	bank = smmu_named_bank(bank, cmd);
	entry = entry_at(stalls, stag);
	pthread_mutex_lock(&stalls->lock);
	if (entry && entry->state == HELD && entry->stag == stag && entry->bank == bank &&
	    entry->sid == sid) {
		decide(stalls, entry, resume_how(bank, cmd));
		/* 3.12.2.1: whatever becomes of it, those that it spoke for are retried. */
		for (struct smmu_stall *f = entry->followers; f; f = f->next_follower)
			decide(stalls, f, WEIR_MODEL_OK);
	}
	pthread_mutex_unlock(&stalls->lock);
	return SMMU_CONSUMED;
}

/* All of a bank's that match, and how they end. */
static void decide_all(struct smmu_bank *bank, bool (*match)(const struct smmu_stall *, uint32_t),
		       uint32_t sid, enum weir_model_result how)
{
	struct smmu_stalls *stalls = bank->smmu->stalls;
	struct stall_link *link, *next;

	pthread_mutex_lock(&stalls->lock);
	for (link = stalls->stalled.next; link != &stalls->stalled; link = next) {
		next = link->next;
		if (entry_of(link)->bank == bank && match(entry_of(link), sid))
			decide(stalls, entry_of(link), how);
	}
	pthread_mutex_unlock(&stalls->lock);
}

static bool of_stream(const struct smmu_stall *entry, uint32_t sid)
{
	return entry->sid == sid;
}

static bool any(const struct smmu_stall *entry, uint32_t sid)
{
	(void)entry;
	(void)sid;
	return true;
}

static bool is_unrecorded(const struct smmu_stall *entry, uint32_t sid)
{
	(void)sid;
	return entry->state == UNRECORDED;
}

enum smmu_outcome weir_model_smmu_stall_term(struct smmu_bank *bank, const uint64_t *cmd)
{
	if (!bank->smmu->stalls || !stalls_allowed(bank))
		return SMMU_ILLEGAL;
	decide_all(smmu_named_bank(bank, cmd), of_stream,
		   (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_SID, cmd[0]), WEIR_MODEL_BLOCKED);
	return SMMU_CONSUMED;
}

void weir_model_smmu_stalls_disabled(struct smmu_bank *bank)
{
	if (bank->smmu->stalls)
		decide_all(bank, any, 0, WEIR_MODEL_BLOCKED);
}

void weir_model_smmu_retry_stall_events(struct smmu_bank *bank)
{
	struct smmu_stalls *stalls = bank->smmu->stalls;

	/* -> record() */
	if (!stalls || !__atomic_load_n(&stalls->unrecorded, __ATOMIC_SEQ_CST) ||
	    !weir_model_smmu_events_writable(bank))
		return;
	decide_all(bank, is_unrecorded, 0, WEIR_MODEL_OK);
	weir_model_smmu_send_resumes(bank->smmu);
}

/* ---- Clients ----------------------------------------------------------------------------- */

static struct smmu_stall *next_decided(struct smmu_stalls *stalls)
{
	struct smmu_stall *entry = NULL;

	pthread_mutex_lock(&stalls->lock);
	if (stalls->decided.next != &stalls->decided) {
		entry = entry_of(stalls->decided.next);
		ring_remove(&entry->link);
		entry->state = TOLD;
		stalls->used--;
		__atomic_sub_fetch(&stalls->undelivered, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&stalls->lock);
	return entry;
}

/* A client may come back with the transaction, from within or at once from another thread. */
void weir_model_smmu_send_resumes(struct weir_model_smmuv3 *smmu)
{
	struct smmu_stalls *stalls = smmu->stalls;
	struct smmu_stall *entry;

	if (!stalls || !__atomic_load_n(&stalls->undelivered, __ATOMIC_ACQUIRE))
		return;
	while ((entry = next_decided(stalls))) {
		smmu->client->resume(smmu->client_opaque, entry->sid, entry->stag,
				     (enum weir_model_result)entry->how);
		pthread_mutex_lock(&stalls->lock);
		give_back(stalls, entry);
		pthread_mutex_unlock(&stalls->lock);
	}
}

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_smmu_stalls_init(struct weir_model_smmuv3 *smmu)
{
	const struct smmu_features *features = &smmu->features;
	uint32_t entries = features->stall_max + TOLD_AT_ONCE;
	struct smmu_stalls *stalls;

	if (features->stall_model == WEIR_SMMU_IDR0_STALL_MODEL_NO_STALL)
		return 0;
	entries = entries < STAGS ? entries : STAGS;
	stalls = calloc(1, sizeof(*stalls) + entries * sizeof(stalls->table[0]));
	if (!stalls || pthread_mutex_init(&stalls->lock, NULL)) {
		free(stalls);
		return -WEIR_ENOMEM;
	}
	stalls->entries = entries;
	stalls->limit = features->stall_max;
	ring_init(&stalls->free);
	ring_init(&stalls->stalled);
	ring_init(&stalls->decided);
	while (entries > 1u << stalls->index_bits)
		stalls->index_bits++;
	for (uint32_t i = 0; i < entries; i++) {
		stalls->table[i].stag = (uint16_t)i;
		ring_append(&stalls->free, &stalls->table[i].link);
	}
	smmu->stalls = stalls;
	return 0;
}

void weir_model_smmu_stalls_fini(struct weir_model_smmuv3 *smmu)
{
	if (!smmu->stalls)
		return;
	pthread_mutex_destroy(&smmu->stalls->lock);
	free(smmu->stalls);
	smmu->stalls = NULL;
}
