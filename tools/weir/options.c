/* SPDX-License-Identifier: MIT */

/* The options of `weir run`. A wrong one ends in one line that says what would be right. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define DEPTH_MAX 1023u	     /* slots of a queue pair of the driver */
#define BLOCK_MAX (2u << 20) /* most that one command of the driver moves */
#define CPUS_MAX 16u
#define EVENTS_MIN 4u
#define EVENTS_MAX (1u << 19)	 /* IHI 0070, 6.3.2: SMMU_IDR1.EVENTQS is at most 19 */
#define BUFFERS_MAX (4ull << 30) /* all buffers in flight together */

enum {
	OPT_IMAGE = 256,
	OPT_ROGUE,
	OPT_JSON,
	OPT_IOMMU,
	OPT_MODE,
	OPT_QUEUE_DEPTH,
	OPT_BLOCK_SIZE,
	OPT_CPUS,
	OPT_SEED,
	OPT_EVENT_QUEUE,
	OPT_DEVICE_TREE,
};

static const struct option long_options[] = {
	{ "image", required_argument, NULL, OPT_IMAGE },
	{ "rogue", no_argument, NULL, OPT_ROGUE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "iommu", required_argument, NULL, OPT_IOMMU },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "queue-depth", required_argument, NULL, OPT_QUEUE_DEPTH },
	{ "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "event-queue", required_argument, NULL, OPT_EVENT_QUEUE },
	{ "device-tree", required_argument, NULL, OPT_DEVICE_TREE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const struct run_options defaults = {
	.smmu = true,
	.mode = WEIR_MODE_STRICT,
	.job = { .cpus = 2, .queue_depth = 32, .block_size = 65536 },
	.event_queue = 8192,
};

void options_help(void)
{
	puts("Usage: weir run [OPTION]...\n"
	     "\n"
	     "Put a machine together in this process (RAM, PCIe, SMMUv3, an NVMe disk), bring\n"
	     "the stack up on it, read the whole disk through the NVMe driver, and compare\n"
	     "checksums.\n"
	     "\n"
	     "  --image FILE       the disk: any file (default: one that is made once)\n"
	     "  --rogue            then loose a device that tries every page it was not given\n"
	     "  --json             the report as JSON\n"
	     "  --iommu KIND       smmuv3 (default) or none\n"
	     "  --mode MODE        strict (default), passthrough or off\n"
	     "  --queue-depth N    commands in flight for each CPU: 1 to 1023 (32)\n"
	     "  --block-size N     bytes of each command: a multiple of 512 up to 2M (64K)\n"
	     "  --cpus N           CPUs of the machine: 1 to 16 (2)\n"
	     "  --seed N           one thread at a time, in an order drawn from the seed, in\n"
	     "                     virtual time: a run that repeats exactly\n"
	     "  --event-queue N    entries of the SMMU's event queue: a power of two from 4 to\n"
	     "                     524288 (8192)\n"
	     "  --device-tree FILE what the stack is told of the machine, in place of its\n"
	     "                     own description (a blob)\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0 all is well, 1 it is not, 2 wrong usage or input. See weir(1).");
}

/* Digits, or 0x and hexadecimal digits, and then (if `suffixes`) K or M. */
static bool parse_number(const char *text, bool suffixes, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	unsigned int shift = 0;
	char *end;

	/* strtoull() would take a sign or white space. */
	if (!strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", digits[0]) || !digits[0])
		return false;
	errno = 0;
	*value = strtoull(digits, &end, hex ? 16 : 10);
	if (errno)
		return false;
	if (suffixes && (*end == 'K' || *end == 'k'))
		shift = 10;
	else if (suffixes && (*end == 'M' || *end == 'm'))
		shift = 20;
	if (shift)
		end++;
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

static int wrong(const char *option, const char *value, const char *allowed)
{
	complain("--%s '%s': must be %s", option, value, allowed);
	return EXIT_USAGE;
}

static int parse_count(const char *option, const char *text, unsigned int max, unsigned int *count)
{
	char allowed[64];
	uint64_t value;

	if (parse_number(text, false, &value) && value >= 1 && value <= max) {
		*count = (unsigned int)value;
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "a number from 1 to %u", max);
	return wrong(option, text, allowed);
}

static int parse_block_size(const char *text, unsigned int *size)
{
	uint64_t value;

	if (!parse_number(text, true, &value) || !value || value % 512 || value > BLOCK_MAX)
		return wrong("block-size", text, "a multiple of 512 from 512 to 2M");
	*size = (unsigned int)value;
	return 0;
}

static int parse_event_queue(const char *text, unsigned int *entries)
{
	uint64_t value;

	if (!parse_number(text, false, &value) || value < EVENTS_MIN || value > EVENTS_MAX ||
	    (value & (value - 1)))
		return wrong("event-queue", text, "a power of two from 4 to 524288");
	*entries = (unsigned int)value;
	return 0;
}

static int parse_seed(const char *text, struct run_options *options)
{
	if (!parse_number(text, false, &options->seed))
		return wrong("seed", text, "a number from 0 to 18446744073709551615");
	options->seeded = true;
	return 0;
}

static int parse_iommu(const char *text, bool *smmu)
{
	*smmu = !strcmp(text, "smmuv3");
	return *smmu || !strcmp(text, "none") ? 0 : wrong("iommu", text, "smmuv3 or none");
}

static int parse_mode(const char *text, enum weir_mode *mode)
{
	if (!strcmp(text, "strict"))
		*mode = WEIR_MODE_STRICT;
	else if (!strcmp(text, "passthrough"))
		*mode = WEIR_MODE_PASSTHROUGH;
	else if (!strcmp(text, "off"))
		*mode = WEIR_MODE_OFF;
	else
		return wrong("mode", text, "strict, passthrough or off");
	return 0;
}

static int parse_option(int option, const char *value, struct run_options *options)
{
	switch (option) {
	case OPT_IMAGE:
		options->image = value;
		return 0;
	case OPT_ROGUE:
		options->rogue = true;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_IOMMU:
		return parse_iommu(value, &options->smmu);
	case OPT_MODE:
		return parse_mode(value, &options->mode);
	case OPT_QUEUE_DEPTH:
		return parse_count("queue-depth", value, DEPTH_MAX, &options->job.queue_depth);
	case OPT_BLOCK_SIZE:
		return parse_block_size(value, &options->job.block_size);
	case OPT_CPUS:
		return parse_count("cpus", value, CPUS_MAX, &options->job.cpus);
	case OPT_SEED:
		return parse_seed(value, options);
	case OPT_EVENT_QUEUE:
		return parse_event_queue(value, &options->event_queue);
	default:
		options->device_tree = value;
		return 0;
	}
}

/* What getopt_long() did not take; `given` is the argument that it stumbled over. */
static int refuse(int why, const char *given)
{
	if (why == ':')
		complain("%s needs a value: 'weir run --help' lists the options", given);
	else if (optopt >= OPT_IMAGE || optopt == 'h')
		complain("%s: this option takes no value", given);
	else if (optopt) /* a letter, maybe in the middle of others */
		complain("unknown option -%c: 'weir run --help' lists the options", optopt);
	else
		complain("unknown option %s: 'weir run --help' lists the options", given);
	return EXIT_USAGE;
}

static int check_together(const struct job_options *job)
{
	uint64_t buffers = (uint64_t)job->cpus * job->queue_depth * job->block_size;

	if (buffers <= BUFFERS_MAX)
		return 0;
	complain("--cpus %u x --queue-depth %u x --block-size %u: %" PRIu64
		 " MiB of buffers, more than 4096: lower one of them",
		 job->cpus, job->queue_depth, job->block_size, buffers >> 20);
	return EXIT_USAGE;
}

int options_parse(int argc, char **argv, struct run_options *options)
{
	int option, ret;

	*options = defaults;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == ':' || option == '?')
			return refuse(option, argv[optind - 1]);
		if (option == 'h') {
			options_help();
			return -1;
		}
		ret = parse_option(option, optarg, options);
		if (ret)
			return ret;
	}
	if (optind < argc) {
		complain("unexpected '%s': the image is given as --image FILE; 'weir run --help' "
			 "lists the options",
			 argv[optind]);
		return EXIT_USAGE;
	}
	return check_together(&options->job);
}
