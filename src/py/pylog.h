/* SPDX-License-Identifier: MIT */
/*
 * pylog.h - the application's Python logger in place of our own log lines.
 *
 * python/gunwale/logchoice.py decides whether there is need for it. As long as there is none all of this is off and costs
 * nothing. The caller holds the GIL in all calls; no call leaves an exception.
 */
#ifndef PY_PYLOG_H
#define PY_PYLOG_H

#include "base/base.h"
#include "base/log.h"

/*
 * Asks who writes the lines from now on, and becomes the log's sink where Python does. After the logger was made, after the
 * application was loaded, when the log files were opened again.
 */
void pylog_update(void);
/* Whether lines of that level go to Python. */
bool pylog_is_on(enum log_level level);
bool pylog_has_errors(void);
/* The lowest level that Python wants. */
enum log_level pylog_level(void);
/* The logger whose access() writes the access lines; borrowed PyObject; NULL: C does. */
struct _object *pylog_access(void);
/* Whether access() of that logger also sends the metrics of a request. */
bool pylog_sends_metrics(void);
/* A line and the exception that it is about, as logger.exception() in its handler. False: not logged. */
bool pylog_exception(enum log_level level, const char *text, struct _object *exception);
/* What the application wrote to wsgi.errors, a str: to the streams that the error log has in Python alone. */
void pylog_raw(struct _object *text);
/* A line of the master's. False: not logged. */
bool pylog_relay(enum log_level level, const char *text, long pid, double seconds);

#endif
