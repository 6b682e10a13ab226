/* SPDX-License-Identifier: MIT */
/* Doubly linked queues through words of what they hold; see internal.h. */
#include "internal.h"

/* Whoever stands before `next`, which may be the end of the queue, is `node` now. */
static void set_prev(struct bare_queue *queue, uintptr_t *next, uintptr_t *node)
{
	if (next)
		next[BARE_PREV] = (uintptr_t)node;
	else
		queue->last = node;
}

static void set_next(struct bare_queue *queue, uintptr_t *prev, uintptr_t *node)
{
	if (prev)
		prev[BARE_NEXT] = (uintptr_t)node;
	else
		queue->first = node;
}

void bare_queue_insert(struct bare_queue *queue, uintptr_t *after, uintptr_t *node)
{
	uintptr_t *next = after ? bare_queue_next(after) : queue->first;

	node[BARE_NEXT] = (uintptr_t)next;
	node[BARE_PREV] = (uintptr_t)after;
	set_next(queue, after, node);
	set_prev(queue, next, node);
}

void bare_queue_remove(struct bare_queue *queue, uintptr_t *node)
{
	set_next(queue, bare_queue_prev(node), bare_queue_next(node));
	set_prev(queue, bare_queue_next(node), bare_queue_prev(node));
}
