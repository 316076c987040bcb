/* SPDX-License-Identifier: MIT */
/*
 * test_logline.c - the parts of a log line.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/logline.h"

static const char *escaped(const char *text, size_t len)
{
	static char into[512];
	size_t done = logline_put_escaped(into, text, len);

	into[done] = '\0';
	return into;
}

#define ESCAPED(literal) escaped(literal, sizeof(literal) - 1)

Test(logline, prefixes_hold_time_pid_and_level)
{
	char text[LOGLINE_PREFIX_MAX + 1] = "";

	text[logline_put_prefix(text, 1000000000, -9000, 12, "INFO")] = '\0';
	cr_assert_str_eq(text, "[2001-09-08 23:16:40 -0230] [12] [INFO] ");
	text[logline_put_json_prefix(text, 1000000000, 20700, 2147483647, "CRITICAL")] = '\0';
	cr_assert_str_eq(text, "{\"time\":\"2001-09-09T07:31:40+05:45\",\"pid\":2147483647,\"level\":\"CRITICAL\",\"message\":\"");
}

Test(logline, text_stays_within_its_quotes)
{
	cr_assert_str_eq(ESCAPED("plain caf\xc3\xa9 \xf0\x9f\x98\x80"), "plain caf\xc3\xa9 \xf0\x9f\x98\x80");
	cr_assert_str_eq(ESCAPED("a\"b\\c\nd\re\tf"), "a\\\"b\\\\c\\nd\\re\\tf");
	cr_assert_str_eq(ESCAPED("\0\x1b\x7f"), "\\u0000\\u001b\\u007f");
}

Test(logline, bytes_that_are_no_utf8_are_shown_as_such)
{
	cr_assert_str_eq(ESCAPED("\xff\x80"), "\\\\xff\\\\x80");
	cr_assert_str_eq(ESCAPED("\xc3"), "\\\\xc3");
	cr_assert_str_eq(ESCAPED("\xc0\xaf"), "\\\\xc0\\\\xaf");         /* overlong */
	cr_assert_str_eq(ESCAPED("\xed\xa0\x80"), "\\\\xed\\\\xa0\\\\x80"); /* surrogate */
	cr_assert_str_eq(ESCAPED("\xc2\x9b"), "\\\\xc2\\\\x9b");         /* a control character */
	cr_assert_str_eq(ESCAPED("\xe2\x80\xa8"), "\\\\xe2\\\\x80\\\\xa8"); /* ends lines for some */
}

Test(logline, no_byte_takes_more_room_than_promised)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char text = (char)byte, into[16];

		cr_assert_leq(logline_put_escaped(into, &text, 1), (size_t)LOGLINE_ESCAPED_MAX);
	}
}
