/* SPDX-License-Identifier: MIT */
/*
 * templatelog.h - what a template does for the logs: makes the logger, speaks for the master, opens the way to statsd.
 */
#ifndef WORKER_TEMPLATELOG_H
#define WORKER_TEMPLATELOG_H

#include "base/base.h"
#include "shared/message.h"
#include "worker/template.h"

/* The log files are open: the Python logger over them, and the socket to statsd. TEMPLATE_STAYS, or exit code and text. */
int templatelog_open(struct template *self, char **ret_text);
/* Code of the user ran that may have changed the loggers: looks again, and tells the master. */
void templatelog_update(struct template *self);
/* A line of the master's. */
int templatelog_relay(struct template *self, const struct message_log_line *line);

#endif
