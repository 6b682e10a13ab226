/* SPDX-License-Identifier: MIT */

/*
 * Storms of faults: a disk that is told to read into memory that it was not given. A queue full of
 * such reads at a time, in rounds of one kind each:
 *
 *   PRP1      the only page is not its own
 *   PRP2      the first page is, the second is not
 *   list      every other page of a PRP list is not
 *   no list   the PRP list itself lies in memory that is not
 *
 * The rules that hold: every command completes, once; what tells of blocked accesses arrives, as
 * much of it as the event queue can hold at least; the log is not flooded; memory is what it was;
 * and the controller, its queues and the reports of faults work afterwards as if nothing had been.
 *
 * A read that is blocked need not end with an error: writes to memory are posted, and a controller
 * is not told what became of them. One that could not fetch its list must.
 */

#include <weir/domain.h>
#include <weir/sys.h>

#include "program.h"
#include "raw.h"
#include "watch.h"

#define ROUNDS 4u	 /* of each kind */
#define VICTIMS_ORDER 6u /* pages that are not its own */
#define VICTIMS (1u << VICTIMS_ORDER)
#define TRANSFER_PAGES 4u
#define GOOD_SIZE (TRANSFER_PAGES * RAW_PAGE)
#define LIST_ENTRIES (TRANSFER_PAGES - 1)
#define ROUND_NS 60000000000ull
/* A log that is limited has ten lines a second (docs/design.md). */
#define LOG_LINES_A_SECOND 10u

enum kind { KIND_PRP1, KIND_PRP2, KIND_LIST, KIND_NO_LIST, KINDS };

struct storm {
	struct raw raw;
	struct part *part;
	unsigned int event_queue;
	struct page *victims;	/* never mapped for it; filled with a pattern */
	unsigned char *good[2]; /* GOOD_SIZE bytes that are its own */
	dma_addr_t good_dma[2];
	u64 *lists; /* a list for each command: LIST_ENTRIES each */
	dma_addr_t lists_dma;
	u64 completed[RAW_ENTRIES / 64 + 1]; /* of this round, by command */
	unsigned int sent, failed, passed, rounds;
	unsigned int list_passed; /* commands without a list that went well all the same */
	u64 missing;		  /* events that should have come */
	bool broken;		  /* a step did not end as it must: nothing more is tried */
	struct watch watch;
};

static size_t lists_size(void)
{
	return (size_t)RAW_DEPTH * RAW_PAGE;
}

static u64 pattern(u64 i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

static u64 nr_words(void)
{
	return (PAGE_SIZE << VICTIMS_ORDER) / sizeof(u64);
}

static unsigned int victims_changed(const struct storm *s)
{
	const u64 *words = page_address(s->victims);
	unsigned int changed = 0;

	for (u64 i = 0; i < nr_words(); i++)
		changed += READ_ONCE(words[i]) != pattern(i);
	return changed;
}

static void give_up(struct storm *s, const char *what)
{
	s->broken = true;
	part_problem(s->part, "%s", what);
}

/* ---- Commands ----------------------------------------------------------------------------- */

/* The n-th page of the victims, by its physical address: no mapping of the disk's covers it. */
static dma_addr_t victim(const struct storm *s, unsigned int n)
{
	return page_to_phys(s->victims + n % VICTIMS);
}

static void set_pages(const struct storm *s, struct weir_nvme_sqe *sqe, unsigned int pages)
{
	sqe->cdw12 = pages * RAW_PAGE / s->raw.block_size - 1;
}

static dma_addr_t fill_list(struct storm *s, unsigned int slot, unsigned int seed)
{
	u64 *list = s->lists + slot * (RAW_PAGE / sizeof(u64));

	for (unsigned int i = 0; i < LIST_ENTRIES; i++)
		list[i] = i % 2 ? s->good_dma[0] + i * RAW_PAGE : victim(s, seed + i);
	return s->lists_dma + (dma_addr_t)slot * RAW_PAGE;
}

static void build(struct storm *s, enum kind kind, unsigned int slot, struct weir_nvme_sqe *sqe)
{
	unsigned int seed = s->sent * 7;

	*sqe = (struct weir_nvme_sqe){ .opcode = WEIR_NVME_CMD_READ, .nsid = 1, .cid = (u16)slot };
	sqe->prp1 = s->good_dma[0];
	set_pages(s, sqe, TRANSFER_PAGES);
	switch (kind) {
	case KIND_PRP1:
		sqe->prp1 = victim(s, seed);
		set_pages(s, sqe, 1);
		break;
	case KIND_PRP2:
		sqe->prp2 = victim(s, seed);
		set_pages(s, sqe, 2);
		break;
	case KIND_LIST:
		sqe->prp2 = fill_list(s, slot, seed);
		break;
	default:
		sqe->prp2 = victim(s, seed);
		break;
	}
}

/* ---- Rounds ------------------------------------------------------------------------------- */

/* One completion; each command has one. */
static void complete(struct storm *s, enum kind kind, unsigned int count)
{
	struct weir_nvme_cqe cqe;

	if (raw_next(&s->raw, ROUND_NS, &cqe)) {
		give_up(s, "a command of the storm did not complete");
		return;
	}
	if (cqe.cid >= count || s->completed[cqe.cid / 64] & BIT(cqe.cid % 64)) {
		give_up(s, "a completion of the storm is of no command that was sent");
		return;
	}
	s->completed[cqe.cid / 64] |= BIT(cqe.cid % 64);
	if (raw_status(&cqe)) {
		s->failed++;
		return;
	}
	s->passed++;
	s->list_passed += kind == KIND_NO_LIST;
}

static u64 faults(const struct storm *s)
{
	struct weir_stats stats;

	weir_get_stats(s->raw.weir, &stats);
	return stats.faults;
}

/* Until no more faults are told of, and at least `wanted` were since `before`. */
static void await_faults(struct storm *s, u64 before, u64 wanted)
{
	u64 last = faults(s), now;
	unsigned int quiet = 0, rest = 400;

	while (quiet < 4 && rest) {
		weir_sleep_ns(s->raw.weir, 5000000);
		now = faults(s);
		quiet = now == last ? quiet + 1 : 0;
		if (now - before < wanted) {
			quiet = 0;
			rest--;
		}
		last = now;
	}
	if (last - before < wanted)
		s->missing += wanted - (last - before);
}

/* Each command is blocked at least once, and the queue was empty: so many events it can hold. */
static void blow_once(struct storm *s, enum kind kind, unsigned int count)
{
	u64 before = faults(s);
	unsigned int i;

	memset(s->completed, 0, sizeof(s->completed));
	for (i = 0; i < count; i++) {
		struct weir_nvme_sqe sqe;

		build(s, kind, i, &sqe);
		raw_put(&s->raw, &sqe);
		s->sent++;
	}
	raw_ring(&s->raw);
	for (i = 0; i < count && !s->broken; i++)
		complete(s, kind, count);
	await_faults(s, before, count < s->event_queue ? count : s->event_queue);
	s->rounds++;
}

/* ---- Afterwards --------------------------------------------------------------------------- */

static int read_good(struct storm *s, unsigned int which)
{
	struct weir_nvme_sqe sqe = { .opcode = WEIR_NVME_CMD_READ,
				     .nsid = 1,
				     .prp1 = s->good_dma[which],
				     .prp2 = s->lists_dma };
	struct weir_nvme_cqe cqe;
	int ret;

	memset(s->good[which], 0x5a + (int)which, GOOD_SIZE);
	for (unsigned int i = 0; i < LIST_ENTRIES; i++)
		s->lists[i] = s->good_dma[which] + (i + 1) * RAW_PAGE;
	set_pages(s, &sqe, TRANSFER_PAGES);
	raw_put(&s->raw, &sqe);
	raw_ring(&s->raw);
	ret = raw_next(&s->raw, ROUND_NS, &cqe);
	if (ret)
		return ret;
	return raw_status(&cqe) ? -EIO : 0;
}

static void check_reads(struct storm *s)
{
	const struct report_out *out = &s->part->out;
	int ret = read_good(s, 0);

	if (!ret)
		ret = read_good(s, 1);
	if (ret)
		give_up(s, "after the storm the disk could not be read");
	else if (memcmp(s->good[0], s->good[1], GOOD_SIZE) != 0)
		give_up(s, "after the storm two reads of the same blocks differ");
	else
		report_row(out, "reads", "work as before it: two of %u KiB agree",
			   GOOD_SIZE / 1024);
}

/* One more command that is blocked: is it told of, and rightly? */
static void check_reports(struct storm *s)
{
	struct weir_nvme_sqe sqe = { .opcode = WEIR_NVME_CMD_READ,
				     .nsid = 1,
				     .prp1 = victim(s, 0) };
	struct weir_nvme_cqe cqe;

	watch_start(&s->watch, s->raw.weir);
	watch_expect(&s->watch, &s->raw.dev->weir, sqe.prp1, s->raw.block_size, true);
	raw_put(&s->raw, &sqe);
	raw_ring(&s->raw);
	if (raw_next(&s->raw, ROUND_NS, &cqe))
		give_up(s, "after the storm a command did not complete");
	else if (!watch_wait(&s->watch) || s->watch.others)
		give_up(s, "after the storm a blocked access was not told of, or wrongly");
	else
		report_row(&s->part->out, "reports", "go on: %s", s->watch.line);
	watch_stop(&s->watch);
}

/* ---- The part of the report --------------------------------------------------------------- */

static void command_rows(const struct storm *s)
{
	const struct report_out *out = &s->part->out;
	char sent[REPORT_NUMBER];

	report_row(out, "commands", "%s in %u rounds, %u in flight: %s",
		   report_grouped(s->sent, sent), s->rounds, RAW_DEPTH,
		   s->failed + s->passed == s->sent ? "all completed" : "NOT ALL COMPLETED");
	report_row(out, "their end", "%u with an error, %u without: writes are not answered",
		   s->failed, s->passed);
}

static void fault_rows(struct storm *s, const struct weir_stats *before,
		       const struct weir_stats *after, u64 ns)
{
	const struct report_out *out = &s->part->out;
	u64 logged = after->faults_logged - before->faults_logged;
	u64 most = (ns / 1000000000u + 2) * LOG_LINES_A_SECOND;
	char a[REPORT_NUMBER], b[REPORT_NUMBER];

	report_row(out, "faults", "%s, of them in the log: %s",
		   report_grouped(after->faults - before->faults, a), report_grouped(logged, b));
	report_row(out, "events lost", "the SMMU said so %s times",
		   report_grouped(after->event_overflows - before->event_overflows, a));
	if (logged > most)
		part_problem(s->part, "the storm filled the log: %llu lines",
			     (unsigned long long)logged);
	if (s->missing)
		part_problem(s->part, "%llu blocked commands of the storm were not told of",
			     (unsigned long long)s->missing);
}

static void memory_row(struct storm *s)
{
	unsigned int changed = victims_changed(s);

	report_line(&s->part->out, !changed, "  memory         %s",
		    changed ? "CHANGED" : "unchanged");
	if (changed)
		part_problem(s->part, "the storm changed %u words of memory", changed);
	if (s->list_passed)
		part_problem(s->part, "%u commands used a list from memory that is not the disk's",
			     s->list_passed);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static void blow(struct storm *s)
{
	struct weir *weir = s->raw.weir;
	struct weir_stats before, after;
	u64 start = plat_time_ns(weir_plat(weir)), ns;

	weir_get_stats(weir, &before);
	for (unsigned int i = 0; i < ROUNDS * KINDS && !s->broken; i++)
		blow_once(s, (enum kind)(i % KINDS), RAW_DEPTH);
	weir_get_stats(weir, &after);
	ns = plat_time_ns(weir_plat(weir)) - start;
	command_rows(s);
	fault_rows(s, &before, &after, ns);
	if (!s->broken)
		check_reports(s);
	if (!s->broken)
		check_reads(s);
	memory_row(s);
}

static bool alloc_memory(struct storm *s)
{
	s->victims = alloc_pages(GFP_KERNEL, VICTIMS_ORDER);
	s->lists = dma_alloc_coherent(s->raw.dev, lists_size(), &s->lists_dma, GFP_KERNEL);
	for (unsigned int i = 0; i < 2; i++)
		s->good[i] = dma_alloc_coherent(s->raw.dev, GOOD_SIZE, &s->good_dma[i], GFP_KERNEL);
	return s->victims && s->lists && s->good[0] && s->good[1];
}

static void free_memory(struct storm *s)
{
	for (unsigned int i = 0; i < 2; i++)
		if (s->good[i])
			dma_free_coherent(s->raw.dev, GOOD_SIZE, s->good[i], s->good_dma[i]);
	if (s->lists)
		dma_free_coherent(s->raw.dev, lists_size(), s->lists, s->lists_dma);
	if (s->victims)
		__free_pages(s->victims, VICTIMS_ORDER);
}

/* Not even by chance: a physical address may be one that the disk was given for something else. */
static bool victims_are_free(const struct storm *s)
{
	struct weir_domain *domain = weir_device_domain(&s->raw.dev->weir);
	weir_phys_t phys;

	for (unsigned int i = 0; i < VICTIMS; i++)
		if (!weir_domain_iova_to_phys(domain, victim(s, i), &phys))
			return false;
	return true;
}

static bool prepare(struct storm *s)
{
	u64 *words;

	if (s->raw.blocks < GOOD_SIZE / s->raw.block_size ||
	    (s->raw.max_transfer && s->raw.max_transfer < GOOD_SIZE)) {
		part_problem(s->part, "the disk is too small for a storm");
		return false;
	}
	if (!alloc_memory(s)) {
		part_problem(s->part, "no memory for a storm");
		return false;
	}
	if (!victims_are_free(s)) {
		part_problem(s->part, "the disk may use memory that it was not given");
		return false;
	}
	words = page_address(s->victims);
	for (u64 i = 0; i < nr_words(); i++)
		words[i] = pattern(i);
	return true;
}

void storm_run(struct weir *weir, enum weir_mode mode, struct weir_pci_dev *disk,
	       unsigned int event_queue, struct part *part)
{
	/* Not on the stack, which is small. */
	static struct storm s;
	int ret;

	part_line(part, "\nThe storm (%s, without its driver)", weir_device_name(&disk->dev));
	if (mode != WEIR_MODE_STRICT || !weir_device_dma_domain(&disk->dev)) {
		part_line(part, "  not let loose: nothing is between it and memory");
		return;
	}
	s = (struct storm){ .part = part, .event_queue = event_queue };
	ret = raw_open(&s.raw, weir, disk);
	if (ret) {
		part_problem(part, "the disk could not be taken for the storm: %s",
			     error_text(ret));
		return;
	}
	if (prepare(&s))
		blow(&s);
	/* The controller no longer touches memory when this returns. */
	pci_clear_master(s.raw.pdev);
	free_memory(&s);
	raw_close(&s.raw);
}
