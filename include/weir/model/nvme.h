/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODEL_NVME_H
#define WEIR_MODEL_NVME_H

/*
 * An NVMe controller (NVMe 1.4, one namespace of 512- or 4096-byte blocks) over a disk image.
 *
 * Step budget: one command (fetch, data, completion) is one unit and a page of data another.
 */

#include <weir/model/pcie.h>

WEIR_BEGIN_DECLS

struct weir_model_nvme;

/** Where the blocks are. Called from step(). 0 or a negative error (-> a media error status). */
struct weir_model_disk {
	int (*read)(void *opaque, uint64_t offset, void *buf, size_t len);
	int (*write)(void *opaque, uint64_t offset, const void *buf,
		     size_t len);   /**< NULL: read-only */
	int (*flush)(void *opaque); /**< NULL: nothing to do */
	void *opaque;
	uint64_t size; /**< bytes; a last part of a block reads as zeroes beyond it */
};

/** Knobs for tests; all zero is a well-behaved controller. May be changed at any time. */
struct weir_model_nvme_faults {
	uint64_t
		stop_after; /**< N: goes silent after N commands (registers still read); 0: never */
	bool dead;	    /**< registers read all ones: the device fell off the bus */
	bool never_ready;   /**< CSTS.RDY never follows CC.EN */
	bool bad_cid;	    /**< completions carry a command identifier that nobody used */
	bool bad_data;	    /**< writes data one page further than it was told */
	bool bad_stride;    /**< CAP.DSTRD puts its doorbells far beyond its BAR */
	uint64_t error_every; /**< N: each Nth I/O command fails with a media error */
	bool reorder;	      /**< commands of one queue complete in another order */
};

struct weir_model_nvme_config {
	struct weir_model_disk disk;
	unsigned int block_size;  /**< 512 or 4096; 0: 512 */
	unsigned int max_queues;  /**< I/O queue pairs; 0: 16 */
	unsigned int max_entries; /**< a queue's (CAP.MQES + 1); 0: 1024 */
	unsigned int mdts;	  /**< log2 of pages in one transfer; 0: 5 (128 KiB) */
	uint64_t seed;		  /**< of the order in which `reorder` completes */
};

struct weir_model_nvme_stats {
	uint64_t admin_commands, io_commands, bytes_read, bytes_written, dma_errors, interrupts;
};

int weir_model_nvme_create(struct weir_model_pcie *rc, struct weir_model_pci_bridge *parent,
			   uint8_t devfn, const struct weir_model_nvme_config *config,
			   struct weir_model_nvme **nvme);
void weir_model_nvme_destroy(struct weir_model_nvme *nvme);

struct weir_model_stepper *weir_model_nvme_stepper(struct weir_model_nvme *nvme);
void weir_model_nvme_set_faults(struct weir_model_nvme *nvme,
				const struct weir_model_nvme_faults *faults);
void weir_model_nvme_get_stats(struct weir_model_nvme *nvme, struct weir_model_nvme_stats *stats);

WEIR_END_DECLS

#endif
