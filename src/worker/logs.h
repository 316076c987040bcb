/* SPDX-License-Identifier: MIT */
/*
 * logs.h - the log files of a template and its workers: error log, access log, captured output.
 */
#ifndef WORKER_LOGS_H
#define WORKER_LOGS_H

#include "base/base.h"
#include "base/err.h"
#include "base/outlet.h"
#include "shared/settings.h"

/*
 * Opens errorlog and accesslog as the settings say, after chdir. With capture_output, stdout and stderr go to the error
 * log's file from here on. access_log stays closed without an access log. 0 or -errno with gunicorn's sentence.
 */
int logs_open(const struct settings *settings, struct outlet *access_log, struct err *err);
/* After logrotate moved the files. access_log may be NULL. On failure the old files stay. 0 or -errno with a sentence. */
int logs_reopen(const struct settings *settings, struct outlet *access_log, struct err *err);
bool logs_have_access(const struct settings *settings);

#endif
