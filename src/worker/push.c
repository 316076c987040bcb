/* SPDX-License-Identifier: MIT */
/*
 * push.c - bytes of a response that leave: the output, and what the application sends itself while it runs (write(), and the
 * 100 Continue that its reading of the body brings about).
 *
 * Called by exchange.c, body.c, and through struct reply by the application. Never waits.
 */
#include "base/base.h"

#include "worker/push.h"

#include <sys/socket.h>

#include "worker/respond.h"

enum {
	WRITE_BUFFER_BYTES = 65536, /* write() keeps so much before it waits for the client */
	WRITE_MS = 60000,
};

int push_flush(struct exchange *exchange)
{
	size_t sent;
	const int code = output_flush(&exchange->output, exchange->conn->fd, &sent);

	if (sent > 0) {
		exchange->has_sent = true;
		SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)sent);
	}
	return code;
}

/* write(): PEP 3333 wants the bytes to be on their way when it returns. */
static int write_piece(void *context, PyObject *bytes)
{
	struct exchange *exchange = context;

	/* Another thread of the application might call at a time when the output is being sent without the GIL. */
	if (!exchange->is_in_application || exchange->output.big != NULL ||
	    output_pending(&exchange->output) > WRITE_BUFFER_BYTES) {
		PyErr_SetString(PyExc_RuntimeError, "write() called outside the application or while another write() waits");
		return -1;
	}
	return respond_add(exchange, bytes) < 0 ? -1 : 0;
}

static int flush_piece(void *context)
{
	struct exchange *exchange = context;
	const int code = push_flush(exchange);

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

int push_continue(struct exchange *exchange)
{
	ssize_t sent;

	if (!exchange->owes_continue)
		return 0;
	exchange->owes_continue = false;
	/* After the final head an interim response would be read as its body. */
	if (exchange->reply.is_head_sent)
		return 0;
	sent = send(exchange->conn->fd, http_continue.at, http_continue.len, MSG_NOSIGNAL);
	if (sent != (ssize_t)http_continue.len)
		return sent < 0 ? -errno : -EAGAIN;
	SERVICE_COUNT(exchange->conn->service, responses_1xx_total, 1);
	SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)sent);
	return 0;
}

void push_begin(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	reply->write = write_piece;
	reply->flush = flush_piece;
	reply->fd = exchange->conn->fd;
	reply->progress_ms = WRITE_MS;
	reply->beat = exchange->source.beat;
	reply->beat_context = exchange->source.beat_context;
}
