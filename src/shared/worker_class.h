/* SPDX-License-Identifier: MIT */
/*
 * worker_class.h - which of our worker classes a setting means (tables/worker_class.def).
 *
 * The master asks it before anything starts, the worker to choose its loop. Decides only; starts and logs nothing.
 */
#ifndef SHARED_WORKER_CLASS_H
#define SHARED_WORKER_CLASS_H

#include "base/base.h"
#include "base/err.h"
#include "shared/settings.h"

/*
 * The class by its short name: "sync", "gthread" ..., whatever spelling was given. threads > 1 makes gthread out of sync, as in
 * gunicorn. NULL: none of ours. The text is static.
 */
const char *worker_class_loop(const struct settings *settings);
/*
 * 0, or -ENOTSUP with one sentence: a class that is none of ours (unless those shall be delegated), or one of ours that does not
 * work yet.
 */
int worker_class_check(const struct settings *settings, struct err *err);
/* As gunicorn's log and hooks show it: the text that was given, gthread where threads made it so. Borrowed from settings. */
const char *worker_class_shown(const struct settings *settings);

#endif
