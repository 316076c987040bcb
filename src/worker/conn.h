/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one client connection: bytes in, requests one after the other, the end.
 *
 * The GIL is held in all calls; nothing here waits.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include "base/base.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/http.h"
#include "py/py.h"
#include "worker/service.h"

#include <netinet/in.h>
#include <sys/socket.h>

/*
 *  state        waits for                     moves on to
 *  PROXY        the rest of a PROXY header    SHAKE, FRESH, LINGER (refused), CLOSED
 *  SHAKE        the rest of a TLS handshake   FRESH, LINGER (refused), CLOSED
 *  FRESH        the first byte                HEAD, CLOSED
 *  IDLE         the first byte of the next    HEAD, CLOSED
 *  HEAD         the rest of the head          BODY, APP, LINGER (refused), CLOSED
 *  BODY         the first part of the body    APP, LINGER (refused), CLOSED
 *  APP          the application, its logger,  WRITING, DISCARD, IDLE, HEAD, LINGER, CLOSED
 *               or its turn
 *  WRITING      the client to read            APP, CLOSED
 *  DISCARD      the rest of the body          IDLE, HEAD, LINGER, CLOSED
 *  LINGER       the client to close           CLOSED
 */
enum conn_state {
	CONN_PROXY,
	CONN_SHAKE,
	CONN_FRESH,
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_APP,
	CONN_WRITING,
	CONN_DISCARD,
	CONN_LINGER,
	CONN_CLOSED,
};

/* What went wrong with a body, found out while it was read. */
enum conn_body_fault { BODY_FINE, BODY_CUT, BODY_LATE, BODY_REFUSED };

struct exchange;
struct tls;

/* What a PROXY header said, as the environ shows it. */
struct conn_proxy {
	char protocol[8]; /* "TCP4", "TCP6", "LOCAL", "UNSPEC" */
	char address[INET6_ADDRSTRLEN]; /* where the client connected to; "": not told */
	char port[8];
};

struct conn {
	struct turn turn;
	struct timer timer;
	struct list link; /* in service->conns or service->free_conns */
	struct service *service;
	struct service_listener *listener;
	struct exchange *exchange; /* APP, WRITING: the request the application has; else NULL */
	int fd;
	struct tls *tls; /* NULL: plain, or not a byte of the handshake yet */
	enum conn_state state;
	bool is_away;       /* a thread is in SHAKE without the GIL: others may only take notes */
	bool is_doomed;     /* closed meanwhile: that thread does the rest */
	bool is_registered; /* with the poller; only once it has to wait */
	bool may_read;      /* no EAGAIN since the last event */
	bool has_hangup;    /* the end of the stream is in the receive queue or behind it */
	bool may_write;     /* an event came since sending was last tried */
	bool is_late;       /* its time ran out while the application had a request of it: closed at its turn */
	bool keeps_lock;    /* what is sent now does not let other threads run */
	bool is_trusted;    /* the peer is a proxy of ours */
	bool may_proxy;     /* the peer may speak the PROXY protocol */
	bool must_close;    /* whatever the application says */
	bool was_kept;      /* it served one request and was kept alive for more */
	bool is_shared;     /* a thread of the application may be reading from it */
	bool must_reset;    /* a clean end would be taken for the end of a whole response */
	uint64_t idle_since_ms;
	size_t discarded_bytes;
	size_t body_progress_bytes; /* BODY: since the timer was armed */

	/*
	 * Bytes in: | head | body, decoded | gap | raw |. Body bytes are decoded in place, they only ever move down.
	 * While no request is being read, everything is raw and begins at 0.
	 */
	struct buf in;
	size_t body_at, body_end; /* decoded and not taken yet */
	size_t raw_at;            /* not looked at yet, up to in.len */
	struct http_request request;
	struct http_body body;
	enum conn_body_fault body_fault;
	enum http_result body_result; /* BODY_REFUSED: why */
	bool is_https;
	struct span script_name; /* of a trusted proxy; in `in` */

	struct conn_proxy *proxy;           /* owned; NULL: no PROXY header */
	char remote_text[INET6_ADDRSTRLEN]; /* "" for unix sockets; the client's that a PROXY header names */
	PyObject *remote_addr;              /* made for the first request */
	PyObject *remote_port;              /* NULL for unix sockets */
	unsigned remote_port_number;
};

/* accept.c: accepts one connection; the caller lets it run or queues it. 0, -EAGAIN when there is none, another -errno. */
int conn_accept(struct service *service, struct service_listener *listener, struct conn **ret_conn);
/* Its turn has come. */
void conn_run(struct conn *conn);
/* The poller says so. */
void conn_wake(struct conn *conn, uint32_t events);
/* Its timer ran out. */
void conn_expire(struct conn *conn);
/* The worker drains: close it, give it a last chance, or let it go on. */
void conn_drain(struct conn *conn);
/* At once, whatever it is doing. */
void conn_close(struct conn *conn);
/* The process is about to leave while the application has a request: what the client got of it must not look whole. */
void conn_cut(struct conn *conn);
/* Frees the memory of closed connections. */
void conn_free_spares(struct service *service);

/* exchange.c: the response is over. `keep`: the connection may serve another request. */
void conn_end_request(struct conn *conn, bool keep);
/* exchange.c: wait until the client has read some. */
void conn_wait_writable(struct conn *conn);
/*
 * Code of the application may run, a logger of its, although there is no exchange: nobody else touches the connection until
 * conn_end() or conn_close().
 */
void conn_hold(struct conn *conn);
/* Waits for the poller; the timer is armed unless it runs already. False: that failed, and the connection is closed. */
bool conn_await(struct conn *conn, enum timer_kind kind);
/* No more requests: says so to the client, and closes when that is safe. */
void conn_end(struct conn *conn);

enum conn_received { CONN_RECEIVED, CONN_NOTHING, CONN_END };
/*
 * Reads what there is behind the raw bytes; may move `in`, the request's spans follow. END: closed or broken by the
 * client.
 */
enum conn_received conn_receive(struct conn *conn);

#endif
