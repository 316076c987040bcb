/* SPDX-License-Identifier: MIT */
/*
 * module.h - the built-in Python module `_gunwale`: what the cold glue in python/gunwale needs from C.
 *
 *   version                    "1.0"
 *   settings                   names of all settings, in the table's order
 *   hooks                      ((name, parameters, "TEMPLATE" or "WORKER"), ...) in the table's order
 *   worker_signals             ((number, action), ...) of signals.def
 *   log(level, text)           a line of the error log; levels as LOG_DEBUG ... LOG_CRITICAL
 *   log_raw(text)              text as it is, on the same fd
 *   access_raw(text)           text as it is into the access log
 *   statsd(text)               a metric, "NAME:VALUE|TYPE"; nothing without statsd_host
 *   log_is_on(level), log_fd()
 *   drain(), quit(exit_code)   what the worker's loop shall do; no effect in a template
 *   wake_fd()                  where signal.set_wakeup_fd() shall write; -1 in a template
 *   request_count()            requests begun by this worker
 *   beat(), last_beat()        the sign of life, seconds of the monotonic clock
 *   reopen_logs()              after logrotate moved the files
 *   last_words(text)           why the worker is dying, for the status page
 *   environ(software), peer(fd)   see warmup.h
 *   code_files(since_ms, text), code_broken(text)   messages of that name to the master, for --reload
 */
#ifndef PY_MODULE_H
#define PY_MODULE_H

#include "base/base.h"
#include "base/span.h"
#include "shared/settings.h"

/* What the module asks of the process around it. All run with the GIL held, on any thread. */
struct module_calls {
	void (*drain)(void *context);
	void (*quit)(void *context, int exit_code);
	int (*wake_fd)(void *context);
	uint64_t (*request_count)(void *context);
	void (*beat)(void *context);
	uint64_t (*last_beat_ms)(void *context);
	void (*reopen_logs)(void *context);
	void (*write_access)(void *context, struct span text);
	void (*send_metric)(void *context, const char *text);
	void (*last_words)(void *context, const char *text);
	void (*code_files)(void *context, uint64_t since_ms, const char *files);
	void (*code_broken)(void *context, const char *why);
	const struct settings *settings; /* outlives the interpreter */
	void *context;
};

/* Copied. Before the first call the functions above do nothing. GIL held. */
void module_set_calls(const struct module_calls *calls);

/* For PyImport_AppendInittab: a new reference to the module, or NULL with an exception. Returns a PyObject pointer. */
struct _object *module_open(void);

#endif
