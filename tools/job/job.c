/* SPDX-License-Identifier: MIT */

/*
 * The job: read the whole disk through the driver, on every CPU, with many requests in flight, and
 * hash what arrives.
 *
 * Blocks are read out of order and hashed in order. A slot is a block's buffer and belongs to a
 * CPU, which submits for it; there are `slots` of them, and block n goes to the one with the number
 * n % slots: slot (n % slots) / cpus of CPU n % slots % cpus. Whoever finds the next block arrived,
 * and nobody else at it, hashes:
 *
 *   EMPTY --submit (owner)--> IN_FLIGHT --done() (interrupt)--> FULL --hash--> EMPTY
 *
 * Each change of state is a release that pairs with the acquire of the one who acts on it. A CPU
 * sleeps on its own completion, which counts what may let it go on: a request of its own that is
 * done, a slot of its own that was emptied, the end.
 */

#include <weir/dma-mapping.h>
#include <weir/sys.h>

#include <nvme/nvme.h>

#include "job.h"

#define IDLE_NS 1000000ull /* how soon to look again for what nobody tells of */

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
	const struct job_world *world;
	uint64_t size, blocks;
	unsigned int block_size, sector, pages_per_slot, cpus, depth;
	struct reader *readers; /* one for each CPU */
	unsigned int hashing;	/* atomic: somebody is at it */
	uint64_t hashed;	/* blocks; written by the one who hashes, atomic */
	uint64_t errors;	/* atomic: requests that failed */
	int error;		/* atomic: the first that ends the job */
};

struct reader {
	struct job *job;
	unsigned int cpu;
	unsigned int in_flight; /* atomic: interrupts decrement it */
	unsigned int calls;	/* atomic: done()s that have yet to return */
	struct slot *slots;	/* job->depth of them */
	struct weir_completion events;
	void *thread;
};

static uint64_t nr_slots(const struct job *job)
{
	return (uint64_t)job->cpus * job->depth;
}

static struct slot *slot_of(const struct job *job, uint64_t block)
{
	uint64_t n = block % nr_slots(job);

	return &job->readers[n % job->cpus].slots[n / job->cpus];
}

static void done(struct nvme_request *req)
{
	struct slot *slot = container_of(req, struct slot, req);
	struct reader *reader = slot->owner;

	if (req->status)
		__atomic_fetch_add(&reader->job->errors, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->state, SLOT_FULL, __ATOMIC_RELEASE);
	__atomic_fetch_sub(&reader->in_flight, 1, __ATOMIC_RELEASE);
	weir_done(reader->job->weir, &reader->events);
	/* The last touch. Release: pairs with settle(), after which all of this may be freed. */
	__atomic_fetch_sub(&reader->calls, 1, __ATOMIC_RELEASE);
}

/* Bytes of the image in a block. */
static size_t block_bytes(const struct job *job, uint64_t block)
{
	uint64_t left = job->size - block * job->block_size;

	return left < job->block_size ? (size_t)left : job->block_size;
}

/* What is asked of the disk for a block: whole sectors. */
static void prepare(struct job *job, struct slot *slot)
{
	size_t left = WEIR_ALIGN_UP(block_bytes(job, slot->next), job->sector);
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
	slot->req.block = slot->next * (job->block_size / job->sector);
	slot->req.sgl = slot->sgl;
	slot->req.done = done;
}

static void wake_all(struct job *job)
{
	for (unsigned int i = 0; i < job->cpus; i++)
		weir_done(job->weir, &job->readers[i].events);
}

static void fail(struct job *job, int error)
{
	int none = 0;

	__atomic_compare_exchange_n(&job->error, &none, error, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	wake_all(job);
}

/* 0, or the driver's error; done() is then not called. */
static int submit(struct reader *reader, struct slot *slot)
{
	int ret;

	prepare(reader->job, slot);
	__atomic_store_n(&slot->state, SLOT_IN_FLIGHT, __ATOMIC_RELAXED);
	__atomic_fetch_add(&reader->in_flight, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&reader->calls, 1, __ATOMIC_RELAXED);
	ret = nvme_submit(reader->job->ctrl, &slot->req);
	if (ret) {
		__atomic_fetch_sub(&reader->calls, 1, __ATOMIC_RELAXED);
		__atomic_fetch_sub(&reader->in_flight, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&slot->state, SLOT_EMPTY, __ATOMIC_RELAXED);
	}
	return ret;
}

/* Submit for the slots of this reader that are empty. How many went. */
static unsigned int submit_all(struct reader *reader)
{
	struct job *job = reader->job;
	unsigned int sent = 0;

	for (unsigned int i = 0; i < job->depth; i++) {
		struct slot *slot = &reader->slots[i];
		bool idle;
		int ret;

		if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_EMPTY ||
		    slot->next >= job->blocks)
			continue;
		ret = submit(reader, slot);
		if (!ret) {
			sent++;
			continue;
		}
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

		job->world->hash(job->world->opaque, page_address(slot->pages[n]), len);
		left -= len;
	}
}

static uint64_t bytes_of(const struct job *job, uint64_t blocks)
{
	return blocks < job->blocks ? blocks * job->block_size : job->size;
}

/* With `hashing` taken: all that has arrived in order. true: there was some. */
static bool hash_in_order(struct job *job)
{
	uint64_t first = __atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE), n;

	for (n = first; n < job->blocks; n++) {
		struct slot *slot = slot_of(job, n);

		if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_FULL)
			break;
		hash_block(job, slot);
		slot->next += nr_slots(job);
		__atomic_store_n(&slot->state, SLOT_EMPTY, __ATOMIC_RELEASE);
		__atomic_store_n(&job->hashed, n + 1, __ATOMIC_RELEASE);
		if (job->world->progress)
			job->world->progress(job->world->opaque, bytes_of(job, n + 1));
		weir_done(job->weir, &slot->owner->events);
	}
	if (n > first && n == job->blocks)
		wake_all(job);
	return n > first;
}

/* Hash as far as blocks have arrived, unless somebody else does. true: there were some. */
static bool hash_ready(struct job *job)
{
	bool any = false;

	for (;;) {
		uint64_t n = __atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE);

		if (n == job->blocks ||
		    __atomic_load_n(&slot_of(job, n)->state, __ATOMIC_ACQUIRE) != SLOT_FULL)
			return any;
		/*
		 * Exchanges on `hashing` read each other's writes, so one that finds it taken has
		 * shown its FULL slot to the one who lets go, and who looks again above.
		 */
		if (__atomic_exchange_n(&job->hashing, 1, __ATOMIC_ACQ_REL))
			return any;
		any |= hash_in_order(job);
		__atomic_exchange_n(&job->hashing, 0, __ATOMIC_ACQ_REL);
	}
}

static bool over(struct reader *reader)
{
	struct job *job = reader->job;

	if (__atomic_load_n(&job->hashed, __ATOMIC_ACQUIRE) == job->blocks)
		return true;
	return __atomic_load_n(&job->error, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&reader->in_flight, __ATOMIC_ACQUIRE);
}

/* The last block may be hashed while the done() that brought it has yet to return. */
static void settle(struct reader *reader)
{
	while (__atomic_load_n(&reader->calls, __ATOMIC_ACQUIRE))
		plat_relax(weir_plat(reader->job->weir));
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
		(void)weir_wait_done(job->weir, &reader->events, idle ? IDLE_NS : UINT64_MAX);
	}
	settle(reader);
	return 0;
}

/* ---- Set-up ----------------------------------------------------------------------------- */

static void free_slot(struct job *job, struct slot *slot)
{
	for (unsigned int n = 0; slot->pages && n < job->pages_per_slot; n++)
		if (slot->pages[n])
			__free_page(slot->pages[n]);
	weir_free(job->weir, slot->pages);
	weir_free(job->weir, slot->sgl);
}

static void free_readers(struct job *job)
{
	for (unsigned int i = 0; job->readers && i < job->cpus; i++) {
		struct reader *reader = &job->readers[i];

		for (unsigned int n = 0; reader->slots && n < job->depth; n++)
			free_slot(job, &reader->slots[n]);
		weir_free(job->weir, reader->slots);
	}
	weir_free(job->weir, job->readers);
}

static int alloc_slot(struct job *job, struct slot *slot)
{
	slot->pages = weir_alloc(job->weir, job->pages_per_slot * sizeof(struct page *), 0);
	slot->sgl = weir_alloc(job->weir, job->pages_per_slot * sizeof(*slot->sgl), 0);
	return slot->pages && slot->sgl ? 0 : -ENOMEM;
}

/* In pieces: one allocation for a reader's slots, two for each slot; none comes near 4 MiB. */
static int alloc_readers(struct job *job)
{
	int ret = 0;

	job->readers = weir_alloc(job->weir, job->cpus * sizeof(*job->readers), 0);
	if (!job->readers)
		return -ENOMEM;
	for (unsigned int i = 0; i < job->cpus && !ret; i++) {
		struct reader *reader = &job->readers[i];

		reader->job = job;
		reader->cpu = i;
		reader->slots = weir_alloc(job->weir, job->depth * sizeof(*reader->slots), 0);
		if (!reader->slots)
			return -ENOMEM;
		for (unsigned int n = 0; n < job->depth && !ret; n++) {
			reader->slots[n].owner = reader;
			reader->slots[n].next = (uint64_t)n * job->cpus + i;
			ret = alloc_slot(job, &reader->slots[n]);
		}
	}
	return ret;
}

/* Pages of all slots, dealt round so that those of one slot do not follow each other. */
static int alloc_buffers(struct job *job)
{
	for (unsigned int n = 0; n < job->pages_per_slot; n++)
		for (uint64_t i = 0; i < nr_slots(job); i++) {
			struct page *page = alloc_page(GFP_KERNEL);

			if (!page)
				return -ENOMEM;
			slot_of(job, i)->pages[n] = page;
		}
	return 0;
}

static int check(const struct job *job)
{
	if (!job->cpus || !job->depth || !job->block_size || job->block_size % job->sector)
		return -EINVAL;
	return 0;
}

/* ---- The whole -------------------------------------------------------------------------- */

static int run_readers(struct job *job)
{
	const struct job_world *world = job->world;
	unsigned int started = 0;
	int ret = 0;

	while (started < job->cpus && !ret) {
		struct reader *reader = &job->readers[started];

		ret = world->start(world->opaque, started, read_task, reader, &reader->thread);
		if (!ret)
			started++;
	}
	if (ret)
		fail(job, ret);
	while (started > 0) {
		ret = world->join(world->opaque, job->readers[--started].thread);
		if (ret)
			fail(job, ret);
	}
	return __atomic_load_n(&job->error, __ATOMIC_RELAXED);
}

static void measure(struct job *job, uint64_t start, struct job_result *result)
{
	result->ns = plat_time_ns(weir_plat(job->weir)) - start;
	result->read_errors = __atomic_load_n(&job->errors, __ATOMIC_RELAXED);
	result->bytes = bytes_of(job, __atomic_load_n(&job->hashed, __ATOMIC_RELAXED));
}

int job_read(struct weir *weir, struct nvme_ctrl *ctrl, uint64_t size,
	     const struct job_options *options, const struct job_world *world,
	     struct job_result *result)
{
	struct job job = { .weir = weir,
			   .ctrl = ctrl,
			   .world = world,
			   .size = size,
			   .cpus = options->cpus,
			   .depth = options->queue_depth,
			   .block_size = options->block_size };
	struct nvme_info info;
	uint64_t start;
	int ret;

	memset(result, 0, sizeof(*result));
	nvme_get_info(ctrl, &info);
	job.sector = info.block_size;
	ret = check(&job);
	if (ret)
		return ret;
	job.blocks = size / job.block_size + (size % job.block_size != 0);
	job.pages_per_slot = (unsigned int)((job.block_size + PAGE_SIZE - 1) / PAGE_SIZE);
	ret = alloc_readers(&job);
	if (!ret)
		ret = alloc_buffers(&job);
	if (!ret) {
		start = plat_time_ns(weir_plat(weir));
		ret = run_readers(&job);
		measure(&job, start, result);
	}
	free_readers(&job);
	return ret;
}
