/* SPDX-License-Identifier: MIT */
/*
 * link.c - one end of a connection between two of our processes.
 *
 * Called by the master's loop, by the template and by workers. Never waits on a non-blocking fd, never logs.
 */
#include "base/base.h"

#include "shared/link.h"

#include <fcntl.h>

#include "base/check.h"

/* A message that waits for room, with fds of its own. */
struct pending {
	struct list in_queue;
	struct buf bytes;
	int fds[FD_SEND_MAX];
	size_t fd_count;
};

void link_init(struct link *link, int fd)
{
	link->fd = fd;
	link->queued_count = 0;
	list_init(&link->queued);
}

static void free_pending(struct pending *pending)
{
	for (size_t i = 0; i < pending->fd_count; i++)
		fd_close(&pending->fds[i]);
	buf_release(&pending->bytes);
	free(pending);
}

static void drop_queue(struct link *link)
{
	LIST_EACH(&link->queued, it) {
		list_remove(it);
		free_pending(LIST_ENTRY(it, struct pending, in_queue));
	}
	link->queued_count = 0;
}

/* A zeroed link holds no fd, although its number reads 0. */
static bool is_initialised(const struct link *link)
{
	return link != NULL && link->queued.next != NULL;
}

void link_release(struct link *link)
{
	if (!is_initialised(link))
		return;
	drop_queue(link);
	fd_close(&link->fd);
}

bool link_is_open(const struct link *link)
{
	return is_initialised(link) && link->fd >= 0;
}

bool link_wants_write(const struct link *link)
{
	return link_is_open(link) && !list_is_empty(&link->queued);
}

/* The peer's end can be seen in more than one errno. */
static int told_as_gone(int result)
{
	return result == -ECONNRESET || result == -ENOTCONN ? -EPIPE : result;
}

/* Takes the bytes; duplicates the fds. */
static int enqueue(struct link *link, struct buf *bytes, const int *fds, size_t fd_count)
{
	if (link->queued_count >= LINK_QUEUE_MAX)
		return -ENOBUFS;
	struct pending *pending = xcalloc(1, sizeof *pending);
	for (size_t i = 0; i < fd_count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd < 0) {
			int result = -errno;
			free_pending(pending);
			return result;
		}
		pending->fds[pending->fd_count++] = fd;
	}
	pending->bytes = *bytes;
	buf_init(bytes);
	list_add_tail(&link->queued, &pending->in_queue);
	link->queued_count++;
	return 0;
}

int link_send(struct link *link, const struct message *message)
{
	if (!link_is_open(link))
		return -EPIPE;
	struct buf bytes = BUF_NONE;
	int result = message_encode(message, &bytes);
	if (result < 0)
		goto out;
	/* Never past those that wait already: order is part of what is said. */
	result = list_is_empty(&link->queued) ? fd_send(link->fd, bytes.data, bytes.len, message->fds, message->fd_count) : -EAGAIN;
	if (result == -EAGAIN)
		result = enqueue(link, &bytes, message->fds, message->fd_count);
out:
	buf_release(&bytes);
	return told_as_gone(result);
}

int link_flush(struct link *link)
{
	if (!link_is_open(link))
		return -EPIPE;
	LIST_EACH(&link->queued, it) {
		struct pending *pending = LIST_ENTRY(it, struct pending, in_queue);
		int result = fd_send(link->fd, pending->bytes.data, pending->bytes.len, pending->fds, pending->fd_count);
		if (result == -EAGAIN)
			return 0;
		if (result < 0)
			return told_as_gone(result);
		list_remove(it);
		link->queued_count--;
		free_pending(pending);
	}
	return 0;
}

int link_receive(struct link *link, enum message_direction direction, struct message *ret_message)
{
	message_init(ret_message, MESSAGE_none);
	if (!link_is_open(link))
		return 0;
	int fds[FD_SEND_MAX];
	size_t fd_count = 0;
	int result = 0;
	/* Only pages that are written to cost anything. */
	char *bytes = xmalloc(MESSAGE_BYTES_MAX);
	ssize_t len = fd_receive(link->fd, bytes, MESSAGE_BYTES_MAX, fds, FD_SEND_MAX, &fd_count);
	/* The peer closed with something of ours unread: the kernel says so once, before it gives what the peer had sent. */
	if (len == -ECONNRESET)
		len = fd_receive(link->fd, bytes, MESSAGE_BYTES_MAX, fds, FD_SEND_MAX, &fd_count);
	if (len == 0 || told_as_gone((int)len) == -EPIPE)
		goto out;
	if (len < 0) {
		result = len == -EMSGSIZE ? -EPROTO : (int)len;
		goto out;
	}
	result = message_decode(ret_message, direction, bytes, (size_t)len);
	if (result < 0) {
		for (size_t i = 0; i < fd_count; i++)
			fd_close(&fds[i]);
		goto out;
	}
	memcpy(ret_message->fds, fds, fd_count * sizeof *fds);
	ret_message->fd_count = fd_count;
	result = 1;
out:
	free(bytes);
	return result;
}
