/* SPDX-License-Identifier: MIT */
/*
 * sockets_internal.h - between sockets.c and sockets_cure.c. Nobody else includes it.
 */
#ifndef WORKER_SOCKETS_INTERNAL_H
#define WORKER_SOCKETS_INTERNAL_H

#include "base/base.h"
#include "worker/sockets.h"

enum {
	SOCKETS_PORTS_MAX = 64,
	SOCKETS_ITEMS_MAX = 8192,    /* sockets that hold something, looked at closely */
	SOCKETS_CLAMPED_MAX = 256,
};

/* What is remembered of a socket with unread data. */
struct socket_memory {
	uint64_t cookie;
	uint64_t consumed; /* bytes that the application has taken, ever */
	uint64_t since_ms; /* that has not moved since */
};

struct socket_item {
	int fd;
	bool is_client;
	bool is_tcp;
	uint16_t peer_port;
	uint64_t cookie;
	uint64_t memory_bytes, unread_bytes, unsent_bytes;
	uint64_t since_ms; /* 0: it is read, or nothing waits */
	char peer[60];
};

struct sockets {
	uint16_t ports[SOCKETS_PORTS_MAX]; /* that we listen at */
	size_t port_count;
	int listen_fds[SOCKETS_PORTS_MAX]; /* not counted; the same numbers as long as the process lives */
	size_t listen_count;
	bool has_unix_listener;
	uint64_t open_count, client_bytes, upstream_bytes, unread_bytes;
	struct socket_item items[SOCKETS_ITEMS_MAX];
	size_t item_count;
	struct socket_memory memories[2][SOCKETS_ITEMS_MAX]; /* of the last look and of this one, sorted by cookie */
	size_t memory_counts[2];
	int now; /* which of the two is this one's */
	uint64_t clamped[SOCKETS_CLAMPED_MAX]; /* cookies of those whose queue is kept from growing */
	size_t clamped_count;
};

/* All of them, anew: the sums, and those that hold something. */
void sockets_look(struct sockets *sockets, uint64_t now_ms);
/* Those that hold most come first. */
void sockets_sort(struct sockets *sockets);
uint64_t sockets_cookie(int fd);
/* If it was clamped: its queue is empty again, so somebody reads it, and shall not be slow for ever. */
void sockets_unclamp(struct sockets *sockets, int fd);
void sockets_name_peer(struct socket_item *item);

#endif
