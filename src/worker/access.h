/* SPDX-License-Identifier: MIT */
/*
 * access.h - the access log of a worker.
 */
#ifndef WORKER_ACCESS_H
#define WORKER_ACCESS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/accesslog.h"

struct access {
	struct accesslog *format; /* NULL: no access log */
	struct buf line;
	struct buf value; /* an environ value that is no plain text */
};

/* Compiles the format. 0 or -EINVAL with a sentence. */
int access_init(struct access *access, const char *format, bool is_json, struct err *err);
void access_release(struct access *access);
/* One line with its newline; valid until the next one. */
struct span access_render(struct access *access, const struct accesslog_entry *entry);

#endif
