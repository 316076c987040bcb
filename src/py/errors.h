/* SPDX-License-Identifier: MIT */
/*
 * errors.h - wsgi.errors: a text stream that ends in the error log.
 */
#ifndef PY_ERRORS_H
#define PY_ERRORS_H

#include "base/base.h"
#include "py/py.h"

/* A new object with write(), writelines() and flush(); NULL with an exception. GIL held. */
PyObject *errors_new(void);

#endif
