/* SPDX-License-Identifier: MIT */

/* A machine, the stack on it, the job, and everything away again. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/pci.h>

#include <nvme/nvme.h>
#include "tool.h"

struct session {
	const struct run_options *options;
	const char *image;
	struct run_report report;
	struct rogue_report rogue;
	struct posix_machine *machine;
	struct weir *weir;
	struct nvme_ctrl *ctrl;
	int fd;
	uint64_t size;
	void *tree; /* of --device-tree, or NULL */
	size_t tree_size;
	unsigned int quiet;  /* atomic: bring-up; the first error is kept instead of printed */
	unsigned int errors; /* atomic */
	char first_error[256];
	char title[128];
};

static void log_line(void *opaque, enum weir_level level, const char *line)
{
	struct session *s = opaque;

	/*
	 * Acquire: pairs with the release in work(), before which first_error is this thread's to
	 * write.
	 */
	if (!__atomic_load_n(&s->quiet, __ATOMIC_ACQUIRE))
		fprintf(stderr, "%s\n", line);
	else if (level == WEIR_LOG_ERR && !__atomic_fetch_add(&s->errors, 1, __ATOMIC_RELAXED))
		snprintf(s->first_error, sizeof(s->first_error), "%s", line);
}

static int disk_read(void *opaque, uint64_t offset, void *buf, size_t len)
{
	const struct session *s = opaque;
	char *p = buf;

	while (len) {
		ssize_t n = pread(s->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* the file became shorter than it was */
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int build_machine(struct session *s)
{
	const struct run_options *o = s->options;
	uint64_t buffers =
		(uint64_t)o->job.cpus * o->job.queue_depth * ((o->job.block_size + 4095u) & ~4095u);
	struct posix_options px = {
		.runner = o->seeded ? POSIX_SEEDED : POSIX_THREADED,
		.seed = o->seed,
		.cpus = o->job.cpus,
		.ram_size = (256ull << 20) + ((buffers + 0xfffff) & ~0xfffffull),
		.log = log_line,
		.log_opaque = s,
		.machine = {
			.smmu = o->smmu,
			.has_disk = true,
			.nvme = { .disk = { .read = disk_read, .opaque = s, .size = s->size },
				  .mdts = 9, .max_queues = o->job.cpus, .seed = o->seed },
			.has_rogue = o->rogue,
		},
	};
	int ret = posix_create(&px, &s->machine);

	if (ret)
		complain("cannot make a machine with %llu MiB of memory: %s",
			 (unsigned long long)(px.ram_size >> 20), strerror(-ret));
	return ret;
}

/* ---- On CPU 0 --------------------------------------------------------------------------- */

static const struct weir_iommu_driver *const iommu_drivers[] = { &weir_smmuv3_driver, NULL };

static int find_disk(struct session *s)
{
	struct weir_pci_dev *pdev = NULL;
	struct nvme_info info;

	while ((pdev = weir_pci_find(s->weir, WEIR_PCI_ANY, WEIR_PCI_ANY, pdev)) != NULL) {
		s->ctrl = nvme_ctrl_of(weir_to_pci_dev(pdev));
		if (s->ctrl)
			break;
	}
	if (!s->ctrl)
		return -ENODEV;
	nvme_get_info(s->ctrl, &info);
	snprintf(s->report.disk, sizeof(s->report.disk), "%s", info.model);
	return 0;
}

/* Also the way down: undoes what bring_up() did, as far as it came. */
static int take_down(void *arg)
{
	struct session *s = arg;
	struct weir_stats *stats = &s->report.stats;
	int ret = 0;

	if (!s->weir)
		return 0;
	weir_pci_unregister_driver(s->weir, &weir_nvme_driver);
	weir_pci_remove_all(s->weir);
	weir_get_stats(s->weir, stats);
	s->report.live_mappings = stats->live_mappings;
	ret = weir_fini(s->weir);
	if (!ret) {
		s->weir = NULL;
		posix_set_weir(s->machine, NULL);
	}
	return ret;
}

static int bring_up(void *arg)
{
	struct session *s = arg;
	const struct run_options *o = s->options;
	struct weir_options options = {
		.plat = s->machine,
		.cpus = o->job.cpus,
		.mode = o->mode,
		.iommu_drivers = iommu_drivers,
		.log_level = WEIR_LOG_WARN,
		.history = o->rogue ? 32768 : 0,
		.event_queue_entries = o->event_queue,
	};
	int ret;

	if (s->tree) {
		options.fdt = s->tree;
		options.fdt_size = s->tree_size;
	} else {
		options.fdt = weir_model_machine_fdt(posix_models(s->machine), &options.fdt_size);
	}
	ret = weir_init(&options, &s->weir);
	if (ret)
		return ret;
	posix_set_weir(s->machine, s->weir);
	ret = weir_pci_scan(s->weir);
	if (!ret)
		ret = weir_pci_register_driver(s->weir, &weir_nvme_driver);
	if (!ret)
		ret = find_disk(s);
	if (ret)
		(void)take_down(s);
	return ret;
}

/* ---- The report ------------------------------------------------------------------------- */

#define WIDTH 80

/* A line with the path, cut in its middle where it would not fit. */
static void make_title(struct session *s)
{
	static const char command[] = "weir run: ";
	int room = WIDTH - (int)strlen(command) - 1, head = room / 3;
	size_t len = strlen(s->image);

	if (len <= (size_t)room)
		snprintf(s->title, sizeof(s->title), "%s%s", command, s->image);
	else
		snprintf(s->title, sizeof(s->title), "%s%.*s...%s", command, head, s->image,
			 s->image + len - (size_t)(room - head - 3));
	s->report.title = s->title;
}

/* What is known before anything has happened. */
static void prepare_report(struct session *s)
{
	const struct run_options *o = s->options;
	struct run_report *r = &s->report;

	make_title(s);
	r->options = o->job;
	r->mode = o->mode;
	r->smmu = o->smmu;
	r->seeded = r->virtual_time = o->seeded;
	r->seed = o->seed;
	r->has_models = true;
}

static void write_text(void *opaque, const char *text)
{
	fputs(text, opaque);
}

static bool colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

/* The exit status. */
static int tell(const struct session *s)
{
	const struct report_out out = { write_text, stdout, colours() };
	struct run_problems problems;

	report_judge(&s->report, &problems);
	if (s->options->json) {
		report_json(s->options, s->image, &s->report, &problems);
	} else {
		report_text(&out, &s->report);
		report_rogue(&out, &s->report);
		report_verdict(&out, &problems);
	}
	return problems.count ? EXIT_NOT_WELL : EXIT_WELL;
}

/* ---- The whole -------------------------------------------------------------------------- */

static void collect(struct session *s)
{
	struct run_report *r = &s->report;
	struct weir_model_smmuv3 *smmu = weir_model_machine_smmu(posix_models(s->machine));
	struct weir_model_smmuv3_stats stats = { 0 };

	if (smmu)
		weir_model_smmuv3_get_stats(smmu, &stats);
	/* Answers to what bypasses are kept as well, and are no translations. */
	if (stats.walks) {
		r->walks = stats.walks;
		r->tlb_lookups = stats.tlb_lookups;
		r->tlb_hits = stats.tlb_hits;
	}
	r->leaked_pages = posix_pages_in_use(s->machine);
	if (s->options->seeded)
		r->digest = posix_trace_digest(s->machine);
}

/* Bring-up failed: one line, with the reason that the stack gave. */
static int explain(const struct session *s, int ret)
{
	const char *why = s->first_error[0] ? s->first_error : strerror(-ret);

	if (s->tree)
		complain("device tree %s: %s", s->options->device_tree, why);
	else
		complain("the machine did not come up: %s", why);
	return s->tree ? EXIT_USAGE : EXIT_NOT_WELL;
}

static void work(struct session *s)
{
	struct run_report *r = &s->report;
	int ret = read_disk(s->machine, s->weir, s->ctrl, s->size, r);

	if (ret)
		complain("reading the disk ended early: %s", strerror(-ret));
	if (!ret && s->options->rogue) {
		r->rogue = &s->rogue;
		ret = attack(s->machine, s->weir, s->options, &s->rogue);
		if (ret)
			complain("the rogue could not be loosed: %s", strerror(-ret));
	}
	r->failed = ret != 0;
	ret = posix_call(s->machine, 0, take_down, s);
	if (ret)
		complain("the stack did not come down: %s", strerror(-ret));
	r->failed |= ret != 0;
	collect(s);
}

/* With the machine there: bring-up, work, report. The exit status. */
static int run_on(struct session *s)
{
	struct run_report *r = &s->report;
	int ret;

	__atomic_store_n(&s->quiet, 1, __ATOMIC_RELEASE);
	ret = posix_call(s->machine, 0, bring_up, s);
	if (ret)
		return explain(s, ret);
	__atomic_store_n(&s->quiet, 0, __ATOMIC_RELEASE);
	work(s);
	if (!image_digest(s->fd, s->size, r->expected))
		return EXIT_NOT_WELL;
	r->has_expected = true;
	report_verify(r, s->size);
	return tell(s);
}

int run(const struct run_options *options)
{
	struct session s = { .options = options, .fd = -1 };
	char *made = options->image ? NULL : image_default();
	int status = EXIT_USAGE;

	s.image = options->image ? options->image : made;
	if (!s.image)
		return EXIT_USAGE;
	prepare_report(&s);
	s.fd = image_open(s.image, &s.size);
	if (s.fd < 0)
		goto out;
	if (options->device_tree) {
		s.tree = tree_load(options->device_tree, &s.tree_size);
		if (!s.tree)
			goto out;
	}
	status = EXIT_NOT_WELL;
	if (build_machine(&s))
		goto out;
	status = run_on(&s);
	posix_destroy(s.machine);
out:
	if (s.fd >= 0)
		close(s.fd);
	free(s.tree);
	free(made);
	return status;
}
