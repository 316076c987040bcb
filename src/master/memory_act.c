/* SPDX-License-Identifier: MIT */
/*
 * memory_act.c - readings are handed to those who judge, and what they order is carried out.
 *
 * Called by memory.c. What is over is budget.c's word, what is done about it remedy.c's. Never waits.
 */
#include "base/base.h"

#include "master/memory_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/workers.h"

enum {
	REPORT_MS = 60000,
	URGENT_MS = 1000, /* at the growth of so long the hard budget is ten seconds away */
	SHORT_MS = 10000, /* at the growth of so long the hard budget is a minute away */
	LONG_MS = 60000,  /* at the growth of so long it is five minutes away */
	KILL_MS = 500, /* within which a killed process gives its memory back */
	ORDERS_MAX = 2 * BOARD_SLOTS,
	NEARLY_FULL_PERCENT = 97,
	LEAST_GROWTH_BYTES = 1 << 20, /* of one request, to speak of */
};

/* ---- judging ---- */

/*
 * Growth since a request began: exactly where there is one, else of all that run, within the last moments. What the one before it
 * gives back while it runs already must not hide it.
 */
static uint64_t request_growth(const struct memory_track *track, const uint64_t *starts_ms, size_t count, uint64_t now_ms)
{
	uint64_t from_ms = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		from_ms = MIN(from_ms, starts_ms[i]);
	if (count == 0)
		return 0;
	from_ms = MAX(from_ms, track->remedies.growth_from_ms);
	if (count > 1)
		from_ms = MAX(from_ms, now_ms > SERIES_FINE * MEMORY_FAST_MS ? now_ms - SERIES_FINE * MEMORY_FAST_MS : 0);
	return memory_above(series_last(&track->rss), series_low(&track->rss, from_ms));
}

static bool is_request_over(const struct memory *memory, uint64_t growth_bytes)
{
	uint64_t limit = memory->limits.request_bytes;

	if (memory->limits.is_request_auto && reading_is_known(memory->used_bytes)) {
		const uint64_t used_before = memory->used_bytes - MIN(memory->used_bytes, growth_bytes);

		limit = memory_above(memory->limits.limit_bytes, used_before) / 2;
	}
	return reading_is_known(limit) && growth_bytes > MAX(limit, (uint64_t)LEAST_GROWTH_BYTES);
}

static struct remedy_worker judge_worker(struct master *master, struct slot *slot, struct memory_track *track, uint64_t now_ms)
{
	const struct memory *memory = &master->memory;
	const struct slot_facts *facts = slot_facts_const(slot);
	uint64_t starts_ms[BOARD_REQUESTS];
	const size_t requests = board_read_starts(&master->board, slot_index(slot), now_ms, starts_ms);
	const uint64_t bytes = memory_measure_of(master, track), sockets = memory_sockets_of(track);
	const uint64_t baseline = reading_is_known(track->baseline_bytes) ? track->baseline_bytes : bytes;
	const uint64_t growth = request_growth(track, starts_ms, requests, now_ms);
	uint64_t oldest_ms = UINT64_MAX;
	const bool is_serving = slot_state(slot) == SLOT_SERVING;

	for (size_t i = 0; i < requests; i++)
		oldest_ms = MIN(oldest_ms, starts_ms[i]);
	track->level = facts->ready_ms != 0 ? budget_level(&memory->limits.worker, bytes) : LEVEL_NONE;
	track->socket_level = budget_level(&memory->limits.worker_sockets, sockets);
	return (struct remedy_worker){
		.slot = slot_index(slot),
		.is_booting = facts->ready_ms == 0,
		.is_serving = is_serving,
		.is_leaving = facts->wants_recycle || slot_state(slot) == SLOT_RETIRING,
		.requests = (uint32_t)requests,
		.oldest_ms = oldest_ms,
		.bytes = bytes,
		.excess_bytes = bytes > baseline ? bytes - baseline : 0,
		.slope = series_slope(&track->rss, MEMORY_SLOPE_MS),
		.memory = track->level,
		.is_share = memory->limits.worker.source == BUDGET_CONTAINER,
		.request_growth_bytes = growth,
		.is_request_over = is_request_over(memory, growth),
		.sockets = track->socket_level,
		.socket_bytes = reading_is_known(sockets) ? sockets : 0,
		.socket_over_bytes = track->socket_level != LEVEL_NONE ? sockets - memory->limits.worker_sockets.soft_bytes : 0,
		.connections = atomic_load_explicit(&board_line(&master->board, slot_index(slot))->connections_open, memory_order_relaxed),
		.upstream_bytes = track->agent.sockets_ms != 0 ? track->agent.sockets_upstream_bytes : READING_UNKNOWN,
		.track = &track->remedies,
	};
}

/* Growth is the workers' own, and what their sockets hold: what the page cache does is nobody's fault. */
static int64_t service_slope(const struct master *master)
{
	int64_t sum = MAX(series_slope(&master->memory.sockets, MEMORY_SLOPE_MS), (int64_t)0);

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct memory_track *track = memory_track_of(master, i);

		if (track != NULL && memory_has_process(master->pool.slots[i]))
			sum += MAX(series_slope(&track->rss, MEMORY_SLOPE_MS), (int64_t)0);
	}
	return sum;
}

static bool is_kill_pending(const struct master *master)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (slot_state(master->pool.slots[i]) == SLOT_KILLED &&
		    clock_ms() - slot_since_ms(master->pool.slots[i]) < KILL_MS)
			return true;
	return false;
}

static struct remedy_service judge_service(struct master *master)
{
	struct memory *memory = &master->memory;
	const struct budget_limits *limits = &memory->limits;
	const int64_t slope = service_slope(master);
	const uint64_t hard = limits->service.hard_bytes, used = memory->used_bytes;

	memory->level = budget_service_level(limits, used, slope);
	return (struct remedy_service){
		.memory = memory->level,
		.is_filling = budget_time_to(used, hard, series_slope(&memory->used, LONG_MS)) < 300000,
		.is_filling_fast = budget_time_to(used, hard, series_slope(&memory->used, SHORT_MS)) < 60000,
		.is_urgent = budget_time_to(used, hard, series_slope(&memory->used, URGENT_MS)) < 10000,
		.is_kill_pending = is_kill_pending(master),
		.is_predicted = budget_level(&limits->service, used) != LEVEL_HARD,
		.time_to_limit_ms = budget_time_to(used, limits->limit_bytes, slope),
		.is_nearly_full = reading_is_known(limits->limit_bytes) &&
		                  memory_above(used, limits->limit_bytes / 100 * NEARLY_FULL_PERCENT) > 0,
		.over_bytes = memory_above(used, limits->service.soft_bytes),
		.worth_bytes = reading_is_known(limits->limit_bytes) ? MAX(limits->limit_bytes / 20, MEMORY_LEAST_BOOT_BYTES)
		                                                     : READING_UNKNOWN,
		.sockets = memory->socket_level,
		.socket_over_bytes = memory_above(memory->socket_bytes, limits->sockets.soft_bytes),
		.are_sockets_inside = memory->container.version == CGROUP_V2 || !memory->container.is_limited,
		.socket_bytes = reading_is_known(memory->socket_bytes) ? memory->socket_bytes : 0,
		.are_sockets_most = reading_is_known(memory->socket_bytes) && reading_is_known(used) &&
		                    memory->container.version == CGROUP_V2 && memory->socket_bytes > used / 2,
		.track = &memory->service,
	};
}

/* What those that serve grow by, a second: of a boot it is known where it ends. */
static int64_t serving_slope(const struct master *master)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		const struct memory_track *track = memory_track_of(master, i);

		if (track != NULL && slot_state(master->pool.slots[i]) == SLOT_SERVING)
			sum += MAX(series_slope(&track->rss, URGENT_MS), (int64_t)0);
	}
	return sum;
}

/* Room for one more worker. */
static void judge_room(struct master *master)
{
	struct memory *memory = &master->memory;

	master->pool.has_no_room = master->settings.memory_policy == MEMORY_POLICY_ACT &&
	                           !budget_has_room(&memory->limits, &memory->facts, memory->used_bytes, serving_slope(master));
	if (master->pool.has_no_room && !memory->has_said_no_room)
		log_info("There is no room for a successor beside a worker: workers that are replaced leave first");
	memory->has_said_no_room = master->pool.has_no_room || (memory->has_said_no_room && memory->level != LEVEL_NONE);
}

/* ---- acting ---- */

static bool is_grave(enum remedy remedy)
{
	return remedy == REMEDY_recycle || remedy == REMEDY_shed || remedy == REMEDY_abort || remedy == REMEDY_kill;
}

static void say(const struct master *master, const struct slot *slot, const struct remedy_order *order, bool is_report)
{
	const struct memory_track *track = memory_track_of(master, order->slot);
	char *rss = budget_show(series_last(&track->rss)), *sockets = budget_show(memory_sockets_of(track));
	char *used = budget_show(master->memory.used_bytes);

	/* tests wait for this line */
	log_line(is_grave(order->remedy) ? LOG_WARNING : LOG_INFO,
	         "Memory%s: %s worker (pid:%ld), %s (RSS %s, sockets %s; service %s)",
	         is_report ? " (only reported)" : "", remedy_name(order->remedy), (long)slot_facts_const(slot)->pid,
	         remedy_cause_text(order->cause), rss, sockets, used);
	free(rss);
	free(sockets);
	free(used);
}

static int send_order(struct master *master, const struct remedy_order *order, struct memory_track *track)
{
	struct message message;

	message_init(&message, MESSAGE_remedy);
	message.remedy.serial = ++master->memory.next_serial;
	message.remedy.remedy = order->remedy;
	message.remedy.flags = (order->insists ? REMEDY_FLAG_INSISTS : 0) | (order->squeezes ? REMEDY_FLAG_SQUEEZES : 0);
	message.remedy.amount = order->amount;
	track->remedy_serial = message.remedy.serial;
	return workers_send(master, order->slot, &message);
}

/* Those that never came to serve tell what the service needs to start at all. */
static void kill_worker(struct master *master, struct slot *slot, enum slot_reason reason)
{
	if (slot_facts(slot)->ready_ms == 0)
		memory_on_boot_kill(master);
	workers_kill(master, slot, reason);
}

static void carry_out(struct master *master, const struct remedy_order *order, uint64_t now_ms)
{
	struct slot *slot = pool_slot(&master->pool, order->slot);
	struct memory_track *track = memory_track_make(master->handles[order->slot]);
	const enum slot_reason reason = order->cause == CAUSE_SOCKETS_SOFT || order->cause == CAUSE_SOCKETS_HARD ? REASON_SOCKETS
	                                                                                                      : REASON_MEMORY;

	if (master->settings.memory_policy != MEMORY_POLICY_ACT) {
		if (track->reported_ms[order->remedy] == 0 || now_ms - track->reported_ms[order->remedy] >= REPORT_MS) {
			track->reported_ms[order->remedy] = now_ms;
			say(master, slot, order, true);
		}
		return;
	}
	say(master, slot, order, false);
	track->remedy = order->remedy;
	track->remedy_amount = 0;
	track->remedy_text[0] = '\0';
	track->remedy_serial = 0;
	if (order->remedy == REMEDY_recycle)
		(void)workers_recycle(master, slot, reason, series_last(&track->rss));
	else if (order->remedy == REMEDY_kill)
		kill_worker(master, slot, reason);
	else if (send_order(master, order, track) != 0)
		log_warning("Worker (pid:%ld) can't be told", (long)slot_facts(slot)->pid);
	status_soon(&master->status);
}

void memory_act(struct master *master, uint64_t now_ms)
{
	struct remedy_worker workers[BOARD_SLOTS];
	struct remedy_order orders[ORDERS_MAX];
	struct remedy_service service = judge_service(master);
	unsigned allowed = master->memory.allowed;
	size_t count = 0;

	judge_room(master);
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];

		if (memory_has_process(slot) && slot_state(slot) != SLOT_ABORTING && master->handles[i] != NULL &&
		    master->handles[i]->memory != NULL)
			workers[count++] = judge_worker(master, slot, master->handles[i]->memory, now_ms);
	}
	/* Who leaves anyway is not replaced; but until then the container may still fill. */
	if (stop_is_on(&master->stop))
		allowed &= 1U << REMEDY_trim | 1U << REMEDY_shed | 1U << REMEDY_abort | 1U << REMEDY_kill;
	count = remedy_plan(&service, workers, count, allowed, now_ms, orders, ARRAY_LEN(orders));
	for (size_t i = 0; i < count; i++)
		carry_out(master, &orders[i], now_ms);
}
