/* SPDX-License-Identifier: MIT */

/*
 * drivers/nvme against the NVMe model, through the whole stack, under both runners.
 *
 *   - Reads and writes of every shape (one sector to the largest transfer, offsets in the first
 *     page, scattered pages) move exactly the bytes asked for; what lies beside them stays.
 *   - Bad requests are refused and leave nothing mapped.
 *   - A controller that stops answering: time-out, reset, the command reported failed, and the next
 *     command works. One that never gets ready again: given up, every request ended.
 *   - A device that is gone (all ones), one that completes commands nobody sent, one that fails
 *     every third: errors, no crash, everything unmapped.
 *   - Doorbells that a device puts outside of its BAR are not rung; an admin command ends by its
 * own completion and by no other.
 *   - A device that writes where it was not told is stopped by the IOMMU, and the neighbour's bytes
 * stay.
 *   - Around a suspension of the IOMMU the disk reads what it did, with no access blocked; in
 *     between nothing of it gets through.
 *   - After removal nothing is mapped and no page is missing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/dma-mapping.h>

#include <nvme/internal.h>

#include "stack.h"

struct fixture {
	struct stack stack;
	unsigned int faults;
};

static bool count_fault(void *arg, const struct weir_fault *fault)
{
	struct fixture *f = arg;

	(void)fault;
	__atomic_fetch_add(&f->faults, 1, __ATOMIC_RELAXED);
	return true;
}

static struct fixture *set_up_with(enum posix_runner runner, unsigned int cpus)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct stack_options options = {
		.posix = { .runner = runner, .seed = 3, .cpus = cpus },
		.on_fault = count_fault,
		.fault_arg = f,
	};

	assert_non_null(f);
	options.posix.machine.nvme.mdts = 7;
	assert_int_equal(stack_make(&f->stack, &options), 0);
	assert_int_equal(stack_call(&f->stack, stack_up), 0);
	return f;
}

/* Down, and the leak check that ends every test. */
static void tear_down(struct fixture *f)
{
	assert_int_equal(stack_call(&f->stack, stack_down), 0);
	assert_int_equal(f->stack.live_mappings, 0);
	assert_int_equal(f->stack.leaked_pages, 0);
	stack_destroy(&f->stack);
	free(f);
}

static void set_faults(struct fixture *f, const struct weir_model_nvme_faults *faults)
{
	weir_model_nvme_set_faults(weir_model_machine_nvme(posix_models(f->stack.machine)), faults);
}

/* ---- Requests --------------------------------------------------------------------------- */

#define MAX_PAGES 160

/* One request as a task: `bytes` of scattered pages from `offset` in the first one on. */
struct transfer {
	struct fixture *f;
	enum nvme_op op;
	u64 block;
	unsigned int offset, bytes;
	unsigned char *data; /* what was read, or is to be written */
	int result;
	bool stray; /* a byte beside the transfer changed */
};

static unsigned int layout(struct transfer *t, struct page **pages, struct scatterlist *sgl)
{
	unsigned int n = 0, left = t->bytes, offset = t->offset;

	sg_init_table(sgl, MAX_PAGES);
	while (left) {
		unsigned int len = min_t(unsigned int, left, (unsigned int)PAGE_SIZE - offset);

		pages[n] = alloc_page(GFP_KERNEL);
		assert_non_null(pages[n]);
		memset(page_address(pages[n]), 0x5a, PAGE_SIZE);
		sg_set_page(&sgl[n], pages[n], len, offset);
		left -= len;
		offset = 0;
		n++;
	}
	if (n)
		sg_mark_end(&sgl[n - 1]);
	return n;
}

static void copy(struct transfer *t, struct scatterlist *sgl, unsigned int nents, bool to_pages)
{
	struct scatterlist *sg;
	unsigned int i, at = 0;

	for_each_sg(sgl, sg, nents, i) {
		if (to_pages)
			memcpy(sg_virt(sg), t->data + at, sg->length);
		else
			memcpy(t->data + at, sg_virt(sg), sg->length);
		at += sg->length;
	}
}

static bool beside_changed(struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i) {
		const unsigned char *page = page_address(sg_page(sg));

		for (size_t b = 0; b < PAGE_SIZE; b++)
			if ((b < sg->offset || b >= sg->offset + sg->length) && page[b] != 0x5a)
				return true;
	}
	return false;
}

static int transfer_task(void *arg)
{
	struct transfer *t = arg;
	struct page *pages[MAX_PAGES];
	struct scatterlist *sgl = calloc(MAX_PAGES, sizeof(*sgl));
	struct nvme_request req = { .op = t->op, .block = t->block, .sgl = sgl };

	assert_non_null(sgl);
	req.nents = layout(t, pages, sgl);
	if (t->op == NVME_WRITE)
		copy(t, sgl, req.nents, true);
	t->result = nvme_execute(t->f->stack.ctrl, &req);
	if (t->op == NVME_READ && !t->result)
		copy(t, sgl, req.nents, false);
	t->stray = beside_changed(sgl, req.nents);
	for (unsigned int i = 0; i < req.nents; i++)
		__free_page(pages[i]);
	free(sgl);
	return t->result;
}

static int transfer(struct fixture *f, enum nvme_op op, u64 block, unsigned int offset,
		    unsigned int bytes, unsigned char *data)
{
	struct transfer t = {
		.f = f, .op = op, .block = block, .offset = offset, .bytes = bytes, .data = data
	};
	int ret = posix_call(f->stack.machine, 0, transfer_task, &t);

	assert_false(t.stray);
	return ret;
}

static uint64_t live_mappings(struct fixture *f)
{
	struct weir_stats stats;

	weir_get_stats(f->stack.weir, &stats);
	return stats.live_mappings;
}

/* ---- Good devices ----------------------------------------------------------------------- */

static void shapes(enum posix_runner runner)
{
	static const unsigned int offsets[] = { 0, 4, 512, 2048, 3584, 4092 };
	static const unsigned int sizes[] = { 512,  1024,  3584,   4096,   4608,  8192,
					      8704, 65536, 131072, 262144, 524288 };
	struct fixture *f = set_up_with(runner, 1);
	unsigned char *buf = malloc(524288);
	uint64_t live;

	/* the pools of PRP lists keep the pages that they once took: one transfer for each pool */
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 65536, buf), 0);
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 524288, buf), 0);
	live = live_mappings(f);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(sizes); j++) {
			u64 block = i * 17 + j;

			assert_int_equal(transfer(f, NVME_READ, block, offsets[i], sizes[j], buf),
					 0);
			assert_memory_equal(buf, f->stack.disk + block * 512, sizes[j]);
			for (unsigned int b = 0; b < sizes[j]; b++)
				buf[b] = (unsigned char)(b * 7 + i + j);
			assert_int_equal(transfer(f, NVME_WRITE, block, offsets[i], sizes[j], buf),
					 0);
			assert_memory_equal(buf, f->stack.disk + block * 512, sizes[j]);
		}
	assert_int_equal(transfer(f, NVME_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(live_mappings(f), live);
	assert_int_equal(f->faults, 0);
	free(buf);
	tear_down(f);
}

static void shapes_threaded(void **state)
{
	(void)state;
	shapes(POSIX_THREADED);
}

static void shapes_seeded(void **state)
{
	(void)state;
	shapes(POSIX_SEEDED);
}

static void bad_requests_are_refused(void **state)
{
	struct fixture *f = set_up_with(POSIX_SEEDED, 1);
	unsigned char *buf = malloc(1u << 20);
	uint64_t live = live_mappings(f);
	u64 blocks = f->stack.disk_size / 512;

	(void)state;
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 100, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 0, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, blocks, 0, 512, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, blocks - 1, 0, 1024, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, ~0ull, 0, 512, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 524288 + 512, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_FLUSH, 0, 0, 512, buf), -EINVAL);
	assert_int_equal(transfer(f, NVME_READ, blocks - 1, 0, 512, buf), 0);
	assert_int_equal(live_mappings(f), live);
	free(buf);
	tear_down(f);
}

/* ---- Many at once ----------------------------------------------------------------------- */

#define FLIGHT 256

struct flight {
	struct fixture *f;
	struct nvme_request reqs[FLIGHT];
	struct scatterlist sgl[FLIGHT];
	struct page *pages[FLIGHT];
	struct weir_completion done;
	int statuses[FLIGHT];
};

static struct flight *the_flight;

static void landed(struct nvme_request *req)
{
	struct flight *fl = the_flight;

	fl->statuses[req - fl->reqs] = req->status;
	weir_done(fl->f->stack.weir, &fl->done);
}

/* All in flight at once; statuses are each request's own. */
static int fly(void *arg)
{
	struct flight *fl = arg;
	unsigned int sent = 0;
	int ret = 0;

	the_flight = fl;
	for (unsigned int i = 0; i < FLIGHT; i++) {
		fl->pages[i] = alloc_page(__GFP_ZERO);
		assert_non_null(fl->pages[i]);
		sg_init_table(&fl->sgl[i], 1);
		sg_set_page(&fl->sgl[i], fl->pages[i], 4096, 0);
		fl->reqs[i] = (struct nvme_request){ .op = NVME_READ,
						     .block = (i % 256) * 8,
						     .sgl = &fl->sgl[i],
						     .nents = 1,
						     .done = landed };
		ret = nvme_submit(fl->f->stack.ctrl, &fl->reqs[i]);
		if (ret) {
			fl->statuses[i] = ret;
			continue;
		}
		sent++;
	}
	while (sent--)
		assert_int_equal(weir_wait_done(fl->f->stack.weir, &fl->done, 60000000000ull), 0);
	return ret;
}

static int land(void *arg)
{
	struct flight *fl = arg;

	for (unsigned int i = 0; i < FLIGHT; i++)
		__free_page(fl->pages[i]);
	return 0;
}

static int check_task(void *arg)
{
	struct flight *fl = arg;

	for (unsigned int i = 0; i < FLIGHT; i++)
		if (!fl->statuses[i])
			assert_memory_equal(page_address(fl->pages[i]),
					    fl->f->stack.disk + (size_t)(i % 256) * 4096, 4096);
	return 0;
}

static unsigned int failures(const struct flight *fl, int status)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FLIGHT; i++)
		n += fl->statuses[i] == status;
	return n;
}

static struct flight *take_off(struct fixture *f)
{
	struct flight *fl = calloc(1, sizeof(*fl));

	assert_non_null(fl);
	fl->f = f;
	posix_call(f->stack.machine, 0, fly, fl);
	posix_call(f->stack.machine, 0, check_task, fl);
	posix_call(f->stack.machine, 0, land, fl);
	return fl;
}

static void many_in_flight_and_out_of_order(void **state)
{
	const struct weir_model_nvme_faults reorder = { .reorder = true };

	(void)state;
	for (int runner = POSIX_THREADED; runner <= POSIX_SEEDED; runner++) {
		struct fixture *f = set_up_with((enum posix_runner)runner, 2);
		struct flight *fl;

		set_faults(f, &reorder);
		fl = take_off(f);
		assert_int_equal(failures(fl, 0), FLIGHT);
		free(fl);
		tear_down(f);
	}
}

/* ---- Bad devices ------------------------------------------------------------------------ */

static void a_silent_device_is_reset(void **state)
{
	const struct weir_model_nvme_faults silent = { .stop_after = 20 };
	const struct weir_model_nvme_faults well = { 0 };

	(void)state;
	for (int runner = POSIX_THREADED; runner <= POSIX_SEEDED; runner++) {
		struct fixture *f = set_up_with((enum posix_runner)runner, 2);
		uint64_t live = live_mappings(f);
		struct flight *fl;

		nvme_set_timeout(f->stack.ctrl, 300);
		set_faults(f, &silent);
		fl = take_off(f);
		assert_true(failures(fl, -ETIMEDOUT) + failures(fl, -EIO) > 0);
		assert_int_equal(failures(fl, 0) + failures(fl, -ETIMEDOUT) + failures(fl, -EIO),
				 FLIGHT);
		free(fl);
		set_faults(f, &well);
		do {
			fl = take_off(f);
			if (!failures(fl, 0))
				assert_true(failures(fl, -EAGAIN) + failures(fl, -ETIMEDOUT) > 0);
			if (failures(fl, 0) == FLIGHT)
				break;
			free(fl);
		} while (!stack_logged(&f->stack, "given up"));
		assert_int_equal(failures(fl, 0), FLIGHT);
		assert_int_equal(live_mappings(f), live);
		assert_true(stack_logged(&f->stack, "was not answered"));
		free(fl);
		tear_down(f);
	}
}

static void a_device_that_never_gets_ready_is_given_up(void **state)
{
	const struct weir_model_nvme_faults stuck = { .stop_after = 5, .never_ready = true };
	struct fixture *f = set_up_with(POSIX_SEEDED, 2);
	unsigned char sector[512];
	struct flight *fl;

	(void)state;
	nvme_set_timeout(f->stack.ctrl, 300);
	set_faults(f, &stuck);
	fl = take_off(f);
	assert_true(failures(fl, 0) < FLIGHT);
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 512, sector), -ENODEV);
	assert_true(stack_logged(&f->stack, "given up"));
	free(fl);
	tear_down(f);
}

static void a_device_that_is_gone_ends_every_request(void **state)
{
	const struct weir_model_nvme_faults gone = { .dead = true, .stop_after = 1 };
	struct fixture *f = set_up_with(POSIX_SEEDED, 1);
	unsigned char sector[512];
	struct flight *fl;

	(void)state;
	nvme_set_timeout(f->stack.ctrl, 300);
	set_faults(f, &gone);
	fl = take_off(f);
	assert_true(failures(fl, 0) < FLIGHT);
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 512, sector), -ENODEV);
	free(fl);
	tear_down(f);
}

static void completions_that_nobody_asked_for_are_ignored(void **state)
{
	const struct weir_model_nvme_faults liar = { .bad_cid = true };
	const struct weir_model_nvme_faults well = { 0 };
	struct fixture *f = set_up_with(POSIX_SEEDED, 1);
	unsigned char sector[512];
	struct flight *fl;

	(void)state;
	nvme_set_timeout(f->stack.ctrl, 300);
	set_faults(f, &liar);
	fl = take_off(f);
	set_faults(f, &well);
	assert_true(stack_logged(&f->stack, "which was not sent"));
	free(fl);
	/* the controller recovered, or was given up; either way requests end */
	(void)transfer(f, NVME_READ, 0, 0, 512, sector);
	tear_down(f);
}

static void failed_commands_are_reported(void **state)
{
	const struct weir_model_nvme_faults flaky = { .error_every = 3 };
	struct fixture *f = set_up_with(POSIX_SEEDED, 1);
	struct flight *fl;

	(void)state;
	set_faults(f, &flaky);
	fl = take_off(f);
	assert_in_range(failures(fl, -EIO), FLIGHT / 3 - 1, FLIGHT / 3 + 1);
	assert_int_equal(failures(fl, -EIO) + failures(fl, 0), FLIGHT);
	free(fl);
	tear_down(f);
}

/* The SMMU's event may come after the controller's completion. */
static int await_fault(void *opaque)
{
	struct fixture *f = opaque;

	for (int i = 0; i < 1000 && !__atomic_load_n(&f->faults, __ATOMIC_RELAXED); i++)
		weir_sleep_ns(f->stack.weir, 1000000);
	return 0;
}

static void a_device_that_writes_elsewhere_is_stopped(void **state)
{
	const struct weir_model_nvme_faults astray = { .bad_data = true };
	struct fixture *f = set_up_with(POSIX_SEEDED, 1);
	unsigned char *buf = malloc(3 * 4096);

	(void)state;
	set_faults(f, &astray);
	/*
	 * Three pages take four of IOVA space, so that behind the last nothing is mapped.
	 * transfer() also checks that nothing beside the buffer changed.
	 */
	assert_int_equal(transfer(f, NVME_READ, 0, 0, 3 * 4096, buf), -EIO);
	posix_call(f->stack.machine, 0, await_fault, f);
	assert_true(f->faults > 0);
	free(buf);
	tear_down(f);
}

static void doorbells_beyond_the_bar_are_not_used(void **state)
{
	const struct weir_model_nvme_faults astray = { .bad_stride = true };
	struct fixture *f = calloc(1, sizeof(*f));
	struct stack_options options = { .posix = { .runner = POSIX_SEEDED, .seed = 3 } };

	(void)state;
	assert_non_null(f);
	assert_int_equal(stack_make(&f->stack, &options), 0);
	set_faults(f, &astray);
	assert_int_equal(stack_call(&f->stack, stack_up), -ENODEV);
	assert_true(stack_logged(&f->stack, "too few for doorbells"));
	tear_down(f);
}

/* Write a completion that nobody asked for to the admin queue, as the device might at any time. */
static int lie(void *arg)
{
	struct nvme_queue *q = arg;
	struct weir_nvme_cqe *cqe;

	msleep(NVME_ADMIN_TIMEOUT_MS / 2);
	cqe = &q->cq[q->cq_head];
	cqe->cid = 0xffff;
	__atomic_store_n(&cqe->status, q->phase, __ATOMIC_RELEASE);
	return 0;
}

/*
 * While an admin command waits in vain, something else arrives, without an interrupt: that is no
 * answer to it. (Its request is on the stack, and must not be left behind there.)
 */
static void an_admin_command_waits_for_its_own_completion(void **state)
{
	const struct weir_model_nvme_faults silent = { .stop_after = 1 };
	struct fixture *f = set_up_with(POSIX_SEEDED, 2);
	struct posix_task *task;

	(void)state;
	set_faults(f, &silent);
	assert_int_equal(posix_spawn(f->stack.machine, 1, lie, &f->stack.ctrl->admin, &task), 0);
	/* Removal deletes the queues: DELETE_SQ is answered, DELETE_CQ (0x04) is not. */
	assert_int_equal(stack_call(&f->stack, stack_down), 0);
	assert_int_equal(posix_join(task), 0);
	assert_true(stack_logged(&f->stack, "no answer to admin command 0x04"));
	tear_down(f);
}

static int suspend_task(void *arg)
{
	struct fixture *f = arg;

	return weir_suspend(f->stack.weir);
}

static int resume_task(void *arg)
{
	struct fixture *f = arg;

	return weir_resume(f->stack.weir);
}

static void around_a_suspension(void **state)
{
	static unsigned char data[65536];

	(void)state;
	for (int runner = POSIX_THREADED; runner <= POSIX_SEEDED; runner++) {
		struct fixture *f = set_up_with((enum posix_runner)runner, 2);

		nvme_set_timeout(f->stack.ctrl, 200);
		for (int i = 0; i < 3; i++) {
			memset(data, 0, sizeof(data));
			assert_int_equal(transfer(f, NVME_READ, 8, 512, sizeof(data), data), 0);
			assert_memory_equal(data, f->stack.disk + 8 * 512, sizeof(data));
			assert_int_equal(posix_call(f->stack.machine, 0, suspend_task, f), 0);
			assert_int_equal(posix_call(f->stack.machine, 0, resume_task, f), 0);
		}
		assert_int_equal(f->faults, 0);
		/* Meanwhile the controller reaches no memory. */
		assert_int_equal(posix_call(f->stack.machine, 0, suspend_task, f), 0);
		assert_int_not_equal(transfer(f, NVME_READ, 8, 0, 512, data), 0);
		assert_int_equal(posix_call(f->stack.machine, 0, resume_task, f), 0);
		tear_down(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_threaded),
		cmocka_unit_test(shapes_seeded),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(many_in_flight_and_out_of_order),
		cmocka_unit_test(a_silent_device_is_reset),
		cmocka_unit_test(a_device_that_never_gets_ready_is_given_up),
		cmocka_unit_test(a_device_that_is_gone_ends_every_request),
		cmocka_unit_test(completions_that_nobody_asked_for_are_ignored),
		cmocka_unit_test(failed_commands_are_reported),
		cmocka_unit_test(a_device_that_writes_elsewhere_is_stopped),
		cmocka_unit_test(doorbells_beyond_the_bar_are_not_used),
		cmocka_unit_test(an_admin_command_waits_for_its_own_completion),
		cmocka_unit_test(around_a_suspension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
