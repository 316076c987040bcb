/* SPDX-License-Identifier: MIT */
/*
 * warmup.h - what gunwale/warmup.py needs from C: the environ of a request that no client sent, and who a socket talks to.
 *
 * The caller holds the GIL in all calls.
 */
#ifndef PY_WARMUP_H
#define PY_WARMUP_H

#include "base/base.h"
#include "py/py.h"
#include "shared/settings.h"

/*
 * What all environs of a worker with these settings have in common, SCRIPT_NAME of the process, an empty wsgi.input and a
 * wsgi.early_hints that sends nothing. A new dict whose texts of a request are empty, or NULL with an exception.
 */
PyObject *warmup_environ(const struct settings *settings, const char *software);
/* The other end of a connected stream as a new str; None for any other fd. NULL only without memory. */
PyObject *warmup_peer(int fd);

#endif
