/* SPDX-License-Identifier: MIT */

/*
 * What a batch of commands costs in the SMMUv3 driver's queue, from one CPU and from several:
 * docs/bench.md. An operation is a batch, with the CMD_SYNC behind it, from the call until it has
 * completed.
 *
 * The SMMU is a few lines: it takes all that PROD covers at once. It does so either inside the
 * write of PROD (`at-once`: what is left is what the CPUs do), or in a thread of its own that reads
 * each command (`thread`).
 *
 * All commands of a run fit into the queue. So after the run each of them is still there, and is
 * looked at: every batch whole and behind its thread's earlier ones. The thread sums up what it
 * reads, which has to be the same.
 */

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <weir/hw/smmuv3.h>

#include "bounds.h"
#include "crew.h"
#include "platform.h"
#include "rows.h"
#include "smmuv3/smmuv3.h"

#define RAM ((size_t)64 << 20)
#define ENTRIES 16384u
#define THREAD_COMMANDS 1024u /* short runs, of which some are not disturbed */
#define QUICK_COMMANDS 512u
#define DEVICE_CPU CREW_MAX /* and the program's own thread's: they send nothing meanwhile */
#define REGS_SIZE 0x20000u
#define IDLE 1024u
#define AT_ONCE 0.8 /* of the time, at least, threads are to run beside each other */

static const unsigned int threads[] = { 1, 2, 4 };
static const unsigned int batches[] = { 1, WEIR_SMMUV3_BATCH };
static const char *const devices[] = { "at-once", "thread" };

#define ROWS (WEIR_ARRAY_SIZE(threads) * WEIR_ARRAY_SIZE(batches) * WEIR_ARRAY_SIZE(devices))

static const struct usage usage = {
	.program = "cmdq",
	.what = "What a batch of commands costs in the SMMUv3 driver's queue, with its CMD_SYNC",
	.names =
		"                 1-8-at-once, 4-1-thread; threads 1, 2 or 4, commands of a batch\n"
		"                 1 or 8, then the device: at-once or thread",
	.failure = "a command is wrong",
	.rounds = 200,
	.quick_rounds = 2,
};

/* The SMMU. Registers are atomics; `sum` and `cons` belong to whoever consumes. */
static struct {
	uint32_t regs[REGS_SIZE / 4];
	bool at_once;
	uint32_t stop; /* atomic */
	uint64_t sum;  /* atomic: of all words read */
	pthread_t thread;
} device;

struct field {
	struct weir *weir;
	struct weir_smmuv3 *smmu;
	struct crew crew;
	struct pair pair;		       /* the bound */
	unsigned int threads, batch, commands; /* of a run, CMD_SYNCs among them */
	unsigned int processors;	       /* for the threads */
};

/* What one thread does in one run. */
struct work {
	struct field *field;
	unsigned int thread, count; /* batches */
	uint64_t failed;	    /* calls; or of the bound, a sum */
};

static bool complain(const char *what)
{
	fprintf(stderr, "cmdq: %s\n", what);
	return false;
}

/* ---- The SMMU ---------------------------------------------------------------------------- */

static uint32_t get(uint32_t offset)
{
	/* Acquire: pairs with the release in set(). */
	return __atomic_load_n(&device.regs[offset / 4], __ATOMIC_ACQUIRE);
}

static void set(uint32_t offset, uint32_t value)
{
	__atomic_store_n(&device.regs[offset / 4], value, __ATOMIC_RELEASE);
}

static void write_reg(uint32_t offset, unsigned int size, uint64_t value)
{
	set(offset, (uint32_t)value);
	if (size == 8)
		set(offset + 4, (uint32_t)(value >> 32));
	if (offset == WEIR_SMMU_CMDQ_PROD && device.at_once)
		set(WEIR_SMMU_CMDQ_CONS, (uint32_t)value);
	if (offset == WEIR_SMMU_CR0 || offset == WEIR_SMMU_IRQ_CTRL)
		set(offset + 4, (uint32_t)value);
	if (offset == WEIR_SMMU_GBPA)
		set(offset, (uint32_t)value & ~(uint32_t)WEIR_SMMU_GBPA_UPDATE);
}

static const struct bench_mmio mmio = { get, write_reg };

static const uint64_t *slot(const struct field *field, uint32_t number)
{
	return &field->smmu->cmdq.slots[(size_t)(number % ENTRIES) * WEIR_SMMU_CMD_WORDS];
}

static uint64_t read_slot(const struct field *field, uint32_t number)
{
	const uint64_t *words = slot(field, number);

	/* Relaxed: PROD, which covers the slot, was read with acquire. */
	return __atomic_load_n(&words[0], __ATOMIC_RELAXED) +
	       __atomic_load_n(&words[1], __ATOMIC_RELAXED);
}

/* On a processor behind those of the threads, if there is one. */
static void *device_main(void *arg)
{
	const struct field *field = arg;
	uint32_t cons = get(WEIR_SMMU_CMDQ_CONS);
	unsigned int idle = 0;

	bench_pin(field->processors % bench_processors());
	while (!__atomic_load_n(&device.stop, __ATOMIC_ACQUIRE)) {
		uint32_t prod = get(WEIR_SMMU_CMDQ_PROD);
		uint64_t sum = 0;

		if (cons == prod) {
			BENCH_PAUSE();
			if (++idle % IDLE == 0)
				sched_yield();
			continue;
		}
		for (; cons != prod; cons = (cons + 1) % (2 * ENTRIES))
			sum += read_slot(field, cons);
		__atomic_fetch_add(&device.sum, sum, __ATOMIC_RELAXED);
		set(WEIR_SMMU_CMDQ_CONS, cons);
	}
	return NULL;
}

static bool device_start(struct field *field, bool at_once)
{
	device.at_once = at_once;
	device.stop = 0;
	return at_once || !pthread_create(&device.thread, NULL, device_main, field) ||
	       complain("no thread");
}

static void device_stop(void)
{
	if (device.at_once)
		return;
	__atomic_store_n(&device.stop, 1, __ATOMIC_RELEASE);
	pthread_join(device.thread, NULL);
	device.at_once = true;
}

/* ---- What is timed ----------------------------------------------------------------------- */

static uint64_t command(unsigned int thread, uint64_t number)
{
	return WEIR_SMMU_CMD_TLBI_NH_VA | (uint64_t)thread << 32 | number << 40;
}

/* Each where it stays: what threads take from each other has to go from processor to processor. */
static void settle(void *arg)
{
	const struct work *work = arg;

	bench_set_cpu(work->thread);
	bench_pin(work->thread % work->field->processors);
}

static void send(void *arg)
{
	struct work *work = arg;
	struct weir_smmuv3_cmd cmds[WEIR_SMMUV3_BATCH + 1];
	unsigned int n = work->field->batch;
	uint64_t number = 0;

	for (unsigned int batch = 0; batch < work->count; batch++) {
		for (unsigned int i = 0; i < n; i++, number++) {
			cmds[i].word[0] = command(work->thread, number);
			cmds[i].word[1] = number << 12;
		}
		work->failed += weir_smmuv3_issue(work->field->smmu, cmds, n) != 0;
	}
}

static void count(void *arg)
{
	struct work *work = arg;
	struct pair *pair = &work->field->pair;
	uint64_t n = work->field->batch + 1, sum = 0;

	for (unsigned int batch = 0; batch < work->count; batch++)
		sum += bound_pair(pair, n);
	work->failed = sum;
}

/* ---- Runs -------------------------------------------------------------------------------- */

/* What the commands of one run have come to, while they are looked at. */
struct look {
	uint64_t next[CREW_MAX]; /* number of each thread's next command */
	unsigned int inside;	 /* commands of the batch so far */
	unsigned int thread;	 /* whose batch it is */
	uint64_t sum;
};

static bool look_at(struct look *look, const struct field *field, const uint64_t *words)
{
	uint64_t is_sync =
		WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, words[0]) == WEIR_SMMU_CMD_SYNC;

	look->sum += words[0] + words[1];
	if (is_sync) {
		bool whole = look->inside == field->batch;

		look->inside = 0;
		return whole;
	}
	if (!look->inside++)
		look->thread = (unsigned int)(words[0] >> 32 & 0xff);
	if (look->thread >= field->threads ||
	    words[0] != command(look->thread, look->next[look->thread]) ||
	    words[1] != look->next[look->thread] << 12)
		return false;
	look->next[look->thread]++;
	return true;
}

static bool check(const struct field *field, uint32_t first)
{
	struct look look = { 0 };

	for (uint32_t i = 0; i < field->commands; i++) {
		if (!look_at(&look, field, slot(field, first + i)))
			return complain("a command is not what was sent");
	}
	if (!device.at_once && look.sum != __atomic_load_n(&device.sum, __ATOMIC_RELAXED))
		return complain("the device read something else");
	return true;
}

/* Did as many threads run at once as there are processors for? */
static bool were_apart(const struct field *field, const struct crew_task *tasks, uint64_t wall)
{
	unsigned int most = field->threads;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < field->threads; i++)
		sum += tasks[i].end - tasks[i].begin;
	most = most < field->processors ? most : field->processors;
	return (double)sum < AT_ONCE * most * (double)wall;
}

/* Wall-clock ns for a batch, of all threads together. */
static void run_crew(struct field *field, void (*fn)(void *arg), struct work *works,
		     struct run *run)
{
	struct crew_task tasks[CREW_MAX];
	unsigned int batches_each = field->commands / (field->batch + 1) / field->threads;
	uint64_t wall;

	for (unsigned int i = 0; i < field->threads; i++) {
		works[i] = (struct work){ field, i, batches_each, 0 };
		tasks[i] = (struct crew_task){ .run = fn, .arg = &works[i] };
	}
	wall = crew_run(&field->crew, tasks, field->threads);
	run->ns = (double)wall / (batches_each * field->threads);
	run->apart = were_apart(field, tasks, wall);
}

static bool run_send(void *arg, struct run *run)
{
	struct field *field = arg;
	uint32_t first = get(WEIR_SMMU_CMDQ_PROD);
	struct work works[CREW_MAX];

	__atomic_store_n(&device.sum, 0, __ATOMIC_RELAXED);
	run_crew(field, send, works, run);
	for (unsigned int i = 0; i < field->threads; i++) {
		if (works[i].failed)
			return complain("a batch failed");
	}
	if (((get(WEIR_SMMU_CMDQ_PROD) - first) & (2 * ENTRIES - 1)) != field->commands)
		return complain("PROD is wrong");
	return check(field, first);
}

static bool run_pair(void *arg, struct run *run)
{
	struct field *field = arg;
	struct work works[CREW_MAX];

	field->pair.taken = 0;
	run_crew(field, count, works, run);
	return field->pair.taken == field->commands || complain("the pair is wrong");
}

/* ---- Rows -------------------------------------------------------------------------------- */

static unsigned int device_of(unsigned int number)
{
	return number / (WEIR_ARRAY_SIZE(threads) * WEIR_ARRAY_SIZE(batches));
}

static unsigned int batch_of(unsigned int number)
{
	return batches[number / WEIR_ARRAY_SIZE(threads) % WEIR_ARRAY_SIZE(batches)];
}

static unsigned int threads_of(unsigned int number)
{
	return threads[number % WEIR_ARRAY_SIZE(threads)];
}

static struct row make_row(unsigned int number, struct field *field)
{
	struct row row = {
		.bound_name = "atomic pair",
		.run = run_send,
		.bound = run_pair,
		.arg = field,
		.commands = batch_of(number) + 1,
	};

	snprintf(row.name, sizeof(row.name), "%u-%u-%s", threads_of(number), batch_of(number),
		 devices[device_of(number)]);
	return row;
}

/* As many whole batches for each thread as the queue holds. */
static unsigned int commands_of(const struct field *field, bool at_once, bool quick)
{
	unsigned int each = field->threads * (field->batch + 1);
	unsigned int most = quick ? QUICK_COMMANDS : at_once ? ENTRIES : THREAD_COMMANDS;

	return most / each * each;
}

static bool do_row(struct table *table, struct field *field, unsigned int number)
{
	struct row row = make_row(number, field);
	bool at_once = !device_of(number), ok;
	struct work works[CREW_MAX];
	struct run run;

	if (!options_want(table->options, row.name))
		return true;
	field->threads = threads_of(number);
	field->batch = batch_of(number);
	field->commands = commands_of(field, at_once, table->options->quick);
	field->processors = bench_processors();
	if (!at_once && field->processors > 1)
		field->processors--;
	run_crew(field, settle, works, &run);
	if (!device_start(field, at_once))
		return false;
	ok = table_row(table, &row);
	device_stop();
	return ok;
}

static bool do_rows(struct table *table, struct field *field)
{
	bool ok = true;

	for (unsigned int i = 0; ok && i < ROWS; i++)
		ok = do_row(table, field, i);
	return ok;
}

/* ---- The program ------------------------------------------------------------------------- */

/* What the ID registers say: as QEMU's do, with addresses of 48 bits. */
static bool probe(struct field *field, struct weir_iommu **iommu)
{
	struct weir_iommu_desc desc = { .name = "smmu",
					.size = REGS_SIZE,
					.coherent = true,
					.irq_eventq = 1,
					.irq_gerror = 2,
					.irq_sync = -1,
					.irq_priq = -1,
					.irq_combined = -1 };

	set(WEIR_SMMU_IDR0, 0x0d44101b);
	set(WEIR_SMMU_IDR1, 0x02730010);
	set(WEIR_SMMU_IDR5, 0x75);
	device.at_once = true;
	bench_set_mmio(&mmio);
	field->weir->options.command_queue_entries = ENTRIES;
	if (weir_smmuv3_driver.probe(field->weir, &desc, iommu))
		return complain("no SMMU");
	field->smmu = WEIR_CONTAINER_OF(*iommu, struct weir_smmuv3, iommu);
	return field->smmu->cmdq.entries == ENTRIES || complain("the queue is too small");
}

static bool measure(struct weir *weir, const struct options *options)
{
	static struct field field;
	struct weir_iommu *iommu;
	struct table table;
	bool ok;

	field.weir = weir;
	bench_set_cpu(DEVICE_CPU);
	if (!probe(&field, &iommu))
		return false;
	if (!crew_start(&field.crew, CREW_MAX))
		return complain("no threads");
	table_begin(&table, options, "M cmds/s");
	ok = do_rows(&table, &field);
	table_end(&table);
	crew_stop(&field.crew);
	weir_smmuv3_driver.remove(iommu);
	return ok;
}

int main(int argc, char **argv)
{
	struct options options;
	struct weir *weir;
	unsigned int i = 0;
	int status = options_parse(&options, &usage, argc, argv);
	bool ok;

	if (status >= 0)
		return status;
	while (i < ROWS && !options_want(&options, make_row(i, NULL).name))
		i++;
	if (i == ROWS)
		return options_none(&options, &usage);
	weir = bench_machine(RAM);
	if (!weir)
		return 1;
	ok = measure(weir, &options);
	return bench_machine_end(weir) && ok ? 0 : 1;
}
