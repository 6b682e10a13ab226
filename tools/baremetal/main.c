/* SPDX-License-Identifier: MIT */

/* The stack up, the job, and everything away again. */

#include <stdarg.h>

#include <weir/domain.h>
#include <weir/fdt.h>
#include <weir/hw/nvme.h>
#include <weir/pci-host.h>
#include <weir/sys.h>

#include <edu/edu.h>
#include <nvme/nvme.h>
#include "bare.h"
#include "program.h"
#include "sha256.h"

#define HISTORY 32768u

struct session {
	struct options options;
	struct weir *weir;
	struct weir_pci_dev *disk;
	struct nvme_ctrl *ctrl;
	uint64_t size; /* bytes to read */
	struct sha256 sha;
	unsigned int percent; /* that the progress line shows, and one more; 0: there is none */
	struct run_report report;
	struct run_problems problems;
	struct part storm, wild;
	struct report_out console;
	char platform[80], error[512];
	uint64_t pages; /* in use before */
};

static void WEIR_PRINTF(1, 2) say(const char *format, ...)
{
	char line[600];
	va_list args;

	va_start(args, format);
	weir_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	bare_print(line);
}

const char *error_text(int error)
{
	switch (-error) {
	case WEIR_ENOMEM:
		return "out of memory";
	case WEIR_ENODEV:
		return "a device is missing or does not answer";
	case WEIR_ETIMEDOUT:
		return "no answer in time";
	case WEIR_EINVAL:
		return "something is wrong in what it was told";
	case WEIR_EOPNOTSUPP:
		return "something that is needed is not supported";
	case WEIR_EIO:
		return "a device reported an error";
	default:
		return "an error without a name here";
	}
}

static void print(void *opaque, const char *text)
{
	(void)opaque;
	bare_print(text);
}

/* ---- Up, and down again ------------------------------------------------------------------ */

static const struct weir_iommu_driver *const iommu_drivers[] = { &weir_smmuv3_driver, NULL };

static int bring_up(struct session *s)
{
	struct weir_options options = {
		.plat = bare_plat(),
		.cpus = bare_cpus(),
		.mode = s->options.mode,
		.iommu_drivers = iommu_drivers,
		.log_level = s->options.verbose ? WEIR_LOG_INFO : WEIR_LOG_WARN,
		.history = HISTORY,
		.event_queue_entries = s->options.event_queue,
		.linear_stream_table = s->options.linear_tables,
	};
	int ret;

	options.fdt = bare_device_tree(&options.fdt_size);
	ret = weir_init(&options, &s->weir);
	if (ret)
		return ret;
	bare_set_weir(s->weir);
	return weir_pci_scan(s->weir);
}

static void take_down(struct session *s)
{
	struct weir_stats *stats = &s->report.stats;
	int ret;

	if (!s->weir)
		return;
	weir_pci_unregister_driver(s->weir, &weir_edu_driver);
	weir_pci_unregister_driver(s->weir, &weir_nvme_driver);
	weir_pci_remove_all(s->weir);
	weir_get_stats(s->weir, stats);
	s->report.live_mappings = stats->live_mappings;
	ret = weir_fini(s->weir);
	if (ret) {
		say("weir: the stack did not come down: %s\n", error_text(ret));
		s->report.failed = true;
	} else {
		s->weir = NULL;
		bare_set_weir(NULL);
	}
	if (bare_pages_in_use() > s->pages)
		s->report.leaked_pages = bare_pages_in_use() - s->pages;
}

/* Whether there is one to drive. A tree that is wrong has been reported by weir_init(). */
static bool has_smmu(void)
{
	struct weir_fdt_node node;
	struct weir_fdt fdt;
	const void *blob;
	size_t size;

	blob = bare_device_tree(&size);
	if (weir_fdt_open(blob, size, &fdt))
		return false;
	weir_fdt_root(&fdt, &node);
	while (weir_fdt_next_compatible(&fdt, &node, "arm,smmu-v3"))
		if (weir_fdt_is_enabled(&fdt, &node))
			return true;
	return false;
}

/* In strict mode nothing that is driven may be beside the SMMU: the report would say too much. */
static void check_protected(struct session *s, struct weir_pci_dev *pdev)
{
	const struct weir_domain *domain = weir_device_domain(&pdev->dev);

	if (!s->report.smmu || s->options.mode != WEIR_MODE_STRICT)
		return;
	if (!domain || domain != weir_device_dma_domain(&pdev->dev))
		part_problem(&s->wild, "%s is not behind the SMMU", weir_device_name(&pdev->dev));
}

/* ---- The disk ----------------------------------------------------------------------------- */

static struct weir_pci_dev *find_disk(struct weir *weir)
{
	struct weir_pci_dev *pdev = NULL;

	while ((pdev = weir_pci_find(weir, WEIR_PCI_ANY, WEIR_PCI_ANY, pdev)) != NULL)
		if (pdev->class_code == WEIR_NVME_PCI_CLASS)
			return pdev;
	return NULL;
}

static int no_disk(void)
{
	say("weir: this machine has no NVMe disk to read. With QEMU add\n"
	    "  -drive file=disk.img,if=none,id=disk,format=raw,readonly=on "
	    "-device nvme,drive=disk,serial=1\n");
	return STATUS_USAGE;
}

static int drive_disk(struct session *s)
{
	struct nvme_info info;
	uint64_t bytes;
	int ret = weir_pci_register_driver(s->weir, &weir_nvme_driver);

	if (!ret)
		s->ctrl = nvme_ctrl_of(weir_to_pci_dev(s->disk));
	if (!s->ctrl) {
		say("weir: the NVMe disk %s could not be brought up\n",
		    weir_device_name(&s->disk->dev));
		return STATUS_NOT_WELL;
	}
	nvme_get_info(s->ctrl, &info);
	weir_snprintf(s->report.disk, sizeof(s->report.disk), "%s", info.model);
	bytes = info.blocks * info.block_size;
	s->size = s->options.size ? s->options.size : bytes;
	if (s->size > bytes) {
		say("weir: size=%llu: the disk has %llu bytes\n", (unsigned long long)s->size,
		    (unsigned long long)bytes);
		return STATUS_USAGE;
	}
	return STATUS_WELL;
}

/* ---- The job ------------------------------------------------------------------------------ */

static int start(void *opaque, unsigned int cpu, int (*fn)(void *arg), void *arg, void **thread)
{
	struct bare_thread *started;
	int ret = bare_thread_start(cpu, fn, arg, &started);

	(void)opaque;
	*thread = started;
	return ret;
}

static int join(void *opaque, void *thread)
{
	(void)opaque;
	return bare_thread_join(thread);
}

static void hash(void *opaque, const void *data, size_t size)
{
	struct session *s = opaque;

	sha256_update(&s->sha, data, size);
}

static void progress(void *opaque, uint64_t bytes)
{
	struct session *s = opaque;
	unsigned int percent = report_percent(bytes, s->size);
	char text[REPORT_BAR];

	if (percent < s->percent)
		return;
	s->percent = percent + 1;
	say("\r%s", report_bar(bytes, s->size, text));
}

static int read_disk(struct session *s)
{
	struct run_report *r = &s->report;
	struct job_world world = {
		.opaque = s,
		.start = start,
		.join = join,
		.hash = hash,
		.progress = s->options.progress ? progress : NULL,
	};
	uint64_t busy = bare_busy_ns();
	int ret;

	sha256_init(&s->sha);
	ret = job_read(s->weir, s->ctrl, s->size, &r->options, &world, &r->job);
	r->busy_ns = bare_busy_ns() - busy;
	sha256_final(&s->sha, r->got);
	if (s->percent)
		bare_print("\r\033[K");
	if (ret)
		say("weir: reading the disk ended early: %s\n", error_text(ret));
	r->failed |= ret != 0;
	report_verify(r, s->size);
	return ret ? STATUS_NOT_WELL : STATUS_WELL;
}

/* ---- The edu device ------------------------------------------------------------------------ */

static void loose_edu(struct session *s)
{
	const struct weir_pci_id *id = weir_edu_driver.ids();
	struct weir_pci_dev *edu = weir_pci_find(s->weir, id->vendor, id->device, NULL);

	if (!edu)
		return;
	check_protected(s, edu);
	if (weir_pci_register_driver(s->weir, &weir_edu_driver) || !edu_of(weir_to_pci_dev(edu)))
		part_problem(&s->wild, "the edu device could not be brought up");
	else
		wild_run(s->weir, s->options.mode, edu, s->disk, &s->wild);
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* The report, when nothing is left of the stack. */
static int conclude(struct session *s)
{
	report_judge(&s->report, &s->problems);
	part_add_problems(&s->storm, &s->problems);
	part_add_problems(&s->wild, &s->problems);
	report_text(&s->console, &s->report);
	bare_print(s->storm.text);
	bare_print(s->wild.text);
	report_verdict(&s->console, &s->problems);
	return s->problems.count ? STATUS_NOT_WELL : STATUS_WELL;
}

static void begin_report(struct session *s)
{
	struct run_report *r = &s->report;

	bare_describe(s->platform, sizeof(s->platform));
	r->title = s->options.title;
	r->platform = s->platform;
	r->mode = s->options.mode;
	r->smmu = has_smmu();
	r->has_expected = s->options.has_sha256;
	memcpy(r->expected, s->options.sha256, SHA256_SIZE);
	r->options = (struct job_options){ .cpus = bare_cpus(),
					   .queue_depth = s->options.queue_depth,
					   .block_size = s->options.block_size };
	s->console = (struct report_out){ .write = print, .colour = s->options.colour };
	part_init(&s->storm, s->options.colour);
	part_init(&s->wild, s->options.colour);
}

/* With the stack up. STATUS_USAGE: nothing was done. */
static int work(struct session *s)
{
	int status;

	s->disk = find_disk(s->weir);
	if (!s->disk)
		return no_disk();
	check_protected(s, s->disk);
	if (s->options.task == TASK_STORM)
		storm_run(s->weir, s->options.mode, s->disk, s->options.event_queue, &s->storm);
	status = drive_disk(s);
	if (status == STATUS_WELL)
		status = read_disk(s);
	if (status == STATUS_WELL)
		loose_edu(s);
	return status;
}

static int run(struct session *s)
{
	int status = STATUS_NOT_WELL, ret;

	begin_report(s);
	s->pages = bare_pages_in_use();
	ret = bring_up(s);
	if (ret)
		say("weir: the machine did not come up: %s\n", error_text(ret));
	else
		status = work(s);
	take_down(s);
	if (s->ctrl && status != STATUS_USAGE)
		return conclude(s);
	/* Without a disk that was read there is no report, but for what came before. */
	bare_print(s->storm.text);
	return status;
}

int bare_main(void)
{
	static struct session session;
	struct options *options = &session.options;

	if (options_parse(bare_arguments(), options, session.error, sizeof(session.error))) {
		say("weir: %s\n", session.error);
		return STATUS_USAGE;
	}
	if (options->task >= TASK_CRASH_NULL)
		crash_run(options->task);
	return run(&session);
}
