/* SPDX-License-Identifier: MIT */
/*
 * accept.c - a new client becomes a struct conn.
 *
 * Called by the loops (sync.c). Takes the struct from those that conn.c has put aside; reads nothing from the client.
 */
#include "base/base.h"

#include "worker/conn.h"

#include <arpa/inet.h>

#include "worker/opening.h"

static struct conn *conn_new(struct service *service)
{
	struct conn *conn;

	if (list_is_empty(&service->free_conns)) {
		conn = xcalloc(1, sizeof(*conn));
		http_request_init(&conn->request);
	} else {
		conn = LIST_ENTRY(service->free_conns.next, struct conn, link);
		list_remove(&conn->link);
		service->spare_conns--;
	}
	list_init(&conn->turn.link);
	list_init(&conn->timer.link);
	conn->turn.is_queued = conn->turn.is_listener = false;
	conn->service = service;
	conn->state = opening_state(service);
	conn->tls = NULL;
	conn->is_away = conn->is_doomed = conn->is_late = conn->may_write = conn->keeps_lock = false;
	conn->is_registered = conn->has_hangup = conn->must_close = conn->must_reset = conn->is_shared = conn->was_kept = false;
	/* A handshake takes memory: it begins when the client does. */
	conn->may_read = conn->state != CONN_SHAKE;
	conn->raw_at = conn->body_at = conn->body_end = 0;
	conn->idle_since_ms = service->now_ms;
	conn->remote_text[0] = '\0';
	list_add_tail(&service->conns, &conn->link);
	service->open_count++;
	return conn;
}

static void note_peer(struct conn *conn, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		(void)inet_ntop(AF_INET, &v4->sin_addr, conn->remote_text, sizeof(conn->remote_text));
		conn->remote_port_number = ntohs(v4->sin_port);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		(void)inet_ntop(AF_INET6, &v6->sin6_addr, conn->remote_text, sizeof(conn->remote_text));
		conn->remote_port_number = ntohs(v6->sin6_port);
	}
	conn->is_trusted = trust_has_peer(&conn->service->trust, address);
	conn->may_proxy = trust_has_peer(&conn->service->proxies, address);
}

int conn_accept(struct service *service, struct service_listener *listener, struct conn **ret_conn)
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address;
	socklen_t len = sizeof(address);
	struct conn *conn;
	int fd;

	do {
		fd = accept4(listener->fd, &address.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	if (len == 0) /* a unix socket without a name */
		address.any.sa_family = AF_UNIX;
	conn = conn_new(service);
	conn->fd = fd;
	conn->listener = listener;
	note_peer(conn, &address.any);
	SERVICE_COUNT(service, connections_total, 1);
	atomic_store_explicit(&service->worker->line->connections_open, service->open_count, memory_order_relaxed);
	*ret_conn = conn;
	return 0;
}
