/* SPDX-License-Identifier: MIT */
/*
 * formats.h - the status document in the shapes that other tools know.
 *
 * Pure: a document (docs/status.md) in, text out. What is absent or null in the document is absent in the text, unless the shape
 * demands a number.
 */
#ifndef MASTER_FORMATS_H
#define MASTER_FORMATS_H

#include "base/base.h"
#include "base/buf.h"

#include <jansson.h>

/* In the order of the words of setting status_format. */
enum status_format {
	FORMAT_JSON,
	FORMAT_PROMETHEUS, /* text format 0.0.4 */
	FORMAT_UWSGI,      /* uWSGI's stats server */
	FORMAT_PUMA,       /* Puma's /stats */
	FORMAT_HEALTH,     /* application/health+json */
	FORMAT_MAX
};

/* By its word, exactly. */
bool format_find(const char *name, enum status_format *ret_format);
const char *format_name(enum status_format format);
const char *format_media_type(enum status_format format);
/* The text, with a newline at its end; the caller frees. */
char *format_render(enum status_format format, const json_t *document);

/* ---- between the formats_*.c files ---- */

/* "memory.container.current_bytes"; NULL when something on the way is missing or null. */
const json_t *format_at(const json_t *document, const char *path);
/* 0 when there is no such number. */
double format_number(const json_t *document, const char *path);
/* "" when there is no such text. */
const char *format_text(const json_t *document, const char *path);
/* The seconds since 1970 of a RFC 3339 time in UTC; 0 when it is none. */
double format_time(const json_t *document, const char *path);

void format_add_prometheus(struct buf *into, const json_t *document);
json_t *format_uwsgi(const json_t *document);
json_t *format_puma(const json_t *document);
json_t *format_health(const json_t *document);

#endif
