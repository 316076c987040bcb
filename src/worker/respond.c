/* SPDX-License-Identifier: MIT */
/*
 * respond.c - a response on the wire.
 *
 * Called by exchange.c. Puts bytes into the output only; sends nothing but files.
 */
#include "base/base.h"

#include "worker/respond.h"

#include "base/fd.h"
#include "py/filewrapper.h"
#include "worker/body.h"
#include "worker/wire.h"

enum { FILE_PIECE_BYTES = 1 << 20 };

/* What forbids another request on this connection, as far as it is known when the head goes out. */
static bool must_close(const struct exchange *exchange)
{
	const struct conn *conn = exchange->conn;

	return conn->must_close || conn->service->is_draining || !conn->request.keep_alive || exchange->owes_continue ||
	       conn->service->settings->keepalive == 0 || conn->body_fault != BODY_FINE || body_is_long(conn);
}

static int put_head(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct reply *reply = &exchange->reply;

	if (!reply->has_started) {
		PyErr_SetString(PyExc_AssertionError,
		                "the application did not call start_response() before its response body");
		return -1;
	}
	reply->response.version_minor = conn->request.version_minor;
	reply->response.is_head = span_equals(conn->request.method, SPAN_LIT("HEAD"));
	reply->response.must_close = must_close(exchange);
	http_response_head(&reply->response, buf_span(&reply->status), buf_span(&conn->service->server_name),
	                   service_date(conn->service), buf_span(&reply->fields), output_tail(&exchange->output));
	exchange->remaining = reply->response.has_length ? reply->response.length : UINT64_MAX;
	reply->is_head_sent = true;
	return 0;
}

static void add_chunk_head(struct exchange *exchange, uint64_t size)
{
	char text[24];

	buf_add(output_tail(&exchange->output), text, http_chunk_head(text, size));
}

int respond_add(struct exchange *exchange, PyObject *item)
{
	const struct http_response *response = &exchange->reply.response;
	bool has_room = true;
	size_t len;

	if (!PyBytes_Check(item)) {
		PyErr_Format(PyExc_TypeError, "the application's response must be bytes, not %.200s",
		             Py_TYPE(item)->tp_name);
		return -1;
	}
	len = (size_t)PyBytes_GET_SIZE(item);
	/* PEP 3333: an empty piece says nothing, not even that the head is final. */
	if (len == 0)
		return 1;
	if (!exchange->reply.is_head_sent && put_head(exchange) < 0)
		return -1;
	/* PEP 3333: no more is asked for than can be sent. gunicorn goes on, for ever when the iterable has no end. */
	if (!response->has_body)
		return 0;
	/* gunicorn: what exceeds the application's own Content-Length is cut off. */
	if (response->has_length && len > exchange->remaining) {
		len = (size_t)exchange->remaining;
		has_room = false;
	}
	if (len == 0)
		return 0;
	exchange->remaining -= len;
	exchange->body_bytes += len;
	if (response->is_chunked)
		add_chunk_head(exchange, len);
	output_add(&exchange->output, item, len);
	if (response->is_chunked)
		buf_add_str(output_tail(&exchange->output), HTTP_CHUNK_TAIL);
	return has_room ? 1 : 0;
}

int respond_end(struct exchange *exchange)
{
	const struct http_response *response = &exchange->reply.response;

	if (!exchange->reply.is_head_sent && put_head(exchange) < 0)
		return -1;
	if (response->is_chunked && response->has_body)
		buf_add_str(output_tail(&exchange->output), HTTP_CHUNK_END);
	return 0;
}

bool respond_is_whole(const struct exchange *exchange)
{
	const struct http_response *response = &exchange->reply.response;

	if (exchange->is_cut || !exchange->reply.is_head_sent)
		return false;
	return !response->has_body || !response->has_length || exchange->remaining == 0;
}

bool respond_ends_by_close(const struct exchange *exchange)
{
	const struct http_response *response = &exchange->reply.response;

	return exchange->reply.is_head_sent && response->has_body && !response->has_length && !response->is_chunked;
}

bool respond_begin_file(struct exchange *exchange)
{
	const struct http_response *response = &exchange->reply.response;
	uint64_t size;

	if (!exchange->conn->service->settings->sendfile || !exchange->reply.has_started ||
	    !filewrapper_check(exchange->result.object) ||
	    !filewrapper_find_file(exchange->result.object, &exchange->file_fd, &exchange->file_at, &size)) {
		exchange->file_fd = FD_NONE;
		return false;
	}
	/* write() may have begun the body. */
	if (!exchange->reply.is_head_sent && put_head(exchange) < 0) {
		PyErr_Clear();
		exchange->file_fd = FD_NONE;
		return false;
	}
	if (response->has_length)
		size = MIN(size, exchange->remaining);
	if (!response->has_body)
		size = 0;
	exchange->file_left = size;
	if (response->is_chunked && size > 0)
		add_chunk_head(exchange, size);
	return true;
}

int respond_send_file(struct exchange *exchange)
{
	const size_t size = (size_t)MIN(exchange->file_left, (uint64_t)FILE_PIECE_BYTES);
	const ssize_t sent = wire_send_file(exchange->conn, exchange->file_fd, &exchange->file_at, size);

	if (sent < 0)
		return (int)sent;
	/* The file became shorter: the response cannot be completed. */
	if (sent == 0)
		return -EIO;
	exchange->has_sent = true;
	exchange->file_left -= (uint64_t)sent;
	exchange->remaining -= (uint64_t)sent;
	exchange->body_bytes += (uint64_t)sent;
	SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)sent);
	if (exchange->file_left == 0 && exchange->reply.response.is_chunked)
		buf_add_str(output_tail(&exchange->output), HTTP_CHUNK_TAIL);
	return 0;
}

void respond_error_page(struct exchange *exchange, int status, const char *reason, struct span text)
{
	struct reply *reply = &exchange->reply;
	struct buf *tail;

	reply_init(reply);
	buf_addf(&reply->status, "%d %s", status, reason);
	reply->response.status = status;
	output_clear(&exchange->output);
	tail = output_tail(&exchange->output);
	http_error_page(status, reason, text, tail);
	reply->has_started = true;
	reply->is_head_sent = true;
	exchange->conn->must_close = true;
	exchange->is_ended = true;
}
