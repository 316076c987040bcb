/* SPDX-License-Identifier: MIT */
/*
 * body.c - the request body of a connection.
 *
 * Called by conn.c before and after the application, and by wsgi.input while it runs. A Content-Length body that the
 * application reads in large pieces goes from the socket straight into Python's memory.
 */
#include "base/base.h"

#include "worker/body.h"

#include "worker/push.h"
#include "worker/wire.h"

enum {
	RECEIVE_BYTES = 32768,
	PATIENCE_MS = 30000,    /* unless `timeout` is shorter */
	BYTES_PER_SECOND = 512, /* Apache's mod_reqtimeout asks for 500 */
};

void body_begin(struct conn *conn)
{
	http_body_init(&conn->body, &conn->request, &conn->service->policy);
	conn->body_at = conn->body_end = conn->raw_at = conn->request.head_bytes;
	conn->body_fault = BODY_FINE;
	conn->discarded_bytes = 0;
	conn->body_progress_bytes = 0;
}

size_t body_ready(const struct conn *conn)
{
	return conn->body_end - conn->body_at;
}

void body_compact(struct conn *conn)
{
	const size_t head = conn->request.head_bytes, raw = conn->in.len - conn->raw_at;

	if (conn->body_at == conn->body_end)
		conn->body_at = conn->body_end = head;
	if (conn->raw_at != conn->body_end) {
		memmove(conn->in.data + conn->body_end, conn->in.data + conn->raw_at, raw);
		conn->raw_at = conn->body_end;
		conn->in.len = conn->raw_at + raw;
	}
}

enum http_result body_decode(struct conn *conn)
{
	enum http_result result = conn->body.is_done ? HTTP_DONE : HTTP_MORE;

	while (result == HTTP_MORE && body_ready(conn) < BODY_GATHER_BYTES) {
		struct span payload = SPAN_NONE;
		size_t used = 0;

		/* Asked with no bytes too: a body may be complete before its first. */
		result = http_body_read(&conn->body, conn->in.data + conn->raw_at, conn->in.len - conn->raw_at, &used,
		                        &payload);
		if (payload.len > 0 && payload.at != conn->in.data + conn->body_end)
			memmove(conn->in.data + conn->body_end, payload.at, payload.len);
		conn->body_end += payload.len;
		conn->raw_at += used;
		if (conn->raw_at == conn->in.len && result == HTTP_MORE)
			break;
	}
	if (result != HTTP_DONE && result != HTTP_MORE) {
		conn->body_fault = BODY_REFUSED;
		conn->body_result = result;
	}
	return result;
}

bool body_is_long(const struct conn *conn)
{
	return conn->body.kind == HTTP_BODY_LENGTH && !conn->body.is_done &&
	       conn->body.remaining > (uint64_t)BODY_GATHER_BYTES + (conn->in.len - conn->raw_at);
}

void body_drop(struct conn *conn)
{
	conn->discarded_bytes += body_ready(conn);
	conn->body_at = conn->body_end;
	body_compact(conn);
}

void body_finish(struct conn *conn)
{
	const size_t raw = conn->in.len - conn->raw_at;

	if (raw > 0)
		memmove(conn->in.data, conn->in.data + conn->raw_at, raw);
	conn->in.len = raw;
	conn->raw_at = conn->body_at = conn->body_end = 0;
}

static ssize_t raise_fault(const struct conn *conn)
{
	switch (conn->body_fault) {
	case BODY_REFUSED:
		PyErr_Format(PyExc_OSError, "malformed request body: %s", http_error_reason(conn->body_result));
		break;
	case BODY_LATE:
		PyErr_SetString(PyExc_TimeoutError, "the client did not send the rest of the request body in time");
		break;
	case BODY_CUT:
	case BODY_FINE:
	default:
		PyErr_SetString(PyExc_ConnectionResetError, "the client went away before the request body was complete");
		break;
	}
	return INPUT_ERROR;
}

/* Bytes for wsgi.input are decoded and ready (their count), or INPUT_*. */
static ssize_t supply(struct conn *conn)
{
	if (body_ready(conn) > 0)
		return (ssize_t)body_ready(conn);
	if (conn->body_fault != BODY_FINE)
		return raise_fault(conn);
	for (;;) {
		const enum http_result result = body_decode(conn);

		if (body_ready(conn) > 0)
			return (ssize_t)body_ready(conn);
		if (result == HTTP_DONE)
			return INPUT_END;
		if (result != HTTP_MORE)
			return raise_fault(conn);
		if (push_continue(conn->exchange) < 0) {
			conn->body_fault = BODY_CUT;
			return raise_fault(conn);
		}
		body_compact(conn);
		if (conn->in.cap - conn->in.len < RECEIVE_BYTES / 4) {
			const char *old = conn->in.data;

			if (buf_try_reserve(&conn->in, RECEIVE_BYTES) < 0) {
				PyErr_NoMemory();
				return INPUT_ERROR;
			}
			http_request_rebase(&conn->request, old, conn->in.data);
		}
		switch (conn_receive(conn)) {
		case CONN_NOTHING:
			return INPUT_WAIT;
		case CONN_END:
			conn->body_fault = BODY_CUT;
			return raise_fault(conn);
		case CONN_RECEIVED:
			break;
		}
	}
}

/* From the socket into Python's memory, without a stop in between; the framing code still counts the bytes. */
static ssize_t receive_directly(struct conn *conn, char *into, size_t size)
{
	struct span payload;
	size_t used;
	ssize_t count;

	if (push_continue(conn->exchange) < 0) {
		conn->body_fault = BODY_CUT;
		return raise_fault(conn);
	}
	count = wire_receive(conn, into, (size_t)MIN((uint64_t)size, conn->body.remaining));
	if (count == -EAGAIN)
		return INPUT_WAIT;
	if (count <= 0) {
		conn->body_fault = BODY_CUT;
		return raise_fault(conn);
	}
	SERVICE_COUNT(conn->service, received_bytes_total, (uint64_t)count);
	(void)http_body_read(&conn->body, into, (size_t)count, &used, &payload);
	return count;
}

static ssize_t source_read(void *context, char *into, size_t size)
{
	struct conn *conn = context;
	ssize_t count;

	if (size == 0)
		return body_ready(conn) == 0 && conn->body_fault == BODY_FINE && body_decode(conn) == HTTP_DONE &&
		                       body_ready(conn) == 0
		               ? INPUT_END
		               : INPUT_WAIT;
	if (body_ready(conn) == 0 && conn->body_fault == BODY_FINE && conn->body.kind == HTTP_BODY_LENGTH &&
	    !conn->body.is_done && conn->raw_at == conn->in.len && size >= RECEIVE_BYTES / 4)
		return receive_directly(conn, into, size);
	count = supply(conn);
	if (count <= 0)
		return count;
	count = (ssize_t)MIN((size_t)count, size);
	memcpy(into, conn->in.data + conn->body_at, (size_t)count);
	conn->body_at += (size_t)count;
	return count;
}

static ssize_t source_peek(void *context, struct span *ret_bytes)
{
	struct conn *conn = context;
	const ssize_t count = supply(conn);

	if (count > 0)
		*ret_bytes = span_of(conn->in.data + conn->body_at, (size_t)count);
	return count;
}

static void source_consume(void *context, size_t count)
{
	struct conn *conn = context;

	conn->body_at += count;
}

static uint64_t source_expected(void *context)
{
	const struct conn *conn = context;

	if (conn->body.kind != HTTP_BODY_LENGTH)
		return 0;
	return body_ready(conn) + conn->body.remaining;
}

static void give_up(void *context)
{
	struct conn *conn = context;

	conn->body_fault = BODY_LATE;
}

/* gunicorn: `timeout` ends the wait as well, with the worker. */
static unsigned get_patience_ms(const struct settings *settings)
{
	return settings->timeout > 0 && settings->timeout < PATIENCE_MS / 1000 ? (unsigned)settings->timeout * 1000
	                                                                       : PATIENCE_MS;
}

static void beat(void *context)
{
	worker_beat(context);
}

void body_init_source(struct conn *conn, struct input_source *source)
{
	*source = (struct input_source){
		.read = source_read,
		.peek = source_peek,
		.consume = source_consume,
		.expected = source_expected,
		.context = conn,
		.fd = conn->fd,
		.patience_ms = get_patience_ms(conn->service->settings),
		.bytes_per_second = BYTES_PER_SECOND,
		.give_up = give_up,
		.beat = beat,
		.beat_context = conn->service->worker,
	};
}
