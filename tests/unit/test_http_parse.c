/* SPDX-License-Identifier: MIT */
/*
 * test_http_parse.c - heads of requests: what the corpus cannot say. Outcomes for bytes are in tests/corpus.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "http/http.h"

static struct http_policy default_policy(void)
{
	struct http_policy policy;

	http_policy_init(&policy, 4094, 100, 8190);
	return policy;
}

static enum http_result parse(struct http_request *request, const struct http_policy *policy, const char *text,
                              char **ret_data)
{
	*ret_data = xstrdup(text);
	return http_request_parse(request, policy, *ret_data, strlen(text));
}

static void expect_texts(const char *bytes, size_t len, int status, const char *cause, const char *page)
{
	struct http_policy policy = default_policy();
	struct http_request request;
	struct buf text = BUF_NONE;
	char *data = xmalloc(len);

	memcpy(data, bytes, len);
	http_request_init(&request);
	enum http_result result = http_request_parse(&request, &policy, data, len);
	cr_expect_eq(http_error_status(result), status, "%s", cause);
	http_error_cause(result, &request, &text);
	cr_expect_str_eq(buf_text(&text), cause);
	buf_clear(&text);
	http_error_text(result, &request, &text);
	cr_expect_str_eq(buf_text(&text), page);
	buf_release(&text);
	http_request_release(&request);
	free(data);
}

#define EXPECT_TEXTS(bytes, status, cause, page) expect_texts(bytes, sizeof(bytes) - 1, status, cause, page)

Test(http_parse, says_why_in_gunicorns_words)
{
	EXPECT_TEXTS("GET /\r\n", 400, "Invalid HTTP request line: 'GET /'",
	             "Invalid Request Line 'Invalid HTTP request line: 'GET /''");
	EXPECT_TEXTS("get / HTTP/1.1\r\n", 400, "Invalid HTTP method: 'get'", "Invalid Method 'Invalid HTTP method: 'get''");
	EXPECT_TEXTS("GET / HTTP/3\r\n", 400, "Invalid HTTP Version: 'HTTP/3'",
	             "Invalid HTTP Version 'Invalid HTTP Version: 'HTTP/3''");
	EXPECT_TEXTS("GET / HTTP/3.0\r\n", 400, "Invalid HTTP Version: (3, 0)",
	             "Invalid HTTP Version 'Invalid HTTP Version: (3, 0)'");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nX-a: \1\r\n", 400, "Invalid HTTP Header: 'X-A'", "Invalid HTTP Header: 'X-A'");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nA b: c\r\n", 400, "Invalid HTTP header name: 'A b'",
	             "Invalid HTTP header name: 'A b'");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nA: \1\r\n", 400, "Invalid HTTP Header: 'A'", "Invalid HTTP Header: 'A'");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nA: b\r\n c\r\n", 400, "Obsolete line folding is unacceptable: 'A'",
	             "Obsolete line folding is unacceptable: 'A'");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nHost: a\r\nExpect: x'y\r\n\r\n", 417, "Unable to comply with expectation: \"x'y\"",
	             "Unable to comply with expectation: \"x'y\"");
	EXPECT_TEXTS("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n", 501,
	             "Unsupported transfer coding: 'zip'", "Unsupported transfer coding: 'zip'");
}

Test(http_parse, quotes_foreign_bytes_like_python)
{
	EXPECT_TEXTS("G\xff\x1b\\\t / HTTP/1.1\r\n", 400, "Invalid HTTP method: 'G\\xff\\x1b\\\\\\t'",
	             "Invalid Method 'Invalid HTTP method: 'G\\xff\\x1b\\\\\\t''");
	EXPECT_TEXTS("G'\" / HTTP/1.1\r\n", 400, "Invalid HTTP method: 'G\\'\"'",
	             "Invalid Method 'Invalid HTTP method: 'G\\'\"''");
}

Test(http_parse, tells_which_limit_was_broken)
{
	char line[5000];

	memset(line, 'A', sizeof(line));
	expect_texts(line, sizeof(line), 414, "Request Line is too large (4095 > 4094)",
	             "Request Line is too large (4095 > 4094)");

	char head[9000] = "GET / HTTP/1.1\r\nA:";
	memset(head + 18, 'b', sizeof(head) - 18);
	expect_texts(head, sizeof(head), 431, "limit request headers fields size",
	             "Error parsing headers: 'limit request headers fields size'");
}

Test(http_parse, error_page_is_gunicorns_and_escaped)
{
	struct buf page = BUF_NONE;

	http_error_page(400, "Bad Request", SPAN_LIT("<a href=\"x\">&'</a>"), &page);
	struct span text = buf_span(&page);
	cr_assert(span_starts_with(text,
	                           SPAN_LIT("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n"
	                                    "Content-Length: ")));
	const char *body = strstr(buf_text(&page), "\r\n\r\n") + 4;
	const char *length = strstr(page.data, "Content-Length: ") + 16;
	cr_assert_eq(strtoul(length, NULL, 10), page.len - (size_t)(body - page.data));
	cr_assert_not_null(strstr(body, "<title>Bad Request</title>"));
	cr_assert_not_null(strstr(body, "<h1><p>Bad Request</p></h1>"));
	cr_assert_not_null(strstr(body, "&lt;a href=&quot;x&quot;&gt;&amp;&#x27;&lt;/a&gt;"));
	buf_release(&page);
}

Test(http_parse, every_result_has_name_status_and_reason)
{
	for (int i = 0; i < HTTP_RESULT_MAX; i++) {
		enum http_result result = (enum http_result)i;
		cr_expect_not_null(http_result_name(result), "result %d", i);
		cr_expect_not_null(http_error_reason(result), "result %d", i);
		cr_expect(http_error_status(result) == 200 || http_error_status(result) >= 400, "result %d", i);
	}
}

Test(http_parse, knows_fields_in_any_case)
{
	struct http_policy policy = default_policy();
	struct http_request request;
	char *data;

	http_request_init(&request);
	cr_assert_eq(
		parse(&request, &policy, "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nCookie: c\r\n\r\n", &data),
		HTTP_DONE);
	cr_assert_eq(request.field_count, 4);
	cr_assert_eq(request.fields[0].id, HTTP_FIELD_HOST);
	cr_assert_eq(request.fields[1].id, HTTP_FIELD_OTHER);
	cr_assert_eq(request.fields[3].id, HTTP_FIELD_COOKIE);
	http_request_release(&request);
	free(data);
}

Test(http_parse, keeps_no_array_that_only_one_request_needed)
{
	struct http_policy policy = default_policy();
	struct http_request request;
	struct buf text = BUF_NONE;
	char *data;

	http_request_init(&request);
	buf_add_str(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 70; i++)
		buf_add_str(&text, "A: b\r\n");
	buf_add_str(&text, "\r\n");
	cr_assert_eq(parse(&request, &policy, buf_text(&text), &data), HTTP_DONE);
	cr_assert_eq(request.field_count, 71);
	http_request_reset(&request);
	cr_assert_null(request.fields);
	free(data);
	cr_assert_eq(parse(&request, &policy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &data), HTTP_DONE);
	cr_assert_eq(request.field_count, 1);
	http_request_release(&request);
	buf_release(&text);
	free(data);
}

Test(http_parse, is_used_again_for_the_next_request)
{
	struct http_policy policy = default_policy();
	struct http_request request;
	char *data;

	http_request_init(&request);
	cr_assert_eq(parse(&request, &policy,
	                   "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", &data),
	             HTTP_DONE);
	free(data);
	http_request_reset(&request);
	cr_assert_not_null(request.fields, "the array stays");
	cr_assert_eq(parse(&request, &policy, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", &data), HTTP_DONE);
	cr_assert(request.keep_alive);
	cr_assert_not(request.expect_continue);
	cr_assert_eq(request.field_count, 1);
	cr_assert_eq(request.body_kind, HTTP_BODY_NONE);
	http_request_release(&request);
	http_request_release(&request); /* again is fine */
	free(data);
}

Test(http_parse, spans_follow_when_the_bytes_move)
{
	struct http_policy policy = default_policy();
	struct http_request request;
	char *data;

	http_request_init(&request);
	cr_assert_eq(parse(&request, &policy, "GET http://b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", &data), HTTP_DONE);
	char *moved = xmalloc(request.head_bytes);
	memcpy(moved, data, request.head_bytes);
	http_request_rebase(&request, data, data);
	cr_assert_eq(request.method.at, data, "they have not moved");
	http_request_rebase(&request, data, moved);
	memset(data, 'Z', request.head_bytes);
	cr_assert(span_equals(request.method, SPAN_LIT("GET")));
	cr_assert(span_equals(request.path, SPAN_LIT("/")), "this one is not in the bytes at all");
	cr_assert(span_equals(request.host, SPAN_LIT("b")));
	cr_assert(span_equals(request.fields[1].value, SPAN_LIT("y")));
	http_request_release(&request);
	free(moved);
	free(data);
}
