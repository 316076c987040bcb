/* SPDX-License-Identifier: MIT */
/*
 * room.h - room for new clients: how many a worker may have, who goes when one more comes, when accepting is given a rest.
 *
 * Two things bound it: `worker_connections`, and the open files of the process. The GIL is held in all calls; nothing waits.
 */
#ifndef WORKER_ROOM_H
#define WORKER_ROOM_H

#include "base/base.h"

struct conn;
struct service;
struct service_listener;

struct room {
	size_t open_max; /* worker_connections */
	/* So many connections leave the application some descriptors; forgotten after a while, as the application may need fewer. */
	size_t fds_max;
	uint64_t fds_max_until_ms;
	uint64_t fd_limit; /* RLIMIT_NOFILE when it last mattered */
	uint64_t accept_again_ms; /* there was no descriptor: not before, or when a connection closes */
	uint64_t told_closing_ms, told_refused_ms; /* 0: never */
};

void room_init(struct room *room, size_t open_max);
/* One more may be let in without anybody going. */
bool room_is_left(const struct service *service);
/* One more may be let in, perhaps in the place of an idle one. */
bool room_wants_clients(const struct service *service);
/* When room_wants_clients() may become true by waiting alone; UINT64_MAX: it does not. */
uint64_t room_next_ms(const struct service *service);
/* A connection has become idle: who looks after deadlines in another thread may wait for a later one. */
void room_note_idle(const struct service *service);
/*
 * conn_accept(); without a free descriptor in the place of idle connections, and when there are none accepting rests. 0, -EAGAIN when
 * nobody waits, another -errno. May log, which may let other threads run; not while the new connection is in hand.
 */
int room_accept(struct service *service, struct service_listener *listener, struct conn **ret_conn);
/*
 * Closes idle connections while there are more than should be. The new one is in already, and queued if other stacks may run it:
 * so nothing is closed for a client that a sibling took. May log.
 */
void room_make(struct service *service);
/* A connection has closed, and its descriptor is free. */
void room_note_close(struct room *room);

#endif
