/* SPDX-License-Identifier: MIT */
/*
 * test_http_field.c - header names and values.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <limits.h>

#include "http/field.h"
#include "http/http.h"
#include "http/http_internal.h"

static const struct {
	const char *name;
	const char *key;
} rows[] = {
#define FIELD(id, name, key) { name, key },
#include "http/field.def"
#undef FIELD
};

Test(http_field, finds_each_row_of_the_table_in_any_case)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *upper = xstrdup(rows[i].name);
		for (char *byte = upper; *byte != '\0'; byte++)
			*byte = (char)(*byte >= 'a' && *byte <= 'z' ? *byte - 0x20 : *byte);
		cr_expect_eq(http_field_id(span_from_str(rows[i].name)), i + 1, "%s is not in rows_of_length", rows[i].name);
		cr_expect_eq(http_field_id(span_from_str(upper)), i + 1, "%s", upper);
		cr_expect_str_eq(http_field_key((enum http_field_id)(i + 1)), rows[i].key);
		free(upper);
	}
	cr_assert_eq(HTTP_FIELD_MAX, ARRAY_LEN(rows) + 1);
	cr_assert_null(http_field_key(HTTP_FIELD_OTHER));
}

Test(http_field, keys_in_the_table_are_those_that_are_written)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char key[64];
		size_t len = http_field_write_key(span_from_str(rows[i].name), key);
		/* CONTENT_TYPE and CONTENT_LENGTH have no prefix in WSGI. */
		struct span want = span_from_str(rows[i].key);
		cr_expect(span_ends_with(span_of(key, len), want), "%s", rows[i].name);
		cr_expect(want.len == len || span_starts_with(want, SPAN_LIT("CONTENT_")), "%s", rows[i].name);
	}
}

Test(http_field, other_names_are_other)
{
	static const char *const names[] = { "",
		                             "x",
		                             "hos",
		                             "hostx",
		                             "h0st",
		                             "x-hos",
		                             "cookie2",
		                             "content_length",
		                             "content-lengtH-",
		                             "upgrade-insecure-requestz",
		                             "a-name-longer-than-any-of-them-in-the-table" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_expect_eq(http_field_id(span_from_str(names[i])), HTTP_FIELD_OTHER, "%s", names[i]);
}

Test(http_field, writes_keys_of_any_name)
{
	char key[32];
	size_t len = http_field_write_key(SPAN_LIT("x-Real_ip.9"), key);

	cr_assert(span_equals(span_of(key, len), SPAN_LIT("HTTP_X_REAL_IP.9")));
}

Test(http_field, tokens_have_the_bytes_of_the_rfc_alone)
{
	const char *const good = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int byte = 0; byte < 256; byte++) {
		char text = (char)(unsigned char)byte;
		bool want = byte != 0 && strchr(good, byte) != NULL;
		cr_expect_eq(http_is_token(span_of(&text, 1)), want, "byte %d", byte);
	}
	cr_assert_not(http_is_token(SPAN_NONE));
	cr_assert_not(http_is_token(SPAN_LIT("a b")));
}

Test(http_field, values_have_no_control_bytes_wherever_they_are)
{
	cr_assert(http_is_field_value(SPAN_NONE));
	for (int byte = 0; byte < 256; byte++) {
		bool want = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
		for (size_t at = 0; at < 19; at++) {
			char text[19];
			memset(text, 0x80, sizeof(text)); /* neighbours that overflow where arithmetic is wrong */
			text[at] = (char)(unsigned char)byte;
			cr_expect_eq(http_is_field_value(span_of(text, sizeof(text))), want, "byte %d at %zu", byte, at);
			memset(text, ' ', sizeof(text));
			text[at] = (char)(unsigned char)byte;
			cr_expect_eq(http_is_field_value(span_of(text, sizeof(text))), want, "byte %d at %zu", byte, at);
		}
	}
}

Test(http_field, names_with_underscores_go_by_header_map)
{
	struct http_policy policy;

	http_policy_init(&policy, 4094, 100, 8190);
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("X-Y")), HTTP_FIELD_KEEP);
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("X_Y")), HTTP_FIELD_DROP, "drop is gunicorn's default");
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("")), HTTP_FIELD_KEEP);
	policy.header_map = HTTP_MAP_REFUSE;
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("X-Y")), HTTP_FIELD_KEEP);
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("X_Y")), HTTP_FIELD_REFUSE);
	policy.header_map = HTTP_MAP_DANGEROUS;
	cr_assert_eq(http_policy_field(&policy, SPAN_LIT("X_Y")), HTTP_FIELD_KEEP);
}

Test(http_field, limits_are_clamped_as_gunicorn_does)
{
	struct http_policy policy;

	http_policy_init(&policy, 4094, 100, 8190);
	cr_assert_eq(policy.limit_request_line, 4094);
	cr_assert_eq(policy.limit_request_fields, 100);
	cr_assert_eq(policy.limit_request_field_size, 8190);
	http_policy_init(&policy, 9000, 40000, 65536);
	cr_assert_eq(policy.limit_request_line, 8190);
	cr_assert_eq(policy.limit_request_fields, 32768);
	cr_assert_eq(policy.limit_request_field_size, 65536);
	http_policy_init(&policy, 0, 0, 0);
	cr_assert_eq(policy.limit_request_line, HTTP_UNLIMITED_LINE_MAX);
	cr_assert_eq(policy.limit_request_fields, 32768);
	cr_assert_eq(policy.limit_request_field_size, HTTP_UNLIMITED_LINE_MAX);
	http_policy_init(&policy, -1, -1, -1);
	cr_assert_eq(policy.limit_request_line, 8190);
	cr_assert_eq(policy.limit_request_fields, 32768);
	cr_assert_eq(policy.limit_request_field_size, 8190);
}

Test(http_field, a_head_is_bounded_whatever_the_limits)
{
	struct http_policy policy;

	http_policy_init(&policy, 4094, 100, 8190);
	cr_assert_eq(http_policy_head_limit(&policy), 100 * 8192 + 4);
	http_policy_init(&policy, 4094, 32768, 8190);
	cr_assert_eq(http_policy_head_limit(&policy), HTTP_HEAD_MAX);
	http_policy_init(&policy, 4094, 1, LONG_MAX);
	cr_assert_eq(policy.limit_request_field_size, HTTP_HEAD_MAX);
	cr_assert_eq(http_policy_head_limit(&policy), HTTP_HEAD_MAX);
}
