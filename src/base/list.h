/* SPDX-License-Identifier: MIT */
/*
 * list.h - an intrusive, circular, doubly linked list.
 *
 * A `struct list` is both the head and the link inside a member. An initialised link that is in no list points at itself.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_ENTRY(link, type, field) ((type *)(void *)((char *)(link) - offsetof(type, field)))
/* The body may remove `it`, no other member. */
#define LIST_EACH(head, it)                                                                                                   \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}
static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}
static inline void list_add_tail(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#endif
