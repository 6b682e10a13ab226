/* SPDX-License-Identifier: MIT */
/*
 * Faults: who hears of them, what the log says, and the history behind it.
 *
 * - A fault goes to the handler of the domain, then to the machine's, then to the log; always
 *   counted. Handlers run with interrupts off, from work items too.
 * - The log is limited to ten lines of a stream in a second, and to forty of all; when the second
 *   is over one line for each stream says how many more. A stream that faults without end keeps no
 *   other from being told of; sums and statistics are exact, with more streams than have a place.
 * - One line names the device, the access, the reason and the newest holder of the address: where
 *   it was mapped, for what, where and how long ago it was unmapped; its own domain before another.
 * - The history remembers the last mappings, forgets devices and domains that are gone, and its
 *   answer is that of a plain list over a long random run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/dma.h>

#include "fakeiommu.h"
#include "fakeplat.h"
#include "iommu/history.h"
#include "iommu/iommu.h"

#define RAM (64u << 20)
#define PAGE WEIR_PAGE_SIZE
#define MS 1000000ull
#define UNMAPPED " blocked: nothing is mapped there (F_FAKE)"
#define DENIED " blocked: what is mapped there does not allow it (F_FAKE)"
#define MAPPED_AT "mapped at nvme.c:123 nvme_map"

static const struct weir_iommu_driver *const drivers[] = { &fakeiommu_driver, NULL };
static const struct weir_site map_site = { "a/long/way/nvme.c", "nvme_map", 123 };
static const struct weir_site unmap_site = { "nvme.c", "nvme_done", 140 };

static struct fakeplat *fake;
static struct weir *weir;
static struct weir_device a, b;

static void add(struct weir_device *dev, const char *name, uint32_t id, struct weir_device *with)
{
	struct weir_device_id ids[] = { { &fakeiommu[0]->iommu, id } };
	struct weir_device_desc desc = {
		.name = name, .ids = ids, .nr_ids = 1, .group_with = with, .coherent = true
	};

	assert_int_equal(weir_device_add(weir, dev, &desc), 0);
}

static void start(unsigned int history)
{
	struct weir_options options = {
		.cpus = 1, .iommu_drivers = drivers, .log_level = WEIR_LOG_DEBUG, .history = history
	};

	fakeiommu_reset();
	fake = fakeplat_new(RAM);
	options.plat = fake;
	options.fdt = fakeiommu_fdt(1, true, &options.fdt_size);
	assert_int_equal(weir_init(&options, &weir), 0);
	add(&a, "0000:01:00.0", 1, NULL);
	add(&b, "0000:02:00.0", 2, NULL);
	fakeplat_advance(fake, 5 * MS);
}

static void stop(void)
{
	weir_device_remove(&a);
	weir_device_remove(&b);
	assert_int_equal(weir_fini(weir), 0);
	fakeplat_delete(fake);
	fakeiommu_reset();
}

static weir_dma_t map(struct weir_device *dev, size_t size, enum weir_dma_dir dir)
{
	weir_dma_t addr = weir_dma_map_phys(dev, FAKEPLAT_RAM_BASE, size, dir, 0, &map_site);

	assert_int_not_equal(addr, WEIR_DMA_ERROR);
	return addr;
}

static void unmap(struct weir_device *dev, weir_dma_t addr, size_t size)
{
	weir_dma_unmap(dev, addr, size, WEIR_DMA_BIDIRECTIONAL, 0, &unmap_site);
}

static uint64_t stat_of(enum weir_stat stat)
{
	return weir_stat_sum(weir, stat);
}

/* ---- Handlers ----------------------------------------------------------------------------- */

struct heard {
	unsigned int count;
	bool takes;
	struct weir_fault last;
};

static bool hear(void *arg, const struct weir_fault *fault)
{
	struct heard *heard = arg;

	uintptr_t flags = plat_irq_save();

	/* weir.h promises a handler's context, whoever reports: interrupts are off. */
	assert_true(flags > 0);
	plat_irq_restore(flags);
	heard->count++;
	heard->last = *fault;
	return heard->takes;
}

static void handlers_in_order(void **state)
{
	struct heard domain = { .takes = true }, machine = { .takes = true };

	(void)state;
	start(0);
	weir_domain_set_fault_handler(a.dma, hear, &domain);
	weir_set_fault_handler(weir, hear, &machine);
	fakeiommu_fault(fakeiommu[0], 1, 0x1234, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(domain.count, 1);
	assert_ptr_equal(domain.last.dev, &a);
	assert_int_equal(domain.last.address, 0x1234);
	assert_int_equal(machine.count, 0);
	fakeiommu_fault(fakeiommu[0], 2, 0x1234, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(domain.count, 1);
	assert_int_equal(machine.count, 1);
	assert_ptr_equal(machine.last.dev, &b);
	domain.takes = false;
	fakeiommu_fault(fakeiommu[0], 1, 0, false, WEIR_FAULT_PERMISSION);
	assert_int_equal(domain.count, 2);
	assert_int_equal(machine.count, 2);
	fakeiommu_fault(fakeiommu[0], 3, 0, false, WEIR_FAULT_BAD_STREAM);
	assert_int_equal(machine.count, 3);
	assert_null(machine.last.dev);
	assert_int_equal(stat_of(WEIR_STAT_FAULTS_LOGGED), 0);
	machine.takes = false;
	fakeiommu_fault(fakeiommu[0], 2, 0, false, WEIR_FAULT_PERMISSION);
	assert_int_equal(stat_of(WEIR_STAT_FAULTS_LOGGED), 1);
	weir_set_fault_handler(weir, NULL, NULL);
	weir_domain_set_fault_handler(a.dma, NULL, NULL);
	fakeiommu_fault(fakeiommu[0], 1, 0, false, WEIR_FAULT_PERMISSION);
	assert_int_equal(machine.count, 4);
	assert_int_equal(stat_of(WEIR_STAT_FAULTS), 6);
	assert_int_equal(stat_of(WEIR_STAT_FAULTS_LOGGED), 2);
	stop();
}

static void log_is_limited(void **state)
{
	struct weir_stats stats;
	unsigned int before;

	(void)state;
	start(0);
	for (unsigned int i = 0; i < 1000; i++)
		fakeiommu_fault(fakeiommu[0], 1, 0x1000 + i, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(fakeplat_logged(fake, "write to 0x"), 10);
	assert_int_equal(fakeplat_logged(fake, "one by one"), 0);
	fakeplat_advance(fake, 999 * MS);
	fakeiommu_fault(fakeiommu[0], 1, 0x1000, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(fakeplat_logged(fake, "one by one"), 0);
	fakeplat_advance(fake, 2 * MS);
	assert_int_equal(
		fakeplat_logged(fake,
				"0000:01:00.0: 991 more blocked accesses were not told one by one"),
		1);
	before = fake->log_lines[WEIR_LOG_ERR];
	fakeplat_advance(fake, 5000 * MS);
	assert_int_equal(fake->log_lines[WEIR_LOG_ERR], before);
	for (unsigned int i = 0; i < 12; i++)
		fakeiommu_fault(fakeiommu[0], 1, 0x1000, true, WEIR_FAULT_TRANSLATION);
	/* A limit of its own: that faults crowd the log does not hide that events were lost. */
	for (unsigned int i = 0; i < 15; i++)
		weir_iommu_report_overflow(&fakeiommu[0]->iommu);
	weir_get_stats(weir, &stats);
	assert_int_equal(stats.faults, 1013);
	assert_int_equal(stats.faults_logged, 20);
	assert_int_equal(stats.event_overflows, 15);
	assert_int_equal(fakeplat_logged(fake, "iommu@1000000: events were lost"), 10);
	fakeplat_advance(fake, 1000 * MS);
	assert_int_equal(fakeplat_logged(fake, "5 more reports of lost events were not shown"), 1);
	/* What is still to be said is said at the end. */
	for (unsigned int i = 0; i < 12; i++)
		fakeiommu_fault(fakeiommu[0], 1, 0x1000, true, WEIR_FAULT_TRANSLATION);
	weir_device_remove(&a);
	weir_device_remove(&b);
	assert_int_equal(weir_fini(weir), 0);
	assert_int_equal(
		fakeplat_logged(fake,
				"0000:01:00.0: 2 more blocked accesses were not told one by one"),
		2);
	fakeplat_delete(fake);
	fakeiommu_reset();
}

static void a_storm_hides_nobody_else(void **state)
{
	uint64_t told = 0;

	(void)state;
	start(0);
	for (unsigned int i = 0; i < 5000; i++)
		fakeiommu_fault(fakeiommu[0], 1, 0x1000, true, WEIR_FAULT_TRANSLATION);
	fakeiommu_fault(fakeiommu[0], 2, 0x1000, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(fakeplat_logged(fake, "0000:02:00.0: write to 0x1000"), 1);
	/* Many streams at once: first lines always, then the limit of all. */
	for (unsigned int round = 0; round < 10; round++)
		for (uint32_t id = 3; id < 10; id++)
			fakeiommu_fault(fakeiommu[0], id, 0x1000, true, WEIR_FAULT_TRANSLATION);
	for (uint32_t id = 3; id < 10; id++) {
		char text[64];

		snprintf(text, sizeof(text), "stream 0x%x (nobody's)", id);
		assert_in_range(fakeplat_logged(fake, text), 1, 10);
		told += fakeplat_logged(fake, text);
	}
	assert_in_range(told, 40 - 11, 40);
	/* Who comes when the lines of all are used up has one still. */
	fakeiommu_fault(fakeiommu[0], 10, 0x1000, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(fakeplat_logged(fake, "stream 0xa (nobody's)"), 1);
	/* More than have a place of their own. */
	for (uint32_t id = 100; id < 200; id++)
		fakeiommu_fault(fakeiommu[0], id, 0x1000, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(stat_of(WEIR_STAT_FAULTS), 5172);
	fakeplat_advance(fake, 2000 * MS);
	assert_int_equal(
		fakeplat_logged(fake, "0000:01:00.0: 4990 more blocked accesses were not told"), 1);
	assert_int_equal(fakeplat_logged(fake, "other streams: "), 1);
	/* Quiet again: places are free. */
	fakeiommu_fault(fakeiommu[0], 150, 0x1000, true, WEIR_FAULT_TRANSLATION);
	assert_int_equal(fakeplat_logged(fake, "stream 0x96 (nobody's)"), 1);
	stop();
}

/* What is told, one by one and in sums, is what there was. */
static void sums_are_exact(void **state)
{
	uint64_t told, sums = 0;

	(void)state;
	start(0);
	srand(4);
	for (unsigned int i = 0; i < 20000; i++) {
		fakeiommu_fault(fakeiommu[0], (uint32_t)(rand() % 25), 0x1000, true,
				WEIR_FAULT_TRANSLATION);
		if (rand() % 50 == 0)
			fakeplat_advance(fake, (uint64_t)(rand() % 100) * MS);
	}
	fakeplat_advance(fake, 1000 * MS);
	told = fakeplat_logged(fake, "write to 0x1000");
	assert_int_equal(stat_of(WEIR_STAT_FAULTS_LOGGED), told);
	for (unsigned int n = 1; n < 2000; n++) {
		char text[40];

		snprintf(text, sizeof(text), ": %u more blocked accesses", n);
		sums += (uint64_t)n * fakeplat_logged(fake, text);
	}
	assert_true(told > 100 && sums > 10000);
	assert_int_equal(told + sums, 20000);
	stop();
}

/* ---- The line ----------------------------------------------------------------------------- */

static void says(uint32_t id, weir_dma_t address, bool write, enum weir_fault_reason reason,
		 const char *text)
{
	fakeplat_advance(fake, 1200000);
	fakeiommu_fault(fakeiommu[0], id, address, write, reason);
	assert_string_equal(fake->last_line, text);
	fakeplat_advance(fake, 1000 * MS);
}

static void lines_without_history(void **state)
{
	struct weir_fault fault = { 0 };
	char line[200], tiny[8];

	(void)state;
	start(0);
	says(1, 0x1f000, true, WEIR_FAULT_TRANSLATION, "0000:01:00.0: write to 0x1f000" UNMAPPED);
	says(2, 0x1f000, false, WEIR_FAULT_PERMISSION, "0000:02:00.0: read of 0x1f000" DENIED);
	says(9, 0, false, WEIR_FAULT_BAD_STREAM,
	     "iommu@1000000: stream 0x9 (nobody's): read of 0x0 blocked: its stream is unknown or "
	     "blocked (F_FAKE)");
	fault.iommu = &fakeiommu[0]->iommu;
	fault.dev = &a;
	fault.instruction = fault.privileged = true;
	fault.reason = WEIR_FAULT_OTHER;
	weir_fault_describe(&fault, line, sizeof(line));
	assert_string_equal(
		line, "0000:01:00.0: privileged instruction fetch blocked: for another reason");
	for (unsigned int reason = 0; reason <= WEIR_FAULT_OTHER; reason++) {
		fault.reason = (enum weir_fault_reason)reason;
		weir_fault_describe(&fault, line, sizeof(line));
		assert_non_null(strstr(line, "blocked: "));
	}
	memset(tiny, 'x', sizeof(tiny));
	weir_fault_describe(&fault, tiny, 5);
	assert_string_equal(tiny, "0000");
	assert_int_equal(tiny[5], 'x');
	weir_fault_describe(&fault, tiny, 0);
	stop();
}

static void lines_with_history(void **state)
{
	struct weir_history found;
	weir_dma_t read_only, gone, theirs;
	char text[256];

	(void)state;
	start(16);
	read_only = map(&a, PAGE, WEIR_DMA_TO_DEVICE);
	gone = map(&a, 3 * PAGE, WEIR_DMA_FROM_DEVICE);
	unmap(&a, gone, 3 * PAGE);
	snprintf(text, sizeof(text),
		 "0000:01:00.0: write to 0x%llx" UNMAPPED "; last held by 0000:01:00.0, " MAPPED_AT
		 ", unmapped 1.2 ms ago at nvme.c:140 nvme_done",
		 (unsigned long long)gone + 2 * PAGE + 5);
	says(1, gone + 2 * PAGE + 5, true, WEIR_FAULT_TRANSLATION, text);
	snprintf(text, sizeof(text),
		 "0000:01:00.0: write to 0x%llx" DENIED "; held by 0000:01:00.0, " MAPPED_AT
		 " for it to read only",
		 (unsigned long long)read_only);
	says(1, read_only, true, WEIR_FAULT_PERMISSION, text);
	says(1, 0x5000, true, WEIR_FAULT_TRANSLATION,
	     "0000:01:00.0: write to 0x5000" UNMAPPED "; never mapped for it");
	/* Somebody else's. */
	snprintf(text, sizeof(text),
		 "0000:02:00.0: read of 0x%llx" UNMAPPED
		 "; never mapped for it; held in another domain by 0000:01:00.0, " MAPPED_AT
		 " for it to read only",
		 (unsigned long long)read_only);
	says(2, read_only, false, WEIR_FAULT_TRANSLATION, text);
	assert_int_equal(weir_history_find(&b, read_only, &found), -WEIR_ENOENT);
	assert_int_equal(weir_history_find(&a, read_only + PAGE - 1, &found), 0);
	assert_ptr_equal(found.mapped_at, &map_site);
	assert_null(found.unmapped_at);
	assert_true(found.device_reads && !found.device_writes);
	assert_ptr_equal(found.dev, &a);
	assert_int_equal(found.start, read_only);
	assert_int_equal(found.size, PAGE);
	assert_int_equal(found.mapped_ns, 5 * MS);
	assert_int_equal(weir_history_find(&a, read_only + PAGE, &found), -WEIR_ENOENT);
	/* Pushed out: it does not claim to know. */
	theirs = map(&b, PAGE, WEIR_DMA_BIDIRECTIONAL);
	for (unsigned int i = 0; i < 16; i++)
		unmap(&a, map(&a, PAGE, WEIR_DMA_BIDIRECTIONAL), PAGE);
	assert_int_equal(weir_history_find(&a, read_only, &found), -WEIR_ENOENT);
	says(1, 0x5000, true, WEIR_FAULT_TRANSLATION,
	     "0000:01:00.0: write to 0x5000" UNMAPPED "; no mapping of it is remembered");
	unmap(&a, read_only, PAGE); /* its record is gone */
	unmap(&b, theirs, PAGE);
	stop();

	start(0);
	assert_int_equal(weir_history_find(&a, 0, &found), -WEIR_EOPNOTSUPP);
	stop();
}

static void ages(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = { { 0, "unmapped 0 ns ago" },
		      { 999, "unmapped 999 ns ago" },
		      { 1000, "unmapped 1.0 us ago" },
		      { 999999, "unmapped 999.9 us ago" },
		      { 1000000, "unmapped 1.0 ms ago" },
		      { 59 * MS * 1000, "unmapped 59.0 s ago" },
		      { 86400 * MS * 1000, "unmapped 86400.0 s ago" } };

	(void)state;
	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		weir_dma_t addr;

		start(4);
		addr = map(&a, PAGE, WEIR_DMA_BIDIRECTIONAL);
		unmap(&a, addr, PAGE);
		fake->now += cases[i].ns;
		fakeiommu_fault(fakeiommu[0], 1, addr, true, WEIR_FAULT_TRANSLATION);
		assert_non_null(strstr(fake->last_line, cases[i].text));
		stop();
	}
}

static void forgetting(void **state)
{
	struct weir_device c;
	struct weir_history found;
	weir_dma_t addr, addr_c;

	(void)state;
	start(16);
	/* A device that shared a's domain and is gone: its mapping stays, without a name. */
	add(&c, "c", 3, &a);
	addr_c = map(&c, PAGE, WEIR_DMA_TO_DEVICE);
	assert_int_equal(weir_device_remove(&c), 1);
	assert_true(fakeplat_logged(fake, "mapped at a/long/way/nvme.c:123 nvme_map"));
	assert_int_equal(weir_history_find(&a, addr_c, &found), 0);
	assert_null(found.dev);
	fakeiommu_fault(fakeiommu[0], 1, addr_c, true, WEIR_FAULT_PERMISSION);
	assert_non_null(strstr(fake->last_line, "held by a device that is gone, mapped at"));
	/* A domain that is gone leaves nothing, even if the next one is at its place. */
	addr = map(&b, PAGE, WEIR_DMA_TO_DEVICE);
	unmap(&b, addr, PAGE);
	assert_int_equal(weir_device_remove(&b), 0);
	add(&b, "0000:02:00.0", 2, NULL);
	assert_int_equal(weir_history_find(&b, addr, &found), -WEIR_ENOENT);
	stop();
}

/* ---- Against a plain list ----------------------------------------------------------------- */

#define ENTRIES 64u
#define LIVE 40u

struct record {
	weir_dma_t start;
	size_t size;
	bool open;
};

static struct record list[200000];
static unsigned int listed;

static struct record *newest(weir_dma_t address)
{
	unsigned int oldest = listed > ENTRIES ? listed - ENTRIES : 0;

	for (unsigned int i = listed; i > oldest; i--) {
		if (address - list[i - 1].start < list[i - 1].size)
			return &list[i - 1];
	}
	return NULL;
}

static void history_is_a_list(void **state)
{
	unsigned int live[LIVE], count = 0, hits = 0;

	(void)state;
	start(ENTRIES); /* one CPU: one ring */
	srand(5);
	listed = 0;
	while (listed < 100000) {
		struct weir_history found;
		struct record *record;
		weir_dma_t probe;

		if (count < LIVE && (!count || rand() % 2)) {
			size_t size = (size_t)(1 + rand() % 4) * PAGE;

			list[listed] =
				(struct record){ map(&a, size, WEIR_DMA_TO_DEVICE), size, true };
			live[count++] = listed++;
		} else {
			unsigned int i = (unsigned int)rand() % count;

			record = &list[live[i]];
			live[i] = live[--count];
			unmap(&a, record->start, record->size);
			record->open = false;
		}
		probe = list[listed - 1 - (unsigned int)rand() % (listed < 100 ? listed : 100)]
				.start +
			(unsigned int)rand() % (4 * PAGE);
		record = newest(probe);
		assert_int_equal(weir_history_find(&a, probe, &found), record ? 0 : -WEIR_ENOENT);
		if (!record)
			continue;
		hits++;
		assert_int_equal(found.start, record->start);
		assert_int_equal(found.size, record->size);
		assert_ptr_equal(found.unmapped_at, record->open ? NULL : &unmap_site);
	}
	printf("%u questions found a record of %u\n", hits, listed);
	assert_true(hits > listed / 2);
	while (count)
		unmap(&a, list[live[count - 1]].start, list[live[count - 1]].size), count--;
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_in_order),
		cmocka_unit_test(log_is_limited),
		cmocka_unit_test(a_storm_hides_nobody_else),
		cmocka_unit_test(sums_are_exact),
		cmocka_unit_test(lines_without_history),
		cmocka_unit_test(lines_with_history),
		cmocka_unit_test(ages),
		cmocka_unit_test(forgetting),
		cmocka_unit_test(history_is_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
