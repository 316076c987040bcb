/* SPDX-License-Identifier: MIT */
/*
 * strlist.h - an owned list of strings. A zeroed struct is an empty list.
 */
#ifndef BASE_STRLIST_H
#define BASE_STRLIST_H

#include "base/base.h"
#include "base/span.h"

struct strlist {
	char **items; /* owned; items[count] is NULL when items is not NULL */
	size_t count;
};

void strlist_init(struct strlist *list);
void strlist_release(struct strlist *list);
void strlist_add(struct strlist *list, const char *text); /* copies */
void strlist_add_take(struct strlist *list, char *text);  /* keeps */
void strlist_add_span(struct strlist *list, struct span text);
void strlist_copy(struct strlist *to, const struct strlist *from); /* `to` is released first */
bool strlist_equals(const struct strlist *a, const struct strlist *b);

#endif
