/* SPDX-License-Identifier: MIT */
/*
 * access.h - the access log of a worker.
 */
#ifndef WORKER_ACCESS_H
#define WORKER_ACCESS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/outlet.h"
#include "http/accesslog.h"

struct access {
	struct accesslog *format; /* NULL: no access log */
	struct buf line;
};

/* Compiles the format. 0 or -EINVAL with a sentence. */
int access_init(struct access *access, const char *format, struct err *err);
void access_release(struct access *access);
/* One line; never waits. False when the reader is stuck and the line was dropped. */
bool access_write(struct access *access, struct outlet *outlet, const struct accesslog_entry *entry);

#endif
