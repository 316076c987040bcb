/* SPDX-License-Identifier: MIT */
/*
 * proxyproto.h - the PROXY protocol, versions 1 and 2: what a proxy says about the client before the client's first byte.
 *
 * https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt; sections are named in proxyproto.c.
 */
#ifndef HTTP_PROXYPROTO_H
#define HTTP_PROXYPROTO_H

#include "base/base.h"

/* In the order of the words of the setting proxy_protocol. */
enum proxyproto_mode { PROXYPROTO_OFF, PROXYPROTO_AUTO, PROXYPROTO_V1, PROXYPROTO_V2 };

enum proxyproto_result {
	PROXYPROTO_MORE,   /* begins well */
	PROXYPROTO_DONE,
	PROXYPROTO_ABSENT, /* something else begins here */
	PROXYPROTO_BAD,    /* `fault` says why */
};

enum proxyproto_family {
	PROXYPROTO_LOCAL,   /* the proxy speaks for itself: a health check */
	PROXYPROTO_UNKNOWN, /* it does not know (UNKNOWN, UNSPEC) */
	PROXYPROTO_TCP4,
	PROXYPROTO_TCP6,
};

enum {
	PROXYPROTO_MAX = 4096,         /* the longest header that is accepted; version 1 has at most 107 bytes */
	PROXYPROTO_ADDRESS_BYTES = 46, /* a text of version 1, with its end */
};

struct proxyproto_end {
	uint8_t address[16];                 /* version 2: 4 or 16 bytes in network order */
	char text[PROXYPROTO_ADDRESS_BYTES]; /* version 1: of the characters of an address, to be checked by the caller */
	uint16_t port;
};

/* Addresses are given for TCP4 and TCP6 only. */
struct proxyproto {
	enum proxyproto_family family;
	int version;
	size_t header_bytes;       /* HTTP, or TLS, begins behind them */
	struct proxyproto_end source, destination;
	const char *fault;         /* BAD: a reason without a byte of the client's */
};

/*
 * Looks at all bytes that have come so far, from the first on; PROXYPROTO_MAX are always enough. Keeps no pointer. `version` is
 * filled in for BAD too.
 */
enum proxyproto_result proxyproto_parse(enum proxyproto_mode mode, const char *bytes, size_t len, struct proxyproto *ret);

#endif
