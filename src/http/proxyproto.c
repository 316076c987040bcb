/* SPDX-License-Identifier: MIT */
/*
 * proxyproto.c - the PROXY protocol, versions 1 and 2.
 *
 * Called by worker/opening.c with what the socket holds. Pure; refuses what can be read in two ways. TLVs and checksums of
 * version 2 are skipped.
 */
#include "base/base.h"

#include "http/proxyproto.h"

#include "base/span.h"

enum {
	LINE_MAX_BYTES = 107, /* 2.1 */
	FIXED_BYTES = 16,     /* 2.2: before the addresses */
	SIGNATURE_BYTES = 12,
	TCP4_BYTES = 12,
	TCP6_BYTES = 36,
};

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static enum proxyproto_result refuse(struct proxyproto *header, const char *fault)
{
	header->fault = fault;
	return PROXYPROTO_BAD;
}

/* ---- version 1 ----------------------------------------------------------------------------------------------------------- */

static bool take_address(struct span *rest, const char *set, struct proxyproto_end *end)
{
	struct span piece;

	if (!span_split(rest, ' ', &piece) || piece.len == 0 || piece.len >= sizeof(end->text))
		return false;
	memcpy(end->text, piece.at, piece.len);
	end->text[piece.len] = '\0';
	return strspn(end->text, set) == piece.len;
}

static bool take_port(struct span *rest, struct proxyproto_end *end)
{
	struct span piece;
	uint64_t port;

	if (!span_split(rest, ' ', &piece) || piece.len == 0 || piece.len > 5 || !span_to_u64(piece, &port) || port > 65535)
		return false;
	/* 2.1: without leading zeros */
	if (piece.at[0] == '0' && piece.len > 1)
		return false;
	end->port = (uint16_t)port;
	return true;
}

static enum proxyproto_result parse_line(struct span line, struct proxyproto *header)
{
	struct span protocol, rest = line;
	const char *set;

	(void)span_split(&rest, ' ', &protocol);
	/* 2.1: what follows UNKNOWN must be ignored. */
	if (span_equals(protocol, SPAN_LIT("UNKNOWN"))) {
		header->family = PROXYPROTO_UNKNOWN;
		return PROXYPROTO_DONE;
	}
	if (span_equals(protocol, SPAN_LIT("TCP4"))) {
		header->family = PROXYPROTO_TCP4;
		set = "0123456789.";
	} else if (span_equals(protocol, SPAN_LIT("TCP6"))) {
		header->family = PROXYPROTO_TCP6;
		set = "0123456789abcdefABCDEF:.";
	} else {
		return refuse(header, "protocol not supported");
	}
	if (!take_address(&rest, set, &header->source) || !take_address(&rest, set, &header->destination))
		return refuse(header, "invalid address");
	if (!take_port(&rest, &header->source) || !take_port(&rest, &header->destination))
		return refuse(header, "invalid port");
	return rest.at == NULL ? PROXYPROTO_DONE : refuse(header, "too many fields");
}

static enum proxyproto_result parse_v1(const char *bytes, size_t len, struct proxyproto *header)
{
	const size_t begin = sizeof(word) - 1;
	const ssize_t end = span_find(span_of(bytes, MIN(len, (size_t)LINE_MAX_BYTES)), '\n');

	header->version = 1;
	if (end < 0)
		return len < LINE_MAX_BYTES ? PROXYPROTO_MORE : refuse(header, "line too long");
	if ((size_t)end <= begin || bytes[end - 1] != '\r')
		return refuse(header, "line does not end in CR LF");
	header->header_bytes = (size_t)end + 1;
	return parse_line(span_of(bytes + begin, (size_t)end - 1 - begin), header);
}

/* ---- version 2 ----------------------------------------------------------------------------------------------------------- */

static uint16_t get_u16(const char *at)
{
	return (uint16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
}

static enum proxyproto_result take_ends(const char *at, size_t size, struct proxyproto *header)
{
	memcpy(header->source.address, at, size);
	memcpy(header->destination.address, at + size, size);
	header->source.port = get_u16(at + 2 * size);
	header->destination.port = get_u16(at + 2 * size + 2);
	return PROXYPROTO_DONE;
}

static enum proxyproto_result parse_v2(const char *bytes, size_t len, struct proxyproto *header)
{
	enum { COMMAND_LOCAL, COMMAND_PROXY };
	enum { UNSPEC, INET, INET6 };
	enum { STREAM = 1 };
	unsigned command, family, transport;
	size_t size;

	header->version = 2;
	/* What is wrong already is said at once. */
	if (len > SIGNATURE_BYTES && (uint8_t)bytes[SIGNATURE_BYTES] >> 4 != 2)
		return refuse(header, "unsupported version");
	if (len < FIXED_BYTES)
		return PROXYPROTO_MORE;
	command = (uint8_t)bytes[12] & 0xF;
	family = (uint8_t)bytes[13] >> 4;
	transport = (uint8_t)bytes[13] & 0xF;
	size = get_u16(bytes + 14);
	if (command > COMMAND_PROXY)
		return refuse(header, "unsupported command");
	if (FIXED_BYTES + size > PROXYPROTO_MAX)
		return refuse(header, "header too long");
	if (len < FIXED_BYTES + size)
		return PROXYPROTO_MORE;
	header->header_bytes = FIXED_BYTES + size;
	/* 2.2: LOCAL, and then the rest does not count. */
	header->family = command == COMMAND_LOCAL ? PROXYPROTO_LOCAL : PROXYPROTO_UNKNOWN;
	if (command == COMMAND_LOCAL || family == UNSPEC)
		return PROXYPROTO_DONE;
	if (transport != STREAM)
		return refuse(header, "only TCP is supported");
	if (family != INET && family != INET6)
		return refuse(header, "unsupported address family");
	if (size < (family == INET ? TCP4_BYTES : TCP6_BYTES))
		return refuse(header, "addresses too short");
	header->family = family == INET ? PROXYPROTO_TCP4 : PROXYPROTO_TCP6;
	return take_ends(bytes + FIXED_BYTES, family == INET ? 4 : 16, header);
}

/* ---- which ----------------------------------------------------------------------------------------------------------------- */

static bool begins_with(const char *bytes, size_t len, const char *mark, size_t mark_len)
{
	return memcmp(bytes, mark, MIN(len, mark_len)) == 0;
}

enum proxyproto_result proxyproto_parse(enum proxyproto_mode mode, const char *bytes, size_t len, struct proxyproto *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (len == 0)
		return PROXYPROTO_MORE;
	if (mode != PROXYPROTO_V2 && begins_with(bytes, len, word, sizeof(word) - 1))
		return len < sizeof(word) - 1 ? PROXYPROTO_MORE : parse_v1(bytes, len, ret);
	if (mode != PROXYPROTO_V1 && begins_with(bytes, len, signature, SIGNATURE_BYTES))
		return len < SIGNATURE_BYTES ? PROXYPROTO_MORE : parse_v2(bytes, len, ret);
	return PROXYPROTO_ABSENT;
}
