/* SPDX-License-Identifier: MIT */
/*
 * slot.c - one worker as the master sees it.
 *
 * Pure: takes an event and the time, returns what to do. Called by pool.c, master.c and workers.c. Never forks, kills, reads a
 * clock or logs.
 */
#include "base/base.h"

#include "master/slot.h"

#include "base/check.h"

enum slot_timer { TIMER_NONE, TIMER_GRACEFUL, TIMER_ABORT };

struct slot {
	uint32_t index;
	enum slot_state state;
	uint64_t since_ms;
	uint64_t timer_ms;
	struct slot_facts facts;
};

enum pair_kind { PAIR_ILLEGAL, PAIR_MOVE, PAIR_IGNORE };

struct pair {
	enum pair_kind kind;
	enum slot_state next;
	enum slot_action action;
};

/* Designated initialisers: a pair that stands twice in the table does not compile (-Woverride-init). */
static const struct pair pairs[SLOT_STATE_MAX][SLOT_EVENT_MAX] = {
#define MOVE(state, event, to, what) [SLOT_##state][SLOT_EVENT_##event] = { PAIR_MOVE, SLOT_##to, SLOT_DO_##what },
#include "tables/slot.def"
#undef MOVE
#define IGNORE(state, event) [SLOT_##state][SLOT_EVENT_##event] = { PAIR_IGNORE, SLOT_##state, SLOT_DO_nothing },
#include "tables/slot.def"
#undef IGNORE
};

static const struct {
	const char *word;
	enum slot_timer timer;
} states[SLOT_STATE_MAX] = {
#define SLOT_STATE(name, word, timer, text) [SLOT_##name] = { word, TIMER_##timer },
#include "tables/slot.def"
#undef SLOT_STATE
};

static const char *const reason_names[REASON_MAX] = {
	[REASON_NONE] = "none",       [REASON_MAX_REQUESTS] = "max_requests", [REASON_RELOAD] = "reload",
	[REASON_SURPLUS] = "surplus", [REASON_STOP] = "stop",                 [REASON_TIMEOUT] = "timeout",
	[REASON_OWN] = "own",         [REASON_CRASH] = "crash",               [REASON_BOOT] = "boot",
	[REASON_MAX_AGE] = "max_age", [REASON_MEMORY] = "memory",             [REASON_SOCKETS] = "sockets",
	[REASON_OPERATOR] = "operator",
	[REASON_KERNEL_OOM] = "kernel_oom",
};

const char *slot_reason_name(enum slot_reason reason)
{
	CHECK(reason < REASON_MAX);
	return reason_names[reason];
}

bool slot_reason_is_recycling(enum slot_reason reason)
{
	return reason == REASON_MAX_REQUESTS || reason == REASON_MAX_AGE || reason == REASON_MEMORY ||
	       reason == REASON_SOCKETS || reason == REASON_OPERATOR || reason == REASON_RELOAD;
}

struct slot *slot_new(uint32_t index)
{
	struct slot *slot = xcalloc(1, sizeof(*slot));

	slot->index = index;
	slot->state = SLOT_EMPTY;
	return slot;
}

void slot_free(struct slot *slot)
{
	free(slot);
}

bool slot_table(enum slot_state state, enum slot_event event, enum slot_state *ret_next, enum slot_action *ret_action)
{
	CHECK(state < SLOT_STATE_MAX && event < SLOT_EVENT_MAX);

	const struct pair *pair = &pairs[state][event];

	*ret_next = pair->kind == PAIR_ILLEGAL ? state : pair->next;
	*ret_action = pair->action;
	return pair->kind != PAIR_ILLEGAL;
}

bool slot_allows(const struct slot *slot, enum slot_event event)
{
	return pairs[slot->state][event].kind != PAIR_ILLEGAL;
}

static uint64_t timer_of(enum slot_state state, const struct slot_limits *limits, uint64_t now_ms)
{
	switch (states[state].timer) {
	case TIMER_GRACEFUL:
		return now_ms + limits->graceful_ms;
	case TIMER_ABORT:
		return now_ms + limits->abort_ms;
	case TIMER_NONE:
		break;
	}
	return 0;
}

enum slot_action slot_step(struct slot *slot, enum slot_event event, const struct slot_limits *limits, uint64_t now_ms)
{
	const struct pair *pair = &pairs[slot->state][event];

	if (pair->kind == PAIR_ILLEGAL)
		BUG("slot %u: event %d in state %s", slot->index, (int)event, states[slot->state].word);
	if (pair->kind == PAIR_IGNORE)
		return SLOT_DO_nothing;
	if (pair->next != slot->state) {
		slot->state = pair->next;
		slot->since_ms = now_ms;
		slot->timer_ms = timer_of(pair->next, limits, now_ms);
	} else if (event == SLOT_EVENT_TIMER) {
		slot->timer_ms = 0;
	}
	return pair->action;
}

uint32_t slot_index(const struct slot *slot)
{
	return slot->index;
}

enum slot_state slot_state(const struct slot *slot)
{
	return slot->state;
}

const char *slot_state_name(enum slot_state state)
{
	CHECK(state < SLOT_STATE_MAX);
	return states[state].word;
}

uint64_t slot_since_ms(const struct slot *slot)
{
	return slot->since_ms;
}

uint64_t slot_timer_ms(const struct slot *slot)
{
	return slot->timer_ms;
}

struct slot_facts *slot_facts(struct slot *slot)
{
	return &slot->facts;
}

const struct slot_facts *slot_facts_const(const struct slot *slot)
{
	return &slot->facts;
}
