/* SPDX-License-Identifier: MIT */
/*
 * template.h - one template process as the master sees it.
 *
 * Pure, in the form of slot.h; the table is tables/template.def. A template belongs to one generation.
 */
#ifndef MASTER_TEMPLATE_H
#define MASTER_TEMPLATE_H

#include "base/base.h"

enum template_state {
#define TEMPLATE_STATE(name, word, timer, text) TEMPLATE_##name,
#include "tables/template.def"
#undef TEMPLATE_STATE
	TEMPLATE_STATE_MAX
};

enum template_event {
#define TEMPLATE_EVENT(name, text) TEMPLATE_EVENT_##name,
#include "tables/template.def"
#undef TEMPLATE_EVENT
	TEMPLATE_EVENT_MAX
};

enum template_action {
#define TEMPLATE_ACTION(name) TEMPLATE_DO_##name,
#include "tables/template.def"
#undef TEMPLATE_ACTION
	TEMPLATE_ACTION_MAX
};

struct template_moves; /* opaque: only template.c writes the state */

struct template_moves *template_moves_new(void);
void template_moves_free(struct template_moves *moves);

bool template_allows(const struct template_moves *moves, enum template_event event);
/* One step; the pair must be allowed. graceful_ms: how long RETIRING may last. */
enum template_action template_step(struct template_moves *moves, enum template_event event, uint64_t graceful_ms, uint64_t now_ms);
/* The table itself: false when the pair is illegal; an ignored pair keeps its state. */
bool template_table(enum template_state state, enum template_event event, enum template_state *ret_next,
                    enum template_action *ret_action);

enum template_state template_state(const struct template_moves *moves);
const char *template_state_name(enum template_state state);
uint64_t template_timer_ms(const struct template_moves *moves); /* 0: none armed */

#endif
