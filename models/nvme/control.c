/* SPDX-License-Identifier: MIT */
/*
 * Reset, enable and shutdown (NVMe 1.4 sections 3.1.5, 3.1.6, 7.3, 7.6), carried out by step().
 */

#include "nvme/nvme.h"

static void reset_locked(struct weir_model_nvme *nvme)
{
	weir_model_nvme_forget(nvme);
	weir_model_nvme_features_reset(nvme);
	nvme->reset_wanted = false;
	nvme->regs.csts = 0;
}

/* Section 3.1.5: what the controller does not offer cannot be enabled; admin queues need two. */
static bool config_valid(const struct nvme_regs *regs)
{
	return !(regs->cc &
		 (WEIR_NVME_CC_CSS_MASK | WEIR_NVME_CC_MPS_MASK | WEIR_NVME_CC_AMS_MASK)) &&
	       (regs->aqa & WEIR_NVME_AQA_ASQS_MASK) && (regs->aqa & WEIR_NVME_AQA_ACQS_MASK);
}

static void enable_locked(struct weir_model_nvme *nvme)
{
	const struct nvme_regs *regs = &nvme->regs;
	uint32_t sq_size = (regs->aqa & WEIR_NVME_AQA_ASQS_MASK) + 1;
	uint32_t cq_size = ((regs->aqa & WEIR_NVME_AQA_ACQS_MASK) >> WEIR_NVME_AQA_ACQS_SHIFT) + 1;

	if (!config_valid(regs)) {
		nvme->regs.csts |= WEIR_NVME_CSTS_CFS;
		return;
	}
	/* Doorbells rung while there were no queues are not news. */
	__atomic_store_n(&nvme->bad_doorbells, 0, __ATOMIC_RELAXED);
	weir_model_nvme_cq_init(&nvme->cq[0], regs->acq, cq_size, 0, true);
	weir_model_nvme_sq_init(nvme, 0, regs->asq, sq_size, 0);
	nvme->regs.csts |= WEIR_NVME_CSTS_RDY;
}

static void take_faults_locked(struct weir_model_nvme *nvme)
{
	if (!nvme->faults_changed)
		return;
	nvme->faults_changed = false;
	nvme->active = nvme->faults;
	nvme->started = 0;
	nvme->io_started = 0;
}

/* Act on CC; true: a shutdown has to be carried out. */
static bool follow_cc_locked(struct weir_model_nvme *nvme)
{
	uint32_t *csts = &nvme->regs.csts;
	uint32_t cc = nvme->regs.cc;
	bool down;

	if ((cc & WEIR_NVME_CC_EN) && !(*csts & (WEIR_NVME_CSTS_RDY | WEIR_NVME_CSTS_CFS)) &&
	    !nvme->active.never_ready)
		enable_locked(nvme);
	down = (cc & WEIR_NVME_CC_SHN_MASK) && !(*csts & WEIR_NVME_CSTS_SHST_MASK);
	if (down)
		*csts |= WEIR_NVME_CSTS_SHST_OCCURRING;
	nvme->running = (*csts & WEIR_NVME_CSTS_RDY) &&
			!(*csts & (WEIR_NVME_CSTS_CFS | WEIR_NVME_CSTS_SHST_MASK));
	return down;
}

static void shut_down(struct weir_model_nvme *nvme)
{
	uint32_t *csts = &nvme->regs.csts;

	if (nvme->disk.flush)
		nvme->disk.flush(nvme->disk.opaque);
	pthread_mutex_lock(&nvme->lock);
	/* A reset that came meanwhile began a new life, with its own shutdown status. */
	if ((*csts & WEIR_NVME_CSTS_SHST_MASK) == WEIR_NVME_CSTS_SHST_OCCURRING)
		*csts = (*csts & ~WEIR_NVME_CSTS_SHST_MASK) | WEIR_NVME_CSTS_SHST_COMPLETE;
	pthread_mutex_unlock(&nvme->lock);
}

void weir_model_nvme_control(struct weir_model_nvme *nvme)
{
	bool down = false;

	pthread_mutex_lock(&nvme->lock);
	__atomic_store_n(&nvme->control, false, __ATOMIC_RELAXED);
	take_faults_locked(nvme);
	if (nvme->active.dead) {
		nvme->running = false;
	} else {
		if (nvme->reset_wanted)
			reset_locked(nvme);
		down = follow_cc_locked(nvme);
	}
	pthread_mutex_unlock(&nvme->lock);
	if (down)
		shut_down(nvme);
}

void weir_model_nvme_fatal(struct weir_model_nvme *nvme)
{
	pthread_mutex_lock(&nvme->lock);
	if (!nvme->reset_wanted)
		nvme->regs.csts |= WEIR_NVME_CSTS_CFS;
	pthread_mutex_unlock(&nvme->lock);
	nvme->running = false;
}
