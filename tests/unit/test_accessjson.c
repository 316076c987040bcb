/* SPDX-License-Identifier: MIT */
/*
 * test_accessjson.c - access log lines as JSON objects.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <jansson.h>

#include "http/accesslog.h"

static struct span find_environ(void *context, struct span name)
{
	(void)context;
	return span_equals_nocase(name, SPAN_LIT("remote_port")) ? SPAN_LIT("4711") : SPAN_NONE;
}

/* The one line that is written, parsed: a broken one fails here. The caller gives it back. */
static json_t *object_of(const char *format, const struct accesslog_entry *entry)
{
	struct err err = ERR_NONE;
	struct buf line = BUF_NONE;
	struct accesslog *log = accesslog_new(format, &err);
	json_error_t why;

	cr_assert_not_null(log, "%s", err.text);
	accesslog_set_json(log, true);
	accesslog_write(log, entry, &line);
	accesslog_free(log);
	cr_assert_eq(line.data[line.len - 1], '\n');
	cr_assert_eq(memchr(line.data, '\n', line.len), line.data + line.len - 1, "one line");
	json_t *object = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &why);
	cr_assert_not_null(object, "%s: %s", why.text, buf_text(&line));
	buf_release(&line);
	return object;
}

static void expect(const json_t *object, const char *name, const char *want)
{
	const json_t *value = json_object_get(object, name);

	cr_assert_not_null(value, "%s", name);
	if (want == NULL)
		cr_expect(json_is_null(value), "%s", name);
	else
		cr_expect_str_eq(json_string_value(value), want, "%s", name);
}

Test(accessjson, a_request_says_everything)
{
	char head[] = "GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nUser-Agent: \"curl\"\x01\r\n"
		      "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l\r\nX-Id: 1\r\nx-id: 2\r\n\r\n";
	struct http_policy policy;
	struct http_request request;

	*strchr(head, '\x01') = ' ';
	http_policy_init(&policy, 4094, 100, 8190);
	http_request_init(&request);
	cr_assert_eq(http_request_parse(&request, &policy, head, sizeof(head) - 1), HTTP_DONE);
	struct accesslog_entry entry = {
		.remote_addr = SPAN_LIT("10.0.0.9"),
		.request = &request,
		.protocol = SPAN_LIT("HTTP/1.1"),
		.path = SPAN_LIT("/a b\n\xff"),
		.status = SPAN_LIT("404 Not Found"),
		.body_bytes = 1234,
		.duration_us = 2003004,
		.wall = 1795342272,
		.pid = 77,
		.response_fields = SPAN_LIT("Content-Type: text/html\r\nno field\r\n"),
		.find_environ = find_environ,
	};
	json_t *object = object_of("%(h)s %({x-id}i)s %({none}i)s %({content-type}o)s %({none}o)s %({REMOTE_PORT}e)s "
	                           "%({none}e)s", &entry);
	expect(object, "remote_addr", "10.0.0.9");
	expect(object, "user", "aladdin");
	expect(object, "method", "GET");
	expect(object, "target", "/a%20b?c=d");
	expect(object, "query", "c=d");
	expect(object, "protocol", "HTTP/1.1");
	expect(object, "referer", "http://r/");
	expect(object, "user_agent", "\"curl\"");
	expect(object, "{x-id}i", "2");
	expect(object, "{none}i", NULL);
	expect(object, "{content-type}o", "text/html");
	expect(object, "{none}o", NULL);
	expect(object, "{REMOTE_PORT}e", "4711");
	expect(object, "{none}e", NULL);
	cr_expect_eq(json_integer_value(json_object_get(object, "status")), 404);
	cr_expect_eq(json_integer_value(json_object_get(object, "body_bytes")), 1234);
	cr_expect_eq(json_integer_value(json_object_get(object, "duration_us")), 2003004);
	cr_expect_eq(json_integer_value(json_object_get(object, "pid")), 77);
	json_decref(object);
	http_request_release(&request);
}

Test(accessjson, what_is_not_there_is_null)
{
	static const char *const none[] = { "remote_addr", "user", "method", "target", "path",
		                            "query", "protocol", "status", "referer", "user_agent" };
	static const struct accesslog_entry empty = { .wall = 1 };
	json_t *object = object_of("%(r)s", &empty);

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		expect(object, none[i], NULL);
	json_decref(object);
}

Test(accessjson, a_status_is_a_number_or_nothing)
{
	static const struct {
		struct span status;
		long want;
	} rows[] = { { SPAN_LIT("200"), 200 }, { SPAN_LIT("204 No Content"), 204 }, { SPAN_LIT("OK"), -1 },
		     { SPAN_LIT(" 200"), -1 }, { SPAN_LIT(""), -1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct accesslog_entry entry = { .status = rows[i].status, .wall = 1 };
		json_t *object = object_of("%(s)s", &entry);
		const json_t *status = json_object_get(object, "status");

		cr_expect_eq(json_is_null(status) ? -1 : json_integer_value(status), rows[i].want, "%zu", i);
		json_decref(object);
	}
}
