/* SPDX-License-Identifier: MIT */
/*
 * boot.h - the calls from C into python/gunwale. Everything that happens rarely is written there, in Python.
 *
 * All functions need the GIL. Exceptions never leave those that answer with an exit code: python/gunwale turns them into
 * a code and a text.
 */
#ifndef PY_BOOT_H
#define PY_BOOT_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"

/* Imports the package from that directory, without leaving the directory on sys.path. 0, or -EINVAL with a sentence. */
int boot_import(const char *python_dir, struct err *err);

/*
 * Calls gunwale.template.FUNCTION with arguments as Py_BuildValue() makes them ("(ss)"). The function answers with an exit
 * code, which is returned (-1: go on), and a text, which the caller frees.
 */
int boot_call_template(const char *function, char **ret_text, const char *format, ...);

/* The object that hooks know as `worker`, for a worker to be forked; a new reference, NULL after a logged error. */
void *boot_new_worker(uint32_t serial, uint64_t request_limit);

/* Calls gunwale.life.FUNCTION(worker): one step in a worker's life. -1: go on; else leave with that exit code. */
int boot_worker_step(const char *function, void *worker_object);
/* The application that the step "load" left behind; a new reference. NULL when there is none. */
void *boot_worker_app(void *worker_object);
/*
 * What this server is called, after configuration file and application had their say: the Server header goes into the
 * buffer, SERVER_SOFTWARE is the caller's to free. 0, or -1 with an exception.
 */
int boot_names(struct buf *server, char **ret_software);

#endif
