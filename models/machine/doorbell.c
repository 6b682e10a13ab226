/* SPDX-License-Identifier: MIT */
/*
 * The message controller: a GICv2m frame (Arm Server Base System Architecture, appendix on GICv2m).
 * What is written to MSI_SETSPI_NS is the number of the interrupt; no state, no lock.
 */
#include "machine/machine.h"

#define MSI_TYPER 0x008
#define MSI_TYPER_BASE_SHIFT 16
#define MSI_SETSPI_NS 0x040
#define MSI_IIDR 0xfcc

_Static_assert(WEIR_MODEL_MACHINE_MSI_DOORBELL == MACHINE_DOORBELL_BASE + MSI_SETSPI_NS,
	       "the doorbell that the header promises");
_Static_assert(WEIR_MODEL_MACHINE_MSI_FIRST < 1024 && WEIR_MODEL_MACHINE_MSI_COUNT < 1024,
	       "fields of MSI_TYPER");

static enum weir_model_result doorbell_read(void *opaque, uint64_t offset, unsigned int size,
					    uint32_t requester, uint64_t *value)
{
	(void)opaque;
	(void)requester;
	if (size != 4)
		return WEIR_MODEL_ABORT;
	switch (offset) {
	case MSI_TYPER:
		*value = WEIR_MODEL_MACHINE_MSI_FIRST << MSI_TYPER_BASE_SHIFT |
			 WEIR_MODEL_MACHINE_MSI_COUNT;
		return WEIR_MODEL_OK;
	case MSI_IIDR:
		*value = 0;
		return WEIR_MODEL_OK;
	default:
		return WEIR_MODEL_ABORT;
	}
}

static enum weir_model_result doorbell_write(void *opaque, uint64_t offset, unsigned int size,
					     uint32_t requester, uint64_t value)
{
	const struct machine_doorbell *doorbell = opaque;

	(void)requester;
	if (size != 4 || offset != MSI_SETSPI_NS)
		return WEIR_MODEL_ABORT;
	/* A number that is none of the frame's has no effect. */
	if (value >= WEIR_MODEL_MACHINE_MSI_FIRST &&
	    value - WEIR_MODEL_MACHINE_MSI_FIRST < WEIR_MODEL_MACHINE_MSI_COUNT)
		doorbell->sink.raise(doorbell->sink.opaque, (unsigned int)value);
	return WEIR_MODEL_OK;
}

const struct weir_model_mmio_ops weir_model_machine_doorbell_ops = {
	doorbell_read,
	doorbell_write,
};
