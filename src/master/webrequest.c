/* SPDX-License-Identifier: MIT */
/*
 * webrequest.c - the little HTTP that status_bind understands.
 *
 * Called by webstatus.c. Pure. The master knows nothing of src/http, whose requests come from everybody.
 */
#include "base/base.h"

#include "master/webrequest.h"

static bool is_token(struct span text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (!is_word && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return text.len > 0;
}

/* No control bytes, no blanks, nothing but ASCII. */
static bool is_target(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return text.len > 0 && text.at[0] == '/';
}

static enum webrequest_result parse_line(struct span line, struct webrequest *ret_request)
{
	struct span method, target, version;

	if (!span_split(&line, ' ', &method) || !span_split(&line, ' ', &target) || !span_split(&line, ' ', &version) ||
	    line.at != NULL || !is_token(method) || !is_target(target))
		return WEBREQUEST_BAD;
	if (!span_equals(version, SPAN_LIT("HTTP/1.1")) && !span_equals(version, SPAN_LIT("HTTP/1.0")))
		return WEBREQUEST_BAD;
	ret_request->is_head = span_equals(method, SPAN_LIT("HEAD"));
	if (!ret_request->is_head && !span_equals(method, SPAN_LIT("GET")))
		return WEBREQUEST_METHOD;
	ret_request->query = target;
	(void)span_split(&ret_request->query, '?', &ret_request->path);
	return WEBREQUEST_GOOD;
}

static bool is_field(struct span line)
{
	ssize_t colon = span_find(line, ':');

	return colon > 0 && is_token(span_of(line.at, (size_t)colon));
}

/* Takes a line and its CRLF off the front. False when it is not whole; *ret_is_bad when it never will be. */
static bool take_line(struct span *rest, struct span *ret_line, bool *ret_is_bad)
{
	for (size_t i = 0; i < rest->len; i++) {
		unsigned char c = (unsigned char)rest->at[i];

		if (c == '\r' && (i + 1 == rest->len || rest->at[i + 1] == '\n')) {
			if (i + 1 == rest->len)
				return false;
			*ret_line = span_of(rest->at, i);
			*rest = span_of(rest->at + i + 2, rest->len - i - 2);
			return true;
		}
		*ret_is_bad = (c < 0x20 && c != '\t') || c == 0x7f;
		if (*ret_is_bad)
			return false;
	}
	return false;
}

enum webrequest_result webrequest_parse(struct span input, struct webrequest *ret_request)
{
	enum webrequest_result result;
	struct span line;
	bool is_bad = false;

	memset(ret_request, 0, sizeof(*ret_request));
	if (!take_line(&input, &line, &is_bad))
		return is_bad ? WEBREQUEST_BAD : WEBREQUEST_PARTIAL;
	result = parse_line(line, ret_request);
	if (result == WEBREQUEST_BAD)
		return result;
	while (take_line(&input, &line, &is_bad)) {
		if (line.len == 0)
			return result;
		if (!is_field(line))
			return WEBREQUEST_BAD;
	}
	return is_bad ? WEBREQUEST_BAD : WEBREQUEST_PARTIAL;
}

bool webrequest_find(struct span query, struct span name, struct span *ret_value)
{
	struct span pair;

	while (span_split(&query, '&', &pair)) {
		struct span key;

		if (span_split(&pair, '=', &key) && span_equals(key, name)) {
			*ret_value = pair;
			return true;
		}
	}
	return false;
}
