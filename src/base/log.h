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
/* The path as given to log_open(). */
const char *log_path(void);
bool log_is_on(enum log_level level);
uint64_t log_dropped_total(void);

void log_line(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);
void log_vline(enum log_level level, const char *fmt, va_list args) ATTR_PRINTF(2, 0);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_critical(...) log_line(LOG_CRITICAL, __VA_ARGS__)

/* Raw text on the same fd (a traceback), with the same promise not to block. */
void log_raw(const char *text, size_t len);
/* Last words from a signal handler or a broken process: no allocation, no locks, no time stamp zone look-up. */
void log_signal_safe(const char *text);

#endif
