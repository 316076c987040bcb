/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the end of the service, as states.
 *
 * Pure: events and the time in, what to do out. Called by master.c. Never kills, reads a clock or logs.
 */
#include "base/base.h"

#include "master/stop.h"

bool stop_is_on(const struct stop *stop)
{
	return stop->state != STOP_NONE;
}

enum stop_do stop_ask(struct stop *stop, bool is_quick, int exit_code, const char *reason, uint64_t now_ms)
{
	if (stop->state == STOP_NONE) {
		stop->state = is_quick ? STOP_QUICK : STOP_GRACEFUL;
		stop->exit_code = exit_code;
		(void)snprintf(stop->reason, sizeof(stop->reason), "%s", reason != NULL ? reason : "");
		return is_quick ? STOP_DO_HURRY : STOP_DO_RETIRE;
	}
	if (stop->state == STOP_GRACEFUL && is_quick) {
		stop->state = STOP_QUICK;
		stop->kill_ms = now_ms + STOP_HURRIED_MS;
		return STOP_DO_HURRY;
	}
	return STOP_DO_NOTHING;
}

enum stop_do stop_step(struct stop *stop, uint32_t workers_left, uint32_t templates_left, uint64_t now_ms)
{
	switch (stop->state) {
	case STOP_NONE:
	case STOP_DONE:
		return STOP_DO_NOTHING;
	case STOP_GRACEFUL:
	case STOP_QUICK:
		if (workers_left == 0) {
			stop->state = STOP_TEMPLATES;
			stop->kill_ms = 0;
			return STOP_DO_DISMISS;
		}
		if (stop->kill_ms != 0 && now_ms >= stop->kill_ms) {
			stop->kill_ms = 0;
			return STOP_DO_KILL;
		}
		return STOP_DO_NOTHING;
	case STOP_TEMPLATES:
		if (templates_left > 0)
			return STOP_DO_NOTHING;
		stop->state = STOP_DONE;
		return STOP_DO_FINISH;
	}
	return STOP_DO_NOTHING;
}
