/* SPDX-License-Identifier: MIT */
/*
 * embed.h - the start of Python inside our process.
 */
#ifndef PY_EMBED_H
#define PY_EMBED_H

#include "base/base.h"
#include "base/err.h"

/*
 * Starts the interpreter as that executable would start it: its prefix, site and the PYTHON* environment variables. The
 * built-in module `_gunwale` exists from then on. At return the caller holds the GIL, on the main thread. Once per process.
 * 0, or -EINVAL with a sentence; or -ECANCELED when Python itself asked to exit (*ret_exit_code).
 */
int embed_start(const char *executable, int *ret_exit_code, struct err *err);

#endif
