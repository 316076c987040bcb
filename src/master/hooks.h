/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - server hooks as the master sees them: sent to the template that runs them, kept while there is none, and what
 * follows when one fails.
 */
#ifndef GUNWALE_MASTER_HOOKS_H
#define GUNWALE_MASTER_HOOKS_H

#include "base/base.h"
#include "base/list.h"

struct master;

enum { HOOKS_WAITING_MAX = 1024 };

/* Hooks that fell due while no template was ready. */
struct hooks {
	struct list waiting;
	size_t waiting_count;
	uint64_t dropped_total; /* there was no room */
};

void hooks_init(struct hooks *hooks);
void hooks_release(struct hooks *hooks);

/*
 * Runs the hook (enum hook_id, arguments as JSON) in that generation's template; where it has none that is ready, in that of the
 * pool's, and where that one is being replaced, in the next one, in the order of the calls.
 */
void hooks_run(struct master *master, uint32_t generation, uint32_t hook, const char *arguments);
/* A template of the pool's generation is ready. */
void hooks_on_ready(struct master *master);
/* The service has ended: says what never ran. */
void hooks_say_lost(const struct master *master);

/*
 * Says that the hook (enum hook_id) failed. exit_code: -1 when it raised, else that of its sys.exit(). text: the traceback, or
 * what sys.exit() was told; may be empty. Ends the server where gunicorn's start would have ended, and after sys.exit().
 */
void hooks_on_failed(struct master *master, uint32_t hook, int exit_code, const char *text);

#endif
