/* SPDX-License-Identifier: MIT */
/*
 * access.c - the access log of a worker.
 *
 * Called by exchange.c at the end of each request. Must never wait: a stuck log reader is no reason to stop serving.
 */
#include "base/base.h"

#include "worker/access.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

int access_init(struct access *access, const char *format, struct err *err)
{
	*access = (struct access){ .fd = -1 };
	access->format = accesslog_new(format, err);
	return access->format != NULL ? 0 : -EINVAL;
}

void access_release(struct access *access)
{
	accesslog_free(access->format);
	access->format = NULL;
	buf_release(&access->line);
}

/* A pipe that poll calls writable takes PIPE_BUF bytes at least. */
static bool write_piece(int fd, const char *text, size_t len)
{
	struct pollfd item = { .fd = fd, .events = POLLOUT };

	if (poll(&item, 1, 0) != 1 || (item.revents & POLLOUT) == 0)
		return false;
	return write(fd, text, len) == (ssize_t)len;
}

bool access_write(struct access *access, int fd, const struct accesslog_entry *entry)
{
	struct buf *line = &access->line;

	if (access->fd != fd) {
		struct stat stat;

		access->fd = fd;
		access->can_wait = fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode);
	}
	buf_clear(line);
	accesslog_write(access->format, entry, line);
	if (!access->can_wait)
		return write(fd, line->data, line->len) == (ssize_t)line->len;
	for (size_t at = 0; at < line->len; at += PIPE_BUF)
		if (!write_piece(fd, line->data + at, MIN(line->len - at, (size_t)PIPE_BUF)))
			return false;
	return true;
}
