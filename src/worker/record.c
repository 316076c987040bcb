/* SPDX-License-Identifier: MIT */
/*
 * record.c - what is left of a response when it is over.
 *
 * Called by exchange.c. Reads everything, changes nothing but counters. Python is called only where a Python
 * logger writes the access log.
 */
#include "base/base.h"

#include "worker/record.h"

#include "base/clock.h"
#include "py/environ.h"
#include "py/pyerr.h"
#include "py/pylog.h"
#include "worker/batch.h"

/* What a line is about; all borrowed. */
struct subject {
	struct conn *conn;
	PyObject *environ; /* NULL: the request failed before there was one */
	PyObject *req;     /* NULL: no hook has made one */
	struct reply *reply;
	uint64_t body_bytes;
	uint64_t duration_us;
};

static struct span find_environ(void *context, struct span name)
{
	const struct subject *subject = context;

	return subject->environ != NULL ? environ_find(subject->environ, name, &subject->conn->service->access.value) : SPAN_NONE;
}

static void log_access(struct subject *subject)
{
	struct conn *conn = subject->conn;
	struct service *service = conn->service;
	char protocol[16];
	struct accesslog_entry entry;

	if (service->access.format == NULL)
		return;
	(void)snprintf(protocol, sizeof(protocol), "HTTP/%d.%d", conn->request.version_major, conn->request.version_minor);
	entry = (struct accesslog_entry){
		.remote_addr = span_from_str(conn->remote_text),
		.request = &conn->request,
		.protocol = span_from_str(protocol),
		.path = subject->environ != NULL ? environ_path(subject->environ) : conn->request.path,
		.status = buf_span(&subject->reply->status),
		.body_bytes = subject->body_bytes,
		.duration_us = subject->duration_us,
		.wall = clock_wall(),
		.pid = (long)getpid(),
		.response_fields = buf_span(&subject->reply->fields),
		.find_environ = find_environ,
		.context = subject,
	};
	worker_write_access(service->worker, access_render(&service->access, &entry));
}

/* A logger of the user's writes the access log. */
static void log_access_by_python(struct subject *subject)
{
	struct conn *conn = subject->conn;

	if (subject->environ == NULL)
		return;
	if (reqhooks_access(&conn->service->hooks, pylog_access(), subject->req, subject->environ, &conn->request,
	                    subject->reply, subject->body_bytes, subject->duration_us) < 0)
		pyerr_log(LOG_ERROR, "Exception in the logger's access()");
}

static void log_and_measure(struct subject *subject, int status)
{
	struct worker *worker = subject->conn->service->worker;

	if (UNLIKELY(pylog_access() != NULL))
		log_access_by_python(subject);
	else
		log_access(subject);
	/* Else the logger has sent them. */
	if (UNLIKELY(worker->metrics->is_on) && !pylog_sends_metrics())
		metrics_send_request(worker->metrics, status, subject->duration_us);
}

static void count_status(struct service *service, int status)
{
	switch (status / 100) {
	case 2:
		SERVICE_COUNT(service, responses_2xx_total, 1);
		break;
	case 3:
		SERVICE_COUNT(service, responses_3xx_total, 1);
		break;
	case 4:
		SERVICE_COUNT(service, responses_4xx_total, 1);
		break;
	case 5:
		SERVICE_COUNT(service, responses_5xx_total, 1);
		break;
	default:
		break;
	}
}

void record_response(struct exchange *exchange, uint64_t now_us)
{
	struct subject subject = {
		.conn = exchange->conn,
		.environ = exchange->environ,
		.req = exchange->req,
		.reply = &exchange->reply,
		.body_bytes = exchange->body_bytes,
		.duration_us = now_us - exchange->started_us,
	};

	if (!exchange->was_held)
		batch_note(exchange->conn->service->worker->batch, subject.duration_us);
	board_count_latency(exchange->conn->service->worker->line, subject.duration_us);
	SERVICE_COUNT(exchange->conn->service, request_microseconds_total, subject.duration_us);
	/* gunicorn: no line either when the application has hung up. */
	if (!exchange->hangs_up)
		log_and_measure(&subject, exchange->reply.response.status);
	if (exchange->reply.is_head_sent)
		count_status(exchange->conn->service, exchange->reply.response.status);
}

/* Nothing was made of the request yet but its head. NULL with an exception. */
static PyObject *make_environ(struct conn *conn)
{
	const bool has_port = conn->remote_text[0] != '\0';
	PyObject *address = PyUnicode_FromString(conn->remote_text), *made = NULL;
	PyObject *port = has_port ? PyUnicode_FromFormat("%u", conn->remote_port_number) : NULL;
	const struct environ_facts facts = {
		.server = &conn->listener->server,
		.remote_addr = address,
		.remote_port = port,
		.input = Py_None,
		.early_hints = Py_None,
		.script_name = SPAN_LIT(""), /* the path may not fit the one in force */
		.is_https = conn->tls != NULL,
	};

	if (address != NULL && (port != NULL || !has_port))
		made = environ_new(&conn->service->kit, &conn->request, &facts);
	Py_XDECREF(address);
	Py_XDECREF(port);
	return made;
}

void record_refusal(struct conn *conn, int status, const char *reason)
{
	struct reply reply = { .context = NULL };
	struct subject subject = { .conn = conn, .reply = &reply };

	if (pylog_access() == NULL && conn->service->access.format == NULL && !conn->service->worker->metrics->is_on)
		return;
	reply_init(&reply);
	buf_addf(&reply.status, "%d %s", status, reason);
	subject.environ = make_environ(conn);
	if (subject.environ == NULL)
		PyErr_Clear();
	log_and_measure(&subject, status);
	Py_XDECREF(subject.environ);
	reply_release(&reply);
}
