/* SPDX-License-Identifier: MIT */
/*
 * fields.h - a list of (name, value) of the application into header lines.
 *
 * The caller holds the GIL.
 */
#ifndef PY_FIELDS_H
#define PY_FIELDS_H

#include "base/base.h"
#include "base/buf.h"
#include "http/http.h"
#include "py/py.h"

enum fields_use {
	FIELDS_FINAL, /* start_response(): str only */
	FIELDS_HINT,  /* wsgi.early_hints: bytes too; errors do not show the value, both as in gunicorn */
};

/*
 * Appends "Name: value\r\n" to `lines` for each pair that may be sent. 0, or -1 with an exception; what was appended before the
 * mistake stays then.
 */
int fields_add(struct http_response *response, struct buf *lines, PyObject *headers, enum fields_use use);

#endif
