/* SPDX-License-Identifier: MIT */
/*
 * push.c - bytes of a response that leave: the output, and what the application sends itself while it runs (write(),
 * early hints, and the 100 Continue that its reading of the body brings about).
 *
 * Called by exchange.c, body.c, and through struct reply by the application. Never waits.
 */
#include "base/base.h"

#include "worker/push.h"

#include "worker/gather.h"
#include "worker/respond.h"
#include "worker/wire.h"

enum {
	WRITE_BUFFER_BYTES = 65536, /* write() keeps so much before it waits for the client */
};

int push_flush(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	const bool is_own = PyThread_get_thread_ident() == exchange->thread;
	size_t sent;
	int code;

	gather_take_back(exchange);
	/* One thread of the application sends without the lock. It is not for another one to send the same. */
	if (exchange->is_pushing)
		return -EAGAIN;
	/* Only the thread that runs the request is sure to come back before the request ends. */
	conn->keeps_lock = exchange->is_in_application && !is_own;
	exchange->is_pushing = true;
	code = output_flush(&exchange->output, conn, &sent);
	exchange->is_pushing = false;
	/* The request's own thread may be about to wait for what this one has just used up. */
	if (conn->keeps_lock)
		conn->may_write = true;
	if (sent > 0) {
		exchange->has_sent = true;
		SERVICE_COUNT(conn->service, sent_bytes_total, (uint64_t)sent);
	}
	return code;
}

/* write(): PEP 3333 wants the bytes to be on their way when it returns. */
static int write_piece(void *context, PyObject *bytes)
{
	struct exchange *exchange = context;

	gather_take_back(exchange);
	/* Another thread of the application might call at a time when the output is being sent without the GIL. */
	if (!exchange->is_in_application || exchange->is_pushing || exchange->output.big != NULL ||
	    output_pending(&exchange->output) > WRITE_BUFFER_BYTES) {
		PyErr_SetString(PyExc_RuntimeError, "write() called outside the application or while another write() waits");
		return -1;
	}
	return respond_add(exchange, bytes) < 0 ? -1 : 0;
}

static int flush_piece(void *context)
{
	struct exchange *exchange = context;
	int code;

	/* Another thread's write() that has waited until the application returned: the rest is sent as all the rest. */
	if (!exchange->is_in_application)
		return 0;
	code = push_flush(exchange);
	if (code == 0 ||
	    (code == -EAGAIN && exchange->output.big == NULL && output_pending(&exchange->output) <= WRITE_BUFFER_BYTES))
		return 0;
	if (code == -EAGAIN)
		return REPLY_WAIT;
	exchange->has_lost_client = true;
	errno = -code;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

/*
 * Interim bytes pass the output by, so that a head that has not left can still be replaced by an error page. What the socket
 * does not take of a begun one goes out before the head; then nothing can be replaced any more. 0 or -errno.
 */
static int send_interim(struct exchange *exchange, struct span bytes)
{
	int code = push_flush(exchange);
	ssize_t sent;

	if (code < 0)
		return code;
	sent = wire_send_span(exchange->conn, bytes);
	if (sent < 0)
		return (int)sent;
	SERVICE_COUNT(exchange->conn->service, responses_1xx_total, 1);
	SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)sent);
	if ((size_t)sent < bytes.len) {
		exchange->has_sent = true;
		buf_add(output_tail(&exchange->output), bytes.at + sent, bytes.len - (size_t)sent);
	}
	return 0;
}

int push_continue(struct exchange *exchange)
{
	int code;

	if (!exchange->owes_continue)
		return 0;
	exchange->owes_continue = false;
	/* After the final head an interim response would be read as its body. */
	if (exchange->reply.is_head_sent)
		return 0;
	code = send_interim(exchange, http_continue);
	/* Nobody would send the rest while the application waits for the body. */
	return code == 0 && !output_is_empty(&exchange->output) ? -EAGAIN : code;
}

static int send_hints(void *context, struct span bytes)
{
	struct exchange *exchange = context;
	const int code = send_interim(exchange, bytes);

	/* A client that does not read is not helped by a hint. */
	if (code == 0 || code == -EAGAIN)
		return 0;
	exchange->has_lost_client = true;
	errno = -code;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static void give_up(void *context)
{
	struct exchange *exchange = context;

	exchange->has_lost_client = true;
	push_drop_queue(exchange);
}

void push_drop_queue(struct exchange *exchange)
{
	/* A unix socket has no reset. */
	if (!exchange->conn->listener->server.is_unix)
		exchange->conn->must_reset = true;
}

void push_begin(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	reply->write = write_piece;
	reply->flush = flush_piece;
	reply->interim = send_hints;
	reply->give_up = give_up;
	reply->takes_interim = exchange->conn->request.version_minor > 0;
	reply->fd = exchange->conn->fd;
	reply->pace = (struct pace){ 0 };
	reply->beat = exchange->source.beat;
	reply->beat_context = exchange->source.beat_context;
}
