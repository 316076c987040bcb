/* SPDX-License-Identifier: MIT */
/*
 * field.h - header names: tokens, and the WSGI key of a name.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "base/base.h"
#include "base/span.h"

/* RFC 9110 token, not empty. */
bool http_is_token(struct span name);
/* Field value bytes: HTAB, SP, 0x21-0x7E, 0x80-0xFF. */
bool http_is_field_value(struct span value);

/* Header names that nearly every request has; py/ keeps an interned key for each. HTTP_FIELD_OTHER: not one of them. */
enum http_field_id {
	HTTP_FIELD_OTHER,
#define FIELD(id, name, key) HTTP_FIELD_##id,
#include "http/field.def"
#undef FIELD
	HTTP_FIELD_MAX
};
/* Looks a token up without regard to case, in constant time (struct http_field has the answer already as `id`). */
enum http_field_id http_field_id(struct span name);
const char *http_field_key(enum http_field_id id); /* "HTTP_USER_AGENT", "CONTENT_TYPE" ...; NULL for HTTP_FIELD_OTHER */
/* "HTTP_X_NAME" for any name, into `key` (at least name.len + 6 bytes, not terminated); returns the length. */
size_t http_field_write_key(struct span name, char *key);

#endif
