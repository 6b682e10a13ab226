/* SPDX-License-Identifier: MIT */
/*
 * Plans of invalidations of src/smmuv3: a device with a TLB of its own (models/atc) on the model of
 * an SMMUv3.
 *
 * - With attach and detach of the device and of a PASID on one CPU, map and unmap on others, and
 *   the device's accesses all at once: when an unmap has returned no access reaches the page any
 *   more, neither by the SMMU's TLBs nor by the device's; nor when a detach has.
 * - The device is told to use its TLB when its stream's entry allows it, and to stop before that
 *   ends; what it holds is dropped when it goes from one domain to another.
 * - More device TLBs and PASIDs than a batch of commands, or a plan, has room for.
 * - A device that cannot be told to use its TLB works without. One that does not answer to an
 *   invalidation makes the unmap fail, whether the system says so (CERROR_ATC_INV_SYNC) or not.
 * - Out of memory at every allocation of attaching such a device and its PASIDs.
 *
 * Argument: rounds of the first one.
 */

#include "domainrig.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <weir/model/atc.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define TARGET 0x80000000ull
#define IOVA 0x40000000ull
#define FRAMES 4096u /* of physical addresses that the device may be led to */
#define PASID 3u

/* ---- The device ------------------------------------------------------------------------------ */

static struct {
	struct weir_model_atc *atc;
	enum weir_model_atc_manners manners;
	pthread_rwlock_t lock; /* accesses; and switching */
	bool is_on;
	int enable_error;
	unsigned int enables, disables;
	uint32_t live[FRAMES];	  /* atomic: mapped, or about to be */
	uint64_t accesses, wrong; /* atomic */
} device;

static enum weir_model_result on_memory(void *opaque, uint64_t addr, void *buf, uint32_t len,
					bool write)
{
	uint64_t frame = (addr - TARGET) >> 12;

	(void)opaque;
	(void)buf;
	(void)len;
	(void)write;
	/* Without translation it goes where it says. */
	if (addr - IOVA < MIB(1))
		return WEIR_MODEL_OK;
	if (frame >= FRAMES || !__atomic_load_n(&device.live[frame], __ATOMIC_ACQUIRE))
		__atomic_fetch_add(&device.wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&device.accesses, 1, __ATOMIC_RELAXED);
	return WEIR_MODEL_OK;
}

static int enable(struct weir_device *dev, unsigned int stu)
{
	(void)dev;
	assert_int_equal(stu, 0);
	if (device.enable_error)
		return device.enable_error;
	device.enables++;
	pthread_rwlock_wrlock(&device.lock);
	device.is_on = true;
	pthread_rwlock_unlock(&device.lock);
	return 0;
}

static void disable(struct weir_device *dev)
{
	(void)dev;
	device.disables++;
	pthread_rwlock_wrlock(&device.lock);
	assert_true(device.is_on);
	device.is_on = false;
	pthread_rwlock_unlock(&device.lock);
}

static const struct weir_device_ats ats = { enable, disable };

static void prepare(struct domainrig *rig)
{
	const struct weir_model_atc_config config = { .smmu = rig->model,
						      .stream = RIG_SID(0),
						      .manners = device.manners,
						      .memory = on_memory };

	assert_int_equal(weir_model_atc_create(&config, &device.atc), 0);
	weir_model_smmuv3_set_client(rig->model, &weir_model_atc_client_ops, device.atc);
}

/* Translated by itself, or as it comes. */
static bool touch(struct domainrig *rig, uint32_t pasid, uint64_t iova)
{
	uint16_t flags = (uint16_t)(WEIR_MODEL_TXN_WRITE | (pasid ? WEIR_MODEL_TXN_SUBSTREAM : 0));
	const struct weir_model_txn txn = { .addr = iova,
					    .stream = RIG_SID(0),
					    .substream = pasid,
					    .len = 8,
					    .flags = flags,
					    .attributes = WEIR_MODEL_ATTR_PCIE };
	struct weir_model_translation out = { 0 };
	uint64_t word = 0;
	bool ok;

	pthread_rwlock_rdlock(&device.lock);
	if (device.is_on) {
		ok = weir_model_atc_access(device.atc, flags, pasid, iova, &word, 8) ==
		     WEIR_MODEL_OK;
	} else {
		ok = weir_model_smmuv3_translate(rig->model, &txn, &out) == WEIR_MODEL_OK;
		if (ok) {
			(void)on_memory(NULL, out.addr, &word, 8, true);
			weir_model_smmuv3_complete(rig->model, &out);
		}
	}
	pthread_rwlock_unlock(&device.lock);
	return ok;
}

/* Who switches it does not wait for ever. */
static void init_lock(void)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&device.lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static void up(struct domainrig *rig, enum weir_model_atc_manners manners)
{
	memset(&device, 0, sizeof(device));
	init_lock();
	device.manners = manners;
	rig->prepare = prepare;
	rig->ats = &ats;
	rig->pasid_bits = 6;
	assert_int_equal(rig_up(rig), 0);
}

static void down(struct domainrig *rig)
{
	struct weir_model_atc *atc = device.atc;

	rig_down(rig);
	weir_model_atc_destroy(atc);
	pthread_rwlock_destroy(&device.lock);
	assert_false(device.is_on);
	assert_int_equal(device.enables, device.disables);
	assert_int_equal(device.wrong, 0);
}

static void map(struct weir_domain *domain, unsigned int page, unsigned int frame)
{
	__atomic_store_n(&device.live[frame], 1, __ATOMIC_RELEASE);
	assert_int_equal(weir_domain_map(domain, IOVA + KIB(4) * page, TARGET + KIB(4) * frame,
					 KIB(4), RIG_RW),
			 0);
}

static size_t unmap(struct weir_domain *domain, unsigned int page, unsigned int frame)
{
	size_t bytes = weir_domain_unmap(domain, IOVA + KIB(4) * page, KIB(4));

	/* From here on nobody may come there. */
	__atomic_store_n(&device.live[frame], 0, __ATOMIC_RELEASE);
	return bytes;
}

/* ---- All at once ----------------------------------------------------------------------------- */

#define MAPPERS 2u
#define ACCESSORS 2u
#define PAGES 8u /* of each mapper */

static struct {
	struct domainrig *rig;
	struct weir_domain *domain;
	unsigned int rounds;
	bool stop; /* atomic */
} race;

static bool stopped(void)
{
	return __atomic_load_n(&race.stop, __ATOMIC_RELAXED);
}

static uint64_t accesses(void)
{
	return __atomic_load_n(&device.accesses, __ATOMIC_RELAXED);
}

static void *run_mapper(void *arg)
{
	unsigned int id = (unsigned int)(uintptr_t)arg, frame = id * FRAMES / MAPPERS;

	posix_attach(race.rig->machine, 1 + id);
	for (unsigned int n = 0; !stopped(); n++) {
		unsigned int page = id * PAGES + n % PAGES;
		unsigned int at = frame + n % (FRAMES / MAPPERS);

		map(race.domain, page, at);
		if (n % 4 == 0)
			sched_yield();
		assert_int_equal(unmap(race.domain, page, at), KIB(4));
	}
	posix_detach();
	return NULL;
}

static void *run_accessor(void *arg)
{
	unsigned int n = (unsigned int)(uintptr_t)arg;

	for (; !stopped(); n++)
		touch(race.rig, n % 3 ? 0 : PASID, IOVA + KIB(4) * (n * 7 % (MAPPERS * PAGES)));
	return NULL;
}

static void race_in(enum weir_mode mode)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = mode, .cpus = 1 + MAPPERS };
	struct weir_device *dev = &rig.dev[0];
	pthread_t threads[MAPPERS + ACCESSORS];

	up(&rig, WEIR_MODEL_ATC_PROMPT);
	race.rig = &rig;
	race.stop = false;
	assert_int_equal(weir_domain_alloc(dev, &race.domain), 0);
	for (unsigned int i = 0; i < MAPPERS; i++)
		pthread_create(&threads[i], NULL, run_mapper, (void *)(uintptr_t)i);
	for (unsigned int i = 0; i < ACCESSORS; i++)
		pthread_create(&threads[MAPPERS + i], NULL, run_accessor, (void *)(uintptr_t)i);
	/* On a busy machine the device may be late. */
	for (unsigned int n = 0; n < race.rounds || accesses() <= race.rounds; n++) {
		assert_int_equal(weir_domain_attach(race.domain, dev), 0);
		for (unsigned int k = 0; k < 4; k++) {
			assert_int_equal(weir_domain_attach_pasid(race.domain, dev, PASID), 0);
			sched_yield();
			assert_int_equal(weir_domain_detach_pasid(dev, PASID), 0);
		}
		assert_int_equal(weir_domain_detach(race.domain, dev), 0);
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < MAPPERS + ACCESSORS; i++)
		pthread_join(threads[i], NULL);
	print_message("%llu accesses, %u times on\n", (unsigned long long)accesses(),
		      device.enables);
	weir_domain_free(race.domain);
	assert_int_equal(rig.log_lines, 0);
	down(&rig);
}

/* From translation and back, where the device goes on; and from identity, where it stops. */
static void all_at_once(void **state)
{
	(void)state;
	race_in(WEIR_MODE_STRICT);
	race_in(WEIR_MODE_PASSTHROUGH);
}

/* ---- One after the other --------------------------------------------------------------------- */

static struct weir_model_atc_stats stats(void)
{
	struct weir_model_atc_stats now;

	weir_model_atc_get_stats(device.atc, &now);
	return now;
}

static void on_and_off(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = WEIR_MODE_PASSTHROUGH };
	struct weir_domain *a, *b;
	struct weir_device *dev = &rig.dev[0];

	(void)state;
	up(&rig, WEIR_MODEL_ATC_PROMPT);
	assert_false(device.is_on);
	assert_int_equal(weir_domain_alloc(dev, &a), 0);
	assert_int_equal(weir_domain_alloc_flags(dev, WEIR_DOMAIN_NEST_PARENT, &b), 0);
	map(a, 0, 1);
	map(b, 0, 2);
	for (unsigned int round = 1; round < 4; round++) {
		assert_int_equal(weir_domain_attach(a, dev), 0);
		assert_true(device.is_on);
		/* The second by what it holds. */
		assert_true(touch(&rig, 0, IOVA));
		assert_true(touch(&rig, 0, IOVA + 8));
		assert_int_equal(stats().hits + stats().requests, 4 * round - 2);
		assert_int_equal(weir_domain_detach(a, dev), 0);
		assert_false(device.is_on);
		assert_int_equal(weir_domain_attach(b, dev), 0);
		unmap(a, 0, 1);
		assert_true(touch(&rig, 0, IOVA));
		unmap(b, 0, 2);
		assert_false(touch(&rig, 0, IOVA));
		map(a, 0, 1);
		map(b, 0, 2);
		assert_int_equal(weir_domain_detach(b, dev), 0);
		assert_int_equal(stats().forbidden, 0);
	}
	assert_int_equal(stats().invalidations, stats().answered);
	weir_domain_free(a);
	weir_domain_free(b);
	assert_int_equal(rig.log_lines, 0);
	down(&rig);
}

static void what_it_holds_goes(void **state)
{
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_device *dev = &rig.dev[0];
	struct weir_domain *domain;

	(void)state;
	up(&rig, WEIR_MODEL_ATC_PROMPT);
	assert_int_equal(weir_domain_alloc(dev, &domain), 0);
	map(domain, 0, 1);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(weir_domain_attach(domain, dev), 0);
		assert_true(touch(&rig, 0, IOVA));
		/* To the DMA API's, which maps nothing; the device goes on. */
		assert_int_equal(weir_domain_detach(domain, dev), 0);
		assert_true(device.is_on);
		assert_false(touch(&rig, 0, IOVA));
		assert_int_equal(weir_domain_attach_pasid(domain, dev, PASID), 0);
		assert_true(touch(&rig, PASID, IOVA));
		assert_int_equal(weir_domain_detach_pasid(dev, PASID), 0);
		assert_false(touch(&rig, PASID, IOVA));
	}
	assert_int_equal(device.enables, 1);
	unmap(domain, 0, 1);
	weir_domain_free(domain);
	assert_int_equal(rig.log_lines, 0);
	down(&rig);
}

#define MANY 40u

static void many(void **state)
{
	struct domainrig rig = { .smmu = rig_features() };
	struct weir_device *dev = &rig.dev[0];
	struct weir_domain *domain;
	uint64_t before;

	(void)state;
	up(&rig, WEIR_MODEL_ATC_PROMPT);
	assert_int_equal(weir_domain_alloc(dev, &domain), 0);
	for (uint32_t pasid = 1; pasid <= MANY; pasid++)
		assert_int_equal(weir_domain_attach_pasid(domain, dev, pasid), 0);
	map(domain, 0, 5);
	for (uint32_t pasid = 1; pasid <= MANY; pasid++)
		assert_true(touch(&rig, pasid, IOVA));
	before = stats().invalidations;
	assert_int_equal(unmap(domain, 0, 5), KIB(4));
	assert_int_equal(stats().invalidations - before, MANY);
	for (uint32_t pasid = 1; pasid <= MANY; pasid++)
		assert_false(touch(&rig, pasid, IOVA));
	for (uint32_t pasid = 1; pasid <= MANY; pasid++)
		assert_int_equal(weir_domain_detach_pasid(dev, pasid), 0);
	/* The plan is empty again. */
	map(domain, 0, 5);
	before = stats().invalidations;
	assert_int_equal(unmap(domain, 0, 5), KIB(4));
	assert_int_equal(stats().invalidations, before);
	weir_domain_free(domain);
	assert_int_equal(rig.log_lines, 0);
	down(&rig);
}

/* ---- Devices that do not work ---------------------------------------------------------------- */

static void one_that_cannot(void **state)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = WEIR_MODE_PASSTHROUGH };
	struct weir_device *dev = &rig.dev[0];
	struct weir_domain *domain;

	(void)state;
	up(&rig, WEIR_MODEL_ATC_PROMPT);
	device.enable_error = -WEIR_EIO;
	assert_int_equal(weir_domain_alloc(dev, &domain), 0);
	map(domain, 0, 1);
	assert_int_equal(weir_domain_attach(domain, dev), 0);
	assert_true(strstr(rig.log, "its TLB cannot be used (-5)"));
	assert_true(touch(&rig, 0, IOVA));
	assert_int_equal(unmap(domain, 0, 1), KIB(4));
	assert_false(touch(&rig, 0, IOVA));
	assert_int_equal(stats().invalidations, 0);
	assert_int_equal(weir_domain_detach(domain, dev), 0);
	weir_domain_free(domain);
	down(&rig);
}

static pthread_t clock_thread;

static void stop_clock(struct domainrig *rig)
{
	(void)rig;
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(clock_thread, NULL);
}

static void *run_clock(void *arg)
{
	(void)arg;
	while (!stopped()) {
		weir_model_atc_time_out(device.atc);
		sched_yield();
	}
	return NULL;
}

/* With `reported` the Root Complex says after a while that there will be no answer. */
static void mute(bool reported)
{
	struct domainrig rig = { .smmu = rig_features(), .mode = WEIR_MODE_PASSTHROUGH };
	struct weir_device *dev = &rig.dev[0];
	struct weir_domain *domain;

	up(&rig, WEIR_MODEL_ATC_MUTE);
	race.stop = false;
	assert_int_equal(weir_domain_alloc(dev, &domain), 0);
	map(domain, 0, 1);
	assert_int_equal(weir_domain_attach(domain, dev), 0);
	assert_true(touch(&rig, 0, IOVA));
	if (reported)
		assert_int_equal(pthread_create(&clock_thread, NULL, run_clock, NULL), 0);
	assert_int_equal(weir_domain_unmap(domain, IOVA, KIB(4)), 0);
	assert_true(strstr(rig.log, reported ? "CERROR_ATC_INV_SYNC" : "does not move"));
	if (!reported)
		assert_int_equal(pthread_create(&clock_thread, NULL, run_clock, NULL), 0);
	(void)weir_domain_detach(domain, dev);
	weir_domain_free(domain);
	rig.finish = stop_clock;
	rig_down(&rig);
	weir_model_atc_destroy(device.atc);
	pthread_rwlock_destroy(&device.lock);
}

static void one_that_does_not_answer(void **state)
{
	(void)state;
	mute(true);
}

static void one_that_hangs(void **state)
{
	(void)state;
	mute(false);
}

/* ---- Out of memory --------------------------------------------------------------------------- */

static bool one_run(uint64_t fail, bool onwards, unsigned int *errors)
{
	struct domainrig rig = { .smmu = rig_features(),
				 .runner = POSIX_SEEDED,
				 .fail_alloc = fail,
				 .fail_onwards = onwards,
				 .heap_whole_pages = true,
				 .prepare = prepare,
				 .ats = &ats,
				 .pasid_bits = 6 };
	struct weir_device *dev = &rig.dev[0];
	struct weir_domain *domain = NULL;
	uint64_t calls;
	int ret;

	memset(&device, 0, sizeof(device));
	init_lock();
	ret = rig_up(&rig);
	if (!ret)
		ret = weir_domain_alloc(dev, &domain);
	if (!ret)
		ret = weir_domain_attach(domain, dev);
	for (uint32_t pasid = 1; !ret && pasid <= 8; pasid++)
		ret = weir_domain_attach_pasid(domain, dev, pasid);
	*errors += ret != 0;
	if (ret)
		assert_int_equal(ret, -WEIR_ENOMEM);
	for (uint32_t pasid = 1; domain && pasid <= 8; pasid++)
		(void)weir_domain_detach_pasid(dev, pasid);
	if (domain && weir_device_domain(dev) == domain)
		assert_int_equal(weir_domain_detach(domain, dev), 0);
	if (domain)
		weir_domain_free(domain);
	calls = posix_alloc_calls(rig.machine);
	down(&rig);
	return calls >= fail;
}

static void out_of_memory(void **state)
{
	unsigned int errors = 0;
	uint64_t fail;

	(void)state;
	for (int onwards = 0; onwards < 2; onwards++) {
		for (fail = 1; one_run(fail, onwards, &errors); fail++)
			;
		assert_true(fail > 40 && errors > 40);
		errors = 0;
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),	      cmocka_unit_test(on_and_off),
		cmocka_unit_test(what_it_holds_goes), cmocka_unit_test(many),
		cmocka_unit_test(one_that_cannot),    cmocka_unit_test(one_that_does_not_answer),
		cmocka_unit_test(one_that_hangs),     cmocka_unit_test(out_of_memory),
	};

	race.rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 60;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
