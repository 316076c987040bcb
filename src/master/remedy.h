/* SPDX-License-Identifier: MIT */
/*
 * remedy.h - over budget: what is done about it, the mildest remedy that works first.
 *
 * Pure: what is over, what was tried, and the time in; a list of orders out. The caller (memory.c) carries them out, or only
 * says what it would do.
 */
#ifndef MASTER_REMEDY_H
#define MASTER_REMEDY_H

#include "base/base.h"
#include "master/budget.h"
#include "shared/remedies.h"

/* Why something is ordered; words for log and status. */
enum remedy_cause {
	CAUSE_SERVICE_SOFT,
	CAUSE_SERVICE_HARD,
	CAUSE_WORKER_SOFT,
	CAUSE_WORKER_HARD,
	CAUSE_REQUEST,
	CAUSE_SOCKETS_SOFT,
	CAUSE_SOCKETS_HARD,
	CAUSE_MAX
};
const char *remedy_cause_text(enum remedy_cause cause); /* "the service is above its soft memory budget" */

enum {
	REMEDY_HOLD_MS = 5000,         /* memory must stay over a soft budget so long */
	REMEDY_SOCKET_HOLD_MS = 60,
	REMEDY_AHEAD_HOLD_MS = 60,     /* a limit that is only predicted: one jump is no growth */
	REMEDY_URGENT_HOLD_MS = 200,
	REMEDY_SLOW_HOLD_MS = 60000,   /* a cache that fills looks like a slow leak for so long */
	REMEDY_AGAIN_MS = 60000,       /* before the mild remedies are tried again */
	REMEDY_SQUEEZE_MS = 150,       /* nearer to the limit than that the process gets no more memory while it is asked */
	REMEDY_CALM_MS = 1000,
	REMEDY_ASKS = 3,               /* who was not found by then is not found */
	REMEDY_LAST_MS = 25,           /* nearer than that nobody is asked any more */
};

/* What was tried, one for each slot and one for the service; kept by the caller, zeroed for a new worker. */
struct remedy_track {
	uint64_t soft_ms;      /* over a soft memory budget since; 0: not */
	uint64_t sockets_ms;   /* the same for sockets */
	uint64_t ahead_ms;     /* of the service: its limit was predicted since */
	uint64_t next_ms;      /* no next step before: the last one shall show its effect */
	uint64_t again_ms;     /* of the service: the mild remedies are not tried again before */
	uint64_t rescue_ms;    /* of the service: at its hard budget nobody grows; all are not asked again before */
	uint64_t sockets_next_ms;
	uint64_t shed_next_ms;
	uint64_t abort_ms;     /* when the last abort was ordered; 0: none */
	uint64_t calm_ms;      /* until then what an ended request had is still on its way back */
	uint64_t growth_from_ms; /* growth of requests counts from here: what was before an abort is dealt with */
	uint8_t step;          /* next remedy against memory */
	uint8_t sockets_step;
	uint8_t asks;          /* aborts ordered for the same request */
	bool was_heard;        /* the caller's word: the last one was raised in a request */
	bool has_insisted;
	bool has_squeezed;
};

struct remedy_worker {
	uint32_t slot;
	bool is_booting;         /* was never ready: it grows because it loads */
	bool is_serving;         /* takes requests; else it leaves already: what is only for the long run is not for it */
	bool is_leaving;         /* its successor is asked for */
	uint32_t requests;       /* in flight */
	uint64_t oldest_ms;      /* when the first of them began */
	uint64_t request_growth_bytes; /* since the oldest of them began: what ending it may give back */
	uint64_t bytes;          /* as memory_measure says */
	uint64_t excess_bytes;   /* above its baseline: what a replacement would give back */
	int64_t slope;           /* bytes a second, within the last moments */
	enum budget_level memory;
	bool is_share;           /* the budget is a derived one: only counts when memory is short */
	bool is_request_over;    /* a request grew by more than it may */
	enum budget_level sockets;
	uint64_t socket_bytes;
	uint64_t socket_over_bytes; /* above its own soft budget */
	uint64_t upstream_bytes;
	uint64_t connections;    /* from clients, open now: its agent's word on sockets may be a second old */
	struct remedy_track *track;
};

struct remedy_service {
	enum budget_level memory;
	bool is_filling;           /* growing as in the last minute it reaches the hard budget within five */
	bool is_filling_fast;      /* growing as in the last seconds it reaches it within one */
	bool is_urgent;            /* growing as in the last second it reaches it within ten: no time for the ladder */
	bool is_kill_pending;      /* a worker was killed a moment ago, its memory is not free yet */
	bool is_predicted;         /* `memory` is hard only because of where its growth leads */
	uint64_t time_to_limit_ms; /* UINT64_MAX: not getting there */
	bool is_nearly_full;       /* beyond the point where asking still helps */
	uint64_t over_bytes;       /* above soft */
	uint64_t worth_bytes;      /* what a replacement must at least give back to be worth it */
	enum budget_level sockets;
	uint64_t socket_over_bytes;
	bool are_sockets_inside;   /* they count against the same limit (cgroup v2) */
	uint64_t socket_bytes;
	bool are_sockets_most;     /* of what is used: a kill would not give it back, only who closes them does */
	struct remedy_track *track;
};

struct remedy_order {
	uint32_t slot;
	enum remedy remedy;
	enum remedy_cause cause;
	uint64_t amount;   /* shed: bytes to get rid of */
	bool insists;      /* abort: the first one was swallowed */
	bool squeezes;     /* abort: and allocations fail until it is done, a second at most */
};

/* allowed: bit for each enum remedy. Returns the number of orders, at most max. Tracks are updated as if they were carried out. */
size_t remedy_plan(const struct remedy_service *service, const struct remedy_worker *workers, size_t count, unsigned allowed,
                   uint64_t now_ms, struct remedy_order *ret_orders, size_t max);

#endif
