/* SPDX-License-Identifier: MIT */
/*
 * accesslog.h - access_log_format compiled once, written for each request.
 *
 * A Python %-format over gunicorn's atoms: h l u t r m U q H s B b f a T D M L p {name}i {name}o {name}e. A name that is
 * none of them gives "-". One writer at a time: the second's text is kept in the struct.
 */
#ifndef HTTP_ACCESSLOG_H
#define HTTP_ACCESSLOG_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "http/http.h"

struct accesslog; /* opaque: a compiled format */

struct accesslog_entry {
	struct span remote_addr;            /* REMOTE_ADDR; empty for unix sockets */
	const struct http_request *request; /* may be NULL: then what it would say is "-" */
	struct span protocol;               /* "HTTP/1.1" */
	struct span path;                   /* PATH_INFO, decoded */
	struct span status;                 /* "200 OK" */
	uint64_t body_bytes;                /* sent, headers excluded */
	uint64_t duration_us;
	time_t wall; /* now; local time is printed */
	long pid;
	struct span response_fields; /* "Name: value\r\n" lines of the application, for {name}o */
	/*
	 * For {name}e: looks up an environ key without regard to case (the name comes as the format has it); returns the
	 * empty span with at == NULL when absent. The span must live until the next call. May be NULL.
	 */
	struct span (*find_environ)(void *context, struct span name);
	void *context;
};

/* NULL and a sentence when the format is broken (as Python's % would find it). */
struct accesslog *accesslog_new(const char *format, struct err *err);
/* One JSON object a line, with fixed fields and the {name}i, {name}o and {name}e of the format. */
void accesslog_set_json(struct accesslog *log, bool is_json);
void accesslog_free(struct accesslog *log);
/*
 * Appends one line with its newline. In values '"' becomes \" as gunicorn does it; control bytes, and bytes that are no
 * UTF-8, become \xHH, so that no client can begin a line or steer a terminal.
 */
void accesslog_write(struct accesslog *log, const struct accesslog_entry *entry, struct buf *line);

#endif
