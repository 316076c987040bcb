/* SPDX-License-Identifier: MIT */
/*
 * opening.c - what a connection does before the first byte of HTTP.
 *
 * Called by conn.c. Slow and hostile clients end here, at a deadline of their own; no Python code runs.
 */
#include "base/base.h"

#include "worker/opening.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "http/proxyproto.h"
#include "worker/request.h"
#include "worker/tls.h"

enum conn_state opening_state(const struct service *service)
{
	if (service->settings->proxy_protocol != PROXYPROTO_OFF)
		return CONN_PROXY;
	return service->worker->tls != NULL ? CONN_SHAKE : CONN_FRESH;
}

/* ---- PROXY --------------------------------------------------------------------------------------------------------------- */

/* gunicorn: workers/base.py handle_error(); a malformed header of version 2 is a 500 there. */
static void refuse_proxy(struct conn *conn, int status, const char *reason, const char *cause, const char *text)
{
	if (conn->service->worker->tls == NULL) {
		request_refuse(conn, status, reason, span_from_str(cause), span_from_str(text));
		return;
	}
	/* A page would not be understood before the handshake. */
	conn_hold(conn);
	log_warning("Invalid request from ip=%s: %s", conn->remote_text, cause);
	conn->request.keep_alive = true;
	conn_end(conn);
}

static void refuse_header(struct conn *conn, const struct proxyproto *header)
{
	char *text = xasprintf(header->version == 2 ? "Invalid PROXY header: %s" : "Invalid PROXY line: %s", header->fault);

	refuse_proxy(conn, 400, "Bad Request", text, text);
	free(text);
}

static bool read_address(const struct proxyproto *header, const struct proxyproto_end *end, char *into)
{
	const int family = header->family == PROXYPROTO_TCP4 ? AF_INET : AF_INET6;
	uint8_t address[16];

	memcpy(address, end->address, sizeof(address));
	if (header->version == 1 && inet_pton(family, end->text, address) != 1)
		return false;
	return inet_ntop(family, address, into, INET6_ADDRSTRLEN) != NULL;
}

/* 0, or -EINVAL: an address of version 1 is none. */
static int take_header(struct conn *conn, const struct proxyproto *header)
{
	static const char *const names[] = {
		[PROXYPROTO_LOCAL] = "LOCAL",
		[PROXYPROTO_UNKNOWN] = "UNSPEC",
		[PROXYPROTO_TCP4] = "TCP4",
		[PROXYPROTO_TCP6] = "TCP6",
	};
	struct conn_proxy *proxy = xcalloc(1, sizeof(*proxy));

	conn->proxy = proxy;
	(void)snprintf(proxy->protocol, sizeof(proxy->protocol), "%s", names[header->family]);
	/* gunicorn says REMOTE_ADDR None then; the peer is known, and is what it was about. */
	if (header->family != PROXYPROTO_TCP4 && header->family != PROXYPROTO_TCP6)
		return 0;
	if (!read_address(header, &header->destination, proxy->address) ||
	    !read_address(header, &header->source, conn->remote_text))
		return -EINVAL;
	(void)snprintf(proxy->port, sizeof(proxy->port), "%u", (unsigned)header->destination.port);
	conn->remote_port_number = header->source.port;
	return 0;
}

/* The header is complete, and still in the socket. */
static void accept_header(struct conn *conn, struct proxyproto *header)
{
	char used[PROXYPROTO_MAX];
	ssize_t count;

	do {
		count = recv(conn->fd, used, header->header_bytes, 0);
	} while (count < 0 && errno == EINTR);
	if (count != (ssize_t)header->header_bytes) {
		conn_close(conn);
		return;
	}
	if (!conn->may_proxy) {
		char *cause = xasprintf("Proxy request from '%s' not allowed", conn->remote_text);

		refuse_proxy(conn, 403, "Forbidden", cause, "Request forbidden");
		free(cause);
		return;
	}
	if (take_header(conn, header) < 0) {
		header->fault = "invalid address";
		refuse_header(conn, header);
		return;
	}
	conn->state = conn->service->worker->tls != NULL ? CONN_SHAKE : CONN_FRESH;
	conn_run(conn);
}

/* The event may have been another connection's, which had this memory before. */
static bool has_hung_up(const struct conn *conn)
{
	struct pollfd item = { .fd = conn->fd, .events = POLLRDHUP };

	return conn->has_hangup && poll(&item, 1, 0) > 0;
}

/*
 * The header stays in the socket until it is complete: what follows is TLS, which OpenSSL reads itself. Each new byte is an
 * event, also when the ones before it have not been taken.
 */
void opening_read_proxy(struct conn *conn)
{
	struct service *service = conn->service;
	char bytes[PROXYPROTO_MAX];
	struct proxyproto header;
	ssize_t count;

	conn->may_read = false;
	do {
		count = recv(conn->fd, bytes, sizeof(bytes), MSG_PEEK);
	} while (count < 0 && errno == EINTR);
	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
		conn_close(conn);
		return;
	}
	switch (proxyproto_parse((enum proxyproto_mode)service->settings->proxy_protocol, bytes, (size_t)MAX(count, 0),
	                         &header)) {
	case PROXYPROTO_DONE:
		conn->may_read = true;
		accept_header(conn, &header);
		return;
	case PROXYPROTO_BAD:
		refuse_header(conn, &header);
		return;
	case PROXYPROTO_ABSENT:
		refuse_proxy(conn, 400, "Bad Request", "Invalid PROXY header: missing", "Invalid PROXY header: missing");
		return;
	case PROXYPROTO_MORE:
		break;
	}
	if (has_hung_up(conn))
		conn_close(conn);
	else
		(void)conn_await(conn, service->is_draining ? TIMER_LAST_FRESH : TIMER_SHAKE);
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------------- */

static void fail_handshake(struct conn *conn)
{
	const bool met_plain_http = tls_met_plain_http(conn->tls);

	conn_hold(conn);
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
		conn_hold(conn);
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
		conn_hold(conn);
		log_debug("TLS handshake with ip=%s failed: %s", conn->remote_text, strerror(-code));
		conn_close(conn);
	} else {
		/* Draining: as long as it goes on it is worth waiting for. */
		if (service->is_draining && !conn->timer.is_over)
			service_disarm(&conn->timer);
		/* An event that came while we were away. */
		if (conn_await(conn, service->is_draining ? TIMER_LAST_FRESH : TIMER_SHAKE) && conn->may_read)
			service_queue(service, &conn->turn);
	}
}
