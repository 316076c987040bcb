/* SPDX-License-Identifier: MIT */
/*
 * formats_tools.c - the status document as uWSGI and Puma show theirs, and as a health check.
 *
 * Called by formats.c. Pure. Tools made for the first two do sums: what is unknown has to be a number there, 0.
 */
#include "base/base.h"

#include "master/formats.h"

static json_t *whole(double value)
{
	return json_integer((json_int_t)value);
}

static bool is_serving(const json_t *worker)
{
	return strcmp(format_text(worker, "state"), "serving") == 0;
}

static double waiting(const json_t *document)
{
	const json_t *listener;
	size_t i;
	double sum = 0;

	json_array_foreach(format_at(document, "listeners"), i, listener)
		sum += format_number(listener, "queue");
	return sum;
}

/* ---- uWSGI: core/stats.c ---- */

static json_t *uwsgi_sockets(const json_t *document)
{
	const json_t *listener;
	size_t i;
	json_t *list = json_array();

	json_array_foreach(format_at(document, "listeners"), i, listener)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:o, s:o, s:i, s:i}", "name", format_text(listener, "address"), "proto", "http",
		                        "queue", whole(format_number(listener, "queue")), "max_queue",
		                        whole(format_number(listener, "queue_max")), "shared", 0, "can_offload", 0));
	return list;
}

/* One core for each request in flight, as there is one for each thread or greenlet; the first has counted them all. */
static json_t *uwsgi_cores(const json_t *worker)
{
	const json_t *requests = format_at(worker, "requests_in_flight");
	size_t count = json_array_size(requests);
	json_t *list = json_array();

	for (size_t i = 0; i < MAX(count, (size_t)1); i++) {
		const json_t *request = json_array_get(requests, i);
		json_t *vars = json_array();
		char *method = xasprintf("REQUEST_METHOD=%s", format_text(request, "method"));
		char *path = xasprintf("PATH_INFO=%s", format_text(request, "path"));

		if (request != NULL) {
			(void)json_array_append_new(vars, json_string(method));
			(void)json_array_append_new(vars, json_string(path));
		}
		(void)json_array_append_new(
			list, json_pack("{s:I, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "id", (json_int_t)i, "requests",
		                        whole(i == 0 ? format_number(worker, "requests_total") : 0), "static_requests", 0,
		                        "routed_requests", 0, "offloaded_requests", 0, "write_errors", 0, "read_errors", 0,
		                        "in_request", (int)(request != NULL), "vars", vars));
		free(method);
		free(path);
	}
	return list;
}

static const char *uwsgi_state(const json_t *worker)
{
	if (!is_serving(worker))
		return "pause";
	return format_number(worker, "requests_active") > 0 ? "busy" : "idle";
}

static json_t *uwsgi_worker(const json_t *document, const json_t *worker)
{
	double requests = format_number(worker, "requests_total");
	double spent_us = format_number(worker, "request_microseconds_total");
	double spawned = format_time(document, "server.time") - format_number(worker, "age_seconds");
	json_t *made = json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:s}", "id",
	                         whole(format_number(worker, "slot") + 1), "pid", whole(format_number(worker, "pid")), "accepting",
	                         (int)is_serving(worker), "requests", whole(requests), "delta_requests", whole(requests),
	                         "exceptions", whole(format_number(worker, "exceptions_total")), "harakiri_count", 0, "signals",
	                         0, "signal_queue", 0, "status", uwsgi_state(worker));

	(void)json_object_set_new(made, "rss", whole(format_number(worker, "rss_bytes")));
	(void)json_object_set_new(made, "vsz", whole(format_number(worker, "virtual_bytes")));
	(void)json_object_set_new(made, "running_time", whole(spent_us));
	(void)json_object_set_new(made, "last_spawn", whole(MAX(spawned, 0)));
	(void)json_object_set_new(made, "respawn_count", whole(format_number(worker, "slot_spawned_total")));
	(void)json_object_set_new(made, "tx", whole(format_number(worker, "sent_bytes_total")));
	(void)json_object_set_new(made, "avg_rt", whole(requests > 0 ? spent_us / requests : 0));
	(void)json_object_set_new(made, "apps", json_array());
	(void)json_object_set_new(made, "cores", uwsgi_cores(worker));
	return made;
}

json_t *format_uwsgi(const json_t *document)
{
	const json_t *worker;
	size_t i;
	json_t *workers = json_array();

	json_array_foreach(format_at(document, "workers"), i, worker)
		(void)json_array_append_new(workers, uwsgi_worker(document, worker));

	json_t *made = json_pack("{s:s, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:s, s:[], s:o, s:o}", "version",
	                         format_text(document, "server.version"), "listen_queue", whole(waiting(document)),
	                         "listen_queue_errors", 0, "signal_queue", 0, "load", 0, "pid",
	                         whole(format_number(document, "server.pid")), "uid", whole(format_number(document, "server.uid")),
	                         "gid", whole(format_number(document, "server.gid")), "cwd",
	                         format_text(document, "server.directory"), "locks", "sockets", uwsgi_sockets(document), "workers",
	                         workers);

	(void)json_object_set_new(made, "load", whole(format_number(document, "requests.active")));
	return made;
}

/* ---- Puma: cluster.rb stats() ---- */

static json_t *time_json(double seconds)
{
	char text[32];
	time_t whole_seconds = (time_t)MAX(seconds, 0);
	struct tm parts;

	(void)gmtime_r(&whole_seconds, &parts);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_string(text);
}

/*
 * backlog: workers here accept no more than they can serve, so who waits does so in queues that they share. Each is given its part,
 * so that the sum, which tools scale by, is right.
 */
static json_t *puma_last_status(const json_t *document, const json_t *worker, size_t index, size_t count)
{
	json_int_t queue = (json_int_t)waiting(document);
	double capacity = MAX(format_number(document, "server.requests_at_once"), 1);
	double busy = MIN(format_number(worker, "requests_active"), capacity);

	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "backlog",
	                 queue / (json_int_t)count + ((json_int_t)index < queue % (json_int_t)count), "running", whole(capacity),
	                 "pool_capacity", whole(is_serving(worker) ? capacity - busy : 0), "busy_threads", whole(busy), "max_threads",
	                 whole(capacity), "requests_count", whole(format_number(worker, "requests_total")));
}

static json_t *puma_worker(const json_t *document, const json_t *worker, size_t index, size_t count)
{
	double now = format_time(document, "server.time");
	bool is_booted = is_serving(worker) || strcmp(format_text(worker, "state"), "retiring") == 0;

	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "started_at",
	                 time_json(now - format_number(worker, "age_seconds")), "pid", whole(format_number(worker, "pid")), "index",
	                 whole(format_number(worker, "slot")), "phase", whole(format_number(worker, "generation")), "booted",
	                 (int)is_booted, "last_checkin", time_json(now - format_number(worker, "last_heartbeat_seconds_ago")),
	                 "last_status", puma_last_status(document, worker, index, count));
}

json_t *format_puma(const json_t *document)
{
	const json_t *list = format_at(document, "workers");
	double generation = format_number(document, "server.generation");
	json_t *workers = json_array();
	json_int_t old = 0;
	json_int_t booted = 0;
	const json_t *worker;
	size_t i;

	json_array_foreach(list, i, worker) {
		old += format_number(worker, "generation") < generation;
		booted += is_serving(worker);
		(void)json_array_append_new(workers, puma_worker(document, worker, i, json_array_size(list)));
	}
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:{s:{s:s, s:s}}}", "started_at",
	                 format_text(document, "server.start_time"), "workers", whole(format_number(document, "workers_target")),
	                 "phase", whole(generation), "booted_workers", booted, "old_workers", old, "worker_status", workers,
	                 "versions", "gunwale", "engine", "gunwale", "version", format_text(document, "server.version"));
}

/* ---- draft-inadarei-api-health-check-06 ---- */

static void add_check(json_t *checks, const char *name, const json_t *value, const char *unit, const char *status)
{
	if (json_is_number(value))
		(void)json_object_set_new(checks, name,
		                          json_pack("[{s:f, s:s, s:s}]", "observedValue", json_number_value(value), "observedUnit",
		                                    unit, "status", status));
}

static const char *level_status(const char *level)
{
	if (strcmp(level, "hard") == 0)
		return "fail";
	return strcmp(level, "soft") == 0 ? "warn" : "pass";
}

json_t *format_health(const json_t *document)
{
	const char *error = format_text(document, "reload.last_error");
	const char *state = format_text(document, "server.state");
	double serving = format_number(document, "workers_current");
	bool has_all = serving > 0 && serving >= format_number(document, "workers_target");
	json_t *checks = json_object();
	json_t *made = json_pack("{s:s, s:s, s:s, s:o}", "status", format_text(document, "status"), "description", state,
	                         "releaseId", format_text(document, "server.version"), "checks", checks);

	add_check(checks, "uptime", format_at(document, "server.uptime_seconds"), "s", "pass");
	add_check(checks, "workers:serving", format_at(document, "workers_current"), "workers",
	          has_all ? "pass" : serving > 0 || strcmp(state, "starting") == 0 ? "warn" : "fail");
	add_check(checks, "memory:used", format_at(document, "memory.container.used_bytes"), "By",
	          level_status(format_text(document, "memory.level")));
	add_check(checks, "responses:p99", format_at(document, "requests.latency_seconds.p99"), "s", "pass");
	if (error[0] != '\0')
		(void)json_object_set_new(made, "output", json_string(error));
	return made;
}
