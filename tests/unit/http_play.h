/* SPDX-License-Identifier: MIT */
/*
 * http_play.h - plays bytes through the HTTP engine as a connection would, and writes down what came out.
 *
 * For unit tests and fuzzers. Each piece goes into memory of exactly its size, at a new place, so that a sanitizer sees
 * every byte read too far and every pointer kept too long.
 */
#ifndef TESTS_HTTP_PLAY_H
#define TESTS_HTTP_PLAY_H

#include "base/base.h"
#include "base/buf.h"
#include "http/http.h"
#include "http/proxyproto.h"

struct play {
	const struct http_policy *policy;
	char *bytes; /* not yet consumed */
	size_t len;
	char *head; /* of the request whose body is being read */
	bool is_in_body;
	bool is_refused;
	size_t done_count;
	struct http_request request;
	struct http_body body;
	enum proxyproto_mode proxy_mode; /* OFF by play_init(); set it before the first byte */
	bool is_behind_proxy;            /* its header has been taken */
	struct buf payload;
	struct buf text; /* the record: one paragraph for each outcome */
};

void play_init(struct play *play, const struct http_policy *policy);
void play_feed(struct play *play, const char *data, size_t len);
/* Notes what is left. The record is play->text. */
void play_finish(struct play *play);
void play_release(struct play *play);

/* One request that is done, as the record has it. */
struct play_facts {
	struct span method, target, path, query, host, body;
	int version_major, version_minor;
	bool keep_alive, expect_continue, wants_upgrade;
};
void play_write_done(const struct play_facts *facts, struct buf *text);
void play_write_field(struct span name, struct span value, struct buf *text);
/* A PROXY header; addresses are NULL where it tells none. */
struct play_proxy_facts {
	const char *family, *source, *destination;
	unsigned source_port, destination_port;
};
void play_write_proxy(const struct play_proxy_facts *facts, struct buf *text);
void play_write_refused(const char *outcome, int status, struct buf *text);
void play_write_more(size_t leftover, struct buf *text);

#endif
