/* SPDX-License-Identifier: MIT */

/*
 * Updates of translation tables by the SMMUv3 model (3.13). Proves, with caches of all kinds:
 *  - the access flag: set where HA says so, else a fault or nothing, as AFFD says;
 *  - dirty state: which accesses make a clean page dirty and which do not; what forbids it; that a
 *    page that was read, and is in the IOTLB, becomes dirty with the first write;
 *  - both stages: what an update of stage 1's descriptor needs of stage 2 (3.13.5), its faults, and
 *    that nothing is updated for an access that is refused in the end;
 *  - speculation updates nothing; ATS requests as 3.13.7.1 has it;
 *  - descriptors of both byte orders; that no update of others is lost, and that a descriptor that
 *    never stays as it was ends a walk.
 */

#include <pthread.h>

#include "smmutables.h"

#define VA 0x123456789000ull
#define HA WEIR_SMMU_CD_0_HA
#define HD WEIR_SMMU_CD_0_HD
#define CLEAN (WEIR_VMSA_DBM | WEIR_VMSA_AP_RDONLY)
#define CLEAN2 (WEIR_VMSA_DBM)
#define WRITE WEIR_MODEL_TXN_WRITE

static enum weir_model_result go(struct fixture *f, uint16_t flags)
{
	struct weir_model_translation out;

	return access_as(f, STREAM, VA, flags, &out);
}

static void expect_ok(struct fixture *f, uint16_t flags)
{
	assert_int_equal(go(f, flags), WEIR_MODEL_OK);
	expect_no_event(f);
}

static void expect_refused(struct fixture *f, uint16_t flags, uint64_t type, uint64_t word1,
			   uint64_t word3)
{
	assert_int_equal(go(f, flags), WEIR_MODEL_BLOCKED);
	expect_event(f, EVENT0(type, STREAM), word1, VA, word3);
}

static void over_modes(void **state, void (*test)(struct fixture *f))
{
	struct weir_model_smmuv3_config config = { 0 };

	full_config(&config);
	in_all_modes(*state, &config, test);
}

#define MODES(name)                                                                                \
	static void name##_in_all_modes(void **state)                                              \
	{                                                                                          \
		over_modes(state, name);                                                           \
	}
#define CASE(name) TEST_DISABLED(name##_in_all_modes)

/* ---- Stage 1 -------------------------------------------------------------------------- */

/* The descriptor of VA, in a stream with these bits in its CD. */
static uint64_t one_stage(struct fixture *f, uint64_t cd, uint64_t leaf)
{
	uint64_t ttb0 = add_stream1(f, STREAM), entry;

	put(f, cd_of(STREAM), cd_word0(STREAM) | cd);
	entry = map(f, ttb0, VA, PAGES | leaf);
	forget(f);
	return entry;
}

static void access_flag(struct fixture *f)
{
	const uint64_t affd = WEIR_SMMU_CD_0_AFFD, young = PAGES | (PAGE & ~WEIR_VMSA_AF);
	uint64_t entry = one_stage(f, 0, PAGE & ~WEIR_VMSA_AF);

	expect_refused(f, 0, WEIR_SMMU_EVT_F_ACCESS, RNW | CLASS_IN, 0);
	assert_int_equal(*at(f, entry), young);
	put(f, cd_of(STREAM), cd_word0(STREAM) | affd);
	forget(f);
	expect_ok(f, 0);
	assert_int_equal(*at(f, entry), young);
	/* 5.4: HA makes AFFD IGNORED. */
	put(f, cd_of(STREAM), cd_word0(STREAM) | HA | affd);
	forget(f);
	expect_ok(f, 0);
	assert_int_equal(*at(f, entry), young | WEIR_VMSA_AF);
	/* A write without HD sets no more than that; HD without HA is nothing. */
	put(f, entry, young | CLEAN);
	forget(f);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, CLASS_IN, 0);
	put(f, cd_of(STREAM), cd_word0(STREAM) | HD);
	put(f, entry, young | CLEAN);
	forget(f);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_ACCESS, CLASS_IN, 0);
	assert_int_equal(*at(f, entry), young | CLEAN);
}
MODES(access_flag)

static void dirty_state(struct fixture *f)
{
	const uint64_t clean = PAGES | PAGE | CLEAN, dirty = clean & ~WEIR_VMSA_AP_RDONLY;
	uint64_t entry = one_stage(f, HA | HD, PAGE | CLEAN);

	for (unsigned int again = 0; again < 2; again++) {
		expect_ok(f, 0);
		expect_ok(f, WEIR_MODEL_TXN_PRIVILEGED);
		expect_ok(f, WEIR_MODEL_TXN_INSTRUCTION);
		assert_int_equal(*at(f, entry), clean);
	}
	/* It is in the IOTLB, as one that may not be written to. */
	expect_ok(f, WRITE);
	assert_int_equal(*at(f, entry), dirty);
	expect_ok(f, WRITE);
	/* Without the access flag both at once. */
	put(f, entry, clean & ~WEIR_VMSA_AF);
	forget(f);
	expect_ok(f, WRITE | WEIR_MODEL_TXN_ATOMIC | WEIR_MODEL_TXN_PRIVILEGED);
	assert_int_equal(*at(f, entry), dirty);
}
MODES(dirty_state)

/* 3.13.3: read-only for any other reason, it stays that; it is then refused, and not marked. */
static void never_writable(struct fixture *f)
{
	const struct {
		uint64_t leaf, cd, table;
		uint16_t flags;
	} cases[] = {
		{ WEIR_VMSA_AP_RDONLY, 0, 0, WRITE }, /* no DBM */
		{ CLEAN, 0, WEIR_VMSA_APTABLE_RDONLY, WRITE },
		{ CLEAN, 0, WEIR_VMSA_APTABLE_NO_UNPRIV, WRITE },
		{ CLEAN, WEIR_SMMU_CD_0_PAN, 0, WRITE | WEIR_MODEL_TXN_PRIVILEGED },
	};

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(cases); i++) {
		uint64_t entry = one_stage(f, HA | HD | cases[i].cd, PAGE | cases[i].leaf);
		uint64_t top = *at(f, cd_of(STREAM) + 8) + (VA >> 39) * 8, leaf = *at(f, entry);
		uint64_t privileged = cases[i].flags & WEIR_MODEL_TXN_PRIVILEGED ? 1ull << 33 : 0;

		put(f, top, *at(f, top) | cases[i].table);
		forget(f);
		for (unsigned int again = 0; again < 2; again++)
			expect_refused(f, cases[i].flags, WEIR_SMMU_EVT_F_PERMISSION,
				       privileged | CLASS_IN, 0);
		assert_int_equal(*at(f, entry), leaf);
	}
	/* Clean, and no page of unprivileged accesses. */
	put(f, one_stage(f, HA | HD, 0), PAGES | (PAGE & ~WEIR_VMSA_AP_UNPRIV) | CLEAN);
	forget(f);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, CLASS_IN, 0);
}
MODES(never_writable)

/* 3.13.8: for what may be executed a clean page is a writable one. */
static void clean_is_writable(struct fixture *f)
{
	const uint64_t fetch = 1ull << 34 | RNW | CLASS_IN;
	uint64_t entry = one_stage(f, HA | HD | WEIR_SMMU_CD_0_WXN, PAGE | CLEAN);

	expect_refused(f, WEIR_MODEL_TXN_INSTRUCTION, WEIR_SMMU_EVT_F_PERMISSION, fetch, 0);
	expect_ok(f, 0);
	expect_refused(f, WEIR_MODEL_TXN_INSTRUCTION, WEIR_SMMU_EVT_F_PERMISSION, fetch, 0);
	put(f, entry, PAGES | PAGE | WEIR_VMSA_AP_RDONLY);
	forget(f);
	expect_ok(f, WEIR_MODEL_TXN_INSTRUCTION);
	/* Nor with privilege where unprivileged writes would be allowed. */
	put(f, cd_of(STREAM), cd_word0(STREAM) | HA | HD);
	put(f, entry, PAGES | PAGE | CLEAN);
	forget(f);
	expect_refused(f, WEIR_MODEL_TXN_INSTRUCTION | WEIR_MODEL_TXN_PRIVILEGED,
		       WEIR_SMMU_EVT_F_PERMISSION, fetch | 1ull << 33, 0);
}
MODES(clean_is_writable)

static void big_endian(struct fixture *f)
{
	const struct shape shape = { 12, 0, 48, false, true };
	uint64_t ttb = new_table(f), entry;

	put_ste1(f, STREAM);
	put_cd(f, STREAM, cd_word0(STREAM) | WEIR_SMMU_CD_0_ENDI | HA | HD, ttb, 0);
	entry = map_shaped(f, &shape, ttb, VA, 3, PAGES, (LEAF & ~WEIR_VMSA_AF) | CLEAN);
	forget(f);
	expect_ok(f, WRITE);
	assert_int_equal(get_entry(f, &shape, entry), PAGES | PAGE | WEIR_VMSA_DBM);
}
MODES(big_endian)

/* ---- Both stages ---------------------------------------------------------------------- */

#define HA2 WEIR_SMMU_STE_2_S2HA
#define HD2 WEIR_SMMU_STE_2_S2HD

struct pair {
	uint64_t ttb, ttb2;
	uint64_t entry, table, last; /* VA's descriptor; stage 2's of its page, and of IPAS */
};

static void two_stages(struct fixture *f, struct pair *pair, uint64_t cd, uint64_t ste)
{
	pair->ttb2 = nest(f, &pair->ttb);
	pair->entry = map(f, pair->ttb, VA, IPAS | PAGE);
	pair->table = entry_of(f, &usual2, pair->ttb2, pair->entry, 3);
	pair->last = entry_of(f, &usual2, pair->ttb2, IPAS, 3);
	put(f, cd_of(STREAM), cd_word0(STREAM) | cd);
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, pair->ttb2, ste);
	forget(f);
}

static void set(struct fixture *f, uint64_t entry, uint64_t clear, uint64_t bits)
{
	put(f, entry, (*at(f, entry) & ~clear) | bits);
	forget(f);
}

static void stage2_flags(struct fixture *f)
{
	struct pair pair;

	two_stages(f, &pair, 0, HA2 | HD2);
	set(f, pair.table, WEIR_VMSA_AF, 0);
	set(f, pair.last, WEIR_VMSA_AF | WEIR_VMSA_S2AP_WRITE, CLEAN2);
	expect_ok(f, 0);
	/* A read sets the access flags; the page of the tables is read as well. */
	assert_true(*at(f, pair.table) & WEIR_VMSA_AF);
	assert_true(*at(f, pair.last) & WEIR_VMSA_AF);
	assert_false(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
	expect_ok(f, 0);
	expect_ok(f, WRITE);
	assert_true(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
	assert_true(*at(f, pair.last) & WEIR_VMSA_DBM);
	/* Not without DBM. */
	set(f, pair.last, WEIR_VMSA_S2AP_WRITE | WEIR_VMSA_DBM, 0);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, S2_BIT | CLASS_IN, IPAS);
	/* Written to, but not read: dirty all the same. */
	set(f, pair.last, WEIR_VMSA_S2AP, CLEAN2);
	expect_refused(f, 0, WEIR_SMMU_EVT_F_PERMISSION, RNW | S2_BIT | CLASS_IN, IPAS);
	/* 13.1.1: an atomic access lacks reading alone, of a page that is clean. */
	expect_refused(f, WRITE | WEIR_MODEL_TXN_ATOMIC, WEIR_SMMU_EVT_F_PERMISSION,
		       RNW | S2_BIT | CLASS_IN, IPAS);
	assert_false(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
	expect_ok(f, WRITE);
	assert_true(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
}
MODES(stage2_flags)

/* The CD is fetched, and never written to (3.13.3). */
static void page_of_the_cd(struct fixture *f)
{
	struct pair pair;
	uint64_t page;

	two_stages(f, &pair, HA | HD, HA2 | HD2);
	page = entry_of(f, &usual2, pair.ttb2, cd_of(STREAM), 3);
	set(f, page, WEIR_VMSA_AF | WEIR_VMSA_S2AP_WRITE, CLEAN2);
	expect_ok(f, WRITE);
	assert_true(*at(f, page) & WEIR_VMSA_AF);
	assert_false(*at(f, page) & WEIR_VMSA_S2AP_WRITE);
}
MODES(page_of_the_cd)

/* 3.13.5: the page of a descriptor that is updated is written to. */
static void page_of_the_descriptor(struct fixture *f)
{
	const uint64_t page_bits = WEIR_VMSA_AF;
	struct pair pair;

	two_stages(f, &pair, HA, HA2);
	set(f, pair.entry, page_bits, 0);
	set(f, pair.table, WEIR_VMSA_S2AP_WRITE, 0);
	/* TTRnW == 0: it was read already. */
	expect_refused(f, 0, WEIR_SMMU_EVT_F_PERMISSION, RNW | S2_BIT | CLASS_TT,
		       pair.entry & ~0xfffull);
	assert_false(*at(f, pair.entry) & WEIR_VMSA_AF);
	/* DBM without S2HD is no help. */
	set(f, pair.table, 0, CLEAN2);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, S2_BIT | CLASS_TT,
		       pair.entry & ~0xfffull);
	put_ste2(f, STREAM, WEIR_SMMU_STE_CONFIG_NESTED, pair.ttb2, HA2 | HD2);
	forget(f);
	expect_ok(f, 0);
	assert_true(*at(f, pair.entry) & WEIR_VMSA_AF);
	assert_true(*at(f, pair.table) & WEIR_VMSA_S2AP_WRITE);
	/* What needs no update needs no write permission. */
	set(f, pair.table, WEIR_VMSA_S2AP_WRITE | WEIR_VMSA_DBM, 0);
	expect_ok(f, WRITE);
}
MODES(page_of_the_descriptor)

static void refused_in_the_end(struct fixture *f)
{
	struct pair pair;
	uint64_t entry, table, last;

	two_stages(f, &pair, HA | HD, HA2 | HD2);
	set(f, pair.entry, 0, CLEAN);
	set(f, pair.table, WEIR_VMSA_S2AP_WRITE, CLEAN2);
	set(f, pair.last, WEIR_VMSA_S2AP_WRITE, 0);
	entry = *at(f, pair.entry);
	table = *at(f, pair.table);
	last = *at(f, pair.last);
	for (unsigned int again = 0; again < 2; again++) {
		expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, S2_BIT | CLASS_IN, IPAS);
		expect_ok(f, 0);
		assert_int_equal(*at(f, pair.entry), entry);
		assert_int_equal(*at(f, pair.table), table);
		assert_int_equal(*at(f, pair.last), last);
	}
	/* Stage 1 refuses: stage 2 is not asked. */
	set(f, pair.entry, WEIR_VMSA_DBM, 0);
	set(f, pair.last, 0, CLEAN2);
	expect_refused(f, WRITE, WEIR_SMMU_EVT_F_PERMISSION, CLASS_IN, 0);
	assert_false(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
	/* Both allow it: all three are written. */
	set(f, pair.entry, 0, CLEAN);
	expect_ok(f, 0);
	expect_ok(f, WRITE);
	assert_false(*at(f, pair.entry) & WEIR_VMSA_AP_RDONLY);
	assert_true(*at(f, pair.table) & WEIR_VMSA_S2AP_WRITE);
	assert_true(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
}
MODES(refused_in_the_end)

/* ---- Speculation, ATS ----------------------------------------------------------------- */

static void prefetches(struct fixture *f)
{
	uint64_t entry = one_stage(f, HA | HD, (PAGE & ~WEIR_VMSA_AF) | CLEAN);

	command(f, for_stream(WEIR_SMMU_CMD_PREFETCH_ADDR, STREAM), VA);
	command(f, WEIR_SMMU_CMD_SYNC, 0);
	assert_int_equal(*at(f, entry), PAGES | (PAGE & ~WEIR_VMSA_AF) | CLEAN);
	expect_no_event(f);
	expect_ok(f, 0);
	assert_int_equal(*at(f, entry), PAGES | PAGE | CLEAN);
}
MODES(prefetches)

/* An ATS request; what it grants. */
static unsigned int request(struct fixture *f, bool write)
{
	struct weir_model_translation out;

	assert_int_equal(access_as(f, STREAM, VA, WEIR_MODEL_TXN_ATS_REQUEST | (write ? WRITE : 0),
				   &out),
			 WEIR_MODEL_OK);
	expect_no_event(f);
	return out.ats & (WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE);
}

static void allow_ats(struct fixture *f)
{
	put(f, ste_of(STREAM) + 8,
	    *at(f, ste_of(STREAM) + 8) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, WEIR_SMMU_STE_EATS_FULL));
	forget(f);
}

static void translation_requests(struct fixture *f)
{
	uint64_t entry = one_stage(f, HA | HD, (PAGE & ~WEIR_VMSA_AF) | CLEAN);

	allow_ats(f);
	assert_int_equal(request(f, false), WEIR_MODEL_ATS_READ);
	assert_int_equal(*at(f, entry), PAGES | PAGE | CLEAN);
	assert_int_equal(request(f, true), WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE);
	assert_int_equal(*at(f, entry), PAGES | PAGE | WEIR_VMSA_DBM);
	/* Access flags alone are managed: what is clean is not writable, and stays. */
	put(f, cd_of(STREAM), cd_word0(STREAM) | HA);
	set(f, entry, 0, CLEAN);
	assert_int_equal(request(f, true), WEIR_MODEL_ATS_READ);
	assert_int_equal(*at(f, entry), PAGES | PAGE | CLEAN);
}
MODES(translation_requests)

static void translation_requests_of_both(struct fixture *f)
{
	struct pair pair;

	two_stages(f, &pair, HA | HD, HA2 | HD2);
	allow_ats(f);
	/* Read-only at stage 1: nothing of stage 2 gets dirty, and the other way round. */
	set(f, pair.entry, 0, WEIR_VMSA_AP_RDONLY);
	set(f, pair.last, WEIR_VMSA_S2AP_WRITE, CLEAN2);
	assert_int_equal(request(f, true), WEIR_MODEL_ATS_READ);
	assert_false(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
	set(f, pair.entry, 0, CLEAN);
	set(f, pair.last, WEIR_VMSA_DBM, 0);
	assert_int_equal(request(f, true), WEIR_MODEL_ATS_READ);
	assert_true(*at(f, pair.entry) & WEIR_VMSA_AP_RDONLY);
	set(f, pair.last, 0, CLEAN2);
	assert_int_equal(request(f, true), WEIR_MODEL_ATS_READ | WEIR_MODEL_ATS_WRITE);
	assert_false(*at(f, pair.entry) & WEIR_VMSA_AP_RDONLY);
	assert_true(*at(f, pair.last) & WEIR_VMSA_S2AP_WRITE);
}
MODES(translation_requests_of_both)

/* ---- Others write too ----------------------------------------------------------------- */

/* A CPU that is quicker, so often; each time it turns a bit of software's. */
static unsigned int quicker;

static void meddle(struct fixture *f, uint64_t addr)
{
	if (!quicker)
		return;
	quicker--;
	*at(f, addr) ^= 1ull << 55;
}

/*
 * The walk begins again with what is there now. In the end the access is aborted, where its
 * descriptor never stays as it was, as if the update had been.
 */
static void changed_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct pair pair;

	full_config(&f->config);
	f->windows = false;
	f->config.tlb_entries = WEIR_MODEL_SMMUV3_NO_TLB;
	become(f, &f->config);
	enable(f);
	two_stages(f, &pair, HA | HD, HA2 | HD2);
	f->before_cas = meddle;
	for (unsigned int n = 0; n < 20; n++) {
		bool stage2 = n % 2, never = n / 2 >= 8;
		uint64_t entry = stage2 ? pair.last : pair.entry;

		put(f, pair.entry, IPAS | (PAGE & ~WEIR_VMSA_AF) | CLEAN);
		put(f, pair.last, PAGES | WEIR_VMSA_TYPE_PAGE | LEAF2);
		if (stage2) {
			put(f, pair.entry, IPAS | PAGE);
			set(f, pair.last, WEIR_VMSA_S2AP_WRITE | WEIR_VMSA_AF, CLEAN2);
		}
		forget(f);
		quicker = n / 2;
		if (never) {
			expect_refused(f, WRITE, WEIR_SMMU_EVT_F_WALK_EABT,
				       stage2 ? S2_BIT | CLASS_IN : CLASS_TT, entry);
			assert_false(*at(f, entry) & WEIR_VMSA_AF);
			continue;
		}
		expect_ok(f, WRITE);
		assert_true(*at(f, entry) & WEIR_VMSA_AF);
		assert_int_equal(!(*at(f, entry) & WEIR_VMSA_AP_RDONLY), !stage2);
		assert_int_equal(*at(f, entry) >> 55 & 1, n / 2 % 2);
	}
}

struct other {
	uint64_t *word;
	uint64_t bits; /* which it sets and clears, in turn */
	bool stop;
	unsigned long changes;
};

static void *change(void *opaque)
{
	struct other *other = opaque;

	while (!__atomic_load_n(&other->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_xor(other->word, other->bits, __ATOMIC_RELAXED);
		other->changes++;
	}
	return NULL;
}

/*
 * A CPU that counts in the bits of software while the SMMU sets AF: both are there in the end, or
 * the access was aborted, as one whose descriptor never stays as it was.
 */
static void contended(struct fixture *f)
{
	uint64_t entry = one_stage(f, HA | HD, (PAGE & ~WEIR_VMSA_AF) | CLEAN);
	struct other other = { .word = at(f, entry), .bits = 1ull << 55 };
	unsigned int updated = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, change, &other), 0);
	for (unsigned int i = 0; i < 500; i++) {
		uint64_t record[4];

		__atomic_fetch_and(other.word, ~(WEIR_VMSA_AF | WEIR_VMSA_AP_RDONLY),
				   __ATOMIC_RELAXED);
		__atomic_fetch_or(other.word, WEIR_VMSA_AP_RDONLY, __ATOMIC_RELAXED);
		forget(f);
		if (go(f, WRITE) == WEIR_MODEL_OK) {
			uint64_t now = __atomic_load_n(other.word, __ATOMIC_RELAXED);

			assert_int_equal(now & ~other.bits, PAGES | PAGE | WEIR_VMSA_DBM);
			updated++;
		} else {
			assert_true(pop_event(f, record));
			assert_int_equal(record[0], EVENT0(WEIR_SMMU_EVT_F_WALK_EABT, STREAM));
			assert_int_equal(record[3], entry);
		}
	}
	__atomic_store_n(&other.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(updated > 0);
	/* No change was lost: each turned the bit once. */
	assert_int_equal(*other.word >> 55 & 1, other.changes & 1);
}
MODES(contended)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(access_flag),
		CASE(dirty_state),
		CASE(never_writable),
		CASE(clean_is_writable),
		CASE(big_endian),
		CASE(stage2_flags),
		CASE(page_of_the_cd),
		CASE(page_of_the_descriptor),
		CASE(refused_in_the_end),
		CASE(prefetches),
		CASE(translation_requests),
		CASE(translation_requests_of_both),
		TEST_DISABLED(changed_meanwhile),
		CASE(contended),
	};

	return cmocka_run_group_tests_name("SMMUv3 model, updates of tables", tests, NULL, NULL);
}
