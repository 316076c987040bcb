/* SPDX-License-Identifier: MIT */
/*
 * access.c - the access log of a worker.
 *
 * Called by record.c at the end of each request. Writes nothing itself.
 */
#include "base/base.h"

#include "worker/access.h"

int access_init(struct access *access, const char *format, bool is_json, struct err *err)
{
	*access = (struct access){ .format = NULL };
	access->format = accesslog_new(format, err);
	if (access->format == NULL) {
		err_add(err, "Invalid value for access_log_format: '%s'", format);
		return -EINVAL;
	}
	accesslog_set_json(access->format, is_json);
	return 0;
}

void access_release(struct access *access)
{
	accesslog_free(access->format);
	access->format = NULL;
	buf_release(&access->line);
	buf_release(&access->value);
}

struct span access_render(struct access *access, const struct accesslog_entry *entry)
{
	buf_clear(&access->line);
	accesslog_write(access->format, entry, &access->line);
	return buf_span(&access->line);
}
