/* SPDX-License-Identifier: MIT */
/*
 * test_http_time.c - time is linear in what comes, whatever it is made of and in however small pieces.
 *
 * Eight times as much may take three times eight times as long (quadratic work: 64 times). Processor time, the best of some tries:
 * other work on the machine changes little.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "http/http.h"
#include "http/proxyproto.h"

enum {
	TRIES = 5,
	MORE = 8,        /* times as much */
	BOUND = 3 * MORE,
	SMALL = 50000,   /* bytes, about */
};

struct shape {
	const char *name;
	const char *begin, *unit, *end; /* the unit comes again and again */
};

static const struct shape heads[] = {
	{ "fields", "GET / HTTP/1.1\r\nHost: a\r\n", "A: b\r\n", "\r\n" },
	{ "fields without a value", "GET / HTTP/1.1\r\nHost: a\r\n", "A:\r\n", "\r\n" },
	{ "known fields", "GET / HTTP/1.1\r\nHost: a\r\n", "Cookie: a=b\r\nAccept: */*\r\nX-Forwarded-For: ::1\r\n", "\r\n" },
	{ "a long name", "GET / HTTP/1.1\r\nHost: a\r\nA", "a", ": b\r\n\r\n" },
	{ "a long value", "GET / HTTP/1.1\r\nHost: a\r\nA: ", "b", "\r\n\r\n" },
	{ "a value of blanks", "GET / HTTP/1.1\r\nHost: a\r\nA: b", " \t", "b\r\n\r\n" },
	{ "a value that is folded", "GET / HTTP/1.1\r\nHost: a\r\nA: b", "\r\n b", "\r\n\r\n" },
	{ "a list of addresses", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ::1", ", 10.0.0.1", "\r\n\r\n" },
	{ "a list of options", "GET / HTTP/1.1\r\nHost: a\r\nConnection: a", ", keep-alive, a", "\r\n\r\n" },
	{ "lists of options", "GET / HTTP/1.1\r\nHost: a\r\n", "Connection: keep-alive, a\r\n", "\r\n" },
	{ "a long path", "GET /", "a/../", " HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ "a long query", "GET /?a=b", "&a=b%20", " HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ "a long authority", "GET http://a", "a", "/ HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ "a long method", "G", "G", " / HTTP/1.1\r\nHost: a\r\n\r\n" },
};

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct shape bodies[] = {
	{ "chunks of a byte", "", "1\r\na\r\n", "0\r\n\r\n" },
	{ "chunks with extensions", "", "1;a=b;c=\"d\\\"\";e\r\na\r\n", "0\r\n\r\n" },
	{ "chunks with zeros before", "", "0000000000001\r\na\r\n", "0\r\n\r\n" },
	{ "trailers", "0\r\n", "A: b\r\n", "\r\n" },
	{ "a trailer", "0\r\nA: ", "b", "\r\n\r\n" },
};

static double processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void build(const struct shape *shape, size_t size, struct buf *bytes)
{
	buf_clear(bytes);
	buf_add_str(bytes, shape->begin);
	while (bytes->len < size)
		buf_add_str(bytes, shape->unit);
	buf_add_str(bytes, shape->end);
}

static void init_policy(struct http_policy *policy)
{
	http_policy_init(policy, 0, 0, 0);
	policy->limit_request_fields = SIZE_MAX / 2;
	policy->permit_obsolete_folding = true;
}

/* Both give the last result. A head changes when it is unfolded, hence the copy. */

static enum http_result read_head(const struct buf *bytes, struct buf *copy, size_t step)
{
	struct http_policy policy;
	struct http_request request;
	enum http_result result = HTTP_MORE;

	init_policy(&policy);
	buf_clear(copy);
	buf_add_span(copy, buf_span(bytes));
	http_request_init(&request);
	for (size_t have = 0; have < copy->len && result == HTTP_MORE;) {
		have = MIN(have + step, copy->len);
		result = http_request_parse(&request, &policy, copy->data, have);
	}
	http_request_release(&request);
	return result;
}

static enum http_result read_body(const struct buf *bytes, struct buf *copy ATTR_UNUSED, size_t step)
{
	char head[] = CHUNKED;
	struct http_policy policy;
	struct http_request request;
	struct http_body body;
	enum http_result result;

	init_policy(&policy);
	http_request_init(&request);
	cr_assert_eq(http_request_parse(&request, &policy, head, sizeof(head) - 1), HTTP_DONE);
	http_body_init(&body, &request, &policy);
	result = HTTP_MORE;
	for (size_t at = 0, have = 0; have < bytes->len && result == HTTP_MORE;) {
		have = MIN(have + step, bytes->len);
		while (at < have && result == HTTP_MORE) {
			struct span payload;
			size_t used;

			result = http_body_read(&body, bytes->data + at, have - at, &used, &payload);
			at += used;
		}
	}
	http_request_release(&request);
	return result;
}

typedef enum http_result reading(const struct buf *bytes, struct buf *copy, size_t step);

/* Of the fastest try; *ret_result: what came out. */
static double measure(reading *read, const struct buf *bytes, size_t step, enum http_result *ret_result)
{
	struct buf copy = BUF_NONE;
	double best = 1e9;

	for (int i = 0; i < TRIES; i++) {
		const double began = processor_seconds();

		*ret_result = read(bytes, &copy, step);
		best = MIN(best, processor_seconds() - began);
	}
	buf_release(&copy);
	return best;
}

static void expect_linear(reading *read, const struct shape *shape, size_t step)
{
	struct buf bytes = BUF_NONE;
	enum http_result small_result, large_result;
	double small, large;

	build(shape, SMALL, &bytes);
	small = measure(read, &bytes, step, &small_result);
	build(shape, SMALL * MORE, &bytes);
	large = measure(read, &bytes, step, &large_result);
	cr_expect_eq(small_result, large_result, "%s: another limit ends the longer one", shape->name);
	/* A tenth of a millisecond is what measuring itself may take. */
	cr_expect_lt(large, small * BOUND + 1e-4, "%s, %zu bytes at once: %g ms, and %g ms for %d times as much", shape->name, step,
	             small * 1e3, large * 1e3, MORE);
	buf_release(&bytes);
}

static void expect_all_linear(reading *read, const struct shape *shapes, size_t count)
{
	static const size_t steps[] = { 1, 1000, SIZE_MAX / 2 };

	alarm(120); /* Criterion's own time limits leak memory */
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ARRAY_LEN(steps); j++)
			expect_linear(read, &shapes[i], steps[j]);
}

Test(http_time, of_a_head_is_linear)
{
	expect_all_linear(read_head, heads, ARRAY_LEN(heads));
}

Test(http_time, of_a_body_is_linear)
{
	expect_all_linear(read_body, bodies, ARRAY_LEN(bodies));
}

/* One field of a megabyte, byte by byte: quadratic work would be 5e11 bytes looked at, minutes instead of milliseconds. */
Test(http_time, of_a_head_without_an_end_is_short)
{
	const struct shape endless = { "a field without an end", "GET / HTTP/1.1\r\nX: ", "a", "" };
	struct buf bytes = BUF_NONE;
	enum http_result result;

	alarm(60);
	build(&endless, 1000000, &bytes);
	cr_assert_lt(measure(read_head, &bytes, 1, &result), 5.0);
	cr_assert_eq(result, HTTP_MORE);
	buf_release(&bytes);
}

/* It is asked with all bytes from the first on each time, but looks at a few only, and there is a longest header. */
Test(http_time, of_a_proxy_header_is_bounded)
{
	static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f\xf0\x7f\0\0\x01\x7f\0\0\x01\x10\0\0\x50";
	char header[PROXYPROTO_MAX];
	struct proxyproto found;
	double best = 1e9;

	alarm(120);
	for (size_t at = 0; at < sizeof(header); at++)
		header[at] = at < sizeof(v2) - 1 ? v2[at] : (char)(at % 3 == 0); /* empty TLVs of type 0 and 1 */
	for (int i = 0; i < TRIES; i++) {
		const double began = processor_seconds();

		for (size_t have = 1; have < sizeof(header); have++)
			cr_assert_eq(proxyproto_parse(PROXYPROTO_AUTO, header, have, &found), PROXYPROTO_MORE, "after %zu", have);
		best = MIN(best, processor_seconds() - began);
	}
	cr_assert_eq(proxyproto_parse(PROXYPROTO_AUTO, header, sizeof(header), &found), PROXYPROTO_DONE);
	cr_expect_lt(best, 0.01, "%g ms for a header byte by byte", best * 1e3);
}
