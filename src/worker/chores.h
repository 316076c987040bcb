/* SPDX-License-Identifier: MIT */
/*
 * chores.h - what the agent can't do itself, because it takes Python's lock: the main thread does it when it comes by.
 *
 * One at a time. The agent asks and looks again later, it never waits; a main thread that never comes by (inside one long call
 * into C) does the chore when it is too late, and finds nothing left to do.
 */
#ifndef WORKER_CHORES_H
#define WORKER_CHORES_H

#include "base/base.h"
#include "worker/worker.h"

enum chore {
	CHORE_COLLECT, /* gc.collect() */
	CHORE_WATCH,   /* class gevent: from now on each greenlet's page faults are counted */
	CHORE_ABORT,   /* ends the request that grows */
};

struct chores; /* opaque */

/* GIL held, on the main thread, before the agent is started. NULL with a Python exception. It lives as long as the process. */
struct chores *chores_new(struct worker *worker);
/* In a process that the application has forked: nothing is asked of it. Async-signal-safe. */
void chores_forget(struct chores *chores);

/*
 * Agent. guilty_tid: the kernel's id of the thread whose request is meant (class gthread), 0: not known. False: the one before is
 * being done right now; ask again.
 */
bool chores_ask(struct chores *chores, enum chore chore, pid_t guilty_tid, bool insists);
/* Agent: the main thread shall come by. Again and again, as it may be inside of code that must not be interrupted. */
void chores_nudge(const struct chores *chores);
/* Agent: whether the last one is done; then *ret_amount and the text (at most 200 bytes) say what came of it. */
bool chores_are_done(struct chores *chores, uint64_t *ret_amount, char *ret_text, size_t size);

/* Main thread, GIL held, outside of the application: does what is asked for, if anything is. */
void chores_run(struct chores *chores);

#endif
