/* SPDX-License-Identifier: MIT */

#include "entryrig.h"

#include <string.h>

const uint64_t zeroes[WORDS];

bool same(const struct rig *rig, const uint64_t *a, const uint64_t *b)
{
	uint64_t used_a[WORDS], used_b[WORDS];

	rig->writer.used(a, used_a);
	rig->writer.used(b, used_b);
	for (unsigned int i = 0; i < WORDS; i++)
		if (used_a[i] != used_b[i] || ((a[i] ^ b[i]) & used_a[i]))
			return false;
	return true;
}

void meaning_of(struct rig *rig, const uint64_t *entry, struct meaning *m)
{
	uint64_t ste[WORDS];

	if (rig->kind == STE) {
		find_meaning(rig->g, entry, NULL, m);
		return;
	}
	ste_of_cd(rig->g, rig->kind == CD_NESTED, ste);
	find_meaning(rig->g, ste, entry, m);
}

static bool is_expected(const struct rig *rig, const uint64_t *mixture, unsigned int *as)
{
	const uint64_t *const all[] = { rig->from, rig->to, zeroes };

	for (*as = OLD; *as <= INVALID; ++*as)
		if (same(rig, mixture, all[*as]))
			return true;
	for (unsigned int i = 0; i < rig->nr_others; i++)
		if (same(rig, mixture, rig->others[i]))
			return true;
	return false;
}

static void look_at(struct rig *rig, const uint64_t *mixture)
{
	struct meaning m;
	unsigned int as;

	rig->mixtures++;
	assert_true(is_expected(rig, mixture, &as));
	rig->blocks |= as == INVALID;
	if (!rig->g || as > INVALID)
		return;
	meaning_of(rig, mixture, &m);
	assert_memory_equal(&m, &rig->meanings[as], sizeof(m));
}

/* All that may be held, with `word` as it is in memory now. */
static void look_at_all(struct rig *rig, unsigned int word)
{
	unsigned int at[WORDS] = { 0 }, i;
	uint64_t mixture[WORDS];

	do {
		for (i = 0; i < WORDS; i++)
			mixture[i] = i == word ? rig->entry[i] : rig->held[i][at[i]];
		look_at(rig, mixture);
		for (i = 0; i < WORDS; i++) {
			if (i != word && ++at[i] < rig->nr_held[i])
				break;
			at[i] = 0;
		}
	} while (i < WORDS);
}

static void on_write(struct weir_smmuv3_entry_writer *writer, unsigned int word, uint64_t value)
{
	struct rig *rig = WEIR_CONTAINER_OF(writer, struct rig, writer);

	assert_true(word < WORDS);
	assert_true(value != rig->entry[word]);
	/* Only bits that were wanted once. */
	rig->ever[word] |= rig->to[word];
	assert_int_equal(value & ~rig->ever[word], 0);
	assert_true(rig->nr_held[word] < MAX_VALUES);
	rig->entry[word] = value;
	rig->held[word][rig->nr_held[word]++] = value;
	look_at_all(rig, word);
}

/* What was held is gone; it reads again when it likes. */
static void forget_held(struct rig *rig)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		rig->held[i][0] = rig->entry[i];
		rig->nr_held[i] = 1;
	}
}

static int on_sync(struct weir_smmuv3_entry_writer *writer)
{
	struct rig *rig = WEIR_CONTAINER_OF(writer, struct rig, writer);

	if (++rig->syncs == rig->fail_at)
		return -WEIR_ETIMEDOUT;
	forget_held(rig);
	return 0;
}

void rig_up(struct rig *rig, struct ground *g, enum kind kind)
{
	memset(rig, 0, sizeof(*rig));
	rig->g = g;
	rig->kind = kind;
	rig->writer.used = kind == STE ? weir_smmuv3_ste_used : weir_smmuv3_cd_used;
	rig->writer.apart = kind == STE ? weir_smmuv3_ste_apart : NULL;
	rig->writer.write = on_write;
	rig->writer.sync = on_sync;
	if (g)
		meaning_of(rig, zeroes, &rig->meanings[INVALID]);
	forget_held(rig);
}

void start_from(struct rig *rig, const uint64_t *entry)
{
	memcpy(rig->entry, entry, sizeof(rig->entry));
	memcpy(rig->ever, entry, sizeof(rig->ever));
	rig->writer.unsure = false;
	if (rig->g)
		meaning_of(rig, entry, &rig->meanings[OLD]);
	forget_held(rig);
}

int change(struct rig *rig, const uint64_t *wanted, bool *hitless)
{
	memcpy(rig->from, rig->entry, sizeof(rig->from));
	memcpy(rig->to, wanted, sizeof(rig->to));
	rig->blocks = false;
	rig->syncs = 0;
	if (rig->g)
		meaning_of(rig, wanted, &rig->meanings[NEW]);
	return weir_smmuv3_entry_change(&rig->writer, rig->entry, wanted, hitless);
}

void check_done(struct rig *rig, bool hitless)
{
	struct meaning m;

	assert_true(same(rig, rig->entry, rig->to));
	for (unsigned int i = 0; i < WORDS; i++)
		assert_int_equal(rig->nr_held[i], 1);
	assert_int_equal(hitless, !rig->blocks);
	assert_false(rig->writer.unsure);
	if (!rig->g)
		return;
	meaning_of(rig, rig->entry, &m);
	assert_memory_equal(&m, &rig->meanings[NEW], sizeof(m));
}

void expect_change(struct rig *rig, const uint64_t *from, const uint64_t *to, unsigned int syncs,
		   bool hitless)
{
	bool was_hitless = !hitless;

	start_from(rig, from);
	assert_int_equal(change(rig, to, &was_hitless), 0);
	check_done(rig, was_hitless);
	assert_int_equal(rig->syncs, syncs);
	assert_int_equal(was_hitless, hitless);
}
