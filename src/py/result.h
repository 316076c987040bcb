/* SPDX-License-Identifier: MIT */
/*
 * result.h - what the application returned: walked piece by piece, closed exactly once.
 *
 * The caller holds the GIL in all calls, and has entered the request's context in those that run Python code (open, next,
 * close).
 */
#ifndef PY_RESULT_H
#define PY_RESULT_H

#include "base/base.h"
#include "py/py.h"

struct result {
	PyObject *object;   /* NULL: nothing (any more) */
	PyObject *iterator; /* NULL while `object` is a list or tuple, which is walked by index */
	Py_ssize_t index;
};

/* 0, or -1 with an exception. Once in a process. */
int result_setup(void);
/* Keeps the reference to `object`, also on failure: result_close() is due in every case. 0, or -1 with an exception. */
int result_open_take(struct result *result, PyObject *object_take);
/* 1 with a new reference, 0 at the end, -1 with an exception. */
int result_next(struct result *result, PyObject **ret_item);
/* True when it is known without running any code that nothing more comes. */
bool result_is_exhausted(const struct result *result);
/* True when it is known without running any code that one piece more comes at most. Of a result that was opened, or is closed. */
bool result_is_at_most_one(const struct result *result);
/* False when letting go of it runs no close(): a list or tuple, or nothing. */
bool result_has_close(const struct result *result);
/* Calls close() if there is one, then lets go. 0, or -1 with an exception; closed in both cases. Harmless when closed. */
int result_close(struct result *result);

#endif
