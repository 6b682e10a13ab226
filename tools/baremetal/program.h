/* SPDX-License-Identifier: MIT */
#ifndef PROGRAM_H
#define PROGRAM_H

/*
 * The program of a bare-metal image: `weir run` where the hardware is real, or what QEMU takes for
 * it. What its files are to each other:
 *
 *   main.c     bare_main(): the stack up, the job, and everything away again; the report
 *   options.c  the words of the command line
 *   sha256.c   the checksum
 *   part.c     a part of the report, collected while other things are printed
 *   watch.c    hears of blocked accesses, and tells those expected from others
 *   wild.c     what the edu device is made to try; try.c makes one attempt and judges it
 *   storm.c    reads of an NVMe disk into memory that it was not given; raw.c drives the disk
 *   crash.c    exceptions on purpose
 *
 * The exit status is that of `weir run`: 0 all is well, 1 it is not, 2 the input is wrong.
 */

#include <job.h>

enum { STATUS_WELL = 0, STATUS_NOT_WELL = 1, STATUS_USAGE = 2 };

/* ---- options.c --------------------------------------------------------------------------- */

enum task {
	TASK_RUN,
	TASK_STORM, /* then as TASK_RUN */
	TASK_CRASH_NULL,
	TASK_CRASH_STACK,
	TASK_CRASH_WILD,
	TASK_CRASH_TRAP,
};

struct options {
	enum task task;
	enum weir_mode mode;
	bool linear_tables, colour, progress, verbose;
	bool has_sha256;
	unsigned char sha256[SHA256_SIZE];
	uint64_t size; /* bytes of the disk to read; 0: all */
	unsigned int queue_depth, block_size, event_queue;
	char title[80];
};

/*
 * The words of `line`. -WEIR_EINVAL: one of them is wrong; `error` then says which, and what there
 * is.
 */
int options_parse(const char *line, struct options *options, char *error, size_t size);

/* ---- part.c ------------------------------------------------------------------------------ */

#define PART_TEXT 16384u
#define PART_PROBLEMS 4u
#define PART_PROBLEM 128u

/* Nothing is allocated: it outlives the stack, whose memory is counted at the end. */
struct part {
	struct report_out out; /* what is written there is kept in `text` */
	size_t used;
	unsigned int nr_problems;
	char problems[PART_PROBLEMS][PART_PROBLEM];
	char text[PART_TEXT];
};

void part_init(struct part *part, bool colour);
/* A line as it is. */
void part_line(struct part *part, const char *format, ...) WEIR_PRINTF(2, 3);
/* Something that makes the run "not well". */
void part_problem(struct part *part, const char *format, ...) WEIR_PRINTF(2, 3);
void part_add_problems(const struct part *part, struct run_problems *problems);

/* ---- wild.c, storm.c, crash.c ------------------------------------------------------------- */

struct weir_pci_dev;

/*
 * Have the edu device (bound to its driver) reach for what it was not given, the disk's memory
 * among it. TASK.
 */
void wild_run(struct weir *weir, enum weir_mode mode, struct weir_pci_dev *edu,
	      struct weir_pci_dev *disk, struct part *part);

/*
 * Storms of faults by an NVMe function that has no driver yet; it is left as it was. `event_queue`:
 * entries of the SMMU's, at least. TASK.
 */
void storm_run(struct weir *weir, enum weir_mode mode, struct weir_pci_dev *disk,
	       unsigned int event_queue, struct part *part);

/* The exception that the task names. */
_Noreturn void crash_run(enum task task);

/* What an error number means, for people. */
const char *error_text(int error);

#endif
