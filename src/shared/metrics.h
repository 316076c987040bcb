/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - metrics to a statsd server: one datagram each, sent or forgotten, never waited for.
 *
 * Names and forms are gunicorn's (instrument/statsd.py). A zeroed struct sends nothing.
 */
#ifndef SHARED_METRICS_H
#define SHARED_METRICS_H

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"

#include <sys/un.h>

struct metrics {
	bool is_on;
	int fd;            /* owned; -1: none yet */
	char *host;        /* owned; NULL for unix sockets */
	char port[8];
	char *prefix;      /* owned; "" or with one dot at the end */
	char *tags;        /* owned; "" or "|#tags" */
	struct sockaddr_un local;
	bool is_unix;      /* sent to by its path, so that the server may come and go */
};

/*
 * host: "HOST", "HOST:PORT", "[IPV6]:PORT", "unix:PATH" or "unix://PATH"; NULL or "": off. Opens nothing. 0, or -EINVAL with a
 * sentence. Release in each case.
 */
int metrics_init(struct metrics *metrics, const char *host, const char *prefix, const char *tags, struct err *err);
/* Looks the name up, which may take its time, and makes the socket. 0 or -errno with a sentence. */
int metrics_connect(struct metrics *metrics, struct err *err);
/* The socket that another process made for the same address. */
void metrics_use_take(struct metrics *metrics, int fd);
void metrics_release(struct metrics *metrics);

/* "NAME:VALUE|TYPE", without prefix and tags. Any thread. */
void metrics_send(const struct metrics *metrics, const char *text);
/* What gunicorn sends for each request. status: 0 where there was none. */
void metrics_send_request(const struct metrics *metrics, int status, uint64_t duration_us);
/* What gunicorn counts of the log. context: a struct metrics; fit for struct log_watch. */
void metrics_note_line(void *context, enum log_level level, bool has_details);

#endif
