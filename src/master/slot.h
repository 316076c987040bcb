/* SPDX-License-Identifier: MIT */
/*
 * slot.h - one worker as the master sees it.
 *
 * Pure: an event and the time in, the next state and an action out. The table is tables/slot.def.
 */
#ifndef MASTER_SLOT_H
#define MASTER_SLOT_H

#include "base/base.h"

enum slot_state {
#define SLOT_STATE(name, word, timer, text) SLOT_##name,
#include "tables/slot.def"
#undef SLOT_STATE
	SLOT_STATE_MAX
};

enum slot_event {
#define SLOT_EVENT(name, text) SLOT_EVENT_##name,
#include "tables/slot.def"
#undef SLOT_EVENT
	SLOT_EVENT_MAX
};

enum slot_action {
#define SLOT_ACTION(name) SLOT_DO_##name,
#include "tables/slot.def"
#undef SLOT_ACTION
	SLOT_ACTION_MAX
};

/* Why a worker is replaced or ended; words for log and status. */
enum slot_reason {
	REASON_NONE,
	REASON_MAX_REQUESTS, /* "max_requests" */
	REASON_RELOAD,       /* "reload" */
	REASON_SURPLUS,      /* "surplus": TTOU */
	REASON_STOP,         /* "stop" */
	REASON_TIMEOUT,      /* "timeout" */
	REASON_OWN,          /* "own": it left by itself: a signal from outside, or worker.alive = False */
	REASON_CRASH,        /* "crash" */
	REASON_BOOT,         /* "boot": it ended before it was ready */
	REASON_MAX_AGE,      /* "max_age" */
	REASON_MEMORY,       /* "memory": over a budget, or growing towards the limit */
	REASON_SOCKETS,      /* "sockets": the kernel memory of its sockets */
	REASON_OPERATOR,     /* "operator": gunwalectl recycle */
	REASON_KERNEL_OOM,   /* "kernel_oom": the kernel killed it, and the container's count of such kills went up */
	REASON_MAX
};
const char *slot_reason_name(enum slot_reason reason);
/* A successor takes its place: max_requests, age, memory, sockets, the operator, a reload. */
bool slot_reason_is_recycling(enum slot_reason reason);

struct slot_limits {
	uint64_t graceful_ms; /* RETIRING, then SIGKILL */
	uint64_t abort_ms;    /* ABORTING, then SIGKILL */
};

struct slot; /* opaque: only slot.c writes the state */

struct slot *slot_new(uint32_t index);
void slot_free(struct slot *slot);

/* A pair that the table neither moves nor ignores. Ask before a step on the word of another process. */
bool slot_allows(const struct slot *slot, enum slot_event event);
/*
 * One step. The pair must be allowed (else our bug: aborts). Enters the next state, stamps the time, arms the state's timer.
 * What is ignored returns SLOT_DO_nothing.
 */
enum slot_action slot_step(struct slot *slot, enum slot_event event, const struct slot_limits *limits, uint64_t now_ms);
/* The table itself, for tests and drawings: false when the pair is illegal; an ignored pair keeps its state. */
bool slot_table(enum slot_state state, enum slot_event event, enum slot_state *ret_next, enum slot_action *ret_action);

uint32_t slot_index(const struct slot *slot);
enum slot_state slot_state(const struct slot *slot);
const char *slot_state_name(enum slot_state state); /* "serving" */
uint64_t slot_since_ms(const struct slot *slot);    /* when it entered its state */
uint64_t slot_timer_ms(const struct slot *slot);    /* when its timer runs out; 0: none armed */

/* Facts about the process; set by the caller between steps, emptied by whoever asks for the next fork. */
struct slot_facts {
	uint32_t serial;
	uint32_t generation;
	uint32_t request_limit;
	pid_t pid;              /* 0 while unknown */
	uint64_t spawned_ms;    /* when the fork was asked for */
	uint64_t ready_ms;      /* 0: never was */
	bool has_said_ready;    /* its word may come before the template's word of its birth */
	bool wants_recycle;     /* a successor is asked for */
	uint64_t recycle_ms;    /* when that was */
	enum slot_reason recycle_reason;
	uint64_t recycle_gain;  /* bytes that its end gives back: of several the one with most goes first; 0: no matter */
	uint64_t age_limit_ms;  /* of its life as a serving worker; 0: none */
	bool was_killed;        /* the master sent SIGKILL */
	bool is_memory_kill;    /* for its use of memory; else because it did not leave in time */
	enum slot_reason reason; /* why it retires; REASON_NONE: it was not told to */
};
struct slot_facts *slot_facts(struct slot *slot);
const struct slot_facts *slot_facts_const(const struct slot *slot);

#endif
