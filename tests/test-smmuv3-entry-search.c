/* SPDX-License-Identifier: MIT */
/*
 * Changing entries under a live SMMU (src/smmuv3/entry.c) takes as few syncs as there can be.
 *
 * - For all pairs of reduced entries, in many ways in which their bits use each other: if a search
 *   through all sequences of writes and syncs finds a hitless one, the change is hitless, else it
 *   is not; and it takes as many syncs as the shortest such sequence. Every mixture on the way
 *   means one of the two, or is invalid if it is not hitless.
 */

#include <string.h>

#include "entryrig.h"

/*
 * Three words of two bits, and a search through all sequences of writes of any value to any word,
 * and of syncs. It is enough: the plan asks of each word whether old and new differ in a bit that
 * both use, whether new uses one that old does not, and whether it is the word with V. Two bits of
 * a word can be in any two of the states that a bit can be in, and of three words one is that of V,
 * and two others can be critical at once, or one critical and one to be preset. More bits of a word
 * go into the same write, more words into the same phase between syncs.
 *
 * Word 0 is V and C. Of the other four bits each is used on its own condition; those of word 2 may
 * depend on word 1, as S2S does on EATS, or SHCFG on S1DSS.
 */
#define R_WORDS 3u
#define R_ENTRIES 64u
#define R_V 1u
#define R_C 2u

enum condition { NEVER, ALWAYS, IF_C, IF_NOT_C, IF_WORD1, CONDITIONS };

static enum condition conditions[R_WORDS][2];

static bool holds(enum condition condition, const uint64_t *entry)
{
	switch (condition) {
	case ALWAYS:
		return true;
	case IF_C:
		return entry[0] & R_C;
	case IF_NOT_C:
		return !(entry[0] & R_C);
	case IF_WORD1:
		/* And set; it has to be used itself. */
		return holds(conditions[1][0], entry) && (entry[1] & 1);
	default:
		return false;
	}
}

static void reduced_used(const uint64_t *entry, uint64_t *used)
{
	memset(used, 0, WORDS * sizeof(*used));
	used[0] = R_V;
	if (!(entry[0] & R_V))
		return;
	used[0] |= R_C;
	for (unsigned int word = 1; word < R_WORDS; word++)
		for (unsigned int bit = 0; bit < 2; bit++)
			if (holds(conditions[word][bit], entry))
				used[word] |= 1u << bit;
}

static void unpack(unsigned int packed, uint64_t *entry)
{
	memset(entry, 0, WORDS * sizeof(*entry));
	for (unsigned int i = 0; i < R_WORDS; i++)
		entry[i] = packed >> 2 * i & 3;
}

static unsigned int meanings[R_ENTRIES]; /* the first entry that means the same */
static uint64_t entries_by_meaning[R_ENTRIES];
/* Bit n: of entry n, word i is in the set of values. */
static uint64_t by_values[R_WORDS][16];

static void find_meanings(struct rig *rig)
{
	uint64_t a[WORDS], b[WORDS];

	memset(entries_by_meaning, 0, sizeof(entries_by_meaning));
	for (unsigned int i = 0; i < R_ENTRIES; i++) {
		unpack(i, a);
		meanings[i] = i;
		for (unsigned int j = 0; j < i; j++) {
			unpack(j, b);
			if (same(rig, a, b)) {
				meanings[i] = meanings[j];
				break;
			}
		}
		entries_by_meaning[meanings[i]] |= 1ull << i;
	}
}

static void find_values(void)
{
	memset(by_values, 0, sizeof(by_values));
	for (unsigned int word = 0; word < R_WORDS; word++)
		for (unsigned int set = 0; set < 16; set++)
			for (unsigned int i = 0; i < R_ENTRIES; i++)
				if (set >> (i >> 2 * word & 3) & 1)
					by_values[word][set] |= 1ull << i;
}

/* Memory, and for each word the values that the SMMU may hold, as a set of four bits. */
#define STATE(memory, held) ((memory) | (held) << 6)
#define STATES (1u << 18)

static unsigned int just(unsigned int memory)
{
	unsigned int held = 0;

	for (unsigned int word = 0; word < R_WORDS; word++)
		held |= 1u << (memory >> 2 * word & 3) << 4 * word;
	return held;
}

static uint32_t visited[STATES], visit;

#define ARRIVED (~0u)

/* Follow all writes from these states; returns how many there are then, or that one arrived. */
static unsigned int write_all(uint32_t *states, unsigned int n, uint64_t allowed, uint64_t goal)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int memory = states[i] & 63, held = states[i] >> 6;

		if (goal >> memory & 1)
			return ARRIVED;
		for (unsigned int w = 0; w < 4 * R_WORDS; w++) {
			unsigned int word = w / 4, value = w % 4, next = held | 1u << w, state;
			uint64_t mixtures = by_values[0][next & 15] & by_values[1][next >> 4 & 15] &
					    by_values[2][next >> 8];

			state = STATE((memory & ~(3u << 2 * word)) | value << 2 * word, next);
			if ((mixtures & ~allowed) || visited[state] == visit)
				continue;
			visited[state] = visit;
			states[n++] = state;
		}
	}
	return n;
}

/* What a sync makes of these states: only what was not reached before. */
static unsigned int sync_all(const uint32_t *states, unsigned int n, uint32_t *synced)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int memory = states[i] & 63, state = STATE(memory, just(memory));

		if (visited[state] == visit)
			continue;
		visited[state] = visit;
		synced[left++] = state;
	}
	return left;
}

/* From one entry to one that means the same as the other; ~0: there is no way. */
static unsigned int fewest_syncs(unsigned int old, unsigned int new, bool through_invalid)
{
	static uint32_t states[2][STATES];
	uint64_t goal = entries_by_meaning[meanings[new]];
	uint64_t allowed = entries_by_meaning[meanings[old]] | goal;
	unsigned int n = 1, here = 0, syncs;

	if (through_invalid)
		allowed |= entries_by_meaning[meanings[0]];
	if (meanings[old] == meanings[new])
		return 0;
	visit++;
	states[0][0] = STATE(old, just(old));
	visited[states[0][0]] = visit;
	for (syncs = 1; n; syncs++) {
		n = write_all(states[here], n, allowed, goal);
		if (n == ARRIVED)
			return syncs;
		n = sync_all(states[here], n, states[!here]);
		here = !here;
	}
	return ~0u;
}

/* From one entry to all that mean the same. */
static void compare_with_search(struct rig *rig, unsigned int old, unsigned int meaning)
{
	unsigned int fewest = fewest_syncs(old, meaning, false);
	uint64_t from[WORDS], to[WORDS];
	bool hitless = fewest != ~0u;

	if (!hitless)
		fewest = fewest_syncs(old, meaning, true);
	unpack(old, from);
	for (unsigned int new = meaning; new < R_ENTRIES; new ++) {
		if (meanings[new] != meaning)
			continue;
		unpack(new, to);
		expect_change(rig, from, to, fewest, hitless);
	}
}

static void compare_all(struct rig *rig)
{
	find_meanings(rig);
	for (unsigned int old = 0; old < R_ENTRIES; old++)
		for (unsigned int new = 0; new < R_ENTRIES; new ++)
			if (meanings[new] == new)
				compare_with_search(rig, old, new);
}

/* Of what differs in the names of words and bits alone, one. */
static bool is_new(void)
{
	const enum condition *one = conditions[1], *two = conditions[2];

	if (two[0] > two[1])
		return false;
	if (two[1] == IF_WORD1)
		return one[0] != NEVER;
	return one[0] <= one[1] && (one[0] < two[0] || (one[0] == two[0] && one[1] <= two[1]));
}

static void test_fewest_syncs(void **state)
{
	struct rig rig;

	(void)state;
	rig_up(&rig, NULL, REDUCED);
	rig.writer.used = reduced_used;
	rig.writer.apart = NULL;
	find_values();
	for (unsigned int i = 0; i < IF_WORD1 * IF_WORD1 * CONDITIONS * CONDITIONS; i++) {
		conditions[1][0] = i % IF_WORD1;
		conditions[1][1] = i / IF_WORD1 % IF_WORD1;
		conditions[2][0] = i / (IF_WORD1 * IF_WORD1) % CONDITIONS;
		conditions[2][1] = i / (IF_WORD1 * IF_WORD1 * CONDITIONS);
		if (is_new())
			compare_all(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fewest_syncs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
