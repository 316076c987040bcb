/* SPDX-License-Identifier: MIT */
/*
 * span.h - borrowed text: pointer and length, never owns, not terminated.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/base.h"

struct span {
	const char *at;
	size_t len;
};

#define SPAN_LIT(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })
/* For printf("%.*s", SPAN_ARG(s)). */
#define SPAN_ARG(s) (int)(s).len, (s).at

static inline struct span span_of(const char *at, size_t len)
{
	return (struct span){ at, len };
}
/* NULL gives the empty span. */
struct span span_from_str(const char *text);
bool span_equals(struct span a, struct span b);
bool span_equals_nocase(struct span a, struct span b); /* ASCII only */
bool span_starts_with(struct span s, struct span prefix);
bool span_ends_with(struct span s, struct span suffix);
/* Index of the byte, or -1. */
ssize_t span_find(struct span s, char byte);
/* Takes the bytes before the separator off the front of *rest; false when *rest is exhausted (NULL). "a,,b" gives a, "", b. */
bool span_split(struct span *rest, char separator, struct span *ret_piece);
/* Without the bytes of `set` (a C string) at both ends. */
struct span span_trim(struct span s, const char *set);
/* Decimal digits only, whole span, no sign; false on anything else or overflow. */
bool span_to_u64(struct span s, uint64_t *ret_value);
/* A malloc'ed, terminated copy; the caller frees. */
char *span_dup(struct span s);

#endif
