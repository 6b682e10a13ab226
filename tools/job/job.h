/* SPDX-License-Identifier: MIT */
#ifndef JOB_H
#define JOB_H

/*
 * The main job and its report, the same in every world: `weir run` in a process, the image of
 * tools/baremetal on a machine. Freestanding: include/weir/ and the drivers' headers alone, no
 * floating point. What differs between worlds is in struct job_world.
 *
 *   job.c     reads a disk through the NVMe driver, on every CPU, and hashes what arrives
 *   report.c  what is wrong with a run, and the report for people
 */

#include <weir/weir.h>

#define SHA256_SIZE 32

/* What a world does for the job. Called in TASK context on a CPU of the machine. */
struct job_world {
	void *opaque; /* given back */
	/* fn(arg) as a thread on `cpu`, and wait for its end. 0 or an error. */
	int (*start)(void *opaque, unsigned int cpu, int (*fn)(void *arg), void *arg,
		     void **thread);
	int (*join)(void *opaque, void *thread);
	/* The next bytes of the disk, in order; one call at a time, by any thread. */
	void (*hash)(void *opaque, const void *data, size_t size);
	/* So many bytes were hashed so far; NULL: nobody wants to know. Like hash(). */
	void (*progress)(void *opaque, uint64_t bytes);
};

struct job_options {
	unsigned int cpus;	  /* 0, 1, ...: each reads */
	unsigned int queue_depth; /* requests in flight on each */
	unsigned int block_size;  /* of a request: whole sectors, at most nvme_info.max_transfer */
};

struct job_result {
	uint64_t bytes, read_errors;
	uint64_t ns; /* from the first request to the last byte hashed */
};

struct nvme_ctrl;
/*
 * Read the first `size` bytes of the disk. 0; or the first error that ended it (-WEIR_ENOMEM,
 * -WEIR_EINVAL: the options, the driver's, or the world's); `result` says how far it came. Reads
 * that failed are no error, but counted. Nothing is left allocated or mapped. Context: TASK.
 */
int job_read(struct weir *weir, struct nvme_ctrl *ctrl, uint64_t size,
	     const struct job_options *options, const struct job_world *world,
	     struct job_result *result);

/* ---- The report ------------------------------------------------------------------------- */

/* What the rogue device of the models was made to try, and what came of it. */
enum job_target {
	JOB_TARGET_UNMAPPED,
	JOB_TARGET_NEVER,
	JOB_TARGET_READ_ONLY,
	JOB_TARGET_NEIGHBOUR,
	JOB_TARGETS
};

struct rogue_report {
	uint64_t attempts, reads, writes, blocked, aborted, hits;
	uint64_t events;      /* received while the rogue was at it */
	uint64_t events_lost; /* dropped, says the model */
	uint64_t overflows;   /* times the driver was told so */
	uint64_t pages_checked, pages_changed, writes_spared;
	uint64_t tries[JOB_TARGETS];
	char faults[16][320]; /* one line for each kind */
	unsigned int nr_faults;
};

/* What happened; filled in as far as the run came. Zeroed at first. */
struct run_report {
	const char *title;    /* "weir run: disk.img" */
	const char *platform; /* where it ran; NULL: not worth a line */
	char disk[48];	      /* what the controller calls itself */
	struct job_options options;
	struct job_result job;
	enum weir_mode mode;
	bool smmu; /* an SMMUv3 is driven */
	bool seeded, virtual_time;
	uint64_t seed, digest; /* of a seeded run */

	unsigned char expected[SHA256_SIZE], got[SHA256_SIZE];
	bool has_expected;     /* false: nobody said what the disk holds */
	bool verified, failed; /* failed: a step of the run ended with an error */

	struct weir_stats stats; /* after everything was taken down */
	uint64_t live_mappings, leaked_pages;
	uint64_t busy_ns; /* processor time of the driver's side */
	bool has_models;  /* the hardware is models, which count: */
	uint64_t model_ns, walks, tlb_lookups, tlb_hits;

	const struct rogue_report *rogue; /* NULL: was not loosed */
};

struct run_problems {
	char text[8][128];
	unsigned int count;
};

/* "strict", "passthrough", "off". */
const char *report_mode_name(enum weir_mode mode);

/*
 * With `got`, `expected`, `job` and `failed` there: whether the first `size` bytes of the disk all
 * came, and are what was expected. Sets `verified`.
 */
void report_verify(struct run_report *report, uint64_t size);
/* What is wrong with a run. The exit status, the last line and the JSON all follow from it. */
void report_judge(const struct run_report *report, struct run_problems *problems);

/* Where a report goes: text, a line in a piece; colours with ANSI escapes if `colour`. */
struct report_out {
	void (*write)(void *opaque, const char *text);
	void *opaque;
	bool colour;
};
/* The head of the report: all but the rogue and the verdict. */
void report_text(const struct report_out *out, const struct run_report *report);
/* What the rogue tried, if it was loosed. */
void report_rogue(const struct report_out *out, const struct run_report *report);
/* The last lines: "all well", or what is not. */
void report_verdict(const struct report_out *out, const struct run_problems *problems);

/* For other parts of a report: a row "  label          text", a line in green or red, 1,234,567. */
void report_row(const struct report_out *out, const char *label, const char *format, ...)
	WEIR_PRINTF(3, 4);
void report_line(const struct report_out *out, bool good, const char *format, ...)
	WEIR_PRINTF(3, 4);
#define REPORT_NUMBER 32
const char *report_grouped(uint64_t value, char text[REPORT_NUMBER]);

/* How far the job is, 0 to 100, and as a line: "[====    ]  50 %  32 of 64 MiB". size is not 0. */
unsigned int report_percent(uint64_t bytes, uint64_t size);
#define REPORT_BAR 112
const char *report_bar(uint64_t bytes, uint64_t size, char text[REPORT_BAR]);

#endif
