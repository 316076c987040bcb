/* SPDX-License-Identifier: MIT */
/*
 * logs.h - the log files of a template and its workers: error log, access log, captured output.
 */
#ifndef WORKER_LOGS_H
#define WORKER_LOGS_H

#include "base/base.h"
#include "base/err.h"
#include "shared/settings.h"

/*
 * Opens errorlog and accesslog as the settings say, after chdir. With capture_output, stdout and stderr go to the error log's
 * file from here on. *ret_access_fd: FD_NONE without an access log, 1 for "-", else owned by the caller.
 * 0 or -errno with gunicorn's sentence.
 */
int logs_open(const struct settings *settings, int *ret_access_fd, struct err *err);
/* After logrotate moved the files. *access_fd is replaced; on failure the old file stays. 0 or -errno with a sentence. */
int logs_reopen(const struct settings *settings, int *access_fd, struct err *err);

#endif
