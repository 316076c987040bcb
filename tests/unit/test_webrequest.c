/* SPDX-License-Identifier: MIT */
/*
 * test_webrequest.c - the requests that status_bind understands, and those that it refuses.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/webrequest.h"

static struct webrequest request;

static enum webrequest_result parse(const char *text)
{
	return webrequest_parse(span_from_str(text), &request);
}

Test(webrequest, get_and_head)
{
	cr_assert_eq(parse("GET /status HTTP/1.1\r\nHost: a\r\nX-Y: \t z\r\n\r\n"), WEBREQUEST_GOOD);
	cr_assert_not(request.is_head);
	cr_assert(span_equals(request.path, SPAN_LIT("/status")));
	cr_assert_eq(request.query.len, 0);
	cr_assert_eq(parse("HEAD /metrics?format=json&x HTTP/1.0\r\n\r\nrest"), WEBREQUEST_GOOD);
	cr_assert(request.is_head);
	cr_assert(span_equals(request.path, SPAN_LIT("/metrics")));
	cr_assert(span_equals(request.query, SPAN_LIT("format=json&x")));
}

Test(webrequest, every_beginning_of_a_good_head_is_partial)
{
	static const char whole[] = "GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";

	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		cr_assert_eq(webrequest_parse(span_of(whole, len), &request), WEBREQUEST_PARTIAL, "%zu", len);
	cr_assert_eq(webrequest_parse(span_of(whole, sizeof(whole) - 1), &request), WEBREQUEST_GOOD);
}

Test(webrequest, other_methods_are_told_so)
{
	cr_assert_eq(parse("POST /status HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx"), WEBREQUEST_METHOD);
	cr_assert_eq(parse("get /status HTTP/1.1\r\n\r\n"), WEBREQUEST_METHOD);
	cr_assert_eq(parse("POST /status HTTP/1.1\r\nHost"), WEBREQUEST_PARTIAL);
}

Test(webrequest, what_is_odd_is_refused)
{
	static const char *const odd[] = {
		"GET /status HTTP/1.1\n\n",
		"GET  /status HTTP/1.1\r\n\r\n",
		"GET /status\r\n\r\n",
		"GET /status HTTP/2.0\r\n\r\n",
		"GET /status HTTP/1.1 \r\n\r\n",
		"GET status HTTP/1.1\r\n\r\n",
		"GET http://a/status HTTP/1.1\r\n\r\n",
		"GET /st\x01tus HTTP/1.1\r\n\r\n",
		"GET /st\xc3\xa4tus HTTP/1.1\r\n\r\n",
		"G(T /status HTTP/1.1\r\n\r\n",
		" GET /status HTTP/1.1\r\n\r\n",
		"\r\n\r\n",
		"GET /status HTTP/1.1\r\nHost\r\n\r\n",
		"GET /status HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET /status HTTP/1.1\r\n: a\r\n\r\n",
		"GET /status HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"GET /status HTTP/1.1\r\nA: b\rc\r\n\r\n",
		"GET /status HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
		"\x16\x03\x01\x02",
	};

	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		cr_assert_eq(parse(odd[i]), WEBREQUEST_BAD, "%s", odd[i]);
	cr_assert_eq(webrequest_parse(span_of("GET /\0 HTTP/1.1\r\n\r\n", 19), &request), WEBREQUEST_BAD);
}

Test(webrequest, values_of_a_query)
{
	struct span value;

	cr_assert(webrequest_find(SPAN_LIT("a=1&format=puma&b"), SPAN_LIT("format"), &value));
	cr_assert(span_equals(value, SPAN_LIT("puma")));
	cr_assert(webrequest_find(SPAN_LIT("format=a=b"), SPAN_LIT("format"), &value));
	cr_assert(span_equals(value, SPAN_LIT("a=b")));
	cr_assert(webrequest_find(SPAN_LIT("format"), SPAN_LIT("format"), &value));
	cr_assert_eq(value.len, 0);
	cr_assert_not(webrequest_find(SPAN_LIT("formats=a&xformat=b"), SPAN_LIT("format"), &value));
	cr_assert_not(webrequest_find(SPAN_NONE, SPAN_LIT("format"), &value));
}
