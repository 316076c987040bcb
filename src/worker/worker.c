/* SPDX-License-Identifier: MIT */
/*
 * worker.c - one worker process: boot, what its loop asks of it, and its end.
 *
 * Entered by template.c in the forked child. The order of the boot is gunicorn's (arbiter.py spawn_worker(), workers/base.py
 * init_process()). Must not serve: that is the loop of the worker class.
 */
#include "base/base.h"

#include "worker/worker.h"

#include "py/py.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "py/boot.h"
#include "py/module.h"
#include "py/pyerr.h"
#include "py/pylog.h"
#include "shared/exits.h"
#include "shared/worker_class.h"
#include "worker/agent.h"
#include "worker/batch.h"
#include "worker/chores.h"
#include "worker/gather.h"
#include "worker/logs.h"
#include "worker/privs.h"
#include "worker/squeeze.h"

enum {
	OTHER_FDS = 64,
	FDS_MAX = 16384, /* their table takes 8 bytes each, also of those that are not open */
};

const struct worker_class worker_classes[] = {
	{ "sync", sync_run, NULL },
	{ "gthread", gthread_run, NULL },
	{ "gevent", gevent_run, "patch_for_gevent" },
	{ NULL, NULL, NULL },
};

/* For last words in broken moments, where nobody hands us the worker. */
static struct board_line *own_line;

/* Set in every process that is forked off the worker. */
static bool is_copy;

static struct worker *own_worker;

static void note_fork(void)
{
	is_copy = true;
	(void)squeeze_end();
	if (own_worker != NULL)
		chores_forget(own_worker->chores);
}

static void note_last_words(const char *text)
{
	if (own_line != NULL)
		board_set_last_words(own_line, text);
}

static void set_phase(struct worker *worker, enum board_phase phase)
{
	atomic_store_explicit(&worker->line->phase, (uint32_t)phase, memory_order_relaxed);
	worker_beat(worker);
}

/* With the GIL: what other threads send waits for it. */
static void send_to_master(struct worker *worker, const struct message *message)
{
	int result = link_send(&worker->link, message);

	/* -EPIPE: the master is gone, the agent ends us. */
	if (result != 0 && result != -EPIPE)
		log_error("Cannot tell the master '%s': %s", message_name(message->id), strerror(-result));
}

static void tell_master(struct worker *worker, enum message_id id)
{
	struct message message;

	message_init(&message, id);
	send_to_master(worker, &message);
}

void worker_wake(const struct worker *worker)
{
	char byte = 0;
	/* A full pipe is readable all the same. */
	ssize_t ignored = write(worker->wake_write_fd, &byte, 1);

	(void)ignored;
}

/* Raises the order, never lowers it, and makes sure that a waiting loop notices. */
static void give_order(struct worker *worker, enum worker_order order)
{
	if ((int)order <= worker->order)
		return;
	worker->order = (int)order;
	worker_wake(worker);
}

/* What python/gunwale asks of us, through the module _gunwale. */

static void call_drain(void *context)
{
	give_order(context, WORKER_DRAIN);
}

static void call_quit(void *context, int exit_code)
{
	struct worker *worker = context;

	if (worker->order < WORKER_QUIT)
		worker->exit_code = exit_code;
	give_order(worker, WORKER_QUIT);
}

static int call_wake_fd(void *context)
{
	return ((const struct worker *)context)->wake_write_fd;
}

static uint64_t call_request_count(void *context)
{
	return atomic_load_explicit(&((struct worker *)context)->line->requests_total, memory_order_relaxed);
}

static void call_beat(void *context)
{
	worker_beat(context);
}

static uint64_t call_last_beat_ms(void *context)
{
	return atomic_load_explicit(&((struct worker *)context)->line->beat_ms, memory_order_relaxed);
}

static void call_reopen_logs(void *context)
{
	struct worker *worker = context;
	struct err err = ERR_NONE;

	if (logs_reopen(worker->settings, worker->access_log, &err) != 0)
		log_error("Log files were not opened again: %s", err.text);
	pylog_update();
}

static void call_write_access(void *context, struct span text)
{
	struct worker *worker = context;

	if (worker->access_log != NULL)
		worker_write_access(worker, text);
}

static void call_send_metric(void *context, const char *text)
{
	metrics_send(((const struct worker *)context)->metrics, text);
}

static void call_last_words(void *context, const char *text)
{
	board_set_last_words(((struct worker *)context)->line, text);
}

static void call_code_files(void *context, uint64_t since_ms, const char *files)
{
	struct message message;
	char *text = xstrdup(files);

	message_init(&message, MESSAGE_code_files);
	message.code_files.since_ms = since_ms;
	message.code_files.files = text;
	send_to_master(context, &message);
	free(text);
}

static void call_code_broken(void *context, const char *why)
{
	struct message message;
	char *text = xstrndup(why, MIN(strlen(why), (size_t)400));

	message_init(&message, MESSAGE_code_broken);
	message.code_broken.text = text;
	send_to_master(context, &message);
	free(text);
}

static void connect_python(struct worker *worker)
{
	const struct module_calls calls = {
		.drain = call_drain,
		.quit = call_quit,
		.wake_fd = call_wake_fd,
		.request_count = call_request_count,
		.beat = call_beat,
		.last_beat_ms = call_last_beat_ms,
		.reopen_logs = call_reopen_logs,
		.last_words = call_last_words,
		.code_files = call_code_files,
		.code_broken = call_code_broken,
		.write_access = call_write_access,
		.send_metric = call_send_metric,
		.settings = worker->settings,
		.context = worker,
	};

	module_set_calls(&calls);
}

static int open_wake(struct worker *worker, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return err_set_errno(err, -errno, "no pipe for signals");
	worker->wake_fd = fds[0];
	worker->wake_write_fd = fds[1];
	return 0;
}

/* Those of clients, our own and some of the application's. */
static size_t count_fds(const struct settings *settings)
{
	return MIN((size_t)MAX(settings->worker_connections, 1L) + OTHER_FDS, (size_t)FDS_MAX);
}

static void begin_line(struct worker *worker)
{
	struct board_line *line = worker->line;

	own_line = line;
	check_set_last_words(note_last_words);
	atomic_store_explicit(&line->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&line->serial, worker->serial, memory_order_relaxed);
	atomic_store_explicit(&line->generation, worker->generation, memory_order_relaxed);
	set_phase(worker, PHASE_BOOT);
}

/*
 * Everything that must stand before code of the user runs: signs of life, the agent, signals.
 * -1, or the exit code.
 */
static int boot_basics(struct worker *worker)
{
	struct err err = ERR_NONE;
	char name[32];
	sigset_t none;

	begin_line(worker);
	own_worker = worker;
	(void)pthread_atfork(NULL, NULL, note_fork);
	connect_python(worker);
	if (open_wake(worker, &err) != 0) {
		log_error("%s", err.text);
		return EXIT_WORKER_BOOT;
	}
	/* Now: the agent is the second thread. */
	fd_make_room(worker->wake_fd, count_fds(worker->settings));
	privs_offer_to_killer();
	alloc_set_relief(squeeze_end);
	worker->chores = chores_new(worker);
	if (worker->chores == NULL) {
		pyerr_log(LOG_ERROR, "The worker can't look after its memory");
		return EXIT_WORKER_BOOT;
	}
	(void)snprintf(name, sizeof(name), "<Worker %ld>", (long)getpid());
	worker->batch = batch_new();
	worker->gather = gather_new();
	worker->agent = agent_new(worker, name);
	if (worker->agent == NULL) {
		log_error("No thread for the worker's agent: %s", strerror(errno));
		return EXIT_WORKER_BOOT;
	}
	int code = boot_worker_step("take_signals", worker->proxy);
	/* They were held back since the fork, so that none is lost. */
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	return code;
}

static const struct worker_class *find_class(const struct worker *worker)
{
	const char *loop = worker_class_loop(worker->settings);
	const struct worker_class *found = worker_classes;

	while (found->name != NULL && (loop == NULL || strcmp(found->name, loop) != 0))
		found++;
	CHECK(found->name != NULL); /* the master has checked it */
	return found;
}

static int boot_user(struct worker *worker)
{
	const char *before_load = find_class(worker)->before_load;
	const struct settings *settings = worker->settings;
	struct err err = ERR_NONE;

	log_info("Booting worker with pid: %ld", (long)getpid());
	int code = boot_worker_step("post_fork", worker->proxy);
	if (code >= 0)
		return code;
	if (privs_drop(settings->user, settings->group, settings->initgroups, &err) != 0) {
		log_error("Exception in worker process: %s", err.text);
		note_last_words(err.text);
		return EXIT_WORKER_BOOT;
	}
	set_phase(worker, PHASE_LOAD);
	if (before_load != NULL)
		code = boot_worker_step(before_load, worker->proxy);
	if (code < 0)
		code = boot_worker_step("load", worker->proxy);
	if (code >= 0)
		return code;
	/* The application, or post_worker_init, may have put handlers of its own onto the loggers. */
	pylog_update();
	worker->app = boot_worker_app(worker->proxy);
	return worker->app != NULL ? -1 : EXIT_APP_LOAD;
}

void worker_ready(struct worker *worker)
{
	set_phase(worker, PHASE_SERVE);
	tell_master(worker, MESSAGE_ready);
}

static int run_loop(struct worker *worker)
{
	int code = find_class(worker)->run(worker);
	/* A signal's exception may also have ended the loop from inside, before it could say so. */
	return worker->order == WORKER_QUIT ? worker->exit_code : code;
}

void worker_main(struct worker *worker)
{
	int code = boot_basics(worker);

	if (code < 0)
		code = boot_user(worker);
	worker_end_copy(worker);
	if (code < 0)
		code = run_loop(worker);
	set_phase(worker, PHASE_EXIT);
	log_info("Worker exiting (pid: %ld)", (long)getpid());
	/* Hooks, threads, atexit and flushing happen in Python; to tear the interpreter down would only touch its memory. */
	(void)boot_worker_step("leave", worker->proxy);
	exit(code);
}

/* gunicorn: such a copy ends too, when it notices that its parent is another one. Until then it takes clients. */
void worker_end_copy(struct worker *worker)
{
	int code = EXIT_OK;

	if (LIKELY(!is_copy))
		return;
	if (worker->hold_copy != NULL)
		worker->hold_copy();
	if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_SystemExit)) {
		PyErr_Clear();
	} else if (PyErr_Occurred()) {
		pyerr_log(LOG_ERROR, "Exception in a process that the application forked");
		code = EXIT_UNHANDLED;
	}
	log_debug("A process that the application forked has left it, and ends (pid: %ld)", (long)getpid());
	(void)boot_worker_step("end_copy", worker->proxy);
	_exit(code);
}

void worker_beat(struct worker *worker)
{
	board_beat(worker->line, clock_ms());
}

void worker_woken(struct worker *worker)
{
	char bytes[64];

	while (read(worker->wake_fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}

/* A signal handler raised while the loop, not the application, was running. */
static void take_signal_exception(struct worker *worker)
{
	if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
		/* Ours ordered what to do before they raised; an application's own handler means: leave. */
		PyErr_Clear();
		call_quit(worker, EXIT_OK);
		return;
	}
	pyerr_log(LOG_ERROR, "Exception in worker process");
	call_quit(worker, EXIT_UNHANDLED);
}

/* Lines of the error log that nobody took, into the count that the status file shows. */
static void count_dropped(struct worker *worker)
{
	uint64_t total = log_dropped_total();
	uint64_t more = total - worker->error_lines_dropped;

	if (LIKELY(more == 0))
		return;
	worker->error_lines_dropped = total;
	atomic_store_explicit(&worker->line->log_dropped_total,
	                      atomic_load_explicit(&worker->line->log_dropped_total, memory_order_relaxed) + more,
	                      memory_order_relaxed);
}

void worker_write_access(struct worker *worker, struct span line)
{
	struct outlet *outlet = worker->access_log;

	if (UNLIKELY(!outlet_write(outlet, line.at, line.len))) {
		atomic_store_explicit(&worker->line->log_dropped_total,
		                      atomic_load_explicit(&worker->line->log_dropped_total, memory_order_relaxed) + 1,
		                      memory_order_relaxed);
		return;
	}
	uint64_t lost = atomic_load_explicit(&outlet->dropped_unreported, memory_order_relaxed);
	if (LIKELY(lost == 0))
		return;
	/* In the error log: a line of another form would be a nuisance to whoever reads the access log. */
	lost = outlet_take_dropped(outlet);
	if (lost > 0)
		log_warning("%llu access log %s lost: the access log could not take more", (unsigned long long)lost,
		            lost == 1 ? "line was" : "lines were");
}

enum worker_order worker_tick(struct worker *worker)
{
	worker_beat(worker);
	count_dropped(worker);
	chores_run(worker->chores);
	if (UNLIKELY(PyErr_CheckSignals() != 0))
		take_signal_exception(worker);
	if (UNLIKELY(worker->order != WORKER_SERVE && !worker->has_said_leaving)) {
		worker->has_said_leaving = true;
		set_phase(worker, PHASE_DRAIN);
		tell_master(worker, MESSAGE_leaving);
	}
	return (enum worker_order)worker->order;
}

void worker_count_request(struct worker *worker)
{
	struct board_line *line = worker->line;
	uint64_t count = atomic_load_explicit(&line->requests_total, memory_order_relaxed) + 1;

	atomic_store_explicit(&line->requests_total, count, memory_order_relaxed);
	if (LIKELY(worker->request_limit == 0 || count < worker->request_limit || worker->has_asked_recycle))
		return;
	worker->has_asked_recycle = true;
	log_info("Autorestarting worker after current request.");
	tell_master(worker, MESSAGE_recycle);
}
