/* SPDX-License-Identifier: MIT */
/*
 * wire.c - every byte from and to a client passes here.
 *
 * Called by conn.c, request.c, body.c, output.c, push.c and respond.c. Knows nothing of HTTP; never waits. After wire_end() what
 * still comes in is not decrypted any more.
 */
#include "base/base.h"

#include "worker/wire.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include "worker/conn.h"
#include "worker/tls.h"

enum {
	DISCARD_PIECE = 16384,
	GIL_BYTES = 128 << 10, /* copying more than this into the kernel is worth letting other threads run */
};

static ssize_t get_result(ssize_t count)
{
	if (count >= 0)
		return count;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

ssize_t wire_receive(struct conn *conn, void *into, size_t size)
{
	ssize_t count;

	if (conn->tls != NULL)
		return tls_receive(conn->tls, into, size);
	do {
		count = recv(conn->fd, into, size, 0);
	} while (count < 0 && errno == EINTR);
	return get_result(count);
}

/* A short read has emptied the queue, epoll(7); but the end of the stream may be behind it without a new event. */
bool wire_is_emptied_by_short(const struct conn *conn)
{
	return !conn->has_hangup && (conn->tls == NULL || tls_is_emptied(conn->tls));
}

bool wire_has_unread(struct conn *conn)
{
	char byte;

	if (conn->tls != NULL && tls_has_pending(conn->tls))
		return true;
	return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

ssize_t wire_discard(struct conn *conn)
{
	char trash[DISCARD_PIECE];
	ssize_t count;

	do {
		count = recv(conn->fd, trash, sizeof(trash), 0);
	} while (count < 0 && errno == EINTR);
	return get_result(count);
}

static ssize_t send_plain(int fd, const struct iovec *parts, size_t part_count)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = part_count };
	ssize_t sent;

	do {
		sent = part_count == 1 ? send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
		                       : sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return get_result(sent);
}

static bool is_much(const struct iovec *parts, size_t part_count)
{
	size_t size = 0;

	for (size_t i = 0; i < part_count; i++)
		size += parts[i].iov_len;
	return size >= GIL_BYTES;
}

ssize_t wire_send(struct conn *conn, const struct iovec *parts, size_t part_count)
{
	const int fd = conn->fd;
	ssize_t sent;

	conn->may_write = false;
	if (conn->tls != NULL)
		return tls_send(conn->tls, parts, part_count, conn->keeps_lock);
	if (conn->keeps_lock || !is_much(parts, part_count))
		return send_plain(fd, parts, part_count);
	Py_BEGIN_ALLOW_THREADS
	sent = send_plain(fd, parts, part_count);
	Py_END_ALLOW_THREADS
	return sent;
}

ssize_t wire_send_span(struct conn *conn, struct span bytes)
{
	const struct iovec part = { (void *)(uintptr_t)bytes.at, bytes.len };

	return wire_send(conn, &part, 1);
}

ssize_t wire_send_file(struct conn *conn, int file_fd, off_t *at, size_t size)
{
	const int fd = conn->fd;
	ssize_t sent;

	conn->may_write = false;
	if (conn->tls != NULL)
		return tls_send_file(conn->tls, file_fd, at, size);
	/* The disk may be slow. */
	Py_BEGIN_ALLOW_THREADS
	do {
		sent = sendfile(fd, file_fd, at, size);
	} while (sent < 0 && errno == EINTR);
	sent = get_result(sent);
	Py_END_ALLOW_THREADS
	return sent;
}

int wire_flush(struct conn *conn)
{
	if (conn->tls == NULL)
		return 0;
	conn->may_write = false;
	return tls_flush(conn->tls);
}

void wire_end(struct conn *conn)
{
	if (conn->tls != NULL)
		tls_end(conn->tls);
	(void)shutdown(conn->fd, SHUT_WR);
}

void wire_close(struct conn *conn, bool is_clean)
{
	if (conn->tls == NULL)
		return;
	if (is_clean && conn->state != CONN_LINGER)
		tls_end(conn->tls);
	tls_free(conn->tls);
	conn->tls = NULL;
}
