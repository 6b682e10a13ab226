/* SPDX-License-Identifier: MIT */
/*
 * What a CPU sees of the controller: BAR 0 (NVMe 1.4 section 3.1). Runs on any thread.
 *
 * Registers are 32 bits wide; a 64-bit access is two, the lower half first. Narrower reads take
 * their part of a register and narrower writes are ignored, as section 3.1 leaves both open.
 */

#include "nvme/nvme.h"

static uint64_t capabilities(const struct weir_model_nvme *nvme)
{
	uint64_t timeout = 10; /* of 500 ms: threads of a loaded machine may be slow */
	uint64_t stride = nvme->faults.bad_stride ? WEIR_NVME_CAP_DSTRD_MASK : 0;

	return (nvme->max_entries - 1) | WEIR_NVME_CAP_CQR | (timeout << WEIR_NVME_CAP_TO_SHIFT) |
	       stride | WEIR_NVME_CAP_CSS_NVM;
}

static uint32_t read_register(struct weir_model_nvme *nvme, uint64_t offset)
{
	const struct nvme_regs *regs = &nvme->regs;

	switch (offset) {
	case WEIR_NVME_REG_CAP:
		return (uint32_t)capabilities(nvme);
	case WEIR_NVME_REG_CAP + 4:
		return (uint32_t)(capabilities(nvme) >> 32);
	case WEIR_NVME_REG_VS:
		return WEIR_NVME_VS_1_4;
	case WEIR_NVME_REG_INTMS:
	case WEIR_NVME_REG_INTMC:
		return regs->intm;
	case WEIR_NVME_REG_CC:
		return regs->cc;
	case WEIR_NVME_REG_CSTS:
		return regs->csts;
	case WEIR_NVME_REG_AQA:
		return regs->aqa;
	case WEIR_NVME_REG_ASQ:
		return (uint32_t)regs->asq;
	case WEIR_NVME_REG_ASQ + 4:
		return (uint32_t)(regs->asq >> 32);
	case WEIR_NVME_REG_ACQ:
		return (uint32_t)regs->acq;
	case WEIR_NVME_REG_ACQ + 4:
		return (uint32_t)(regs->acq >> 32);
	default:
		return 0;
	}
}

void weir_model_nvme_changed(struct weir_model_nvme *nvme)
{
	/* Pairs with the acquire in step(). */
	__atomic_store_n(&nvme->control, true, __ATOMIC_RELEASE);
}

static void write_cc(struct weir_model_nvme *nvme, uint32_t value)
{
	const uint32_t fields = WEIR_NVME_CC_EN | WEIR_NVME_CC_CSS_MASK | WEIR_NVME_CC_MPS_MASK |
				WEIR_NVME_CC_AMS_MASK | WEIR_NVME_CC_SHN_MASK |
				WEIR_NVME_CC_IOSQES_MASK | WEIR_NVME_CC_IOCQES_MASK;

	if ((nvme->regs.cc & ~value) & WEIR_NVME_CC_EN) {
		/* RDY stays until step() has let go of all queues: that a host waits for. */
		nvme->reset_wanted = true;
		nvme->regs.csts &= WEIR_NVME_CSTS_RDY;
	} else if (!(nvme->regs.cc & WEIR_NVME_CC_EN) && !(value & WEIR_NVME_CC_SHN_MASK)) {
		/* Shut down while disabled: nothing is left to reset. */
		nvme->regs.csts &= ~WEIR_NVME_CSTS_SHST_MASK;
	}
	nvme->regs.cc = value & fields;
	weir_model_nvme_changed(nvme);
}

static uint64_t replace_half(uint64_t reg, bool high, uint32_t value)
{
	if (high)
		reg = (uint32_t)reg | (uint64_t)value << 32;
	else
		reg = (reg & ~(uint64_t)UINT32_MAX) | value;
	return reg & WEIR_NVME_AQ_BASE_MASK;
}

static void write_register(struct weir_model_nvme *nvme, uint64_t offset, uint32_t value)
{
	struct nvme_regs *regs = &nvme->regs;

	switch (offset) {
	case WEIR_NVME_REG_INTMS:
		regs->intm |= value;
		break;
	case WEIR_NVME_REG_INTMC:
		regs->intm &= ~value;
		break;
	case WEIR_NVME_REG_CC:
		write_cc(nvme, value);
		break;
	case WEIR_NVME_REG_AQA:
		regs->aqa = value & (WEIR_NVME_AQA_ASQS_MASK | WEIR_NVME_AQA_ACQS_MASK);
		break;
	case WEIR_NVME_REG_ASQ:
	case WEIR_NVME_REG_ASQ + 4:
		regs->asq = replace_half(regs->asq, offset != WEIR_NVME_REG_ASQ, value);
		break;
	case WEIR_NVME_REG_ACQ:
	case WEIR_NVME_REG_ACQ + 4:
		regs->acq = replace_half(regs->acq, offset != WEIR_NVME_REG_ACQ, value);
		break;
	default:
		break;
	}
}

static void bad_doorbell(struct weir_model_nvme *nvme, unsigned int info)
{
	__atomic_fetch_or(&nvme->bad_doorbells, 1u << info, __ATOMIC_RELAXED);
}

static void ring(struct weir_model_nvme *nvme, uint64_t offset, uint32_t value)
{
	uint64_t index = (offset - WEIR_NVME_REG_DOORBELLS) / 4;
	uint64_t qid = index / 2;
	uint32_t *doorbell, size;

	if (qid > nvme->max_queues) {
		bad_doorbell(nvme, WEIR_NVME_AER_INFO_INVALID_DOORBELL);
		return;
	}
	/* The acquire pairs with the release that publishes a new queue. */
	size = __atomic_load_n(index & 1 ? &nvme->cq[qid].size : &nvme->sq[qid].size,
			       __ATOMIC_ACQUIRE);
	doorbell = index & 1 ? &nvme->cq[qid].doorbell : &nvme->sq[qid].tail;
	value &= UINT16_MAX;
	if (!size)
		bad_doorbell(nvme, WEIR_NVME_AER_INFO_INVALID_DOORBELL);
	else if (value >= size)
		bad_doorbell(nvme, WEIR_NVME_AER_INFO_INVALID_VALUE);
	else /* pairs with the acquire loads of step() */
		__atomic_store_n(doorbell, value, __ATOMIC_RELEASE);
}

static enum weir_model_result mmio_read(void *opaque, uint64_t offset, unsigned int size,
					uint32_t requester, uint64_t *value)
{
	struct weir_model_nvme *nvme = opaque;

	(void)requester;
	if (__atomic_load_n(&nvme->dead, __ATOMIC_RELAXED)) {
		*value = size == 8 ? UINT64_MAX : WEIR_BIT(8 * size) - 1;
		return WEIR_MODEL_OK;
	}
	pthread_mutex_lock(&nvme->lock);
	*value = read_register(nvme, offset & ~(uint64_t)3);
	if (size == 8)
		*value |= (uint64_t)read_register(nvme, offset + 4) << 32;
	pthread_mutex_unlock(&nvme->lock);
	if (size < 4)
		*value = (*value >> (8 * (offset & 3))) & (WEIR_BIT(8 * size) - 1);
	return WEIR_MODEL_OK;
}

static void write_word(struct weir_model_nvme *nvme, uint64_t offset, uint32_t value)
{
	if (offset >= WEIR_NVME_REG_DOORBELLS) {
		ring(nvme, offset, value);
		return;
	}
	pthread_mutex_lock(&nvme->lock);
	write_register(nvme, offset, value);
	pthread_mutex_unlock(&nvme->lock);
}

static enum weir_model_result mmio_write(void *opaque, uint64_t offset, unsigned int size,
					 uint32_t requester, uint64_t value)
{
	struct weir_model_nvme *nvme = opaque;

	(void)requester;
	if (__atomic_load_n(&nvme->dead, __ATOMIC_RELAXED) || size < 4)
		return WEIR_MODEL_OK;
	write_word(nvme, offset, (uint32_t)value);
	if (size == 8)
		write_word(nvme, offset + 4, (uint32_t)(value >> 32));
	weir_model_kick(&nvme->stepper);
	return WEIR_MODEL_OK;
}

const struct weir_model_mmio_ops weir_model_nvme_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};
