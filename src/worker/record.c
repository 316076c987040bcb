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

static struct span find_environ(void *context, struct span name)
{
	const struct exchange *exchange = context;

	return exchange->environ != NULL ? environ_find(exchange->environ, name, &exchange->conn->service->access.value) : SPAN_NONE;
}

static void log_access(struct exchange *exchange, uint64_t duration_us)
{
	struct conn *conn = exchange->conn;
	struct service *service = conn->service;
	char protocol[16];
	struct accesslog_entry entry;

	/* gunicorn: no line either when the application has hung up. */
	if (service->access.format == NULL || exchange->hangs_up)
		return;
	(void)snprintf(protocol, sizeof(protocol), "HTTP/%d.%d", conn->request.version_major, conn->request.version_minor);
	entry = (struct accesslog_entry){
		.remote_addr = span_from_str(conn->remote_text),
		.request = &conn->request,
		.protocol = span_from_str(protocol),
		.path = exchange->environ != NULL ? environ_path(exchange->environ) : conn->request.path,
		.status = buf_span(&exchange->reply.status),
		.body_bytes = exchange->body_bytes,
		.duration_us = duration_us,
		.wall = clock_wall(),
		.pid = (long)getpid(),
		.response_fields = buf_span(&exchange->reply.fields),
		.find_environ = find_environ,
		.context = exchange,
	};
	worker_write_access(service->worker, access_render(&service->access, &entry));
}

/* A logger of the user's writes the access log. */
static void log_access_by_python(struct exchange *exchange, uint64_t duration_us)
{
	struct service *service = exchange->conn->service;

	if (exchange->environ == NULL || exchange->hangs_up)
		return;
	if (reqhooks_access(&service->hooks, pylog_access(), exchange->req, exchange->environ, &exchange->conn->request,
	                    &exchange->reply, exchange->body_bytes, duration_us) < 0)
		pyerr_log(LOG_ERROR, "Exception in the logger's access()");
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

void record_response(struct exchange *exchange)
{
	struct service *service = exchange->conn->service;
	uint64_t duration_us = clock_us() - exchange->started_us;

	if (UNLIKELY(pylog_access() != NULL))
		log_access_by_python(exchange, duration_us);
	else
		log_access(exchange, duration_us);
	/* Else the logger has sent them. */
	if (UNLIKELY(service->worker->metrics->is_on) && !pylog_sends_metrics())
		metrics_send_request(service->worker->metrics, exchange->reply.response.status, duration_us);
	if (exchange->reply.is_head_sent)
		count_status(exchange->conn->service, exchange->reply.response.status);
}
