/* SPDX-License-Identifier: MIT */
/*
 * status.c - the status document.
 *
 * Called by master.c. What could not be read is null, never 0.
 */
#include "base/base.h"

#include "master/status.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"
#include "master/workers.h"

/* ---- the document ---- */

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

/* pass: all wanted workers serve; warn: some do; fail: none does. */
static const char *verdict_word(const struct master *master)
{
	long serving = (long)pool_count(&master->pool, SLOT_SERVING);

	if (stop_is_on(&master->stop) || (serving == 0 && master->pool.target > 0))
		return "fail";
	return serving >= master->pool.target && master->reload.last_error[0] == '\0' ? "pass" : "warn";
}

static json_t *server_json(const struct master *master, uint64_t now_ms)
{
	char start[32];
	time_t wall = clock_wall() - (time_t)((now_ms - master->started_ms) / 1000);
	struct tm parts;

	(void)gmtime_r(&wall, &parts);
	(void)strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:o}", "name", "gunwale", "version", PACKAGE_VERSION, "pid",
	                 (int)getpid(), "generation", (json_int_t)master->pool.generation, "state", state_word(master),
	                 "start_time", start, "uptime_seconds", seconds(now_ms - master->started_ms));
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

static json_t *requests_json(const struct counter_sums *sums)
{
	return json_pack("{s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "total", number(sums->requests_total), "active",
	                 number(sums->requests_active), "by_status", "1xx", number(sums->responses_1xx_total), "2xx",
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
	add_counters(worker, ret_reading);
	add_requests(worker, ret_reading, now_ms);
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

char *status_render(struct master *master)
{
	uint64_t now_ms = clock_ms();
	struct counter_sums sums = master->obituaries.sums;
	json_t *workers = workers_json(master, now_ms, &sums);

	/* The master's own lines may be lost as well. */
	sums.log_dropped_total += log_dropped_total();

	json_t *document = json_pack(
		"{s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", STATUS_SCHEMA, "status",
		verdict_word(master), "server", server_json(master, now_ms), "listeners", listeners_json(master),
		"workers_target", (json_int_t)master->pool.target, "workers_current",
		(json_int_t)pool_count(&master->pool, SLOT_SERVING), "workers_spawned_total", (json_int_t)master->spawned_total,
		"templates", (json_int_t)templates_count(master), "workers", workers, "exits", exits_json(master), "exits_total",
		exit_counts_json(master), "requests", requests_json(&sums), "totals",
		totals_json(&sums), "reload", reload_json(master));
	char *text = document != NULL ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;

	json_decref(document);
	return text;
}

/* ---- the file ---- */

struct write_job {
	uv_work_t work;
	struct master *master;
	char *path;
	char *text;
	int error;
};

/* The caller frees; NULL: none is wanted. Two masters must not write one file. */
static char *status_path(const struct master *master)
{
	const char *path = master->settings.status_file;

	return path != NULL ? xasprintf("%s%s", path, upgrade_suffix(master)) : NULL;
}

static int write_file(const char *path, const char *text)
{
	char *lines = xasprintf("%s\n", text);
	int error = fd_replace_file(path, lines, strlen(lines), false);

	free(lines);
	return error;
}

/* Once per trouble, not once per write: a full disk must not fill the log as well. */
static void complain(struct status *status, const char *path, int error)
{
	if (error != 0 && !status->has_complained)
		log_error("Can't write the status file '%s': %s", path, strerror(-error));
	status->has_complained = error != 0;
}

static void on_pool_thread(uv_work_t *work)
{
	struct write_job *job = work->data;

	job->error = write_file(job->path, job->text);
}

static void free_job(struct write_job *job)
{
	free(job->path);
	free(job->text);
	free(job);
}

static void remove_second(const struct master *master)
{
	char *second = xasprintf("%s.2", master->settings.status_file);

	(void)unlink(second);
	free(second);
}

static void on_written(uv_work_t *work, int cancelled)
{
	struct write_job *job = work->data;
	struct master *master = job->master;

	char *path = status_path(master);

	master->status.is_writing = false;
	if (cancelled == 0)
		complain(&master->status, job->path, job->error);
	/* It was begun under the old name. */
	if (path != NULL && strcmp(path, job->path) != 0 && !upgrade_is_second(master))
		remove_second(master);
	free(path);
	free_job(job);
	master_update(master);
}

void status_soon(struct status *status)
{
	uint64_t soon_ms = clock_ms() + STATUS_SOON_MS;

	if (status->next_ms == 0 || status->next_ms > soon_ms)
		status->next_ms = soon_ms;
}

void status_on_time(struct master *master, uint64_t now_ms)
{
	struct status *status = &master->status;
	const struct settings *settings = &master->settings;

	if (settings->status_file == NULL || !master->is_up || master->stop.state == STOP_DONE) {
		status->next_ms = 0;
		return;
	}
	if (status->next_ms != 0 && now_ms < status->next_ms)
		return;
	if (status->is_writing) { /* a slow disk: on_written() comes back here */
		status->next_ms = now_ms + STATUS_SOON_MS;
		return;
	}
	status->next_ms = now_ms + (uint64_t)MAX(settings->status_interval, 1) * 1000;

	struct write_job *job = xcalloc(1, sizeof(*job));

	job->work.data = job;
	job->master = master;
	job->path = status_path(master);
	job->text = status_render(master);
	if (job->text == NULL || uv_queue_work(&master->loop, &job->work, on_pool_thread, on_written) != 0) {
		free_job(job);
		return;
	}
	status->is_writing = true;
}

void status_promote(struct master *master)
{
	if (master->settings.status_file != NULL)
		remove_second(master);
	status_soon(&master->status);
}

void status_write_last(struct master *master)
{
	char *path = status_path(master);
	char *text = NULL;

	if (path == NULL || !master->is_up)
		goto out;
	/* A write that is under way would put an older state over this one. */
	while (master->status.is_writing && uv_run(&master->loop, UV_RUN_ONCE) != 0)
		;
	/* Nobody will look at the file of a second master that has left. */
	if (upgrade_is_second(master)) {
		(void)unlink(path);
		goto out;
	}
	text = status_render(master);
	if (text != NULL)
		complain(&master->status, path, write_file(path, text));
out:
	free(text);
	free(path);
}
