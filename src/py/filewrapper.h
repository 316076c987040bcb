/* SPDX-License-Identifier: MIT */
/*
 * filewrapper.h - wsgi.file_wrapper: a file as a response body.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_FILEWRAPPER_H
#define PY_FILEWRAPPER_H

#include "base/base.h"
#include "py/py.h"

/* 0, or -1 with an exception. Once in a process. */
int filewrapper_setup(void);
/* The type, for the environ; borrowed. */
PyObject *filewrapper_class(void);
/* Exactly our type: subclasses may do what they like with iteration. */
bool filewrapper_check(PyObject *object);
/*
 * Whether the wrapped file is a regular one that sendfile(2) can send: its fd (stays the file's), the place where reading
 * would go on, the bytes from there to the end. Runs Python code (fileno, tell); no exception is left.
 */
bool filewrapper_find_file(PyObject *object, int *ret_fd, off_t *ret_offset, uint64_t *ret_size);

#endif
