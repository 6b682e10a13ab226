/* SPDX-License-Identifier: MIT */

/*
 * A transaction's way through the SMMU (chapter 15): the front of its lane, which answers most;
 * then SMMUEN, the stream's configuration, its stages.
 */

#include "smmuv3/internal.h"
#include "smmuv3/walk.h"

/* ---- The front --------------------------------------------------------------------------- */

#define PAGE_SHIFT 12u
#define PAGE (~smmu_low_bits(PAGE_SHIFT))
#define KEY_ATTRIBUTES_SHIFT 53u /* those that come in; SubstreamIDs have 20 bits */
#define ENTRY_SHIFT 5u

_Static_assert(offsetof(struct weir_model_txn, substream) ==
		       offsetof(struct weir_model_txn, stream) + sizeof(uint32_t),
	       "read as one word");
_Static_assert(sizeof(struct smmu_front_entry) == 1u << ENTRY_SHIFT, "for offsets");

/*
 * All flags are in the key: DETACHED among them, which is never kept. Exclusive-or: a SubstreamID
 * that is too large never gives the key of one that is kept, while attributes are the same.
 */
static inline void front_key(const struct weir_model_txn *txn, uint64_t *key)
{
	memcpy(&key[1], &txn->stream, sizeof(key[1]));
	key[0] = (txn->addr & PAGE) | txn->flags;
	key[1] ^= (uint64_t)txn->attributes << KEY_ATTRIBUTES_SHIFT;
}

static inline struct smmu_front_entry *front_entry(struct smmu_lane *lane,
						   const struct weir_model_txn *txn)
{
	uint64_t key[2], apart, offset;

	front_key(txn, key);
	/* Pages in turn lie in turn; streams, substreams and kinds of access begin apart. */
	apart = (key[1] + txn->flags) * 0x7e3779b1u >> 35;
	offset = (key[0] >> (PAGE_SHIFT - ENTRY_SHIFT)) + apart;
	offset &= (SMMU_FRONT - 1) << ENTRY_SHIFT;
	return (struct smmu_front_entry *)(void *)((char *)lane->front + offset);
}

static inline void front_write(struct smmu_front_entry *entry, uint64_t epoch,
			       const struct weir_model_txn *txn,
			       const struct weir_model_translation *out)
{
	uint64_t key[2];

	front_key(txn, key);
	entry->key[0] = key[0];
	entry->key[1] = key[1];
	entry->distance = (txn->addr ^ out->addr) & ~smmu_low_bits(PAGE_SHIFT);
	entry->epoch = epoch | out->attributes;
}

/* What may be kept at all: -> has_front(). */
static void front_keep(struct smmu_lane *lane, uint64_t epoch, const struct weir_model_txn *txn,
		       const struct weir_model_translation *out)
{
	/*
	 * A later change of the epoch makes it void; a change under way never lets it count. A
	 * performance monitor has to see each transaction.
	 */
	if (epoch & (SMMU_EPOCH_CHANGING | SMMU_EPOCH_COUNTING))
		return;
	/* What is above the 20 bits of a SubstreamID would be in the place of the attributes. */
	if (txn->substream >> 20)
		return;
	front_write(front_entry(lane, txn), epoch, txn, out);
}

/* Adversarial caches look around each transaction: adversary.c. */
static bool has_front(const struct weir_model_smmuv3 *smmu, const struct smmu_lane *lane)
{
	return smmu->tlb.words && !lane->shared &&
	       smmu->caching != WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL;
}

/*
 * The epochs differ in nothing but the attributes: neither in the count, nor has one a flag. The
 * pointers are kept so that the compiler does without registers that it had to save: 10 % of a hit.
 */
static inline bool front_find(struct smmu_lane *lane, const struct smmu_front_entry *entry,
			      uint64_t epoch, const struct weir_model_txn *txn,
			      struct weir_model_translation *out)
{
	uint64_t key[2], attributes;

	front_key(txn, key);
	SMMU_KEEP(entry);
	attributes = entry->epoch ^ epoch;
	if (WEIR_UNLIKELY(entry->key[0] != key[0] || entry->key[1] != key[1] ||
			  attributes > SMMU_ATTRIBUTES))
		return false;
	SMMU_KEEP(txn);
	out->addr = entry->distance ^ txn->addr;
	out->attributes = (uint32_t)attributes;
	__atomic_store_n(&lane->counters.hits, lane->counters.hits + 1, __ATOMIC_RELAXED);
	return true;
}

/* ---- Contexts ---------------------------------------------------------------------------- */

#define CONTEXT_VALID WEIR_BIT(63)
#define CONTEXT_SUBSTREAM WEIR_BIT(62)
#define CONTEXT_SECURE WEIR_BIT(61)
/* 6.3.2: no SubstreamID. One that is larger still would be in the place of what is above. */
#define CONTEXT_NO_SSID (1u << 20)

static uint64_t context_key(const struct smmu_access *access)
{
	uint64_t key = CONTEXT_VALID | access->sid;

	if (smmu_is_secure(access->bank))
		key |= CONTEXT_SECURE;
	if (access->flags & WEIR_MODEL_TXN_SUBSTREAM)
		key |= CONTEXT_SUBSTREAM |
		       (uint64_t)(access->ssid < CONTEXT_NO_SSID ? access->ssid : CONTEXT_NO_SSID)
			       << 32;
	return key;
}

/* 5.2 S1DSS, 7.3.7, 7.3.9: which CD, if any. False: a fault. */
static bool choose_cd(const struct smmu_access *access, const struct smmu_ste *ste, bool *stage1,
		      uint32_t *ssid, struct smmu_fault *fault)
{
	bool has_ssid = access->flags & WEIR_MODEL_TXN_SUBSTREAM;

	*ssid = 0;
	*stage1 = ste->config & (WEIR_SMMU_STE_CONFIG_S1 & ~WEIR_SMMU_STE_CONFIG_BYPASS);
	if (has_ssid) {
		if (!*stage1 || !ste->s1cdmax || access->ssid >> ste->s1cdmax)
			return smmu_fault(fault, WEIR_SMMU_EVT_C_BAD_SUBSTREAMID);
		if (!access->ssid && ste->s1dss == WEIR_SMMU_STE_S1DSS_SSID0)
			return smmu_fault(fault, WEIR_SMMU_EVT_F_STREAM_DISABLED);
		*ssid = access->ssid;
	} else if (*stage1 && ste->s1cdmax) {
		if (ste->s1dss == WEIR_SMMU_STE_S1DSS_TERMINATE)
			return smmu_fault(fault, WEIR_SMMU_EVT_F_STREAM_DISABLED);
		*stage1 = ste->s1dss != WEIR_SMMU_STE_S1DSS_BYPASS;
	}
	return true;
}

static bool is_simple(const struct smmu_access *access, const struct smmu_context *context)
{
	const struct smmu_ste *ste = &context->ste;

	return access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_NORMAL && context->stage1 &&
	       !(context->key & CONTEXT_SUBSTREAM) && !(ste->privcfg & 2) && !(ste->instcfg & 2);
}

bool weir_model_smmu_finish_context(const struct smmu_access *access, struct smmu_context *context,
				    struct smmu_fault *fault)
{
	uint32_t ssid;

	/* 5.2 Config: 0b0xx aborts, and records nothing. */
	if (!(context->ste.config & WEIR_SMMU_STE_CONFIG_BYPASS))
		return smmu_fault(fault, 0);
	if (!choose_cd(access, &context->ste, &context->stage1, &ssid, fault))
		return false;
	context->stage2 =
		context->ste.config & (WEIR_SMMU_STE_CONFIG_S2 & ~WEIR_SMMU_STE_CONFIG_BYPASS);
	if (context->stage1 &&
	    !weir_model_smmu_find_cd(access, &context->ste, ssid, &context->cd, fault))
		return false;
	context->config_epoch = access->config_epoch;
	context->key = context_key(access);
	context->simple_key = is_simple(access, context) ? context->key : 0;
	return true;
}

static bool fill_context(const struct smmu_access *access, struct smmu_context *context,
			 struct smmu_fault *fault)
{
	return weir_model_smmu_find_ste(access, &context->ste, fault) &&
	       weir_model_smmu_finish_context(access, context, fault);
}

/* 5.2 INSTCFG, PRIVCFG; 13.1.2: a write is data. Encodings of both: 2 clears, 3 sets. */
void weir_model_smmu_override_flags(struct smmu_access *access, const struct smmu_ste *ste)
{
	uint16_t flags = access->flags;

	if (ste->privcfg & 2)
		flags &= (uint16_t)~WEIR_MODEL_TXN_PRIVILEGED;
	if (ste->privcfg == WEIR_SMMU_STE_PRIVCFG_PRIV)
		flags |= WEIR_MODEL_TXN_PRIVILEGED;
	if (ste->instcfg & 2)
		flags &= (uint16_t)~WEIR_MODEL_TXN_INSTRUCTION;
	if (ste->instcfg == WEIR_SMMU_STE_INSTCFG_INST && !(flags & WEIR_MODEL_TXN_WRITE))
		flags |= WEIR_MODEL_TXN_INSTRUCTION;
	access->flags = flags;
}

const struct smmu_context *weir_model_smmu_find_context(struct smmu_access *access,
							struct smmu_context *room,
							struct smmu_fault *fault)
{
	struct smmu_lane *lane = access->lane;
	struct smmu_context *kept = &lane->contexts[(access->sid ^ access->ssid) % SMMU_CONTEXTS];

	if (kept->key == context_key(access) && kept->config_epoch == access->config_epoch) {
		weir_model_smmu_override_flags(access, &kept->ste);
		return kept;
	}
	if (!fill_context(access, room, fault)) {
		if (fault->stage2) /* 7.3.13: its record tells the access after the overrides */
			weir_model_smmu_override_flags(access, &room->ste);
		return NULL;
	}
	/* An odd number: configuration is changing, and what was read counts once. */
	if (access->smmu->caching != WEIR_MODEL_SMMUV3_CACHES_OFF && !lane->shared &&
	    !(access->config_epoch & 1))
		*kept = *room;
	weir_model_smmu_override_flags(access, &room->ste);
	return room;
}

/* ---- Transactions ------------------------------------------------------------------------ */

/*
 * 6.3.57 SIF: not, of a Secure stream that is to fetch instructions from Non-secure memory. Both
 * show in what goes out: overrides and all.
 */
static inline bool may_fetch(const struct smmu_access *access, uint32_t attributes)
{
	const uint32_t both = WEIR_MODEL_ATTR_INSTRUCTION | WEIR_MODEL_ATTR_NS;

	return WEIR_LIKELY((attributes & both) != both) || !smmu_is_secure(access->bank) ||
	       !(smmu_reg(&access->bank->cr0) & WEIR_SMMU_S_CR0_SIF);
}

/* 6.3.9.6, 6.3.14, 3.4: no event in any case. */
static enum weir_model_result bypass_disabled(const struct smmu_access *access,
					      struct weir_model_translation *out)
{
	uint32_t gbpa = smmu_reg(&access->bank->gbpa);

	if ((gbpa & WEIR_SMMU_GBPA_ABORT) ||
	    (access->va & ~smmu_low_bits(access->smmu->features.oas)))
		return WEIR_MODEL_BLOCKED;
	out->addr = access->va;
	out->attributes = weir_model_smmu_bypass_attributes(gbpa, access);
	return may_fetch(access, out->attributes) ? WEIR_MODEL_OK : WEIR_MODEL_BLOCKED;
}

/* A permission fault of stage 1, which no CD governs if there is none. */
static enum weir_model_result refuse_fetch(const struct smmu_access *access,
					   const struct smmu_context *context,
					   struct weir_model_translation *out)
{
	struct smmu_fault fault = {
		.type = WEIR_SMMU_EVT_F_PERMISSION,
		.class = WEIR_SMMU_EVT_CLASS_IN,
	};

	if (context->stage1)
		return weir_model_smmu_fault_model(access, context, &fault, out);
	weir_model_smmu_event(access, &fault, false, 0, context->ste.mev);
	return WEIR_MODEL_BLOCKED;
}

/*
 * 3.4: with no stage to translate it, an address beyond the IAS is a stage 1 address size fault
 * that no CD.R or S2R keeps from being recorded.
 */
static enum weir_model_result bypass_stream(const struct smmu_access *access,
					    const struct smmu_context *context,
					    struct weir_model_translation *out)
{
	struct smmu_translation translation = {
		.base = access->va,
		.rights = SMMU_RIGHTS_ALL,
		.rights2 = SMMU_RIGHTS_ALL,
	};
	struct smmu_fault fault = {
		.type = WEIR_SMMU_EVT_F_ADDR_SIZE,
		.class = WEIR_SMMU_EVT_CLASS_IN,
	};

	if (access->va & ~smmu_low_bits(access->smmu->features.ias)) {
		weir_model_smmu_event(access, &fault, false, 0, context->ste.mev);
		return WEIR_MODEL_BLOCKED;
	}
	out->addr = access->va;
	out->attributes = weir_model_smmu_attributes(access, &context->ste, &translation);
	if (WEIR_UNLIKELY(!may_fetch(access, out->attributes)))
		return refuse_fetch(access, context, out);
	return WEIR_MODEL_OK;
}

enum weir_model_result weir_model_smmu_go_through(const struct smmu_access *access,
						  const struct smmu_context *context,
						  struct weir_model_translation *out)
{
	struct smmu_translation translation;
	struct smmu_fault fault = { 0 };

	if (weir_model_smmu_walk_through(access, context, out))
		return WEIR_MODEL_OK;
	if (!context->stage1 && !context->stage2)
		return bypass_stream(access, context, out);
	if (WEIR_UNLIKELY(
		    !weir_model_smmu_translate_address(access, context, &translation, &fault)))
		return weir_model_smmu_fault_model(access, context, &fault, out);
	out->addr = translation.base | (access->va & smmu_low_bits(translation.size));
	out->attributes = weir_model_smmu_attributes(access, &context->ste, &translation);
	if (WEIR_UNLIKELY(!may_fetch(access, out->attributes)))
		return refuse_fetch(access, context, out);
	return WEIR_MODEL_OK;
}

static enum weir_model_result translate_stream(struct smmu_access *access,
					       struct weir_model_translation *out)
{
	const struct smmu_context *context;
	struct smmu_context room;
	struct smmu_fault fault = { 0 };
	enum weir_model_result result;

	context = weir_model_smmu_find_context(access, &room, &fault);
	if (!context) {
		/*
		 * Translations of a CD's address fault by the model of stage 2 (3.12); all the rest
		 * terminates.
		 */
		if (fault.stage2)
			return weir_model_smmu_fault_model(access, &room, &fault, out);
		if (fault.type)
			weir_model_smmu_event(access, &fault, false, 0, false);
		return WEIR_MODEL_BLOCKED;
	}
	result = weir_model_smmu_go_through(access, context, out);
	if (WEIR_UNLIKELY(access->smmu->caching == WEIR_MODEL_SMMUV3_CACHES_ADVERSARIAL))
		weir_model_smmu_adversary(access, context);
	return result;
}

static enum weir_model_result transact(struct smmu_access *access,
				       struct weir_model_translation *out)
{
	if (access->flags & (WEIR_MODEL_TXN_ATS_REQUEST | WEIR_MODEL_TXN_TRANSLATED))
		return weir_model_smmu_ats(access, out);
	/* 6.3.9.6: read once; the transaction sees one value of SMMUEN throughout. */
	if (!(smmu_reg(&access->bank->cr0) & WEIR_SMMU_CR0_SMMUEN))
		return bypass_disabled(access, out);
	return translate_stream(access, out);
}

static __attribute__((noinline)) enum weir_model_result
transact_counted(struct smmu_access *access, uint16_t flags, struct weir_model_translation *out)
{
	enum weir_model_result result;
	uint8_t misses = 0;

	access->misses = &misses;
	result = transact(access, out);
	weir_model_smmu_pmcg_transaction(access, flags);
	access->misses = NULL;
	return result;
}

/* 3.10.1: SEC_SID. Without a Secure interface all streams are Non-secure. */
static struct smmu_bank *bank_of(struct weir_model_smmuv3 *smmu, uint16_t flags)
{
	return (flags & WEIR_MODEL_TXN_SECURE) && smmu->features.secure ? &smmu->s : &smmu->ns;
}

/* The flight is up; it lands here unless the transaction goes on its way. */
static enum weir_model_result translate_slow(struct weir_model_smmuv3 *smmu,
					     const struct weir_model_txn *txn,
					     struct weir_model_translation *out, uintptr_t flight,
					     uint64_t epoch)
{
	struct smmu_access access = {
		.smmu = smmu,
		.bank = bank_of(smmu, txn->flags),
		.lane = smmu_flight_lane(flight),
		.flight = flight,
		.epoch = epoch,
		.config_epoch = __atomic_load_n(&smmu->flights.config_epoch, __ATOMIC_ACQUIRE),
		.va = txn->addr,
		.sid = txn->stream,
		.ssid = txn->flags & WEIR_MODEL_TXN_SUBSTREAM ? txn->substream : 0,
		.flags = txn->flags,
		.attributes = txn->attributes,
	};
	enum weir_model_result result;

	/* 13.1.2; but a request for write access may ask for execute permission too (13.7). */
	if ((txn->flags & (WEIR_MODEL_TXN_WRITE | WEIR_MODEL_TXN_ATS_REQUEST)) ==
	    WEIR_MODEL_TXN_WRITE)
		access.flags &= (uint16_t)~WEIR_MODEL_TXN_INSTRUCTION;
	smmu_count(&access, &access.lane->counters.others);
	if (WEIR_UNLIKELY(access.config_epoch & SMMU_CONFIG_COUNTING))
		result = transact_counted(&access, txn->flags, out);
	else
		result = transact(&access, out);
	if (result == WEIR_MODEL_OK && !(txn->flags & WEIR_MODEL_TXN_ATS_REQUEST)) {
		out->flight = flight;
		if (has_front(smmu, access.lane))
			front_keep(access.lane, epoch, txn, out);
	} else {
		if (result == WEIR_MODEL_BLOCKED)
			smmu_count(&access, &access.lane->counters.blocked);
		weir_model_smmu_land(&access);
		weir_model_smmu_send_irqs(access.bank);
	}
	return result;
}

/* No lane yet, a flight inside another, a barrier to be taken, or a flight of the crowd. */
static __attribute__((noinline)) enum weir_model_result
translate_uncommon(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn,
		   struct weir_model_translation *out)
{
	uint64_t epoch;
	uintptr_t flight =
		weir_model_smmu_begin(smmu, txn->flags & WEIR_MODEL_TXN_DETACHED, &epoch);
	struct smmu_lane *lane = smmu_flight_lane(flight);

	if (lane->shared || !front_find(lane, front_entry(lane, txn), epoch, txn, out))
		return translate_slow(smmu, txn, out, flight, epoch);
	out->flight = flight;
	return WEIR_MODEL_OK;
}

/*
 * Of those that are as simple as can be; NULL: there is none. What says nothing, a substream beside
 * no flag, has to be 0.
 */
static inline const struct smmu_context *simple_context(const struct weir_model_smmuv3 *smmu,
							const struct smmu_lane *lane,
							const struct weir_model_txn *txn)
{
	const struct smmu_context *context = &lane->contexts[txn->stream % SMMU_CONTEXTS];
	const uint64_t streams = txn->stream | (uint64_t)txn->substream << 32;

	SMMU_KEEP(context);
	if (WEIR_UNLIKELY(context->simple_key != (streams ^ CONTEXT_VALID) ||
			  context->config_epoch !=
				  __atomic_load_n(&smmu->flights.config_epoch, __ATOMIC_ACQUIRE)))
		return NULL;
	return context;
}

#define ORDINARY_FLAGS (WEIR_MODEL_TXN_WRITE | WEIR_MODEL_TXN_ATOMIC | WEIR_MODEL_TXN_PRIVILEGED)
/* Of these epochs a front keeps nothing. */
#define EPOCH_FLAGS (SMMU_EPOCH_FENCED | SMMU_EPOCH_CHANGING | SMMU_EPOCH_COUNTING)
/* Of flags and attributes, as one word: no other flag, the memory type of WEIR_MODEL_ATTR_PCIE. */
#define KIND_MASK ((uint16_t)~ORDINARY_FLAGS | (WEIR_MODEL_ATTR_MEMORY << 16))
#define KIND_ORDINARY ((WEIR_MODEL_ATTR_PCIE & WEIR_MODEL_ATTR_MEMORY) << 16)

/*
 * What is as simple as a transaction can be, of a stream that leaves it so. With a front that is
 * stage 1 alone: to walk that costs less than to look into the IOTLB, whose use is where a walk is
 * long, or not a quick one. What is there stays.
 */
static inline __attribute__((always_inline)) bool walk_at_once(struct weir_model_smmuv3 *smmu,
							       struct smmu_lane *lane,
							       const struct weir_model_txn *txn,
							       const bool has_front,
							       struct weir_model_translation *out)
{
	const struct smmu_context *context = simple_context(smmu, lane, txn);
	const struct smmu_tables *half;
	const uint32_t kind = txn->flags | (uint32_t)txn->attributes << 16;
	bool done;

	if (WEIR_UNLIKELY(!context || (kind & KIND_MASK) != KIND_ORDINARY))
		return false;
	half = &context->cd.half[txn->addr >> 55 & 1];
	SMMU_KEEP(half);
	if (WEIR_UNLIKELY((txn->addr & half->outside) != half->sign))
		return false;
	if (WEIR_LIKELY(half->through == SMMU_THROUGH_STAGE1))
		done = smmu_walk_through_stage1(smmu, context, half, txn->addr, kind & 15, out);
	else
		done = !has_front && half->through &&
		       weir_model_smmu_walk_through_both(smmu, context, half, txn->addr, kind & 15,
							 out);
	if (WEIR_UNLIKELY(!done))
		return false;
	__atomic_store_n(&lane->counters.at_once, lane->counters.at_once + 1, __ATOMIC_RELAXED);
	return true;
}

/* The lane was taken without a barrier, which was right or not. */
static __attribute__((noinline)) enum weir_model_result
translate_begun(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn,
		struct weir_model_translation *out, struct smmu_lane *lane)
{
	/* Any look at it after the lane was taken does. */
	uint64_t epoch = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_ACQUIRE);

	if (WEIR_UNLIKELY((epoch & SMMU_EPOCH_FENCED) || (txn->flags & WEIR_MODEL_TXN_DETACHED))) {
		weir_model_smmu_end(smmu, (uintptr_t)lane);
		return translate_uncommon(smmu, txn, out);
	}
	return translate_slow(smmu, txn, out, (uintptr_t)lane, epoch);
}

/*
 * The lane was taken, and `entry` of its front has no answer: some epochs and flags it never has.
 */
static __attribute__((noinline)) enum weir_model_result
translate_miss(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn,
	       struct weir_model_translation *out, struct smmu_lane *lane,
	       struct smmu_front_entry *entry)
{
	/* As there. */
	uint64_t epoch = __atomic_load_n(&smmu->flights.epoch, __ATOMIC_ACQUIRE);
	struct weir_model_translation found;

	if (WEIR_UNLIKELY((epoch & EPOCH_FLAGS) || !walk_at_once(smmu, lane, txn, true, &found)))
		return translate_begun(smmu, txn, out, lane);
	front_write(entry, epoch, txn, &found);
	out->addr = found.addr;
	out->attributes = found.attributes;
	out->flight = (uintptr_t)lane;
	return WEIR_MODEL_OK;
}

/* Without a front, or a flight inside another. */
static __attribute__((noinline)) enum weir_model_result
translate_without_front(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn,
			struct weir_model_translation *out)
{
	struct smmu_lane *lane = smmu_own_lane(&smmu->flights);
	uint64_t epoch;

	if (WEIR_UNLIKELY(!lane || (txn->flags & ~ORDINARY_FLAGS) ||
			  !smmu_begin_common(&smmu->flights, lane, &epoch)))
		return translate_uncommon(smmu, txn, out);
	if (WEIR_UNLIKELY((epoch & SMMU_EPOCH_FENCED) ||
			  !walk_at_once(smmu, lane, txn, false, out)))
		return translate_begun(smmu, txn, out, lane);
	out->flight = (uintptr_t)lane;
	return WEIR_MODEL_OK;
}

/* A hit: 41 instructions, and 8 in complete(). */
enum weir_model_result weir_model_smmuv3_translate(struct weir_model_smmuv3 *smmu,
						   const struct weir_model_txn *txn,
						   struct weir_model_translation *out)
{
	struct smmu_lane *lane = smmu_own_front(&smmu->flights);
	struct smmu_front_entry *entry;
	uint64_t epoch;

	if (WEIR_UNLIKELY(!smmu_begin_common(&smmu->flights, lane, &epoch)))
		return translate_without_front(smmu, txn, out);
	entry = front_entry(lane, txn);
	if (WEIR_UNLIKELY(!front_find(lane, entry, epoch, txn, out)))
		return translate_miss(smmu, txn, out, lane, entry);
	out->flight = (uintptr_t)lane;
	return WEIR_MODEL_OK;
}

void weir_model_smmuv3_complete(struct weir_model_smmuv3 *smmu,
				const struct weir_model_translation *translation)
{
	uintptr_t flight = translation->flight;

	if (WEIR_UNLIKELY(flight & SMMU_FLIGHT_UNCOMMON))
		weir_model_smmu_end(smmu, flight);
	else if (smmu_end_common(&smmu->flights, (struct smmu_lane *)flight))
		weir_model_smmu_kick_landed(smmu);
}

static enum weir_model_result port_translate(void *iommu, const struct weir_model_txn *txn,
					     struct weir_model_translation *out)
{
	return weir_model_smmuv3_translate(iommu, txn, out);
}

static void port_complete(void *iommu, const struct weir_model_translation *translation)
{
	weir_model_smmuv3_complete(iommu, translation);
}

const struct weir_model_iommu_ops weir_model_smmuv3_iommu_ops = {
	.translate = port_translate,
	.complete = port_complete,
};

/* ---- Prefetch ---------------------------------------------------------------------------- */

void weir_model_smmu_prefetch(struct smmu_bank *bank, uint32_t sid, bool has_ssid, uint32_t ssid,
			      bool address, uint64_t va)
{
	struct smmu_access access = {
		.va = va,
		.sid = sid,
		.ssid = ssid,
		.flags = has_ssid ? WEIR_MODEL_TXN_SUBSTREAM : 0,
		.silent = true,
	};
	const struct smmu_context *context;
	struct smmu_translation translation;
	struct smmu_context room;
	struct smmu_fault fault = { 0 };

	weir_model_smmu_fly(bank, &access);
	/* What is found is what the caches keep. */
	context = weir_model_smmu_find_context(&access, &room, &fault);
	if (context && address && (context->stage1 || context->stage2))
		weir_model_smmu_translate_address(&access, context, &translation, &fault);
	weir_model_smmu_land(&access);
}
