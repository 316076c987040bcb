/* SPDX-License-Identifier: MIT */
/*
 * test_settings_parse.c - texts to values, type by type, as gunicorn's validators do it.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <limits.h>

#include "shared/settings.h"
#include "shared/settings_types.h"

#define BAD LONG_MIN

Test(settings_parse, whole_numbers_are_pythons)
{
	static const struct {
		const char *text;
		long base_10, base_0;
	} rows[] = {
		{ "7", 7, 7 },
		{ " 7\n", 7, 7 },
		{ "+7", 7, 7 },
		{ "-7", -7, -7 },
		{ "0", 0, 0 },
		{ "00", 0, 0 },
		{ "0_0", 0, 0 },
		{ "010", 10, BAD },
		{ "1_000", 1000, 1000 },
		{ "1__0", BAD, BAD },
		{ "_1", BAD, BAD },
		{ "1_", BAD, BAD },
		{ "", BAD, BAD },
		{ " ", BAD, BAD },
		{ "-", BAD, BAD },
		{ "+-1", BAD, BAD },
		{ "1 2", BAD, BAD },
		{ "0x1F", BAD, 31 },
		{ "0X_1f", BAD, 31 },
		{ "0x", BAD, BAD },
		{ "0x_", BAD, BAD },
		{ "0o17", BAD, 15 },
		{ "0b101", BAD, 5 },
		{ "0b2", BAD, BAD },
		{ "0o8", BAD, BAD },
		{ "1.5", BAD, BAD },
		{ "1e3", BAD, BAD },
		{ "-0x10", BAD, -16 },
		{ "0x-1", BAD, BAD },
		{ "9a", BAD, BAD },
		{ "9223372036854775807", LONG_MAX, LONG_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		long ten = BAD, zero = BAD;

		cr_assert_eq(setting_parse_int(rows[i].text, 10, &ten), rows[i].base_10 == BAD ? -EINVAL : 0, "'%s'",
		             rows[i].text);
		cr_assert_eq(setting_parse_int(rows[i].text, 0, &zero), rows[i].base_0 == BAD ? -EINVAL : 0, "'%s'",
		             rows[i].text);
		cr_assert_eq(ten, rows[i].base_10, "'%s' is %ld", rows[i].text, ten);
		cr_assert_eq(zero, rows[i].base_0, "'%s' is %ld", rows[i].text, zero);
	}
}

Test(settings_parse, numbers_beyond_63_bits_are_out_of_range)
{
	long number;

	cr_assert_eq(setting_parse_int("9223372036854775808", 10, &number), -ERANGE);
	cr_assert_eq(setting_parse_int("99999999999999999999999", 0, &number), -ERANGE);
}

Test(settings_parse, a_leading_zero_is_octal_for_masks_only)
{
	long number;

	cr_assert_eq(setting_parse_auto_int("0022", &number), 0);
	cr_assert_eq(number, 18);
	cr_assert_eq(setting_parse_auto_int("0o22", &number), 0);
	cr_assert_eq(number, 18);
	cr_assert_eq(setting_parse_auto_int("18", &number), 0);
	cr_assert_eq(number, 18);
	cr_assert_eq(setting_parse_auto_int("0", &number), 0);
	cr_assert_eq(number, 0);
	cr_assert_eq(setting_parse_auto_int("09", &number), -EINVAL);
	cr_assert_eq(setting_parse_auto_int("", &number), -EINVAL);
}

struct row {
	enum setting_id id;
	const char *text;
	const char *wanted; /* as Python shows it; NULL: refused */
};

static void check(const struct row *rows, size_t count)
{
	struct settings settings;
	struct err err = ERR_NONE;

	cr_assert_eq(settings_init(&settings, false, &err), 0);
	for (size_t i = 0; i < count; i++) {
		int rc = settings_set(&settings, rows[i].id, rows[i].text, SOURCE_FILE, &err);
		char *shown = setting_show(&settings, rows[i].id);

		cr_assert_eq(rc == 0, rows[i].wanted != NULL, "%s = '%s': %s", setting_rows[rows[i].id].name, rows[i].text,
		             err.text);
		if (rows[i].wanted != NULL)
			cr_assert_str_eq(shown, rows[i].wanted);
		free(shown);
	}
	settings_release(&settings);
}

Test(settings_parse, booleans)
{
	static const struct row rows[] = {
		{ S_preload_app, "true", "True" }, { S_preload_app, " FALSE ", "False" }, { S_preload_app, "1", NULL },
		{ S_preload_app, "", NULL },       { S_preload_app, "yes", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

Test(settings_parse, limits_of_numbers)
{
	static const struct row rows[] = {
		{ S_workers, "0", "0" },
		{ S_workers, "1024", "1024" },
		{ S_workers, "1025", NULL },
		{ S_status_interval, "0", NULL },
		{ S_http2_max_frame_size, "16383", NULL },
		{ S_http2_max_frame_size, "16777215", "16777215" },
		{ S_timeout, "2147483647", "2147483647" },
		{ S_timeout, "2147483648", NULL },
		{ S_timeout, "99999999999999999999", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

Test(settings_parse, texts_lose_the_blanks_around_them)
{
	static const struct row rows[] = {
		{ S_proc_name, "  a b\t", "a b" },
		{ S_proc_name, "", "" },
		{ S_raw_env, " A= b ", "['A= b']" },
		{ S_raw_env, "it's", "[\"it's\"]" },
		{ S_raw_env, "a'\"\\\n\x01", "['a\\'\"\\\\\\n\\x01']" },
	};

	/* Not repeated from one source: each text is set once in settings of its own. */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], 1);
}

Test(settings_parse, networks)
{
	static const struct row rows[] = {
		{ S_forwarded_allow_ips, "*", "['*']" },
		{ S_forwarded_allow_ips, "10.0.0.0/8, ::1", "['10.0.0.0/8', '::1']" },
		{ S_forwarded_allow_ips, "fe80::/10", "['fe80::/10']" },
		{ S_forwarded_allow_ips, "0.0.0.0/0", "['0.0.0.0/0']" },
		{ S_forwarded_allow_ips, "", "[]" },
		{ S_forwarded_allow_ips, ",,1.2.3.4,", "['1.2.3.4']" },
		{ S_forwarded_allow_ips, "10.0.0.1/8", NULL },
		{ S_forwarded_allow_ips, "1.2.3.4/33", NULL },
		{ S_forwarded_allow_ips, "1.2.3.4/", NULL },
		{ S_forwarded_allow_ips, "1.2.3", NULL },
		{ S_forwarded_allow_ips, "host", NULL },
		{ S_forwarded_allow_ips, "::1/129", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

Test(settings_parse, words)
{
	static const struct row rows[] = {
		{ S_forwarder_headers, "A, B,,", "['A', 'B']" },
		{ S_forwarder_headers, "A, ,B, ", "['A', 'B']" },
		{ S_http_protocols, "h1,h2", "['h1', 'h2']" },
		{ S_http_protocols, "", "['h1']" },
		{ S_http_protocols, "h1,h1", NULL },
		{ S_http_protocols, "h9", NULL },
		{ S_header_map, " REFUSE ", "refuse" },
		{ S_header_map, "", NULL },
		{ S_header_map, "refuse drop", NULL },
		{ S_proxy_protocol, "TRUE", "auto" },
		{ S_proxy_protocol, "0", "off" },
		{ S_proxy_protocol, "v2", "v2" },
		{ S_proxy_protocol, "v3", NULL },
		{ S_header_map, "true", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

Test(settings_parse, users_and_groups)
{
	static const struct row rows[] = {
		{ S_user, "root", "0" },
		{ S_user, "12", "12" },
		{ S_user, "", NULL },
		{ S_user, "no-such-user", NULL },
		{ S_user, "-1", NULL },
		{ S_user, "1x", NULL },
		{ S_user, "4294967295", NULL },
		{ S_user, "99999999999999999999", NULL },
		{ S_group, "root", "0" },
		{ S_group, "13", "13" },
		{ S_group, "no-such-group", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

Test(settings_parse, dictionaries_are_shown_as_python_does)
{
	static const struct row rows[] = {
		{ S_logconfig_dict, "{\"a\": [1, true, null, \"x\"], \"b\": {}}", "{'a': [1, True, None, 'x'], 'b': {}}" },
		{ S_logconfig_dict, "[]", NULL },
		{ S_logconfig_dict, "{", NULL },
	};

	check(rows, ARRAY_LEN(rows));
}

static void check_size(enum setting_id id, const char *text, enum size_kind kind, uint64_t amount, const char *shown)
{
	struct settings settings;
	struct err err = ERR_NONE;
	const struct size_value *value;
	char *got;

	cr_assert_eq(settings_init(&settings, false, &err), 0);
	cr_assert_eq(settings_set(&settings, id, text, SOURCE_CLI, &err), 0, "%s: %s", text, err.text);
	value = (const void *)((const char *)&settings + setting_rows[id].at);
	cr_assert_eq(value->kind, kind, "%s", text);
	cr_assert_eq(value->amount, amount, "%s: %llu", text, (unsigned long long)value->amount);
	got = setting_show(&settings, id);
	cr_assert_str_eq(got, shown);
	/* What is shown is taken again, and means the same. */
	cr_assert_eq(settings_set(&settings, id, got, SOURCE_CLI, &err), 0);
	cr_assert_eq(value->amount, amount);
	free(got);
	settings_release(&settings);
}

Test(settings_parse, sizes)
{
	const uint64_t mb = 1 << 20;

	check_size(S_max_worker_memory, "400", SIZE_BYTES, 400 * mb, "400M");
	check_size(S_max_worker_memory, "536870912", SIZE_BYTES, 512 * mb, "512M");
	check_size(S_max_worker_memory, " 1.5g ", SIZE_BYTES, 1536 * mb, "1536M");
	check_size(S_max_worker_memory, "2 GiB", SIZE_BYTES, 2048 * mb, "2G");
	check_size(S_max_worker_memory, "1000000B", SIZE_BYTES, 1000000, "1000000B");
	check_size(S_max_worker_memory, "80%", SIZE_PERCENT, 80, "80%");
	check_size(S_max_worker_memory, "AUTO", SIZE_AUTO, 0, "auto");
	check_size(S_max_worker_memory, "0", SIZE_OFF, 0, "off");
	check_size(S_client_send_low_watermark, "65536", SIZE_BYTES, 65536, "64K");
	check_size(S_client_send_low_watermark, "off", SIZE_OFF, 0, "off");
}

Test(settings_parse, sizes_that_are_none)
{
	static const char *const bad[] = { "", "x", "-1", "5X", "101%", "0%", "1.5", "1.5%", "1 2", "%", "M", ".", "99999999999999999999G",
		                           "0.0001K", "1e9" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct settings settings;
		struct err err = ERR_NONE;

		cr_assert_eq(settings_init(&settings, false, &err), 0);
		cr_assert_eq(settings_set(&settings, S_max_worker_memory, bad[i], SOURCE_CLI, &err), -EINVAL, "%s", bad[i]);
		cr_assert(strstr(err.text, "max_worker_memory must be auto, off, a size such as 64M, or a percentage such as 80%, not '") ==
		          err.text);
		settings_release(&settings);
	}
	struct settings settings;
	struct err err = ERR_NONE;

	cr_assert_eq(settings_init(&settings, false, &err), 0);
	cr_assert_eq(settings_set(&settings, S_client_send_low_watermark, "auto", SOURCE_CLI, &err), -EINVAL);
	cr_assert_eq(settings_set(&settings, S_client_send_low_watermark, "10%", SOURCE_CLI, &err), -EINVAL);
	settings_release(&settings);
}
