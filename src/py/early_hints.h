/* SPDX-License-Identifier: MIT */
/*
 * early_hints.h - wsgi.early_hints: 103 before the response.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_EARLY_HINTS_H
#define PY_EARLY_HINTS_H

#include "base/base.h"
#include "py/py.h"
#include "py/start_response.h"

/* 0, or -1 with an exception. Once in a process, before early_hints_new(). */
int early_hints_setup(void);
/* A callable that sends through `reply` until early_hints_detach(). NULL with an exception. */
PyObject *early_hints_new(struct reply *reply);
/* The request is over: later calls do nothing. */
void early_hints_detach(PyObject *callable);

#endif
