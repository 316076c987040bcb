/* SPDX-License-Identifier: MIT */
/*
 * test_accesslog.c - access log lines.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "http/accesslog.h"

#define DEFAULT_FORMAT "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""

static struct span find_environ(void *context, struct span name)
{
	const char *value = context;

	return span_equals_nocase(name, SPAN_LIT("remote_addr")) ? span_from_str(value) : SPAN_NONE;
}

/* One line for the head and the format; 22 Nov 2026 10:11:12 UTC. The caller frees. */
static char *line_of(const char *format, const char *head, size_t head_len, struct span path)
{
	struct http_policy policy;
	struct http_request request;
	struct err err = ERR_NONE;
	struct buf line = BUF_NONE;
	char *data = xmalloc(head_len);

	memcpy(data, head, head_len);
	setenv("TZ", "XYZ-05:30", 1);
	tzset();
	http_policy_init(&policy, 4094, 100, 8190);
	http_request_init(&request);
	cr_assert_eq(http_request_parse(&request, &policy, data, head_len), HTTP_DONE);
	char addr[] = "10.0.0.9";
	struct accesslog_entry entry = {
		.remote_addr = SPAN_LIT("10.0.0.9"),
		.request = &request,
		.protocol = SPAN_LIT("HTTP/1.1"),
		.path = path,
		.status = SPAN_LIT("404 Not Found"),
		.body_bytes = 1234,
		.duration_us = 2003004,
		.wall = 1795342272,
		.pid = 77,
		.response_fields = SPAN_LIT("Content-Type: text/html\r\nX-Two: 1\r\nx-two:  2\r\n"),
		.find_environ = find_environ,
		.context = addr,
	};
	struct accesslog *log = accesslog_new(format, &err);
	cr_assert_not_null(log, "%s: %s", format, err.text);
	accesslog_write(log, &entry, &line);
	accesslog_free(log);
	http_request_release(&request);
	free(data);
	return buf_detach(&line);
}

static const char plain_head[] = "GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nUser-Agent: \"curl\"\r\n"
				 "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l\r\nX-Id: 1\r\nx-id: 2\r\n\r\n";

static void expect_line(const char *format, const char *want)
{
	char *line = line_of(format, plain_head, sizeof(plain_head) - 1, SPAN_LIT("/a b"));
	size_t len = strlen(line);

	cr_assert_eq(line[len - 1], '\n');
	line[len - 1] = '\0';
	cr_expect_str_eq(line, want, "%s gave %s", format, line);
	free(line);
}

Test(accesslog, default_format_is_as_gunicorn_writes_it)
{
	expect_line(DEFAULT_FORMAT,
	            "10.0.0.9 - aladdin [22/Nov/2026:15:41:12 +0530] \"GET /a%20b?c=d HTTP/1.1\" 404 1234 \"http://r/\" "
	            "\"\\\"curl\\\"\"");
}

Test(accesslog, every_atom)
{
	expect_line("%(m)s|%(U)s|%(q)s|%(H)s|%(B)s|%(b)s|%(T)s|%(D)s|%(M)s|%(L)s|%(p)s",
	            "GET|/a b|c=d|HTTP/1.1|1234|1234|2|2003004|2003|2.003004|<77>");
	expect_line("%({X-ID}i)s|%({host}i)s|%({none}i)s", "2|a|-");
	expect_line("%({content-type}o)s|%({X-Two}o)s|%({Server}o)s", "text/html|2|-");
	expect_line("%({REMOTE_ADDR}e)s|%({remote_addr}e)s|%({nothing}e)s", "10.0.0.9|10.0.0.9|-");
	expect_line("%(nonsense)s|%(H2)s|%()s|%({}x)s|%({X-Id}I)s", "-|-|-|-|2");
	expect_line("100%%|%(h)%|", "100%|%|");
	expect_line("", "");
}

Test(accesslog, conversions_are_pythons)
{
	expect_line("[%(T)d] [%(B)6d] [%(B)-6d] [%(B)06d] [%(B)+d] [%(B) d] [%(B)+08d] [%(B).6d]",
	            "[2] [  1234] [1234  ] [001234] [+1234] [ 1234] [+0001234] [001234]");
	expect_line("[%(B)x] [%(B)X] [%(B)o] [%(B)#x] [%(B)#010x]", "[4d2] [4D2] [2322] [0x4d2] [0x000004d2]");
	expect_line("[%(B)#X] [%(B)#o] [%(B)#09o] [%(B)-06d] [%(T) 03d] [%(B)06s] [%(T)02d]",
	            "[0X4D2] [0o2322] [0o0002322] [1234  ] [ 02] [  1234] [02]");
	expect_line("[%(T).2f] [%(T)08.2f] [%(B)e] [%(B)g]", "[2.00] [00002.00] [1.234000e+03] [1234]");
	expect_line("[%(L)12s] [%(L)-12s] [%(h).3s] [%(h)12.2s] [%(h)02.1s]",
	            "[    2.003004] [2.003004    ] [10.] [          10] [ 1]");
	expect_line("[%(B)E] [%(B)G] [%(B).1F] [%(B)Ld] [%(B)+04X]", "[1.234000E+03] [1234] [1234.0] [1234] [+4D2]");
	expect_line("[%(h).30s] [%(Z)s] [%({a)s] [%(ab})s] [%(B)#3x] [%(B)+d%%]", "[10.0.0.9] [-] [-] [-] [0x4d2] [+1234%]");
	expect_line("[%(m)r] [%(m)8r] [%(B)r] [%(m)a]", "['GET'] [   'GET'] [1234] ['GET']");
	expect_line("%(l)r%(l).0s%(l)3s", "'-'  -");
	expect_line("[%(B)6s] [%(B)-6s] [%(B)ld] [%(B)hhd]", "[  1234] [1234  ] [1234] [1234]");
}

Test(accesslog, broken_formats_are_found_at_once)
{
	static const struct {
		const char *format;
		const char *text;
	} cases[] = {
		{ "%", "incomplete format" },
		{ "%(h)", "incomplete format" },
		{ "%(h)5", "incomplete format" },
		{ "%(h", "incomplete format key" },
		{ "%((h)s", "incomplete format key" },
		{ "ab%(h)y", "unsupported format character 'y' (0x79) at index 6" },
		{ "%(h)d", "%d format: a real number is required, not str" },
		{ "%(zz)d", "%d format: a real number is required, not str" },
		{ "%(b)f", "%f format: a real number is required, not str" },
		{ "%s", "format requires a name: %(name)s" },
		{ "%(B)*d", "* wants int" },
		{ "%(B).*d", "* wants int" },
		{ "%(B)c", "%c requires int or char" },
		{ "%(B).99999999999999999999d", "width or precision is greater than 4096" },
		{ "%(B)99999999999999999999d", "width or precision is greater than 4096" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_NONE;
		cr_expect_null(accesslog_new(cases[i].format, &err), "%s", cases[i].format);
		cr_expect_str_eq(err.text, cases[i].text);
	}
}

Test(accesslog, users_come_from_basic_authentication_alone)
{
	static const struct {
		const char *credentials;
		const char *want;
	} cases[] = {
		{ "Basic YWxhZGRpbjpvcGVuc2VzYW1l", "aladdin\n" },
		{ "bAsIc   YWxhZGRpbjpvcGVuc2VzYW1l", "aladdin\n" },
		{ "Basic YTo=", "a\n" },
		{ "Basic YQ==", "-\n" }, /* no colon */
		{ "Basic OnB3", "-\n" }, /* no user */
		{ "Basic !!!!", "-\n" },
		{ "Basic", "-\n" },
		{ "Bearer YTpi", "-\n" },
		{ "", "-\n" },
		{ "Basic\tYTo=", "-\n" },
		{ "Basic Y", "-\n" },
		{ "Basic ImEKOng=", "\\\"a\\x0a\n" }, /* "a LF */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *head = xasprintf("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", cases[i].credentials);
		char *line = line_of("%(u)s", head, strlen(head), SPAN_NONE);
		cr_expect_str_eq(line, cases[i].want, "%s gave %s", cases[i].credentials, line);
		free(line);
		free(head);
	}
}

Test(accesslog, nothing_from_outside_ends_a_line)
{
	char *line = line_of("%(U)s", plain_head, sizeof(plain_head) - 1, SPAN_LIT("/\r\n\0\x1b[2J\x7f\t\"\\"));

	cr_assert_str_eq(line, "/\\x0d\\x0a\\x00\\x1b[2J\\x7f\\x09\\\"\\\n");
	free(line);
}

Test(accesslog, utf8_stays_and_other_bytes_are_escaped)
{
	static const struct {
		const char *path;
		const char *want;
	} cases[] = {
		{ "/m\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x98\x80", "/m\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x98\x80\n" },
		{ "\xff\xfe", "\\xff\\xfe\n" },
		{ "\xc2\x85", "\\xc2\\x85\n" },                   /* a C1 control */
		{ "\xc0\xaf", "\\xc0\\xaf\n" },                   /* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf\n" },          /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80\n" },          /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80\n" }, /* beyond U+10FFFF */
		{ "\xe2\x82", "\\xe2\\x82\n" },                   /* cut */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *line = line_of("%(U)s", plain_head, sizeof(plain_head) - 1, span_from_str(cases[i].path));
		cr_expect_str_eq(line, cases[i].want, "case %zu gave %s", i, line);
		free(line);
	}
}

Test(accesslog, precision_cuts_no_utf8_in_two)
{
	char *line = line_of("%(U).3s|", plain_head, sizeof(plain_head) - 1, SPAN_LIT("ab\xc3\xbc"));

	cr_assert_str_eq(line, "ab|\n");
	free(line);
}

Test(accesslog, manages_without_a_request)
{
	struct accesslog *log = accesslog_new(DEFAULT_FORMAT " %(m)s %(q)s %({a}i)s %({a}o)s %({a}e)s", NULL);
	struct accesslog_entry entry = { .protocol = SPAN_LIT("HTTP/1.1"), .status = SPAN_LIT("500"), .wall = 1 };
	struct buf line = BUF_NONE;

	accesslog_write(log, &entry, &line);
	struct span text = buf_span(&line);
	cr_assert(span_ends_with(text, SPAN_LIT("\"- - HTTP/1.1\" 500 0 \"-\" \"-\" -  - - -\n")), "%s", buf_text(&line));
	buf_release(&line);
	accesslog_free(log);
}

Test(accesslog, a_status_that_never_was_is_a_dash)
{
	struct accesslog *log = accesslog_new("%(s)s %(b)s", NULL);
	struct accesslog_entry entry = { .status = SPAN_LIT(""), .wall = 1 };
	struct buf line = BUF_NONE;

	accesslog_write(log, &entry, &line);
	cr_assert_str_eq(buf_text(&line), "- 0\n");
	buf_release(&line);
	accesslog_free(log);
}

Test(accesslog, the_second_changes)
{
	struct accesslog *log = accesslog_new("%(t)s", NULL);
	struct accesslog_entry entry = { .wall = 0 };
	struct buf line = BUF_NONE;

	setenv("TZ", "UTC", 1);
	tzset();
	accesslog_write(log, &entry, &line);
	entry.wall = 61;
	accesslog_write(log, &entry, &line);
	accesslog_write(log, &entry, &line);
	cr_assert_str_eq(buf_text(&line),
	                 "[01/Jan/1970:00:00:00 +0000]\n[01/Jan/1970:00:01:01 +0000]\n[01/Jan/1970:00:01:01 +0000]\n");
	buf_release(&line);
	accesslog_free(log);
}

Test(accesslog, clocks_west_of_greenwich)
{
	struct accesslog *log = accesslog_new("%(t)s", NULL);
	struct accesslog_entry entry = { .wall = 0 };
	struct buf line = BUF_NONE;

	setenv("TZ", "XYZ+03:30", 1);
	tzset();
	accesslog_write(log, &entry, &line);
	cr_assert_str_eq(buf_text(&line), "[31/Dec/1969:20:30:00 -0330]\n");
	buf_release(&line);
	accesslog_free(log);
}

Test(accesslog, fields_of_a_response_without_a_colon_or_an_end)
{
	struct accesslog *log = accesslog_new("%({a}o)s", NULL);
	struct accesslog_entry entry = { .wall = 1, .response_fields = SPAN_LIT("a\r\nA: 1\r\nb: 2") };
	struct buf line = BUF_NONE;

	accesslog_write(log, &entry, &line);
	cr_assert_str_eq(buf_text(&line), "1\n");
	buf_release(&line);
	accesslog_free(log);
}

Test(accesslog, a_user_is_as_long_as_a_line_takes)
{
	char letters[2000];

	memset(letters, 'Y', sizeof(letters));
	char *head = xasprintf("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic %.*s\r\n\r\n", (int)sizeof(letters), letters);
	char *line = line_of("%(u)s", head, strlen(head), SPAN_NONE);
	cr_assert_str_eq(line, "-\n");
	free(line);
	free(head);
	accesslog_free(NULL);
}
