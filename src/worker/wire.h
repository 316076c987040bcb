/* SPDX-License-Identifier: MIT */
/*
 * wire.h - every byte from and to a client passes here: plain, or through TLS.
 *
 * The GIL is held in all calls; nothing waits. Counts are bytes of HTTP, whatever they cost on the wire. Where a count is
 * returned, a negative one is -errno: -EAGAIN when it must be tried again after the next event, all others are final.
 */
#ifndef WORKER_WIRE_H
#define WORKER_WIRE_H

#include "base/base.h"
#include "base/span.h"

#include <sys/types.h>
#include <sys/uio.h>

struct conn;

enum { WIRE_PARTS_MAX = 3 };

/* Up to `size` bytes; 0: the client has ended its side. */
ssize_t wire_receive(struct conn *conn, void *into, size_t size);
/* Whether a receive that gave less than it was asked for says that there is no more for now. */
bool wire_is_emptied_by_short(const struct conn *conn);
/* Whether something can be received, without receiving it. */
bool wire_has_unread(struct conn *conn);
/* After wire_end(): takes bytes that nobody wants. 0: the client has closed. */
ssize_t wire_discard(struct conn *conn);

/* At least one byte of what is offered, or -errno. Lets other threads run when it is much; the bytes must stay. */
ssize_t wire_send(struct conn *conn, const struct iovec *parts, size_t part_count);
ssize_t wire_send_span(struct conn *conn, struct span bytes);
/* Up to `size` bytes of a file from *at on, which moves along. 0: the file has no more. Lets other threads run. */
ssize_t wire_send_file(struct conn *conn, int file_fd, off_t *at, size_t size);
/* What was taken from the caller but not by the kernel: 0 when there is none any more, or -errno. */
int wire_flush(struct conn *conn);
/* Nothing more will be sent: says so to the client. */
void wire_end(struct conn *conn);
/* Before the fd is closed. A clean end, or one that says nothing. */
void wire_close(struct conn *conn, bool is_clean);

#endif
