/* SPDX-License-Identifier: MIT */
/*
 * settings_target.c - what warmup_paths may ask for: "/path?query", or a URL with a host.
 *
 * Called by settings_parse.c. Pure.
 */
#include "base/base.h"
#include "shared/settings_types.h"

#include <arpa/inet.h>

#include "base/span.h"

enum { PORT_MAX = 65535 };

/* What a client could send: a fragment stays with it, and anything else would have come percent-encoded. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '#')
			return false;
	return true;
}

static bool is_port(struct span text)
{
	uint64_t port;

	return span_to_u64(text, &port) && port >= 1 && port <= PORT_MAX;
}

static bool is_ipv6(struct span text)
{
	unsigned char bytes[16];
	char *address = span_dup(text);
	const bool is_valid = inet_pton(AF_INET6, address, bytes) == 1;

	free(address);
	return is_valid;
}

/* Letters, digits, and what else stands in names and addresses; no user, no percent signs. */
static bool is_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char byte = text.at[i];
		const char lower = (char)(byte | 0x20);

		if (!(lower >= 'a' && lower <= 'z') && !(byte >= '0' && byte <= '9') && strchr("-._", byte) == NULL)
			return false;
	}
	return text.len > 0;
}

/* "host", "host:port", "[address]:port" */
static bool is_authority(struct span text)
{
	ssize_t end;

	if (text.len > 0 && text.at[0] == '[') {
		end = span_find(text, ']');
		if (end < 0 || !is_ipv6(span_of(text.at + 1, (size_t)end - 1)))
			return false;
		text = span_of(text.at + end + 1, text.len - (size_t)end - 1);
		return text.len == 0 || (text.at[0] == ':' && is_port(span_of(text.at + 1, text.len - 1)));
	}
	end = span_find(text, ':');
	if (end < 0)
		return is_name(text);
	return is_name(span_of(text.at, (size_t)end)) &&
	       is_port(span_of(text.at + end + 1, text.len - (size_t)end - 1));
}

bool setting_is_target(const char *text)
{
	const size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;

	if (!is_plain(text))
		return false;
	if (scheme == 0)
		return text[0] == '/' && text[1] != '/';
	return is_authority(span_of(text + scheme, strcspn(text + scheme, "/?")));
}
