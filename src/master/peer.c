/* SPDX-License-Identifier: MIT */
/*
 * peer.c - the master's end of a link, watched by the loop.
 *
 * Called by templates.c and workers.c. Never blocks: what a peer does not take waits in the link's queue.
 */
#include "base/base.h"

#include "master/peer.h"

enum { MESSAGES_PER_TURN = 16 };

struct peer {
	uv_poll_t poll;
	struct link link;
	enum message_direction direction;
	peer_message_fn on_message;
	peer_end_fn on_end;
	void *owner;
	bool is_closed;
};

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct peer *peer)
{
	int events = UV_READABLE | (link_wants_write(&peer->link) ? UV_WRITABLE : 0);

	(void)uv_poll_start(&peer->poll, events, on_event);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end(struct peer *peer, int error)
{
	if (!peer->is_closed)
		peer->on_end(peer->owner, error);
}

static void receive(struct peer *peer)
{
	for (int i = 0; i < MESSAGES_PER_TURN && !peer->is_closed; i++) {
		struct message message;
		int got = link_receive(&peer->link, peer->direction, &message);

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			end(peer, got);
			return;
		}
		peer->on_message(peer->owner, &message);
		message_release(&message);
	}
}

void peer_drain(struct peer *peer)
{
	struct message message;

	while (peer != NULL && !peer->is_closed && link_receive(&peer->link, peer->direction, &message) > 0) {
		peer->on_message(peer->owner, &message);
		message_release(&message);
	}
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct peer *peer = poll->data;

	if (status < 0) {
		/* libuv's word for EPOLLERR: the peer closed before it had read everything. What it had sent still counts. */
		peer_drain(peer);
		end(peer, 0);
		return;
	}
	if (events & UV_WRITABLE) {
		int error = link_flush(&peer->link);

		if (error < 0) {
			end(peer, error);
			return;
		}
	}
	if (events & UV_READABLE)
		receive(peer);
	/* The close callback runs in a later phase of the loop, so `peer` is still there. */
	if (!peer->is_closed)
		watch(peer);
}

struct peer *peer_new(uv_loop_t *loop, int fd, enum message_direction direction, peer_message_fn on_message,
                      peer_end_fn on_end, void *owner)
{
	struct peer *peer = xcalloc(1, sizeof(*peer));

	link_init(&peer->link, fd);
	if (uv_poll_init(loop, &peer->poll, fd) != 0) {
		link_release(&peer->link);
		free(peer);
		return NULL;
	}
	peer->poll.data = peer;
	peer->direction = direction;
	peer->on_message = on_message;
	peer->on_end = on_end;
	peer->owner = owner;
	watch(peer);
	return peer;
}

int peer_send(struct peer *peer, const struct message *message)
{
	if (peer == NULL || peer->is_closed)
		return -EPIPE;

	int error = link_send(&peer->link, message);

	if (error == 0)
		watch(peer);
	return error;
}

void peer_close(struct peer **peer)
{
	struct peer *gone = *peer;

	*peer = NULL;
	if (gone == NULL)
		return;
	gone->is_closed = true;
	uv_close((uv_handle_t *)&gone->poll, on_closed);
	link_release(&gone->link);
}
