/* SPDX-License-Identifier: MIT */
/*
 * test_ctl_table.c - what gunwalectl prints: sizes, times, the page at 80 columns, texts that would harm a terminal.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"
#include "ctl/human.h"
#include "ctl/table.h"

static struct buf page;

static void clear(void)
{
	buf_release(&page);
}

TestSuite(table, .fini = clear);

static json_t *from(const char *json)
{
	char *copy = xstrdup(json);

	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;

	json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);

	cr_assert_not_null(value, "%s", copy);
	free(copy);
	return value;
}

static void expect(struct human (*show)(const json_t *value), const char *json, const char *wanted)
{
	json_t *value = from(json);

	cr_assert_str_eq(show(value).text, wanted, "%s", json);
	json_decref(value);
}

Test(table, sizes_times_and_counts_are_short)
{
	expect(human_size, "0", "0");
	expect(human_size, "999", "999");
	expect(human_size, "1000", "1.0K");
	expect(human_size, "10240", "10K");
	expect(human_size, "14680064", "14M");
	expect(human_size, "1288490188", "1.2G");
	expect(human_size, "-2097152", "-2.0M");
	expect(human_size, "null", "-");
	expect(human_size, "9007199254740991", "8.0P");
	expect(human_duration, "0", "0.0ms");
	expect(human_duration, "0.0123", "12ms");
	expect(human_duration, "0.0004", "0.40ms");
	expect(human_duration, "3.25", "3.2s");
	expect(human_duration, "59.9", "59s");
	expect(human_duration, "125", "2m05s");
	expect(human_duration, "11045", "3h04m");
	expect(human_duration, "183600", "2d03h");
	expect(human_duration, "-1", "-");
	expect(human_duration, "'x'", "-");
	expect(human_count, "12345678", "12345678");
	expect(human_count, "123456789", "123M");
	expect(human_count, "null", "-");
}

Test(table, texts_of_others_cannot_harm_a_terminal)
{
	human_add_text(&page, "a\033[2Jb\x7f\xc2\x9b" "c\xc3\xa4\n");
	cr_assert_str_eq(buf_text(&page), "a?[2Jb??c\xc3\xa4?");
}

Test(table, a_line_is_cut_between_characters)
{
	buf_add_str(&page, "xx\xc3\xa4\xc3\xb6\xc3\xbcz");
	human_cut_line(&page, 2, 2);
	cr_assert_str_eq(buf_text(&page), "xx\xc3\xa4\xc3\xb6");
}

static const char status[] =
	"{'status': 'pass', 'server': {'version': '1', 'state': 'running', 'generation': 1, 'uptime_seconds': 100000, 'pid': 4194304},"
	" 'listeners': [{'address': 'http://0.0.0.0:8000', 'queue': 0, 'queue_max': 2048}], 'workers_target': 4, 'workers_current': 4,"
	" 'requests': {'total': 5, 'active': 1, 'latency_seconds': {'p50': 0.01, 'p95': 0.2, 'p99': 1.5}},"
	" 'memory': {'workers_rss_bytes': 314572800, 'sockets': {'bytes': 1048576}, 'container': {'current_bytes': 400000000,"
	" 'limit_bytes': 536870912, 'oom_kill_total': 1}}, 'limits': {'memory': {'soft_bytes': 429496730, 'hard_bytes': 493921239}},"
	" 'workers': [{'slot': 0, 'pid': 4194301, 'state': 'serving', 'age_seconds': 5, 'requests_total': 1, 'requests_active': 0,"
	" 'rss_bytes': 104857600, 'sockets': {'client_bytes': 1024, 'upstream_bytes': 1024}},"
	" {'slot': 1, 'pid': 4194302, 'state': 'serving', 'is_recycling': true, 'rss_bytes': 209715200, 'requests_in_flight':"
	" [{'method': 'GET', 'path': '/a/very/long/path/that/does/not/fit/into/eighty/columns', 'age_seconds': 2},"
	" {'method': 'POST', 'path': '/b', 'age_seconds': 1}]}, {'slot': 2, 'pid': null, 'state': 'spawning', 'rss_bytes': null}],"
	" 'exits': [{'slot': 7, 'pid': 1, 'reason': 'crash', 'age_seconds': 3, 'requests_total': 2, 'last_words': 'a\\u001bb'}]}";

static const char *show(const struct table_view *view)
{
	json_t *value = from(status);

	table_add_status(&page, value, view);
	json_decref(value);
	return buf_text(&page);
}

Test(table, the_page_tells_workers_and_what_they_do)
{
	const char *text = show(&(struct table_view){ .columns = 80 });

	cr_assert_not_null(strstr(text, "gunwale 1: pass, running, generation 1, up 27h46m, master pid 4194304\n"), "%s", text);
	cr_assert_not_null(strstr(text, "last minute p50 10ms, p95 200ms, p99 1.5s"), "%s", text);
	cr_assert_not_null(strstr(text, "container 381M of 512M (soft 410M, hard 471M); 1 OOM kills\n"), "%s", text);
	cr_assert_not_null(strstr(text, "ended      slot 7, pid 1, crash, after 3.0s and 2 requests: a?b\n"), "%s", text);
	cr_assert_not_null(strstr(text, "   1  4194302 recycling "), "%s", text);
	cr_assert_not_null(strstr(text, "2.0s (+1) GET /a/"), "%s", text);
	cr_assert_not_null(strstr(text, "   2        - spawning "), "%s", text);
	cr_assert_not_null(strstr(text, " 2.0K\n"), "%s", text);
}

Test(table, no_line_is_longer_than_the_screen)
{
	for (size_t columns = 1; columns < 140; columns += 7) {
		struct span rest, line;

		buf_clear(&page);
		rest = span_from_str(show(&(struct table_view){ .columns = columns, .is_cut = true, .is_by_rss = true }));
		while (span_split(&rest, '\n', &line))
			cr_assert(line.len <= columns, "%.*s", SPAN_ARG(line));
	}
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

Test(table, no_page_is_higher_than_the_screen)
{
	for (size_t rows = 1; rows < 14; rows++) {
		buf_clear(&page);
		cr_assert(count_lines(show(&(struct table_view){ .columns = 80, .rows = rows, .is_cut = true })) <= rows, "%zu", rows);
	}
	/* Seven lines above the table, its title, one of three workers, and what is missing. */
	buf_clear(&page);
	cr_assert_not_null(strstr(show(&(struct table_view){ .columns = 80, .rows = 10, .is_cut = true }), "and 2 more"), "%s",
	                   buf_text(&page));
}

Test(table, the_fattest_comes_first)
{
	const char *text = show(&(struct table_view){ .columns = 80, .is_by_rss = true });

	cr_assert_lt(strstr(text, "4194302 "), strstr(text, "4194301 "));
}

Test(table, limits_and_settings)
{
	json_t *limits = from("{'policy': 'act', 'memory': {'soft_bytes': 1048576, 'hard_bytes': 2097152, 'source': 'container'},"
	                      " 'socket_memory': null, 'max_requests': 100, 'request_memory_bytes': 2048, 'sentences': ['All is well.']}");
	json_t *settings = from("{'workers': {'value': 4, 'source': 'command line'}, 'bind': {'value': ['a'], 'source': 'default'},"
	                        " 'chdir': {'value': '/a\\u001b', 'source': 'file'}}");

	table_add_limits(&page, limits);
	cr_assert_not_null(strstr(buf_text(&page), "All is well.\n\n"));
	cr_assert_not_null(strstr(buf_text(&page), "soft   1.0M  hard   2.0M  from container\n"), "%s", buf_text(&page));
	cr_assert_not_null(strstr(buf_text(&page), "max_requests             100\n"));
	cr_assert_not_null(strstr(buf_text(&page), "request_memory_bytes     2.0K\n"));
	cr_assert_not_null(strstr(buf_text(&page), "socket_memory            -\n"));
	table_add_config(&page, settings);
	cr_assert_not_null(strstr(buf_text(&page), "workers                            = 4  (command line)\n"));
	cr_assert_not_null(strstr(buf_text(&page), "= [\"a\"]\n"));
	cr_assert_not_null(strstr(buf_text(&page), "= /a?  (file)\n"));
	table_add_limits(&page, json_null());
	json_decref(limits);
	json_decref(settings);
}
