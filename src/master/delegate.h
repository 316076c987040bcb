/* SPDX-License-Identifier: MIT */
/*
 * delegate.h - a worker class that is none of ours, handed to the real gunicorn (--delegate-unknown-workers).
 */
#ifndef MASTER_DELEGATE_H
#define MASTER_DELEGATE_H

#include "base/base.h"
#include "base/err.h"
#include "base/strlist.h"
#include "master/cli.h"
#include "shared/settings.h"

/* What a master's run ends with when the process shall become gunicorn; no exit code of a process. */
enum { EXIT_DELEGATE = 1000 };

/* Whether the settings, which were checked, want it. */
bool delegate_is_wanted(const struct settings *settings);
/* 0, or -ENOENT with a sentence: the chosen Python has no gunicorn. file_json: what the template said of it and of the file. */
int delegate_check(const struct settings *settings, const char *file_json, struct err *err);

/*
 * The command line for gunicorn: argv without its first item and without options that only gunwale has. Pure. `ret_args` is
 * added to.
 */
void delegate_filter(const struct strlist *args, struct strlist *ret_args);
/* The same for GUNICORN_CMD_ARGS and GUNWALE_CMD_ARGS (each may be NULL): one text for the former. The caller frees. */
char *delegate_environment(const char *gunicorn_args, const char *gunwale_args);

/*
 * Becomes gunicorn, with the service manager's sockets (see activation_take()) given back. To be called when the master has
 * ended. Returns only when that fails, with the exit code and the sentence printed.
 */
int delegate_run(const struct cli *cli, const struct strlist *activated);

#endif
