/* SPDX-License-Identifier: MIT */
/*
 * strlist.c - an owned list of strings.
 *
 * Called by settings and the command line. `items` can be handed to exec: it ends with NULL.
 */
#include "base/base.h"

#include "base/strlist.h"

void strlist_init(struct strlist *list)
{
	*list = (struct strlist){ NULL, 0 };
}

void strlist_release(struct strlist *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	strlist_init(list);
}

void strlist_add_take(struct strlist *list, char *text)
{
	/* The room is the next power of two above count, so that it need not be kept: it grows when count + 1 is one. */
	if ((list->count & (list->count + 1)) == 0)
		list->items = xrealloc(list->items, 2 * (list->count + 1) * sizeof *list->items);
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
}

void strlist_add(struct strlist *list, const char *text)
{
	strlist_add_take(list, xstrdup(text));
}

void strlist_add_span(struct strlist *list, struct span text)
{
	strlist_add_take(list, span_dup(text));
}

void strlist_copy(struct strlist *to, const struct strlist *from)
{
	if (to == from)
		return;
	strlist_release(to);
	for (size_t i = 0; i < from->count; i++)
		strlist_add(to, from->items[i]);
}

bool strlist_equals(const struct strlist *a, const struct strlist *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}
