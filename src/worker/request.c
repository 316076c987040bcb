/* SPDX-License-Identifier: MIT */
/*
 * request.c - read a request, up to the point where the application is called.
 *
 * Called by conn.c. All limits of the HTTP engine's policy end here in an error page; nothing malformed gets further.
 */
#include "base/base.h"

#include "worker/request.h"

#include "base/log.h"
#include "worker/body.h"
#include "worker/exchange.h"
#include "worker/record.h"
#include "worker/wire.h"

/* Apache's mod_reqtimeout asks for 500 bytes a second; a connection costs less here, and wsgi.input asks for that, too. */
enum { BODY_PROGRESS_BYTES = 8192 /* what the time for a body must bring */ };

static void warn(struct conn *conn, struct span cause)
{
	conn_hold(conn);
	/* tests wait for this line */
	log_warning("Invalid request from ip=%s: %.*s", conn->remote_text, SPAN_ARG(cause));
}

static void send_page(struct conn *conn, int status, const char *reason, struct span text)
{
	struct buf page = BUF_NONE;
	ssize_t sent;

	http_error_page(status, reason, text, &page);
	/* All earlier responses are in the kernel, so there is room; if not, the client does not read anyway. */
	sent = wire_send_span(conn, buf_span(&page));
	if (sent > 0)
		SERVICE_COUNT(conn->service, sent_bytes_total, (uint64_t)sent);
	if (status >= 500)
		SERVICE_COUNT(conn->service, responses_5xx_total, 1);
	else
		SERVICE_COUNT(conn->service, responses_4xx_total, 1);
	buf_release(&page);
	conn->request.keep_alive = true; /* the client does not expect the end: linger */
	conn_end(conn);
}

void request_refuse(struct conn *conn, int status, const char *reason, struct span cause, struct span text)
{
	warn(conn, cause);
	send_page(conn, status, reason, text);
}

/* The same with a line in the access log: of the request at least the head is known. */
static void refuse_known(struct conn *conn, int status, const char *reason, struct span cause, struct span text)
{
	warn(conn, cause);
	record_refusal(conn, status, reason);
	send_page(conn, status, reason, text);
}

/* gunicorn: of these the exception carries the request, base.py handle_error(); a bad body it finds in the application's time. */
static bool has_access_line(const struct conn *conn, enum http_result result)
{
	switch (result) {
	case HTTP_BAD_HEADER: /* twice; a malformed one ends the reading before the head is whole */
	case HTTP_BAD_HOST:
	case HTTP_BAD_CONTENT_LENGTH:
	case HTTP_BAD_TRANSFER_ENCODING:
	case HTTP_BAD_CHUNK:
	case HTTP_BAD_TRAILER:
		return conn->request.head_bytes > 0;
	default:
		return false;
	}
}

static void refuse(struct conn *conn, enum http_result result)
{
	struct buf cause = BUF_NONE, text = BUF_NONE;

	http_error_cause(result, &conn->request, &cause);
	http_error_text(result, &conn->request, &text);
	(has_access_line(conn, result) ? refuse_known : request_refuse)(conn, http_error_status(result), http_error_reason(result),
	                                                                buf_span(&cause), buf_span(&text));
	buf_release(&cause);
	buf_release(&text);
}

static void refuse_script_name(struct conn *conn, struct span script_name)
{
	struct buf text = BUF_NONE;

	buf_addf(&text, "Configuration problem: Request path '%.*s' does not start with SCRIPT_NAME '%.*s'",
	         SPAN_ARG(conn->request.path), SPAN_ARG(script_name));
	refuse_known(conn, 500, "Bad Request", buf_span(&text), buf_span(&text));
	buf_release(&text);
}

static void start_application(struct conn *conn)
{
	struct service *service = conn->service;
	struct trust_verdict verdict;
	const enum http_result result =
		trust_apply(&service->trust, &service->policy, conn->is_trusted, &conn->request, conn->tls != NULL,
		            &verdict);
	const struct environ_facts facts = { .script_name = verdict.script_name };

	service_disarm(&conn->timer);
	if (result != HTTP_DONE) {
		refuse(conn, result);
		return;
	}
	if (verdict.contradicts) {
		const struct span text = SPAN_LIT("Contradictory scheme headers");

		request_refuse(conn, 400, "Bad Request", text, text);
		return;
	}
	if (!environ_fits_path(&service->kit, &conn->request, &facts)) {
		refuse_script_name(conn, verdict.script_name.at != NULL ? verdict.script_name
		                                                        : span_from_str(service->kit.script_name));
		return;
	}
	conn->is_https = verdict.is_https;
	conn->script_name = verdict.script_name;
	conn->state = CONN_APP;
	exchange_start(conn);
}

/* The time begins anew only when there was enough of progress: not with each byte. */
static void note_progress(struct conn *conn, size_t received_bytes)
{
	conn->body_progress_bytes += received_bytes;
	if (conn->body_progress_bytes < BODY_PROGRESS_BYTES)
		return;
	conn->body_progress_bytes = 0;
	service_disarm(&conn->timer);
}

/* Slow clients wait here, not in Python: the application is called when it has something to read. */
void request_read_body(struct conn *conn)
{
	for (;;) {
		const enum http_result result = body_decode(conn);
		size_t before;

		if (result != HTTP_DONE && result != HTTP_MORE) {
			refuse(conn, result);
			return;
		}
		if (result == HTTP_DONE || body_ready(conn) >= BODY_GATHER_BYTES ||
		    (conn->request.expect_continue && body_ready(conn) == 0)) {
			start_application(conn);
			return;
		}
		body_compact(conn);
		if (!conn->may_read)
			break;
		before = conn->in.len;
		switch (conn_receive(conn)) {
		case CONN_END: {
			const struct span text = SPAN_LIT("The request body is not complete");

			refuse_known(conn, 400, "Bad Request", text, text);
			return;
		}
		case CONN_RECEIVED:
			note_progress(conn, conn->in.len - before);
			break;
		case CONN_NOTHING:
			break;
		}
	}
	(void)conn_await(conn, TIMER_BODY);
}

void request_read_head(struct conn *conn)
{
	for (;;) {
		if (conn->in.len > 0) {
			const enum http_result result =
				http_request_parse(&conn->request, &conn->service->policy, conn->in.data, conn->in.len);

			if (result == HTTP_DONE) {
				service_disarm(&conn->timer);
				conn->state = CONN_BODY;
				body_begin(conn);
				request_read_body(conn);
				return;
			}
			if (result != HTTP_MORE) {
				refuse(conn, result);
				return;
			}
			if (conn->state != CONN_HEAD) {
				conn->state = CONN_HEAD;
				service_arm(conn->service, &conn->timer, TIMER_HEAD);
			}
		}
		if (!conn->may_read)
			break;
		if (conn_receive(conn) == CONN_END) {
			conn_hold(conn);
			if (conn->in.len > 0)
				log_debug("Ignored premature client disconnection.");
			conn_close(conn);
			return;
		}
	}
	if (conn->in.len == 0)
		service_take_back_buffer(conn->service, &conn->in);
	if (conn->state == CONN_IDLE)
		(void)conn_await(conn, conn->service->is_draining ? TIMER_LAST_CHANCE : TIMER_IDLE);
	else if (conn->state == CONN_FRESH)
		(void)conn_await(conn, conn->service->is_draining ? TIMER_LAST_FRESH : TIMER_FRESH);
	else
		(void)conn_await(conn, TIMER_HEAD);
}
