/* SPDX-License-Identifier: MIT */
/*
 * remedy.c - over budget: what is done about it.
 *
 * Called by memory.c. Pure: never reads a clock, sends or logs. Soft budgets are climbed like a ladder, one step at a time, each
 * with time to show its effect; hard ones begin at the top.
 */
#include "base/base.h"

#include "master/remedy.h"

enum remedy_by { AGENT, MASTER };

static const struct {
	enum remedy_by by;
	uint32_t patience_ms;
} rows[REMEDY_MAX] = {
#define REMEDY(name, by, patience_ms, text) [REMEDY_##name] = { by, patience_ms },
#include "tables/remedies.def"
#undef REMEDY
};

static const char *const cause_texts[CAUSE_MAX] = {
	[CAUSE_SERVICE_SOFT] = "the service is above its soft memory budget",
	[CAUSE_SERVICE_HARD] = "the service is about to reach its memory limit",
	[CAUSE_WORKER_SOFT] = "it is above its memory budget",
	[CAUSE_WORKER_HARD] = "it is above its hard memory budget",
	[CAUSE_REQUEST] = "one request grew by more than max_request_memory",
	[CAUSE_SOCKETS_SOFT] = "sockets are above their memory budget",
	[CAUSE_SOCKETS_HARD] = "sockets are above their hard memory budget",
};

const char *remedy_cause_text(enum remedy_cause cause)
{
	return (size_t)cause < CAUSE_MAX ? cause_texts[cause] : "?";
}

/* Growth that can end in a kill before the next look but one. */
#define FAST_SLOPE ((int64_t)10 << 20)
/* Less than that was not one request's doing: many small ones have left something behind. */
#define GUILTY_BYTES ((uint64_t)8 << 20)

#define LEAST_UPSTREAM_BYTES ((uint64_t)64 << 10)

static const enum remedy memory_steps[] = { REMEDY_trim, REMEDY_collect, REMEDY_recycle };
static const enum remedy socket_steps[] = { REMEDY_clamp, REMEDY_defuse, REMEDY_recycle };

struct plan {
	const struct remedy_service *service;
	const struct remedy_worker *workers;
	size_t worker_count;
	unsigned allowed;
	uint64_t now_ms;
	struct remedy_order *orders;
	size_t count, max;
};

static bool is_allowed(const struct plan *plan, enum remedy remedy)
{
	return (plan->allowed & (1U << remedy)) != 0;
}

static bool was_asked_lately(const struct plan *plan, const struct remedy_track *track)
{
	return track->abort_ms != 0 && plan->now_ms - track->abort_ms < (uint64_t)4 * rows[REMEDY_abort].patience_ms;
}

static bool order(struct plan *plan, const struct remedy_worker *worker, enum remedy remedy, enum remedy_cause cause,
                  uint64_t amount)
{
	if (!is_allowed(plan, remedy) || plan->count == plan->max)
		return false;
	/* An agent does one thing at a time, and the abort is what counts. */
	if (remedy != REMEDY_abort && rows[remedy].by == AGENT && was_asked_lately(plan, worker->track))
		return false;
	plan->orders[plan->count++] = (struct remedy_order){ worker->slot, remedy, cause, amount, false, false };
	return true;
}

/* Since when something is so; stamped on the first look. */
static bool has_held(uint64_t *since_ms, bool is_so, uint64_t hold_ms, uint64_t now_ms)
{
	if (!is_so) {
		*since_ms = 0;
		return false;
	}
	if (*since_ms == 0)
		*since_ms = now_ms;
	return now_ms - *since_ms >= hold_ms;
}

/* ---- the ladder against memory ---- */

/* What a replacement would give back; what a request has taken goes with the request, sooner than the worker could. */
static uint64_t gain_of(const struct plan *plan, const struct remedy_worker *worker)
{
	if (!worker->is_serving || worker->is_leaving || was_asked_lately(plan, worker->track) ||
	    plan->now_ms < worker->track->calm_ms)
		return 0;
	return worker->excess_bytes - MIN(worker->excess_bytes, worker->request_growth_bytes);
}

/* The worker whose replacement gives back most. NULL: none is worth it. */
static const struct remedy_worker *find_fattest(const struct plan *plan)
{
	const struct remedy_worker *best = NULL;

	for (size_t i = 0; i < plan->worker_count; i++) {
		const struct remedy_worker *worker = &plan->workers[i];
		const uint64_t gain = gain_of(plan, worker);

		if (gain > 0 && gain >= plan->service->worth_bytes && (best == NULL || gain > gain_of(plan, best)))
			best = worker;
	}
	return best;
}

static bool is_any_leaving(const struct plan *plan)
{
	for (size_t i = 0; i < plan->worker_count; i++)
		if (plan->workers[i].is_leaving)
			return true;
	return false;
}

/* Who is big but does not grow would be as big again soon: to replace it gains nothing. */
static bool is_getting_short(const struct plan *plan)
{
	const struct remedy_service *service = plan->service;
	const uint64_t soft_ms = service->track->soft_ms;

	return service->is_urgent || service->is_filling_fast ||
	       (service->is_filling && soft_ms != 0 && plan->now_ms - soft_ms >= REMEDY_SLOW_HOLD_MS);
}

/* The ladder of one worker that is over its own budget. */
static void climb(struct plan *plan, const struct remedy_worker *worker)
{
	struct remedy_track *track = worker->track;
	const bool counts = worker->memory != LEVEL_NONE &&
	                    (!worker->is_share || worker->memory == LEVEL_HARD || plan->service->memory != LEVEL_NONE || plan->service->is_filling_fast);

	if (!has_held(&track->soft_ms, counts && worker->is_serving && !worker->is_leaving,
	              worker->memory == LEVEL_HARD ? 0 : REMEDY_HOLD_MS, plan->now_ms)) {
		if (!counts && plan->now_ms >= track->next_ms)
			track->step = 0;
		return;
	}
	/* Its share of the limit is a hint only: of several, the fattest first, and not while it helps nobody. */
	while (track->step < ARRAY_LEN(memory_steps) && plan->now_ms >= track->next_ms) {
		const enum remedy remedy = memory_steps[track->step];

		if (remedy == REMEDY_recycle && worker->is_share &&
		    (find_fattest(plan) != worker || is_any_leaving(plan) || !is_getting_short(plan)))
			break;
		track->step++;
		if (!order(plan, worker, remedy, CAUSE_WORKER_SOFT, 0))
			continue;
		track->next_ms = plan->now_ms + rows[remedy].patience_ms;
	}
	if (track->step == ARRAY_LEN(memory_steps) && plan->now_ms >= track->next_ms) {
		track->step = 0;
		track->next_ms = plan->now_ms + REMEDY_AGAIN_MS;
	}
}

/* The service is short of memory, whoever has it. */
static void climb_service(struct plan *plan)
{
	struct remedy_track *track = plan->service->track;
	const struct remedy_worker *fattest = find_fattest(plan);

	if (!has_held(&track->soft_ms, plan->service->memory != LEVEL_NONE,
	              plan->service->is_urgent ? REMEDY_URGENT_HOLD_MS : REMEDY_HOLD_MS, plan->now_ms)) {
		track->step = 0;
		return;
	}
	if (plan->service->is_urgent && fattest != NULL) {
		if (!is_any_leaving(plan))
			(void)order(plan, fattest, REMEDY_recycle, CAUSE_SERVICE_SOFT, 0);
		return;
	}
	if (plan->now_ms < track->next_ms)
		return;
	if (track->step == 0 && plan->now_ms >= track->again_ms) {
		for (size_t i = 0; i < plan->worker_count; i++)
			if (plan->workers[i].is_serving)
				(void)order(plan, &plan->workers[i], REMEDY_trim, CAUSE_SERVICE_SOFT, 0);
		track->next_ms = plan->now_ms + rows[REMEDY_trim].patience_ms;
		track->again_ms = plan->now_ms + REMEDY_AGAIN_MS;
		track->step = 1;
	} else if (track->step == 1) {
		if (fattest != NULL && order(plan, fattest, REMEDY_collect, CAUSE_SERVICE_SOFT, 0))
			track->next_ms = plan->now_ms + rows[REMEDY_collect].patience_ms;
		track->step = 2;
	} else if (fattest != NULL && is_getting_short(plan) && !is_any_leaving(plan)) {
		(void)order(plan, fattest, REMEDY_recycle, CAUSE_SERVICE_SOFT, 0);
		track->next_ms = plan->now_ms + REMEDY_HOLD_MS;
	} else if (plan->now_ms >= track->again_ms) {
		track->step = 0;
	}
}

/* ---- at once ---- */

/* The limit comes nearer than a request may need to be ended: from now on the process gets no more memory. */
static bool wants_squeeze(const struct plan *plan, enum remedy_cause cause)
{
	return cause == CAUSE_SERVICE_HARD && plan->service->time_to_limit_ms < REMEDY_SQUEEZE_MS;
}

static void ask_to_abort(struct plan *plan, const struct remedy_worker *worker, enum remedy_cause cause, bool insists)
{
	struct remedy_track *track = worker->track;
	struct remedy_order *last;

	if (!was_asked_lately(plan, track))
		track->asks = 0;
	if (!order(plan, worker, REMEDY_abort, cause, 0))
		return;
	last = &plan->orders[plan->count - 1];
	last->insists = insists;
	/* Where it was swallowed, or never heard inside one call into C, the next thing is a kill. */
	last->squeezes = wants_squeeze(plan, cause) || (insists && cause != CAUSE_REQUEST);
	track->has_insisted = insists;
	track->was_heard = false;
	track->asks++;
	track->has_squeezed = last->squeezes;
	track->abort_ms = plan->now_ms;
}

/* Ends the request that grows; when that does not help in time, the worker. */
static void end_growth(struct plan *plan, const struct remedy_worker *worker, enum remedy_cause cause, bool may_kill)
{
	struct remedy_track *track = worker->track;
	const bool was_asked = was_asked_lately(plan, track);
	const bool is_guilty = worker->requests > 0 && (was_asked || worker->request_growth_bytes >= GUILTY_BYTES);

	if (!is_guilty || !is_allowed(plan, REMEDY_abort)) {
		/* Many small requests have left something behind, or none did: what it holds it holds for good. */
		if (worker->is_serving && !worker->is_leaving)
			(void)order(plan, worker, REMEDY_recycle, cause, 0);
		return;
	}
	if (was_asked && plan->now_ms - track->abort_ms < rows[REMEDY_abort].patience_ms) {
		if (wants_squeeze(plan, cause) && !track->has_squeezed)
			ask_to_abort(plan, worker, cause, track->has_insisted);
	} else if (!was_asked || (!track->has_insisted && track->asks < REMEDY_ASKS)) {
		ask_to_abort(plan, worker, cause, was_asked && track->was_heard);
	} else if (may_kill && order(plan, worker, REMEDY_kill, cause, 0)) {
		track->abort_ms = 0;
		track->asks = 0;
	}
}

static const struct remedy_worker *find_fastest(const struct plan *plan, bool is_booting)
{
	const struct remedy_worker *best = NULL;

	for (size_t i = 0; i < plan->worker_count; i++)
		if (plan->workers[i].is_booting == is_booting && (best == NULL || plan->workers[i].slope > best->slope))
			best = &plan->workers[i];
	return best != NULL && best->slope > FAST_SLOPE ? best : NULL;
}

static const struct remedy_worker *find_most_sockets(const struct plan *plan)
{
	const struct remedy_worker *best = NULL;

	for (size_t i = 0; i < plan->worker_count; i++) {
		const struct remedy_worker *worker = &plan->workers[i];

		if (worker->socket_bytes > 0 && (best == NULL || worker->socket_bytes > best->socket_bytes))
			best = worker;
	}
	return best;
}

static void shed(struct plan *plan, const struct remedy_worker *worker, enum remedy_cause cause, uint64_t bytes)
{
	struct remedy_track *track = worker->track;

	if (plan->now_ms < track->shed_next_ms || bytes == 0)
		return;
	if (order(plan, worker, REMEDY_shed, cause, bytes))
		track->shed_next_ms = plan->now_ms + rows[REMEDY_shed].patience_ms;
}

/* Each worker closes its part of what is too much; they look at their sockets anew for it. */
static bool shed_all(struct plan *plan, enum remedy_cause cause, uint64_t bytes)
{
	uint64_t connections = 0;

	for (size_t i = 0; i < plan->worker_count; i++)
		connections += plan->workers[i].connections;
	for (size_t i = 0; i < plan->worker_count && connections > 0; i++)
		if (plan->workers[i].connections > 0)
			shed(plan, &plan->workers[i], cause,
			     (bytes >> 10) * plan->workers[i].connections / connections << 10);
	return connections > 0;
}

/* Has been told to leave, and has answered all: its end is on the way, and costs nobody a request. */
static const struct remedy_worker *find_done(const struct plan *plan)
{
	const struct remedy_worker *best = NULL;

	for (size_t i = 0; i < plan->worker_count; i++) {
		const struct remedy_worker *worker = &plan->workers[i];

		if (worker->is_leaving && !worker->is_serving && worker->requests == 0 &&
		    (best == NULL || worker->bytes > best->bytes))
			best = worker;
	}
	return best != NULL && best->bytes >= plan->service->worth_bytes ? best : NULL;
}

/* No time to ask anybody: who has nothing left to answer, else who runs towards the limit, or, where nobody serving does, who boots
 * into it. */
static bool kill_fastest(struct plan *plan, const struct remedy_worker *fastest)
{
	const struct remedy_service *service = plan->service;
	const struct remedy_worker *done;

	if (!service->is_nearly_full && service->time_to_limit_ms >= REMEDY_LAST_MS)
		return false;
	done = find_done(plan);
	if (done != NULL)
		return order(plan, done, REMEDY_kill, CAUSE_SERVICE_HARD, 0);
	if (fastest == NULL)
		fastest = find_fastest(plan, true);
	/* It must give something back, and what its clients have not taken it does not. */
	return fastest != NULL && fastest->bytes >= service->worth_bytes && !service->are_sockets_most && order(plan, fastest, REMEDY_kill, CAUSE_SERVICE_HARD, 0);
}

/* The limit is near: the one that runs towards it first; without one, whatever gives most back. */
static void save_service(struct plan *plan)
{
	const struct remedy_service *service = plan->service;
	const struct remedy_worker *fastest = find_fastest(plan, false), *fattest;

	/* What a killed worker had comes back within the next moments. */
	if (!has_held(&service->track->ahead_ms, service->memory == LEVEL_HARD,
	              service->is_predicted ? REMEDY_AHEAD_HOLD_MS : 0, plan->now_ms) ||
	    service->is_kill_pending)
		return;
	if (service->are_sockets_inside && (service->are_sockets_most || fastest == NULL) &&
	    service->socket_bytes > service->over_bytes && is_allowed(plan, REMEDY_shed) && shed_all(plan, CAUSE_SERVICE_HARD, service->over_bytes))
		return;
	if (kill_fastest(plan, fastest))
		return;
	if (fastest != NULL) {
		end_growth(plan, fastest, CAUSE_SERVICE_HARD, true);
		return;
	}
	fattest = find_fattest(plan);
	if (plan->now_ms < service->track->rescue_ms || is_any_leaving(plan))
		return;
	service->track->rescue_ms = plan->now_ms + (fattest != NULL ? REMEDY_HOLD_MS : REMEDY_AGAIN_MS);
	for (size_t i = 0; i < plan->worker_count; i++)
		(void)order(plan, &plan->workers[i], REMEDY_trim, CAUSE_SERVICE_HARD, 0);
	if (fattest != NULL)
		(void)order(plan, fattest, REMEDY_recycle, CAUSE_SERVICE_HARD, 0);
}

/* ---- sockets ---- */

static void climb_sockets(struct plan *plan, const struct remedy_worker *worker, enum budget_level level)
{
	struct remedy_track *track = worker->track;

	if (!has_held(&track->sockets_ms, level != LEVEL_NONE, REMEDY_SOCKET_HOLD_MS, plan->now_ms)) {
		if (level == LEVEL_NONE && plan->now_ms >= track->sockets_next_ms)
			track->sockets_step = 0;
		return;
	}
	while (track->sockets_step < ARRAY_LEN(socket_steps) && plan->now_ms >= track->sockets_next_ms) {
		const enum remedy remedy = socket_steps[track->sockets_step++];

		/* A replacement lets go of what is forgotten upstream; slow clients would only come again. */
		if (remedy == REMEDY_recycle && (!worker->is_serving || worker->is_leaving ||
		                                 !reading_is_known(worker->upstream_bytes) ||
		                                 worker->upstream_bytes < worker->socket_bytes / 2 ||
		                                 worker->sockets == LEVEL_NONE))
			continue;
		/* Of slow clients nothing is forgotten upstream. */
		if (remedy != REMEDY_recycle && reading_is_known(worker->upstream_bytes) && worker->upstream_bytes < LEAST_UPSTREAM_BYTES)
			continue;
		if (order(plan, worker, remedy, CAUSE_SOCKETS_SOFT, 0))
			track->sockets_next_ms = plan->now_ms + rows[remedy].patience_ms;
	}
	if (track->sockets_step == ARRAY_LEN(socket_steps)) {
		track->sockets_step = 0;
		track->sockets_next_ms = MAX(track->sockets_next_ms, plan->now_ms + REMEDY_HOLD_MS);
	}
}

static void plan_sockets(struct plan *plan)
{
	const struct remedy_service *service = plan->service;
	const struct remedy_worker *most = find_most_sockets(plan);

	for (size_t i = 0; i < plan->worker_count; i++) {
		const struct remedy_worker *worker = &plan->workers[i];

		if (worker->sockets == LEVEL_HARD)
			shed(plan, worker, CAUSE_SOCKETS_HARD, worker->socket_over_bytes);
		else
			climb_sockets(plan, worker, worker->socket_bytes > 0 ? MAX(worker->sockets, service->sockets) : LEVEL_NONE);
	}
	if (service->sockets != LEVEL_HARD || (most != NULL && most->sockets == LEVEL_HARD))
		return;
	/* The container's figure is of this moment, an agent's may be a second old. */
	if (service->are_sockets_inside)
		(void)shed_all(plan, CAUSE_SOCKETS_HARD, service->socket_over_bytes);
	else if (most != NULL)
		shed(plan, most, CAUSE_SOCKETS_HARD, service->socket_over_bytes);
}

/* None of its requests was there when it was asked: that is dealt with, whatever came of it. */
static void forget_ended(const struct remedy_worker *worker, uint64_t now_ms)
{
	struct remedy_track *track = worker->track;

	if (track->abort_ms != 0 && (worker->requests == 0 || worker->oldest_ms > track->abort_ms)) {
		track->abort_ms = 0;
		track->calm_ms = now_ms + REMEDY_CALM_MS;
		track->asks = 0;
		track->has_insisted = track->has_squeezed = false;
	}
}

size_t remedy_plan(const struct remedy_service *service, const struct remedy_worker *workers, size_t count, unsigned allowed,
                   uint64_t now_ms, struct remedy_order *ret_orders, size_t max)
{
	struct plan plan = { service, workers, count, allowed, now_ms, ret_orders, 0, max };

	for (size_t i = 0; i < count; i++)
		forget_ended(&workers[i], now_ms);
	save_service(&plan);
	for (size_t i = 0; i < count; i++) {
		const struct remedy_worker *worker = &workers[i];

		if (worker->memory == LEVEL_HARD && !worker->is_booting)
			end_growth(&plan, worker, CAUSE_WORKER_HARD, true);
		else if (worker->is_request_over)
			end_growth(&plan, worker, CAUSE_REQUEST, false);
		climb(&plan, worker);
	}
	climb_service(&plan);
	plan_sockets(&plan);
	return plan.count;
}
