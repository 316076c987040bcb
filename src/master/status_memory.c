/* SPDX-License-Identifier: MIT */
/*
 * status_memory.c - the parts of the status document that are about memory: limits, memory, recycles, and each worker's.
 *
 * Called by status.c. What could not be read is null, never 0.
 */
#include "base/base.h"

#include "master/status_memory.h"

#include <signal.h>

#include "master/master.h"
#include "master/workers.h"

static json_t *known(uint64_t value)
{
	return reading_is_known(value) ? json_integer((json_int_t)value) : json_null();
}

static json_t *seconds_since(uint64_t since_ms, uint64_t now_ms)
{
	return since_ms != 0 ? json_real((double)(now_ms - since_ms) / 1000) : json_null();
}

static json_t *text_or_null(const char *text)
{
	json_t *string = text[0] != '\0' ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

/* ---- limits ---- */

static json_t *pair_json(const struct budget_pair *pair)
{
	return json_pack("{s:o, s:o, s:s}", "soft_bytes", known(pair->soft_bytes), "hard_bytes", known(pair->hard_bytes), "source",
	                 budget_source_name(pair->source));
}

static json_t *words_json(const struct strlist *words)
{
	json_t *list = json_array();

	for (size_t i = 0; i < words->count; i++)
		(void)json_array_append_new(list, json_string(words->items[i]));
	return list;
}

static json_t *option_json(const struct settings *settings, enum setting_id id)
{
	char *shown = setting_show(settings, id);
	json_t *word = json_string(shown);

	free(shown);
	return word;
}

json_t *status_limits_json(const struct master *master)
{
	const struct budget_limits *limits = &master->memory.limits;
	const struct settings *settings = &master->settings;
	json_t *service = pair_json(&limits->service), *worker = pair_json(&limits->worker);

	(void)json_object_set_new(service, "limit_bytes", known(limits->limit_bytes));
	(void)json_object_set_new(worker, "measure", option_json(settings, S_memory_measure));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:I, s:o}", "policy",
	                 option_json(settings, S_memory_policy), "remedies", words_json(&settings->memory_remedies), "memory", service,
	                 "worker_memory", worker, "request_memory_bytes", known(limits->request_bytes),
	                 "is_request_memory_auto", (int)limits->is_request_auto, "socket_memory", pair_json(&limits->sockets),
	                 "worker_socket_memory", pair_json(&limits->worker_sockets), "max_requests",
	                 settings->max_requests > 0 ? json_integer(settings->max_requests) : json_null(),
	                 "max_worker_age_seconds",
	                 settings->max_worker_age > 0 ? json_integer(settings->max_worker_age) : json_null(), "max_recycling",
	                 (json_int_t)settings->max_recycling, "sentences", words_json(&master->memory.sentences));
}

/* ---- memory ---- */

static json_t *percent(uint64_t hundredths)
{
	return reading_is_known(hundredths) ? json_real((double)hundredths / 100) : json_null();
}

static json_t *container_json(const struct memory *memory)
{
	const struct cgroup_reading *reading = &memory->container;
	json_t *container = json_pack("{s:s, s:b, s:s}", "version", cgroup_version_name(reading->version), "is_limited",
	                              (int)reading->is_limited, "path", memory->cgroup != NULL ? cgroup_path(memory->cgroup) : "");
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "limit_bytes", reading->is_limited ? reading->limit_bytes : READING_UNKNOWN },
		{ "current_bytes", reading->current_bytes },
		{ "used_bytes", reading->is_limited ? memory->used_bytes : budget_used(reading) },
		{ "peak_bytes", reading->peak_bytes },
		{ "anon_bytes", reading->anon_bytes },
		{ "file_bytes", reading->file_bytes },
		{ "shmem_bytes", reading->shmem_bytes },
		{ "kernel_bytes", reading->kernel_bytes },
		{ "sock_bytes", reading->sock_bytes },
		{ "inactive_file_bytes", reading->inactive_file_bytes },
		{ "oom_kill_total", reading->oom_kill_total },
		{ "max_event_total", reading->max_event_total },
		{ "high_event_total", reading->high_event_total },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		(void)json_object_set_new(container, rows[i].name, known(rows[i].value));
	(void)json_object_set_new(container, "psi_some_avg10", percent(reading->psi_some_avg10_hundredths));
	(void)json_object_set_new(container, "psi_full_avg10", percent(reading->psi_full_avg10_hundredths));
	return container;
}

/* Sums over the workers. */
struct sums {
	uint64_t rss, pss, uss;
	uint64_t sockets, unread;
};

static uint64_t private_of(const struct memory_track *track, uint64_t bytes)
{
	return track->agent.rollup_ms != 0 && bytes != BOARD_UNKNOWN ? bytes : READING_UNKNOWN;
}

static struct sums sum_workers(const struct master *master)
{
	struct sums sums = { READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN };

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct memory_track *track = memory_track_of(master, i);

		if (track == NULL || track->rss.fine_count == 0)
			continue;
		sums.rss = reading_add(sums.rss, series_last(&track->rss));
		sums.pss = reading_add(sums.pss, private_of(track, track->agent.pss_bytes));
		sums.uss = reading_add(sums.uss, private_of(track, track->agent.uss_bytes));
		if (track->agent.sockets_ms == 0)
			continue;
		sums.sockets = reading_add(sums.sockets, track->agent.sockets_open);
		sums.unread = reading_add(sums.unread, track->agent.sockets_unread_bytes);
	}
	return sums;
}

static json_t *sockets_json(const struct memory *memory, const struct sums *sums)
{
	const struct sockdiag_reading *diag = &memory->diag;
	const bool has_agents = diag->method == SOCKDIAG_NONE;
	const char *method = !has_agents ? sockdiag_method_name(diag->method)
	                     : reading_is_known(memory->socket_bytes) ? "agents"
	                                                              : "none";

	return json_pack("{s:o, s:o, s:o, s:s, s:s}", "bytes", known(memory->socket_bytes), "count",
	                 known(has_agents ? sums->sockets : diag->sockets), "unread_bytes",
	                 known(has_agents ? sums->unread : diag->receive_bytes), "method", method, "level",
	                 budget_level_name(memory->socket_level));
}

json_t *status_memory_json(const struct master *master)
{
	const struct memory *memory = &master->memory;
	const struct sums sums = sum_workers(master);

	return json_pack("{s:s, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "level",
	                 budget_level_name(memory->level), "used_bytes", known(memory->used_bytes), "container",
	                 container_json(memory), "machine", "total_bytes", known(memory->container.machine_bytes),
	                 "available_bytes", known(memory->container.available_bytes), "sockets", sockets_json(memory, &sums),
	                 "master_rss_bytes", known(memory->own_rss_bytes), "template_rss_bytes", known(memory->template_rss_bytes),
	                 "workers_rss_bytes", known(sums.rss), "workers_pss_bytes", known(sums.pss), "workers_uss_bytes",
	                 known(sums.uss), "has_room_for_successor", (int)!master->pool.has_no_room);
}

/* ---- workers ---- */

static json_t *top_json(const struct board_agent_reading *agent, uint64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < agent->socket_count; i++)
		(void)json_array_append_new(
			list, json_pack("{s:o, s:b, s:I, s:I, s:I, s:o}", "peer", text_or_null(agent->sockets[i].peer), "is_client",
		                        (int)agent->sockets[i].is_client, "memory_bytes", (json_int_t)agent->sockets[i].memory_bytes,
		                        "unread_bytes", (json_int_t)agent->sockets[i].unread_bytes, "unsent_bytes",
		                        (json_int_t)agent->sockets[i].unsent_bytes, "unread_seconds",
		                        seconds_since(agent->sockets[i].since_ms, now_ms)));
	return list;
}

void status_add_worker_memory(json_t *worker, const struct master *master, uint32_t slot, uint64_t now_ms)
{
	const struct memory_track *track = memory_track_of(master, slot);
	const struct board_agent_reading *agent;

	if (track == NULL) {
		(void)json_object_set_new(worker, "memory", json_null());
		(void)json_object_set_new(worker, "sockets", json_null());
		(void)json_object_set_new(worker, "last_remedy", json_null());
		return;
	}
	agent = &track->agent;
	(void)json_object_set_new(
		worker, "memory",
		json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:s}", "rss_bytes",
	                  known(track->rss.fine_count > 0 ? series_last(&track->rss) : READING_UNKNOWN),
	                  "growth_bytes_per_second", (json_int_t)series_slope(&track->rss, 10000), "baseline_bytes",
	                  known(track->baseline_bytes), "pss_bytes", known(private_of(track, agent->pss_bytes)), "uss_bytes",
	                  known(private_of(track, agent->uss_bytes)), "measured_seconds_ago",
	                  seconds_since(agent->rollup_ms, now_ms), "level", budget_level_name(track->level)));
	(void)json_object_set_new(
		worker, "sockets",
		agent->sockets_ms == 0 ? json_null()
				       : json_pack("{s:o, s:o, s:o, s:o, s:s, s:o}", "count", known(agent->sockets_open),
	                                           "client_bytes", known(agent->sockets_client_bytes), "upstream_bytes",
	                                           known(agent->sockets_upstream_bytes), "unread_bytes",
	                                           known(agent->sockets_unread_bytes), "level",
	                                           budget_level_name(track->socket_level), "top", top_json(agent, now_ms)));
	(void)json_object_set_new(worker, "last_remedy",
	                          track->remedy == REMEDY_MAX
	                                  ? json_null()
	                                  : json_pack("{s:s, s:b, s:I, s:o}", "name", remedy_name(track->remedy), "is_pending",
	                                              (int)(track->remedy_serial != 0), "amount",
	                                              (json_int_t)track->remedy_amount, "text", text_or_null(track->remedy_text)));
}

/* ---- recycles and exits ---- */

json_t *status_recycles_json(const struct master *master)
{
	const struct recycles *recycles = &master->recycles;
	json_t *list = json_array();

	for (uint64_t i = recycles->total > RECYCLES_MAX ? recycles->total - RECYCLES_MAX : 0; i < recycles->total; i++) {
		const struct recycle *recycle = &recycles->ring[i % RECYCLES_MAX];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:s, s:b, s:I, s:f, s:o, s:o, s:o}", "time", recycle->time, "slot",
		                        (json_int_t)recycle->slot, "pid", (json_int_t)recycle->pid, "reason",
		                        slot_reason_name(recycle->reason), "successor_first", (int)recycle->is_successor_first,
		                        "requests_total", (json_int_t)recycle->requests_total, "age_seconds",
		                        (double)recycle->age_ms / 1000, "rss_bytes", known(recycle->rss_bytes), "sockets_bytes",
		                        known(recycle->sockets_bytes), "budget_bytes", known(recycle->budget_bytes)));
	}
	return list;
}

void status_add_exit_memory(json_t *exit, const struct obituary *obituary)
{
	json_t *requests = json_array();
	const char *killer = obituary->signal != SIGKILL    ? NULL
	                     : obituary->was_ours           ? "master"
	                     : obituary->kernel_kill == 1   ? "kernel_oom"
	                     : obituary->kernel_kill == 0   ? "other"
	                                                    : NULL;

	for (size_t i = 0; i < obituary->request_count; i++)
		(void)json_array_append_new(requests, json_pack("{s:s, s:s, s:f}", "method", obituary->requests[i].method, "path",
		                                                obituary->requests[i].path, "age_seconds",
		                                                (double)obituary->requests[i].age_ms / 1000));
	(void)json_object_set_new(exit, "killed_by", killer != NULL ? json_string(killer) : json_null());
	(void)json_object_set_new(exit, "rss_bytes", known(obituary->rss_bytes));
	(void)json_object_set_new(exit, "sockets_bytes", known(obituary->sockets_bytes));
	(void)json_object_set_new(exit, "requests_in_flight", requests);
}
