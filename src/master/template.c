/* SPDX-License-Identifier: MIT */
/*
 * template.c - one template process as the master sees it.
 *
 * Pure: takes an event and the time, returns what to do. Called by templates.c. Never forks, kills, reads a clock or logs.
 */
#include "base/base.h"

#include "master/template.h"

#include "base/check.h"

enum template_timer { TIMER_NONE, TIMER_GRACEFUL };

struct template_moves {
	enum template_state state;
	uint64_t timer_ms;
};

enum pair_kind { PAIR_ILLEGAL, PAIR_MOVE, PAIR_IGNORE };

struct pair {
	enum pair_kind kind;
	enum template_state next;
	enum template_action action;
};

static const struct pair pairs[TEMPLATE_STATE_MAX][TEMPLATE_EVENT_MAX] = {
#define MOVE(state, event, to, what)                                                                                          \
	[TEMPLATE_##state][TEMPLATE_EVENT_##event] = { PAIR_MOVE, TEMPLATE_##to, TEMPLATE_DO_##what },
#include "tables/template.def"
#undef MOVE
#define IGNORE(state, event)                                                                                                  \
	[TEMPLATE_##state][TEMPLATE_EVENT_##event] = { PAIR_IGNORE, TEMPLATE_##state, TEMPLATE_DO_nothing },
#include "tables/template.def"
#undef IGNORE
};

static const struct {
	const char *word;
	enum template_timer timer;
} states[TEMPLATE_STATE_MAX] = {
#define TEMPLATE_STATE(name, word, timer, text) [TEMPLATE_##name] = { word, TIMER_##timer },
#include "tables/template.def"
#undef TEMPLATE_STATE
};

struct template_moves *template_moves_new(void)
{
	return xcalloc(1, sizeof(struct template_moves));
}

void template_moves_free(struct template_moves *moves)
{
	free(moves);
}

bool template_table(enum template_state state, enum template_event event, enum template_state *ret_next,
                    enum template_action *ret_action)
{
	CHECK(state < TEMPLATE_STATE_MAX && event < TEMPLATE_EVENT_MAX);

	const struct pair *pair = &pairs[state][event];

	*ret_next = pair->kind == PAIR_ILLEGAL ? state : pair->next;
	*ret_action = pair->action;
	return pair->kind != PAIR_ILLEGAL;
}

bool template_allows(const struct template_moves *moves, enum template_event event)
{
	return pairs[moves->state][event].kind != PAIR_ILLEGAL;
}

enum template_action template_step(struct template_moves *moves, enum template_event event, uint64_t graceful_ms, uint64_t now_ms)
{
	const struct pair *pair = &pairs[moves->state][event];

	if (pair->kind == PAIR_ILLEGAL)
		BUG("template: event %d in state %s", (int)event, states[moves->state].word);
	if (pair->kind == PAIR_IGNORE)
		return TEMPLATE_DO_nothing;
	moves->state = pair->next;
	moves->timer_ms = states[pair->next].timer == TIMER_GRACEFUL ? now_ms + graceful_ms : 0;
	return pair->action;
}

enum template_state template_state(const struct template_moves *moves)
{
	return moves->state;
}

const char *template_state_name(enum template_state state)
{
	CHECK(state < TEMPLATE_STATE_MAX);
	return states[state].word;
}

uint64_t template_timer_ms(const struct template_moves *moves)
{
	return moves->timer_ms;
}
