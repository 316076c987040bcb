/* SPDX-License-Identifier: MIT */
/*
 * span.c - borrowed text.
 *
 * Called by parsers of every kind. Never reads behind the length, never needs a terminator, never asks the locale.
 */
#include "base/base.h"

#include "base/span.h"

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

struct span span_from_str(const char *text)
{
	return text != NULL ? span_of(text, strlen(text)) : SPAN_NONE;
}

bool span_equals(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool span_equals_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (to_lower(a.at[i]) != to_lower(b.at[i]))
			return false;
	}
	return true;
}

bool span_starts_with(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equals(span_of(s.at, prefix.len), prefix);
}

bool span_ends_with(struct span s, struct span suffix)
{
	return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.at + (s.len - suffix.len), suffix.at, suffix.len) == 0);
}

ssize_t span_find(struct span s, char byte)
{
	const char *found = s.len != 0 ? memchr(s.at, byte, s.len) : NULL;
	return found != NULL ? found - s.at : -1;
}

bool span_split(struct span *rest, char separator, struct span *ret_piece)
{
	if (rest->at == NULL)
		return false;
	ssize_t at = span_find(*rest, separator);
	if (at < 0) {
		*ret_piece = *rest;
		*rest = SPAN_NONE;
		return true;
	}
	*ret_piece = span_of(rest->at, (size_t)at);
	*rest = span_of(rest->at + at + 1, rest->len - (size_t)at - 1);
	return true;
}

struct span span_trim(struct span s, const char *set)
{
	struct span bytes = span_from_str(set);
	while (s.len != 0 && span_find(bytes, s.at[0]) >= 0) {
		s.at++;
		s.len--;
	}
	while (s.len != 0 && span_find(bytes, s.at[s.len - 1]) >= 0)
		s.len--;
	return s;
}

bool span_to_u64(struct span s, uint64_t *ret_value)
{
	if (s.len == 0)
		return false;
	uint64_t value = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.at[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

char *span_dup(struct span s)
{
	char *copy = xmalloc(s.len + 1);
	if (s.len != 0)
		memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	return copy;
}
