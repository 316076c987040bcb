/* SPDX-License-Identifier: MIT */
/*
 * status.c - the status document.
 *
 * Called by status_file.c, webstatus.c and control.c. What could not be read is null, never 0. docs/status.md and
 * docs/status.schema.json describe it: change them with it.
 */
#include "base/base.h"

#include "master/status.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/status_memory.h"
#include "master/templates.h"
#include "master/workers.h"
#include "shared/worker_class.h"

static json_t *seconds(uint64_t ms)
{
	return json_real((double)ms / 1000.0);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static const char *state_word(const struct master *master)
{
	if (stop_is_on(&master->stop))
		return "stopping";
	if (master->pool.generation == 0)
		return "starting";
	return master->reload.state == RELOAD_IDLE ? "running" : "reloading";
}

/* pass: all wanted workers serve; warn: some do, or the start is under way; fail: none does. */
static const char *verdict_word(const struct master *master)
{
	long serving = (long)pool_count(&master->pool, SLOT_SERVING);

	if (!stop_is_on(&master->stop) && !master->has_served && (master->pool.generation == 0 || master->pool.target > 0))
		return "warn";
	if (stop_is_on(&master->stop) || (serving == 0 && master->pool.target > 0))
		return "fail";
	return serving >= master->pool.target && master->reload.last_error[0] == '\0' ? "pass" : "warn";
}

static json_t *directory_json(void)
{
	char *path = getcwd(NULL, 0);
	json_t *text = path != NULL ? json_string(path) : NULL;

	free(path);
	return text != NULL ? text : json_null(); /* removed, or no UTF-8 */
}

/* How many requests the application of one worker can have at the same time. */
static long requests_at_once(const struct settings *settings)
{
	const char *loop = worker_class_loop(settings);

	if (loop != NULL && strcmp(loop, "gthread") == 0)
		return MAX(settings->threads, 1);
	return loop != NULL && strcmp(loop, "gevent") == 0 ? settings->worker_connections : 1;
}

static json_t *server_json(const struct master *master, uint64_t now_ms)
{
	char now[32];
	char start[32];
	struct tm parts;

	(void)gmtime_r(&master->started_wall, &parts);
	(void)strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%SZ", &parts);
	clock_rfc3339(now, sizeof(now));
	return json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:o}", "name", "gunwale", "version",
	                 PACKAGE_VERSION, "pid", (int)getpid(), "generation", (json_int_t)master->pool.generation, "state",
	                 state_word(master), "start_time", start, "time", now, "uptime_seconds",
	                 seconds(now_ms - master->started_ms), "worker_class", worker_class_shown(&master->settings),
	                 "requests_at_once", (json_int_t)requests_at_once(&master->settings), "uid", (json_int_t)geteuid(), "gid",
	                 (json_int_t)getegid(), "directory", directory_json());
}

static json_t *listeners_json(const struct master *master)
{
	json_t *list = json_array();

	for (size_t i = 0; i < master->listeners.count; i++) {
		const struct listener *listener = listeners_get(&master->listeners, i);
		uint32_t waiting;
		uint32_t limit;
		char *name = listeners_name(&master->listeners, i, &master->settings);
		bool is_known = listen_queue(listener, &waiting, &limit) == 0;

		(void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "address", name, "queue",
		                                            is_known ? number(waiting) : json_null(), "queue_max",
		                                            is_known ? number(limit) : json_null()));
		free(name);
	}
	return list;
}

static void add_requests(json_t *worker, const struct board_reading *reading, uint64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < reading->request_count; i++)
		(void)json_array_append_new(list, json_pack("{s:s%, s:s%, s:o}", "method", reading->requests[i].method,
		                                            strlen(reading->requests[i].method), "path",
		                                            reading->requests[i].path, strlen(reading->requests[i].path),
		                                            "age_seconds", seconds(now_ms - reading->requests[i].started_ms)));
	(void)json_object_set_new(worker, "requests_in_flight", list);
}

static json_t *quantile_json(const uint64_t counts[BOARD_LATENCIES], double part)
{
	double value;

	/* Its class is a quarter of a doubling wide: more digits would be invented. */
	return latency_quantile(counts, part, &value) ? json_real((double)(uint64_t)(value * 1e6) / 1e6) : json_null();
}

/*
 * Cumulative, as Prometheus has it. The limits are ends of classes, one a doubling, so that every count is exact; with round
 * limits none would be.
 */
static json_t *durations_json(const uint64_t counts[BOARD_LATENCIES], const struct counter_sums *sums)
{
	enum { FIRST = 4 * 4, LAST = 20 * 4 }; /* 1.024 milliseconds to 67 seconds */
	json_t *buckets = json_array();
	uint64_t below = 0;

	for (size_t i = 0; i <= LAST; i++) {
		below += counts[i];
		if (i >= FIRST && i % 4 == 0)
			(void)json_array_append_new(buckets, json_pack("{s:f, s:o}", "le", (double)board_latency_end_us(i) / 1e6,
			                                               "count", number(below)));
	}
	return json_pack("{s:o, s:f, s:o}", "count", number(latency_total(counts)), "sum",
	                 (double)sums->request_microseconds_total / 1e6, "buckets", buckets);
}

static json_t *requests_json(const struct master *master, const struct counter_sums *sums)
{
	uint64_t all[BOARD_LATENCIES];
	uint64_t recent[BOARD_LATENCIES];

	latency_sum(master, all);
	latency_recent(&master->latency, all, recent);
	return json_pack("{s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "total", number(sums->requests_total), "active",
	                 number(sums->requests_active), "latency_seconds", "p50", quantile_json(recent, 0.5), "p95",
	                 quantile_json(recent, 0.95), "p99", quantile_json(recent, 0.99), "duration_seconds",
	                 durations_json(all, sums), "by_status", "1xx", number(sums->responses_1xx_total), "2xx",
	                 number(sums->responses_2xx_total), "3xx", number(sums->responses_3xx_total), "4xx",
	                 number(sums->responses_4xx_total), "5xx", number(sums->responses_5xx_total));
}

static json_t *totals_json(const struct counter_sums *sums)
{
	json_t *totals = json_object();

#define COUNTER(name, kind, unit, text) (void)json_object_set_new(totals, #name, number(sums->name));
#include "tables/counters.def"
#undef COUNTER
	return totals;
}

static void add_counters(json_t *object, const struct board_reading *reading)
{
#define COUNTER(name, kind, unit, text) (void)json_object_set_new(object, #name, number(reading->name));
#include "tables/counters.def"
#undef COUNTER
}

static json_t *worker_json(const struct master *master, const struct slot *slot, uint64_t now_ms,
                           struct board_reading *ret_reading)
{
	const struct slot_facts *facts = slot_facts_const(slot);
	uint32_t index = slot_index(slot);
	uint64_t rss_bytes = 0;
	uint64_t virtual_bytes = 0;
	bool has_rss = workers_rss(master, index, &rss_bytes) == 0;

	board_read(&master->board, index, now_ms, ret_reading);

	json_t *worker = json_pack(
		"{s:I, s:o, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:b}", "slot", (json_int_t)index, "pid",
		facts->pid > 0 ? json_integer(facts->pid) : json_null(), "serial", (json_int_t)facts->serial, "generation",
		(json_int_t)facts->generation, "state", slot_state_name(slot_state(slot)), "phase",
		board_phase_name(ret_reading->phase), "age_seconds", seconds(now_ms - facts->spawned_ms), "rss_bytes",
		has_rss ? number(rss_bytes) : json_null(), "last_heartbeat_seconds_ago",
		ret_reading->beat_ms != 0 ? seconds(now_ms - ret_reading->beat_ms) : json_null(), "is_recycling",
		(int)facts->wants_recycle);

	(void)json_object_set_new(worker, "request_limit",
	                          facts->request_limit > 0 ? number(facts->request_limit) : json_null());
	(void)json_object_set_new(worker, "virtual_bytes",
	                          workers_virtual(master, index, &virtual_bytes) == 0 ? number(virtual_bytes) : json_null());
	(void)json_object_set_new(worker, "slot_spawned_total", number(workers_spawned(master, index)));
	add_counters(worker, ret_reading);
	add_requests(worker, ret_reading, now_ms);
	status_add_worker_memory(worker, master, index, now_ms);
	return worker;
}

static json_t *exits_json(const struct master *master)
{
	const struct obituaries *obituaries = &master->obituaries;
	uint64_t first = obituaries->total > OBITUARIES_MAX ? obituaries->total - OBITUARIES_MAX : 0;
	json_t *list = json_array();

	for (uint64_t i = first; i < obituaries->total; i++) {
		const struct obituary *obituary = &obituaries->ring[i % OBITUARIES_MAX];
		json_t *last_words = obituary->last_words[0] != '\0' ? json_string(obituary->last_words) : NULL;

		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "time", obituary->time, "slot",
		                  (json_int_t)obituary->slot, "pid", (json_int_t)obituary->pid, "serial",
		                  (json_int_t)obituary->serial, "generation", (json_int_t)obituary->generation, "reason",
		                  slot_reason_name(obituary->reason), "exit_code",
		                  obituary->exit_code >= 0 ? json_integer(obituary->exit_code) : json_null(), "signal",
		                  obituary->signal > 0 ? json_integer(obituary->signal) : json_null(), "requests_total",
		                  number(obituary->requests_total), "age_seconds", seconds(obituary->age_ms), "last_words",
		                  last_words != NULL ? last_words : json_null()));
		status_add_exit_memory(json_array_get(list, json_array_size(list) - 1), obituary);
	}
	return list;
}

static json_t *exit_counts_json(const struct master *master)
{
	json_t *counts = json_object();

	for (int i = REASON_NONE + 1; i < REASON_MAX; i++)
		(void)json_object_set_new(counts, slot_reason_name((enum slot_reason)i), number(master->obituaries.by_reason[i]));
	return counts;
}

static json_t *reload_json(const struct master *master)
{
	const struct reload *reload = &master->reload;
	size_t len = strlen(reload->last_error);
	json_t *error = NULL;

	/* It may have been cut inside a character. */
	for (size_t cut = 0; len > 0 && error == NULL && cut < 4 && cut < len; cut++)
		error = json_stringn(reload->last_error, len - cut);

	return json_pack("{s:s, s:I, s:I, s:o}", "state", reload_state_name(reload->state), "succeeded_total",
	                 (json_int_t)reload->succeeded_total, "failed_total", (json_int_t)reload->failed_total, "last_error",
	                 error != NULL ? error : json_null());
}

/* sums: those of ended workers in, those of the living added. */
static json_t *workers_json(const struct master *master, uint64_t now_ms, struct counter_sums *sums)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct board_reading reading;

		if (slot_state(master->pool.slots[i]) == SLOT_EMPTY)
			continue;
		(void)json_array_append_new(list, worker_json(master, master->pool.slots[i], now_ms, &reading));
		counter_sums_add(sums, &reading, true);
	}
	return list;
}

json_t *status_document(const struct master *master)
{
	uint64_t now_ms = clock_ms();
	struct counter_sums sums = master->obituaries.sums;
	json_t *workers = workers_json(master, now_ms, &sums);

	/* The master's own lines may be lost as well. */
	sums.log_dropped_total += log_dropped_total();

	json_t *document = json_pack(
		"{s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:[], s:o, s:o, s:o}", "schema", STATUS_SCHEMA, "status",
		verdict_word(master), "server", server_json(master, now_ms), "listeners", listeners_json(master),
		"workers_target", (json_int_t)master->pool.target, "workers_current",
		(json_int_t)pool_count(&master->pool, SLOT_SERVING), "workers_spawned_total", (json_int_t)master->spawned_total,
		"templates", (json_int_t)templates_count(master), "workers", workers, "exits", exits_json(master), "exits_total",
		exit_counts_json(master), "verdicts", "requests", requests_json(master, &sums), "totals", totals_json(&sums),
		"reload", reload_json(master));
	if (document != NULL) {
		(void)json_object_set_new(document, "limits", status_limits_json(master));
		(void)json_object_set_new(document, "memory", status_memory_json(master));
		(void)json_object_set_new(document, "recycles", status_recycles_json(master));
		(void)json_object_set_new(document, "recycles_total", json_integer((json_int_t)master->recycles.total));
	}

	/* A text that is no UTF-8 would be our bug, but no reason to end a service. */
	return document != NULL ? document : json_pack("{s:i, s:s}", "schema", STATUS_SCHEMA, "status", verdict_word(master));
}

/* ---- for those who ask often ---- */

static void forget(struct status *status)
{
	json_decref(status->document);
	status->document = NULL;
	for (size_t i = 0; i < FORMAT_MAX; i++) {
		free(status->texts[i]);
		status->texts[i] = NULL;
	}
}

const json_t *status_recent(struct master *master)
{
	struct status *status = &master->status;
	uint64_t now_ms = clock_ms();

	if (status->document == NULL || now_ms >= status->stale_ms) {
		forget(status);
		status->document = status_document(master);
		status->stale_ms = now_ms + STATUS_STALE_MS;
	}
	return status->document;
}

const char *status_text(struct master *master, enum status_format format)
{
	const json_t *document = status_recent(master);
	char **text = &master->status.texts[format];

	if (*text == NULL)
		*text = format_render(format, document);
	return *text;
}

void status_renew(struct status *status)
{
	status->stale_ms = 0;
}

void status_release(struct status *status)
{
	forget(status);
}
