/* SPDX-License-Identifier: MIT */
/*
 * opening.c - what a connection does before the first byte of HTTP.
 *
 * Called by conn.c. Slow and hostile clients end here, at a deadline of their own; no Python code runs.
 */
#include "base/base.h"

#include "worker/opening.h"

#include "base/log.h"
#include "worker/request.h"
#include "worker/tls.h"

void opening_read_proxy(struct conn *conn)
{
	conn->state = CONN_FRESH;
}

static void fail_handshake(struct conn *conn)
{
	const bool met_plain_http = tls_met_plain_http(conn->tls);

	log_debug("TLS handshake with ip=%s failed: %s", conn->remote_text, tls_fault(conn->tls));
	if (met_plain_http) {
		const struct span text = SPAN_LIT("Plain HTTP was sent to a TLS port");

		tls_free(conn->tls);
		conn->tls = NULL;
		request_refuse(conn, 400, "Bad Request", text, text);
		return;
	}
	/* The alert is on its way; closing with something unread would destroy it. */
	conn->request.keep_alive = true;
	conn_end(conn);
}

static void begin_http(struct conn *conn)
{
	service_disarm(&conn->timer);
	conn->state = CONN_FRESH;
	/* The client's first request may have come with the last bytes of its handshake. */
	conn->may_read = true;
	request_read_head(conn);
}

void opening_shake(struct conn *conn)
{
	struct service *service = conn->service;
	int code;

	if (!conn->may_read) {
		(void)conn_await(conn, service->is_draining ? TIMER_LAST_FRESH : TIMER_SHAKE);
		return;
	}
	if (conn->tls == NULL)
		conn->tls = tls_new(service->worker->tls, conn->fd);
	if (conn->tls == NULL) {
		log_error("No memory for a TLS connection");
		conn_close(conn);
		return;
	}
	conn->may_read = false;
	conn->is_away = true;
	code = tls_shake(conn->tls);
	conn->is_away = false;
	if (conn->is_doomed) {
		conn_close(conn);
	} else if (code == 0) {
		begin_http(conn);
	} else if (code == -EPROTO) {
		fail_handshake(conn);
	} else if (code != -EAGAIN) {
		log_debug("TLS handshake with ip=%s failed: %s", conn->remote_text, strerror(-code));
		conn_close(conn);
	} else {
		/* Draining: as long as it goes on it is worth waiting for. */
		if (service->is_draining)
			service_disarm(&conn->timer);
		/* An event that came while we were away. */
		if (conn_await(conn, service->is_draining ? TIMER_LAST_FRESH : TIMER_SHAKE) && conn->may_read)
			service_queue(service, &conn->turn);
	}
}
