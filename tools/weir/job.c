/* SPDX-License-Identifier: MIT */

/*
 * The job: read the whole disk through the driver, on every CPU, with many requests in flight, and
 * hash what arrives.
 *
 * Blocks are read out of order and hashed in order. Block n goes to slot n % slots; a slot belongs
 * to a CPU, which submits for it. Whoever finds the next block arrived, and nobody else at it,
 * hashes:
 *
 *   EMPTY --submit (owner)--> IN_FLIGHT --done() (interrupt)--> FULL --hash--> EMPTY
 *
 * Each change of state is a release that pairs with the acquire of the one who acts on it. A CPU
 * sleeps on its own completion, which counts what may let it go on: a request of its own that is
 * done, a slot of its own that was emptied, the end.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <weir/dma-mapping.h>

#include <nvme/nvme.h>
#include "tool.h"

enum slot_state { SLOT_EMPTY, SLOT_IN_FLIGHT, SLOT_FULL };

struct reader;

struct slot {
	struct nvme_request req;
	struct reader *owner;
	enum slot_state state; /* atomic */
	uint64_t next;	       /* the block that it waits for, or has */
	struct scatterlist *sgl;
	struct page **pages;
};

struct job {
	struct weir *weir;
	struct nvme_ctrl *ctrl;
	uint64_t size, blocks;
	unsigned int block_size, pages_per_slot, cpus;
	struct slot *slots;
	unsigned int nr_slots;
	struct reader *readers;
	unsigned int hashing; /* atomic: somebody is at it */
	uint64_t hashed;      /* blocks; written by the one who hashes, atomic */
	uint64_t errors;      /* atomic: requests that failed */
	int error;	      /* atomic: the first that ends the job */
	EVP_MD_CTX *sha;
};

struct reader {
	struct job *job;
	unsigned int cpu;
	unsigned int in_flight; /* atomic: interrupts decrement it */
	struct weir_completion events;
	struct posix_task *task;
};

static void done(struct nvme_request *req)
{
	struct slot *slot = container_of(req, struct slot, req);
	struct reader *reader = slot->owner;

	if (req->status)
		__atomic_fetch_add(&reader->job->errors, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->state, SLOT_FULL, __ATOMIC_RELEASE);
	/* Release: whoever sees 0 may free what done() has touched. */
	__atomic_fetch_sub(&reader->in_flight, 1, __ATOMIC_RELEASE);
	weir_done(reader->job->weir, &reader->events);
}

/* Bytes of the image in a block, and what is asked of the disk for it: whole sectors. */
static size_t block_bytes(const struct job *job, uint64_t block)
{
	uint64_t left = job->size - block * job->block_size;

	return left < job->block_size ? (size_t)left : job->block_size;
}

static void prepare(struct job *job, struct slot *slot)
{
	size_t left = (block_bytes(job, slot->next) + 511) & ~(size_t)511;
	unsigned int n = 0;

	slot->req.nents = (unsigned int)((left + PAGE_SIZE - 1) / PAGE_SIZE);
	sg_init_table(slot->sgl, slot->req.nents);
	for (; left; n++) {
		unsigned int len = left < PAGE_SIZE ? (unsigned int)left : (unsigned int)PAGE_SIZE;

		memset(page_address(slot->pages[n]), 0xa5, PAGE_SIZE); /* poison */
		sg_set_page(&slot->sgl[n], slot->pages[n], len, 0);
		left -= len;
	}
	slot->req.op = NVME_READ;
	slot->req.block = slot->next * (job->block_size / 512);
	slot->req.sgl = slot->sgl;
	slot->req.done = done;
}

static void fail(struct job *job, int error)
{
	int none = 0;

	__atomic_compare_exchange_n(&job->error, &none, error, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < job->cpus; i++)
		weir_done(job->weir, &job->readers[i].events);
}

/* Submit for the slots of this reader that are empty. How many went. */
static unsigned int submit_all(struct reader *reader)
{
	struct job *job = reader->job;
	unsigned int sent = 0;

	for (unsigned int i = reader->cpu; i < job->nr_slots; i += job->cpus) {
		struct slot *slot = &job->slots[i];
		bool idle;
		int ret;

		if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_EMPTY ||
		    slot->next >= job->blocks)
			continue;
		prepare(job, slot);
		__atomic_store_n(&slot->state, SLOT_IN_FLIGHT, __ATOMIC_RELAXED);
		__atomic_fetch_add(&reader->in_flight, 1, __ATOMIC_RELAXED);
		ret = nvme_submit(job->ctrl, &slot->req);
		if (!ret) {
			sent++;
			continue;
		}
		__atomic_fetch_sub(&reader->in_flight, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&slot->state, SLOT_EMPTY, __ATOMIC_RELAXED);
		/* Short of memory: what is in flight will give some back, if there is anything. */
		idle = !__atomic_load_n(&reader->in_flight, __ATOMIC_RELAXED);
		if (ret != -EAGAIN && (ret != -ENOMEM || idle))
			fail(job, ret);
		break;
	}
	return sent;
}

static void hash_block(struct job *job, struct slot *slot)
{
	size_t left = block_bytes(job, slot->next);

	for (unsigned int n = 0; left; n++) {
		size_t len = left < PAGE_SIZE ? left : PAGE_SIZE;

		EVP_DigestUpdate(job->sha, page_address(slot->pages[n]), len);
		left -= len;
	}
}

/* Hash in order as far as blocks have arrived. true: there were some. */
static bool hash_ready(struct job *job)
{
	bool any = false;
	uint64_t n = __atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE);

	/*
	 * Exchanges on `hashing` read each other's writes, so one that finds it taken has shown its
	 * FULL slot to the one who lets go, and who looks again below.
	 */
	while (n < job->blocks &&
	       __atomic_load_n(&job->slots[n % job->nr_slots].state, __ATOMIC_ACQUIRE) ==
		       SLOT_FULL &&
	       !__atomic_exchange_n(&job->hashing, 1, __ATOMIC_ACQ_REL)) {
		for (n = __atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE); n < job->blocks; n++) {
			struct slot *slot = &job->slots[n % job->nr_slots];

			if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_FULL)
				break;
			hash_block(job, slot);
			slot->next += job->nr_slots;
			__atomic_store_n(&slot->state, SLOT_EMPTY, __ATOMIC_RELEASE);
			__atomic_store_n(&job->hashed, n + 1, __ATOMIC_RELEASE);
			weir_done(job->weir, &slot->owner->events);
			any = true;
		}
		__atomic_exchange_n(&job->hashing, 0, __ATOMIC_ACQ_REL);
	}
	if (any && n == job->blocks)
		for (unsigned int i = 0; i < job->cpus; i++)
			weir_done(job->weir, &job->readers[i].events);
	return any;
}

static bool over(struct reader *reader)
{
	struct job *job = reader->job;

	if (__atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE) == job->blocks)
		return true;
	return __atomic_load_n(&job->error, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&reader->in_flight, __ATOMIC_ACQUIRE);
}

static int read_task(void *arg)
{
	struct reader *reader = arg;
	struct job *job = reader->job;

	while (!over(reader)) {
		unsigned int sent = 0;
		bool idle;

		if (!__atomic_load_n(&job->error, __ATOMIC_RELAXED))
			sent = submit_all(reader);
		if (hash_ready(job) || sent)
			continue;
		/* With nothing in flight only time helps: the controller is being reset. */
		idle = !__atomic_load_n(&reader->in_flight, __ATOMIC_ACQUIRE);
		(void)weir_wait_done(job->weir, &reader->events, idle ? 1000000 : UINT64_MAX);
	}
	return 0;
}

/* ---- Set-up ----------------------------------------------------------------------------- */

static void free_slots(struct job *job)
{
	for (unsigned int i = 0; job->slots && i < job->nr_slots; i++) {
		struct slot *slot = &job->slots[i];

		for (unsigned int n = 0; slot->pages && n < job->pages_per_slot; n++)
			if (slot->pages[n])
				__free_page(slot->pages[n]);
		free(slot->pages);
		free(slot->sgl);
	}
	free(job->slots);
	free(job->readers);
	EVP_MD_CTX_free(job->sha);
}

/* Pages of all slots, dealt round so that those of one slot do not follow each other. */
static int alloc_pages_of(struct job *job)
{
	for (unsigned int n = 0; n < job->pages_per_slot; n++)
		for (unsigned int i = 0; i < job->nr_slots; i++) {
			job->slots[i].pages[n] = alloc_page(GFP_KERNEL);
			if (!job->slots[i].pages[n])
				return -ENOMEM;
		}
	return 0;
}

static int alloc_slots(struct job *job)
{
	job->slots = calloc(job->nr_slots, sizeof(*job->slots));
	job->readers = calloc(job->cpus, sizeof(*job->readers));
	job->sha = EVP_MD_CTX_new();
	if (!job->slots || !job->readers || !job->sha ||
	    !EVP_DigestInit_ex(job->sha, EVP_sha256(), NULL))
		return -ENOMEM;
	for (unsigned int i = 0; i < job->cpus; i++)
		job->readers[i] = (struct reader){ .job = job, .cpu = i };
	for (unsigned int i = 0; i < job->nr_slots; i++) {
		struct slot *slot = &job->slots[i];

		slot->owner = &job->readers[i % job->cpus];
		slot->next = i;
		slot->pages = calloc(job->pages_per_slot, sizeof(struct page *));
		slot->sgl = calloc(job->pages_per_slot, sizeof(*slot->sgl));
		if (!slot->pages || !slot->sgl)
			return -ENOMEM;
	}
	return 0;
}

static int set_up_task(void *arg)
{
	return alloc_pages_of(arg);
}

static int tear_down_task(void *arg)
{
	free_slots(arg);
	return 0;
}

/* ---- Progress --------------------------------------------------------------------------- */

#define BAR_WIDTH 40

static void draw_bar(const struct job *job, uint64_t hashed)
{
	char bar[BAR_WIDTH + 1];
	unsigned int full =
		job->blocks ? (unsigned int)(hashed * BAR_WIDTH / job->blocks) : BAR_WIDTH;

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', full);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %3u %%  %llu of %llu MiB", bar,
		(unsigned int)(job->blocks ? hashed * 100 / job->blocks : 100),
		(unsigned long long)(hashed * job->block_size >> 20),
		(unsigned long long)(job->size >> 20));
	fflush(stderr);
}

/* A bar on a terminal, until the job is over. */
static void watch(struct job *job)
{
	const struct timespec tick = { .tv_nsec = 50000000 };

	if (!isatty(STDERR_FILENO))
		return;
	for (;;) {
		uint64_t hashed = __atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE);

		draw_bar(job, hashed);
		if (hashed == job->blocks || __atomic_load_n(&job->error, __ATOMIC_RELAXED))
			break;
		nanosleep(&tick, NULL);
	}
	fprintf(stderr, "\r\033[K");
}

static int run_readers(struct posix_machine *machine, struct job *job)
{
	unsigned int started = 0;
	int ret = 0;

	while (started < job->cpus && !ret) {
		ret = posix_spawn(machine, started, read_task, &job->readers[started],
				  &job->readers[started].task);
		if (!ret)
			started++;
	}
	if (ret)
		__atomic_store_n(&job->error, ret, __ATOMIC_RELAXED);
	else
		watch(job);
	while (started > 0)
		posix_join(job->readers[--started].task);
	return __atomic_load_n(&job->error, __ATOMIC_RELAXED);
}

int job_read(struct posix_machine *machine, struct weir *weir, struct nvme_ctrl *ctrl,
	     uint64_t size, struct run_report *report)
{
	const struct run_options *options = report->options;
	struct job job = { .weir = weir,
			   .ctrl = ctrl,
			   .size = size,
			   .cpus = options->cpus,
			   .block_size = options->block_size };
	unsigned int digest_size = SHA256_SIZE;
	uint64_t start, cpu0, model0, cpu1, model1;
	int ret;

	job.blocks = (size + job.block_size - 1) / job.block_size;
	job.nr_slots = options->cpus * options->queue_depth;
	job.pages_per_slot = (unsigned int)((job.block_size + PAGE_SIZE - 1) / PAGE_SIZE);
	ret = alloc_slots(&job);
	if (!ret)
		ret = posix_call(machine, 0, set_up_task, &job);
	if (ret)
		goto out;
	posix_times(machine, &cpu0, &model0);
	start = plat_time_ns(machine);
	ret = run_readers(machine, &job);
	report->seconds = (double)(plat_time_ns(machine) - start) / 1e9;
	posix_times(machine, &cpu1, &model1);
	/* What CPUs do for the models is sampled: over a short time an estimate may go back. */
	report->cpu_seconds = cpu1 > cpu0 ? (double)(cpu1 - cpu0) / 1e9 : 0;
	report->model_seconds = model1 > model0 ? (double)(model1 - model0) / 1e9 : 0;
	report->read_errors = job.errors;
	report->bytes = job.hashed * job.block_size < size ? job.hashed * job.block_size : size;
	EVP_DigestFinal_ex(job.sha, report->got, &digest_size);
out:
	(void)posix_call(machine, 0, tear_down_task, &job);
	return ret;
}
