/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chunk.c - chunked bodies.
 *
 * Input: bytes from the first chunk size on. One piece, byte by byte and odd pieces must give the same payload, the same
 * outcome and the same end; and what is complete must be complete when it is written out anew.
 */
#include "base/base.h"

#include "fuzz.h"
#include "http/http.h"

struct reading {
	enum http_result result;
	size_t used;
	struct buf payload;
};

/* Gives at most `step` bytes a call, each time in memory of exactly that size. */
static struct reading read_all(const struct http_policy *policy, const char *data, size_t len, size_t step)
{
	struct http_request request;
	struct http_body body;
	struct reading reading = { .result = HTTP_MORE, .payload = BUF_NONE };

	http_request_init(&request);
	request.body_kind = HTTP_BODY_CHUNKED;
	http_body_init(&body, &request, policy);
	while (reading.result == HTTP_MORE && reading.used < len) {
		size_t size = MIN(step, len - reading.used);
		char *copy = xmalloc(size);
		size_t used;
		struct span piece;
		memcpy(copy, data + reading.used, size);
		reading.result = http_body_read(&body, copy, size, &used, &piece);
		CHECK(used <= size);
		CHECK(piece.len == 0 || (piece.at >= copy && piece.at + piece.len <= copy + size));
		CHECK(used > 0 || reading.result != HTTP_MORE); /* or the caller turns for ever */
		if (piece.len > 0)
			buf_add_span(&reading.payload, piece);
		reading.used += used;
		free(copy);
	}
	CHECK((reading.result == HTTP_DONE) == body.is_done);
	return reading;
}

static void compare(const struct http_policy *policy, const char *data, size_t len, size_t step, const struct reading *whole)
{
	struct reading reading = read_all(policy, data, len, step);

	CHECK(reading.result == whole->result);
	CHECK(span_equals(buf_span(&reading.payload), buf_span(&whole->payload)));
	if (whole->result == HTTP_DONE)
		CHECK(reading.used == whole->used);
	buf_release(&reading.payload);
}

static void check_again(const struct http_policy *policy, const struct reading *whole)
{
	struct buf text = BUF_NONE;
	char head[24];

	if (whole->payload.len > 0) {
		buf_add(&text, head, http_chunk_head(head, whole->payload.len));
		buf_add_span(&text, buf_span(&whole->payload));
		buf_add_str(&text, HTTP_CHUNK_TAIL);
	}
	buf_add_str(&text, HTTP_CHUNK_END);
	struct reading again = read_all(policy, text.data, text.len, text.len);
	CHECK(again.result == HTTP_DONE && again.used == text.len);
	CHECK(span_equals(buf_span(&again.payload), buf_span(&whole->payload)));
	buf_release(&again.payload);
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_policy policy;

	fuzz_setup();
	http_policy_init(&policy, 4094, 3, 40);
	struct reading whole = read_all(&policy, (const char *)data, size, size);
	compare(&policy, (const char *)data, size, 1, &whole);
	compare(&policy, (const char *)data, size, 2, &whole);
	compare(&policy, (const char *)data, size, 7, &whole);
	if (whole.result == HTTP_DONE)
		check_again(&policy, &whole);
	buf_release(&whole.payload);
	return 0;
}
