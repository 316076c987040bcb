/* SPDX-License-Identifier: MIT */
/*
 * access.c - the access log of a worker.
 *
 * Called by record.c at the end of each request. Must never wait: a stuck log reader is no reason to stop serving.
 */
#include "base/base.h"

#include "worker/access.h"

int access_init(struct access *access, const char *format, struct err *err)
{
	*access = (struct access){ .format = NULL };
	access->format = accesslog_new(format, err);
	return access->format != NULL ? 0 : -EINVAL;
}

void access_release(struct access *access)
{
	accesslog_free(access->format);
	access->format = NULL;
	buf_release(&access->line);
}

bool access_write(struct access *access, struct outlet *outlet, const struct accesslog_entry *entry)
{
	buf_clear(&access->line);
	accesslog_write(access->format, entry, &access->line);
	return outlet_write(outlet, access->line.data, access->line.len);
}
