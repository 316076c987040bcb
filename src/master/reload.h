/* SPDX-License-Identifier: MIT */
/*
 * reload.h - SIGHUP: the next generation, tried before the present one is let go.
 *
 * Pure. A reload starts a new template; when that is ready, one worker of the new generation is forked as canary; when that is
 * ready too, the generation is committed and the pool rolls the other workers over. Any failure before that abandons the new
 * generation and changes nothing else.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "base/base.h"

enum {
	RELOAD_PATIENCE_MS = 30000, /* after that another SIGHUP ends the one under way */
};

enum reload_state {
	RELOAD_IDLE,
	RELOAD_TEMPLATE, /* the new template starts, configures or loads */
	RELOAD_CANARY,   /* the first worker of the new generation boots */
};

enum reload_do {
	RELOAD_DO_NOTHING,
	RELOAD_DO_START,   /* start a template of generation reload->generation */
	RELOAD_DO_CANARY,  /* fork one worker of it */
	RELOAD_DO_COMMIT,  /* make it the pool's generation */
	RELOAD_DO_ABANDON, /* dismiss its template and canary */
};

struct reload {
	enum reload_state state;
	uint32_t generation;  /* the candidate's; also the newest ever tried */
	uint32_t canary_slot;
	uint64_t begun_ms;    /* when its template was started; set by who starts it */
	bool is_pending;      /* asked for again while one was under way */
	uint32_t succeeded_total;
	uint32_t failed_total;
	char last_error[512]; /* one sentence; empty after a success */
};

const char *reload_state_name(enum reload_state state); /* "idle", "template", "canary" */

/* SIGHUP. While one is under way, another one follows it. */
enum reload_do reload_ask(struct reload *reload);
/* It takes so long that it may hang: rather fail it and begin the pending one than wait on. */
bool reload_is_late(const struct reload *reload, uint64_t now_ms);
/* The candidate's template can fork. needs_canary: false when no workers are wanted at all. */
enum reload_do reload_template_ready(struct reload *reload, bool needs_canary);
enum reload_do reload_canary_ready(struct reload *reload);
/* The candidate's template or canary failed; why: one sentence for log and status. */
enum reload_do reload_fail(struct reload *reload, const char *why);
/* After COMMIT or ABANDON was carried out: starts the pending one, if any. */
enum reload_do reload_next(struct reload *reload);
/* The service stops: forgets a pending one and abandons one that is under way. */
enum reload_do reload_cancel(struct reload *reload);

#endif
