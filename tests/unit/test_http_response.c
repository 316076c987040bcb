/* SPDX-License-Identifier: MIT */
/*
 * test_http_response.c - heads of responses: framing, what is let through, what is dropped.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "http/http.h"

struct scene {
	struct http_response response;
	struct buf fields;
	struct buf head;
};

static void start(struct scene *scene, const char *status)
{
	*scene = (struct scene){ .fields = BUF_NONE };
	http_response_init(&scene->response);
	cr_assert_eq(http_response_status(&scene->response, span_from_str(status)), HTTP_RESPONSE_OK, "%s", status);
}

static enum http_response_result add(struct scene *scene, const char *name, const char *value)
{
	return http_response_field(&scene->response, span_from_str(name), span_from_str(value), &scene->fields);
}

static const char *finish(struct scene *scene, const char *status)
{
	http_response_head(&scene->response, span_from_str(status), SPAN_LIT("gunicorn"),
	                   SPAN_LIT("Sun, 22 Nov 2026 10:11:12 GMT"), buf_span(&scene->fields), &scene->head);
	return buf_text(&scene->head);
}

static void end(struct scene *scene)
{
	buf_release(&scene->fields);
	buf_release(&scene->head);
}

Test(http_response, head_has_gunicorns_order)
{
	struct scene scene;

	start(&scene, "200 OK");
	cr_assert_eq(add(&scene, "Content-Type", "text/plain"), HTTP_RESPONSE_OK);
	cr_assert_eq(add(&scene, "x-Odd-CASE", " \tv \t"), HTTP_RESPONSE_OK);
	cr_assert_str_eq(finish(&scene, "200 OK"), "HTTP/1.1 200 OK\r\n"
	                                           "Server: gunicorn\r\n"
	                                           "Date: Sun, 22 Nov 2026 10:11:12 GMT\r\n"
	                                           "Connection: keep-alive\r\n"
	                                           "Transfer-Encoding: chunked\r\n"
	                                           "Content-Type: text/plain\r\n"
	                                           "x-Odd-CASE: v\r\n"
	                                           "\r\n");
	cr_assert(scene.response.is_chunked && scene.response.has_body && scene.response.keep_alive);
	end(&scene);
}

Test(http_response, no_server_line_when_it_is_empty)
{
	struct scene scene;

	start(&scene, "200 OK");
	http_response_head(&scene.response, SPAN_LIT("200 OK"), SPAN_NONE, SPAN_LIT("D"), SPAN_NONE, &scene.head);
	cr_assert_null(strstr(buf_text(&scene.head), "Server"));
	end(&scene);
}

Test(http_response, length_of_the_application_frames_the_body)
{
	struct scene scene;

	start(&scene, "200 OK");
	cr_assert_eq(add(&scene, "content-length", "12"), HTTP_RESPONSE_OK);
	const char *head = finish(&scene, "200 OK");
	cr_assert_null(strstr(head, "Transfer-Encoding"));
	cr_assert_not_null(strstr(head, "content-length: 12\r\n"));
	cr_assert(scene.response.has_length && scene.response.length == 12 && scene.response.keep_alive);
	cr_assert_not(scene.response.is_chunked);
	end(&scene);
}

Test(http_response, lengths_must_be_one_number)
{
	static const char *const bad[] = {
		"", "-1", "+1", "1,1", "0x1", "1 2", "abc", "1.0", "9223372036854775808", "99999999999999999999"
	};
	struct scene scene;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		start(&scene, "200 OK");
		cr_expect_eq(add(&scene, "Content-Length", bad[i]), HTTP_RESPONSE_BAD_LENGTH, "'%s'", bad[i]);
		cr_expect_eq(scene.fields.len, 0);
		end(&scene);
	}
	start(&scene, "200 OK");
	cr_assert_eq(add(&scene, "Content-Length", "5"), HTTP_RESPONSE_OK);
	cr_assert_eq(add(&scene, "Content-Length", "5"), HTTP_RESPONSE_SKIP, "goes out once");
	cr_assert_eq(add(&scene, "Content-Length", "6"), HTTP_RESPONSE_BAD_LENGTH);
	end(&scene);
}

Test(http_response, without_chunks_the_connection_ends_the_body)
{
	struct scene scene;

	start(&scene, "200 OK");
	scene.response.version_minor = 0;
	const char *head = finish(&scene, "200 OK");
	cr_assert_not_null(strstr(head, "HTTP/1.0 200 OK\r\n"));
	cr_assert_not_null(strstr(head, "Connection: close\r\n"));
	cr_assert_null(strstr(head, "Transfer-Encoding"));
	cr_assert_not(scene.response.keep_alive);
	end(&scene);

	start(&scene, "200 OK");
	scene.response.version_minor = 0;
	cr_assert_eq(add(&scene, "Content-Length", "1"), HTTP_RESPONSE_OK);
	cr_assert_not_null(strstr(finish(&scene, "200 OK"), "Connection: keep-alive\r\n"));
	end(&scene);
}

Test(http_response, never_claims_a_version_that_is_none)
{
	struct scene scene;

	start(&scene, "200 OK");
	scene.response.version_minor = 2;
	cr_assert_not_null(strstr(finish(&scene, "200 OK"), "HTTP/1.1 200 OK\r\n"));
	cr_assert(scene.response.is_chunked);
	end(&scene);
}

Test(http_response, closes_when_it_must)
{
	struct scene scene;

	start(&scene, "200 OK");
	scene.response.must_close = true;
	cr_assert_not_null(strstr(finish(&scene, "200 OK"), "Connection: close\r\n"));
	cr_assert_not(scene.response.keep_alive);
	cr_assert(scene.response.is_chunked, "the body is framed all the same");
	end(&scene);
}

Test(http_response, some_have_no_body)
{
	static const char *const bodiless[] = { "204 No Content", "304 Not Modified", "100 Continue", "199 x" };
	struct scene scene;

	for (size_t i = 0; i < ARRAY_LEN(bodiless); i++) {
		start(&scene, bodiless[i]);
		const char *head = finish(&scene, bodiless[i]);
		cr_expect_null(strstr(head, "Transfer-Encoding"), "%s", bodiless[i]);
		cr_expect_not(scene.response.has_body, "%s", bodiless[i]);
		cr_expect(scene.response.keep_alive, "%s", bodiless[i]);
		end(&scene);
	}
	start(&scene, "200 OK");
	scene.response.is_head = true;
	cr_assert_eq(add(&scene, "Content-Length", "5"), HTTP_RESPONSE_OK);
	cr_assert_not_null(strstr(finish(&scene, "200 OK"), "Content-Length: 5\r\n"));
	cr_assert_not(scene.response.has_body);
	end(&scene);
}

Test(http_response, no_content_has_no_length)
{
	struct scene scene;

	start(&scene, "204 No Content");
	cr_assert_eq(add(&scene, "Content-Length", "0"), HTTP_RESPONSE_SKIP);
	end(&scene);
	start(&scene, "304 Not Modified");
	cr_assert_eq(add(&scene, "Content-Length", "7"), HTTP_RESPONSE_OK, "304 says what 200 would");
	end(&scene);
}

Test(http_response, drops_what_is_the_servers_business)
{
	static const char *const dropped[] = { "Connection",
		                               "Keep-Alive",
		                               "Proxy-Authenticate",
		                               "Proxy-Authorization",
		                               "TE",
		                               "Trailers",
		                               "Transfer-Encoding",
		                               "Server",
		                               "Date",
		                               "DATE",
		                               "Upgrade" };
	struct scene scene;

	start(&scene, "200 OK");
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		cr_expect_eq(add(&scene, dropped[i], "x"), HTTP_RESPONSE_SKIP, "%s", dropped[i]);
	cr_assert_eq(scene.fields.len, 0);
	cr_assert_not(scene.response.has_upgrade);
	end(&scene);
}

Test(http_response, websockets_may_upgrade)
{
	struct scene scene;

	start(&scene, "101 Switching Protocols");
	cr_assert_eq(add(&scene, "Connection", "Upgrade"), HTTP_RESPONSE_SKIP);
	cr_assert_eq(add(&scene, "Upgrade", "WebSocket"), HTTP_RESPONSE_OK);
	const char *head = finish(&scene, "101 Switching Protocols");
	cr_assert_not_null(strstr(head, "Connection: upgrade\r\n"));
	cr_assert_not_null(strstr(head, "Upgrade: WebSocket\r\n"));
	cr_assert_not(scene.response.keep_alive);
	end(&scene);
}

Test(http_response, nothing_can_be_injected)
{
	struct scene scene;

	start(&scene, "200 OK");
	cr_assert_eq(add(&scene, "X", "a\r\nY: b"), HTTP_RESPONSE_BAD_VALUE);
	cr_assert_eq(add(&scene, "X", "a\nb"), HTTP_RESPONSE_BAD_VALUE);
	cr_assert_eq(add(&scene, "X", "a\rb"), HTTP_RESPONSE_BAD_VALUE);
	cr_assert_eq(http_response_field(&scene.response, SPAN_LIT("X"), SPAN_LIT("a\0b"), &scene.fields),
	             HTTP_RESPONSE_BAD_VALUE);
	cr_assert_eq(add(&scene, "", "a"), HTTP_RESPONSE_BAD_NAME);
	cr_assert_eq(add(&scene, "X:", "a"), HTTP_RESPONSE_BAD_NAME);
	cr_assert_eq(add(&scene, "X Y", "a"), HTTP_RESPONSE_BAD_NAME);
	cr_assert_eq(add(&scene, "X\r\nY", "a"), HTTP_RESPONSE_BAD_NAME);
	cr_assert_eq(scene.fields.len, 0);
	end(&scene);
}

Test(http_response, statuses_are_checked)
{
	static const char *const bad[] = { "",         "20",    "OK",   "2000",  "200\tOK", "099 x", "200 a\r\nX: b",
		                           "200 a\nb", "-20 x", " 200", "2OO OK" };
	struct http_response response;

	http_response_init(&response);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(http_response_status(&response, span_from_str(bad[i])), HTTP_RESPONSE_BAD_STATUS, "'%s'",
		             bad[i]);
	cr_assert_eq(http_response_status(&response, SPAN_LIT("200 a\0b")), HTTP_RESPONSE_BAD_STATUS);
	cr_assert_eq(http_response_status(&response, SPAN_LIT("799 Sch\xf6n")), HTTP_RESPONSE_OK);
	cr_assert_eq(response.status, 799);
	cr_assert_eq(http_response_status(&response, SPAN_LIT("200")), HTTP_RESPONSE_OK);
}

Test(http_response, a_bare_code_gets_its_space)
{
	struct scene scene;

	start(&scene, "200");
	cr_assert_not_null(strstr(finish(&scene, "200"), "HTTP/1.1 200 \r\n"));
	end(&scene);
}

Test(http_response, writes_chunk_heads)
{
	static const struct {
		uint64_t size;
		const char *want;
	} cases[] = { { 0, "0\r\n" },
		      { 10, "A\r\n" },
		      { 500, "1F4\r\n" },
		      { 65536, "10000\r\n" },
		      { UINT64_MAX, "FFFFFFFFFFFFFFFF\r\n" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[24];
		size_t len = http_chunk_head(text, cases[i].size);
		cr_expect(span_equals(span_of(text, len), span_from_str(cases[i].want)), "%s", cases[i].want);
	}
}

Test(http_response, writes_dates)
{
	char text[30];

	cr_assert_eq(http_date(text, 0), 29);
	cr_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	cr_assert_eq(http_date(text, 1795342272), 29);
	cr_assert_str_eq(text, "Sun, 22 Nov 2026 10:11:12 GMT");
	cr_assert_eq(http_date(text, 951827696), 29);
	cr_assert_str_eq(text, "Tue, 29 Feb 2000 12:34:56 GMT");
}

Test(http_response, statuses_that_end_within_the_code)
{
	static const char *const bad[] = { "a00 x", "2a0 x", "20a x", "2", "20", "2000 x" };
	struct http_response response;

	http_response_init(&response);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(http_response_status(&response, span_from_str(bad[i])), HTTP_RESPONSE_BAD_STATUS, "'%s'", bad[i]);
}

/* HEAD and refusals ask for the field before the status is known. */
Test(http_response, a_length_may_come_before_the_status)
{
	struct http_response response;
	struct buf fields = BUF_NONE;

	http_response_init(&response);
	cr_assert_eq(http_response_field(&response, SPAN_LIT("Content-Length"), SPAN_LIT("3"), &fields), HTTP_RESPONSE_OK);
	cr_assert(response.has_length && response.length == 3);
	buf_release(&fields);
}

Test(http_response, after_switching_protocols_it_is_no_http_any_more)
{
	struct scene scene;

	start(&scene, "101 Switching Protocols");
	(void)finish(&scene, "101 Switching Protocols");
	cr_assert_not(scene.response.keep_alive);
	cr_assert_not(scene.response.has_body);
	end(&scene);
}
