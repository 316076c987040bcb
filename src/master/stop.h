/* SPDX-License-Identifier: MIT */
/*
 * stop.h - the end of the service, as states: first the workers, then the templates, then the master.
 *
 * Pure.
 */
#ifndef MASTER_STOP_H
#define MASTER_STOP_H

#include "base/base.h"

enum {
	STOP_HURRIED_MS = 2000, /* a graceful stop that is hurried: this long until SIGKILL */
};

enum stop_state {
	STOP_NONE,
	STOP_GRACEFUL,  /* workers finish their requests */
	STOP_QUICK,     /* workers leave at once */
	STOP_TEMPLATES, /* no worker is left; the templates run their last hooks */
	STOP_DONE,
};

enum stop_do {
	STOP_DO_NOTHING,
	STOP_DO_RETIRE,  /* every worker: finish and leave; close the listeners */
	STOP_DO_HURRY,   /* every worker: leave at once; close the listeners */
	STOP_DO_KILL,    /* SIGKILL for every worker that is left */
	STOP_DO_DISMISS, /* on_exit hook, then dismiss the templates */
	STOP_DO_FINISH,  /* nothing is left: end the loop */
};

struct stop {
	enum stop_state state;
	int exit_code;
	char reason[256];  /* for a stop that is an error; empty: an ordinary one */
	uint64_t kill_ms;  /* when patience ends; 0: the slots' own timers do */
};

bool stop_is_on(const struct stop *stop);
/* A signal, or a fatal error with its exit code and reason (NULL: none). The first exit code stays. */
enum stop_do stop_ask(struct stop *stop, bool is_quick, int exit_code, const char *reason, uint64_t now_ms);
/* After each event: how many workers and templates are left. */
enum stop_do stop_step(struct stop *stop, uint32_t workers_left, uint32_t templates_left, uint64_t now_ms);

#endif
