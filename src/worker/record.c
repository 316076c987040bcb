/* SPDX-License-Identifier: MIT */
/*
 * record.c - what is left of a response when it is over.
 *
 * Called by exchange.c. Reads everything, changes nothing but counters.
 */
#include "base/base.h"

#include "worker/record.h"

#include "base/clock.h"
#include "py/environ.h"

static struct span find_environ(void *context, struct span name)
{
	const struct exchange *exchange = context;

	return exchange->environ != NULL ? environ_find(exchange->environ, name) : SPAN_NONE;
}

static void log_access(struct exchange *exchange)
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
		.duration_us = clock_us() - exchange->started_us,
		.wall = clock_wall(),
		.pid = (long)getpid(),
		.response_fields = buf_span(&exchange->reply.fields),
		.find_environ = find_environ,
		.context = exchange,
	};
	if (!access_write(&service->access, service->worker->access_log, &entry))
		SERVICE_COUNT(service, log_dropped_total, 1);
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
	log_access(exchange);
	if (exchange->reply.is_head_sent)
		count_status(exchange->conn->service, exchange->reply.response.status);
}
