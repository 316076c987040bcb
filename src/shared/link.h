/* SPDX-License-Identifier: MIT */
/*
 * link.h - one end of a connection between two of our processes: whole messages and fds over SOCK_SEQPACKET.
 *
 * The master's ends are non-blocking: what the kernel does not take at once is queued here and sent by link_flush() when the
 * fd is writable. The other ends block.
 */
#ifndef SHARED_LINK_H
#define SHARED_LINK_H

#include "base/base.h"
#include "base/list.h"
#include "shared/message.h"

struct link {
	int fd;             /* owned */
	struct list queued; /* messages that wait for room */
	size_t queued_count;
};

enum { LINK_QUEUE_MAX = 4096 };

/* Keeps fd. */
void link_init(struct link *link, int fd);
/* Closes, drops what is queued (with duplicated fds). Harmless on a zeroed and on a released link. */
void link_release(struct link *link);
bool link_is_open(const struct link *link);
/*
 * Sends or queues; fds in the message are borrowed (duplicated when queued). 0, -EPIPE when the peer is gone, -ENOBUFS when
 * LINK_QUEUE_MAX messages wait already, or another -errno.
 */
int link_send(struct link *link, const struct message *message);
/* Sends what is queued. 0 when done or still waiting, or -errno. */
int link_flush(struct link *link);
bool link_wants_write(const struct link *link);
/*
 * The next message. 1: *ret_message holds it, the caller releases it; 0: the peer closed; -EAGAIN: none now; -EPROTO: rubbish
 * (the caller should close); another -errno.
 */
int link_receive(struct link *link, enum message_direction direction, struct message *ret_message);

#endif
