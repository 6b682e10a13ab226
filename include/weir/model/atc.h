/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_ATC_H
#define WEIR_MODEL_ATC_H

/*
 * A PCIe function with an address translation cache (ATS), that asks for pages that are not there
 * (PRI), and whose accesses may bear a PASID: what an SMMU's ATS and PRI are tested with.
 *
 *   job --- cached? --- no: translation request --- permitted? --- no: page request --- response
 *            |                                         |                                  |
 *            +--- translated access, and memory -------+        retried by step() --------+
 *
 * Invalidations of its cache arrive through weir_model_atc_client_ops. They are answered when no
 * access that may use what they dropped is under way, and as the manners say.
 *
 * Threads: everything but create, destroy and step() may be called from any number at once.
 */

#include <weir/model/smmuv3.h>

WEIR_BEGIN_DECLS

struct weir_model_atc;

/** How invalidations are answered. */
enum weir_model_atc_manners {
	WEIR_MODEL_ATC_PROMPT = 0, /**< as soon as it may be */
	WEIR_MODEL_ATC_LAZY,	   /**< by step() */
	WEIR_MODEL_ATC_MUTE,	   /**< never; -> weir_model_atc_time_out() */
	WEIR_MODEL_ATC_REFUSING,   /**< Unsupported Request; nothing is dropped */
};

struct weir_model_atc_config {
	struct weir_model_smmuv3 *smmu;
	uint32_t stream;
	enum weir_model_atc_manners manners;
	bool pri; /**< asks for pages; else what is not permitted is BLOCKED */
	/** Physical memory, within a page; from any thread. */
	enum weir_model_result (*memory)(void *opaque, uint64_t addr, void *buf, uint32_t len,
					 bool write);
	void *opaque;
};

/** An access. The device's own between start() and done(), the caller's else. */
struct weir_model_atc_job {
	uint64_t addr;
	void *buf;
	uint32_t len; /**< within a page of 4 KiB */
	uint32_t substream;
	uint16_t flags; /**< WEIR_MODEL_TXN_WRITE, INSTRUCTION, PRIVILEGED, SUBSTREAM */
	/** How it ended: OK, ABORT, BLOCKED. STALLED while it waits for a page. */
	enum weir_model_result result;
	/** A job that waited is over: called by step(), without locks. May be NULL. */
	void (*done)(struct weir_model_atc_job *job);
};

struct weir_model_atc_stats {
	uint64_t hits, requests; /**< in the cache, and translation requests */
	uint64_t refused;	 /**< ... that were answered with UR or CA */
	uint64_t forbidden;	 /**< translated accesses that the SMMU ended */
	uint64_t page_requests, responses, unexpected; /**< the last: responses to nothing */
	uint64_t invalidations, answered;
};

/** -WEIR_ENOMEM. */
int weir_model_atc_create(const struct weir_model_atc_config *config, struct weir_model_atc **atc);
/** No job is the device's, and the SMMU is quiet. */
void weir_model_atc_destroy(struct weir_model_atc *atc);

/** Returns job->result. STALLED: done() follows; all else: it is over, and done() is not called. */
enum weir_model_result weir_model_atc_start(struct weir_model_atc *atc,
					    struct weir_model_atc_job *job);
/** A job of `flags` that is not worth waiting for: a page that has to be asked for is BLOCKED. */
enum weir_model_result weir_model_atc_access(struct weir_model_atc *atc, uint16_t flags,
					     uint32_t substream, uint64_t addr, void *buf,
					     uint32_t len);

/** Ends what is not answered: the Root Complex waited long enough (3.9.1.4). Returns how many. */
unsigned int weir_model_atc_time_out(struct weir_model_atc *atc);

/**
 * For weir_model_smmuv3_set_client(), with the device as opaque; a host with more of them chooses.
 */
extern const struct weir_model_smmuv3_client_ops weir_model_atc_client_ops;

struct weir_model_stepper *weir_model_atc_stepper(struct weir_model_atc *atc);
void weir_model_atc_get_stats(struct weir_model_atc *atc, struct weir_model_atc_stats *stats);

WEIR_END_DECLS

#endif
