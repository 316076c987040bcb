/* SPDX-License-Identifier: MIT */
/*
 * peer.h - the master's end of a link, watched by the loop.
 */
#ifndef MASTER_PEER_H
#define MASTER_PEER_H

#include "base/base.h"
#include "shared/link.h"

#include <uv.h>

struct peer; /* opaque, on the heap: libuv lets go of it later than we do */

/* A message came; the callee may take fds out of it. May close the peer. */
typedef void (*peer_message_fn)(void *owner, struct message *message);
/* The other side closed, or spoke rubbish (-EPROTO), or the link failed. Called once; the callee closes the peer. */
typedef void (*peer_end_fn)(void *owner, int error);

/* Keeps fd (also on failure). NULL when the loop refuses it. */
struct peer *peer_new(uv_loop_t *loop, int fd, enum message_direction direction, peer_message_fn on_message,
                      peer_end_fn on_end, void *owner);
/* Sends or queues; see link_send(). A NULL peer gives -EPIPE. */
int peer_send(struct peer *peer, const struct message *message);
/* Takes what has come already, after the peer ended; its end is not reported. Harmless for NULL. */
void peer_drain(struct peer *peer);
/* Closes at once, frees when libuv allows. Sets *peer to NULL; harmless when it is. No callback comes any more. */
void peer_close(struct peer **peer);

#endif
