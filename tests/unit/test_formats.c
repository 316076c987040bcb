/* SPDX-License-Identifier: MIT */
/*
 * test_formats.c - the status document in other shapes: what is there, what is null, what needs escaping.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"
#include "master/formats.h"
#include "shared/settings.h"

static json_t *document;
static char *text;
static json_t *parsed;

/* Single quotes, so that it can be read. */
static json_t *from(const char *json)
{
	char *copy = xstrdup(json);
	json_error_t error;

	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;

	json_t *value = json_loads(copy, 0, &error);

	cr_assert_not_null(value, "%s: %s", error.text, copy);
	free(copy);
	return value;
}

static void clear(void)
{
	json_decref(document);
	json_decref(parsed);
	free(text);
	document = parsed = NULL;
	text = NULL;
}

TestSuite(formats, .fini = clear);

static const char *render(enum status_format format, const char *json)
{
	clear();
	document = from(json);
	text = format_render(format, document);
	cr_assert(text[0] == '\0' || text[strlen(text) - 1] == '\n');
	return text;
}

static const json_t *render_json(enum status_format format, const char *json)
{
	parsed = json_loads(render(format, json), 0, NULL);
	cr_assert_not_null(parsed, "%s", text);
	return parsed;
}

/* Whole lines. */
static bool has_line(const char *line)
{
	struct span rest = span_from_str(text);
	struct span found;

	while (span_split(&rest, '\n', &found))
		if (span_equals(found, span_from_str(line)))
			return true;
	return false;
}

static const char small[] =
	"{'status': 'warn', 'server': {'version': '1.2', 'time': '2026-01-01T00:01:40.500Z', 'start_time': '2026-01-01T00:00:00Z',"
	" 'generation': 3, 'pid': 7, 'requests_at_once': 4, 'state': 'running', 'worker_class': 'gthread', 'directory': '/srv'},"
	" 'workers_target': 2, 'workers_current': 1, 'listeners': [{'address': 'http://a:1', 'queue': 3, 'queue_max': 100},"
	" {'address': 'unix:a', 'queue': null, 'queue_max': null}],"
	" 'workers': [{'slot': 0, 'pid': 11, 'generation': 3, 'state': 'serving', 'age_seconds': 90.5, 'rss_bytes': 1000,"
	" 'requests_total': 10, 'requests_active': 1, 'exceptions_total': 2, 'request_microseconds_total': 5000, 'sent_bytes_total': 99,"
	" 'responses_2xx_total': 8, 'last_heartbeat_seconds_ago': 0.5, 'slot_spawned_total': 4, 'virtual_bytes': 2000,"
	" 'requests_in_flight': [{'method': 'GET', 'path': '/x', 'age_seconds': 1}]},"
	" {'slot': 5, 'pid': null, 'generation': 2, 'state': 'spawning', 'age_seconds': 1, 'rss_bytes': null, 'requests_total': 0,"
	" 'last_heartbeat_seconds_ago': null, 'requests_in_flight': []}]}";

Test(formats, their_names_are_the_words_of_the_setting)
{
	struct span words = span_from_str(setting_rows[S_status_format].words);
	struct span word;
	int index = 0;

	while (span_split(&words, ' ', &word)) {
		enum status_format format = FORMAT_MAX;
		char *name = span_dup(word);

		cr_assert(format_find(name, &format));
		cr_assert_eq((int)format, index++);
		cr_assert_str_eq(format_name(format), name);
		free(name);
	}
	cr_assert_eq(index, FORMAT_MAX);
	cr_assert_not(format_find("Json", &(enum status_format){ FORMAT_JSON }));
}

Test(formats, every_format_bears_an_empty_document)
{
	for (int i = 0; i < FORMAT_MAX; i++)
		if (i != FORMAT_PROMETHEUS)
			(void)render_json((enum status_format)i, "{}");
	clear();
	document = from("{}");
	text = format_render(FORMAT_PROMETHEUS, document);
	cr_assert_str_eq(text, "");
}

Test(formats, every_format_bears_rubbish)
{
	for (int i = 0; i < FORMAT_MAX; i++)
		(void)render((enum status_format)i,
		             "{'status': 5, 'server': [], 'workers': {'a': 1}, 'listeners': [1, null, {}], 'limits': [],"
		             " 'memory': 'much', 'requests': null, 'exits_total': 3, 'totals': [], 'workers_target': 'two'}");
}

Test(formats, json_is_the_document)
{
	(void)render_json(FORMAT_JSON, small);
	cr_assert(json_equal(parsed, document));
}

Test(formats, prometheus_has_each_family_once_with_help_and_type)
{
	(void)render(FORMAT_PROMETHEUS, small);
	cr_assert(has_line("# HELP gunwale_workers_target Workers wanted."));
	cr_assert(has_line("# TYPE gunwale_workers_target gauge"));
	cr_assert(has_line("gunwale_workers_target 2"));
	cr_assert(has_line("gunwale_status{status=\"warn\"} 1"));
	cr_assert(has_line("gunwale_status{status=\"pass\"} 0"));
	cr_assert(has_line("# TYPE gunwale_worker_requests_total counter"));
	cr_assert(has_line("gunwale_worker_requests_total{slot=\"0\"} 10"));
	cr_assert(has_line("gunwale_worker_requests_total{slot=\"5\"} 0"));
	cr_assert(has_line("gunwale_worker_responses_total{class=\"2xx\",slot=\"0\"} 8"));
	cr_assert(has_line("gunwale_worker_info{slot=\"0\",pid=\"11\"} 1"));
	cr_assert(has_line("gunwale_start_time_seconds 1767225600"));
	cr_assert(has_line("gunwale_info{version=\"1.2\",worker_class=\"gthread\"} 1"));
	/* Once each. */
	for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at++) {
		char *line = xstrndup(at, strcspn(at, "\n"));

		cr_assert_null(strstr(at + 1, line), "%s", line);
		free(line);
	}
}

Test(formats, prometheus_leaves_out_what_is_null)
{
	(void)render(FORMAT_PROMETHEUS, small);
	cr_assert(has_line("gunwale_worker_resident_memory_bytes{slot=\"0\"} 1000"));
	cr_assert_null(strstr(text, "resident_memory_bytes{slot=\"5\"}"));
	cr_assert_null(strstr(text, "heartbeat_age_seconds{slot=\"5\"}"));
	cr_assert_null(strstr(text, "slot=\"5\",pid"));
	cr_assert_null(strstr(text, "container"));
	cr_assert_null(strstr(text, "limit_bytes"));
	cr_assert_null(strstr(text, "unix:a"));
	cr_assert_null(strstr(text, "null"));
}

Test(formats, prometheus_shows_memory_and_limits_where_they_are_known)
{
	(void)render(FORMAT_PROMETHEUS,
	             "{'memory': {'level': 'soft', 'container': {'current_bytes': 5, 'limit_bytes': 9, 'sock_bytes': 0, 'oom_kill_total': 2,"
	             " 'psi_some_avg10': 12.5}, 'sockets': {'bytes': 4, 'count': 1}, 'workers_pss_bytes': null},"
	             " 'limits': {'policy': 'act', 'memory': {'soft_bytes': 7, 'hard_bytes': 8, 'source': 'container'},"
	             " 'worker_memory': {'soft_bytes': null, 'hard_bytes': null}, 'socket_memory': null, 'request_memory_bytes': 6},"
	             " 'workers': [{'slot': 1, 'memory': {'rss_bytes': 1, 'pss_bytes': 2, 'uss_bytes': null,"
	             " 'growth_bytes_per_second': -1.5}, 'sockets': {'client_bytes': 3, 'upstream_bytes': 4}}]}");
	cr_assert(has_line("gunwale_container_memory_bytes 5"));
	cr_assert(has_line("gunwale_container_memory_limit_bytes 9"));
	cr_assert(has_line("gunwale_container_memory_sock_bytes 0"));
	cr_assert(has_line("# TYPE gunwale_container_oom_kills_total counter"));
	cr_assert(has_line("gunwale_container_oom_kills_total 2"));
	cr_assert(has_line("gunwale_container_memory_pressure_some_ratio 0.125"));
	cr_assert(has_line("gunwale_sockets_memory_bytes 4"));
	cr_assert(has_line("gunwale_memory_level{level=\"soft\"} 1"));
	cr_assert(has_line("gunwale_limit_bytes{budget=\"memory\",level=\"soft\"} 7"));
	cr_assert(has_line("gunwale_limit_bytes{budget=\"memory\",level=\"hard\"} 8"));
	cr_assert_null(strstr(text, "worker_memory\""));
	cr_assert(has_line("gunwale_request_memory_limit_bytes 6"));
	cr_assert(has_line("gunwale_worker_proportional_memory_bytes{slot=\"1\"} 2"));
	cr_assert_null(strstr(text, "worker_unique"));
	cr_assert(has_line("gunwale_worker_memory_growth_bytes_per_second{slot=\"1\"} -1.5"));
	cr_assert(has_line("gunwale_worker_client_sockets_memory_bytes{slot=\"1\"} 3"));
	cr_assert(has_line("gunwale_worker_upstream_sockets_memory_bytes{slot=\"1\"} 4"));
}

Test(formats, prometheus_escapes_labels)
{
	(void)render(FORMAT_PROMETHEUS, "{'listeners': [{'address': 'unix:\\\\ a\\u0022b\\nc}', 'queue': 1}]}");
	cr_assert(has_line("gunwale_listener_queue{address=\"unix:\\\\ a\\\"b\\nc}\"} 1"), "%s", text);
}

Test(formats, prometheus_has_durations_as_a_histogram)
{
	(void)render(FORMAT_PROMETHEUS,
	             "{'requests': {'latency_seconds': {'p50': 0.25, 'p95': null, 'p99': null}, 'duration_seconds': {'count': 9, 'sum': 1.5,"
	             " 'buckets': [{'le': 0.001024, 'count': 4}, {'le': 67.108864, 'count': 8}]}}}");
	cr_assert(has_line("# TYPE gunwale_request_duration_seconds histogram"));
	cr_assert(has_line("gunwale_request_duration_seconds_bucket{le=\"0.001024\"} 4"));
	cr_assert(has_line("gunwale_request_duration_seconds_bucket{le=\"67.108864\"} 8"));
	cr_assert(has_line("gunwale_request_duration_seconds_bucket{le=\"+Inf\"} 9"));
	cr_assert(has_line("gunwale_request_duration_seconds_sum 1.5"));
	cr_assert(has_line("gunwale_request_duration_seconds_count 9"));
	cr_assert(has_line("gunwale_request_recent_duration_seconds{percentile=\"50\"} 0.25"));
	cr_assert_null(strstr(text, "percentile=\"95\""));
}

static json_int_t number(const json_t *value, const char *path)
{
	cr_assert_not_null(format_at(value, path), "%s", path);
	cr_assert(json_is_integer(format_at(value, path)), "%s", path);
	return json_integer_value(format_at(value, path));
}

Test(formats, uwsgi_has_what_its_tools_want)
{
	const json_t *made = render_json(FORMAT_UWSGI, small);
	const json_t *busy = json_array_get(json_object_get(made, "workers"), 0);
	const json_t *absent = json_array_get(json_object_get(made, "workers"), 1);
	const json_t *core = json_array_get(json_object_get(busy, "cores"), 0);

	cr_assert_eq(number(made, "listen_queue"), 3);
	cr_assert_eq(number(made, "pid"), 7);
	cr_assert_str_eq(format_text(made, "cwd"), "/srv");
	cr_assert_eq(number(busy, "id"), 1);
	cr_assert_eq(number(busy, "requests"), 10);
	cr_assert_eq(number(busy, "exceptions"), 2);
	cr_assert_eq(number(busy, "avg_rt"), 500);
	cr_assert_eq(number(busy, "running_time"), 5000);
	cr_assert_eq(number(busy, "last_spawn"), 1767225610);
	cr_assert_eq(number(busy, "respawn_count"), 4);
	cr_assert_eq(number(busy, "tx"), 99);
	cr_assert_eq(number(busy, "vsz"), 2000);
	cr_assert_str_eq(format_text(busy, "status"), "busy");
	cr_assert_eq(number(core, "in_request"), 1);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(core, "vars"), 1)), "PATH_INFO=/x");
	cr_assert_eq(number(absent, "pid"), 0);
	cr_assert_eq(number(absent, "rss"), 0);
	cr_assert_eq(number(absent, "avg_rt"), 0);
	cr_assert_str_eq(format_text(absent, "status"), "pause");
}

Test(formats, puma_has_what_its_tools_want)
{
	const json_t *made = render_json(FORMAT_PUMA, small);
	const json_t *first = json_array_get(json_object_get(made, "worker_status"), 0);
	const json_t *second = json_array_get(json_object_get(made, "worker_status"), 1);

	cr_assert_eq(number(made, "workers"), 2);
	cr_assert_eq(number(made, "phase"), 3);
	cr_assert_eq(number(made, "booted_workers"), 1);
	cr_assert_eq(number(made, "old_workers"), 1);
	cr_assert_str_eq(format_text(first, "started_at"), "2026-01-01T00:00:10Z");
	cr_assert_str_eq(format_text(first, "last_checkin"), "2026-01-01T00:01:40Z");
	cr_assert_eq(number(first, "last_status.max_threads"), 4);
	cr_assert_eq(number(first, "last_status.running"), 4);
	cr_assert_eq(number(first, "last_status.pool_capacity"), 3);
	cr_assert_eq(number(first, "last_status.requests_count"), 10);
	cr_assert(json_is_true(format_at(first, "booted")));
	cr_assert(json_is_false(format_at(second, "booted")));
	cr_assert_eq(number(second, "last_status.pool_capacity"), 0);
	/* Three wait. */
	cr_assert_eq(number(first, "last_status.backlog") + number(second, "last_status.backlog"), 3);
}

Test(formats, health_says_how_it_is_and_why)
{
	const json_t *made = render_json(FORMAT_HEALTH, "{'status': 'warn', 'server': {'version': '1', 'state': 'running'},"
	                                                " 'workers_target': 2, 'workers_current': 1, 'reload': {'last_error': 'x \\n y'}}");
	const json_t *check = json_array_get(json_object_get(json_object_get(made, "checks"), "workers:serving"), 0);

	cr_assert_str_eq(format_text(made, "status"), "warn");
	cr_assert_str_eq(format_text(made, "output"), "x \n y");
	cr_assert_str_eq(format_text(check, "status"), "warn");
	cr_assert_null(format_at(made, "checks.memory:used"));
	made = render_json(FORMAT_HEALTH, "{'status': 'pass', 'memory': {'level': 'hard', 'container': {'used_bytes': 5}}}");
	check = json_array_get(json_object_get(json_object_get(made, "checks"), "memory:used"), 0);
	cr_assert_str_eq(format_text(check, "status"), "fail");
	cr_assert_null(json_object_get(made, "output"));
}

Test(formats, times_of_day)
{
	document = from("{'a': '1970-01-01T00:00:01.25Z', 'b': '2000-02-29T12:00:00Z', 'c': 'soon', 'd': null}");
	cr_assert_float_eq(format_time(document, "a"), 1.25, 1e-9);
	cr_assert_float_eq(format_time(document, "b"), 951825600, 1e-9);
	cr_assert_eq(format_time(document, "c"), 0);
	cr_assert_eq(format_time(document, "d"), 0);
}
