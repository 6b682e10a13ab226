/* SPDX-License-Identifier: MIT */

#include "jobworld.h"

#include <errno.h>
#include <string.h>

static int start(void *opaque, unsigned int cpu, int (*fn)(void *arg), void *arg, void **thread)
{
	struct jobworld *w = opaque;
	struct posix_task *task = NULL;
	int ret;

	if (++w->starts == w->fail_start)
		return -EIO;
	ret = posix_spawn(w->stack->machine, cpu, fn, arg, &task);
	*thread = task;
	return ret;
}

static int join(void *opaque, void *thread)
{
	struct jobworld *w = opaque;
	int ret = posix_join(thread);

	return ++w->joins == w->fail_join ? -EIO : ret;
}

static void hash(void *opaque, const void *data, size_t size)
{
	struct jobworld *w = opaque;

	w->wrong += size > w->stack->disk_size - w->bytes ||
		    memcmp(data, w->stack->disk + w->bytes, size) != 0;
	w->bytes += size;
}

static void progress(void *opaque, uint64_t bytes)
{
	struct jobworld *w = opaque;

	w->disorder += bytes != w->bytes || bytes <= w->progress;
	w->progress = bytes;
}

void jobworld_init(struct jobworld *w, struct stack *s)
{
	memset(w, 0, sizeof(*w));
	w->stack = s;
	w->world = (struct job_world){
		.opaque = w, .start = start, .join = join, .hash = hash, .progress = progress
	};
}
