/* SPDX-License-Identifier: MIT */
/*
 * reload.c - SIGHUP: the next generation, tried before the present one is let go.
 *
 * Pure: events in, what to do out. Called by generation.c. Never starts or stops a process, reads a clock or logs.
 */
#include "base/base.h"

#include "master/reload.h"

#include "base/check.h"

const char *reload_state_name(enum reload_state state)
{
	switch (state) {
	case RELOAD_IDLE:
		return "idle";
	case RELOAD_TEMPLATE:
		return "template";
	case RELOAD_CANARY:
		return "canary";
	}
	BUG("reload state %d", (int)state);
}

enum reload_do reload_ask(struct reload *reload)
{
	if (reload->state != RELOAD_IDLE) {
		reload->is_pending = true;
		return RELOAD_DO_NOTHING;
	}
	reload->state = RELOAD_TEMPLATE;
	reload->generation++;
	return RELOAD_DO_START;
}

bool reload_is_late(const struct reload *reload, uint64_t now_ms)
{
	return reload->state != RELOAD_IDLE && now_ms - reload->begun_ms >= RELOAD_PATIENCE_MS;
}

static enum reload_do commit(struct reload *reload)
{
	reload->state = RELOAD_IDLE;
	reload->succeeded_total++;
	reload->last_error[0] = '\0';
	return RELOAD_DO_COMMIT;
}

enum reload_do reload_template_ready(struct reload *reload, bool needs_canary)
{
	CHECK(reload->state == RELOAD_TEMPLATE);
	if (!needs_canary)
		return commit(reload);
	reload->state = RELOAD_CANARY;
	return RELOAD_DO_CANARY;
}

enum reload_do reload_canary_ready(struct reload *reload)
{
	CHECK(reload->state == RELOAD_CANARY);
	return commit(reload);
}

enum reload_do reload_fail(struct reload *reload, const char *why)
{
	CHECK(reload->state != RELOAD_IDLE);
	reload->state = RELOAD_IDLE;
	reload->failed_total++;
	(void)snprintf(reload->last_error, sizeof(reload->last_error), "%s", why);
	return RELOAD_DO_ABANDON;
}

enum reload_do reload_next(struct reload *reload)
{
	if (!reload->is_pending)
		return RELOAD_DO_NOTHING;
	reload->is_pending = false;
	return reload_ask(reload);
}

enum reload_do reload_cancel(struct reload *reload)
{
	reload->is_pending = false;
	if (reload->state == RELOAD_IDLE)
		return RELOAD_DO_NOTHING;
	reload->state = RELOAD_IDLE;
	return RELOAD_DO_ABANDON;
}
