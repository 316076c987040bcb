/* SPDX-License-Identifier: MIT */
/*
 * accesslog_internal.h - a compiled access_log_format, between accessformat.c and accesslog.c.
 */
#ifndef HTTP_ACCESSLOG_INTERNAL_H
#define HTTP_ACCESSLOG_INTERNAL_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "http/accesslog.h"

enum { ACCESSLOG_USER_MAX = 192 };

/* Letters stand for themselves; these for the rest. */
enum accesslog_atom {
	ATOM_NONE = 0,      /* a literal alone */
	ATOM_UNKNOWN = 1,   /* "-" */
	ATOM_REQUEST_FIELD, /* {name}i */
	ATOM_RESPONSE_FIELD,
	ATOM_ENVIRON,
};

struct accesslog_segment {
	struct span literal;                                        /* in front; may be empty */
	int atom;                                                   /* enum accesslog_atom or a letter */
	struct span name;                                           /* {name}i */
	char conversion;                                            /* s r d x o e f g ...; a letter of Python's */
	bool is_left, has_plus, has_space, has_zeros, is_alternate; /* flags - + ' ' 0 # */
	bool is_text;                                               /* conversion s, r, a: of whatever value */
	bool is_plain; /* conversion s without width and precision: nothing to fit */
	size_t width;
	int precision; /* -1: none */
};

struct accesslog {
	char *format; /* owned; the segments point into it */
	struct accesslog_segment *segments;
	size_t segment_count;
	bool is_json;
	/* The text of atom t for one second. */
	bool has_time;
	time_t time_of_text;
	char time_text[40];
	size_t time_len;
};

/* True for atoms whose value is an int in gunicorn: B T M D. */
bool accesslog_is_number(int atom);
/* Fills segments from format. 0, or -EINVAL and a sentence as Python's % says it. */
int accesslog_compile(struct accesslog *log, struct err *err);

/* What is not there is the empty span with at == NULL. */
struct span accesslog_find_field(const struct http_request *request, enum http_field_id id);
/* {name}i, {name}o, {name}e */
struct span accesslog_find_named(const struct accesslog_segment *segment, const struct accesslog_entry *entry);
/* The user of Basic authentication, decoded into `user`. */
struct span accesslog_find_user(const struct http_request *request, char user[ACCESSLOG_USER_MAX]);
/* accessjson.c: the line as an object. */
void accesslog_write_json(const struct accesslog *log, const struct accesslog_entry *entry, struct buf *line);

/* accessfit.c: appends a number by one of the conversions d i u o x X e E f F g G, not yet fit to the width. */
void accesslog_add_number(const struct accesslog_segment *segment, uint64_t number, struct buf *line);
/* accessfit.c: conversions r and a, precision and width for what was appended from `begin` on. */
void accesslog_fit(const struct accesslog_segment *segment, struct buf *line, size_t begin);

#endif
