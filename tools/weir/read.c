/* SPDX-License-Identifier: MIT */

/*
 * The job in this world: CPUs are those of the posix platform, OpenSSL makes the checksum, and on a
 * terminal a thread of its own, which is no CPU, draws how far it is.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "tool.h"

#define BAR_TICK_NS 50000000

struct reading {
	struct posix_machine *machine;
	struct weir *weir;
	struct nvme_ctrl *ctrl;
	uint64_t size;
	struct run_report *report;
	EVP_MD_CTX *sha;
	uint64_t hashed; /* bytes; atomic */

	unsigned int running;	   /* readers */
	uint64_t cpu_ns, model_ns; /* when the first of them started */

	bool has_bar;
	pthread_t bar;
	pthread_mutex_t lock; /* over */
	pthread_cond_t ended;
	bool over;
};

/* ---- What the job asks of its world ----------------------------------------------------- */

static int start(void *opaque, unsigned int cpu, int (*fn)(void *arg), void *arg, void **thread)
{
	struct reading *r = opaque;
	struct posix_task *task = NULL;
	int ret;

	if (!r->running)
		posix_times(r->machine, &r->cpu_ns, &r->model_ns);
	ret = posix_spawn(r->machine, cpu, fn, arg, &task);
	if (!ret)
		r->running++;
	*thread = task;
	return ret;
}

static int join(void *opaque, void *thread)
{
	struct reading *r = opaque;
	int ret = posix_join(thread);
	uint64_t cpu, model;

	if (--r->running)
		return ret;
	posix_times(r->machine, &cpu, &model);
	/* What CPUs do for the models is sampled: over a short time an estimate may go back. */
	r->report->busy_ns = cpu > r->cpu_ns ? cpu - r->cpu_ns : 0;
	r->report->model_ns = model > r->model_ns ? model - r->model_ns : 0;
	return ret;
}

static void hash(void *opaque, const void *data, size_t size)
{
	struct reading *r = opaque;

	EVP_DigestUpdate(r->sha, data, size);
}

static void progress(void *opaque, uint64_t bytes)
{
	struct reading *r = opaque;

	__atomic_store_n(&r->hashed, bytes, __ATOMIC_RELAXED);
}

static int read_task(void *arg)
{
	struct reading *r = arg;
	struct job_world world = {
		.opaque = r, .start = start, .join = join, .hash = hash, .progress = progress
	};

	return job_read(r->weir, r->ctrl, r->size, &r->report->options, &world, &r->report->job);
}

/* ---- Progress --------------------------------------------------------------------------- */

static void draw_bar(uint64_t hashed, uint64_t size)
{
	char text[REPORT_BAR];

	fprintf(stderr, "\r%s", report_bar(hashed, size, text));
	fflush(stderr);
}

static void *bar_main(void *arg)
{
	struct reading *r = arg;
	struct timespec until;

	pthread_mutex_lock(&r->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	while (!r->over) {
		draw_bar(__atomic_load_n(&r->hashed, __ATOMIC_RELAXED), r->size);
		until.tv_nsec += BAR_TICK_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&r->ended, &r->lock, &until);
	}
	pthread_mutex_unlock(&r->lock);
	fprintf(stderr, "\r\033[K");
	return NULL;
}

/* Without a thread for it there is no bar. */
static void start_bar(struct reading *r)
{
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->ended, NULL);
	r->has_bar = isatty(STDERR_FILENO) && !pthread_create(&r->bar, NULL, bar_main, r);
}

static void end_bar(struct reading *r)
{
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_cond_signal(&r->ended);
	pthread_mutex_unlock(&r->lock);
	if (r->has_bar)
		pthread_join(r->bar, NULL);
	pthread_cond_destroy(&r->ended);
	pthread_mutex_destroy(&r->lock);
}

/* ---- The whole -------------------------------------------------------------------------- */

int read_disk(struct posix_machine *machine, struct weir *weir, struct nvme_ctrl *ctrl,
	      uint64_t size, struct run_report *report)
{
	struct reading r = { .machine = machine,
			     .weir = weir,
			     .ctrl = ctrl,
			     .size = size,
			     .report = report,
			     .sha = EVP_MD_CTX_new() };
	int ret = -ENOMEM;

	if (r.sha && EVP_DigestInit_ex(r.sha, EVP_sha256(), NULL)) {
		start_bar(&r);
		ret = posix_call(machine, 0, read_task, &r);
		end_bar(&r);
		EVP_DigestFinal_ex(r.sha, report->got, NULL);
	}
	EVP_MD_CTX_free(r.sha);
	return ret;
}
