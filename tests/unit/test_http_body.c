/* SPDX-License-Identifier: MIT */
/*
 * test_http_body.c - bodies: what is given out when. Outcomes for bytes are in tests/corpus.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "http/http.h"

static void start(struct http_body *body, struct http_policy *policy, enum http_body_kind kind, uint64_t length)
{
	struct http_request request;

	http_policy_init(policy, 4094, 100, 8190);
	http_request_init(&request);
	request.body_kind = kind;
	request.content_length = length;
	http_body_init(body, &request, policy);
}

static enum http_result read_text(struct http_body *body, const char *text, size_t *ret_used, struct span *ret_piece)
{
	return http_body_read(body, text, strlen(text), ret_used, ret_piece);
}

Test(http_body, none_is_done_at_once)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;

	start(&body, &policy, HTTP_BODY_NONE, 0);
	cr_assert(body.is_done);
	cr_assert_eq(read_text(&body, "GET", &used, &piece), HTTP_DONE);
	cr_assert_eq(used, 0);
	cr_assert_eq(piece.len, 0);
}

Test(http_body, length_ends_with_its_last_piece)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;

	start(&body, &policy, HTTP_BODY_LENGTH, 5);
	cr_assert_eq(read_text(&body, "", &used, &piece), HTTP_MORE);
	cr_assert_eq(used, 0);
	cr_assert_eq(read_text(&body, "abc", &used, &piece), HTTP_MORE);
	cr_assert_eq(used, 3);
	cr_assert(span_equals(piece, SPAN_LIT("abc")));
	cr_assert_eq(read_text(&body, "deGET", &used, &piece), HTTP_DONE);
	cr_assert_eq(used, 2);
	cr_assert(span_equals(piece, SPAN_LIT("de")));
	cr_assert(body.is_done);
	cr_assert_eq(read_text(&body, "GET", &used, &piece), HTTP_DONE, "and stays so");
	cr_assert_eq(used, 0);
}

Test(http_body, chunks_give_one_piece_a_call)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;
	const char *text = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET";

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, text, &used, &piece), HTTP_MORE);
	cr_assert(span_equals(piece, SPAN_LIT("abc")));
	cr_assert_eq(used, 6);
	text += used;
	cr_assert_eq(read_text(&body, text, &used, &piece), HTTP_MORE);
	cr_assert(span_equals(piece, SPAN_LIT("de")));
	cr_assert_eq(used, 7);
	text += used;
	cr_assert_eq(read_text(&body, text, &used, &piece), HTTP_DONE);
	cr_assert_eq(piece.len, 0);
	cr_assert_str_eq(text + used, "GET", "the next request is left alone");
	cr_assert(body.is_done);
}

Test(http_body, pieces_of_a_big_chunk_are_not_copied)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;
	const char *data = "xxxxxxxx";

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, "7fffffffffffffff\r\n", &used, &piece), HTTP_MORE);
	cr_assert_eq(read_text(&body, data, &used, &piece), HTTP_MORE);
	cr_assert_eq(piece.at, data);
	cr_assert_eq(piece.len, 8);
	cr_assert_eq(body.remaining, (uint64_t)INT64_MAX - 8);
}

Test(http_body, refused_stays_refused)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, "zz", &used, &piece), HTTP_BAD_CHUNK);
	cr_assert_eq(read_text(&body, "3\r\nabc\r\n0\r\n\r\n", &used, &piece), HTTP_BAD_CHUNK);
	cr_assert_eq(read_text(&body, "", &used, &piece), HTTP_BAD_CHUNK);
	cr_assert_eq(piece.len, 0);

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, "0\r\nHost: x\r\n\r\n", &used, &piece), HTTP_BAD_TRAILER);
	cr_assert_eq(read_text(&body, "0\r\n\r\n", &used, &piece), HTTP_BAD_TRAILER);
	cr_assert_not(body.is_done);
}

Test(http_body, extensions_and_trailers_are_bounded)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;
	size_t count = 0;

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, "1;", &used, &piece), HTTP_MORE);
	while (read_text(&body, "x", &used, &piece) == HTTP_MORE && count < 10000000)
		count++;
	cr_assert_lt(count, HTTP_CHUNK_LINE_MAX);

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	cr_assert_eq(read_text(&body, "0\r\n", &used, &piece), HTTP_MORE);
	for (count = 0; read_text(&body, "X: y\r\n", &used, &piece) == HTTP_MORE && count < 10000000;)
		count++;
	cr_assert_eq(count, 100);
}

Test(http_body, a_trailer_section_is_bounded_where_its_fields_are_not)
{
	struct http_policy policy;
	struct http_body body;
	size_t used, count = 0;
	struct span piece;
	char line[1024];

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	http_policy_init(&policy, 0, 0, 0);
	memset(line, 'y', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	cr_assert_eq(read_text(&body, "0\r\n", &used, &piece), HTTP_MORE);
	while (read_text(&body, line, &used, &piece) == HTTP_MORE && count < 100000)
		count++;
	cr_assert_eq(count, HTTP_HEAD_MAX / strlen(line));
}

Test(http_body, the_line_that_ends_is_never_too_long)
{
	struct http_policy policy;
	struct http_body body;
	size_t used;
	struct span piece;

	start(&body, &policy, HTTP_BODY_CHUNKED, 0);
	http_policy_init(&policy, 4094, 100, 1);
	cr_assert_eq(read_text(&body, "0\r\n\r\n", &used, &piece), HTTP_DONE);
}
