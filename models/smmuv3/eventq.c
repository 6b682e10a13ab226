/* SPDX-License-Identifier: MIT */

/* Events into their queue (7.2 to 7.4), global errors (7.5), and the interrupts of both (3.18). */

#include "smmuv3/internal.h"

bool weir_model_smmu_error_active(const struct weir_model_smmuv3 *smmu, uint32_t error)
{
	return (smmu_reg(&smmu->gerror) ^ smmu_reg(&smmu->gerrorn)) & error;
}

static void raise_irq(struct weir_model_smmuv3 *smmu, uint32_t enable, unsigned int irq)
{
	if (smmu_reg(&smmu->irq_ctrl) & enable)
		smmu->sink.raise(smmu->sink.opaque, irq);
}

void weir_model_smmu_global_error(struct weir_model_smmuv3 *smmu, uint32_t error)
{
	uint32_t old = smmu_reg(&smmu->gerror);

	/* Acquire-release: what the error is about is seen by whoever sees the error. */
	do {
		if ((old ^ smmu_reg(&smmu->gerrorn)) & error)
			return;
	} while (!__atomic_compare_exchange_n(&smmu->gerror, &old, old ^ error, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	raise_irq(smmu, WEIR_SMMU_IRQ_CTRL_GERROR_IRQEN, smmu->irq_gerror);
}

/* 7.4: the flag is toggled unless an overflow is already there to be acknowledged. */
static void overflow(struct weir_model_smmuv3 *smmu, uint32_t prod, uint32_t cons)
{
	if (!((prod ^ cons) & WEIR_SMMU_EVENTQ_PROD_OVFLG))
		smmu_reg_set(&smmu->eventq_prod, prod ^ (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG);
}

static void publish(struct weir_model_smmuv3 *smmu, uint32_t prod, unsigned int log2size,
		    bool empty)
{
	uint32_t index = (prod + 1) & (uint32_t)smmu_low_bits(log2size + 1), cons;

	/*
	 * Sequentially consistent with the store of CONS: either software that emptied the queue
	 * sees this PROD when it looks again, or its CONS is seen here and it gets an interrupt.
	 */
	__atomic_store_n(&smmu->eventq_prod, (prod & (uint32_t)WEIR_SMMU_EVENTQ_PROD_OVFLG) | index,
			 __ATOMIC_SEQ_CST);
	cons = __atomic_load_n(&smmu->eventq_cons, __ATOMIC_SEQ_CST);
	if (empty || !smmu_queue_fill(prod, cons, log2size))
		raise_irq(smmu, WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN, smmu->irq_eventq);
}

static bool write_record(struct weir_model_smmuv3 *smmu, const uint64_t *record, uint32_t prod,
			 unsigned int log2size)
{
	uint64_t addr = smmu_queue_base(smmu_reg64(&smmu->eventq_base),
					(uint64_t)WEIR_SMMU_EVT_SIZE << log2size);
	uint64_t *entry;

	addr += (prod & smmu_low_bits(log2size)) * WEIR_SMMU_EVT_SIZE;
	entry = weir_model_bus_direct(smmu->bus, addr, WEIR_SMMU_EVT_SIZE);
	if (!entry)
		return false;
	for (unsigned int i = 0; i < WEIR_SMMU_EVT_WORDS; i++)
		__atomic_store_n(&entry[i], record[i], __ATOMIC_RELAXED);
	return true;
}

/* 7.2.1: false if the event is lost. evtq_lock is held. */
static bool write_event(struct weir_model_smmuv3 *smmu, const uint64_t *record)
{
	unsigned int log2size =
		smmu_queue_log2size(smmu_reg64(&smmu->eventq_base), smmu->features.eventqs);
	uint32_t prod = smmu_reg(&smmu->eventq_prod), cons = smmu_reg(&smmu->eventq_cons);
	uint32_t fill = smmu_queue_fill(prod, cons, log2size);

	if (!(smmu_reg(&smmu->cr0) & WEIR_SMMU_CR0_EVENTQEN) ||
	    weir_model_smmu_error_active(smmu, WEIR_SMMU_GERROR_EVENTQ_ABT_ERR))
		return false;
	/* 3.5.1: full as well while the indexes are inconsistent. */
	if (fill >> log2size) {
		overflow(smmu, prod, cons);
		return false;
	}
	/* 7.2.2: the abort is synchronous, and PROD stays. */
	if (!write_record(smmu, record, prod, log2size)) {
		weir_model_smmu_global_error(smmu, WEIR_SMMU_GERROR_EVENTQ_ABT_ERR);
		return false;
	}
	publish(smmu, prod, log2size, !fill);
	return true;
}

static bool has_input_address(uint8_t type)
{
	return type == WEIR_SMMU_EVT_F_WALK_EABT ||
	       (type >= WEIR_SMMU_EVT_F_TRANSLATION && type <= WEIR_SMMU_EVT_F_PERMISSION);
}

static bool has_fetch_address(uint8_t type)
{
	return type == WEIR_SMMU_EVT_F_STE_FETCH || type == WEIR_SMMU_EVT_F_CD_FETCH ||
	       type == WEIR_SMMU_EVT_F_WALK_EABT;
}

/* 7.3. Stage 1 alone: S2 is 0, the class is TT for F_WALK_EABT and IN for the rest (7.3.12). */
static void make_record(const struct smmu_access *access, uint8_t type, uint64_t fetch,
			uint64_t *record)
{
	record[0] = WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_TYPE, type) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_EVT_0_SID, access->sid);
	record[1] = 0;
	record[2] = 0;
	record[3] = has_fetch_address(type) ? fetch & WEIR_SMMU_EVT_3_FETCHADDR : 0;
	if (!has_input_address(type))
		return;
	record[1] = WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_PNU, access->privileged) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_IND, access->instruction) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_RNW, !access->write) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_EVT_1_CLASS, type == WEIR_SMMU_EVT_F_WALK_EABT ?
								   WEIR_SMMU_EVT_CLASS_TT :
								   WEIR_SMMU_EVT_CLASS_IN);
	record[2] = access->va;
}

void weir_model_smmu_event(struct weir_model_smmuv3 *smmu, const struct smmu_access *access,
			   uint8_t type, uint64_t fetch)
{
	uint64_t record[WEIR_SMMU_EVT_WORDS];

	if (access->silent)
		return;
	make_record(access, type, fetch, record);
	pthread_mutex_lock(&smmu->evtq_lock);
	if (write_event(smmu, record))
		smmu_count_locked(&smmu->events_written);
	else
		smmu_count_locked(&smmu->events_lost);
	pthread_mutex_unlock(&smmu->evtq_lock);
}
