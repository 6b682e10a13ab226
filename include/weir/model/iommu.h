/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_IOMMU_H
#define WEIR_MODEL_IOMMU_H

/*
 * Transactions: what goes into an IOMMU model, and what comes out.
 */

#include <weir/model/host.h>

WEIR_BEGIN_DECLS

/* What a transaction is (flags of struct weir_model_txn). None: a read of data, unprivileged. */
#define WEIR_MODEL_TXN_WRITE WEIR_BIT(0)
/** Reads and writes at once; with WRITE. */
#define WEIR_MODEL_TXN_ATOMIC WEIR_BIT(1)
#define WEIR_MODEL_TXN_INSTRUCTION WEIR_BIT(2)
#define WEIR_MODEL_TXN_PRIVILEGED WEIR_BIT(3)
/** `substream` holds a SubstreamID (a PASID). */
#define WEIR_MODEL_TXN_SUBSTREAM WEIR_BIT(4)
/** An ATS Translation Request: WRITE for NW == 0, INSTRUCTION for Execute Requested. */
#define WEIR_MODEL_TXN_ATS_REQUEST WEIR_BIT(5)
/** An address that the device translated itself, by ATS. */
#define WEIR_MODEL_TXN_TRANSLATED WEIR_BIT(6)
/** From a Secure stream (SEC_SID), where the IOMMU has a Secure interface; else it says nothing. */
#define WEIR_MODEL_TXN_SECURE WEIR_BIT(7)
/**
 * complete() is called by another thread than translate(); costs a lock. Without it, complete() is
 * called by the same thread, in the reverse order of its translate() calls.
 */
#define WEIR_MODEL_TXN_DETACHED WEIR_BIT(11)

/*
 * Attributes of an access, as they come in and as they go out. A memory type is encoded as in
 * MAIR_EL1 (DDI 0487): 0x00 Device-nGnRnE, 0xff Normal write-back with all hints.
 */
#define WEIR_MODEL_ATTR_MEMORY WEIR_GENMASK(7, 0)
#define WEIR_MODEL_ATTR_SH WEIR_GENMASK(9, 8) /**< 0 non-shareable, 2 outer, 3 inner */
#define WEIR_MODEL_ATTR_NS WEIR_BIT(10)	      /**< Non-secure */
/* Out alone: after the overrides of the stream. */
#define WEIR_MODEL_ATTR_INSTRUCTION WEIR_BIT(11)
#define WEIR_MODEL_ATTR_PRIVILEGED WEIR_BIT(12)
/** What PCIe gives where it says nothing: Normal write-back, inner shareable, Non-secure. */
#define WEIR_MODEL_ATTR_PCIE 0x7ffu

/** A transaction that arrives at an IOMMU: touches one page of 4 KiB at most. */
struct weir_model_txn {
	uint64_t addr;
	uint32_t stream; /**< stream ID or requester ID */
	uint32_t substream;
	uint32_t len;	     /**< bytes, from addr; at least 1. A model may look at addr alone */
	uint16_t flags;	     /**< WEIR_MODEL_TXN_* */
	uint16_t attributes; /**< WEIR_MODEL_ATTR_* */
};

/* Answers to an ATS Translation Request (PCIe 10.2.3): `ats` of struct weir_model_translation. */
#define WEIR_MODEL_ATS_READ WEIR_BIT(0)
#define WEIR_MODEL_ATS_WRITE WEIR_BIT(1)
#define WEIR_MODEL_ATS_EXECUTE WEIR_BIT(2)
#define WEIR_MODEL_ATS_PRIVILEGED WEIR_BIT(3)
#define WEIR_MODEL_ATS_GLOBAL WEIR_BIT(4)
/** With WEIR_MODEL_BLOCKED: status Completer Abort; without it Unsupported Request. */
#define WEIR_MODEL_ATS_CA WEIR_BIT(7)

/** What became of it. */
struct weir_model_translation {
	uint64_t addr;	     /**< where it goes; for ATS: of the first byte of the range */
	uint32_t attributes; /**< WEIR_MODEL_ATTR_* */
	uint8_t ats;	     /**< WEIR_MODEL_ATS_*: answers an ATS_REQUEST alone */
	uint8_t size;	     /**< log2 of the range of an ATS answer, in bytes */
	uint16_t stag;	     /**< with WEIR_MODEL_STALLED: names it to the resume call */
	uintptr_t flight;    /**< the model's own, until complete() */
};

/** What an IOMMU model offers to the ports above it. Any thread, several at once. */
struct weir_model_iommu_ops {
	/**
	 * On WEIR_MODEL_OK the transaction is in flight until complete(): an invalidation that is
	 * to wait for it does. Otherwise it is over (STALLED: until the model's resume call), and
	 * recorded as the specification says. An ATS_REQUEST is never in flight after the call: an
	 * answer that an invalidation overtakes on its way to the device has to be dropped there.
	 * A thread that ends before complete() leaves its transactions in flight for ever.
	 */
	enum weir_model_result (*translate)(void *iommu, const struct weir_model_txn *txn,
					    struct weir_model_translation *out);
	void (*complete)(void *iommu, const struct weir_model_translation *translation);
};

WEIR_END_DECLS

#endif
