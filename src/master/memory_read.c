/* SPDX-License-Identifier: MIT */
/*
 * memory_read.c - the readings of memory: of each worker, of the service, of the container, of sockets.
 *
 * Called by memory.c. Judges nothing. Never waits.
 */
#include "base/base.h"

#include "master/memory_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"
#include "master/workers.h"

enum {
	PRESSED_MS = 250, /* between two looks of agents at sockets, while something is over */
	IDLE_MS = 5000,   /* the same while nothing is budgeted: for the status file alone */
	STALE_MS = 60000, /* private size is read again */
	FRESH_MS = 2000,  /* as old as it may be when a worker is judged by it */
};

#define BUSY_SLOPE ((int64_t)1 << 20)

static uint64_t rss_of_process(pid_t pid)
{
	struct procmem procmem;
	uint64_t bytes = READING_UNKNOWN;

	procmem_init(&procmem);
	if (pid > 0 && procmem_open(&procmem, pid) == 0 && procmem_read(&procmem, &bytes) != 0)
		bytes = READING_UNKNOWN;
	procmem_close(&procmem);
	return bytes;
}

/* pss and uss go with rss since they were read. */
static uint64_t since_measured(const struct memory_track *track, uint64_t read_bytes)
{
	const uint64_t rss = series_last(&track->rss), before = track->measured_rss_bytes;

	return rss > before ? read_bytes + (rss - before) : read_bytes - MIN(read_bytes, before - rss);
}

uint64_t memory_measure_of(const struct master *master, const struct memory_track *track)
{
	const struct board_agent_reading *agent = &track->agent;
	const uint64_t rss = series_last(&track->rss);
	uint64_t read_bytes = agent->uss_bytes;

	if (master->settings.memory_measure == MEMORY_MEASURE_RSS)
		return rss;
	if (master->settings.memory_measure == MEMORY_MEASURE_PSS)
		read_bytes = agent->pss_bytes;
	if (agent->rollup_ms == 0 || read_bytes == BOARD_UNKNOWN) {
		/* The agent can't: what it has that its template has not. */
		const uint64_t shared = master->memory.template_rss_bytes;

		return reading_is_known(shared) && rss > shared ? rss - shared : rss;
	}
	return since_measured(track, read_bytes);
}

uint64_t memory_sockets_of(const struct memory_track *track)
{
	if (track->agent.sockets_ms == 0)
		return READING_UNKNOWN;
	return reading_add(track->agent.sockets_client_bytes, track->agent.sockets_upstream_bytes);
}

static void send_to_agent(struct master *master, uint32_t slot, enum message_id id, uint32_t pace_ms)
{
	struct message message;

	message_init(&message, id);
	if (id == MESSAGE_pace)
		message.pace.sockets_ms = pace_ms;
	(void)workers_send(master, slot, &message);
}

static bool is_pressed(const struct memory *memory)
{
	const uint64_t soft = memory->limits.sockets.soft_bytes;

	return memory->level != LEVEL_NONE || memory->socket_level != LEVEL_NONE ||
	       (reading_is_known(soft) && reading_is_known(memory->socket_bytes) && memory->socket_bytes > soft / 2);
}

static void ask_to_measure(struct master *master, const struct slot *slot, struct memory_track *track, uint64_t now_ms)
{
	const uint64_t soft = master->memory.limits.worker.soft_bytes;
	const bool is_judged = master->settings.memory_measure != MEMORY_MEASURE_RSS && reading_is_known(soft) &&
	                       series_last(&track->rss) > soft;
	const uint64_t age_ms = is_judged ? FRESH_MS : STALE_MS;

	if (slot_state(slot) != SLOT_SERVING || (track->asked_ms != 0 && now_ms - track->asked_ms < age_ms))
		return;
	track->asked_ms = now_ms;
	send_to_agent(master, slot_index(slot), MESSAGE_measure, 0);
}

static void note_remedy(struct master *master, const struct slot *slot, struct memory_track *track)
{
	const struct board_agent_reading *agent = &track->agent;

	if (track->remedy_serial == 0 || agent->remedy_serial != track->remedy_serial)
		return;
	track->remedy_serial = 0;
	track->remedy_amount = agent->remedy_amount;
	if (track->remedy == REMEDY_abort && agent->remedy_amount > 0) {
		track->remedies.was_heard = true;
		track->remedies.growth_from_ms = track->remedies.abort_ms;
	}
	memcpy(track->remedy_text, agent->remedy_text, sizeof(track->remedy_text));
	log_info("Worker (pid:%ld) did %s: %s", (long)slot_facts_const(slot)->pid, remedy_name(track->remedy), track->remedy_text);
	status_soon(&master->status);
}

static void look_at_agent(struct master *master, struct slot *slot, struct memory_track *track, uint64_t now_ms)
{
	const uint32_t pace_ms = is_pressed(&master->memory) ? PRESSED_MS
	                         : master->memory.is_watching     ? MEMORY_SLOW_MS
	                                                          : IDLE_MS;

	board_read_agent(&master->board, slot_index(slot), now_ms, &track->agent);
	if (track->agent.rollup_ms != track->rollup_ms) {
		track->rollup_ms = track->agent.rollup_ms;
		track->measured_rss_bytes = track->agent.rss_bytes != BOARD_UNKNOWN ? track->agent.rss_bytes : series_last(&track->rss);
	}
	note_remedy(master, slot, track);
	ask_to_measure(master, slot, track, now_ms);
	if (track->pace_ms != pace_ms && slot_state(slot) == SLOT_SERVING) {
		track->pace_ms = pace_ms;
		send_to_agent(master, slot_index(slot), MESSAGE_pace, pace_ms);
	}
}

/*
 * cgroup v2 counts what sockets hold at each moment, and also what nobody has any more: what a killed worker had written stays in
 * the kernel until the clients take it.
 */
static void note_sockets(struct memory *memory)
{
	const struct cgroup_reading *container = &memory->container;

	memory->socket_bytes = memory->agent_socket_bytes;
	if (container->is_limited && container->version == CGROUP_V2 && reading_is_known(container->sock_bytes) &&
	    (!reading_is_known(memory->socket_bytes) || container->sock_bytes > memory->socket_bytes))
		memory->socket_bytes = container->sock_bytes;
	memory->socket_level = budget_level(&memory->limits.sockets, memory->socket_bytes);
}

static void note_socket_growth(struct memory *memory, uint64_t now_ms)
{
	if (memory->container.version == CGROUP_V2 && reading_is_known(memory->container.sock_bytes))
		series_add(&memory->sockets, now_ms, memory->container.sock_bytes);
}

/* Agents see only their own sockets, and see them all; from outside it takes a walk over the whole namespace. */
static void sum_sockets(struct master *master)
{
	struct memory *memory = &master->memory;
	uint64_t sum = READING_UNKNOWN;

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct memory_track *track = memory_track_of(master, i);

		if (track != NULL && memory_has_process(master->pool.slots[i]))
			sum = reading_add(sum, memory_sockets_of(track));
	}
	memory->diag.method = SOCKDIAG_NONE;
	if (!reading_is_known(sum) && pool_count(&master->pool, SLOT_SERVING) > 0 &&
	    reading_is_known(memory->limits.sockets.soft_bytes)) {
		if (memory->sockdiag == NULL)
			memory->sockdiag = sockdiag_new("", true);
		sockdiag_read(memory->sockdiag, &memory->diag);
		sum = memory->diag.memory_bytes;
		if (!reading_is_known(sum))
			sum = memory->container.sock_bytes;
	}
	memory->agent_socket_bytes = sum;
	note_sockets(memory);
}

/* Where no container counts for us: every process's own, and of workers what they do not share with the template. */
static uint64_t own_use(const struct master *master)
{
	const struct memory *memory = &master->memory;
	const uint64_t shared = memory->template_rss_bytes;
	uint64_t sum = reading_add(memory->own_rss_bytes, shared);

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct memory_track *track = memory_track_of(master, i);
		const uint64_t rss = track != NULL ? series_last(&track->rss) : 0;

		if (track == NULL || !memory_has_process(master->pool.slots[i]))
			continue;
		if (track->agent.rollup_ms != 0 && track->agent.uss_bytes != BOARD_UNKNOWN)
			sum = reading_add(sum, since_measured(track, track->agent.uss_bytes));
		else
			sum = reading_add(sum, reading_is_known(shared) && rss > shared ? rss - shared : rss);
	}
	return reading_add(sum, memory->socket_bytes);
}

void memory_read_use(struct master *master, uint64_t now_ms)
{
	struct memory *memory = &master->memory;
	struct cgroup_use use;

	if (!memory->container.is_limited) {
		memory->used_bytes = own_use(master);
		return;
	}

	const uint64_t slow = budget_used(&memory->container);

	cgroup_read_use(memory->cgroup, &use);
	memory->used_bytes = slow;
	if (!reading_is_known(use.current_bytes) || !reading_is_known(slow) || !reading_is_known(memory->container.current_bytes))
		return;
	if (use.current_bytes > memory->container.current_bytes)
		memory->used_bytes += use.current_bytes - memory->container.current_bytes;
	else
		memory->used_bytes -= MIN(slow, memory->container.current_bytes - use.current_bytes);
	/* Files that are read make it grow, too. Before anything is decided: exactly. */
	if (reading_is_known(memory->limits.service.soft_bytes) && memory->used_bytes > memory->limits.service.soft_bytes / 2) {
		cgroup_read(memory->cgroup, &memory->container);
		memory->used_bytes = budget_used(&memory->container);
		note_sockets(memory);
		note_socket_growth(memory, now_ms);
	}
}

bool memory_read_workers(struct master *master, uint64_t now_ms)
{
	bool is_busy = false;

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];
		struct memory_track *track;
		uint64_t rss;

		if (!memory_has_process(slot) || master->handles[i] == NULL || procmem_read(&master->handles[i]->procmem, &rss) != 0)
			continue;
		track = memory_track_make(master->handles[i]);
		if (rss == 0) /* it has ended, and was not reaped yet */
			continue;
		series_add(&track->rss, now_ms, rss);
		is_busy = is_busy || series_slope(&track->rss, MEMORY_SLOPE_MS) > BUSY_SLOPE;
		if (track->remedy_serial != 0) {
			board_read_agent(&master->board, i, now_ms, &track->agent);
			note_remedy(master, slot, track);
		}
	}
	return is_busy;
}

void memory_read_slowly(struct master *master, uint64_t now_ms)
{
	struct memory *memory = &master->memory;
	const struct template *template = templates_of(master, master->pool.generation);

	memory->slow_ms = now_ms + (is_pressed(memory) ? PRESSED_MS : MEMORY_SLOW_MS);
	cgroup_read(memory->cgroup, &memory->container);
	memory->own_rss_bytes = rss_of_process(getpid());
	memory->template_rss_bytes = template != NULL ? rss_of_process(template->pid) : READING_UNKNOWN;
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];

		if (!memory_has_process(slot) || master->handles[i] == NULL)
			continue;
		look_at_agent(master, slot, memory_track_make(master->handles[i]), now_ms);
	}
	sum_sockets(master);
	note_socket_growth(memory, now_ms);
}
