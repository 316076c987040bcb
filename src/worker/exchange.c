/* SPDX-License-Identifier: MIT */
/*
 * exchange.c - one request in the hands of the application, and its response.
 *
 * Called by conn.c. Walks the application's answer as fast as the client reads: when the socket is full the answer is left
 * where it is and goes on later, so that a slow reader holds memory for one piece and no time at all. The calls themselves are
 * in calls.c, what leaves is in push.c, what goes wrong in failure.c.
 */
#include "base/base.h"

#include "worker/exchange.h"

#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "py/early_hints.h"
#include "py/environ.h"
#include "py/pylog.h"
#include "py/wait.h"
#include "worker/batch.h"
#include "worker/body.h"
#include "worker/calls.h"
#include "worker/failure.h"
#include "worker/gather.h"
#include "worker/push.h"
#include "worker/record.h"
#include "worker/respond.h"
#include "worker/tls.h"

enum {
	SLICE_US = 10000, /* a response that never blocks gives way to others after that */
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
	exchange->thread = PyThread_get_thread_ident();
	exchange->is_aborted = false;
	exchange->is_ended = false;
	exchange->is_pushing = false;
	exchange->is_cut = false;
	exchange->was_held = false;
	exchange->is_taken = false;
	exchange->hangs_up = false;
	exchange->has_sent = false;
	exchange->has_lost_client = false;
	exchange->is_gathering = false;
	exchange->is_lent = false;
	exchange->quick_streak = 0;
	exchange->piece_us = 0;
	exchange->rescued_bytes = 0;
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
	early_hints_detach(exchange->early_hints);
	clientsocket_detach(exchange->socket);
	Py_CLEAR(exchange->input);
	Py_CLEAR(exchange->start_response);
	Py_CLEAR(exchange->early_hints);
	Py_CLEAR(exchange->socket);
	Py_CLEAR(exchange->environ);
	Py_CLEAR(exchange->req);
	/* Nothing may point there any more. */
	if (UNLIKELY(exchange->fields != NULL))
		exchange->conn->request.field_count = 0;
	Py_CLEAR(exchange->fields);
	Py_CLEAR(exchange->ahead);
	Py_CLEAR(exchange->context);
}

/* Everything is said: book-keeping, and the exchange goes back to the pool. */
static void finish(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct service *service = conn->service;

	gather_take_back(exchange);
	/* A unix socket has no reset: there the end stays a clean one. */
	if (exchange->is_cut && respond_ends_by_close(exchange) && !conn->listener->server.is_unix)
		conn->must_reset = true;
	calls_close(exchange);
	const uint64_t now_us = clock_us();
	service->now_ms = now_us / 1000;
	record_response(exchange, now_us);
	calls_post_request(exchange);
	/* A hook, or a logger of the user's, may have taken any time. */
	if (UNLIKELY(exchange->req != NULL || pylog_access() != NULL))
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
	batch_forget(exchange->conn->service->worker->batch, exchange->conn);
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

/* `found`: 0, or -1 with an exception. */
static void end_answer(struct exchange *exchange, int found)
{
	if (found == 0 && exchange->is_taken && !exchange->reply.has_started)
		failure_hang_up(exchange);
	else if (found == 0)
		found = respond_end(exchange);
	if (found < 0)
		failure_answer(exchange);
	exchange->is_ended = true;
}

/* One more piece of the answer into the output, or its end. */
static void step(struct exchange *exchange)
{
	PyObject *item = exchange->ahead;
	int found = 1;

	exchange->ahead = NULL;
	if (item == NULL) {
		if (!gather_lend(exchange))
			(void)push_flush(exchange); /* what went wrong is found out again */
		found = calls_next(exchange, &item);
		gather_take_back(exchange);
		if (found < 0 && exchange->is_gathering)
			(void)push_flush(exchange); /* it was given before the failure */
	}
	if (found > 0)
		found = respond_add(exchange, item);
	Py_XDECREF(item);
	if (found >= 0 && result_is_exhausted(&exchange->result))
		found = 0;
	if (found <= 0)
		end_answer(exchange, found);
}

/*
 * The client must read some first, on this very stack. Most answers are one piece in an iterator: asking for the next one shows
 * that, and then no stack has to wait. 0: go on; -1: the client is lost.
 */
static int await_here(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	if (exchange->ahead == NULL) {
		const int found = calls_next(exchange, &exchange->ahead);

		if (found <= 0)
			end_answer(exchange, found);
		return 0;
	}
	if (py_wait_for_reader(reply->fd, &reply->pace, reply->beat, reply->beat_context) == 0)
		return 0;
	/* A signal handler's wish to leave is known to the worker already. */
	if (PyErr_ExceptionMatches(PyExc_TimeoutError))
		push_drop_queue(exchange);
	PyErr_Clear();
	return -1;
}

/* Whether the rest may only be asked for on this stack. Of a file that the kernel sends nothing is asked for. */
static bool is_bound(const struct exchange *exchange)
{
	return exchange->conn->service->has_stacks && !exchange->is_ended && exchange->result.iterator != NULL &&
	       exchange->file_fd == FD_NONE;
}

/* All of the answer is in the output, or behind it. Asking the application for its end is another matter. */
static bool is_complete(const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;

	return exchange->file_fd == FD_NONE &&
	       (exchange->is_ended || (reply->is_head_sent && reply->response.has_length && exchange->remaining == 0));
}

static void lose_client(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;

	exchange_abandon(exchange);
	conn_close(conn);
}

/* Lets others have a turn. False: it is over, or goes on with its next turn. */
static bool give_way(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;

	service->now_ms = clock_ms();
	if (!is_bound(exchange)) {
		service_queue(service, &exchange->conn->turn);
		return false;
	}
	if (service->give_way == NULL || service->give_way() == 0)
		return true;
	PyErr_Clear();
	lose_client(exchange);
	return false;
}

/* Small pieces of a list go out together; those of an iterator one by one, as PEP 3333 wants, unless they come quickly. */
static bool must_leave(struct exchange *exchange, uint64_t now_us, bool is_slice_over)
{
	if (exchange->is_ended || exchange->file_fd != FD_NONE || output_is_full(&exchange->output))
		return true;
	return exchange->result.iterator != NULL && (!gather_may_wait(exchange, now_us) || is_slice_over);
}

/* What time it is. To send one piece that is there takes too little of it for a look at the clock. */
static uint64_t begin_slice(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;
	uint64_t now_us = service->now_ms * 1000;

	if (exchange->file_fd == FD_NONE && result_is_at_most_one(&exchange->result))
		return now_us;
	now_us = clock_us();
	service->now_ms = now_us / 1000;
	return now_us;
}

void exchange_resume(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	uint64_t now_us = begin_slice(exchange);
	uint64_t until_us = now_us + SLICE_US;

	/* Even with nothing more to send TLS may have something left that nobody takes. */
	if (UNLIKELY(exchange->has_lost_client)) {
		lose_client(exchange);
		return;
	}
	for (;; now_us = exchange->is_ended ? now_us : clock_us()) {
		int code = 0;

		if (is_complete(exchange) && batch_hold(conn->service->worker->batch, exchange))
			return;
		if (must_leave(exchange, now_us, now_us >= until_us))
			code = push_flush(exchange);
		if (code == 0 && exchange->file_left > 0) {
			code = respond_send_file(exchange);
			if (code == 0 && exchange->file_left > 0 && now_us < until_us)
				continue;
		}
		if (exchange->is_ended)
			calls_close(exchange);
		if (code == -EAGAIN && is_bound(exchange)) {
			if (await_here(exchange) == 0)
				continue;
			code = -ETIMEDOUT;
		}
		if (code == -EAGAIN) {
			conn_wait_writable(conn);
			return;
		}
		if (code < 0) {
			lose_client(exchange);
			return;
		}
		if (exchange->is_ended && output_is_empty(&exchange->output)) {
			complete(exchange);
			return;
		}
		if (exchange->is_ended)
			continue;
		if (exchange->file_fd != FD_NONE && exchange->file_left == 0) {
			end_answer(exchange, 0);
			continue;
		}
		if (now_us >= until_us) {
			if (!give_way(exchange))
				return;
			until_us = clock_us() + SLICE_US;
		}
		if (exchange->file_left == 0)
			step(exchange);
	}
}

/* gunicorn.socket is used. What write() has left behind must be out by then; no request can follow. */
static int take_connection(void *context)
{
	struct exchange *exchange = context;

	/* What it reads and writes would not be encrypted. */
	if (exchange->conn->tls != NULL) {
		PyErr_SetString(PyExc_OSError, "gunicorn.socket cannot be read or written on a TLS connection");
		return -1;
	}
	if (!exchange->is_taken && push_flush(exchange) < 0) {
		PyErr_SetString(PyExc_OSError, "gunicorn.socket used while the client does not read what write() sent");
		return -1;
	}
	exchange->is_taken = true;
	exchange->owes_continue = false;
	exchange->conn->must_close = true;
	exchange->conn->is_shared = true;
	return 0;
}

static PyObject *describe_tls(void *context)
{
	const struct exchange *exchange = context;

	return tls_describe(exchange->conn->tls);
}

static int prepare(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	struct environ_proxy proxy;
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
	push_begin(exchange);
	exchange->input = input_new(&exchange->source);
	exchange->start_response = start_response_new(&exchange->reply);
	exchange->early_hints = early_hints_new(&exchange->reply);
	exchange->socket_source =
		(struct clientsocket_source){ .fd = conn->fd, .take = take_connection, .context = exchange };
	if (conn->tls != NULL)
		exchange->socket_source.describe_tls = describe_tls;
	exchange->socket = clientsocket_new(&exchange->socket_source);
	exchange->context = PyContext_CopyCurrent();
	if (conn->proxy != NULL) {
		proxy = (struct environ_proxy){ conn->proxy->protocol, conn->proxy->address, conn->proxy->port };
		facts.proxy = &proxy;
	}
	facts.remote_addr = conn->remote_addr;
	facts.remote_port = conn->remote_port;
	facts.input = exchange->input;
	facts.early_hints = exchange->early_hints;
	facts.socket = exchange->socket;
	if (exchange->input == NULL || exchange->start_response == NULL || exchange->early_hints == NULL ||
	    exchange->socket == NULL || exchange->context == NULL)
		return -1;
	exchange->environ = environ_new(&conn->service->kit, &conn->request, &facts);
	return exchange->environ != NULL ? 0 : -1;
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
	if (prepare(exchange) < 0 || calls_pre_request(exchange) < 0 || calls_application(exchange) < 0)
		failure_answer(exchange);
	else
		(void)respond_begin_file(exchange);
	exchange_resume(exchange);
}
