/* SPDX-License-Identifier: MIT */
/*
 * pyerr.h - the current exception as text: for the log, for struct err.
 *
 * The caller holds the GIL. Every call clears the exception; none sets another.
 */
#ifndef PY_PYERR_H
#define PY_PYERR_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

/* Appends the traceback as Python prints it, chained exceptions included, with a newline at the end. */
void pyerr_add_traceback(struct buf *text);
/* Logs one line, and the traceback below it as raw text. Does nothing when the level is off or no exception is set. */
void pyerr_log(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* "TypeError: the message" into err. Returns code. */
int pyerr_to_err(struct err *err, int code);

#endif
