/* SPDX-License-Identifier: MIT */
/*
 * trust.h - which peers are proxies of ours, and what they may say about a request.
 *
 * gunicorn's forwarded_allow_ips, forwarder_headers, secure_scheme_headers and header_map.
 */
#ifndef WORKER_TRUST_H
#define WORKER_TRUST_H

#include "base/base.h"
#include "base/span.h"
#include "http/http.h"
#include "shared/settings.h"

#include <sys/socket.h>

struct trust_net {
	int family;
	unsigned prefix_bits;
	uint8_t address[16];
};

struct trust_scheme {
	char *name;  /* "X-FORWARDED-PROTO"; owned */
	char *value; /* "https"; owned */
};

struct trust {
	bool trusts_all;
	struct trust_net *nets;
	size_t net_count;
	struct trust_scheme *schemes;
	size_t scheme_count;
	const struct strlist *forwarder_headers; /* the settings' */
};

/* What the head of a request comes down to, after trust_apply(). */
struct trust_verdict {
	bool is_https;
	struct span script_name; /* at == NULL: not given */
	bool contradicts;        /* scheme headers disagree: 400 */
};

/* Keeps a pointer into settings. GIL held: the dict is read with Python's json. 0, or -1 with an exception. */
int trust_init(struct trust *trust, const struct settings *settings);
/* Addresses and networks alone, for trust_has_peer(). */
void trust_init_peers(struct trust *trust, const struct strlist *addresses);
void trust_release(struct trust *trust);
/* Unix sockets are trusted always. */
bool trust_has_peer(const struct trust *trust, const struct sockaddr *address);
/*
 * Takes the fields out of the request that the application must not see, and reads those that only a proxy may set.
 * `is_https`: what holds when no proxy says anything. HTTP_DONE, or what the request is refused with.
 */
enum http_result trust_apply(const struct trust *trust, const struct http_policy *policy, bool is_trusted,
                             struct http_request *request, bool is_https, struct trust_verdict *ret_verdict);

#endif
