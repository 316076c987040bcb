/* SPDX-License-Identifier: MIT */
/*
 * log.h - the error log, in gunicorn's line format.
 *
 *   [2026-11-22 10:11:12 +0000] [1234] [INFO] message
 *
 * One log per process. Writing never blocks: where the reader of a pipe is stuck the line is dropped and counted, and the
 * next line that goes through tells how many were lost. Each line is one write(2).
 * Library folders (base, shared, http) do not log; their callers do.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

/* "debug", "INFO" ...; false when unknown (the caller decides; gunicorn falls back to info). */
bool log_level_from_name(const char *name, enum log_level *ret_level);
const char *log_level_name(enum log_level level); /* "INFO" */

/*
 * Opens the error log: "-" is stderr, anything else a file, appended to, created 0666 & ~umask, close-on-exec.
 * On failure the old log stays. May be called again (reload). Returns 0 or -errno with a sentence.
 */
int log_open(const char *path, enum log_level level, struct err *err);
/* Opens the same path again, after logrotate moved the file. stderr is left alone. */
int log_reopen(struct err *err);
/* Lets go of the log: later lines go to stderr. */
void log_close(void);
/* The fd the log writes to; stays the log's. */
int log_fd(void);
bool log_is_on(enum log_level level);
uint64_t log_dropped_total(void);
/* {"time":..., "pid":..., "level":..., "message":...} instead, one object a line; details become "exception". */
void log_set_json(bool is_json);
bool log_is_json(void);

/*
 * Somebody else who writes the lines, one at a time as they are made: the application's Python logger. take() is asked in
 * whatever thread has something to say, and answers false for what it can't take now; that is written as usual. message and
 * details are lent for the call. level: from where on; it may be lower than the log's own.
 */
struct log_sink {
	bool (*take)(void *context, enum log_level level, struct span message, struct span details);
	void *context;
	enum log_level level;
};
void log_set_sink(const struct log_sink *sink); /* copied; NULL: none */
/* Hears of every line of any level that no sink took, written or not, from any thread (metrics). Never logs. */
struct log_watch {
	void (*note)(void *context, enum log_level level, bool has_details);
	void *context;
};
void log_set_watch(const struct log_watch *watch); /* copied; NULL: none */

void log_line(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);
void log_vline(enum log_level level, const char *fmt, va_list args) ATTR_PRINTF(2, 0);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_critical(...) log_line(LOG_CRITICAL, __VA_ARGS__)

/* One line and something below it, whole lines (a traceback). In JSON both are one object. */
void log_report(enum log_level level, struct span details, const char *fmt, ...) ATTR_PRINTF(3, 4);
void log_vreport(enum log_level level, struct span details, const char *fmt, va_list args) ATTR_PRINTF(3, 0);
/* An ERROR with a text of several lines, terminated or not, below it. */
void log_traceback(const char *what, const char *text);
/* A message that a sink had taken and could not get rid of: written here, to the log's own file. */
void log_plain(enum log_level level, struct span message);

/* Raw text on the same fd, with the same promise not to block. */
void log_raw(const char *text, size_t len);
/* Last words from a signal handler or a broken process: no allocation, no locks, no time stamp zone look-up. */
void log_signal_safe(const char *text);

#endif
