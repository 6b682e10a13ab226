/* SPDX-License-Identifier: MIT */

/*
 * The output queues (3.5, 7.2, 7.4, 8.1, 8.2), event records (7.3) and their merging (7.3.1).
 *
 * The writers of a queue hold its lock; CONS is software's and may change at any time. Registers
 * that describe the queue change while it is disabled alone, and the enables change under the
 * queues' locks (regs.c): a record that a writer began is in the queue when EVENTQEN reads as 0
 * (6.3.9.4).
 */

#include "smmuv3/internal.h"

struct outq_kind {
	uint32_t enables; /* of CR0: all of them */
	uint32_t abort_error;
	enum weir_model_smmuv3_line line;
	unsigned int words;
};

static const struct outq_kind event_kind = {
	.enables = (uint32_t)WEIR_SMMU_CR0_EVENTQEN,
	.abort_error = (uint32_t)WEIR_SMMU_GERROR_EVENTQ_ABT_ERR,
	.line = WEIR_MODEL_SMMUV3_EVENTQ,
	.words = WEIR_SMMU_EVT_WORDS,
};

/* 6.3.9.5: the effective PRIQEN. */
static const struct outq_kind pri_kind = {
	.enables = (uint32_t)(WEIR_SMMU_CR0_PRIQEN | WEIR_SMMU_CR0_SMMUEN),
	.abort_error = (uint32_t)WEIR_SMMU_GERROR_PRIQ_ABT_ERR,
	.line = WEIR_MODEL_SMMUV3_PRIQ,
	.words = WEIR_SMMU_PRI_WORDS,
};

/* ---- Queues ----------------------------------------------------------------------------- */

static unsigned int log2size_of(const struct smmu_bank *bank, const struct smmu_outq *queue)
{
	const struct smmu_features *features = &bank->smmu->features;

	return smmu_queue_log2size(smmu_reg64(&queue->base),
				   queue == &bank->priq ? features->priqs : features->eventqs);
}

/* 7.2.1, 8.2: but for a full queue. */
static bool is_open(const struct smmu_bank *bank, const struct outq_kind *kind)
{
	return (smmu_reg(&bank->cr0) & kind->enables) == kind->enables &&
	       !weir_model_smmu_error_active(bank, kind->abort_error);
}

/* 6.3.36: of page requests, each or the last of a group. */
static bool last_only(const struct smmu_bank *bank, const struct smmu_outq *queue)
{
	return queue == &bank->priq &&
	       (smmu_reg(&bank->priq_msi.cfg2) & WEIR_SMMU_PRIQ_IRQ_CFG2_LO);
}

static void raise_last(struct smmu_bank *bank, const struct outq_kind *kind, uint64_t word)
{
	if (word & WEIR_SMMU_PRI_0_LAST)
		weir_model_smmu_raise(bank, kind->line);
}

/* 7.4, 8.1: the flag is toggled unless an overflow is already there to be acknowledged. */
static void overflow(struct smmu_bank *bank, struct smmu_outq *queue, const struct outq_kind *kind,
		     const uint64_t *record)
{
	uint32_t prod = smmu_reg(&queue->prod), cons = smmu_reg(&queue->cons);

	queue->overflowed = true;
	if (!((prod ^ cons) & WEIR_SMMU_EVENTQ_PROD_OVFLG))
		smmu_reg_set(&queue->prod, prod ^ (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG);
	if (last_only(bank, queue))
		raise_last(bank, kind, record[0]);
}

static bool store(struct smmu_bank *bank, struct smmu_outq *queue, const struct outq_kind *kind,
		  const uint64_t *record, unsigned int log2size)
{
	uint64_t size = (uint64_t)kind->words * sizeof(*record), bytes = size << log2size;
	uint64_t addr = smmu_queue_base(smmu_reg64(&queue->base), bytes > 32 ? bytes : 32);

	addr += (smmu_reg(&queue->prod) & smmu_low_bits(log2size)) * size;
	for (unsigned int i = 0; i < kind->words; i++)
		if (weir_model_smmu_store64(&bank->smmu->memory, addr + i * sizeof(*record),
					    record[i]) != WEIR_MODEL_OK)
			return false;
	return true;
}

static void publish(struct smmu_bank *bank, struct smmu_outq *queue, const struct outq_kind *kind,
		    const uint64_t *record, unsigned int log2size)
{
	uint32_t prod = smmu_reg(&queue->prod), cons;
	uint32_t index = (prod + 1) & (uint32_t)smmu_low_bits(log2size + 1);

	/*
	 * Sequentially consistent with the store of CONS: either software that emptied the queue
	 * sees this PROD when it looks again, or its CONS is seen here and it gets an interrupt.
	 */
	__atomic_store_n(&queue->prod, (prod & (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG) | index,
			 __ATOMIC_SEQ_CST);
	cons = __atomic_load_n(&queue->cons, __ATOMIC_SEQ_CST);
	if (last_only(bank, queue))
		raise_last(bank, kind, record[0]);
	else if (!smmu_queue_fill(prod, cons, log2size))
		weir_model_smmu_raise(bank, kind->line);
}

/*
 * `kept`: if it cannot be written now it is later, so that a full queue is no overflow (7.4). The
 * abort of a write is synchronous (7.2.2): PROD stays.
 */
static bool put(struct smmu_bank *bank, struct smmu_outq *queue, const struct outq_kind *kind,
		const uint64_t *record, bool kept)
{
	unsigned int log2size = log2size_of(bank, queue);
	uint32_t prod = smmu_reg(&queue->prod), cons = smmu_reg(&queue->cons);
	bool overflowing = (prod ^ cons) & WEIR_SMMU_EVENTQ_PROD_OVFLG;

	queue->overflowed = false;
	if (!is_open(bank, kind))
		return false;
	/* 3.5.1: full as well with inconsistent indexes. 8.1: an overflow closes the queue. */
	if (smmu_queue_fill(prod, cons, log2size) >> log2size ||
	    (queue == &bank->priq && overflowing)) {
		if (!kept)
			overflow(bank, queue, kind, record);
		return false;
	}
	if (!store(bank, queue, kind, record, log2size)) {
		weir_model_smmu_global_error(bank, kind->abort_error);
		return false;
	}
	publish(bank, queue, kind, record, log2size);
	smmu_count_locked(&queue->written);
	return true;
}

bool weir_model_smmu_put_request(struct smmu_bank *bank, const uint64_t *entry)
{
	if (put(bank, &bank->priq, &pri_kind, entry, false))
		return true;
	smmu_count_locked(&bank->priq.lost);
	return false;
}

bool weir_model_smmu_events_writable(const struct smmu_bank *bank)
{
	const struct smmu_outq *queue = &bank->eventq;
	unsigned int log2size = log2size_of(bank, queue);

	return is_open(bank, &event_kind) &&
	       !(smmu_queue_fill(smmu_reg(&queue->prod), smmu_reg(&queue->cons), log2size) >>
		 log2size);
}

/* ---- Records ---------------------------------------------------------------------------- */

/* Parts of a record, by type (7.3.2 to 7.3.20). */
#define HAS_ACCESS 0x01u  /* PnU, InD */
#define HAS_RNW 0x02u	  /* RnW */
#define HAS_INPUT 0x04u	  /* InputAddr */
#define HAS_STAGE 0x08u	  /* S2, CLASS */
#define HAS_FETCH 0x10u	  /* FetchAddr */
#define HAS_IPA 0x20u	  /* IPA, with S2 */
#define HAS_STALL 0x40u	  /* Stall, STAG */
#define HAS_REQUEST 0x80u /* F_BAD_ATS_TREQ's own */

#define TRANSLATED (HAS_ACCESS | HAS_RNW | HAS_INPUT | HAS_STAGE)

static unsigned int parts_of(uint8_t type)
{
	switch (type) {
	case WEIR_SMMU_EVT_F_UUT:
		return HAS_ACCESS | HAS_RNW | HAS_INPUT;
	case WEIR_SMMU_EVT_F_STE_FETCH:
	case WEIR_SMMU_EVT_F_CD_FETCH:
	case WEIR_SMMU_EVT_F_VMS_FETCH:
		return HAS_FETCH;
	case WEIR_SMMU_EVT_F_BAD_ATS_TREQ:
		return HAS_REQUEST;
	case WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN:
		return HAS_RNW | HAS_INPUT;
	case WEIR_SMMU_EVT_F_WALK_EABT:
		return TRANSLATED | HAS_FETCH;
	case WEIR_SMMU_EVT_F_TRANSLATION:
	case WEIR_SMMU_EVT_F_ADDR_SIZE:
	case WEIR_SMMU_EVT_F_ACCESS:
	case WEIR_SMMU_EVT_F_PERMISSION:
		return TRANSLATED | HAS_IPA | HAS_STALL;
	case WEIR_SMMU_EVT_F_TLB_CONFLICT:
		return TRANSLATED | HAS_IPA;
	default:
		return 0;
	}
}

/* 7.3.9: SubstreamID always means something in C_BAD_SUBSTREAMID, which has no SSV. */
static uint64_t first_word(const struct smmu_access *access, uint8_t type)
{
	uint64_t word = WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_TYPE, type) |
			WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_SID, access->sid);

	if (type == WEIR_SMMU_EVT_C_BAD_SUBSTREAMID)
		return word | WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_SSID, access->ssid);
	if (access->flags & WEIR_MODEL_TXN_SUBSTREAM)
		word |= WEIR_SMMU_EVT_0_SSV | WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_SSID, access->ssid);
	return word;
}

/* InD is 0 of writes (7.3.12). NSIPA is 0 on the Non-secure queue (7.3). */
static uint64_t second_word(const struct smmu_access *access, const struct smmu_fault *fault,
			    unsigned int parts)
{
	bool write = access->flags & WEIR_MODEL_TXN_WRITE;
	uint64_t word = fault->reason;

	if ((parts & HAS_ACCESS) && (access->flags & WEIR_MODEL_TXN_PRIVILEGED))
		word |= WEIR_SMMU_EVT_1_PNU;
	if ((parts & HAS_ACCESS) && !write && (access->flags & WEIR_MODEL_TXN_INSTRUCTION))
		word |= WEIR_SMMU_EVT_1_IND;
	if ((parts & HAS_RNW) && !write)
		word |= WEIR_SMMU_EVT_1_RNW;
	if (!(parts & HAS_STAGE))
		return word;
	return word | (fault->stage2 ? WEIR_SMMU_EVT_1_S2 : 0) |
	       WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_CLASS, fault->class);
}

/* 7.3.6: what was asked for; reads always. */
static uint64_t request_word(const struct smmu_access *access, const struct smmu_fault *fault)
{
	uint64_t word = fault->reason | WEIR_SMMU_EVT_BAD_ATS_TREQ_1_R;

	if (access->flags & WEIR_MODEL_TXN_WRITE)
		word |= WEIR_SMMU_EVT_BAD_ATS_TREQ_1_W;
	if (access->flags & WEIR_MODEL_TXN_INSTRUCTION)
		word |= WEIR_SMMU_EVT_BAD_ATS_TREQ_1_X;
	if (access->flags & WEIR_MODEL_TXN_PRIVILEGED)
		word |= WEIR_SMMU_EVT_BAD_ATS_TREQ_1_P;
	return word;
}

static void make_record(const struct smmu_access *access, const struct smmu_fault *fault,
			uint64_t *record)
{
	unsigned int parts = parts_of(fault->type);

	record[0] = first_word(access, fault->type);
	record[1] = second_word(access, fault, parts);
	record[2] = parts & HAS_INPUT ? access->va : 0;
	record[3] = 0;
	if (parts & HAS_REQUEST) {
		record[1] = request_word(access, fault);
		record[2] = access->va & WEIR_SMMU_EVT_BAD_ATS_TREQ_2_ADDR;
	}
	if (parts & HAS_FETCH)
		record[3] = fault->fetch & WEIR_SMMU_EVT_3_FETCHADDR;
	if ((parts & HAS_IPA) && fault->stage2)
		record[3] = fault->ipa & WEIR_SMMU_EVT_3_IPA;
}

/* ---- Merging ---------------------------------------------------------------------------- */

/* 7.3.1: identical, but for the offset within a page where the type says so. */
static bool same(const uint64_t *a, const uint64_t *b)
{
	uint8_t type = (uint8_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_TYPE, a[0]);
	bool by_page = type == WEIR_SMMU_EVT_F_TRANSL_FORBIDDEN || (parts_of(type) & HAS_STAGE);
	uint64_t ignored = by_page ? smmu_low_bits(12) : 0;

	return a[0] == b[0] && a[1] == b[1] && !((a[2] ^ b[2]) & ~ignored) && a[3] == b[3];
}

/*
 * With the last record in the queue, until software has read it or somebody else's follows: so a
 * fault that comes again after software could have mended its cause is recorded again.
 */
static bool merges(const struct smmu_bank *bank, const uint64_t *record)
{
	const struct smmu_outq *queue = &bank->eventq;
	uint32_t prod = smmu_reg(&queue->prod), cons = smmu_reg(&queue->cons);
	uint32_t fill = smmu_queue_fill(prod, cons, log2size_of(bank, queue));

	return !bank->smmu->never_merges && queue->last_valid && fill &&
	       is_open(bank, &event_kind) && same(queue->last, record);
}

/*
 * Stall events are not merged: no other record is the same, and they are not remembered.
 * queue->lock is held.
 */
static bool write_event(struct smmu_bank *bank, const uint64_t *record, bool stall, bool merge)
{
	struct smmu_outq *queue = &bank->eventq;

	if (merge && merges(bank, record))
		return true;
	queue->last_valid = false;
	if (!put(bank, queue, &event_kind, record, stall)) {
		if (!stall)
			smmu_count_locked(&queue->lost);
		return false;
	}
	queue->last_valid = !stall;
	memcpy(queue->last, record, sizeof(queue->last));
	return true;
}

bool weir_model_smmu_event(const struct smmu_access *access, const struct smmu_fault *fault,
			   bool stall, uint16_t stag, bool merge)
{
	struct smmu_bank *bank = access->bank;
	uint64_t record[WEIR_SMMU_EVT_WORDS];
	bool written;

	if (access->silent)
		return true;
	make_record(access, fault, record);
	if (stall && (parts_of(fault->type) & HAS_STALL))
		record[1] |= WEIR_SMMU_EVT_1_STALL | WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_STAG, stag);
	pthread_mutex_lock(&bank->eventq.lock);
	written = write_event(bank, record, stall, merge);
	pthread_mutex_unlock(&bank->eventq.lock);
	return written;
}
