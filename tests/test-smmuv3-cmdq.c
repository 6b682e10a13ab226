/* SPDX-License-Identifier: MIT */
/*
 * The command queue of src/smmuv3 with many producers and an SMMU on a thread of its own, which
 * takes what PROD covers, at its own pace, and ruins each slot behind itself.
 *
 * - Each command arrives whole, once, in the order of its producer; a batch that fits arrives in
 *   one piece; nothing arrives that was not written. PROD never goes back, nor covers more than the
 *   queue.
 * - When the call returns the SMMU has consumed the batch and its CMD_SYNC.
 * - While it is started anew, again and again: who hears of success has had his commands done, all
 *   of them; who does not hears -WEIR_EIO; what arrives is whole and in order all the same.
 * - On queues of 1 to 1024 entries, smaller than a batch too; and while the SMMU refuses commands.
 *
 * Meant for the thread sanitizer. Argument: batches of each producer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "smmuv3/smmuv3.h"
#include "threadplat.h"

#define PRODUCERS 4
#define RUINED 0xdeaddeaddeaddeadull
/* Opcodes with a bit that the driver never sets, so that a test's command is known as one. */
#define MARK (1ull << 9)

static struct weir weir;
static struct weir_cpu cpus[PRODUCERS + 1];
static struct weir_smmuv3 *smmu;
static unsigned int batches = 3000;
static uint32_t finished; /* atomic: producers */

/*
 * The device's side. Registers are atomics; only the device thread touches the rest while it runs.
 */
static struct {
	uint32_t regs[0x20000 / 4];
	uint32_t stop;
	uint32_t refuse_each; /* the Nth command is refused; 0: none */
	uint64_t consumed, refused;
	uint64_t next
		[PRODUCERS]; /* atomic: number of the next command that this producer will send */
	uint64_t done[PRODUCERS]; /* atomic: batches whose CMD_SYNC was consumed */
	int inside;		  /* producer whose batch is arriving, or -1 */
	bool is_lossy;		  /* it is started anew meanwhile */
	uint32_t busy;		  /* atomic: a command is on its way */
	uint64_t failed;	  /* atomic: batches */
	bool in_parts;		  /* the queue is smaller than a batch: they may mix */
	bool is_ill;		  /* found something wrong */
} device;

void weir_iommu_report_fault(struct weir_fault *fault)
{
	(void)fault;
}

void weir_iommu_report_overflow(struct weir_iommu *iommu)
{
	(void)iommu;
}

static uint32_t get(uint32_t offset)
{
	return __atomic_load_n(&device.regs[offset / 4], __ATOMIC_ACQUIRE);
}

static void set(uint32_t offset, uint32_t value)
{
	__atomic_store_n(&device.regs[offset / 4], value, __ATOMIC_RELEASE);
}

static uint64_t read_reg(void *opaque, uint64_t offset, unsigned int size)
{
	(void)opaque;
	(void)size;
	return get((uint32_t)offset);
}

static void write_reg(void *opaque, uint64_t offset, unsigned int size, uint64_t value)
{
	uint32_t mask = 2 * (1u << (get(0x90) & 31)) - 1;

	(void)opaque;
	if (offset == 0x98 && get(0x24) & 8) {
		uint32_t step = ((uint32_t)value - get(0x98)) & mask;

		/* Forward, and not past a lap (3.21.2). */
		if (!step || step > (mask + 1) / 2 ||
		    (((uint32_t)value - get(0x9c)) & mask) > (mask + 1) / 2)
			__atomic_store_n(&device.is_ill, true, __ATOMIC_RELAXED);
	}
	/* A register write takes its time; what the others do meanwhile must not be lost. */
	if (offset == 0x98)
		sched_yield();
	__atomic_store_n(&device.regs[offset / 4], (uint32_t)value, __ATOMIC_SEQ_CST);
	/* 6.3.9.3: acknowledged when what was under way has been consumed. */
	if (offset == 0x20 && !(value & 8)) {
		while (__atomic_load_n(&device.busy, __ATOMIC_SEQ_CST))
			sched_yield();
	}
	if (size == 8)
		set((uint32_t)offset + 4, (uint32_t)(value >> 32));
	if (offset == 0x20 || offset == 0x50)
		set((uint32_t)offset + 4, (uint32_t)value);
	if (offset == 0x44)
		set(0x44, (uint32_t)value & 0x7fffffff);
}

static void ill(const char *what, uint64_t word0, uint64_t word1)
{
	if (!__atomic_exchange_n(&device.is_ill, true, __ATOMIC_RELAXED))
		fprintf(stderr, "%s: %016llx %016llx\n", what, (unsigned long long)word0,
			(unsigned long long)word1);
}

/* Test's commands: opcode | MARK | producer << 16 | number << 32; word 1 is its complement. */
static void count(unsigned int producer)
{
	__atomic_fetch_add(&device.next[producer], 1, __ATOMIC_RELEASE);
}

static void look_at(uint64_t word0, uint64_t word1)
{
	unsigned int producer = word0 >> 16 & 0xff;

	if ((word0 & 0xff) == 0x46) {
		if (device.inside >= 0)
			__atomic_fetch_add(&device.done[device.inside], 1, __ATOMIC_RELEASE);
		device.inside = -1;
		return;
	}
	/* The stand-in for a command that was refused, and what probe and remove send. */
	if (!(word0 & MARK) && device.inside < 0)
		return;
	if (word0 == 0x30 && !word1) {
		count((unsigned int)device.inside);
		return;
	}
	if (!(word0 & MARK) || word1 != ~word0 || producer >= PRODUCERS)
		ill("not a whole command", word0, word1);
	else if (!device.in_parts && device.inside >= 0 && device.inside != (int)producer)
		ill("a batch was torn", word0, word1);
	else if (device.is_lossy && word0 >> 32 > device.next[producer])
		__atomic_store_n(&device.next[producer], (word0 >> 32) + 1, __ATOMIC_RELEASE);
	else if ((uint32_t)(word0 >> 32) != (uint32_t)device.next[producer])
		ill("out of order", word0, word1);
	else
		count(producer);
	device.inside = (int)producer;
}

static void consume_one(uint32_t cons, uint32_t entries)
{
	uint64_t base = get(0x90) | (uint64_t)get(0x94) << 32;
	uint64_t *slot =
		threadplat_device_view((base & 0xfffffffffffe0) + (cons & (entries - 1)) * 16);
	uint64_t word0 = __atomic_load_n(&slot[0], __ATOMIC_RELAXED);
	uint64_t word1 = __atomic_load_n(&slot[1], __ATOMIC_RELAXED);

	device.consumed++;
	if (device.refuse_each && word0 & MARK && device.consumed % device.refuse_each == 0) {
		device.refused++;
		/* Its batch has begun, so that the stand-in counts as its own. */
		device.inside = (int)(word0 >> 16 & 0xff);
		set(0x9c, cons | 1 << 24);
		set(0x60, get(0x60) ^ 1);
		return;
	}
	look_at(word0, word1);
	__atomic_store_n(&slot[0], RUINED, __ATOMIC_RELAXED);
	__atomic_store_n(&slot[1], RUINED, __ATOMIC_RELAXED);
	set(0x9c, (cons + 1) & (2 * entries - 1));
}

/* CMDQEN, written and acknowledged: pairs with the wait in write_reg(). */
static bool get_enabled(void)
{
	return __atomic_load_n(&device.regs[0x20 / 4], __ATOMIC_SEQ_CST) & get(0x24) & 8;
}

static void *device_main(void *arg)
{
	uint64_t random = 88172645463325252ull;

	(void)arg;
	while (!__atomic_load_n(&device.stop, __ATOMIC_ACQUIRE)) {
		uint32_t entries = 1u << (get(0x90) & 31), budget;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		__atomic_store_n(&device.busy, 1, __ATOMIC_SEQ_CST);
		for (budget = random % 24; budget && get_enabled(); budget--) {
			uint32_t cons = get(0x9c) & (2 * entries - 1);

			if (((get(0x60) ^ get(0x64)) & 1) ||
			    !((get(0x98) ^ cons) & (2 * entries - 1)))
				break;
			consume_one(cons, entries);
		}
		__atomic_store_n(&device.busy, 0, __ATOMIC_SEQ_CST);
		sched_yield();
	}
	return NULL;
}

static void *producer_main(void *arg)
{
	unsigned int producer = (unsigned int)(uintptr_t)arg;
	uint64_t random = (producer + 1) * 0x9e3779b97f4a7c15ull, number = 0;

	threadplat_set_cpu(producer);
	for (uint64_t batch = 1; batch <= batches; batch++) {
		struct weir_smmuv3_cmd cmds[WEIR_SMMUV3_BATCH + 1];
		unsigned int n;
		int ret;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		n = 1 + (unsigned int)(random % WEIR_SMMUV3_BATCH);
		for (unsigned int i = 0; i < n; i++, number++) {
			cmds[i].word[0] = 0x12 | MARK | producer << 16 | number << 32;
			cmds[i].word[1] = ~cmds[i].word[0];
		}
		ret = weir_smmuv3_issue(smmu, cmds, n);
		if (ret == -WEIR_EIO && device.is_lossy) {
			__atomic_fetch_add(&device.failed, 1, __ATOMIC_RELAXED);
			batch--;
			sched_yield();
			continue;
		}
		if (ret)
			ill("a batch failed", batch, n);
		/*
		 * All of the batch is behind us; and the CMD_SYNC of just this one, and no other.
		 */
		if (__atomic_load_n(&device.next[producer], __ATOMIC_ACQUIRE) != number)
			ill("returned before its commands", batch, number);
		if (!device.in_parts && !device.is_lossy &&
		    __atomic_load_n(&device.done[producer], __ATOMIC_ACQUIRE) != batch)
			ill("returned before its CMD_SYNC", batch, device.done[producer]);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* As src/smmuv3/recover.c does, until all producers are done. */
static unsigned int start_anew_until(const uint32_t *done)
{
	unsigned int times = 0;

	for (; __atomic_load_n(done, __ATOMIC_ACQUIRE) < PRODUCERS; times++) {
		__atomic_store_n(&smmu->cmdq.is_broken, 1, __ATOMIC_RELAXED);
		assert_int_equal(weir_smmuv3_disable(smmu), 0);
		/* Nothing is under way any more. */
		device.inside = -1;
		assert_int_equal(weir_smmuv3_enable(smmu, false), 0);
		assert_int_equal(weir_smmuv3_open(smmu), 0);
		for (int i = 0; i < 20; i++)
			sched_yield();
	}
	return times;
}

static void run(unsigned int entries, uint32_t refuse_each, bool coherent, bool lossy)
{
	struct weir_iommu_desc desc = { .name = "smmu",
					.size = 0x20000,
					.coherent = coherent,
					.irq_eventq = 5,
					.irq_gerror = 6,
					.irq_sync = -1,
					.irq_priq = -1,
					.irq_combined = -1 };
	struct threadplat_mmio mmio = { read_reg, write_reg, NULL };
	pthread_t producers[PRODUCERS], thread;
	struct weir_iommu *iommu;
	unsigned int times = 0;
	uint64_t sent = 0;

	threadplat_new(16u << 20, false);
	threadplat_set_mmio(&mmio);
	threadplat_set_cpu(PRODUCERS);
	memset(&device, 0, sizeof(device));
	memset(&weir, 0, sizeof(weir));
	memset(cpus, 0, sizeof(cpus));
	device.inside = -1;
	set(0x0, 0x0d44101b);
	set(0x4, 0x02730010);
	set(0x14, 0x74);
	weir.cpus = PRODUCERS + 1;
	weir.cpu = cpus;
	weir.options.command_queue_entries = entries;
	weir_heap_init(&weir.heap, NULL, false);
	assert_int_equal(pthread_create(&thread, NULL, device_main, NULL), 0);
	assert_int_equal(weir_smmuv3_driver.probe(&weir, &desc, &iommu), 0);
	assert_int_equal(iommu->ops->start(iommu), 0);
	smmu = WEIR_CONTAINER_OF(iommu, struct weir_smmuv3, iommu);
	assert_int_equal(smmu->cmdq.entries, entries);
	device.refuse_each = refuse_each;
	device.is_lossy = lossy;
	finished = 0;
	/* Here it is the test that starts it anew. */
	if (lossy)
		weir_smmuv3_recovery_stop(smmu);
	device.in_parts = entries <= WEIR_SMMUV3_BATCH;
	for (uintptr_t i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&producers[i], NULL, producer_main, (void *)i), 0);
	if (lossy)
		times = start_anew_until(&finished);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	weir_smmuv3_driver.remove(iommu);
	__atomic_store_n(&device.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_false(device.is_ill);
	if (lossy) {
		printf("%u entries: started anew %u times, %llu batches failed, %u did not\n",
		       entries, times, (unsigned long long)device.failed, PRODUCERS * batches);
		assert_true(times > 3 && device.failed > 3);
		goto done;
	}
	for (int i = 0; i < PRODUCERS; i++) {
		assert_true(device.in_parts || device.done[i] == batches);
		sent += device.next[i] + batches;
	}
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_SYNCS), PRODUCERS * batches + 2);
	assert_int_equal(weir_stat_sum(&weir, WEIR_STAT_COMMANDS), sent + 2 * 3);
	printf("%u entries: %llu commands, %llu laps, %llu refused\n", entries,
	       (unsigned long long)sent, (unsigned long long)(sent / entries),
	       (unsigned long long)device.refused);
	if (refuse_each)
		assert_true(device.refused > 10);
done:
	assert_int_equal(weir_heap_fini(&weir.heap), 0);
	threadplat_delete();
}

static void large_queue(void **state)
{
	(void)state;
	run(1024, 0, true, false);
}

static void full_queue(void **state)
{
	(void)state;
	run(32, 0, true, false);
	run(32, 0, false, false);
}

static void queues_smaller_than_a_batch(void **state)
{
	unsigned int all = batches;

	(void)state;
	batches = all / 4;
	run(8, 0, true, false);
	run(1, 0, false, false);
	batches = all;
}

static void refused_commands(void **state)
{
	(void)state;
	run(64, 501, true, false);
}

static void started_anew(void **state)
{
	(void)state;
	run(64, 0, true, true);
	run(16, 0, false, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_queue),
		cmocka_unit_test(full_queue),
		cmocka_unit_test(queues_smaller_than_a_batch),
		cmocka_unit_test(refused_commands),
		cmocka_unit_test(started_anew),
	};

	if (argc > 1)
		batches = (unsigned int)strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
