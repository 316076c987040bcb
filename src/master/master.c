/* SPDX-License-Identifier: MIT */
/*
 * master.c - the master process: makes the loop, ties the parts together, ends them.
 *
 * Called by main.c. Decides nothing itself that a pure module can decide, and never blocks.
 */
#include "base/base.h"

#include "master/master.h"

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/codewatch.h"
#include "master/generation.h"
#include "master/pidfile.h"
#include "master/replacement.h"
#include "master/rollover.h"
#include "master/signals.h"
#include "master/templates.h"
#include "master/watch.h"
#include "master/workers.h"

int master_init(struct master *master, const struct cli *cli, const struct strlist *activated,
                const struct inherited *inherited, bool is_detached, struct err *err)
{
	int error;

	memset(master, 0, sizeof(*master));
	master->cli = cli;
	master->activated = activated;
	master->inherited = inherited;
	master->upgrade.parent = inherited->parent;
	master->is_detached = is_detached;
	master->board.fd = -1;
	master->spawn.launch_fd = -1;
	master->started_ms = clock_ms();
	master->started_wall = clock_wall();
	list_init(&master->templates);
	hooks_init(&master->hooks);
	notify_init(&master->notify);
	logrelay_init(&master->logrelay);
	statsd_init(&master->statsd);
	pool_init(&master->pool);
	/* Environment defaults are checked with the rest, once the configuration is known. */
	if (settings_init(&master->settings, false, err) != 0)
		return -EINVAL;
	error = board_create(&master->board);
	if (error != 0)
		return err_set_errno(err, error, "can't make the scoreboard");
	atomic_store_explicit(&master->board.head->master_pid, (uint32_t)getpid(), memory_order_relaxed);
	error = spawn_init(&master->spawn, cli->argv.items[0], err);
	if (error != 0)
		return error;
	master->spawn.python = cli_value(cli, S_python);
	error = uv_loop_init(&master->loop);
	if (error != 0)
		return err_set_errno(err, error, "can't make an event loop");
	master->is_loop_ready = true;
	error = uv_timer_init(&master->loop, &master->timer);
	if (error != 0)
		return err_set_errno(err, error, "can't make a timer");
	master->timer.data = master;
	return signals_start(master, err);
}

const char *master_name(const struct master *master)
{
	return upgrade_is_second(master) ? "Master.2" : "Master";
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct master *master)
{
	if (!master->is_loop_ready)
		return;
	signals_close(master);
	webstatus_close(&master->webstatus);
	control_close(&master->control);
	uv_walk(&master->loop, close_handle, NULL);
	/* Runs the close callbacks, and waits for a status file that is being written. */
	(void)uv_run(&master->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&master->loop);
	master->is_loop_ready = false;
}

void master_release(struct master *master)
{
	close_loop(master);
	codewatch_release(master);
	for (uint32_t i = 0; i < BOARD_SLOTS; i++)
		workers_free_handle(&master->handles[i]);
	memory_release(&master->memory);
	listeners_release(&master->listeners, upgrade_owns_sockets(master));
	pool_release(&master->pool);
	hooks_release(&master->hooks);
	spawn_release(&master->spawn);
	notify_release(&master->notify);
	statsd_release(&master->statsd);
	status_release(&master->status);
	board_release(&master->board);
	settings_release(&master->settings);
	free(master->pidfile);
	memset(master, 0, sizeof(*master));
}

/* Before the last template leaves, which may have to log it; gunicorn's on_exit hook comes later, too. */
static void say_goodbye(struct master *master)
{
	bool is_error = master->stop.reason[0] != '\0';

	if (!master->is_up || master->wants_detach || master->has_said_goodbye)
		return;
	master->has_said_goodbye = true;
	hooks_say_lost(master);
	log_line(is_error ? LOG_ERROR : LOG_INFO, "Shutting down: %s", master_name(master));
	if (is_error)
		log_error("Reason: %s", master->stop.reason);
}

int master_run(struct master *master)
{
	struct err err = ERR_NONE;

	if (generation_start_first(master, &err) != 0) {
		cli_print_error(&err, stderr);
		return 1;
	}
	master_update(master);
	(void)uv_run(&master->loop, UV_RUN_DEFAULT);
	pidfile_remove(master->pidfile);
	say_goodbye(master);
	logrelay_finish(master);
	if (master->is_up && !master->wants_detach)
		status_write_last(master);
	notify_hand_over(master);
	return master->stop.exit_code;
}

/* ---- stopping ---- */

static void close_doors(struct master *master)
{
	atomic_store_explicit(&master->board.head->is_stopping, 1, memory_order_relaxed);
	master->pool.can_fork = false;
	rollover_cancel_reload(master);
	upgrade_cancel(master);
	templates_stop_listening(master);
	listeners_release(&master->listeners, upgrade_owns_sockets(master));
	LIST_EACH(&master->templates, it)
	listeners_release(&LIST_ENTRY(it, struct template, link)->listeners, upgrade_owns_sockets(master));
}

static void dismiss_templates(struct master *master)
{
	templates_hook(templates_ready_of(master, master->pool.generation), HOOK_on_exit, "{}");
	LIST_EACH(&master->templates, it)
	templates_dismiss(LIST_ENTRY(it, struct template, link));
}

static void carry_out_stop(struct master *master, enum stop_do what)
{
	switch (what) {
	case STOP_DO_NOTHING:
		break;
	case STOP_DO_RETIRE:
		close_doors(master);
		workers_retire_all(master, REASON_STOP);
		break;
	case STOP_DO_HURRY:
		close_doors(master);
		workers_hurry_all(master);
		break;
	case STOP_DO_KILL:
		workers_kill_all(master);
		break;
	case STOP_DO_DISMISS:
		say_goodbye(master);
		dismiss_templates(master);
		break;
	case STOP_DO_FINISH:
		uv_stop(&master->loop);
		break;
	}
	status_soon(&master->status);
}

void master_stop(struct master *master, bool is_quick, int exit_code, const char *reason)
{
	bool was_on = stop_is_on(&master->stop);
	enum stop_do what = stop_ask(&master->stop, is_quick, exit_code, reason, clock_ms());

	if (was_on && what == STOP_DO_HURRY)
		log_info("Quick shutdown requested");
	carry_out_stop(master, what);
}

void master_reopen_logs(struct master *master)
{
	struct err err = ERR_NONE;

	if (log_reopen(&err) != 0)
		log_error("Can't reopen the error log: %s", err.text);
	templates_reopen_logs(master);
	workers_signal_all(master, SIGUSR1);
}

/* ---- children ---- */

void master_reap(struct master *master)
{
	pid_t pid;
	int status;

	while (spawn_reap(&pid, &status)) {
		if (workers_on_exit(master, pid, status) || templates_on_exit(master, pid, status) ||
		    upgrade_on_exit(master, pid, status))
			continue;
		/* A worker whose birth was not announced yet, or a stranger that was left to us (as PID 1, or its parent died). */
		log_debug("Reaped unknown child process (pid:%ld)", (long)pid);
		spawn_keep_unknown(&master->spawn, pid, status, clock_ms());
	}
}

/* ---- the turn of the loop ---- */

static void on_timer(uv_timer_t *timer)
{
	master_update(timer->data);
}

static uint64_t sooner(uint64_t a_ms, uint64_t b_ms)
{
	if (a_ms == 0 || b_ms == 0)
		return MAX(a_ms, b_ms);
	return MIN(a_ms, b_ms);
}

static void arm_timer(struct master *master, uint64_t now_ms)
{
	uint64_t next_ms = pool_next_ms(&master->pool);

	next_ms = sooner(next_ms, templates_next_ms(master));
	next_ms = sooner(next_ms, replacement_next_ms(master));
	next_ms = sooner(next_ms, upgrade_next_ms(master));
	next_ms = sooner(next_ms, codewatch_next_ms(master));
	next_ms = sooner(next_ms, master->memory.next_ms);
	next_ms = sooner(next_ms, master->stop.kill_ms);
	next_ms = sooner(next_ms, master->status.next_ms);
	next_ms = sooner(next_ms, master->latency.next_ms);
	next_ms = sooner(next_ms, notify_next_ms(&master->notify));
	next_ms = sooner(next_ms, statsd_next_ms(&master->statsd));
	if (master->settings.timeout > 0 && pool_count(&master->pool, SLOT_SERVING) > 0)
		next_ms = sooner(next_ms, master->watch_ms);
	if (next_ms == 0) {
		(void)uv_timer_stop(&master->timer);
		return;
	}
	uv_update_time(&master->loop);
	(void)uv_timer_start(&master->timer, on_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void on_time(struct master *master, uint64_t now_ms)
{
	workers_on_time(master, now_ms);
	templates_on_time(master, now_ms);
	replacement_on_time(master, now_ms);
	upgrade_on_time(master, now_ms);
	codewatch_on_time(master, now_ms);
	watch_on_time(master, now_ms);
	memory_on_time(master, now_ms);
}

void master_update(struct master *master)
{
	uint64_t now_ms = clock_ms();

	if (master->is_updating)
		return;
	master->is_updating = true;
	on_time(master, now_ms);
	if (stop_is_on(&master->stop)) {
		enum stop_do what;

		do {
			what = stop_step(&master->stop, pool_live(&master->pool), templates_count(master), now_ms);
			carry_out_stop(master, what);
		} while (what != STOP_DO_NOTHING);
	} else if (master->pool.generation > 0) {
		workers_follow_plan(master, now_ms);
		templates_dismiss_unused(master);
	}
	latency_on_time(master, now_ms);
	status_on_time(master, now_ms);
	notify_on_time(master, now_ms);
	statsd_on_time(master, now_ms);
	arm_timer(master, now_ms);
	master->is_updating = false;
}
