/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one worker process: what it was given, its phases, its signs of life, its end.
 *
 * worker.c boots (privileges, signals, application, hooks) and leaves; between the two it runs the loop of the worker class
 * (sync.c), which asks worker_tick() at each turn what to do.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/base.h"
#include "base/outlet.h"
#include "shared/board.h"
#include "shared/link.h"
#include "shared/metrics.h"
#include "shared/settings.h"

struct agent;
struct batch;
struct chores;
struct gather;
struct service;
struct tls_context;

/* What the loop shall do. */
enum worker_order {
	WORKER_SERVE, /* go on */
	WORKER_DRAIN, /* accept nothing more, finish what was accepted, then return from the loop */
	WORKER_QUIT,  /* leave at once */
};

struct worker {
	const struct settings *settings;
	struct board *board;
	struct board_line *line;
	struct link link;          /* to the master; owned */
	uint32_t slot;
	uint32_t serial;           /* gunicorn: worker.age */
	uint32_t generation;
	const int *listen_fds;     /* borrowed from the template's memory; non-blocking; the loop closes them when all stops */
	size_t listen_count;
	struct outlet *access_log; /* borrowed from the template's memory; NULL: none. SIGUSR1 reopens it in worker_tick() */
	const struct tls_context *tls; /* borrowed from the template's memory; NULL: plain */
	const struct metrics *metrics; /* borrowed from the template's memory */
	int wake_fd;               /* non-blocking; readable when a signal arrived: worker_woken(), then worker_tick() */
	uint64_t request_limit;    /* 0: none */
	bool has_asked_recycle;
	struct agent *agent;
	struct batch *batch;       /* NULL: there is no timer for it */
	struct gather *gather;     /* NULL: there is no timer for it */
	struct chores *chores;     /* what the agent wants done with the GIL */
	struct service *service;   /* the loop's connections; NULL before it runs */
	void *app;                 /* PyObject *: the WSGI callable; strong */
	void *proxy;               /* PyObject *: the `worker` object that hooks see; strong */
	void (*hold_copy)(void);   /* see worker_end_copy(); NULL: none */
	/* private to worker.c */
	int wake_write_fd;
	int order;                 /* enum worker_order; only ever rises */
	int exit_code;
	bool has_said_leaving;
	uint64_t error_lines_dropped; /* that are counted on the board */
};

/* The child side of the fork: never returns. The GIL is held, Python's after-fork work is done. Takes worker->link. */
void worker_main(struct worker *worker) ATTR_NORETURN;

/* The loop is set up and can serve: the master may count on this worker from now on. Once. */
void worker_ready(struct worker *worker);
/*
 * Once per turn of the loop, GIL held: beats, runs pending Python signal handlers, looks whether a hook set
 * worker.alive = False. Says what to do.
 */
enum worker_order worker_tick(struct worker *worker);
/* Makes a loop that waits look after its orders and deadlines. Any thread, any state of the GIL. */
void worker_wake(const struct worker *worker);
/* Empties wake_fd after poll found it readable. Any state of the GIL. */
void worker_woken(struct worker *worker);
/* A whole line into the access log, which there is; never waits. What is lost is counted, and told when it flows again. */
void worker_write_access(struct worker *worker, struct span line);
/* A sign of life alone; any thread, no GIL needed. For waits inside a request whose slowness is the client's. */
void worker_beat(struct worker *worker);
/*
 * GIL held, an exception may be set. Call whenever code of the application is left: the application may have forked, and it is
 * the copy that comes back. That one must not touch what it shares with the worker (epoll set, clients, board), so it ends
 * here; the worker itself returns. hold_copy() is called before the end, and does not return on a stack that did not fork.
 */
void worker_end_copy(struct worker *worker);
/*
 * Call just before a request is handed to the application (GIL held): counts it, and at the request limit asks the master
 * for a successor (once). The worker goes on serving until it is told to retire.
 */
void worker_count_request(struct worker *worker);

/*
 * A worker class: its loop. Returns when drained or told to quit. GIL held at entry and return. 0 or an exit code.
 * Python-level signal handlers may raise SystemExit through the application (INT, QUIT, ABRT): treat it like any exception
 * that leaves the application, the next worker_tick() says WORKER_QUIT.
 */
typedef int (*worker_loop_fn)(struct worker *worker);
struct worker_class {
	const char *name;
	worker_loop_fn run;
	const char *before_load; /* boot_worker_step() before the application is imported; NULL: none */
};
extern const struct worker_class worker_classes[]; /* ends with a NULL name */

int sync_run(struct worker *worker);    /* sync.c */
int gthread_run(struct worker *worker); /* gthread.c */
int gevent_run(struct worker *worker);  /* gevent.c */

#endif
