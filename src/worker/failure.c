/* SPDX-License-Identifier: MIT */
/*
 * failure.c - an exception left the application: who is told what.
 *
 * Called by exchange.c, and by calls.c for what goes wrong after the response. Only says what is to be sent; sends nothing.
 */
#include "base/base.h"

#include "worker/failure.h"

#include "base/fd.h"
#include "base/log.h"
#include "py/pyerr.h"
#include "worker/calls.h"
#include "worker/respond.h"
#include "worker/squeeze.h"

/* Ordered, or malloc's word. */
static bool is_about_memory(void)
{
	PyObject *type = PyErr_Occurred();

	return PyErr_ExceptionMatches(PyExc_MemoryError) ||
	       (PyExceptionClass_Check(type) && strcmp(PyExceptionClass_Name(type), "gunwale.memory.RequestMemoryKill") == 0);
}

void failure_log(struct exchange *exchange)
{
	const struct span target = exchange->conn->request.target;

	SERVICE_COUNT(exchange->conn->service, exceptions_total, 1);
	if (UNLIKELY(is_about_memory())) {
		SERVICE_COUNT(exchange->conn->service, requests_aborted_total, 1);
		(void)squeeze_end(); /* what follows, such as the traceback, needs memory */
	}
	/* tests wait for this line */
	pyerr_log(LOG_ERROR, "Error handling request %.*s", SPAN_ARG(target));
}

/* What went wrong while the application read the body or called write() is the client's doing: no error of ours. */
static void answer_client(struct exchange *exchange)
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

void failure_hang_up(struct exchange *exchange)
{
	log_debug("Closing connection.");
	exchange->hangs_up = true;
	exchange->is_cut = true;
	exchange->is_ended = true;
	exchange->conn->must_close = true;
	output_clear(&exchange->output);
	calls_close(exchange);
}

/* An exception left the application. What the client gets depends on what it has got already. */
void failure_answer(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;
	const bool is_clients_fault =
		(conn->body_fault != BODY_FINE || exchange->has_lost_client) && PyErr_ExceptionMatches(PyExc_OSError);

	exchange->file_fd = FD_NONE;
	exchange->file_left = 0;
	/* gunicorn: that is how an application says that it has done everything itself. */
	if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
		PyErr_Clear();
		failure_hang_up(exchange);
		return;
	}
	if (is_clients_fault) {
		PyErr_Clear();
		answer_client(exchange);
	} else {
		failure_log(exchange);
		/* A head that has not left yet can still be replaced, unlike what start_response() is told. */
		if (!exchange->has_sent && !exchange->is_taken)
			respond_error_page(exchange, 500, "Internal Server Error", SPAN_NONE);
	}
	calls_close(exchange);
	if (!exchange->is_ended) {
		/* Cutting the connection is the only way to tell that the body is not complete. */
		exchange->is_cut = true;
		exchange->is_ended = true;
		output_clear(&exchange->output);
	}
}
