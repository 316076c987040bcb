/* SPDX-License-Identifier: MIT */
/*
 * test_buf.c - growable bytes.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/buf.h"

Test(buf, an_empty_buffer_is_an_empty_string)
{
	struct buf buf = BUF_NONE;
	cr_assert_str_eq(buf_text(&buf), "");
	cr_assert_eq(buf.len, 0);
	buf_release(&buf);
	cr_assert_null(buf.data);
	buf_release(&buf);
	buf_release(NULL);
}

Test(buf, keeps_what_is_added_in_order_while_it_grows)
{
	struct buf buf = BUF_NONE;
	for (int i = 0; i < 10000; i++) {
		buf_addf(&buf, "%d", i % 10);
		buf_add_byte(&buf, ',');
	}
	cr_assert_eq(buf.len, 20000);
	for (size_t i = 0; i < 10000; i++) {
		cr_assert_eq(buf.data[2 * i], (char)('0' + i % 10));
		cr_assert_eq(buf.data[2 * i + 1], ',');
	}
	buf_release(&buf);
}

Test(buf, formats_what_is_longer_than_the_room_there_is)
{
	struct buf buf = BUF_NONE;
	char text[5000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	buf_add_str(&buf, "<");
	buf_addf(&buf, "%s>", text);
	cr_assert_eq(buf.len, 1 + 4999 + 1);
	cr_assert_eq(buf.data[0], '<');
	cr_assert_eq(buf.data[4999], 'x');
	cr_assert_eq(buf.data[5000], '>');
	buf_release(&buf);
}

Test(buf, formats_exactly_as_much_as_there_is_room_for)
{
	for (int len = 0; len < 300; len++) {
		struct buf buf = BUF_NONE;
		buf_addf(&buf, "%*s", len, "");
		cr_assert_eq(buf.len, (size_t)len);
		cr_assert_eq(strlen(buf_text(&buf)), (size_t)len);
		buf_release(&buf);
	}
}

Test(buf, detach_gives_a_string_away_and_leaves_it_empty)
{
	struct buf buf = BUF_NONE;
	buf_add_span(&buf, SPAN_LIT("given"));
	char *text = buf_detach(&buf);
	cr_assert_str_eq(text, "given");
	cr_assert_eq(buf.len, 0);
	cr_assert_null(buf.data);
	free(text);
	text = buf_detach(&buf);
	cr_assert_str_eq(text, "");
	free(text);
}

Test(buf, clear_keeps_the_memory)
{
	struct buf buf = BUF_NONE;
	buf_add_str(&buf, "some");
	const char *data = buf.data;
	buf_clear(&buf);
	buf_add(&buf, "other", 5);
	cr_assert_eq(buf.data, data);
	cr_assert(span_equals(buf_span(&buf), SPAN_LIT("other")));
	buf_release(&buf);
}

Test(buf, a_size_beyond_all_memory_is_refused_and_harms_nothing)
{
	struct buf buf = BUF_NONE;
	buf_add_str(&buf, "kept");
	cr_assert_eq(buf_try_reserve(&buf, SIZE_MAX), -ENOMEM);
	cr_assert_eq(buf_try_reserve(&buf, SIZE_MAX / 2 - 2), -ENOMEM);
	cr_assert_str_eq(buf_text(&buf), "kept");
	buf_release(&buf);
}

Test(buf, takes_bytes_of_any_value)
{
	struct buf buf = BUF_NONE;
	buf_add(&buf, "a\0b", 3);
	buf_add(&buf, NULL, 0);
	buf_add_span(&buf, SPAN_NONE);
	cr_assert_eq(buf.len, 3);
	cr_assert_eq(memcmp(buf.data, "a\0b", 3), 0);
	buf_release(&buf);
}
