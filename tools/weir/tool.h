/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_H
#define WEIR_TOOL_H

/*
 * The weir command: what its files are to each other.
 *
 *   main.c     subcommands, --help
 *   options.c  the options of `weir run`
 *   image.c    files of the user's; the disk image that is used when he names none (made by stage.c
 *              and ext4.c, see image.h)
 *   run.c      a machine, the stack on it, the job, and everything away again
 *   job.c      reads the disk through the driver
 *   attack.c   what the rogue device is made to try
 *   report.c   the report, for people and as JSON
 *
 * Exit status of a run: 0 all is well, 1 it is not (not verified, mappings left, memory reached by
 * the rogue), 2 the input is wrong; then nothing was done.
 */

#include <posix.h>
#include <weir/weir.h>

enum { EXIT_WELL = 0, EXIT_NOT_WELL = 1, EXIT_USAGE = 2 };

struct run_options {
	const char *image; /* NULL: the default image */
	const char *
		device_tree; /* --device-tree FILE: instead of the one that describes the machine */
	bool rogue, json, smmu;
	bool seeded;
	enum weir_mode mode;
	unsigned int queue_depth, block_size, cpus, event_queue;
	uint64_t seed;
};

#define SHA256_SIZE 32

/* What happened; filled in as far as the run came. */
struct run_report {
	const struct run_options *options;
	const char *image;
	char disk[48]; /* what the controller calls itself */
	uint64_t bytes, read_errors;
	unsigned char expected[SHA256_SIZE], got[SHA256_SIZE];
	bool verified, failed; /* failed: a step of the run ended with an error */
	double seconds, cpu_seconds, model_seconds;
	struct weir_stats stats; /* after everything was taken down */
	struct weir_model_smmuv3_stats smmu;
	uint64_t live_mappings, leaked_pages;
	uint64_t digest; /* of a seeded run */

	bool attacked;
	struct weir_model_rogue_stats rogue;
	uint64_t events;      /* received while the rogue was at it */
	uint64_t events_lost; /* dropped, says the model */
	uint64_t overflows;   /* times the driver was told so */
	uint64_t pages_checked, pages_changed, writes_spared;
	uint64_t tries[4];    /* by enum target */
	char faults[16][320]; /* one line for each kind */
	unsigned int nr_faults;
};

enum target { TARGET_UNMAPPED, TARGET_NEVER, TARGET_READ_ONLY, TARGET_NEIGHBOUR };

/* options.c: 0; or EXIT_USAGE after a line on stderr; -1: --help was printed. */
int options_parse(int argc, char **argv, struct run_options *options);
void options_help(void);

/*
 * image.c: the path of the default image, made if it is not there (progress on stderr), free()d by
 * the caller. NULL: a line on stderr said why.
 */
char *image_default(void);
/* Open an image: descriptor, and its size. -1: a line on stderr said why and what to do. */
int image_open(const char *path, uint64_t *size);
/* The whole of a device tree blob, at most 2 MiB, free()d by the caller. NULL: a line on stderr. */
void *tree_load(const char *path, size_t *size);
/* Digest of the file. false: it could not be read (a line on stderr). */
bool image_digest(int fd, uint64_t size, unsigned char digest[SHA256_SIZE]);

/* run.c: the exit status. */
int run(const struct run_options *options);

/*
 * job.c: read `size` bytes of the disk through the driver; on CPUs of the machine. 0 or an error.
 */
struct nvme_ctrl;
int job_read(struct posix_machine *machine, struct weir *weir, struct nvme_ctrl *ctrl,
	     uint64_t size, struct run_report *report);

/* attack.c: loose the rogue. 0 or an error. */
int attack(struct posix_machine *machine, struct weir *weir, struct run_report *report);

/* report.c */
void report_text(const struct run_report *report);
void report_json(const struct run_report *report);
int report_status(const struct run_report *report);

/* "weir: ..." on stderr. */
void complain(const char *format, ...) WEIR_PRINTF(1, 2);

#endif
