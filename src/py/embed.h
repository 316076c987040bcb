/* SPDX-License-Identifier: MIT */
/*
 * embed.h - which Python, and its start inside our process.
 */
#ifndef PY_EMBED_H
#define PY_EMBED_H

#include "base/base.h"
#include "base/err.h"

/*
 * The python executable whose environment the application gets: of the virtual environment that `program` (path of gunwale)
 * lies in, else of VIRTUAL_ENV, else the one given to configure. The caller frees *ret_executable.
 * 0, or -EINVAL with a sentence (an environment of another Python version, no python in it).
 */
int embed_find_python(const char *program, char **ret_executable, struct err *err);

/*
 * Starts the interpreter as that executable would start it: its prefix, site and the PYTHON* environment variables. The
 * built-in module `_gunwale` exists from then on. At return the caller holds the GIL, on the main thread. Once per process.
 * 0, or -EINVAL with a sentence; or -ECANCELED when Python itself asked to exit (*ret_exit_code).
 */
int embed_start(const char *executable, int *ret_exit_code, struct err *err);

#endif
