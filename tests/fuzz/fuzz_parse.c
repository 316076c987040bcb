/* SPDX-License-Identifier: MIT */
/*
 * fuzz_parse.c - whole connections in one piece, fast; fuzz_split.c has the pieces.
 *
 * Input: the bytes of a connection, as in tests/corpus/requests. Under the strictest and under the most permissive policy,
 * what was understood must mean the same when it is written out again.
 */
#include "base/base.h"
#include "fuzz.h"

#include "http/http.h"

static void check_field(struct span name, struct span value)
{
	CHECK(http_is_token(name) && http_is_field_value(value));
	CHECK(value.len == 0 || (value.at[0] != ' ' && value.at[value.len - 1] != ' '));
}

/* Written out in the plainest way, the request must be understood as before. */
static void check_again(const struct http_policy *policy, const struct http_request *request)
{
	static struct buf text = BUF_NONE; /* kept from run to run: this must be fast */
	struct http_request again;
	struct http_policy roomy = *policy; /* a long authority of the target has gone into a short Host */

	buf_clear(&text);
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
}

/* The body at the start of data. *ret_used: how far it was read. */
static enum http_result read_body(const struct http_policy *policy, const struct http_request *request, char *data, size_t len,
                                  size_t *ret_used)
{
	struct http_body body;
	enum http_result result;
	size_t used = 0;

	http_body_init(&body, request, policy);
	do {
		size_t now;
		struct span piece;
		result = http_body_read(&body, data + used, len - used, &now, &piece);
		CHECK(now <= len - used);
		CHECK(piece.len == 0 || (piece.at >= data + used && piece.at + piece.len <= data + len));
		CHECK(now > 0 || result != HTTP_MORE || used == len); /* or the caller turns for ever */
		used += now;
	} while (result == HTTP_MORE && used < len);
	*ret_used = used;
	return result;
}

static void check_policy(const struct http_policy *policy, const char *data, size_t len)
{
	char *copy = xmalloc(MAX(len, 1)); /* of exactly that size: a byte read too far is seen */
	struct http_request request;
	size_t at = 0;

	if (len > 0)
		memcpy(copy, data, len);
	http_request_init(&request);
	while (http_request_parse(&request, policy, copy + at, len - at) == HTTP_DONE) {
		size_t used;
		check_again(policy, &request);
		CHECK(request.head_bytes > 0 && request.head_bytes <= len - at);
		at += request.head_bytes;
		if (read_body(policy, &request, copy + at, len - at, &used) != HTTP_DONE)
			break;
		at += used;
		http_request_reset(&request);
	}
	http_request_release(&request);
	free(copy);
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
