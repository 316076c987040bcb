/* SPDX-License-Identifier: MIT */
/*
 * calls.c - every call of an exchange into the application and its hooks.
 *
 * Called by exchange.c and failure.c. Each call runs in the exchange's own context and with the watchdog's mark set; nothing
 * is sent here.
 */
#include "base/base.h"

#include "worker/calls.h"

#include "base/log.h"
#include "py/pyerr.h"
#include "worker/failure.h"

/* Once per thread: it is a system call. Applications that fork end the copy before it serves. */
static pid_t own_tid(void)
{
	static _Thread_local pid_t tid;

	if (UNLIKELY(tid == 0))
		tid = gettid();
	return tid;
}

static bool enter(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;

	if (PyContext_Enter(exchange->context) < 0)
		return false;
	exchange->runner = PyThread_get_thread_ident();
	exchange->tid = own_tid();
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
	/* It was over before the exception arrived: the next request of this thread is not meant. */
	if (UNLIKELY(exchange->is_aborted)) {
		exchange->is_aborted = false;
		(void)PyThreadState_SetAsyncExc(exchange->runner, NULL);
	}
	atomic_store_explicit(&exchange->conn->service->worker->line->busy_since_ms, 0, memory_order_relaxed);
	if (PyContext_Exit(exchange->context) < 0)
		PyErr_Clear();
	if (exception != NULL)
		py_error_put(exception);
}

int calls_application(struct exchange *exchange)
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

int calls_next(struct exchange *exchange, PyObject **ret_item)
{
	int found;

	if (!enter(exchange))
		return -1;
	found = result_next(&exchange->result, ret_item);
	leave(exchange);
	return found;
}

void calls_close(struct exchange *exchange)
{
	int result = 0;

	/* What the items of a list do when they go is as in release_objects(): outside. */
	if (!result_has_close(&exchange->result)) {
		(void)result_close(&exchange->result);
		return;
	}
	if (enter(exchange)) {
		result = result_close(&exchange->result);
		leave(exchange);
	} else {
		PyErr_Clear();
		result = result_close(&exchange->result);
	}
	if (result < 0) {
		/* The response may be out already: all that is left is to say so, and not to trust the connection. */
		failure_log(exchange);
		exchange->conn->must_close = true;
	}
}

int calls_pre_request(struct exchange *exchange)
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
	exchange->req = reqhooks_begin(&service->hooks, exchange->environ, &conn->request, &must_close, &exchange->fields);
	leave(exchange);
	conn->must_close = conn->must_close || must_close;
	return exchange->req != NULL ? 0 : -1;
}

void calls_post_request(struct exchange *exchange)
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
