/* SPDX-License-Identifier: MIT */
/*
 * exchange.c - one request in the hands of the application, and its response.
 *
 * Called by conn.c. Calls the application and walks its answer as fast as the client reads: when the socket is full the
 * answer is left where it is and goes on later, so that a slow reader holds memory for one piece and no time at all.
 */
#include "base/base.h"

#include "worker/exchange.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "py/environ.h"
#include "py/pyerr.h"
#include "worker/body.h"
#include "worker/record.h"
#include "worker/respond.h"

enum {
	SLICE_MS = 10,              /* a response that never blocks gives way to others after that */
	WRITE_BUFFER_BYTES = 65536, /* write() keeps so much before it waits for the client */
	WRITE_MS = 60000,
	SPARE_MAX = 16,
};

static struct exchange *exchange_new(struct conn *conn)
{
	struct service *service = conn->service;
	struct exchange *exchange;

	if (list_is_empty(&service->free_exchanges)) {
		exchange = xcalloc(1, sizeof(*exchange));
		list_init(&exchange->link);
	} else {
		exchange = LIST_ENTRY(service->free_exchanges.next, struct exchange, link);
		list_remove(&exchange->link);
		service->spare_exchanges--;
	}
	exchange->conn = conn;
	exchange->result = (struct result){ .object = NULL };
	exchange->started_us = clock_us();
	exchange->remaining = 0;
	exchange->body_bytes = 0;
	exchange->owes_continue = conn->request.expect_continue && !conn->body.is_done;
	exchange->is_ended = false;
	exchange->is_cut = false;
	exchange->has_sent = false;
	exchange->has_lost_client = false;
	exchange->file_fd = FD_NONE;
	exchange->file_left = 0;
	reply_init(&exchange->reply);
	exchange->reply.context = exchange;
	conn->exchange = exchange;
	return exchange;
}

static void free_exchange(struct exchange *exchange)
{
	output_release(&exchange->output);
	reply_release(&exchange->reply);
	free(exchange);
}

void exchange_free_spares(struct service *service)
{
	LIST_EACH (&service->free_exchanges, link) {
		list_remove(link);
		free_exchange(LIST_ENTRY(link, struct exchange, link));
	}
	service->spare_exchanges = 0;
}

/* Python's side of the request. May run code of the application (destructors). */
static void release_objects(struct exchange *exchange)
{
	input_detach(exchange->input);
	start_response_detach(exchange->start_response);
	Py_CLEAR(exchange->input);
	Py_CLEAR(exchange->start_response);
	Py_CLEAR(exchange->environ);
	Py_CLEAR(exchange->req);
	Py_CLEAR(exchange->context);
}

static void log_failure(struct exchange *exchange)
{
	const struct span target = exchange->conn->request.target;

	SERVICE_COUNT(exchange->conn->service, exceptions_total, 1);
	/* tests wait for this line */
	pyerr_log(LOG_ERROR, "Error handling request %.*s", SPAN_ARG(target));
}

static bool enter(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;

	if (PyContext_Enter(exchange->context) < 0)
		return false;
	exchange->is_in_application = true;
	atomic_store_explicit(&service->worker->line->busy_since_ms, service->now_ms, memory_order_relaxed);
	return true;
}

static void leave(struct exchange *exchange)
{
	PyObject *exception;

	worker_end_copy(exchange->conn->service->worker);
	exception = py_error_take();
	exchange->is_in_application = false;
	atomic_store_explicit(&exchange->conn->service->worker->line->busy_since_ms, 0, memory_order_relaxed);
	if (PyContext_Exit(exchange->context) < 0)
		PyErr_Clear();
	if (exception != NULL)
		py_error_put(exception);
}

static void close_result(struct exchange *exchange)
{
	int result = 0;

	if (exchange->result.object == NULL)
		return;
	if (enter(exchange)) {
		result = result_close(&exchange->result);
		leave(exchange);
	} else {
		PyErr_Clear();
		result = result_close(&exchange->result);
	}
	if (result < 0) {
		/* The response may be out already: all that is left is to say so, and not to trust the connection. */
		log_failure(exchange);
		exchange->conn->must_close = true;
	}
}

static int call_pre_request(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct service *service = conn->service;
	bool must_close = false;

	/* gunicorn's own pre_request does just that. */
	if (log_is_on(LOG_DEBUG))
		log_debug("%.*s %.*s", SPAN_ARG(conn->request.method), SPAN_ARG(conn->request.path));
	if (LIKELY(service->hooks.begin == NULL))
		return 0;
	if (!enter(exchange))
		return -1;
	exchange->req = reqhooks_begin(&service->hooks, exchange->environ, &conn->request, &must_close);
	leave(exchange);
	conn->must_close = conn->must_close || must_close;
	return exchange->req != NULL ? 0 : -1;
}

static void call_post_request(struct exchange *exchange)
{
	if (LIKELY(exchange->req == NULL) || !enter(exchange)) {
		PyErr_Clear();
		return;
	}
	if (reqhooks_end(&exchange->conn->service->hooks, exchange->req, exchange->environ, &exchange->reply,
	                 exchange->body_bytes) < 0)
		pyerr_log(LOG_ERROR, "Exception in post_request hook");
	leave(exchange);
}

/* Everything is said: book-keeping, and the exchange goes back to the pool. */
static void finish(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct service *service = conn->service;

	close_result(exchange);
	record_response(exchange);
	call_post_request(exchange);
	service->now_ms = clock_ms();
	SERVICE_COUNT(service, requests_active, (uint64_t)-1);
	board_request_end(service->worker->line, exchange->board_entry);
	release_objects(exchange);
	output_clear(&exchange->output);
	conn->exchange = NULL;
	exchange->conn = NULL;
	if (service->spare_exchanges >= SPARE_MAX) {
		free_exchange(exchange);
		return;
	}
	list_add_tail(&service->free_exchanges, &exchange->link);
	service->spare_exchanges++;
}

void exchange_abandon(struct exchange *exchange)
{
	exchange->is_cut = true;
	finish(exchange);
}

static void complete(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	const bool keep = respond_is_whole(exchange) && exchange->reply.response.keep_alive && !exchange->owes_continue;

	finish(exchange);
	conn_end_request(conn, keep);
}

static int flush(struct exchange *exchange)
{
	size_t sent;
	const int code = output_flush(&exchange->output, exchange->conn->fd, &sent);

	if (sent > 0) {
		exchange->has_sent = true;
		SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)sent);
	}
	return code;
}

/* What went wrong while the application read the body or called write() is the client's doing: no error of ours. */
static void fail_client(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct buf cause = BUF_NONE, text = BUF_NONE;

	if (exchange->has_lost_client || conn->body_fault == BODY_CUT) {
		log_debug("Ignored premature client disconnection.");
		return;
	}
	if (conn->body_fault == BODY_LATE) {
		log_warning("Invalid request from ip=%s: the body does not arrive", conn->remote_text);
		if (!exchange->has_sent)
			respond_error_page(exchange, 408, "Request Timeout", SPAN_LIT("The request body does not arrive"));
		return;
	}
	http_error_cause(conn->body_result, &conn->request, &cause);
	http_error_text(conn->body_result, &conn->request, &text);
	log_warning("Invalid request from ip=%s: %s", conn->remote_text, buf_text(&cause));
	if (!exchange->has_sent)
		respond_error_page(exchange, http_error_status(conn->body_result), http_error_reason(conn->body_result),
		                   buf_span(&text));
	buf_release(&cause);
	buf_release(&text);
}

/* An exception left the application. What the client gets depends on what it has got already. */
static void fail(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	const bool is_clients_fault =
		(conn->body_fault != BODY_FINE || exchange->has_lost_client) && PyErr_ExceptionMatches(PyExc_OSError);

	exchange->file_fd = FD_NONE;
	exchange->file_left = 0;
	if (is_clients_fault) {
		PyErr_Clear();
		fail_client(exchange);
	} else {
		log_failure(exchange);
		/* A head that has not left yet can still be replaced, unlike what start_response() is told. */
		if (!exchange->has_sent)
			respond_error_page(exchange, 500, "Internal Server Error", SPAN_NONE);
	}
	close_result(exchange);
	if (!exchange->is_ended) {
		/* Cutting the connection is the only way to tell that the body is not complete. */
		exchange->is_cut = true;
		exchange->is_ended = true;
		output_clear(&exchange->output);
	}
}

/* One more piece of the answer into the output, or its end. */
static void step(struct exchange *exchange)
{
	PyObject *item = NULL;
	int found;

	if (!enter(exchange)) {
		fail(exchange);
		return;
	}
	found = result_next(&exchange->result, &item);
	leave(exchange);
	if (found > 0)
		found = respond_add(exchange, item);
	Py_XDECREF(item);
	if (found >= 0 && result_is_exhausted(&exchange->result))
		found = 0;
	if (found == 0)
		found = respond_end(exchange);
	else if (found > 0)
		return;
	if (found < 0)
		fail(exchange);
	exchange->is_ended = true;
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
	const int code = flush(exchange);

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

int exchange_send_continue(struct exchange *exchange)
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

void exchange_resume(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	const uint64_t until_ms = clock_ms() + SLICE_MS;

	for (;;) {
		int code = 0;

		/* Small pieces of a list go out together; those of an iterator one by one, as PEP 3333 wants. */
		if (exchange->is_ended || exchange->result.iterator != NULL || output_is_full(&exchange->output) ||
		    exchange->file_fd != FD_NONE)
			code = flush(exchange);
		if (code == 0 && exchange->file_left > 0) {
			code = respond_send_file(exchange);
			if (code == 0 && exchange->file_left > 0 && clock_ms() < until_ms)
				continue;
		}
		if (exchange->is_ended)
			close_result(exchange);
		if (code == -EAGAIN) {
			conn_wait_writable(conn);
			return;
		}
		if (code < 0) {
			exchange_abandon(exchange);
			conn_close(conn);
			return;
		}
		if (exchange->is_ended && output_is_empty(&exchange->output)) {
			complete(exchange);
			return;
		}
		if (exchange->is_ended)
			continue;
		if (exchange->file_fd != FD_NONE && exchange->file_left == 0) {
			if (respond_end(exchange) < 0)
				fail(exchange);
			exchange->is_ended = true;
			continue;
		}
		if (exchange->file_left == 0)
			step(exchange);
		if (!exchange->is_ended && clock_ms() >= until_ms) {
			conn->service->now_ms = clock_ms();
			service_queue(conn->service, &conn->turn);
			return;
		}
	}
}

static int prepare(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct environ_facts facts = {
		.server = &conn->listener->server,
		.script_name = conn->script_name,
		.is_https = conn->is_https,
	};

	if (conn->remote_addr == NULL) {
		conn->remote_addr = PyUnicode_FromString(conn->remote_text);
		if (conn->remote_addr == NULL)
			return -1;
		if (conn->remote_text[0] != '\0')
			conn->remote_port = PyUnicode_FromFormat("%u", conn->remote_port_number);
	}
	body_init_source(conn, &exchange->source);
	exchange->reply.write = write_piece;
	exchange->reply.flush = flush_piece;
	exchange->reply.fd = conn->fd;
	exchange->reply.progress_ms = WRITE_MS;
	exchange->reply.beat = exchange->source.beat;
	exchange->reply.beat_context = exchange->source.beat_context;
	exchange->input = input_new(&exchange->source);
	exchange->start_response = start_response_new(&exchange->reply);
	exchange->context = PyContext_CopyCurrent();
	facts.remote_addr = conn->remote_addr;
	facts.remote_port = conn->remote_port;
	facts.input = exchange->input;
	if (exchange->input == NULL || exchange->start_response == NULL || exchange->context == NULL)
		return -1;
	exchange->environ = environ_new(&conn->service->kit, &conn->request, &facts);
	return exchange->environ != NULL ? 0 : -1;
}

static int call_application(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;
	PyObject *arguments[] = { NULL, exchange->environ, exchange->start_response };
	PyObject *object;
	int result = -1;

	if (!enter(exchange))
		return -1;
	object = PyObject_Vectorcall(service->worker->app, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
	if (object != NULL)
		result = result_open_take(&exchange->result, object);
	leave(exchange);
	return result;
}

void exchange_start(struct conn *conn)
{
	struct service *service = conn->service;
	struct board_line *line = service->worker->line;
	const struct http_request *request = &conn->request;
	struct exchange *exchange = exchange_new(conn);

	worker_count_request(service->worker);
	SERVICE_COUNT(service, requests_active, 1);
	exchange->board_entry = board_request_begin(line, service->now_ms, 0, request->method.at, request->method.len,
	                                            request->path.at, request->path.len);
	if (prepare(exchange) < 0 || call_pre_request(exchange) < 0 || call_application(exchange) < 0)
		fail(exchange);
	else
		(void)respond_begin_file(exchange);
	service->now_ms = clock_ms();
	exchange_resume(exchange);
}
