/* SPDX-License-Identifier: MIT */
/*
 * top.h - the status page again and again: in place on a terminal, one below the other elsewhere.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "base/base.h"
#include "base/err.h"
#include "ctl/client.h"

struct top_options {
	const char *socket;
	uint64_t interval_ms;
	long frames;          /* then it ends; 0: when the user does */
};

/* Until q, a signal, or the last frame. A server that goes away after the first frame is waited for. */
enum client_result top_run(const struct top_options *options, struct err *err);
/* Columns of the terminal behind fd; 0 when it is none. */
size_t top_columns(int fd, size_t *ret_rows);

#endif
