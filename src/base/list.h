/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

/*
 * A doubly linked ring through its members. A head is an element that nobody contains. No lock:
 * whoever owns the head says which one protects it.
 */

#include <weir/base.h>

struct weir_list {
	struct weir_list *next, *prev;
};

static inline void weir_list_init(struct weir_list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool weir_list_empty(const struct weir_list *head)
{
	return head->next == head;
}

/* Behind `where`: with a head, as the first. */
static inline void weir_list_add(struct weir_list *node, struct weir_list *where)
{
	node->next = where->next;
	node->prev = where;
	where->next->prev = node;
	where->next = node;
}

static inline void weir_list_add_tail(struct weir_list *node, struct weir_list *head)
{
	weir_list_add(node, head->prev);
}

/* The node is a ring of its own afterwards: deleting it again is harmless. */
static inline void weir_list_del(struct weir_list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	weir_list_init(node);
}

#define weir_list_entry(node, type, member) WEIR_CONTAINER_OF(node, type, member)

#define weir_list_for_each(pos, head)                                                              \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* The body may delete `pos`. */
#define weir_list_for_each_safe(pos, tmp, head)                                                    \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                           \
	     (pos) = (tmp), (tmp) = (pos)->next)

#endif
