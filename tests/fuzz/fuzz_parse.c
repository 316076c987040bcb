/* SPDX-License-Identifier: MIT */
/*
 * fuzz_parse.c - whole connections: heads, bodies, pipelining.
 *
 * Input: the bytes of a connection, as in tests/corpus/requests. However they are split, under the strictest and under the
 * most permissive policy, the record must be the same; and what was understood must mean the same when it is written out
 * again.
 */
#include "base/base.h"
#include "fuzz.h"

#include "../unit/http_play.h"
#include "http/http.h"

static void play_steps(const struct http_policy *policy, const char *data, size_t len, unsigned seed, struct buf *record)
{
	struct play play;

	play_init(&play, policy);
	for (size_t at = 0; at < len;) {
		/* seed 0: in one piece; 1: byte by byte; else pieces of changing size. */
		size_t step = seed == 0 ? len : seed == 1 ? 1 : 1 + (seed >> 16) % 37;
		if (seed > 1)
			seed = (seed * 1103515245u + 12345u) | 2;
		step = MIN(step, len - at);
		play_feed(&play, data + at, step);
		at += step;
	}
	play_finish(&play);
	buf_add_span(record, buf_span(&play.text));
	play_release(&play);
}

static void compare(const struct http_policy *policy, const char *data, size_t len, unsigned seed, const struct buf *whole)
{
	struct buf record = BUF_NONE;

	play_steps(policy, data, len, seed, &record);
	if (!span_equals(buf_span(&record), buf_span(whole)))
		BUG("in one piece:\n%.*s\nin pieces:\n%.*s", SPAN_ARG(buf_span(whole)), SPAN_ARG(buf_span(&record)));
	buf_release(&record);
}

static void check_field(struct span name, struct span value)
{
	CHECK(http_is_token(name) && http_is_field_value(value));
	CHECK(value.len == 0 || (value.at[0] != ' ' && value.at[value.len - 1] != ' '));
}

/* Written out in the plainest way, the request must be understood as before. */
static void check_again(const struct http_policy *policy, const struct http_request *request)
{
	struct buf text = BUF_NONE;
	struct http_request again;
	struct http_policy roomy = *policy; /* a long authority of the target has gone into a short Host */

	roomy.limit_request_field_size = HTTP_UNLIMITED_LINE_MAX;
	buf_addf(&text, "%.*s %.*s HTTP/%d.%d\r\n", SPAN_ARG(request->method), SPAN_ARG(request->target),
	         request->version_major, request->version_minor);
	for (size_t i = 0; i < request->field_count; i++) {
		check_field(request->fields[i].name, request->fields[i].value);
		buf_add_span(&text, request->fields[i].name);
		buf_add_str(&text, ":");
		buf_add_span(&text, request->fields[i].value);
		buf_add_str(&text, "\r\n");
	}
	buf_add_str(&text, "\r\n");
	http_request_init(&again);
	CHECK(http_request_parse(&again, &roomy, text.data, text.len) == HTTP_DONE);
	CHECK(again.head_bytes == text.len && again.field_count == request->field_count);
	CHECK(again.body_kind == request->body_kind && again.content_length == request->content_length);
	CHECK(again.keep_alive == request->keep_alive && span_equals(again.host, request->host));
	CHECK(span_equals(again.path, request->path) && span_equals(again.query, request->query));
	for (size_t i = 0; i < again.field_count; i++)
		CHECK(span_equals(again.fields[i].value, request->fields[i].value) &&
		      again.fields[i].id == request->fields[i].id);
	http_request_release(&again);
	buf_release(&text);
}

static void check_policy(const struct http_policy *policy, const char *data, size_t len)
{
	struct buf whole = BUF_NONE;
	struct http_request request;
	char *copy = xmalloc(MAX(len, 1));

	if (len > 0)
		memcpy(copy, data, len);
	http_request_init(&request);
	if (http_request_parse(&request, policy, copy, len) == HTTP_DONE)
		check_again(policy, &request);
	http_request_release(&request);
	free(copy);

	play_steps(policy, data, len, 0, &whole);
	compare(policy, data, len, (unsigned)len * 2654435761u | 2, &whole);
	if (len < 700)
		compare(policy, data, len, 1, &whole);
	buf_release(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_policy policy;

	fuzz_setup();
	http_policy_init(&policy, 200, 8, 120);
	check_policy(&policy, (const char *)data, size);
	http_policy_init(&policy, 0, 0, 0);
	policy.permit_obsolete_folding = true;
	policy.strip_header_spaces = true;
	policy.permit_unconventional_method = true;
	policy.permit_unconventional_version = true;
	policy.casefold_method = true;
	policy.permit_missing_host = true;
	check_policy(&policy, (const char *)data, size);
	return 0;
}
