/* SPDX-License-Identifier: MIT */
/*
 * uri.c - request targets, authorities, percent-encoding.
 *
 * Called by parse.c and request.c, and by py/environ.c for PATH_INFO. Pure. Never normalises: what `..` or `//` mean is for
 * the application to say.
 */
#include "base/base.h"
#include "http/http.h"

#include "http/http_internal.h"

static bool is_port(struct span port)
{
	unsigned value = 0;

	for (size_t i = 0; i < port.len; i++) {
		if (port.at[i] < '0' || port.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(port.at[i] - '0');
		if (value > 65535)
			return false;
	}
	return true;
}

/* "[...]" of RFC 3986 IP-literal, addresses only: what is inside is hex digits, colons and dots. */
static bool is_ip_literal(struct span inside)
{
	bool has_colon = false;

	for (size_t i = 0; i < inside.len; i++) {
		has_colon |= inside.at[i] == ':';
		if (inside.at[i] != ':' && inside.at[i] != '.' && !http_byte_is(inside.at[i], HTTP_BYTE_HEX))
			return false;
	}
	return has_colon;
}

bool http_is_authority(struct span authority)
{
	size_t host_len = 0;

	if (authority.len > 0 && authority.at[0] == '[') {
		const char *end = memchr(authority.at, ']', authority.len);
		if (end == NULL || !is_ip_literal(span_of(authority.at + 1, (size_t)(end - authority.at) - 1)))
			return false;
		host_len = (size_t)(end - authority.at) + 1;
	} else {
		while (host_len < authority.len && http_byte_is(authority.at[host_len], HTTP_BYTE_HOST))
			host_len++;
	}
	if (host_len == authority.len)
		return true;
	if (authority.at[host_len] != ':')
		return false;
	return is_port(span_of(authority.at + host_len + 1, authority.len - host_len - 1));
}

/* What follows the authority of "http://" or "https://"; 0 when the target does not begin so. */
static size_t scheme_len(struct span target)
{
	if (target.len >= 7 && strncasecmp(target.at, "http://", 7) == 0)
		return 7;
	if (target.len >= 8 && strncasecmp(target.at, "https://", 8) == 0)
		return 8;
	return 0;
}

/* Takes the authority off an absolute-form target (RFC 9112 3.2.2). False: no such form, or no host, or user information. */
static bool take_authority(struct http_request *request, struct span *rest)
{
	size_t skip = scheme_len(*rest);
	size_t end = skip;

	if (skip == 0)
		return false;
	while (end < rest->len && rest->at[end] != '/' && rest->at[end] != '?' && rest->at[end] != '#')
		end++;
	struct span authority = span_of(rest->at + skip, end - skip);
	if (authority.len == 0 || authority.at[0] == ':' || !http_is_authority(authority))
		return false;
	request->host = authority;
	*rest = span_of(rest->at + end, rest->len - end);
	return true;
}

enum http_result http_target_parse(struct http_request *request)
{
	struct span rest = request->target;

	/* Bytes from 0x80 on are let through as gunicorn does: browsers' address bars and curl send raw UTF-8. */
	for (size_t i = 0; i < rest.len; i++)
		if (UNLIKELY(!http_byte_is(rest.at[i], HTTP_BYTE_TARGET)))
			return HTTP_BAD_TARGET;
	if (rest.len == 0)
		return HTTP_BAD_TARGET;

	bool is_options = span_equals(request->method, SPAN_LIT("OPTIONS"));
	if (rest.len == 1 && rest.at[0] == '*') {
		request->path = rest;
		return is_options ? HTTP_DONE : HTTP_BAD_TARGET;
	}
	bool is_absolute = rest.at[0] != '/';
	if (is_absolute && !take_authority(request, &rest))
		return HTTP_BAD_TARGET;

	/* No client may send a fragment; gunicorn drops it. */
	const char *fragment = rest.len > 0 ? memchr(rest.at, '#', rest.len) : NULL;
	if (fragment != NULL)
		rest.len = (size_t)(fragment - rest.at);
	const char *question = rest.len > 0 ? memchr(rest.at, '?', rest.len) : NULL;
	request->path = rest;
	if (question != NULL) {
		request->path.len = (size_t)(question - rest.at);
		request->query = span_of(question + 1, rest.len - request->path.len - 1);
	}
	/* RFC 9110 4.2.3: the empty path is "/"; RFC 9112 3.2.4: but "*" for OPTIONS. */
	if (is_absolute && request->path.len == 0)
		request->path = is_options && question == NULL ? SPAN_LIT("*") : SPAN_LIT("/");
	return HTTP_DONE;
}

size_t http_unquote(struct span from, char *to)
{
	const char *at = from.at;
	const char *end = from.at + from.len;
	char *out = to;

	while (at < end) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		size_t plain = (size_t)((percent != NULL ? percent : end) - at);
		memmove(out, at, plain);
		out += plain;
		at += plain;
		if (percent == NULL)
			break;
		if (end - at >= 3 && http_byte_is(at[1], HTTP_BYTE_HEX) && http_byte_is(at[2], HTTP_BYTE_HEX)) {
			*out++ = (char)(unsigned char)(http_hex_value(at[1]) << 4 | http_hex_value(at[2]));
			at += 3;
		} else {
			*out++ = *at++;
		}
	}
	return (size_t)(out - to);
}
