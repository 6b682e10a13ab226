/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_H
#define WEIR_TOOL_H

/*
 * The weir command: what its files are to each other. The job itself and its report for people are
 * in tools/job.
 *
 *   main.c         subcommands, --help
 *   options.c      the options of `weir run`
 *   image.c        files of the user's; the disk image that is used when he names none (made by
 *                  stage.c and ext4.c, see image.h)
 *   run.c          a machine, the stack on it, the job, and everything away again
 *   read.c         the job on this machine: its CPUs, the checksum, a progress bar
 *   attack.c       what the rogue device is made to try
 *   report-json.c  the report as JSON
 *   vectors.c      `weir vectors`, with the files that vectors.h lists
 *
 * Exit status of a run: 0 all is well, 1 it is not (not verified, mappings left, memory reached by
 * the rogue), 2 the input is wrong; then nothing was done.
 */

#include <job.h>
#include <posix.h>

enum { EXIT_WELL = 0, EXIT_NOT_WELL = 1, EXIT_USAGE = 2 };

struct run_options {
	const char *image; /* NULL: the default image */
	const char *
		device_tree; /* --device-tree FILE: instead of the one that describes the machine */
	bool rogue, json, smmu;
	bool seeded;
	enum weir_mode mode;
	struct job_options job;
	unsigned int event_queue;
	uint64_t seed;
};

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
 * read.c: read `size` bytes of the disk through the driver, on the machine's CPUs: the report's
 * job, got and processor times. 0 or an error.
 */
struct nvme_ctrl;
int read_disk(struct posix_machine *machine, struct weir *weir, struct nvme_ctrl *ctrl,
	      uint64_t size, struct run_report *report);

/* attack.c: loose the rogue. 0 or an error. */
int attack(struct posix_machine *machine, struct weir *weir, const struct run_options *options,
	   struct rogue_report *report);

/* report-json.c: on stdout. */
void report_json(const struct run_options *options, const char *image,
		 const struct run_report *report, const struct run_problems *problems);

/* vectors.c: the exit status. */
int vectors_command(int argc, char **argv);
void vectors_help(void);

/* "weir: ..." on stderr. */
void complain(const char *format, ...) WEIR_PRINTF(1, 2);

#endif
