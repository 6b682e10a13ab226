/* SPDX-License-Identifier: MIT */
/*
 * Admin commands (NVMe 1.4 section 5): dispatch, queues, Abort, asynchronous events. They are taken
 * one at a time and carried out whole: one unit of a step's budget each.
 */

#include "nvme/nvme.h"

/* The Number of Queues feature grants as many submission queues as completion queues. */
static bool qid_valid(const struct weir_model_nvme *nvme, uint32_t qid)
{
	return qid && qid <= nvme->features.queues;
}

static bool sq_exists(const struct weir_model_nvme *nvme, uint32_t qid)
{
	return __atomic_load_n(&nvme->sq[qid].size, __ATOMIC_RELAXED) != 0;
}

static bool cq_exists(const struct weir_model_nvme *nvme, uint32_t qid)
{
	return __atomic_load_n(&nvme->cq[qid].size, __ATOMIC_RELAXED) != 0;
}

static uint32_t queue_qid(const struct weir_nvme_sqe *sqe)
{
	return sqe->cdw10 & WEIR_NVME_QUEUE_QID_MASK;
}

static uint32_t queue_size(const struct weir_nvme_sqe *sqe)
{
	return ((sqe->cdw10 & WEIR_NVME_QUEUE_QSIZE_MASK) >> WEIR_NVME_QUEUE_QSIZE_SHIFT) + 1;
}

/* CC.IOSQES or CC.IOCQES: a queue of entries of another size cannot be created (section 3.1.5). */
static bool entry_shift_is(struct weir_model_nvme *nvme, uint32_t mask, unsigned int shift,
			   uint32_t wanted)
{
	uint32_t cc;

	pthread_mutex_lock(&nvme->lock);
	cc = nvme->regs.cc;
	pthread_mutex_unlock(&nvme->lock);
	return (cc & mask) >> shift == wanted;
}

static uint16_t queue_memory_status(const struct weir_model_nvme *nvme,
				    const struct weir_nvme_sqe *sqe)
{
	uint32_t size = queue_size(sqe);

	if (size < 2 || size > nvme->max_entries)
		return NVME_DNR(WEIR_NVME_SC_INVALID_QSIZE);
	if (!(sqe->cdw11 & WEIR_NVME_QUEUE_PC)) /* CAP.CQR */
		return NVME_DNR(WEIR_NVME_SC_INVALID_FIELD);
	if (sqe->prp1 & (NVME_PAGE - 1))
		return NVME_DNR(WEIR_NVME_SC_INVALID_PRP_OFFSET);
	return WEIR_NVME_SC_SUCCESS;
}

/* Section 5.3 */
static uint16_t create_cq(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint32_t qid = queue_qid(sqe);
	uint32_t vector = (sqe->cdw11 & WEIR_NVME_CQ_IV_MASK) >> WEIR_NVME_CQ_IV_SHIFT;
	uint16_t status;

	if (!qid_valid(nvme, qid) || cq_exists(nvme, qid))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QID);
	if (!entry_shift_is(nvme, WEIR_NVME_CC_IOCQES_MASK, WEIR_NVME_CC_IOCQES_SHIFT,
			    WEIR_NVME_CQE_SHIFT))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QSIZE);
	status = queue_memory_status(nvme, sqe);
	if (status)
		return status;
	if (vector > nvme->max_queues)
		return NVME_DNR(WEIR_NVME_SC_INVALID_VECTOR);
	weir_model_nvme_cq_init(&nvme->cq[qid], sqe->prp1, queue_size(sqe), (uint16_t)vector,
				sqe->cdw11 & WEIR_NVME_CQ_IEN);
	return WEIR_NVME_SC_SUCCESS;
}

/* Section 5.4 */
static uint16_t create_sq(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint32_t qid = queue_qid(sqe);
	uint32_t cqid = (sqe->cdw11 & WEIR_NVME_SQ_CQID_MASK) >> WEIR_NVME_SQ_CQID_SHIFT;
	uint16_t status;

	if (!qid_valid(nvme, qid) || sq_exists(nvme, qid) || !qid_valid(nvme, cqid))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QID);
	if (!cq_exists(nvme, cqid))
		return NVME_DNR(WEIR_NVME_SC_CQ_INVALID);
	if (!entry_shift_is(nvme, WEIR_NVME_CC_IOSQES_MASK, WEIR_NVME_CC_IOSQES_SHIFT,
			    WEIR_NVME_SQE_SHIFT))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QSIZE);
	status = queue_memory_status(nvme, sqe);
	if (status)
		return status;
	weir_model_nvme_sq_init(nvme, (uint16_t)qid, sqe->prp1, queue_size(sqe), (uint16_t)cqid);
	return WEIR_NVME_SC_SUCCESS;
}

/* Section 5.6: what was fetched and not started completes before the deletion does. */
static uint16_t delete_sq(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint32_t qid = queue_qid(sqe);

	if (!qid_valid(nvme, qid) || !sq_exists(nvme, qid))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QID);
	weir_model_nvme_io_cancel(nvme, (uint16_t)qid, WEIR_NVME_SC_ABORTED_SQ_DELETED);
	nvme->cq[nvme->sq[qid].cqid].users--;
	__atomic_store_n(&nvme->sq[qid].size, 0, __ATOMIC_RELEASE);
	return WEIR_NVME_SC_SUCCESS;
}

/* Section 5.5 */
static uint16_t delete_cq(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	uint32_t qid = queue_qid(sqe);

	if (!qid_valid(nvme, qid) || !cq_exists(nvme, qid))
		return NVME_DNR(WEIR_NVME_SC_INVALID_QID);
	if (nvme->cq[qid].users)
		return NVME_DNR(WEIR_NVME_SC_INVALID_QUEUE_DELETION);
	__atomic_store_n(&nvme->cq[qid].size, 0, __ATOMIC_RELEASE);
	return WEIR_NVME_SC_SUCCESS;
}

static void drop_aer(struct weir_model_nvme *nvme, unsigned int index)
{
	nvme->aers--;
	for (; index < nvme->aers; index++)
		nvme->aer[index] = nvme->aer[index + 1];
}

/* A held request that Abort names; it completes only if there is an entry for it. */
static bool abort_aer(struct weir_model_nvme *nvme, uint16_t cid)
{
	unsigned int i;

	for (i = 0; i < nvme->aers; i++) {
		if (nvme->aer[i] != cid)
			continue;
		if (!weir_model_nvme_cq_room(nvme, &nvme->cq[0]))
			return false;
		drop_aer(nvme, i);
		weir_model_nvme_post(nvme, 0, cid, WEIR_NVME_SC_ABORT_REQUESTED, 0);
		return true;
	}
	return false;
}

/* Section 5.1 */
static uint16_t abort_command(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
			      uint32_t *result)
{
	uint16_t sqid = sqe->cdw10 & WEIR_NVME_ABORT_SQID_MASK;
	uint16_t cid = (sqe->cdw10 & WEIR_NVME_ABORT_CID_MASK) >> WEIR_NVME_ABORT_CID_SHIFT;
	bool done = sqid ? weir_model_nvme_io_abort(nvme, sqid, cid) : abort_aer(nvme, cid);

	*result = done ? 0 : WEIR_NVME_ABORT_NOT_DONE;
	return WEIR_NVME_SC_SUCCESS;
}

/* Section 5.2: no entry stays reserved for it, or four of them would fill a small admin queue. */
static uint16_t hold_aer(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe)
{
	if (nvme->aers == NVME_AER_MAX)
		return NVME_DNR(WEIR_NVME_SC_AER_LIMIT);
	nvme->aer[nvme->aers++] = sqe->cid;
	nvme->cq[0].reserved--;
	return NVME_HELD;
}

void weir_model_nvme_report_events(struct weir_model_nvme *nvme)
{
	unsigned int info;
	uint32_t dw0;

	nvme->events |= __atomic_exchange_n(&nvme->bad_doorbells, 0, __ATOMIC_RELAXED);
	if (!nvme->events || nvme->events_masked || !nvme->aers ||
	    !weir_model_nvme_cq_room(nvme, &nvme->cq[0]))
		return;
	info = (unsigned int)__builtin_ctz(nvme->events);
	dw0 = WEIR_NVME_AER_TYPE_ERROR | info << WEIR_NVME_AER_INFO_SHIFT |
	      WEIR_NVME_LID_ERROR << WEIR_NVME_AER_LID_SHIFT;
	nvme->events &= nvme->events - 1;
	/* No more of this type until the host has read the log (section 5.2). */
	nvme->events_masked = true;
	nvme->aers--;
	nvme_count(&nvme->stats.admin_commands, 1);
	weir_model_nvme_post(nvme, 0, nvme->aer[nvme->aers], WEIR_NVME_SC_SUCCESS, dw0);
}

static uint16_t execute(struct weir_model_nvme *nvme, const struct weir_nvme_sqe *sqe,
			uint32_t *result)
{
	uint16_t status = nvme_flags_status(sqe);

	if (status)
		return status;
	switch (sqe->opcode) {
	case WEIR_NVME_ADMIN_DELETE_SQ:
		return delete_sq(nvme, sqe);
	case WEIR_NVME_ADMIN_CREATE_SQ:
		return create_sq(nvme, sqe);
	case WEIR_NVME_ADMIN_GET_LOG_PAGE:
		return weir_model_nvme_get_log(nvme, sqe);
	case WEIR_NVME_ADMIN_DELETE_CQ:
		return delete_cq(nvme, sqe);
	case WEIR_NVME_ADMIN_CREATE_CQ:
		return create_cq(nvme, sqe);
	case WEIR_NVME_ADMIN_IDENTIFY:
		return weir_model_nvme_identify(nvme, sqe);
	case WEIR_NVME_ADMIN_ABORT:
		return abort_command(nvme, sqe, result);
	case WEIR_NVME_ADMIN_SET_FEATURES:
		return weir_model_nvme_set_features(nvme, sqe, result);
	case WEIR_NVME_ADMIN_GET_FEATURES:
		return weir_model_nvme_get_features(nvme, sqe, result);
	case WEIR_NVME_ADMIN_ASYNC_EVENT:
		return hold_aer(nvme, sqe);
	default:
		return NVME_DNR(WEIR_NVME_SC_INVALID_OPCODE);
	}
}

bool weir_model_nvme_admin(struct weir_model_nvme *nvme)
{
	struct nvme_command command = { .sqid = 0 };
	uint32_t result = 0;
	uint16_t status;

	if (!weir_model_nvme_sq_pending(nvme, &nvme->sq[0]) ||
	    !weir_model_nvme_cq_room(nvme, &nvme->cq[0]) ||
	    !weir_model_nvme_fetch(nvme, &nvme->sq[0], 1))
		return false;
	command.sqe = nvme->fetched[0];
	nvme->cq[0].reserved++;
	nvme->started++;
	status = execute(nvme, &command.sqe, &result);
	if (status != NVME_HELD)
		weir_model_nvme_complete(nvme, &command, status, result);
	return true;
}
