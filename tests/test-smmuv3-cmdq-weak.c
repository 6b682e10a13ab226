/* SPDX-License-Identifier: MIT */
/*
 * The command queue of src/smmuv3, its very text, on memory that is as weak as C11 and platform.h
 * allow; with barriers taken out one by one. tests/spin/cmdq.pml is the same in small and complete.
 *
 * - As it is, whatever the order: each command arrives whole, in its producer's order, also behind
 *   one that was refused; no slot is written before the SMMU's reading of it is known to be over;
 *   each write of PROD knows of the last one; every producer returns, behind its CMD_SYNC.
 * - Without any single barrier (acquire, release, plat_dma_wmb(), plat_dma_rmb()) of any line, one
 *   of these fails.
 *
 * A view says for each word how new a value must be that its owner sees. A store with release
 * leaves the view with the value, a load with acquire joins it; a relaxed load returns any value
 * that is not older than the view. What the SMMU sees of a word is any value from the newest on
 * that PROD (or GERRORN) brought: what was known, at the last plat_dma_wmb() of who wrote the
 * register, to be behind a plat_dma_wmb() of who wrote the word. CPUs are threads that run one at a
 * time and give way at random, between any two accesses; the SMMU runs in between. Seeded.
 *
 * Argument: rounds as it is (twice as many for each barrier, at most).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>

#include "base/lock.h"
#include "smmuv3/regs.h"
#include "threadplat.h"

#define PRODUCERS 3
#define CPUS (PRODUCERS + 1) /* the last one gets the interrupts for errors */
#define BATCHES 4
#define LARGEST 3
#define WORDS 32
#define HISTORY 8
#define SITES 64
#define MARK (1ull << 9)
/* Looks without any command consumed, after which a batch counts as forgotten. */
#define PATIENCE 3000

enum kind { ACQUIRE, RELEASE, WMB, RMB };
static const char *const kind_names[] = { "acquire", "release", "plat_dma_wmb", "plat_dma_rmb" };

struct view {
	unsigned int cpu[WORDS];    /* the oldest value that may be seen */
	unsigned int device[WORDS]; /* the same, by who is told of it in order */
	uint64_t eaten;		    /* commands that the SMMU is known to have read */
	unsigned int prods;	    /* writes of PROD that are known */
};

struct value {
	uint64_t is;
	struct view view;
};

static struct word {
	const void *at;
	unsigned int newest;
	struct value values[HISTORY];
	uint64_t eaten_at; /* of a slot: commands read when the SMMU had read it last */
} words[WORDS];

static struct cpu {
	struct view view, fenced;
	unsigned int mine[WORDS]; /* the newest of this producer's own stores */
	uint64_t looked;	  /* commands eaten when a register was read last */
	sem_t turn;
	bool has_ended;
} cpus[CPUS];

static struct {
	struct view view, prod_view;
	uint32_t prod, cons, gerror, gerrorn, refuse_in;
	uint64_t eaten, next[PRODUCERS], done[PRODUCERS];
	unsigned int prods;
	uint64_t done_at[PRODUCERS]; /* commands eaten, with the last CMD_SYNC */
	int inside;
	bool is_refused;
} smmu_side;

static struct site {
	int line;
	const char *function;
	bool has[4];
} sites[SITES];

static struct weir machine;
static struct weir_cpu statistics;
static struct weir_smmuv3 the_smmu;
static unsigned int me, quiet_looks, entries, nr_ended;
static uint64_t random_state;
static unsigned int all_rounds = 1000;
static const char *failure;
static int removed_line;
static enum kind removed_kind;
static int repairs = -1; /* the producer that does */

static void fail_with(const char *what)
{
	if (!failure)
		failure = what;
}

static unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)((random_state >> 20) % n);
}

/* ---- Views ----------------------------------------------------------------------------------- */

static void join(struct view *to, const struct view *from)
{
	for (int i = 0; i < WORDS; i++) {
		to->cpu[i] = to->cpu[i] > from->cpu[i] ? to->cpu[i] : from->cpu[i];
		to->device[i] = to->device[i] > from->device[i] ? to->device[i] : from->device[i];
	}
	to->eaten = to->eaten > from->eaten ? to->eaten : from->eaten;
	to->prods = to->prods > from->prods ? to->prods : from->prods;
}

static unsigned int word_of(const void *at, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < WORDS && words[i].at; i++)
		if (words[i].at == at)
			return i;
	assert_true(i < WORDS);
	words[i].at = at;
	words[i].values[0].is = size == 8 ? *(const uint64_t *)at : *(const uint32_t *)at;
	return i;
}

/* Some value that is not older than `oldest`: mostly the newest. */
static unsigned int pick(unsigned int word, unsigned int oldest)
{
	unsigned int newest = words[word].newest;

	if (newest - oldest >= HISTORY)
		oldest = newest - HISTORY + 1;
	return below(2) ? newest : oldest + below(newest - oldest + 1);
}

static struct value *value_of(unsigned int word, unsigned int number)
{
	return &words[word].values[number % HISTORY];
}

/* Is there this barrier on this line? */
static bool has(enum kind kind, int line, const char *function)
{
	struct site *site = sites;

	while (site < sites + SITES - 1 && site->line && site->line != line)
		site++;
	site->line = line;
	site->function = function;
	site->has[kind] = true;
	return line != removed_line || kind != removed_kind;
}

static bool acquires(int order, int line, const char *function)
{
	return (order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL) &&
	       has(ACQUIRE, line, function);
}

static bool releases(int order, int line, const char *function)
{
	return (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL) &&
	       has(RELEASE, line, function);
}

/* ---- The SMMU -------------------------------------------------------------------------------- */

/* On a queue that is smaller than a batch their parts mix, and nobody knows whose it is. */
static void look_at_sync(void)
{
	if (smmu_side.inside < 0) {
		fail_with("a CMD_SYNC of nobody");
		return;
	}
	smmu_side.done[smmu_side.inside]++;
	smmu_side.done_at[smmu_side.inside] = smmu_side.eaten + 1;
}

static void look_at(uint64_t word0, uint64_t word1)
{
	unsigned int producer = word0 >> 16 & 0xff;

	if (word0 == 0x46 && !word1) {
		if (entries > LARGEST)
			look_at_sync();
		smmu_side.inside = -1;
		return;
	}
	if (!(word0 & MARK) || word1 != ~word0 || producer >= PRODUCERS) {
		fail_with("not a whole command");
		return;
	}
	if (entries > LARGEST && smmu_side.inside >= 0 && smmu_side.inside != (int)producer)
		fail_with("a batch was torn");
	if (word0 >> 32 != smmu_side.next[producer]++)
		fail_with("out of order");
	smmu_side.inside = (int)producer;
}

static uint64_t device_load(const uint64_t *at)
{
	unsigned int word = word_of(at, 8);

	words[word].eaten_at = smmu_side.eaten + 1;
	return value_of(word, pick(word, smmu_side.view.device[word]))->is;
}

/* What stands in for a refused command is one for all addresses. */
static void look_at_stand_in(uint64_t word0, uint64_t word1)
{
	smmu_side.is_refused = false;
	if (word0 != WEIR_SMMU_CMD_TLBI_NSNH_ALL || word1)
		fail_with("a refused command was not replaced");
}

static void device_step(void)
{
	uint32_t mask = 2 * entries - 1;
	const uint64_t *slot;
	uint64_t word0, word1;

	join(&smmu_side.view, &smmu_side.prod_view);
	if (smmu_side.gerror != smmu_side.gerrorn || !((smmu_side.prod ^ smmu_side.cons) & mask))
		return;
	if (((smmu_side.prod - smmu_side.cons) & mask) > entries)
		fail_with("PROD covers more than the queue");
	slot = &the_smmu.cmdq.slots[(smmu_side.cons & (entries - 1)) * 2];
	word0 = device_load(&slot[0]);
	word1 = device_load(&slot[1]);
	if (smmu_side.is_refused) {
		look_at_stand_in(word0, word1);
	} else {
		look_at(word0, word1);
		if (smmu_side.refuse_in && word0 & MARK && !--smmu_side.refuse_in) {
			smmu_side.is_refused = true;
			smmu_side.gerror ^= 1;
			return;
		}
	}
	smmu_side.eaten++;
	smmu_side.cons = (smmu_side.cons + 1) & mask;
	quiet_looks = 0;
}

static uint64_t read_reg(void *opaque, uint64_t offset, unsigned int size)
{
	(void)opaque;
	(void)size;
	cpus[me].looked = smmu_side.eaten;
	switch (offset) {
	case WEIR_SMMU_CMDQ_CONS:
		return smmu_side.cons | (smmu_side.gerror != smmu_side.gerrorn ? 1u << 24 : 0);
	case WEIR_SMMU_CMDQ_PROD:
		return smmu_side.prod;
	default:
		return 0;
	}
}

static void write_reg(void *opaque, uint64_t offset, unsigned int size, uint64_t value)
{
	uint32_t mask = 2 * entries - 1, step = ((uint32_t)value - smmu_side.prod) & mask;

	(void)opaque;
	(void)size;
	if (offset != WEIR_SMMU_CMDQ_PROD)
		return;
	if (!step || step > entries)
		fail_with("PROD went back");
	if (cpus[me].view.prods != smmu_side.prods)
		fail_with("two publishers at once");
	cpus[me].view.prods = ++smmu_side.prods;
	smmu_side.prod = (uint32_t)value;
	smmu_side.prod_view = cpus[me].fenced;
}

/* ---- One at a time --------------------------------------------------------------------------- */

static void give_way(bool must)
{
	unsigned int last = me, next = below(CPUS);

	for (unsigned int n = below(3); n; n--)
		device_step();
	if (!must && below(3))
		return;
	for (unsigned int i = 0; i < CPUS && cpus[next].has_ended; i++)
		next = (next + 1) % CPUS;
	if (next == last || cpus[next].has_ended)
		return;
	me = next;
	sem_post(&cpus[next].turn);
	if (cpus[last].has_ended)
		return;
	sem_wait(&cpus[last].turn);
}

static void relax(void)
{
	if (++quiet_looks > PATIENCE)
		fail_with("a batch was forgotten");
	give_way(true);
}

/* ---- What cmdq.c sees ------------------------------------------------------------------------ */

static uint64_t load(const void *at, unsigned int size, int order, int line, const char *function)
{
	struct cpu *p;
	unsigned int word, number;

	give_way(false);
	p = &cpus[me];
	word = word_of(at, size);
	number = pick(word, p->view.cpu[word]);
	p->view.cpu[word] = number;
	if (acquires(order, line, function))
		join(&p->view, &value_of(word, number)->view);
	if (at == &the_smmu.cmdq.is_broken)
		return failure != NULL;
	return value_of(word, number)->is;
}

static void append(unsigned int word, uint64_t value, const struct view *view)
{
	struct cpu *p = &cpus[me];
	unsigned int number = ++words[word].newest;

	value_of(word, number)->is = value;
	value_of(word, number)->view = *view;
	p->view.cpu[word] = number;
	p->mine[word] = number;
}

static void store(const void *at, unsigned int size, uint64_t value, int order, int line,
		  const char *function)
{
	static const struct view nothing;
	struct view view;
	unsigned int word;

	give_way(false);
	word = word_of(at, size);
	if (words[word].eaten_at > cpus[me].view.eaten && repairs != (int)me)
		fail_with("a slot was written before it was read");
	view = releases(order, line, function) ? cpus[me].view : nothing;
	append(word, value, &view);
}

/* The value that was there: `expected`, and `desired` is there now; or not, and it is not. */
static uint64_t exchange(const void *at, unsigned int size, const uint64_t *expected,
			 uint64_t desired, int order, int line, const char *function)
{
	struct value *old;
	struct view view;
	unsigned int word;
	uint64_t was;

	give_way(false);
	word = word_of(at, size);
	old = value_of(word, words[word].newest);
	was = old->is;
	cpus[me].view.cpu[word] = words[word].newest;
	if (at == &the_smmu.cmdq.is_broken)
		fail_with("the queue was given up");
	if (expected && *expected != was)
		return was;
	if (acquires(order, line, function))
		join(&cpus[me].view, &old->view);
	view = old->view;
	if (releases(order, line, function))
		join(&view, &cpus[me].view);
	append(word, desired, &view);
	return was;
}

static bool compare_exchange(const void *at, uint64_t *expected, uint64_t desired, int order,
			     int line, const char *function)
{
	uint64_t was = exchange(at, 8, expected, desired, order, line, function);
	bool is_done = was == *expected;

	*expected = was;
	return is_done;
}

static void dma_wmb(int line, const char *function)
{
	struct cpu *p = &cpus[me];

	if (!has(WMB, line, function))
		return;
	for (int i = 0; i < WORDS; i++)
		if (p->mine[i] > p->view.device[i])
			p->view.device[i] = p->mine[i];
	p->fenced = p->view;
}

/* Of what the SMMU knows, what was behind a barrier; and that it has read what it had. */
static void dma_rmb(int line, const char *function)
{
	struct view *view = &cpus[me].view;

	if (!has(RMB, line, function))
		return;
	for (int i = 0; i < WORDS; i++)
		if (smmu_side.view.device[i] > view->cpu[i])
			view->cpu[i] = smmu_side.view.device[i];
	if (cpus[me].looked > view->eaten)
		view->eaten = cpus[me].looked;
}

#define __atomic_load_n(at, order)                                                                 \
	((__typeof__(*(at)))load(at, sizeof(*(at)), order, __LINE__, __func__))
#define __atomic_store_n(at, value, order)                                                         \
	store(at, sizeof(*(at)), value, order, __LINE__, __func__)
#define __atomic_exchange_n(at, value, order)                                                      \
	exchange(at, sizeof(*(at)), NULL, value, order, __LINE__, __func__)
#define __atomic_compare_exchange_n(at, expected, value, weak, order, otherwise)                   \
	compare_exchange(at, expected, value, order, __LINE__, __func__)
#define plat_dma_wmb() dma_wmb(__LINE__, __func__)
#define plat_dma_rmb() dma_rmb(__LINE__, __func__)
#define plat_relax(plat) relax()
#define plat_time_ns(plat) 1

#include "smmuv3/cmdq.c" /* NOLINT(bugprone-suspicious-include): the text itself is tested */

void weir_smmuv3_check_errors(struct weir_smmuv3 *which)
{
	if (repairs >= 0 || smmu_side.gerror == smmu_side.gerrorn)
		return;
	repairs = (int)me;
	weir_smmuv3_cmdq_repair(which);
	join(&smmu_side.view, &cpus[me].fenced);
	smmu_side.gerrorn = smmu_side.gerror;
	repairs = -1;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void *producer_main(void *arg)
{
	unsigned int producer = (unsigned int)(uintptr_t)arg;
	uint64_t number = 0;

	sem_wait(&cpus[producer].turn);
	for (uint64_t batch = 1; batch <= BATCHES && !failure; batch++) {
		struct weir_smmuv3_cmd cmds[LARGEST + 1];
		unsigned int n = 1 + below(LARGEST);

		for (unsigned int i = 0; i < n; i++, number++) {
			cmds[i].word[0] = 0x12 | MARK | producer << 16 | number << 32;
			cmds[i].word[1] = ~cmds[i].word[0];
		}
		if (weir_smmuv3_issue(&the_smmu, cmds, n))
			fail_with("a batch failed");
		if (smmu_side.next[producer] != number)
			fail_with("returned before its commands");
		if (entries > LARGEST && smmu_side.done[producer] != batch)
			fail_with("returned before its CMD_SYNC");
		if (entries > LARGEST && cpus[producer].view.eaten < smmu_side.done_at[producer])
			fail_with("does not know that its CMD_SYNC was read");
	}
	cpus[producer].has_ended = true;
	nr_ended++;
	give_way(true);
	return NULL;
}

static void *handler_main(void *arg)
{
	(void)arg;
	sem_wait(&cpus[PRODUCERS].turn);
	while (nr_ended < PRODUCERS) {
		weir_smmuv3_check_errors(&the_smmu);
		give_way(true);
	}
	cpus[PRODUCERS].has_ended = true;
	give_way(true);
	return NULL;
}

static void round_of(uint64_t seed)
{
	pthread_t threads[CPUS];

	failure = NULL;
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	memset(words, 0, sizeof(words));
	memset(cpus, 0, sizeof(cpus));
	memset(&smmu_side, 0, sizeof(smmu_side));
	memset(&the_smmu, 0, sizeof(the_smmu));
	quiet_looks = 0;
	nr_ended = 0;
	entries = 1u << below(3);
	smmu_side.inside = -1;
	smmu_side.refuse_in = below(2) ? 1 + below(12) : 0;
	machine.options.command_queue_entries = entries;
	the_smmu.iommu.weir = &machine;
	the_smmu.features.cmdq_shift = 10;
	the_smmu.features.coherent = true;
	the_smmu.regs = plat_mmio_map(NULL, 0, 0x20000);
	assert_int_equal(weir_smmuv3_cmdq_init(&the_smmu), 0);
	me = below(CPUS);
	for (unsigned int i = 0; i < CPUS; i++)
		sem_init(&cpus[i].turn, 0, i == me);
	for (uintptr_t i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < PRODUCERS ? producer_main : handler_main,
						(void *)i),
				 0);
	for (int i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	weir_smmuv3_cmdq_fini(&the_smmu);
}

static void run(const char *what, unsigned int rounds)
{
	unsigned int i;

	failure = NULL;
	for (i = 0; i < rounds && !failure; i++)
		round_of(i);
	printf("%s: %s, %u rounds\n", what, failure ? failure : "nothing fails", i);
}

static void as_it_is(void **state)
{
	(void)state;
	removed_line = 0;
	run("as it is", all_rounds);
	assert_null(failure);
}

static void without_any_barrier(void **state)
{
	unsigned int removed = 0, missed = 0;

	(void)state;
	for (struct site *site = sites; site->line; site++) {
		for (unsigned int kind = ACQUIRE; kind <= RMB; kind++) {
			char what[128];

			if (!site->has[kind])
				continue;
			removed_line = site->line;
			removed_kind = kind;
			snprintf(what, sizeof(what), "without %s in %s(), line %d",
				 kind_names[kind], site->function, site->line);
			run(what, 2 * all_rounds);
			removed++;
			missed += !failure;
		}
	}
	assert_int_equal(missed, 0);
	/* Those that there are; SPIN has as many. */
	assert_int_equal(removed, 14);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_is),
		cmocka_unit_test(without_any_barrier),
	};
	int ret;

	if (argc > 1)
		all_rounds = (unsigned int)strtoul(argv[1], NULL, 0);
	threadplat_new(16u << 20, false);
	threadplat_set_mmio(&(struct threadplat_mmio){ read_reg, write_reg, NULL });
	machine.cpus = 1;
	machine.cpu = &statistics;
	weir_heap_init(&machine.heap, NULL, false);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	weir_heap_fini(&machine.heap);
	threadplat_delete();
	return ret;
}
