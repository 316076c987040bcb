/* SPDX-License-Identifier: MIT */
/*
 * conn.c - one client connection.
 *
 * Called by sync.c when its turn has come, and by exchange.c when a response is over. Tries to read and write first and asks
 * the poller only after the kernel said "not now". Runs no Python code itself but through exchange.c.
 */
#include "base/base.h"

#include "worker/conn.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/pace.h"
#include "worker/body.h"
#include "worker/exchange.h"
#include "worker/opening.h"
#include "worker/push.h"
#include "worker/request.h"
#include "worker/respond.h"
#include "worker/siblings.h"
#include "worker/tls.h"
#include "worker/wire.h"

enum {
	SPARE_CONNS = 64,
	LINGER_BYTES = 4 << 20, /* more than that is not read; the client has until the timer */
};

static void free_conn(struct conn *conn)
{
	http_request_release(&conn->request);
	buf_release(&conn->in);
	free(conn);
}

void conn_free_spares(struct service *service)
{
	LIST_EACH (&service->free_conns, link) {
		list_remove(link);
		free_conn(LIST_ENTRY(link, struct conn, link));
	}
	service->spare_conns = 0;
}

/* Unlike closing alone this reaches the client even when a child of the application holds a copy of the fd. */
static void reset(struct conn *conn)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	(void)connect(conn->fd, &nobody, sizeof(nobody));
}

void conn_close(struct conn *conn)
{
	struct service *service = conn->service;

	const bool is_clean = conn->exchange == NULL && !conn->must_reset;

	if (conn->is_away) {
		conn->is_doomed = true;
		list_remove(&conn->link);
		service_disarm(&conn->timer);
		return;
	}
	if (conn->exchange != NULL) {
		conn->state = CONN_APP; /* what runs now may let others run, who shall not go on with it */
		exchange_abandon(conn->exchange);
	}
	wire_close(conn, is_clean);
	if (conn->must_reset)
		reset(conn);
	if (conn->is_shared)
		(void)shutdown(conn->fd, SHUT_RDWR);
	conn->state = CONN_CLOSED;
	service_disarm(&conn->timer);
	list_remove(&conn->turn.link);
	conn->turn.is_queued = false;
	/* Closing alone is not enough when a child of the application holds a copy of the fd. */
	if (conn->is_registered)
		(void)poller_remove(&service->poller, conn->fd);
	fd_close(&conn->fd);
	buf_clear(&conn->in);
	service_take_back_buffer(service, &conn->in);
	Py_CLEAR(conn->remote_addr);
	Py_CLEAR(conn->remote_port);
	free(conn->proxy);
	conn->proxy = NULL;
	list_remove(&conn->link);
	if (!conn->was_kept)
		siblings_note_brief(service);
	service->open_count--;
	room_note_close(&service->room);
	atomic_store_explicit(&service->worker->line->connections_open, service->open_count, memory_order_relaxed);
	/* Other threads may hold an event of it still: then its memory stays a connection's. */
	if (service->spare_conns >= SPARE_CONNS && !service->has_stacks) {
		free_conn(conn);
		return;
	}
	http_request_reset(&conn->request);
	list_add_tail(&service->free_conns, &conn->link);
	service->spare_conns++;
}

void conn_cut(struct conn *conn)
{
	/* A unix socket has no reset. */
	if (conn->exchange != NULL && respond_ends_by_close(conn->exchange) && !conn->listener->server.is_unix)
		reset(conn);
}

void conn_hold(struct conn *conn)
{
	conn->state = CONN_APP;
	service_disarm(&conn->timer);
}

/* The wait is over without what it was for. */
static void end_wait(struct conn *conn)
{
	if (conn->state == CONN_DISCARD)
		conn_end(conn);
	else
		conn_close(conn);
}

bool conn_await(struct conn *conn, enum timer_kind kind)
{
	if (conn->timer.is_over) {
		end_wait(conn);
		return false;
	}
	if (list_is_empty(&conn->timer.link))
		service_arm(conn->service, &conn->timer, kind);
	if (conn->is_registered)
		return true;
	if (poller_add_connection(&conn->service->poller, conn->fd, &conn->turn) < 0) {
		conn_close(conn);
		return false;
	}
	conn->is_registered = true;
	return true;
}

void conn_wait_writable(struct conn *conn)
{
	struct service *service = conn->service;

	conn->state = CONN_WRITING;
	service_disarm(&conn->timer); /* how long there has been too little progress is for pace_end() to say */
	service->now_ms = clock_ms(); /* the application may have run since */
	pace_begin(&conn->exchange->reply.pace, service->now_ms, fd_queued_bytes(conn->fd));
	/* The client may have read some between the kernel's "not now" and here; that event does not come again. */
	if (conn_await(conn, TIMER_WRITE) && conn->may_write)
		service_queue(service, &conn->turn);
}

/* Whether the client has read fast enough up to now, all waits of this response together. */
static bool keeps_pace(struct conn *conn)
{
	return pace_end(&conn->exchange->reply.pace, conn->service->now_ms, fd_queued_bytes(conn->fd));
}

enum conn_received conn_receive(struct conn *conn)
{
	struct buf *in = &conn->in;
	size_t room;
	ssize_t count;

	service_lend_buffer(conn->service, in);
	if (in->len == in->cap) {
		const char *old = in->data;

		if (buf_try_reserve(in, in->cap > 0 ? in->cap : SERVICE_BUFFER_BYTES) < 0)
			return CONN_END;
		if (conn->request.head_bytes > 0)
			http_request_rebase(&conn->request, old, in->data);
	}
	room = in->cap - in->len;
	count = wire_receive(conn, in->data + in->len, room);
	if (count == -EAGAIN) {
		conn->may_read = conn->tls != NULL && tls_is_busy(conn->tls);
		return CONN_NOTHING;
	}
	if (count <= 0)
		return CONN_END;
	if ((size_t)count < room && wire_is_emptied_by_short(conn))
		conn->may_read = false;
	in->len += (size_t)count;
	SERVICE_COUNT(conn->service, received_bytes_total, (uint64_t)count);
	return CONN_RECEIVED;
}

static void run_linger(struct conn *conn)
{
	while (conn->may_read && conn->discarded_bytes < LINGER_BYTES) {
		const ssize_t count = wire_discard(conn);

		if (count > 0) {
			conn->discarded_bytes += (size_t)count;
		} else if (count == -EAGAIN) {
			conn->may_read = false;
		} else {
			conn_close(conn);
			return;
		}
	}
	(void)conn_await(conn, TIMER_LINGER);
}

/*
 * The last response is written. Closing a socket with unread bytes sends a reset, which may destroy the response on its way:
 * so we say that we are done, and let the client close.
 */
void conn_end(struct conn *conn)
{
	const bool is_quiet = conn->state != CONN_LINGER && !conn->request.keep_alive && conn->body.is_done &&
	                      conn->raw_at == conn->in.len && !conn->may_read;

	service_disarm(&conn->timer);
	if (conn->must_reset) {
		conn_close(conn);
		return;
	}
	wire_end(conn);
	if (is_quiet) {
		conn_close(conn);
		return;
	}
	conn->state = CONN_LINGER;
	conn->discarded_bytes = 0;
	conn->raw_at = conn->body_at = conn->body_end = conn->in.len = 0;
	http_request_reset(&conn->request);
	service_take_back_buffer(conn->service, &conn->in);
	run_linger(conn);
}

static void next_request(struct conn *conn)
{
	struct service *service = conn->service;

	service_disarm(&conn->timer);
	body_finish(conn);
	http_request_reset(&conn->request);
	conn->was_kept = true;
	conn->idle_since_ms = service->now_ms;
	if (conn->in.len > 0) {
		conn->state = CONN_HEAD;
		service_arm(service, &conn->timer, TIMER_HEAD);
		service_queue(service, &conn->turn);
		return;
	}
	conn->state = CONN_IDLE;
	service_take_back_buffer(service, &conn->in);
	if (!conn_await(conn, service->is_draining ? TIMER_LAST_CHANCE : TIMER_IDLE))
		return;
	room_note_idle(service);
	if (conn->may_read)
		service_queue(service, &conn->turn);
}

static void run_discard(struct conn *conn)
{
	for (;;) {
		enum http_result result;

		body_drop(conn);
		result = body_decode(conn);
		body_drop(conn);
		if (result == HTTP_DONE) {
			next_request(conn);
			return;
		}
		if (result != HTTP_MORE || conn->discarded_bytes > BODY_GATHER_BYTES) {
			conn_end(conn);
			return;
		}
		if (!conn->may_read)
			break;
		if (conn_receive(conn) == CONN_END) {
			conn_close(conn);
			return;
		}
	}
	(void)conn_await(conn, TIMER_DISCARD);
}

void conn_end_request(struct conn *conn, bool keep)
{
	if (!keep || conn->must_close) {
		conn_end(conn);
		return;
	}
	conn->state = CONN_DISCARD;
	run_discard(conn);
}

void conn_run(struct conn *conn)
{
	switch (conn->state) {
	case CONN_PROXY:
		opening_read_proxy(conn);
		break;
	case CONN_SHAKE:
		opening_shake(conn);
		break;
	case CONN_FRESH:
	case CONN_IDLE:
	case CONN_HEAD:
		request_read_head(conn);
		break;
	case CONN_BODY:
		request_read_body(conn);
		break;
	case CONN_WRITING:
		conn->state = CONN_APP;
		service_disarm(&conn->timer);
		if (conn->is_late || !keeps_pace(conn)) {
			push_drop_queue(conn->exchange);
			conn_close(conn);
		} else {
			exchange_resume(conn->exchange);
		}
		break;
	case CONN_APP:
		exchange_resume(conn->exchange);
		break;
	case CONN_DISCARD:
		run_discard(conn);
		break;
	case CONN_LINGER:
		run_linger(conn);
		break;
	case CONN_CLOSED:
		break;
	}
}

void conn_wake(struct conn *conn, uint32_t events)
{
	/* An event that was under way when another thread closed it. */
	if (conn->state == CONN_CLOSED)
		return;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		conn->has_hangup = true;
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		conn->may_read = true;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		conn->may_write = true;
	/* What TLS could not send before: receiving tries again. */
	if ((events & EPOLLOUT) != 0 && conn->tls != NULL && conn->state != CONN_APP &&
	    (conn->is_away || tls_has_unsent(conn->tls)))
		conn->may_read = true;
	if (conn->is_away)
		return;
	if (conn->state == CONN_WRITING ? (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0
	                                : conn->state != CONN_APP && conn->may_read)
		service_queue(conn->service, &conn->turn);
}

/*
 * Bytes that came in time count, although nobody had the time to read them; but their coming does not begin the time anew, or else
 * a client that never stops sending could not be late.
 */
static bool has_turn_to_come(struct conn *conn)
{
	if (!conn->turn.is_queued && (conn->is_away || !wire_has_unread(conn)))
		return false;
	conn->timer.is_over = true;
	conn->may_read = true;
	service_queue(conn->service, &conn->turn);
	return true;
}

void conn_expire(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange == NULL) {
		if (!has_turn_to_come(conn))
			end_wait(conn);
	} else if (conn->turn.is_queued) {
		/* It will be seen then whether it has read enough. */
	} else if (keeps_pace(conn)) {
		pace_begin(&exchange->reply.pace, conn->service->now_ms, fd_queued_bytes(conn->fd));
		service_arm(conn->service, &conn->timer, TIMER_WRITE);
	} else {
		/* Its end runs code of the application, which belongs where turns are run. */
		conn->is_late = true;
		service_queue(conn->service, &conn->turn);
	}
}

void conn_drain(struct conn *conn)
{
	struct service *service = conn->service;

	if (conn->state == CONN_PROXY || conn->state == CONN_SHAKE || conn->state == CONN_FRESH) {
		service_arm(service, &conn->timer, TIMER_LAST_FRESH);
	} else if (conn->state == CONN_IDLE) {
		if (wire_has_unread(conn)) {
			conn->may_read = true;
			service_queue(service, &conn->turn);
		} else if (service->now_ms - conn->idle_since_ms > service->timer_ms[TIMER_LAST_CHANCE]) {
			conn_close(conn);
		} else {
			service_arm(service, &conn->timer, TIMER_LAST_CHANCE);
		}
	}
}
