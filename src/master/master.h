/* SPDX-License-Identifier: MIT */
/*
 * master.h - the master process: everything it holds, and the doors between its parts.
 *
 * Decisions live in pure modules (slot, pool, template, reload, stop); spawn.c touches processes; this struct ties them
 * together. Pure C: no Python, no HTTP.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "base/base.h"
#include "base/list.h"
#include "master/cli.h"
#include "master/control.h"
#include "master/hooks.h"
#include "master/inherit.h"
#include "master/latency.h"
#include "master/listeners.h"
#include "master/logrelay.h"
#include "master/memory.h"
#include "master/notify.h"
#include "master/obituary.h"
#include "master/pool.h"
#include "master/recycles.h"
#include "master/reload.h"
#include "master/spawn.h"
#include "master/statsd.h"
#include "master/status.h"
#include "master/stop.h"
#include "master/upgrade.h"
#include "master/webstatus.h"
#include "shared/board.h"
#include "shared/settings.h"

#include <uv.h>

struct codewatch;
struct worker_handle;

enum { MASTER_SIGNALS_MAX = 16 };

struct master {
	const struct cli *cli;        /* borrowed */
	const struct strlist *activated; /* borrowed; the service manager's sockets, in place of `bind`; may be empty */
	const struct inherited *inherited; /* borrowed; the old master's sockets, to be taken over by the first generation */
	uv_loop_t loop;
	uv_timer_t timer;             /* one shot: the next time that anything waits for */
	uv_signal_t signals[MASTER_SIGNALS_MAX];
	size_t signal_count;
	struct settings settings;     /* of the pool's generation; defaults before */
	struct board board;
	struct spawn spawn;
	struct pool pool;
	struct reload reload;
	struct stop stop;
	struct upgrade upgrade;
	struct listeners listeners;   /* of the pool's generation */
	struct list templates;        /* struct template, oldest first */
	struct worker_handle *handles[BOARD_SLOTS]; /* made on first use */
	struct hooks hooks;
	struct obituaries obituaries;
	struct recycles recycles;
	struct memory memory;
	struct latency latency;
	struct status status;
	struct webstatus webstatus;
	struct control control;
	struct notify notify;
	struct codewatch *code;       /* --reload; NULL before a worker has told what to watch */
	struct logrelay logrelay;
	struct statsd statsd;
	char *pidfile;                /* that we wrote */
	uint64_t started_ms;
	time_t started_wall;
	uint64_t watch_ms;            /* when to look at the heartbeats next */
	uint64_t spawned_total;
	long workers_told;            /* the number last logged; 0: none */
	uint64_t replace_ms;          /* when to start a template for the one that died; 0: none is missing */
	uint64_t replaced_ms;         /* when the last replacement became ready; 0: none ever did */
	uint32_t replace_tries;
	bool is_up;                   /* "Starting" was logged */
	bool is_check;                /* only --check-config */
	bool is_detached;             /* runs as the daemon already */
	bool wants_detach;            /* ended so that main.c can detach and run again */
	bool keeps_stdio;             /* with it: enable_stdio_inheritance */
	bool has_served;              /* a worker was ready once */
	bool has_said_goodbye;        /* "Shutting down" was logged */
	bool is_updating;             /* master_update() is on the stack */
	bool has_inherited;           /* the old master's sockets are in `listeners` */
	bool is_loop_ready;
};

/*
 * Makes the loop, the board and the signal handlers. activated, inherited: see activation_take() and inherit_take(); stay the
 * caller's and outlive the master. 0 or -errno with a sentence.
 */
int master_init(struct master *master, const struct cli *cli, const struct strlist *activated,
                const struct inherited *inherited, bool is_detached, struct err *err);
/* "Master", or "Master.2" beside an older one. */
const char *master_name(const struct master *master);
/* Runs until stopped. Returns the exit code. */
int master_run(struct master *master);
void master_release(struct master *master);

/* After every event: follows the plan, steps a stop, arms the timer. May be called from inside itself: does nothing then. */
void master_update(struct master *master);
/* Begins to stop. reason: for an error, NULL otherwise. */
void master_stop(struct master *master, bool is_quick, int exit_code, const char *reason);
/* Collects ended children. */
void master_reap(struct master *master);
/* USR1. */
void master_reopen_logs(struct master *master);

#ifdef Py_PYTHON_H
#error "Python stays out of the master"
#endif

#endif
