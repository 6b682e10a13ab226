/* SPDX-License-Identifier: MIT */

/* A transaction's way through the SMMU, and who is on it: the flights. -> internal.h, In flight. */

#include "smmuv3/internal.h"

static unsigned int flight_home(const struct weir_model_txn *txn)
{
	return (unsigned int)(((uintptr_t)txn * 0x9e3779b97f4a7c15u) >> 58) % SMMU_FLIGHTS;
}

static void take_epoch(struct weir_model_smmuv3 *smmu, struct smmu_flight *flight)
{
	__atomic_store_n(&flight->epoch, __atomic_load_n(&smmu->epoch, __ATOMIC_SEQ_CST),
			 __ATOMIC_RELEASE);
}

/*
 * The claim is sequentially consistent, and so is the load of the epoch behind it: a CMD_SYNC that
 * found the slot free had opened its epoch before, and then this load sees it, and all that the
 * commands before it invalidated.
 */
struct smmu_flight *weir_model_smmu_flight_begin(struct weir_model_smmuv3 *smmu,
						 const struct weir_model_txn *txn)
{
	unsigned int home = flight_home(txn);

	for (unsigned int i = 0; i < SMMU_FLIGHTS; i++) {
		struct smmu_flight *flight = &smmu->flights[(home + i) % SMMU_FLIGHTS];
		const struct weir_model_txn *expected = NULL;

		if (__atomic_load_n(&flight->txn, __ATOMIC_RELAXED) ||
		    !__atomic_compare_exchange_n(&flight->txn, &expected, txn, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			continue;
		take_epoch(smmu, flight);
		return flight;
	}
	__atomic_add_fetch(&smmu->crowd, 1, __ATOMIC_SEQ_CST);
	take_epoch(smmu, &smmu->shared);
	return &smmu->shared;
}

/* Sequentially consistent, with the load of sync_waiting: one of step() and this sees the other. */
static void release(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn)
{
	unsigned int home = flight_home(txn);

	for (unsigned int i = 0; i < SMMU_FLIGHTS; i++) {
		struct smmu_flight *flight = &smmu->flights[(home + i) % SMMU_FLIGHTS];

		if (__atomic_load_n(&flight->txn, __ATOMIC_RELAXED) != txn)
			continue;
		__atomic_store_n(&flight->txn, NULL, __ATOMIC_SEQ_CST);
		return;
	}
	__atomic_sub_fetch(&smmu->crowd, 1, __ATOMIC_SEQ_CST);
}

void weir_model_smmu_flight_end(struct weir_model_smmuv3 *smmu, const struct weir_model_txn *txn)
{
	release(smmu, txn);
	if (__atomic_load_n(&smmu->sync_waiting, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&smmu->sync_waiting, false, __ATOMIC_SEQ_CST))
		weir_model_kick(&smmu->stepper);
}

bool weir_model_smmu_flights_landed(struct weir_model_smmuv3 *smmu, uint64_t epoch)
{
	/* The crowd has no epochs: it has to be gone for a moment. */
	if (__atomic_load_n(&smmu->crowd, __ATOMIC_SEQ_CST))
		return false;
	for (unsigned int i = 0; i < SMMU_FLIGHTS; i++) {
		struct smmu_flight *flight = &smmu->flights[i];

		/* A slot that was just claimed may show the epoch of its last owner: an old one. */
		if (__atomic_load_n(&flight->txn, __ATOMIC_SEQ_CST) &&
		    __atomic_load_n(&flight->epoch, __ATOMIC_ACQUIRE) < epoch)
			return false;
	}
	return true;
}

/* 6.3.9.6, 6.3.14, 3.4: no event in either case. */
static bool bypass_disabled(struct weir_model_smmuv3 *smmu, uint64_t addr)
{
	return !(smmu_reg(&smmu->gbpa) & WEIR_SMMU_GBPA_ABORT) &&
	       !(addr & ~smmu_low_bits(smmu->features.oas));
}

static bool bypass_stream(struct weir_model_smmuv3 *smmu, const struct smmu_access *access)
{
	/* 3.4: an address beyond the OAS is a stage 1 address size fault; always recorded. */
	if (!(access->va & ~smmu_low_bits(smmu->features.oas)))
		return true;
	weir_model_smmu_event(smmu, access, WEIR_SMMU_EVT_F_ADDR_SIZE, 0);
	return false;
}

/* 7.3.22: last of all faults, whether the translation came from the TLB or from a walk. */
static bool permitted(const struct smmu_access *access, uint8_t rights)
{
	uint8_t need = access->write	   ? SMMU_UNPRIV_W :
		       access->instruction ? SMMU_UNPRIV_X :
					     SMMU_UNPRIV_R;

	return rights & (access->privileged ? need << 3 : need);
}

/* 3.4.1: outside of the range that TxSZ gives? Otherwise *va is the address that is translated. */
static bool in_range(const union smmu_cd *cd, uint64_t *va)
{
	unsigned int half = *va >> 55 & 1;
	uint64_t sign = half ? ~(uint64_t)0 : 0, outside;

	if (cd->tbi >> half & 1)
		*va = (*va & smmu_low_bits(56)) | (sign & ~smmu_low_bits(56));
	outside = ~smmu_low_bits(64 - cd->tsz[half]);
	return (cd->epd >> half & 1) || (*va & outside) == (sign & outside);
}

static uint8_t walk(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
		    const union smmu_ste *ste, const union smmu_cd *cd, uint64_t va,
		    struct smmu_translation *translation, uint64_t *fetch)
{
	uint8_t fault;

	smmu_count(access->flight, &access->flight->walks);
	fault = weir_model_smmu_walk(smmu, cd, va, translation, fetch);
	if (!fault)
		weir_model_smmu_tlb_insert(smmu, ste, cd, va, translation, access->tlb_generation);
	return fault;
}

/* 0, or the type of the event. */
static uint8_t translate_va(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			    const union smmu_ste *ste, const union smmu_cd *cd, uint64_t *pa,
			    uint64_t *fetch)
{
	struct smmu_flight *flight = access->flight;
	struct smmu_translation translation;
	uint64_t va = access->va;

	if (!in_range(cd, &va))
		return WEIR_SMMU_EVT_F_TRANSLATION;
	smmu_count(flight, &flight->tlb_lookups);
	if (weir_model_smmu_tlb_find(smmu, ste, cd, va, &translation)) {
		smmu_count(flight, &flight->tlb_hits);
	} else {
		uint8_t fault = walk(smmu, access, ste, cd, va, &translation, fetch);

		if (fault)
			return fault;
	}
	if (!permitted(access, translation.rights))
		return WEIR_SMMU_EVT_F_PERMISSION;
	*pa = translation.base | (va & smmu_low_bits(translation.size));
	return 0;
}

static bool translate_stage1(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			     const union smmu_ste *ste, uint64_t *pa)
{
	union smmu_cd cd;
	uint64_t fetch = 0;
	uint8_t fault;

	if (!weir_model_smmu_find_cd(smmu, access, ste, &cd))
		return false;
	fault = translate_va(smmu, access, ste, &cd, pa, &fetch);
	/* 5.5: R rules on the translation-related faults, and on nothing else. */
	if (fault && (fault == WEIR_SMMU_EVT_F_WALK_EABT || cd.record))
		weir_model_smmu_event(smmu, access, fault, fetch);
	return !fault;
}

static bool translate_stream(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			     uint64_t *pa)
{
	union smmu_ste ste;

	if (!weir_model_smmu_find_ste(smmu, access, &ste))
		return false;
	switch (ste.config) {
	case WEIR_SMMU_STE_CONFIG_S1:
		return translate_stage1(smmu, access, &ste, pa);
	case WEIR_SMMU_STE_CONFIG_BYPASS:
		return bypass_stream(smmu, access);
	default: /* 5.2: 0b0xx aborts, and records nothing */
		return false;
	}
}

static void take_generations(const struct weir_model_smmuv3 *smmu, struct smmu_access *access)
{
	access->ste_generation = smmu_cache_generation(&smmu->stes);
	access->cd_generation = smmu_cache_generation(&smmu->cds);
	access->tlb_generation = smmu_cache_generation(&smmu->tlb);
}

static enum weir_model_result translate(void *iommu, const struct weir_model_txn *txn,
					uint64_t *out)
{
	struct weir_model_smmuv3 *smmu = iommu;
	struct smmu_flight *flight = weir_model_smmu_flight_begin(smmu, txn);
	struct smmu_access access = {
		.flight = flight,
		.sid = txn->stream,
		.va = txn->addr,
		.write = txn->write,
		.instruction = txn->instruction && !txn->write, /* 13.1.2: a write is data */
		.privileged = txn->privileged,
	};
	uint64_t pa = access.va;
	bool ok;

	take_generations(smmu, &access);
	smmu_count(flight, &flight->transactions);
	/* 6.3.9.6: read once; the transaction sees one value of SMMUEN throughout. */
	if (smmu_reg(&smmu->cr0) & WEIR_SMMU_CR0_SMMUEN)
		ok = translate_stream(smmu, &access, &pa);
	else
		ok = bypass_disabled(smmu, pa);
	if (ok) {
		*out = pa;
		return WEIR_MODEL_OK;
	}
	smmu_count(flight, &flight->blocked);
	weir_model_smmu_flight_end(smmu, txn);
	return WEIR_MODEL_BLOCKED;
}

static void complete(void *iommu, const struct weir_model_txn *txn)
{
	weir_model_smmu_flight_end(iommu, txn);
}

const struct weir_model_iommu_ops weir_model_smmuv3_iommu_ops = {
	.translate = translate,
	.complete = complete,
};

void weir_model_smmu_prefetch(struct weir_model_smmuv3 *smmu, uint32_t sid)
{
	struct weir_model_txn txn = { .stream = sid };
	struct smmu_access access = {
		.flight = weir_model_smmu_flight_begin(smmu, &txn),
		.sid = sid,
		.silent = true,
	};
	union smmu_ste ste;
	union smmu_cd cd;

	take_generations(smmu, &access);
	/* What is found is what the caches keep. */
	if (weir_model_smmu_find_ste(smmu, &access, &ste) && ste.config == WEIR_SMMU_STE_CONFIG_S1)
		weir_model_smmu_find_cd(smmu, &access, &ste, &cd);
	weir_model_smmu_flight_end(smmu, &txn);
}
