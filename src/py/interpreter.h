/* SPDX-License-Identifier: MIT */
/*
 * interpreter.h - which python executable stands for the application's environment.
 */
#ifndef PY_INTERPRETER_H
#define PY_INTERPRETER_H

#include "base/base.h"
#include "base/err.h"

/*
 * The first of: `wanted` (--python; an executable or the folder of an environment), the virtual or conda environment that
 * `program` (path of gunwale) lies in, VIRTUAL_ENV, CONDA_PREFIX (not of conda's base), the Python that was given to configure.
 * Both texts may be NULL. The caller frees *ret_executable. Runs nothing: versions are read from pyvenv.cfg and from names.
 * 0, or -EINVAL with a sentence (another minor version than the embedded one, no python there).
 */
int interpreter_find(const char *program, const char *wanted, char **ret_executable, struct err *err);

#endif
