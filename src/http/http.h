/* SPDX-License-Identifier: MIT */
/*
 * http.h - HTTP/1.x, bytes in and bytes out: the engine's whole public face.
 *
 * A library without sockets, Python, clock or log. The same bytes give the same outcome however they are split, in linear
 * time, and nothing here keeps more than the limits in struct http_policy. When two readings of a message are possible, it
 * is refused.
 *
 * Life of a request:   http_request_init -> http_request_parse (until HTTP_DONE) -> http_body_init -> http_body_read ... ->
 *                      http_response_init -> http_response_head -> http_chunk_head/tail ... -> http_request_release
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/span.h"
#include "http/field.h"

/* ---- policy: limits and gunicorn's strictness switches ---- */

/* Caps of what users set to "unlimited" (0). */
#define HTTP_LINE_MAX (8190) /* gunicorn clamps greater request lines, but lets 0 go on without end */
#define HTTP_UNLIMITED_LINE_MAX (1 << 20)
#define HTTP_FIELDS_MAX (32768)
#define HTTP_HEAD_MAX (16 << 20)   /* all field lines of one head, and of one trailer section */
#define HTTP_CHUNK_LINE_MAX (4096) /* chunk size with its extensions */

enum http_header_map { HTTP_MAP_DROP, HTTP_MAP_REFUSE, HTTP_MAP_DANGEROUS };

struct http_policy {
	size_t limit_request_line; /* bytes before CRLF */
	size_t limit_request_fields;
	size_t limit_request_field_size; /* line with CRLF */
	bool permit_obsolete_folding;
	bool strip_header_spaces;
	bool permit_unconventional_method;
	bool permit_unconventional_version;
	bool casefold_method;
	bool permit_missing_host;
	enum http_header_map header_map;
};

/* Limits as users write them (0 is unlimited, clamps as gunicorn does), and gunicorn's defaults for the rest. */
void http_policy_init(struct http_policy *policy, long line, long fields, long field_size);

/* What header_map says about a field name: '_' and '-' become the same WSGI key, so names with '_' are not trusted. */
enum http_field_fate { HTTP_FIELD_KEEP, HTTP_FIELD_DROP, HTTP_FIELD_REFUSE };
enum http_field_fate http_policy_field(const struct http_policy *policy, struct span name);

/* ---- outcomes ---- */

/*
 * HTTP_DONE: complete. HTTP_MORE: needs more bytes. All others: refused; http_error_status() and http_error_text() tell what
 * to answer. The names are the rows of result.def: HTTP_BAD_CHUNK ...
 */
enum http_result {
#define RESULT(id, name, status, cause, quote, title) HTTP_##id,
#include "http/result.def"
#undef RESULT
	HTTP_RESULT_MAX
};

int http_error_status(enum http_result result);         /* 400, 417, 431, 501 */
const char *http_error_reason(enum http_result result); /* for the status line, as gunicorn says it */
const char *http_result_name(enum http_result result);  /* "bad_chunk", for corpus files and tests */

/* ---- request ---- */

struct http_field {
	struct span name;  /* as sent */
	struct span value; /* trimmed; bytes >= 0x80 are kept (latin-1) */
	enum http_field_id id;
};

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_request {
	/* After HTTP_DONE. Spans point into the caller's bytes, see http_request_parse(). */
	struct span method;
	struct span target; /* raw, as sent: RAW_URI */
	struct span path;   /* of target, still percent-encoded, without fragment; "*" for OPTIONS *; "/" for http://host */
	struct span query;  /* without '?', empty when none */
	struct span host;   /* authority of an absolute-form target, else Host; empty when neither */
	int version_major, version_minor;
	struct http_field *fields; /* owned array; Host has the authority of an absolute-form target, whatever was sent */
	size_t field_count;
	enum http_body_kind body_kind;
	uint64_t content_length; /* HTTP_BODY_LENGTH */
	bool keep_alive;         /* what the client asks for, by version and Connection */
	bool expect_continue;
	bool wants_upgrade;
	size_t head_bytes; /* length of the head; the body begins there */

	/* When refused: the bytes that gunicorn's message quotes. */
	struct span culprit;
	bool is_culprit_name; /* of a field: quoted in capitals, as gunicorn keeps it */

	/* private to parse.c and request.c */
	const char *base; /* where data was at the last call: it may move while the head is incomplete */
	size_t seen;      /* bytes that hold no further end of line */
	size_t line_start;
	size_t field_bytes; /* lines so far of the field that folding may continue */
	size_t limit;       /* the limit that was broken, for the message */
	size_t field_cap;
	int state;
};

void http_request_init(struct http_request *request);  /* zeroed; may be called again after release */
void http_request_reset(struct http_request *request); /* for the next request of the connection; keeps the array */
void http_request_release(struct http_request *request);
/*
 * Call with ALL bytes of this request so far each time (`data` may have moved and grown between calls; obsolete folding is
 * unfolded in place, hence not const). The work already done is not repeated. HTTP_DONE: spans point into `data`, and stay
 * valid as long as the bytes do; call http_request_rebase() when the bytes move.
 */
enum http_result http_request_parse(struct http_request *request, const struct http_policy *policy, char *data, size_t len);
void http_request_rebase(struct http_request *request, const char *old_data, const char *new_data);
/* Adds a field to a parsed request; the bytes are borrowed. What was made of the fields before stays as it is. */
void http_request_put_field(struct http_request *request, struct span name, struct span value);
/* Append gunicorn's str(exception) for the log line ("Invalid request from ip=...: CAUSE"), its text for the error page. */
void http_error_cause(enum http_result result, const struct http_request *request, struct buf *text);
void http_error_text(enum http_result result, const struct http_request *request, struct buf *text);

/* ---- request body ---- */

struct http_body {
	enum http_body_kind kind;
	uint64_t remaining;    /* of the Content-Length, or of this chunk */
	int state;             /* private */
	size_t line_bytes;     /* private: of the chunk-size line or trailer line so far */
	size_t name_bytes;     /* private: of the trailer's name */
	size_t trailer_count;  /* private */
	size_t trailer_bytes;  /* private */
	char trailer_name[24]; /* private: beginning of the name, lower case; longer than every forbidden one */
	bool is_done;
	const struct http_policy *policy;
};

void http_body_init(struct http_body *body, const struct http_request *request, const struct http_policy *policy);
/*
 * Takes bytes off the wire. *ret_used: how many of data were consumed (framing included); *ret_payload: payload bytes among
 * them, as a span into data (at most one piece a call; call again while there are bytes left). HTTP_DONE: the body ended,
 * the rest of data belongs to the next request; it may come together with the last piece, so take *ret_payload whatever the
 * result. HTTP_MORE: consumed what there was, or gave a piece; call again. Else refused (and refused again if called again).
 * Trailer fields are checked, counted and dropped.
 */
enum http_result http_body_read(struct http_body *body, const char *data, size_t len, size_t *ret_used,
                                struct span *ret_payload);

/* ---- response ---- */

struct http_response {
	/* Set by the caller before http_response_head(). */
	int version_minor; /* of the request; answered is HTTP/1.0 or HTTP/1.1 */
	bool is_head;      /* request method was HEAD */
	bool must_close;   /* the server wants to close, or the request does */
	/* Found out by http_response_status() and http_response_field(). */
	int status;
	bool has_length;
	uint64_t length;  /* the application's Content-Length */
	bool has_upgrade; /* Connection: upgrade with Upgrade: websocket */
	/* Decided by http_response_head(). */
	bool is_chunked;
	bool has_body;   /* false for HEAD, 1xx, 204, 304 */
	bool keep_alive; /* the connection may live on after this response, if the body comes out right */
};

enum http_response_result {
	HTTP_RESPONSE_OK,
	HTTP_RESPONSE_SKIP,       /* a hop-by-hop or server-owned field that is dropped silently, as gunicorn does */
	HTTP_RESPONSE_BAD_STATUS, /* no three-digit code, or CR, LF, NUL inside */
	HTTP_RESPONSE_BAD_NAME,
	HTTP_RESPONSE_BAD_VALUE,
	HTTP_RESPONSE_BAD_LENGTH,
};

void http_response_init(struct http_response *response);
/* Checks "200 OK" and notes the code. */
enum http_response_result http_response_status(struct http_response *response, struct span status);
/* Checks one field, notes Content-Length and Upgrade, and appends "Name: value\r\n" to `fields`; SKIP: nothing appended. */
enum http_response_result http_response_field(struct http_response *response, struct span name, struct span value,
                                              struct buf *fields);
/*
 * Decides the framing and appends the whole head: status line, Server, Date, Connection, Transfer-Encoding when chunked,
 * then `fields`, then the empty line. server: value of Server (empty: no such line); date: see http_date().
 */
void http_response_head(struct http_response *response, struct span status, struct span server, struct span date,
                        struct span fields, struct buf *head);
/* "1F4\r\n" for a chunk of that size, upper-case hex; into at least 24 bytes; returns its length. */
size_t http_chunk_head(char *into, uint64_t size);
#define HTTP_CHUNK_TAIL "\r\n"
#define HTTP_CHUNK_END "0\r\n\r\n"
/* "Sun, 22 Nov 2026 10:11:12 GMT" into at least 30 bytes; returns 29. */
size_t http_date(char *into, time_t wall);
/* gunicorn's error page, head and body. */
void http_error_page(int status, const char *reason, struct span text, struct buf *page);
/* "HTTP/1.1 100 Continue\r\n\r\n" */
extern const struct span http_continue;

/* ---- paths ---- */

/* Percent-decodes into `to` (from.len bytes, may be from.at); keeps broken escapes, like urllib. Returns the length. */
size_t http_unquote(struct span from, char *to);

#endif
